//! The emulated processors of a run on real threads: who has one, and waking who gets one.
//!
//! The rule (first come, first served) is `policy::processors`; this is only its lock and its wake-ups.

use std::collections::BTreeMap;
use std::thread::Thread;

use parking_lot::Mutex;

use super::clock::Clock;
use crate::ids::ThreadId;
use crate::policy::processors::Processors;
use crate::time::Nanos;

#[derive(Debug)]
struct Inner {
    processors: Processors,
    /// Threads that wait for a processor.
    waiting: BTreeMap<ThreadId, Thread>,
    /// Since when threads that were called have had their processor.
    called: BTreeMap<ThreadId, Nanos>,
    next: u32,
}

/// When a thread wanted a processor, and since when it has one: not since it noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) asked: Nanos,
    pub(super) began: Nanos,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct SharedProcessors(Mutex<Inner>);

impl SharedProcessors {
    pub(super) fn new(count: u32) -> SharedProcessors {
        let (waiting, called) = (BTreeMap::new(), BTreeMap::new());
        SharedProcessors(Mutex::new(Inner { processors: Processors::new(count), waiting, called, next: 0 }))
    }

    /// Takes a processor, waiting for one if need be. `None`: the run ended first.
    pub(super) fn acquire(&self, clock: &Clock) -> Option<Grant> {
        let mut inner = self.0.lock();
        let asked = clock.now();
        let me = ThreadId(inner.next);
        inner.next = inner.next.wrapping_add(1);
        if inner.processors.acquire(me) {
            return Some(Grant { asked, began: asked });
        }
        inner.waiting.insert(me, std::thread::current());
        loop {
            drop(inner);
            std::thread::park();
            inner = self.0.lock();
            if let Some(began) = inner.called.remove(&me) {
                return Some(Grant { asked, began });
            }
            if clock.has_ended() {
                inner.waiting.remove(&me);
                inner.processors.leave(me);
                return None;
            }
        }
    }

    /// Gives the processor to the thread that has waited longest, if one waits. The answer is the moment.
    pub(super) fn release(&self, clock: &Clock) -> Nanos {
        let mut inner = self.0.lock();
        let now = clock.now();
        if let Some(next) = inner.processors.release()
            && let Some(thread) = inner.waiting.remove(&next)
        {
            inner.called.insert(next, now);
            thread.unpark();
        }
        now
    }
}
