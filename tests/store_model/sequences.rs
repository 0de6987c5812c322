//! Sequences from the documentation, to the second.

use atqsim::models::store::spec::{Assumptions, Casualties};
use atqsim::models::store::{Aside, Direction, Effect, Ending, MessageId, ServiceState, What as Event, Work};
use atqsim::time::Nanos;

use super::driver::{What, prompt, published, run, secs, spec, stream};

/// One client that keeps the only free thread for good, then mail.
fn one_client_and(mail: What, count: u64) -> Vec<super::driver::Stream> {
    vec![stream(What::Clients, 1, 1, 1_000_000), stream(mail, 40, count, 1)]
}

#[test]
fn five_threads_give_the_published_sequence_and_give_it_again() {
    // Four of five threads are the gateway's; a client has the fifth. Mail comes at 0 and waits 30 s for its call, the
    // refresh is tried a second later and waits 30 s, the service is down 5 s after that and comes back 300 s later.
    let mail = one_client_and(What::Inbound, 3);
    let (effects, summary) = run(&spec(5, prompt()), &mail, secs(1000));
    let cycle =
        |from: u64| [(from + 30, 4116), (from + 30, 3039), (from + 30, 4117), (from + 61, 4094), (from + 66, 4102)];
    // It is started again 300 s after it stopped.
    assert_eq!(published(&summary), [cycle(0), cycle(366), cycle(732)].concat());
    let codes: Vec<u32> = summary.events.iter().filter_map(|entry| entry.code()).collect();
    assert_eq!(codes, [0x8004_0115, 0x8004_011d].repeat(3));
    let lasted: Vec<Option<Nanos>> = summary.lives.iter().map(|life| life.lasted()).collect();
    assert_eq!(lasted, [Some(secs(66)); 3]);
    assert_eq!((summary.shutdowns, summary.refreshes, summary.refreshed), (3, 3, 0));
    // One message a cycle, each in both places and none lost.
    let asides = effects.iter().filter_map(|(_, effect)| match effect {
        Effect::SetAside(direction, MessageId(message), aside) => Some((*direction, *message, *aside)),
        _ => None,
    });
    let expected = [0, 1, 2].map(|message| (Direction::Inbound, message, Aside::BadAndArchive));
    assert_eq!(asides.collect::<Vec<_>>(), expected);
    assert_eq!((summary.in_bad, summary.in_archive, summary.inbound.set_aside), (3, 3, 3));
    assert!(summary.inbound.is_balanced() && summary.clients.is_balanced());
    // Away: 5 + 300 s each of the first two times, and from 793 s on.
    assert_eq!(summary.away, secs(305 + 305 + 1000 - 793));
    let states = effects.iter().filter_map(|(_, effect)| match effect {
        Effect::Service(state) => Some(*state),
        _ => None,
    });
    use ServiceState::{LoggingOn, Refreshing, Running, ShuttingDown, Starting, Stopped};
    let once = [Starting, LoggingOn, Running, Refreshing, ShuttingDown, Stopped];
    assert_eq!(states.collect::<Vec<_>>(), once.repeat(3));
}

#[test]
fn outbound_mail_stays_where_it_is_and_piles_up() {
    let mail = one_client_and(What::Outbound, 20);
    let (_, summary) = run(&spec(5, prompt()), &mail, secs(1000));
    let cycle = |from: u64| [(from + 30, 3039), (from + 61, 4094), (from + 66, 4102)];
    assert_eq!(published(&summary), [cycle(0), cycle(366), cycle(732)].concat());
    assert_eq!((summary.outbound.waiting, summary.outbound.set_aside, summary.most_outbound), (20, 0, 20));
    assert_eq!((summary.in_bad, summary.in_archive), (0, 0));
    assert!(summary.outbound.is_balanced());
    // The curve says so too.
    let curve = summary.samples.values();
    assert!(curve.windows(2).all(|pair| pair[0].1.outbound <= pair[1].1.outbound));
    assert_eq!(curve.last().unwrap().1.outbound, 20);
}

#[test]
fn by_direction_outbound_mail_goes_to_bad_and_inbound_to_the_archive() {
    let own = Assumptions { casualties: Casualties::ByDirection, ..prompt() };
    let load =
        [stream(What::Clients, 1, 1, 1_000_000), stream(What::Inbound, 1, 5, 1), stream(What::Outbound, 1, 5, 1)];
    let (effects, summary) = run(&spec(5, own), &load, secs(500));
    // Two calls of each direction are out each time. The fifth message of each waits for none: it stays.
    let ids: Vec<u32> = published(&summary).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, [4116, 4116, 3039, 4117, 4117, 4094, 4102].repeat(2));
    assert_eq!((summary.in_bad, summary.in_archive), (4, 4));
    assert_eq!((summary.inbound.waiting, summary.outbound.waiting), (1, 1));
    assert!(summary.inbound.is_balanced() && summary.outbound.is_balanced());
    let aside = |wanted: Direction, place: Aside| {
        let is_one =
            |(_, effect): &&(Nanos, Effect)| matches!(effect, Effect::SetAside(d, _, a) if *d == wanted && *a == place);
        effects.iter().filter(is_one).count()
    };
    assert_eq!((aside(Direction::Outbound, Aside::Bad), aside(Direction::Inbound, Aside::Archive)), (4, 4));
    assert_eq!((summary.lives.len(), summary.shutdowns), (2, 2));
}

