//! The domain table: what is installed and set, what became of entries, memory and messages, and its log.
//!
//! Not the store's threads (`store`). Called by `text` and `html`; each part is empty where no variant has the table.

use super::super::super::blocks::Blocks;
use super::super::super::format::{Tone, clock, count, counted, percent, plain, toned};
use super::super::super::table::Sheet;
use super::super::super::{Report, VariantReport};
use super::super::figures::ABSENT;
use super::super::names;
use super::{ENTRIES_TOLD, bad, bytes, fact, headed, more, of_the_first_run};
use crate::metrics::limits::DomainFigures;
use crate::models::domain_table::What;
use crate::plan::Plan;
use crate::plan::limits::DomainsPlan;
use crate::time::Nanos;

/// A variant's table with its figures.
pub(in crate::report) fn found(variant: &VariantReport) -> Option<(&DomainsPlan, &DomainFigures)> {
    Some((variant.plan.limits.domains.as_deref()?, variant.limits.domains.as_ref()?))
}

fn tables(report: &Report) -> impl Iterator<Item = (&VariantReport, &DomainsPlan, &DomainFigures)> {
    report.variants.iter().filter_map(|v| found(v).map(|(plan, figures)| (v, plan, figures)))
}

fn figures(variant: &VariantReport) -> Option<&DomainFigures> {
    found(variant).map(|(_, figures)| figures)
}

/// What was set, and what came of it.
pub(in crate::report) fn table(report: &Report) -> Blocks {
    if tables(report).next().is_none() {
        return Blocks::new();
    }
    let mut sheet = Sheet { names: names(report), facts: Vec::new() };
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    settings(&plans, &mut sheet);
    memory(report, &mut sheet);
    entries(report, &mut sheet);
    messages(report, &mut sheet);
    let mut out = Blocks::new();
    out.sheet(sheet);
    of_the_first_run(report, &mut out);
    out
}

/// What is installed and set: facts of plans, which need not have been run.
pub(in crate::report) fn settings(plans: &[&Plan], sheet: &mut Sheet) {
    planned(plans, sheet, "software", |own, _| own.spec.software.text());
    planned(plans, sheet, "  reads the value", |own, _| own.spec.software.reading().to_string());
    planned(plans, sheet, "ZombieDomainEntryThreshold", |own, plan| {
        let set = own.threshold_set(&plan.registry);
        set.map_or_else(
            || "not added".to_string(),
            |(data, origin)| format!("{} ({})", count(data.into()), plain(&origin)),
        )
    });
    planned(plans, sheet, "  dead entries are swept", |own, _| match own.spec.threshold() {
        Some(threshold) => format!("once there are {}", count(threshold.into())),
        None => "never".to_string(),
    });
    planned(plans, sheet, "planned restarts", |own, _| match own.spec.planned_restarts {
        Some(restarts) if restarts.every < Nanos::MAX => {
            format!("the first after {}, then every {}", restarts.first, restarts.every)
        }
        Some(restarts) => format!("one after {}", restarts.first),
        None => "none".to_string(),
    });
    planned(plans, sheet, "memory of the server", |own, _| bytes(own.spec.memory_bytes));
    planned(plans, sheet, "  entries that fit", |own, _| count(own.spec.entries_that_fit()));
}

/// A fact of plans; `-` where one has no table.
pub(in crate::report) fn planned(
    plans: &[&Plan],
    sheet: &mut Sheet,
    label: &str,
    cell: impl Fn(&DomainsPlan, &Plan) -> String,
) {
    let of = |plan: &&Plan| plan.limits.domains.as_ref().map_or_else(|| ABSENT.to_string(), |own| cell(own, plan));
    sheet.add(label, plans.iter().map(of).collect());
}

