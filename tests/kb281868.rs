//! What the shipped scenarios show, through the library's public doors: KB 281868 starves and is cured, and nothing in
//! the program knows which variant it runs. Virtual time, and one shortened scenario on real threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use atqsim::metrics::ClassSummary;
use atqsim::plan::{Plan, Role};
use atqsim::report::json::json;
use atqsim::report::{Report, VariantReport};
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::scenario::{Base, Overrides, builtin, read};
use atqsim::time::Nanos;
use atqsim::workload::Workload;
use atqsim::workload::journey::{Arrivals, Journey};

fn text_of(scenario: &str) -> &'static str {
    builtin::find(scenario).unwrap_or_else(|| panic!("no scenario {scenario}")).text
}

fn plans(text: &str, overrides: &Overrides) -> Vec<Plan> {
    let (plans, problems) = read("scenario.toml", text, &Base::Builtin, overrides);
    plans.unwrap_or_else(|| panic!("{problems:#?}"))
}

fn report(plans: &[Plan], engine: EngineKind) -> Report {
    let ran = run(plans, &RunOptions { engine, ..RunOptions::default() }, &Silent);
    assert!(ran.error.is_none(), "{:?}", ran.error);
    ran.report.expect("something ran")
}

/// The report of a shipped scenario in virtual time. Each is run once for all tests.
fn shipped(scenario: &'static str) -> Arc<Report> {
    type Cell = Arc<OnceLock<Arc<Report>>>;
    static REPORTS: Mutex<BTreeMap<&str, Cell>> = Mutex::new(BTreeMap::new());
    let cell = Arc::clone(REPORTS.lock().unwrap().entry(scenario).or_default());
    let run_it = || Arc::new(report(&plans(text_of(scenario), &Overrides::default()), EngineKind::Virtual));
    Arc::clone(cell.get_or_init(run_it))
}

fn variant<'a>(report: &'a Report, name: &str) -> &'a VariantReport {
    report.variants.iter().find(|v| v.plan.variant == name).unwrap_or_else(|| panic!("no variant {name}"))
}

fn class<'a>(variant: &'a VariantReport, name: &str) -> &'a ClassSummary {
    &variant.summary.classes[variant.plan.class(name).unwrap_or_else(|| panic!("no class {name}")).index()]
}

#[track_caller]
fn check_starved(variant: &VariantReport, names: &[&str]) {
    for name in names {
        let class = class(variant, name);
        let (percent, longest) = (class.starved_percent, class.longest_episode);
        assert!(percent > 20.0, "{}: {name} starved {percent} %", variant.plan.variant);
        assert!(longest > Nanos::from_secs(60), "{}: {name} starved at most {longest}", variant.plan.variant);
    }
}

#[track_caller]
fn check_well(variant: &VariantReport, names: &[&str]) {
    for name in names {
        let percent = class(variant, name).starved_percent;
        assert!(percent < 0.5, "{}: {name} starved {percent} %", variant.plan.variant);
    }
}

const USERS: &[&str] = &["pop3", "imap4"];

#[test]
fn untuned_starves_pop3_and_imap4_and_tuned_does_not() {
    for scenario in ["kb281868", "kb281868-three-servers"] {
        let report = shipped(scenario);
        check_starved(variant(&report, "untuned"), USERS);
        check_well(variant(&report, "tuned"), USERS);
    }
}

#[test]
fn the_pools_are_those_of_the_kb() {
    let pools = |scenario| {
        let figures = |v: &VariantReport| {
            let pool = &v.plan.pool;
            (pool.size, pool.heavy_queue_cap, pool.heavy_request_total, pool.left_for_others)
        };
        shipped(scenario).variants.iter().map(figures).collect::<Vec<_>>()
    };
    assert_eq!(pools("kb281868"), [(20, 18, 72, 0), (44, 9, 36, 8)]);
    assert_eq!(pools("kb281868-three-servers"), [(20, 18, 108, 0), (64, 9, 54, 10)]);
}

