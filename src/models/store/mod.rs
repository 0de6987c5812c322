//! The information store's threads and the Internet Mail Service that needs them (KB 169686).
//!
//! [`Store`] is a state machine: it is told which requests and messages come and which calls have ended, and answers with
//! effects and with the next moment at which it wants to be told the time. Clients and the service share one pool of
//! `Max Threads(Private+Public)` threads, first come, first served (`threads`); what the service does when a call of its own
//! finds no thread is `service`; what an administrator reads is `events`; what the Optimizer does to the numbers is
//! `perfopt`. Not a load: how long a call holds its thread is the engine's to say. Nothing about KB 169686 is in it but what
//! the service does after a failed call: that the call fails follows from the threads. Driven by
//! `engine::limits`.

pub mod events;
pub mod memory;
pub mod perfopt;
mod service;
pub mod spec;
mod threads;

use std::collections::VecDeque;
use std::sync::Arc;

pub use events::{Entry, MessageId, What};
pub use memory::{Ending, Ledger, Life, Load, StoreSummary};
pub use threads::CallId;

use self::spec::StoreSpec;
use self::threads::Threads;
use crate::time::Nanos;

/// A request of a client, by the number that it was told with. Numbers are used once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u64);

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// From the Internet: a spool file in `Imcdata\In` that is to be delivered into the store.
    Inbound,
    /// To the Internet: it lies in `MTS-OUT` and is to be fetched from the store.
    Outbound,
}

/// What a call is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// A request of a client.
    Client(ClientId),
    /// A message of the service: to be delivered or to be fetched.
    Message(Direction, MessageId),
    /// The service's attempt to refresh its connection.
    Refresh,
    /// A thread that the service holds while it is logged on. The model ends it.
    Gateway,
}

/// What the service is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceState {
    /// It does not run.
    Stopped,
    /// It was started.
    Starting,
    /// It waits for the threads that it holds.
    LoggingOn,
    /// It delivers and fetches.
    Running,
    /// A call has failed; its one attempt to refresh the connection is due or out.
    Refreshing,
    /// The attempt has failed.
    ShuttingDown,
}

/// What the store is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// The time has come, and no more than that: whatever is due by now is done.
    Time,
    /// A client asks.
    Client(ClientId),
    /// A message comes.
    Message(Direction, MessageId),
    /// After [`Effect::Begins`]: the call is done with its threads.
    Ends(CallId),
}

/// Where a message was put that was neither delivered nor fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// BAD.
    Bad,
    /// `Imcdata\In\Archive`.
    Archive,
    /// What was made of it is in BAD, its spool file in the archive.
    BadAndArchive,
}

/// What is to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call has its threads: it is served, and its end told with [`Stimulus::Ends`].
    Begins {
        /// Which; numbers are used once.
        call: CallId,
        /// What for; never [`Work::Gateway`].
        work: Work,
    },
    /// A client has waited too long and is gone.
    GaveUp(ClientId),
    /// Too many wait: the client or the message was not taken.
    Refused(Work),
    /// A message was put aside.
    SetAside(Direction, MessageId, Aside),
    /// The service changed what it is at.
    Service(ServiceState),
}

/// Messages of one direction.
#[derive(Debug, Default)]
struct Mail {
    /// That no call is out for, in order.
    queue: VecDeque<MessageId>,
    /// Calls that are in line.
    asked: u32,
    /// Calls that hold a thread.
    in_service: u32,
}

impl Mail {
    /// Messages that are neither done nor put aside.
    fn backlog(&self) -> u64 {
        self.queue.len() as u64 + u64::from(self.asked) + u64::from(self.in_service)
    }
}

/// See the module's head.
#[derive(Debug)]
pub struct Store {
    spec: Arc<StoreSpec>,
    now: Nanos,
    threads: Threads<Work>,
    /// Clients in line and in service.
    clients_waiting: u64,
    clients_in_service: u64,
    inbound: Mail,
    outbound: Mail,
    service: ServiceState,
    /// When the service takes its next step by itself.
    step_at: Nanos,
    /// Gateway threads that the service still waits for.
    gateways_wanted: u32,
    /// Since when the service is not logged on.
    away_since: Option<Nanos>,
    memory: StoreSummary,
}

impl Store {
    /// A store that runs and a service that does not.
    #[must_use]
    pub fn new(spec: Arc<StoreSpec>) -> Store {
        assert!(spec.assumptions.call_patience > Nanos::ZERO, "a call has a chance");
        assert!(spec.assumptions.threads_per_call > 0, "a call takes a thread");
        Store {
            now: Nanos::ZERO,
            threads: Threads::new(spec.threads.max),
            clients_waiting: 0,
            clients_in_service: 0,
            inbound: Mail::default(),
            outbound: Mail::default(),
            service: ServiceState::Stopped,
            step_at: Nanos::MAX,
            gateways_wanted: 0,
            away_since: Some(Nanos::ZERO),
            memory: StoreSummary::new(spec.assumptions.sample_every),
            spec,
        }
    }

    /// The emulation begins: the service is started.
    pub fn begin(&mut self, effects: &mut Vec<Effect>) {
        self.starts(effects);
        self.settle(effects);
    }

