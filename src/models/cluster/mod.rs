//! A cluster of nodes that hosts Exchange virtual servers, and its health monitor.
//!
//! [`Cluster`] is a state machine: it is told a stimulus and answers with effects and with the next moment at which it
//! wants to be told the time. What it is made of is `spec`, what it remembers is `memory`, what an administrator reads is
//! `events`. Not a pool and not a load: nothing here knows why a probe is not answered. Nothing about KB 281868 is in
//! it: that its virtual servers fail over again and again follows from probes that find no thread. Called by `engine`.
//!
//! How a resource gets from here to there: it has a *goal*, online or offline, and goes there step by step: offline once
//! nothing that depends on it is online any more and its own service has drained, online once all that it depends on is
//! online. A restart sends a resource and its dependents offline and then online again; a move sends all of a group
//! offline, changes the node, and sends them online.

pub mod events;
pub mod memory;
pub mod spec;
mod steps;
mod watch;

use std::collections::VecDeque;
use std::sync::Arc;

pub use events::{Entry, What};
pub use memory::{Cause, ClusterSummary, GroupHistory, NodeHistory, OffTime, ResourceHistory};

use self::memory::Memory;
use self::spec::{ClusterSpec, Failback, GroupId, NodeEvent, NodeId, ResourceId};
use self::watch::Probes;
use crate::time::Nanos;

/// What a resource is at. The codes are the cluster's.
/// ATQ: KB 286052.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceState {
    /// 2
    Online,
    /// 3
    Offline,
    /// 4
    Failed,
    /// 129
    OnlinePending,
    /// 130
    OfflinePending,
}

impl ResourceState {
    /// The cluster's number of it.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            ResourceState::Online => 2,
            ResourceState::Offline => 3,
            ResourceState::Failed => 4,
            ResourceState::OnlinePending => 129,
            ResourceState::OfflinePending => 130,
        }
    }
}

/// What a group is at. `Pending` is ours: some of its resources are on their way. The other codes are the cluster's.
/// ATQ: KB 286052.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupState {
    /// 0: every resource is online.
    Online,
    /// 1: it is on no node, or all of it is offline.
    Offline,
    /// 2: it was given up, or none of it is online because something of it failed.
    Failed,
    /// 3: some resource is not online and stays so.
    PartialOnline,
    /// Some resource is going online or offline.
    Pending,
}

/// What a node is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeState {
    /// It works.
    Up,
    /// Its pool stands still.
    Hung,
    /// It is gone.
    Down,
}

/// What the cluster is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// The time has come, and no more than that: whatever is due by now is done.
    Time,
    /// A thread has served the probe.
    ProbeServed {
        /// Whose.
        resource: ResourceId,
        /// Which.
        probe: u64,
    },
    /// After [`Effect::Close`]: nothing of the resource is in service any more.
    Drained {
        /// Which.
        resource: ResourceId,
    },
    /// Somebody restarts the service that hosts all of Exchange's protocols on a node: `IISADMIN`.
    Restart {
        /// Where.
        node: NodeId,
    },
}

/// Why a resource is taken offline.
pub type Why = Cause;

/// What is to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// This probe, an ordinary request, goes into the pool of the node.
    Probe {
        /// Whose.
        resource: ResourceId,
        /// Which; numbers are used once.
        probe: u64,
        /// Where.
        node: NodeId,
    },
    /// The resource takes no more: what waits is cut off or kept. Answered with [`Stimulus::Drained`].
    Close {
        /// Which.
        resource: ResourceId,
        /// Where it was.
        node: NodeId,
        /// Why.
        why: Why,
    },
    /// What is still in service for the resource is lost now.
    Abandon {
        /// Which.
        resource: ResourceId,
        /// Where.
        node: NodeId,
    },
    /// The resource takes requests.
    Open {
        /// Which.
        resource: ResourceId,
        /// Where.
        node: NodeId,
    },
    /// The node is gone with all its threads.
    NodeDown {
        /// Which.
        node: NodeId,
    },
    /// The node's pool stands still.
    NodeHangs {
        /// Which.
        node: NodeId,
    },
    /// The node is there again.
    NodeUp {
        /// Which.
        node: NodeId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Online,
    Offline,
}

