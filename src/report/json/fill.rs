//! From a report to the shape of its JSON.
//!
//! Not the shape (`wire`) and not the writing (`json`). Unit conversion only: seconds and microseconds from [`Nanos`].

use super::super::threshold::AssertResult;
use super::super::verdict::{VariantVerdict, per_variant, sentence};
use super::super::{MeanWait, Pilot, Precision, Report, Settling, VariantReport};
use super::wire::{self, Finite, Map};
use crate::ids::{ClassId, SourceId};
use crate::metrics::agreement::{Pair, agreement};
use crate::metrics::derived::pool_share;
use crate::metrics::host::{HostNoise, Spread};
use crate::metrics::latency::LatencySummary;
use crate::metrics::replicated::{Estimate, Estimates, FIGURES, Figure, JOURNEY_FIGURES, RUN_FIGURES, Replicated};
use crate::metrics::starvation::Episode;
use crate::metrics::trust::Doubt;
use crate::metrics::{ClassSummary, Holder, Summary, shares};
use crate::plan::threshold::Unit;
use crate::plan::{Plan, Warmup};
use crate::time::Nanos;

/// The whole document. What all variants share is told once, from the first.
pub(super) fn document(report: &Report) -> wire::Document {
    let plan = report.variants.first().map(|variant| &variant.plan);
    let of = |get: fn(&Plan) -> String| plan.map(|plan| get(plan)).unwrap_or_default();
    let time = |get: fn(&Plan) -> Nanos| seconds(plan.map(|plan| get(plan)).unwrap_or_default());
    wire::Document {
        schema: super::SCHEMA,
        program_version: env!("CARGO_PKG_VERSION"),
        scenario: wire::Scenario { title: of(|p| p.title.clone()), file: of(|p| p.file.clone()) },
        engine: report.engine.clone(),
        seed: plan.map_or(0, |p| p.seed),
        speed: Finite(plan.map_or(0.0, |p| p.speed)),
        duration_s: time(|p| p.duration),
        starvation_after_s: time(|p| p.starvation_after),
        interrupted: report.variants.iter().any(|v| v.interrupted),
        verdict: sentence(report),
        notices: report.notices.iter().map(notice).collect(),
        assumptions: plan.map(|p| assumptions(p)).unwrap_or_default(),
        variants: report.variants.iter().zip(per_variant(report)).map(|(v, verdict)| variant(v, verdict)).collect(),
        precision: report.precision.as_ref().map(precision),
    }
}

fn notice(notice: &super::super::Notice) -> wire::Notice {
    let gravity = notice.gravity.word();
    let (code, text, remedy) = (notice.code.clone(), notice.text.clone(), notice.remedy.clone());
    wire::Notice { gravity, code, text, remedy }
}

fn assumptions(plan: &Plan) -> Vec<wire::Assumption> {
    let list = plan.assumption_list().into_iter().map(|a| wire::Assumption {
        name: a.name,
        value: a.value,
        choices: a.choices,
        why: a.why,
        source: a.source,
    });
    list.collect()
}

fn variant(variant: &VariantReport, verdict: VariantVerdict) -> wire::Variant {
    let (plan, summary) = (&variant.plan, &variant.summary);
    let registry = plan.registry.iter().map(|(id, setting)| wire::RegistryValue {
        name: id.value().name,
        key: id.value().key,
        data: setting.data,
        origin: setting.origin(),
    });
    let services = summary.classes.iter().enumerate().map(|(at, class)| {
        let id = ClassId(at as u16);
        (plan.class_name(id).to_string(), service(variant, id, class))
    });
    let journeys = summary.journeys.iter().map(|j| {
        let journeys = wire::Journeys { completed: j.completed, cut: j.cut, total_us: latency(&j.total) };
        (plan.source_name(j.source).to_string(), journeys)
    });
    wire::Variant {
        name: plan.variant.clone(),
        verdict: wire::Verdict { state: verdict.state.word(), settings: verdict.settings, text: verdict.text },
        registry: registry.collect(),
        machine: wire::Machine {
            processors: plan.machine.processors,
            memory_mb: plan.machine.memory_mb,
            smtp_virtual_servers: plan.machine.smtp_virtual_servers,
        },
        pool: pool(plan),
        assumptions: Map(plan.assumption_list().into_iter().map(|a| (a.name.to_string(), a.value)).collect()),
        services: Map(services.collect()),
        journeys: Map(journeys.collect()),
        asserts: variant.asserts.iter().map(assert).collect(),
        host: variant.host.as_ref().map(|noise| host(noise, plan.starvation_after)),
        end_s: seconds(summary.end),
        warmup: warmup(variant),
        live_threads_max: summary.live_threads_max,
        threads_refused: variant.threads_refused,
        panics: variant.panics,
        timeline: timeline(variant),
        interrupted: variant.interrupted,
        trace: variant.trace_lines.clone(),
        violations: summary.violations.clone(),
        replications: variant.replicated.as_ref().map(|replicated| replications(plan, replicated)),
        agreement: variant.in_virtual_time.as_ref().map(|theirs| agreements(plan, summary, theirs)),
        cluster: variant.on_cluster().map(|(plan, found)| super::cluster::cluster(plan, found)),
        store: super::limits::store(variant),
        domains: super::limits::domains(variant),
        transport: super::transport::transport(variant),
    }
}

