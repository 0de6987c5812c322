//! The laws as tests, in the order of the sections below.

use std::collections::BTreeMap;

use atqsim::ids::ThreadId;
use atqsim::item::Outcome;
use atqsim::plan::Plan;
use atqsim::policy::dispatch::{Decision, Kind};
use atqsim::report::json::json;
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::time::Nanos;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseResult, TestRunner};

use crate::mail::{Mail, mail};
use crate::one_run;
use crate::witness::{Key, Life, Seen, What, same, see};
use crate::world::{Arrivals, Class, Dist, Load, Order, World, world};

type Lives = BTreeMap<Key, Life>;

/// Cases of each law, where the environment does not say otherwise.
const CASES: u32 = 160;

fn holds(result: Result<(), String>, world: &World) -> TestCaseResult {
    holds_for(result, &world.text())
}

fn holds_for(result: Result<(), String>, text: &str) -> TestCaseResult {
    result.map_err(|why| TestCaseError::fail(format!("{why}\n{text}")))
}

/// What the plan becomes when each work queue's cap is changed.
fn with_caps(plan: &Plan, change: impl Fn(u32) -> u32) -> Plan {
    let mut plan = plan.clone();
    for class in &mut plan.classes {
        if let Kind::WorkQueue { cap, .. } = &mut class.rule.kind {
            *cap = change(*cap);
        }
    }
    plan
}

/// A busy world without chance but in its seed, for the planted changes: three classes, two of them queues with caps.
fn busy_world() -> World {
    let class = |name: &str, queue, wait| Class {
        name: name.to_string(),
        queue,
        priority: 0,
        keep_free: 0,
        max_waiting: Some(8),
        phases: vec![(false, Dist::Exponential(wait))],
        patience: Some(Dist::Exponential(150)),
        routes: Vec::new(),
    };
    let load =
        |name: &str, class, rate| Load { name: name.to_string(), class, arrivals: Arrivals::Poisson(rate), batch: 1 };
    World {
        seed: 1,
        duration_ms: 3_000,
        warmup_ms: None,
        factor: 1,
        processors: 4,
        threads: 4,
        registry: None,
        room: Some(14),
        order: Order::Port,
        classes: vec![class("a", Some((2, 1)), 40), class("b", Some((3, 0)), 30), class("c", None, 20)],
        loads: vec![load("la", 0, 60), load("lb", 1, 70), load("lc", 2, 40)],
        faults: Vec::new(),
    }
}

// ---- 1: one run ----------------------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2 * CASES))]

    /// Arrivals are outcomes, threads keep to caps and pool, Little, first in first out, no idle thread beside work.
    #[test]
    fn every_run_keeps_the_laws(world in world(false)) {
        let plan = world.plan();
        let seen = see(&plan, true);
        holds(one_run::laws(&seen), &world)?;
        // Who is told of every event changes nothing.
        prop_assert_eq!(&see(&plan, false).told, &seen.told);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// The same for SMTP's queues and sessions of POP3; and a shorter run is the begin of a longer one (section 6).
    #[test]
    fn every_run_of_a_mail_server_keeps_the_laws(mail in mail(false), part in 0.2..0.9_f64) {
        let seen = see(&mail.plan(), true);
        holds_for(one_run::laws(&seen), &mail.text())?;
        let shorter = Mail { duration_ms: (mail.duration_ms as f64 * part) as u64, ..mail.clone() };
        let short = see(&shorter.plan(), false);
        holds_for(same(&before(&seen.lives(), short.plan.duration), &short.lives()), &mail.text())?;
    }

    /// Section 2 for a mail server.
    #[test]
    fn all_times_of_a_mail_server_times_two_give_waits_times_two(mail in mail(true)) {
        let single = see(&mail.plan(), false).lives();
        let double = see(&Mail { factor: 2, ..mail.clone() }.plan(), false).lives();
        holds_for(same(&stretched(&single, 2), &double), &mail.text())?;
    }
}

