//! When items of an open source are due: rates over time, spacing, bursts, batches.
//!
//! Not what is asked (see `journey.rs`) and not closed populations, whose arrivals follow from outcomes. Called by
//! `workload` alone; the types are built by `scenario`.

mod rescale;

use super::distribution::{Distribution, exponential};
use crate::rng::{Stream, StreamKey, Streams};
use crate::time::Nanos;

/// Purposes of the streams of one source. Part of what makes draws addressable: never renumber.
pub(super) mod purpose {
    /// The gap before arrival n.
    pub(in crate::workload) const GAP: u64 = 1 << 40;
    /// How long state n of a switching source holds.
    pub(in crate::workload) const SWITCH: u64 = 2 << 40;
    /// The script of session n.
    pub(in crate::workload) const SESSION: u64 = 3 << 40;
    /// Which way step n of a journey goes on.
    pub(in crate::workload) const ROUTE: u64 = 4 << 40;
    /// Patience at step n.
    pub(in crate::workload) const PATIENCE: u64 = 5 << 40;
    /// Think time after step n.
    pub(in crate::workload) const THINK: u64 = 6 << 40;
    /// Whom message n is for.
    pub(in crate::workload) const NAME: u64 = 7 << 40;
    /// What else item n of a limit beside the pool draws.
    pub(in crate::workload) const LIMIT: u64 = 8 << 40;
}

/// How the arrivals of an open source are spaced.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// A rate that changes over time, met evenly or at random.
    Rate {
        /// Evenly spaced, or Poisson.
        spacing: Spacing,
        /// The rate.
        rate: RateProfile,
    },
    /// Independent gaps.
    Gaps(Distribution),
    /// A source that switches between states, each with a rate, for as long as the state's distribution says; Poisson
    /// within a state. Two states with exponential holding times are a Markov-modulated Poisson process.
    Switching(Vec<SwitchState>),
}

impl Pattern {
    /// The same arrivals `factor` times as often; `factor` is at least 0. States of a switching source hold as long as
    /// they did.
    #[must_use]
    pub fn times(&self, factor: f64) -> Pattern {
        match self {
            Pattern::Rate { spacing, rate } => {
                let piece =
                    |piece: &RatePiece| RatePiece { from: piece.from * factor, to: piece.to * factor, ..*piece };
                let pieces = rate.pieces.iter().map(piece).collect();
                Pattern::Rate { spacing: *spacing, rate: RateProfile { pieces, period: rate.period } }
            }
            Pattern::Gaps(_) if factor == 0.0 => {
                Pattern::Rate { spacing: Spacing::Even, rate: RateProfile::constant(0.0) }
            }
            Pattern::Gaps(gap) => Pattern::Gaps(gap.times(1.0 / factor)),
            Pattern::Switching(states) => {
                let state = |s: &SwitchState| SwitchState { per_second: s.per_second * factor, holds: s.holds.clone() };
                Pattern::Switching(states.iter().map(state).collect())
            }
        }
    }

    /// The mean gap in nanoseconds, where the rate never changes and is not 0.
    fn steady_gap(&self) -> Option<f64> {
        match self {
            Pattern::Rate { rate, .. } => rate.steady().filter(|rate| *rate > 0.0).map(|rate| 1e9 / rate),
            Pattern::Gaps(_) | Pattern::Switching(_) => None,
        }
    }

    /// The most arrivals per second that it comes to; of gaps, on average.
    #[must_use]
    pub fn peak(&self) -> f64 {
        match self {
            Pattern::Rate { rate, .. } => rate.peak(Nanos::MAX),
            Pattern::Gaps(gap) => 1e9 / gap.mean_ns(),
            Pattern::Switching(states) => states.iter().map(|state| state.per_second).fold(0.0, f64::max),
        }
    }
}

/// Evenly spaced, or Poisson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// As regular as the rate allows.
    Even,
    /// At random.
    Poisson,
}

/// One state of a switching source.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchState {
    /// Arrivals per second; at least 0.
    pub per_second: f64,
    /// How long the state holds.
    pub holds: Distribution,
}

/// A rate over time: straight lines between points, repeated with a period if there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct RateProfile {
    /// Pieces in order of time; the first starts at zero, each ends where the next starts, the last one at `period` or
    /// never.
    pub pieces: Vec<RatePiece>,
    /// The profile starts again after this long.
    pub period: Option<Nanos>,
}

