//! A variant with a transport server and five groups of senders, for tests of what is told of each: the model itself makes
//! what is remembered.
//!
//! Not a run: who sends when, and for how long, is written down here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::VariantReport;
use super::limits::{source, without_pool};
use super::{RUN, variant};
use crate::metrics::limits::{LimitFigures, SenderFigures, TransportFigures};
use crate::models::transport::spec::{Limit, Machine, PerSource, Role, TransportSpec, Version};
use crate::models::transport::{
    Caller, Destination, Directory, DomainId, Effect, GroupId, Mail, MessageId, Outcome, Peer, Reply, Said, SessionId,
    SourceId, Stimulus, Transport, Usage,
};
use crate::plan::limits::transport::{
    Domain, Entrance, Group, Mailboxes, Retry, Sessions, Share, Sizes, StallsAt, Whither,
};
use crate::plan::limits::{Limits, TransportPlan};
use crate::time::Nanos;
use crate::workload::distribution::Distribution;

const MIB: u64 = 1 << 20;
const PARTNERS: usize = 0;
const FLOOD: usize = 1;
const HARVEST: usize = 2;
const NEWSLETTER: usize = 4;

const fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

fn every(seconds: u64) -> Distribution {
    Distribution::Constant(s(seconds))
}

/// A Hub server that has 20 connections, of which one source may have `per_source`; `None`: all of them, as the other limit of
/// one source is left out. A flood holds each of
/// its connections for a minute and comes every 2 s, partners and users send a little, a harvest asks for addresses, a
/// newsletter is put into the Pickup directory at 100 s, and others fill the drive from 300 s to 420 s.
pub(in crate::report) fn with_senders(name: &str, per_source: Option<u32>) -> VariantReport {
    let mut report = variant(name, &[], Nanos::ZERO);
    let mut plan = (*report.plan).clone();
    plan.title = "Exchange 2007: a flood beside honest senders".into();
    let transport = transport_plan(per_source);
    let figures = Play::new(&transport).figures();
    report.limits = LimitFigures { transport: Some(figures), ..LimitFigures::default() };
    assert_eq!(report.limits.violations(), Vec::<String>::new());
    plan.limits = Limits { transport: Some(Arc::new(transport)), ..Limits::default() };
    without_pool(&mut report, plan);
    report
}

fn transport_plan(per_source: Option<u32>) -> TransportPlan {
    let machine = Machine { queue_drive_bytes: 10_240 * MIB, log_drive_bytes: None, memory_bytes: 4_096 * MIB };
    let mut spec = TransportSpec::after_setup(Role::Hub, Version::Sp1, machine);
    spec.server.max_per_domain_outbound_connections = Limit::At(2);
    spec.receive.max_inbound_connection = Limit::At(20);
    spec.assumptions.per_source = PerSource::CountOnly;
    spec.receive.max_inbound_connection_per_source = per_source.map_or(Limit::Unlimited, Limit::At);
    spec.assumptions.sample_every = s(10);
    let smtp = |first_source, servers, transfer, harvests: bool| {
        let recipients = if harvests { (3, 3) } else { (1, 1) };
        Entrance::Smtp(Box::new(Sessions {
            servers,
            first_source: SourceId(first_source),
            authenticated: false,
            peer: Peer::Other,
            messages: (1, 1),
            recipients,
            unknown_recipients: if harvests { 2.0 / 3.0 } else { 0.0 },
            harvests,
            protocol_errors: 0.0,
            command: every(1),
            transfer: every(transfer),
            stalls: 0.0,
            stalls_at: StallsAt::Text,
            patience: s(60),
        }))
    };
    let to_mailboxes = || vec![Share { share: 1.0, to: Whither::Mailboxes }];
    let some_abroad =
        || vec![Share { share: 0.75, to: Whither::Mailboxes }, Share { share: 0.25, to: Whither::Domain(0) }];
    let group = |name: &str, honest, entrance, to, retry| Group {
        name: name.into(),
        honest,
        entrance,
        size: Sizes { mean: 50_000, cv: 0.0 },
        to,
        retry,
    };
    let again = || Some(Retry { after: every(60), attempts: 3 });
    let groups = vec![
        group("partners", true, smtp(0, 4, 2, false), some_abroad(), again()),
        group("flood", false, smtp(100, 1, 60, false), to_mailboxes(), None),
        group("harvest", false, smtp(200, 1, 1, true), to_mailboxes(), None),
        group("users", true, Entrance::Mailbox, to_mailboxes(), again()),
        group("newsletter", true, Entrance::Pickup, to_mailboxes(), None),
    ];
    let domain = Domain {
        name: "slow".into(),
        first: DomainId(0),
        count: 1,
        delivery: every(90),
        silent: 0.0,
        deferred: 0.0,
        bounced: 0.0,
    };
    let usages = [(0, 5_120), (300, 9_626), (360, 9_933), (420, 5_120)];
    let usages = usages.map(|(at, mib)| (s(at), Usage::QueueDrive(mib * MIB))).to_vec();
    let rates = [(0, 0.1), (1, 0.5), (2, 0.05), (3, 0.2)];
    let mut sources: Vec<_> = rates
        .iter()
        .map(|(at, rate)| source(&groups[*at].name, TransportPlan::stage(GroupId(*at as u16)), &[(0, *rate)]))
        .collect();
    let stage = TransportPlan::stage(GroupId(NEWSLETTER as u16));
    sources.push(source(&groups[NEWSLETTER].name, stage, &[(0, 0.0), (100, 20.0), (101, 0.0)]));
    let mailboxes = Mailboxes { delivery: every(2), submission: every(1) };
    TransportPlan::new(spec, groups, vec![domain], mailboxes, usages, sources)
}

