//! W3C extended logs of the SMTP service: which rows are inbound requests, when they came and how long they took.
//!
//! Everything is keyed by the names of the last `#Fields:` line, which may come again with other names. Not a reader of
//! web logs, though the format is theirs: their rows are skipped. Called by `Parser` only.
//!
//! A QUIT row has status 240 and, in sc-win32-status, what looks like the connection's duration in ms. That is
//! undocumented, and a connection holds no thread between its commands, so it is not used.

use super::moment::{Clock, DAY, DateCache, Moment, SECOND, TimeOfDay, iso_date, on_day, time_of_day};
use super::{FileRow, Load, Parsed, SkipReason, TraceService, is_message, is_outbound_user, number};

/// The names before the colon of a directive that make a file a W3C log.
const DIRECTIVES: [&[u8]; 7] =
    [b"#software", b"#version", b"#fields", b"#date", b"#start-date", b"#end-date", b"#remark"];

/// The fields that are read; the others are only counted.
const FIELDS: [&[u8]; 11] = [
    b"date",
    b"time",
    b"cs-username",
    b"s-sitename",
    b"s-ip",
    b"s-port",
    b"cs-method",
    b"cs-uri-stem",
    b"cs-uri-query",
    b"sc-status",
    b"time-taken",
];
const DATE: usize = 0;
const TIME: usize = 1;
const USERNAME: usize = 2;
const SITENAME: usize = 3;
const S_IP: usize = 4;
const S_PORT: usize = 5;
const METHOD: usize = 6;
const URI_STEM: usize = 7;
const URI_QUERY: usize = 8;
const STATUS: usize = 9;
const TIME_TAKEN: usize = 10;

/// A row's fields; empty where the log has none, or `-`.
type Cells<'a> = [&'a [u8]; FIELDS.len()];

/// Whether `line` is one of the format's own directives.
pub(super) fn is_directive(line: &[u8]) -> bool {
    directive(line).is_some_and(|(name, _)| DIRECTIVES.iter().any(|d| d.eq_ignore_ascii_case(name)))
}

fn directive(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&b| b == b':')?;
    line.starts_with(b"#").then(|| (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// The reader.
#[derive(Debug, Default)]
pub(super) struct W3c {
    /// For each column the index in [`FIELDS`], if it is read. Empty before the first `#Fields:`.
    columns: Vec<Option<u8>>,
    has_method: bool,
    dates: DateCache,
    days: Days,
}

impl W3c {
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Parsed, SkipReason> {
        if line.is_empty() {
            return Ok(Parsed::NoRow);
        }
        if line[0] == b'#' {
            self.directive(line);
            return Ok(Parsed::NoRow);
        }
        if self.columns.is_empty() {
            return Err(SkipReason::BeforeFields);
        }
        let cells = cells(&self.columns, line)?;
        judge(&cells, self.has_method)?;
        let service_time = number::service_ms(cells[TIME_TAKEN])?;
        let moment = self.moment(&cells)?;
        let message = is_message(cells[METHOD], cells[URI_QUERY], cells[STATUS]);
        Ok(Parsed::Row(FileRow { moment, load: Load { service: TraceService::SmtpIn, service_time, message } }))
    }

    fn directive(&mut self, line: &[u8]) {
        let Some((name, value)) = directive(line) else { return };
        if name.eq_ignore_ascii_case(b"#fields") {
            self.columns.clear();
            self.columns.extend(
                words(value).map(|word| FIELDS.iter().position(|f| f.eq_ignore_ascii_case(word)).map(|i| i as u8)),
            );
            self.has_method = self.columns.contains(&Some(METHOD as u8));
        } else if name.eq_ignore_ascii_case(b"#date") {
            let mut words = words(value);
            if let Some(day) = words.next().and_then(iso_date) {
                let time = words.next().and_then(time_of_day).map_or(0, |time| time.ns);
                self.days.said = Some((day, time));
            }
        }
    }

    fn moment(&mut self, cells: &Cells<'_>) -> Result<Moment, SkipReason> {
        if cells[TIME].is_empty() {
            return Err(SkipReason::NoTime);
        }
        let time = time_of_day(cells[TIME]).ok_or(SkipReason::BadTime)?;
        let date = match cells[DATE] {
            [] => None,
            text => Some(self.dates.day(text, iso_date).ok_or(SkipReason::BadTime)?),
        };
        Ok(self.days.place(date, time))
    }
}

/// Picks the fields that are read out of a row.
fn cells<'a>(columns: &[Option<u8>], line: &'a [u8]) -> Result<Cells<'a>, SkipReason> {
    let mut cells: Cells<'_> = [&[]; FIELDS.len()];
    let mut words = words(line);
    for column in columns {
        let word = words.next().ok_or(SkipReason::TooFewColumns)?;
        if let Some(field) = column
            && word != b"-"
        {
            cells[*field as usize] = word;
        }
    }
    if words.next().is_some() { Err(SkipReason::TooManyColumns) } else { Ok(cells) }
}

