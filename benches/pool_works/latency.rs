//! How long after its submission a closure starts, at 20,000 a second on 10 threads that are mostly idle.
//!
//! The producer sleeps until the next closure is due and submits all that are due by then; a closure's time runs from
//! its own submission call, not from when it was due, because lateness of the producer is not the pool's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::board::with_pool;
use super::{CLASSES, Pool};

pub(crate) const THREADS: usize = 10;
pub(crate) const PER_SECOND: u64 = 20_000;

/// For how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) seconds: f64,
}

/// Nanoseconds from submission to start.
pub(crate) fn run<P: Pool>(work: &Work) -> Histogram<u64> {
    with_pool(THREADS, |pool: &P| {
        let asked = ((work.seconds * PER_SECOND as f64) as usize).max(1);
        let waits = Waits::new(asked);
        let began = Instant::now();
        let mut submitted = 0;
        while submitted < asked {
            let due = (began.elapsed().as_secs_f64() * PER_SECOND as f64) as usize;
            while submitted < due.min(asked) {
                waits.submit(pool, submitted % CLASSES, submitted);
                submitted += 1;
            }
            let next = began + Duration::from_secs_f64((submitted + 1) as f64 / PER_SECOND as f64);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        waits.histogram(P::NAME)
    })
}

/// A place for the wait of each closure: nobody shares it, so that noting a wait disturbs no other.
#[derive(Debug)]
pub(crate) struct Waits(Arc<[AtomicU64]>);

impl Waits {
    pub(crate) fn new(closures: usize) -> Waits {
        Waits((0..closures).map(|_| AtomicU64::new(0)).collect())
    }

    /// Submits a closure that notes how long it waited.
    pub(crate) fn submit<P: Pool>(&self, pool: &P, class: usize, number: usize) {
        let waits = Arc::clone(&self.0);
        let submitted = Instant::now();
        pool.run(class, move || {
            let waited = submitted.elapsed().as_nanos().clamp(1, u128::from(u64::MAX));
            // Ordering: the place is read for its own value and nothing else.
            waits[number].store(waited as u64, Ordering::Relaxed);
        });
    }

    /// All waits, once every closure has started. Panics if one never does.
    pub(crate) fn histogram(&self, name: &str) -> Histogram<u64> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut histogram = Histogram::new(3).expect("three digits are fine");
        for place in self.0.iter() {
            let wait = loop {
                // Ordering: as in `submit`.
                match place.load(Ordering::Relaxed) {
                    0 => assert!(Instant::now() < deadline, "{name} lost a closure"),
                    wait => break wait,
                }
                std::thread::sleep(Duration::from_millis(1));
            };
            histogram.record(wait).expect("it grows with its values");
        }
        histogram
    }
}
