//! Follows every connection and message through the effects, works everything out once more, and refuses what may not
//! be.

use std::collections::{BTreeMap, VecDeque};

use atqsim::models::transport::spec::{Freed, Limit, OverRate, PerSource, Rounding, TransportSpec};
use atqsim::models::transport::{
    Caller, Destination, Directory, DomainId, Effect, GroupId, Level, Load, Mail, MessageId, Most, Outcome, Reply,
    Resource, SessionId, SourceId, Throttle, Transport, TransportSummary, Usage, What,
};
use atqsim::time::Nanos;

use super::driver::secs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It was told, and no effect has said what became of it.
    Comes,
    Waits,
    Open,
    Refused(Throttle),
    GaveUp,
    Quit,
    Closed(Throttle),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A session hands it over.
    Coming,
    File(Directory),
    Submitted,
    Submitting,
    Queued,
    Delivering,
    Again,
    Refused(Throttle),
    Dropped,
    Delivered,
    Bounced,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) line: Line,
    pub(crate) opened: Nanos,
    pub(crate) offers: Option<MessageId>,
    answered_at: Nanos,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) group: GroupId,
    pub(crate) mail: Mail,
    pub(crate) fate: Fate,
}

pub(crate) struct Books {
    spec: TransportSpec,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) messages: BTreeMap<MessageId, Message>,
    pub(crate) others_on_the_drive: u64,
    level: Level,
    drive_when_it_changed: u64,
    opened: Vec<Nanos>,
    scanned: BTreeMap<Directory, Vec<Nanos>>,
    mailboxes: VecDeque<MessageId>,
    domains: BTreeMap<DomainId, VecDeque<MessageId>>,
    cut: u64,
    logged: usize,
    /// When each silent destination is cut off, and each message tried again.
    silent_until: BTreeMap<MessageId, Nanos>,
    again_at: BTreeMap<MessageId, Nanos>,
    most: Most,
}

impl Books {
    pub(crate) fn new(spec: TransportSpec) -> Books {
        Books {
            spec,
            sessions: BTreeMap::new(),
            messages: BTreeMap::new(),
            others_on_the_drive: 0,
            level: Level::Normal,
            drive_when_it_changed: 0,
            opened: Vec::new(),
            scanned: BTreeMap::new(),
            mailboxes: VecDeque::new(),
            domains: BTreeMap::new(),
            cut: 0,
            logged: 0,
            silent_until: BTreeMap::new(),
            again_at: BTreeMap::new(),
            most: Most::default(),
        }
    }

    pub(crate) fn connects(&mut self, id: SessionId, caller: Caller) {
        let line = Line::Comes;
        let session = Session { caller, line, opened: Nanos::ZERO, offers: None, answered_at: Nanos::ZERO };
        self.sessions.insert(id, session);
    }

    pub(crate) fn comes(&mut self, id: MessageId, group: GroupId, mail: Mail, fate: Fate) {
        self.messages.insert(id, Message { group, mail, fate });
    }

    pub(crate) fn quits(&mut self, id: SessionId) {
        let session = self.sessions.get_mut(&id).unwrap();
        session.line = if session.line == Line::Waits { Line::GaveUp } else { Line::Quit };
    }

    pub(crate) fn uses(&mut self, usage: Usage) {
        if let Usage::QueueDrive(bytes) = usage {
            self.others_on_the_drive = bytes;
        }
    }

    /// A destination was told to be silent.
    pub(crate) fn is_silent(&mut self, now: Nanos, id: MessageId) {
        let until = now + self.spec.send.connection_inactivity_time_out;
        self.silent_until.entry(id).or_insert(until);
    }

    /// A delivery was told to have ended.
    pub(crate) fn delivery_ends(&mut self, now: Nanos, id: MessageId, outcome: Outcome) {
        self.silent_until.remove(&id);
        if outcome == Outcome::Deferred {
            self.again_at.insert(id, now + self.spec.assumptions.retry_after);
        }
        self.moves(
            id,
            &[Fate::Delivering],
            match outcome {
                Outcome::Delivered => Fate::Delivered,
                Outcome::Bounced => Fate::Bounced,
                Outcome::Deferred => Fate::Again,
            },
        );
    }

    fn moves(&mut self, id: MessageId, from: &[Fate], to: Fate) {
        let message = self.messages.get_mut(&id).expect("only what came is told of");
        assert!(from.contains(&message.fate), "{id:?} is {:?} and becomes {to:?}", message.fate);
        message.fate = to;
    }

