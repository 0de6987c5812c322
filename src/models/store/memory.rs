//! What the model of the store remembers of a run: its event log, the lives of the service, and where everything went.
//!
//! Every list has a bound; what is beyond it is counted. No format. Written by the model, to be read by reports.

use super::events::{Entry, What};
use crate::models::samples::Samples;
use crate::time::Nanos;

/// Entries of the event log and lives of the service that are kept.
pub const KEPT: usize = 10_000;

/// Where all of one kind went: clients' requests, inbound or outbound messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// That came.
    pub arrived: u64,
    /// That were served, delivered, fetched.
    pub done: u64,
    /// Messages that were put aside, into BAD or the archive.
    pub set_aside: u64,
    /// Clients that gave up.
    pub gave_up: u64,
    /// That were refused because too many waited.
    pub refused: u64,
    /// That wait, whether a call is out for them or not.
    pub waiting: u64,
    /// That hold a thread.
    pub in_service: u64,
}

impl Ledger {
    /// Everything that came is in exactly one place.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let there = self.done + self.set_aside + self.gave_up + self.refused + self.waiting + self.in_service;
        self.arrived == there
    }
}

/// How the life of a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The refresh failed (4094).
    RefreshFailed,
    /// It never got the threads that it starts with (4023).
    NoWorkThreads,
}

/// From one start of the service to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it was started.
    pub started: Nanos,
    /// When it stopped (4102), and why; `None`: it has not.
    pub stopped: Option<(Nanos, Ending)>,
}

impl Life {
    /// Time to the shutdown, if there was one.
    #[must_use]
    pub fn lasted(&self) -> Option<Nanos> {
        self.stopped.map(|(at, _)| at.since(self.started))
    }
}

/// One moment of the curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Threads in use.
    pub in_use: u32,
    /// Calls in line.
    pub line: u64,
    /// Inbound messages that are not delivered.
    pub inbound: u64,
    /// Outbound messages that are not fetched: the backlog of `MTS-OUT`.
    pub outbound: u64,
}

/// Everything that the model remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSummary {
    /// The end of the run.
    pub end: Nanos,
    /// The first entries of the event log, in order of time.
    pub events: Vec<Entry>,
    /// How many more there were.
    pub events_dropped: u64,
    /// The first lives of the service, in order.
    pub lives: Vec<Life>,
    /// How many more there were.
    pub lives_dropped: u64,
    /// Times that the service was shut down: cycles of the documented sequence, and starts without threads.
    pub shutdowns: u64,
    /// Refreshes that were tried, and those that were answered.
    pub refreshes: u64,
    /// See `refreshes`.
    pub refreshed: u64,
    /// How long the service was not logged on.
    pub away: Nanos,
    /// Requests of clients.
    pub clients: Ledger,
    /// Inbound messages.
    pub inbound: Ledger,
    /// Outbound messages.
    pub outbound: Ledger,
    /// What lies in BAD (4116). Under `OneMessage` these are the same messages as those of the archive.
    pub in_bad: u64,
    /// What lies in `Imcdata\In\Archive` (4117).
    pub in_archive: u64,
    /// The most threads that were in use.
    pub most_in_use: u32,
    /// The largest backlog of outbound mail.
    pub most_outbound: u64,
    /// The curves.
    pub samples: Samples<Load>,
}

impl StoreSummary {
    pub(super) fn new(sample_every: Nanos) -> StoreSummary {
        StoreSummary {
            end: Nanos::ZERO,
            events: Vec::new(),
            events_dropped: 0,
            lives: Vec::new(),
            lives_dropped: 0,
            shutdowns: 0,
            refreshes: 0,
            refreshed: 0,
            away: Nanos::ZERO,
            clients: Ledger::default(),
            inbound: Ledger::default(),
            outbound: Ledger::default(),
            in_bad: 0,
            in_archive: 0,
            most_in_use: 0,
            most_outbound: 0,
            samples: Samples::new(sample_every),
        }
    }

    pub(super) fn write(&mut self, at: Nanos, what: What) {
        match what {
            What::MovedToBad(_) => self.in_bad += 1,
            What::MovedToArchive(_) => self.in_archive += 1,
            What::ConnectionLost => self.refreshes += 1,
            What::Refreshed => self.refreshed += 1,
            _ => {}
        }
        if self.events.len() < KEPT {
            self.events.push(Entry { at, what });
        } else {
            self.events_dropped += 1;
        }
    }

    pub(super) fn life_begins(&mut self, started: Nanos) {
        if self.lives.len() < KEPT {
            self.lives.push(Life { started, stopped: None });
        } else {
            self.lives_dropped += 1;
        }
    }

    pub(super) fn life_ends(&mut self, at: Nanos, ending: Ending) {
        self.shutdowns += 1;
        if self.lives_dropped == 0
            && let Some(life) = self.lives.last_mut()
        {
            life.stopped = Some((at, ending));
        }
    }

    /// Remembers the extremes of this moment.
    pub(super) fn look(&mut self, now: Load) {
        self.most_in_use = self.most_in_use.max(now.in_use);
        self.most_outbound = self.most_outbound.max(now.outbound);
    }
}
