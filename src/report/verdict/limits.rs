//! What became of the limits beside the pool: the Internet Mail Service for want of the store's threads, memory for want of
//! a sweep of the domain table; how a transport server's senders fared is `transport`'s.
//!
//! Not the verdict on the pool's users (`verdict`). Called by `verdict`; nothing where no variant has a limit. Variants are
//! called by what they set, and those to which the same happened are told together.

use super::super::format::{and, count, counted, percent, plain};
use super::super::text::limits::{bytes, domains, store, transport as of_senders};
use super::super::{Report, VariantReport};
use super::{State, TOLD_ONE_BY_ONE, all_differ, transport};
use crate::metrics::limits::{DomainFigures, StoreFigures};
use crate::time::Nanos;

/// Variants that are named in a list; of more, their number is told.
const NAMED: usize = 12;

const IN_VARIANT: &str = "in variant ";

/// What came of one limit in one variant.
pub(super) struct Told {
    /// What sets the variant apart: lead and value, of which several are told together as `with Max Threads 20 and 32`.
    pub(super) lead: String,
    pub(super) value: String,
    /// It broke down.
    pub(super) failed: bool,
    /// Nobody came whom a verdict could be about.
    pub(super) nothing_to_judge: bool,
    /// How badly, to find the worst: how often, and for how long or how many messages.
    pub(super) badness: (u64, u64),
    /// What happened, as a clause with its subject.
    pub(super) text: String,
}

impl Told {
    fn settings(&self) -> String {
        format!("{}{}", self.lead, self.value)
    }
}

/// What a limit is, for a sentence on several variants.
pub(super) struct Subject {
    /// `the Internet Mail Service shut down`.
    pub(super) failed: &'static str,
    /// `it never did`, after one that did.
    pub(super) never: &'static str,
    /// What is so where none did, for more variants than are told one by one; `None`: the first of them are told.
    pub(super) none: Option<&'static str>,
}

const SERVICE: Subject = Subject { failed: "the Internet Mail Service shut down", never: "it never did", none: None };
const MEMORY: Subject = Subject { failed: "memory was gone", never: "it never was", none: None };

/// What is added to the verdict, or is all of it.
pub(super) fn clause(report: &Report) -> Option<String> {
    let all = [(of_store(report), SERVICE), (of_domains(report), MEMORY), (transport::told(report), transport::HONEST)];
    let parts: Vec<String> = all.into_iter().filter_map(|(told, subject)| joined(&told, &subject)).collect();
    let runs = report.variants.iter().find_map(|v| v.replicated.as_ref()).map(|replicated| replicated.seeds.len());
    let first = runs.map(|runs| format!("in the first of {runs} runs, ")).unwrap_or_default();
    (!parts.is_empty()).then(|| format!("{first}{}", parts.join("; ")))
}

/// What sets each variant apart and what became of its limits, for the verdict on one variant: settings, text, state.
pub(super) fn of_variant(report: &Report, at: usize) -> Option<(String, String, State)> {
    let variant = report.variants.get(at)?;
    let before = &report.variants[..at];
    let of_store = store::found(variant)
        .and_then(|_| of_store(report).into_iter().nth(before.iter().filter(|v| store::found(v).is_some()).count()));
    let of_domains = domains::found(variant).and_then(|_| {
        of_domains(report).into_iter().nth(before.iter().filter(|v| domains::found(v).is_some()).count())
    });
    let of_transport = of_senders::found(variant).and_then(|_| {
        let at = before.iter().filter(|v| of_senders::found(v).is_some()).count();
        transport::told(report).into_iter().nth(at)
    });
    let told: Vec<Told> = [of_store, of_domains, of_transport].into_iter().flatten().collect();
    let mut settings: Vec<String> = Vec::new();
    for one in &told {
        if !settings.contains(&one.settings()) {
            settings.push(one.settings());
        }
    }
    let texts: Vec<String> = told.iter().map(|one| one.text.clone()).collect();
    let state = if told.iter().any(|one| one.failed) {
        State::Failed
    } else if told.iter().all(|one| one.nothing_to_judge) {
        State::NoLoad
    } else {
        State::Healthy
    };
    (!told.is_empty()).then(|| (and(&settings), texts.join("; "), state))
}

