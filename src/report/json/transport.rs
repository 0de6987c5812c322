//! What became of a transport server, as programs see it: the shape and what fills it.
//!
//! Not the figures, which are `metrics::limits`'. Called by `fill`; documented in `docs/json.md`, like every other field.

use serde::Serialize;

use super::super::VariantReport;
use super::super::text::limits::transport;
use super::cluster::{OverRuns, over_runs};
use super::fill::{latency, seconds};
use super::wire::{Finite, Latency, Map};
use crate::metrics::limits::TransportFigures;
use crate::models::transport::spec::{Limit, TransportSpec};
use crate::models::transport::{Held, Level, Resource, Throttle};
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::Group;

/// `transport` of a variant.
#[derive(Debug, Serialize)]
pub(super) struct Transport {
    role: &'static str,
    version: &'static str,
    options: Options,
    back_pressure: Pressure,
    honest: Through,
    others: Through,
    groups: Map<Sender>,
    limits: Map<Limited>,
    most: Most,
    events: Vec<Event>,
    events_dropped: u64,
    curves: Curves,
    replications: Option<Map<OverRuns>>,
}

/// Options in Microsoft's units; `None`: unlimited.
#[derive(Debug, Serialize)]
struct Options {
    max_concurrent_mailbox_deliveries: u32,
    max_concurrent_mailbox_submissions: u32,
    max_connection_rate_per_minute: u32,
    max_outbound_connections: Option<u32>,
    max_per_domain_outbound_connections: Option<u32>,
    pickup_directory_max_messages_per_minute: u32,
    send_connection_inactivity_timeout_s: Finite,
    receive_connection_inactivity_timeout_s: Finite,
    connection_timeout_s: Finite,
    max_inbound_connection: Option<u32>,
    max_inbound_connection_percentage_per_source: u32,
    max_inbound_connection_per_source: Option<u32>,
    max_protocol_errors: Option<u32>,
    tarpit_interval_s: Finite,
}

#[derive(Debug, Serialize)]
struct Pressure {
    enabled: bool,
    every_s: Finite,
    queue_drive_bytes: u64,
    log_drive_bytes: Option<u64>,
    memory_bytes: u64,
    marks: Map<Marks>,
    normal_s: Finite,
    medium_s: Finite,
    high_s: Finite,
    times_normal: u64,
    times_medium: u64,
    times_high: u64,
    dehydrated_s: Finite,
    queue_drive_percent_max: u32,
}

#[derive(Debug, Serialize)]
struct Marks {
    normal: u32,
    medium: u32,
    high: u32,
}

#[derive(Debug, Serialize)]
struct Through {
    wanted: u64,
    handed_over: u64,
    for_nobody: u64,
    given_up: u64,
    trying: u64,
    through_percent: Finite,
    connections_refused: u64,
    messages_refused: u64,
    connections_closed: u64,
}

#[derive(Debug, Serialize)]
struct Sender {
    honest: bool,
    entrance: &'static str,
    wanted: u64,
    handed_over: u64,
    for_nobody: u64,
    given_up: u64,
    trying: u64,
    through_percent: Finite,
    retries: u64,
    recipients_asked: u64,
    recipients_found: u64,
    to_queue_us: Latency,
    to_delivery_us: Latency,
    connections: Connections,
    messages: Messages,
    held: Map<Limited>,
}

#[derive(Debug, Serialize)]
struct Connections {
    came: u64,
    refused: u64,
    gave_up: u64,
    quit: u64,
    closed: u64,
    waiting: u64,
    open: u64,
}

#[derive(Debug, Serialize)]
struct Messages {
    came: u64,
    refused: u64,
    dropped: u64,
    delivered: u64,
    bounced: u64,
    coming: u64,
    waiting: u64,
    queued: u64,
    delivering: u64,
}

#[derive(Debug, Serialize)]
struct Limited {
    connections_refused: u64,
    connections_closed: u64,
    messages_refused: u64,
    deliveries_cut: u64,
    delayed: u64,
    delay_s: Finite,
}

#[derive(Debug, Serialize)]
struct Most {
    connections: u32,
    of_one_source: u32,
    in_line: u32,
    submitting: u32,
    to_mailboxes: u32,
    outbound: u32,
    to_one_domain: u32,
    queued: u64,
}

