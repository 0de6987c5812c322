//! Whether a 95 % interval deserves its name: how often the interval that a user is shown contains the exact value.
//!
//! Every experiment is what a user gets: several runs of a reference queue and Student's interval over them, or one run
//! and the interval of its batch means, made by the functions that make the report's. Runs that are too short for their
//! interval have to say so. Not whether the figures themselves are right (`judge`). Called by `cli` and tests.

use statrs::distribution::{Beta, ContinuousCDF};

use super::case::{self, Case};
use super::translate::Scenario;
use super::{Settings, replicate, together, translate};
use crate::engine::{Options, virtual_time};
use crate::metrics::Summary;
use crate::metrics::latency::Latency;
use crate::metrics::replicated::{Estimate, Replicated, RunFigures, figure, run_figures};
use crate::metrics::trust::{self, Doubt};
use crate::plan::{Plan, Warmup};
use crate::rng::StreamKey;
use crate::time::Nanos;

/// Experiments that a statement about coverage is made of.
pub const EXPERIMENTS: usize = 1_000;
/// Experiments of the quick subset.
pub const EXPERIMENTS_QUICK: usize = 250;
/// Runs of an experiment of several: the fewest whose interval is trusted.
pub const RUNS: usize = trust::RUNS_LEAST as usize;
/// Which part of a run is deleted at its begin: that of `verify`.
const DELETED: f64 = 1.0 - super::RECORDED;
/// What an interval is said to cover.
const NOMINAL: f64 = 0.95;
/// How far coverage may be from that over 1,000 experiments: three standard errors of a share of 95 %.
const OFF_MOST: f64 = 0.02;

/// How the interval of an experiment is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Student's over [`RUNS`] runs.
    SeveralRuns,
    /// Batch means of one run.
    OneRun,
    /// Batch means of one run that is too short: no interval may be trusted.
    TooShort,
}

impl Method {
    /// What it is in the output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::SeveralRuns => "10 runs",
            Method::OneRun => "1 run",
            Method::TooShort => "1 short run",
        }
    }
}

/// A reference queue whose intervals are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct System {
    /// The built-in case.
    pub case: &'static str,
    /// How its intervals are made.
    pub method: Method,
    /// Measured items of one run, all classes together, nearly.
    pub items: f64,
    /// It belongs to the quick subset.
    pub quick: bool,
}

const fn system(case: &'static str, method: Method, items: f64) -> System {
    System { case, method, items, quick: false }
}

/// What is looked at. Ten runs together are as long as a mean wait needs to be known to 5 to 15 %: shorter ones have
/// means that are too skewed for Student's t, which supposes normal ones. A single run has 14 or 15 batches of at least
/// the length that `metrics::trust` asks for.
pub const SYSTEMS: &[System] = &[
    System { case: "mmck_c4_K10", method: Method::SeveralRuns, items: 2_000.0, quick: true },
    system("mm1_rho0.5", Method::SeveralRuns, 5_000.0),
    system("mm1_rho0.8", Method::SeveralRuns, 20_000.0),
    system("mmc_c4_rho0.8", Method::SeveralRuns, 20_000.0),
    system("mdc_c4", Method::SeveralRuns, 10_000.0),
    system("mh2c_c4", Method::SeveralRuns, 30_000.0),
    system("erlangA_c10", Method::SeveralRuns, 5_000.0),
    system("caps2_c4k2_own", Method::SeveralRuns, 20_000.0),
    system("prio_np_mmc10", Method::SeveralRuns, 10_000.0),
    system("closed_N40_c4", Method::SeveralRuns, 5_000.0),
    System { case: "mm1_rho0.5", method: Method::OneRun, items: 8_000.0, quick: true },
    system("mm1_rho0.8", Method::OneRun, 60_000.0),
    system("mmc_c4_rho0.8", Method::OneRun, 60_000.0),
    System { case: "mm1_rho0.8", method: Method::TooShort, items: 1_000.0, quick: true },
];

/// A figure of which reports show intervals, the exact figure that it is near, and what the exact one is multiplied by
/// with the measured seconds.
const FIGURES: &[(&str, &str, bool)] = &[
    ("mean_wait", "wait_mean_s", false),
    ("mean_wait_all_arrivals", "wait_mean_s", false),
    ("mean_busy", "thread_seconds", true),
];

/// What came of one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Of what.
    pub system: System,
    /// The class and the figure of the report.
    pub figure: String,
    /// The exact value.
    pub exact: f64,
    /// Experiments.
    pub experiments: usize,
    /// Of those, how many intervals were shown without a doubt.
    pub trusted: usize,
    /// Of the trusted intervals (of all of them where the runs are too short), how many contain the exact value.
    pub covered: usize,
    /// The mean half-width, as a share of the exact value.
    pub half_width: f64,
}

