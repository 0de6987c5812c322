//! Laws that hold for every load and under every order, counted when broken.
//!
//! Not a rule: nothing here decides anything, and what is counted is a bug of this program. Unlike `check`, which debug
//! builds run, this costs next to nothing and is on in every run. Called by `dispatch`, read by the engines.

use super::{Dispatch, Kind};
use crate::policy::order::{Order, may_start};

/// How often each law was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Laws {
    /// An item began before an older one of its class: first in, first out inside a class.
    pub overtaken: u64,
    /// After an event a thread was idle, an item might have used it, and the runnable limit allowed it.
    pub idle_beside_work: u64,
    /// A work queue held more threads than the largest cap that it ever had.
    pub above_cap: u64,
}

impl Laws {
    /// One line for each broken law.
    #[must_use]
    pub fn lines(self) -> Vec<String> {
        let all = [
            (self.overtaken, "items began before an older one of their class"),
            (self.idle_beside_work, "times a thread stayed idle beside an item that it might have served"),
            (self.above_cap, "items began above the cap of their work queue"),
        ];
        all.iter().filter(|(times, _)| *times > 0).map(|(times, what)| format!("{times} {what}")).collect()
    }
}

impl<J> Dispatch<J> {
    /// Whether an item waits that an idle thread might serve. Told from the classes' counts alone: not from the port or
    /// the marks of ready classes, by which the decisions are made.
    #[cold]
    pub(super) fn leaves_work(&self) -> bool {
        let free = self.free_threads();
        self.classes.iter().any(|class| {
            let below_cap = match class.kind {
                Kind::Requests => true,
                Kind::WorkQueue { cap, .. } => class.counts.busy_threads < cap,
            };
            let kept_back = self.order == Order::Reserve && !may_start(free, class.keep_free);
            class.counts.waiting > 0 && below_cap && !kept_back
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClassRule, Decision, Event, Rules};
    use super::*;
    use crate::ids::ClassId;
    use crate::policy::drain::Drain;

    /// A pool whose one thread has started, with two classes: requests, and a queue that may have one thread.
    fn pool(order: Order) -> Dispatch<u32> {
        let queue = Kind::WorkQueue { cap: 1, drain: Drain::UntilEmpty };
        let classes = vec![ClassRule::default(), ClassRule { kind: queue, ..ClassRule::default() }];
        let mut dispatch = Dispatch::new(&Rules { pool_size: 2, classes, order, ..Rules::default() });
        let mut out = Vec::new();
        dispatch.apply(Event::Submit { class: ClassId(1), job: 0 }, &mut out);
        for decision in std::mem::take(&mut out) {
            if let Decision::Create { thread } = decision {
                dispatch.apply(Event::ThreadStarted { thread }, &mut out);
            }
        }
        assert_eq!((dispatch.laws(), dispatch.counts().busy_threads), (Laws::default(), 1));
        dispatch
    }

    #[test]
    fn a_forgotten_packet_or_mark_is_noticed() {
        for order in [Order::Port, Order::OldestEligible, Order::Priority, Order::Reserve] {
            let mut dispatch = pool(order);
            // As if the second thread were there, and an item had been put into its queue and nowhere else.
            dispatch.idle.push(crate::ids::ThreadId(9));
            dispatch.classes[0].queue.push(7, 7);
            dispatch.classes[0].counts.waiting = 1;
            dispatch.waiting = 1;
            assert!(dispatch.leaves_work(), "{order:?}");
            dispatch.classes[0].keep_free = 1;
            assert_eq!(dispatch.leaves_work(), order != Order::Reserve, "one thread is free, and is to stay so");
            // What waits in a queue at its cap waits rightly.
            dispatch.classes[0].counts.waiting = 0;
            dispatch.classes[1].counts.waiting = 1;
            assert!(!dispatch.leaves_work(), "{order:?}");
        }
    }

    #[test]
    fn a_thread_that_stays_idle_beside_a_forgotten_item_is_counted_after_every_event() {
        for order in [Order::Port, Order::OldestEligible, Order::Priority, Order::Reserve] {
            let mut dispatch = pool(order);
            let mut out = Vec::new();
            dispatch.apply(Event::Finishes { thread: crate::ids::ThreadId(0) }, &mut out);
            // As if an item had been put into its queue and nowhere else.
            dispatch.classes[0].queue.push(7, 7);
            dispatch.classes[0].counts.waiting = 1;
            dispatch.waiting = 1;
            for times in 1..=2 {
                dispatch.apply(Event::SetPoolSize { size: 2 }, &mut out);
                assert_eq!(dispatch.laws().idle_beside_work, times, "{order:?}");
            }
        }
    }

    #[test]
    fn an_overtaken_item_and_a_thread_too_many_are_counted_in_words() {
        let mut dispatch = pool(Order::Port);
        let mut out = Vec::new();
        // As if the queue, whose cap of one is used up, began an item older than its last.
        dispatch.classes[1].last_started = Some(99);
        dispatch.begin(crate::ids::ThreadId(0), ClassId(1), 1, 1, 1, &mut out);
        let laws = dispatch.laws();
        assert_eq!((laws.overtaken, laws.above_cap, laws.idle_beside_work), (1, 1, 0));
        assert_eq!(laws.lines().len(), 2);
        assert_eq!(Laws { idle_beside_work: 3, ..Laws::default() }.lines().len(), 1);
    }
}
