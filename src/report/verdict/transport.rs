//! What became of a transport server's senders: whether honest mail got through and how late, what held whom most, and how
//! long the server was under back pressure.
//!
//! Not the limits beside it (`limits`, which joins what is told of several variants). "Through" is taken by the server: what
//! it does with a message afterwards is told where much of it is still there at the end.

use std::collections::BTreeSet;

use super::super::format::{and, count, counted, percent, plain};
use super::super::text::limits::transport::found;
use super::super::{Report, VariantReport};
use super::limits::{Subject, Told, by_name};
use crate::metrics::limits::TransportFigures;
use crate::models::transport::spec::{Role, Version};
use crate::models::transport::{Held, Level, Throttle};
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::{Entrance, Group, OptionValue};
use crate::time::Nanos;

/// Options that a variant is called by; one that differs in more is called by its name.
const OPTIONS_NAMED: usize = 3;
/// Honest mail got not through, too, if so large a part is still with its senders at the end and some was refused: a tenth.
const STILL_TRYING: u64 = 10;
/// Messages on the server's queues are worth a word if they are at least such a part of those that it took: a hundredth.
const STILL_QUEUED: u64 = 100;

pub(super) const HONEST: Subject = Subject {
    failed: "honest mail did not get through",
    never: "it got through",
    none: Some("honest mail got through"),
};

/// What came of each variant that has a transport server.
pub(super) fn told(report: &Report) -> Vec<Told> {
    let servers: Vec<(&VariantReport, &TransportPlan, &TransportFigures)> =
        report.variants.iter().filter_map(|v| found(v).map(|(plan, figures)| (v, plan, figures))).collect();
    let plans: Vec<&TransportPlan> = servers.iter().map(|(_, plan, _)| *plan).collect();
    let settings = settings(&plans);
    let told = servers.iter().zip(settings).map(|((variant, plan, figures), settings)| {
        let (lead, value) = settings.unwrap_or_else(|| by_name(variant));
        let honest = figures.wanted(true);
        let stuck = if is_stuck(figures) { honest.trying } else { 0 };
        Told {
            lead,
            value,
            failed: honest.given_up + stuck > 0,
            nothing_to_judge: honest.wanted == honest.for_nobody,
            // Never 0: how late mail got through, and what held the others, is told of every variant.
            badness: (1 + honest.given_up + stuck, figures.honest_to_queue().summary().max.0),
            text: text(plan, figures),
        }
    });
    told.collect()
}

/// Whether much of what honest senders still have at the end is there because it was refused.
fn is_stuck(figures: &TransportFigures) -> bool {
    let honest = figures.wanted(true);
    let [connections, messages, closed] = figures.held(true);
    let wanted = honest.wanted - honest.for_nobody;
    connections + messages + closed > 0 && honest.trying > 0 && honest.trying * STILL_TRYING >= wanted
}

/// What each variant sets: lead and value; `None` where it is to be called by its name.
fn settings(plans: &[&TransportPlan]) -> Vec<Option<(String, String)>> {
    let [first, others @ ..] = plans else { return Vec::new() };
    if others.is_empty() {
        return vec![Some((String::new(), server(first)))];
    }
    let options: Vec<_> = plans.iter().map(|plan| plan.options()).collect();
    let value = |own: &[OptionValue], name: &str| own.iter().find(|o| o.name == name).map(|o| o.value.clone());
    // An option that one of them has no use for is no difference of its own: another one is why.
    let in_all = |name: &&str| options.iter().all(|own| own.iter().any(|option| option.name == *name));
    let names: BTreeSet<&str> = options.iter().flatten().map(|option| option.name).filter(in_all).collect();
    let differ: Vec<&str> = names
        .into_iter()
        .filter(|name| options.iter().any(|own| value(own, name) != value(&options[0], name)))
        .collect();
    let of = |plan: &&TransportPlan| {
        let own = plan.options();
        let told = own.iter().filter(|option| differ.contains(&option.name));
        let words: Vec<String> = told.map(|option| format!("{} {}", option.name, option.value)).collect();
        match (differ.as_slice(), and(&words)) {
            ([only], words) => {
                let lead = format!("with {only} ");
                let value = words.strip_prefix(&lead["with ".len()..]).unwrap_or(&words).to_string();
                (lead, value)
            }
            (_, words) => (String::new(), format!("with {words}")),
        }
    };
    let words: Vec<(String, String)> = plans.iter().map(of).collect();
    let apart = !differ.is_empty()
        && differ.len() <= OPTIONS_NAMED
        && words.iter().collect::<BTreeSet<_>>().len() == words.len();
    words.into_iter().map(|words| apart.then_some(words)).collect()
}

