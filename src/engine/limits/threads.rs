//! The limits on real threads: each call sleeps on a thread of a pool that is as large as the limit, and one thread for each
//! limit tells it what is due.
//!
//! The model decides who gets a thread; the pool only has them. What the host adds is in the times, as it is in those of the
//! server's pool. Lock order: the limit's, then the pool's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::domains::DomainsRun;
use super::store::StoreRun;
use super::transport::TransportRun;
use super::{Call, Limit};
use crate::engine::threaded::clock::{Clock, Waited};
use crate::engine::threaded::{STACK, THREADS_CEILING};
use crate::engine::{EngineError, Interrupt};
use crate::metrics::limits::LimitFigures;
use crate::plan::Plan;
use crate::pool::{AtqPool, Calls, Ceiling, SpawnError};
use crate::time::Nanos;

/// How often interrupts are looked at, in wall time.
const TICK: Duration = Duration::from_millis(50);

/// Runs the limits of a plan on real threads until its end, or until one of the interrupts is set.
///
/// # Errors
/// [`EngineError::TooManyStoreThreads`], [`EngineError::TooManyTransportThreads`] and [`EngineError::Load`], before
/// anything runs; [`EngineError::NoThreads`].
pub fn on_threads(plan: &Plan, interrupts: [&Interrupt; 2]) -> Result<LimitFigures, EngineError> {
    let (seed, end, own) = (plan.seed, plan.duration, &plan.limits);
    let store = own.store.as_ref().map(|store| {
        let size = store.spec.threads.max;
        match size > THREADS_CEILING {
            true => Err(EngineError::TooManyStoreThreads { size, ceiling: THREADS_CEILING }),
            false => StoreRun::new(store, seed, end).map(|run| (run, size)),
        }
    });
    let store = store.transpose()?;
    let domains = own.domains.as_ref().map(|domains| DomainsRun::new(domains, seed, end)).transpose()?;
    let transport = own.transport.as_ref().map(|transport| {
        let size = transport.threads();
        match size > THREADS_CEILING {
            true => Err(EngineError::TooManyTransportThreads { size, ceiling: THREADS_CEILING }),
            false => TransportRun::new(transport, seed, end).map(|run| (run, size)),
        }
    });
    let transport = transport.transpose()?;
    let failed = Interrupt::default();
    let interrupts = [interrupts[0], interrupts[1], &failed];
    std::thread::scope(|scope| {
        // One that fails ends the others.
        let failed = &failed;
        let store = store.map(|(run, size)| scope.spawn(move || told(drive(run, size, plan, interrupts), failed)));
        let domains = domains.map(|run| scope.spawn(move || told(drive(run, 0, plan, interrupts), failed)));
        let transport = transport.map(|(run, size)| told(drive(run, size, plan, interrupts), failed));
        const NEVER: &str = "a limit does not panic";
        let store = store.map(|driven| driven.join().expect(NEVER)).transpose()?;
        let domains = domains.map(|driven| driven.join().expect(NEVER)).transpose()?;
        let transport = transport.transpose()?;
        Ok(LimitFigures {
            store: store.map(|(run, end)| run.close(end)),
            domains: domains.map(|(run, end)| run.close(end)),
            transport: transport.map(|(run, end)| run.close(end)),
        })
    })
}

/// Lets the other limits know of an error.
fn told<T>(driven: Result<T, EngineError>, failed: &Interrupt) -> Result<T, EngineError> {
    if driven.is_err() {
        // Ordering: Relaxed; the flag alone is the message.
        failed.0.store(true, Ordering::Relaxed);
    }
    driven
}

/// A limit that real threads share.
struct Shared<L> {
    limit: Mutex<L>,
    clock: Arc<Clock>,
    pool: AtqPool,
    end: Nanos,
    /// The emulated moment until which the driver means to sleep.
    wakes_at: AtomicU64,
    driver: std::thread::Thread,
    is_over: AtomicBool,
    /// The system refused every thread.
    no_threads: AtomicBool,
}

