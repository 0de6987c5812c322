//! The proof itself: the quick cases pass, planted mistakes are found, schedules without chance are exact.

use std::any::Any;
use std::sync::Arc;

use atqsim::engine::observer::Observer;
use atqsim::engine::{Options, virtual_time};
use atqsim::item::Outcome;
use atqsim::plan::Plan;
use atqsim::policy::dispatch::Kind;
use atqsim::policy::drain::Drain;
use atqsim::policy::order::Order;
use atqsim::scenario::{Base, Overrides, read};
use atqsim::time::Nanos;
use atqsim::verify::case::{Case, built_in};
use atqsim::verify::judge::Verdict;
use atqsim::verify::{CaseResult, Report, Settings, Tampering, check, texts};
use atqsim::workload::arrivals::{Pattern, Spacing};
use atqsim::workload::distribution::Distribution;
use atqsim::workload::journey::{Arrivals, LoadSpec};
use atqsim::workload::{Item, JourneyEnd};

fn case(id: &str) -> Case {
    built_in().into_iter().find(|case| case.id == id).unwrap_or_else(|| panic!("no case {id}"))
}

/// What came of every figure that is not right.
fn wrong(report: &Report) -> Vec<String> {
    match &report.result {
        CaseResult::Checked { figures, violations, .. } => figures
            .iter()
            .filter(|figure| figure.verdict != Verdict::Ok)
            .map(|figure| {
                format!("{}.{} z {:.1}", figure.wanted.expected.group, figure.wanted.expected.figure, figure.z)
            })
            .chain(violations.clone())
            .collect(),
        CaseResult::Skipped(why) | CaseResult::Impossible(why) => vec![why.clone()],
    }
}

#[test]
fn every_case_with_classes_can_be_said_in_the_language() {
    let (mut said, mut not) = (0, Vec::new());
    for case in built_in() {
        match texts(&case, &Settings::default()) {
            Ok(texts) => {
                for text in texts {
                    let (plans, problems) = read(&case.id, &text, &Base::Builtin, &Overrides::default());
                    assert!(problems.is_empty() && plans.is_some(), "{}: {problems:?}", case.id);
                }
                said += 1;
            }
            Err(_) => not.push(case.id),
        }
    }
    assert_eq!(
        not,
        ["det_burst_nocap", "det_burst_cap50", "det_two_class_cap5", "poll_detect_T5", "availability_poll60"]
    );
    assert!(said >= 30, "{said}");
}

#[test]
fn a_bounded_queue_has_its_exact_figures_and_the_same_seed_the_same_answer() {
    let case = case("mmck_c4_K10");
    let report = check(&case, &Settings::default());
    assert_eq!(wrong(&report), Vec::<String>::new());
    let again = check(&case, &Settings { workers: 1, ..Settings::default() });
    assert_eq!(atqsim::verify::table::block(&report), atqsim::verify::table::block(&again));
}

/// Stands between the engine and the recorder and tells it something else.
#[derive(Debug)]
struct Distorted {
    inner: Box<dyn Observer>,
    how: How,
    waiting: Vec<Nanos>,
    started: u64,
    lost: Option<(u64, Nanos)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    LastInFirstOut,
    OneLost,
    WaitsFromEarlier,
    OneFinishLost,
    ZeroWaitsForgotten,
    RefusedForgotten,
    EndedLate,
}

impl Observer for Distorted {
    fn arrived(&mut self, item: &Item, now: Nanos) {
        self.waiting.push(item.due);
        self.inner.arrived(item, now);
    }
    fn refused(&mut self, item: &Item, now: Nanos) {
        if self.how != How::RefusedForgotten {
            self.inner.refused(item, now);
        }
    }
    fn gave_up(&mut self, item: &Item, now: Nanos) {
        self.inner.gave_up(item, now);
    }
    fn started(&mut self, item: &Item, now: Nanos) {
        self.started += 1;
        let mut told = *item;
        match self.how {
            How::LastInFirstOut => told.due = self.waiting.pop().expect("an item waits"),
            How::OneLost if self.started == 1_000 => {
                self.lost = Some((item.number, item.due));
                return;
            }
            How::WaitsFromEarlier => told.due = item.due - Nanos::from_millis(20),
            How::ZeroWaitsForgotten if now == item.due => told.due = item.due - Nanos::from_millis(1),
            _ => {}
        }
        self.inner.started(&told, now);
    }
    fn finished(&mut self, item: &Item, outcome: Outcome, now: Nanos) {
        if self.lost == Some((item.number, item.due)) {
            return;
        }
        if self.how == How::OneFinishLost && self.started == 1_000 {
            self.started += 1;
            return;
        }
        let mut told = *item;
        if self.how == How::EndedLate {
            told.due = item.due - Nanos::from_millis(50);
        }
        self.inner.finished(&told, outcome, now);
    }
    fn journey_ended(&mut self, end: &JourneyEnd, now: Nanos) {
        self.inner.journey_ended(end, now);
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.inner.into_any()
    }
}

