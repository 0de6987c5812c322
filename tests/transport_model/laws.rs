//! Laws that hold whatever happens: limits, ledgers, levels.

use std::sync::Arc;

use atqsim::models::transport::spec::{
    Assumptions, Freed, Limit, Machine, OverRate, PerSource, Role, Rounding, TransportSpec, Version,
};
use atqsim::models::transport::{
    Caller, Directory, Effect, GroupId, Level, Mail, Marks, MessageId, Outcome, Peer, Said, SessionId, SourceId,
    Stimulus, Transport, Usage,
};
use atqsim::time::Nanos;
use proptest::prelude::*;

use super::books::{Books, Fate, Line};
use super::driver::{secs, to_domain, to_mailbox};

const DRIVE: u64 = 100_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// From a source, authenticated or not, as a peer.
    Connects(u32, bool, Peer),
    /// The open session at this place.
    Says(usize, Said),
    Offers(usize),
    Ends(usize, Mail),
    IsSilent(usize),
    /// The open or waiting session at this place.
    Quits(usize),
    File(Directory, Mail),
    Submits(Mail),
    /// The submission or delivery at this place.
    Submitted(usize),
    Delivered(usize, Outcome),
    DestinationIsSilent(usize),
    Uses(Usage),
    Wait(u64),
}

fn mail() -> impl Strategy<Value = Mail> {
    (0..4u32, 0..3000u64).prop_map(|(to, bytes)| if to == 0 { to_mailbox(bytes) } else { to_domain(to, bytes) })
}

