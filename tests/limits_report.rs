//! What the program says of limits beside the pool: text, verdict, JSON, page, files, explain, and what it refuses.

#[allow(dead_code)]
mod common;

use common::{Place, parse};

/// Both limits and no service of the pool. Five threads of the store of which the service holds four, and memory for 44
/// entries of the domain table.
const LIMITS: &str = r#"
format = 1
title = "Two other limits"
seed = 7
duration = "20m"
[node]
processors = 1
memory_mb = 128
[store]
version = "5.0"
restarted_after = "1m"
[store.clients]
call = { mean = "2s" }
[store.inbound]
call = { mean = "400ms" }
[store.outbound]
call = { mean = "400ms" }
[domains]
windows = "2003-sp1"
hotfix = true
names = { law = "uniform", count = 1000000 }
delivery = "3s"
entry_bytes = 1048576
others_mb = 64
base_working_set_mb = 16
[load.users]
service = "store.clients"
rate = "40/min"
[load.from]
service = "store.inbound"
rate = "10/min"
[load.to]
service = "store.outbound"
rate = "10/min"
[load.newsletter]
service = "domains"
rate = "10/min"
[[variant]]
name = "bare"
set = { "store.optimizer" = "defaults" }
[[variant]]
name = "tuned"
registry = { "Max Threads(Private+Public)" = 0x14, ZombieDomainEntryThreshold = 8 }
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("limits.toml", LIMITS);
    place
}

#[test]
fn the_text_tells_both_limits_and_nothing_of_the_pool() {
    let ran = place().run("compare limits.toml --engine virtual --quiet --width 120").exits(0).prints(&[
        "STORE THREADS",
        "5 (left by Performance Optimizer, defaults)",
        "20 (limits.toml:43)",
        "17 = (((5 x 3)/4 + 25) x 3)/5 + 1",
        "CALLS TO THE STORE",
        "LIVES OF THE INTERNET MAIL SERVICE",
        "EVENT LOG OF THE INTERNET MAIL SERVICE",
        "MSExchangeIMC 4116",
        "PERFOPT.LOG",
        "DOMAIN TABLE",
        "yes: the hotfix has it",
        "LOG OF THE DOMAIN TABLE",
        "With Max Threads 5, the Internet Mail Service shut down",
        "with Max Threads 20, it never did",
        "without ZombieDomainEntryThreshold, memory was gone after",
        "with ZombieDomainEntryThreshold 8, it never was.",
    ]);
    for never in
        ["POOL", "POP3", "IMAP4", "No user sent", "threads in the pool", "ZombieDomainEntryThreshold     not set"]
    {
        assert!(!ran.stdout.contains(never), "`{never}` in:\n{}", ran.stdout);
    }
}

#[test]
fn one_variant_real_threads_and_several_runs_are_told_as_well() {
    let place = place();
    place.run("run limits.toml --quiet --duration 2m --set speed=240").exits(0).prints(&["STORE THREADS", "VERDICT"]);
    place.run("run limits.toml --quiet --engine virtual --variant tuned").exits(0).prints(&[
        "With Max Threads 20, the Internet Mail Service never shut down; with",
        "memory was never gone in 20 min 00 s",
    ]);
    place
        .run("compare limits.toml --quiet --engine virtual --replications 3")
        .exits(0)
        .prints(&["Of several runs this is the first.", "In the first of 3 runs, with Max Threads 5,"]);
}

