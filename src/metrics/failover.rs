//! What a run on a cluster remembers beside the figures of its classes, and the figures that follow from it.
//!
//! Not a state machine (`models::cluster`), and no format. [`FailoverSummary`] has what happened and is made by the engines;
//! [`ClusterFigures`] has counts and for how long each service was no use to its users, and is made by `run`. Both are
//! read by `report`.

use super::Summary;
use super::replicated::Estimate;
use crate::ids::ClassId;
use crate::models::cluster::ClusterSummary;
use crate::models::cluster::spec::{ClusterSpec, ResourceKind};
use crate::time::Nanos;

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

/// For how long one service was no use to its users, or all services of a kind together (the sum over the groups).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTime {
    /// `evs1.pop3`, or `pop3` for that of all groups.
    pub name: String,
    /// What it is.
    pub kind: ResourceKind,
    /// Whether it is the sum over the groups.
    pub is_total: bool,
    /// The time in which its resource was not online; of the whole run.
    pub offline: Nanos,
    /// The time in which it was online and its users' requests starved; of the measured time. An offline service has no
    /// requests that wait, so this and `offline` have no moment in common.
    pub starved: Nanos,
    /// The part of `offline` in which its group moved: failovers, failbacks and nodes that were gone.
    pub by_moves: Nanos,
}

impl ServiceTime {
    /// The time in which it was no use to its users: offline or starved.
    #[must_use]
    pub fn unavailable(&self) -> Nanos {
        self.offline + self.starved
    }
}

/// Counts and times of a cluster's run.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterFigures {
    /// Failures of all resources.
    pub failures: u64,
    /// Restarts of all resources.
    pub restarts: u64,
    /// Moves because something failed or a node was gone.
    pub failovers: u64,
    /// Moves home.
    pub failbacks: u64,
    /// `None` for fewer than two failovers.
    pub mean_time_between_failovers: Option<Nanos>,
    /// See [`FailoverSummary::sessions_cut`].
    pub sessions_cut: u64,
    /// See [`FailoverSummary::messages_delayed`].
    pub messages_delayed: u64,
    /// See [`FailoverSummary::messages_resumed`].
    pub messages_resumed: u64,
    /// Probes that were sent in the measured time.
    pub probes_sent: u64,
    /// How often a probe was due and the last one was still out.
    pub probes_unanswered: u64,
    /// The totals (`pop3`, `imap4`, `smtp`, those that there are), then each service of each group.
    pub services: Vec<ServiceTime>,
}

/// The kinds of service that users and senders ask, with their names.
const KINDS: [(ResourceKind, &str); 3] =
    [(ResourceKind::Pop3, "pop3"), (ResourceKind::Imap4, "imap4"), (ResourceKind::Smtp, "smtp")];

/// The name of the time in which POP3 and IMAP4 were unavailable, over all groups, among the figures that are listed.
pub const USERS_UNAVAILABLE: &str = "users.unavailable_s";
/// The same for what the moves of groups took of it by themselves.
pub const USERS_BY_MOVES: &str = "users.unavailable_by_failover_s";

impl ClusterFigures {
    /// From what happened and the figures of the classes. `users` has for each resource the class that its users wait in,
    /// `probes` that of its probes.
    #[must_use]
    pub fn of(
        happened: &FailoverSummary,
        summary: &Summary,
        spec: &ClusterSpec,
        users: &[Option<ClassId>],
        probes: &[Option<ClassId>],
    ) -> ClusterFigures {
        let cluster = &happened.cluster;
        let class = |of: &[Option<ClassId>], at: usize| {
            let id = of.get(at).copied().flatten();
            id.and_then(|id: ClassId| summary.classes.get(id.index()))
        };
        let each: Vec<ServiceTime> = spec
            .resources
            .iter()
            .zip(&cluster.resources)
            .enumerate()
            .filter_map(|(at, (resource, history))| {
                let (kind, name) = KINDS.into_iter().find(|(kind, _)| *kind == resource.kind)?;
                Some(ServiceTime {
                    name: format!("{}.{name}", spec.groups[resource.group.index()].name),
                    kind,
                    is_total: false,
                    offline: history.off.total(),
                    starved: class(users, at).map_or(Nanos::ZERO, |class| class.starved),
                    by_moves: history.off.by_moves(),
                })
            })
            .collect();
        let probed = (0..spec.resources.len()).filter_map(|at| class(probes, at));
        ClusterFigures {
            failures: cluster.failures(),
            restarts: cluster.restarts(),
            failovers: cluster.failovers(),
            failbacks: cluster.failbacks(),
            mean_time_between_failovers: cluster.mean_time_between_failovers(),
            sessions_cut: happened.sessions_cut,
            messages_delayed: happened.messages_delayed,
            messages_resumed: happened.messages_resumed,
            probes_sent: probed.map(|class| class.arrivals).sum(),
            probes_unanswered: cluster.resources.iter().map(|resource| resource.unanswered_count).sum(),
            services: KINDS.into_iter().filter_map(|kind| total(kind, &each)).chain(each.iter().cloned()).collect(),
        }
    }

