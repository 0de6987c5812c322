//! What a thread of the pool does: look at its seat, work, look again.
//!
//! The steps are those of `README.md`. Not a policy: the thread does what its note says. Called by the pool alone,
//! except [`blocking`], which running closures call.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::MutexGuard;

use super::{Note, Shared, State};
use crate::ids::ThreadId;
use crate::policy::dispatch::Event;

thread_local! {
    /// The pool and the seat of this thread, if it belongs to one.
    static SEAT: RefCell<Option<(Arc<Shared>, ThreadId)>> = const { RefCell::new(None) };
}

/// The seat of the calling thread in `shared`, if it has one there.
pub(super) fn current(shared: &Arc<Shared>) -> Option<ThreadId> {
    SEAT.with_borrow(|seat| match seat {
        Some((own, thread)) if Arc::ptr_eq(own, shared) => Some(*thread),
        _ => None,
    })
}

/// The life of one thread.
pub(super) fn work(shared: &Arc<Shared>, me: ThreadId) {
    SEAT.set(Some((Arc::clone(shared), me)));
    if let Some(hook) = &shared.on_thread_start {
        hook();
    }
    let mut state = shared.state.lock();
    state.tell(Event::ThreadStarted { thread: me }, Some(me));
    let live = state.dispatch.counts().live_threads;
    state.tally.live_threads_max = state.tally.live_threads_max.max(live);
    shared.report_count(&state);
    while let Some(job) = next_job(shared, &mut state, me) {
        let panicked = MutexGuard::unlocked(&mut state, || catch_unwind(AssertUnwindSafe(job)).is_err());
        state.tally.panics += u64::from(panicked);
        // After a stop the policy's work is over; what still runs is only waited for.
        if state.stopped {
            break;
        }
        state.tell(Event::Finishes { thread: me }, Some(me));
    }
    shared.report_count(&state);
    drop(state);
    SEAT.set(None);
}

/// Step `Look`: waits for a note and takes it. `None`: this thread is to end.
fn next_job<'a>(shared: &'a Arc<Shared>, state: &mut MutexGuard<'a, State>, me: ThreadId) -> Option<super::Job> {
    loop {
        shared.create_wanted(state);
        match state.seats[me.index()].note.take() {
            Some(Note::Run(job)) => return Some(job),
            Some(Note::Retire) => return None,
            None if state.stopped => return None,
            None => {}
        }
        let call = Arc::clone(&state.seats[me.index()].call);
        match shared.idle_timeout {
            None => call.wait(state),
            Some(timeout) => {
                let timed_out = call.wait_for(state, timeout).timed_out();
                if timed_out && state.seats[me.index()].note.is_none() && !state.stopped {
                    state.tell(Event::IdleTooLong { thread: me }, Some(me));
                }
            }
        }
    }
}

/// Runs `wait`, which waits for something outside the process, and tells the pool so: meanwhile the thread is not
/// runnable and another may run in its place. On a thread that belongs to no pool it only runs `wait`.
pub fn blocking<R>(wait: impl FnOnce() -> R) -> R {
    let seat = SEAT.with_borrow(Clone::clone);
    let Some((shared, me)) = seat else { return wait() };
    tell_and_create(&shared, Event::Blocks { thread: me }, me);
    let _wakes = Wakes(&shared, me);
    wait()
}

/// Tells the pool that the thread goes on, also when the wait panics.
struct Wakes<'a>(&'a Arc<Shared>, ThreadId);

impl Drop for Wakes<'_> {
    fn drop(&mut self) {
        tell_and_create(self.0, Event::Wakes { thread: self.1 }, self.1);
    }
}

fn tell_and_create(shared: &Arc<Shared>, event: Event<super::Job>, me: ThreadId) {
    let mut state = shared.state.lock();
    if state.stopped {
        return;
    }
    state.tell(event, Some(me));
    shared.create_wanted(&mut state);
}
