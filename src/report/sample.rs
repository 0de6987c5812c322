//! Reports made by hand for the tests of this room: coherent, because `Metrics` counts them from events.
//!
//! Not a run: who waits how long is written down here, not decided by a policy.

mod cluster;
mod limits;
mod senders;
mod transport;
mod writes;

use std::sync::Arc;

use super::{Gravity, MeanWait, Notice, Report, VariantReport, threshold};
use crate::ids::{ClassId, DependencyId, SourceId, StageId};
use crate::item::Outcome;
use crate::metrics::backlog::Backlog;
use crate::metrics::host::{HostNoise, Spread};
use crate::metrics::{Metrics, Summary};
use crate::plan::threshold::{Assert, Figure, Relation, Statistic};
use crate::plan::{ClassPlan, Plan, Role, Warmup};
use crate::policy::assumptions::Assumptions;
use crate::policy::dispatch::{ClassCounts, ClassRule, Kind};
use crate::policy::drain::Drain;
use crate::policy::registry::{Registry, ValueId};
use crate::policy::sizing::{Machine, pool_shape};
use crate::problem::Place;
use crate::time::Nanos;
use crate::workload::JourneyEnd;
use crate::workload::arrivals::{Pattern, RatePiece, RateProfile, Spacing};
use crate::workload::distribution::Distribution;
use crate::workload::faults::{Effect, Fault, Target};
use crate::workload::journey::{
    Arrivals, Branch, Journey, LoadSpec, Phase, PhaseKind, ScriptStep, Source, Stage, Then, Times,
};

pub(super) use cluster::on_cluster;
pub(super) use limits::with_limits;
pub(super) use senders::with_senders;
pub(super) use transport::with_transport;
pub(super) use writes::with_writes;

/// The tuned pair of values.
pub(super) const TUNED: &[(ValueId, u32)] =
    &[(ValueId::MaxPercentPoolThreads, 22), (ValueId::AdditionalPoolThreadsPerProc, 18)];

const CLASSES: [(&str, Role); 7] = [
    ("pop3", Role::Protocol),
    ("imap4", Role::Protocol),
    ("smtp1.in", Role::SmtpIn),
    ("smtp1.pre-submission", Role::LightQueue),
    ("smtp1.pre-categorization", Role::HeavyQueue),
    ("smtp1.local-delivery", Role::HeavyQueue),
    ("smtp1.dsn", Role::LightQueue),
];

const RUN: Nanos = Nanos::from_secs(600);

/// A plan of two processors and two virtual servers' worth of values, one of which has the load.
pub(super) fn plan(variant: &str, settings: &[(ValueId, u32)]) -> Plan {
    let machine = Machine { processors: 2, memory_mb: 1024, smtp_virtual_servers: 2 };
    let mut registry = Registry::empty();
    for &(id, data) in settings {
        registry.set(id, data, Place::Line("tuned.reg".into(), 4));
    }
    let assumptions = Assumptions::default();
    let pool = pool_shape(&machine, &registry, &assumptions).0.expect("the values are sound");
    let rule = |role| match role {
        Role::Protocol | Role::SmtpIn | Role::Probe => Kind::Requests,
        Role::HeavyQueue => Kind::WorkQueue { cap: pool.heavy_queue_cap, drain: Drain::UntilEmpty },
        Role::LightQueue => Kind::WorkQueue { cap: 1, drain: Drain::UntilEmpty },
    };
    let class = |(name, role): (&str, Role)| ClassPlan {
        name: name.into(),
        role,
        rule: ClassRule { kind: rule(role), max_waiting: 100_000, ..ClassRule::default() },
    };
    Plan {
        title: "KB 281868: POP3 and IMAP4 users beside a busy SMTP service".into(),
        file: "scenarios/kb281868.toml".into(),
        variant: variant.into(),
        seed: 42,
        duration: RUN,
        speed: 30.0,
        starvation_after: Nanos::SECOND,
        machine,
        classes: CLASSES.into_iter().map(class).collect(),
        registry,
        assumptions,
        pool,
        load: Arc::new(load()),
        asserts: asserts(),
        warmup: Warmup::None,
        cluster: None,
        limits: crate::plan::limits::Limits::default(),
    }
}

fn asserts() -> Vec<Assert> {
    let assert = |text: &str, why: &str, classes: &[u16], figure, relation, value| Assert {
        text: text.into(),
        why: why.into(),
        classes: classes.iter().map(|class| ClassId(*class)).collect(),
        figure,
        relation,
        value,
    };
    let why = "users notice a second";
    vec![
        assert("pop3.starved_percent < 1", why, &[0], Figure::StarvedPercent, Relation::Below, 1.0),
        assert("dsn.wait.p99 < 500ms", "", &[6], Figure::Wait(Statistic::P99), Relation::Below, 5e8),
        assert("pool.size >= 20", "", &[], Figure::PoolSize, Relation::AtLeast, 20.0),
    ]
}

