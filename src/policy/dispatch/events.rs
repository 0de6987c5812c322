//! What a pool is told and what it answers: the two vocabularies of `Dispatch`.
//!
//! Not the rules that lead from one to the other (`dispatch`). Spoken by the engines, `pool` and the decision log.

use crate::ids::{ClassId, ThreadId};

/// Names one submitted item, so that it can be withdrawn while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    /// The name of item `seq` of `class`; `seq` is below 2^48.
    #[inline]
    pub(crate) fn new(seq: u64, class: ClassId) -> Ticket {
        Ticket(seq << 16 | u64::from(class.0))
    }

    /// The item's number in the order of submission, from 0.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.0 >> 16
    }

    /// The item's class.
    #[must_use]
    pub fn class(self) -> ClassId {
        ClassId(self.0 as u16)
    }
}

/// What happens to the pool. `J` is whatever the caller wants handed to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<J> {
    /// An item arrives.
    Submit {
        /// Its class.
        class: ClassId,
        /// What the thread is to do.
        job: J,
    },
    /// The client of a waiting item gives up.
    GiveUp {
        /// The answer to its submission.
        ticket: Ticket,
    },
    /// A thread that was to be created runs, and asks the port for the first time.
    ThreadStarted {
        /// The id given with [`Decision::Create`].
        thread: ThreadId,
    },
    /// A thread that was to be created cannot be had.
    ThreadRefused {
        /// The id given with [`Decision::Create`].
        thread: ThreadId,
    },
    /// A busy thread begins to wait for something outside: it is not runnable.
    Blocks {
        /// Which.
        thread: ThreadId,
    },
    /// A waiting thread goes on: it is runnable again.
    Wakes {
        /// Which.
        thread: ThreadId,
    },
    /// A busy thread has finished its item.
    Finishes {
        /// Which.
        thread: ThreadId,
    },
    /// An idle thread has had nothing to do for `ThreadTimeout`.
    IdleTooLong {
        /// Which.
        thread: ThreadId,
    },
    /// A work queue's cap changes. Lowering it takes no thread away; no effect on a class of requests.
    SetCap {
        /// The work queue.
        class: ClassId,
        /// The new cap; 0 counts as 1.
        cap: u32,
    },
    /// The pool's size changes. Surplus idle threads retire now, busy ones when they finish.
    SetPoolSize {
        /// The new size; 0 counts as 1.
        size: u32,
    },
    /// The runnable limit changes. No thread is taken away; those above it go idle when they finish.
    SetRunnableLimit {
        /// The new limit; 0 counts as 1.
        limit: u32,
    },
}

/// What is to be done about an event, in order.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<J> {
    /// The submitted item was taken in. If a thread is there for it, its [`Decision::Start`] follows.
    Queued {
        /// Its name for a later [`Event::GiveUp`].
        ticket: Ticket,
    },
    /// The submitted item finds no room to wait.
    Refused {
        /// What was submitted.
        job: J,
    },
    /// `thread` is to serve this item now.
    Start {
        /// Which thread: idle until now, just started, or the one that has just finished.
        thread: ThreadId,
        /// The item's class.
        class: ClassId,
        /// The item's number in the order of submission.
        seq: u64,
        /// What was submitted.
        job: J,
    },
    /// The item has left without being served.
    Left {
        /// What was submitted.
        job: J,
    },
    /// A thread is to be created; answer with [`Event::ThreadStarted`] or [`Event::ThreadRefused`].
    Create {
        /// Its id.
        thread: ThreadId,
    },
    /// `thread` has nothing to do and waits at the port.
    Idle {
        /// Which.
        thread: ThreadId,
    },
    /// `thread` is to end.
    Retire {
        /// Which; its id may be used again.
        thread: ThreadId,
    },
}

/// Where decisions go, in the order in which they are to be carried out.
pub trait Decisions<J> {
    /// One more.
    fn put(&mut self, decision: Decision<J>);
}

impl<J> Decisions<J> for Vec<Decision<J>> {
    fn put(&mut self, decision: Decision<J>) {
        self.push(decision);
    }
}

impl<J> Event<J> {
    /// The event without the job, for a log.
    #[must_use]
    pub fn erased(&self) -> Event<()> {
        match *self {
            Event::Submit { class, .. } => Event::Submit { class, job: () },
            Event::GiveUp { ticket } => Event::GiveUp { ticket },
            Event::ThreadStarted { thread } => Event::ThreadStarted { thread },
            Event::ThreadRefused { thread } => Event::ThreadRefused { thread },
            Event::Blocks { thread } => Event::Blocks { thread },
            Event::Wakes { thread } => Event::Wakes { thread },
            Event::Finishes { thread } => Event::Finishes { thread },
            Event::IdleTooLong { thread } => Event::IdleTooLong { thread },
            Event::SetCap { class, cap } => Event::SetCap { class, cap },
            Event::SetPoolSize { size } => Event::SetPoolSize { size },
            Event::SetRunnableLimit { limit } => Event::SetRunnableLimit { limit },
        }
    }
}

impl<J> Decision<J> {
    /// The decision without the job, for a log.
    pub fn erased(&self) -> Decision<()> {
        match *self {
            Decision::Queued { ticket } => Decision::Queued { ticket },
            Decision::Refused { .. } => Decision::Refused { job: () },
            Decision::Start { thread, class, seq, .. } => Decision::Start { thread, class, seq, job: () },
            Decision::Left { .. } => Decision::Left { job: () },
            Decision::Create { thread } => Decision::Create { thread },
            Decision::Idle { thread } => Decision::Idle { thread },
            Decision::Retire { thread } => Decision::Retire { thread },
        }
    }
}
