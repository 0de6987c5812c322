//! Which of a plan's thresholds a run's figures keep.
//!
//! Not the thresholds (`plan::threshold`) and not their text (`scenario`). Pure. Called by `run`; told by `text` and
//! `json`.

use crate::metrics::latency::LatencySummary;
use crate::metrics::{ClassSummary, Summary};
use crate::plan::Plan;
use crate::plan::threshold::{Assert, Figure, Relation, Statistic, Unit};
use crate::time::Nanos;

use super::format::{amount, count, micros};

/// One threshold, compared with one service or with the whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct AssertResult {
    /// The threshold as the scenario says it.
    pub text: String,
    /// Why it is there; may be empty.
    pub why: String,
    /// The variant's name.
    pub variant: String,
    /// The service; `None` where the figure is of the whole run.
    pub service: Option<String>,
    /// What was found; `None` where nothing was measured, as in the mean wait of no item.
    pub found: Option<f64>,
    /// The confidence interval of what was found, where there is one.
    pub interval: Option<(f64, f64)>,
    /// How it is compared.
    pub relation: Relation,
    /// With what.
    pub allowed: f64,
    /// The unit of `found`, `interval` and `allowed`.
    pub unit: Unit,
    /// Whether it holds. What was not measured holds nothing, and an interval has to hold as a whole.
    pub passed: bool,
}

impl AssertResult {
    /// What was found, as a person reads it.
    #[must_use]
    pub fn found_text(&self) -> String {
        let Some(found) = self.found else { return "nothing measured".into() };
        let text = |value| shown(value, self.unit);
        match self.interval {
            Some((low, high)) => format!("{} ({} to {})", text(found), text(low), text(high)),
            None => text(found),
        }
    }
}

/// Every threshold of `plan` against `summary`, one result a service that it names.
#[must_use]
pub fn check(plan: &Plan, summary: &Summary) -> Vec<AssertResult> {
    let mut results = Vec::new();
    for assert in &plan.asserts {
        if assert.figure.of_the_run() {
            results.push(result(plan, assert, None, of_the_run(plan, summary, assert.figure)));
        }
        for class in &assert.classes {
            let service = Some(plan.class_name(*class).to_string());
            let found = summary.classes.get(class.index()).and_then(|class| of_a_class(class, assert.figure));
            results.push(result(plan, assert, service, found));
        }
    }
    results
}

fn result(plan: &Plan, assert: &Assert, service: Option<String>, found: Option<f64>) -> AssertResult {
    AssertResult {
        text: assert.text.clone(),
        why: assert.why.clone(),
        variant: plan.variant.clone(),
        service,
        found,
        interval: None,
        relation: assert.relation,
        allowed: assert.value,
        unit: assert.figure.unit(),
        passed: passes(assert.relation, assert.value, found, None),
    }
}

/// Whether what was found keeps to `allowed`.
#[must_use]
pub fn passes(relation: Relation, allowed: f64, found: Option<f64>, interval: Option<(f64, f64)>) -> bool {
    match (found, interval) {
        (None, _) => false,
        (Some(_), Some(interval)) => relation.holds_throughout(interval, allowed),
        (Some(found), None) => relation.holds(found, allowed),
    }
}

fn of_the_run(plan: &Plan, summary: &Summary, figure: Figure) -> Option<f64> {
    match figure {
        Figure::PoolSize => Some(f64::from(plan.pool.size)),
        Figure::PoolLiveMax => Some(f64::from(summary.live_threads_max)),
        _ => None,
    }
}

fn of_a_class(class: &ClassSummary, figure: Figure) -> Option<f64> {
    Some(match figure {
        Figure::StarvedPercent => class.starved_percent,
        Figure::ShutOutPercent => class.shut_out_percent,
        Figure::LongestEpisode => class.longest_episode.0 as f64,
        Figure::Episodes => class.episode_count as f64,
        Figure::Arrivals => class.arrivals as f64,
        Figure::Served => class.outcomes.served as f64,
        Figure::GaveUp => class.outcomes.gave_up as f64,
        Figure::Refused => class.outcomes.refused as f64,
        Figure::Lost => class.outcomes.lost as f64,
        Figure::Unfinished => class.outcomes.unfinished as f64,
        Figure::ThreadSeconds => class.thread_seconds,
        Figure::BusyMax => f64::from(class.busy_max),
        Figure::WaitingMax => class.waiting_max as f64,
        Figure::Wait(statistic) => return of_a_latency(&class.wait, statistic),
        Figure::Service(statistic) => return of_a_latency(&class.service, statistic),
        Figure::PoolSize | Figure::PoolLiveMax => return None,
    })
}

fn of_a_latency(latency: &LatencySummary, statistic: Statistic) -> Option<f64> {
    if latency.count == 0 {
        return None;
    }
    let time = |time: Nanos| time.0 as f64;
    Some(match statistic {
        Statistic::Mean => latency.mean_us * 1e3,
        Statistic::P50 => time(latency.p50),
        Statistic::P90 => time(latency.p90),
        Statistic::P99 => time(latency.p99),
        Statistic::P999 => time(latency.p999),
        Statistic::Max => time(latency.max),
    })
}

/// A value in its unit. Percentages keep two digits: the threshold may lie between two that [`super::format::percent`]
/// shows alike.
fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Percent => format!("{} %", (value * 100.0).round() / 100.0),
        Unit::Time => micros(value / 1e3),
        Unit::Count => count(value as u64),
        Unit::ThreadSeconds => amount(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{TUNED, variant};
    use super::*;

    #[test]
    fn every_figure_is_looked_up() {
        let mut report = variant("tuned", TUNED, Nanos::from_millis(280));
        let mut plan = (*report.plan).clone();
        let class = plan.class("pop3").expect("the sample has it");
        plan.asserts = Figure::all()
            .into_iter()
            .map(|(text, figure)| Assert {
                text,
                why: String::new(),
                classes: if figure.of_the_run() { Vec::new() } else { vec![class] },
                figure,
                relation: Relation::AtLeast,
                value: 0.0,
            })
            .collect();
        let results = check(&plan, &report.summary);
        assert_eq!(results.len(), plan.asserts.len());
        assert!(results.iter().all(|result| result.passed && result.found.is_some()), "{results:?}");
        let found = |text: &str| results.iter().find(|r| r.text == text).and_then(|r| r.found);
        assert_eq!(found("arrivals"), Some(2_000.0));
        assert_eq!(found("pool.size"), Some(44.0));
        assert_eq!(found("wait.max"), Some(report.summary.classes[0].wait.max.0 as f64));
        // What came to nobody has no mean, and keeps no threshold.
        report.summary.classes[class.index()].wait.count = 0;
        let results = check(&plan, &report.summary);
        let mean = results.iter().find(|r| r.text == "wait.mean").expect("it is checked");
        assert_eq!((mean.found, mean.passed, mean.found_text().as_str()), (None, false, "nothing measured"));
    }

    #[test]
    fn an_interval_has_to_hold_as_a_whole() {
        assert!(passes(Relation::Below, 1.0, Some(0.9), None));
        assert!(!passes(Relation::Below, 1.0, Some(0.9), Some((0.7, 1.1))));
        assert!(passes(Relation::Below, 1.0, Some(0.9), Some((0.85, 0.95))));
    }
}