    /// What users of POP3 and IMAP4 went through, over all groups.
    fn users(&self) -> ServiceTime {
        let of_users = |service: &&ServiceTime| !service.is_total && service.kind != ResourceKind::Smtp;
        sum("users".to_string(), ResourceKind::Other, self.services.iter().filter(of_users))
    }

    /// Every figure of which estimates are made over several runs, under its name with its unit.
    #[must_use]
    pub fn listed(&self) -> Vec<(String, f64)> {
        let counts = [
            ("failovers", self.failovers),
            ("restarts", self.restarts),
            ("failures", self.failures),
            ("failbacks", self.failbacks),
            ("sessions_cut", self.sessions_cut),
            ("messages_delayed", self.messages_delayed),
        ];
        let counts = counts.into_iter().map(|(name, count)| (name.to_string(), count as f64));
        let users = self.users();
        let times = std::iter::once(&users).chain(&self.services).flat_map(|service| {
            let seconds = |time: Nanos| time.as_secs_f64();
            [
                (format!("{}.unavailable_s", service.name), seconds(service.unavailable())),
                (format!("{}.unavailable_by_failover_s", service.name), seconds(service.by_moves)),
            ]
        });
        counts.chain(times).collect()
    }
}

fn total((kind, name): (ResourceKind, &str), each: &[ServiceTime]) -> Option<ServiceTime> {
    let own = || each.iter().filter(move |service| service.kind == kind);
    own().next()?;
    Some(sum(name.to_string(), kind, own()))
}

fn sum<'s>(name: String, kind: ResourceKind, of: impl Iterator<Item = &'s ServiceTime>) -> ServiceTime {
    let none =
        ServiceTime { name, kind, is_total: true, offline: Nanos::ZERO, starved: Nanos::ZERO, by_moves: Nanos::ZERO };
    of.fold(none, |all, one| ServiceTime {
        offline: all.offline + one.offline,
        starved: all.starved + one.starved,
        by_moves: all.by_moves + one.by_moves,
        ..all
    })
}

/// One figure over several runs.
#[derive(Clone, Debug, PartialEq)]
pub struct OverRuns {
    /// Its name, as in [`ClusterFigures::listed`] or in [`super::limits::LimitFigures::listed`].
    pub name: String,
    /// Its mean with its interval.
    pub estimate: Estimate,
    /// The least value of any run.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

/// The figures of all runs of a plan, which each run has in the same order; nothing for fewer than two.
#[must_use]
pub fn over_runs(runs: &[Vec<(String, f64)>]) -> Vec<OverRuns> {
    let Some(first) = runs.first().filter(|_| runs.len() >= 2) else { return Vec::new() };
    let each = first.iter().enumerate().map(|(at, (name, _))| {
        let values: Vec<f64> = runs.iter().filter_map(|run| run.get(at)).map(|(_, value)| *value).collect();
        OverRuns {
            name: name.clone(),
            estimate: Estimate::of(&values),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(0.0, f64::max),
        }
    });
    each.collect()
}

/// A lane of the time line in `columns` stretches of equal length: of what it was at in each, that of the highest rank.
#[must_use]
pub fn in_columns<S: Copy>(lane: &[(Nanos, S)], end: Nanos, columns: usize, rank: impl Fn(S) -> u8) -> Vec<Option<S>> {
    let mut worst: Vec<Option<S>> = vec![None; columns];
    for (at, (from, state)) in lane.iter().enumerate() {
        let until = lane.get(at + 1).map_or(end, |(next, _)| *next);
        let first = column(*from, end, columns);
        let last = column(Nanos(until.0.saturating_sub(1)), end, columns).max(first);
        for column in worst.iter_mut().take(last + 1).skip(first) {
            if column.is_none_or(|known| rank(*state) > rank(known)) {
                *column = Some(*state);
            }
        }
    }
    worst
}

/// In which of `columns` stretches any of these moments lies.
#[must_use]
pub fn marked(moments: &[Nanos], end: Nanos, columns: usize) -> Vec<bool> {
    let mut marks = vec![false; columns];
    for moment in moments {
        if let Some(mark) = marks.get_mut(column(*moment, end, columns)) {
            *mark = true;
        }
    }
    marks
}

/// In which of `columns` stretches of a run a moment lies.
#[must_use]
pub fn column(at: Nanos, end: Nanos, columns: usize) -> usize {
    let place = u128::from(at.0) * columns as u128 / u128::from(end.0.max(1));
    (place as usize).min(columns.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_shows_the_worst_that_was_in_it() {
        let lane = [(0, 'u'), (10, 'd'), (11, 'u'), (30, 'd')].map(|(s, state)| (Nanos::from_secs(s), state));
        let shown = in_columns(&lane, Nanos::from_secs(40), 4, |state| u8::from(state == 'd'));
        assert_eq!(shown, [Some('u'), Some('d'), Some('u'), Some('d')]);
        let moments = [0, 9, 39, 40].map(Nanos::from_secs);
        assert_eq!(marked(&moments, Nanos::from_secs(40), 4), [true, false, false, true]);
        // A run that ended as it began has no length to divide.
        assert_eq!(in_columns(&lane[..1], Nanos::ZERO, 2, |_| 0)[0], Some('u'));
    }
}
