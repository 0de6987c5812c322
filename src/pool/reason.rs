//! Why a count of the pool last changed.
//!
//! Not a log: only the last reason of each count is kept. Called by the pool and by readers of its snapshots.

use std::fmt;

/// Why a count last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has not: the pool was built so.
    Built,
    /// A closure was handed over.
    Submitted,
    /// A thread began a closure.
    Started,
    /// A closure returned.
    Finished,
    /// A closure panicked.
    Panicked,
    /// A waiting closure was taken back.
    Withdrawn,
    /// The waiting closures were given back because the pool stops.
    GivenBack,
    /// A closure waited and no thread was free.
    GrewOnDemand,
    /// The system refused a thread.
    Refused,
    /// A thread had nothing to do for the idle time-out.
    RetiredIdle,
    /// A thread was one too many after the size was lowered.
    RetiredSurplus,
    /// The size was set.
    Resized,
    /// The pool stops.
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Built => "as built",
            Reason::Submitted => "submitted",
            Reason::Started => "started",
            Reason::Finished => "finished",
            Reason::Panicked => "panicked",
            Reason::Withdrawn => "withdrawn",
            Reason::GivenBack => "given back",
            Reason::GrewOnDemand => "grew on demand",
            Reason::Refused => "refused by the system",
            Reason::RetiredIdle => "retired after the idle time-out",
            Reason::RetiredSurplus => "retired as surplus",
            Reason::Resized => "resized",
            Reason::Stopped => "stopped",
        })
    }
}
