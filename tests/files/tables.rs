//! The CSV files: their columns are those of `docs/files.md`, and their figures those of the JSON report.

use std::collections::BTreeMap;

use serde_json::Value;

use super::common::Place;
use super::{report, written};

const DOC: &str = include_str!("../../docs/files.md");

/// The part of the document under a heading that ends with `flag`.
fn section(flag: &str) -> &'static str {
    let mark = format!("`{flag}`\n");
    let part =
        DOC.split("\n## ").find(|part| part.lines().next().is_some_and(|head| format!("{head}\n").ends_with(&mark)));
    part.unwrap_or_else(|| panic!("no section for {flag}"))
}

/// Every word in backticks of a text.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// What the first columns of a section's tables name, in order. Every row says what its columns mean.
fn documented(flag: &str) -> Vec<String> {
    let rows = section(flag).lines().filter(|line| line.starts_with("| `"));
    let named = rows.flat_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() >= 2 && !cells[cells.len() - 1].is_empty(), "no meaning: {line}");
        quoted(cells[0])
    });
    named.collect()
}

struct Table {
    columns: Vec<String>,
    rows: Vec<BTreeMap<String, String>>,
}

fn table(place: &Place, file: &str) -> Table {
    let mut reader = csv::Reader::from_path(place.path(file)).unwrap();
    let columns: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let row = |row: csv::StringRecord| columns.iter().cloned().zip(row.iter().map(String::from)).collect();
    let rows = reader.records().map(|record| row(record.unwrap())).collect();
    Table { columns, rows }
}

#[test]
fn the_columns_are_those_that_are_documented() {
    let place = Place::new();
    written(&place, "--engine virtual").exits(0);
    assert_eq!(table(&place, "series.csv").columns, documented("--series"));
    let mut summary = documented("--summary");
    let estimates = section("--summary").split("where NAME is").nth(1).unwrap().split(".\n").next().unwrap();
    for name in quoted(estimates) {
        summary.extend(["mean", "half_width", "doubt"].map(|part| format!("runs_{name}_{part}")));
    }
    assert_eq!(table(&place, "summary.csv").columns, summary);
    assert_eq!(documented("--events"), atqsim::report::events_csv::COLUMNS);
    // `\\machine\object(instance)\counter`, of which the document has `object\counter`.
    let mut counters: Vec<String> = Vec::new();
    let mut paths = table(&place, "perfmon.csv").columns[1..].to_vec();
    // Limits beside the pool have counters of their own; whether the thresholds of a short run hold does not matter.
    for scenario in ["kb169686", "kb910932", "throttling"] {
        let _ = place.run(&format!("run {scenario} --duration 1m --engine virtual --quiet --perfmon limits.csv"));
        paths.extend_from_slice(&table(&place, "limits.csv").columns[1..]);
    }
    for path in &paths {
        let parts: Vec<&str> = path.split('\\').collect();
        assert!(parts.len() == 5 && parts[..2] == ["", ""], "{path}");
        let name = format!("{}\\{}", parts[3].split('(').next().unwrap(), parts[4]);
        if !counters.contains(&name) {
            counters.push(name);
        }
    }
    let mut told: Vec<String> = documented("--perfmon");
    counters.sort();
    told.sort();
    assert_eq!(counters, told);
}

/// Where a column of the summary is in the JSON of a service.
fn in_json<'j>(service: &'j Value, column: &str) -> Option<&'j Value> {
    for (prefix, field) in [
        ("wait_mean_", "wait_mean_interval"),
        ("served_wait_", "served_wait_us"),
        ("gave_up_wait_", "gave_up_wait_us"),
        ("wait_", "wait_us"),
        ("service_", "service_us"),
    ] {
        let Some(rest) = column.strip_prefix(prefix) else { continue };
        let inside = &service[field];
        let found = inside.get(rest).or_else(|| inside.get(rest.strip_suffix("_us")?));
        if found.is_some() {
            return found;
        }
    }
    service
        .get(column)
        .or_else(|| service["thread_requests"].get(column))
        .or_else(|| service["wait_mean_interval"].get(column))
}

