//! Inbound connections: who is connected, from which source, how many a minute, and until when.
//!
//! Rules and counts of the Receive connector, without the talk on a connection (that is `session`). Called by the
//! server's machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::pressure::Level;
use super::spec::{Limit, PerSource, RateWindow, TransportSpec};
use super::throttle::Throttle;
use super::{GroupId, MessageId, SessionId, SourceId};
use crate::time::Nanos;

/// Who connects, as back pressure tells sources apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Another Hub Transport server.
    Hub,
    /// A sender of one of the organization's own (authoritative) domains.
    AuthoritativeDomain,
    /// Anybody else.
    Other,
}

impl Peer {
    /// What refuses the connections and messages of such a source at a level.
    /// ATQ: bb201658 (Exchange 2007).
    #[must_use]
    pub fn refused_at(self, level: Level) -> Option<Throttle> {
        match level {
            Level::Normal => None,
            Level::Medium => (self == Peer::Other).then_some(Throttle::MediumPressure),
            Level::High => Some(Throttle::HighPressure),
        }
    }
}

/// Who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The server that connects: limits of one source count by it.
    pub source: SourceId,
    /// The group that it is counted with.
    pub group: GroupId,
    /// The session authenticates; one that does not is anonymous, and only these are tarpitted.
    pub authenticated: bool,
    /// What back pressure takes it for.
    pub peer: Peer,
}

/// A message that a session has begun to hand over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub(super) message: MessageId,
    pub(super) came: Nanos,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) caller: Caller,
    pub(super) opened: Nanos,
    /// Since when nothing has come; `None`: it is sending a message.
    pub(super) idle_since: Option<Nanos>,
    /// When the last of its answers leaves.
    pub(super) answered_at: Nanos,
    pub(super) errors: u32,
    pub(super) transfer: Option<Transfer>,
    /// Where it stands among the deadlines.
    deadline: Nanos,
}

/// A connection that waits until the rate has room.
#[derive(Clone, Copy, Debug)]
pub(super) struct InLine {
    pub(super) session: SessionId,
    pub(super) caller: Caller,
    pub(super) since: Nanos,
}

/// Inbound connections of the last minute.
#[derive(Debug)]
pub(super) struct Rate {
    per_minute: u32,
    /// Connections are counted in slots of this length; each counts for so many slots.
    slot: Nanos,
    slots: u64,
    counts: VecDeque<(u64, u32)>,
    sum: u32,
}

impl Rate {
    pub(super) fn new(per_minute: u32, window: RateWindow) -> Rate {
        // 61 whole seconds hold any 60 seconds.
        let (slot, slots) = match window {
            RateWindow::Sliding => (Nanos::SECOND, 61),
            RateWindow::Minutes => (Nanos::from_secs(60), 1),
        };
        Rate { per_minute, slot, slots, counts: VecDeque::new(), sum: 0 }
    }

    pub(super) fn has_room(&mut self, now: Nanos) -> bool {
        let slot = now.0 / self.slot.0;
        while let Some((_, count)) = self.counts.front().copied().filter(|(at, _)| at + self.slots <= slot) {
            self.counts.pop_front();
            self.sum -= count;
        }
        self.sum < self.per_minute
    }

    /// One more, after `has_room`.
    pub(super) fn take(&mut self, now: Nanos) {
        let slot = now.0 / self.slot.0;
        self.sum += 1;
        match self.counts.back_mut() {
            Some((at, count)) if *at == slot => *count += 1,
            _ => self.counts.push_back((slot, 1)),
        }
    }

    /// When there is more room than now.
    pub(super) fn next_room(&self) -> Nanos {
        self.counts.front().map_or(Nanos::MAX, |(at, _)| self.slot * (at + self.slots))
    }
}

#[derive(Debug)]
pub(super) struct Connections {
    sessions: BTreeMap<SessionId, Session>,
    by_source: BTreeMap<SourceId, u32>,
    deadlines: BTreeSet<(Nanos, SessionId)>,
    pub(super) rate: Rate,
    line: BTreeMap<u64, InLine>,
    places: BTreeMap<SessionId, u64>,
    next_place: u64,
}

impl Connections {
    pub(super) fn new(spec: &TransportSpec) -> Connections {
        Connections {
            sessions: BTreeMap::new(),
            by_source: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            rate: Rate::new(spec.server.max_connection_rate_per_minute, spec.assumptions.rate_window),
            line: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
        }
    }

    pub(super) fn open(&self) -> u32 {
        self.sessions.len() as u32
    }

    pub(super) fn in_line(&self) -> u32 {
        self.line.len() as u32
    }

    pub(super) fn of_source(&self, source: SourceId) -> u32 {
        self.by_source.get(&source).copied().unwrap_or(0)
    }

