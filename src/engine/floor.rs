//! The floor on which both engines work: the items of a run, their load, their time-outs and their memory.
//!
//! It knows what an item is asked for and what follows; it does not know when a thread is done (the engine says so) nor
//! who gets one (the policy says so). Called by `threaded`, `virtual_time` and `twin` alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::EngineError;
use super::observer::Observer;
use crate::ids::ClassId;
use crate::item::Outcome;
use crate::metrics::{Metrics, Summary, Waiting};
use crate::plan::Plan;
use crate::policy::dispatch::Ticket;
use crate::time::Nanos;
use crate::workload::{Item, Work, Workload};

/// The most items that are counted after the end. More are left only by a flood that no host could release.
const UNRELEASED_MOST: u32 = 1_000_000;

/// Names an item on the floor. A key outlives its item: it then names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemKey {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
enum Place {
    Free,
    /// Made, and about to be submitted.
    Coming(Item),
    Waiting(Item, Waiting, Ticket),
    InService(Item, Nanos),
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    place: Place,
}

/// Something whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This item is to be submitted. Its due time is given for the measurement of lateness.
    Submit(ItemKey, ClassId, Nanos),
    /// The client of this waiting item gives up: its ticket is to be withdrawn.
    GiveUp(ItemKey, Ticket),
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Floor {
    workload: Workload,
    metrics: Metrics,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// When clients give up; entries whose item no longer waits are skipped.
    patience: BinaryHeap<Reverse<(Nanos, u64, ItemKey)>>,
    timers: u64,
    closed: bool,
    observer: Option<Box<dyn Observer>>,
}

impl Floor {
    pub(super) fn new(plan: &Plan) -> Result<Floor, EngineError> {
        let workload = Workload::new(Arc::clone(&plan.load), plan.seed, plan.duration).map_err(EngineError::Load)?;
        Ok(Floor {
            workload,
            metrics: Metrics::new(plan.classes.len(), plan.load.sources.len(), plan.starvation_after, plan.duration),
            slots: Vec::new(),
            free: Vec::new(),
            patience: BinaryHeap::new(),
            timers: 0,
            closed: false,
            observer: None,
        })
    }