fn load() -> LoadSpec {
    let wait = |on, ms| Phase {
        kind: PhaseKind::Wait(DependencyId(on)),
        time: Distribution::Exponential { mean: Nanos::from_millis(ms) },
    };
    let cpu = |ms| Phase { kind: PhaseKind::Cpu, time: Distribution::Constant(Nanos::from_millis(ms)) };
    let stage = |name: &str, class, phases, then| Stage {
        name: name.into(),
        class: ClassId(class),
        phases,
        patience: None,
        then,
    };
    let next = |to| Then::Route(vec![Branch { share: 1.0, to: Some(StageId(to)) }]);
    let rate = RateProfile {
        pieces: [(0, 10.0, 10.0), (120, 20.0, 60.0), (240, 60.0, 60.0), (420, 10.0, 10.0)]
            .map(|(start, from, to)| RatePiece { start: Nanos::from_secs(start), from, to })
            .to_vec(),
        period: None,
    };
    LoadSpec {
        stages: vec![
            stage("pop3 command", 0, vec![cpu(2), wait(1, 25)], Then::Script),
            stage("imap4 command", 1, vec![cpu(2), wait(1, 30)], Then::Script),
            stage("smtp in", 2, vec![cpu(3)], next(3)),
            stage("pre-submission", 3, vec![cpu(2)], next(4)),
            stage("categorize", 4, vec![cpu(4), wait(0, 120)], next(5)),
            stage("deliver", 5, vec![cpu(4), wait(1, 150)], Then::End),
        ],
        sources: vec![
            Source {
                name: "mail".into(),
                arrivals: Arrivals::Open { pattern: Pattern::Rate { spacing: Spacing::Poisson, rate }, batch: 1 },
                journey: Journey::Message(StageId(2)),
            },
            Source {
                name: "pop3-users".into(),
                arrivals: Arrivals::Closed {
                    population: 200,
                    pause: Distribution::Exponential { mean: Nanos::from_secs(60) },
                },
                journey: Journey::Session {
                    script: vec![ScriptStep { stage: StageId(0), times: Times::Fixed(6) }],
                    messages: (0, 4),
                    think: None,
                },
            },
        ],
        dependencies: vec!["directory".into(), "store".into()],
        faults: vec![Fault {
            target: Target::Dependency(DependencyId(0)),
            from: Nanos::from_secs(300),
            until: Nanos::from_secs(420),
            effect: Effect::Slower(10.0),
        }],
    }
}

enum Event {
    Arrive(usize),
    Start(usize),
    GiveUp(usize),
    Finish(usize),
}

struct Item {
    class: ClassId,
    due: Nanos,
    /// When a thread begins; `None`: the client gives up at `end`.
    start: Option<Nanos>,
    end: Nanos,
}

/// What came out of a run in which POP3 waited `blocked` for a thread from 200 s to 320 s, giving up after 30 s.
fn summary(blocked: Nanos, end: Nanos) -> Summary {
    let ms = Nanos::from_millis;
    let mut items = Vec::new();
    let mut add = |class, due: Nanos, wait: Nanos, service: Nanos| {
        let patient = class > 1 || wait < Nanos::from_secs(30);
        let start = patient.then_some(due + wait);
        let gone = due + Nanos::from_secs(30);
        items.push(Item { class: ClassId(class), due, start, end: start.map_or(gone, |s| s + service) });
    };
    for n in 0..2_000_u64 {
        let due = ms(n * 300);
        let in_window = (200_000..320_000).contains(&(n * 300));
        let jitter = ms(n * 7_919 % 13 * n % 31);
        let wait = if in_window { blocked } else { Nanos::ZERO };
        add(0, due, wait.scale((n % 10) as f64 / 9.0) + jitter, ms(20 + n % 17));
        if n % 4 == 0 {
            add(1, due, jitter * 9, ms(30));
        }
        add(2, due, jitter, ms(3));
        add(3, due, jitter, ms(2));
        add(4, due, jitter + wait.scale(0.1), if in_window { ms(4_500) } else { ms(60 + n % 90) });
        add(5, due, jitter * 3, if in_window { ms(2_200) } else { ms(80 + n % 70) });
    }
    let mut events = Vec::new();
    for (at, item) in items.iter().enumerate() {
        events.push((item.due, 2, at, Event::Arrive(at)));
        if let Some(start) = item.start {
            events.push((start, 3, at, Event::Start(at)));
            events.push((item.end, 0, at, Event::Finish(at)));
        } else {
            events.push((item.end, 1, at, Event::GiveUp(at)));
        }
    }
    events.retain(|(at, ..)| *at < end);
    // An item that starts as it arrives must arrive first, hence the second key.
    events.sort_by_key(|(at, kind, item, _)| (*at, *kind, *item));
    replay(&items, events.into_iter().map(|(at, _, _, event)| (at, event)), end)
}

