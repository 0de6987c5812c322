//! Who takes part, and one timed run of each.
//!
//! Not the judgement: `main` compares, `check` sees to it that all did the same work. Called by `main`.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use cpu_time::ThreadTime;

use crate::peers::{desru, nexosim, python, simrs};
use crate::works::{Outcome, Work, engine, heap_loop};

/// A contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// This program's engine in virtual time
    Atqsim,
    /// The loop around a binary heap, by hand
    Heap,
    /// The same, tuned
    TunedHeap,
    /// NeXosim (Rust)
    Nexosim,
    /// simrs (Rust)
    Simrs,
    /// DESRu (Rust)
    Desru,
    /// SimPy (Python)
    Simpy,
    /// Ciw (Python)
    Ciw,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Clock {
    /// Time on the wall
    #[default]
    Wall,
    /// Processor time of the one thread that works, for a machine on which others work too
    Cpu,
}

/// One timed run.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) took: Duration,
    pub(crate) outcome: Outcome,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Contender::Atqsim => "atqsim",
            Contender::Heap => "heap loop",
            Contender::TunedHeap => "heap loop, tuned",
            Contender::Nexosim => "NeXosim",
            Contender::Simrs => "simrs",
            Contender::Desru => "DESRu",
            Contender::Simpy => "SimPy",
            Contender::Ciw => "Ciw",
        }
    }

    /// The name of its module, where it is of Python.
    fn module(self) -> Option<&'static str> {
        match self {
            Contender::Simpy => Some("simpy"),
            Contender::Ciw => Some("ciw"),
            _ => None,
        }
    }

    /// Out of how many customers of the others it gets one: who is slow gets fewer.
    pub(crate) fn fewer(self) -> u64 {
        match self {
            Contender::Simpy => 20,
            Contender::Ciw => 50,
            _ => 1,
        }
    }

    /// Why it cannot do this work, if it cannot.
    pub(crate) fn excuse(self, work: &Work, python: &Path) -> Option<String> {
        if self == Contender::Ciw && work.classes.len() > 1 {
            return Some("Ciw cannot express it: a class of its nodes has no cap of its own".to_string());
        }
        self.module().and_then(|module| python::version(python, module).err())
    }

    /// The version of a peer of Python; those of Rust are in `Cargo.lock`.
    pub(crate) fn version(self, python: &Path) -> Option<String> {
        self.module().and_then(|module| python::version(python, module).ok())
    }

    /// One run. What must be there before it begins is made outside the time: a plan from its text, for example.
    pub(crate) fn run(
        self,
        work: &Work,
        customers: u64,
        seed: u64,
        clock: Clock,
        python: &Path,
    ) -> anyhow::Result<Ran> {
        let (took, outcome) = match self {
            Contender::Atqsim => {
                let plan = engine::plan(work, customers, seed);
                timed(clock, || engine::run(&plan))
            }
            Contender::Heap => timed(clock, || heap_loop::plain(work, customers, seed)),
            Contender::TunedHeap => timed(clock, || heap_loop::tuned(work, customers, seed)),
            Contender::Desru => timed(clock, || desru::run(work, customers, seed)),
            Contender::Nexosim => flat(timed(clock, || nexosim::run(work, customers, seed)))?,
            Contender::Simrs => flat(timed(clock, || simrs::run(work, customers, seed)))?,
            Contender::Simpy | Contender::Ciw => {
                let module = self.module().unwrap_or_default();
                let said = python::run(python, module, work, customers, seed)?;
                (if clock == Clock::Wall { said.wall } else { said.cpu }, said.outcome)
            }
        };
        Ok(Ran { took, outcome })
    }
}

fn timed<T>(clock: Clock, work: impl FnOnce() -> T) -> (Duration, T) {
    let (wall, cpu) = (Instant::now(), ThreadTime::now());
    let done = black_box(work());
    (if clock == Clock::Wall { wall.elapsed() } else { cpu.elapsed() }, done)
}

fn flat((took, outcome): (Duration, anyhow::Result<Outcome>)) -> anyhow::Result<(Duration, Outcome)> {
    Ok((took, outcome?))
}
