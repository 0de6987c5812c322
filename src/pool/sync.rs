//! The locks, threads and clocks of the pool: the real ones, or those of a model checker.
//!
//! Built with `--cfg loom` or `--cfg shuttle`, every lock, every park and every thread of the pool is one whose order the
//! checker chooses; time does not pass there, so a wait with a limit gives up at once or never. Not a place for logic:
//! what is here is the same in all three. Called by the pool alone.

#[cfg(not(any(loom, shuttle)))]
pub use real::*;

#[cfg(any(loom, shuttle))]
pub use model::*;

#[cfg(not(any(loom, shuttle)))]
mod real {
    use std::time::{Duration, Instant};

    pub(in crate::pool) use parking_lot::{Mutex, MutexGuard};
    pub(in crate::pool) use std::sync::atomic::{AtomicBool, Ordering};
    pub(in crate::pool) use std::thread::{Thread, current, park, park_timeout};
    pub(in crate::pool) use std::thread_local;

    /// The handle of a thread, as a replaced [`crate::pool::Builder::spawn_threads_with`] gives it.
    pub type JoinHandle = std::thread::JoinHandle<()>;

    /// Whether `handle` is that of the calling thread.
    pub(in crate::pool) fn is_own(handle: &JoinHandle) -> bool {
        handle.thread().id() == std::thread::current().id()
    }

    /// Creates a thread.
    pub(in crate::pool) fn spawn(
        name: String,
        stack_size: usize,
        body: Box<dyn FnOnce() + Send>,
    ) -> std::io::Result<JoinHandle> {
        std::thread::Builder::new().name(name).stack_size(stack_size).spawn(body)
    }

    /// A condition variable that takes and gives the guard.
    #[derive(Default)]
    pub(in crate::pool) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub(in crate::pool) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(&mut guard);
            guard
        }

        /// Waits until `deadline` at the latest; `true`: it has passed.
        pub(in crate::pool) fn wait_until<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            deadline: Deadline,
        ) -> (MutexGuard<'a, T>, bool) {
            let Some(deadline) = deadline.0 else { return (self.wait(guard), false) };
            let passed = self.0.wait_until(&mut guard, deadline).timed_out();
            (guard, passed)
        }

        pub(in crate::pool) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// A moment of the wall clock; `None` is never.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::pool) struct Deadline(Option<Instant>);

    impl Deadline {
        /// `limit` from now; one too far away to say is never.
        pub(in crate::pool) fn after(limit: Duration) -> Deadline {
            Deadline(Instant::now().checked_add(limit))
        }

        pub(in crate::pool) const NEVER: Deadline = Deadline(None);

        pub(in crate::pool) fn has_passed(self) -> bool {
            self.0.is_some_and(|deadline| Instant::now() >= deadline)
        }
    }

    /// Looks at `flag` again and again until it is set (`true`) or `limit` has passed. It does not yield its processor:
    /// on a busy one it would get that back milliseconds later.
    pub(in crate::pool) fn poll(flag: &AtomicBool, limit: Duration) -> bool {
        let deadline = Deadline::after(limit);
        loop {
            for _ in 0..LOOKS_BETWEEN_CLOCKS {
                // Ordering: Acquire is not needed for what it announces, which is read under the lock; Relaxed is enough.
                if flag.load(Ordering::Relaxed) {
                    return true;
                }
                std::hint::spin_loop();
            }
            if deadline.has_passed() {
                return false;
            }
        }
    }

    /// About half a microsecond of looks, against 25 ns for the clock.
    const LOOKS_BETWEEN_CLOCKS: u32 = 16;
}

#[cfg(any(loom, shuttle))]
mod model {
    use std::time::Duration;

    #[cfg(loom)]
    use loom as checker;
    #[cfg(shuttle)]
    use shuttle as checker;

    pub(in crate::pool) use checker::sync::MutexGuard;
    pub(in crate::pool) use checker::sync::atomic::{AtomicBool, Ordering};
    pub(in crate::pool) use checker::thread::{Thread, current, park};
    pub(in crate::pool) use checker::thread_local;

    /// See `real`.
    pub type JoinHandle = checker::thread::JoinHandle<()>;

    pub(in crate::pool) fn is_own(handle: &JoinHandle) -> bool {
        handle.thread().id() == checker::thread::current().id()
    }

    pub(in crate::pool) fn spawn(_: String, _: usize, body: Box<dyn FnOnce() + Send>) -> std::io::Result<JoinHandle> {
        Ok(checker::thread::spawn(body))
    }

    pub(in crate::pool) fn park_timeout(_: Duration) {
        checker::thread::yield_now();
    }

    pub(in crate::pool) struct Mutex<T>(checker::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(in crate::pool) fn new(value: T) -> Mutex<T> {
            Mutex(checker::sync::Mutex::new(value))
        }

        pub(in crate::pool) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no thread panics while it holds a lock of the pool")
        }
    }

    pub(in crate::pool) struct Condvar(checker::sync::Condvar);

    impl Default for Condvar {
        fn default() -> Condvar {
            Condvar(checker::sync::Condvar::new())
        }
    }

    impl Condvar {
        pub(in crate::pool) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).expect("no thread panics while it holds a lock of the pool")
        }

        pub(in crate::pool) fn wait_until<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            deadline: Deadline,
        ) -> (MutexGuard<'a, T>, bool) {
            if deadline.0 { (guard, true) } else { (self.wait(guard), false) }
        }

        pub(in crate::pool) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// Has passed, or never will.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::pool) struct Deadline(bool);

    impl Deadline {
        pub(in crate::pool) fn after(_: Duration) -> Deadline {
            Deadline(true)
        }

        pub(in crate::pool) const NEVER: Deadline = Deadline(false);

        pub(in crate::pool) fn has_passed(self) -> bool {
            self.0
        }
    }

    pub(in crate::pool) fn poll(flag: &AtomicBool, _: Duration) -> bool {
        // Ordering: Relaxed; as in `real`.
        let rung = flag.load(Ordering::Relaxed);
        checker::thread::yield_now();
        // Ordering: Relaxed; as in `real`.
        rung || flag.load(Ordering::Relaxed)
    }
}
