//! The report of `atqsim compare` for a terminal: what was run, who got what, who starved, how far to believe it.
//!
//! Not the figures, which are computed, and not the tables' layout (`table`). Called by `cli`. Every line fits the
//! width; nothing is cut off: what is left out is named.

pub(in crate::report) mod agreement;
pub(in crate::report) mod cluster;
pub(in crate::report) mod facts;
pub(in crate::report) mod figures;
mod histogram;
pub(in crate::report) mod limits;
pub(in crate::report) mod replications;

use super::format::{Tone, paint, plain, toned, wrap};
use super::verdict::sentence;
use super::{Report, VariantReport};
use crate::ids::ClassId;
use crate::metrics::ClassSummary;
use crate::plan::Role;

pub(super) use facts::{assumptions, pool_facts};

/// Width where the output is no terminal.
pub const DEFAULT_WIDTH: usize = 100;
/// The least width that is laid out for; a narrower terminal gets lines of this width.
pub const LEAST_WIDTH: usize = 48;

/// How to write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to colour it.
    pub colour: bool,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions { width: DEFAULT_WIDTH, colour: false }
    }
}

/// The report as text; ends with the verdict.
#[must_use]
pub fn text(report: &Report, options: &TextOptions) -> String {
    let width = options.width.max(LEAST_WIDTH);
    if report.variants.is_empty() {
        return "Nothing was run.\n".into();
    }
    let parts = [
        facts::title(report).text(width),
        section("Pool", facts::pool(report).text(width)),
        section("Registry", facts::other_registry(report).text(width)),
        section("Replications", replications::replications(report).text(width)),
        section("Every figure over the runs", replications::every_figure(report).text(width)),
        section("Cluster", cluster::cluster(report).text(width)),
        section("Time line", cluster::time_lines(report, width)),
        section("Unavailable to users", cluster::unavailable(report).text(width)),
        section("Event log", cluster::events(report).text(width)),
        section("Limits over the runs", limits::over_runs(report).text(width)),
        section("Store threads", limits::store::threads(report).text(width)),
        section("Calls to the store", limits::store::calls(report).text(width)),
        section("Lives of the Internet Mail Service", limits::store::lives(report).text(width)),
        section("Event log of the Internet Mail Service", limits::store::events(report).text(width)),
        section("perfopt.log", limits::store::optimizer(report).text(width)),
        section("Domain table", limits::domains::table(report).text(width)),
        section("Log of the domain table", limits::domains::log(report).text(width)),
        section("Transport server", limits::transport::server(report).text(width)),
        section("Senders", limits::transport::senders(report).text(width)),
        section("Connections", limits::transport::connections(report).text(width)),
        section("What each limit refused or delayed, and to whom", limits::transport::held(report).text(width)),
        section("Back pressure", limits::transport::pressure(report).text(width)),
        section("Event log of the transport service", limits::transport::events(report).text(width)),
        section("Outcomes", figures::outcomes(report).text(width)),
        section("Waits for a thread", figures::waits(report).text(width)),
        section("Starvation", figures::starvation(report).text(width)),
        section("Threads held", figures::held(report).text(width)),
        section("How long requests waited", histogram::histograms(report, width)),
        section("Items waiting over time", histogram::over_time(report, width)),
        section("Journeys", figures::journeys(report).text(width)),
        section("Both engines", agreement::agreements(report).text(width)),
        section("Host", facts::host(report).text(width)),
        section("Logs", facts::logs(report).text(width)),
        section("Notices", facts::notices(report).text(width)),
        section("Assumptions", facts::report_assumptions(report).text(width)),
        section("How to read this", how_to_read(report, width)),
        section("Thresholds", facts::thresholds(report).text(width)),
        section("Verdict", wrap("", &sentence(report), width)),
    ];
    let mut out = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(part);
    }
    paint(&out, options.colour)
}

/// A heading and what is under it; nothing where there is nothing.
pub(super) fn section(title: &str, body: String) -> String {
    if body.is_empty() { body } else { format!("{}\n{body}", toned(Tone::Strong, &title.to_uppercase())) }
}

fn how_to_read(report: &Report, width: usize) -> String {
    let mut out = String::new();
    if report.has_services() {
        out.push_str(&how_to_read_services(report, width));
    }
    limits::how_to_read(report).into_iter().for_each(|part| out.push_str(&wrap("", part, width)));
    out
}

