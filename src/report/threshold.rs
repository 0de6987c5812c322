//! Which of a plan's thresholds a run's figures keep.
//!
//! Not the thresholds (`plan::threshold`) and not their text (`scenario`). Pure. Called by `run`; told by `text` and
//! `json`.

use crate::ids::ClassId;
use crate::metrics::failover::{OverRuns, ServiceTime};
use crate::metrics::latency::LatencySummary;
use crate::metrics::limits::LimitFigures;
use crate::metrics::replicated::{Estimate, FIGURES, Replicated};
use crate::metrics::{ClassSummary, Summary};
use crate::plan::Plan;
use crate::plan::threshold::{Assert, Figure, LimitFigure, Relation, Statistic, Unit};
use crate::time::Nanos;

use super::ClusterReport;
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

/// Every threshold of `plan` against `summary`, one result a service that it names. Where the plan ran several times,
/// a figure is the mean over the runs and has its interval.
#[must_use]
pub fn check(
    plan: &Plan,
    summary: &Summary,
    cluster: Option<&ClusterReport>,
    replicated: Option<&Replicated>,
    (limits, limits_over_runs): (&LimitFigures, &[OverRuns]),
) -> Vec<AssertResult> {
    let mut results = Vec::new();
    for assert in &plan.asserts {
        if assert.figure.of_the_run() {
            let live =
                replicated.filter(|_| assert.figure == Figure::PoolLiveMax).map(|all| interval(&all.run.own[0], 1.0));
            let runs = live.or_else(|| match assert.figure {
                Figure::Limit(figure) => {
                    let (name, factor) = figure.listed_as();
                    over_runs(limits_over_runs, &name, factor)
                }
                figure => over_runs(&cluster?.over_runs, figure.of_the_cluster()?, 1.0),
            });
            let one = || of_the_run(plan, summary, cluster, limits, assert.figure);
            let found = runs.map_or_else(one, |(mean, _)| Some(mean));
            results.push(result(plan, assert, None, found, runs.map(|(_, interval)| interval)));
        }
        for class in &assert.classes {
            let service = Some(plan.class_name(*class).to_string());
            if assert.figure == Figure::Unavailable {
                let (found, interval) = unavailable(plan, *class, cluster);
                results.push(result(plan, assert, service, found, interval));
                continue;
            }
            let found = summary.classes.get(class.index()).and_then(|class| of_a_class(class, assert.figure));
            let estimate = replicated.and_then(|all| estimate(all, *class, assert.figure)).filter(|_| found.is_some());
            let interval = estimate.map(|(_, interval)| interval);
            let found = estimate.map_or(found, |(mean, _)| Some(mean));
            results.push(result(plan, assert, service, found, interval));
        }
    }
    results
}

/// Mean and interval of a figure over several runs, in its unit.
fn estimate(replicated: &Replicated, class: ClassId, figure: Figure) -> Option<(f64, (f64, f64))> {
    let (name, factor) = (figure.estimate_name(), if figure.unit() == Unit::Time { 1e9 } else { 1.0 });
    let at = FIGURES.iter().position(|known| known.name == name)?;
    let found = replicated.services.get(class.index())?.own.get(at)?;
    Some(interval(found, factor))
}

/// For how long the service of a class was unavailable, and its interval where there were several runs; nothing for a
/// class in which no user waits.
fn unavailable(plan: &Plan, class: ClassId, cluster: Option<&ClusterReport>) -> (Option<f64>, Option<(f64, f64)>) {
    let Some((cluster, planned)) = cluster.zip(plan.cluster.as_ref()) else { return (None, None) };
    let users = planned.classes_of_users(&plan.classes);
    let resource = users.iter().position(|users| *users == Some(class)).map(|at| &planned.spec.resources[at]);
    let service = resource.and_then(|resource| {
        let group = format!("{}.", planned.spec.groups[resource.group.index()].name);
        let own = |service: &&ServiceTime| service.kind == resource.kind && service.name.starts_with(&group);
        cluster.figures.services.iter().find(own)
    });
    let Some(service) = service else { return (None, None) };
    match over_runs(&cluster.over_runs, &format!("{}.unavailable_s", service.name), 1e9) {
        Some((mean, interval)) => (Some(mean), Some(interval)),
        None => (Some(service.unavailable().0 as f64), None),
    }
}

