//! The warm-up of a scenario that says `warmup = "auto"`: pilot runs in virtual time, and MSER-5 on their average.
//!
//! The series is the number of items in the system (waiting and in service, of all classes), averaged over equal
//! stretches of time and over the pilot runs: one run's series is too rough to see where it settles, and on single runs
//! MSER-5 makes means worse instead of better. The pilots have seeds of their own, not those of the runs that are
//! reported: a warm-up that is chosen by looking at the very values that are then deleted or kept would bias them. Not
//! the rule itself (`metrics::warmup`). Called by [`super::run`] and [`super::replications`].

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Progress, RunOptions, parallel};
use crate::engine::observer::Observer;
use crate::engine::{EngineError, Options, virtual_time};
use crate::item::Outcome;
use crate::metrics::warmup::mser5;
use crate::plan::{Plan, Warmup};
use crate::report::{Pilot, Settling};
use crate::rng::StreamKey;
use crate::time::Nanos;
use crate::workload::{Item, JourneyEnd};

/// Pilot runs of each variant. With 20 the average is still so rough that M/M/2 at 0.9, which forgets its begin within
/// some 20 s, got warm-ups of 2 s to 65 s in runs of 4 min; with 100 it is 10 s to 20 s as a rule.
const PILOTS: usize = 100;
/// Stretches of time of the series: 200 batches of five.
const BINS: usize = 1_000;

/// Plans whose warm-up is known, and what the pilot runs of each said.
pub(super) struct Prepared {
    pub(super) plans: Vec<Plan>,
    pub(super) pilots: Vec<Option<Pilot>>,
}

/// Chooses the warm-up where it is to be chosen: for all such variants the longest that one of them needs, so that they
/// stay comparable run by run. `None`: interrupted.
///
/// # Errors
/// The variant whose pilot could not run, and why.
pub(super) fn prepare(
    plans: &[Plan],
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<Option<Prepared>, (String, EngineError)> {
    let mut pilots = vec![None; plans.len()];
    let (mut wanted, mut overloaded) = (Vec::new(), Vec::new());
    for (at, plan) in plans.iter().enumerate().filter(|(_, plan)| plan.warmup == Warmup::Auto(None)) {
        if plan.overloads().is_empty() { wanted.push(at) } else { overloaded.push(at) }
    }
    let told = |found, bin, runs: usize| Some(Pilot { runs: runs as u32, bin, found });
    for at in overloaded {
        pilots[at] = told(Settling::Overloaded, Nanos::ZERO, 0);
    }
    let all = wanted.len() * PILOTS;
    let done = AtomicUsize::new(0);
    let found = parallel::each(0..all, &options.interrupt, |number| {
        let plan = &plans[wanted[number / PILOTS]];
        let series = pilot(plan, number % PILOTS, options).map_err(|error| (plan.variant.clone(), error));
        // Ordering: Relaxed; a count for a progress bar.
        progress.together("pilot runs", done.fetch_add(1, Ordering::Relaxed) + 1, all);
        series
    });
    if let Some(error) = found.error {
        return Err(error);
    }
    if found.pieces.len() < all {
        return Ok(None);
    }
    for (place, at) in wanted.iter().enumerate() {
        let series = found.pieces[place * PILOTS..(place + 1) * PILOTS].iter().map(|(_, series)| series);
        let bin = bin(plans[*at].duration);
        pilots[*at] = told(settling(&average(series), bin), bin, PILOTS);
    }
    let settled = |pilot: &Option<Pilot>| match pilot.map(|pilot| pilot.found) {
        Some(Settling::After(time)) => time,
        _ => Nanos::ZERO,
    };
    let longest = pilots.iter().map(settled).max().unwrap_or_default();
    let chosen = |(plan, pilot): (&Plan, &Option<Pilot>)| match pilot {
        Some(_) => Plan { warmup: Warmup::Auto(Some(longest)), ..plan.clone() },
        None => plan.clone(),
    };
    Ok(Some(Prepared { plans: plans.iter().zip(&pilots).map(chosen).collect(), pilots }))
}

fn bin(duration: Nanos) -> Nanos {
    Nanos((duration.0 / BINS as u64).max(1))
}

/// Where an average series settles.
fn settling(series: &[f64], bin: Nanos) -> Settling {
    match mser5(series) {
        Some(found) if !found.at_the_edge => Settling::After(bin * found.values as u64),
        _ => Settling::Never,
    }
}

fn average<'s>(all: impl Iterator<Item = &'s Vec<f64>>) -> Vec<f64> {
    let mut mean = vec![0.0; BINS];
    for series in all {
        mean.iter_mut().zip(series).for_each(|(sum, value)| *sum += value / PILOTS as f64);
    }
    mean
}

/// The series of one pilot run; `None` where it was interrupted.
fn pilot(plan: &Plan, number: usize, options: &RunOptions) -> Result<Option<Vec<f64>>, EngineError> {
    let seed = StreamKey::new(plan.seed, "pilot").stream(number as u64, 0).bits();
    let plan = Plan { seed, ..plan.clone() };
    let engine = Options { interrupt: options.interrupt.clone(), ..Options::default() };
    let watch = InSystem { bin: bin(plan.duration), ..InSystem::default() };
    let (output, observer) = virtual_time::observe(&plan, &engine, Some(Box::new(watch)))?;
    if output.interrupted {
        return Ok(None);
    }
    let watch = observer.and_then(|observer| observer.into_any().downcast::<InSystem>().ok());
    Ok(watch.map(|mut watch| {
        watch.until(plan.duration);
        watch.series()
    }))
}

/// Follows how many items are in the system.
#[derive(Debug, Default)]
struct InSystem {
    bin: Nanos,
    now: Nanos,
    items: u64,
    /// Item-nanoseconds of each stretch.
    held_ns: Vec<u128>,
}

impl InSystem {
    /// Counts those that are there now until `now`.
    fn until(&mut self, now: Nanos) {
        while self.now < now {
            let at = (self.now.0 / self.bin.0) as usize;
            let end = Nanos((at as u64 + 1).saturating_mul(self.bin.0)).min(now);
            if self.held_ns.len() <= at {
                self.held_ns.resize(at + 1, 0);
            }
            self.held_ns[at] += u128::from(self.items) * u128::from(end.since(self.now).0);
            self.now = end;
        }
    }

    /// Mean items of each stretch; what is left of the run behind the last whole one is left out.
    fn series(&self) -> Vec<f64> {
        let mean = |at| self.held_ns.get(at).map_or(0.0, |held| *held as f64 / self.bin.0 as f64);
        (0..BINS).map(mean).collect()
    }
}

impl Observer for InSystem {
    fn arrived(&mut self, _: &Item, now: Nanos) {
        self.until(now);
        self.items += 1;
    }

    fn refused(&mut self, _: &Item, _: Nanos) {}

    fn gave_up(&mut self, _: &Item, now: Nanos) {
        self.until(now);
        self.items -= 1;
    }

    fn started(&mut self, _: &Item, _: Nanos) {}

    fn finished(&mut self, _: &Item, _: Outcome, now: Nanos) {
        self.until(now);
        self.items -= 1;
    }

    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
