//! Several independent runs of one plan: means with their 95 % confidence intervals, and paired differences.
//!
//! A run here is what a scenario says, from its empty start, or from the end of its warm-up, to its end; the runs are
//! independent of one another, so no rule for correlated values is needed. Not the running, which is `run`'s. Called by
//! `run`; read by `report`.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::latency::{Latency, LatencySummary};
use super::trust::{self, Doubt, ITEMS_LEAST};
use super::{ClassSummary, JourneySummary, Summary};

/// A mean over independent runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval (Student t over the runs).
    pub half_width: f64,
    /// In how many runs the value was not zero.
    pub not_zero: u64,
    /// Why the interval is not to be trusted, if that is so.
    pub doubt: Option<Doubt>,
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
        let not_zero = values.iter().filter(|value| **value != 0.0).count() as u64;
        let doubt = trust::of_runs(values.len() as u64, not_zero);
        Estimate { mean, half_width: t * (variance / n).sqrt(), not_zero, doubt }
    }

    /// The estimate of a difference, run by run. One that is zero in every run is no rare event that was not seen.
    fn of_difference(own: &[f64], theirs: &[f64]) -> Estimate {
        let estimate = Estimate::of(&own.iter().zip(theirs).map(|(a, b)| a - b).collect::<Vec<_>>());
        Estimate { doubt: estimate.doubt.filter(|doubt| *doubt != Doubt::NeverSeen), ..estimate }
    }

    /// Whether zero lies outside the interval.
    #[must_use]
    pub fn differs_from_zero(&self) -> bool {
        self.mean.abs() > self.half_width
    }

    /// Half the width of the interval as a share of the mean; infinite where the mean is zero and the interval is not.
    #[must_use]
    pub fn relative(&self) -> f64 {
        if self.half_width == 0.0 { 0.0 } else { self.half_width / self.mean.abs() }
    }
}

/// What a figure is taken from: how many items of a run are behind it decides about trust.
#[derive(Clone, Copy, Debug)]
enum Basis {
    /// A count, or a share or average over time.
    Run,
    /// A mean or an extreme of so many items.
    Items(fn(&[f64]) -> f64),
    /// A quantile of so many items.
    Quantile(f64, fn(&[f64]) -> f64),
}

/// A figure of which estimates are made, of an `S`.
#[derive(Debug)]
pub struct Figure<S> {
    /// Its name in outputs, with its unit: `wait_p99_s`.
    pub name: &'static str,
    of: fn(&S) -> f64,
    basis: Basis,
}

/// Items behind the waits of a service: those that came and were not refused.
fn waits(figures: &[f64]) -> f64 {
    figures[0] - figures[3]
}

/// Items behind the services: those served or lost.
fn services(figures: &[f64]) -> f64 {
    figures[1] + figures[4]
}

fn completed(figures: &[f64]) -> f64 {
    figures[0]
}

const fn plain<S>(name: &'static str, of: fn(&S) -> f64) -> Figure<S> {
    Figure { name, of, basis: Basis::Run }
}

const fn items<S>(name: &'static str, count: fn(&[f64]) -> f64, of: fn(&S) -> f64) -> Figure<S> {
    Figure { name, of, basis: Basis::Items(count) }
}

const fn quantile<S>(name: &'static str, q: f64, count: fn(&[f64]) -> f64, of: fn(&S) -> f64) -> Figure<S> {
    Figure { name, of, basis: Basis::Quantile(q, count) }
}

/// The figures of a service of which estimates are made, in order.
pub const FIGURES: &[Figure<ClassSummary>] = &[
    plain("arrivals", |c| c.arrivals as f64),
    plain("served", |c| c.outcomes.served as f64),
    plain("gave_up", |c| c.outcomes.gave_up as f64),
    plain("refused", |c| c.outcomes.refused as f64),
    plain("lost", |c| c.outcomes.lost as f64),
    plain("unfinished", |c| c.outcomes.unfinished as f64),
    items("wait_mean_s", waits, |c| c.wait.mean_us / 1e6),
    quantile("wait_p50_s", 0.5, waits, |c| c.wait.p50.as_secs_f64()),
    quantile("wait_p90_s", 0.9, waits, |c| c.wait.p90.as_secs_f64()),
    quantile("wait_p99_s", 0.99, waits, |c| c.wait.p99.as_secs_f64()),
    quantile("wait_p999_s", 0.999, waits, |c| c.wait.p999.as_secs_f64()),
    items("wait_max_s", waits, |c| c.wait.max.as_secs_f64()),
    items("service_mean_s", services, |c| c.service.mean_us / 1e6),
    quantile("service_p50_s", 0.5, services, |c| c.service.p50.as_secs_f64()),
    quantile("service_p90_s", 0.9, services, |c| c.service.p90.as_secs_f64()),
    quantile("service_p99_s", 0.99, services, |c| c.service.p99.as_secs_f64()),
    quantile("service_p999_s", 0.999, services, |c| c.service.p999.as_secs_f64()),
    items("service_max_s", services, |c| c.service.max.as_secs_f64()),
    plain("starved_percent", |c| c.starved_percent),
    plain("shut_out_percent", |c| c.shut_out_percent),
    plain("episodes", |c| c.episode_count as f64),
    plain("longest_episode_s", |c| c.longest_episode.as_secs_f64()),
    plain("thread_seconds", |c| c.thread_seconds),
    plain("busy_max", |c| f64::from(c.busy_max)),
    plain("mean_waiting", |c| c.mean_waiting),
    plain("waiting_max", |c| c.waiting_max as f64),
    plain("still_waiting", |c| c.still_waiting as f64),
    plain("waiting_trend_per_hour", |c| c.waiting_trend_per_hour),
];

