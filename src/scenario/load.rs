//! The sections `[load.NAME]`: who asks what of which service, and when.
//!
//! Not the services (`services.rs`) and not the spacing of open arrivals (`arrivals.rs`). Called by `super::plan_of`.

mod replay;

use self::replay::replayed;
use super::TraceOverride;
use super::arrivals::{OPEN, pattern};
use super::cluster::Cluster;
use super::cluster::share::Share;
use super::limits::{self, Limits, Target};
use super::service_time::distribution;
use super::stages::{Entries, Stages};
use super::tree::{Entry, Node, Value, shortened};
use super::walk::{Fields, Walk};
use crate::ids::StageId;
use crate::models::cluster::spec::GroupId;
use crate::problem::nearest;
use crate::time::Nanos;
use crate::workload::arrivals::Spacing;
use crate::workload::journey::{Arrivals, Journey, ScriptStep, Source, Times};

/// The most clients of all closed loads together: each is an entry of the calendar from the start.
const CLIENTS_MOST: u64 = 1_000_000;
/// The most loads.
const LOADS_MOST: usize = 1_000;
/// The most lines of a script, repetitions of a line, and messages of a mailbox.
const LINES_MOST: usize = 1_000;
const REPEATS: (u64, u64) = (1, 10_000);
const MESSAGES: (u64, u64) = (0, 10_000);
/// The most journeys that begin at once.
const BATCH: (u64, u64) = (1, 100_000);
/// The least pause of a closed client, on average: one that is refused and comes again at once would stop the clock.
const PAUSE_LEAST: Nanos = Nanos::from_micros(1);

/// The services that are known by name; the others are the scenario's own classes.
pub(super) const SERVICES: [&str; 3] = ["smtp", "pop3", "imap4"];

/// Every source of load, and the group of a cluster to which each belongs.
#[derive(Debug, Default)]
pub(super) struct Loads {
    pub(super) sources: Vec<Source>,
    pub(super) groups: Vec<GroupId>,
    /// Those of the limits beside the pool, each with whom it is for.
    pub(super) limits: Vec<(Target, Source)>,
}

/// Every source of load: one for each load, or in a cluster one for each group that it is for.
pub(super) fn loads(
    root: &mut Fields<'_, '_>,
    stages: &Stages,
    cluster: Option<&Cluster<'_>>,
    limits: &Limits,
    run: Nanos,
    replay: Option<&TraceOverride>,
) -> Loads {
    let walk = root.walk;
    let entries = root.take("load").and_then(|node| walk.entries(node, "load")).unwrap_or_default();
    if entries.is_empty() && replay.is_none() {
        walk.error(root.origin, "there is no load", "give at least one section [load.NAME]");
    }
    if let Some(entry) = entries.get(LOADS_MOST) {
        walk.error(&entry.key_origin, format!("there are more than {LOADS_MOST} loads"), "join some of them");
    }
    let mut loads = Loads::default();
    let mut clients = 0;
    let nowhere = Entries::default();
    let in_cluster = cluster.is_some();
    // Read against nothing, a load still tells of whatever else is wrong with it.
    let nobody =
        Reader { walk, stages, entries: &nowhere, limits, in_cluster, share: None, run, replaced: replay.is_some() };
    for entry in entries.iter().take(LOADS_MOST) {
        let Some(cluster) = cluster else {
            let entries = stages.entries.first().unwrap_or(&nowhere);
            match (Reader { entries, ..nobody }).load(entry, &mut clients) {
                Some((source, Some(target))) => loads.limits.push((target, source)),
                Some((source, None)) => loads.sources.push(source),
                None => {}
            }
            continue;
        };
        let shares = cluster.shares(walk, stages, entry);
        if shares.is_empty() {
            nobody.load(entry, &mut clients);
        }
        for share in shares {
            let entries = &stages.entries[share.group.index()];
            if let Some((source, _)) = (Reader { entries, share: Some(share), ..nobody }).load(entry, &mut clients) {
                loads.sources.push(Source { name: format!("{}.{}", share.name, source.name), ..source });
                loads.groups.push(share.group);
            }
        }
    }
    if let Some(replay) = replay {
        replayed(walk, stages, cluster, replay, &mut loads);
    }
    loads
}

/// What one load is read against.
#[derive(Clone, Copy)]
struct Reader<'n, 'a> {
    walk: &'n Walk<'a>,
    stages: &'n Stages,
    entries: &'n Entries,
    limits: &'n Limits,
    in_cluster: bool,
    /// The group of a cluster for which it is read.
    share: Option<Share<'n>>,
    run: Nanos,
    /// Whether the command line replaces the loads of SMTP.
    replaced: bool,
}

