//! One latency figure: a histogram with its exact count, sum and maximum.
//!
//! Not a format: `report` turns a [`LatencySummary`] into text or JSON. Called by [`super::Metrics`].

use std::sync::LazyLock;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::time::Nanos;

/// The quantiles of [`Latency::percentiles`]: ten to each tenth of what is left, from 0 to 0.9999.
pub static PERCENTILES: LazyLock<Vec<f64>> =
    LazyLock::new(|| (0..=40).map(|step| 1.0 - libm::pow(10.0, f64::from(step) / -10.0)).collect());

/// Records latencies: three significant digits in microseconds, count, sum and maximum exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    histogram: Histogram<u64>,
    sum_ns: u128,
    max: Nanos,
    above_zero: u64,
}

impl Default for Latency {
    fn default() -> Latency {
        let histogram = Histogram::new(3).expect("3 digits are allowed");
        Latency { histogram, sum_ns: 0, max: Nanos::ZERO, above_zero: 0 }
    }
}

/// A latency figure in the making, for the hot path.
///
/// It counts in the buckets of an HdrHistogram (three digits, microseconds) and becomes one at the end: recording in
/// the histogram itself costs three times as many instructions, for range checks and extremes that are not needed here.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// How many values fell into each bucket since the last `settle`.
    counts: Vec<u32>,
    sum_ns: u128,
    max: Nanos,
    zeros: u64,
    settled: Latency,
    /// What was recorded since the last interval ended; only where intervals are wanted.
    interval: Option<IntervalLatency>,
}

/// Buckets that are looked at together.
const STRETCH: usize = 64;

/// Buckets of 2,048 steps, each twice as wide as the one before, of which all but the first use the upper half.
const SUB_BITS: u32 = 11;

impl Recording {
    /// Records one.
    #[inline(always)]
    pub fn record(&mut self, value: Nanos) {
        self.sum_ns += u128::from(value.0);
        self.max = self.max.max(value);
        self.zeros += u64::from(value == Nanos::ZERO);
        let bucket = bucket_of(value.as_micros());
        match self.counts.get_mut(bucket) {
            Some(count) if *count < u32::MAX => *count += 1,
            _ => self.make_room(bucket),
        }
    }

    /// The figure so far.
    pub fn settled(&mut self) -> &Latency {
        self.settle();
        &self.settled
    }

    /// The figure.
    #[must_use]
    pub fn finish(mut self) -> Latency {
        self.settle();
        self.settled
    }

    /// From now on [`Recording::end_interval`] answers.
    pub(super) fn keep_intervals(&mut self) {
        self.interval = Some(IntervalLatency::default());
    }

    /// What was recorded since this was last asked; nothing where intervals are not kept.
    pub(super) fn end_interval(&mut self) -> IntervalLatency {
        if self.interval.is_none() {
            return IntervalLatency::default();
        }
        let before = self.settled.sum_ns;
        self.settle();
        let mut found = self.interval.replace(IntervalLatency::default()).unwrap_or_default();
        found.sum_ns = self.settled.sum_ns - before;
        found.max = std::mem::take(&mut self.max);
        found
    }

    /// Counts a value of a bucket that is above all others so far, or full.
    #[cold]
    fn make_room(&mut self, bucket: usize) {
        self.settle_counts();
        // Whole doublings, so that a rising series does not copy at every step.
        let half = 1 << (SUB_BITS - 1);
        self.counts.resize(self.counts.len().max((bucket / half + 1) * half), 0);
        self.counts[bucket] = 1;
    }

    /// Moves what was recorded into the figure.
    #[cold]
    fn settle(&mut self) {
        self.settle_counts();
        self.settled.sum_ns += std::mem::take(&mut self.sum_ns);
        self.settled.max = self.settled.max.max(self.max);
        self.settled.above_zero = self.settled.count() - self.zeros;
    }

