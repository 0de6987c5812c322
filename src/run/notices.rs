//! Things to know before believing a report, drawn from its figures.
//!
//! Not the figures and not their layout. Called by [`super::run`].

use crate::engine::control::{Change, Changed, InEffect};
use crate::metrics::host::HostVerdict;
use crate::metrics::replicated::figure;
use crate::metrics::starvation::EPISODES_KEPT;
use crate::plan::stability::Bottleneck;
use crate::plan::tuning::Values;
use crate::plan::{Plan, Role};
use crate::report::{Gravity, Notice, Precision, Settling, VariantReport, Wide};
use crate::time::Nanos;

/// All notices of a report, the gravest first. `left_out` are variants that did not run.
pub(super) fn of(variants: &[VariantReport], left_out: &[&str]) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        notices.push(grave("incomplete", format!("not run: {names}"), "run the whole comparison again"));
    }
    for variant in variants {
        let name = &variant.plan.variant;
        let mut own = Vec::new();
        own.extend(host(variant));
        own.extend(trouble(variant));
        own.extend(overload(variant));
        own.extend(warmup(variant));
        own.extend(figures(variant));
        notices.extend(own.into_iter().map(|n| Notice { text: format!("{name}: {}", n.text), ..n }));
    }
    notices.extend(different_loads(variants));
    notices.sort_by_key(|notice| std::cmp::Reverse(notice.gravity));
    notices
}

/// What somebody changed while the run went on: its figures are not those of the scenario.
pub(super) fn by_hand(plan: &Plan, changes: &[Change]) -> Option<Notice> {
    if changes.is_empty() {
        return None;
    }
    let names = plan.node_names();
    let values = |pool: &InEffect| match pool.values {
        Some(Values { percent, additional }) => {
            format!("MaxPercentPoolThreads {percent}, AdditionalPoolThreadsPerProc {additional}")
        }
        None => "other values".to_string(),
    };
    let each = |change: &Change| match &change.what {
        Changed::Load { factor } => format!("at {} the load of open sources x {factor}", change.at),
        Changed::Pool { node, before, after, restarted } => {
            let on = if names.len() > 1 { format!(" on {}", names[*node]) } else { String::new() };
            let how =
                if *restarted { "by a restart of IIS Admin" } else { "at once, without the restart that it takes" };
            format!(
                "at {} {}{on}, {how} (the pool from {} to {} threads, a heavy queue from {} to {})",
                change.at,
                values(after),
                before.size,
                after.size,
                before.cap,
                after.cap
            )
        }
    };
    let told: Vec<String> = changes.iter().map(each).collect();
    let text = format!(
        "{}: changed by hand while it ran, so these are not the figures of the scenario as it is written: {}",
        plan.variant,
        told.join("; ")
    );
    Some(notice(Gravity::Warning, "changed-by-hand", text, "read each figure as one over the times before and after"))
}

/// Fewer replications were completed than were asked for.
pub(super) fn fewer_replications(done: usize, wanted: usize) -> Notice {
    let text = format!("{done} of {wanted} replications were completed");
    notice(Gravity::Warning, "fewer-replications", text, "let it run to its end for the intervals that were asked for")
}

/// Whether the intervals became as tight as was asked for.
pub(super) fn precision(found: &Precision) -> Vec<Notice> {
    const NAMED: usize = 5;
    let mut notices = Vec::new();
    let asked = found.asked * 100.0;
    let figures = found.figures.join(", ");
    let listed = |mut names: Vec<String>| {
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        names.join(", ")
    };
    if found.wide.is_empty() {
        let text = format!("the precision of {asked} % was reached after {} runs: {figures}", found.runs);
        notices.push(notice(Gravity::Note, "precision-reached", text, ""));
    } else {
        let each = |wide: &Wide| format!("{}: {} ± {:.1} %", wide.variant, wide.figure, wide.relative * 100.0);
        let text = format!(
            "the precision of {asked} % was not reached after {} of at most {} runs: {}",
            found.runs,
            found.most,
            listed(found.wide.iter().map(each).collect())
        );
        let remedy = "allow more (--max-replications), ask for less, or name what matters (--precision-of)";
        notices.push(notice(Gravity::Warning, "precision-missed", text, remedy));
    }
    if !found.zero.is_empty() {
        let names = listed(found.zero.iter().map(|(variant, figure)| format!("{variant}: {figure}")).collect());
        let text = format!("zero in every run, and a share of zero is no precision: {names}");
        notices.push(notice(Gravity::Note, "precision-of-zero", text, "nothing more was run for it"));
    }
    notices
}

