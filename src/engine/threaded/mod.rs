//! The engine with real worker threads: [`AtqPool`], emulated processors, and an injector that releases items when due.
//!
//! Threads really are created on demand, block and end; emulated time runs `speed` times as fast as the wall clock. It
//! makes no policy choice: the pool's `Dispatch` does. Not exact, unlike virtual time, and it says by how much: every
//! run measures its own lateness and oversleeping. Called by `run`.
//!
//! Locks, in the order in which they may be taken: the floor's, then the pool's. A worker takes the floor's alone; the
//! injector and a worker that submits a follower take the pool's inside it.

mod clock;
mod host;
mod processors;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use self::clock::{Clock, Waited};
use self::host::HostMeter;
use self::processors::SharedProcessors;
use super::crowd::{Crowd, Due, ItemKey};
use super::recording::Recorder;
use super::{EngineError, Options, RunOutput};
use crate::ids::ClassId;
use crate::item::Outcome;
use crate::metrics::host::HostNoise;
use crate::plan::Plan;
use crate::pool::{AtqPool, Calls, SpawnError, blocking};
use crate::time::Nanos;
use crate::workload::{Item, Work};

/// The most real threads that a run creates.
pub const THREADS_CEILING: u32 = 2_000;

/// Stack of a worker thread: its deepest call chain takes a few kilobytes.
const STACK: usize = 256 * 1024;

/// How often progress is told, and interrupts are looked at, in wall time.
const TICK: Duration = Duration::from_millis(50);

struct Machine {
    plan: Arc<Plan>,
    clock: Arc<Clock>,
    meter: Arc<HostMeter>,
    floor: Mutex<Crowd>,
    pool: OnceLock<AtqPool>,
    processors: SharedProcessors,
    burn_cpu: bool,
    recorder: Option<Arc<Recorder>>,
    /// Threads that exist, as the pool last said.
    live: Arc<AtomicU32>,
    /// The emulated moment until which the injector means to sleep.
    injector_wakes_at: AtomicU64,
    injector: std::thread::Thread,
    /// The system refused every thread.
    no_threads: std::sync::atomic::AtomicBool,
}

/// Runs a plan on real threads.
///
/// # Errors
/// [`EngineError`], before anything runs, or when no thread at all can be had.
pub fn run(plan: &Arc<Plan>, options: &Options<'_>) -> Result<RunOutput, EngineError> {
    let host_processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    check(plan, options, host_processors)?;
    let live = Arc::new(AtomicU32::new(0));
    let clock = Arc::new(Clock::start(plan.speed, host_processors));
    let machine = Arc::new(Machine {
        plan: Arc::clone(plan),
        meter: Arc::new(HostMeter::start(host_processors)),
        floor: Mutex::new(Crowd::new(plan)?),
        pool: OnceLock::new(),
        processors: SharedProcessors::new(plan.machine.processors),
        burn_cpu: options.burn_cpu,
        recorder: options.recorder.clone(),
        live: Arc::clone(&live),
        injector_wakes_at: AtomicU64::new(0),
        injector: std::thread::current(),
        no_threads: false.into(),
        clock,
    });
    machine.floor.lock().observe(options.recorder.as_ref().map(|recorder| recorder.observer()));
    let hook_clock = Arc::clone(&machine.clock);
    let mut builder = AtqPool::builder();
    if let Some(trace) = options.trace.clone() {
        let clock = Arc::clone(&machine.clock);
        builder = builder.on_decisions(move |line| trace.note(clock.now(), line));
    }
    let pool = builder
        .rules(plan.rules())
        // As a completion port does: a packet that a thread may take is that thread's.
        .calls(Calls::Eager)
        .name("atqsim")
        .stack_size(STACK)
        .idle_timeout(Some(machine.clock.wall_of(Nanos::from_secs(u64::from(plan.pool.thread_timeout_s)))))
        .log_decisions(options.log_decisions)
        .on_thread_start(move || hook_clock.join())
        // Ordering: Relaxed; a gauge that is read for the time line, nothing hangs on it.
        .on_thread_count(move |counts| live.store(counts.live_threads, Ordering::Relaxed))
        .build()
        .expect("rules are taken as they are");
    machine.pool.set(pool).expect("set once");
    let hiccups = machine.meter.watch(&machine.clock);
    let interrupted = machine.inject(options);
    let output = machine.end(interrupted);
    if let Some(hiccups) = hiccups {
        drop(hiccups.join());
    }
    // Ordering: Relaxed; every thread that could have set it has been joined.
    if machine.no_threads.load(Ordering::Relaxed) {
        return Err(EngineError::NoThreads);
    }
    Ok(output)
}

