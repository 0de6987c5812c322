//! The emulated clock of a run on real threads, and waiting until a moment of it.
//!
//! The only place of the program that reads the machine's clock to decide anything. Waiting is to an absolute deadline:
//! sleep until shortly before, then spin the last moment, and spin only while fewer threads spin than the host has
//! processors to spare. Sleeping is parking, so the end of a run wakes everybody at once. A clock may be one that somebody
//! stops and sets to another speed: then sleepers are woken and look again until when they sleep. Virtual time keeps pace
//! with such a clock where it is watched.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::time::Nanos;

/// The last part of a wait that is spun. Plain sleeps of the kinds of host this was measured on end 20 to 60 us late.
const SPIN: Duration = Duration::from_micros(80);

/// Emulated time as a straight line over wall time, from some moment on.
#[derive(Clone, Copy, Debug)]
struct Line {
    since: Instant,
    at: Nanos,
    speed: f64,
    stands_still: bool,
}

/// How emulated time goes.
#[derive(Debug)]
enum Rate {
    /// Along this line, for the whole run.
    Fixed(Line),
    /// Along a line that somebody may replace; with the highest speed that there was.
    ByHand(Mutex<(Line, f64)>),
}

/// How long somebody who may be called sleeps at most while the clock stands still.
const LOOKS_AGAIN: Duration = Duration::from_millis(50);

/// Maps wall time to emulated time, and wakes sleepers at the end.
#[derive(Debug)]
pub(in crate::engine) struct Clock {
    start: Instant,
    rate: Rate,
    ended: AtomicBool,
    spinners: AtomicU32,
    most_spinners: u32,
    sleepers: Mutex<Vec<Thread>>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Waited {
    /// The moment has come, this much earlier (wall time).
    Until(Duration),
    /// The run is over.
    Ended,
    /// Somebody unparked the thread before its time; only where that was allowed.
    Called,
}

impl Clock {
    /// A clock at zero that runs at `speed` from now on.
    pub(in crate::engine) fn start(speed: f64, host_processors: u32) -> Clock {
        let start = Instant::now();
        Clock::along(
            Rate::Fixed(Line { since: start, at: Nanos::ZERO, speed, stands_still: false }),
            start,
            host_processors,
        )
    }

    /// The same, but it may be stopped and set to another speed.
    pub(in crate::engine) fn start_by_hand(speed: f64, host_processors: u32) -> Clock {
        let start = Instant::now();
        let line = Line { since: start, at: Nanos::ZERO, speed, stands_still: false };
        Clock::along(Rate::ByHand(Mutex::new((line, speed))), start, host_processors)
    }

    fn along(rate: Rate, start: Instant, host_processors: u32) -> Clock {
        Clock {
            start,
            rate,
            ended: AtomicBool::new(false),
            spinners: AtomicU32::new(0),
            // One processor is left to whoever has work to do.
            most_spinners: host_processors.saturating_sub(1).max(1),
            sleepers: Mutex::new(Vec::new()),
        }
    }

    fn line(&self) -> Line {
        match &self.rate {
            Rate::Fixed(line) => *line,
            Rate::ByHand(line) => line.lock().0,
        }
    }

    /// From now on emulated time goes another way. A clock that is not one for that goes on as it did.
    fn bend(&self, bend: impl FnOnce(&mut Line)) {
        let Rate::ByHand(state) = &self.rate else { return };
        {
            let (line, fastest) = &mut *state.lock();
            let now = Instant::now();
            *line = Line { since: now, at: line.at_instant(now), ..*line };
            bend(line);
            *fastest = fastest.max(line.speed);
        }
        // Whoever had read the old line and has not parked yet finds this unpark, and looks again.
        for thread in self.sleepers.lock().iter() {
            thread.unpark();
        }
    }

    /// Emulated time stands still from now on, or goes on.
    pub(in crate::engine) fn stand_still(&self, still: bool) {
        self.bend(|line| line.stands_still = still);
    }

    /// Emulated time goes `speed` times as fast as the wall clock from now on.
    pub(in crate::engine) fn set_speed(&self, speed: f64) {
        self.bend(|line| line.speed = speed);
    }

    /// The highest speed that there was.
    pub(super) fn fastest(&self) -> f64 {
        match &self.rate {
            Rate::Fixed(line) => line.speed,
            Rate::ByHand(state) => state.lock().1,
        }
    }