    /// When the store wants to be told the time; [`Nanos::MAX`] for never.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        self.step_at.min(self.threads.next_deadline()).min(self.memory.samples.next_at())
    }

    /// Tells what has happened at `now`, which never goes back. What is to be carried out is added to `effects`, in order.
    pub fn tell(&mut self, now: Nanos, what: Stimulus, effects: &mut Vec<Effect>) {
        assert!(now >= self.now, "time goes back");
        self.now = now;
        match what {
            // What runs out in a moment runs out after all that was told to have happened in it.
            Stimulus::Time => {
                while let Some((_, work)) = self.threads.expired(now) {
                    self.failed(work, effects);
                }
                while self.step_at <= now {
                    self.step(effects);
                }
            }
            Stimulus::Client(client) => self.client_comes(client, effects),
            Stimulus::Message(direction, message) => self.message_comes(direction, message, effects),
            Stimulus::Ends(call) => self.ends(call, effects),
        }
        self.settle(effects);
        if what == Stimulus::Time && self.memory.samples.next_at() <= now {
            let load = self.load();
            self.memory.samples.take(now, load);
        }
    }

    /// What the service is at.
    #[must_use]
    pub fn service(&self) -> ServiceState {
        self.service
    }

    /// Threads in use, calls in line, backlogs.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            in_use: self.threads.in_use(),
            line: self.threads.waiting() as u64,
            inbound: self.inbound.backlog(),
            outbound: self.outbound.backlog(),
        }
    }

    /// Ends the emulation: everything that was remembered.
    #[must_use]
    pub fn close_books(mut self, end: Nanos) -> StoreSummary {
        self.now = self.now.max(end);
        if let Some(since) = self.away_since {
            self.memory.away += self.now.since(since);
        }
        let of = |mail: &Mail| (mail.queue.len() as u64 + u64::from(mail.asked), u64::from(mail.in_service));
        let memory = &mut self.memory;
        memory.end = self.now;
        (memory.clients.waiting, memory.clients.in_service) = (self.clients_waiting, self.clients_in_service);
        (memory.inbound.waiting, memory.inbound.in_service) = of(&self.inbound);
        (memory.outbound.waiting, memory.outbound.in_service) = of(&self.outbound);
        self.memory
    }

    fn mail(&mut self, direction: Direction) -> (&mut Mail, &mut Ledger) {
        match direction {
            Direction::Inbound => (&mut self.inbound, &mut self.memory.inbound),
            Direction::Outbound => (&mut self.outbound, &mut self.memory.outbound),
        }
    }

    fn client_comes(&mut self, client: ClientId, effects: &mut Vec<Effect>) {
        self.memory.clients.arrived += 1;
        if self.clients_waiting as usize >= self.spec.assumptions.most_waiting {
            self.memory.clients.refused += 1;
            effects.push(Effect::Refused(Work::Client(client)));
            return;
        }
        self.clients_waiting += 1;
        let deadline = self.now + self.spec.assumptions.client_patience;
        self.threads.ask(Work::Client(client), 1, deadline);
    }

    fn message_comes(&mut self, direction: Direction, message: MessageId, effects: &mut Vec<Effect>) {
        let most = self.spec.assumptions.most_waiting;
        let (mail, ledger) = self.mail(direction);
        ledger.arrived += 1;
        if mail.queue.len() >= most {
            ledger.refused += 1;
            effects.push(Effect::Refused(Work::Message(direction, message)));
        } else {
            mail.queue.push_back(message);
        }
    }

    /// A call that was in service is done.
    fn ends(&mut self, call: CallId, effects: &mut Vec<Effect>) {
        match self.threads.release(call) {
            Work::Client(_) => {
                self.clients_in_service -= 1;
                self.memory.clients.done += 1;
            }
            Work::Message(direction, _) => {
                let (mail, ledger) = self.mail(direction);
                mail.in_service -= 1;
                ledger.done += 1;
            }
            Work::Refresh => self.refreshed(effects),
            Work::Gateway => unreachable!("no engine is told of these"),
        }
    }

    /// A call has waited for its threads until its deadline.
    fn failed(&mut self, work: Work, effects: &mut Vec<Effect>) {
        match work {
            Work::Client(client) => {
                self.clients_waiting -= 1;
                self.memory.clients.gave_up += 1;
                effects.push(Effect::GaveUp(client));
            }
            Work::Message(direction, message) => self.call_failed(direction, message, effects),
            Work::Refresh => self.refresh_failed(effects),
            Work::Gateway => self.logon_failed(effects),
        }
    }

    /// Does all that can be done in this moment.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        loop {
            self.service_asks();
            let Some((call, work)) = self.threads.grant() else { break };
            match work {
                Work::Client(_) => {
                    self.clients_waiting -= 1;
                    self.clients_in_service += 1;
                }
                Work::Message(direction, _) => {
                    let (mail, _) = self.mail(direction);
                    mail.asked -= 1;
                    mail.in_service += 1;
                }
                Work::Refresh => {}
                Work::Gateway => {
                    self.gateway_held(effects);
                    continue;
                }
            }
            effects.push(Effect::Begins { call, work });
        }
        let load = self.load();
        self.memory.look(load);
    }
}