fn assert(result: &AssertResult) -> wire::Assert {
    let (unit, factor) = match result.unit {
        Unit::Percent => ("percent", 1.0),
        Unit::Time => ("us", 1e-3),
        Unit::Count => ("count", 1.0),
        Unit::ThreadSeconds => ("thread-s", 1.0),
    };
    let number = |value: f64| Finite(value * factor);
    wire::Assert {
        text: result.text.clone(),
        why: result.why.clone(),
        service: result.service.clone(),
        operator: result.relation.to_string(),
        allowed: number(result.allowed),
        found: result.found.map(number),
        interval: result.interval.map(|(low, high)| vec![number(low), number(high)]),
        unit,
        passed: result.passed,
    }
}

fn agreements(plan: &Plan, ours: &Summary, theirs: &Summary) -> Map<wire::Agreement> {
    let pair = |pair: Pair| wire::Pair { threads: Finite(pair.threads), in_virtual_time: Finite(pair.in_virtual_time) };
    let each = ours.classes.iter().zip(&theirs.classes).enumerate().map(|(at, (ours, theirs))| {
        let found = agreement(ours, theirs);
        let written = wire::Agreement {
            arrivals: pair(found.arrivals),
            wait_mean_us: pair(found.wait_mean_us),
            wait_p99_us: pair(found.wait_p99_us),
            service_mean_us: pair(found.service_mean_us),
            starved_percent: pair(found.starved_percent),
        };
        (plan.class_name(ClassId(at as u16)).to_string(), written)
    });
    Map(each.collect())
}

fn replications(plan: &Plan, replicated: &Replicated) -> wire::Replications {
    let services = replicated.services.iter().enumerate().map(|(at, estimates)| {
        let (own, difference) = named(FIGURES, estimates);
        let merged_wait_us = latency(&replicated.merged_wait[at]);
        let estimates = wire::Estimates { estimates: own, difference_to_first: difference, merged_wait_us };
        (plan.class_name(ClassId(at as u16)).to_string(), estimates)
    });
    let plain = |(estimates, difference_to_first)| wire::JourneyEstimates { estimates, difference_to_first };
    let journeys = replicated.journeys.iter().enumerate().map(|(at, estimates)| {
        (plan.source_name(SourceId(at as u16)).to_string(), plain(named(JOURNEY_FIGURES, estimates)))
    });
    wire::Replications {
        seeds: replicated.seeds.clone(),
        services: Map(services.collect()),
        journeys: Map(journeys.collect()),
        run: plain(named(RUN_FIGURES, &replicated.run)),
    }
}

/// Estimates under their names: the figures' own, and the differences to the first variant's.
fn named<S>(figures: &[Figure<S>], estimates: &Estimates) -> (Map<wire::Estimate>, Map<wire::Estimate>) {
    let map = |estimates: &Vec<Estimate>| {
        let each = figures.iter().zip(estimates).map(|(figure, estimate)| {
            let estimate = wire::Estimate {
                mean: Finite(estimate.mean),
                half_width: Finite(estimate.half_width),
                not_zero: estimate.not_zero,
                trustworthy: estimate.doubt.is_none(),
                doubt: estimate.doubt.map(Doubt::word),
            };
            (figure.name.to_string(), estimate)
        });
        Map(each.collect())
    };
    (map(&estimates.own), estimates.difference.as_ref().map_or(Map(Vec::new()), map))
}

