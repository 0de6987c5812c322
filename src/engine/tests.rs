//! Both engines on small plans made by hand: theory where there is some, and the laws that hold on any engine.

use std::sync::Arc;

use super::{Options, RunOutput, threaded, virtual_time};
use crate::ids::{ClassId, DependencyId, StageId};
use crate::plan::{ClassPlan, Plan, Role, Warmup};
use crate::policy::assumptions::Assumptions;
use crate::policy::decision_log::replay;
use crate::policy::dispatch::{ClassRule, Kind};
use crate::policy::drain::Drain;
use crate::policy::registry::Registry;
use crate::policy::sizing::{Machine, pool_shape};
use crate::time::Nanos;
use crate::workload::arrivals::{Pattern, RateProfile, Spacing};
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Arrivals, Journey, LoadSpec, Phase, PhaseKind, Source, Stage, Then};

/// A pool of `threads` with one class a rule, each fed by its own Poisson source: (kind, rate per second, mean service).
fn plan(threads: u32, classes: &[(Kind, f64, Nanos)], seconds: u64, speed: f64) -> Plan {
    let machine = Machine { processors: 2, memory_mb: 1_024, smtp_virtual_servers: 0 };
    let (assumptions, registry) = (Assumptions::default(), Registry::empty());
    let mut pool = pool_shape(&machine, &registry, &assumptions).0.expect("the defaults are sound");
    pool.size = threads;
    let stage = |(at, (_, _, mean)): (usize, &(Kind, f64, Nanos))| Stage {
        name: format!("stage {at}"),
        class: ClassId(at as u16),
        phases: vec![Phase { kind: PhaseKind::Wait(DependencyId(0)), time: Distribution::Exponential { mean: *mean } }],
        patience: None,
        then: Then::End,
    };
    let source = |(at, (_, rate, _)): (usize, &(Kind, f64, Nanos))| Source {
        name: format!("source {at}"),
        arrivals: Arrivals::Open {
            pattern: Pattern::Rate { spacing: Spacing::Poisson, rate: RateProfile::constant(*rate) },
            batch: 1,
        },
        journey: Journey::Message(StageId(at as u16)),
    };
    Plan {
        title: "test".into(),
        file: "test".into(),
        variant: "test".into(),
        seed: 7,
        duration: Nanos::from_secs(seconds),
        warmup: Warmup::None,
        speed,
        starvation_after: Nanos::SECOND,
        machine,
        registry,
        assumptions,
        pool,
        classes: classes
            .iter()
            .enumerate()
            .map(|(at, (kind, ..))| ClassPlan {
                name: format!("class{at}"),
                role: Role::Protocol,
                rule: ClassRule { kind: *kind, ..ClassRule::default() },
            })
            .collect(),
        load: Arc::new(LoadSpec {
            stages: classes.iter().enumerate().map(stage).collect(),
            sources: classes.iter().enumerate().map(source).collect(),
            dependencies: vec!["store".into()],
            faults: Vec::new(),
        }),
        asserts: Vec::new(),
        cluster: None,
        limits: crate::plan::limits::Limits::default(),
    }
}

fn both(plan: &Plan, options: &Options<'_>) -> [RunOutput; 2] {
    [virtual_time::run(plan, options).unwrap(), threaded::run(&Arc::new(plan.clone()), options).unwrap()]
}

/// Mean wait of M/M/c (Erlang C), from Erlang B by its recursion.
fn erlang_c_wait(servers: u32, load: f64, service: f64) -> f64 {
    let blocked = (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
    let waits = blocked / (1.0 - load / f64::from(servers) * (1.0 - blocked));
    waits * service / (f64::from(servers) - load)
}

#[test]
fn virtual_time_agrees_with_erlang_c() {
    let plan = plan(4, &[(Kind::Requests, 32.0, Nanos::from_millis(100))], 30_000, 1.0);
    let output = virtual_time::run(&plan, &Options::default()).unwrap();
    let mean = output.summary.classes[0].wait.mean_us / 1e6;
    let theory = erlang_c_wait(4, 3.2, 0.1);
    // Half-width of the 95 % interval is about 1.5 % for a million customers at this load.
    assert!((mean / theory - 1.0).abs() < 0.03, "{mean} s is not {theory} s");
    assert_eq!(output.summary.violations, Vec::<String>::new());
}

#[test]
fn both_engines_lose_nothing_keep_caps_and_replay() {
    let queue = |cap| Kind::WorkQueue { cap, drain: Drain::UntilEmpty };
    let classes = [
        (Kind::Requests, 20.0, Nanos::from_millis(50)),
        (queue(4), 40.0, Nanos::from_millis(100)),
        (queue(2), 10.0, Nanos::from_millis(150)),
    ];
    let plan = plan(6, &classes, 40, 40.0);
    for output in both(&plan, &Options { log_decisions: 1_000_000, ..Options::default() }) {
        assert_eq!(output.summary.violations, Vec::<String>::new());
        let log = output.log.as_ref().unwrap();
        assert_eq!(log.dropped(), 0);
        assert!(log.lines().len() > 4_000);
        replay(&plan.rules(), log.lines()).unwrap();
        assert!(output.summary.classes[1].busy_max <= 4);
        assert!(output.summary.classes[2].busy_max <= 2);
        assert!(output.summary.live_threads_max <= 6);
        for class in &output.summary.classes {
            assert_eq!(class.arrivals, class.outcomes.total());
            assert!(class.arrivals > 300, "{}", class.arrivals);
        }
    }
}

#[test]
fn both_engines_see_the_same_arrivals() {
    let plan = plan(20, &[(Kind::Requests, 50.0, Nanos::from_millis(20))], 20, 40.0);
    let [a, b] = both(&plan, &Options::default());
    assert_eq!(a.summary.classes[0].arrivals, b.summary.classes[0].arrivals);
}
