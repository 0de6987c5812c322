//! Warm-up, precision, and how far an interval is to be trusted: through the command line.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn atqsim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_atqsim")).args(args).arg("--quiet").output().expect("the program runs")
}

fn stdout(args: &[&str]) -> String {
    let output = atqsim(args);
    // A threshold may fail where a scenario is cut short.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&[args, &["--format", "json"]].concat())).expect("it is JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// M/M/c: `threads` threads, services of 100 ms on average, so many arrivals a second.
fn queue(directory: &TempDir, threads: u32, rate: &str, duration: &str, more: &str) -> String {
    let path = directory.path().join(format!("q{threads}-{}.toml", rate.len() + duration.len() + more.len()));
    let text = format!(
        "format = 1\ntitle = \"M/M/c\"\nseed = 5\nduration = \"{duration}\"\nspeed = 1000\n{more}\n[node]\n\
         processors = 8\nthreads = {threads}\n[class.a]\nwait = {{ mean = \"100ms\" }}\n[load.a]\nservice = \"a\"\n{rate}\n"
    );
    std::fs::write(&path, text).expect("the scenario is written");
    path.to_str().expect("a path in UTF-8").to_string()
}

const VIRTUAL: &[&str] = &["--engine", "virtual"];

fn notice<'r>(report: &'r Value, code: &str) -> Option<&'r str> {
    let notices = report["notices"].as_array().expect("notices");
    notices.iter().find(|notice| notice["code"] == code).and_then(|notice| notice["text"].as_str())
}

/// M/M/2 at 0.9 from empty, one minute: too short for the mean to forget its begin. The exact mean wait is
/// C(2, 1.8) / (20 - 18) = 0.42632 s (Erlang C 0.85263).
#[test]
fn an_automatic_warmup_moves_the_mean_to_the_exact_value() {
    const EXACT: f64 = 0.426_32;
    let directory = TempDir::new().unwrap();
    let file = queue(&directory, 2, "rate = \"18/s\"", "1min", "");
    let mean = |warmup: &str| {
        let set = format!("warmup={warmup}");
        let report = json(&[&["run", &file, "--replications", "1000", "--set", &set], VIRTUAL].concat());
        let variant = &report["variants"][0];
        let estimate = &variant["replications"]["services"]["a"]["estimates"]["wait_mean_s"];
        (number(&estimate["mean"]), number(&estimate["half_width"]), variant["warmup"].clone())
    };
    let (raw, raw_half, none) = mean("0s");
    let (given, given_half, _) = mean("20s");
    let (warm, warm_half, auto) = mean("auto");
    assert!(raw + 1.5 * raw_half < EXACT, "the empty begin must show: {raw} ± {raw_half}");
    assert!((given - EXACT).abs() < 2.0 * given_half && given_half < 0.03, "{given} ± {given_half}");
    // What is chosen depends on the pilots' luck: it may be shorter than 20 s, and then it mends a part.
    assert!(warm > raw + 0.15 * (EXACT - raw) && warm - warm_half < EXACT, "{raw} became {warm} ± {warm_half}");
    assert_eq!((&none["rule"], &auto["rule"]), (&"given".into(), &"auto".into()));
    let (length, measured) = (number(&auto["length_s"]), number(&auto["measured_s"]));
    assert!(length > 0.0 && length < 30.0 && (length + measured - 60.0).abs() < 1e-9, "{auto}");
    assert_eq!((&auto["pilot"]["outcome"], &auto["pilot"]["runs"]), (&"settles".into(), &100.into()));
}

/// What is due in the measured time is what is due in the whole run less what is due in a run that ends where the
/// warm-up does; and the laws hold wherever the warm-up ends.
#[test]
fn items_count_from_the_end_of_the_warmup_on() {
    let arrivals = |args: &[&str]| {
        let report = json(&[&["compare", "kb281868"], args, VIRTUAL].concat());
        for variant in report["variants"].as_array().unwrap() {
            assert_eq!(variant["violations"], Value::Array(Vec::new()));
        }
        report["variants"][0]["services"]["smtp-in"]["arrivals"].as_u64().unwrap()
    };
    let whole = arrivals(&[]);
    for warmup in ["1s", "61s", "3min", "4min 17s", "8min 29s"] {
        let set = format!("warmup={warmup}");
        assert_eq!(arrivals(&["--set", &set]), whole - arrivals(&["--duration", warmup]), "{warmup}");
    }
}