/// The load of a plan, to be changed.
fn load(plan: &mut Plan) -> &mut LoadSpec {
    Arc::make_mut(&mut plan.load)
}

fn stretch(distribution: &Distribution, factor: f64) -> Distribution {
    match distribution {
        Distribution::Exponential { mean } => Distribution::Exponential { mean: mean.scale(factor) },
        other => panic!("{other:?} is not stretched here"),
    }
}

fn services(factor: f64) -> impl Fn(&mut Plan) + Sync {
    move |plan| {
        for phase in load(plan).stages.iter_mut().flat_map(|stage| &mut stage.phases) {
            phase.time = stretch(&phase.time, factor);
        }
    }
}

fn patterns(change: fn(&mut Pattern)) -> impl Fn(&mut Plan) + Sync {
    move |plan| {
        for source in &mut load(plan).sources {
            if let Arrivals::Open { pattern, .. } = &mut source.arrivals {
                change(pattern);
            }
        }
    }
}

fn faster(pattern: &mut Pattern) {
    if let Pattern::Rate { rate, .. } = pattern {
        for piece in &mut rate.pieces {
            piece.from *= 1.02;
            piece.to *= 1.02;
        }
    }
}

fn even(pattern: &mut Pattern) {
    if let Pattern::Rate { spacing, .. } = pattern {
        *spacing = Spacing::Even;
    }
}

fn caps(change: fn(u32) -> u32) -> impl Fn(&mut Plan) + Sync {
    move |plan| {
        for class in &mut plan.classes {
            if let Kind::WorkQueue { cap, .. } = &mut class.rule.kind {
                *cap = change(*cap);
            }
        }
    }
}

fn constant_services(plan: &mut Plan) {
    for phase in load(plan).stages.iter_mut().flat_map(|stage| &mut stage.phases) {
        phase.time = Distribution::Constant(Nanos::from_f64(phase.time.mean_ns()));
    }
}

fn patience(factor: Option<f64>) -> impl Fn(&mut Plan) + Sync {
    move |plan| {
        for stage in &mut load(plan).stages {
            stage.patience = factor.zip(stage.patience.as_ref()).map(|(factor, p)| stretch(p, factor));
        }
    }
}

fn pauses(plan: &mut Plan) {
    for source in &mut load(plan).sources {
        if let Arrivals::Closed { pause, .. } = &mut source.arrivals {
            *pause = stretch(pause, 1.02);
        }
    }
}

fn turns(plan: &mut Plan) {
    for class in &mut plan.classes {
        if let Kind::WorkQueue { drain, .. } = &mut class.rule.kind {
            *drain = if *drain == Drain::UntilEmpty { Drain::Messages(1) } else { Drain::UntilEmpty };
        }
    }
}

type Change = Box<dyn Fn(&mut Plan) + Sync>;

