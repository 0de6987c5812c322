//! The parts of the text that say what was run and how far to believe it: title, pool, host, notices, assumptions.
//!
//! Not the figures of the services (`figures`). Called by `text`; the pool's facts by `explain` as well.

use std::collections::BTreeSet;

use super::super::blocks::Blocks;
use super::super::format::{Tone, and, count, counted, percent, plain, toned};
use super::super::table::Sheet;
use super::super::threshold::AssertResult;
use super::super::{Gravity, Pilot, Report, Settling, VariantReport};
use super::names;
use crate::metrics::host::{HostNoise, HostVerdict, Spread};
use crate::plan::{Plan, Warmup};
use crate::policy::assumptions::Assumption;
use crate::policy::registry::ValueId;
use crate::time::Nanos;

/// Title, file, engine, seed, speed, duration.
pub(in crate::report) fn title(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    out.line("", &toned(Tone::Strong, &plain(&report.variants[0].plan.title)));
    title_facts(report).into_iter().for_each(|(label, text)| out.line(label, &text));
    out
}

/// What stands under the title: label and text.
pub(in crate::report) fn title_facts(report: &Report) -> Vec<(&'static str, String)> {
    let plan = &report.variants[0].plan;
    let engine = match report.engine.as_str() {
        "threads" => format!("real threads, {} emulated seconds per second", plan.speed),
        "threads and virtual" => {
            format!("real threads, {} emulated seconds per second; then virtual time", plan.speed)
        }
        "virtual" => "virtual time".to_string(),
        other => plain(other),
    };
    let ends: BTreeSet<_> = report.variants.iter().map(|v| v.summary.end).collect();
    let cut = report.variants.iter().any(|v| v.interrupted);
    let mut length = format!("{} of emulated time", plan.duration);
    if cut {
        let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
        length = toned(Tone::Bad, &format!("INTERRUPTED after {} of {length}", ends.join(", ")));
    }
    let variants = names(report);
    let all = [
        ("file      ", plain(&plan.file)),
        ("engine    ", engine),
        ("seed      ", plan.seed.to_string()),
        ("duration  ", length),
        ("warm-up   ", warmup(report)),
        ("variants  ", variants.join(", ")),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// The time that no figure counts, and who chose it; nothing where there is none.
fn warmup(report: &Report) -> String {
    let length = |v: &VariantReport| v.plan.warmup.length();
    let first = &report.variants[0];
    let differ = report.variants.iter().any(|v| length(v) != length(first));
    let each = report.variants.iter().map(|v| format!("{} ({})", length(v), plain(&v.plan.variant)));
    let lengths = if differ { each.collect::<Vec<_>>().join(", ") } else { length(first).to_string() };
    if report.variants.iter().all(|v| v.plan.warmup == Warmup::None) {
        return String::new();
    }
    let mut text = match first.plan.warmup.length() {
        Nanos::ZERO if !differ => "none".to_string(),
        _ => format!("{lengths}, emulated and not measured"),
    };
    let piloted: Vec<(&VariantReport, Pilot)> = report.variants.iter().filter_map(|v| Some((v, v.pilot?))).collect();
    if !piloted.is_empty() {
        let found = piloted.iter().map(|(v, pilot)| {
            let found = match pilot.found {
                Settling::After(Nanos::ZERO) => "none needed".to_string(),
                Settling::After(time) => time.to_string(),
                Settling::Never => "never settles".to_string(),
                Settling::Overloaded => "overloaded".to_string(),
            };
            format!("{} {found}", plain(&v.plan.variant))
        });
        let runs = piloted.iter().map(|(_, pilot)| pilot.runs).max().unwrap_or(0);
        let found = found.collect::<Vec<_>>().join(", ");
        let longest = if piloted.len() > 1 { "the longest of all variants, " } else { "" };
        text.push_str(&format!(
            "; auto: {longest}by MSER-5 on the items in the system, averaged over {runs} pilot runs in virtual time ({found})"
        ));
    }
    text
}

/// The pool of each variant; nothing where no service uses it.
pub(in crate::report) fn pool(report: &Report) -> Blocks {
    if !report.has_services() {
        return Blocks::new();
    }
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    let mut sheet = pool_facts(&plans);
    let alive = report.variants.iter().map(|v| v.summary.live_threads_max.to_string());
    sheet.add("most threads alive", alive.collect());
    let mut problem = |label: &str, of: &dyn Fn(&VariantReport) -> u64| {
        let cell = |v: &VariantReport| match of(v) {
            0 => "0".to_string(),
            n => toned(Tone::Bad, &count(n)),
        };
        if report.variants.iter().any(|v| of(v) > 0) {
            sheet.add(label, report.variants.iter().map(cell).collect());
        }
    };
    problem("threads refused by the host", &|v| u64::from(v.threads_refused));
    problem("handlers that panicked", &|v| v.panics);
    registry(&plans, &mut sheet);
    let mut out = Blocks::new();
    out.sheet(sheet);
    out
}

/// The pool's shape: size, caps, what is left.
pub(in crate::report) fn pool_facts(plans: &[&Plan]) -> Sheet {
    let each = |fact: &dyn Fn(&Plan) -> String| plans.iter().map(|plan| fact(plan)).collect::<Vec<String>>();
    let mut sheet = Sheet { names: plans.iter().map(|plan| plain(&plan.variant)).collect(), facts: Vec::new() };
    sheet.add("threads in the pool", each(&|p| count(u64::from(p.pool.size))));
    sheet.add("  how many", each(&|p| p.pool.steps.first().cloned().unwrap_or_default()));
    sheet.add("  at most", each(&|p| format!("{} ({})", count(u64::from(p.pool.limit)), p.pool.limit_source)));
    sheet.add("one heavy queue may hold", each(&|p| format!("{} ({} %)", p.pool.heavy_queue_cap, p.pool.percent)));
    sheet.add("heavy queues", each(&|p| p.pool.heavy_queues.to_string()));
    sheet.add(
        "  together may ask for",
        each(&|p| format!("{} of {}", count(u64::from(p.pool.heavy_request_total)), count(u64::from(p.pool.size)))),
    );
    sheet.add(
        "left for POP3, IMAP4, others",
        each(&|p| match p.pool.left_for_others {
            0 => toned(Tone::Bad, "0"),
            left => toned(Tone::Good, &count(u64::from(left))),
        }),
    );
    sheet.add("runnable at once", each(&|p| count(u64::from(p.pool.runnable_limit))));
    sheet
}

/// The registry values that any variant sets, where there is no pool to tell them with.
pub(in crate::report) fn other_registry(report: &Report) -> Blocks {
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    let mut out = Blocks::new();
    if !report.has_services() && !told_here(&plans).is_empty() {
        let mut sheet = Sheet { names: names(report), facts: Vec::new() };
        registry(&plans, &mut sheet);
        out.sheet(sheet);
        out.note("Nothing in this scenario uses these values.");
    }
    out
}

/// The values that any variant sets, but for those that a limit tells.
fn told_here(plans: &[&Plan]) -> BTreeSet<ValueId> {
    let ids = plans.iter().flat_map(|plan| plan.registry.iter().map(|(id, _)| id));
    ids.filter(|id| !super::limits::tells(plans, *id)).collect()
}

/// The registry values that any variant sets, with their origin.
fn registry(plans: &[&Plan], sheet: &mut Sheet) {
    let ids = told_here(plans);
    if plans.iter().all(|plan| plan.registry.is_empty()) {
        sheet.add("registry", vec!["empty: every value has its default".to_string(); plans.len()]);
    }
    for id in ids {
        let cell = |plan: &&Plan| match plan.registry.setting(id) {
            Some(setting) => format!("{} ({})", setting.data, plain(&setting.origin())),
            None => match plan.registry.effective(id, &plan.assumptions) {
                Some(data) => format!("not set (default {data})"),
                None => format!("not set ({})", id.value().default_text()),
            },
        };
        sheet.add(id.value().full_name(), plans.iter().map(cell).collect());
    }
}

/// How well the host kept the clock; nothing in virtual time.
pub(in crate::report) fn host(report: &Report) -> Blocks {
    let hosts: Vec<(&VariantReport, &HostNoise)> =
        report.variants.iter().filter_map(|v| v.host.as_ref().map(|host| (v, host))).collect();
    if hosts.is_empty() {
        return Blocks::new();
    }
    let mut sheet = Sheet { names: hosts.iter().map(|(v, _)| plain(&v.plan.variant)).collect(), facts: Vec::new() };
    let words = hosts.iter().map(|(v, host)| {
        let (verdict, reasons) = host.verdict(v.plan.starvation_after);
        let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
        let tone = if verdict == HostVerdict::Clean { Tone::Good } else { Tone::Bad };
        format!("{}{reasons}", toned(tone, verdict.word()))
    });
    sheet.add("verdict", words.collect());
    let mut fact = |label: &str, of: &dyn Fn(&HostNoise) -> String| {
        sheet.add(label, hosts.iter().map(|(_, host)| of(host)).collect());
    };
    let spread = |s: &Spread| format!("{} / {} / {}", s.p50, s.p99, s.max);
    fact("late, p50 / p99 / max", &|h| spread(&h.lateness));
    fact("overslept, p50 / p99 / max", &|h| spread(&h.overshoot));
    fact("hiccup, p50 / p99.9 / max", &|h| spread(&h.hiccup));
    fact("waits lengthened by", &|h| percent(h.wait_inflation() * 100.0));
    fact("involuntary switches", &|h| count(h.involuntary_switches));
    fact("time stolen", &|h| h.steal.to_string());
    fact("load before, after", &|h| format!("{:.2}, {:.2}", h.load_average.0, h.load_average.1));
    fact("resolves waits above", &|h| h.floor_emulated().to_string() + " (emulated)");
    fact("took", &|h| format!("{} on {}", h.wall, counted(u64::from(h.host_processors), "processor")));
    let mut out = Blocks::new();
    out.sheet(sheet);
    out.note("Times of this computer, except where the verdict says emulated.");
    out
}

/// Log rows used and skipped.
pub(in crate::report) fn logs(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    let mut told: Vec<&Vec<String>> = Vec::new();
    for variant in report.variants.iter().filter(|v| !v.trace_lines.is_empty()) {
        // Every variant of a comparison reads the same logs as a rule: told once.
        if told.contains(&&variant.trace_lines) {
            continue;
        }
        told.push(&variant.trace_lines);
        variant.trace_lines.iter().for_each(|line| out.line("", &plain(line)));
    }
    out
}

/// What to know before believing the figures, the gravest first.
pub(in crate::report) fn notices(report: &Report) -> Blocks {
    let mut notices: Vec<_> = report.notices.iter().collect();
    notices.sort_by_key(|notice| std::cmp::Reverse(notice.gravity));
    let mut out = Blocks::new();
    for notice in notices {
        let lead = match notice.gravity {
            Gravity::Grave => toned(Tone::Bad, "grave    "),
            Gravity::Warning => toned(Tone::Strong, "warning  "),
            Gravity::Note => "note     ".to_string(),
        };
        let remedy = if notice.remedy.is_empty() { String::new() } else { format!("; {}", notice.remedy) };
        let text = format!("{}{remedy} [{}]", notice.text.trim_end_matches('.'), notice.code);
        out.line(&lead, &plain(&text));
    }
    out
}

/// The thresholds that failed; that all hold, if they do; nothing where there are none.
pub(in crate::report) fn thresholds(report: &Report) -> Blocks {
    let all: Vec<&AssertResult> = report.variants.iter().flat_map(|v| &v.asserts).collect();
    let failed: Vec<&&AssertResult> = all.iter().filter(|result| !result.passed).collect();
    let number = all.len() as u64;
    if number == 0 {
        return Blocks::new();
    }
    if failed.is_empty() {
        let verb = if number == 1 { "holds" } else { "hold" };
        let mut out = Blocks::new();
        out.line("", &toned(Tone::Good, &format!("{} {verb}.", counted(number, "threshold"))));
        return out;
    }
    let lead = format!("{} of {} failed:", count(failed.len() as u64), counted(number, "threshold"));
    let mut out = Blocks::new();
    out.line("", &toned(Tone::Bad, &lead));
    let names = ["threshold", "of", "found"].map(String::from).to_vec();
    let mut sheet = Sheet { names, facts: Vec::new() };
    for result in &failed {
        let of = result.service.as_deref().map_or_else(|| "the run".to_string(), plain);
        sheet.add(plain(&result.variant), vec![plain(&result.text), of, toned(Tone::Bad, &result.found_text())]);
    }
    out.sheet(sheet);
    let mut told: Vec<&str> = Vec::new();
    for result in failed.iter().filter(|result| !result.why.is_empty()) {
        if !told.contains(&result.text.as_str()) {
            told.push(&result.text);
            out.line("- ", &format!("{}: {}", plain(&result.text), plain(&result.why)));
        }
    }
    out
}

/// The assumptions of a report's variants.
pub(in crate::report) fn report_assumptions(report: &Report) -> Blocks {
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    let lead = format!(
        "Choices that nothing published settles: {} in a scenario; `atqsim explain` gives the reasons",
        sections(&plans)
    );
    let mut out = Blocks::new();
    out.note(&lead);
    let settings: Vec<String> = settings(&plans).into_iter().map(|(setting, _)| setting).collect();
    out.line("", &settings.join("; "));
    out
}

/// Every choice that nothing published settles; where variants differ, each variant's value.
pub(in crate::report) fn assumptions(plans: &[&Plan]) -> Blocks {
    let lead = format!("Choices that nothing published settles, under {} in a scenario", sections(plans));
    let mut out = Blocks::new();
    out.listed(&lead, &["name = value, why, source".into()]);
    for (setting, assumption) in settings(plans) {
        let why = format!("{} ({})", assumption.why, assumption.source);
        out.line("- ", &format!("{}: {why}", toned(Tone::Strong, &setting)));
    }
    out
}

/// Where the choices are made.
fn sections(plans: &[&Plan]) -> String {
    let any = |has: fn(&Plan) -> bool| plans.iter().any(|plan| has(plan));
    let mut sections: Vec<String> = Vec::new();
    let mut add = |there: bool, name: &str| sections.extend(there.then(|| name.to_string()));
    add(any(|plan| !plan.classes.is_empty()), "[assumptions]");
    add(any(|plan| plan.cluster.is_some()), "[cluster]");
    add(any(|plan| plan.limits.store.is_some()), "[store]");
    add(any(|plan| plan.limits.domains.is_some()), "[domains]");
    add(any(|plan| plan.limits.write_buffers.is_some()), "[write_buffers]");
    add(any(|plan| plan.limits.transport.is_some()), "[transport]");
    and(&sections)
}

/// More variants than this are not all named at their values.
const NAMED_MOST: usize = 4;

/// Values that are not the same in all variants, with the names of those. Of many variants those with the commonest value are
/// counted.
fn by_variant<'v>(values: impl Iterator<Item = &'v str>, plans: &[&Plan]) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for (value, plan) in values.zip(plans) {
        let name = plain(&plan.variant);
        match groups.iter_mut().find(|(known, _)| *known == value && plans.len() > NAMED_MOST) {
            Some((_, names)) => names.push(name),
            None => groups.push((value, vec![name])),
        }
    }
    let most = groups.iter().map(|(_, names)| names.len()).max().unwrap_or(0);
    let told = |(value, names): &(&str, Vec<String>)| {
        if names.len() == most && most > 1 {
            format!("{value} ({most} variants)")
        } else {
            format!("{value} ({})", names.join(", "))
        }
    };
    groups.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// Each assumption as `name = value`, and itself. A variant with a cluster has more of them than one without.
pub(in crate::report) fn settings(plans: &[&Plan]) -> Vec<(String, Assumption)> {
    let lists: Vec<_> = plans.iter().map(|plan| plan.assumption_list()).collect();
    let Some(longest) = lists.iter().max_by_key(|list| list.len()) else { return Vec::new() };
    let told = |assumption: &Assumption| {
        let name = assumption.name.trim_start_matches("assumptions.");
        let values = lists.iter().map(|list| {
            let found = list.iter().find(|other| other.name == assumption.name);
            found.map_or("none", |found| found.value.as_str())
        });
        let value = if values.clone().all(|value| value == assumption.value) {
            assumption.value.clone()
        } else {
            by_variant(values, plans)
        };
        (format!("{name} = {value}"), assumption.clone())
    };
    longest.iter().map(told).collect()
}
