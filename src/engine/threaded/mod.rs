//! The engine with real worker threads: [`crate::pool::AtqPool`], emulated processors, and an injector that releases items
//! when due; in a cluster, one pool for each node.
//!
//! Threads really are created on demand, block and end; emulated time runs `speed` times as fast as the wall clock. It
//! makes no policy choice: the pool's `Dispatch` does. Not exact, unlike virtual time, and it says by how much: every
//! run measures its own lateness and oversleeping. Called by `run`.
//!
//! Locks, in the order in which they may be taken: the floor's, then the pool's. A worker takes the floor's alone; the
//! injector and a worker that submits a follower take the pool's inside it.

pub(super) mod clock;
mod hand;
mod host;
mod nodes;
mod processors;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use self::clock::{Clock, Waited};
use self::host::HostMeter;
use self::nodes::Nodes;
use self::processors::SharedProcessors;
use super::control::Control;
use super::crowd::{Crowd, Due, ItemKey};
use super::recording::Recorder;
use super::{EngineError, Options, RunOutput};
use crate::ids::ClassId;
use crate::item::Outcome;
use crate::metrics::host::HostNoise;
use crate::plan::Plan;
use crate::pool::{SpawnError, blocking};
use crate::time::Nanos;
use crate::workload::{Item, Work};

/// The most real threads that a run creates.
pub const THREADS_CEILING: u32 = 2_000;

/// Stack of a worker thread: its deepest call chain takes a few kilobytes.
pub(in crate::engine) const STACK: usize = 256 * 1024;

/// How often progress is told, and interrupts are looked at, in wall time.
const TICK: Duration = Duration::from_millis(50);

struct Machine {
    plan: Arc<Plan>,
    clock: Arc<Clock>,
    meter: Arc<HostMeter>,
    floor: Mutex<Crowd>,
    nodes: Nodes,
    burn_cpu: bool,
    recorder: Option<Arc<Recorder>>,
    /// Somebody's hand on the run.
    control: Option<Arc<Control>>,
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
    let start = if options.control.is_some() { Clock::start_by_hand } else { Clock::start };
    let clock = Arc::new(start(plan.speed, host_processors));
    let machine = Arc::new(Machine {
        plan: Arc::clone(plan),
        meter: Arc::new(HostMeter::start(host_processors)),
        floor: Mutex::new(Crowd::new(plan, options.intervals)?),
        nodes: Nodes::of(plan, &clock, options),
        burn_cpu: options.burn_cpu,
        recorder: options.recorder.clone(),
        control: options.control.clone(),
        injector_wakes_at: AtomicU64::new(0),
        injector: std::thread::current(),
        no_threads: false.into(),
        clock,
    });
    let recorder = options.recorder.as_ref().map(|recorder| recorder.observer());
    machine.floor.lock().observe(recorder.or_else(|| options.watcher()));
    if options.control.is_some() {
        machine.floor.lock().put_under_a_hand(plan);
    }
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
    let size = plan.threads();
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
    /// Releases items when they are due, on the calling thread. `true`: interrupted.
    fn inject(self: &Arc<Machine>, options: &Options<'_>) -> bool {
        self.clock.join();
        let end = self.plan.duration;
        self.carry_out(&mut self.floor.lock());
        if let Some(control) = &self.control {
            control.joins();
        }
        loop {
            let wishes_at = self.take_up_wishes();
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
                let wake = floor.next_due().min(tick).min(end).min(wishes_at);
                // Ordering: Relaxed; written and read under the floor's lock.
                self.injector_wakes_at.store(wake.0, Ordering::Relaxed);
                wake
            };
            if wake > now {
                let waited = self.clock.wait_until(wake, true);
                self.shows_lateness(waited);
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
            let due = floor.pop_due(now);
            match due {
                Some(Due::Submit(key, class, due)) => {
                    let late = self.clock.now().since(due);
                    self.meter.late(self.clock.wall_of(late));
                    self.submit(&mut floor, key, class);
                }
                Some(Due::GiveUp(key, ticket, node)) => {
                    // Where a thread has just taken the item, it is served after all.
                    if self.nodes.pool(node).withdraw(ticket).is_some() {
                        floor.gave_up(key, self.now());
                    }
                }
                None if floor.has_effects() => self.carry_out(&mut floor),
                None => return,
            }
        }
    }

