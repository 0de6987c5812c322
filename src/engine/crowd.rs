//! The items of a run by key: which of them wait, and which are in service.
//!
//! Where events take time, as on real threads and in their twin, an item has left the policy's queue before it begins; so
//! these engines keep their items here, beside the policy, with the due times of those that wait. Not the load and not
//! the memory of the run, which are the floor's. Called by `threaded` and `twin`.

mod hosted;

use super::EngineError;
use super::floor::{self, Floor};
use super::observer::Observer;
use crate::ids::ClassId;
use crate::item::Outcome;
use crate::metrics::Summary;
use crate::metrics::backlog::Backlog;
use crate::metrics::failover::FailoverSummary;
use crate::metrics::intervals::Keep;
use crate::metrics::limits::WriteFigures;
use crate::plan::Plan;
use crate::policy::dispatch::Ticket;
use crate::time::Nanos;
use crate::workload::{Item, PackedItem, Work};

/// The most items that are counted after the end. More are left only by a flood that no host could release.
const UNRELEASED_MOST: u32 = 1_000_000;

/// Names an item in the crowd. A key outlives its item: it then names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemKey {
    slot: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Free,
    /// Made, and about to be submitted; with a due time in the past if it has been counted already.
    Coming(PackedItem, Counted),
    /// In the backlog at this position, and in the pool of this node.
    Waiting(PackedItem, u64, Ticket, Node),
    InService(PackedItem, Nanos, Node),
}

/// A node of a cluster, by its index; 0 for a single server.
type Node = u16;

/// Whether an item is in the figures already: it waited on the shared disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    No,
    Yes,
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
    /// The client of this waiting item gives up: its ticket is to be withdrawn from the pool of this node.
    GiveUp(ItemKey, Ticket, usize),
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Crowd {
    floor: Floor<ItemKey>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    backlogs: Vec<Backlog>,
    /// The last moment that was told: threads come to the lock in any order, and time never goes back.
    now: Nanos,
    closed: bool,
}

impl Crowd {
    pub(super) fn new(plan: &Plan, intervals: Keep) -> Result<Crowd, EngineError> {
        let backlogs = plan.classes.iter().map(|_| Backlog::default()).collect();
        Ok(Crowd {
            floor: Floor::new(plan, intervals)?,
            slots: Vec::new(),
            free: Vec::new(),
            backlogs,
            now: Nanos::ZERO,
            closed: false,
        })
    }

    /// Somebody has a hand on the run.
    pub(super) fn put_under_a_hand(&mut self, plan: &Plan) {
        self.floor.put_under_a_hand(plan);
    }

    /// From `now` on, open sources come `factor` times as often as the scenario says.
    pub(super) fn set_load(&mut self, factor: f64, now: Nanos) {
        let now = self.not_before(now);
        self.floor.set_load(factor, now);
    }

    /// From now on somebody is told of every item; `None` for nobody.
    pub(super) fn observe(&mut self, observer: Option<Box<dyn Observer>>) {
        self.floor.observe(observer);
    }

    /// The item, wherever it is.
    pub(super) fn item(&self, key: ItemKey) -> Option<Item> {
        match place(&self.slots, key)? {
            Place::Coming(item, _) | Place::Waiting(item, ..) | Place::InService(item, ..) => {
                Some(item.item(self.floor.class(item)))
            }
            Place::Free => None,
        }
    }

    /// When the next thing is due; [`Nanos::MAX`] where nothing will be.
    pub(super) fn next_due(&self) -> Nanos {
        self.floor.next_due()
    }

    /// The next thing that is due at `now` or before.
    pub(super) fn pop_due(&mut self, now: Nanos) -> Option<Due> {
        let slots = &self.slots;
        match self.floor.pop_due(now, |key| matches!(place(slots, key), Some(Place::Waiting(..))))? {
            floor::Due::Submit(item) => {
                let key = self.admit(item, Counted::No);
                Some(Due::Submit(key, self.floor.class(&item), item.due))
            }
            floor::Due::GiveUp(key) => match place(&self.slots, key) {
                Some(Place::Waiting(_, _, ticket, node)) => Some(Due::GiveUp(key, *ticket, usize::from(*node))),
                _ => unreachable!("the item waits"),
            },
        }
    }

