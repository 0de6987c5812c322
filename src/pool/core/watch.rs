//! Who sees to it that waiting closures find a thread: the inbox's watch, the poller, and calls.
//!
//! Throttled calls only. The steps are argued in the pool's `README.md`; who is served next is the policy's decision.
//! Called by the rest of `core` and by `worker`.

use std::time::Duration;

use super::{Core, Note, Phase};
use crate::ids::{ClassId, ThreadId};
use crate::policy::dispatch::Event;
use crate::pool::Calls;
use crate::pool::reason::Reason;
use crate::pool::sync::{Deadline, Plant, planted, processor};
use crate::pool::task::Task;

/// A shorter poll is not worth its clock.
const LEAST_POLL: Duration = Duration::from_micros(1);

/// While polls do not pay, it is asked so seldom whether one would have: the clock is read for that before a call.
const JUDGES_EVERY: u32 = 8;

/// How many threads of the bench are looked at for near ones.
const LOOKS_AT: usize = 16;

/// How many near threads are called in turns.
const TAKE_TURNS: usize = 8;

impl Core {
    /// Step `See`: items wait and the policy wishes for threads; are as many sure to come? If not, they are called.
    pub(super) fn see_to_it(&mut self) {
        while !self.comes && self.dispatch.wants_a_thread() {
            let come = self.on_the_way + u32::from(self.rung);
            if come as usize >= self.dispatch.startable_items().min(self.credits.len()) {
                return;
            }
            if self.polled && !self.rung {
                self.rung = true;
                self.doorstep.ring();
            } else if (self.guard.is_some() && self.dispatch.counts().busy_threads > 0) || !self.call() {
                return;
            }
        }
    }

    /// Step `Call`: one of the threads that have sat down lately is called; where nobody sits, one is created. `false`:
    /// there are as many threads as may be, so the caller's own is the one that is free, and about to ask.
    pub(super) fn call(&mut self) -> bool {
        if self.nobody_else_exists() {
            return false;
        }
        self.on_the_way += 1;
        self.judge_poll();
        match self.pop_bench() {
            Some(seat) => {
                self.guard.take_if(|guard| guard.seat == seat);
                self.seats[seat as usize].since = self.started;
                self.put(seat, Note::Called);
            }
            None => {
                let seat = self.new_seat();
                self.seats[seat as usize].since = self.started;
                self.errands.create.push((seat, None));
            }
        }
        true
    }

    /// Nobody sits, and no more threads may be created.
    #[inline]
    pub(super) fn nobody_else_exists(&self) -> bool {
        self.bench.is_empty() && self.live >= self.dispatch.counts().goal_threads
    }

    /// The last of the bench, or better one that sat down on this processor. Mostly the caller is about to sleep: then that
    /// thread runs next here, where another processor may first have to be woken itself. On a virtual machine that made a
    /// wake-up of 3 us out of one of 16. Of a few such threads it is the one that has sat longest: a scheduler that shares
    /// a processor out evenly lets who has rested go before the caller, and who has just run wait until the caller sleeps.
    /// That made 7 us out of 22 for every tenth wait.
    fn pop_bench(&mut self) -> Option<u32> {
        let (here, length) = (processor(), self.bench.len());
        let lately = length.saturating_sub(LOOKS_AT)..length;
        let near = lately.rev().filter(|at| self.bench[*at].processor == here);
        let at = near.take(TAKE_TURNS).last().or(length.checked_sub(1))?;
        Some(self.bench.remove(at).seat)
    }

    /// Step `TakeIn`: tells the policy of the oldest closure that it does not know. `false`: there is none.
    #[inline]
    pub(super) fn take_in(&mut self, teller: Option<ThreadId>) -> bool {
        // The policy decides about everybody again.
        if !(self.comes && planted(Plant::ArrivesBesideLicences)) {
            self.revoke();
        }
        let lone = self.lone.take().inspect(|(ticket, _)| self.dispatch.number_next(ticket.seq()));
        let Some((ticket, job)) = lone.or_else(|| self.take_from_belt()) else { return false };
        self.tell_of(ticket.class(), job, teller);
        true
    }

