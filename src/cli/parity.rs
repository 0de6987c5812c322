//! `verify --parity`: which scenarios, at which speed, and where the table goes.
//!
//! Not the comparison (`verify::parity`). Called by `cli::verify`.

use std::io::IsTerminal;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Changes;
use super::exit::Exit;
use super::load;
use super::output::{complain, print};
use super::running::{catch_signals, tell};
use crate::plan::Plan;
use crate::scenario::builtin;
use crate::verify::parity::cluster::ComparedCluster;
use crate::verify::parity::{self, Compared, table};

/// Arguments of `verify --parity`.
#[derive(Clone, Debug, Args)]
pub struct ParityArgs {
    /// Run scenarios on real threads and in virtual time and compare (all shipped ones: about 10 minutes)
    #[arg(
        long,
        conflicts_with_all = ["replay", "case", "cases", "coverage", "quick", "list", "show", "fresh"]
    )]
    pub parity: bool,
    /// Only this scenario: a file, the name of a shipped one, or `-` (repeatable)
    #[arg(long = "scenario", value_name = "FILE", requires = "parity")]
    pub scenario: Vec<String>,
    /// Only this variant (repeatable)
    #[arg(long = "variant", value_name = "NAME", requires = "parity")]
    pub variant: Vec<String>,
    /// Emulated seconds per second of wall time [default: a minute and a quarter for each scenario]
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "parity")]
    pub speed: Option<f64>,
    /// Length of each run in emulated time, e.g. 2m
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "parity")]
    pub duration: Option<String>,
}

/// `atqsim verify --parity`.
pub(super) fn verify(args: &ParityArgs, seed: Option<u64>) -> anyhow::Result<Exit> {
    let Some(scenarios) = scenarios(args, seed) else { return Ok(Exit::BadInput) };
    let interrupt = catch_signals()?;
    print(&table::opening(&scenarios))?;
    let bar = bar(&scenarios);
    let mut done = 0;
    let mut all: Vec<Compared> = Vec::new();
    let mut clusters: Vec<ComparedCluster> = Vec::new();
    for plan in scenarios.into_iter().flatten() {
        let plan = Arc::new(plan);
        bar.set_prefix(format!("{}, {}", plan.file, plan.variant));
        let real = |now: crate::time::Nanos| now.scale(1.0 / plan.speed).as_micros();
        let reached = |now| bar.set_position(done + real(now));
        let result = match plan.cluster {
            None => parity::compare(&plan, &interrupt, &reached).map(|compared| compared.map(Either::Server)),
            Some(_) => {
                parity::cluster::compare(&plan, &interrupt, &reached).map(|compared| compared.map(Either::Cluster))
            }
        };
        done += real(plan.duration);
        bar.set_position(done);
        match result {
            Ok(Some(Either::Server(compared))) => {
                bar.suspend(|| print(&table::block(&compared)))?;
                all.push(compared);
            }
            Ok(Some(Either::Cluster(compared))) => {
                bar.suspend(|| print(&parity::cluster::block(&compared)))?;
                clusters.push(compared);
            }
            Ok(None) => break,
            Err(reason) => {
                bar.finish_and_clear();
                return Ok(tell(&plan.variant, &reason));
            }
        }
    }
    bar.finish_and_clear();
    if !all.is_empty() {
        print(&table::closing(&all))?;
    }
    Ok(if all.iter().any(Compared::failed) || clusters.iter().any(ComparedCluster::failed) {
        Exit::Failed
    } else if interrupt.is_set() {
        Exit::Interrupted
    } else if all.iter().any(Compared::not_held) || clusters.iter().any(ComparedCluster::not_held) {
        Exit::NotHeld
    } else {
        Exit::Done
    })
}

/// What was compared: a server with its twin, or a cluster.
enum Either {
    Server(Compared),
    Cluster(ComparedCluster),
}

/// The plans of every wanted scenario, or `None` after every problem was shown.
fn scenarios(args: &ParityArgs, seed: Option<u64>) -> Option<Vec<Vec<Plan>>> {
    let shipped: Vec<String> = builtin::SCENARIOS.iter().map(|builtin| builtin.name.to_string()).collect();
    let names = if args.scenario.is_empty() { &shipped } else { &args.scenario };
    let changes = Changes {
        seed,
        speed: args.speed,
        duration: args.duration.clone(),
        variant: args.variant.clone(),
        ..Changes::default()
    };
    let read: Vec<Option<Vec<Plan>>> = names.iter().map(|name| load::plans(name, &changes, None)).collect();
    let mut scenarios = read.into_iter().collect::<Option<Vec<_>>>()?;
    let unused = |plans: &Vec<Plan>| plans.iter().all(|plan| plan.classes.is_empty());
    if let Some(plans) = scenarios.iter().find(|plans| !args.scenario.is_empty() && unused(plans)) {
        complain(&format!("atqsim: {} has no service in the pool, and those are what is compared", plans[0].file));
        return None;
    }
    scenarios.retain(|plans| !unused(plans));
    if args.speed.is_none() {
        for plans in &mut scenarios {
            let speed = parity::speed(plans);
            plans.iter_mut().for_each(|plan| plan.speed = speed);
        }
    }
    Some(scenarios)
}

/// One bar for everything, with the time left; hidden unless stderr is a terminal.
fn bar(scenarios: &[Vec<Plan>]) -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
    let wall = scenarios.iter().map(|plans| parity::wall(plans).as_micros()).sum();
    let style = ProgressStyle::with_template("[{bar:32}] {percent:>3} %  wall {elapsed}, {eta} left  {prefix}")
        .expect("the template is well formed")
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(wall), target).with_style(style)
}
