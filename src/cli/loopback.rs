//! `--loopback`: responses of `[write_buffers]` over real sockets, beside the model.
//!
//! Not the sockets, which are `verify::loopback`'s. Called by `running`, after a run and before its report is written.

use super::args::OutputArgs;
use super::output::complain;
use crate::metrics::limits::Loopback;
use crate::plan::Plan;
use crate::plan::limits::write_buffers::FrontEnd;
use crate::problem::{Place, Problem};
use crate::report::Report;
use crate::verify::loopback::{NoWitness, Question, Row, measure};

/// Where nothing is sent, nothing can be compared; a flag that does nothing would be believed.
pub(super) fn refused(plans: &[Plan], args: &OutputArgs) -> Option<Problem> {
    let nothing = plans.iter().all(|plan| plan.limits.write_buffers.is_none());
    let message = "sends the responses of a front-end over sockets, and the scenario has no [write_buffers]";
    let problem = Problem::error(Place::Named("--loopback".into()), message, "leave it out, or add the section");
    (args.loopback.is_some() && nothing).then_some(problem)
}

/// Measures what was asked for, and puts it into the report. `false`: the sockets failed, which was told.
pub(super) fn add(report: &mut Report, args: &OutputArgs) -> bool {
    let Some(runs) = args.loopback else { return true };
    let asked: Vec<Vec<Option<Question>>> = report.variants.iter().map(|variant| questions(&variant.plan)).collect();
    let mut each: Vec<Question> = Vec::new();
    for question in asked.iter().flatten().flatten() {
        if !each.contains(question) {
            each.push(question.clone());
        }
    }
    let rows = match measure(&each, runs, &mut NoWitness) {
        Ok(rows) => rows,
        Err(error) => {
            complain(&format!("atqsim: --loopback: the sockets failed: {error}"));
            return false;
        }
    };
    for (variant, asked) in report.variants.iter_mut().zip(asked) {
        let figures = variant.limits.write_buffers.iter_mut().flatten();
        for (figures, question) in figures.zip(asked) {
            let found = question.and_then(|question| each.iter().position(|known| *known == question));
            figures.loopback = found.map(|at| beside(&rows[at]));
        }
    }
    true
}

/// A response of the mean size for each protocol of a plan.
fn questions(plan: &Plan) -> Vec<Option<Question>> {
    let question = |own: &FrontEnd| {
        let sent = plan.load.stages.iter().filter(|stage| stage.class == own.class).find_map(|stage| stage.response());
        let bytes = sent.map(|(_, response)| response.sizes().mean_ns().round() as u64).filter(|bytes| *bytes > 0)?;
        Some(Question { spec: (*own.spec).clone(), bytes })
    };
    let services = plan.limits.write_buffers.iter().flat_map(|plan| &plan.services);
    services.map(question).collect()
}

fn beside(row: &Row) -> Loopback {
    Loopback {
        bytes: row.bytes,
        model: row.model,
        runs: row.runs.len() as u32,
        writes: row.runs.iter().map(|run| run.writes).max().unwrap_or_default(),
        response: row.response_median(),
        response_least: row.response_least(),
        thread_held: row.held_median(),
    }
}
