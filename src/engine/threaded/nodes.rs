//! The nodes of a run on real threads: each has a pool and emulated processors of its own, in one process; and what the
//! cluster's decisions do to them.
//!
//! A thread of a node that dies cannot be ended: it sleeps its phase to the end and finds that its item is gone, in a pool
//! that takes nothing more; the node begins anew with another pool. No decision is made here. Called by `threaded`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::super::Options;
use super::super::crowd::Crowd;
use super::clock::Clock;
use super::processors::SharedProcessors;
use super::{Machine, STACK};
use crate::ids::ClassId;
use crate::models::cluster::Effect;
use crate::models::cluster::spec::NodeId;
use crate::plan::Plan;
use crate::policy::decision_log::Trace;
use crate::policy::dispatch::{ClassCounts, Rules};
use crate::pool::{AtqPool, Calls};
use crate::time::Nanos;

/// A node, or what it was before it died.
pub(super) struct Node {
    pub(super) pool: AtqPool,
    pub(super) processors: Arc<SharedProcessors>,
    /// Threads that exist, as the pool last said.
    live: Arc<AtomicU32>,
}

pub(super) struct Nodes {
    clock: Arc<Clock>,
    plan: Arc<Plan>,
    log_decisions: usize,
    trace: Option<Arc<dyn Trace>>,
    present: Vec<Mutex<Arc<Node>>>,
    gone: Mutex<Vec<Arc<Node>>>,
}

/// What the pools counted in all.
pub(super) struct Tally {
    pub(super) threads_refused: u32,
    pub(super) panics: u64,
    pub(super) violations: Vec<String>,
}

impl Nodes {
    pub(super) fn of(plan: &Arc<Plan>, clock: &Arc<Clock>, options: &Options<'_>) -> Nodes {
        let mut nodes = Nodes {
            clock: Arc::clone(clock),
            plan: Arc::clone(plan),
            log_decisions: if plan.cluster.is_none() { options.log_decisions } else { 0 },
            trace: options.listener(),
            present: Vec::new(),
            gone: Mutex::new(Vec::new()),
        };
        let count = plan.cluster.as_ref().map_or(1, |cluster| cluster.nodes.len());
        nodes.present = (0..count).map(|at| Mutex::new(Arc::new(nodes.node(at)))).collect();
        nodes
    }

    fn rules(&self, at: usize) -> Rules {
        self.plan.cluster.as_ref().map_or_else(|| self.plan.rules(), |cluster| cluster.nodes[at].rules.clone())
    }

    /// A node that has just been started.
    fn node(&self, at: usize) -> Node {
        let live = Arc::new(AtomicU32::new(0));
        let (gauge, hook_clock) = (Arc::clone(&live), Arc::clone(&self.clock));
        let mut builder = AtqPool::builder();
        if let Some(trace) = self.trace.clone() {
            let clock = Arc::clone(&self.clock);
            let log = if self.plan.cluster.is_some() { trace.begins(at, 0) } else { 0 };
            builder = builder.on_decisions(move |line| trace.note_of(log, clock.now(), line));
        }
        let (machine, shape) = match &self.plan.cluster {
            None => (&self.plan.machine, &self.plan.pool),
            Some(cluster) => (&cluster.nodes[at].machine, &cluster.nodes[at].pool),
        };
        let pool = builder
            .rules(self.rules(at))
            // As a completion port does: a packet that a thread may take is that thread's.
            .calls(Calls::Eager)
            .name("atqsim")
            .stack_size(STACK)
            .idle_timeout(Some(self.clock.wall_of(Nanos::from_secs(u64::from(shape.thread_timeout_s)))))
            .log_decisions(self.log_decisions)
            .on_thread_start(move || hook_clock.join())
            // Ordering: Relaxed; a gauge that is read for the time line, nothing hangs on it.
            .on_thread_count(move |counts| gauge.store(counts.live_threads, Ordering::Relaxed))
            .build()
            .expect("rules are taken as they are");
        Node { pool, processors: Arc::new(SharedProcessors::new(machine.processors)), live }
    }

