//! The limits beside the pool, each in a file of its own: the store's threads, the domain table, a transport server.
//!
//! Not the figures, which are `metrics::limits`'. Called by `text`, `html` and `explain`; every part is empty where no variant
//! has the limit.

pub(in crate::report) mod domains;
pub(in crate::report) mod store;
pub(in crate::report) mod transport;

use super::super::blocks::Blocks;
use super::super::format::{Tone, amount, count, plain, toned};
use super::super::table::{Grid, Sheet};
use super::super::{Report, VariantReport};
use super::names;
use super::replications::{interval, value};
use crate::plan::Plan;
use crate::plan::limits::StorePlan;
use crate::policy::registry::ValueId;

/// Entries of a log that are told of each variant.
const ENTRIES_TOLD: usize = 14;

/// Whether a limit of every one of these plans tells a registry value itself, with its origin.
pub(super) fn tells(plans: &[&Plan], id: ValueId) -> bool {
    let told = |plan: &&Plan| {
        let by_store = plan.limits.store.is_some() && StorePlan::VALUES.contains(&id);
        by_store || (plan.limits.domains.is_some() && id == ValueId::ZombieDomainEntryThreshold)
    };
    plans.iter().all(told)
}

/// How to read the figures of the limits.
pub(super) fn how_to_read(report: &Report) -> Vec<&'static str> {
    let mut parts = Vec::new();
    if report.variants.iter().any(|v| v.plan.limits.store.is_some()) {
        parts.push(
            "A call to the store waits from the moment at which it came until it has its threads; a message, from when it was \
             put on its queue, so the time counts in which the service was not logged on. Waits are those of the calls that \
             began; who still waits at the end is counted as waiting.",
        );
    }
    if report.variants.iter().any(|v| v.plan.limits.domains.is_some()) {
        parts.push(
            "An entry of the domain table is live while its domain has messages, then dead. Dead entries stay until they are \
             swept or the service restarts. The memory of the emulated server is an account: what an entry takes in it is \
             domains.entry_bytes. 1 MB is 1,048,576 bytes.",
        );
    }
    if report.variants.iter().any(|v| v.plan.limits.transport.is_some()) {
        parts.push(
            "A sender that is refused offers the rest of its session's messages again with its next attempt; a message is \
             handed over when it is on the server's queue, and delivered when it is in its mailbox or at its domain. Back \
             pressure is looked at every few seconds, so that a level begins and ends at such a moment.",
        );
    }
    parts
}

/// The figures over several runs, with the least and the largest.
pub(in crate::report) fn over_runs(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    let mut rows: Vec<&str> = Vec::new();
    for figure in report.variants.iter().flat_map(|v| &v.limits_over_runs) {
        if !rows.contains(&figure.name.as_str()) {
            rows.push(&figure.name);
        }
    }
    if rows.is_empty() {
        return out;
    }
    let cell = |v: &VariantReport, name: &str| match v.limits_over_runs.iter().find(|figure| figure.name == name) {
        Some(f) => vec![interval(name, &f.estimate), value(name, f.least), value(name, f.most)],
        None => vec![super::figures::ABSENT.to_string(); 3],
    };
    let cells = rows.iter().map(|name| report.variants.iter().map(|v| cell(v, name)).collect()).collect();
    out.grid(grid(report, "over all runs", &rows, &["mean", "least", "most"], cells));
    out
}

/// Which of several runs the figures are of.
fn of_the_first_run(report: &Report, out: &mut Blocks) {
    if report.variants.iter().any(|v| v.replicated.is_some()) {
        out.note("Of several runs this is the first.");
    }
}

/// Facts of the variants; `-` where a variant has no such limit.
fn fact<'r, T>(
    report: &'r Report,
    sheet: &mut Sheet,
    label: &str,
    of: impl Fn(&'r VariantReport) -> Option<T>,
    cell: impl Fn(&T) -> String,
) {
    let cells = report.variants.iter().map(|v| of(v).map_or_else(|| super::figures::ABSENT.to_string(), |t| cell(&t)));
    sheet.add(label, cells.collect());
}

/// A table of rows by variant.
fn grid(report: &Report, corner: &str, rows: &[&str], figures: &[&str], cells: Vec<Vec<Vec<String>>>) -> Grid {
    Grid {
        corner: corner.into(),
        rows: rows.iter().map(ToString::to_string).collect(),
        grouping: "variant".into(),
        groups: names(report),
        figures: figures.iter().map(ToString::to_string).collect(),
        cells,
    }
}

/// The variant's name above what is its own, where there are several.
fn headed(report: &Report, variant: &VariantReport, out: &mut Blocks) {
    if report.variants.len() > 1 {
        out.line("", &toned(Tone::Strong, &plain(&variant.plan.variant)));
    }
}

/// How many entries a log has beyond those that are told, and which output has them.
fn more(kept: usize, dropped: u64, where_they_are: &str, out: &mut Blocks) {
    match kept.saturating_sub(ENTRIES_TOLD) as u64 + dropped {
        0 if kept == 0 => out.line("", "no entries"),
        0 => {}
        more => out.line("", &format!("and {} more{where_they_are}", count(more))),
    }
}

fn bad(n: u64) -> String {
    if n > 0 { toned(Tone::Bad, &count(n)) } else { toned(Tone::Good, "0") }
}

/// `732 MB`, `12.5 MB`, `4,096 bytes`.
pub(in crate::report) fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < MIB { format!("{} bytes", count(bytes)) } else { format!("{} MB", amount(bytes as f64 / MIB as f64)) }
}

#[cfg(test)]
mod tests {
    use super::super::super::format::{columns, paint};
    use super::super::super::sample::{compared, report, with_limits, with_transport};
    use super::super::{TextOptions, text};
    use super::*;
    use crate::report::verdict::sentence;

