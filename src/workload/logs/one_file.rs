//! The rows of one file, in an order of time that never goes back.
//!
//! Two things happen here. A row that was logged before the row above it is taken at that row's time (a server logs a
//! request when it has ended). And the rows of one whole second are collected and spread evenly over it, as far as
//! [`MAX_BUFFERED_ROWS`] allows. Not aware of other files; times are still those of the file's own clock. Called by
//! `trace` only.

use std::collections::VecDeque;
use std::fmt;

use super::moment::{Clock, SECOND};
use super::one_line::{Line, Lines};
use super::source::Input;
use super::{Load, LogFormat, MAX_BUFFERED_ROWS, Parsed, Parser, SkipReason, SkipReport};
use crate::problem::{Place, Problem};

/// A row on its file's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Timed {
    pub(super) at: i64,
    pub(super) load: Load,
}

/// One open file.
pub(super) struct OneFile {
    /// Its index in the report.
    file: usize,
    lines: Lines<Input>,
    parser: Parser,
    spread: bool,
    /// The clock of the first row; rows of another are skipped.
    clock: Option<Clock>,
    last: Option<Stamp>,
    /// Read, but not of `second`.
    ahead: Option<(Stamp, Load)>,
    second: Second,
    /// The second that had too many rows.
    crowded: Option<i64>,
    ended: bool,
}

/// When a row counts as logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    at: i64,
    whole_second: bool,
}

/// Rows that share a time.
#[derive(Default)]
struct Second {
    start: i64,
    /// How long they are spread over. 0: not at all.
    width: i64,
    rows: i64,
    given: i64,
    loads: VecDeque<Load>,
}

impl Second {
    fn begin(&mut self, start: i64, load: Load) {
        *self = Second { start, width: 0, rows: 1, given: 0, loads: std::mem::take(&mut self.loads) };
        self.loads.push_back(load);
    }

    fn next(&mut self) -> Option<Timed> {
        let load = self.loads.pop_front()?;
        // At most MAX_BUFFERED_ROWS x 10^9: no overflow.
        let at = self.start.saturating_add(self.given * self.width / self.rows);
        self.given += 1;
        Some(Timed { at, load })
    }
}

impl OneFile {
    pub(super) fn new(file: usize, input: Input, format: LogFormat, spread: bool) -> OneFile {
        OneFile {
            file,
            lines: Lines::new(input),
            parser: Parser::new(format),
            spread,
            clock: None,
            last: None,
            ahead: None,
            second: Second::default(),
            crowded: None,
            ended: false,
        }
    }

    /// The clock of the file's rows, once one was read.
    pub(super) fn clock(&self) -> Option<Clock> {
        self.clock
    }

    /// The next row. `None` at the end of the file, or where it cannot be read further, which the report then says.
    pub(super) fn next(&mut self, report: &mut SkipReport) -> Option<Timed> {
        if self.second.loads.is_empty() {
            self.collect(report);
        }
        let row = self.second.next();
        if row.is_some() && self.second.given > 1 {
            report.release_row();
        }
        row
    }

    /// Fills `second` with the next row and those that share its whole second. The first is on its way out and does not
    /// count as held.
    fn collect(&mut self, report: &mut SkipReport) {
        let Some((stamp, load)) = self.ahead.take().or_else(|| self.read(report)) else { return };
        self.second.begin(stamp.at, load);
        if !self.spread || !stamp.whole_second {
            return;
        }
        if self.crowded == Some(stamp.at) {
            report.leave_unspread(1);
            return;
        }
        loop {
            self.ahead = self.read(report);
            match self.ahead {
                Some((next, load)) if next == stamp => {
                    if !report.hold_row(MAX_BUFFERED_ROWS) {
                        self.crowded = Some(stamp.at);
                        report.leave_unspread(self.second.rows as u64);
                        return;
                    }
                    self.second.rows += 1;
                    self.second.loads.push_back(load);
                }
                _ => {
                    self.second.width = SECOND;
                    return;
                }
            }
        }
    }

    /// The next usable row, at a time that is not before that of the row above.
    fn read(&mut self, report: &mut SkipReport) -> Option<(Stamp, Load)> {
        while !self.ended {
            let Some(parsed) = self.parse(report) else {
                self.ended = true;
                break;
            };
            let number = self.lines.number();
            report.read_lines(self.file, number);
            let row = match parsed {
                Parsed::NoRow => continue,
                Parsed::Skipped(reason) => {
                    report.skip(self.file, number, reason);
                    continue;
                }
                Parsed::Row(row) => row,
            };
            if *self.clock.get_or_insert(row.moment.clock) != row.moment.clock {
                report.skip(self.file, number, SkipReason::BadTime);
                continue;
            }
            let mut stamp = Stamp { at: row.moment.at, whole_second: row.moment.whole_second };
            let mut step_back = 0;
            if let Some(last) = self.last.filter(|last| last.at > stamp.at) {
                step_back = last.at.abs_diff(stamp.at);
                stamp = last;
            }
            self.last = Some(stamp);
            report.use_row(self.file, step_back);
            return Some((stamp, row.load));
        }
        None
    }

    /// What the next line is. `None` where there is none.
    fn parse(&mut self, report: &mut SkipReport) -> Option<Parsed> {
        match self.lines.advance() {
            Ok(Line::End) => None,
            Ok(Line::TooLong) => Some(Parsed::Skipped(SkipReason::LineTooLong)),
            Ok(Line::NotText) => Some(Parsed::Skipped(SkipReason::NotText)),
            Ok(Line::Text) => Some(self.parser.line(self.lines.text())),
            Err(error) => {
                let place = Place::Line(report.files()[self.file].name.clone(), self.lines.number() + 1);
                let message = format!("cannot be read further: {error}");
                report.add_problem(Problem::warning(place, message, "the rows before it were used; check the disk"));
                None
            }
        }
    }
}

impl fmt::Debug for OneFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneFile({} at line {})", self.file, self.lines.number())
    }
}
