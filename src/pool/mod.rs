//! `AtqPool`: real worker threads around one [`crate::policy::dispatch::Dispatch`], usable on its own by any Rust
//! program.
//!
//! Several named classes of work share one pool; each may have a ceiling on the threads that it takes, so that one class
//! cannot starve another. The pool makes no policy choice: who gets the next thread is [`crate::policy::dispatch`]'s
//! decision, and how a decision reaches a thread is argued in `README.md` beside this file. It is not an emulator: it
//! runs closures as they come, in real time, and knows no scenario. Called by `engine::threaded`, benches and users.
//!
//! ```
//! use atqsim::pool::{AtqPool, Ceiling};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = AtqPool::builder()
//!     .threads(4)
//!     .class("mail", Ceiling::Percent(75))
//!     .class("web", Ceiling::None)
//!     .build()?;
//! let (mail, web) = (pool.class("mail").unwrap(), pool.class("web").unwrap());
//!
//! // Mail may flood the pool: it has three threads at most, and web always finds the fourth.
//! for _ in 0..1_000 {
//!     pool.spawn(mail, || std::thread::sleep(std::time::Duration::from_micros(50)))?;
//! }
//! let answer = pool.submit(web, || 6 * 7)?;
//! assert_eq!(answer.join()?, 42);
//!
//! let ended = pool.shutdown();
//! assert!(ended.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! A bounded queue gives the closure back instead of letting it wait:
//!
//! ```
//! use atqsim::pool::{AtqPool, Ceiling, Class, SpawnError};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = AtqPool::builder().threads(1).class_with(Class::new("only").ceiling(Ceiling::Threads(1)).max_waiting(1)).build()?;
//! let only = pool.class("only").unwrap();
//! let (open, gate) = std::sync::mpsc::channel::<()>();
//! let running = pool.submit(only, move || gate.recv())?;
//! let waiting = pool.submit(only, || 1)?;
//! match pool.try_spawn(only, || ()) {
//!     Err(SpawnError::Full(job)) => job(), // back-pressure: the producer does it itself
//!     other => panic!("{other:?}"),
//! }
//! open.send(())?;
//! assert!(running.join()?.is_ok());
//! assert_eq!(waiting.join()?, 1);
//! # Ok(())
//! # }
//! ```
//!
//! A panic takes neither the thread nor the grant away; it is handed to whoever waits:
//!
//! ```
//! use atqsim::pool::{AtqPool, Ceiling, JoinError};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = AtqPool::builder().class("any", Ceiling::None).build()?;
//! let any = pool.class("any").unwrap();
//! let broken = pool.submit(any, || -> u32 { std::panic::resume_unwind(Box::new("meant")) })?;
//! assert!(matches!(broken.join(), Err(JoinError::Panicked(_))));
//! assert_eq!(pool.submit(any, || 1)?.join()?, 1);
//! assert!(pool.shutdown().is_clean());
//! assert_eq!(pool.snapshot().tally.panics, 1);
//! # Ok(())
//! # }
//! ```
//!
//! Sizes and ceilings change while the pool runs, and a snapshot says how many there are of everything, and why:
//!
//! ```
//! use atqsim::pool::{AtqPool, Ceiling, Reason};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = AtqPool::builder().threads(8).class("mail", Ceiling::Percent(50)).build()?;
//! let mail = pool.class("mail").unwrap();
//! assert_eq!(pool.snapshot().classes[mail.index()].most_threads, Some(4));
//! pool.set_threads(4);
//! assert_eq!(pool.snapshot().classes[mail.index()].most_threads, Some(2)); // percent follows the size
//! pool.set_ceiling(mail, Ceiling::Threads(3))?;
//! let seen = pool.snapshot();
//! assert_eq!((seen.goal.now, seen.goal.by), (4, Reason::Resized));
//! assert_eq!((seen.busy.now, seen.live.now), (0, 0)); // threads come with the work
//! println!("{seen}");
//! # Ok(())
//! # }
//! ```
//!
//! Hooks see every thread and every panic that nobody waits for:
//!
//! ```
//! use atqsim::pool::{AtqPool, Ceiling};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (begins, begun) = std::sync::mpsc::channel();
//! let (fails, failed) = std::sync::mpsc::channel();
//! let pool = AtqPool::builder()
//!     .name("mail")
//!     .class("any", Ceiling::None)
//!     .on_thread_start(move || begins.send(std::thread::current().name().map(str::to_string)).unwrap())
//!     .on_panic(move |panicked| fails.send(panicked.class).unwrap())
//!     .build()?;
//! let any = pool.class("any").unwrap();
//! pool.spawn(any, || std::panic::resume_unwind(Box::new("meant")))?;
//! assert!(pool.shutdown().is_clean());
//! assert_eq!(begun.recv()?.as_deref(), Some("mail-0"));
//! assert_eq!(failed.recv()?, any);
//! # Ok(())
//! # }
//! ```
//!
//! A shutdown within a limit reports what it could not end; a handle waits for a while, or takes its closure back:
//!
//! ```
//! use std::time::Duration;
//!
//! use atqsim::pool::{AtqPool, Ceiling};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = AtqPool::builder().threads(1).name("slow").class("any", Ceiling::None).build()?;
//! let any = pool.class("any").unwrap();
//! let (begins, begun) = std::sync::mpsc::channel();
//! let (open, gate) = std::sync::mpsc::channel::<()>();
//! let stuck = pool.submit(any, move || (begins.send(()), gate.recv().is_ok()).1)?;
//! begun.recv()?;
//! let first = pool.submit(any, || 1)?;
//! pool.spawn(any, || println!("second"))?;
//! assert!(first.withdraw_from(&pool)); // it will not run
//!
//! let ended = pool.shutdown_within(Duration::from_millis(10));
//! assert_eq!(ended.still_running, [(any, "slow-0".to_string())]);
//! for (_class, job) in ended.given_back {
//!     job(); // or dropped, or handed to another pool
//! }
//! let stuck = stuck.join_within(Duration::ZERO).unwrap_err(); // not yet
//! open.send(())?;
//! assert!(stuck.join()?);
//! # Ok(())
//! # }
//! ```

