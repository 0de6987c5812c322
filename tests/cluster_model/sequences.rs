//! A table of sequences, written from the documentation of cluster properties.

use atqsim::models::cluster::spec::{
    ClusterSpec, Failback, GroupId, NodeEvent, NodeId, ResourceId, ResourceKind, RestartAction, Watch,
};
use atqsim::models::cluster::{Effect, GroupState, ResourceState, Stimulus};
use atqsim::time::Nanos;

use super::driver::{Driver, Pools, Silent, fault, group, log, resource, run, s, spec};

const POP3: ResourceId = ResourceId(0);
const EVS1: GroupId = GroupId(0);
const FOR_EVER: Nanos = Nanos::MAX;

fn silent_from(from: u64) -> Silent {
    Silent(vec![(s(from), FOR_EVER)])
}

fn silent() -> Silent {
    silent_from(0)
}

#[test]
fn probes_go_out_every_ten_seconds_and_never_two_at_once() {
    let driver = run(&spec(), Silent(vec![(s(35), s(75))]), 100);
    let sent: Vec<u64> = driver
        .effects
        .iter()
        .filter(|(_, effect)| matches!(effect, Effect::Probe { .. }))
        .map(|(at, _)| at.0 / 1_000_000_000)
        .collect();
    // The one of 40 s is never answered, so none follows it.
    assert_eq!(sent, [10, 20, 30, 40]);
    let summary = driver.close();
    assert_eq!(summary.resources[0].unanswered, [s(50), s(60), s(70), s(80), s(90)]);
    assert_eq!(summary.resources[0].unanswered_count, 5);
}

#[test]
fn a_resource_fails_after_is_alive_timeout_from_its_last_answer() {
    // The last answer is that of 30 s; 180 s later it has failed, and not a nanosecond earlier.
    let before = run(&spec(), silent_from(35), 210);
    assert_eq!(before.cluster.resource_state(POP3), ResourceState::Online);
    assert_eq!(before.cluster.next_deadline(), s(210));
    let summary = run(&spec(), silent_from(35), 211).close();
    let texts = log(&summary, &spec());
    assert_eq!(
        texts,
        [
            "210 2074 Exchange POP3 Virtual Server Instance - (VIRTUAL SERVER 1): Cluster Service failed the isalive checking \
             for the resource",
            "210 Exchange POP3 Virtual Server Instance - (VIRTUAL SERVER 1) is restarted",
        ]
    );
    let first = summary.events[0];
    assert_eq!((first.source(), first.category(), first.kind().name()), ("MSExchangeCluster", Some(4), "Error"));
    assert_eq!(first.node, Some(NodeId(0)));
}

#[test]
fn an_answer_in_the_last_moment_is_one() {
    struct Late(Nanos);
    impl Pools for Late {
        fn answers_after(&mut self, _: ResourceId, probe: u64, _: Nanos) -> Option<Nanos> {
            (probe == 0).then_some(self.0)
        }
    }
    // The first probe goes out at 10 s, and the resource came online at 0 s.
    let failures = |late: Nanos| run(&spec(), Late(late), 181).close().failures();
    assert_eq!(failures(Nanos(s(170).0 - 1)), 0);
    assert_eq!(failures(s(170)), 0, "the answer comes first in its moment");
    assert_eq!(failures(Nanos(s(170).0 + 1)), 1);
}

#[test]
fn threshold_restarts_are_tolerated_and_the_next_failure_moves_the_group() {
    // Failures at 180, 360, 540 s are restarts; the one at 720 s is the fourth within 900 s.
    let driver = run(&spec(), silent(), 721);
    let steps = ["0 open r0 n1", "180 close r0 n1", "180 open r0 n1", "360 close r0 n1", "360 open r0 n1"];
    let more = ["540 close r0 n1", "540 open r0 n1", "720 close r0 n1", "720 open r0 n2"];
    assert_eq!(driver.steps(), [&steps[..], &more[..]].concat());
    let summary = driver.close();
    assert_eq!((summary.failures(), summary.restarts(), summary.failovers()), (4, 3, 1));
    assert_eq!(
        summary.groups[0].lane,
        [(Nanos::ZERO, (GroupState::Online, Some(NodeId(0)))), (s(720), (GroupState::Online, Some(NodeId(1)))),]
    );
}

