//! Estimates over several runs, and how the variants differ, with their intervals.

use super::super::Report;
use super::super::format::{Tone, toned, wrap};
use super::super::table::Grid;
use super::{active, class_id, names};
use crate::metrics::replicated::{Estimate, Replicated, figure};
use crate::time::Nanos;

/// Figures shown here: heading, name, unit. All others are in the JSON.
const SHOWN: &[(&str, &str, Unit)] = &[
    ("mean wait", "wait_mean_s", Unit::Seconds),
    ("wait p99", "wait_p99_s", Unit::Seconds),
    ("starved", "starved_percent", Unit::Percent),
    ("longest episode", "longest_episode_s", Unit::Seconds),
    ("gave up", "gave_up", Unit::Items),
];

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Percent,
    Items,
}

impl Unit {
    fn text(self, value: f64) -> String {
        let sign = if value < 0.0 { "-" } else { "" };
        let size = value.abs();
        match self {
            Unit::Seconds => format!("{sign}{}", Nanos::from_f64(size * 1e9)),
            Unit::Percent => format!("{sign}{size:.2} %"),
            Unit::Items => format!("{sign}{size:.1}"),
        }
    }

    fn interval(self, estimate: &Estimate) -> String {
        format!("{} ± {}", self.text(estimate.mean), self.text(estimate.half_width))
    }
}

/// The whole section; empty where nothing was replicated.
pub(super) fn replications(report: &Report, width: usize) -> String {
    let Some(first) = report.variants.iter().find_map(|v| v.replicated.as_ref()) else { return String::new() };
    let told = format!(
        "{} independent runs of each variant under the same seeds; mean ± half of the 95 % interval (Student t over the \
         runs). All other sections, and the verdict, are those of the first run.",
        first.seeds.len()
    );
    let mut out = wrap("", &told, width);
    out.push('\n');
    out.push_str(&grid(report, &names(report), 0, |replicated| Some(&replicated.estimates)).render(width));
    if report.variants.len() > 1 {
        let others = names(report).split_off(1);
        let told = format!(
            "Difference to {}, run by run under the same seed; * where the interval leaves out zero:",
            names(report)[0]
        );
        out.push('\n');
        out.push_str(&wrap("", &told, width));
        out.push_str(&grid(report, &others, 1, |replicated| replicated.difference.as_ref()).render(width));
    }
    out
}

/// Services, variants from number `from` on, and the shown figures.
fn grid<'a>(
    report: &'a Report,
    groups: &[String],
    from: usize,
    pick: impl Fn(&'a Replicated) -> Option<&'a Vec<Vec<Estimate>>>,
) -> Grid {
    let rows = active(report);
    let marks = from > 0;
    let cell = |service: &str, variant: usize, name: &str, unit: Unit| -> String {
        let variant = &report.variants[variant + from];
        let estimates = variant.replicated.as_ref().and_then(&pick);
        let (Some(estimates), Some(id)) = (estimates, class_id(variant, service)) else { return "-".into() };
        let estimate = &estimates[id.index()][figure(name)];
        let text = unit.interval(estimate);
        match marks && estimate.differs_from_zero() {
            true => toned(Tone::Strong, &format!("{text} *")),
            false => text,
        }
    };
    let cells = rows.iter().map(|service| {
        let groups = (0..groups.len())
            .map(|variant| SHOWN.iter().map(|(_, name, unit)| cell(service, variant, name, *unit)).collect());
        groups.collect()
    });
    Grid {
        corner: "service".into(),
        cells: cells.collect(),
        rows: rows.iter().map(ToString::to_string).collect(),
        grouping: "variant".into(),
        groups: groups.to_vec(),
        figures: SHOWN.iter().map(|(heading, ..)| heading.to_string()).collect(),
    }
}
