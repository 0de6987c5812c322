//! How a resource is watched: when probes go out, which are unanswered, and when that is a failure.
//!
//! Not what follows a failure (`steps`). A probe that was sent before its resource went offline is forgotten, so that no
//! probe outlives its resource. Called by the rest of the machine.

use super::spec::{ResourceId, Watch};
use super::{Cluster, Effect};
use crate::time::Nanos;

/// One kind of look: when the next one is due, and the one that is out.
#[derive(Clone, Copy, Debug)]
struct Look {
    next: Nanos,
    out: Option<(u64, Nanos)>,
}

const NEVER: Look = Look { next: Nanos::MAX, out: None };

/// The probes of one resource.
#[derive(Debug)]
pub(super) struct Probes {
    /// The monitor's, or LooksAlive.
    first: Look,
    /// IsAlive.
    second: Look,
    last_answer: Nanos,
}

impl Default for Probes {
    fn default() -> Probes {
        Probes { first: NEVER, second: NEVER, last_answer: Nanos::ZERO }
    }
}

impl Probes {
    /// The resource is online from now on.
    pub(super) fn begin(&mut self, watch: Option<Watch>, now: Nanos) {
        let after = |every: Nanos| Look { next: now + every, out: None };
        (self.first, self.second) = match watch {
            None => (NEVER, NEVER),
            Some(Watch::Monitor { every, .. }) => (after(every), NEVER),
            Some(Watch::Generic { looks_alive_every, is_alive_every, .. }) => {
                (after(looks_alive_every), after(is_alive_every))
            }
        };
        self.last_answer = now;
    }

    pub(super) fn clear(&mut self) {
        (self.first, self.second) = (NEVER, NEVER);
    }

    /// A thread has served a probe.
    pub(super) fn served(&mut self, probe: u64, now: Nanos) {
        for look in [&mut self.first, &mut self.second] {
            if look.out.is_some_and(|(out, _)| out == probe) {
                look.out = None;
                self.last_answer = now;
            }
        }
    }

    /// Whether the resource has been silent for too long.
    pub(super) fn has_failed(&self, watch: Option<Watch>, now: Nanos) -> bool {
        now >= self.fails_at(watch)
    }

    fn fails_at(&self, watch: Option<Watch>) -> Nanos {
        match watch {
            None => Nanos::MAX,
            Some(Watch::Monitor { is_alive_timeout, .. }) => self.last_answer + is_alive_timeout,
            Some(Watch::Generic { answer_within, .. }) => {
                let sent = [self.first, self.second].iter().filter_map(|look| look.out.map(|(_, at)| at)).min();
                sent.map_or(Nanos::MAX, |at| at + answer_within)
            }
        }
    }

    /// When a probe is due, or the resource has failed if it is `wanted` online: one that waits for its dependents before
    /// it goes offline fails no more.
    pub(super) fn deadline(&self, watch: Option<Watch>, wanted: bool) -> Nanos {
        let fails_at = if wanted { self.fails_at(watch) } else { Nanos::MAX };
        self.first.next.min(self.second.next).min(fails_at)
    }
}

impl Cluster {
    /// Probes whose time has come go out; where the last is still out none does, and that is noted.
    pub(super) fn send_probes(&mut self, effects: &mut Vec<Effect>) {
        for id in self.resource_ids() {
            let own = &self.spec.resources[id.index()];
            let (Some(node), Some(watch)) = (self.groups[own.group.index()].node, own.watch) else { continue };
            if !self.resources[id.index()].is_open {
                continue;
            }
            let (first, second) = match watch {
                Watch::Monitor { every, .. } => (every, Nanos::MAX),
                Watch::Generic { looks_alive_every, is_alive_every, .. } => (looks_alive_every, is_alive_every),
            };
            self.send_probe(id, node, first, |probes| &mut probes.first, effects);
            self.send_probe(id, node, second, |probes| &mut probes.second, effects);
        }
    }

    fn send_probe(
        &mut self,
        id: ResourceId,
        node: super::spec::NodeId,
        every: Nanos,
        look: fn(&mut Probes) -> &mut Look,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.now;
        let look = look(&mut self.resources[id.index()].probes);
        if look.next > now {
            return;
        }
        // The monitor keeps its time, also where it was told late.
        look.next = if look.next + every > now { look.next + every } else { now + every };
        if look.out.is_some() {
            self.memory.unanswered(now, id);
            return;
        }
        let probe = self.next_probe;
        look.out = Some((probe, now));
        self.next_probe += 1;
        effects.push(Effect::Probe { resource: id, probe, node });
    }
}
