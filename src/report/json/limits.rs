//! What became of the limits beside the pool, as programs see it: the shape and what fills it.
//!
//! Not the figures, which are `metrics::limits`'. Called by `fill`; documented in `docs/json.md`, like every other field.

use serde::Serialize;

use super::super::text::limits::{domains, store};
use super::super::{VariantReport, text};
use super::cluster::{OverRuns, over_runs};
use super::fill::{latency, seconds};
use super::wire::{Finite, Latency, Map};
use crate::metrics::limits::{DomainFigures, StoreFigures};
use crate::models::domain_table::What;
use crate::models::store::spec::Casualties;
use crate::models::store::{Ending, Entry, Ledger};
use crate::plan::limits::{Caller, StorePlan, ThreadValue};
use crate::policy::registry::Registry;
use crate::time::Nanos;

/// `store` of a variant.
#[derive(Debug, Serialize)]
pub(super) struct Store {
    version: &'static str,
    threads: Threads,
    optimizer: Option<Optimizer>,
    calls: Map<Calls>,
    most_threads_in_use: u32,
    shutdowns: u64,
    starts_without_threads: u64,
    first_shutdown_s: Option<Finite>,
    time_to_shutdown_s: Option<Times>,
    refreshes: u64,
    refreshes_answered: u64,
    away_s: Finite,
    away_percent: Finite,
    in_bad: u64,
    in_archive: u64,
    casualties: &'static str,
    outbound_backlog_most: u64,
    outbound_backlog: u64,
    lives: Vec<Life>,
    lives_dropped: u64,
    events: Vec<Event>,
    events_dropped: u64,
    curves: StoreCurves,
    replications: Option<Map<OverRuns>>,
}

#[derive(Debug, Serialize)]
struct Threads {
    max: Value,
    background: Value,
    gateway_in: Value,
    gateway_out: Value,
    held_by_gateway: u32,
    left_for_calls: u32,
    sessions: u64,
    sessions_worked_out: String,
}

#[derive(Debug, Serialize)]
struct Value {
    name: &'static str,
    data: u32,
    origin: String,
}

#[derive(Debug, Serialize)]
struct Optimizer {
    answers: &'static str,
    log: String,
}

#[derive(Debug, Serialize)]
struct Calls {
    arrived: u64,
    done: u64,
    set_aside: u64,
    gave_up: u64,
    refused: u64,
    in_service: u64,
    waiting: u64,
    wait_us: Latency,
    service_us: Latency,
}

#[derive(Debug, Serialize)]
struct Times {
    mean: Finite,
    min: Finite,
    max: Finite,
}

