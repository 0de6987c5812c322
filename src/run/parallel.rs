//! Work on all processors of the host: numbered pieces, each done once, in no order.
//!
//! Not what is done. Results are put in order of their numbers, so that nobody can see who did which. Called by
//! [`super::replications`] and [`super::warmup`].

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::engine::Interrupt;

/// What came of the pieces: those that were done, in order of their numbers, and the first error that happened.
pub(super) struct Done<T, E> {
    pub(super) pieces: Vec<(usize, T)>,
    pub(super) error: Option<E>,
}

/// Does `work` for every number. It ends early at an interrupt (pieces that answer `None` were cut short by it) and at
/// an error.
pub(super) fn each<T: Send, E: Send>(
    numbers: Range<usize>,
    interrupt: &Interrupt,
    work: impl Fn(usize) -> Result<Option<T>, E> + Sync,
) -> Done<T, E> {
    let next = AtomicUsize::new(numbers.start);
    let failed: Mutex<Option<E>> = Mutex::new(None);
    let pieces: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::new());
    let worker = || {
        loop {
            // Ordering: Relaxed; the counter only hands out numbers.
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end || interrupt.is_set() || failed.lock().is_some() {
                return;
            }
            match work(number) {
                Ok(Some(piece)) => pieces.lock().push((number, piece)),
                Ok(None) => return,
                Err(error) => {
                    failed.lock().get_or_insert(error);
                }
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(numbers.len());
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // A system that refuses the thread leaves the work to the others.
            let _ = std::thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    let mut pieces = pieces.into_inner();
    pieces.sort_by_key(|(number, _)| *number);
    Done { pieces, error: failed.into_inner() }
}
