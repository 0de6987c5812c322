//! `--engine both`: one plan on real threads and in virtual time, beside each other.

use std::process::Command;

use serde_json::Value;

#[test]
fn both_engines_get_the_same_items_and_are_put_side_by_side() {
    let args = ["run", "healthy", "--duration", "30s", "--speed", "60", "--engine", "both", "--format", "json", "-q"];
    let output = Command::new(env!("CARGO_BIN_EXE_atqsim")).args(args).output().expect("the program runs");
    // On a host that is busy with other things the scenario's thresholds may be missed (exit code 4): not the matter here.
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 4)), "{code:?} {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(report["engine"], "threads and virtual");
    let agreement = report["variants"][0]["agreement"].as_object().expect("both engines ran");
    let figure = |service: &str, name: &str, engine: &str| agreement[service][name][engine].as_f64().unwrap();
    assert_eq!(agreement.len(), 13);
    // Open mail: the same items, whatever the engine.
    let came = |engine| figure("smtp-in", "arrivals", engine);
    assert!(came("threads") > 100.0);
    assert_eq!(came("threads"), came("in_virtual_time"));
    // The real figures are those of the report itself.
    let own = report["variants"][0]["services"]["pop3"]["wait_us"]["mean"].as_f64().unwrap();
    assert_eq!(figure("pop3", "wait_mean_us", "threads"), own);
}

#[test]
fn one_engine_says_nothing_of_agreement() {
    let args = ["run", "healthy", "--duration", "30s", "--engine", "virtual", "--format", "json", "-q"];
    let output = Command::new(env!("CARGO_BIN_EXE_atqsim")).args(args).output().expect("the program runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert!(report["variants"][0]["agreement"].is_null());
    assert!(report["variants"][0]["replications"].is_null());
}
