//! Figures that follow from several others: what a set of classes went through together, histograms side by side.
//!
//! Not a format and not a recording: everything here is computed from finished [`ClassSummary`]s, so that `report` has
//! no arithmetic of its own. Called by `report`.

use super::intervals::{ClassInterval, Interval};
use super::latency::LatencySummary;
use super::{ClassSummary, Moment, Summary};
use crate::ids::ClassId;
use crate::time::Nanos;

/// What several classes have together at a moment of the time line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtOnce {
    /// Items waiting.
    pub waiting: u64,
    /// Threads held.
    pub busy: u32,
    /// Age of the oldest waiting item.
    pub oldest: Nanos,
}

/// What `classes` have together at a moment.
#[must_use]
pub fn at_once(moment: &Moment, classes: &[ClassId]) -> AtOnce {
    classes.iter().map(|class| moment.classes[class.index()]).fold(AtOnce::default(), |all, (waiting, busy, oldest)| {
        AtOnce { waiting: all.waiting + waiting, busy: all.busy + busy, oldest: all.oldest.max(oldest) }
    })
}

/// How many of something `classes` had together in an interval.
#[must_use]
pub fn in_interval(interval: &Interval, classes: &[ClassId], of: fn(&ClassInterval) -> u64) -> u64 {
    classes.iter().map(|class| of(&interval.classes[class.index()])).sum()
}

/// How many of something `classes` had together from the begin of the run to the end of each interval.
#[must_use]
pub fn running_totals(summary: &Summary, classes: &[ClassId], of: fn(&ClassInterval) -> u64) -> Vec<u64> {
    let totals = summary.intervals.iter().scan(0, |total, interval| {
        *total += in_interval(interval, classes, of);
        Some(*total)
    });
    totals.collect()
}

impl ClassSummary {
    /// Whether somebody found the service offline, or was cut off when it went.
    #[must_use]
    pub fn went_offline(&self) -> bool {
        self.outcomes.cut + self.outcomes.unreachable > 0
    }
}

/// What a set of classes went through, taken together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Together {
    /// Items that came.
    pub arrivals: u64,
    /// Items whose client gave up.
    pub gave_up: u64,
    /// Items that found no room.
    pub refused: u64,
    /// Items that were lost with their thread.
    pub lost: u64,
    /// Items that waited at the end.
    pub still_waiting: u64,
    /// The longest wait of any item.
    pub longest_wait: Nanos,
    /// The largest 99th percentile of the waits of any class.
    pub wait_p99: Nanos,
    /// The longest starved episode of any class.
    pub longest_episode: Nanos,
    /// Starved time of the class that starved most, in percent of the run.
    pub starved_percent: f64,
}

/// The classes that `wanted` names, taken together.
#[must_use]
pub fn together(summary: &Summary, wanted: &[ClassId]) -> Together {
    let mut all = Together::default();
    for class in wanted.iter().map(|id| &summary.classes[id.index()]) {
        all.arrivals += class.arrivals;
        all.gave_up += class.outcomes.gave_up;
        all.refused += class.outcomes.refused;
        all.lost += class.outcomes.lost;
        all.still_waiting += class.still_waiting;
        all.longest_wait = all.longest_wait.max(class.wait.max);
        all.wait_p99 = all.wait_p99.max(class.wait.p99);
        all.longest_episode = all.longest_episode.max(class.longest_episode);
        all.starved_percent = all.starved_percent.max(class.starved_percent);
    }
    all
}

/// The share of a pool of `pool_size` threads that some holders had while `starved` was starved, in percent of all
/// threads of the pool and not only of those held; in [0, 100].
#[must_use]
pub fn pool_share_while_starved(starved: &ClassSummary, holds: impl Fn(ClassId) -> bool, pool_size: u32) -> f64 {
    let all = f64::from(pool_size) * starved.starved.as_secs_f64();
    if all <= 0.0 {
        return 0.0;
    }
    let held: f64 = starved.holders.iter().filter(|h| holds(h.class)).map(|h| h.thread_seconds).sum();
    (held / all * 100.0).clamp(0.0, 100.0)
}

