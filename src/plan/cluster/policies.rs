//! The numbers of a cluster where a scenario says nothing, and which of them nothing published settles.
//!
//! Not a check of them (`scenario` does that) and not their meaning (`models::cluster::spec`). Made by `scenario`; listed by
//! `report` beside the assumptions of the pool, of which this is the part that `policy` knows nothing of.

use crate::models::cluster::spec::{Failback, RestartAction};
use crate::policy::assumptions::Assumption;
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Phase, PhaseKind};

/// How the resources that users ask are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// By Exchange's resource DLL: a monitor thread of its own.
    Exchange,
    /// By the two polls of other resource types.
    Generic,
}

/// Every number that a group or a resource may have. Times are above 0 but for the two that something takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    /// How resources are watched.
    pub watch: WatchKind,
    /// Time between two probes. ATQ: KB 810860.
    pub probe_every: Nanos,
    /// `IsAliveTimeout`. ATQ: KB 836566.
    pub is_alive_timeout: Nanos,
    /// `LooksAlivePollInterval`. ATQ: 5,000 ms.
    pub looks_alive_every: Nanos,
    /// `IsAlivePollInterval`. ATQ: 60 s.
    pub is_alive_every: Nanos,
    /// How long the answer to a generic poll may take.
    pub answer_within: Nanos,
    /// `PendingTimeout`. ATQ: 180,000 ms (bb124063).
    pub pending_timeout: Nanos,
    /// `RestartThreshold`; in [0, 10000]. ATQ: 3.
    pub restart_threshold: u32,
    /// `RestartPeriod`. ATQ: 900,000 ms.
    pub restart_period: Nanos,
    /// `RestartAction`.
    pub restart_action: RestartAction,
    /// `RetryPeriodOnFailure`; `None`: never.
    pub retry_after: Option<Nanos>,
    /// How long a resource takes to come online.
    pub online_takes: Nanos,
    /// How long it takes to go offline, beside what it has in service.
    pub offline_takes: Nanos,
    /// `FailoverThreshold`; in [0, 10000].
    pub failover_threshold: u32,
    /// `FailoverPeriod`; at most 1193 hours. ATQ: 6 hours.
    pub failover_period: Nanos,
    /// `AutoFailbackType` with its window. ATQ: prevented (Q197047).
    pub failback: Failback,
    /// What a probe does while it holds its thread.
    pub probe: Vec<Phase>,
}

impl Default for Policies {
    fn default() -> Policies {
        Policies {
            watch: WatchKind::Exchange,
            probe_every: Nanos::from_secs(10),
            is_alive_timeout: Nanos::from_secs(180),
            looks_alive_every: Nanos::from_secs(5),
            is_alive_every: Nanos::from_secs(60),
            answer_within: Nanos::from_secs(180),
            pending_timeout: Nanos::from_secs(180),
            restart_threshold: 3,
            restart_period: Nanos::from_secs(900),
            restart_action: RestartAction::RestartNotify,
            retry_after: None,
            online_takes: Nanos::from_secs(20),
            offline_takes: Nanos::from_secs(5),
            failover_threshold: 10,
            failover_period: Nanos::from_secs(6 * 3_600),
            failback: Failback::Prevent,
            probe: vec![Phase { kind: PhaseKind::Cpu, time: Distribution::Constant(Nanos::from_millis(1)) }],
        }
    }
}

impl Policies {
    /// Every choice that nothing published settles, with the value that is in force where no group and no resource has
    /// its own, in a fixed order.
    #[must_use]
    pub fn assumptions(&self) -> Vec<Assumption> {
        Vec::new()
    }

    /// Every number with its path in a scenario file, in a fixed order.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
