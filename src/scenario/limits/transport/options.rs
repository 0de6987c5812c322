//! The options of a transport server as the throttling page names them, its machine, and what nothing published settles.
//!
//! Ranges that the model knows are its own to check; here is what a type can hold. Called by `super::transport`.

use super::super::truth;
use super::{GB_MOST, GIB, gigabytes};
use crate::models::transport::spec::{
    Assumptions, BackPressure, ErrorLimit, Fraction, Freed, HighEnds, Limit, Machine, Over, OverRate, PerSource,
    RateCounts, RateWindow, ReceiveConnector, Role, Rounding, SendConnector, ServerOptions, TransportSpec, Version,
};
use crate::models::transport::{Level, Marks};
use crate::scenario::Basics;
use crate::scenario::tree::{Node, Value};
use crate::scenario::walk::Fields;
use crate::time::Nanos;

const COUNT: (u64, u64) = (0, u32::MAX as u64);
const BYTES: (u64, u64) = (0, 1 << 40);
const MIB: u64 = 1 << 20;

/// Settings as mistakes name them, with their paths in the section.
const PATHS: [(&str, &str); 23] = [
    ("MaxConcurrentMailboxDeliveries", "max_concurrent_mailbox_deliveries"),
    ("MaxConcurrentMailboxSubmissions", "max_concurrent_mailbox_submissions"),
    ("MaxConnectionRatePerMinute", "max_connection_rate_per_minute"),
    ("MaxOutboundConnections", "max_outbound_connections"),
    ("MaxPerDomainOutboundConnections", "max_per_domain_outbound_connections"),
    ("PickupDirectoryMaxMessagesPerMinute", "pickup_directory_max_messages_per_minute"),
    ("ConnectionInactivityTimeOut", "send.connection_inactivity_timeout"),
    ("ConnectionInactivityTimeout", "receive.connection_inactivity_timeout"),
    ("ConnectionTimeout", "receive.connection_timeout"),
    ("MaxInboundConnection", "receive.max_inbound_connection"),
    ("MaxInboundConnectionPercentagePerSource", "receive.max_inbound_connection_percentage_per_source"),
    ("MaxInboundConnectionPerSource", "receive.max_inbound_connection_per_source"),
    ("MaxProtocolErrors", "receive.max_protocol_errors"),
    ("TarpitInterval", "receive.tarpit_interval"),
    ("ResourceMonitoringInterval", "back_pressure.resource_monitoring_interval"),
    ("dehydration_percent", "back_pressure.dehydration_percent"),
    ("queue_drive_bytes", "machine.queue_drive_gb"),
    ("log_drive_bytes", "machine.log_drive_gb"),
    ("Queue database and disk space", "back_pressure.queue_drive"),
    ("Queue database logging disk space", "back_pressure.log_drive"),
    ("Version buckets", "back_pressure.version_buckets"),
    ("Private bytes", "back_pressure.private_bytes"),
    ("most_held", "max_held"),
];

