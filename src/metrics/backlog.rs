//! The due times of the waiting items of one class, for whoever cannot ask the policy which is the oldest.
//!
//! On real threads an item leaves the policy's queue a moment before its thread begins it, and threads begin in any
//! order; so the real engine keeps this beside the pool. Virtual time needs none. Not a queue: nothing is served from it.
//! Called by the real engine and by tests.

use std::collections::VecDeque;

use crate::time::Nanos;

/// The waiting items of one class, oldest first.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Due times in order of arrival; `None` for an item that has left.
    due: VecDeque<Option<Nanos>>,
    /// The position of the first entry.
    base: u64,
}

impl Backlog {
    /// Adds an item; the answer names it for [`Backlog::leave`].
    pub fn join(&mut self, due: Nanos) -> u64 {
        self.due.push_back(Some(due));
        self.base + self.due.len() as u64 - 1
    }

    /// The item no longer waits.
    pub fn leave(&mut self, position: u64) {
        let at = (position - self.base) as usize;
        let left = self.due[at].take();
        assert!(left.is_some(), "an item leaves twice");
        while self.due.front().is_some_and(Option::is_none) {
            self.due.pop_front();
            self.base += 1;
        }
    }

    /// Due time of the oldest waiting item.
    #[must_use]
    pub fn oldest(&self) -> Option<Nanos> {
        self.due.front().copied().flatten()
    }
}
