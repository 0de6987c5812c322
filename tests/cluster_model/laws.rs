//! Laws that hold for any cluster, whatever happens to its nodes and however its pools behave.

use std::collections::BTreeMap;

use atqsim::models::cluster::spec::{
    ClusterSpec, Failback, GroupId, NodeEvent, NodeFault, NodeId, ResourceId, RestartAction, Watch,
};
use atqsim::models::cluster::{Effect, GroupState, NodeState, ResourceState, Stimulus, What};
use atqsim::time::Nanos;
use proptest::prelude::*;

use super::driver::{Driver, Pools, group, resource, s};

/// Pools that answer as a table says, over and over; `None`: never.
#[derive(Clone, Debug)]
struct Table {
    answers: Vec<Option<u64>>,
    drains: Vec<Option<u64>>,
    asked: usize,
}

impl Table {
    fn next(&mut self, of: fn(&Table) -> &[Option<u64>]) -> Option<Nanos> {
        self.asked += 1;
        let table = of(self);
        table[self.asked % table.len()].map(s)
    }
}

impl Pools for Table {
    fn answers_after(&mut self, _: ResourceId, _: u64, _: Nanos) -> Option<Nanos> {
        self.next(|table| &table.answers)
    }

    fn drains_after(&mut self, _: ResourceId, _: Nanos) -> Option<Nanos> {
        self.next(|table| &table.drains)
    }
}

fn table() -> impl Strategy<Value = Table> {
    let after = || prop_oneof![3 => (0_u64..60).prop_map(Some), 2 => Just(None), 1 => (100_u64..400).prop_map(Some)];
    let list = || prop::collection::vec(after(), 1..8);
    (list(), list()).prop_map(|(answers, drains)| Table { answers, drains, asked: 0 })
}

fn watch() -> impl Strategy<Value = Option<Watch>> {
    prop_oneof![
        1 => Just(None),
        4 => (1_u64..30, 5_u64..300).prop_map(|(every, timeout)| {
            Some(Watch::Monitor { every: s(every), is_alive_timeout: s(timeout) })
        }),
        2 => (1_u64..20, 5_u64..90, 1_u64..120).prop_map(|(looks, is, within)| Some(Watch::Generic {
            looks_alive_every: s(looks),
            is_alive_every: s(is),
            answer_within: s(within),
        })),
    ]
}

fn failback() -> impl Strategy<Value = Failback> {
    prop_oneof![
        Just(Failback::Prevent),
        Just(Failback::Immediate),
        (0_u8..24, 1_u8..24)
            .prop_map(|(from, more)| { Failback::Window { from_hour: from, until_hour: (from + more) % 24 } }),
    ]
}

fn action() -> impl Strategy<Value = RestartAction> {
    prop_oneof![
        1 => Just(RestartAction::DontRestart),
        2 => Just(RestartAction::RestartNoNotify),
        4 => Just(RestartAction::RestartNotify),
    ]
}

prop_compose! {
    fn a_resource(at: usize, in_group: u16, before: Vec<ResourceId>)(
        watch in watch(),
        restart_threshold in 0_u32..4,
        restart_period in 1_u64..2_000,
        restart_action in action(),
        retry in prop::option::of(1_u64..2_000),
        pending in 1_u64..200,
        online in 0_u64..60,
        offline in 0_u64..60,
        depends in prop::sample::subsequence(before.clone(), 0..=before.len()),
    ) -> atqsim::models::cluster::spec::ResourceSpec {
        let mut own = resource(&format!("r{at}"), in_group);
        own.watch = watch;
        (own.restart_threshold, own.restart_period, own.restart_action) = (restart_threshold, s(restart_period), restart_action);
        own.retry_after = retry.map(s);
        (own.pending_timeout, own.online_takes, own.offline_takes) = (s(pending), s(online), s(offline));
        own.depends_on = depends;
        own
    }
}

fn a_group(nodes: u16) -> impl Strategy<Value = (Vec<u16>, usize, u32, u64, Failback, usize)> {
    let owners = prop::sample::subsequence((0..nodes).collect::<Vec<_>>(), 1..=usize::from(nodes)).prop_shuffle();
    (owners, any::<prop::sample::Index>(), 0_u32..5, 1_u64..20_000, failback(), 1_usize..4).prop_map(
        |(owners, at, threshold, period, failback, count)| {
            let starts = at.index(owners.len());
            (owners, starts, threshold, period, failback, count)
        },
    )
}

