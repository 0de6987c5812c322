//! Question: how many closures does `AtqPool` run in a second, how soon does one start, and how does that compare with
//! other pools?
//!
//! Workload: `benches/pool_works`. Criterion measures `AtqPool` alone: closures of one word from 1 and 4 producers over
//! seven classes of which two are capped at 90 %, on 2, 10, 64 and 256 threads; and a closure handed to parked threads.
//! Then `AtqPool`, four peers and a pool that wakes a thread on every submission take turns, and the ratios are printed:
//! they are what counts, since all see the same machine. `ATQ_POOL_ROUNDS` is the number of those rounds (3; 0 for none),
//! `ATQ_POOL_CLOSURES` the closures of each (40,000). More peers and longer rounds: `just pool-peers`.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};

mod pool_works;

use pool_works::atq::Atq;
use pool_works::session::Session;
use pool_works::{CLASSES, Pool, board, latency, throughput};

/// Closures of one iteration of criterion's.
const BATCH: u64 = 20_000;
const THREADS: [usize; 4] = [2, 10, 64, 256];
const PRODUCERS: [u64; 2] = [1, 4];

fn alone(c: &mut Criterion) {
    for producers in PRODUCERS {
        let mut group = c.benchmark_group(format!("AtqPool, 7 classes, 2 capped, producers: {producers}"));
        group.throughput(Throughput::Elements(BATCH));
        for threads in THREADS {
            group.bench_function(format!("{threads} threads"), |b| {
                b.iter_custom(|times| {
                    let batch = |pool: &Atq| (0..times).map(|_| throughput::timed(pool, producers, BATCH, false)).sum();
                    board::with_pool(threads, batch)
                });
            });
        }
        group.finish();
    }
}

fn parked(c: &mut Criterion) {
    let mut group = c.benchmark_group("AtqPool, submit to start");
    group.bench_function("parked threads", |b| {
        b.iter_custom(|times| board::with_pool(latency::THREADS, |pool: &Atq| starts(pool, times)));
    });
    group.finish();
}

/// The sum of so many latencies.
fn starts(pool: &Atq, times: u64) -> Duration {
    let (send, receive) = crossbeam::channel::bounded::<Instant>(1);
    let mut total = Duration::ZERO;
    for n in 0..times {
        // Long enough for every thread to be parked.
        std::thread::sleep(Duration::from_micros(200));
        let send = send.clone();
        let submitted = Instant::now();
        pool.run(n as usize % CLASSES, move || send.send(Instant::now()).expect("the bench waits"));
        total += receive.recv().expect("the closure ran").duration_since(submitted);
    }
    total
}

/// All contenders in turns.
fn beside_peers(rounds: usize, closures: u64) {
    let mut session = Session::new(pool_works::few(), rounds);
    for producers in PRODUCERS {
        session.throughput(producers, &THREADS, closures, None);
    }
    session.throughput(1, &[10], closures / 4, Some(500));
    session.latency(0.25);
    session.sleeps(40);
    session.starvation(0.25);
    session.show_aims();
}

/// A number from the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return otherwise };
    text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`; it has to be a whole number"))
}

criterion_group! {
    name = benches;
    // Resampling 100,000 times and drawing took four times as long as measuring.
    config = Criterion::default().sample_size(10).nresamples(5_000).without_plots();
    targets = alone, parked
}

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    let (rounds, closures) = (number("ATQ_POOL_ROUNDS", 3), number("ATQ_POOL_CLOSURES", 40_000));
    // Criterion's `--test` and `--list` measure nothing.
    let measures = !std::env::args().any(|argument| argument == "--test" || argument == "--list");
    if measures && rounds > 0 {
        beside_peers(rounds as usize, closures.max(1_000));
    }
}
