//! Numbered pieces of work on several threads, their results in order of the numbers.
//!
//! Not what is done. Called by `replicate` and `coverage`.

use std::ops::Range;

use parking_lot::Mutex;

/// Does `work` for every number on at most `workers` threads.
///
/// # Errors
/// That of the piece with the smallest number that has one.
pub(super) fn each<T: Send>(
    numbers: Range<usize>,
    workers: usize,
    work: impl Fn(usize) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    let next = Mutex::new(numbers.start);
    let done: Mutex<Vec<(usize, Result<T, String>)>> = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let number = {
                let mut next = next.lock();
                *next += 1;
                *next - 1
            };
            if number >= numbers.end {
                return;
            }
            let piece = work(number);
            done.lock().push((number, piece));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, piece)| piece).collect()
}
