//! A variant with both limits and no service of the pool, for the tests of this room: the models themselves make what is
//! remembered.
//!
//! Not a run: who calls when, and for how long, is written down here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::VariantReport;
use super::{RUN, variant};
use crate::metrics::Metrics;
use crate::metrics::limits::{CallTimes, DomainFigures, LimitFigures, StoreFigures};
use crate::models::domain_table::spec::{self as table, DomainTableSpec, Software, Windows};
use crate::models::domain_table::{DomainMemory, Effect as OfTable, Stimulus as ToTable};
use crate::models::store::perfopt::{Answers, optimize};
use crate::models::store::spec::{self as store, Registered, StoreSpec, ThreadCounts, Version};
use crate::models::store::{CallId, ClientId, Direction, Effect, MessageId, Stimulus, Store, Work};
use crate::plan::Plan;
use crate::plan::limits::{DomainsPlan, Limits, StorePlan};
use crate::policy::registry::{Registry, ValueId};
use crate::problem::Place;
use crate::time::Nanos;
use crate::workload::arrivals::{Pattern, RatePiece, RateProfile, Spacing};
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Arrivals, Journey, LoadSpec, Source};
use crate::workload::popularity::Popularity;

const MIB: u64 = 1 << 20;

const fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

/// `max_threads` of the store: 5 are left by the Optimizer, any other number is set in a registry file. Clients ask for more
/// than one thread from 100 s to 300 s. Mail to a new domain comes every 5 s, and 20 of them fit into memory.
pub(in crate::report) fn with_limits(name: &str, max_threads: u32, threshold: Option<u32>) -> VariantReport {
    let mut report = variant(name, &[], Nanos::ZERO);
    let mut plan = (*report.plan).clone();
    plan.title = "KB 169686: threads of the store".into();
    plan.registry = Registry::empty();
    let mut set = |id, data| plan.registry.set(id, data, Place::Line("kb.reg".into(), 4));
    if max_threads != 5 {
        set(ValueId::StoreMaxThreads, max_threads);
    }
    if let Some(threshold) = threshold {
        set(ValueId::ZombieDomainEntryThreshold, threshold);
    }
    let store = store_plan(max_threads);
    let domains = domains_plan(threshold);
    report.limits = LimitFigures {
        store: Some(store_figures(&store)),
        domains: Some(domain_figures(&domains)),
        ..LimitFigures::default()
    };
    assert_eq!(report.limits.violations(), Vec::<String>::new());
    plan.limits = Limits { store: Some(Arc::new(store)), domains: Some(Arc::new(domains)), ..Limits::default() };
    without_pool(&mut report, plan);
    report
}

/// Nothing of the pool stays in the report, and the plan is its plan.
pub(super) fn without_pool(report: &mut VariantReport, mut plan: Plan) {
    plan.classes.clear();
    plan.asserts.clear();
    plan.load = Arc::new(LoadSpec { stages: vec![], sources: vec![], dependencies: vec![], faults: vec![] });
    report.plan = Arc::new(plan);
    report.summary = Metrics::new(0, 0, Nanos::SECOND, RUN).close(RUN, [], []);
    report.counts.clear();
    report.asserts.clear();
    report.mean_waits.clear();
}

pub(super) fn source(name: &str, stage: crate::ids::StageId, per_second: &[(u64, f64)]) -> Source {
    let piece = |(start, rate): &(u64, f64)| RatePiece { start: s(*start), from: *rate, to: *rate };
    let rate = RateProfile { pieces: per_second.iter().map(piece).collect(), period: None };
    Source {
        name: name.into(),
        arrivals: Arrivals::Open { pattern: Pattern::Rate { spacing: Spacing::Even, rate }, batch: 1 },
        journey: Journey::Message(stage),
    }
}

fn store_plan(max_threads: u32) -> StorePlan {
    let before = Registered::after_setup(Version::V50);
    let run = optimize(Nanos::ZERO, Answers::DEFAULTS, before, 0);
    let registered = if max_threads == 5 { run.left } else { Registered { max_threads: Some(max_threads), ..before } };
    let assumptions =
        store::Assumptions { restarted_after: Some(s(30)), sample_every: s(10), ..store::Assumptions::default() };
    let threads = ThreadCounts::of(Version::V50, &registered);
    let spec = StoreSpec { version: Version::V50, threads, assumptions };
    let calls = [8, 1, 1, 1].map(|seconds| Distribution::Constant(s(seconds)));
    let caller = crate::plan::limits::Caller::LOADED;
    let sources = vec![
        source("users", caller[0].stage(), &[(0, 0.1), (100, 0.5), (300, 0.05)]),
        source("in", caller[1].stage(), &[(0, 0.05)]),
        source("out", caller[2].stage(), &[(0, 0.05)]),
    ];
    StorePlan::new(spec, calls, sources, Some(run))
}

