//! Plays the engine for a cluster: keeps a calendar of answers, tells the time, and keeps everything that was decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use atqsim::models::cluster::spec::{
    ClusterSpec, Failback, GroupId, GroupSpec, NodeEvent, NodeFault, NodeId, ResourceId, ResourceKind, ResourceSpec,
    RestartAction, Watch,
};
use atqsim::models::cluster::{Cluster, ClusterSummary, Effect, Stimulus};
use atqsim::time::Nanos;

pub(crate) fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

/// A resource as the documentation has it, that takes no time to come and go.
pub(crate) fn resource(name: &str, group: u16) -> ResourceSpec {
    ResourceSpec {
        name: name.to_string(),
        display_name: format!("Exchange {name} Virtual Server Instance"),
        group: GroupId(group),
        kind: ResourceKind::Pop3,
        depends_on: Vec::new(),
        restart_threshold: 3,
        restart_period: s(900),
        restart_action: RestartAction::RestartNotify,
        retry_after: None,
        pending_timeout: s(180),
        online_takes: Nanos::ZERO,
        offline_takes: Nanos::ZERO,
        watch: Some(Watch::Monitor { every: s(10), is_alive_timeout: s(180) }),
    }
}

pub(crate) fn group(name: &str, owners: &[u16]) -> GroupSpec {
    GroupSpec {
        name: name.to_string(),
        display_name: "VIRTUAL SERVER 1".to_string(),
        owners: owners.iter().map(|node| NodeId(*node)).collect(),
        starts_on: NodeId(owners[0]),
        failover_threshold: 10,
        failover_period: s(6 * 3_600),
        failback: Failback::Prevent,
    }
}

/// One group of one resource on two nodes.
pub(crate) fn spec() -> ClusterSpec {
    ClusterSpec {
        nodes: vec!["n1".to_string(), "n2".to_string()],
        groups: vec![group("evs1", &[0, 1])],
        resources: vec![resource("POP3", 0)],
        faults: Vec::new(),
    }
}

pub(crate) fn fault(at: u64, node: u16, what: NodeEvent) -> NodeFault {
    NodeFault { at: s(at), node: NodeId(node), what }
}

/// How the pools behave towards the cluster.
pub(crate) trait Pools {
    /// How long the answer to a probe takes that is sent at `now`; `None`: it never comes.
    fn answers_after(&mut self, resource: ResourceId, probe: u64, now: Nanos) -> Option<Nanos>;
    /// How long what is in service takes after a resource was closed; `None`: it never ends.
    fn drains_after(&mut self, _resource: ResourceId, _now: Nanos) -> Option<Nanos> {
        Some(Nanos::ZERO)
    }
}

/// Pools that never answer between these moments, and always at once outside of them.
pub(crate) struct Silent(pub(crate) Vec<(Nanos, Nanos)>);

impl Pools for Silent {
    fn answers_after(&mut self, _: ResourceId, _: u64, now: Nanos) -> Option<Nanos> {
        (!self.0.iter().any(|(from, until)| *from <= now && now < *until)).then_some(Nanos::ZERO)
    }
}

/// More turns than this at one moment are an endless loop.
const TURNS_AT_ONE_MOMENT: u32 = 10_000;

pub(crate) struct Driver<P> {
    pub(crate) cluster: Cluster,
    pub(crate) effects: Vec<(Nanos, Effect)>,
    pub(crate) now: Nanos,
    pools: P,
    /// What is to be told, and when; the number keeps the order.
    calendar: BTreeMap<(Nanos, u64), Stimulus>,
    number: u64,
    turns: u32,
}

impl<P: Pools> Driver<P> {
    pub(crate) fn new(spec: &ClusterSpec, pools: P) -> Driver<P> {
        let mut cluster = Cluster::new(Arc::new(spec.clone()));
        let mut effects = Vec::new();
        cluster.begin(&mut effects);
        let mut driver = Driver {
            cluster,
            effects: Vec::new(),
            now: Nanos::ZERO,
            pools,
            calendar: BTreeMap::new(),
            number: 0,
            turns: 0,
        };
        driver.carry_out(effects);
        driver
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.effects.push((self.now, effect));
            let (after, what) = match effect {
                Effect::Probe { resource, probe, .. } => {
                    let after = self.pools.answers_after(resource, probe, self.now);
                    (after, Stimulus::ProbeServed { resource, probe })
                }
                Effect::Close { resource, .. } => {
                    (self.pools.drains_after(resource, self.now), Stimulus::Drained { resource })
                }
                _ => continue,
            };
            if let Some(after) = after {
                self.number += 1;
                self.calendar.insert((self.now + after, self.number), what);
            }
        }
    }

    /// The next moment at which anything happens.
    pub(crate) fn next(&self) -> Nanos {
        let told = self.calendar.keys().next().map_or(Nanos::MAX, |(at, _)| *at);
        told.min(self.cluster.next_deadline())
    }

    /// Does the next thing. Answers come before the cluster's own turn.
    pub(crate) fn turn(&mut self) {
        let next = self.next();
        assert!(next >= self.now, "a deadline at {next} lies before {}", self.now);
        self.turns = if next > self.now { 0 } else { self.turns + 1 };
        assert!(self.turns < TURNS_AT_ONE_MOMENT, "time stands still at {next}");
        self.now = next;
        let what = match self.calendar.first_entry() {
            Some(entry) if entry.key().0 == next => entry.remove(),
            _ => Stimulus::Time,
        };
        let mut effects = Vec::new();
        self.cluster.tell(next, what, &mut effects);
        self.carry_out(effects);
    }

    pub(crate) fn until(mut self, end: Nanos) -> Driver<P> {
        while self.next() < end {
            self.turn();
        }
        self.now = end;
        self
    }

    pub(crate) fn close(self) -> ClusterSummary {
        self.cluster.close_books(self.now)
    }

    /// The effects but for probes, each with its second.
    pub(crate) fn steps(&self) -> Vec<String> {
        let text = |(at, effect): &(Nanos, Effect)| {
            let at = at.0 / 1_000_000_000;
            match effect {
                Effect::Probe { .. } => None,
                Effect::Close { resource, node, .. } => Some(format!("{at} close r{} n{}", resource.0, node.0 + 1)),
                Effect::Abandon { resource, node } => Some(format!("{at} abandon r{} n{}", resource.0, node.0 + 1)),
                Effect::Open { resource, node } => Some(format!("{at} open r{} n{}", resource.0, node.0 + 1)),
                Effect::NodeDown { node } => Some(format!("{at} down n{}", node.0 + 1)),
                Effect::NodeHangs { node } => Some(format!("{at} hangs n{}", node.0 + 1)),
                Effect::NodeUp { node } => Some(format!("{at} up n{}", node.0 + 1)),
            }
        };
        self.effects.iter().filter_map(text).collect()
    }
}

/// The run of a spec with these pools.
pub(crate) fn run<P: Pools>(spec: &ClusterSpec, pools: P, seconds: u64) -> Driver<P> {
    Driver::new(spec, pools).until(s(seconds))
}

/// The entries of a log as text: second, id or nothing, and what.
pub(crate) fn log(summary: &ClusterSummary, spec: &ClusterSpec) -> Vec<String> {
    let entry = |entry: &atqsim::models::cluster::Entry| {
        let id = entry.id().map_or(String::new(), |id| format!("{id} "));
        format!("{} {id}{}", entry.at.0 / 1_000_000_000, entry.text(spec))
    };
    summary.events.iter().map(entry).collect()
}