    fn open(&self) -> u32 {
        self.sessions.values().filter(|session| session.line == Line::Open).count() as u32
    }

    fn of_source(&self, source: SourceId) -> u32 {
        let is_one = |session: &&Session| session.line == Line::Open && session.caller.source == source;
        self.sessions.values().filter(is_one).count() as u32
    }

    fn count(&self, fate: Fate) -> u32 {
        self.messages.values().filter(|message| message.fate == fate).count() as u32
    }

    fn delivering_to(&self, is_one: impl Fn(Destination) -> bool) -> u32 {
        let delivering = self.messages.values().filter(|message| message.fate == Fate::Delivering);
        delivering.filter(|message| is_one(message.mail.destination)).count() as u32
    }

    fn on_the_drive(&self) -> u64 {
        let is_there = |fate| matches!(fate, Fate::Queued | Fate::Delivering | Fate::Again);
        let there = self.messages.values().filter(|message| is_there(message.fate));
        there.map(|message| self.spec.database_bytes(message.mail)).sum()
    }

    /// The two limits of one source, worked out by themselves: by number and by share.
    fn of_one_source(&self) -> (Option<u64>, Option<u64>) {
        let (receive, own) = (&self.spec.receive, &self.spec.assumptions);
        let count = match receive.max_inbound_connection_per_source {
            Limit::At(most) if own.per_source != PerSource::PercentageOnly => Some(u64::from(most)),
            _ => None,
        };
        let share = match receive.max_inbound_connection {
            Limit::At(most) if own.per_source != PerSource::CountOnly => {
                let hundredfold =
                    u64::from(most - self.open()) * u64::from(receive.max_inbound_connection_percentage_per_source);
                let part = if own.share_rounding == Rounding::Up && hundredfold % 100 > 0 { 1 } else { 0 };
                Some(hundredfold / 100 + part)
            }
            _ => None,
        };
        (count, share)
    }

    /// Connections that were opened in the 61 whole seconds up to now.
    fn opened_lately(&self, now: Nanos) -> u32 {
        let second = |at: Nanos| at.0 / Nanos::SECOND.0;
        self.opened.iter().filter(|at| second(**at) + 61 > second(now)).count() as u32
    }

    pub(crate) fn follow(&mut self, now: Nanos, effect: Effect, server: &Transport) {
        match effect {
            Effect::Opened(id) => self.opens(now, id),
            Effect::Waits(id) => {
                assert_eq!(self.spec.assumptions.over_rate, OverRate::Waits);
                self.sessions.get_mut(&id).unwrap().line = Line::Waits;
            }
            Effect::ConnectionRefused { session, by, reply } => self.refuses(now, session, by, reply),
            Effect::Answered { session, at, is_tarpitted, .. } => {
                let session = self.sessions.get_mut(&session).unwrap();
                assert!(at >= now && at >= session.answered_at, "answers keep their order");
                assert!(!is_tarpitted || !session.caller.authenticated, "only anonymous sessions are tarpitted");
                session.answered_at = at;
            }
            Effect::Closed { session, by, .. } => {
                let session = self.sessions.get_mut(&session).unwrap();
                assert_eq!(session.line, Line::Open);
                let age = now.since(session.opened);
                match by {
                    Throttle::ConnectionTimeout => assert!(age == self.spec.receive.connection_timeout),
                    Throttle::ReceiveInactivity => assert!(age >= self.spec.receive.connection_inactivity_timeout),
                    Throttle::ProtocolErrors => {}
                    other => panic!("{other:?} closes no connection"),
                }
                session.line = Line::Closed(by);
            }
            Effect::MessageDropped(id) => {
                self.moves(id, &[Fate::Coming], Fate::Dropped);
                self.sessions.values_mut().filter(|of| of.offers == Some(id)).for_each(|of| of.offers = None);
            }
            Effect::LevelChanged { from, to } => {
                assert_eq!((from, from != to), (self.level, true));
                self.level = to;
                self.drive_when_it_changed = self.on_the_drive() + self.others_on_the_drive;
            }
            Effect::Logged(at) => self.logs(at, server),
            Effect::Dehydrates(_) => {}
            of_a_message => self.follow_message(now, of_a_message),
        }
    }

