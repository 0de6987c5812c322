//! The result of one closure, for whoever waits for it.
//!
//! Not a future: [`Handle::join`] blocks the calling thread. Called by users of [`super::AtqPool::submit`].

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::AtqPool;
use super::sync::{Condvar, Deadline, Mutex};
use super::task::Task;
use super::worker::{self, HandedOn};
use crate::policy::dispatch::Ticket;

/// Why there is no result.
pub enum JoinError {
    /// The closure panicked, with this.
    Panicked(Box<dyn Any + Send>),
    /// The closure was never run: it was taken back, or given back when the pool stopped, and dropped.
    NotRun,
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JoinError::Panicked(_) => "Panicked",
            JoinError::NotRun => "NotRun",
        })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::NotRun => f.write_str("the closure was never run: it was taken or given back"),
            JoinError::Panicked(payload) => {
                let text = payload.downcast_ref::<&str>().copied();
                let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                write!(f, "the closure panicked: {}", text.unwrap_or("with something that is no text"))
            }
        }
    }
}

impl std::error::Error for JoinError {}

struct Slot<R> {
    result: Mutex<Option<Result<R, JoinError>>>,
    there: Condvar,
}

impl<R> Slot<R> {
    fn put(&self, result: Result<R, JoinError>) {
        *self.result.lock() = Some(result);
        self.there.notify_all();
    }
}

/// Whose drop says that the closure was not run, unless it was.
struct Promise<R> {
    slot: Arc<Slot<R>>,
    kept: bool,
}

impl<R> Drop for Promise<R> {
    fn drop(&mut self) {
        if !self.kept {
            self.slot.put(Err(JoinError::NotRun));
        }
    }
}

/// The result of a closure that was handed over with [`AtqPool::submit`]. Dropping it lets the closure run unobserved.
pub struct Handle<R> {
    slot: Arc<Slot<R>>,
    pub(super) ticket: Option<Ticket>,
}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}

impl<R: Send + 'static> Handle<R> {
    /// The closure's handle, and what the pool is to run.
    pub(super) fn pair(work: impl FnOnce() -> R + Send + 'static) -> (Handle<R>, Task) {
        let slot = Arc::new(Slot { result: Mutex::new(None), there: Condvar::default() });
        let mut promise = Promise { slot: Arc::clone(&slot), kept: false };
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            promise.kept = true;
            match result {
                Ok(value) => promise.slot.put(Ok(value)),
                Err(payload) => {
                    promise.slot.put(Err(JoinError::Panicked(payload)));
                    // Perhaps nobody waits any more, and the payload's drop panics: not while this thread unwinds.
                    drop(promise);
                    // The pool still counts it, and takes neither the thread nor the grant away.
                    resume_unwind(Box::new(HandedOn));
                }
            }
        };
        (Handle { slot, ticket: None }, Task::new(job))
    }
}

impl<R> Handle<R> {
    /// Whether [`Handle::join`] would answer at once.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.slot.result.lock().is_some()
    }

    /// Waits for the result. On a thread of a pool the wait counts as [`super::blocking`]; a closure that waits for one
    /// that needs its own thread waits for ever.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(self) -> Result<R, JoinError> {
        worker::blocking(|| {
            let mut result = self.slot.result.lock();
            loop {
                match result.take() {
                    Some(done) => return done,
                    None => result = self.slot.there.wait(result),
                }
            }
        })
    }

    /// [`Handle::join`] for at most `limit`.
    ///
    /// # Errors
    /// The handle, where there is no result by then.
    pub fn join_within(self, limit: Duration) -> Result<Result<R, JoinError>, Handle<R>> {
        let deadline = Deadline::after(limit);
        let done = worker::blocking(|| {
            let mut result = self.slot.result.lock();
            loop {
                if let Some(done) = result.take() {
                    return Some(done);
                }
                let passed;
                (result, passed) = self.slot.there.wait_until(result, deadline);
                if passed {
                    return result.take();
                }
            }
        });
        done.ok_or(self)
    }

    /// Takes the closure back, if it still waits for a thread. `true`: it will not run.
    pub fn withdraw_from(&self, pool: &AtqPool) -> bool {
        self.ticket.is_some_and(|ticket| pool.withdraw(ticket).is_some())
    }
}