fn notice(gravity: Gravity, code: &str, text: String, remedy: &str) -> Notice {
    Notice { gravity, code: code.into(), text, remedy: remedy.into() }
}

fn grave(code: &str, text: String, remedy: &str) -> Notice {
    notice(Gravity::Grave, code, text, remedy)
}

fn host(variant: &VariantReport) -> Option<Notice> {
    let (verdict, reasons) = variant.host_verdict()?;
    let reasons = reasons.join("; ");
    let slower = (variant.plan.speed / 2.0).max(0.1);
    let remedy = format!("run it with a lower speed (--speed {slower}), or on a quieter host");
    Some(match verdict {
        HostVerdict::Clean => {
            let (floor, stall) = variant.host.as_ref().map(|h| (h.floor_emulated(), h.longest_stall_emulated()))?;
            let text = format!(
                "clean: the host kept the clock; but waits of about {floor} and less, and single ones up to {stall}, are \
                 this computer's as much as the scenario's"
            );
            notice(Gravity::Note, "host-clean", text, "for exact small waits use --engine virtual")
        }
        HostVerdict::Noisy => notice(Gravity::Warning, "host-noisy", format!("noisy: {reasons}"), &remedy),
        HostVerdict::Unusable => grave("host-unusable", format!("unusable: {reasons}"), &remedy),
    })
}

/// What went wrong in the run itself.
fn trouble(variant: &VariantReport) -> Vec<Notice> {
    let mut found = Vec::new();
    for violation in &variant.summary.violations {
        found.push(grave(
            "law-broken",
            format!("a law of the emulation is broken: {violation}"),
            "report this as a bug",
        ));
    }
    if variant.out_of_events {
        let text = format!(
            "all events of --max-events are used up at {} of {}: the figures are partial",
            variant.summary.end, variant.plan.duration
        );
        found.push(grave("max-events", text, "raise --max-events, or shorten `duration`"));
    } else if variant.interrupted {
        let text =
            format!("interrupted at {} of {}: the figures are partial", variant.summary.end, variant.plan.duration);
        found.push(grave("interrupted", text, "run it to its end"));
    }
    if variant.threads_refused > 0 {
        let (refused, had) = (variant.threads_refused, variant.summary.live_threads_max);
        let text =
            format!("the system refused {refused} thread(s); the run went on with {had} of {}", variant.plan.pool.size);
        found.push(grave("threads-refused", text, "raise the limit on threads (ulimit -u)"));
    }
    if variant.panics > 0 {
        let text = format!("{} handler(s) panicked; their items are counted as lost", variant.panics);
        found.push(notice(
            Gravity::Warning,
            "panics",
            text,
            "expected only where the scenario has a fault that says so",
        ));
    }
    found
}

/// The open load is more than the pool can carry.
fn overload(variant: &VariantReport) -> Option<Notice> {
    let plan = &variant.plan;
    let each = |found: &crate::plan::stability::Overload| {
        let (offered, there) = (found.offered, found.capacity);
        let node = found.node.and_then(|node| plan.cluster.as_ref()?.nodes.get(node.index()));
        let on = node.map_or_else(String::new, |node| format!(" on {}", node.name));
        let what = match found.of {
            Bottleneck::Pool => format!("{offered:.1} of {there} threads of the pool"),
            Bottleneck::Processors => format!("{offered:.2} of {there} processors"),
            Bottleneck::Cap(class) => format!("{offered:.1} of the {there} threads of {}", plan.class_name(class)),
        };
        what + &on
    };
    let overloads = plan.overloads();
    if overloads.is_empty() {
        return None;
    }
    let asked = overloads.iter().map(each).collect::<Vec<_>>().join(", ");
    let mut growing: Vec<(f64, &str)> =
        plan.classes.iter().enumerate().map(|(at, class)| (trend(variant, at), class.name.as_str())).collect();
    growing.retain(|(trend, _)| *trend >= 1.0);
    growing.sort_by(|a, b| b.0.total_cmp(&a.0));
    let told: Vec<String> =
        growing.iter().take(3).map(|(trend, name)| format!("{name} by {trend:.0} items/h")).collect();
    let growth = if told.is_empty() {
        "no backlog grew in this run".to_string()
    } else {
        format!("the backlog grew: {}", told.join(", "))
    };
    let text = format!(
        "steady-state figures do not exist: the load that comes whatever happens asks on average for {asked}; {growth}, \
         and a longer run has longer waits"
    );
    Some(notice(
        Gravity::Warning,
        "unstable",
        text,
        "offer less or allow more; or read the figures as those of a run of just this length",
    ))
}