    fn follow_message(&mut self, now: Nanos, effect: Effect) {
        match effect {
            Effect::MessageRefused { message, by } => {
                let from = [Fate::Coming, Fate::Submitted, Fate::Submitting, Fate::File(Directory::Pickup)];
                self.moves(message, &from, Fate::Refused(by));
                self.sessions.values_mut().filter(|of| of.offers == Some(message)).for_each(|of| of.offers = None);
            }
            Effect::Queued(id) => self.queues(now, id),
            Effect::SubmissionBegins(id) => {
                assert!(self.level < Level::High, "at High the store driver begins nothing");
                self.moves(id, &[Fate::Submitted], Fate::Submitting);
            }
            Effect::DeliveryBegins { message, destination } => {
                assert_eq!(self.messages[&message].mail.destination, destination);
                self.wait_ends(message, destination);
                self.moves(message, &[Fate::Queued], Fate::Delivering);
            }
            Effect::DeliveryCut { message, again_at } => {
                assert_eq!(again_at, now + self.spec.assumptions.retry_after);
                assert_eq!(self.silent_until.remove(&message), Some(now), "cut off in its moment");
                self.again_at.insert(message, again_at);
                self.moves(message, &[Fate::Delivering], Fate::Again);
                self.cut += 1;
            }
            other => panic!("not followed: {other:?}"),
        }
    }

    fn opens(&mut self, now: Nanos, id: SessionId) {
        let session = self.sessions[&id];
        assert!(matches!(session.line, Line::Comes | Line::Waits));
        assert_eq!(session.caller.peer.refused_at(self.level), None);
        let held = u64::from(self.of_source(session.caller.source));
        let (count, share) = self.of_one_source();
        assert!(count.is_none_or(|most| held < most) && share.is_none_or(|most| held < most));
        self.opened.push(now);
        let last_minute = self.opened.iter().filter(|at| now.since(**at) < secs(60)).count();
        assert!(last_minute as u32 <= self.spec.server.max_connection_rate_per_minute, "more than so many a minute");
        let session = self.sessions.get_mut(&id).unwrap();
        (session.line, session.opened) = (Line::Open, now);
        if let Limit::At(most) = self.spec.receive.max_inbound_connection {
            assert!(self.open() <= most);
        }
    }

    fn refuses(&mut self, now: Nanos, id: SessionId, by: Throttle, reply: Reply) {
        let caller = self.sessions[&id].caller;
        let held = u64::from(self.of_source(caller.source));
        let (count, share) = self.of_one_source();
        let is_true = match by {
            Throttle::ConnectionRate => {
                self.opened_lately(now) == self.spec.server.max_connection_rate_per_minute
                    && self.spec.assumptions.over_rate == OverRate::Refused
            }
            Throttle::InboundConnections => self.spec.receive.max_inbound_connection == Limit::At(self.open()),
            Throttle::InboundPerSource => count.is_some_and(|most| held >= most),
            Throttle::InboundPercentagePerSource => share.is_some_and(|most| held >= most),
            Throttle::MediumPressure | Throttle::HighPressure => caller.peer.refused_at(self.level) == Some(by),
            _ => false,
        };
        assert!(is_true, "{by:?} refuses a connection that it has no reason to");
        assert_eq!(reply == Reply::InsufficientResources, caller.peer.refused_at(self.level) == Some(by));
        self.sessions.get_mut(&id).unwrap().line = Line::Refused(by);
    }

    fn queues(&mut self, now: Nanos, id: MessageId) {
        let was = self.messages[&id].fate;
        match was {
            Fate::File(directory) => {
                assert!(self.level < self.spec.assumptions.pickup_stops_at, "pickup has stopped");
                let scanned = self.scanned.entry(directory).or_default();
                scanned.push(now);
                let last_minute = scanned.iter().filter(|at| now.since(**at) < secs(60)).count();
                assert!(last_minute as u32 <= self.spec.server.pickup_directory_max_messages_per_minute);
            }
            _ => assert!(self.level < Level::High || self.spec.assumptions.begun_messages_finish),
        }
        self.moves(id, &[Fate::Coming, Fate::Submitting, was], Fate::Queued);
        assert!(self.on_the_drive() + self.others_on_the_drive <= self.spec.machine.queue_drive_bytes);
        self.wait_begins(id);
    }

    fn wait_begins(&mut self, id: MessageId) {
        match self.messages[&id].mail.destination {
            Destination::Mailbox => self.mailboxes.push_back(id),
            Destination::Remote(domain) => self.domains.entry(domain).or_default().push_back(id),
        }
    }

    /// First come, first served, at each destination.
    fn wait_ends(&mut self, id: MessageId, destination: Destination) {
        if self.messages[&id].fate == Fate::Again {
            // Nothing tells that its retry has come but its begin.
            assert!(self.again_at.remove(&id).is_some());
            self.moves(id, &[Fate::Again], Fate::Queued);
            return;
        }
        let line = match destination {
            Destination::Mailbox => &mut self.mailboxes,
            Destination::Remote(domain) => self.domains.get_mut(&domain).unwrap(),
        };
        assert_eq!(line.pop_front(), Some(id));
    }

