//! Arrivals that come more or less often from some moment on, because somebody says so while the run goes on.
//!
//! What has been drawn stays drawn: of the arrival that was planned, the part that is still to come is met at the new
//! rate. So a factor that is changed and changed back moves arrivals and draws none anew. Not a pattern of a scenario.
//! Called by `Workload`.

use super::{ArrivalTimes, Pattern, Spacing, exponential, held_for};
use crate::time::Nanos;

/// What there is to remember of a rate that was changed.
#[derive(Debug)]
pub(super) struct Rescaled {
    /// As the scenario says.
    base: Pattern,
    factor: f64,
    /// Where nothing is planned: what was left of the next arrival, and when.
    left: Option<(Nanos, f64)>,
}

impl ArrivalTimes {
    /// From `at` on the arrivals come `factor` times as often as the scenario says. The answer is when the next one comes,
    /// in place of what was said before.
    pub(in crate::workload) fn rescale(&mut self, factor: f64, at: Nanos) -> Option<Nanos> {
        let is_due = !self.exhausted && self.now <= at;
        let left = if is_due { 0.0 } else { self.left(at) };
        let base = self.rescaled.take().map_or_else(|| self.pattern.clone(), |before| before.base);
        self.pattern = base.times(factor);
        self.steady_gap = self.pattern.steady_gap();
        let mut rescaled = Rescaled { base, factor, left: None };
        if is_due {
            self.rescaled = Some(Box::new(rescaled));
            return Some(self.now);
        }
        let found = self.reach(&rescaled, at, left).filter(|found| *found < self.until);
        self.exhausted = found.is_none();
        match found {
            Some(found) => {
                self.now = found;
                self.left_in_batch = self.batch - 1;
            }
            None => rescaled.left = Some((at, left)),
        }
        self.rescaled = Some(Box::new(rescaled));
        found
    }

    /// What is left, at `at`, of the arrival that comes next: in arrivals, or for gaps in nanoseconds of the scenario's.
    fn left(&self, at: Nanos) -> f64 {
        if !self.exhausted {
            return self.area(at, self.now);
        }
        if let Some((since, left)) = self.rescaled.as_ref().and_then(|rescaled| rescaled.left) {
            return (left - self.area(since, at)).max(0.0);
        }
        // It was drawn, and lies beyond the end.
        let mut stream = self.gaps.of(self.drawn - 1);
        let drawn = match &self.pattern {
            Pattern::Gaps(gap) => gap.draw(&mut stream).0 as f64 * self.factor(),
            Pattern::Rate { spacing: Spacing::Even, .. } => 1.0,
            Pattern::Rate { .. } | Pattern::Switching(_) => exponential(&mut stream),
        };
        (drawn - self.area(self.now, at)).max(0.0)
    }

    fn factor(&self) -> f64 {
        self.rescaled.as_ref().map_or(1.0, |rescaled| rescaled.factor)
    }

    fn base(&self) -> &Pattern {
        self.rescaled.as_ref().map_or(&self.pattern, |rescaled| &rescaled.base)
    }

    /// How much of an arrival comes between two moments at the present rate, in the unit of [`ArrivalTimes::left`].
    fn area(&self, from: Nanos, to: Nanos) -> f64 {
        match (self.base(), &self.pattern) {
            (Pattern::Gaps(_), _) => to.since(from).0 as f64 * self.factor(),
            (_, Pattern::Rate { rate, .. }) => rate.area(from, to),
            (_, Pattern::Switching(states)) => {
                let ((mut switches, mut ends), mut now, mut sum) = (self.state_at(from), from, 0.0);
                while now < to {
                    let rate = states[(switches % states.len() as u64) as usize].per_second;
                    sum += rate * ends.min(to).since(now).as_secs_f64();
                    now = ends.min(to);
                    if now == ends {
                        switches += 1;
                        ends += held_for(states, self.key, switches);
                    }
                }
                sum
            }
            (_, Pattern::Gaps(_)) => unreachable!("a pattern of gaps comes from gaps"),
        }
    }

    /// The state of a switching source at a moment that is not before the last arrival, and when it ends.
    fn state_at(&self, at: Nanos) -> (u64, Nanos) {
        let (mut switches, mut ends) = self.planned_in;
        if let Pattern::Switching(states) = &self.pattern {
            while ends <= at {
                switches += 1;
                ends += held_for(states, self.key, switches);
            }
        }
        (switches, ends)
    }