    fn settle_counts(&mut self) {
        let used = self.counts.len().min(bucket_of(self.max.as_micros()) + 1);
        // Most stretches of buckets are empty, and a stretch is looked at in a few instructions.
        for (stretch, counts) in self.counts[..used].chunks_mut(STRETCH).enumerate() {
            if counts.iter().fold(0, |any, count| any | count) == 0 {
                continue;
            }
            for (at, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
                let bucket = stretch * STRETCH + at;
                let recorded = self.settled.histogram.record_n(first_of(bucket), u64::from(*count));
                recorded.expect("the histogram grows as needed");
                if let Some(interval) = &mut self.interval {
                    interval.add(bucket as u32, u64::from(*count));
                }
                *count = 0;
            }
        }
    }
}

/// The bucket that a value in microseconds falls into.
#[inline(always)]
fn bucket_of(micros: u64) -> usize {
    let doubled = (64 - SUB_BITS) - (micros | ((1 << SUB_BITS) - 1)).leading_zeros();
    ((doubled << (SUB_BITS - 1)) + (micros >> doubled) as u32) as usize
}

/// How often the steps of a bucket are doubled.
fn doublings(bucket: usize) -> u64 {
    (bucket as u64 >> (SUB_BITS - 1)).saturating_sub(1)
}

/// The smallest value of a bucket, in microseconds.
fn first_of(bucket: usize) -> u64 {
    let doubled = doublings(bucket);
    (bucket as u64 - (doubled << (SUB_BITS - 1))) << doubled
}

/// The values of one interval: those buckets alone that have any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalLatency {
    /// By bucket, in their order: how many.
    counts: Vec<(u32, u64)>,
    sum_ns: u128,
    max: Nanos,
}

impl IntervalLatency {
    fn add(&mut self, bucket: u32, count: u64) {
        // Nearly always they come in their order.
        if self.counts.last().is_none_or(|(last, _)| *last < bucket) {
            self.counts.push((bucket, count));
            return;
        }
        match self.counts.binary_search_by_key(&bucket, |(at, _)| *at) {
            Ok(at) => self.counts[at].1 += count,
            Err(at) => self.counts.insert(at, (bucket, count)),
        }
    }

    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &IntervalLatency) {
        other.counts.iter().for_each(|(bucket, count)| self.add(*bucket, *count));
        self.sum_ns += other.sum_ns;
        self.max = self.max.max(other.max);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// The largest, exactly.
    #[must_use]
    pub fn max(&self) -> Nanos {
        self.max
    }

    /// Their mean in microseconds; `None` where there are none.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum_ns as f64 / count as f64 / 1e3)
    }

    /// The value at each of `quantiles` (rising, in [0, 1]): the top of a bucket, and never above the maximum. Zero where
    /// there are no values.
    #[must_use]
    pub fn at<const N: usize>(&self, quantiles: [f64; N]) -> [Nanos; N] {
        let count = self.count();
        let (mut seen, mut rest) = (0, self.counts.iter());
        let mut value = Nanos::ZERO;
        quantiles.map(|quantile| {
            let rank = ((quantile * count as f64).ceil() as u64).clamp(1.min(count), count);
            while seen < rank {
                let Some((bucket, more)) = rest.next() else { break };
                seen += more;
                let (bucket, doubled) = (*bucket as usize, doublings(*bucket as usize));
                value = Nanos::from_micros(first_of(bucket) + (1 << doubled) - 1).min(self.max);
            }
            value
        })
    }

    /// All of them as a histogram of microseconds.
    #[must_use]
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).expect("3 digits are allowed");
        for (bucket, count) in &self.counts {
            histogram.record_n(first_of(*bucket as usize), *count).expect("the histogram grows as needed");
        }
        histogram
    }
}

impl Latency {
    /// Records one.
    #[inline]
    pub fn record(&mut self, value: Nanos) {
        self.histogram.record(value.as_micros()).expect("the histogram grows as needed");
        self.sum_ns += u128::from(value.0);
        self.max = self.max.max(value);
        self.above_zero += u64::from(value > Nanos::ZERO);
    }