/// Whether intervals are as good as they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As good as they say; or, for runs that are too short, none was trusted.
    Ok,
    /// They contain the exact value too rarely: too narrow, or beside it.
    Low,
    /// They contain it too often: too wide.
    High,
    /// Most were not trusted, where the runs are long enough.
    Doubted,
    /// Runs that are too short were trusted.
    Believed,
}

impl Verdict {
    /// The word in the output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Low => "LOW",
            Verdict::High => "HIGH",
            Verdict::Doubted => "DOUBTED",
            Verdict::Believed => "BELIEVED",
        }
    }
}

impl Row {
    /// Which part of the intervals contains the exact value.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.judged().max(1) as f64
    }

    /// The 95 % range of the coverage itself (Clopper and Pearson).
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let (n, hits) = (self.judged() as f64, self.covered as f64);
        let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
        let low = if hits == 0.0 { 0.0 } else { quantile(hits, n - hits + 1.0, 0.025) };
        let high = if hits == n { 1.0 } else { quantile(hits + 1.0, n - hits, 0.975) };
        (low, high)
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (low, high) = allowed(self.judged());
        match self.system.method {
            Method::TooShort if self.trusted > 0 => Verdict::Believed,
            Method::TooShort => Verdict::Ok,
            _ if self.trusted * 2 < self.experiments => Verdict::Doubted,
            _ if self.coverage() < low => Verdict::Low,
            _ if self.coverage() > high => Verdict::High,
            _ => Verdict::Ok,
        }
    }

    fn judged(&self) -> usize {
        if self.system.method == Method::TooShort { self.experiments } else { self.trusted }
    }
}

/// Which coverage passes over this many experiments: 93 to 97 % over 1,000, and as many standard errors over others.
#[must_use]
pub fn allowed(experiments: usize) -> (f64, f64) {
    let off = OFF_MOST * (EXPERIMENTS as f64 / experiments.max(1) as f64).sqrt();
    (NOMINAL - off, (NOMINAL + off).min(1.0))
}

/// An interval in the report's units.
#[derive(Clone, Copy, Debug)]
struct Interval {
    mean: f64,
    half_width: f64,
    doubt: Option<Doubt>,
}

/// A figure that is looked at.
struct Wanted {
    class: usize,
    figure: usize,
    name: String,
    exact: f64,
}

/// Looks at one system: the rows of its figures.
///
/// # Errors
/// Why it cannot be run, or a law that a run broke.
pub fn check(
    system: &System,
    experiments: usize,
    settings: &Settings<'_>,
    ended: &(dyn Fn() + Sync),
) -> Result<Vec<Row>, String> {
    let case = case::built_in().into_iter().find(|case| case.id == system.case);
    let case = case.ok_or_else(|| format!("there is no case {}", system.case))?;
    let scenario = translate::scenario(&case)?;
    let (length, deleted) = lengths(&scenario, system.items);
    let plan = replicate::plan(&case.id, &scenario.text(length.0, settings.seed), settings)?;
    let plan = Plan { warmup: Warmup::Given(deleted), ..plan };
    let wanted = wanted(&case, &scenario, system.method, length.since(deleted));
    let family = StreamKey::new(settings.seed, &format!("coverage/{}/{}", system.case, system.method.name()));
    let intervals = together::each(0..experiments, settings.workers, |number| {
        let plan = Plan { seed: family.stream(number as u64, 0).bits(), ..plan.clone() };
        let found = experiment(&plan, system.method, &wanted);
        ended();
        found
    })?;
    let row = |(at, wanted): (usize, &Wanted)| row(system, wanted, intervals.iter().map(|all| all[at]));
    Ok(wanted.iter().enumerate().map(row).collect())
}

fn row(system: &System, wanted: &Wanted, intervals: impl Iterator<Item = Interval>) -> Row {
    let all: Vec<Interval> = intervals.collect();
    let trusted = |one: &&Interval| one.doubt.is_none();
    let counts = |one: &&Interval| system.method == Method::TooShort || trusted(one);
    let covers = |one: &&Interval| (one.mean - wanted.exact).abs() <= one.half_width;
    Row {
        system: *system,
        figure: wanted.name.clone(),
        exact: wanted.exact,
        experiments: all.len(),
        trusted: all.iter().filter(trusted).count(),
        covered: all.iter().filter(counts).filter(covers).count(),
        half_width: all.iter().map(|one| one.half_width).sum::<f64>() / all.len().max(1) as f64 / wanted.exact,
    }
}

/// Length of a run with so many measured items, and of its deleted begin.
fn lengths(scenario: &Scenario, items: f64) -> (Nanos, Nanos) {
    let rate: f64 = scenario.classes.iter().map(|class| class.rate).sum();
    let length = (items / rate.max(1e-9) / (1.0 - DELETED)).ceil();
    (Nanos::from_f64(length * 1e9), Nanos::from_f64(length * DELETED * 1e9))
}

