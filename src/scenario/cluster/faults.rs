//! The sections `[[cluster.fault]]`: nodes that die, hang and return.
//!
//! Not what is waited for and slows (`[[fault]]`, in `fault.rs`). Called by `super::cluster`.

use super::super::tree::Node;
use super::super::walk::{Fields, Walk};
use super::one_called;
use crate::models::cluster::spec::{NodeEvent, NodeFault, NodeId};
use crate::time::Nanos;

/// The most faults of nodes.
const FAULTS_MOST: usize = 1_000;
const WORDS: [(&str, NodeEvent); 3] =
    [("dies", NodeEvent::Dies), ("hangs", NodeEvent::Hangs), ("returns", NodeEvent::Returns)];

/// Every fault in order of time; those of the same moment in the order of the file.
pub(super) fn faults(cluster: &mut Fields<'_, '_>, nodes: &[&str], run: Nanos) -> Vec<NodeFault> {
    let walk = cluster.walk;
    let listed = cluster.take("fault").and_then(|node| walk.list(node, "cluster.fault", (0, FAULTS_MOST)));
    let listed = listed.unwrap_or_default().iter().enumerate();
    let mut faults: Vec<(usize, &Node, NodeFault)> =
        listed.filter_map(|(at, node)| Some((at, node, fault(walk, node, at, nodes, run)?))).collect();
    faults.sort_by_key(|(.., fault)| fault.at);
    check_order(walk, &faults, nodes);
    faults.into_iter().map(|(.., fault)| fault).collect()
}

fn fault(walk: &Walk<'_>, node: &Node, at: usize, nodes: &[&str], run: Nanos) -> Option<NodeFault> {
    let mut fields = walk.table(node, &format!("cluster.fault[{at}]"))?;
    let name = fields.path("node");
    let called = fields.need("node", "name the node, like node = \"n1\"");
    // Without nodes there is nothing to compare with, and that was told.
    let called = called.filter(|_| !nodes.is_empty());
    let called = called.and_then(|node| one_called(walk, node, &name, nodes, "the nodes of the cluster"));
    let when = fields.need_time("at", Nanos::ZERO, "write the time since the start of the run, like \"5m\"");
    let name = fields.path("does");
    let does = fields.need("does", "write does = \"dies\", \"hangs\" or \"returns\"");
    let does = does.and_then(|node| walk.choice(node, &name, &WORDS.map(|(word, _)| word)));
    fields.finish();
    if let Some(when) = when.filter(|when| *when >= run && run > Nanos::ZERO) {
        let message = format!("cluster.fault[{at}] is at {when}, when the run of {run} is over");
        walk.warning(&node.origin, message, "let it be earlier, or lengthen the run");
    }
    let (_, what) = WORDS.into_iter().find(|(word, _)| Some(*word) == does)?;
    Some(NodeFault { at: when?, node: NodeId(called? as u16), what })
}

/// Tells of what cannot happen to a node after what has happened to it, and of a cluster of which nothing is left.
fn check_order(walk: &Walk<'_>, faults: &[(usize, &Node, NodeFault)], nodes: &[&str]) {
    let mut gone: Vec<Option<(NodeEvent, Nanos)>> = vec![None; nodes.len()];
    for (number, node, fault) in faults {
        let before = &mut gone[fault.node.index()];
        let name = nodes[fault.node.index()];
        let told = |what: &str, remedy: &str| {
            walk.error(&node.origin, format!("cluster.fault[{number}]: {name} {what}"), remedy);
        };
        match (fault.what, *before) {
            (NodeEvent::Returns, None) => {
                told("returns without having died or hung before", "let it die or hang first, or remove it");
            }
            (NodeEvent::Dies, Some((NodeEvent::Dies, at))) => {
                told(&format!("dies, but it is dead since {at}"), "let it return first, or remove one of them");
            }
            (NodeEvent::Hangs, Some((was, at))) => {
                let state = if was == NodeEvent::Hangs { "hangs already" } else { "is dead" };
                told(&format!("hangs, but it {state} since {at}"), "let it return first, or remove one of them");
            }
            _ => {}
        }
        *before = (fault.what != NodeEvent::Returns).then_some((fault.what, fault.at));
    }
    let dead = |state: &Option<(NodeEvent, Nanos)>| matches!(state, Some((NodeEvent::Dies, _)));
    if let Some((number, node, fault)) = faults.last().filter(|_| gone.iter().all(dead)) {
        let message = format!("after cluster.fault[{number}] at {} every node is dead, and none returns", fault.at);
        walk.warning(&node.origin, message, "users have no server from then on; let one return if that is not meant");
    }
}
