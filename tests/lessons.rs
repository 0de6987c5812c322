//! The labs of `docs/lessons`: every command runs, every line that a page shows of its output is there, in order, and every
//! number that the page states comes from the output of its own commands or from the scenario that they run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: [&str; 7] = ["%", "us", "ms", "s", "min", "h", "MB"];

fn lessons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lessons")
}

fn pages() -> Vec<(String, String)> {
    let names = fs::read_dir(lessons()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.ends_with(".md") && name.starts_with(|c: char| c.is_ascii_digit())).collect();
    names.sort();
    let read = |name: String| (fs::read_to_string(lessons().join(&name)).unwrap(), name);
    names.into_iter().map(read).map(|(text, name)| (name, text)).collect()
}

/// Blanks do not count: tables are laid out for the width at hand.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A command with the lines that the page shows of what it prints.
struct Shown {
    command: String,
    lines: Vec<String>,
}

/// The fenced commands of a page, and the rest of it without headings.
fn parts(page: &str) -> (Vec<Shown>, String) {
    let (mut shown, mut prose, mut fenced) = (Vec::<Shown>::new(), String::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = line == "```console";
        } else if !fenced {
            if !line.starts_with('#') {
                prose.push_str(line);
                prose.push('\n');
            }
        } else if let Some(command) = line.strip_prefix("$ atqsim ") {
            shown.push(Shown { command: command.to_string(), lines: Vec::new() });
        } else if !line.trim().is_empty() {
            shown.last_mut().expect("a command comes first").lines.push(squeezed(line));
        }
    }
    (shown, prose)
}

fn run(command: &str) -> String {
    let mut process = Command::new(env!("CARGO_BIN_EXE_atqsim"));
    process.args(shlex::split(command).expect("the command is well quoted")).current_dir(lessons());
    // The width where there is no terminal is 100 columns, whatever the terminal that runs the tests.
    process.env_remove("COLUMNS").env_remove("CLICOLOR_FORCE");
    let output = process.output().unwrap();
    // 4: a threshold of the scenario failed, which an exercise may bring about.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Numbers of a text with the unit that follows them, as `104 ms`; those in links, after `KB` and within names are none.
fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let outside_links: String =
        text.split("](").map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect();
    let words: Vec<&str> = outside_links
        .split(|c: char| c.is_whitespace() || "`*\"=()[]{},:".contains(c))
        .filter(|w| !w.is_empty())
        .collect();
    // Thousands have a comma within them, so they are looked for in the text as it is.
    let thousands = outside_links.split_whitespace().map(|w| w.trim_matches(|c: char| !c.is_ascii_digit()));
    found.extend(thousands.filter(|w| w.contains(',')).map(str::to_string));
    for (at, word) in words.iter().enumerate() {
        let number = word.trim_end_matches(['.', ';', '?', '!']);
        let is_number =
            number.starts_with(|c: char| c.is_ascii_digit()) && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let before = at.checked_sub(1).map_or("", |before| words[before]);
        let in_thousands = found.iter().any(|t: &String| t.contains(',') && t.split(',').any(|part| part == number));
        if !is_number || before == "KB" || in_thousands {
            continue;
        }
        let unit = words
            .get(at + 1)
            .map(|unit| unit.trim_end_matches(['.', ';', '?', '!']))
            .filter(|unit| UNITS.contains(unit));
        found.push(unit.map_or_else(|| number.to_string(), |unit| format!("{number} {unit}")));
    }
    found
}

/// Whether `text` has this number as a word of its own.
fn has(text: &str, number: &str) -> bool {
    text.match_indices(number).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + number.len()..].chars();
        let next = after.next();
        let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let fraction = matches!(next, Some('.' | ',')) && goes_on(after.next());
        !goes_on(before) && !matches!(before, Some('.' | ',')) && !goes_on(next) && !fraction
    })
}

