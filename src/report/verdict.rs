//! What came of it, in one sentence that needs no knowledge of thread pools.
//!
//! Not a table, and it knows no scenario: a variant is called by the registry values in which it differs from the
//! others, and judged by its protocols. Of several runs it speaks with intervals, and of differences by the variants'
//! names (`verdict/replicated.rs`). Called by `text` and `json`.

mod cluster;
mod limits;
mod replicated;
mod transport;

use std::collections::BTreeSet;

use super::format::{and, count, counted, percent, plain, protocol_name};
use super::{Gravity, Notice, Report, VariantReport};
use crate::ids::ClassId;
use crate::metrics::derived::{Together, pool_share_while_starved, together};
use crate::metrics::host::HostVerdict;
use crate::plan::Role;
use crate::policy::registry::ValueId;
use crate::time::Nanos;

/// Variants that are told one by one; of more, the worst and the best are told.
const TOLD_ONE_BY_ONE: usize = 4;

/// What became of a variant's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A protocol starved.
    Starved,
    /// None did.
    Healthy,
    /// No request of any protocol came, so there is nothing to judge.
    NoLoad,
    /// No protocol starved, and a limit beside the pool was hit: the Internet Mail Service shut down, memory was gone, or
    /// honest mail did not get through.
    Failed,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Starved => "starved",
            State::Healthy => "healthy",
            State::NoLoad => "no-load",
            State::Failed => "failed",
        }
    }
}

/// The verdict on one variant.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantVerdict {
    /// What became of its users.
    pub state: State,
    /// What it was run with, as far as the variants differ: `with an empty registry`.
    pub settings: String,
    /// What its users saw: `nobody waited longer than 310 ms`.
    pub text: String,
    /// The protocols that starved, or all of them where none did.
    pub users: Vec<String>,
    /// The figures behind it.
    pub figures: Together,
}

/// The verdict on each variant, in order.
#[must_use]
pub fn per_variant(report: &Report) -> Vec<VariantVerdict> {
    let settings = settings(report);
    let judged = report.variants.iter().zip(settings).map(|(variant, settings)| judge(variant, settings));
    judged.enumerate().map(|(at, verdict)| with_limits(report, at, verdict)).collect()
}

/// The verdict on the pool's users, and what became of the limits beside the pool.
fn with_limits(report: &Report, at: usize, verdict: VariantVerdict) -> VariantVerdict {
    let Some((settings, text, state)) = limits::of_variant(report, at) else { return verdict };
    if report.variants[at].plan.classes.is_empty() {
        return VariantVerdict { state, settings, text, ..verdict };
    }
    let state = match (verdict.state, state) {
        (State::Healthy | State::NoLoad, State::Failed) => State::Failed,
        (own, _) => own,
    };
    VariantVerdict { state, text: format!("{}; {text}", verdict.text), ..verdict }
}

/// The verdict on the whole, in one sentence.
#[must_use]
pub fn sentence(report: &Report) -> String {
    if let Some(reason) = unquotable(report) {
        return format!("These figures must not be quoted: {reason}.");
    }
    let limits = limits::clause(report);
    let told = match limits {
        Some(limits) if !report.has_services() => limits,
        Some(limits) => format!("{}; {limits}", of_services(report).trim_end_matches('.')),
        None => of_services(report),
    };
    let told = format!("{}.", told.trim_end_matches('.'));
    let told = with_interruption(report, &told);
    match slow_host(report) {
        Some(reason) => format!("{}; but do not quote these figures: {reason}.", told.trim_end_matches('.')),
        None => told,
    }
}

