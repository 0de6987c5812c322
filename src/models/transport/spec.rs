//! What a transport server of Exchange 2007 is made of: role, version, the throttling options, back pressure, its
//! machine.
//!
//! Plain data. Documented numbers have `// ATQ:`; every other one is in [`Assumptions`] (`// Guess:`), which an output
//! is to list. Made by whoever describes a server, read by the model; `check` finds the mistakes. Options keep
//! Microsoft's spelling in documents. One Receive connector and one Send connector; a server has more, which share
//! nothing but the server's own limits.

use super::check::{self, Mistake};
use super::pressure::{Level, Marks};
use crate::time::Nanos;

/// Which transport server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Hub Transport: it has mailboxes behind it.
    Hub,
    /// Edge Transport: it has none; all its mail is for other servers.
    Edge,
}

/// The version of Exchange 2007.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// As it first came.
    Rtm,
    /// Service pack 1.
    Sp1,
}

/// An option that may be `unlimited`.
// Guess: which ones may. Where the type is a plain number, one that is large enough does the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// No limit.
    Unlimited,
    /// So many.
    At(u32),
}

impl Limit {
    /// Whether there may be one more than `held`.
    #[must_use]
    #[inline]
    pub fn allows_beside(self, held: u32) -> bool {
        match self {
            Limit::Unlimited => true,
            Limit::At(most) => held < most,
        }
    }
}

/// The options of the server (`Set-TransportServer`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// `MaxConcurrentMailboxDeliveries`: threads that deliver to mailboxes; at least 1. Without meaning on an Edge
    /// server.
    pub max_concurrent_mailbox_deliveries: u32,
    /// `MaxConcurrentMailboxSubmissions`: threads that take messages from mailboxes; at least 1. As above.
    pub max_concurrent_mailbox_submissions: u32,
    /// `MaxConnectionRatePerMinute`: inbound connections that may be opened a minute; at least 1.
    pub max_connection_rate_per_minute: u32,
    /// `MaxOutboundConnections`: outbound connections at once; at least 1.
    pub max_outbound_connections: Limit,
    /// `MaxPerDomainOutboundConnections`: outbound connections at once to one domain; at least 1.
    pub max_per_domain_outbound_connections: Limit,
    /// `PickupDirectoryMaxMessagesPerMinute`: files a minute from the Pickup directory, and as many from Replay; at
    /// least 1.
    pub pickup_directory_max_messages_per_minute: u32,
}

impl Default for ServerOptions {
    // ATQ: the message throttling page of Exchange 2007.
    fn default() -> ServerOptions {
        ServerOptions {
            max_concurrent_mailbox_deliveries: 30,
            max_concurrent_mailbox_submissions: 30,
            max_connection_rate_per_minute: 1200,
            max_outbound_connections: Limit::At(1000),
            max_per_domain_outbound_connections: Limit::At(20),
            pickup_directory_max_messages_per_minute: 100,
        }
    }
}

/// The options of the Send connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendConnector {
    /// `ConnectionInactivityTimeOut`: a connection to a destination that has been silent for so long is closed; above
    /// 0.
    pub connection_inactivity_time_out: Nanos,
}

impl Default for SendConnector {
    // ATQ: the message throttling page: 10 minutes.
    fn default() -> SendConnector {
        SendConnector { connection_inactivity_time_out: minutes(10) }
    }
}

/// The options of the Receive connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveConnector {
    /// `ConnectionInactivityTimeout`: a connection from a source that has been silent for so long is closed; above 0.
    pub connection_inactivity_timeout: Nanos,
    /// `ConnectionTimeout`: a connection that has been open for so long is closed, even if its source is sending;
    /// larger than the one above.
    pub connection_timeout: Nanos,
    /// `MaxInboundConnection`: connections at once; at least 1.
    pub max_inbound_connection: Limit,
    /// `MaxInboundConnectionPercentagePerSource`: connections at once from one source, in percent of the connections
    /// that remain; in [1, 100].
    pub max_inbound_connection_percentage_per_source: u32,
    /// `MaxInboundConnectionPerSource`: connections at once from one source; at least 1.
    pub max_inbound_connection_per_source: Limit,
    /// `MaxProtocolErrors`: errors that a session may make.
    pub max_protocol_errors: Limit,
    /// `TarpitInterval`: the delay of an answer to an anonymous session that seems to harvest addresses; 0: none.
    pub tarpit_interval: Nanos,
}

