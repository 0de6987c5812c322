//! Closures that come one at a time, to be run under callgrind: how many instructions does it take to hand one over?
//!
//! Not a bench: it measures nothing itself. `just pool-instructions` runs it, and prints what callgrind counted in [`submit`].

#[path = "../../../pool_works/mod.rs"]
#[allow(dead_code, reason = "two of the pools, and none of the workloads")]
mod works;

use std::time::Duration;

use works::Pool;

/// What callgrind looks at: a closure is handed over, and the call has returned.
#[inline(never)]
fn submit<P: Pool>(pool: &P, number: usize) {
    pool.run(number % works::CLASSES, move || begin(number));
}

fn begin(number: usize) {
    std::hint::black_box(number);
}

fn one_at_a_time<P: Pool>(closures: usize) {
    let pool = P::new(works::latency::THREADS);
    for number in 0..closures {
        submit(&pool, number);
        // Long enough for the thread to have sat down again, also under callgrind.
        std::thread::sleep(Duration::from_micros(300));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ours", closures] => one_at_a_time::<works::atq::Atq>(closures.parse().expect("a number of closures")),
        ["notify", closures] => one_at_a_time::<works::queues::Waker>(closures.parse().expect("a number of closures")),
        _ => eprintln!("usage: alone ours|notify CLOSURES"),
    }
}
