//! The section `[cluster]`: nodes, groups of resources, the numbers of their policies, and what happens to nodes.
//!
//! Not the services of a virtual server (`services.rs` reads them once for all groups) and not what the numbers mean
//! (`models::cluster`). Called by `super::plan_of`.

pub(super) mod classes;
mod faults;
mod groups;
mod nodes;
mod numbers;
pub(super) mod share;

use std::sync::Arc;

use self::classes::Owners;
use super::Basics;
use super::general::General;
use super::servers::Server;
use super::services::Services;
use super::tree::{Node, shortened};
use super::walk::{Fields, Walk};
use crate::models::cluster::spec::{ClusterSpec, GroupId, NodeId, ResourceKind};
use crate::plan::ClassPlan;
use crate::plan::cluster::policies::{FIXED, Policies};
use crate::plan::cluster::{ClusterPlan, NodePlan};
use crate::policy::order::Order;
use crate::problem::nearest;
use crate::workload::journey::Phase;

/// A cluster as it was read. Where something is wrong with it, its parts may not fit together.
#[derive(Debug)]
pub(super) struct Cluster<'n> {
    pub(super) nodes: Vec<ClusterNode<'n>>,
    pub(super) spec: ClusterSpec,
    /// By group: its part of the load.
    loads: Vec<f64>,
    /// By resource: what its probes do; nothing for one that is not watched.
    probes: Vec<Vec<Phase>>,
    policies: Policies,
}

/// One `[cluster.node.NAME]`.
#[derive(Debug)]
pub(super) struct ClusterNode<'n> {
    pub(super) name: &'n str,
    pub(super) processors: u32,
    pub(super) memory_mb: u64,
    /// The whole section, for the places of problems.
    pub(super) section: &'n Node,
    /// Its registry values, over those of `[registry]`.
    pub(super) registry: Option<&'n Node>,
}

/// The cluster, where the scenario has one.
pub(super) fn cluster<'n>(
    root: &mut Fields<'n, '_>,
    services: &Services,
    basics: &Basics,
    general: &[General<'_>],
) -> Option<Cluster<'n>> {
    let walk = root.walk;
    let virtual_servers = root.peek("smtp").and_then(|smtp| smtp.at(&["virtual_servers"]));
    let mut fields = root.table("cluster")?;
    let mut policies = Policies::default();
    numbers::of_resource(&mut fields, &mut policies, true);
    numbers::of_group(&mut fields, &mut policies);
    for (key, word) in FIXED {
        // Fixed ones may be written down, but not changed.
        fields.choice(key, &[word]);
    }
    let nodes = nodes::nodes(&mut fields, basics);
    let names: Vec<&str> = nodes.iter().map(|node| node.name).collect();
    let read = groups::groups(&mut fields, &names, services, &policies);
    let faults = faults::faults(&mut fields, &names, basics.duration);
    fields.finish();
    if let Some(node) = virtual_servers.filter(|_| services.smtp.as_ref().is_some_and(|s| s.virtual_servers != 1)) {
        let message = format!("smtp.virtual_servers is {}, and each group of a cluster has exactly one", node.shown());
        walk.error(&node.origin, message, "remove it; give another [cluster.group.NAME] for another virtual server");
    }
    for class in general {
        let message = format!("class.{} does not go with [cluster]: no group owns it", shortened(class.name()));
        walk.error(class.origin(), message, "remove one of them; the groups of a cluster have smtp, pop3 and imap4");
    }
    let nodes_named = names.iter().map(|name| name.to_string()).collect();
    let spec = ClusterSpec { nodes: nodes_named, groups: read.groups, resources: read.resources, faults };
    Some(Cluster { nodes, spec, loads: read.loads, probes: read.probes, policies })
}

impl Cluster<'_> {
    /// The groups that have an SMTP virtual server.
    fn groups_with_smtp(&self) -> impl Iterator<Item = GroupId> {
        self.spec.resources.iter().filter(|resource| resource.kind == ResourceKind::Smtp).map(|resource| resource.group)
    }

    /// How many virtual servers the formulas of KB 281868 count.
    // ATQ: those of the cluster: after a failover one node has them all. The KB's example is a cluster with two.
    pub(super) fn virtual_servers(&self) -> u32 {
        self.groups_with_smtp().count() as u32
    }

    /// How many of them start on a node: at least one where there is any, for the SMTP service is started on every node.
    pub(super) fn starts_on(&self, node: NodeId) -> u32 {
        let here = |group: &GroupId| self.spec.groups[group.index()].starts_on == node;
        let starts = self.groups_with_smtp().filter(here).count() as u32;
        starts.max(1).min(self.virtual_servers())
    }

    /// What the engine needs beside the classes and the load; `None` where a node has no pool because of a problem.
    pub(super) fn plan(
        self,
        servers: Vec<Server>,
        classes: &[ClassPlan],
        owners: Owners,
        group_of_source: Vec<GroupId>,
        order: Order,
    ) -> Option<ClusterPlan> {
        let node = |server: Server| {
            Some(NodePlan::new(server.name, server.machine, server.registry, server.pool?, classes, order))
        };
        Some(ClusterPlan {
            nodes: servers.into_iter().map(node).collect::<Option<_>>()?,
            spec: Arc::new(self.spec),
            resource_of: owners.resource_of,
            probe_class: owners.probe_class,
            probe_source: owners.probe_source,
            group_of_source,
            policies: self.policies,
        })
    }
}

/// The place in `known` of the name that `node` has; `what` says in a message what all of them are, like `nodes`.
fn one_called(walk: &Walk<'_>, node: &Node, name: &str, known: &[&str], what: &str) -> Option<usize> {
    let found = walk.text(node, name)?;
    if let Some(at) = known.iter().position(|known| *known == found) {
        return Some(at);
    }
    let message = format!("{name} names `{}`, which is none of {what}", shortened(found));
    let remedy = match nearest(found, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none yet: add it".to_string(),
        None => format!("there are {}", known.join(", ")),
    };
    walk.error(&node.origin, message, remedy);
    None
}
