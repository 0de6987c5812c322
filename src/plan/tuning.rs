//! The pool of a plan's server under other values of KB 281868, for a run in which they are changed while it goes on.
//!
//! Not the formulas (`policy::recommend`), not the arithmetic (`policy::sizing`) and not the moment at which values count.
//! Called by `engine::control` and `cli`.

use super::{Plan, Role};
use crate::models::cluster::spec::ResourceKind;
use crate::policy::dispatch::{ClassRule, Kind, Rules};
use crate::policy::recommend::recommend;
use crate::policy::registry::{Registry, ValueId};
use crate::policy::sizing::{Machine, PoolShape, pool_shape};
use crate::problem::{Place, Problem};

/// The two values that KB 281868 is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    /// `MaxPercentPoolThreads`.
    pub percent: u32,
    /// `AdditionalPoolThreadsPerProc`.
    pub additional: u32,
}

/// A server's pool under other values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retuned {
    /// Its shape.
    pub pool: PoolShape,
    /// What its dispatch needs to know.
    pub rules: Rules,
}

/// A server of a plan: a node of its cluster, or the only one.
struct Server<'a> {
    machine: &'a Machine,
    registry: &'a Registry,
    pool: &'a PoolShape,
    rules: Rules,
}

impl Plan {
    fn server_at(&self, node: usize) -> Server<'_> {
        match &self.cluster {
            None => Server { machine: &self.machine, registry: &self.registry, pool: &self.pool, rules: self.rules() },
            Some(cluster) => {
                let node = &cluster.nodes[node];
                Server { machine: &node.machine, registry: &node.registry, pool: &node.pool, rules: node.rules.clone() }
            }
        }
    }

    /// The pool with which a node begins.
    #[must_use]
    pub fn pool_of(&self, node: usize) -> &PoolShape {
        self.server_at(node).pool
    }

    /// Names of the nodes; that of a single server is `server`.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        match &self.cluster {
            None => vec!["server".to_string()],
            Some(cluster) => cluster.nodes.iter().map(|node| node.name.clone()).collect(),
        }
    }

    /// The values that a node begins with. `None`: its pool does not follow from them, because the scenario gives its
    /// threads or has no SMTP.
    #[must_use]
    pub fn values_of(&self, node: usize) -> Option<Values> {
        let has_queues = self.classes.iter().any(|class| class.role == Role::HeavyQueue);
        let server = self.server_at(node);
        (has_queues && server.pool.limit_source != "threads")
            .then_some(Values { percent: server.pool.percent, additional: server.pool.additional_per_processor })
    }

    /// What the KB's formulas give for a node: for its own virtual servers, or in a cluster for all of them, because any
    /// node may come to host them all.
    #[must_use]
    pub fn recommended_values(&self, node: usize) -> Option<Values> {
        let machine = *self.server_at(node).machine;
        let servers = match &self.cluster {
            None => machine.smtp_virtual_servers,
            Some(cluster) => {
                cluster.spec.resources.iter().filter(|resource| resource.kind == ResourceKind::Smtp).count() as u32
            }
        };
        let (found, _) = recommend(servers, machine.processors, machine.memory_mb, &self.assumptions);
        found.map(|found| Values { percent: found.percent, additional: found.additional })
    }

    /// A node's pool with other values in its registry.
    ///
    /// # Errors
    /// The problems of a value that is out of its range.
    pub fn retuned(&self, node: usize, values: Values) -> Result<Retuned, Vec<Problem>> {
        let server = self.server_at(node);
        let mut registry = server.registry.clone();
        let place = || Place::Named("changed by hand".into());
        registry.set(ValueId::MaxPercentPoolThreads, values.percent, place());
        registry.set(ValueId::AdditionalPoolThreadsPerProc, values.additional, place());
        let (shape, problems) = pool_shape(server.machine, &registry, &self.assumptions);
        let pool = PoolShape { waiting_room: server.pool.waiting_room, ..shape.ok_or(problems)? };
        let mut rules = server.rules;
        rules.pool_size = pool.size;
        for (class, rule) in self.classes.iter().zip(&mut rules.classes) {
            *rule = with_new_cap(class.role, *rule, server.pool, &pool);
        }
        Ok(Retuned { pool, rules })
    }
}

/// A queue whose cap follows from the pool has that of the new one; a cap of the scenario's own stays.
fn with_new_cap(role: Role, rule: ClassRule, before: &PoolShape, after: &PoolShape) -> ClassRule {
    let (old, new) = match role {
        Role::HeavyQueue => (before.heavy_queue_cap, after.heavy_queue_cap),
        _ => (before.light_queue_cap, after.light_queue_cap),
    };
    match rule.kind {
        Kind::WorkQueue { cap, drain } if cap == old => ClassRule { kind: Kind::WorkQueue { cap: new, drain }, ..rule },
        _ => rule,
    }
}
