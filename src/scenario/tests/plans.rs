//! Scenarios without mistakes: what is in their plans.

use std::sync::Arc;

use super::*;
use crate::plan::Role;
use crate::policy::dispatch::Kind;
use crate::policy::drain::Drain;
use crate::policy::registry::ValueId;
use crate::problem::any_error;
use crate::scenario::{TraceOverride, builtin};
use crate::time::Nanos;
use crate::workload::arrivals::{Pattern, Spacing};
use crate::workload::distribution::Distribution;
use crate::workload::faults::{Effect, Target};
use crate::workload::journey::{Arrivals, Journey, PhaseKind, Source, Stage, Times, TraceInput, visits};

fn stage<'p>(plan: &'p Plan, name: &str) -> &'p Stage {
    plan.load.stages.iter().find(|stage| stage.name == name).unwrap()
}

fn source<'p>(plan: &'p Plan, name: &str) -> &'p Source {
    plan.load.sources.iter().find(|source| source.name == name).unwrap()
}

fn overridden(overrides: Overrides) -> Vec<Plan> {
    let (plans, problems) = read_with(GOOD, &overrides);
    assert_eq!(problems, []);
    plans.unwrap_or_default()
}

#[test]
fn classes_come_in_their_order_with_their_rules() {
    let plan = &plans(GOOD)[0];
    let names: Vec<&str> = plan.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names[..4], ["pop3", "imap4", "smtp-in", "smtp1.pre-submission"]);
    assert_eq!(names[4..8], ["smtp1.pre-categorization", "smtp1.pre-routing", "smtp1.local-delivery", "smtp1.dsn"]);
    assert_eq!(names[8..], names[3..8].iter().map(|name| name.replace("smtp1", "smtp2")).collect::<Vec<_>>());
    let rule = |at: usize| (plan.classes[at].role, plan.classes[at].rule.kind, plan.classes[at].rule.max_waiting);
    assert_eq!(rule(0), (Role::Protocol, Kind::Requests, 1_000_000));
    assert_eq!(rule(2), (Role::SmtpIn, Kind::Requests, 1_000_000));
    let until_empty = Drain::UntilEmpty;
    assert_eq!(rule(3), (Role::LightQueue, Kind::WorkQueue { cap: 1, drain: until_empty }, 5_000));
    assert_eq!(rule(4), (Role::HeavyQueue, Kind::WorkQueue { cap: 18, drain: until_empty }, 5_000));
    assert_eq!(rule(6), (Role::HeavyQueue, Kind::WorkQueue { cap: 18, drain: Drain::Messages(8) }, 5_000));
}

#[test]
fn a_variant_has_its_own_registry_and_settings() {
    let plans = plans(GOOD);
    let seen: Vec<_> = plans.iter().map(|p| (p.variant.as_str(), p.pool.percent, p.assumptions.drain)).collect();
    assert_eq!(seen, [("untuned", 90, Drain::UntilEmpty), ("tuned", 22, Drain::Messages(4))]);
    assert_eq!(plans[0].load, plans[1].load, "what is asked does not depend on the variant");
    let origin = |id| plans[1].registry.setting(id).map(|setting| setting.origin());
    assert_eq!(origin(ValueId::MaxPercentPoolThreads).as_deref(), Some("t.toml:70"));
    assert_eq!(origin(ValueId::MaxConcurrency).as_deref(), Some("t.toml:11"));
}

#[test]
fn messages_flow_through_the_queues_by_their_shares() {
    let plan = &plans(GOOD)[0];
    let Journey::Message(entry) = source(plan, "mail").journey else { panic!("no message") };
    assert_eq!(plan.load.stages[entry.index()].name, "smtp-in message");
    let visits = visits(&plan.load.stages, entry);
    let of = |name: &str| {
        let at = plan.load.stages.iter().position(|stage| stage.name == name).unwrap();
        (visits[at] * 1e9).round() / 1e9
    };
    assert_eq!(of("smtp-in request"), 0.0);
    assert_eq!((of("smtp1.pre-submission"), of("smtp2.pre-submission")), (0.7, 0.3));
    assert_eq!((of("smtp1.local-delivery"), of("smtp1.pre-routing"), of("smtp1.dsn")), (0.56, 0.133, 0.007));
    assert_eq!((of("smtp1.pre-submission of a DSN"), of("smtp1.pre-categorization of a DSN")), (0.007, 0.007));
    let dsn = (of("smtp1.local-delivery of a DSN"), of("smtp1.pre-routing of a DSN"));
    assert_eq!(dsn, (0.005_656_566, 0.001_343_434));
    assert_eq!(stage(plan, "smtp-in message").patience, Some(Distribution::Constant(Nanos::from_secs(300))));
    assert_eq!(stage(plan, "smtp1.dsn").patience, None);
}

