//! Thresholds of a scenario (`[[assert]]`): a figure of a service or of the whole run, and what it may be.
//!
//! Not their text (`scenario` reads it) and not their result (`report::threshold` compares them with a run). Called by
//! both.

use std::fmt;

use super::ClassPlan;
use crate::ids::ClassId;

/// One threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Assert {
    /// As the scenario says it: `pop3.starved_percent < 1`.
    pub text: String,
    /// Why it is there; may be empty.
    pub why: String,
    /// The classes that it is checked for, each by itself; empty where the figure is of the whole run.
    pub classes: Vec<ClassId>,
    /// What is compared.
    pub figure: Figure,
    /// How.
    pub relation: Relation,
    /// With what, in the figure's [`Unit`]; finite, at least 0.
    pub value: f64,
}

/// A figure that a threshold may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Starved time, in percent of the run.
    StarvedPercent,
    /// Starved time without any thread, in percent of the run.
    ShutOutPercent,
    /// The longest starvation episode.
    LongestEpisode,
    /// How many episodes there were.
    Episodes,
    /// Items that came.
    Arrivals,
    /// Items served.
    Served,
    /// Items whose client gave up.
    GaveUp,
    /// Items that found no room to wait.
    Refused,
    /// Items lost with their thread.
    Lost,
    /// Items waiting or in service at the end.
    Unfinished,
    /// Thread time held.
    ThreadSeconds,
    /// Most threads held at one moment.
    BusyMax,
    /// Most items waiting at one moment.
    WaitingMax,
    /// Waits of all items but the refused.
    Wait(Statistic),
    /// Service times of the finished items.
    Service(Statistic),
    /// The pool's size. Of the whole run.
    PoolSize,
    /// The most threads that existed together. Of the whole run.
    PoolLiveMax,
    /// Failovers of all groups of a cluster. Of the whole run.
    Failovers,
    /// Restarts of all resources of a cluster. Of the whole run.
    Restarts,
    /// Failures of all resources of a cluster. Of the whole run.
    Failures,
    /// Sessions that ended because their service went offline. Of the whole run.
    SessionsCut,
    /// The time in which a service of a cluster was offline or its users starved.
    Unavailable,
    /// Of a limit beside the pool. Of the whole run.
    Limit(LimitFigure),
}

/// A figure of a limit beside the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitFigure {
    /// Times that the Internet Mail Service was shut down.
    Shutdowns,
    /// The time in which it was not logged on.
    Away,
    /// Messages in BAD.
    InBad,
    /// Spool files in `Imcdata\\In\\Archive`.
    InArchive,
    /// The largest backlog of outbound mail.
    OutboundMax,
    /// Clients of the store that gave up.
    ClientsGaveUp,
    /// Times that memory was gone.
    TimesGone,
    /// The most entries of the domain table.
    EntriesMax,
    /// The most dead ones.
    DeadMax,
    /// Messages that were refused.
    DomainsRefused,
    /// Responses of a front-end.
    Responses,
    /// Writes that they became.
    Writes,
    /// Packets on the clients' links, in both directions.
    Packets,
    /// How long a response took on average, from its first write to its last byte at the client.
    ResponseMean,
    /// How long it held its thread on average.
    HeldMean,
    /// One of a transport server.
    Transport(TransportFigure),
}

/// A figure of a transport server, all groups together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportFigure {
    /// Share of the messages of honest groups that were handed over.
    HonestThrough,
    /// Connections and messages of honest groups that were refused.
    HonestRefused,
    /// Connections of honest groups that were closed.
    HonestClosed,
    /// Messages that honest senders gave up.
    HonestGivenUp,
    /// Messages that honest senders still have.
    HonestTrying,
    /// From the wish to send to the queue, on average.
    HonestWaitMean,
    /// The longest.
    HonestWaitMax,
    /// Share of the messages of all other groups that were handed over.
    OthersThrough,
    /// Their connections and messages that were refused.
    OthersRefused,
    /// Their connections that were closed.
    OthersClosed,
    /// Answers that were tarpitted.
    Tarpitted,
    /// Recipients that were asked for and exist.
    RecipientsFound,
    /// Time at Medium.
    Medium,
    /// Time at High.
    High,
    /// How often Medium was reached.
    TimesMedium,
    /// How often High was.
    TimesHigh,
    /// The most inbound connections.
    ConnectionsMax,
    /// The most of one source.
    OfOneSourceMax,
    /// The most submissions with a thread.
    SubmittingMax,
    /// The most deliveries to mailboxes.
    ToMailboxesMax,
    /// The most outbound connections.
    OutboundMax,
    /// The most to one domain.
    ToOneDomainMax,
    /// The most messages on queues.
    QueuedMax,
}

