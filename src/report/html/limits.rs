//! The curves of the limits beside the pool for the page's charts, as `page.js` reads them.
//!
//! Moments are seconds, memory is bytes. Not a format for other programs: that is the JSON report. Called by `data`.

use serde::Serialize;

use super::super::VariantReport;
use super::super::text::limits::{domains, store};
use super::data::short;
use crate::time::Nanos;

/// The store's threads over time.
#[derive(Serialize)]
pub(super) struct OfStore {
    at: Vec<f64>,
    in_use: Vec<u32>,
    line: Vec<u64>,
    inbound: Vec<u64>,
    outbound: Vec<u64>,
    /// `Max Threads`.
    level: Option<u32>,
    /// From when to when the service was not logged on.
    away: Vec<(f64, f64)>,
    /// Later ones are not known.
    away_more: bool,
}

/// The domain table over time.
#[derive(Serialize)]
pub(super) struct OfDomains {
    at: Vec<f64>,
    available: Vec<u64>,
    working_set: Vec<u64>,
    live: Vec<u64>,
    dead: Vec<u64>,
    /// Dead entries at which they are swept.
    level: Option<u32>,
    away: Vec<(f64, f64)>,
    away_more: bool,
}

fn spans(all: Vec<(Nanos, Nanos)>) -> Vec<(f64, f64)> {
    all.into_iter().map(|(from, until)| (from.as_secs_f64(), until.as_secs_f64())).collect()
}

pub(super) fn of_store(variant: &VariantReport) -> Option<OfStore> {
    let (plan, found) = store::found(variant)?;
    let values = found.summary.samples.values();
    Some(OfStore {
        at: values.iter().map(|(at, _)| short(at.as_secs_f64())).collect(),
        in_use: values.iter().map(|(_, load)| load.in_use).collect(),
        line: values.iter().map(|(_, load)| load.line).collect(),
        inbound: values.iter().map(|(_, load)| load.inbound).collect(),
        outbound: values.iter().map(|(_, load)| load.outbound).collect(),
        level: Some(plan.spec.threads.max),
        away: spans(found.times_away()),
        away_more: found.summary.events_dropped > 0,
    })
}

pub(super) fn of_domains(variant: &VariantReport) -> Option<OfDomains> {
    let (plan, found) = domains::found(variant)?;
    let values = found.summary.samples.values();
    Some(OfDomains {
        at: values.iter().map(|(at, _)| short(at.as_secs_f64())).collect(),
        available: values.iter().map(|(_, now)| now.available_bytes).collect(),
        working_set: values.iter().map(|(_, now)| now.working_set_bytes).collect(),
        live: values.iter().map(|(_, now)| now.live).collect(),
        dead: values.iter().map(|(_, now)| now.dead).collect(),
        level: plan.spec.threshold(),
        away: spans(found.times_away()),
        away_more: found.summary.log_dropped > 0,
    })
}