/// The verdict on the pool's users in all variants.
fn of_services(report: &Report) -> String {
    let settings = settings(report);
    let verdicts: Vec<VariantVerdict> =
        report.variants.iter().zip(settings).map(|(variant, settings)| judge(variant, settings)).collect();
    let told = match verdicts.as_slice() {
        [only] => match only.state {
            State::NoLoad => only.text.clone(),
            _ => format!("{}, {}", only.settings, only.text),
        },
        all if all.iter().all(|v| v.state == State::NoLoad) => {
            format!("{} in any of the {} variants", all[0].text, all.len())
        }
        all if all.len() <= TOLD_ONE_BY_ONE => {
            let told: Vec<String> = all.iter().map(|v| format!("{}, {}", v.settings, v.text)).collect();
            told.join("; ")
        }
        all => worst_and_best(all),
    };
    let differences = replicated::differences(report).filter(|_| verdicts.len() <= TOLD_ONE_BY_ONE);
    let told = match differences {
        Some(differences) => format!("{}; so {differences}", told.trim_end_matches('.')),
        None => told,
    };
    match cluster::clause(report) {
        Some(clause) => format!("{}; {clause}", told.trim_end_matches('.')),
        None => told,
    }
}

fn with_interruption(report: &Report, told: &str) -> String {
    match report.variants.iter().filter(|v| v.interrupted).map(|v| v.summary.end).min() {
        Some(end) if report.variants.len() == 1 => {
            format!("The run was interrupted after {end}, and until then: {}", lower_first(told))
        }
        Some(end) => format!(
            "The run was interrupted, one variant after {end}, so this is no fair comparison; until then: {}",
            lower_first(told)
        ),
        None => capitalised(told),
    }
}

/// Why no figure may be quoted, if that is so.
fn unquotable(report: &Report) -> Option<String> {
    if report.variants.iter().any(|v| !v.summary.violations.is_empty()) {
        return Some("the run broke its own laws of counting, which is an error of the program".into());
    }
    let interrupted = report.variants.iter().any(|v| v.interrupted);
    let told_otherwise = ["interrupted", "host-unusable", if interrupted { "incomplete" } else { "" }];
    let grave = |n: &&Notice| n.gravity == Gravity::Grave && !told_otherwise.contains(&n.code.as_str());
    let grave = report.notices.iter().find(grave)?;
    Some(plain(grave.text.trim_end_matches('.')))
}

/// Why the figures are those of the host as much as of the scenario, if that is so. What starved for minutes did starve,
/// so the story is told all the same.
fn slow_host(report: &Report) -> Option<String> {
    let unusable = |v: &&VariantReport| v.host_verdict().is_some_and(|(word, _)| word == HostVerdict::Unusable);
    let variant = report.variants.iter().find(unusable)?;
    let reasons = variant.host_verdict().map(|(_, reasons)| reasons).unwrap_or_default();
    let reason = and(&reasons);
    Some(format!(
        "this computer could not keep the emulated clock ({reason}), so run it slower, on a quieter computer, or in \
         virtual time"
    ))
}

fn judge(variant: &VariantReport, settings: String) -> VariantVerdict {
    if let Some(replicated) = &variant.replicated {
        return replicated::judge(variant, replicated, settings);
    }
    let (plan, summary) = (&variant.plan, &variant.summary);
    let protocols: Vec<ClassId> = (0..plan.classes.len().min(summary.classes.len()))
        .map(|at| ClassId(at as u16))
        .filter(|id| plan.classes[id.index()].role == Role::Protocol && summary.classes[id.index()].arrivals > 0)
        .collect();
    let starved: Vec<ClassId> =
        protocols.iter().copied().filter(|id| summary.classes[id.index()].starved > Nanos::ZERO).collect();
    let (state, judged) = match (protocols.is_empty(), starved.is_empty()) {
        (true, _) => (State::NoLoad, protocols),
        (_, true) => (State::Healthy, protocols),
        (_, false) => (State::Starved, starved),
    };
    let users: Vec<String> = judged.iter().map(|id| protocol_name(plan.class_name(*id))).collect();
    let figures = together(summary, &judged);
    let text = match state {
        // Of the limits beside the pool nothing is known here.
        State::NoLoad | State::Failed => "no user sent a request, so there is nothing to say about waiting".to_string(),
        State::Healthy => healthy(&users, &figures),
        State::Starved => {
            let worst = judged.iter().map(|id| &summary.classes[id.index()]).max_by_key(|class| class.starved);
            let is_queue = |id: ClassId| matches!(plan.classes[id.index()].role, Role::HeavyQueue | Role::LightQueue);
            let held = worst.map_or(0.0, |class| pool_share_while_starved(class, is_queue, plan.pool.size));
            starved_text(&users, &figures, held)
        }
    };
    let text = format!("{text}{}", mail_clause(variant));
    VariantVerdict { state, settings, text, users, figures }
}

