//! A sitting: workloads in turns, a table for each, aims at the end.
//!
//! Called by both benches, which choose the contenders and how much of everything.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::aims::{self, Aim, Wanted};
use super::libraries::TokioSemaphore;
use super::table::{short, show};
use super::turns::{Entry, Spread, fastest, find, take_turns};
use super::{Contender, Kind, Pool, latency, sleeps, starvation, throughput};

/// Contenders, and the aims so far.
#[derive(Debug)]
pub(crate) struct Session {
    contenders: Vec<Contender>,
    rounds: usize,
    aims: Vec<Aim>,
    /// Closures of throughput capture 64 bytes more.
    pub(crate) large: bool,
}

impl Session {
    /// At least one round.
    pub(crate) fn new(contenders: Vec<Contender>, rounds: usize) -> Session {
        Session { contenders, rounds: rounds.max(1), aims: Vec::new(), large: false }
    }

    /// Empty closures from so many producers, on each number of threads. A `batch` makes the producers wait after each
    /// so many; there are aims only without one.
    pub(crate) fn throughput(&mut self, producers: u64, threads: &[usize], closures: u64, batch: Option<u64>) {
        let of = format!("{producers} producer{}", if producers == 1 { "" } else { "s" });
        let mut title = format!("Throughput: {closures} empty closures from {of}");
        if self.large {
            title.push_str(", each with 64 bytes");
        }
        if let Some(batch) = batch {
            let _ = write!(title, ", in batches of {batch}");
        }
        self.title(&title, "million closures a second; AtqPool's multiple of it");
        let mut head = vec![String::new()];
        let mut rows: Vec<Vec<String>> = self.contenders.iter().map(|one| vec![name(one.name, one.kind)]).collect();
        for &threads in threads {
            let work =
                throughput::Work { threads, producers, closures, batch: batch.unwrap_or(closures), large: self.large };
            let entries = take_turns(&self.contenders, self.rounds, |_, one| (one.throughput)(&work));
            head.extend([format!("{threads} thr."), "multiple".to_string()]);
            for (row, entry) in rows.iter_mut().zip(&entries) {
                row.push(short(Spread::of(entry.runs.iter().copied()).median / 1e6));
                row.push(multiple(&entries, entry, |speed| *speed));
            }
            if batch.is_none() {
                self.throughput_aims(&entries, &format!("{of}, {threads} threads"));
            }
        }
        show(head, rows);
    }

    fn throughput_aims(&mut self, entries: &[Entry<f64>], on: &str) {
        let Some(ours) = find(entries, Kind::Ours) else { return };
        let semaphore = entries.iter().find(|entry| entry.name == TokioSemaphore::NAME);
        let beside = [
            (fastest(entries, Kind::Uncapped), "fastest uncapped, ", aims::BESIDE_UNCAPPED, Some(aims::GATE)),
            (semaphore, "", aims::BESIDE_SEMAPHORE, None),
        ];
        for (peer, which, least, gate) in beside {
            let Some(peer) = peer else { continue };
            let what = format!("{which}{} ({on})", peer.name);
            let ratio = Spread::ratio(ours, peer, |speed| *speed);
            self.aims.push(Aim { what, ratio, wanted: Wanted::AtLeast(least), gate });
        }
    }

    /// From submission to start, with mostly idle threads.
    pub(crate) fn latency(&mut self, seconds: f64) {
        let (threads, rate) = (latency::THREADS, latency::PER_SECOND);
        let title = format!("Start latency: {rate} closures a second for {seconds} s, {threads} threads");
        self.title(&title, "us from submission to start; AtqPool's multiple of it");
        let work = latency::Work { seconds };
        let entries = take_turns(&self.contenders, self.rounds, |_, one| (one.latency)(&work));
        show_waits(&entries);
        let (Some(ours), Some(waker)) = (find(&entries, Kind::Ours), find(&entries, Kind::Waker)) else { return };
        for (quantile, called) in &QUANTILES[..2] {
            let what = format!("{} ({called} from submission to start)", waker.name);
            let ratio = Spread::ratio(ours, waker, |waits| waits.value_at_quantile(*quantile) as f64);
            self.aims.push(Aim { what, ratio, wanted: Wanted::AtMost(aims::BESIDE_WAKER), gate: None });
        }
    }

