//! The hand on a run: what somebody who watches it wishes, taken up by an engine at its own safe points.
//!
//! A front end writes wishes (pause, speed, load, other registry values, a restart) and looks at the run through
//! [`live`](super::live); an engine takes each wish up between two of its events, carries it out and notes the moment. So a
//! run whose rules or load were changed by hand can say so: [`Control::changes`]. Not a screen and not a key. It makes no
//! policy choice: what other values mean for the pool is `plan::tuning`'s and the policy's. A run without a control never
//! comes here. Made by `cli` and tests, for [`Options::control`](super::Options::control).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use parking_lot::Mutex;

use super::live::Live;
use crate::plan::Plan;
use crate::plan::tuning::{Retuned, Values};
use crate::policy::dispatch::{Event, Kind, Rules};
use crate::time::Nanos;

/// What somebody wishes of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// Emulated time stands still.
    Pause,
    /// It goes on.
    Resume,
    /// So many emulated seconds a second from now on; above 0. Means nothing to a run without a pace.
    Speed(f64),
    /// Open sources come so many times as often as the scenario says; at least 0.
    Load(f64),
    /// A node's pool takes other values at once.
    /// Guess: a liberty. The real service reads both values when it starts (KB 281868), and not again.
    Apply(Tuning),
    /// The IIS Admin service of a node is restarted, and reads these values when it starts.
    Restart(Tuning),
}

/// Other values for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Which node; 0 for a single server.
    pub node: usize,
    /// The values.
    pub values: Values,
}

/// How fast a run goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as it can. Virtual time only: real threads take the plan's speed.
    Free,
    /// So many emulated seconds a second.
    Speed(f64),
}

/// The part of a pool's shape that changes with the two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InEffect {
    /// The values; `None` where the pool does not follow from them.
    pub values: Option<Values>,
    /// Threads that the pool may have.
    pub size: u32,
    /// Threads that one heavy queue may have.
    pub cap: u32,
}

/// What was changed by hand, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The emulated moment.
    pub at: Nanos,
    /// What.
    pub what: Changed,
}

/// See [`Change`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Changed {
    /// The load of open sources.
    Load {
        /// How many times the scenario's.
        factor: f64,
    },
    /// A node's pool.
    Pool {
        /// Which node.
        node: usize,
        /// As it was.
        before: InEffect,
        /// As it is from then on.
        after: InEffect,
        /// The services were restarted for it; otherwise it was changed under them.
        restarted: bool,
    },
}

/// How a run stands, for who watches it.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Emulated time stands still.
    pub paused: bool,
    /// Emulated seconds a second; `None` for as fast as it can.
    pub speed: Option<f64>,
    /// How many times the scenario's load open sources have.
    pub load: f64,
    /// By node.
    pub in_effect: Vec<InEffect>,
    /// Why the last wish was not carried out, if it was not.
    pub refused: Option<String>,
}

#[derive(Debug)]
struct Inner {
    asked: VecDeque<Wish>,
    /// Wishes for a moment, the earliest first.
    planned: VecDeque<(Nanos, Wish)>,
    engine: Option<Thread>,
    status: Status,
    /// The rules of each node that was changed.
    rules: Vec<Option<Rules>>,
    changes: Vec<Change>,
}

/// See the module's head. It serves one run.
#[derive(Debug)]
pub struct Control {
    /// Somebody has asked for something since the engine last looked.
    called: AtomicBool,
    inner: Mutex<Inner>,
    live: Arc<Live>,
}

impl Control {
    /// A hand on a run of `plan` that nobody has asked for anything yet.
    #[must_use]
    pub fn new(plan: &Plan, pace: Pace) -> Arc<Control> {
        let nodes = plan.node_names().len();
        let in_effect = |node: usize| {
            let pool = plan.pool_of(node);
            InEffect { values: plan.values_of(node), size: pool.size, cap: pool.heavy_queue_cap }
        };
        let speed = match pace {
            Pace::Free => None,
            Pace::Speed(speed) => Some(speed),
        };
        let inner = Inner {
            asked: VecDeque::new(),
            planned: VecDeque::new(),
            engine: None,
            status: Status {
                paused: false,
                speed,
                load: 1.0,
                in_effect: (0..nodes).map(in_effect).collect(),
                refused: None,
            },
            rules: vec![None; nodes],
            changes: Vec::new(),
        };
        Arc::new(Control { called: AtomicBool::new(false), inner: Mutex::new(inner), live: Arc::new(Live::new(plan)) })
    }

    /// Asks for something now: it is taken up before the next event.
    pub fn ask(&self, wish: Wish) {
        let mut inner = self.inner.lock();
        inner.asked.push_back(wish);
        // Ordering: Release pairs with the Acquire in `take_asked`, though the lock alone would do: the flag only spares it.
        self.called.store(true, Ordering::Release);
        if let Some(engine) = &inner.engine {
            engine.unpark();
        }
    }

