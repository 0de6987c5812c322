//! What the model of a transport server remembers of a run: figures by group, its event log, levels over time, curves.
//!
//! Every list has a bound; what is beyond it is counted. No format. Written by the model, to be read by reports.

use super::GroupId;
use super::delivery::Outcome;
use super::events::{Entry, What};
use super::pressure::Level;
use super::throttle::Throttle;
use crate::models::samples::Samples;
use crate::time::Nanos;

/// Entries of the event log that are kept.
pub const KEPT: usize = 10_000;

/// What one throttle did to one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Connections that were refused.
    pub connections_refused: u64,
    /// Inbound connections that were closed.
    pub connections_closed: u64,
    /// Messages that were refused.
    pub messages_refused: u64,
    /// Deliveries that were cut; the messages are tried again.
    pub deliveries_cut: u64,
    /// Connections, answers, files, submissions or messages that waited for it; one that waits at several stages counts
    /// at each. What waits for several counts with the first.
    pub delayed: u64,
    /// How long they waited together, until the end of the run at most.
    pub delay: Nanos,
}

impl Held {
    fn add(&mut self, other: &Held) {
        self.connections_refused += other.connections_refused;
        self.connections_closed += other.connections_closed;
        self.messages_refused += other.messages_refused;
        self.deliveries_cut += other.deliveries_cut;
        self.delayed += other.delayed;
        self.delay += other.delay;
    }
}

/// Where the inbound connections of a group went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionLedger {
    /// That came.
    pub came: u64,
    /// That were refused.
    pub refused: u64,
    /// That left the line before the rate had room for them.
    pub gave_up: u64,
    /// That their sources ended.
    pub quit: u64,
    /// That the server closed.
    pub closed: u64,
    /// That wait in line at the end.
    pub waiting: u64,
    /// That are open at the end.
    pub open: u64,
}

impl ConnectionLedger {
    /// Everything that came is in exactly one place.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.came == self.refused + self.gave_up + self.quit + self.closed + self.waiting + self.open
    }
}

/// Where the messages of a group went. One that is offered again counts again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageLedger {
    /// That came: begun by a session, submitted, put into a directory.
    pub came: u64,
    /// That were refused.
    pub refused: u64,
    /// That were begun and never handed over: their senders gave them up, or the connection ended.
    pub dropped: u64,
    /// That reached their mailbox or domain.
    pub delivered: u64,
    /// That their destination will never take.
    pub bounced: u64,
    /// That are being handed over by sessions and submissions at the end.
    pub coming: u64,
    /// Files and submissions that wait at the end.
    pub waiting: u64,
    /// That are on queues at the end, or wait for their next attempt.
    pub queued: u64,
    /// That are being delivered at the end.
    pub delivering: u64,
}

impl MessageLedger {
    /// Everything that came is in exactly one place.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let gone = self.refused + self.dropped + self.delivered + self.bounced;
        self.came == gone + self.coming + self.waiting + self.queued + self.delivering
    }
}

/// Everything about one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFigures {
    /// Its inbound connections.
    pub connections: ConnectionLedger,
    /// Its messages.
    pub messages: MessageLedger,
    /// Time from the begin of a message to its delivery, of all that were delivered together.
    pub time_to_delivery: Nanos,
    /// The longest.
    pub longest_to_delivery: Nanos,
    /// By throttle.
    held: [Held; Throttle::COUNT],
}

impl GroupFigures {
    /// What a throttle did to the group.
    #[must_use]
    pub fn held(&self, by: Throttle) -> &Held {
        &self.held[by.index()]
    }

    /// Whether everything is accounted for: in the ledgers, and what was refused and closed among the throttles.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let mut all = Held::default();
        self.held.iter().for_each(|held| all.add(held));
        self.connections.is_balanced()
            && self.messages.is_balanced()
            && all.connections_refused == self.connections.refused
            && all.connections_closed == self.connections.closed
            && all.messages_refused == self.messages.refused
    }
}

/// One moment of the curves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// The level of back pressure.
    pub level: Level,
    /// Inbound connections.
    pub connections: u32,
    /// Connections that wait in line.
    pub in_line: u32,
    /// Submissions that hold a thread.
    pub submitting: u32,
    /// Files and submissions that wait.
    pub outside: u64,
    /// Messages on queues, those that are being delivered or tried again among them.
    pub queued: u64,
    /// Threads that deliver to mailboxes.
    pub to_mailboxes: u32,
    /// Outbound connections.
    pub outbound: u32,
    /// Percent of the drive with the queue database.
    pub queue_drive_percent: u32,
    /// Messages that were delivered so far.
    pub delivered: u64,
    /// Connections that were refused so far.
    pub connections_refused: u64,
    /// Messages that were refused so far.
    pub messages_refused: u64,
}

/// The most of everything that there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// Inbound connections.
    pub connections: u32,
    /// Inbound connections of one source.
    pub of_one_source: u32,
    /// Connections in line.
    pub in_line: u32,
    /// Submissions that held a thread.
    pub submitting: u32,
    /// Threads that delivered to mailboxes.
    pub to_mailboxes: u32,
    /// Outbound connections.
    pub outbound: u32,
    /// Outbound connections to one domain.
    pub to_one_domain: u32,
    /// Messages on queues.
    pub queued: u64,
    /// Percent of the drive with the queue database.
    pub queue_drive_percent: u32,
}

/// How an inbound connection ended that was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    Quit,
    Closed(Throttle),
}

