//! What was read and what was not: every row that was skipped, by reason, with the first place it happened.
//!
//! Not an error list: a log with odd rows is an ordinary log. What a person should act on is in
//! [`SkipReport::problems`]. Filled by the readers of this module; shown by `report` and `cli`.

use std::collections::BTreeMap;
use std::fmt;

use super::LogFormat;
use crate::problem::Problem;
use crate::time::Nanos;

/// Why a row was not used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SkipReason {
    /// This server was the client. Such a row tells of the link queue, which takes no request thread.
    Outbound,
    /// A row of a web, FTP or news server. Remedy: name the SMTP logs only.
    OtherService,
    /// No verb: nothing was asked.
    NoVerb,
    /// A CSV row whose service is not smtp-in, pop3 or imap4. Remedy: correct the name.
    UnknownService,
    /// The log has no time for it. Remedy: have the server log the `time` field.
    NoTime,
    /// A time or date that is none, or lies outside 1970 to 2199, or is of another kind than the file's other times.
    BadTime,
    /// A row before any `#Fields:` line: what its columns mean is not known.
    BeforeFields,
    /// Fewer columns than the header has, as in a line that was cut off.
    TooFewColumns,
    /// More columns than the header has: which is which is not known.
    TooManyColumns,
    /// The service time is not a number.
    BadNumber,
    /// The service time is below zero.
    Negative,
    /// The service time is longer than a day.
    TooLarge,
    /// The line is longer than 64 KiB.
    LineTooLong,
    /// The line has NUL bytes: padding after a crash, or not a text file at all.
    NotText,
    /// The line has not the shape of the file's format.
    BadShape,
}

impl SkipReason {
    /// The reason as a table shows it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            SkipReason::Outbound => "outbound connection",
            SkipReason::OtherService => "row of another service (web, FTP, news)",
            SkipReason::NoVerb => "no verb",
            SkipReason::UnknownService => "service is not smtp-in, pop3 or imap4",
            SkipReason::NoTime => "no time",
            SkipReason::BadTime => "bad time or date",
            SkipReason::BeforeFields => "before any #Fields line",
            SkipReason::TooFewColumns => "too few columns",
            SkipReason::TooManyColumns => "too many columns",
            SkipReason::BadNumber => "service time is not a number",
            SkipReason::Negative => "service time below zero",
            SkipReason::TooLarge => "service time above a day",
            SkipReason::LineTooLong => "line longer than 64 KiB",
            SkipReason::NotText => "not text (NUL bytes)",
            SkipReason::BadShape => "not a row of this format",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The rows that were skipped for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skip {
    /// How many. At least 1.
    pub count: u64,
    /// The file of the first.
    pub first_file: String,
    /// The line of the first, counted from 1.
    pub first_line: u64,
}

/// One file of a trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRead {
    /// Its name as it was given, or as found in the directory that was given.
    pub name: String,
    /// The format its first lines showed.
    pub format: LogFormat,
    /// Lines read so far, of any kind.
    pub lines: u64,
    /// Rows used so far.
    pub used: u64,
    /// Rows skipped so far.
    pub skipped: u64,
}

/// What a trace has read so far. Counts the first pass only: a looped trace does not count its rows again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SkipReport {
    pub(super) files: Vec<FileRead>,
    pub(super) skips: BTreeMap<SkipReason, Skip>,
    pub(super) clamped: u64,
    pub(super) clamped_most: Nanos,
    pub(super) unspread: u64,
    pub(super) buffered: usize,
    pub(super) most_buffered: usize,
    pub(super) problems: Vec<Problem>,
    /// Set after the first pass.
    pub(super) closed: bool,
}

impl SkipReport {
    /// The files, in the order in which rows of equal times come.
    #[must_use]
    pub fn files(&self) -> &[FileRead] {
        &self.files
    }

