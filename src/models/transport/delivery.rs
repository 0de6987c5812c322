//! Queued messages: to mailboxes by so many threads, to remote domains by so many connections, in all and to each
//! domain.
//!
//! [`Deliveries`] is who may begin; the rest is the part of the server's machine that follows a message from its queue
//! to its end. First come, first served, but a domain whose connections are all taken holds up nobody else. A
//! connection hands over one message. Not how long that takes: the engine says when it has ended, or that the
//! destination went silent. A message is tried again until it is delivered or bounced; it does not expire.
//! ATQ: `MaxConcurrentMailboxDeliveries`, `MaxOutboundConnections`, `MaxPerDomainOutboundConnections`, and
//! `ConnectionInactivityTimeOut` of a Send connector (message throttling page). Guess: the order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::spec::{Limit, ServerOptions};
use super::throttle::Throttle;
use super::{Destination, DomainId, Effect, GroupId, Mail, MessageId, Transport};
use crate::time::Nanos;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The message was handed over.
    Delivered,
    /// The destination will never take it.
    Bounced,
    /// The destination does not take it now; it is tried again.
    Deferred,
}

/// Where a queued message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On its queue; since when it is delayed, and by what.
    Waits(Option<(Nanos, Throttle)>),
    /// It is being handed over; when the connection is closed if the destination stays silent.
    Delivering(Option<Nanos>),
    /// It waits for the next attempt.
    Again,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Queued {
    pub(super) group: GroupId,
    pub(super) mail: Mail,
    pub(super) came: Nanos,
    pub(super) place: Place,
}

/// Queue of one remote domain. Messages are numbered in the order in which they were queued.
#[derive(Debug, Default)]
struct Domain {
    waiting: VecDeque<(u64, MessageId)>,
    connections: u32,
}

#[derive(Debug)]
pub(super) struct Deliveries {
    most_to_mailboxes: u32,
    most_outbound: Limit,
    most_per_domain: Limit,
    mailboxes: VecDeque<MessageId>,
    to_mailboxes: u32,
    domains: BTreeMap<DomainId, Domain>,
    /// Domains that have a message and may have one more connection, by their oldest message.
    ready: BTreeSet<(u64, DomainId)>,
    outbound: u32,
    next_number: u64,
    /// Messages that are tried again, and connections that are closed, by time.
    again: BTreeSet<(Nanos, MessageId)>,
    silent: BTreeSet<(Nanos, MessageId)>,
}

impl Deliveries {
    pub(super) fn new(options: &ServerOptions) -> Deliveries {
        Deliveries {
            most_to_mailboxes: options.max_concurrent_mailbox_deliveries,
            most_outbound: options.max_outbound_connections,
            most_per_domain: options.max_per_domain_outbound_connections,
            mailboxes: VecDeque::new(),
            to_mailboxes: 0,
            domains: BTreeMap::new(),
            ready: BTreeSet::new(),
            outbound: 0,
            next_number: 0,
            again: BTreeSet::new(),
            silent: BTreeSet::new(),
        }
    }

    /// Threads that deliver to mailboxes.
    pub(super) fn to_mailboxes(&self) -> u32 {
        self.to_mailboxes
    }

    /// Outbound connections.
    pub(super) fn outbound(&self) -> u32 {
        self.outbound
    }

    /// Outbound connections to one domain.
    pub(super) fn to_domain(&self, id: DomainId) -> u32 {
        self.domains.get(&id).map_or(0, |domain| domain.connections)
    }

    pub(super) fn next_deadline(&self) -> Nanos {
        let first = |times: &BTreeSet<(Nanos, MessageId)>| times.first().map_or(Nanos::MAX, |(at, _)| *at);
        first(&self.again).min(first(&self.silent))
    }

    fn enqueue(&mut self, message: MessageId, destination: Destination) {
        match destination {
            Destination::Mailbox => self.mailboxes.push_back(message),
            Destination::Remote(id) => {
                let number = self.next_number;
                self.next_number += 1;
                self.change(id, |domain| domain.waiting.push_back((number, message)));
            }
        }
    }

    /// The next message that may be handed over takes its thread or connection.
    fn begin_next(&mut self) -> Option<MessageId> {
        if self.to_mailboxes < self.most_to_mailboxes
            && let Some(message) = self.mailboxes.pop_front()
        {
            self.to_mailboxes += 1;
            return Some(message);
        }
        if !self.most_outbound.allows_beside(self.outbound) {
            return None;
        }
        let (_, id) = self.ready.first().copied()?;
        self.outbound += 1;
        self.change(id, |domain| {
            domain.connections += 1;
            domain.waiting.pop_front().map(|(_, message)| message)
        })
    }

    /// A thread or connection is free again.
    fn give_back(&mut self, destination: Destination) {
        match destination {
            Destination::Mailbox => self.to_mailboxes -= 1,
            Destination::Remote(id) => {
                self.outbound -= 1;
                self.change(id, |domain| domain.connections -= 1);
            }
        }
    }

    /// What a message that may not begin waits for.
    fn in_the_way(&self, destination: Destination) -> Throttle {
        match destination {
            Destination::Mailbox => Throttle::MailboxDeliveries,
            Destination::Remote(id) if !self.most_per_domain.allows_beside(self.to_domain(id)) => {
                Throttle::PerDomainOutbound
            }
            Destination::Remote(_) => Throttle::OutboundConnections,
        }
    }

