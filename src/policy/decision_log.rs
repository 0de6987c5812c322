//! The (event, decision) log of a [`Dispatch`], and its replay through a fresh one.
//!
//! This is how a racy engine is tested exactly: whatever order its threads happened to take, the decisions must be
//! those that the pure policy takes for the same events. A log is kept in memory ([`DecisionLog`], for tests) or streamed
//! ([`Trace`]); `text.rs` is its form in a file and `check.rs` the replay of one. Called by `pool`, the engines, `run`,
//! `cli` and tests.

pub mod check;
pub mod text;

use super::dispatch::{Decision, Dispatch, Event, Rules};
use crate::time::Nanos;

/// One event and what was decided, without the jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// What happened.
    pub event: Event<()>,
    /// What was decided, in order.
    pub decisions: Vec<Decision<()>>,
}

impl LogLine {
    /// The line of an event and what was decided about it.
    #[must_use]
    pub fn of<J>(event: Event<()>, decisions: &[Decision<J>]) -> LogLine {
        LogLine { event, decisions: decisions.iter().map(Decision::erased).collect() }
    }
}

/// Takes each line of a log as it comes.
pub trait Trace: Send + Sync + std::fmt::Debug {
    /// At the emulated moment `now`, this happened and that was decided. Called in the order of the events.
    fn note(&self, now: Nanos, line: &LogLine);

    /// This node of a cluster begins, or begins anew, and numbers its items from `first_number` on. The answer names its
    /// log for [`Trace::note_of`].
    fn begins(&self, _node: usize, _first_number: u64) -> u32 {
        0
    }

    /// As [`Trace::note`], of one of several logs. Of each, called in the order of its events.
    fn note_of(&self, _log: u32, now: Nanos, line: &LogLine) {
        self.note(now, line);
    }
}

/// A log with a bound: it keeps the first lines and counts the rest.
#[derive(Debug)]
pub struct DecisionLog {
    lines: Vec<LogLine>,
    bound: usize,
    dropped: u64,
}

impl DecisionLog {
    /// An empty log for at most `bound` lines.
    #[must_use]
    pub fn new(bound: usize) -> DecisionLog {
        DecisionLog { lines: Vec::new(), bound, dropped: 0 }
    }

    /// Adds a line, or counts it when the log is full.
    pub fn note<J>(&mut self, event: Event<()>, decisions: &[Decision<J>]) {
        if self.lines.len() < self.bound {
            self.lines.push(LogLine::of(event, decisions));
        } else {
            self.dropped += 1;
        }
    }

    /// The lines kept.
    #[must_use]
    pub fn lines(&self) -> &[LogLine] {
        &self.lines
    }

    /// How many lines did not fit.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Where a replay first differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line, from 0.
    pub line: usize,
    /// The event.
    pub event: Event<()>,
    /// What the log says was decided.
    pub logged: Vec<Decision<()>>,
    /// What a fresh dispatch decides.
    pub replayed: Vec<Decision<()>>,
}

/// Feeds the events to a fresh dispatch.
///
/// # Errors
/// The first line whose decisions differ.
pub fn replay(rules: &Rules, lines: &[LogLine]) -> Result<(), Box<Difference>> {
    let mut dispatch: Dispatch<()> = Dispatch::new(rules);
    let mut out = Vec::new();
    for (line, LogLine { event, decisions }) in lines.iter().enumerate() {
        out.clear();
        dispatch.apply(*event, &mut out);
        if &out != decisions {
            return Err(Box::new(Difference { line, event: *event, logged: decisions.clone(), replayed: out }));
        }
    }
    Ok(())
}
