//! From outside to a queue and from there to its destination: submissions, files, deliveries, each limit by itself.

use atqsim::models::transport::spec::{Fraction, Limit, Role, TransportSpec};
use atqsim::models::transport::{Directory, DomainId, Effect, GroupId, MessageId, Outcome, Stimulus, Throttle, What};
use atqsim::time::Nanos;

use super::driver::{FLOOD, HONEST, Play, secs, server, to_domain, to_mailbox};

fn begun(told: &[(Nanos, Effect)]) -> Vec<(Nanos, u64)> {
    let of = |(at, effect): &(Nanos, Effect)| match effect {
        Effect::DeliveryBegins { message, .. } => Some((*at, message.0)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

fn queued(told: &[(Nanos, Effect)]) -> Vec<(Nanos, u64)> {
    let of = |(at, effect): &(Nanos, Effect)| match effect {
        Effect::Queued(message) => Some((*at, message.0)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

/// Messages that are queued at `at` without anything before: replayed files of a server that takes them all in one
/// scan.
fn eager(role: Role) -> TransportSpec {
    let mut spec = server(role);
    spec.server.pickup_directory_max_messages_per_minute = 12 * 1_000_000;
    spec.assumptions.first_scan = Nanos::ZERO;
    spec
}

#[test]
fn thirty_mailbox_deliveries_at_once() {
    let mut play = Play::new(eager(Role::Hub));
    play.takes.mailbox = Some(secs(4));
    for n in 0..70 {
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_mailbox(10)));
    }
    let told = play.until(secs(60));
    let expected: Vec<_> = (0..70).map(|n| (secs(5 + 4 * (n / 30)), n)).collect();
    assert_eq!(begun(&told), expected);
    let summary = play.close(secs(60));
    let held = summary.held(Throttle::MailboxDeliveries);
    assert_eq!((held.delayed, held.delay), (40, secs(30 * 4 + 10 * 8)));
    assert_eq!((summary.most.to_mailboxes, summary.groups[0].messages.delivered), (30, 70));
}

#[test]
fn a_slow_domain_holds_its_twenty_connections_and_nobody_else() {
    let mut play = Play::new(eager(Role::Edge));
    play.takes.remote = |domain| Some(if domain == DomainId(0) { secs(100) } else { secs(1) });
    for n in 0..50 {
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_domain(0, 10)));
    }
    for n in 100..110 {
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_domain(1, 10)));
    }
    let told = play.until(secs(60));
    let first: Vec<_> = (0..20).chain(100..110).map(|n| (secs(5), n)).collect();
    assert_eq!(begun(&told), first);
    let summary = play.close(secs(60));
    let held = summary.held(Throttle::PerDomainOutbound);
    // Those that still wait count until the end.
    assert_eq!((held.delayed, held.delay), (30, secs(30 * 55)));
    assert_eq!((summary.most.to_one_domain, summary.most.outbound), (20, 30));
    let messages = summary.groups[0].messages;
    assert_eq!((messages.delivered, messages.delivering, messages.queued), (10, 20, 30));
}

#[test]
fn all_connections_together_have_a_limit_and_the_oldest_message_goes_first() {
    let mut spec = eager(Role::Edge);
    spec.server.max_outbound_connections = Limit::At(3);
    spec.server.max_per_domain_outbound_connections = Limit::At(2);
    let mut play = Play::new(spec);
    play.takes.remote = |_| Some(secs(10));
    // Domain of each message, in order.
    for (n, domain) in [0, 0, 0, 1, 0, 2, 1].into_iter().enumerate() {
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(n as u64), HONEST, to_domain(domain, 10)));
    }
    let told = play.until(secs(100));
    // 2 waits for its domain; 3 is the third connection. At 15 s all three end one after the other: the oldest that may
    // begin goes first.
    let expected = [(5, 0), (5, 1), (5, 3), (15, 2), (15, 4), (15, 5), (25, 6)];
    assert_eq!(begun(&told), expected.map(|(at, n)| (secs(at), n)));
    let summary = play.close(secs(100));
    // 2 and 4 are blamed on their domain, 5 and 6 on all together.
    assert_eq!(summary.held(Throttle::PerDomainOutbound).delayed, 2);
    assert_eq!(summary.held(Throttle::OutboundConnections).delayed, 2);
    assert_eq!(summary.held(Throttle::OutboundConnections).delay, secs(10 + 20));
    assert_eq!((summary.most.outbound, summary.most.to_one_domain), (3, 2));
}

