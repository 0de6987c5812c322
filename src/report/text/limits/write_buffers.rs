//! A front-end's writes: what is set, what a response cost, and how many users fit.
//!
//! Not the waits for a thread, which are the pool's. Called by `text`, `html` and `explain`; nothing where no variant has
//! them.

use super::super::super::blocks::Blocks;
use super::super::super::format::{amount, count, counted, micros, plain};
use super::super::super::table::Sheet;
use super::super::super::{Report, VariantReport};
use super::super::figures::ABSENT;
use super::super::names;
use super::{bytes, of_the_first_run};
use crate::metrics::limits::{Loopback, WriteFigures};
use crate::models::write_buffers::spec::{Acks, Finding, Held, Nagle, WriteReturns};
use crate::plan::Plan;
use crate::plan::limits::write_buffers::{FrontEnd, WriteBuffersPlan};

/// A variant's protocols with their figures.
pub(in crate::report) fn found(variant: &VariantReport) -> Vec<(&FrontEnd, &WriteFigures)> {
    let plan = variant.plan.limits.write_buffers.as_deref();
    let figures = variant.limits.write_buffers.iter().flatten();
    plan.iter().flat_map(|plan| &plan.services).zip(figures).collect()
}

/// What was set, and what came of it.
pub(in crate::report) fn table(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    if report.variants.iter().all(|v| found(v).is_empty()) {
        return out;
    }
    let mut sheet = Sheet { names: names(report), facts: Vec::new() };
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    link(&plans, &mut sheet);
    for (name, _) in WriteBuffersPlan::SERVICES {
        settings(&plans, name, &mut sheet);
        figures(report, name, &mut sheet);
    }
    out.sheet(sheet);
    of_the_first_run(report, &mut out);
    out
}

/// What all protocols of a plan share.
pub(in crate::report) fn link(plans: &[&Plan], sheet: &mut Sheet) {
    let mut add = |label: &str, cell: fn(&FrontEnd) -> String| {
        let of = |plan: &&Plan| first(plan).map_or_else(|| ABSENT.to_string(), cell);
        sheet.add(label, plans.iter().map(of).collect());
    };
    add("one way to a client", |own| own.spec.link.latency.to_string());
    add("  bits in a second", |own| own.spec.link.bits_per_second.map_or("no limit".to_string(), count));
    add("a write returns", |own| match own.spec.assumptions.write_returns {
        WriteReturns::Accepted => "once TCP has taken it".to_string(),
        WriteReturns::Acknowledged => "once it is acknowledged".to_string(),
    });
    add("  its thread is held", |own| match own.spec.assumptions.held {
        Held::UntilWritten => "until the last write returns".to_string(),
        Held::UntilAcknowledged => "until all is acknowledged".to_string(),
    });
    add("Nagle's algorithm", |own| (if own.spec.assumptions.nagle == Nagle::On { "on" } else { "off" }).to_string());
    add("acknowledgements", |own| match own.spec.assumptions.acks {
        Acks::EachSegment => "of each segment".to_string(),
        Acks::EverySecondSegment { timer } => format!("of every second, or after {timer}"),
        Acks::EverySecondFullSegment { timer } => format!("of every second full one, or after {timer}"),
    });
}

fn first(plan: &Plan) -> Option<&FrontEnd> {
    plan.limits.write_buffers.as_ref()?.services.first()
}

fn service<'p>(plan: &'p Plan, name: &str) -> Option<(&'p FrontEnd, u64)> {
    let own = plan.limits.write_buffers.as_ref()?;
    own.services.iter().find(|service| service.name == name).map(|service| (service, own.memory_bytes))
}

/// What is set for one protocol; nothing where no plan has it.
pub(in crate::report) fn settings(plans: &[&Plan], name: &str, sheet: &mut Sheet) {
    if plans.iter().all(|plan| service(plan, name).is_none()) {
        return;
    }
    let mut add = |label: String, cell: &dyn Fn(&FrontEnd, u64, &Plan) -> String| {
        let of = |plan: &&Plan| service(plan, name).map_or(ABSENT.to_string(), |(own, memory)| cell(own, memory, plan));
        sheet.add(&label, plans.iter().map(of).collect());
    };
    add(format!("{name}: MaxBufferSize"), &|own, _, plan| value(own, plan));
    if plans.iter().any(|plan| service(plan, name).is_some_and(|(own, _)| !own.spec.findings().is_empty())) {
        add("  what is said of it".to_string(), &|own, _, _| findings(own));
    }
    add("  memory of a connection".to_string(), &|own, _, _| bytes(own.spec.memory_per_connection()));
    add("  users that fit".to_string(), &|own, memory, _| count(own.spec.connections_that_fit(memory)));
}

