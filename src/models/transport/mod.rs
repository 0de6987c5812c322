//! A transport server of Exchange 2007, Hub or Edge: message throttling and back pressure.
//!
//! [`Transport`] is a state machine: it is told who connects and what is said, which messages come and which deliveries
//! have ended, and answers with effects and with the next moment at which it wants to be told the time. Mail comes over
//! connections (`connections`, `session`), from mailboxes (`submission`) and from two directories (`pickup`), lies in
//! the queue database, and goes to mailboxes and remote domains (`delivery`). What the server's resources forbid is
//! `pressure` and `machine`; what an administrator reads is `events`; who was refused or delayed by what is `memory`,
//! by group, so that honest senders and a flood are told apart. Not a load, not a categorizer, not a pool of threads:
//! how long anything takes is the engine's to say. A message has one destination; one to several is told as several.
//! Nothing of Exchange 2010 or later is in it. Driven by `engine::limits`.
//!
//! In one moment: what ran out, then those that waited for it, then the look at the resources, then the scan of the
//! directories. A message that the level refuses at `MAIL FROM` leaves its session open.

mod check;
mod connections;
mod delivery;
pub mod events;
mod machine;
pub mod memory;
pub mod pickup;
pub mod pressure;
mod session;
pub mod spec;
mod submission;
mod throttle;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use check::Mistake;
pub use connections::{Caller, Peer};
pub use delivery::Outcome;
pub use events::{Entry, What};
pub use machine::Usage;
pub use memory::{ConnectionLedger, GroupFigures, Held, Load, MessageLedger, Most, TransportSummary};
pub use pickup::Directory;
pub use pressure::{Level, Marks, Reading, Resource};
pub use session::{Reply, Said};
pub use throttle::Throttle;

use self::connections::Connections;
use self::delivery::{Deliveries, Place, Queued};
use self::machine::{Database, Monitor, Others};
use self::pickup::{Allowance, Files};
use self::spec::{Role, TransportSpec};
use self::submission::Submissions;
use crate::time::Nanos;

/// An inbound connection, by the number that it was told with. Numbers are used once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub u64);

/// A message, by the number that it was told with. Numbers are used once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(pub u64);

/// A server that connects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub u32);

/// A remote domain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DomainId(pub u32);

/// Whom figures are counted with, as an index: honest senders, a flood, a harvest, mailboxes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub u16);

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A mailbox of the server's organization; never on an Edge server.
    Mailbox,
    /// A remote domain; on an Edge server also the organization's own.
    Remote(DomainId),
}

/// What is known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its size.
    pub bytes: u64,
    /// Where it goes.
    pub destination: Destination,
}

/// What the server is told. Only open sessions say something; one that [`Effect::Opened`] has not named yet may only
/// quit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// The time has come, and no more than that: whatever is due by now is done.
    Time,
    /// A source connects.
    Connects {
        /// The connection.
        session: SessionId,
        /// Who.
        caller: Caller,
    },
    /// A source says something.
    Says(SessionId, Said),
    /// A source begins a message (`MAIL FROM`); a session has one at a time.
    Offers(SessionId, MessageId),
    /// The message that a session had begun has come to its end.
    MessageEnds(SessionId, Mail),
    /// Nothing more comes from a source: the text of its message stops, say. A session that says nothing needs no
    /// telling.
    IsSilent(SessionId),
    /// A source ends its connection, or gives up waiting for it.
    Quits(SessionId),
    /// A file is put into a directory.
    File(Directory, MessageId, GroupId, Mail),
    /// A mailbox has a message to send. Hub only.
    Submits(MessageId, GroupId, Mail),
    /// After [`Effect::SubmissionBegins`]: the message is handed over.
    SubmissionEnds(MessageId),
    /// After [`Effect::DeliveryBegins`]: it has ended.
    DeliveryEnds(MessageId, Outcome),
    /// After [`Effect::DeliveryBegins`]: the remote server says nothing from now on. A delivery that ends later is
    /// told.
    DestinationIsSilent(MessageId),
    /// Others use more or less of a resource.
    Uses(Usage),
}

