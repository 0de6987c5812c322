//! Curves that can be computed by hand.

use std::sync::Arc;

use atqsim::models::domain_table::spec::{
    Assumptions, DomainTableSpec, Freed, PUBLISHED_THRESHOLD, PlannedRestarts, Software, Sweep, WhenGone, Windows,
};
use atqsim::models::domain_table::{DomainMemory, DomainTableSummary, Effect, Stimulus, What, Why};
use atqsim::time::Nanos;

fn secs(s: u64) -> Nanos {
    Nanos::from_secs(s)
}

/// A server whose memory is gone with 10,000 entries.
fn small(threshold: Option<u32>) -> DomainTableSpec {
    let assumptions = Assumptions {
        entry_bytes: 1000,
        others_bytes: 5_000_000,
        base_working_set_bytes: 3_000_000,
        gone_below_bytes: 2_000_000,
        ..Assumptions::default()
    };
    DomainTableSpec {
        software: Software { windows: Windows::Server2003Sp1, is_x64: false, has_hotfix: true },
        zombie_domain_entry_threshold: threshold,
        memory_bytes: 20_000_000,
        planned_restarts: None,
        assumptions,
    }
}

/// One message a second, each to a domain of its own, which it leaves a second later; until `end`.
fn run(spec: DomainTableSpec, end: u64) -> (Vec<(u64, Effect)>, DomainTableSummary) {
    let mut model = DomainMemory::new(Arc::new(spec));
    let (mut told, mut effects, mut leaving) = (Vec::new(), Vec::new(), None);
    for s in 0..=end {
        let now = secs(s);
        while model.next_deadline() < now {
            let deadline = model.next_deadline();
            model.tell(deadline, Stimulus::Time, &mut effects);
            told.extend(effects.drain(..).map(|effect| (deadline.0 / 1_000_000_000, effect)));
        }
        if let Some(entry) = leaving.take() {
            model.tell(now, Stimulus::Sent { entry, messages: 1 }, &mut effects);
        }
        if model.next_deadline() == now {
            model.tell(now, Stimulus::Time, &mut effects);
            assert!(model.next_deadline() > now);
        }
        model.tell(now, Stimulus::Queued { domain: &format!("d{s}.example"), messages: 1 }, &mut effects);
        for effect in effects.drain(..) {
            if let Effect::Accepted { entry, .. } = effect {
                leaving = Some(entry);
            }
            told.push((s, effect));
        }
        let counters = model.counters();
        assert_eq!((counters.live + counters.dead) as usize, model.table().len());
    }
    (told, model.close_books(secs(end)))
}

#[test]
fn without_the_value_entries_stay_until_memory_is_gone() {
    assert_eq!(small(None).entries_that_fit(), 10_000);
    let (told, summary) = run(small(None), 12_000);
    // The entries of the seconds 0 to 9,999 fit.
    assert_eq!(summary.memory_gone_at, Some(secs(10_000)));
    assert_eq!((summary.times_gone, summary.refused_no_memory, summary.created), (1, 2_001, 10_000));
    let refused = Effect::Refused { messages: 1, why: Why::NoMemory };
    assert!(told.iter().all(|(s, effect)| (*effect == refused) == (*s >= 10_000)));
    assert_eq!((summary.at_the_end.live, summary.at_the_end.dead, summary.swept), (0, 10_000, 0));
    // Available bytes fall by the working set's rise, an entry a second; the last reading is within the mark.
    for (at, counters) in summary.samples.values() {
        let entries = (at.0 / 1_000_000_000).min(10_000);
        assert_eq!(counters.working_set_bytes, 3_000_000 + 1000 * entries);
        assert_eq!(counters.available_bytes, 15_000_000 - counters.working_set_bytes);
    }
    assert!(summary.samples.values().len() > 100);
    assert_eq!(summary.least_available_bytes, 2_000_000);
    assert!(summary.is_balanced());
}

