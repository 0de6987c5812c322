//! `run`, `compare`, `replay`: plans are run and the report is written.
//!
//! Not the running itself, which is `run`'s. Called by `cli::main`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Changes, Engine, Format, OutputArgs, ReplayArgs, RunArgs};
use super::exit::Exit;
use super::files::{self, Streams};
use super::load;
use super::output::{complain, print, write_file};
use super::progress::Bars;
use crate::engine::{EngineError, Interrupt};
use crate::plan::Plan;
use crate::problem::{Place, Problem};
use crate::report::Origin;
use crate::report::json::json;
use crate::report::text::{TextOptions, text};
use crate::run::precision::{self, Target, Wish};
use crate::run::{self, EngineKind, Ran, Replications, RunOptions};
use crate::scenario::TraceOverride;

/// `atqsim compare FILE`.
pub(super) fn compare(args: &RunArgs) -> anyhow::Result<Exit> {
    match load::plans_and_text(&args.file, &args.changes, None) {
        Some((plans, text)) => run_and_report(&plans, text, &inputs(&args.file, &args.changes, &[]), &args.output),
        None => Ok(Exit::BadInput),
    }
}

/// `atqsim run FILE`.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    match load::plans_and_text(&args.file, &args.changes, None) {
        Some((plans, text)) => {
            let inputs = inputs(&args.file, &args.changes, &[]);
            run_and_report(&plans[..1.min(plans.len())], text, &inputs, &args.output)
        }
        None => Ok(Exit::BadInput),
    }
}

/// `atqsim replay LOG...`.
pub(super) fn replay(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let trace =
        TraceOverride { paths: args.logs.clone(), times: args.times, repeat: args.repeat, spread: !args.no_spread };
    match load::plans_and_text(&args.scenario, &args.changes, Some(trace)) {
        Some((plans, text)) => {
            run_and_report(&plans, text, &inputs(&args.scenario, &args.changes, &args.logs), &args.output)
        }
        None => Ok(Exit::BadInput),
    }
}

/// The files that a run reads by its command: the scenario, registry exports, logs.
fn inputs(scenario: &str, changes: &Changes, logs: &[PathBuf]) -> Vec<PathBuf> {
    let exports = changes.registry.iter().filter_map(|named| named.split_once('='));
    let exports = exports.map(|(_, file)| PathBuf::from(file));
    std::iter::once(PathBuf::from(scenario)).chain(exports).chain(logs.iter().cloned()).collect()
}

fn run_and_report(plans: &[Plan], text_read: String, inputs: &[PathBuf], args: &OutputArgs) -> anyhow::Result<Exit> {
    let flags = [replications_refused(args), burning_refused(args), budget_refused(args)];
    let mut refused: Vec<Problem> = flags.into_iter().flatten().collect();
    refused.extend(files::refused(plans, inputs, args));
    let replications = replications(plans, args, &mut refused);
    if !refused.is_empty() {
        load::show(&refused);
        return Ok(Exit::BadInput);
    }
    let streams = match Streams::open(args) {
        Ok(streams) => streams,
        Err(problem) => {
            load::show(&[*problem]);
            return Ok(Exit::BadInput);
        }
    };
    let options = RunOptions {
        engine: match args.engine {
            Engine::Threads => EngineKind::Threads,
            Engine::Virtual => EngineKind::Virtual,
            Engine::Both => EngineKind::Threads,
        },
        max_events: args.max_events,
        burn_cpu: args.burn_cpu,
        intervals: args.files.keep(),
        interrupt: catch_signals()?,
        trace: streams.trace(),
        perfetto: streams.perfetto(),
        control: None,
    };
    let bars = Bars::new(if replications.is_some() { &[] } else { plans }, args.quiet);
    let mut ran = match &replications {
        Some(wanted) => run::replicate(plans, wanted, &options, &bars),
        None if args.engine == Engine::Both => run::run_both(plans, &options, &bars),
        None => run::run(plans, &options, &bars),
    };
    bars.clear();
    let streamed = streams.close(ran.report.is_some());
    let failure = ran.error.as_ref().map(|(variant, reason)| tell(variant, reason));
    if let Some(report) = &mut ran.report {
        report.origin = Some(Origin { command: command(), text: text_read });
    }
    let Some(report) = &ran.report else {
        return Ok(if streamed { failure.unwrap_or(Exit::Interrupted) } else { Exit::NotWritten });
    };
    let body = match args.format {
        Format::Json => json(report),
        Format::Text => {
            let to_terminal = args.output.is_none() && std::io::stdout().is_terminal();
            let width = args.width.map_or_else(|| terminal_width(to_terminal), usize::from);
            // Colour codes are taken out again on the way where the terminal does not want them.
            text(report, &TextOptions { width, colour: args.output.is_none() })
        }
    };
    let mut written = streamed;
    match &args.output {
        None => print(&body)?,
        Some(path) => {
            if let Err(error) = write_file(path, body.as_bytes()) {
                complain(&format!("atqsim: {error:#}; the report follows on stdout"));
                print(&body)?;
                written = false;
            }
        }
    }
    written &= files::write(report, args);
    Ok(if written { ending(&ran, options.interrupt.is_set()) } else { Exit::NotWritten })
}

