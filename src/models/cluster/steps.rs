//! How resources go online and offline, how failures escalate, and how groups move.
//!
//! Not the watching (`watch`). Called by the rest of the machine.

use std::collections::VecDeque;
use std::sync::Arc;

use super::events::What;
use super::memory::Cause;
use super::spec::{GroupId, NodeId, ResourceId, ResourceKind, RestartAction};
use super::{Cluster, Effect, Goal, GroupState, NodeState, ResourceState, failback_time};
use crate::time::Nanos;

/// How long after it could not go home a group is looked at again.
const LOOKS_AGAIN: Nanos = Nanos::from_secs(10);

/// Whether one more is tolerated: fewer than `threshold` within `period`, which slides. What is exactly as old as the period
/// has left it. The one that is tolerated is noted.
fn tolerates(lately: &mut VecDeque<Nanos>, threshold: u32, period: Nanos, now: Nanos) -> bool {
    while lately.front().is_some_and(|at| now.since(*at) >= period) {
        lately.pop_front();
    }
    let tolerated = lately.len() < threshold as usize;
    if tolerated {
        lately.push_back(now);
    }
    tolerated
}

impl Cluster {
    /// Carries every resource as far as it gets, and notes when to look again.
    pub(super) fn settle(&mut self, effects: &mut Vec<Effect>) {
        loop {
            let mut moved = false;
            for id in self.resource_ids() {
                moved |= self.step(id, effects);
            }
            for id in self.group_ids() {
                moved |= self.turn(id);
            }
            if !moved {
                break;
            }
        }
        self.send_probes(effects);
        for id in self.group_ids() {
            let (state, node) = (self.group_state(id), self.groups[id.index()].node);
            self.memory.group(self.now, id, state, node);
        }
        self.next_deadline = self.deadline();
    }

    /// When the machine has to be told the time again.
    fn deadline(&self) -> Nanos {
        let fault = self.spec.faults.get(self.faults).map_or(Nanos::MAX, |fault| fault.at);
        let resource = |id: ResourceId| {
            let state = &self.resources[id.index()];
            let step = match state.state {
                ResourceState::OnlinePending if self.is_hung(id) => state.step_too_long,
                ResourceState::OnlinePending => state.step_ends.min(state.step_too_long),
                // Once its own time is over, only its being drained is waited for.
                ResourceState::OfflinePending if state.step_ends > self.now => state.step_ends.min(state.step_too_long),
                ResourceState::OfflinePending => state.step_too_long,
                _ => Nanos::MAX,
            };
            let watch = self.spec.resources[id.index()].watch;
            let wanted = state.goal == Goal::Online;
            let watched = if state.is_open { state.probes.deadline(watch, wanted) } else { Nanos::MAX };
            step.min(watched).min(state.retry_at)
        };
        let failback = self
            .groups
            .iter()
            .filter(|group| !group.given_up)
            .map(|group| group.failback_at)
            .min()
            .unwrap_or(Nanos::MAX);
        self.resource_ids().map(resource).min().unwrap_or(Nanos::MAX).min(fault).min(failback)
    }

