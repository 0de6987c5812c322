//! Classes of a scenario's own: what they become, and what is said of mistakes in them.

use super::*;
use crate::policy::dispatch::Kind;
use crate::policy::drain::Drain;
use crate::policy::order::Order;
use crate::workload::journey::{Arrivals, Journey, Then};

const OWN: &str = r#"format = 1
title = "Own"
duration = "1m"
[node]
processors = 3
threads = 3
waiting_room = 9
[assumptions]
order = "reserve"
drain = 5
[class.first]
kind = "queue"
cap = 2
keep_free = 1
priority = 4
wait = "1s"
routes = { first = 0.25, second = 0.5 }
[class.second]
cpu = "1ms"
max_waiting = 7
patience = "3s"
[load.first]
service = "first"
rate = 1
[load.people]
service = "second"
clients = 2
pause = "1s"
"#;

/// The problems of [`OWN`] with `old` replaced, without the file's name.
fn told(old: &str, new: &str) -> Vec<String> {
    assert_eq!(OWN.matches(old).count(), 1, "`{old}` is not there once");
    let found = lines(&OWN.replacen(old, new, 1), &Overrides::default());
    found.iter().map(|line| line.trim_start_matches("t.toml:").to_string()).collect()
}

#[test]
fn classes_of_ones_own_become_classes_stages_and_loads() {
    let plan = plans(OWN).remove(0);
    let rules = plan.rules();
    assert_eq!((rules.pool_size, rules.order, rules.waiting_room), (3, Order::Reserve, Some(9)));
    assert_eq!(rules.classes[0].kind, Kind::WorkQueue { cap: 2, drain: Drain::Messages(5) });
    assert_eq!((rules.classes[0].priority, rules.classes[0].keep_free), (4, 1));
    assert_eq!((rules.classes[1].kind, rules.classes[1].max_waiting), (Kind::Requests, 7));
    let Then::Route(branches) = &plan.load.stages[0].then else { panic!("the first class has routes") };
    let shares: Vec<(f64, bool)> = branches.iter().map(|branch| (branch.share, branch.to.is_some())).collect();
    assert_eq!(shares, [(0.25, true), (0.5, true), (0.25, false)]);
    assert!(plan.load.stages[1].patience.is_some());
    assert!(matches!(plan.load.sources[1].arrivals, Arrivals::Closed { population: 2, .. }));
    assert!(matches!(plan.load.sources[1].journey, Journey::Message(stage) if stage.index() == 1));
}

/// (what is there, what is written instead, what is told of it).
const MISTAKES: &[(&str, &str, &str)] = &[
    ("kind = \"queue\"\n", "", "12:7: class.first.cap belongs to kind = \"queue\"; set the kind, or remove it"),
    (
        "cap = 2",
        "cap = 0",
        "13:7: class.first.cap is 0, and a whole number from 1 to 1000000 is needed; give the most threads of the \
             queue, or remove it for all of the pool",
    ),
    (
        "order = \"reserve\"",
        "order = \"priority\"",
        "14:13: class.first.keep_free has no effect with assumptions.order = \"priority\"; set the order to reserve, \
             or remove it",
    ),
    (
        "keep_free = 1",
        "keep_free = 3",
        "11:8: class.first.keep_free is 3 of 3 threads: it never gets one; lower it below the size of the pool",
    ),
    (
        "second = 0.5",
        "secnd = 0.5",
        "17:26: class.first.routes names `secnd`, which is no class; did you mean `second`?",
    ),
    (
        "second = 0.5",
        "second = 0.9",
        "17:10: class.first.routes sums to 1.15, which is more than 1; lower them; what they leave of 1 is done \
             after this class",
    ),
    (
        "service = \"second\"",
        "service = \"secnd\"",
        "26:11: load.people.service is `secnd`, and one of smtp, pop3, imap4, first, second is needed; did you mean \
             `second`?",
    ),
    (
        "rate = 1",
        "rate = 1\nscript = [\"stat\"]",
        "25:10: load.first.script does not belong to a load of first; remove it: the items of a class of your own \
             have no script",
    ),
    (
        "[assumptions]",
        "[registry]\nMaxPoolThreads = 4\n[assumptions]",
        "6:11: node.threads does not go with a registry, which decides the size of the pool; remove one of them",
    ),
    (
        "threads = 3",
        "threads = 0",
        "6:11: node.threads is 0, and a whole number from 1 to 1000000 is needed; give the size of the pool, or \
             remove it: the registry says it then",
    ),
    (
        "order = \"reserve\"",
        "order = \"rserve\"",
        "9:9: assumptions.order is `rserve`, and one of port, priority, oldest-eligible, reserve is needed; did you \
             mean `reserve`?",
    ),
    (
        "patience = \"3s\"",
        "patience = 3",
        "21:12: class.second.patience is 3, and a time or a distribution is needed; write \"200ms\", or { mean = \
             \"200ms\" }",
    ),
];

#[test]
fn every_mistake_in_them_is_told() {
    for (old, new, expect) in MISTAKES {
        let found = told(old, new);
        assert!(found.contains(&expect.to_string()), "`{old}` became `{new}`: {found:#?}");
    }
    let named = OWN.replace("class.second", "class.pop3");
    assert!(lines(&named, &Overrides::default()).iter().any(|line| line.contains("a class cannot be called `pop3`")));
}
