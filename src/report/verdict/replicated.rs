//! The verdict over several runs: means with their intervals, in how many runs users starved, and by how much the
//! variants differ.
//!
//! Not the verdict on one run, and not the tables of estimates (`text/replications`). Called by `verdict`.

use super::super::format::{and, counted, protocol_name};
use super::super::text::replications::{interval, value};
use super::super::{Report, VariantReport};
use super::{MAIL_WAITS_WORTH_A_WORD, State, VariantVerdict, or};
use crate::ids::ClassId;
use crate::metrics::derived::Together;
use crate::metrics::replicated::{Estimate, Replicated, figure};
use crate::metrics::trust::Doubt;
use crate::plan::{Plan, Role};
use crate::time::Nanos;

fn estimate<'r>(replicated: &'r Replicated, class: ClassId, name: &str) -> &'r Estimate {
    &replicated.services[class.index()].own[figure(name)]
}

/// The protocols to which something came in any run.
fn protocols(plan: &Plan, replicated: &Replicated) -> Vec<ClassId> {
    (0..plan.classes.len().min(replicated.services.len()))
        .map(|at| ClassId(at as u16))
        .filter(|id| plan.classes[id.index()].role == Role::Protocol)
        .filter(|id| estimate(replicated, *id, "arrivals").not_zero > 0)
        .collect()
}

/// The class whose figure is the largest on average.
fn worst(replicated: &Replicated, classes: &[ClassId], name: &str) -> Option<ClassId> {
    let mean = |id: &&ClassId| estimate(replicated, **id, name).mean;
    classes.iter().max_by(|a, b| mean(a).total_cmp(&mean(b))).copied()
}

/// The verdict on a variant over all its runs.
pub(super) fn judge(variant: &VariantReport, replicated: &Replicated, settings: String) -> VariantVerdict {
    let plan = &variant.plan;
    let all = protocols(plan, replicated);
    let starved_in = |id: &ClassId| estimate(replicated, *id, "starved_percent").not_zero;
    let starved: Vec<ClassId> = all.iter().copied().filter(|id| starved_in(id) > 0).collect();
    let (state, judged) = match (all.is_empty(), starved.is_empty()) {
        (true, _) => (State::NoLoad, all),
        (_, true) => (State::Healthy, all),
        (_, false) => (State::Starved, starved),
    };
    let users: Vec<String> = judged.iter().map(|id| protocol_name(plan.class_name(*id))).collect();
    let longest = judged.iter().map(|id| replicated.merged_wait[id.index()].max).max().unwrap_or_default();
    let runs = replicated.seeds.len() as u64;
    let text = match state {
        State::NoLoad | State::Failed => {
            "no user sent a request in any run, so there is nothing to say about waiting".to_string()
        }
        State::Healthy => {
            let worst = worst(replicated, &judged, "wait_mean_s");
            let mean = worst.map(|id| told("wait_mean_s", estimate(replicated, id, "wait_mean_s"))).unwrap_or_default();
            let users = or(&users);
            format!(
                "no {users} user starved in any of {runs} runs (mean wait at most {mean}, the longest wait {longest})"
            )
        }
        State::Starved => starved_text(plan, replicated, &judged, &users, longest),
    };
    let text = format!("{text}{}", mail_clause(plan, replicated));
    let starved_percent = judged.iter().map(|id| estimate(replicated, *id, "starved_percent").mean);
    let figures =
        Together { starved_percent: starved_percent.fold(0.0, f64::max), longest_wait: longest, ..Together::default() };
    VariantVerdict { state, settings, text, users, figures }
}

fn starved_text(plan: &Plan, replicated: &Replicated, judged: &[ClassId], users: &[String], longest: Nanos) -> String {
    let runs = replicated.seeds.len();
    let counts: Vec<u64> = judged.iter().map(|id| estimate(replicated, *id, "starved_percent").not_zero).collect();
    let most = counts.iter().copied().max().unwrap_or(0);
    let up_to = if counts.iter().any(|count| *count != most) { "up to " } else { "" };
    let Some(worst) = worst(replicated, judged, "starved_percent") else { return String::new() };
    let of = |name: &str| told(name, estimate(replicated, worst, name));
    let mut text = format!(
        "{} users starved in {up_to}{most} of {runs} runs, {} for {} of the time, with a mean wait of {} and waits of up to \
         {longest}",
        and(users),
        protocol_name(plan.class_name(worst)),
        of("starved_percent"),
        of("wait_mean_s"),
    );
    if estimate(replicated, worst, "gave_up").not_zero > 0 {
        text.push_str(&format!(" ({} requests given up a run)", of("gave_up")));
    }
    text
}

