//! What is told about a run or a comparison. One [`Report`], one file per format.
//!
//! Not arithmetic: figures come computed from `metrics` and `plan`. Knows no engine and no scenario file. Called by
//! `run` (which builds the report) and `cli` (which writes it).

pub mod explain;
mod format;
pub mod json;
#[cfg(test)]
mod sample;
mod table;
pub mod text;
pub mod threshold;
pub mod verdict;

use std::sync::Arc;

use crate::metrics::Summary;
use crate::metrics::host::{HostNoise, HostVerdict};
use crate::metrics::replicated::Replicated;
use crate::plan::Plan;
use crate::policy::dispatch::ClassCounts;

/// A run, or a comparison of several.
#[derive(Clone, Debug)]
pub struct Report {
    /// What ran: `threads` (real worker threads) or `virtual` (virtual time).
    pub engine: String,
    /// Things to know before believing it, the gravest first.
    pub notices: Vec<Notice>,
    /// One entry for each variant, in the scenario's order; at least one.
    pub variants: Vec<VariantReport>,
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
    /// The run was ended before its time by the user.
    pub interrupted: bool,
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
    /// Estimates over several independent runs; the other fields are then those of the first run.
    pub replicated: Option<Replicated>,
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

impl VariantReport {
    /// The host's verdict on this run; `None` in virtual time.
    #[must_use]
    pub fn host_verdict(&self) -> Option<(HostVerdict, Vec<String>)> {
        self.host.as_ref().map(|host| host.verdict(self.plan.starvation_after))
    }
}
