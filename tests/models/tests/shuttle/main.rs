//! Whole runs of the pool under shuttle: every schedule draws a pool, a load and an order of its threads, and is checked
//! after each step and at the end.
//!
//! `SCHEDULES` (default 20,000) says how many schedules there are for each of the two schedulers, `SEED` which. A failure
//! prints a schedule that `shuttle::replay` repeats.

#![cfg(feature = "shuttle")]

mod book;
mod run;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use atqsim::pool::{Plant, passes, plant};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// How many priority changes PCT makes in a run.
const DEPTHS: [usize; 4] = [2, 3, 5, 8];

/// One run in so many, at least, has closures that are begun under licences.
const LEAST_PASSING: u64 = 12;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.replace('_', "").parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// Runs one scheduler to its end. Says how many schedules there were, also where one failed.
fn explore(what: &str, scheduler: impl Scheduler + 'static) -> u64 {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    let (count, passing, begin) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Instant::now());
    let (counted, passed) = (Arc::clone(&count), Arc::clone(&passing));
    let before = passes();
    let runs = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let before = passes();
        run::one_run();
        passed.fetch_add(u64::from(passes() > before), Ordering::Relaxed);
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| Runner::new(scheduler, config).run(runs)));
    let count = count.load(Ordering::Relaxed);
    if let Err(panic) = outcome {
        println!("{what}: failed in schedule {count}");
        resume_unwind(panic);
    }
    let (passing, passes, rate) =
        (passing.load(Ordering::Relaxed), passes() - before, count as f64 / begin.elapsed().as_secs_f64());
    println!("{what}: {count} schedules, {passing} of them with {passes} closures under licences, {rate:.0} a second");
    assert!(passing * LEAST_PASSING >= count, "too few runs in which a closure is begun under a licence");
    count
}

/// What was planted, if anything, by name.
fn plant_what_is_asked_for() {
    if let Ok(name) = std::env::var("PLANT") {
        let found = PLANTS.iter().find(|plant| format!("{plant:?}") == name);
        plant(*found.unwrap_or_else(|| panic!("no plant {name}")));
    }
}

#[test]
fn random_orders() {
    plant_what_is_asked_for();
    let (schedules, seed) = (setting("SCHEDULES", 20_000), setting("SEED", 1));
    let count = explore("random", RandomScheduler::new_from_seed(seed, schedules as usize));
    assert_eq!(count, schedules);
    println!("shuttle, random: {count} schedules from seed {seed}, nothing wrong");
}

#[test]
fn pct_orders() {
    plant_what_is_asked_for();
    let (schedules, seed) = (setting("SCHEDULES", 20_000), setting("SEED", 1));
    let mut count = 0;
    for depth in DEPTHS {
        let part = schedules.div_ceil(DEPTHS.len() as u64) as usize;
        count += explore(&format!("PCT of depth {depth}"), PctScheduler::new_from_seed(seed, depth, part));
    }
    assert!(count >= schedules);
    println!("shuttle, PCT: {count} schedules from seed {seed}, nothing wrong");
}

/// Every mistake that can be planted.
const PLANTS: [Plant; 17] = [
    Plant::PublishesBlindly,
    Plant::IsAlwaysOnItsWay,
    Plant::EndsEarly,
    Plant::CeilingOff,
    Plant::PollsOn,
    Plant::RetiresDeaf,
    Plant::LeavesInboxOpen,
    Plant::GuardGoesDeaf,
    Plant::ForgetsToUnpark,
    Plant::KeepsRoomQuiet,
    Plant::RevokesInSilence,
    Plant::GivesRoomFreely,
    Plant::KeepsHeldBack,
    Plant::ArrivesBesideLicences,
    Plant::ComesBackAlone,
    Plant::OvertakesTheLone,
    Plant::ComesUnheard,
];

#[test]
fn every_planted_mistake_is_found() {
    if std::env::var_os("PLANT").is_some() {
        return;
    }
    let mut missed = Vec::new();
    for plant in PLANTS {
        let found = ["random_orders", "pct_orders"].map(|test| {
            let own = std::env::current_exe().unwrap();
            let mut child = Command::new(own);
            child.args(["--exact", test, "--nocapture"]).env("PLANT", format!("{plant:?}"));
            child.env("SCHEDULES", setting("PLANT_SCHEDULES", 20_000).to_string());
            let output = child.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let line = text.lines().find(|line| line.contains(": failed in schedule")).map(str::to_string);
            (!output.status.success()).then(|| line.unwrap_or_else(|| format!("{test}: ended with {}", output.status)))
        });
        println!("{plant:?}: {}", found.clone().map(|f| f.unwrap_or_else(|| "missed".to_string())).join("; "));
        if found.iter().all(Option::is_none) {
            missed.push(plant);
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
