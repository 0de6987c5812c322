//! The command line when the system says no: closed pipes, full disks, limits, refused threads, signals.
//!
//! Linux only, as the faults are made with `/dev/full`, `/proc`, `ulimit` and `setpriv`. Where a tool is missing the test
//! prints so and passes. Nothing sleeps to make sure: conditions are polled, and a watchdog ends what hangs.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use common::{HANGS, ONLY_POP3, Place, Ran, clean, parse, program, ran};

/// Whether a tool is there. Where it is not, its test says so.
fn have(tool: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: there is no {tool} here");
    }
    found
}

/// Runs a script in bash, in which `$ATQSIM` is the program.
fn bash(place: &Place, script: &str) -> Ran {
    let mut command = Command::new("bash");
    command.args(["-c", script]).env("ATQSIM", program()).current_dir(place.folder.path());
    clean(&mut command);
    ran(assert_cmd::Command::from_std(command).timeout(HANGS).output().unwrap())
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    for args in
        ["run small.toml --engine virtual", "registry", "explain kb281868", "scenarios --show kb281868", "--help"]
    {
        let ran = bash(&place, &format!("set -o pipefail; $ATQSIM {args} | head -n 1")).exits(0).quiet();
        assert_eq!(ran.stdout.lines().count(), 1, "{args}");
        // The reader is gone before the first byte.
        bash(&place, &format!("set -o pipefail; $ATQSIM {args} | true")).exits(0).quiet();
    }
}

#[test]
fn a_full_disk_exits_with_3_and_says_so() {
    let place = Place::new();
    let report = place.run("run small.toml --engine virtual --format json --output /dev/full").exits(3);
    let report = report.says(&["cannot write /dev/full", "No space left", "the report follows on stdout"]);
    assert_eq!(report.json()["variants"][0]["name"], "untuned");
    for args in ["run small.toml --engine virtual", "registry", "recommend --virtual-servers 2", "check small.toml"] {
        bash(&place, &format!("$ATQSIM {args} > /dev/full")).exits(3).says(&["cannot write to stdout: No space left"]);
    }
    let both = bash(&place, "$ATQSIM run small.toml --engine virtual --output /dev/full > /dev/full");
    both.exits(3).says(&["cannot write /dev/full", "cannot write to stdout"]);
    // Nobody can be told on a stderr that is full, so nothing else may go wrong for it.
    bash(&place, "$ATQSIM check nothing.toml 2> /dev/full").exits(2);
}

#[test]
fn a_place_where_nothing_can_be_written_keeps_the_report_on_stdout() {
    let place = Place::new();
    for to in ["/proc/report.json", "small.toml/report.json", "/dev/null/report.json"] {
        let ran = place.run(&format!("run small.toml --engine virtual --format json --output {to}")).exits(3);
        assert_eq!(ran.says(&["cannot write ", to]).json()["schema"], "atqsim.report/1");
    }
    let ran = place.run("run small.toml --engine virtual --format json --output .").exits(3);
    assert_eq!(ran.json()["schema"], "atqsim.report/1");
    place.run("scenarios --write /proc/scenarios").exits(3).says(&["/proc/scenarios"]);
    place.run("recommend --virtual-servers 2 --out /proc/x.reg").exits(3).says(&["cannot write /proc/x.reg"]);
    place.run("run small.toml --engine virtual --output /dev/null").exits(0).prints_nothing();
    place.run("run small.toml --engine virtual --format json --output /dev/stdout").exits(0).json();
}

#[test]
fn a_file_size_limit_leaves_the_old_report_whole() {
    let place = Place::new();
    place.write("report.json", "old");
    let ran = bash(&place, "ulimit -f 1; $ATQSIM run small.toml --engine virtual --format json --output report.json");
    let ran = ran.exits(3).says(&["cannot write report.json: File too large", "the report follows on stdout"]);
    assert_eq!(ran.json()["variants"][0]["name"], "untuned");
    assert_eq!(place.read("report.json"), "old");
    bash(&place, "ulimit -f 1; $ATQSIM run small.toml --engine virtual > cut.txt")
        .exits(3)
        .says(&["cannot write to stdout"]);
}

