//! `watch`: a scenario's variant is run before somebody's eyes, on a screen or as plain lines.
//!
//! `letters`, `state`, `keys`, `draw` with `table`, `chart` and `paint`, and `plain` are pure; `screen` has the terminal. The run goes
//! on in a thread of its own, under a hand (`engine::control`) through which wishes go in and a picture comes out. Not the
//! run and not its report. Called by `cli::main`.

mod chart;
pub mod draw;
pub mod keys;
pub mod letters;
mod paint;
pub mod plain;
mod screen;
pub mod state;
mod table;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use anyhow::Context;

use self::screen::Taken;
use self::state::{Look, Paint, Screen};
use super::args::{Colour, Engine, WatchArgs};
use super::exit::Exit;
use super::output::print;
use super::{load, running};
use crate::engine::Interrupt;
use crate::engine::control::{Control, Pace, Wish};
use crate::plan::Plan;
use crate::problem::{Place, Problem};
use crate::report::Report;
use crate::report::text::{TextOptions, text};
use crate::run::{self, EngineKind, Ran, RunOptions, Silent};
use crate::time::Nanos;

/// How often plain lines look at the run, in wall time.
const LOOKS: Duration = Duration::from_millis(20);

/// What ends with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// Only this run: the next variant follows.
    This,
    /// Everything.
    All,
}

/// Somebody's view of a run that goes on in another thread.
struct Eye<'a> {
    control: &'a Control,
    engine: &'a ScopedJoinHandle<'a, Ran>,
    called_off: &'a AtomicBool,
}

impl Eye<'_> {
    fn look(&self, screen: &mut Screen) {
        screen.picture = self.control.live().picture();
        screen.status = self.control.status();
    }

    fn ask(&self, wish: Wish) {
        self.control.ask(wish);
    }

    /// A signal has come.
    fn is_called_off(&self) -> bool {
        // Ordering: Relaxed; the flag alone is the message.
        self.called_off.load(Ordering::Relaxed)
    }

    /// The run could not go on: there is nothing to look at any more.
    fn has_stopped_without_an_end(&self) -> bool {
        self.engine.is_finished() && !self.control.live().picture().ended
    }
}

/// `atqsim watch FILE`.
pub(super) fn watch(args: &WatchArgs, colour: Colour) -> anyhow::Result<Exit> {
    let every = match one_engine(args).and_then(|()| every(args)) {
        Ok(every) => every,
        Err(problem) => {
            load::show(&[*problem]);
            return Ok(Exit::BadInput);
        }
    };
    let Some(plans) = load::plans(&args.file, &args.changes, None) else { return Ok(Exit::BadInput) };
    if let Some(problem) = nothing_to_show(&args.file, &plans) {
        load::show(&[problem]);
        return Ok(Exit::BadInput);
    }
    let kind = if args.engine == Engine::Virtual { EngineKind::Virtual } else { EngineKind::Threads };
    let called_off = catch_signals()?;
    let on_terminal = std::io::stdout().is_terminal() && !args.plain && !is_dumb();
    // Where the terminal cannot be had after all, lines are better than nothing.
    let mut terminal = on_terminal.then(Taken::take).and_then(Result::ok);
    let mut all = Ran { report: None, error: None };
    let mut early = false;
    let shown = if terminal.is_some() { plans.len() } else { 1 };
    for (at, plan) in plans.iter().take(shown).enumerate() {
        let options = RunOptions {
            engine: kind,
            control: Some(Control::new(plan, Pace::Speed(plan.speed))),
            ..RunOptions::default()
        };
        let names = (at + 1, plans.len());
        let (ran, ends, ended_early) = one(plan, names, &options, &called_off, colour, terminal.as_mut(), every)?;
        early |= ended_early;
        all = joined(all, ran);
        if ends == Ends::All || all.error.is_some() {
            break;
        }
    }
    drop(terminal);
    report(&all, early)
}

/// Why there is nothing to look at: the screen shows the pool and its services, and there may be none.
fn nothing_to_show(file: &str, plans: &[Plan]) -> Option<Problem> {
    let none = plans.iter().any(|plan| plan.classes.is_empty());
    let message = "has no service of the pool, and watch shows nothing else";
    let remedy = "use `atqsim run` or `atqsim compare`: their reports tell of [store] and [domains]";
    none.then(|| Problem::error(Place::Named(file.to_string()), message, remedy))
}