/// What can be known before the first thread is created.
fn check(plan: &Plan, options: &Options<'_>, host: u32) -> Result<(), EngineError> {
    let size = plan.pool.size;
    if size > THREADS_CEILING {
        return Err(EngineError::TooManyThreads { size, ceiling: THREADS_CEILING });
    }
    if let Some(limit_mb) = address_space_mb() {
        // Each thread has its stack and a guard; the allocator reserves 64 MiB for each of its first arenas.
        let arenas = u64::from(size.min(8 * host)) * 64;
        let needed_mb = 64 + arenas + u64::from(size) * (STACK as u64 + 8_192) / (1 << 20);
        if needed_mb > limit_mb {
            return Err(EngineError::AddressSpace { size, needed_mb, limit_mb });
        }
    }
    let needed = f64::from(plan.machine.processors) * plan.speed;
    if options.burn_cpu && needed > f64::from(host) {
        return Err(EngineError::TooFewProcessors {
            processors: plan.machine.processors,
            speed: format!("{}", plan.speed),
            needed: format!("{needed}"),
            host,
            most: format!("{}", f64::from(host) / f64::from(plan.machine.processors)),
        });
    }
    Ok(())
}

/// The limit on the process's address space, where there is one. A thread that cannot set up its stack would abort the
/// whole process (rust-lang/rust #78497), so this is looked at before.
#[cfg(unix)]
fn address_space_mb() -> Option<u64> {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let (soft, _) = getrlimit(Resource::RLIMIT_AS).ok()?;
    (soft != RLIM_INFINITY).then_some(soft >> 20)
}

#[cfg(not(unix))]
fn address_space_mb() -> Option<u64> {
    None
}

impl Machine {
    fn pool(&self) -> &AtqPool {
        self.pool.get().expect("set before the first item")
    }

    /// Releases items when they are due, on the calling thread. `true`: interrupted.
    fn inject(self: &Arc<Machine>, options: &Options<'_>) -> bool {
        self.clock.join();
        let end = self.plan.duration;
        loop {
            let now = self.clock.now();
            if let Some(progress) = options.progress {
                progress(now.min(end));
            }
            if self.is_cut_short(options) {
                return true;
            }
            if now >= end {
                return false;
            }
            self.release_due(now, options);
            let tick = now + self.clock.emulated(TICK);
            let wake = {
                let floor = self.floor.lock();
                let wake = floor.next_due().min(tick).min(end);
                // Ordering: Relaxed; written and read under the floor's lock.
                self.injector_wakes_at.store(wake.0, Ordering::Relaxed);
                wake
            };
            if wake > now {
                let _ = self.clock.wait_until(wake, true);
            }
        }
    }

    fn is_cut_short(&self, options: &Options<'_>) -> bool {
        // Ordering: Relaxed; only this thread acts on it, and the item that set it is given back already.
        options.interrupt.is_set() || self.no_threads.load(Ordering::Relaxed)
    }

    /// Releases what is due at `now`. A flood that takes longer than the run is left off at its end; the floor counts
    /// what nobody got round to.
    fn release_due(self: &Arc<Machine>, now: Nanos, options: &Options<'_>) {
        while !self.is_cut_short(options) && self.clock.now() < self.plan.duration {
            let mut floor = self.floor.lock();
            let Some(due) = floor.pop_due(now) else { return };
            match due {
                Due::Submit(key, class, due) => {
                    let late = self.clock.now().since(due);
                    self.meter.late(self.clock.wall_of(late));
                    self.submit(&mut floor, key, class);
                }
                Due::GiveUp(key, ticket) => {
                    // Where a thread has just taken the item, it is served after all.
                    if self.pool().withdraw(ticket).is_some() {
                        let now = self.clock.now().min(self.plan.duration);
                        floor.gave_up(key, now);
                    }
                }
            }
        }
    }

