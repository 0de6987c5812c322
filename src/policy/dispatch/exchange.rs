//! Two events in one step: a thread finishes, and the next item is there for it.
//!
//! Not a rule of its own: what it does is what [`Event::Finishes`] followed by [`Event::Submit`] would do, told in the
//! plain case, at half the price. A test compares the two. Called by whoever has submissions that he has not told yet.
//!
//! [`Event::Finishes`]: super::Event::Finishes
//! [`Event::Submit`]: super::Event::Submit

use super::{Dispatch, Kind, Thread};
use crate::ids::{ClassId, ThreadId};
use crate::policy::order::Order;

impl<J> Dispatch<J> {
    /// `thread` finishes and `job` of `class` is submitted, which `thread` is to serve next (`Ok`). `Err`: nothing has
    /// happened; the case is not plain (something waits in the port or in the class that is finished, the class is at
    /// its cap, a limit has been lowered), and the two events have to be told.
    ///
    /// # Panics
    /// If `thread` is not busy.
    #[inline]
    pub fn exchange(&mut self, thread: ThreadId, class: ClassId, job: J) -> Result<J, J> {
        let Thread::Busy { class: old, waits, .. } = self.threads[thread.index()] else {
            panic!("{thread:?} finishes but is not busy");
        };
        // The thread that finishes is one of the runnable.
        let limits = self.live <= self.goal && self.runnable <= self.runnable_limit;
        let plain = self.order == Order::Port && self.port.is_empty() && limits && !waits;
        if !plain || self.classes[old.index()].counts.waiting > 0 {
            return Err(job);
        }
        let own = u32::from(old == class);
        let state = &mut self.classes[class.index()];
        if let Kind::WorkQueue { cap, .. } = state.kind {
            if state.counts.granted - own.min(state.counts.granted) >= cap {
                return Err(job);
            }
            state.counts.granted += 1;
        }
        state.counts.busy_threads += 1;
        let seq = self.next_seq;
        self.next_seq += 1;
        self.laws.overtaken += u64::from(state.last_started.is_some_and(|last| last >= seq));
        state.last_started = Some(seq);
        let old_state = &mut self.classes[old.index()];
        old_state.counts.busy_threads -= 1;
        if let Kind::WorkQueue { .. } = old_state.kind {
            old_state.counts.granted -= 1;
        }
        let state = &self.classes[class.index()];
        self.laws.above_cap += u64::from(state.counts.busy_threads > state.highest_cap);
        self.threads[thread.index()] = Thread::Busy { class, served_in_turn: 1, waits: false };
        #[cfg(debug_assertions)]
        self.check();
        Ok(job)
    }
}
