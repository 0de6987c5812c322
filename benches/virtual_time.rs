//! Question: how fast is the engine in virtual time beside a loop that is written by hand for the one piece of work?
//!
//! Workload: M/M/20, and seven classes of which two are capped (`benches/works`). After criterion's figures the two take
//! turns for some rounds, and their ratio is printed: it is what counts, since both see the same machine. Other
//! simulators are compared by `just peers`.

use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

mod works;

use works::{Outcome, Work, engine, heap_loop};

const CUSTOMERS: u64 = 200_000;
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
fn speed(work: &Work, run: impl FnOnce() -> Outcome) -> f64 {
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
