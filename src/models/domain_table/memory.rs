//! What the model of the domain table remembers of a run: counters over time, its log, and sums.
//!
//! Every list has a bound; what is beyond it is counted. No format. Written by the model, to be read by reports.

use crate::models::samples::Samples;
use crate::time::Nanos;

/// Entries of the log that are kept.
pub const KEPT: usize = 10_000;

/// The counters, in one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// `Memory\Available Bytes`. ATQ: KB 910932: it falls.
    pub available_bytes: u64,
    /// `Process(inetinfo)\Working Set`; 0 while the service is away. ATQ: KB 910932: it rises.
    pub working_set_bytes: u64,
    /// Entries in use.
    pub live: u64,
    /// Entries with no more use.
    pub dead: u64,
    /// Messages on all queues.
    pub queued: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// So many dead entries were swept.
    Swept(u64),
    /// There is no memory for one entry more.
    MemoryGone,
    /// The service goes away, and so many entries with it.
    Stops {
        /// Entries that were forgotten.
        forgotten: u64,
        /// It was on the plan, and not for want of memory.
        planned: bool,
    },
    /// The service is there again.
    Starts,
}

/// Everything that the model remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainTableSummary {
    /// The end of the run.
    pub end: Nanos,
    /// The counters over time.
    pub samples: Samples<Counters>,
    /// The counters at the end.
    pub at_the_end: Counters,
    /// The first entries of the log, in order of time.
    pub log: Vec<(Nanos, What)>,
    /// How many more there were.
    pub log_dropped: u64,
    /// When memory was gone for the first time.
    pub memory_gone_at: Option<Nanos>,
    /// How often memory was gone.
    pub times_gone: u64,
    /// Entries that were made.
    pub created: u64,
    /// Messages came for an entry that was dead.
    pub revived: u64,
    /// Messages came for an entry that was live.
    pub found: u64,
    /// Sweeps, and the entries that they took.
    pub sweeps: u64,
    /// See `sweeps`.
    pub swept: u64,
    /// Restarts on the plan.
    pub planned_restarts: u64,
    /// Restarts for want of memory.
    pub forced_restarts: u64,
    /// Entries that restarts forgot.
    pub forgotten: u64,
    /// How long the service was away.
    pub away: Nanos,
    /// Messages that came.
    pub messages: u64,
    /// Messages that left.
    pub sent: u64,
    /// Messages that were refused because memory was gone.
    pub refused_no_memory: u64,
    /// Messages that were refused because the service was away.
    pub refused_away: u64,
    /// Messages that were refused because their domain's name was none.
    pub refused_name: u64,
    /// The most entries that there were.
    pub most_entries: u64,
    /// The most dead entries that there were.
    pub most_dead: u64,
    /// The fewest bytes that were available.
    pub least_available_bytes: u64,
}

impl DomainTableSummary {
    /// Messages that were refused, for whatever reason.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused_no_memory + self.refused_away + self.refused_name
    }

    /// Every message is on a queue, sent or refused, and every entry there, swept or forgotten.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let refused = self.refused();
        let entries = self.at_the_end.live + self.at_the_end.dead;
        self.messages == self.at_the_end.queued + self.sent + refused
            && self.created == entries + self.swept + self.forgotten
    }

    pub(super) fn new(sample_every: Nanos, now: Counters) -> DomainTableSummary {
        DomainTableSummary {
            end: Nanos::ZERO,
            samples: Samples::new(sample_every),
            at_the_end: now,
            log: Vec::new(),
            log_dropped: 0,
            memory_gone_at: None,
            times_gone: 0,
            created: 0,
            revived: 0,
            found: 0,
            sweeps: 0,
            swept: 0,
            planned_restarts: 0,
            forced_restarts: 0,
            forgotten: 0,
            away: Nanos::ZERO,
            messages: 0,
            sent: 0,
            refused_no_memory: 0,
            refused_away: 0,
            refused_name: 0,
            most_entries: 0,
            most_dead: 0,
            least_available_bytes: now.available_bytes,
        }
    }

    pub(super) fn write(&mut self, now: Nanos, what: What) {
        if self.log.len() < KEPT {
            self.log.push((now, what));
        } else {
            self.log_dropped += 1;
        }
    }

    /// Remembers the extremes of this moment.
    pub(super) fn look(&mut self, now: Counters) {
        self.most_entries = self.most_entries.max(now.live + now.dead);
        self.most_dead = self.most_dead.max(now.dead);
        self.least_available_bytes = self.least_available_bytes.min(now.available_bytes);
    }
}