    /// One step of a resource towards its goal. `false`: there is none now.
    fn step(&mut self, id: ResourceId, effects: &mut Vec<Effect>) -> bool {
        let spec = Arc::clone(&self.spec);
        let own = &spec.resources[id.index()];
        let Some(node) = self.groups[own.group.index()].node else { return false };
        let now = self.now;
        let dependents_offline = spec
            .resources
            .iter()
            .zip(&self.resources)
            .filter(|(other, _)| other.depends_on.contains(&id))
            .all(|(_, other)| matches!(other.state, ResourceState::Offline | ResourceState::Failed));
        let depends_online = own.depends_on.iter().all(|on| self.resources[on.index()].state == ResourceState::Online);
        let state = &mut self.resources[id.index()];
        match (state.state, state.goal) {
            (ResourceState::Online, Goal::Offline) if dependents_offline => {
                self.begins_to_go_offline(id, node, effects);
                true
            }
            (ResourceState::OfflinePending, _) if state.drained && now >= state.step_ends => {
                self.is_offline(id);
                true
            }
            (ResourceState::OfflinePending, _) if now >= state.step_too_long => {
                effects.push(Effect::Abandon { resource: id, node });
                self.memory.note(now, Some(node), What::Abandoned(id));
                self.is_offline(id);
                true
            }
            (ResourceState::Offline | ResourceState::Failed, Goal::Online)
                if depends_online && !state.bounces && self.nodes[node.index()] != NodeState::Down =>
            {
                state.step_ends = now + own.online_takes;
                state.step_too_long = now + own.pending_timeout;
                self.set_resource(id, ResourceState::OnlinePending);
                if self.is_hung(id) && own.kind != ResourceKind::Other {
                    self.memory.note(now, Some(node), What::FailedStartBit(id));
                }
                true
            }
            (ResourceState::OnlinePending, Goal::Offline) => {
                self.is_offline(id);
                true
            }
            (ResourceState::OnlinePending, Goal::Online) if now >= state.step_ends && !self.is_hung(id) => {
                self.comes_online(id, node, effects);
                true
            }
            _ => false,
        }
    }

    /// The resource has gone offline; what failed and is left so has failed.
    fn is_offline(&mut self, id: ResourceId) {
        let state = &self.resources[id.index()];
        let left_failed = state.failed && state.given_up;
        self.set_resource(id, if left_failed { ResourceState::Failed } else { ResourceState::Offline });
    }

    /// Whether the pool of the resource's node stands still: nothing starts there.
    fn is_hung(&self, id: ResourceId) -> bool {
        let node = self.groups[self.spec.resources[id.index()].group.index()].node;
        node.is_some_and(|node| self.nodes[node.index()] == NodeState::Hung)
    }

    pub(super) fn set_resource(&mut self, id: ResourceId, state: ResourceState) {
        self.resources[id.index()].state = state;
        self.memory.resource(self.now, id, state);
    }

    fn begins_to_go_offline(&mut self, id: ResourceId, node: NodeId, effects: &mut Vec<Effect>) {
        let own = &self.spec.resources[id.index()];
        let state = &mut self.resources[id.index()];
        state.drained = false;
        state.step_ends = self.now + own.offline_takes;
        state.step_too_long = self.now + own.pending_timeout;
        self.set_resource(id, ResourceState::OfflinePending);
        self.close(id, node, effects);
    }

    /// The resource takes no more.
    fn close(&mut self, id: ResourceId, node: NodeId, effects: &mut Vec<Effect>) {
        let state = &mut self.resources[id.index()];
        state.probes.clear();
        if std::mem::take(&mut state.is_open) {
            effects.push(Effect::Close { resource: id, node, why: self.memory.cause(id) });
        }
    }

    pub(super) fn comes_online(&mut self, id: ResourceId, node: NodeId, effects: &mut Vec<Effect>) {
        let watch = self.spec.resources[id.index()].watch;
        let state = &mut self.resources[id.index()];
        state.is_open = true;
        (state.given_up, state.failed) = (false, false);
        state.probes.begin(watch, self.now);
        self.set_resource(id, ResourceState::Online);
        effects.push(Effect::Open { resource: id, node });
    }

    /// A group all of which is offline goes on: its restarting resources come back, or it moves.
    fn turn(&mut self, id: GroupId) -> bool {
        let all: Vec<ResourceId> = self.resources_of(id).collect();
        let is_off = |cluster: &Cluster, id: &ResourceId| {
            matches!(cluster.resources[id.index()].state, ResourceState::Offline | ResourceState::Failed)
        };
        if let Some(node) = self.groups[id.index()].moves_to {
            if all.iter().all(|id| is_off(self, id)) {
                self.groups[id.index()].moves_to = None;
                if self.nodes[node.index()] == NodeState::Down {
                    // It has died meanwhile: still the same move.
                    self.finds_another_node(id);
                } else {
                    self.arrives(id, node);
                }
                return true;
            }
            return false;
        }
        // What restarts comes back once it is off and nothing that it depends on has still to come back.
        let comes_back = |cluster: &Cluster, id: &ResourceId| {
            let own = &cluster.spec.resources[id.index()];
            cluster.resources[id.index()].bounces
                && is_off(cluster, id)
                && own.depends_on.iter().all(|on| !cluster.resources[on.index()].bounces)
        };
        let back: Vec<ResourceId> = all.into_iter().filter(|id| comes_back(self, id)).collect();
        for id in &back {
            self.resources[id.index()].bounces = false;
            if !self.is_held(*id) {
                self.resources[id.index()].goal = Goal::Online;
            }
        }
        !back.is_empty()
    }

