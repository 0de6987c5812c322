//! The sections `[pop3]`, `[imap4]` and `[smtp]`: what each service does for a request, and for how long.
//!
//! Not classes and stages (`stages.rs` makes those) and not load. Called by `super::plan_of`.

use super::service_time::{bytes, service};
use super::tree::{Node, Value};
use super::walk::{Fields, Walk};
use crate::policy::assumptions::SmtpQueue;
use crate::policy::drain::Drain;
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::Phase;

/// The most SMTP virtual servers.
pub(super) const VIRTUAL_SERVERS_MOST: u64 = 64;
/// What may wait for a class where the scenario does not say.
const WAITING_DEFAULT: u64 = 1_000_000;
const WAITING: (u64, u64) = (0, 10_000_000);
const WAITING_IN_QUEUE: (u64, u64) = (1, 10_000_000);
/// The most commands of one protocol.
const COMMANDS_MOST: usize = 100;
/// How far shares of virtual servers may be from 1 in sum: they are typed with few digits.
const SHARES_OFF: f64 = 1e-3;

/// The services of a scenario.
#[derive(Debug, Default)]
pub(super) struct Services {
    pub(super) pop3: Option<Protocol>,
    pub(super) imap4: Option<Protocol>,
    pub(super) smtp: Option<Smtp>,
}

impl Services {
    /// Whether the scenario has none of the three.
    pub(super) fn is_empty(&self) -> bool {
        self.pop3.is_none() && self.imap4.is_none() && self.smtp.is_none()
    }

    /// How many SMTP virtual servers start.
    pub(super) fn virtual_servers(&self) -> u32 {
        self.smtp.as_ref().map_or(0, |smtp| smtp.virtual_servers)
    }
}

/// What all requests of a service share.
#[derive(Debug)]
pub(super) struct Waiting {
    /// How long a client waits for a thread.
    pub(super) timeout: Option<Nanos>,
    /// How many may wait.
    pub(super) most: usize,
}

/// POP3 or IMAP4.
#[derive(Debug)]
pub(super) struct Protocol {
    pub(super) waiting: Waiting,
    pub(super) commands: Vec<Command>,
}

/// What a command does.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) name: String,
    pub(super) phases: Vec<Phase>,
    /// The bytes of its response, where a front-end sends it; a byte is a nanosecond.
    pub(super) response: Option<Distribution>,
}

/// SMTP.
#[derive(Debug)]
pub(super) struct Smtp {
    pub(super) virtual_servers: u32,
    /// Which part of the messages each virtual server gets; they sum to 1.
    pub(super) shares: Vec<f64>,
    pub(super) inbound: (Waiting, Vec<Phase>),
    /// In the order of [`SmtpQueue::ALL`].
    pub(super) queues: Vec<Queue>,
    /// How many may wait in each queue.
    pub(super) queue_waiting: usize,
    /// Part of the messages that go to mailboxes of this server.
    pub(super) local: f64,
    /// Part of the messages that fail and become a notification.
    pub(super) fails: f64,
}

/// A work queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) phases: Vec<Phase>,
    pub(super) drain: Option<Drain>,
}

/// Every service that the scenario has.
pub(super) fn services(root: &mut Fields<'_, '_>) -> Services {
    let sends = root.peek("write_buffers").is_some();
    Services {
        pop3: root.table("pop3").map(|fields| protocol(fields, "pop3", sends)),
        imap4: root.table("imap4").map(|fields| protocol(fields, "imap4", sends)),
        smtp: root.table("smtp").map(smtp),
    }
}

fn waiting(fields: &mut Fields<'_, '_>) -> Waiting {
    let timeout = fields.time("timeout", Nanos(1), "correct it, or remove it for clients that wait for ever");
    Waiting { timeout, most: fields.whole("max_waiting", WAITING, WAITING_DEFAULT) as usize }
}