fn store_figures(plan: &StorePlan) -> StoreFigures {
    let mut model = Store::new(Arc::clone(&plan.spec));
    let mut comes: BTreeMap<(Nanos, u64), Stimulus> = BTreeMap::new();
    let clients =
        (0..10).map(|n| s(n * 10)).chain((0..100).map(|n| s(100 + n * 2))).chain((0..15).map(|n| s(300 + n * 20)));
    for (n, at) in clients.enumerate() {
        comes.insert((at, n as u64), Stimulus::Client(ClientId(n as u64)));
    }
    for n in 0..30 {
        comes.insert((s(20 * n), 1_000 + n), Stimulus::Message(Direction::Inbound, MessageId(n)));
        comes.insert((s(20 * n), 2_000 + n), Stimulus::Message(Direction::Outbound, MessageId(n)));
    }
    let due = |work: &Work| match work {
        Work::Client(ClientId(n)) => Some((0, *n)),
        Work::Message(Direction::Inbound, MessageId(n)) => Some((1, 1_000 + n)),
        Work::Message(Direction::Outbound, MessageId(n)) => Some((2, 2_000 + n)),
        Work::Refresh | Work::Gateway => None,
    };
    let dues: BTreeMap<u64, Nanos> = comes.keys().map(|(at, number)| (*number, *at)).collect();
    let mut ends: BTreeMap<(Nanos, CallId), (usize, Nanos)> = BTreeMap::new();
    let mut times = [CallTimes::default(), CallTimes::default(), CallTimes::default()];
    let mut effects = Vec::new();
    let mut now = Nanos::ZERO;
    model.begin(&mut effects);
    loop {
        for effect in effects.drain(..) {
            let Effect::Begins { call, work } = effect else { continue };
            let (kind, takes) = match due(&work) {
                Some((kind, number)) => {
                    times[kind].wait.record(now.since(dues[&number]));
                    (kind, if kind == 0 { s(8) } else { s(1) })
                }
                None => (3, s(1)),
            };
            ends.insert((now + takes, call), (kind, takes));
        }
        let first = ends.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at);
        let next = comes.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at);
        now = first.min(next).min(model.next_deadline());
        if now >= RUN {
            return StoreFigures { summary: model.close_books(RUN), calls: times };
        }
        if first == now {
            let ((_, call), (kind, takes)) = ends.pop_first().expect("there is a first");
            if kind < 3 {
                times[kind].service.record(takes);
            }
            model.tell(now, Stimulus::Ends(call), &mut effects);
        } else if model.next_deadline() == now {
            model.tell(now, Stimulus::Time, &mut effects);
        } else {
            let (_, what) = comes.pop_first().expect("there is a next");
            model.tell(now, what, &mut effects);
        }
    }
}

fn domains_plan(threshold: Option<u32>) -> DomainsPlan {
    let assumptions = table::Assumptions { entry_bytes: MIB, sample_every: s(10), ..table::Assumptions::default() };
    let spec = DomainTableSpec {
        software: Software { windows: Windows::Server2003Sp1, is_x64: false, has_hotfix: true },
        zombie_domain_entry_threshold: threshold,
        memory_bytes: (256 + 32 + 4 + 20) * MIB,
        planned_restarts: Some(table::PlannedRestarts { first: s(400), every: Nanos::MAX }),
        assumptions,
    };
    let sources = vec![source("newsletter", DomainsPlan::STAGE, &[(0, 0.2)])];
    DomainsPlan::new(spec, Distribution::Constant(s(3)), sources, Popularity::Uniform { count: 1_000_000 })
}

fn domain_figures(plan: &DomainsPlan) -> DomainFigures {
    let mut model = DomainMemory::new(Arc::clone(&plan.spec));
    let mut effects = Vec::new();
    let mut leave = BTreeMap::new();
    for second in 0..RUN.0 / Nanos::SECOND.0 {
        let now = s(second);
        while model.next_deadline() <= now {
            let at = model.next_deadline();
            model.tell(at, ToTable::Time, &mut effects);
        }
        if let Some(entry) = leave.remove(&second) {
            model.tell(now, ToTable::Sent { entry, messages: 1 }, &mut effects);
        }
        if second % 5 == 0 {
            let domain = format!("d{second}.example");
            model.tell(now, ToTable::Queued { domain: &domain, messages: 1 }, &mut effects);
        }
        for effect in effects.drain(..) {
            if let OfTable::Accepted { entry, .. } = effect {
                leave.insert(second + 3, entry);
            }
        }
    }
    DomainFigures { summary: model.close_books(RUN) }
}