#[test]
fn a_refresh_that_finds_a_thread_saves_the_service() {
    // The client is done after 40 s: too late for the call at 30 s, in time for the refresh.
    let load = [stream(What::Clients, 1, 1, 40), stream(What::Inbound, 1, 2, 1)];
    let (_, summary) = run(&spec(5, prompt()), &load, secs(1000));
    assert_eq!(published(&summary), [(30, 4116), (30, 3039), (30, 4117)]);
    assert_eq!(
        summary.events.iter().filter(|entry| entry.what == Event::Refreshed).map(|e| e.at).collect::<Vec<_>>(),
        [secs(41)]
    );
    assert_eq!((summary.shutdowns, summary.refreshes, summary.refreshed), (0, 1, 1));
    // The second message was withdrawn with the connection and is delivered after all.
    assert_eq!((summary.inbound.done, summary.inbound.set_aside), (1, 1));
    // Those that were withdrawn come before those that only waited, in their order.
    let own = Assumptions { inbound_sessions: 4, ..prompt() };
    let load = [stream(What::Clients, 1, 1, 40), stream(What::Inbound, 1, 7, 1)];
    let (effects, _) = run(&spec(5, own), &load, secs(1000));
    let begun = effects.iter().filter_map(|(_, effect)| match effect {
        Effect::Begins { work: Work::Message(_, MessageId(message)), .. } => Some(*message),
        _ => None,
    });
    assert_eq!(begun.collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn with_fewer_threads_than_the_gateway_takes_it_never_logs_on() {
    for threads in 0..4 {
        let (_, summary) = run(&spec(threads, prompt()), &[stream(What::Inbound, 1, 5, 1)], secs(700));
        assert_eq!(published(&summary), [(30, 4023), (30, 4102), (360, 4023), (360, 4102), (690, 4023), (690, 4102)]);
        assert!(summary.lives.iter().all(|life| life.stopped.is_some_and(|(_, why)| why == Ending::NoWorkThreads)));
        assert_eq!((summary.inbound.waiting, summary.away), (5, secs(700)));
    }
    // What it had got it gives back: clients are served meanwhile.
    let (_, summary) = run(&spec(3, prompt()), &[stream(What::Clients, 10, 60, 1)], secs(700));
    assert_eq!((summary.clients.done, summary.clients.arrived, summary.most_in_use), (60, 60, 3));
}

#[test]
fn the_workaround_and_the_default_of_setup_carry_what_five_threads_do_not() {
    // Bursts: 8 clients at once each 90 s, each 20 s.
    let mut load = vec![stream(What::Inbound, 7, 500, 2), stream(What::Outbound, 11, 300, 2)];
    load.extend((0..8).map(|_| stream(What::Clients, 90, 40, 20)));
    for (threads, survives) in [(0x5, false), (0x14, true), (0x20, true), (0x32, true)] {
        let (_, summary) = run(&spec(threads, prompt()), &load, secs(4000));
        assert_eq!(summary.shutdowns == 0, survives, "{threads} threads: {} shutdowns", summary.shutdowns);
        assert!(summary.inbound.is_balanced() && summary.outbound.is_balanced() && summary.clients.is_balanced());
        if survives {
            assert_eq!((summary.inbound.done, summary.outbound.done, summary.in_bad), (500, 300, 0));
        }
    }
}

#[test]
fn a_thread_that_is_free_in_the_last_moment_is_in_time() {
    let load = [stream(What::Clients, 1, 1, 30), stream(What::Inbound, 1, 1, 1)];
    let (_, summary) = run(&spec(5, prompt()), &load, secs(100));
    assert_eq!((summary.refreshes, summary.inbound.done), (0, 1));
}

#[test]
fn clients_give_up_after_their_patience_and_too_many_are_refused() {
    let own = Assumptions { client_patience: secs(10), most_waiting: 3, ..prompt() };
    let load = [stream(What::Clients, 0, 6, 1_000_000)];
    let (effects, summary) = run(&spec(5, own), &load, secs(100));
    // One is served, three wait and give up, two are refused.
    assert_eq!((summary.clients.in_service, summary.clients.gave_up, summary.clients.refused), (1, 3, 2));
    assert!(summary.clients.is_balanced());
    let gave_up = effects.iter().filter(|(at, effect)| matches!(effect, Effect::GaveUp(_)) && *at == secs(10)).count();
    assert_eq!(gave_up, 3);
    // Mail: two calls are out, three messages wait, two are refused; they are lost to nobody's account.
    let own = Assumptions { most_waiting: 3, ..prompt() };
    let load = [stream(What::Clients, 1, 1, 1_000_000), stream(What::Inbound, 0, 7, 1)];
    let (effects, summary) = run(&spec(5, own), &load, secs(10));
    assert_eq!((summary.inbound.waiting, summary.inbound.refused), (5, 2));
    let refused = effects.iter().filter(|(_, effect)| matches!(effect, Effect::Refused(Work::Message(..))));
    assert_eq!(refused.count(), 2);
}

#[test]
fn without_gateway_threads_and_with_larger_calls() {
    let free = Assumptions { gateway_threads_count: false, ..prompt() };
    let (_, summary) = run(&spec(1, free.clone()), &[stream(What::Inbound, 1, 5, 1)], secs(100));
    assert_eq!((summary.inbound.done, summary.shutdowns), (5, 0));
    // A call that takes more threads than there are finds none.
    let two = Assumptions { threads_per_call: 2, restarted_after: None, ..free };
    let (_, summary) = run(&spec(1, two), &[stream(What::Inbound, 1, 5, 1)], secs(100));
    // But the refresh takes one and is answered each time, so the service goes on and loses its next message.
    let cycle = |at: u64| [(at, 4116), (at, 3039), (at, 4117)];
    assert_eq!(published(&summary), [cycle(30), cycle(62), cycle(94)].concat());
    assert_eq!((summary.refreshes, summary.refreshed, summary.shutdowns), (3, 3, 0));
    assert_eq!((summary.inbound.set_aside, summary.inbound.waiting), (3, 2));
}
