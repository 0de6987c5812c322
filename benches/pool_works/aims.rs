//! What `AtqPool` is to reach beside its peers, and whether it did.
//!
//! Not a test: a shared machine is too noisy. Printed at the end by both benches.

use super::table::{short, show};
use super::turns::Spread;

/// Throughput as a multiple of the fastest uncapped peer's.
pub(crate) const BESIDE_UNCAPPED: f64 = 1.0;
/// Below this multiple the gate is shut.
pub(crate) const GATE: f64 = 0.8;
/// Throughput as a multiple of tokio's `spawn_blocking` behind semaphores.
pub(crate) const BESIDE_SEMAPHORE: f64 = 25.0;
/// Start latency as a multiple of that of a pool that wakes a thread on every submission: at most this.
pub(crate) const BESIDE_WAKER: f64 = 1.0;
/// Part of the ideal that the sleeps come to.
pub(crate) const OF_IDEAL: f64 = 0.9;

/// What a ratio is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// A ratio of the rounds and what it is to be.
#[derive(Debug)]
pub(crate) struct Aim {
    pub(crate) what: String,
    pub(crate) ratio: Spread,
    pub(crate) wanted: Wanted,
    /// Below this a gate is shut.
    pub(crate) gate: Option<f64>,
}

impl Aim {
    fn verdict(&self) -> &'static str {
        let met = match self.wanted {
            Wanted::AtLeast(least) => self.ratio.median >= least,
            Wanted::AtMost(most) => self.ratio.median <= most,
        };
        match met {
            true => "met",
            false if self.is_shut() => "missed, below the gate",
            false => "missed",
        }
    }

    /// Whether it has a gate and is below it.
    pub(crate) fn is_shut(&self) -> bool {
        self.gate.is_some_and(|gate| self.ratio.median < gate)
    }
}

/// Prints all aims with their verdicts.
pub(crate) fn show_all(aims: &[Aim]) {
    let row = |aim: &Aim| {
        let wanted = match aim.wanted {
            Wanted::AtLeast(least) => format!(">= {least}"),
            Wanted::AtMost(most) => format!("<= {most}"),
        };
        let mut row = vec![aim.what.clone()];
        row.extend([aim.ratio.median, aim.ratio.least, aim.ratio.most].map(short));
        row.extend([wanted, aim.verdict().to_string()]);
        row
    };
    let head = ["AtqPool as a multiple of", "median", "least", "most", "aim", ""];
    show(head.map(String::from).into(), aims.iter().map(row).collect());
}