#[test]
fn the_published_value_keeps_dead_entries_below_it() {
    let (_, summary) = run(small(Some(PUBLISHED_THRESHOLD)), 12_000);
    assert_eq!((summary.memory_gone_at, summary.most_dead, summary.most_entries), (None, 1000, 1000));
    // 12,000 messages have left: twelve sweeps of a thousand, and one entry is in use.
    assert_eq!((summary.sweeps, summary.swept), (12, 12_000));
    let swept = summary.log.iter().map(|(at, what)| (at.0 / 1_000_000_000, *what)).collect::<Vec<_>>();
    assert_eq!(swept, (1..=12).map(|n| (1000 * n, What::Swept(1000))).collect::<Vec<_>>());
    assert_eq!((summary.at_the_end.live, summary.at_the_end.dead), (1, 0));
    assert_eq!(summary.least_available_bytes, 15_000_000 - 3_000_000 - 1_000_000);
    assert!(summary.is_balanced());
}

#[test]
fn the_value_does_nothing_without_the_hotfix_and_the_hotfix_nothing_without_the_value() {
    let without = Software { has_hotfix: false, ..small(None).software };
    let unfixed = DomainTableSpec { software: without, ..small(Some(PUBLISHED_THRESHOLD)) };
    let (told, summary) = run(unfixed, 11_000);
    assert_eq!((told, summary), run(small(None), 11_000));
}

#[test]
fn a_nightly_restart_gives_the_memory_back_for_a_while_without_service() {
    let nightly = PlannedRestarts { first: secs(3000), every: secs(4000) };
    let spec = DomainTableSpec { planned_restarts: Some(nightly), ..small(None) };
    let (told, summary) = run(spec, 12_000);
    assert_eq!((summary.memory_gone_at, summary.planned_restarts, summary.away), (None, 3, secs(180)));
    // A minute's messages are refused each time: those of the seconds 3000 to 3059.
    assert_eq!(summary.refused_away, 180);
    let service = told.iter().filter(|(_, e)| matches!(e, Effect::ServiceStops | Effect::ServiceStarts));
    let service: Vec<u64> = service.map(|(s, _)| *s).collect();
    assert_eq!(service, [3000, 3060, 7000, 7060, 11_000, 11_060]);
    // The first forgets what 0 to 2,999 have left, the next what came since 60 s after the one before.
    let forgotten = |(_, what): &(Nanos, What)| match what {
        What::Stops { forgotten, planned: true } => Some(*forgotten),
        _ => None,
    };
    assert_eq!(summary.log.iter().filter_map(forgotten).collect::<Vec<_>>(), [3000, 3940, 3940]);
    assert_eq!(summary.most_entries, 3940);
    assert!(summary.is_balanced());
    // Seldom enough it does not help.
    let weekly = PlannedRestarts { first: secs(11_000), every: secs(11_000) };
    let (_, summary) = run(DomainTableSpec { planned_restarts: Some(weekly), ..small(None) }, 12_000);
    assert_eq!((summary.memory_gone_at, summary.planned_restarts), (Some(secs(10_000)), 1));
}

#[test]
fn a_restart_keeps_the_queues() {
    let nightly = PlannedRestarts { first: secs(10), every: secs(1000) };
    let mut model = DomainMemory::new(Arc::new(DomainTableSpec { planned_restarts: Some(nightly), ..small(None) }));
    let mut effects = Vec::new();
    model.tell(Nanos::ZERO, Stimulus::Time, &mut effects);
    for (domain, messages) in [("a.example", 5), ("b.example", 1)] {
        model.tell(secs(1), Stimulus::Queued { domain, messages }, &mut effects);
    }
    let (a, b) = (model.table().find("a.example").unwrap(), model.table().find("b.example").unwrap());
    model.tell(secs(2), Stimulus::Sent { entry: b, messages: 1 }, &mut effects);
    while model.next_deadline() <= secs(10) {
        model.tell(model.next_deadline(), Stimulus::Time, &mut effects);
    }
    assert_eq!((model.table().find("a.example"), model.table().find("b.example")), (Some(a), None));
    assert_eq!((model.counters().queued, model.counters().working_set_bytes), (5, 0));
    let summary = model.close_books(secs(40));
    // The run ends while the service is away.
    assert_eq!((summary.away, summary.forgotten), (secs(30), 1));
    assert!(summary.is_balanced());
}