/// One clause on all variants.
fn joined(told: &[Told], subject: &Subject) -> Option<String> {
    let [first, ..] = told else { return None };
    if told.len() == 1 {
        return Some(format!("{}, {}", first.settings(), first.text));
    }
    let failed = told.iter().filter(|one| one.failed).count();
    if failed == 0 || told.len() > TOLD_ONE_BY_ONE {
        return Some(in_sum(told, failed, subject));
    }
    // Those that broke down first, so that the others can say that they did not.
    let mut groups: Vec<(Vec<&Told>, String)> = Vec::new();
    for one in told.iter().filter(|one| one.failed).chain(told.iter().filter(|one| !one.failed)) {
        let text = if one.failed || differs(one, told) { one.text.clone() } else { subject.never.to_string() };
        match groups.iter_mut().find(|(_, known)| *known == text) {
            Some((all, _)) => all.push(one),
            None => groups.push((vec![one], text)),
        }
    }
    let parts: Vec<String> = groups.iter().map(|(all, text)| format!("{}, {text}", named(all))).collect();
    Some(parts.join("; "))
}

/// Whether something else than nothing came of a variant that did not break down.
fn differs(one: &Told, all: &[Told]) -> bool {
    one.badness.0 > 0 && all.iter().any(|other| other.failed)
}

/// Many variants, or none that broke down.
fn in_sum(told: &[Told], failed: usize, subject: &Subject) -> String {
    let all: Vec<&Told> = told.iter().collect();
    let of = |failed: bool| told.iter().filter(|one| one.failed == failed).collect::<Vec<&Told>>();
    if failed == 0 {
        let same = told.iter().all(|one| one.text == told[0].text);
        if same {
            return format!("{}, {}", named(&all), told[0].text);
        }
        let worst = told.iter().rev().max_by_key(|one| one.badness);
        if let (Some(none), Some(worst), true) = (subject.none, worst, told.len() > TOLD_ONE_BY_ONE) {
            let all = told.len();
            return format!("in all {all} variants {none}; the worst was the one {}: {}", worst.settings(), worst.text);
        }
        let parts: Vec<String> = told.iter().map(|one| format!("{}, {}", one.settings(), one.text)).collect();
        return if told.len() <= TOLD_ONE_BY_ONE {
            parts.join("; ")
        } else {
            format!("{}; and so on", parts[..TOLD_ONE_BY_ONE].join("; "))
        };
    }
    let Some(worst) = told.iter().rev().max_by_key(|one| one.badness) else { return String::new() };
    let which = if failed == told.len() {
        format!("in all {failed} variants {}", subject.failed)
    } else {
        format!("in {} of {} variants {} ({})", count(failed as u64), told.len(), subject.failed, named(&of(true)))
    };
    let mut text = format!("{which}; the worst was the one {}: {}", worst.settings(), worst.text);
    if failed < told.len() {
        text.push_str(&format!("; {}, {}", named(&of(false)), subject.never));
    }
    text
}

/// `with Max Threads 20 and 32`.
fn named(all: &[&Told]) -> String {
    if all.len() > NAMED {
        return format!("in {} variants", all.len());
    }
    let mut leads: Vec<(&str, Vec<String>)> = Vec::new();
    for one in all {
        match leads.iter_mut().find(|(lead, _)| *lead == one.lead && !one.lead.is_empty()) {
            Some((_, values)) => values.push(one.value.clone()),
            None => leads.push((&one.lead, vec![one.value.clone()])),
        }
    }
    let parts = leads.iter().map(|(lead, values)| match values.len() {
        1 => format!("{lead}{}", values[0]),
        _ if *lead == IN_VARIANT => format!("in variants {}", and(values)),
        _ => format!("{lead}{}", and(values)),
    });
    and(&parts.collect::<Vec<_>>())
}