    /// The moment, which is not after the end of the run.
    fn now(&self) -> Nanos {
        self.clock.now().min(self.plan.duration)
    }

    /// Hands an item to the pool. The floor's lock is held, so its thread cannot begin before the floor knows.
    fn submit(self: &Arc<Machine>, floor: &mut MutexGuard<'_, Crowd>, key: ItemKey, class: ClassId) {
        let Some(at) = floor.place(key, self.now()) else { return };
        self.submit_to(floor, key, class, at);
    }

    fn submit_to(self: &Arc<Machine>, floor: &mut MutexGuard<'_, Crowd>, key: ItemKey, class: ClassId, at: usize) {
        let (machine, node) = (Arc::clone(self), self.nodes.at(at));
        let processors = Arc::clone(&node.processors);
        let result = node.pool.try_spawn(class, move || machine.serve(key, &processors));
        let now = self.now();
        floor.live_threads(self.nodes.live_threads(), now);
        match result {
            Ok(ticket) => floor.queued(key, ticket, at, now),
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
    fn serve(self: &Arc<Machine>, key: ItemKey, processors: &SharedProcessors) {
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
                Some(Work::Cpu(time)) => self.hold_processor(processors, (key, item.as_ref()), &mut at, time),
                Some(Work::Wait(time)) => {
                    let time = self.stretched(key, at, time);
                    blocking(|| self.hold_thread(&mut at, time))
                }
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
        self.carry_out(&mut floor);
        // A follower that comes after a think time may be due before the injector means to wake.
        let next_due = floor.next_due();
        // Ordering: Relaxed; written and read under the floor's lock.
        let wakes_at = Nanos(self.injector_wakes_at.load(Ordering::Relaxed));
        drop(floor);
        if next_due < wakes_at {
            self.injector.unpark();
        }
    }

    /// How long `time` from `at` on lasts for a thread that has the item: the pool of a node may stand still.
    fn stretched(&self, key: ItemKey, at: Nanos, time: Nanos) -> Nanos {
        if self.plan.cluster.is_none() {
            return time;
        }
        self.floor.lock().stretched(key, at, time)
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
    fn hold_processor(
        &self,
        processors: &SharedProcessors,
        (key, item): (ItemKey, Option<&Item>),
        at: &mut Nanos,
        time: Nanos,
    ) -> bool {
        let Some(grant) = processors.acquire(&self.clock) else { return true };
        if grant.began > grant.asked {
            // The processor has been the thread's since it was given up to it, not since the thread noticed.
            *at = grant.began;
        }
        let time = self.stretched(key, *at, time);
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
        let released = processors.release(&self.clock);
        if let (Some(recorder), Some(item)) = (&self.recorder, item) {
            recorder.held_processor(item, grant.asked, grant.began, (!ended).then_some(released));
        }
        ended
    }

    /// Ends the run: closes the floor, wakes and joins everybody.
    fn end(&self, interrupted: bool) -> RunOutput {
        let mut floor = self.floor.lock();
        let end = if interrupted { self.now() } else { self.plan.duration };
        let behind = end.since(floor.next_due());
        let write_buffers = floor.take_writes(end);
        let (mut summary, failover) = floor.close(&self.plan, end);
        let trace_lines = floor.trace_lines();
        drop(floor);
        let held: f64 = summary.classes.iter().map(|class| class.thread_seconds).sum();
        let capacity = f64::from(self.plan.threads()) * summary.measured().as_secs_f64();
        let utilisation = (held / capacity.max(1e-9)).min(1.0);
        let host = HostNoise { behind, ..self.meter.report(&self.clock, self.clock.fastest(), utilisation) };
        let counts = self.nodes.counts(self.plan.classes.len());
        let log = self.nodes.pool(0).take_log();
        self.clock.end();
        if let Some(control) = &self.control {
            control.live().ends();
        }
        let tally = self.nodes.stop();
        summary.violations.extend(tally.violations);
        RunOutput {
            summary,
            counts,
            failover,
            host: Some(host),
            interrupted,
            out_of_events: false,
            threads_refused: tally.threads_refused,
            panics: tally.panics,
            trace_lines,
            write_buffers,
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