/// What users are spared may be what the mail suffers; a verdict on users alone would hide that.
fn mail_clause(variant: &VariantReport) -> String {
    let (plan, summary) = (&variant.plan, &variant.summary);
    let is_mail = |id: &ClassId| plan.classes[id.index()].role.is_mail();
    let mail: Vec<ClassId> =
        (0..plan.classes.len().min(summary.classes.len())).map(|at| ClassId(at as u16)).filter(is_mail).collect();
    let all = together(summary, &mail);
    let oldest = mail.iter().filter_map(|id| summary.classes[id.index()].oldest_waiting).max().unwrap_or_default();
    let worth_a_word = plan.starvation_after * MAIL_WAITS_WORTH_A_WORD;
    if oldest >= worth_a_word {
        format!(", but {} still waited at the end, the oldest for {oldest}", counted(all.still_waiting, "mail item"))
    } else if all.longest_wait >= worth_a_word {
        format!(", and mail waited for up to {} in one queue", all.longest_wait)
    } else {
        String::new()
    }
}

/// Mail waits of so many times `starvation_after` are told in the verdict.
const MAIL_WAITS_WORTH_A_WORD: u64 = 60;

fn healthy(users: &[String], figures: &Together) -> String {
    let mut text = match figures.longest_wait {
        Nanos::ZERO => format!("no {} user waited for a thread", or(users)),
        wait => format!("no {} user waited longer than {wait} for a thread", or(users)),
    };
    let unserved = figures.gave_up + figures.refused + figures.lost;
    if unserved > 0 {
        text.push_str(&format!(", though {} were given up, refused or lost", counted(unserved, "request")));
    }
    text
}

fn starved_text(users: &[String], figures: &Together, held: f64) -> String {
    let up_to = if users.len() > 1 { "up to " } else { "" };
    let mut facts = vec![format!("starved {up_to}{} of the time", percent(figures.starved_percent))];
    if figures.gave_up > 0 {
        facts.push(format!("{} given up", counted(figures.gave_up, "request")));
    }
    if figures.refused > 0 {
        facts.push(format!("{} refused", count(figures.refused)));
    }
    if figures.lost > 0 {
        facts.push(format!("{} lost", count(figures.lost)));
    }
    if figures.still_waiting > 0 {
        facts.push(format!("{} still waiting at the end", count(figures.still_waiting)));
    }
    let meanwhile = match held {
        held if held >= 1.0 => format!(" while SMTP's queues held {} of the pool's threads", percent(held)),
        _ => String::new(),
    };
    format!(
        "{} users were left waiting for up to {} ({}){meanwhile}",
        and(users),
        figures.longest_wait,
        facts.join(", ")
    )
}

fn worst_and_best(all: &[VariantVerdict]) -> String {
    let key = |v: &&VariantVerdict| (v.figures.starved_percent.to_bits(), v.figures.longest_wait);
    let judged = || all.iter().filter(|v| v.state != State::NoLoad);
    let starved = all.iter().filter(|v| v.state == State::Starved).count();
    let (Some(worst), Some(best)) = (judged().max_by_key(key), judged().min_by_key(key)) else { return String::new() };
    format!(
        "in {} of {} variants users starved for threads; the worst was the one {}: {}; the best was the one {}: {}",
        if starved == 0 { "none".to_string() } else { starved.to_string() },
        all.len(),
        worst.settings,
        worst.text,
        best.settings,
        best.text,
    )
}

