//! The figures of every service as CSV: one row a variant and service.
//!
//! Every number that the JSON report has of a service, under names made of the JSON's, and beside them the estimates over
//! several runs where there were some. Not the time line (`series_csv`). Called by `cli`. The columns are described in
//! `docs/files.md`.

use super::format::Cell;
use super::{Report, VariantReport};
use crate::ids::ClassId;
use crate::metrics::ClassSummary;
use crate::metrics::derived::pool_share;
use crate::metrics::latency::LatencySummary;
use crate::metrics::replicated::FIGURES;
use crate::metrics::trust::Doubt;
use crate::policy::dispatch::Kind;

/// The file. A figure that does not exist is an empty field.
///
/// # Panics
/// Never: memory takes what is written.
#[must_use]
pub fn summary_csv(report: &Report) -> Vec<u8> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    let mut headed = false;
    for variant in &report.variants {
        for at in 0..variant.summary.classes.len() {
            let row = row(report, variant, ClassId(at as u16));
            if !std::mem::replace(&mut headed, true) {
                rows.write_record(row.iter().map(|(name, _)| name)).expect("memory takes what is written");
            }
            rows.write_record(row.iter().map(|(_, cell)| cell.text())).expect("all rows are as long");
        }
    }
    rows.into_inner().expect("memory takes what is written")
}

/// The columns with their names.
fn row(report: &Report, variant: &VariantReport, id: ClassId) -> Vec<(String, Cell)> {
    let plan = &variant.plan;
    let class = &variant.summary.classes[id.index()];
    let runs = variant.replicated.as_ref().map_or(1, |replicated| replicated.seeds.len());
    let mut row = Row(Vec::new());
    row.add("variant", plan.variant.as_str());
    row.add("service", plan.class_name(id));
    row.add("role", plan.classes[id.index()].role.word());
    row.add("engine", report.engine.as_str());
    row.add("seed", plan.seed);
    row.add("runs", runs as u64);
    row.add("end_s", variant.summary.end);
    row.add("measured_s", variant.summary.measured());
    row.add("pool_size", u64::from(plan.pool.size));
    row.add("cap", cap(variant, id));
    row.add("live_threads_max", u64::from(variant.summary.live_threads_max));
    row.outcomes(class);
    row.latency("wait", &class.wait);
    row.interval(variant, id);
    row.latency("served_wait", &class.started_wait);
    row.latency("gave_up_wait", &class.gave_up_wait);
    row.latency("service", &class.service);
    row.starvation_and_threads(variant, class);
    let counts = variant.counts.get(id.index()).copied().unwrap_or_default();
    row.add("requested", u64::from(counts.requested));
    row.add("granted", u64::from(counts.granted));
    row.add("stale_grants", counts.stale_grants);
    row.estimates(variant, id);
    row.0
}

/// The ceiling of a queue; nothing for a service of requests.
fn cap(variant: &VariantReport, id: ClassId) -> Option<u64> {
    match variant.plan.classes[id.index()].rule.kind {
        Kind::WorkQueue { cap, .. } => Some(u64::from(cap)),
        Kind::Requests => None,
    }
}

struct Row(Vec<(String, Cell)>);

impl Row {
    fn add(&mut self, name: &str, value: impl Into<Cell>) {
        self.0.push((name.to_string(), value.into()));
    }

    fn outcomes(&mut self, class: &ClassSummary) {
        self.add("arrivals", class.arrivals);
        self.add("served", class.outcomes.served);
        self.add("gave_up", class.outcomes.gave_up);
        self.add("refused", class.outcomes.refused);
        self.add("lost", class.outcomes.lost);
        self.add("cut", class.outcomes.cut);
        self.add("unreachable", class.outcomes.unreachable);
        self.add("unfinished", class.outcomes.unfinished);
    }

    /// A mean or quantile of no items is no figure.
    fn latency(&mut self, name: &str, l: &LatencySummary) {
        let some = l.count > 0;
        self.add(&format!("{name}_count"), l.count);
        self.add(&format!("{name}_mean_us"), some.then_some(l.mean_us));
        for (quantile, value) in [("p50", l.p50), ("p90", l.p90), ("p99", l.p99), ("p999", l.p999), ("max", l.max)] {
            self.add(&format!("{name}_{quantile}_us"), some.then_some(Cell::micros(value)));
        }
    }

    fn interval(&mut self, variant: &VariantReport, id: ClassId) {
        let found = variant.mean_waits.get(id.index());
        self.add("wait_mean_half_width_us", found.and_then(|found| found.half_width_us));
        self.add("wait_mean_batches", found.map(|found| u64::from(found.batches)));
        self.add("wait_mean_batch_items", found.map(|found| found.items));
        self.add("wait_mean_doubt", found.and_then(|found| found.doubt).map_or("", Doubt::word));
        self.add("utilisation", found.map(|found| found.utilisation));
    }

    fn starvation_and_threads(&mut self, variant: &VariantReport, class: &ClassSummary) {
        self.add("starved_percent", class.starved_percent);
        self.add("shut_out_percent", class.shut_out_percent);
        self.add("starved_s", class.starved);
        self.add("shut_out_s", class.shut_out);
        self.add("episode_count", class.episode_count);
        self.add("longest_episode_s", class.longest_episode);
        self.add("thread_seconds", class.thread_seconds);
        self.add("pool_percent", pool_share(class, variant.plan.pool.size, variant.summary.measured()));
        self.add("busy_max", u64::from(class.busy_max));
        self.add("waiting_max", class.waiting_max);
        self.add("mean_waiting", class.mean_waiting);
        self.add("waiting_trend_per_hour", class.waiting_trend_per_hour);
        self.add("still_waiting", class.still_waiting);
        self.add("oldest_waiting_s", class.oldest_waiting);
    }

    /// Mean, half width of its 95 % interval, and why not to trust that, over all runs; empty where there was one.
    fn estimates(&mut self, variant: &VariantReport, id: ClassId) {
        let found = variant.replicated.as_ref().map(|replicated| &replicated.services[id.index()].own);
        for (at, figure) in FIGURES.iter().enumerate() {
            let estimate = found.map(|own| own[at]);
            self.add(&format!("runs_{}_mean", figure.name), estimate.map(|estimate| estimate.mean));
            self.add(&format!("runs_{}_half_width", figure.name), estimate.map(|estimate| estimate.half_width));
            let doubt = estimate.and_then(|estimate| estimate.doubt).map_or("", Doubt::word);
            self.add(&format!("runs_{}_doubt", figure.name), doubt);
        }
    }
}
