//! Several independent runs of one plan: means with their 95 % confidence intervals, and paired differences.
//!
//! Replication and deletion is left to the scenario: a run here is what a scenario says, from its empty start to its
//! end (a mail day ends; it is not a sample of a steady state). Not the running, which is `run`'s. Called by `run`;
//! read by `report`.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::latency::{Latency, LatencySummary};
use super::{ClassSummary, Summary};

/// A mean over independent runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval (Student t over the runs).
    pub half_width: f64,
}

impl Estimate {
    /// The estimate from one value per run; at least two.
    ///
    /// # Panics
    /// On fewer than two values: there is no interval then.
    #[must_use]
    pub fn of(values: &[f64]) -> Estimate {
        assert!(values.len() >= 2, "an interval needs at least two runs");
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
        let t = StudentsT::new(0.0, 1.0, n - 1.0).expect("degrees of freedom are positive").inverse_cdf(0.975);
        Estimate { mean, half_width: t * (variance / n).sqrt() }
    }

    /// Whether zero lies outside the interval.
    #[must_use]
    pub fn differs_from_zero(&self) -> bool {
        self.mean.abs() > self.half_width
    }
}

/// A figure of a class of which estimates are made.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name in outputs, with its unit: `wait_p99_s`.
    pub name: &'static str,
    of: fn(&ClassSummary) -> f64,
}

/// The figures of a class of which estimates are made, in order.
pub const FIGURES: &[Figure] = &[
    Figure { name: "arrivals", of: |c| c.arrivals as f64 },
    Figure { name: "served", of: |c| c.outcomes.served as f64 },
    Figure { name: "gave_up", of: |c| c.outcomes.gave_up as f64 },
    Figure { name: "refused", of: |c| c.outcomes.refused as f64 },
    Figure { name: "lost", of: |c| c.outcomes.lost as f64 },
    Figure { name: "unfinished", of: |c| c.outcomes.unfinished as f64 },
    Figure { name: "wait_mean_s", of: |c| c.wait.mean_us / 1e6 },
    Figure { name: "wait_p50_s", of: |c| c.wait.p50.as_secs_f64() },
    Figure { name: "wait_p90_s", of: |c| c.wait.p90.as_secs_f64() },
    Figure { name: "wait_p99_s", of: |c| c.wait.p99.as_secs_f64() },
    Figure { name: "wait_p999_s", of: |c| c.wait.p999.as_secs_f64() },
    Figure { name: "wait_max_s", of: |c| c.wait.max.as_secs_f64() },
    Figure { name: "service_mean_s", of: |c| c.service.mean_us / 1e6 },
    Figure { name: "starved_percent", of: |c| c.starved_percent },
    Figure { name: "shut_out_percent", of: |c| c.shut_out_percent },
    Figure { name: "episodes", of: |c| c.episode_count as f64 },
    Figure { name: "longest_episode_s", of: |c| c.longest_episode.as_secs_f64() },
    Figure { name: "thread_seconds", of: |c| c.thread_seconds },
    Figure { name: "mean_waiting", of: |c| c.mean_waiting },
];

/// Where a figure is in [`FIGURES`].
///
/// # Panics
/// On a name that is not there.
#[must_use]
pub fn figure(name: &str) -> usize {
    FIGURES.iter().position(|figure| figure.name == name).expect("a figure of this name")
}

/// The figures of one run: for each class, each of [`FIGURES`].
pub type RunFigures = Vec<Vec<f64>>;

/// The figures of a run.
#[must_use]
pub fn run_figures(summary: &Summary) -> RunFigures {
    summary.classes.iter().map(|class| FIGURES.iter().map(|figure| (figure.of)(class)).collect()).collect()
}

/// All runs of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicated {
    /// The seed of each run.
    pub seeds: Vec<u64>,
    /// For each class, the estimate of each of [`FIGURES`].
    pub estimates: Vec<Vec<Estimate>>,
    /// For each class, the waits of all runs in one histogram.
    pub merged_wait: Vec<LatencySummary>,
    /// For each class, how much each of [`FIGURES`] differs from the first variant's, run by run under the same seed;
    /// `None` for the first variant itself, or where the classes are not the same.
    pub difference: Option<Vec<Vec<Estimate>>>,
}

impl Replicated {
    /// From the figures and merged waits of all runs of a variant, and those of the first variant to compare with.
    #[must_use]
    pub fn of(seeds: &[u64], runs: &[RunFigures], waits: &[Latency], first: Option<&[RunFigures]>) -> Replicated {
        let column = |runs: &[RunFigures], class: usize, figure: usize| -> Vec<f64> {
            runs.iter().map(|run| run[class][figure]).collect()
        };
        let classes = waits.len();
        let each = |make: &dyn Fn(usize, usize) -> Estimate| -> Vec<Vec<Estimate>> {
            (0..classes).map(|class| (0..FIGURES.len()).map(|figure| make(class, figure)).collect()).collect()
        };
        let same_classes = |first: &&[RunFigures]| first.first().is_some_and(|run| run.len() == classes);
        let difference = first.filter(same_classes).map(|first| {
            each(&|class, figure| {
                let own = column(runs, class, figure);
                let theirs = column(first, class, figure);
                Estimate::of(&own.iter().zip(theirs).map(|(a, b)| a - b).collect::<Vec<_>>())
            })
        });
        Replicated {
            seeds: seeds.to_vec(),
            estimates: each(&|class, figure| Estimate::of(&column(runs, class, figure))),
            merged_wait: waits.iter().map(Latency::summary).collect(),
            difference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // Mean 3, standard deviation 1.5811, t(4, 0.975) = 2.7764: half-width 1.9633 (any table of Student's t).
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        assert!((estimate.half_width - 1.963_2).abs() < 1e-3, "{}", estimate.half_width);
        assert!(estimate.differs_from_zero());
        assert!(!Estimate::of(&[-1.0, 1.0]).differs_from_zero());
    }

    /// The interval covers the true mean in 95 % of the cases: 2,000 means of ten normal-ish values each.
    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        let mut stream = crate::rng::Stream::seeded(9);
        let trials = 2_000;
        let covered = (0..trials)
            .filter(|_| {
                let values: Vec<f64> = (0..10).map(|_| (0..12).map(|_| stream.unit()).sum::<f64>() - 6.0).collect();
                !Estimate::of(&values).differs_from_zero()
            })
            .count();
        // 95 % of 2,000 is 1,900; five standard deviations are 49.
        assert!((1_851..=1_949).contains(&covered), "{covered}");
    }
}