#[test]
fn the_json_has_both_limits_with_everything_accounted_for() {
    let ran = place().run("compare limits.toml --engine virtual --quiet --format json").exits(0);
    let report = parse(&ran.stdout);
    let (bare, tuned) = (&report["variants"][0], &report["variants"][1]);
    assert_eq!((&bare["verdict"]["state"], &tuned["verdict"]["state"]), (&"failed".into(), &"healthy".into()));
    assert_eq!(tuned["verdict"]["settings"], "with Max Threads 20 and with ZombieDomainEntryThreshold 8");
    assert!(bare["services"].as_object().unwrap().is_empty());
    let store = &bare["store"];
    assert_eq!(store["threads"]["max"]["data"], 5);
    assert_eq!(store["threads"]["left_for_calls"], 1);
    assert!(store["optimizer"]["log"].as_str().unwrap().contains("0x20 -> 0x5\r\n"));
    assert!(tuned["store"]["optimizer"].is_null());
    for (name, calls) in store["calls"].as_object().unwrap() {
        let parts = ["done", "set_aside", "gave_up", "refused", "in_service", "waiting"];
        let sum: u64 = parts.iter().map(|part| calls[part].as_u64().unwrap()).sum();
        assert_eq!(calls["arrived"], sum, "{name}");
        assert!(calls["wait_us"]["p50"].as_f64() <= calls["wait_us"]["max"].as_f64(), "{name}");
    }
    let stopped: Vec<f64> =
        store["lives"].as_array().unwrap().iter().filter_map(|life| life["stopped_s"].as_f64()).collect();
    assert_eq!(store["shutdowns"], stopped.len());
    assert_eq!(store["first_shutdown_s"].as_f64(), stopped.first().copied());
    let of = |id: u64| store["events"].as_array().unwrap().iter().filter(|event| event["id"] == id).count() as u64;
    assert_eq!((store["in_bad"].as_u64(), store["in_archive"].as_u64()), (Some(of(4116)), Some(of(4117))));
    assert_eq!(store["refreshes"], of(3039));
    assert_eq!(store["shutdowns"], of(4102));
    let domains = &bare["domains"];
    let sum = |parts: &[&str]| parts.iter().map(|part| domains[*part].as_u64().unwrap()).sum::<u64>();
    assert_eq!(domains["messages"], sum(&["sent", "refused_no_memory", "refused_away", "refused_name", "queued"]));
    assert_eq!(domains["created"], sum(&["swept", "forgotten", "live", "dead"]));
    assert_eq!((&domains["entries_that_fit"], &domains["most_entries"]), (&44.into(), &44.into()));
    assert_eq!(domains["least_available_bytes"], 4 * 1024 * 1024);
    assert_eq!(domains["largest_working_set_bytes"], (16 + 44) * 1024 * 1024);
    assert_eq!(tuned["domains"]["most_dead"], 8);
    assert!(tuned["domains"]["memory_gone_at_s"].is_null() && !domains["memory_gone_at_s"].is_null());
}

#[test]
fn perfmons_counters_are_the_curves() {
    let place = place();
    place
        .run("compare limits.toml --engine virtual --quiet --format json --output report.json --perfmon perfmon.csv")
        .exits(0);
    let report = parse(&place.read("report.json"));
    let mut reader = csv::Reader::from_path(place.path("perfmon.csv")).unwrap();
    let columns: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(!columns.iter().any(|column| column.contains("ATQ") || column.contains("Thread Count")), "{columns:?}");
    let column = |path: &str| columns.iter().position(|column| column == path).unwrap_or_else(|| panic!("no {path}"));
    for (at, variant) in ["bare", "tuned"].into_iter().enumerate() {
        let limits = &report["variants"][at];
        for (path, limit, curve) in [
            (r"Memory\Available Bytes", "domains", "available_bytes"),
            (r"Process(inetinfo)\Working Set", "domains", "working_set_bytes"),
            (r"atqsim synthetic domain table\Entries Dead", "domains", "dead"),
            (r"atqsim synthetic domain table\Entries Live", "domains", "live"),
            (r"atqsim synthetic store\Threads In Use", "store", "threads_in_use"),
            (r"atqsim synthetic store\Calls Waiting", "store", "calls_in_line"),
            (r"atqsim synthetic store\Internet Mail Service Outbound Backlog", "store", "outbound"),
        ] {
            let at = column(&format!(r"\\{variant}\{path}"));
            let curve = limits[limit]["curves"][curve].as_array().unwrap();
            assert_eq!(rows.len(), curve.len() + 1, "the curve's moments and the end");
            for (row, value) in rows.iter().zip(curve) {
                assert_eq!(row[at], value.to_string(), "{path} at {}", &row[0]);
            }
        }
        let last = rows.last().unwrap();
        let available = &last[column(&format!(r"\\{variant}\Memory\Available Bytes"))];
        assert_eq!(available, limits["domains"]["available_bytes"].to_string());
        assert_eq!(&last[0], "04/28/2005 00:20:00.000");
    }
    let logged_on = column(r"\\bare\atqsim synthetic store\Internet Mail Service Logged On");
    let away = rows.iter().filter(|row| &row[logged_on] == "0").count() as f64 / rows.len() as f64;
    let told = report["variants"][0]["store"]["away_percent"].as_f64().unwrap() / 100.0;
    assert!((away - told).abs() < 0.05, "{away} of the samples, {told} of the time");
}