#[test]
fn the_heavy_queues_hold_the_threads_while_pop3_starves() {
    for scenario in ["kb281868", "kb281868-three-servers", "which-value"] {
        let report = shipped(scenario);
        let untuned = variant(&report, "untuned");
        let heavy = |at: usize| untuned.plan.classes[at].role == Role::HeavyQueue;
        let pop3 = class(untuned, "pop3");
        let held: f64 = pop3.holders.iter().filter(|h| heavy(h.class.index())).map(|h| h.percent).sum();
        assert!(held > 80.0, "{scenario}: {held} % of the threads");
        let longest = pop3.episodes.iter().max_by_key(|e| e.length).expect("it starved");
        let all: u128 = longest.held_ns.iter().sum();
        let of_heavy: u128 = (0..longest.held_ns.len()).filter(|at| heavy(*at)).map(|at| longest.held_ns[at]).sum();
        assert!(of_heavy * 10 > all * 8, "{scenario}: {of_heavy} of {all}");
        // Starved is not merely slow: for nearly all of it, the class had no thread at all.
        assert!(pop3.shut_out.0 * 2 > pop3.starved.0, "{scenario}: {} of {}", pop3.shut_out, pop3.starved);
    }
}

#[test]
fn the_cap_cures_and_the_larger_pool_pays_for_it() {
    let report = shipped("which-value");
    for name in ["untuned", "pool only"] {
        for user in USERS {
            let starved = class(variant(&report, name), user).starved_percent;
            assert!(starved > 10.0, "{name}: {user} starved {starved} %");
        }
    }
    for name in ["cap only", "both"] {
        check_well(variant(&report, name), USERS);
    }
    let backlog = |name| {
        let variant = variant(&report, name);
        let queue = |queue: &str| class(variant, queue).mean_waiting;
        queue("smtp1.pre-categorization") + queue("smtp2.pre-categorization")
    };
    assert!(backlog("cap only") > 1.5 * backlog("both"), "{} and {}", backlog("cap only"), backlog("both"));
}

#[test]
fn a_busy_server_that_is_well_starves_nobody_with_either_registry() {
    let report = shipped("healthy");
    for name in ["untuned", "tuned"] {
        let healthy = variant(&report, name);
        check_well(healthy, USERS);
        let held: f64 = healthy.summary.classes.iter().map(|class| class.thread_seconds).sum();
        let threads = held / healthy.summary.end.as_secs_f64();
        assert!(threads > 10.0, "{name}: {threads} threads are not busy");
    }
}

#[test]
fn sixteen_servers_get_fewer_threads_to_the_letter_than_without_the_clause() {
    let report = shipped("pool-thread-limit");
    let sizes: Vec<(&str, u32, u32)> = report
        .variants
        .iter()
        .map(|v| (v.plan.variant.as_str(), v.plan.pool.size, v.plan.pool.heavy_queue_cap))
        .collect();
    let expect =
        [("to the letter", 223, 4), ("without the clause", 256, 5), ("raised limit", 454, 9), ("untuned", 20, 18)];
    assert_eq!(sizes, expect);
    assert!(class(variant(&report, "untuned"), "pop3").starved_percent > 20.0);
    let letters = ["to the letter", "without the clause", "raised limit"];
    letters.iter().for_each(|name| check_well(variant(&report, name), USERS));
    let mail = |name| {
        let variant = variant(&report, name);
        let queues = variant.plan.classes.iter().zip(&variant.summary.classes);
        queues.filter(|(c, _)| c.role == Role::HeavyQueue).map(|(_, s)| s.mean_waiting).sum::<f64>()
    };
    assert!(mail(letters[0]) > mail(letters[1]) && mail(letters[1]) > mail(letters[2]), "{:?}", letters.map(mail));
}

#[test]
fn the_sooner_a_thread_comes_back_the_shorter_pop3_waits() {
    let report = shipped("drain-rule");
    let p99 = |name| class(variant(&report, name), "pop3").wait.p99;
    let waits = ["until-empty", "64 messages", "8 messages", "1 message"].map(p99);
    assert!(waits.windows(2).all(|pair| pair[0] > pair[1]), "{waits:?}");
}