/// What is to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The connection is open: its source may speak.
    Opened(SessionId),
    /// The connection waits until the rate has room; [`Effect::Opened`] or [`Effect::ConnectionRefused`] follows.
    Waits(SessionId),
    /// The connection was not taken.
    ConnectionRefused {
        /// Which.
        session: SessionId,
        /// By what.
        by: Throttle,
        /// What its source is told.
        reply: Reply,
    },
    /// A command is answered.
    Answered {
        /// On which connection.
        session: SessionId,
        /// What.
        reply: Reply,
        /// When the answer leaves; not before now.
        at: Nanos,
        /// It leaves late because of the tarpit.
        is_tarpitted: bool,
    },
    /// The server closed a connection. Nothing more is to be told of it.
    Closed {
        /// Which.
        session: SessionId,
        /// Why.
        by: Throttle,
        /// What its source is told.
        reply: Reply,
    },
    /// A message was not taken.
    MessageRefused {
        /// Which.
        message: MessageId,
        /// By what.
        by: Throttle,
    },
    /// A message that was begun is not handed over.
    MessageDropped(MessageId),
    /// A message is on its queue.
    Queued(MessageId),
    /// A submission has its thread: its end is told with [`Stimulus::SubmissionEnds`].
    SubmissionBegins(MessageId),
    /// A message has its thread or connection: its end is told with [`Stimulus::DeliveryEnds`].
    DeliveryBegins {
        /// Which.
        message: MessageId,
        /// Where it goes.
        destination: Destination,
    },
    /// The connection of a delivery was closed because its destination was silent. Its end is not to be told.
    DeliveryCut {
        /// Of which message.
        message: MessageId,
        /// When it is tried again.
        again_at: Nanos,
    },
    /// The level of back pressure changed.
    LevelChanged {
        /// From which.
        from: Level,
        /// To which.
        to: Level,
    },
    /// Messages are dehydrated from now on, or no longer.
    Dehydrates(bool),
    /// The event log has one entry more, at this place of [`Transport::events`]. Told last in a moment.
    Logged(usize),
}

/// See the module's head.
#[derive(Debug)]
pub struct Transport {
    spec: Arc<TransportSpec>,
    now: Nanos,
    connections: Connections,
    submissions: Submissions,
    directories: [Files; 2],
    next_scan: Nanos,
    /// All messages on queues.
    queued: BTreeMap<MessageId, Queued>,
    deliveries: Deliveries,
    database: Database,
    others: Others,
    monitor: Monitor,
    memory: TransportSummary,
}

impl Transport {
    /// A server that nobody has asked yet.
    ///
    /// # Panics
    ///
    /// If the description has a mistake.
    #[must_use]
    pub fn new(spec: Arc<TransportSpec>) -> Transport {
        let mistakes = spec.check();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let own = &spec.assumptions;
        let per_minute = spec.server.pickup_directory_max_messages_per_minute;
        let files = || Files::new(Allowance::new(per_minute, own.pickup_fraction));
        Transport {
            now: Nanos::ZERO,
            connections: Connections::new(&spec),
            submissions: Submissions::default(),
            directories: [files(), files()],
            next_scan: own.first_scan,
            queued: BTreeMap::new(),
            deliveries: Deliveries::new(&spec.server),
            database: Database::new(own.freed),
            others: Others::default(),
            monitor: Monitor::new(&spec),
            memory: TransportSummary::new(own.sample_every),
            spec,
        }
    }

