//! One latency figure: a histogram with its exact count, sum and maximum.
//!
//! Not a format: `report` turns a [`LatencySummary`] into text or JSON. Called by [`super::Metrics`].

use std::sync::LazyLock;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::time::Nanos;

mod interval;

pub(super) use interval::Gathering;
pub use interval::{IntervalLatency, Keep};

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
    /// How many values fell into each bucket since they were last moved on. Whole doublings, so that a rising series does
    /// not copy at every step.
    counts: Vec<u32>,
    /// A bit for each doubling that has any.
    doublings: u64,
    sum_ns: u128,
    /// The largest since then.
    max: Nanos,
    zeros: u64,
    settled: Latency,
    /// Only where intervals are wanted.
    interval: Option<Box<Gathering>>,
}

/// Buckets that are looked at together.
const STRETCH: usize = 16;

/// Buckets of 2,048 steps, each twice as wide as the one before, of which all but the first use the upper half.
const SUB_BITS: u32 = 11;

/// The buckets of one doubling.
const HALF: usize = 1 << (SUB_BITS - 1);

impl Recording {
    /// Records one.
    #[inline(always)]
    pub fn record(&mut self, value: Nanos) {
        self.sum_ns += u128::from(value.0);
        self.max = self.max.max(value);
        self.zeros += u64::from(value == Nanos::ZERO);
        let bucket = bucket_of(value.as_micros());
        self.doublings |= 1 << (bucket / HALF);
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
        self.interval = Some(Box::default());
    }

    /// Moves what was recorded since this was last asked into `into`; nothing where intervals are not kept.
    pub(super) fn end_interval(&mut self, into: &mut Gathering) {
        self.move_on();
        if let Some(interval) = &mut self.interval {
            into.take(interval);
        }
    }

    /// Counts a value of a bucket that is above all others so far, or full.
    #[cold]
    fn make_room(&mut self, bucket: usize) {
        let doubling = bucket / HALF;
        self.counts.resize(self.counts.len().max((doubling + 1) * HALF), 0);
        self.move_on();
        self.counts[bucket] = 1;
        self.doublings = 1 << doubling;
    }

    /// Moves what was recorded into the figure.
    #[cold]
    fn settle(&mut self) {
        self.move_on();
        if let Some(interval) = &mut self.interval {
            interval.settle(&mut self.settled.histogram);
        }
        self.settled.above_zero = self.settled.count() - self.zeros;
    }

    /// Moves what was recorded into the figure, but that counts of intervals are gathered first.
    fn move_on(&mut self) {
        let (sum_ns, max) = (std::mem::take(&mut self.sum_ns), std::mem::take(&mut self.max));
        self.settled.sum_ns += sum_ns;
        self.settled.max = self.settled.max.max(max);
        if let Some(interval) = &mut self.interval {
            interval.reach(self.counts.len(), sum_ns, max);
        }
        let (mut doublings, mut interval) = (std::mem::take(&mut self.doublings), self.interval.as_deref_mut());
        while doublings > 0 {
            let first = doublings.trailing_zeros() as usize * HALF;
            doublings &= doublings - 1;
            // Most buckets are empty, and a stretch of them is looked at in a few instructions.
            let (stretches, _) = self.counts[first..first + HALF].as_chunks_mut::<STRETCH>();
            for (stretch, counts) in stretches.iter_mut().enumerate() {
                let mut some = filled(counts);
                while some > 0 {
                    let at = some.trailing_zeros() as usize;
                    some &= some - 1;
                    let (bucket, count) = (first + stretch * STRETCH + at, u64::from(std::mem::take(&mut counts[at])));
                    match &mut interval {
                        Some(interval) => interval.add(bucket, count),
                        None => add_to(&mut self.settled.histogram, bucket, count),
                    }
                }
            }
        }
    }
}

/// A bit for each of the counts that is not zero.
#[inline(always)]
fn filled(counts: &[u32; STRETCH]) -> u32 {
    if counts.iter().fold(0, |any, count| any | count) == 0 {
        return 0;
    }
    counts.iter().enumerate().fold(0, |bits, (at, count)| bits | u32::from(*count > 0) << at)
}

fn add_to(histogram: &mut Histogram<u64>, bucket: usize, count: u64) {
    histogram.record_n(first_of(bucket), count).expect("the histogram grows as needed");
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
