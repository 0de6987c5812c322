//! Who is next where the port's order is not used: one small pure rule for each order.
//!
//! Not the port itself and not the drain rule, which belong to the faithful order (`dispatch`). For teaching and for
//! asking "what if": nothing published says that ATQ can do any of this. Called by `dispatch`, chosen by a scenario.

use crate::ids::ClassId;

/// In which order waiting items get the free threads.
// Guess: that the order is the completion port's; what ATQ keeps beside the port is published nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// The completion port's: packets first in, first out, work queues by their thread requests.
    #[default]
    Port,
    /// The class with the smallest priority first, without taking a thread away from anybody.
    Priority,
    /// The oldest item of all classes that may start one.
    OldestEligible,
    /// As `Priority`, and a class may start an item only while more threads are idle than it has to keep free.
    Reserve,
}

impl Order {
    /// Every order.
    pub const ALL: &'static [Order] = &[Order::Port, Order::Priority, Order::OldestEligible, Order::Reserve];

    /// The name in scenario files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Order::Port => "port",
            Order::Priority => "priority",
            Order::OldestEligible => "oldest-eligible",
            Order::Reserve => "reserve",
        }
    }

    /// The order of this name; names are lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Order> {
        Order::ALL.iter().copied().find(|order| order.name() == name)
    }
}

/// The oldest waiting item of a class that is below its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The class.
    pub class: ClassId,
    /// The item's number in the order of submission.
    pub seq: u64,
    /// The class's priority; smaller is served first.
    pub priority: u32,
    /// How many idle threads the class leaves to others.
    pub keep_free: u32,
}

/// The class that gets a thread, when `idle` threads serve nobody. Not for [`Order::Port`], which has no heads.
#[inline(always)]
pub fn next(order: Order, idle: u32, heads: impl Iterator<Item = Head>) -> Option<ClassId> {
    match order {
        Order::Port => None,
        Order::Priority => by_priority(heads),
        Order::OldestEligible => oldest(heads),
        Order::Reserve => by_priority(heads.filter(|head| may_start(idle, head.keep_free))),
    }
}

/// Smallest priority; among equals the oldest item.
#[inline(always)]
fn by_priority(heads: impl Iterator<Item = Head>) -> Option<ClassId> {
    heads.min_by_key(|head| (head.priority, head.seq)).map(|head| head.class)
}

/// The oldest item.
#[inline(always)]
fn oldest(heads: impl Iterator<Item = Head>) -> Option<ClassId> {
    heads.min_by_key(|head| head.seq).map(|head| head.class)
}

/// Whether a class that leaves `keep_free` threads to others may start an item while `idle` threads serve nobody.
#[must_use]
pub fn may_start(idle: u32, keep_free: u32) -> bool {
    idle > keep_free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(class: u16, seq: u64, priority: u32, keep_free: u32) -> Head {
        Head { class: ClassId(class), seq, priority, keep_free }
    }

    #[test]
    fn each_order_picks_its_own_head() {
        let heads = [head(0, 7, 2, 0), head(1, 9, 1, 3), head(2, 8, 1, 0)];
        let table = [
            (Order::Port, 9, None),
            (Order::Priority, 9, Some(2)),
            (Order::Priority, 1, Some(2)),
            (Order::OldestEligible, 9, Some(0)),
            (Order::Reserve, 4, Some(2)),
            (Order::Reserve, 3, Some(2)),
            (Order::Reserve, 0, None),
        ];
        for (order, idle, class) in table {
            assert_eq!(next(order, idle, heads.into_iter()), class.map(ClassId), "{order:?} with {idle} idle");
        }
        let kept = [head(0, 1, 0, 2), head(1, 2, 5, 0)];
        assert_eq!(next(Order::Reserve, 2, kept.into_iter()), Some(ClassId(1)));
        assert_eq!(next(Order::Reserve, 3, kept.into_iter()), Some(ClassId(0)));
        assert_eq!(next(Order::Priority, 1, kept.into_iter()), Some(ClassId(0)), "only `reserve` keeps threads free");
    }

    #[test]
    fn names_read_back() {
        assert!(Order::ALL.iter().all(|&order| Order::from_name(order.name()) == Some(order)));
        assert_eq!(Order::from_name("Port"), None);
    }
}
