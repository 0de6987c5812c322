//! Many independent runs in virtual time, in parallel, and what they say together.
//!
//! Every variant runs under the same seeds, so differences between variants are paired (common random numbers). Not the
//! estimates themselves, which are `metrics::replicated`'s. Called by `cli`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::precision::{self, Wish};
use super::warmup::{Prepared, prepare};
use super::{EngineKind, Listeners, Progress, Ran, RunOptions, cluster_figures, limits, notices, parallel, variant};
use crate::engine::{EngineError, Options, RunOutput, virtual_time};
use crate::metrics::failover::{ClusterFigures, over_runs};
use crate::metrics::intervals::Keep;
use crate::metrics::latency::Latency;
use crate::metrics::limits::LimitFigures;
use crate::metrics::replicated::{Replicated, RunFigures, run_figures};
use crate::plan::Plan;
use crate::report::{Precision, Report, VariantReport, threshold};

/// How many runs of each plan, or how exactly they are to know something.
#[derive(Clone, Debug, PartialEq)]
pub enum Replications {
    /// So many; at least 2.
    Fixed(usize),
    /// So many at first (at least 2), and more until the wish is fulfilled.
    Until(usize, Wish),
}

/// What is kept of one replication: for each variant its figures and what went wrong; the whole output of the first.
struct Kept {
    figures: Vec<RunFigures>,
    violations: Vec<Vec<String>>,
    panics: Vec<u64>,
    clusters: Vec<Option<ClusterFigures>>,
    limits: Vec<Vec<(String, f64)>>,
    outputs: Vec<(RunOutput, LimitFigures)>,
}

/// The waits of all runs, of each variant and class: adding up is the same in any order, and a histogram a run would be
/// much memory.
type Waits = Mutex<Vec<Vec<Latency>>>;

/// Runs every plan several times (at least twice) in virtual time on all processors. An interrupt ends it after the
/// replications that are complete.
#[must_use]
pub fn replicate(plans: &[Plan], wanted: &Replications, options: &RunOptions, progress: &dyn Progress) -> Ran {
    let prepared = match prepare(plans, options, progress) {
        Ok(Some(prepared)) => prepared,
        Ok(None) => return Ran { report: None, error: None },
        Err(error) => return Ran { report: None, error: Some(error) },
    };
    let plans = &prepared.plans;
    let (rounds, wish) = match wanted {
        Replications::Fixed(count) => (vec![*count], None),
        Replications::Until(first, wish) => (precision::rounds(*first, wish.most), Some(wish)),
    };
    let waits: Waits = Mutex::new(vec![Vec::new(); plans.len()]);
    let done = AtomicUsize::new(0);
    let mut kept: Vec<(usize, Kept)> = Vec::new();
    let (mut count, mut error, mut reached) = (0, None, None);
    for round in rounds {
        let all = round * plans.len();
        let ended = || {
            // Ordering: Relaxed; a count for a progress bar.
            progress.together("replications", done.fetch_add(1, Ordering::Relaxed) + 1, all);
        };
        let found =
            parallel::each(count..round, &options.interrupt, |number| one(plans, number, options, &waits, &ended));
        count = round;
        kept.extend(found.pieces);
        error = found.error;
        let Some(wish) = wish else { break };
        let runs: Vec<Vec<&RunFigures>> =
            (0..plans.len()).map(|at| kept.iter().map(|(_, one)| &one.figures[at]).collect()).collect();
        let judged = precision::judge(wish, plans, &runs);
        let enough = judged.wide.is_empty() || kept.len() < count || error.is_some();
        reached = Some(judged);
        if enough {
            break;
        }
    }
    let report = report(&prepared, kept, &waits.into_inner(), count).map(|report| with_precision(report, reached));
    Ran { report, error }
}

