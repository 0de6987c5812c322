//! How fast the engine in virtual time is beside other simulators on the same work, in one interleaved run.
//!
//! Not a bench of criterion: its contenders take turns, round by round, so that what a machine does meanwhile hits all of
//! them; the figures that count are the ratios within a round. Run by `just peers`; exit code 1 if a contender did not do
//! the work, 3 if `--gate` is asked for and missed.

mod check;
mod contenders;
mod peers;
#[path = "../../works/mod.rs"]
mod works;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use check::Together;
use contenders::{Clock, Contender, Ran};
use works::Work;

/// What atqsim is to reach, as a multiple of another contender's customers per second.
const AIMS: [(Contender, f64); 3] = [(Contender::Heap, 1.0), (Contender::Nexosim, 5.0), (Contender::Simpy, 60.0)];
/// Below this multiple of the heap loop the gate is shut.
const GATE: f64 = 0.8;
/// Customers per second in Work B that would be more than asked for.
const STRETCH: f64 = 15e6;

/// Compares atqsim's engine in virtual time with other simulators
#[derive(Debug, Parser)]
struct Arguments {
    /// Customers of a run; SimPy gets a 20th and Ciw a 50th of them
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(50_000..=1_000_000_000))]
    customers: u64,
    /// Rounds; in each, every contender runs once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Which work: A is M/M/20, B has seven classes of which two are capped
    #[arg(long, value_enum, default_value_t = Which::Both)]
    work: Which,
    /// Only this contender; may be given several times
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Contender>,
    /// What is measured
    #[arg(long, value_enum, default_value_t = Clock::Wall)]
    clock: Clock,
    /// The Python that has SimPy and Ciw
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Exit with 3 if atqsim is slower than 0.8 of the heap loop
    #[arg(long)]
    gate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    A,
    B,
    Both,
}

/// A contender and its runs, in order of rounds.
struct Entry {
    contender: Contender,
    asked: u64,
    runs: Vec<Ran>,
}

/// The middle, the least and the most of some figures.
#[derive(Clone, Copy)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Spread {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first().copied(), sorted.last().copied()) else {
            return Spread { median: 0.0, least: 0.0, most: 0.0 };
        };
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
        Spread { median, least, most }
    }
}

impl Entry {
    /// Customers per second, round by round.
    fn speeds(&self) -> impl Iterator<Item = f64> {
        self.runs.iter().map(|run| works::customers(&run.outcome) as f64 / run.took.as_secs_f64())
    }

    fn together(&self) -> Together {
        Together::of(self.contender, &self.runs)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let works: &[&Work] = match arguments.work {
        Which::A => &[&works::A],
        Which::B => &[&works::B],
        Which::Both => &[&works::A, &works::B],
    };
    let (mut mistakes, mut gate_missed) = (Vec::new(), false);
    for work in works {
        let entries = rounds(work, &arguments)?;
        show_speeds(&entries);
        show_waits(work, &entries);
        let all: Vec<_> = entries.iter().map(|entry| (entry.together(), entry.asked)).collect();
        mistakes.extend(check::mistakes(work, &all));
        gate_missed |= show_aims(work, &entries);
    }
    if !mistakes.is_empty() {
        println!("NOT THE SAME WORK:");
        for mistake in mistakes {
            println!("  {mistake}");
        }
        return Ok(ExitCode::from(1));
    }
    println!("every contender did the same work");
    Ok(ExitCode::from(if arguments.gate && gate_missed { 3 } else { 0 }))
}

/// Every contender that can, once in each round; who begins changes from round to round.
fn rounds(work: &Work, arguments: &Arguments) -> anyhow::Result<Vec<Entry>> {
    let Arguments { customers, rounds, clock, python, only, .. } = arguments;
    let unit = if *clock == Clock::Wall { "wall" } else { "processor" };
    println!("Work {}: {}; {customers} customers a run, {rounds} rounds, {unit} time", work.name, work.what);
    let mut entries = Vec::new();
    for &contender in Contender::value_variants() {
        if !only.is_empty() && !only.contains(&contender) {
            continue;
        }
        if let Some(excuse) = contender.excuse(work, python) {
            println!("  {} skipped: {excuse}", contender.name());
            continue;
        }
        if let Some(version) = contender.version(python) {
            println!("  {} {version}", contender.name());
        }
        entries.push(Entry { contender, asked: 0, runs: Vec::new() });
    }
    for round in 0..*rounds {
        for turn in 0..entries.len() {
            let at = (turn + round as usize) % entries.len();
            let entry = &mut entries[at];
            let customers = customers / entry.contender.fewer();
            // No two runs share their draws.
            let seed = 1 + round * 100 + at as u64;
            entry.runs.push(entry.contender.run(work, customers, seed, *clock, python)?);
            entry.asked += customers;
        }
    }
    Ok(entries)
}

fn show(head: Vec<&str>, rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
    table.set_header(head).add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 0 } else { 2 }, 0));
        if at > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}\n");
}

