//! Plays the engine: stimuli at stated moments, deliveries and submissions that take a stated time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use atqsim::models::transport::spec::{Machine, Role, TransportSpec, Version};
use atqsim::models::transport::{
    Caller, Destination, DomainId, Effect, GroupId, Mail, MessageId, Outcome, Peer, SessionId, SourceId, Stimulus,
    Transport, TransportSummary,
};
use atqsim::time::Nanos;

pub(crate) const GIB: u64 = 1 << 30;
pub(crate) const HONEST: GroupId = GroupId(0);
pub(crate) const FLOOD: GroupId = GroupId(1);

pub(crate) fn secs(s: u64) -> Nanos {
    Nanos::from_secs(s)
}

/// 100 GB of drive and 8 GB of memory.
pub(crate) fn machine() -> Machine {
    Machine { queue_drive_bytes: 100 * GIB, log_drive_bytes: None, memory_bytes: 8 * GIB }
}

/// A server with service pack 1 after setup.
pub(crate) fn server(role: Role) -> TransportSpec {
    TransportSpec::after_setup(role, Version::Sp1, machine())
}

pub(crate) fn anonymous(source: u32, group: GroupId) -> Caller {
    Caller { source: SourceId(source), group, authenticated: false, peer: Peer::Other }
}

pub(crate) fn to_mailbox(bytes: u64) -> Mail {
    Mail { bytes, destination: Destination::Mailbox }
}

pub(crate) fn to_domain(domain: u32, bytes: u64) -> Mail {
    Mail { bytes, destination: Destination::Remote(DomainId(domain)) }
}

/// How long what the server begins takes; `None`: a destination that says nothing, a thread that never comes back.
#[derive(Clone, Copy)]
pub(crate) struct Takes {
    pub(crate) submission: Option<Nanos>,
    pub(crate) mailbox: Option<Nanos>,
    pub(crate) remote: fn(DomainId) -> Option<Nanos>,
}

impl Default for Takes {
    fn default() -> Takes {
        Takes { submission: Some(secs(1)), mailbox: Some(secs(1)), remote: |_| Some(secs(1)) }
    }
}

pub(crate) struct Play {
    pub(crate) server: Transport,
    pub(crate) takes: Takes,
    calendar: BTreeMap<(Nanos, u64), Stimulus>,
    sequence: u64,
    open: BTreeSet<SessionId>,
    told: Vec<(Nanos, Effect)>,
}

impl Play {
    pub(crate) fn new(spec: TransportSpec) -> Play {
        Play {
            server: Transport::new(Arc::new(spec)),
            takes: Takes::default(),
            calendar: BTreeMap::new(),
            sequence: 0,
            open: BTreeSet::new(),
            told: Vec::new(),
        }
    }

    /// Something that is told at `at`, after what was put there before.
    pub(crate) fn at(&mut self, at: Nanos, what: Stimulus) {
        self.calendar.insert((at, self.sequence), what);
        self.sequence += 1;
    }

    pub(crate) fn connects(&mut self, at: Nanos, session: u64, caller: Caller) {
        self.at(at, Stimulus::Connects { session: SessionId(session), caller });
    }

    /// Plays to `end` (included); the effects since the last call with their times.
    pub(crate) fn until(&mut self, end: Nanos) -> Vec<(Nanos, Effect)> {
        let mut effects = Vec::new();
        loop {
            let deadline = self.server.next_deadline();
            let due = self.calendar.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at);
            let now = deadline.min(due);
            if now > end || now == Nanos::MAX {
                break;
            }
            let what = if deadline <= due {
                Stimulus::Time
            } else {
                self.calendar.pop_first().map(|(_, what)| what).expect("it is due")
            };
            if self.is_to_be_told(what) {
                self.server.tell(now, what, &mut effects);
            }
            if what == Stimulus::Time {
                assert!(self.server.next_deadline() > now, "told the time, it wants to be told it again");
            }
            for effect in effects.drain(..) {
                self.follow(now, effect);
            }
        }
        std::mem::take(&mut self.told)
    }

    pub(crate) fn close(mut self, end: Nanos) -> TransportSummary {
        self.until(end);
        let summary = self.server.close_books(end);
        assert!(summary.is_balanced(), "{summary:#?}");
        summary
    }

    /// A session that was refused or closed says nothing more.
    fn is_to_be_told(&mut self, what: Stimulus) -> bool {
        match what {
            Stimulus::Says(session, _)
            | Stimulus::Offers(session, _)
            | Stimulus::MessageEnds(session, _)
            | Stimulus::IsSilent(session) => self.open.contains(&session),
            Stimulus::Quits(session) => self.open.remove(&session),
            _ => true,
        }
    }

    fn follow(&mut self, now: Nanos, effect: Effect) {
        match effect {
            Effect::Opened(session) | Effect::Waits(session) => {
                self.open.insert(session);
            }
            Effect::Closed { session, .. } | Effect::ConnectionRefused { session, .. } => {
                self.open.remove(&session);
            }
            Effect::SubmissionBegins(message) => {
                if let Some(takes) = self.takes.submission {
                    self.at(now + takes, Stimulus::SubmissionEnds(message));
                }
            }
            Effect::DeliveryBegins { message, destination } => self.deliver(now, message, destination),
            _ => {}
        }
        self.told.push((now, effect));
    }

    fn deliver(&mut self, now: Nanos, message: MessageId, destination: Destination) {
        let delivered = Stimulus::DeliveryEnds(message, Outcome::Delivered);
        match destination {
            Destination::Mailbox => {
                if let Some(takes) = self.takes.mailbox {
                    self.at(now + takes, delivered);
                }
            }
            Destination::Remote(domain) => match (self.takes.remote)(domain) {
                Some(takes) => self.at(now + takes, delivered),
                None => self.at(now, Stimulus::DestinationIsSilent(message)),
            },
        }
    }
}
