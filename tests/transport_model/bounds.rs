//! What the model keeps at most, what is beyond it, and what its books say of mistakes in them.

use atqsim::models::transport::memory::KEPT;
use atqsim::models::transport::spec::{OverRate, Role};
use atqsim::models::transport::{
    Directory, Effect, GroupFigures, GroupId, MessageId, Said, SessionId, Stimulus, Throttle, TransportSummary, Usage,
};
use atqsim::time::Nanos;

use super::driver::{GIB, HONEST, Play, anonymous, secs, server, to_domain, to_mailbox};

#[test]
fn no_more_connections_and_messages_than_its_bound() {
    let mut spec = server(Role::Edge);
    spec.assumptions.most_held = 2;
    let mut play = Play::new(spec);
    play.takes.remote = |_| Some(secs(1000));
    for session in 0..3 {
        play.connects(Nanos::ZERO, session, anonymous(session as u32, GroupId(7)));
    }
    for n in 0..3 {
        play.at(secs(n), Stimulus::Offers(SessionId(0), MessageId(n)));
        if n < 2 {
            play.at(secs(n), Stimulus::MessageEnds(SessionId(0), to_domain(1, 10)));
        }
    }
    let told = play.until(secs(3));
    assert_eq!(refused_by_bound(&told), [Some(2), None]);
    assert!(told.contains(&(secs(2), Effect::MessageRefused { message: MessageId(2), by: Throttle::ModelBound })));
    let summary = play.close(secs(4));
    let held = summary.held(Throttle::ModelBound);
    assert_eq!((held.connections_refused, held.messages_refused), (1, 1));
    assert_eq!(summary.groups.len(), 8, "groups in between have figures of nothing");
}

