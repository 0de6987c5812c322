//! The locks, threads and clocks of the pool: the real ones, or those of a model checker.
//!
//! Built with `--cfg loom` or `--cfg shuttle`, every lock, every park and every thread of the pool is one whose order the
//! checker chooses; time does not pass there, so a wait with a limit gives up at once or never, as the checker likes.
//! The package in `tests/models` sets these. Not a place for logic: what is here is the same in all three. Called by the
//! pool alone.

#[cfg(not(any(loom, shuttle)))]
pub use real::*;

#[cfg(any(loom, shuttle))]
pub use model::*;

#[cfg(all(test, not(any(loom, shuttle))))]
pub(super) mod tests;

/// A mistake that may be planted under a checker, to see that it is found. `docs/proof.md` has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(unreachable_pub, reason = "only the package of the models exports it")]
pub enum Plant {
    /// `Publish` marks the inbox unwatched without looking whether it is empty.
    PublishesBlindly,
    /// A thread that was called and has come is believed to be on its way still.
    IsAlwaysOnItsWay,
    /// The policy is told that a closure has ended before it has.
    EndsEarly,
    /// Setting a ceiling sets one more.
    CeilingOff,
    /// A poller that has gone is believed to poll still.
    PollsOn,
    /// A thread that was called ends because of its idle time-out.
    RetiresDeaf,
    /// The inbox is left open when the pool stops.
    LeavesInboxOpen,
    /// The guard's tick is over, and it goes to the bench without looking.
    GuardGoesDeaf,
    /// A note is written without unparking.
    ForgetsToUnpark,
    /// A closure that leaves the queue of a full class wakes nobody who waits for room.
    KeepsRoomQuiet,
    /// Licences are taken to have ended without their threads being told.
    RevokesInSilence,
    /// A licence gives room for every class, also for one whose grants are all in use.
    GivesRoomFreely,
    /// Grants that were held back are not given back when the licences end.
    KeepsHeldBack,
    /// A thread that comes to work, as the guard does when it goes, leaves the licences of the others as they are.
    ArrivesBesideLicences,
    /// A thread that comes back from its licence does not say what it ran last.
    ComesBackAlone,
    /// The policy is told of a closure before the one that came before, for which a thread is on its way.
    OvertakesTheLone,
    /// A producer takes the inbox's mark away, and when he comes it is believed to be there still.
    ComesUnheard,
}

#[cfg(not(any(loom, shuttle)))]
mod real {
    use std::time::{Duration, Instant};

    pub(in crate::pool) use parking_lot::{Mutex, MutexGuard};
    pub(in crate::pool) use std::sync::atomic::{AtomicBool, Ordering};
    pub(in crate::pool) use std::thread::{Thread, current, park, park_timeout};
    pub(in crate::pool) use std::thread_local as one_each;

    /// Nothing is ever planted outside a checker.
    pub(in crate::pool) const fn planted(_: super::Plant) -> bool {
        false
    }

    pub(in crate::pool) fn elsewhere(job: crate::pool::task::Task) -> crate::pool::task::Task {
        job
    }

    /// Nobody counts passes outside a checker.
    #[inline(always)]
    pub(in crate::pool) const fn note_pass() {}

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

    /// The processor on which the caller runs, or one that stands for all where that cannot be known. It may be another one
    /// a moment later.
    pub(in crate::pool) fn processor() -> u32 {
        #[cfg(target_os = "linux")]
        return nix::sched::sched_getcpu().map_or(0, |processor| processor as u32);
        #[cfg(not(target_os = "linux"))]
        0
    }

