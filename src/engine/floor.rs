//! The floor on which both engines work: the load of a run, its clients' patience and its memory.
//!
//! It knows what an item is asked for and what follows; it does not know when a thread is done nor which items wait (the
//! engine says so), nor who gets a thread (the policy says so). Called by `virtual_time` and `crowd` alone.

mod hosted;
mod writes;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use self::writes::Writes;
use super::EngineError;
use super::hosting::{Hosting, Place};
use super::observer::Observer;
use crate::ids::ClassId;
use crate::item::Outcome;
use crate::metrics::failover::FailoverSummary;
use crate::metrics::intervals::Keep;
use crate::metrics::limits::WriteFigures;
use crate::metrics::{Metrics, Summary};
use crate::models::cluster::Stimulus;
use crate::plan::Plan;
use crate::time::Nanos;
use crate::workload::{PackedItem, Work, Workload};

/// Fewer timers than this are never looked through for stale ones.
const TIMERS_LEAST: usize = 65_536;

/// Something whose time has come. `N` is the engine's name of a waiting item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due<N> {
    /// This item is to be submitted.
    Submit(PackedItem),
    /// The client of this waiting item gives up.
    GiveUp(N),
}

/// See the module's head. Where a method takes an item and a class, the class is the item's.
#[derive(Debug)]
pub(super) struct Floor<N> {
    workload: Workload,
    metrics: Metrics,
    /// When clients give up; entries whose item no longer waits are skipped.
    patience: BinaryHeap<Reverse<(Nanos, N)>>,
    /// With more timers than this, the stale ones are thrown out.
    timers_most: usize,
    observer: Option<Box<dyn Observer>>,
    /// Where a cluster has its services; `None` on a single server.
    hosting: Option<Box<Hosting>>,
    /// What a front-end has sent.
    writes: Option<Box<Writes>>,
}

impl<N: Ord + Copy> Floor<N> {
    pub(super) fn new(plan: &Plan, intervals: Keep) -> Result<Floor<N>, EngineError> {
        let workload = Workload::new(Arc::clone(&plan.load), plan.seed, plan.duration).map_err(EngineError::Load)?;
        Ok(Floor {
            workload,
            metrics: Metrics::new(plan.classes.len(), plan.load.sources.len(), plan.starvation_after, plan.duration)
                .after_warmup(plan.warmup.length())
                .keep_intervals(intervals),
            patience: BinaryHeap::new(),
            timers_most: TIMERS_LEAST,
            observer: None,
            hosting: Hosting::new(plan).map(Box::new),
            writes: Writes::of(plan),
        })
    }

    /// Somebody has a hand on the run: also a single server's services may go offline.
    pub(super) fn put_under_a_hand(&mut self, plan: &Plan) {
        if self.hosting.is_none() {
            self.hosting = Some(Box::new(Hosting::of_server(plan)));
        }
    }

    /// From `now` on, open sources come `factor` times as often as the scenario says.
    pub(super) fn set_load(&mut self, factor: f64, now: Nanos) {
        self.workload.set_load(factor, now);
    }

    /// From now on somebody is told of every item; `None` for nobody. The answer is who was told before.
    pub(super) fn observe(&mut self, observer: Option<Box<dyn Observer>>) -> Option<Box<dyn Observer>> {
        std::mem::replace(&mut self.observer, observer)
    }

    /// When the next thing is due; [`Nanos::MAX`] where nothing will be.
    #[inline(always)]
    pub(super) fn next_due(&self) -> Nanos {
        let due = match self.patience.peek() {
            None => self.workload.next_due(),
            Some(Reverse((at, _))) => self.workload.next_due().min(*at),
        };
        match &self.hosting {
            None => due,
            Some(hosting) => due.min(hosting.next_deadline()),
        }
    }

