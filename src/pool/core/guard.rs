//! The thread that stands guard while closures are started so briskly that calling another would be of no use.
//!
//! Throttled calls only. Without it, a flood of short closures would wake one thread after another, each of which comes
//! too late; with it, one thread looks every tick whether those that work still get on. Called by the rest of `core` and
//! by `worker`.

use super::{Core, Phase};
use crate::policy::dispatch::Event;

/// The thread that looks after the queue from time to time instead of working, while closures are started so briskly
/// that a wake-up would come too late to be of use.
#[derive(Clone, Copy)]
pub(in crate::pool) struct Guard {
    pub(in crate::pool) seat: u32,
    /// Closures started when it last looked.
    started: u64,
    /// Closures that waited then.
    waiting: usize,
}

impl Core {
    /// Whether the call that brought the caller came too late to be of use: others have started many closures since.
    pub(in crate::pool) fn was_needless(&self) -> bool {
        self.guard.is_none() && self.phase == Phase::Open && self.is_brisk_since(self.started_at_call)
    }

    /// Whether each thread that works has started many closures since `started` was noted.
    fn is_brisk_since(&self, started: u64) -> bool {
        let busy = u64::from(self.dispatch.counts().busy_threads);
        (busy > 0 || self.polled) && self.started - started >= self.habits.brisk_starts * busy.max(1)
    }

    /// The thread on `seat` stands guard: it sits, and looks again after a while.
    pub(in crate::pool) fn stand_guard(&mut self, seat: u32) {
        self.guard = Some(Guard { seat, started: self.started, waiting: self.backlog() });
        self.bench.push(seat);
        self.keep_brisk(true);
        self.watches();
    }

    /// Closures that wait, told or not.
    pub(in crate::pool) fn backlog(&mut self) -> usize {
        if self.untold.closures.is_empty() && self.doorstep.is_rung() {
            self.doorstep.take(&mut self.untold);
        }
        self.dispatch.waiting_items() + self.untold.closures.len()
    }

    /// While closures are started briskly, no more threads than processors are awake: more would only take turns.
    pub(in crate::pool) fn keep_brisk(&mut self, brisk: bool) {
        if self.is_brisk != brisk {
            self.is_brisk = brisk;
            let limit = if brisk { self.runnable_limit.min(self.habits.processors) } else { self.runnable_limit };
            self.change(Event::SetRunnableLimit { limit });
        }
    }

    /// Step `Tick`: the guard, which has left the bench, looks. Where closures are no longer started briskly it goes to
    /// work itself (`true`). Where they come faster than they go and a processor may be free, it calls another.
    pub(in crate::pool) fn tick(&mut self, guard: Guard) -> bool {
        let progress = self.started - guard.started;
        let counts = self.dispatch.counts();
        let falls_behind =
            self.backlog() > guard.waiting.max(progress as usize) && counts.busy_threads < self.habits.processors;
        if !self.is_brisk_since(guard.started) || self.phase != Phase::Open {
            self.keep_brisk(false);
            return true;
        }
        if falls_behind && !self.on_the_way && !self.rung && !self.polled {
            self.call_one_more();
        }
        false
    }

    /// Calls a thread beside those that work.
    fn call_one_more(&mut self) {
        // While the guard stands, only it sees to calls: being told of a closure calls nobody.
        if self.credit.is_none() {
            let _ = self.take_in(None);
        }
        if self.credit.is_some() && self.dispatch.wants_a_thread() {
            self.call();
        }
    }
}
