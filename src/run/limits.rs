//! A plan with the limits beside its pool: on real threads they run while the pool does, in virtual time one after the other.
//!
//! Called by `super::run` and `replications`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::EngineKind;
use crate::engine::{EngineError, Interrupt, Options, RunOutput, limits, threaded, virtual_time};
use crate::metrics::limits::LimitFigures;
use crate::plan::Plan;

/// Runs both.
pub(super) fn together(
    engine: EngineKind,
    plan: &Arc<Plan>,
    options: &Options<'_>,
) -> Result<(RunOutput, LimitFigures), EngineError> {
    if plan.limits.is_empty() || engine == EngineKind::Virtual || options.control.is_some() {
        let output = match engine {
            EngineKind::Threads => threaded::run(plan, options),
            EngineKind::Virtual => virtual_time::run(plan, options),
        }?;
        let figures = beside(plan, &output)?;
        return Ok((output, figures));
    }
    let stop = Interrupt::default();
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| limits::on_threads(plan, [&options.interrupt, &stop]));
        let output = threaded::run(plan, options);
        if output.is_err() {
            // Ordering: Relaxed; the flag alone is the message.
            stop.0.store(true, Ordering::Relaxed);
        }
        let figures = beside.join().expect("a limit does not panic");
        Ok((output?, figures?))
    })
}

/// The limits of a run whose pool has been run: in virtual time, to where it came.
///
/// # Errors
/// As [`limits::in_virtual_time`].
pub(super) fn beside(plan: &Plan, output: &RunOutput) -> Result<LimitFigures, EngineError> {
    limits::in_virtual_time(plan, output.summary.end, &Interrupt::default())
}