impl LimitFigure {
    /// Every one with its name in a scenario.
    pub const ALL: [(&'static str, LimitFigure); 38] = [
        ("store.shutdowns", LimitFigure::Shutdowns),
        ("store.away", LimitFigure::Away),
        ("store.in_bad", LimitFigure::InBad),
        ("store.in_archive", LimitFigure::InArchive),
        ("store.outbound_max", LimitFigure::OutboundMax),
        ("store.clients_gave_up", LimitFigure::ClientsGaveUp),
        ("domains.times_gone", LimitFigure::TimesGone),
        ("domains.entries_max", LimitFigure::EntriesMax),
        ("domains.dead_max", LimitFigure::DeadMax),
        ("domains.refused", LimitFigure::DomainsRefused),
        ("write_buffers.responses", LimitFigure::Responses),
        ("write_buffers.writes", LimitFigure::Writes),
        ("write_buffers.packets", LimitFigure::Packets),
        ("write_buffers.response_mean", LimitFigure::ResponseMean),
        ("write_buffers.held_mean", LimitFigure::HeldMean),
        ("transport.honest_through_percent", LimitFigure::Transport(TransportFigure::HonestThrough)),
        ("transport.honest_refused", LimitFigure::Transport(TransportFigure::HonestRefused)),
        ("transport.honest_closed", LimitFigure::Transport(TransportFigure::HonestClosed)),
        ("transport.honest_given_up", LimitFigure::Transport(TransportFigure::HonestGivenUp)),
        ("transport.honest_trying", LimitFigure::Transport(TransportFigure::HonestTrying)),
        ("transport.honest_wait_mean", LimitFigure::Transport(TransportFigure::HonestWaitMean)),
        ("transport.honest_wait_max", LimitFigure::Transport(TransportFigure::HonestWaitMax)),
        ("transport.others_through_percent", LimitFigure::Transport(TransportFigure::OthersThrough)),
        ("transport.others_refused", LimitFigure::Transport(TransportFigure::OthersRefused)),
        ("transport.others_closed", LimitFigure::Transport(TransportFigure::OthersClosed)),
        ("transport.tarpitted", LimitFigure::Transport(TransportFigure::Tarpitted)),
        ("transport.recipients_found", LimitFigure::Transport(TransportFigure::RecipientsFound)),
        ("transport.medium", LimitFigure::Transport(TransportFigure::Medium)),
        ("transport.high", LimitFigure::Transport(TransportFigure::High)),
        ("transport.times_medium", LimitFigure::Transport(TransportFigure::TimesMedium)),
        ("transport.times_high", LimitFigure::Transport(TransportFigure::TimesHigh)),
        ("transport.connections_max", LimitFigure::Transport(TransportFigure::ConnectionsMax)),
        ("transport.of_one_source_max", LimitFigure::Transport(TransportFigure::OfOneSourceMax)),
        ("transport.submitting_max", LimitFigure::Transport(TransportFigure::SubmittingMax)),
        ("transport.to_mailboxes_max", LimitFigure::Transport(TransportFigure::ToMailboxesMax)),
        ("transport.outbound_max", LimitFigure::Transport(TransportFigure::OutboundMax)),
        ("transport.to_one_domain_max", LimitFigure::Transport(TransportFigure::ToOneDomainMax)),
        ("transport.queued_max", LimitFigure::Transport(TransportFigure::QueuedMax)),
    ];

    /// Its name among the figures of a run, and how many of its [`Unit`] are one of that figure's.
    #[must_use]
    pub fn listed_as(self) -> (String, f64) {
        let name = LimitFigure::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name);
        match Figure::Limit(self).unit() {
            Unit::Time => (format!("{name}_s"), 1e9),
            _ => (name.to_string(), 1.0),
        }
    }

    /// The section that it is of.
    #[must_use]
    pub fn section(self) -> &'static str {
        let name = LimitFigure::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name);
        name.split('.').next().unwrap_or(name)
    }
}