/// Failures at these seconds: silent for 180 s before each.
fn failing_at(seconds: &[u64]) -> Silent {
    // The last answer is 180 s before; the monitor looks every 10 s.
    Silent(seconds.iter().map(|at| (s(at - 175), s(*at))).collect())
}

#[test]
fn the_restart_period_slides_and_what_is_as_old_as_it_has_left_it() {
    let table = [
        // (seconds of failures, restarts, failovers)
        (vec![300, 600, 900, 1_190], 3, 1),
        // The first is exactly 900 s old: it has left.
        (vec![300, 600, 900, 1_200], 4, 0),
        // The period slides: it does not begin anew with the fourth.
        (vec![300, 600, 900, 1_200, 1_490], 4, 1),
        (vec![300, 600, 900, 1_200, 1_500, 1_800], 6, 0),
    ];
    for (failures, restarts, failovers) in table {
        let summary = run(&spec(), failing_at(&failures), 2_000).close();
        let found = (summary.failures(), summary.restarts(), summary.failovers());
        assert_eq!(found, (failures.len() as u64, restarts, failovers), "{failures:?}: {:?}", log(&summary, &spec()));
    }
}

#[test]
fn a_restart_threshold_of_nought_tolerates_none() {
    let mut spec = spec();
    spec.resources[0].restart_threshold = 0;
    let summary = run(&spec, silent(), 181).close();
    assert_eq!((summary.failures(), summary.restarts(), summary.failovers()), (1, 0, 1));
}

#[test]
fn a_group_past_its_failovers_is_left_failed_and_stays_so() {
    let mut spec = spec();
    spec.resources[0].restart_threshold = 0;
    spec.groups[0].failover_threshold = 2;
    let driver = run(&spec, silent(), 100_000);
    // 180 to n2, 360 back to n1, 540 given up.
    assert_eq!(driver.steps().last().map(String::as_str), Some("540 close r0 n1"));
    assert_eq!(driver.cluster.group_state(EVS1), GroupState::Failed);
    assert_eq!(driver.cluster.next_deadline(), Nanos::MAX);
    let summary = driver.close();
    assert_eq!((summary.failures(), summary.failovers()), (3, 2));
    assert_eq!(summary.groups[0].lane.last(), Some(&(s(540), (GroupState::Failed, Some(NodeId(0))))));
    assert_eq!(summary.resources[0].off.left_failed, s(100_000 - 540));
    assert_eq!(log(&summary, &spec).last().unwrap(), "540 Group evs1 is past its failovers and is left failed");
    assert_eq!(summary.mean_time_between_failovers(), Some(s(180)));
}

#[test]
fn the_failover_period_slides_too() {
    let mut spec = spec();
    spec.resources[0].restart_threshold = 0;
    spec.groups[0].failover_threshold = 2;
    for (period, failed) in [(360, false), (361, true)] {
        spec.groups[0].failover_period = s(period);
        let driver = run(&spec, silent(), 541);
        assert_eq!(driver.cluster.group_state(EVS1) == GroupState::Failed, failed, "{period} s");
    }
}

#[test]
fn the_default_budget_is_ten_failovers_within_six_hours() {
    let summary = run(&spec(), silent(), 24 * 3_600).close();
    // Four failures a failover: one every 720 s, so the eleventh is wanted long before six hours are over.
    assert_eq!((summary.failovers(), summary.failures()), (10, 44));
    assert_eq!(summary.mean_time_between_failovers(), Some(s(720)));
}