    /// The histogram itself, in microseconds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// The values at [`PERCENTILES`], as far as there are enough values to tell: of a hundred, the 99.9th percentile is
    /// nobody's, and `None`.
    #[must_use]
    pub fn percentiles(&self) -> Vec<Option<Nanos>> {
        let count = self.count();
        let mut steps = self.histogram.iter_recorded();
        let mut seen = 0;
        let mut value = Nanos::ZERO;
        let at = |quantile: f64| {
            let rank = ((quantile * count as f64).ceil() as u64).max(1);
            while seen < rank
                && let Some(step) = steps.next()
            {
                seen += step.count_since_last_iteration();
                value = Nanos::from_micros(step.value_iterated_to()).min(self.max);
            }
            ((1.0 - quantile) * count as f64 >= 1.0 - 1e-9).then_some(value)
        };
        PERCENTILES.iter().copied().map(at).collect()
    }

    /// Adds everything that `other` has recorded.
    pub fn merge(&mut self, other: &Latency) {
        self.histogram.add(&other.histogram).expect("the histogram grows as needed");
        self.sum_ns += other.sum_ns;
        self.max = self.max.max(other.max);
        self.above_zero += other.above_zero;
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Their exact sum, in nanoseconds.
    #[must_use]
    pub fn sum_ns(&self) -> u128 {
        self.sum_ns
    }

    /// The figures.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        let count = self.count();
        // The histogram answers with the top of a bucket; no quantile may exceed the exact maximum.
        let at = |q: f64| Nanos::from_micros(self.histogram.value_at_quantile(q)).min(self.max);
        LatencySummary {
            count,
            mean_us: if count == 0 { 0.0 } else { self.sum_ns as f64 / count as f64 / 1e3 },
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.max,
            above_zero: self.above_zero,
            buckets: self.buckets(),
            hdr: self.hdr(),
        }
    }

    /// Counts in buckets of 1, 2 and 5 times powers of ten microseconds, from the first to the last that is not empty.
    fn buckets(&self) -> Vec<Bucket> {
        let mut edges = vec![0_u64];
        edges.extend((0..18).flat_map(|power| [1, 2, 5].map(|m| m * 10_u64.pow(power))));
        let mut buckets: Vec<Bucket> =
            edges.windows(2).map(|edge| Bucket { from_us: edge[0], to_us: edge[1], count: 0 }).collect();
        for value in self.histogram.iter_recorded() {
            let at = edges.partition_point(|edge| *edge <= value.value_iterated_to()) - 1;
            buckets[at.min(edges.len() - 2)].count += value.count_since_last_iteration();
        }
        let Some(last) = buckets.iter().rposition(|b| b.count > 0) else { return Vec::new() };
        let first = buckets.iter().position(|b| b.count > 0).unwrap_or(0);
        buckets.drain(..first);
        buckets.truncate(last + 1 - first);
        buckets
    }

    /// The whole histogram, V2 compressed, in base64.
    fn hdr(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes).expect("writing to memory");
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }
}

/// The figures of one latency.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencySummary {
    /// How many were recorded.
    pub count: u64,
    /// Their mean, in microseconds; 0 if there are none.
    pub mean_us: f64,
    /// Median.
    pub p50: Nanos,
    /// 90th percentile.
    pub p90: Nanos,
    /// 99th percentile.
    pub p99: Nanos,
    /// 99.9th percentile.
    pub p999: Nanos,
    /// The largest, exactly.
    pub max: Nanos,
    /// How many were above zero.
    pub above_zero: u64,
    /// Counts for a person to look at.
    pub buckets: Vec<Bucket>,
    /// The whole histogram (unit: microseconds) as HdrHistogram V2, deflated, base64.
    pub hdr: String,
}

