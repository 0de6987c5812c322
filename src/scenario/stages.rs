//! From services to the classes that share the pool, and to the stages that an item goes through.
//!
//! Not the load that enters them. Called by `super::plan_of`.

use std::sync::Arc;

use super::limits::Senders;
use super::services::{Protocol, Queue, Services, Smtp, Waiting};
use super::walk::Walk;
use crate::ids::{ClassId, DependencyId, StageId};
use crate::plan::{ClassPlan, Role};
use crate::policy::assumptions::{Assumptions, SmtpQueue};
use crate::policy::dispatch::{ClassRule, Kind};
use crate::policy::sizing::PoolShape;
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Branch, Phase, PhaseKind, Stage, Then};
use crate::workload::response::{Response, Sender};

/// What a response waits for, by the name that faults have for it: the link to its client.
const CLIENTS: &str = "clients";

/// The classes and stages of a scenario, and where load enters.
#[derive(Debug, Default)]
pub(super) struct Stages {
    pub(super) classes: Vec<ClassPlan>,
    pub(super) stages: Vec<Stage>,
    /// Where the services' load enters: one place on a single server, one for each group of a cluster.
    pub(super) entries: Vec<Entries>,
    /// Classes of the scenario's own, by name.
    pub(super) general: Vec<(String, StageId)>,
}

/// Where the load of one server's services enters.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Commands by name, where the service is there.
    pub(super) pop3: Option<Vec<(String, StageId)>>,
    pub(super) imap4: Option<Vec<(String, StageId)>>,
    pub(super) smtp: Option<SmtpEntry>,
}

impl Entries {
    /// Whether the service of this name is there; one of the three.
    pub(super) fn has(&self, service: &str) -> bool {
        match service {
            "smtp" => self.smtp.is_some(),
            _ => self.commands(service).is_some(),
        }
    }

    /// The commands of `pop3` or `imap4`.
    pub(super) fn commands(&self, service: &str) -> Option<&[(String, StageId)]> {
        match service {
            "pop3" => self.pop3.as_deref(),
            "imap4" => self.imap4.as_deref(),
            _ => None,
        }
    }
}

/// How the classes of SMTP are called.
#[derive(Debug)]
pub(super) struct Names {
    /// The class of inbound requests.
    pub(super) inbound: String,
    /// What stands before a queue's name, for each virtual server: `smtp1.`.
    pub(super) queues: Vec<String>,
}

/// Where SMTP load enters.
#[derive(Clone, Copy, Debug)]
pub(super) struct SmtpEntry {
    /// An inbound request that hands over a message.
    pub(super) message: StageId,
    /// Any other inbound request.
    pub(super) request: StageId,
}

/// The caps of the queues, which follow from the pool's shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    heavy: u32,
    light: u32,
}

impl Caps {
    /// Those of a pool, or any at all where its shape is not known because of a problem.
    pub(super) fn of(shape: Option<&PoolShape>) -> Caps {
        shape.map_or(Caps { heavy: 1, light: 1 }, |shape| Caps {
            heavy: shape.heavy_queue_cap,
            light: shape.light_queue_cap,
        })
    }
}

/// Everything that `services` make.
pub(super) fn stages(
    services: &Services,
    senders: &Senders,
    walk: &Walk<'_>,
    assumptions: &Assumptions,
    caps: Caps,
) -> Stages {
    let mut all = Stages::default();
    let sender = |name: &str| senders.of(name).map(|sender| (sender, walk.dependency(CLIENTS)));
    let mut entries = Entries {
        pop3: services.pop3.as_ref().map(|pop3| all.add_protocol("pop3", pop3, sender("pop3"))),
        imap4: services.imap4.as_ref().map(|imap4| all.add_protocol("imap4", imap4, sender("imap4"))),
        smtp: None,
    };
    // With no virtual server, SMTP is not started.
    if let Some(smtp) = services.smtp.as_ref().filter(|smtp| smtp.virtual_servers > 0 && !smtp.queues.is_empty()) {
        let queues = (1..=smtp.shares.len()).map(|number| format!("smtp{number}.")).collect();
        let names = Names { inbound: "smtp-in".to_string(), queues };
        entries.smtp = Some(all.add_smtp(smtp, &smtp.shares, &names, assumptions, caps));
    }
    all.entries.push(entries);
    all
}

impl Stages {
    pub(super) fn add_class(&mut self, name: String, role: Role, rule: ClassRule) -> ClassId {
        self.classes.push(ClassPlan { name, role, rule });
        ClassId((self.classes.len() - 1) as u16)
    }

    fn add_stage(&mut self, name: String, class: ClassId, phases: &[Phase], waiting: Option<&Waiting>) -> StageId {
        let patience = waiting.and_then(|waiting| waiting.timeout).map(Distribution::Constant);
        self.stages.push(Stage { name, class, phases: phases.to_vec(), patience, then: Then::End });
        StageId((self.stages.len() - 1) as u16)
    }

