//! The decision log through the built program: both engines write it, a fresh dispatch agrees, a planted change is found.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
/// Two queues, a protocol whose clients give up, and a pool that is too small in one variant.
const SMALL: &str = r#"
format = 1
title = "Traces"
duration = "20s"
speed = 20
node.processors = 1
[smtp]
virtual_servers = 1
[smtp.in]
cpu = "1ms"
[smtp.queues]
pre-submission.cpu = "1ms"
pre-categorization.wait = { mean = "300ms" }
pre-routing.cpu = "1ms"
local-delivery.wait = { mean = "400ms" }
dsn.cpu = "1ms"
[pop3]
timeout = "500ms"
[pop3.commands.stat]
wait = { mean = "100ms" }
[load.mail]
service = "smtp"
rate = "20/s"
[load.pop]
service = "pop3"
rate = "10/s"
script = ["stat"]
[[variant]]
name = "untuned"
[[variant]]
name = "tuned"
registry = "recommended"
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("small.toml"), SMALL).unwrap();
        Place(folder)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &str) -> Output {
        let args = args.split(' ');
        Command::cargo_bin("atqsim").unwrap().current_dir(self.0.path()).args(args).output().unwrap()
    }

    /// The log of a comparison in virtual time.
    fn log(&self) -> String {
        exits(&self.run("compare small.toml --engine virtual --trace log.txt"), 0);
        std::fs::read_to_string(self.path("log.txt")).unwrap()
    }

    /// What `verify` says of this log.
    fn verify(&self, log: impl AsRef<[u8]>, code: i32) -> String {
        std::fs::write(self.path("changed.txt"), log).unwrap();
        exits(&self.run("verify --replay changed.txt"), code)
    }
}

/// Both streams of a program that ended with this code.
#[track_caller]
fn exits(output: &Output, code: i32) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let both = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{both}");
    both
}

/// `log` with its line `at` (from 0) replaced.
fn with_line(log: &str, at: usize, line: &str) -> String {
    let lines: Vec<&str> = log.lines().enumerate().map(|(n, old)| if n == at { line } else { old }).collect();
    lines.join("\n") + "\n"
}

fn line_of(log: &str, wanted: impl Fn(&str) -> bool) -> (usize, &str) {
    log.lines().enumerate().find(|(_, line)| wanted(line)).expect("there is such a line")
}

#[test]
fn the_logs_of_both_engines_replay() {
    let place = Place::new();
    for engine in ["virtual", "threads"] {
        exits(&place.run(&format!("compare small.toml --engine {engine} --trace log.txt --quiet")), 0);
        let log = std::fs::read_to_string(place.path("log.txt")).unwrap();
        assert!(
            log.starts_with(&format!("atqsim-trace 1\nengine {engine}\nvariant untuned\npool-size ")),
            "{log:.200}"
        );
        for word in ["submit", "give-up", "blocks", "wakes", "finishes", "queued", "start", "create", "idle"] {
            assert!(log.contains(&format!(" {word} ")), "no {word} in the log of {engine}");
        }
        let ends: u64 = log.lines().filter_map(|line| line.strip_prefix("end ")?.parse::<u64>().ok()).sum();
        assert!(ends > 2_000, "{ends}");
        let said = exits(&place.run("verify --replay log.txt"), 0);
        assert!(said.contains(" decisions agree (") && said.contains(&format!("{ends} events, 2 variants")), "{said}");
    }
    // The same log byte by byte in virtual time, and the report is the same as without one.
    assert_eq!(place.log(), place.log());
    let bare = place.run("compare small.toml --engine virtual");
    assert_eq!(bare.stdout, place.run("compare small.toml --engine virtual --trace log.txt").stdout);
    exits(&place.run("run small.toml --engine virtual --trace log.txt"), 0);
    assert_eq!(std::fs::read_to_string(place.path("log.txt")).unwrap().matches("atqsim-trace").count(), 1);
}

#[test]
fn a_replay_of_logs_is_traced_too() {
    let place = Place::new();
    let csv = "time,service,service_ms\n0.1,smtp-in,20\n0.2,smtp-in,30\n0.3,smtp-in,10\n";
    std::fs::write(place.path("mail.csv"), csv).unwrap();
    exits(&place.run("replay mail.csv --scenario small.toml --engine virtual --trace log.txt"), 0);
    assert!(exits(&place.run("verify --replay log.txt"), 0).contains("agree"));
}