/// Thread time held as a share of what the pool could give in the `measured` time, in percent; in [0, 100].
#[must_use]
pub fn pool_share(class: &ClassSummary, pool_size: u32, measured: Nanos) -> f64 {
    let all = f64::from(pool_size) * measured.as_secs_f64();
    if all > 0.0 { (class.thread_seconds / all * 100.0).clamp(0.0, 100.0) } else { 0.0 }
}

/// One row of histograms put side by side: `from_us <= value < to_us`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Lower edge in microseconds; 0 for the row of everything below the floor.
    pub from_us: u64,
    /// Upper edge in microseconds.
    pub to_us: u64,
    /// Counts, one for each histogram.
    pub counts: Vec<u64>,
}

/// Histograms of 1-2-5 buckets on one axis, from the first row that any of them fills to the last. Everything below
/// `floor_us` (a bucket's edge) is one row.
#[must_use]
pub fn side_by_side(latencies: &[Option<&LatencySummary>], floor_us: u64) -> Vec<Row> {
    let mut rows = axis(floor_us, u64::MAX / 100, latencies.len());
    for (at, latency) in latencies.iter().enumerate() {
        for bucket in latency.iter().flat_map(|l| &l.buckets) {
            let row = rows.partition_point(|row| row.from_us <= bucket.from_us) - 1;
            rows[row].counts[at] += bucket.count;
        }
    }
    let filled = |row: &Row| row.counts.iter().any(|count| *count > 0);
    let Some(last) = rows.iter().rposition(filled) else { return Vec::new() };
    let first = rows.iter().position(filled).unwrap_or(0);
    rows.drain(first..=last).collect()
}

/// One histogram on a fixed axis: a count for everything below `floor_us`, one for each 1-2-5 bucket up to
/// `ceiling_us`, one for everything above. Both are powers of ten.
#[must_use]
pub fn on_axis(latency: &LatencySummary, floor_us: u64, ceiling_us: u64) -> Vec<u64> {
    let mut rows = axis(floor_us, ceiling_us, 1);
    rows.push(Row { from_us: ceiling_us, to_us: u64::MAX, counts: vec![0] });
    for bucket in &latency.buckets {
        let row = rows.partition_point(|row| row.from_us <= bucket.from_us) - 1;
        rows[row].counts[0] += bucket.count;
    }
    rows.into_iter().map(|row| row.counts[0]).collect()
}

/// Empty rows: one below the floor, then 1-2-5 up to the ceiling.
fn axis(floor_us: u64, ceiling_us: u64, histograms: usize) -> Vec<Row> {
    let mut edges = vec![0, floor_us];
    let mut decade = floor_us;
    while decade < ceiling_us {
        edges.extend([2, 5, 10].map(|m| decade.saturating_mul(m)));
        decade = decade.saturating_mul(10);
    }
    edges.windows(2).map(|e| Row { from_us: e[0], to_us: e[1], counts: vec![0; histograms] }).collect()
}

/// Items of `class` waiting over the time line, in `columns` stretches of equal length: the most in each. Shorter if
/// the time line is.
#[must_use]
pub fn waiting_over_time(timeline: &[Moment], class: ClassId, columns: usize) -> Vec<u64> {
    let columns = columns.min(timeline.len());
    (0..columns)
        .map(|at| {
            let stretch = timeline.len() * at / columns..timeline.len() * (at + 1) / columns;
            timeline[stretch].iter().map(|moment| moment.classes[class.index()].0).max().unwrap_or(0)
        })
        .collect()
}

