//! The proof as text: one block a case, one line a figure.
//!
//! Not the verdicts (`judge`). Called by `verify` and `cli`.

use std::fmt::Write;

use super::judge::{Judged, Verdict};
use super::replicate::{Design, Series};
use super::{CaseResult, Report};
use crate::time::Nanos;

/// How a series was simulated, in one line.
#[must_use]
pub fn how(design: &Design, series: &Series) -> String {
    let seconds = |time: Nanos| time.as_secs_f64().round();
    let deleted = match design.deleted {
        Nanos::ZERO => "from empty, nothing deleted".to_string(),
        deleted => format!("the first {} s deleted", seconds(deleted)),
    };
    let (n, length) = (series.replications, seconds(design.length));
    format!("{n} replications of {length} s, {deleted}; {} items served", series.items)
}

/// One case.
#[must_use]
pub fn block(report: &Report) -> String {
    let mut text = format!("{}: {}\n", report.id, report.summary);
    match &report.result {
        CaseResult::Skipped(why) => {
            let _ = writeln!(text, "  SKIPPED: {why}");
        }
        CaseResult::Impossible(why) => {
            let _ = writeln!(text, "  FAIL: {why}");
        }
        CaseResult::Checked { figures, how, violations } => {
            for line in how {
                let _ = writeln!(text, "  {line}");
            }
            let _ = writeln!(
                text,
                "  {:<34} {:>14} {:>14} {:>12} {:>7} {:>7}",
                "figure", "expected", "simulated", "95 % +-", "in %", "z"
            );
            for figure in figures {
                text.push_str(&line(figure));
            }
            for violation in violations {
                let _ = writeln!(text, "  a law was broken: {violation}");
            }
            let _ = writeln!(text, "  {}", if report.failed() { "FAIL" } else { "PASS" });
        }
    }
    text
}

fn line(judged: &Judged) -> String {
    let expected = &judged.wanted.expected;
    let argument = expected.at.map_or(String::new(), |at| format!("({at})"));
    let name = format!("{}.{}{argument}", expected.group, expected.figure);
    let part = match judged.wanted.expected.value {
        0.0 => "exact".to_string(),
        value => format!("{:.2}", judged.half_width / value.abs() * 100.0),
    };
    let verdict = match (judged.verdict, judged.allowed) {
        (Verdict::Wide, Some(allowed)) => format!("WIDE (at most {} %)", allowed * 100.0),
        (verdict, _) => verdict.word().to_string(),
    };
    format!(
        "  {name:<34} {:>14} {:>14} {:>12} {part:>7} {:>7.2}  {verdict}\n",
        number(expected.value),
        number(judged.simulated),
        number(judged.half_width),
        judged.z,
    )
}

/// Seven digits.
fn number(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-4 { format!("{x:.4e}") } else { format!("{x:.7}") }
}

/// The closing lines.
#[must_use]
pub fn closing(reports: &[Report]) -> String {
    let names = |of: fn(&Report) -> bool| {
        let names: Vec<&str> = reports.iter().filter(|r| of(r)).map(|r| r.id.as_str()).collect();
        (names.len(), names.join(", "))
    };
    let (passed, _) = names(Report::passed);
    let (failed, failures) = names(Report::failed);
    let (skipped, _) = names(|r| matches!(r.result, CaseResult::Skipped(_)));
    let failures = if failed > 0 { format!(": {failures}") } else { String::new() };
    format!("{passed} passed, {skipped} skipped, {failed} failed{failures}\n")
}
