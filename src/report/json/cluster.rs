//! What became of a cluster, as programs see it: the shape and what fills it.
//!
//! Not the figures, which are `metrics::failover`'s. Called by `fill`; documented in `docs/json.md`, like every other field.

use serde::Serialize;

use super::super::ClusterReport;
use super::fill::seconds;
use super::wire::{Finite, Map};
use crate::metrics::failover::{self, ServiceTime};
use crate::models::cluster::spec::NodeId;
use crate::models::cluster::{Entry, GroupState, NodeState, ResourceState};
use crate::plan::cluster::ClusterPlan;
use crate::time::Nanos;

/// `cluster` of a variant.
#[derive(Debug, Serialize)]
pub(super) struct Cluster {
    failovers: u64,
    restarts: u64,
    failures: u64,
    failbacks: u64,
    mean_time_between_failovers_s: Option<Finite>,
    unavailable_s: Map<Finite>,
    unavailable_by_failover_s: Map<Finite>,
    offline_s: Map<Finite>,
    starved_s: Map<Finite>,
    sessions_cut: u64,
    messages_delayed: u64,
    messages_resumed: u64,
    probes_sent: u64,
    probes_unanswered: u64,
    timeline: Vec<Lane>,
    events: Vec<Event>,
    events_dropped: u64,
    replications: Option<Map<OverRuns>>,
}

#[derive(Debug, Serialize)]
pub(in crate::report) struct Lane {
    kind: &'static str,
    name: String,
    spans: Vec<Span>,
    unanswered_s: Vec<Finite>,
    unanswered: u64,
}

#[derive(Debug, Serialize)]
struct Span {
    from_s: Finite,
    to_s: Finite,
    state: &'static str,
    node: Option<String>,
}

#[derive(Debug, Serialize)]
struct Event {
    at_s: Finite,
    node: Option<String>,
    kind: &'static str,
    source: &'static str,
    id: Option<u32>,
    category: Option<u32>,
    group: Option<String>,
    resource: Option<String>,
    text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct OverRuns {
    mean: Finite,
    half_width: Finite,
    min: Finite,
    max: Finite,
}

/// Figures over several runs whose names begin with `prefix`, which is left off; `None` for one run.
pub(super) fn over_runs(figures: &[failover::OverRuns], prefix: &str) -> Option<Map<OverRuns>> {
    let own = figures.iter().filter_map(|figure| Some((figure.name.strip_prefix(prefix)?, figure)));
    let told = own.map(|(name, figure)| {
        let runs = OverRuns {
            mean: Finite(figure.estimate.mean),
            half_width: Finite(figure.estimate.half_width),
            min: Finite(figure.least),
            max: Finite(figure.most),
        };
        (name.to_string(), runs)
    });
    (!figures.is_empty()).then(|| Map(told.collect()))
}

pub(super) fn cluster(plan: &ClusterPlan, found: &ClusterReport) -> Cluster {
    let (figures, happened) = (&found.figures, &found.happened);
    let times = |of: fn(&ServiceTime) -> Nanos| {
        Map(figures.services.iter().map(|service| (service.name.clone(), seconds(of(service)))).collect())
    };
    Cluster {
        failovers: figures.failovers,
        restarts: figures.restarts,
        failures: figures.failures,
        failbacks: figures.failbacks,
        mean_time_between_failovers_s: figures.mean_time_between_failovers.map(seconds),
        unavailable_s: times(ServiceTime::unavailable),
        unavailable_by_failover_s: times(|service| service.by_moves),
        offline_s: times(|service| service.offline),
        starved_s: times(|service| service.starved),
        sessions_cut: figures.sessions_cut,
        messages_delayed: figures.messages_delayed,
        messages_resumed: figures.messages_resumed,
        probes_sent: figures.probes_sent,
        probes_unanswered: figures.probes_unanswered,
        timeline: lanes(plan, found),
        events: happened.cluster.events.iter().map(|entry| event(plan, entry)).collect(),
        events_dropped: happened.cluster.events_dropped,
        replications: over_runs(&found.over_runs, ""),
    }
}

/// The lanes of all nodes, then of each group with its resources.
pub(in crate::report) fn lanes(plan: &ClusterPlan, found: &ClusterReport) -> Vec<Lane> {
    let (spec, cluster) = (&plan.spec, &found.happened.cluster);
    let end = cluster.end;
    let lane = |kind, name: String, spans| Lane { kind, name, spans, unanswered_s: Vec::new(), unanswered: 0 };
    let nodes = spec.nodes.iter().zip(&cluster.nodes).map(|(name, history)| {
        let states = history.lane.iter().map(|(at, state)| (*at, node_word(*state), None));
        lane("node", name.clone(), spans(states, end))
    });
    let mut lanes: Vec<Lane> = nodes.collect();
    for (group, history) in spec.groups.iter().zip(&cluster.groups) {
        let states = history.lane.iter().map(|(at, (state, on))| (*at, group_word(*state), name_of(plan, *on)));
        lanes.push(lane("group", group.name.clone(), spans(states, end)));
        for (resource, history) in spec.resources.iter().zip(&cluster.resources) {
            if spec.groups[resource.group.index()].name == group.name {
                let states = history.lane.iter().map(|(at, state)| (*at, resource_word(*state), None));
                lanes.push(Lane {
                    unanswered_s: history.unanswered.iter().map(|at| seconds(*at)).collect(),
                    unanswered: history.unanswered_count,
                    ..lane("resource", format!("{}.{}", group.name, resource.name), spans(states, end))
                });
            }
        }
    }
    lanes
}

/// Each state until the next, the last one until the end.
fn spans(states: impl Iterator<Item = (Nanos, &'static str, Option<String>)>, end: Nanos) -> Vec<Span> {
    let mut states = states.peekable();
    let mut spans = Vec::new();
    while let Some((from, state, node)) = states.next() {
        let to = states.peek().map_or(end, |(next, ..)| *next);
        spans.push(Span { from_s: seconds(from), to_s: seconds(to), state, node });
    }
    spans
}

fn event(plan: &ClusterPlan, entry: &Entry) -> Event {
    let spec = &plan.spec;
    Event {
        at_s: seconds(entry.at),
        node: name_of(plan, entry.node),
        kind: entry.kind().name(),
        source: entry.source(),
        id: entry.id(),
        category: entry.category(),
        group: entry.group(spec).map(|id| spec.groups[id.index()].name.clone()),
        resource: entry.resource().map(|id| spec.resources[id.index()].name.clone()),
        text: entry.text(spec),
    }
}

fn name_of(plan: &ClusterPlan, node: Option<NodeId>) -> Option<String> {
    node.and_then(|node| plan.spec.nodes.get(node.index())).cloned()
}

fn node_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Up => "up",
        NodeState::Hung => "hung",
        NodeState::Down => "down",
    }
}

fn group_word(state: GroupState) -> &'static str {
    match state {
        GroupState::Online => "online",
        GroupState::Offline => "offline",
        GroupState::Failed => "failed",
        GroupState::PartialOnline => "partial-online",
        GroupState::Pending => "pending",
    }
}

fn resource_word(state: ResourceState) -> &'static str {
    match state {
        ResourceState::Online => "online",
        ResourceState::Offline => "offline",
        ResourceState::Failed => "failed",
        ResourceState::OnlinePending => "online-pending",
        ResourceState::OfflinePending => "offline-pending",
    }
}
