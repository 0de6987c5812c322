//! What the cluster remembers of a run: its event log, its time line, counts, and why services were offline.
//!
//! Every list has a bound; what is beyond it is counted. No format. Written by the machine, read by `report`.

use super::events::{Entry, What};
use super::spec::{ClusterSpec, GroupId, NodeId, ResourceId};
use super::{GroupState, NodeState, ResourceState};
use crate::time::Nanos;

/// Entries of the event log, spans of one lane, and unanswered probes of one resource that are kept.
pub const KEPT: usize = 10_000;

/// Why a resource is not online.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It is restarted on its node.
    Restart,
    /// Its group moves because something failed.
    Failover,
    /// Its group goes home.
    Failback,
    /// Its node is gone.
    NodeDown,
    /// It was given up.
    LeftFailed,
}

/// How long a resource was not online, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffTime {
    /// For restarts.
    pub restart: Nanos,
    /// For failovers.
    pub failover: Nanos,
    /// For failbacks.
    pub failback: Nanos,
    /// Because its node was gone.
    pub node_down: Nanos,
    /// Because it was given up.
    pub left_failed: Nanos,
}

impl OffTime {
    /// In all.
    #[must_use]
    pub fn total(&self) -> Nanos {
        self.restart + self.failover + self.failback + self.node_down + self.left_failed
    }

    /// Because its group moved, for whatever reason.
    #[must_use]
    pub fn by_moves(&self) -> Nanos {
        self.failover + self.failback + self.node_down
    }

    fn add(&mut self, cause: Cause, time: Nanos) {
        let sum = match cause {
            Cause::Restart => &mut self.restart,
            Cause::Failover => &mut self.failover,
            Cause::Failback => &mut self.failback,
            Cause::NodeDown => &mut self.node_down,
            Cause::LeftFailed => &mut self.left_failed,
        };
        *sum += time;
    }
}

/// A lane of the time line: from each moment on, this.
pub type Lane<S> = Vec<(Nanos, S)>;

/// What became of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHistory {
    /// What it was at.
    pub lane: Lane<NodeState>,
}

/// What became of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHistory {
    /// What it was at, and where.
    pub lane: Lane<(GroupState, Option<NodeId>)>,
    /// How often it moved because something failed, or a node was gone.
    pub failovers: u64,
    /// How often it went home.
    pub failbacks: u64,
}

impl GroupHistory {
    /// On which node it was at a moment; `None` where it was on none.
    #[must_use]
    pub fn node_at(&self, at: Nanos) -> Option<NodeId> {
        let begun = self.lane.partition_point(|(from, _)| *from <= at);
        self.lane[..begun].last().and_then(|(_, (_, node))| *node)
    }
}

/// What became of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceHistory {
    /// What it was at.
    pub lane: Lane<ResourceState>,
    /// How often it failed.
    pub failures: u64,
    /// How often it was restarted.
    pub restarts: u64,
    /// When a probe was due and the last was still out.
    pub unanswered: Vec<Nanos>,
    /// How often that was.
    pub unanswered_count: u64,
    /// How long it was not online.
    pub off: OffTime,
    off_since: Option<(Nanos, Cause)>,
}

/// Everything that a cluster remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSummary {
    /// The end of the run.
    pub end: Nanos,
    /// The first entries of the event log, in order of time.
    pub events: Vec<Entry>,
    /// How many more there were.
    pub events_dropped: u64,
    /// By node.
    pub nodes: Vec<NodeHistory>,
    /// By group.
    pub groups: Vec<GroupHistory>,
    /// By resource.
    pub resources: Vec<ResourceHistory>,
    /// The first and the last failover.
    pub failovers_between: Option<(Nanos, Nanos)>,
}

impl ClusterSummary {
    /// Failures of all resources.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.resources.iter().map(|resource| resource.failures).sum()
    }

    /// Restarts of all resources.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.resources.iter().map(|resource| resource.restarts).sum()
    }

    /// Failovers of all groups.
    #[must_use]
    pub fn failovers(&self) -> u64 {
        self.groups.iter().map(|group| group.failovers).sum()
    }

    /// Failbacks of all groups.
    #[must_use]
    pub fn failbacks(&self) -> u64 {
        self.groups.iter().map(|group| group.failbacks).sum()
    }

    /// Mean time between two failovers; `None` where there were fewer than two.
    #[must_use]
    pub fn mean_time_between_failovers(&self) -> Option<Nanos> {
        let (first, last) = self.failovers_between?;
        let gaps = self.failovers().checked_sub(1).filter(|gaps| *gaps > 0)?;
        Some(Nanos(last.since(first).0 / gaps))
    }
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Memory(ClusterSummary);

