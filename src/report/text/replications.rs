//! Estimates over several runs, and how the variants differ, with their intervals: the main figures of all services at
//! a glance, then every figure.

use super::super::blocks::Blocks;
use super::super::format::{Tone, count, percent, plain, toned};
use super::super::table::Grid;
use super::super::{Report, VariantReport};
use super::{class_id, names, services};
use crate::metrics::latency::LatencySummary;
use crate::metrics::replicated::{
    Estimate, Estimates, FIGURES, Figure, JOURNEY_FIGURES, RUN_FIGURES, Replicated, figure,
};
use crate::metrics::trust::Doubt;
use crate::time::Nanos;
use crate::workload::journey::Arrivals;

/// The main figures: heading and name.
pub(in crate::report) const MAIN: &[(&str, &str)] = &[
    ("mean wait", "wait_mean_s"),
    ("wait p99", "wait_p99_s"),
    ("starved", "starved_percent"),
    ("longest episode", "longest_episode_s"),
    ("gave up", "gave_up"),
];

/// What stands behind a figure whose interval is not to be trusted.
const DOUBTED: &str = " ?";

/// A figure's value in the unit that the end of its name says.
pub(in crate::report) fn value(name: &str, value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    if name.ends_with("_s") {
        format!("{sign}{}", Nanos::from_f64(size * 1e9))
    } else if name.ends_with("_percent") {
        format!("{sign}{} %", number(size))
    } else {
        format!("{sign}{}", number(size))
    }
}

/// Three digits or all before the point.
fn number(size: f64) -> String {
    match size {
        0.0 => "0".to_string(),
        x if x < 0.000_95 => format!("{x:.0e}"),
        x if x < 0.995 => format!("{x:.3}"),
        x if x < 9.95 => format!("{x:.2}"),
        x if x < 99.5 => format!("{x:.1}"),
        x => count(x.round() as u64),
    }
}

/// `3.1 s ± 200 ms`, without the width where the value is the same in every run.
pub(in crate::report) fn interval(name: &str, estimate: &Estimate) -> String {
    match estimate.half_width {
        0.0 => value(name, estimate.mean),
        half => format!("{} ± {}", value(name, estimate.mean), value(name, half)),
    }
}

/// The main figures and their differences; empty where nothing was replicated.
pub(in crate::report) fn replications(report: &Report) -> Blocks {
    let Some(first) = report.variants.iter().find_map(|v| v.replicated.as_ref()) else { return Blocks::new() };
    if !report.has_services() {
        let mut out = Blocks::new();
        let told = "{} independent runs of each variant under the same seeds; mean ± half of the 95 % interval (Student t over \
                    the runs). The limits over the runs and the thresholds are of all runs; everything else is of the first.";
        out.line("", &told.replace("{}", &first.seeds.len().to_string()));
        return out;
    }
    let told = format!(
        "{} independent runs of each variant under the same seeds; mean ± half of the 95 % interval (Student t over the \
         runs). This section, the one of every figure, the thresholds and the verdict are of all runs; the other sections \
         are those of the first run.",
        first.seeds.len()
    );
    let mut out = Blocks::new();
    out.line("", &told);
    out.gap();
    out.grid(main(report, &names(report), 0, |estimates| Some(&estimates.own)));
    if report.variants.len() > 1 {
        let others = names(report).split_off(1);
        let told = format!(
            "Difference to {}, run by run under the same seed; * where the interval leaves out zero:",
            names(report)[0]
        );
        out.gap();
        out.line("", &told);
        out.grid(main(report, &others, 1, |estimates| estimates.difference.as_ref()));
    }
    out.append(legend(report));
    out
}

/// What the question mark means, with the reasons that occur.
fn legend(report: &Report) -> Blocks {
    let mut doubts: Vec<Doubt> = Vec::new();
    for replicated in report.variants.iter().filter_map(|v| v.replicated.as_ref()) {
        let all = replicated.services.iter().chain(&replicated.journeys).chain([&replicated.run]);
        let each = all.flat_map(|estimates| estimates.own.iter().chain(estimates.difference.iter().flatten()));
        doubts.extend(each.filter_map(|estimate| estimate.doubt).filter(|doubt| *doubt != Doubt::NeverSeen));
    }
    doubts.sort_unstable();
    doubts.dedup();
    if doubts.is_empty() {
        return Blocks::new();
    }
    let reasons: Vec<&str> = doubts.into_iter().map(Doubt::reason).collect();
    let mut out = Blocks::new();
    out.line("", &format!("? interval not trustworthy: {}", reasons.join("; or ")));
    out
}

