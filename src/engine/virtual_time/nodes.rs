//! The nodes of a cluster in virtual time, and what the cluster's decisions do to them.
//!
//! One node is *here*, in the engine's own fields, as if it were alone; the others lie *elsewhere* until something happens
//! on one of them, and then the two change places. So a single server pays next to nothing for clusters. No decision is
//! made here (`models::cluster` and the policy do that). Called by the engine.

use super::{Engine, Leaving, Node, Thread};
use crate::calendar::Calendar;
use crate::models::cluster::Effect;
use crate::models::cluster::spec::{NodeId, ResourceId};
use crate::plan::Plan;
use crate::plan::cluster::NodePlan;
use crate::policy::decision_log::Trace;
use crate::policy::dispatch::{Dispatch, Event, Rules, Ticket};
use crate::policy::processors::Processors;
use crate::time::Nanos;
use crate::workload::PackedItem;

/// Nodes number their items apart: a ticket of one is none of another.
const NUMBERS_OF_A_NODE: u64 = 1 << 44;

/// The nodes that are not *here*.
pub(super) struct Elsewhere {
    /// By node; `None` for the one that is here.
    nodes: Vec<Option<Node>>,
    here: usize,
    /// The first moment elsewhere, and on which node.
    first: (Moment, usize),
}

/// A moment, and what comes in it: ends of phases before threads that have been idle for too long.
type Moment = (Nanos, bool);

impl Node {
    fn new(rules: &Rules, processors: u32, number: u64, log: u32) -> Node {
        let mut dispatch = Dispatch::new(rules);
        dispatch.number_next(number);
        Node {
            dispatch,
            processors: Processors::new(processors),
            threads: Vec::new(),
            ends: Calendar::new(),
            ended: None,
            idle_check: Nanos::MAX,
            live: 0,
            log,
        }
    }

    /// A node of a cluster, whose log begins with it.
    fn of_cluster(at: usize, plan: &NodePlan, number: u64, trace: Option<&dyn Trace>) -> Node {
        let log = trace.map_or(0, |trace| trace.begins(at, number));
        Node::new(&plan.rules, plan.machine.processors, number, log)
    }

    fn first(&self) -> Moment {
        let ends = self.ends.first_at();
        if ends <= self.idle_check { (ends, false) } else { (self.idle_check, true) }
    }
}

/// The nodes of a plan: the one that is here first, and the others.
pub(super) fn of(plan: &Plan, trace: Option<&dyn Trace>) -> (Node, Elsewhere) {
    let never = (Nanos::MAX, true);
    let Some(cluster) = &plan.cluster else {
        let here = Node::new(&plan.rules(), plan.machine.processors, 0, 0);
        return (here, Elsewhere { nodes: vec![None], here: 0, first: (never, 0) });
    };
    let node = |(at, node): (usize, &NodePlan)| Some(Node::of_cluster(at, node, at as u64 * NUMBERS_OF_A_NODE, trace));
    let mut nodes: Vec<Option<Node>> = cluster.nodes.iter().enumerate().map(node).collect();
    let here = nodes[0].take().expect("a cluster has nodes");
    (here, Elsewhere { nodes, here: 0, first: (never, 0) })
}

impl Elsewhere {
    /// Whether something comes on another node before anything does here.
    #[inline(always)]
    pub(super) fn comes_first(&self, here: &Node) -> bool {
        let (first, node) = self.first;
        first.0 != Nanos::MAX && (first, node) < (here.first(), self.here)
    }

    /// The node that is here.
    #[inline(always)]
    pub(super) fn here(&self) -> usize {
        self.here
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    pub(super) fn live_threads(&self) -> u32 {
        self.nodes().map(|node| node.live).sum()
    }

    pub(super) fn minds_waits(&self) -> bool {
        self.nodes().any(|node| node.dispatch.minds_waits())
    }

    pub(super) fn waits(&self, ticket: Ticket) -> bool {
        self.nodes().any(|node| node.dispatch.waits(ticket))
    }
}

impl Engine<'_> {
    /// From now on `node` is here.
    #[inline]
    pub(super) fn go_to(&mut self, node: usize) {
        if node != self.elsewhere.here {
            self.change_places(node);
        }
    }

    #[inline(never)]
    fn change_places(&mut self, node: usize) {
        debug_assert!(self.to_do.is_empty(), "what is to be done is to be done here");
        let elsewhere = &mut self.elsewhere;
        let comes = elsewhere.nodes[node].take().expect("a node is here or elsewhere");
        let goes = std::mem::replace(&mut self.here, comes);
        elsewhere.nodes[elsewhere.here] = Some(goes);
        elsewhere.here = node;
        let firsts = elsewhere.nodes.iter().enumerate().filter_map(|(at, node)| Some((node.as_ref()?.first(), at)));
        elsewhere.first = firsts.min().unwrap_or(((Nanos::MAX, true), 0));
    }