/// What is changed in what was seen, or in what it is judged by, and the word that names the broken law.
fn planted() -> Vec<(&'static str, Seen)> {
    let plan = busy_world().plan();
    let seen = || see(&plan, true);
    let at = |seen: &Seen, what: What| seen.told.iter().rposition(|told| told.what == what).expect("it happened");
    let told = |change: &dyn Fn(&mut Seen)| {
        let mut seen = seen();
        change(&mut seen);
        seen
    };
    let judged = |run: &Plan, by: &Plan| Seen { plan: by.clone(), ..see(run, true) };
    let mut smaller = plan.clone();
    smaller.pool.size -= 1;
    let mut patient = plan.clone();
    patient.starvation_after += Nanos(1);
    let mut roomless = plan.clone();
    roomless.pool.waiting_room = Some(5);
    vec![
        ("ns in sum", told(&|s| s.told.retain(|told| told.what != What::Started))),
        (
            "counted and seen",
            told(&|s| {
                let at = at(s, What::GaveUp);
                s.told.remove(at);
            }),
        ),
        (
            "counted and seen",
            told(&|s| {
                let at = at(s, What::Finished(Outcome::Served));
                s.told.remove(at);
            }),
        ),
        (
            "ns in sum",
            told(&|s| {
                let at = at(s, What::GaveUp);
                s.told[at].now = s.told[at].now - Nanos(1);
            }),
        ),
        (
            "at ",
            told(&|s| {
                let at = at(s, What::Arrived);
                s.told[at].item.due = s.told[at].item.due - Nanos(1);
            }),
        ),
        (
            "integral",
            told(&|s| {
                let at = at(s, What::GaveUp);
                let again = s.told[at];
                s.told.insert(at, again);
            }),
        ),
        ("began before", told(&swap_two_starts)),
        ("busy in class", judged(&with_caps(&plan, |cap| cap + 1), &plan)),
        ("busy in class", judged(&plan, &smaller)),
        ("a thread is free", judged(&smaller, &plan)),
        ("a thread is free", judged(&with_caps(&plan, |cap| cap - 1), &plan)),
        ("starved", judged(&plan, &patient)),
        (
            "decides otherwise",
            told(&|s| {
                let (_, line) = s.lines.last_mut().expect("something happened");
                line.decisions.push(Decision::Idle { thread: ThreadId(0) });
            }),
        ),
        ("refused without need", judged(&roomless, &plan)),
        ("the run itself says", told(&|s| s.output.summary.violations.push("something".to_string()))),
    ]
}

/// The starts of two neighbours of a class, at the same moment or not, change places; nothing else does.
fn swap_two_starts(seen: &mut Seen) {
    let starts: Vec<usize> = (0..seen.told.len())
        .filter(|at| seen.told[*at].what == What::Started && seen.told[*at].item.class.0 == 0)
        .collect();
    // Both were there when the first began, so that only their order is wrong.
    let pair = starts.windows(2).find(|pair| {
        let (first, second) = (seen.told[pair[0]], seen.told[pair[1]]);
        second.item.due < first.now && first.item.due < first.now
    });
    let pair = pair.expect("two waited at once").to_vec();
    let (first, second) = (seen.told[pair[0]].item, seen.told[pair[1]].item);
    seen.told[pair[0]].item = second;
    seen.told[pair[1]].item = first;
    // The sum of the waits stays what it was.
}

#[test]
fn a_broken_law_of_one_run_is_noticed() {
    assert_eq!(one_run::laws(&see(&busy_world().plan(), true)), Ok(()));
    for (word, seen) in planted() {
        match one_run::laws(&seen) {
            Err(why) => assert!(why.contains(word), "{word}: {why}"),
            Ok(()) => panic!("not noticed: {word}"),
        }
    }
}

