//! Somebody's hand on a run: what is wished is carried out when it was wished, and nothing else changes.
//!
//! In virtual time to the nanosecond; on real threads what holds whatever the host does.

use std::any::Any;
use std::sync::Arc;

use atqsim::engine::control::{Changed, Control, Pace, Tuning, Wish};
use atqsim::engine::live::Cell;
use atqsim::engine::observer::Observer;
use atqsim::engine::{Options, RunOutput, threaded, virtual_time};
use atqsim::ids::ClassId;
use atqsim::item::Outcome;
use atqsim::metrics::ClassSummary;
use atqsim::models::cluster::ResourceState;
use atqsim::plan::tuning::Values;
use atqsim::plan::{Plan, Role};
use atqsim::report::Report;
use atqsim::report::json::json;
use atqsim::report::text::{TextOptions, text};
use atqsim::run::{self, EngineKind, RunOptions, Silent};
use atqsim::scenario::{Base, Overrides, builtin, read};
use atqsim::time::Nanos;
use atqsim::workload::{Item, JourneyEnd};

const KB: Values = Values { percent: 22, additional: 18 };

fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

fn plan_with(name: &str, overrides: &Overrides) -> Plan {
    let scenario = builtin::find(name).expect("it is built in");
    let (plans, problems) = read(name, scenario.text, &Base::Builtin, overrides);
    plans.unwrap_or_else(|| panic!("{problems:?}")).remove(0)
}

fn plan(name: &str) -> Plan {
    plan_with(name, &Overrides::default())
}

/// What is wished, and when.
type Wishes<'a> = &'a [(Nanos, Wish)];

fn hand(plan: &Plan, wishes: Wishes<'_>) -> Arc<Control> {
    let control = Control::new(plan, Pace::Free);
    for (at, wish) in wishes {
        control.ask_at(*at, *wish);
    }
    control
}

fn play(plan: &Plan, control: &Arc<Control>) -> RunOutput {
    let options = Options { control: Some(Arc::clone(control)), ..Options::default() };
    let output = virtual_time::run(plan, &options).expect("it runs");
    check(&output);
    output
}

/// What holds of every run.
fn check(output: &RunOutput) {
    assert_eq!(output.summary.violations, Vec::<String>::new());
    for class in &output.summary.classes {
        assert_eq!(class.outcomes.total(), class.arrivals);
    }
}

fn class<'a>(plan: &Plan, output: &'a RunOutput, name: &str) -> &'a ClassSummary {
    &output.summary.classes[plan.class(name).expect("a class").index()]
}

#[test]
fn a_hand_that_wishes_nothing_changes_no_figure() {
    for scenario in builtin::SCENARIOS {
        let overrides = Overrides { duration: Some(s(400)), ..Overrides::default() };
        let plan = plan_with(scenario.name, &overrides);
        let alone = virtual_time::run(&plan, &Options::default()).expect("it runs");
        let watched = play(&plan, &hand(&plan, &[]));
        assert_eq!(alone.summary, watched.summary, "{}", scenario.name);
        assert_eq!(alone.counts, watched.counts, "{}", scenario.name);
    }
}

/// The due time and the wait of every POP3 command that began.
#[derive(Debug)]
struct Waits(ClassId, Vec<(Nanos, Nanos)>);