impl Reader<'_, '_> {
    /// The load, and the limit that it is for where it is not for the pool.
    fn load(&self, entry: &Entry, clients: &mut u64) -> Option<(Source, Option<Target>)> {
        let walk = self.walk;
        walk.check_name(&entry.key, &entry.key_origin, "the name of a load");
        let mut fields = walk.table(&entry.node, &format!("load.{}", entry.key))?;
        if self.in_cluster {
            // Read before, for it says for whom all of this is.
            fields.take("groups");
        }
        let service_name = fields.path("service");
        let service = fields
            .need("service", "write service = \"smtp\", \"pop3\", \"imap4\" or the name of a class")
            .and_then(|node| self.service(node, &service_name).map(|service| (service, &node.origin)));
        if let Some((service, origin)) = service
            && !self.has(service)
        {
            let who = if self.in_cluster { "no group of the cluster has" } else { "this scenario does not start" };
            let message = format!("{service_name} is `{service}`, which {who}");
            let remedy = match service {
                _ if limits::is_of_a_limit(service) => limits::remedy(service),
                _ if self.in_cluster => format!("add \"{service}\" to the resources of a group"),
                "smtp" => "give [smtp] with at least one virtual server".to_string(),
                _ => format!("give a section [{service}]"),
            };
            walk.error(origin, message, remedy);
        }
        let service = service.map(|(service, _)| service);
        let arrivals = self.arrivals(&mut fields, service, clients);
        let journey = self.journey(&mut fields, service, arrivals.as_ref());
        fields.finish();
        let source = Source { name: entry.key.clone(), arrivals: arrivals?, journey: journey? };
        let target = service.and_then(|service| self.limits.target(service));
        (!(self.replaced && service == Some("smtp"))).then_some((source, target))
    }