#[test]
fn the_summary_has_every_number_that_the_json_has_of_a_service() {
    let place = Place::new();
    written(&place, "--engine virtual").exits(0);
    let (report, table) = (report(&place), table(&place, "summary.csv"));
    let mut compared = std::collections::BTreeSet::new();
    for row in &table.rows {
        let variant =
            report["variants"].as_array().unwrap().iter().find(|v| v["name"] == row["variant"].as_str()).unwrap();
        let service = &variant["services"][&row["service"]];
        for (column, text) in row {
            let Some(number) = in_json(service, column).and_then(Value::as_f64) else { continue };
            compared.insert(column.clone());
            match text.parse::<f64>() {
                Ok(read) => assert!((read - number).abs() <= 1e-9 * number.abs(), "{column}: {read}, in JSON {number}"),
                Err(_) => assert!(text.is_empty() && number == 0.0, "{column}: {text}, in JSON {number}"),
            }
        }
        assert_eq!(row["pool_size"], variant["pool"]["size"].to_string());
        assert_eq!((row["runs"].as_str(), row["runs_served_mean"].as_str()), ("1", ""));
    }
    let services: usize =
        report["variants"].as_array().unwrap().iter().map(|v| v["services"].as_object().unwrap().len()).sum();
    assert_eq!(table.rows.len(), services);
    // Every number of a service in the JSON, with those of its parts.
    let service = &report["variants"][0]["services"]["pop3"];
    let mut numbers = 0;
    for value in service.as_object().unwrap().values() {
        numbers += usize::from(value.is_number());
        numbers += value.as_object().map_or(0, |inside| inside.values().filter(|value| value.is_number()).count());
    }
    assert!(compared.len() >= numbers, "{} columns for {numbers} numbers", compared.len());
}

#[test]
fn the_series_adds_up_to_the_summary() {
    let place = Place::new();
    written(&place, "--engine virtual").exits(0);
    let (series, summary) = (table(&place, "series.csv"), table(&place, "summary.csv"));
    let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<f64>().unwrap_or(0.0);
    for whole in &summary.rows {
        let own: Vec<_> = series
            .rows
            .iter()
            .filter(|row| row["variant"] == whole["variant"] && row["service"] == whole["service"])
            .collect();
        assert_eq!(own.len(), 240);
        assert!(own.windows(2).all(|pair| pair[0]["to_s"] == pair[1]["from_s"]));
        let sum = |column: &str| own.iter().map(|row| number(row, column)).sum::<f64>();
        for column in ["arrivals", "served", "gave_up", "refused", "lost", "cut", "unreachable"] {
            assert_eq!(sum(column), number(whole, column), "{column} of {}", whole["service"]);
        }
        assert_eq!(sum("waits"), number(whole, "wait_count") - number(whole, "still_waiting"));
        assert_eq!(sum("services"), number(whole, "service_count"));
        let integral = |column: &str| {
            own.iter().map(|row| number(row, column) * (number(row, "to_s") - number(row, "from_s"))).sum::<f64>()
        };
        let held = number(whole, "thread_seconds");
        assert!((integral("busy_mean") - held).abs() < 1e-6 * held.max(1.0), "{}", whole["service"]);
        let longest = own.iter().map(|row| number(row, "service_max_us")).fold(0.0, f64::max);
        assert_eq!(longest, number(whole, "service_max_us"));
        // An interval without waits has no mean, and one with waits has.
        assert!(own.iter().all(|row| (row["waits"] == "0") == row["wait_mean_us"].is_empty()));
    }
}