/// One replication of every plan; `None` when it was interrupted.
fn one(
    plans: &[Plan],
    number: usize,
    options: &RunOptions,
    waits: &Waits,
    ended: &dyn Fn(),
) -> Result<Option<Kept>, (String, EngineError)> {
    let mut kept = Kept {
        figures: Vec::new(),
        violations: Vec::new(),
        panics: Vec::new(),
        clusters: Vec::new(),
        limits: Vec::new(),
        outputs: Vec::new(),
    };
    let mut recorded: Vec<Vec<Latency>> = Vec::new();
    for plan in plans {
        let plan = Plan { seed: plan.seed_of_run(number), ..plan.clone() };
        let (interrupt, max_events) = (options.interrupt.clone(), options.max_events);
        let intervals = if number == 0 { options.intervals } else { Keep::Nothing };
        // The files of several runs show the first.
        let listeners = Listeners { trace: None, perfetto: options.perfetto.as_ref().filter(|_| number == 0) };
        let trace = listeners.as_trace();
        let engine = Options { interrupt, max_events, intervals, trace, ..Options::default() };
        listeners.begin(EngineKind::Virtual, &plan);
        let result = virtual_time::run(&plan, &engine);
        listeners.end(&plan, result.as_ref().ok());
        let mut output = result.map_err(|error| (plan.variant.clone(), error))?;
        let limits = limits::beside(&plan, &mut output, &options.interrupt, &|_| ());
        let limits = limits.map_err(|error| (plan.variant.clone(), error))?;
        if output.interrupted && !output.out_of_events {
            return Ok(None);
        }
        ended();
        kept.figures.push(run_figures(&output.summary));
        kept.violations.push(output.summary.violations.clone());
        kept.panics.push(output.panics);
        kept.limits.push(limits.listed());
        kept.violations.last_mut().into_iter().for_each(|all| all.extend(limits.violations()));
        kept.clusters.push(cluster_figures(&plan, &output));
        let own = output.summary.classes.iter_mut().map(|class| std::mem::take(&mut class.wait_recorded));
        recorded.push(own.collect());
        if number == 0 {
            kept.outputs.push((output, limits));
        }
    }
    let mut waits = waits.lock();
    for (all, own) in waits.iter_mut().zip(recorded) {
        if all.is_empty() {
            *all = own;
        } else {
            all.iter_mut().zip(&own).for_each(|(all, own)| all.merge(own));
        }
    }
    Ok(Some(kept))
}

fn report(prepared: &Prepared, kept: Vec<(usize, Kept)>, waits: &[Vec<Latency>], count: usize) -> Option<Report> {
    let plans = &prepared.plans;
    let mut figures: Vec<Vec<RunFigures>> = vec![Vec::new(); plans.len()];
    let mut clusters: Vec<Vec<ClusterFigures>> = vec![Vec::new(); plans.len()];
    let mut limits: Vec<Vec<Vec<(String, f64)>>> = vec![Vec::new(); plans.len()];
    let mut variants: Vec<VariantReport> = Vec::new();
    let mut numbers = Vec::new();
    for (number, one) in kept {
        numbers.push(number);
        for (all, own) in figures.iter_mut().zip(one.figures) {
            all.push(own);
        }
        for (all, own) in clusters.iter_mut().zip(one.clusters) {
            all.extend(own);
        }
        for (all, own) in limits.iter_mut().zip(one.limits) {
            all.push(own);
        }
        for ((plan, (output, limits)), pilot) in plans.iter().zip(one.outputs).zip(&prepared.pilots) {
            variants.push(VariantReport { pilot: *pilot, ..variant(Arc::new(plan.clone()), output, limits) });
        }
        // A law that is broken in any run is broken.
        for (variant, (violations, panics)) in variants.iter_mut().zip(one.violations.into_iter().zip(one.panics)) {
            if number > 0 {
                variant.summary.violations.extend(violations);
                variant.panics += panics;
            }
        }
    }
    if variants.is_empty() {
        return None;
    }
    if numbers.len() >= 2 {
        for (at, variant) in variants.iter_mut().enumerate() {
            let seeds: Vec<u64> = numbers.iter().map(|number| plans[at].seed_of_run(*number)).collect();
            let first = (at > 0).then(|| figures[0].as_slice());
            variant.replicated = Some(Replicated::of(&seeds, &figures[at], &waits[at], first));
            if let Some(cluster) = &mut variant.cluster {
                let runs: Vec<Vec<(String, f64)>> = clusters[at].iter().map(ClusterFigures::listed).collect();
                cluster.over_runs = over_runs(&runs);
            }
            variant.limits_over_runs = over_runs(&limits[at]);
            let (cluster, replicated) = (variant.cluster.as_ref(), variant.replicated.as_ref());
            let limits = (&variant.limits, variant.limits_over_runs.as_slice());
            variant.asserts = threshold::check(&variant.plan, &variant.summary, cluster, replicated, limits);
        }
    }
    let mut found = notices::of(&variants, &[]);
    if numbers.len() < count {
        found.insert(0, notices::fewer_replications(numbers.len(), count));
    }
    Some(Report { engine: "virtual".to_string(), notices: found, variants, precision: None, origin: None })
}

fn with_precision(mut report: Report, reached: Option<Precision>) -> Report {
    if let Some(reached) = reached {
        report.notices.extend(notices::precision(&reached));
        report.notices.sort_by_key(|notice| std::cmp::Reverse(notice.gravity));
        report.precision = Some(reached);
    }
    report
}
