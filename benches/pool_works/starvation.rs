//! One class floods, another asks 100 times a second: how long does the second one wait?
//!
//! The flood keeps [`STANDING`] closures in the pool, each of which sleeps for 200 us: its threads are taken and the
//! processors are not. It is the first class, so a pool with caps gives it 9 of the 10 threads. Where there are no caps the
//! asking class waits behind the queue, and that is the point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::board::with_pool;
use super::latency::Waits;
use super::{Pool, UNCAPPED};

pub(crate) const THREADS: usize = 10;
pub(crate) const STANDING: usize = 4_000;
pub(crate) const ASKS_PER_SECOND: f64 = 100.0;
const HOLD: Duration = Duration::from_micros(200);
const FLOODING: usize = 0;

/// For how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) seconds: f64,
}

/// Nanoseconds that the asking class waited.
pub(crate) fn run<P: Pool>(work: &Work) -> Histogram<u64> {
    with_pool(THREADS, |pool: &P| {
        let standing = Arc::new(AtomicUsize::new(0));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| flood(pool, &standing, &over));
            // Ordering: a count.
            while standing.load(Ordering::Relaxed) < STANDING / 2 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let asks = ((work.seconds * ASKS_PER_SECOND) as usize).max(1);
            let waits = Waits::new(asks);
            let began = Instant::now();
            for ask in 0..asks {
                let due = began + Duration::from_secs_f64(ask as f64 / ASKS_PER_SECOND);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                waits.submit(pool, UNCAPPED, ask);
            }
            let histogram = waits.histogram(P::NAME);
            // Ordering: it says no more than to stop.
            over.store(true, Ordering::Relaxed);
            histogram
        })
    })
}

/// Keeps the queue standing until it is over, then waits for its end.
fn flood<P: Pool>(pool: &P, standing: &Arc<AtomicUsize>, over: &AtomicBool) {
    // Ordering: as where it is set; the rest is a count.
    while !over.load(Ordering::Relaxed) {
        while standing.load(Ordering::Relaxed) < STANDING {
            standing.fetch_add(1, Ordering::Relaxed);
            let standing = Arc::clone(standing);
            pool.run(FLOODING, move || {
                std::thread::sleep(HOLD);
                // Ordering: a count.
                standing.fetch_sub(1, Ordering::Relaxed);
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Ordering: a count.
    while standing.load(Ordering::Relaxed) > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}
