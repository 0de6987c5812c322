//! What is asked, step by step: stages, message routes, session scripts, sources.
//!
//! Plain data, built by `scenario` and read by [`super::Workload`]. A *journey* is one message on its way through the
//! queues, or one client session command by command; each of its steps is an item of one class.

use std::path::PathBuf;
use std::sync::Arc;

use super::arrivals::Pattern;
use super::distribution::Distribution;
use super::faults::Fault;
use super::response::Response;
use crate::ids::{ClassId, DependencyId, StageId};

/// All load of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadSpec {
    /// The stages, indexed by [`StageId`].
    pub stages: Vec<Stage>,
    /// The sources, indexed by `SourceId`; names are unique.
    pub sources: Vec<Source>,
    /// Names of what services wait for, indexed by [`DependencyId`].
    pub dependencies: Vec<String>,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
}

/// One kind of step: its class, its service, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// A name for people: `pop3 RETR`.
    pub name: String,
    /// The class whose item a step is.
    pub class: ClassId,
    /// The service, phase after phase. May be empty: a service of no time.
    pub phases: Vec<Phase>,
    /// How long the client waits for a thread before it gives up. `None`: for ever.
    pub patience: Option<Distribution>,
    /// What follows when it is served.
    pub then: Then,
}

impl LoadSpec {
    /// What clients ask for, whoever sends the responses and however long they take: of those, the bytes.
    #[must_use]
    pub fn asked(&self) -> LoadSpec {
        let mut asked = self.clone();
        for phase in asked.stages.iter_mut().flat_map(|stage| &mut stage.phases) {
            if let Distribution::Response(response) = &phase.time {
                phase.time = response.sizes().clone();
            }
        }
        asked
    }
}

impl Stage {
    /// The phase in which the stage sends its response.
    #[must_use]
    pub fn response(&self) -> Option<(u32, &Response)> {
        self.phases.iter().zip(0..).find_map(|(phase, at)| match &phase.time {
            Distribution::Response(response) => Some((at, response)),
            _ => None,
        })
    }

    /// Mean service time without faults, in nanoseconds: (on a processor, waiting).
    #[must_use]
    pub fn mean_ns(&self) -> (f64, f64) {
        self.phases.iter().fold((0.0, 0.0), |(cpu, wait), phase| match phase.kind {
            PhaseKind::Cpu => (cpu + phase.time.mean_ns(), wait),
            PhaseKind::Wait(_) => (cpu, wait + phase.time.mean_ns()),
        })
    }
}

/// A part of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// What it holds.
    pub kind: PhaseKind,
    /// How long.
    pub time: Distribution,
}

/// What a phase holds besides its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseKind {
    /// One emulated processor.
    Cpu,
    /// Nothing: it waits for something outside the process, and its thread is not runnable.
    Wait(DependencyId),
}

/// What follows a served step.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// The journey is over.
    End,
    /// One of several ways, by chance.
    Route(Vec<Branch>),
    /// The next command of the session's script.
    Script,
}

/// One way on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Its probability; those of a route sum to 1.
    pub share: f64,
    /// Where it leads; `None`: the journey is over.
    pub to: Option<StageId>,
}

/// A source of load.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name, which also names its random streams.
    pub name: String,
    /// When its journeys begin.
    pub arrivals: Arrivals,
    /// What a journey is.
    pub journey: Journey,
}

/// When journeys begin.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// Open: when the load says so, whatever the server does.
    Open {
        /// When.
        pattern: Pattern,
        /// How many at a time; at least 1.
        batch: u32,
    },
    /// Closed: this many clients, each of which begins again some time after it has ended.
    Closed {
        /// How many clients.
        population: u32,
        /// The time between the end of a session and the next, and before the first.
        pause: Distribution,
    },
    /// The rows of a log.
    Trace(TraceSpec),
    /// Never by itself: when somebody asks for one (`Workload::call`).
    OnCall,
}

/// Where the rows of a trace come from, and which stages they enter.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSpec {
    /// The logs.
    pub input: TraceInput,
    /// Rate multiplier; above 0.
    pub times: f64,
    /// Start again at the first row until the run ends.
    pub repeat: bool,
    /// Spread rows of the same second over it.
    pub spread: bool,
    /// The stage of an inbound SMTP row that is no accepted message.
    pub smtp_request: StageId,
    /// The stage of an inbound SMTP row that is an accepted message.
    pub smtp_message: StageId,
    /// The stage of a POP3 row, where the scenario has one.
    pub pop3: Option<StageId>,
    /// The stage of an IMAP4 row, where the scenario has one.
    pub imap4: Option<StageId>,
}

/// The logs of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceInput {
    /// Files and directories.
    Paths(Vec<PathBuf>),
    /// Texts at hand, with their names (the samples that are built in).
    Texts(Vec<(String, Arc<[u8]>)>),
}

/// What a journey is.
#[derive(Clone, Debug, PartialEq)]
pub enum Journey {
    /// A message: enters here and follows the routes.
    Message(StageId),
    /// A session: the commands of a script one after the other.
    Session {
        /// The script; not empty.
        script: Vec<ScriptStep>,
        /// How many messages the mailbox holds: uniform between the two, both included.
        messages: (u32, u32),
        /// Time between an answer and the next command.
        think: Option<Distribution>,
    },
    /// Whatever a trace's row says.
    Row,
}

/// One line of a session's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptStep {
    /// The command.
    pub stage: StageId,
    /// How often.
    pub times: Times,
}

/// How often a script's line is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// This often.
    Fixed(u32),
    /// Once for each message of the mailbox.
    EachMessage,
}

/// The stage of command `position` (from 0) in a script, or `None` behind its end.
#[must_use]
pub fn command(script: &[ScriptStep], messages: u32, position: u32) -> Option<StageId> {
    let mut left = position;
    for step in script {
        let times = match step.times {
            Times::Fixed(n) => n,
            Times::EachMessage => messages,
        };
        if left < times {
            return Some(step.stage);
        }
        left -= times;
    }
    None
}

/// Mean number of visits to each stage by one journey from `start`, following the routes.
///
/// Solved by walking: routes of the emulation are short, and a loop's share shrinks with each turn; what is left after
/// 64 turns is dropped.
#[must_use]
pub fn visits(stages: &[Stage], start: StageId) -> Vec<f64> {
    let mut total = vec![0.0; stages.len()];
    let mut now = vec![0.0; stages.len()];
    now[start.index()] = 1.0;
    for _ in 0..64 {
        let mut next = vec![0.0; stages.len()];
        for (at, share) in now.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            total[at] += share;
            if let Then::Route(branches) = &stages[at].then {
                for branch in branches {
                    if let Some(to) = branch.to {
                        next[to.index()] += share * branch.share;
                    }
                }
            }
        }
        now = next;
    }
    total
}

/// Mean number of times each stage is visited by one session of a script.
#[must_use]
pub fn script_visits(stages: &[Stage], script: &[ScriptStep], messages: (u32, u32)) -> Vec<f64> {
    let mean = (f64::from(messages.0) + f64::from(messages.1)) / 2.0;
    let mut total = vec![0.0; stages.len()];
    for step in script {
        total[step.stage.index()] += match step.times {
            Times::Fixed(n) => f64::from(n),
            Times::EachMessage => mean,
        };
    }
    total
}