    /// Makes the calling thread one that [`Clock::end`] wakes, and asks the system for its smallest timer slack.
    pub(in crate::engine) fn join(&self) {
        self.sleepers.lock().push(std::thread::current());
        #[cfg(target_os = "linux")]
        // A system that refuses only makes waits less exact, which is measured and reported anyway.
        let _ = nix::sys::prctl::set_timerslack(1);
    }

    /// The emulated time.
    pub(in crate::engine) fn now(&self) -> Nanos {
        let line = self.line();
        line.at_instant(Instant::now())
    }

    /// Wall time since the start.
    pub(super) fn wall(&self) -> Duration {
        self.start.elapsed()
    }

    /// A wall span in emulated time, at the present speed.
    pub(in crate::engine) fn emulated(&self, wall: Duration) -> Nanos {
        emulated(wall, self.line().speed)
    }

    /// An emulated span in wall time, at the present speed.
    pub(super) fn wall_of(&self, span: Nanos) -> Duration {
        wall_of(span, self.line().speed)
    }

    /// Waits until the emulated time `at`. With `callable`, an unpark ends it early.
    pub(in crate::engine) fn wait_until(&self, at: Nanos, callable: bool) -> Waited {
        loop {
            // Ordering: Acquire pairs with the Release in `end`; whoever sees the end also sees what was done before.
            if self.ended.load(Ordering::Acquire) {
                return Waited::Ended;
            }
            let Some(deadline) = self.line().instant(at) else {
                match &self.rate {
                    Rate::Fixed(_) => return self.wait_for_end(),
                    Rate::ByHand(_) if callable => {
                        std::thread::park_timeout(LOOKS_AGAIN);
                        return Waited::Called;
                    }
                    Rate::ByHand(_) => std::thread::park(),
                }
                continue;
            };
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
    pub(in crate::engine) fn end(&self) {
        // Ordering: Release pairs with the Acquire in `wait_until`.
        self.ended.store(true, Ordering::Release);
        for thread in self.sleepers.lock().drain(..) {
            thread.unpark();
        }
    }
}

impl Line {
    fn at_instant(&self, now: Instant) -> Nanos {
        if self.stands_still {
            return self.at;
        }
        self.at + emulated(now.saturating_duration_since(self.since), self.speed)
    }

    /// When the emulated time `at` is; `None` for never. What is past already is not further back than the line begins.
    fn instant(&self, at: Nanos) -> Option<Instant> {
        if self.stands_still && at > self.at {
            return None;
        }
        self.since.checked_add(wall_of(at.since(self.at), self.speed))
    }
}

fn emulated(wall: Duration, speed: f64) -> Nanos {
    Nanos::from_f64(wall.as_nanos() as f64 * speed)
}

fn wall_of(span: Nanos, speed: f64) -> Duration {
    Duration::from_nanos(Nanos::from_f64(span.0 as f64 / speed).0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_clock_that_stands_still_goes_on_where_it_stood_at_its_new_speed() {
        let clock = Clock::start_by_hand(1_000.0, 2);
        clock.stand_still(true);
        let stood = clock.now();
        for _ in 0..1_000 {
            assert_eq!(clock.now(), stood);
        }
        clock.set_speed(1e-12);
        clock.stand_still(false);
        // So slow that not a nanosecond comes within minutes.
        assert_eq!(clock.now(), stood);
        clock.set_speed(1e6);
        while clock.now() < stood + Nanos::SECOND {
            std::hint::spin_loop();
        }
        assert_eq!(clock.fastest(), 1e6);
    }

    #[test]
    fn who_sleeps_is_woken_by_another_speed_and_not_by_a_standstill() {
        // At this speed the moment is weeks away.
        let clock = Arc::new(Clock::start_by_hand(1e-3, 2));
        let moment = Nanos::from_secs(3_600);
        let sleeper = {
            let clock = Arc::clone(&clock);
            std::thread::spawn(move || {
                clock.join();
                (clock.wait_until(moment, false), clock.now())
            })
        };
        clock.stand_still(true);
        clock.set_speed(1e9);
        // Nobody sleeps on to a moment that a clock which stands still does not reach.
        assert!(clock.now() < moment && !sleeper.is_finished());
        clock.stand_still(false);
        let (waited, woke) = sleeper.join().expect("no panic");
        assert!(matches!(waited, Waited::Until(_)) && woke >= moment, "{waited:?} at {woke}");
    }

    #[test]
    fn a_clock_that_is_not_one_for_that_is_not_bent() {
        let clock = Clock::start(1e9, 2);
        clock.stand_still(true);
        clock.set_speed(1e-9);
        let seen = clock.now();
        while clock.now() <= seen {
            std::hint::spin_loop();
        }
    }
}
