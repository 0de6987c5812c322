//! The thread that stands guard while closures are started so briskly that calling another would be of no use.
//!
//! Throttled calls only. Without it, a flood of short closures would wake one thread after another, each of which comes
//! too late; with it, one thread looks every tick whether those that work still get on. Called by the rest of `core` and
//! by `worker`.

use std::time::Duration;

use super::{Core, Phase};
use crate::policy::dispatch::Event;
use crate::pool::sync::{Moment, Plant, planted};

/// The pace of closures is taken over so many times as many as are started briskly.
const PACE_OVER: u64 = 4;

/// Closures that take less each, with all that is around them, are not worth another thread.
const WORTH_ANOTHER: Duration = Duration::from_nanos(400);

/// The thread that looks after the queue from time to time instead of working, while closures are started so briskly
/// that a wake-up would come too late to be of use.
#[derive(Clone, Copy)]
pub(in crate::pool) struct Guard {
    pub(in crate::pool) seat: u32,
    /// Closures started when it last looked.
    started: u64,
    /// Closures that waited then.
    waiting: usize,
    looked: Moment,
}

impl Core {
    /// Whether the call that brought the caller came too late to be of use: others have started many closures since.
    pub(in crate::pool) fn was_needless(&self, seat: u32) -> bool {
        let may_stand = self.guard.is_none() && self.phase == Phase::Open && !self.is_surplus();
        may_stand && self.is_brisk_since(self.seats[seat as usize].since)
    }

    /// Whether each thread that gets on has started many closures since `started` was noted.
    fn is_brisk_since(&self, started: u64) -> bool {
        let begun = self.started - started;
        if begun < self.habits.brisk_starts {
            return false;
        }
        let gets_on = self.dispatch.counts().busy_threads.saturating_sub(self.stuck_since(started));
        (gets_on > 0 || self.polled) && begun >= self.habits.brisk_starts * u64::from(gets_on.max(1))
    }

    /// Busy threads that still run what they ran when `started` closures had been started.
    fn stuck_since(&self, started: u64) -> u32 {
        self.seats.iter().filter(|seat| seat.badge.is_some() && seat.since <= started).count() as u32
    }

    /// The thread on `seat` stands guard: it sits, and looks again after a while.
    pub(in crate::pool) fn stand_guard(&mut self, seat: u32) {
        debug_assert!(self.lone.is_none() || self.on_the_way > 0, "a closure was kept, and nobody comes");
        self.hear();
        self.guard = Some(Guard { seat, started: self.started, waiting: self.backlog(), looked: Moment::now() });
        self.take_seat(seat);
        self.watches();
    }

    /// Step `Step aside`, of a thread that was in the way just now.
    pub(in crate::pool) fn step_aside(&mut self, seat: u32) {
        if std::mem::take(&mut self.steps_aside) && !self.is_surplus() {
            self.stand_guard(seat);
        }
    }

    /// Closures that wait, told or not; but what came to the inbox while something lay on the belt is not counted yet.
    pub(in crate::pool) fn backlog(&mut self) -> usize {
        let mut lying = self.belt.lock();
        let _ = lying.fill(&self.doorstep);
        self.dispatch.waiting_items() + usize::from(self.lone.is_some()) + lying.len()
    }

    /// While closures are started briskly, no more threads get on than there are processors: more would only take turns.
    /// `stuck` are busy, but do not get on.
    pub(in crate::pool) fn keep_brisk(&mut self, brisk: bool, stuck: u32) {
        let limit = if brisk { self.habits.processors.saturating_add(stuck) } else { u32::MAX };
        let limit = limit.min(self.described_limit);
        if self.runnable_limit != limit {
            self.runnable_limit = limit;
            self.change(Event::SetRunnableLimit { limit });
        }
    }

    /// The limit of the description changes.
    pub(in crate::pool) fn limit_runnable(&mut self, limit: u32) {
        self.described_limit = limit;
        self.runnable_limit = limit;
        self.change(Event::SetRunnableLimit { limit });
    }

    /// Step `Tick`: the guard, which has left the bench, looks. Where closures are no longer started briskly it goes to
    /// work itself (`true`). Where they come faster than they go and a processor may be free, it calls another.
    pub(in crate::pool) fn tick(&mut self, guard: Guard) -> bool {
        self.hear();
        if self.is_licensed_and_stuck(guard.started) && !planted(Plant::ArrivesBesideLicences) {
            // What it holds and does not use is for others.
            self.revoke();
        }
        let brisk = self.is_brisk_since(guard.started) && self.phase == Phase::Open;
        let stuck = self.stuck_since(guard.started);
        // Not before the next guard stands: what the change of limits leads to is for that one to see to.
        self.guard = brisk.then_some(guard);
        self.keep_brisk(brisk, stuck);
        self.guard = None;
        if !brisk {
            return true;
        }
        let progress = (self.started - guard.started) as usize;
        let gets_on = self.dispatch.counts().busy_threads.saturating_sub(stuck);
        // Where handing a closure over takes as long as running it, another thread would only be in the way.
        let too_short = is_too_short(guard.looked.elapsed(), progress as u64, gets_on);
        let falls_behind =
            !too_short && self.backlog() > guard.waiting.max(progress) && gets_on < self.habits.processors;
        if falls_behind && self.on_the_way == 0 && !self.rung && !self.polled {
            if self.nobody_else_exists() {
                // There is nobody but the guard.
                return true;
            }
            self.guard = Some(guard);
            self.call_one_more();
            self.guard = None;
        }
        false
    }

    /// Whether the thread that asks for more is only in the way of the others: closures come briskly, and are so short
    /// that handing them over is most of the work. It stands guard then.
    pub(super) fn is_in_the_way(&mut self) -> bool {
        let (busy, closures) = (self.dispatch.counts().busy_threads, self.started - self.pace.1);
        let asks = self.guard.is_none() && self.phase == Phase::Open && busy > 1 && self.dispatch.waiting_items() == 0;
        if !asks || closures < PACE_OVER * self.habits.brisk_starts {
            return false;
        }
        let took = self.pace.0.elapsed();
        self.pace = (Moment::now(), self.started);
        is_too_short(took, closures, busy)
    }

    /// Calls a thread beside those that work.
    fn call_one_more(&mut self) {
        // As the guard stands, being told of a closure calls nobody.
        if self.credits.is_empty() {
            self.take_in(None);
        }
        if !self.credits.is_empty() && self.dispatch.wants_a_thread() {
            let _ = self.call();
        }
    }
}

/// Whether so many closures, started by so many threads in `took`, are not worth another thread.
fn is_too_short(took: Duration, closures: u64, threads: u32) -> bool {
    took < WORTH_ANOTHER * u32::try_from(closures).unwrap_or(u32::MAX) / threads.max(1)
}

#[cfg(test)]
mod tests;