impl ReceiveConnector {
    /// The defaults of a role.
    // ATQ: the message throttling page.
    #[must_use]
    pub fn of(role: Role) -> ReceiveConnector {
        let (inactivity, whole) = match role {
            Role::Hub => (5, 10),
            Role::Edge => (1, 5),
        };
        ReceiveConnector {
            connection_inactivity_timeout: minutes(inactivity),
            connection_timeout: minutes(whole),
            max_inbound_connection: Limit::At(5000),
            max_inbound_connection_percentage_per_source: 2,
            max_inbound_connection_per_source: Limit::At(100),
            max_protocol_errors: Limit::At(5),
            tarpit_interval: Nanos::from_secs(5),
        }
    }

    /// Connections that one source may have while `open` connections are open; `None`: no share limits it.
    /// ATQ: the message throttling page: so many percent of the *remaining* connections.
    // Guess: of an unlimited number there is no share.
    #[must_use]
    pub fn share_of_remaining(&self, open: u32, rounding: Rounding) -> Option<u32> {
        let Limit::At(most) = self.max_inbound_connection else { return None };
        let of_hundred =
            u64::from(most.saturating_sub(open)) * u64::from(self.max_inbound_connection_percentage_per_source);
        let share = match rounding {
            Rounding::Down => of_hundred / 100,
            Rounding::Up => of_hundred.div_ceil(100),
        };
        Some(u32::try_from(share).unwrap_or(u32::MAX))
    }
}

/// How the server watches its resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackPressure {
    /// Whether it does.
    pub enabled: bool,
    /// `ResourceMonitoringInterval`; above 0.
    pub resource_monitoring_interval: Nanos,
    /// Percent of the drive with the queue database; `None`: by the version's formula.
    pub queue_drive: Option<Marks>,
    /// Percent of the drive with the logs of the queue database; `None`: by the assumed formula. Without meaning where
    /// the machine has no such drive.
    pub log_drive: Option<Marks>,
    /// Version buckets.
    pub version_buckets: Marks,
    /// Percent of memory that `EdgeTransport.exe` has; `None`: 75, or less where that is more than 1 TB.
    pub private_bytes: Option<Marks>,
    /// Percent of memory that all processes have, from which on messages are dehydrated; in [1, 101], 101: never.
    pub dehydration_percent: u32,
}

impl Default for BackPressure {
    // ATQ: bb201658 (Exchange 2007): 2 s; 200, 120 and 80 buckets (event 15004, service pack 1); 94 %.
    // Guess: the buckets of the version without a service pack are not published; they are taken as the same.
    fn default() -> BackPressure {
        BackPressure {
            enabled: true,
            resource_monitoring_interval: Nanos::from_secs(2),
            queue_drive: None,
            log_drive: None,
            version_buckets: Marks { normal: 80, medium: 120, high: 200 },
            private_bytes: None,
            dehydration_percent: 94,
        }
    }
}

/// What the server runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Size of the drive with the queue database, in bytes; above 0.
    pub queue_drive_bytes: u64,
    /// Size of the drive with the logs of the queue database, in bytes; `None`: it is not watched.
    /// Its formula is published for a later version only, so a description has to ask for it.
    pub log_drive_bytes: Option<u64>,
    /// Memory in bytes; above 0.
    pub memory_bytes: u64,
}

