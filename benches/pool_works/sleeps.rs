//! Closures that sleep for a millisecond, on 256 threads: does the pool keep all of them sleeping?
//!
//! The ideal is not a calculation: so many threads without any pool sleep as often, on the same machine in the same round.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::board::{Board, with_pool};
use super::{CLASSES, Pool};

pub(crate) const THREADS: usize = 256;
const SLEEP: Duration = Duration::from_millis(1);

/// How often each thread sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) times: u64,
}

/// How long it took until all had slept.
pub(crate) fn run<P: Pool>(work: &Work) -> Duration {
    with_pool(THREADS, |pool: &P| {
        let closures = THREADS as u64 * work.times;
        let board = Board::wiped(closures);
        let began = Instant::now();
        for n in 0..closures {
            pool.run(n as usize % CLASSES, move || {
                std::thread::sleep(SLEEP);
                board.tick();
            });
        }
        board.wait().duration_since(began)
    })
}

/// How long it takes without a pool: the mean of the threads, since a pool evens out which of them are slow.
pub(crate) fn ideal(work: &Work) -> Duration {
    let ready = Barrier::new(THREADS);
    let sleep = || {
        ready.wait();
        let began = Instant::now();
        for _ in 0..work.times {
            std::thread::sleep(SLEEP);
        }
        began.elapsed()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(sleep)).collect();
        let all: Duration = threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum();
        all / THREADS as u32
    })
}