fn usage() -> impl Strategy<Value = Usage> {
    prop_oneof![
        3 => (0..DRIVE).prop_map(Usage::QueueDrive),
        1 => (0..300u32).prop_map(Usage::VersionBuckets),
        1 => (0..80u64).prop_map(|percent| Usage::PrivateBytes(percent << 23)),
        1 => (0..100u64).prop_map(|percent| Usage::OtherProcesses(percent << 23)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let peer = prop_oneof![2 => Just(Peer::Other), 1 => Just(Peer::Hub), 1 => Just(Peer::AuthoritativeDomain)];
    let said = prop_oneof![
        Just(Said::Good),
        Just(Said::UnknownRecipient),
        Just(Said::ProtocolError),
        Just(Said::Data),
        Just(Said::Reset)
    ];
    let outcome = prop_oneof![4 => Just(Outcome::Delivered), 1 => Just(Outcome::Bounced), 1 => Just(Outcome::Deferred)];
    let directory = prop_oneof![Just(Directory::Pickup), Just(Directory::Replay)];
    let place = any::<usize>;
    prop_oneof![
        6 => (0..5u32, any::<bool>(), peer).prop_map(|(source, known, peer)| Step::Connects(source, known, peer)),
        5 => (place(), said).prop_map(|(place, said)| Step::Says(place, said)),
        6 => place().prop_map(Step::Offers),
        6 => (place(), mail()).prop_map(|(place, mail)| Step::Ends(place, mail)),
        1 => place().prop_map(Step::IsSilent),
        2 => place().prop_map(Step::Quits),
        3 => (directory, mail()).prop_map(|(directory, mail)| Step::File(directory, mail)),
        3 => mail().prop_map(Step::Submits),
        3 => place().prop_map(Step::Submitted),
        8 => (place(), outcome).prop_map(|(place, outcome)| Step::Delivered(place, outcome)),
        1 => place().prop_map(Step::DestinationIsSilent),
        2 => usage().prop_map(Step::Uses),
        6 => (0..9000u64).prop_map(Step::Wait),
    ]
}

fn limit(values: std::ops::Range<u32>) -> impl Strategy<Value = Limit> {
    prop_oneof![1 => Just(Limit::Unlimited), 4 => values.prop_map(Limit::At)]
}

/// A small server, so that everything is reached.
fn spec() -> impl Strategy<Value = TransportSpec> {
    let numbers = (1..4u32, 1..4u32, 2..9u32, limit(1..4), limit(1..3), 5..40u32);
    let receive = (limit(1..9), limit(1..4), 20..101u32, limit(0..4));
    let choices = (any::<[bool; 6]>(), 0..3u8);
    (numbers, receive, choices).prop_map(|(numbers, receive, (flags, per_source))| {
        let machine = Machine { queue_drive_bytes: DRIVE, log_drive_bytes: None, memory_bytes: 100 << 23 };
        let mut spec = TransportSpec::after_setup(Role::Hub, Version::Sp1, machine);
        let options = &mut spec.server;
        options.max_concurrent_mailbox_deliveries = numbers.0;
        options.max_concurrent_mailbox_submissions = numbers.1;
        options.max_connection_rate_per_minute = numbers.2;
        options.max_outbound_connections = numbers.3;
        options.max_per_domain_outbound_connections = numbers.4;
        options.pickup_directory_max_messages_per_minute = numbers.5;
        spec.send.connection_inactivity_time_out = secs(20);
        spec.receive.connection_inactivity_timeout = secs(15);
        spec.receive.connection_timeout = secs(40);
        spec.receive.max_inbound_connection = receive.0;
        spec.receive.max_inbound_connection_per_source = receive.1;
        spec.receive.max_inbound_connection_percentage_per_source = receive.2;
        spec.receive.max_protocol_errors = receive.3;
        spec.back_pressure.queue_drive = Some(Marks { normal: 40, medium: 60, high: 80 });
        spec.assumptions = Assumptions {
            over_rate: if flags[0] { OverRate::Waits } else { OverRate::Refused },
            share_rounding: if flags[1] { Rounding::Up } else { Rounding::Down },
            begun_messages_finish: flags[2],
            freed: if flags[3] { Freed::ToTheDrive } else { Freed::StaysInTheFile },
            pickup_stops_at: if flags[4] { Level::High } else { Level::Medium },
            unknown_recipient_is_error: flags[5],
            per_source: [PerSource::Both, PerSource::CountOnly, PerSource::PercentageOnly][usize::from(per_source)],
            base_private_bytes: 0,
            private_bytes_per_message: 1 << 23,
            database_bytes_per_message: 1000,
            retry_after: secs(10),
            sample_every: secs(7),
            ..Assumptions::default()
        };
        spec
    })
}

struct World {
    server: Transport,
    books: Books,
    now: Nanos,
    next: u64,
}

impl World {
    fn tell(&mut self, what: Stimulus) {
        let mut effects: Vec<Effect> = Vec::new();
        self.server.tell(self.now, what, &mut effects);
        for effect in effects {
            self.books.follow(self.now, effect, &self.server);
        }
        self.books.check(self.now, &self.server, what == Stimulus::Time);
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn session(&self, place: usize, is_one: impl Fn(Line) -> bool) -> Option<SessionId> {
        let those: Vec<_> = self.books.sessions.iter().filter(|(_, of)| is_one(of.line)).map(|(id, _)| *id).collect();
        those.get(place.checked_rem(those.len())?).copied()
    }

    fn message(&self, place: usize, fate: Fate) -> Option<MessageId> {
        let those: Vec<_> = self.books.messages.iter().filter(|(_, of)| of.fate == fate).map(|(id, _)| *id).collect();
        those.get(place.checked_rem(those.len())?).copied()
    }

    /// A session that has, or has not, begun a message.
    fn offering(&self, place: usize, offers: bool) -> Option<SessionId> {
        let those: Vec<_> = self
            .books
            .sessions
            .iter()
            .filter(|(_, of)| of.line == Line::Open && of.offers.is_some() == offers)
            .map(|(id, _)| *id)
            .collect();
        those.get(place.checked_rem(those.len())?).copied()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Connects(source, authenticated, peer) => {
                let group = GroupId((source % 3) as u16);
                let caller = Caller { source: SourceId(source), group, authenticated, peer };
                let session = SessionId(self.number());
                self.books.connects(session, caller);
                self.tell(Stimulus::Connects { session, caller });
            }
            Step::Wait(ms) => {
                let until = self.now + Nanos::from_millis(ms);
                while self.server.next_deadline() <= until {
                    self.now = self.server.next_deadline();
                    self.tell(Stimulus::Time);
                }
                self.now = until;
            }
            Step::Uses(usage) => {
                self.books.uses(usage);
                self.tell(Stimulus::Uses(usage));
            }
            Step::File(directory, mail) => {
                let (message, group) = (MessageId(self.number()), GroupId(3));
                self.books.comes(message, group, mail, Fate::File(directory));
                self.tell(Stimulus::File(directory, message, group, mail));
            }
            Step::Submits(mail) => {
                let (message, group) = (MessageId(self.number()), GroupId(4));
                self.books.comes(message, group, mail, Fate::Submitted);
                self.tell(Stimulus::Submits(message, group, mail));
            }
            _ => {
                self.step_of_one(step);
            }
        }
    }

    /// A step of something that there may be.
    fn step_of_one(&mut self, step: Step) -> Option<()> {
        let is_open = |line| line == Line::Open;
        match step {
            Step::Says(place, said) => {
                let session = match said {
                    Said::Data => self.offering(place, true)?,
                    _ => self.session(place, is_open)?,
                };
                self.tell(Stimulus::Says(session, said));
            }
            Step::Offers(place) => {
                let session = self.offering(place, false)?;
                let message = MessageId(self.number());
                let of = self.books.sessions.get_mut(&session)?;
                of.offers = Some(message);
                let group = of.caller.group;
                self.books.comes(message, group, to_domain(0, 0), Fate::Coming);
                self.tell(Stimulus::Offers(session, message));
            }
            Step::Ends(place, mail) => {
                let session = self.offering(place, true)?;
                let message = self.books.sessions.get_mut(&session)?.offers.take()?;
                self.books.messages.get_mut(&message)?.mail = mail;
                self.tell(Stimulus::MessageEnds(session, mail));
            }
            Step::IsSilent(place) => {
                let session = self.session(place, is_open)?;
                self.tell(Stimulus::IsSilent(session));
            }
            Step::Quits(place) => {
                let session = self.session(place, |line| matches!(line, Line::Open | Line::Waits))?;
                self.books.quits(session);
                self.tell(Stimulus::Quits(session));
            }
            Step::Submitted(place) => {
                let message = self.message(place, Fate::Submitting)?;
                self.tell(Stimulus::SubmissionEnds(message));
            }
            Step::Delivered(place, outcome) => {
                let message = self.message(place, Fate::Delivering)?;
                self.books.delivery_ends(self.now, message, outcome);
                self.tell(Stimulus::DeliveryEnds(message, outcome));
            }
            Step::DestinationIsSilent(place) => {
                let message = self.message(place, Fate::Delivering)?;
                if self.books.messages[&message].mail.destination != to_mailbox(0).destination {
                    self.books.is_silent(self.now, message);
                    self.tell(Stimulus::DestinationIsSilent(message));
                }
            }
            other => unreachable!("{other:?} is of nobody"),
        }
        Some(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_and_everything_is_accounted_for(
        spec in spec(),
        steps in proptest::collection::vec(step(), 0..400),
    ) {
        let books = Books::new(spec.clone());
        let mut world = World { server: Transport::new(Arc::new(spec)), books, now: Nanos::ZERO, next: 0 };
        for step in steps {
            world.step(step);
        }
        let summary = world.server.close_books(world.now);
        world.books.compare(world.now, &summary);
    }

    #[test]
    fn a_level_changes_only_where_a_mark_is_crossed(
        normal in 1..50u32,
        gaps in (1..30u32, 1..30u32),
        values in proptest::collection::vec(0..120u32, 0..200),
    ) {
        let (medium, high) = (normal + gaps.0, normal + gaps.0 + gaps.1);
        let (marks, own) = (Marks { normal, medium, high }, Assumptions::default());
        let mut level = Level::Normal;
        for value in values {
            let was = level;
            level = marks.level(value, was, &own);
            // The mark that begins a level, and the mark below which it ends.
            let begins = [0, medium, high];
            let ends = [0, normal, medium];
            prop_assert!(value >= ends[level as usize], "{level:?} at {value}");
            prop_assert!(level <= was || value >= begins[level as usize], "up to {level:?} at {value}");
            prop_assert!(level >= was || value < ends[was as usize], "down from {was:?} at {value}");
            // It stands still while the value does, and is as high as it must be.
            prop_assert_eq!(marks.level(value, level, &own), level);
            prop_assert!(level >= marks.level(value, Level::Normal, &own));
        }
    }
}
