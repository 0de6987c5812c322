//! The emulated clock of a run on real threads, and waiting until a moment of it.
//!
//! The only place of the program that reads the machine's clock to decide anything. Waiting is to an absolute deadline:
//! sleep until shortly before, then spin the last moment, and spin only while fewer threads spin than the host has
//! processors to spare. Sleeping is parking, so the end of a run wakes everybody at once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::time::Nanos;

/// The last part of a wait that is spun. Plain sleeps of the kinds of host this was measured on end 20 to 60 us late.
const SPIN: Duration = Duration::from_micros(80);

/// Maps wall time to emulated time, and wakes sleepers at the end.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    speed: f64,
    ended: AtomicBool,
    spinners: AtomicU32,
    most_spinners: u32,
    sleepers: Mutex<Vec<Thread>>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// The moment has come, this much earlier (wall time).
    Until(Duration),
    /// The run is over.
    Ended,
    /// Somebody unparked the thread before its time; only where that was allowed.
    Called,
}

impl Clock {
    /// A clock at zero that runs at `speed` from now on.
    pub(super) fn start(speed: f64, host_processors: u32) -> Clock {
        Clock {
            start: Instant::now(),
            speed,
            ended: AtomicBool::new(false),
            spinners: AtomicU32::new(0),
            // One processor is left to whoever has work to do.
            most_spinners: host_processors.saturating_sub(1).max(1),
            sleepers: Mutex::new(Vec::new()),
        }
    }

    /// Makes the calling thread one that [`Clock::end`] wakes, and asks the system for its smallest timer slack.
    pub(super) fn join(&self) {
        self.sleepers.lock().push(std::thread::current());
        #[cfg(target_os = "linux")]
        // A system that refuses only makes waits less exact, which is measured and reported anyway.
        let _ = nix::sys::prctl::set_timerslack(1);
    }

    /// The emulated time.
    pub(super) fn now(&self) -> Nanos {
        self.emulated(self.start.elapsed())
    }

    /// Wall time since the start.
    pub(super) fn wall(&self) -> Duration {
        self.start.elapsed()
    }

    /// A wall span in emulated time.
    pub(super) fn emulated(&self, wall: Duration) -> Nanos {
        Nanos::from_f64(wall.as_nanos() as f64 * self.speed)
    }

    /// An emulated span in wall time.
    pub(super) fn wall_of(&self, span: Nanos) -> Duration {
        Duration::from_nanos(Nanos::from_f64(span.0 as f64 / self.speed).0)
    }

    fn instant(&self, at: Nanos) -> Option<Instant> {
        self.start.checked_add(self.wall_of(at))
    }

    /// Waits until the emulated time `at`. With `callable`, an unpark ends it early.
    pub(super) fn wait_until(&self, at: Nanos, callable: bool) -> Waited {
        let Some(deadline) = self.instant(at) else { return self.wait_for_end() };
        loop {
            // Ordering: Acquire pairs with the Release in `end`; whoever sees the end also sees what was done before.
            if self.ended.load(Ordering::Acquire) {
                return Waited::Ended;
            }
            let now = Instant::now();
            let Some(left) = deadline.checked_duration_since(now) else { return Waited::Until(now - deadline) };
            if left.is_zero() {
                return Waited::Until(Duration::ZERO);
            }
            if left > SPIN {
                std::thread::park_timeout(left - SPIN);
                if callable && Instant::now() + SPIN < deadline {
                    return Waited::Called;
                }
            } else if self.may_spin() {
                while Instant::now() < deadline {
                    std::hint::spin_loop();
                }
                // Ordering: Relaxed; the count only limits how many spin, it publishes nothing.
                self.spinners.fetch_sub(1, Ordering::Relaxed);
            } else {
                std::thread::park_timeout(left);
            }
        }
    }

    /// A deadline too far away to be expressed: the run's end comes first.
    fn wait_for_end(&self) -> Waited {
        // Ordering: Acquire, as in `wait_until`.
        while !self.ended.load(Ordering::Acquire) {
            std::thread::park();
        }
        Waited::Ended
    }

    fn may_spin(&self) -> bool {
        // Ordering: Relaxed; see `wait_until`.
        let before = self.spinners.fetch_add(1, Ordering::Relaxed);
        if before < self.most_spinners {
            return true;
        }
        // Ordering: Relaxed; see `wait_until`.
        self.spinners.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// Whether the run is over.
    pub(super) fn has_ended(&self) -> bool {
        // Ordering: Acquire, as in `wait_until`.
        self.ended.load(Ordering::Acquire)
    }

    /// Ends the run: every waiting thread wakes.
    pub(super) fn end(&self) {
        // Ordering: Release pairs with the Acquire in `wait_until`.
        self.ended.store(true, Ordering::Release);
        for thread in self.sleepers.lock().drain(..) {
            thread.unpark();
        }
    }
}
