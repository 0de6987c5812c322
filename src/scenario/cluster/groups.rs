//! The sections `[cluster.group.NAME]`: Exchange virtual servers, their resources, and what depends on what.
//!
//! Not their classes (`classes.rs`) and not their load (`share.rs`). Called by `super::cluster`.

use super::super::load::SERVICES;
use super::super::services::Services;
use super::super::tree::{Entry, Node, Value, shortened};
use super::super::walk::{Fields, Walk};
use super::{numbers, one_called};
use crate::models::cluster::spec::{GroupId, GroupSpec, NodeId, ResourceId, ResourceKind, ResourceSpec, Watch};
use crate::plan::cluster::policies::{Policies, WatchKind};
use crate::workload::journey::Phase;

/// The most groups: each has classes of its own.
const GROUPS: (usize, usize) = (1, 32);
/// The most names in a list of owners: as many as there may be nodes.
const OWNERS_MOST: usize = 8;
/// The part of the load of a group.
const LOAD: (f64, f64) = (0.0, 1_000.0);

/// The resources that a group may have, with the name that events give them.
// ATQ: the display names of the protocols (KB 314266). Guess: those of the others, of which no event is emulated.
const KINDS: [(&str, ResourceKind, &str); 8] = [
    ("smtp", ResourceKind::Smtp, "Exchange SMTP Virtual Server Instance"),
    ("pop3", ResourceKind::Pop3, "Exchange POP3 Virtual Server Instance"),
    ("imap4", ResourceKind::Imap4, "Exchange IMAP4 Virtual Server Instance"),
    ("disk", ResourceKind::Other, "Physical Disk"),
    ("ip-address", ResourceKind::Other, "IP Address"),
    ("network-name", ResourceKind::Other, "Network Name"),
    ("system-attendant", ResourceKind::Other, "Exchange System Attendant Instance"),
    ("store", ResourceKind::Other, "Exchange Information Store Instance"),
];

/// All groups; resources lie in the order of their groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) groups: Vec<GroupSpec>,
    pub(super) resources: Vec<ResourceSpec>,
    pub(super) loads: Vec<f64>,
    pub(super) probes: Vec<Vec<Phase>>,
}

/// Every group, in the order of the file.
pub(super) fn groups(cluster: &mut Fields<'_, '_>, nodes: &[&str], services: &Services, policies: &Policies) -> Groups {
    let walk = cluster.walk;
    let mut all = Groups::default();
    let remedy = "give a section [cluster.group.NAME] for each Exchange virtual server";
    let Some(node) = cluster.need("group", remedy) else { return all };
    let Some(entries) = walk.entries(node, "cluster.group") else { return all };
    if !(GROUPS.0..=GROUPS.1).contains(&entries.len()) {
        let message =
            format!("cluster.group has {} groups, and {} to {} are accepted", entries.len(), GROUPS.0, GROUPS.1);
        walk.error(&node.origin, message, remedy);
    }
    for entry in entries.iter().take(GROUPS.1) {
        walk.check_name(&entry.key, &entry.key_origin, "the name of a group");
        if entry.key.contains('.') || SERVICES.contains(&entry.key.as_str()) || entry.key == "pool" {
            let message = format!("a group cannot be called `{}`", shortened(&entry.key));
            walk.error(&entry.key_origin, message, "give it a name without points that is no service's, like evs1");
        }
        if let Some(fields) = walk.table(&entry.node, &format!("cluster.group.{}", entry.key)) {
            Reader { walk, nodes, services, policies }.group(fields, entry, &mut all);
        }
    }
    all
}

/// What one group is read against.
struct Reader<'n, 'a> {
    walk: &'n Walk<'a>,
    nodes: &'n [&'n str],
    services: &'n Services,
    policies: &'n Policies,
}

impl Reader<'_, '_> {
    fn group(&self, mut fields: Fields<'_, '_>, entry: &Entry, all: &mut Groups) {
        let walk = self.walk;
        let id = GroupId(all.groups.len() as u16);
        let owners = self.owners(&mut fields);
        let starts_on = self.starts_on(&mut fields, &owners);
        let display = fields.path("display_name");
        let display = fields.take("display_name").and_then(|node| walk.name(node, &display));
        let display = display.map_or_else(|| format!("VIRTUAL SERVER {}", id.0 + 1), String::from);
        all.loads.push(fields.number("load", LOAD, 1.0));
        let mut numbers = self.policies.clone();
        numbers::of_group(&mut fields, &mut numbers);
        let kinds = self.resources(&mut fields);
        let depends = depends_on(&mut fields, &kinds);
        self.own_numbers(&mut fields, id, &kinds, &depends, all);
        fields.finish();
        all.groups.push(GroupSpec {
            name: entry.key.clone(),
            display_name: display,
            owners,
            starts_on,
            failover_threshold: numbers.failover_threshold,
            failover_period: numbers.failover_period,
            failback: numbers.failback,
        });
    }

