//! Independent replications of one scenario, on all cores, until the intervals are narrow enough.
//!
//! Replication and deletion: each replication starts from an empty system with a seed of its own, its first tenth is
//! not recorded, and gives one value for each figure. More replications are added while an interval is too wide; whether
//! a figure is near what is expected plays no part in that. Not the verdict (`judge`). Called by `verify`.

use std::sync::Arc;

use super::Settings;
use super::figures::{Wanted, watch};
use super::judge;
use super::recorder::{Recorder, Watch};
use super::together;
use super::translate::Scenario;
use crate::engine::{Options, virtual_time};
use crate::plan::Plan;
use crate::rng::StreamKey;
use crate::scenario::{Base, Overrides, read};
use crate::time::Nanos;

/// How replications are made.
#[derive(Clone, Debug)]
pub struct Design {
    /// What is to be estimated.
    pub wanted: Vec<Wanted>,
    /// Length of one replication, with its deleted start.
    pub length: Nanos,
    /// The deleted start.
    pub deleted: Nanos,
    /// How many replications at first.
    pub replications: usize,
    /// How many at most.
    pub most: usize,
}

/// What came of a series.
#[derive(Debug, Default)]
pub struct Series {
    /// Of each wanted figure: its value in each replication.
    pub values: Vec<Vec<f64>>,
    /// Of each wanted figure: the mean tails beside it, for quantiles.
    pub beside: Vec<Option<(f64, f64)>>,
    /// Items that began their service, in all.
    pub items: u64,
    /// Replications.
    pub replications: usize,
    /// Laws that a run broke.
    pub violations: Vec<String>,
}

/// One replication's answers.
struct One {
    values: Vec<f64>,
    beside: Vec<Option<(f64, f64)>>,
    items: u64,
    violations: Vec<String>,
}

/// The scenario's text, as it is run.
#[must_use]
pub fn text(scenario: &Scenario, design: &Design, settings: &Settings<'_>) -> String {
    scenario.text(design.length.0, settings.seed)
}

/// The plan of a scenario's text, with what is wrong in it on purpose.
///
/// # Errors
/// Why there is none.
pub(super) fn plan(id: &str, text: &str, settings: &Settings<'_>) -> Result<Plan, String> {
    let (plans, problems) = read(id, text, &Base::Builtin, &Overrides::default());
    let told = || problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let mut plan = plans.and_then(|plans| plans.into_iter().next()).ok_or_else(told)?;
    if let Some(change) = settings.tampering.plan {
        change(&mut plan);
    }
    Ok(plan)
}

/// Runs a design.
///
/// # Errors
/// Why the scenario cannot be run.
pub fn run(id: &str, scenario: &Scenario, design: &Design, settings: &Settings<'_>) -> Result<Series, String> {
    let plan = plan(id, &text(scenario, design, settings), settings)?;
    let wanted: Vec<&Wanted> = design.wanted.iter().collect();
    let watch = Watch { from: design.deleted, ..watch(&wanted, scenario) };
    let runner = Runner { id, scenario, design, settings, plan, watch };
    let mut all: Vec<One> = Vec::new();
    let mut goal = design.replications;
    loop {
        all.extend(runner.some(all.len(), goal)?);
        let excess = excess(&all, design, scenario);
        if excess <= 1.0 || goal >= design.most {
            break;
        }
        // Well above what is needed: stopping at the very first moment at which an interval is narrow enough favours
        // samples without large values, and so means that are too small.
        let more = (goal as f64 * excess * excess * 1.3) as usize;
        goal = more.clamp(goal + 1, design.most);
    }
    Ok(together(&all, design.wanted.len()))
}

/// How many times too wide the widest interval is.
fn excess(all: &[One], design: &Design, scenario: &Scenario) -> f64 {
    let of = |(at, wanted): (usize, &Wanted)| {
        let allowed = judge::allowed(wanted, scenario.servers)?;
        let values: Vec<f64> = all.iter().map(|one| one.values[at]).filter(|x| x.is_finite()).collect();
        let (_, error) = judge::mean_and_error(&values);
        let half = judge::student(values.len() as f64 - 1.0) * error;
        Some(half / (allowed * wanted.target_value().abs()))
    };
    design.wanted.iter().enumerate().filter_map(of).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

fn together(all: &[One], figures: usize) -> Series {
    let beside = |at: usize| {
        let found: Vec<(f64, f64)> = all.iter().filter_map(|one| one.beside[at]).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| found.iter().map(of).sum::<f64>() / found.len() as f64;
        (!found.is_empty()).then(|| (mean(|pair| pair.0), mean(|pair| pair.1)))
    };
    let mut violations: Vec<String> = all.iter().flat_map(|one| one.violations.clone()).collect();
    violations.truncate(5);
    Series {
        values: (0..figures).map(|at| all.iter().map(|one| one.values[at]).collect()).collect(),
        beside: (0..figures).map(beside).collect(),
        items: all.iter().map(|one| one.items).sum(),
        replications: all.len(),
        violations,
    }
}

struct Runner<'r> {
    id: &'r str,
    scenario: &'r Scenario,
    design: &'r Design,
    settings: &'r Settings<'r>,
    plan: Plan,
    watch: Watch,
}

impl Runner<'_> {
    /// Replications `from` to (not including) `to`, in order.
    fn some(&self, from: usize, to: usize) -> Result<Vec<One>, String> {
        together::each(from..to, self.settings.workers, |number| self.one(number))
    }

    fn one(&self, number: usize) -> Result<One, String> {
        let seed = StreamKey::new(self.settings.seed, self.id).stream(number as u64, 0).bits();
        let plan = Plan { seed, load: Arc::clone(&self.plan.load), ..self.plan.clone() };
        let recorder = Box::new(Recorder::new(self.watch.clone()));
        let observer = match self.settings.tampering.observer {
            Some(wrap) => wrap(recorder),
            None => recorder,
        };
        let (output, observer) =
            virtual_time::observe(&plan, &Options::default(), Some(observer)).map_err(|error| error.to_string())?;
        let recorder = observer.and_then(|observer| observer.into_any().downcast::<Recorder>().ok());
        let mut recorder = recorder.ok_or("the recorder is lost")?;
        recorder.close(self.design.length);
        let of = |wanted: &Wanted| wanted.value(&recorder, &self.watch, self.scenario);
        Ok(One {
            values: self.design.wanted.iter().map(of).collect(),
            beside: self.design.wanted.iter().map(|wanted| wanted.beside(&recorder, &self.watch)).collect(),
            items: output.summary.classes.iter().map(|class| class.outcomes.served).sum(),
            violations: output.summary.violations,
        })
    }
}