fn replay(items: &[Item], events: impl Iterator<Item = (Nanos, Event)>, end: Nanos) -> Summary {
    let mut metrics = Metrics::new(CLASSES.len(), 2, Nanos::SECOND, RUN);
    metrics.live_threads(20, Nanos::ZERO);
    let mut backlogs: Vec<Backlog> = (0..CLASSES.len()).map(|_| Backlog::default()).collect();
    let mut waiting = vec![None; items.len()];
    let mut serving = vec![false; items.len()];
    for (now, event) in events {
        match event {
            Event::Arrive(at) => {
                waiting[at] = Some(backlogs[items[at].class.index()].join(items[at].due));
                metrics.arrived(items[at].class, items[at].due, now);
            }
            Event::Start(at) | Event::GiveUp(at) => {
                let (class, due) = (items[at].class, items[at].due);
                let backlog = &mut backlogs[class.index()];
                backlog.leave(waiting[at].take().expect("it arrived"));
                if matches!(event, Event::Start(_)) {
                    metrics.started(class, due, backlog.oldest(), now);
                    serving[at] = true;
                } else {
                    metrics.left(class, due, backlog.oldest(), Outcome::GaveUp, now);
                }
            }
            Event::Finish(at) => {
                let item = &items[at];
                metrics.finished(item.class, item.due, item.start.expect("it started"), Outcome::Served, now);
                serving[at] = false;
                let source = SourceId(u16::from(item.class.0 < 2));
                if item.class.0 == 5 || item.class.0 < 2 {
                    metrics.journey_ended(JourneyEnd { source, began: item.due, completed: at % 50 != 0 }, now);
                }
            }
        }
    }
    let open: Vec<(ClassId, Nanos, Nanos)> = items
        .iter()
        .zip(&serving)
        .filter(|(_, serving)| **serving)
        .map(|(item, _)| (item.class, item.due, item.start.expect("it started")))
        .collect();
    let waiting =
        items.iter().zip(&waiting).filter(|(_, waits)| waits.is_some()).map(|(item, _)| (item.class, item.due));
    metrics.close(end, waiting, open)
}

/// A variant in which POP3 waited up to `blocked` in the worst two minutes.
pub(super) fn variant(name: &str, settings: &[(ValueId, u32)], blocked: Nanos) -> VariantReport {
    let summary = summary(blocked, RUN);
    assert_eq!(summary.violations, Vec::<String>::new());
    let plan = Arc::new(plan(name, settings));
    VariantReport {
        asserts: threshold::check(&plan, &summary, None, None, (&crate::metrics::limits::LimitFigures::default(), &[])),
        plan,
        summary,
        counts: vec![ClassCounts { stale_grants: 3, ..ClassCounts::default() }; CLASSES.len()],
        host: None,
        interrupted: false,
        out_of_events: false,
        threads_refused: 0,
        panics: 0,
        trace_lines: Vec::new(),
        in_virtual_time: None,
        mean_waits: vec![
            MeanWait {
                half_width_us: Some(1_250.0),
                batches: 12,
                items: 128,
                utilisation: 0.4,
                doubt: None
            };
            CLASSES.len()
        ],
        pilot: None,
        replicated: None,
        cluster: None,
        limits: crate::metrics::limits::LimitFigures::default(),
        limits_over_runs: Vec::new(),
    }
}

/// A host that stalled for `stall` of wall time.
pub(super) fn host(stall: Nanos) -> HostNoise {
    let spread = |us: u64| Spread {
        count: 12_000,
        p50: Nanos::from_micros(us),
        p99: Nanos::from_micros(us * 3),
        max: Nanos::from_micros(us * 11),
    };
    HostNoise {
        speed: 30.0,
        began: Nanos::from_secs(1_700_000_000),
        wall: Nanos::from_secs(20),
        lateness: spread(40),
        overshoot: spread(60),
        hiccup: Spread { max: stall, ..spread(70) },
        service_inflation: 0.0004,
        utilisation: 0.62,
        involuntary_switches: 1_804,
        steal: Nanos::from_millis(12),
        load_average: (0.4, 1.1),
        host_processors: 2,
        behind: Nanos::ZERO,
    }
}

/// A comparison of these variants in virtual time.
pub(super) fn report(variants: Vec<VariantReport>) -> Report {
    Report { engine: "virtual".into(), notices: Vec::new(), variants, precision: None, origin: None }
}

/// The comparison that the tests look at: untuned starves, tuned does not; on real threads.
pub(super) fn compared() -> Report {
    let mut variants =
        vec![variant("untuned", &[], Nanos::from_secs(40)), variant("tuned", TUNED, Nanos::from_millis(280))];
    for (variant, stall) in variants.iter_mut().zip([900, 1_400]) {
        variant.host = Some(host(Nanos::from_micros(stall)));
    }
    variants[0].trace_lines = vec!["in.log: 1,200 rows used, 3 skipped".into()];
    let notice = |gravity, code: &str, text: &str, remedy: &str| Notice {
        gravity,
        code: code.into(),
        text: text.into(),
        remedy: remedy.into(),
    };
    let notices = vec![
        notice(
            Gravity::Warning,
            "still-waiting",
            "requests were still waiting when the run ended, so their waits are longer than shown",
            "raise `duration`, or read the still-waiting figures",
        ),
        notice(Gravity::Note, "host-clean", "the host kept the clock", ""),
    ];
    Report { engine: "threads".into(), notices, variants, precision: None, origin: None }
}
