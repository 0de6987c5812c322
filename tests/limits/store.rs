//! The store's threads and the Internet Mail Service (KB 169686).

use atqsim::metrics::limits::StoreFigures;
use atqsim::models::store::Entry;
use atqsim::plan::Plan;
use atqsim::run::EngineKind;
use atqsim::scenario::Overrides;
use atqsim::time::Nanos;

use super::super::{figures, plans, shipped, told};

const BOTH: [EngineKind; 2] = [EngineKind::Virtual, EngineKind::Threads];

fn stores(plans: &[Plan], engine: EngineKind) -> Vec<(String, StoreFigures)> {
    figures(plans, engine).into_iter().map(|(name, found)| (name, found.store.expect("a store"))).collect()
}

/// The ids of the published events, in order.
fn ids(figures: &StoreFigures) -> Vec<u32> {
    figures.summary.events.iter().filter_map(Entry::id).collect()
}

#[test]
fn the_optimizers_five_threads_cycle_and_the_kbs_values_do_not_under_the_same_load() {
    let found = stores(&shipped("kb169686"), EngineKind::Virtual);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["optimizer-0x5", "workaround-0x14", "setup-0x20"]);
    let [five, twenty, thirty_two] = [0, 1, 2].map(|at| &found[at].1);
    assert!(five.summary.shutdowns >= 3, "it happens again: {}", five.summary.shutdowns);
    for fine in [twenty, thirty_two] {
        assert_eq!((fine.summary.shutdowns, fine.summary.in_bad, fine.summary.in_archive), (0, 0, 0));
        assert!(ids(fine).is_empty());
    }
    for (_, one) in &found {
        let s = &one.summary;
        let came = [s.clients.arrived, s.inbound.arrived, s.outbound.arrived];
        let first = [five.summary.clients.arrived, five.summary.inbound.arrived, five.summary.outbound.arrived];
        assert_eq!(came, first, "the load is identical");
        assert!(s.clients.is_balanced() && s.inbound.is_balanced() && s.outbound.is_balanced());
    }
    assert_eq!(five.summary.inbound.set_aside, five.summary.in_bad);
    assert_eq!(five.summary.in_bad, five.summary.in_archive);
    assert!(five.summary.most_outbound > 10 * twenty.summary.most_outbound, "the backlog grows while it is away");
}

/// ATQ: Q169686: 4116, 3039, 4117, 4094, 4102, and it is repeated on each restart. A call for outbound mail that fails puts
/// no inbound message aside, so its cycle has the three others.
#[test]
fn every_cycle_has_the_documented_events_in_their_order_with_their_codes() {
    let found = stores(&shipped("kb169686"), EngineKind::Virtual);
    let five = &found[0].1;
    let ids = ids(five);
    let cycles: Vec<&[u32]> = ids.split_inclusive(|id| *id == 4102).collect();
    assert_eq!(cycles.len() as u64, five.summary.shutdowns);
    for cycle in &cycles {
        assert!(*cycle == [4116, 3039, 4117, 4094, 4102] || *cycle == [3039, 4094, 4102], "{cycle:?}");
    }
    assert!(cycles.iter().any(|cycle| cycle.len() == 5));
    for entry in &five.summary.events {
        match entry.id() {
            Some(3039) => assert_eq!(entry.code(), Some(0x8004_0115)),
            Some(4094) => assert_eq!(entry.code(), Some(0x8004_011d)),
            _ => assert_eq!(entry.code(), None),
        }
    }
}

#[test]
fn of_the_values_from_three_to_twelve_seven_is_the_smallest_that_survives() {
    let found = stores(&shipped("kb169686-values"), EngineKind::Virtual);
    let shutdowns: Vec<(u32, u64)> =
        found.iter().map(|(name, one)| (name.parse().expect("a number"), one.summary.shutdowns)).collect();
    assert_eq!(shutdowns.iter().map(|(value, _)| *value).collect::<Vec<_>>(), (3..=12).collect::<Vec<_>>());
    assert!(shutdowns.windows(2).all(|pair| pair[0].1 >= pair[1].1), "more threads, no more shutdowns: {shutdowns:?}");
    assert_eq!(shutdowns.iter().find(|(_, count)| *count == 0).map(|(value, _)| *value), Some(7), "{shutdowns:?}");
    let never_logged_on = |at: usize| found[at].1.summary.away == found[at].1.summary.end;
    assert!(never_logged_on(0) && !never_logged_on(1));
    assert!(ids(&found[0].1).chunks(2).all(|pair| pair == [4023, 4102]), "no work threads");
    assert_eq!(found[1].1.summary.inbound.done + found[1].1.summary.outbound.done, 0, "it works, but for nothing");
}

