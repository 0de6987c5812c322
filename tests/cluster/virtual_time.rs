//! Exact: in virtual time, with everything that was seen.

use atqsim::engine::{Options, virtual_time};
use atqsim::item::Outcome;
use atqsim::metrics::ClassSummary;
use atqsim::models::cluster::{NodeState, ResourceState};
use atqsim::time::Nanos;

use super::world::{Seen, What, check, faults, plan, s, seen, two_groups};

fn class<'a>(seen: &'a Seen, name: &str) -> &'a ClassSummary {
    &seen.output.summary.classes[seen.plan.class(name).unwrap_or_else(|| panic!("no class {name}")).index()]
}

/// No probe is sent: what happens is what is told to happen.
const UNWATCHED: &str = "probe_every = \"100h\"\nis_alive_timeout = \"200h\"\n";

#[test]
fn a_node_that_is_lost_takes_sessions_with_it_and_no_message() {
    let times = "online_takes = \"20s\"\noffline_takes = \"5s\"\nfailback = \"immediate\"\n";
    let events = faults(&[(600, "n1", "dies"), (1_200, "n1", "returns")]);
    let seen = seen(&two_groups("30m", times, &events));
    seen.check_messages();
    let failover = seen.output.failover.as_ref().unwrap();
    assert_eq!((failover.cluster.failovers(), failover.cluster.failbacks(), failover.cluster.failures()), (1, 1, 0));
    assert!(failover.messages_resumed > 0 && failover.messages_delayed > 0 && failover.sessions_cut > 0);
    let pop3 = class(&seen, "evs1.pop3");
    assert!(pop3.outcomes.cut > 0 && pop3.outcomes.unreachable > 0, "{:?}", pop3.outcomes);
    assert_eq!(class(&seen, "evs2.pop3").outcomes.cut, 0);
    // Nothing of the first group begins or ends before it is online on the other node, nor before it is back.
    for told in seen.of("evs1.") {
        let is_off = (s(600) < told.now && told.now < s(620)) || (s(1_205) < told.now && told.now < s(1_220));
        let moves = matches!(told.what, What::Started | What::Finished(_));
        assert!(!(is_off && moves), "{told:?}");
    }
    // Users see it again after that.
    assert!(seen.of("evs1.pop3").any(|told| told.now > s(1_225) && told.what == What::Finished(Outcome::Served)));
    // Every item in service on the node was cut in that moment.
    assert!(seen.of("evs1.").any(|told| told.now == s(600) && told.what == What::Finished(Outcome::Cut)));
}

#[test]
fn queued_messages_keep_their_due_times_across_a_move() {
    let times = "online_takes = \"60s\"\n";
    let seen = seen(&two_groups("20m", times, &faults(&[(600, "n1", "dies")])));
    let mut waited_through = 0;
    for started in seen.of("evs1.").filter(|told| told.what == What::Started && seen.is_queue(&told.item)) {
        let same = |told: &&super::world::Told| {
            (told.item.source, told.item.number, told.item.step)
                == (started.item.source, started.item.number, started.item.step)
        };
        let arrived = seen.of("evs1.").filter(same).find(|told| told.what == What::Arrived).expect("it arrived");
        assert_eq!(arrived.item.due, started.item.due);
        waited_through += u64::from(arrived.now <= s(600) && started.now >= s(660));
    }
    let failover = seen.output.failover.as_ref().unwrap();
    // Those in service when the node died came again; each waited through the move.
    assert!(waited_through >= failover.messages_resumed && failover.messages_resumed > 0, "{waited_through}");
    let waits = ["evs1.pre-categorization", "evs1.local-delivery"].map(|name| class(&seen, name).started_wait.max);
    assert!(waits.iter().any(|longest| *longest >= s(60)), "{waits:?}");
}

