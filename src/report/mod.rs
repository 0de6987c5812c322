//! What is told about a run or a comparison. One [`Report`], one file per format.
//!
//! Not arithmetic: figures come computed from `metrics` and `plan`. Knows no engine and no scenario file. Called by
//! `run` (which builds the report) and `cli` (which writes it).

mod blocks;
pub mod events_csv;
pub mod explain;
mod format;
pub mod hlog;
pub mod html;
pub mod json;
pub mod perfetto;
pub mod perfmon_csv;
pub mod perfopt_log;
#[cfg(test)]
mod sample;
pub mod series_csv;
pub mod summary_csv;
mod table;
pub mod text;
pub mod threshold;
pub mod verdict;

use std::sync::Arc;

use crate::metrics::Summary;
use crate::metrics::failover::{ClusterFigures, FailoverSummary, OverRuns};
use crate::metrics::host::{HostNoise, HostVerdict};
use crate::metrics::limits::LimitFigures;
use crate::metrics::replicated::Replicated;
use crate::metrics::trust::Doubt;
use crate::plan::Plan;
use crate::plan::cluster::ClusterPlan;
use crate::policy::dispatch::ClassCounts;
use crate::time::Nanos;

/// A run, or a comparison of several.
#[derive(Clone, Debug)]
pub struct Report {
    /// What ran: `threads` (real worker threads) or `virtual` (virtual time).
    pub engine: String,
    /// Things to know before believing it, the gravest first.
    pub notices: Vec<Notice>,
    /// One entry for each variant, in the scenario's order; at least one.
    pub variants: Vec<VariantReport>,
    /// How tight intervals were to become, and whether they did; only where that was asked for.
    pub precision: Option<Precision>,
    /// What it takes to run it again, where that is known.
    pub origin: Option<Origin>,
}

/// What a report was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The command, as a shell reads it.
    pub command: String,
    /// The scenario as it was read, before the command's changes.
    pub text: String,
}

/// What came of the wish for tight intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Precision {
    /// Half the width of an interval was to be at most this share of the mean; in (0, 1].
    pub asked: f64,
    /// The figures that were asked about, as a threshold names them: `pop3.wait.mean`.
    pub figures: Vec<String>,
    /// Runs of each variant that were made for it.
    pub runs: u64,
    /// The most that were allowed.
    pub most: u64,
    /// The figures that are not tight enough, by variant, with what they came to; empty: it was reached.
    pub wide: Vec<Wide>,
    /// Figures that were zero in every run of a variant: a share of zero says nothing of them. (Variant, figure.)
    pub zero: Vec<(String, String)>,
}

/// A figure whose interval is wider than was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wide {
    /// The variant's name.
    pub variant: String,
    /// The figure, as a threshold names it.
    pub figure: String,
    /// Half the width of its interval as a share of its mean.
    pub relative: f64,
}

/// What the pilot runs of a variant said about its warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pilot {
    /// How many there were.
    pub runs: u32,
    /// Length of the stretches over which the items in the system were averaged.
    pub bin: Nanos,
    /// What was found.
    pub found: Settling,
}

/// Whether the items in the system settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// From then on they do.
    After(Nanos),
    /// Not within the first half of the run.
    Never,
    /// The open load is more than the pool can carry, so they cannot.
    Overloaded,
}

/// How exactly a single run knows the mean wait of a service: its batch means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanWait {
    /// Half the width of its 95 % confidence interval, in microseconds; `None` where there are too few items for any.
    pub half_width_us: Option<f64>,
    /// Batches behind it.
    pub batches: u32,
    /// Items in each.
    pub items: u64,
    /// The utilisation by which their length is judged: of the pool, the processors or the service's own ceiling,
    /// whichever is used most.
    pub utilisation: f64,
    /// Why the interval is not to be trusted, if that is so.
    pub doubt: Option<Doubt>,
}

