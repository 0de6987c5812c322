//! What happens to an item: the ways in which it can end.
//!
//! Not the item's content, which is `workload`'s business. Used by `workload`, `metrics` and the engines.

/// How an item ended. Every item ends in exactly one of these, so their counts add up to the arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A thread served it to its end.
    Served,
    /// Its client's time-out passed while it waited for a thread.
    GaveUp,
    /// There was no room left to wait in.
    Refused,
    /// It was lost with the thread that served it: the handler panicked.
    Lost,
    /// Its service went offline, to be restarted or moved, while it waited, was served, or its session lasted.
    Cut,
    /// Its service was offline when it came.
    Unreachable,
    /// The run ended while it waited or was in service.
    Unfinished,
}
