//! A closure as the pool keeps it: in place where it is small, so that handing it over needs no memory of the allocator's.
//!
//! Memory that one thread asks for and another gives back is the dearest part of handing an empty closure over: it took
//! nearly half of the processors' time. Not a queue and not a policy. Called by the rest of the pool.

use smallbox::space::S4;
use smallbox::{SmallBox, smallbox};

use super::Job;

/// A closure that is run once, or given back. What it captured lies in place up to 32 bytes (less the mark that it has
/// not run, where no captured value has room for one), and in a box beyond.
pub(super) struct Task(SmallBox<dyn FnMut() + Send, S4>);

impl Task {
    #[inline]
    pub(super) fn new(work: impl FnOnce() + Send + 'static) -> Task {
        let mut work = Some(work);
        Task(smallbox!(move || {
            let work = work.take();
            work.expect("a task is consumed by its only run")();
        }))
    }

    /// Runs it.
    #[inline]
    pub(super) fn run(mut self) {
        (self.0)();
    }

    /// The closure for its owner, to whom it is given back.
    #[cold]
    pub(super) fn into_job(self) -> Job {
        Box::new(move || self.run())
    }
}

#[cfg(test)]
mod tests;
