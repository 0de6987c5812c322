//! The work by hand: a loop around the standard library's binary heap.
//!
//! Not the engine: it can do nothing else. [`plain`] is what one writes first, with every event in the heap, and what
//! the gate is measured against; [`tuned`] keeps the next arrival beside the heap and replaces the heap's head in place.
//! Called by the benches.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::station::{Customer, Draws, Station};
use super::{Outcome, Work};

#[derive(Clone, Copy, Debug)]
enum What {
    Comes,
    Ends(Customer),
}

/// An event; the earliest is the greatest, for a heap that has the greatest on top.
#[derive(Clone, Copy, Debug)]
struct Event {
    at: u64,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.at == other.at
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Event) -> Ordering {
        other.at.cmp(&self.at)
    }
}

/// This many customers come; the loop ends when all are served.
pub(crate) fn plain(work: &Work, customers: u64, seed: u64) -> Outcome {
    let (mut draws, mut station, mut heap) = (Draws::new(work, seed), Station::new(work), BinaryHeap::new());
    heap.push(Event { at: draws.gap(), what: What::Comes });
    while let Some(Event { at: now, what }) = heap.pop() {
        let starts = match what {
            What::Comes => {
                let customer = Customer { class: draws.class(), came: now };
                let starts = station.comes(customer);
                if station.came() < customers {
                    heap.push(Event { at: now + draws.gap(), what: What::Comes });
                }
                starts.then_some(customer)
            }
            What::Ends(customer) => station.ends(customer, now),
        };
        if let Some(customer) = starts {
            heap.push(Event { at: now + draws.service(), what: What::Ends(customer) });
        }
    }
    station.close()
}

/// The same with less work for the heap.
pub(crate) fn tuned(work: &Work, customers: u64, seed: u64) -> Outcome {
    let (mut draws, mut station, mut heap) = (Draws::new(work, seed), Station::new(work), BinaryHeap::new());
    let mut comes = draws.gap();
    loop {
        let ends = heap.peek().map_or(u64::MAX, |event: &Event| event.at);
        if comes < ends {
            let customer = Customer { class: draws.class(), came: comes };
            if station.comes(customer) {
                heap.push(Event { at: comes + draws.service(), what: What::Ends(customer) });
            }
            comes = if station.came() < customers { comes + draws.gap() } else { u64::MAX };
            continue;
        }
        let Some(mut head) = heap.peek_mut() else { return station.close() };
        let Event { at: now, what: What::Ends(customer) } = *head else {
            unreachable!("arrivals are not in this heap")
        };
        match station.ends(customer, now) {
            Some(next) => *head = Event { at: now + draws.service(), what: What::Ends(next) },
            None => {
                PeekMut::pop(head);
            }
        }
    }
}