    /// The group is on this node from now on, and comes online there.
    pub(super) fn arrives(&mut self, id: GroupId, node: NodeId) {
        self.groups[id.index()].node = Some(node);
        self.memory.note(self.now, Some(node), What::Arrives(id));
        for resource in self.resources_of(id) {
            let state = &mut self.resources[resource.index()];
            (state.goal, state.bounces, state.given_up, state.failed) = (Goal::Online, false, false, false);
            // Guess: a resource's restarts are counted anew on another node.
            state.restarts.clear();
            state.retry_at = Nanos::MAX;
        }
    }

    /// What has failed by now.
    pub(super) fn failures(&mut self) {
        for id in self.resource_ids() {
            let watch = self.spec.resources[id.index()].watch;
            if self.resources[id.index()].retry_at <= self.now {
                self.is_retried(id);
                continue;
            }
            let state = &self.resources[id.index()];
            // What is to go offline has been dealt with, perhaps in this same moment.
            if state.goal == Goal::Offline {
                continue;
            }
            let went_unanswered = state.is_open && state.probes.has_failed(watch, self.now);
            let is_late = state.state == ResourceState::OnlinePending && self.now >= state.step_too_long;
            let never_came = is_late && (self.now < state.step_ends || self.is_hung(id));
            if went_unanswered || never_came {
                let what = if went_unanswered { What::FailedIsAlive(id) } else { What::FailedOnline(id) };
                self.fails(id, what);
            }
        }
    }

    /// A resource has failed: it is restarted, or its group fails over, or it is left as it is.
    fn fails(&mut self, id: ResourceId, what: What) {
        let spec = Arc::clone(&self.spec);
        let own = &spec.resources[id.index()];
        let node = self.groups[own.group.index()].node;
        self.memory.failure(self.now, node, id, what);
        let state = &mut self.resources[id.index()];
        state.failed = true;
        let restarts = own.restart_action != RestartAction::DontRestart
            && tolerates(&mut state.restarts, own.restart_threshold, own.restart_period, self.now);
        if restarts {
            self.memory.restarted(self.now, node, id);
            for each in self.with_dependents(id) {
                // What is left failed, or lacks what is, does not come back with it.
                if !self.is_held(each) {
                    let state = &mut self.resources[each.index()];
                    (state.goal, state.bounces) = (Goal::Offline, true);
                    self.memory.goes_off_for(self.now, each, Cause::Restart);
                }
            }
        } else if own.restart_action == RestartAction::RestartNotify {
            self.group_fails(own.group);
        } else {
            self.is_left_failed(id);
        }
    }

    /// All of Exchange's protocols on a node go offline and come online again, because somebody wants it so. That is no
    /// failure and counts against no threshold; what is not online, or about to move, is left as it is.
    pub(super) fn services_restart(&mut self, node: NodeId) {
        if self.nodes[node.index()] != NodeState::Up {
            return;
        }
        self.memory.note(self.now, Some(node), What::ServicesRestarted(node));
        for id in self.resource_ids() {
            let own = &self.spec.resources[id.index()];
            let group = &self.groups[own.group.index()];
            if own.kind == ResourceKind::Other || group.node != Some(node) || group.moves_to.is_some() {
                continue;
            }
            for each in self.with_dependents(id) {
                let state = &mut self.resources[each.index()];
                if (state.state, state.goal) == (ResourceState::Online, Goal::Online) {
                    (state.goal, state.bounces) = (Goal::Offline, true);
                    self.memory.goes_off_for(self.now, each, Cause::Restart);
                }
            }
        }
    }

