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
        let numbers = self.settings();
        let value = |name: &str| {
            let found = numbers.iter().find(|(known, _)| *known == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        let open = OPEN.iter().map(|open| Assumption {
            name: open.name,
            value: open.fixed.map_or_else(|| value(open.name), String::from),
            choices: open.choices,
            why: open.why,
            source: open.source,
        });
        // How long a generic poll may take says nothing of a cluster that has none.
        open.filter(|a| a.name != ANSWER_WITHIN || self.watch == WatchKind::Generic).collect()
    }

    /// Every number with its path in a scenario file, in a fixed order; those that the kind of watching does not use are
    /// left out.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut all = match self.watch {
            WatchKind::Exchange => vec![
                ("cluster.watch", "exchange".to_string()),
                ("cluster.probe_every", time(self.probe_every)),
                ("cluster.is_alive_timeout", time(self.is_alive_timeout)),
            ],
            WatchKind::Generic => vec![
                ("cluster.watch", "generic".to_string()),
                ("cluster.looks_alive_every", time(self.looks_alive_every)),
                ("cluster.is_alive_every", time(self.is_alive_every)),
                (ANSWER_WITHIN, time(self.answer_within)),
            ],
        };
        let action = RESTART_ACTIONS.iter().find(|(_, action)| *action == self.restart_action);
        let failback = match self.failback {
            Failback::Prevent => "prevent".to_string(),
            Failback::Immediate => "immediate".to_string(),
            Failback::Window { from_hour, until_hour } => {
                format!("{{ from_hour = {from_hour}, until_hour = {until_hour} }}")
            }
        };
        all.extend([
            ("cluster.probe", service(&self.probe)),
            ("cluster.pending_timeout", time(self.pending_timeout)),
            ("cluster.restart_threshold", self.restart_threshold.to_string()),
            ("cluster.restart_period", time(self.restart_period)),
            ("cluster.restart_action", action.map_or("", |(name, _)| name).to_string()),
            ("cluster.retry_after", self.retry_after.map_or_else(|| "never".to_string(), time)),
            ("cluster.online_takes", time(self.online_takes)),
            ("cluster.offline_takes", time(self.offline_takes)),
            ("cluster.failover_threshold", self.failover_threshold.to_string()),
            ("cluster.failover_period", time(self.failover_period)),
            ("cluster.failback", failback),
        ]);
        all
    }
}

/// The names of the restart actions in scenario files and reports.
pub const RESTART_ACTIONS: [(&str, RestartAction); 3] = [
    ("restart-notify", RestartAction::RestartNotify),
    ("restart-no-notify", RestartAction::RestartNoNotify),
    ("dont-restart", RestartAction::DontRestart),
];

const ANSWER_WITHIN: &str = "cluster.answer_within";

/// A choice that nothing published settles.
struct Open {
    name: &'static str,
    /// The value where it cannot be chosen.
    fixed: Option<&'static str>,
    choices: &'static str,
    why: &'static str,
    source: &'static str,
}

/// The readings that are built in, with their one value: the field's name and the word that may be written there.
pub const FIXED: [(&str, &str); 4] = [
    ("counted_from", "the-last-answer"),
    ("outstanding_probes", "one"),
    ("interrupted_message", "back-on-its-queue"),
    ("counted_starts", "groups-that-start-on-the-node"),
];