/// `on a Hub server of Exchange 2007 SP1`.
fn server(plan: &TransportPlan) -> String {
    let role = match plan.spec.role {
        Role::Hub => "a Hub",
        Role::Edge => "an Edge",
    };
    let pack = match plan.spec.version {
        Version::Rtm => "",
        Version::Sp1 => " SP1",
    };
    format!("on {role} server of Exchange 2007{pack}")
}

fn text(plan: &TransportPlan, figures: &TransportFigures) -> String {
    let mut parts = vec![honest(plan, figures)];
    if plan.groups.iter().any(|group| group.honest) {
        parts.extend(most(plan, figures, true).map(|(_, by)| format!("held most by {by}")));
    }
    let others = most(plan, figures, false);
    parts.extend(others.map(|(group, by)| format!("while {} was held most by {by}", plain(&plan.groups[group].name))));
    parts.extend(harvests(plan, figures));
    parts.extend(pressure(plan, figures));
    parts.join(", ")
}

/// Whether honest mail got through, and how late.
fn honest(plan: &TransportPlan, figures: &TransportFigures) -> String {
    if plan.groups.iter().all(|group| !group.honest) {
        return "no sender counts as honest, so there is nothing to say about who got through".to_string();
    }
    let honest = figures.wanted(true);
    let wanted = honest.wanted - honest.for_nobody;
    if wanted == 0 {
        return "no honest sender wanted to send anything, so there is nothing to say about who got through"
            .to_string();
    }
    let longest = figures.honest_to_queue().summary().max;
    let still = format!("{} still with their senders at the end", count(honest.trying));
    let mut text = if honest.given_up == 0 && honest.trying == 0 {
        format!("all {} got through, the slowest after {longest}", counted(wanted, "honest message"))
    } else if honest.given_up == 0 && !is_stuck(figures) {
        format!(
            "{} of {} got through and none was given up ({still}), the slowest after {longest}",
            count(honest.handed_over),
            counted(wanted, "honest message")
        )
    } else {
        let mut rest = vec![format!("{} given up", count(honest.given_up))];
        rest.extend((honest.trying > 0).then_some(still));
        let late = if honest.handed_over > 0 { format!(", some after {longest}") } else { String::new() };
        format!(
            "{} of honest mail got through ({} of {}, {}){late}",
            percent(honest.through_percent()),
            count(honest.handed_over),
            counted(wanted, "message"),
            and(&rest)
        )
    };
    let groups = (0..plan.groups.len()).filter(|at| plan.groups[*at].honest).map(|at| figures.of_group(at).messages);
    let queued: u64 = groups.map(|messages| messages.queued + messages.delivering).sum();
    if queued > 0 && queued * STILL_QUEUED >= honest.handed_over {
        text.push_str(&format!(", {} still on the server's queues at the end", counted(queued, "message")));
    }
    text
}

/// What held one group of these the most, and which: what refused or closed the most often; if nothing did, what delayed the
/// longest in sum; else what cut deliveries.
fn most(plan: &TransportPlan, figures: &TransportFigures, honest: bool) -> Option<(usize, String)> {
    let groups = (0..plan.groups.len()).filter(|at| plan.groups[*at].honest == honest);
    let all = groups.flat_map(|at| {
        let own = figures.of_group(at);
        Throttle::ALL.map(|by| (at, by, *own.held(by)))
    });
    let times = |held: &Held| held.connections_refused + held.messages_refused + held.connections_closed;
    let held = all.filter(|(.., held)| *held != Held::default());
    let key = |held: &Held| (times(held), held.delay, held.deliveries_cut);
    let (group, by, held) = held.max_by_key(|(at, by, held)| (key(held), std::cmp::Reverse((*at, *by))))?;
    let mut done = Vec::new();
    let mut add = |n: u64, noun: &str, what: &str| done.extend((n > 0).then(|| format!("{} {what}", counted(n, noun))));
    add(held.connections_refused, "connection", "refused");
    add(held.messages_refused, "message", "refused");
    add(held.connections_closed, "connection", "closed");
    // Not `deliverys`.
    done.extend((held.deliveries_cut > 0).then(|| format!("{} deliveries cut", count(held.deliveries_cut))));
    if times(&held) == 0 && held.delayed > 0 {
        let mean = Nanos(held.delay.0 / held.delayed);
        done.push(format!("{} of {mean} on average", counted(held.delayed, "delay")));
    }
    Some((group, format!("{} ({})", name(by), and(&done))))
}

