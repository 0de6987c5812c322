//! Several files as one trace: merged in order of time, scaled, and started over if asked.
//!
//! The trace first looks at each file for its first usable row, then reads the files in one pass, opening each when
//! its time has come and closing it at its end. Order at equal times: the order of the files, then of their lines.
//! Not a buffer: it holds one row a file beside what `one_file` holds. Called by `plan` and `engine`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::PathBuf;

use super::moment::Clock;
use super::one_file::OneFile;
use super::source::{self, MAX_FILES, MAX_OPEN, Source};
use super::{FileRead, Load, LogFormat, SkipReport, TIMES_RANGE, TraceOptions, TraceRow};
use crate::problem::{Place, Problem};
use crate::time::Nanos;

/// A stream of requests out of trace files. Its `Iterator` gives them in order of time.
#[derive(Debug)]
pub struct Trace {
    options: TraceOptions,
    sources: Vec<(Source, LogFormat)>,
    /// Each file's first row, in order of time.
    starts: Vec<Start>,
    /// The first row of all, on each clock. The clocks start together.
    origins: BTreeMap<Clock, i64>,
    report: SkipReport,
    pass: Pass,
    /// Where the pass begins, before scaling. Wide, because it is divided by up to a million later.
    shift: u128,
    passes: u64,
}

/// When a file's turn comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Start {
    at: u64,
    file: usize,
}

/// One reading of all files, from the first row to the last.
#[derive(Debug, Default)]
struct Pass {
    /// How many of the starts were opened.
    opened: usize,
    open: BTreeMap<usize, Open>,
    /// The next row of each open file.
    heads: BinaryHeap<Reverse<Start>>,
    rows: u64,
    last: u64,
}

/// A file in the course of a pass.
#[derive(Debug)]
struct Open {
    reader: OneFile,
    head: Load,
}

impl Trace {
    /// Opens the files `paths`; a directory stands for its regular files, sorted by name.
    ///
    /// # Errors
    /// Every file that cannot be used, each with its remedy; options out of range; and a trace without a usable row.
    pub fn open(paths: &[PathBuf], options: TraceOptions) -> Result<Trace, Vec<Problem>> {
        let mut problems = check(&options);
        match source::find(paths) {
            Ok(sources) if problems.is_empty() => return Trace::from_sources(sources, options),
            Ok(_) => {}
            Err(more) => problems.extend(more),
        }
        Err(problems)
    }

    /// The same out of texts at hand, each with its name.
    ///
    /// # Errors
    /// As [`Trace::open`].
    pub fn from_texts(texts: Vec<(String, Vec<u8>)>, options: TraceOptions) -> Result<Trace, Vec<Problem>> {
        let sources = texts.into_iter().map(|(name, text)| Source::text(name, text)).collect();
        Trace::from_sources(sources, options)
    }