fn protocol(mut fields: Fields<'_, '_>, name: &str, sends: bool) -> Protocol {
    let waiting = waiting(&mut fields);
    let remedy = format!("give at least one section [{name}.commands.NAME]");
    let node = fields.need("commands", &remedy);
    let commands = node.map_or_else(Vec::new, |node| commands(fields.walk, node, name, &remedy, sends));
    fields.finish();
    Protocol { waiting, commands }
}

fn commands(walk: &Walk<'_>, node: &Node, protocol: &str, remedy: &str, sends: bool) -> Vec<Command> {
    let name = format!("{protocol}.commands");
    let entries = walk.entries(node, &name).unwrap_or_default();
    if matches!(node.value, Value::Table(_)) && !(1..=COMMANDS_MOST).contains(&entries.len()) {
        let message = format!("{name} has {} commands, and 1 to {COMMANDS_MOST} are accepted", entries.len());
        walk.error(&node.origin, message, remedy);
    }
    let mut commands: Vec<Command> = Vec::new();
    for entry in entries.iter().take(COMMANDS_MOST) {
        let fine = walk.check_name(&entry.key, &entry.key_origin, "the name of a command");
        if fine && entry.key.contains([' ', '*']) {
            let message = format!("the command `{}` has a blank or a star in its name", entry.key);
            walk.error(&entry.key_origin, message, "a script could not name it; rename it");
        }
        if commands.iter().any(|known| known.name.eq_ignore_ascii_case(&entry.key)) {
            let message = format!("the command `{}` is there twice", entry.key);
            walk.error(&entry.key_origin, message, "case does not tell commands apart; remove one");
        }
        // Guess: that POP3 and IMAP4 mostly wait for the information store; their service times are not published.
        let Some(mut fields) = walk.table(&entry.node, &format!("{name}.{}", entry.key)) else { continue };
        let phases = service(&mut fields, "store");
        let name = fields.path("response_bytes");
        let given = fields.take("response_bytes");
        if let Some(node) = given.filter(|_| !sends) {
            let message = format!("{name} says how much is sent, and nothing says how");
            walk.error(&node.origin, message, "add a section [write_buffers], or remove it");
        }
        let response = given.and_then(|node| bytes(walk, node, &name));
        commands.push(Command { name: entry.key.clone(), phases, response });
        fields.finish();
    }
    commands
}

fn smtp(mut fields: Fields<'_, '_>) -> Smtp {
    let walk = fields.walk;
    let node = fields.take("virtual_servers");
    let remedy = "correct it, or remove it for the default of 1";
    let range = (0, VIRTUAL_SERVERS_MOST);
    let servers = node.map_or(Some(1), |node| walk.whole(node, "smtp.virtual_servers", range, remedy));
    let virtual_servers = servers.unwrap_or(1) as u32;
    let shares = shares(&mut fields, servers.map(|servers| servers as usize));
    let queue_waiting = fields.whole("max_waiting", WAITING_IN_QUEUE, WAITING_DEFAULT) as usize;
    let inbound = match fields.need("in", "give a section [smtp.in] with the service of inbound requests") {
        Some(node) => walk.table(node, "smtp.in").map(|mut inbound| {
            let result = (waiting(&mut inbound), service(&mut inbound, "disk"));
            inbound.finish();
            result
        }),
        None => None,
    };
    let need = fields.need("queues", "give a section for each queue, like [smtp.queues.pre-submission]");
    let queues = need.and_then(|node| walk.table(node, "smtp.queues")).map(queues).unwrap_or_default();
    let (local, fails) = flow(&mut fields);
    fields.finish();
    let nothing = Waiting { timeout: None, most: WAITING_DEFAULT as usize };
    let inbound = inbound.unwrap_or((nothing, Vec::new()));
    Smtp { virtual_servers, shares, inbound, queues, queue_waiting, local, fails }
}