#[test]
fn services_wait_for_what_they_name_or_usually_wait_for() {
    let plan = &plans(GOOD)[0];
    let waits = |name: &str| {
        let kinds = stage(plan, name).phases.iter().map(|phase| match phase.kind {
            PhaseKind::Cpu => "cpu",
            PhaseKind::Wait(on) => &plan.load.dependencies[on.index()],
        });
        kinds.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(waits("pop3 LOGON"), "store");
    assert_eq!(waits("imap4 FETCH"), "cache");
    assert_eq!(waits("smtp1.pre-submission"), "cpu disk");
    assert_eq!(waits("smtp2.pre-categorization"), "directory");
    assert_eq!(waits("smtp2.local-delivery"), "store");
    let samples = Distribution::Empirical(Arc::from([Nanos(1_500_000), Nanos(2_000_000)]));
    assert_eq!(stage(plan, "pop3 LOGON").phases[0].time, samples);
    let fault = &plan.load.faults[0];
    let Target::Dependency(hit) = fault.target else { panic!("{fault:?}") };
    assert_eq!(plan.load.dependencies[hit.index()], "directory");
    assert_eq!((fault.from, fault.until), (Nanos::from_secs(120), Nanos::from_secs(420)));
    assert_eq!(fault.effect, Effect::Slower(10.0));
}

#[test]
fn loads_come_as_they_say() {
    let plan = &plans(GOOD)[0];
    let names: Vec<&str> = plan.load.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["mail", "pop", "imap", "bulk"], "in the order of the file");
    let rate = |name: &str, at_s: u64| match &source(plan, name).arrivals {
        Arrivals::Open { pattern, batch: 1 } => crate::plan::pattern_rate(pattern, Nanos::from_secs(at_s)),
        other => panic!("{other:?}"),
    };
    assert_eq!((rate("mail", 0), rate("pop", 299), rate("pop", 300)), (1.5, 1.0, 2.0));
    let Journey::Session { script, messages, think } = &source(plan, "imap").journey else { panic!("no session") };
    assert_eq!((script.len(), script[0].times, *messages), (1, Times::Fixed(3), (0, 0)));
    assert_eq!(*think, Some(Distribution::Constant(Nanos::SECOND)));
    let Journey::Session { script, messages, .. } = &source(plan, "pop").journey else { panic!("no session") };
    assert_eq!((script[1].times, *messages), (Times::EachMessage, (1, 5)));
}

