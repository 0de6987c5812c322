//! The numbers behind the page's charts, as `page.js` reads them.
//!
//! Waits are in microseconds, moments in seconds, threads and items are counts or averages. Not a format for other
//! programs: that is the JSON report. Called by `html`.

use serde::Serialize;

use super::super::json::cluster::{Lane, lanes};
use super::super::text::replications::{MAIN, estimates};
use super::super::text::{active, class_id};
use super::super::{Report, VariantReport};
use super::limits::{OfDomains, OfStore, of_domains, of_store};
use super::transport::{OfTransport, of_transport};
use crate::ids::ClassId;
use crate::metrics::intervals::ClassInterval;
use crate::metrics::latency::PERCENTILES;
use crate::metrics::replicated::figure;
use crate::plan::Role;
use crate::time::Nanos;

#[derive(Serialize)]
pub(super) struct Data {
    /// The percentiles of `Service::percentiles`, in percent.
    percentiles: Vec<f64>,
    services: Vec<Name>,
    variants: Vec<Variant>,
    estimates: Vec<Figure>,
}

#[derive(Serialize)]
struct Name {
    name: String,
    /// A protocol: users wait for it.
    protocol: bool,
}

#[derive(Serialize)]
struct Variant {
    name: String,
    end: f64,
    /// Threads of the pool; in a cluster those of all nodes.
    pool: u64,
    nodes: usize,
    /// What one heavy queue may hold, and all of them together; nothing in a cluster, where each node has its own.
    ceiling: Option<u32>,
    ceilings: Option<u32>,
    from: Vec<f64>,
    to: Vec<f64>,
    live: Vec<u32>,
    services: Vec<Option<Service>>,
    lanes: Vec<Lane>,
    store: Option<OfStore>,
    domains: Option<OfDomains>,
    transport: Option<OfTransport>,
}

#[derive(Serialize, Default)]
struct Service {
    arrivals: Vec<u64>,
    served: Vec<u64>,
    gave_up: Vec<u64>,
    mean: Vec<Option<f64>>,
    p50: Vec<Option<u64>>,
    p99: Vec<Option<u64>>,
    max: Vec<Option<u64>>,
    oldest: Vec<u64>,
    busy: Vec<f64>,
    waiting: Vec<f64>,
    /// Begin and end of each starved time that is kept in full.
    episodes: Vec<(f64, f64)>,
    episodes_more: u64,
    percentiles: Vec<Option<u64>>,
}

/// A figure over several runs, of every service in every variant.
#[derive(Serialize)]
struct Figure {
    label: &'static str,
    name: &'static str,
    /// By service, then variant: mean and half of the 95 % interval.
    of: Vec<Vec<Option<(f64, f64)>>>,
}

impl Data {
    pub(super) fn of(report: &Report) -> Data {
        let names = active(report);
        let role = |name: &str| {
            let of = |v: &VariantReport| class_id(v, name).map(|id| v.plan.classes[id.index()].role);
            report.variants.iter().find_map(of)
        };
        Data {
            percentiles: PERCENTILES.iter().map(|quantile| quantile * 100.0).collect(),
            services: names
                .iter()
                .map(|name| Name { name: name.to_string(), protocol: role(name) == Some(Role::Protocol) })
                .collect(),
            variants: report.variants.iter().map(|found| variant(found, &names)).collect(),
            estimates: figures(report, &names),
        }
    }
}

fn variant(found: &VariantReport, names: &[&str]) -> Variant {
    let (plan, summary) = (&found.plan, &found.summary);
    let heavy = plan.cluster.is_none().then_some(&plan.pool);
    let (pool, nodes) = match &plan.cluster {
        None => (u64::from(plan.pool.size), 1),
        Some(cluster) => (cluster.nodes.iter().map(|node| u64::from(node.pool.size)).sum(), cluster.nodes.len()),
    };
    let live = summary.timeline.iter().map(|moment| moment.live_threads);
    Variant {
        name: plan.variant.clone(),
        end: summary.end.as_secs_f64(),
        pool,
        nodes,
        ceiling: heavy.filter(|pool| pool.heavy_queues > 0).map(|pool| pool.heavy_queue_cap),
        ceilings: heavy.filter(|pool| pool.heavy_queues > 1).map(|pool| pool.heavy_request_total),
        from: summary.intervals.iter().map(|interval| short(interval.from.as_secs_f64())).collect(),
        to: summary.intervals.iter().map(|interval| short(interval.to.as_secs_f64())).collect(),
        live: live.take(summary.intervals.len()).collect(),
        services: names.iter().map(|name| class_id(found, name).map(|id| service(found, id))).collect(),
        lanes: found.on_cluster().map_or(Vec::new(), |(plan, found)| lanes(plan, found)),
        store: of_store(found),
        domains: of_domains(found),
        transport: of_transport(found),
    }
}

fn service(found: &VariantReport, id: ClassId) -> Service {
    let (summary, class) = (&found.summary, &found.summary.classes[id.index()]);
    let merged = found.replicated.as_ref().and_then(|replicated| replicated.merged_recorded.get(id.index()));
    let percentiles = merged.unwrap_or(&class.wait_recorded).percentiles();
    let mut out = Service {
        episodes: class.episodes.iter().map(|e| (e.start.as_secs_f64(), (e.start + e.length).as_secs_f64())).collect(),
        episodes_more: class.episode_count - class.episodes.len() as u64,
        percentiles: percentiles.into_iter().map(|value| value.map(Nanos::as_micros)).collect(),
        ..Service::default()
    };
    for (interval, moment) in summary.intervals.iter().zip(&summary.timeline) {
        let own: &ClassInterval = &interval.classes[id.index()];
        let [p50, _, p99, _] = own.wait.quantiles().map(Nanos::as_micros);
        let some = |value: u64| (own.wait.count() > 0).then_some(value);
        out.arrivals.push(own.arrivals);
        out.served.push(own.outcomes.served);
        out.gave_up.push(own.outcomes.gave_up);
        out.mean.push(own.wait.mean_us().map(short));
        out.p50.push(some(p50));
        out.p99.push(some(p99));
        out.max.push(some(own.wait.max().as_micros()));
        out.oldest.push(moment.classes[id.index()].2.as_micros());
        out.busy.push(short(own.busy_mean));
        out.waiting.push(short(own.waiting_mean));
    }
    out
}

/// Three digits after the point: a chart shows no more, and the page is half as long.
pub(super) fn short(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn figures(report: &Report, names: &[&str]) -> Vec<Figure> {
    if report.variants.iter().all(|variant| variant.replicated.is_none()) {
        return Vec::new();
    }
    let each = MAIN.iter().map(|&(label, name)| Figure {
        label,
        name,
        of: names
            .iter()
            .map(|service| {
                let of = |v: &VariantReport| {
                    let estimate = &estimates(v, service)?.own[figure(name)];
                    Some((estimate.mean, estimate.half_width))
                };
                report.variants.iter().map(of).collect()
            })
            .collect(),
    });
    each.collect()
}
