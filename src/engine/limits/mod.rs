//! The limits beside the pool at work: each is a model with a load of its own, and one of the engines says when things
//! happen.
//!
//! A `Limit` knows what is due and what a call that ended means; it knows no thread and no clock. [`in_virtual_time`] keeps
//! a calendar of the calls; [`on_threads`] has each call hold a real thread of a pool as large as the limit. In one moment
//! calls end first, then what is due by itself happens, then new calls come, on either engine. Not the pool of the server: the
//! limits share its speed and its seed and nothing else. Called by `run`.

mod domains;
mod store;
mod threads;
mod transport;

use std::collections::BTreeMap;

pub use self::threads::on_threads;

use self::domains::DomainsRun;
use self::store::StoreRun;
use self::transport::TransportRun;
use super::{EngineError, Interrupt};
use crate::metrics::limits::LimitFigures;
use crate::plan::Plan;
use crate::time::Nanos;

/// A call that has begun: its number, and how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    id: u64,
    takes: Nanos,
}

/// A model with its load.
trait Limit {
    /// When something is due by itself; [`Nanos::MAX`] for never.
    fn next_due(&self) -> Nanos;
    /// Everything that is due by now happens. Calls that begin are added to `calls`.
    fn due(&mut self, now: Nanos, calls: &mut Vec<Call>);
    /// A call has ended.
    fn ended(&mut self, now: Nanos, id: u64, calls: &mut Vec<Call>);
}

/// How often an interrupt is looked at, in events.
const LOOK_AROUND: u64 = 4_096;

/// Runs the limits of a plan in virtual time until `end`, or to where an interrupt ends them: the second answer is how far
/// all of them came. `progress` is told the emulated time now and then, of one limit after the other.
///
/// # Errors
/// [`EngineError::Load`], [`EngineError::TimeStandsStill`].
pub fn in_virtual_time(
    plan: &Plan,
    end: Nanos,
    interrupt: &Interrupt,
    progress: &dyn Fn(Nanos),
) -> Result<(LimitFigures, Nanos), EngineError> {
    let (mut figures, mut all) = (LimitFigures::default(), end);
    if let Some(store) = &plan.limits.store {
        let mut run = StoreRun::new(store, plan.seed, end)?;
        let reached = drive(&mut run, end, interrupt, progress)?;
        all = all.min(reached);
        figures.store = Some(run.close(reached));
    }
    if let Some(domains) = &plan.limits.domains {
        let mut run = DomainsRun::new(domains, plan.seed, end)?;
        let reached = drive(&mut run, end, interrupt, progress)?;
        all = all.min(reached);
        figures.domains = Some(run.close(reached));
    }
    if let Some(transport) = &plan.limits.transport {
        let mut run = TransportRun::new(transport, plan.seed, end)?;
        let reached = drive(&mut run, end, interrupt, progress)?;
        all = all.min(reached);
        figures.transport = Some(run.close(reached));
    }
    Ok((figures, all))
}

/// Events in one moment after which time stands still for good.
const STILL_MOST: u64 = 10_000_000;

/// Drives a limit until `end`, which nothing reaches; the answer is how far it came.
fn drive(
    limit: &mut impl Limit,
    end: Nanos,
    interrupt: &Interrupt,
    progress: &dyn Fn(Nanos),
) -> Result<Nanos, EngineError> {
    // By end, in the order of their beginning.
    let mut ends: BTreeMap<(Nanos, u64), u64> = BTreeMap::new();
    let (mut calls, mut events, mut begun) = (Vec::new(), 0_u64, 0_u64);
    let (mut now, mut still) = (Nanos::ZERO, 0_u64);
    loop {
        let first = ends.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at);
        let next = first.min(limit.next_due());
        if next >= end {
            return Ok(end);
        }
        events += 1;
        still = if next == now { still + 1 } else { 0 };
        if still > STILL_MOST {
            return Err(EngineError::TimeStandsStill { at: now });
        }
        now = next;
        if events % LOOK_AROUND == 0 {
            progress(now);
            if interrupt.is_set() {
                return Ok(now);
            }
        }
        if first == next {
            let (_, id) = ends.pop_first().expect("there is a first");
            limit.ended(now, id, &mut calls);
        } else {
            limit.due(now, &mut calls);
        }
        for call in calls.drain(..) {
            begun += 1;
            ends.insert((now + call.takes, begun), call.id);
        }
    }
}