    /// Gives a key to an item that is about to be submitted.
    fn admit(&mut self, item: PackedItem, counted: Counted) -> ItemKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, place: Place::Free });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 items at once")
        });
        let state = &mut self.slots[slot as usize];
        state.place = Place::Coming(item, counted);
        ItemKey { slot, generation: state.generation }
    }

    /// The node to whose pool the item is to be submitted. `None`: it has been dealt with, because its service is offline.
    pub(super) fn place(&mut self, key: ItemKey, now: Nanos) -> Option<usize> {
        let now = self.not_before(now);
        let Some(Place::Coming(item, _)) = place(&self.slots, key).copied() else { return None };
        let node = self.floor.place(self.floor.class(&item), &item, now);
        if node.is_none() {
            self.forget(key);
        }
        node
    }

    /// The pool of `node` took the item in.
    pub(super) fn queued(&mut self, key: ItemKey, ticket: Ticket, node: usize, now: Nanos) {
        let now = self.not_before(now);
        let Some(Place::Coming(item, counted)) = place(&self.slots, key).copied() else { return };
        let class = self.floor.class(&item);
        let position = self.backlogs[class.index()].join(item.due);
        if counted == Counted::No {
            self.floor.queued(class, &item, key, now);
        }
        self.slots[key.slot as usize].place = Place::Waiting(item, position, ticket, node as Node);
    }

    /// The pool had no room for the item.
    pub(super) fn refused(&mut self, key: ItemKey, now: Nanos) {
        let now = self.not_before(now);
        let Some(Place::Coming(item, counted)) = place(&self.slots, key).copied() else { return };
        self.forget(key);
        match counted {
            Counted::No => self.floor.refused(&item, now),
            Counted::Yes => {
                let oldest = self.backlogs[self.floor.class(&item).index()].oldest();
                self.floor.no_room_after_move(&item, oldest, now);
            }
        }
    }

    /// The client has given up, and the pool has let the item go.
    pub(super) fn gave_up(&mut self, key: ItemKey, now: Nanos) {
        let now = self.not_before(now);
        let Some(Place::Waiting(item, position, ..)) = place(&self.slots, key).copied() else { return };
        self.forget(key);
        let oldest = self.leaves(&item, position);
        self.floor.gave_up(&item, oldest, now);
    }

    /// A thread begins the item. `false`: the run is over.
    pub(super) fn started(&mut self, key: ItemKey, now: Nanos) -> bool {
        let now = self.not_before(now);
        if self.closed {
            return false;
        }
        let Some(Place::Waiting(item, position, _, node)) = place(&self.slots, key).copied() else { return false };
        let oldest = self.leaves(&item, position);
        self.floor.started(self.floor.class(&item), &item, oldest, now);
        self.slots[key.slot as usize].place = Place::InService(item, now, node);
        true
    }

    /// What the thread does in phase `phase` of the item, which begins at `at`.
    pub(super) fn work(&self, key: ItemKey, phase: u32, at: Nanos) -> Option<Work> {
        match place(&self.slots, key) {
            Some(Place::InService(item, ..)) => self.floor.work(item, phase, at),
            _ => None,
        }
    }

    /// How long `time` lasts that a thread works on the item from `at` on: the pool of its node may stand still.
    pub(super) fn stretched(&self, key: ItemKey, at: Nanos, time: Nanos) -> Nanos {
        match place(&self.slots, key) {
            Some(Place::InService(_, _, node)) => self.floor.stretched(usize::from(*node), at, time),
            _ => time,
        }
    }

    /// Whether the item's handler panics at the end of its service.
    pub(super) fn panics(&self, key: ItemKey) -> bool {
        matches!(place(&self.slots, key), Some(Place::InService(item, started, _)) if self.floor.panics(item, *started))
    }

    /// A thread is done with the item. The answer is an item that is due at once.
    pub(super) fn finished(&mut self, key: ItemKey, outcome: Outcome, now: Nanos) -> Option<ItemKey> {
        let now = self.not_before(now);
        if self.closed {
            return None;
        }
        let Some(Place::InService(item, started, _)) = place(&self.slots, key).copied() else { return None };
        self.forget(key);
        let next = self.floor.finished(self.floor.class(&item), &item, started, outcome, now)?;
        Some(self.admit(next, Counted::No))
    }

    /// The class of an item that is about to be submitted.
    pub(super) fn class(&self, key: ItemKey) -> ClassId {
        match place(&self.slots, key) {
            Some(Place::Coming(item, _) | Place::Waiting(item, ..) | Place::InService(item, ..)) => {
                self.floor.class(item)
            }
            _ => unreachable!("the key names an item"),
        }
    }

    /// How many threads exist.
    pub(super) fn live_threads(&mut self, live: u32, now: Nanos) {
        let now = self.not_before(now);
        self.floor.live_threads(live, now);
    }

    /// What a front-end has sent until `end`, once.
    pub(super) fn take_writes(&mut self, end: Nanos) -> Option<Vec<WriteFigures>> {
        self.floor.take_writes(end)
    }

    /// Ends the run: nothing is remembered after this.
    pub(super) fn close(&mut self, plan: &Plan, end: Nanos) -> (Summary, Option<FailoverSummary>) {
        let end = self.not_before(end);
        self.closed = true;
        let mut waiting = self.count_unreleased(plan, end);
        let mut in_service = Vec::new();
        for slot in &self.slots {
            match slot.place {
                Place::Waiting(item, ..) => waiting.push((self.floor.class(&item), item.due)),
                Place::InService(item, started, _) => in_service.push((self.floor.class(&item), item.due, started)),
                Place::Free | Place::Coming(..) => {}
            }
        }
        self.floor.close(plan, end, waiting, in_service)
    }

    /// Items that were due before the end, and that the injector did not get round to: the load said that they come, so
    /// they came, and waited where there was room.
    fn count_unreleased(&mut self, plan: &Plan, end: Nanos) -> Vec<(ClassId, Nanos)> {
        let mut waiting = Vec::new();
        for _ in 0..UNRELEASED_MOST {
            match self.pop_due(Nanos(end.0.saturating_sub(1))) {
                Some(Due::Submit(key, class, due)) => {
                    let room = plan.classes[class.index()].rule.max_waiting as u64;
                    let all: u64 = (0..plan.classes.len()).map(|at| self.floor.waiting(ClassId(at as u16))).sum();
                    let shared = plan.pool.waiting_room.is_none_or(|room| all < room as u64);
                    if shared && self.floor.waiting(class) < room {
                        self.floor.unreleased(class, due, end);
                        waiting.push((class, due));
                        self.forget(key);
                    } else {
                        self.refused(key, end);
                    }
                }
                Some(Due::GiveUp(..)) => {}
                // The cluster's turn was before an item's.
                None if self.floor.next_due() < end => {}
                None => break,
            }
        }
        waiting
    }

    /// Rows of logs used and skipped so far.
    pub(super) fn trace_lines(&self) -> Vec<String> {
        self.floor.trace_lines()
    }

    fn not_before(&mut self, now: Nanos) -> Nanos {
        self.now = self.now.max(now);
        self.now
    }

    /// The item waits no more. The answer is the due time of the oldest that does.
    fn leaves(&mut self, item: &PackedItem, position: u64) -> Option<Nanos> {
        let backlog = &mut self.backlogs[self.floor.class(item).index()];
        backlog.leave(position);
        backlog.oldest()
    }

    fn forget(&mut self, key: ItemKey) {
        let slot = &mut self.slots[key.slot as usize];
        slot.place = Place::Free;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
    }
}

fn place(slots: &[Slot], key: ItemKey) -> Option<&Place> {
    let slot = &slots[key.slot as usize];
    (slot.generation == key.generation).then_some(&slot.place)
}
