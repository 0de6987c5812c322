//! The limits beside the pool in words, before anything runs: their values, what the load asks of them, and what averages
//! foretell.
//!
//! Not a prediction of shutdowns or of the moment at which memory is gone: what averages cannot say is said to be so. Called
//! by `explain`; every part is empty where no plan has the limit.

use super::super::format::{Tone, amount, count, plain, toned, wrap};
use super::super::table::Sheet;
use super::super::text::limits::{domains, store};
use super::judge::{Level, levels};
use super::{letter, load_of, round};
use crate::models::domain_table::spec::{Sweep, WhenGone};
use crate::plan::Plan;
use crate::plan::limits::{Caller, DomainsPlan, StorePlan};
use crate::time::Nanos;

pub(super) fn names(plans: &[&Plan]) -> Vec<String> {
    plans.iter().map(|plan| plain(&plan.variant)).collect()
}

/// The thread values with their origins, and the formula worked out.
pub(super) fn threads(plans: &[&Plan], width: usize) -> String {
    if plans.iter().all(|plan| plan.limits.store.is_none()) {
        return String::new();
    }
    let mut sheet = Sheet { names: names(plans), facts: Vec::new() };
    store::values(plans, &mut sheet);
    let note = "Sessions limit nothing here: no text says what is refused beyond them. Performance Optimizer, where it ran, did \
                so before the registry values of the scenario were set.";
    format!("{}{}", sheet.render(width), wrap("", &toned(Tone::Faint, note), width))
}

/// What each caller asks of the store's threads.
pub(super) fn calls(plans: &[&Plan], width: usize) -> Vec<(String, String)> {
    let mut told: Vec<&Plan> = Vec::new();
    let mut out = Vec::new();
    let load = |plan: &Plan| plan.limits.store.as_ref().map(|store| store.load.clone());
    for plan in plans {
        let Some(own) = &plan.limits.store else { continue };
        if told.iter().any(|other| load(other) == load(plan)) {
            continue;
        }
        told.push(plan);
        let several = plans.iter().any(|other| load(other) != load(plan));
        out.push((plain(&plan.variant), load_of(&own.as_services(plan), width)));
        if !several {
            break;
        }
    }
    let several = out.len() > 1;
    let title =
        |name: String| if several { format!("Calls to the store of {name}") } else { "Calls to the store".into() };
    out.into_iter().map(|(name, text)| (title(name), text)).collect()
}

/// What each variant's store has to expect at each level of its load.
pub(super) fn outlook_of_store(plans: &[&Plan], width: usize) -> String {
    let mut out = String::new();
    for plan in plans {
        let Some(own) = &plan.limits.store else { continue };
        out.push_str(&wrap("", &toned(Tone::Strong, &plain(&plan.variant)), width));
        let mut told: Vec<(String, Vec<String>)> = Vec::new();
        for (at, level) in levels(&own.as_services(plan)).iter().enumerate() {
            for text in of_level(own, level) {
                match told.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, letters)) => letters.push(letter(at)),
                    None => told.push((text, vec![letter(at)])),
                }
            }
        }
        for (text, letters) in told {
            out.push_str(&wrap(&format!("  {}  ", letters.join(", ")), &text, width));
        }
    }
    out
}