/// By how many items an hour the waiting items of each class grew: the slope of the least-squares line through the
/// moments of the time line since `from`; 0 for fewer than two.
#[must_use]
pub fn waiting_trends(timeline: &[Moment], from: Nanos, classes: usize) -> Vec<f64> {
    let moments: Vec<&Moment> = timeline.iter().filter(|moment| moment.at >= from).collect();
    let n = moments.len() as f64;
    let hours = |moment: &Moment| moment.at.as_secs_f64() / 3_600.0;
    let middle = moments.iter().map(|moment| hours(moment)).sum::<f64>() / n;
    let spread: f64 = moments.iter().map(|moment| (hours(moment) - middle) * (hours(moment) - middle)).sum();
    let slope = |class: usize| {
        let sum: f64 = moments.iter().map(|m| (hours(m) - middle) * m.classes[class].0 as f64).sum();
        if spread > 0.0 { sum / spread } else { 0.0 }
    };
    (0..classes).map(slope).collect()
}

#[cfg(test)]
mod tests {
    use super::super::latency::Latency;
    use super::*;

    fn latency(ms: &[u64]) -> LatencySummary {
        let mut latency = Latency::default();
        ms.iter().for_each(|ms| latency.record(Nanos::from_millis(*ms)));
        latency.summary()
    }

    #[test]
    fn histograms_share_one_axis_and_lose_nothing() {
        let (a, b) = (latency(&[0, 0, 3, 70]), latency(&[3, 900]));
        let rows = side_by_side(&[Some(&a), None, Some(&b)], 1_000);
        assert_eq!((rows[0].from_us, rows[0].to_us, rows[0].counts.clone()), (0, 1_000, vec![2, 0, 0]));
        assert!(rows.windows(2).all(|w| w[0].to_us == w[1].from_us));
        assert_eq!(rows.last().map(|row| (row.from_us, row.to_us)), Some((500_000, 1_000_000)));
        let sums: Vec<u64> = (0..3).map(|at| rows.iter().map(|row| row.counts[at]).sum()).collect();
        assert_eq!(sums, [4, 0, 2]);
        assert!(side_by_side(&[None], 1_000).is_empty());
    }

    #[test]
    fn the_fixed_axis_has_a_row_for_both_ends() {
        let counts = on_axis(&latency(&[0, 1, 5_000, 2_000_000]), 1_000, 1_000_000_000);
        assert_eq!(counts.len(), 1 + 18 + 1);
        assert_eq!((counts[0], counts[1], counts[12], counts[19]), (1, 1, 1, 1));
    }

    #[test]
    fn a_trend_is_the_slope_of_the_measured_moments() {
        let moment = |s: u64, waiting| Moment {
            at: Nanos::from_secs(s),
            live_threads: 0,
            classes: vec![(waiting, 0, Nanos::ZERO), (7, 0, Nanos::ZERO)],
        };
        // Two items a second from 100 s on: 7,200 an hour.
        let timeline: Vec<Moment> = (0..40).map(|n| moment(n * 10, (n * 20).saturating_sub(200))).collect();
        let trends = waiting_trends(&timeline, Nanos::from_secs(100), 2);
        assert!((trends[0] - 7_200.0).abs() < 1e-6 && trends[1].abs() < 1e-9, "{trends:?}");
        assert!(waiting_trends(&timeline, Nanos::ZERO, 2)[0] < 7_000.0);
        assert_eq!(waiting_trends(&timeline[..1], Nanos::ZERO, 2), [0.0, 0.0]);
    }

    #[test]
    fn stretches_keep_their_peaks() {
        let moment = |n: u64| Moment { at: Nanos(n), live_threads: 0, classes: vec![(n % 5, 0, Nanos::ZERO)] };
        let timeline: Vec<Moment> = (0..10).map(moment).collect();
        assert_eq!(waiting_over_time(&timeline, ClassId(0), 2), [4, 4]);
        assert_eq!(waiting_over_time(&timeline, ClassId(0), 40).len(), 10);
        assert!(waiting_over_time(&[], ClassId(0), 40).is_empty());
    }
}
