//! A variant on a small cluster, for the tests of this room: the state machine itself makes the log and the time line.
//!
//! Not a run: which probes are answered is written down here.

use std::sync::Arc;

use super::super::{ClusterReport, VariantReport};
use super::{RUN, variant};
use crate::ids::ClassId;
use crate::metrics::failover::{ClusterFigures, FailoverSummary};
use crate::models::cluster::spec::{
    ClusterSpec, Failback, GroupId, GroupSpec, NodeEvent, NodeFault, NodeId, ResourceId, ResourceKind, ResourceSpec,
    RestartAction, Watch,
};
use crate::models::cluster::{Cluster, ClusterSummary, Effect, Stimulus};
use crate::plan::cluster::ClusterPlan;
use crate::plan::cluster::policies::Policies;
use crate::time::Nanos;

const fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

/// Two nodes and one group with POP3. No probe is answered from 60 s to 260 s, so POP3 fails and is restarted; the first
/// node dies after 400 s and returns after 500 s, so the group fails over and back. Quiet: nothing of it happens.
pub(in crate::report) fn on_cluster(name: &str, blocked: Nanos, quiet: bool) -> VariantReport {
    let mut report = variant(name, &[], blocked);
    let spec = Arc::new(spec(quiet));
    let cluster = happened(&spec, quiet);
    let happened = FailoverSummary { cluster, sessions_cut: 17, messages_delayed: 4, messages_resumed: 1 };
    let mut plan = (*report.plan).clone();
    plan.classes[0].name = "evs1.pop3".into();
    let mut resource_of = vec![None; plan.classes.len()];
    resource_of[0] = Some(ResourceId(0));
    let planned = ClusterPlan {
        spec: Arc::clone(&spec),
        nodes: Vec::new(),
        resource_of,
        probe_class: vec![None],
        probe_source: vec![None],
        group_of_source: vec![GroupId(0); plan.load.sources.len()],
        policies: Policies::default(),
    };
    let users = planned.classes_of_users(&plan.classes);
    assert_eq!(users, [Some(ClassId(0))]);
    let figures = ClusterFigures::of(&happened, &report.summary, &spec, &users, &planned.probe_class);
    plan.cluster = Some(Arc::new(planned));
    report.plan = Arc::new(plan);
    report.cluster = Some(ClusterReport { happened, figures, over_runs: Vec::new() });
    report
}

fn spec(quiet: bool) -> ClusterSpec {
    let fault = |at, what| NodeFault { at: s(at), node: NodeId(0), what };
    ClusterSpec {
        nodes: vec!["n1".into(), "n2".into()],
        groups: vec![GroupSpec {
            name: "evs1".into(),
            display_name: "VIRTUAL SERVER 1".into(),
            owners: vec![NodeId(0), NodeId(1)],
            starts_on: NodeId(0),
            failover_threshold: 10,
            failover_period: s(21_600),
            failback: Failback::Immediate,
        }],
        resources: vec![ResourceSpec {
            name: "pop3".into(),
            display_name: "Exchange POP3 Virtual Server Instance".into(),
            group: GroupId(0),
            kind: ResourceKind::Pop3,
            depends_on: Vec::new(),
            restart_threshold: 3,
            restart_period: s(900),
            restart_action: RestartAction::RestartNotify,
            retry_after: None,
            pending_timeout: s(180),
            online_takes: s(20),
            offline_takes: s(10),
            watch: Some(Watch::Monitor { every: s(10), is_alive_timeout: s(180) }),
        }],
        faults: if quiet { Vec::new() } else { vec![fault(400, NodeEvent::Dies), fault(500, NodeEvent::Returns)] },
    }
}

fn happened(spec: &Arc<ClusterSpec>, quiet: bool) -> ClusterSummary {
    let mut cluster = Cluster::new(Arc::clone(spec));
    let mut effects = Vec::new();
    let mut now = Nanos::ZERO;
    cluster.begin(&mut effects);
    loop {
        for effect in std::mem::take(&mut effects) {
            let answer = match effect {
                Effect::Probe { resource, probe, .. } if quiet || !(s(60)..s(260)).contains(&now) => {
                    Stimulus::ProbeServed { resource, probe }
                }
                Effect::Close { resource, .. } => Stimulus::Drained { resource },
                _ => continue,
            };
            cluster.tell(now, answer, &mut effects);
        }
        if !effects.is_empty() {
            continue;
        }
        now = cluster.next_deadline();
        if now >= RUN {
            return cluster.close_books(RUN);
        }
        cluster.tell(now, Stimulus::Time, &mut effects);
    }
}
