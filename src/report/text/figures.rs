//! The tables of the text: outcomes, waits, starvation, threads held, journeys.
//!
//! Not the bars and lines drawn in characters (`histogram`). Called by `text`.

use super::super::blocks::Blocks;
use super::super::format::{Tone, amount, count, micros, percent, plain, toned};
use super::super::table::Grid;
use super::super::{MeanWait, Report, VariantReport};
use super::{active, class, class_id, names, services};
use crate::metrics::derived::pool_share;
use crate::metrics::trust::Doubt;
use crate::metrics::{ClassSummary, Holder, JourneySummary};
use crate::plan::Role;
use crate::time::Nanos;
use crate::workload::journey::Arrivals;

/// What stands where a variant has no such service.
pub(super) const ABSENT: &str = "-";

/// A table of services, one figure after the other from each variant's figures.
fn table(
    report: &Report,
    rows: &[&str],
    figures: &[&str],
    cells: impl Fn(&VariantReport, &ClassSummary) -> Vec<String>,
) -> Grid {
    let cell = |variant: &VariantReport, name: &str| {
        class(variant, name).map_or_else(|| vec![ABSENT.to_string(); figures.len()], |c| cells(variant, c))
    };
    Grid {
        corner: "service".into(),
        rows: rows.iter().map(|name| plain(name)).collect(),
        grouping: "variant".into(),
        groups: names(report),
        figures: figures.iter().map(|f| (*f).to_string()).collect(),
        cells: rows.iter().map(|name| report.variants.iter().map(|v| cell(v, name)).collect()).collect(),
    }
}

fn bad_above_zero(n: u64) -> String {
    if n > 0 { toned(Tone::Bad, &count(n)) } else { "0".into() }
}

/// How the items of each service ended.
pub(in crate::report) fn outcomes(report: &Report) -> Blocks {
    let rows = active(report);
    let idle: Vec<String> = services(report).into_iter().filter(|name| !rows.contains(name)).map(plain).collect();
    // In a cluster, and where somebody restarted the services of a single server.
    let went_offline =
        |v: &VariantReport| v.on_cluster().is_some() || v.summary.classes.iter().any(ClassSummary::went_offline);
    let went_offline = report.variants.iter().any(went_offline);
    let mut figures = vec!["arrivals", "served", "gave up", "refused", "lost", "unfinished"];
    if went_offline {
        figures.extend(["cut", "unreachable"]);
    }
    let cells = |_: &VariantReport, c: &ClassSummary| {
        let o = c.outcomes;
        let mut cells = vec![
            count(c.arrivals),
            count(o.served),
            bad_above_zero(o.gave_up),
            bad_above_zero(o.refused),
            bad_above_zero(o.lost),
            count(o.unfinished),
        ];
        if went_offline {
            cells.extend([bad_above_zero(o.cut), bad_above_zero(o.unreachable)]);
        }
        cells
    };
    let all = table(report, &rows, &figures, cells);
    let before = all.figures.clone();
    let grid = all.without(|at, cell| at >= 2 && (cell == "0" || cell == ABSENT));
    let gone: Vec<String> = before.into_iter().filter(|figure| !grid.figures.contains(figure)).collect();
    let mut out = Blocks::new();
    if !rows.is_empty() {
        out.grid(grid);
    }
    out.listed("Zero everywhere, and so not shown", &gone);
    out.listed("No item came to", &idle);
    out
}