    /// The nodes that may host the group.
    fn owners(&self, fields: &mut Fields<'_, '_>) -> Vec<NodeId> {
        let walk = self.walk;
        let name = fields.path("owners");
        let remedy = "name the nodes that may host the group, the most preferred first, like [\"n1\", \"n2\"]";
        let Some(node) = fields.need("owners", remedy) else { return Vec::new() };
        let mut owners: Vec<NodeId> = Vec::new();
        let listed = walk.list(node, &name, (1, OWNERS_MOST)).unwrap_or_default();
        // Without nodes there is nothing to compare with, and that was told.
        for node in listed.iter().filter(|_| !self.nodes.is_empty()) {
            let found = one_called(walk, node, &name, self.nodes, "the nodes of the cluster");
            let Some(owner) = found.map(|at| NodeId(at as u16)) else { continue };
            if owners.contains(&owner) {
                let message = format!("{name} names `{}` twice", self.nodes[owner.index()]);
                walk.error(&node.origin, message, "remove one of them: the order says who is preferred");
            } else {
                owners.push(owner);
            }
        }
        owners
    }

    /// Where the group is at the begin: its first owner, or the one that is named.
    fn starts_on(&self, fields: &mut Fields<'_, '_>, owners: &[NodeId]) -> NodeId {
        let name = fields.path("starts_on");
        let first = owners.first().copied().unwrap_or(NodeId(0));
        // Without owners there is nothing to compare with, and that was told.
        let Some(node) = fields.take("starts_on").filter(|_| !owners.is_empty()) else { return first };
        let known: Vec<&str> = owners.iter().map(|owner| self.nodes[owner.index()]).collect();
        one_called(self.walk, node, &name, &known, "its owners").map_or(first, |at| owners[at])
    }

    /// Its resources, in the order of the list.
    fn resources(&self, fields: &mut Fields<'_, '_>) -> Resources {
        let walk = self.walk;
        let has = |name: &str| match name {
            "smtp" => self.services.smtp.is_some(),
            "pop3" => self.services.pop3.is_some(),
            "imap4" => self.services.imap4.is_some(),
            _ => true,
        };
        let name = fields.path("resources");
        let Some(node) = fields.take("resources") else {
            let usual = KINDS.into_iter().filter(|(name, kind, _)| *kind != ResourceKind::Other && has(name));
            return Resources { kinds: usual.collect(), complete: true };
        };
        let listed = walk.list(node, &name, (1, KINDS.len()));
        let mut own = Resources { kinds: Vec::new(), complete: listed.is_some() };
        for node in listed.unwrap_or_default() {
            let found = one_called(walk, node, &name, &KINDS.map(|(name, ..)| name), "the resources of a group");
            let Some((found, ..)) = found.map(|at| KINDS[at]) else {
                own.complete = false;
                continue;
            };
            if !has(found) {
                let message = format!("{name} names `{found}`, which this scenario does not have");
                walk.error(&node.origin, message, format!("give a section [{found}], or remove it"));
            }
            match own.place(found) {
                Some(_) => walk.error(&node.origin, format!("{name} names `{found}` twice"), "remove one of them"),
                None => own.kinds.extend(KINDS.into_iter().filter(|(known, ..)| *known == found)),
            }
        }
        own
    }

    /// The resources with their numbers, from `[cluster.group.NAME.resource.NAME]` where one has its own.
    fn own_numbers(
        &self,
        fields: &mut Fields<'_, '_>,
        group: GroupId,
        resources: &Resources,
        depends: &[Vec<usize>],
        all: &mut Groups,
    ) {
        let walk = self.walk;
        let name = fields.path("resource");
        let sections = fields.take("resource").and_then(|node| walk.entries(node, &name)).unwrap_or_default();
        for entry in sections {
            resources.called(walk, &written(entry), &name);
        }
        let first = all.resources.len();
        for (at, (kind_name, kind, display)) in resources.kinds.iter().enumerate() {
            let watched = *kind != ResourceKind::Other;
            let mut numbers = self.policies.clone();
            let mut shown = display.to_string();
            let own = sections.iter().find(|entry| entry.key == *kind_name);
            if let Some(mut own) = own.and_then(|entry| walk.table(&entry.node, &format!("{name}.{kind_name}"))) {
                let display = own.path("display_name");
                shown = own.take("display_name").and_then(|node| walk.name(node, &display)).map_or(shown, String::from);
                numbers::of_resource(&mut own, &mut numbers, watched);
                own.finish();
            }
            all.resources.push(ResourceSpec {
                name: kind_name.to_string(),
                display_name: shown,
                group,
                kind: *kind,
                depends_on: depends[at].iter().map(|on| ResourceId((first + on) as u16)).collect(),
                restart_threshold: numbers.restart_threshold,
                restart_period: numbers.restart_period,
                restart_action: numbers.restart_action,
                retry_after: numbers.retry_after,
                pending_timeout: numbers.pending_timeout,
                online_takes: numbers.online_takes,
                offline_takes: numbers.offline_takes,
                watch: watched.then(|| watch(&numbers)),
            });
            all.probes.push(if watched { numbers.probe } else { Vec::new() });
        }
    }
}

