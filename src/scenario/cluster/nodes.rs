//! The sections `[cluster.node.NAME]`: the servers of a cluster, as far as they differ from `[node]` and `[registry]`.
//!
//! Not their pools (`servers.rs` makes those). Called by `super::cluster`.

use super::super::Basics;
use super::super::walk::Fields;
use super::ClusterNode;

/// How many nodes a cluster has.
const NODES: (usize, usize) = (2, 8);

/// Every node, in the order of the file.
pub(super) fn nodes<'n>(cluster: &mut Fields<'n, '_>, basics: &Basics) -> Vec<ClusterNode<'n>> {
    let walk = cluster.walk;
    let remedy = "give 2 to 8 sections [cluster.node.NAME]; one that differs in nothing from [node] is empty";
    let Some(node) = cluster.need("node", remedy) else { return Vec::new() };
    let Some(entries) = walk.entries(node, "cluster.node") else { return Vec::new() };
    if !(NODES.0..=NODES.1).contains(&entries.len()) {
        let message = format!("cluster.node has {} nodes, and {} to {} are accepted", entries.len(), NODES.0, NODES.1);
        walk.error(&node.origin, message, remedy);
    }
    let mut nodes = Vec::new();
    for entry in entries.iter().take(NODES.1) {
        walk.check_name(&entry.key, &entry.key_origin, "the name of a node");
        let Some(mut fields) = walk.table(&entry.node, &format!("cluster.node.{}", entry.key)) else { continue };
        let processors = fields.whole("processors", (1, 1024), basics.processors.into()) as u32;
        let memory_mb = fields.whole("memory_mb", (1, 1 << 40), basics.memory_mb);
        let registry = fields.take("registry");
        fields.finish();
        nodes.push(ClusterNode { name: &entry.key, processors, memory_mb, section: &entry.node, registry });
    }
    nodes
}