/// The figures of the messages or sessions of a source, in order.
pub const JOURNEY_FIGURES: &[Figure<JourneySummary>] = &[
    plain("completed", |j| j.completed as f64),
    plain("cut", |j| j.cut as f64),
    items("total_mean_s", completed, |j| j.total.mean_us / 1e6),
    quantile("total_p50_s", 0.5, completed, |j| j.total.p50.as_secs_f64()),
    quantile("total_p90_s", 0.9, completed, |j| j.total.p90.as_secs_f64()),
    quantile("total_p99_s", 0.99, completed, |j| j.total.p99.as_secs_f64()),
    quantile("total_p999_s", 0.999, completed, |j| j.total.p999.as_secs_f64()),
    items("total_max_s", completed, |j| j.total.max.as_secs_f64()),
];

/// The figures of the whole run, in order.
pub const RUN_FIGURES: &[Figure<Summary>] = &[plain("live_threads_max", |s| f64::from(s.live_threads_max))];

/// Where a figure of a service is in [`FIGURES`].
///
/// # Panics
/// On a name that is not there.
#[must_use]
pub fn figure(name: &str) -> usize {
    FIGURES.iter().position(|figure| figure.name == name).expect("a figure of this name")
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFigures {
    /// For each class, each of [`FIGURES`].
    pub services: Vec<Vec<f64>>,
    /// For each source, each of [`JOURNEY_FIGURES`].
    pub journeys: Vec<Vec<f64>>,
    /// Each of [`RUN_FIGURES`].
    pub run: Vec<f64>,
}

/// The figures of a run.
#[must_use]
pub fn run_figures(summary: &Summary) -> RunFigures {
    fn each<S>(figures: &[Figure<S>], of: &S) -> Vec<f64> {
        figures.iter().map(|figure| (figure.of)(of)).collect()
    }
    RunFigures {
        services: summary.classes.iter().map(|class| each(FIGURES, class)).collect(),
        journeys: summary.journeys.iter().map(|journeys| each(JOURNEY_FIGURES, journeys)).collect(),
        run: each(RUN_FIGURES, summary),
    }
}

/// Estimates of the figures of one service, of one source, or of the run, in the order of their list.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimates {
    /// The figures themselves.
    pub own: Vec<Estimate>,
    /// How much each differs from the first variant's, run by run under the same seed; `None` for the first variant
    /// itself, or where the variants do not have the same services and sources.
    pub difference: Option<Vec<Estimate>>,
}

impl Estimates {
    /// From the figures of each run, and the first variant's of the same runs.
    fn of<S>(figures: &[Figure<S>], runs: &[&[f64]], first: Option<&[&[f64]]>) -> Estimates {
        let column = |runs: &[&[f64]], at: usize| -> Vec<f64> { runs.iter().map(|run| run[at]).collect() };
        let columns = |runs: &[&[f64]]| -> Vec<Vec<f64>> { (0..figures.len()).map(|at| column(runs, at)).collect() };
        let own = columns(runs);
        let thin = too_thin(figures, &own);
        let doubted = |estimate: Estimate, thin: bool| {
            let doubt = match estimate.doubt {
                None | Some(Doubt::FewOccurrences) if thin => Some(Doubt::FewItems),
                doubt => doubt,
            };
            Estimate { doubt, ..estimate }
        };
        let difference = first.map(|first| {
            let theirs = columns(first);
            let their_thin = too_thin(figures, &theirs);
            let each = (0..figures.len()).map(|at| {
                let estimate = Estimate::of_difference(&own[at], &theirs[at]);
                doubted(estimate, (thin[at] || their_thin[at]) && estimate.not_zero > 0)
            });
            each.collect()
        });
        let own = own.iter().zip(&thin).map(|(values, thin)| doubted(Estimate::of(values), *thin)).collect();
        Estimates { own, difference }
    }
}

