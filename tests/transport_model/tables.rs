//! The published numbers, each once.

use atqsim::models::transport::pickup::{Allowance, SCAN_EVERY, SCANS_PER_MINUTE};
use atqsim::models::transport::pressure::{high_of_drive, high_of_private_bytes, queue_drive_keeps_free};
use atqsim::models::transport::spec::{
    Assumptions, BackPressure, Fraction, HighEnds, Limit, Over, ReceiveConnector, Role, Rounding, SendConnector,
    ServerOptions, TransportSpec, Version,
};
use atqsim::models::transport::{Level, Marks, Peer, Reply, Resource, Throttle};

use super::driver::{GIB, machine, secs, server};

#[test]
fn defaults_of_the_throttling_page() {
    let options = ServerOptions::default();
    assert_eq!(options.max_concurrent_mailbox_deliveries, 30);
    assert_eq!(options.max_concurrent_mailbox_submissions, 30);
    assert_eq!(options.max_connection_rate_per_minute, 1200);
    assert_eq!(options.max_outbound_connections, Limit::At(1000));
    assert_eq!(options.max_per_domain_outbound_connections, Limit::At(20));
    assert_eq!(options.pickup_directory_max_messages_per_minute, 100);
    assert_eq!(SendConnector::default().connection_inactivity_time_out, secs(10 * 60));
    for (role, inactivity, whole) in [(Role::Hub, 5, 10), (Role::Edge, 1, 5)] {
        let receive = ReceiveConnector::of(role);
        assert_eq!(receive.connection_inactivity_timeout, secs(60 * inactivity));
        assert_eq!(receive.connection_timeout, secs(60 * whole));
        assert_eq!(receive.max_inbound_connection, Limit::At(5000));
        assert_eq!(receive.max_inbound_connection_percentage_per_source, 2);
        assert_eq!(receive.max_inbound_connection_per_source, Limit::At(100));
        assert_eq!(receive.max_protocol_errors, Limit::At(5));
        assert_eq!(receive.tarpit_interval, secs(5));
        assert_eq!(server(role).check(), []);
    }
    assert_eq!((SCAN_EVERY, SCANS_PER_MINUTE), (secs(5), 12));
}

#[test]
fn the_share_of_a_source_shrinks_with_the_connections_that_remain() {
    // Of 5,000: (open, rounded down, rounded up).
    let table = [
        (0, 100, 100),
        (4000, 20, 20),
        (1, 99, 100),
        (50, 99, 99),
        (4950, 1, 1),
        (4951, 0, 1),
        (4999, 0, 1),
        (5000, 0, 0),
        (6000, 0, 0),
    ];
    let receive = ReceiveConnector::of(Role::Hub);
    for (open, down, up) in table {
        assert_eq!(receive.share_of_remaining(open, Rounding::Down), Some(down), "{open} open");
        assert_eq!(receive.share_of_remaining(open, Rounding::Up), Some(up), "{open} open");
    }
    let unlimited = ReceiveConnector { max_inbound_connection: Limit::Unlimited, ..receive };
    assert_eq!(unlimited.share_of_remaining(1_000_000, Rounding::Up), None);
}

#[test]
fn a_scan_takes_a_twelfth() {
    let a_minute = |per_minute, fraction| {
        let mut allowance = Allowance::new(per_minute, fraction);
        (0..SCANS_PER_MINUTE).map(|_| allowance.next_scan()).collect::<Vec<_>>()
    };
    let carried = a_minute(100, Fraction::Carried);
    assert_eq!(carried, [8, 8, 9, 8, 8, 9, 8, 8, 9, 8, 8, 9]);
    // (a minute, fraction, together).
    let table = [
        (100, Fraction::Carried, 100),
        (100, Fraction::Lost, 96),
        (100, Fraction::Whole, 108),
        (1, Fraction::Carried, 1),
        (1, Fraction::Lost, 0),
        (1, Fraction::Whole, 12),
        (120, Fraction::Carried, 120),
        (120, Fraction::Lost, 120),
        (120, Fraction::Whole, 120),
    ];
    for (per_minute, fraction, together) in table {
        assert_eq!(a_minute(per_minute, fraction).iter().sum::<u32>(), together, "{per_minute} {fraction:?}");
    }
}

