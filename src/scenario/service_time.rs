//! How long something takes: the distributions of a scenario, and the phases of a service.
//!
//! Not the draws (`workload::distribution`). The only place that knows the names and the ranges of their parameters.
//! Called by `services.rs`, `load.rs` and `arrivals.rs`.

use super::samples;
use super::tree::{Node, Value};
use super::walk::{Fields, Walk};
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Phase, PhaseKind};

/// The kinds of distributions, and the fields of each.
const KINDS: [(&str, &[&str]); 8] = [
    ("exponential", &["mean"]),
    ("constant", &["value"]),
    ("lognormal", &["mean", "cv"]),
    ("uniform", &["low", "high"]),
    ("pareto", &["shape", "low", "high"]),
    ("hyperexponential", &["p1", "mean1", "mean2"]),
    ("erlang", &["stages", "mean"]),
    ("empirical", &["csv", "column"]),
];

/// The most phases of one service; the draws of a service number them in 8 bits.
const PHASES_MOST: usize = 100;
/// The most stages of an Erlang distribution: each is a draw.
const STAGES_MOST: u64 = 1_000;
/// Coefficients of variation and exponents outside these are mistakes, or lose all precision.
const CV: (f64, f64) = (0.000_001, 100.0);
const SHAPE: (f64, f64) = (0.01, 100.0);

const TIME: &str = "write a time like `250ms`, `1.5s` or `10m`";

/// The most bytes of a response: each segment of it is a step of the model.
pub(super) const BYTES_MOST: u64 = 100_000_000;

/// What the parameters of a distribution are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Times, which are text.
    Time,
    /// Whole numbers of bytes; one is a nanosecond of the distribution.
    Bytes,
}

impl Unit {
    fn of(self, walk: &Walk<'_>, node: &Node, name: &str, least: Nanos) -> Option<Nanos> {
        match self {
            Unit::Time => walk.time(node, name, least, TIME),
            Unit::Bytes => {
                walk.whole(node, name, (least.0, BYTES_MOST), "write a number of bytes like 26624").map(Nanos)
            }
        }
    }

    fn need(self, fields: &mut Fields<'_, '_>, key: &'static str, least: Nanos) -> Option<Nanos> {
        let name = fields.path(key);
        let remedy = if self == Unit::Time { TIME } else { "give a number of bytes like 26624" };
        fields.need(key, remedy).and_then(|node| self.of(fields.walk, node, &name, least))
    }
}

/// The distribution that `node` says.
pub(super) fn distribution(walk: &Walk<'_>, node: &Node, name: &str) -> Option<Distribution> {
    read(walk, node, name, None, Unit::Time)
}

/// The distribution of bytes that `node` says; a byte is a nanosecond.
pub(super) fn bytes(walk: &Walk<'_>, node: &Node, name: &str) -> Option<Distribution> {
    read(walk, node, name, None, Unit::Bytes)
}

/// The service in the fields `cpu` and `wait`, or in `phases`; empty where there is neither, which is a problem. A wait
/// that does not say what for is for `on`.
pub(super) fn service(fields: &mut Fields<'_, '_>, on: &str) -> Vec<Phase> {
    let walk = fields.walk;
    let (cpu, wait, phases) = (fields.take("cpu"), fields.take("wait"), fields.take("phases"));
    if cpu.is_none() && wait.is_none() && phases.is_none() {
        let message = format!("{} is missing: nothing says how long a service takes", fields.path("cpu"));
        walk.error(fields.origin, message, "give `cpu`, `wait`, both, or `phases`; \"0s\" is a time");
    }
    let mut service = Vec::new();
    if let Some(list) = phases
        && (cpu.is_some() || wait.is_some())
    {
        let message = format!("{} is given beside cpu or wait, and only one of the two ways is", fields.path("phases"));
        walk.error(&list.origin, message, "move `cpu` and `wait` into the list, or remove it");
    }
    if let Some(list) = phases
        && let Some(nodes) = walk.list(list, &fields.path("phases"), (1, PHASES_MOST))
    {
        for (at, node) in nodes.iter().enumerate() {
            service.extend(phase(walk, node, &format!("{}[{at}]", fields.path("phases")), on));
        }
    }
    service.extend(cpu.and_then(|node| cpu_phase(walk, node, &fields.path("cpu"))));
    service.extend(wait.and_then(|node| wait_phase(walk, node, &fields.path("wait"), on)));
    service
}

/// One element of `phases`: `{ cpu = ... }` or `{ wait = ... }`.
fn phase(walk: &Walk<'_>, node: &Node, name: &str, on: &str) -> Option<Phase> {
    let mut fields = walk.table(node, name)?;
    let phase = match (fields.take("cpu"), fields.take("wait")) {
        (Some(cpu), None) => cpu_phase(walk, cpu, &fields.path("cpu")),
        (None, Some(wait)) => wait_phase(walk, wait, &fields.path("wait"), on),
        _ => {
            let message = format!("{name} is not exactly one of cpu and wait");
            walk.error(&node.origin, message, "write { cpu = ... }, { wait = ... }, ... one after the other");
            None
        }
    };
    fields.finish();
    phase
}