#[test]
fn a_group_with_one_owner_starts_again_where_it_is() {
    let mut spec = spec();
    spec.groups[0].owners = vec![NodeId(0)];
    spec.resources[0].restart_threshold = 0;
    let driver = run(&spec, silent(), 200);
    assert_eq!(driver.steps(), ["0 open r0 n1", "180 close r0 n1", "180 open r0 n1"]);
    assert_eq!(driver.close().failovers(), 0, "it has not gone anywhere");
}

#[test]
fn the_next_owner_is_the_one_after_the_present_one_that_is_there() {
    let mut spec = spec();
    spec.nodes = ["n1", "n2", "n3", "n4"].map(String::from).to_vec();
    spec.groups[0].owners = [2, 0, 1].map(NodeId).to_vec();
    spec.groups[0].starts_on = NodeId(2);
    spec.resources[0].restart_threshold = 0;
    spec.faults = vec![fault(300, 1, NodeEvent::Dies)];
    let opened: Vec<String> =
        run(&spec, silent(), 600).steps().into_iter().filter(|step| step.contains("open")).collect();
    assert_eq!(opened, ["0 open r0 n3", "180 open r0 n1", "360 open r0 n3", "540 open r0 n1"]);
}

/// Pools that always answer, and drain after this; `None`: never.
struct Drains(Option<Nanos>);

impl Pools for Drains {
    fn answers_after(&mut self, _: ResourceId, _: u64, now: Nanos) -> Option<Nanos> {
        (now >= s(190)).then_some(Nanos::ZERO)
    }

    fn drains_after(&mut self, _: ResourceId, _: Nanos) -> Option<Nanos> {
        self.0
    }
}

#[test]
fn going_offline_waits_for_what_is_in_service_up_to_pending_timeout() {
    let mut spec = spec();
    spec.resources[0].offline_takes = s(20);
    let table = [
        // (drained after, open again at, abandoned)
        (Some(s(0)), 200, false),
        (Some(s(20)), 200, false),
        (Some(s(21)), 201, false),
        (Some(s(179)), 359, false),
        // The word that it has drained comes first in its moment.
        (Some(s(180)), 360, false),
        (Some(s(181)), 360, true),
        (None, 360, true),
    ];
    for (drains, opens, abandoned) in table {
        let steps = run(&spec, Drains(drains), 400).steps();
        let mut want = vec!["0 open r0 n1".to_string(), "180 close r0 n1".to_string()];
        want.extend(abandoned.then(|| "360 abandon r0 n1".to_string()));
        want.push(format!("{opens} open r0 n1"));
        assert_eq!(steps, want, "{drains:?}");
    }
    let summary = run(&spec, Drains(None), 400).close();
    assert_eq!(
        summary.resources[0].lane,
        [
            (Nanos::ZERO, ResourceState::Online),
            (s(180), ResourceState::OfflinePending),
            (s(360), ResourceState::Online),
        ]
    );
    assert_eq!(summary.resources[0].off.restart, s(180));
}

#[test]
fn coming_online_for_longer_than_pending_timeout_is_a_failure() {
    let mut spec = spec();
    spec.resources[0].online_takes = s(180);
    // Just in time.
    let just = run(&spec, silent(), 361);
    assert_eq!(just.steps(), ["0 open r0 n1", "180 close r0 n1", "360 open r0 n1"]);
    assert_eq!(just.close().failures(), 1);
    spec.resources[0].online_takes = Nanos(s(180).0 + 1);
    let summary = run(&spec, silent(), 721).close();
    let ids: Vec<_> = summary.events.iter().filter_map(|e| e.id().map(|id| (e.at.0 / 1_000_000_000, id))).collect();
    // One that was not answered, and three starts that took too long: past the three restarts the group moves.
    assert_eq!(ids, [(180, 2074), (360, 2065), (540, 2065), (720, 2065)]);
    assert_eq!((summary.restarts(), summary.failovers()), (3, 1));
}