#[test]
fn a_hung_node_serves_nothing_until_it_returns_and_then_goes_on() {
    let seen = seen(&two_groups("20m", UNWATCHED, &faults(&[(300, "n1", "hangs"), (420, "n1", "returns")])));
    seen.check_messages();
    for told in seen.of("evs1.").filter(|told| s(300) < told.now && told.now < s(420)) {
        assert!(matches!(told.what, What::Arrived | What::Left), "{told:?}");
    }
    let served = |prefix: &'static str, from: u64, until: u64| {
        let served = |told: &&super::world::Told| told.what == What::Finished(Outcome::Served);
        seen.of(prefix).filter(served).filter(|told| s(from) <= told.now && told.now < s(until)).count()
    };
    assert!(served("evs1.", 420, 480) > served("evs1.", 240, 300), "what waited is served");
    assert!(served("evs2.", 300, 420) > 100, "the other node goes on");
    let summary = &seen.output.failover.as_ref().unwrap().cluster;
    assert_eq!((summary.failures(), summary.failovers()), (0, 0));
    let lane = [(Nanos::ZERO, NodeState::Up), (s(300), NodeState::Hung), (s(420), NodeState::Up)];
    assert_eq!(summary.nodes[0].lane, lane);
    // Nothing was cut: the same as if its clients had waited.
    assert!(seen.told.iter().all(|told| told.what != What::Finished(Outcome::Cut)));
}

#[test]
fn what_is_in_service_when_pending_timeout_is_over_is_lost_to_its_client_and_messages_come_again() {
    let policies = "is_alive_timeout = \"60s\"\npending_timeout = \"30s\"\nrestart_threshold = 0\n";
    let events = faults(&[(303, "n1", "hangs"), (900, "n1", "returns")]);
    let seen = seen(&two_groups("20m", policies, &events));
    seen.check_messages();
    let failover = seen.output.failover.as_ref().unwrap();
    // The last answers are those of 300 s; 360 s: closed; 390 s: abandoned, and the group comes online on n2.
    let smtp = &failover.cluster.resources[0];
    let lane: Vec<_> = smtp.lane.iter().map(|(at, state)| (at.0 / 1_000_000_000, *state)).collect();
    assert_eq!(lane[..2], [(0, ResourceState::Online), (360, ResourceState::OfflinePending)]);
    assert_eq!(lane[2], (390, ResourceState::OnlinePending));
    assert!(failover.messages_resumed > 0);
    let when = (s(390), s(391));
    let again = |told: &&super::world::Told| {
        told.what == What::Arrived && told.item.due == told.now && when.0 <= told.now && told.now < when.1
    };
    assert_eq!(
        seen.of("evs1.").filter(|told| seen.is_queue(&told.item)).filter(again).count() as u64,
        failover.messages_resumed
    );
    // The threads of the hung node were with their items all the time, and it is only their clients that had gone.
    let late: Vec<_> = seen.of("evs1.").filter(|told| told.what == What::Finished(Outcome::Cut)).collect();
    assert!(late.iter().all(|told| told.now >= s(900)), "{:?}", late.first());
    assert!(late.len() as u64 >= failover.messages_resumed);
    let pop3 = class(&seen, "evs1.pop3").outcomes;
    assert!(pop3.cut > 0 && pop3.unreachable > 0, "{pop3:?}");
}

#[test]
fn sessions_of_before_are_cut_and_their_journeys_did_not_complete() {
    let policies = "is_alive_timeout = \"60s\"\npending_timeout = \"30s\"\nrestart_threshold = 0\n";
    let events = faults(&[(303, "n1", "hangs"), (900, "n1", "returns")]);
    let seen = seen(&two_groups("20m", policies, &events));
    let source =
        seen.plan.load.sources.iter().position(|source| source.name == "evs1.readers").expect("there are readers");
    let ended: Vec<_> = seen.ended.iter().filter(|(_, end)| end.source.index() == source).collect();
    // A session that began before the service went offline is over with its next command.
    for (at, end) in ended.iter().filter(|(at, _)| *at >= s(360)) {
        assert!(!end.completed || end.began >= s(360), "a session of {} completed at {at}", end.began);
    }
    assert!(ended.iter().any(|(at, end)| *at > s(400) && end.completed));
    let cut = ended.iter().filter(|(_, end)| !end.completed).count() as u64;
    let journeys = seen.output.summary.journeys.iter().find(|journeys| journeys.source.index() == source).unwrap();
    assert_eq!(journeys.cut, cut);
    assert!(cut >= seen.output.failover.as_ref().unwrap().sessions_cut / 2 && cut > 0);
}