#[test]
fn a_table_of_services_needs_a_service() {
    place().run("compare limits.toml --engine virtual --summary summary.csv").exits(2).says(&[
        "--summary summary.csv: has a row for each service of the pool, and the scenario has none",
        "--format json",
    ]);
}

#[test]
fn the_files_of_the_pool_are_empty_and_the_others_tell_the_limits() {
    let place = place();
    let ran = place
        .run(
            "compare limits.toml --engine virtual --quiet --series series.csv --hlog a.hlog --events \
             events.csv --perfetto trace.pftrace --report page.html",
        )
        .exits(0);
    assert_eq!(place.read("series.csv").lines().count(), 1, "the head");
    assert!(place.read("a.hlog").lines().all(|line| line.starts_with('#') || line.starts_with("\"StartTimestamp\"")));
    let events = place.read("events.csv");
    assert!(events.contains("MSExchangeIMC,4094,Internal Processing,") && events.contains("tuned,"), "{events}");
    let page = place.read("page.html");
    for chart in ["store-threads", "store-waiting", "domain-memory", "domain-entries"] {
        assert!(page.contains(&format!("data-chart=\"{chart}\"")), "{chart}");
    }
    for chart in ["percentiles", "waits", "threads", "depths"] {
        assert!(!page.contains(&format!("data-chart=\"{chart}\"")), "{chart}");
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    place.run("run limits.toml --engine virtual --events events.csv --quiet").exits(0);
}

#[test]
fn explain_works_out_what_averages_say() {
    let ran = place().run("explain limits.toml").exits(0).quiet().prints(&[
        "SERVER",
        "STORE THREADS",
        "20 (limits.toml:43)",
        "CALLS TO THE STORE",
        "store.clients",
        "WHAT AVERAGES FORETELL OF THE STORE",
        "Too few: calls ask for 1.5 threads on average, and 1 is left",
        "Enough on average: calls ask for 1.5 threads, and 16 are left",
        "DOMAIN TABLE",
        "Nothing is swept. It takes about 44.0 messages",
        "Dead entries are swept once there are 8",
        "store.call_patience",
        "domains.entry_bytes",
    ]);
    for never in ["heavy queue", "Server and pool", "is starved", "NaN"] {
        assert!(!ran.stdout.contains(never), "`{never}` in:\n{}", ran.stdout);
    }
    // The shipped scenario: about as long as a run of it takes.
    place().run("explain kb910932").exits(0).prints(&[
        "It takes about 1,280,000 messages",
        "749,568",
        "after about 35 h 39 min",
    ]);
}

#[test]
fn watch_refuses_what_it_cannot_show() {
    place().run("watch limits.toml --engine virtual").exits(2).says(&[
        "has no service of the pool",
        "atqsim run",
        "[store]",
    ]);
}

#[test]
fn the_registry_says_which_limit_uses_a_value() {
    let place = place();
    place
        .run("registry")
        .exits(0)
        .prints(&["used where a scenario has [store]", "used where a scenario has [domains]"]);
    place.run("registry --format markdown").exits(0).prints(&[
        "| Used by |",
        "| the pool |",
        "| `[store]` |",
        "| `[domains]` |",
    ]);
    let file = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\SMTPSVC\\\
                Queuing]\r\n\"ZombieDomainEntryThreshold\"=dword:000003e8\r\n";
    place.write("kb.reg", file);
    place
        .run("registry kb.reg")
        .exits(0)
        .prints(&["used where a scenario has [domains]"])
        .says(&["does not use it; a scenario with [domains] does"]);
}