    /// Changes a domain and keeps `ready` right; a domain with nothing in it is forgotten.
    fn change<T>(&mut self, id: DomainId, how: impl FnOnce(&mut Domain) -> T) -> T {
        let most = self.most_per_domain;
        let ready = |domain: &Domain| {
            let oldest = domain.waiting.front().map(|(number, _)| *number);
            oldest.filter(|_| most.allows_beside(domain.connections))
        };
        let domain = self.domains.entry(id).or_default();
        let before = ready(domain);
        let answer = how(domain);
        let after = ready(domain);
        let is_empty = domain.waiting.is_empty() && domain.connections == 0;
        if before != after {
            if let Some(number) = before {
                self.ready.remove(&(number, id));
            }
            if let Some(number) = after {
                self.ready.insert((number, id));
            }
        }
        if is_empty {
            self.domains.remove(&id);
        }
        answer
    }
}

impl Transport {
    /// A message is taken: it is on its queue, and begins at once if it may.
    pub(super) fn queues(
        &mut self,
        message: MessageId,
        group: GroupId,
        mail: Mail,
        came: Nanos,
        effects: &mut Vec<Effect>,
    ) {
        assert!(mail.destination != Destination::Mailbox || self.has_mailboxes(), "an Edge server has no mailboxes");
        self.database.add(self.spec.database_bytes(mail));
        let before = self.queued.insert(message, Queued { group, mail, came, place: Place::Waits(None) });
        assert!(before.is_none(), "numbers of messages are used once");
        effects.push(Effect::Queued(message));
        self.waits_to_begin(message, mail.destination, effects);
    }

    fn waits_to_begin(&mut self, message: MessageId, destination: Destination, effects: &mut Vec<Effect>) {
        self.deliveries.enqueue(message, destination);
        self.begin_deliveries(effects);
        if self.queued[&message].place == Place::Waits(None) {
            let delayed = Some((self.now, self.deliveries.in_the_way(destination)));
            self.of(message).place = Place::Waits(delayed);
        }
    }

    /// What may begin now begins.
    pub(super) fn begin_deliveries(&mut self, effects: &mut Vec<Effect>) {
        while let Some(message) = self.deliveries.begin_next() {
            let now = self.now;
            let of = self.of(message);
            let (group, destination, was) = (of.group, of.mail.destination, of.place);
            of.place = Place::Delivering(None);
            if let Place::Waits(delayed) = was {
                self.memory.delay_ends(now, group, delayed);
            }
            if let Destination::Remote(id) = destination {
                self.memory.most.to_one_domain = self.memory.most.to_one_domain.max(self.deliveries.to_domain(id));
            }
            effects.push(Effect::DeliveryBegins { message, destination });
        }
    }

    pub(super) fn delivery_ended(&mut self, message: MessageId, outcome: Outcome, effects: &mut Vec<Effect>) {
        let destination = self.stops_delivering(message);
        if outcome == Outcome::Deferred {
            self.try_again(message);
        } else {
            let gone = self.queued.remove(&message).expect("it was there");
            self.database.remove(self.spec.database_bytes(gone.mail));
            self.memory.message_leaves(gone.group, outcome, self.now.since(gone.came));
        }
        self.deliveries.give_back(destination);
        self.begin_deliveries(effects);
    }

    /// The destination says nothing more: its connection is closed when it has been silent for too long.
    pub(super) fn destination_is_silent(&mut self, message: MessageId) {
        let cut_at = self.now + self.spec.send.connection_inactivity_time_out;
        let of = self.of(message);
        assert!(matches!(of.mail.destination, Destination::Remote(_)), "there is no connection to a mailbox");
        match of.place {
            Place::Delivering(None) => {
                of.place = Place::Delivering(Some(cut_at));
                self.deliveries.silent.insert((cut_at, message));
            }
            Place::Delivering(Some(_)) => {}
            _ => panic!("only a delivery that was begun goes on"),
        }
    }

    /// Connections to silent destinations are closed.
    pub(super) fn cut_silent(&mut self, effects: &mut Vec<Effect>) {
        while let Some((_, message)) = self.deliveries.silent.first().copied().filter(|(at, _)| *at <= self.now) {
            let group = self.queued[&message].group;
            self.memory.delivery_cut(self.now, group);
            let destination = self.stops_delivering(message);
            let again_at = self.try_again(message);
            effects.push(Effect::DeliveryCut { message, again_at });
            self.deliveries.give_back(destination);
            self.begin_deliveries(effects);
        }
    }

    /// Messages whose next attempt is due are on their queues again, behind the others.
    pub(super) fn retry(&mut self, effects: &mut Vec<Effect>) {
        while let Some((at, message)) = self.deliveries.again.first().copied().filter(|(at, _)| *at <= self.now) {
            self.deliveries.again.remove(&(at, message));
            let of = self.of(message);
            of.place = Place::Waits(None);
            let destination = of.mail.destination;
            self.waits_to_begin(message, destination, effects);
        }
    }

    fn stops_delivering(&mut self, message: MessageId) -> Destination {
        let of = self.of(message);
        let (destination, place) = (of.mail.destination, of.place);
        let Place::Delivering(cut_at) = place else { panic!("only a delivery that was begun ends") };
        if let Some(cut_at) = cut_at {
            self.deliveries.silent.remove(&(cut_at, message));
        }
        destination
    }

    fn try_again(&mut self, message: MessageId) -> Nanos {
        let at = self.now + self.spec.assumptions.retry_after;
        self.of(message).place = Place::Again;
        self.deliveries.again.insert((at, message));
        at
    }

    fn of(&mut self, message: MessageId) -> &mut Queued {
        self.queued.get_mut(&message).expect("only a queued message is told of")
    }
}
