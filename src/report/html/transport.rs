//! A transport server for the page: its curves as `page.js` reads them, and what became of each group's messages and
//! connections as bars.
//!
//! Moments are seconds, rates are a minute. Not the tables, which are those of the text. Called by `data` and `html`.

use minijinja::context;
use minijinja::value::Value;
use serde::Serialize;

use super::super::text::limits::transport::found;
use super::super::{Report, VariantReport};
use super::data::short;
use crate::metrics::limits::TransportFigures;
use crate::models::transport::spec::{Limit, Role};
use crate::models::transport::{Level, Load, Resource, What};
use crate::plan::limits::TransportPlan;
use crate::time::Nanos;

/// A bound that is more than so many times above everything that there was is not drawn.
const FAR_ABOVE: f64 = 2.0;

/// The server over time. A rate is that of the time from its moment to the next.
#[derive(Serialize)]
pub(super) struct OfTransport {
    at: Vec<f64>,
    connections: Vec<u32>,
    in_line: Vec<u32>,
    connections_refused: Vec<Option<f64>>,
    messages_refused: Vec<Option<f64>>,
    to_mailboxes: Vec<u32>,
    submitting: Vec<u32>,
    outbound: Vec<u32>,
    queued: Vec<u64>,
    outside: Vec<u64>,
    drive: Vec<u32>,
    /// Names and values of lines to draw: of connections, of threads, of the drive.
    connection_bounds: Vec<(&'static str, u32)>,
    thread_bounds: Vec<(&'static str, u32)>,
    drive_marks: Vec<(&'static str, u32)>,
    /// From when to when the server was at Medium (1) or High (2).
    pressure: Vec<(f64, f64, u8)>,
    /// Later ones are not known.
    pressure_more: bool,
}

pub(super) fn of_transport(variant: &VariantReport) -> Option<OfTransport> {
    let (plan, found) = found(variant)?;
    let values = found.summary.samples.values();
    let of = |one: fn(&Load) -> u32| values.iter().map(|(_, load)| one(load)).collect::<Vec<u32>>();
    let (connections, to_mailboxes, submitting) =
        (of(|load| load.connections), of(|load| load.to_mailboxes), of(|load| load.submitting));
    let outbound = of(|load| load.outbound);
    let (spec, server) = (&plan.spec, &plan.spec.server);
    let limited = |name, limit| match limit {
        Limit::At(most) => Some((name, most)),
        Limit::Unlimited => None,
    };
    let (deliveries, submissions) =
        (server.max_concurrent_mailbox_deliveries, server.max_concurrent_mailbox_submissions);
    let of_mailboxes = match spec.role {
        Role::Edge => Vec::new(),
        Role::Hub if deliveries == submissions => vec![("deliveries and submissions, each at most", deliveries)],
        Role::Hub => vec![("deliveries to mailboxes at most", deliveries), ("submissions at most", submissions)],
    };
    let thread_bounds =
        of_mailboxes.into_iter().chain(limited("outbound connections at most", server.max_outbound_connections));
    let marks = spec.back_pressure.enabled.then(|| spec.marks(Resource::QueueDrive)).flatten();
    Some(OfTransport {
        at: values.iter().map(|(at, _)| short(at.as_secs_f64())).collect(),
        in_line: of(|load| load.in_line),
        connections_refused: per_minute(values, |load| load.connections_refused),
        messages_refused: per_minute(values, |load| load.messages_refused),
        queued: values.iter().map(|(_, load)| load.queued).collect(),
        outside: values.iter().map(|(_, load)| load.outside).collect(),
        drive: of(|load| load.queue_drive_percent),
        connection_bounds: near(limited("MaxInboundConnection", spec.receive.max_inbound_connection), &[&connections]),
        thread_bounds: near(thread_bounds, &[&to_mailboxes, &submitting, &outbound]),
        drive_marks: marks.map(|marks| vec![("Medium", marks.medium), ("High", marks.high)]).unwrap_or_default(),
        pressure: pressure(found),
        pressure_more: found.summary.events_dropped > 0,
        connections,
        to_mailboxes,
        submitting,
        outbound,
    })
}

/// How fast something that is counted grew from each moment to the next; nothing at the last.
fn per_minute(values: &[(Nanos, Load)], of: fn(&Load) -> u64) -> Vec<Option<f64>> {
    let rate = |pair: &[(Nanos, Load)]| {
        let (from, to) = (&pair[0], &pair[1]);
        let minutes = to.0.since(from.0).as_secs_f64() / 60.0;
        Some(short((of(&to.1) - of(&from.1)) as f64 / minutes))
    };
    let last = if values.is_empty() { None } else { Some(None) };
    values.windows(2).map(rate).chain(last).collect()
}

/// Those bounds that are not far above everything that there was.
fn near(bounds: impl IntoIterator<Item = (&'static str, u32)>, values: &[&[u32]]) -> Vec<(&'static str, u32)> {
    let most = values.iter().flat_map(|values| values.iter()).max().copied().unwrap_or(0);
    let is_near = |bound: &(&str, u32)| f64::from(bound.1) <= FAR_ABOVE * f64::from(most);
    bounds.into_iter().filter(is_near).collect()
}

/// When the server was under back pressure, as far as the entries that are kept tell.
fn pressure(found: &TransportFigures) -> Vec<(f64, f64, u8)> {
    let summary = &found.summary;
    let changes = summary.events.iter().filter_map(|entry| match entry.what {
        What::Pressure { to, .. } => Some((entry.at, to)),
        What::FirstHeld { .. } | What::Dehydrates(_) => None,
    });
    let changes: Vec<(Nanos, Level)> = changes.collect();
    let last = summary.events.last().map_or(Nanos::ZERO, |entry| entry.at);
    let known_until = if summary.events_dropped > 0 { last } else { summary.end };
    let untils = changes.iter().skip(1).map(|(at, _)| *at).chain([known_until]);
    let spans = changes.iter().zip(untils).filter(|((_, level), _)| *level > Level::Normal);
    spans.map(|((from, level), until)| (from.as_secs_f64(), until.as_secs_f64(), *level as u8)).collect()
}

/// A part of a bar: what it is called, which colour it has, how many.
type Part = (&'static str, &'static str, u64);

/// What became of the messages that each group wanted to send, and of its connections, in every variant.
pub(super) fn bars(report: &Report) -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for (plan, _) in report.variants.iter().filter_map(found) {
        plan.groups.iter().for_each(|group| {
            if !names.contains(&group.name.as_str()) {
                names.push(&group.name);
            }
        });
    }
    let of = |kind: &'static str, parts: fn(&TransportFigures, usize) -> Vec<Part>| {
        let bars = names.iter().map(|name| {
            let all = report.variants.iter().enumerate();
            let variants = all.filter_map(|(index, variant)| bar(index, variant, name, parts)).collect::<Vec<Value>>();
            context! { group => *name, variants }
        });
        let keys: Vec<Value> = keys(report, parts);
        context! { kind, bars => bars.collect::<Vec<Value>>(), keys }
    };
    vec![of("messages", messages), of("connections", connections)]
}

fn bar(
    index: usize,
    variant: &VariantReport,
    name: &str,
    parts: fn(&TransportFigures, usize) -> Vec<Part>,
) -> Option<Value> {
    let (plan, found) = found(variant)?;
    let at = group(plan, name)?;
    let parts: Vec<Value> = parts(found, at)
        .into_iter()
        .filter(|(.., count)| *count > 0)
        .map(|(name, class, count)| context! { name, class, count })
        .collect();
    (!parts.is_empty())
        .then(|| context! { variant => variant.plan.variant.as_str(), index, honest => plan.groups[at].honest, parts })
}

/// What the colours mean, of the parts that there are.
fn keys(report: &Report, parts: fn(&TransportFigures, usize) -> Vec<Part>) -> Vec<Value> {
    let found = report.variants.iter().filter_map(found);
    let all = found.flat_map(|(plan, found)| (0..plan.groups.len()).flat_map(move |at| parts(found, at)));
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for (name, class, _) in all.filter(|(.., count)| *count > 0) {
        if !keys.contains(&(name, class)) {
            keys.push((name, class));
        }
    }
    keys.into_iter().map(|(name, class)| context! { name, class }).collect()
}

fn group(plan: &TransportPlan, name: &str) -> Option<usize> {
    plan.groups.iter().position(|group| group.name == name)
}

fn messages(found: &TransportFigures, at: usize) -> Vec<Part> {
    let own = found.senders[at].messages;
    vec![
        ("handed over", "served", own.handed_over),
        ("given up", "gave-up", own.given_up),
        ("no recipient exists", "unreachable", own.for_nobody),
        ("still with their senders", "unfinished", own.trying),
    ]
}

fn connections(found: &TransportFigures, at: usize) -> Vec<Part> {
    let own = found.of_group(at).connections;
    vec![
        ("ended by their senders", "served", own.quit),
        ("closed by the server", "cut", own.closed),
        ("refused", "refused", own.refused),
        ("gave up waiting", "gave-up", own.gave_up),
        ("open or waiting at the end", "unfinished", own.open + own.waiting),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_far_above_everything_would_flatten_the_chart() {
        let bounds = [("twice", 20), ("more", 21)];
        assert_eq!(near(bounds, &[&[3, 10], &[0]]), [("twice", 20)]);
        assert_eq!(near(bounds, &[&[]]), []);
    }

    #[test]
    fn a_rate_is_from_its_moment_to_the_next() {
        let at = |s: u64, refused: u64| (Nanos::from_secs(s), Load { connections_refused: refused, ..Load::default() });
        let values = [at(0, 0), at(30, 5), at(90, 5)];
        assert_eq!(per_minute(&values, |load| load.connections_refused), [Some(10.0), Some(0.0), None]);
        assert_eq!(per_minute(&values[..1], |load| load.connections_refused), [None]);
        assert_eq!(per_minute(&[], |load| load.connections_refused), []);
    }
}
