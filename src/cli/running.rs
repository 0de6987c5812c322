//! `run`, `compare`, `replay`: plans are run and the report is written.
//!
//! Not the running itself, which is `run`'s. Called by `cli::main`.

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::args::{Engine, Format, OutputArgs, ReplayArgs, RunArgs};
use super::exit::Exit;
use super::load;
use super::output::{complain, print, write_file};
use super::progress::Bars;
use crate::engine::Interrupt;
use crate::plan::Plan;
use crate::problem::{Place, Problem};
use crate::report::json::json;
use crate::report::text::{TextOptions, text};
use crate::run::{self, EngineKind, RunOptions, TraceFile};
use crate::scenario::TraceOverride;

/// `atqsim compare FILE`.
pub(super) fn compare(args: &RunArgs) -> anyhow::Result<Exit> {
    match load::plans(&args.file, &args.changes, None) {
        Some(plans) => run_and_report(&plans, &args.output),
        None => Ok(Exit::BadInput),
    }
}

/// `atqsim run FILE`.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    match load::plans(&args.file, &args.changes, None) {
        Some(plans) => run_and_report(&plans[..1.min(plans.len())], &args.output),
        None => Ok(Exit::BadInput),
    }
}

/// `atqsim replay LOG...`.
pub(super) fn replay(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let trace =
        TraceOverride { paths: args.logs.clone(), times: args.times, repeat: args.repeat, spread: !args.no_spread };
    match load::plans(&args.scenario, &args.changes, Some(trace)) {
        Some(plans) => run_and_report(&plans, &args.output),
        None => Ok(Exit::BadInput),
    }
}

fn run_and_report(plans: &[Plan], args: &OutputArgs) -> anyhow::Result<Exit> {
    let trace = match args.trace.as_deref().map(|path| open_trace(path, args)).transpose() {
        Ok(trace) => trace,
        Err(problem) => {
            load::show(&[*problem]);
            return Ok(Exit::BadInput);
        }
    };
    let options = RunOptions {
        engine: match args.engine {
            Engine::Threads => EngineKind::Threads,
            Engine::Virtual => EngineKind::Virtual,
        },
        burn_cpu: args.burn_cpu,
        interrupt: catch_signals()?,
        trace,
    };
    let bars = Bars::new(plans, args.quiet);
    let ran = run::run(plans, &options, &bars);
    bars.clear();
    let traced = close_trace(&options, args);
    if let Some((variant, reason)) = &ran.error {
        complain(&format!("atqsim: variant {variant} could not be run: {reason}"));
    }
    let Some(report) = &ran.report else {
        return Ok(if !traced {
            Exit::NotWritten
        } else if options.interrupt.is_set() {
            Exit::Interrupted
        } else {
            Exit::Failed
        });
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
    match &args.output {
        None => print(&body)?,
        Some(path) => {
            if let Err(error) = write_file(path, body.as_bytes()) {
                complain(&format!("atqsim: {error:#}; the report follows on stdout"));
                print(&body)?;
                return Ok(Exit::NotWritten);
            }
        }
    }
    Ok(if !traced {
        Exit::NotWritten
    } else if ran.went_wrong() {
        Exit::Failed
    } else if options.interrupt.is_set() {
        Exit::Interrupted
    } else if ran.failed_threshold() {
        Exit::Threshold
    } else {
        Exit::Done
    })
}

/// The file of the decision log, opened before anything runs.
fn open_trace(path: &Path, args: &OutputArgs) -> Result<Arc<TraceFile>, Box<Problem>> {
    let refused = |message: String, remedy: &str| {
        let place = Place::Named(format!("--trace {}", path.display()));
        Box::new(Problem::error(place, message, remedy))
    };
    if args.output.as_deref() == Some(path) {
        return Err(refused("is the file of the report".into(), "give each a file of its own"));
    }
    match File::create(path) {
        Ok(file) => Ok(Arc::new(TraceFile::new(Box::new(file)))),
        Err(error) => Err(refused(format!("cannot be written: {error}"), "name a file that can be written")),
    }
}

/// Whether the decision log is whole, where one was asked for. A run does not end because its log does.
fn close_trace(options: &RunOptions, args: &OutputArgs) -> bool {
    let (Some(trace), Some(path)) = (&options.trace, &args.trace) else { return true };
    match trace.close() {
        Ok(()) => true,
        Err(error) => {
            complain(&format!("atqsim: cannot write {}: {error}; the decision log ends there", path.display()));
            false
        }
    }
}

/// The first SIGINT or SIGTERM asks the run to end and report; the second kills. A file-size limit becomes an error
/// that can be reported, in place of a signal that kills.
fn catch_signals() -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt::default();
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(
                signal,
                i32::from(Exit::Interrupted as u8),
                Arc::clone(&interrupt.0),
            )?;
            signal_hook::flag::register(signal, Arc::clone(&interrupt.0))?;
        }
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(interrupt)
}

/// Columns of the terminal, from `COLUMNS` or the terminal itself; 100 where there is none.
fn terminal_width(to_terminal: bool) -> usize {
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