/// Mistakes in what is run: (what, the case that finds it, the mistake).
fn planted() -> Vec<(&'static str, &'static str, Change)> {
    vec![
        ("service 2 % too long", "mm1_rho0.5", Box::new(services(1.02))),
        ("service 2 % too short", "mm1_rho0.5", Box::new(services(0.98))),
        ("arrivals 2 % too many", "mm1_rho0.5", Box::new(patterns(faster))),
        ("even arrivals", "mm1_rho0.5", Box::new(patterns(even))),
        ("constant services", "mm1_rho0.5", Box::new(constant_services)),
        ("one thread too many", "mmck_c4_K10", Box::new(|plan| plan.pool.size += 1)),
        ("one thread too few", "mmck_c4_K10", Box::new(|plan| plan.pool.size -= 1)),
        ("one waiting place too many", "mmck_c4_K10", Box::new(|plan| plan.pool.waiting_room = Some(7))),
        ("one waiting place too few", "mmck_c4_K10", Box::new(|plan| plan.pool.waiting_room = Some(5))),
        ("no waiting room at all", "mmck_c4_K10", Box::new(|plan| plan.pool.waiting_room = None)),
        (
            "a room for each class",
            "oldest_eligible_c2k1_room12",
            Box::new(|plan| {
                plan.pool.waiting_room = None;
                plan.classes.iter_mut().for_each(|class| class.rule.max_waiting = 12);
            }),
        ),
        ("a cap one too high", "oldest_eligible_c2k1_room12", Box::new(caps(|cap| cap + 1))),
        ("a cap one too low", "caps2_c4k2_own", Box::new(caps(|cap| cap - 1))),
        (
            "priority instead of age",
            "oldest_eligible_c2k1_room12",
            Box::new(|plan| {
                plan.assumptions.order = Order::Priority;
                plan.classes[0].rule.priority = 1;
            }),
        ),
        (
            "the port instead of age",
            "oldest_eligible_c2k1_room12",
            Box::new(|plan| plan.assumptions.order = Order::Port),
        ),
        (
            "priorities swapped",
            "caps2_c4k2_prioB",
            Box::new(|plan| {
                plan.classes.iter_mut().for_each(|class| class.rule.priority = 1 - class.rule.priority);
            }),
        ),
        (
            "age instead of priority",
            "caps2_c4k2_prioB",
            Box::new(|plan| {
                plan.assumptions.order = Order::OldestEligible;
            }),
        ),
        ("turns of one message", "caps2_c4k2_own", Box::new(turns)),
        ("nobody gives up", "erlangA_c10", Box::new(patience(None))),
        ("patience 5 % too long", "erlangA_c10", Box::new(patience(Some(1.05)))),
        ("pauses 2 % too long", "closed_N40_c4", Box::new(pauses)),
        (
            "one thread kept free too few",
            "reserve_c10_r2",
            Box::new(|plan| {
                plan.classes.iter_mut().for_each(|class| class.rule.keep_free = class.rule.keep_free.saturating_sub(1));
            }),
        ),
    ]
}

/// Mistakes in what is recorded.
const DISTORTED: &[(&str, &str, How)] = &[
    ("last in, first out", "mm1_rho0.5", How::LastInFirstOut),
    ("one waiting item lost", "mm1_rho0.5", How::OneLost),
    ("one thread never freed", "mm1_rho0.5", How::OneFinishLost),
    ("waits counted from 20 ms earlier", "mm1_rho0.5", How::WaitsFromEarlier),
    ("no wait of zero", "erlangB_c20_exp", How::ZeroWaitsForgotten),
    ("sojourns 50 ms too long", "mm1_rho0.5", How::EndedLate),
    ("refused items forgotten", "mmck_c4_K10", How::RefusedForgotten),
];

/// The cases run a few million items each, which only an optimised build does in seconds: without optimisation, one of
/// each kind. `just verify` has them all.
fn in_this_build<T>(all: Vec<T>) -> Vec<T> {
    let most = if cfg!(debug_assertions) { 1 } else { usize::MAX };
    all.into_iter().take(most).collect()
}

#[test]
fn planted_mistakes_are_found() {
    let mut missed = Vec::new();
    let mut verdict = |what: &str, id: &str, tampering: Tampering<'_>| {
        let found = wrong(&check(&case(id), &Settings { tampering, ..Settings::default() }));
        println!("{what} ({id}): {}", found.join(", "));
        // An interval that is too wide is no discovery.
        let off = |line: &String| line.rsplit_once("z ").is_none_or(|(_, z)| z.parse::<f64>().unwrap().abs() > 3.9);
        if !found.iter().any(off) {
            missed.push(what.to_string());
        }
    };
    let (planted, distorted) = (in_this_build(planted()), in_this_build(DISTORTED.to_vec()));
    for (what, id, change) in &planted {
        verdict(what, id, Tampering { plan: Some(change.as_ref()), observer: None });
    }
    for (what, id, how) in &distorted {
        let how = *how;
        let wrap = move |inner: Box<dyn Observer>| -> Box<dyn Observer> {
            Box::new(Distorted { inner, how, waiting: Vec::new(), started: 0, lost: None })
        };
        verdict(what, id, Tampering { plan: None, observer: Some(&wrap) });
    }
    assert_eq!(missed, Vec::<String>::new());
    // The cases pass when nothing is planted.
    let mut ids: Vec<&str> =
        planted.iter().map(|(_, id, _)| *id).chain(distorted.iter().map(|(_, id, _)| *id)).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        assert_eq!(wrong(&check(&case(id), &Settings::default())), Vec::<String>::new(), "{id}");
    }
}

