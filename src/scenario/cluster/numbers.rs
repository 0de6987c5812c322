//! The numbers of `[cluster]`, which every group and every resource may have of its own.
//!
//! Not their defaults (`plan::cluster::policies`). Called by `super::cluster` for those of all, and by `groups.rs` for those
//! of one.

use super::super::service_time::service;
use super::super::tree::{Node, Value};
use super::super::walk::{Fields, parse_time};
use crate::models::cluster::spec::Failback;
use crate::plan::cluster::policies::{Policies, RESTART_ACTIONS, WatchKind};
use crate::time::Nanos;

/// The least period, interval and time-out: the properties are in milliseconds.
const PERIOD_LEAST: Nanos = Nanos::from_millis(1);
/// Most restarts and failovers that may be tolerated: each within the period is remembered.
const THRESHOLD: (u64, u64) = (0, 10_000);
/// The longest `FailoverPeriod`.
// ATQ: 1193 hours (MSCS, FailoverPeriod).
const FAILOVER_PERIOD_MOST: Nanos = Nanos::from_secs(1_193 * 3_600);
const WATCHES: [(&str, WatchKind); 2] = [("exchange", WatchKind::Exchange), ("generic", WatchKind::Generic)];

/// What belongs to a resource, over what `numbers` has; with `watched`, also how it is watched.
pub(super) fn of_resource(fields: &mut Fields<'_, '_>, numbers: &mut Policies, watched: bool) {
    if watched {
        watch(fields, numbers);
        let name = fields.path("probe");
        if let Some(mut probe) = fields.take("probe").and_then(|node| fields.walk.table(node, &name)) {
            // Guess: as with the commands of its protocol, what a probe waits for is the store.
            numbers.probe = service(&mut probe, "store");
            probe.finish();
        }
    }
    period(fields, "pending_timeout", &mut numbers.pending_timeout);
    threshold(fields, "restart_threshold", &mut numbers.restart_threshold);
    period(fields, "restart_period", &mut numbers.restart_period);
    let found = fields.choice("restart_action", &RESTART_ACTIONS.map(|(name, _)| name));
    if let Some((_, action)) = RESTART_ACTIONS.iter().find(|(name, _)| Some(*name) == found) {
        numbers.restart_action = *action;
    }
    let name = fields.path("retry_after");
    if let Some(node) = fields.take("retry_after") {
        let remedy = "write \"never\", or how long a failed resource stays failed before it is tried once more";
        match &node.value {
            Value::Text(text) if text.trim() == "never" => numbers.retry_after = None,
            Value::Text(text) if parse_time(text).is_some() => {
                numbers.retry_after = fields.walk.time(node, &name, PERIOD_LEAST, remedy);
            }
            _ => fields.walk.wrong(node, &name, "a time like `30m`, or `never`,", remedy),
        }
    }
    time(fields, "online_takes", Nanos::ZERO, &mut numbers.online_takes);
    time(fields, "offline_takes", Nanos::ZERO, &mut numbers.offline_takes);
    let said = fields.peek("online_takes").or(fields.peek("pending_timeout"));
    if let Some(node) = said.filter(|_| numbers.online_takes > numbers.pending_timeout) {
        let message =
            format!("what is in {} never comes online: that takes longer than pending_timeout", fields.name());
        fields.walk.warning(&node.origin, message, "lower online_takes, or raise pending_timeout");
    }
}

/// How a resource is watched, and the times of that way only.
fn watch(fields: &mut Fields<'_, '_>, numbers: &mut Policies) {
    let found = fields.choice("watch", &WATCHES.map(|(name, _)| name));
    if let Some((_, kind)) = WATCHES.iter().find(|(name, _)| Some(*name) == found) {
        numbers.watch = *kind;
    }
    let times = [
        ("probe_every", WatchKind::Exchange, &mut numbers.probe_every),
        ("is_alive_timeout", WatchKind::Exchange, &mut numbers.is_alive_timeout),
        ("looks_alive_every", WatchKind::Generic, &mut numbers.looks_alive_every),
        ("is_alive_every", WatchKind::Generic, &mut numbers.is_alive_every),
        ("answer_within", WatchKind::Generic, &mut numbers.answer_within),
    ];
    let own = WATCHES.iter().find(|(_, kind)| *kind == numbers.watch).map_or("", |(name, _)| name);
    for (key, kind, value) in times {
        if let Some(node) = fields.peek(key).filter(|_| kind != numbers.watch) {
            let message = format!("{} does not go with watch = \"{own}\"", fields.path(key));
            fields.walk.error(&node.origin, message, "remove it, or choose the other way of watching");
        }
        period(fields, key, value);
    }
}

/// What belongs to a group, over what `numbers` has.
pub(super) fn of_group(fields: &mut Fields<'_, '_>, numbers: &mut Policies) {
    threshold(fields, "failover_threshold", &mut numbers.failover_threshold);
    period(fields, "failover_period", &mut numbers.failover_period);
    if numbers.failover_period > FAILOVER_PERIOD_MOST
        && let Some(node) = fields.peek("failover_period")
    {
        let message = format!("{} is {}, and at most 1193h are accepted", fields.path("failover_period"), node.shown());
        fields.walk.error(&node.origin, message, "lower it");
    }
    let name = fields.path("failback");
    if let Some(found) = fields.take("failback").and_then(|node| failback(fields, node, &name)) {
        numbers.failback = found;
    }
}

/// `"prevent"`, `"immediate"`, or the hours of a window.
fn failback(fields: &Fields<'_, '_>, node: &Node, name: &str) -> Option<Failback> {
    const HOURS: &str = "give the hours of the day, like { from_hour = 22, until_hour = 4 }";
    let walk = fields.walk;
    match &node.value {
        Value::Table(_) => {
            let mut window = walk.table(node, name)?;
            let from = window.need_whole("from_hour", (0, 23), HOURS);
            let until = window.need_whole("until_hour", (0, 23), HOURS);
            window.finish();
            let (from, until) = (from?, until?);
            if from == until {
                let message = format!("{name} is from {from} until {until}, which is no time at all");
                walk.error(&node.origin, message, "let them differ, or write \"immediate\" for any hour");
            }
            Some(Failback::Window { from_hour: from as u8, until_hour: until as u8 })
        }
        Value::Text(text) if text == "prevent" => Some(Failback::Prevent),
        Value::Text(text) if text == "immediate" => Some(Failback::Immediate),
        _ => {
            walk.wrong(node, name, "`prevent`, `immediate` or a table with from_hour and until_hour", HOURS);
            None
        }
    }
}

fn threshold(fields: &mut Fields<'_, '_>, key: &'static str, value: &mut u32) {
    *value = fields.whole(key, THRESHOLD, (*value).into()) as u32;
}

fn period(fields: &mut Fields<'_, '_>, key: &'static str, value: &mut Nanos) {
    time(fields, key, PERIOD_LEAST, value);
}

fn time(fields: &mut Fields<'_, '_>, key: &'static str, least: Nanos, value: &mut Nanos) {
    let default = humantime::format_duration(std::time::Duration::from_nanos(value.0));
    let remedy = format!("correct it, or remove it for the default of {default}");
    *value = fields.time(key, least, &remedy).unwrap_or(*value);
}
