//! Pictures in characters: histograms of waits, and items waiting over time.
//!
//! Not the counting (`metrics::derived` puts histograms on one axis). Called by `text`.

use super::super::format::{Tone, columns, count, edge, plain, toned, wrap};
use super::super::table::{Grid, Sheet};
use super::super::{Report, VariantReport};
use super::{active, class, class_id, names};
use crate::metrics::derived::{on_axis, side_by_side, waiting_over_time};
use crate::metrics::latency::LatencySummary;
use crate::plan::Role;

/// Everything below this is one row.
const FLOOR_US: u64 = 1_000;
/// Everything above this is one column of a compact histogram.
const CEILING_US: u64 = 1_000_000_000;
/// Names of the decades of a compact histogram, as wide as they are: one column below, three a decade, one above.
const AXIS: &str = "<  1ms 10  .1s 1s  10  100 >";

const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The waits of protocols in full, those of the others in one line each.
pub(super) fn histograms(report: &Report, width: usize) -> String {
    let (protocols, others): (Vec<&str>, Vec<&str>) =
        active(report).into_iter().partition(|name| has_role(report, name, |role| role == Role::Protocol));
    let mut out = String::new();
    for name in protocols {
        out.push_str(&in_full(report, name, width));
        out.push('\n');
    }
    if others.is_empty() {
        return out.trim_end_matches('\n').to_string() + if out.is_empty() { "" } else { "\n" };
    }
    let cell = |variant: &VariantReport, name: &str| {
        vec![class(variant, name).map_or_else(String::new, |class| compact(&class.wait))]
    };
    let grid = Grid {
        corner: "service".into(),
        rows: others.iter().map(|name| plain(name)).collect(),
        grouping: "variant".into(),
        groups: names(report),
        figures: vec![AXIS.to_string()],
        cells: others.iter().map(|name| report.variants.iter().map(|v| cell(v, name)).collect()).collect(),
    };
    out.push_str(&grid.render(width));
    let note = "Height: share of the fullest column of its own line. A decade has three columns, from 1, 2 and 5.";
    out.push_str(&wrap("", &toned(Tone::Faint, note), width));
    out
}

fn has_role(report: &Report, name: &str, wanted: impl Fn(Role) -> bool) -> bool {
    let roles = report.variants.iter().flat_map(|v| &v.plan.classes).filter(|c| c.name == name);
    roles.into_iter().any(|c| wanted(c.role))
}

/// One service: a row a bucket, a bar a variant, all bars on one scale.
fn in_full(report: &Report, name: &str, width: usize) -> String {
    let waits: Vec<Option<&LatencySummary>> =
        report.variants.iter().map(|v| class(v, name).map(|class| &class.wait)).collect();
    let rows = side_by_side(&waits, FLOOR_US);
    let most = rows.iter().flat_map(|row| &row.counts).copied().max().unwrap_or(0);
    let digits = columns(&count(most));
    let labels: Vec<String> = rows
        .iter()
        .map(|row| match row.from_us {
            0 => format!("under {}", edge(row.to_us)),
            from => format!("{} to {}", edge(from), edge(row.to_us)),
        })
        .collect();
    let label = labels.iter().map(|l| columns(l)).max().unwrap_or(0).max(columns(name));
    let variants = report.variants.len().max(1);
    let bar_room = (width.saturating_sub(label) / variants).saturating_sub(digits + 3).clamp(10, 40);
    let mut sheet = Sheet { names: names(report), facts: Vec::new() };
    for (label, row) in labels.into_iter().zip(&rows) {
        let cells = row.counts.iter().map(|n| match n {
            0 => format!("{:>digits$}", "·"),
            n => format!("{:>digits$} {}", count(*n), bar(*n, most, bar_room)),
        });
        sheet.add(label, cells.collect());
    }
    let title = wrap("", &format!("{}, waits by length", toned(Tone::Strong, &plain(name))), width);
    title + &sheet.render(width)
}

