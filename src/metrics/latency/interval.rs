//! The latency of one interval of a run: its figures, and all its values where they are wanted.
//!
//! A run has hundreds of intervals for each class, so one keeps seven figures and no more, unless somebody asked for the
//! distributions. Called by [`super::Recording`] and `metrics::intervals`; read by `report`.

use hdrhistogram::Histogram;

use super::{add_to, doublings, first_of};
use crate::time::Nanos;

/// What a run keeps of that which happens between two moments of its time line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// Counts, averages and quantiles.
    Figures,
    /// Also how all waits and services are distributed: up to a hundred times the memory.
    Distributions,
}

/// The quantiles that are kept.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// The values of one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalLatency {
    count: u64,
    sum_ns: u128,
    max: Nanos,
    quantiles: [Nanos; QUANTILES.len()],
    /// By bucket, those alone that have any, in their order: how many. Empty where distributions are not kept.
    counts: Box<[(u32, u64)]>,
}

impl IntervalLatency {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest, exactly.
    #[must_use]
    pub fn max(&self) -> Nanos {
        self.max
    }

    /// Their mean in microseconds; `None` where there are none.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_ns as f64 / self.count as f64 / 1e3)
    }

    /// Their 50th, 90th, 99th and 99.9th percentile: the top of a bucket, and never above the maximum. Zero where there
    /// are no values.
    #[must_use]
    pub fn quantiles(&self) -> [Nanos; 4] {
        self.quantiles
    }

    /// All of them as a histogram of microseconds; none where distributions are not kept.
    ///
    /// # Panics
    /// Never: the histogram reaches to the last of them.
    #[must_use]
    pub fn histogram(&self) -> Histogram<u64> {
        let top = self.counts.last().map_or(0, |(bucket, _)| first_of(*bucket as usize));
        let mut histogram = Histogram::new_with_max(top.max(2), 3).expect("3 digits and two values are allowed");
        self.counts.iter().for_each(|(bucket, count)| add_to(&mut histogram, *bucket as usize, *count));
        histogram
    }
}

/// Values on their way into an interval, and those of all intervals together.
#[derive(Clone, Debug, Default)]
pub(in crate::metrics) struct Gathering {
    /// By bucket: how many since the figure was last settled.
    totals: Vec<u64>,
    /// Those of the interval: bucket and how many. A bucket may come more than once.
    counts: Vec<(u32, u64)>,
    sum_ns: u128,
    max: Nanos,
}

impl Gathering {
    /// Values of the first `buckets` buckets come, which are so much together and the largest of which is `max`.
    pub(super) fn reach(&mut self, buckets: usize, sum_ns: u128, max: Nanos) {
        if self.totals.len() < buckets {
            self.totals.resize(buckets, 0);
        }
        self.sum_ns += sum_ns;
        self.max = self.max.max(max);
    }

    pub(super) fn add(&mut self, bucket: usize, count: u64) {
        self.totals[bucket] += count;
        self.counts.push((bucket as u32, count));
    }

    /// Moves the totals into the figure.
    pub(super) fn settle(&mut self, histogram: &mut Histogram<u64>) {
        for (bucket, count) in self.totals.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            add_to(histogram, bucket, std::mem::take(count));
        }
    }

    /// Takes over the interval of `other`, which begins another.
    pub(super) fn take(&mut self, other: &mut Gathering) {
        if self.counts.is_empty() {
            std::mem::swap(&mut self.counts, &mut other.counts);
        } else {
            self.counts.append(&mut other.counts);
        }
        self.sum_ns += std::mem::take(&mut other.sum_ns);
        self.max = self.max.max(std::mem::take(&mut other.max));
    }

    /// What was gathered, as an interval; another begins.
    pub(in crate::metrics) fn finish(&mut self, keep: Keep) -> IntervalLatency {
        // One recording gives its buckets in order, but for those that it moved on in between.
        if !self.counts.is_sorted_by(|one, next| one.0 < next.0) {
            self.counts.sort_unstable_by_key(|(bucket, _)| *bucket);
            self.counts.dedup_by(|later, first| {
                let same = later.0 == first.0;
                first.1 += if same { later.1 } else { 0 };
                same
            });
        }
        let count = self.counts.iter().map(|(_, count)| count).sum();
        let found = IntervalLatency {
            count,
            sum_ns: std::mem::take(&mut self.sum_ns),
            quantiles: quantiles(&self.counts, count, self.max),
            max: std::mem::take(&mut self.max),
            counts: if keep == Keep::Distributions { self.counts.as_slice().into() } else { Box::default() },
        };
        self.counts.clear();
        found
    }
}

/// The values at [`QUANTILES`] of `count` values, by bucket in their order.
fn quantiles(counts: &[(u32, u64)], count: u64, max: Nanos) -> [Nanos; QUANTILES.len()] {
    let (mut seen, mut rest) = (0, counts.iter());
    let mut value = Nanos::ZERO;
    QUANTILES.map(|quantile| {
        let rank = ((quantile * count as f64).ceil() as u64).clamp(1.min(count), count);
        while seen < rank {
            let Some((bucket, more)) = rest.next() else { break };
            seen += more;
            let (bucket, doubled) = (*bucket as usize, doublings(*bucket as usize));
            value = Nanos::from_micros(first_of(bucket) + (1 << doubled) - 1).min(max);
        }
        value
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Latency, Recording};
    use super::*;

    proptest! {
        #[test]
        fn the_intervals_of_recordings_add_up_to_them_and_each_is_what_its_own_values_give(
            parts in prop::collection::vec(prop::collection::vec((0_u32..64, any::<u64>(), any::<bool>()), 0..40), 1..6),
            looked_at in 0_usize..40,
        ) {
            let (mut recordings, mut all) = ([Recording::default(), Recording::default()], Latency::default());
            recordings.iter_mut().for_each(Recording::keep_intervals);
            let (mut gathering, mut sum) = (Gathering::default(), Histogram::<u64>::new(3).unwrap());
            for part in &parts {
                let mut own = Latency::default();
                for (at, (bits, any, second)) in part.iter().enumerate() {
                    let value = Nanos(any >> bits);
                    let recording = &mut recordings[usize::from(*second)];
                    recording.record(value);
                    own.record(value);
                    if at == looked_at {
                        recording.settled();
                    }
                }
                all.merge(&own);
                for recording in &mut recordings {
                    recording.end_interval(&mut gathering);
                }
                let mut few = gathering.clone();
                let interval = gathering.finish(Keep::Distributions);
                prop_assert_eq!(interval.count(), own.count());
                prop_assert_eq!(&interval.histogram(), own.histogram());
                let summary = own.summary();
                prop_assert_eq!(interval.quantiles(), [summary.p50, summary.p90, summary.p99, summary.p999]);
                prop_assert_eq!(interval.max(), summary.max);
                prop_assert_eq!(interval.mean_us().unwrap_or(0.0), summary.mean_us);
                sum.add(interval.histogram()).unwrap();
                let few = few.finish(Keep::Figures);
                prop_assert_eq!(few.counts.len(), 0);
                prop_assert_eq!(few, IntervalLatency { counts: Box::default(), ..interval });
            }
            prop_assert_eq!(&sum, all.histogram());
            let [first, second] = recordings.map(Recording::finish);
            let mut both = first;
            both.merge(&second);
            prop_assert_eq!(both, all);
        }
    }
}
