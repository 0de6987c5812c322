//! The command line through the built program: every subcommand, its streams and its exit codes, good input and bad.
//! Faults of the system (full disks, limits, signals) are in `cli_faults.rs`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use common::{Place, Ran, SMALL, parse};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

/// A shipped file.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name)
}

/// Every service of `SMALL`, in the order of the report.
fn services() -> Vec<String> {
    let queues = ["pre-submission", "pre-categorization", "pre-routing", "local-delivery", "dsn"];
    let mut names: Vec<String> = ["pop3", "imap4", "smtp-in"].map(String::from).to_vec();
    for server in 1..=2 {
        names.extend(queues.iter().map(|queue| format!("smtp{server}.{queue}")));
    }
    names
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or_else(|| panic!("no number {field} in {value}"))
}

fn whole(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("no count {field} in {value}"))
}

/// A report has what every report has, and its figures agree with each other.
#[track_caller]
fn check_report(report: &Value, variants: &[&str]) {
    assert_eq!(report["schema"], "atqsim.report/1");
    assert!(report["scenario"]["title"].is_string() && report["engine"].is_string() && report["seed"].is_u64());
    assert!(report["notices"].is_array());
    let found: Vec<&str> = report["variants"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(found, variants);
    for variant in report["variants"].as_array().unwrap() {
        let pool = &variant["pool"];
        let parts = ["size", "heavy_queue_cap", "heavy_request_total", "left_for_others"];
        parts.iter().for_each(|field| assert!(whole(pool, field) < 1 << 32, "{field}"));
        assert!(variant["violations"].as_array().unwrap().is_empty(), "{}", variant["violations"]);
        let of_variant = variant["services"].as_object().unwrap();
        of_variant.iter().for_each(|(name, service)| check_service(name, service));
    }
}

#[track_caller]
fn check_service(name: &str, service: &Value) {
    let outcomes = ["served", "gave_up", "refused", "lost", "unfinished"].map(|field| whole(service, field));
    assert_eq!(whole(service, "arrivals"), outcomes.iter().sum::<u64>(), "{name}");
    for latency in ["wait_us", "service_us"] {
        let figures = ["p50", "p90", "p99", "p999", "max"].map(|field| number(&service[latency], field));
        assert!(figures.windows(2).all(|pair| pair[0] <= pair[1]), "{name}: {latency}: {figures:?}");
        assert!(number(&service[latency], "mean") <= figures[4], "{name}: {latency}");
    }
    let share = ["starved_percent", "shut_out_percent"].map(|field| number(service, field));
    assert!(share.iter().all(|p| (0.0..=100.0).contains(p)), "{name}: {share:?}");
    assert!(service["episodes"].is_array() && number(service, "longest_episode_s") >= 0.0);
    assert!(number(service, "thread_seconds") >= 0.0);
    let histogram = &service["wait_histogram"];
    let counted: u64 = histogram["buckets"].as_array().unwrap().iter().map(|bucket| whole(bucket, "count")).sum();
    let hdr = base64::engine::general_purpose::STANDARD.decode(histogram["hdr"].as_str().unwrap()).unwrap();
    let hdr: Histogram<u64> = Deserializer::new().deserialize(&mut hdr.as_slice()).unwrap();
    let waited = whole(service, "arrivals") - whole(service, "refused");
    assert_eq!((counted, hdr.len()), (waited, waited), "{name}");
}

#[test]
fn compare_puts_every_variant_into_a_text_report() {
    let place = Place::new();
    let ran = place.run("compare small.toml").exits(0).quiet();
    ran.prints(&["Small", "untuned", "tuned", "POOL", "WAITS FOR A THREAD", "STARVATION", "NOTICES", "VERDICT"])
        .prints(&["smtp2.pre-categorization", "real threads, 40 emulated seconds per second"]);
}

#[test]
fn json_on_real_threads_has_every_field_and_agrees_with_itself() {
    let place = Place::new();
    let ran = place.run("compare small.toml --format json").exits(0).quiet();
    let report = ran.json();
    check_report(&report, &["untuned", "tuned"]);
    assert_eq!((&report["engine"], &report["seed"]), (&"threads".into(), &5.into()));
    for variant in report["variants"].as_array().unwrap() {
        let names: Vec<&String> = variant["services"].as_object().unwrap().keys().collect();
        let mut expect = services();
        // serde_json sorts keys; the program does not.
        expect.sort();
        assert_eq!(names, expect.iter().collect::<Vec<_>>());
        let verdict = variant["host"]["verdict"].as_str().unwrap();
        assert!(["clean", "noisy", "unusable"].contains(&verdict), "{verdict}");
        let host = format!("host-{verdict}");
        assert!(report["notices"].as_array().unwrap().iter().any(|n| n["code"] == host.as_str()));
    }
    let place_of = |name: &String| ran.stdout.find(&format!("\"{name}\": {{")).unwrap();
    assert!(services().windows(2).all(|pair| place_of(&pair[0]) < place_of(&pair[1])));
}

#[test]
fn virtual_time_gives_the_same_bytes_twice() {
    let place = Place::new();
    let run = |args: &str| place.run(&format!("compare small.toml --engine virtual {args}")).exits(0).quiet().stdout;
    let json = run("--format json");
    check_report(&parse(&json), &["untuned", "tuned"]);
    assert_eq!(json, run("--format json"));
    assert_eq!(run(""), run("--quiet"));
    assert_ne!(json, run("--format json --seed 6"));
    assert_eq!(json, run("--format json --seed 5"));
    assert!(parse(&json)["variants"][0]["host"].is_null());
}

#[test]
fn run_does_one_variant() {
    let place = Place::new();
    let run = |args: &str| place.run(&format!("run small.toml --engine virtual --format json {args}"));
    check_report(&run("").exits(0).json(), &["untuned"]);
    check_report(&run("--variant tuned").exits(0).json(), &["tuned"]);
    run("--variant tunde").exits(2).prints_nothing().says(&["--variant tunde", "no such variant", "untuned, tuned"]);
}

#[test]
fn flags_change_the_scenario() {
    let place = Place::new();
    let run = |args: &str| {
        let args = format!("compare small.toml --engine virtual --format json {args}");
        place.run(&args).exits(0).json()
    };
    let changed = run("--seed 77 --duration 1m30s --speed 12.5 --variant tuned");
    assert_eq!((whole(&changed, "seed"), number(&changed, "duration_s"), number(&changed, "speed")), (77, 90.0, 12.5));
    check_report(&changed, &["tuned"]);
    let mean = |report: &Value| {
        let service = &report["variants"][1]["services"]["smtp1.local-delivery"]["service_us"];
        number(service, "mean") / 1e3
    };
    let before = mean(&run("--duration 10m"));
    let after = mean(&run("--duration 10m --set smtp.queues.local-delivery.wait.mean=30ms"));
    assert!((250.0..350.0).contains(&before) && (25.0..35.0).contains(&after), "{before} ms, then {after} ms");
    let servers = run("--set smtp.virtual_servers=3 --set node.processors=4");
    assert_eq!(servers["variants"][0]["pool"]["size"], 40);
    assert!(servers["variants"][0]["services"]["smtp3.dsn"].is_object());
}

#[test]
fn set_reaches_what_the_issue_names() {
    let place = Place::new();
    let args =
        "run kb281868 --engine virtual --duration 1m --set assert=[] --set smtp.queues.local-delivery.wait.mean=300ms";
    place.run(args).exits(0).prints(&["KB 281868"]);
    let wrong = "run kb281868 --set smtp.queues.local-delivry.wait.mean=300ms --set nonsense --set speed.x=1";
    let ran = place.run(wrong).exits(2).prints_nothing();
    ran.says(&[
        "--set nonsense",
        "is not PATH=VALUE",
        "local-delivry",
        "did you mean `local-delivery`?",
        "--set speed.x",
    ]);
}

#[test]
fn registry_exports_become_variants() {
    let place = Place::new();
    place.run("recommend --virtual-servers 4 --out four.reg").exits(0);
    let reg = shipped("data/tuned.reg");
    let reg = format!("--registry=kb={}", reg.display());
    let args = "compare small.toml --engine virtual --format json --registry four=four.reg";
    let args: Vec<&str> = args.split(' ').chain([reg.as_str()]).collect();
    let report = place.run_args(&args, "").exits(0).json();
    check_report(&report, &["untuned", "tuned", "four", "kb"]);
    let sizes: Vec<u64> = report["variants"].as_array().unwrap().iter().map(|v| whole(&v["pool"], "size")).collect();
    assert_eq!(sizes, [20, 44, 84, 44]);
    let origin = report["variants"][3]["registry"][0]["origin"].as_str().unwrap();
    assert!(origin.ends_with("tuned.reg:4"), "{origin}");
    let bad = place.run("compare small.toml --registry four --registry x=nothing.reg --registry =x").exits(2);
    bad.prints_nothing().says(&[
        "--registry four: is not NAME=FILE.reg",
        "nothing.reg: cannot be read",
        "--registry =x",
    ]);
    place.run("compare small.toml --registry tuned=four.reg").exits(2).says(&["tuned"]);
}

#[test]
fn output_goes_to_a_file_and_stdout_stays_empty() {
    let place = Place::new();
    place.write("report.json", "old");
    place.run("run small.toml --engine virtual --format json --output report.json").exits(0).quiet().prints_nothing();
    check_report(&parse(&place.read("report.json")), &["untuned"]);
    place.run("run small.toml --engine virtual -o report.txt").exits(0).quiet().prints_nothing();
    let text = place.read("report.txt");
    assert!(text.contains("VERDICT") && !text.contains('\u{1b}'), "{text}");
    let left: Vec<_> = fs::read_dir(place.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn a_report_that_cannot_be_written_is_printed_and_the_old_one_stays() {
    let place = Place::new();
    place.write("old.json", "old");
    let run = |to: &str| place.run(&format!("run small.toml --engine virtual --format json --output {to}"));
    let ran =
        run("old.json/new.json").exits(3).says(&["cannot write old.json/new.json", "the report follows on stdout"]);
    check_report(&ran.json(), &["untuned"]);
    check_report(&run("nowhere/new.json").exits(3).says(&["nowhere/new.json"]).json(), &["untuned"]);
    place.run("recommend --virtual-servers 2 --out old.json/x.reg").exits(3).says(&["cannot write old.json/x.reg"]);
    place.run("scenarios --write old.json").exits(3).says(&["old.json"]);
    assert_eq!(place.read("old.json"), "old");
}

#[test]
fn a_scenario_comes_from_stdin_a_file_or_the_program() {
    let place = Place::new();
    let from_stdin = place.run_args(&["run", "-", "--engine", "virtual", "--format", "json"], SMALL).exits(0).json();
    assert_eq!(from_stdin["scenario"]["file"], "-");
    place.run_args(&["check", "-"], SMALL).exits(0).prints(&["-: good (2 variant(s): untuned, tuned)"]);
    place.run_args(&["check", "-"], "format = 2").exits(2).says(&["--> -:1:10", "format is 2"]);
    for name in ["healthy", "healthy.toml", "scenarios/healthy.toml"] {
        place.run(&format!("check {name}")).exits(0).quiet().prints(&["good (2 variant(s)"]);
    }
    let unknown = place.run("compare kb281686").exits(2).prints_nothing();
    unknown.says(&["there is no such file or shipped scenario", "did you mean the shipped scenario kb281868?"]);
    place.run("explain qqq").exits(2).says(&["`atqsim scenarios` lists"]);
}

const MISTAKES: &str = r#"format = 1
title = "bad"
duration = "20s"
speed = nan
speeed = 3
starvation_after = "-1s"
[node]
processors = 0
[registry]
MaxPercentPoolThreads = 101
[pop3]
max_waiting = -1
[pop3.commands]
stat = { wait = "10ms" }
[load.pop]
service = "pop3"
rate = 1e30
script = ["stat"]
"#;

#[test]
fn check_tells_every_mistake_of_every_file_at_once() {
    let place = Place::new();
    place.write("bad.toml", MISTAKES);
    place.write("torn.toml", "format = 1\ntitle = \"never closed\n");
    let ran = place.run("check small.toml bad.toml torn.toml pop3.toml").exits(2);
    assert_eq!(
        ran.stdout,
        "small.toml: good (2 variant(s): untuned, tuned)\npop3.toml: good (1 variant(s): default)\n"
    );
    let ran = ran.says(&[
        "--> bad.toml:4:9\n",
        "4 | speed = nan\n  |         ^^^\n",
        "5 | speeed = 3\n  | ^^^^^^\n",
        "did you mean `speed`?",
        "6 | starvation_after = \"-1s\"\n  |                    ^^^^^\n",
        "node.processors is 0, and a whole number from 1 to 1024 is needed",
        "MaxPercentPoolThreads 101 is outside what is accepted, 1 to 100 %",
        "12 | max_waiting = -1\n   |               ^^\n",
        "load.pop.rate is 1e30",
        "--> torn.toml:2:",
    ]);
    assert_eq!(ran.stderr.matches("error: ").count(), 8, "{ran:#?}");
    // The same mistakes keep a scenario from being run or told.
    for subcommand in ["run", "compare", "explain"] {
        place.run(&format!("{subcommand} bad.toml")).exits(2).prints_nothing().says(&["bad.toml:4:9"]);
    }
}

#[test]
fn files_that_are_no_scenarios_are_refused() {
    let place = Place::new();
    place.write("empty.toml", "");
    place.write("binary.toml", [0xff, 0, 0x80, 7]);
    place.write("nul.toml", "format = 1\0\n");
    place.write("deep.toml", format!("x = {}", "[".repeat(100_000)));
    place.write("long.toml", "#".repeat(17 << 20));
    place.run("check empty.toml").exits(2).says(&["empty.toml:1:1: format is missing"]);
    place.run("check binary.toml").exits(2).says(&["binary.toml: is no UTF-8 text (byte 0)"]);
    place.run("check nul.toml").exits(2).says(&["nul.toml:1:"]);
    place.run("check deep.toml").exits(2).says(&["deep.toml:1:"]);
    place.run("check long.toml").exits(2).says(&["longer than 16 MiB"]);
    place.run("check .").exits(2).says(&[".: is a directory"]);
    place.run("check /dev/null").exits(2);
}

#[test]
fn figures_out_of_range_are_refused_with_the_range() {
    let place = Place::new();
    let check = |set: &str, words: &[&str]| {
        place.run(&format!("run small.toml --set {set}")).exits(2).prints_nothing().says(words);
    };
    check("node.processors=0", &["node.processors is 0", "1 to 1024"]);
    check("registry.MaxPercentPoolThreads=0", &["MaxPercentPoolThreads 0", "1 to 100"]);
    check("registry.MaxPercentPoolThreads=101", &["MaxPercentPoolThreads 101", "1 to 100"]);
    check("registry.PoolThreadLimit=0", &["PoolThreadLimit 0"]);
    check("registry.PoolThreadLimit=4294967296", &["0 to 4294967295"]);
    for rate in ["nan", "inf", "-1", "1e30", "1e300"] {
        check(&format!("load.pop.rate={rate}"), &["load.pop.rate is "]);
    }
    check("pop3.commands.stat.wait=nan", &["pop3.commands.stat.wait"]);
    check("pop3.commands.stat.wait=-5s", &["pop3.commands.stat.wait"]);
    check("smtp.virtual_servers=-1", &["smtp.virtual_servers is -1", "0 to 64"]);
    check("load.imap.clients=1e9", &["load.imap.clients"]);
}

#[test]
fn wrong_usage_is_told_on_stderr() {
    let place = Place::new();
    let check = |args: &str, words: &[&str]| {
        place.run(args).exits(2).prints_nothing().says(words);
    };
    check("", &["Usage: atqsim"]);
    check("frobnicate", &["unrecognized subcommand"]);
    check("run", &["<FILE>"]);
    check("run small.toml --sped 3", &["unexpected argument '--sped'", "--speed"]);
    check("run small.toml --width 3", &["60..=1000"]);
    check("run small.toml --format xml", &["possible values: text, json"]);
    for speed in ["nan", "inf", "0", "1e30"] {
        check(&format!("run small.toml --speed {speed}"), &["a number from 0.000001 to 1000000 is needed"]);
    }
    check("run small.toml --speed fast", &["invalid value 'fast'"]);
    check("run small.toml --duration 0", &["--duration 0", "from 1ns to ten years"]);
    check("run small.toml --duration 1000000y", &["duration"]);
    check("run small.toml --duration soon", &["--duration soon: is no duration"]);
    check("run small.toml --seed 18446744073709551616", &["--seed"]);
    check("recommend", &["--virtual-servers"]);
    check("replay", &["<LOG>"]);
    check("scenarios --show a --write b", &["cannot be used with"]);
}

#[test]
fn r01_a_negative_number_was_taken_for_a_flag() {
    let place = Place::new();
    place.run("run small.toml --speed -1").exits(2).says(&["--speed -1", "a number from 0.000001 to 1000000"]);
    place.run("run small.toml --seed -1").exits(2).says(&["invalid value '-1' for '--seed <N>'"]);
    place.run("run small.toml --duration -3s").exits(2).says(&["--duration -3s: is no duration"]);
    let log = shipped("data/load.csv");
    let replay = place.run_args(&["replay", log.to_str().unwrap(), "--times", "-2"], "");
    replay.exits(2).says(&["-2 times as fast", "from 0.000001 to 1000000"]);
}

#[test]
fn help_and_version_go_to_stdout_and_tell_the_exit_codes() {
    let place = Place::new();
    place.run("--version").exits(0).quiet().prints(&["atqsim "]);
    let codes =
        ["Exit codes:", "  0  done", "  1  ", "  2  bad input", "  3  ", "  4  a threshold", "130  interrupted"];
    place.run("--help").exits(0).quiet().prints(&codes).prints(&["Examples:", "How waits are measured"]);
    for subcommand in ["compare", "run", "replay", "check", "explain", "scenarios", "registry", "recommend"] {
        place.run(&format!("{subcommand} --help")).exits(0).quiet().prints(&["Usage: atqsim"]);
    }
}

#[test]
fn r24_no_output_takes_the_place_of_what_the_run_reads() {
    let place = Place::new();
    let before = place.read("small.toml");
    place.write("ours.reg", "REGEDIT4\r\n");
    for flag in ["--report", "--summary", "--output", "--hlog"] {
        let ran = place.run(&format!("run ./small.toml --engine virtual {flag} small.toml"));
        ran.exits(2).prints_nothing().says(&[flag, "is a file that this run reads"]);
        let ran = place.run(&format!("compare small.toml --engine virtual --registry ours=ours.reg {flag} ours.reg"));
        ran.exits(2).prints_nothing().says(&[flag, "is a file that this run reads"]);
    }
    assert_eq!(place.read("small.toml"), before);
    assert_eq!(place.read("ours.reg"), "REGEDIT4\r\n");
    place.run("run small.toml --engine virtual --report page.html").exits(0);
}

#[test]
fn shells_and_man_are_told_every_subcommand_and_flag() {
    let place = Place::new();
    let help = place.run("--help").exits(0).stdout;
    let (_, commands) = help.split_once("Commands:\n").expect("help lists commands");
    let names: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() >= 11, "{names:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.run(&format!("completions {shell}")).exits(0).quiet().stdout;
        for name in names.iter().chain(&["replications", "report"]) {
            assert!(script.contains(name), "{shell} does not know {name}");
        }
    }
    place.run("completions csh").exits(2).says(&["csh", "bash"]);
    place.run("man").exits(0).quiet().prints(&[".TH atqsim 1", "SUBCOMMANDS", "130  interrupted"]);
    place.run("man --write pages").exits(0).prints(&["pages written to pages"]);
    for name in names {
        let page = place.read(&format!("pages/atqsim-{name}.1"));
        assert!(page.contains(&format!("atqsim\\-{name}")) && page.contains("EXIT STATUS"), "{page}");
    }
}

#[test]
fn explain_tells_the_plan_without_running_it() {
    let place = Place::new();
    let ran = place.run("explain kb281868").exits(0).quiet();
    ran.prints(&["untuned", "tuned", "20 threads", "44 threads", "POP3"]);
    let changed = place.run("explain small.toml --set smtp.virtual_servers=3 --variant tuned").exits(0).quiet();
    changed.prints(&["64 threads", "tuned"]);
}

#[test]
fn scenarios_are_listed_shown_and_written() {
    let place = Place::new();
    let names: Vec<String> = fs::read_dir(shipped(""))
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().to_str()?.strip_suffix(".toml").map(String::from))
        .collect();
    assert!(names.len() >= 8);
    let list = place.run("scenarios").exits(0).quiet();
    assert!(
        names.iter().all(|name| list.stdout.lines().any(|line| line.starts_with(&format!("{name} ")))),
        "{list:#?}"
    );
    let shown = place.run("scenarios --show kb281868").exits(0).quiet().stdout;
    assert_eq!(shown, fs::read_to_string(shipped("kb281868.toml")).unwrap());
    place
        .run("scenarios --show kb28186")
        .exits(2)
        .prints_nothing()
        .says(&["did you mean the shipped scenario kb281868?"]);
    place.run("scenarios --show small.toml").exits(2).prints_nothing();

    fs::create_dir(place.path("all")).unwrap();
    place.write("all/healthy.toml", "mine");
    let written = place.run("scenarios --write all").exits(0).says(&["kept all/healthy.toml (it exists)"]);
    written.prints(&["file(s) written to all, 1 kept"]);
    assert_eq!(place.read("all/healthy.toml"), "mine");
    assert_eq!(fs::read(place.path("all/data/smtp-w3c.log")).unwrap(), fs::read(shipped("data/smtp-w3c.log")).unwrap());
    place.run("check all/kb281868.toml all/replay-sample.toml").exits(0).quiet();
}

#[test]
fn the_registry_table_and_an_export_are_told() {
    let place = Place::new();
    let table = ["MaxPercentPoolThreads", "AdditionalPoolThreadsPerProc", "PoolThreadLimit", "MaxPoolThreads"];
    place.run("registry").exits(0).quiet().prints(&table).prints(&["used by the emulated pool", "known, not used"]);
    let markdown = place.run("registry --format markdown").exits(0).quiet().prints(&table);
    assert!(markdown.stdout.lines().filter(|line| line.starts_with('|')).count() > 10, "{markdown:#?}");

    let exported = shipped("data/exported-nt4.reg");
    let ran = place.run_args(&["registry", exported.to_str().unwrap()], "").exits(0);
    let ran = ran.prints(&["MaxPercentPoolThreads", "15 (0xF)", "exported-nt4.reg:6", "MsgHandleThreshold"]);
    ran.says(&[
        "AdditionalPoolThreadsPerProc is documented by ExBPA; the KB says Queuing",
        "FilterFlags is not modelled",
    ]);
    place.run("registry nothing.reg").exits(2).prints_nothing().says(&["nothing.reg: cannot be read"]);
    place.run("registry .").exits(2).prints_nothing().says(&["is a directory"]);
    place.write("bad.reg", "REGEDIT4\n\n[HKLM\\System\\CurrentControlSet\\Services\\SMTPSVC\\Queuing]\n\"MaxPercentPoolThreads\"=dword:00000065\n");
    place.run("registry bad.reg").exits(2).says(&["MaxPercentPoolThreads 101", "bad.reg:4:"]);
    place.write("binary.reg", [0, 159, 146, 150, 255]);
    place.run("registry binary.reg").exits(2).says(&["binary.reg"]);
    place.write("empty.reg", "");
    place.run("registry empty.reg").exits(2).says(&["empty.reg"]);
}

#[test]
fn recommend_computes_the_worked_example_of_the_kb() {
    let place = Place::new();
    let ran = place.run("recommend --virtual-servers 2 --processors 2 --memory 1024").exits(0).quiet();
    ran.prints(&[
        "MaxPercentPoolThreads = 90 / (2 x 2) = 22.5, rounded down to 22",
        "AdditionalPoolThreadsPerProc = ((9 / 0.22) - 4) / 2 = 18.4545, rounded down to 18",
        "2 processors x (4 + 18) = 44 threads",
        "heavy queue: floor(44 x 22 / 100) = 9",
        "4 heavy queues x 9 = 36 threads may be asked for, 8 of 44 left for the others",
        "restart the IIS Admin service",
        "additional_rounding = floor",
    ]);
    let up = place.run("recommend --virtual-servers 2 --assume additional_rounding=ceil").exits(0);
    up.prints(&["rounded up to 19", "additional_rounding = ceil"]);
    let wrong = place.run("recommend --virtual-servers 2 --assume nonsense --assume drian=1").exits(2).prints_nothing();
    wrong.says(&["--assume nonsense: is not NAME=VALUE", "--assume drian=1"]);
}

#[test]
fn recommend_has_no_values_for_none_or_46_servers_and_warns_for_16() {
    let place = Place::new();
    for servers in [0, 46, 4_000_000_000_u32] {
        let ran = place.run(&format!("recommend --virtual-servers {servers} --out x.reg")).exits(2).prints_nothing();
        ran.says(&["1 to 45"]);
        assert!(!place.path("x.reg").exists());
    }
    place.run("recommend --virtual-servers 45").exits(0);
    place.run("recommend --virtual-servers 2 --processors 0").exits(2).prints_nothing();
    let ran = place.run("recommend --virtual-servers 16").exits(0);
    ran.says(&["PoolThreadLimit", "223 lowers the usual limit of 256"]).prints(&["PoolThreadLimit = 223 (0xDF)"]);
}

#[test]
fn recommend_writes_files_that_read_back() {
    let place = Place::new();
    for (format, start) in [("version5", &b"\xff\xfeW\0i\0n\0"[..]), ("regedit4", b"REGEDIT4\r\n")] {
        let args = format!("recommend --virtual-servers 2 --out new.reg --reg-format {format}");
        place.run(&args).exits(0).quiet().prints(&["written to new.reg"]);
        assert!(fs::read(place.path("new.reg")).unwrap().starts_with(start), "{format}");
        let back = place.run("registry new.reg").exits(0).quiet();
        back.prints(&["MaxPercentPoolThreads", "22 (0x16)", "AdditionalPoolThreadsPerProc", "18 (0x12)"]);
        let again = place.run("recommend --virtual-servers 2 --registry new.reg").exits(0).quiet();
        assert_eq!(again.stdout.matches(", as it is now").count(), 2, "{again:#?}");
    }
    let exported = shipped("data/exported-nt4.reg");
    let args = ["recommend", "--virtual-servers", "2", "--registry", exported.to_str().unwrap()];
    let ran = place.run_args(&args, "").exits(0).prints(&["22 (0x16), now 15 (0xF)", "not set now (behaves as "]);
    ran.says(&["documented by ExBPA; the KB says Queuing"]);
}

/// Replays a shipped log once, in virtual time, into a scenario without other mail.
fn replay(place: &Place, log: &str, more: &str) -> Ran {
    let log = shipped(log);
    let mut args = vec!["replay", log.to_str().unwrap(), "--scenario", "small.toml", "--engine", "virtual"];
    args.extend(["--format", "json", "--variant", "untuned"]);
    args.extend(more.split_whitespace());
    place.run_args(&args, "")
}

#[test]
fn logs_are_replayed_row_by_row() {
    let place = Place::new();
    let check = |log: &str, smtp_in: u64, messages: u64, trace: &[&str]| {
        let report = replay(&place, log, "--duration 10m").exits(0).quiet().json();
        check_report(&report, &["untuned"]);
        let variant = &report["variants"][0];
        assert_eq!(whole(&variant["services"]["smtp-in"], "arrivals"), smtp_in, "{log}");
        let queue = |name: &str| whole(&variant["services"][name], "arrivals");
        assert_eq!(queue("smtp1.pre-submission") + queue("smtp2.pre-submission"), messages, "{log}");
        let told = variant["trace"].to_string();
        trace.iter().for_each(|words| assert!(told.contains(words), "{log}: no `{words}` in {told}"));
    };
    let skipped =
        ["66 rows used of 1 file, 30 skipped", "30 skipped: outbound connection (first at ", "smtp-w3c.log:26)"];
    check("data/smtp-w3c.log", 66, 11, &skipped);
    let skipped =
        ["26 rows used of 1 file, 4 skipped", "4 skipped: outbound connection (first at ", "smtp-ncsa.log:16)"];
    check("data/smtp-ncsa.log", 26, 5, &skipped);
    check("data/load.csv", 11, 11, &["40 rows used of 1 file, 0 skipped"]);
}

#[test]
fn replay_multiplies_and_repeats_the_log() {
    let place = Place::new();
    let arrivals = |more: &str| {
        let report = replay(&place, "data/smtp-w3c.log", more).exits(0).json();
        whole(&report["variants"][0]["services"]["smtp-in"], "arrivals")
    };
    let once = arrivals("--duration 20m");
    assert_eq!(once, 66);
    assert_eq!(arrivals("--duration 20m --times 4"), once);
    assert!(arrivals("--duration 20m --loop") > 5 * once);
    assert!(arrivals("--duration 20m --loop --times 4") > 20 * once);
    assert!(arrivals("--duration 60s") < once, "rows after the end of the run are not due");
}

#[test]
fn several_logs_are_merged_and_the_text_report_tells_what_was_left_out() {
    let place = Place::new();
    fs::create_dir(place.path("logs")).unwrap();
    for log in ["smtp-w3c.log", "smtp-ncsa.log"] {
        fs::copy(shipped("data").join(log), place.path("logs").join(log)).unwrap();
    }
    let args = "replay logs --scenario small.toml --engine virtual --variant untuned --duration 10h";
    place.run(args).exits(0).prints(&["92 rows used of 2 files, 34 skipped", "outbound connection (first at "]);
}

#[test]
fn r03_a_log_that_cannot_be_read_is_bad_input() {
    let place = Place::new();
    place.write("empty.log", "");
    place.write("binary.log", [0_u8, 1, 2, 255, 0, 7]);
    place.write("words.log", "this is no log\nat all\n");
    fs::create_dir(place.path("none")).unwrap();
    let table = [
        ("nothing.log", "cannot be read"),
        ("empty.log", "the file is empty"),
        ("binary.log", "binary"),
        ("words.log", "words.log"),
        ("none", "the directory has no files"),
    ];
    for (log, words) in table {
        for engine in ["virtual", "threads"] {
            let ran = place.run(&format!("replay {log} --scenario small.toml --engine {engine}"));
            ran.exits(2).prints_nothing().says(&["error: ", log, words]);
        }
    }
    let all = place.run("replay nothing.log nowhere.log --scenario small.toml").exits(2);
    all.says(&["nothing.log", "nowhere.log"]);
}

#[test]
fn a_pool_beyond_the_real_engine_is_refused_and_runs_in_virtual_time() {
    let place = Place::new();
    let huge = "run pop3.toml --set registry.MaxPoolThreads=4294967295 --set registry.PoolThreadLimit=4294967295";
    place.run(huge).exits(2).prints_nothing().says(&["real threads are created up to"]);
    place.run(&format!("{huge} --engine virtual")).exits(0).prints(&["4294967295"]);
}

#[test]
fn burning_more_processors_than_there_are_is_refused() {
    let place = Place::new();
    let ran = place.run("run pop3.toml --burn-cpu --set node.processors=1024").exits(2).prints_nothing();
    ran.says(&["burning real CPU for 1024 emulated processors", "lower --speed"]);
}

#[test]
fn phases_of_no_length_and_clients_that_never_rest_end_with_the_run() {
    let place = Place::new();
    let restless = "clients = 1\npause = { dist = \"constant\", value = \"1us\" }";
    place.write("restless.toml", common::ONLY_POP3.replace("rate = \"20/s\"", restless));
    let args = "run restless.toml --set pop3.commands.stat.wait=0s --format json";
    let report = place.run(&format!("{args} --engine virtual --duration 1s")).exits(0).json();
    assert_eq!(report["variants"][0]["services"]["pop3"]["served"], 999_999);
    check_report(&place.run(args).exits(0).json(), &["default"]);
    // What never rests at all is refused.
    let still = place.run(&format!("{args} --set load.pop.pause=0s")).exits(2).prints_nothing();
    still.says(&["load.pop.pause", "1us"]);
}

#[test]
fn panics_of_a_scenario_are_counted_and_exit_with_1() {
    let place = Place::new();
    let fault = format!("{}\n[[fault]]\nservice = \"pop3\"\npanics = 0.2\n", common::ONLY_POP3);
    place.write("fault.toml", fault);
    for engine in ["threads", "virtual"] {
        let ran = place
            .run(&format!("run fault.toml --format json --engine {engine}"))
            .exits(1)
            .says(&["exit code 1", "handlers panicked"]);
        let report = ran.json();
        check_report(&report, &["default"]);
        let variant = &report["variants"][0];
        let lost = whole(&variant["services"]["pop3"], "lost");
        assert!(lost > 20 && lost == whole(variant, "panics"), "{engine}: {lost}");
        assert!(whole(&variant["services"]["pop3"], "served") > 200, "{engine}");
        assert!(report["notices"].as_array().unwrap().iter().any(|n| n["code"] == "panics"));
    }
    let all = place.run("run fault.toml --set fault=[{service=\"pop3\",panics=1}] --format json").exits(1).json();
    assert_eq!(all["variants"][0]["services"]["pop3"]["served"], 0);
}

#[test]
fn whoever_finds_no_room_is_counted_as_refused() {
    let place = Place::new();
    let set = "--set pop3.max_waiting=3 --set load.pop.rate=2000 --set pop3.commands.stat.wait=1s";
    for engine in ["threads", "virtual"] {
        let report = place.run(&format!("run pop3.toml {set} --engine {engine} --format json")).exits(0).json();
        check_report(&report, &["default"]);
        let pop3 = &report["variants"][0]["services"]["pop3"];
        assert!(whole(pop3, "refused") > 10_000, "{engine}: {pop3}");
        // A real thread has taken its item from the queue a moment before it says so.
        let taken = if engine == "threads" { 8 } else { 0 };
        assert!(whole(pop3, "waiting_max") <= 3 + taken, "{engine}");
        assert!(report["notices"].as_array().unwrap().iter().any(|n| n["code"] == "refused"));
    }
}

#[test]
fn absurd_speeds_and_short_runs_end_with_a_report() {
    let place = Place::new();
    for args in ["--speed 1000000", "--duration 1ns", "--duration 1us --speed 1000000", "--speed 1e-6 --duration 100ns"]
    {
        let report = place.run(&format!("compare small.toml --format json {args}")).exits(0).json();
        check_report(&report, &["untuned", "tuned"]);
        let report = place.run(&format!("compare small.toml --engine virtual --format json {args}")).exits(0).json();
        check_report(&report, &["untuned", "tuned"]);
        place.run(&format!("compare small.toml {args}")).exits(0).prints(&["VERDICT"]);
    }
}

#[test]
fn colour_is_for_terminals_or_for_whoever_asks() {
    let place = Place::new();
    let run = |more: &str| place.run(&format!("run small.toml --engine virtual {more}")).exits(0).stdout;
    assert!(!run("").contains('\u{1b}') && !run("--color never").contains('\u{1b}'));
    assert!(run("--color always").contains('\u{1b}'));
    assert_eq!(run(""), run("--color never"));
}

#[test]
fn the_text_report_keeps_to_its_width() {
    let place = Place::new();
    for width in [60, 80, 140] {
        let ran = place.run(&format!("compare small.toml --engine virtual --width {width}")).exits(0);
        let widest = ran.stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{widest:?} of {width}");
    }
}

#[test]
fn r05_items_due_in_the_last_moment_were_no_arrivals() {
    let place = Place::new();
    // The run is over before the first item can be released: all the same, the load brought them.
    let set = "--set load.pop.rate=1000 --set load.pop.arrivals=even --duration 1s --speed 1000000 --format json";
    let report = place.run(&format!("run pop3.toml {set}")).exits(0).json();
    check_report(&report, &["default"]);
    let in_virtual_time = place.run(&format!("run pop3.toml {set} --engine virtual")).exits(0).json();
    let arrivals = |report: &Value| whole(&report["variants"][0]["services"]["pop3"], "arrivals");
    assert_eq!(arrivals(&report), arrivals(&in_virtual_time));
}

#[test]
fn r06_a_thread_timeout_of_0_made_time_stand_still() {
    let place = Place::new();
    let args = "run kb281868 --duration 5s --set assert=[] --speed 50 --set registry.ThreadTimeout=0 --format json";
    for engine in ["virtual", "threads"] {
        let report = place.run(&format!("{args} --engine {engine}")).exits(0).json();
        check_report(&report, &["untuned"]);
        assert_eq!(report["variants"][0]["pool"]["thread_timeout_s"], 1);
    }
}

#[test]
fn r07_ten_years_were_more_than_ten_years() {
    let place = Place::new();
    place.run("explain small.toml --set duration=10y").exits(0);
    place.run("explain small.toml --duration 10y").exits(0);
    place.run("explain small.toml --duration 11y").exits(2).says(&["to ten years"]);
}

#[test]
fn r08_the_verdict_was_silent_about_lost_requests() {
    let place = Place::new();
    let ran = place.run_args(
        &[
            "run",
            "pop3.toml",
            "--engine",
            "virtual",
            "--set",
            "fault=[{service=\"pop3\",panics=0.5}]",
            "--width",
            "200",
        ],
        "",
    );
    ran.exits(1).prints(&["no POP3 user waited", "requests were given up, refused or lost."]);
}

#[test]
fn watch_prints_lines_where_there_is_no_terminal_and_then_the_report() {
    let place = Place::new();
    for (engine, speed) in [("threads", "40"), ("virtual", "400")] {
        let args = format!("watch small.toml --engine {engine} --speed {speed} --duration 12s --every 2s");
        let ran = place.run(&args).exits(0).quiet();
        let (lines, report) = ran.stdout.split_once("\nSmall").unwrap_or_else(|| panic!("{ran:#?}"));
        let lines: Vec<&str> = lines.lines().collect();
        // A line for every 2 s, but where the host was late for one; the last at the end.
        assert!((2..=7).contains(&lines.len()), "{ran:#?}");
        assert!(lines.iter().all(|line| line.contains(" of 20 threads, ") && line.contains("pop3 wait ")), "{ran:#?}");
        assert!(report.contains("VERDICT") && !ran.stdout.contains('\u{1b}'), "{ran:#?}");
        assert!(report.contains(if engine == "virtual" { "virtual time" } else { "real threads" }), "{ran:#?}");
    }
    for (args, why) in [
        ("watch small.toml --every 0s", "is no time at all"),
        ("watch small.toml --every soon", "is no duration"),
        ("watch small.toml --engine both", "one run is watched, not two"),
        ("watch nothing.toml", "there is no such file"),
        ("watch small.toml --variant other", "there is no such variant"),
    ] {
        place.run(args).exits(2).says(&[why]).prints_nothing();
    }
}
