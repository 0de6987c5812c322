//! The store's threads: how many there are and why, who asked for them, what became of the Internet Mail Service.
//!
//! Not the domain table (`domains`). Called by `text` and `html`; each part is empty where no variant has a store.

use super::super::super::blocks::Blocks;
use super::super::super::format::{Tone, clock, count, counted, micros, percent, plain, toned};
use super::super::super::table::Sheet;
use super::super::super::{Report, VariantReport};
use super::super::figures::ABSENT;
use super::super::names;
use super::{ENTRIES_TOLD, bad, fact, grid, headed, more, of_the_first_run};
use crate::metrics::limits::StoreFigures;
use crate::models::store::events::Kind;
use crate::models::store::perfopt::{LOG_FILE, Log};
use crate::models::store::spec::Casualties;
use crate::models::store::{Ending, Ledger};
use crate::plan::Plan;
use crate::plan::limits::{Caller, StorePlan};
use crate::time::Nanos;

/// Lives of the service that are told of each variant.
const LIVES_TOLD: usize = 8;

/// A variant's store with its figures.
pub(in crate::report) fn found(variant: &VariantReport) -> Option<(&StorePlan, &StoreFigures)> {
    Some((variant.plan.limits.store.as_deref()?, variant.limits.store.as_ref()?))
}

fn stores(report: &Report) -> impl Iterator<Item = (&VariantReport, &StorePlan, &StoreFigures)> {
    report.variants.iter().filter_map(|v| found(v).map(|(plan, figures)| (v, plan, figures)))
}

/// The thread values with their origins, and what came of them.
pub(in crate::report) fn threads(report: &Report) -> Blocks {
    if stores(report).next().is_none() {
        return Blocks::new();
    }
    let mut sheet = Sheet { names: names(report), facts: Vec::new() };
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    values(&plans, &mut sheet);
    service(report, &mut sheet);
    let mut out = Blocks::new();
    out.sheet(sheet);
    of_the_first_run(report, &mut out);
    out
}

/// How many threads there are, and why: facts of plans, which need not have been run.
pub(in crate::report) fn values(plans: &[&Plan], sheet: &mut Sheet) {
    let mut add = |label: &str, cell: &dyn Fn(&StorePlan, &Plan) -> String| {
        let of = |plan: &&Plan| plan.limits.store.as_ref().map_or_else(|| ABSENT.to_string(), |own| cell(own, plan));
        sheet.add(label, plans.iter().map(of).collect());
    };
    add("Exchange", &|own, _| own.spec.version.name().to_string());
    for (at, id) in StorePlan::VALUES.into_iter().enumerate() {
        add(id.value().name, &|own, plan| {
            let value = &own.thread_values(&plan.registry)[at];
            format!("{} ({})", count(u64::from(value.data)), plain(&value.origin))
        });
    }
    add("  left for calls", &|own, _| {
        let left = u64::from(own.left_for_calls());
        let text = format!("{} of {}", count(left), count(u64::from(own.spec.threads.max)));
        if left == 0 { toned(Tone::Bad, &text) } else { text }
    });
    add("sessions by the formula", &|own, _| {
        format!("{} = {}", count(own.spec.threads.sessions()), own.sessions_worked_out())
    });
}

/// What became of the threads and of the service.
fn service(report: &Report, sheet: &mut Sheet) {
    fn figures(v: &VariantReport) -> Option<&StoreFigures> {
        found(v).map(|(_, figures)| figures)
    }
    fact(report, sheet, "most threads in use", figures, |f| count(u64::from(f.summary.most_in_use)));
    fact(report, sheet, "shutdowns of the service", figures, |f| bad(f.summary.shutdowns));
    let any_start = stores(report).any(|(.., f)| f.starts_without_threads() > 0);
    if any_start {
        fact(report, sheet, "  at its start, for want of threads", figures, |f| bad(f.starts_without_threads()));
    }
    if stores(report).any(|(.., f)| f.summary.shutdowns > 0) {
        fact(report, sheet, "  the first after", figures, |f| {
            f.first_shutdown().map_or_else(|| ABSENT.to_string(), |at| at.to_string())
        });
        fact(report, sheet, "  from start to shutdown", figures, |f| {
            let told = |lasted: crate::metrics::limits::Lasted| match lasted.lives {
                1 => lasted.mean.to_string(),
                _ => format!("{} (least {}, most {})", lasted.mean, lasted.least, lasted.most),
            };
            f.lasted().map_or_else(|| ABSENT.to_string(), told)
        });
    }
    fact(report, sheet, "refreshes tried, answered", figures, |f| {
        format!("{}, {}", count(f.summary.refreshes), count(f.summary.refreshed))
    });
    fact(report, sheet, "not logged on", figures, |f| format!("{} ({})", f.summary.away, percent(f.away_percent())));
    fact(report, sheet, "messages moved to BAD", figures, |f| bad(f.summary.in_bad));
    fact(report, sheet, r"spool files in Imcdata\In\Archive", figures, |f| bad(f.summary.in_archive));
    fact(report, sheet, "outbound mail, most, at the end", figures, |f| {
        format!("{}, {}", count(f.summary.most_outbound), count(backlog(&f.summary.outbound)))
    });
}