/// Drives a limit whose calls take `threads` threads at most; the answer is the limit, and how far it came.
fn drive<L: Limit + Send + 'static>(
    limit: L,
    threads: u32,
    plan: &Plan,
    interrupts: [&Interrupt; 3],
) -> Result<(L, Nanos), EngineError> {
    let host = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let clock = Arc::new(Clock::start(plan.speed, host));
    let sleepers = Arc::clone(&clock);
    let pool = AtqPool::builder()
        .threads(threads.max(1))
        .class("calls", Ceiling::None)
        .calls(Calls::Eager)
        .name("atqsim-limit")
        .stack_size(STACK)
        .on_thread_start(move || sleepers.join())
        .build()
        .expect("a class and at least one thread");
    let shared = Arc::new(Shared {
        limit: Mutex::new(limit),
        clock,
        pool,
        end: plan.duration,
        wakes_at: AtomicU64::new(0),
        driver: std::thread::current(),
        is_over: AtomicBool::new(false),
        no_threads: AtomicBool::new(false),
    });
    shared.clock.join();
    let end = loop {
        let now = shared.clock.now();
        // Ordering: Relaxed; see where it is set.
        if shared.no_threads.load(Ordering::Relaxed) || interrupts.iter().any(|interrupt| interrupt.is_set()) {
            break now.min(shared.end);
        }
        if now >= shared.end {
            break shared.end;
        }
        let wake = {
            let mut limit = shared.limit.lock();
            // Under the lock, so that the limit never hears of an earlier moment after a later one.
            let now = shared.clock.now().min(shared.end);
            let mut calls = Vec::new();
            if limit.next_due() <= now {
                limit.due(now, &mut calls);
            }
            shared.begin(now, calls);
            let wake = limit.next_due().min(now + shared.clock.emulated(TICK)).min(shared.end);
            // Ordering: Relaxed; written and read under the limit's lock.
            shared.wakes_at.store(wake.0, Ordering::Relaxed);
            wake
        };
        if wake > now && shared.clock.wait_until(wake, true) == Waited::Ended {
            break shared.end;
        }
    };
    // Ordering: Relaxed; set and read under the limit's lock.
    let over = shared.limit.lock();
    shared.is_over.store(true, Ordering::Relaxed);
    drop(over);
    shared.clock.end();
    drop(shared.pool.stop());
    let Ok(shared) = Arc::try_unwrap(shared) else { unreachable!("every thread of the pool has been joined") };
    if shared.no_threads.into_inner() {
        return Err(EngineError::NoThreads);
    }
    Ok((shared.limit.into_inner(), end))
}

impl<L: Limit + Send + 'static> Shared<L> {
    /// Gives each call a thread. The limit's lock is held.
    fn begin(self: &Arc<Shared<L>>, began: Nanos, calls: Vec<Call>) {
        for call in calls {
            let shared = Arc::clone(self);
            let class = self.pool.class("calls").expect("it has that class");
            let refused = self.pool.try_spawn(class, move || shared.serve(began, call)).is_err_and(|error| {
                // A pool that takes nothing more is one whose run is over.
                matches!(error, SpawnError::NoThreads(_))
            });
            if refused {
                // Ordering: Relaxed; the driver looks at it between two events.
                self.no_threads.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Holds the thread for as long as the call takes, and tells its end.
    fn serve(self: &Arc<Shared<L>>, began: Nanos, call: Call) {
        if self.clock.wait_until(began + call.takes, false) == Waited::Ended {
            return;
        }
        let mut limit = self.limit.lock();
        let now = self.clock.now();
        // Ordering: Relaxed; set under the limit's lock.
        if self.is_over.load(Ordering::Relaxed) || now >= self.end {
            return;
        }
        let mut calls = Vec::new();
        limit.ended(now, call.id, &mut calls);
        self.begin(now, calls);
        let next_due = limit.next_due();
        // Ordering: Relaxed; written and read under the limit's lock.
        let wakes_at = Nanos(self.wakes_at.load(Ordering::Relaxed));
        drop(limit);
        if next_due < wakes_at {
            self.driver.unpark();
        }
    }
}
