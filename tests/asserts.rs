//! Thresholds through the built program: exit codes, what is listed, what unknown names say.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// One POP3 class that two requests at a time keep busy, in two variants of which the second has a long queue.
const SMALL: &str = r#"
format = 1
title = "Thresholds"
duration = "2m"
node.processors = 1
[pop3.commands.stat]
wait = "400ms"
[load.pop]
service = "pop3"
rate = "5/s"
script = ["stat"]
arrivals = "even"
[[variant]]
name = "roomy"
[[variant]]
name = "cramped"
registry = { MaxPoolThreads = 1 }
"#;

/// Runs `atqsim` on [`SMALL`] with these thresholds.
fn atqsim(args: &[&str], asserts: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.toml"), format!("{SMALL}{asserts}")).unwrap();
    run(folder.path(), args)
}

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::cargo_bin("atqsim").unwrap().current_dir(folder).args(args).output().unwrap()
}

fn exits(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

const COMPARE: [&str; 4] = ["compare", "small.toml", "--engine", "virtual"];

#[test]
fn thresholds_that_hold_end_well_and_are_counted() {
    let asserts = r#"
[[assert]]
that = "pop3.wait.max < 1ms"
variant = "roomy"
[[assert]]
that = "pop3.starved_percent > 50%"
variant = "cramped"
[[assert]]
that = "pool.live_max <= 4"
"#;
    let (out, _) = exits(&atqsim(&COMPARE, asserts), 0);
    assert!(out.contains("\nTHRESHOLDS\n4 thresholds hold.\n\nVERDICT\n"), "{out}");
    // One that is for another variant is not checked.
    let (out, _) = exits(&atqsim(&["run", "small.toml", "--engine", "virtual", "--variant", "roomy"], asserts), 0);
    assert!(out.contains("\n2 thresholds hold.\n"), "{out}");
    let (out, _) = exits(&atqsim(&COMPARE, ""), 0);
    assert!(!out.contains("THRESHOLDS"), "{out}");
}

#[test]
fn a_threshold_that_fails_is_listed_and_has_its_exit_code() {
    let asserts = r#"
[[assert]]
that = "pop3.wait.p99 < 500ms"
why = "users wait"
[[assert]]
that = "pop3.busy_max >= 1"
"#;
    let (out, _) = exits(&atqsim(&COMPARE, asserts), 4);
    let part = out.split_once("\nTHRESHOLDS\n").unwrap().1;
    let part = part.split_once("\nVERDICT\n").unwrap().0;
    assert!(part.starts_with("1 of 4 thresholds failed:\n"), "{part}");
    assert!(part.lines().any(|l| l.starts_with("cramped") && l.contains("pop3.wait.p99 < 500ms")), "{part}");
    assert!(part.ends_with("- pop3.wait.p99 < 500ms: users wait\n"), "{part}");
    assert!(!part.contains("roomy") && !part.contains("busy_max"), "{part}");
    let json: Vec<&str> = COMPARE.into_iter().chain(["--format", "json"]).collect();
    let (out, _) = exits(&atqsim(&json, asserts), 4);
    let report: Value = serde_json::from_str(&out).unwrap();
    let failed = &report["variants"][1]["asserts"][0];
    assert_eq!((failed["passed"].as_bool(), failed["allowed"].as_f64()), (Some(false), Some(500_000.0)));
    assert_eq!((failed["service"].as_str(), failed["unit"].as_str()), (Some("pop3"), Some("us")));
    assert_eq!(failed["found"], report["variants"][1]["services"]["pop3"]["wait_us"]["p99"]);
    assert_eq!(report["variants"][0]["asserts"][0]["passed"], true);
    let none: Vec<&str> = COMPARE.into_iter().chain(["--set", "assert=[]"]).collect();
    exits(&atqsim(&none, asserts), 0);
}

#[test]
fn what_is_graver_than_a_threshold_has_its_own_exit_code() {
    let asserts = "[[assert]]\nthat = \"pop3.wait.p99 < 1ms\"\n";
    let nowhere: Vec<&str> = COMPARE.into_iter().chain(["--output", "no/such/folder"]).collect();
    let (out, _) = exits(&atqsim(&nowhere, asserts), 3);
    assert!(out.contains("thresholds failed"), "the report follows on stdout: {out}");
    let panics = "[[fault]]\nservice = \"pop3\"\npanics = 1\n";
    exits(&atqsim(&COMPARE, &format!("{asserts}{panics}")), 1);
}

#[test]
fn unknown_names_and_wrong_units_run_nothing() {
    let table = [
        ("pop3.starvd_percent < 1", "", "did you mean `starved_percent`?"),
        ("pop.starved_percent < 1", "", "did you mean `pop3`?"),
        ("pop3.wait.p99 < 500", "", "a time like `500ms` is needed"),
        ("pop3.served > 1", "variant = \"romy\"", "did you mean `roomy`?"),
        ("pop3.starved_percent < 0", "", "can never hold"),
        ("pop3.served", "", "has no comparison"),
    ];
    for (that, more, says) in table {
        let output = atqsim(&COMPARE, &format!("[[assert]]\nthat = \"{that}\"\n{more}\n"));
        let (out, err) = exits(&output, 2);
        assert!(out.is_empty() && err.contains(says), "{that}: {err}");
    }
}

#[test]
fn the_shipped_scenarios_keep_their_own_thresholds() {
    for name in ["kb281868", "which-value", "healthy"] {
        let folder = tempfile::tempdir().unwrap();
        let (out, _) = exits(&run(folder.path(), &["compare", name, "--engine", "virtual"]), 0);
        assert!(out.contains("thresholds hold."), "{name}");
    }
}
