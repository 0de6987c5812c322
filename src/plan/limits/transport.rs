//! A transport server of Exchange 2007 with who sends, who receives, and what others use of its machine.
//!
//! Not what the server does (`models::transport`) and not a run. Made by `scenario`, driven by `engine::limits`, told by
//! `report`.

mod options;
mod outlook;

pub use options::{BACK_PRESSURE_PAGE, OptionValue, THROTTLING_PAGE, Watched};
pub use outlook::MeanSession;

use std::sync::Arc;

use super::StageId;
use crate::ids::ClassId;
use crate::models::transport::events::{Entry as Event, What};
use crate::models::transport::spec::{Limit, Role, TransportSpec, Version};
use crate::models::transport::{DomainId, GroupId, Peer, SourceId, Usage};
use crate::rng::Stream;
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::{LoadSpec, Source, Stage, Then};

/// The server, and everybody around it.
#[derive(Clone, Debug, PartialEq)]
pub struct TransportPlan {
    /// Role, version, options, machine.
    pub spec: Arc<TransportSpec>,
    /// Who sends, by [`GroupId`]; at least one.
    pub groups: Vec<Group>,
    /// Who receives, besides the server's own mailboxes.
    pub domains: Vec<Domain>,
    /// Times of the store driver.
    pub mailboxes: Mailboxes,
    /// When sessions, submissions and files begin: a stage for each group, without phases. An item is one session, one
    /// submission or one file.
    pub load: Arc<LoadSpec>,
    /// What others use of the machine from some moment on, in order of time.
    pub usages: Vec<(Nanos, Usage)>,
}

/// Senders that are counted together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name in scenarios and outputs.
    pub name: String,
    /// Its mail is wanted: reports say whether it got through.
    pub honest: bool,
    /// How its mail comes.
    pub entrance: Entrance,
    /// How large its messages are.
    pub size: Sizes,
    /// Where they go; shares sum to 1.
    pub to: Vec<Share>,
    /// What a sender does with what was refused; `None`: it gives up at once.
    pub retry: Option<Retry>,
}

/// How mail comes to the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Entrance {
    /// Over connections of other servers.
    Smtp(Box<Sessions>),
    /// From mailboxes, through the store driver. Hub only.
    Mailbox,
    /// As files in the Pickup directory.
    Pickup,
    /// As files in the Replay directory.
    Replay,
}

/// What the sessions of a group are like.
#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    /// Servers that they come from in turn; at least 1. Limits of one source count by server.
    pub servers: u32,
    /// The number of the first of these servers.
    pub first_source: SourceId,
    /// They authenticate; others are anonymous.
    pub authenticated: bool,
    /// What back pressure takes them for.
    pub peer: Peer,
    /// Messages of a session: uniform between the two, both included.
    pub messages: (u32, u32),
    /// `RCPT` commands of a message: uniform between the two, both included.
    pub recipients: (u32, u32),
    /// Share of the recipients that do not exist; in [0, 1].
    pub unknown_recipients: f64,
    /// They ask for recipients and send nothing: a directory harvest attack.
    pub harvests: bool,
    /// Share of the commands before which a wrong one is said; in [0, 1].
    pub protocol_errors: f64,
    /// From an answer to the next command.
    pub command: Distribution,
    /// How long the text of a message takes to come.
    pub transfer: Distribution,
    /// Share of the sessions that go silent; in [0, 1].
    pub stalls: f64,
    /// Where they do.
    pub stalls_at: StallsAt,
    /// How long a sender waits for the greeting.
    pub patience: Nanos,
}

/// See [`Sessions::stalls_at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallsAt {
    /// Nothing is said after the connection is open.
    Greeting,
    /// The text of the first message stops in its middle.
    Text,
}

/// What a sender does with what was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// From an attempt's end to the next.
    pub after: Distribution,
    /// Attempts, the first among them, before it gives up; at least 1.
    pub attempts: u32,
}

/// Sizes of messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// The mean, in bytes; at least 1.
    pub mean: u64,
    /// Standard deviation divided by mean, of a lognormal distribution; 0: all have the mean.
    pub cv: f64,
}

impl Sizes {
    /// One draw; at least 1 byte.
    #[must_use]
    pub fn draw(&self, stream: &mut Stream) -> u64 {
        if self.cv == 0.0 {
            return self.mean;
        }
        // Of a distribution of times, one nanosecond a byte.
        Distribution::Lognormal { mean: Nanos(self.mean), cv: self.cv }.draw(stream).0.max(1)
    }
}

