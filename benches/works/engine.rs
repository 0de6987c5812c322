//! The work as a scenario for the general engine.
//!
//! Not a loop for the bench: it is a scenario's text, read and run as any other. The engine keeps more than the two
//! histograms of a class that the others keep: waits of all, of the started and of those who gave up, services, totals
//! of each load, starvation, a time line. Called by the benches.

use std::fmt::Write as _;

use atqsim::engine::{Options, virtual_time};
use atqsim::plan::Plan;
use atqsim::scenario::{Base, Overrides, read};

use super::{ARRIVALS_PER_S, Outcome, SERVICE_MEAN_S, Served, THREADS, Work};

/// A plan in which about this many customers come.
pub(crate) fn plan(work: &Work, customers: u64, seed: u64) -> Plan {
    let text = scenario(work, customers, seed);
    let (plans, problems) = read("work.toml", &text, &Base::Builtin, &Overrides::default());
    let plans = plans.unwrap_or_else(|| panic!("{problems:#?}\n{text}"));
    plans.into_iter().next().expect("a scenario has at least one variant")
}

/// Runs the plan to its end, with every figure of its summary.
pub(crate) fn run(plan: &Plan) -> Outcome {
    let output = virtual_time::run(plan, &Options::default()).expect("it runs");
    assert!(output.summary.violations.is_empty(), "{:?}", output.summary.violations);
    let served = |class: &atqsim::metrics::ClassSummary| Served {
        customers: class.outcomes.served,
        mean_wait_us: class.wait.mean_us,
        busy_most: class.busy_max,
    };
    output.summary.classes.iter().map(served).collect()
}

fn scenario(work: &Work, customers: u64, seed: u64) -> String {
    let millis = (customers as f64 / ARRIVALS_PER_S * 1e3).ceil() as u64;
    let capped = |class: &super::Class| class.cap < THREADS;
    let order = if work.classes.iter().any(capped) { "oldest-eligible" } else { "port" };
    let mut text = format!("format = 1\ntitle = \"Work {}\"\nseed = {seed}\nduration = \"{millis}ms\"\n", work.name);
    // Services only wait, so that processors never bind.
    let _ = writeln!(text, "[node]\nprocessors = {THREADS}\nthreads = {THREADS}\n[assumptions]\norder = \"{order}\"");
    for class in work.classes {
        let name = class.name;
        let _ = writeln!(text, "[class.{name}]\nwait = {{ mean = \"{}ms\" }}", SERVICE_MEAN_S * 1e3);
        if capped(class) {
            let _ = writeln!(text, "kind = \"queue\"\ncap = {}", class.cap);
        }
        let rate = ARRIVALS_PER_S * f64::from(class.percent) / 100.0;
        let _ = writeln!(text, "[load.{name}]\nservice = \"{name}\"\nrate = {rate}");
    }
    text
}