fn clusters() -> impl Strategy<Value = ClusterSpec> {
    (2_u16..5)
        .prop_flat_map(|nodes| {
            let event = prop_oneof![Just(NodeEvent::Dies), Just(NodeEvent::Hangs), Just(NodeEvent::Returns)];
            let fault = (0_u64..RUN, 0..nodes, event).prop_map(|(at, node, what)| NodeFault {
                at: s(at),
                node: NodeId(node),
                what,
            });
            (Just(nodes), prop::collection::vec(a_group(nodes), 1..4), prop::collection::vec(fault, 0..10))
        })
        .prop_flat_map(|(nodes, groups, mut faults)| {
            faults.sort_by_key(|fault| fault.at);
            let mut resources: Vec<BoxedStrategy<_>> = Vec::new();
            for (in_group, (.., count)) in groups.iter().enumerate() {
                let first = resources.len();
                for at in first..first + count {
                    let before = (first..at).map(|on| ResourceId(on as u16)).collect();
                    resources.push(a_resource(at, in_group as u16, before).boxed());
                }
            }
            (Just((nodes, groups, faults)), resources)
        })
        .prop_map(|((nodes, groups, faults), resources)| ClusterSpec {
            nodes: (0..nodes).map(|at| format!("n{at}")).collect(),
            groups: groups
                .into_iter()
                .enumerate()
                .map(|(at, (owners, starts, threshold, period, failback, _))| {
                    let mut own = group(&format!("g{at}"), &owners);
                    own.starts_on = NodeId(owners[starts]);
                    (own.failover_threshold, own.failover_period, own.failback) = (threshold, s(period), failback);
                    own
                })
                .collect(),
            resources,
            faults,
        })
}

/// How long a run is, in seconds.
const RUN: u64 = 20_000;

/// What an engine sees of the cluster.
#[derive(Default)]
struct Witness {
    open: BTreeMap<ResourceId, NodeId>,
    probes: Vec<u64>,
    seen: usize,
    dead: Vec<NodeId>,
    hung: Vec<NodeId>,
}

impl Witness {
    fn look(&mut self, spec: &ClusterSpec, driver: &Driver<Table>) {
        for (at, effect) in &driver.effects[self.seen..] {
            match *effect {
                Effect::Open { resource, node } => {
                    assert!(!self.dead.contains(&node), "{resource:?} is opened on a dead node at {at}");
                    assert!(!self.hung.contains(&node), "{resource:?} is opened on a hung node at {at}");
                    assert_eq!(self.open.insert(resource, node), None, "{resource:?} is opened twice, at {at}");
                    let on_which = &spec.resources[resource.index()].depends_on;
                    assert!(
                        on_which.iter().all(|on| self.open.contains_key(on)) || *at == Nanos::ZERO,
                        "{resource:?} at {at}"
                    );
                }
                Effect::Close { resource, node, .. } => {
                    assert_eq!(self.open.remove(&resource), Some(node), "{resource:?} is closed at {at}");
                }
                Effect::Probe { resource, probe, node } => {
                    assert_eq!(self.open.get(&resource), Some(&node), "a probe of {resource:?} at {at}");
                    assert!(self.probes.last().is_none_or(|last| *last < probe), "a probe's number is used once");
                    self.probes.push(probe);
                }
                Effect::Abandon { resource, .. } => {
                    assert!(!self.open.contains_key(&resource), "{resource:?} is abandoned while open, at {at}");
                }
                Effect::NodeDown { node } => {
                    self.hung.retain(|hung| *hung != node);
                    self.dead.push(node);
                }
                Effect::NodeHangs { node } => self.hung.push(node),
                Effect::NodeUp { node } => {
                    self.dead.retain(|dead| *dead != node);
                    self.hung.retain(|hung| *hung != node);
                }
            }
        }
        self.seen = driver.effects.len();
    }

    fn agrees(&self, spec: &ClusterSpec, driver: &Driver<Table>) {
        let cluster = &driver.cluster;
        for (at, own) in spec.groups.iter().enumerate() {
            let id = GroupId(at as u16);
            let node = cluster.node_of(id);
            assert!(node.is_none_or(|node| own.owners.contains(&node)), "{} is on {node:?}", own.name);
            let resources =
                || (0..spec.resources.len() as u16).map(ResourceId).filter(|of| spec.resources[of.index()].group == id);
            for of in resources() {
                assert_eq!(cluster.is_open(of), self.open.contains_key(&of));
                assert!(self.open.get(&of).is_none_or(|on| Some(*on) == node), "a group is on one node");
                assert_eq!(cluster.is_open(of), cluster.resource_state(of) == ResourceState::Online);
            }
            let states: Vec<_> = resources().map(|of| cluster.resource_state(of)).collect();
            let online = states.iter().filter(|state| **state == ResourceState::Online).count();
            match cluster.group_state(id) {
                GroupState::Online => assert_eq!(online, states.len()),
                GroupState::Offline => assert_eq!(online, 0),
                GroupState::PartialOnline => assert!(online > 0 && online < states.len()),
                GroupState::Pending | GroupState::Failed => assert!(online < states.len()),
            }
            if let Some(node) = node {
                let is_dead = cluster.node_state(node) == NodeState::Down;
                assert!(!is_dead || cluster.group_state(id) == GroupState::Failed, "{} is on a dead node", own.name);
            } else {
                let there = own.owners.iter().any(|node| cluster.node_state(*node) != NodeState::Down);
                assert!(!there, "{} is on no node, and one could host it", own.name);
            }
        }
    }
}

