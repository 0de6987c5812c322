//! No text and no flag makes the reader panic, and what it accepts is sound.

use proptest::prelude::*;

use super::*;
use crate::workload::Workload;
use crate::workload::journey::{Journey, Then};

/// Values that replace others: all that is odd about numbers, times and tables.
const ODD: [&str; 28] = [
    "nan",
    "inf",
    "-inf",
    "-0.0",
    "0",
    "-1",
    "1e30",
    "1e-300",
    "4294967296",
    "18446744073709551616",
    "true",
    "\"\"",
    "\"0s\"",
    "\"1ns\"",
    "\"-5s\"",
    "\"9999999 years\"",
    "\"µs\"",
    "\"1/0\"",
    "[]",
    "{}",
    "[[], {}]",
    "{ mean = \"1s\" }",
    "1979-05-27",
    "\"smtp\"",
    "\"directory\"",
    "\"*\"",
    "[\"*\", \" 3\"]",
    "{ dist = \"pareto\" }",
];

/// What holds for every plan, whatever it was made from.
fn check_plans(text: &str, overrides: &Overrides) {
    let (plans, problems) = read_with(text, overrides);
    assert_eq!(plans.is_none(), crate::problem::any_error(&problems));
    let rendered = crate::cli::problems::render(&problems, true);
    assert_eq!(rendered.is_empty(), problems.is_empty());
    for plan in plans.into_iter().flatten() {
        assert!(plan.speed > 0.0 && plan.duration.0 > 0 && !plan.load.sources.is_empty());
        for stage in &plan.load.stages {
            assert!(stage.class.index() < plan.classes.len());
            if let Then::Route(branches) = &stage.then {
                let sum: f64 = branches.iter().map(|branch| branch.share).sum();
                assert!((sum - 1.0).abs() < 1e-9, "{}: {sum}", stage.name);
            }
            assert!(stage.mean_ns().0.is_finite() && stage.mean_ns().1.is_finite());
        }
        for source in &plan.load.sources {
            if let Journey::Session { script, messages, .. } = &source.journey {
                assert!(!script.is_empty() && messages.0 <= messages.1);
            }
        }
        // The load really comes: time goes on, and stops at the end.
        let mut load = Workload::new(plan.load.clone(), plan.seed, plan.duration).expect("no log is named");
        let mut now = crate::time::Nanos::ZERO;
        for _ in 0..100 {
            let due = load.next_due();
            if due == crate::time::Nanos::MAX {
                break;
            }
            assert!(now <= due && due < plan.duration);
            now = due;
            assert!(load.pop_due(now).is_some());
        }
        assert!(plan.offered(crate::time::Nanos::SECOND).iter().all(|offered| offered.threads() >= 0.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        check_plans(&text, &Overrides::default());
    }

    #[test]
    fn anything_like_toml_is_read(text in "([a-z0-9.\"'=\\[\\]{},# \n_-]|\\[smtp\\]\n|load|=\"1s\"\n){0,120}") {
        check_plans(&text, &Overrides::default());
    }

    #[test]
    fn a_scenario_with_bytes_lost_and_moved_is_read(
        cuts in prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 1..4),
        paste in any::<bool>(),
    ) {
        let mut text = GOOD.to_string();
        for (from, length) in cuts {
            let from = (from * text.len() as f64) as usize;
            let to = (from + (length * 40.0) as usize).min(text.len());
            let piece = text[from..to].to_string();
            text.replace_range(from..to, "");
            if paste {
                let at = text.len() / 2;
                text.insert_str(at, &piece);
            }
        }
        check_plans(&text, &Overrides::default());
    }

    #[test]
    fn a_scenario_with_odd_values_is_read(edits in prop::collection::vec((0usize..200, 0usize..ODD.len()), 1..4)) {
        let mut lines: Vec<String> = GOOD.lines().map(String::from).collect();
        for (line, odd) in edits {
            let at = line % lines.len();
            if let Some((key, _)) = lines[at].clone().split_once(" = ") {
                lines[at] = format!("{key} = {}", ODD[odd]);
            }
        }
        check_plans(&lines.join("\n"), &Overrides::default());
    }

    #[test]
    fn inner_values_may_be_odd(at in 0usize..100, odd in 0usize..ODD.len()) {
        // Values within lists and inline tables: whatever stands between ` = ` and the next delimiter.
        let starts: Vec<usize> = GOOD.match_indices(" = ").map(|(at, _)| at + 3).collect();
        let start = starts[at % starts.len()];
        let length = GOOD[start..].find([',', '\n', '}']).unwrap_or(0);
        let text = format!("{}{}{}", &GOOD[..start], ODD[odd], &GOOD[start + length..]);
        check_plans(&text, &Overrides::default());
    }

    #[test]
    fn any_flag_is_read(path in "([a-z_]|smtp\\.|load\\.mail\\.|node\\.|\"|\\.){0,6}", value in "\\PC{0,20}") {
        let overrides = Overrides { set: vec![(path, value)], ..Overrides::default() };
        check_plans(GOOD, &overrides);
    }
}