    pub(super) fn at(&self, at: usize) -> Arc<Node> {
        Arc::clone(&self.present[at].lock())
    }

    /// The node whose pool is wanted.
    pub(super) fn pool(&self, at: usize) -> Pool {
        Pool(self.at(at))
    }

    /// Threads of all nodes that are there.
    pub(super) fn live_threads(&self) -> u32 {
        // Ordering: Relaxed; see where the gauge is stored.
        self.present.iter().map(|node| node.lock().live.load(Ordering::Relaxed)).sum()
    }

    fn all(&self) -> Vec<Arc<Node>> {
        let present = self.present.iter().map(|node| Arc::clone(&node.lock()));
        self.gone.lock().iter().cloned().chain(present).collect()
    }

    pub(super) fn counts(&self, classes: usize) -> Vec<ClassCounts> {
        let mut counts = vec![ClassCounts::default(); classes];
        for node in self.all() {
            for (at, sum) in counts.iter_mut().enumerate() {
                sum.add(&node.pool.class_counts(ClassId(at as u16)));
            }
        }
        counts
    }

    /// Ends all pools.
    pub(super) fn stop(&self) -> Tally {
        let mut all = Tally { threads_refused: 0, panics: 0, violations: Vec::new() };
        for node in self.all() {
            drop(node.pool.stop());
            let tally = node.pool.tally();
            all.threads_refused += tally.threads_refused;
            all.panics += tally.panics;
            all.violations.extend(node.pool.laws().lines());
        }
        all
    }

    /// The node's pool takes no more; another is in its place.
    fn replace(&self, at: usize) {
        let fresh = Arc::new(self.node(at));
        let gone = std::mem::replace(&mut *self.present[at].lock(), fresh);
        drop(gone.pool.stop_within(Duration::ZERO));
        self.gone.lock().push(gone);
    }
}

/// A node, for its pool.
pub(super) struct Pool(Arc<Node>);

impl std::ops::Deref for Pool {
    type Target = AtqPool;

    fn deref(&self) -> &AtqPool {
        &self.0.pool
    }
}

impl Machine {
    /// Does what the cluster has decided, until nothing is left to do.
    pub(super) fn carry_out(self: &Arc<Machine>, floor: &mut MutexGuard<'_, Crowd>) {
        while let Some(effect) = floor.pop_effect() {
            self.carry_out_one(floor, effect);
        }
    }

    fn carry_out_one(self: &Arc<Machine>, floor: &mut MutexGuard<'_, Crowd>, effect: Effect) {
        let now = self.now();
        match effect {
            Effect::Probe { resource, probe, .. } => {
                if let Some(key) = floor.probe(resource, probe, now) {
                    let class = floor.class(key);
                    self.submit(floor, key, class);
                }
            }
            Effect::Close { resource, node, .. } => {
                let pool = self.nodes.pool(node.index());
                for (key, ticket) in floor.close_resource(resource, now) {
                    // Where a thread has just taken the item, it is in service.
                    if pool.withdraw(ticket).is_some() {
                        floor.closes_out(key, now);
                    }
                }
                floor.resource_closed(resource, now);
            }
            Effect::Abandon { resource, .. } => floor.abandon(resource, now),
            Effect::Open { resource, node } => {
                for key in floor.open_resource(resource, node) {
                    let class = floor.class(key);
                    self.submit_to(floor, key, class, node.index());
                }
            }
            Effect::NodeDown { node } => {
                floor.node_down(node, now);
                self.nodes.replace(node.index());
                self.resize_anew(node.index());
                floor.live_threads(self.nodes.live_threads(), now);
            }
            Effect::NodeHangs { node } => self.limit(node, 0),
            Effect::NodeUp { node } => self.limit(node, self.nodes.rules(node.index()).runnable_limit),
        }
    }

    /// A pool hands out closures up to this limit; to nobody where it is 0.
    fn limit(&self, node: NodeId, limit: u32) {
        self.nodes.pool(node.index()).set_runnable_limit(limit);
    }
}