fn name(by: Throttle) -> &'static str {
    match by {
        Throttle::MediumPressure => "back pressure at Medium",
        Throttle::HighPressure => "back pressure at High",
        Throttle::DriveFull => "a full drive",
        other => other.option().unwrap_or(other.name()),
    }
}

/// What directory harvest attacks yielded.
fn harvests(plan: &TransportPlan, figures: &TransportFigures) -> Option<String> {
    let harvests = |group: &Group| matches!(&group.entrance, Entrance::Smtp(sessions) if sessions.harvests);
    let own =
        plan.groups.iter().zip(&figures.senders).filter(|(group, own)| harvests(group) && own.recipients_asked > 0);
    let (names, figures): (Vec<String>, Vec<_>) = own.map(|(group, own)| (plain(&group.name), own)).unzip();
    let found: u64 = figures.iter().map(|own| own.recipients_found).sum();
    let asked: u64 = figures.iter().map(|own| own.recipients_asked).sum();
    let addresses = if found == 1 { "1 address".to_string() } else { format!("{} addresses", count(found)) };
    let told = || format!("{} asked for {} and learned {addresses}", and(&names), counted(asked, "recipient"));
    (!names.is_empty()).then(told)
}

/// How long the server was under back pressure.
fn pressure(plan: &TransportPlan, figures: &TransportFigures) -> Option<String> {
    if !plan.spec.back_pressure.enabled {
        return None;
    }
    let (medium, high) = (figures.time_at(Level::Medium), figures.time_at(Level::High));
    let both = medium + high;
    Some(match (both.0, high.0) {
        (0, _) => "and there was no back pressure".to_string(),
        (_, 0) => format!("and the server was under back pressure for {both} (never High)"),
        _ => format!("and the server was under back pressure for {both} (High for {high})"),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::sample::{compared, report, with_senders};
    use super::super::limits::tests::check;
    use super::super::{State, per_variant, sentence};
    use super::*;
    use crate::metrics::limits::SenderFigures;

    fn changed(variant: &mut VariantReport, how: impl FnOnce(&mut TransportPlan, &mut TransportFigures)) {
        let mut plan = (*variant.plan).clone();
        let mut own = (**plan.limits.transport.as_ref().unwrap()).clone();
        how(&mut own, variant.limits.transport.as_mut().unwrap());
        plan.limits.transport = Some(Arc::new(own));
        variant.plan = Arc::new(plan);
    }

    #[test]
    fn it_says_whether_honest_mail_got_through_and_what_held_whom() {
        let both = report(vec![with_senders("open", None), with_senders("shared", Some(5))]);
        println!("{}", sentence(&both));
        let figures = |at: usize| both.variants[at].limits.transport.as_ref().unwrap();
        let (open, shared) = (figures(0).wanted(true), figures(1).wanted(true));
        let refused = |at: usize, group: usize, by: Throttle| figures(at).of_group(group).held(by).connections_refused;
        // One of the three that a session asks for exists.
        let asked = figures(1).senders[2].recipients_asked;
        check(
            &both,
            &[
                &format!(
                    "With MaxInboundConnectionPerSource unlimited, {} of honest mail got through ({} of {} messages, {} given up",
                    percent(open.through_percent()),
                    open.handed_over,
                    open.wanted,
                    open.given_up
                ),
                &format!(
                    "held most by MaxInboundConnection ({} connections refused",
                    refused(0, 0, Throttle::InboundConnections)
                ),
                &format!(
                    "; with MaxInboundConnectionPerSource 5, all {} honest messages got through, the slowest after ",
                    shared.wanted
                ),
                &format!(
                    "while flood was held most by MaxInboundConnectionPerSource ({} connections refused)",
                    refused(1, 1, Throttle::InboundPerSource)
                ),
                &format!(", harvest asked for {asked} recipients and learned {} addresses, and the server", asked / 3),
                "and the server was under back pressure for 2 min 00 s (High for 1 min 00 s).",
            ],
        );
        assert!(open.given_up > 0 && shared.given_up == 0);
        let verdicts = per_variant(&both);
        assert_eq!((verdicts[0].state, verdicts[1].state), (State::Failed, State::Healthy));
        assert_eq!(verdicts[1].settings, "with MaxInboundConnectionPerSource 5");
    }

    #[test]
    fn one_alone_many_and_interrupted_ones_are_sentences_too() {
        let alone = report(vec![with_senders("shared", Some(5))]);
        check(&alone, &["On a Hub server of Exchange 2007 SP1, all "]);
        let many = [None, Some(20), Some(19), Some(5), Some(4)].map(|most| with_senders(&format!("{most:?}"), most));
        check(
            &report(many.into_iter().collect()),
            &[
                " of 5 variants honest mail did not get through (with MaxInboundConnectionPerSource unlimited",
                "; the worst was the one with MaxInboundConnectionPerSource ",
                "with MaxInboundConnectionPerSource 5 and 4, it got through",
            ],
        );
        let calm = [2, 3, 4, 5, 6].map(|most| with_senders(&most.to_string(), Some(most)));
        check(
            &report(calm.into_iter().collect()),
            &["In all 5 variants honest mail got through; the worst was the one with MaxInboundConnectionPerSource "],
        );
        let mut cut = report(vec![with_senders("shared", Some(5))]);
        cut.variants[0].interrupted = true;
        check(&cut, &["The run was interrupted after 10 min 00 s, and until then: on a Hub server"]);
        let alike = report(vec![with_senders("a", Some(5)), with_senders("b", Some(5))]);
        check(&alike, &["In variants a and b, all "]);
        let mut off = with_senders("off", Some(5));
        changed(&mut off, |plan, _| Arc::make_mut(&mut plan.spec).back_pressure.enabled = false);
        check(
            &report(vec![with_senders("on", Some(5)), off]),
            &["With back pressure on, all ", "; with back pressure off, all "],
        );
        let mut beside = compared();
        let lent = with_senders("x", Some(5));
        let mut plan = (*beside.variants[0].plan).clone();
        plan.limits = lent.plan.limits.clone();
        beside.variants[0].plan = Arc::new(plan);
        beside.variants[0].limits = lent.limits;
        let both = sentence(&beside);
        assert!(both.contains("POP3 users were left waiting") && both.contains("; on a Hub server of"), "{both}");
    }

    #[test]
    fn without_honest_senders_nothing_is_judged() {
        let mut none = with_senders("a", None);
        changed(&mut none, |plan, figures| {
            plan.groups.iter_mut().for_each(|group| group.honest = false);
            figures.senders.iter_mut().for_each(|group| group.honest = false);
            Arc::make_mut(&mut plan.spec).back_pressure.enabled = false;
        });
        let none = report(vec![none]);
        check(&none, &["no sender counts as honest, so there is nothing to say about who got through, while "]);
        assert!(!sentence(&none).contains("back pressure"), "{}", sentence(&none));
        assert_eq!(per_variant(&none)[0].state, State::NoLoad);
        let mut silent = with_senders("a", Some(5));
        changed(&mut silent, |_, figures| {
            let honest = figures.senders.iter_mut().filter(|group| group.honest);
            honest.for_each(|group| *group = SenderFigures { honest: true, ..SenderFigures::default() });
        });
        check(&report(vec![silent]), &["no honest sender wanted to send anything"]);
    }

    #[test]
    fn mail_that_its_senders_still_have_did_not_get_through() {
        let mut stuck = with_senders("a", Some(5));
        changed(&mut stuck, |_, figures| {
            let partners = &mut figures.senders[0].messages;
            partners.trying = partners.wanted;
            partners.handed_over = 0;
        });
        let stuck = report(vec![stuck]);
        check(&stuck, &[" 60 still with their senders at the end)"]);
        assert_eq!(per_variant(&stuck)[0].state, State::Failed);
    }
}
