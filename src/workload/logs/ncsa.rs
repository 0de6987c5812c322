//! NCSA common logs of the SMTP service: `host ident user [dd/Mon/yyyy:HH:MM:SS +hhmm] "request" status bytes`.
//!
//! The format has no service time: the scenario supplies one. Not a reader of web logs, whose rows are skipped. Called
//! by `Parser` only.

use super::moment::{Clock, DateCache, Moment, ncsa_date, offset, on_day, time_of_day};
use super::{FileRow, Load, Parsed, SkipReason, TraceService, is_message, is_outbound_user};

/// Whether `line` has the shape of a row.
pub(super) fn is_row(line: &[u8]) -> bool {
    split(line).is_some_and(|row| ncsa_time(&mut DateCache::default(), row.time).is_some())
}

/// A row's parts.
struct Row<'a> {
    user: &'a [u8],
    time: &'a [u8],
    request: &'a [u8],
    /// Status and bytes.
    rest: &'a [u8],
}

fn split(line: &[u8]) -> Option<Row<'_>> {
    let find = |from: usize, byte: u8| line[from..].iter().position(|&b| b == byte).map(|i| from + i);
    let open = find(0, b'[')?;
    let close = find(open, b']')?;
    let first = find(close, b'"')?;
    // What a client sent may hold quotes of its own, so the request ends at the last one.
    let last = line.iter().rposition(|&b| b == b'"').filter(|&last| last > first)?;
    let mut names = line[..open].splitn(3, |&b| b == b' ');
    let (_host, _ident, user) = (names.next()?, names.next()?, names.next()?);
    Some(Row {
        user: user.trim_ascii(),
        time: &line[open + 1..close],
        request: line[first + 1..last].trim_ascii(),
        rest: &line[last + 1..],
    })
}

/// `dd/Mon/yyyy:HH:MM:SS +hhmm`; without an offset, UTC.
fn ncsa_time(dates: &mut DateCache, text: &[u8]) -> Option<Moment> {
    let colon = text.iter().position(|&b| b == b':')?;
    let day = dates.day(&text[..colon], ncsa_date)?;
    let mut words = text[colon + 1..].split(|&b| b == b' ').filter(|word| !word.is_empty());
    let time = time_of_day(words.next()?)?;
    let east = words.next().map_or(Some(0), offset)?;
    Some(Moment { clock: Clock::Calendar, at: on_day(day, time.ns - east), whole_second: time.whole_second })
}

/// The reader.
#[derive(Debug, Default)]
pub(super) struct Ncsa {
    dates: DateCache,
}

impl Ncsa {
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Parsed, SkipReason> {
        if line.is_empty() || line[0] == b'#' {
            return Ok(Parsed::NoRow);
        }
        let row = split(line).ok_or(SkipReason::BadShape)?;
        if is_outbound_user(row.user) {
            return Err(SkipReason::Outbound);
        }
        let mut words = row.request.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let verb = words.next().filter(|&verb| verb != b"-").ok_or(SkipReason::NoVerb)?;
        // The stem and the query of an SMTP row are joined by a question mark: `-?+FROM:<a>`.
        let target = words.next().unwrap_or_default();
        let version = words.next_back().unwrap_or_default();
        if target.starts_with(b"/") || version.get(..5).is_some_and(|v| v.eq_ignore_ascii_case(b"HTTP/")) {
            return Err(SkipReason::OtherService);
        }
        let status = row.rest.split(|&b| b == b' ').find(|word| !word.is_empty());
        let status = status.ok_or(SkipReason::TooFewColumns)?;
        let query = target.strip_prefix(b"-?").unwrap_or_default();
        let message = is_message(verb, query, status);
        if row.time.is_empty() || row.time == b"-" {
            return Err(SkipReason::NoTime);
        }
        let moment = ncsa_time(&mut self.dates, row.time).ok_or(SkipReason::BadTime)?;
        Ok(Parsed::Row(FileRow { moment, load: Load { service: TraceService::SmtpIn, service_time: None, message } }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::SECOND;
    use super::*;

    /// Seconds, and whether it is a message.
    type Seen = Result<(i64, bool), SkipReason>;

    #[test]
    fn rows_are_judged() {
        use SkipReason::*;
        let noon = 12_112 * 86_400 + 43_200;
        let table: &[(&str, Seen)] = &[
            (r#"192.0.2.9 - m [01/Mar/2003:12:00:00 +0000] "EHLO -?+m.example.net SMTP" 250 93"#, Ok((noon, false))),
            (r#"192.0.2.9 - m [01/Mar/2003:07:00:00 -0500] "DATA -?+<1@example.net> SMTP" 250 0"#, Ok((noon, true))),
            (r#"192.0.2.9 - m [01/Mar/2003:12:00:00] "DATA -?- SMTP" 354 0"#, Ok((noon, false))),
            (r#"192.0.2.9 - m [01/Mar/2003:12:00:00 Z] "BDAT -?+512 SMTP" 250 0"#, Ok((noon, false))),
            (r#"192.0.2.9 - m [01/Mar/2003:12:00:00 +0000] "xxxx -?+"x"" SMTP" 500 0"#, Ok((noon, false))),
            (r#"192.0.2.9 - m [01/Mar/2003:12:00:00 +0000] "QUIT" 240 0"#, Ok((noon, false))),
            (
                r#"198.51.100.7 - OutboundConnectionCommand [01/Mar/2003:12:00:00 +0000] "EHLO -?x SMTP" 0 4"#,
                Err(Outbound),
            ),
            (r#"192.0.2.9 - - [01/Mar/2003:12:00:00 +0000] "GET /a.html HTTP/1.0" 200 5"#, Err(OtherService)),
            (r#"192.0.2.9 - - [01/Mar/2003:12:00:00 +0000] "OPTIONS * HTTP/1.0" 200 5"#, Err(OtherService)),
            (r#"192.0.2.9 - - [01/Mar/2003:12:00:00 +0000] "-" 250 0"#, Err(NoVerb)),
            (r#"192.0.2.9 - - [01/Mar/2003:12:00:00 +0000] "" 250 0"#, Err(NoVerb)),
            (r#"192.0.2.9 - - [-] "HELO -?- SMTP" 250 0"#, Err(NoTime)),
            (r#"192.0.2.9 - - [32/Mar/2003:12:00:00 +0000] "HELO -?- SMTP" 250 0"#, Err(BadTime)),
            (r#"192.0.2.9 - - [01/Mar/2003:12:00:00 +x] "HELO -?- SMTP" 250 0"#, Err(BadTime)),
            (r#"192.0.2.9 - - [01/Mar/2003:12:00:00 +0000] "HELO -?- SMTP""#, Err(TooFewColumns)),
            (r#"192.0.2.9 - - [01/Mar/2003:12:00:00 +0000] "HELO"#, Err(BadShape)),
            (r#"] " [ " "#, Err(BadShape)),
            ("hello", Err(BadShape)),
        ];
        for (line, expected) in table {
            let got = match Ncsa::default().line(line.as_bytes()) {
                Ok(Parsed::Row(row)) => {
                    assert_eq!(row.load.service_time, None);
                    Ok((row.moment.at / SECOND, row.load.message))
                }
                Ok(other) => panic!("{line}: {other:?}"),
                Err(reason) => Err(reason),
            };
            assert_eq!(&got, expected, "{line}");
        }
    }
}
