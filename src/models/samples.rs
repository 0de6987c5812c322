//! Values over time in bounded room, for models whose figures are read as a curve.
//!
//! Not a model and not a clock: it is asked when the next value is wanted and told the value. When it is full, every second
//! value goes and the interval doubles, so a run of any length keeps its whole course. Called by the models.

use crate::time::Nanos;

/// Values that are kept at most.
pub const KEPT: usize = 512;

/// Equally spaced values of a run, from its begin on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples<T> {
    values: Vec<(Nanos, T)>,
    every: Nanos,
    next_at: Nanos,
}

impl<T> Samples<T> {
    /// One value each `every`; a span of 0 or [`Nanos::MAX`] takes none.
    #[must_use]
    pub fn new(every: Nanos) -> Samples<T> {
        let takes_none = every == Nanos::ZERO || every == Nanos::MAX;
        let next_at = if takes_none { Nanos::MAX } else { Nanos::ZERO };
        Samples { values: Vec::new(), every, next_at }
    }

    /// When the next value is wanted; [`Nanos::MAX`] for never.
    #[must_use]
    #[inline]
    pub fn next_at(&self) -> Nanos {
        self.next_at
    }

    /// The values, in order of time.
    #[must_use]
    pub fn values(&self) -> &[(Nanos, T)] {
        &self.values
    }

    /// The interval by now.
    #[must_use]
    pub fn every(&self) -> Nanos {
        self.every
    }

    /// Takes the value of this moment, which is wanted.
    pub(super) fn take(&mut self, now: Nanos, value: T) {
        debug_assert!(now >= self.next_at, "no value is wanted yet");
        if self.values.len() == KEPT {
            let mut keep = false;
            self.values.retain(|_| {
                keep = !keep;
                keep
            });
            self.every = self.every * 2;
        }
        self.values.push((now, value));
        self.next_at = Nanos((now.0 / self.every.0).saturating_add(1).saturating_mul(self.every.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_whole_course_in_bounded_room() {
        let mut samples = Samples::new(Nanos::SECOND);
        let mut taken = 0;
        while samples.next_at() < Nanos::from_secs(100_000) {
            let now = samples.next_at();
            samples.take(now, now.0);
            taken += 1;
            assert!(samples.values().len() <= KEPT);
        }
        let values = samples.values();
        assert!(taken > KEPT && values.len() > KEPT / 2, "{taken} taken, {} kept", values.len());
        assert_eq!(values[0].0, Nanos::ZERO);
        assert!(values.last().unwrap().0 + samples.every() * 2 > Nanos::from_secs(100_000));
        assert!(values.windows(2).all(|pair| pair[1].0 - pair[0].0 == samples.every()), "not equally spaced");
    }

    #[test]
    fn none_are_taken_where_none_are_wanted() {
        assert_eq!(Samples::<u8>::new(Nanos::ZERO).next_at(), Nanos::MAX);
        assert_eq!(Samples::<u8>::new(Nanos::MAX).next_at(), Nanos::MAX);
    }
}