    #[inline(always)]
    pub(super) fn tell_of(&mut self, class: ClassId, job: Task, teller: Option<ThreadId>) {
        self.revive();
        self.classes[class.index()].queued_by = Reason::Submitted;
        self.tell(Event::Submit { class, job }, teller);
        debug_assert!(self.answer.given_back.is_none(), "only classes without a bound use the inbox");
    }

    /// Where the system refused every thread before, nobody comes for what waits. Perhaps it does not refuse now.
    #[inline]
    pub(in crate::pool) fn revive(&mut self) {
        if self.dispatch.counts().goal_threads == 0 {
            self.change(Event::SetPoolSize { size: self.size });
        }
    }

    /// Step `Watch`, at the end of each locked section: is somebody sure to look into the inbox who is not kept by a
    /// closure? If not, the next producer is told to. Nothing that lies in the inbox is left to nobody.
    #[inline]
    pub(in crate::pool) fn watch(&mut self) {
        let throttled = self.habits.calls == Calls::Throttled;
        if throttled && !self.unwatched && !self.is_watched() && self.phase != Phase::Stopped {
            self.leave_unwatched();
        }
    }

    pub(super) fn leave_unwatched(&mut self) {
        while !self.is_watched() {
            let lying = self.belt.lock();
            if lying.len() == 0 && self.doorstep.publish(true) {
                debug_assert!(self.lone.is_none() || self.on_the_way > 0, "a closure was kept, and nobody comes");
                self.unwatched = true;
                return;
            }
            drop(lying);
            // The bell rings while something lies in the inbox, but who rings it may not be heard yet.
            if !self.take_in(None) {
                self.belt.lock().refill(&self.doorstep);
            }
        }
    }

    /// Whether a thread comes to the pool's lock without being called, or whether calling one would be of no use.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        let counts = self.dispatch.counts();
        (self.guard.is_some() && counts.busy_threads > 0)
            || self.on_the_way >= self.habits.calls_at_once
            || (self.on_the_way > 0 && self.nobody_else_exists())
            || self.rung
            || self.polled
            || (!self.dispatch.has_room_for_a_thread() && counts.goal_threads > 0)
    }

    /// Somebody watches the inbox from now on: the caller, or whom he has called.
    pub(super) fn watches(&mut self) {
        if self.unwatched {
            self.unwatched = !self.doorstep.publish(false);
        }
    }

    /// The thread on its way to the bench polls first. `false`: it need not, or must not.
    pub(in crate::pool) fn begin_poll(&mut self) -> bool {
        if self.polled || self.phase == Phase::Stopped || self.is_surplus() {
            return false;
        }
        if self.poll_for < LEAST_POLL {
            self.unpolled = self.unpolled.wrapping_add(1);
            if self.unpolled.is_multiple_of(JUDGES_EVERY) {
                self.poll_ended = Some(Deadline::after(self.habits.poll));
            }
            return false;
        }
        self.polled = true;
        self.watches();
        true
    }

    /// The poller comes, or gives up.
    pub(in crate::pool) fn end_poll(&mut self, seat: u32) -> Option<(ClassId, Task)> {
        self.polled = planted(Plant::PollsOn);
        self.rung = false;
        let next = if self.phase == Phase::Stopped { None } else { self.arrive(seat) };
        self.poll_ended = next.is_none().then(|| Deadline::after(self.habits.poll));
        next
    }

    /// Somebody is called. If that would not have been needed, had the last poll gone on for a while, the next one takes
    /// twice as long; otherwise half as long.
    pub(super) fn judge_poll(&mut self) {
        if let Some(paying) = self.poll_ended.take() {
            self.poll_for = if paying.has_passed() {
                self.poll_for / 2
            } else {
                (self.poll_for * 2).clamp(self.habits.poll / 8, self.habits.poll)
            };
        }
    }

    /// A producer has come because nobody watches.
    pub(in crate::pool) fn is_here(&mut self) {
        self.unwatched = planted(Plant::ComesUnheard);
    }
}

#[cfg(test)]
mod tests;
