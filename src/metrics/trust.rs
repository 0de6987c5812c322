//! Whether a confidence interval is to be trusted: the rules, once.
//!
//! Student's t supposes several independent values that are not too far from normal. Where a run cannot give that, its
//! interval is shown with a doubt instead of being believed. Not the intervals (`replicated`, `batches`). Pure. Called
//! by [`super::replicated`] and `run`; told by `report`.

use super::batches::{BatchMeans, LEAST};

/// Runs from which on an interval over runs is trusted.
pub const RUNS_LEAST: u64 = 10;
/// Runs in which something that is not always there must have happened.
pub const OCCURRENCES_LEAST: u64 = 5;
/// Items of one run, on average, behind the mean of a latency; and above a quantile, for the quantile.
pub const ITEMS_LEAST: f64 = 10.0;
/// Waits that had not ended when the run did, as a share of all, from which on their mean is not known.
const OPEN_WAITS_MOST: f64 = 0.01;

/// Why an interval is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Fewer than [`RUNS_LEAST`] runs.
    FewRuns,
    /// Too few items in one run for this figure: [`ITEMS_LEAST`].
    FewItems,
    /// It happened in fewer than [`OCCURRENCES_LEAST`] runs, and not never.
    FewOccurrences,
    /// Zero in every run: that it never happens is not known by that.
    NeverSeen,
    /// A single run whose batches are too short for the load: [`items_needed`].
    ShortRun,
    /// A single run at whose end more than one in 100 waits had not ended.
    OpenWaits,
    /// A single run whose load changes, or in which faults come and go: its batches are not alike.
    ChangingLoad,
    /// A single run of a load that the pool cannot carry: no steady state, so no mean to be near.
    Overload,
}

impl Doubt {
    /// The word for it in programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Doubt::FewRuns => "few-runs",
            Doubt::FewItems => "few-items",
            Doubt::FewOccurrences => "few-occurrences",
            Doubt::NeverSeen => "never-seen",
            Doubt::ShortRun => "short-run",
            Doubt::OpenWaits => "open-waits",
            Doubt::ChangingLoad => "changing-load",
            Doubt::Overload => "overload",
        }
    }

    /// The reason in words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Doubt::FewRuns => "fewer than 10 runs",
            Doubt::FewItems => "fewer than 10 items a run behind it, or above the quantile",
            Doubt::FewOccurrences => "it happened in fewer than 5 runs",
            Doubt::NeverSeen => "zero in every run",
            Doubt::ShortRun => "the run is too short for its load",
            Doubt::OpenWaits => "more than 1 % of the waits had not ended",
            Doubt::ChangingLoad => "the load changes during the run",
            Doubt::Overload => "the load is more than the pool carries",
        }
    }
}

/// The doubt about an interval over `runs` independent runs of which `not_zero` had a value above zero.
#[must_use]
pub fn of_runs(runs: u64, not_zero: u64) -> Option<Doubt> {
    match not_zero {
        0 => Some(Doubt::NeverSeen),
        _ if runs < RUNS_LEAST => Some(Doubt::FewRuns),
        some if some < OCCURRENCES_LEAST => Some(Doubt::FewOccurrences),
        _ => None,
    }
}

/// Items that each batch of a single run needs at a utilisation in [0, 1): 2,500 at 0.8 and 10,000 at 0.9.
///
/// Waits are alike over a stretch of items that grows as `(1 - utilisation)^-2`. In an M/M/1 queue at 0.8, intervals of
/// nominally 95 % from batches of 1,000 items covered the mean in 91 % of the runs and from batches of 2,500 to 5,000 in
/// 94.5 %; at 0.9 batches of 10,000 gave 93 %. Below 0.5 the rule stops at 400.
#[must_use]
pub fn items_needed(utilisation: f64) -> f64 {
    let idle = (1.0 - utilisation).clamp(0.0, 0.5);
    100.0 / (idle * idle)
}

/// The doubt about the batch means of a single run. `utilisation` is that of what the items wait for, 1 or more for
/// more than it can carry; `open` of the `waits` had not ended when the run did.
#[must_use]
pub fn of_one_run(means: &BatchMeans, utilisation: f64, open: u64, waits: u64) -> Option<Doubt> {
    if utilisation >= 1.0 {
        Some(Doubt::Overload)
    } else if open as f64 > OPEN_WAITS_MOST * waits as f64 {
        Some(Doubt::OpenWaits)
    } else if (means.batches as usize) < LEAST || (means.items as f64) < items_needed(utilisation) * (1.0 - 1e-9) {
        Some(Doubt::ShortRun)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_those_that_were_measured() {
        assert!((items_needed(0.8) - 2_500.0).abs() < 1e-6 && (items_needed(0.9) - 10_000.0).abs() < 1e-6);
        assert!((items_needed(0.1) - 400.0).abs() < 1e-9 && items_needed(1.0).is_infinite());
        let means = |batches, items| BatchMeans { batches, items, half_width_us: Some(1.0) };
        assert_eq!(of_one_run(&means(10, 2_500), 0.8, 0, 25_000), None);
        assert_eq!(of_one_run(&means(10, 2_499), 0.8, 0, 25_000), Some(Doubt::ShortRun));
        assert_eq!(of_one_run(&means(9, 1 << 40), 0.2, 0, 1 << 43), Some(Doubt::ShortRun));
        assert_eq!(of_one_run(&means(19, 1 << 40), 1.0, 0, 1 << 43), Some(Doubt::Overload));
        assert_eq!(of_one_run(&means(10, 2_500), 0.8, 251, 25_000), Some(Doubt::OpenWaits));
        assert_eq!(
            [(9, 9), (10, 10), (10, 4), (10, 5), (30, 0), (2, 0)].map(|(runs, some)| of_runs(runs, some)),
            [
                Some(Doubt::FewRuns),
                None,
                Some(Doubt::FewOccurrences),
                None,
                Some(Doubt::NeverSeen),
                Some(Doubt::NeverSeen)
            ]
        );
    }
}