/// A mean with its interval, and with the doubt about it.
fn told(name: &str, estimate: &Estimate) -> String {
    let doubt = match estimate.doubt {
        None | Some(Doubt::NeverSeen) => String::new(),
        Some(doubt) => format!(" [interval not trustworthy: {}]", doubt.reason()),
    };
    format!("{}{doubt}", interval(name, estimate))
}

/// What users are spared may be what the mail suffers.
fn mail_clause(plan: &Plan, replicated: &Replicated) -> String {
    let mail: Vec<usize> = (0..plan.classes.len().min(replicated.merged_wait.len()))
        .filter(|at| plan.classes[*at].role.is_mail())
        .collect();
    let longest = mail.iter().map(|at| replicated.merged_wait[*at].max).max().unwrap_or_default();
    if longest < plan.starvation_after * MAIL_WAITS_WORTH_A_WORD {
        return String::new();
    }
    let left: f64 = mail.iter().map(|at| replicated.services[*at].own[figure("still_waiting")].mean).sum();
    let still = match left.round() as u64 {
        0 => String::new(),
        items => format!(" and {} still waited at the end of a run on average", counted(items, "item")),
    };
    format!(", but mail waited for up to {longest} in one queue{still}")
}

/// By how much each variant differs from the first for its users, with the interval of the paired differences; empty
/// where there is nothing to pair.
pub(super) fn differences(report: &Report) -> Option<String> {
    let first = report.variants.first()?;
    let theirs = first.replicated.as_ref()?;
    let each = report.variants.iter().skip(1).filter_map(|variant| {
        let own = variant.replicated.as_ref()?;
        difference((first, theirs), (variant, own))
    });
    let told: Vec<String> = each.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn difference(first: (&VariantReport, &Replicated), other: (&VariantReport, &Replicated)) -> Option<String> {
    let plan = &other.0.plan;
    let protocols = protocols(plan, other.1);
    let starved = |id: &ClassId| {
        let mean = |replicated: &Replicated| estimate(replicated, *id, "starved_percent").mean;
        mean(first.1).max(mean(other.1))
    };
    let class = protocols.iter().copied().reduce(|a, b| if starved(&b) > starved(&a) { b } else { a })?;
    let all = other.1.services[class.index()].difference.as_ref()?;
    let of = |name: &str| &all[figure(name)];
    let (starving, waiting) = (of("starved_percent"), of("wait_mean_s"));
    let deciding = [starving, waiting].into_iter().find(|found| found.differs_from_zero() && found.doubt.is_none());
    let names = (super::plain(&other.0.plan.variant), super::plain(&first.0.plan.variant));
    let (own, theirs) = &names;
    let claim = match deciding {
        Some(found) if found.mean < 0.0 => format!("{own} is better than {theirs}"),
        Some(_) => format!("{own} is worse than {theirs}"),
        None => format!("no difference between {own} and {theirs} is proven"),
    };
    let part = |name: &str, what: &str, unit: &str, found: &Estimate| {
        let (word, mean) = if found.mean > 0.0 { ("more", found.mean) } else { ("less", -found.mean) };
        let size = match found.half_width {
            0.0 if found.mean == 0.0 => return format!("{what} the same"),
            half => format!("{} ± {}", value(name, mean), value(name, half)),
        };
        format!("{what} {size}{unit} {word}")
    };
    let starving = part("starved_percent", "starved", " of the time", starving);
    let waiting = part("wait_mean_s", "mean wait", "", waiting);
    let (user, pairs) = (protocol_name(plan.class_name(class)), other.1.seeds.len());
    Some(format!("{claim} ({user}: {starving}, {waiting}; 95 % intervals over {pairs} pairs of runs)"))
}
