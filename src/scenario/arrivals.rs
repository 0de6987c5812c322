//! When the journeys of an open load begin: constant rates, steps, ramps, on and off, days, bursts, gaps.
//!
//! Not the arrivals themselves (`workload::arrivals` makes them) and not closed loads. Called by `load.rs`.

use super::service_time::distribution;
use super::tree::{Node, Value, shortened};
use super::walk::{Fields, Walk};
use crate::time::Nanos;
use crate::workload::arrivals::{Pattern, RatePiece, RateProfile, Spacing, SwitchState};

/// The most arrivals per second: one a nanosecond, the resolution of time.
const RATE: (f64, f64) = (0.0, 1e9);
/// The most steps of a profile, and states of a switching load.
const POINTS_MOST: usize = 10_000;
/// How often a profile may start again, and a load switch on average, before the run ends: each costs time even where
/// nothing arrives.
const CYCLES_MOST: u64 = 10_000_000;
/// Units of a rate, and how many seconds each has.
const UNITS: [(&str, f64); 9] = [
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("min", 60.0),
    ("minute", 60.0),
    ("h", 3_600.0),
    ("hour", 3_600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
];
const RATE_REMEDY: &str = "write a number per second, or \"12/s\", \"90/min\", \"2000/h\"";

/// The ways to say when journeys begin, of which a load has exactly one.
pub(super) const OPEN: [&str; 7] = ["rate", "steps", "ramp", "on_off", "daily", "bursts", "gaps"];

/// The pattern that field `way` of a load says.
pub(super) fn pattern(
    walk: &Walk<'_>,
    way: &str,
    node: &Node,
    name: &str,
    spacing: Spacing,
    run: Nanos,
) -> Option<Pattern> {
    let rate = match way {
        "rate" => RateProfile::constant(rate(walk, node, name)?),
        "steps" => points(walk, node, name, false)?,
        "ramp" => points(walk, node, name, true)?,
        "on_off" => on_off(walk, node, name, run)?,
        "daily" => daily(walk, node, name)?,
        "bursts" => return bursts(walk, node, name, run).map(Pattern::Switching),
        _ => return gaps(walk, node, name).map(Pattern::Gaps),
    };
    Some(Pattern::Rate { spacing, rate })
}

/// A rate in arrivals per second.
fn rate(walk: &Walk<'_>, node: &Node, name: &str) -> Option<f64> {
    let Value::Text(text) = &node.value else { return walk.number(node, name, RATE, RATE_REMEDY) };
    let found = text.split_once('/').and_then(|(number, unit)| {
        let seconds = UNITS.iter().find(|(known, _)| *known == unit.trim()).map(|(_, seconds)| *seconds)?;
        number.trim().parse::<f64>().ok().map(|number| number / seconds)
    });
    match found {
        Some(rate) if RATE.0 <= rate && rate <= RATE.1 => Some(rate + 0.0),
        Some(_) => {
            let message = format!("{name} is `{}`, and a rate from 0 to 1e9 per second is needed", shortened(text));
            walk.error(&node.origin, message, RATE_REMEDY);
            None
        }
        None => {
            let message = format!("{name} is `{}`, which is no rate", shortened(text));
            walk.error(&node.origin, message, RATE_REMEDY);
            None
        }
    }
}

fn need_rate(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<f64> {
    let name = fields.path(key);
    fields.need(key, RATE_REMEDY).and_then(|node| rate(fields.walk, node, &name))
}

/// `[{ at, rate }, ...]`: levels, or the corners of straight lines with the last rate for ever.
fn points(walk: &Walk<'_>, node: &Node, name: &str, lines: bool) -> Option<RateProfile> {
    let nodes = walk.list(node, name, (1, POINTS_MOST))?;
    let mut points: Vec<(Nanos, f64)> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let mut fields = walk.table(node, &format!("{name}[{at}]"))?;
        let start = fields.need_time("at", Nanos::ZERO, "write the time since the start of the run, like \"5m\"");
        let rate = need_rate(&mut fields, "rate");
        fields.finish();
        let (start, rate) = (start?, rate?);
        match points.last() {
            None if start > Nanos::ZERO => {
                walk.error(&node.origin, format!("{name} begins at {start}"), "let the first one be at \"0s\"");
            }
            Some((before, _)) if *before >= start => {
                let message = format!("{name}[{at}] is at {start}, which is not after {before}");
                walk.error(&node.origin, message, "put them in order of time");
            }
            _ => {}
        }
        points.push((start, rate));
    }
    let next = points.iter().skip(1).chain(points.last());
    let pieces = points.iter().zip(next).map(|(&(start, from), &(_, next))| RatePiece {
        start,
        from,
        to: if lines { next } else { from },
    });
    Some(RateProfile { pieces: pieces.collect(), period: None })
}

/// `{ on, off, rate, off_rate }`, again and again.
fn on_off(walk: &Walk<'_>, node: &Node, name: &str, run: Nanos) -> Option<RateProfile> {
    let mut fields = walk.table(node, name)?;
    let on = fields.need_time("on", Nanos(1), "write how long the load is on, like \"10s\"");
    let off = fields.need_time("off", Nanos(1), "write how long it is off, like \"50s\"");
    let high = need_rate(&mut fields, "rate");
    let off_name = fields.path("off_rate");
    let low = fields.take("off_rate").map_or(Some(0.0), |node| rate(walk, node, &off_name));
    fields.finish();
    let (on, off, high, low) = (on?, off?, high?, low?);
    if run.0 / (on + off).0 > CYCLES_MOST {
        let message = format!("{name} switches more than {CYCLES_MOST} times before the run ends");
        walk.error(&node.origin, message, "lengthen on and off, or shorten the run");
        return None;
    }
    let piece = |start, rate| RatePiece { start, from: rate, to: rate };
    Some(RateProfile { pieces: vec![piece(Nanos::ZERO, high), piece(on, low)], period: Some(on + off) })
}

/// 24 rates at the full hours, with straight lines between them.
fn daily(walk: &Walk<'_>, node: &Node, name: &str) -> Option<RateProfile> {
    let nodes = walk.list(node, name, (24, 24))?;
    let rates: Vec<Option<f64>> =
        nodes.iter().enumerate().map(|(at, node)| rate(walk, node, &format!("{name}[{at}]"))).collect();
    let rates: Vec<f64> = rates.into_iter().collect::<Option<_>>()?;
    let hour = |at: usize| Nanos::from_secs(3_600) * at as u64;
    let piece = |at: usize| RatePiece { start: hour(at), from: rates[at], to: rates[(at + 1) % 24] };
    Some(RateProfile { pieces: (0..24).map(piece).collect(), period: Some(hour(24)) })
}

/// `[{ rate, holds }, ...]`, one state after the other and again from the first.
fn bursts(walk: &Walk<'_>, node: &Node, name: &str, run: Nanos) -> Option<Vec<SwitchState>> {
    let nodes = walk.list(node, name, (1, POINTS_MOST))?;
    let mut states = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let mut fields = walk.table(node, &format!("{name}[{at}]"))?;
        let per_second = need_rate(&mut fields, "rate");
        let holds_name = fields.path("holds");
        let holds = fields.need("holds", "write how long the state holds, like \"10s\"");
        let holds = holds.and_then(|node| distribution(walk, node, &holds_name));
        fields.finish();
        states.push(SwitchState { per_second: per_second?, holds: holds? });
    }
    let cycle: f64 = states.iter().map(|state| state.holds.mean_ns()).sum();
    if cycle * CYCLES_MOST as f64 <= run.0 as f64 * states.len() as f64 {
        let message = format!("{name} switches more than {CYCLES_MOST} times before the run ends");
        walk.error(&node.origin, message, "lengthen `holds`, or shorten the run");
        return None;
    }
    Some(states)
}

fn gaps(walk: &Walk<'_>, node: &Node, name: &str) -> Option<crate::workload::distribution::Distribution> {
    let gaps = distribution(walk, node, name)?;
    if gaps.mean_ns() < 1.0 {
        let message = format!("{name} has a mean of 0, so that arrivals never end");
        walk.error(&node.origin, message, "give a mean of at least \"1ns\"");
        return None;
    }
    Some(gaps)
}