fn how_to_read_services(report: &Report, width: usize) -> String {
    let after = report.variants[0].plan.starvation_after;
    wrap(
        "",
        &format!(
            "A wait counts from the moment at which the load says that the item is due, not from when the emulator \
             got round to it, so a stall hides no waits (no coordinated omission); whoever gave up or was never \
             served counts with the time waited. A service starves while its oldest waiting item has waited for {after} \
             or more, and is shut out while it holds no thread at all then. p99 = 99 of 100 waited no longer; held for = the mean time that an item held its thread. Clients of a closed population \
             that wait longer ask less, so their arrivals differ between variants; open arrivals do not."
        ),
        width,
    )
}

/// Names of the variants, in order.
fn names(report: &Report) -> Vec<String> {
    report.variants.iter().map(|variant| plain(&variant.plan.variant)).collect()
}

/// Names of all services of all variants, in order of their first appearance. Probes are no users' requests, and are told
/// with the cluster.
fn services(report: &Report) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let all = report.variants.iter().flat_map(|variant| &variant.plan.classes);
    for class in all.filter(|class| class.role != Role::Probe) {
        if !names.contains(&class.name.as_str()) {
            names.push(&class.name);
        }
    }
    names
}

/// The services to which something came in any variant.
pub(super) fn active(report: &Report) -> Vec<&str> {
    let came = |name: &&str| report.variants.iter().any(|v| class(v, name).is_some_and(|c| c.arrivals > 0));
    services(report).into_iter().filter(came).collect()
}

/// The id of a variant's service, where it has that service.
pub(super) fn class_id(variant: &VariantReport, name: &str) -> Option<ClassId> {
    variant.plan.class(name).filter(|id| id.index() < variant.summary.classes.len())
}

/// The figures of a variant's service, where it has that service.
pub(super) fn class<'a>(variant: &'a VariantReport, name: &str) -> Option<&'a ClassSummary> {
    class_id(variant, name).map(|id| &variant.summary.classes[id.index()])
}

#[cfg(test)]
mod tests {
    use super::super::format::columns;
    use super::super::sample::{TUNED, compared, report as made, variant};
    use super::*;
    use crate::metrics::Metrics;
    use crate::policy::registry::ValueId;
    use crate::time::Nanos;
    use std::sync::Arc;

    fn at(report: &Report, width: usize) -> String {
        text(report, &TextOptions { width, colour: false })
    }

    fn corners() -> Report {
        let pool = &[(ValueId::AdditionalPoolThreadsPerProc, 18)];
        let cap = &[(ValueId::MaxPercentPoolThreads, 22)];
        made(vec![
            variant("untuned", &[], Nanos::from_secs(40)),
            variant("pool only", pool, Nanos::from_secs(12)),
            variant("cap only", cap, Nanos::from_millis(700)),
            variant("both", TUNED, Nanos::from_millis(280)),
        ])
    }

    #[test]
    fn every_line_fits_every_width_and_no_figure_is_lost() {
        let long = "a variant with a name\u{1b}[31m that says_in_one_very_long_word_what_it_is_for_and_why";
        let reports = [
            compared(),
            corners(),
            made(vec![variant("untuned", &[], Nanos::from_secs(40))]),
            made(vec![variant(long, &[], Nanos::from_secs(40)), variant("tuned", TUNED, Nanos::ZERO)]),
        ];
        for report in &reports {
            for width in [48, 60, 80, 100, 132, 250] {
                let text = at(report, width);
                for line in text.lines() {
                    assert!(columns(line) <= width, "{} columns of {width}: {line}", columns(line));
                    assert_eq!(line.trim_end(), line);
                }
                assert!(!text.contains("NaN") && !text.contains("inf ") && !text.contains('\u{2060}'));
                let p999 = report.variants[0].summary.classes[0].wait.p999.to_string();
                assert!(text.contains(&p999), "p99.9 {p999} is missing at {width}");
                assert!(!text.contains('\u{1b}'), "a name must not steer the terminal");
            }
        }
    }

