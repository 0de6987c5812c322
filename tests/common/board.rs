//! Closures that wait until a test says how each goes on, and a count of what became of every one.
//!
//! Not a model of the pool: it only knows what really ran. Used by the pool's tests.
#![allow(dead_code)] // no test file needs all of it

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use atqsim::ids::ClassId;
use atqsim::pool::{AtqPool, SpawnError, blocking};

/// What takes longer than this hangs, which fails its test. No test takes a hundredth of it.
pub(crate) const HANGS: Duration = Duration::from_secs(30);

/// Looks again and again, giving its processor away in between, until `is_so`.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < HANGS, "it hangs: {what}");
        std::thread::yield_now();
    }
}

/// Waits until a shutdown that another thread has asked for is under way. How many closures of its own were taken until
/// then, and perhaps run.
#[track_caller]
pub(crate) fn until_closed(pool: &AtqPool) -> u64 {
    let mut taken = 0;
    until("the pool closes", || match pool.try_spawn(ClassId(0), || ()) {
        Err(SpawnError::Stopped(_)) => true,
        Err(_) => false,
        Ok(ticket) => {
            taken += u64::from(pool.withdraw(ticket).is_none());
            false
        }
    });
    taken
}

/// Runs `work` on a thread of its own; fails where that never ends.
#[track_caller]
pub(crate) fn in_time<R: Send + 'static>(what: &str, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || send.send(work()));
    match receive.recv_timeout(HANGS) {
        Ok(result) => {
            drop(thread.join());
            result
        }
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it hangs: {what}"),
        Err(_) => match thread.join() {
            Err(payload) => resume_unwind(payload),
            Ok(_) => unreachable!("it sends what it has"),
        },
    }
}

/// How a closure goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Finish,
    Panic,
    /// It waits inside [`blocking`] for its next order.
    Block,
    /// It comes back from there.
    Wake,
}

#[derive(Default)]
struct Cell {
    ran: u32,
    back: u32,
    order: Option<Order>,
}

#[derive(Default)]
struct State {
    cells: Vec<Cell>,
    running: BTreeSet<usize>,
    /// In the order in which they went away without having run.
    back: Vec<usize>,
    /// No closure waits for orders any more.
    open: bool,
}

/// See the file's head.
#[derive(Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

/// Lets all closures go when it is dropped, so that a test that fails does not wait for its pool.
pub(crate) struct LetsGo(pub(crate) Arc<Board>);

impl Drop for LetsGo {
    fn drop(&mut self) {
        self.0.let_all_go();
    }
}

/// Whose drop tells that its closure did not run, unless it did.
struct Token {
    board: Arc<Board>,
    at: usize,
    ran: bool,
}

impl Drop for Token {
    fn drop(&mut self) {
        if !self.ran {
            let mut state = self.board.lock();
            state.cells[self.at].back += 1;
            state.back.push(self.at);
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A closure with the next number, from 0.
    pub(crate) fn closure(self: &Arc<Board>) -> impl FnOnce() + Send + 'static {
        let at = {
            let mut state = self.lock();
            state.cells.push(Cell::default());
            state.cells.len() - 1
        };
        let mut token = Token { board: Arc::clone(self), at, ran: false };
        move || {
            token.ran = true;
            token.board.run(token.at);
        }
    }

    fn run(&self, at: usize) {
        let mut state = self.lock();
        state.cells[at].ran += 1;
        state.running.insert(at);
        drop(state);
        let order = loop {
            match self.order(at) {
                Order::Block => match blocking(|| self.order(at)) {
                    Order::Wake => {}
                    Order::Panic => break Order::Panic,
                    order => break order,
                },
                order => break order,
            }
        };
        self.lock().running.remove(&at);
        if order == Order::Panic {
            // Without the message that the standard library prints for a panic that nobody meant.
            resume_unwind(Box::new("meant"));
        }
    }

    /// The next order for a closure; to finish, once all are let go.
    fn order(&self, at: usize) -> Order {
        let mut state = self.lock();
        loop {
            if let Some(order) = state.cells[at].order.take() {
                return order;
            }
            if state.open {
                return Order::Finish;
            }
            let passed;
            (state, passed) = self.changed.wait_timeout(state, 2 * HANGS).unwrap();
            // The test has failed, and waits for its pool.
            state.open |= passed.timed_out();
        }
    }

    /// Tells a running closure how to go on.
    pub(crate) fn tell(&self, at: usize, order: Order) {
        self.lock().cells[at].order = Some(order);
        self.changed.notify_all();
    }

    /// Whether every order was taken by its closure.
    pub(crate) fn is_heard(&self) -> bool {
        self.lock().cells.iter().all(|cell| cell.order.is_none())
    }

    /// From now on closures end at once.
    pub(crate) fn let_all_go(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    /// The closures that run.
    pub(crate) fn running(&self) -> BTreeSet<usize> {
        self.lock().running.clone()
    }

    /// The closures that went away without having run, in that order.
    pub(crate) fn back(&self) -> Vec<usize> {
        self.lock().back.clone()
    }

    /// How often each closure ran, and how often it went away without.
    pub(crate) fn fates(&self) -> Vec<(u32, u32)> {
        self.lock().cells.iter().map(|cell| (cell.ran, cell.back)).collect()
    }
}