/// A piece of a rate profile: from `start` on, the rate goes in a straight line from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePiece {
    /// Where it starts.
    pub start: Nanos,
    /// Arrivals per second at its start; at least 0.
    pub from: f64,
    /// Arrivals per second at its end; at least 0. The same as `from` in a last piece that never ends.
    pub to: f64,
}

impl RateProfile {
    /// The same rate for ever.
    #[must_use]
    pub fn constant(per_second: f64) -> RateProfile {
        RateProfile { pieces: vec![RatePiece { start: Nanos::ZERO, from: per_second, to: per_second }], period: None }
    }

    /// The rate at a moment, in arrivals per second.
    #[must_use]
    pub fn at(&self, time: Nanos) -> f64 {
        let local = self.local(time);
        let (piece, end) = self.piece(local);
        piece_rate(piece, end, local)
    }

    /// The rate, where it never changes.
    fn steady(&self) -> Option<f64> {
        match (self.pieces.as_slice(), self.period) {
            ([piece], None) => Some(piece.from),
            _ => None,
        }
    }

    /// The highest rate before `until`.
    #[must_use]
    pub fn peak(&self, until: Nanos) -> f64 {
        self.pieces.iter().filter(|p| p.start < until).map(|p| p.from.max(p.to)).fold(0.0, f64::max)
    }

    /// Moments before `until` at which a piece starts.
    #[must_use]
    pub fn breaks(&self, until: Nanos) -> Vec<Nanos> {
        let mut all = Vec::new();
        let mut base = Nanos::ZERO;
        while base < until && all.len() < 1_000 {
            all.extend(self.pieces.iter().map(|p| base + p.start).filter(|t| *t < until));
            match self.period {
                Some(period) if period > Nanos::ZERO => base += period,
                _ => break,
            }
        }
        all
    }

    fn local(&self, time: Nanos) -> Nanos {
        match self.period {
            Some(period) if period > Nanos::ZERO => Nanos(time.0 % period.0),
            _ => time,
        }
    }

    fn piece(&self, local: Nanos) -> (RatePiece, Option<Nanos>) {
        let after = self.pieces.partition_point(|p| p.start <= local).max(1);
        (self.pieces[after - 1], self.pieces.get(after).map(|p| p.start).or(self.period))
    }

    /// How many arrivals the rate adds up to between two moments.
    fn area(&self, from: Nanos, to: Nanos) -> f64 {
        let (mut now, mut sum) = (from, 0.0);
        while now < to {
            let local = self.local(now);
            let (piece, end) = self.piece(local);
            let until = end.map_or(to, |end| to.min(now + end.since(local).max(Nanos(1))));
            let span = until.since(now);
            // In a straight line, so the mean of both ends; the far one may be where the next piece starts.
            let far = local + span;
            sum += (piece_rate(piece, end, local) + piece_rate(piece, end, far)) / 2.0 * span.as_secs_f64();
            now = until;
        }
        sum
    }

    /// The moment after `from` at which the rate has added up to `amount` arrivals; `None` if that is never, or not
    /// before `until`.
    fn reach(&self, from: Nanos, amount: f64, until: Nanos) -> Option<Nanos> {
        let mut now = from;
        let mut left = amount;
        while now < until {
            let local = self.local(now);
            let (piece, end) = self.piece(local);
            let rate = piece_rate(piece, end, local);
            let Some(end) = end else {
                return (rate > 0.0).then(|| now + Nanos::from_f64(left / rate * 1e9));
            };
            let span = end.since(local).as_secs_f64();
            let slope = if span > 0.0 { (piece.to - rate) / span } else { 0.0 };
            let area = (rate + piece.to) / 2.0 * span;
            if area >= left {
                // left = rate x + slope/2 x^2, in the form that does not cancel.
                let root = (rate * rate + 2.0 * slope * left).max(0.0).sqrt();
                return Some(now + Nanos::from_f64(2.0 * left / (rate + root) * 1e9));
            }
            left -= area;
            now += end.since(local).max(Nanos(1));
        }
        None
    }
}

fn piece_rate(piece: RatePiece, end: Option<Nanos>, local: Nanos) -> f64 {
    match end {
        Some(end) if end > piece.start => {
            let share = local.since(piece.start).0 as f64 / end.since(piece.start).0 as f64;
            piece.from + (piece.to - piece.from) * share
        }
        _ => piece.from,
    }
}

