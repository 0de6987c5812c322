//! How exactly a single run knows its means: batch means, judged by the load that the run had.
//!
//! Not the rule (`metrics::trust`) and not the batches (`metrics::batches`). Called by [`super::run`].

use crate::metrics::Summary;
use crate::metrics::trust::{self, Doubt};
use crate::plan::Plan;
use crate::plan::stability::Bottleneck;
use crate::policy::dispatch::Kind;
use crate::report::MeanWait;
use crate::time::Nanos;

/// For each class, the interval of its mean wait in this run and whether to trust it.
pub(super) fn mean_waits(plan: &Plan, summary: &Summary) -> Vec<MeanWait> {
    let utilisation = utilisations(plan, summary);
    let steady = plan.load_is_steady();
    let overloads = plan.overloads();
    let overloaded = |class: usize| {
        overloads.iter().any(|overload| match overload.of {
            Bottleneck::Cap(of) => of.index() == class,
            Bottleneck::Pool | Bottleneck::Processors => true,
        })
    };
    let each = summary.classes.iter().zip(utilisation).enumerate().map(|(at, (class, utilisation))| {
        let means = &class.wait_batches;
        let doubt = match overloaded(at) {
            true => Some(Doubt::Overload),
            false if !steady => Some(Doubt::ChangingLoad),
            false => trust::of_one_run(means, utilisation, class.still_waiting, class.wait.count),
        };
        let (half_width_us, batches, items) = (means.half_width_us, means.batches, means.items);
        MeanWait { half_width_us, batches, items, utilisation, doubt }
    });
    each.collect()
}

/// For each class, the utilisation of what its items wait for: the pool, the processors, or its own ceiling.
fn utilisations(plan: &Plan, summary: &Summary) -> Vec<f64> {
    let span = summary.measured().as_secs_f64();
    if span <= 0.0 {
        return vec![0.0; summary.classes.len()];
    }
    let pool = summary.classes.iter().map(|class| class.thread_seconds).sum::<f64>() / span / f64::from(plan.pool.size);
    let cpu: f64 = plan
        .offered(Nanos::ZERO)
        .iter()
        .zip(&summary.classes)
        .filter(|(offered, _)| offered.threads() > 0.0)
        .map(|(offered, class)| {
            class.thread_seconds.min(offered.cpu_threads / offered.per_second * class.service.count as f64)
        })
        .sum();
    let processors = cpu / span / f64::from(plan.machine.processors);
    let own = |at: usize| match plan.classes[at].rule.kind {
        Kind::WorkQueue { cap, .. } => summary.classes[at].thread_seconds / span / f64::from(cap.min(plan.pool.size)),
        Kind::Requests => 0.0,
    };
    (0..summary.classes.len()).map(|at| pool.max(processors).max(own(at))).collect()
}
