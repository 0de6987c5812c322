//! The floor of a cluster: what its decisions mean for items, clients and figures.
//!
//! Not the decisions (`models::cluster`) and not the pools (the engines). Called by both engines, when they carry out an
//! effect.

use super::{Floor, Hosting, Place, Stimulus};
use crate::engine::live::Live;
use crate::ids::ClassId;
use crate::item::Outcome;
use crate::models::cluster::Effect;
use crate::models::cluster::spec::{NodeId, ResourceId};
use crate::time::Nanos;
use crate::workload::PackedItem;

impl<N: Ord + Copy> Floor<N> {
    fn hosting(&mut self) -> &mut Hosting {
        self.hosting.as_mut().expect("a cluster's effects come from a cluster")
    }

    /// Whether there is a cluster.
    #[inline(always)]
    pub(in crate::engine) fn is_cluster(&self) -> bool {
        self.hosting.is_some()
    }

    /// Whether the cluster has decided something that is not carried out yet.
    #[inline(always)]
    pub(in crate::engine) fn has_effects(&self) -> bool {
        self.hosting.as_ref().is_some_and(|hosting| hosting.has_effects())
    }

    /// What the cluster has decided.
    pub(in crate::engine) fn pop_effect(&mut self) -> Option<Effect> {
        self.hosting.as_mut()?.pop_effect()
    }

    /// The services of a node are restarted by hand. What follows is for [`Floor::pop_effect`].
    pub(in crate::engine) fn restart(&mut self, node: usize, now: Nanos) {
        self.hosting().tell(now, Stimulus::Restart { node: NodeId(node as u16) });
    }

    /// Shows what the cluster is at.
    pub(in crate::engine) fn show_cluster(&self, live: &Live) {
        if let Some(hosting) = &self.hosting {
            hosting.show(live);
        }
    }

    /// The node to whose pool an item is to be submitted. `None`: it has been dealt with, because its service is offline.
    #[inline(always)]
    pub(in crate::engine) fn place(&mut self, class: ClassId, item: &PackedItem, now: Nanos) -> Option<usize> {
        match &self.hosting {
            None => Some(0),
            Some(_) => self.place_on_a_node(class, item, now),
        }
    }

    fn place_on_a_node(&mut self, class: ClassId, item: &PackedItem, now: Nanos) -> Option<usize> {
        let waiting = self.metrics.waiting(class);
        match self.hosting().place(class, item, waiting) {
            Place::Node(node) => return Some(node),
            Place::Disk => {
                self.metrics.arrived(class, item.due, now);
                if self.observer.is_some() {
                    self.tell(&item.item(class), |observer, item| observer.arrived(item, now));
                }
                self.hosting().keep(class, *item);
            }
            Place::Away(outcome) => {
                if outcome == Outcome::Cut {
                    self.hosting().note_cut(class);
                }
                self.turned_away(item, outcome, now);
            }
        }
        None
    }

    /// The node whose pool has the waiting items of a class; `None` while its service is offline.
    pub(in crate::engine) fn node_of(&self, class: ClassId) -> Option<usize> {
        self.hosting.as_ref().map_or(Some(0), |hosting| hosting.node_of(class))
    }

    /// Classes of a resource.
    pub(in crate::engine) fn classes_of(&self, resource: ResourceId) -> Vec<ClassId> {
        self.hosting.as_ref().map_or_else(Vec::new, |hosting| hosting.classes_of(resource))
    }

    /// The item of a probe, due now.
    pub(in crate::engine) fn probe(&mut self, resource: ResourceId, probe: u64, now: Nanos) -> Option<PackedItem> {
        let source = self.hosting().probe_source(resource)?;
        let item = self.workload.call(source, now);
        self.hosting().probe_goes(resource, probe, &item);
        Some(item)
    }

    /// A resource goes offline. What waits for it is to be taken out of its pool and given to [`Floor::closes_out`].
    pub(in crate::engine) fn close_resource(&mut self, resource: ResourceId, now: Nanos) {
        self.hosting().close(resource, now);
    }

