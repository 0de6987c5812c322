//! The sections `[class.NAME]`: classes of the scenario's own, beside or instead of the services of Exchange; and what
//! belongs to them in `[node]`: `threads` and `waiting_room`.
//!
//! Not their load (`load.rs`) and not what the orders do (`policy::order`). Called by `super::plan_of`.

use super::load::SERVICES;
use super::service_time::{distribution, service};
use super::services::{Services, drain};
use super::stages::{Stages, route};
use super::tree::{Node, Origin, shortened};
use super::walk::{Fields, Walk};
use crate::ids::StageId;
use crate::plan::Role;
use crate::policy::assumptions::Assumptions;
use crate::policy::dispatch::{ClassRule, Kind};
use crate::policy::drain::Drain;
use crate::policy::order::Order;
use crate::policy::registry::Registry;
use crate::policy::sizing::PoolShape;
use crate::problem::nearest;
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Branch, Phase, Stage, Then};

/// The most classes of a scenario's own.
const CLASSES_MOST: usize = 1_000;
/// The most threads that a scenario may ask for directly.
const THREADS: (u64, u64) = (1, 1_000_000);
const CAP: (u64, u64) = (1, 1_000_000);
const WAITING: (u64, u64) = (0, 10_000_000);
const WAITING_DEFAULT: u64 = 1_000_000;
const U32: (u64, u64) = (0, u32::MAX as u64);
/// How far shares may be above 1 in sum: they are typed with few digits.
const SHARES_OFF: f64 = 1e-9;

/// One `[class.NAME]`, as it was read.
#[derive(Debug)]
pub(super) struct General<'n> {
    name: &'n str,
    key_origin: &'n Origin,
    /// `None`: requests.
    queue: Option<(Option<u32>, Drain)>,
    priority: u32,
    keep_free: u32,
    max_waiting: usize,
    phases: Vec<Phase>,
    patience: Option<Distribution>,
    /// (share, the name of the next class, where it was written).
    routes: Vec<(f64, &'n str, &'n Origin)>,
}

impl General<'_> {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// Where its name was written.
    pub(super) fn origin(&self) -> &Origin {
        self.key_origin
    }
}

/// `[node] threads`.
pub(super) fn threads(node: &mut Fields<'_, '_>) -> Option<(u32, Origin)> {
    let found = node.take("threads")?;
    let remedy = "give the size of the pool, or remove it: the registry says it then";
    let threads = node.walk.whole(found, &node.path("threads"), THREADS, remedy)?;
    Some((threads as u32, found.origin.clone()))
}

/// `[node] waiting_room`.
pub(super) fn waiting_room(node: &mut Fields<'_, '_>) -> Option<usize> {
    let found = node.take("waiting_room")?;
    let remedy = "give how many items may wait in all, or remove it";
    node.walk.whole(found, &node.path("waiting_room"), WAITING, remedy).map(|room| room as usize)
}

/// Tells of whatever else would decide the size of the pool.
pub(super) fn check_threads(walk: &Walk<'_>, origin: &Origin, root: &Node, services: &Services, registry: &Registry) {
    let with_registry = root.at(&["registry"]).is_some() || *registry != Registry::empty();
    let other = if services.smtp.is_some() {
        "[smtp]"
    } else if with_registry {
        "a registry"
    } else {
        return;
    };
    let message = format!("node.threads does not go with {other}, which decides the size of the pool");
    walk.error(origin, message, "remove one of them");
}

/// The pool of `threads` threads, whatever the registry's defaults would have made of it.
pub(super) fn shape(pool: &mut PoolShape, threads: u32) {
    pool.wanted = threads.into();
    pool.limit = threads;
    pool.limit_source = "threads".to_string();
    pool.size = threads;
    pool.heavy_queue_cap = threads;
    pool.light_queue_cap = pool.light_queue_cap.min(threads);
    pool.left_for_others = threads;
    pool.steps = vec![format!("threads = {threads}")];
}

/// Every class of the scenario's own.
pub(super) fn classes<'n>(root: &mut Fields<'n, '_>, assumptions: &Assumptions) -> Vec<General<'n>> {
    let walk = root.walk;
    let entries = root.take("class").and_then(|node| walk.entries(node, "class")).unwrap_or_default();
    if let Some(entry) = entries.get(CLASSES_MOST) {
        walk.error(&entry.key_origin, format!("there are more than {CLASSES_MOST} classes"), "join some of them");
    }
    let mut found = Vec::new();
    for entry in entries.iter().take(CLASSES_MOST) {
        walk.check_name(&entry.key, &entry.key_origin, "the name of a class");
        if SERVICES.contains(&entry.key.as_str()) || entry.key.contains('.') || entry.key == "smtp-in" {
            let message = format!("a class cannot be called `{}`", shortened(&entry.key));
            walk.error(&entry.key_origin, message, "give it a name without points that no service of Exchange has");
        }
        if let Some(fields) = walk.table(&entry.node, &format!("class.{}", entry.key)) {
            found.push(class(fields, &entry.key, &entry.key_origin, assumptions));
        }
    }
    found
}