    /// What is logged fits what is known.
    fn logs(&mut self, at: usize, server: &Transport) {
        assert_eq!(at, self.logged, "entries are told in order, each once");
        self.logged += 1;
        let What::Pressure { from, to, readings } = server.events()[at].what else { return };
        let readings: Vec<_> = readings.into_iter().flatten().collect();
        assert_eq!(readings.iter().map(|reading| reading.level).max(), Some(to));
        for reading in &readings {
            let (value, marks) = (reading.value, reading.marks);
            let fits = match reading.level {
                Level::Normal => value < marks.medium,
                Level::Medium => marks.normal <= value && value < marks.high,
                Level::High => marks.medium <= value,
            };
            assert!(fits, "{reading:?}");
            if reading.resource == Resource::QueueDrive && self.spec.assumptions.freed == Freed::ToTheDrive {
                let used = self.drive_when_it_changed.min(self.spec.machine.queue_drive_bytes);
                assert_eq!(u64::from(value), used * 100 / self.spec.machine.queue_drive_bytes);
            }
        }
        let mark = |level| {
            move |marks: atqsim::models::transport::Marks| if level == Level::High { marks.high } else { marks.medium }
        };
        if to > from {
            assert!(
                readings.iter().any(|reading| reading.value >= mark(to)(reading.marks)),
                "nothing raises the level"
            );
        }
    }

    /// Counts and extremes of a moment.
    fn sees(&mut self, load: &Load) {
        let refused = self.sessions.values().filter(|of| matches!(of.line, Line::Refused(_))).count() as u64;
        assert_eq!(load.connections_refused, refused);
        let refused = self.messages.values().filter(|of| matches!(of.fate, Fate::Refused(_))).count() as u64;
        assert_eq!(load.messages_refused, refused);
        assert_eq!(load.delivered, u64::from(self.count(Fate::Delivered)));
        let outside = |fate| matches!(fate, Fate::File(_) | Fate::Submitted);
        assert_eq!(load.outside, self.messages.values().filter(|of| outside(of.fate)).count() as u64);
        let most = &mut self.most;
        most.connections = most.connections.max(load.connections);
        most.in_line = most.in_line.max(load.in_line);
        most.submitting = most.submitting.max(load.submitting);
        most.to_mailboxes = most.to_mailboxes.max(load.to_mailboxes);
        most.outbound = most.outbound.max(load.outbound);
        most.queued = most.queued.max(load.queued);
        most.queue_drive_percent = most.queue_drive_percent.max(load.queue_drive_percent);
    }

    /// What must hold after everything of a moment was told.
    pub(crate) fn check(&mut self, now: Nanos, server: &Transport, is_time: bool) {
        self.sees(&server.load());
        let (load, options) = (server.load(), &self.spec.server);
        assert_eq!(server.level(), self.level);
        assert_eq!((load.connections, load.submitting), (self.open(), self.count(Fate::Submitting)));
        assert_eq!(load.in_line, self.sessions.values().filter(|of| of.line == Line::Waits).count() as u32);
        assert!(self.sessions.values().all(|of| of.line != Line::Comes), "every connection is answered");
        let mailboxes = self.delivering_to(|to| to == Destination::Mailbox);
        let outbound = self.count(Fate::Delivering) - mailboxes;
        assert_eq!((load.to_mailboxes, load.outbound), (mailboxes, outbound));
        assert!(mailboxes <= options.max_concurrent_mailbox_deliveries);
        assert!(load.submitting <= options.max_concurrent_mailbox_submissions);
        assert!(options.max_outbound_connections.allows_beside(outbound.saturating_sub(1)));
        // No thread and no connection is free beside a message that may have it.
        assert!(self.mailboxes.is_empty() || mailboxes == options.max_concurrent_mailbox_deliveries);
        for (domain, waiting) in &self.domains {
            let to_it = self.delivering_to(|to| to == Destination::Remote(*domain));
            assert!(options.max_per_domain_outbound_connections.allows_beside(to_it.saturating_sub(1)));
            let may_begin = options.max_per_domain_outbound_connections.allows_beside(to_it)
                && options.max_outbound_connections.allows_beside(outbound);
            assert!(waiting.is_empty() || !may_begin, "a message of {domain:?} waits for nothing");
        }
        let submissions_wait = self.count(Fate::Submitted) > 0 && self.level < Level::High;
        assert!(!submissions_wait || load.submitting == options.max_concurrent_mailbox_submissions);
        if is_time {
            assert!(self.silent_until.values().all(|until| *until > now), "somebody is to be cut off");
            let may_begin = |id: &MessageId| match self.messages[id].mail.destination {
                Destination::Mailbox => mailboxes < options.max_concurrent_mailbox_deliveries,
                Destination::Remote(domain) => {
                    let to_it = self.delivering_to(|to| to == Destination::Remote(domain));
                    options.max_per_domain_outbound_connections.allows_beside(to_it)
                        && options.max_outbound_connections.allows_beside(outbound)
                }
            };
            let mut due = self.again_at.iter().filter(|(_, at)| **at <= now);
            assert!(due.all(|(id, _)| !may_begin(id)), "somebody is to be tried again");
            let open = self.sessions.values().filter(|of| of.line == Line::Open);
            assert!(open.clone().all(|of| now.since(of.opened) < self.spec.receive.connection_timeout));
            assert!(server.next_deadline() > now);
        }
    }

