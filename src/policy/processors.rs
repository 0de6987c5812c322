//! The emulated processors: a `cpu` phase takes one, first come first served, and keeps it to the end of the phase.
//!
//! Not the runnable limit of the port, which is `dispatch`'s: a thread that waits for a processor *is* runnable.
//! Pure; both engines drive it.
//!
//! `Guess:` no time slices. The NT scheduler preempts; the phases of this emulation are short against its quantum.

use std::collections::VecDeque;

use crate::ids::ThreadId;

/// The processors of one node.
#[derive(Debug)]
pub struct Processors {
    free: u32,
    queue: VecDeque<ThreadId>,
}

impl Processors {
    /// `count` processors, all free; 0 counts as 1.
    #[must_use]
    pub fn new(count: u32) -> Processors {
        Processors { free: count.max(1), queue: VecDeque::new() }
    }

    /// `thread` wants a processor. `true`: it has one now. `false`: it waits, and [`Processors::release`] will name it.
    #[must_use]
    pub fn acquire(&mut self, thread: ThreadId) -> bool {
        if self.free > 0 {
            self.free -= 1;
            return true;
        }
        self.queue.push_back(thread);
        false
    }

    /// A processor becomes free. The thread that has waited longest has it now and is named.
    pub fn release(&mut self) -> Option<ThreadId> {
        let next = self.queue.pop_front();
        if next.is_none() {
            self.free += 1;
        }
        next
    }

    /// `thread` stops waiting for a processor. `false` when it was not waiting.
    pub fn leave(&mut self, thread: ThreadId) -> bool {
        let before = self.queue.len();
        self.queue.retain(|t| *t != thread);
        self.queue.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_given_in_the_order_of_asking() {
        let mut cpus = Processors::new(2);
        let [a, b, c, d] = [0, 1, 2, 3].map(ThreadId);
        assert!(cpus.acquire(a));
        assert!(cpus.acquire(b));
        assert!(!cpus.acquire(c));
        assert!(!cpus.acquire(d));
        assert_eq!(cpus.release(), Some(c));
        assert!(cpus.leave(d));
        assert!(!cpus.leave(d));
        assert_eq!(cpus.release(), None);
        assert!(cpus.acquire(d));
    }
}
