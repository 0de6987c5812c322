//! `check` and `explain`: scenarios are read and told, not run.

use super::args::Changes;
use super::exit::Exit;
use super::load;
use super::output::print;
use crate::report::explain;
use crate::scenario::{self, Overrides};

/// `atqsim check FILE...`.
pub(super) fn check(files: &[String]) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for file in files {
        let (plans, found) = match load::scenario_text(file) {
            Ok((name, text, base)) => scenario::read(&name, &text, &base, &Overrides::default()),
            Err(problem) => (None, vec![problem]),
        };
        if load::show(&found) {
            exit = Exit::BadInput;
        } else if let Some(plans) = plans {
            let names: Vec<&str> = plans.iter().map(|plan| plan.variant.as_str()).collect();
            print(&format!("{file}: good ({} variant(s): {})\n", names.len(), names.join(", ")))?;
        }
    }
    Ok(exit)
}

/// `atqsim explain FILE`.
pub(super) fn explain(file: &str, changes: &Changes) -> anyhow::Result<Exit> {
    let Some(plans) = load::plans(file, changes, None) else { return Ok(Exit::BadInput) };
    print(&explain::explain(&plans, 100))?;
    Ok(Exit::Done)
}