impl TransportFigure {
    fn unit(self) -> Unit {
        match self {
            TransportFigure::HonestThrough | TransportFigure::OthersThrough => Unit::Percent,
            TransportFigure::HonestWaitMean
            | TransportFigure::HonestWaitMax
            | TransportFigure::Medium
            | TransportFigure::High => Unit::Time,
            _ => Unit::Count,
        }
    }
}

/// One number of a latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 99th percentile.
    P99,
    /// The 99.9th percentile.
    P999,
    /// The largest.
    Max,
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Percent, in [0, 100].
    Percent,
    /// Nanoseconds of emulated time.
    Time,
    /// A whole number.
    Count,
    /// Thread-seconds.
    ThreadSeconds,
}

/// How a figure is compared with the value of its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Figure {
    /// Every figure with its name in a scenario.
    #[must_use]
    pub fn all() -> Vec<(String, Figure)> {
        let plain = [
            ("starved_percent", Figure::StarvedPercent),
            ("shut_out_percent", Figure::ShutOutPercent),
            ("longest_episode", Figure::LongestEpisode),
            ("episodes", Figure::Episodes),
            ("arrivals", Figure::Arrivals),
            ("served", Figure::Served),
            ("gave_up", Figure::GaveUp),
            ("refused", Figure::Refused),
            ("lost", Figure::Lost),
            ("unfinished", Figure::Unfinished),
            ("thread_seconds", Figure::ThreadSeconds),
            ("busy_max", Figure::BusyMax),
            ("waiting_max", Figure::WaitingMax),
            ("pool.size", Figure::PoolSize),
            ("pool.live_max", Figure::PoolLiveMax),
            ("cluster.failovers", Figure::Failovers),
            ("cluster.restarts", Figure::Restarts),
            ("cluster.failures", Figure::Failures),
            ("cluster.sessions_cut", Figure::SessionsCut),
            ("unavailable", Figure::Unavailable),
        ];
        let mut all: Vec<(String, Figure)> = plain.map(|(name, figure)| (name.to_string(), figure)).to_vec();
        for (name, statistic) in Statistic::ALL {
            all.push((format!("wait.{name}"), Figure::Wait(statistic)));
            all.push((format!("service.{name}"), Figure::Service(statistic)));
        }
        all.extend(LimitFigure::ALL.map(|(name, figure)| (name.to_string(), Figure::Limit(figure))));
        all
    }

    /// Whether it is a figure of the whole run and not of a service.
    #[must_use]
    pub fn of_the_run(self) -> bool {
        matches!(self, Figure::PoolSize | Figure::PoolLiveMax | Figure::Limit(_)) || self.of_the_cluster().is_some()
    }

    /// The name of a figure of the whole cluster among the cluster's figures; `None` for any other.
    #[must_use]
    pub fn of_the_cluster(self) -> Option<&'static str> {
        match self {
            Figure::Failovers => Some("failovers"),
            Figure::Restarts => Some("restarts"),
            Figure::Failures => Some("failures"),
            Figure::SessionsCut => Some("sessions_cut"),
            _ => None,
        }
    }

    /// Whether only a cluster has it.
    #[must_use]
    pub fn needs_a_cluster(self) -> bool {
        self == Figure::Unavailable || self.of_the_cluster().is_some()
    }

    /// The name under which estimates of it are made over several runs: `wait_p99_s` for `wait.p99`.
    #[must_use]
    pub fn estimate_name(self) -> String {
        let name =
            Figure::all().into_iter().find(|(_, known)| *known == self).map(|(name, _)| name).unwrap_or_default();
        let unit = if self.unit() == Unit::Time { "_s" } else { "" };
        name.replace('.', "_") + unit
    }

    /// The figure of a service with whose name `text` ends, and what stands before it: `pop3` for `pop3.wait.mean`.
    /// `local-delivery.service.max` ends with no other figure's name, but for the longest one.
    #[must_use]
    pub fn at_the_end_of(text: &str) -> Option<(&str, Figure)> {
        let before = |name: &str| text.strip_suffix(name).and_then(|rest| rest.strip_suffix('.'));
        let all = Figure::all().into_iter().filter(|(name, figure)| !figure.of_the_run() && before(name).is_some());
        let (name, figure) = all.max_by_key(|(name, _)| name.len())?;
        before(&name).map(|service| (service, figure))
    }

    /// What it is measured in.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Figure::StarvedPercent | Figure::ShutOutPercent => Unit::Percent,
            Figure::LongestEpisode | Figure::Wait(_) | Figure::Service(_) | Figure::Unavailable => Unit::Time,
            Figure::Limit(LimitFigure::Away | LimitFigure::ResponseMean | LimitFigure::HeldMean) => Unit::Time,
            Figure::Limit(LimitFigure::Transport(figure)) => figure.unit(),
            Figure::ThreadSeconds => Unit::ThreadSeconds,
            _ => Unit::Count,
        }
    }
}

