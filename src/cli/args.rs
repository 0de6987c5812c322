//! The command line, as clap reads it. Not what is done about it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::exit;
use super::files::FileArgs;
use super::verify::VerifyArgs;
use crate::run::precision;

/// Shows how one class of work starves another on a shared thread pool: IIS's ATQ under Exchange 2000/2003 (KB 281868).
#[derive(Debug, Parser)]
#[command(
    name = "atqsim",
    version,
    about,
    after_help = exit::help(),
    after_long_help = long_help(),
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Colour in text output.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
}

fn long_help() -> String {
    format!(
        "Examples:\n  atqsim compare kb281868                 the failure and its cure, side by side\n  \
         atqsim explain kb281868                 the same plan in words, without running it\n  \
         atqsim recommend --virtual-servers 2 --processors 2 --memory 1024 --out tuned.reg\n  \
         atqsim run my.toml --set smtp.queues.local-delivery.wait.mean=300ms --format json\n\n\
         How waits are measured: a wait counts from the moment at which the load says that an item is due, not from the \
         moment at which somebody got round to submitting it. A slow server cannot make its own waits look shorter.\n\n{}",
        exit::help()
    )
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every variant of a scenario under the same load and put them side by side
    Compare(RunArgs),
    /// Run one variant of a scenario (the first, unless --variant says otherwise)
    Run(RunArgs),
    /// Run one variant before your eyes, in the terminal: threads, waits and queues as they change; keys change registry
    /// values, load and speed
    Watch(WatchArgs),
    /// Replay IIS SMTP logs (W3C extended, NCSA, or CSV) as inbound mail in a scenario
    Replay(ReplayArgs),
    /// Read scenarios and report every mistake, without running anything
    Check {
        /// Scenario files, names of shipped scenarios, or `-` for stdin
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Say in words what a scenario does: threads, caps, offered load, and where trouble is to be expected
    Explain {
        /// A scenario file, the name of a shipped scenario, or `-` for stdin
        #[arg(value_name = "FILE")]
        file: String,
        /// What to change in it.
        #[command(flatten)]
        changes: Changes,
    },
    /// List the scenarios that are built in, show one, or write them all to a directory
    Scenarios {
        /// Print this one
        #[arg(long, value_name = "NAME", conflicts_with = "write")]
        show: Option<String>,
        /// Write all of them, with their data, into this directory (existing files are kept)
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
    },
    /// Print every registry value that is known, or what a registry export sets
    Registry {
        /// A registry export to read instead
        #[arg(value_name = "FILE.reg")]
        file: Option<PathBuf>,
        /// How to print the table
        #[arg(long, value_enum, default_value_t = TableFormat::Text)]
        format: TableFormat,
    },
    /// Compute the values of KB 281868 with the steps shown, and write them as a registry file
    Recommend(RecommendArgs),
    /// Simulate reference queues and compare every figure with its exact value, compare both engines, or replay a
    /// decision log
    Verify(VerifyArgs),
    /// Print the completions for a shell, e.g. `atqsim completions bash > ~/.local/share/bash-completion/completions/atqsim`
    Completions {
        /// Which shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page, e.g. `atqsim man | man -l -`, or write the pages of all subcommands
    Man {
        /// Write atqsim.1 and a page for each subcommand into this directory
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
    },
}

/// What to change in a scenario before it is run.
#[derive(Clone, Debug, Default, Args)]
pub struct Changes {
    /// Change a setting of the scenario, e.g. smtp.queues.local-delivery.wait.mean=300ms (repeatable)
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Seed of all random draws
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Emulated seconds per second of wall time on real threads
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub speed: Option<f64>,
    /// Length of the run in emulated time, e.g. 10m
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// Add a variant whose registry is read from an export (repeatable)
    #[arg(long, value_name = "NAME=FILE.reg")]
    pub registry: Vec<String>,
    /// Only this variant (repeatable)
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
}

/// A number of replications.
fn runs(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(runs) if (2..=100_000).contains(&runs) => Ok(runs),
        Ok(runs) => Err(format!("{runs} is not in 2..=100000; an interval needs at least two runs")),
        Err(error) => Err(format!("{error}; write a whole number from 2 to 100000")),
    }
}

/// How to run and where the report goes.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// The report's format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write the report to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Width of the text report in columns [default: the terminal's, or 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(60..=1_000))]
    pub width: Option<u16>,
    /// No progress bars
    #[arg(long, short)]
    pub quiet: bool,
    /// Real worker threads, virtual time, or both and how far they agree
    #[arg(long, value_enum, default_value_t = Engine::Threads)]
    pub engine: Engine,
    /// Write every event and what was decided about it to this file; `atqsim verify --replay` checks it
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Run every variant N times under N seeds, on all processors, and give every figure its 95 % confidence
    /// interval; differences between variants are paired by seed (virtual time only)
    #[arg(long, value_name = "N", value_parser = runs, allow_negative_numbers = true)]
    pub replications: Option<u32>,
    /// Add replications until half of the interval is at most this share of the mean, e.g. 5% (begins with
    /// --replications, or 10)
    #[arg(long, value_name = "PERCENT", value_parser = precision::share, allow_hyphen_values = true)]
    pub precision: Option<f64>,
    /// The figure that is to be so precise, named as in [[assert]], e.g. pop3.wait.mean (repeatable) [default: the
    /// mean wait of every service]
    #[arg(long, value_name = "FIGURE", requires = "precision")]
    pub precision_of: Vec<String>,
    /// The most replications that --precision may add up to [default: 1000]
    #[arg(long, value_name = "N", value_parser = runs, allow_negative_numbers = true, requires = "precision")]
    pub max_replications: Option<u32>,
    /// End each run after so many events (arrivals, ends of phases, time-outs), with a partial report (virtual time only)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true)]
    pub max_events: Option<u64>,
    /// Burn real CPU in `cpu` phases instead of only holding an emulated processor
    #[arg(long)]
    pub burn_cpu: bool,
    /// After the run, send one response of each front-end so often over sockets of this computer, and put model and
    /// measurement side by side into the report; takes as long as the responses do
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "3",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub loopback: Option<u32>,
    /// Files beside the report.
    #[command(flatten)]
    pub files: FileArgs,
}

