//! Dates and times of day as the formats write them.
//!
//! Not a time zone database: a time is UTC, or has its offset beside it. Called by the readers of the formats.

use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// What a time counts from. Times of different clocks cannot be compared; a trace lets them start together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Clock {
    /// From 1970-01-01 UTC.
    Calendar,
    /// From the midnight before the file's first row; the log has no dates.
    TimeOfDay,
    /// From the start of the trace, as a person wrote it.
    Elapsed,
}

/// When a row was logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) clock: Clock,
    /// Nanoseconds of `clock`. Saturates.
    pub(super) at: i64,
    /// The log tells whole seconds only.
    pub(super) whole_second: bool,
}

/// A time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TimeOfDay {
    /// Nanoseconds since midnight, in [0, [`DAY`]).
    pub(super) ns: i64,
    pub(super) whole_second: bool,
}

/// `at` on `day`, counted from day 0 of a clock.
pub(super) fn on_day(day: i64, at: i64) -> i64 {
    day.saturating_mul(DAY).saturating_add(at)
}

/// `HH:MM:SS` with or without a fraction. A leap second counts as the second before it.
pub(super) fn time_of_day(text: &[u8]) -> Option<TimeOfDay> {
    let mut parts = text.splitn(3, |&b| b == b':');
    let (hour, minute, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (second, fraction) = match rest.iter().position(|&b| matches!(b, b'.' | b',')) {
        Some(i) => (&rest[..i], &rest[i + 1..]),
        None => (rest, &rest[..0]),
    };
    let (hour, minute, second) = (integer(hour, 2)?, integer(minute, 2)?, integer(second, 2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut ns = (hour * 3600 + minute * 60 + second.min(59)) * SECOND;
    let mut place = SECOND;
    for &b in fraction {
        place /= 10;
        ns += place * i64::from((b as char).to_digit(10)?);
    }
    Some(TimeOfDay { ns, whole_second: fraction.is_empty() })
}

/// 1 to `most` digits.
pub(super) fn integer(text: &[u8], most: usize) -> Option<i64> {
    if text.is_empty() || text.len() > most || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
}

/// `+hhmm`, `-hh:mm` or `Z`, as nanoseconds east of UTC.
pub(super) fn offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        4 => (&digits[..2], &digits[2..]),
        5 if digits[2] == b':' => (&digits[..2], &digits[3..]),
        _ => return None,
    };
    let (hours, minutes) = (integer(hours, 2)?, integer(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60) * SECOND)
}

/// `YYYY-MM-DD` as days since 1970-01-01.
pub(super) fn iso_date(text: &[u8]) -> Option<i64> {
    let mut parts = text.splitn(3, |&b| b == b'-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    day_number(integer(year, 4)?, integer(month, 2)?, integer(day, 2)?)
}

/// `dd/Mon/yyyy` as days since 1970-01-01.
pub(super) fn ncsa_date(text: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let mut parts = text.splitn(3, |&b| b == b'/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month))? as i64 + 1;
    day_number(integer(year, 4)?, month, integer(day, 2)?)
}

/// An RFC 3339 timestamp, or one with a blank for the `T`, or without an offset (then UTC).
// Guess: a timestamp without an offset is UTC, as in the W3C logs.
pub(super) fn timestamp(text: &[u8]) -> Option<Moment> {
    let split = text.iter().position(|&b| matches!(b, b'T' | b't' | b' '))?;
    let day = iso_date(&text[..split])?;
    let rest = text[split + 1..].trim_ascii();
    let end = rest.iter().position(|&b| matches!(b, b'Z' | b'z' | b'+' | b'-')).unwrap_or(rest.len());
    let east = if end == rest.len() { 0 } else { offset(&rest[end..])? };
    let time = time_of_day(rest[..end].trim_ascii())?;
    Some(Moment { clock: Clock::Calendar, at: on_day(day, time.ns - east), whole_second: time.whole_second })
}

/// The day's number, for the years that a nanosecond count holds and a log can have been written in.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..2200).contains(&year) {
        return None;
    }
    let date = Date::new(year as i16, month as i8, day as i8).ok()?;
    let midnight = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(midnight.as_second() / 86_400)
}

/// The last date that was read: most rows repeat it, and text compares faster than it parses.
#[derive(Clone, Debug, Default)]
pub(super) struct DateCache {
    text: Vec<u8>,
    day: Option<i64>,
}

impl DateCache {
    /// `read(text)`, or what it gave last time for the same text.
    pub(super) fn day(&mut self, text: &[u8], read: fn(&[u8]) -> Option<i64>) -> Option<i64> {
        if self.text != text {
            self.text.clear();
            // A longer text is no date; it is not kept.
            self.text.extend_from_slice(&text[..text.len().min(16)]);
            self.day = read(text);
        }
        self.day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        let table: &[(&str, Option<(i64, bool)>)] = &[
            ("00:00:00", Some((0, true))),
            ("23:59:59", Some((86_399 * SECOND, true))),
            ("23:59:60", Some((86_399 * SECOND, true))),
            ("5:01:33", Some((18_093 * SECOND, true))),
            ("00:00:01.25", Some((SECOND + SECOND / 4, false))),
            ("00:00:01,5", Some((SECOND + SECOND / 2, false))),
            ("00:00:00.0000000009", Some((0, false))),
            ("24:00:00", None),
            ("00:60:00", None),
            ("00:00:61", None),
            ("00:00", None),
            ("00:00:0x", None),
            ("00:00:00.x", None),
            ("00:00:00:00", None),
            ("-1:00:00", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(time_of_day(text.as_bytes()).map(|t| (t.ns, t.whole_second)), *expected, "{text}");
        }
    }

    #[test]
    fn dates() {
        let table: &[(&str, Option<i64>)] = &[
            ("1970-01-01", Some(0)),
            ("2003-03-01", Some(12_112)),
            ("2004-02-29", Some(12_477)),
            ("2003-02-29", None),
            ("2003-13-01", None),
            ("2003-1-1", Some(12_053)),
            ("1969-12-31", None),
            ("2200-01-01", None),
            ("99999-01-01", None),
            ("2003-01", None),
            ("-", None),
        ];
        for (text, expected) in table {
            assert_eq!(iso_date(text.as_bytes()), *expected, "{text}");
        }
        assert_eq!(ncsa_date(b"01/Mar/2003"), Some(12_112));
        assert_eq!(ncsa_date(b"01/mar/2003"), Some(12_112));
        assert_eq!(ncsa_date(b"01/Mrz/2003"), None);
    }

    #[test]
    fn timestamps() {
        let at = |text: &str| timestamp(text.as_bytes()).map(|m| m.at);
        let noon = Some(on_day(12_112, DAY / 2));
        for text in [
            "2003-03-01 12:00:00",
            "2003-03-01T12:00:00Z",
            "2003-03-01t12:00:00.000z",
            "2003-03-01T12:00:00",
            "2003-03-01T07:00:00-05:00",
            "2003-03-01 13:30:00 +0130",
        ] {
            assert_eq!(at(text), noon, "{text}");
        }
        for text in ["2003-03-01", "12:00:00", "2003-03-01T12:00:00+5", "2003-03-01T12:00:00+99:00", " "] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn the_cache_tells_long_texts_apart() {
        let mut cache = DateCache::default();
        assert_eq!(cache.day(b"2003-03-01", iso_date), Some(12_112));
        assert_eq!(cache.day(b"2003-03-01", iso_date), Some(12_112));
        assert_eq!(cache.day(&[b'1'; 40], iso_date), None);
        assert_eq!(cache.day(&[b'1'; 16], iso_date), None);
        assert_eq!(cache.day(b"1970-01-02", iso_date), Some(1));
    }
}