    /// Asks for something at an emulated moment. In virtual time it is carried out in that very moment, before whatever else
    /// is due in it; on real threads as soon after it as the host allows.
    pub fn ask_at(&self, at: Nanos, wish: Wish) {
        let mut inner = self.inner.lock();
        let place = inner.planned.partition_point(|(other, _)| *other <= at);
        inner.planned.insert(place, (at, wish));
    }

    /// How the run stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.lock().status.clone()
    }

    /// Everything that was changed by hand, in order of time. Pauses and speeds change nothing that is emulated.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.inner.lock().changes.clone()
    }

    /// What the run looks like.
    #[must_use]
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The calling thread is the one that takes wishes up.
    pub(super) fn joins(&self) {
        self.inner.lock().engine = Some(std::thread::current());
    }

    /// The first moment for which something is planned.
    pub(super) fn next_planned(&self) -> Nanos {
        self.inner.lock().planned.front().map_or(Nanos::MAX, |(at, _)| *at)
    }

    /// What was planned for `now` or before.
    pub(super) fn take_planned(&self, now: Nanos) -> Option<(Nanos, Wish)> {
        let planned = &mut self.inner.lock().planned;
        if planned.front().is_some_and(|(at, _)| *at <= now) { planned.pop_front() } else { None }
    }

    /// What is asked for now.
    pub(super) fn take_asked(&self) -> Option<Wish> {
        // Ordering: Acquire pairs with the Release in `ask`.
        if !self.called.load(Ordering::Acquire) {
            return None;
        }
        let mut inner = self.inner.lock();
        let wish = inner.asked.pop_front();
        // Ordering: Relaxed; written under the lock, and `ask` writes it there too.
        self.called.store(!inner.asked.is_empty(), Ordering::Relaxed);
        wish
    }

    pub(super) fn note_pause(&self, paused: bool) {
        self.inner.lock().status.paused = paused;
    }

    pub(super) fn note_speed(&self, speed: f64) {
        let status = &mut self.inner.lock().status;
        status.speed = status.speed.map(|_| speed);
    }

    pub(super) fn note_load(&self, factor: f64, at: Nanos) {
        let inner = &mut *self.inner.lock();
        if inner.status.load != factor {
            inner.status.load = factor;
            inner.changes.push(Change { at, what: Changed::Load { factor } });
        }
    }

    /// The pool that follows from other values. `None`: they are refused, and the status says why. `threads_most` is the
    /// most that all nodes together may have.
    pub(super) fn retuned(&self, plan: &Plan, tuning: Tuning, threads_most: u32) -> Option<Retuned> {
        let inner = &mut *self.inner.lock();
        let refused = match plan.retuned(tuning.node, tuning.values) {
            _ if plan.values_of(tuning.node).is_none() => "this pool does not follow from the two values".to_string(),
            Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Ok(retuned) => {
                let others = inner.status.in_effect.iter().enumerate().filter(|(node, _)| *node != tuning.node);
                let all = others.fold(retuned.pool.size, |sum, (_, node)| sum.saturating_add(node.size));
                if all <= threads_most {
                    inner.status.refused = None;
                    return Some(retuned);
                }
                format!("that is {all} threads, and at most {threads_most} real ones are created")
            }
        };
        inner.status.refused = Some(refused);
        None
    }

    pub(super) fn note_retuned(&self, tuning: Tuning, retuned: Retuned, restarted: bool, at: Nanos) {
        let inner = &mut *self.inner.lock();
        let before = inner.status.in_effect[tuning.node];
        let after =
            InEffect { values: Some(tuning.values), size: retuned.pool.size, cap: retuned.pool.heavy_queue_cap };
        inner.status.in_effect[tuning.node] = after;
        inner.rules[tuning.node] = Some(retuned.rules);
        if restarted || before != after {
            let what = Changed::Pool { node: tuning.node, before, after, restarted };
            inner.changes.push(Change { at, what });
        }
    }

    /// The rules of a node that begins anew, where they have been changed.
    pub(super) fn rules_of(&self, node: usize) -> Option<Rules> {
        self.inner.lock().rules[node].clone()
    }
}

/// What a pool is told that is to have other sizes: first its own, then its queues'.
pub(super) fn resizing<J>(rules: &Rules) -> Vec<Event<J>> {
    let cap_of = |(at, rule): (usize, &crate::policy::dispatch::ClassRule)| match rule.kind {
        Kind::WorkQueue { cap, .. } => Some(Event::SetCap { class: crate::ids::ClassId(at as u16), cap }),
        Kind::Requests => None,
    };
    let caps = rules.classes.iter().enumerate().filter_map(cap_of);
    std::iter::once(Event::SetPoolSize { size: rules.pool_size }).chain(caps).collect()
}
