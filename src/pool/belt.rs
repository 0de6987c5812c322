//! Closures between the inbox and whoever runs them, and the licences of threads to take them without asking.
//!
//! Not a policy: a licence says of which classes its thread may begin closures, and the policy has granted it each of
//! these; nor a second queue: closures are begun, or told to the policy, in the order in which they came. Who holds the
//! belt's lock may take the inbox's; the core's is never taken under it. Used with throttled calls only. Called by the
//! pool.

use std::collections::VecDeque;

use crossbeam::utils::CachePadded;

use super::inbox::Doorstep;
use super::sync::{Mutex, MutexGuard, note_pass};
use super::task::Task;
use crate::ids::ClassId;
use crate::policy::dispatch::Ticket;

/// Closures in the order in which they came.
pub(super) type Line = VecDeque<(Ticket, Task)>;

/// How far behind the front a thread looks for a closure whose class has room.
const LOOKS_AT: usize = 8;

/// Leave to begin closures from the belt without asking, as long as licences of this number are valid.
#[derive(Clone, Copy)]
pub(super) struct Licence(u64);

/// What a thread has begun under its licence since this was last looked at.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    /// The class of what it began last, which it may still run.
    pub(super) class: ClassId,
    pub(super) closures: u64,
    /// The classes of all that it began, one bit each.
    pub(super) classes: u64,
}

/// A class, as the belt knows it.
#[derive(Clone, Copy, Default)]
struct Row {
    /// Closures that lie on the belt.
    untold: u32,
    /// Grants that are held back for the threads with a licence, and that none of them uses.
    room: u32,
}

/// See the module's head.
pub(super) struct Belt(CachePadded<Mutex<Lying>>);

/// What the belt's lock guards. Two threads that pass in turns get what they touch from each other's processor each time;
/// so that is little: this, the rows, and a place of the line. Where each notes what it has begun is its own.
pub(super) struct Lying {
    line: Line,
    /// Licences of this number are valid.
    valid: Licence,
    /// Classes with a ceiling, one bit each.
    capped: u64,
    /// By class.
    rows: Vec<Row>,
    /// By seat.
    begun: Vec<CachePadded<Begun>>,
}

