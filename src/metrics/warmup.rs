//! The warm-up: where the measured time of a run begins, what of older items falls into it, and the rule by which a
//! warm-up is chosen.
//!
//! Items that were due before the measured time are simulated like all others and counted nowhere, but the threads that
//! they hold and the room that they take within it are as real as any: `Carried` keeps their part, so that the laws
//! that `Metrics` checks stay exact. Not the pilot runs (`run`), and not the wish for a warm-up (`plan`). Called by
//! [`super::Metrics`]; [`mser5`] by `run`.

use super::Metrics;
use crate::time::Nanos;

/// From when on a run is measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// The end of the warm-up; zero for none.
    pub(super) from: Nanos,
    /// It is still to come.
    ahead: bool,
}

impl Measured {
    /// Whether measuring is still to begin, and does so at `now` or before.
    pub(super) fn begins_by(&self, now: Nanos) -> bool {
        self.ahead && self.from <= now
    }

    /// When measuring is still to begin; never, where it has begun.
    pub(super) fn begins_at(&self) -> Nanos {
        if self.ahead { self.from } else { Nanos::MAX }
    }
}

/// What items of a class that were due before the measured time did within it.
#[derive(Debug, Default)]
pub(super) struct Carried {
    came: u64,
    left: u64,
    wait_ns: u128,
    service_ns: u128,
}

impl Carried {
    /// One was taken in.
    pub(super) fn came(&mut self) {
        self.came += 1;
    }

    /// One waits no longer; so much of its wait was within the measured time.
    pub(super) fn waited(&mut self, within: Nanos) {
        self.wait_ns += u128::from(within.0);
    }

    /// One was served; so much of that was within the measured time.
    pub(super) fn served(&mut self, within: Nanos) {
        self.service_ns += u128::from(within.0);
    }

    /// One is gone, or is still there at the end of the run.
    pub(super) fn left(&mut self) {
        self.left += 1;
    }

    /// How many are there; negative would be an error of the program.
    pub(super) fn in_system(&self) -> i128 {
        i128::from(self.came) - i128::from(self.left)
    }

    /// Their waits within the measured time.
    pub(super) fn wait_ns(&self) -> u128 {
        self.wait_ns
    }

    /// Their services within the measured time, those not counted that go on at the end of the run.
    pub(super) fn service_ns(&self) -> u128 {
        self.service_ns
    }
}

impl Metrics {
    /// Nothing that happens before `warmup` counts: figures are of the time from then on, and of the items due in it.
    #[must_use]
    pub fn after_warmup(mut self, warmup: Nanos) -> Metrics {
        self.measured = Measured { from: warmup, ahead: warmup > Nanos::ZERO };
        self
    }

    /// The warm-up is over at `at`: what was added up and the highest marks begin anew, with what there is now. No
    /// episode of starvation is open: none begins before the measured time.
    pub(super) fn begin_to_measure(&mut self, at: Nanos) {
        self.measured.ahead = false;
        self.marks_begin_anew(at);
        for class in &mut self.classes {
            class.held = (u128::from(class.busy) * u128::from(at.0)).wrapping_neg();
            class.waited = (u128::from(class.waiting) * u128::from(at.0)).wrapping_neg();
            class.late_ns = 0;
            class.busy_max = class.busy;
            class.waiting_max = class.waiting;
        }
        self.live_threads_max = self.live_threads;
    }
}

/// Values of a series that make one batch of [`mser5`].
pub const BATCH: usize = 5;

/// What [`mser5`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// How many values at the begin of the series belong to the warm-up: whole batches.
    pub values: usize,
    /// The least marginal standard error lies in the last tenth of the numbers that were looked at: the series may never
    /// settle.
    pub at_the_edge: bool,
}

