//! Ids as newtypes over integers, so that a class is never mistaken for a thread.
//!
//! Not a registry of anything: an id is an index into a vector that somebody else owns. Used by every room.

/// A class of work on the pool: a protocol service (`pop3`) or one SMTP work queue (`smtp1.local-delivery`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClassId(pub u16);

/// A thread of the pool. Ids of retired threads are used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThreadId(pub u32);

/// Something outside the process that a service waits for: `directory`, `store`, `disk`, ...
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DependencyId(pub u16);

/// One step of a journey: what is asked of which class, and what follows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StageId(pub u16);

/// A source of load.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub u16);

macro_rules! index {
    ($($id:ident),*) => {$(
        impl $id {
            /// The id as an index.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}
index!(ClassId, ThreadId, DependencyId, StageId, SourceId);