#[test]
fn nothing_starts_on_a_node_that_hangs() {
    let mut spec = spec();
    spec.faults = vec![fault(100, 0, NodeEvent::Hangs), fault(1_000, 0, NodeEvent::Returns)];
    let driver = run(&spec, HangsUntil(s(1_000)), 1_100);
    let ids: Vec<String> = {
        let summary = driver.cluster.close_books(s(1_100));
        let entry = |e: &atqsim::models::cluster::Entry| Some(format!("{} {}", e.at.0 / 1_000_000_000, e.id()?));
        summary.events.iter().filter_map(entry).collect()
    };
    // The last answer is that of 90 s. Each start finds the pool standing still (2086) and is late (2065).
    let want = ["270 2074", "450 2086", "630 2065", "630 2086", "810 2065", "810 2086", "990 2065"];
    assert_eq!(ids, want);
}

/// No answer and no end of service from 95 s on until the node returns; n2 is well.
struct HangsUntil(Nanos);

impl Pools for HangsUntil {
    fn answers_after(&mut self, _: ResourceId, _: u64, now: Nanos) -> Option<Nanos> {
        (now < s(95) || now >= s(990)).then_some(Nanos::ZERO)
    }

    fn drains_after(&mut self, _: ResourceId, now: Nanos) -> Option<Nanos> {
        (now >= self.0).then_some(Nanos::ZERO)
    }
}

#[test]
fn what_depends_on_another_goes_offline_before_it_and_online_after_it() {
    let mut spec = spec();
    spec.resources = vec![resource("POP3", 0), resource("IMAP4", 0), resource("STORE", 0), resource("DISK", 0)];
    spec.resources[0].depends_on = vec![ResourceId(2)];
    spec.resources[1].depends_on = vec![ResourceId(2)];
    spec.resources[2].depends_on = vec![ResourceId(3)];
    for own in &mut spec.resources {
        (own.online_takes, own.offline_takes) = (s(1), s(2));
        own.watch = None;
    }
    // The store is silent: it is restarted with POP3 and IMAP4, and the disk stays.
    spec.resources[2].watch = Some(Watch::Monitor { every: s(10), is_alive_timeout: s(180) });
    spec.resources[2].restart_threshold = 1;
    let steps = run(&spec, silent(), 400).steps();
    let want = [
        "0 open r0 n1",
        "0 open r1 n1",
        "0 open r2 n1",
        "0 open r3 n1",
        "180 close r0 n1",
        "180 close r1 n1",
        "182 close r2 n1",
        "185 open r2 n1",
        "186 open r0 n1",
        "186 open r1 n1",
        // 180 s after it came online: the group moves, with the disk.
        "365 close r0 n1",
        "365 close r1 n1",
        "367 close r2 n1",
        "369 close r3 n1",
        "372 open r3 n2",
        "373 open r2 n2",
        "374 open r0 n2",
        "374 open r1 n2",
    ];
    assert_eq!(steps, want);
}

/// Two groups; POP3 of the first is silent on its own.
fn with_action(action: RestartAction, retry: Option<Nanos>) -> ClusterSpec {
    let mut spec = spec();
    spec.resources.push(resource("IMAP4", 0));
    spec.resources[1].watch = None;
    spec.resources[0].restart_threshold = 1;
    spec.resources[0].restart_action = action;
    spec.resources[0].retry_after = retry;
    spec
}

#[test]
fn each_restart_action_does_what_its_name_says() {
    let table = [
        // (action, restarts, failovers, resource, group)
        (RestartAction::DontRestart, 0, 0, ResourceState::Offline, GroupState::PartialOnline),
        (RestartAction::RestartNoNotify, 1, 0, ResourceState::Offline, GroupState::PartialOnline),
        (RestartAction::RestartNotify, 1, 1, ResourceState::Online, GroupState::Online),
    ];
    for (action, restarts, failovers, state, of_group) in table {
        let driver = run(&with_action(action, None), silent(), 400);
        let is_left = state == ResourceState::Offline;
        let now = driver.cluster.resource_state(POP3);
        assert!(now == state || (is_left && now == ResourceState::Failed), "{action:?}: {now:?}");
        assert_eq!(driver.cluster.resource_state(ResourceId(1)), ResourceState::Online, "{action:?}");
        assert_eq!(driver.cluster.group_state(EVS1), of_group, "{action:?}");
        let summary = driver.close();
        assert_eq!((summary.restarts(), summary.failovers()), (restarts, failovers), "{action:?}");
    }
}