fn class<'n>(
    mut fields: Fields<'n, '_>,
    name: &'n str,
    key_origin: &'n Origin,
    assumptions: &Assumptions,
) -> General<'n> {
    let walk = fields.walk;
    let is_queue = fields.choice("kind", &["requests", "queue"]) == Some("queue");
    let only_queue = |key: &str, node: &Node| {
        if !is_queue {
            walk.error(&node.origin, format!("{key} belongs to kind = \"queue\""), "set the kind, or remove it");
        }
    };
    let (cap_name, drain_name) = (fields.path("cap"), fields.path("drain"));
    let cap = fields.take("cap").and_then(|node| {
        only_queue(&cap_name, node);
        walk.whole(node, &cap_name, CAP, "give the most threads of the queue, or remove it for all of the pool")
    });
    let turn = fields.take("drain").and_then(|node| {
        only_queue(&drain_name, node);
        drain(walk, node, &drain_name)
    });
    let mut ranked = |key: &'static str, orders: &[Order]| {
        let name = fields.path(key);
        let Some(node) = fields.take(key) else { return 0 };
        if !orders.contains(&assumptions.order) {
            let names: Vec<&str> = orders.iter().map(|order| order.name()).collect();
            let message = format!("{name} has no effect with assumptions.order = \"{}\"", assumptions.order.name());
            walk.error(&node.origin, message, format!("set the order to {}, or remove it", names.join(" or ")));
        }
        walk.whole(node, &name, U32, "give a whole number").unwrap_or(0) as u32
    };
    let priority = ranked("priority", &[Order::Priority, Order::Reserve]);
    let keep_free = ranked("keep_free", &[Order::Reserve]);
    let max_waiting = fields.whole("max_waiting", WAITING, WAITING_DEFAULT) as usize;
    let phases = service(&mut fields, "store");
    let patience_name = fields.path("patience");
    let patience = fields.take("patience").and_then(|node| distribution(walk, node, &patience_name));
    let routes = routes(&mut fields);
    fields.finish();
    let queue = is_queue.then(|| (cap.map(|cap| cap as u32), turn.unwrap_or(assumptions.drain)));
    General { name, key_origin, queue, priority, keep_free, max_waiting, phases, patience, routes }
}

/// `routes = { NAME = share, ... }`.
fn routes<'n>(fields: &mut Fields<'n, '_>) -> Vec<(f64, &'n str, &'n Origin)> {
    let walk = fields.walk;
    let name = fields.path("routes");
    let Some(node) = fields.take("routes") else { return Vec::new() };
    let mut found = Vec::new();
    for entry in walk.entries(node, &name).unwrap_or_default() {
        let remedy = "give the part of the items that goes there, like 0.5";
        if let Some(share) = walk.number(&entry.node, &format!("{name}.{}", entry.key), (0.0, 1.0), remedy) {
            found.push((share, entry.key.as_str(), &entry.key_origin));
        }
    }
    let sum: f64 = found.iter().map(|(share, ..)| share).sum();
    if sum > 1.0 + SHARES_OFF {
        let message = format!("{name} sums to {}, which is more than 1", (sum * 1e6).round() / 1e6);
        walk.error(&node.origin, message, "lower them; what they leave of 1 is done after this class");
    }
    found
}

/// Adds the classes to those of the services, and answers with where load may enter.
pub(super) fn add(
    walk: &Walk<'_>,
    classes: &[General<'_>],
    stages: &mut Stages,
    pool: Option<&PoolShape>,
    assumptions: &Assumptions,
) -> Vec<(String, StageId)> {
    let size = pool.map_or(u32::MAX, |pool| pool.size);
    let mut entries: Vec<(String, StageId)> = Vec::new();
    for class in classes {
        let (role, kind) = match class.queue {
            None => (Role::Protocol, Kind::Requests),
            Some((cap, drain)) => (Role::HeavyQueue, Kind::WorkQueue { cap: cap.unwrap_or(size).min(size), drain }),
        };
        let (priority, keep_free, max_waiting) = (class.priority, class.keep_free, class.max_waiting);
        if assumptions.order == Order::Reserve && keep_free >= size {
            let message = format!("class.{}.keep_free is {keep_free} of {size} threads: it never gets one", class.name);
            walk.error(class.key_origin, message, "lower it below the size of the pool");
        }
        let rule = ClassRule { kind, max_waiting, priority, keep_free };
        let id = stages.add_class(class.name.to_string(), role, rule);
        let (phases, patience) = (class.phases.clone(), class.patience.clone());
        stages.stages.push(Stage { name: class.name.to_string(), class: id, phases, patience, then: Then::End });
        entries.push((class.name.to_string(), StageId((stages.stages.len() - 1) as u16)));
    }
    for (class, (_, stage)) in classes.iter().zip(&entries) {
        let mut branches = Vec::new();
        for (share, name, origin) in &class.routes {
            match entries.iter().find(|(known, _)| known == name) {
                Some((_, to)) => branches.push(Branch { share: *share, to: Some(*to) }),
                None => {
                    let message = format!("class.{}.routes names `{}`, which is no class", class.name, shortened(name));
                    let remedy = match nearest(name, entries.iter().map(|(known, _)| known.as_str())) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "name one of the sections [class.NAME]".to_string(),
                    };
                    walk.error(origin, message, remedy);
                }
            }
        }
        let left = 1.0 - branches.iter().map(|branch| branch.share).sum::<f64>();
        if !branches.is_empty() {
            if left > SHARES_OFF {
                branches.push(Branch { share: left, to: None });
            }
            stages.stages[stage.index()].then = route(branches);
        }
    }
    entries
}
