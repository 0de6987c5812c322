//! Real threads beside virtual time, per service, where both engines ran.

use super::super::Report;
use super::super::blocks::Blocks;
use super::super::table::Grid;
use super::{active, class, class_id, names};
use crate::metrics::agreement::{Agreement, Pair, agreement};
use crate::time::Nanos;

/// The whole section; empty where one engine ran.
pub(in crate::report) fn agreements(report: &Report) -> Blocks {
    if report.variants.iter().all(|v| v.in_virtual_time.is_none()) || !report.has_services() {
        return Blocks::new();
    }
    let told = "Each figure on real threads / in virtual time, with the same draws. Where a service is overloaded, waits \
                amplify every microsecond of the host; the starved share is what to compare there.";
    let rows = active(report);
    let cells = rows.iter().map(|service| {
        let of = |at: usize| {
            let variant = &report.variants[at];
            let theirs = variant.in_virtual_time.as_ref();
            let (Some(ours), Some(theirs), Some(id)) = (class(variant, service), theirs, class_id(variant, service))
            else {
                return vec!["-".to_string(); 4];
            };
            figures(&agreement(ours, &theirs.classes[id.index()]))
        };
        (0..report.variants.len()).map(of).collect()
    });
    let grid = Grid {
        corner: "service".into(),
        cells: cells.collect(),
        rows: rows.iter().map(ToString::to_string).collect(),
        grouping: "variant".into(),
        groups: names(report),
        figures: ["mean wait", "wait p99", "service mean", "starved"].map(String::from).to_vec(),
    };
    let mut out = Blocks::new();
    out.line("", told);
    out.gap();
    out.grid(grid);
    out
}

fn figures(agreement: &Agreement) -> Vec<String> {
    let time = |us: f64| Nanos::from_f64(us * 1e3).to_string();
    let times = |pair: Pair| format!("{} / {}", time(pair.threads), time(pair.in_virtual_time));
    let percent = agreement.starved_percent;
    vec![
        times(agreement.wait_mean_us),
        times(agreement.wait_p99_us),
        times(agreement.service_mean_us),
        format!("{:.1} / {:.1} %", percent.threads, percent.in_virtual_time),
    ]
}