/// The classes that a threshold means by `name`: a class's own name; a queue's, for that queue of every virtual server;
/// in a cluster a service's (`pop3`), for that of every group; `smtp`, for all of SMTP.
#[must_use]
pub fn classes_called(classes: &[ClassPlan], name: &str) -> Vec<ClassId> {
    let hit = |class: &ClassPlan| {
        let smtp = class.role.is_mail();
        let of_a_server = class.name.split_once('.').map(|(_, name)| name);
        class.name == name || of_a_server == Some(name) || (name == "smtp" && smtp)
    };
    (0..classes.len()).filter(|at| hit(&classes[*at])).map(|at| ClassId(at as u16)).collect()
}

impl Statistic {
    const ALL: [(&'static str, Statistic); 6] = [
        ("mean", Statistic::Mean),
        ("p50", Statistic::P50),
        ("p90", Statistic::P90),
        ("p99", Statistic::P99),
        ("p999", Statistic::P999),
        ("max", Statistic::Max),
    ];
}

impl Unit {
    /// The largest value that a figure of this unit can have.
    #[must_use]
    pub fn most(self) -> f64 {
        if self == Unit::Percent { 100.0 } else { f64::INFINITY }
    }
}

impl Relation {
    /// Every relation with its sign.
    pub const ALL: [(&'static str, Relation); 6] = [
        ("<", Relation::Below),
        ("<=", Relation::AtMost),
        (">", Relation::Above),
        (">=", Relation::AtLeast),
        ("==", Relation::Equal),
        ("!=", Relation::Unequal),
    ];

    /// Whether `found` stands in this relation to `allowed`.
    #[must_use]
    pub fn holds(self, found: f64, allowed: f64) -> bool {
        match self {
            Relation::Below => found < allowed,
            Relation::AtMost => found <= allowed,
            Relation::Above => found > allowed,
            Relation::AtLeast => found >= allowed,
            Relation::Equal => found == allowed,
            Relation::Unequal => found != allowed,
        }
    }

    /// Whether everything from `low` to `high` stands in this relation to `allowed`: a figure that is known only by its
    /// confidence interval passes when all of it is on the right side.
    #[must_use]
    pub fn holds_throughout(self, (low, high): (f64, f64), allowed: f64) -> bool {
        let outside = !(low <= allowed && allowed <= high);
        self.holds(low, allowed) && self.holds(high, allowed) && (self != Relation::Unequal || outside)
    }
}

/// The sign in a scenario.
impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Relation::ALL.iter().find(|(_, relation)| relation == self).map_or("", |(sign, _)| sign);
        f.write_str(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_passes_only_as_a_whole() {
        let table = [
            (Relation::Below, (0.1, 0.9), true),
            (Relation::Below, (0.1, 1.0), false),
            (Relation::AtMost, (0.1, 1.0), true),
            (Relation::Above, (0.9, 3.0), false),
            (Relation::AtLeast, (1.0, 3.0), true),
            (Relation::Equal, (1.0, 1.0), true),
            (Relation::Equal, (0.9, 1.1), false),
            (Relation::Unequal, (0.9, 1.1), false),
            (Relation::Unequal, (1.1, 1.2), true),
            (Relation::Below, (f64::NAN, f64::NAN), false),
        ];
        for (relation, interval, expected) in table {
            assert_eq!(relation.holds_throughout(interval, 1.0), expected, "{interval:?} {relation} 1");
        }
    }

    #[test]
    fn names_of_figures_are_their_own() {
        let mut names: Vec<String> = Figure::all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 70);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 70);
    }
}