/// The command that is being carried out, as a shell reads it.
fn command() -> String {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().replace('\0', " ")).collect();
    let words = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "));
    format!("atqsim {words}")
}

/// How a run ended whose report is written; why, where the code alone does not say it.
pub(super) fn ending(ran: &Ran, interrupted: bool) -> Exit {
    if ran.went_wrong() {
        complain(
            "atqsim: exit code 1: handlers panicked, a variant could not run, or a law was broken; see the report",
        );
        Exit::Failed
    } else if ran.out_of_events() {
        complain("atqsim: exit code 1: the events of --max-events are used up; the report is partial");
        Exit::Failed
    } else if interrupted {
        Exit::Interrupted
    } else if ran.failed_threshold() {
        Exit::Threshold
    } else {
        Exit::Done
    }
}

/// Real threads have no calendar whose events could be counted.
fn budget_refused(args: &OutputArgs) -> Option<Problem> {
    let message = "counts the events of virtual time, and real threads have none";
    let refused = Problem::error(Place::Named("--max-events".into()), message, "add `--engine virtual`");
    (args.max_events.is_some() && args.engine != Engine::Virtual).then_some(refused)
}

/// Virtual time has no CPU to burn; a flag that does nothing would be believed.
fn burning_refused(args: &OutputArgs) -> Option<Problem> {
    let message = "needs real threads: virtual time holds emulated processors only";
    let refused = Problem::error(Place::Named("--burn-cpu".into()), message, "leave one of the two flags out");
    (args.burn_cpu && args.engine == Engine::Virtual).then_some(refused)
}

/// What forbids the replications that were asked for.
fn replications_refused(args: &OutputArgs) -> Option<Problem> {
    let flag = if args.replications.is_some() { "--replications" } else { "--precision" };
    let refused = |message: &str, remedy: &str| Some(Problem::error(Place::Named(flag.into()), message, remedy));
    match args.replications.map(f64::from).or(args.precision) {
        Some(_) if args.engine != Engine::Virtual => {
            let message = "needs virtual time: real threads would share this computer with one another";
            refused(message, "add --engine virtual")
        }
        Some(_) if args.trace.is_some() => {
            refused("does not go with --trace, which writes the log of one run", "leave one of them out")
        }
        _ => None,
    }
}

/// How many replications, where there are to be any.
fn replications(plans: &[Plan], args: &OutputArgs, refused: &mut Vec<Problem>) -> Option<Replications> {
    let count = args.replications.map(|count| count as usize);
    let Some(share) = args.precision else { return count.map(Replications::Fixed) };
    let most = args.max_replications.map_or(precision::RUNS_MOST, |most| most as usize);
    if let Some(first) = count.filter(|first| *first > most) {
        let message = format!("is {most}, and --replications begins with {first}");
        let place = Place::Named("--max-replications".into());
        refused.push(Problem::error(place, message, "raise it, or begin with fewer"));
    }
    let mut targets = Vec::new();
    for text in &args.precision_of {
        match Target::read(text, plans) {
            Ok(target) => targets.push(target),
            Err(problem) => refused.push(problem),
        }
    }
    if targets.is_empty() {
        targets.push(Target::default());
    }
    Some(Replications::Until(count.unwrap_or(precision::RUNS_FIRST), Wish { share, targets, most }))
}

/// Says why a variant could not be run. The answer is the exit code where none could.
pub(super) fn tell(variant: &str, reason: &EngineError) -> Exit {
    match reason {
        EngineError::Load(problems) => {
            load::show(problems);
        }
        _ => complain(&format!("atqsim: variant {variant} could not be run: {reason}")),
    }
    match reason {
        EngineError::Load(_)
        | EngineError::TooManyThreads { .. }
        | EngineError::TooManyStoreThreads { .. }
        | EngineError::TooManyTransportThreads { .. }
        | EngineError::TooFewProcessors { .. } => Exit::BadInput,
        EngineError::AddressSpace { .. } | EngineError::NoThreads | EngineError::TimeStandsStill { .. } => Exit::Failed,
    }
}

/// The first SIGINT or SIGTERM asks the run to end and report; the second kills.
pub(super) fn catch_signals() -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt::default();
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGINT, SIGTERM};
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(
                signal,
                i32::from(Exit::Interrupted as u8),
                Arc::clone(&interrupt.0),
            )?;
            signal_hook::flag::register(signal, Arc::clone(&interrupt.0))?;
        }
    }
    Ok(interrupt)
}

/// Columns of the terminal, from `COLUMNS` or the terminal itself; 100 where there is none.
pub(super) fn terminal_width(to_terminal: bool) -> usize {
    const WITHOUT_TERMINAL: usize = 100;
    if !to_terminal {
        return WITHOUT_TERMINAL;
    }
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    columns.or_else(|| console_width().map(usize::from)).unwrap_or(WITHOUT_TERMINAL).clamp(60, 200)
}

fn console_width() -> Option<u16> {
    terminal_size::terminal_size().map(|(width, _)| width.0)
}
