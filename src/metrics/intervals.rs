//! What happened between two moments of the time line: how many items came and left, how long those waited, how many
//! threads each class held on average.
//!
//! Kept only where a run is asked for it ([`Metrics::keep_intervals`]): page, histogram log and series are made of it.
//! Not a format. The hot path knows nothing of it: recorders are emptied at each moment anyway, and all else is the
//! difference of two sums. Called by [`super::Metrics`]; read by `report`.

pub use super::latency::Keep;
use super::latency::{Gathering, IntervalLatency, Recording};
use super::{Class, Metrics, Outcomes};
use crate::time::Nanos;

/// A stretch of a run, from one moment of the time line to the next or to the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// Where it begins.
    pub from: Nanos,
    /// Where it ends.
    pub to: Nanos,
    /// One entry for each class.
    pub classes: Vec<ClassInterval>,
}

impl Interval {
    /// So many in this interval as so many a second.
    #[must_use]
    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.to.since(self.from).as_secs_f64()
    }
}

/// What a class went through in an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassInterval {
    /// Items that came and were due in the measured time.
    pub arrivals: u64,
    /// How those ended that ended in this interval; items that wait or are in service at the end of the run belong to none.
    pub outcomes: Outcomes,
    /// Waits that ended in this interval: with a thread, with the client's patience, or cut off.
    pub wait: IntervalLatency,
    /// Services that ended in this interval.
    pub service: IntervalLatency,
    /// Threads held, averaged over the interval.
    pub busy_mean: f64,
    /// Items waiting, averaged over the interval.
    pub waiting_mean: f64,
}

/// Where the sums of a class stood at the last moment.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    arrivals: u64,
    outcomes: Outcomes,
    held: u128,
    waited: u128,
}

/// The intervals in the making.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    from: Nanos,
    keep: Keep,
    marks: Vec<Mark>,
    done: Vec<Interval>,
    gathering: Gathering,
}

impl Metrics {
    /// From now on, which is before the first event, so much of what happens between two moments of the time line is
    /// kept too.
    #[must_use]
    pub fn keep_intervals(mut self, keep: Keep) -> Metrics {
        if keep > Keep::Nothing {
            for class in &mut self.classes {
                class.recordings().into_iter().for_each(Recording::keep_intervals);
            }
            let marks = vec![Mark::default(); self.classes.len()];
            self.intervals = Some(Box::new(Intervals { keep, marks, ..Intervals::default() }));
        }
        self
    }

    /// The interval that goes on ends at `at`, where no event lies between the last one told and `at`.
    pub(super) fn end_interval(&mut self, at: Nanos) {
        let Some(intervals) = &mut self.intervals else { return };
        let from = std::mem::replace(&mut intervals.from, at);
        if at <= from {
            return;
        }
        let length = at.since(from).0 as f64;
        let (keep, gathering) = (intervals.keep, &mut intervals.gathering);
        let classes = self.classes.iter_mut().zip(&mut intervals.marks).map(|(class, mark)| {
            let now = class.mark(at);
            let before = std::mem::replace(mark, now);
            let [waits @ .., services] = class.recordings();
            waits.into_iter().for_each(|waits| waits.end_interval(gathering));
            let wait = gathering.finish(keep);
            services.end_interval(gathering);
            let service = gathering.finish(keep);
            // What waits is told late where the host is late: a sum may run ahead of its interval, never below zero.
            let mean = |now: u128, before: u128| (now.wrapping_sub(before) as i128).max(0) as f64 / length;
            ClassInterval {
                arrivals: now.arrivals - before.arrivals,
                outcomes: now.outcomes.since(&before.outcomes),
                wait,
                service,
                busy_mean: mean(now.held, before.held),
                waiting_mean: mean(now.waited, before.waited),
            }
        });
        let classes = classes.collect();
        intervals.done.push(Interval { from, to: at, classes });
    }

    /// The sums of the classes are about to begin anew at `at`.
    pub(super) fn marks_begin_anew(&mut self, at: Nanos) {
        let Some(intervals) = &mut self.intervals else { return };
        for (class, mark) in self.classes.iter().zip(&mut intervals.marks) {
            mark.held = mark.held.wrapping_sub(class.held_at(at));
            mark.waited = mark.waited.wrapping_sub(class.waited_at(at));
        }
    }