    /// When `left` has come, from `at` on, at the new rate.
    fn reach(&mut self, rescaled: &Rescaled, at: Nanos, left: f64) -> Option<Nanos> {
        match (&rescaled.base, &self.pattern) {
            (Pattern::Gaps(_), _) if rescaled.factor == 0.0 => None,
            (Pattern::Gaps(_), _) => Some(at + Nanos::from_f64(left / rescaled.factor)),
            (_, Pattern::Rate { rate, .. }) => rate.reach(at, left, self.until),
            _ => {
                (self.switches, self.state_ends) = self.state_at(at);
                self.planned_in = (self.switches, self.state_ends);
                self.reach_switching(at, left)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RateProfile, SwitchState};
    use super::*;
    use crate::rng::StreamKey;
    use crate::workload::arrivals::RatePiece;
    use crate::workload::distribution::Distribution;

    const UNTIL: Nanos = Nanos::from_secs(400);

    fn patterns() -> Vec<Pattern> {
        let piece = |start, from, to| RatePiece { start: Nanos::from_secs(start), from, to };
        let ramp = RateProfile {
            pieces: vec![piece(0, 0.0, 4.0), piece(30, 4.0, 1.0), piece(50, 0.0, 0.0)],
            period: Some(Nanos::from_secs(60)),
        };
        let state = |per_second, seconds| SwitchState {
            per_second,
            holds: Distribution::Exponential { mean: Nanos::from_secs(seconds) },
        };
        vec![
            Pattern::Rate { spacing: Spacing::Poisson, rate: RateProfile::constant(2.0) },
            Pattern::Rate { spacing: Spacing::Even, rate: ramp.clone() },
            Pattern::Rate { spacing: Spacing::Poisson, rate: ramp },
            Pattern::Gaps(Distribution::Exponential { mean: Nanos::from_millis(700) }),
            Pattern::Switching(vec![state(5.0, 7), state(0.0, 4), state(1.0, 9)]),
        ]
    }

    fn times(pattern: &Pattern) -> ArrivalTimes {
        ArrivalTimes::new(StreamKey::new(7, "t"), pattern.clone(), 2, UNTIL)
    }

    /// Every arrival, where the rate is changed at the stated moments, as `Workload` does it.
    fn all(pattern: &Pattern, changes: &[(Nanos, f64)]) -> Vec<Nanos> {
        let (mut times, mut changes, mut found) = (times(pattern), changes.iter().copied().peekable(), Vec::new());
        let mut planned = times.next();
        loop {
            let due = planned.unwrap_or(Nanos::MAX);
            if let Some((at, factor)) = changes.next_if(|(at, _)| *at <= due) {
                planned = times.rescale(factor, at);
            } else if let Some(due) = planned {
                found.push(due);
                planned = times.next();
            } else {
                return found;
            }
        }
    }

    fn close(a: &[Nanos], b: &[Nanos]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0.abs_diff(b.0) <= 2_000)
    }

    #[test]
    fn a_factor_of_one_moves_nothing_whenever_it_is_set() {
        for pattern in patterns() {
            let changes: Vec<(Nanos, f64)> = (1..390).map(|s| (Nanos::from_secs(s), 1.0)).collect();
            let (plain, changed) = (all(&pattern, &[]), all(&pattern, &changes));
            assert!(plain.len() > 100 && close(&plain, &changed), "{pattern:?}");
        }
    }

    #[test]
    fn a_factor_from_the_begin_is_the_pattern_times_it() {
        for pattern in patterns() {
            for factor in [0.0, 0.5, 3.0] {
                let expected = all(&pattern.times(factor), &[]);
                assert!(close(&expected, &all(&pattern, &[(Nanos::ZERO, factor)])), "{pattern:?} x {factor}");
            }
        }
    }

    #[test]
    fn nothing_comes_at_factor_0_and_what_was_left_comes_afterwards() {
        for pattern in patterns() {
            let (off, on) = (Nanos::from_secs(100), Nanos::from_secs(160));
            let times = all(&pattern, &[(off, 0.0), (on, 1.0)]);
            assert!(!times.iter().any(|t| (off..on).contains(t)), "{pattern:?}");
            assert!(times.iter().filter(|t| **t >= on).count() > 50, "{pattern:?}");
            let plain = all(&pattern, &[]);
            let before = plain.iter().take_while(|t| **t < off).count();
            assert_eq!(times[..before], plain[..before], "{pattern:?}");
        }
        // What was left of an even gap is met afterwards: every 500 ms, and 60 s later from the 101st second on.
        let even = Pattern::Rate { spacing: Spacing::Even, rate: RateProfile::constant(2.0) };
        let off = Nanos::from_millis(100_200);
        let times = all(&even, &[(off, 0.0), (off + Nanos::from_secs(60), 1.0)]);
        assert_eq!(times[398..402], [100_000, 100_000, 160_500, 160_500].map(Nanos::from_millis));
    }

    #[test]
    fn the_last_arrival_before_the_end_may_come_after_all() {
        let slow = Pattern::Rate { spacing: Spacing::Even, rate: RateProfile::constant(1.0 / 900.0) };
        assert!(all(&slow, &[]).is_empty());
        // After 300 s a third of the gap is over; at 10 times the rate the other two take 60 s.
        let times = all(&slow, &[(Nanos::from_secs(300), 10.0)]);
        assert_eq!(times, [Nanos::from_secs(360); 2]);
        let gaps = Pattern::Gaps(Distribution::Constant(Nanos::from_secs(900)));
        assert_eq!(all(&gaps, &[(Nanos::from_secs(300), 10.0)]), times);
        let changes = [(Nanos::from_secs(100), 0.0), (Nanos::from_secs(200), 10.0)];
        assert_eq!(all(&gaps, &changes), [280, 280, 370, 370].map(Nanos::from_secs));
    }
}