/// The path of a setting in the section, by the name that the model has for it.
pub(super) fn path_of(setting: &'static str) -> &'static str {
    PATHS.iter().find(|(known, _)| *known == setting).map_or(setting, |(_, path)| path)
}

/// Its role, and the server; `None` where it has no machine.
pub(super) fn spec(fields: &mut Fields<'_, '_>, basics: &Basics) -> (Role, Option<TransportSpec>) {
    let role = match fields.choice("role", &["hub", "edge"]) {
        Some("edge") => Role::Edge,
        _ => Role::Hub,
    };
    let version = match fields.choice("version", &["2007", "2007-sp1"]) {
        Some("2007") => Version::Rtm,
        _ => Version::Sp1,
    };
    let server = server(fields);
    let mut send = SendConnector::default();
    if let Some(mut table) = fields.table("send") {
        time(&mut table, "connection_inactivity_timeout", &mut send.connection_inactivity_time_out);
        table.finish();
    }
    let mut receive = ReceiveConnector::of(role);
    if let Some(mut table) = fields.table("receive") {
        read_receive(&mut table, &mut receive);
        table.finish();
    }
    let mut back_pressure = BackPressure::default();
    if let Some(mut table) = fields.table("back_pressure") {
        read_back_pressure(&mut table, &mut back_pressure);
        table.finish();
    }
    let machine = machine(fields, basics);
    let assumptions = assumptions(fields, basics);
    let of = |machine| TransportSpec { role, version, server, send, receive, back_pressure, machine, assumptions };
    (role, machine.map(of))
}

fn server(fields: &mut Fields<'_, '_>) -> ServerOptions {
    let mut own = ServerOptions::default();
    count(fields, "max_concurrent_mailbox_deliveries", &mut own.max_concurrent_mailbox_deliveries);
    count(fields, "max_concurrent_mailbox_submissions", &mut own.max_concurrent_mailbox_submissions);
    count(fields, "max_connection_rate_per_minute", &mut own.max_connection_rate_per_minute);
    limit(fields, "max_outbound_connections", &mut own.max_outbound_connections);
    limit(fields, "max_per_domain_outbound_connections", &mut own.max_per_domain_outbound_connections);
    count(fields, "pickup_directory_max_messages_per_minute", &mut own.pickup_directory_max_messages_per_minute);
    own
}

fn read_receive(table: &mut Fields<'_, '_>, own: &mut ReceiveConnector) {
    time(table, "connection_inactivity_timeout", &mut own.connection_inactivity_timeout);
    time(table, "connection_timeout", &mut own.connection_timeout);
    limit(table, "max_inbound_connection", &mut own.max_inbound_connection);
    let percentage = &mut own.max_inbound_connection_percentage_per_source;
    count(table, "max_inbound_connection_percentage_per_source", percentage);
    limit(table, "max_inbound_connection_per_source", &mut own.max_inbound_connection_per_source);
    limit(table, "max_protocol_errors", &mut own.max_protocol_errors);
    time(table, "tarpit_interval", &mut own.tarpit_interval);
}

fn read_back_pressure(table: &mut Fields<'_, '_>, own: &mut BackPressure) {
    own.enabled = truth(table, "enabled", own.enabled);
    time(table, "resource_monitoring_interval", &mut own.resource_monitoring_interval);
    own.queue_drive = marks(table, "queue_drive");
    own.log_drive = marks(table, "log_drive");
    own.version_buckets = marks(table, "version_buckets").unwrap_or(own.version_buckets);
    own.private_bytes = marks(table, "private_bytes");
    count(table, "dehydration_percent", &mut own.dehydration_percent);
}

/// `{ normal, medium, high }`.
fn marks(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Marks> {
    let mut table = fields.table(key)?;
    let mut one = |key| table.need_whole(key, COUNT, "write { normal = 90, medium = 92, high = 94 }");
    let (normal, medium, high) = (one("normal"), one("medium"), one("high"));
    table.finish();
    Some(Marks { normal: normal? as u32, medium: medium? as u32, high: high? as u32 })
}

fn machine(fields: &mut Fields<'_, '_>, basics: &Basics) -> Option<Machine> {
    let walk = fields.walk;
    let remedy = "give [transport.machine] with queue_drive_gb, the size of the drive with the queue database, like 40";
    let name = fields.path("machine");
    let mut table = fields.need("machine", remedy).and_then(|node| walk.table(node, &name))?;
    let size = table.need_number("queue_drive_gb", (0.0, GB_MOST), "give the size of the drive in GB, like 40");
    let log_drive_bytes = gigabytes(&mut table, "log_drive_gb");
    table.finish();
    let queue_drive_bytes = (size? * GIB).round() as u64;
    Some(Machine { queue_drive_bytes, log_drive_bytes, memory_bytes: basics.memory_mb.saturating_mul(MIB) })
}

fn assumptions(fields: &mut Fields<'_, '_>, basics: &Basics) -> Assumptions {
    let mut own = Assumptions { sample_every: Nanos((basics.duration.0 / 240).max(1)), ..Assumptions::default() };
    word(fields, "rate_window", &mut own.rate_window, &RATE_WINDOWS);
    word(fields, "rate_counts", &mut own.rate_counts, &RATE_COUNTS);
    word(fields, "over_rate", &mut own.over_rate, &OVER_RATES);
    word(fields, "per_source", &mut own.per_source, &PER_SOURCES);
    word(fields, "share_rounding", &mut own.share_rounding, &ROUNDINGS);
    word(fields, "error_limit", &mut own.error_limit, &ERROR_LIMITS);
    own.unknown_recipient_is_error = truth(fields, "unknown_recipient_is_error", own.unknown_recipient_is_error);
    own.tarpits_protocol_errors = truth(fields, "tarpits_protocol_errors", own.tarpits_protocol_errors);
    own.begun_messages_finish = truth(fields, "begun_messages_finish", own.begun_messages_finish);
    word(fields, "pickup_fraction", &mut own.pickup_fraction, &FRACTIONS);
    time(fields, "first_scan", &mut own.first_scan);
    word(fields, "pickup_stops_at", &mut own.pickup_stops_at, &LEVELS);
    word(fields, "over", &mut own.over, &OVERS);
    word(fields, "high_ends", &mut own.high_ends, &HIGH_ENDS);
    if let Some(mut table) = fields.table("rtm_events") {
        count(&mut table, "high", &mut own.rtm_events.high);
        count(&mut table, "medium", &mut own.rtm_events.medium);
        count(&mut table, "normal", &mut own.rtm_events.normal);
        table.finish();
    }
    let free = fields.whole("log_drive_keeps_free_mb", BYTES, own.log_drive_keeps_free / MIB);
    own.log_drive_keeps_free = free.saturating_mul(MIB);
    let bytes = own.database_bytes_per_message;
    own.database_bytes_per_message = fields.whole("database_bytes_per_message", BYTES, bytes);
    word(fields, "freed", &mut own.freed, &FREED);
    let base = fields.whole("base_private_mb", BYTES, own.base_private_bytes / MIB);
    own.base_private_bytes = base.saturating_mul(MIB);
    let bytes = own.private_bytes_per_connection;
    own.private_bytes_per_connection = fields.whole("private_bytes_per_connection", BYTES, bytes);
    let bytes = own.private_bytes_per_message;
    own.private_bytes_per_message = fields.whole("private_bytes_per_message", BYTES, bytes);
    time(fields, "retry_after", &mut own.retry_after);
    own.most_held = fields.whole("max_held", (0, 10_000_000), own.most_held as u64) as usize;
    own
}

const RATE_WINDOWS: [(&str, RateWindow); 2] = [("sliding", RateWindow::Sliding), ("minutes", RateWindow::Minutes)];
const RATE_COUNTS: [(&str, RateCounts); 2] = [("opened", RateCounts::Opened), ("let-past", RateCounts::LetPast)];
const OVER_RATES: [(&str, OverRate); 2] = [("refused", OverRate::Refused), ("waits", OverRate::Waits)];
const PER_SOURCES: [(&str, PerSource); 3] =
    [("both", PerSource::Both), ("count-only", PerSource::CountOnly), ("percentage-only", PerSource::PercentageOnly)];
const ROUNDINGS: [(&str, Rounding); 2] = [("up", Rounding::Up), ("down", Rounding::Down)];
const ERROR_LIMITS: [(&str, ErrorLimit); 2] =
    [("next-closes", ErrorLimit::NextCloses), ("reached-closes", ErrorLimit::ReachedCloses)];
const FRACTIONS: [(&str, Fraction); 3] =
    [("carried", Fraction::Carried), ("lost", Fraction::Lost), ("whole", Fraction::Whole)];
const LEVELS: [(&str, Level); 2] = [("high", Level::High), ("medium", Level::Medium)];
const OVERS: [(&str, Over); 2] = [("at-or-above", Over::AtOrAbove), ("above", Over::Above)];
const HIGH_ENDS: [(&str, HighEnds); 2] = [("below-medium", HighEnds::BelowMedium), ("below-high", HighEnds::BelowHigh)];
const FREED: [(&str, Freed); 2] = [("to-the-drive", Freed::ToTheDrive), ("stays-in-the-file", Freed::StaysInTheFile)];

/// One of these words, or what was there.
fn word<T: Copy>(fields: &mut Fields<'_, '_>, key: &'static str, value: &mut T, words: &[(&'static str, T)]) {
    let known: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
    let found = fields.choice(key, &known);
    if let Some((_, meant)) = words.iter().find(|(word, _)| Some(*word) == found) {
        *value = *meant;
    }
}

fn time(fields: &mut Fields<'_, '_>, key: &'static str, value: &mut Nanos) {
    if let Some(found) = fields.time(key, Nanos::ZERO, "write a time like \"5m\"") {
        *value = found;
    }
}

fn count(fields: &mut Fields<'_, '_>, key: &'static str, value: &mut u32) {
    *value = fields.whole(key, COUNT, u64::from(*value)) as u32;
}

/// A whole number, or the word `unlimited`.
fn limit(fields: &mut Fields<'_, '_>, key: &'static str, value: &mut Limit) {
    let is_unlimited = |node: &Node| matches!(&node.value, Value::Text(text) if text.trim() == "unlimited");
    if fields.peek(key).is_some_and(is_unlimited) {
        fields.take(key);
        *value = Limit::Unlimited;
        return;
    }
    let name = fields.path(key);
    let walk = fields.walk;
    let remedy = "write a number, or \"unlimited\"";
    if let Some(found) = fields.take(key).and_then(|node| walk.whole(node, &name, COUNT, remedy)) {
        *value = Limit::At(found as u32);
    }
}