/// How long items waited for a thread.
pub(in crate::report) fn waits(report: &Report) -> Blocks {
    let rows = active(report);
    if rows.is_empty() {
        return Blocks::new();
    }
    let cells = |v: &VariantReport, c: &ClassSummary| {
        let wait = |time: Nanos| match time {
            time if time >= v.plan.starvation_after => toned(Tone::Bad, &time.to_string()),
            time => time.to_string(),
        };
        let w = &c.wait;
        let mean = match v.mean_waits.iter().zip(&v.summary.classes).find(|(_, class)| std::ptr::eq(*class, c)) {
            _ if v.replicated.is_some() => micros(w.mean_us),
            Some((MeanWait { doubt: None, half_width_us: Some(half), .. }, _)) => {
                format!("{} ± {}", micros(w.mean_us), micros(*half))
            }
            _ => micros(w.mean_us),
        };
        let mut cells = vec![mean, wait(w.p50), wait(w.p90), wait(w.p99), wait(w.p999), wait(w.max)];
        cells.push(micros(c.service.mean_us));
        cells
    };
    let mut out = Blocks::new();
    out.grid(table(report, &rows, &["mean", "p50", "p90", "p99", "p99.9", "max", "held for"], cells));
    out.append(doubts(report, &rows));
    out
}

/// Why the interval of a mean wait is missing, reason by reason. Several runs have intervals of their own.
fn doubts(report: &Report, rows: &[&str]) -> Blocks {
    let mut reasons: Vec<(Doubt, Vec<String>)> = Vec::new();
    let mut trusted = 0;
    for variant in report.variants.iter().filter(|v| v.replicated.is_none()) {
        for name in rows {
            let Some(found) = class_id(variant, name).and_then(|id| variant.mean_waits.get(id.index())) else {
                continue;
            };
            let Some(doubt) = found.doubt else {
                trusted += 1;
                continue;
            };
            let who = match report.variants.len() {
                1 => plain(name),
                _ => format!("{} ({})", plain(name), plain(&variant.plan.variant)),
            };
            match reasons.iter_mut().find(|(known, _)| *known == doubt) {
                Some((_, names)) => names.push(who),
                None => reasons.push((doubt, vec![who])),
            }
        }
    }
    let mut out = Blocks::new();
    if trusted > 0 {
        out.note("mean ± half of its 95 % interval, from batch means of this one run.");
    }
    let one_reason = reasons.len() == 1 && trusted == 0;
    for (doubt, names) in reasons {
        let who = if one_reason { "all services".to_string() } else { names.join(", ") };
        let text =
            format!("mean: interval not trustworthy: {who}: {}; for intervals use --replications", doubt.reason());
        out.note(&text);
    }
    out
}

/// Who starved, for how long, and who held the threads meanwhile.
pub(in crate::report) fn starvation(report: &Report) -> Blocks {
    let all = active(report);
    let starved = |name: &&str| report.variants.iter().any(|v| class(v, name).is_some_and(|c| c.episode_count > 0));
    let (rows, fine): (Vec<&str>, Vec<&str>) = all.into_iter().partition(starved);
    let fine: Vec<String> = fine.into_iter().map(|name| toned(Tone::Good, &plain(name))).collect();
    let mut out = Blocks::new();
    if rows.is_empty() {
        if !fine.is_empty() {
            out.line("", "No service starved in any variant.");
        }
        return out;
    }
    let figures = ["episodes", "longest", "starved", "shut out", "still waiting"];
    let cells = |_: &VariantReport, c: &ClassSummary| {
        let tone = if c.episode_count > 0 { Tone::Bad } else { Tone::Good };
        vec![
            toned(tone, &count(c.episode_count)),
            toned(tone, &c.longest_episode.to_string()),
            toned(tone, &percent(c.starved_percent)),
            toned(tone, &percent(c.shut_out_percent)),
            count(c.still_waiting),
        ]
    };
    out.grid(table(report, &rows, &figures, cells));
    out.gap();
    out.line("", "Who held the threads while it starved (share of the threads held):");
    let told = |name: &&&str| rows.len() <= HOLDERS_OF_ALL || is_request(report, name);
    for name in rows.iter().filter(told) {
        for variant in &report.variants {
            if let Some(class) = class(variant, name).filter(|c| c.episode_count > 0) {
                let held = holders(variant, &class.holders);
                let text = format!("{}, {}: {held}", plain(name), plain(&variant.plan.variant));
                out.line("- ", &text);
            }
        }
    }
    if rows.len() > HOLDERS_OF_ALL {
        let text = "Who held the threads while each work queue starved is in the JSON report.";
        out.note(text);
    }
    if !fine.is_empty() {
        out.line("", &format!("Never starved: {}", fine.join(", ")));
    }
    out
}

