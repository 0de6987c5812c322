//! The store's threads and the line before them.
//!
//! Not what a call is for: a call wants a number of threads, waits in line until they are free, and gives them back. First
//! come, first served: one that wants more than are free holds up those behind it. Called by the store's machine.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Nanos;

/// A call to the store; numbers are used once, in the order in which calls come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallId(pub u64);

#[derive(Debug)]
struct Waiting<W> {
    work: W,
    wants: u32,
    deadline: Nanos,
}

#[derive(Debug)]
pub(super) struct Threads<W> {
    max: u32,
    in_use: u32,
    next_call: u64,
    line: BTreeMap<CallId, Waiting<W>>,
    deadlines: BTreeSet<(Nanos, CallId)>,
    /// With the threads that each holds.
    in_service: BTreeMap<CallId, (W, u32)>,
}

impl<W: Copy> Threads<W> {
    pub(super) fn new(max: u32) -> Threads<W> {
        Threads {
            max,
            in_use: 0,
            next_call: 0,
            line: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            in_service: BTreeMap::new(),
        }
    }

    pub(super) fn in_use(&self) -> u32 {
        self.in_use
    }

    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// A call joins the line. It fails at `deadline`.
    pub(super) fn ask(&mut self, work: W, wants: u32, deadline: Nanos) -> CallId {
        let call = CallId(self.next_call);
        self.next_call += 1;
        self.line.insert(call, Waiting { work, wants, deadline });
        if deadline < Nanos::MAX {
            self.deadlines.insert((deadline, call));
        }
        call
    }

    /// The first of the line gets its threads, if they are free.
    pub(super) fn grant(&mut self) -> Option<(CallId, W)> {
        let (call, first) = self.line.first_key_value()?;
        let (call, work, wants) = (*call, first.work, first.wants);
        if wants > self.max - self.in_use {
            return None;
        }
        self.leave(call);
        self.in_use += wants;
        self.in_service.insert(call, (work, wants));
        Some((call, work))
    }

    /// A call that was in service gives its threads back.
    pub(super) fn release(&mut self, call: CallId) -> W {
        let (work, held) = self.in_service.remove(&call).expect("only a call in service ends");
        self.in_use -= held;
        work
    }

    /// The first call whose deadline has come leaves the line.
    pub(super) fn expired(&mut self, now: Nanos) -> Option<(CallId, W)> {
        let (_, call) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        Some((call, self.leave(call)))
    }

    pub(super) fn next_deadline(&self) -> Nanos {
        self.deadlines.first().map_or(Nanos::MAX, |(deadline, _)| *deadline)
    }

    /// All calls of some kind leave the line, in the order in which they came.
    pub(super) fn withdraw(&mut self, is_one: impl Fn(&W) -> bool) -> Vec<W> {
        let those = self.line.iter().filter(|(_, waiting)| is_one(&waiting.work)).map(|(call, _)| *call);
        let those: Vec<CallId> = those.collect();
        those.into_iter().map(|call| self.leave(call)).collect()
    }

    /// All calls of some kind that are in service give their threads back.
    pub(super) fn release_all(&mut self, is_one: impl Fn(&W) -> bool) {
        let those = self.in_service.iter().filter(|(_, (work, _))| is_one(work)).map(|(call, _)| *call);
        let those: Vec<CallId> = those.collect();
        for call in those {
            self.release(call);
        }
    }

    fn leave(&mut self, call: CallId) -> W {
        let gone = self.line.remove(&call).expect("it is in the line");
        self.deadlines.remove(&(gone.deadline, call));
        gone.work
    }
}
