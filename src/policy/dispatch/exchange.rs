//! Two events in one step: a thread finishes, and the next item is there for it; or an item comes, and a thread with it.
//!
//! Not a rule of its own: what these do is what [`Event::Finishes`] followed by [`Event::Submit`] would do, or
//! [`Event::Submit`] followed by [`Event::ThreadStarted`], told in the plain case, at half the price. Tests compare them.
//! Called by whoever has submissions that he has not told yet.
//!
//! [`Event::Finishes`]: super::Event::Finishes
//! [`Event::Submit`]: super::Event::Submit
//! [`Event::ThreadStarted`]: super::Event::ThreadStarted

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
        self.count_start(class);
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

    /// `job` of `class` is submitted, and a thread that has just been created is to serve it (`Ok`, with its id). `Err`:
    /// nothing has happened; see [`Dispatch::may_enter`].
    #[inline]
    pub fn enter(&mut self, class: ClassId, job: J) -> Result<(ThreadId, J), J> {
        if !self.may_enter(class) {
            return Err(job);
        }
        let thread = self.free_id();
        let state = &mut self.classes[class.index()];
        if let Kind::WorkQueue { .. } = state.kind {
            state.counts.granted += 1;
        }
        self.count_start(class);
        let state = &self.classes[class.index()];
        self.laws.above_cap += u64::from(state.counts.busy_threads > state.highest_cap);
        self.threads[thread.index()] = Thread::Busy { class, served_in_turn: 1, waits: false };
        self.live += 1;
        self.busy += 1;
        self.runnable += 1;
        #[cfg(debug_assertions)]
        self.check();
        Ok((thread, job))
    }

    /// Whether the case is plain in which an item of `class` and a thread of its own come in one step: nothing waits in any
    /// class, no other thread is idle or being created, and no limit is reached.
    #[must_use]
    #[inline]
    pub fn may_enter(&self, class: ClassId) -> bool {
        let state = &self.classes[class.index()];
        let below_cap = match state.kind {
            Kind::Requests => true,
            Kind::WorkQueue { cap, .. } => state.counts.granted < cap,
        };
        let nobody_else = self.idle.is_empty() && self.starting == 0;
        let nothing_else = self.order == Order::Port && self.port.is_empty() && self.waiting == 0;
        below_cap && nobody_else && nothing_else && self.live < self.goal && self.runnable < self.runnable_limit
    }

    /// The next item of all is one of `class`, and begins now.
    #[inline]
    fn count_start(&mut self, class: ClassId) {
        let seq = self.next_seq;
        self.next_seq += 1;
        let state = &mut self.classes[class.index()];
        state.counts.busy_threads += 1;
        self.laws.overtaken += u64::from(state.last_started.is_some_and(|last| last >= seq));
        state.last_started = Some(seq);
    }
}
