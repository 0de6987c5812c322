//! What the program says of a cluster: text, JSON, the event log as CSV, thresholds, several runs.

#[allow(dead_code)]
mod common;

use common::Place;

/// Two nodes; the first dies after two minutes and returns three minutes later, in one of two variants.
const LOSES_A_NODE: &str = r#"
format = 1
title = "Loses a node"
duration = "10m"
[node]
processors = 2
[smtp.in]
wait = "30ms"
[smtp.queues]
pre-submission = { cpu = "1ms" }
pre-categorization = { wait = { mean = "50ms" } }
pre-routing = { cpu = "1ms" }
local-delivery = { wait = { mean = "50ms" } }
dsn = { cpu = "1ms" }
[pop3.commands]
stat = { wait = "10ms" }
[imap4.commands]
noop = { cpu = "1ms" }
[cluster]
[cluster.node.n1]
[cluster.node.n2]
[cluster.group.evs1]
owners = ["n1", "n2"]
[[cluster.fault]]
node = "n1"
at = "2m"
does = "dies"
[[cluster.fault]]
node = "n1"
at = "5m"
does = "returns"
[load.mail]
service = "smtp"
rate = "2/s"
[load.pop]
service = "pop3"
rate = "2/s"
script = ["stat"]
[load.imap]
service = "imap4"
rate = "2/s"
script = ["noop 2"]
[[variant]]
name = "plain"
[[variant]]
name = "patient"
set = { "cluster.is_alive_timeout" = "10m" }
"#;

fn place(more: &str) -> Place {
    let place = Place::new();
    place.write("lost.toml", format!("{LOSES_A_NODE}{more}"));
    place
}

#[test]
fn the_text_has_a_time_line_counts_unavailability_and_the_log() {
    let ran = place("").run("compare lost.toml --engine virtual --quiet --width 80").exits(0).prints(&[
        "CLUSTER",
        "failovers of groups",
        "TIME LINE",
        "UNAVAILABLE TO USERS",
        "evs1.imap4",
        "EVENT LOG",
        "Node n1 is down",
        "Group evs1 fails over to n2",
        "equally good for users",
        "unreachable",
    ]);
    let lane = |name: &str| ran.stdout.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_string();
    assert!(lane("n1 ").contains("....XXX") && lane("n2 ").ends_with("....."), "{}", ran.stdout);
    assert!(lane("evs1 ").contains('A') && lane("evs1 ").ends_with("BBBB"), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    // Probes are told in one line, and no table of services has them.
    assert!(ran.stdout.contains("Probes, plain: ") && !ran.stdout.contains("-probe"), "{}", ran.stdout);
}

#[test]
fn the_json_and_the_csv_tell_the_same_log() {
    let place = place("");
    let ran = place.run("compare lost.toml --engine virtual --quiet --format json --events log.csv").exits(0);
    let mut rows = csv::Reader::from_path(place.path("log.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let json = ran.json();
    let mut told = Vec::new();
    for variant in json["variants"].as_array().unwrap() {
        let cluster = &variant["cluster"];
        assert_eq!(cluster["failovers"], 1, "{cluster}");
        let pop3 = cluster["unavailable_s"]["pop3"].as_f64().unwrap();
        assert!(pop3 > 0.0 && cluster["unavailable_by_failover_s"]["pop3"].as_f64().unwrap() <= pop3, "{cluster}");
        assert!(variant["services"]["evs1.pop3"]["unreachable"].as_u64().unwrap() > 0);
        for event in cluster["events"].as_array().unwrap() {
            told.push((variant["name"].as_str().unwrap().to_string(), event["text"].as_str().unwrap().to_string()));
        }
    }
    let read: Vec<(String, String)> = rows.iter().map(|row| (row[0].to_string(), row[7].to_string())).collect();
    assert!(!read.is_empty());
    assert_eq!(read, told);
    assert!(rows[0][1].starts_with("00:02:00.000"), "{:?}", rows[0]);
}

#[test]
fn an_event_log_needs_a_cluster_a_file_of_its_own_and_a_place() {
    let place = place("");
    place.run("run small.toml --engine virtual --quiet --events log.csv").exits(2).says(&["the scenario has none"]);
    let same = "run lost.toml --engine virtual --quiet --output log.csv --events log.csv";
    place.run(same).exits(2).says(&["another output"]);
    let nowhere = place.run("run lost.toml --engine virtual --quiet --events nowhere/log.csv");
    let nowhere = nowhere.exits(2).says(&["--events nowhere/log.csv", "there is no directory nowhere"]);
    assert!(!nowhere.stdout.contains("VERDICT"), "nothing is run for a file that cannot be written");
}

#[test]
fn thresholds_may_name_what_a_cluster_counts() {
    let good = "[[assert]]\nthat = \"cluster.failovers == 1\"\n[[assert]]\nthat = \"evs1.pop3.unavailable < 5m\"\n";
    place(good).run("compare lost.toml --engine virtual --quiet").exits(0).prints(&["4 thresholds hold"]);
    let bad = "[[assert]]\nthat = \"cluster.failovers < 1\"\n[[assert]]\nthat = \"pop3.unavailable < 1ms\"\n";
    place(bad).run("compare lost.toml --engine virtual --quiet").exits(4).prints(&["4 of 4 thresholds failed"]);
    let queue = "[[assert]]\nthat = \"evs1.dsn.unavailable < 1s\"\n";
    place(queue).run("check lost.toml").exits(2).says(&["of no service that users or senders ask"]);
    let place = Place::new();
    let alone = format!("{}\n[[assert]]\nthat = \"cluster.failovers == 0\"\n", common::SMALL);
    place.write("alone.toml", alone);
    place.run("check alone.toml").exits(2).says(&["is a figure of a cluster"]);
}

#[test]
fn several_runs_give_means_with_the_least_and_the_most() {
    let place = place("[[assert]]\nthat = \"cluster.failovers == 1\"\n");
    let json = place.run("compare lost.toml --engine virtual --quiet --replications 4 --format json").exits(0).json();
    for variant in json["variants"].as_array().unwrap() {
        let runs = &variant["cluster"]["replications"];
        assert_eq!((&runs["failovers"]["min"], &runs["failovers"]["max"]), (&1.0.into(), &1.0.into()), "{runs}");
        let pop3 = &runs["evs1.pop3.unavailable_s"];
        let figure = |name: &str| pop3[name].as_f64().unwrap();
        assert!(figure("min") <= figure("mean") && figure("mean") <= figure("max") && figure("min") > 0.0, "{pop3}");
    }
    place.run("compare lost.toml --engine virtual --quiet --replications 2").exits(0).prints(&["over all runs"]);
}

#[test]
fn explain_says_who_is_where() {
    place("")
        .run("explain lost.toml")
        .exits(0)
        .prints(&["evs1 starts on n1 (else on n2)", "unanswered for 3 min 00 s"]);
}
