//! Senders at work: sessions command by command, submissions and files, and what they do with what was refused.
//!
//! A *job* is what a sender wants to hand over at once: the messages of a session, a submission, a file. It is over when
//! all of them are handed over or given up; until then each attempt is a session or submission of its own.
//! Guess: a sender that is told `452` ends its session and offers the rest again with its next attempt.

use super::draws::{Draw, between, mail};
use super::{Message, Timer, TransportRun, is_refusal};
use crate::engine::limits::Call;
use crate::item::Outcome;
use crate::models::transport::{
    Caller, Directory, GroupId, Mail, MessageId, Reply, Said, SessionId, SourceId, Stimulus,
};
use crate::plan::limits::transport::{Entrance, Sessions, StallsAt};
use crate::rng::Stream;
use crate::time::Nanos;
use crate::workload::PackedItem;

/// What a sender wants to hand over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) item: PackedItem,
    pub(super) group: GroupId,
    /// The first message that is not done yet, and how many there are.
    next: u32,
    count: u32,
    /// Attempts before this one.
    pub(super) attempt: u32,
}

/// A session that is open or waits for its greeting.
#[derive(Debug)]
pub(super) struct Session {
    job: Job,
    stream: Stream,
    is_open: bool,
    stalls: bool,
    /// What it says next.
    step: Step,
    /// A wrong command was said before it.
    has_erred: bool,
    letter: Option<Letter>,
}

/// The message that a session is about to hand over.
#[derive(Debug)]
struct Letter {
    mail: Mail,
    recipients: u32,
    has_recipient: bool,
    stream: Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hello,
    Mail,
    Recipient,
    Data,
    End,
    Reset,
    Quit,
}

impl TransportRun {
    fn sessions_of(&self, job: &Job) -> &Sessions {
        match &self.plan.groups[usize::from(job.group.0)].entrance {
            Entrance::Smtp(sessions) => sessions,
            _ => unreachable!("only senders over SMTP have sessions"),
        }
    }

    /// A sender wants to send.
    pub(super) fn comes(&mut self, now: Nanos, item: PackedItem, group: GroupId, calls: &mut Vec<Call>) {
        let mut job = Job { item, group, next: 0, count: 1, attempt: 0 };
        let mut is_wanted = true;
        if let Entrance::Smtp(sessions) = &self.plan.groups[usize::from(group.0)].entrance {
            job.count = between(sessions.messages, &mut self.draw(&job, Draw::Count));
            is_wanted = !sessions.harvests;
        }
        if is_wanted {
            let messages = &mut self.sender(job).messages;
            messages.wanted += u64::from(job.count);
            messages.trying += u64::from(job.count);
        }
        self.begins(now, job, calls);
    }

    /// An attempt begins.
    pub(super) fn begins(&mut self, now: Nanos, job: Job, calls: &mut Vec<Call>) {
        let plan = std::sync::Arc::clone(&self.plan);
        let group = &plan.groups[usize::from(job.group.0)];
        if let Entrance::Smtp(sessions) = &group.entrance {
            return self.connects(now, job, sessions, calls);
        }
        let mail = mail(&plan, group, &mut self.draw(&job, Draw::Message(0)));
        let message = self.is_told_of(job);
        let what = match group.entrance {
            Entrance::Pickup => Stimulus::File(Directory::Pickup, message, job.group, mail),
            Entrance::Replay => Stimulus::File(Directory::Replay, message, job.group, mail),
            _ => Stimulus::Submits(message, job.group, mail),
        };
        self.tell(now, what, calls);
    }

    fn connects(&mut self, now: Nanos, job: Job, sessions: &Sessions, calls: &mut Vec<Call>) {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let mut stream = self.draw(&job, Draw::Session);
        let stalls = sessions.stalls > 0.0 && stream.unit() < sessions.stalls;
        let own = Session { job, stream, is_open: false, stalls, step: Step::Hello, has_erred: false, letter: None };
        self.sessions.insert(session, own);
        let server = (job.item.number() % u64::from(sessions.servers)) as u32;
        let caller = Caller {
            source: SourceId(sessions.first_source.0 + server),
            group: job.group,
            authenticated: sessions.authenticated,
            peer: sessions.peer,
        };
        self.tell(now, Stimulus::Connects { session, caller }, calls);
    }

