//! A checked cluster, ready to run: its nodes with their pools, and which class and which source belongs to whom.
//!
//! What a cluster is made of is `models::cluster::spec`; what its numbers are where a scenario says nothing, and which of
//! them nothing published settles, is `policies`. Not a file format and not the state machine. Made by `scenario`, read by
//! `engine`, `report` and `run`.

pub mod policies;

use std::sync::Arc;

use super::{ClassPlan, Plan, Role};
use crate::ids::{ClassId, SourceId};
use crate::models::cluster::spec::{ClusterSpec, GroupId, GroupSpec, NodeId, ResourceId, ResourceKind, ResourceSpec};
use crate::policy::dispatch::{ClassRule, Kind, Rules};
use crate::policy::order::Order;
use crate::policy::registry::Registry;
use crate::policy::sizing::{Machine, PoolShape};
use crate::workload::journey::LoadSpec;
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
    /// A single server as its own cluster of one node, which nothing watches and which cannot move: one resource has every
    /// class. It goes offline only where somebody restarts its services.
    #[must_use]
    pub fn of_server(plan: &Plan) -> ClusterPlan {
        let policies = Policies::default();
        let name = "server".to_string();
        let resource = ResourceSpec {
            name: "services".to_string(),
            display_name: "IIS Admin".to_string(),
            group: GroupId(0),
            kind: ResourceKind::Smtp,
            depends_on: Vec::new(),
            restart_threshold: policies.restart_threshold,
            restart_period: policies.restart_period,
            restart_action: policies.restart_action,
            retry_after: policies.retry_after,
            pending_timeout: policies.pending_timeout,
            online_takes: policies.online_takes,
            offline_takes: policies.offline_takes,
            watch: None,
        };
        let group = GroupSpec {
            name: name.clone(),
            display_name: name.clone(),
            owners: vec![NodeId(0)],
            starts_on: NodeId(0),
            failover_threshold: policies.failover_threshold,
            failover_period: policies.failover_period,
            failback: policies.failback,
        };
        let spec = ClusterSpec {
            nodes: vec![name.clone()],
            groups: vec![group],
            resources: vec![resource],
            faults: Vec::new(),
        };
        let node = NodePlan {
            name,
            machine: plan.machine,
            registry: plan.registry.clone(),
            pool: plan.pool.clone(),
            rules: plan.rules(),
        };
        ClusterPlan {
            spec: Arc::new(spec),
            nodes: vec![node],
            resource_of: vec![Some(ResourceId(0)); plan.classes.len()],
            probe_class: vec![None],
            probe_source: vec![None],
            group_of_source: vec![GroupId(0); plan.load.sources.len()],
            policies,
        }
    }

    /// The group of a class; `None` for an index that is none.
    #[must_use]
    pub fn group_of_class(&self, class: ClassId) -> Option<GroupId> {
        let resource = (*self.resource_of.get(class.index())?)?;
        Some(self.spec.resources[resource.index()].group)
    }
}

impl ClusterPlan {
    /// For each resource the class in which its users wait: that of a protocol's commands, or of inbound SMTP.
    #[must_use]
    pub fn classes_of_users(&self, classes: &[ClassPlan]) -> Vec<Option<ClassId>> {
        let mut found = vec![None; self.spec.resources.len()];
        for (at, (class, resource)) in classes.iter().zip(&self.resource_of).enumerate() {
            if let (Role::Protocol | Role::SmtpIn, Some(resource)) = (class.role, resource) {
                found[resource.index()] = Some(ClassId(at as u16));
            }
        }
        found
    }
}

impl NodePlan {
    /// A node with its pool, for classes whose kinds are the same on every node.
    #[must_use]
    pub fn new(
        name: String,
        machine: Machine,
        registry: Registry,
        pool: PoolShape,
        classes: &[ClassPlan],
        order: Order,
    ) -> NodePlan {
        let rules = Rules {
            pool_size: pool.size,
            runnable_limit: pool.runnable_limit,
            classes: classes.iter().map(|class| rule_in(class, &pool)).collect(),
            order,
            waiting_room: pool.waiting_room,
            ..Rules::default()
        };
        NodePlan { name, machine, registry, pool, rules }
    }
}

/// What a class may do in this pool: a queue has the pool's cap for its role.
fn rule_in(class: &ClassPlan, pool: &PoolShape) -> ClassRule {
    let kind = match (class.rule.kind, class.role) {
        (Kind::WorkQueue { drain, .. }, Role::HeavyQueue) => Kind::WorkQueue { cap: pool.heavy_queue_cap, drain },
        (Kind::WorkQueue { drain, .. }, _) => Kind::WorkQueue { cap: pool.light_queue_cap, drain },
        (Kind::Requests, _) => Kind::Requests,
    };
    ClassRule { kind, ..class.rule }
}

impl Plan {
    /// Each node of a cluster as a server of its own, with the load of the groups that start on it: what can be said of a
    /// cluster before a run is said of these. Each is called after its variant and node. The plan itself where there is no
    /// cluster.
    #[must_use]
    pub fn servers_at_start(&self) -> Vec<Plan> {
        let Some(cluster) = &self.cluster else { return vec![self.clone()] };
        let nodes = cluster.nodes.iter().enumerate();
        nodes.map(|(at, node)| self.server(cluster, NodeId(at as u16), node)).collect()
    }

    fn server(&self, cluster: &ClusterPlan, id: NodeId, node: &NodePlan) -> Plan {
        let here = |source: usize| {
            let group = cluster.group_of_source.get(source);
            group.is_some_and(|group| cluster.spec.groups[group.index()].starts_on == id)
        };
        let sources = self.load.sources.iter().enumerate().filter(|(at, _)| here(*at));
        let sources = sources.map(|(_, source)| source.clone()).collect();
        let classes = self.classes.iter().zip(&node.rules.classes);
        Plan {
            variant: format!("{} on {}", self.variant, node.name),
            machine: node.machine,
            registry: node.registry.clone(),
            pool: node.pool.clone(),
            classes: classes.map(|(class, rule)| ClassPlan { rule: *rule, ..class.clone() }).collect(),
            load: Arc::new(LoadSpec { sources, ..(*self.load).clone() }),
            cluster: None,
            ..self.clone()
        }
    }
}
