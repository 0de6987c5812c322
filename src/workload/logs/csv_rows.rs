//! Our own plain traces: a header with `time` and `service`, and perhaps `service_ms`, in any order.
//!
//! A time is in seconds from the start, or a timestamp. Not for the CSV logs of later Exchange versions, which have
//! another header. A row is one line: a quoted line break is not supported, which is what bounds a row's length. Called
//! by `Parser` only.

use super::moment::{Clock, Moment, timestamp};
use super::{FileRow, Load, Parsed, SkipReason, TraceService, number};
use crate::time::Nanos;

/// The latest time that is counted from the start: ten years.
// Guess: nobody emulates longer; a greater number is a timestamp of some other kind.
const LATEST: Nanos = Nanos::from_secs(10 * 366 * 86_400);

/// Whether `line` is a header of ours.
pub(super) fn is_header(line: &[u8]) -> bool {
    let mut cells = Cells::default();
    cells.split(line);
    Header::find(&cells).is_some()
}

/// Where the columns are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    time: usize,
    service: usize,
    service_ms: Option<usize>,
    columns: usize,
}

impl Header {
    fn find(cells: &Cells) -> Option<Header> {
        let place = |name: &[u8]| (0..cells.len()).find(|&i| cells.get(i).eq_ignore_ascii_case(name));
        Some(Header {
            time: place(b"time")?,
            service: place(b"service")?,
            service_ms: place(b"service_ms"),
            columns: cells.len(),
        })
    }
}

/// The cells of one line, trimmed.
#[derive(Debug, Default)]
struct Cells {
    record: csv::ByteRecord,
}

impl Cells {
    fn split(&mut self, line: &[u8]) {
        self.record.clear();
        if !line.contains(&b'"') {
            // Without quotes a comma is always a separator, and there is nothing to undo.
            line.split(|&b| b == b',').for_each(|cell| self.record.push_field(cell));
            return;
        }
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(line.len().max(1))
            .from_reader(line);
        // Reading from memory does not fail; if it did, the row would have too few columns.
        if reader.read_byte_record(&mut self.record).is_err() {
            self.record.clear();
        }
    }

    fn len(&self) -> usize {
        self.record.len()
    }

    fn get(&self, i: usize) -> &[u8] {
        self.record.get(i).unwrap_or_default().trim_ascii()
    }
}

/// The reader.
#[derive(Debug, Default)]
pub(super) struct CsvRows {
    header: Option<Header>,
    cells: Cells,
}

impl CsvRows {
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Parsed, SkipReason> {
        if line.is_empty() || line[0] == b'#' {
            return Ok(Parsed::NoRow);
        }
        self.cells.split(line);
        let Some(header) = self.header else {
            self.header = Header::find(&self.cells);
            return if self.header.is_some() { Ok(Parsed::NoRow) } else { Err(SkipReason::BadShape) };
        };
        let cells = &self.cells;
        if cells.len() < header.time.max(header.service) + 1 {
            return Err(SkipReason::TooFewColumns);
        }
        if cells.len() > header.columns {
            return Err(SkipReason::TooManyColumns);
        }
        if cells.get(header.time).eq_ignore_ascii_case(b"time")
            && let Some(again) = Header::find(cells)
        {
            // Files that were joined have their headers in the middle.
            self.header = Some(again);
            return Ok(Parsed::NoRow);
        }
        let service = service(cells.get(header.service)).ok_or(SkipReason::UnknownService)?;
        let service_time = number::service_ms(header.service_ms.map_or(&[], |i| cells.get(i)))?;
        let moment = moment(cells.get(header.time))?;
        let message = service == TraceService::SmtpIn;
        Ok(Parsed::Row(FileRow { moment, load: Load { service, service_time, message } }))
    }
}

fn service(text: &[u8]) -> Option<TraceService> {
    let table = [
        (&b"smtp-in"[..], TraceService::SmtpIn),
        (&b"pop3"[..], TraceService::Pop3),
        (&b"imap4"[..], TraceService::Imap4),
    ];
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, service)| *service)
}

