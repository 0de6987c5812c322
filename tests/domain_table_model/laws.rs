//! Laws that hold whatever happens: against a sorted map, and in the model's own books.

use std::collections::BTreeMap;
use std::sync::Arc;

use atqsim::models::domain_table::spec::{
    Assumptions, DomainTableSpec, Freed, PlannedRestarts, Software, Sweep, WhenGone, Windows,
};
use atqsim::models::domain_table::{DomainMemory, DomainTable, Effect, EntryId, Put, Stimulus};
use atqsim::time::Nanos;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Queue(u8, u32),
    /// All messages of one that has some leave, or one of them.
    Send(usize, bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any::<u8>(), 1..4u32).prop_map(|(domain, messages)| Step::Queue(domain, messages)),
        5 => (any::<usize>(), any::<bool>()).prop_map(|(place, all)| Step::Send(place, all)),
        3 => (0..30u64).prop_map(Step::Wait),
    ]
}

fn name(domain: u8) -> String {
    format!("host-{domain}.Example.NET")
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Put(u8, u32),
    Take(u8),
    Bury(u8),
    Sweep,
    Restart,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..40u8, 0..3u32).prop_map(|(domain, messages)| Change::Put(domain, messages)),
        6 => (0..40u8).prop_map(Change::Take),
        6 => (0..40u8).prop_map(Change::Bury),
        1 => Just(Change::Sweep),
        1 => Just(Change::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_table_does_what_a_sorted_map_does(changes in proptest::collection::vec(change(), 0..400)) {
        let mut table = DomainTable::default();
        // By domain: messages, and whether it is dead.
        let mut plain: BTreeMap<u8, (u32, bool)> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Put(domain, messages) => {
                    let expected = match plain.get(&domain) {
                        None => Put::Created,
                        Some((_, true)) => Put::Revived,
                        Some((_, false)) => Put::Found,
                    };
                    prop_assert_eq!(table.enqueue(&name(domain), messages).unwrap().1, expected);
                    let entry = plain.entry(domain).or_default();
                    *entry = (entry.0 + messages, false);
                }
                Change::Take(domain) => {
                    if let Some((queued, _)) = plain.get_mut(&domain).filter(|(queued, _)| *queued > 0) {
                        *queued -= 1;
                        prop_assert_eq!(table.dequeue(table.find(&name(domain)).unwrap(), 1), *queued);
                    }
                }
                Change::Bury(domain) => {
                    if let Some(entry) = plain.get_mut(&domain).filter(|entry| **entry == (0, false)) {
                        entry.1 = true;
                        table.bury(table.find(&name(domain)).unwrap());
                    }
                }
                Change::Sweep => {
                    let before = plain.len();
                    plain.retain(|_, (_, dead)| !*dead);
                    prop_assert_eq!(table.sweep(), before - plain.len());
                }
                Change::Restart => {
                    let before = plain.len();
                    plain.retain(|_, (queued, _)| *queued > 0);
                    prop_assert_eq!(table.keep_only_queued(), before - plain.len());
                }
            }
            prop_assert_eq!(table.len(), plain.len());
            prop_assert_eq!(table.live() + table.dead(), table.len());
            prop_assert_eq!(table.dead(), plain.values().filter(|(_, dead)| *dead).count());
            prop_assert_eq!(table.queued(), plain.values().map(|(queued, _)| u64::from(*queued)).sum::<u64>());
        }
        for domain in 0..40 {
            let found = table.find(&name(domain)).map(|id| (table.queued_of(id), table.name_of(id).to_string()));
            let expected = plain.get(&domain).map(|(queued, _)| (*queued, name(domain).to_lowercase()));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn every_message_and_every_entry_is_accounted_for(
        steps in proptest::collection::vec(step(), 0..400),
        threshold in proptest::option::of(0..20u32),
        fits in 0..60u64,
        dies_after in 0..40u64,
        sweep_every in 0..40u64,
        stays: bool,
        restarts: bool,
        planned in proptest::option::of((0..100u64, 1..200u64)),
    ) {
        let assumptions = Assumptions {
            entry_bytes: 100,
            others_bytes: 0,
            base_working_set_bytes: 0,
            gone_below_bytes: 0,
            dies_after: Nanos::from_secs(dies_after),
            sweep: if sweep_every == 0 { Sweep::AtOnce } else { Sweep::Every(Nanos::from_secs(sweep_every)) },
            freed: if stays { Freed::StaysInTheProcess } else { Freed::ToTheSystem },
            when_gone: if restarts { WhenGone::Restarts } else { WhenGone::RefusesNewDomains },
            restart_takes: Nanos::from_secs(7),
            ..Assumptions::default()
        };
        let plan = planned.map(|(first, every)| (Nanos::from_secs(first), Nanos::from_secs(every)));
        let spec = DomainTableSpec {
            software: Software { windows: Windows::Server2003Sp2, is_x64: false, has_hotfix: false },
            zombie_domain_entry_threshold: threshold,
            memory_bytes: fits * 100,
            planned_restarts: plan.map(|(first, every)| PlannedRestarts { first, every }),
            assumptions,
        };
        let threshold = spec.threshold();
        let mut model = DomainMemory::new(Arc::new(spec));
        let (mut effects, mut now) = (Vec::new(), Nanos::ZERO);
        // Queues by entry, and messages that came, left, and were refused, as the effects tell them.
        let mut queues: BTreeMap<EntryId, u32> = BTreeMap::new();
        let (mut came, mut left, mut refused) = (0, 0, 0);
        for step in steps {
            match step {
                Step::Queue(domain, messages) => {
                    came += u64::from(messages);
                    model.tell(now, Stimulus::Queued { domain: &name(domain), messages }, &mut effects);
                }
                Step::Send(place, all) => {
                    let entry = queues.keys().nth(place % queues.len().max(1)).copied();
                    if let Some(entry) = entry {
                        let messages = if all { queues[&entry] } else { 1 };
                        left += u64::from(messages);
                        *queues.get_mut(&entry).unwrap() -= messages;
                        queues.retain(|_, queued| *queued > 0);
                        model.tell(now, Stimulus::Sent { entry, messages }, &mut effects);
                    }
                }
                Step::Wait(s) => {
                    let until = now + Nanos::from_secs(s);
                    while model.next_deadline() <= until {
                        now = model.next_deadline();
                        model.tell(now, Stimulus::Time, &mut effects);
                        prop_assert!(model.next_deadline() > now);
                    }
                    now = until;
                }
            }
            for effect in effects.drain(..) {
                match effect {
                    Effect::Accepted { entry, messages, .. } => *queues.entry(entry).or_default() += messages,
                    Effect::Refused { messages, .. } => refused += u64::from(messages),
                    Effect::ServiceStops | Effect::ServiceStarts => {}
                }
            }
            let counters = model.counters();
            prop_assert_eq!(counters.live + counters.dead, model.table().len() as u64);
            prop_assert_eq!(counters.queued, queues.values().map(|queued| u64::from(*queued)).sum::<u64>());
            prop_assert_eq!(came, counters.queued + left + refused);
            prop_assert!(queues.iter().all(|(entry, queued)| model.table().queued_of(*entry) == *queued));
            prop_assert!(counters.live + counters.dead <= fits, "more entries than fit");
            prop_assert!(counters.available_bytes + counters.working_set_bytes == fits * 100);
            if sweep_every == 0 && let Some(threshold) = threshold {
                prop_assert!(counters.dead < u64::from(threshold));
            }
        }
        let summary = model.close_books(now);
        prop_assert!(summary.is_balanced());
        prop_assert_eq!(summary.messages, came);
        prop_assert_eq!(summary.sent, left);
        prop_assert!(summary.away <= now);
        prop_assert!(threshold.is_some() || summary.swept == 0);
    }
}
