//! The orders that are not the port's, seen from the pool: which items stand at the head, and what a pick counts.
//!
//! Not the orders themselves, which are pure (`policy::order`). Called by the rest of `dispatch`.

use super::{Class, Dispatch, Kind};
use crate::ids::ClassId;
use crate::policy::order::{self, Head, Order};

impl<J> Class<J> {
    /// How many more items the class may have in service under its cap.
    fn below_cap(&self) -> u32 {
        match self.kind {
            Kind::Requests => u32::MAX,
            Kind::WorkQueue { cap, .. } => cap.saturating_sub(self.counts.granted),
        }
    }
}

impl<J> Dispatch<J> {
    /// Threads that serve nobody, with those that may still be created.
    pub(super) fn free_threads(&self) -> u32 {
        self.goal.saturating_sub(self.busy)
    }

    /// The class whose head the order gives to a free thread.
    #[inline(always)]
    pub(super) fn pop_ordered(&mut self) -> Option<ClassId> {
        let free = self.free_threads();
        let head = |id: ClassId| {
            let class = &self.classes[id.index()];
            let seq = class.queue.front_seq().expect("a class that is ready has a head");
            Head { class: id, seq, priority: class.priority, keep_free: class.keep_free }
        };
        let picked = match self.ready[..] {
            // Up to 64 classes: the same, without the outer loop.
            [bits] => order::next(self.order, free, Bits { first: 0, left: bits }.map(head)),
            _ => order::next(self.order, free, ready_classes(&self.ready).map(head)),
        }?;
        let class = &mut self.classes[picked.index()];
        if matches!(class.kind, Kind::WorkQueue { .. }) {
            class.counts.granted += 1;
        }
        Some(picked)
    }

    /// Notes whether the head of `class` may start as far as its cap goes.
    #[inline(always)]
    pub(super) fn mark(&mut self, class: ClassId) {
        if self.order == Order::Port {
            return;
        }
        let state = &self.classes[class.index()];
        let ready = state.counts.waiting > 0 && state.below_cap() > 0;
        let (word, bit) = (class.index() / 64, class.index() % 64);
        self.ready[word] = self.ready[word] & !(1 << bit) | u64::from(ready) << bit;
    }

    /// How many waiting items could begin if threads were there, at most as many as threads are free.
    pub(super) fn startable_ordered(&self) -> usize {
        let free = self.free_threads();
        let of = |id: ClassId| {
            let class = &self.classes[id.index()];
            let left = if self.order == Order::Reserve { free.saturating_sub(class.keep_free) } else { free };
            class.counts.waiting.min(class.below_cap().min(left) as usize)
        };
        ready_classes(&self.ready).map(of).sum::<usize>().min(free as usize)
    }
}

/// The classes whose bits are set.
fn ready_classes(ready: &[u64]) -> impl Iterator<Item = ClassId> + '_ {
    ready.iter().enumerate().flat_map(|(word, bits)| Bits { first: (word * 64) as u16, left: *bits })
}

/// The classes whose bits are set in one word.
struct Bits {
    first: u16,
    left: u64,
}

impl Iterator for Bits {
    type Item = ClassId;

    #[inline(always)]
    fn next(&mut self) -> Option<ClassId> {
        if self.left == 0 {
            return None;
        }
        let bit = self.left.trailing_zeros() as u16;
        self.left &= self.left - 1;
        Some(ClassId(self.first + bit))
    }
}