fn push<S: PartialEq>(lane: &mut Lane<S>, now: Nanos, state: S) {
    let has_room = lane.len() < KEPT;
    match lane.last_mut() {
        Some((_, last)) if *last == state => {}
        Some((at, _)) if *at == now => {
            lane.pop();
            // What was left in the same moment is as if it had never been.
            if lane.last().is_none_or(|(_, last)| *last != state) {
                lane.push((now, state));
            }
        }
        _ if has_room => lane.push((now, state)),
        _ => {}
    }
}

impl Memory {
    pub(super) fn new(spec: &ClusterSpec) -> Memory {
        let resource = ResourceHistory {
            lane: Vec::new(),
            failures: 0,
            restarts: 0,
            unanswered: Vec::new(),
            unanswered_count: 0,
            off: OffTime::default(),
            off_since: None,
        };
        let node = NodeHistory { lane: vec![(Nanos::ZERO, NodeState::Up)] };
        Memory(ClusterSummary {
            end: Nanos::ZERO,
            events: Vec::new(),
            events_dropped: 0,
            nodes: vec![node; spec.nodes.len()],
            groups: vec![GroupHistory { lane: Vec::new(), failovers: 0, failbacks: 0 }; spec.groups.len()],
            resources: vec![resource; spec.resources.len()],
            failovers_between: None,
        })
    }

    pub(super) fn note(&mut self, at: Nanos, node: Option<NodeId>, what: What) {
        if self.0.events.len() < KEPT {
            self.0.events.push(Entry { at, node, what });
        } else {
            self.0.events_dropped += 1;
        }
    }

    pub(super) fn events_from(&self, first: usize) -> &[Entry] {
        self.0.events.get(first..).unwrap_or_default()
    }

    pub(super) fn node(&mut self, now: Nanos, node: NodeId, state: NodeState) {
        push(&mut self.0.nodes[node.index()].lane, now, state);
        let what = match state {
            NodeState::Up => What::NodeUp(node),
            NodeState::Hung => What::NodeHangs(node),
            NodeState::Down => What::NodeDown(node),
        };
        self.note(now, Some(node), what);
    }

    pub(super) fn group(&mut self, now: Nanos, group: GroupId, state: GroupState, node: Option<NodeId>) {
        push(&mut self.0.groups[group.index()].lane, now, (state, node));
    }

    pub(super) fn resource(&mut self, now: Nanos, id: ResourceId, state: ResourceState) {
        let resource = &mut self.0.resources[id.index()];
        push(&mut resource.lane, now, state);
        if state == ResourceState::Online
            && let Some((since, cause)) = resource.off_since.take()
        {
            resource.off.add(cause, now.since(since));
        }
    }

    /// From now on the resource is, or is about to be, offline for this cause.
    pub(super) fn goes_off_for(&mut self, now: Nanos, id: ResourceId, cause: Cause) {
        let resource = &mut self.0.resources[id.index()];
        if let Some((since, before)) = resource.off_since.replace((now, cause)) {
            resource.off.add(before, now.since(since));
        }
    }

    /// Why the resource is not online.
    pub(super) fn cause(&self, id: ResourceId) -> Cause {
        self.0.resources[id.index()].off_since.map_or(Cause::Restart, |(_, cause)| cause)
    }

    pub(super) fn failure(&mut self, now: Nanos, node: Option<NodeId>, id: ResourceId, what: What) {
        self.0.resources[id.index()].failures += 1;
        self.note(now, node, what);
    }

    pub(super) fn restarted(&mut self, now: Nanos, node: Option<NodeId>, id: ResourceId) {
        self.0.resources[id.index()].restarts += 1;
        self.note(now, node, What::Restarted(id));
    }

    pub(super) fn moved(&mut self, now: Nanos, group: GroupId, from: Option<NodeId>, to: NodeId, why: Cause) {
        let history = &mut self.0.groups[group.index()];
        let home = why == Cause::Failback;
        if home {
            history.failbacks += 1;
        } else {
            history.failovers += 1;
            let first = self.0.failovers_between.map_or(now, |(first, _)| first);
            self.0.failovers_between = Some((first, now));
        }
        self.note(now, from, What::Moves { group, to, home });
    }

    pub(super) fn unanswered(&mut self, now: Nanos, id: ResourceId) {
        let resource = &mut self.0.resources[id.index()];
        resource.unanswered_count += 1;
        if resource.unanswered.len() < KEPT {
            resource.unanswered.push(now);
        }
    }

    pub(super) fn close(mut self, end: Nanos) -> ClusterSummary {
        for resource in &mut self.0.resources {
            if let Some((since, cause)) = resource.off_since.take() {
                resource.off.add(cause, end.since(since));
            }
        }
        self.0.end = end;
        self.0
    }
}
