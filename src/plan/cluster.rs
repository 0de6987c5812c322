//! A checked cluster, ready to run: its nodes with their pools, and which class and which source belongs to whom.
//!
//! What a cluster is made of is `models::cluster::spec`; what its numbers are where a scenario says nothing, and which of
//! them nothing published settles, is `policies`. Not a file format and not the state machine. Made by `scenario`, read by
//! `engine`, `report` and `run`.

pub mod policies;

use std::sync::Arc;

use super::{Offered, Plan};
use crate::ids::{ClassId, SourceId};
use crate::models::cluster::spec::{ClusterSpec, GroupId, NodeId, ResourceId};
use crate::policy::dispatch::Rules;
use crate::policy::registry::Registry;
use crate::policy::sizing::{Machine, PoolShape};
use crate::time::Nanos;
use policies::Policies;

/// Everything of a plan that a single server does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterPlan {
    /// What the state machine is made from.
    pub spec: Arc<ClusterSpec>,
    /// The nodes, indexed by [`NodeId`].
    pub nodes: Vec<NodePlan>,
    /// Whose work a class is, indexed by [`ClassId`]; those of probes too. Every class of a cluster has an owner.
    pub resource_of: Vec<Option<ResourceId>>,
    /// The class of a resource's probes, indexed by [`ResourceId`]; `None` for one that is not watched.
    pub probe_class: Vec<Option<ClassId>>,
    /// The source that makes a resource's probes when it is called, indexed by [`ResourceId`].
    pub probe_source: Vec<Option<SourceId>>,
    /// Whose load a source is, indexed by [`SourceId`]; those of probes too.
    pub group_of_source: Vec<GroupId>,
    /// The numbers of `[cluster]`, which count where a group or a resource has none of its own.
    pub policies: Policies,
}

/// One node: a server with a pool of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// Its name; that of [`ClusterSpec::nodes`].
    pub name: String,
    /// The server. Its SMTP virtual servers are those of the groups that start on it; at least 1 where any group has one.
    pub machine: Machine,
    /// Its registry.
    pub registry: Registry,
    /// The pool that follows.
    pub pool: PoolShape,
    /// What its dispatch needs to know: the caps are those of this pool, for the classes of all groups.
    pub rules: Rules,
}

impl ClusterPlan {
    /// The group of a class; `None` for an index that is none.
    #[must_use]
    pub fn group_of_class(&self, class: ClassId) -> Option<GroupId> {
        let resource = (*self.resource_of.get(class.index())?)?;
        Some(self.spec.resources[resource.index()].group)
    }

    /// The classes that run on `node` at the begin: those of the groups that start there.
    pub fn classes_at_start(&self, node: NodeId) -> impl Iterator<Item = ClassId> {
        let classes = (0..self.resource_of.len()).map(|at| ClassId(at as u16));
        classes.filter(move |class| {
            self.group_of_class(*class).is_some_and(|group| self.spec.groups[group.index()].starts_on == node)
        })
    }
}

impl Plan {
    /// Offered load of each class on one node of a cluster, where every group is where it starts; nothing for the classes
    /// of other nodes. That of a plan without a cluster for any node.
    #[must_use]
    pub fn offered_on(&self, node: NodeId, at: Nanos) -> Vec<Offered> {
        let all = self.offered(at);
        let Some(cluster) = &self.cluster else { return all };
        let mut here = vec![Offered::default(); all.len()];
        for class in cluster.classes_at_start(node) {
            here[class.index()] = all[class.index()];
        }
        here
    }
}