#[test]
fn mailboxes_and_domains_do_not_share_a_limit() {
    let mut spec = eager(Role::Hub);
    spec.server.max_concurrent_mailbox_deliveries = 1;
    spec.server.max_outbound_connections = Limit::At(1);
    let mut play = Play::new(spec);
    for n in 0..2 {
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_mailbox(10)));
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(10 + n), HONEST, to_domain(0, 10)));
    }
    let expected = [(5, 0), (5, 10), (6, 1), (6, 11)].map(|(at, n)| (secs(at), n));
    assert_eq!(begun(&play.until(secs(60))), expected);
}

#[test]
fn a_silent_destination_is_cut_after_ten_minutes_and_tried_again() {
    let mut spec = eager(Role::Edge);
    spec.server.max_per_domain_outbound_connections = Limit::At(1);
    let mut play = Play::new(spec);
    play.takes.remote = |_| None;
    for n in 0..2 {
        play.at(Nanos::ZERO, Stimulus::File(Directory::Replay, MessageId(n), HONEST, to_domain(0, 10)));
    }
    let told = play.until(secs(1806));
    // The scan of 0 came before the files.
    let expected = [(5, 0), (605, 1), (1205, 0), (1805, 1)].map(|(at, n)| (secs(at), n));
    assert_eq!(begun(&told), expected);
    let cut = Effect::DeliveryCut { message: MessageId(0), again_at: secs(1205) };
    assert!(told.contains(&(secs(605), cut)));
    let first = What::FirstHeld { group: HONEST, by: Throttle::SendInactivity };
    assert_eq!(play.server.events().iter().filter(|entry| entry.what == first).count(), 1);
    let summary = play.close(secs(1806));
    assert_eq!(summary.held(Throttle::SendInactivity).deliveries_cut, 3);
    assert_eq!(summary.groups[0].messages.queued, 1);
}

#[test]
fn a_silent_destination_that_speaks_again_is_not_cut() {
    let mut play = Play::new(eager(Role::Edge));
    play.takes.remote = |_| None;
    play.at(Nanos::ZERO, Stimulus::File(Directory::Replay, MessageId(0), HONEST, to_domain(0, 10)));
    play.at(secs(10), Stimulus::DestinationIsSilent(MessageId(0)));
    play.at(secs(604), Stimulus::DeliveryEnds(MessageId(0), Outcome::Delivered));
    let summary = play.close(secs(2000));
    assert_eq!((summary.groups[0].messages.delivered, summary.held(Throttle::SendInactivity).deliveries_cut), (1, 0));
    assert_eq!(summary.groups[0].time_to_delivery, secs(604));
}

#[test]
fn deferred_messages_come_back_and_bounced_ones_are_gone() {
    let mut spec = eager(Role::Edge);
    spec.assumptions.retry_after = secs(100);
    let mut play = Play::new(spec);
    play.takes.remote = |_| Some(secs(50));
    for n in 0..2 {
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_domain(0, 10)));
    }
    // Before their time would be up.
    play.until(secs(10));
    let mut effects = Vec::new();
    play.server.tell(secs(10), Stimulus::DeliveryEnds(MessageId(0), Outcome::Deferred), &mut effects);
    play.server.tell(secs(10), Stimulus::DeliveryEnds(MessageId(1), Outcome::Bounced), &mut effects);
    assert_eq!(effects, []);
    let mut deadlines = Vec::new();
    while play.server.next_deadline() <= secs(110) {
        let now = play.server.next_deadline();
        play.server.tell(now, Stimulus::Time, &mut effects);
        deadlines.push(now);
    }
    assert!(deadlines.contains(&secs(110)));
    let begins = |effect: &Effect| matches!(effect, Effect::DeliveryBegins { message: MessageId(0), .. });
    assert_eq!(effects.iter().filter(|effect| begins(effect)).count(), 1);
    let summary = play.server.close_books(secs(111));
    let messages = summary.groups[0].messages;
    assert_eq!((messages.bounced, messages.delivering, messages.delivered), (1, 1, 0));
    assert!(summary.is_balanced());
}

