//! `--precision`: which figures are to be known how well, how many runs that takes, and whether it was reached.
//!
//! The numbers of runs at which it is looked are fixed in advance: they depend on nothing that was measured and on no
//! clock, so the same scenario and seed always give the same report. Not the running. Called by
//! `run::replications`; a [`Target`] is read by `cli`.

use crate::ids::ClassId;
use crate::metrics::replicated::{Estimate, FIGURES, RunFigures, figure};
use crate::metrics::trust::RUNS_LEAST;
use crate::plan::Plan;
use crate::plan::threshold::{Figure, classes_called};
use crate::problem::{Place, Problem, nearest};
use crate::report::{Precision, Wide};

/// Runs to begin with where `--replications` does not say.
pub const RUNS_FIRST: usize = 10;
/// The most runs where `--max-replications` does not say.
pub const RUNS_MOST: usize = 1_000;

/// A figure of a service that is to be known well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service as the user named it; `None`: every service to which something came.
    pub service: Option<String>,
    /// The figure.
    pub figure: Figure,
}

impl Default for Target {
    /// The mean wait of every service.
    fn default() -> Target {
        Target { service: None, figure: Figure::Wait(crate::plan::threshold::Statistic::Mean) }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Half the width of the interval is to be at most this share of the mean; in (0, 1].
    pub share: f64,
    /// Of which figures.
    pub targets: Vec<Target>,
    /// The most runs; at least 2.
    pub most: usize,
}

/// Reads `5%`.
///
/// # Errors
/// What is wrong with it: no percentage, zero or less, more than 100 %.
pub fn share(text: &str) -> Result<f64, String> {
    const WANTED: &str = "write a percentage above 0 and up to 100, like 5%";
    let Some(number) = text.trim().strip_suffix('%') else {
        return Err(format!("`{text}` has no percent sign; {WANTED}"));
    };
    let Ok(percent) = number.trim().parse::<f64>() else { return Err(format!("`{text}` is no percentage; {WANTED}")) };
    if percent.is_nan() {
        return Err(format!("`{text}` is no percentage; {WANTED}"));
    }
    if percent > 100.0 {
        return Err(format!("`{text}` is not possible: an interval as wide as its mean says nothing; {WANTED}"));
    }
    if percent <= 0.0 {
        return Err(format!("`{text}` is not possible: chance leaves no interval without width; {WANTED}"));
    }
    Ok(percent / 100.0)
}

impl Target {
    /// Reads `pop3.wait.mean`, named as in a threshold, against the plans that are to run.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn read(text: &str, plans: &[Plan]) -> Result<Target, Problem> {
        let refuse = |message: &str, remedy: String| {
            Problem::error(Place::Named(format!("--precision-of {text}")), message, remedy)
        };
        let known = |(name, figure): &(String, Figure)| {
            (!figure.of_the_run() && !figure.needs_a_cluster()).then(|| name.clone())
        };
        let found = Figure::at_the_end_of(text).filter(|(_, figure)| !figure.needs_a_cluster());
        let Some((service, figure)) = found else {
            let names: Vec<String> = Figure::all().iter().filter_map(known).collect();
            let last = text.split_once('.').map_or(text, |(_, figure)| figure);
            let remedy = match nearest(last, names.iter().map(String::as_str)) {
                Some(near) => format!("write SERVICE.{near}, like pop3.{near}"),
                None => format!("write SERVICE.FIGURE; the figures are {}", names.join(", ")),
            };
            return Err(refuse("names no figure of a service", remedy));
        };
        if plans.iter().all(|plan| classes_called(&plan.classes, service).is_empty()) {
            let names: Vec<&str> = plans.iter().flat_map(|p| &p.classes).map(|class| class.name.as_str()).collect();
            let remedy = match nearest(service, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write pop3, smtp-in, a queue like local-delivery, or smtp for all of SMTP".to_string(),
            };
            return Err(refuse("names no service of this scenario", remedy));
        }
        Ok(Target { service: Some(service.to_string()), figure })
    }

    /// The classes of a plan that are meant.
    fn classes(&self, plan: &Plan) -> Vec<ClassId> {
        match &self.service {
            Some(name) => classes_called(&plan.classes, name),
            None => (0..plan.classes.len()).map(|at| ClassId(at as u16)).collect(),
        }
    }

    /// As a person reads it.
    fn name(&self, service: &str) -> String {
        let figure = Figure::all().into_iter().find(|(_, known)| *known == self.figure).map(|(name, _)| name);
        format!("{service}.{}", figure.unwrap_or_default())
    }
}

/// How many runs there are in all after each round: half as many again each time, up to the most.
pub(super) fn rounds(first: usize, most: usize) -> Vec<usize> {
    let mut rounds = vec![first.min(most)];
    while let Some(last) = rounds.last().copied().filter(|last| *last < most) {
        rounds.push((last + last.div_ceil(2)).min(most));
    }
    rounds
}

/// How far the wish is fulfilled by these runs: of each plan, the figures of each run.
pub(super) fn judge(wish: &Wish, plans: &[Plan], runs: &[Vec<&RunFigures>]) -> Precision {
    let (mut wide, mut zero) = (Vec::new(), Vec::new());
    for (plan, runs) in plans.iter().zip(runs).filter(|(_, runs)| runs.len() >= 2) {
        for target in &wish.targets {
            let name = target.figure.estimate_name();
            let Some(at) = FIGURES.iter().position(|figure| figure.name == name) else { continue };
            for class in target.classes(plan) {
                let column = |at: usize| runs.iter().map(|run| run.services[class.index()][at]).collect::<Vec<f64>>();
                if target.service.is_none() && column(figure("arrivals")).iter().all(|came| *came == 0.0) {
                    continue;
                }
                let estimate = Estimate::of(&column(at));
                let figure = target.name(plan.class_name(class));
                let variant = plan.variant.clone();
                if estimate.not_zero == 0 {
                    zero.push((variant, figure));
                } else if estimate.relative() > wish.share || (runs.len() as u64) < RUNS_LEAST {
                    wide.push(Wide { variant, figure, relative: estimate.relative() });
                }
            }
        }
    }
    let figures = wish.targets.iter().map(|target| target.name(target.service.as_deref().unwrap_or("every service")));
    Precision {
        asked: wish.share,
        figures: figures.collect(),
        runs: runs.first().map_or(0, Vec::len) as u64,
        most: wish.most as u64,
        wide,
        zero,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_above_zero() {
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!(share(" 0.5 % "), Ok(0.005));
        assert_eq!(share("100%"), Ok(1.0));
        for (text, part) in [
            ("0%", "not possible"),
            ("-5%", "not possible"),
            ("101%", "not possible"),
            ("nan%", "no percentage"),
            ("inf%", "not possible"),
            ("5", "no percent sign"),
            ("x%", "no percentage"),
            ("", "no percent sign"),
        ] {
            let error = share(text).expect_err(text);
            assert!(error.contains(part) && error.contains("like 5%"), "{error}");
        }
    }

    #[test]
    fn rounds_grow_by_half_and_end_at_the_most() {
        assert_eq!(rounds(10, 60), [10, 15, 23, 35, 53, 60]);
        assert_eq!(rounds(2, 3), [2, 3]);
        assert_eq!(rounds(50, 20), [20]);
    }
}
