//! Introduces the rooms to each other: plans to an engine, figures to a report.
//!
//! Not a format and not an engine. Called by `cli` and by tests.

mod limits;
mod notices;
mod parallel;
mod perfetto;
pub mod precision;
mod replications;
mod steadiness;
mod trace;
mod warmup;

pub use perfetto::{PerfettoFile, SLICES_MOST};
pub use replications::{Replications, replicate};
pub use trace::TraceFile;

use std::sync::Arc;

use crate::engine::control::Control;
use crate::engine::{EngineError, Interrupt, Options, RunOutput, virtual_time};
use crate::metrics::failover::ClusterFigures;
use crate::metrics::intervals::Keep;
use crate::metrics::limits::LimitFigures;
use crate::plan::Plan;
use crate::policy::decision_log::{LogLine, Trace};
use crate::report::{ClusterReport, Report, VariantReport, threshold};
use crate::time::Nanos;

/// Which engine runs a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// Real worker threads.
    #[default]
    Threads,
    /// Virtual time.
    Virtual,
}

impl EngineKind {
    /// The engine's name in every output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Threads => "threads",
            EngineKind::Virtual => "virtual",
        }
    }
}

/// How plans are to be run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Which engine.
    pub engine: EngineKind,
    /// End each run early after so many events. Virtual time only.
    pub max_events: Option<u64>,
    /// How much of what happens between two moments of the time line is kept: the page and series need the figures, a
    /// histogram log the distributions.
    pub intervals: Keep,
    /// Burn real CPU in `cpu` phases.
    pub burn_cpu: bool,
    /// Ends the runs early when set.
    pub interrupt: Interrupt,
    /// Gets the decision log of every run.
    pub trace: Option<Arc<TraceFile>>,
    /// Gets the same, and is a Perfetto trace. Of several replications it gets the first.
    pub perfetto: Option<Arc<PerfettoFile>>,
    /// Somebody's hand on the run; it serves one run, so there is to be one plan.
    pub control: Option<Arc<Control>>,
}

/// What hears the decision log of one run.
struct Listeners<'o> {
    trace: Option<&'o Arc<TraceFile>>,
    perfetto: Option<&'o Arc<PerfettoFile>>,
}

impl Listeners<'_> {
    fn of(options: &RunOptions) -> Listeners<'_> {
        Listeners { trace: options.trace.as_ref(), perfetto: options.perfetto.as_ref() }
    }

    fn begin(&self, engine: EngineKind, plan: &Plan) {
        if let Some(trace) = self.trace {
            trace.begin(engine.name(), plan);
        }
        if let Some(perfetto) = self.perfetto {
            perfetto.begin(engine, plan);
        }
    }

    fn end(&self, plan: &Plan, came: Option<&RunOutput>) {
        if let Some(trace) = self.trace {
            trace.end();
        }
        if let Some(perfetto) = self.perfetto {
            let came = came.map(|output| (&output.summary, output.failover.as_ref().map(|found| &found.cluster)));
            perfetto.end(plan, came);
        }
    }

    fn as_trace(&self) -> Option<Arc<dyn Trace>> {
        match (self.trace, self.perfetto) {
            (Some(trace), Some(perfetto)) => Some(Arc::new(Both(Arc::clone(trace), Arc::clone(perfetto)))),
            (Some(trace), None) => Some(Arc::<TraceFile>::clone(trace)),
            (None, Some(perfetto)) => Some(Arc::<PerfettoFile>::clone(perfetto)),
            (None, None) => None,
        }
    }
}

/// Two that hear the same. Both number their logs from 0 in the order in which they begin.
#[derive(Debug)]
struct Both(Arc<TraceFile>, Arc<PerfettoFile>);

impl Trace for Both {
    fn note(&self, now: Nanos, line: &LogLine) {
        self.note_of(0, now, line);
    }

    fn begins(&self, node: usize, first_number: u64) -> u32 {
        let log = self.0.begins(node, first_number);
        assert_eq!(self.1.begins(node, first_number), log, "logs are numbered in their order");
        log
    }

    fn note_of(&self, log: u32, now: Nanos, line: &LogLine) {
        self.0.note_of(log, now, line);
        self.1.note_of(log, now, line);
    }
}

