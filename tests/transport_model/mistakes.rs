//! All mistakes of a description at once.

use atqsim::models::transport::spec::{Fraction, Limit, Machine, Role, TransportSpec, Version};
use atqsim::models::transport::{Level, Marks};
use atqsim::time::Nanos;

use super::driver::{GIB, machine, secs, server};

#[test]
fn the_connection_timeout_must_be_larger_than_the_inactivity_one() {
    for role in [Role::Hub, Role::Edge] {
        let mut spec = server(role);
        spec.receive.connection_timeout = spec.receive.connection_inactivity_timeout;
        let mistakes = spec.check();
        assert_eq!(mistakes.len(), 1);
        assert_eq!(mistakes[0].setting, "ConnectionTimeout");
        spec.receive.connection_timeout += Nanos(1);
        assert_eq!(spec.check(), []);
    }
    let mut spec = server(Role::Hub);
    spec.receive.connection_timeout = secs(60);
    assert_eq!(
        spec.check()[0].to_string(),
        "ConnectionTimeout is 1 min 00 s and must be larger than ConnectionInactivityTimeout, which is 5 min 00 s; \
         raise the one or lower the other"
    );
}

#[test]
fn all_mistakes_are_found_at_once() {
    let mut spec = server(Role::Hub);
    spec.server.max_concurrent_mailbox_deliveries = 0;
    spec.server.max_concurrent_mailbox_submissions = 0;
    spec.server.max_connection_rate_per_minute = 0;
    spec.server.pickup_directory_max_messages_per_minute = 11;
    spec.assumptions.pickup_fraction = Fraction::Lost;
    spec.server.max_outbound_connections = Limit::At(0);
    spec.server.max_per_domain_outbound_connections = Limit::At(0);
    spec.receive.max_inbound_connection = Limit::At(0);
    spec.receive.max_inbound_connection_per_source = Limit::At(0);
    spec.receive.max_inbound_connection_percentage_per_source = 101;
    // None are allowed: that is a setting.
    spec.receive.max_protocol_errors = Limit::At(0);
    spec.send.connection_inactivity_time_out = Nanos::ZERO;
    spec.receive.connection_inactivity_timeout = Nanos::ZERO;
    spec.back_pressure.resource_monitoring_interval = Nanos::ZERO;
    spec.back_pressure.dehydration_percent = 0;
    spec.back_pressure.version_buckets = Marks { normal: 80, medium: 80, high: 200 };
    spec.back_pressure.private_bytes = Some(Marks { normal: 71, medium: 73, high: 101 });
    spec.machine.queue_drive_bytes = GIB / 2;
    spec.machine.log_drive_bytes = Some(0);
    spec.assumptions.retry_after = Nanos::ZERO;
    spec.assumptions.most_held = 0;
    spec.assumptions.pickup_stops_at = Level::Normal;
    let settings: Vec<_> = spec.check().iter().map(|mistake| mistake.setting).collect();
    let expected = [
        "MaxConcurrentMailboxDeliveries",
        "MaxConcurrentMailboxSubmissions",
        "MaxConnectionRatePerMinute",
        "MaxOutboundConnections",
        "MaxPerDomainOutboundConnections",
        "MaxInboundConnection",
        "MaxInboundConnectionPerSource",
        "PickupDirectoryMaxMessagesPerMinute",
        "MaxInboundConnectionPercentagePerSource",
        "ConnectionInactivityTimeOut",
        "ConnectionInactivityTimeout",
        "ResourceMonitoringInterval",
        "dehydration_percent",
        "log_drive_bytes",
        // Half a GB has its 500 MB free only at 2 %: there is no Normal below that.
        "Queue database and disk space",
        "Queue database logging disk space",
        "Version buckets",
        "Private bytes",
        "retry_after",
        "pickup_stops_at",
        "most_held",
    ];
    assert_eq!(settings, expected);
    // Marks matter only where somebody looks.
    spec.back_pressure.enabled = false;
    assert_eq!(spec.check().len(), expected.len() - 4);
}

#[test]
fn a_drive_must_be_larger_than_what_the_formula_keeps_free() {
    // Without a service pack 4 GB: at 4.25 GB High is 5 and Normal 1, at 4.2 GB High is 4 and there is no Normal.
    for (mib, mistakes) in [(4352, 0), (4300, 1), (4096, 1), (100, 1)] {
        let machine = Machine { queue_drive_bytes: mib << 20, ..machine() };
        let spec = TransportSpec::after_setup(Role::Edge, Version::Rtm, machine);
        assert_eq!(spec.check().len(), mistakes, "{mib} MB: {:?}", spec.check());
    }
}

#[test]
fn marks_rise_and_percent_end_at_100() {
    // (Normal, Medium, High, whether it is right).
    let table =
        [(1, 2, 3, true), (1, 2, 100, true), (1, 2, 101, false), (0, 1, 2, false), (1, 1, 2, false), (1, 2, 2, false)];
    for (normal, medium, high, is_right) in table {
        let mut spec = server(Role::Hub);
        spec.back_pressure.queue_drive = Some(Marks { normal, medium, high });
        assert_eq!(spec.check().is_empty(), is_right, "{normal} {medium} {high}");
    }
}

#[test]
#[should_panic(expected = "MaxConnectionRatePerMinute")]
fn a_mistaken_description_makes_no_server() {
    let mut spec = server(Role::Hub);
    spec.server.max_connection_rate_per_minute = 0;
    let _ = super::driver::Play::new(spec);
}
