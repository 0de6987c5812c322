//! A front-end's writes before a run: what is set, and what one response costs with each buffer and each link.
//!
//! Not a load: what waits for a thread is the run's to say. Called by `explain`; empty where no plan has them.

use super::super::format::{amount, count};
use super::super::table::{Grid, Sheet};
use super::super::text::limits::write_buffers;
use crate::models::write_buffers::Transfer;
use crate::models::write_buffers::spec::{
    DEFAULT_MAX_BUFFER_SIZE, LARGEST_PUBLISHED, Link, TO_TEST, WriteBuffersSpec, WriteReturns,
};
use crate::plan::Plan;
use crate::plan::limits::write_buffers::WriteBuffersPlan;
use crate::time::Nanos;

/// One way to a client, in milliseconds: a local network, a country, a continent, an ocean, a satellite or a modem.
const LATENCIES_MS: [u64; 5] = [1, 20, 50, 100, 200];

/// What is set.
pub(super) fn settings(plans: &[&Plan], width: usize) -> String {
    if plans.iter().all(|plan| plan.limits.write_buffers.is_none()) {
        return String::new();
    }
    let mut sheet = Sheet { names: super::limits::names(plans), facts: Vec::new() };
    write_buffers::link(plans, &mut sheet);
    for (name, _) in WriteBuffersPlan::SERVICES {
        write_buffers::settings(plans, name, &mut sheet);
    }
    sheet.render(width)
}

/// What a response of the mean size costs, for each way in which the plans say that writes return.
pub(super) fn costs(plans: &[&Plan], width: usize) -> Vec<(String, String)> {
    let mut told: Vec<(WriteBuffersSpec, u64)> = Vec::new();
    let mut tables = Vec::new();
    for plan in plans {
        let Some(own) = &plan.limits.write_buffers else { continue };
        let Some(spec) = own.services.first().map(|service| &*service.spec) else { continue };
        for bytes in sizes(plan) {
            // Whatever the buffer and the way are: the table has them all.
            let link = Link { latency: Nanos::ZERO, ..spec.link };
            let any = WriteBuffersSpec { max_buffer_size: None, link, ..spec.clone() };
            if !told.contains(&(any.clone(), bytes)) {
                tables.push((title(&any, bytes), table(&any, bytes, width)));
                told.push((any, bytes));
            }
        }
    }
    tables
}

/// The mean sizes of the responses, largest first.
fn sizes(plan: &Plan) -> Vec<u64> {
    let means = plan.load.stages.iter().filter_map(|stage| stage.response());
    let mut sizes: Vec<u64> = means.map(|(_, response)| response.sizes().mean_ns().round() as u64).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes.truncate(3);
    sizes
}

fn title(spec: &WriteBuffersSpec, bytes: u64) -> String {
    let returns = match spec.assumptions.write_returns {
        WriteReturns::Accepted => "once TCP has taken it",
        WriteReturns::Acknowledged => "once it is acknowledged",
    };
    format!("One response of {} bytes, where a write returns {returns}", count(bytes))
}

fn table(spec: &WriteBuffersSpec, bytes: u64, width: usize) -> String {
    let mut buffers = vec![DEFAULT_MAX_BUFFER_SIZE];
    buffers.extend(TO_TEST);
    buffers.push(LARGEST_PUBLISHED);
    let cost = |buffer: u32, ms: u64| {
        let link = Link { latency: Nanos::from_millis(ms), ..spec.link };
        let own = WriteBuffersSpec { max_buffer_size: Some(buffer), link, ..spec.clone() };
        Transfer::of(&own, bytes)
    };
    let line = |buffer: u32| {
        let once = cost(buffer, 0);
        let own = WriteBuffersSpec { max_buffer_size: Some(buffer), ..spec.clone() };
        let memory = own.memory_per_connection() as f64 / 1024.0;
        let mut cells = vec![count(once.writes), count(once.packets()), format!("{} KB", amount(memory))];
        cells.extend(LATENCIES_MS.iter().map(|ms| cost(buffer, *ms).response.to_string()));
        vec![cells]
    };
    let mut figures = ["writes", "packets", "memory"].map(String::from).to_vec();
    figures.extend(LATENCIES_MS.map(|ms| format!("{ms} ms")));
    Grid {
        corner: "MaxBufferSize".into(),
        rows: buffers.iter().map(|buffer| count((*buffer).into())).collect(),
        grouping: String::new(),
        groups: vec![String::new()],
        figures,
        cells: buffers.iter().map(|buffer| line(*buffer)).collect(),
    }
    .render(width)
}