fn precision(found: &Precision) -> wire::Precision {
    let wide = found.wide.iter().map(|wide| wire::Wide {
        variant: wide.variant.clone(),
        figure: wide.figure.clone(),
        relative_percent: Finite(wide.relative * 100.0),
    });
    let zero = found.zero.iter().cloned().map(|(variant, figure)| wire::Zero { variant, figure });
    wire::Precision {
        asked_percent: Finite(found.asked * 100.0),
        figures: found.figures.clone(),
        reached: found.wide.is_empty(),
        runs: found.runs,
        runs_most: found.most,
        wide: wide.collect(),
        zero: zero.collect(),
    }
}

fn warmup(variant: &VariantReport) -> wire::Warmup {
    let pilot = |pilot: Pilot| {
        let (outcome, settled_after_s) = match pilot.found {
            Settling::After(time) => ("settles", Some(seconds(time))),
            Settling::Never => ("never-settles", None),
            Settling::Overloaded => ("overloaded", None),
        };
        wire::Pilot { runs: pilot.runs, bin_s: seconds(pilot.bin), outcome, settled_after_s }
    };
    wire::Warmup {
        rule: match variant.plan.warmup {
            Warmup::None => "none",
            Warmup::Given(_) => "given",
            Warmup::Auto(_) => "auto",
        },
        length_s: seconds(variant.plan.warmup.length()),
        measured_s: seconds(variant.summary.measured()),
        pilot: variant.pilot.map(pilot),
    }
}

fn mean_interval(found: Option<&MeanWait>) -> wire::MeanInterval {
    wire::MeanInterval {
        half_width_us: found.and_then(|found| found.half_width_us).map(Finite),
        batches: found.map_or(0, |found| found.batches),
        batch_items: found.map_or(0, |found| found.items),
        utilisation: Finite(found.map_or(0.0, |found| found.utilisation)),
        trustworthy: found.is_some_and(|found| found.doubt.is_none()),
        doubt: found.and_then(|found| found.doubt).map(Doubt::word),
    }
}

fn pool(plan: &Plan) -> wire::Pool {
    let pool = &plan.pool;
    wire::Pool {
        size: pool.size,
        wanted: pool.wanted,
        limit: pool.limit,
        limit_source: pool.limit_source.clone(),
        base_per_processor: pool.base_per_processor,
        additional_per_processor: pool.additional_per_processor,
        starts_counted: pool.starts_counted,
        percent: pool.percent,
        heavy_queue_cap: pool.heavy_queue_cap,
        light_queue_cap: pool.light_queue_cap,
        heavy_queues: pool.heavy_queues,
        heavy_request_total: pool.heavy_request_total,
        left_for_others: pool.left_for_others,
        max_concurrency: pool.max_concurrency,
        runnable_limit: pool.runnable_limit,
        thread_timeout_s: pool.thread_timeout_s,
        steps: pool.steps.clone(),
    }
}

fn service(variant: &VariantReport, id: ClassId, class: &ClassSummary) -> wire::Service {
    let plan = &variant.plan;
    let role = plan.classes[id.index()].role.word();
    let counts = variant.counts.get(id.index()).copied().unwrap_or_default();
    let buckets = class.wait.buckets.iter();
    let went_offline = variant.cluster.is_some() || class.went_offline();
    wire::Service {
        role,
        arrivals: class.arrivals,
        served: class.outcomes.served,
        gave_up: class.outcomes.gave_up,
        refused: class.outcomes.refused,
        lost: class.outcomes.lost,
        unfinished: class.outcomes.unfinished,
        cut: went_offline.then_some(class.outcomes.cut),
        unreachable: went_offline.then_some(class.outcomes.unreachable),
        wait_us: latency(&class.wait),
        wait_mean_interval: mean_interval(variant.mean_waits.get(id.index())),
        served_wait_us: latency(&class.started_wait),
        gave_up_wait_us: latency(&class.gave_up_wait),
        service_us: latency(&class.service),
        wait_histogram: wire::Histogram {
            buckets: buckets.map(|b| wire::Bucket { from_us: b.from_us, to_us: b.to_us, count: b.count }).collect(),
            hdr: class.wait.hdr.clone(),
        },
        starved_percent: Finite(class.starved_percent),
        shut_out_percent: Finite(class.shut_out_percent),
        starved_s: seconds(class.starved),
        shut_out_s: seconds(class.shut_out),
        episode_count: class.episode_count,
        longest_episode_s: seconds(class.longest_episode),
        episodes: class.episodes.iter().map(|e| episode(plan, e)).collect(),
        holders: holders(plan, &class.holders),
        thread_seconds: Finite(class.thread_seconds),
        pool_percent: Finite(pool_share(class, plan.pool.size, variant.summary.measured())),
        busy_max: class.busy_max,
        waiting_max: class.waiting_max,
        mean_waiting: Finite(class.mean_waiting),
        waiting_trend_per_hour: Finite(class.waiting_trend_per_hour),
        still_waiting: class.still_waiting,
        oldest_waiting_s: class.oldest_waiting.map(seconds),
        thread_requests: wire::ThreadRequests {
            requested: counts.requested,
            granted: counts.granted,
            stale_grants: counts.stale_grants,
        },
    }
}

