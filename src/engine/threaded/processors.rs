//! The emulated processors of a run on real threads: who has one, and waking who gets one.
//!
//! The rule (first come, first served) is `policy::processors`; this is only its lock and its wake-ups.

use std::collections::BTreeMap;
use std::thread::Thread;

use parking_lot::Mutex;

use super::clock::Clock;
use crate::ids::ThreadId;
use crate::policy::processors::Processors;

#[derive(Debug)]
struct Inner {
    processors: Processors,
    /// Threads that wait for a processor.
    waiting: BTreeMap<ThreadId, Thread>,
    next: u32,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct SharedProcessors(Mutex<Inner>);

impl SharedProcessors {
    pub(super) fn new(count: u32) -> SharedProcessors {
        SharedProcessors(Mutex::new(Inner { processors: Processors::new(count), waiting: BTreeMap::new(), next: 0 }))
    }

    /// Takes a processor, waiting for one if need be. The answer says whether the thread had to wait; `None`: the run
    /// ended first.
    pub(super) fn acquire(&self, clock: &Clock) -> Option<bool> {
        let mut inner = self.0.lock();
        let me = ThreadId(inner.next);
        inner.next = inner.next.wrapping_add(1);
        if inner.processors.acquire(me) {
            return Some(false);
        }
        inner.waiting.insert(me, std::thread::current());
        loop {
            drop(inner);
            std::thread::park();
            inner = self.0.lock();
            if !inner.waiting.contains_key(&me) {
                return Some(true);
            }
            if clock.has_ended() {
                inner.waiting.remove(&me);
                inner.processors.leave(me);
                return None;
            }
        }
    }

    /// Gives the processor to the thread that has waited longest, if one waits.
    pub(super) fn release(&self) {
        let mut inner = self.0.lock();
        if let Some(next) = inner.processors.release()
            && let Some(thread) = inner.waiting.remove(&next)
        {
            thread.unpark();
        }
    }
}