/// The shares of `servers` virtual servers; the same for all where the scenario does not say.
fn shares(fields: &mut Fields<'_, '_>, servers: Option<usize>) -> Vec<f64> {
    let given = fields.take("shares");
    // Where the number is wrong, nothing can be said about shares.
    let Some(servers) = servers else { return vec![1.0] };
    let same = vec![1.0 / servers.max(1) as f64; servers];
    let walk = fields.walk;
    let Some(node) = given else { return same };
    let Some(nodes) = walk.list(node, "smtp.shares", (0, VIRTUAL_SERVERS_MOST as usize)) else { return same };
    let remedy = "remove it to share evenly, or give each virtual server a part, like [0.7, 0.3]";
    if nodes.len() != servers {
        let message = format!("smtp.shares has {} parts for {servers} virtual servers", nodes.len());
        walk.error(&node.origin, message, remedy);
        return same;
    }
    let shares: Vec<f64> =
        nodes.iter().filter_map(|node| walk.number(node, "a part of smtp.shares", (0.0, 1.0), remedy)).collect();
    let sum: f64 = shares.iter().sum();
    if shares.len() < servers || servers == 0 {
        return same;
    }
    if (sum - 1.0).abs() > SHARES_OFF {
        let message = format!("smtp.shares sums to {}, and 1 is needed", (sum * 1e6).round() / 1e6);
        walk.error(&node.origin, message, remedy);
        return same;
    }
    shares.iter().map(|share| share / sum).collect()
}

fn queues(mut fields: Fields<'_, '_>) -> Vec<Queue> {
    let walk = fields.walk;
    let queues = SmtpQueue::ALL.iter().map(|&queue| {
        let name = queue.name();
        let remedy = format!("give a section [smtp.queues.{name}]; cpu = \"0s\" is a service of no time");
        let mut own = fields.need(name, &remedy).and_then(|node| walk.table(node, &format!("smtp.queues.{name}")))?;
        let phases = service(&mut own, waits_for(queue));
        let drain = own.take("drain").and_then(|node| drain(walk, node, &own.path("drain")));
        own.finish();
        Some(Queue { phases, drain })
    });
    let queues = queues.map(|queue| queue.unwrap_or(Queue { phases: Vec::new(), drain: None })).collect();
    fields.finish();
    queues
}

/// What a queue's service waits for unless the scenario says otherwise.
// ATQ: pre-categorization looks recipients up in the directory, local delivery hands over to the store driver, and
// messages lie in files (TechNet aa996384, aa997040).
fn waits_for(queue: SmtpQueue) -> &'static str {
    match queue {
        SmtpQueue::PreCategorization => "directory",
        SmtpQueue::LocalDelivery => "store",
        SmtpQueue::PreSubmission | SmtpQueue::PreRouting | SmtpQueue::Dsn => "disk",
    }
}

/// A drain rule: `until-empty`, a number of messages, or `messages-N`.
pub(super) fn drain(walk: &Walk<'_>, node: &Node, name: &str) -> Option<Drain> {
    let found = match &node.value {
        Value::Text(text) => Drain::from_name(text),
        Value::Whole(n) => u32::try_from(*n).ok().filter(|&most| most > 0).map(Drain::Messages),
        _ => None,
    };
    if found.is_none() {
        let remedy = "write \"until-empty\", or the number of messages of one turn";
        walk.wrong(node, name, "`until-empty` or a whole number from 1 to 4294967295", remedy);
    }
    found
}

/// Parts of the messages that are local and that fail.
fn flow(fields: &mut Fields<'_, '_>) -> (f64, f64) {
    let Some(mut flow) = fields.table("flow") else { return (1.0, 0.0) };
    let mut part = |key: &'static str, default: f64| {
        let remedy = format!("correct it, or remove it for the default of {default}");
        let name = flow.path(key);
        flow.take(key).map_or(Some(default), |node| flow.walk.number(node, &name, (0.0, 1.0), &remedy))
    };
    let (local, fails) = (part("local", 1.0), part("fails", 0.0));
    let both = local.is_some() && fails.is_some();
    let (local, fails) = (local.unwrap_or(1.0), fails.unwrap_or(0.0));
    if both && local + fails > 1.0 + 1e-9 {
        let message = format!("smtp.flow.local {local} and fails {fails} are more than 1 together");
        flow.walk.error(flow.origin, message, "lower one of them; what they leave is routed to other servers");
    }
    flow.finish();
    (local, fails)
}