    /// A resource and all that depends on it.
    fn with_dependents(&self, id: ResourceId) -> Vec<ResourceId> {
        let mut found = vec![id];
        let mut at = 0;
        while at < found.len() {
            let on = found[at];
            for other in self.resource_ids() {
                if self.spec.resources[other.index()].depends_on.contains(&on) && !found.contains(&other) {
                    found.push(other);
                }
            }
            at += 1;
        }
        found
    }

    /// Whether a resource stays offline, because it is left failed or depends on one that is.
    fn is_held(&self, id: ResourceId) -> bool {
        let depends_on = &self.spec.resources[id.index()].depends_on;
        self.resources[id.index()].given_up || depends_on.iter().any(|on| self.is_held(*on))
    }

    /// `RetryPeriodOnFailure` is over: the resource comes back, and what went offline for want of it.
    fn is_retried(&mut self, id: ResourceId) {
        let retry = self.spec.resources[id.index()].retry_after;
        let state = &mut self.resources[id.index()];
        if !matches!(state.state, ResourceState::Offline | ResourceState::Failed) {
            // Guess: what still waits to go offline is not tried before it is; the period begins anew.
            state.retry_at = retry.map_or(Nanos::MAX, |after| self.now + after);
            return;
        }
        (state.retry_at, state.given_up) = (Nanos::MAX, false);
        state.restarts.clear();
        self.memory.note(self.now, None, What::Retried(id));
        for each in self.with_dependents(id) {
            if !self.is_held(each) {
                self.resources[each.index()].goal = Goal::Online;
            }
        }
    }

    /// The resource failed and its group stays: it goes offline, with what depends on it, until somebody tries again.
    fn is_left_failed(&mut self, id: ResourceId) {
        for each in self.with_dependents(id) {
            self.resources[each.index()].goal = Goal::Offline;
            self.memory.goes_off_for(self.now, each, Cause::LeftFailed);
        }
        let retry = self.spec.resources[id.index()].retry_after;
        let state = &mut self.resources[id.index()];
        state.given_up = true;
        state.retry_at = retry.map_or(Nanos::MAX, |after| self.now + after);
        self.memory.note(self.now, None, What::LeftFailed(id));
    }

    /// A group's resource is past its restarts: the group fails over, if its own threshold allows that.
    fn group_fails(&mut self, id: GroupId) {
        let spec = Arc::clone(&self.spec);
        let own = &spec.groups[id.index()];
        let group = &mut self.groups[id.index()];
        if !tolerates(&mut group.failovers, own.failover_threshold, own.failover_period, self.now) {
            group.given_up = true;
            self.memory.note(self.now, group.node, What::GivenUp(id));
            for resource in self.resources_of(id) {
                let state = &mut self.resources[resource.index()];
                (state.goal, state.bounces, state.given_up) = (Goal::Offline, false, true);
                state.retry_at = Nanos::MAX;
                self.memory.goes_off_for(self.now, resource, Cause::LeftFailed);
            }
            return;
        }
        match self.next_owner(id) {
            Some(to) => self.moves(id, to, Cause::Failover),
            None => self.restarts_where_it_is(id),
        }
    }

    /// Guess: a group that no other node may host starts again where it is. That is no failover, but counts against its
    /// threshold, so that it ends.
    fn restarts_where_it_is(&mut self, id: GroupId) {
        self.memory.note(self.now, self.groups[id.index()].node, What::RestartsHere(id));
        for resource in self.resources_of(id) {
            let state = &mut self.resources[resource.index()];
            (state.goal, state.bounces, state.retry_at) = (Goal::Offline, true, Nanos::MAX);
            state.restarts.clear();
            self.memory.goes_off_for(self.now, resource, Cause::Restart);
        }
    }

    /// The next owner after the present one that is not down.
    pub(super) fn next_owner(&self, id: GroupId) -> Option<NodeId> {
        let owners = &self.spec.groups[id.index()].owners;
        let present = self.groups[id.index()].node;
        let at = owners.iter().position(|owner| Some(*owner) == present).unwrap_or(owners.len() - 1);
        let others = (1..=owners.len()).map(|step| owners[(at + step) % owners.len()]);
        others.filter(|owner| Some(*owner) != present).find(|owner| self.nodes[owner.index()] != NodeState::Down)
    }

