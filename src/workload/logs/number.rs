//! Decimal numbers of logs as spans of time, exactly and without overflow.
//!
//! Not a general number parser: no hexadecimal, no `inf`, no digit groups. Called by the readers of the formats.

use super::{MAX_SERVICE_TIME, SkipReason};
use crate::time::Nanos;

/// Why a text is not a span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NumberFault {
    NotANumber,
    Negative,
    TooLarge,
}

/// A service time in milliseconds; `-` and nothing mean that there is none.
pub(super) fn service_ms(text: &[u8]) -> Result<Option<Nanos>, SkipReason> {
    if text.is_empty() || text == b"-" {
        return Ok(None);
    }
    match decimal(text, 1_000_000, MAX_SERVICE_TIME) {
        Ok(span) => Ok(Some(span)),
        Err(NumberFault::NotANumber) => Err(SkipReason::BadNumber),
        Err(NumberFault::Negative) => Err(SkipReason::Negative),
        Err(NumberFault::TooLarge) => Err(SkipReason::TooLarge),
    }
}

/// A decimal number of `unit` nanoseconds, in [0, `limit`]. Digits below a nanosecond are cut off.
pub(super) fn decimal(text: &[u8], unit: u64, limit: Nanos) -> Result<Nanos, NumberFault> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.iter().any(|b| matches!(b, b'e' | b'E')) {
        return with_exponent(text, unit, limit);
    }
    let mut whole: u64 = 0;
    let mut fraction: u64 = 0;
    let mut place = unit;
    let (mut seen, mut point) = (false, false);
    for &b in digits {
        match b {
            b'0'..=b'9' if point => {
                place /= 10;
                fraction += place * u64::from(b - b'0');
            }
            b'0'..=b'9' => whole = whole.saturating_mul(10).saturating_add(u64::from(b - b'0')),
            b'.' if !point => point = true,
            _ => return Err(NumberFault::NotANumber),
        }
        seen |= b != b'.';
    }
    if !seen {
        return Err(NumberFault::NotANumber);
    }
    let span = Nanos(whole.saturating_mul(unit).saturating_add(fraction));
    judge(span, negative && (whole > 0 || fraction > 0), limit)
}

/// Programs print small floats as `5e-05`.
fn with_exponent(text: &[u8], unit: u64, limit: Nanos) -> Result<Nanos, NumberFault> {
    let value: f64 = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(NumberFault::NotANumber)?;
    judge(Nanos::from_f64(value * unit as f64), value < 0.0, limit)
}

fn judge(span: Nanos, negative: bool, limit: Nanos) -> Result<Nanos, NumberFault> {
    if negative {
        Err(NumberFault::Negative)
    } else if span > limit {
        Err(NumberFault::TooLarge)
    } else {
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        let ok = |ns: u64| Ok(Some(Nanos(ns)));
        let table: &[(&str, Result<Option<Nanos>, SkipReason>)] = &[
            ("0", ok(0)),
            ("-0", ok(0)),
            ("+16", ok(16_000_000)),
            ("007", ok(7_000_000)),
            ("62.5", ok(62_500_000)),
            (".5", ok(500_000)),
            ("5.", ok(5_000_000)),
            ("0.1234567899", ok(123_456)),
            ("5e-05", ok(50)),
            ("1E3", ok(1_000_000_000)),
            ("-", Ok(None)),
            ("", Ok(None)),
            ("-1", Err(SkipReason::Negative)),
            ("-0.5", Err(SkipReason::Negative)),
            ("-1e30", Err(SkipReason::Negative)),
            ("86400000", ok(86_400_000_000_000)),
            ("86400000.1", Err(SkipReason::TooLarge)),
            ("18446744073709551616", Err(SkipReason::TooLarge)),
            ("1000000000000000000000000000000", Err(SkipReason::TooLarge)),
            ("1e30", Err(SkipReason::TooLarge)),
            ("1e999", Err(SkipReason::TooLarge)),
            (".", Err(SkipReason::BadNumber)),
            ("+", Err(SkipReason::BadNumber)),
            ("--1", Err(SkipReason::BadNumber)),
            ("1.2.3", Err(SkipReason::BadNumber)),
            ("1,5", Err(SkipReason::BadNumber)),
            ("0x10", Err(SkipReason::BadNumber)),
            ("nan", Err(SkipReason::BadNumber)),
            ("inf", Err(SkipReason::BadNumber)),
            ("e", Err(SkipReason::BadNumber)),
            ("1e", Err(SkipReason::BadNumber)),
        ];
        for (text, expected) in table {
            assert_eq!(&service_ms(text.as_bytes()), expected, "{text}");
        }
    }
}