/// One variant and what came out.
#[derive(Clone, Debug)]
pub struct VariantReport {
    /// What was run.
    pub plan: Arc<Plan>,
    /// What came out.
    pub summary: Summary,
    /// What the policy counted, by class, at the end.
    pub counts: Vec<ClassCounts>,
    /// How well the host kept the clock; only on real threads.
    pub host: Option<HostNoise>,
    /// The run was ended before its time.
    pub interrupted: bool,
    /// It was so because its budget of events was used up.
    pub out_of_events: bool,
    /// Threads that the system refused to create.
    pub threads_refused: u32,
    /// Items whose handler panicked.
    pub panics: u64,
    /// Log rows used and skipped, one line each, where the load was a log.
    pub trace_lines: Vec<String>,
    /// The thresholds of the plan, compared with the figures.
    pub asserts: Vec<threshold::AssertResult>,
    /// The same plan's figures in virtual time, where both engines ran: what the real threads are compared with.
    pub in_virtual_time: Option<Summary>,
    /// For each class, how exactly this run alone knows its mean wait.
    pub mean_waits: Vec<MeanWait>,
    /// What the pilot runs said, where the warm-up was to be chosen.
    pub pilot: Option<Pilot>,
    /// Estimates over several independent runs; the other fields are then those of the first run.
    pub replicated: Option<Replicated>,
    /// What became of the cluster, where the plan has one.
    pub cluster: Option<ClusterReport>,
    /// What became of the limits beside the pool.
    pub limits: LimitFigures,
    /// Estimates of its figures over several runs; empty where there was one.
    pub limits_over_runs: Vec<OverRuns>,
}

/// What became of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterReport {
    /// The log, the time line, and what was lost.
    pub happened: FailoverSummary,
    /// Counts and times.
    pub figures: ClusterFigures,
    /// Estimates over several independent runs; empty where there was one.
    pub over_runs: Vec<OverRuns>,
}

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Worth knowing.
    Note,
    /// Weakens what the figures say.
    Warning,
    /// The figures must not be used as they are.
    Grave,
}

impl Gravity {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Gravity::Note => "note",
            Gravity::Warning => "warning",
            Gravity::Grave => "grave",
        }
    }
}

/// A thing to know before believing the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How grave it is.
    pub gravity: Gravity,
    /// A short stable name for programs: `host-clean`, `host-noisy`, `interrupted`, `threads-refused`, ...
    pub code: String,
    /// What is so, in one sentence.
    pub text: String,
    /// What to do about it; may be empty.
    pub remedy: String,
}

/// What files of virtual time have as the moment at which a run began, so that equal runs are equal bytes: the begin of
/// the day on which KB 281868 was last reviewed (2005-04-28, UTC).
pub const VIRTUAL_BEGIN: Nanos = Nanos::from_secs(1_114_646_400);

impl Report {
    /// Whether some variant has a service that the pool's threads serve; a scenario may be about other limits alone.
    #[must_use]
    pub fn has_services(&self) -> bool {
        self.variants.iter().any(|variant| !variant.plan.classes.is_empty())
    }

    /// When the runs began for files that need a calendar, since the begin of 1970 (UTC): on real threads the moment at
    /// which the first variant did. All variants count from it, so that they lie over one another.
    #[must_use]
    pub fn began(&self) -> Nanos {
        let host = self.variants.first().and_then(|variant| variant.host.as_ref());
        host.map_or(VIRTUAL_BEGIN, |host| host.began)
    }
}

impl VariantReport {
    /// The cluster's plan with what became of it, where there is one.
    #[must_use]
    pub fn on_cluster(&self) -> Option<(&ClusterPlan, &ClusterReport)> {
        Some((self.plan.cluster.as_deref()?, self.cluster.as_ref()?))
    }

    /// The host's verdict on this run; `None` in virtual time.
    #[must_use]
    pub fn host_verdict(&self) -> Option<(HostVerdict, Vec<String>)> {
        self.host.as_ref().map(|host| host.verdict(self.plan.starvation_after))
    }
}
