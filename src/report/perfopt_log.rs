//! `perfopt.log` of the servers on which Performance Optimizer ran, one after the other.
//!
//! Not what the Optimizer does and not how a line looks (`models::store::perfopt`). Called by `cli`. Described in
//! `docs/files.md`.

use super::Report;
use crate::models::store::perfopt::Log;

/// The file. Each variant is a server of its own, and a line with its name comes before its runs; one variant alone has the
/// bytes of its log and nothing more.
#[must_use]
pub fn perfopt_log(report: &Report) -> Vec<u8> {
    let mut text = String::new();
    for variant in &report.variants {
        let Some(run) = variant.plan.limits.store.as_ref().and_then(|store| store.optimizer) else { continue };
        let mut log = Log::default();
        log.append(&run);
        if report.variants.len() > 1 {
            text.push_str(&format!("; variant {}\r\n", super::format::plain(&variant.plan.variant)));
        }
        text.push_str(log.text());
    }
    text.into_bytes()
}