/// A law over worlds in which nothing happens would say nothing.
#[test]
fn in_the_random_worlds_everything_happens() {
    let mut runner = TestRunner::deterministic();
    let worlds = 150;
    let (mut happened, mut of_three) = (BTreeMap::<&str, u32>::new(), 0);
    for _ in 0..worlds {
        let plan = world(false).new_tree(&mut runner).expect("a world").current().plan();
        let seen = see(&plan, true);
        let any = |what: What| seen.told.iter().any(|told| told.what == what);
        let decided = |of: fn(&Decision<()>) -> bool| seen.lines.iter().any(|(_, line)| line.decisions.iter().any(of));
        let held = one_run::held_back(&seen);
        let what = [
            ("refused", any(What::Refused)),
            ("lost", any(What::Finished(Outcome::Lost))),
            ("gave up", any(What::GaveUp)),
            ("waited", seen.told.iter().any(|told| told.what == What::Started && told.now > told.item.due)),
            ("went on to another class", seen.told.iter().any(|told| told.item.step > 1)),
            ("a thread retired", decided(|decision| matches!(decision, Decision::Retire { .. }))),
            ("held back by a cap alone", held.cap),
            ("held back by the runnable limit alone", held.runnable),
            ("held back by threads that are kept free", held.kept),
        ];
        for (name, did) in what {
            *happened.entry(name).or_default() += u32::from(did);
        }
        of_three += u32::from(plan.classes.len() >= 3 && seen.told.len() > 200);
    }
    println!("of {worlds}: {happened:?}, {of_three} with three classes and 200 events");
    assert!(happened.values().all(|times| *times >= 5), "of {worlds}: {happened:?}");
    assert!(of_three >= worlds / 4);
}

// ---- 2: all times times two ----------------------------------------------------------------------------------------