    /// The group goes offline, to come online on another node.
    fn moves(&mut self, id: GroupId, to: NodeId, why: Cause) {
        let from = self.groups[id.index()].node;
        self.groups[id.index()].moves_to = Some(to);
        self.memory.moved(self.now, id, from, to, why);
        for resource in self.resources_of(id) {
            let state = &mut self.resources[resource.index()];
            (state.goal, state.bounces, state.retry_at) = (Goal::Offline, false, Nanos::MAX);
            self.memory.goes_off_for(self.now, resource, why);
        }
    }

    /// A node is gone: so is everything on it, at once. Its groups move.
    pub(super) fn node_dies(&mut self, node: NodeId, effects: &mut Vec<Effect>) {
        self.set_node(node, NodeState::Down);
        effects.push(Effect::NodeDown { node });
        for id in self.group_ids() {
            if self.groups[id.index()].node == Some(node) {
                let given_up = self.groups[id.index()].given_up;
                for resource in self.resources_of(id) {
                    // What was given up is no more offline than it was.
                    if !given_up {
                        self.memory.goes_off_for(self.now, resource, Cause::NodeDown);
                    }
                    self.close(resource, node, effects);
                    self.set_resource(resource, ResourceState::Offline);
                }
                // A group that was leaving anyway goes where it was going.
                let planned = self.groups[id.index()].moves_to.filter(|to| self.nodes[to.index()] != NodeState::Down);
                self.groups[id.index()].moves_to = planned;
                if planned.is_none() {
                    self.leaves_its_node(id);
                }
            }
        }
    }

    /// The group's node is gone: the next owner takes it, if there is one.
    fn leaves_its_node(&mut self, id: GroupId) {
        if self.groups[id.index()].given_up {
            return;
        }
        let from = self.groups[id.index()].node;
        let to = self.next_owner(id);
        self.groups[id.index()].node = None;
        self.all_offline(id);
        match to {
            Some(to) => {
                self.memory.moved(self.now, id, from, to, Cause::NodeDown);
                self.arrives(id, to);
            }
            None => self.memory.note(self.now, from, What::NoOwner(id)),
        }
    }

    /// The node to which the group was going is gone: another takes it, or the one that it has just left.
    fn finds_another_node(&mut self, id: GroupId) {
        let from = self.groups[id.index()].node;
        let to = self.next_owner(id).or(from.filter(|from| self.nodes[from.index()] != NodeState::Down));
        self.groups[id.index()].node = None;
        self.all_offline(id);
        match to {
            Some(to) => self.arrives(id, to),
            None => self.memory.note(self.now, from, What::NoOwner(id)),
        }
    }

    fn all_offline(&mut self, id: GroupId) {
        for resource in self.resources_of(id) {
            let state = &mut self.resources[resource.index()];
            (state.goal, state.bounces, state.retry_at) = (Goal::Offline, false, Nanos::MAX);
        }
    }

    /// Groups whose time to go home has come, and that are well.
    pub(super) fn groups_go_home(&mut self) {
        for id in self.group_ids() {
            // Nobody takes a group home that was given up.
            if self.groups[id.index()].failback_at > self.now || self.groups[id.index()].given_up {
                continue;
            }
            let home = self.spec.groups[id.index()].owners[0];
            self.groups[id.index()].failback_at = Nanos::MAX;
            if self.nodes[home.index()] == NodeState::Down || self.groups[id.index()].node == Some(home) {
                // It may go when its home is there again; or it is there.
                continue;
            }
            let may_go = self.nodes[home.index()] == NodeState::Up && self.group_state(id) == GroupState::Online;
            if may_go {
                self.moves(id, home, Cause::Failback);
            } else {
                // Guess: a group that is not well, or whose home hangs, is looked at again, if that is still allowed then.
                let later = self.now + LOOKS_AGAIN;
                self.groups[id.index()].failback_at = failback_time(self.spec.groups[id.index()].failback, later);
            }
        }
    }
}
