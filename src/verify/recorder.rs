//! What one replication remembers for a proof: exact moments, tail counts and time averages after the deleted start.
//!
//! Not `metrics`, which serves reports and keeps histograms. An observer of virtual time. Called by `replicate`, read by
//! `figures`.

use std::any::Any;

use crate::engine::observer::Observer;
use crate::item::Outcome;
use crate::time::Nanos;
use crate::workload::{Item, JourneyEnd};

/// What is to be remembered.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Nothing before this counts.
    pub from: Nanos,
    /// Threads of the pool.
    pub servers: u32,
    /// Of each class: times t, ascending, for which waits longer than t are counted.
    pub thresholds: Vec<Vec<Nanos>>,
    /// Of how many first items the waits are kept one by one.
    pub first: usize,
}

/// One class after the deleted start. Times are in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct ClassRecord {
    /// Items taken in, and refused.
    pub admitted: u64,
    /// Items that found no room.
    pub refused: u64,
    /// Items that began their service, and their waits.
    pub started: Waits,
    /// Items whose clients gave up, and their waits.
    pub gave_up: Waits,
    /// Items served.
    pub served: u64,
    /// Of those, the times from arrival to end.
    pub sojourn_ns: u128,
    /// Started items by wait: `bins[i]` waited longer than threshold `i - 1` and not longer than threshold `i`.
    bins: Vec<u64>,
    /// Time-integrals of the waiting items, the busy threads, and their square.
    pub waiting_ns: u128,
    /// See `waiting_ns`.
    pub busy_ns: u128,
    /// See `waiting_ns`.
    pub busy_squared_ns: u128,
    /// Time in which an item of the class waited although a thread was idle.
    pub idle_while_waiting_ns: u128,
    waiting: u64,
    busy: u64,
}

/// Waits of some items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// How many items.
    pub count: u64,
    /// How many of them waited at all.
    pub positive: u64,
    /// Sum, in nanoseconds.
    pub sum_ns: u128,
    /// Sum of squares, in seconds squared.
    pub squares: f64,
}

impl Waits {
    fn add(&mut self, wait: Nanos) {
        self.count += 1;
        self.positive += u64::from(wait > Nanos::ZERO);
        self.sum_ns += u128::from(wait.0);
        self.squares += wait.as_secs_f64() * wait.as_secs_f64();
    }
}

impl ClassRecord {
    /// How many started items waited longer than threshold `at`.
    #[must_use]
    pub fn longer_than(&self, at: usize) -> u64 {
        self.bins[at + 1..].iter().sum()
    }
}

/// One replication.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    watch: Watch,
    /// The classes.
    pub classes: Vec<ClassRecord>,
    /// Time in which every thread was busy.
    pub all_busy_ns: u128,
    /// Journeys that ended served, and the sum of their times from begin to end.
    pub journeys: (u64, u128),
    /// Waits of the first items in order of arrival, as far as they began.
    pub first_waits: Vec<Option<Nanos>>,
    /// Length of what was recorded.
    pub span: Nanos,
    at: Nanos,
    open: bool,
}

impl Recorder {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(watch: Watch) -> Recorder {
        let class = |thresholds: &Vec<Nanos>| ClassRecord { bins: vec![0; thresholds.len() + 1], ..Default::default() };
        let classes = watch.thresholds.iter().map(class).collect();
        Recorder { first_waits: vec![None; watch.first], classes, watch, ..Recorder::default() }
    }

    /// Ends the recording.
    pub fn close(&mut self, end: Nanos) {
        self.settle(end);
        self.span = end.since(self.watch.from);
    }

    /// Adds up what lasted until `now`.
    fn settle(&mut self, now: Nanos) {
        if !self.open {
            if now < self.watch.from {
                return;
            }
            self.open = true;
            self.at = self.watch.from;
        }
        if now <= self.at {
            return;
        }
        let span = u128::from(now.since(self.at).0);
        self.at = now;
        let busy: u64 = self.classes.iter().map(|class| class.busy).sum();
        let all_busy = busy >= u64::from(self.watch.servers);
        if all_busy {
            self.all_busy_ns += span;
        }
        for class in &mut self.classes {
            class.waiting_ns += u128::from(class.waiting) * span;
            class.busy_ns += u128::from(class.busy) * span;
            class.busy_squared_ns += u128::from(class.busy * class.busy) * span;
            if class.waiting > 0 && !all_busy {
                class.idle_while_waiting_ns += span;
            }
        }
    }
}

impl Observer for Recorder {
    fn arrived(&mut self, item: &Item, now: Nanos) {
        self.settle(now);
        let class = &mut self.classes[item.class.index()];
        class.waiting += 1;
        class.admitted += u64::from(self.open);
    }

    fn refused(&mut self, item: &Item, now: Nanos) {
        self.settle(now);
        self.classes[item.class.index()].refused += u64::from(self.open);
    }

    fn gave_up(&mut self, item: &Item, now: Nanos) {
        self.settle(now);
        let class = &mut self.classes[item.class.index()];
        class.waiting -= 1;
        if self.open {
            class.gave_up.add(now.since(item.due));
        }
    }

    fn started(&mut self, item: &Item, now: Nanos) {
        self.settle(now);
        let wait = now.since(item.due);
        let class = &mut self.classes[item.class.index()];
        class.waiting -= 1;
        class.busy += 1;
        if let Some(first) = self.first_waits.get_mut(item.number as usize) {
            *first = Some(wait);
        }
        if self.open {
            class.started.add(wait);
            let bin = self.watch.thresholds[item.class.index()].iter().take_while(|t| wait > **t).count();
            class.bins[bin] += 1;
        }
    }

    fn finished(&mut self, item: &Item, outcome: Outcome, now: Nanos) {
        self.settle(now);
        let class = &mut self.classes[item.class.index()];
        class.busy -= 1;
        if self.open && outcome == Outcome::Served {
            class.served += 1;
            class.sojourn_ns += u128::from(now.since(item.due).0);
        }
    }

    fn journey_ended(&mut self, end: &JourneyEnd, now: Nanos) {
        if self.open && end.completed {
            self.journeys.0 += 1;
            self.journeys.1 += u128::from(now.since(end.began).0);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