/// In the order in which they are listed.
const OPEN: [Open; 12] = [
    Open {
        name: "cluster.probe",
        fixed: None,
        choices: "any service",
        why: "a probe asks whether the protocol answers on its port; what is sent and what the answer costs is not \
              published, so that it is a request of its own that holds a thread for a moment",
        source: "KB 810860",
    },
    Open {
        name: "cluster.outstanding_probes",
        fixed: Some(FIXED[1].1),
        choices: "fixed",
        why: "whether the next probe is sent while one is unanswered is not published; the monitor is one thread",
        source: "KB 810860",
    },
    Open {
        name: "cluster.counted_from",
        fixed: Some(FIXED[0].1),
        choices: "fixed",
        why: "\"unresponsive for IsAliveTimeout\" is read as no probe answered since the last one that was, or since the \
              resource came online",
        source: "KB 836566",
    },
    Open {
        name: ANSWER_WITHIN,
        fixed: None,
        choices: "any time from 1ms",
        why: "how long a generic poll may stay unanswered is not published; the default is that of IsAliveTimeout, so \
              that the two ways of watching differ in their polls only",
        source: "MSCS, LooksAlivePollInterval",
    },
    Open {
        name: "cluster.restart_period",
        fixed: None,
        choices: "any time from 1ms",
        why: "the property's table says 900,000 ms, the remarks of the same page say 90000",
        source: "MSCS, RestartPeriod",
    },
    Open {
        name: "cluster.restart_action",
        fixed: None,
        choices: "restart-notify, restart-no-notify, dont-restart",
        why: "the default is not at hand; by default a failing resource is said to fail its group",
        source: "MSCS, RestartAction; Q197047",
    },
    Open {
        name: "cluster.retry_after",
        fixed: None,
        choices: "never, or any time from 1ms",
        why: "the default of RetryPeriodOnFailure is not at hand; never shows what a failure does by itself",
        source: "MSCS, RetryPeriodOnFailure",
    },
    Open {
        name: "cluster.online_takes",
        fixed: None,
        choices: "any time",
        why: "how long a protocol's virtual server takes to come online is not published",
        source: "none",
    },
    Open {
        name: "cluster.offline_takes",
        fixed: None,
        choices: "any time",
        why: "how long it takes to go offline, once nothing is in service, is not published",
        source: "none",
    },
    Open {
        name: "cluster.interrupted_message",
        fixed: Some(FIXED[2].1),
        choices: "fixed",
        why: "a message that is in service when the pending time-out ends is put back on its queue, which is on the \
              shared disk; what becomes of it is not published",
        source: "none",
    },
    Open {
        name: "cluster.failover_threshold",
        fixed: None,
        choices: "any whole number from 0 to 10000",
        why: "10 is the default of the NT 4 SDK and is taken for Windows 2000 and 2003; documents of 2008 say the number \
              of nodes less one",
        source: "NT 4 SDK, FailoverThreshold",
    },
    Open {
        name: "cluster.counted_starts",
        fixed: Some(FIXED[3].1),
        choices: "fixed",
        why: "a pool has its size when the service starts: with additional_threads = per-start the virtual servers of the \
              groups that start on the node count, at least one; groups that come later add no threads",
        source: "KB 281868",
    },
];

/// A time as it can be written in a scenario.
fn time(time: Nanos) -> String {
    humantime::format_duration(std::time::Duration::from_nanos(time.0)).to_string()
}

/// `cpu 1ms`, `cpu 1ms, wait 5ms on average`.
fn service(phases: &[Phase]) -> String {
    let told = phases.iter().map(|phase| {
        let kind = match phase.kind {
            PhaseKind::Cpu => "cpu",
            PhaseKind::Wait(_) => "wait",
        };
        match &phase.time {
            Distribution::Constant(value) => format!("{kind} {}", time(*value)),
            other => format!("{kind} {} on average", time(Nanos::from_f64(other.mean_ns()))),
        }
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_that_is_open_has_its_value_in_force() {
        let policies = Policies {
            watch: WatchKind::Generic,
            retry_after: Some(Nanos::from_secs(1_800)),
            restart_action: RestartAction::DontRestart,
            ..Policies::default()
        };
        let list = policies.assumptions();
        let value = |name: &str| list.iter().find(|a| a.name == name).map(|a| a.value.as_str());
        assert_eq!(value("cluster.retry_after"), Some("30m"));
        assert_eq!(value("cluster.restart_action"), Some("dont-restart"));
        assert_eq!(value("cluster.answer_within"), Some("3m"));
        assert_eq!(value("cluster.probe"), Some("cpu 1ms"));
        for (name, word) in FIXED {
            let found = list.iter().find(|a| a.name == format!("cluster.{name}"));
            assert_eq!(found.map(|a| (a.value.as_str(), a.choices)), Some((word, "fixed")), "{name}");
        }
        assert!(list.iter().all(|a| !a.value.is_empty() && !a.why.is_empty() && !a.source.is_empty()), "{list:?}");
        let usual = Policies::default().assumptions();
        assert!(usual.iter().all(|a| a.name != "cluster.answer_within"), "nobody polls");
        let value = |name: &str| usual.iter().find(|a| a.name == name).map(|a| a.value.as_str());
        assert_eq!((value("cluster.retry_after"), value("cluster.restart_period")), (Some("never"), Some("15m")));
    }

    #[test]
    fn the_numbers_are_told_as_a_scenario_has_them() {
        let of = |policies: &Policies, name: &str| {
            let settings = policies.settings();
            settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        let usual = Policies::default();
        assert_eq!(of(&usual, "cluster.is_alive_timeout").as_deref(), Some("3m"));
        assert_eq!(of(&usual, "cluster.is_alive_every"), None);
        let window = Failback::Window { from_hour: 22, until_hour: 4 };
        let other = Policies { watch: WatchKind::Generic, failback: window, ..Policies::default() };
        assert_eq!(of(&other, "cluster.failback").as_deref(), Some("{ from_hour = 22, until_hour = 4 }"));
        assert_eq!(
            (of(&other, "cluster.is_alive_every").as_deref(), of(&other, "cluster.probe_every")),
            (Some("1m"), None)
        );
    }
}