impl Belt {
    /// `capped` are the classes with a ceiling, one bit each.
    pub(super) fn new(classes: usize, capped: u64) -> Belt {
        let rows = vec![Row::default(); classes];
        let lying = Lying { line: Line::new(), valid: Licence(0), capped, rows, begun: Vec::new() };
        Belt(CachePadded::new(Mutex::new(lying)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Lying> {
        self.0.lock()
    }

    /// Step `Pass`: the thread on `seat` has ended a closure and begins the next. `None`: it has to ask, because there is
    /// none whose class has room, or its licence has ended.
    #[inline]
    pub(super) fn pass(&self, seat: u32, licence: Licence, doorstep: &Doorstep) -> Option<(ClassId, Task)> {
        let mut lying = self.0.lock();
        if lying.valid.0 != licence.0 || !lying.fill(doorstep) {
            return None;
        }
        let old = lying.begun[seat as usize].class;
        let first = lying.line.front()?.0.class();
        let (ticket, job) = if lying.has_room(old, first) { lying.pop()? } else { lying.pop_behind(old)? };
        let class = ticket.class();
        if old != class {
            let capped = lying.capped;
            lying.rows[old.index()].room += (capped >> old.index() & 1) as u32;
            lying.rows[class.index()].room -= (capped >> class.index() & 1) as u32;
        }
        let begun = &mut *lying.begun[seat as usize];
        begun.class = class;
        begun.closures += 1;
        begun.classes |= 1 << class.index();
        note_pass();
        Some((class, job))
    }
}

impl Lying {
    /// Takes what is in the inbox, where nothing lies here and the bell is set. `false`: there is nothing.
    #[inline]
    pub(super) fn fill(&mut self, doorstep: &Doorstep) -> bool {
        if self.line.is_empty() {
            if !doorstep.is_rung() {
                return false;
            }
            self.refill(doorstep);
        }
        true
    }

    /// Takes what is in the inbox, where nothing lies here. The bell is silent then.
    pub(super) fn refill(&mut self, doorstep: &Doorstep) {
        doorstep.swap(&mut self.line);
        self.count_from(0);
    }

    /// Takes what is in the inbox. The bell stays as it is.
    pub(super) fn add_all(&mut self, doorstep: &Doorstep) {
        let at = self.line.len();
        doorstep.move_to(&mut self.line);
        self.count_from(at);
    }

    fn count_from(&mut self, at: usize) {
        for (ticket, _) in self.line.range(at..) {
            self.rows[ticket.class().index()].untold += 1;
        }
    }

    /// How many closures lie here.
    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// How many of one class do.
    pub(super) fn of_class(&self, class: ClassId) -> usize {
        self.rows[class.index()].untold as usize
    }

    /// Takes the oldest.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Ticket, Task)> {
        let (ticket, job) = self.line.pop_front()?;
        self.rows[ticket.class().index()].untold -= 1;
        Some((ticket, job))
    }

    /// What was popped last was not told after all.
    pub(super) fn put_back(&mut self, ticket: Ticket, job: Task) {
        self.rows[ticket.class().index()].untold += 1;
        self.line.push_front((ticket, job));
    }

    /// Whether a thread that has ended a closure of `old` may begin one of `class`.
    #[inline]
    fn has_room(&self, old: ClassId, class: ClassId) -> bool {
        self.capped >> class.index() & 1 == 0 || class == old || self.rows[class.index()].room > 0
    }

    /// A closure behind the front, whose class is at its ceiling.
    #[inline(never)]
    fn pop_behind(&mut self, old: ClassId) -> Option<(Ticket, Task)> {
        let looked_at = self.line.iter().take(LOOKS_AT);
        let at = looked_at.map(|(ticket, _)| ticket.class()).position(|class| self.has_room(old, class))?;
        let (ticket, job) = self.line.remove(at)?;
        self.rows[ticket.class().index()].untold -= 1;
        Some((ticket, job))
    }

    /// A licence for the thread on `seat`, which runs a closure of `runs`; `held_back` are the classes of which a grant was
    /// held back for it, one bit each.
    pub(super) fn license(&mut self, seat: u32, runs: ClassId, held_back: u64) -> Licence {
        let begun = CachePadded::new(Begun { class: runs, closures: 0, classes: 0 });
        if self.begun.len() <= seat as usize {
            self.begun.resize(seat as usize + 1, begun);
        }
        self.begun[seat as usize] = begun;
        for (at, row) in self.rows.iter_mut().enumerate() {
            row.room += (held_back >> at & 1) as u32;
        }
        self.valid
    }

    /// Classes with a ceiling, one bit each.
    pub(super) fn capped(&self) -> u64 {
        self.capped
    }

    /// Ends every licence.
    pub(super) fn revoke(&mut self) {
        self.valid.0 += 1;
    }

    /// Grants of each class that were held back and are not used.
    pub(super) fn take_rooms(&mut self) -> impl Iterator<Item = (ClassId, u32)> + '_ {
        self.rows.iter_mut().enumerate().map(|(at, row)| (ClassId(at as u16), std::mem::take(&mut row.room)))
    }

    /// The class of what the thread on `seat` began last under its licence, or ran before.
    pub(super) fn runs(&self, seat: u32) -> ClassId {
        self.begun[seat as usize].class
    }

    /// What the thread on `seat` has begun since the last look.
    pub(super) fn take_begun(&mut self, seat: u32) -> Begun {
        let begun = &mut *self.begun[seat as usize];
        let seen = *begun;
        (begun.closures, begun.classes) = (0, 0);
        seen
    }
}