    /// Hands an item to the pool. The floor's lock is held, so its thread cannot begin before the floor knows.
    fn submit(self: &Arc<Machine>, floor: &mut MutexGuard<'_, Crowd>, key: ItemKey, class: ClassId) {
        let machine = Arc::clone(self);
        let result = self.pool().try_spawn(class, move || machine.serve(key));
        let now = self.clock.now().min(self.plan.duration);
        // Ordering: Relaxed; see where the gauge is stored.
        floor.live_threads(self.live.load(Ordering::Relaxed), now);
        match result {
            Ok(ticket) => floor.queued(key, ticket, now),
            Err(SpawnError::Full(_)) => floor.refused(key, now),
            // The run is over; the item is as if it had never been due.
            Err(SpawnError::Stopped(_)) => {}
            Err(SpawnError::NoThreads(_)) => {
                floor.refused(key, now);
                // Ordering: Relaxed; see where it is read.
                self.no_threads.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Serves one item, on a thread of the pool.
    fn serve(self: &Arc<Machine>, key: ItemKey) {
        let (mut at, item) = {
            let mut floor = self.floor.lock();
            let now = self.clock.now();
            // What happens between the end and the closing of the floor is no part of the run.
            if now >= self.plan.duration || !floor.started(key, now) {
                return;
            }
            (now, floor.item(key))
        };
        let mut lost = LostOnPanic { machine: self, key, armed: true };
        let mut phase = 0;
        loop {
            let work = self.floor.lock().work(key, phase, at);
            let ended = match work {
                None => break,
                Some(Work::Cpu(time)) => self.hold_processor(item.as_ref(), &mut at, time),
                Some(Work::Wait(time)) => blocking(|| self.hold_thread(&mut at, time)),
            };
            if ended {
                lost.armed = false;
                return;
            }
            phase += 1;
        }
        if self.floor.lock().panics(key) {
            // The handler of the scenario's fault: a real panic on a real thread, without a message on the terminal.
            std::panic::resume_unwind(Box::new("the scenario lets this handler panic"));
        }
        lost.armed = false;
        self.finish(key, Outcome::Served);
    }

    fn finish(self: &Arc<Machine>, key: ItemKey, outcome: Outcome) {
        let mut floor = self.floor.lock();
        let now = self.clock.now();
        if now >= self.plan.duration {
            return;
        }
        if let Some(next) = floor.finished(key, outcome, now) {
            let class = floor.class(next);
            self.submit(&mut floor, next, class);
        }
        // A follower that comes after a think time may be due before the injector means to wake.
        let next_due = floor.next_due();
        // Ordering: Relaxed; written and read under the floor's lock.
        let wakes_at = Nanos(self.injector_wakes_at.load(Ordering::Relaxed));
        drop(floor);
        if next_due < wakes_at {
            self.injector.unpark();
        }
    }

    /// A wait phase: the thread sleeps. `true`: the run is over.
    fn hold_thread(&self, at: &mut Nanos, time: Nanos) -> bool {
        let until = *at + time;
        if time == Nanos::ZERO {
            return self.clock.has_ended();
        }
        let waited = self.clock.wait_until(until, false);
        host::note(&self.meter, waited, self.clock.wall_of(time));
        *at = until;
        waited == Waited::Ended
    }

    /// A `cpu` phase: the thread takes a processor and keeps it. `true`: the run is over.
    fn hold_processor(&self, item: Option<&Item>, at: &mut Nanos, time: Nanos) -> bool {
        let Some(grant) = self.processors.acquire(&self.clock) else { return true };
        if grant.began > grant.asked {
            // The processor has been the thread's since it was given up to it, not since the thread noticed.
            *at = grant.began;
        }
        let ended = if self.burn_cpu {
            let until = *at + time;
            while self.clock.now() < until && !self.clock.has_ended() {
                std::hint::spin_loop();
            }
            *at = until;
            self.clock.has_ended()
        } else {
            self.hold_thread(at, time)
        };
        let released = self.processors.release(&self.clock);
        if let (Some(recorder), Some(item)) = (&self.recorder, item) {
            recorder.held_processor(item, grant.asked, grant.began, (!ended).then_some(released));
        }
        ended
    }

    /// Ends the run: closes the floor, wakes and joins everybody.
    fn end(&self, interrupted: bool) -> RunOutput {
        let pool = self.pool();
        let mut floor = self.floor.lock();
        let end = if interrupted { self.clock.now().min(self.plan.duration) } else { self.plan.duration };
        let behind = end.since(floor.next_due());
        let mut summary = floor.close(&self.plan, end);
        let trace_lines = floor.trace_lines();
        drop(floor);
        let held: f64 = summary.classes.iter().map(|class| class.thread_seconds).sum();
        let capacity = f64::from(self.plan.pool.size) * summary.measured().as_secs_f64();
        let utilisation = (held / capacity.max(1e-9)).min(1.0);
        let host = HostNoise { behind, ..self.meter.report(&self.clock, self.plan.speed, utilisation) };
        let counts = (0..self.plan.classes.len()).map(|at| pool.class_counts(ClassId(at as u16))).collect();
        let log = pool.take_log();
        self.clock.end();
        drop(pool.stop());
        summary.violations.extend(pool.laws().lines());
        let tally = pool.tally();
        RunOutput {
            summary,
            counts,
            host: Some(host),
            interrupted,
            out_of_events: false,
            threads_refused: tally.threads_refused,
            panics: tally.panics,
            trace_lines,
            log,
        }
    }
}

/// Gives an item its outcome when its handler panics.
struct LostOnPanic<'a> {
    machine: &'a Arc<Machine>,
    key: ItemKey,
    armed: bool,
}

impl Drop for LostOnPanic<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.machine.finish(self.key, Outcome::Lost);
        }
    }
}
