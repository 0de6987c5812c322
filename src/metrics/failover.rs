//! What a run on a cluster remembers beside the figures of its classes.
//!
//! Not a state machine (`models::cluster`), and no judgement: [`FailoverSummary`] has what happened, [`unavailable`] for
//! how long a service was no use to its users. Made by the engines, read by `report`.

use crate::models::cluster::ClusterSummary;

/// See the module's head.
#[derive(Clone, Debug, PartialEq)]
pub struct FailoverSummary {
    /// What the cluster remembers: its log, its time line, its counts.
    pub cluster: ClusterSummary,
    /// Sessions that ended because their service went offline.
    pub sessions_cut: u64,
    /// Messages that waited on the shared disk for their service to come online again, at each queue in which they did.
    pub messages_delayed: u64,
    /// Messages that were in service when their thread was given up, and that are delivered anew.
    pub messages_resumed: u64,
}
