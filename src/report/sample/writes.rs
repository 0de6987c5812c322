//! A variant whose POP3 is that of a front-end, for the tests of this room.

use std::sync::Arc;

use super::super::VariantReport;
use super::variant;
use crate::metrics::limits::{Loopback, WriteFigures};
use crate::models::write_buffers::Transfer;
use crate::models::write_buffers::spec::{Assumptions, Link, Software, Version, WriteBuffersSpec, WriteReturns};
use crate::plan::limits::write_buffers::{FrontEnd, WriteBuffersPlan};
use crate::policy::registry::ValueId;
use crate::problem::Place;
use crate::time::Nanos;

/// Three responses of 26 KB over 50 ms, with this `MaxBufferSize`, one of which was sent over sockets too.
pub(in crate::report) fn with_writes(name: &str, value: Option<u32>) -> VariantReport {
    let mut report = variant(name, &[], Nanos::from_millis(250));
    let mut plan = (*report.plan).clone();
    if let Some(value) = value {
        plan.registry.set(ValueId::Pop3MaxBufferSize, value, Place::Line("kb.reg".into(), 4));
    }
    let assumptions = Assumptions { write_returns: WriteReturns::Acknowledged, ..Assumptions::default() };
    let spec = WriteBuffersSpec {
        software: Software { version: Version::Exchange2003, is_front_end: true },
        max_buffer_size: value,
        link: Link { latency: Nanos::from_millis(50), bits_per_second: None },
        assumptions,
    };
    let transfer = Transfer::of(&spec, 26 << 10);
    let mut found = WriteFigures { measured: Nanos::from_secs(600), ..WriteFigures::default() };
    for n in 0..3 {
        let due = Nanos::from_secs(n);
        found.add(due, due + Nanos::from_millis(20) + transfer.thread_held, &transfer);
    }
    found.loopback = Some(Loopback {
        bytes: transfer.bytes,
        model: transfer,
        runs: 3,
        writes: transfer.writes,
        response: transfer.response + Nanos::from_millis(1),
        response_least: transfer.response,
        thread_held: transfer.thread_held + Nanos::from_millis(2),
    });
    let class = plan.class("pop3").expect("the sample has it");
    let service = FrontEnd { name: "pop3", class, value: ValueId::Pop3MaxBufferSize, spec: Arc::new(spec) };
    plan.limits.write_buffers = Some(WriteBuffersPlan { services: vec![service], memory_bytes: 1 << 30 }.into());
    report.plan = Arc::new(plan);
    report.limits.write_buffers = Some(vec![found]);
    report
}
