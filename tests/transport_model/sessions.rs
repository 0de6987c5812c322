//! Connections and what is said on them: each limit of the Receive connector by itself, at times worked out by hand.

use atqsim::models::transport::spec::{
    ErrorLimit, Limit, OverRate, PerSource, RateCounts, RateWindow, Role, Rounding, TransportSpec,
};
use atqsim::models::transport::{
    Caller, Effect, MessageId, Peer, Reply, Said, SessionId, SourceId, Stimulus, Throttle,
};
use atqsim::time::Nanos;

use super::driver::{FLOOD, HONEST, Play, anonymous, secs, server, to_mailbox};

fn refusals(told: &[(Nanos, Effect)]) -> Vec<(u64, Throttle)> {
    let of = |(_, effect): &(Nanos, Effect)| match effect {
        Effect::ConnectionRefused { session, by, .. } => Some((session.0, *by)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

fn closings(told: &[(Nanos, Effect)]) -> Vec<(Nanos, u64, Throttle)> {
    let of = |(at, effect): &(Nanos, Effect)| match effect {
        Effect::Closed { session, by, .. } => Some((*at, session.0, *by)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

fn answers(told: &[(Nanos, Effect)]) -> Vec<(Reply, Nanos, bool)> {
    let of = |(_, effect): &(Nanos, Effect)| match effect {
        Effect::Answered { reply, at, is_tarpitted, .. } => Some((*reply, *at, *is_tarpitted)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

fn opened(told: &[(Nanos, Effect)]) -> Vec<(Nanos, u64)> {
    let of = |(at, effect): &(Nanos, Effect)| match effect {
        Effect::Opened(session) => Some((*at, session.0)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

/// So many connections of one source, all at 0; how many are open.
fn open_from_one_source(spec: TransportSpec, count: u64) -> (usize, Vec<(u64, Throttle)>) {
    let mut play = Play::new(spec);
    for session in 0..count {
        play.connects(Nanos::ZERO, session, anonymous(1, FLOOD));
    }
    let told = play.until(Nanos::ZERO);
    (opened(&told).len(), refusals(&told))
}

#[test]
fn one_source_has_what_its_share_and_its_number_leave_it() {
    let with = |per_source, rounding, connections| {
        let mut spec = server(Role::Hub);
        spec.assumptions.per_source = per_source;
        spec.assumptions.share_rounding = rounding;
        spec.receive.max_inbound_connection = connections;
        spec
    };
    // Of 5,000: with k open, 2 % of 5000 - k remain; 98 is over 98.04 rounded down, 99 over it rounded up.
    let table = [
        (PerSource::Both, Rounding::Up, Limit::At(5000), 99, Throttle::InboundPercentagePerSource),
        (PerSource::Both, Rounding::Down, Limit::At(5000), 98, Throttle::InboundPercentagePerSource),
        (PerSource::CountOnly, Rounding::Up, Limit::At(5000), 100, Throttle::InboundPerSource),
        (PerSource::PercentageOnly, Rounding::Up, Limit::At(10_000), 197, Throttle::InboundPercentagePerSource),
        (PerSource::Both, Rounding::Up, Limit::At(10_000), 100, Throttle::InboundPerSource),
        (PerSource::Both, Rounding::Up, Limit::Unlimited, 100, Throttle::InboundPerSource),
    ];
    for (per_source, rounding, connections, open, by) in table {
        let (are_open, refused) = open_from_one_source(with(per_source, rounding, connections), 300);
        assert_eq!(are_open, open, "{per_source:?} {rounding:?} {connections:?}");
        assert_eq!(refused.len(), 300 - open);
        assert!(refused.iter().all(|(_, why)| *why == by), "{refused:?}");
    }
}

#[test]
fn where_both_limits_of_one_source_are_reached_its_number_is_blamed() {
    let mut spec = server(Role::Hub);
    spec.receive.max_inbound_connection = Limit::At(100);
    spec.receive.max_inbound_connection_per_source = Limit::At(2);
    // 2 % of the 98 that remain are 1.96, rounded up 2.
    let (open, refused) = open_from_one_source(spec, 3);
    assert_eq!((open, refused), (2, vec![(2, Throttle::InboundPerSource)]));
}

#[test]
fn a_flood_of_one_source_leaves_room_for_the_others_and_a_full_server_for_nobody() {
    let mut spec = server(Role::Edge);
    spec.receive.max_inbound_connection = Limit::At(10);
    spec.assumptions.per_source = PerSource::CountOnly;
    spec.receive.max_inbound_connection_per_source = Limit::At(8);
    let mut play = Play::new(spec);
    for session in 0..50 {
        play.connects(secs(1), session, anonymous(1, FLOOD));
    }
    for session in 100..103 {
        play.connects(secs(2), session, anonymous(session as u32, HONEST));
    }
    // One of the flood leaves, and one more comes.
    play.at(secs(3), Stimulus::Quits(SessionId(0)));
    play.connects(secs(4), 200, anonymous(200, HONEST));
    let told = play.until(secs(5));
    let last: Vec<_> = refusals(&told).into_iter().filter(|(session, _)| *session >= 100).collect();
    assert_eq!(last, [(102, Throttle::InboundConnections)]);
    assert!(told.contains(&(secs(4), Effect::Opened(SessionId(200)))));
    let summary = play.close(secs(5));
    assert_eq!(summary.groups[usize::from(FLOOD.0)].held(Throttle::InboundPerSource).connections_refused, 42);
    assert_eq!(summary.groups[usize::from(HONEST.0)].held(Throttle::InboundConnections).connections_refused, 1);
    assert_eq!((summary.most.connections, summary.most.of_one_source), (10, 8));
}

#[test]
fn so_many_are_opened_a_minute() {
    // 2 a minute; five come at 0.5 s, 30 s, 59 s, 61.5 s and 62 s.
    let times = [500, 30_000, 59_000, 61_499, 62_000].map(Nanos::from_millis);
    let run = |window, over_rate| {
        let mut spec = server(Role::Hub);
        spec.server.max_connection_rate_per_minute = 2;
        (spec.assumptions.rate_window, spec.assumptions.over_rate) = (window, over_rate);
        let mut play = Play::new(spec);
        for (session, at) in times.into_iter().enumerate() {
            play.connects(at, session as u64, anonymous(session as u32, HONEST));
        }
        let told = play.until(secs(200));
        (opened(&told), refusals(&told))
    };
    let by = Throttle::ConnectionRate;
    // The first counts until the end of the 61st second.
    let (open, refused) = run(RateWindow::Sliding, OverRate::Refused);
    assert_eq!(open, [(times[0], 0), (times[1], 1), (times[3], 3)]);
    assert_eq!(refused, [(2, by), (4, by)]);
    let (open, refused) = run(RateWindow::Minutes, OverRate::Refused);
    assert_eq!(open, [(times[0], 0), (times[1], 1), (times[3], 3), (times[4], 4)]);
    assert_eq!(refused, [(2, by)]);
    let (open, refused) = run(RateWindow::Minutes, OverRate::Waits);
    assert_eq!(open, [(times[0], 0), (times[1], 1), (secs(60), 2), (times[3], 3), (secs(120), 4)]);
    assert_eq!(refused, []);
    // The second, of second 30, leaves at 91 s, the third, of second 61, at 122 s.
    let (open, _) = run(RateWindow::Sliding, OverRate::Waits);
    assert_eq!(open, [(times[0], 0), (times[1], 1), (secs(61), 2), (secs(91), 3), (secs(122), 4)]);
}

#[test]
fn who_waits_for_the_rate_may_leave_and_is_counted() {
    let mut spec = server(Role::Hub);
    spec.server.max_connection_rate_per_minute = 1;
    spec.assumptions.over_rate = OverRate::Waits;
    let mut play = Play::new(spec);
    for session in 0..4 {
        play.connects(Nanos::ZERO, session, anonymous(session as u32, HONEST));
    }
    play.at(secs(10), Stimulus::Quits(SessionId(1)));
    let told = play.until(secs(70));
    assert_eq!(opened(&told), [(Nanos::ZERO, 0), (secs(61), 2)]);
    let summary = play.close(secs(100));
    let ledger = summary.groups[0].connections;
    assert_eq!((ledger.came, ledger.open, ledger.gave_up, ledger.waiting), (4, 2, 1, 1));
    let held = summary.groups[0].held(Throttle::ConnectionRate);
    // 10 s, 61 s, and 100 s of the one that still waits.
    assert_eq!((held.delayed, held.delay), (3, secs(171)));
}

#[test]
fn a_connection_that_another_limit_refuses_counts_for_the_rate_if_so_assumed() {
    for (counts, refused) in [(RateCounts::Opened, vec![]), (RateCounts::LetPast, vec![(2, Throttle::ConnectionRate)])]
    {
        let mut spec = server(Role::Hub);
        spec.server.max_connection_rate_per_minute = 2;
        spec.receive.max_inbound_connection_per_source = Limit::At(1);
        spec.assumptions.rate_counts = counts;
        let mut play = Play::new(spec);
        play.connects(secs(1), 0, anonymous(1, FLOOD));
        play.connects(secs(1), 1, anonymous(1, FLOOD));
        play.connects(secs(1), 2, anonymous(2, HONEST));
        let told = play.until(secs(1));
        let expected: Vec<_> = [(1, Throttle::InboundPerSource)].into_iter().chain(refused).collect();
        assert_eq!(refusals(&told), expected);
    }
}

#[test]
fn silent_and_long_connections_are_closed() {
    for (role, idle, whole) in [(Role::Hub, 300, 600), (Role::Edge, 60, 300)] {
        let mut play = Play::new(server(role));
        // 0 says nothing; 1 speaks each 50 s; 2 sends a text that never ends; 3 stops in its text at 20 s; 4 stops so
        // that both times end in one moment.
        for session in 0..5 {
            play.connects(Nanos::ZERO, session, anonymous(session as u32, HONEST));
        }
        for n in 1..20 {
            play.at(secs(50 * n), Stimulus::Says(SessionId(1), Said::Good));
        }
        for session in [2, 3, 4] {
            play.at(secs(10), Stimulus::Offers(SessionId(session), MessageId(session)));
            play.at(secs(10), Stimulus::Says(SessionId(session), Said::Data));
        }
        play.at(secs(20), Stimulus::IsSilent(SessionId(3)));
        play.at(secs(whole - idle), Stimulus::IsSilent(SessionId(4)));
        let told = play.until(secs(2000));
        let expected = [
            (secs(idle), 0, Throttle::ReceiveInactivity),
            (secs(20 + idle), 3, Throttle::ReceiveInactivity),
            (secs(whole), 1, Throttle::ConnectionTimeout),
            (secs(whole), 2, Throttle::ConnectionTimeout),
            (secs(whole), 4, Throttle::ReceiveInactivity),
        ];
        assert_eq!(closings(&told), expected, "{role:?}");
        let dropped = told.iter().filter(|(_, effect)| matches!(effect, Effect::MessageDropped(_))).count();
        assert_eq!(dropped, 3);
        let summary = play.close(secs(2000));
        assert_eq!(summary.groups[0].messages.dropped, 3);
        assert_eq!(summary.groups[0].held(Throttle::ConnectionTimeout).connections_closed, 2);
    }
}

#[test]
fn errors_close_a_session() {
    // (allowed, which one closes by the rule, the error that closes).
    let table = [
        (Limit::At(5), ErrorLimit::NextCloses, Some(6)),
        (Limit::At(5), ErrorLimit::ReachedCloses, Some(5)),
        (Limit::At(0), ErrorLimit::NextCloses, Some(1)),
        (Limit::Unlimited, ErrorLimit::ReachedCloses, None),
    ];
    for (most, error_limit, closes) in table {
        let mut spec = server(Role::Edge);
        spec.receive.max_protocol_errors = most;
        spec.assumptions.error_limit = error_limit;
        let mut play = Play::new(spec);
        play.connects(Nanos::ZERO, 0, anonymous(0, HONEST));
        for n in 1..=10 {
            play.at(secs(n), Stimulus::Says(SessionId(0), Said::ProtocolError));
            // What is no error is not counted, and takes none back.
            play.at(secs(n), Stimulus::Says(SessionId(0), Said::Good));
        }
        let told = play.until(secs(10));
        let expected: Vec<_> = closes.map(|n| (secs(n), 0, Throttle::ProtocolErrors)).into_iter().collect();
        assert_eq!(closings(&told), expected, "{most:?} {error_limit:?}");
    }
}

#[test]
fn unknown_recipients_are_tarpitted_for_anonymous_sessions_only() {
    let known = Caller { source: SourceId(2), group: HONEST, authenticated: true, peer: Peer::Other };
    let mut play = Play::new(server(Role::Edge));
    play.connects(Nanos::ZERO, 0, anonymous(1, FLOOD));
    play.connects(Nanos::ZERO, 1, known);
    play.at(secs(1), Stimulus::Says(SessionId(1), Said::UnknownRecipient));
    let told = play.until(secs(1));
    assert_eq!(answers(&told), [(Reply::UserUnknown, secs(1), false)]);
    // Two at once, and a good command behind them: answers keep their order.
    for said in [Said::UnknownRecipient, Said::UnknownRecipient, Said::Good, Said::ProtocolError] {
        play.at(secs(2), Stimulus::Says(SessionId(0), said));
    }
    let told = play.until(secs(2));
    let expected = [
        (Reply::UserUnknown, secs(7), true),
        (Reply::UserUnknown, secs(12), true),
        (Reply::Good, secs(12), false),
        (Reply::Unrecognized, secs(12), false),
    ];
    assert_eq!(answers(&told), expected);
    let summary = play.close(secs(3));
    let held = summary.groups[usize::from(FLOOD.0)].held(Throttle::Tarpit);
    assert_eq!((held.delayed, held.delay), (2, secs(10)));
    assert_eq!(summary.groups[usize::from(HONEST.0)].held(Throttle::Tarpit).delayed, 0);
}

#[test]
fn a_source_is_not_silent_while_it_waits_for_its_answer() {
    let mut spec = server(Role::Edge);
    spec.receive.tarpit_interval = secs(100);
    let mut play = Play::new(spec);
    play.connects(Nanos::ZERO, 0, anonymous(1, FLOOD));
    play.at(secs(1), Stimulus::Says(SessionId(0), Said::UnknownRecipient));
    assert_eq!(closings(&play.until(secs(500))), [(secs(161), 0, Throttle::ReceiveInactivity)]);
}

#[test]
fn what_else_may_count_as_an_error_or_be_tarpitted() {
    let mut spec = server(Role::Edge);
    spec.assumptions.unknown_recipient_is_error = true;
    spec.assumptions.tarpits_protocol_errors = true;
    spec.receive.max_protocol_errors = Limit::At(1);
    let mut play = Play::new(spec);
    play.connects(Nanos::ZERO, 0, anonymous(1, FLOOD));
    play.at(secs(1), Stimulus::Says(SessionId(0), Said::ProtocolError));
    play.at(secs(9), Stimulus::Says(SessionId(0), Said::UnknownRecipient));
    let told = play.until(secs(20));
    assert_eq!(answers(&told), [(Reply::Unrecognized, secs(6), true)]);
    assert_eq!(closings(&told), [(secs(9), 0, Throttle::ProtocolErrors)]);
}

#[test]
fn a_message_is_handed_over_given_up_or_cut_off() {
    let mut play = Play::new(server(Role::Hub));
    play.connects(Nanos::ZERO, 0, anonymous(1, HONEST));
    let session = SessionId(0);
    for (at, what) in [
        (1, Stimulus::Offers(session, MessageId(1))),
        (2, Stimulus::Says(session, Said::Data)),
        (3, Stimulus::MessageEnds(session, to_mailbox(1000))),
        (4, Stimulus::Offers(session, MessageId(2))),
        (5, Stimulus::Says(session, Said::Reset)),
        (6, Stimulus::Offers(session, MessageId(3))),
        (7, Stimulus::Quits(session)),
    ] {
        play.at(secs(at), what);
    }
    let told = play.until(secs(8));
    let replies: Vec<_> = answers(&told).into_iter().map(|(reply, ..)| reply).collect();
    assert_eq!(
        replies,
        [Reply::Good, Reply::StartInput, Reply::Queued, Reply::Good, Reply::Good, Reply::Good],
        "none for the one that quits"
    );
    assert!(told.contains(&(secs(5), Effect::MessageDropped(MessageId(2)))));
    assert!(told.contains(&(secs(7), Effect::MessageDropped(MessageId(3)))));
    let summary = play.close(secs(8));
    let messages = summary.groups[0].messages;
    assert_eq!((messages.came, messages.delivered, messages.dropped), (3, 1, 2));
    // From its begin at 1 s to its end at 4 s.
    assert_eq!((summary.groups[0].time_to_delivery, summary.groups[0].longest_to_delivery), (secs(3), secs(3)));
    assert_eq!(summary.groups[0].connections.quit, 1);
}
