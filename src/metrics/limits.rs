//! The figures of the limits beside the pool: what their models remember, and how long their calls waited.
//!
//! Not the models and not a format. Made by `engine::limits`, told by `report`.

use super::latency::{Latency, LatencySummary};
use crate::models::domain_table::DomainTableSummary;
use crate::models::store::StoreSummary;

/// What became of the limits of one run; each where the plan has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitFigures {
    /// The store's threads.
    pub store: Option<StoreFigures>,
    /// The domain table.
    pub domains: Option<DomainFigures>,
}

impl LimitFigures {
    /// Laws of counting that were broken, each an error of the program.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(StoreFigures { summary, .. }) = &self.store {
            let all = [("clients", summary.clients), ("inbound", summary.inbound), ("outbound", summary.outbound)];
            found.extend(
                all.iter()
                    .filter(|(_, ledger)| !ledger.is_balanced())
                    .map(|(who, ledger)| format!("store: what came of {who} is not what became of them: {ledger:?}")),
            );
        }
        if self.domains.as_ref().is_some_and(|domains| !domains.summary.is_balanced()) {
            found.push("domains: messages or entries of the domain table are not all accounted for".to_string());
        }
        found
    }
}

/// Times of the calls of one kind that began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallTimes {
    /// From coming to the thread: of a message from when it was put on its queue.
    pub wait: Latency,
    /// With the thread, of calls that ended.
    pub service: Latency,
}

impl CallTimes {
    /// The figures of the waits.
    #[must_use]
    pub fn waits(&self) -> LatencySummary {
        self.wait.summary()
    }
}

/// The store's threads.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreFigures {
    /// What the model remembers.
    pub summary: StoreSummary,
    /// By [`crate::plan::limits::Caller`] that comes by a load: clients, inbound, outbound.
    pub calls: [CallTimes; 3],
}

/// The domain table.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainFigures {
    /// What the model remembers.
    pub summary: DomainTableSummary,
}
