//! Time as integer nanoseconds since the start of a run, in *emulated* time unless a name says `wall`.
//!
//! Not a clock: nothing here reads one. Called by every room.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// A moment or a span in nanoseconds. Arithmetic saturates: a scenario may say "30000 s" times "10 times slower"
/// and must neither wrap nor panic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The start of a run, or an empty span.
    pub const ZERO: Nanos = Nanos(0);
    /// Later than everything: "never".
    pub const MAX: Nanos = Nanos(u64::MAX);
    /// One second.
    pub const SECOND: Nanos = Nanos(1_000_000_000);

    /// `s` whole seconds.
    #[must_use]
    pub const fn from_secs(s: u64) -> Nanos {
        Nanos(s.saturating_mul(1_000_000_000))
    }

    /// `ms` whole milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Nanos {
        Nanos(ms.saturating_mul(1_000_000))
    }

    /// `us` whole microseconds.
    #[must_use]
    pub const fn from_micros(us: u64) -> Nanos {
        Nanos(us.saturating_mul(1_000))
    }

    /// Nanoseconds given as a float: rounded to nearest, negative and NaN become 0, too large becomes [`Nanos::MAX`].
    #[must_use]
    #[inline]
    pub fn from_f64(ns: f64) -> Nanos {
        // The first case is the second's for every time below 52 days, in a third of the instructions: next to 2^52 a
        // float has no room for a fraction.
        const NO_FRACTION: f64 = 4_503_599_627_370_496.0;
        if (0.0..NO_FRACTION).contains(&ns) {
            Nanos((ns + NO_FRACTION).to_bits() - NO_FRACTION.to_bits())
        } else if ns > 0.0 {
            Nanos((ns + 0.5) as u64)
        } else {
            Nanos(0)
        }
    }

    /// Whole microseconds, rounded down.
    #[must_use]
    #[inline]
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Seconds as a float.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// `self - other`, at least zero.
    #[must_use]
    #[inline]
    pub const fn since(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(other.0))
    }

    /// `self` times a factor that is at least 0.
    #[must_use]
    #[inline]
    pub fn scale(self, factor: f64) -> Nanos {
        let span = if self.0 <= i64::MAX as u64 { self.0 as i64 as f64 } else { self.0 as f64 };
        Nanos::from_f64(span * factor)
    }
}

impl Add for Nanos {
    type Output = Nanos;
    #[inline]
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Nanos {
    #[inline]
    fn add_assign(&mut self, other: Nanos) {
        *self = *self + other;
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    #[inline]
    fn sub(self, other: Nanos) -> Nanos {
        self.since(other)
    }
}

impl Mul<u64> for Nanos {
    type Output = Nanos;
    fn mul(self, n: u64) -> Nanos {
        Nanos(self.0.saturating_mul(n))
    }
}

/// As a person reads it: `0`, `640 ns`, `48.2 us`, `310 ms`, `1.24 s`, `4 min 12 s`, `8 h 20 min`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let three = |value: f64, unit: &str| {
            let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
            format!("{value:.digits$} {unit}")
        };
        let ns = self.0;
        let text = match ns {
            0 => "0".to_string(),
            1..=999 => format!("{ns} ns"),
            1_000..=999_499 => three(ns as f64 / 1e3, "us"),
            999_500..=999_499_999 => three(ns as f64 / 1e6, "ms"),
            999_500_000..=59_999_999_999 => three(ns as f64 / 1e9, "s"),
            60_000_000_000..=7_199_999_999_999 => {
                let s = ns / 1_000_000_000;
                format!("{} min {:02} s", s / 60, s % 60)
            }
            _ => {
                let m = ns / 60_000_000_000;
                format!("{} h {:02} min", m / 60, m % 60)
            }
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_a_person_writes_them() {
        let table: &[(u64, &str)] = &[
            (0, "0"),
            (640, "640 ns"),
            (48_200, "48.2 us"),
            (1_000_000, "1.00 ms"),
            (310_000_000, "310 ms"),
            (1_240_000_000, "1.24 s"),
            (59_990_000_000, "60.0 s"),
            (60_000_000_000, "1 min 00 s"),
            (252_000_000_000, "4 min 12 s"),
            (30_000_000_000_000, "8 h 20 min"),
        ];
        for (ns, text) in table {
            assert_eq!(&Nanos(*ns).to_string(), text);
        }
    }

    #[test]
    fn arithmetic_saturates_and_floats_are_tamed() {
        assert_eq!(Nanos::MAX + Nanos::SECOND, Nanos::MAX);
        assert_eq!(Nanos::ZERO - Nanos::SECOND, Nanos::ZERO);
        assert_eq!(Nanos::from_f64(f64::NAN), Nanos::ZERO);
        assert_eq!(Nanos::from_f64(-1.0), Nanos::ZERO);
        assert_eq!(Nanos::from_f64(f64::INFINITY), Nanos::MAX);
        assert_eq!(Nanos::from_secs(3).scale(1e30), Nanos::MAX);
    }
}