/// What a level of the load asks of the store's threads, against what is left.
fn of_level(store: &StorePlan, level: &Level) -> Vec<String> {
    let own = &store.spec.assumptions;
    let (max, held, left) = (store.spec.threads.max, store.held_by_gateway(), store.left_for_calls());
    let calls = |caller: Caller| level.offered[caller as usize].threads();
    let each = f64::from(own.threads_per_call);
    let mut texts = Vec::new();
    // No more calls of the service are out at once than it has sessions.
    let mut of_the_service = 0.0;
    for (caller, sessions) in [(Caller::Inbound, own.inbound_sessions), (Caller::Outbound, own.outbound_sessions)] {
        let offered = calls(caller);
        of_the_service += offered.min(f64::from(sessions)) * each;
        if offered > f64::from(sessions) {
            texts.push(format!(
                "{} mail piles up whatever the threads: it is {} calls at once, and the service has {sessions} out.",
                caller.name(),
                round(offered)
            ));
        }
    }
    let asked = calls(Caller::Clients) + of_the_service;
    let are_left = if left == 1 { "1 is left".to_string() } else { format!("{left} are left") };
    let beside = format!("{max} less the {held} that the service holds");
    if left == 0 {
        texts.push(format!(
            "No thread is left for calls ({beside}): the service cannot deliver or fetch, or not log on."
        ));
    } else if asked >= f64::from(left) {
        texts.push(format!(
            "Too few: calls ask for {} threads on average, and {are_left} ({beside}). The line grows, and a call of the \
             service that has waited {} fails.",
            round(asked),
            own.call_patience
        ));
    } else {
        texts.push(format!(
            "Enough on average: calls ask for {} threads, and {are_left} ({beside}). A call of the service fails only \
             if it waits {} for its thread all the same, after a burst or behind long calls.",
            round(asked),
            own.call_patience
        ));
    }
    texts
}

/// What is installed and set, and how many entries fit.
pub(super) fn table(plans: &[&Plan], width: usize) -> String {
    if plans.iter().all(|plan| plan.limits.domains.is_none()) {
        return String::new();
    }
    let mut sheet = Sheet { names: names(plans), facts: Vec::new() };
    domains::settings(plans, &mut sheet);
    domains::planned(plans, &mut sheet, "  an entry takes", |own, _| {
        format!("{} bytes", count(own.spec.assumptions.entry_bytes))
    });
    domains::planned(plans, &mut sheet, "mail", |own, plan| {
        let levels = levels(&own.as_service(plan));
        let rates = levels.iter().map(|level| level.offered[0].per_second);
        let most = rates.clone().fold(0.0, f64::max);
        let least = rates.fold(f64::INFINITY, f64::min);
        match (most, constant_rate(&levels)) {
            (0.0, _) => "no source has a rate of its own".to_string(),
            (_, Some(rate)) => format!("{} a second", amount(rate)),
            (most, None) => format!("{} to {} a second", amount(least), amount(most)),
        }
    });
    domains::planned(plans, &mut sheet, "  on queues, on average", |own, plan| {
        let most = levels(&own.as_service(plan)).iter().map(|level| level.offered[0].threads()).fold(0.0, f64::max);
        format!("{} messages at most", round(most))
    });
    sheet.render(width)
}

/// The rate of the messages where it is the same from begin to end.
fn constant_rate(levels: &[Level]) -> Option<f64> {
    match levels {
        [only] if !only.changing && only.offered[0].per_second > 0.0 => Some(only.offered[0].per_second),
        _ => None,
    }
}

/// When memory is to be gone in each variant, as far as averages say.
pub(super) fn outlook_of_domains(plans: &[&Plan], width: usize) -> String {
    let mut out = String::new();
    for plan in plans {
        let Some(own) = &plan.limits.domains else { continue };
        out.push_str(&wrap("", &toned(Tone::Strong, &plain(&plan.variant)), width));
        out.push_str(&wrap("     ", &until_gone(plan, own), width));
    }
    out
}