/// With more starved services than this, only those that users and senders wait for are told who held the threads.
const HOLDERS_OF_ALL: usize = 20;

/// Whether a service is one of requests, not a work queue.
fn is_request(report: &Report, name: &str) -> bool {
    let role = |v: &VariantReport| class_id(v, name).map(|id| v.plan.classes[id.index()].role);
    report.variants.iter().find_map(role).is_some_and(|role| matches!(role, Role::Protocol | Role::SmtpIn))
}

/// `smtp1.pre-categorization 46 %, smtp2.local-delivery 31 %, 3 others under 1 % each`.
fn holders(variant: &VariantReport, holders: &[Holder]) -> String {
    let word = |h: &Holder| format!("{} {}", plain(variant.plan.class_name(h.class)), percent(h.percent));
    let mut words: Vec<String> = holders.iter().filter(|h| h.percent >= 1.0).map(word).collect();
    match holders.len() - words.len() {
        0 => {}
        1 => words.push("1 other under 1 %".into()),
        few => words.push(format!("{few} others under 1 % each")),
    }
    if words.is_empty() { "nobody".into() } else { words.join(", ") }
}

/// Thread time held by each service.
pub(in crate::report) fn held(report: &Report) -> Blocks {
    let rows = active(report);
    if rows.is_empty() {
        return Blocks::new();
    }
    let cells = |v: &VariantReport, c: &ClassSummary| {
        vec![
            amount(c.thread_seconds),
            percent(pool_share(c, v.plan.pool.size, v.summary.measured())),
            count(u64::from(c.busy_max)),
        ]
    };
    let mut out = Blocks::new();
    out.grid(table(report, &rows, &["thread-seconds", "of the pool", "most at once"], cells));
    out
}

/// Messages and sessions from begin to end.
pub(in crate::report) fn journeys(report: &Report) -> Blocks {
    let mut rows: Vec<&str> = Vec::new();
    let sources = report.variants.iter().flat_map(|variant| &variant.plan.load.sources);
    // Probes are no users' sessions.
    for source in sources.filter(|source| !matches!(source.arrivals, Arrivals::OnCall)) {
        if !rows.contains(&source.name.as_str()) {
            rows.push(&source.name);
        }
    }
    let find = |v: &'_ VariantReport, name: &str| -> Option<JourneySummary> {
        v.summary.journeys.iter().find(|j| v.plan.source_name(j.source) == name).cloned()
    };
    let any = |name: &&str| report.variants.iter().any(|v| find(v, name).is_some_and(|j| j.completed + j.cut > 0));
    let (rows, idle): (Vec<&str>, Vec<&str>) = rows.into_iter().partition(any);
    let mut out = Blocks::new();
    if !rows.is_empty() {
        let cell = |v: &VariantReport, name: &str| match find(v, name) {
            Some(j) if j.completed == 0 => {
                vec![count(0), bad_above_zero(j.cut), ABSENT.to_string(), ABSENT.to_string()]
            }
            Some(j) => {
                vec![count(j.completed), bad_above_zero(j.cut), j.total.p50.to_string(), j.total.p99.to_string()]
            }
            None => vec![ABSENT.to_string(); 4],
        };
        let grid = Grid {
            corner: "source".into(),
            rows: rows.iter().map(|name| plain(name)).collect(),
            grouping: "variant".into(),
            groups: names(report),
            figures: ["completed", "cut", "p50", "p99"].map(String::from).to_vec(),
            cells: rows.iter().map(|name| report.variants.iter().map(|v| cell(v, name)).collect()).collect(),
        };
        out.grid(grid);
        let note = "Times from the begin of a message or session to its end, of the completed ones";
        out.note(&format!("{note}; cut: a step gave up, was refused or lost."));
    }
    let idle: Vec<String> = idle.into_iter().map(plain).collect();
    out.listed("No message or session ended from", &idle);
    out
}