/// (wait, end) of every item by class.
#[derive(Debug, Default)]
struct Diary(Vec<Vec<(Nanos, Nanos)>>);

impl Observer for Diary {
    fn arrived(&mut self, _: &Item, _: Nanos) {}
    fn refused(&mut self, _: &Item, _: Nanos) {}
    fn gave_up(&mut self, _: &Item, _: Nanos) {}
    fn started(&mut self, item: &Item, now: Nanos) {
        self.0.resize_with(self.0.len().max(item.class.index() + 1), Vec::new);
        self.0[item.class.index()].push((now - item.due, now));
    }
    fn finished(&mut self, _: &Item, _: Outcome, _: Nanos) {}
    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// `100 x A(dur 1) then 100 x B(dur 1), all at t=0` as (class, items); every item takes 1 s.
fn bursts(jobs: &str) -> Vec<(&str, u32)> {
    let one = |part: &'_ str| -> (u32, usize) {
        let (count, rest) = part.trim().split_once(" x ").expect("a count");
        assert!(rest[1..].starts_with("(dur 1)"), "{part}");
        (count.parse().unwrap(), rest.as_ptr() as usize - jobs.as_ptr() as usize)
    };
    jobs.split(" then ").map(one).map(|(count, at)| (&jobs[at..=at], count)).collect()
}

#[test]
fn schedules_without_chance_are_exact() {
    let begin = Nanos::from_secs(1_000);
    let cases: Vec<Case> = built_in().into_iter().filter(|case| case.model.contains_key("jobs")).collect();
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let servers = case.model["servers"].as_u64().unwrap();
        let mut text = format!(
            "format = 1\ntitle = \"t\"\nduration = \"1500s\"\n[node]\nprocessors = 20\nthreads = {servers}\n\
             [assumptions]\norder = \"oldest-eligible\"\n"
        );
        let classes = bursts(case.model["jobs"].as_str().unwrap());
        for (class, items) in &classes {
            let cap =
                case.model["caps"].get(class).map_or(String::new(), |cap| format!("kind = \"queue\"\ncap = {cap}\n"));
            text += &format!(
                "[class.{class}]\n{cap}wait = \"1s\"\n[load.{class}]\nservice = \"{class}\"\ngaps = \"1000s\"\nbatch = {items}\n"
            );
        }
        let (plans, problems) = read(&case.id, &text, &Base::Builtin, &Overrides::default());
        let plan = plans.unwrap_or_else(|| panic!("{problems:?}")).remove(0);
        let (output, diary) =
            virtual_time::observe(&plan, &Options::default(), Some(Box::new(Diary::default()))).unwrap();
        let diary = diary.unwrap().into_any().downcast::<Diary>().unwrap();
        assert_eq!(output.summary.violations, Vec::<String>::new());
        for expected in &case.expected {
            let class = classes.iter().position(|(name, _)| *name == expected.group).unwrap();
            let items = &diary.0[class];
            let waits = || items.iter().map(|(wait, _)| *wait);
            let found = match expected.figure.as_str() {
                "n" => items.len() as f64,
                "mean_wait" => waits().map(|wait| wait.0).sum::<u64>() as f64 / items.len() as f64 / 1e9,
                "max_wait" => waits().max().unwrap().as_secs_f64(),
                "n_waited" => waits().filter(|wait| *wait > Nanos::ZERO).count() as f64,
                "makespan" => (items.iter().map(|(_, start)| *start).max().unwrap() - begin).as_secs_f64() + 1.0,
                "peak_busy" => f64::from(output.summary.classes[class].busy_max),
                other => panic!("{other} is not computed here"),
            };
            assert!(found == expected.value, "{}: {} is {found}, not {}", case.id, expected.figure, expected.value);
        }
    }
}