    /// Goes to the node on which the next thing happens.
    #[cold]
    pub(super) fn go_where_it_is_first(&mut self) {
        self.go_to(self.elsewhere.first.1);
    }

    /// The client of a waiting item gives up.
    pub(super) fn gives_up(&mut self, ticket: Ticket) {
        if let Some(node) = self.floor.node_of(ticket.class()) {
            self.go_to(node);
            self.apply(Event::GiveUp { ticket });
        }
    }

    /// Does what the cluster has decided, until nothing is left to do.
    pub(super) fn carry_out(&mut self) {
        while let Some(effect) = self.floor.pop_effect() {
            self.carry_out_one(effect);
        }
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Probe { resource, probe, .. } => {
                if let Some(item) = self.floor.probe(resource, probe, self.now) {
                    self.submit(item);
                    self.settle();
                }
            }
            Effect::Close { resource, node, .. } => self.close_resource(resource, node),
            Effect::Abandon { resource, .. } => self.abandon(resource),
            Effect::Open { resource, node } => {
                self.go_to(node.index());
                // All are queued before the first begins: whoever then asks for the oldest finds it.
                for (class, item) in self.floor.open_resource(resource, node) {
                    self.apply(Event::Submit { class, job: item });
                    if let Some(super::Answer::Refused) = self.to_do.answer.take() {
                        let oldest = self.oldest(class);
                        self.floor.no_room_after_move(&item, oldest, self.now);
                    }
                }
                self.settle();
            }
            Effect::NodeDown { node } => self.node_down(node),
            Effect::NodeHangs { node } => self.limit(node, 0),
            Effect::NodeUp { node } => self.limit(node, self.rules(node).runnable_limit),
        }
    }

    fn rules(&self, node: NodeId) -> &Rules {
        &self.plan.cluster.as_ref().expect("a cluster has decided").nodes[node.index()].rules
    }

    /// A pool hands out packets up to this limit; to nobody where it is 0.
    fn limit(&mut self, node: NodeId, limit: u32) {
        self.go_to(node.index());
        self.apply(Event::SetRunnableLimit { limit });
        self.settle();
    }

    fn close_resource(&mut self, resource: ResourceId, node: NodeId) {
        self.floor.close_resource(resource, self.now);
        self.go_to(node.index());
        self.leaving = Leaving::CloseOut;
        for class in self.floor.classes_of(resource) {
            for ticket in self.here.dispatch.tickets(class) {
                self.apply(Event::GiveUp { ticket });
                self.settle();
            }
        }
        self.leaving = Leaving::GiveUp;
        self.floor.resource_closed(resource, self.now);
    }

    /// What is in service for a resource is lost to its clients; the threads go on until their phases end.
    fn abandon(&mut self, resource: ResourceId) {
        let classes = self.floor.classes_of(resource);
        let nodes = self.elsewhere.nodes().chain([&self.here]);
        let in_service: Vec<PackedItem> = nodes
            .flat_map(|node| node.threads.iter())
            .filter(|thread| classes.contains(&thread.class))
            .filter_map(|thread| thread.item.map(|item| (item, thread.since, thread.class)))
            .filter(|(_, since, class)| !self.floor.is_abandoned(*class, *since))
            .map(|(item, ..)| item)
            .collect();
        self.floor.abandon_resource(resource, self.now);
        for item in in_service {
            self.floor.abandons(&item, self.now);
        }
    }

    /// A node is gone, with everything that its threads did; it begins anew.
    fn node_down(&mut self, node: NodeId) {
        self.go_to(node.index());
        let cluster = self.plan.cluster.as_ref().expect("a cluster has decided");
        let plan = &cluster.nodes[node.index()];
        let number = self.here.dispatch.next_number();
        let fresh = Node::of_cluster(node.index(), plan, number, self.trace.as_deref());
        let gone = std::mem::replace(&mut self.here, fresh);
        if let Some(rules) = self.control.and_then(|control| control.rules_of(node.index())) {
            self.resize(&rules);
        }
        self.count_threads();
        let in_service = |thread: &Thread| Some((thread.item?, thread.class, thread.since));
        for (item, class, since) in gone.threads.iter().filter_map(in_service) {
            self.floor.lost_with_node(class, &item, since, self.now);
        }
        let waiting: Vec<PackedItem> = gone.dispatch.waiting().map(|(_, item)| *item).collect();
        for (at, item) in waiting.iter().enumerate() {
            let class = self.floor.class(item);
            let next = waiting.get(at + 1).filter(|next| self.floor.class(next) == class);
            self.floor.closes_out(item, next.map(|next| next.due), self.now);
        }
        self.gone.push(gone.dispatch);
    }
}