/// Everything that the model remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportSummary {
    /// The end of the run.
    pub end: Nanos,
    /// By group, up to the last one that was told of.
    pub groups: Vec<GroupFigures>,
    /// Time at each level, in the order of [`Level::ALL`].
    pub time_at: [Nanos; 3],
    /// How often each level was reached from another.
    pub times_reached: [u64; 3],
    /// How long messages were dehydrated.
    pub dehydrated: Nanos,
    /// The first entries of the event log, in order of time.
    pub events: Vec<Entry>,
    /// How many more there were.
    pub events_dropped: u64,
    /// Extremes.
    pub most: Most,
    /// Sums over all groups, for the curves.
    pub(super) so_far: SoFar,
    /// The curves.
    pub samples: Samples<Load>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SoFar {
    pub(super) delivered: u64,
    pub(super) connections_refused: u64,
    pub(super) messages_refused: u64,
}

impl TransportSummary {
    pub(super) fn new(sample_every: Nanos) -> TransportSummary {
        TransportSummary {
            end: Nanos::ZERO,
            groups: Vec::new(),
            time_at: [Nanos::ZERO; 3],
            times_reached: [0; 3],
            dehydrated: Nanos::ZERO,
            events: Vec::new(),
            events_dropped: 0,
            most: Most::default(),
            so_far: SoFar::default(),
            samples: Samples::new(sample_every),
        }
    }

    /// What a throttle did to all groups.
    #[must_use]
    pub fn held(&self, by: Throttle) -> Held {
        let mut all = Held::default();
        self.groups.iter().for_each(|group| all.add(group.held(by)));
        all
    }

    /// Whether everything is accounted for, in every group and over time.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let [normal, medium, high] = self.time_at;
        self.groups.iter().all(GroupFigures::is_balanced) && normal + medium + high == self.end
    }

    pub(super) fn group(&mut self, id: GroupId) -> &mut GroupFigures {
        let at = usize::from(id.0);
        if at >= self.groups.len() {
            self.groups.resize_with(at + 1, GroupFigures::default);
        }
        &mut self.groups[at]
    }

    fn held_mut(&mut self, id: GroupId, by: Throttle) -> &mut Held {
        &mut self.group(id).held[by.index()]
    }

    pub(super) fn write(&mut self, entry: Entry) {
        if self.events.len() < KEPT {
            self.events.push(entry);
        } else {
            self.events_dropped += 1;
        }
    }

    /// The first time that a throttle refuses, closes or cuts is an entry of the log.
    fn first_held(&mut self, at: Nanos, group: GroupId, by: Throttle) {
        let held = *self.held_mut(group, by);
        if held.connections_refused + held.connections_closed + held.messages_refused + held.deliveries_cut == 0 {
            self.write(Entry { at, id: None, what: What::FirstHeld { group, by } });
        }
    }

    pub(super) fn connection_refused(&mut self, now: Nanos, group: GroupId, by: Throttle) {
        self.first_held(now, group, by);
        self.held_mut(group, by).connections_refused += 1;
        self.group(group).connections.refused += 1;
        self.so_far.connections_refused += 1;
    }

    pub(super) fn connection_ends(&mut self, now: Nanos, group: GroupId, end: ConnectionEnd) {
        match end {
            ConnectionEnd::Quit => self.group(group).connections.quit += 1,
            ConnectionEnd::Closed(by) => {
                self.first_held(now, group, by);
                self.held_mut(group, by).connections_closed += 1;
                self.group(group).connections.closed += 1;
            }
        }
    }

    pub(super) fn message_refused(&mut self, now: Nanos, group: GroupId, by: Throttle) {
        self.first_held(now, group, by);
        self.held_mut(group, by).messages_refused += 1;
        self.group(group).messages.refused += 1;
        self.so_far.messages_refused += 1;
    }

    pub(super) fn delivery_cut(&mut self, now: Nanos, group: GroupId) {
        self.first_held(now, group, Throttle::SendInactivity);
        self.held_mut(group, Throttle::SendInactivity).deliveries_cut += 1;
    }

    pub(super) fn message_leaves(&mut self, group: GroupId, outcome: Outcome, after: Nanos) {
        let figures = self.group(group);
        if outcome == Outcome::Bounced {
            figures.messages.bounced += 1;
            return;
        }
        figures.messages.delivered += 1;
        figures.time_to_delivery += after;
        figures.longest_to_delivery = figures.longest_to_delivery.max(after);
        self.so_far.delivered += 1;
    }

    pub(super) fn delayed(&mut self, group: GroupId, by: Throttle, delay: Nanos) {
        let held = self.held_mut(group, by);
        held.delayed += 1;
        held.delay += delay;
    }

    /// What was delayed, if it was, goes on.
    pub(super) fn delay_ends(&mut self, now: Nanos, group: GroupId, delayed: Option<(Nanos, Throttle)>) {
        if let Some((since, by)) = delayed {
            self.delayed(group, by, now.since(since));
        }
    }

    /// Remembers the extremes of this moment.
    pub(super) fn look(&mut self, now: &Load) {
        let most = &mut self.most;
        most.connections = most.connections.max(now.connections);
        most.in_line = most.in_line.max(now.in_line);
        most.submitting = most.submitting.max(now.submitting);
        most.to_mailboxes = most.to_mailboxes.max(now.to_mailboxes);
        most.outbound = most.outbound.max(now.outbound);
        most.queued = most.queued.max(now.queued);
        most.queue_drive_percent = most.queue_drive_percent.max(now.queue_drive_percent);
    }
}