    /// Sleeping closures on many threads, beside threads that sleep without a pool.
    pub(crate) fn sleeps(&mut self, times: u64) {
        let threads = sleeps::THREADS;
        let closures = threads as u64 * times;
        let title = format!("Sleeps: {closures} closures that sleep for 1 ms, {threads} threads");
        self.title(&title, "part of what as many threads reach that sleep without a pool");
        let work = sleeps::Work { times };
        let mut ideals = Vec::new();
        let entries = take_turns(&self.contenders, self.rounds, |round, one| {
            if ideals.len() <= round {
                ideals.push(sleeps::ideal(&work));
            }
            ideals[round].as_secs_f64() / (one.sleeps)(&work).as_secs_f64()
        });
        let mut rows = Vec::new();
        for entry in &entries {
            let part = Spread::of(entry.runs.iter().copied());
            let mut row = vec![name(entry.name, entry.kind)];
            row.extend([part.median, part.least, part.most].map(short));
            rows.push(row);
        }
        show(["", "of ideal", "least", "most"].map(String::from).into(), rows);
        if let Some(ours) = find(&entries, Kind::Ours) {
            let what = format!("{threads} threads that sleep without a pool");
            let ratio = Spread::of(ours.runs.iter().copied());
            self.aims.push(Aim { what, ratio, wanted: Wanted::AtLeast(aims::OF_IDEAL), gate: None });
        }
    }

    /// One class floods, another asks.
    pub(crate) fn starvation(&mut self, seconds: f64) {
        let (threads, standing, asks) = (starvation::THREADS, starvation::STANDING, starvation::ASKS_PER_SECOND);
        let title = format!(
            "Starvation: a class keeps {standing} closures of 200 us in {threads} threads, another asks {asks} times a \
             second for {seconds} s"
        );
        self.title(&title, "us that the asking class waits; AtqPool's multiple of it");
        let work = starvation::Work { seconds };
        show_waits(&take_turns(&self.contenders, self.rounds, |_, one| (one.starvation)(&work)));
    }

    /// Prints the aims; whether a gate is shut.
    pub(crate) fn show_aims(&self) -> bool {
        if self.aims.is_empty() {
            return false;
        }
        println!("Aims; the ratios are those within rounds");
        aims::show_all(&self.aims);
        self.aims.iter().any(Aim::is_shut)
    }

    fn title(&self, title: &str, figures: &str) {
        let rounds = self.rounds;
        println!("{title}\n{figures}; medians of {rounds} round{}", if rounds == 1 { "" } else { "s" });
    }
}

/// The quantiles of a wait, those with an aim first.
const QUANTILES: [(f64, &str); 3] = [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")];

fn show_waits(entries: &[Entry<Histogram<u64>>]) {
    let mut head = vec![String::new()];
    head.extend(QUANTILES.iter().flat_map(|(_, called)| [(*called).to_string(), "multiple".to_string()]));
    head.push("worst".to_string());
    let row = |entry: &Entry<Histogram<u64>>| {
        let mut row = vec![name(entry.name, entry.kind)];
        for (quantile, _) in QUANTILES {
            let at = |waits: &Histogram<u64>| waits.value_at_quantile(quantile) as f64;
            row.push(short(Spread::of(entry.runs.iter().map(at)).median / 1e3));
            row.push(multiple(entries, entry, at));
        }
        row.push(short(Spread::of(entry.runs.iter().map(|waits| waits.max() as f64)).most / 1e3));
        row
    };
    show(head, entries.iter().map(row).collect());
}

/// Our multiple of a contender's figure, for a table.
fn multiple<T>(entries: &[Entry<T>], other: &Entry<T>, figure: impl Fn(&T) -> f64) -> String {
    match find(entries, Kind::Ours) {
        Some(ours) if other.kind != Kind::Ours => short(Spread::ratio(ours, other, figure).median),
        _ => String::new(),
    }
}

fn name(name: &str, kind: Kind) -> String {
    let caps = matches!(kind, Kind::Ours | Kind::Capped);
    format!("{name}{}", if caps { " (caps)" } else { "" })
}