/// A bucket of a histogram: `from_us <= value < to_us`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its lower edge in microseconds.
    pub from_us: u64,
    /// Its upper edge in microseconds.
    pub to_us: u64,
    /// How many are in it.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_never_exceed_the_maximum_and_the_mean_is_exact() {
        let mut latency = Latency::default();
        for ms in 1..=1_000 {
            latency.record(Nanos::from_millis(ms));
        }
        let s = latency.summary();
        assert_eq!(s.count, 1_000);
        assert!((s.mean_us - 500_500.0).abs() < 1e-9);
        assert_eq!(s.max, Nanos::SECOND);
        assert!(s.p50 <= s.p90 && s.p90 <= s.p99 && s.p99 <= s.p999 && s.p999 <= s.max);
        // Three digits: within 0.1 %.
        assert!((s.p90.as_secs_f64() - 0.9).abs() < 0.0009);
        assert_eq!(s.buckets.iter().map(|b| b.count).sum::<u64>(), 1_000);
        assert!(s.buckets.windows(2).all(|w| w[0].to_us == w[1].from_us));
    }

    proptest! {
        #[test]
        fn a_recording_becomes_what_recording_one_by_one_gives(
            values in prop::collection::vec((0_u32..64, any::<u64>()).prop_map(|(bits, any)| Nanos(any >> bits)), 0..200),
        ) {
            let (mut recording, mut direct) = (Recording::default(), Latency::default());
            for (at, value) in values.iter().enumerate() {
                recording.record(*value);
                direct.record(*value);
                if at % 50 == 7 {
                    prop_assert_eq!(recording.settled(), &direct);
                }
            }
            prop_assert_eq!(recording.finish(), direct);
        }
    }

    #[test]
    fn percentiles_are_the_quantiles_as_far_as_there_are_values_to_tell() {
        let mut latency = Latency::default();
        for ms in 1..=1_000 {
            latency.record(Nanos::from_millis(ms));
        }
        let told = latency.percentiles();
        let summary = latency.summary();
        assert_eq!((told[10], told[20], told[30]), (Some(summary.p90), Some(summary.p99), Some(summary.p999)));
        assert!(told[..31].iter().all(Option::is_some) && told[31..].iter().all(Option::is_none), "{told:?}");
        assert!(told[..31].is_sorted());
        assert!(Latency::default().percentiles().iter().all(Option::is_none));
    }

    proptest! {
        #[test]
        fn the_intervals_of_a_recording_add_up_to_it_and_each_is_what_its_own_values_give(
            parts in prop::collection::vec(prop::collection::vec((0_u32..64, any::<u64>()), 0..40), 1..6),
        ) {
            let (mut recording, mut all) = (Recording::default(), Latency::default());
            recording.keep_intervals();
            let mut merged = IntervalLatency::default();
            for part in &parts {
                let mut own = Latency::default();
                for value in part.iter().map(|(bits, any)| Nanos(any >> bits)) {
                    recording.record(value);
                    own.record(value);
                }
                all.merge(&own);
                let interval = recording.end_interval();
                prop_assert_eq!(interval.count(), own.count());
                prop_assert_eq!(&interval.histogram(), own.histogram());
                let summary = own.summary();
                prop_assert_eq!(interval.at([0.5, 0.9, 0.99, 0.999]), [summary.p50, summary.p90, summary.p99, summary.p999]);
                prop_assert_eq!(interval.max(), summary.max);
                prop_assert_eq!(interval.mean_us().unwrap_or(0.0), summary.mean_us);
                merged.merge(&interval);
            }
            prop_assert_eq!(&merged.histogram(), all.histogram());
            prop_assert_eq!(recording.finish(), all);
        }
    }

    #[test]
    fn the_serialised_histogram_reads_back() {
        let mut latency = Latency::default();
        latency.record(Nanos::from_millis(12));
        let bytes = base64::engine::general_purpose::STANDARD.decode(latency.summary().hdr).unwrap();
        let back: Histogram<u64> =
            hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(back.len(), 1);
        assert_eq!(back.value_at_quantile(1.0), latency.histogram.value_at_quantile(1.0));
    }
}