/// The services to which something came in any run.
fn active(report: &Report) -> Vec<&str> {
    let came = |name: &&str| {
        let arrivals = |v: &VariantReport| estimates(v, name).map(|e| e.own[figure("arrivals")].not_zero);
        report.variants.iter().filter_map(arrivals).any(|runs| runs > 0)
    };
    services(report).into_iter().filter(came).collect()
}

/// The estimates of a variant's service.
pub(in crate::report) fn estimates<'r>(variant: &'r VariantReport, service: &str) -> Option<&'r Estimates> {
    let id = class_id(variant, service)?;
    variant.replicated.as_ref()?.services.get(id.index())
}

/// Services, variants from number `from` on, and the main figures.
fn main(
    report: &Report,
    groups: &[String],
    from: usize,
    pick: impl for<'r> Fn(&'r Estimates) -> Option<&'r Vec<Estimate>>,
) -> Grid {
    let rows = active(report);
    let cell = |service: &str, variant: usize, name: &str| -> String {
        let estimates = estimates(&report.variants[variant + from], service);
        match estimates.and_then(&pick).map(|all| &all[figure(name)]) {
            Some(estimate) if from > 0 => difference_cell(name, estimate),
            Some(estimate) => format!("{}{}", interval(name, estimate), mark(estimate)),
            None => "-".into(),
        }
    };
    let cells = rows.iter().map(|service| {
        let groups =
            (0..groups.len()).map(|variant| MAIN.iter().map(|(_, name)| cell(service, variant, name)).collect());
        groups.collect()
    });
    Grid {
        corner: "service".into(),
        cells: cells.collect(),
        rows: rows.iter().map(|name| plain(name)).collect(),
        grouping: "variant".into(),
        groups: groups.to_vec(),
        figures: MAIN.iter().map(|(heading, _)| heading.to_string()).collect(),
    }
}

fn mark(estimate: &Estimate) -> &'static str {
    if estimate.doubt.is_some_and(|doubt| doubt != Doubt::NeverSeen) { DOUBTED } else { "" }
}

fn difference_cell(name: &str, estimate: &Estimate) -> String {
    let text = format!("{}{}", interval(name, estimate), mark(estimate));
    match estimate.differs_from_zero() {
        true => toned(Tone::Strong, &format!("{text} *")),
        false => text,
    }
}

/// Every figure of every service and source and of the run, one block each; empty where nothing was replicated.
pub(in crate::report) fn every_figure(report: &Report) -> Blocks {
    if report.variants.iter().all(|v| v.replicated.is_none()) || !report.has_services() {
        return Blocks::new();
    }
    let told = "mean ± half of the 95 % interval (the same as a share of the mean); * a difference whose interval leaves \
                out zero; ? interval not trustworthy. Quantiles are means of each run's own; below them those of the \
                items of all runs together.";
    let mut out = Blocks::new();
    out.line("", told);
    for name in active(report) {
        let find = |v: &'_ VariantReport| estimates(v, name).cloned();
        let merged = |v: &VariantReport| {
            let id = class_id(v, name)?;
            v.replicated.as_ref()?.merged_wait.get(id.index()).cloned()
        };
        out.gap();
        out.append(block(report, name, FIGURES, find, Some(&merged)));
    }
    let mut sources: Vec<&str> = Vec::new();
    let all = report.variants.iter().flat_map(|variant| &variant.plan.load.sources);
    for source in all.filter(|source| !matches!(source.arrivals, Arrivals::OnCall)) {
        if !sources.contains(&source.name.as_str()) {
            sources.push(&source.name);
        }
    }
    for name in sources {
        let find = |v: &VariantReport| {
            let at = v.plan.load.sources.iter().position(|source| source.name == name)?;
            v.replicated.as_ref()?.journeys.get(at).cloned()
        };
        let title = format!("{name} (messages or sessions)");
        out.gap();
        out.append(block(report, &title, JOURNEY_FIGURES, find, None));
    }
    out.gap();
    let of_the_run = |v: &VariantReport| v.replicated.as_ref().map(|replicated: &Replicated| replicated.run.clone());
    out.append(block(report, "the run", RUN_FIGURES, of_the_run, None));
    out
}