mod belt;
mod builder;
mod core;
mod error;
mod handle;
mod inbox;
mod reason;
mod snapshot;
mod submit;
mod sync;
mod task;
mod worker;

pub use builder::{Builder, Calls, Ceiling, Class};
pub use error::{BuildError, CeilingError, SpawnError};
pub use handle::{Handle, JoinError};
pub use reason::Reason;
pub use snapshot::{ClassSnapshot, Counted, Ended, Snapshot};
pub use sync::JoinHandle;
#[cfg(any(loom, shuttle))]
pub use sync::{Plant, passes, plant};
pub use worker::blocking;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use self::belt::Belt;
use self::core::{Core, Errands, Phase};
use self::inbox::Doorstep;
use self::submit::Patience;
use self::sync::{Condvar, Deadline, Mutex, MutexGuard};
use self::task::Task;
use crate::ids::ClassId;
use crate::policy::decision_log::{DecisionLog, LogLine};
use crate::policy::dispatch::{ClassCounts, Counts, Event, Laws, Rules, Ticket};

/// A closure for the pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// What the pool has counted beside the policy's [`Counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Closures (and hooks) that panicked. Their threads and grants went on.
    pub panics: u64,
    /// Threads that the system refused to create.
    pub threads_refused: u32,
    /// The most threads that existed together.
    pub live_threads_max: u32,
}

/// A closure's panic, for [`Builder::on_panic`].
pub struct Panicked {
    /// The closure's class.
    pub class: ClassId,
    /// What it panicked with.
    pub payload: Box<dyn Any + Send>,
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panicked").field("class", &self.class).finish_non_exhaustive()
    }
}

/// A pool of threads. See the module's head. Dropping it stops it and waits for what runs, except after a shutdown whose
/// time was up.
#[derive(Debug)]
pub struct AtqPool {
    shared: Arc<Shared>,
}

type Observer = Box<dyn FnMut(&LogLine) + Send>;
type Hook = Box<dyn Fn() + Send + Sync>;
type Gauge = Box<dyn Fn(Counts) + Send + Sync>;

struct Shared {
    core: Mutex<Core>,
    doorstep: Arc<Doorstep>,
    belt: Arc<Belt>,
    calls: Calls,
    /// Classes whose closures may be refused, so that the policy has to be asked at once.
    is_bounded: Vec<bool>,
    /// Told when a closure or a thread ends while the pool shuts down.
    quiet: Condvar,
    /// Told when a closure of a full class may have left.
    room: Condvar,
    rules: Rules,
    name: String,
    stack_size: usize,
    slice: Duration,
    idle_timeout: Option<Duration>,
    on_thread_start: Option<Hook>,
    on_thread_stop: Option<Hook>,
    on_thread_count: Option<Gauge>,
    on_panic: Option<Box<dyn Fn(Panicked) + Send + Sync>>,
    spawner: builder::Spawner,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({})", self.name)
    }
}