/// The arrivals of one open source, in order.
#[derive(Debug)]
pub(super) struct ArrivalTimes {
    key: StreamKey,
    gaps: Streams,
    /// The mean gap in nanoseconds, where the rate never changes.
    steady_gap: Option<f64>,
    pattern: Pattern,
    batch: u32,
    until: Nanos,
    now: Nanos,
    left_in_batch: u32,
    drawn: u64,
    switches: u64,
    state_ends: Nanos,
    /// The state of a switching source, and its end, at the arrival before the one that was planned last.
    planned_in: (u64, Nanos),
    /// No further arrival was found before the end.
    exhausted: bool,
    /// Where somebody has changed the rate while the run went on.
    rescaled: Option<Box<rescale::Rescaled>>,
}

impl ArrivalTimes {
    /// Arrivals before `until`, `batch` at a time.
    pub(super) fn new(key: StreamKey, pattern: Pattern, batch: u32, until: Nanos) -> ArrivalTimes {
        let mut times = ArrivalTimes {
            key,
            gaps: key.streams(purpose::GAP),
            steady_gap: pattern.steady_gap(),
            pattern,
            batch: batch.max(1),
            until,
            now: Nanos::ZERO,
            left_in_batch: 0,
            drawn: 0,
            switches: 0,
            state_ends: Nanos::ZERO,
            planned_in: (0, Nanos::ZERO),
            exhausted: false,
            rescaled: None,
        };
        if let Pattern::Switching(states) = &times.pattern {
            times.state_ends = states[0].holds.draw(&mut key.stream(0, purpose::SWITCH));
        }
        times
    }

    /// The next arrival, if there is one before the end.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Nanos> {
        if self.left_in_batch > 0 {
            self.left_in_batch -= 1;
            return Some(self.now);
        }
        let mut stream = self.gaps.of(self.drawn);
        self.drawn += 1;
        let next = match &self.pattern {
            Pattern::Gaps(gap) => Some(self.now + gap.draw(&mut stream)),
            Pattern::Rate { spacing, rate } => {
                let amount = match spacing {
                    Spacing::Poisson => exponential(&mut stream),
                    Spacing::Even => 1.0,
                };
                match self.steady_gap {
                    Some(gap) => Some(self.now + Nanos::from_f64(amount * gap)),
                    None => rate.reach(self.now, amount, self.until),
                }
            }
            Pattern::Switching(_) => self.next_switching(&mut stream),
        };
        let Some(next) = next.filter(|t| *t < self.until) else {
            self.exhausted = true;
            return None;
        };
        self.now = next;
        self.left_in_batch = self.batch - 1;
        Some(self.now)
    }

    fn next_switching(&mut self, stream: &mut Stream) -> Option<Nanos> {
        self.planned_in = (self.switches, self.state_ends);
        self.reach_switching(self.now, exponential(stream))
    }

    /// The moment after `from`, in the present state, at which the rates have added up to `left` arrivals.
    fn reach_switching(&mut self, from: Nanos, mut left: f64) -> Option<Nanos> {
        let Pattern::Switching(states) = &self.pattern else { return None };
        let mut now = from;
        while now < self.until {
            let state = &states[(self.switches % states.len() as u64) as usize];
            let area = state.per_second * self.state_ends.since(now).as_secs_f64();
            if area >= left {
                return Some(now + Nanos::from_f64(left / state.per_second * 1e9));
            }
            left -= area;
            now = self.state_ends;
            self.switches += 1;
            self.state_ends = now + held_for(states, self.key, self.switches);
        }
        None
    }
}