#[test]
fn a_resource_that_is_left_failed_is_tried_again_with_what_depends_on_it() {
    let mut spec = with_action(RestartAction::DontRestart, Some(s(1_000)));
    spec.resources[1].depends_on = vec![POP3];
    let driver = run(&spec, Silent(vec![(s(0), s(180))]), 5_000);
    let want =
        ["0 open r0 n1", "0 open r1 n1", "180 close r1 n1", "180 close r0 n1", "1180 open r0 n1", "1180 open r1 n1"];
    assert_eq!(driver.steps(), want);
    assert_eq!(driver.cluster.group_state(EVS1), GroupState::Online);
    let summary = driver.close();
    assert_eq!([0, 1].map(|at| summary.resources[at].off.left_failed), [s(1_000); 2]);
}

#[test]
fn a_restart_does_not_bring_back_what_is_left_failed() {
    let mut spec = with_action(RestartAction::DontRestart, None);
    // r0 is left failed at 180 s; r1, on which it depends, fails and restarts at 500 s.
    spec.resources[0].depends_on = vec![ResourceId(1)];
    spec.resources[0].watch = Some(Watch::Monitor { every: s(10), is_alive_timeout: s(60) });
    spec.resources[1].watch = Some(Watch::Monitor { every: s(10), is_alive_timeout: s(180) });
    let driver = run(&spec, silent(), 300);
    assert_eq!(driver.steps()[2..], ["60 close r0 n1", "180 close r1 n1", "180 open r1 n1"]);
    assert_eq!(driver.cluster.group_state(EVS1), GroupState::PartialOnline);
}

#[test]
fn a_group_that_is_given_up_is_not_brought_back_by_a_retry() {
    let mut spec = with_action(RestartAction::DontRestart, Some(s(1_000)));
    spec.resources[1].watch = Some(Watch::Monitor { every: s(10), is_alive_timeout: s(300) });
    spec.resources[1].restart_threshold = 0;
    spec.groups[0].failover_threshold = 0;
    let driver = run(&spec, silent(), 5_000);
    assert_eq!(driver.steps()[2..], ["180 close r0 n1", "300 close r1 n1"]);
    assert_eq!(driver.cluster.group_state(EVS1), GroupState::Failed);
}

#[test]
fn two_failures_in_one_moment_are_one_failover() {
    let mut spec = spec();
    spec.resources.push(resource("IMAP4", 0));
    for own in &mut spec.resources {
        (own.restart_threshold, own.online_takes, own.pending_timeout) = (1, s(200), s(100));
    }
    // Both are restarted at 180 s and neither comes online by 280 s.
    let summary = run(&spec, silent(), 281).close();
    assert_eq!((summary.restarts(), summary.failovers()), (2, 1), "{:?}", log(&summary, &spec));
}

#[test]
fn groups_of_a_node_that_dies_move_at_once_and_stay_where_failback_is_prevented() {
    let mut spec = spec();
    spec.groups.push(group("evs2", &[1, 0]));
    spec.resources.push(resource("IMAP4", 1));
    spec.faults = vec![fault(100, 0, NodeEvent::Dies), fault(200, 0, NodeEvent::Returns)];
    let driver = run(&spec, Silent(Vec::new()), 1_000);
    let want = ["0 open r0 n1", "0 open r1 n2", "100 down n1", "100 close r0 n1", "100 open r0 n2", "200 up n1"];
    assert_eq!(driver.steps(), want);
    let summary = driver.close();
    assert_eq!((summary.failovers(), summary.failbacks(), summary.failures()), (1, 0, 0));
}

