//! What a front-end's writes came to, as programs see it: the shape and what fills it.
//!
//! Not the figures, which are `metrics::limits`'. Called by `fill`; documented in `docs/json.md`, like every other field.

use serde::Serialize;

use super::super::VariantReport;
use super::super::text::limits::write_buffers;
use super::cluster::{OverRuns, over_runs};
use super::fill::{latency, seconds};
use super::wire::{Finite, Latency, Map};
use crate::metrics::limits::{Loopback, WriteFigures};
use crate::models::write_buffers::spec::{Held, WriteReturns};
use crate::plan::Plan;
use crate::plan::limits::write_buffers::FrontEnd;
use crate::time::Nanos;

/// `write_buffers` of a variant.
#[derive(Debug, Serialize)]
pub(super) struct WriteBuffers {
    latency_s: Finite,
    bits_per_second: Option<u64>,
    write_returns: &'static str,
    held: &'static str,
    memory_bytes: u64,
    services: Map<Service>,
    replications: Option<Map<OverRuns>>,
}

#[derive(Debug, Serialize)]
struct Service {
    max_buffer_size: Option<u32>,
    max_buffer_size_origin: Option<String>,
    buffer_bytes: u32,
    findings: Vec<&'static str>,
    memory_per_connection_bytes: u64,
    connections_that_fit: u64,
    responses: u64,
    bytes: u64,
    writes: u64,
    segments: u64,
    small_segments: u64,
    acks: u64,
    late_acks: u64,
    wire_bytes: u64,
    response_mean_s: Option<Finite>,
    response_max_s: Finite,
    held_mean_s: Option<Finite>,
    due_to_last_byte_us: Latency,
    bytes_per_second: Finite,
    bits_per_second_of_one: Option<Finite>,
    loopback: Option<OverSockets>,
}

/// Model and measurement side by side.
#[derive(Debug, Serialize)]
struct OverSockets {
    bytes: u64,
    runs: u32,
    writes_model: u64,
    writes: u64,
    response_model_s: Finite,
    response_s: Finite,
    response_least_s: Finite,
    held_model_s: Finite,
    held_s: Finite,
}

/// What a front-end has sent, where the variant has `[write_buffers]`.
pub(super) fn write_buffers(variant: &VariantReport) -> Option<WriteBuffers> {
    let plan = variant.plan.limits.write_buffers.as_ref()?;
    let services = write_buffers::found(variant);
    let spec = &services.first()?.0.spec;
    Some(WriteBuffers {
        latency_s: seconds(spec.link.latency),
        bits_per_second: spec.link.bits_per_second,
        write_returns: match spec.assumptions.write_returns {
            WriteReturns::Accepted => "accepted",
            WriteReturns::Acknowledged => "acknowledged",
        },
        held: match spec.assumptions.held {
            Held::UntilWritten => "until-written",
            Held::UntilAcknowledged => "until-acknowledged",
        },
        memory_bytes: plan.memory_bytes,
        services: Map(services
            .iter()
            .map(|(own, found)| (own.name.to_string(), service(&variant.plan, own, plan.memory_bytes, found)))
            .collect()),
        replications: over_runs(&variant.limits_over_runs, "write_buffers."),
    })
}

fn service(plan: &Plan, own: &FrontEnd, memory_bytes: u64, found: &WriteFigures) -> Service {
    let (spec, totals) = (&own.spec, &found.totals);
    let setting = plan.registry.setting(own.value);
    let mean = |sum: Nanos| (totals.responses > 0).then(|| Finite(sum.as_secs_f64() / totals.responses as f64));
    Service {
        max_buffer_size: setting.map(|setting| setting.data),
        max_buffer_size_origin: setting.map(|setting| setting.origin()),
        buffer_bytes: spec.buffer(),
        findings: spec.findings().into_iter().map(write_buffers::finding).collect(),
        memory_per_connection_bytes: spec.memory_per_connection(),
        connections_that_fit: spec.connections_that_fit(memory_bytes),
        responses: totals.responses,
        bytes: totals.bytes,
        writes: totals.writes,
        segments: totals.segments,
        small_segments: totals.small_segments,
        acks: totals.acks,
        late_acks: totals.late_acks,
        wire_bytes: totals.wire_bytes,
        response_mean_s: mean(totals.response),
        response_max_s: seconds(totals.longest_response),
        held_mean_s: mean(totals.held),
        due_to_last_byte_us: latency(&found.response.summary()),
        bytes_per_second: Finite(found.bytes_per_second()),
        bits_per_second_of_one: found.bits_per_second_of_one().map(Finite),
        loopback: found.loopback.as_ref().map(over_sockets),
    }
}

fn over_sockets(own: &Loopback) -> OverSockets {
    OverSockets {
        bytes: own.bytes,
        runs: own.runs,
        writes_model: own.model.writes,
        writes: own.writes,
        response_model_s: seconds(own.model.response),
        response_s: seconds(own.response),
        response_least_s: seconds(own.response_least),
        held_model_s: seconds(own.model.thread_held),
        held_s: seconds(own.thread_held),
    }
}