#[test]
fn every_way_to_come_is_read() {
    let ways = [
        ("rate = 2.5\narrivals = \"even\"\nbatch = 3", 2.5, 2.5),
        ("rate = \"3600/h\"", 1.0, 1.0),
        ("rate = \"86400/day\"", 1.0, 1.0),
        ("rate = -0.0", 0.0, 0.0),
        ("ramp = [{ at = \"0s\", rate = 0 }, { at = \"2m\", rate = 4 }]", 2.0, 4.0),
        ("on_off = { on = \"1m\", off = \"1m\", rate = 5, off_rate = \"60/min\" }", 1.0, 1.0),
        ("daily = [0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", 2.0 / 60.0, 2.0 * 3.0 / 60.0),
        ("gaps = { dist = \"erlang\", stages = 2, mean = \"500ms\" }", 2.0, 2.0),
    ];
    for (way, at_1m, at_3m) in ways {
        let plans = plans(&edited("rate = \"90/min\"", way));
        let Arrivals::Open { pattern, batch } = &source(&plans[0], "mail").arrivals else { panic!("{way}") };
        let rate = |s| crate::plan::pattern_rate(pattern, Nanos::from_secs(s));
        assert!(
            (rate(60) - at_1m).abs() < 1e-9 && (rate(180) - at_3m).abs() < 1e-9,
            "{way}: {} {}",
            rate(60),
            rate(180)
        );
        assert_eq!(*batch, if way.contains("batch") { 3 } else { 1 });
        let even = matches!(pattern, Pattern::Rate { spacing: Spacing::Even, .. });
        assert_eq!(even, way.contains("even"));
    }
    let logs = edited("rate = \"90/min\"", "replay = [\"times.csv\"]\ntimes = 2\nloop = false");
    let plan = &plans(&logs)[0];
    let Arrivals::Trace(spec) = &source(plan, "mail").arrivals else { panic!("no trace") };
    assert_eq!((spec.times, spec.repeat, spec.spread), (2.0, false, true));
    let name = |id: crate::ids::StageId| plan.load.stages[id.index()].name.as_str();
    assert_eq!(spec.pop3.map(name), Some("pop3 RETR"));
    assert_eq!((name(spec.smtp_request), name(spec.smtp_message)), ("smtp-in request", "smtp-in message"));
    assert!(matches!(&spec.input, TraceInput::Paths(paths) if paths[0].ends_with("tests/times.csv")));
}

#[test]
fn flags_count_over_the_file_and_over_variants() {
    let set = |path: &str, value: &str| (path.to_string(), value.to_string());
    let plans = overridden(Overrides {
        set: vec![
            set("assumptions.drain", "2"),
            set("registry.MaxPercentPoolThreads", "50"),
            set("load.mail.rate", "7/s"),
            set("seed", "1"),
        ],
        seed: Some(u64::MAX),
        speed: Some(2.0),
        duration: Some(Nanos::from_secs(300)),
        ..Overrides::default()
    });
    for plan in &plans {
        assert_eq!((plan.assumptions.drain, plan.pool.percent), (Drain::Messages(2), 50));
        assert_eq!((plan.seed, plan.speed, plan.duration), (u64::MAX, 2.0, Nanos::from_secs(300)));
        let Arrivals::Open { pattern, .. } = &source(plan, "mail").arrivals else { panic!("not open") };
        assert_eq!(crate::plan::pattern_rate(pattern, Nanos::ZERO), 7.0);
    }
    let origin = plans[1].registry.setting(ValueId::MaxPercentPoolThreads).map(|setting| setting.origin());
    assert_eq!(origin.as_deref(), Some("--set registry.MaxPercentPoolThreads=50"));
}

#[test]
fn flags_add_variants_and_replace_the_load_of_smtp() {
    let file = b"REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\SMTPSVC\\Queuing]\n\
        \"MaxPercentPoolThreads\"=dword:00000016\n";
    let replay = TraceOverride { paths: vec!["a.log".into()], times: 1.5, repeat: false, spread: true };
    let plans = overridden(Overrides {
        registries: vec![("mine".into(), "mine.reg".into(), file.to_vec())],
        replay: Some(replay),
        ..Overrides::default()
    });
    let seen: Vec<_> = plans.iter().map(|plan| (plan.variant.as_str(), plan.pool.percent)).collect();
    assert_eq!(seen, [("untuned", 90), ("tuned", 22), ("mine", 22)]);
    let names: Vec<&str> = plans[2].load.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["pop", "imap", "replay"]);
}

#[test]
fn a_scenario_may_be_small() {
    let text = "format = 1\ntitle = 'x'\nduration = '1s'\nnode.processors = 1\n[pop3.commands.stat]\ncpu = '1ms'\n\
        [load.a]\nservice = 'pop3'\nrate = 1\nscript = ['STAT']\n";
    let plans = plans(text);
    assert_eq!(plans.len(), 1);
    let plan = &plans[0];
    assert_eq!((plan.variant.as_str(), plan.seed, plan.speed), ("default", 1, 1.0));
    assert_eq!((plan.starvation_after, plan.machine.memory_mb), (Nanos::SECOND, 1024));
    assert_eq!((plan.pool.size, plan.classes.len()), (4, 1), "without SMTP, nothing adds threads");
}