    /// The number of the job's next message.
    fn is_told_of(&mut self, job: Job) -> MessageId {
        let message = MessageId(self.next_message);
        self.next_message += 1;
        self.messages.insert(message, Message { job, number: job.next, attempts: 0 });
        message
    }

    pub(super) fn opened(&mut self, now: Nanos, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.is_open = true;
        let job = session.job;
        if session.stalls && self.sessions_of(&job).stalls_at == StallsAt::Greeting {
            return;
        }
        self.speaks_after(id, now);
    }

    pub(super) fn waits(&mut self, now: Nanos, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let patience = self.sessions_of(&session.job).patience;
        self.at(now + patience, Timer::GivesUp(id));
    }

    /// The greeting did not come.
    pub(super) fn gives_up(&mut self, now: Nanos, id: SessionId, calls: &mut Vec<Call>) {
        if self.sessions.get(&id).is_some_and(|session| !session.is_open) {
            self.tell(now, Stimulus::Quits(id), calls);
            self.session_ends(now, id);
        }
    }

    /// The session says its next command some time after `answered`.
    fn speaks_after(&mut self, id: SessionId, answered: Nanos) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Entrance::Smtp(sessions) = &self.plan.groups[usize::from(session.job.group.0)].entrance else { return };
        let takes = match session.step {
            Step::End => sessions.transfer.draw(&mut session.stream),
            _ => sessions.command.draw(&mut session.stream),
        };
        let stops = session.step == Step::End && session.stalls && sessions.stalls_at == StallsAt::Text;
        let timer = if stops { Timer::Stalls(id) } else { Timer::Speaks(id) };
        self.at(answered + takes, timer);
    }

    /// An answer has come, or will at `at`.
    pub(super) fn answered(&mut self, id: SessionId, reply: Reply, at: Nanos) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if is_refusal(reply) {
            session.step = Step::Quit;
        } else if reply == Reply::Queued {
            session.job.next += 1;
            session.step = if session.job.next < session.job.count { Step::Mail } else { Step::Quit };
        }
        self.speaks_after(id, at);
    }

    /// The session says its next command.
    pub(super) fn speaks(&mut self, now: Nanos, id: SessionId, calls: &mut Vec<Call>) {
        // It may have been closed since.
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let plan = std::sync::Arc::clone(&self.plan);
        let group = &plan.groups[usize::from(session.job.group.0)];
        let Entrance::Smtp(sessions) = &group.entrance else { return };
        // Within a text nothing is said.
        let may_err = sessions.protocol_errors > 0.0 && session.step != Step::End && !session.has_erred;
        if may_err && session.stream.unit() < sessions.protocol_errors {
            session.has_erred = true;
            return self.tell(now, Stimulus::Says(id, Said::ProtocolError), calls);
        }
        session.has_erred = false;
        let job = session.job;
        match session.step {
            Step::Hello => {
                session.step = Step::Mail;
                self.tell(now, Stimulus::Says(id, Said::Good), calls);
            }
            Step::Mail => {
                let mut stream = self.draw(&job, Draw::Message(job.next));
                let mail = mail(&plan, group, &mut stream);
                let recipients = between(sessions.recipients, &mut stream);
                let letter = Letter { mail, recipients, has_recipient: false, stream };
                let message = self.is_told_of(job);
                if let Some(session) = self.sessions.get_mut(&id) {
                    (session.letter, session.step) = (Some(letter), Step::Recipient);
                }
                self.tell(now, Stimulus::Offers(id, message), calls);
            }
            Step::Recipient => self.asks(now, id, sessions, calls),
            Step::Data => {
                session.step = Step::End;
                self.tell(now, Stimulus::Says(id, Said::Data), calls);
            }
            Step::End => {
                let letter = session.letter.take().expect("it was offered");
                self.tell(now, Stimulus::MessageEnds(id, letter.mail), calls);
            }
            Step::Reset => self.resets(now, id, sessions, calls),
            Step::Quit => {
                self.tell(now, Stimulus::Quits(id), calls);
                self.session_ends(now, id);
            }
        }
    }

    /// `RCPT`.
    fn asks(&mut self, now: Nanos, id: SessionId, sessions: &Sessions, calls: &mut Vec<Call>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let letter = session.letter.as_mut().expect("it was offered");
        let exists = letter.stream.unit() >= sessions.unknown_recipients;
        letter.has_recipient |= exists;
        letter.recipients -= 1;
        let sends = letter.has_recipient && !sessions.harvests;
        session.step = match letter.recipients {
            0 if sends => Step::Data,
            0 => Step::Reset,
            _ => Step::Recipient,
        };
        let job = session.job;
        let sender = self.sender(job);
        sender.recipients_asked += 1;
        sender.recipients_found += u64::from(exists);
        let said = if exists { Said::Good } else { Said::UnknownRecipient };
        self.tell(now, Stimulus::Says(id, said), calls);
    }

    /// A message that is not to be handed over: it has no recipient, or none was meant to get it.
    fn resets(&mut self, now: Nanos, id: SessionId, sessions: &Sessions, calls: &mut Vec<Call>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.letter = None;
        session.job.next += 1;
        session.step = if session.job.next < session.job.count { Step::Mail } else { Step::Quit };
        let job = session.job;
        if !sessions.harvests {
            let messages = &mut self.sender(job).messages;
            messages.trying -= 1;
            messages.for_nobody += 1;
        }
        self.tell(now, Stimulus::Says(id, Said::Reset), calls);
    }

    pub(super) fn session_ends(&mut self, now: Nanos, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.attempt_ends(now, session.job);
        }
    }

    /// The server has not taken a message. Of a session, its answer says so as well.
    pub(super) fn refused(&mut self, now: Nanos, id: MessageId) {
        let Some(message) = self.messages.remove(&id) else { return };
        if !matches!(self.plan.groups[usize::from(message.job.group.0)].entrance, Entrance::Smtp(_)) {
            self.attempt_ends(now, message.job);
        }
    }

    /// The server has taken a message.
    pub(super) fn queued(&mut self, now: Nanos, id: MessageId) {
        let job = self.messages[&id].job;
        let sender = self.sender(job);
        sender.messages.handed_over += 1;
        sender.messages.trying -= 1;
        sender.to_queue.record(now.since(job.item.due));
        if !matches!(self.plan.groups[usize::from(job.group.0)].entrance, Entrance::Smtp(_)) {
            self.load.after(&job.item, Outcome::Served, now);
        }
    }

    /// What is left of a job is tried again, or given up.
    fn attempt_ends(&mut self, now: Nanos, job: Job) {
        if job.next == job.count {
            self.load.after(&job.item, Outcome::Served, now);
            return;
        }
        let plan = std::sync::Arc::clone(&self.plan);
        let group = &plan.groups[usize::from(job.group.0)];
        let has_room = self.put_off < plan.spec.assumptions.most_held;
        if let Some(retry) = group.retry.as_ref().filter(|retry| job.attempt + 1 < retry.attempts && has_room) {
            let after = retry.after.draw(&mut self.draw(&job, Draw::Again));
            self.put_off += 1;
            self.at(now + after, Timer::Again(Job { attempt: job.attempt + 1, ..job }));
            return;
        }
        if !matches!(&group.entrance, Entrance::Smtp(sessions) if sessions.harvests) {
            let left = u64::from(job.count - job.next);
            let messages = &mut self.sender(job).messages;
            messages.trying -= left;
            messages.given_up += left;
        }
        self.load.after(&job.item, Outcome::Refused, now);
    }
}