/// A flood, honest senders, and a drive that fills up; back pressure on and off.
const TRANSPORT: &str = r#"
format = 1
title = "A transport server"
seed = 7
duration = "20m"
speed = 600
[node]
processors = 1
memory_mb = 4096
[transport.machine]
queue_drive_gb = 40
[[transport.usage]]
at = "5m"
queue_drive_gb = 39.6
[[transport.usage]]
at = "10m"
queue_drive_gb = 1
[transport.groups.honest]
servers = 5
retry = { mean = "2m" }
[transport.groups.flood]
honest = false
stalls = 1
[load.mail]
service = "transport.honest"
rate = "1/s"
[load.attack]
service = "transport.flood"
rate = "2/s"
[[variant]]
name = "on"
[[variant]]
name = "off"
set = { "transport.back_pressure.enabled" = false }
"#;

#[test]
fn a_transport_server_is_told_with_what_was_refused_and_to_whom() {
    let place = Place::new();
    place.write("transport.toml", TRANSPORT);
    let ran = place.run("compare transport.toml --engine virtual --quiet --width 140").exits(0).prints(&[
        "TRANSPORT SERVER",
        "Hub Transport, Exchange 2007-sp1",
        "MaxInboundConnectionPercentagePerSource",
        "SENDERS",
        "WHAT EACH LIMIT REFUSED OR DELAYED, AND TO WHOM",
        "one source's share of the remaining connections: flood",
        "back pressure, High: honest",
        "BACK PRESSURE",
        "Normal=94% Medium=96% High=98%",
        "5 min 00 s (25 %)",
        "EVENT LOG OF THE TRANSPORT SERVICE",
        "MSExchangeTransport 15004: Resource pressure increased from Normal to High.",
        "Queue database and disk space = 99% [High] [Normal=94% Medium=96% High=98%]",
        "MSExchangeTransport 15005: Resource pressure decreased from High to Normal.",
        "452 4.3.1 Insufficient system resources",
        "transport.share_rounding = up",
        "[transport] in a scenario",
    ]);
    for never in ["POOL", "STORE THREADS", "DOMAIN TABLE", "NaN", "No limit refused"] {
        assert!(!ran.stdout.contains(never), "`{never}` in:\n{}", ran.stdout);
    }
    place
        .run("compare transport.toml --quiet --engine virtual --replications 3")
        .exits(0)
        .prints(&["LIMITS OVER THE RUNS", "transport.honest_through_percent"]);
    place.run("run transport.toml --quiet --variant on").exits(0).prints(&["SENDERS"]);
    place.run("run transport.toml --quiet --engine virtual --variant on --events events.csv").exits(0);
    let events = place.read("events.csv");
    assert!(events.contains("on,00:05:02.000,,Error,MSExchangeTransport,15004,,"), "{events}");
}

#[test]
fn the_json_of_a_transport_server_accounts_for_everything() {
    let place = Place::new();
    place.write("transport.toml", TRANSPORT);
    let ran = place.run("compare transport.toml --engine virtual --quiet --format json").exits(0);
    let report = parse(&ran.stdout);
    let sum =
        |of: &serde_json::Value, parts: &[&str]| -> u64 { parts.iter().map(|part| of[*part].as_u64().unwrap()).sum() };
    for variant in report["variants"].as_array().unwrap() {
        let transport = &variant["transport"];
        for (name, group) in transport["groups"].as_object().unwrap() {
            assert_eq!(group["wanted"], sum(group, &["handed_over", "for_nobody", "given_up", "trying"]), "{name}");
            let connections = &group["connections"];
            let parts = ["refused", "gave_up", "quit", "closed", "waiting", "open"];
            assert_eq!(connections["came"], sum(connections, &parts), "{name}");
            let by = group["held"].as_object().unwrap();
            let refused: u64 = by.values().map(|held| held["connections_refused"].as_u64().unwrap()).sum();
            assert_eq!(connections["refused"], refused, "{name}: each was refused by something");
            assert!(group["to_queue_us"]["count"] == group["handed_over"], "{name}");
        }
        let pressure = &transport["back_pressure"];
        let times = ["normal_s", "medium_s", "high_s"].map(|level| pressure[level].as_f64().unwrap());
        assert_eq!(times.iter().sum::<f64>(), 1200.0);
        assert_eq!(times[2], if variant["name"] == "on" { 300.0 } else { 0.0 });
        assert_eq!(pressure["marks"]["queue_drive_percent"]["high"], 98);
        assert!(transport["options"]["max_inbound_connection_per_source"] == 100);
        let curves = transport["curves"].as_object().unwrap();
        let moments = curves["at_s"].as_array().unwrap().len();
        assert!(moments == 240 && curves.values().all(|curve| curve.as_array().unwrap().len() == moments));
        let high = curves["level"].as_array().unwrap().iter().filter(|level| *level == "High").count();
        assert_eq!(high, if variant["name"] == "on" { 60 } else { 0 }, "a quarter of the moments");
    }
}