/// Everything that the model needs to know before its first stimulus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportSpec {
    /// The role.
    pub role: Role,
    /// The version.
    pub version: Version,
    /// Options of the server.
    pub server: ServerOptions,
    /// Options of the Send connector.
    pub send: SendConnector,
    /// Options of the Receive connector.
    pub receive: ReceiveConnector,
    /// Back pressure.
    pub back_pressure: BackPressure,
    /// The machine.
    pub machine: Machine,
    /// What nothing published settles.
    pub assumptions: Assumptions,
}

impl TransportSpec {
    /// A server as it is after setup.
    #[must_use]
    pub fn after_setup(role: Role, version: Version, machine: Machine) -> TransportSpec {
        TransportSpec {
            role,
            version,
            server: ServerOptions::default(),
            send: SendConnector::default(),
            receive: ReceiveConnector::of(role),
            back_pressure: BackPressure::default(),
            machine,
            assumptions: Assumptions::default(),
        }
    }

    /// All mistakes; the model takes no description that has one.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        check::mistakes(self)
    }
}

/// What nothing published settles; each is a choice of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// How the minute of `MaxConnectionRatePerMinute` is measured.
    // Guess: not published.
    pub rate_window: RateWindow,
    /// Which connections count against the rate.
    // Guess: the page speaks of connections that are opened.
    pub rate_counts: RateCounts,
    /// What becomes of a connection that comes too soon.
    // Guess: the page says that the rate is limited, not how.
    pub over_rate: OverRate,
    /// How the two limits of one source combine.
    // Guess: not published; by default 2 % of 5,000 free connections is what the other limit is.
    pub per_source: PerSource,
    /// How a share of the remaining connections becomes a whole number.
    // Guess: not published. Rounded down, the last 49 of 5,000 connections could be had by nobody.
    pub share_rounding: Rounding,
    /// Which error closes a session.
    // Guess: the page says how many errors are allowed before the connection is closed.
    pub error_limit: ErrorLimit,
    /// A recipient that does not exist is a protocol error too.
    // Guess: not published.
    pub unknown_recipient_is_error: bool,
    /// Answers to protocol errors are tarpitted too.
    // Guess: the page names directory harvest attacks "or other unwelcome messages".
    pub tarpits_protocol_errors: bool,
    /// A message whose transfer or submission was begun before the level rose is still taken.
    // Guess: not published.
    pub begun_messages_finish: bool,
    /// The fraction of a message that a twelfth of the pickup rate has.
    // Guess: the page says "just over eight".
    pub pickup_fraction: Fraction,
    /// The first scan of the Pickup and Replay directories.
    // Guess: not published.
    pub first_scan: Nanos,
    /// From which level on Pickup and Replay stop.
    // Guess: that they do is published of High only (bb201658).
    pub pickup_stops_at: Level,
    /// What a value must do to count as over a mark.
    // Guess: not published.
    pub over: Over,
    /// When a resource is no longer at High.
    // Guess: that there are three marks is published, not which of them ends High.
    pub high_ends: HighEnds,
    /// What the logs of the queue database are to have free on their drive, in bytes.
    // Guess: Min(5 GB, 3 * DatabaseCheckPointDepthMax) is published of Exchange 2013 only, and the depth's default is
    // not at hand: with 384 MB it is this.
    pub log_drive_keeps_free: u64,
    /// Ids of the events of the version without service pack, by the level that was reached.
    // Guess: 15001 to 15003 are published, their texts are not at hand.
    pub rtm_events: RtmEvents,
    /// Bytes of the queue database that a message takes beside its own.
    // Guess: not published.
    pub database_bytes_per_message: u64,
    /// Where the bytes of messages that have left go.
    // Guess: not published.
    pub freed: Freed,
    /// Bytes of `EdgeTransport.exe` without connections and messages.
    // Guess: not published.
    pub base_private_bytes: u64,
    /// Bytes of `EdgeTransport.exe` that an inbound connection takes.
    // Guess: not published.
    pub private_bytes_per_connection: u64,
    /// Bytes of `EdgeTransport.exe` that a queued message takes unless it is dehydrated.
    // Guess: not published.
    pub private_bytes_per_message: u64,
    /// A message that could not be handed over is tried again after so long; above 0.
    // Guess: not among what was read.
    pub retry_after: Nanos,
    /// Connections and, by themselves, messages that the model holds at most; one more is refused. At least 1.
    // Guess: ours, so that nothing grows without bound.
    pub most_held: usize,
    /// Time between two values of the curves; 0: none are taken.
    // Guess: ours.
    pub sample_every: Nanos,
}