/// Follows the progress of several runs. Methods are called from the thread that runs the plans.
pub trait Progress: Sync {
    /// A variant begins.
    fn begins(&self, variant: usize, plan: &Plan);
    /// Emulated time has come this far.
    fn reached(&self, variant: usize, now: Nanos);
    /// The variant is done.
    fn ends(&self, variant: usize);
    /// Of all the runs of one kind (`what`), of all variants together, so many are done. Called from any thread.
    fn together(&self, what: &'static str, done: usize, of: usize);
}

/// No progress is shown.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _: usize, _: &Plan) {}
    fn reached(&self, _: usize, _: Nanos) {}
    fn ends(&self, _: usize) {}
    fn together(&self, _: &'static str, _: usize, _: usize) {}
}

/// Runs the plans on real threads and then in virtual time, and puts the two beside each other.
#[must_use]
pub fn run_both(plans: &[Plan], options: &RunOptions, progress: &dyn Progress) -> Ran {
    let threads = RunOptions { engine: EngineKind::Threads, ..options.clone() };
    let mut ran = run(plans, &threads, progress);
    let Some(report) = &mut ran.report else { return ran };
    for (at, variant) in report.variants.iter_mut().enumerate() {
        progress.begins(at, &variant.plan);
        let reached = |now| progress.reached(at, now);
        let interrupt = options.interrupt.clone();
        let engine_options = Options { interrupt, progress: Some(&reached), ..Options::default() };
        match virtual_time::run(&variant.plan, &engine_options) {
            Ok(output) if !output.interrupted => {
                progress.ends(at);
                variant.in_virtual_time = Some(output.summary);
            }
            Ok(_) => break,
            Err(reason) => {
                ran.error = Some((variant.plan.variant.clone(), reason));
                break;
            }
        }
    }
    report.engine = "threads and virtual".to_string();
    ran
}

/// What came of running several plans: whatever was measured, and what went wrong, if something did.
#[derive(Debug)]
pub struct Ran {
    /// The report on every variant that ran; `None` if none did.
    pub report: Option<Report>,
    /// Why the variants after the reported ones did not run: the variant's name and the reason.
    pub error: Option<(String, EngineError)>,
}

impl Ran {
    /// Whether something happened that a program that relies on the figures must know: a law of the emulation was
    /// broken, or a handler panicked.
    #[must_use]
    pub fn went_wrong(&self) -> bool {
        let wrong = |v: &VariantReport| !v.summary.violations.is_empty() || v.panics > 0;
        self.error.is_some() || self.report.as_ref().is_some_and(|report| report.variants.iter().any(wrong))
    }
}

impl Ran {
    /// Whether a run ended early because its events were used up.
    #[must_use]
    pub fn out_of_events(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.variants.iter().any(|v| v.out_of_events))
    }

    /// Whether a threshold of the scenario failed.
    #[must_use]
    pub fn failed_threshold(&self) -> bool {
        let failed = |v: &VariantReport| v.asserts.iter().any(|result| !result.passed);
        self.report.as_ref().is_some_and(|report| report.variants.iter().any(failed))
    }
}

/// Runs the plans one after the other. An interrupt ends the current one and leaves the others out.
#[must_use]
pub fn run(plans: &[Plan], options: &RunOptions, progress: &dyn Progress) -> Ran {
    let prepared = match warmup::prepare(plans, options, progress) {
        Ok(Some(prepared)) => prepared,
        Ok(None) => return Ran { report: None, error: None },
        Err(error) => return Ran { report: None, error: Some(error) },
    };
    let mut variants = Vec::new();
    let mut error = None;
    let listeners = Listeners::of(options);
    for (at, plan) in prepared.plans.iter().enumerate() {
        // Whoever interrupts at once gets the report of a run that has just begun.
        if options.interrupt.is_set() && at > 0 {
            break;
        }
        progress.begins(at, plan);
        let plan = Arc::new(plan.clone());
        let reached = |now| progress.reached(at, now);
        let engine_options = Options {
            interrupt: options.interrupt.clone(),
            progress: Some(&reached),
            log_decisions: 0,
            trace: listeners.as_trace(),
            max_events: options.max_events,
            burn_cpu: options.burn_cpu,
            intervals: options.intervals,
            control: options.control.clone(),
            ..Options::default()
        };
        listeners.begin(options.engine, &plan);
        let result = limits::together(options.engine, &plan, &engine_options);
        progress.ends(at);
        listeners.end(&plan, result.as_ref().ok().map(|(output, _)| output));
        match result {
            Ok((output, figures)) => {
                variants.push(VariantReport { pilot: prepared.pilots[at], ..variant(plan, output, figures) });
            }
            Err(reason) => {
                error = Some((plan.variant.clone(), reason));
                break;
            }
        }
    }
    let report = (!variants.is_empty()).then(|| {
        let left_out: Vec<&str> = plans[variants.len()..].iter().map(|plan| plan.variant.as_str()).collect();
        let mut notices = notices::of(&variants, &left_out);
        if let Some(control) = &options.control {
            notices.extend(notices::by_hand(&variants[0].plan, &control.changes()));
            notices.sort_by_key(|notice| std::cmp::Reverse(notice.gravity));
        }
        Report { engine: options.engine.name().to_string(), notices, variants, precision: None, origin: None }
    });
    Ran { report, error }
}

fn variant(plan: Arc<Plan>, mut output: RunOutput, limits: LimitFigures) -> VariantReport {
    output.summary.violations.extend(limits.violations());
    let figures = cluster_figures(&plan, &output);
    let cluster = figures.zip(output.failover).map(|(figures, happened)| ClusterReport {
        happened,
        figures,
        over_runs: Vec::new(),
    });
    let asserts = threshold::check(&plan, &output.summary, cluster.as_ref(), None, (&limits, &[]));
    let mean_waits = steadiness::mean_waits(&plan, &output.summary);
    VariantReport {
        plan,
        asserts,
        summary: output.summary,
        counts: output.counts,
        host: output.host,
        interrupted: output.interrupted,
        out_of_events: output.out_of_events,
        threads_refused: output.threads_refused,
        panics: output.panics,
        trace_lines: output.trace_lines,
        in_virtual_time: None,
        mean_waits,
        pilot: None,
        replicated: None,
        cluster,
        limits,
        limits_over_runs: Vec::new(),
    }
}

/// Counts and times of a run's cluster, where it has one.
fn cluster_figures(plan: &Plan, output: &RunOutput) -> Option<ClusterFigures> {
    let (cluster, happened) = (plan.cluster.as_ref()?, output.failover.as_ref()?);
    let users = cluster.classes_of_users(&plan.classes);
    Some(ClusterFigures::of(happened, &output.summary, &cluster.spec, &users, &cluster.probe_class))
}
