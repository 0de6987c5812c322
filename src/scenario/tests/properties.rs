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
        if let Some(cluster) = &plan.cluster {
            check_cluster(&plan, cluster);
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

/// What the engine relies on: every index leads somewhere, and to whom it should.
fn check_cluster(plan: &Plan, cluster: &crate::plan::cluster::ClusterPlan) {
    let spec = &cluster.spec;
    let (nodes, groups, resources) = (spec.nodes.len(), spec.groups.len(), spec.resources.len());
    assert!((2..=8).contains(&nodes) && (1..=32).contains(&groups) && cluster.nodes.len() == nodes);
    assert_eq!((cluster.probe_class.len(), cluster.probe_source.len()), (resources, resources));
    assert_eq!(
        (cluster.resource_of.len(), cluster.group_of_source.len()),
        (plan.classes.len(), plan.load.sources.len())
    );
    assert!(cluster.nodes.iter().all(|node| node.rules.classes.len() == plan.classes.len()));
    assert_eq!(plan.rules(), cluster.nodes[0].rules);
    for group in &spec.groups {
        assert!(group.owners.contains(&group.starts_on) && group.owners.iter().all(|owner| owner.index() < nodes));
        assert!((1..=groups.max(nodes)).contains(&group.owners.len()));
    }
    for (at, resource) in spec.resources.iter().enumerate() {
        assert!(resource.group.index() < groups && (at == 0 || spec.resources[at - 1].group <= resource.group));
        assert!(resource.depends_on.iter().all(|on| spec.resources[on.index()].group == resource.group));
        assert!(resource.restart_period.0 > 0 && resource.pending_timeout.0 > 0);
        assert_eq!(resource.watch.is_some(), cluster.probe_source[at].is_some());
        if let (Some(class), Some(source)) = (cluster.probe_class[at], cluster.probe_source[at]) {
            assert_eq!(cluster.resource_of[class.index()].map(|own| own.index()), Some(at));
            assert_eq!(cluster.group_of_source[source.index()], resource.group);
            assert!(plan.load.sources[source.index()].arrivals == crate::workload::journey::Arrivals::OnCall);
        }
    }
    assert!(cluster.resource_of.iter().all(|own| own.is_some_and(|own| own.index() < resources)));
    assert!(spec.faults.is_sorted_by_key(|fault| fault.at));
    assert!(spec.faults.iter().all(|fault| fault.node.index() < nodes));
    let mut names: Vec<&str> = plan.load.sources.iter().map(|source| source.name.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    let _ = (plan.overloads(), plan.load_is_steady(), plan.assumption_list());
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
    fn a_cluster_with_odd_values_is_read(edits in prop::collection::vec((0usize..200, 0usize..ODD.len()), 1..4)) {
        let mut lines: Vec<String> = CLUSTER.lines().map(String::from).collect();
        for (line, odd) in edits {
            let at = line % lines.len();
            if let Some((key, _)) = lines[at].clone().split_once(" = ") {
                lines[at] = format!("{key} = {}", ODD[odd]);
            }
        }
        check_plans(&lines.join("\n"), &Overrides::default());
    }

    #[test]
    fn a_cluster_with_lines_lost_and_moved_is_read(moves in prop::collection::vec((0usize..200, 0usize..200), 1..6)) {
        let mut lines: Vec<&str> = CLUSTER.lines().collect();
        for (from, to) in moves {
            let line = lines.remove(from % lines.len());
            if to < 150 {
                lines.insert(to % lines.len(), line);
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