/// Of which figures too few items are behind one run, on average.
fn too_thin<S>(figures: &[Figure<S>], columns: &[Vec<f64>]) -> Vec<bool> {
    let means: Vec<f64> =
        columns.iter().map(|values| values.iter().sum::<f64>() / values.len().max(1) as f64).collect();
    let thin = |figure: &Figure<S>| match figure.basis {
        Basis::Run => false,
        Basis::Items(count) => count(&means) < ITEMS_LEAST,
        Basis::Quantile(q, count) => count(&means) * (1.0 - q) < ITEMS_LEAST * (1.0 - 1e-9),
    };
    figures.iter().map(thin).collect()
}

/// All runs of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicated {
    /// The seed of each run.
    pub seeds: Vec<u64>,
    /// For each class, the estimates of [`FIGURES`].
    pub services: Vec<Estimates>,
    /// For each source, those of [`JOURNEY_FIGURES`].
    pub journeys: Vec<Estimates>,
    /// Those of [`RUN_FIGURES`].
    pub run: Estimates,
    /// For each class, the waits of all runs in one histogram.
    pub merged_wait: Vec<LatencySummary>,
    /// The recorders behind them.
    pub merged_recorded: Vec<Latency>,
}

impl Replicated {
    /// From the figures and merged waits of all runs of a variant, and the figures of the first variant's runs under
    /// the same seeds.
    #[must_use]
    pub fn of(seeds: &[u64], runs: &[RunFigures], waits: &[Latency], first: Option<&[RunFigures]>) -> Replicated {
        let shape = |runs: &[RunFigures]| runs.first().map(|run| (run.services.len(), run.journeys.len()));
        let first = first.filter(|first| shape(first) == shape(runs) && first.len() == runs.len());
        let (services, journeys) = shape(runs).unwrap_or_default();
        Replicated {
            seeds: seeds.to_vec(),
            services: (0..services)
                .map(|at| estimates(FIGURES, runs, first, |run: &RunFigures| run.services[at].as_slice()))
                .collect(),
            journeys: (0..journeys)
                .map(|at| estimates(JOURNEY_FIGURES, runs, first, |run: &RunFigures| run.journeys[at].as_slice()))
                .collect(),
            run: estimates(RUN_FIGURES, runs, first, |run: &RunFigures| run.run.as_slice()),
            merged_wait: waits.iter().map(Latency::summary).collect(),
            merged_recorded: waits.to_vec(),
        }
    }
}

fn estimates<'r, S>(
    figures: &[Figure<S>],
    runs: &'r [RunFigures],
    first: Option<&'r [RunFigures]>,
    pick: impl Fn(&'r RunFigures) -> &'r [f64],
) -> Estimates {
    let rows = |runs: &'r [RunFigures]| runs.iter().map(&pick).collect::<Vec<_>>();
    Estimates::of(figures, &rows(runs), first.map(rows).as_deref())
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

    /// A figure that is the same in all runs but for chance, one that happens now and then, one that never does.
    #[test]
    fn what_cannot_be_trusted_says_why() {
        let run = |served: f64, gave_up: f64| RunFigures {
            services: vec![
                FIGURES
                    .iter()
                    .map(|figure| match figure.name {
                        "arrivals" => served + gave_up,
                        "served" => served,
                        "gave_up" => gave_up,
                        "refused" | "lost" => 0.0,
                        _ => served / 10.0,
                    })
                    .collect(),
            ],
            journeys: Vec::new(),
            run: vec![20.0],
        };
        let runs: Vec<RunFigures> = (0..12).map(|n| run(1_500.0 + f64::from(n), f64::from(u8::from(n == 3)))).collect();
        let seeds: Vec<u64> = (0..12).collect();
        let found = Replicated::of(&seeds, &runs, &[Latency::default()], Some(&runs));
        let doubt = |name: &str| found.services[0].own[figure(name)].doubt;
        assert_eq!((doubt("arrivals"), doubt("wait_mean_s"), doubt("wait_p99_s")), (None, None, None));
        assert_eq!(doubt("wait_p999_s"), Some(Doubt::FewItems), "1.5 items a run are above it");
        assert_eq!((doubt("gave_up"), doubt("lost")), (Some(Doubt::FewOccurrences), Some(Doubt::NeverSeen)));
        assert_eq!(found.run.own[0].doubt, None);
        let differences = found.services[0].difference.as_ref().expect("there is a first variant");
        assert!(
            differences.iter().all(|d| d.mean == 0.0 && d.half_width == 0.0 && d.doubt.is_none()),
            "{differences:?}"
        );
        let few = Replicated::of(&seeds[..9], &runs[..9], &[Latency::default()], None);
        assert_eq!(few.services[0].own[0].doubt, Some(Doubt::FewRuns));
    }
}
