//! Proof: the emulator against queues whose figures are known exactly.
//!
//! Each reference case becomes a scenario in the project's own language, which is simulated in virtual time in
//! independent replications; every expected figure is estimated with its interval. A case passes when each figure is
//! within 3.9 standard errors and the 95 % interval of each mean is at most 1 % wide to either side (2 % from 40
//! servers up). `loopback` has the model of write buffers beside real sockets instead. Not a part of ordinary runs.
//! Called by `cli` and tests.

pub mod case;
pub mod coverage;
pub mod figures;
pub mod judge;
pub mod loopback;
pub mod parity;
pub mod recorder;
pub mod replicate;
pub mod table;
mod together;
pub mod translate;

use crate::engine::observer::Observer;
use crate::plan::Plan;
use crate::time::Nanos;
use case::Case;
use figures::Wanted;
use judge::{Judged, Verdict};
use replicate::Design;
use translate::Scenario;

/// The seed of a run that asks for none.
pub const SEED: u64 = 281_868;
/// Replications of a case at first, and how many times as many at most.
const REPLICATIONS: usize = 64;
const MORE: usize = 64;
/// Items of a case whose need is not known, all classes together.
const ITEMS: f64 = 8e6;
/// Which part of a replication is recorded.
const RECORDED: f64 = 0.9;
/// Replications of a start from empty: short ones, so many.
const STARTS: usize = 4_000;
const STARTS_MOST: usize = 600_000;
/// Starts from empty are simulated in two lengths, up to this item and up to the last one.
const EARLY: usize = 100;
/// A case of at most so many items belongs to the quick subset.
const QUICK: f64 = 2e6;

/// How cases are checked.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Seed of everything random.
    pub seed: u64,
    /// Threads that run replications.
    pub workers: usize,
    /// What is wrong on purpose.
    pub tampering: Tampering<'a>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Settings { seed: SEED, workers, tampering: Tampering::default() }
    }
}

/// Puts something between the engine and the recorder.
pub type Wrap = dyn Fn(Box<dyn Observer>) -> Box<dyn Observer> + Sync;

/// Mistakes that are planted to see whether they are found.
#[derive(Clone, Copy, Default)]
pub struct Tampering<'a> {
    /// Changes the plan before it is run.
    pub plan: Option<&'a (dyn Fn(&mut Plan) + Sync)>,
    /// Stands between the engine and the recorder.
    pub observer: Option<&'a Wrap>,
}

impl std::fmt::Debug for Tampering<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tampering").field("plan", &self.plan.is_some()).finish_non_exhaustive()
    }
}

/// What came of a case.
#[derive(Debug)]
pub struct Report {
    /// Its name.
    pub id: String,
    /// What it is.
    pub summary: String,
    /// What came of it.
    pub result: CaseResult,
}

/// What came of a case.
#[derive(Debug)]
pub enum CaseResult {
    /// It is not for this part of the program; why.
    Skipped(String),
    /// It cannot be said or run; why.
    Impossible(String),
    /// It was simulated.
    Checked {
        /// Every figure.
        figures: Vec<Judged>,
        /// How it was simulated, one line for each series.
        how: Vec<String>,
        /// Laws that a run broke.
        violations: Vec<String>,
    },
}

impl Report {
    /// Whether the case counts as failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        match &self.result {
            CaseResult::Skipped(_) => false,
            CaseResult::Impossible(_) => true,
            CaseResult::Checked { figures, violations, .. } => {
                !violations.is_empty() || figures.is_empty() || figures.iter().any(|f| f.verdict != Verdict::Ok)
            }
        }
    }

    /// Whether the case was simulated and passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self.result, CaseResult::Checked { .. }) && !self.failed()
    }
}

/// Whether a case belongs to the quick subset.
#[must_use]
pub fn is_quick(case: &Case) -> bool {
    !case.jobs.is_empty() && case.jobs.iter().all(|(_, jobs)| *jobs <= QUICK)
}

/// Simulates a case and judges its figures.
#[must_use]
pub fn check(case: &Case, settings: &Settings<'_>) -> Report {
    let report = |result| Report { id: case.id.clone(), summary: case.summary.clone(), result };
    if let Some(why) = skipped(case) {
        return report(CaseResult::Skipped(why.to_string()));
    }
    report(checked(case, settings).unwrap_or_else(CaseResult::Impossible))
}

