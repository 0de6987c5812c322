//! The orders that are not the port's, seen from the pool: which items stand at the head, and what a pick counts.
//!
//! Not the orders themselves, which are pure (`policy::order`). Called by the rest of `dispatch`.

use super::{Class, Dispatch, Kind};
use crate::ids::ClassId;
use crate::policy::order::{self, Head, Order};

impl Class {
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

    /// The item that the order gives to a free thread.
    pub(super) fn pop_ordered(&mut self) -> Option<u32> {
        if self.gone_in_queues > 0 {
            self.drop_gone_heads();
        }
        let (slots, free) = (&self.slots, self.free_threads());
        let heads = self.classes.iter().enumerate().filter_map(|(at, class)| {
            let slot = class.queue.front().filter(|_| class.below_cap() > 0)?;
            Some(Head {
                class: ClassId(at as u16),
                seq: slots[*slot as usize].seq,
                priority: class.priority,
                keep_free: class.keep_free,
            })
        });
        let picked = order::next(self.order, free, heads)?;
        let class = &mut self.classes[picked.index()];
        if matches!(class.kind, Kind::WorkQueue { .. }) {
            class.counts.granted += 1;
        }
        class.queue.pop_front()
    }

    /// How many waiting items could begin if threads were there, at most as many as threads are free.
    pub(super) fn startable_ordered(&self) -> usize {
        let free = self.free_threads();
        let of = |class: &Class| {
            let left = if self.order == Order::Reserve { free.saturating_sub(class.keep_free) } else { free };
            class.counts.waiting.min(class.below_cap().min(left) as usize)
        };
        self.classes.iter().map(of).sum::<usize>().min(free as usize)
    }

    /// Frees the places of items that have left from the heads of the queues.
    fn drop_gone_heads(&mut self) {
        for class in &mut self.classes {
            while let Some(&slot) = class.queue.front()
                && self.slots[slot as usize].job.is_none()
            {
                class.queue.pop_front();
                self.gone_in_queues -= 1;
                self.free_slots.push(slot);
            }
        }
    }
}