/// The figures of a case of which reports have intervals. Of a single run, they show that of the mean wait alone.
fn wanted(case: &Case, scenario: &Scenario, method: Method, measured: Nanos) -> Vec<Wanted> {
    let mut all = Vec::new();
    for expected in &case.expected {
        let class = scenario.classes.iter().position(|class| class.name == expected.group);
        let known = FIGURES.iter().find(|(exact, ..)| *exact == expected.figure);
        let (Some(class), Some((_, name, times))) = (class, known) else { continue };
        if method != Method::SeveralRuns && *name != "wait_mean_s" {
            continue;
        }
        let factor = if *times { measured.as_secs_f64() } else { 1.0 };
        let exact = expected.value * factor;
        all.push(Wanted { class, figure: figure(name), name: format!("{}.{name}", expected.group), exact });
    }
    all
}

/// The intervals of one experiment.
fn experiment(plan: &Plan, method: Method, wanted: &[Wanted]) -> Result<Vec<Interval>, String> {
    if method == Method::SeveralRuns {
        let seeds: Vec<u64> = (0..RUNS).map(|number| plan.seed_of_run(number)).collect();
        let runs: Result<Vec<RunFigures>, String> =
            seeds.iter().map(|seed| one_run(plan, *seed).map(|summary| run_figures(&summary))).collect();
        let waits = vec![Latency::default(); plan.classes.len()];
        let found = Replicated::of(&seeds, &runs?, &waits, None);
        let interval = |wanted: &Wanted| {
            let Estimate { mean, half_width, doubt, .. } = found.services[wanted.class].own[wanted.figure];
            Interval { mean, half_width, doubt }
        };
        return Ok(wanted.iter().map(interval).collect());
    }
    let summary = one_run(plan, plan.seed)?;
    let seconds = summary.measured().as_secs_f64();
    let held: f64 = summary.classes.iter().map(|class| class.thread_seconds).sum();
    let utilisation = held / seconds / f64::from(plan.pool.size);
    let interval = |wanted: &Wanted| {
        let class = &summary.classes[wanted.class];
        let means = &class.wait_batches;
        let doubt = trust::of_one_run(means, utilisation, class.still_waiting, class.wait.count);
        let half_width = means.half_width_us.map_or(f64::INFINITY, |us| us / 1e6);
        Interval { mean: class.wait.mean_us / 1e6, half_width, doubt }
    };
    Ok(wanted.iter().map(interval).collect())
}

fn one_run(plan: &Plan, seed: u64) -> Result<Summary, String> {
    let plan = Plan { seed, ..plan.clone() };
    let output = virtual_time::run(&plan, &Options::default()).map_err(|error| error.to_string())?;
    match output.summary.violations.first() {
        Some(violation) => Err(format!("a law was broken: {violation}")),
        None => Ok(output.summary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: Method, trusted: usize, covered: usize) -> Row {
        Row {
            system: system("mm1_rho0.5", method, 1.0),
            figure: String::new(),
            exact: 1.0,
            experiments: 1_000,
            trusted,
            covered,
            half_width: 0.01,
        }
    }

    #[test]
    fn coverage_passes_between_93_and_97_percent_of_a_thousand() {
        use Method::{OneRun, SeveralRuns, TooShort};
        let table = [
            (SeveralRuns, 1_000, 950, Verdict::Ok),
            (SeveralRuns, 1_000, 930, Verdict::Ok),
            (SeveralRuns, 1_000, 929, Verdict::Low),
            (SeveralRuns, 1_000, 970, Verdict::Ok),
            (SeveralRuns, 1_000, 971, Verdict::High),
            (OneRun, 499, 475, Verdict::Doubted),
            (OneRun, 0, 0, Verdict::Doubted),
            (OneRun, 800, 700, Verdict::Low),
            (TooShort, 0, 800, Verdict::Ok),
            (TooShort, 1, 950, Verdict::Believed),
        ];
        for (method, trusted, covered, verdict) in table {
            assert_eq!(row(method, trusted, covered).verdict(), verdict, "{method:?} {trusted} {covered}");
        }
        let (low, high) = allowed(250);
        assert!((low - 0.91).abs() < 1e-12 && (high - 0.99).abs() < 1e-12);
    }

    /// Any table of Clopper and Pearson's intervals: 950 of 1,000 gives 0.9346 to 0.9627.
    #[test]
    fn the_range_of_a_share_is_clopper_and_pearsons() {
        let (low, high) = row(Method::OneRun, 1_000, 950).range();
        assert!((low - 0.9346).abs() < 1e-4 && (high - 0.9627).abs() < 1e-4, "{low} {high}");
        assert_eq!(row(Method::OneRun, 1_000, 1_000).range().1, 1.0);
        assert_eq!(row(Method::OneRun, 1_000, 0).range().0, 0.0);
    }
}
