//! The cluster as the engines carry it out: on which node each class's items are, what is kept on the shared disk while its
//! service is offline, and whose sessions have been cut.
//!
//! Not the state machine, which is `models::cluster` and decides; not the pools, which the engines own. It knows no
//! clock and no thread. Called by the floor.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::live::{ClusterPicture, Live};
use crate::ids::{ClassId, SourceId};
use crate::item::Outcome;
use crate::metrics::failover::FailoverSummary;
use crate::models::cluster::spec::{GroupId, NodeEvent, NodeId, ResourceId};
use crate::models::cluster::{Cluster, Effect, Stimulus};
use crate::plan::Plan;
use crate::plan::cluster::ClusterPlan;
use crate::policy::dispatch::Kind;
use crate::time::Nanos;
use crate::workload::PackedItem;

/// Where an item goes that is about to be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the pool of this node.
    Node(usize),
    /// Onto the shared disk, until its queue is online again.
    Disk,
    /// Nowhere.
    Away(Outcome),
}

#[derive(Debug)]
struct Class {
    resource: ResourceId,
    /// Its items are messages on the shared disk: they wait for a move, and go with it.
    is_queue: bool,
    is_probe: bool,
    max_waiting: usize,
    kept: VecDeque<PackedItem>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Resource {
    /// Where it is online.
    on: Option<NodeId>,
    /// When it last went offline: sessions from before have been cut.
    closed_at: Option<Nanos>,
    /// What began before this does not count any more, though a thread still holds it.
    abandoned_at: Option<Nanos>,
    /// Items in service, but for those that were abandoned.
    in_service: u64,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Hosting {
    plan: Arc<ClusterPlan>,
    cluster: Cluster,
    effects: VecDeque<Effect>,
    scratch: Vec<Effect>,
    /// What the cluster was last told: threads come in any order, and its time never goes back.
    now: Nanos,
    classes: Vec<Class>,
    resources: Vec<Resource>,
    /// Probes that are out: the source and the number of their items.
    probes: BTreeMap<(SourceId, u64), (ResourceId, u64)>,
    /// By node: when its pool stands still, from and until.
    standstills: Vec<Vec<(Nanos, Nanos)>>,
    sessions_cut: u64,
    messages_delayed: u64,
    messages_resumed: u64,
}

impl Hosting {
    pub(super) fn new(plan: &Plan) -> Option<Hosting> {
        Some(Hosting::of(plan, plan.cluster.clone()?))
    }

    /// A single server, whose services somebody may restart.
    pub(super) fn of_server(plan: &Plan) -> Hosting {
        Hosting::of(plan, Arc::new(ClusterPlan::of_server(plan)))
    }

    fn of(plan: &Plan, cluster_plan: Arc<ClusterPlan>) -> Hosting {
        let is_probe = |class: ClassId| cluster_plan.probe_class.contains(&Some(class));
        let class = |(at, class): (usize, &crate::plan::ClassPlan)| Class {
            resource: cluster_plan.resource_of[at].expect("every class of a cluster has an owner"),
            is_queue: matches!(class.rule.kind, Kind::WorkQueue { .. }),
            is_probe: is_probe(ClassId(at as u16)),
            max_waiting: class.rule.max_waiting,
            kept: VecDeque::new(),
        };
        let mut cluster = Cluster::new(Arc::clone(&cluster_plan.spec));
        let mut effects = Vec::new();
        cluster.begin(&mut effects);
        Hosting {
            classes: plan.classes.iter().enumerate().map(class).collect(),
            resources: vec![Resource::default(); cluster_plan.spec.resources.len()],
            probes: BTreeMap::new(),
            standstills: standstills(&cluster_plan),
            effects: effects.into(),
            scratch: Vec::new(),
            now: Nanos::ZERO,
            cluster,
            plan: cluster_plan,
            sessions_cut: 0,
            messages_delayed: 0,
            messages_resumed: 0,
        }
    }

    /// Shows what the cluster is at, and what has happened since it was last shown.
    pub(super) fn show(&self, live: &Live) {
        let spec = &self.plan.spec;
        let picture = ClusterPicture {
            nodes: (0..spec.nodes.len()).map(|at| self.cluster.node_state(NodeId(at as u16))).collect(),
            groups: (0..spec.groups.len())
                .map(|at| GroupId(at as u16))
                .map(|group| (self.cluster.group_state(group), self.cluster.node_of(group)))
                .collect(),
            resources: (0..spec.resources.len()).map(|at| self.cluster.resource_state(ResourceId(at as u16))).collect(),
        };
        live.show_cluster(picture, self.cluster.events_from(live.events_seen()));
    }

    pub(super) fn next_deadline(&self) -> Nanos {
        self.cluster.next_deadline()
    }

    pub(super) fn tell(&mut self, now: Nanos, what: Stimulus) {
        self.now = self.now.max(now);
        self.cluster.tell(self.now, what, &mut self.scratch);
        self.effects.extend(self.scratch.drain(..));
    }

    /// What is to be carried out next.
    pub(super) fn pop_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Classes of a resource, its probes' too.
    pub(super) fn classes_of(&self, resource: ResourceId) -> Vec<ClassId> {
        let of = |(at, class): (usize, &Class)| (class.resource == resource).then_some(ClassId(at as u16));
        self.classes.iter().enumerate().filter_map(of).collect()
    }

    pub(super) fn is_queue(&self, class: ClassId) -> bool {
        self.classes[class.index()].is_queue
    }

    /// The node whose pool has the waiting items of a class.
    pub(super) fn node_of(&self, class: ClassId) -> Option<usize> {
        self.resource_of(class).on.map(NodeId::index)
    }

    fn resource_of(&self, class: ClassId) -> &Resource {
        &self.resources[self.classes[class.index()].resource.index()]
    }

    /// Where an item goes; `waiting` of its class wait already.
    pub(super) fn place(&self, class: ClassId, item: &PackedItem, waiting: u64) -> Place {
        let state = &self.classes[class.index()];
        let resource = &self.resources[state.resource.index()];
        if !state.is_queue && item.step > 0 && resource.closed_at.is_some_and(|at| item.began() < at) {
            return Place::Away(Outcome::Cut);
        }
        match resource.on {
            Some(node) => Place::Node(node.index()),
            None if !state.is_queue => Place::Away(Outcome::Unreachable),
            None if self.has_room(class, waiting) => Place::Disk,
            None => Place::Away(Outcome::Refused),
        }
    }

    /// Whether a class that has `waiting` items has room for one more.
    pub(super) fn has_room(&self, class: ClassId, waiting: u64) -> bool {
        waiting < self.classes[class.index()].max_waiting as u64
    }

    /// A message waits on the shared disk.
    pub(super) fn keep(&mut self, class: ClassId, item: PackedItem) {
        self.classes[class.index()].kept.push_back(item);
    }

    /// Due times of what is kept, for the end of the run.
    pub(super) fn kept(&self) -> impl Iterator<Item = (ClassId, Nanos)> + '_ {
        let of = |(at, class): (usize, &'_ Class)| -> Vec<(ClassId, Nanos)> {
            class.kept.iter().map(|item| (ClassId(at as u16), item.due)).collect()
        };
        self.classes.iter().enumerate().flat_map(of)
    }

    /// The item of a session, or of a probe, has been cut off or turned away by a cut.
    pub(super) fn note_cut(&mut self, class: ClassId) {
        let state = &self.classes[class.index()];
        self.sessions_cut += u64::from(!state.is_probe && !state.is_queue);
    }

    /// A probe's item goes out.
    pub(super) fn probe_goes(&mut self, resource: ResourceId, probe: u64, item: &PackedItem) {
        self.probes.insert((item.source(), item.number()), (resource, probe));
    }

    pub(super) fn probe_source(&self, resource: ResourceId) -> Option<SourceId> {
        self.plan.probe_source[resource.index()]
    }

    /// The resource takes no more.
    pub(super) fn close(&mut self, resource: ResourceId, now: Nanos) {
        let state = &mut self.resources[resource.index()];
        state.on = None;
        state.closed_at = Some(now);
        self.probes.retain(|_, (of, _)| *of != resource);
    }

    /// All that waited has been dealt with.
    pub(super) fn closed(&mut self, resource: ResourceId, now: Nanos) {
        if self.resources[resource.index()].in_service == 0 {
            self.tell(now, Stimulus::Drained { resource });
        }
    }

    /// What is still in service counts no more.
    pub(super) fn abandon(&mut self, resource: ResourceId, now: Nanos) {
        let state = &mut self.resources[resource.index()];
        state.abandoned_at = Some(now);
        state.in_service = 0;
    }

    /// The resource takes requests on `node`. The messages that were kept for it, class by class, the oldest first.
    pub(super) fn open(&mut self, resource: ResourceId, node: NodeId) -> Vec<(ClassId, PackedItem)> {
        self.resources[resource.index()].on = Some(node);
        let mut kept = Vec::new();
        for (at, class) in self.classes.iter_mut().enumerate().filter(|(_, class)| class.resource == resource) {
            kept.extend(class.kept.drain(..).map(|item| (ClassId(at as u16), item)));
        }
        self.messages_delayed += kept.len() as u64;
        kept
    }

    /// A thread begins an item.
    pub(super) fn started(&mut self, class: ClassId) {
        let resource = self.classes[class.index()].resource;
        self.resources[resource.index()].in_service += 1;
    }

    /// The thread of an item that was not abandoned is gone with its node.
    pub(super) fn lost_with_node(&mut self, class: ClassId) {
        let resource = self.classes[class.index()].resource;
        self.resources[resource.index()].in_service -= 1;
    }

    /// Whether an item that was begun at `started` has been abandoned since.
    pub(super) fn is_abandoned(&self, class: ClassId, started: Nanos) -> bool {
        self.resource_of(class).abandoned_at.is_some_and(|at| started < at)
    }

    /// A thread is done with an item that was not abandoned.
    pub(super) fn finished(&mut self, class: ClassId, item: &PackedItem, now: Nanos) {
        let state = &self.classes[class.index()];
        let (resource, is_probe) = (state.resource, state.is_probe);
        if is_probe && let Some((resource, probe)) = self.probes.remove(&(item.source(), item.number())) {
            self.tell(now, Stimulus::ProbeServed { resource, probe });
        }
        let state = &mut self.resources[resource.index()];
        state.in_service -= 1;
        if state.in_service == 0 && state.on.is_none() {
            self.tell(now, Stimulus::Drained { resource });
        }
    }

    /// A message whose service was abandoned is put back on its queue.
    pub(super) fn note_put_back(&mut self) {
        self.messages_resumed += 1;
    }

    /// How long a phase of `time` that begins at `at` on `node` lasts: the pool stands still now and then.
    pub(super) fn stretched(&self, node: usize, at: Nanos, time: Nanos) -> Nanos {
        let mut end = at + time;
        for (from, until) in &self.standstills[node] {
            if *until > at && *from < end {
                end += until.since((*from).max(at));
            }
        }
        end.since(at)
    }

    /// Ends the run.
    pub(super) fn close_books(self, end: Nanos) -> FailoverSummary {
        FailoverSummary {
            cluster: self.cluster.close_books(end),
            sessions_cut: self.sessions_cut,
            messages_delayed: self.messages_delayed + self.classes.iter().map(|c| c.kept.len() as u64).sum::<u64>(),
            messages_resumed: self.messages_resumed,
        }
    }
}

/// By node: the times in which its pool stands still; one that never goes on does so for ever.
fn standstills(plan: &ClusterPlan) -> Vec<Vec<(Nanos, Nanos)>> {
    let of = |node: NodeId| {
        let mut times = Vec::new();
        let mut since = None;
        for fault in plan.spec.faults.iter().filter(|fault| fault.node == node) {
            match fault.what {
                NodeEvent::Hangs => since = since.or(Some(fault.at)),
                NodeEvent::Dies | NodeEvent::Returns => times.extend(since.take().map(|from| (from, fault.at))),
            }
        }
        times.extend(since.map(|from| (from, Nanos::MAX)));
        times
    };
    (0..plan.nodes.len()).map(|at| of(NodeId(at as u16))).collect()
}
