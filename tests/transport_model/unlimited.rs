//! Where everything is unlimited, nothing is refused, closed or delayed by a limit, whatever comes.

use atqsim::models::transport::spec::{Limit, Role, TransportSpec};
use atqsim::models::transport::{Directory, MessageId, Said, SessionId, Stimulus, Throttle};
use atqsim::time::Nanos;
use proptest::prelude::*;

use super::driver::{GIB, HONEST, Play, anonymous, secs, server, to_domain, to_mailbox};

fn unlimited() -> TransportSpec {
    let mut spec = server(Role::Hub);
    spec.server.max_concurrent_mailbox_deliveries = u32::MAX;
    spec.server.max_concurrent_mailbox_submissions = u32::MAX;
    spec.server.max_connection_rate_per_minute = u32::MAX;
    spec.server.max_outbound_connections = Limit::Unlimited;
    spec.server.max_per_domain_outbound_connections = Limit::Unlimited;
    spec.server.pickup_directory_max_messages_per_minute = u32::MAX;
    spec.receive.max_inbound_connection = Limit::Unlimited;
    spec.receive.max_inbound_connection_per_source = Limit::Unlimited;
    spec.receive.max_inbound_connection_percentage_per_source = 100;
    spec.receive.max_protocol_errors = Limit::Unlimited;
    spec.receive.tarpit_interval = Nanos::ZERO;
    spec.back_pressure.enabled = false;
    spec.machine.queue_drive_bytes = 1_000_000 * GIB;
    spec
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn unlimited_refuses_nobody(sources in 1..4u32, sessions in 1..2000u64, errors in 0..50u64, takes in 1..200u64) {
        let mut play = Play::new(unlimited());
        play.takes.mailbox = Some(secs(takes));
        play.takes.submission = Some(secs(takes));
        for session in 0..sessions {
            let at = Nanos::from_millis(session % 7);
            play.connects(at, session, anonymous(session as u32 % sources, HONEST));
            for _ in 0..errors {
                play.at(at, Stimulus::Says(SessionId(session), Said::ProtocolError));
                play.at(at, Stimulus::Says(SessionId(session), Said::UnknownRecipient));
            }
            play.at(at, Stimulus::Offers(SessionId(session), MessageId(session)));
            play.at(at, Stimulus::MessageEnds(SessionId(session), to_domain(0, 10)));
            play.at(at, Stimulus::File(Directory::Pickup, MessageId(10_000 + session), HONEST, to_mailbox(10)));
            play.at(at, Stimulus::Submits(MessageId(20_000 + session), HONEST, to_mailbox(10)));
        }
        let summary = play.close(secs(200));
        let figures = &summary.groups[0];
        for throttle in Throttle::ALL {
            prop_assert_eq!(*figures.held(throttle), Default::default(), "{:?}", throttle);
        }
        prop_assert_eq!((figures.connections.came, figures.connections.open), (sessions, sessions));
        prop_assert_eq!(figures.messages.came, 3 * sessions);
        prop_assert_eq!(u64::from(summary.most.connections), sessions);
        prop_assert!(summary.events.is_empty());
    }
}
