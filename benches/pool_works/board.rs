//! What the workloads share: the count of closures that ran, a pool with all its threads, and a quiet end.
//!
//! Not part of any contender: everybody pays the same for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;
use parking_lot::{Condvar, Mutex};

use super::{Pool, UNCAPPED};

/// Counts closures and calls who waits for the last one. One run at a time uses it.
#[derive(Debug)]
pub(crate) struct Board {
    ran: CachePadded<AtomicU64>,
    goal: CachePadded<AtomicU64>,
    waiter: Mutex<Option<Thread>>,
    last: Mutex<Option<Instant>>,
}

/// A static, so that a closure captures one plain reference: a count of references would be part of what is measured.
static BOARD: Board = Board {
    ran: CachePadded::new(AtomicU64::new(0)),
    goal: CachePadded::new(AtomicU64::new(0)),
    waiter: Mutex::new(None),
    last: Mutex::new(None),
};

impl Board {
    /// The board, wiped: the calling thread will wait for so many closures. At least 1.
    pub(crate) fn wiped(goal: u64) -> &'static Board {
        assert!(goal > 0, "somebody has to be the last");
        *BOARD.waiter.lock() = Some(std::thread::current());
        *BOARD.last.lock() = None;
        // Ordering: no closure of this run exists yet; handing one to a pool publishes both.
        BOARD.ran.store(0, Ordering::Relaxed);
        BOARD.goal.store(goal, Ordering::Relaxed);
        &BOARD
    }

    /// A closure ran. The last one notes the time and calls.
    pub(crate) fn tick(&self) {
        // Ordering: a count; the moment and the call go through mutexes.
        if self.ran.fetch_add(1, Ordering::Relaxed) + 1 == self.goal.load(Ordering::Relaxed) {
            *self.last.lock() = Some(Instant::now());
            if let Some(waiter) = &*self.waiter.lock() {
                waiter.unpark();
            }
        }
    }

    /// Closures that have run.
    pub(crate) fn ran(&self) -> u64 {
        // Ordering: a count that may be late.
        self.ran.load(Ordering::Relaxed)
    }

    /// Sleeps until the last closure has run, and says when that was.
    pub(crate) fn wait(&self) -> Instant {
        loop {
            let last = *self.last.lock();
            if let Some(last) = last {
                return last;
            }
            std::thread::park();
        }
    }
}

/// Holds closures until as many are there as a pool has threads.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<(usize, bool)>,
    call: Condvar,
}

impl Gate {
    fn hold(&self) {
        let mut state = self.state.lock();
        state.0 += 1;
        self.call.notify_all();
        while !state.1 {
            self.call.wait(&mut state);
        }
    }

    /// Opens when so many are held; panics if they never come.
    fn open(&self, name: &str, threads: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut state = self.state.lock();
        while state.0 < threads {
            let late = self.call.wait_until(&mut state, deadline).timed_out();
            assert!(!late, "{name} runs {} closures together and not {threads}", state.0);
        }
        state.1 = true;
        self.call.notify_all();
    }
}

/// Runs `work` on a new pool whose threads all exist and are idle, then drops the pool and waits for their end.
pub(crate) fn with_pool<P: Pool, R>(threads: usize, work: impl FnOnce(&P) -> R) -> R {
    let before = threads_now();
    let pool = P::new(threads);
    let gate = Arc::new(Gate::default());
    for _ in 0..threads {
        let gate = Arc::clone(&gate);
        pool.run(UNCAPPED, move || gate.hold());
    }
    gate.open(P::NAME, threads);
    std::thread::sleep(SETTLE);
    let result = work(&pool);
    drop(pool);
    let deadline = Instant::now() + Duration::from_secs(5);
    while threads_now() > before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    result
}

/// Time for threads to find that there is nothing to do.
const SETTLE: Duration = Duration::from_millis(5);

/// Threads of this process; 0 where the system does not say it as Linux does.
fn threads_now() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