/// Where a series settles, by MSER-5: its values are averaged in batches of five, and of the first half of the batches
/// so many are left out that the marginal standard error of the mean of the others, `sum((x - mean)^2) / n^2`, is
/// least; the fewest of several such numbers. `None` for fewer than four batches.
///
/// White (1997), "An effective truncation heuristic for bias reduction in simulation output", Simulation 69; batches of
/// five: Spratt (1998); the first half alone, and the edge as a sign of trouble: White and Robinson (2010); that the edge is
/// a tenth wide is ours, because chance moves the minimum of a series that grows by a batch or two.
#[must_use]
pub fn mser5(series: &[f64]) -> Option<Truncation> {
    let batches: Vec<f64> =
        series.chunks_exact(BATCH).map(|values| values.iter().sum::<f64>() / BATCH as f64).collect();
    let last = batches.len() / 2;
    if last < 2 {
        return None;
    }
    let error = |left_out: usize| {
        let kept = &batches[left_out..];
        let n = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / n;
        kept.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n * n)
    };
    let best = (0..=last).map(|at| (at, error(at))).reduce(|best, next| if next.1 < best.1 { next } else { best })?;
    Some(Truncation { values: best.0 * BATCH, at_the_edge: best.0 * 10 >= last * 9 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ClassId, SourceId};
    use crate::item::Outcome;
    use crate::workload::JourneyEnd;

    /// Batch means 10, 4, 1, 2, 1, 2, 1, 2. Leaving out d of them, by hand: d = 0: mean 2.875, squares 64.875, / 64 =
    /// 1.0137; 1: mean 13/7, squares 6.857, / 49 = 0.1399; 2: mean 1.5, squares 1.5, / 36 = 0.0417; 3: mean 1.6,
    /// squares 1.2, / 25 = 0.0480; 4: mean 1.5, squares 1, / 16 = 0.0625.
    #[test]
    fn the_truncation_is_the_one_computed_by_hand() {
        let series: Vec<f64> = [10.0, 4.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]
            .iter()
            .flat_map(|x| [x - 0.5, x + 0.5, *x, x - 0.25, x + 0.25])
            .collect();
        assert_eq!(mser5(&series), Some(Truncation { values: 10, at_the_edge: false }));
        // Values that fill no batch are left out.
        let longer = [series.as_slice(), &[1e9; 4]].concat();
        assert_eq!(mser5(&longer), Some(Truncation { values: 10, at_the_edge: false }));
    }

    #[test]
    fn what_is_steady_is_kept_whole_and_what_grows_never_settles() {
        assert_eq!(mser5(&[3.0; 100]), Some(Truncation { values: 0, at_the_edge: false }));
        let grows: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(mser5(&grows), Some(Truncation { values: 50, at_the_edge: true }));
        assert_eq!(mser5(&[1.0; 19]), None);
    }

    /// One class: an item waits from 1 s to 5 s and is served to 9 s, one from 2 s gives up at 6 s, one from 7 s waits
    /// to the end at 10 s; another, due at 3 s, is told at 5 s and served from 6 s to the end. Measured from 4 s.
    #[test]
    fn only_what_is_due_in_the_measured_time_counts_and_the_laws_hold() {
        let s = Nanos::from_secs;
        let class = ClassId(0);
        let mut metrics = Metrics::new(1, 0, s(1), s(10)).after_warmup(s(4));
        metrics.arrived(class, s(1), s(1));
        metrics.arrived(class, s(2), s(2));
        metrics.arrived(class, s(3), s(5));
        metrics.started(class, s(1), Some(s(2)), s(5));
        metrics.left(class, s(2), Some(s(3)), Outcome::GaveUp, s(6));
        metrics.started(class, s(3), None, s(6));
        metrics.arrived(class, s(7), s(7));
        metrics.turned_away(class, s(3), Outcome::Refused, s(8));
        metrics.turned_away(class, s(8), Outcome::Refused, s(8));
        metrics.finished(class, s(1), s(5), Outcome::Served, s(9));
        let summary = metrics.close(s(10), [(class, s(7))], [(class, s(3), s(6))]);
        assert_eq!(summary.violations, Vec::<String>::new());
        assert_eq!((summary.measured_from, summary.measured()), (s(4), s(6)));
        let found = &summary.classes[0];
        assert_eq!((found.arrivals, found.outcomes.refused, found.outcomes.unfinished), (2, 1, 1));
        assert_eq!((found.outcomes.served, found.outcomes.gave_up, found.service.count), (0, 0, 0));
        assert_eq!((found.wait.count, found.wait.max), (1, s(3)));
        // Threads held: 4 s by the first item and 4 s by the one told late. Waiting: two until 6 s, and one from 7 s on;
        // the item that was told late is not seen to wait before 5 s.
        assert!((found.thread_seconds - 8.0).abs() < 1e-9 && found.busy_max == 2);
        assert!((found.mean_waiting - (2.0 + 2.0 + 3.0) / 6.0).abs() < 1e-9, "{}", found.mean_waiting);
        // Starved: from the begin of the measured time, as the oldest had waited 3 s by then, to 6 s; from 8 s on again.
        assert_eq!((found.starved, found.episode_count, found.episodes[0].start), (s(4), 2, s(4)));
        assert_eq!(found.episodes[0].waited, 3);
        assert!((found.starved_percent - 100.0 * 4.0 / 6.0).abs() < 1e-9);
        // Shut out until the first start at 5 s.
        assert_eq!(found.shut_out, s(1));
    }

    #[test]
    fn journeys_count_where_they_began_in_the_measured_time() {
        let s = Nanos::from_secs;
        let mut metrics = Metrics::new(0, 1, s(1), s(10)).after_warmup(s(4));
        for (began, completed) in [(3, true), (3, false), (4, true), (5, true), (5, false)] {
            metrics.journey_ended(JourneyEnd { source: SourceId(0), began: s(began), completed }, s(9));
        }
        let journeys = &metrics.close(s(10), [], []).journeys[0];
        assert_eq!((journeys.completed, journeys.cut, journeys.total.max), (2, 1, s(5)));
    }

    #[test]
    fn a_run_that_ends_within_its_warmup_measures_nothing() {
        let s = Nanos::from_secs;
        let mut metrics = Metrics::new(1, 0, s(1), s(10)).after_warmup(s(8));
        metrics.arrived(ClassId(0), s(1), s(1));
        metrics.started(ClassId(0), s(1), None, s(3));
        metrics.arrived(ClassId(0), s(3), s(3));
        let summary = metrics.close(s(5), [(ClassId(0), s(3))], [(ClassId(0), s(1), s(3))]);
        assert_eq!(summary.violations, Vec::<String>::new());
        let found = &summary.classes[0];
        assert_eq!(
            (summary.measured(), found.arrivals, found.starved, found.still_waiting),
            (Nanos::ZERO, 0, Nanos::ZERO, 1)
        );
        assert!(found.thread_seconds == 0.0 && found.mean_waiting == 0.0 && found.starved_percent == 0.0);
    }
}