/// The waits of all runs of a variant in one histogram.
type Merged<'m> = &'m dyn Fn(&VariantReport) -> Option<LatencySummary>;

/// One block: a row a figure, a column a variant, and a column a difference.
fn block<S>(
    report: &Report,
    title: &str,
    figures: &[Figure<S>],
    find: impl Fn(&VariantReport) -> Option<Estimates>,
    merged: Option<Merged<'_>>,
) -> Blocks {
    let found: Vec<Option<Estimates>> = report.variants.iter().map(&find).collect();
    let merged: Vec<Option<LatencySummary>> =
        report.variants.iter().map(|variant| merged.and_then(|merged| merged(variant))).collect();
    let names = names(report);
    let (mut rows, mut cells, mut never) = (Vec::new(), Vec::new(), Vec::new());
    for (at, figure) in figures.iter().enumerate() {
        let own = found.iter().map(|estimates| estimates.as_ref().map(|estimates| &estimates.own[at]));
        if own.clone().flatten().all(|estimate| estimate.not_zero == 0) {
            never.push(label(figure.name));
            continue;
        }
        let difference = |estimates: &Option<Estimates>| {
            let difference = estimates.as_ref()?.difference.as_ref()?;
            Some(difference_cell(figure.name, &difference[at]))
        };
        let absent = || "-".to_string();
        let mut line: Vec<String> =
            own.map(|estimate| estimate.map_or_else(absent, |e| own_cell(figure.name, e))).collect();
        line.extend(found.iter().skip(1).map(|estimates| difference(estimates).unwrap_or_else(absent)));
        rows.push(label(figure.name));
        cells.push(vec![line]);
        if let Some(of) = merged_quantile(figure.name).filter(|_| merged.iter().any(Option::is_some)) {
            let mut line: Vec<String> =
                merged.iter().map(|all| all.as_ref().map_or_else(absent, |all| of(all).to_string())).collect();
            line.extend(found.iter().skip(1).map(|_| String::new()));
            rows.push("  of all runs".to_string());
            cells.push(vec![line]);
        }
    }
    let differences = names.iter().skip(1).map(|name| format!("{name} - {}", names[0]));
    let mut out = Blocks::new();
    if !rows.is_empty() {
        let grid = Grid {
            corner: toned(Tone::Strong, &plain(title)),
            rows,
            grouping: String::new(),
            groups: vec![String::new()],
            figures: names.iter().cloned().chain(differences).collect(),
            cells,
        };
        out.grid(grid);
    } else {
        out.line("", &toned(Tone::Strong, &plain(title)));
    }
    if !never.is_empty() {
        out.note(&format!("0 in every run: {}", never.join(", ")));
    }
    out
}

fn own_cell(name: &str, estimate: &Estimate) -> String {
    let share = match estimate.half_width {
        0.0 => String::new(),
        _ => format!(" ({})", percent(estimate.relative() * 100.0)),
    };
    format!("{}{share}{}", interval(name, estimate), mark(estimate))
}

/// A figure's name without its unit.
fn label(name: &str) -> String {
    let bare = name.strip_suffix("_s").or_else(|| name.strip_suffix("_percent")).unwrap_or(name);
    bare.replace("_per_hour", "/h").replace('_', " ")
}

/// The same quantile of merged waits.
fn merged_quantile(name: &str) -> Option<fn(&LatencySummary) -> Nanos> {
    Some(match name {
        "wait_p50_s" => |all| all.p50,
        "wait_p90_s" => |all| all.p90,
        "wait_p99_s" => |all| all.p99,
        "wait_p999_s" => |all| all.p999,
        _ => return None,
    })
}
