//! What the responses of a front-end cost, counted as their requests are served.
//!
//! The time for which they hold their threads is in the load already (`plan::limits::write_buffers::Writer`); here the
//! same transfers are added up. Called by the floor.

use std::sync::Arc;

use crate::ids::ClassId;
use crate::metrics::limits::WriteFigures;
use crate::models::write_buffers::Transfer;
use crate::plan::Plan;
use crate::plan::limits::write_buffers::WriteBuffersPlan;
use crate::time::Nanos;

/// The plan, and its figures so far.
#[derive(Debug)]
pub(super) struct Writes {
    plan: Arc<WriteBuffersPlan>,
    figures: Vec<WriteFigures>,
    /// Requests that were due before are not measured.
    from: Nanos,
}

impl Writes {
    pub(super) fn of(plan: &Plan) -> Option<Box<Writes>> {
        let own = plan.limits.write_buffers.as_ref()?;
        let figures = vec![WriteFigures::default(); own.services.len()];
        Some(Box::new(Writes { plan: Arc::clone(own), figures, from: plan.warmup.length() }))
    }

    /// A request of `class` was served, whose response had so many bytes.
    pub(super) fn served(&mut self, class: ClassId, bytes: u64, due: Nanos, now: Nanos) {
        let service = self.plan.services.iter().zip(&mut self.figures).find(|(service, _)| service.class == class);
        if let Some((service, figures)) = service
            && due >= self.from
        {
            figures.add(due, now, &Transfer::of(&service.spec, bytes));
        }
    }

    pub(super) fn close(self, end: Nanos) -> Vec<WriteFigures> {
        let mut figures = self.figures;
        figures.iter_mut().for_each(|own| own.measured = end.since(self.from));
        figures
    }
}
