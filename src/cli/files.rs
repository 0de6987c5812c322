//! The files beside a report: which there are, whether they can be written, and the writing.
//!
//! Not their formats, of which each is a file of `report` (or of `run`, where it is streamed while a run goes on). Called by
//! `running`. To add one: its field in [`FileArgs`] and its line in `KINDS`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use parking_lot::Mutex;

use super::args::OutputArgs;
use super::output::{NewFile, complain, file_meant, may_be_written, write_file};
use crate::metrics::intervals::Keep;
use crate::plan::Plan;
use crate::problem::{Place, Problem};
use crate::report::Report;
use crate::report::events_csv::{events_csv, events_dropped};
use crate::report::hlog::hlog;
use crate::report::html::html;
use crate::report::perfmon_csv::perfmon_csv;
use crate::report::perfopt_log::perfopt_log;
use crate::report::series_csv::series_csv;
use crate::report::summary_csv::summary_csv;
use crate::run::{PerfettoFile, SLICES_MOST, TraceFile};
use crate::time::Nanos;

/// Files beside the report, each for another program.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Files beside the report")]
pub struct FileArgs {
    /// Write the report as a page for a browser: charts, tables and what it takes to run it again, in one file
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write the waits and services over time to this file, as an HdrHistogram interval log
    #[arg(long, value_name = "FILE.hlog")]
    pub hlog: Option<PathBuf>,
    /// Write every figure of every service to this file, as CSV
    #[arg(long, value_name = "FILE.csv")]
    pub summary: Option<PathBuf>,
    /// Write what happened over time to this file, as CSV
    #[arg(long, value_name = "FILE.csv")]
    pub series: Option<PathBuf>,
    /// Write the counters that an administrator knows to this file, as Perfmon does (PDH-CSV)
    #[arg(long, value_name = "FILE.csv")]
    pub perfmon: Option<PathBuf>,
    /// Write the run to this file as a Perfetto trace: every thread a track, every service a colour (ui.perfetto.dev)
    #[arg(long, value_name = "FILE.pftrace")]
    pub perfetto: Option<PathBuf>,
    /// Only this part of the emulated time in the Perfetto trace, e.g. 1m30s..2m, 10m.. or ..30s
    #[arg(long, value_name = "FROM..TO", value_parser = window, requires = "perfetto")]
    pub perfetto_window: Option<(Nanos, Nanos)>,
    /// Write the event logs of the scenario's clusters, Internet Mail Services and transport servers to this file, as CSV
    #[arg(long, value_name = "FILE.csv")]
    pub events: Option<PathBuf>,
    /// Write perfopt.log of the servers on which Performance Optimizer ran to this file (store.optimizer)
    #[arg(long, value_name = "FILE.log")]
    pub perfopt: Option<PathBuf>,
}