/// A share of a group's messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// In [0, 1].
    pub share: f64,
    /// Where it goes.
    pub to: Whither,
}

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whither {
    /// To the server's own mailboxes.
    Mailboxes,
    /// To a domain, by its place in [`TransportPlan::domains`].
    Domain(usize),
}

/// A remote domain, or several that are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// Its name in scenarios and outputs.
    pub name: String,
    /// The number of the first of them.
    pub first: DomainId,
    /// How many domains it stands for, each asked alike; at least 1.
    pub count: u32,
    /// How long a message takes on its connection.
    pub delivery: Distribution,
    /// Share of the attempts at which the other server goes silent; in [0, 1].
    pub silent: f64,
    /// Share at which it does not take the message now; in [0, 1].
    pub deferred: f64,
    /// Share at which it will never take it; in [0, 1]. All three together are at most 1.
    pub bounced: f64,
}

/// Times of the store driver.
#[derive(Clone, Debug, PartialEq)]
pub struct Mailboxes {
    /// How long a delivery to a mailbox holds its thread.
    pub delivery: Distribution,
    /// How long a submission from a mailbox holds its thread.
    pub submission: Distribution,
}

impl TransportPlan {
    /// `sources`: when sessions, submissions and files begin; each enters at the stage of its group.
    #[must_use]
    pub fn new(
        spec: TransportSpec,
        groups: Vec<Group>,
        domains: Vec<Domain>,
        mailboxes: Mailboxes,
        usages: Vec<(Nanos, Usage)>,
        sources: Vec<Source>,
    ) -> TransportPlan {
        let stage = |(at, group): (usize, &Group)| Stage {
            name: TransportPlan::load_name(&group.name),
            class: ClassId(at as u16),
            phases: Vec::new(),
            patience: None,
            then: Then::End,
        };
        let stages = groups.iter().enumerate().map(stage).collect();
        let load = Arc::new(LoadSpec { stages, sources, ..LoadSpec::default() });
        TransportPlan { spec: Arc::new(spec), groups, domains, mailboxes, load, usages }
    }

    /// What a load names as its service to send as a group: `transport.honest`.
    #[must_use]
    pub fn load_name(group: &str) -> String {
        format!("transport.{group}")
    }

    /// The stage at which the items of a group enter.
    #[must_use]
    pub fn stage(group: GroupId) -> StageId {
        StageId(group.0)
    }

    /// What a domain belongs to; `None` for a number that no domain has.
    #[must_use]
    pub fn domain(&self, id: DomainId) -> Option<&Domain> {
        let behind = self.domains.partition_point(|domain| domain.first <= id);
        self.domains.get(behind.checked_sub(1)?).filter(|domain| id.0 - domain.first.0 < domain.count)
    }

    /// Threads of the store driver: deliveries and submissions; none on an Edge server.
    #[must_use]
    pub fn threads(&self) -> u32 {
        let server = &self.spec.server;
        match self.spec.role {
            Role::Hub => {
                server.max_concurrent_mailbox_deliveries.saturating_add(server.max_concurrent_mailbox_submissions)
            }
            Role::Edge => 0,
        }
    }

    /// The text of an entry of the event log, in which groups have their names.
    #[must_use]
    pub fn event_text(&self, event: &Event) -> String {
        let What::FirstHeld { group, by } = event.what else { return event.text() };
        let name = self.groups.get(usize::from(group.0)).map_or("?", |group| group.name.as_str());
        let option = by.option().map_or(String::new(), |option| format!(" ({option})"));
        format!("For the first time, something of {name} was refused or closed: {}{option}.", by.name())
    }
}

impl Entrance {
    /// As a scenario names it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Entrance::Smtp(_) => "smtp",
            Entrance::Mailbox => "mailbox",
            Entrance::Pickup => "pickup",
            Entrance::Replay => "replay",
        }
    }
}

impl Role {
    /// As a scenario names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Hub => "hub",
            Role::Edge => "edge",
        }
    }
}

impl Version {
    /// As a scenario names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Version::Rtm => "2007",
            Version::Sp1 => "2007-sp1",
        }
    }
}

impl Limit {
    /// `20`, or `unlimited`.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Limit::Unlimited => "unlimited".to_string(),
            Limit::At(most) => most.to_string(),
        }
    }
}