    fn both() -> Report {
        report(vec![with_limits("five", 5, None), with_limits("twenty", 20, Some(8))])
    }

    fn at(report: &Report, width: usize) -> String {
        text(report, &TextOptions { width, colour: false })
    }

    #[test]
    fn every_line_fits_every_width_and_nothing_of_the_pool_is_told() {
        let reports = [both(), report(vec![with_limits("one", 5, None)])];
        for report in &reports {
            for width in [48, 60, 80, 100, 132, 250] {
                let text = at(report, width);
                for line in text.lines() {
                    assert!(columns(line) <= width, "{} columns of {width}: {line}", columns(line));
                    assert_eq!(line.trim_end(), line);
                }
                for never in ["NaN", "inf ", "\u{2060}", "POOL", "POP3", "threads in the pool", "No user", "starves"] {
                    assert!(!text.contains(never), "`{never}` at {width}:\n{text}");
                }
            }
        }
    }

    #[test]
    fn the_parts_come_in_order_with_their_figures() {
        let text = at(&both(), 132);
        let parts = [
            "STORE THREADS",
            "Max Threads(Private+Public)",
            "sessions by the formula",
            "CALLS TO THE STORE",
            "store.inbound",
            "LIVES OF THE INTERNET MAIL SERVICE",
            "EVENT LOG OF THE INTERNET MAIL SERVICE",
            "MSExchangeIMC 4116",
            "MSExchangeIMC 3039",
            "MSExchangeIMC 4117",
            "MSExchangeIMC 4094",
            "MSExchangeIMC 4102",
            "PERFOPT.LOG",
            "0x20 -> 0x5",
            "DOMAIN TABLE",
            "ZombieDomainEntryThreshold",
            "entries that fit",
            "LOG OF THE DOMAIN TABLE",
            "memory is gone",
            "ASSUMPTIONS",
            "HOW TO READ",
            "VERDICT",
        ];
        let mut from = 0;
        for part in parts {
            let found = text[from..].find(part).unwrap_or_else(|| panic!("no `{part}` behind {from}:\n{text}"));
            from += found;
        }
        let row = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).expect(name).to_string();
        assert!(row("Max Threads").contains("5 (left by Performance Optimizer, defaults)"), "{}", row("Max Threads"));
        assert!(row("sessions by").contains("17 = (((5 x 3)/4 + 25) x 3)/5 + 1"), "{}", row("sessions by"));
        assert!(row("reads the value").contains("yes: the hotfix has it"), "{}", row("reads the value"));
        assert!(row("left for calls").contains("1 of 5"), "{}", row("left for calls"));
        let squeezed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(&text).ends_with(&sentence(&both())), "{text}");
    }

    #[test]
    fn beside_a_pool_both_are_told_and_without_limits_nothing_is() {
        let mut mixed = compared();
        let lent = with_limits("x", 5, None);
        let mut plan = (*mixed.variants[0].plan).clone();
        plan.limits = lent.plan.limits.clone();
        mixed.variants[0].plan = std::sync::Arc::new(plan);
        mixed.variants[0].limits = lent.limits;
        let text = at(&mixed, 100);
        for part in [
            "POOL",
            "STORE THREADS",
            "DOMAIN TABLE",
            "POP3 users were left waiting",
            "; with Max Threads 5, the Internet Mail Service",
        ] {
            assert!(text.contains(part) || sentence(&mixed).contains(part), "no `{part}`:\n{text}");
        }
        let without = at(&compared(), 100);
        assert!(!without.contains("STORE THREADS") && !without.contains("DOMAIN TABLE"), "{without}");
        let parts = [store::threads, store::calls, store::lives, store::events, store::optimizer];
        for part in parts.into_iter().chain([domains::table, domains::log]) {
            assert_eq!(part(&compared()).text(100), "");
        }
    }

    #[test]
    fn a_transport_server_is_told_at_every_width_and_by_variant() {
        let reports = [
            report(vec![with_transport("on", true), with_transport("off", false)]),
            report(vec![with_transport("alone", true), with_limits("other", 5, None)]),
        ];
        for report in &reports {
            for width in [48, 60, 80, 100, 132, 250] {
                let text = at(report, width);
                for line in text.lines() {
                    assert!(columns(line) <= width, "{} columns of {width}: {line}", columns(line));
                    assert_eq!(line.trim_end(), line);
                }
                assert!(!text.contains("NaN") && !text.contains('\u{2060}'), "at {width}:\n{text}");
            }
        }
        let text = at(&reports[0], 132);
        let row = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).expect(name).to_string();
        assert!(row("time at High").contains("1 min 40 s (17 %)"), "{}", row("time at High"));
        assert!(row("Queue database and disk").contains("Normal=94% Medium=96% High=98%"));
        assert!(row("Queue database and disk").contains("not watched"), "where nothing is watched");
        assert!(row("back pressure, High: honest").contains("20"), "{}", row("back pressure, High: honest"));
        assert!(text.contains("something of flood was refused"), "groups have their names:\n{text}");
        let parts = [transport::server, transport::senders, transport::connections, transport::held];
        for part in parts.into_iter().chain([transport::pressure, transport::events]) {
            assert_eq!(part(&compared()).text(100), "");
        }
    }

    #[test]
    fn bytes_read_as_a_person_writes_them() {
        let told = [0, 4_096, 1 << 20, 12 << 20, 750_000_000].map(bytes);
        assert_eq!(told, ["0 bytes", "4,096 bytes", "1.0 MB", "12.0 MB", "715 MB"]);
    }

    /// Not a check but a look: `cargo test --lib report::text::limits::tests::looks -- --nocapture`.
    #[test]
    fn looks() {
        println!("{}", paint(&at(&both(), 100), false));
    }
}
