//! Laws that hold whatever happens.

use std::collections::BTreeMap;

use atqsim::models::store::spec::{Assumptions, Casualties};
use atqsim::models::store::{
    Aside, CallId, ClientId, Direction, Effect, MessageId, ServiceState, Stimulus, Store, Work,
};
use atqsim::time::Nanos;
use proptest::prelude::*;

use super::driver::{What, prompt, run, secs, spec, stream};

#[derive(Clone, Copy, Debug)]
enum Step {
    Client,
    Inbound,
    Outbound,
    /// The call in service at this place ends.
    Ends(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Client),
        3 => Just(Step::Inbound),
        3 => Just(Step::Outbound),
        5 => any::<usize>().prop_map(Step::Ends),
        3 => (1..20u64).prop_map(Step::Wait),
    ]
}

/// What became of something, as the effects tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    InService,
    Done,
    SetAside(Aside),
    GaveUp,
    Refused,
}

/// Follows every client and message through the effects, and refuses a fate after a final one.
#[derive(Default)]
struct Books {
    fates: BTreeMap<(u8, u64), Fate>,
    calls: BTreeMap<CallId, Work>,
}

fn key(work: Work) -> Option<(u8, u64)> {
    match work {
        Work::Client(ClientId(n)) => Some((0, n)),
        Work::Message(Direction::Inbound, MessageId(n)) => Some((1, n)),
        Work::Message(Direction::Outbound, MessageId(n)) => Some((2, n)),
        Work::Refresh | Work::Gateway => None,
    }
}

impl Books {
    fn comes(&mut self, work: Work) {
        self.fates.insert(key(work).unwrap(), Fate::Waits);
    }

    fn becomes(&mut self, work: Work, from: Fate, to: Fate) {
        if let Some(key) = key(work) {
            assert_eq!(self.fates.insert(key, to), Some(from), "{work:?} becomes {to:?}");
        }
    }

    fn tell(&mut self, effect: Effect) {
        match effect {
            Effect::Begins { call, work } => {
                assert_ne!(work, Work::Gateway);
                self.becomes(work, Fate::Waits, Fate::InService);
                assert_eq!(self.calls.insert(call, work), None, "a call begins once");
            }
            Effect::GaveUp(client) => self.becomes(Work::Client(client), Fate::Waits, Fate::GaveUp),
            Effect::Refused(work) => self.becomes(work, Fate::Waits, Fate::Refused),
            Effect::SetAside(direction, message, aside) => {
                self.becomes(Work::Message(direction, message), Fate::Waits, Fate::SetAside(aside));
            }
            Effect::Service(_) => {}
        }
    }

    fn count(&self, kind: u8, is_one: impl Fn(Fate) -> bool) -> u64 {
        self.fates.iter().filter(|((of, _), fate)| *of == kind && is_one(**fate)).count() as u64
    }
}

