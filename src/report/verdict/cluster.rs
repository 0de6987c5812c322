//! Which variant of a cluster was best for its users, and what its failovers did to them.
//!
//! Not the verdict on starvation (`verdict`). Called by `verdict`; nothing where no variant has a cluster.

use super::super::format::{and, counted, plain};
use super::super::text::replications::value;
use super::super::{ClusterReport, Report, VariantReport};
use crate::metrics::failover::{USERS_BY_MOVES, USERS_UNAVAILABLE};
use crate::plan::Role;
use crate::time::Nanos;

/// What is added to the verdict.
pub(super) fn clause(report: &Report) -> Option<String> {
    let told: Vec<(&VariantReport, &ClusterReport)> =
        report.variants.iter().filter_map(|v| v.cluster.as_ref().map(|cluster| (v, cluster))).collect();
    let (first, _) = *told.first()?;
    let name = |v: &VariantReport| plain(&v.plan.variant);
    let each = |text: &dyn Fn(&VariantReport, &ClusterReport) -> String| -> String {
        let words = told.iter().map(|(v, found)| match told.len() {
            1 => text(v, found),
            _ => format!("{} {}", name(v), text(v, found)),
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let unavailable = |found: &ClusterReport| mean(found, USERS_UNAVAILABLE);
    let times = each(&|_, found| shown(unavailable(found)));
    let waits = each(&|v, _| wait_p99(v).to_string());
    let failovers = each(&|_, found| failovers(found));
    if told.len() == 1 && report.variants.len() == 1 {
        return Some(format!(
            "POP3 and IMAP4 were unavailable for {times} in all, and the p99 of their waits was {waits}; the cluster had \
             {failovers}"
        ));
    }
    let least = told.iter().map(|(_, found)| unavailable(found)).fold(f64::INFINITY, f64::min);
    let best: Vec<String> =
        told.iter().filter(|(_, found)| unavailable(found) <= least).map(|(v, _)| name(v)).collect();
    let shortest = told.iter().map(|(v, _)| wait_p99(v)).min().unwrap_or_else(|| wait_p99(first));
    let soonest: Vec<String> = told.iter().filter(|(v, _)| wait_p99(v) == shortest).map(|(v, _)| name(v)).collect();
    let and_who = if soonest == best { "and".to_string() } else { best_of(&soonest, told.len()) };
    Some(format!(
        "{} by the time in which POP3 and IMAP4 were unavailable, all together ({times}), {and_who} by the p99 of their waits \
         ({waits}); the clusters had: {failovers}",
        best_of(&best, told.len()),
    ))
}

fn best_of(best: &[String], of: usize) -> String {
    match best.len() {
        all if all == of => "all variants were equally good for users".into(),
        1 => format!("{} was best for users", best[0]),
        _ => format!("{} were equally good for users", and(best)),
    }
}

/// `3 failovers, which took 41.0 s of that by themselves`.
fn failovers(found: &ClusterReport) -> String {
    let number = match found.over_runs.iter().find(|figure| figure.name == "failovers") {
        Some(figure) if figure.least < figure.most => format!("{} failovers", value("failovers", figure.estimate.mean)),
        _ => counted(found.figures.failovers, "failover"),
    };
    let by_moves = mean(found, USERS_BY_MOVES);
    if by_moves > 0.0 {
        format!("{number}, and moves of groups made {} of the unavailable time by themselves", shown(by_moves))
    } else {
        number
    }
}

/// A figure: its mean over the runs where there were several.
fn mean(found: &ClusterReport, name: &str) -> f64 {
    let over_runs = found.over_runs.iter().find(|figure| figure.name == name).map(|figure| figure.estimate.mean);
    let one = || found.figures.listed().into_iter().find(|(known, _)| known == name).map(|(_, value)| value);
    over_runs.or_else(one).unwrap_or(0.0)
}

fn shown(seconds: f64) -> String {
    value("_s", seconds)
}

/// The largest 99th percentile of the waits of any protocol; of all runs together where there were several.
fn wait_p99(variant: &VariantReport) -> Nanos {
    let merged = variant.replicated.as_ref().map(|all| &all.merged_wait);
    let users = variant.plan.classes.iter().enumerate().filter(|(_, class)| class.role == Role::Protocol);
    let waits = users.filter_map(|(at, _)| match merged {
        Some(merged) => merged.get(at).map(|wait| wait.p99),
        None => variant.summary.classes.get(at).map(|class| class.wait.p99),
    });
    waits.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::{on_cluster, report};
    use super::super::sentence;
    use crate::time::Nanos;

    #[test]
    fn a_comparison_says_who_was_best_by_both_and_what_failovers_cost() {
        let both =
            report(vec![on_cluster("untuned", Nanos::from_secs(40), false), on_cluster("tuned", Nanos::ZERO, true)]);
        let text = sentence(&both);
        for part in [
            "tuned was best for users by the time in which POP3 and IMAP4 were unavailable, all together (untuned ",
            ", tuned 0), and by the p99 of their waits (untuned 30.0 s, tuned ",
            "the clusters had: untuned 1 failover, and moves of groups made ",
            "of the unavailable time by themselves, tuned 0 failovers.",
        ] {
            assert!(text.contains(part), "no `{part}` in: {text}");
        }
        let alike = report(vec![on_cluster("a", Nanos::ZERO, true), on_cluster("b", Nanos::ZERO, true)]);
        assert_eq!(sentence(&alike).matches("all variants were equally good for users").count(), 1);
        let one = sentence(&report(vec![on_cluster("a", Nanos::ZERO, true)]));
        assert!(one.contains("POP3 and IMAP4 were unavailable for 0 in all") && !one.contains("best"), "{one}");
    }
}