fn until_gone(plan: &Plan, own: &DomainsPlan) -> String {
    let (spec, levels) = (&own.spec, levels(&own.as_service(plan)));
    let fit = spec.entries_that_fit();
    let then = match spec.assumptions.when_gone {
        WhenGone::RefusesNewDomains => "mail to domains without an entry is refused",
        WhenGone::Restarts => "the service fails and is restarted",
    };
    if let Some(threshold) = spec.threshold() {
        // An entry is live while its domain has messages, and `dies_after` beyond that: by Little's law at most so many.
        let idle = spec.assumptions.dies_after;
        let live = |level: &Level| level.offered[0].threads() + level.offered[0].per_second * idle.as_secs_f64();
        let live = levels.iter().map(live).fold(0.0, f64::max);
        if idle == Nanos::MAX {
            return format!("No entry ever dies (domains.dies_after), so none is swept; {} fit.", count(fit));
        }
        // Those die meanwhile that nobody has counted yet.
        let rate = levels.iter().map(|level| level.offered[0].per_second).fold(0.0, f64::max);
        let between = match spec.assumptions.sweep {
            Sweep::Every(every) => rate * every.as_secs_f64(),
            Sweep::AtOnce => 0.0,
        };
        let most = f64::from(threshold) + between + live;
        let verdict = if most < fit as f64 {
            "so memory is not to be gone"
        } else {
            "and that is too many, so memory is to be gone"
        };
        let looked_at = match spec.assumptions.sweep {
            Sweep::Every(every) => format!(" (counted every {every})"),
            Sweep::AtOnce => String::new(),
        };
        return format!(
            "Dead entries are swept once there are {}{looked_at}, and on average at most {} are live: {} of {} that fit, \
             {verdict}.",
            count(threshold.into()),
            round(live),
            round(most),
            count(fit)
        );
    }
    let Some(messages) = own.messages_until(fit) else {
        return format!(
            "There are fewer domains than the {} entries that fit, so memory is not to be gone.",
            count(fit)
        );
    };
    let mut text = format!(
        "Nothing is swept. It takes about {} messages until they are for {} different domains, as many as there is memory for",
        amount(three_digits(messages)),
        count(fit)
    );
    let Some(rate) = constant_rate(&levels) else {
        text.push_str("; when that is depends on the load, whose rate is not the same all the time or is in a log");
        return format!("{text}. Then {then}.");
    };
    let after = Nanos::from_f64(messages / rate * 1e9);
    text.push_str(&format!(", that is, after about {after} at {} a second", amount(rate)));
    match spec.planned_restarts {
        Some(restarts) if restarts.first < after && restarts.every < after => {
            format!("{text}; but a planned restart forgets the entries before, every {}.", restarts.every)
        }
        Some(restarts) if restarts.first < after => {
            format!(
                "{text}; a planned restart after {} forgets the entries, and it takes as long again. Then {then}.",
                restarts.first
            )
        }
        _ if after > plan.duration => format!("{text}, which is longer than the run of {}.", plan.duration),
        _ => format!("{text}. Then {then}."),
    }
}

/// A large number without digits that an average does not know.
fn three_digits(number: f64) -> f64 {
    let unit = 10_f64.powf((number.max(1.0).log10().floor() - 2.0).max(0.0));
    (number / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::super::super::format::columns;
    use super::super::super::sample::with_limits;
    use super::super::explain;

    #[test]
    fn a_scenario_with_limits_alone_is_told_without_a_word_of_the_pool() {
        let plans =
            [("five", 5, None), ("twenty", 20, Some(8))].map(|(n, max, z)| (*with_limits(n, max, z).plan).clone());
        for width in [48, 80, 100, 160] {
            let text = explain(&plans, width);
            assert!(text.lines().all(|line| columns(line) <= width), "{width}:\n{text}");
            assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
        }
        let text = explain(&plans, 100);
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "5 (left by Performance",
            "20 (kb.reg:4)",
            "17 = (((5 x 3)/4 + 25) x 3)/5 + 1",
            "CALLS TO THE STORE",
            "Too few: calls ask for 4.1 threads on average, and 1 is left (5 less the 4 that the service holds)",
            "Enough on average: calls ask for 4.1 threads, and 16 are left",
            "It takes about 20.0 messages until they are for 20 different domains",
            "after about 1 min 40 s at 0.20 a second. Then mail to domains without an entry is refused.",
            "Dead entries are swept once there are 8, and on average at most 0.60 are live: 8.6 of 20 that fit, so memory is",
            "store.call_patience = 30.0 s: after what time",
            "domains.entry_bytes = 1048576",
        ] {
            assert!(squeezed.contains(part), "no `{part}` in:\n{text}");
        }
        for never in ["heavy queue", "SERVER AND POOL", "there are threads and processors", "starved"] {
            assert!(!text.contains(never), "`{never}` in:\n{text}");
        }
    }

    /// Not a check but a look: `cargo test --lib report::explain::limits::tests::looks -- --nocapture`.
    #[test]
    fn looks() {
        let plans =
            [("five", 5, None), ("twenty", 20, Some(8))].map(|(n, max, z)| (*with_limits(n, max, z).plan).clone());
        println!("{}", explain(&plans, 100));
    }
}