/// What each variant was run with, as far as they differ in their registries; else their other differences; else
/// their names.
fn settings(report: &Report) -> Vec<String> {
    let variants = &report.variants;
    let mut differ: BTreeSet<ValueId> = BTreeSet::new();
    for (id, _) in variants.iter().flat_map(|v| v.plan.registry.iter()) {
        if variants.len() == 1 || variants.iter().any(|v| v.plan.registry.get(id) != variants[0].plan.registry.get(id))
        {
            differ.insert(id);
        }
    }
    let by_registry: Vec<String> = variants.iter().map(|v| registry_words(v, &differ)).collect();
    if all_differ(&by_registry) {
        return by_registry;
    }
    let by_all: Vec<String> =
        variants.iter().zip(by_registry).map(|(v, words)| with_other_differences(v, variants, words)).collect();
    if all_differ(&by_all) {
        return by_all;
    }
    variants.iter().map(|v| format!("in variant {}", plain(&v.plan.variant))).collect()
}

fn registry_words(variant: &VariantReport, differ: &BTreeSet<ValueId>) -> String {
    let registry = &variant.plan.registry;
    if registry.is_empty() {
        return "with an empty registry".into();
    }
    let set = |id: &ValueId| registry.get(*id).map(|data| format!("{}={data}", id.value().full_name()));
    let words: Vec<String> = differ.iter().filter_map(set).collect();
    if !words.is_empty() {
        return format!("with {}", and(&words));
    }
    let absent: Vec<String> = differ.iter().map(|id| id.value().full_name()).collect();
    if absent.is_empty() { "with the same registry".into() } else { format!("without {}", and(&absent)) }
}

