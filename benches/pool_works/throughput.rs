//! Empty closures as fast as they can be handed over.
//!
//! Time runs from the first submission until the last closure has run. Classes take turns. The queue never grows much
//! beyond [`WAITING_MOST`]: a producer that is so far ahead sleeps.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::board::{Board, with_pool};
use super::{CLASSES, Pool};

/// About the most closures that wait in a pool.
const WAITING_MOST: u64 = 100_000;
/// A producer looks at the count once in so many submissions.
const LOOK_EVERY: u64 = 512;

/// How many closures, from how many producers, to how many threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) threads: usize,
    pub(crate) producers: u64,
    /// Closures of all producers and all batches together.
    pub(crate) closures: u64,
    /// Closures of a batch, after each of which the producers wait for the pool to be empty.
    pub(crate) batch: u64,
    /// Closures capture 64 bytes more than the one word.
    pub(crate) large: bool,
}

/// Closures per second.
pub(crate) fn run<P: Pool>(work: &Work) -> f64 {
    with_pool(work.threads, |pool: &P| {
        let batches = (work.closures / P::FEWER / work.batch).max(1);
        // If all are one batch then who is slow gets a smaller one.
        let batch = work.batch.min(work.closures / P::FEWER).max(work.producers);
        let took: Duration = (0..batches).map(|_| timed(pool, work.producers, batch, work.large)).sum();
        (batches * (batch / work.producers * work.producers)) as f64 / took.as_secs_f64()
    })
}

/// One batch from so many producers, each of which submits an equal part.
pub(crate) fn timed<P: Pool>(pool: &P, producers: u64, closures: u64, large: bool) -> Duration {
    let each = closures / producers;
    let board = Board::wiped(each * producers);
    let ready = Barrier::new(producers as usize);
    let produce = || {
        ready.wait();
        let began = Instant::now();
        for n in 0..each {
            let class = n as usize % CLASSES;
            if large {
                let load = [n; 8];
                pool.run(class, move || {
                    std::hint::black_box(&load);
                    board.tick();
                });
            } else {
                // One word is captured.
                pool.run(class, move || board.tick());
            }
            if n % LOOK_EVERY == 0 {
                while (n * producers).saturating_sub(board.ran()) > WAITING_MOST {
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        }
        began
    };
    std::thread::scope(|scope| {
        let producing: Vec<_> = (0..producers).map(|_| scope.spawn(produce)).collect();
        let last = board.wait();
        let began = producing.into_iter().map(|producer| producer.join().expect("no producer panics")).min();
        last.duration_since(began.expect("there is a producer"))
    })
}
