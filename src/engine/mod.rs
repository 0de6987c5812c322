//! The two engines that make a plan happen: real worker threads, and virtual time; and a twin that repeats a run.
//!
//! Both drive the same policy (`Dispatch`), the same load (`Workload`) and the same memory (`Metrics`), kept together on
//! the *floor* (`floor.rs`); an engine only says when things happen. Not a report and not a file format: an engine
//! prints nothing. Called by `run`.

pub mod control;
mod crowd;
mod floor;
mod hosting;
pub mod limits;
pub mod live;
pub mod observer;
pub mod recording;
pub mod threaded;
pub mod twin;
pub mod virtual_time;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::metrics::Summary;
use crate::metrics::failover::FailoverSummary;
use crate::metrics::host::HostNoise;
use crate::metrics::intervals::Keep;
use crate::policy::decision_log::{DecisionLog, Trace};
use crate::policy::dispatch::ClassCounts;
use crate::problem::Problem;
use crate::time::Nanos;

/// What came out of one run.
#[derive(Debug)]
pub struct RunOutput {
    /// The figures.
    pub summary: Summary,
    /// What the policy counted at the end, by class; of all nodes together.
    pub counts: Vec<ClassCounts>,
    /// What the cluster did, where there is one.
    pub failover: Option<FailoverSummary>,
    /// How well the host kept the clock; only on real threads.
    pub host: Option<HostNoise>,
    /// The run was ended before its time.
    pub interrupted: bool,
    /// It was so because [`Options::max_events`] were used up.
    pub out_of_events: bool,
    /// Threads that the system refused to create.
    pub threads_refused: u32,
    /// Items whose handler panicked.
    pub panics: u64,
    /// Rows of logs used and skipped, one line each.
    pub trace_lines: Vec<String>,
    /// The decision log, where one was asked for. A cluster has one for each node, which only a [`Trace`] gets.
    pub log: Option<DecisionLog>,
}

/// Why a plan could not be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// More real threads than the engine creates. Remedy: a smaller `PoolThreadLimit`, or virtual time.
    #[error(
        "the pool has {size} threads, and real threads are created up to {ceiling}; set PoolThreadLimit to {ceiling} or less"
    )]
    TooManyThreads {
        /// The pool's size.
        size: u32,
        /// The most that this engine creates.
        ceiling: u32,
    },
    /// The store has more threads than real ones are created. Remedy: a smaller `Max Threads`, or virtual time.
    #[error(
        "the store has {size} threads, and real threads are created up to {ceiling}; set Max Threads(Private+Public) to {ceiling} or less, or use --engine virtual"
    )]
    TooManyStoreThreads {
        /// `Max Threads(Private+Public)`.
        size: u32,
        /// The most that this engine creates.
        ceiling: u32,
    },
    /// The store driver has more threads than real ones are created. Remedy: smaller options, or virtual time.
    #[error(
        "the store driver has {size} threads, and real threads are created up to {ceiling}; set MaxConcurrentMailboxDeliveries and MaxConcurrentMailboxSubmissions to {ceiling} or less together, or use --engine virtual"
    )]
    TooManyTransportThreads {
        /// `MaxConcurrentMailboxDeliveries` and `MaxConcurrentMailboxSubmissions` together.
        size: u32,
        /// The most that this engine creates.
        ceiling: u32,
    },
    /// The address space that the process may use does not hold the stacks. Remedy: raise it, or a smaller pool.
    #[error(
        "{size} threads need about {needed_mb} MiB of address space, and the process may use {limit_mb} MiB (ulimit -v); raise the limit"
    )]
    AddressSpace {
        /// The pool's size.
        size: u32,
        /// What they need, in MiB.
        needed_mb: u64,
        /// What is allowed, in MiB.
        limit_mb: u64,
    },
    /// The system refused the first thread. Remedy: raise its limit on threads.
    #[error("the system refuses to create any thread; raise the limit on threads (ulimit -u)")]
    NoThreads,
    /// `--burn-cpu` wants more processors than there are. Remedy: a lower speed or fewer emulated processors.
    #[error(
        "burning real CPU for {processors} emulated processors at speed {speed} needs {needed} host processors, and there are {host}; lower --speed to {most} or less, or leave --burn-cpu out"
    )]
    TooFewProcessors {
        /// Emulated processors.
        processors: u32,
        /// Speed, as text.
        speed: String,
        /// Processors needed.
        needed: String,
        /// Processors of the host.
        host: u32,
        /// The highest speed that the host can hold.
        most: String,
    },
    /// A log of the load cannot be read. Remedies: in the problems.
    #[error("the load cannot be read: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Load(Vec<Problem>),
    /// The load never lets time go on: items of no service time follow each other for ever. Remedy: give the service or
    /// the pause a length.
    #[error(
        "time stands still at {at}: items without any service time follow one another for ever; give the service or the pause a length"
    )]
    TimeStandsStill {
        /// Where.
        at: Nanos,
    },
}

/// A wish to end early, shared with signal handlers.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(pub Arc<AtomicBool>);

impl Interrupt {
    /// Whether the run is to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        // Ordering: Relaxed; the flag alone is the message, no other memory is read on the strength of it.
        self.0.load(Ordering::Relaxed)
    }
}

/// What a run is asked for beside its plan.
#[derive(Default)]
pub struct Options<'a> {
    /// Ends the run early when set.
    pub interrupt: Interrupt,
    /// Told the emulated time now and then.
    pub progress: Option<&'a (dyn Fn(Nanos) + Sync)>,
    /// Keep the first lines of the decision log; 0 for none.
    pub log_decisions: usize,
    /// Gets every line of the decision log as it comes.
    pub trace: Option<Arc<dyn Trace>>,
    /// End the run early after so many events. Virtual time only.
    pub max_events: Option<u64>,
    /// How much of what happens between two moments of the time line is kept.
    pub intervals: Keep,
    /// Burn real CPU in `cpu` phases instead of only holding an emulated processor. Real threads only.
    pub burn_cpu: bool,
    /// Hears of every item. Real threads and twins; `virtual_time::observe` takes its observer itself. The recorder
    /// must be the `trace` too.
    pub recorder: Option<Arc<recording::Recorder>>,
    /// Somebody's hand on the run.
    pub control: Option<Arc<control::Control>>,
}

impl Options<'_> {
    /// Who gets every line of the decision log.
    fn listener(&self) -> Option<Arc<dyn Trace>> {
        let live = || self.control.as_ref().map(|control| Arc::clone(control.live()) as Arc<dyn Trace>);
        self.trace.clone().or_else(live)
    }

    /// Who hears of every item, where somebody watches.
    fn watcher(&self) -> Option<Box<dyn observer::Observer>> {
        self.control.as_ref().map(|control| control.live().observer())
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("log_decisions", &self.log_decisions).finish_non_exhaustive()
    }
}