#[derive(Debug, Serialize)]
struct Life {
    started_s: Finite,
    stopped_s: Option<Finite>,
    ending: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Event {
    at_s: Finite,
    kind: &'static str,
    source: &'static str,
    id: Option<u32>,
    category: Option<&'static str>,
    code: Option<String>,
    text: String,
}

#[derive(Debug, Serialize)]
struct StoreCurves {
    at_s: Vec<Finite>,
    threads_in_use: Vec<u32>,
    calls_in_line: Vec<u64>,
    inbound: Vec<u64>,
    outbound: Vec<u64>,
}

/// `domains` of a variant.
#[derive(Debug, Serialize)]
pub(super) struct Domains {
    software: String,
    knows_the_threshold: bool,
    threshold: Option<u32>,
    threshold_origin: Option<String>,
    swept_at: Option<u32>,
    memory_bytes: u64,
    entry_bytes: u64,
    entries_that_fit: u64,
    restarts: Option<Restarts>,
    messages: u64,
    sent: u64,
    refused_no_memory: u64,
    refused_away: u64,
    refused_name: u64,
    queued: u64,
    created: u64,
    revived: u64,
    found: u64,
    sweeps: u64,
    swept: u64,
    forgotten: u64,
    live: u64,
    dead: u64,
    most_entries: u64,
    most_dead: u64,
    least_available_bytes: u64,
    available_bytes: u64,
    largest_working_set_bytes: u64,
    working_set_bytes: u64,
    memory_gone_at_s: Option<Finite>,
    times_gone: u64,
    planned_restarts: u64,
    forced_restarts: u64,
    away_s: Finite,
    away_percent: Finite,
    log: Vec<Line>,
    log_dropped: u64,
    curves: DomainCurves,
    replications: Option<Map<OverRuns>>,
}

#[derive(Debug, Serialize)]
struct Restarts {
    first_s: Finite,
    every_s: Option<Finite>,
}

#[derive(Debug, Serialize)]
struct Line {
    at_s: Finite,
    what: &'static str,
    entries: Option<u64>,
    planned: Option<bool>,
    text: String,
}

#[derive(Debug, Serialize)]
struct DomainCurves {
    at_s: Vec<Finite>,
    available_bytes: Vec<u64>,
    working_set_bytes: Vec<u64>,
    live: Vec<u64>,
    dead: Vec<u64>,
    queued: Vec<u64>,
}

/// What became of the store, where the variant has one.
pub(super) fn store(variant: &VariantReport) -> Option<Store> {
    let (plan, found) = store::found(variant)?;
    let summary = &found.summary;
    let calls = Caller::LOADED
        .iter()
        .zip(store::ledgers(found))
        .enumerate()
        .map(|(at, (caller, ledger))| (caller.name().to_string(), calls(&ledger, found, at)));
    let lasted = found.lasted();
    let values = summary.samples.values();
    Some(Store {
        version: plan.spec.version.name(),
        threads: threads(plan, &variant.plan.registry),
        optimizer: plan
            .optimizer
            .map(|run| Optimizer { answers: run.answers.name(), log: store::log_of(plan).unwrap_or_default() }),
        calls: Map(calls.collect()),
        most_threads_in_use: summary.most_in_use,
        shutdowns: summary.shutdowns,
        starts_without_threads: found.starts_without_threads(),
        first_shutdown_s: found.first_shutdown().map(seconds),
        time_to_shutdown_s: lasted.map(|lasted| Times {
            mean: seconds(lasted.mean),
            min: seconds(lasted.least),
            max: seconds(lasted.most),
        }),
        refreshes: summary.refreshes,
        refreshes_answered: summary.refreshed,
        away_s: seconds(summary.away),
        away_percent: Finite(found.away_percent()),
        in_bad: summary.in_bad,
        in_archive: summary.in_archive,
        casualties: match plan.spec.assumptions.casualties {
            Casualties::OneMessage => "one-message",
            Casualties::ByDirection => "by-direction",
        },
        outbound_backlog_most: summary.most_outbound,
        outbound_backlog: store::backlog(&summary.outbound),
        lives: lives(found),
        lives_dropped: summary.lives_dropped,
        events: summary.events.iter().map(event).collect(),
        events_dropped: summary.events_dropped,
        curves: StoreCurves {
            at_s: values.iter().map(|(at, _)| seconds(*at)).collect(),
            threads_in_use: values.iter().map(|(_, load)| load.in_use).collect(),
            calls_in_line: values.iter().map(|(_, load)| load.line).collect(),
            inbound: values.iter().map(|(_, load)| load.inbound).collect(),
            outbound: values.iter().map(|(_, load)| load.outbound).collect(),
        },
        replications: over_runs(&variant.limits_over_runs, "store."),
    })
}

fn threads(plan: &StorePlan, registry: &Registry) -> Threads {
    let [max, background, gateway_in, gateway_out] = plan
        .thread_values(registry)
        .map(|ThreadValue { id, data, origin }| Value { name: id.value().name, data, origin });
    Threads {
        max,
        background,
        gateway_in,
        gateway_out,
        held_by_gateway: plan.held_by_gateway(),
        left_for_calls: plan.left_for_calls(),
        sessions: plan.spec.threads.sessions(),
        sessions_worked_out: plan.sessions_worked_out(),
    }
}

fn calls(ledger: &Ledger, found: &StoreFigures, at: usize) -> Calls {
    let times = &found.calls[at];
    Calls {
        arrived: ledger.arrived,
        done: ledger.done,
        set_aside: ledger.set_aside,
        gave_up: ledger.gave_up,
        refused: ledger.refused,
        in_service: ledger.in_service,
        waiting: ledger.waiting,
        wait_us: latency(&times.waits()),
        service_us: latency(&times.service.summary()),
    }
}

fn lives(found: &StoreFigures) -> Vec<Life> {
    let lives = found.summary.lives.iter().map(|life| Life {
        started_s: seconds(life.started),
        stopped_s: life.stopped.map(|(at, _)| seconds(at)),
        ending: life.stopped.map(|(_, ending)| match ending {
            Ending::RefreshFailed => "refresh-failed",
            Ending::NoWorkThreads => "no-work-threads",
        }),
    });
    lives.collect()
}

fn event(entry: &Entry) -> Event {
    Event {
        at_s: seconds(entry.at),
        kind: entry.kind().name(),
        source: entry.source(),
        id: entry.id(),
        category: entry.category(),
        code: entry.code().map(|code| format!("0x{code:08x}")),
        text: entry.text(),
    }
}

/// What became of the domain table, where the variant has one.
pub(super) fn domains(variant: &VariantReport) -> Option<Domains> {
    let (plan, found) = domains::found(variant)?;
    let (spec, summary) = (&plan.spec, &found.summary);
    let threshold = plan.threshold_set(&variant.plan.registry);
    Some(Domains {
        software: spec.software.text(),
        knows_the_threshold: spec.software.knows_the_threshold(),
        threshold: threshold.as_ref().map(|(data, _)| *data),
        threshold_origin: threshold.map(|(_, origin)| origin),
        swept_at: spec.threshold(),
        memory_bytes: spec.memory_bytes,
        entry_bytes: spec.assumptions.entry_bytes,
        entries_that_fit: spec.entries_that_fit(),
        restarts: spec.planned_restarts.map(|restarts| Restarts {
            first_s: seconds(restarts.first),
            every_s: (restarts.every < Nanos::MAX).then(|| seconds(restarts.every)),
        }),
        messages: summary.messages,
        sent: summary.sent,
        refused_no_memory: summary.refused_no_memory,
        refused_away: summary.refused_away,
        refused_name: summary.refused_name,
        queued: summary.at_the_end.queued,
        created: summary.created,
        revived: summary.revived,
        found: summary.found,
        sweeps: summary.sweeps,
        swept: summary.swept,
        forgotten: summary.forgotten,
        live: summary.at_the_end.live,
        dead: summary.at_the_end.dead,
        most_entries: summary.most_entries,
        most_dead: summary.most_dead,
        least_available_bytes: summary.least_available_bytes,
        available_bytes: summary.at_the_end.available_bytes,
        largest_working_set_bytes: found.largest_working_set_bytes(spec),
        working_set_bytes: summary.at_the_end.working_set_bytes,
        memory_gone_at_s: summary.memory_gone_at.map(seconds),
        times_gone: summary.times_gone,
        planned_restarts: summary.planned_restarts,
        forced_restarts: summary.forced_restarts,
        away_s: seconds(summary.away),
        away_percent: Finite(found.away_percent()),
        log: summary.log.iter().map(|(at, what)| line(*at, *what)).collect(),
        log_dropped: summary.log_dropped,
        curves: domain_curves(found),
        replications: over_runs(&variant.limits_over_runs, "domains."),
    })
}

fn line(at: Nanos, what: What) -> Line {
    let (word, entries, planned) = match what {
        What::Swept(entries) => ("swept", Some(entries), None),
        What::MemoryGone => ("memory-gone", None, None),
        What::Stops { forgotten, planned } => ("stops", Some(forgotten), Some(planned)),
        What::Starts => ("starts", None, None),
    };
    Line { at_s: seconds(at), what: word, entries, planned, text: text::limits::domains::entry(what) }
}

fn domain_curves(found: &DomainFigures) -> DomainCurves {
    let values = found.summary.samples.values();
    DomainCurves {
        at_s: values.iter().map(|(at, _)| seconds(*at)).collect(),
        available_bytes: values.iter().map(|(_, now)| now.available_bytes).collect(),
        working_set_bytes: values.iter().map(|(_, now)| now.working_set_bytes).collect(),
        live: values.iter().map(|(_, now)| now.live).collect(),
        dead: values.iter().map(|(_, now)| now.dead).collect(),
        queued: values.iter().map(|(_, now)| now.queued).collect(),
    }
}
