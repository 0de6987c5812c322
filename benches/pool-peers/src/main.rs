//! `AtqPool` beside other pools on the same work, in one interleaved run: throughput, start latency, sleeps, starvation.
//!
//! Not a bench of criterion: its contenders take turns, round by round, so that what a machine does meanwhile hits all of
//! them; the figures that count are the ratios within a round. Run by `just pool-peers`; exit code 3 if `--gate` is asked
//! for and missed. The work is `benches/pool_works`, which the short bench of the program's own package shares.

mod peers;
#[path = "../../pool_works/mod.rs"]
mod works;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use works::Contender;
use works::session::Session;

/// Compares AtqPool with other thread pools
#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds of each workload; in each, every contender runs once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Empty closures of a run of throughput; slow contenders get a half or a quarter of them
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000))]
    closures: u64,
    /// Threads of a pool, for throughput and batches
    #[arg(long, value_delimiter = ',', default_value = "2,10,64,256",
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Vec<u32>,
    /// Threads that submit, for throughput
    #[arg(long, value_delimiter = ',', default_value = "1,4", value_parser = clap::value_parser!(u64).range(1..=64))]
    producers: Vec<u64>,
    /// Seconds of a run of latency and of starvation
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Only this workload; may be given several times
    #[arg(long, value_enum, value_name = "WORKLOAD")]
    only: Vec<Workload>,
    /// Beside AtqPool only peers whose name contains this; may be given several times
    #[arg(long, value_name = "PART OF A NAME")]
    peer: Vec<String>,
    /// Closures of throughput capture 64 bytes, for which AtqPool asks the allocator as its peers do
    #[arg(long)]
    large: bool,
    /// Exit with 3 if throughput is below 0.8 of the fastest uncapped peer's
    #[arg(long)]
    gate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// Empty closures as fast as they can be handed over
    Throughput,
    /// The same, 1,000 at a time, from one producer
    Batches,
    /// From submission to start at 20,000 a second
    Latency,
    /// Sleeps of 1 ms on 256 threads
    Sleeps,
    /// One class floods, another asks
    Starvation,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it has to be a number of seconds".to_string())?;
    if (0.05..=3600.0).contains(&number) { Ok(number) } else { Err("allowed: 0.05 to 3600".to_string()) }
}

/// Ours, and every peer: uncapped, capped, and the waker.
fn contenders(only: &[String]) -> Vec<Contender> {
    let mut all = works::few();
    all.extend([
        Contender::of::<peers::ThreadPool>(),
        Contender::of::<peers::RustyPool>(),
        Contender::of::<peers::SpawnBlocking>(),
        Contender::of::<peers::TokioTwoSemaphores>(),
        Contender::of::<peers::ThreadPoolSemaphore>(),
        Contender::of::<peers::Tower>(),
    ]);
    let wanted = |one: &Contender| only.is_empty() || only.iter().any(|part| one.name.contains(part.as_str()));
    all.retain(|one| one.kind == works::Kind::Ours || wanted(one));
    all
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let contenders = contenders(&arguments.peer);
    let mut session = Session::new(contenders, arguments.rounds as usize);
    session.large = arguments.large;
    let threads: Vec<usize> = arguments.threads.iter().map(|threads| *threads as usize).collect();
    let does = |workload| arguments.only.is_empty() || arguments.only.contains(&workload);
    if does(Workload::Throughput) {
        for &producers in &arguments.producers {
            session.throughput(producers, &threads, arguments.closures, None);
        }
    }
    if does(Workload::Batches) {
        session.throughput(1, &threads, arguments.closures / 4, Some(1_000));
    }
    if does(Workload::Latency) {
        session.latency(arguments.seconds);
    }
    if does(Workload::Sleeps) {
        session.sleeps(100);
    }
    if does(Workload::Starvation) {
        session.starvation(arguments.seconds);
    }
    let shut = session.show_aims();
    ExitCode::from(if arguments.gate && shut { 3 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::works::{latency, sleeps, starvation, throughput};

    #[test]
    fn every_contender_runs_every_closure_and_holds_its_ceilings() {
        for one in contenders(&[]) {
            for (producers, batch) in [(1, 4_000), (3, 4_000), (1, 100)] {
                let work = throughput::Work { threads: 10, producers, closures: 4_000, batch, large: batch == 100 };
                assert!((one.throughput)(&work).is_finite(), "{}", one.name);
            }
            assert_eq!((one.latency)(&latency::Work { seconds: 0.02 }).len(), 400, "{}", one.name);
            // No sleep is too short.
            assert!((one.sleeps)(&sleeps::Work { times: 3 }).as_millis() >= 3, "{}", one.name);
            assert_eq!((one.starvation)(&starvation::Work { seconds: 0.1 }).len(), 10, "{}", one.name);
        }
    }

    #[test]
    fn peers_are_chosen_by_name() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            contenders(&only).iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["rayon", "tower"]), ["AtqPool", "rayon spawn", "tower ConcurrencyLimit"]);
        assert_eq!(names(&[]).len(), 12);
    }
}