/// The resources of one group.
struct Resources {
    kinds: Vec<(&'static str, ResourceKind, &'static str)>,
    /// Whether the list of them was read without a mistake.
    complete: bool,
}

impl Resources {
    fn place(&self, name: &str) -> Option<usize> {
        self.kinds.iter().position(|(known, ..)| *known == name)
    }

    /// The place of the resource that `node` names. Where the list itself is wrong, one that is not in it is no news.
    fn called(&self, walk: &Walk<'_>, node: &Node, name: &str) -> Option<usize> {
        let own: Vec<&str> = self.kinds.iter().map(|(known, ..)| *known).collect();
        if self.complete {
            return one_called(walk, node, name, &own, "the group's resources");
        }
        let all = KINDS.map(|(known, ..)| known);
        self.place(all[one_called(walk, node, name, &all, "the resources of a group")?])
    }
}

/// The name of a field as if it were a value.
fn written(entry: &Entry) -> Node {
    Node { value: Value::Text(entry.key.clone()), origin: entry.key_origin.clone() }
}

fn watch(numbers: &Policies) -> Watch {
    match numbers.watch {
        WatchKind::Exchange => {
            Watch::Monitor { every: numbers.probe_every, is_alive_timeout: numbers.is_alive_timeout }
        }
        WatchKind::Generic => Watch::Generic {
            looks_alive_every: numbers.looks_alive_every,
            is_alive_every: numbers.is_alive_every,
            answer_within: numbers.answer_within,
        },
    }
}

/// `depends_on = { pop3 = ["store"] }`: for each resource, the places of those that must be online before it.
fn depends_on(fields: &mut Fields<'_, '_>, own: &Resources) -> Vec<Vec<usize>> {
    let walk = fields.walk;
    let mut depends = vec![Vec::new(); own.kinds.len()];
    let name = fields.path("depends_on");
    let Some(node) = fields.take("depends_on") else { return depends };
    for entry in walk.entries(node, &name).unwrap_or_default() {
        let resource = own.called(walk, &written(entry), &name);
        let path = format!("{name}.{}", entry.key);
        for node in walk.list(&entry.node, &path, (0, KINDS.len())).unwrap_or_default() {
            if let (Some(on), Some(resource)) = (own.called(walk, node, &path), resource)
                && !depends[resource].contains(&on)
            {
                depends[resource].push(on);
            }
        }
    }
    if let Some(circle) = circle(&depends) {
        let names: Vec<&str> = circle.iter().map(|at| own.kinds[*at].0).collect();
        let message = format!("{name} goes in a circle: {}", names.join(" -> "));
        walk.error(&node.origin, message, "remove one of the steps: none of them could be the first to come online");
        // Whoever goes on with this would go round and round.
        depends.iter_mut().for_each(Vec::clear);
    }
    depends
}

/// A way through `depends` that ends where it began, if there is one: its first place is also its last.
fn circle(depends: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; depends.len()];
    (0..depends.len()).find_map(|start| follow(start, depends, &mut done, &mut Vec::new()))
}

/// As [`circle`], from `at` on, which was reached by `way`. A group has few resources, so the way is short.
fn follow(at: usize, depends: &[Vec<usize>], done: &mut [bool], way: &mut Vec<usize>) -> Option<Vec<usize>> {
    if let Some(begin) = way.iter().position(|passed| *passed == at) {
        return Some(way[begin..].iter().copied().chain([at]).collect());
    }
    if done[at] {
        return None;
    }
    way.push(at);
    let found = depends[at].iter().find_map(|on| follow(*on, depends, done, way));
    way.pop();
    done[at] = true;
    found
}
