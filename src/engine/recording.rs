//! The moments of a run, item by item, so that `twin` can live them again in virtual time.
//!
//! A [`Recorder`] hears the decision log (who was told what, and when) and the floor (which item it was); on real
//! threads also who had a processor. It is told moments of emulated time and reads no clock; it knows neither engine.
//! Not a report and not the decision log, which has no times of phases. Bounded: [`ITEMS_MOST`] items are kept, further
//! ones are counted. Made by `verify::parity` and tests.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::observer::Observer;
use crate::ids::{SourceId, ThreadId};
use crate::item::Outcome;
use crate::policy::decision_log::{LogLine, Trace};
use crate::policy::dispatch::{Decision, Event};
use crate::time::Nanos;
use crate::workload::{Item, JourneyEnd};

/// The most items whose moments are kept: a few hundred bytes each.
pub const ITEMS_MOST: usize = 1_000_000;

/// Which item it was, whatever the run: the draws have the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Its source.
    pub source: SourceId,
    /// Its journey's number.
    pub number: u64,
    /// Its step in the journey.
    pub step: u32,
}

impl Address {
    /// The address of an item.
    #[must_use]
    pub fn of(item: &Item) -> Address {
        Address { source: item.source, number: item.number, step: item.step }
    }
}

/// What a thread does in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It wants and then holds a processor.
    Cpu,
    /// It waits for something outside.
    Wait,
}

/// One phase of a service, in moments of emulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What the thread does.
    pub doing: Doing,
    /// When it asked for a processor; the same as `began` for a wait.
    pub asked: Nanos,
    /// When it had one, or told the policy that it waits.
    pub began: Nanos,
    /// When it gave it back, or told the policy that it goes on. `None`: the run ended first.
    pub ended: Option<Nanos>,
}

/// The moments of one item, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// When it was due.
    pub due: Nanos,
    /// When the policy was told of it.
    pub submitted: Nanos,
    /// When the policy gave it a thread.
    pub decided: Option<Nanos>,
    /// When the thread began: its wait ends here.
    pub started: Option<Nanos>,
    /// What the thread did.
    pub phases: Vec<Phase>,
    /// When it was done.
    pub finished: Option<Nanos>,
    /// When the policy had the thread back.
    pub returned: Option<Nanos>,
    /// When the policy was told that its client gives up.
    pub withdrawn: Option<Nanos>,
    /// When it had left, because its client gave up.
    pub gave_up: Option<Nanos>,
}

/// Every item's life in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// By address.
    pub lives: BTreeMap<Address, Life>,
    /// How long each thread took from the wish for it to its first question, in order of the wishes.
    pub creations: Vec<Nanos>,
    /// Items that came after [`ITEMS_MOST`] others and were not kept.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct Inner {
    most: usize,
    /// By number in the order of submission, which is the policy's own.
    lives: Vec<(Option<Address>, Life)>,
    by_address: BTreeMap<Address, usize>,
    /// The last submission, until the floor says which item it was.
    submitted: Option<usize>,
    refused_at: Nanos,
    refused: Vec<(Address, Life)>,
    /// By thread: whom it serves.
    serving: Vec<Option<usize>>,
    /// By thread: which wish it answers, and when that was.
    wished: BTreeMap<ThreadId, (usize, Nanos)>,
    creations: Vec<Nanos>,
    dropped: u64,
}

/// See the module's head. It is shared: one handle hears the decision log, another one the floor.
#[derive(Debug)]
pub struct Recorder(Mutex<Inner>);

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::with_room(ITEMS_MOST)
    }
}

impl Recorder {
    /// A recorder that keeps at most `most` items.
    #[must_use]
    pub fn with_room(most: usize) -> Recorder {
        Recorder(Mutex::new(Inner { most, ..Inner::default() }))
    }

    /// The handle for the floor.
    #[must_use]
    pub fn observer(self: &Arc<Recorder>) -> Box<dyn Observer> {
        Box::new(Ear(Arc::clone(self)))
    }

    /// A thread has had a processor for this item; `ended` is `None` where the run ended first.
    pub fn held_processor(&self, item: &Item, asked: Nanos, began: Nanos, ended: Option<Nanos>) {
        let mut inner = self.0.lock();
        if let Some(life) = inner.life(item) {
            life.phases.push(Phase { doing: Doing::Cpu, asked, began, ended });
        }
    }

    /// Takes out what was recorded before `end`: real threads go on for a moment after the end of their run.
    #[must_use]
    pub fn take(&self, end: Nanos) -> Recording {
        let mut inner = self.0.lock();
        let most = inner.most;
        let inner = std::mem::replace(&mut *inner, Inner { most, ..Inner::default() });
        let named = inner.lives.into_iter().filter_map(|(address, life)| Some((address?, life)));
        Recording {
            lives: named.chain(inner.refused).map(|(address, life)| (address, life.until(end))).collect(),
            creations: inner.creations,
            dropped: inner.dropped,
        }
    }
}