/// Mean and interval of a figure over several runs, in units of which `factor` make one of the estimate's.
fn over_runs(runs: &[OverRuns], name: &str, factor: f64) -> Option<(f64, (f64, f64))> {
    let found = runs.iter().find(|figure| figure.name == name)?;
    Some(interval(&found.estimate, factor))
}

/// Mean and interval, in units of which `factor` make one of the estimate's.
fn interval(found: &Estimate, factor: f64) -> (f64, (f64, f64)) {
    let (low, high) = (found.mean - found.half_width, found.mean + found.half_width);
    (found.mean * factor, (low * factor, high * factor))
}

fn result(
    plan: &Plan,
    assert: &Assert,
    service: Option<String>,
    found: Option<f64>,
    interval: Option<(f64, f64)>,
) -> AssertResult {
    AssertResult {
        text: assert.text.clone(),
        why: assert.why.clone(),
        variant: plan.variant.clone(),
        service,
        found,
        interval,
        relation: assert.relation,
        allowed: assert.value,
        unit: assert.figure.unit(),
        passed: passes(assert.relation, assert.value, found, interval),
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

fn of_the_run(
    plan: &Plan,
    summary: &Summary,
    cluster: Option<&ClusterReport>,
    limits: &LimitFigures,
    figure: Figure,
) -> Option<f64> {
    match figure {
        Figure::PoolSize => Some(f64::from(plan.pool.size)),
        Figure::PoolLiveMax => Some(f64::from(summary.live_threads_max)),
        Figure::Limit(figure) => of_a_limit(limits, figure),
        _ => {
            let name = figure.of_the_cluster()?;
            let all = cluster?.figures.listed();
            all.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
        }
    }
}

/// A figure of a limit, by its name there, in its unit.
fn of_a_limit(limits: &LimitFigures, figure: LimitFigure) -> Option<f64> {
    let (name, factor) = figure.listed_as();
    limits.listed().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value * factor)
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
        Figure::PoolSize | Figure::PoolLiveMax | Figure::Unavailable | Figure::Limit(_) => return None,
        Figure::Failovers | Figure::Restarts | Figure::Failures | Figure::SessionsCut => return None,
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
        Unit::Count if value.fract() == 0.0 => count(value as u64),
        Unit::Count => amount(value),
        Unit::ThreadSeconds => amount(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{TUNED, variant};
    use std::sync::Arc;

    use super::*;
    use crate::metrics::latency::Latency;
    use crate::metrics::replicated::run_figures;

    /// A store and a domain table to which nothing came.
    fn limits() -> LimitFigures {
        use crate::metrics::limits::{DomainFigures, StoreFigures, TransportFigures};
        use crate::models::{domain_table, store};
        use domain_table::spec::{DomainTableSpec, Software, Windows};
        let version = store::spec::Version::V50;
        let threads = store::spec::ThreadCounts::of(version, &store::spec::Registered::default());
        let spec = store::spec::StoreSpec { version, threads, assumptions: store::spec::Assumptions::default() };
        let table = DomainTableSpec {
            software: Software { windows: Windows::Server2003Sp2, is_x64: false, has_hotfix: false },
            zombie_domain_entry_threshold: None,
            memory_bytes: 1 << 30,
            planned_restarts: None,
            assumptions: domain_table::spec::Assumptions::default(),
        };
        let summary = store::Store::new(Arc::new(spec)).close_books(Nanos::SECOND);
        let table = domain_table::DomainMemory::new(Arc::new(table)).close_books(Nanos::SECOND);
        LimitFigures {
            store: Some(StoreFigures { summary, calls: Default::default() }),
            domains: Some(DomainFigures { summary: table }),
            transport: Some(TransportFigures { summary: transport(), senders: Vec::new() }),
        }
    }

    fn transport() -> crate::models::transport::TransportSummary {
        use crate::models::transport::Transport;
        use crate::models::transport::spec::{Machine, Role, TransportSpec, Version};
        let machine = Machine { queue_drive_bytes: 100 << 30, log_drive_bytes: None, memory_bytes: 4 << 30 };
        Transport::new(Arc::new(TransportSpec::after_setup(Role::Hub, Version::Sp1, machine)))
            .close_books(Nanos::SECOND)
    }

    #[test]
    fn every_figure_is_looked_up() {
        let mut report = variant("tuned", TUNED, Nanos::from_millis(280));
        let mut plan = (*report.plan).clone();
        let class = plan.class("pop3").expect("the sample has it");
        plan.asserts = Figure::all()
            .into_iter()
            .filter(|(_, figure)| !figure.needs_a_cluster())
            .map(|(text, figure)| Assert {
                text,
                why: String::new(),
                classes: if figure.of_the_run() { Vec::new() } else { vec![class] },
                figure,
                relation: Relation::AtLeast,
                value: 0.0,
            })
            .collect();
        let limits = limits();
        let results = check(&plan, &report.summary, None, None, (&limits, &[]));
        assert_eq!(results.len(), plan.asserts.len());
        assert!(results.iter().all(|result| result.passed && result.found.is_some()), "{results:?}");
        let found = |text: &str| results.iter().find(|r| r.text == text).and_then(|r| r.found);
        assert_eq!(found("arrivals"), Some(2_000.0));
        assert_eq!(found("pool.size"), Some(44.0));
        assert_eq!(found("wait.max"), Some(report.summary.classes[0].wait.max.0 as f64));
        // Over several runs each of them has an interval, but for the size, which is what it is, and for limits.
        let runs = vec![run_figures(&report.summary); 2];
        let waits = vec![Latency::default(); report.summary.classes.len()];
        let replicated = Replicated::of(&[1, 2], &runs, &waits, None);
        for result in check(&plan, &report.summary, None, Some(&replicated), (&limits, &[])) {
            let of_a_limit = ["store.", "domains.", "transport."].iter().any(|limit| result.text.starts_with(limit));
            assert_eq!(result.interval.is_some(), result.text != "pool.size" && !of_a_limit, "{}", result.text);
            let (a, b) = (result.found.unwrap_or(f64::NAN), found(&result.text).unwrap_or(f64::NAN));
            assert!((a - b).abs() <= 1e-9 * b.abs(), "{}: {a} is not {b}", result.text);
        }
        // What came to nobody has no mean, and keeps no threshold.
        report.summary.classes[class.index()].wait.count = 0;
        let results = check(&plan, &report.summary, None, None, (&LimitFigures::default(), &[]));
        let mean = results.iter().find(|r| r.text == "wait.mean").expect("it is checked");
        assert_eq!((mean.found, mean.passed, mean.found_text().as_str()), (None, false, "nothing measured"));
    }

    #[test]
    fn several_runs_give_a_mean_and_its_interval() {
        let report = variant("tuned", TUNED, Nanos::from_millis(280));
        let runs: Vec<_> = [0.5, 0.7, 0.9]
            .into_iter()
            .map(|percent| {
                let mut summary = report.summary.clone();
                summary.classes[0].starved_percent = percent;
                run_figures(&summary)
            })
            .collect();
        let waits = vec![Latency::default(); report.summary.classes.len()];
        let replicated = Replicated::of(&[1, 2, 3], &runs, &waits, None);
        let result = &check(&report.plan, &report.summary, None, Some(&replicated), (&LimitFigures::default(), &[]))[0];
        // Mean 0.7, standard deviation 0.2, t(2, 0.975) = 4.3027: half-width 0.4968.
        let (low, high) = result.interval.expect("there is one");
        assert!((low - 0.2032).abs() < 1e-4 && (high - 1.1968).abs() < 1e-4, "{low} {high}");
        assert!(!result.passed, "the mean of 0.7 is below 1, and the interval is not");
        assert_eq!(result.found_text(), "0.7 % (0.2 % to 1.2 %)");
    }

    #[test]
    fn an_interval_has_to_hold_as_a_whole() {
        assert!(passes(Relation::Below, 1.0, Some(0.9), None));
        assert!(!passes(Relation::Below, 1.0, Some(0.9), Some((0.7, 1.1))));
        assert!(passes(Relation::Below, 1.0, Some(0.9), Some((0.85, 0.95))));
    }
}