/// See [`Assumptions::rate_window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateWindow {
    /// In no 60 seconds are more opened: each counts for 60 to 61 seconds.
    Sliding,
    /// The count begins anew with each minute of the run.
    Minutes,
}

/// See [`Assumptions::rate_counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateCounts {
    /// Connections that are opened.
    Opened,
    /// Also those that the rate lets past and another limit refuses.
    LetPast,
}

/// See [`Assumptions::over_rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverRate {
    /// It is refused.
    Refused,
    /// It waits in line until the rate has room.
    Waits,
}

/// See [`Assumptions::per_source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerSource {
    /// The smaller of both holds.
    Both,
    /// Only `MaxInboundConnectionPerSource` does.
    CountOnly,
    /// Only `MaxInboundConnectionPercentagePerSource` does.
    PercentageOnly,
}

/// See [`Assumptions::share_rounding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the next whole number below.
    Down,
    /// To the next whole number above.
    Up,
}

/// See [`Assumptions::error_limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorLimit {
    /// So many are answered, the next one closes.
    NextCloses,
    /// The one that reaches the number closes.
    ReachedCloses,
}

/// See [`Assumptions::pickup_fraction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fraction {
    /// It is added to the next scan's: 100 a minute are 8, 8, 9, ..., together 100.
    Carried,
    /// It is lost: 100 a minute are 8 a scan, together 96.
    Lost,
    /// It counts as a whole one: 100 a minute are 9 a scan, together 108.
    Whole,
}

/// See [`Assumptions::over`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It is at the mark or above.
    AtOrAbove,
    /// It is above the mark.
    Above,
}

/// See [`Assumptions::high_ends`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HighEnds {
    /// Once it is no longer over Medium, as Medium ends below Normal.
    BelowMedium,
    /// Once it is no longer over High.
    BelowHigh,
}

/// See [`Assumptions::rtm_events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtmEvents {
    /// High was reached.
    pub high: u32,
    /// Medium was reached, from above or below.
    pub medium: u32,
    /// Normal was reached.
    pub normal: u32,
}

/// See [`Assumptions::freed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freed {
    /// The database shrinks.
    ToTheDrive,
    /// The database keeps its largest size and has room in itself.
    StaysInTheFile,
}

impl Default for Assumptions {
    fn default() -> Assumptions {
        const MIB: u64 = 1 << 20;
        Assumptions {
            rate_window: RateWindow::Sliding,
            rate_counts: RateCounts::Opened,
            over_rate: OverRate::Refused,
            per_source: PerSource::Both,
            share_rounding: Rounding::Up,
            error_limit: ErrorLimit::NextCloses,
            unknown_recipient_is_error: false,
            tarpits_protocol_errors: false,
            begun_messages_finish: true,
            pickup_fraction: Fraction::Carried,
            first_scan: Nanos::from_secs(5),
            pickup_stops_at: Level::High,
            over: Over::AtOrAbove,
            high_ends: HighEnds::BelowMedium,
            log_drive_keeps_free: 1152 * MIB,
            rtm_events: RtmEvents { high: 15001, medium: 15002, normal: 15003 },
            database_bytes_per_message: 4096,
            freed: Freed::ToTheDrive,
            base_private_bytes: 200 * MIB,
            private_bytes_per_connection: 64 << 10,
            private_bytes_per_message: 16 << 10,
            retry_after: minutes(10),
            most_held: 1_000_000,
            sample_every: Nanos::from_secs(60),
        }
    }
}

const fn minutes(n: u64) -> Nanos {
    Nanos::from_secs(60 * n)
}