impl Observer for Waits {
    fn started(&mut self, item: &Item, now: Nanos) {
        if item.class == self.0 {
            self.1.push((item.due, now - item.due));
        }
    }
    fn arrived(&mut self, _: &Item, _: Nanos) {}
    fn refused(&mut self, _: &Item, _: Nanos) {}
    fn gave_up(&mut self, _: &Item, _: Nanos) {}
    fn finished(&mut self, _: &Item, _: Outcome, _: Nanos) {}
    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The longest wait of a POP3 command that was due before, and of one that was due after.
fn longest_pop3_waits(plan: &Plan, wishes: Wishes<'_>, before: Nanos, after: Nanos) -> (Nanos, Nanos) {
    let options = Options { control: Some(hand(plan, wishes)), ..Options::default() };
    let observer = Waits(plan.class("pop3").expect("a class"), Vec::new());
    let (output, observer) = virtual_time::observe(plan, &options, Some(Box::new(observer))).expect("it runs");
    check(&output);
    let waits = observer.expect("it is given back").into_any().downcast::<Waits>().expect("it is the same").1;
    let longest = |is: &dyn Fn(Nanos) -> bool| {
        waits.iter().filter(|(due, _)| is(*due)).map(|(_, wait)| *wait).max().unwrap_or_default()
    };
    (longest(&|due| due < before), longest(&|due| due >= after))
}

#[test]
fn the_kbs_values_in_the_middle_end_the_starvation_of_pop3_and_without_them_it_stays() {
    let plan = plan("kb281868");
    let (at, after) = (s(200), s(230));
    let (before, without) = longest_pop3_waits(&plan, &[], at, after);
    assert!(before > s(10) && without > s(10), "{before}, {without}");
    // The KB's percentage alone, and both values.
    let percent_alone = Values { additional: 6, ..KB };
    for values in [percent_alone, KB] {
        let tuning = Tuning { node: 0, values };
        for wish in [Wish::Apply(tuning), Wish::Restart(tuning)] {
            let (same, with) = longest_pop3_waits(&plan, &[(at, wish)], at, after);
            // Who was due before has waited as long as without it, or is cut off by a restart.
            assert!(same <= before && same > s(5), "{wish:?}: {same}");
            assert!(with < Nanos::from_millis(100), "{wish:?}: {with}");
        }
    }
}

#[test]
fn what_was_changed_is_told_with_its_moment() {
    let plan = plan("kb281868");
    let tuning = Tuning { node: 0, values: KB };
    let wishes = [(s(100), Wish::Load(0.5)), (s(120), Wish::Apply(tuning)), (s(120), Wish::Apply(tuning))];
    let control = hand(&plan, &wishes);
    let output = play(&plan, &control);
    let changes = control.changes();
    assert_eq!(changes.len(), 2, "applying the same values again changes nothing: {changes:?}");
    assert_eq!((changes[0].at, changes[1].at), (s(100), s(120)));
    let Changed::Pool { before, after, restarted: false, node: 0 } = changes[1].what else {
        panic!("{:?}", changes[1])
    };
    assert_eq!((before.size, before.cap, after.size, after.cap), (20, 18, 44, 9));
    assert_eq!(control.status().in_effect[0], after);
    assert!(output.summary.live_threads_max > 20 && output.summary.live_threads_max <= 44);
}

#[test]
fn a_restart_cuts_who_waits_exactly_once_and_loses_no_message() {
    let plan = plan("kb281868");
    let at = s(200);
    // Until then, and not further: who waits in that moment.
    let until = Plan { duration: at, ..plan.clone() };
    let waiting = play(&until, &hand(&until, &[]));
    let control = hand(&plan, &[(at, Wish::Restart(Tuning { node: 0, values: KB }))]);
    let output = play(&plan, &control);
    let mut cut = 0;
    for (id, (class, found)) in plan.classes.iter().zip(&output.summary.classes).enumerate() {
        let waited = waiting.summary.classes[id].still_waiting;
        let outcomes = found.outcomes;
        if matches!(class.role, Role::HeavyQueue | Role::LightQueue) {
            assert_eq!((outcomes.cut, outcomes.unreachable, outcomes.lost), (0, 0, 0), "{}", class.name);
        } else {
            // Those that waited; and of sessions that had begun before, the commands that came later.
            assert!(outcomes.cut >= waited, "{}: {outcomes:?}, {waited} waited", class.name);
            assert!(outcomes.unreachable > 0, "{}: some came while the services were offline", class.name);
            cut += outcomes.cut;
        }
    }
    let inbound = plan.class("smtp-in").expect("a class").index();
    assert_eq!(output.summary.classes[inbound].outcomes.cut, waiting.summary.classes[inbound].still_waiting);
    assert!(cut > 50, "{cut}");
    let told = control.changes();
    assert!(matches!(told[..], [change] if matches!(change.what, Changed::Pool { restarted: true, .. })), "{told:?}");
    // Afterwards everything is online, and served as if nothing had been.
    let picture = control.live().picture();
    assert_eq!(picture.cluster.expect("it is shown").resources, [ResourceState::Online]);
    assert!(class(&plan, &output, "pop3").outcomes.served > 2_000);
}

#[test]
fn a_restart_in_a_cluster_is_no_failure() {
    let plan = plan("kb281868-cluster");
    let quiet = s(300);
    let control = hand(&plan, &[(quiet, Wish::Restart(Tuning { node: 1, values: KB }))]);
    let output = play(&plan, &control);
    let failover = output.failover.as_ref().expect("a cluster");
    let by_hand = failover
        .cluster
        .events
        .iter()
        .filter(|entry| entry.text(&plan.cluster.as_ref().unwrap().spec).contains("by hand"));
    let by_hand: Vec<_> = by_hand.collect();
    assert_eq!(by_hand.len(), 1);
    assert_eq!(by_hand[0].at, quiet);
    // Until the mailing list's first post nothing fails; the node that was restarted has the KB's pool.
    assert!(
        failover.cluster.events.iter().filter(|entry| entry.at < s(600)).count() == 1,
        "{:?}",
        failover.cluster.events
    );
    assert_eq!(control.status().in_effect.iter().map(|pool| pool.size).collect::<Vec<_>>(), [20, 44]);
    let cut: u64 = output.summary.classes.iter().map(|class| class.outcomes.cut).sum();
    assert!(cut > 0);
}

#[test]
fn a_pause_changes_no_figure() {
    let plan = plan("kb281868");
    let alone = virtual_time::run(&plan, &Options::default()).expect("it runs");
    let control = hand(&plan, &[(s(100), Wish::Pause), (s(300), Wish::Pause)]);
    let paused = std::thread::scope(|scope| {
        let run = scope.spawn(|| play(&plan, &control));
        for moment in [s(100), s(300)] {
            while !control.status().paused {
                std::thread::yield_now();
            }
            let stands = control.live().picture().now;
            assert!(stands <= moment && stands + s(5) > moment, "{stands}");
            control.ask(Wish::Resume);
            while control.status().paused {
                std::thread::yield_now();
            }
        }
        run.join().expect("no panic")
    });
    assert_eq!(alone.summary, paused.summary);
    assert!(control.changes().is_empty());
}

#[test]
fn without_load_no_open_source_brings_anything() {
    let plan = plan("kb281868");
    let (off, on) = (s(100), s(400));
    let load = |wishes: Wishes<'_>| {
        let output = play(&plan, &hand(&plan, wishes));
        class(&plan, &output, "smtp-in").arrivals
    };
    let until = Plan { duration: off, ..plan.clone() };
    let before = play(&until, &hand(&until, &[])).summary.classes[plan.class("smtp-in").unwrap().index()].arrivals;
    assert_eq!(load(&[(off, Wish::Load(0.0))]), before);
    let all = load(&[]);
    let with_a_gap = load(&[(off, Wish::Load(0.0)), (on, Wish::Load(1.0))]);
    assert!(before < with_a_gap && with_a_gap < all, "{before} < {with_a_gap} < {all}");
    let doubled = load(&[(Nanos::ZERO, Wish::Load(2.0))]);
    assert!((doubled as f64 / all as f64 - 2.0).abs() < 0.1, "{doubled} of {all}");
}