#[test]
fn the_verdict_and_the_page_say_who_got_through_and_perfmons_counters_are_the_curves() {
    let place = Place::new();
    place.write("transport.toml", TRANSPORT);
    let args = "compare transport.toml --engine virtual --quiet --format json --output report.json --perfmon perfmon.csv \
                --report page.html";
    place.run(args).exits(0);
    let report = parse(&place.read("report.json"));
    for variant in report["variants"].as_array().unwrap() {
        let verdict = variant["verdict"]["text"].as_str().unwrap();
        let honest = &variant["transport"]["groups"]["honest"];
        let through = honest["handed_over"].as_u64().unwrap();
        let told: u64 = verdict.split(' ').find_map(|word| word.replace(',', "").parse().ok()).unwrap();
        assert_eq!(told, through, "{verdict}");
        let flood = &variant["transport"]["groups"]["flood"]["connections"]["refused"];
        assert!(
            verdict.contains("flood was held most by MaxInboundConnectionPercentagePerSource"),
            "{flood}: {verdict}"
        );
        let under = "and the server was under back pressure for 5 min 00 s (High for 5 min 00 s)";
        assert_eq!(verdict.contains(under), variant["name"] == "on", "{verdict}");
    }
    let mut reader = csv::Reader::from_path(place.path("perfmon.csv")).unwrap();
    let columns: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let curves = &report["variants"][0]["transport"]["curves"];
    let number = |value: &serde_json::Value| match value.as_str() {
        Some(level) => ["Normal", "Medium", "High"].iter().position(|known| *known == level).unwrap().to_string(),
        None => value.to_string(),
    };
    for (counter, curve) in [
        ("Back Pressure Level", "level"),
        ("Queue Drive Percent Used", "queue_drive_percent"),
        ("Inbound Connections", "connections"),
        ("Inbound Connections Waiting", "in_line"),
        ("Inbound Connections Refused Total", "connections_refused"),
        ("Messages Refused Total", "messages_refused"),
        ("Mailbox Submission Threads", "submitting"),
        ("Mailbox Delivery Threads", "to_mailboxes"),
        ("Outbound Connections", "outbound"),
        ("Files And Submissions Waiting", "outside"),
        ("Messages Queued", "queued"),
        ("Messages Delivered Total", "delivered"),
    ] {
        let path = format!(r"\\on\atqsim synthetic transport\{counter}");
        let at = columns.iter().position(|column| *column == path).unwrap_or_else(|| panic!("no {path}"));
        let curve = curves[curve].as_array().unwrap_or_else(|| panic!("no curve {curve}"));
        assert_eq!(rows.len(), curve.len() + 1, "the curve's moments and the end");
        for (row, value) in rows.iter().zip(curve) {
            assert_eq!(row[at], number(value), "{path} at {}", &row[0]);
        }
    }
    let page = place.read("page.html");
    for part in [
        "data-chart=\"transport-connections\"",
        "data-chart=\"transport-drive\"",
        "id=\"ends-of-messages\"",
        "id=\"what-each-limit-refused-or-delayed--and-to-whom\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn explain_holds_every_option_of_a_transport_server_against_the_load() {
    let place = Place::new();
    place.write("transport.toml", TRANSPORT);
    place.run("explain transport.toml").exits(0).quiet().prints(&[
        "TRANSPORT SERVER",
        "MaxInboundConnectionPerSource            100 (default)",
        "back pressure                            on (default) but where set below",
        "off: back pressure off (set; default on)",
        "WHO SENDS TO THE TRANSPORT SERVER",
        "Queue database and disk space",
        "98 %, 40,141 MB",
        "MaxConnectionRatePerMinute is 1,200: 180 connections a minute come",
        "From 5 min 00 s on others use 40,550 MB, 98 % (Queue database and disk space): by itself that",
        "452 4.3.1",
        "transport.share_rounding = up",
    ]);
    place.run("explain throttling").exits(0).prints(&[
        "20 while 1,000 of 5,000 are left",
        "8, 8, 9 and so",
        "MaxPerDomainOutboundConnections is 20: at 41.4 s a connection",
        "lasts 8 min 20 s and not 5.20 s",
    ]);
}

/// A front-end whose responses have four writes each, over a way of 1 ms; 26 KB would take longer over real sockets.
const FRONT_END: &str = r#"
format = 1
title = "A front-end"
seed = 7
duration = "1m"
[node]
processors = 1
[write_buffers]
latency = "1ms"
write_returns = "acknowledged"
[pop3.commands.retr]
cpu = "1ms"
response_bytes = 4096
[load.pop]
service = "pop3"
rate = "2/s"
script = ["retr"]
[[variant]]
name = "default"
[[variant]]
name = "large"
registry = { 'POP3Svc\MaxBufferSize' = 32768 }
[[assert]]
that = "write_buffers.writes > 300"
variant = "default"
[[assert]]
that = "write_buffers.held_mean < 3ms"
variant = "large"
"#;

#[test]
fn model_and_sockets_stand_side_by_side_where_that_was_asked_for() {
    let place = Place::new();
    place.write("front.toml", FRONT_END);
    let command = "compare front.toml --engine virtual --quiet --width 130";
    let without = place.run(command).exits(0).prints(&["WRITE BUFFERS", "1,024 (default)", "32,768 (front.toml:22)"]);
    assert!(!without.stdout.contains("sockets"), "{}", without.stdout);
    place.run(&format!("{command} --loopback 2")).exits(0).prints(&[
        "over sockets of this computer",
        "4,096 bytes, sent 2 times",
        "4, 4",
        "1, 1",
    ]);
    let told = place.run("compare front.toml --engine virtual --quiet --loopback 1 --format json").exits(0).json();
    for (variant, writes) in [(0, 4), (1, 1)] {
        let own = &told["variants"][variant]["write_buffers"]["services"]["pop3"]["loopback"];
        assert_eq!((&own["writes"], &own["writes_model"], &own["runs"]), (&writes.into(), &writes.into(), &1.into()));
        let seconds = |name: &str| own[name].as_f64().expect("a number");
        // No byte is there before its latency has passed; what comes on top is the computer's.
        assert!(seconds("response_s") >= seconds("response_model_s") && seconds("held_s") >= seconds("held_model_s"));
    }
    let nothing = place.run("compare kb281868 --engine virtual --loopback").exits(2).prints_nothing();
    nothing.says(&["--loopback", "no [write_buffers]", "leave it out"]);
}

#[test]
fn explain_has_one_response_over_buffers_and_latencies() {
    let explained = Place::new().run("explain kb823857").exits(0).quiet();
    // 26 writes of a round trip of 400 ms, but for the last one's way back, and some 9 ms a segment on the line.
    let explained =
        explained.prints(&["ONE RESPONSE OF 26,624 BYTES", "RETURNS ONCE IT IS ACKNOWLEDGED", "users that fit"]);
    let line = explained.stdout.lines().find(|line| line.starts_with("1,024 ")).expect("the default's line");
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(&cells[1..3], ["26", "52"], "{line}");
    assert_eq!(&cells[cells.len() - 2..], ["10.4", "s"], "{line}");
    let page = {
        let place = Place::new();
        place.write("front.toml", FRONT_END);
        place.run("compare front.toml --engine virtual --quiet --report page.html").exits(0);
        place.read("page.html")
    };
    assert!(page.contains("Write buffers") && page.contains("packets, acknowledgements included"));
}
