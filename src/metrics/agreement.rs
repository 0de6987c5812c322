//! How far two runs of one plan agree: real threads beside virtual time.
//!
//! Not a judgement of either engine: an overloaded service amplifies every microsecond, so its waits differ where its
//! starved share still agrees. Called by `report`.

use super::ClassSummary;

/// One figure in both runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// On real threads.
    pub threads: f64,
    /// In virtual time.
    pub in_virtual_time: f64,
}

/// The figures of one class that are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Items that came.
    pub arrivals: Pair,
    /// Mean wait, in microseconds.
    pub wait_mean_us: Pair,
    /// 99th percentile of the waits, in microseconds.
    pub wait_p99_us: Pair,
    /// Mean service, in microseconds.
    pub service_mean_us: Pair,
    /// Starved share of the run, in percent.
    pub starved_percent: Pair,
}

/// Puts the figures of a class in both runs beside each other.
#[must_use]
pub fn agreement(threads: &ClassSummary, in_virtual_time: &ClassSummary) -> Agreement {
    let pair = |of: &dyn Fn(&ClassSummary) -> f64| Pair { threads: of(threads), in_virtual_time: of(in_virtual_time) };
    Agreement {
        arrivals: pair(&|c| c.arrivals as f64),
        wait_mean_us: pair(&|c| c.wait.mean_us),
        wait_p99_us: pair(&|c| c.wait.p99.0 as f64 / 1e3),
        service_mean_us: pair(&|c| c.service.mean_us),
        starved_percent: pair(&|c| c.starved_percent),
    }
}
