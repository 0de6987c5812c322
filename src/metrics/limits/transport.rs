//! The figures of a transport server: what its model remembers, and what became of each message that a sender wanted to
//! hand over.
//!
//! Not the model and not a format. Made by `engine::limits`, told by `report`.

use crate::metrics::latency::Latency;
use crate::models::transport::{GroupFigures, Level, Throttle, TransportSummary};
use crate::time::Nanos;

/// A transport server.
#[derive(Clone, Debug, PartialEq)]
pub struct TransportFigures {
    /// What the model remembers. Its `groups` end with the last one that was told of: see [`TransportFigures::of_group`].
    pub summary: TransportSummary,
    /// What the senders know, by group of the plan.
    pub senders: Vec<SenderFigures>,
}

/// What the senders of a group know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SenderFigures {
    /// Whether the group is an honest one.
    pub honest: bool,
    /// Where their messages are. Each counts once, however often it was offered.
    pub messages: Wanted,
    /// Attempts after the first: sessions, or submissions.
    pub retries: u64,
    /// `RCPT` commands that were answered.
    pub recipients_asked: u64,
    /// Those among them whose recipient exists: what a harvest yields.
    pub recipients_found: u64,
    /// From when a sender wanted to send to when the message was on the server's queue, of all that were handed over.
    pub to_queue: Latency,
    /// From when a sender wanted to send to when the message was in its mailbox or at its domain, of all that were
    /// delivered.
    pub to_delivery: Latency,
}

/// Where the messages of a group are, from their senders' side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// That senders wanted to hand over.
    pub wanted: u64,
    /// That the server took.
    pub handed_over: u64,
    /// That have no recipient that exists: the server told so.
    pub for_nobody: u64,
    /// That their senders gave up.
    pub given_up: u64,
    /// That senders still have: being offered, or to be offered again.
    pub trying: u64,
}

impl Wanted {
    /// Every message is in exactly one place.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.wanted == self.handed_over + self.for_nobody + self.given_up + self.trying
    }

    /// Share of those with a recipient that were handed over, in percent; 100 where there are none.
    #[must_use]
    pub fn through_percent(&self) -> f64 {
        match self.wanted.saturating_sub(self.for_nobody) {
            0 => 100.0,
            wanted => self.handed_over as f64 / wanted as f64 * 100.0,
        }
    }

    fn add(&mut self, other: &Wanted) {
        self.wanted += other.wanted;
        self.handed_over += other.handed_over;
        self.for_nobody += other.for_nobody;
        self.given_up += other.given_up;
        self.trying += other.trying;
    }
}

impl TransportFigures {
    /// What the server did to a group of the plan.
    #[must_use]
    pub fn of_group(&self, at: usize) -> GroupFigures {
        self.summary.groups.get(at).cloned().unwrap_or_default()
    }

    /// The messages of all honest groups together, or of all others.
    #[must_use]
    pub fn wanted(&self, honest: bool) -> Wanted {
        let mut all = Wanted::default();
        self.senders.iter().filter(|group| group.honest == honest).for_each(|group| all.add(&group.messages));
        all
    }

    /// Connections and messages that were refused, and connections that were closed: of honest groups, or of all others.
    #[must_use]
    pub fn held(&self, honest: bool) -> [u64; 3] {
        let mut all = [0; 3];
        for (group, _) in self.summary.groups.iter().zip(&self.senders).filter(|(_, own)| own.honest == honest) {
            let own = [group.connections.refused, group.messages.refused, group.connections.closed];
            all.iter_mut().zip(own).for_each(|(all, own)| *all += own);
        }
        all
    }

    /// From the wish to send to the queue, of all honest groups together.
    #[must_use]
    pub fn honest_to_queue(&self) -> Latency {
        let mut all = Latency::default();
        self.senders.iter().filter(|group| group.honest).for_each(|group| all.merge(&group.to_queue));
        all
    }

    /// How long a level lasted.
    #[must_use]
    pub fn time_at(&self, level: Level) -> Nanos {
        self.summary.time_at[level as usize]
    }

    pub(super) fn listed(&self) -> Vec<(&'static str, f64)> {
        let (summary, most) = (&self.summary, &self.summary.most);
        let [honest_connections, honest_messages, honest_closed] = self.held(true);
        let [connections, messages, closed] = self.held(false);
        let (honest, others) = (self.wanted(true), self.wanted(false));
        let waits = self.honest_to_queue().summary();
        let found: u64 = self.senders.iter().map(|group| group.recipients_found).sum();
        let counts = [
            ("transport.honest_refused", honest_connections + honest_messages),
            ("transport.honest_closed", honest_closed),
            ("transport.honest_given_up", honest.given_up),
            ("transport.honest_trying", honest.trying),
            ("transport.others_refused", connections + messages),
            ("transport.others_closed", closed),
            ("transport.tarpitted", summary.held(Throttle::Tarpit).delayed),
            ("transport.recipients_found", found),
            ("transport.times_medium", summary.times_reached[Level::Medium as usize]),
            ("transport.times_high", summary.times_reached[Level::High as usize]),
            ("transport.connections_max", most.connections.into()),
            ("transport.of_one_source_max", most.of_one_source.into()),
            ("transport.submitting_max", most.submitting.into()),
            ("transport.to_mailboxes_max", most.to_mailboxes.into()),
            ("transport.outbound_max", most.outbound.into()),
            ("transport.to_one_domain_max", most.to_one_domain.into()),
            ("transport.queued_max", most.queued),
        ];
        let mut all: Vec<(&'static str, f64)> = counts.map(|(name, count)| (name, count as f64)).to_vec();
        all.extend([
            ("transport.honest_through_percent", honest.through_percent()),
            ("transport.others_through_percent", others.through_percent()),
            ("transport.honest_wait_mean_s", waits.mean_us / 1e6),
            ("transport.honest_wait_max_s", waits.max.as_secs_f64()),
            ("transport.medium_s", self.time_at(Level::Medium).as_secs_f64()),
            ("transport.high_s", self.time_at(Level::High).as_secs_f64()),
        ]);
        all
    }

    pub(super) fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.summary.is_balanced() || self.summary.groups.len() > self.senders.len() {
            found.push("transport: connections, messages or times of the server are not all accounted for".to_string());
        }
        for (at, group) in self.senders.iter().enumerate().filter(|(_, group)| !group.messages.is_balanced()) {
            let ledger = group.messages;
            found.push(format!("transport: what senders of group {at} wanted is not what became of it: {ledger:?}"));
        }
        found
    }
}