#[test]
fn a_fault_on_smtp_hits_all_of_it_and_one_on_a_queue_hits_it_everywhere() {
    let hit = |service: &str| {
        let text = edited("on = \"directory\"\nfrom", &format!("service = \"{service}\"\nfrom"));
        plans(&text)[0].load.faults.iter().map(|fault| fault.target).collect::<Vec<_>>()
    };
    assert_eq!(hit("pop3"), [Target::Class(crate::ids::ClassId(0))]);
    assert_eq!(hit("smtp").len(), 11);
    assert_eq!(hit("local-delivery").len(), 2);
    assert_eq!(hit("smtp2.dsn").len(), 1);
}

#[test]
fn what_is_built_in_is_found_and_has_no_problem() {
    for name in ["kb281868", "kb281868.toml", "scenarios/kb281868.toml", "./scenarios/kb281868.toml"] {
        assert_eq!(builtin::find(name).map(|found| found.name), Some("kb281868"), "{name}");
    }
    assert_eq!(builtin::find("scenarios/other.toml"), None);
    for scenario in builtin::SCENARIOS {
        assert!(!scenario.summary().is_empty(), "{}", scenario.name);
        let (plans, problems) = read(&scenario.file_name(), scenario.text, &Base::Builtin, &Overrides::default());
        assert!(!any_error(&problems), "{}: {problems:?}", scenario.name);
        assert!(plans.is_some_and(|plans| !plans.is_empty()));
    }
}

#[test]
fn the_four_corners_of_which_value_are_what_they_say() {
    let text = builtin::find("which-value").map_or("", |found| found.text);
    let (plans, _) = read("which-value.toml", text, &Base::Builtin, &Overrides::default());
    let shape = |plan: &Plan| (plan.variant.clone(), plan.pool.size, plan.pool.heavy_queue_cap);
    let shapes: Vec<_> = plans.unwrap_or_default().iter().map(shape).collect();
    let expect = [("untuned", 20, 18), ("pool only", 44, 39), ("cap only", 20, 4), ("both", 44, 9)];
    assert_eq!(shapes, expect.map(|(name, size, cap)| (name.to_string(), size, cap)));
}

/// Every TOML block of the language's description: a whole scenario where it says `format`, else a piece that is laid
/// over the good one, or over the good cluster.
#[test]
fn every_example_of_the_description_is_read() {
    let text = include_str!("../../../docs/scenario-format.md");
    let mut blocks = 0;
    for block in text.split("```toml\n").skip(1) {
        let block = block.split("```").next().unwrap_or("");
        let (tree, syntax) = crate::scenario::tree::parse(&Arc::new(crate::problem::SourceText {
            name: "example".into(),
            text: block.into(),
        }));
        assert_eq!(syntax, [], "{block}");
        if tree.at(&["format"]).is_some() {
            plans(block);
        } else {
            let good = if block.contains("[cluster]") { CLUSTER } else { GOOD };
            plans(&laid_over(good, block));
        }
        blocks += 1;
    }
    assert!(blocks >= 10, "{blocks}");
}

/// The scenario `good` with the sections of `piece` instead of its own.
fn laid_over(good: &str, piece: &str) -> String {
    let whole = |line: &str| line.trim_matches(['[', ']']).to_string();
    let headers: Vec<&str> = piece.lines().filter(|line| line.starts_with('[')).collect();
    let mut text = String::new();
    let mut kept = true;
    for line in good.lines() {
        if line.starts_with('[') {
            kept = !headers.iter().any(|header| whole(header) == whole(line));
        }
        if kept {
            text.push_str(line);
            text.push('\n');
        }
    }
    text + piece
}

#[test]
fn every_assumption_and_every_registry_value_can_be_written() {
    for assumption in crate::policy::assumptions::Assumptions::default().list() {
        let value = match assumption.value.parse::<u32>() {
            Ok(number) => number.to_string(),
            Err(_) if assumption.name.ends_with("heavy_queues") => {
                format!("[\"{}\"]", assumption.value.replace(", ", "\", \""))
            }
            Err(_) => format!("\"{}\"", assumption.value),
        };
        let plans = overridden(Overrides { set: vec![(assumption.name.to_string(), value)], ..Overrides::default() });
        assert!(plans[0].assumptions.list().contains(&assumption), "{}", assumption.name);
    }
}
