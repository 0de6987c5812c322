//! Load traces: what real servers logged, or what a person wrote down, as a stream of requests in time order.
//!
//! Read in bounded memory, however long the files: one line ([`MAX_LINE`]) and one read buffer for each file that is
//! open ([`MAX_OPEN`]), and [`MAX_BUFFERED_ROWS`] rows in all for spreading the rows of one second. A row that cannot
//! be used is never dropped silently: [`SkipReport`] counts it under its reason, with the first place it happened.
//!
//! Not a load generator: nothing is drawn at random, and a log that has no service time says so (`None`); the scenario
//! then supplies one. Not a clock either: the times are those of the file, shifted and scaled. Called by `plan`, which
//! opens a trace, and by the engines, which draw it row by row.

mod csv_rows;
pub mod domains;
mod moment;
mod ncsa;
mod number;
mod one_file;
mod one_line;
mod skipped;
mod source;
mod trace;
mod w3c;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::time::Nanos;

pub use one_line::MAX_LINE;
pub use skipped::{FileRead, Skip, SkipReason, SkipReport};
pub use source::{MAX_FILES, MAX_OPEN};
pub use trace::Trace;

/// Most rows held at a time, over all files, while the rows of one whole second are collected to be spread over it.
/// A second with more rows than fit is not spread: its rows keep the whole second's time and are counted.
pub const MAX_BUFFERED_ROWS: usize = 100_000;

/// The least and the greatest rate multiplier of [`TraceOptions::times`].
pub const TIMES_RANGE: (f64, f64) = (1e-6, 1e6);

/// A longer service time than this in a log is taken for damage, and the row is skipped.
// Guess: no request of these protocols holds a thread for a day.
pub const MAX_SERVICE_TIME: Nanos = Nanos::from_secs(86_400);

/// The service that a logged request asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TraceService {
    /// One inbound SMTP command.
    SmtpIn,
    /// One POP3 command.
    Pop3,
    /// One IMAP4 command.
    Imap4,
}

/// One request of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceRow {
    /// When it is due, since the first row of the whole trace, after scaling by [`TraceOptions::times`]. Never less
    /// than that of the row before.
    pub at: Nanos,
    /// Whom it asked.
    pub service: TraceService,
    /// How long it held a thread, where the log tells. In [0, [`MAX_SERVICE_TIME`]]. `None`: take the scenario's.
    pub service_time: Option<Nanos>,
    /// Whether it handed over a message (an accepted DATA, or the last BDAT), which then enters the five queues.
    pub message: bool,
}

/// How a trace is replayed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TraceOptions {
    /// Rate multiplier: every gap is divided by it. In [`TIMES_RANGE`].
    pub times: f64,
    /// Start again from the first row until this emulated time, which no row reaches. `None`: one pass, to its end.
    pub loop_until: Option<Nanos>,
    /// Spread the rows that were logged in the same whole second evenly over it.
    // Guess: a log with a resolution of one second hides when in the second a row came. Evenly is the mildest reading;
    // switched off, they come as one burst at its start, the harshest. A packet capture beside a log would settle it.
    pub spread: bool,
}

impl Default for TraceOptions {
    fn default() -> TraceOptions {
        TraceOptions { times: 1.0, loop_until: None, spread: true }
    }
}

/// The shape of a trace file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogFormat {
    /// W3C extended: `#Fields:` says which columns there are. What the SMTP service writes by default.
    W3c,
    /// NCSA common: `host ident user [time] "request" status bytes`.
    Ncsa,
    /// Our own plain list: a header with `time` and `service`, and perhaps `service_ms`.
    Csv,
}

impl LogFormat {
    /// Tells the format by the first lines of a file; its name has no say. `None`: none of the three.
    #[must_use]
    pub fn detect(start: &[u8]) -> Option<LogFormat> {
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        start.split(|&b| b == b'\n').take(100).find_map(|line| {
            let line = line.trim_ascii();
            if line.contains(&0) {
                None
            } else if w3c::is_directive(line) {
                Some(LogFormat::W3c)
            } else if csv_rows::is_header(line) {
                Some(LogFormat::Csv)
            } else if ncsa::is_row(line) {
                Some(LogFormat::Ncsa)
            } else {
                None
            }
        })
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LogFormat::W3c => "W3C extended",
            LogFormat::Ncsa => "NCSA common",
            LogFormat::Csv => "CSV",
        })
    }
}

/// What a row asks, without its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Load {
    service: TraceService,
    service_time: Option<Nanos>,
    message: bool,
}

/// A row as its file has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileRow {
    moment: moment::Moment,
    load: Load,
}

/// What became of one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Parsed {
    Row(FileRow),
    Skipped(SkipReason),
    /// A blank line, a comment, a directive, a header: not a row at all.
    NoRow,
}

/// The reader of one format's lines. Each keeps what earlier lines said that later ones need.
#[derive(Debug)]
enum Parser {
    W3c(w3c::W3c),
    Ncsa(ncsa::Ncsa),
    Csv(csv_rows::CsvRows),
}

impl Parser {
    fn new(format: LogFormat) -> Parser {
        match format {
            LogFormat::W3c => Parser::W3c(w3c::W3c::default()),
            LogFormat::Ncsa => Parser::Ncsa(ncsa::Ncsa::default()),
            LogFormat::Csv => Parser::Csv(csv_rows::CsvRows::default()),
        }
    }

    fn line(&mut self, line: &[u8]) -> Parsed {
        let result = match self {
            Parser::W3c(p) => p.line(line),
            Parser::Ncsa(p) => p.line(line),
            Parser::Csv(p) => p.line(line),
        };
        result.unwrap_or_else(Parsed::Skipped)
    }
}

/// Whether a row is a message: DATA or BDAT, accepted. `query` is the rest of the command, with `+` for spaces.
// Guess: a BDAT that shows a chunk size but not LAST (RFC 3030) is a part of a message, not one more message.
fn is_message(verb: &[u8], query: &[u8], status: &[u8]) -> bool {
    if status != b"250" {
        return false;
    }
    if verb.eq_ignore_ascii_case(b"BDAT") {
        let size = query.strip_prefix(b"+").unwrap_or(query);
        return size.is_empty() || !size.iter().all(u8::is_ascii_digit);
    }
    verb.eq_ignore_ascii_case(b"DATA")
}

/// Whether the user of a row says that this server was the client.
fn is_outbound_user(user: &[u8]) -> bool {
    user.eq_ignore_ascii_case(b"OutboundConnectionCommand") || user.eq_ignore_ascii_case(b"OutboundConnectionResponse")
}