#[derive(Debug, Serialize)]
struct Event {
    at_s: Finite,
    kind: &'static str,
    source: &'static str,
    id: Option<u32>,
    text: String,
}

#[derive(Debug, Serialize)]
struct Curves {
    at_s: Vec<Finite>,
    level: Vec<&'static str>,
    connections: Vec<u32>,
    in_line: Vec<u32>,
    submitting: Vec<u32>,
    outside: Vec<u64>,
    queued: Vec<u64>,
    to_mailboxes: Vec<u32>,
    outbound: Vec<u32>,
    queue_drive_percent: Vec<u32>,
    delivered: Vec<u64>,
    connections_refused: Vec<u64>,
    messages_refused: Vec<u64>,
}

/// What became of the transport server, where the variant has one.
pub(super) fn transport(variant: &VariantReport) -> Option<Transport> {
    let (plan, found) = transport::found(variant)?;
    let summary = &found.summary;
    let group = |(at, group): (usize, &Group)| (group.name.clone(), sender(group, found, at));
    let most = &summary.most;
    let events = summary.events.iter().map(|entry| Event {
        at_s: seconds(entry.at),
        kind: entry.kind().name(),
        source: entry.source(),
        id: entry.id,
        text: plan.event_text(entry),
    });
    Some(Transport {
        role: plan.spec.role.name(),
        version: plan.spec.version.name(),
        options: options(&plan.spec),
        back_pressure: pressure(plan, found),
        honest: through(found, true),
        others: through(found, false),
        groups: Map(plan.groups.iter().enumerate().map(group).collect()),
        limits: held(|by| summary.held(by)),
        most: Most {
            connections: most.connections,
            of_one_source: most.of_one_source,
            in_line: most.in_line,
            submitting: most.submitting,
            to_mailboxes: most.to_mailboxes,
            outbound: most.outbound,
            to_one_domain: most.to_one_domain,
            queued: most.queued,
        },
        events: events.collect(),
        events_dropped: summary.events_dropped,
        curves: curves(found),
        replications: over_runs(&variant.limits_over_runs, "transport."),
    })
}

fn most_of(limit: Limit) -> Option<u32> {
    match limit {
        Limit::Unlimited => None,
        Limit::At(most) => Some(most),
    }
}

fn options(spec: &TransportSpec) -> Options {
    let (server, receive) = (&spec.server, &spec.receive);
    Options {
        max_concurrent_mailbox_deliveries: server.max_concurrent_mailbox_deliveries,
        max_concurrent_mailbox_submissions: server.max_concurrent_mailbox_submissions,
        max_connection_rate_per_minute: server.max_connection_rate_per_minute,
        max_outbound_connections: most_of(server.max_outbound_connections),
        max_per_domain_outbound_connections: most_of(server.max_per_domain_outbound_connections),
        pickup_directory_max_messages_per_minute: server.pickup_directory_max_messages_per_minute,
        send_connection_inactivity_timeout_s: seconds(spec.send.connection_inactivity_time_out),
        receive_connection_inactivity_timeout_s: seconds(receive.connection_inactivity_timeout),
        connection_timeout_s: seconds(receive.connection_timeout),
        max_inbound_connection: most_of(receive.max_inbound_connection),
        max_inbound_connection_percentage_per_source: receive.max_inbound_connection_percentage_per_source,
        max_inbound_connection_per_source: most_of(receive.max_inbound_connection_per_source),
        max_protocol_errors: most_of(receive.max_protocol_errors),
        tarpit_interval_s: seconds(receive.tarpit_interval),
    }
}