impl AtqPool {
    /// A pool to be described.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The class of this name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<ClassId> {
        let core = self.shared.core.lock();
        core.classes.iter().position(|class| &*class.name == name).map(|at| ClassId(at as u16))
    }

    /// Hands a closure to the pool. Where its class has no room, the caller waits until there is, unless it is itself a
    /// thread of this pool, on which the room may depend. The ticket withdraws the closure while it waits.
    ///
    /// # Errors
    /// [`SpawnError`], with the closure.
    ///
    /// # Panics
    /// If `class` is none of this pool's.
    #[inline]
    pub fn spawn(&self, class: ClassId, job: impl FnOnce() + Send + 'static) -> Result<Ticket, SpawnError> {
        self.shared.spawn(class, Task::new(job), Patience::Waits)
    }

    /// [`AtqPool::spawn`] that never waits: a class without room gives the closure back.
    ///
    /// # Errors
    /// [`SpawnError`], with the closure.
    ///
    /// # Panics
    /// If `class` is none of this pool's.
    #[inline]
    pub fn try_spawn(&self, class: ClassId, job: impl FnOnce() + Send + 'static) -> Result<Ticket, SpawnError> {
        self.shared.spawn(class, Task::new(job), Patience::Refuses)
    }

    /// [`AtqPool::spawn`] for a closure whose result, or panic, somebody waits for.
    ///
    /// # Errors
    /// [`SpawnError`], with the closure; dropping that ends the handle's wait, and the handle is dropped already.
    ///
    /// # Panics
    /// If `class` is none of this pool's.
    pub fn submit<R: Send + 'static>(
        &self,
        class: ClassId,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Handle<R>, SpawnError> {
        let (mut handle, job) = Handle::pair(work);
        handle.ticket = Some(self.shared.spawn(class, job, Patience::Waits)?);
        Ok(handle)
    }

    /// Takes a closure back that still waits. `None`: a thread has it already, or has had it. A ticket names a closure of
    /// the pool that gave it: to another pool it may name another closure.
    #[must_use]
    pub fn withdraw(&self, ticket: Ticket) -> Option<Job> {
        let mut core = self.shared.core.lock();
        let job = core.withdraw(ticket).map(Task::into_job);
        drop(self.shared.leave(core));
        self.shared.quiet.notify_all();
        job
    }

    /// Changes a class's ceiling. Lowering it takes no thread away from what runs.
    ///
    /// # Errors
    /// [`CeilingError`]: the class was built without one, or the new one cannot be.
    ///
    /// # Panics
    /// If `class` is none of this pool's.
    pub fn set_ceiling(&self, class: ClassId, ceiling: Ceiling) -> Result<(), CeilingError> {
        if let Some(mistake) = ceiling.mistake() {
            return Err(CeilingError::NotACeiling(mistake));
        }
        let mut core = self.shared.core.lock();
        if core.classes[class.index()].ceiling == Ceiling::None {
            return Err(CeilingError::ClassHasNone(class));
        }
        // Without a ceiling from now on is as good as the highest one.
        let ceiling = if ceiling == Ceiling::None { Ceiling::Threads(u32::MAX) } else { ceiling };
        core.classes[class.index()].ceiling = ceiling;
        let off = u32::from(sync::planted(sync::Plant::CeilingOff));
        let cap = ceiling.threads_of(core.size).expect("a ceiling").saturating_add(off);
        core.change(Event::SetCap { class, cap });
        drop(self.shared.leave(core));
        Ok(())
    }

    /// Changes the pool's size; 0 counts as 1. Surplus threads end when they have nothing to do; ceilings in percent
    /// follow. After the system refused threads this makes the pool try again.
    pub fn set_threads(&self, threads: u32) {
        let mut core = self.shared.core.lock();
        core.resize(threads.max(1));
        drop(self.shared.leave(core));
    }

    /// Changes how many threads may be runnable when a closure is handed out; with 0 none is until it is raised again, and
    /// what runs goes on.
    pub fn set_runnable_limit(&self, threads: u32) {
        let mut core = self.shared.core.lock();
        core.limit_runnable(threads);
        drop(self.shared.leave(core));
    }

    /// Every count, and why it last changed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.look())
    }

    /// The policy's counts at this moment. With throttled calls the policy knows only threads that are awake: there, live
    /// and idle threads are the pool's own counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        counts_of(&self.look())
    }

    /// The policy's counts of one class at this moment.
    ///
    /// # Panics
    /// If `class` is none of this pool's.
    #[must_use]
    pub fn class_counts(&self, class: ClassId) -> ClassCounts {
        self.look().dispatch.class_counts(class)
    }

    /// What the policy was built with.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// How often the policy broke a law of its own; anything but zeros is a bug of this crate.
    #[must_use]
    pub fn laws(&self) -> Laws {
        self.look().dispatch.laws()
    }

    /// What went wrong so far, and the most threads there were.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.shared.core.lock().tally
    }

    /// Takes the decision log out, if the pool was built with one.
    #[must_use]
    pub fn take_log(&self) -> Option<DecisionLog> {
        self.shared.core.lock().log.take()
    }

    /// Graceful shutdown: no more is taken, everything that waits is still run, and the threads end. Waits as long as
    /// that takes. What no thread can run any more is given back: where the system refuses every thread, or the closure
    /// that asks for this has the only one. A closure that asks is reported as still running.
    pub fn shutdown(&self) -> Ended {
        self.shared.shut_down(true, Deadline::NEVER)
    }

    /// [`AtqPool::shutdown`] within `limit`: what still waits then is given back, and what still runs is reported and
    /// left alone.
    pub fn shutdown_within(&self, limit: Duration) -> Ended {
        self.shared.shut_down(true, Deadline::after(limit))
    }

    /// Immediate shutdown: what waits is given back in order of submission, and what runs is waited for.
    pub fn stop(&self) -> Ended {
        self.shared.shut_down(false, Deadline::NEVER)
    }

    /// [`AtqPool::stop`] within `limit`: what still runs then is reported and left alone.
    pub fn stop_within(&self, limit: Duration) -> Ended {
        self.shared.shut_down(false, Deadline::after(limit))
    }

    /// The core, which knows of everything that was begun.
    fn look(&self) -> MutexGuard<'_, Core> {
        let mut core = self.shared.core.lock();
        core.revoke();
        core
    }

    fn with(shared: Shared) -> AtqPool {
        AtqPool { shared: Arc::new(shared) }
    }
}