/// What may follow what: the published order, whatever is left out or repeated.
fn is_in_order(ids: &[u32], casualties: Casualties) -> bool {
    let mut rest = ids;
    while let Some(first) = rest.first() {
        if *first == 4023 {
            let Some(after) = rest.strip_prefix(&[4023, 4102]) else { return false };
            rest = after;
            continue;
        }
        let many = |list: &[u32], id: u32| list.iter().take_while(|i| **i == id).count();
        let bad = many(rest, 4116);
        let Some(after) = rest[bad..].strip_prefix(&[3039]) else { return false };
        let archived = many(after, 4117);
        if casualties == Casualties::OneMessage && (bad > 1 || bad != archived) {
            return false;
        }
        rest = &after[archived..];
        // The refresh was answered, or the service ends; the run may end between.
        rest = rest.strip_prefix(&[4094, 4102]).or(rest.strip_prefix(&[4094]).filter(|r| r.is_empty())).unwrap_or(rest);
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_accounted_for_exactly_once(
        steps in proptest::collection::vec(step(), 0..300),
        max_threads in 0..12u32,
        gateway_threads_count: bool,
        threads_per_call in 1..3u32,
        sessions in 0..4u32,
        by_direction: bool,
        patient: bool,
        most_waiting in 0..40usize,
    ) {
        let casualties = if by_direction { Casualties::ByDirection } else { Casualties::OneMessage };
        let own = Assumptions {
            gateway_threads_count,
            threads_per_call,
            inbound_sessions: sessions,
            outbound_sessions: 3 - sessions,
            casualties,
            client_patience: if patient { Nanos::MAX } else { secs(17) },
            restarted_after: Some(secs(20)),
            most_waiting,
            ..prompt()
        };
        let mut store = Store::new(spec(max_threads, own));
        let (mut books, mut effects, mut now) = (Books::default(), Vec::new(), Nanos::ZERO);
        store.begin(&mut effects);
        for (number, step) in steps.into_iter().enumerate() {
            let n = number as u64;
            let mut until = now;
            let stimulus = match step {
                Step::Client => Some(Stimulus::Client(ClientId(n))),
                Step::Inbound => Some(Stimulus::Message(Direction::Inbound, MessageId(n))),
                Step::Outbound => Some(Stimulus::Message(Direction::Outbound, MessageId(n))),
                Step::Ends(place) => {
                    let call = books.calls.keys().nth(place % books.calls.len().max(1)).copied();
                    call.map(|call| {
                        let work = books.calls.remove(&call).unwrap();
                        books.becomes(work, Fate::InService, Fate::Done);
                        Stimulus::Ends(call)
                    })
                }
                Step::Wait(s) => {
                    until = now + secs(s);
                    None
                }
            };
            match stimulus {
                Some(Stimulus::Client(client)) => books.comes(Work::Client(client)),
                Some(Stimulus::Message(direction, message)) => books.comes(Work::Message(direction, message)),
                _ => {}
            }
            if let Some(stimulus) = stimulus {
                store.tell(now, stimulus, &mut effects);
            }
            while store.next_deadline() <= until {
                now = store.next_deadline();
                store.tell(now, Stimulus::Time, &mut effects);
                prop_assert!(store.next_deadline() > now);
            }
            now = until;
            effects.drain(..).for_each(|effect| books.tell(effect));
            let load = store.load();
            prop_assert!(load.in_use <= max_threads);
            prop_assert!(books.calls.len() as u32 <= load.in_use);
            for (kind, sessions) in [(1, sessions), (2, 3 - sessions)] {
                prop_assert!(books.count(kind, |f| f == Fate::InService) <= u64::from(sessions));
            }
            // Nobody waits for threads that are free.
            prop_assert!(load.line == 0 || load.in_use + threads_per_call > max_threads);
        }
        let summary = store.close_books(now);
        for (kind, ledger) in [summary.clients, summary.inbound, summary.outbound].into_iter().enumerate() {
            let kind = kind as u8;
            prop_assert!(ledger.is_balanced());
            prop_assert_eq!(ledger.waiting, books.count(kind, |f| f == Fate::Waits));
            prop_assert_eq!(ledger.in_service, books.count(kind, |f| f == Fate::InService));
            prop_assert_eq!(ledger.done, books.count(kind, |f| f == Fate::Done));
            prop_assert_eq!(ledger.gave_up, books.count(kind, |f| f == Fate::GaveUp));
            prop_assert_eq!(ledger.refused, books.count(kind, |f| f == Fate::Refused));
            prop_assert_eq!(ledger.set_aside, books.count(kind, |f| matches!(f, Fate::SetAside(_))));
        }
        let is_bad = |f| matches!(f, Fate::SetAside(Aside::Bad | Aside::BadAndArchive));
        let is_archived = |f| matches!(f, Fate::SetAside(Aside::Archive | Aside::BadAndArchive));
        prop_assert_eq!(summary.in_bad, books.count(1, is_bad) + books.count(2, is_bad));
        prop_assert_eq!(summary.in_archive, books.count(1, is_archived) + books.count(2, is_archived));
        let ids: Vec<u32> = summary.events.iter().filter_map(|entry| entry.id()).collect();
        prop_assert!(is_in_order(&ids, casualties), "{:?}", ids);
        prop_assert_eq!(ids.iter().filter(|id| **id == 4102).count() as u64, summary.shutdowns);
        prop_assert!(summary.refreshed <= summary.refreshes);
    }
}

#[test]
fn the_check_of_the_order_can_fail() {
    for wrong in
        [&[4116, 3039, 4094][..], &[3039, 4102], &[4117, 3039, 4116], &[4023, 4094], &[4116, 4117, 3039, 4094, 4102]]
    {
        assert!(!is_in_order(wrong, Casualties::OneMessage), "{wrong:?}");
    }
    assert!(is_in_order(&[4116, 3039, 4117, 4094, 4102, 3039, 4023, 4102, 3039, 4094], Casualties::OneMessage));
}

/// Whether the service lives through a load of `clients` clients at once each 60 s, who take 25 s each, beside its mail.
fn survives(threads: u32, clients: u64) -> bool {
    let mut load = vec![stream(What::Inbound, 3, 200, 4), stream(What::Outbound, 4, 150, 4)];
    load.extend((0..clients).map(|_| stream(What::Clients, 60, 10, 25)));
    run(&spec(threads, prompt()), &load, secs(600)).1.shutdowns == 0
}

/// The smallest of 3 to 12 threads that lives through it; 13: none does.
fn smallest(clients: u64) -> u32 {
    (3..=12).find(|threads| survives(*threads, clients)).unwrap_or(13)
}

#[test]
fn more_load_never_needs_fewer_threads_and_more_threads_never_hurt() {
    let needed: Vec<u32> = (0..=20).map(smallest).collect();
    assert!(needed.windows(2).all(|pair| pair[0] <= pair[1]), "{needed:?}");
    // It is no constant: a light load needs one more than the gateway holds, a heavy one more than 12.
    assert_eq!((needed[0], *needed.last().unwrap()), (5, 13), "{needed:?}");
    let distinct = needed.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(distinct >= 4, "{needed:?}");
    for clients in [0, 3, 6, 9, 12] {
        let lives: Vec<bool> = (3..=13).map(|threads| survives(threads, clients)).collect();
        assert!(lives.windows(2).all(|pair| pair[0] <= pair[1]), "{clients} clients: {lives:?}");
    }
}

#[test]
fn the_same_load_gives_the_same_run() {
    let load = [stream(What::Clients, 1, 200, 9), stream(What::Inbound, 2, 100, 3), stream(What::Outbound, 3, 80, 3)];
    let once = run(&spec(7, prompt()), &load, secs(2000));
    assert_eq!(once, run(&spec(7, prompt()), &load, secs(2000)));
    assert!(once.1.shutdowns > 0 && once.0.iter().any(|(_, e)| *e == Effect::Service(ServiceState::Stopped)));
}