    /// One of the three services, or a class of the scenario's own.
    fn service<'n>(&self, node: &'n Node, name: &str) -> Option<&'n str> {
        if let Value::Text(text) = &node.value
            && self.general(text).is_some()
        {
            return Some(text);
        }
        let mut known: Vec<&str> = SERVICES.to_vec();
        known.extend(self.stages.general.iter().map(|(name, _)| name.as_str()));
        // Those of limits are named where there are limits, or where one of them was meant.
        let meant = if let Value::Text(text) = &node.value { text.as_str() } else { "" };
        let names = self.limits.names(meant);
        known.extend(names.iter().map(String::as_str));
        self.walk.one_of(node, name, &known)?;
        match &node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn general(&self, service: &str) -> Option<StageId> {
        self.stages.general.iter().find(|(name, _)| name == service).map(|(_, stage)| *stage)
    }

    fn has(&self, service: &str) -> bool {
        self.entries.has(service) || self.general(service).is_some() || self.limits.target(service).is_some()
    }

    /// When the load's journeys begin.
    fn arrivals(&self, fields: &mut Fields<'_, '_>, service: Option<&str>, clients: &mut u64) -> Option<Arrivals> {
        let walk = self.walk;
        let spacing = fields.take("arrivals");
        let batch = fields.take("batch");
        let pause = fields.take("pause");
        let replay_only = ["times", "loop", "spread"].map(|key| (key, fields.take(key)));
        let ways =
            OPEN.iter().chain(&["clients", "replay"]).filter_map(|way| fields.take(way).map(|node| (*way, node)));
        let ways: Vec<(&str, &Node)> = ways.collect();
        let &[(way, node)] = ways.as_slice() else {
            let given: Vec<&str> = ways.iter().map(|(way, _)| *way).collect();
            let message = match given.len() {
                0 => format!("{} does not say when it comes", fields.name()),
                _ => format!("{} says when it comes in several ways: {}", fields.name(), given.join(", ")),
            };
            let origin = ways.get(1).map_or(fields.origin, |(_, node)| &node.origin);
            walk.error(origin, message, "give one of rate, steps, ramp, on_off, daily, bursts, gaps, clients, replay");
            return None;
        };
        let unused = |key: &str, node: Option<&Node>| {
            if let Some(node) = node {
                let message = format!("{} does not go with {way}", fields.path(key));
                walk.error(&node.origin, message, "remove one of them");
            }
        };
        if way != "replay" {
            replay_only.iter().for_each(|(key, node)| unused(key, *node));
        }
        if matches!(way, "clients" | "replay" | "bursts" | "gaps") {
            unused("arrivals", spacing);
        }
        if matches!(way, "clients" | "replay") {
            unused("batch", batch);
        }
        if way != "clients" {
            unused("pause", pause);
        }
        match way {
            "clients" => self.closed(fields, node, pause, clients),
            "replay" => self.replay(fields, node, service, replay_only.map(|(_, node)| node)),
            _ => {
                let name = fields.path("arrivals");
                let spacing = match spacing.map(|node| walk.choice(node, &name, &["poisson", "even"])) {
                    Some(Some("even")) => Spacing::Even,
                    _ => Spacing::Poisson,
                };
                let remedy = "give how many begin at once, or remove it for 1";
                let batch = batch.map_or(Some(1), |node| walk.whole(node, &fields.path("batch"), BATCH, remedy));
                let pattern = pattern(walk, way, node, &fields.path(way), spacing, self.run);
                let pattern = match self.share {
                    Some(share) => share.of_pattern(walk, &node.origin, pattern?, &fields.path(way)),
                    None => pattern?,
                };
                Some(Arrivals::Open { pattern, batch: batch? as u32 })
            }
        }
    }

    /// `clients` and `pause`.
    fn closed(
        &self,
        fields: &Fields<'_, '_>,
        node: &Node,
        pause: Option<&Node>,
        clients: &mut u64,
    ) -> Option<Arrivals> {
        let walk = self.walk;
        let range = (0, CLIENTS_MOST);
        let population = walk.whole(node, &fields.path("clients"), range, "give how many clients there are");
        let population = population.map(|all| self.share.map_or(all, |share| share.of_clients(all)));
        let before = *clients;
        *clients += population.unwrap_or(0);
        if before <= CLIENTS_MOST && *clients > CLIENTS_MOST {
            let message = format!("all loads together have more than {CLIENTS_MOST} clients");
            walk.error(&node.origin, message, "lower their numbers, or use a rate");
        }
        let name = fields.path("pause");
        let Some(pause) = pause else {
            let remedy = "give the time between two sessions of a client, like { mean = \"30s\" }";
            walk.error(fields.origin, format!("{name} is missing"), remedy);
            return None;
        };
        let drawn = distribution(walk, pause, &name)?;
        if drawn.mean_ns() < PAUSE_LEAST.0 as f64 {
            let message = format!("{name} has a mean of less than 1us, so that a refused client never stops asking");
            walk.error(&pause.origin, message, "give a longer one");
            return None;
        }
        Some(Arrivals::Closed { population: population? as u32, pause: drawn })
    }

    /// What a journey of the load is.
    fn journey(
        &self,
        fields: &mut Fields<'_, '_>,
        service: Option<&str>,
        arrivals: Option<&Arrivals>,
    ) -> Option<Journey> {
        let walk = self.walk;
        let parts = ["script", "messages", "think"].map(|key| (key, fields.take(key)));
        let service = service?;
        let is_replay = matches!(arrivals, Some(Arrivals::Trace(_)));
        let is_limits = limits::is_of_a_limit(service);
        let limits = self.limits.target(service).map(Target::stage);
        let general = self.general(service).or(limits);
        if service == "smtp" || is_limits || is_replay || general.is_some() {
            for (key, node) in parts {
                if let Some(node) = node {
                    let message = format!("{} does not belong to a load of {service}", fields.path(key));
                    let remedy = match general {
                        _ if is_limits => "remove it: what asks there has no script",
                        Some(_) => "remove it: the items of a class of your own have no script",
                        None => "remove it: SMTP messages have no script",
                    };
                    walk.error(&node.origin, message, remedy);
                }
            }
            if let (Some(stage), false) = (general, is_replay) {
                return Some(Journey::Message(stage));
            }
            if is_limits {
                // That there is none of it was told.
                return None;
            }
            return if is_replay { Some(Journey::Row) } else { self.entries.smtp.map(|e| Journey::Message(e.message)) };
        }
        let [(_, script), (_, messages), (_, think)] = parts;
        let Some(script_node) = script else {
            let message = format!("{} is missing", fields.path("script"));
            walk.error(fields.origin, message, "give the commands of a session, like [\"logon\", \"retr*\", \"quit\"]");
            return None;
        };
        let messages = messages.map(|node| (self.messages(node, &fields.path("messages")), node));
        let think = think.map(|node| distribution(walk, node, &fields.path("think")));
        let script = self.script(script_node, &fields.path("script"), service)?;
        let messages = self.check_messages(fields, script_node, &script, messages)?;
        let think = match think {
            Some(None) => return None,
            Some(think) => think,
            None => None,
        };
        Some(Journey::Session { script, messages, think })
    }

    /// How many messages a mailbox holds, in agreement with a script.
    fn check_messages(
        &self,
        fields: &Fields<'_, '_>,
        script_node: &Node,
        script: &[ScriptStep],
        messages: Option<(Option<(u32, u32)>, &Node)>,
    ) -> Option<(u32, u32)> {
        let walk = self.walk;
        let starred = script.iter().any(|step| step.times == Times::EachMessage);
        let name = fields.path("messages");
        let (found, node) = match messages {
            Some(messages) => messages,
            None if starred => {
                let remedy = "give how many messages a mailbox holds, like 3 or [1, 5], for the `*` in the script";
                walk.error(fields.origin, format!("{name} is missing"), remedy);
                return None;
            }
            None => return Some((0, 0)),
        };
        if !starred {
            let remedy = "remove it, or end a command with `*`";
            walk.warning(&node.origin, format!("{name} is not used: no line of the script has a `*`"), remedy);
        }
        let (least, most) = found?;
        if least == 0 && script.iter().all(|step| step.times == Times::EachMessage) {
            let message = format!("{} has no command for an empty mailbox", fields.path("script"));
            walk.error(&script_node.origin, message, "add a command without `*`, or let `messages` be at least 1");
            return None;
        }
        Some((least, most))
    }

    /// `3` or `[1, 5]`.
    fn messages(&self, node: &Node, name: &str) -> Option<(u32, u32)> {
        let walk = self.walk;
        let remedy = "write a number like 3, or the least and the most like [1, 5]";
        let one = |node: &Node| walk.whole(node, name, MESSAGES, remedy).map(|n| n as u32);
        let Value::List(_) = &node.value else {
            let n = one(node)?;
            return Some((n, n));
        };
        let [least, most] = walk.list(node, name, (2, 2))? else { return None };
        let (least, most) = (one(least), one(most));
        let (least, most) = (least?, most?);
        if least > most {
            walk.error(&node.origin, format!("{name} is from {least} to {most}"), "swap them");
            return None;
        }
        Some((least, most))
    }

    /// The lines of a script: `logon`, `retr*`, `noop 3`.
    fn script(&self, node: &Node, name: &str, service: &str) -> Option<Vec<ScriptStep>> {
        let walk = self.walk;
        let nodes = walk.list(node, name, (1, LINES_MOST))?;
        // Without the service there is nothing to compare with, and that was told.
        let commands = self.entries.commands(service)?;
        let steps: Vec<Option<ScriptStep>> = nodes
            .iter()
            .enumerate()
            .map(|(at, node)| {
                let name = format!("{name}[{at}]");
                let line = walk.text(node, &name)?.trim();
                let (command, times) = repeats(line);
                let times = match times {
                    Ok(times) => times,
                    Err(found) => {
                        let message = format!("{name} is repeated {} times", shortened(found));
                        let remedy = format!("give a number from {} to {}", REPEATS.0, REPEATS.1);
                        walk.error(&node.origin, message, remedy);
                        return None;
                    }
                };
                let found = commands.iter().find(|(known, _)| known.eq_ignore_ascii_case(command));
                if found.is_none() {
                    let message = format!("{name} is `{}`, which is no command of {service}", shortened(command));
                    let known = commands.iter().map(|(known, _)| known.as_str());
                    let remedy = match nearest(command, known) {
                        Some(known) => format!("did you mean `{known}`?"),
                        None => format!("give a section [{service}.commands.NAME] for it"),
                    };
                    walk.error(&node.origin, message, remedy);
                }
                found.map(|(_, stage)| ScriptStep { stage: *stage, times })
            })
            .collect();
        steps.into_iter().collect()
    }
}

/// The command of a script's line, and how often it comes; the text that says so where it is out of range.
fn repeats(line: &str) -> (&str, Result<Times, &str>) {
    if let Some(command) = line.strip_suffix('*') {
        return (command.trim_end(), Ok(Times::EachMessage));
    }
    match line.rsplit_once(char::is_whitespace) {
        Some((command, times)) if times.bytes().all(|b| b.is_ascii_digit()) => {
            let times = match times.parse::<u64>() {
                Ok(n) if (REPEATS.0..=REPEATS.1).contains(&n) => Ok(Times::Fixed(n as u32)),
                _ => Err(times),
            };
            (command.trim_end(), times)
        }
        _ => (line, Ok(Times::Fixed(1))),
    }
}