    /// Rows used. While the trace is being read this may be ahead of the rows it gave, by the second that is being
    /// spread and one row a file.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.files.iter().map(|f| f.used).sum()
    }

    /// Rows skipped, for whatever reason.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skips.values().map(|s| s.count).sum()
    }

    /// Rows skipped, by reason.
    #[must_use]
    pub fn reasons(&self) -> &BTreeMap<SkipReason, Skip> {
        &self.skips
    }

    /// Rows used that were logged before the row above them, and were taken at that row's time. A server logs a
    /// request when it has ended, so a few are normal.
    #[must_use]
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// The greatest step back among the [`clamped`](SkipReport::clamped) rows. Minutes are normal; days mean that a
    /// clock was set, or that files were joined in the wrong order.
    #[must_use]
    pub fn clamped_most(&self) -> Nanos {
        self.clamped_most
    }

    /// Rows that kept the whole second's time because their second had too many to be spread.
    #[must_use]
    pub fn unspread(&self) -> u64 {
        self.unspread
    }

    /// The most rows that were held at a time. At most [`MAX_BUFFERED_ROWS`](super::MAX_BUFFERED_ROWS).
    #[must_use]
    pub fn most_buffered(&self) -> usize {
        self.most_buffered
    }

    /// What a person should know: files of different clocks, a file that could not be read to its end. Grows while
    /// the trace is read, by at most one a file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Why rows were skipped, in one line: `3 no time, 1 bad time or date`.
    #[must_use]
    pub fn in_short(&self) -> String {
        let parts: Vec<String> = self.skips.iter().map(|(reason, skip)| format!("{} {reason}", skip.count)).collect();
        if parts.is_empty() { "none skipped".to_string() } else { parts.join(", ") }
    }

    pub(super) fn skip(&mut self, file: usize, line: u64, reason: SkipReason) {
        if self.closed {
            return;
        }
        let read = &mut self.files[file];
        read.skipped += 1;
        match self.skips.get_mut(&reason) {
            Some(skip) => skip.count += 1,
            None => {
                self.skips.insert(reason, Skip { count: 1, first_file: read.name.clone(), first_line: line });
            }
        }
    }

    pub(super) fn use_row(&mut self, file: usize, step_back: u64) {
        if self.closed {
            return;
        }
        self.files[file].used += 1;
        if step_back > 0 {
            self.clamped += 1;
            self.clamped_most = self.clamped_most.max(Nanos(step_back));
        }
    }

    pub(super) fn read_lines(&mut self, file: usize, lines: u64) {
        if !self.closed {
            self.files[file].lines = lines;
        }
    }

    pub(super) fn leave_unspread(&mut self, rows: u64) {
        if !self.closed {
            self.unspread += rows;
        }
    }

    /// Notes that a row is held. False, and nothing is noted, where the bound is reached.
    pub(super) fn hold_row(&mut self, bound: usize) -> bool {
        if self.buffered >= bound {
            return false;
        }
        self.buffered += 1;
        self.most_buffered = self.most_buffered.max(self.buffered);
        true
    }

    pub(super) fn release_row(&mut self) {
        self.buffered -= 1;
    }

    pub(super) fn add_problem(&mut self, problem: Problem) {
        // A later pass over a broken file says the same again.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// A few lines for a person: totals first, then each reason.
impl fmt::Display for SkipReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        let (used, files, skipped) = (self.used(), self.files.len() as u64, self.skipped());
        write!(f, "{used} row{} used of {files} file{}, {skipped} skipped", plural(used), plural(files))?;
        for (reason, skip) in &self.skips {
            write!(f, "\n  {} skipped: {reason} (first at {}:{})", skip.count, skip.first_file, skip.first_line)?;
        }
        if self.clamped > 0 {
            write!(
                f,
                "\n  {} used at the time of the row above: logged out of order, by at most {}",
                self.clamped, self.clamped_most
            )?;
        }
        if self.unspread > 0 {
            write!(f, "\n  {} not spread: too many rows in one second", self.unspread)?;
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}