const QUIET: &str = r#"
format = 1
title = "Quiet"
duration = "200s"
speed = 100
[node]
processors = 1
"#;

/// Clients alone, nobody gives up: an M/M/c queue. Its mean wait is Erlang's formula C.
#[test]
fn clients_of_the_store_wait_as_in_a_queue_with_as_many_servers() {
    let text = r#"
format = 1
title = "M/M/3"
seed = 3
duration = "400000s"
[node]
processors = 1
[registry]
"Max Threads(Private+Public)" = 3
"Gateway In Threads" = 0
"Gateway Out Threads" = 0
[store.clients]
call = { mean = "1s" }
[load.users]
service = "store.clients"
rate = 2.1
"#;
    let one = &stores(&plans(text), EngineKind::Virtual)[0].1;
    let (servers, offered) = (3.0_f64, 2.1_f64);
    let terms: f64 = (0..3).map(|k| offered.powi(k) / (1..=k).map(f64::from).product::<f64>()).sum();
    let last = offered.powi(3) / 6.0 * servers / (servers - offered);
    let exact = last / (terms + last) / (servers - offered);
    let mean = one.calls[0].waits().mean_us / 1e6;
    assert!((mean / exact - 1.0).abs() < 0.03, "{mean} s, and Erlang C says {exact} s");
    assert!((one.calls[0].service.summary().mean_us / 1e6 - 1.0).abs() < 0.01);
}

/// Five threads, four of them the gateway's. A client holds the fifth from 20 s to 90 s, so that the message of 30 s fails
/// after its 10 s, the refresh (12 s later) fails as well, and the restarted service finds the thread free.
const SCRIPTED: &str = r#"
[registry]
"Max Threads(Private+Public)" = 5
[store]
call_patience = "10s"
refresh_after = "2s"
shutdown_takes = "4s"
restarted_after = "60s"
start_takes = "5s"
refresh_call = "1s"
[store.clients]
call = "70s"
[store.inbound]
call = "3s"
[store.outbound]
call = "3s"
[load.hog]
service = "store.clients"
gaps = "20s"
[load.in]
service = "store.inbound"
gaps = "30s"
"#;

/// Evenly at 0.2 a second from 15 s to 21 s: one client, at 20 s.
const ONE_AT_20S: &str = r#"
arrivals = "even"
steps = [{ at = "0s", rate = 0 }, { at = "15s", rate = 0.2 }, { at = "21s", rate = 0 }]
"#;

#[test]
fn both_engines_tell_the_same_story() {
    let text = format!("{QUIET}{SCRIPTED}").replace("gaps = \"20s\"", ONE_AT_20S);
    let plans = plans(&text);
    let [virtually, really] = BOTH.map(|engine| stores(&plans, engine).remove(0).1);
    assert_eq!(ids(&virtually), [4116, 3039, 4117, 4094, 4102], "{:?}", virtually.summary.events);
    assert_eq!(ids(&really), ids(&virtually), "{:?}", really.summary.events);
    let what = |one: &StoreFigures| one.summary.events.iter().map(|entry| entry.what).collect::<Vec<_>>();
    assert_eq!(what(&really), what(&virtually));
    let ledgers = |one: &StoreFigures| (one.summary.clients, one.summary.inbound, one.summary.outbound);
    assert_eq!(ledgers(&really), ledgers(&virtually));
    for (real, exact) in really.summary.events.iter().zip(&virtually.summary.events) {
        assert!(real.at >= exact.at, "nothing happens before its time: {} and {}", real.at, exact.at);
    }
    let at = |one: &StoreFigures, at: usize| one.summary.events[at].at;
    // Exactly: it failed 10 s after 30 s; 2 s to the refresh, 10 s to its failure, 4 s to the stop.
    let exact = [0, 5, 40, 40, 40, 52, 56].map(Nanos::from_secs);
    assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|n| at(&virtually, n)), exact);
}

