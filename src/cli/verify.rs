//! `verify`: reference queues (`verify_cases.rs`), both engines against each other (`parity.rs`), or a decision log
//! against what the policy decides.
//!
//! Not the replay itself, which is `policy::decision_log`'s. Called by `cli::main`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::load::show;
use super::output::print;
use super::parity::{self, ParityArgs};
use super::verify_cases::{self, CaseArgs};
use crate::policy::decision_log::check::{Replayer, Tally, Trouble};
use crate::problem::{Place, Problem};

/// The longest line of a log that is read, in bytes.
const LINE_MOST: u64 = 1 << 20;

/// Arguments of `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Replay a decision log (of `--trace FILE`) through a fresh dispatch; `-` for stdin
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["case", "cases", "coverage", "quick", "list", "show", "fresh", "case_seed"]
    )]
    pub replay: Option<PathBuf>,
    /// Both engines against each other.
    #[command(flatten)]
    pub parity: ParityArgs,
    /// Which reference queues, where no log is replayed.
    #[command(flatten)]
    pub cases: CaseArgs,
}

/// `atqsim verify`.
pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    match &args.replay {
        Some(path) => replay(path),
        None if args.parity.parity => parity::verify(&args.parity, args.cases.seed),
        None => verify_cases::verify(&args.cases),
    }
}

/// What ended a replay.
enum End {
    /// Everything agrees. `true`: the last line was cut off.
    Agrees(Tally, bool),
    /// The line, from 1.
    Trouble(u64, Trouble),
}

fn replay(path: &Path) -> anyhow::Result<Exit> {
    let name = path.display().to_string();
    let end = match replayed(path) {
        Ok(end) => end,
        Err(error) => {
            let remedy = "give the name of a log that can be read";
            show(&[Problem::error(Place::Named(name), format!("cannot be read: {error}"), remedy)]);
            return Ok(Exit::BadInput);
        }
    };
    match end {
        End::Agrees(tally, torn) => {
            let plural = |n: u64, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
            let (events, logs) = (plural(tally.events, "event"), plural(tally.logs, "variant"));
            let mut text = format!("{name}: {} agree ({events}, {logs})\n", plural(tally.decisions, "decision"));
            if tally.cut > 0 {
                let torn = if torn { "; its last line is torn and was left out" } else { "" };
                text.push_str(&format!("note: a log in it has no end, so its run was cut off{torn}\n"));
            }
            print(&text)?;
            Ok(Exit::Done)
        }
        End::Trouble(line, Trouble::Malformed { message, remedy }) => {
            show(&[Problem::error(Place::Line(name, line), message, remedy)]);
            Ok(Exit::BadInput)
        }
        End::Trouble(line, Trouble::Difference { variant, event, logged, decided }) => {
            let head = format!("{name}:{line}: the first difference, in variant {variant}");
            print(&format!("{head}\n  event    {event}\n  logged   {logged}\n  decided  {decided}\n"))?;
            Ok(Exit::Failed)
        }
    }
}

/// Reads line by line, each bounded, whatever the file is.
fn replayed(path: &Path) -> std::io::Result<End> {
    let input: Box<dyn Read> =
        if path == Path::new("-") { Box::new(std::io::stdin()) } else { Box::new(File::open(path)?) };
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let mut replayer = Replayer::default();
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        number += 1;
        let read = input.by_ref().take(LINE_MOST + 1).read_until(b'\n', &mut bytes)?;
        if bytes.last() != Some(&b'\n') {
            let too_long = read as u64 > LINE_MOST;
            if too_long {
                return Ok(End::Trouble(number, refused("the line is longer than 1 MiB")));
            }
            let torn = read > 0;
            return Ok(match replayer.finish() {
                Ok(tally) => End::Agrees(tally, torn),
                Err(trouble) => End::Trouble(number, trouble),
            });
        }
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let Ok(line) = std::str::from_utf8(&bytes) else {
            return Ok(End::Trouble(number, refused("the line is no UTF-8 text")));
        };
        if let Err(trouble) = replayer.line(line) {
            return Ok(End::Trouble(number, trouble));
        }
    }
}

fn refused(message: &str) -> Trouble {
    Trouble::Malformed { message: message.into(), remedy: "give a log that `--trace` wrote".into() }
}