#[test]
fn a_hundred_files_a_minute_of_each_directory() {
    // (fraction, taken after a minute of scans and after two).
    for (fraction, one, two) in [(Fraction::Carried, 100, 200), (Fraction::Lost, 96, 192), (Fraction::Whole, 108, 216)]
    {
        let mut spec = server(Role::Edge);
        spec.assumptions.pickup_fraction = fraction;
        let mut play = Play::new(spec);
        for n in 0..300 {
            play.at(secs(1), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_domain(n as u32, 10)));
            play.at(secs(1), Stimulus::File(Directory::Replay, MessageId(1000 + n), FLOOD, to_domain(n as u32, 10)));
        }
        for (until, taken) in [(60, one), (120, two - one)] {
            let told = play.until(secs(until));
            let (pickup, replay): (Vec<_>, Vec<_>) = queued(&told).into_iter().partition(|(_, n)| *n < 1000);
            assert_eq!((pickup.len(), replay.len()), (taken, taken), "{fraction:?} until {until} s");
        }
        let summary = play.close(secs(120));
        for (group, by) in [(HONEST, Throttle::Pickup), (FLOOD, Throttle::Replay)] {
            let figures = &summary.groups[usize::from(group.0)];
            // All but those of the first scan were found and left.
            let at_once = if fraction == Fraction::Whole { 9 } else { 8 };
            assert_eq!(figures.held(by).delayed, 300 - at_once);
            assert_eq!(figures.messages.waiting, 300 - two as u64);
        }
    }
}

#[test]
fn a_file_is_delayed_from_the_first_scan_that_leaves_it() {
    let mut spec = server(Role::Edge);
    spec.server.pickup_directory_max_messages_per_minute = 12;
    let mut play = Play::new(spec);
    // At 1 s, 2 s and 7 s; taken at 5 s, 10 s and 15 s.
    for (n, at) in [1, 2, 7].into_iter().enumerate() {
        play.at(secs(at), Stimulus::File(Directory::Pickup, MessageId(n as u64), HONEST, to_domain(0, 10)));
    }
    assert_eq!(queued(&play.until(secs(60))), [(secs(5), 0), (secs(10), 1), (secs(15), 2)]);
    let held = play.close(secs(60)).held(Throttle::Pickup);
    assert_eq!((held.delayed, held.delay), (2, secs(10)));
}

#[test]
fn thirty_submissions_at_once() {
    let mut play = Play::new(server(Role::Hub));
    play.takes.submission = Some(secs(2));
    play.takes.mailbox = None;
    for n in 0..70 {
        play.at(secs(1), Stimulus::Submits(MessageId(n), GroupId(3), to_domain(n as u32, 10)));
    }
    let told = play.until(secs(60));
    let expected: Vec<_> = (0..70).map(|n| (secs(1 + 2 + 2 * (n / 30)), n)).collect();
    assert_eq!(queued(&told), expected);
    let summary = play.close(secs(60));
    let held = summary.groups[3].held(Throttle::MailboxSubmissions);
    assert_eq!((held.delayed, held.delay), (40, secs(30 * 2 + 10 * 4)));
    assert_eq!(summary.most.submitting, 30);
}

#[test]
#[should_panic(expected = "an Edge server has no mailboxes")]
fn an_edge_server_delivers_to_no_mailbox() {
    let mut play = Play::new(eager(Role::Edge));
    play.at(Nanos::ZERO, Stimulus::File(Directory::Pickup, MessageId(0), HONEST, to_mailbox(10)));
    play.until(secs(5));
}

#[test]
fn curves_show_what_there_was() {
    let mut spec = eager(Role::Hub);
    spec.assumptions.sample_every = secs(10);
    let mut play = Play::new(spec);
    play.takes.mailbox = Some(secs(20));
    for n in 0..31 {
        play.at(secs(3), Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_mailbox(10)));
    }
    let summary = play.close(secs(30));
    let curve: Vec<_> = summary
        .samples
        .values()
        .iter()
        .map(|(at, load)| (*at, load.queued, load.to_mailboxes, load.delivered))
        .collect();
    let expected = [(0, 0, 0, 0), (10, 31, 30, 0), (20, 31, 30, 0), (30, 1, 1, 30)];
    assert_eq!(curve, expected.map(|(at, queued, busy, delivered)| (secs(at), queued, busy, delivered)));
}
