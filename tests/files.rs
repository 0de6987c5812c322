//! The files beside a report: what stands in them agrees with the report, and what may go wrong is told.

mod common;

#[path = "files/decoder.rs"]
mod decoder;
#[path = "files/perfetto.rs"]
mod perfetto;
#[path = "files/tables.rs"]
mod tables;

use std::collections::BTreeMap;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use common::{Place, Ran};

/// A comparison in which services starve, with every file; `--output` has the JSON report.
fn written(place: &Place, more: &str) -> Ran {
    place.run(&format!(
        "compare kb281868 --duration 4m --quiet --format json --output report.json --hlog a.hlog --summary summary.csv \
         --series series.csv --perfmon perfmon.csv {more}"
    ))
}

fn report(place: &Place) -> serde_json::Value {
    common::parse(&place.read("report.json"))
}

#[test]
fn an_interval_log_reads_back_and_has_every_wait_and_service() {
    let place = Place::new();
    written(&place, "--engine virtual").exits(0).quiet();
    let log = place.read("a.hlog");
    let legend = "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"";
    assert!(log.starts_with("#[Histogram log format version 1.3]\n"), "{}", &log[..200]);
    assert_eq!(log.lines().filter(|line| *line == legend).count(), 1);
    let mut found: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let (mut starts, mut last, mut lines) = (Vec::new(), 0.0, 0);
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        match entry.unwrap() {
            LogEntry::StartTime(at) | LogEntry::BaseTime(at) => starts.push(at.as_secs()),
            LogEntry::Interval(interval) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
                let own: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
                assert!(!own.is_empty(), "an interval without values has no line");
                assert!((interval.max() - own.max() as f64 / 1e3).abs() < 1e-3, "milliseconds of microseconds");
                let from = interval.start_timestamp().as_secs_f64();
                assert!(
                    from >= last && interval.duration().as_secs_f64() <= 1.001,
                    "240 intervals of a second, in order"
                );
                (last, lines) = (from, lines + 1);
                let tag = interval.tag().expect("every line has one").as_str().to_string();
                found.entry(tag).or_insert_with(|| Histogram::new(3).unwrap()).add(own).unwrap();
            }
        }
    }
    assert_eq!((starts, log.lines().count()), (vec![1_114_646_400; 2], lines + 9));
    let mut tags = 0;
    for variant in report(&place)["variants"].as_array().unwrap() {
        for (name, service) in variant["services"].as_object().unwrap() {
            let still = service["still_waiting"].as_u64().unwrap();
            let waits = service["wait_us"]["count"].as_u64().unwrap() - still;
            for (kind, count) in [("wait", waits), ("service", service["service_us"]["count"].as_u64().unwrap())] {
                let tag = format!("{}/{name}/{kind}", variant["name"].as_str().unwrap());
                let read = found.remove(&tag);
                assert_eq!(read.as_ref().map_or(0, Histogram::len), count, "{tag}");
                let (Some(read), 0) = (read, still) else { continue };
                let figure = service[if kind == "wait" { "wait_us" } else { "service_us" }]["p99"].as_f64().unwrap();
                let p99 = read.value_at_quantile(0.99) as f64;
                assert!(p99 >= figure.floor() && p99 <= figure * 1.001 + 1.0, "{tag}: {p99}, in the report {figure}");
                tags += 1;
            }
        }
    }
    assert!(found.is_empty() && tags > 20, "{:?}", found.keys());
}

#[test]
fn equal_runs_write_equal_bytes_in_virtual_time_and_the_calendar_on_real_threads() {
    let (one, other) = (Place::new(), Place::new());
    let more = "--engine virtual --perfetto trace.pftrace";
    written(&one, more).exits(0);
    written(&other, more).exits(0);
    for file in ["a.hlog", "summary.csv", "series.csv", "perfmon.csv", "trace.pftrace"] {
        assert_eq!(std::fs::read(one.path(file)).unwrap(), std::fs::read(other.path(file)).unwrap(), "{file}");
    }
    let real = Place::new();
    real.run("run small.toml --quiet --hlog a.hlog --perfmon perfmon.csv").exits(0);
    let log = real.read("a.hlog");
    let Some(Ok(LogEntry::StartTime(began))) = IntervalLogIterator::new(log.as_bytes()).next() else { panic!("{log}") };
    let written = std::fs::metadata(real.path("a.hlog")).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(began < written && began.as_secs() > 1_700_000_000, "the run began before its log was written");
    let year = real.read("perfmon.csv").lines().nth(1).unwrap()[7..11].parse::<u32>().unwrap();
    assert!(year >= 2023, "{year}");
}

#[test]
fn all_mistakes_about_files_are_told_before_anything_runs() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder")).unwrap();
    let args = "run small.toml --engine virtual --quiet --hlog nowhere/a.hlog --summary folder --series x.csv --perfmon ./x.csv \
                --perfetto folder/../x.csv --events events.csv";
    place.run(args).exits(2).prints_nothing().says(&[
        "--hlog nowhere/a.hlog: cannot be written: there is no directory nowhere",
        "--summary folder: is a directory",
        "--perfmon ./x.csv: is the file of another output",
        "--series x.csv: is the file of another output (--perfetto)",
        "--events events.csv: writes the event log of a cluster, of the Internet Mail Service or of a transport server",
    ]);
    assert!(!place.path("x.csv").exists() && !place.path("events.csv").exists());
    for window in ["2m..1m", "1m", "1m..1m", "a..b"] {
        let args = format!("run small.toml --engine virtual --quiet --perfetto t.pftrace --perfetto-window {window}");
        place.run(&args).exits(2).says(&["--perfetto-window"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_fails_does_not_cost_the_others() {
    let place = Place::new();
    let full = "run small.toml --engine virtual --quiet --format json --summary /dev/full --series series.csv \
                --perfmon perfmon.csv";
    let told = place.run(full).exits(3).says(&["cannot write /dev/full"]).json();
    assert!(told["variants"].is_array());
    assert!(place.read("series.csv").starts_with("variant,") && place.read("perfmon.csv").starts_with("\"(PDH-CSV"));
    place.write("old.pftrace", "old");
    let full = "run small.toml --engine virtual --quiet --perfetto /dev/full --series series.csv";
    place.run(full).exits(3).prints(&["VERDICT"]).says(&["cannot write /dev/full"]);
    let refused = "run small.toml --engine threads --quiet --perfetto old.pftrace --set node.processors=1000000";
    assert_ne!(place.run(refused).code, Some(0));
    assert_eq!(place.read("old.pftrace"), "old", "nothing ran, so the old file stays");
}