#[test]
fn values_that_no_registry_has_are_refused_with_the_reason() {
    let plan = plan("kb281868");
    let tuning = Tuning { node: 0, values: Values { percent: 101, additional: 6 } };
    let control = hand(&plan, &[(s(10), Wish::Apply(tuning))]);
    play(&plan, &control);
    assert!(control.changes().is_empty());
    let refused = control.status().refused.expect("it is refused");
    assert!(refused.contains("MaxPercentPoolThreads") && refused.contains("101"), "{refused}");
}

#[test]
fn a_node_that_begins_anew_has_the_values_that_it_was_given() {
    let plan = plan("cluster-lost-node");
    let control = hand(&plan, &[(s(1), Wish::Apply(Tuning { node: 0, values: KB }))]);
    let output = play(&plan, &control);
    let sizes: Vec<u32> = control.status().in_effect.iter().map(|pool| pool.size).collect();
    assert_eq!(sizes, [44, 20]);
    assert!(output.failover.is_some());
}

/// A minute of the scenario on real threads, in 1.5 s.
fn short() -> Arc<Plan> {
    let overrides = Overrides { duration: Some(s(60)), speed: Some(40.0), ..Overrides::default() };
    Arc::new(plan_with("kb281868", &overrides))
}

#[test]
fn real_threads_take_up_the_same_wishes() {
    let plan = short();
    let tuning = Tuning { node: 0, values: KB };
    let control = Control::new(&plan, Pace::Speed(plan.speed));
    control.ask_at(s(10), Wish::Load(4.0));
    control.ask_at(s(25), Wish::Restart(tuning));
    control.ask_at(s(50), Wish::Apply(Tuning { node: 0, values: Values { percent: 50, additional: 6 } }));
    let options = Options { control: Some(Arc::clone(&control)), ..Options::default() };
    let output = threaded::run(&plan, &options).expect("it runs");
    check(&output);
    let changes = control.changes();
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert!(changes.iter().zip([s(10), s(25), s(50)]).all(|(change, at)| change.at >= at), "{changes:?}");
    let Changed::Pool { before, after, restarted: false, .. } = changes[2].what else { panic!("{changes:?}") };
    assert_eq!((before.size, before.cap, after.size, after.cap), (44, 9, 20, 10));
    assert!(output.summary.live_threads_max <= 44);
    for (class, found) in plan.classes.iter().zip(&output.summary.classes) {
        let is_queue = matches!(class.role, Role::HeavyQueue | Role::LightQueue);
        assert!(!is_queue || found.outcomes.cut + found.outcomes.lost == 0, "{}: {:?}", class.name, found.outcomes);
    }
    let inbound = class(&plan, &output, "smtp-in").outcomes;
    assert!(inbound.unreachable > 0, "mail came while the services were offline: {inbound:?}");
    let picture = control.live().picture();
    assert!(picture.ended && picture.nodes[0].threads.iter().all(|cell| *cell != Cell::Starting));
}