/// What is in force, and why.
fn value(own: &FrontEnd, plan: &Plan) -> String {
    let in_force = count(own.spec.buffer().into());
    match plan.registry.setting(own.value) {
        None => format!("{in_force} (default)"),
        Some(setting) if setting.data == own.spec.buffer() => format!("{in_force} ({})", plain(&setting.origin())),
        Some(setting) => format!("{in_force} (of {}, {})", count(setting.data.into()), plain(&setting.origin())),
    }
}

/// What published texts say of the value.
fn findings(own: &FrontEnd) -> String {
    let told: Vec<&str> = own.spec.findings().into_iter().map(finding).collect();
    if told.is_empty() { "nothing".to_string() } else { told.join(", ") }
}

pub(in crate::report) fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::NotRead => "not read by this software",
        Finding::Zero => "no text says what 0 does",
        Finding::TooSmall => "an error to ExBPA",
        Finding::NotAMultiple => "no multiple of 1,024",
        Finding::AboveRecommended => "above the recommended 32,768",
        Finding::AbovePublished => "above all that is published",
    }
}

fn figures(report: &Report, name: &str, sheet: &mut Sheet) {
    let of =
        |variant: &VariantReport| found(variant).into_iter().find(|(own, _)| own.name == name).map(|(_, f)| f.clone());
    let all: Vec<Option<WriteFigures>> = report.variants.iter().map(of).collect();
    if all.iter().all(Option::is_none) {
        return;
    }
    let mut add = |label: &str, cell: &dyn Fn(&WriteFigures) -> String| {
        sheet.add(label, all.iter().map(|f| f.as_ref().map_or_else(|| ABSENT.to_string(), cell)).collect());
    };
    add("  responses", &|f| count(f.totals.responses));
    add("    bytes of one, on average", &|f| per_response(f, f.totals.bytes));
    add("    writes", &|f| per_response(f, f.totals.writes));
    add("    packets, acknowledgements included", &|f| per_response(f, f.totals.packets()));
    add("    of headers and data on the link", &|f| per_response(f, f.totals.wire_bytes));
    add("    takes, on average", &|f| f.totals.mean_response().map_or_else(|| ABSENT.to_string(), time));
    add("    holds its thread, on average", &|f| f.totals.mean_held().map_or_else(|| ABSENT.to_string(), time));
    add("    bits in a second, while it lasts", &|f| {
        f.bits_per_second_of_one().map_or_else(|| ABSENT.to_string(), |bits| count(bits.round() as u64))
    });
    if all.iter().flatten().any(|f| f.totals.late_acks > 0) {
        add("    acknowledgements sent by a timer", &|f| per_response(f, f.totals.late_acks));
    }
    add("  from due to the last byte, p50", &|f| summary(f, |s| s.p50));
    add("    p99", &|f| summary(f, |s| s.p99));
    let over = |f: &WriteFigures, cell: &dyn Fn(&Loopback) -> String| {
        f.loopback.as_ref().map_or_else(|| ABSENT.to_string(), cell)
    };
    if all.iter().flatten().any(|f| f.loopback.is_some()) {
        add("  over sockets of this computer", &|f| {
            over(f, &|own| format!("{} bytes, sent {}", count(own.bytes), counted(own.runs.into(), "time")))
        });
        add("    writes, model and sockets", &|f| {
            over(f, &|own| format!("{}, {}", count(own.model.writes), count(own.writes)))
        });
        add("    takes, model and sockets", &|f| over(f, &|own| format!("{}, {}", own.model.response, own.response)));
        add("    holds its thread, the same", &|f| {
            over(f, &|own| format!("{}, {}", own.model.thread_held, own.thread_held))
        });
    }
    add("  bytes in a second, of all", &|f| count(f.bytes_per_second().round() as u64));
    add("  packets in a second, of all", &|f| {
        let seconds = f.measured.as_secs_f64();
        if seconds > 0.0 { amount(f.totals.packets() as f64 / seconds) } else { ABSENT.to_string() }
    });
}

fn per_response(figures: &WriteFigures, of: u64) -> String {
    match figures.totals.responses {
        0 => ABSENT.to_string(),
        n => amount(of as f64 / n as f64),
    }
}

fn summary(figures: &WriteFigures, of: fn(&crate::metrics::latency::LatencySummary) -> crate::time::Nanos) -> String {
    if figures.response.count() == 0 { ABSENT.to_string() } else { time(of(&figures.response.summary())) }
}

fn time(time: crate::time::Nanos) -> String {
    micros(time.as_secs_f64() * 1e6)
}
