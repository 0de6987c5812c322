//! The servers of a scenario, each with its registry and its pool: that of `[node]`, or every node of a cluster.
//!
//! Not what a pool's shape follows from (`policy::sizing`). Called by `super::plan_of`.

use super::assumed::placed;
use super::cluster::{Cluster, ClusterNode};
use super::services::Services;
use super::tree::Node;
use super::variant::{Variant, registry};
use super::walk::Walk;
use super::{Basics, general};
use crate::models::cluster::spec::NodeId;
use crate::policy::assumptions::Assumptions;
use crate::policy::registry::Registry;
use crate::policy::sizing::{Machine, PoolShape, pool_shape};

/// One server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The node's name in a cluster; else empty.
    pub(super) name: String,
    pub(super) machine: Machine,
    pub(super) registry: Registry,
    /// `None` because of a problem.
    pub(super) pool: Option<PoolShape>,
}

/// What all servers of a variant share.
pub(super) struct Given<'g> {
    pub(super) root: &'g Node,
    pub(super) variant: &'g Variant,
    pub(super) basics: &'g Basics,
    pub(super) assumptions: &'g Assumptions,
    pub(super) services: &'g Services,
}

/// The servers; at least one.
pub(super) fn servers(walk: &Walk<'_>, given: &Given<'_>, cluster: Option<&Cluster<'_>>) -> Vec<Server> {
    let (processors, memory_mb) = (given.basics.processors, given.basics.memory_mb);
    let machine = |smtp_virtual_servers| Machine { processors, memory_mb, smtp_virtual_servers };
    let Some(cluster) = cluster else {
        let machine = machine(given.services.virtual_servers());
        return vec![server(walk, given, None, machine, &machine)];
    };
    let counted = cluster.virtual_servers();
    let node = |(at, node): (usize, &ClusterNode<'_>)| {
        let own = Machine {
            processors: node.processors,
            memory_mb: node.memory_mb,
            smtp_virtual_servers: cluster.starts_on(NodeId(at as u16)),
        };
        server(walk, given, Some(node), own, &Machine { smtp_virtual_servers: counted, ..own })
    };
    let servers: Vec<Server> = cluster.nodes.iter().enumerate().map(node).collect();
    if servers.is_empty() {
        // The rest is read as if there were one, for whatever else is wrong.
        return vec![server(walk, given, None, machine(counted), &machine(counted))];
    }
    servers
}

/// One server; the formulas of KB 281868 are applied to `advised`.
fn server(
    walk: &Walk<'_>,
    given: &Given<'_>,
    node: Option<&ClusterNode<'_>>,
    machine: Machine,
    advised: &Machine,
) -> Server {
    let Given { root, variant, basics, assumptions, services } = given;
    let name = node.map_or("", |node| node.name);
    let table = format!("cluster.node.{name}.registry");
    let own = node.and_then(|node| node.registry).map(|node| (node, table.as_str()));
    let registry = registry(walk, root, own, variant, advised, assumptions);
    let (mut pool, problems) = pool_shape(&machine, &registry, assumptions);
    let section = node.map(|node| node.section);
    problems.into_iter().for_each(|problem| walk.note(placed(walk, root, section, &registry, problem)));
    if let Some(pool) = &mut pool {
        pool.waiting_room = basics.waiting_room;
    }
    if let Some((threads, origin)) = &basics.threads {
        general::check_threads(walk, origin, root, services, &registry);
        pool.iter_mut().for_each(|pool| general::shape(pool, *threads));
    }
    Server { name: name.to_string(), machine, registry, pool }
}