#[test]
fn real_threads_stand_still_and_go_on() {
    let plan = short();
    let control = Control::new(&plan, Pace::Speed(plan.speed));
    control.ask_at(s(5), Wish::Pause);
    let options = Options { control: Some(Arc::clone(&control)), ..Options::default() };
    let output = std::thread::scope(|scope| {
        let run = scope.spawn(|| threaded::run(&plan, &options).expect("it runs"));
        while !control.status().paused {
            std::thread::yield_now();
        }
        control.ask(Wish::Speed(80.0));
        while control.status().speed != Some(80.0) {
            std::thread::yield_now();
        }
        control.ask(Wish::Resume);
        run.join().expect("no panic")
    });
    check(&output);
    assert!(!output.interrupted && control.changes().is_empty());
    assert_eq!(output.host.expect("real threads").speed, 80.0);
}

#[test]
fn the_report_of_a_run_that_was_changed_by_hand_says_so() {
    let plan = plan("kb281868");
    let tuning = Tuning { node: 0, values: KB };
    let percent = Tuning { node: 0, values: Values { percent: 50, ..KB } };
    let wishes = [(s(100), Wish::Restart(tuning)), (s(200), Wish::Apply(percent)), (s(300), Wish::Load(0.5))];
    let options =
        RunOptions { engine: EngineKind::Virtual, control: Some(hand(&plan, &wishes)), ..RunOptions::default() };
    let ran = run::run(std::slice::from_ref(&plan), &options, &Silent);
    assert!(!ran.went_wrong());
    let report = ran.report.expect("it ran");
    let told: Vec<_> = report.notices.iter().filter(|notice| notice.code == "changed-by-hand").collect();
    assert_eq!(told.len(), 1);
    let told = &told[0].text;
    for words in [
        "untuned: changed by hand while it ran",
        "at 1 min 40 s MaxPercentPoolThreads 22, AdditionalPoolThreadsPerProc 18, by a restart of IIS Admin",
        "(the pool from 20 to 44 threads, a heavy queue from 18 to 9)",
        "at 3 min 20 s MaxPercentPoolThreads 50, AdditionalPoolThreadsPerProc 18, at once, without the restart",
        "at 5 min 00 s the load of open sources x 0.5",
    ] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
    // Who was cut off by the restart has a column also on a single server; without a restart there is none.
    let shown = |report: &Report| text(report, &TextOptions { width: 120, colour: false });
    assert!(shown(&report).contains("unreachable") && json(&report).contains("\"unreachable\""));
    let alone = RunOptions { engine: EngineKind::Virtual, ..RunOptions::default() };
    let report = run::run(std::slice::from_ref(&plan), &alone, &Silent).report.expect("it ran");
    assert!(!shown(&report).contains("unreachable") && !json(&report).contains("\"unreachable\""));
    assert!(report.notices.iter().all(|notice| notice.code != "changed-by-hand"));
}