/// Sessions that the bound refused, and `None` for each message.
fn refused_by_bound(told: &[(Nanos, Effect)]) -> Vec<Option<u64>> {
    let of = |(_, effect): &(Nanos, Effect)| match effect {
        Effect::ConnectionRefused { session, by: Throttle::ModelBound, .. } => Some(Some(session.0)),
        Effect::MessageRefused { by: Throttle::ModelBound, .. } => Some(None),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

#[test]
fn lines_and_directories_have_the_same_bound() {
    let mut spec = server(Role::Hub);
    spec.assumptions.most_held = 2;
    spec.assumptions.over_rate = OverRate::Waits;
    spec.server.max_connection_rate_per_minute = 1;
    spec.server.max_concurrent_mailbox_submissions = 1;
    let mut play = Play::new(spec);
    play.takes.submission = None;
    for n in 0..4 {
        play.connects(secs(1), n, anonymous(n as u32, HONEST));
        play.at(secs(1), Stimulus::Submits(MessageId(n), HONEST, to_mailbox(10)));
    }
    for n in 10..13 {
        play.at(secs(1), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_mailbox(10)));
        play.at(secs(1), Stimulus::File(Directory::Replay, MessageId(10 + n), HONEST, to_mailbox(10)));
    }
    let told = play.until(secs(2));
    // One is open and one is submitted, two wait; of each directory the third.
    let refused: Vec<_> = told
        .iter()
        .filter_map(|(_, effect)| match effect {
            Effect::MessageRefused { message, by: Throttle::ModelBound } => Some(message.0),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [3, 12, 22]);
    assert_eq!(refused_by_bound(&told).into_iter().flatten().collect::<Vec<_>>(), [3]);
    assert_eq!(play.close(secs(2)).most.in_line, 2);
}

#[test]
fn the_event_log_has_a_bound_and_the_rest_is_counted() {
    let mut play = Play::new(server(Role::Edge));
    let changes = KEPT as u64 + 50;
    for n in 0..changes {
        let percent = if n % 2 == 0 { 99 } else { 0 };
        play.at(secs(2 * n + 1), Stimulus::Uses(Usage::QueueDrive(percent * GIB)));
    }
    let told = play.until(secs(2 * changes));
    let logged: Vec<_> =
        told.iter().filter_map(|(_, effect)| if let Effect::Logged(at) = effect { Some(*at) } else { None }).collect();
    assert_eq!(logged, (0..KEPT).collect::<Vec<_>>());
    let summary = play.close(secs(2 * changes));
    assert_eq!((summary.events.len(), summary.events_dropped), (KEPT, 50));
    assert_eq!(summary.times_reached.iter().sum::<u64>(), changes);
}

fn a_summary() -> TransportSummary {
    let mut play = Play::new(server(Role::Hub));
    play.connects(Nanos::ZERO, 0, anonymous(0, HONEST));
    for _ in 0..7 {
        play.at(secs(1), Stimulus::Says(SessionId(0), Said::ProtocolError));
    }
    play.connects(secs(2), 1, anonymous(0, HONEST));
    play.at(secs(2), Stimulus::Submits(MessageId(1), HONEST, to_mailbox(10)));
    play.close(secs(3))
}

#[test]
fn a_mistake_in_the_books_is_seen() {
    assert!(a_summary().is_balanced());
    // Each thing that was counted once too often, with and without its counterpart in the ledger.
    let mistakes: [fn(&mut GroupFigures); 8] = [
        |figures| figures.connections.came += 1,
        |figures| figures.messages.came += 1,
        |figures| figures.connections.open += 1,
        |figures| figures.messages.queued += 1,
        |figures| {
            figures.connections.came += 1;
            figures.connections.refused += 1;
        },
        |figures| {
            figures.connections.came += 1;
            figures.connections.closed += 1;
        },
        |figures| {
            figures.messages.came += 1;
            figures.messages.refused += 1;
        },
        |figures| figures.connections.closed -= 1,
    ];
    for mistake in mistakes {
        let mut summary = a_summary();
        mistake(&mut summary.groups[0]);
        assert!(!summary.is_balanced(), "{:?}", summary.groups[0]);
    }
    let mut summary = a_summary();
    summary.end += Nanos(1);
    assert!(!summary.is_balanced());
}

#[test]
fn the_books_close_no_earlier_than_the_last_that_was_told() {
    let mut play = Play::new(server(Role::Hub));
    play.connects(secs(9), 0, anonymous(0, HONEST));
    play.until(secs(9));
    let summary = play.server.close_books(secs(3));
    assert_eq!((summary.end, summary.is_balanced()), (secs(9), true));
}

#[test]
fn what_has_gone_leaves_nothing_behind() {
    let mut spec = server(Role::Hub);
    spec.server.max_connection_rate_per_minute = 500;
    spec.assumptions.over_rate = OverRate::Waits;
    spec.assumptions.sample_every = Nanos::ZERO;
    let mut play = Play::new(spec);
    let mut size_after = |from: u64, count: u64, end: u64| {
        // Every source and every domain is another one, and half of the connections wait in line first.
        for n in from..from + count {
            play.connects(secs(end - 600), n, anonymous(n as u32, HONEST));
            let session = SessionId(n);
            play.at(secs(end - 500), Stimulus::Offers(session, MessageId(n)));
            play.at(secs(end - 500), Stimulus::MessageEnds(session, to_domain(n as u32, 10)));
            // The others are closed when they have been silent for five minutes.
            if n % 2 == 0 {
                play.at(secs(end - 500), Stimulus::Quits(session));
            }
        }
        let told = play.until(secs(end));
        let waited = told.iter().filter(|(_, effect)| matches!(effect, Effect::Waits(_))).count();
        (waited, format!("{:?}", play.server).len())
    };
    let (_, before) = size_after(0, 10, 1000);
    let (waited, after) = size_after(1000, 1000, 2000);
    assert_eq!(waited, 500);
    // Only the digits of some counts.
    assert!(after < before + 200, "{before} and {after}");
}