/// Seconds are taken as they are written: who counts from the start chose each time, and they are not spread.
fn moment(text: &[u8]) -> Result<Moment, SkipReason> {
    if text.is_empty() || text == b"-" {
        return Err(SkipReason::NoTime);
    }
    if text.contains(&b':') {
        return timestamp(text).ok_or(SkipReason::BadTime);
    }
    let at = number::decimal(text, 1_000_000_000, LATEST).map_err(|_| SkipReason::BadTime)?;
    Ok(Moment { clock: Clock::Elapsed, at: at.0 as i64, whole_second: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nanoseconds, service, service time in ms.
    type Seen = Result<(u64, TraceService, Option<u64>), SkipReason>;

    #[test]
    fn rows_are_judged() {
        use SkipReason::*;
        use TraceService::*;
        let row = |s: f64, service, ms: Option<u64>| Ok((Nanos::from_f64(s * 1e9).0, service, ms));
        let table: &[(&str, Seen)] = &[
            ("0,pop3,12", row(0.0, Pop3, Some(12))),
            ("1.5, IMAP4 ,", row(1.5, Imap4, None)),
            ("1.5,imap4", row(1.5, Imap4, None)),
            ("2,Smtp-In,3", row(2.0, SmtpIn, Some(3))),
            (r#""2","smtp-in","3""#, row(2.0, SmtpIn, Some(3))),
            (r#"2,smtp-in,"3"#, row(2.0, SmtpIn, Some(3))),
            ("1970-01-01 00:00:07.250,pop3,1", row(7.25, Pop3, Some(1))),
            ("1970-01-01T01:00:07+01:00,pop3,1", row(7.0, Pop3, Some(1))),
            ("1e1,pop3,1", row(10.0, Pop3, Some(1))),
            ("-1,pop3,1", Err(BadTime)),
            ("1e30,pop3,1", Err(BadTime)),
            ("99999999999999999999999,pop3,1", Err(BadTime)),
            ("nan,pop3,1", Err(BadTime)),
            ("12:00:00,pop3,1", Err(BadTime)),
            (",pop3,1", Err(NoTime)),
            ("1,pop,1", Err(UnknownService)),
            ("1,pop3,x", Err(BadNumber)),
            ("1,pop3,nan", Err(BadNumber)),
            ("1,pop3,-1", Err(Negative)),
            ("1,pop3,1e30", Err(TooLarge)),
            ("1", Err(TooFewColumns)),
            ("1,pop3,1,1", Err(TooManyColumns)),
            (r#"""#, Err(TooFewColumns)),
        ];
        for (line, expected) in table {
            let mut rows = CsvRows::default();
            assert_eq!(rows.line(b"Time,SERVICE,service_ms"), Ok(Parsed::NoRow));
            let got = match rows.line(line.as_bytes()) {
                Ok(Parsed::Row(FileRow { moment, load })) => {
                    assert_eq!(load.message, load.service == SmtpIn);
                    Ok((moment.at as u64, load.service, load.service_time.map(|t| t.0 / 1_000_000)))
                }
                Ok(other) => panic!("{line}: {other:?}"),
                Err(reason) => Err(reason),
            };
            assert_eq!(&got, expected, "{line}");
        }
    }

    #[test]
    fn columns_are_found_by_name_and_headers_may_recur() {
        let mut rows = CsvRows::default();
        assert_eq!(rows.line(b"5,pop3"), Err(SkipReason::BadShape));
        for line in ["", "# made by hand", "service,client,time"] {
            assert_eq!(rows.line(line.as_bytes()), Ok(Parsed::NoRow), "{line}");
        }
        assert!(matches!(rows.line(b"pop3,a,1"), Ok(Parsed::Row(_))));
        assert_eq!(rows.line(b"service,time,time"), Ok(Parsed::NoRow));
        assert!(matches!(rows.line(b"pop3,1,x"), Ok(Parsed::Row(_))));
        assert_eq!(rows.line(b"other,time,time"), Err(SkipReason::UnknownService));
        assert!(is_header(b"service_ms , Time,service") && is_header(br#""time","service""#));
        assert!(!is_header(b"time,server") && !is_header(b""));
    }
}