fn of_store(report: &Report) -> Vec<Told> {
    let found: Vec<_> = report.variants.iter().filter_map(|v| store::found(v).map(|(plan, f)| (v, plan, f))).collect();
    let by_threads: Vec<String> = found.iter().map(|(_, plan, _)| count(u64::from(plan.spec.threads.max))).collect();
    let apart = found.len() == 1 || all_differ(&by_threads);
    let told = found.iter().zip(by_threads).map(|((variant, _, figures), threads)| {
        let (lead, value) = if apart { ("with Max Threads ".to_string(), threads) } else { by_name(variant) };
        let summary = &figures.summary;
        let badness = (summary.shutdowns + summary.refreshes, summary.away.0);
        Told { lead, value, failed: summary.shutdowns > 0, nothing_to_judge: false, badness, text: store_text(figures) }
    });
    told.collect()
}

pub(super) fn by_name(variant: &VariantReport) -> (String, String) {
    (IN_VARIANT.to_string(), plain(&variant.plan.variant))
}

fn store_text(figures: &StoreFigures) -> String {
    let summary = &figures.summary;
    let mut text = if summary.shutdowns > 0 {
        let first = figures.first_shutdown().map(|at| first(summary.shutdowns, at)).unwrap_or_default();
        format!(
            "the Internet Mail Service shut down {}{first}, and was not logged on for {} of the time",
            store::times_in(summary.shutdowns, summary.end),
            percent(figures.away_percent())
        )
    } else if summary.refreshes > 0 {
        format!(
            "the Internet Mail Service never shut down, though it lost its connection to the store {}",
            store::times_in(summary.refreshes, summary.end)
        )
    } else {
        "the Internet Mail Service never shut down".to_string()
    };
    let mut more = Vec::new();
    // Under `by-direction` BAD and the archive have different messages; else the archive has the spool files of the same.
    if summary.in_bad > 0 {
        more.push(format!("{} went to BAD", counted(summary.in_bad, "message")));
    }
    if summary.in_archive > 0
        && summary.in_bad + summary.in_archive == summary.inbound.set_aside + summary.outbound.set_aside
    {
        more.push(format!("{} to the archive", counted(summary.in_archive, "message")));
    }
    let gave_up = summary.clients.gave_up + summary.clients.refused;
    if gave_up > 0 {
        more.push(format!("{} of clients were given up or refused", counted(gave_up, "request")));
    }
    let waiting = store::backlog(&summary.outbound);
    if summary.shutdowns > 0 && waiting > 0 {
        more.push(format!("{} still to be fetched at the end", counted(waiting, "outbound message")));
    }
    if !more.is_empty() {
        text.push_str(&format!(" ({})", more.join(", ")));
    }
    text
}

/// `, for the first time after 12 min 03 s`.
fn first(times: u64, at: Nanos) -> String {
    if times > 1 { format!(", for the first time after {at}") } else { format!(", after {at}") }
}

fn of_domains(report: &Report) -> Vec<Told> {
    let found: Vec<_> =
        report.variants.iter().filter_map(|v| domains::found(v).map(|(plan, f)| (v, plan, f))).collect();
    let by_settings: Vec<String> = found
        .iter()
        .map(|(_, plan, _)| {
            let (value, then) = match (plan.spec.zombie_domain_entry_threshold, plan.spec.threshold()) {
                (None, _) => ("without ZombieDomainEntryThreshold".to_string(), " but with"),
                (Some(data), Some(_)) => (format!("with ZombieDomainEntryThreshold {}", count(data.into())), " and"),
                (Some(data), None) => {
                    (format!("with ZombieDomainEntryThreshold {}, which is not read", count(data.into())), ", and")
                }
            };
            match plan.spec.planned_restarts {
                Some(restarts) if restarts.every < Nanos::MAX => {
                    format!("{value}{then} a restart every {}", restarts.every)
                }
                Some(restarts) => format!("{value}{then} a restart after {}", restarts.first),
                None => value,
            }
        })
        .collect();
    let apart = found.len() == 1 || all_differ(&by_settings);
    let told = found.iter().zip(by_settings).map(|((variant, plan, figures), settings)| {
        let (lead, value) = if apart { (String::new(), settings) } else { by_name(variant) };
        let summary = &figures.summary;
        let least = figures.largest_working_set_bytes(&plan.spec);
        Told {
            lead,
            value,
            failed: summary.times_gone > 0,
            nothing_to_judge: false,
            badness: (summary.times_gone, summary.refused_no_memory),
            text: domains_text(figures, least),
        }
    });
    told.collect()
}

