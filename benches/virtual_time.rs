//! Question: how fast is the engine in virtual time beside a loop that is written by hand for the one piece of work?
//!
//! Workload: M/M/20, and seven classes of which two are capped (`benches/works`). After criterion's figures the two take
//! turns for some rounds, and their ratio is printed: it is what counts, since both see the same machine. Then 24 hours of
//! the shipped `kb281868` take turns with the seven classes, per phase of a service. Other simulators: `just peers`.

use std::any::Any;
use std::time::{Duration, Instant};

use atqsim::engine::observer::Observer;
use atqsim::engine::{Options, virtual_time};
use atqsim::item::Outcome;
use atqsim::scenario::{Base, Overrides, builtin, read};
use atqsim::time::Nanos;
use atqsim::workload::{Item, JourneyEnd};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

mod works;

use works::{Work, engine, heap_loop};

const CUSTOMERS: u64 = 1_000_000;
const ROUNDS: u64 = 9;

fn bench(c: &mut Criterion) {
    for work in [&works::A, &works::B] {
        let mut group = c.benchmark_group(format!("work {}, {}", work.name, work.what));
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Elements(CUSTOMERS));
        group.bench_function("engine in virtual time", |b| {
            b.iter_batched_ref(|| engine::plan(work, CUSTOMERS, 1), |plan| engine::run(plan), BatchSize::PerIteration);
        });
        group.bench_function("heap loop by hand", |b| b.iter(|| heap_loop::plain(work, CUSTOMERS, 1)));
        group.bench_function("heap loop by hand, tuned", |b| b.iter(|| heap_loop::tuned(work, CUSTOMERS, 1)));
        group.finish();
        ratios(work);
    }
    day();
}

/// What a phase of 24 hours of `kb281868` costs, as a multiple of what one of the seven classes' costs.
fn day() {
    let shipped = builtin::find("kb281868").expect("shipped");
    let day = Overrides { duration: Some(Nanos::from_secs(86_400)), ..Overrides::default() };
    let (plans, _) = read(shipped.name, shipped.text, &Base::Builtin, &day);
    let plan = plans.expect("the shipped scenario is sound").swap_remove(0);
    let counter = Phases { of_stage: plan.load.stages.iter().map(|stage| stage.phases.len() as u64).collect(), all: 0 };
    let (_, counter) = virtual_time::observe(&plan, &Options::default(), Some(Box::new(counter))).expect("it runs");
    let counter = counter.expect("it comes back").into_any().downcast::<Phases>().expect("it is what it was");
    let mut ratios: Vec<f64> = (0..5)
        .map(|seed| {
            let seven = engine::plan(&works::B, 1_000_000, seed);
            let of_seven = 1.0 / speed(&works::B, || engine::run(&seven));
            let began = Instant::now();
            virtual_time::run(&plan, &Options::default()).expect("it runs");
            began.elapsed().as_secs_f64() / counter.all as f64 / of_seven
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let (least, median, most) = (ratios[0], ratios[2], ratios[4]);
    println!(
        "24 h of kb281868, untuned, {} phases: a phase costs {median:.2} (from {least:.2} to {most:.2})",
        counter.all
    );
    println!("times what a phase of work B does\n");
}

/// Counts the phases of the items that began.
#[derive(Debug)]
struct Phases {
    of_stage: Vec<u64>,
    all: u64,
}

impl Observer for Phases {
    fn arrived(&mut self, _: &Item, _: Nanos) {}
    fn refused(&mut self, _: &Item, _: Nanos) {}
    fn gave_up(&mut self, _: &Item, _: Nanos) {}
    fn started(&mut self, item: &Item, _: Nanos) {
        self.all += self.of_stage[item.stage.index()];
    }
    fn finished(&mut self, _: &Item, _: Outcome, _: Nanos) {}
    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The engine's speed as a multiple of each loop's, measured in turns.
fn ratios(work: &Work) {
    let (mut plain, mut tuned) = (Vec::new(), Vec::new());
    for seed in 0..ROUNDS {
        let plan = engine::plan(work, CUSTOMERS, seed);
        let ours = speed(work, || engine::run(&plan));
        plain.push(ours / speed(work, || heap_loop::plain(work, CUSTOMERS, seed)));
        tuned.push(ours / speed(work, || heap_loop::tuned(work, CUSTOMERS, seed)));
    }
    for (name, mut ratios) in [("heap loop by hand", plain), ("heap loop by hand, tuned", tuned)] {
        ratios.sort_by(f64::total_cmp);
        let (least, median, most) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
        println!("work {}: engine / {name}: {median:.2} (from {least:.2} to {most:.2})", work.name);
    }
    println!();
}

/// Customers per second.
fn speed(work: &Work, run: impl FnOnce() -> works::Outcome) -> f64 {
    let began = Instant::now();
    let outcome = run();
    let took = began.elapsed().as_secs_f64();
    for (class, served) in work.classes.iter().zip(&outcome) {
        // A run this short is too noisy for more: a wait within a factor of two, and the cap.
        let wait_ms = served.mean_wait_us / 1e3;
        assert!((14.0..55.0).contains(&wait_ms), "{} waits {wait_ms} ms on average", class.name);
        assert!(served.busy_most <= class.cap, "{} held {} threads", class.name, served.busy_most);
    }
    works::customers(&outcome) as f64 / took
}

criterion_group!(benches, bench);
criterion_main!(benches);
