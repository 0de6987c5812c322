//! What a producer does: leaves a closure in the inbox, or tells the policy of it, and sees to it that somebody comes.
//!
//! The steps have the names of `README.md` beside this file. Not a policy, and not what threads do (`worker`). Called by the
//! pool's door.

use std::sync::Arc;

use super::core::{Core, Phase};
use super::sync::MutexGuard;
use super::task::Task;
use super::{Calls, Shared, SpawnError, worker};
use crate::ids::ClassId;
use crate::policy::dispatch::Ticket;

/// Whether a submission waits for room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    Waits,
    Refuses,
}

impl Shared {
    #[inline]
    pub(super) fn spawn(
        self: &Arc<Shared>,
        class: ClassId,
        job: Task,
        patience: Patience,
    ) -> Result<Ticket, SpawnError> {
        if self.calls == Calls::Eager || self.is_bounded[class.index()] {
            return self.spawn_at_once(class, job, patience);
        }
        if self.doorstep.seems_unwatched() { self.tell(class, job) } else { self.put(class, job) }
    }

    #[inline]
    fn put(self: &Arc<Shared>, class: ClassId, job: Task) -> Result<Ticket, SpawnError> {
        let (ticket, unwatched) = self.doorstep.put(class, job).map_err(|job| SpawnError::Stopped(job.into_job()))?;
        if unwatched { self.look_after(ticket) } else { Ok(ticket) }
    }

    /// Nobody watches the inbox, it seems. Where that is so, and the core's lock is free, the closure does not go there, which
    /// takes half as long.
    #[inline(never)]
    fn tell(self: &Arc<Shared>, class: ClassId, job: Task) -> Result<Ticket, SpawnError> {
        if let Some(mut core) = self.core.try_lock()
            && core.may_be_told_at_once()
            && let Some(ticket) = self.doorstep.number(class)
        {
            core.told_at_once(ticket, job);
            return self.call_and_go(core, ticket);
        }
        self.put(class, job)
    }

    /// Nobody watched the inbox when a closure was put there: the caller sees to it that somebody comes.
    #[cold]
    fn look_after(self: &Arc<Shared>, ticket: Ticket) -> Result<Ticket, SpawnError> {
        let mut core = self.core.lock();
        core.is_here();
        core.watch();
        self.call_and_go(core, ticket)
    }

    fn call_and_go<'a>(
        self: &'a Arc<Shared>,
        mut core: MutexGuard<'a, Core>,
        ticket: Ticket,
    ) -> Result<Ticket, SpawnError> {
        if core.errands.create.is_empty() {
            // What is called here may wait for this very processor: nothing more is done before the caller goes on.
            let errands = std::mem::take(&mut core.errands);
            drop(core);
            self.call(errands);
            return Ok(ticket);
        }
        self.see_off(core, ticket)
    }

    /// Tells the policy of a closure before the caller goes on.
    fn spawn_at_once(
        self: &Arc<Shared>,
        class: ClassId,
        mut job: Task,
        patience: Patience,
    ) -> Result<Ticket, SpawnError> {
        let mut core = self.core.lock();
        let refused = core.tally.threads_refused;
        let ticket = loop {
            if core.phase != Phase::Open {
                return Err(SpawnError::Stopped(job.into_job()));
            }
            match core.submit(class, job) {
                Ok(ticket) => break ticket,
                Err(back) => job = back,
            }
            if patience == Patience::Refuses || worker::is_own(self) {
                drop(self.leave(core));
                return Err(SpawnError::Full(job.into_job()));
            }
            if !core.errands.is_empty() {
                // Nobody else would do them while the caller waits.
                core = self.leave(core);
                if core.live == 0 && core.tally.threads_refused > refused {
                    return Err(SpawnError::NoThreads(job.into_job()));
                }
                continue;
            }
            core.want_room += 1;
            core = self.room.wait(core);
            core.want_room -= 1;
        };
        self.see_off(core, ticket)
    }

    /// The end of a submission: errands, and whether any thread could be had at all.
    fn see_off<'a>(self: &'a Arc<Shared>, core: MutexGuard<'a, Core>, ticket: Ticket) -> Result<Ticket, SpawnError> {
        let refused = core.tally.threads_refused;
        let mut core = self.leave(core);
        if core.live == 0 && core.tally.threads_refused > refused {
            // Nobody will come for the closure.
            if let Some(job) = core.withdraw(ticket) {
                return Err(SpawnError::NoThreads(job.into_job()));
            }
        }
        Ok(ticket)
    }
}
