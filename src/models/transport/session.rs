//! What a source says on its connection and what the Receive connector answers.
//!
//! The part of the server's machine from the connection to the message that is handed over; the counts and deadlines of
//! connections are `connections`. Commands are told one by one and answered in order; an answer may leave later than
//! the command came, never before the one that came earlier.

use super::connections::{Caller, InLine, Transfer};
use super::memory::ConnectionEnd;
use super::spec::{ErrorLimit, Limit, OverRate, RateCounts};
use super::throttle::Throttle;
use super::{Effect, Mail, MessageId, SessionId, Transport};
use crate::time::Nanos;

/// What a source says that is neither the begin nor the end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A command that is carried out: a greeting, a recipient that exists.
    Good,
    /// A recipient that does not exist.
    UnknownRecipient,
    /// A command that is none.
    ProtocolError,
    /// The text of the message begins to come; until it ends, the source is silent only if it is told to be.
    Data,
    /// The message that was begun is given up by its sender (`RSET`).
    Reset,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The command is carried out.
    Good,
    /// The message is on its queue.
    Queued,
    /// The text may come.
    StartInput,
    /// The server lacks a resource.
    InsufficientResources,
    /// The recipient does not exist.
    UserUnknown,
    /// The command is none.
    Unrecognized,
    /// There are too many connections.
    TooManyConnections,
    /// The connection was open or silent for too long.
    TimedOut,
    /// The session made too many errors.
    TooManyErrors,
}

impl Reply {
    /// The answer as the source sees it.
    // ATQ: `452 4.3.1 Insufficient system resources` (bb201658). Guess: the others, with codes of RFC 5321 and RFC
    // 3463.
    #[must_use]
    pub fn line(self) -> &'static str {
        match self {
            Reply::Good => "250 2.0.0 OK",
            Reply::Queued => "250 2.6.0 Queued mail for delivery",
            Reply::StartInput => "354 Start mail input; end with <CRLF>.<CRLF>",
            Reply::InsufficientResources => "452 4.3.1 Insufficient system resources",
            Reply::UserUnknown => "550 5.1.1 User unknown",
            Reply::Unrecognized => "500 5.3.3 Unrecognized command",
            Reply::TooManyConnections => "421 4.3.2 Too many connections, closing transmission channel",
            Reply::TimedOut => "421 4.4.1 Connection timed out",
            Reply::TooManyErrors => "421 4.7.0 Too many errors on this connection, closing transmission channel",
        }
    }

    /// What is said where `throttle` refuses or closes.
    #[must_use]
    pub fn of(throttle: Throttle) -> Reply {
        match throttle {
            Throttle::MediumPressure | Throttle::HighPressure | Throttle::DriveFull => Reply::InsufficientResources,
            Throttle::ReceiveInactivity | Throttle::ConnectionTimeout => Reply::TimedOut,
            Throttle::ProtocolErrors => Reply::TooManyErrors,
            _ => Reply::TooManyConnections,
        }
    }
}

impl Transport {
    /// A source connects: the rate is asked first, then the other limits.
    pub(super) fn connects(&mut self, session: SessionId, caller: Caller, effects: &mut Vec<Effect>) {
        self.memory.group(caller.group).connections.came += 1;
        // Nobody overtakes the line.
        if self.connections.in_line() == 0 && self.connections.rate.has_room(self.now) {
            self.opens(session, caller, effects);
            return;
        }
        let own = &self.spec.assumptions;
        match own.over_rate {
            OverRate::Refused => self.refuses(session, caller, Throttle::ConnectionRate, effects),
            OverRate::Waits if self.connections.in_line() as usize >= own.most_held => {
                self.refuses(session, caller, Throttle::ModelBound, effects);
            }
            OverRate::Waits => {
                self.connections.join_line(InLine { session, caller, since: self.now });
                effects.push(Effect::Waits(session));
            }
        }
    }

    /// The rate has room: those that wait come first.
    pub(super) fn line_moves(&mut self, effects: &mut Vec<Effect>) {
        while self.connections.rate.has_room(self.now) {
            let Some(first) = self.connections.first_in_line() else { break };
            self.memory.delayed(first.caller.group, Throttle::ConnectionRate, self.now.since(first.since));
            self.opens(first.session, first.caller, effects);
        }
    }

    fn opens(&mut self, session: SessionId, caller: Caller, effects: &mut Vec<Effect>) {
        let by = caller.peer.refused_at(self.level()).or_else(|| self.connections.refuses(caller.source, &self.spec));
        if by.is_none() || self.spec.assumptions.rate_counts == RateCounts::LetPast {
            self.connections.rate.take(self.now);
        }
        if let Some(by) = by {
            self.refuses(session, caller, by, effects);
            return;
        }
        self.connections.add(session, caller, self.now, &self.spec);
        self.memory.most.of_one_source = self.memory.most.of_one_source.max(self.connections.of_source(caller.source));
        effects.push(Effect::Opened(session));
    }

    fn refuses(&mut self, session: SessionId, caller: Caller, by: Throttle, effects: &mut Vec<Effect>) {
        self.memory.connection_refused(self.now, caller.group, by);
        effects.push(Effect::ConnectionRefused { session, by, reply: Reply::of(by) });
    }

    pub(super) fn says(&mut self, session: SessionId, said: Said, effects: &mut Vec<Effect>) {
        match said {
            Said::Good => self.answers(session, Reply::Good, false, effects),
            Said::Data => {
                assert!(self.connections.session(session).transfer.is_some(), "text belongs to a message");
                self.answers(session, Reply::StartInput, false, effects);
                self.connections.change(session, &self.spec, |session| session.idle_since = None);
            }
            Said::Reset => {
                self.drops_message(session, effects);
                self.answers(session, Reply::Good, false, effects);
            }
            Said::UnknownRecipient => {
                let is_error = self.spec.assumptions.unknown_recipient_is_error;
                self.errs(session, is_error, Reply::UserUnknown, true, effects);
            }
            Said::ProtocolError => {
                let tarpits = self.spec.assumptions.tarpits_protocol_errors;
                self.errs(session, true, Reply::Unrecognized, tarpits, effects);
            }
        }
    }

