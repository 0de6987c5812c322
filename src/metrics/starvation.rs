//! Starvation of one class: when its oldest waiting item has waited too long, and whether it held any thread then.
//!
//! Defined once, here: a class is *starved* while its oldest waiting item has waited for at least `starvation_after`;
//! it is *shut out* in that part of a starved time during which it held no thread of the pool at all. Not a judgement
//! of why: [`Episode`] says who held the threads meanwhile, and that is all. Called by [`super::Metrics`].

use crate::time::Nanos;

/// Episodes kept with their details; further ones are counted.
pub const EPISODES_KEPT: usize = 500;

/// One starved time of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// When it began: `starvation_after` after the due time of the item that waited.
    pub start: Nanos,
    /// How long it lasted.
    pub length: Nanos,
    /// How much of it the class held no thread.
    pub shut_out: Nanos,
    /// How many items waited at some moment of it.
    pub waited: u64,
    /// Thread time that each class (by index) held meanwhile, in nanoseconds.
    pub held_ns: Vec<u128>,
}

#[derive(Debug)]
struct Open {
    start: Nanos,
    shut_out: Nanos,
    waited: u64,
    held_before: Vec<u128>,
}

/// Follows the starvation of one class.
#[derive(Debug, Default)]
pub(super) struct Starvation {
    open: Option<Open>,
    /// Since when the class has held no thread; `None` while it holds one.
    without_thread_since: Option<Nanos>,
    /// The episodes, the first of them in full.
    pub(super) episodes: Vec<Episode>,
    /// How many there were.
    pub(super) count: u64,
    /// Their total length.
    pub(super) starved: Nanos,
    /// The part without a thread.
    pub(super) shut_out: Nanos,
    /// The longest.
    pub(super) longest: Nanos,
    /// Thread time that each class held during all of them.
    pub(super) held_ns: Vec<u128>,
}

impl Starvation {
    pub(super) fn new(classes: usize) -> Starvation {
        Starvation { without_thread_since: Some(Nanos::ZERO), held_ns: vec![0; classes], ..Starvation::default() }
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The class is starved from `start` on; `held` is the thread time of each class up to then.
    pub(super) fn begin(&mut self, start: Nanos, waiting: u64, held: Vec<u128>) {
        self.open = Some(Open { start, shut_out: Nanos::ZERO, waited: waiting, held_before: held });
    }

    /// One more item waits.
    #[inline]
    pub(super) fn joined(&mut self) {
        if let Some(open) = &mut self.open {
            open.waited += 1;
        }
    }

    /// The class holds a thread, having held none.
    pub(super) fn got_thread(&mut self, now: Nanos) {
        self.settle_shut_out(now);
        self.without_thread_since = None;
    }

    /// The class holds no thread any more.
    pub(super) fn lost_last_thread(&mut self, now: Nanos) {
        self.without_thread_since = Some(now);
    }

    fn settle_shut_out(&mut self, now: Nanos) {
        if let (Some(open), Some(since)) = (&mut self.open, self.without_thread_since) {
            open.shut_out += now.since(since.max(open.start));
            self.without_thread_since = Some(now);
        }
    }

    /// The class is starved no more; `held` is the thread time of each class up to `now`. Only of classes `beside` it,
    /// which use the same threads, is it said what they held.
    pub(super) fn end(&mut self, now: Nanos, held: &[u128], beside: impl Fn(usize) -> bool) {
        self.settle_shut_out(now);
        let Some(open) = self.open.take() else { return };
        let length = now.since(open.start);
        let held_by = |(at, (after, before)): (usize, (&u128, &u128))| if beside(at) { after - before } else { 0 };
        let held_ns: Vec<u128> = held.iter().zip(&open.held_before).enumerate().map(held_by).collect();
        for (total, part) in self.held_ns.iter_mut().zip(&held_ns) {
            *total += part;
        }
        self.count += 1;
        self.starved += length;
        self.shut_out += open.shut_out;
        self.longest = self.longest.max(length);
        if self.episodes.len() < EPISODES_KEPT {
            let (start, shut_out, waited) = (open.start, open.shut_out, open.waited);
            self.episodes.push(Episode { start, length, shut_out, waited, held_ns });
        }
    }
}
