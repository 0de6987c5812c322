//! Many independent runs in virtual time, in parallel, and what they say together.
//!
//! Every variant runs under the same seeds, so differences between variants are paired (common random numbers). Not the
//! estimates themselves, which are `metrics::replicated`'s. Called by `cli`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{Progress, Ran, RunOptions, notices, variant};
use crate::engine::{EngineError, Options, RunOutput, virtual_time};
use crate::metrics::latency::Latency;
use crate::metrics::replicated::{Replicated, RunFigures, run_figures};
use crate::plan::Plan;
use crate::report::{Report, VariantReport, threshold};
use crate::rng::StreamKey;

/// What is kept of one replication: for each variant its figures and its waits; the whole output of the first.
struct Kept {
    figures: Vec<RunFigures>,
    waits: Vec<Vec<Latency>>,
    outputs: Vec<RunOutput>,
}

/// The seed of replication `number` (from 0): the plan's own for the first.
fn seed(plan: &Plan, number: usize) -> u64 {
    if number == 0 {
        return plan.seed;
    }
    StreamKey::new(plan.seed, "replication").stream(number as u64, 0).bits()
}

/// Runs every plan `count` times (at least twice) in virtual time on all processors. An interrupt ends it after the
/// replications that are complete.
#[must_use]
pub fn replicate(plans: &[Plan], count: usize, options: &RunOptions, progress: &dyn Progress) -> Ran {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<(String, EngineError)>> = Mutex::new(None);
    let kept: Mutex<Vec<(usize, Kept)>> = Mutex::new(Vec::new());
    plans.iter().enumerate().for_each(|(at, plan)| progress.begins(at, plan));
    let worker = || {
        loop {
            // Ordering: Relaxed; the counter only hands out numbers.
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count || options.interrupt.is_set() || failed.lock().is_some() {
                return;
            }
            match one(plans, number, options) {
                Ok(Some(one)) => {
                    let mut kept = kept.lock();
                    kept.push((number, one));
                    let done = kept.len() as f64 / count as f64;
                    plans.iter().enumerate().for_each(|(at, plan)| progress.reached(at, plan.duration.scale(done)));
                }
                Ok(None) => return,
                Err(error) => *failed.lock() = Some(error),
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(count);
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // A system that refuses the thread leaves the work to the others.
            let _ = std::thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    plans.iter().enumerate().for_each(|(at, _)| progress.ends(at));
    let mut kept = kept.into_inner();
    kept.sort_by_key(|(number, _)| *number);
    Ran { report: report(plans, kept, count), error: failed.into_inner() }
}

/// One replication of every plan; `None` when it was interrupted.
fn one(plans: &[Plan], number: usize, options: &RunOptions) -> Result<Option<Kept>, (String, EngineError)> {
    let mut kept = Kept { figures: Vec::new(), waits: Vec::new(), outputs: Vec::new() };
    for plan in plans {
        let plan = Plan { seed: seed(plan, number), ..plan.clone() };
        let engine = Options { interrupt: options.interrupt.clone(), ..Options::default() };
        let mut output = virtual_time::run(&plan, &engine).map_err(|error| (plan.variant.clone(), error))?;
        if output.interrupted {
            return Ok(None);
        }
        kept.figures.push(run_figures(&output.summary));
        let recorded = output.summary.classes.iter_mut().map(|class| std::mem::take(&mut class.wait_recorded));
        kept.waits.push(recorded.collect());
        if number == 0 {
            kept.outputs.push(output);
        }
    }
    Ok(Some(kept))
}

fn report(plans: &[Plan], kept: Vec<(usize, Kept)>, count: usize) -> Option<Report> {
    let mut figures: Vec<Vec<RunFigures>> = vec![Vec::new(); plans.len()];
    let mut waits: Vec<Vec<Latency>> = Vec::new();
    let mut variants: Vec<VariantReport> = Vec::new();
    let mut numbers = Vec::new();
    for (number, one) in kept {
        numbers.push(number);
        for (all, own) in figures.iter_mut().zip(one.figures) {
            all.push(own);
        }
        if waits.is_empty() {
            waits = one.waits;
        } else {
            let pairs = waits.iter_mut().flatten().zip(one.waits.iter().flatten());
            pairs.for_each(|(all, own)| all.merge(own));
        }
        for (plan, output) in plans.iter().zip(one.outputs) {
            variants.push(variant(Arc::new(plan.clone()), output));
        }
    }
    if variants.is_empty() {
        return None;
    }
    if numbers.len() >= 2 {
        for (at, variant) in variants.iter_mut().enumerate() {
            let seeds: Vec<u64> = numbers.iter().map(|number| seed(&plans[at], *number)).collect();
            let first = (at > 0).then(|| figures[0].as_slice());
            variant.replicated = Some(Replicated::of(&seeds, &figures[at], &waits[at], first));
            variant.asserts = threshold::check(&variant.plan, &variant.summary, variant.replicated.as_ref());
        }
    }
    let mut found = notices::of(&variants, &[]);
    if numbers.len() < count {
        found.insert(0, notices::fewer_replications(numbers.len(), count));
    }
    Some(Report { engine: "virtual".to_string(), notices: found, variants })
}