    /// A source begins a message (`MAIL FROM`).
    pub(super) fn offers(&mut self, session: SessionId, message: MessageId, effects: &mut Vec<Effect>) {
        let of = self.connections.session(session);
        assert!(of.transfer.is_none(), "a session hands over one message at a time");
        let caller = of.caller;
        self.memory.group(caller.group).messages.came += 1;
        let room = || self.has_room(0).err();
        if let Some(by) = caller.peer.refused_at(self.level()).or_else(room) {
            self.refuses_message(caller.group, message, by, effects);
            self.answers(session, Reply::InsufficientResources, false, effects);
            return;
        }
        let transfer = Some(Transfer { message, came: self.now });
        self.connections.change(session, &self.spec, |session| session.transfer = transfer);
        self.answers(session, Reply::Good, false, effects);
    }

    /// The message has come to its end.
    pub(super) fn message_ends(&mut self, session: SessionId, mail: Mail, effects: &mut Vec<Effect>) {
        let of = self.connections.session(session);
        let (caller, transfer) = (of.caller, of.transfer.expect("only a message that was begun ends"));
        self.connections.change(session, &self.spec, |session| session.transfer = None);
        let by_level =
            if self.spec.assumptions.begun_messages_finish { None } else { caller.peer.refused_at(self.level()) };
        if let Some(by) = by_level.or_else(|| self.has_room(mail.bytes).err()) {
            self.refuses_message(caller.group, transfer.message, by, effects);
            self.answers(session, Reply::InsufficientResources, false, effects);
            return;
        }
        self.answers(session, Reply::Queued, false, effects);
        self.queues(transfer.message, caller.group, mail, transfer.came, effects);
    }

    /// Nothing more comes from a source, whatever it was at.
    pub(super) fn is_silent(&mut self, session: SessionId) {
        let now = self.now;
        self.connections.change(session, &self.spec, |session| session.idle_since = session.idle_since.or(Some(now)));
    }

    pub(super) fn quits(&mut self, session: SessionId, effects: &mut Vec<Effect>) {
        if let Some(waited) = self.connections.leave_line(session) {
            let group = waited.caller.group;
            self.memory.delayed(group, Throttle::ConnectionRate, self.now.since(waited.since));
            self.memory.group(group).connections.gave_up += 1;
        } else {
            self.ends_session(session, ConnectionEnd::Quit, effects);
        }
    }

    /// Sessions whose time is up.
    pub(super) fn sessions_expire(&mut self, effects: &mut Vec<Effect>) {
        while let Some((session, by)) = self.connections.expired(self.now, &self.spec) {
            self.closes(session, by, effects);
        }
    }

    /// A command went wrong.
    fn errs(&mut self, session: SessionId, is_error: bool, reply: Reply, tarpits: bool, effects: &mut Vec<Effect>) {
        if is_error {
            self.connections.change(session, &self.spec, |session| session.errors += 1);
        }
        let errors = self.connections.session(session).errors;
        let is_too_much = match (self.spec.receive.max_protocol_errors, self.spec.assumptions.error_limit) {
            (Limit::Unlimited, _) => false,
            (Limit::At(most), ErrorLimit::NextCloses) => errors > most,
            (Limit::At(most), ErrorLimit::ReachedCloses) => errors >= most,
        };
        if is_error && is_too_much {
            self.closes(session, Throttle::ProtocolErrors, effects);
        } else {
            self.answers(session, reply, tarpits, effects);
        }
    }

    /// ATQ: the message throttling page: only anonymous sessions are tarpitted.
    fn answers(&mut self, id: SessionId, reply: Reply, tarpits: bool, effects: &mut Vec<Effect>) {
        let (now, session) = (self.now, self.connections.session(id));
        let caller = session.caller;
        let tarpit = if tarpits && !caller.authenticated { self.spec.receive.tarpit_interval } else { Nanos::ZERO };
        let at = session.answered_at.max(now) + tarpit;
        if tarpit > Nanos::ZERO {
            self.memory.delayed(caller.group, Throttle::Tarpit, tarpit);
        }
        self.connections.change(id, &self.spec, |session| {
            session.answered_at = at;
            session.idle_since = Some(now);
        });
        effects.push(Effect::Answered { session: id, reply, at, is_tarpitted: tarpit > Nanos::ZERO });
    }

    fn closes(&mut self, session: SessionId, by: Throttle, effects: &mut Vec<Effect>) {
        self.ends_session(session, ConnectionEnd::Closed(by), effects);
        effects.push(Effect::Closed { session, by, reply: Reply::of(by) });
    }

    fn ends_session(&mut self, id: SessionId, end: ConnectionEnd, effects: &mut Vec<Effect>) {
        self.drops_message(id, effects);
        let session = self.connections.remove(id);
        self.memory.connection_ends(self.now, session.caller.group, end);
    }

    /// The message that a session had begun is not handed over.
    fn drops_message(&mut self, id: SessionId, effects: &mut Vec<Effect>) {
        let session = self.connections.session(id);
        let (group, Some(transfer)) = (session.caller.group, session.transfer) else { return };
        self.connections.change(id, &self.spec, |session| session.transfer = None);
        self.memory.group(group).messages.dropped += 1;
        effects.push(Effect::MessageDropped(transfer.message));
    }
}
