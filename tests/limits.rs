//! The limits beside the pool, through the public doors: scenarios in, figures out, on both engines.

mod limits {
    mod domains;
    mod mistakes;
    mod store;
    mod together;
    mod transport;
}

use atqsim::metrics::limits::LimitFigures;
use atqsim::plan::Plan;
use atqsim::problem::Problem;
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::scenario::{Base, Overrides, builtin, read};

/// The plans of a scenario, and what was said about it.
fn told(text: &str, overrides: &Overrides) -> (Option<Vec<Plan>>, Vec<Problem>) {
    read("a.toml", text, &Base::Builtin, overrides)
}

fn plans(text: &str) -> Vec<Plan> {
    let (plans, problems) = told(text, &Overrides::default());
    plans.unwrap_or_else(|| panic!("{problems:#?}"))
}

fn shipped(name: &str) -> Vec<Plan> {
    plans(builtin::find(name).expect("it is shipped").text)
}

/// What became of each plan, by the variant's name.
fn figures(plans: &[Plan], engine: EngineKind) -> Vec<(String, LimitFigures)> {
    let ran = run(plans, &RunOptions { engine, ..RunOptions::default() }, &Silent);
    assert!(!ran.went_wrong(), "{:?}", ran.error);
    assert!(!ran.failed_threshold());
    let report = ran.report.expect("it ran");
    report.variants.into_iter().map(|v| (v.plan.variant.clone(), v.limits)).collect()
}