#[test]
fn memory_that_stays_in_the_process_is_used_again_but_not_given_back() {
    let mut spec = small(Some(PUBLISHED_THRESHOLD));
    spec.assumptions.freed = Freed::StaysInTheProcess;
    let (_, summary) = run(spec, 12_000);
    assert_eq!((summary.memory_gone_at, summary.sweeps), (None, 12));
    assert_eq!(summary.at_the_end.working_set_bytes, 3_000_000 + 1000 * 1000);
    // Only a restart gives it back.
    let nightly = PlannedRestarts { first: secs(8000), every: secs(8000) };
    let mut spec = DomainTableSpec { planned_restarts: Some(nightly), ..small(None) };
    spec.assumptions.freed = Freed::StaysInTheProcess;
    let (_, summary) = run(spec, 9000);
    assert_eq!(summary.at_the_end.working_set_bytes, 3_000_000 + 1000 * 941);
}

#[test]
fn memory_that_a_sweep_gave_back_can_be_gone_again() {
    let mut spec = small(Some(PUBLISHED_THRESHOLD));
    spec.assumptions.sweep = Sweep::Every(secs(11_000));
    let (_, summary) = run(spec, 23_000);
    let log: Vec<(u64, What)> = summary.log.iter().map(|(at, what)| (at.0 / 1_000_000_000, *what)).collect();
    let expected = [
        (10_000, What::MemoryGone),
        (11_000, What::Swept(10_000)),
        (21_000, What::MemoryGone),
        (22_000, What::Swept(10_000)),
    ];
    assert_eq!(log, expected);
    assert_eq!((summary.memory_gone_at, summary.times_gone), (Some(secs(10_000)), 2));
    assert_eq!(summary.refused_no_memory, 2000);
    assert!(summary.is_balanced());
}

#[test]
fn a_service_that_fails_for_want_of_memory_starts_again_empty() {
    let mut spec = small(None);
    spec.assumptions.when_gone = WhenGone::Restarts;
    let (_, summary) = run(spec, 12_000);
    assert_eq!((summary.memory_gone_at, summary.forced_restarts), (Some(secs(10_000)), 1));
    assert_eq!((summary.refused_no_memory, summary.refused_away), (1, 59));
    assert_eq!((summary.forgotten, summary.at_the_end.live + summary.at_the_end.dead), (10_000, 1941));
    assert!(summary.is_balanced());
}

#[test]
fn sweeps_at_regular_moments_and_entries_that_die_later() {
    let mut spec = small(Some(PUBLISHED_THRESHOLD));
    spec.assumptions.sweep = Sweep::Every(secs(700));
    spec.assumptions.dies_after = secs(100);
    let (_, summary) = run(spec, 3000);
    // The entry of second n is left at n + 1 and dead at n + 101: 600 by 700, 1300 by 1400, then 1400 by 2800.
    let log: Vec<(u64, What)> = summary.log.iter().map(|(at, what)| (at.0 / 1_000_000_000, *what)).collect();
    assert_eq!(log, [(1400, What::Swept(1300)), (2800, What::Swept(1400))]);
    assert_eq!((summary.at_the_end.live, summary.at_the_end.dead), (101, 200));
    assert!(summary.is_balanced());
}

#[test]
fn an_entry_that_is_used_again_does_not_die() {
    let mut spec = small(None);
    spec.assumptions.dies_after = secs(100);
    let mut model = DomainMemory::new(Arc::new(spec));
    let mut effects = Vec::new();
    for s in [0, 99, 150] {
        while model.next_deadline() < secs(s) {
            model.tell(model.next_deadline(), Stimulus::Time, &mut effects);
        }
        model.tell(secs(s), Stimulus::Queued { domain: "a.example", messages: 1 }, &mut effects);
        let entry = model.table().find("A.EXAMPLE").unwrap();
        model.tell(secs(s), Stimulus::Sent { entry, messages: 1 }, &mut effects);
        assert_eq!((model.counters().live, model.counters().dead), (1, 0));
    }
    while model.next_deadline() <= secs(250) {
        assert_eq!(model.counters().live, 1);
        model.tell(model.next_deadline(), Stimulus::Time, &mut effects);
    }
    assert_eq!((model.counters().live, model.counters().dead), (0, 1));
    let summary = model.close_books(secs(250));
    assert_eq!((summary.created, summary.found, summary.revived), (1, 2, 0));
}