    #[test]
    fn the_parts_come_in_order_and_the_verdict_last() {
        let text = at(&compared(), 100);
        let parts = [
            "KB 281868: POP3",
            "POOL",
            "OUTCOMES",
            "WAITS",
            "STARVATION",
            "THREADS HELD",
            "HOW LONG",
            "OVER TIME",
            "JOURNEYS",
            "HOST",
            "LOGS",
            "NOTICES",
            "ASSUMPTIONS",
            "HOW TO READ",
            "THRESHOLDS",
            "VERDICT",
        ];
        let places: Vec<usize> = parts.iter().map(|p| text.find(p).unwrap_or_else(|| panic!("no {p}"))).collect();
        assert!(places.windows(2).all(|w| w[0] < w[1]), "{places:?}");
        let squeezed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(&text).ends_with(&sentence(&compared())));
    }

    #[test]
    fn variants_stand_side_by_side() {
        let text = at(&compared(), 100);
        let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        assert!(row("threads in the pool").contains("20") && row("threads in the pool").contains("44"));
        assert!(row("one heavy queue").contains("18 (90 %)") && row("one heavy queue").contains("9 (22 %)"));
        assert!(row("MaxPercentPoolThreads").contains("22 (tuned.reg:4)"));
        assert!(row("MaxPercentPoolThreads").contains("default 90"), "{}", row("MaxPercentPoolThreads"));
        assert!(text.contains("No item came to: smtp1.dsn"), "{text}");
        assert!(text.contains("smtp1.pre-categorization 6"), "who held the threads: {text}");
    }

    #[test]
    fn failed_thresholds_are_listed_and_kept_ones_counted() {
        let mut report = compared();
        let part = |report: &Report| {
            let text = at(report, 100);
            let (_, rest) = text.split_once("THRESHOLDS\n").expect("there are thresholds");
            rest.split_once("\nVERDICT").expect("the verdict follows").0.to_string()
        };
        let told = part(&report);
        assert!(told.contains("3 of 6 thresholds failed"), "{told}");
        assert!(told.contains("pop3.starved_percent < 1") && told.contains("nothing measured"), "{told}");
        assert!(told.contains("users notice a second") && !told.contains("pool.size"), "{told}");
        report.variants.remove(0);
        report.variants[0].asserts.retain(|result| result.passed);
        assert_eq!(part(&report), "2 thresholds hold.\n");
        report.variants[0].asserts.clear();
        assert!(!at(&report, 100).contains("THRESHOLDS"));
    }

    /// Variants need not have the same services, and a run may end before anything has come.
    #[test]
    fn missing_services_and_empty_runs_are_told() {
        let mut report = compared();
        let mut plan = (*report.variants[1].plan).clone();
        plan.classes.truncate(3);
        report.variants[1].plan = Arc::new(plan);
        report.variants[1].summary.classes.truncate(3);
        let text = at(&report, 100);
        let row = text.lines().find(|line| line.starts_with("smtp1.local-delivery")).expect("the service is told");
        assert!(row.ends_with('-'), "{row}");
        let mut empty = made(vec![variant("untuned", &[], Nanos::ZERO)]);
        let classes = empty.variants[0].plan.classes.len();
        let nothing = Metrics::new(classes, 2, Nanos::SECOND, Nanos::SECOND).close(Nanos::ZERO, [], []);
        empty.variants[0].summary = nothing;
        empty.variants[0].interrupted = true;
        let text = at(&empty, 100);
        assert!(text.contains("INTERRUPTED after 0") && text.contains("No item came to: pop3, imap4"), "{text}");
        assert!(!text.contains("NaN") && super::super::json::json(&empty).contains("\"interrupted\": true"));
    }

    #[test]
    fn colour_changes_no_word() {
        let coloured = text(&compared(), &TextOptions { width: 100, colour: true });
        let mut bare = String::new();
        let mut escape = false;
        for c in coloured.chars() {
            match c {
                '\u{1b}' => escape = true,
                'm' if escape => escape = false,
                _ if escape => {}
                c => bare.push(c),
            }
        }
        assert_eq!(bare, at(&compared(), 100));
        assert!(coloured.contains("\u{1b}[31m"));
    }

    /// Not a check but a look: `cargo test --lib report::text::tests::looks -- --nocapture`.
    #[test]
    fn looks() {
        println!("{}", at(&compared(), 100));
        println!("{}", at(&corners(), 60));
    }
}
