//! Memory of the SMTP service's domain table (KB 910932): mail to many distinct domains makes entries that stay.
//!
//! [`DomainMemory`] is a state machine around a real [`DomainTable`]: it is told which messages came and left and answers
//! with effects and with the next moment at which it wants to be told the time. The table holds real entries; the memory of
//! the emulated server is an account beside it (`spec` says how much an entry takes there). Not a pool, not a load, not a
//! link: who the messages are for and when they leave is told. `engine::limits` drives it, carries out the effects and
//! takes care that messages leave.
//!
//! An entry lives while it has messages (and `dies_after` beyond that), then it is dead. Dead entries stay until the service
//! restarts, or, where the software knows `ZombieDomainEntryThreshold` and it is set, until so many of them are dead.

pub mod memory;
pub mod spec;
pub mod table;

use std::collections::VecDeque;
use std::sync::Arc;

pub use memory::{Counters, DomainTableSummary, What};
pub use table::{DomainTable, EntryId, Put};

use self::spec::{DomainTableSpec, Freed, PlannedRestarts, Sweep, WhenGone};
use crate::time::Nanos;

/// What the model is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus<'a> {
    /// The time has come, and no more than that: whatever is due by now is done.
    Time,
    /// Messages to a domain are to be put on its queue.
    Queued {
        /// Whose; case does not matter.
        domain: &'a str,
        /// How many.
        messages: u32,
    },
    /// Messages have left a queue, whether they were delivered or given up.
    Sent {
        /// From which entry.
        entry: EntryId,
        /// How many; no more than are there.
        messages: u32,
    },
}

/// Why messages are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Their domain needs an entry, and memory is gone.
    NoMemory,
    /// The service is away.
    Away,
    /// The name is empty or too long.
    Name,
}

/// What is to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The messages are on the queue of this entry.
    Accepted {
        /// Which.
        entry: EntryId,
        /// Whether it is a new one.
        put: Put,
        /// How many.
        messages: u32,
    },
    /// The messages were not taken.
    Refused {
        /// How many.
        messages: u32,
        /// Why.
        why: Why,
    },
    /// The service goes away: nothing is queued until it starts. Messages keep their queues; nothing is to be sent.
    ServiceStops,
    /// The service is there again.
    ServiceStarts,
}

/// See the module's head.
#[derive(Debug)]
pub struct DomainMemory {
    spec: Arc<DomainTableSpec>,
    threshold: Option<usize>,
    now: Nanos,
    table: DomainTable,
    /// Entries that die unless messages come: when, which, and what `uses_of` it was. In order of time.
    dying: VecDeque<(Nanos, EntryId, u32)>,
    /// The most entries since the service started.
    peak: u64,
    /// When the service is there again; `None` while it is.
    back_at: Option<Nanos>,
    next_planned: Nanos,
    next_sweep: Nanos,
    is_gone: bool,
    memory: DomainTableSummary,
}

impl DomainMemory {
    /// A service that runs and has an empty table.
    #[must_use]
    pub fn new(spec: Arc<DomainTableSpec>) -> DomainMemory {
        let own = &spec.assumptions;
        assert!(own.entry_bytes > 0, "an entry takes memory");
        let threshold = spec.threshold().map(|threshold| threshold as usize);
        let next_sweep = match own.sweep {
            Sweep::Every(every) if threshold.is_some() => every,
            _ => Nanos::MAX,
        };
        let nothing = Counters { available_bytes: 0, working_set_bytes: 0, live: 0, dead: 0, queued: 0 };
        let mut model = DomainMemory {
            threshold,
            now: Nanos::ZERO,
            table: DomainTable::default(),
            dying: VecDeque::new(),
            peak: 0,
            back_at: None,
            next_planned: spec.planned_restarts.map_or(Nanos::MAX, |plan| plan.first),
            next_sweep,
            is_gone: false,
            memory: DomainTableSummary::new(own.sample_every, nothing),
            spec,
        };
        model.memory.least_available_bytes = model.counters().available_bytes;
        model
    }

