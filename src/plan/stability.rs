//! Whether a plan's pool can carry its open load on average, and if not, what is too small.
//!
//! Not a prediction of waits, and not the peaks (`report::explain` looks at each stretch of the load). Only what nothing
//! can lessen counts: the items of open sources whose clients do not give up and have room to wait, at their mean rate over the measured part
//! of the run, without faults. Closed populations wait for their answers and rows of logs have their rates in files, so
//! neither can make a queue grow without end here. Pure. Called by `run`.

use super::{Offered, Plan};
use crate::ids::ClassId;
use crate::models::cluster::spec::NodeId;
use crate::policy::dispatch::Kind;
use crate::time::Nanos;
use crate::workload::arrivals::Pattern;
use crate::workload::journey::{Arrivals, Source};

/// Moments at which the load is looked at.
const MOMENTS: u32 = 256;
/// Where fewer items than this may wait, the others are refused and the queue does not grow.
const ROOM_TO_GROW: usize = 10_000;

/// Something of which the open load asks for at least as much as there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overload {
    /// What it is.
    pub of: Bottleneck,
    /// How much is asked for on average, in threads or processors.
    pub offered: f64,
    /// How much there is.
    pub capacity: u32,
    /// On which node of a cluster, where there is one.
    pub node: Option<NodeId>,
}

/// What a load may be too much for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bottleneck {
    /// The threads of the pool.
    Pool,
    /// The processors of the node.
    Processors,
    /// The threads that one class may hold.
    Cap(ClassId),
}

impl Plan {
    /// Everything of which the open load asks for as much as there is or more: a queue grows for as long as that goes
    /// on, and has no steady state. Of a cluster: while every group is where it starts.
    #[must_use]
    pub fn overloads(&self) -> Vec<Overload> {
        if self.cluster.is_none() {
            return self.own_overloads();
        }
        let nodes = self.servers_at_start().into_iter().enumerate();
        let on = |(at, server): (usize, Plan)| {
            let tagged = |overload| Overload { node: Some(NodeId(at as u16)), ..overload };
            server.own_overloads().into_iter().map(tagged).collect::<Vec<_>>()
        };
        nodes.flat_map(on).collect()
    }

    /// Those of one server.
    fn own_overloads(&self) -> Vec<Overload> {
        let open = self.open_load();
        let threads: f64 = open.iter().map(Offered::threads).sum();
        let processors: f64 = open.iter().map(|class| class.cpu_threads).sum();
        let mut all = vec![
            (Bottleneck::Pool, threads, self.pool.size),
            (Bottleneck::Processors, processors, self.machine.processors),
        ];
        for (at, (class, offered)) in self.classes.iter().zip(&open).enumerate() {
            if let Kind::WorkQueue { cap, .. } = class.rule.kind {
                all.push((Bottleneck::Cap(ClassId(at as u16)), offered.threads(), cap));
            }
        }
        let too_much = |(of, offered, capacity): (Bottleneck, f64, u32)| {
            (offered >= f64::from(capacity) * (1.0 - 1e-9) && offered > 0.0).then_some(Overload {
                of,
                offered,
                capacity,
                node: None,
            })
        };
        all.into_iter().filter_map(too_much).collect()
    }

    /// Whether the load is the same at all times of the measured part: no fault in it (nor on a node, which moves groups),
    /// no rate that changes, no log.
    #[must_use]
    pub fn load_is_steady(&self) -> bool {
        let from = self.warmup.length();
        let fault = self.load.faults.iter().any(|fault| fault.from < self.duration && fault.until > from);
        let node_fault = self.cluster.as_ref().is_some_and(|cluster| !cluster.spec.faults.is_empty());
        let log = self.load.sources.iter().any(|source| matches!(source.arrivals, Arrivals::Trace(_)));
        let first = self.offered(from);
        let changes = |at: Nanos| {
            let near = |(a, b): (&Offered, &Offered)| (a.per_second - b.per_second).abs() <= 1e-9 * a.per_second;
            !first.iter().zip(&self.offered(at)).all(near)
        };
        !fault && !node_fault && !log && !self.moments().into_iter().any(changes)
    }

    /// Moments spread evenly over the measured time, but not evenly apart, so that a load with a period is not met at
    /// the same point again and again; one where no rate changes.
    fn moments(&self) -> Vec<Nanos> {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let changing = |source: &Source| match &source.arrivals {
            Arrivals::Open { pattern: Pattern::Rate { rate, .. }, .. } => rate.pieces.len() > 1,
            _ => false,
        };
        let from = self.warmup.length();
        let wanted = if self.load.sources.iter().any(changing) { MOMENTS } else { 1 };
        let span = self.duration.since(from);
        (0..wanted).map(|n| from + span.scale((f64::from(n) * GOLDEN + 0.5).fract())).collect()
    }

    /// Mean offered load of each class over the measured time: of open sources, and of steps that nobody gives up.
    fn open_load(&self) -> Vec<Offered> {
        let mut load = (*self.load).clone();
        load.sources.retain(|source| matches!(source.arrivals, Arrivals::Open { .. }));
        let room = self.pool.waiting_room.unwrap_or(usize::MAX);
        for stage in &mut load.stages {
            let room = room.min(self.classes[stage.class.index()].rule.max_waiting);
            if stage.patience.is_some() || room < ROOM_TO_GROW {
                stage.phases.clear();
            }
        }
        let open = Plan { load: load.into(), ..self.clone() };
        let mut mean = vec![Offered::default(); self.classes.len()];
        let moments = self.moments();
        let part = 1.0 / moments.len() as f64;
        for at in moments {
            for (sum, now) in mean.iter_mut().zip(open.offered(at)) {
                sum.per_second += now.per_second * part;
                sum.cpu_threads += now.cpu_threads * part;
                sum.wait_threads += now.wait_threads * part;
            }
        }
        mean
    }
}
