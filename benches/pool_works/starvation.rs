//! One class floods, another asks 100 times a second: how long does the second one wait?
//!
//! The flood keeps [`STANDING`] closures in the pool, each of which sleeps for 200 us: its threads are taken and the
//! processors are not. It is the first class, so a pool with caps gives it 9 of the 10 threads. Where there are no caps the
//! asking class waits behind the queue, and that is the point. That a contender with caps keeps them is checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::board::with_pool;
use super::latency::Waits;
use super::{Kind, Pool, UNCAPPED, ceiling};

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

/// What the flooding class has in the pool and on its threads.
#[derive(Debug, Default)]
struct Flood {
    standing: AtomicUsize,
    holds: AtomicUsize,
    held_most: AtomicUsize,
}

/// Nanoseconds that the asking class waited. Panics if a contender with caps gave the flood more threads than its ceiling.
pub(crate) fn run<P: Pool>(work: &Work) -> Histogram<u64> {
    let flood = Arc::new(Flood::default());
    let waits = with_pool(THREADS, |pool: &P| {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| keep_standing(pool, &flood, &over));
            // Ordering: a count.
            while flood.standing.load(Ordering::Relaxed) < STANDING / 2 {
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
    });
    let capped = matches!(P::KIND, Kind::Ours | Kind::Capped);
    // Ordering: its closures have all counted themselves out.
    let held = flood.held_most.load(Ordering::Relaxed);
    assert!(!capped || held <= ceiling(THREADS), "{} gave the flood {held} threads", P::NAME);
    waits
}

/// Keeps the queue standing until it is over, then waits for its end.
fn keep_standing<P: Pool>(pool: &P, flood: &Arc<Flood>, over: &AtomicBool) {
    // Ordering: as where it is set; the rest are counts.
    while !over.load(Ordering::Relaxed) {
        while flood.standing.load(Ordering::Relaxed) < STANDING {
            flood.standing.fetch_add(1, Ordering::Relaxed);
            let flood = Arc::clone(flood);
            pool.run(FLOODING, move || flood.hold());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Ordering: a count.
    while flood.standing.load(Ordering::Relaxed) > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Flood {
    /// What a closure of the flood does.
    fn hold(&self) {
        // Ordering: counts; who hands a thread or a permit on orders what it and the next closure do to them.
        let holds = self.holds.fetch_add(1, Ordering::Relaxed) + 1;
        self.held_most.fetch_max(holds, Ordering::Relaxed);
        std::thread::sleep(HOLD);
        // Ordering: as above.
        self.holds.fetch_sub(1, Ordering::Relaxed);
        self.standing.fetch_sub(1, Ordering::Relaxed);
    }
}