fn episode(plan: &Plan, episode: &Episode) -> wire::Episode {
    wire::Episode {
        start_s: seconds(episode.start),
        length_s: seconds(episode.length),
        shut_out_s: seconds(episode.shut_out),
        waited: episode.waited,
        holders: holders(plan, &shares(&episode.held_ns)),
    }
}

fn holders(plan: &Plan, holders: &[Holder]) -> Vec<wire::Holder> {
    let wired = holders.iter().map(|h| wire::Holder {
        service: plan.class_name(h.class).to_string(),
        thread_seconds: Finite(h.thread_seconds),
        percent: Finite(h.percent),
    });
    wired.collect()
}

pub(super) fn latency(l: &LatencySummary) -> wire::Latency {
    wire::Latency {
        count: l.count,
        mean: Finite(l.mean_us),
        p50: micros(l.p50),
        p90: micros(l.p90),
        p99: micros(l.p99),
        p999: micros(l.p999),
        max: micros(l.max),
    }
}

fn host(host: &HostNoise, starvation_after: Nanos) -> wire::Host {
    let (verdict, reasons) = host.verdict(starvation_after);
    let spread =
        |s: &Spread| wire::Spread { count: s.count, p50: micros(s.p50), p99: micros(s.p99), max: micros(s.max) };
    let hiccup = &host.hiccup;
    wire::Host {
        verdict: verdict.word(),
        reasons,
        speed: Finite(host.speed),
        wall_s: seconds(host.wall),
        lateness_us: spread(&host.lateness),
        overshoot_us: spread(&host.overshoot),
        hiccup_us: wire::HiccupSpread {
            count: hiccup.count,
            p50: micros(hiccup.p50),
            p999: micros(hiccup.p99),
            max: micros(hiccup.max),
        },
        service_inflation: Finite(host.service_inflation),
        wait_inflation: Finite(host.wait_inflation()),
        longest_stall_emulated_s: seconds(host.longest_stall_emulated()),
        utilisation: Finite(host.utilisation),
        involuntary_switches: host.involuntary_switches,
        steal_s: seconds(host.steal),
        load_average_before: Finite(host.load_average.0),
        load_average_after: Finite(host.load_average.1),
        host_processors: host.host_processors,
        behind_s: host.behind.as_secs_f64(),
    }
}

fn timeline(variant: &VariantReport) -> wire::Timeline {
    let moments = &variant.summary.timeline;
    let services = variant.plan.classes.iter().enumerate().map(|(at, class)| {
        let line = wire::ServiceTimeline {
            waiting: moments.iter().map(|m| m.classes[at].0).collect(),
            busy: moments.iter().map(|m| m.classes[at].1).collect(),
            oldest_wait_s: moments.iter().map(|m| seconds(m.classes[at].2)).collect(),
        };
        (class.name.clone(), line)
    });
    wire::Timeline {
        at_s: moments.iter().map(|m| seconds(m.at)).collect(),
        live_threads: moments.iter().map(|m| m.live_threads).collect(),
        services: Map(services.collect()),
    }
}

pub(super) fn seconds(time: Nanos) -> Finite {
    Finite(time.as_secs_f64())
}

fn micros(time: Nanos) -> Finite {
    Finite(time.0 as f64 / 1e3)
}