/// Arguments of `run` and `compare`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// A scenario file, the name of a shipped scenario, or `-` for stdin
    #[arg(value_name = "FILE")]
    pub file: String,
    /// What to change in it.
    #[command(flatten)]
    pub changes: Changes,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `watch`.
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// A scenario file, the name of a shipped scenario, or `-` for stdin
    #[arg(value_name = "FILE")]
    pub file: String,
    /// What to change in it.
    #[command(flatten)]
    pub changes: Changes,
    /// Real worker threads, or virtual time at the scenario's speed
    #[arg(long, value_enum, default_value_t = Engine::Threads)]
    pub engine: Engine,
    /// Plain lines instead of a screen, as where stdout is no terminal
    #[arg(long)]
    pub plain: bool,
    /// Emulated time between two plain lines, e.g. 10s [default: a second's worth at the scenario's speed]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub every: Option<String>,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Logs, or directories of logs
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// The scenario whose inbound mail the logs replace
    #[arg(long, value_name = "FILE", default_value = "replay-sample")]
    pub scenario: String,
    /// Multiply the logs' rate
    #[arg(long, value_name = "N", default_value_t = 1.0, allow_negative_numbers = true)]
    pub times: f64,
    /// Start again at the first row until the scenario's duration is filled
    #[arg(long = "loop")]
    pub repeat: bool,
    /// Keep the rows of one second at its start instead of spreading them over it
    #[arg(long)]
    pub no_spread: bool,
    /// What to change in the scenario.
    #[command(flatten)]
    pub changes: Changes,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `recommend`.
#[derive(Clone, Debug, Args)]
pub struct RecommendArgs {
    /// SMTP virtual servers of the node
    #[arg(long, value_name = "N")]
    pub virtual_servers: u32,
    /// Processors of the node
    #[arg(long, value_name = "P", default_value_t = 2)]
    pub processors: u32,
    /// Memory of the node in MB
    #[arg(long, value_name = "MB", default_value_t = 1_024)]
    pub memory: u64,
    /// Write the values to this file, for regedit
    #[arg(long, value_name = "FILE.reg")]
    pub out: Option<PathBuf>,
    /// Format of that file
    #[arg(long, value_enum, default_value_t = RegFormat::Version5)]
    pub reg_format: RegFormat,
    /// A choice that nothing published settles, e.g. additional_rounding=ceil (repeatable; `assumptions` in a scenario)
    #[arg(long = "assume", value_name = "NAME=VALUE")]
    pub assume: Vec<String>,
    /// A registry export of the server: its present values are compared with the recommended ones
    #[arg(long, value_name = "FILE.reg")]
    pub registry: Option<PathBuf>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// Where a terminal is (NO_COLOR and CLICOLOR are honoured).
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Formats of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; see docs/json.md.
    Json,
}

/// Engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Real worker threads.
    Threads,
    /// Virtual time.
    Virtual,
    /// Both, one after the other, and how far they agree.
    Both,
}

/// Formats of the registry table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For a terminal.
    Text,
    /// For README.
    Markdown,
}

/// Formats of a registry file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RegFormat {
    /// Windows Registry Editor Version 5.00, UTF-16LE (Windows 2000 and later).
    Version5,
    /// REGEDIT4, ANSI (Windows NT 4.0 and later).
    Regedit4,
}
