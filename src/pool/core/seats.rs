//! Seats and the bench: who sits down, who leaves, who is gone, and what a refused thread means.
//!
//! Not who is called (`watch`) and not what a thread does (`worker`). Called by the rest of `core` and by `worker`.

use super::{Calls, Core, Sitter};
use crate::ids::ThreadId;
use crate::policy::dispatch::Event;
use crate::pool::reason::Reason;
use crate::pool::sync::{JoinHandle, Thread, processor};

impl Core {
    /// A thread has begun.
    pub(in crate::pool) fn begins(&mut self, seat: u32, thread: Thread, badge: Option<ThreadId>) {
        let state = &mut self.seats[seat as usize];
        (state.thread, state.badge) = (Some(thread), badge);
        self.present += 1;
        self.tally.live_threads_max = self.tally.live_threads_max.max(self.present);
    }

    /// A thread sits down on the bench.
    pub(in crate::pool) fn take_seat(&mut self, seat: u32) {
        debug_assert!(!self.is_surplus(), "nobody would tell it to end");
        self.bench.push(Sitter { seat, processor: processor() });
    }

    /// A thread leaves the bench on its own accord.
    pub(in crate::pool) fn leave_bench(&mut self, seat: u32) {
        if let Some(at) = self.bench.iter().rposition(|sitter| sitter.seat == seat) {
            self.bench.remove(at);
        }
        self.guard.take_if(|guard| guard.seat == seat);
    }

    /// Throttled calls: whether a thread that has nothing to do is one too many.
    pub(in crate::pool) fn is_surplus(&self) -> bool {
        self.live > self.dispatch.counts().goal_threads.max(1)
    }

    /// The system refused a thread. The pool goes on with what it has; with nothing, the next submission tries again.
    pub(in crate::pool) fn refused(&mut self, seat: u32, badge: Option<ThreadId>) {
        self.tally.threads_refused += 1;
        self.live -= 1;
        self.free_seats.push(seat);
        self.reasons.live = Reason::Refused;
        self.reasons.goal = Reason::Refused;
        if badge.is_none() {
            self.on_the_way -= 1;
        }
        if let Some(thread) = badge.or_else(|| self.credits.pop()) {
            self.change(Event::ThreadRefused { thread });
        }
        if self.habits.calls == Calls::Throttled && self.live > 0 {
            self.change(Event::SetPoolSize { size: self.live });
        }
    }

    /// A thread ends.
    pub(in crate::pool) fn gone(&mut self, seat: u32) {
        self.present -= 1;
        let state = &mut self.seats[seat as usize];
        if std::mem::take(&mut state.ending) {
            self.ending -= 1;
        } else {
            self.live -= 1;
        }
        (state.gone, state.thread, state.note, state.badge) = (true, None, None, None);
    }

    /// The handles of threads that have ended, whose seats are free again.
    pub(in crate::pool) fn take_ended(&mut self) -> Vec<JoinHandle> {
        let mut handles = Vec::new();
        for (at, seat) in self.seats.iter_mut().enumerate() {
            // A thread may have ended before its creator has put its handle down.
            if seat.gone && seat.handle.is_some() {
                handles.extend(seat.handle.take());
                seat.gone = false;
                self.free_seats.push(at as u32);
            }
        }
        handles
    }
}

#[cfg(test)]
mod tests;
