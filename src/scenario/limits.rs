//! The limits beside the pool: `[store]`, `[domains]` and `[transport]`.
//!
//! Not their loads, which are sections `[load.NAME]` like any (`load.rs`), and not what the numbers mean (`models`). A section
//! is read before the loads that name it, and becomes a plan when those and the registry are known. Called by
//! `super::plan_of`.

mod domains;
mod store;
mod transport;

use self::domains::Domains;
use self::store::Store;
use self::transport::Transport;
use super::Basics;
use super::service_time::distribution;
use super::tree::{Node, Value};
use super::walk::Fields;
use crate::ids::StageId;
use crate::models::transport::GroupId;
use crate::plan::limits::{Caller, DomainsPlan, Limits as Plans, TransportPlan};
use crate::policy::registry::Registry;
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::Source;

/// The sections of a scenario.
#[derive(Debug, Default)]
pub(super) struct Limits {
    store: Option<Store>,
    domains: Option<Domains>,
    transport: Option<Transport>,
}

/// Whom a load of a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Store(Caller),
    Domains,
    Transport(GroupId),
}

/// Every name that a load may have as its service, besides those of the groups of `[transport]`.
const TARGETS: [(&str, Target); 4] = [
    ("store.clients", Target::Store(Caller::Clients)),
    ("store.inbound", Target::Store(Caller::Inbound)),
    ("store.outbound", Target::Store(Caller::Outbound)),
    (DomainsPlan::NAME, Target::Domains),
];

impl Target {
    /// Where its items enter.
    pub(super) fn stage(self) -> StageId {
        match self {
            Target::Store(caller) => caller.stage(),
            Target::Domains => DomainsPlan::STAGE,
            Target::Transport(group) => TransportPlan::stage(group),
        }
    }
}

/// What the name of a group begins with where a load names it.
const OF_TRANSPORT: &str = "transport.";

/// Whether a load with this service is for a limit, in whatever scenario.
pub(super) fn is_of_a_limit(service: &str) -> bool {
    service.starts_with(OF_TRANSPORT) || TARGETS.iter().any(|(known, _)| *known == service)
}

/// What a scenario lacks where it does not have this service of a limit.
pub(super) fn remedy(service: &str) -> String {
    match service.strip_prefix(OF_TRANSPORT) {
        Some(group) => format!("give [transport] and a section [transport.groups.{group}]"),
        None if service == DomainsPlan::NAME => "give a section [domains]".to_string(),
        None => format!("give [store] and a section [{service}]"),
    }
}

/// All sections.
pub(super) fn limits(root: &mut Fields<'_, '_>, basics: &Basics) -> Limits {
    let in_cluster = root.peek("cluster").is_some();
    let walk = root.walk;
    for key in ["store", "domains", "transport"] {
        if let Some(node) = root.peek(key).filter(|_| in_cluster) {
            let message = format!("[{key}] does not go with [cluster]: it is of one server");
            walk.error(&node.origin, message, "remove one of them");
        }
    }
    let section = root.peek("transport");
    let transport = root.table("transport").zip(section);
    Limits {
        transport: transport.map(|(fields, node)| transport::transport(fields, node, basics)),
        store: root.table("store").map(|fields| store::store(fields, basics)),
        domains: root.table("domains").map(|fields| domains::domains(fields, basics)),
    }
}

impl Limits {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.store.is_none() && self.domains.is_none() && self.transport.is_none()
    }

    /// Whether the scenario has `[section]`.
    pub(super) fn has_section(&self, section: &str) -> bool {
        match section {
            "store" => self.store.is_some(),
            "transport" => self.transport.is_some(),
            _ => self.domains.is_some(),
        }
    }

    /// The target called `name`, where this scenario has it.
    pub(super) fn target(&self, name: &str) -> Option<Target> {
        if let Some(group) = name.strip_prefix(OF_TRANSPORT) {
            let at = self.transport.as_ref()?.group(group)?;
            return Some(Target::Transport(GroupId(at as u16)));
        }
        let found = TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)?;
        let has = match found {
            Target::Store(caller) => self.store.as_ref().is_some_and(|store| store.has(caller)),
            Target::Domains => self.domains.is_some(),
            Target::Transport(_) => self.transport.is_some(),
        };
        has.then_some(found)
    }

    /// Every name that a load may have as its service where this scenario has limits, or where `meant` is one of them.
    pub(super) fn names(&self, meant: &str) -> Vec<String> {
        let fixed = TARGETS.iter().map(|(name, _)| *name).filter(|name| !self.is_empty() || *name == meant);
        let mut names: Vec<String> = fixed.map(ToString::to_string).collect();
        match &self.transport {
            Some(transport) => names.extend(transport.names().map(TransportPlan::load_name)),
            // Only to be told that there is none.
            None if meant.starts_with(OF_TRANSPORT) => names.push(meant.to_string()),
            None => {}
        }
        names
    }

    /// What the engine needs.
    pub(super) fn plans(self, root: &Fields<'_, '_>, registry: &Registry, loads: Vec<(Target, Source)>) -> Plans {
        let of = |wanted: fn(Target) -> bool| -> Vec<Source> {
            loads.iter().filter(|(target, _)| wanted(*target)).map(|(_, source)| source.clone()).collect()
        };
        let calls = of(|target| matches!(target, Target::Store(_)));
        let mail = of(|target| target == Target::Domains);
        let senders = of(|target| matches!(target, Target::Transport(_)));
        Plans {
            store: self.store.and_then(|store| store.plan(root, registry, calls)).map(Into::into),
            domains: self.domains.and_then(|domains| domains.plan(root, registry, mail)).map(Into::into),
            transport: self.transport.and_then(|transport| transport.plan(root, senders)).map(Into::into),
        }
    }
}

/// The distribution in the field `key`, or a constant.
fn distribution_or(fields: &mut Fields<'_, '_>, key: &'static str, default: Nanos) -> Distribution {
    let name = fields.path(key);
    let found = fields.take(key).and_then(|node| distribution(fields.walk, node, &name));
    found.unwrap_or(Distribution::Constant(default))
}

/// The distribution in the field `key`, which has to be there.
fn need_distribution(fields: &mut Fields<'_, '_>, key: &'static str, remedy: &str) -> Option<Distribution> {
    let name = fields.path(key);
    fields.need(key, remedy).and_then(|node| distribution(fields.walk, node, &name))
}

/// A time of at least `least`, or the word `never`.
fn time_or_never(fields: &mut Fields<'_, '_>, key: &'static str, least: Nanos, default: Nanos) -> Nanos {
    let is_never = |node: &Node| matches!(&node.value, Value::Text(text) if text.trim() == "never");
    if fields.peek(key).is_some_and(is_never) {
        fields.take(key);
        return Nanos::MAX;
    }
    fields.time(key, least, "write a time like \"30s\", or \"never\"").unwrap_or(default)
}

fn truth(fields: &mut Fields<'_, '_>, key: &'static str, default: bool) -> bool {
    let name = fields.path(key);
    fields.take(key).and_then(|node| fields.walk.truth(node, &name)).unwrap_or(default)
}
