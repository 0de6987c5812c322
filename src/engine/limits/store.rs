//! The store's threads with who calls them: the model says who gets a thread, the load when calls come and how long they
//! take.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Call, Limit};
use crate::engine::EngineError;
use crate::item::Outcome;
use crate::metrics::limits::{CallTimes, StoreFigures};
use crate::models::store::{ClientId, Direction, Effect, MessageId, Stimulus, Store, Work as Asked};
use crate::plan::limits::{Caller, StorePlan};
use crate::time::Nanos;
use crate::workload::{PackedItem, Work, Workload};

/// A call that holds a thread.
#[derive(Debug)]
struct Held {
    /// `None`: the service's own refresh.
    what: Option<(Caller, PackedItem)>,
    began: Nanos,
    /// What the model calls it.
    call: crate::models::store::CallId,
}

pub(super) struct StoreRun {
    plan: Arc<StorePlan>,
    store: Store,
    load: Workload,
    /// What the model knows by a number alone: the items that are neither done nor gone.
    items: [BTreeMap<u64, PackedItem>; 3],
    /// The number of the next of each kind.
    next: [u64; 3],
    /// By number of the call.
    held: BTreeMap<u64, Held>,
    begun: u64,
    times: [CallTimes; 3],
    effects: Vec<Effect>,
    /// The emulation has begun.
    has_begun: bool,
}

impl StoreRun {
    pub(super) fn new(plan: &Arc<StorePlan>, seed: u64, until: Nanos) -> Result<StoreRun, EngineError> {
        Ok(StoreRun {
            store: Store::new(Arc::clone(&plan.spec)),
            load: Workload::new(Arc::clone(&plan.load), seed, until).map_err(EngineError::Load)?,
            plan: Arc::clone(plan),
            items: Default::default(),
            next: [0; 3],
            held: BTreeMap::new(),
            begun: 0,
            times: Default::default(),
            effects: Vec::new(),
            has_begun: false,
        })
    }

    pub(super) fn close(self, end: Nanos) -> StoreFigures {
        StoreFigures { summary: self.store.close_books(end), calls: self.times }
    }

    fn tell(&mut self, now: Nanos, what: Stimulus, calls: &mut Vec<Call>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.store.tell(now, what, &mut effects);
        self.carry_out(now, &mut effects, calls);
        self.effects = effects;
    }

    fn carry_out(&mut self, now: Nanos, effects: &mut Vec<Effect>, calls: &mut Vec<Call>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Begins { call, work } => {
                    let (what, item) = match number_of(work) {
                        Some((caller, number)) => {
                            let item = self.items[caller as usize].remove(&number).expect("it waits until it begins");
                            self.times[caller as usize].wait.record(now.since(item.due));
                            (Some((caller, item)), item)
                        }
                        None => (None, self.load.call(self.plan.refresh, now)),
                    };
                    let takes = match self.load.work(&item, 0, now) {
                        Some(Work::Wait(time) | Work::Cpu(time)) => time,
                        None => Nanos::ZERO,
                    };
                    self.held.insert(self.begun, Held { what, began: now, call });
                    calls.push(Call { id: self.begun, takes });
                    self.begun += 1;
                }
                Effect::GaveUp(ClientId(number)) => self.is_gone(Caller::Clients, number, Outcome::GaveUp, now),
                Effect::Refused(work) => {
                    if let Some((caller, number)) = number_of(work) {
                        self.is_gone(caller, number, Outcome::Refused, now);
                    }
                }
                Effect::SetAside(direction, MessageId(number), _) => {
                    self.is_gone(caller_of(direction), number, Outcome::Lost, now);
                }
                Effect::Service(_) => {}
            }
        }
    }

    /// An item has ended without a thread.
    fn is_gone(&mut self, caller: Caller, number: u64, outcome: Outcome, now: Nanos) {
        if let Some(item) = self.items[caller as usize].remove(&number) {
            self.load.after(&item, outcome, now);
        }
    }
}

/// What a call is for, by number; `None` for the service's own.
fn number_of(work: Asked) -> Option<(Caller, u64)> {
    match work {
        Asked::Client(ClientId(number)) => Some((Caller::Clients, number)),
        Asked::Message(direction, MessageId(number)) => Some((caller_of(direction), number)),
        Asked::Refresh | Asked::Gateway => None,
    }
}

fn caller_of(direction: Direction) -> Caller {
    match direction {
        Direction::Inbound => Caller::Inbound,
        Direction::Outbound => Caller::Outbound,
    }
}

impl Limit for StoreRun {
    fn next_due(&self) -> Nanos {
        if self.has_begun { self.store.next_deadline().min(self.load.next_due()) } else { Nanos::ZERO }
    }

    fn due(&mut self, now: Nanos, calls: &mut Vec<Call>) {
        if !self.has_begun {
            self.has_begun = true;
            let mut effects = std::mem::take(&mut self.effects);
            self.store.begin(&mut effects);
            self.carry_out(now, &mut effects, calls);
            self.effects = effects;
        }
        if self.store.next_deadline() <= now {
            self.tell(now, Stimulus::Time, calls);
        }
        while let Some(item) = self.load.pop_due(now) {
            let caller = Caller::of(item.stage);
            let number = self.next[caller as usize];
            self.next[caller as usize] += 1;
            self.items[caller as usize].insert(number, item);
            let what = match caller {
                Caller::Inbound => Stimulus::Message(Direction::Inbound, MessageId(number)),
                Caller::Outbound => Stimulus::Message(Direction::Outbound, MessageId(number)),
                // Refreshes never come by a load.
                Caller::Clients | Caller::Refresh => Stimulus::Client(ClientId(number)),
            };
            self.tell(now, what, calls);
        }
    }

    fn ended(&mut self, now: Nanos, id: u64, calls: &mut Vec<Call>) {
        let Some(held) = self.held.remove(&id) else { return };
        if let Some((caller, item)) = held.what {
            self.times[caller as usize].service.record(now.since(held.began));
            self.load.after(&item, Outcome::Served, now);
        }
        self.tell(now, Stimulus::Ends(held.call), calls);
    }
}
