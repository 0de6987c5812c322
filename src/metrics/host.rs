//! How well the host kept the emulated clock: lateness, overshoot, stalls. Plain figures and the word for them.
//!
//! Not the measuring, which the threaded engine does. All times here are **wall** time. Read by `report`.

use crate::time::Nanos;

/// What the host did to a run on real threads. Wall time throughout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostNoise {
    /// How many emulated seconds passed in one wall second.
    pub speed: f64,
    /// When the run began by the computer's calendar, since the begin of 1970 (UTC).
    pub began: Nanos,
    /// How long the run took.
    pub wall: Nanos,
    /// Submissions, and how late they were: p50, p99, max.
    pub lateness: Spread,
    /// Waits of threads, and by how much they overslept: p50, p99, max.
    pub overshoot: Spread,
    /// Ticks of 1 ms, and by how much they overslept: p50, p99.9 (in `p99`), max. The largest is the longest stall.
    pub hiccup: Spread,
    /// Total overshoot divided by total time that the threads were to wait.
    pub service_inflation: f64,
    /// Share of the run's thread time that was held: busy / (threads x time), in [0, 1].
    pub utilisation: f64,
    /// Involuntary context switches during the run.
    pub involuntary_switches: u64,
    /// Time that the hypervisor took away, summed over the processors.
    pub steal: Nanos,
    /// Load average before and after.
    pub load_average: (f64, f64),
    /// Processors of the host that the program may use.
    pub host_processors: u32,
    /// **Emulated** time by which the release of items was behind at the end: what was due in it never came.
    pub behind: Nanos,
}

/// Three quantiles of a wall-clock measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// Median.
    pub p50: Nanos,
    /// 99th percentile, unless a field says otherwise.
    pub p99: Nanos,
    /// The largest.
    pub max: Nanos,
}

/// What may be believed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostVerdict {
    /// The host kept up: figures are those of the scenario.
    Clean,
    /// Figures carry the host's noise; starvation of seconds is still starvation.
    Noisy,
    /// The host could not keep the clock: do not quote any figure.
    Unusable,
}

impl HostVerdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            HostVerdict::Clean => "clean",
            HostVerdict::Noisy => "noisy",
            HostVerdict::Unusable => "unusable",
        }
    }
}

impl HostNoise {
    /// By how much the host lengthened waits, as a share: a service that is longer by a share s lengthens the waits of
    /// a queue at utilisation r by about s / (1 - r). Above 95 % the formula means nothing, so r stops there.
    #[must_use]
    pub fn wait_inflation(&self) -> f64 {
        self.service_inflation / (1.0 - self.utilisation.clamp(0.0, 0.95))
    }

    /// The longest stall, in emulated time.
    #[must_use]
    pub fn longest_stall_emulated(&self) -> Nanos {
        self.hiccup.max.max(self.lateness.max).scale(self.speed)
    }

    /// Waits (emulated) that are this computer's as much as the scenario's: 99 of 100 items are released, and their
    /// threads wake, within this of their time; single ones within the longest stall.
    #[must_use]
    pub fn floor_emulated(&self) -> Nanos {
        (self.lateness.p99 + self.overshoot.p99).scale(self.speed)
    }

    /// The verdict and the reasons for it. `starvation_after` is the emulated span below which nothing is starvation:
    /// a stall of that length would be taken for it.
    #[must_use]
    pub fn verdict(&self, starvation_after: Nanos) -> (HostVerdict, Vec<String>) {
        let mut verdict = HostVerdict::Clean;
        let mut reasons = Vec::new();
        let mut judge = |value: f64, noisy: f64, unusable: f64, reason: String| {
            let word = if value > unusable {
                HostVerdict::Unusable
            } else if value > noisy {
                HostVerdict::Noisy
            } else {
                return;
            };
            verdict = verdict.max(word);
            reasons.push(reason);
        };
        let inflation = self.wait_inflation();
        judge(
            inflation,
            0.01,
            0.10,
            format!(
                "threads overslept by {:.2} % of their waits, which lengthens queues by about {:.1} %",
                self.service_inflation * 100.0,
                inflation * 100.0
            ),
        );
        let stall = self.longest_stall_emulated();
        judge(
            stall.0 as f64 / starvation_after.0.max(1) as f64,
            0.5,
            1.0,
            format!("the host stalled for {} ({stall} emulated)", self.hiccup.max.max(self.lateness.max)),
        );
        // A few milliseconds of wall time are how exactly the end is met; more is load that never came.
        let tolerated = Nanos::from_millis(20).scale(self.speed);
        judge(
            self.behind.0 as f64 / tolerated.0.max(1) as f64,
            1.0,
            1.0,
            format!(
                "the load of the last {} (emulated) was never submitted: it comes faster than this host takes it",
                self.behind
            ),
        );
        let late = self.lateness.p99.scale(self.speed);
        judge(
            late.0 as f64 / starvation_after.0.max(1) as f64,
            0.1,
            0.5,
            format!("1 % of the load was submitted {} late or more ({late} emulated)", self.lateness.p99),
        );
        (verdict, reasons)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_follows_the_figures() {
        let quiet = HostNoise { speed: 30.0, utilisation: 0.9, service_inflation: 0.0005, ..HostNoise::default() };
        assert_eq!(quiet.verdict(Nanos::SECOND).0, HostVerdict::Clean);
        let oversleeps = HostNoise { service_inflation: 0.005, ..quiet.clone() };
        assert_eq!(oversleeps.verdict(Nanos::SECOND).0, HostVerdict::Noisy);
        let hiccup = Spread { max: Nanos::from_millis(40), ..Spread::default() };
        let stalls = HostNoise { hiccup, ..quiet };
        let (word, reasons) = stalls.verdict(Nanos::SECOND);
        assert_eq!(word, HostVerdict::Unusable);
        assert!(reasons[0].contains("40.0 ms (1.20 s emulated)"), "{reasons:?}");
    }
}
