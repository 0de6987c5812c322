//! Somebody who is told of every item while a run goes on, beside the run's own memory.
//!
//! Not a part of any result: an observer changes nothing, and without one nothing is spent. For figures that `metrics`
//! does not keep. Called by the floor.

use std::any::Any;
use std::fmt::Debug;

use crate::item::Outcome;
use crate::time::Nanos;
use crate::workload::{Item, JourneyEnd};

/// See the module's head. Times never go back.
pub trait Observer: Debug + Send {
    /// An item was taken in; it may start at once.
    fn arrived(&mut self, item: &Item, now: Nanos);
    /// An item found no room to wait.
    fn refused(&mut self, item: &Item, now: Nanos);
    /// The client of a waiting item has given up.
    fn gave_up(&mut self, item: &Item, now: Nanos);
    /// A thread begins a waiting item.
    fn started(&mut self, item: &Item, now: Nanos);
    /// A thread is done with an item: served, or lost.
    fn finished(&mut self, item: &Item, outcome: Outcome, now: Nanos);
    /// A journey is over.
    fn journey_ended(&mut self, end: &JourneyEnd, now: Nanos);
    /// Itself, for who knows what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}