/// By how many items an hour a class's backlog grew, on average over the runs.
fn trend(variant: &VariantReport, class: usize) -> f64 {
    match &variant.replicated {
        Some(replicated) => replicated.services[class].own[figure("waiting_trend_per_hour")].mean,
        None => variant.summary.classes[class].waiting_trend_per_hour,
    }
}

/// The warm-up that was to be chosen could not be.
fn warmup(variant: &VariantReport) -> Option<Notice> {
    let pilot = variant.pilot?;
    let length = variant.plan.warmup.length();
    let why = match pilot.found {
        Settling::After(_) if variant.plan.load_is_steady() => return None,
        Settling::After(time) => {
            let text = format!(
                "the load changes during the run, so there is no one steady state; MSER-5 found {time} all the same"
            );
            let remedy = "give the warm-up as a time, or measure from the start, as of a mail day";
            return Some(notice(Gravity::Note, "warmup-of-changing-load", text, remedy));
        }
        Settling::Never => format!(
            "no steady state was found: the items in the system do not settle in the first half of the run, on average \
             over {} pilot runs",
            pilot.runs
        ),
        Settling::Overloaded => {
            "there is no steady state to warm up to: the load is more than the pool can carry".into()
        }
    };
    let used = match length {
        Nanos::ZERO => "the warm-up is 0".to_string(),
        length => format!("the warm-up is that of the other variants, {length}"),
    };
    let text = format!("{why}; {used}");
    Some(notice(Gravity::Warning, "no-steady-state", text, "run longer, give the warm-up as a time, or offer less"))
}

/// What the figures cannot say.
fn figures(variant: &VariantReport) -> Vec<Notice> {
    let mut found = Vec::new();
    let (mut thin, mut waiting, mut refused, mut cut) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (class, summary) in variant.plan.classes.iter().zip(&variant.summary.classes) {
        // No table has the percentiles of probes.
        if (1..1_000).contains(&summary.wait.count) && class.role != Role::Probe {
            thin.push(class.name.as_str());
        }
        if let Some(oldest) = summary.oldest_waiting
            && oldest >= variant.plan.starvation_after
        {
            waiting.push(format!("{} ({}, the oldest for {oldest})", class.name, summary.still_waiting));
        }
        if summary.outcomes.refused > 0 {
            refused.push(format!("{} ({})", class.name, summary.outcomes.refused));
        }
        if summary.episode_count > EPISODES_KEPT as u64 {
            cut.push(class.name.as_str());
        }
    }
    let mut add = |names: Vec<String>, gravity, code: &str, text: &str, remedy: &str| {
        if !names.is_empty() {
            found.push(notice(gravity, code, format!("{text}: {}", names.join(", ")), remedy));
        }
    };
    let owned = |names: Vec<&str>| names.into_iter().map(String::from).collect::<Vec<_>>();
    let text = "items still waited at the end, so a backlog had not drained and their full waits are not known";
    add(waiting, Gravity::Warning, "backlog-at-end", text, "run longer, or offer less");
    let text = "items found no room to wait";
    add(
        refused,
        Gravity::Warning,
        "refused",
        text,
        "raise max_waiting, or read the waits as those of the items taken in",
    );
    let text = "fewer than 1,000 items, so p99.9 is the maximum";
    add(owned(thin), Gravity::Note, "few-items", text, "run longer");
    let text = "only the first 500 starvation episodes are listed one by one (the totals are of all)";
    add(owned(cut), Gravity::Note, "episodes-cut", text, "");
    found
}

/// Variants are to be compared under one load; say so where a variant changes it.
fn different_loads(variants: &[VariantReport]) -> Option<Notice> {
    let (first, others) = variants.split_first()?;
    let same = |a: &Plan, b: &Plan| {
        a.seed == b.seed && a.duration == b.duration && a.warmup == b.warmup && a.load.asked() == b.load.asked()
    };
    let changed: Vec<&str> =
        others.iter().filter(|v| !same(&first.plan, &v.plan)).map(|v| v.plan.variant.as_str()).collect();
    (!changed.is_empty()).then(|| {
        let quoted: Vec<String> = changed.iter().map(|name| format!("`{name}`")).collect();
        let text = format!(
            "not the same load: {} differ from `{}` in what the scenario offers or in its faults",
            quoted.join(", "),
            first.plan.variant
        );
        notice(Gravity::Note, "loads-differ", text, "no mistake where the scenario means to compare loads")
    })
}
