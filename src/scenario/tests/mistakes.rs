//! What is said of a mistake: each an edit of the good scenario, with every line that it must give.

use super::*;
use crate::scenario::TraceOverride;
use crate::time::Nanos;

/// Cases of `mistakes.txt`: the edit behind `@@` as `OLD|||NEW`, with `\n` for a line's end, then a line a problem.
const CASES: &str = include_str!("mistakes.txt");

#[test]
fn every_mistake_has_its_place_its_finding_and_its_remedy() {
    let cases = every_case(GOOD, CASES);
    assert!(cases >= 100, "{cases}");
}

#[test]
fn all_mistakes_are_told_at_once_and_once_only() {
    let text = edited("speed = 30", "speed = 0").replace("cv = 1.2", "cv = -1").replace("service = \"pop3\"", "");
    check(
        &text,
        &[
            "t.toml:5:9: speed is 0, and a number from 0.000001 to 1000000 is needed; \
             correct it, or remove it for the default of 1",
            "t.toml:25:51: smtp.queues.pre-categorization.wait.cv is -1, and a number from 0.000001 to 100 is needed; \
             give the standard deviation divided by the mean, like 1.2",
            "t.toml:47:1: load.pop.service is missing; write service = \"smtp\", \"pop3\", \"imap4\" or the name of a class",
        ],
    );
}

#[test]
fn an_empty_file_is_told_what_is_missing() {
    let expect = [
        "t.toml:1:1: format is missing; write format = 1 into the first line",
        "t.toml:1:1: title is missing; give one line that says what the scenario shows",
        "t.toml:1:1: duration is missing; write how long to emulate, like \"10m\"",
        "t.toml:1:1: node is missing; give a section [node] with `processors` and `memory_mb`",
        "t.toml:1:1: there is no service; give [smtp], [pop3], [imap4], [class.NAME], [store], [domains] or [transport]",
        "t.toml:1:1: there is no load; give at least one section [load.NAME]",
    ];
    check("", &expect);
    check("\u{feff}\r\n# nothing\r\n", &expect);
}

#[test]
fn what_is_too_much_is_refused() {
    let deep = |open: &str, close: &str| format!("x = {}1{}", open.repeat(100_000), close.repeat(100_000));
    for text in [deep("[", "]"), deep("{a=", "}"), format!("x{} = 1", ".a".repeat(100_000))] {
        let found = lines(&text, &Overrides::default());
        assert!(!found.is_empty() && found.len() <= 101, "{}", found.len());
    }
    let many: String = (0..500).map(|n| format!("x{n} = 1\n")).collect();
    let found = lines(&(many + GOOD), &Overrides::default());
    assert_eq!(found.len(), 101);
    assert_eq!(found[100], "t.toml: there are more problems than these 100; correct these first");
    let long = "#".repeat(crate::scenario::FILE_BYTES_MOST + 1);
    check(&long, &["t.toml: the file has 16777217 bytes, and at most 16777216 are read; scenarios are much shorter"]);
    let clients =
        edited("[load.bulk]", "[load.more]\nservice = \"smtp\"\nclients = 999981\npause = \"1s\"\n[load.bulk]");
    check(
        &clients,
        &["t.toml:60:11: all loads together have more than 1000000 clients; lower their numbers, or use a rate"],
    );
}

/// The problems of the good scenario with these `--set` flags.
fn set(flags: &[(&str, &str)]) -> Vec<String> {
    let set = flags.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    lines(GOOD, &Overrides { set, ..Overrides::default() })
}