impl Drop for AtqPool {
    fn drop(&mut self) {
        let core = self.shared.core.lock();
        // Whoever is in there has borrowed the pool.
        debug_assert_eq!((core.want_room, core.own_shutdowns), (0, 0));
        let left_alone = core.left_alone;
        drop(core);
        let deadline = if left_alone { Deadline::after(Duration::ZERO) } else { Deadline::NEVER };
        drop(self.shared.shut_down(false, deadline));
    }
}

/// The policy's counts, with the threads that it does not know.
fn counts_of(core: &Core) -> Counts {
    let counts = core.dispatch.counts();
    match core.habits.calls {
        Calls::Eager => counts,
        Calls::Throttled => {
            let starting = counts.starting_threads.min(core.on_the_way);
            let idle_threads = core.live.saturating_sub(counts.busy_threads);
            Counts { live_threads: core.live, starting_threads: starting, idle_threads, ..counts }
        }
    }
}

/// What `call` of the user's code answers; `None`: it panicked, which goes no further.
fn survives<R>(call: impl FnOnce() -> R) -> Option<R> {
    // A payload whose drop panics cannot be dropped.
    catch_unwind(AssertUnwindSafe(call)).map_err(std::mem::forget).ok()
}

impl Shared {
    /// The end of a locked section: what is in the inbox is seen to, and what the last steps left to be done without the
    /// lock is done: threads are called and created.
    fn leave<'a>(self: &'a Arc<Shared>, mut core: MutexGuard<'a, Core>) -> MutexGuard<'a, Core> {
        core.watch();
        while !core.errands.is_empty() {
            let mut errands = std::mem::take(&mut core.errands);
            let create = std::mem::take(&mut errands.create);
            drop(core);
            self.call(errands);
            let mut outcomes = Vec::new();
            for (seat, badge) in create {
                outcomes.push((seat, badge, self.create(seat, badge)));
            }
            core = self.core.lock();
            for (seat, badge, handle) in outcomes {
                match handle {
                    Ok(handle) => core.seats[seat as usize].handle = Some(handle),
                    Err(_) => {
                        core.refused(seat, badge);
                        // A shutdown may wait for the thread that will not come.
                        self.quiet.notify_all();
                    }
                }
            }
            core.watch();
        }
        core
    }