    /// All of them, the last ending at `end`.
    pub(super) fn intervals_until(&mut self, end: Nanos) -> Vec<Interval> {
        self.end_interval(end);
        self.intervals.take().map_or(Vec::new(), |intervals| intervals.done)
    }
}

impl Class {
    fn recordings(&mut self) -> [&mut Recording; 4] {
        [&mut self.started_wait, &mut self.gave_up_wait, &mut self.cut_wait, &mut self.service]
    }

    fn mark(&self, at: Nanos) -> Mark {
        let (held, waited) = (self.held_at(at), self.waited_at(at));
        Mark { arrivals: self.arrivals, outcomes: self.outcomes, held, waited }
    }
}

impl Outcomes {
    /// What came to these after `before`.
    fn since(&self, before: &Outcomes) -> Outcomes {
        Outcomes {
            served: self.served - before.served,
            gave_up: self.gave_up - before.gave_up,
            refused: self.refused - before.refused,
            lost: self.lost - before.lost,
            cut: self.cut - before.cut,
            unreachable: self.unreachable - before.unreachable,
            unfinished: self.unfinished - before.unfinished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ClassId;
    use crate::item::Outcome;

    fn s(seconds: u64) -> Nanos {
        Nanos::SECOND * seconds
    }

    /// 240 intervals of a second; an item that waits from 10 to 12.5 and is served till 20, one due in the warm-up.
    fn run(warmup: Nanos) -> super::super::Summary {
        let mut metrics = Metrics::new(1, 0, s(60), s(240)).after_warmup(warmup).keep_intervals(Keep::Figures);
        let class = ClassId(0);
        metrics.arrived(class, s(10), s(10));
        metrics.started(class, s(10), None, Nanos::from_millis(12_500));
        metrics.finished(class, s(10), Nanos::from_millis(12_500), Outcome::Served, s(20));
        metrics.arrived(class, s(200), s(200));
        metrics.left(class, s(200), None, Outcome::GaveUp, s(230));
        metrics.close(s(240), [], [])
    }

    #[test]
    fn intervals_say_what_happened_in_each_and_add_up_to_the_run() {
        let summary = run(Nanos::ZERO);
        let of = |at: usize| &summary.intervals[at].classes[0];
        assert_eq!(summary.intervals.len(), 240);
        assert!(summary.intervals.windows(2).all(|pair| pair[0].to == pair[1].from));
        assert_eq!((of(10).arrivals, of(10).waiting_mean, of(10).busy_mean), (1, 1.0, 0.0));
        assert_eq!((of(12).waiting_mean, of(12).busy_mean), (0.5, 0.5));
        assert_eq!((of(12).wait.count(), of(12).wait.max()), (1, Nanos::from_millis(2_500)));
        assert_eq!((of(20).outcomes.served, of(20).service.max()), (1, Nanos::from_millis(7_500)));
        assert_eq!((of(230).outcomes.gave_up, of(230).wait.max()), (1, s(30)));
        let total: u64 = summary.intervals.iter().map(|i| i.classes[0].outcomes.total()).sum();
        assert_eq!(total, summary.classes[0].arrivals);
        let held: f64 = summary.intervals.iter().map(|i| i.classes[0].busy_mean).sum();
        assert!((held - summary.classes[0].thread_seconds).abs() < 1e-9);
    }

    #[test]
    fn the_end_of_a_warm_up_within_an_interval_loses_no_thread_time() {
        let summary = run(Nanos::from_millis(12_750));
        assert_eq!(summary.intervals[12].classes[0].busy_mean, 0.5);
        assert_eq!(summary.intervals[13].classes[0].busy_mean, 1.0);
        assert_eq!(summary.intervals[20].classes[0].outcomes.served, 0, "it was due before the measured time");
    }

    #[test]
    fn nobody_asks_and_nothing_is_kept() {
        assert!(Metrics::new(1, 0, s(60), s(240)).close(s(240), [], []).intervals.is_empty());
    }
}