fn domains_text(figures: &DomainFigures, largest: u64) -> String {
    let summary = &figures.summary;
    let Some(at) = summary.memory_gone_at else {
        return format!(
            "memory was never gone in {} (the Working Set of inetinfo was {} at most)",
            summary.end,
            bytes(largest)
        );
    };
    let mut more = Vec::new();
    if summary.times_gone > 1 {
        more.push(store::times_in(summary.times_gone, summary.end));
    }
    if summary.refused_no_memory > 0 {
        more.push(format!("{} refused", counted(summary.refused_no_memory, "message")));
    }
    if summary.forced_restarts > 0 {
        more.push(counted(summary.forced_restarts, "forced restart"));
    }
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    format!("memory was gone after {at}{more}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::sample::{report, with_limits};
    use super::super::{per_variant, sentence};
    use super::*;

    #[track_caller]
    pub(in crate::report::verdict) fn check(report: &Report, wanted: &[&str]) {
        let sentence = sentence(report);
        wanted.iter().for_each(|w| assert!(sentence.contains(w), "no `{w}` in: {sentence}"));
        let ends = sentence.matches(". ").count() + usize::from(sentence.ends_with('.'));
        assert_eq!(ends, 1, "not one sentence: {sentence}");
        assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
        assert!(!sentence.contains("POP3") && !sentence.contains("No user"), "{sentence}");
    }

    #[test]
    fn variants_are_told_by_their_threads_and_those_that_are_alike_together() {
        let three =
            report(vec![with_limits("a", 5, None), with_limits("b", 20, Some(8)), with_limits("c", 32, Some(4))]);
        check(
            &three,
            &[
                "With Max Threads 5, the Internet Mail Service shut down ",
                ", for the first time after ",
                "; with Max Threads 20 and 32, it never did; without ZombieDomainEntryThreshold but with a restart after ",
                ", memory was gone after 1 min 40 s",
                "; with ZombieDomainEntryThreshold 8 and a restart after ",
            ],
        );
        let states: Vec<State> = per_variant(&three).iter().map(|verdict| verdict.state).collect();
        assert_eq!(states, [State::Failed, State::Healthy, State::Healthy]);
        let settings = &per_variant(&three)[1].settings;
        assert!(settings.starts_with("with Max Threads 20 and with ZombieDomainEntryThreshold 8"), "{settings}");
    }

    #[test]
    fn one_alone_many_and_none_that_breaks_down_are_sentences_too() {
        check(&report(vec![with_limits("a", 5, None)]), &["With Max Threads 5, the Internet Mail Service shut down"]);
        let calm = report(vec![with_limits("a", 20, Some(8)), with_limits("b", 32, Some(8))]);
        check(
            &calm,
            &[
                "With Max Threads 20 and 32, the Internet Mail Service never shut down; in variants a and b, memory was never",
            ],
        );
        let many = [5, 6, 7, 20, 32, 40].map(|max| with_limits(&format!("v{max}"), max, None));
        check(
            &report(many.into_iter().collect()),
            &[
                " of 6 variants the Internet Mail Service shut down (with Max Threads 5",
                "the worst was the one with Max Threads 5:",
            ],
        );
        let mut cut = report(vec![with_limits("a", 5, None)]);
        cut.variants[0].interrupted = true;
        check(&cut, &["The run was interrupted after 10 min 00 s, and until then: with Max Threads 5, "]);
    }
}