/// The scenarios that a case runs, as text; more than one where its figures need several lengths.
///
/// # Errors
/// Why there are none.
pub fn texts(case: &Case, settings: &Settings<'_>) -> Result<Vec<String>, String> {
    if let Some(why) = skipped(case) {
        return Err(why.to_string());
    }
    let (scenario, designs) = designs(case)?;
    Ok(designs.iter().map(|design| replicate::text(&scenario, design, settings)).collect())
}

/// Why a case is not for this part of the program.
fn skipped(case: &Case) -> Option<&'static str> {
    if case.model.contains_key("classes") {
        None
    } else if case.model.contains_key("jobs") {
        Some("a schedule without chance: it is one of the program's own tests")
    } else {
        Some("it is about polling: two streams and an observer, one of the program's own tests")
    }
}

fn checked(case: &Case, settings: &Settings<'_>) -> Result<CaseResult, String> {
    let (scenario, designs) = designs(case)?;
    let (mut figures, mut how, mut violations) = (Vec::new(), Vec::new(), Vec::new());
    for design in &designs {
        let series = replicate::run(&case.id, &scenario, design, settings)?;
        for (at, wanted) in design.wanted.iter().enumerate() {
            let (values, beside) = (&series.values[at], series.beside[at]);
            let items = series.items as f64;
            figures.push(judge::judge(wanted, values, beside, scenario.servers, case.error_bound, items));
        }
        how.push(table::how(design, &series));
        violations.extend(series.violations);
    }
    Ok(CaseResult::Checked { figures, how, violations })
}

/// How the figures of a case are to be simulated.
fn designs(case: &Case) -> Result<(Scenario, Vec<Design>), String> {
    let scenario = translate::scenario(case)?;
    let wanted: Result<Vec<Wanted>, String> =
        case.expected.iter().map(|expected| figures::wanted(expected, &scenario)).collect();
    let (starts, steady): (Vec<Wanted>, Vec<Wanted>) = wanted?.into_iter().partition(|w| w.first().is_some());
    let (early, late): (Vec<Wanted>, Vec<Wanted>) = starts.into_iter().partition(|w| w.first() <= Some(EARLY));
    let mut designs = Vec::new();
    if !steady.is_empty() {
        designs.push(steady_design(case, &scenario, steady));
    }
    for wanted in [early, late] {
        if !wanted.is_empty() {
            designs.push(start_design(&scenario, wanted));
        }
    }
    Ok((scenario, designs))
}

/// Long replications whose beginning is deleted.
fn steady_design(case: &Case, scenario: &Scenario, wanted: Vec<Wanted>) -> Design {
    let rate_of = |name: &str| scenario.classes.iter().find(|class| class.name == name).map_or(0.0, |class| class.rate);
    let known = case.jobs.iter().filter(|(class, _)| rate_of(class) > 0.0).map(|(class, jobs)| jobs / rate_of(class));
    let total: f64 = scenario.classes.iter().map(|class| class.rate).sum();
    let seconds = known.fold(None, |most: Option<f64>, s| Some(most.map_or(s, |most| most.max(s))));
    let seconds = seconds.unwrap_or(ITEMS / total.max(1e-9));
    let service = scenario.classes.iter().map(|class| class.service).fold(0.0, f64::max);
    let length = (seconds * 1.1 / RECORDED / REPLICATIONS as f64).max(2_000.0 * service).ceil();
    Design {
        wanted,
        length: Nanos::from_f64(length * 1e9),
        deleted: Nanos::from_f64(length * (1.0 - RECORDED) * 1e9),
        replications: REPLICATIONS,
        most: REPLICATIONS * MORE,
    }
}

/// Many short replications from an empty system.
fn start_design(scenario: &Scenario, wanted: Vec<Wanted>) -> Design {
    let first = wanted.iter().filter_map(Wanted::first).max().unwrap_or(1) as f64;
    let rate = scenario.classes.iter().map(|class| class.rate).fold(f64::INFINITY, f64::min).max(1e-9);
    let service = scenario.classes.iter().map(|class| class.service).fold(0.0, f64::max);
    // Long enough for the last item to arrive and to begin, but for a chance that no interval would show.
    let length = ((first + 8.0 * first.sqrt() + 20.0) / rate + 150.0 * service).ceil();
    Design {
        wanted,
        length: Nanos::from_f64(length * 1e9),
        deleted: Nanos::ZERO,
        replications: STARTS,
        most: STARTS_MOST,
    }
}