/// All moments of all items times `factor`.
fn stretched(lives: &Lives, factor: u64) -> Lives {
    let times = |at: Nanos| Nanos(at.0 * factor);
    let life = |life: &Life| Life {
        class: life.class.clone(),
        due: times(life.due),
        started: life.started.map(times),
        ended: life.ended.map(|(at, what)| (times(at), what)),
    };
    lives.iter().map(|(key, one)| (key.clone(), life(one))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn all_times_times_two_give_waits_times_two(world in world(true)) {
        let single = see(&world.plan(), false).lives();
        let double = see(&World { factor: 2, ..world.clone() }.plan(), false).lives();
        holds(same(&stretched(&single, 2), &double), &world)?;
    }
}

#[test]
fn a_time_that_is_not_doubled_is_noticed() {
    let mut world = busy_world();
    for (class, ms) in world.classes.iter_mut().zip([35, 30, 20]) {
        class.phases = vec![(false, Dist::Constant(ms))];
        class.patience = Some(Dist::Sample);
    }
    for (load, ms) in world.loads.iter_mut().zip([15, 10, 25]) {
        load.arrivals = Arrivals::Gaps(Dist::Constant(ms));
    }
    let single = see(&world.plan(), false).lives();
    let mut plan = World { factor: 2, ..world.clone() }.plan();
    assert_eq!(same(&stretched(&single, 2), &see(&plan, false).lives()), Ok(()));
    plan.duration = Nanos(plan.duration.0 / 2);
    assert!(same(&stretched(&single, 2), &see(&plan, false).lives()).is_err());
    world.classes[2].phases = vec![(false, Dist::Constant(21))];
    let other = see(&World { factor: 2, ..world }.plan(), false).lives();
    assert!(same(&stretched(&single, 2), &other).is_err());
}

// ---- 3: caps that the pool can hold --------------------------------------------------------------------------------

/// Only queues, whose caps are the pool in sum; nothing leads from one to the other, and nobody waits for a processor.
fn apart(mut world: World) -> World {
    let mut threads = 0;
    for class in &mut world.classes {
        let (cap, drain) = class.queue.unwrap_or((1 + class.priority, class.keep_free));
        class.queue = Some((cap, drain));
        class.routes.clear();
        threads += cap;
    }
    world.threads = threads;
    world.room = None;
    if world.order == Order::Reserve {
        world.order = Order::Port;
    }
    if world.processors.is_multiple_of(2) {
        // Threads that wait are not runnable, so few processors do not matter.
        world.only_wait();
    } else {
        world.processors = threads;
    }
    world
}

/// The class alone, in a pool that is as large as its cap.
fn alone(world: &World, class: usize) -> World {
    let loads = world.loads.iter().filter(|load| load.class % world.classes.len() == class);
    let loads: Vec<Load> = loads.map(|load| Load { class: 0, ..load.clone() }).collect();
    let own = world.classes[class].clone();
    let mut faults = world.faults.clone();
    faults.retain(|fault| fault.panics.is_none_or(|(of, _)| of % world.classes.len() == class));
    World {
        faults,
        threads: own.queue.map_or(world.threads, |(cap, _)| cap),
        classes: vec![own],
        loads,
        ..world.clone()
    }
}

fn each_alone(world: &World, together: &Lives) -> Result<(), String> {
    for (at, class) in world.classes.iter().enumerate() {
        let solo = alone(world, at);
        if solo.loads.is_empty() {
            continue;
        }
        let own = together.iter().filter(|(_, life)| life.class == class.name);
        let own: Lives = own.map(|(key, life)| (key.clone(), life.clone())).collect();
        same(&own, &see(&solo.plan(), false).lives())?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn caps_that_fit_the_pool_give_each_class_its_solo_run(world in world(false).prop_map(apart)) {
        holds(each_alone(&world, &see(&world.plan(), false).lives()), &world)?;
    }
}

#[test]
fn a_pool_that_does_not_hold_the_caps_or_another_cap_is_noticed() {
    let world = apart(busy_world());
    let plan = world.plan();
    assert_eq!(each_alone(&world, &see(&plan, false).lives()), Ok(()));
    assert!(each_alone(&world, &see(&with_caps(&plan, |cap| cap + 1), false).lives()).is_err());
    let smaller = World { threads: world.threads - 2, ..world.clone() };
    assert!(each_alone(&world, &see(&smaller.plan(), false).lives()).is_err());
}

// ---- 4: names ------------------------------------------------------------------------------------------------------

/// The classes of the file in another order.
fn classes_moved(world: &World, by: usize) -> World {
    let count = world.classes.len();
    let to = |at: usize| (at % count + by) % count;
    let mut classes = world.classes.clone();
    for (at, class) in world.classes.iter().enumerate() {
        let routes = class.routes.iter().map(|(next, percent)| (to(*next), *percent)).collect();
        classes[to(at)] = Class { routes, ..class.clone() };
    }
    let loads = world.loads.iter().map(|load| Load { class: to(load.class), ..load.clone() }).collect();
    let mut faults = world.faults.clone();
    faults.iter_mut().filter_map(|fault| fault.panics.as_mut()).for_each(|(class, _)| *class = to(*class));
    World { classes, loads, faults, ..world.clone() }
}

/// Whether two things of different loads that nobody caused at one moment happen at the same time: then the order of
/// the loads in the file decides.
fn ties(seen: &Seen) -> bool {
    let mut moments: Vec<(Nanos, u16)> = seen
        .told
        .iter()
        .filter(|told| match told.what {
            What::Arrived | What::Refused => told.item.step == 0,
            What::GaveUp | What::Finished(_) => true,
            What::Started => false,
        })
        .map(|told| (told.now, told.item.source.0))
        .collect();
    moments.sort_unstable();
    moments.dedup();
    moments.windows(2).any(|pair| pair[0].0 == pair[1].0)
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: u32::MAX, ..ProptestConfig::with_cases(CASES) })]

    /// Not even at equal times does a class's place in the file matter.
    #[test]
    fn classes_in_another_order_change_nothing(world in world(false), by in 1..6_usize) {
        let moved = classes_moved(&world, by);
        holds(same(&see(&world.plan(), false).lives(), &see(&moved.plan(), false).lives()), &world)?;
    }

    /// The place of a load in the file decides at equal times only.
    #[test]
    fn loads_in_another_order_change_nothing_but_ties(world in world(false), by in 1..5_usize) {
        let mut world = world;
        for load in &mut world.loads {
            // Arrivals of these have fractions of a nanosecond, so that ties are rare.
            load.arrivals = match load.arrivals.clone() {
                Arrivals::Gaps(_) | Arrivals::Even(_) => Arrivals::Poisson(40),
                Arrivals::Closed(clients, _) => Arrivals::Closed(clients, Dist::Exponential(80)),
                other => other,
            };
        }
        let seen = see(&world.plan(), false);
        prop_assume!(!ties(&seen));
        let mut moved = classes_moved(&world, by);
        let by = by % moved.loads.len();
        moved.loads.rotate_left(by);
        holds(same(&seen.lives(), &see(&moved.plan(), false).lives()), &world)?;
    }
}

#[test]
fn a_label_that_matters_is_noticed() {
    let world = busy_world();
    let lives = see(&world.plan(), false).lives();
    assert_eq!(same(&lives, &see(&classes_moved(&world, 1).plan(), false).lives()), Ok(()));
    // The names move and what they stand for does not.
    let mut mislabelled = world.clone();
    let names = ["b", "a", "c"];
    mislabelled.classes.iter_mut().zip(names).for_each(|(class, name)| class.name = name.to_string());
    assert!(same(&lives, &see(&mislabelled.plan(), false).lives()).is_err());
    // Draws are found by the name of the load.
    let mut renamed = world;
    renamed.loads[0].name = "other".to_string();
    assert!(same(&lives, &see(&renamed.plan(), false).lives()).is_err());
}