fn cpu_phase(walk: &Walk<'_>, node: &Node, name: &str) -> Option<Phase> {
    Some(Phase { kind: PhaseKind::Cpu, time: distribution(walk, node, name)? })
}

fn wait_phase(walk: &Walk<'_>, node: &Node, name: &str, on: &str) -> Option<Phase> {
    let mut on = on.to_string();
    let time = read(walk, node, name, Some(&mut on), Unit::Time);
    // Known even where the time is wrong, or a fault on it would seem to be wrong as well.
    let on = walk.dependency(&on);
    Some(Phase { kind: PhaseKind::Wait(on), time: time? })
}

/// A distribution; that of a wait may also say what it waits for.
fn read(walk: &Walk<'_>, node: &Node, name: &str, on: Option<&mut String>, unit: Unit) -> Option<Distribution> {
    match node.value {
        Value::Table(_) => {}
        Value::Text(_) if unit == Unit::Time => {
            return unit.of(walk, node, name, Nanos::ZERO).map(Distribution::Constant);
        }
        Value::Whole(_) if unit == Unit::Bytes => {
            return unit.of(walk, node, name, Nanos::ZERO).map(Distribution::Constant);
        }
        _ if unit == Unit::Bytes => {
            walk.wrong(node, name, "a number of bytes or a distribution", "write 26624, or { mean = 26624 }");
            return None;
        }
        _ => {
            walk.wrong(node, name, "a time or a distribution", "write \"200ms\", or { mean = \"200ms\" }");
            return None;
        }
    }
    let mut fields = walk.table(node, name)?;
    if let Some(on) = on
        && let Some(found) = fields.take("on")
        && let Some(dependency) = walk.name(found, "the name of what is waited for")
    {
        *on = dependency.to_string();
    }
    let kind = match fields.take("dist") {
        // Without the kind, nothing can be said about the other fields.
        Some(found) => walk.choice(found, &fields.path("dist"), &KINDS.map(|(kind, _)| kind))?,
        None => "exponential",
    };
    let result = parameters(&mut fields, kind, unit);
    refuse_foreign(&mut fields, node, kind);
    fields.finish();
    result
}

/// Tells of fields that belong to another kind of distribution.
fn refuse_foreign(fields: &mut Fields<'_, '_>, node: &Node, kind: &str) {
    let own = KINDS.iter().find(|(known, _)| *known == kind).map_or(&[] as &[&str], |(_, own)| *own);
    for (other, names) in KINDS {
        for foreign in names.iter().filter(|field| !own.contains(field) && node.at(&[field]).is_some()) {
            if let Some(found) = fields.take_once(foreign) {
                let message = format!("{} does not belong to dist = \"{kind}\"", fields.path(foreign));
                let remedy = format!("remove it, or set dist = \"{other}\"; \"{kind}\" has {}", own.join(", "));
                fields.walk.error(&found.origin, message, remedy);
            }
        }
    }
}

/// The parameters of a distribution of this kind.
fn parameters(fields: &mut Fields<'_, '_>, kind: &str, unit: Unit) -> Option<Distribution> {
    let walk = fields.walk;
    let origin = fields.origin;
    match kind {
        "constant" => unit.need(fields, "value", Nanos::ZERO).map(Distribution::Constant),
        "lognormal" => {
            let mean = unit.need(fields, "mean", Nanos::ZERO);
            let cv = fields.need_number("cv", CV, "give the standard deviation divided by the mean, like 1.2");
            Some(Distribution::Lognormal { mean: mean?, cv: cv? })
        }
        "uniform" => {
            let low = unit.need(fields, "low", Nanos::ZERO);
            let high = unit.need(fields, "high", Nanos::ZERO);
            let (low, high) = (low?, high?);
            if low > high {
                walk.error(origin, format!("{} {low} is above high {high}", fields.path("low")), "swap them");
            }
            Some(Distribution::Uniform { low, high })
        }
        "pareto" => {
            let shape = fields.need_number("shape", SHAPE, "give the exponent of the tail, like 1.5");
            let low = unit.need(fields, "low", Nanos(1));
            let high = unit.need(fields, "high", Nanos(1));
            let (shape, low, high) = (shape?, low?, high?);
            if low >= high {
                walk.error(origin, format!("{} {low} is not below high {high}", fields.path("low")), "raise high");
            }
            Some(Distribution::Pareto { shape, low, high })
        }
        "hyperexponential" => {
            let p1 = fields.need_number("p1", (0.0, 1.0), "give the probability of mean1, like 0.9");
            let mean1 = unit.need(fields, "mean1", Nanos::ZERO);
            let mean2 = unit.need(fields, "mean2", Nanos::ZERO);
            Some(Distribution::Hyperexponential { p1: p1?, mean1: mean1?, mean2: mean2? })
        }
        "erlang" => {
            let stages = fields.need_whole("stages", (1, STAGES_MOST), "give the number of stages, like 4");
            let mean = unit.need(fields, "mean", Nanos::ZERO);
            Some(Distribution::Erlang { stages: stages? as u32, mean: mean? })
        }
        "empirical" => samples::empirical(fields, unit == Unit::Bytes).map(Distribution::Empirical),
        _ => Some(Distribution::Exponential { mean: unit.need(fields, "mean", Nanos::ZERO)? }),
    }
}
