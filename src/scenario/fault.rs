//! The sections `[[fault]]`: what goes wrong, and when.
//!
//! Not what a fault does (`workload::faults`). Called by `super::plan_of`, after everything that a fault may hit.

use super::stages::Stages;
use super::tree::{Node, shortened};
use super::walk::{Fields, Walk};
use crate::ids::{ClassId, DependencyId};
use crate::problem::nearest;
use crate::time::Nanos;
use crate::workload::faults::{Effect, Fault, Target};

/// The most faults: each is looked at in every wait.
const FAULTS_MOST: usize = 100;
/// The range of a factor.
const SLOWER: (f64, f64) = (0.0, 1e6);
const SHARE: (f64, f64) = (0.0, 1.0);

/// Every fault; one for each class that it hits.
pub(super) fn faults(root: &mut Fields<'_, '_>, stages: &Stages, run: Nanos) -> Vec<Fault> {
    let walk = root.walk;
    let nodes = root.take("fault").and_then(|node| walk.list(node, "fault", (0, FAULTS_MOST))).unwrap_or_default();
    nodes.iter().enumerate().flat_map(|(at, node)| fault(walk, node, at, stages, run)).collect()
}

fn fault(walk: &Walk<'_>, node: &Node, at: usize, stages: &Stages, run: Nanos) -> Vec<Fault> {
    let Some(mut fields) = walk.table(node, &format!("fault[{at}]")) else { return Vec::new() };
    let (on, service) = (fields.take("on"), fields.take("service"));
    let targets = match (on, service) {
        (Some(node), None) => dependency(walk, node, &fields.path("on")),
        (None, Some(node)) => classes(walk, node, &fields.path("service"), stages),
        _ => {
            let message = format!("fault[{at}] does not name exactly one of on and service");
            walk.error(fields.origin, message, "write on = \"directory\", or service = \"pop3\"");
            Vec::new()
        }
    };
    let from = fields.time("from", Nanos::ZERO, "write the time since the start of the run, like \"2m\"");
    let until = fields.time("until", Nanos::ZERO, "write the time since the start of the run, like \"7m\"");
    let (from, until) = (from.unwrap_or(Nanos::ZERO), until.unwrap_or(Nanos::MAX));
    if from >= until {
        let message = format!("fault[{at}] is from {from} until {until}, which is no time at all");
        walk.error(fields.origin, message, "let `until` be after `from`");
    } else if from >= run && run > Nanos::ZERO {
        let message = format!("fault[{at}] begins at {from}, when the run of {run} is over");
        walk.warning(fields.origin, message, "let it begin earlier, or lengthen the run");
    }
    let effect = effect(&mut fields, at, service.is_some());
    fields.finish();
    let Some(effect) = effect else { return Vec::new() };
    targets.into_iter().map(|target| Fault { target, from, until, effect }).collect()
}

/// Exactly one of `slower`, `hangs` and `panics`.
fn effect(fields: &mut Fields<'_, '_>, at: usize, on_service: bool) -> Option<Effect> {
    let walk = fields.walk;
    let share = fields.take("share");
    let ways = ["slower", "hangs", "panics"].map(|way| fields.take(way).map(|node| (way, node)));
    let ways: Vec<(&str, &Node)> = ways.into_iter().flatten().collect();
    let &[(way, node)] = ways.as_slice() else {
        let message = format!("fault[{at}] does not have exactly one of slower, hangs and panics");
        walk.error(fields.origin, message, "write slower = 10, hangs = \"30s\" or panics = 0.01");
        return None;
    };
    let name = fields.path(way);
    let share_name = fields.path("share");
    if let Some(share) = share.filter(|_| way != "hangs") {
        walk.error(&share.origin, format!("{share_name} does not go with {way}"), "remove it; it belongs to hangs");
    }
    match way {
        "slower" => walk.number(node, &name, SLOWER, "give a factor like 10").map(Effect::Slower),
        "hangs" => {
            let remedy = "give how long a wait takes instead, like \"30s\"";
            let lasts = walk.time(node, &name, Nanos::ZERO, remedy);
            let remedy = "give the part of the waits that hang, or remove it for all";
            let share = share.map_or(Some(1.0), |node| walk.number(node, &share_name, SHARE, remedy));
            Some(Effect::Hangs { lasts: lasts?, share: share? })
        }
        _ if !on_service => {
            let message = format!("{name} is for a service, and this fault is on something that is waited for");
            walk.error(&node.origin, message, "name a service instead: service = \"pop3\"");
            None
        }
        _ => {
            let share = walk.number(node, &name, SHARE, "give the part of the handlers that panic, like 0.01");
            share.map(|share| Effect::Panics { share })
        }
    }
}

/// What services wait for, by name.
fn dependency(walk: &Walk<'_>, node: &Node, name: &str) -> Vec<Target> {
    let Some(found) = walk.text(node, name) else { return Vec::new() };
    let known = walk.dependencies();
    if let Some(at) = known.iter().position(|known| known == found) {
        return vec![Target::Dependency(DependencyId(at as u16))];
    }
    let message = format!("{name} is `{}`, which nothing waits for", shortened(found));
    let remedy = match nearest(found, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "no service waits for anything".to_string(),
        None => format!("services wait for {}", known.join(", ")),
    };
    walk.error(&node.origin, message, remedy);
    Vec::new()
}

/// A class by its name; `smtp` is all of SMTP, and the name of a queue is that queue of every virtual server.
fn classes(walk: &Walk<'_>, node: &Node, name: &str, stages: &Stages) -> Vec<Target> {
    let Some(found) = walk.text(node, name) else { return Vec::new() };
    let hit = |class: &crate::plan::ClassPlan| {
        let queue = class.name.split_once('.').map(|(_, queue)| queue);
        let own = stages.general.iter().any(|(name, _)| *name == class.name);
        class.name == found || queue == Some(found) || (found == "smtp" && class.role.is_mail() && !own)
    };
    let targets: Vec<Target> = stages
        .classes
        .iter()
        .enumerate()
        .filter(|(_, class)| hit(class))
        .map(|(at, _)| Target::Class(ClassId(at as u16)))
        .collect();
    if targets.is_empty() {
        let names: Vec<&str> = stages.classes.iter().map(|class| class.name.as_str()).collect();
        let message = format!("{name} is `{}`, which is no service of this scenario", shortened(found));
        let remedy = match nearest(found, names.iter().copied().chain(["smtp"])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "write pop3, imap4, smtp-in, a queue like smtp1.local-delivery, or smtp for all of SMTP".to_string()
            }
        };
        walk.error(&node.origin, message, remedy);
    }
    targets
}