/// ATQ: the thread values by version: Q169686 (0x20 after setup, 0x5 after the Optimizer), Q156063 (20 and 25 without an
/// entry), Q257252 (0x32 and 0x25 for 5.5; 2 and 2 for the gateways).
#[test]
fn thread_values_come_from_version_setup_optimizer_and_registry_in_that_order() {
    let threads = |store: &str, registry: &str| {
        let text = format!(
            "{QUIET}[registry]\n{registry}\n[store]\n{store}\n[store.clients]\ncall = \"1s\"\n\
             [load.users]\nservice = \"store.clients\"\nrate = 1\n"
        );
        let threads = plans(&text)[0].limits.store.as_ref().expect("a store").spec.threads;
        (threads.max, threads.background, threads.gateway_in, threads.gateway_out)
    };
    assert_eq!(threads("", ""), (32, 25, 2, 2));
    assert_eq!(threads("version = \"4.0\"", ""), (32, 25, 2, 2));
    assert_eq!(threads("setup_entry = false", ""), (20, 25, 2, 2));
    assert_eq!(threads("version = \"5.5\"", ""), (50, 37, 2, 2));
    for answers in ["defaults", "all-server-types", "few-users"] {
        assert_eq!(threads(&format!("optimizer = \"{answers}\""), "").0, 5);
    }
    assert_eq!(threads("optimizer = \"defaults\"", "\"Max Threads(Private+Public)\" = 0x14").0, 20);
    let own = "\"Max Threads (Public+Private)\" = 12\n\"Background Threads\" = 30\n\"Gateway In Threads\" = 3\n\
               \"Gateway Out Threads\" = 1";
    assert_eq!(threads("", own), (12, 30, 3, 1), "both spellings of the name");
}

#[test]
fn a_registry_file_sets_the_store() {
    let file = "Windows Registry Editor Version 5.00\r\n\r\n\
                [HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\MSExchangeIS\\ParametersSystem]\r\n\
                \"Max Threads(Private+Public)\"=dword:00000014\r\n";
    let text = format!("{QUIET}{SCRIPTED}").replace("\"Max Threads(Private+Public)\" = 5", "");
    let registries = vec![("exported".to_string(), "x.reg".to_string(), file.as_bytes().to_vec())];
    let (plans, problems) = told(&text, &Overrides { registries, ..Overrides::default() });
    let plans = plans.unwrap_or_else(|| panic!("{problems:#?}"));
    let max = |plan: &Plan| plan.limits.store.as_ref().expect("a store").spec.threads.max;
    assert_eq!(plans.iter().map(max).collect::<Vec<_>>(), [32, 20]);
}

#[test]
fn a_closed_population_of_clients_asks_again_after_its_answer() {
    let text = format!(
        "{QUIET}[registry]\n\"Max Threads(Private+Public)\" = 1\n\"Gateway In Threads\" = 0\n\
         \"Gateway Out Threads\" = 0\n[store.clients]\ncall = \"2s\"\n\
         [load.users]\nservice = \"store.clients\"\nclients = 3\npause = \"4s\"\n"
    );
    let one = &stores(&plans(&text), EngineKind::Virtual)[0].1;
    // The first asks at 4 s, and so do the others; from then on the thread is never idle: (200 - 4) / 2.
    assert_eq!(one.summary.clients.done, 97);
    assert_eq!(one.summary.clients.in_service, 1);
}

#[test]
fn the_optimizers_log_is_a_file_in_the_form_that_the_handbook_shows() {
    let plans = shipped("kb169686");
    let options = atqsim::run::RunOptions { engine: EngineKind::Virtual, ..Default::default() };
    let report = atqsim::run::run(&plans, &options, &atqsim::run::Silent).report.expect("it ran");
    let text = String::from_utf8(atqsim::report::perfopt_log::perfopt_log(&report)).expect("it is text");
    let (_, shown) = include_str!("../../docs/files.md").split_once("```text\n; perfopt.log").expect("it is shown");
    let shown = format!("; perfopt.log{}", shown.split_once("```").expect("it ends").0).replace('\n', "\r\n");
    let of = |name: &str| format!("; variant {name}\r\n{shown}");
    assert_eq!(text, of("optimizer-0x5") + &of("workaround-0x14"), "setup-0x20 has none");
}

#[test]
fn the_services_event_log_is_a_file() {
    let plans = shipped("kb169686");
    let options = atqsim::run::RunOptions { engine: EngineKind::Virtual, ..Default::default() };
    let report = atqsim::run::run(&plans, &options, &atqsim::run::Silent).report.expect("it ran");
    let bytes = atqsim::report::events_csv::events_csv(&report);
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(bytes.as_slice()).into_records().map(|row| row.expect("it is whole")).collect();
    let published: Vec<u32> = rows.iter().filter_map(|row| row[5].parse().ok()).collect();
    let first = report.variants[0].limits.store.as_ref().expect("a store");
    assert_eq!(published, ids(first), "of the first variant; the others have none");
    let bad = rows.iter().find(|row| &row[5] == "4116").expect("a message went to BAD");
    assert_eq!(
        (&bad[0], &bad[3], &bad[4], &bad[6]),
        ("optimizer-0x5", "Error", "MSExchangeIMC", "Internal Processing")
    );
}