    /// The next thing that is due at `now` or before. At equal times, the cluster comes before clients that give up, and
    /// these before new items. What the cluster decides is for [`Floor::pop_effect`].
    #[inline(always)]
    pub(super) fn pop_due(&mut self, now: Nanos, waits: impl Fn(N) -> bool) -> Option<Due<N>> {
        if let Some(hosting) = &mut self.hosting
            && hosting.next_deadline() <= now
        {
            hosting.tell(now, Stimulus::Time);
            return None;
        }
        if !self.patience.is_empty()
            && let Some(name) = self.pop_impatient(now, waits)
        {
            return Some(Due::GiveUp(name));
        }
        self.workload.pop_due(now).map(Due::Submit)
    }

    fn pop_impatient(&mut self, now: Nanos, waits: impl Fn(N) -> bool) -> Option<N> {
        let arrival = self.workload.next_due();
        if self.patience.len() > self.timers_most {
            self.patience.retain(|Reverse((_, name))| waits(*name));
            self.timers_most = TIMERS_LEAST.max(2 * self.patience.len());
        }
        while let Some(Reverse((at, name))) = self.patience.peek().copied() {
            if at > now || arrival < at {
                break;
            }
            self.patience.pop();
            if waits(name) {
                return Some(name);
            }
        }
        None
    }

    /// The policy took the item in. `name` is what [`Due::GiveUp`] will say of it.
    #[inline(always)]
    pub(super) fn queued(&mut self, class: ClassId, item: &PackedItem, name: N, now: Nanos) {
        self.metrics.arrived(class, item.due, now);
        if self.observer.is_some() {
            self.tell(&item.item(class), |observer, item| observer.arrived(item, now));
        }
        if let Some(at) = self.workload.gives_up_at(item) {
            self.patience.push(Reverse((at, name)));
        }
    }

    /// The policy had no room for the item.
    pub(super) fn refused(&mut self, item: &PackedItem, now: Nanos) {
        self.turned_away(item, Outcome::Refused, now);
    }

    fn turned_away(&mut self, item: &PackedItem, outcome: Outcome, now: Nanos) {
        let class = self.class(item);
        self.metrics.turned_away(class, item.due, outcome, now);
        if self.observer.is_some() {
            self.tell(&item.item(class), |observer, item| observer.refused(item, now));
        }
        self.end(item, outcome, now);
    }

    /// The client has given up, and the policy has let the item go. `oldest` is the due time of the oldest item of its
    /// class that still waits.
    pub(super) fn gave_up(&mut self, item: &PackedItem, oldest: Option<Nanos>, now: Nanos) {
        self.left(item, oldest, Outcome::GaveUp, now);
    }

    fn left(&mut self, item: &PackedItem, oldest: Option<Nanos>, outcome: Outcome, now: Nanos) {
        let class = self.class(item);
        self.metrics.left(class, item.due, oldest, outcome, now);
        if self.observer.is_some() {
            self.tell(&item.item(class), |observer, item| observer.gave_up(item, now));
        }
        self.end(item, outcome, now);
    }

    /// A thread begins the item. `oldest`: see [`Floor::gave_up`].
    #[inline(always)]
    pub(super) fn started(&mut self, class: ClassId, item: &PackedItem, oldest: Option<Nanos>, now: Nanos) {
        self.metrics.started(class, item.due, oldest, now);
        if let Some(hosting) = &mut self.hosting {
            hosting.started(class);
        }
        if self.observer.is_some() {
            self.tell(&item.item(class), |observer, item| observer.started(item, now));
        }
    }

    /// How many phases the item's service has.
    #[inline(always)]
    pub(super) fn phases(&self, item: &PackedItem) -> u32 {
        self.workload.phases(item)
    }

    /// What the thread does in phase `phase` of the item, which begins at `at`.
    #[inline(always)]
    pub(super) fn work(&self, item: &PackedItem, phase: u32, at: Nanos) -> Option<Work> {
        self.workload.work(item, phase, at)
    }

    /// Whether the item's handler panics at the end of its service, which began at `started`.
    #[inline(always)]
    pub(super) fn panics(&self, item: &PackedItem, started: Nanos) -> bool {
        self.workload.panics(item, started)
    }