#[test]
fn services_come_and_go_and_drain_in_time_after_a_node_was_lost() {
    // The node dies with items in service; the group then moves home. Were these still counted, going offline would
    // last until pending_timeout.
    let times = "failback = \"immediate\"\npending_timeout = \"300s\"\n";
    let seen = seen(&two_groups("20m", times, &faults(&[(300, "n1", "dies"), (600, "n1", "returns")])));
    for resource in &seen.output.failover.as_ref().unwrap().cluster.resources {
        assert!(resource.off.failback < s(60), "{:?}", resource.off);
    }
    seen.check_messages();
}

#[test]
fn a_cluster_of_which_nothing_is_left_ends_in_time() {
    let seen = seen(&two_groups("20m", "", &faults(&[(300, "n1", "dies"), (420, "n2", "dies")])));
    seen.check_messages();
    let last = seen
        .told
        .iter()
        .filter(|told| matches!(told.what, What::Started | What::Finished(_)))
        .map(|told| told.now)
        .max();
    assert_eq!(last, Some(s(420)));
    for name in ["evs1.pop3", "evs2.pop3"] {
        assert!(class(&seen, name).outcomes.unreachable > 100, "{name}: {:?}", class(&seen, name).outcomes);
    }
}

#[test]
fn the_same_seed_has_the_same_figures() {
    let policies = "is_alive_timeout = \"60s\"\nprobe_every = \"5s\"\n";
    let text =
        two_groups("20m", policies, &faults(&[(200, "n2", "hangs"), (500, "n2", "returns"), (700, "n1", "dies")]));
    let (one, two) = (seen(&text), seen(&text));
    assert_eq!(one.told, two.told);
    assert_eq!(one.output.summary, two.output.summary);
    assert_eq!(one.output.failover, two.output.failover);
    assert_eq!(one.output.counts, two.output.counts);
    let other = seen(&text.replace("seed = 7", "seed = 8"));
    assert_ne!(one.output.summary, other.output.summary);
}

/// Nodes of a cluster in which nothing happens are servers of their own: every figure is that of a single server.
#[test]
fn a_node_to_which_nothing_happens_is_a_server_of_its_own() {
    let text = two_groups("30m", UNWATCHED, "").replace("rate = \"2/s\"", "rate = \"9/s\"");
    let plan = plan(&text);
    let together = virtual_time::run(&plan, &Options::default()).unwrap();
    check(&plan, &together);
    let mut compared = 0;
    for (alone, prefix) in plan.servers_at_start().iter().zip(["evs1.", "evs2."]) {
        assert!(alone.cluster.is_none());
        let single = virtual_time::run(alone, &Options::default()).unwrap();
        for (at, class) in plan.classes.iter().enumerate().filter(|(_, class)| class.name.starts_with(prefix)) {
            let (found, want) = (&together.summary.classes[at], &single.summary.classes[at]);
            // Who held the threads meanwhile is told of all nodes; the rest is the same to the nanosecond.
            let same =
                |class: &ClassSummary| ClassSummary { holders: Vec::new(), episodes: Vec::new(), ..class.clone() };
            assert_eq!(same(found), same(want), "{}", class.name);
            assert_eq!(together.counts[at], single.counts[at], "{}", class.name);
            compared += u64::from(found.arrivals > 1_000);
        }
    }
    assert!(compared >= 8, "{compared} classes had a load");
}