/// Runs one variant. The answer also says what ended with it, and whether it ended before its time.
fn one(
    plan: &Plan,
    names: (usize, usize),
    options: &RunOptions,
    called_off: &Arc<AtomicBool>,
    colour: Colour,
    terminal: Option<&mut Taken>,
    every: Option<Nanos>,
) -> anyhow::Result<(Ran, Ends, bool)> {
    let control = options.control.as_deref().expect("a run that is watched is under a hand");
    let engine = if options.engine == EngineKind::Virtual { "in virtual time" } else { "on real threads" };
    let seen = (control.live().picture(), control.status());
    let mut screen = Screen::new(plan, names, engine, seen, look(colour));
    std::thread::scope(|scope| {
        let run = || run::run(std::slice::from_ref(plan), options, &Silent);
        let handle = std::thread::Builder::new().name("atqsim-watched".into()).spawn_scoped(scope, run);
        let handle = handle.context("the system refuses to create any thread")?;
        let eye = Eye { control, engine: &handle, called_off };
        let shown = match terminal {
            Some(terminal) => terminal.show(&mut screen, &eye),
            None => lines(&mut screen, &eye, every),
        };
        // Ordering: Relaxed; the flag alone is the message.
        options.interrupt.0.store(true, Ordering::Relaxed);
        control.ask(Wish::Resume);
        let ran = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let ends = shown.context("cannot write to the terminal")?;
        let early = ran.report.as_ref().is_some_and(|report| report.variants.iter().any(|v| v.interrupted));
        Ok((ran, ends, early))
    })
}

/// Prints lines until the run is over.
fn lines(screen: &mut Screen, eye: &Eye<'_>, every: Option<Nanos>) -> std::io::Result<Ends> {
    // A line for each second of wall time, as far as nobody wants it otherwise.
    let every = every.unwrap_or_else(|| Nanos::SECOND.scale(screen.status.speed.unwrap_or(1.0)).max(Nanos(1)));
    let mut next = every;
    loop {
        let over = eye.engine.is_finished();
        eye.look(screen);
        if screen.picture.now >= next || (over && screen.picture.now > Nanos::ZERO) {
            print(&format!("{}\n", plain::line(screen))).map_err(std::io::Error::other)?;
            next = Nanos(screen.picture.now.0 / every.0 * every.0) + every;
        }
        if over || eye.is_called_off() {
            return Ok(Ends::All);
        }
        std::thread::park_timeout(LOOKS);
    }
}

/// The reports of several runs in one.
fn joined(before: Ran, after: Ran) -> Ran {
    let report = match (before.report, after.report) {
        (Some(mut first), Some(second)) => {
            first.notices.extend(second.notices);
            first.notices.sort_by_key(|notice| std::cmp::Reverse(notice.gravity));
            first.variants.extend(second.variants);
            Some(first)
        }
        (first, second) => first.or(second),
    };
    Ran { report, error: before.error.or(after.error) }
}

fn report(ran: &Ran, early: bool) -> anyhow::Result<Exit> {
    let failure = ran.error.as_ref().map(|(variant, reason)| running::tell(variant, reason));
    let Some(report) = &ran.report else { return Ok(failure.unwrap_or(Exit::Interrupted)) };
    print(&rendered(report))?;
    Ok(running::ending(ran, early))
}

fn rendered(report: &Report) -> String {
    let width = running::terminal_width(std::io::stdout().is_terminal());
    text(report, &TextOptions { width, colour: true })
}

/// One run is watched, not two.
fn one_engine(args: &WatchArgs) -> Result<(), Box<Problem>> {
    let place = || Place::Named("--engine both".into());
    let refused = || Box::new(Problem::error(place(), "one run is watched, not two", "choose threads or virtual"));
    if args.engine == Engine::Both { Err(refused()) } else { Ok(()) }
}

/// `--every`, which needs a time above 0.
fn every(args: &WatchArgs) -> Result<Option<Nanos>, Box<Problem>> {
    let Some(text) = &args.every else { return Ok(None) };
    let refused = |message: String| {
        let place = Place::Named(format!("--every {text}"));
        Box::new(Problem::error(place, message, "write 10s or 1m"))
    };
    match humantime::parse_duration(text) {
        Ok(span) if span.is_zero() => Err(refused("is no time at all".into())),
        Ok(span) => Ok(Some(Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))),
        Err(error) => Err(refused(format!("is no duration: {error}"))),
    }
}

/// SIGINT and SIGTERM ask the run to end and report, also the second one: only so is the terminal always given back.
fn catch_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let called_off = Interrupt::default().0;
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&called_off))?;
    }
    Ok(called_off)
}

fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|term| term == "dumb")
}

/// What the terminal can show, as far as its environment says.
fn look(colour: Colour) -> Look {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    let wanted = match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
    };
    let many = of("TERM").contains("256color") || !of("COLORTERM").is_empty();
    let paint = match (wanted, many) {
        (false, _) => Paint::None,
        (true, true) => Paint::Many,
        (true, false) => Paint::Sixteen,
    };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(of).find(|value| !value.is_empty());
    let unicode = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    Look { paint, ascii: cfg!(unix) && !unicode }
}
