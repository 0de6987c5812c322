//! A transport server with everybody around it: the load says when a sender begins, the plan what he says and how long
//! things take, the model what the server answers.
//!
//! A submission and a delivery to a mailbox hold a thread of the store driver, and are calls. Everything else is a timer:
//! the next command of a session, the end of a remote delivery, a sender's next attempt. Of the same moment the model is
//! told the time first, then what others use, then timers in the order of their making, then new senders.
//! What senders do is `senders`, what draws there are `draws`.

mod draws;
mod senders;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::draws::Draw;
use self::senders::{Job, Session};
use super::{Call, Limit};
use crate::engine::EngineError;
use crate::metrics::limits::{SenderFigures, TransportFigures};
use crate::models::transport::{
    Destination, Effect, GroupId, MessageId, Outcome, Reply, SessionId, Stimulus, Transport,
};
use crate::plan::limits::TransportPlan;
use crate::time::Nanos;
use crate::workload::Workload;

/// A message that the server has been told of.
#[derive(Clone, Copy, Debug)]
struct Message {
    job: Job,
    /// Which of the job's messages.
    number: u32,
    /// Deliveries that were begun.
    attempts: u32,
}

/// What a call is for.
#[derive(Clone, Copy, Debug)]
enum Held {
    Submission(MessageId),
    Delivery(MessageId),
}

/// What is due by itself.
#[derive(Clone, Copy, Debug)]
enum Timer {
    /// A session says its next command.
    Speaks(SessionId),
    /// The text of a session's message stops.
    Stalls(SessionId),
    /// A sender has waited for the greeting for long enough.
    GivesUp(SessionId),
    /// A sender tries again.
    Again(Job),
    /// A remote delivery ends.
    Delivered(MessageId, Outcome),
    /// A remote server goes silent.
    Silent(MessageId),
}

pub(super) struct TransportRun {
    plan: Arc<TransportPlan>,
    server: Transport,
    load: Workload,
    sessions: BTreeMap<SessionId, Session>,
    messages: BTreeMap<MessageId, Message>,
    /// By number of the call.
    held: BTreeMap<u64, Held>,
    begun: u64,
    timers: BTreeMap<(Nanos, u64), Timer>,
    sequence: u64,
    next_session: u64,
    next_message: u64,
    /// How many of the plan's usages have been told.
    used: usize,
    /// Senders that wait for their next attempt.
    put_off: usize,
    senders: Vec<SenderFigures>,
    effects: Vec<Effect>,
}

impl TransportRun {
    pub(super) fn new(plan: &Arc<TransportPlan>, seed: u64, until: Nanos) -> Result<TransportRun, EngineError> {
        let sender = |honest: bool| SenderFigures { honest, ..SenderFigures::default() };
        Ok(TransportRun {
            server: Transport::new(Arc::clone(&plan.spec)),
            load: Workload::new(Arc::clone(&plan.load), seed, until).map_err(EngineError::Load)?,
            senders: plan.groups.iter().map(|group| sender(group.honest)).collect(),
            plan: Arc::clone(plan),
            sessions: BTreeMap::new(),
            messages: BTreeMap::new(),
            held: BTreeMap::new(),
            begun: 0,
            timers: BTreeMap::new(),
            sequence: 0,
            next_session: 0,
            next_message: 0,
            used: 0,
            put_off: 0,
            effects: Vec::new(),
        })
    }

    pub(super) fn close(self, end: Nanos) -> TransportFigures {
        TransportFigures { summary: self.server.close_books(end), senders: self.senders }
    }

    fn tell(&mut self, now: Nanos, what: Stimulus, calls: &mut Vec<Call>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.server.tell(now, what, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(now, effect, calls);
        }
        self.effects = effects;
    }

    fn at(&mut self, at: Nanos, what: Timer) {
        self.timers.insert((at, self.sequence), what);
        self.sequence += 1;
    }

    fn carry_out(&mut self, now: Nanos, effect: Effect, calls: &mut Vec<Call>) {
        match effect {
            Effect::Opened(session) => self.opened(now, session),
            Effect::Waits(session) => self.waits(now, session),
            Effect::ConnectionRefused { session, .. } | Effect::Closed { session, .. } => {
                self.session_ends(now, session);
            }
            Effect::Answered { session, reply, at, .. } => self.answered(session, reply, at),
            Effect::MessageRefused { message, .. } => self.refused(now, message),
            Effect::MessageDropped(message) => {
                self.messages.remove(&message);
            }
            Effect::Queued(message) => self.queued(now, message),
            Effect::SubmissionBegins(message) => {
                let of = self.messages[&message];
                let takes = self.plan.mailboxes.submission.draw(&mut self.draw(&of.job, Draw::Submission));
                self.calls(Held::Submission(message), takes, calls);
            }
            Effect::DeliveryBegins { message, destination } => self.delivers(now, message, destination, calls),
            // The model tries again by itself, and levels are its own.
            Effect::DeliveryCut { .. } | Effect::LevelChanged { .. } | Effect::Dehydrates(_) | Effect::Logged(_) => {}
        }
    }