#[test]
fn perfmons_counters_are_those_of_the_series() {
    let place = Place::new();
    written(&place, "--engine virtual").exits(0);
    let text = place.read("perfmon.csv");
    assert!(text.starts_with("\"(PDH-CSV 4.0) (Coordinated Universal Time)(0)\",\"\\\\untuned\\SMTP Server("));
    assert!(text.lines().count() == 242 && text.matches("\r\n").count() == 242, "a head, 240 moments, the end");
    assert!(text.lines().all(|line| line.starts_with('"') && line.trim_end().ends_with('"')));
    let (counters, series) = (table(&place, "perfmon.csv"), table(&place, "series.csv"));
    let time = &counters.columns[0];
    let (first, last) = (&counters.rows[0], &counters.rows[240]);
    assert_eq!((first[time].as_str(), last[time].as_str()), ("04/28/2005 00:00:00.000", "04/28/2005 00:04:00.000"));
    let of = |service: &str| -> Vec<&BTreeMap<String, String>> {
        let own = |row: &&BTreeMap<String, String>| row["variant"] == "untuned" && row["service"] == service;
        series.rows.iter().filter(own).collect()
    };
    for (queue, length) in
        [("pre-categorization", "Categorizer Queue Length"), ("local-delivery", "Local Queue Length")]
    {
        let path = format!("\\\\untuned\\SMTP Server(SMTP 2)\\{length}");
        for (row, moment) in counters.rows.iter().zip(of(&format!("smtp2.{queue}"))) {
            assert_eq!(row[&path], moment["waiting"]);
        }
    }
    let path = "\\\\untuned\\atqsim synthetic service(pop3)\\Served/sec";
    assert_eq!(first[path], " ", "a rate has no first sample");
    for (row, interval) in counters.rows[1..].iter().zip(of("pop3")) {
        assert_eq!(row[path], interval["served"], "intervals of a second");
    }
    let total = last["\\\\untuned\\SMTP Server(_Total)\\Messages Delivered Total"].parse::<u64>().unwrap();
    let served = |service: &str| of(service).iter().map(|row| row["served"].parse::<u64>().unwrap()).sum::<u64>();
    assert_eq!(total, served("smtp1.local-delivery") + served("smtp2.local-delivery"));
    let starved = counters.rows.iter().filter(|row| row["\\\\untuned\\atqsim synthetic service(pop3)\\Starved"] == "1");
    assert!(starved.count() > 10);
    assert!(counters.rows[..240].iter().all(|row| row["\\\\tuned\\atqsim synthetic service(pop3)\\Starved"] == "0"));
}

#[test]
fn the_services_of_a_cluster_are_on_one_node_at_a_time() {
    let place = Place::new();
    place.run("compare cluster-lost-node --duration 40m --engine virtual --quiet --perfmon perfmon.csv").exits(0);
    let counters = table(&place, "perfmon.csv");
    let queue = |node: &str| {
        let own = |column: &&String| {
            column.contains(&format!("-{node}\\")) && column.ends_with("service(evs1.pop3)\\Items Waiting")
        };
        counters.columns.iter().find(own).expect("each node has a counter").clone()
    };
    let nodes = [queue("n1"), queue("n2")];
    let mut there = [0, 0];
    for row in &counters.rows[..240] {
        let on: Vec<usize> = (0..2).filter(|node| row[&nodes[*node]] != " ").collect();
        assert!(on.len() <= 1, "it is on two nodes at {}", row[&counters.columns[0]]);
        on.iter().for_each(|node| there[*node] += 1);
    }
    assert!(there[0] > 0 && there[1] > 0, "its node dies, so it moves: {there:?}");
}

#[test]
fn several_runs_show_the_first_and_the_means_beside_it() {
    let (place, alone) = (Place::new(), Place::new());
    written(&place, "--engine virtual --replications 4").exits(0);
    written(&alone, "--engine virtual").exits(0);
    assert_eq!(place.read("series.csv"), alone.read("series.csv"));
    assert!(place.read("a.hlog").contains("#Of several runs this is the first.\n"));
    let report = report(&place);
    for row in table(&place, "summary.csv").rows {
        assert_eq!(row["runs"], "4");
        let variant =
            report["variants"].as_array().unwrap().iter().find(|v| v["name"] == row["variant"].as_str()).unwrap();
        let estimates = &variant["replications"]["services"][&row["service"]]["estimates"];
        for (name, estimate) in estimates.as_object().unwrap() {
            for part in ["mean", "half_width"] {
                let read: f64 = row[&format!("runs_{name}_{part}")].parse().unwrap();
                // The reader of JSON rounds a little.
                let told = estimate[part].as_f64().unwrap();
                assert!((read - told).abs() <= 1e-12 * told.abs(), "{name} {part}: {read}, in JSON {told}");
            }
            assert_eq!(row[&format!("runs_{name}_doubt")], estimate["doubt"].as_str().unwrap_or_default());
        }
    }
}