/// `1m30s..2m`, with either end left out where it is that of the run.
fn window(text: &str) -> Result<(Nanos, Nanos), String> {
    let (from, to) = text.split_once("..").ok_or("write FROM..TO, e.g. 1m30s..2m")?;
    let moment = |text: &str, otherwise: Nanos| -> Result<Nanos, String> {
        match text.trim() {
            "" => Ok(otherwise),
            text => {
                let span = humantime::parse_duration(text).map_err(|error| format!("`{text}` is no time: {error}"))?;
                Ok(Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
            }
        }
    };
    let (from, to) = (moment(from, Nanos::ZERO)?, moment(to, Nanos::MAX)?);
    if from < to { Ok((from, to)) } else { Err("nothing lies between FROM and TO; write the earlier first".into()) }
}

/// The kinds of files that are made of a whole report.
const KINDS: &[Kind] = &[
    Kind { keep: Keep::Figures, ..Kind::new("--report", |files| &files.report, html) },
    Kind { keep: Keep::Distributions, ..Kind::new("--hlog", |files| &files.hlog, hlog) },
    Kind { unfit: no_services, ..Kind::new("--summary", |files| &files.summary, summary_csv) },
    Kind { keep: Keep::Figures, ..Kind::new("--series", |files| &files.series, series_csv) },
    Kind { keep: Keep::Figures, ..Kind::new("--perfmon", |files| &files.perfmon, perfmon_csv) },
    Kind { unfit: no_optimizer, ..Kind::new("--perfopt", |files| &files.perfopt, perfopt_log) },
    Kind { unfit: no_events, lacks: events_cut, ..Kind::new("--events", |files| &files.events, events_csv) },
];

/// A kind of file.
struct Kind {
    flag: &'static str,
    path: fn(&FileArgs) -> &Option<PathBuf>,
    bytes: fn(&Report) -> Vec<u8>,
    /// How much of what happened between two moments of the time line the runs are to keep for it.
    keep: Keep,
    /// Why it cannot be made of these plans, and what to do.
    unfit: fn(&[Plan]) -> Option<(&'static str, &'static str)>,
    /// What it has not, and should be known by who opens it.
    lacks: fn(&Report) -> Option<String>,
}

impl Kind {
    const fn new(flag: &'static str, path: fn(&FileArgs) -> &Option<PathBuf>, bytes: fn(&Report) -> Vec<u8>) -> Kind {
        Kind { flag, path, bytes, keep: Keep::Nothing, unfit: |_| None, lacks: |_| None }
    }
}

impl FileArgs {
    /// How much a run is to keep of what happened between two moments of its time line.
    #[must_use]
    pub fn keep(&self) -> Keep {
        self.wanted().map(|(kind, _)| kind.keep).max().unwrap_or_default()
    }

    fn wanted(&self) -> impl Iterator<Item = (&'static Kind, &Path)> {
        KINDS.iter().filter_map(|kind| Some((kind, (kind.path)(self).as_deref()?)))
    }
}

/// Every reason not to begin: a file that cannot be made or written, that two outputs share, or that is one of `inputs`.
pub(super) fn refused(plans: &[Plan], inputs: &[PathBuf], args: &OutputArgs) -> Vec<Problem> {
    let mut found = Vec::new();
    for (kind, path) in args.files.wanted() {
        if let Some((message, remedy)) = (kind.unfit)(plans) {
            found.push(Problem::error(place(kind.flag, path), message, remedy));
        }
    }
    // Where the report itself cannot be written it is printed, so it alone is let off.
    let outputs = outputs(args);
    for (flag, path) in outputs.iter().filter(|(flag, _)| *flag != "--output") {
        if let Err(why) = may_be_written(path) {
            found.push(Problem::error(place(flag, path), why, "name a file in a directory that can be written"));
        }
    }
    for (at, (flag, path)) in outputs.iter().enumerate() {
        let meant = file_meant(path);
        if inputs.iter().any(|input| input.exists() && file_meant(input) == meant) {
            let message = "is a file that this run reads, and would be lost";
            found.push(Problem::error(place(flag, path), message, "name another file"));
        }
        if let Some((other, _)) = outputs[..at].iter().find(|(_, before)| file_meant(before) == meant) {
            let message = format!("is the file of another output ({other})");
            found.push(Problem::error(place(flag, path), message, "give each a file of its own"));
        }
    }
    found
}

/// Every file that is to be written, with its flag.
fn outputs(args: &OutputArgs) -> Vec<(&'static str, &Path)> {
    let first = [
        ("--output", args.output.as_deref()),
        ("--trace", args.trace.as_deref()),
        ("--perfetto", args.files.perfetto.as_deref()),
    ];
    let mut found: Vec<(&'static str, &Path)> =
        first.into_iter().filter_map(|(flag, path)| Some((flag, path?))).collect();
    found.extend(args.files.wanted().map(|(kind, path)| (kind.flag, path)));
    found
}

fn place(flag: &str, path: &Path) -> Place {
    Place::Named(format!("{flag} {}", path.display()))
}

/// Writes every file that was asked for. `false`: one could not be written; the others are.
pub(super) fn write(report: &Report, args: &OutputArgs) -> bool {
    let mut whole = true;
    for (kind, path) in args.files.wanted() {
        if let Err(error) = write_file(path, &(kind.bytes)(report)) {
            complain(&format!("atqsim: {error:#}"));
            whole = false;
        } else if let Some(lacking) = (kind.lacks)(report) {
            complain(&format!("atqsim: {} {lacking}", path.display()));
        }
    }
    whole
}

fn no_events(plans: &[Plan]) -> Option<(&'static str, &'static str)> {
    let has = |plan: &Plan| plan.cluster.is_some() || plan.limits.store.is_some() || plan.limits.transport.is_some();
    let message = "writes the event log of a cluster, of the Internet Mail Service or of a transport server, and the \
                   scenario has none";
    let remedy = "leave it out, or run a scenario with [cluster], [store] or [transport]";
    (!plans.iter().any(has)).then_some((message, remedy))
}

fn no_services(plans: &[Plan]) -> Option<(&'static str, &'static str)> {
    let none = plans.iter().all(|plan| plan.classes.is_empty());
    let message = "has a row for each service of the pool, and the scenario has none";
    none.then_some((message, "leave it out: --format json has the figures of other limits"))
}

fn no_optimizer(plans: &[Plan]) -> Option<(&'static str, &'static str)> {
    let ran = |plan: &Plan| plan.limits.store.as_ref().is_some_and(|store| store.optimizer.is_some());
    let message = "writes the log of Performance Optimizer, which runs in no variant";
    (!plans.iter().any(ran)).then_some((message, "leave it out, or set store.optimizer"))
}

fn events_cut(report: &Report) -> Option<String> {
    match events_dropped(report) {
        0 => None,
        more => Some(format!("has not the last {more} events: a log keeps its first")),
    }
}

/// The files that are written while the runs go on.
#[derive(Debug)]
pub(super) struct Streams {
    trace: Option<(PathBuf, Arc<TraceFile>)>,
    perfetto: Option<(PathBuf, Arc<PerfettoFile>, Shared)>,
}

/// A file in the making that a stream writes to and [`Streams::close`] finishes.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Option<NewFile>>>);

impl Streams {
    /// Opens them, before anything runs.
    ///
    /// # Errors
    /// Which cannot be written.
    pub(super) fn open(args: &OutputArgs) -> Result<Streams, Box<Problem>> {
        let refused = |flag, path: &Path, error: io::Error| {
            let message = format!("cannot be written: {error}");
            Box::new(Problem::error(place(flag, path), message, "name a file that can be written"))
        };
        let trace = match &args.trace {
            None => None,
            Some(path) => {
                let file = File::create(path).map_err(|error| refused("--trace", path, error))?;
                Some((path.clone(), Arc::new(TraceFile::new(Box::new(file)))))
            }
        };
        let perfetto = match &args.files.perfetto {
            None => None,
            Some(path) => {
                let file = NewFile::begin(path).map_err(|error| refused("--perfetto", path, error))?;
                let file = Shared(Arc::new(Mutex::new(Some(file))));
                let window = args.files.perfetto_window.unwrap_or((Nanos::ZERO, Nanos::MAX));
                let stream = Arc::new(PerfettoFile::new(Box::new(file.clone()), window));
                Some((path.clone(), stream, file))
            }
        };
        Ok(Streams { trace, perfetto })
    }

    /// The decision log.
    pub(super) fn trace(&self) -> Option<Arc<TraceFile>> {
        self.trace.as_ref().map(|(_, trace)| Arc::clone(trace))
    }

    /// The Perfetto trace.
    pub(super) fn perfetto(&self) -> Option<Arc<PerfettoFile>> {
        self.perfetto.as_ref().map(|(_, perfetto, _)| Arc::clone(perfetto))
    }

    /// Whether all of them are whole. A run does not end because a file of it does. Where nothing ran, an old trace stays.
    pub(super) fn close(&self, ran: bool) -> bool {
        let mut whole = true;
        if let Some((path, trace)) = &self.trace
            && let Err(error) = trace.close()
        {
            complain(&format!("atqsim: cannot write {}: {error}; the decision log ends there", path.display()));
            whole = false;
        }
        if let Some((path, perfetto, file)) = self.perfetto.as_ref().filter(|_| ran) {
            match perfetto.close().and_then(|left_out| file.finish().map(|()| left_out)) {
                Ok(left_out) if left_out.is_empty() => {}
                Ok(left_out) => complain(&format!(
                    "atqsim: {} has the first {SLICES_MOST} slices of each variant and not {}; choose a part of the time \
                     with --perfetto-window",
                    path.display(),
                    left_out.join(", ")
                )),
                Err(error) => {
                    complain(&format!("atqsim: cannot write {}: {error}", path.display()));
                    whole = false;
                }
            }
        }
        whole
    }
}

impl Shared {
    fn finish(&self) -> io::Result<()> {
        self.0.lock().take().map_or(Ok(()), NewFile::finish)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().as_mut().map_or(Ok(()), Write::flush)
    }
}
