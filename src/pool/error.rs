//! What can be wrong with a pool's description, with a submission, and with a change.
//!
//! Not the errors of closures (`handle`). Called by users of the pool.

use std::fmt;

use super::Job;
use crate::ids::ClassId;

/// Why a closure was not taken. It is given back.
pub enum SpawnError {
    /// The class has no room left for waiting closures. Remedy: wait, or raise its `max_waiting`.
    Full(Job),
    /// The pool was stopped. Remedy: none; it takes no more work.
    Stopped(Job),
    /// The system refuses every thread, so nothing could ever run. Remedy: raise the limit on threads (`ulimit -u`).
    NoThreads(Job),
}

impl SpawnError {
    /// The closure.
    #[must_use]
    pub fn into_job(self) -> Job {
        match self {
            SpawnError::Full(job) | SpawnError::Stopped(job) | SpawnError::NoThreads(job) => job,
        }
    }
}

impl fmt::Debug for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::Full(_) => "Full",
            SpawnError::Stopped(_) => "Stopped",
            SpawnError::NoThreads(_) => "NoThreads",
        })
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::Full(_) => "the class has no room for another waiting closure; wait, or raise its max_waiting",
            SpawnError::Stopped(_) => "the pool was stopped and takes no more work",
            SpawnError::NoThreads(_) => "the system refuses every thread; raise its limit on threads (ulimit -u)",
        })
    }
}

impl std::error::Error for SpawnError {}

/// Everything that is wrong with a pool's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// Each mistake, with what was found, what is allowed, and a remedy.
    pub mistakes: Vec<String>,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pool cannot be built: {}", self.mistakes.join("; "))
    }
}

impl std::error::Error for BuildError {}

/// Why a ceiling was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CeilingError {
    /// The class was built with [`super::Ceiling::None`]. Its closures are packets of their own, which no ceiling
    /// counts. Remedy: build it with `Ceiling::Percent(100)`.
    ClassHasNone(ClassId),
    /// The new ceiling cannot be; with what is allowed.
    NotACeiling(String),
}

impl fmt::Display for CeilingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CeilingError::ClassHasNone(class) => {
                write!(f, "class {} was built without a ceiling; build it with Ceiling::Percent(100)", class.0)
            }
            CeilingError::NotACeiling(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for CeilingError {}