    /// An item that waited for a resource that goes offline: a message is kept, a request cut off. `oldest`: see
    /// [`Floor::gave_up`].
    pub(in crate::engine) fn closes_out(&mut self, item: &PackedItem, oldest: Option<Nanos>, now: Nanos) {
        let class = self.class(item);
        if self.hosting().is_queue(class) {
            self.hosting().keep(class, *item);
        } else {
            self.hosting().note_cut(class);
            self.left(item, oldest, Outcome::Cut, now);
        }
    }

    /// Everything that waited has been given to [`Floor::closes_out`].
    pub(in crate::engine) fn resource_closed(&mut self, resource: ResourceId, now: Nanos) {
        self.hosting().closed(resource, now);
    }

    /// What is in service for a resource is lost now. The engine gives each of these items to [`Floor::abandons`].
    pub(in crate::engine) fn abandon_resource(&mut self, resource: ResourceId, now: Nanos) {
        self.hosting().abandon(resource, now);
    }

    /// Whether an item that was begun at `started` has been abandoned since.
    pub(in crate::engine) fn is_abandoned(&self, class: ClassId, started: Nanos) -> bool {
        self.hosting.as_ref().is_some_and(|hosting| hosting.is_abandoned(class, started))
    }

    /// An item in service is lost to its client, though a thread still holds it: a message is put back on its queue.
    pub(in crate::engine) fn abandons(&mut self, item: &PackedItem, now: Nanos) {
        let class = self.class(item);
        if !self.hosting().is_queue(class) {
            self.hosting().note_cut(class);
            self.end(item, Outcome::Cut, now);
            return;
        }
        let (again, waiting) = (item.follower(item.stage, now), self.metrics.waiting(class));
        if !self.hosting().has_room(class, waiting) {
            // As with any other that comes to a full queue.
            self.turned_away(&again, Outcome::Refused, now);
            return;
        }
        self.metrics.arrived(class, now, now);
        if self.observer.is_some() {
            self.tell(&again.item(class), |observer, item| observer.arrived(item, now));
        }
        self.hosting().note_put_back();
        self.hosting().keep(class, again);
    }

    /// The node is gone under the thread that served the item since `started`.
    pub(in crate::engine) fn lost_with_node(&mut self, class: ClassId, item: &PackedItem, started: Nanos, now: Nanos) {
        self.done(class, item, started, Outcome::Cut, now);
        if !self.hosting().is_abandoned(class, started) {
            self.hosting().lost_with_node(class);
            self.abandons(item, now);
        }
    }

    /// A resource is online on a node: the messages that were kept for it, to be submitted there.
    pub(in crate::engine) fn open_resource(
        &mut self,
        resource: ResourceId,
        node: NodeId,
    ) -> Vec<(ClassId, PackedItem)> {
        let opened = self.hosting().open(resource, node);
        for class in self.classes_of(resource) {
            self.metrics.is_on(class, node.0);
        }
        opened
    }

    /// A message was kept for its service, and the pool on the node of now has no room for it. `oldest`: see
    /// [`Floor::gave_up`].
    pub(in crate::engine) fn no_room_after_move(&mut self, item: &PackedItem, oldest: Option<Nanos>, now: Nanos) {
        self.left(item, oldest, Outcome::Refused, now);
    }

    /// See [`Floor::finished`].
    pub(super) fn finished_on_a_node(
        &mut self,
        class: ClassId,
        item: &PackedItem,
        started: Nanos,
        outcome: Outcome,
        now: Nanos,
    ) -> Option<PackedItem> {
        if self.hosting().is_abandoned(class, started) {
            self.done(class, item, started, Outcome::Cut, now);
            return None;
        }
        self.done(class, item, started, outcome, now);
        self.hosting().finished(class, item, now);
        self.end(item, outcome, now)
    }

    /// How long a phase of `time` that begins at `at` on a node lasts, where pools may stand still.
    #[inline(always)]
    pub(in crate::engine) fn stretched(&self, node: usize, at: Nanos, time: Nanos) -> Nanos {
        self.hosting.as_ref().map_or(time, |hosting| hosting.stretched(node, at, time))
    }
}
