//! What holds on real threads too. Small loads at high speed: the machine may be busy, so only laws are looked at.

use std::sync::Arc;

use atqsim::engine::{Options, RunOutput, threaded, virtual_time};
use atqsim::plan::Plan;

use super::world::{check, faults, plan, two_groups};

fn both(text: &str) -> (Plan, [RunOutput; 2]) {
    let plan = plan(text);
    let real = threaded::run(&Arc::new(plan.clone()), &Options::default()).unwrap();
    let exact = virtual_time::run(&plan, &Options::default()).unwrap();
    (plan, [exact, real])
}

/// No message is lost or delivered twice, as far as counts can say: each that was accepted has ended or is somewhere.
fn check_messages(plan: &Plan, output: &RunOutput) {
    let of = |name: &str| &output.summary.classes[plan.class(name).unwrap().index()];
    for group in ["evs1", "evs2"] {
        let accepted = of(&format!("{group}.smtp-in")).outcomes.served;
        let queues = ["pre-submission", "pre-categorization", "pre-routing", "local-delivery", "dsn"];
        let all = queues.map(|queue| of(&format!("{group}.{queue}")));
        let source = plan.load.sources.iter().position(|source| source.name == format!("{group}.mail")).unwrap();
        let journeys = output.summary.journeys.iter().find(|journeys| journeys.source.index() == source).unwrap();
        let unfinished: u64 = all.iter().map(|queue| queue.outcomes.unfinished).sum();
        let lost: u64 =
            all.iter().map(|queue| queue.outcomes.lost + queue.outcomes.refused + queue.outcomes.gave_up).sum();
        assert_eq!(lost, 0);
        assert!(journeys.completed <= accepted, "{group}");
        // One that was abandoned may be held by its old thread and be on its way again.
        assert!(
            journeys.completed + unfinished >= accepted,
            "{group}: {} + {unfinished} < {accepted}",
            journeys.completed
        );
    }
}

#[test]
fn a_node_dies_and_returns() {
    let times = "online_takes = \"5s\"\nfailback = \"immediate\"\n";
    let (plan, outputs) = both(&two_groups("3m", times, &faults(&[(60, "n1", "dies"), (100, "n1", "returns")])));
    for output in &outputs {
        check(&plan, output);
        check_messages(&plan, output);
        let failover = output.failover.as_ref().unwrap();
        assert_eq!((failover.cluster.failovers(), failover.cluster.failbacks()), (1, 1));
        assert!(failover.sessions_cut > 0);
    }
}

#[test]
fn a_node_hangs_and_its_group_moves() {
    let policies =
        "probe_every = \"2s\"\nis_alive_timeout = \"12s\"\npending_timeout = \"10s\"\nrestart_threshold = 1\n";
    let (plan, outputs) = both(&two_groups("3m", policies, &faults(&[(60, "n1", "hangs"), (150, "n1", "returns")])));
    for output in &outputs {
        check(&plan, output);
        check_messages(&plan, output);
        let failover = output.failover.as_ref().unwrap();
        assert!(failover.cluster.failovers() >= 1 && failover.cluster.restarts() >= 1);
        assert!(failover.messages_resumed > 0);
    }
}

#[test]
fn every_node_dies() {
    let (plan, outputs) = both(&two_groups("2m", "", &faults(&[(40, "n1", "dies"), (60, "n2", "dies")])));
    for output in &outputs {
        check(&plan, output);
        check_messages(&plan, output);
        let unreachable = |name: &str| output.summary.classes[plan.class(name).unwrap().index()].outcomes.unreachable;
        assert!(unreachable("evs1.pop3") > 0 && unreachable("evs2.pop3") > 0);
    }
}