#[test]
fn both_engines_measure_the_same_items() {
    let directory = TempDir::new().unwrap();
    let file = queue(&directory, 3, "rate = \"20/s\"", "20s", "warmup = \"7s\"");
    let report = json(&["run", &file, "--engine", "both", "--speed", "40"]);
    let variant = &report["variants"][0];
    assert_eq!(variant["violations"], Value::Array(Vec::new()));
    // A busy host may end the run a little late.
    assert!(number(&variant["warmup"]["measured_s"]) >= 13.0);
    let arrivals = &variant["agreement"]["a"]["arrivals"];
    assert_eq!(number(&arrivals["threads"]), number(&arrivals["in_virtual_time"]));
    assert!((150.0..400.0).contains(&number(&arrivals["threads"])), "{arrivals}");
    assert!(stdout(&["run", &file, "--speed", "40"]).contains("warm-up   7.00 s, emulated and not measured"));
}

#[test]
fn variants_share_the_longest_warmup_and_those_without_one_say_so() {
    let directory = TempDir::new().unwrap();
    let variants = "\n[[variant]]\nname = \"quick\"\n[[variant]]\nname = \"slow\"\nset = { \"node.threads\" = 3 }\n";
    let file = queue(&directory, 8, &format!("rate = \"18/s\"{variants}"), "4min", "warmup = \"auto\"");
    let report = json(&[&["compare", &file], VIRTUAL].concat());
    let warmup = |at: usize| &report["variants"][at]["warmup"];
    assert_eq!(warmup(0)["length_s"], warmup(1)["length_s"]);
    let needed = [0, 1].map(|at| number(&warmup(at)["pilot"]["settled_after_s"]));
    assert_eq!(number(&warmup(0)["length_s"]), needed[0].max(needed[1]));
    let sentence = |report: &Value| report["verdict"].as_str().unwrap().to_string();
    let verdict =
        sentence(&json(&[&["compare", &file, "--set", "warmup=0s", "--replications", "10"], VIRTUAL].concat()));
    assert!(
        verdict.contains("; so slow is worse than quick (A: ") && verdict.contains(" more; 95 % intervals"),
        "{verdict}"
    );
    let same = ["compare", &file, "--set", "node.threads=4", "--set", "warmup=0s", "--replications", "10"];
    let verdict = sentence(&json(&[&same[..], VIRTUAL].concat()));
    let none = "; so no difference between slow and quick is proven (A: starved the same, mean wait the same; ";
    assert!(verdict.contains(none), "{verdict}");
    // More than the thread can do, from clients so patient that none of them has given up by the end: it only grows.
    let file = queue(&directory, 1, "rate = \"15/s\"", "10min", "warmup = \"auto\"");
    let report = json(&[&["run", &file, "--set", "class.a.patience=1h"], VIRTUAL].concat());
    assert_eq!(report["variants"][0]["warmup"]["pilot"]["outcome"], "never-settles");
    assert_eq!(number(&report["variants"][0]["warmup"]["length_s"]), 0.0);
    assert!(notice(&report, "no-steady-state").unwrap().contains("the warm-up is 0"));
    assert_eq!(notice(&report, "unstable"), None);
}

/// A load of 1.5: of 15 items a second, 5 are left over, which is 18,000 an hour.
#[test]
fn an_unstable_load_is_run_and_said_to_be_one() {
    let directory = TempDir::new().unwrap();
    let file = queue(&directory, 1, "rate = \"15/s\"", "10min", "warmup = \"auto\"");
    let report = json(&[&["run", &file], VIRTUAL].concat());
    let told = notice(&report, "unstable").expect("a notice");
    assert!(
        told.contains("steady-state figures do not exist") && told.contains("1.5 of 1 threads of the pool"),
        "{told}"
    );
    let trend = number(&report["variants"][0]["services"]["a"]["waiting_trend_per_hour"]);
    assert!((trend - 18_000.0).abs() < 3_500.0, "{trend}");
    assert!(told.contains(&format!("a by {trend:.0} items/h")), "{told}");
    assert!(notice(&report, "no-steady-state").unwrap().contains("more than the pool can carry"));
    assert_eq!(report["variants"][0]["warmup"]["pilot"]["outcome"], "overloaded");
    assert_eq!(report["variants"][0]["services"]["a"]["wait_mean_interval"]["doubt"], "overload");
    // Clients that give up, or find no room, keep the queue from growing.
    for bound in ["class.a.patience=2s", "class.a.max_waiting=50"] {
        let report = json(&[&["run", &file, "--set", bound, "--set", "warmup=0s"], VIRTUAL].concat());
        assert_eq!(notice(&report, "unstable"), None, "{bound}");
    }
}