#[derive(Debug)]
struct Resource {
    state: ResourceState,
    goal: Goal,
    /// It goes offline only to come online again.
    bounces: bool,
    /// It stays offline: it is past its restarts, or its group is past its failovers.
    given_up: bool,
    /// It is itself what failed.
    failed: bool,
    /// It takes requests: between `Open` and `Close`.
    is_open: bool,
    /// Nothing of it is in service any more.
    drained: bool,
    /// When the present step is done at the earliest, and when it has taken too long.
    step_ends: Nanos,
    step_too_long: Nanos,
    /// When it is tried once more.
    retry_at: Nanos,
    /// When it was restarted lately.
    restarts: VecDeque<Nanos>,
    probes: Probes,
}

#[derive(Debug)]
struct Group {
    node: Option<NodeId>,
    /// Where it goes once all of it is offline.
    moves_to: Option<NodeId>,
    /// It was given up: past its failover threshold.
    given_up: bool,
    /// When it failed over lately.
    failovers: VecDeque<Nanos>,
    /// When it goes home, if it may by then.
    failback_at: Nanos,
}

/// See the module's head.
#[derive(Debug)]
pub struct Cluster {
    spec: Arc<ClusterSpec>,
    now: Nanos,
    nodes: Vec<NodeState>,
    groups: Vec<Group>,
    resources: Vec<Resource>,
    /// How many of the faults have happened.
    faults: usize,
    next_probe: u64,
    next_deadline: Nanos,
    memory: Memory,
}

impl Cluster {
    /// A cluster in which nothing runs yet.
    #[must_use]
    pub fn new(spec: Arc<ClusterSpec>) -> Cluster {
        let resource = || Resource {
            state: ResourceState::Offline,
            goal: Goal::Offline,
            bounces: false,
            given_up: false,
            failed: false,
            is_open: false,
            drained: true,
            step_ends: Nanos::MAX,
            step_too_long: Nanos::MAX,
            retry_at: Nanos::MAX,
            restarts: VecDeque::new(),
            probes: Probes::default(),
        };
        let group = || Group {
            node: None,
            moves_to: None,
            given_up: false,
            failovers: VecDeque::new(),
            failback_at: Nanos::MAX,
        };
        Cluster {
            now: Nanos::ZERO,
            nodes: vec![NodeState::Up; spec.nodes.len()],
            groups: spec.groups.iter().map(|_| group()).collect(),
            resources: spec.resources.iter().map(|_| resource()).collect(),
            faults: 0,
            next_probe: 0,
            next_deadline: Nanos::ZERO,
            memory: Memory::new(&spec),
            spec,
        }
    }

    /// The emulation begins with a running cluster: every group is online where it starts.
    pub fn begin(&mut self, effects: &mut Vec<Effect>) {
        for at in 0..self.groups.len() {
            let node = self.spec.groups[at].starts_on;
            self.groups[at].node = Some(node);
        }
        for id in self.resource_ids() {
            let node = self.spec.groups[self.spec.resources[id.index()].group.index()].starts_on;
            self.resources[id.index()].goal = Goal::Online;
            self.comes_online(id, node, effects);
        }
        self.settle(effects);
    }

    /// When the cluster wants to be told the time; [`Nanos::MAX`] for never.
    #[must_use]
    #[inline]
    pub fn next_deadline(&self) -> Nanos {
        self.next_deadline
    }

    /// Tells what has happened at `now`, which never goes back. What is to be carried out is added to `effects`, in order.
    pub fn tell(&mut self, now: Nanos, what: Stimulus, effects: &mut Vec<Effect>) {
        assert!(now >= self.now, "time goes back");
        self.now = now;
        match what {
            // What runs out in a moment runs out after all that was told to have happened in it.
            Stimulus::Time => {
                self.faults_happen(effects);
                self.failures();
                self.groups_go_home();
            }
            Stimulus::ProbeServed { resource, probe } => {
                self.resources[resource.index()].probes.served(probe, now);
            }
            Stimulus::Drained { resource } => {
                let state = &mut self.resources[resource.index()];
                state.drained |= state.state == ResourceState::OfflinePending;
            }
            Stimulus::Restart { node } => self.services_restart(node),
        }
        self.settle(effects);
    }

    /// Where a group is; `None` while no node may host it.
    #[must_use]
    pub fn node_of(&self, group: GroupId) -> Option<NodeId> {
        self.groups[group.index()].node
    }

    /// Whether a resource takes requests.
    #[must_use]
    pub fn is_open(&self, resource: ResourceId) -> bool {
        self.resources[resource.index()].is_open
    }

    /// The entries of the event log from number `first` on, as far as they are kept.
    #[must_use]
    pub fn events_from(&self, first: usize) -> &[Entry] {
        self.memory.events_from(first)
    }

    /// What a resource is at.
    #[must_use]
    pub fn resource_state(&self, resource: ResourceId) -> ResourceState {
        self.resources[resource.index()].state
    }

