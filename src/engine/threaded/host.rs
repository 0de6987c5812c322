//! Measures the host during a run: lateness, overshoot, hiccups, context switches, steal, load.
//!
//! Not the judgement, which is `metrics::host`. Everything here is wall time.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use super::clock::{Clock, Waited};
use crate::metrics::host::{HostNoise, Spread};
use crate::time::Nanos;

/// Records wall spans.
#[derive(Debug)]
pub(super) struct Spans {
    histogram: Histogram<u64>,
    sum: u128,
}

impl Spans {
    fn new() -> Spans {
        Spans { histogram: Histogram::new(3).expect("3 digits are allowed"), sum: 0 }
    }

    fn record(&mut self, span: Duration) {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX >> 8);
        self.histogram.record(ns).expect("the histogram grows as needed");
        self.sum += u128::from(ns);
    }

    fn spread(&self, high: f64) -> Spread {
        let at = |q| Nanos(self.histogram.value_at_quantile(q));
        Spread { count: self.histogram.len(), p50: at(0.5), p99: at(high), max: Nanos(self.histogram.max()) }
    }
}

#[derive(Debug)]
struct Inner {
    lateness: Spans,
    overshoot: Spans,
    meant_to_wait: u128,
    hiccup: Spans,
}

/// What is measured during a run.
#[derive(Debug)]
pub(super) struct HostMeter {
    inner: Mutex<Inner>,
    before: Snapshot,
    began: Nanos,
    processors: u32,
}

/// Counters of the system at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Snapshot {
    involuntary_switches: u64,
    steal: Nanos,
    load: f64,
}

impl HostMeter {
    pub(super) fn start(processors: u32) -> HostMeter {
        let inner = Inner { lateness: Spans::new(), overshoot: Spans::new(), meant_to_wait: 0, hiccup: Spans::new() };
        let calendar = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let began = Nanos(u64::try_from(calendar.as_nanos()).unwrap_or(u64::MAX));
        HostMeter { inner: Mutex::new(inner), before: Snapshot::take(), began, processors }
    }

    /// A submission was this late.
    pub(super) fn late(&self, by: Duration) {
        self.inner.lock().lateness.record(by);
    }

    /// A thread that was to wait for `meant` overslept.
    pub(super) fn overslept(&self, by: Duration, meant: Duration) {
        let mut inner = self.inner.lock();
        inner.overshoot.record(by);
        inner.meant_to_wait += meant.as_nanos();
    }

    /// A thread that ticks every millisecond until the clock ends, and records by how much it oversleeps. `None` where
    /// the system refuses the thread: then there is no such figure.
    pub(super) fn watch(self: &Arc<HostMeter>, clock: &Arc<Clock>) -> Option<JoinHandle<()>> {
        let (meter, clock) = (Arc::clone(self), Arc::clone(clock));
        let tick = Duration::from_millis(1);
        let body = move || {
            clock.join();
            while !clock.has_ended() {
                let began = Instant::now();
                std::thread::park_timeout(tick);
                let slept = began.elapsed();
                if !clock.has_ended() {
                    meter.inner.lock().hiccup.record(slept.saturating_sub(tick));
                }
            }
        };
        std::thread::Builder::new().name("atqsim-hiccup".into()).stack_size(128 * 1024).spawn(body).ok()
    }

    /// The figures. `held` is the emulated thread time held, out of `capacity`.
    pub(super) fn report(&self, clock: &Clock, speed: f64, utilisation: f64) -> HostNoise {
        let inner = self.inner.lock();
        let after = Snapshot::take();
        HostNoise {
            speed,
            began: self.began,
            wall: Nanos(clock.wall().as_nanos() as u64),
            lateness: inner.lateness.spread(0.99),
            overshoot: inner.overshoot.spread(0.99),
            hiccup: inner.hiccup.spread(0.999),
            service_inflation: inner.overshoot.sum as f64 / (inner.meant_to_wait as f64).max(1.0),
            utilisation,
            involuntary_switches: after.involuntary_switches.saturating_sub(self.before.involuntary_switches),
            steal: after.steal - self.before.steal,
            load_average: (self.before.load, after.load),
            host_processors: self.processors,
            behind: Nanos::ZERO,
        }
    }
}

/// How a wait of `meant` ended, told to the meter.
pub(super) fn note(meter: &HostMeter, waited: Waited, meant: Duration) {
    if let Waited::Until(late) = waited {
        meter.overslept(late, meant);
    }
}

impl Snapshot {
    /// Zeros where the system does not say.
    fn take() -> Snapshot {
        Snapshot { involuntary_switches: involuntary_switches(), steal: steal(), load: load() }
    }
}

#[cfg(unix)]
fn involuntary_switches() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.involuntary_context_switches() as u64)
}

#[cfg(not(unix))]
fn involuntary_switches() -> u64 {
    0
}

/// Time that the hypervisor gave to others, from the eighth figure of the first line of `/proc/stat` (in 1/100 s).
fn steal() -> Nanos {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok());
    Nanos::from_millis(ticks.unwrap_or(0).saturating_mul(10))
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}
