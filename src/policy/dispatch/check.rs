//! What must hold between any two events, checked after each one in debug builds.
//!
//! Not a rule: nothing here decides anything. Called by `Dispatch::apply`.

use super::{Dispatch, Thread};
use crate::policy::dispatch::Kind;
use crate::policy::order::Order;

impl<J> Dispatch<J> {
    /// What must hold between any two events.
    pub(super) fn check(&self) {
        let busy = self.threads.iter().filter(|t| matches!(t, Thread::Busy { .. })).count();
        let runnable = self.threads.iter().filter(|t| matches!(t, Thread::Busy { waits: false, .. })).count();
        assert_eq!(self.busy as usize, busy);
        assert_eq!(self.runnable as usize, runnable);
        assert_eq!(self.live as usize, busy + self.idle.len());
        assert_eq!(self.busy, self.classes.iter().map(|c| c.counts.busy_threads).sum::<u32>());
        let free_slot = self.runnable < self.runnable_limit;
        let packet = self.startable() > 0;
        assert!(!(packet && free_slot && !self.idle.is_empty()), "an idle thread, a packet and a free runnable slot");
        assert!(
            !(packet && self.idle.is_empty() && self.starting == 0 && self.live < self.goal),
            "a packet waits and no thread is created"
        );
        for class in &self.classes {
            if let Kind::WorkQueue { cap, .. } = class.kind {
                let c = class.counts;
                assert!(c.granted >= c.busy_threads);
                // Posting stops at the cap; only a cap that was lowered meanwhile can lie below what is out.
                let wants_more =
                    self.order == Order::Port && (c.requested as usize) < c.waiting && c.requested + c.granted < cap;
                assert!(!wants_more, "a thread request that the rule allows was not posted");
            }
        }
    }
}