    /// When the server wants to be told the time; [`Nanos::MAX`] for never.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        let own = self.next_scan.min(self.monitor.next_poll).min(self.memory.samples.next_at());
        own.min(self.connections.next_deadline()).min(self.deliveries.next_deadline())
    }

    /// Tells what has happened at `now`, which never goes back. What is to be carried out is added to `effects`, in
    /// order.
    pub fn tell(&mut self, now: Nanos, what: Stimulus, effects: &mut Vec<Effect>) {
        assert!(now >= self.now, "time goes back");
        self.now = now;
        let logged = self.memory.events.len();
        match what {
            Stimulus::Time => self.time(effects),
            Stimulus::Connects { session, caller } => self.connects(session, caller, effects),
            Stimulus::Says(session, said) => self.says(session, said, effects),
            Stimulus::Offers(session, message) => self.offers(session, message, effects),
            Stimulus::MessageEnds(session, mail) => self.message_ends(session, mail, effects),
            Stimulus::IsSilent(session) => self.is_silent(session),
            Stimulus::Quits(session) => self.quits(session, effects),
            Stimulus::File(directory, message, group, mail) => {
                self.file_comes(directory, message, group, mail, effects);
            }
            Stimulus::Submits(message, group, mail) => self.submits(message, group, mail, effects),
            Stimulus::SubmissionEnds(message) => self.submission_ended(message, effects),
            Stimulus::DeliveryEnds(message, outcome) => self.delivery_ended(message, outcome, effects),
            Stimulus::DestinationIsSilent(message) => self.destination_is_silent(message),
            Stimulus::Uses(usage) => self.uses(usage),
        }
        self.begin_submissions(effects);
        let load = self.load();
        self.memory.look(&load);
        if what == Stimulus::Time && self.memory.samples.next_at() <= now {
            self.memory.samples.take(now, load);
        }
        effects.extend((logged..self.memory.events.len()).map(Effect::Logged));
    }

    /// The level of back pressure: that of the worst resource when they were last looked at.
    #[must_use]
    pub fn level(&self) -> Level {
        self.monitor.level
    }

    /// The event log so far.
    #[must_use]
    pub fn events(&self) -> &[Entry] {
        &self.memory.events
    }

    /// What there is at the moment.
    #[must_use]
    pub fn load(&self) -> Load {
        let files: usize = self.directories.iter().map(|files| files.waiting.len()).sum();
        let so_far = &self.memory.so_far;
        Load {
            level: self.monitor.level,
            connections: self.connections.open(),
            in_line: self.connections.in_line(),
            submitting: self.submissions.in_service.len() as u32,
            outside: (files + self.submissions.line.len()) as u64,
            queued: self.queued.len() as u64,
            to_mailboxes: self.deliveries.to_mailboxes(),
            outbound: self.deliveries.outbound(),
            queue_drive_percent: self.queue_drive_percent(),
            delivered: so_far.delivered,
            connections_refused: so_far.connections_refused,
            messages_refused: so_far.messages_refused,
        }
    }

    /// Ends the emulation: everything that was remembered. What still waits counts as delayed until now.
    #[must_use]
    pub fn close_books(mut self, end: Nanos) -> TransportSummary {
        self.now = self.now.max(end);
        self.close_monitor();
        let (now, memory) = (self.now, &mut self.memory);
        memory.end = now;
        for session in self.connections.sessions() {
            memory.group(session.caller.group).connections.open += 1;
            memory.group(session.caller.group).messages.coming += u64::from(session.transfer.is_some());
        }
        for waiting in self.connections.waiting() {
            memory.group(waiting.caller.group).connections.waiting += 1;
            memory.delayed(waiting.caller.group, Throttle::ConnectionRate, now.since(waiting.since));
        }
        let files = self.directories.iter().flat_map(|files| &files.waiting);
        for outside in self.submissions.line.iter().chain(files) {
            memory.group(outside.group).messages.waiting += 1;
            memory.delay_ends(now, outside.group, outside.delayed);
        }
        for outside in self.submissions.in_service.values() {
            memory.group(outside.group).messages.coming += 1;
        }
        for queued in self.queued.values() {
            let messages = &mut memory.group(queued.group).messages;
            match queued.place {
                Place::Delivering(_) => messages.delivering += 1,
                Place::Waits(_) | Place::Again => messages.queued += 1,
            }
            if let Place::Waits(delayed) = queued.place {
                memory.delay_ends(now, queued.group, delayed);
            }
        }
        self.memory
    }

    fn time(&mut self, effects: &mut Vec<Effect>) {
        self.sessions_expire(effects);
        self.line_moves(effects);
        self.cut_silent(effects);
        self.retry(effects);
        if self.monitor.next_poll <= self.now {
            self.poll(effects);
        }
        if self.next_scan <= self.now {
            self.next_scan = next_after(self.now, self.next_scan, pickup::SCAN_EVERY);
            self.scan(effects);
        }
    }

    fn refuses_message(&mut self, group: GroupId, message: MessageId, by: Throttle, effects: &mut Vec<Effect>) {
        self.memory.message_refused(self.now, group, by);
        effects.push(Effect::MessageRefused { message, by });
    }

    fn has_mailboxes(&self) -> bool {
        self.spec.role == Role::Hub
    }
}

/// The first moment after `now` of those that lie `every` apart, `at` among them.
fn next_after(now: Nanos, at: Nanos, every: Nanos) -> Nanos {
    let missed = now.since(at).0 / every.0;
    at + every * (missed + 1)
}
