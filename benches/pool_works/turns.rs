//! Contenders in turns, round by round, and the middle of what they did.
//!
//! Not a judgement: [`super::aims`] has that. What the machine does meanwhile hits all contenders of a round, so what
//! counts are the ratios within rounds.

use super::{Contender, Kind};

/// A contender and what came of each of its rounds.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) runs: Vec<T>,
}

/// Every contender once in each round. Another one begins each time, and every other round goes backwards, so that nobody
/// always follows the same one.
pub(crate) fn take_turns<T>(
    contenders: &[Contender],
    rounds: usize,
    mut run: impl FnMut(usize, &Contender) -> T,
) -> Vec<Entry<T>> {
    let entry = |contender: &Contender| Entry { name: contender.name, kind: contender.kind, runs: Vec::new() };
    let mut entries: Vec<Entry<T>> = contenders.iter().map(entry).collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        order.rotate_left(round % contenders.len());
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            entries[at].runs.push(run(round, &contenders[at]));
        }
    }
    entries
}

/// The middle, the least and the most of some figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first().copied(), sorted.last().copied()) else {
            return Spread { median: f64::NAN, least: f64::NAN, most: f64::NAN };
        };
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
        Spread { median, least, most }
    }

    /// The ratio within each round.
    pub(crate) fn ratio<T>(ours: &Entry<T>, theirs: &Entry<T>, figure: impl Fn(&T) -> f64) -> Spread {
        Spread::of(ours.runs.iter().zip(&theirs.runs).map(|(ours, theirs)| figure(ours) / figure(theirs)))
    }
}

/// The first contender of a kind.
pub(crate) fn find<T>(entries: &[Entry<T>], kind: Kind) -> Option<&Entry<T>> {
    entries.iter().find(|entry| entry.kind == kind)
}

/// The one of a kind whose median is greatest.
pub(crate) fn fastest(entries: &[Entry<f64>], kind: Kind) -> Option<&Entry<f64>> {
    let median = |entry: &&Entry<f64>| Spread::of(entry.runs.iter().copied()).median;
    entries.iter().filter(|entry| entry.kind == kind).max_by(|a, b| median(a).total_cmp(&median(b)))
}