/// Whether a row is an inbound SMTP request.
fn judge(cells: &Cells<'_>, has_method: bool) -> Result<(), SkipReason> {
    // An outbound row has no address of ours, and the remote port.
    if is_outbound_user(cells[USERNAME]) || (cells[S_PORT] == b"25" && cells[S_IP].is_empty()) {
        return Err(SkipReason::Outbound);
    }
    let of_site = |name: &[u8]| cells[SITENAME].get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name));
    if cells[URI_STEM].starts_with(b"/") || of_site(b"W3SVC") || of_site(b"MSFTPSVC") || of_site(b"NNTPSVC") {
        return Err(SkipReason::OtherService);
    }
    // A verb of any spelling took a thread, even one that was answered with 500. Guess: where the log has no verbs at
    // all, every row is a request.
    if has_method && cells[METHOD].is_empty() { Err(SkipReason::NoVerb) } else { Ok(()) }
}

/// A step back of more than this is midnight, where rows have no date; a shorter one is a long request.
// Guess: no request takes an hour. Ten minutes is the longest time-out of RFC 2821.
const LONGEST_DISORDER: i64 = 3_600 * SECOND;

/// Finds the day of each row.
///
/// A row's own date counts; else the last `#Date:`, and midnight is wherever the time of day steps far back. Where the
/// file starts without any date, its days are counted from its first row, and a date that comes later is set to continue
/// that count.
#[derive(Debug, Default)]
struct Days {
    /// The last `#Date:`, until a row used it.
    said: Option<(i64, i64)>,
    clock: Option<Clock>,
    /// What to take off a calendar day in a file that began without dates.
    shift: Option<i64>,
    day: i64,
    /// The latest time of day on `day`.
    time: i64,
    /// `day` was found by midnight, not by a date.
    past_midnight: bool,
}

impl Days {
    fn place(&mut self, date: Option<i64>, time: TimeOfDay) -> Moment {
        let said = self.said.take();
        let known = date.or(said.map(|(day, _)| day));
        let clock = *self.clock.get_or_insert(if known.is_some() { Clock::Calendar } else { Clock::TimeOfDay });
        let rolled = after_midnight(self.day, self.time, time.ns);
        let shift = match (clock, known) {
            (Clock::TimeOfDay, Some(day)) => *self.shift.get_or_insert(day.saturating_sub(rolled)),
            _ => self.shift.unwrap_or(0),
        };
        let day = match (date, said) {
            (Some(day), _) => day.saturating_sub(shift),
            (None, Some((day, since))) => after_midnight(day.saturating_sub(shift), since, time.ns),
            (None, None) if self.is_late_row_of_yesterday(time.ns) => self.day.saturating_sub(1),
            (None, None) => rolled,
        };
        if known.is_some() || day > self.day {
            (self.day, self.time, self.past_midnight) = (day, time.ns, known.is_none());
        } else if day == self.day {
            self.time = self.time.max(time.ns);
        }
        Moment { clock, at: on_day(day, time.ns), whole_second: time.whole_second }
    }

    /// Just after midnight, a row from just before it is a request that ended late, not the eve of tomorrow.
    fn is_late_row_of_yesterday(&self, time: i64) -> bool {
        const FEW_MINUTES: i64 = 300 * SECOND;
        self.past_midnight && self.time < FEW_MINUTES && time > DAY - FEW_MINUTES
    }
}