#[test]
fn a_group_goes_home_when_its_policy_lets_it() {
    let hour = 3_600;
    let window = |from_hour, until_hour| Failback::Window { from_hour, until_hour };
    let table = [
        // (policy, first owner back at, home at)
        (Failback::Prevent, 10 * hour, None),
        (Failback::Immediate, 10 * hour, Some(10 * hour)),
        // Inside, at its first moment, at its end, and after it.
        (window(9, 11), 10 * hour, Some(10 * hour)),
        (window(10, 11), 10 * hour, Some(10 * hour)),
        (window(10, 11), 11 * hour - 1, Some(11 * hour - 1)),
        (window(10, 11), 11 * hour, Some(34 * hour)),
        (window(12, 14), 10 * hour, Some(12 * hour)),
        // Over midnight.
        (window(22, 4), 10 * hour, Some(22 * hour)),
        (window(22, 4), 23 * hour, Some(23 * hour)),
        (window(22, 4), 27 * hour, Some(27 * hour)),
        (window(22, 4), 28 * hour, Some(46 * hour)),
    ];
    for (failback, returns, home) in table {
        let mut spec = spec();
        spec.groups[0].failback = failback;
        spec.faults = vec![fault(100, 0, NodeEvent::Dies), fault(returns, 0, NodeEvent::Returns)];
        let driver = run(&spec, Silent(Vec::new()), 60 * hour);
        let last = driver.steps().pop().unwrap();
        let want = home.map_or_else(|| format!("{returns} up n1"), |at| format!("{at} open r0 n1"));
        assert_eq!(last, want, "{failback:?} {returns}");
        let summary = driver.close();
        assert_eq!((summary.failovers(), summary.failbacks()), (1, u64::from(home.is_some())));
    }
}

#[test]
fn a_group_that_is_on_its_way_when_its_window_ends_waits_for_the_next() {
    let mut spec = spec();
    spec.groups[0].failback = Failback::Window { from_hour: 1, until_hour: 2 };
    spec.resources[0].online_takes = s(20);
    // n1 is back ten seconds before the window ends, and the group is still coming online on n2.
    spec.faults = vec![fault(7_185, 0, NodeEvent::Dies), fault(7_190, 0, NodeEvent::Returns)];
    let steps = run(&spec, Silent(Vec::new()), 30 * 3_600).steps();
    let home = 25 * 3_600;
    assert_eq!(
        steps[4..],
        ["7205 open r0 n2".to_string(), format!("{home} close r0 n2"), format!("{} open r0 n1", home + 20)]
    );
}

#[test]
fn a_group_whose_new_node_dies_on_the_way_stays() {
    let mut spec = spec();
    spec.resources[0].restart_threshold = 0;
    spec.resources[0].offline_takes = s(30);
    // It leaves n1 at 180 s for n2, which dies at 190 s.
    spec.faults = vec![fault(190, 1, NodeEvent::Dies)];
    let driver = run(&spec, Silent(vec![(s(0), s(180))]), 1_000);
    assert_eq!(driver.steps(), ["0 open r0 n1", "180 close r0 n1", "190 down n2", "210 open r0 n1"]);
    assert_eq!(driver.cluster.group_state(EVS1), GroupState::Online);
}

#[test]
fn where_every_node_is_dead_groups_wait_for_one_that_may_host_them() {
    let mut spec = spec();
    spec.nodes.push("n3".to_string());
    spec.faults = vec![
        fault(100, 0, NodeEvent::Dies),
        fault(200, 1, NodeEvent::Dies),
        fault(300, 2, NodeEvent::Dies),
        fault(400, 2, NodeEvent::Returns),
        fault(500, 1, NodeEvent::Returns),
    ];
    let driver = run(&spec, Silent(Vec::new()), 450);
    assert_eq!((driver.cluster.node_of(EVS1), driver.cluster.group_state(EVS1)), (None, GroupState::Offline));
    let driver = driver.until(s(600));
    assert_eq!(
        driver.steps()[5..],
        ["200 close r0 n2", "300 down n3", "400 up n3", "500 up n2", "500 open r0 n2"].map(String::from)
    );
    let summary = driver.close();
    assert_eq!(summary.resources[0].off.node_down, s(300));
    assert!(log(&summary, &spec).contains(&"200 Group evs1 has no node that may host it".to_string()));
    spec.faults.truncate(3);
    let driver = run(&spec, Silent(Vec::new()), 10_000);
    assert_eq!(driver.cluster.next_deadline(), Nanos::MAX);
}