    pub(super) fn session(&self, id: SessionId) -> &Session {
        self.sessions.get(&id).expect("only an open session is told of")
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// What refuses a connection that the rate lets past, besides back pressure.
    // Guess: the order; it decides only which limit is blamed where several are reached.
    pub(super) fn refuses(&self, source: SourceId, spec: &TransportSpec) -> Option<Throttle> {
        let (receive, own) = (&spec.receive, &spec.assumptions);
        let (open, held) = (self.open(), self.of_source(source));
        if open as usize >= own.most_held {
            return Some(Throttle::ModelBound);
        }
        if !receive.max_inbound_connection.allows_beside(open) {
            return Some(Throttle::InboundConnections);
        }
        let count = match receive.max_inbound_connection_per_source {
            Limit::At(most) if own.per_source != PerSource::PercentageOnly => Some(most),
            _ => None,
        };
        let share = match own.per_source {
            PerSource::CountOnly => None,
            _ => receive.share_of_remaining(open, own.share_rounding),
        };
        let by_count = count.is_some_and(|most| held >= most);
        let by_share = share.is_some_and(|most| held >= most);
        let share_is_smaller = share.unwrap_or(u32::MAX) < count.unwrap_or(u32::MAX);
        match (by_count, by_share) {
            (false, false) => None,
            (_, true) if share_is_smaller => Some(Throttle::InboundPercentagePerSource),
            _ => Some(Throttle::InboundPerSource),
        }
    }

    pub(super) fn add(&mut self, id: SessionId, caller: Caller, now: Nanos, spec: &TransportSpec) {
        let session = Session {
            caller,
            opened: now,
            idle_since: Some(now),
            answered_at: now,
            errors: 0,
            transfer: None,
            deadline: Nanos::MAX,
        };
        *self.by_source.entry(caller.source).or_default() += 1;
        let before = self.sessions.insert(id, session);
        assert!(before.is_none(), "numbers of sessions are used once");
        self.change(id, spec, |_| ());
    }

    /// Changes a session and moves its deadline.
    pub(super) fn change(&mut self, id: SessionId, spec: &TransportSpec, how: impl FnOnce(&mut Session)) {
        let session = self.sessions.get_mut(&id).expect("only an open session is told of");
        how(session);
        let (deadline, _) = deadline_of(session, spec);
        if deadline != session.deadline {
            self.deadlines.remove(&(session.deadline, id));
            self.deadlines.insert((deadline, id));
            session.deadline = deadline;
        }
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Session {
        let session = self.sessions.remove(&id).expect("only an open session ends");
        self.deadlines.remove(&(session.deadline, id));
        let held = self.by_source.get_mut(&session.caller.source).expect("it is counted");
        *held -= 1;
        if *held == 0 {
            self.by_source.remove(&session.caller.source);
        }
        session
    }

    /// The first session whose deadline has come, and which it is.
    pub(super) fn expired(&self, now: Nanos, spec: &TransportSpec) -> Option<(SessionId, Throttle)> {
        let (_, id) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        Some((id, deadline_of(self.session(id), spec).1))
    }

    pub(super) fn next_deadline(&self) -> Nanos {
        let line = if self.line.is_empty() { Nanos::MAX } else { self.rate.next_room() };
        self.deadlines.first().map_or(Nanos::MAX, |(deadline, _)| *deadline).min(line)
    }

    pub(super) fn join_line(&mut self, waiting: InLine) {
        let before = self.places.insert(waiting.session, self.next_place);
        assert!(before.is_none(), "numbers of sessions are used once");
        self.line.insert(self.next_place, waiting);
        self.next_place += 1;
    }

    pub(super) fn first_in_line(&mut self) -> Option<InLine> {
        let (_, first) = self.line.pop_first()?;
        self.places.remove(&first.session);
        Some(first)
    }

    /// A session leaves the line, if it is there.
    pub(super) fn leave_line(&mut self, id: SessionId) -> Option<InLine> {
        let place = self.places.remove(&id)?;
        self.line.remove(&place)
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &InLine> {
        self.line.values()
    }
}

/// When a session is closed, and by what. A source is not silent while it waits for an answer.
fn deadline_of(session: &Session, spec: &TransportSpec) -> (Nanos, Throttle) {
    let receive = &spec.receive;
    let whole = session.opened + receive.connection_timeout;
    let idle = session
        .idle_since
        .map_or(Nanos::MAX, |since| since.max(session.answered_at) + receive.connection_inactivity_timeout);
    if idle <= whole { (idle, Throttle::ReceiveInactivity) } else { (whole, Throttle::ConnectionTimeout) }
}