// ---- 5: one more thread --------------------------------------------------------------------------------------------

/// A single class whose items take as long whenever they begin, and whose clients neither leave nor wait for answers.
fn patient(mut world: World) -> World {
    world.classes.truncate(1);
    let class = &mut world.classes[0];
    (class.max_waiting, class.patience) = (None, None);
    class.routes.clear();
    world.faults.clear();
    world.room = None;
    world.order = if world.order == Order::Reserve { Order::Priority } else { world.order };
    world.only_wait();
    for load in &mut world.loads {
        if let Arrivals::Closed(clients, _) = load.arrivals {
            load.arrivals = Arrivals::Poisson(20 + clients);
        }
    }
    world
}

/// No item begins later in `more` than in `fewer`.
fn none_later(fewer: &Lives, more: &Lives) -> Result<(), String> {
    for (key, life) in fewer {
        let other = more.get(key).ok_or_else(|| format!("{key:?} is missing"))?;
        let later = life.started.is_some_and(|at| other.started.is_none_or(|other| other > at));
        if later || life.due != other.due {
            return Err(format!("{key:?} with fewer threads: {life:?}; with one more: {other:?}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn one_more_thread_lets_no_item_wait_longer(world in world(false).prop_map(patient)) {
        let more = World { threads: world.threads + 1, ..world.clone() };
        let (fewer, more) = (see(&world.plan(), false).lives(), see(&more.plan(), false).lives());
        holds(none_later(&fewer, &more), &world)?;
    }

    #[test]
    fn a_cap_that_is_one_higher_lets_no_item_wait_longer(world in world(false).prop_map(patient)) {
        let mut lower = world;
        let (cap, drain) = lower.classes[0].queue.unwrap_or((1, 1));
        lower.classes[0].queue = Some((cap, drain));
        lower.threads = cap + 1;
        let mut higher = lower.clone();
        higher.classes[0].queue = Some((cap + 1, drain));
        let (lower_lives, higher_lives) = (see(&lower.plan(), false).lives(), see(&higher.plan(), false).lives());
        holds(none_later(&lower_lives, &higher_lives), &lower)?;
    }
}

#[test]
fn an_item_that_waits_longer_is_noticed() {
    let mut world = patient(busy_world());
    world.classes[0].queue = None;
    world.loads[2].arrivals = Arrivals::Poisson(5);
    let fewer = see(&world.plan(), false).lives();
    let more = see(&World { threads: world.threads + 1, ..world }.plan(), false).lives();
    assert_eq!(none_later(&fewer, &more), Ok(()));
    assert!(none_later(&more, &fewer).is_err());
}

// ---- 6: what comes later -------------------------------------------------------------------------------------------

/// What happened before `until`.
fn before(lives: &Lives, until: Nanos) -> Lives {
    let life = |life: &Life| Life {
        started: life.started.filter(|at| *at < until),
        ended: life.ended.filter(|(at, _)| *at < until),
        ..life.clone()
    };
    lives.iter().filter(|(_, one)| one.due < until).map(|(key, one)| (key.clone(), life(one))).collect()
}

/// The same world, to which one more load comes from `from` on.
fn with_later_load(world: &World, from: u64) -> World {
    let load = Load {
        name: "later".to_string(),
        class: world.seed as usize % 7,
        arrivals: Arrivals::From(from, 150),
        batch: 2,
    };
    let mut later = world.clone();
    later.loads.push(load);
    later
}

/// Items that came before `until` have the same moments, however long after `until` those are.
fn earlier_ones_unchanged(without: &Lives, with: &Lives, until: Nanos) -> Result<(), String> {
    let earlier = |lives: &Lives| -> Lives {
        lives.iter().filter(|(_, life)| life.due < until).map(|(key, life)| (key.clone(), life.clone())).collect()
    };
    same(&earlier(without), &earlier(with))
}

/// A world in which later arrivals cannot change earlier items: the port with one message a turn, queues that never
/// hold more than they may post at once, no processor to wait for.
fn in_port_order(mut world: World) -> World {
    world.order = Order::Port;
    world.only_wait();
    let queues: Vec<bool> = world.classes.iter().map(|class| class.queue.is_some()).collect();
    for class in &mut world.classes {
        class.routes.clear();
        if class.queue.is_some() {
            class.queue = Some((world.threads, 1));
            // Who leaves a queue leaves a thread request behind, which a later message then uses.
            class.patience = None;
        }
    }
    // Each queue has closed clients, together no more than its cap.
    let mut left = vec![world.threads; world.classes.len()];
    for load in &mut world.loads {
        let class = load.class % queues.len();
        if queues[class] {
            let clients = left[class].min(4);
            left[class] -= clients;
            load.arrivals = Arrivals::Closed(clients, Dist::Exponential(60));
        }
    }
    world.loads.retain(|load| !matches!(load.arrivals, Arrivals::Closed(0, _)));
    if world.loads.is_empty() {
        world.classes[0].queue = None;
        world.loads.push(Load { name: "l".to_string(), class: 0, arrivals: Arrivals::Poisson(100), batch: 1 });
    }
    world
}

/// The later load of [`with_later_load`] on a class of requests, which the world gets for it.
fn with_later_requests(world: &World, from: u64) -> World {
    let mut later = world.clone();
    later.classes.push(Class {
        name: "late".to_string(),
        queue: None,
        priority: 0,
        keep_free: 0,
        max_waiting: None,
        phases: vec![(false, Dist::Exponential(30))],
        patience: Some(Dist::Exponential(200)),
        routes: Vec::new(),
    });
    let arrivals = Arrivals::From(from, 150);
    // Classes are counted modulo their number, which is one more now.
    let panics = later.faults.iter_mut().filter_map(|fault| fault.panics.as_mut()).map(|(class, _)| class);
    later.loads.iter_mut().map(|load| &mut load.class).chain(panics).for_each(|class| *class %= world.classes.len());
    later.loads.push(Load { name: "later".to_string(), class: world.classes.len(), arrivals, batch: 2 });
    later
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// What is to come has no effect on what was, under any rule: a shorter run is the begin of a longer one.
    #[test]
    fn a_shorter_run_is_the_begin_of_a_longer_one(world in world(false), part in 0.2..0.9_f64) {
        let world = World { warmup_ms: None, ..world };
        let shorter = World { duration_ms: (world.duration_ms as f64 * part) as u64, ..world.clone() };
        let (long, short) = (see(&world.plan(), false), see(&shorter.plan(), false));
        let until = short.plan.duration;
        holds(same(&before(&long.lives(), until), &short.lives()), &world)?;
    }

    #[test]
    fn a_load_that_begins_later_leaves_what_was_before(world in world(false), part in 0.2..0.9_f64) {
        let from = (world.duration_ms as f64 * part) as u64;
        let (without, with) = (see(&world.plan(), false), see(&with_later_load(&world, from).plan(), false));
        let until = Nanos::from_millis(from);
        holds(same(&before(&without.lives(), until), &before(&with.lives(), until)), &world)?;
    }

    /// First come, first served by the port: who came before has the same moments for ever.
    #[test]
    fn in_port_order_later_arrivals_change_no_earlier_item(world in world(false).prop_map(in_port_order), part in 0.1..0.6_f64) {
        let from = (world.duration_ms as f64 * part) as u64;
        let (without, with) = (see(&world.plan(), false), see(&with_later_requests(&world, from).plan(), false));
        let until = Nanos::from_millis(from);
        holds(earlier_ones_unchanged(&without.lives(), &with.lives(), until), &world)?;
    }

    /// So it is with a single class, whatever its cap and its drain rule.
    #[test]
    fn in_a_single_class_later_arrivals_change_no_earlier_item(world in world(false), part in 0.1..0.6_f64) {
        let mut world = world;
        world.classes.truncate(1);
        world.classes[0].routes.clear();
        world.only_wait();
        let from = (world.duration_ms as f64 * part) as u64;
        let (without, with) = (see(&world.plan(), false), see(&with_later_load(&world, from).plan(), false));
        let until = Nanos::from_millis(from);
        holds(earlier_ones_unchanged(&without.lives(), &with.lives(), until), &world)?;
    }
}

/// One thread; queue `a` (cap 1) has a message at 10 ms and, in `later`, at 25 ms; a request of `c` comes at 20 ms, and
/// a second message of `a` before it where `second` says so. Every service takes 30 ms.
fn overtaking(drain: u32, second: bool, later: &str) -> World {
    let class = |name: &str, queue| Class {
        name: name.to_string(),
        queue,
        priority: 0,
        keep_free: 0,
        max_waiting: None,
        phases: vec![(false, Dist::Constant(30))],
        patience: None,
        routes: Vec::new(),
    };
    let once = |name: &str, class, ms| Load {
        name: name.to_string(),
        class,
        arrivals: Arrivals::Gaps(Dist::Constant(ms)),
        batch: 1,
    };
    let mut loads = vec![once("first", 0, 1_010), once("request", 1, 1_020)];
    if second {
        loads[1] = once("second", 0, 1_015);
    }
    match later {
        "message" => loads.push(once("later", 0, 1_025)),
        "request" => loads.push(once("later", 1, 1_025)),
        _ => {}
    }
    World {
        classes: vec![class("a", Some((1, drain))), class("c", None)],
        loads,
        threads: 1,
        processors: 1,
        duration_ms: 1_500,
        room: None,
        ..busy_world()
    }
}

/// Where the law does not hold, and so what it is about: until-empty lets a later message go before an earlier request;
/// a queue at its cap has no packet in the port for what waits in it, so that a later request goes before that; and the
/// packet of a message that gave up stays.
#[test]
fn elsewhere_later_arrivals_do_change_earlier_items() {
    let until = Nanos::from_millis(1_025);
    let changed = |drain: u32, second: bool, later: &str| {
        let without = see(&overtaking(drain, second, "").plan(), false).lives();
        let with = see(&overtaking(drain, second, later).plan(), false).lives();
        earlier_ones_unchanged(&without, &with, until)
    };
    let started = |drain: u32, second: bool, later: &str, load: &str| {
        let lives = see(&overtaking(drain, second, later).plan(), false).lives();
        lives[&(load.to_string(), 0, 0)].started.map(|at| at.0 / 1_000_000)
    };
    assert!(changed(0, false, "message").is_err());
    assert_eq!(started(0, false, "", "request"), Some(1_040));
    assert_eq!(started(0, false, "message", "request"), Some(1_070));
    assert_eq!(changed(1, false, "message"), Ok(()), "one message a turn keeps the order of the port");
    // A message that gave up has left its packet in the port, which a later message of its queue takes.
    let left_behind = |later: &str| {
        let mut world = overtaking(1, true, later);
        world.classes[0].patience = Some(Dist::Constant(20));
        world.loads[0].class = 1;
        world.loads.push(Load { name: "request".to_string(), class: 1, ..world.loads[0].clone() });
        world.loads.last_mut().expect("a load").arrivals = Arrivals::Gaps(Dist::Constant(1_020));
        see(&world.plan(), false).lives()[&("request".to_string(), 0, 0)].started.map(|at| at.0 / 1_000_000)
    };
    assert_eq!((left_behind(""), left_behind("message")), (Some(1_040), Some(1_070)));
    assert!(changed(1, true, "request").is_err());
    assert_eq!(started(1, true, "", "second"), Some(1_040));
    assert_eq!(started(1, true, "request", "second"), Some(1_070));
}

// ---- 7: seeds ------------------------------------------------------------------------------------------------------

fn bytes(world: &World) -> String {
    let options = RunOptions { engine: EngineKind::Virtual, ..RunOptions::default() };
    json(&run(&[world.plan()], &options, &Silent).report.expect("it ran"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES / 3))]

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others(world in world(false)) {
        let mut world = world;
        world.loads.push(Load { name: "p".to_string(), class: 0, arrivals: Arrivals::Poisson(100), batch: 1 });
        prop_assert_eq!(bytes(&world), bytes(&world));
        let other = World { seed: world.seed ^ 1, ..world.clone() };
        let (own, others) = (see(&world.plan(), false).lives(), see(&other.plan(), false).lives());
        prop_assert!(same(&own, &others).is_err(), "another seed gives the same");
        prop_assert_ne!(bytes(&world), bytes(&other));
    }
}