/// Batch means of one run: M/M/1 at 0.5 needs 10 batches of 400 items.
#[test]
fn a_single_run_has_an_interval_only_where_it_is_long_enough() {
    let directory = TempDir::new().unwrap();
    let file = queue(&directory, 1, "rate = \"5/s\"", "30min", "");
    let interval = |duration: &str| {
        let report = json(&[&["run", &file, "--duration", duration], VIRTUAL].concat());
        report["variants"][0]["services"]["a"]["wait_mean_interval"].clone()
    };
    let long = interval("30min");
    assert_eq!((&long["trustworthy"], &long["doubt"]), (&true.into(), &Value::Null));
    assert!(number(&long["batch_items"]) >= 400.0 && (10..20).contains(&long["batches"].as_u64().unwrap()), "{long}");
    // The exact mean wait is 0.5 / (10 - 5) s; three half-widths of a 95 % interval are more than five errors.
    let half = number(&long["half_width_us"]);
    let mean = number(&json(&[&["run", &file], VIRTUAL].concat())["variants"][0]["services"]["a"]["wait_us"]["mean"]);
    assert!((mean - 100_000.0).abs() < 3.0 * half && half < 30_000.0, "{mean} ± {half}");
    let short = interval("3min");
    assert_eq!((&short["trustworthy"], &short["doubt"]), (&false.into(), &"short-run".into()));
    assert!(!stdout(&[&["run", &file], VIRTUAL].concat()).contains("not trustworthy"));
    let text = stdout(&[&["run", &file, "--duration", "3min"], VIRTUAL].concat());
    assert!(text.contains("interval not trustworthy: all services: the run is too short for its load"), "{text}");
    let text = stdout(&[&["run", "kb281868"], VIRTUAL].concat());
    assert!(text.contains("interval not trustworthy: all services: the load changes during the run"), "{text}");
}

#[test]
fn replications_are_added_until_the_interval_is_tight() {
    let directory = TempDir::new().unwrap();
    let file = queue(&directory, 2, "rate = \"14/s\"", "2min", "");
    let ask =
        |precision: &str, more: &[&str]| json(&[&["run", &file, "--precision", precision], more, VIRTUAL].concat());
    let loose = ask("20%", &[]);
    let tight = ask("5%", &[]);
    for (report, share) in [(&loose, 0.2), (&tight, 0.05)] {
        assert_eq!(
            (&report["precision"]["reached"], &report["precision"]["wide"]),
            (&true.into(), &Value::Array(vec![]))
        );
        let replications = &report["variants"][0]["replications"];
        let estimate = &replications["services"]["a"]["estimates"]["wait_mean_s"];
        assert!(number(&estimate["half_width"]) <= share * number(&estimate["mean"]), "{estimate}");
        assert_eq!(
            replications["seeds"].as_array().unwrap().len() as u64,
            report["precision"]["runs"].as_u64().unwrap()
        );
    }
    let runs = |report: &Value| report["precision"]["runs"].as_u64().unwrap();
    assert!(
        runs(&loose) < runs(&tight) && [10, 15, 23, 35, 53, 80, 120, 180].contains(&runs(&tight)),
        "{}",
        runs(&tight)
    );
    assert_eq!(tight, ask("5%", &[]), "the rounds depend on nothing but the scenario");
    let missed = ask("0.1%", &["--max-replications", "20", "--precision-of", "a.wait.p99"]);
    assert_eq!((&missed["precision"]["reached"], runs(&missed)), (&false.into(), 20));
    assert_eq!(missed["precision"]["wide"][0]["figure"], "a.wait.p99");
    assert!(notice(&missed, "precision-missed").unwrap().contains("not reached after 20 of at most 20 runs"));
}