/// atqsim's speed as a multiple of another's, round by round.
fn ratio(entries: &[Entry], other: &Entry) -> Option<Spread> {
    let ours = entries.iter().find(|entry| entry.contender == Contender::Atqsim)?;
    Some(Spread::of(ours.speeds().zip(other.speeds()).map(|(ours, theirs)| ours / theirs)))
}

fn show_speeds(entries: &[Entry]) {
    let mut rows = Vec::new();
    for entry in entries {
        let speed = Spread::of(entry.speeds());
        let mut row = vec![entry.contender.name().to_string()];
        row.extend([speed.median, speed.least, speed.most].map(|speed| format!("{speed:.0}")));
        if let Some(ratio) = ratio(entries, entry) {
            row.extend([ratio.median, ratio.least, ratio.most].map(|ratio| format!("{ratio:.2}")));
        }
        rows.push(row);
    }
    show(vec!["", "customers/s", "least", "most", "atqsim's multiple", "least", "most"], rows);
}

fn show_waits(work: &Work, entries: &[Entry]) {
    let mut head = vec!["mean wait, us", "customers"];
    head.extend(work.classes.iter().map(|class| class.name));
    let mut rows = Vec::new();
    for entry in entries {
        let together = entry.together();
        let mut row = vec![entry.contender.name().to_string(), together.customers().to_string()];
        row.extend(together.classes.iter().map(|class| format!("{:.0}", class.mean_wait_us)));
        rows.push(row);
    }
    if work.classes.len() == 1 {
        rows.push(vec!["exactly".to_string(), String::new(), format!("{:.0}", check::erlang_c_wait_us())]);
    }
    show(head, rows);
}

/// Prints which aims are met. `true`: the gate is missed.
fn show_aims(work: &Work, entries: &[Entry]) -> bool {
    let met = |met: bool| if met { "met" } else { "MISSED" };
    let mut gate_missed = false;
    for (other, least) in AIMS {
        let found = entries.iter().find(|entry| entry.contender == other);
        let Some(ratio) = found.and_then(|other| ratio(entries, other)) else { continue };
        let ratio = ratio.median;
        println!("aim: at least {least} times {}: {ratio:.2}, {}", other.name(), met(ratio >= least));
        if other == Contender::Heap {
            println!("gate: at least {GATE} of {}: {ratio:.2}, {}", other.name(), met(ratio >= GATE));
            gate_missed = ratio < GATE;
        }
    }
    let ours = entries.iter().find(|entry| entry.contender == Contender::Atqsim);
    if let Some(ours) = ours.filter(|_| work.name == "B") {
        let speed = Spread::of(ours.speeds()).median;
        println!("stretch: {STRETCH:.0} customers/s: {speed:.0}, {}", met(speed >= STRETCH));
    }
    println!();
    gate_missed
}