    /// A thread is done with the item, which it began at `started`. The answer is an item that is due at once.
    #[inline(always)]
    pub(super) fn finished(
        &mut self,
        class: ClassId,
        item: &PackedItem,
        started: Nanos,
        outcome: Outcome,
        now: Nanos,
    ) -> Option<PackedItem> {
        if self.hosting.is_some() {
            return self.finished_on_a_node(class, item, started, outcome, now);
        }
        self.done(class, item, started, outcome, now);
        self.end(item, outcome, now)
    }

    #[inline(always)]
    fn done(&mut self, class: ClassId, item: &PackedItem, started: Nanos, outcome: Outcome, now: Nanos) {
        self.metrics.finished(class, item.due, started, outcome, now);
        if self.writes.is_some() {
            self.count_writes(class, item, outcome, now);
        }
        if self.observer.is_some() {
            self.tell(&item.item(class), |observer, item| observer.finished(item, outcome, now));
        }
    }

    fn count_writes(&mut self, class: ClassId, item: &PackedItem, outcome: Outcome, now: Nanos) {
        let bytes = self.workload.response(item).filter(|_| outcome == Outcome::Served);
        if let (Some(writes), Some(bytes)) = (&mut self.writes, bytes) {
            writes.served(class, bytes, item.due, now);
        }
    }

    /// What a front-end has sent until `end`, once.
    pub(super) fn take_writes(&mut self, end: Nanos) -> Option<Vec<WriteFigures>> {
        self.writes.take().map(|writes| writes.close(end))
    }

    /// The class of an item.
    #[inline(always)]
    pub(super) fn class(&self, item: &PackedItem) -> ClassId {
        self.workload.class(item)
    }

    /// How many items of a class wait.
    pub(super) fn waiting(&self, class: ClassId) -> u64 {
        self.metrics.waiting(class)
    }

    /// An item came, and nobody got round to submitting it before the run's end.
    pub(super) fn unreleased(&mut self, class: ClassId, due: Nanos, end: Nanos) {
        self.metrics.arrived(class, due, end);
    }

    /// Out of line, because there is an observer in proofs only.
    #[cold]
    #[inline(never)]
    fn tell<T>(&mut self, what: &T, tell: impl FnOnce(&mut dyn Observer, &T)) {
        if let Some(observer) = &mut self.observer {
            tell(observer.as_mut(), what);
        }
    }

    /// How many threads exist.
    pub(super) fn live_threads(&mut self, live: u32, now: Nanos) {
        self.metrics.live_threads(live, now);
    }

    /// Ends the run: nothing is remembered after this. For `waiting` and `in_service` see [`Metrics::close`].
    pub(super) fn close(
        &mut self,
        plan: &Plan,
        end: Nanos,
        waiting: impl IntoIterator<Item = (ClassId, Nanos)>,
        in_service: impl IntoIterator<Item = (ClassId, Nanos, Nanos)>,
    ) -> (Summary, Option<FailoverSummary>) {
        let empty = Metrics::new(0, 0, plan.starvation_after, plan.duration);
        let hosting = self.hosting.take();
        let kept = hosting.iter().flat_map(|hosting| hosting.kept()).collect::<Vec<_>>();
        let waiting = waiting.into_iter().chain(kept);
        let summary = std::mem::replace(&mut self.metrics, empty).close(end, waiting, in_service);
        (summary, hosting.map(|hosting| hosting.close_books(end)))
    }

    /// Rows of logs used and skipped so far.
    pub(super) fn trace_lines(&self) -> Vec<String> {
        self.workload.trace_lines()
    }

    #[inline(always)]
    fn end(&mut self, item: &PackedItem, outcome: Outcome, now: Nanos) -> Option<PackedItem> {
        let after = self.workload.after(item, outcome, now);
        if let Some(end) = after.ended {
            self.metrics.journey_ended(end, now);
            if self.observer.is_some() {
                self.tell(&end, |observer, end| observer.journey_ended(end, now));
            }
        }
        after.next
    }
}
