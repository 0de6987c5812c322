//! The crowd of a cluster: which items a decision of the cluster is about, by key.
//!
//! Not the decisions, and not what they mean for figures (`floor::hosted`). Called by `threaded`, when it carries out an
//! effect.

use super::{Counted, Crowd, ItemKey, Place};
use crate::engine::live::Live;
use crate::ids::ClassId;
use crate::models::cluster::Effect;
use crate::models::cluster::spec::{NodeId, ResourceId};
use crate::policy::dispatch::Ticket;
use crate::time::Nanos;
use crate::workload::PackedItem;

impl Crowd {
    /// What the cluster has decided.
    pub(in crate::engine) fn pop_effect(&mut self) -> Option<Effect> {
        self.floor.pop_effect()
    }

    /// Whether the cluster has decided something that is not carried out yet.
    pub(in crate::engine) fn has_effects(&self) -> bool {
        self.floor.has_effects()
    }

    /// The services of a node are restarted by hand. What follows is for [`Crowd::pop_effect`].
    pub(in crate::engine) fn restart(&mut self, node: usize, now: Nanos) {
        let now = self.not_before(now);
        self.floor.restart(node, now);
    }

    /// Shows what the cluster is at.
    pub(in crate::engine) fn show_cluster(&self, live: &Live) {
        self.floor.show_cluster(live);
    }

    /// The item of a probe, which is about to be submitted.
    pub(in crate::engine) fn probe(&mut self, resource: ResourceId, probe: u64, now: Nanos) -> Option<ItemKey> {
        let now = self.not_before(now);
        let item = self.floor.probe(resource, probe, now)?;
        Some(self.admit(item, Counted::No))
    }

    /// A resource goes offline. What waits for it, class by class in order of submission: each is to be withdrawn from
    /// the pool, and then given to [`Crowd::closes_out`].
    pub(in crate::engine) fn close_resource(&mut self, resource: ResourceId, now: Nanos) -> Vec<(ItemKey, Ticket)> {
        let now = self.not_before(now);
        self.floor.close_resource(resource, now);
        let mut waiting = Vec::new();
        for class in self.floor.classes_of(resource) {
            waiting.extend(self.waiting_of(|of, _| of == class));
        }
        waiting
    }

    fn waiting_of(&self, wanted: impl Fn(ClassId, u16) -> bool) -> Vec<(ItemKey, Ticket)> {
        let mut found = Vec::new();
        for (at, slot) in self.slots.iter().enumerate() {
            if let Place::Waiting(item, _, ticket, node) = slot.place
                && wanted(self.floor.class(&item), node)
            {
                found.push((ItemKey { slot: at as u32, generation: slot.generation }, ticket));
            }
        }
        found.sort_unstable_by_key(|(_, ticket)| ticket.seq());
        found
    }

    /// A waiting item has been withdrawn because its service goes offline.
    pub(in crate::engine) fn closes_out(&mut self, key: ItemKey, now: Nanos) {
        let now = self.not_before(now);
        let Some(Place::Waiting(item, position, ..)) = super::place(&self.slots, key).copied() else { return };
        self.forget(key);
        let oldest = self.leaves(&item, position);
        self.floor.closes_out(&item, oldest, now);
    }

    /// All that waited has been closed out.
    pub(in crate::engine) fn resource_closed(&mut self, resource: ResourceId, now: Nanos) {
        let now = self.not_before(now);
        self.floor.resource_closed(resource, now);
    }

    /// What is in service for a resource is lost to its clients; the threads go on.
    pub(in crate::engine) fn abandon(&mut self, resource: ResourceId, now: Nanos) {
        // What is in service by now was begun before, and what is begun from now on was not: no two share a moment.
        let now = self.not_before(now) + Nanos(1);
        self.now = now;
        let classes = self.floor.classes_of(resource);
        let lost: Vec<PackedItem> = self
            .in_service()
            .filter(|(_, item, started, _)| {
                let class = self.floor.class(item);
                classes.contains(&class) && !self.floor.is_abandoned(class, *started)
            })
            .map(|(_, item, ..)| item)
            .collect();
        self.floor.abandon_resource(resource, now);
        for item in lost {
            self.floor.abandons(&item, now);
        }
    }

    fn in_service(&self) -> impl Iterator<Item = (ItemKey, PackedItem, Nanos, u16)> + '_ {
        self.slots.iter().enumerate().filter_map(|(at, slot)| match slot.place {
            Place::InService(item, started, node) => {
                Some((ItemKey { slot: at as u32, generation: slot.generation }, item, started, node))
            }
            _ => None,
        })
    }

    /// A resource is online on a node: the messages that were kept for it, to be submitted there.
    pub(in crate::engine) fn open_resource(&mut self, resource: ResourceId, node: NodeId) -> Vec<ItemKey> {
        let kept = self.floor.open_resource(resource, node);
        kept.into_iter().map(|(_, item)| self.admit(item, Counted::Yes)).collect()
    }

    /// A node is gone, with everything that its threads did and all that waited in its pool.
    pub(in crate::engine) fn node_down(&mut self, node: NodeId, now: Nanos) {
        let now = self.not_before(now);
        let lost: Vec<_> = self.in_service().filter(|(.., on)| *on == node.0).collect();
        for (key, item, started, _) in lost {
            self.forget(key);
            self.floor.lost_with_node(self.floor.class(&item), &item, started, now);
        }
        for (key, _) in self.waiting_of(|_, on| on == node.0) {
            self.closes_out(key, now);
        }
    }
}