    /// Everything has one end, and the summary says the same.
    pub(crate) fn compare(&self, now: Nanos, summary: &TransportSummary) {
        assert!(summary.is_balanced(), "{summary:#?}");
        let (of_one_source, to_one_domain) = (summary.most.of_one_source, summary.most.to_one_domain);
        assert_eq!(summary.most, Most { of_one_source, to_one_domain, ..self.most });
        assert_eq!((summary.end, summary.events.len()), (now, self.logged));
        for (at, figures) in summary.groups.iter().enumerate() {
            let of = |is_one: &dyn Fn(Line) -> bool| {
                let those = self.sessions.values().filter(|of| usize::from(of.caller.group.0) == at);
                those.filter(|of| is_one(of.line)).count() as u64
            };
            let ledger = &figures.connections;
            assert_eq!(ledger.came, of(&|_| true));
            assert_eq!(ledger.refused, of(&|line| matches!(line, Line::Refused(_))));
            assert_eq!(
                (ledger.gave_up, ledger.quit),
                (of(&|line| line == Line::GaveUp), of(&|line| line == Line::Quit))
            );
            assert_eq!(ledger.closed, of(&|line| matches!(line, Line::Closed(_))));
            assert_eq!(
                (ledger.waiting, ledger.open),
                (of(&|line| line == Line::Waits), of(&|line| line == Line::Open))
            );
            let with = |is_one: &dyn Fn(Fate) -> bool| {
                let those = self.messages.values().filter(|of| usize::from(of.group.0) == at);
                those.filter(|of| is_one(of.fate)).count() as u64
            };
            let ledger = &figures.messages;
            assert_eq!(ledger.came, with(&|_| true));
            assert_eq!(ledger.refused, with(&|fate| matches!(fate, Fate::Refused(_))));
            assert_eq!(ledger.dropped, with(&|fate| fate == Fate::Dropped));
            assert_eq!(ledger.delivered, with(&|fate| fate == Fate::Delivered));
            assert_eq!(ledger.bounced, with(&|fate| fate == Fate::Bounced));
            assert_eq!(ledger.coming, with(&|fate| matches!(fate, Fate::Coming | Fate::Submitting)));
            assert_eq!(ledger.waiting, with(&|fate| matches!(fate, Fate::File(_) | Fate::Submitted)));
            assert_eq!(ledger.queued, with(&|fate| matches!(fate, Fate::Queued | Fate::Again)));
            assert_eq!(ledger.delivering, with(&|fate| fate == Fate::Delivering));
            for by in Throttle::ALL {
                let held = figures.held(by);
                assert_eq!(held.connections_refused, of(&|line| line == Line::Refused(by)));
                assert_eq!(held.connections_closed, of(&|line| line == Line::Closed(by)));
                assert_eq!(held.messages_refused, with(&|fate| fate == Fate::Refused(by)));
                let first = What::FirstHeld { group: GroupId(at as u16), by };
                let told = summary.events.iter().filter(|entry| entry.what == first).count() as u64;
                let any = held.connections_refused + held.connections_closed + held.messages_refused;
                assert_eq!(told, u64::from(any + held.deliveries_cut > 0), "{first:?}");
            }
        }
        assert_eq!(summary.held(Throttle::SendInactivity).deliveries_cut, self.cut);
        assert_eq!(summary.time_at.into_iter().fold(Nanos::ZERO, |sum, time| sum + time), summary.end);
    }
}
