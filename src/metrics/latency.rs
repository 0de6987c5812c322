//! One latency figure: a histogram with its exact count, sum and maximum.
//!
//! Not a format: `report` turns a [`LatencySummary`] into text or JSON. Called by [`super::Metrics`].

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::time::Nanos;

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

impl Latency {
    /// Records one.
    pub fn record(&mut self, value: Nanos) {
        self.histogram.record(value.as_micros()).expect("the histogram grows as needed");
        self.sum_ns += u128::from(value.0);
        self.max = self.max.max(value);
        self.above_zero += u64::from(value > Nanos::ZERO);
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
