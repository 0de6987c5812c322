//! What scenarios become, and what is said of those that become nothing.

mod cluster;
mod general;
mod mistakes;
mod plans;
mod properties;

use super::{Base, Overrides, read};
use crate::plan::Plan;
use crate::problem::Problem;

/// A small scenario with something of everything. Mistakes are edits of it, so their line numbers are those here.
const GOOD: &str = include_str!("good.toml");

/// A small cluster, for edits as well.
const CLUSTER: &str = include_str!("cluster.toml");

/// [`GOOD`] with the one place that reads `old` reading `new`.
fn edited(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "`{old}` is not there once");
    GOOD.replacen(old, new, 1)
}

fn read_with(text: &str, overrides: &Overrides) -> (Option<Vec<Plan>>, Vec<Problem>) {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenario/tests");
    read("t.toml", text, &Base::Directory(directory), overrides)
}

/// The problems of `text` under `overrides`, one line each, without the word `error: `.
fn lines(text: &str, overrides: &Overrides) -> Vec<String> {
    let (plans, problems) = read_with(text, overrides);
    assert_eq!(plans.is_none(), crate::problem::any_error(&problems), "{problems:?}");
    problems.iter().map(|problem| problem.to_string()).map(|l| l.trim_start_matches("error: ").to_string()).collect()
}

/// Reads `text` and compares every problem with `expect`.
fn check(text: &str, expect: &[&str]) {
    assert_eq!(lines(text, &Overrides::default()), expect);
}

/// Edits of `good`, each behind `@@` as `OLD|||NEW` with `\n` for a line's end, and below it every problem that it must
/// give, one a line. How many there are.
fn every_case(good: &str, cases: &str) -> usize {
    let mut count = 0;
    for case in cases.split("@@").skip(1) {
        let (edit, expect) = case.split_once('\n').unwrap_or((case, ""));
        let edit = edit.replace("\\n", "\n");
        let (old, new) = edit.split_once("|||").unwrap_or((&edit, ""));
        let expect: Vec<&str> = expect.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(good.matches(old).count(), 1, "`{old}` is not there once");
        let found = lines(&good.replacen(old, new, 1), &Overrides::default());
        assert_eq!(found, expect, "`{old}` became `{new}`:\n{}\n", found.join("\n"));
        count += 1;
    }
    count
}

/// The plans of a scenario that has no problem.
fn plans(text: &str) -> Vec<Plan> {
    let (plans, problems) = read_with(text, &Overrides::default());
    assert_eq!(problems, []);
    plans.unwrap_or_default()
}
