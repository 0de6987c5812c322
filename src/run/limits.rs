//! A plan with the limits beside its pool: on real threads they run while the pool does, in virtual time one after the other.
//!
//! Called by `super::run` and `replications`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::EngineKind;
use crate::engine::{EngineError, Interrupt, Options, RunOutput, limits, threaded, virtual_time};
use crate::metrics::limits::LimitFigures;
use crate::plan::Plan;
use crate::time::Nanos;

/// Runs both.
pub(super) fn together(
    engine: EngineKind,
    plan: &Arc<Plan>,
    options: &Options<'_>,
) -> Result<(RunOutput, LimitFigures), EngineError> {
    if plan.limits.is_empty() || engine == EngineKind::Virtual || options.control.is_some() {
        let mut output = match engine {
            EngineKind::Threads => threaded::run(plan, options),
            EngineKind::Virtual => virtual_time::run(plan, options),
        }?;
        let reached = |now| options.progress.iter().for_each(|progress| progress(now));
        let figures = beside(plan, &mut output, &options.interrupt, &reached)?;
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
        let (mut output, mut figures) = (output?, figures?);
        figures.write_buffers = output.write_buffers.take();
        Ok((output, figures))
    })
}

/// The limits of a run whose pool has been run: in virtual time, to where it came. An interrupt that ends them interrupts the
/// run, which ends there if nothing else is in it.
///
/// # Errors
/// As [`limits::in_virtual_time`].
pub(super) fn beside(
    plan: &Plan,
    output: &mut RunOutput,
    interrupt: &Interrupt,
    progress: &dyn Fn(Nanos),
) -> Result<LimitFigures, EngineError> {
    // Where the pool was interrupted its end is theirs, and is to be reached.
    let unset = Interrupt::default();
    let interrupt = if output.interrupted { &unset } else { interrupt };
    let (mut figures, reached) = limits::in_virtual_time(plan, output.summary.end, interrupt, progress)?;
    figures.write_buffers = output.write_buffers.take();
    if reached < output.summary.end {
        output.interrupted = true;
        if plan.classes.is_empty() {
            output.summary.end = reached;
        }
    }
    Ok(figures)
}