fn with_other_differences(variant: &VariantReport, all: &[VariantReport], words: String) -> String {
    let facts = |v: &VariantReport| {
        let (machine, plan) = (v.plan.machine, &v.plan);
        let mut facts = vec![
            ("processors", machine.processors.to_string()),
            ("MB of memory", machine.memory_mb.to_string()),
            ("SMTP virtual servers", machine.smtp_virtual_servers.to_string()),
        ];
        facts.extend(plan.assumptions.list().into_iter().map(|a| (a.name, a.value)));
        facts.extend(plan.cluster.iter().flat_map(|cluster| cluster.policies.settings()));
        facts.extend(plan.limits.store.iter().map(|store| ("Max Threads", store.spec.threads.max.to_string())));
        let options = plan.limits.transport.iter().flat_map(|transport| transport.options());
        facts.extend(options.map(|option| (option.name, option.value)));
        facts.extend(plan.limits.assumptions().into_iter().map(|a| (a.name, a.value)));
        facts
    };
    let listed: Vec<Vec<(&'static str, String)>> = all.iter().map(facts).collect();
    let value = |facts: &[(&'static str, String)], name: &str| {
        facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let own = facts(variant);
    let differing = |at: &usize| listed.iter().any(|facts| value(facts, own[*at].0).as_ref() != Some(&own[*at].1));
    let mut parts: Vec<String> = if words == "with the same registry" { Vec::new() } else { vec![words] };
    let told: Vec<String> = (0..own.len())
        .filter(differing)
        .map(|at| match (at, own[at].0, &own[at].1) {
            (0..3, name, value) => format!("{value} {name}"),
            (_, name, value) => format!("{}={value}", name.trim_start_matches("assumptions.")),
        })
        .collect();
    if !told.is_empty() {
        parts.push(format!("with {}", and(&told)));
    }
    parts.join(" and ")
}

fn all_differ(words: &[String]) -> bool {
    words.iter().collect::<BTreeSet<_>>().len() == words.len()
}

fn or(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => and(words),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{TUNED, compared, host, report, variant};
    use super::*;
    use crate::policy::drain::Drain;
    use std::sync::Arc;

    const LONG: Nanos = Nanos::from_secs(40);
    const SHORT: Nanos = Nanos::from_millis(280);

    #[track_caller]
    fn check(report: &Report, wanted: &[&str], unwanted: &[&str]) {
        let sentence = sentence(report);
        wanted.iter().for_each(|w| assert!(sentence.contains(w), "no `{w}` in: {sentence}"));
        unwanted.iter().for_each(|w| assert!(!sentence.contains(w), "`{w}` in: {sentence}"));
        let ends = sentence.matches(". ").count() + usize::from(sentence.ends_with('.'));
        assert_eq!(ends, 1, "not one sentence: {sentence}");
        assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
    }

    #[test]
    fn one_starves_and_the_other_does_not() {
        check(
            &compared(),
            &[
                "With an empty registry, POP3 users were left waiting for up to 30.0 s (starved ",
                " requests given up) while SMTP's queues held ",
                "; with MaxPercentPoolThreads=22 and AdditionalPoolThreadsPerProc=18, no POP3 or IMAP4 user waited \
                 longer than 310 ms for a thread.",
            ],
            &["tuned,", "IMAP4 users"],
        );
    }

    #[test]
    fn nobody_starves_or_all_do_or_there_is_only_one() {
        let calm = report(vec![variant("a", &[], SHORT), variant("b", TUNED, Nanos::ZERO)]);
        check(&calm, &["With an empty registry, no POP3 or IMAP4 user waited longer than"], &["starved"]);
        let bad = report(vec![variant("a", &[], LONG), variant("b", TUNED, Nanos::from_secs(20))]);
        check(&bad, &["registry, POP3 users", "AdditionalPoolThreadsPerProc=18, POP3 users"], &["no POP3"]);
        check(&report(vec![variant("a", &[], LONG)]), &["With an empty registry, POP3 users were"], &[";"]);
        check(&report(vec![variant("a", TUNED, SHORT)]), &["With MaxPercentPoolThreads=22 and"], &["starved"]);
    }

    #[test]
    fn many_variants_are_told_by_the_worst_and_the_best() {
        let percent = |p| variant("x", &[(ValueId::MaxPercentPoolThreads, p)], Nanos::from_secs(u64::from(p) / 9));
        let many = report([90, 70, 50, 30, 20, 8].map(percent).into_iter().collect());
        check(
            &many,
            &["In 5 of 6 variants users starved for threads; the worst was the one with MaxPercentPoolThreads=90"],
            &[],
        );
        check(&many, &["the best was the one with MaxPercentPoolThreads=8: no POP3"], &[]);
    }

    #[test]
    fn variants_that_differ_elsewhere_are_called_by_that() {
        let mut both = report(vec![variant("a", &[], LONG), variant("b", &[], LONG)]);
        check(&both, &["In variant a, POP3", "; in variant b, POP3"], &["registry"]);
        let mut plan = (*both.variants[1].plan).clone();
        plan.assumptions.drain = Drain::Messages(1);
        both.variants[1].plan = Arc::new(plan);
        check(&both, &["drain=until-empty, POP3", "drain=messages-1, POP3"], &["variant a"]);
    }

    #[test]
    fn interrupted_unusable_broken_and_idle_runs_say_so() {
        let mut cut = compared();
        cut.variants[1].interrupted = true;
        check(&cut, &["The run was interrupted", "until then: with an empty registry"], &[]);
        let mut stalled = compared();
        stalled.variants[0].host = Some(host(Nanos::SECOND));
        check(&stalled, &["do not quote", "could not keep the emulated clock", "POP3"], &[]);
        let mut broken = compared();
        broken.variants[0].summary.violations.push("class 0".into());
        check(&broken, &["must not be quoted", "error of the program"], &["POP3"]);
        let mut idle = report(vec![variant("a", &[], SHORT)]);
        idle.variants[0].summary.classes.iter_mut().for_each(|class| class.arrivals = 0);
        check(&idle, &["No user sent a request"], &["starved"]);
    }
}
