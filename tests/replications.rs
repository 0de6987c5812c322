//! `--replications`: the same bytes every time, intervals that shrink, pairs under the same seeds, clear refusals.

use std::process::{Command, Output};

use serde_json::Value;

fn atqsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_atqsim")).args(args).arg("--quiet").output().expect("the program runs")
}

fn json(args: &[&str]) -> Value {
    let output = atqsim(&[args, &["--engine", "virtual", "--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

const KB: &[&str] = &["compare", "kb281868", "--duration", "5m"];

fn estimate(report: &Value, variant: usize, kind: &str, service: &str, figure: &str) -> (f64, f64) {
    let estimate = &report["variants"][variant]["replications"]["services"][service][kind][figure];
    let number = |name: &str| estimate[name].as_f64().unwrap_or_else(|| panic!("{service}.{figure}.{name}"));
    (number("mean"), number("half_width"))
}

#[test]
fn the_same_bytes_whatever_thread_ran_which_replication() {
    let args = [KB, &["--replications", "7", "--engine", "virtual", "--format", "json"]].concat();
    let [a, b] = [atqsim(&args), atqsim(&args)];
    assert!(a.status.success());
    assert_eq!(a.stdout, b.stdout);
}

#[test]
fn every_figure_has_an_interval_and_more_runs_make_it_narrower() {
    let few = json(&[KB, &["--replications", "5"]].concat());
    let many = json(&[KB, &["--replications", "80"]].concat());
    let services = few["variants"][0]["replications"]["services"].as_object().unwrap();
    assert_eq!(services.len(), few["variants"][0]["services"].as_object().unwrap().len());
    assert!(services.values().all(|s| s["estimates"].as_object().unwrap().len() == 28));
    let width = |report| estimate(report, 0, "estimates", "pop3", "starved_percent").1;
    // Sixteen times the runs: a quarter of the width, and a wide margin for the chance in the few.
    assert!(width(&many) < 0.7 * width(&few), "{} and {}", width(&many), width(&few));
    let merged = &many["variants"][0]["replications"]["services"]["pop3"]["merged_wait_us"]["count"];
    let mean = estimate(&many, 0, "estimates", "pop3", "arrivals").0;
    assert!((merged.as_f64().unwrap() / 80.0 - mean).abs() < 1e-6);
}

#[test]
fn tuned_is_better_is_a_statement_with_a_number() {
    let report = json(&[KB, &["--replications", "20"]].concat());
    let (mean, half) = estimate(&report, 1, "difference_to_first", "pop3", "starved_percent");
    assert!(mean + half < -20.0, "starved less by {mean} ± {half} points");
    // Paired: open arrivals are the same under the same seed, so their difference is exactly nothing.
    assert_eq!(estimate(&report, 1, "difference_to_first", "smtp-in", "arrivals"), (0.0, 0.0));
    assert_eq!(report["variants"][0]["replications"]["seeds"], report["variants"][1]["replications"]["seeds"]);
    assert!(
        report["variants"][0]["replications"]["services"]["pop3"]["difference_to_first"]
            .as_object()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_cannot_be_is_refused() {
    for (args, message) in [
        (&["--replications", "5"][..], "needs virtual time"),
        (
            &["--replications", "0", "--engine", "virtual"],
            "0 is not in 2..=100000; an interval needs at least two runs",
        ),
        (
            &["--replications", "1", "--engine", "virtual"],
            "1 is not in 2..=100000; an interval needs at least two runs",
        ),
        (&["--burn-cpu", "--engine", "virtual"], "needs real threads"),
        (&["--max-events", "9"], "add `--engine virtual`"),
        (&["--max-events", "0", "--engine", "virtual"], "0 is not in 1.."),
        (&["--replications", "many", "--engine", "virtual"], "invalid digit"),
    ] {
        let output = atqsim(&[KB, args].concat());
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(message), "{stderr}");
    }
}

/// A budget of events ends each run exactly there: the same partial report every time, and no other exit code than 1.
#[test]
fn a_budget_of_events_gives_a_partial_report() {
    let cut = |events: &str, more: &[&str]| {
        let output = atqsim(&[KB, &["--engine", "virtual", "--format", "json", "--max-events", events], more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for variant in report["variants"].as_array().unwrap() {
            assert_eq!((&variant["interrupted"], &variant["violations"]), (&true.into(), &serde_json::json!([])));
        }
        let codes: Vec<_> = report["notices"].as_array().unwrap().iter().map(|n| n["code"].clone()).collect();
        assert!(codes.contains(&"max-events".into()) && !codes.contains(&"interrupted".into()), "{codes:?}");
        report
    };
    let end = |report: &serde_json::Value| report["variants"][0]["end_s"].as_f64().unwrap();
    let (short, long) = (cut("3000", &[]), cut("9000", &[]));
    assert!(0.0 < end(&short) && end(&short) < end(&long) && end(&long) < 300.0);
    assert_eq!(short, cut("3000", &[]));
    assert_eq!(end(&cut("3000", &["--replications", "3"])), end(&short));
}