    /// Wakes the threads that are called, and those who wait for room.
    fn call(&self, errands: Errands) {
        for thread in errands.unpark.into_iter().chain(errands.unpark_too) {
            thread.unpark();
        }
        if errands.room && !sync::planted(sync::Plant::KeepsRoomQuiet) {
            self.room.notify_all();
        }
    }

    fn create(self: &Arc<Shared>, seat: u32, badge: Option<crate::ids::ThreadId>) -> std::io::Result<JoinHandle> {
        let shared = Arc::clone(self);
        let body = Box::new(move || worker::work(&shared, seat, badge));
        (self.spawner)(format!("{}-{seat}", self.name), self.stack_size, body)
    }

    /// Calls a hook. A panic of it is counted, and goes no further.
    fn hook(&self, hook: Option<&(dyn Fn() + Send + Sync)>) {
        if let Some(hook) = hook
            && survives(hook).is_none()
        {
            self.core.lock().tally.panics += 1;
        }
    }

    fn report_count(&self, core: &mut Core) {
        if let Some(gauge) = &self.on_thread_count
            && survives(|| gauge(counts_of(core))).is_none()
        {
            core.tally.panics += 1;
        }
    }

    /// Ends the pool. On a thread of a pool that counts as [`blocking`].
    fn shut_down(self: &Arc<Shared>, runs_what_waits: bool, deadline: Deadline) -> Ended {
        worker::blocking(|| {
            let own = u32::from(worker::is_own(self));
            let mut core = self.core.lock();
            core.own_shutdowns += own;
            let (mut core, ended) = self.end(core, runs_what_waits, deadline);
            core.own_shutdowns -= own;
            let handles = core.take_ended();
            drop(core);
            for handle in handles.into_iter().filter(|handle| !sync::is_own(handle)) {
                drop(handle.join());
            }
            ended
        })
    }

    fn end<'a>(
        self: &'a Arc<Shared>,
        mut core: MutexGuard<'a, Core>,
        runs_what_waits: bool,
        deadline: Deadline,
    ) -> (MutexGuard<'a, Core>, Ended) {
        // What was begun under licences has ended before too.
        core.hear();
        let ended_before = core.ended;
        // Others of its threads may wait in here for all but those that do.
        self.quiet.notify_all();
        if runs_what_waits && core.phase != Phase::Stopped {
            core.revoke();
            core.phase = Phase::Closing;
            self.doorstep.close();
            core.errands.room = true;
            core.revive();
            core = self.leave(core);
            core = self.wait_until_quiet(core, deadline);
        }
        let given_back = core.stop().into_iter().map(|(class, job)| (class, job.into_job())).collect();
        core = self.leave(core);
        let mut passed = false;
        // A pool shut down by one of its own threads cannot wait for that thread.
        while core.live + core.ending > core.own_shutdowns && !passed {
            (core, passed) = self.quiet.wait_until(core, deadline);
        }
        core.left_alone |= passed;
        let runs = |(at, seat): (usize, &self::core::Seat)| Some((seat.runs?, format!("{}-{at}", self.name)));
        let still_running = core.seats.iter().enumerate().filter_map(runs).collect();
        let ran = core.ended - ended_before;
        (core, Ended { given_back, ran, still_running })
    }

    /// Waits until nothing waits or runs any more, but for closures that ask for this themselves; or what waits cannot
    /// be run, because no other thread may exist.
    fn wait_until_quiet<'a>(&'a self, mut core: MutexGuard<'a, Core>, deadline: Deadline) -> MutexGuard<'a, Core> {
        let mut passed = false;
        while !passed && core.phase != Phase::Stopped {
            let (own, counts) = (core.own_shutdowns, core.dispatch.counts());
            let comes = core.backlog() > 0 && counts.goal_threads > own;
            if !comes && counts.busy_threads <= own {
                break;
            }
            (core, passed) = self.quiet.wait_until(core, deadline);
        }
        core
    }
}
