//! Question: how many closures does `AtqPool` run in a second, and how soon does one start?
//!
//! Workload: empty closures from one producer over seven classes of which two are capped at 90 %, on 2, 10, 64 and 256
//! threads (throughput); a closure handed to a pool whose threads are parked, until it runs (start latency). The figures
//! of a shared machine are noisy: compare only within one run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use atqsim::ids::ClassId;
use atqsim::pool::{AtqPool, Builder, Ceiling};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const BATCH: u64 = 20_000;

fn seven_classes(threads: u32) -> (AtqPool, Vec<ClassId>) {
    let ceilings = [Ceiling::Percent(90), Ceiling::Percent(90)].into_iter().chain([Ceiling::None; 5]);
    let add = |builder: Builder, (at, ceiling)| builder.class(&format!("class {at}"), ceiling);
    let pool =
        ceilings.enumerate().fold(AtqPool::builder().threads(threads), add).build().expect("a sound description");
    (pool, (0..7).map(ClassId).collect())
}

fn throughput(c: &mut Criterion) {
    let mut group = c.benchmark_group("pool throughput, 7 classes, 2 capped");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);
    for threads in [2, 10, 64, 256] {
        let (pool, classes) = seven_classes(threads);
        let done = Arc::new(AtomicU64::new(0));
        group.bench_function(format!("{threads} threads"), |b| {
            b.iter(|| {
                let before = done.load(Ordering::Acquire);
                for n in 0..BATCH {
                    let done = Arc::clone(&done);
                    let class = classes[n as usize % classes.len()];
                    pool.spawn(class, move || {
                        done.fetch_add(1, Ordering::Release);
                    })
                    .expect("room for all");
                }
                while done.load(Ordering::Acquire) < before + BATCH {
                    std::thread::yield_now();
                }
            });
        });
    }
    group.finish();
}

fn start_latency(c: &mut Criterion) {
    let mut group = c.benchmark_group("pool submit to start");
    group.sample_size(20);
    let (pool, classes) = seven_classes(10);
    let (send, receive) = crossbeam::channel::bounded::<Instant>(1);
    group.bench_function("parked threads", |b| {
        b.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for n in 0..rounds {
                // Long enough for every thread to be parked.
                std::thread::sleep(Duration::from_micros(200));
                let send = send.clone();
                let submitted = Instant::now();
                let class = classes[n as usize % classes.len()];
                pool.spawn(class, move || send.send(Instant::now()).expect("the bench waits")).expect("room for all");
                total += receive.recv().expect("the closure ran").duration_since(submitted);
            }
            total
        });
    });
    group.finish();
}

criterion_group!(benches, throughput, start_latency);
criterion_main!(benches);