    /// What a node is at.
    #[must_use]
    pub fn node_state(&self, node: NodeId) -> NodeState {
        self.nodes[node.index()]
    }

    /// What a group is at.
    #[must_use]
    pub fn group_state(&self, group: GroupId) -> GroupState {
        let state = &self.groups[group.index()];
        let all: Vec<&Resource> = self.resources_of(group).map(|id| &self.resources[id.index()]).collect();
        let is = |wanted: ResourceState| move |resource: &&Resource| resource.state == wanted;
        if state.given_up {
            return GroupState::Failed;
        }
        let on_its_way = |resource: &&Resource| {
            matches!(resource.state, ResourceState::OnlinePending | ResourceState::OfflinePending)
                || (resource.goal == Goal::Online && resource.state != ResourceState::Online && !resource.given_up)
        };
        if all.iter().all(is(ResourceState::Online)) {
            GroupState::Online
        } else if state.node.is_none() {
            GroupState::Offline
        } else if state.moves_to.is_some() || all.iter().any(on_its_way) {
            GroupState::Pending
        } else if all.iter().any(is(ResourceState::Online)) {
            GroupState::PartialOnline
        } else if all.iter().any(is(ResourceState::Failed)) {
            GroupState::Failed
        } else {
            GroupState::Offline
        }
    }

    /// Ends the emulation: everything that was remembered.
    #[must_use]
    pub fn close_books(mut self, end: Nanos) -> ClusterSummary {
        self.now = self.now.max(end);
        self.memory.close(end)
    }

    fn resource_ids(&self) -> impl Iterator<Item = ResourceId> + use<> {
        (0..self.resources.len()).map(|at| ResourceId(at as u16))
    }

    fn group_ids(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.groups.len()).map(|at| GroupId(at as u16))
    }

    fn resources_of(&self, group: GroupId) -> impl Iterator<Item = ResourceId> + use<> {
        let spec = Arc::clone(&self.spec);
        self.resource_ids().filter(move |id| spec.resources[id.index()].group == group)
    }

    /// Faults of nodes whose time has come.
    fn faults_happen(&mut self, effects: &mut Vec<Effect>) {
        while let Some(fault) = self.spec.faults.get(self.faults).copied().filter(|fault| fault.at <= self.now) {
            self.faults += 1;
            match (fault.what, self.nodes[fault.node.index()]) {
                (NodeEvent::Dies, NodeState::Up | NodeState::Hung) => self.node_dies(fault.node, effects),
                (NodeEvent::Hangs, NodeState::Up) => {
                    self.set_node(fault.node, NodeState::Hung);
                    effects.push(Effect::NodeHangs { node: fault.node });
                }
                (NodeEvent::Returns, NodeState::Hung | NodeState::Down) => self.node_returns(fault.node, effects),
                _ => {}
            }
        }
    }

    fn set_node(&mut self, node: NodeId, state: NodeState) {
        self.nodes[node.index()] = state;
        self.memory.node(self.now, node, state);
    }

    fn node_returns(&mut self, node: NodeId, effects: &mut Vec<Effect>) {
        let was_down = self.nodes[node.index()] == NodeState::Down;
        self.set_node(node, NodeState::Up);
        effects.push(Effect::NodeUp { node });
        for id in self.group_ids() {
            let spec = Arc::clone(&self.spec);
            let group = &spec.groups[id.index()];
            if self.groups[id.index()].node.is_none()
                && group.owners.contains(&node)
                && !self.groups[id.index()].given_up
            {
                self.arrives(id, node);
            } else if was_down && group.owners[0] == node && self.groups[id.index()].node != Some(node) {
                self.groups[id.index()].failback_at = failback_time(group.failback, self.now);
            }
        }
    }
}

/// When a group goes home whose first owner joins at `now`.
fn failback_time(failback: Failback, now: Nanos) -> Nanos {
    const HOUR: u64 = 3_600_000_000_000;
    match failback {
        Failback::Prevent => Nanos::MAX,
        Failback::Immediate => now,
        Failback::Window { from_hour, until_hour } => {
            let (from, until) = (u64::from(from_hour), u64::from(until_hour));
            let hour = now.0 / HOUR % 24;
            let is_in = if from <= until { (from..until).contains(&hour) } else { hour >= from || hour < until };
            if is_in {
                return now;
            }
            let midnight = now.0 - now.0 % (24 * HOUR);
            let begins = midnight + from * HOUR;
            Nanos(if begins >= now.0 { begins } else { begins + 24 * HOUR })
        }
    }
}