/// How long the state after `switches` switches holds.
fn held_for(states: &[SwitchState], key: StreamKey, switches: u64) -> Nanos {
    let state = &states[(switches % states.len() as u64) as usize];
    state.holds.draw(&mut key.stream(switches, purpose::SWITCH)).max(Nanos(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pattern: Pattern, batch: u32, until: Nanos) -> Vec<Nanos> {
        let mut times = ArrivalTimes::new(StreamKey::new(1, "t"), pattern, batch, until);
        std::iter::from_fn(|| times.next()).collect()
    }

    fn piece(start_s: u64, from: f64, to: f64) -> RatePiece {
        RatePiece { start: Nanos::from_secs(start_s), from, to }
    }

    #[test]
    fn even_arrivals_follow_the_rate_exactly() {
        let even = |rate| Pattern::Rate { spacing: Spacing::Even, rate };
        let four = all(even(RateProfile::constant(4.0)), 1, Nanos::from_secs(1));
        assert_eq!(four, [250, 500, 750].map(Nanos::from_millis));
        // A ramp from 0 to 2/s over 4 s has 4 arrivals at sqrt(4 n) seconds.
        let ramp = RateProfile { pieces: vec![piece(0, 0.0, 2.0), piece(4, 0.0, 0.0)], period: None };
        let times = all(even(ramp), 1, Nanos::from_secs(60));
        let expected: Vec<f64> = (1..=4).map(|n| (4.0 * f64::from(n)).sqrt()).collect();
        assert_eq!(times.len(), 4);
        for (time, want) in times.iter().zip(expected) {
            assert!((time.as_secs_f64() - want).abs() < 1e-6, "{time} is not {want} s");
        }
    }

    #[test]
    fn steps_and_periods_repeat() {
        let on_off =
            RateProfile { pieces: vec![piece(0, 10.0, 10.0), piece(1, 0.0, 0.0)], period: Some(Nanos::from_secs(5)) };
        assert!((on_off.at(Nanos::from_secs(5)) - 10.0).abs() < 1e-12);
        assert!(on_off.at(Nanos::from_secs(8)).abs() < 1e-12);
        let times = all(Pattern::Rate { spacing: Spacing::Even, rate: on_off }, 1, Nanos::from_secs(20));
        assert_eq!(times.len(), 40);
        assert!(times.iter().all(|t| t.0 % Nanos::from_secs(5).0 <= Nanos::SECOND.0));
    }

    #[test]
    fn poisson_arrivals_have_the_mean_and_the_variance_of_poisson() {
        let until = Nanos::from_secs(40_000);
        let times = all(Pattern::Rate { spacing: Spacing::Poisson, rate: RateProfile::constant(5.0) }, 1, until);
        let mut counts = vec![0.0; 40_000];
        for t in &times {
            counts[(t.0 / 1_000_000_000) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 40_000.0;
        let variance = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / 40_000.0;
        assert!((mean - 5.0).abs() < 0.056, "{mean}"); // 5 standard errors
        assert!((variance - 5.0).abs() < 0.19, "{variance}"); // 5 standard errors of a Poisson variance
    }

    #[test]
    fn a_switching_source_has_the_mean_rate_of_its_states() {
        let state = |per_second, mean_s| SwitchState {
            per_second,
            holds: Distribution::Exponential { mean: Nanos::from_secs(mean_s) },
        };
        let times = all(Pattern::Switching(vec![state(2.0, 10), state(7.0, 5)]), 1, Nanos::from_secs(300_000));
        let rate = times.len() as f64 / 300_000.0;
        assert!((rate - 11.0 / 3.0).abs() < 0.08, "{rate}");
    }

    #[test]
    fn batches_arrive_together_and_silence_ends() {
        let times = all(Pattern::Gaps(Distribution::Constant(Nanos::SECOND)), 3, Nanos::from_millis(2_500));
        assert_eq!(times, [1, 1, 1, 2, 2, 2].map(Nanos::from_secs));
        let silent = Pattern::Rate { spacing: Spacing::Poisson, rate: RateProfile::constant(0.0) };
        assert!(all(silent, 1, Nanos::from_secs(10)).is_empty());
    }
    #[test]
    fn a_pattern_may_come_more_or_less_often() {
        let ramp = RateProfile {
            pieces: vec![
                RatePiece { start: Nanos::ZERO, from: 1.0, to: 3.0 },
                RatePiece { start: Nanos::SECOND, from: 3.0, to: 3.0 },
            ],
            period: None,
        };
        let states = vec![SwitchState { per_second: 4.0, holds: Distribution::Constant(Nanos::SECOND) }];
        let patterns = [
            (Pattern::Rate { spacing: Spacing::Even, rate: ramp }, 3.0),
            (Pattern::Gaps(Distribution::Erlang { stages: 2, mean: Nanos::from_millis(500) }), 2.0),
            (Pattern::Gaps(Distribution::Hyperexponential { p1: 0.5, mean1: Nanos(1_000), mean2: Nanos(3_000) }), 5e5),
            (Pattern::Switching(states), 4.0),
        ];
        for (pattern, peak) in patterns {
            for factor in [0.25, 1.0, 2.0, 0.0] {
                let scaled = pattern.times(factor).peak();
                assert!((scaled - peak * factor).abs() < 1e-9 * peak, "{pattern:?} x {factor}: {scaled}");
            }
        }
    }
}