/// Messages that came and are neither through nor set aside.
pub(in crate::report) fn backlog(ledger: &Ledger) -> u64 {
    ledger.waiting + ledger.in_service
}

/// Who asked for threads, and for how long they waited.
pub(in crate::report) fn calls(report: &Report) -> Blocks {
    if stores(report).next().is_none() {
        return Blocks::new();
    }
    let comes = |at: usize| stores(report).any(|(.., f)| ledgers(f)[at].arrived > 0);
    let rows: Vec<usize> = (0..Caller::LOADED.len()).filter(|at| comes(*at)).collect();
    let told: Vec<&str> = rows.iter().map(|at| Caller::LOADED[*at].name()).collect();
    let mut out = Blocks::new();
    if rows.is_empty() {
        out.line("", "No call came to the store.");
        return out;
    }
    let figures = ["came", "done", "set aside", "gave up", "refused", "in service", "waiting"];
    let cells = rows.iter().map(|at| {
        let of = |v: &VariantReport| match found(v) {
            Some((_, f)) => ends(&ledgers(f)[*at]),
            None => vec![ABSENT.to_string(); figures.len()],
        };
        report.variants.iter().map(of).collect()
    });
    let all = grid(report, "calls", &told, &figures, cells.collect());
    let all = all.without(|at, cell| (2..=5).contains(&at) && (cell == "0" || cell == ABSENT));
    let gone: Vec<String> =
        figures.iter().filter(|f| !all.figures.iter().any(|kept| kept == *f)).map(ToString::to_string).collect();
    out.grid(all);
    out.listed("Zero everywhere, and so not shown", &gone);
    out.gap();
    let figures = ["mean wait", "p50", "p99", "max", "held for"];
    let cells = rows.iter().map(|at| {
        let of = |v: &VariantReport| match found(v) {
            Some((_, f)) => times(f, *at),
            None => vec![ABSENT.to_string(); figures.len()],
        };
        report.variants.iter().map(of).collect()
    });
    out.grid(grid(report, "waits for a thread", &told, &figures, cells.collect()));
    casualties(report, &mut out);
    out
}

/// By [`Caller`] that comes by a load.
pub(in crate::report) fn ledgers(figures: &StoreFigures) -> [Ledger; 3] {
    let summary = &figures.summary;
    [summary.clients, summary.inbound, summary.outbound]
}

fn ends(ledger: &Ledger) -> Vec<String> {
    let some = |n: u64| if n > 0 { toned(Tone::Bad, &count(n)) } else { "0".to_string() };
    vec![
        count(ledger.arrived),
        count(ledger.done),
        some(ledger.set_aside),
        some(ledger.gave_up),
        some(ledger.refused),
        count(ledger.in_service),
        count(ledger.waiting),
    ]
}

fn times(figures: &StoreFigures, at: usize) -> Vec<String> {
    let (waits, service) = (figures.calls[at].waits(), figures.calls[at].service.summary());
    if waits.count == 0 {
        return vec![ABSENT.to_string(); 5];
    }
    let held = if service.count == 0 { ABSENT.to_string() } else { micros(service.mean_us) };
    vec![micros(waits.mean_us), waits.p50.to_string(), waits.p99.to_string(), waits.max.to_string(), held]
}