#[test]
fn r02_a_file_size_limit_killed_all_but_runs() {
    let place = Place::new();
    place.write("old.reg", "old");
    bash(&place, "ulimit -f 0; $ATQSIM recommend --virtual-servers 2 --out old.reg")
        .exits(3)
        .says(&["cannot write old.reg"]);
    assert_eq!(place.read("old.reg"), "old");
    bash(&place, "ulimit -f 1; $ATQSIM scenarios --write all").exits(3).says(&["cannot write all/kb281868.toml"]);
    bash(&place, "ulimit -f 1; $ATQSIM registry > cut.txt").exits(3).says(&["cannot write to stdout: File too large"]);
    let folders = [place.path("."), place.path("all")];
    let names = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().file_name());
    let halves: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with(".atqsim-")).collect();
    assert!(halves.is_empty(), "{halves:?}");
}

#[test]
fn there_is_no_progress_where_stderr_is_no_terminal() {
    let place = Place::new();
    place.run("compare small.toml").exits(0).quiet();
    place.run("compare small.toml --quiet").exits(0).quiet();
}

/// Runs the program as a user who may have this many processes and threads.
fn with_threads(place: &Place, limit: u32, args: &str) -> Option<Ran> {
    if !have("setpriv") {
        return None;
    }
    // Another user has to reach the program and the scenarios.
    let open = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(place.folder.path().to_path_buf(), 0o755);
    open(place.path("pop3.toml"), 0o644);
    fs::copy(program(), place.path("atqsim")).unwrap();
    open(place.path("atqsim"), 0o755);
    // An id that nobody else uses, not even another run of this test, so that only this process counts.
    let id = 20_000 + std::process::id() % 400 * 100 + limit;
    let user = format!("setpriv --reuid={id} --clear-groups");
    if bash(place, &format!("{user} ./atqsim --version")).code != Some(0) {
        println!("skipped: this user may not become another");
        return None;
    }
    Some(bash(place, &format!("{user} bash -c 'ulimit -u {limit}; exec ./atqsim {args}'")))
}

const BUSY: &str = "run pop3.toml --format json --set registry.MaxPoolThreads=40 --set load.pop.rate=100 \
                    --set pop3.commands.stat.wait=2s";

#[test]
fn a_run_goes_on_with_the_threads_that_it_gets() {
    let place = Place::new();
    for limit in [4, 12, 30] {
        let Some(ran) = with_threads(&place, limit, BUSY) else { return };
        let report = ran.exits(0).json();
        let variant = &report["variants"][0];
        let had = variant["live_threads_max"].as_u64().unwrap();
        assert!((1..u64::from(limit)).contains(&had), "{had} threads of {limit}");
        assert!(variant["threads_refused"].as_u64().unwrap() > 0, "{limit}");
        let notices = report["notices"].as_array().unwrap();
        assert!(notices.iter().any(|n| n["code"] == "threads-refused" && n["gravity"] == "grave"), "{notices:#?}");
        let pop3 = &variant["services"]["pop3"];
        assert!(pop3["served"].as_u64().unwrap() > 0 && variant["violations"].as_array().unwrap().is_empty());
    }
}

#[test]
fn a_run_that_gets_no_thread_says_so() {
    let place = Place::new();
    let Some(ran) = with_threads(&place, 1, BUSY) else { return };
    ran.exits(1).prints_nothing().says(&["the system refuses to create any thread", "ulimit -u"]);
    let Some(ran) = with_threads(&place, 1, "run pop3.toml --engine virtual") else { return };
    ran.exits(0).prints(&["VERDICT"]);
}

#[test]
fn an_address_space_that_is_too_small_is_told_before_the_run() {
    let place = Place::new();
    let threads = "--set registry.MaxPoolThreads=1000 --set registry.PoolThreadLimit=2000 --quiet";
    let ran = bash(&place, &format!("ulimit -v 500000; $ATQSIM run pop3.toml {threads}"));
    ran.exits(1).prints_nothing().says(&["MiB of address space", "ulimit -v"]);
    bash(&place, &format!("ulimit -v 500000; $ATQSIM run pop3.toml --engine virtual {threads}")).exits(0);
    // Where it is said to be enough, it is.
    for limit in [700_000, 1_500_000, 4_000_000] {
        let ran = bash(&place, &format!("ulimit -v {limit}; $ATQSIM run pop3.toml --set load.pop.rate=1000"));
        assert!(matches!(ran.code, Some(0 | 1)), "{limit}: {ran:#?}");
    }
}

