//! Which groups a load is for, and how much of it each has.
//!
//! Not the load itself, which `load.rs` reads once for each group. Called by `load.rs`.

use super::super::load::SERVICES;
use super::super::stages::Stages;
use super::super::tree::{Entry, Origin, Value};
use super::super::walk::Walk;
use super::classes::probe_name;
use super::{Cluster, one_called};
use crate::models::cluster::spec::GroupId;
use crate::workload::arrivals::Pattern;

/// The highest rate, as for every load.
const RATE_MOST: f64 = 1e9;

/// The group of a cluster for which a load is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::scenario) struct Share<'c> {
    pub(in crate::scenario) group: GroupId,
    /// The group's name.
    pub(in crate::scenario) name: &'c str,
    /// Its part of the load.
    pub(in crate::scenario) load: f64,
    /// Whether the load is for this group only.
    pub(in crate::scenario) alone: bool,
}

impl Cluster<'_> {
    /// The groups for which a load is: those of its `groups`, or else all that have its service. Tells of what is wrong
    /// with `groups`.
    pub(in crate::scenario) fn shares(&self, walk: &Walk<'_>, stages: &Stages, entry: &Entry) -> Vec<Share<'_>> {
        let service = match entry.node.at(&["service"]).map(|node| &node.value) {
            Some(Value::Text(text)) if SERVICES.contains(&text.as_str()) => text.as_str(),
            // Told where the load is read.
            _ => return Vec::new(),
        };
        if SERVICES.iter().any(|service| probe_name(service) == entry.key) {
            let message = format!("a load of a cluster cannot be called `{}`: the probes are", entry.key);
            walk.error(&entry.key_origin, message, "give it another name");
        }
        let all = 0..self.spec.groups.len();
        let has = |at: &usize| stages.entries.get(*at).is_some_and(|entries| entries.has(service));
        let named = entry.node.at(&["groups"]).map(|node| self.named(walk, node, entry, service, &has));
        let found = named.filter(|named| !named.is_empty()).unwrap_or_else(|| all.filter(has).collect());
        let alone = found.len() == 1;
        let share = |at: usize| Share {
            group: GroupId(at as u16),
            name: &self.spec.groups[at].name,
            load: self.loads[at],
            alone,
        };
        found.into_iter().map(share).collect()
    }

    /// `groups = ["evs1"]`.
    fn named(
        &self,
        walk: &Walk<'_>,
        node: &super::super::tree::Node,
        entry: &Entry,
        service: &str,
        has: &dyn Fn(&usize) -> bool,
    ) -> Vec<usize> {
        let name = format!("load.{}.groups", entry.key);
        let known: Vec<&str> = self.spec.groups.iter().map(|group| group.name.as_str()).collect();
        let mut found = Vec::new();
        for node in walk.list(node, &name, (1, self.spec.groups.len().max(1))).unwrap_or_default() {
            let Some(at) = one_called(walk, node, &name, &known, "the groups of the cluster") else { continue };
            if found.contains(&at) {
                walk.error(&node.origin, format!("{name} names `{}` twice", known[at]), "remove one of them");
            } else if has(&at) {
                found.push(at);
            } else {
                let message = format!("{name} names `{}`, which has no {service}", known[at]);
                walk.error(&node.origin, message, format!("add \"{service}\" to its resources, or remove it here"));
            }
        }
        found
    }

    /// The one group to which the logs of the command line go.
    pub(in crate::scenario) fn share_of_replay(
        &self,
        walk: &Walk<'_>,
        stages: &Stages,
        origin: &Origin,
    ) -> Option<Share<'_>> {
        let with_smtp: Vec<usize> = (0..self.spec.groups.len())
            .filter(|at| stages.entries.get(*at).is_some_and(|e| e.smtp.is_some()))
            .collect();
        if let [at] = with_smtp[..] {
            let name = &self.spec.groups[at].name;
            return Some(Share { group: GroupId(at as u16), name, load: self.loads[at], alone: true });
        }
        let names: Vec<&str> = with_smtp.iter().map(|at| self.spec.groups[*at].name.as_str()).collect();
        if names.is_empty() {
            walk.error(
                origin,
                "logs are replayed against SMTP, which no group of the cluster has",
                "give one a resource `smtp`",
            );
        } else {
            let message = format!("logs are of one virtual server, and this cluster has {}", names.join(", "));
            walk.error(origin, message, "give the scenario a load with `replay` and groups = [\"...\"]");
        }
        None
    }
}

impl Share<'_> {
    /// An open load's arrivals for this group.
    pub(in crate::scenario) fn of_pattern(
        &self,
        walk: &Walk<'_>,
        origin: &Origin,
        pattern: Pattern,
        name: &str,
    ) -> Pattern {
        if self.load == 1.0 {
            return pattern;
        }
        let scaled = pattern.times(self.load);
        if scaled.peak() > RATE_MOST {
            let message = format!("{name} times the load of {} is more than 1e9 per second", self.name);
            walk.error(origin, message, format!("lower it, or cluster.group.{}.load", self.name));
        }
        scaled
    }

    /// How many of a closed load's clients are of this group.
    pub(in crate::scenario) fn of_clients(&self, clients: u64) -> u64 {
        (clients as f64 * self.load).round() as u64
    }
}