#[test]
fn a_hang_of_30_000_s_outlives_its_window() {
    let report = shipped("slow-global-catalog");
    let unfinished = |name| {
        let variant = variant(&report, name);
        ["smtp1.pre-categorization", "smtp2.pre-categorization"]
            .map(|queue| class(variant, queue).outcomes.unfinished)
            .iter()
            .sum::<u64>()
    };
    // Ten messages a second are in work at any moment; what hangs comes on top.
    assert!(unfinished("hang 30,000 s") > unfinished("hang 30 s") + 10);
    assert!(class(variant(&report, "hang 30,000 s"), "pop3").starved_percent > 20.0);
    assert!(class(variant(&report, "slow"), "pop3").starved_percent > 10.0);
    check_well(variant(&report, "slow, tuned"), USERS);
    check_well(variant(&report, "hang 30,000 s, tuned"), USERS);
    let tuned = variant(&report, "hang 30,000 s, tuned");
    for queue in ["smtp1.pre-categorization", "smtp2.pre-categorization"] {
        assert!(class(tuned, queue).busy_max <= tuned.plan.pool.heavy_queue_cap, "{queue}");
    }
}

#[test]
fn a_log_is_replayed_and_accounted_for() {
    let report = shipped("replay-sample");
    for variant in &report.variants {
        assert!(class(variant, "smtp-in").arrivals > 1_000);
        assert!(variant.trace_lines.iter().any(|line| line.contains("outbound")), "{:#?}", variant.trace_lines);
    }
}

/// The items that open sources and logs bring, without what follows from them.
fn first_items(plan: &Plan) -> Vec<(Nanos, String, String, u64)> {
    let mut load = Workload::new(Arc::clone(&plan.load), plan.seed, plan.duration).expect("the load can be read");
    let mut items = Vec::new();
    while let Some(item) = load.pop_due(Nanos::MAX) {
        let name = plan.source_name(item.source());
        items.push((item.due, name.to_string(), plan.class_name(load.class(&item)).to_string(), item.number()));
    }
    items
}

#[test]
fn variants_of_a_scenario_get_the_same_items_at_the_same_times() {
    for scenario in builtin::SCENARIOS {
        let plans = plans(scenario.text, &Overrides::default());
        if plans[0].classes.is_empty() {
            // Nothing uses the pool; the loads of limits are compared in `tests/limits.rs`.
            continue;
        }
        let first = first_items(&plans[0]);
        assert!(first.len() > 100, "{}", scenario.name);
        for other in &plans[1..] {
            assert!(first == first_items(other), "{}: {} gets another load", scenario.name, other.variant);
        }
        if plans[0].cluster.is_some() || plans[0].class("smtp-in").is_none() {
            // What comes for a service that is offline is counted apart: `tests/cluster.rs`. Without SMTP there is no mail.
            continue;
        }
        // Mail and logs come whatever becomes of them, so each variant counts the same.
        let report = shipped(scenario.name);
        let open = |v: &VariantReport| {
            let mail = v.plan.load.sources.iter().filter(|s| !matches!(s.journey, Journey::Session { .. }));
            assert!(mail.clone().count() > 0 && mail.clone().all(|s| !matches!(s.arrivals, Arrivals::Closed { .. })));
            class(v, "smtp-in").arrivals
        };
        let counts: Vec<u64> = report.variants.iter().map(open).collect();
        assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{}: {counts:?}", scenario.name);
    }
}

#[test]
fn the_laws_hold_in_every_shipped_scenario() {
    for scenario in builtin::SCENARIOS {
        let report = shipped(scenario.name);
        for variant in &report.variants {
            let name = format!("{}, {}", scenario.name, variant.plan.variant);
            assert_eq!(variant.summary.violations, Vec::<String>::new(), "{name}");
            assert_eq!((variant.panics, variant.threads_refused, variant.interrupted), (0, 0, false), "{name}");
            assert!(variant.summary.live_threads_max <= variant.plan.threads(), "{name}");
            assert_eq!(variant.summary.end, variant.plan.duration, "{name}");
            for (plan, class) in variant.plan.classes.iter().zip(&variant.summary.classes) {
                let name = format!("{name}: {}", plan.name);
                let o = class.outcomes;
                assert_eq!(class.arrivals, o.total(), "{name}");
                let ceiling = match plan.role {
                    Role::HeavyQueue => variant.plan.pool.heavy_queue_cap,
                    Role::LightQueue => variant.plan.pool.light_queue_cap,
                    Role::Protocol | Role::SmtpIn | Role::Probe => variant.plan.pool.size,
                };
                assert!(class.busy_max <= ceiling, "{name}: {} threads, {ceiling} allowed", class.busy_max);
                assert!(class.shut_out <= class.starved, "{name}");
                let wait = &class.wait;
                let rising = [wait.p50, wait.p90, wait.p99, wait.p999, wait.max];
                assert!(rising.windows(2).all(|pair| pair[0] <= pair[1]), "{name}: {rising:?}");
            }
        }
    }
}