#[test]
fn overload_without_end_keeps_within_bounded_memory() {
    let place = Place::new();
    // A million a second, of which the pool serves next to none: the queue's bound is the memory's.
    let set = "--set load.pop.rate=1000000 --set pop3.max_waiting=10000 --set pop3.commands.stat.wait=1s";
    let limit = "ulimit -v 120000";
    let ran =
        bash(&place, &format!("{limit}; $ATQSIM run pop3.toml {set} --engine virtual --duration 3s --format json"));
    let report = ran.exits(0).json();
    let pop3 = &report["variants"][0]["services"]["pop3"];
    assert!(pop3["arrivals"].as_u64().unwrap() > 2_900_000 && pop3["refused"].as_u64().unwrap() > 2_900_000);
    assert!(pop3["waiting_max"].as_u64() <= Some(10_000));
    // And statistics do not grow with what was served.
    let set = "--set load.pop.rate=1000000 --set pop3.commands.stat.wait=1us";
    bash(&place, &format!("{limit}; $ATQSIM run pop3.toml {set} --engine virtual --duration 3s")).exits(0);
}

/// A run that a test talks with by signals. Killed when it hangs, or when the test fails.
struct Running {
    child: Option<Child>,
    started: Instant,
}

impl Running {
    /// Starts a run that would take hours, and waits until it is under way: signals are caught, threads work.
    fn begin(place: &Place, args: &str) -> Running {
        let mut command = Command::new(program());
        command.args(args.split_whitespace()).current_dir(place.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        clean(&mut command);
        let child = command.spawn().unwrap();
        let mut running = Running { child: Some(child), started: Instant::now() };
        let interrupt = 1_u64 << (2 - 1);
        running.until("is under way", |status| {
            let caught = u64::from_str_radix(field(status, "SigCgt:"), 16).unwrap_or(0);
            caught & interrupt != 0
        });
        running
    }

    fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Polls `/proc` until the process is as wanted.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&str) -> bool) {
        loop {
            let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
            if is_so(&status) {
                return;
            }
            let over = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(over.is_none(), "it ended before it {what}: {over:?}");
            assert!(self.started.elapsed() < HANGS, "it never {what}");
            std::thread::yield_now();
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end.
    fn end(mut self) -> Ran {
        let child = self.child.take().unwrap();
        let id = child.id();
        let (done, watched) = std::sync::mpsc::channel::<()>();
        let watchdog = std::thread::spawn(move || {
            if watched.recv_timeout(HANGS).is_err() {
                let _ = Command::new("kill").args(["-KILL".to_string(), id.to_string()]).status();
            }
        });
        let output = child.wait_with_output().unwrap();
        let _ = done.send(());
        watchdog.join().unwrap();
        ran(output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim()
}

fn threads(status: &str) -> u32 {
    field(status, "Threads:").parse().unwrap_or(0)
}

#[test]
fn a_signal_ends_the_run_with_a_partial_report() {
    let place = Place::new();
    for signal in ["INT", "TERM"] {
        for (engine, speed) in [("threads", "40"), ("threads", "0.000001"), ("virtual", "1")] {
            let args = format!("compare small.toml --duration 10y --format json --engine {engine} --speed {speed}");
            let args = args.replace("10y", if engine == "virtual" { "3000d" } else { "10h" });
            let mut running = Running::begin(&place, &args);
            if engine == "threads" {
                running.until("has threads", |status| threads(status) > 1);
            }
            running.signal(signal);
            let report = running.end().exits(130).quiet().json();
            assert_eq!(report["interrupted"], true);
            assert_eq!(report["variants"].as_array().unwrap().len(), 1);
            let variant = &report["variants"][0];
            assert_eq!((&variant["name"], &variant["interrupted"]), (&"untuned".into(), &true.into()));
            assert!(variant["end_s"].as_f64().unwrap() < report["duration_s"].as_f64().unwrap());
            assert!(variant["violations"].as_array().unwrap().is_empty(), "{}", variant["violations"]);
            let codes: Vec<_> = report["notices"].as_array().unwrap().iter().map(|n| &n["code"]).collect();
            assert!(codes.contains(&&"interrupted".into()) && codes.contains(&&"incomplete".into()), "{codes:?}");
        }
    }
}

#[test]
fn a_partial_report_goes_where_the_whole_one_would_have_gone() {
    let place = Place::new();
    place.write("report.json", "old");
    let running = Running::begin(&place, "run small.toml --duration 10h --format json --output report.json");
    running.signal("INT");
    running.end().exits(130).quiet().prints_nothing();
    assert_eq!(parse(&place.read("report.json"))["interrupted"], true);
}

#[test]
fn the_second_signal_kills() {
    if !have("mkfifo") {
        return;
    }
    let place = Place::new();
    bash(&place, "mkfifo pipe").exits(0);
    // Nobody reads the pipe, so the report waits for ever once the run has ended.
    let mut running = Running::begin(&place, "run small.toml --duration 10h --output pipe");
    running.until("has threads", |status| threads(status) > 1);
    running.signal("INT");
    running.until("has ended its threads", |status| threads(status) == 1);
    running.signal("INT");
    running.end().exits(130).prints_nothing();
}

#[test]
fn a_killed_run_leaves_the_old_report_whole() {
    let place = Place::new();
    place.write("report.json", "old");
    for _ in 0..10 {
        let mut running = Running::begin(&place, "run small.toml --duration 10h --format json --output report.json");
        running.until("has threads", |status| threads(status) > 1);
        running.signal("KILL");
        assert_eq!(running.end().code, None);
        assert_eq!(place.read("report.json"), "old");
    }
}

#[test]
fn a_stopped_run_goes_on_and_is_not_called_clean() {
    let place = Place::new();
    place.write("stall.toml", ONLY_POP3);
    let mut running = Running::begin(&place, "run stall.toml --format json --speed 100 --duration 200s");
    running.until("has threads", |status| threads(status) > 1);
    running.signal("STOP");
    running.until("is stopped", |status| field(status, "State:").starts_with('T'));
    // Stopped for as long as a scheduler takes to run another process: 100 times that in emulated time.
    let other = Command::new("sh").args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]).status();
    assert!(other.unwrap().success());
    running.signal("CONT");
    let report = running.end().exits(0).json();
    let variant = &report["variants"][0];
    assert!(variant["violations"].as_array().unwrap().is_empty());
    assert_ne!(variant["host"]["verdict"], "clean", "{}", variant["host"]);
}

#[test]
fn r04_a_flood_of_items_was_deaf_to_signals_and_to_the_end_of_the_run() {
    let place = Place::new();
    let flood = "run pop3.toml --format json --set load.pop.rate=1000000000";
    // 20 million million items are due, which no host can release.
    let report = place.run(&format!("{flood} --duration 20000s --speed 40000")).exits(0).json();
    assert_eq!(report["variants"][0]["host"]["verdict"], "unusable");
    assert!(report["variants"][0]["violations"].as_array().unwrap().is_empty());
    let mut running = Running::begin(&place, &format!("{flood} --duration 1000h --speed 1000"));
    running.until("has threads", |status| threads(status) > 1);
    running.signal("INT");
    let report = running.end().exits(130).json();
    assert!(report["variants"][0]["services"]["pop3"]["arrivals"].as_u64().unwrap() > 100_000);
}

#[test]
fn r09_a_report_replaced_links_and_opened_private_files() {
    let place = Place::new();
    place.write("real.json", "old");
    fs::set_permissions(place.path("real.json"), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("real.json", place.path("link.json")).unwrap();
    place.run("run small.toml --engine virtual --format json --output link.json").exits(0).quiet().prints_nothing();
    assert!(fs::symlink_metadata(place.path("link.json")).unwrap().is_symlink());
    assert_eq!(parse(&place.read("real.json"))["schema"], "atqsim.report/1");
    assert_eq!(fs::metadata(place.path("real.json")).unwrap().permissions().mode() & 0o777, 0o600);
    place.run("run small.toml --engine virtual --output new.txt").exits(0);
    assert_eq!(fs::metadata(place.path("new.txt")).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn a_signal_ends_what_is_watched_with_its_report() {
    let place = Place::new();
    for (signal, engine) in [("INT", "threads"), ("TERM", "virtual")] {
        let args = format!("watch pop3.toml --duration 10h --speed 1 --engine {engine}");
        let running = Running::begin(&place, &args);
        running.signal(signal);
        let ran = running.end().exits(130).quiet();
        assert!(ran.stdout.contains("interrupted at"), "{ran:#?}");
    }
}
