//! Other limits of the same server, each with a load of its own beside that of the pool: the threads of the information
//! store (KB 169686), the memory of the SMTP domain table (KB 910932), and a transport server of Exchange 2007.
//!
//! Not what the limits do (`models::store`, `models::domain_table`, `models::transport`). Made by `scenario`, driven by `engine::limits`, told by
//! `report`. Their choices that nothing published settles are listed beside those of the pool (`assumed.rs`).

mod assumed;
mod origins;
mod outlook;
pub mod transport;

pub use origins::ThreadValue;
pub use transport::TransportPlan;

use std::sync::Arc;

use crate::ids::{ClassId, SourceId, StageId};
use crate::models::domain_table::spec::DomainTableSpec;
use crate::models::store::perfopt::Run;
use crate::models::store::spec::StoreSpec;
use crate::policy::assumptions::Assumption;
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Arrivals, Journey, LoadSpec, Phase, PhaseKind, Source, Stage, Then};
use crate::workload::popularity::Popularity;

/// The limits that a server has beside its pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The information store's threads.
    pub store: Option<Arc<StorePlan>>,
    /// The SMTP domain table.
    pub domains: Option<Arc<DomainsPlan>>,
    /// Message throttling and back pressure of a transport server.
    pub transport: Option<Arc<TransportPlan>>,
}

impl Limits {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.is_none() && self.domains.is_none() && self.transport.is_none()
    }

    /// Every choice of theirs that nothing published settles, with the value that is in force.
    #[must_use]
    pub fn assumptions(&self) -> Vec<Assumption> {
        let store = self.store.iter().flat_map(|store| assumed::of_store(store));
        let domains = self.domains.iter().flat_map(|domains| assumed::of_domains(domains));
        let transport = self.transport.iter().flat_map(|transport| assumed::of_transport(transport));
        store.chain(domains).chain(transport).collect()
    }
}

/// Whose calls take the store's threads. As a number it is the stage, the class and the place in every list by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// Clients of the store.
    Clients,
    /// The Internet Mail Service, which delivers a message into the store.
    Inbound,
    /// The Internet Mail Service, which fetches a message from the store.
    Outbound,
    /// The Internet Mail Service, which refreshes its connection.
    Refresh,
}

impl Caller {
    /// All of them.
    pub const ALL: [Caller; 4] = [Caller::Clients, Caller::Inbound, Caller::Outbound, Caller::Refresh];
    /// Those that come by a load.
    pub const LOADED: [Caller; 3] = [Caller::Clients, Caller::Inbound, Caller::Outbound];

    /// Its name in scenarios and outputs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Caller::Clients => "store.clients",
            Caller::Inbound => "store.inbound",
            Caller::Outbound => "store.outbound",
            Caller::Refresh => "store.refresh",
        }
    }

    /// The stage of its calls.
    #[must_use]
    pub fn stage(self) -> StageId {
        StageId(self as u16)
    }

    /// Whose a stage is.
    #[must_use]
    pub fn of(stage: StageId) -> Caller {
        Caller::ALL[stage.index()]
    }
}

/// The store, and who calls it.
#[derive(Clone, Debug, PartialEq)]
pub struct StorePlan {
    /// Its threads and the service.
    pub spec: Arc<StoreSpec>,
    /// The calls: a stage for each [`Caller`].
    pub load: Arc<LoadSpec>,
    /// The source of refreshes, which come when they are called for.
    pub refresh: SourceId,
    /// What Performance Optimizer had done before, where it ran.
    pub optimizer: Option<Run>,
}

impl StorePlan {
    /// `calls`: how long a call of each [`Caller`] holds its threads; `sources`: when they come, without refreshes.
    #[must_use]
    pub fn new(
        spec: StoreSpec,
        calls: [Distribution; 4],
        mut sources: Vec<Source>,
        optimizer: Option<Run>,
    ) -> StorePlan {
        let stages = Caller::ALL.into_iter().zip(calls).map(|(caller, time)| stage(caller.name(), caller as u16, time));
        let stages = stages.collect();
        let refresh = SourceId(sources.len() as u16);
        sources.push(Source {
            name: Caller::Refresh.name().to_string(),
            arrivals: Arrivals::OnCall,
            journey: Journey::Message(Caller::Refresh.stage()),
        });
        let dependencies = vec!["store".to_string()];
        let load = LoadSpec { stages, sources, dependencies, faults: Vec::new() };
        StorePlan { spec: Arc::new(spec), load: Arc::new(load), refresh, optimizer }
    }

    /// Mean time for which a call holds its threads, in seconds.
    #[must_use]
    pub fn mean_call_s(&self, caller: Caller) -> f64 {
        self.load.stages[caller as usize].mean_ns().1 / 1e9
    }
}

/// The domain table, and the mail that fills it.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainsPlan {
    /// Software, registry value, memory.
    pub spec: Arc<DomainTableSpec>,
    /// Messages: one stage, whose time is that from the queue to the other server.
    pub load: Arc<LoadSpec>,
    /// Whom they are for.
    pub names: Arc<Popularity>,
}

impl DomainsPlan {
    /// The name of its load in scenarios and outputs.
    pub const NAME: &'static str = "domains";
    /// The stage of its messages.
    pub const STAGE: StageId = StageId(0);

    /// `delivery`: how long a message stays on its queue; `sources`: when messages come.
    #[must_use]
    pub fn new(spec: DomainTableSpec, delivery: Distribution, sources: Vec<Source>, names: Popularity) -> DomainsPlan {
        let stages = vec![stage(DomainsPlan::NAME, 0, delivery)];
        let load = LoadSpec { stages, sources, dependencies: vec!["network".to_string()], faults: Vec::new() };
        DomainsPlan { spec: Arc::new(spec), load: Arc::new(load), names: Arc::new(names) }
    }
}

fn stage(name: &str, class: u16, time: Distribution) -> Stage {
    let phases = vec![Phase { kind: PhaseKind::Wait(crate::ids::DependencyId(0)), time }];
    Stage { name: name.to_string(), class: ClassId(class), phases, patience: None, then: Then::End }
}