/// From each moment on something, in order, each different from the one before, and from the begin on.
fn is_lane<S: PartialEq>(lane: &[(Nanos, S)], end: Nanos) -> bool {
    lane.first().is_some_and(|(at, _)| *at == Nanos::ZERO)
        && lane.last().is_some_and(|(at, _)| *at <= end)
        && lane.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 != two[1].1)
}

fn driven(spec: &ClusterSpec, pools: &Table, mut each: impl FnMut(&Driver<Table>)) -> Driver<Table> {
    let mut driver = Driver::new(spec, pools.clone());
    each(&driver);
    while driver.next() < s(RUN) {
        driver.turn();
        each(&driver);
    }
    driver.now = s(RUN);
    driver
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_the_laws_hold(spec in clusters(), pools in table()) {
        let mut witness = Witness::default();
        let driver = driven(&spec, &pools, |driver| {
            witness.look(&spec, driver);
            witness.agrees(&spec, driver);
        });
        let summary = driver.close();
        // Counts are those of the log.
        let count = |is: &dyn Fn(&What) -> bool| summary.events.iter().filter(|entry| is(&entry.what)).count() as u64;
        prop_assume!(summary.events_dropped == 0);
        prop_assert!(summary.events.windows(2).all(|two| two[0].at <= two[1].at));
        let failed = count(&|what| matches!(what, What::FailedIsAlive(_) | What::FailedOnline(_)));
        prop_assert_eq!(summary.failures(), failed);
        prop_assert_eq!(summary.restarts(), count(&|what| matches!(what, What::Restarted(_))));
        prop_assert_eq!(summary.failovers(), count(&|what| matches!(what, What::Moves { home: false, .. })));
        prop_assert_eq!(summary.failbacks(), count(&|what| matches!(what, What::Moves { home: true, .. })));
        for history in &summary.nodes {
            prop_assert!(is_lane(&history.lane, summary.end), "{:?}", history.lane);
        }
        for history in &summary.groups {
            prop_assert!(is_lane(&history.lane, summary.end), "{:?}", history.lane);
        }
        for history in &summary.resources {
            prop_assert!(is_lane(&history.lane, summary.end), "{:?}", history.lane);
            prop_assert!(history.restarts <= history.failures);
            // The time in which it was not online is the sum of its causes, but for a wait before it goes offline.
            let ends = history.lane.iter().skip(1).map(|(at, _)| *at).chain([summary.end]);
            let offline: Nanos = history
                .lane
                .iter()
                .zip(ends)
                .filter(|((_, state), _)| *state != ResourceState::Online)
                .fold(Nanos::ZERO, |sum, ((from, _), until)| sum + until.since(*from));
            prop_assert!(history.off.total() >= offline, "{} < {offline}", history.off.total());
            prop_assert!(history.off.total() <= summary.end);
        }
    }

    #[test]
    fn the_same_stimuli_have_the_same_effects(spec in clusters(), pools in table()) {
        let one = driven(&spec, &pools, |_| {});
        let two = driven(&spec, &pools, |_| {});
        prop_assert_eq!(&one.effects, &two.effects);
        prop_assert_eq!(one.close(), two.close());
    }

    /// An answer that nobody waits for, or a word that nobody asked for, is as if it had not been said.
    #[test]
    fn what_is_stale_changes_nothing(spec in clusters(), pools in table()) {
        let plain = driven(&spec, &pools, |_| {});
        let mut driver = Driver::new(&spec, pools);
        let mut gone: Vec<(ResourceId, u64)> = Vec::new();
        while driver.next() < s(RUN) {
            driver.turn();
            let (effects, now) = (&driver.effects, driver.now);
            if let Some((_, Effect::Close { resource, .. })) = effects.last() {
                gone = effects
                    .iter()
                    .filter_map(|(_, effect)| match effect {
                        Effect::Probe { resource: of, probe, .. } if of == resource => Some((*of, *probe)),
                        _ => None,
                    })
                    .collect();
            }
            let deadline = driver.cluster.next_deadline();
            for (resource, probe) in gone.drain(..) {
                let mut more = Vec::new();
                if deadline > now {
                    driver.cluster.tell(now, Stimulus::ProbeServed { resource, probe }, &mut more);
                }
                prop_assert_eq!(more, []);
            }
            let open: Vec<_> = (0..spec.resources.len() as u16).map(ResourceId).filter(|id| driver.cluster.is_open(*id)).collect();
            for resource in open {
                let mut more = Vec::new();
                if deadline > now {
                    driver.cluster.tell(now, Stimulus::Drained { resource }, &mut more);
                }
                prop_assert_eq!(more, []);
            }
        }
        prop_assert_eq!(&plain.effects, &driver.effects);
    }
}