    /// From now on somebody is told of every item; `None` for nobody. The answer is who was told before.
    pub(super) fn observe(&mut self, observer: Option<Box<dyn Observer>>) -> Option<Box<dyn Observer>> {
        std::mem::replace(&mut self.observer, observer)
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Option<Nanos> {
        let patience = self.patience.peek().map(|Reverse((at, ..))| *at);
        match (patience, self.workload.next_due()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The next thing that is due at `now` or before. At equal times, clients give up before new items come.
    pub(super) fn pop_due(&mut self, now: Nanos) -> Option<Due> {
        let arrival = self.workload.next_due();
        while let Some(Reverse((at, _, key))) = self.patience.peek().copied() {
            if at > now || arrival.is_some_and(|arrival| arrival < at) {
                break;
            }
            self.patience.pop();
            if let Some(Place::Waiting(_, _, ticket)) = self.place(key) {
                return Some(Due::GiveUp(key, *ticket));
            }
        }
        let item = self.workload.pop_due(now)?;
        Some(Due::Submit(self.admit(item), item.class, item.due))
    }

    /// Gives a place to an item that is about to be submitted.
    pub(super) fn admit(&mut self, item: Item) -> ItemKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, place: Place::Free });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 items at once")
        });
        let state = &mut self.slots[slot as usize];
        state.place = Place::Coming(item);
        ItemKey { slot, generation: state.generation }
    }

    /// The policy took the item in.
    pub(super) fn queued(&mut self, key: ItemKey, ticket: Ticket, now: Nanos) {
        let Some(Place::Coming(item)) = self.place(key) else { return };
        let item = *item;
        let waiting = self.metrics.arrived(item.class, item.due, now);
        if let Some(observer) = &mut self.observer {
            observer.arrived(&item, now);
        }
        self.slots[key.slot as usize].place = Place::Waiting(item, waiting, ticket);
        if let Some(at) = self.workload.gives_up_at(&item) {
            self.timers += 1;
            self.patience.push(Reverse((at, self.timers, key)));
        }
    }

    /// The policy had no room for the item.
    pub(super) fn refused(&mut self, key: ItemKey, now: Nanos) {
        let Some(Place::Coming(item)) = self.place(key) else { return };
        let item = *item;
        self.metrics.refused(item.class, now);
        if let Some(observer) = &mut self.observer {
            observer.refused(&item, now);
        }
        self.end(key, &item, Outcome::Refused, now);
    }

    /// The client has given up, and the policy has let the item go.
    pub(super) fn gave_up(&mut self, key: ItemKey, now: Nanos) {
        let Some(Place::Waiting(item, waiting, _)) = self.place(key) else { return };
        let (item, waiting) = (*item, *waiting);
        self.metrics.gave_up(item.class, waiting, now);
        if let Some(observer) = &mut self.observer {
            observer.gave_up(&item, now);
        }
        self.end(key, &item, Outcome::GaveUp, now);
    }

    /// A thread begins the item. `false`: the run is over.
    pub(super) fn started(&mut self, key: ItemKey, now: Nanos) -> bool {
        if self.closed {
            return false;
        }
        let Some(Place::Waiting(item, waiting, _)) = self.place(key) else { return false };
        let (item, waiting) = (*item, *waiting);
        self.metrics.started(item.class, waiting, now);
        if let Some(observer) = &mut self.observer {
            observer.started(&item, now);
        }
        self.slots[key.slot as usize].place = Place::InService(item, now);
        true
    }

    /// What the thread does in phase `phase` of the item, which begins at `at`.
    pub(super) fn work(&self, key: ItemKey, phase: u32, at: Nanos) -> Option<Work> {
        match self.place(key) {
            Some(Place::InService(item, _)) => self.workload.work(item, phase, at),
            _ => None,
        }
    }

    /// Whether the item's handler panics at the end of its service.
    pub(super) fn panics(&self, key: ItemKey) -> bool {
        matches!(self.place(key), Some(Place::InService(item, started)) if self.workload.panics(item, *started))
    }

    /// A thread is done with the item. The answer is an item that is due at once.
    pub(super) fn finished(&mut self, key: ItemKey, outcome: Outcome, now: Nanos) -> Option<ItemKey> {
        if self.closed {
            return None;
        }
        let Some(Place::InService(item, started)) = self.place(key) else { return None };
        let (item, started) = (*item, *started);
        self.metrics.finished(item.class, started, outcome, now);
        if let Some(observer) = &mut self.observer {
            observer.finished(&item, outcome, now);
        }
        self.end(key, &item, outcome, now)
    }

    /// The item, wherever it is.
    pub(super) fn item(&self, key: ItemKey) -> Option<Item> {
        match self.place(key)? {
            Place::Coming(item) | Place::Waiting(item, ..) | Place::InService(item, _) => Some(*item),
            Place::Free => None,
        }
    }

    /// The class of an item that is about to be submitted.
    pub(super) fn class(&self, key: ItemKey) -> ClassId {
        match self.place(key) {
            Some(Place::Coming(item) | Place::Waiting(item, ..) | Place::InService(item, _)) => item.class,
            _ => unreachable!("the key names an item"),
        }
    }

    /// How many threads exist.
    pub(super) fn live_threads(&mut self, live: u32, now: Nanos) {
        self.metrics.live_threads(live, now);
    }

    /// Ends the run: nothing is remembered after this.
    pub(super) fn close(&mut self, plan: &Plan, end: Nanos) -> Summary {
        self.closed = true;
        self.count_unreleased(plan, end);
        let in_service: Vec<(ClassId, Nanos)> = self
            .slots
            .iter()
            .filter_map(|slot| match &slot.place {
                Place::InService(item, started) => Some((item.class, *started)),
                _ => None,
            })
            .collect();
        let empty = Metrics::new(0, 0, plan.starvation_after, plan.duration);
        std::mem::replace(&mut self.metrics, empty).close(end, &in_service)
    }

    /// Items that were due before the end, and that an injector on real threads did not get round to: the load said
    /// that they come, so they came, and waited where there was room.
    fn count_unreleased(&mut self, plan: &Plan, end: Nanos) {
        for _ in 0..UNRELEASED_MOST {
            match self.pop_due(Nanos(end.0.saturating_sub(1))) {
                Some(Due::Submit(_, class, due)) => {
                    let room = plan.classes[class.index()].rule.max_waiting as u64;
                    let waiting = |at| self.metrics.waiting(ClassId(at as u16));
                    let all: u64 = (0..plan.classes.len()).map(waiting).sum();
                    let shared = plan.pool.waiting_room.is_none_or(|room| all < room as u64);
                    if shared && self.metrics.waiting(class) < room {
                        self.metrics.arrived(class, due, end);
                    } else {
                        self.metrics.refused(class, end);
                    }
                }
                Some(Due::GiveUp(..)) => {}
                None => return,
            }
        }
    }

    /// Rows of logs used and skipped so far.
    pub(super) fn trace_lines(&self) -> Vec<String> {
        self.workload.trace_lines()
    }

    fn end(&mut self, key: ItemKey, item: &Item, outcome: Outcome, now: Nanos) -> Option<ItemKey> {
        let slot = &mut self.slots[key.slot as usize];
        slot.place = Place::Free;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        let after = self.workload.after(item, outcome, now);
        if let Some(end) = after.ended {
            self.metrics.journey_ended(end, now);
            if let Some(observer) = &mut self.observer {
                observer.journey_ended(&end, now);
            }
        }
        after.next.map(|next| self.admit(next))
    }

    fn place(&self, key: ItemKey) -> Option<&Place> {
        let slot = &self.slots[key.slot as usize];
        (slot.generation == key.generation).then_some(&slot.place)
    }
}