    pub(super) fn from_sources(sources: Vec<Source>, options: TraceOptions) -> Result<Trace, Vec<Problem>> {
        let mut problems = check(&options);
        if sources.is_empty() || sources.len() > MAX_FILES {
            let message = match sources.len() {
                0 => "no trace file is named".to_string(),
                _ => format!("the trace has more than {MAX_FILES} files"),
            };
            problems.push(Problem::error(
                Place::Named("trace".into()),
                message,
                "name the log files, or their directory",
            ));
            return Err(problems);
        }
        let mut known = Vec::new();
        for source in sources {
            match source.format() {
                Ok(format) => known.push((source, format)),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut trace = Trace {
            options,
            report: empty_report(&known),
            sources: known,
            starts: Vec::new(),
            origins: BTreeMap::new(),
            pass: Pass::default(),
            shift: 0,
            passes: 1,
        };
        trace.look_at_starts()?;
        Ok(trace)
    }

    /// What was read so far and what was skipped, in the first pass.
    #[must_use]
    pub fn skipped(&self) -> &SkipReport {
        &self.report
    }

    /// How many times the trace was begun: 1, or more where it loops.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes
    }

    /// Finds the time of each file's first row. A file without any comes first, so that it is read through, counted and
    /// closed before the others.
    fn look_at_starts(&mut self) -> Result<(), Vec<Problem>> {
        let mut looked = empty_report(&self.sources);
        let mut firsts = Vec::new();
        for (file, (source, format)) in self.sources.iter().enumerate() {
            let input = source.open().map_err(|error| vec![source.unreadable(&error)])?;
            let mut reader = OneFile::new(file, input, *format, false);
            let first = reader.next(&mut looked).and_then(|row| Some((reader.clock()?, row.at)));
            if let Some((clock, at)) = first {
                let origin = self.origins.entry(clock).or_insert(at);
                *origin = at.min(*origin);
            }
            firsts.push(first);
        }
        if self.origins.is_empty() {
            let place = Place::Named(self.sources[0].0.name.clone());
            let remedy = "give logs that have rows of inbound requests with a time";
            return Err(vec![Problem::error(
                place,
                format!("the trace has no usable row ({})", looked.in_short()),
                remedy,
            )]);
        }
        self.starts = (firsts.iter().enumerate())
            .map(|(file, first)| Start { at: first.map_or(0, |(clock, at)| self.since_origin(clock, at)), file })
            .collect();
        self.starts.sort();
        if self.origins.len() > 1 {
            // Guess: what else could be meant by files whose times cannot be compared.
            self.report.add_problem(Problem::warning(
                Place::Named("trace".into()),
                "some files have dates and others only times of day or seconds from the start",
                "they are replayed as if their first rows came together; replay them apart if that is wrong",
            ));
        }
        Ok(())
    }

    fn since_origin(&self, clock: Clock, at: i64) -> u64 {
        let origin = self.origins.get(&clock).copied().unwrap_or(at);
        // A file that grew or changed since it was looked at may have an earlier row: it comes at once.
        u64::try_from(i128::from(at) - i128::from(origin)).unwrap_or(0)
    }

    /// The next row of this pass, and its time before scaling.
    fn next_in_pass(&mut self) -> Option<(u64, Load)> {
        while let Some(start) = self.starts.get(self.pass.opened).copied() {
            // `<=`: a file whose first row has the same time may come before the one that is open.
            if self.pass.heads.peek().is_some_and(|Reverse(head)| head.at < start.at) {
                break;
            }
            self.pass.opened += 1;
            self.begin_file(start.file);
        }
        let Reverse(head) = self.pass.heads.pop()?;
        let open = self.pass.open.get_mut(&head.file)?;
        let load = open.head;
        match open.reader.next(&mut self.report) {
            Some(row) => {
                open.head = row.load;
                let clock = open.reader.clock();
                self.push_head(head.file, clock, row.at);
            }
            None => {
                self.pass.open.remove(&head.file);
            }
        }
        self.pass.rows += 1;
        self.pass.last = self.pass.last.max(head.at);
        Some((self.pass.last, load))
    }

    fn begin_file(&mut self, file: usize) {
        let (source, format) = &self.sources[file];
        if self.pass.open.len() >= MAX_OPEN {
            let message = format!("left out: more than {MAX_OPEN} files overlap in time");
            self.report.add_problem(source.problem(message, "join the files, or replay fewer"));
            return;
        }
        match source.open() {
            Err(error) => self.report.add_problem(source.unreadable(&error)),
            Ok(input) => {
                let mut reader = OneFile::new(file, input, *format, self.options.spread);
                if let Some(row) = reader.next(&mut self.report) {
                    self.push_head(file, reader.clock(), row.at);
                    self.pass.open.insert(file, Open { reader, head: row.load });
                }
            }
        }
    }

    fn push_head(&mut self, file: usize, clock: Option<Clock>, at: i64) {
        let at = clock.map_or(0, |clock| self.since_origin(clock, at));
        self.pass.heads.push(Reverse(Start { at, file }));
    }

    /// Starts over, if the options say so and there is anything to repeat.
    fn begin_again(&mut self) -> bool {
        self.report.closed = true;
        let pass = std::mem::take(&mut self.pass);
        if self.options.loop_until.is_none() || pass.rows == 0 {
            // Nothing more comes, however often it is asked.
            self.pass.opened = self.starts.len();
            return false;
        }
        // The gap to the first row of the next pass is as long as the mean gap.
        let gap = pass.last / (pass.rows - 1).max(1);
        self.shift += u128::from(pass.last.saturating_add(gap).max(Nanos::SECOND.0));
        self.passes += 1;
        true
    }

    fn scaled(&self, at: u64) -> Nanos {
        let at = self.shift + u128::from(at);
        if self.options.times == 1.0 {
            Nanos(u64::try_from(at).unwrap_or(u64::MAX))
        } else {
            Nanos::from_f64(at as f64 / self.options.times)
        }
    }
}

impl Iterator for Trace {
    type Item = TraceRow;

    fn next(&mut self) -> Option<TraceRow> {
        let (at, load) = loop {
            match self.next_in_pass() {
                Some(row) => break row,
                None if self.begin_again() => {}
                None => return None,
            }
        };
        let at = self.scaled(at);
        if self.options.loop_until.is_some_and(|end| at >= end) {
            self.options.loop_until = None;
            self.pass = Pass { opened: self.starts.len(), ..Pass::default() };
            return None;
        }
        Some(TraceRow { at, service: load.service, service_time: load.service_time, message: load.message })
    }
}

fn empty_report(sources: &[(Source, LogFormat)]) -> SkipReport {
    let files = sources.iter().map(|(source, format)| FileRead {
        name: source.name.clone(),
        format: *format,
        lines: 0,
        used: 0,
        skipped: 0,
    });
    SkipReport { files: files.collect(), ..SkipReport::default() }
}

fn check(options: &TraceOptions) -> Vec<Problem> {
    let (least, most) = TIMES_RANGE;
    // NaN is in no range.
    if (least..=most).contains(&options.times) {
        return Vec::new();
    }
    vec![Problem::error(
        Place::Named("times".into()),
        format!("the rate multiplier {} is not from {least} to {most}", options.times),
        "give 1 for the rate of the log, 2 for twice the rate",
    )]
}