/// Which messages BAD and the archive hold.
fn casualties(report: &Report, out: &mut Blocks) {
    let set_aside = |f: &StoreFigures| f.summary.in_bad + f.summary.in_archive > 0;
    let any = |kind| stores(report).any(|(_, plan, f)| plan.spec.assumptions.casualties == kind && set_aside(f));
    if any(Casualties::OneMessage) {
        out.note(
            "store.casualties = one-message: what was made of a message is in BAD and its spool file in the archive, so both \
             counts are of the same messages, each of which is set aside once.",
        );
    }
    if any(Casualties::ByDirection) {
        out.note(
            "store.casualties = by-direction: BAD has outbound messages, the archive spool files of inbound ones.",
        );
    }
}

/// From each start of the service to its end.
pub(in crate::report) fn lives(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    for (variant, _, figures) in stores(report).filter(|(.., f)| f.summary.shutdowns > 0) {
        headed(report, variant, &mut out);
        let lives = &figures.summary.lives;
        for life in lives.iter().take(LIVES_TOLD) {
            let text = match life.stopped {
                None => "it runs on to the end".to_string(),
                Some((at, ending)) => {
                    let why = match ending {
                        Ending::RefreshFailed => "the refresh failed (4094)",
                        Ending::NoWorkThreads => "it did not get its threads (4023)",
                    };
                    format!("to {}, {}: {why}", clock(at), at.since(life.started))
                }
            };
            out.line(&format!("{}  ", clock(life.started)), &text);
        }
        let more = lives.len().saturating_sub(LIVES_TOLD) as u64 + figures.summary.lives_dropped;
        if more > 0 {
            out.line("", &format!("and {} more", count(more)));
        }
    }
    out
}

/// The first entries of each variant's event log.
pub(in crate::report) fn events(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    for (variant, _, figures) in stores(report) {
        headed(report, variant, &mut out);
        for entry in figures.summary.events.iter().take(ENTRIES_TOLD) {
            let kind = match entry.kind() {
                Kind::Error => toned(Tone::Bad, Kind::Error.name()),
                other => other.name().to_string(),
            };
            let id = entry.id().map(|id| format!(" {id}")).unwrap_or_default();
            let category = entry.category().map(|category| format!(" ({category})")).unwrap_or_default();
            let text = format!("{kind} {}{id}{category}: {}", entry.source(), entry.text());
            out.line(&format!("{}  ", clock(entry.at)), &text);
        }
        more(figures.summary.events.len(), figures.summary.events_dropped, "; --events FILE.csv has them", &mut out);
    }
    if !out.0.is_empty() {
        out.note(
            "Ids, codes, source, category and order (4116, 3039, 4117, 4094, 4102) are published (Q169686, Q293288, Q322829); \
             the sentences are ours, and so are the entries of the source atqsim.",
        );
    }
    out
}

/// The log of Performance Optimizer, each once.
pub(in crate::report) fn optimizer(report: &Report) -> Blocks {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for (variant, plan, _) in stores(report) {
        let Some(text) = log_of(plan) else { continue };
        let name = plain(&variant.plan.variant);
        match told.iter_mut().find(|(known, _)| *known == text) {
            Some((_, names)) => names.push(name),
            None => told.push((text, vec![name])),
        }
    }
    let mut out = Blocks::new();
    for (text, names) in told {
        if report.variants.len() > 1 {
            out.line("", &toned(Tone::Strong, &names.join(", ")));
        }
        text.lines().for_each(|line| out.line("  ", line));
    }
    if !out.0.is_empty() {
        out.note(&format!(
            "{LOG_FILE} is added to on every run (Q169686). Values of the registry that are set afterwards win."
        ));
    }
    out
}

/// What `perfopt.log` has, where the Optimizer ran.
pub(in crate::report) fn log_of(plan: &StorePlan) -> Option<String> {
    let mut log = Log::default();
    log.append(plan.optimizer.as_ref()?);
    Some(log.text().to_string())
}

/// `9 times in 60 min 00 s`.
pub(in crate::report) fn times_in(n: u64, end: Nanos) -> String {
    match n {
        1 => format!("once in {end}"),
        2 => format!("twice in {end}"),
        n => format!("{} in {end}", counted(n, "time")),
    }
}