/// The day of a row at `time` that follows one at `last` on `day`.
fn after_midnight(day: i64, last: i64, time: i64) -> i64 {
    if last - time > LONGEST_DISORDER { day.saturating_add(1) } else { day }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds, service time in ms, and whether it is a message.
    type Seen = Result<(i64, Option<u64>, bool), SkipReason>;

    /// What each line that has a row gave.
    fn read(text: &str) -> Vec<Seen> {
        let mut w3c = W3c::default();
        let mut seen = Vec::new();
        for line in text.lines() {
            match w3c.line(line.trim().as_bytes()) {
                Ok(Parsed::Row(FileRow { moment, load })) => {
                    let ms = load.service_time.map(|t| t.0 / 1_000_000);
                    seen.push(Ok((moment.at / SECOND, ms, load.message)));
                }
                Ok(Parsed::Skipped(reason)) | Err(reason) => seen.push(Err(reason)),
                Ok(Parsed::NoRow) => {}
            }
        }
        seen
    }

    #[test]
    fn rows_are_judged() {
        use SkipReason::*;
        let fields =
            "#Fields: time cs-username s-sitename s-ip s-port cs-method cs-uri-stem cs-uri-query sc-status time-taken";
        let table: &[(&str, Seen)] = &[
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 EHLO - +c 250 93", Ok((5, Some(93), false))),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 DATA - - 250 406", Ok((5, Some(406), true))),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 data - - 250 406", Ok((5, Some(406), true))),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 DATA - - 452 406", Ok((5, Some(406), false))),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 BDAT - +4096 250 16", Ok((5, Some(16), false))),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 BDAT - +4096+LAST 250 16", Ok((5, Some(16), true))),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 BDAT - - 250 16", Ok((5, Some(16), true))),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 QUIT - c 240 4735", Ok((5, Some(4735), false))),
            ("00:00:05 - SMTPSVC1 192.0.2.1 0 xxxx - +x 500 0", Ok((5, Some(0), false))),
            ("00:00:05 - SMTPSVC1 192.0.2.1 0 get - +/ 500 -", Ok((5, None, false))),
            ("00:00:05 OutboundConnectionCommand SMTPSVC1 - 25 EHLO - x 0 0", Err(Outbound)),
            ("00:00:05 outboundconnectionresponse SMTPSVC1 - 25 - - 250+ok 0 0", Err(Outbound)),
            ("00:00:05 - SMTPSVC1 - 25 EHLO - x 0 0", Err(Outbound)),
            ("00:00:05 - SMTPSVC1 192.0.2.1 25 EHLO - x 250 0", Ok((5, Some(0), false))),
            ("00:00:05 - W3SVC1 192.0.2.1 80 GET /index.html - 200 15", Err(OtherService)),
            ("00:00:05 - MSFTPSVC1 192.0.2.1 21 [1]USER anonymous - 331 0", Err(OtherService)),
            ("00:00:05 - - 192.0.2.1 80 GET /index.html - 200 15", Err(OtherService)),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 - - - 250 0", Err(NoVerb)),
            ("- c SMTPSVC1 192.0.2.1 0 EHLO - +c 250 93", Err(NoTime)),
            ("25:00:05 c SMTPSVC1 192.0.2.1 0 EHLO - +c 250 93", Err(BadTime)),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 EHLO - +c 250 9x", Err(BadNumber)),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 EHLO - +c 250 -9", Err(Negative)),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 EHLO - +c 250 1000000000000000000000000000000", Err(TooLarge)),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 EHLO - +c", Err(TooFewColumns)),
            ("00:00:05 c SMTPSVC1 192.0.2.1 0 EHLO - +c 250 93 x", Err(TooManyColumns)),
        ];
        for (row, expected) in table {
            assert_eq!(read(&format!("{fields}\n{row}\n")), std::slice::from_ref(expected), "{row}");
        }
    }

    #[test]
    fn fields_may_change_lack_and_be_spelled_in_any_case() {
        let text = "00:00:01 HELO\n#Fields: TIME CS-Method \n00:00:02 HELO\n#fields: x-extra cs-method time\n\
                    7 HELO 00:00:03\n#Fields: time\n00:00:04\n#Fields: cs-method\nHELO\n#Fields:\nHELO";
        let none = |s| Ok((s, None, false));
        assert_eq!(
            read(text),
            [
                Err(SkipReason::BeforeFields),
                none(2),
                none(3),
                none(4),
                Err(SkipReason::NoTime),
                Err(SkipReason::BeforeFields)
            ]
        );
    }

    fn days(text: &str) -> Vec<(i64, i64)> {
        let day = DAY / SECOND;
        read(text).into_iter().map(|r| r.map(|(s, ..)| (s.div_euclid(day), s.rem_euclid(day))).unwrap()).collect()
    }

    #[test]
    fn the_date_comes_from_the_row_the_directive_or_midnight() {
        assert_eq!(days("#Fields: date time\n2003-03-01 00:00:01\n2003-03-02 00:00:02"), [(12_112, 1), (12_113, 2)]);
        // The directive, midnight, the directive again.
        let text =
            "#Date: 2003-03-01 23:00:00\n#Fields: time\n23:59:59\n00:00:01\n#Date: 2003-03-05 01:00:00\n01:00:02";
        assert_eq!(days(text), [(12_112, 86_399), (12_113, 1), (12_116, 3_602)]);
        // Midnight between the directive and the first row.
        assert_eq!(days("#Date: 2003-03-01 23:59:58\n#Fields: time\n00:00:03"), [(12_113, 3)]);
        // No date at all: days from the first row; slight disorder is no midnight, and yesterday's late row is none.
        let text = "#Fields: time\n10:00:00\n09:59:58\n23:59:59\n00:00:01\n23:59:58\n00:00:02\n00:00:00";
        let expected = [(0, 36_000), (0, 35_998), (0, 86_399), (1, 1), (0, 86_398), (1, 2), (1, 0)];
        assert_eq!(days(text), expected);
        // A lone row before midnight starts no day before the first.
        assert_eq!(days("#Fields: time\n23:59:00\n00:00:01"), [(0, 86_340), (1, 1)]);
        assert_eq!(days("#Date: 2003-03-01\n#Fields: time\n23:59:00"), [(12_112, 86_340)]);
        // A date that comes late continues the count.
        let text = "#Fields: time\n10:00:00\n08:00:00\n#Fields: date time\n2003-03-01 05:00:00\n2003-03-02 05:00:00";
        assert_eq!(days(text), [(0, 36_000), (1, 28_800), (2, 18_000), (3, 18_000)]);
    }
}