/// The two counters that the KB names, and what became of the service.
fn memory(report: &Report, sheet: &mut Sheet) {
    fact(report, sheet, "least Available Bytes", figures, |f| bytes(f.summary.least_available_bytes));
    fact(report, sheet, "  at the end", figures, |f| bytes(f.summary.at_the_end.available_bytes));
    fact(report, sheet, "largest Working Set of inetinfo", found, |(plan, f)| {
        bytes(f.largest_working_set_bytes(&plan.spec))
    });
    fact(report, sheet, "  at the end", figures, |f| bytes(f.summary.at_the_end.working_set_bytes));
    fact(report, sheet, "memory was gone first", figures, |f| match f.summary.memory_gone_at {
        Some(at) => toned(Tone::Bad, &format!("after {at}")),
        None => toned(Tone::Good, "never"),
    });
    if tables(report).any(|(.., f)| f.summary.times_gone > 0) {
        fact(report, sheet, "  times that it was", figures, |f| bad(f.summary.times_gone));
    }
    fact(report, sheet, "restarts, planned, forced", figures, |f| {
        format!("{}, {}", count(f.summary.planned_restarts), count(f.summary.forced_restarts))
    });
    fact(report, sheet, "service away", figures, |f| match f.summary.away {
        Nanos::ZERO => "0".to_string(),
        away => format!("{away} ({})", percent(f.away_percent())),
    });
}

/// Where the entries went.
fn entries(report: &Report, sheet: &mut Sheet) {
    let mut add = |label: &str, of: &dyn Fn(&DomainFigures) -> String| fact(report, sheet, label, figures, |f| of(f));
    add("most entries", &|f| count(f.summary.most_entries));
    add("most dead entries", &|f| count(f.summary.most_dead));
    add("entries made", &|f| count(f.summary.created));
    add("  swept", &|f| match f.summary.sweeps {
        0 => "0".to_string(),
        sweeps => format!("{} in {}", count(f.summary.swept), counted(sweeps, "sweep")),
    });
    add("  forgotten by restarts", &|f| count(f.summary.forgotten));
    add("  there at the end, live, dead", &|f| {
        format!("{}, {}", count(f.summary.at_the_end.live), count(f.summary.at_the_end.dead))
    });
    add("messages that found one live", &|f| count(f.summary.found));
    add("messages that revived one", &|f| count(f.summary.revived));
}

/// Where the messages went.
fn messages(report: &Report, sheet: &mut Sheet) {
    fact(report, sheet, "messages", figures, |f| count(f.summary.messages));
    fact(report, sheet, "  sent", figures, |f| count(f.summary.sent));
    fact(report, sheet, "  refused, memory was gone", figures, |f| bad(f.summary.refused_no_memory));
    let mut some = |label: &str, of: fn(&DomainFigures) -> u64| {
        if tables(report).any(|(.., f)| of(f) > 0) {
            fact(report, sheet, label, figures, |f| bad(of(f)));
        }
    };
    some("  refused, the service was away", |f| f.summary.refused_away);
    some("  refused, the name was none", |f| f.summary.refused_name);
    fact(report, sheet, "  on queues at the end", figures, |f| count(f.summary.at_the_end.queued));
}

/// The first entries of each variant's log.
pub(in crate::report) fn log(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    for (variant, _, figures) in tables(report) {
        headed(report, variant, &mut out);
        for (at, what) in figures.summary.log.iter().take(ENTRIES_TOLD) {
            let text = entry(*what);
            let is_bad = matches!(what, What::MemoryGone | What::Stops { planned: false, .. });
            out.line(&format!("{}  ", clock(*at)), &if is_bad { toned(Tone::Bad, &text) } else { text });
        }
        more(figures.summary.log.len(), figures.summary.log_dropped, "; --format json has them", &mut out);
    }
    out
}

/// What happened, in words of our own.
pub(in crate::report) fn entry(what: What) -> String {
    match what {
        What::Swept(entries) => format!("{} swept", counted_entries(entries)),
        What::MemoryGone => "memory is gone: there is none for one entry more".to_string(),
        What::Stops { forgotten, planned } => {
            let why = if planned { "as planned" } else { "for want of memory" };
            format!("the service goes away {why}; {} forgotten", counted_entries(forgotten))
        }
        What::Starts => "the service is there again".to_string(),
    }
}

fn counted_entries(entries: u64) -> String {
    if entries == 1 { "1 entry".to_string() } else { format!("{} entries", count(entries)) }
}