    /// When the model wants to be told the time; [`Nanos::MAX`] for never.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        let dies = self.dying.front().map_or(Nanos::MAX, |(at, ..)| *at);
        let is_back = self.back_at.unwrap_or(Nanos::MAX);
        dies.min(is_back).min(self.next_planned).min(self.next_sweep).min(self.memory.samples.next_at())
    }

    /// Tells what has happened at `now`, which never goes back. What is to be carried out is added to `effects`, in order.
    pub fn tell(&mut self, now: Nanos, what: Stimulus<'_>, effects: &mut Vec<Effect>) {
        assert!(now >= self.now, "time goes back");
        self.now = now;
        match what {
            Stimulus::Time => self.time(effects),
            Stimulus::Queued { domain, messages } => self.queue(domain, messages, effects),
            Stimulus::Sent { entry, messages } => self.sent(entry, messages),
        }
        let counters = self.counters();
        self.memory.look(counters);
        if what == Stimulus::Time && self.memory.samples.next_at() <= now {
            self.memory.samples.take(now, counters);
        }
    }

    /// The counters as they are now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let working_set = if self.back_at.is_some() { 0 } else { self.working_set(self.table.len() as u64) };
        let taken = self.spec.assumptions.others_bytes.saturating_add(working_set);
        Counters {
            available_bytes: self.spec.memory_bytes.saturating_sub(taken),
            working_set_bytes: working_set,
            live: self.table.live() as u64,
            dead: self.table.dead() as u64,
            queued: self.table.queued(),
        }
    }

    /// The table, to be looked at.
    #[must_use]
    pub fn table(&self) -> &DomainTable {
        &self.table
    }

    /// Ends the emulation: everything that was remembered.
    #[must_use]
    pub fn close_books(mut self, end: Nanos) -> DomainTableSummary {
        self.now = self.now.max(end);
        if let Some(back_at) = self.back_at {
            // What was counted when it went away is more than the run has.
            self.memory.away = self.memory.away - back_at.since(self.now);
        }
        self.memory.end = self.now;
        self.memory.at_the_end = self.counters();
        self.memory
    }

    /// What the service takes with so many entries.
    fn working_set(&self, entries: u64) -> u64 {
        let own = &self.spec.assumptions;
        let held = match own.freed {
            Freed::ToTheSystem => entries,
            Freed::StaysInTheProcess => entries.max(self.peak),
        };
        own.base_working_set_bytes.saturating_add(held.saturating_mul(own.entry_bytes))
    }

    /// Whether there is memory for one entry more.
    fn has_room(&self) -> bool {
        let own = &self.spec.assumptions;
        let wanted = self.working_set(self.table.len() as u64 + 1);
        let taken = own.others_bytes.saturating_add(wanted).saturating_add(own.gone_below_bytes);
        taken <= self.spec.memory_bytes
    }

    fn time(&mut self, effects: &mut Vec<Effect>) {
        while let Some((_, id, uses)) = self.dying.front().copied().filter(|(at, ..)| *at <= self.now) {
            self.dying.pop_front();
            if self.table.uses_of(id) == uses {
                self.bury(id);
            }
        }
        if self.next_sweep <= self.now {
            if let Sweep::Every(every) = self.spec.assumptions.sweep {
                self.next_sweep = next_after(self.now, self.next_sweep, every);
            }
            self.sweep_if_wanted();
        }
        if self.back_at.is_some_and(|at| at <= self.now) {
            self.back_at = None;
            self.memory.write(self.now, What::Starts);
            effects.push(Effect::ServiceStarts);
        }
        if self.next_planned <= self.now {
            let every = self.spec.planned_restarts.map_or(Nanos::MAX, |PlannedRestarts { every, .. }| every);
            self.next_planned = next_after(self.now, self.next_planned, every);
            // One that is away anyway is not restarted.
            if self.back_at.is_none() {
                self.memory.planned_restarts += 1;
                self.restart(true, effects);
            }
        }
    }

    fn queue(&mut self, domain: &str, messages: u32, effects: &mut Vec<Effect>) {
        let count = u64::from(messages);
        self.memory.messages += count;
        let refused = |why| Effect::Refused { messages, why };
        if self.back_at.is_some() {
            self.memory.refused_away += count;
            effects.push(refused(Why::Away));
            return;
        }
        if !DomainTable::is_name(domain) {
            self.memory.refused_name += count;
            effects.push(refused(Why::Name));
            return;
        }
        if !self.has_room() && self.table.find(domain).is_none() {
            self.memory.refused_no_memory += count;
            effects.push(refused(Why::NoMemory));
            self.gone(effects);
            return;
        }
        let (entry, put) = self.table.enqueue(domain, messages).expect("the name is one");
        match put {
            Put::Created => self.memory.created += 1,
            Put::Revived => self.memory.revived += 1,
            Put::Found => self.memory.found += 1,
        }
        self.peak = self.peak.max(self.table.len() as u64);
        effects.push(Effect::Accepted { entry, put, messages });
        if messages == 0 {
            self.is_idle(entry);
        }
    }

    fn sent(&mut self, entry: EntryId, messages: u32) {
        self.memory.sent += u64::from(messages);
        if self.table.dequeue(entry, messages) == 0 && messages > 0 {
            self.is_idle(entry);
        }
    }

    /// An entry has no messages (any more).
    fn is_idle(&mut self, entry: EntryId) {
        let dies_after = self.spec.assumptions.dies_after;
        if self.table.queued_of(entry) > 0 || dies_after == Nanos::MAX {
        } else if dies_after == Nanos::ZERO {
            self.bury(entry);
        } else {
            self.dying.push_back((self.now + dies_after, entry, self.table.uses_of(entry)));
        }
    }

    fn bury(&mut self, entry: EntryId) {
        self.table.bury(entry);
        if self.spec.assumptions.sweep == Sweep::AtOnce {
            // The counters have a moment in which all of them are there.
            let counters = self.counters();
            self.memory.look(counters);
            self.sweep_if_wanted();
        }
    }

    fn sweep_if_wanted(&mut self) {
        if self.threshold.is_some_and(|threshold| self.table.dead() >= threshold) && self.table.dead() > 0 {
            let swept = self.table.sweep() as u64;
            self.memory.sweeps += 1;
            self.memory.swept += swept;
            self.memory.write(self.now, What::Swept(swept));
            self.is_gone &= !self.has_room();
        }
    }

    /// Memory is gone.
    fn gone(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_gone {
            self.is_gone = true;
            self.memory.times_gone += 1;
            self.memory.memory_gone_at.get_or_insert(self.now);
            self.memory.write(self.now, What::MemoryGone);
        }
        if self.spec.assumptions.when_gone == WhenGone::Restarts {
            self.memory.forced_restarts += 1;
            self.restart(false, effects);
        }
    }

    /// The service goes away and comes again; what has messages is made again from the disk.
    fn restart(&mut self, planned: bool, effects: &mut Vec<Effect>) {
        let takes = self.spec.assumptions.restart_takes;
        let forgotten = self.table.keep_only_queued() as u64;
        self.dying.clear();
        self.peak = self.table.len() as u64;
        self.is_gone = false;
        self.memory.forgotten += forgotten;
        self.memory.away += takes;
        self.memory.write(self.now, What::Stops { forgotten, planned });
        effects.push(Effect::ServiceStops);
        if takes == Nanos::ZERO {
            self.memory.write(self.now, What::Starts);
            effects.push(Effect::ServiceStarts);
        } else {
            self.back_at = Some(self.now + takes);
        }
    }
}

/// The first moment of `begin`, `begin + every`, ... that is after `now`.
fn next_after(now: Nanos, begin: Nanos, every: Nanos) -> Nanos {
    if every == Nanos::ZERO {
        return Nanos::MAX;
    }
    begin + every * (now.since(begin).0 / every.0 + 1)
}