#[test]
fn marks_of_drives_and_memory() {
    assert_eq!(queue_drive_keeps_free(Version::Rtm), 4 * GIB);
    assert_eq!(queue_drive_keeps_free(Version::Sp1), 500 << 20);
    // (version, GB, High, Medium, Normal), worked out by hand.
    let drives = [
        (Version::Rtm, 100, 96, 94, 92),
        (Version::Rtm, 40, 90, 88, 86),
        (Version::Rtm, 30, 86, 84, 82),
        (Version::Sp1, 100, 99, 97, 95),
        (Version::Sp1, 40, 98, 96, 94),
        (Version::Sp1, 10, 95, 93, 91),
    ];
    for (version, size, high, medium, normal) in drives {
        let mut machine = machine();
        machine.queue_drive_bytes = size * GIB;
        let spec = TransportSpec::after_setup(Role::Hub, version, machine);
        assert_eq!(spec.marks(Resource::QueueDrive), Some(Marks { normal, medium, high }), "{version:?} {size} GB");
    }
    assert_eq!(high_of_drive(4 * GIB, 4 * GIB), 0);
    // 75 %, and 1 TB where that is less.
    for (memory_gib, high) in [(1, 75), (64, 75), (1365, 75), (1536, 66), (2048, 50)] {
        assert_eq!(high_of_private_bytes(memory_gib * GIB), high, "{memory_gib} GB");
    }
    let spec = server(Role::Hub);
    assert_eq!(spec.marks(Resource::PrivateBytes), Some(Marks { normal: 71, medium: 73, high: 75 }));
    assert_eq!(spec.marks(Resource::VersionBuckets), Some(Marks { normal: 80, medium: 120, high: 200 }));
    assert_eq!(spec.marks(Resource::LogDrive), None);
    let pressure = BackPressure::default();
    assert_eq!((pressure.resource_monitoring_interval, pressure.dehydration_percent), (secs(2), 94));
    // Stated marks go before formulas.
    let stated = Marks { normal: 10, medium: 20, high: 30 };
    let mut spec = server(Role::Edge);
    spec.machine.log_drive_bytes = Some(100 * GIB);
    assert_eq!(spec.marks(Resource::LogDrive), Some(Marks { normal: 94, medium: 96, high: 98 }));
    spec.back_pressure.queue_drive = Some(stated);
    spec.back_pressure.log_drive = Some(stated);
    spec.back_pressure.private_bytes = Some(stated);
    for resource in [Resource::QueueDrive, Resource::LogDrive, Resource::PrivateBytes] {
        assert_eq!(spec.marks(resource), Some(stated));
    }
}

#[test]
fn a_level_goes_up_at_its_mark_and_down_below_the_next_lower_one() {
    use Level::{High, Medium, Normal};
    let marks = Marks { normal: 80, medium: 120, high: 200 };
    // (value, from Normal, from Medium, from High).
    let table = [
        (0, Normal, Normal, Normal),
        (79, Normal, Normal, Normal),
        (80, Normal, Medium, Medium),
        (119, Normal, Medium, Medium),
        (120, Medium, Medium, High),
        (199, Medium, Medium, High),
        (200, High, High, High),
        (213, High, High, High),
    ];
    let own = Assumptions::default();
    for (value, normal, medium, high) in table {
        let levels = [Normal, Medium, High].map(|was| marks.level(value, was, &own));
        assert_eq!(levels, [normal, medium, high], "{value}");
        // Over a mark only above it: everything one further.
        let above = Assumptions { over: Over::Above, ..own.clone() };
        let levels = [Normal, Medium, High].map(|was| marks.level(value + 1, was, &above));
        assert_eq!(levels, [normal, medium, high], "{value} + 1");
        // High ends below itself: then it is as if it had been Medium.
        let at_once = Assumptions { high_ends: HighEnds::BelowHigh, ..own.clone() };
        assert_eq!(marks.level(value, High, &at_once), medium, "{value}");
    }
}

#[test]
fn who_is_refused_at_which_level() {
    let table = [
        (Peer::Hub, [None, None, Some(Throttle::HighPressure)]),
        (Peer::AuthoritativeDomain, [None, None, Some(Throttle::HighPressure)]),
        (Peer::Other, [None, Some(Throttle::MediumPressure), Some(Throttle::HighPressure)]),
    ];
    for (peer, expected) in table {
        assert_eq!(Level::ALL.map(|level| peer.refused_at(level)), expected, "{peer:?}");
    }
    for by in [Throttle::MediumPressure, Throttle::HighPressure, Throttle::DriveFull] {
        assert_eq!(Reply::of(by).line(), "452 4.3.1 Insufficient system resources");
    }
}

#[test]
fn every_throttle_is_at_its_place_and_the_options_have_their_spelling() {
    for (at, throttle) in Throttle::ALL.into_iter().enumerate() {
        assert_eq!(throttle.index(), at, "{throttle:?}");
        assert!(Throttle::ALL.iter().filter(|other| other.name() == throttle.name()).count() == 1);
    }
    let options: Vec<_> = Throttle::ALL.into_iter().filter_map(Throttle::option).collect();
    let expected = [
        "MaxConnectionRatePerMinute",
        "MaxInboundConnection",
        "MaxInboundConnectionPerSource",
        "MaxInboundConnectionPercentagePerSource",
        "ConnectionInactivityTimeout",
        "ConnectionTimeout",
        "MaxProtocolErrors",
        "TarpitInterval",
        "MaxConcurrentMailboxSubmissions",
        "PickupDirectoryMaxMessagesPerMinute",
        "PickupDirectoryMaxMessagesPerMinute",
        "MaxConcurrentMailboxDeliveries",
        "MaxOutboundConnections",
        "MaxPerDomainOutboundConnections",
        "ConnectionInactivityTimeOut",
    ];
    assert_eq!(options, expected);
}