#[test]
fn a_hung_node_keeps_its_groups_until_they_fail() {
    let mut spec = spec();
    spec.resources[0].restart_threshold = 0;
    spec.faults = vec![fault(100, 0, NodeEvent::Hangs), fault(5_000, 0, NodeEvent::Returns)];
    let driver = run(&spec, HangsUntil(s(280)), 6_000);
    let want = ["0 open r0 n1", "100 hangs n1", "270 close r0 n1", "450 abandon r0 n1", "450 open r0 n2", "5000 up n1"];
    // Silence from 95 s on, on n1; n2 answers only from 990 s on, and fails before.
    assert_eq!(driver.steps()[..5], want[..5]);
    assert_eq!(driver.steps().last().map(String::as_str), Some(want[5]));
}

#[test]
fn the_generic_watch_looks_twice_and_each_look_has_its_own_answer() {
    struct Deep(Option<Nanos>);
    impl Pools for Deep {
        fn answers_after(&mut self, _: ResourceId, _: u64, now: Nanos) -> Option<Nanos> {
            // In a moment in which both are due, both are the same here.
            if now.0.is_multiple_of(s(60).0) { self.0 } else { Some(Nanos::ZERO) }
        }
    }
    let mut spec = spec();
    let watch = Watch::Generic { looks_alive_every: s(7), is_alive_every: s(60), answer_within: s(30) };
    spec.resources[0].watch = Some(watch);
    let sent = |driver: &Driver<Deep>, until: u64| {
        driver.effects.iter().filter(|(at, e)| *at < s(until) && matches!(e, Effect::Probe { .. })).count()
    };
    let well = run(&spec, Deep(Some(Nanos::ZERO)), 120);
    assert_eq!(sent(&well, 120), 17 + 1);
    // IsAlive is not answered: it fails after 30 s, though LooksAlive is answered all the time.
    let failed_at = |pools: Deep| {
        let summary = run(&spec, pools, 119).close();
        summary.events.first().map(|entry| (entry.at, entry.id()))
    };
    assert_eq!(failed_at(Deep(None)), Some((s(90), Some(2074))));
    assert_eq!(failed_at(Deep(Some(s(30)))), None);
    assert_eq!(failed_at(Deep(Some(Nanos(s(30).0 + 1)))), Some((s(90), Some(2074))));
}

#[test]
fn an_answer_to_a_probe_of_before_is_none() {
    let mut driver = Driver::new(&spec(), silent()).until(s(185));
    assert_eq!(driver.effects.iter().filter(|(_, e)| matches!(e, Effect::Probe { probe: 0, .. })).count(), 1);
    let before = (driver.cluster.next_deadline(), driver.effects.len());
    let mut effects = Vec::new();
    // It went out at 10 s and the resource was restarted at 180 s.
    driver.cluster.tell(s(186), Stimulus::ProbeServed { resource: POP3, probe: 0 }, &mut effects);
    assert_eq!((driver.cluster.next_deadline(), effects.len()), (before.0, 0));
    driver.now = s(186);
    assert_eq!(driver.until(s(361)).close().failures(), 2);
}

#[test]
fn a_node_that_hangs_tells_which_protocol_could_not_be_started() {
    let mut spec = spec();
    spec.resources[0].kind = ResourceKind::Other;
    spec.faults = vec![fault(100, 0, NodeEvent::Hangs)];
    let summary = run(&spec, HangsUntil(FOR_EVER), 700).close();
    // A disk has no start bit.
    assert!(summary.events.iter().all(|entry| entry.id() != Some(2086)));
    assert!(summary.events.iter().any(|entry| entry.id() == Some(2065)));
}