/// The mean wait of M/M/c in milliseconds (Erlang 1917), for `busy` threads on average and 100 ms of service.
fn erlang_c(threads: u32, busy: f64) -> f64 {
    let blocked = (1..=threads).fold(1.0, |b, n| busy * b / (f64::from(n) + busy * b));
    let waits = blocked / (1.0 - busy / f64::from(threads) * (1.0 - blocked));
    waits * 100.0 / (f64::from(threads) - busy)
}

#[test]
fn every_command_of_the_labs_prints_what_they_show_and_every_number_is_from_there() {
    let pages = pages();
    assert_eq!(pages.len(), 6);
    let mut wrong = Vec::new();
    for (name, page) in &pages {
        let (shown, prose) = parts(page);
        assert!(shown.len() >= 2, "{name} shows too little");
        let mut known = String::new();
        for Shown { command, lines } in &shown {
            let printed = run(command);
            let mut rest = printed.lines().map(squeezed);
            for line in lines {
                if !rest.any(|printed| printed == *line) {
                    wrong.push(format!("{name}: `{command}` does not print (in order) `{line}`"));
                    break;
                }
            }
            // What was given counts as well: the command, and the scenario's own text.
            let scenario = command.split(' ').nth(1).filter(|file| file.ends_with(".toml"));
            let scenario = scenario.map(|file| fs::read_to_string(lessons().join(file)).unwrap()).unwrap_or_default();
            known.push_str(&format!("{} {} {} ", squeezed(&printed), squeezed(&scenario), command));
        }
        // A scenario writes `100ms`, and the formula has a test of its own.
        let spaced = known.replace("ms\"", " ms").replace("s\"", " s");
        let (formula, prose): (Vec<&str>, Vec<&str>) = prose.lines().partition(|line| line.starts_with("Erlang C for"));
        let known = format!("{known} {spaced} {}", formula.join(" "));
        for line in prose {
            let unknown = numbers(line).into_iter().filter(|number| !has(&known, number));
            wrong.extend(unknown.map(|number| format!("{name} states `{number}`, and nothing prints it: {line}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_the_first_lab_says_of_the_formula_is_the_formula() {
    let (_, page) = pages().remove(0);
    let claims: Vec<&str> = page.lines().filter(|line| line.starts_with("Erlang C for")).collect();
    assert_eq!(claims.len(), 2);
    for claim in claims {
        let words: Vec<&str> = claim.split(' ').collect();
        let (threads, busy) = (words[3].parse().unwrap(), words[6].parse().unwrap());
        let stated: f64 = words[words.len() - 2].parse().unwrap();
        let exact = erlang_c(threads, busy);
        assert!((stated - exact).abs() <= 0.005 * exact, "{claim}: it is {exact}");
    }
}

#[test]
fn a_number_that_nobody_prints_is_noticed() {
    assert_eq!(
        numbers("waits 104 ms, 5,238 in all; KB 281868, [see](1-one.png) and 9.5 of ten"),
        ["5,238", "104 ms", "9.5"]
    );
    assert!(has("waits 104 ms", "104 ms") && !has("waits 1104 ms", "104 ms") && !has("0.104 ms", "104 ms"));
    assert!(!has("5,238", "238") && !has("12.3", "12") && has("ends with 12.", "12"));
    assert!((erlang_c(10, 7.0) - 7.391).abs() < 0.001, "{}", erlang_c(10, 7.0));
}

#[test]
fn every_lab_has_its_parts_and_its_picture_and_is_listed() {
    let index = fs::read_to_string(lessons().join("README.md")).unwrap();
    for (name, page) in pages() {
        assert!(index.contains(&format!("({name})")), "{name} is not listed");
        for part in [
            "# Lab ",
            "## Before you run it",
            "## Run it",
            "## What to see",
            "## Exercise",
            "<summary>Answer</summary>",
        ] {
            assert!(page.contains(part), "{name} has no `{part}`");
        }
        let picture = name.replace(".md", ".png");
        assert!(page.contains(&format!("]({picture})")), "{name} does not show {picture}");
        let bytes = fs::read(lessons().join(&picture)).unwrap();
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000, "{picture}");
    }
}
