//! Parity of a cluster: what happened on real threads beside what happened in virtual time, on scaled time.
//!
//! A cluster has no twin (`engine::twin` lives one node's run again), so nothing separates the engine from the host here.
//! What is judged is what cannot be luck: no law is broken, and where nothing fails in virtual time nothing fails on real
//! threads. An overloaded cluster is chaotic: which probe finds a thread decides what moves, so its counts are shown and
//! not judged. Called by `cli` and tests.

use std::fmt::Write;
use std::sync::Arc;

use crate::engine::{EngineError, Interrupt, Options, RunOutput, threaded, virtual_time};
use crate::metrics::failover::ClusterFigures;
use crate::metrics::host::{HostNoise, HostVerdict};
use crate::plan::Plan;
use crate::time::Nanos;

/// One plan of a cluster, compared.
#[derive(Debug)]
pub struct ComparedCluster {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What the host did.
    pub host: HostNoise,
    /// The figures of the cluster on real threads, then in virtual time.
    pub figures: [ClusterFigures; 2],
    /// Broken laws, refused threads, and failures where there are to be none.
    pub troubles: Vec<String>,
}

impl ComparedCluster {
    /// Whether the engine is shown to be wrong.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.troubles.is_empty()
    }

    /// Whether the host did not hold the speed.
    #[must_use]
    pub fn not_held(&self) -> bool {
        self.host.verdict(self.plan.starvation_after).0 == HostVerdict::Unusable
    }
}

/// Runs a cluster's plan twice and compares. `None`: interrupted.
///
/// # Errors
/// [`EngineError`] of any of the runs.
pub fn compare(
    plan: &Arc<Plan>,
    interrupt: &Interrupt,
    progress: &(dyn Fn(Nanos) + Sync),
) -> Result<Option<ComparedCluster>, EngineError> {
    let quiet = || Options { interrupt: interrupt.clone(), ..Options::default() };
    let in_virtual_time = virtual_time::run(plan, &quiet())?;
    let real = threaded::run(plan, &Options { progress: Some(progress), ..quiet() })?;
    Ok((!interrupt.is_set()).then(|| compared(plan, &real, &in_virtual_time)))
}

fn compared(plan: &Arc<Plan>, real: &RunOutput, in_virtual_time: &RunOutput) -> ComparedCluster {
    let figures = [real, in_virtual_time].map(|run| figures(plan, run));
    let mut troubles = Vec::new();
    for (run, name) in [(real, "real threads"), (in_virtual_time, "virtual time")] {
        troubles.extend(run.summary.violations.iter().map(|broken| format!("{name}: {broken}")));
    }
    if real.threads_refused > 0 {
        troubles.push(format!("the system refused {} threads", real.threads_refused));
    }
    let host = real.host.clone().unwrap_or_default();
    let held = host.verdict(plan.starvation_after).0 != HostVerdict::Unusable;
    if held && figures[1].failures == 0 && figures[0].failures > 0 {
        troubles.push(format!("{} failures on real threads, none in virtual time", figures[0].failures));
    }
    ComparedCluster { plan: Arc::clone(plan), host, figures, troubles }
}

fn figures(plan: &Plan, run: &RunOutput) -> ClusterFigures {
    let cluster = plan.cluster.as_ref().expect("the plan of a cluster");
    let happened = run.failover.as_ref().expect("a cluster's run says what happened");
    let users = cluster.classes_of_users(&plan.classes);
    ClusterFigures::of(happened, &run.summary, &cluster.spec, &users, &cluster.probe_class)
}

/// The comparison as text.
#[must_use]
pub fn block(compared: &ComparedCluster) -> String {
    let plan = &compared.plan;
    let mut text = format!("{}, {}, speed {}: a cluster, without a twin\n", plan.file, plan.variant, plan.speed);
    let (word, reasons) = compared.host.verdict(plan.starvation_after);
    let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    let _ = writeln!(text, "  host     {}{reasons}", word.word());
    for trouble in &compared.troubles {
        let _ = writeln!(text, "  FAILED   {trouble}");
    }
    let [real, in_virtual_time] = &compared.figures;
    let _ = writeln!(text, "  {:<32} {:>12} {:>12}", "", "real", "virtual");
    for ((name, real), (_, in_virtual_time)) in real.listed().iter().zip(&in_virtual_time.listed()) {
        let _ = writeln!(text, "  {name:<32} {real:>12.1} {in_virtual_time:>12.1}");
    }
    text + "\n"
}