#[test]
fn a_planted_change_is_found_and_located() {
    let place = Place::new();
    let log = place.log();
    let (at, line) = line_of(&log, |line| line.contains(" finishes ") && line.contains(" start "));
    let (event, decided) = line.split_once(" -> ").unwrap();
    // Another item, another thread, one decision more, none at all.
    let (head, item) = decided.rsplit_once('#').unwrap();
    let other: u64 = item.parse::<u64>().unwrap() + 1;
    for planted in [format!("{head}#{other}"), format!("{decided} idle t0"), "nothing".to_string()] {
        let said = place.verify(with_line(&log, at, &format!("{event} -> {planted}")), 1);
        assert!(said.contains(&format!("changed.txt:{}: the first difference, in variant untuned", at + 1)), "{said}");
        assert!(said.contains(&format!("logged   {planted}\n  decided  {decided}\n")), "{said}");
    }
    // A changed event is found where the policy first decides otherwise; one that cannot be, at once.
    let (at, _) = line_of(&log, |line| line.contains(" blocks t"));
    for (planted, says) in
        [("blocks t4000000000", "not busy"), ("submit 60000", "there are 7 classes"), ("wakes t0", "t0 is not")]
    {
        let said = place.verify(with_line(&log, at, &format!("+0 {planted} -> nothing")), 1);
        assert!(said.contains(&format!("changed.txt:{}:", at + 1)) && said.contains(says), "{said}");
    }
    let (at, line) = line_of(&log, |line| line.contains(" submit "));
    let lost: Vec<&str> = log.lines().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| line).collect();
    let said = place.verify(lost.join("\n") + "\n", 1);
    assert!(said.contains("the first difference"), "without `{line}`: {said}");
}

#[test]
fn the_header_is_needed() {
    let place = Place::new();
    let log = place.log();
    let header = log.lines().take_while(|line| *line != "begin").count();
    for (at, line) in log.lines().take(header + 1).enumerate() {
        let kept: Vec<&str> = log.lines().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| line).collect();
        let said = Command::cargo_bin("atqsim")
            .unwrap()
            .args(["verify", "--replay", "-"])
            .write_stdin(kept.join("\n") + "\n")
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(2), "without `{line}`: {said:?}");
    }
    for (old, new) in
        [("cap ", "cap -"), ("requests", "reqests"), ("pool-size ", "pool-size x"), ("trace 1", "trace 2")]
    {
        let said = place.verify(log.replacen(old, new, 1), 2);
        assert!(said.contains("changed.txt:") && said.contains("help"), "{said}");
    }
    // What the header says decides: with another pool, the decisions differ.
    let (at, _) = line_of(&log, |line| line.starts_with("pool-size"));
    assert!(place.verify(with_line(&log, at, "pool-size 1"), 1).contains("the first difference"));
}

#[test]
fn torn_huge_and_binary_logs_are_told() {
    let place = Place::new();
    let log = place.log();
    let torn = place.verify(&log[..log.len() / 3], 0);
    assert!(torn.contains("decisions agree") && torn.contains("its run was cut off; its last line is torn"), "{torn}");
    let whole_lines = log[..log.len() / 3].rsplit_once('\n').unwrap().0.to_string() + "\n";
    assert!(place.verify(whole_lines, 0).contains("its run was cut off\n"));
    assert!(place.verify("", 2).contains("there is no log in it"));
    assert!(place.verify(&log[..40], 2).contains("ends within its header"));
    assert!(place.verify([0xff, 0xfe, 0, 10, 3], 2).contains("changed.txt:1"));
    assert!(place.verify(vec![0; 3 << 20], 2).contains("longer than 1 MiB"));
    assert!(place.verify(log.replacen("end ", "end 1", 1), 2).contains("events, and"));
    let (at, _) = line_of(&log, |line| line.contains(" submit "));
    for (line, says) in [("", "changed.txt:"), ("+1 sumbit 0 -> nothing", "`sumbit` is no event"), ("hello", "->")] {
        let said = place.verify(with_line(&log, at, line), 2);
        assert!(said.contains(&format!("changed.txt:{}", at + 1)) && said.contains(says), "{said}");
    }
    assert!(exits(&place.run("verify --replay nowhere.txt"), 2).contains("cannot be read"));
    assert!(exits(&place.run("verify --replay ."), 2).contains("cannot be read"));
}

#[test]
fn a_log_that_cannot_be_written_does_not_cost_the_report() {
    let place = Place::new();
    if Path::new("/dev/full").exists() {
        let said = exits(&place.run("compare small.toml --engine virtual --trace /dev/full"), 3);
        assert!(said.contains("\nVERDICT\n") && said.contains("cannot write /dev/full"), "{said}");
    }
    let said = exits(&place.run("compare small.toml --engine virtual --trace no/such/log.txt"), 2);
    assert!(said.contains("--trace no/such/log.txt") && !said.contains("VERDICT"), "{said}");
    exits(&place.run("run small.toml --engine virtual --trace x.txt --output x.txt"), 2);
    exits(&place.run("run small.toml --engine virtual --trace x.txt --replications 3"), 2);
}