/// A bar of at most `room` columns; whatever is not zero is seen.
fn bar(n: u64, most: u64, room: usize) -> String {
    let eighths = (n as f64 / most.max(1) as f64 * room as f64 * 8.0).round().max(1.0) as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8 - 1]);
    }
    bar
}

/// A histogram in one line, under [`AXIS`].
fn compact(wait: &LatencySummary) -> String {
    let counts = on_axis(wait, FLOOR_US, CEILING_US);
    let heights = sparkline(&counts, counts.iter().copied().max().unwrap_or(0), '·');
    let mut out = String::new();
    for (at, height) in heights.chars().enumerate() {
        // A gap before each decade: after the first column, then after every three.
        if at > 0 && (at - 1).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(height);
    }
    // The columns of AXIS: one more space after the first, which has no name of three letters.
    out.replacen(' ', "  ", 1)
}

/// Counts as heights; `zero` where there is nothing.
fn sparkline(counts: &[u64], most: u64, zero: char) -> String {
    let height = |n: &u64| match n {
        0 => zero,
        n => HEIGHTS[((*n as f64 / most.max(1) as f64 * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    counts.iter().map(height).collect()
}

/// Protocols and heavy queues: items waiting, from the begin of the run to its end.
pub(super) fn over_time(report: &Report, width: usize) -> String {
    let shown = |role| matches!(role, Role::Protocol | Role::HeavyQueue);
    let rows: Vec<&str> = active(report).into_iter().filter(|name| has_role(report, name, shown)).collect();
    if rows.is_empty() || report.variants.iter().all(|v| v.summary.timeline.is_empty()) {
        return String::new();
    }
    let service = rows.iter().map(|name| columns(name)).max().unwrap_or(0);
    let variant = names(report).iter().map(|name| columns(name)).max().unwrap_or(0).max(7);
    let room = width.saturating_sub(service + variant + 16).clamp(10, 80);
    let line = |v: &VariantReport, name: &str| {
        class_id(v, name).map_or_else(Vec::new, |id| waiting_over_time(&v.summary.timeline, id, room))
    };
    let cells = rows.iter().map(|name| {
        let lines: Vec<Vec<u64>> = report.variants.iter().map(|v| line(v, name)).collect();
        // At least one line a character: two waiting items are no mountain.
        let most = lines.iter().flatten().copied().max().unwrap_or(0).max(HEIGHTS.len() as u64);
        let peak = |v: &VariantReport| class(v, name).map_or_else(String::new, |c| count(c.waiting_max));
        let cell = |(v, line): (&VariantReport, &Vec<u64>)| {
            let drawn = sparkline(line, most, ' ');
            vec![format!("{drawn:<room$}│"), peak(v)]
        };
        report.variants.iter().zip(&lines).map(cell).collect()
    });
    let end = report.variants.iter().map(|v| v.plan.duration).max().unwrap_or_default();
    let grid = Grid {
        corner: "service".into(),
        cells: cells.collect(),
        rows: rows.iter().map(|name| plain(name)).collect(),
        grouping: "variant".into(),
        groups: names(report),
        figures: vec![format!("{:<room$} ", format!("0 to {end}")), "peak".into()],
    };
    let note = "The variants of a service share one scale. Other services: see waiting_max and timeline in the JSON.";
    grid.render(width) + &wrap("", &toned(Tone::Faint, note), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_vanish() {
        assert_eq!(bar(100, 100, 10), "██████████");
        assert_eq!(bar(50, 100, 10), "█████");
        assert_eq!(bar(1, 1_000_000, 10), "▏");
        assert_eq!(sparkline(&[0, 1, 4, 8], 8, '·'), "·▁▄█");
    }

    #[test]
    fn a_compact_histogram_is_as_wide_as_its_axis() {
        let mut latency = crate::metrics::latency::Latency::default();
        latency.record(crate::time::Nanos::from_millis(1));
        let line = compact(&latency.summary());
        assert_eq!(line.chars().count(), AXIS.chars().count(), "{line}|{AXIS}");
        assert_eq!(line.chars().position(|c| c == '█'), AXIS.find("1ms"));
    }
}
