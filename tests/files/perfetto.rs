//! Perfetto traces: what threads did, who starved and what was refused is what the report says. `tests/perfetto/check.py` does
//! the same with Perfetto's own classes (`just perfetto-check`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::common::Place;
use super::decoder::{Decoded, decode};
use super::report;

fn traced(place: &Place, args: &str) -> Decoded {
    place.run(&format!("{args} --quiet --format json --output report.json --perfetto t.pftrace")).exits(0);
    decode(&std::fs::read(place.path("t.pftrace")).unwrap())
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Slices of threads add up to the report's thread time and counts, episodes are its episodes.
fn agrees(decoded: &Decoded, variant: &Value, tolerance_s: f64) -> u64 {
    let name = variant["name"].as_str().unwrap();
    let own = decoded.of_process(name);
    let slices = decoded.slices();
    let mut held: BTreeMap<&str, (f64, u64)> = BTreeMap::new();
    let threads: Vec<u64> = own.iter().filter(|uuid| decoded.tracks[*uuid].is_thread).copied().collect();
    // A thread that is there for a moment may come and go between two looks at how many there are.
    assert!(threads.len() as u64 >= variant["live_threads_max"].as_u64().unwrap());
    for (from, to, service, notes) in threads.iter().filter_map(|uuid| slices.get(uuid)).flatten() {
        let sum = held.entry(service).or_default();
        *sum = (sum.0 + (to - from) as f64 / 1e9, sum.1 + 1);
        assert!((from / 1_000).abs_diff(notes["queued_us"] + notes["wait_us"]) <= 1, "{service}: {notes:?}");
    }
    let instants = |name: &str| -> Vec<_> {
        decoded.events.iter().filter(|e| e.kind == 3 && e.name == name && own.contains(&e.track)).collect()
    };
    let mut episodes = 0;
    for (service, figures) in variant["services"].as_object().unwrap() {
        let (time, count) = held.get(service.as_str()).copied().unwrap_or_default();
        let thread_seconds = seconds(&figures["thread_seconds"]);
        assert!((time - thread_seconds).abs() <= tolerance_s, "{service}: {time} s, in the report {thread_seconds} s");
        let of = |field: &str| figures[field].as_u64().unwrap();
        let begun = of("served") + of("lost") + of("unfinished") - of("still_waiting");
        // At the end of a run on real threads a thread may have been given an item that it has not begun yet.
        let between = if tolerance_s > 1e-3 { threads.len() as u64 } else { 0 };
        assert!(count.abs_diff(begun) <= between, "{name}: {count} slices of {service}, {begun} in the report");
        let track = own.iter().find(|uuid| decoded.tracks[*uuid].name == format!("starvation of {service}"));
        let shown = track.and_then(|uuid| slices.get(uuid)).map_or(&[][..], Vec::as_slice);
        let told = figures["episodes"].as_array().unwrap();
        assert_eq!(shown.len(), told.len(), "episodes of {service}");
        for ((from, to, ..), episode) in shown.iter().zip(told) {
            assert!((*from as f64 / 1e9 - seconds(&episode["start_s"])).abs() < 1e-6);
            assert!(((to - from) as f64 / 1e9 - seconds(&episode["length_s"])).abs() < 1e-6);
        }
        episodes += told.len();
    }
    assert_eq!(instants("starves").len(), episodes);
    let refusals = instants("cap refusal");
    assert!(refusals.iter().all(|event| event.notes["refused"] > 0 && event.notes["cap"] > 0));
    refusals.iter().map(|event| event.notes["refused"]).sum()
}

#[test]
fn the_trace_of_a_comparison_agrees_with_its_report() {
    let place = Place::new();
    let decoded = traced(&place, "compare kb281868 --duration 4m --engine virtual");
    let report = report(&place);
    let refused: Vec<u64> =
        report["variants"].as_array().unwrap().iter().map(|variant| agrees(&decoded, variant, 1e-5)).collect();
    assert!(refused[0] > 0, "queues are at their caps: {refused:?}");
    // The counters: as high as the report's maximum or a little less, as two values are a while apart, and never above.
    let own = decoded.of_process("untuned");
    for (service, figures) in report["variants"][0]["services"].as_object().unwrap() {
        let track = *own.iter().find(|uuid| decoded.tracks[*uuid].name == format!("waiting: {service}")).unwrap();
        let values: Vec<_> = decoded.events.iter().filter(|event| event.track == track).collect();
        assert!(values.len() < 4_010, "{service}: {} values", values.len());
        assert!(values.windows(2).all(|pair| pair[0].at < pair[1].at && pair[0].value != pair[1].value));
        let (most, highest) = (figures["waiting_max"].as_u64().unwrap(), values.iter().map(|e| e.value).max().unwrap());
        assert!(highest <= most && highest + most / 10 + 1 >= most, "{service}: {highest} of {most}");
        assert_eq!(values.last().unwrap().value, figures["still_waiting"].as_u64().unwrap(), "{service} at the end");
    }
    let cap = report["variants"][0]["pool"]["heavy_queue_cap"].as_u64().unwrap();
    for queue in ["smtp1.local-delivery", "smtp2.pre-categorization"] {
        let granted =
            own.iter().find(|uuid| decoded.tracks[*uuid].name == format!("threads granted: {queue}")).unwrap();
        let values = decoded.events.iter().filter(|event| event.track == *granted);
        assert_eq!(values.map(|event| event.value).max(), Some(cap), "{queue}");
    }
}

#[test]
fn the_trace_of_real_threads_agrees_with_their_report() {
    let place = Place::new();
    let decoded = traced(&place, "compare small.toml");
    // Both read the clock for themselves, in the same moment as a rule.
    for variant in report(&place)["variants"].as_array().unwrap() {
        let all: f64 = variant["services"].as_object().unwrap().values().map(|s| seconds(&s["thread_seconds"])).sum();
        agrees(&decoded, variant, all);
    }
}

#[test]
fn a_cluster_has_a_process_for_each_node_and_one_for_its_log() {
    let place = Place::new();
    let decoded = traced(&place, "compare cluster-lost-node --duration 40m --engine virtual");
    let slices = decoded.slices();
    let mut unfinished = 0;
    for variant in report(&place)["variants"].as_array().unwrap() {
        let name = variant["name"].as_str().unwrap();
        let mut held: BTreeMap<&str, f64> = BTreeMap::new();
        for node in ["n1", "n2"] {
            let own = decoded.of_process(&format!("{name} on {node}"));
            let threads = own.iter().filter(|uuid| decoded.tracks[*uuid].is_thread);
            for (from, to, service, notes) in threads.filter_map(|uuid| slices.get(uuid)).flatten() {
                *held.entry(service).or_default() += (to - from) as f64 / 1e9;
                unfinished += notes.get("unfinished").copied().unwrap_or_default();
            }
        }
        for (service, figures) in variant["services"].as_object().unwrap() {
            let (time, told) =
                (held.get(service.as_str()).copied().unwrap_or_default(), seconds(&figures["thread_seconds"]));
            assert!((time - told).abs() < 1e-5, "{name}: {service} {time} s, in the report {told} s");
        }
        let log = format!("{name}: event log of the cluster");
        let track = decoded.tracks.iter().find(|(_, track)| track.name == log).map(|(uuid, _)| *uuid).unwrap();
        let shown = decoded.events.iter().filter(|event| event.track == track).count();
        assert_eq!(shown, variant["cluster"]["events"].as_array().unwrap().len());
    }
    assert!(unfinished > 0, "a node dies while its threads are at something");
}

#[test]
fn a_window_shows_its_part_and_a_decision_log_may_be_written_beside_it() {
    let place = Place::new();
    let whole = traced(&place, "run kb281868 --duration 4m --engine virtual");
    let part =
        traced(&place, "run kb281868 --duration 4m --engine virtual --perfetto-window 1m40s..1m50s --trace log.txt");
    place.run("verify --replay log.txt").exits(0);
    let (from, to) = (100_000_000_000, 110_000_000_000);
    let slices = |decoded: &Decoded| -> Vec<(u64, u64, String)> {
        let threads = decoded.slices().into_iter().filter(|(uuid, _)| decoded.tracks[uuid].is_thread);
        let mut all: Vec<_> = threads.flat_map(|(_, own)| own).map(|(from, to, name, _)| (from, to, name)).collect();
        all.sort();
        all
    };
    let mut expected = slices(&whole);
    expected.retain(|(begin, end, _)| *begin <= to && *end >= from);
    assert_eq!(slices(&part), expected);
    let counters: Vec<_> = part.events.iter().filter(|event| event.kind == 4).collect();
    assert!(!counters.is_empty() && counters.iter().all(|event| (from..=to).contains(&event.at)));
}

#[test]
fn several_runs_are_traced_as_their_first() {
    let (place, alone) = (Place::new(), Place::new());
    traced(&place, "compare small.toml --engine virtual --replications 3");
    traced(&alone, "compare small.toml --engine virtual");
    assert_eq!(std::fs::read(place.path("t.pftrace")).unwrap(), std::fs::read(alone.path("t.pftrace")).unwrap());
}