    fn calls(&mut self, held: Held, takes: Nanos, calls: &mut Vec<Call>) {
        self.held.insert(self.begun, held);
        calls.push(Call { id: self.begun, takes });
        self.begun += 1;
    }

    /// A message has its thread or its connection.
    fn delivers(&mut self, now: Nanos, message: MessageId, destination: Destination, calls: &mut Vec<Call>) {
        let of = self.messages.get_mut(&message).expect("it is on its queue");
        let attempt = of.attempts;
        of.attempts += 1;
        let of = *of;
        let mut stream = self.draw(&of.job, Draw::Delivery(of.number, attempt));
        let Destination::Remote(id) = destination else {
            let takes = self.plan.mailboxes.delivery.draw(&mut stream);
            return self.calls(Held::Delivery(message), takes, calls);
        };
        let domain = self.plan.domain(id).expect("messages go to domains of the plan");
        let chance = stream.unit();
        let takes = domain.delivery.draw(&mut stream);
        if chance < domain.silent {
            self.at(now, Timer::Silent(message));
            return;
        }
        let outcome = match chance - domain.silent {
            chance if chance < domain.deferred => Outcome::Deferred,
            chance if chance < domain.deferred + domain.bounced => Outcome::Bounced,
            _ => Outcome::Delivered,
        };
        self.at(now + takes, Timer::Delivered(message, outcome));
    }

    /// A delivery has ended.
    fn delivered(&mut self, now: Nanos, message: MessageId, outcome: Outcome, calls: &mut Vec<Call>) {
        if outcome != Outcome::Deferred {
            let of = self.messages.remove(&message).expect("it was being delivered");
            if outcome == Outcome::Delivered {
                self.sender(of.job).to_delivery.record(now.since(of.job.item.due));
            }
        }
        self.tell(now, Stimulus::DeliveryEnds(message, outcome), calls);
    }

    fn rings(&mut self, now: Nanos, timer: Timer, calls: &mut Vec<Call>) {
        match timer {
            Timer::Speaks(session) => self.speaks(now, session, calls),
            Timer::Stalls(session) => {
                // It may have been closed since.
                if self.sessions.contains_key(&session) {
                    self.tell(now, Stimulus::IsSilent(session), calls);
                }
            }
            Timer::GivesUp(session) => self.gives_up(now, session, calls),
            Timer::Again(job) => {
                self.put_off -= 1;
                self.sender(job).retries += 1;
                self.begins(now, job, calls);
            }
            Timer::Delivered(message, outcome) => self.delivered(now, message, outcome, calls),
            Timer::Silent(message) => self.tell(now, Stimulus::DestinationIsSilent(message), calls),
        }
    }

    fn sender(&mut self, job: Job) -> &mut SenderFigures {
        &mut self.senders[usize::from(job.group.0)]
    }

    /// What is due first, and when: the model, usages, timers and load, in this order at equal times.
    fn first_due(&self) -> (Nanos, u8) {
        let timer = self.timers.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at);
        let usage = self.plan.usages.get(self.used).map_or(Nanos::MAX, |(at, _)| *at);
        let all = [(self.server.next_deadline(), 0), (usage, 1), (timer, 2), (self.load.next_due(), 3)];
        all.into_iter().min().unwrap_or((Nanos::MAX, 0))
    }
}

impl Limit for TransportRun {
    fn next_due(&self) -> Nanos {
        self.first_due().0
    }

    fn due(&mut self, now: Nanos, calls: &mut Vec<Call>) {
        loop {
            match self.first_due() {
                (at, _) if at > now => return,
                (_, 0) => self.tell(now, Stimulus::Time, calls),
                (_, 1) => {
                    let (_, usage) = self.plan.usages[self.used];
                    self.used += 1;
                    self.tell(now, Stimulus::Uses(usage), calls);
                }
                (_, 2) => {
                    if let Some((_, timer)) = self.timers.pop_first() {
                        self.rings(now, timer, calls);
                    }
                }
                _ => {
                    if let Some(item) = self.load.pop_due(now) {
                        self.comes(now, item, GroupId(item.stage.0), calls);
                    }
                }
            }
        }
    }

    fn ended(&mut self, now: Nanos, id: u64, calls: &mut Vec<Call>) {
        match self.held.remove(&id) {
            Some(Held::Submission(message)) => self.tell(now, Stimulus::SubmissionEnds(message), calls),
            Some(Held::Delivery(message)) => self.delivered(now, message, Outcome::Delivered, calls),
            None => {}
        }
    }
}

/// What follows an answer that says no for want of a resource: the sender keeps its message.
fn is_refusal(reply: Reply) -> bool {
    reply == Reply::InsufficientResources
}