fn short(seed: Option<u64>) -> Overrides {
    let steps = r#"[{ at = "0s", rate = "5/s" }, { at = "10s", rate = "14/s" }]"#;
    let set = vec![("load.mail.steps".to_string(), steps.to_string())];
    Overrides { seed, duration: Some(Nanos::from_secs(90)), set, ..Overrides::default() }
}

#[test]
fn equal_seeds_give_equal_bytes_and_another_seed_does_not() {
    let bytes = |seed| json(&report(&plans(text_of("kb281868"), &short(seed)), EngineKind::Virtual));
    let of_file = bytes(None);
    assert!(of_file == bytes(None), "the same seed gave another report");
    assert!(of_file == bytes(Some(281_868)), "the file's seed, said once more, gave another report");
    assert!(of_file != bytes(Some(281_869)), "another seed gave the same report");
}

#[test]
fn nothing_knows_which_variant_it_is() {
    for scenario in ["kb281868", "which-value"] {
        let text = text_of(scenario);
        let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("name = \"")).collect();
        let (first, last) = (names[0].trim_end_matches('"'), names[names.len() - 1].trim_end_matches('"'));
        let line = |name: &str| format!("name = \"{name}\"\n");
        let swapped = text
            .replace(&line(first), "name = \"?\"\n")
            .replace(&line(last), &line(first))
            .replace("name = \"?\"\n", &line(last));
        assert_ne!(swapped, text);
        let overrides = Overrides { duration: Some(Nanos::from_secs(200)), ..Overrides::default() };
        let straight = report(&plans(text, &overrides), EngineKind::Virtual);
        let crossed = report(&plans(&swapped, &overrides), EngineKind::Virtual);
        assert_eq!(crossed.variants[0].plan.variant, last);
        for (one, other) in straight.variants.iter().zip(&crossed.variants) {
            assert_eq!(one.plan.pool, other.plan.pool, "{scenario}");
            assert!(one.summary == other.summary, "{scenario}: the figures of {} follow its name", one.plan.variant);
            assert_eq!(one.counts, other.counts, "{scenario}");
        }
        // And the order of the variants is no hint either.
        let alone = report(&plans(text, &overrides)[1..2], EngineKind::Virtual);
        assert!(alone.variants[0].summary == straight.variants[1].summary, "{scenario}");
    }
}

#[test]
fn real_threads_tell_the_same_story() {
    let overrides = Overrides { speed: Some(20.0), ..short(None) };
    let report = report(&plans(text_of("kb281868"), &overrides), EngineKind::Threads);
    let (untuned, tuned) = (variant(&report, "untuned"), variant(&report, "tuned"));
    for name in USERS {
        let (bad, good) = (class(untuned, name).starved_percent, class(tuned, name).starved_percent);
        // A host that stalls can make anybody wait, so the cured one is only held against the other.
        assert!(bad > 20.0 && good < bad / 4.0, "{name}: {bad} % untuned, {good} % tuned");
    }
    for variant in &report.variants {
        assert_eq!(variant.summary.violations, Vec::<String>::new());
        assert!(variant.summary.live_threads_max <= variant.plan.threads());
        for (plan, class) in variant.plan.classes.iter().zip(&variant.summary.classes) {
            assert_eq!(class.arrivals, class.outcomes.total(), "{}", plan.name);
            if plan.role == Role::HeavyQueue {
                assert!(class.busy_max <= variant.plan.pool.heavy_queue_cap, "{}", plan.name);
            }
        }
    }
    let load = |v: &VariantReport| class(v, "smtp-in").arrivals;
    assert_eq!(load(untuned), load(tuned), "the same mail comes to both, to the last item");
}