/// What a session says.
#[derive(Clone, Copy, PartialEq)]
enum Line {
    Mail,
    Known,
    Unknown,
    Data,
    End,
    Reset,
    Quit,
}

/// What is due.
enum Due {
    Wants(usize),
    Again(usize),
    Speaks(SessionId),
    Tells(Stimulus),
}

/// A message that somebody wants to send.
struct Letter {
    group: usize,
    number: u64,
    wanted: Nanos,
    attempts: u32,
    is_done: bool,
}

struct Play<'p> {
    plan: &'p TransportPlan,
    server: Transport,
    due: BTreeMap<(Nanos, u64), Due>,
    /// Numbers for everything: what is due, sessions, messages.
    next: u64,
    letters: Vec<Letter>,
    /// Which letter, and how far it is.
    sessions: BTreeMap<SessionId, (usize, usize)>,
    messages: BTreeMap<MessageId, usize>,
    senders: Vec<SenderFigures>,
}

impl Play<'_> {
    fn new(plan: &TransportPlan) -> Play<'_> {
        let sender = |group: &Group| SenderFigures { honest: group.honest, ..SenderFigures::default() };
        let mut play = Play {
            plan,
            server: Transport::new(Arc::clone(&plan.spec)),
            due: BTreeMap::new(),
            next: 0,
            letters: Vec::new(),
            sessions: BTreeMap::new(),
            messages: BTreeMap::new(),
            senders: plan.groups.iter().map(sender).collect(),
        };
        for (at, usage) in &plan.usages {
            play.at(*at, Due::Tells(Stimulus::Uses(*usage)));
        }
        for (group, each) in [(PARTNERS, 10), (FLOOD, 2), (HARVEST, 20), (3, 5)] {
            (0..RUN.0 / s(each).0).for_each(|n| play.at(s(n * each), Due::Wants(group)));
        }
        (0..20).for_each(|n| play.at(s(100) + Nanos::from_millis(n * 50), Due::Wants(NEWSLETTER)));
        play
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn at(&mut self, at: Nanos, what: Due) {
        let number = self.number();
        self.due.insert((at, number), what);
    }

    fn figures(mut self) -> TransportFigures {
        let mut effects = Vec::new();
        loop {
            let first = self.due.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at);
            let now = first.min(self.server.next_deadline());
            if now >= RUN {
                return TransportFigures { summary: self.server.close_books(RUN), senders: self.senders };
            }
            if first > now {
                self.server.tell(now, Stimulus::Time, &mut effects);
            } else {
                let (_, due) = self.due.pop_first().expect("there is a first");
                self.happens(now, due, &mut effects);
            }
            for effect in std::mem::take(&mut effects) {
                self.follow(now, effect);
            }
        }
    }

    fn happens(&mut self, now: Nanos, due: Due, effects: &mut Vec<Effect>) {
        match due {
            Due::Tells(what) => {
                if let Stimulus::DeliveryEnds(message, _) = what {
                    let letter = &self.letters[self.messages[&message]];
                    self.senders[letter.group].to_delivery.record(now.since(letter.wanted));
                }
                self.server.tell(now, what, effects);
            }
            Due::Wants(group) => {
                if group != HARVEST {
                    self.senders[group].messages.wanted += 1;
                    self.senders[group].messages.trying += 1;
                }
                let number = self.letters.iter().filter(|letter| letter.group == group).count() as u64;
                self.letters.push(Letter { group, number, wanted: now, attempts: 0, is_done: false });
                self.attempts(now, self.letters.len() - 1, effects);
            }
            Due::Again(letter) => {
                self.senders[self.letters[letter].group].retries += 1;
                self.attempts(now, letter, effects);
            }
            Due::Speaks(session) => self.speaks(now, session, effects),
        }
    }

    fn attempts(&mut self, now: Nanos, at: usize, effects: &mut Vec<Effect>) {
        self.letters[at].attempts += 1;
        let letter = &self.letters[at];
        let group = GroupId(letter.group as u16);
        let what = match &self.plan.groups[letter.group].entrance {
            Entrance::Smtp(own) => {
                let source = SourceId(own.first_source.0 + (letter.number % u64::from(own.servers)) as u32);
                let session = SessionId(self.number());
                self.sessions.insert(session, (at, 0));
                let caller = Caller { source, group, authenticated: own.authenticated, peer: own.peer };
                Stimulus::Connects { session, caller }
            }
            entrance => {
                let (mail, is_file) = (self.mail(at), *entrance == Entrance::Pickup);
                let message = MessageId(self.number());
                self.messages.insert(message, at);
                if is_file {
                    Stimulus::File(Directory::Pickup, message, group, mail)
                } else {
                    Stimulus::Submits(message, group, mail)
                }
            }
        };
        self.server.tell(now, what, effects);
    }

    fn mail(&self, at: usize) -> Mail {
        let letter = &self.letters[at];
        let abroad = letter.group == PARTNERS && letter.number % 4 == 3;
        let destination = if abroad { Destination::Remote(DomainId(0)) } else { Destination::Mailbox };
        Mail { bytes: self.plan.groups[letter.group].size.mean, destination }
    }

    fn line(&self, session: SessionId) -> Line {
        let (letter, step) = self.sessions[&session];
        let script: &[Line] = if self.letters[letter].group == HARVEST {
            &[Line::Mail, Line::Known, Line::Unknown, Line::Unknown, Line::Reset]
        } else {
            &[Line::Mail, Line::Known, Line::Data, Line::End]
        };
        script.get(step).copied().unwrap_or(Line::Quit)
    }

    fn speaks(&mut self, now: Nanos, session: SessionId, effects: &mut Vec<Effect>) {
        let Some(&(letter, _)) = self.sessions.get(&session) else { return };
        let sender = self.letters[letter].group;
        let what = match self.line(session) {
            Line::Mail => {
                let message = MessageId(self.number());
                self.messages.insert(message, letter);
                Stimulus::Offers(session, message)
            }
            line @ (Line::Known | Line::Unknown) => {
                self.senders[sender].recipients_asked += 1;
                self.senders[sender].recipients_found += u64::from(line == Line::Known);
                Stimulus::Says(session, if line == Line::Known { Said::Good } else { Said::UnknownRecipient })
            }
            Line::Data => Stimulus::Says(session, Said::Data),
            Line::End => Stimulus::MessageEnds(session, self.mail(letter)),
            Line::Reset => Stimulus::Says(session, Said::Reset),
            Line::Quit => Stimulus::Quits(session),
        };
        self.server.tell(now, what, effects);
        if matches!(what, Stimulus::Quits(_)) {
            self.sessions.remove(&session);
            self.attempt_ends(now, letter);
        }
    }

    fn follow(&mut self, now: Nanos, effect: Effect) {
        match effect {
            Effect::Opened(session) => self.at(now + s(1), Due::Speaks(session)),
            Effect::Answered { session, reply, at, .. } => {
                let (letter, step) = self.sessions[&session];
                let step = if reply == Reply::InsufficientResources { usize::MAX } else { step + 1 };
                self.sessions.insert(session, (letter, step));
                let Entrance::Smtp(own) = &self.plan.groups[self.letters[letter].group].entrance else { return };
                let takes =
                    if self.line(session) == Line::End { own.transfer.mean_ns() } else { own.command.mean_ns() };
                self.at(at + Nanos::from_f64(takes), Due::Speaks(session));
            }
            Effect::ConnectionRefused { session, .. } | Effect::Closed { session, .. } => {
                if let Some((letter, _)) = self.sessions.remove(&session) {
                    self.attempt_ends(now, letter);
                }
            }
            Effect::Queued(message) => {
                let letter = &mut self.letters[self.messages[&message]];
                letter.is_done = true;
                let sender = &mut self.senders[letter.group];
                sender.messages.handed_over += 1;
                sender.messages.trying -= 1;
                sender.to_queue.record(now.since(letter.wanted));
            }
            Effect::SubmissionBegins(message) => self.at(now + s(1), Due::Tells(Stimulus::SubmissionEnds(message))),
            Effect::DeliveryBegins { message, destination } => {
                let takes = if destination == Destination::Mailbox { s(2) } else { s(90) };
                self.at(now + takes, Due::Tells(Stimulus::DeliveryEnds(message, Outcome::Delivered)));
            }
            _ => {}
        }
    }

    /// It is tried again, or given up.
    fn attempt_ends(&mut self, now: Nanos, at: usize) {
        let letter = &self.letters[at];
        if letter.is_done || letter.group == HARVEST {
            return;
        }
        match &self.plan.groups[letter.group].retry {
            Some(retry) if letter.attempts < retry.attempts => {
                self.at(now + Nanos::from_f64(retry.after.mean_ns()), Due::Again(at));
            }
            _ => {
                let messages = &mut self.senders[letter.group].messages;
                messages.trying -= 1;
                messages.given_up += 1;
            }
        }
    }
}