    /// Asks the scheduler to share the processor out in turns of `slice` where the calling thread runs. Who has shorter turns
    /// than others may begin in the middle of theirs when it wakes. Linux before 6.12 has one length of turns for all, and
    /// ignores this. Nothing is changed where the thread has shorter turns already, is no ordinary one, or must not ask.
    pub(in crate::pool) fn ask_for_slice(slice: Duration) {
        #[cfg(target_os = "linux")]
        if let Ok(mut own) = uapi::sched_getattr(0, 0) {
            let (has, wants) = (own.sched_runtime, u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX));
            if own.sched_policy == uapi::c::SCHED_OTHER as u32 && wants > 0 && (has == 0 || has > wants) {
                own.sched_runtime = wants;
                // Only a wish.
                let _ = uapi::sched_setattr(0, &own, 0);
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = slice;
    }

    /// A moment to count from.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::pool) struct Moment(Instant);

    impl Moment {
        pub(in crate::pool) fn now() -> Moment {
            Moment(Instant::now())
        }

        pub(in crate::pool) fn elapsed(self) -> Duration {
            self.0.elapsed()
        }

        /// `time` before now.
        #[cfg(test)]
        pub(in crate::pool) fn ago(time: Duration) -> Moment {
            Moment(Instant::now() - time)
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
    #[cfg(shuttle)]
    pub(in crate::pool) use checker::thread::{Thread, current, park};

    /// Parking under loom, whose own loses an unpark of a thread that is blocked at a lock: it takes that for the wait.
    #[cfg(loom)]
    #[derive(Clone, Debug)]
    pub(in crate::pool) struct Thread(std::sync::Arc<loom::sync::Notify>);

    #[cfg(loom)]
    impl Thread {
        pub(in crate::pool) fn unpark(&self) {
            self.0.notify();
        }
    }

    #[cfg(loom)]
    loom::thread_local! {
        static OWN: Thread = Thread(std::sync::Arc::new(loom::sync::Notify::new()));
    }

    #[cfg(loom)]
    pub(in crate::pool) fn current() -> Thread {
        OWN.with(Thread::clone)
    }

    #[cfg(loom)]
    pub(in crate::pool) fn park() {
        current().0.wait();
    }

    // Of the standard library on purpose: not part of the model. Set before a model begins.
    static PLANT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(u8::MAX);

    /// Plants a mistake in every pool of this process from now on.
    pub fn plant(mistake: super::Plant) {
        // Ordering: Relaxed; models begin after this on the same thread.
        PLANT.store(mistake as u8, Ordering::Relaxed);
    }

    /// Runs `job` on a thread of its own.
    pub(in crate::pool) fn elsewhere(job: crate::pool::task::Task) -> crate::pool::task::Task {
        crate::pool::task::Task::new(move || drop(checker::thread::spawn(|| job.run())))
    }

    pub(in crate::pool) fn planted(mistake: super::Plant) -> bool {
        // Ordering: Relaxed; see `plant`.
        PLANT.load(Ordering::Relaxed) == mistake as u8
    }

    // Of the system's thread, on which a model runs with all of its own.
    std::thread_local! {
        static PASSES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    /// How many closures the models on this thread have begun under licences so far.
    pub fn passes() -> u64 {
        PASSES.get()
    }

    pub(in crate::pool) fn note_pass() {
        PASSES.set(PASSES.get() + 1);
    }

    /// `thread_local!`; loom's does not know `const`.
    macro_rules! one_each {
        ($(#[$attr:meta])* static $name:ident: $type:ty = const { $init:expr };) => {
            #[cfg(loom)]
            loom::thread_local! { $(#[$attr])* static $name: $type = $init; }
            #[cfg(shuttle)]
            shuttle::thread_local! { $(#[$attr])* static $name: $type = $init; }
        };
    }
    pub(in crate::pool) use one_each;

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

        /// Under loom this may wait: whoever calls it must hold no other lock.
        pub(in crate::pool) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
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
            if deadline.has_passed() { (guard, true) } else { (self.wait(guard), false) }
        }

        pub(in crate::pool) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// `false` is never. Under shuttle any other has passed or not by a throw of dice, under loom it has.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::pool) struct Deadline(bool);

    impl Deadline {
        pub(in crate::pool) fn after(_: Duration) -> Deadline {
            Deadline(true)
        }

        pub(in crate::pool) const NEVER: Deadline = Deadline(false);

        pub(in crate::pool) fn has_passed(self) -> bool {
            #[cfg(shuttle)]
            return self.0 && shuttle::rand::Rng::r#gen::<bool>(&mut shuttle::rand::thread_rng());
            #[cfg(loom)]
            self.0
        }
    }

    /// The checker is the scheduler.
    pub(in crate::pool) const fn ask_for_slice(_: Duration) {}

    /// Anywhere, as the checker likes.
    pub(in crate::pool) fn processor() -> u32 {
        #[cfg(shuttle)]
        return shuttle::rand::Rng::gen_range(&mut shuttle::rand::thread_rng(), 0..2);
        #[cfg(loom)]
        0
    }

    /// No time passes; how long ago it seems is for the checker: no time at all, or (under shuttle, by a throw of dice) an age.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::pool) struct Moment;

    impl Moment {
        pub(in crate::pool) fn now() -> Moment {
            Moment
        }

        pub(in crate::pool) fn elapsed(self) -> Duration {
            #[cfg(shuttle)]
            if shuttle::rand::Rng::r#gen::<bool>(&mut shuttle::rand::thread_rng()) {
                return Duration::MAX;
            }
            Duration::ZERO
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