    /// `sender`: what sends its responses, and what that is a wait for.
    pub(super) fn add_protocol(
        &mut self,
        name: &str,
        protocol: &Protocol,
        sender: Option<(Arc<dyn Sender>, DependencyId)>,
    ) -> Vec<(String, StageId)> {
        let class = self.add_class(name.to_string(), Role::Protocol, requests(protocol.waiting.most));
        let mut commands = Vec::new();
        for command in &protocol.commands {
            let shown = format!("{name} {}", command.name.to_uppercase());
            let mut phases = command.phases.clone();
            if let (Some(bytes), Some((by, on))) = (&command.response, &sender) {
                let time = Distribution::Response(Response::new(bytes.clone(), Arc::clone(by)));
                phases.push(Phase { kind: PhaseKind::Wait(*on), time });
            }
            let stage = self.add_stage(shown, class, &phases, Some(&protocol.waiting));
            self.stages[stage.index()].then = Then::Script;
            commands.push((command.name.clone(), stage));
        }
        commands
    }

    /// One inbound class, and the queues of a virtual server for each of `shares`.
    pub(super) fn add_smtp(
        &mut self,
        smtp: &Smtp,
        shares: &[f64],
        names: &Names,
        assumptions: &Assumptions,
        caps: Caps,
    ) -> SmtpEntry {
        let (waiting, phases) = &smtp.inbound;
        let inbound = &names.inbound;
        let class = self.add_class(inbound.clone(), Role::SmtpIn, requests(waiting.most));
        let request = self.add_stage(format!("{inbound} request"), class, phases, Some(waiting));
        let message = self.add_stage(format!("{inbound} message"), class, phases, Some(waiting));
        let mut branches = Vec::new();
        for (&share, prefix) in shares.iter().zip(&names.queues) {
            let first = self.add_virtual_server(prefix, smtp, assumptions, caps);
            branches.push(Branch { share, to: Some(first) });
        }
        self.stages[message.index()].then = route(branches);
        SmtpEntry { message, request }
    }

    /// The five queues of a virtual server, whose names begin with `prefix`; the stage that its messages enter.
    // ATQ: pre-submission, pre-categorization, then local delivery or pre-routing (TechNet aa996384).
    // Guess: what fails does so at categorization, where recipients turn out to be unknown; the notification is a
    // message of its own, which goes the same way and never fails again.
    fn add_virtual_server(&mut self, prefix: &str, smtp: &Smtp, assumptions: &Assumptions, caps: Caps) -> StageId {
        let classes: Vec<ClassId> = SmtpQueue::ALL
            .iter()
            .zip(&smtp.queues)
            .map(|(&queue, own)| self.add_queue(prefix, queue, own, smtp.queue_waiting, assumptions, caps))
            .collect();
        let mut add = |queue: SmtpQueue, of: &str| {
            let name = format!("{prefix}{}{of}", queue.name());
            self.add_stage(name, classes[queue as usize], &smtp.queues[queue as usize].phases, None)
        };
        let of = [("", ()), (" of a DSN", ())].map(|(of, ())| {
            [SmtpQueue::PreSubmission, SmtpQueue::PreCategorization, SmtpQueue::LocalDelivery, SmtpQueue::PreRouting]
                .map(|queue| add(queue, of))
        });
        let dsn = add(SmtpQueue::Dsn, "");
        let [message, notification] = of;
        let to = |share, stage| Branch { share, to: Some(stage) };
        let routed = (1.0 - smtp.local - smtp.fails).max(0.0);
        let passed = smtp.local + routed;
        let local = if passed > 0.0 { smtp.local / passed } else { 0.0 };
        self.stages[message[0].index()].then = route(vec![to(1.0, message[1])]);
        self.stages[message[1].index()].then =
            route(vec![to(smtp.local, message[2]), to(smtp.fails, dsn), to(routed, message[3])]);
        self.stages[dsn.index()].then = route(vec![to(1.0, notification[0])]);
        self.stages[notification[0].index()].then = route(vec![to(1.0, notification[1])]);
        self.stages[notification[1].index()].then =
            route(vec![to(local, notification[2]), to(1.0 - local, notification[3])]);
        message[0]
    }

    fn add_queue(
        &mut self,
        prefix: &str,
        queue: SmtpQueue,
        own: &Queue,
        max_waiting: usize,
        assumptions: &Assumptions,
        caps: Caps,
    ) -> ClassId {
        let (role, cap) = match assumptions.is_heavy(queue) {
            true => (Role::HeavyQueue, caps.heavy),
            false => (Role::LightQueue, caps.light),
        };
        let kind = Kind::WorkQueue { cap, drain: own.drain.unwrap_or(assumptions.drain) };
        let rule = ClassRule { kind, max_waiting, ..ClassRule::default() };
        self.add_class(format!("{prefix}{}", queue.name()), role, rule)
    }
}

/// The rule of a class of requests.
pub(super) fn requests(max_waiting: usize) -> ClassRule {
    ClassRule { kind: Kind::Requests, max_waiting, ..ClassRule::default() }
}

/// A route without the ways that nobody goes.
pub(super) fn route(mut branches: Vec<Branch>) -> Then {
    branches.retain(|branch| branch.share > 0.0);
    Then::Route(branches)
}
