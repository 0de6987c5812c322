//! Limits beside a pool that works: neither knows of the other, on either engine.

use std::sync::atomic::Ordering;

use atqsim::engine::Interrupt;
use atqsim::metrics::Summary;
use atqsim::metrics::limits::LimitFigures;
use atqsim::plan::Plan;
use atqsim::run::{EngineKind, Progress, Replications, RunOptions, Silent, replicate, run};
use atqsim::time::Nanos;

use super::super::plans;

const POOL: &str = r#"
[pop3]
[pop3.commands.stat]
wait = { mean = "300ms" }
[load.pop]
service = "pop3"
rate = "20/s"
script = ["stat"]
"#;

const STORE: &str = r#"
[store]
optimizer = "defaults"
[store.clients]
call = { mean = "500ms" }
[store.inbound]
call = { mean = "500ms" }
[load.users]
service = "store.clients"
rate = "4/s"
[load.mail-in]
service = "store.inbound"
rate = "1/s"
"#;

const DOMAINS: &str = r#"
[domains]
names = { count = 1000 }
[load.mail-out]
service = "domains"
rate = "5/s"
"#;

fn ran(parts: &[&str], engine: EngineKind) -> (Summary, LimitFigures) {
    let head = "format = 1\ntitle = \"Together\"\nseed = 4\nduration = \"200s\"\nspeed = 100\n[node]\nprocessors = 2\n";
    let ran =
        run(&plans(&format!("{head}{}", parts.concat())), &RunOptions { engine, ..RunOptions::default() }, &Silent);
    assert!(!ran.went_wrong(), "{:?}", ran.error);
    let variant = ran.report.expect("it ran").variants.remove(0);
    (variant.summary, variant.limits)
}

#[test]
fn what_else_a_scenario_has_changes_no_figure() {
    let all = ran(&[POOL, STORE, DOMAINS], EngineKind::Virtual);
    assert_eq!(all.0, ran(&[POOL], EngineKind::Virtual).0, "the pool");
    assert_eq!(all.1.store, ran(&[STORE], EngineKind::Virtual).1.store, "the store");
    assert_eq!(all.1.domains, ran(&[DOMAINS], EngineKind::Virtual).1.domains, "the domain table");
    assert!(all.1.store.is_some_and(|store| store.summary.shutdowns > 0), "something happens");
    assert!(all.1.domains.is_some_and(|domains| domains.summary.created > 100));
}

#[test]
fn on_real_threads_all_of_them_run_at_once_with_the_same_load() {
    let exact = ran(&[POOL, STORE, DOMAINS], EngineKind::Virtual);
    let real = ran(&[POOL, STORE, DOMAINS], EngineKind::Threads);
    assert_eq!(real.0.classes[0].arrivals, exact.0.classes[0].arrivals);
    let (real, exact) = (real.1, exact.1);
    let (one, other) = (real.store.expect("a store").summary, exact.store.expect("a store").summary);
    assert_eq!((one.clients.arrived, one.inbound.arrived), (other.clients.arrived, other.inbound.arrived));
    assert!(one.clients.is_balanced() && one.inbound.is_balanced() && one.most_in_use <= 5);
    let (one, other) = (real.domains.expect("a table").summary, exact.domains.expect("a table").summary);
    assert_eq!((one.messages, one.created), (other.messages, other.created));
}

#[test]
fn several_runs_tell_the_limits_of_the_first_and_estimates_over_all() {
    let head = "format = 1\ntitle = \"Together\"\nseed = 4\nduration = \"200s\"\n[node]\nprocessors = 2\n";
    let plans = plans(&format!("{head}{POOL}{STORE}"));
    let options = RunOptions { engine: EngineKind::Virtual, ..RunOptions::default() };
    let many = replicate(&plans, &Replications::Fixed(3), &options, &Silent).report.expect("it ran");
    let one = run(&plans, &options, &Silent).report.expect("it ran");
    assert_eq!(many.variants[0].limits, one.variants[0].limits);
    assert!(one.variants[0].limits_over_runs.is_empty());
    let alone = |number: usize| {
        let plan = Plan { seed: plans[0].seed_of_run(number), ..plans[0].clone() };
        let report = run(&[plan], &options, &Silent).report.expect("it ran");
        report.variants[0].limits.store.as_ref().expect("a store").summary.shutdowns as f64
    };
    let shutdowns = [0, 1, 2].map(alone);
    let told = many.variants[0].limits_over_runs.iter().find(|one| one.name == "store.shutdowns").expect("it is told");
    assert!((told.estimate.mean - shutdowns.iter().sum::<f64>() / 3.0).abs() < 1e-9, "{shutdowns:?}");
    assert_eq!(told.most, shutdowns.into_iter().fold(0.0, f64::max));
}

/// Ends the run as soon as it is told of a moment.
struct Impatient(Interrupt);

impl Progress for Impatient {
    fn begins(&self, _: usize, _: &Plan) {}
    fn reached(&self, _: usize, now: Nanos) {
        if now > Nanos::ZERO {
            self.0.0.store(true, Ordering::Relaxed);
        }
    }
    fn ends(&self, _: usize) {}
    fn together(&self, _: &'static str, _: usize, _: usize) {}
}

#[test]
fn an_interrupt_ends_limits_that_are_alone_and_the_report_says_how_far_they_came() {
    let head = "format = 1\ntitle = \"Long\"\nduration = \"10y\"\n[node]\nprocessors = 1\n";
    for (part, calls) in [(STORE, true), (DOMAINS, false)] {
        let plans = plans(&format!("{head}{part}"));
        let impatient = Impatient(Interrupt::default());
        let options =
            RunOptions { engine: EngineKind::Virtual, interrupt: impatient.0.clone(), ..RunOptions::default() };
        let variant = run(&plans, &options, &impatient).report.expect("it ran").variants.remove(0);
        assert!(variant.interrupted && variant.summary.end < plans[0].duration, "{}", variant.summary.end);
        let end = match calls {
            true => variant.limits.store.expect("a store").summary.end,
            false => variant.limits.domains.expect("a table").summary.end,
        };
        assert_eq!(end, variant.summary.end);
    }
}
