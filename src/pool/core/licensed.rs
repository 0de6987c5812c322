//! Licences seen from the core: who gets one, what was begun under them, and how they end.
//!
//! A licence spares a thread the core's lock while closures come briskly. It is given only where nobody is kept from
//! anything by it: nothing waits in the policy, and whoever might be called is not (a guard stands, or all threads that
//! may exist are busy). Whoever comes to tell the policy anything else ends them all first. Throttled calls only. Called
//! by the rest of `core`.

use std::sync::Arc;

use super::{Core, Phase};
use crate::ids::ClassId;
use crate::policy::dispatch::{ClassRule, Kind, Rules, Ticket};
use crate::pool::belt::{Begun, Licence, Lying};
use crate::pool::reason::Reason;
use crate::pool::sync::{Plant, planted};
use crate::pool::task::Task;

/// Classes have one bit each.
const CLASSES_MOST: usize = u64::BITS as usize;

/// Classes with a ceiling, one bit each; of the first 64.
pub(super) fn capped(rules: &Rules) -> u64 {
    let bit = |(at, rule): (usize, &ClassRule)| u64::from(matches!(rule.kind, Kind::WorkQueue { .. })) << at;
    rules.classes.iter().take(CLASSES_MOST).enumerate().map(bit).sum()
}

impl Core {
    /// Step `License`: the thread on `seat`, which is about to run a closure of `runs`, may go on without asking.
    #[inline]
    pub(super) fn license(&mut self, seat: u32, runs: ClassId) {
        let counts = self.dispatch.counts();
        let nobody_is_called = self.guard.is_some() || counts.busy_threads >= counts.goal_threads;
        if nobody_is_called && self.phase == Phase::Open && self.want_room == 0 && self.classes.len() <= CLASSES_MOST {
            self.license_now(seat, runs);
        }
    }

    fn license_now(&mut self, seat: u32, runs: ClassId) {
        if self.dispatch.waiting_items() > 0 {
            return;
        }
        let mut lying = self.belt.lock();
        let mut held_back = 0;
        for at in (0..self.classes.len()).filter(|at| *at != runs.index()) {
            let is_held = self.dispatch.reserve(ClassId(at as u16)) || planted(Plant::GivesRoomFreely);
            held_back |= u64::from(is_held) << at;
        }
        held_back &= lying.capped();
        let licence = lying.license(seat, runs, held_back);
        self.seats[seat as usize].licence = Some(licence);
        self.licensed.push(seat);
    }

    /// The licence of the thread on `seat`.
    #[inline]
    pub(in crate::pool) fn licence(&self, seat: u32) -> Option<Licence> {
        self.seats[seat as usize].licence
    }

    /// The thread on `seat` comes to ask again.
    #[inline]
    pub(super) fn come_back(&mut self, seat: u32) {
        if planted(Plant::ComesBackAlone) {
            self.licensed.retain(|licensed| *licensed != seat);
            self.seats[seat as usize].licence = None;
        }
        if self.seats[seat as usize].licence.is_some() {
            // With the others: what they hold is known only together.
            self.revoke_all();
            self.seats[seat as usize].runs = None;
        }
    }

    /// Step `Revoke`: ends every licence. From now on each of their threads is known to be at what it runs, and holds no
    /// other grant.
    #[inline]
    pub(in crate::pool) fn revoke(&mut self) {
        if !self.licensed.is_empty() {
            self.revoke_all();
        }
    }

    #[inline(never)]
    fn revoke_all(&mut self) {
        let belt = Arc::clone(&self.belt);
        let mut lying = belt.lock();
        if !planted(Plant::RevokesInSilence) {
            lying.revoke();
        }
        self.hear_of(&mut lying);
        let mut turns = Vec::with_capacity(self.licensed.len());
        for seat in std::mem::take(&mut self.licensed) {
            let runs = lying.runs(seat);
            let state = &mut self.seats[seat as usize];
            (state.licence, state.runs) = (None, Some(runs));
            turns.push((state.badge.expect("a thread with a licence works"), runs));
            self.classes[runs.index()].running_by = Reason::Started;
        }
        self.dispatch.turn(&turns);
        for (class, grants) in lying.take_rooms() {
            let grants = if planted(Plant::KeepsHeldBack) { 0 } else { grants };
            for _ in 0..grants {
                self.dispatch.release(class);
            }
        }
    }

    /// Notes what was begun under licences since the last time.
    pub(in crate::pool) fn hear(&mut self) {
        if !self.licensed.is_empty() {
            let belt = Arc::clone(&self.belt);
            self.hear_of(&mut belt.lock());
        }
    }

    fn hear_of(&mut self, lying: &mut Lying) {
        for at in 0..self.licensed.len() {
            let seat = self.licensed[at];
            let begun = lying.take_begun(seat);
            if begun.closures > 0 {
                self.note_passed(begun);
                self.seats[seat as usize].since = self.started;
            }
        }
    }

    /// Whether a thread that has a licence is still at what it was at when `started` closures had been started.
    pub(super) fn is_licensed_and_stuck(&self, started: u64) -> bool {
        self.licensed.iter().any(|seat| self.seats[*seat as usize].since <= started)
    }

    /// Takes the oldest closure that the policy does not know, for it to be told next: it gets its ticket's number.
    #[inline]
    pub(super) fn take_from_belt(&mut self) -> Option<(Ticket, Task)> {
        let mut lying = self.belt.lock();
        let work = if lying.fill(&self.doorstep) { lying.pop() } else { None };
        drop(lying);
        if let Some((ticket, _)) = &work {
            self.dispatch.number_next(ticket.seq());
        }
        work
    }

    fn note_passed(&mut self, begun: Begun) {
        self.started += begun.closures;
        self.ended += begun.closures;
        self.reasons.busy = Reason::Started;
        for at in (0..self.classes.len()).filter(|at| begun.classes >> at & 1 == 1) {
            self.classes[at].queued_by = Reason::Started;
            self.classes[at].running_by = Reason::Finished;
        }
    }
}

#[cfg(test)]
mod tests;