impl Life {
    fn until(mut self, end: Nanos) -> Life {
        let before = |moment: Option<Nanos>| moment.filter(|moment| *moment < end);
        self.phases.retain(|phase| phase.asked < end);
        for phase in &mut self.phases {
            phase.ended = before(phase.ended);
        }
        Life {
            due: self.due,
            submitted: self.submitted,
            decided: before(self.decided),
            started: before(self.started),
            phases: self.phases,
            finished: before(self.finished),
            returned: before(self.returned),
            withdrawn: before(self.withdrawn),
            gave_up: before(self.gave_up),
        }
    }
}

impl Inner {
    fn life(&mut self, item: &Item) -> Option<&mut Life> {
        let at = *self.by_address.get(&Address::of(item))?;
        Some(&mut self.lives[at].1)
    }

    fn served_by(&mut self, thread: ThreadId) -> Option<&mut Life> {
        let at = (*self.serving.get(thread.index())?)?;
        Some(&mut self.lives[at].1)
    }

    fn happened(&mut self, event: Event<()>, now: Nanos) {
        match event {
            Event::Blocks { thread } => {
                if let Some(life) = self.served_by(thread) {
                    life.phases.push(Phase { doing: Doing::Wait, asked: now, began: now, ended: None });
                }
            }
            Event::Wakes { thread } => {
                if let Some(phase) = self.served_by(thread).and_then(|life| life.phases.last_mut()) {
                    phase.ended = Some(now);
                }
            }
            Event::Finishes { thread } => {
                if let Some(life) = self.served_by(thread) {
                    life.returned = Some(now);
                }
                if let Some(serves) = self.serving.get_mut(thread.index()) {
                    *serves = None;
                }
            }
            Event::ThreadStarted { thread } => {
                if let Some((at, wished)) = self.wished.remove(&thread) {
                    self.creations[at] = now.since(wished);
                }
            }
            Event::GiveUp { ticket } => {
                if let Some((_, life)) = usize::try_from(ticket.seq()).ok().and_then(|at| self.lives.get_mut(at)) {
                    life.withdrawn = Some(now);
                }
            }
            Event::Submit { .. }
            | Event::ThreadRefused { .. }
            | Event::IdleTooLong { .. }
            | Event::SetCap { .. }
            | Event::SetPoolSize { .. }
            | Event::SetRunnableLimit { .. } => {}
        }
    }

    fn decided(&mut self, decision: Decision<()>, now: Nanos) {
        match decision {
            Decision::Queued { .. } => {
                let room = self.lives.len() < self.most;
                self.submitted = room.then_some(self.lives.len());
                if room {
                    self.lives.push((None, Life { submitted: now, ..Life::default() }));
                } else {
                    self.dropped += 1;
                }
            }
            Decision::Refused { .. } => self.refused_at = now,
            Decision::Start { thread, seq, .. } => {
                if self.serving.len() <= thread.index() {
                    self.serving.resize(thread.index() + 1, None);
                }
                let at = usize::try_from(seq).ok().filter(|at| *at < self.lives.len());
                self.serving[thread.index()] = at;
                if let Some(at) = at {
                    self.lives[at].1.decided = Some(now);
                }
            }
            Decision::Create { thread } => {
                self.wished.insert(thread, (self.creations.len(), now));
                self.creations.push(Nanos::ZERO);
            }
            Decision::Left { .. } | Decision::Idle { .. } | Decision::Retire { .. } => {}
        }
    }
}

impl Trace for Recorder {
    fn note(&self, now: Nanos, line: &LogLine) {
        let mut inner = self.0.lock();
        inner.happened(line.event, now);
        for decision in &line.decisions {
            inner.decided(*decision, now);
        }
    }
}

/// The handle that hears the floor.
#[derive(Debug)]
struct Ear(Arc<Recorder>);

impl Observer for Ear {
    fn arrived(&mut self, item: &Item, _: Nanos) {
        let mut inner = self.0.0.lock();
        // Both engines tell the policy and then the floor, and nobody is submitted in between.
        let Some(at) = inner.submitted.take() else { return };
        inner.lives[at].0 = Some(Address::of(item));
        inner.lives[at].1.due = item.due;
        inner.by_address.insert(Address::of(item), at);
    }

    fn refused(&mut self, item: &Item, _: Nanos) {
        let mut inner = self.0.0.lock();
        if inner.refused.len() < inner.most {
            let life = Life { due: item.due, submitted: inner.refused_at, ..Life::default() };
            inner.refused.push((Address::of(item), life));
        } else {
            inner.dropped += 1;
        }
    }

    fn gave_up(&mut self, item: &Item, now: Nanos) {
        if let Some(life) = self.0.0.lock().life(item) {
            life.gave_up = Some(now);
        }
    }

    fn started(&mut self, item: &Item, now: Nanos) {
        if let Some(life) = self.0.0.lock().life(item) {
            life.started = Some(now);
        }
    }

    fn finished(&mut self, item: &Item, _: Outcome, now: Nanos) {
        if let Some(life) = self.0.0.lock().life(item) {
            life.finished = Some(now);
        }
    }

    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
