//! Batch means of one run: how exactly a single run knows its mean wait.
//!
//! Waits of neighbouring items are alike, so their scatter says little about the mean's; means of long batches are
//! nearly independent. Bounded memory: when there are twice as many batches as are kept, they are joined in pairs. Not
//! the judgement whether the batches are long enough ([`super::trust`]). Called by [`super::Metrics`].

use super::replicated::Estimate;
use crate::time::Nanos;

/// Batches in the answer: at least this many where there are enough items, and fewer than twice as many.
pub const LEAST: usize = 10;
/// Batches that are kept before they are joined in pairs.
const MOST: usize = 4 * LEAST;
/// Items of a batch at first.
const FIRST_SIZE: u32 = 16;

/// Adds up waits in batches of equal size, in the order in which they end.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    sum_ns: u128,
    missing: u32,
    size: u32,
    sums_ns: Vec<u128>,
}

impl Default for Batches {
    fn default() -> Batches {
        Batches { sum_ns: 0, missing: FIRST_SIZE, size: FIRST_SIZE, sums_ns: Vec::new() }
    }
}

impl Batches {
    /// One more wait.
    #[inline(always)]
    pub(super) fn record(&mut self, wait: Nanos) {
        self.sum_ns += u128::from(wait.0);
        self.missing -= 1;
        if self.missing == 0 {
            self.close_batch();
        }
    }

    #[cold]
    fn close_batch(&mut self) {
        self.sums_ns.push(self.sum_ns);
        self.sum_ns = 0;
        if self.sums_ns.len() == MOST {
            self.sums_ns = pairs(&self.sums_ns);
            self.size = self.size.saturating_mul(2);
        }
        self.missing = self.size;
    }

    /// The batches that are full, joined until there are fewer than twice [`LEAST`]; what fills no batch is left out.
    pub(super) fn means(&self) -> BatchMeans {
        let (mut sums_ns, mut size) = (self.sums_ns.clone(), u64::from(self.size));
        while sums_ns.len() >= 2 * LEAST {
            sums_ns = pairs(&sums_ns);
            size *= 2;
        }
        let means: Vec<f64> = sums_ns.iter().map(|sum| *sum as f64 / size as f64 / 1e3).collect();
        let half_width_us = (means.len() >= 2).then(|| Estimate::of(&means).half_width);
        BatchMeans { batches: means.len() as u32, items: size, half_width_us }
    }
}

/// Sums of neighbours; an odd one at the end is left out.
fn pairs(sums: &[u128]) -> Vec<u128> {
    sums.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect()
}

/// What batch means say of one run's mean wait.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchMeans {
    /// Batches.
    pub batches: u32,
    /// Items in each.
    pub items: u64,
    /// Half the width of the mean's 95 % confidence interval (Student t over the batches), in microseconds; `None` for
    /// fewer than two batches. To be believed only where [`super::trust`] has no doubt.
    pub half_width_us: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_joined_and_their_number_stays_bounded() {
        let mut batches = Batches::default();
        assert_eq!(batches.means(), BatchMeans { batches: 0, items: 16, half_width_us: None });
        for n in 0..100_000_u64 {
            batches.record(Nanos::from_micros(n % 2));
            assert!(batches.sums_ns.len() < MOST);
        }
        let means = batches.means();
        assert!((LEAST as u32..2 * LEAST as u32).contains(&means.batches), "{means:?}");
        assert!(u64::from(means.batches) * means.items <= 100_000);
        assert!(u64::from(means.batches + 1) * means.items > 100_000 - 2 * means.items);
        // Every batch has as many zeros as ones.
        assert_eq!(means.half_width_us, Some(0.0));
    }

    /// Twelve batches of 32 items, of which six have waits of 1 us and six of 3 us: mean 2, deviation 1.0445,
    /// t(11, 0.975) = 2.2010, so half of the interval is 0.6636 us.
    #[test]
    fn the_interval_is_students_over_the_batches() {
        let mut batches = Batches::default();
        for n in 0..12 * 32 {
            batches.record(Nanos::from_micros(if n / 32 % 2 == 0 { 1 } else { 3 }));
        }
        let means = batches.means();
        assert_eq!((means.batches, means.items), (12, 32));
        let half = means.half_width_us.expect("twelve batches");
        assert!((half - 0.6636).abs() < 1e-3, "{half}");
    }
}