fn pressure(plan: &TransportPlan, found: &TransportFigures) -> Pressure {
    let (spec, summary) = (&plan.spec, &found.summary);
    let name = |resource: Resource| match resource {
        Resource::QueueDrive => "queue_drive_percent",
        Resource::LogDrive => "log_drive_percent",
        Resource::VersionBuckets => "version_buckets",
        Resource::PrivateBytes => "private_bytes_percent",
    };
    let marks = Resource::ALL.into_iter().filter_map(|resource| {
        let marks = spec.marks(resource)?;
        Some((name(resource).to_string(), Marks { normal: marks.normal, medium: marks.medium, high: marks.high }))
    });
    let [times_normal, times_medium, times_high] = summary.times_reached;
    Pressure {
        enabled: spec.back_pressure.enabled,
        every_s: seconds(spec.back_pressure.resource_monitoring_interval),
        queue_drive_bytes: spec.machine.queue_drive_bytes,
        log_drive_bytes: spec.machine.log_drive_bytes,
        memory_bytes: spec.machine.memory_bytes,
        marks: Map(marks.collect()),
        normal_s: seconds(found.time_at(Level::Normal)),
        medium_s: seconds(found.time_at(Level::Medium)),
        high_s: seconds(found.time_at(Level::High)),
        times_normal,
        times_medium,
        times_high,
        dehydrated_s: seconds(summary.dehydrated),
        queue_drive_percent_max: summary.most.queue_drive_percent,
    }
}

fn through(found: &TransportFigures, honest: bool) -> Through {
    let (all, [connections_refused, messages_refused, connections_closed]) = (found.wanted(honest), found.held(honest));
    Through {
        wanted: all.wanted,
        handed_over: all.handed_over,
        for_nobody: all.for_nobody,
        given_up: all.given_up,
        trying: all.trying,
        through_percent: Finite(all.through_percent()),
        connections_refused,
        messages_refused,
        connections_closed,
    }
}

fn sender(group: &Group, found: &TransportFigures, at: usize) -> Sender {
    let (own, server) = (&found.senders[at], found.of_group(at));
    let (connections, messages) = (server.connections, server.messages);
    Sender {
        honest: group.honest,
        entrance: group.entrance.name(),
        wanted: own.messages.wanted,
        handed_over: own.messages.handed_over,
        for_nobody: own.messages.for_nobody,
        given_up: own.messages.given_up,
        trying: own.messages.trying,
        through_percent: Finite(own.messages.through_percent()),
        retries: own.retries,
        recipients_asked: own.recipients_asked,
        recipients_found: own.recipients_found,
        to_queue_us: latency(&own.to_queue.summary()),
        to_delivery_us: latency(&own.to_delivery.summary()),
        connections: Connections {
            came: connections.came,
            refused: connections.refused,
            gave_up: connections.gave_up,
            quit: connections.quit,
            closed: connections.closed,
            waiting: connections.waiting,
            open: connections.open,
        },
        messages: Messages {
            came: messages.came,
            refused: messages.refused,
            dropped: messages.dropped,
            delivered: messages.delivered,
            bounced: messages.bounced,
            coming: messages.coming,
            waiting: messages.waiting,
            queued: messages.queued,
            delivering: messages.delivering,
        },
        held: held(|by| *server.held(by)),
    }
}

/// What each limit did, but for those that did nothing.
fn held(of: impl Fn(Throttle) -> Held) -> Map<Limited> {
    let all = Throttle::ALL.into_iter().map(|by| (by, of(by))).filter(|(_, held)| *held != Held::default());
    let told = all.map(|(by, held)| {
        let limited = Limited {
            connections_refused: held.connections_refused,
            connections_closed: held.connections_closed,
            messages_refused: held.messages_refused,
            deliveries_cut: held.deliveries_cut,
            delayed: held.delayed,
            delay_s: seconds(held.delay),
        };
        (by.name().to_string(), limited)
    });
    Map(told.collect())
}

fn curves(found: &TransportFigures) -> Curves {
    let values = found.summary.samples.values();
    let small = |of: fn(&crate::models::transport::Load) -> u32| values.iter().map(|(_, now)| of(now)).collect();
    let large = |of: fn(&crate::models::transport::Load) -> u64| values.iter().map(|(_, now)| of(now)).collect();
    Curves {
        at_s: values.iter().map(|(at, _)| seconds(*at)).collect(),
        level: values.iter().map(|(_, now)| now.level.name()).collect(),
        connections: small(|now| now.connections),
        in_line: small(|now| now.in_line),
        submitting: small(|now| now.submitting),
        outside: large(|now| now.outside),
        queued: large(|now| now.queued),
        to_mailboxes: small(|now| now.to_mailboxes),
        outbound: small(|now| now.outbound),
        queue_drive_percent: small(|now| now.queue_drive_percent),
        delivered: large(|now| now.delivered),
        connections_refused: large(|now| now.connections_refused),
        messages_refused: large(|now| now.messages_refused),
    }
}