#[test]
fn a_figure_that_is_zero_ends_the_search() {
    let of = ["--precision", "5%", "--precision-of", "pop3.lost", "--duration", "1min"];
    let report = json(&[&["compare", "kb281868"], &of[..], VIRTUAL].concat());
    assert_eq!((&report["precision"]["runs"], &report["precision"]["wide"]), (&10.into(), &Value::Array(vec![])));
    assert_eq!(report["precision"]["zero"].as_array().unwrap().len(), 2);
    assert!(notice(&report, "precision-of-zero").unwrap().contains("untuned: pop3.lost, tuned: pop3.lost"));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    for (args, message) in [
        (&["--precision", "0%"][..], "`0%` is not possible"),
        (&["--precision", "-5%"], "`-5%` is not possible"),
        (&["--precision", "101%"], "`101%` is not possible"),
        (&["--precision", "nan%"], "`nan%` is no percentage"),
        (&["--precision", "0.05"], "`0.05` has no percent sign"),
        (&["--precision", "5%", "--precision-of", "pop4.wait.mean"], "did you mean `pop3`?"),
        (&["--precision", "5%", "--precision-of", "pop3.wait.meen"], "write SERVICE.wait.mean"),
        (&["--precision", "5%", "--precision-of", "pool.size"], "names no figure of a service"),
        (&["--precision-of", "pop3.wait.mean"], "--precision <PERCENT>"),
        (&["--precision", "5%", "--max-replications", "1"], "an interval needs at least two runs"),
        (&["--precision", "5%", "--max-replications", "20", "--replications", "30"], "begins with 30"),
        (&["--replications", "-3"], "write a whole number from 2 to 100000"),
        (&["--precision", "5%", "--engine", "threads"], "--precision: needs virtual time"),
    ] {
        let engine: &[&str] = if args.contains(&"--engine") { &[] } else { VIRTUAL };
        let output = atqsim(&[&["compare", "kb281868"], args, engine].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(message), "{args:?}: {stderr}");
    }
}

#[test]
fn the_text_has_every_figure_and_the_verdict_speaks_of_all_runs() {
    let args = ["compare", "kb281868", "--duration", "5min", "--replications", "12"];
    let text = stdout(&[&args[..], VIRTUAL].concat());
    let (_, every) = text.split_once("EVERY FIGURE OVER THE RUNS").expect("the section");
    let (_, pop3) = every.split_once("\npop3 ").expect("its block");
    let pop3 = pop3.split_once("\n\nimap4 ").expect("the next block").0;
    let report = json(&[&args[..], VIRTUAL].concat());
    let figures = report["variants"][0]["replications"]["services"]["pop3"]["estimates"].as_object().unwrap();
    assert_eq!(figures.len(), 28);
    for name in figures.keys() {
        let bare = name.strip_suffix("_s").or_else(|| name.strip_suffix("_percent")).unwrap_or(name);
        let label = bare.replace("_per_hour", "/h").replace('_', " ");
        assert!(pop3.contains(&label), "{label} is missing:\n{pop3}");
    }
    assert!(every.contains("(messages or sessions)") && every.contains("live threads max"));
    let verdict = report["verdict"].as_str().unwrap();
    for part in
        ["starved in 12 of 12 runs", "user starved in any of 12 runs", "; so tuned is better than untuned (", " ± "]
    {
        assert!(verdict.contains(part), "no `{part}` in: {verdict}");
    }
    assert!(
        verdict.contains("95 % intervals over 12 pairs of runs") && !verdict.contains("not trustworthy"),
        "{verdict}"
    );
    // The number in the sentence is the one of the estimates.
    let difference = &report["variants"][1]["replications"]["services"];
    let starved = |service: &str| number(&difference[service]["difference_to_first"]["starved_percent"]["mean"]).abs();
    let worst = starved("pop3").max(starved("imap4"));
    assert!(verdict.contains(&format!("starved {worst:.1} % ± ")), "{worst}: {verdict}");
    let few = stdout(&[&args[..4], &["--replications", "3"], VIRTUAL].concat());
    assert!(few.contains("interval not trustworthy: fewer than 10 runs"), "{few}");
}