#[test]
fn flags_are_told_by_their_own_text() {
    assert_eq!(
        set(&[("seed", "5"), ("load.mail.rate", "5/s"), ("smtp.queues.dsn.cpu", "{ mean = \"1ms\" }")]),
        [""; 0]
    );
    assert_eq!(
        set(&[("speed", "fast"), ("speeed", "3"), ("title.x", "1"), ("", "1"), ("load.mail.clients", "3")]),
        [
            "--set title.x=1: `title` is no table, so that nothing in it can be set; shorten the path, or correct it",
            "--set =1: `` is no path to a field; write the names of sections and field with points between them",
            "--set speed=fast: speed is `fast`, and a number from 0.000001 to 1000000 is needed; \
             correct it, or remove it for the default of 1",
            "--set load.mail.clients=3: load.mail says when it comes in several ways: rate, clients; \
             give one of rate, steps, ramp, on_off, daily, bursts, gaps, clients, replay",
            "--set speeed=3: `speeed` is no field of a scenario; did you mean `speed`?",
        ]
    );
    assert_eq!(
        set(&[("smtp.queues.dsn.wait", "{ mean = 'x', oh = 1 }"), ("variant.0.name", "x")]),
        [
            "--set variant.0.name=x: `variant` is no table, so that nothing in it can be set; \
             shorten the path, or correct it",
            "--set smtp.queues.dsn.wait={ mean = 'x', oh = 1 }: smtp.queues.dsn.wait.mean is `x`, and a time like \
             `250ms`, from 0s to ten years, is needed; write a time like `250ms`, `1.5s` or `10m`",
            "--set smtp.queues.dsn.wait={ mean = 'x', oh = 1 }: `oh` is no field of smtp.queues.dsn.wait; \
             did you mean `on`?",
        ]
    );
}

#[test]
fn other_flags_are_checked_as_the_file_is() {
    let replay = TraceOverride { paths: Vec::new(), times: f64::NAN, repeat: true, spread: true };
    let overrides = Overrides {
        speed: Some(f64::INFINITY),
        duration: Some(Nanos::MAX),
        registries: vec![("tuned".into(), "a.reg".into(), b"REGEDIT4\n".to_vec())],
        replay: Some(replay),
        ..Overrides::default()
    };
    assert_eq!(
        lines(GOOD, &overrides),
        [
            "--registry tuned=a.reg: two variants are called `tuned`; give it another name",
            "--duration 5124095 h 34 min: duration is `18446744073709551615ns`, and a time like `250ms`, from 1ns to \
             ten years, is needed; write how long to emulate, like \"10m\"",
            "--speed inf: speed is inf, and a number from 0.000001 to 1000000 is needed; \
             correct it, or remove it for the default of 1",
            "--replay: there is no log to replay; name at least one",
            "--replay: logs cannot be replayed NaN times as fast; give a number from 0.000001 to 1000000",
        ]
    );
    let pop = "format = 1\ntitle = 'x'\nduration = '1s'\nnode.processors = 1\n[pop3.commands.stat]\ncpu = '1ms'\n";
    let replay = TraceOverride { paths: vec!["x".into()], times: 1.0, repeat: true, spread: true };
    assert_eq!(
        lines(pop, &Overrides { replay: Some(replay), ..Overrides::default() }),
        ["--replay: logs are replayed against SMTP, which this scenario does not start; give [smtp]"]
    );
}

#[test]
fn recommended_values_need_virtual_servers() {
    let text = edited("virtual_servers = 2\nshares = [0.7, 0.3]", "virtual_servers = 46")
        .replace("registry = { MaxPercentPoolThreads = 22 }", "registry = \"recommended\"");
    check(
        &text,
        &["t.toml:69:12: for 46 virtual servers 90 / (2 x 46) rounds down to 0 %, and the formula of KB 281868 for \
             the additional threads then divides by zero; the formulas answer for 1 to 45 virtual servers; spread them \
             over more nodes"],
    );
}

#[test]
fn a_registry_file_is_told_by_its_own_lines() {
    let file = b"REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\SMTPSVC\\Queuing]\n\
        \"MaxPercentPoolThreads\"=dword:0000008c\n";
    let registries = vec![("mine".to_string(), "mine.reg".to_string(), file.to_vec())];
    assert_eq!(
        lines(GOOD, &Overrides { registries, ..Overrides::default() }),
        ["mine.reg:4:1: MaxPercentPoolThreads 140 is outside what is accepted, 1 to 100 %; \
          set 1 to 100, or remove it for the default of 90; nothing published says what other values do"]
    );
}
