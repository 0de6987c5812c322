//! Back pressure on a whole server: a drive that fills, memory, version buckets, what each level lets through, what is
//! logged.

use atqsim::models::transport::events::{Kind, line};
use atqsim::models::transport::spec::{Freed, Role, TransportSpec, Version};
use atqsim::models::transport::{
    Caller, Directory, Effect, GroupId, Level, Marks, MessageId, Peer, Reading, Reply, Resource, Said, SessionId,
    SourceId, Stimulus, Throttle, Usage,
};
use atqsim::time::Nanos;

use super::driver::{GIB, HONEST, Play, anonymous, machine, secs, server, to_domain, to_mailbox};

const HUBS: GroupId = GroupId(1);
const OWN: GroupId = GroupId(2);

fn levels(told: &[(Nanos, Effect)]) -> Vec<(Nanos, Level)> {
    let of = |(at, effect): &(Nanos, Effect)| match effect {
        Effect::LevelChanged { to, .. } => Some((*at, *to)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

fn refused(told: &[(Nanos, Effect)]) -> Vec<(u64, Throttle)> {
    let of = |(_, effect): &(Nanos, Effect)| match effect {
        Effect::MessageRefused { message, by } => Some((message.0, *by)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

fn uses_percent(play: &mut Play, at: u64, percent: u64) {
    play.at(secs(at), Stimulus::Uses(Usage::QueueDrive(percent * GIB)));
}

#[test]
fn a_drive_that_fills_and_empties() {
    // 100 GB with service pack 1: Normal 95, Medium 97, High 99. (at, percent from then on).
    let mut play = Play::new(server(Role::Hub));
    for (at, percent) in [(1, 96), (3, 97), (5, 99), (7, 98), (9, 97), (11, 96), (13, 95), (15, 94), (17, 99), (18, 94)]
    {
        uses_percent(&mut play, at, percent);
    }
    let told = play.until(secs(40));
    let expected = [
        (secs(4), Level::Medium),
        (secs(6), Level::High),
        (secs(12), Level::Medium),
        (secs(16), Level::Normal),
        // What comes and goes in the moment of a look is told after it.
        (secs(18), Level::High),
        (secs(20), Level::Normal),
    ];
    assert_eq!(levels(&told), expected);
    let texts: Vec<_> = play.server.events().iter().map(|entry| (entry.id, entry.kind(), entry.text())).collect();
    let rest = "\nResources in normal state:\nVersion buckets = 0 [Normal] [Normal=80 Medium=120 High=200]\n\
                Private bytes = 2% [Normal] [Normal=71% Medium=73% High=75%]";
    let drive =
        |value, level| format!("Queue database and disk space = {value}% [{level}] [Normal=95% Medium=97% High=99%]");
    let under =
        |sentence: &str, value, level| format!("{sentence}\nResources under pressure:\n{}{rest}", drive(value, level));
    let rises = "Resource pressure increased from Normal to Medium.";
    assert_eq!(texts[0], (Some(15004), Kind::Warning, under(rises, 97, "Medium")));
    let rises = "Resource pressure increased from Medium to High.";
    assert_eq!(texts[1], (Some(15004), Kind::Error, under(rises, 99, "High")));
    let falls = "Resource pressure decreased from High to Medium.";
    assert_eq!(texts[2], (Some(15005), Kind::Information, under(falls, 96, "Medium")));
    let all_normal = rest.replacen("state:\n", &format!("state:\n{}\n", drive(94, "Normal")), 1);
    let text = format!("Resource pressure decreased from Medium to Normal.{all_normal}");
    assert_eq!(texts[3], (Some(15005), Kind::Information, text));
    assert_eq!(texts.len(), 6);
    assert!(play.server.events().iter().all(|entry| entry.source() == "MSExchangeTransport"));
    let summary = play.close(secs(40));
    assert_eq!(summary.time_at, [secs(4 + 2 + 20), secs(2 + 4), secs(6 + 2)]);
    assert_eq!(summary.times_reached, [2, 2, 2]);
}

#[test]
fn the_published_line_of_a_resource() {
    let marks = Marks { normal: 80, medium: 120, high: 200 };
    let reading = Reading { resource: Resource::VersionBuckets, value: 213, level: Level::High, marks };
    assert_eq!(line(&reading), "Version buckets = 213 [High] [Normal=80 Medium=120 High=200]");
}

#[test]
fn the_worst_resource_is_the_servers_level() {
    let mut spec = server(Role::Hub);
    spec.machine.log_drive_bytes = Some(100 * GIB);
    let mut play = Play::new(spec);
    // Log drive 94/96/98, buckets 80/120/200, private bytes 71/73/75 of 8 GB.
    play.at(secs(1), Stimulus::Uses(Usage::VersionBuckets(120)));
    play.at(secs(3), Stimulus::Uses(Usage::LogDrive(98 * GIB)));
    play.at(secs(5), Stimulus::Uses(Usage::VersionBuckets(0)));
    play.at(secs(7), Stimulus::Uses(Usage::LogDrive(0)));
    play.at(secs(9), Stimulus::Uses(Usage::PrivateBytes(6 * GIB)));
    play.at(secs(11), Stimulus::Uses(Usage::PrivateBytes(0)));
    let expected = [
        (secs(2), Level::Medium),
        (secs(4), Level::High),
        (secs(8), Level::Normal),
        (secs(10), Level::High),
        (secs(12), Level::Normal),
    ];
    assert_eq!(levels(&play.until(secs(20))), expected);
}

#[test]
fn the_version_without_service_pack_has_its_own_ids_and_keeps_4_gb_free() {
    let mut play = Play::new(TransportSpec::after_setup(Role::Edge, Version::Rtm, machine()));
    for (at, percent) in [(1, 94), (3, 96), (5, 91)] {
        uses_percent(&mut play, at, percent);
    }
    let told = play.until(secs(10));
    assert_eq!(levels(&told), [(secs(2), Level::Medium), (secs(4), Level::High), (secs(6), Level::Normal)]);
    let ids: Vec<_> = play.server.events().iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [Some(15002), Some(15001), Some(15003)]);
}

fn three_kinds() -> [(u64, Caller); 3] {
    let of = |n: u32, group, peer| Caller { source: SourceId(n), group, authenticated: peer == Peer::Hub, peer };
    [(0, of(0, HONEST, Peer::Other)), (1, of(1, HUBS, Peer::Hub)), (2, of(2, OWN, Peer::AuthoritativeDomain))]
}

#[test]
fn who_gets_through_at_which_level() {
    use Throttle::{HighPressure, MediumPressure};
    for (percent, by_kind) in
        [(90, [None, None, None]), (97, [Some(MediumPressure), None, None]), (99, [Some(HighPressure); 3])]
    {
        let mut play = Play::new(server(Role::Hub));
        for (session, caller) in three_kinds() {
            play.connects(Nanos::ZERO, session, caller);
            // New ones come later.
            play.connects(secs(3), 10 + session, caller);
            play.at(secs(3), Stimulus::Offers(SessionId(session), MessageId(session)));
            play.at(secs(3), Stimulus::Says(SessionId(session), Said::Good));
        }
        uses_percent(&mut play, 1, percent);
        let told = play.until(secs(3));
        for ((session, _), by) in three_kinds().into_iter().zip(by_kind) {
            let opened = told.contains(&(secs(3), Effect::Opened(SessionId(10 + session))));
            assert_eq!(opened, by.is_none(), "{percent} % and {session}");
            let message = MessageId(session);
            let Some(by) = by else { continue };
            assert!(told.contains(&(secs(3), Effect::MessageRefused { message, by })), "{percent} % and {session}");
            let reply = Reply::InsufficientResources;
            let refused = Effect::ConnectionRefused { session: SessionId(10 + session), by, reply };
            assert!(told.contains(&(secs(3), refused)), "{percent} % and {session}");
        }
        // Nobody's session is closed for it.
        assert!(!told.iter().any(|(_, effect)| matches!(effect, Effect::Closed { .. })));
        let is_refusal =
            |effect: &Effect| matches!(effect, Effect::Answered { reply: Reply::InsufficientResources, .. });
        let refusals = told.iter().filter(|(_, effect)| is_refusal(effect)).count();
        assert_eq!(refusals, by_kind.iter().flatten().count());
        let summary = play.close(secs(4));
        let high = summary.held(HighPressure);
        let expected = if percent == 99 { 3 } else { 0 };
        assert_eq!((high.connections_refused, high.messages_refused), (expected, expected));
    }
}

#[test]
fn at_high_nothing_is_taken_and_what_is_queued_is_delivered() {
    let mut spec = server(Role::Hub);
    spec.server.max_concurrent_mailbox_deliveries = 1;
    let mut play = Play::new(spec);
    play.takes.mailbox = Some(secs(10));
    for n in 0..3 {
        play.at(Nanos::ZERO, Stimulus::File(Directory::Pickup, MessageId(n), HONEST, to_mailbox(100)));
    }
    uses_percent(&mut play, 5, 99);
    // Told after the scan of 5 s, seen at 6 s, over at 31 s, seen at 32 s.
    uses_percent(&mut play, 31, 10);
    play.at(secs(7), Stimulus::File(Directory::Pickup, MessageId(10), HONEST, to_mailbox(100)));
    play.at(secs(7), Stimulus::File(Directory::Replay, MessageId(11), HONEST, to_mailbox(100)));
    play.at(secs(8), Stimulus::Submits(MessageId(12), OWN, to_mailbox(100)));
    let told = play.until(secs(100));
    let when = |wanted: fn(&Effect) -> Option<u64>| -> Vec<(u64, Nanos)> {
        told.iter().filter_map(|(at, effect)| wanted(effect).map(|message| (message, *at))).collect()
    };
    let queued = when(|effect| if let Effect::Queued(message) = effect { Some(message.0) } else { None });
    let expected = [(0, 5), (1, 5), (2, 5), (12, 33), (10, 35), (11, 35)].map(|(message, at)| (message, secs(at)));
    assert_eq!(queued, expected);
    let begun = when(|effect| if let Effect::DeliveryBegins { message, .. } = effect { Some(message.0) } else { None });
    let expected = [(0, 5), (1, 15), (2, 25), (12, 35), (10, 45), (11, 55)].map(|(message, at)| (message, secs(at)));
    assert_eq!(begun, expected);
    let summary = play.close(secs(100));
    // From the scan of 10 s to that of 35 s, twice; from 8 s to 32 s.
    let held = summary.groups[usize::from(HONEST.0)].held(Throttle::HighPressure);
    assert_eq!((held.delayed, held.delay), (2, secs(50)));
    let held = summary.groups[usize::from(OWN.0)].held(Throttle::HighPressure);
    assert_eq!((held.delayed, held.delay), (1, secs(24)));
}

#[test]
fn at_medium_pickup_goes_on_unless_assumed_otherwise() {
    for (stops_at, queued_at) in [(Level::High, 5), (Level::Medium, 15)] {
        let mut spec = server(Role::Edge);
        spec.assumptions.pickup_stops_at = stops_at;
        let mut play = Play::new(spec);
        uses_percent(&mut play, 0, 97);
        uses_percent(&mut play, 11, 10);
        play.at(secs(3), Stimulus::File(Directory::Replay, MessageId(1), HONEST, to_domain(1, 100)));
        let told = play.until(secs(60));
        assert!(told.contains(&(secs(queued_at), Effect::Queued(MessageId(1)))), "{told:?}");
        let held = play.close(secs(60)).held(Throttle::MediumPressure);
        let expected = if stops_at == Level::High { (0, Nanos::ZERO) } else { (1, secs(10)) };
        assert_eq!((held.delayed, held.delay), expected);
    }
}

#[test]
fn a_message_that_was_begun_before_the_level_rose() {
    for (finish, refusals) in [(true, vec![]), (false, vec![(1, Throttle::HighPressure), (2, Throttle::HighPressure)])]
    {
        let mut spec = server(Role::Hub);
        spec.assumptions.begun_messages_finish = finish;
        let mut play = Play::new(spec);
        play.takes.submission = Some(secs(6));
        play.connects(Nanos::ZERO, 0, anonymous(0, HONEST));
        play.at(secs(1), Stimulus::Offers(SessionId(0), MessageId(1)));
        play.at(secs(1), Stimulus::Submits(MessageId(2), OWN, to_mailbox(100)));
        uses_percent(&mut play, 3, 99);
        play.at(secs(5), Stimulus::MessageEnds(SessionId(0), to_domain(1, 100)));
        let told = play.until(secs(10));
        assert_eq!(refused(&told), refusals);
        assert_eq!(play.close(secs(20)).groups[usize::from(OWN.0)].messages.delivered, u64::from(finish));
    }
}

#[test]
fn a_full_drive_takes_nothing_whatever_the_level() {
    let mut spec = server(Role::Edge);
    spec.back_pressure.enabled = false;
    spec.machine.queue_drive_bytes = 10_000;
    spec.assumptions.database_bytes_per_message = 1000;
    let mut play = Play::new(spec);
    play.takes.remote = |_| Some(secs(100));
    play.at(Nanos::ZERO, Stimulus::Uses(Usage::QueueDrive(5000)));
    play.connects(Nanos::ZERO, 0, anonymous(0, HONEST));
    for (n, bytes) in [(1, 3000), (2, 1), (3, 0), (4, 0)] {
        play.at(secs(n), Stimulus::Offers(SessionId(0), MessageId(n)));
        if n < 4 {
            play.at(secs(n), Stimulus::MessageEnds(SessionId(0), to_domain(1, bytes)));
        }
    }
    // A file that does not fit waits until one is delivered, and so do those behind it.
    play.at(secs(5), Stimulus::File(Directory::Pickup, MessageId(5), HONEST, to_domain(2, 2000)));
    play.at(secs(5), Stimulus::File(Directory::Pickup, MessageId(6), HONEST, to_domain(2, 0)));
    let told = play.until(secs(120));
    assert_eq!(refused(&told), [(2, Throttle::DriveFull), (4, Throttle::DriveFull)]);
    let is_refusal = |effect: &Effect| matches!(effect, Effect::Answered { reply: Reply::InsufficientResources, .. });
    assert_eq!(told.iter().filter(|(_, effect)| is_refusal(effect)).count(), 2);
    let queued: Vec<_> = told.iter().filter(|(_, effect)| matches!(effect, Effect::Queued(_))).collect();
    // The first is gone at 101 s; 4000 bytes are free, 3000 of them for the file.
    let at = |s: u64, message| (secs(s), Effect::Queued(MessageId(message)));
    assert_eq!(queued, [&at(1, 1), &at(3, 3), &at(105, 5), &at(105, 6)]);
    assert_eq!(levels(&told), []);
    let summary = play.close(secs(120));
    let held = summary.held(Throttle::DriveFull);
    // Found at 10 s (that of 5 s came before them).
    assert_eq!((held.messages_refused, held.delayed, held.delay), (2, 2, secs(190)));
    assert_eq!(summary.most.queue_drive_percent, 100);
}

#[test]
fn what_messages_leave_behind_goes_to_the_drive_or_stays_in_the_file() {
    for (freed, after) in [(Freed::ToTheDrive, 10), (Freed::StaysInTheFile, 60)] {
        let mut spec = server(Role::Edge);
        spec.assumptions.freed = freed;
        spec.assumptions.database_bytes_per_message = 0;
        let mut play = Play::new(spec);
        uses_percent(&mut play, 0, 10);
        play.at(secs(1), Stimulus::File(Directory::Pickup, MessageId(1), HONEST, to_domain(1, 50 * GIB)));
        // There is room in the file, if not on the drive.
        play.at(secs(11), Stimulus::File(Directory::Pickup, MessageId(2), HONEST, to_domain(1, 45 * GIB)));
        play.until(secs(5));
        assert_eq!(play.server.load().queue_drive_percent, 60);
        play.until(secs(10));
        assert_eq!(play.server.load().queue_drive_percent, after, "{freed:?}");
        play.until(secs(15));
        assert_eq!(play.server.load().queue_drive_percent, if after == 10 { 55 } else { 60 });
        assert_eq!(play.close(secs(20)).groups[0].messages.delivered, 2);
    }
}

#[test]
fn queued_mail_fills_the_drive_and_its_delivery_empties_it() {
    // 5 GB with service pack 1: 100 * (5120 - 500) / 5120 = 90.
    let mut spec = server(Role::Edge);
    spec.machine.queue_drive_bytes = 5 * GIB;
    spec.assumptions.database_bytes_per_message = 0;
    let mut play = Play::new(spec);
    play.takes.remote = |_| Some(secs(100));
    play.connects(Nanos::ZERO, 0, anonymous(0, HONEST));
    for n in 0..50 {
        play.at(secs(1), Stimulus::Offers(SessionId(0), MessageId(n)));
        play.at(secs(1), Stimulus::MessageEnds(SessionId(0), to_domain(n as u32, 5 * GIB / 50)));
    }
    let told = play.until(secs(200));
    assert_eq!(levels(&told), [(secs(2), Level::High), (secs(102), Level::Normal)]);
    let summary = play.close(secs(200));
    assert_eq!((summary.most.queue_drive_percent, summary.groups[0].messages.delivered), (99, 50));
}

#[test]
fn connections_and_messages_take_private_bytes_until_messages_are_dehydrated() {
    let mut spec = server(Role::Edge);
    let own = &mut spec.assumptions;
    own.base_private_bytes = GIB / 2;
    own.private_bytes_per_connection = GIB / 4;
    own.private_bytes_per_message = 5 * GIB;
    own.pickup_stops_at = Level::Medium;
    let mut play = Play::new(spec);
    play.takes.remote = |_| Some(secs(20));
    // 1 of 8 GB for itself and two connections, 5 for the message: 75 %; with 1.5 GB of others 93, with 2 GB 100.
    for session in 0..2 {
        play.connects(Nanos::ZERO, session, anonymous(session as u32, HONEST));
    }
    play.at(Nanos::ZERO, Stimulus::Uses(Usage::OtherProcesses(GIB * 3 / 2)));
    play.at(Nanos::ZERO, Stimulus::File(Directory::Pickup, MessageId(1), HONEST, to_domain(1, 10)));
    play.at(secs(9), Stimulus::Uses(Usage::OtherProcesses(2 * GIB)));
    play.at(secs(15), Stimulus::Uses(Usage::OtherProcesses(0)));
    let told = play.until(secs(40));
    let dehydrates: Vec<_> = told
        .iter()
        .filter_map(|(at, effect)| if let Effect::Dehydrates(is) = effect { Some((*at, *is)) } else { None })
        .collect();
    assert_eq!(dehydrates, [(secs(10), true), (secs(16), false)]);
    let expected = [
        (secs(6), Level::High),
        (secs(10), Level::Normal),
        (secs(16), Level::High),
        // Delivered at 25 s.
        (secs(26), Level::Normal),
    ];
    assert_eq!(levels(&told), expected);
    let own: Vec<_> = play.server.events().iter().filter(|entry| entry.id.is_none()).collect();
    assert_eq!(own.len(), 2);
    assert!(own[0].text().contains("dehydrated") && own[0].source() == "atqsim");
    assert_eq!(play.close(secs(40)).dehydrated, secs(6));
}

#[test]
fn messages_are_dehydrated_from_94_percent_on() {
    for (percent, dehydrates) in [(93, false), (94, true), (200, true)] {
        let mut spec = server(Role::Edge);
        spec.machine.memory_bytes = 100 * GIB;
        spec.assumptions.base_private_bytes = 0;
        let mut play = Play::new(spec);
        play.at(Nanos::ZERO, Stimulus::Uses(Usage::OtherProcesses(percent * GIB)));
        let told = play.until(secs(3));
        assert_eq!(told.contains(&(secs(2), Effect::Dehydrates(true))), dehydrates, "{percent}");
    }
    let mut spec = server(Role::Edge);
    spec.back_pressure.dehydration_percent = 101;
    let mut play = Play::new(spec);
    play.at(Nanos::ZERO, Stimulus::Uses(Usage::OtherProcesses(u64::MAX)));
    assert_eq!(play.until(secs(3)), [], "101 is never");
}

#[test]
fn without_monitoring_there_is_no_pressure() {
    let mut spec = server(Role::Hub);
    spec.back_pressure.enabled = false;
    let mut play = Play::new(spec);
    uses_percent(&mut play, 0, 99);
    play.at(Nanos::ZERO, Stimulus::Uses(Usage::VersionBuckets(10_000)));
    play.connects(secs(10), 0, anonymous(0, HONEST));
    let told = play.until(secs(100));
    assert_eq!(told, [(secs(10), Effect::Opened(SessionId(0)))]);
    assert_eq!(play.close(secs(100)).time_at, [secs(100), Nanos::ZERO, Nanos::ZERO]);
}
