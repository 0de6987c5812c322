//! The command line: reads arguments, calls `run` and `scenario`, writes what they answer. One file a subcommand.
//!
//! No arithmetic on figures. Called by `main`.

pub mod args;
pub mod exit;
pub mod files;
mod generate;
mod inspect;
mod load;
mod loopback;
mod output;
pub mod parity;
pub mod problems;
mod progress;
mod recommend;
mod registry;
mod running;
mod scenarios;
pub mod verify;
pub mod verify_cases;
mod verify_coverage;
pub mod watch;

use std::process::ExitCode;

use anstream::ColorChoice;
use clap::Parser;

use args::{Cli, Colour, Command};
use exit::Exit;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        Colour::Auto => {}
        Colour::Always => ColorChoice::Always.write_global(),
        Colour::Never => ColorChoice::Never.write_global(),
    }
    if let Err(error) = output::survive_file_size_limit() {
        output::complain(&format!("atqsim: {error:#}"));
    }
    let result = match &cli.command {
        Command::Compare(args) => running::compare(args),
        Command::Run(args) => running::run(args),
        Command::Watch(args) => watch::watch(args, cli.color),
        Command::Replay(args) => running::replay(args),
        Command::Check { files } => inspect::check(files),
        Command::Explain { file, changes } => inspect::explain(file, changes),
        Command::Scenarios { show, write } => scenarios::scenarios(show.as_deref(), write.as_deref()),
        Command::Registry { file, format } => registry::registry(file.as_deref(), *format),
        Command::Recommend(args) => recommend::recommend(args),
        Command::Verify(args) => verify::verify(args),
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { write } => generate::man(write.as_deref()),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&format!("atqsim: {error:#}"));
            Exit::NotWritten.into()
        }
    }
}
