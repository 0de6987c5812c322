//! The report as one page that a browser opens from anywhere: nothing is loaded, from no network and from no other file.
//!
//! Sections are those of the text (`blocks`), written as elements; charts are drawn in the reader's browser by uPlot,
//! which is embedded with its licence, from the numbers in `data`. What the page does is in `page.js`, how it looks in
//! `page.css`. Not the figures. Called by `cli`.

mod data;
mod elements;
mod limits;
mod transport;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, context};

use super::blocks::Blocks;
use super::text::limits::{domains, store, transport as of_senders, write_buffers};
use super::text::{agreement, cluster, facts, figures, replications};
use super::verdict::{per_variant, sentence};
use super::{Report, VariantReport};
use crate::metrics::Outcomes;
use crate::plan::Plan;
use crate::policy::assumptions::Assumption;
use data::Data;
use elements::{Names, elements, unbroken};

const TEMPLATE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
const UPLOT: &str = include_str!("html/uplot/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("html/uplot/uPlot.min.css");
const UPLOT_LICENCE: &str = include_str!("html/uplot/LICENSE");

/// The page: HTML 5 in UTF-8. Charts over time need a report whose runs kept [`crate::metrics::intervals`].
#[must_use]
pub fn html(report: &Report) -> Vec<u8> {
    let names = Names::of(report);
    let section = |title: &str, blocks| {
        let body = elements(&blocks, title, &names);
        (!body.is_empty()).then(|| context! { title, id => id(title), body => Value::from_safe_string(body) })
    };
    let sections = |list: Vec<Option<Value>>| list.into_iter().flatten().collect::<Vec<Value>>();
    let data = serde_json::to_string(&Data::of(report)).expect("numbers and names are JSON");
    let first = report.variants.first();
    let plan = first.map(|variant| variant.plan.as_ref());
    let page = context! {
        title => plan.map_or("", |plan| plan.title.as_str()),
        verdict => unbroken(&sentence(report)),
        verdicts => verdicts(report),
        facts => facts_of(report),
        notices => notices(report),
        data => Value::from_safe_string(for_script(&data)),
        has_services => report.has_services(),
        has_intervals => report.has_services() && report.variants.iter().any(|v| !v.summary.intervals.is_empty()),
        has_cluster => report.variants.iter().any(|v| v.cluster.is_some()),
        has_replications => report.has_services() && report.variants.iter().any(|v| v.replicated.is_some()),
        has_store => report.variants.iter().any(|v| store::found(v).is_some()),
        has_domains => report.variants.iter().any(|v| domains::found(v).is_some()),
        has_transport => report.variants.iter().any(|v| of_senders::found(v).is_some()),
        transport_bars => transport::bars(report),
        starvation_after => plan.map(|plan| plan.starvation_after.to_string()),
        outcomes => outcomes(report),
        after_percentiles => sections(vec![
            section("Waits for a thread", figures::waits(report)),
            section("Replications", replications::replications(report)),
        ]),
        after_waits => sections(vec![section("Starvation", figures::starvation(report))]),
        after_threads => sections(vec![
            section("Threads held", figures::held(report)),
            section("Pool", facts::pool(report)),
        ]),
        after_cluster => sections(vec![
            section("Cluster", cluster::cluster(report)),
            section("Unavailable to users", cluster::unavailable(report)),
            section("Event log", cluster::events(report)),
        ]),
        after_outcomes => sections(vec![
            section("Outcomes", figures::outcomes(report)),
            section("Journeys", figures::journeys(report)),
        ]),
        after_store => sections(of_store(report).map(|(title, blocks)| section(title, blocks)).into()),
        after_domains => sections(of_domains(report).map(|(title, blocks)| section(title, blocks)).into()),
        after_writes => sections(vec![section("Write buffers", write_buffers::table(report))]),
        after_transport => sections(of_transport(report).map(|(title, blocks)| section(title, blocks)).into()),
        last => sections(vec![
            section("Registry", facts::other_registry(report)),
            section("Thresholds", facts::thresholds(report)),
            section("Both engines", agreement::agreements(report)),
            section("Host", facts::host(report)),
            section("Logs", facts::logs(report)),
            section("Every figure over the runs", replications::every_figure(report)),
        ]),
        assumptions => assumptions(report),
        origin => report.origin.as_ref().map(|origin| context! { command => origin.command.as_str(), text => origin.text.as_str() }),
        version => env!("CARGO_PKG_VERSION"),
        style => Value::from_safe_string(format!("{UPLOT_STYLE}\n{STYLE}")),
        uplot => Value::from_safe_string(UPLOT.to_string()),
        uplot_licence => UPLOT_LICENCE,
        script => Value::from_safe_string(SCRIPT.to_string()),
    };
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_template("page", TEMPLATE).expect("the template is well formed");
    let page = templates.get_template("page").and_then(|template| template.render(page));
    page.expect("the template asks for nothing that the page has not").into_bytes()
}

/// What is told of the store's threads behind their charts.
fn of_store(report: &Report) -> [(&'static str, Blocks); 5] {
    [
        ("Threads of the store", store::threads(report)),
        ("Calls to the store", store::calls(report)),
        ("Lives of the Internet Mail Service", store::lives(report)),
        ("Event log of the Internet Mail Service", store::events(report)),
        ("perfopt.log", store::optimizer(report)),
    ]
}

/// What is told of the domain table behind its charts.
fn of_domains(report: &Report) -> [(&'static str, Blocks); 2] {
    [("Domain table", domains::table(report)), ("Log of the domain table", domains::log(report))]
}

/// What is told of a transport server behind its charts.
fn of_transport(report: &Report) -> [(&'static str, Blocks); 6] {
    [
        ("What each limit refused or delayed, and to whom", of_senders::held(report)),
        ("Senders", of_senders::senders(report)),
        ("Connections", of_senders::connections(report)),
        ("Transport server", of_senders::server(report)),
        ("Back pressure", of_senders::pressure(report)),
        ("Event log of the transport service", of_senders::events(report)),
    ]
}

/// The name by which a link finds a section.
fn id(title: &str) -> String {
    title.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// JSON that ends no script element.
fn for_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

fn verdicts(report: &Report) -> Vec<Value> {
    let each = report.variants.iter().zip(per_variant(report));
    let told = each.map(|(variant, verdict)| {
        context! {
            variant => variant.plan.variant.as_str(),
            state => verdict.state.word(),
            settings => verdict.settings,
            text => unbroken(&verdict.text),
        }
    });
    told.collect()
}

/// What was run: label and text.
fn facts_of(report: &Report) -> Vec<(String, String)> {
    facts::title_facts(report)
        .into_iter()
        .map(|(label, text)| (label.trim().to_string(), elements::bare(&text)))
        .collect()
}

fn notices(report: &Report) -> Vec<Value> {
    let mut all: Vec<_> = report.notices.iter().collect();
    all.sort_by_key(|notice| std::cmp::Reverse(notice.gravity));
    let told = all.into_iter().map(|notice| {
        let gravity = notice.gravity.word();
        let (text, remedy, code) = (unbroken(&notice.text), unbroken(&notice.remedy), notice.code.as_str());
        context! { gravity, text, remedy, code }
    });
    told.collect()
}

/// The outcomes of each service in every variant, for bars whose parts are as wide as their counts.
fn outcomes(report: &Report) -> Vec<Value> {
    let bar = |(index, variant): (usize, &VariantReport), service: &str| {
        let class = super::text::class(variant, service)?;
        let parts = parts(&class.outcomes).into_iter().map(|(name, count)| vec![Value::from(name), Value::from(count)]);
        Some(context! { variant => variant.plan.variant.as_str(), index, parts => parts.collect::<Vec<_>>() })
    };
    let bars = super::text::active(report).into_iter().map(|service| {
        let all = report.variants.iter().enumerate().filter_map(|variant| bar(variant, service));
        context! { service, variants => all.collect::<Vec<_>>() }
    });
    bars.collect()
}

fn parts(outcomes: &Outcomes) -> Vec<(&'static str, u64)> {
    let all = [
        ("served", outcomes.served),
        ("gave up", outcomes.gave_up),
        ("refused", outcomes.refused),
        ("lost", outcomes.lost),
        ("cut", outcomes.cut),
        ("unreachable", outcomes.unreachable),
        ("unfinished", outcomes.unfinished),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn assumptions(report: &Report) -> Vec<Value> {
    let plans: Vec<&Plan> = report.variants.iter().map(|variant| variant.plan.as_ref()).collect();
    let told = facts::settings(&plans).into_iter().map(|(setting, assumption)| {
        let Assumption { choices, why, source, .. } = assumption;
        context! { setting => elements::bare(&setting), choices, why, source }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{compared, on_cluster, report, variant, with_limits, with_senders};
    use super::*;
    use crate::report::Origin;
    use crate::time::Nanos;

    fn page(report: &Report) -> String {
        String::from_utf8(html(report)).expect("UTF-8")
    }

    /// What stands between two marks.
    fn between<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
        let (_, rest) = page.split_once(from).expect("it has a begin");
        rest.split_once(to).expect("it has an end").0
    }

    fn data(page: &str) -> serde_json::Value {
        serde_json::from_str(between(page, "id=\"data\">", "</script>")).expect("the data is JSON")
    }

    #[test]
    fn the_page_has_every_part_and_loads_nothing() {
        let mut report = compared();
        report.origin = Some(Origin { command: "atqsim compare kb281868".into(), text: "title = 'x'".into() });
        let page = page(&report);
        for part in [
            "id=\"verdict\"",
            "data-chart=\"percentiles\"",
            "id=\"waits-for-a-thread\"",
            "id=\"starvation\"",
            "id=\"outcomes\"",
            "id=\"pool\"",
            "id=\"host\"",
            "id=\"assumptions\"",
            "atqsim compare kb281868",
            "title = &#x27;x&#x27;",
            "still-waiting",
            "default-src 'none'",
        ] {
            assert!(page.contains(part), "no `{part}`");
        }
        let own = page.replace(UPLOT, "").replace(UPLOT_LICENCE, "");
        for loads in ["src=", "http:", "https:", "url(", "@import", "fetch(", "<link rel=\"stylesheet"] {
            assert!(!own.contains(loads), "`{loads}` in the page");
        }
    }

    #[test]
    fn a_report_without_intervals_has_no_charts_over_time_and_one_without_a_cluster_no_lanes() {
        let page = page(&compared());
        for chart in ["waits", "threads", "depths", "estimates", "lanes"] {
            assert!(!page.contains(&format!("data-chart=\"{chart}\"")), "{chart}");
        }
        let clustered = self::page(&report(vec![on_cluster("untuned", Nanos::from_secs(40), false)]));
        assert!(clustered.contains("data-chart=\"lanes\"") && clustered.contains("id=\"event-log\""));
        let lanes = &data(&clustered)["variants"][0]["lanes"];
        assert!(lanes.as_array().is_some_and(|lanes| lanes.iter().any(|lane| lane["kind"] == "resource")));
    }

    #[test]
    fn a_report_of_limits_alone_has_their_charts_and_none_of_the_pool() {
        let report = report(vec![with_limits("five", 5, None), with_limits("twenty", 20, Some(8))]);
        let page = page(&report);
        for chart in ["store-threads", "store-waiting", "domain-memory", "domain-entries"] {
            assert!(page.contains(&format!("data-chart=\"{chart}\"")), "{chart}");
        }
        for id in ["threads-of-the-store", "domain-table", "event-log-of-the-internet-mail-service", "perfopt-log"] {
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for chart in ["percentiles", "waits", "threads", "depths", "estimates", "lanes"] {
            assert!(!page.contains(&format!("data-chart=\"{chart}\"")), "{chart}");
        }
        for id in ["pool", "ends", "outcomes", "waits-for-a-thread"] {
            assert!(!page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        let data = data(&page);
        let (store, domains) = (&data["variants"][0]["store"], &data["variants"][1]["domains"]);
        let length = |own: &serde_json::Value, key: &str| own[key].as_array().expect("a list").len();
        assert!(length(store, "at") > 50 && length(store, "at") == length(store, "outbound"));
        assert_eq!((&store["level"], &domains["level"]), (&5.into(), &8.into()));
        assert_eq!(domains["away"], serde_json::json!([[400.0, 460.0]]));
        let away: f64 = store["away"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|span| span[1].as_f64().unwrap() - span[0].as_f64().unwrap())
            .sum();
        let told = report.variants[0].limits.store.as_ref().unwrap().summary.away.as_secs_f64();
        assert!((away - told).abs() < 1e-6, "{away} for {told}");
        let without = self::page(&compared());
        assert!(!without.contains("data-chart=\"store") && !without.contains("data-chart=\"domain"));
    }

    #[test]
    fn a_transport_server_has_its_charts_bars_and_tables() {
        let report = report(vec![with_senders("open", None), with_senders("shared", Some(5))]);
        let page = page(&report);
        for chart in ["connections", "refusals", "threads", "queues", "drive"] {
            assert!(page.contains(&format!("data-chart=\"transport-{chart}\"")), "{chart}");
        }
        for id in [
            "ends-of-messages",
            "ends-of-connections",
            "what-each-limit-refused-or-delayed--and-to-whom",
            "senders",
            "back-pressure",
            "event-log-of-the-transport-service",
        ] {
            assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        }
        let found = report.variants[0].limits.transport.as_ref().expect("it has a transport server");
        let (own, refused) = (&found.senders[0].messages, found.of_group(0).connections.refused);
        for part in [
            format!("given up: {}\"", own.given_up),
            format!("handed over: {}\"", own.handed_over),
            format!("refused: {refused}\""),
        ] {
            assert!(page.contains(&part), "no `{part}`");
        }
        let data = data(&page);
        let own = &data["variants"][0]["transport"];
        let list = |key: &str| own[key].as_array().expect("a list").clone();
        let samples = found.summary.samples.values();
        for key in
            ["at", "connections", "in_line", "connections_refused", "messages_refused", "outbound", "queued", "drive"]
        {
            assert_eq!(list(key).len(), samples.len(), "{key}");
        }
        assert_eq!(own["pressure"], serde_json::json!([[300.0, 360.0, 1], [360.0, 420.0, 2]]));
        assert_eq!(own["drive_marks"], serde_json::json!([["Medium", 93], ["High", 95]]));
        assert_eq!(own["connection_bounds"], serde_json::json!([["MaxInboundConnection", 20]]));
        // 30 threads and 1,000 outbound connections are far above what there was.
        assert_eq!(own["thread_bounds"], serde_json::json!([]));
        let minutes: f64 = samples.windows(2).map(|pair| pair[1].0.since(pair[0].0).as_secs_f64() / 60.0).sum();
        let rates = list("connections_refused");
        assert!(rates.last().is_some_and(serde_json::Value::is_null), "a rate has no last sample");
        let mean = rates.iter().filter_map(serde_json::Value::as_f64).sum::<f64>() / (rates.len() - 1) as f64;
        let told = samples.last().expect("there are some").1.connections_refused as f64;
        assert!((mean * minutes - told).abs() < 0.1, "{mean} a minute for {told}");
        assert!(!self::page(&compared()).contains("data-chart=\"transport"));
    }

    #[test]
    fn the_charts_numbers_are_those_of_the_report() {
        let report = compared();
        let data = data(&page(&report));
        assert_eq!(data["variants"][1]["name"], "tuned");
        let (summary, pool) = (&report.variants[0].summary, report.variants[0].plan.pool.size);
        assert_eq!(data["variants"][0]["pool"], pool);
        let own = &data["variants"][0]["services"][0];
        let p90 = summary.classes[0].wait.p90.as_micros();
        assert_eq!(data["percentiles"][10], 90.0);
        assert_eq!(own["percentiles"][10], p90);
        let starved: f64 = own["episodes"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|e| e[1].as_f64().unwrap() - e[0].as_f64().unwrap())
            .sum();
        assert!((starved - summary.classes[0].starved.as_secs_f64()).abs() < 1e-6, "{starved}");
    }

    #[test]
    fn what_a_user_wrote_is_text_and_never_an_element() {
        let evil = "</script><script>alert(1)</script>\u{1b}[2J";
        let mut report = report(vec![variant(evil, &[], Nanos::from_secs(40)), variant("b", &[], Nanos::ZERO)]);
        report.origin = Some(Origin { command: format!("atqsim run '{evil}'"), text: evil.into() });
        let page = page(&report);
        assert_eq!(page.matches("<script").count(), 3, "the data, uPlot, the page's own");
        assert_eq!(page.matches("</script>").count(), 3);
        assert_eq!(data(&page)["variants"][0]["name"].as_str(), Some(evil));
    }
}
