//! A closure that comes while nobody watches the inbox: the policy is told of it at once; or, where nothing else waits, it is
//! kept for the thread that is called for it.
//!
//! Throttled calls only. It is how closures that come one at a time start soon: what is done here lies between each of them
//! and its thread. Not a rule of its own: what is kept is begun by whoever asks first. Called by `submit` and by the rest of
//! `core`.

use super::Core;
use crate::ids::ClassId;
use crate::policy::dispatch::Ticket;
use crate::pool::reason::Reason;
use crate::pool::sync::{Plant, planted};
use crate::pool::task::Task;

impl Core {
    /// After step `Number`, of a producer who found that nobody watches: the closure is kept, or the policy told of it.
    /// The inbox stays marked unwatched, unless somebody comes now who watches.
    pub(in crate::pool) fn told_at_once(&mut self, ticket: Ticket, job: Task) {
        debug_assert!(self.unwatched);
        if self.may_be_lone(ticket.class()) {
            self.classes[ticket.class().index()].queued_by = Reason::Submitted;
            self.lone = Some((ticket, job));
            let _ = self.call();
        } else {
            if self.lone.is_some() && !planted(Plant::OvertakesTheLone) {
                self.take_in(None);
            }
            self.dispatch.number_next(ticket.seq());
            self.tell_of(ticket.class(), job, None);
        }
        if self.is_watched() {
            self.watches();
        }
    }

    /// Whether there is nothing but this closure, and a thread that sits, may be called, and can begin it when it comes.
    fn may_be_lone(&self, class: ClassId) -> bool {
        let nobody_else = self.on_the_way == 0 && self.credits.is_empty() && self.guard.is_none();
        self.plainly_next
            && nobody_else
            && !self.bench.is_empty()
            && self.lone.is_none()
            && self.dispatch.may_enter(class)
    }

    /// The closure for which a thread is on its way, and of which the policy has not been told.
    pub(in crate::pool) fn lone(&self) -> Option<ClassId> {
        self.lone.as_ref().map(|(ticket, _)| ticket.class())
    }

    /// Whether the policy may be told of a closure that is put down where nobody watches: nobody begins closures without
    /// asking, and it is true still that nobody watches.
    #[inline]
    pub(in crate::pool) fn may_be_told_at_once(&self) -> bool {
        self.licensed.is_empty() && !self.is_watched()
    }

    /// The called thread and the closure for which it was called are told of in one step, or the closure alone is.
    #[inline]
    pub(super) fn enter(&mut self, seat: u32, ticket: Ticket, job: Task) -> Option<(ClassId, Task)> {
        let class = ticket.class();
        self.dispatch.number_next(ticket.seq());
        match self.dispatch.enter(class, job) {
            Ok((badge, job)) => {
                self.seats[seat as usize].badge = Some(badge);
                self.note_start(class);
                self.seats[seat as usize].since = self.started;
                Some((class, job))
            }
            Err(job) => {
                self.tell_of(class, job, None);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
