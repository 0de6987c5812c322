//! A transport server in words, before anything runs: every option with its default, who sends, what each limit means for
//! that load (`outlook`), where back pressure begins, and what a sender is told.
//!
//! Not a prediction of who gets through: averages know no bursts and no retries. What they say is as if nothing were refused,
//! each limit by itself. Called by `explain`; every part is empty where no plan has a transport server.

mod outlook;

pub(super) use outlook::outlook;

use super::super::format::{Tone, amount, and, count, plain, toned, wrap};
use super::super::table::{Grid, Sheet};
use super::super::text::limits::bytes;
use super::super::text::limits::transport::planned;
use super::judge::levels;
use super::{letter, level_text};
use crate::models::transport::Resource;
use crate::models::transport::spec::{Role, Version};
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::{BACK_PRESSURE_PAGE, Entrance, Group, THROTTLING_PAGE, Watched};
use crate::plan::{Offered, Plan};
use crate::time::Nanos;
use crate::workload::journey::Arrivals;

fn has_none(plans: &[&Plan]) -> bool {
    plans.iter().all(|plan| plan.limits.transport.is_none())
}

fn names(plans: &[&Plan]) -> Vec<String> {
    plans.iter().map(|plan| plain(&plan.variant)).collect()
}

fn faint(text: &str, width: usize) -> String {
    wrap("", &toned(Tone::Faint, text), width)
}

/// Every option with what is in force, and where it comes from.
pub(super) fn options(plans: &[&Plan], width: usize) -> String {
    if has_none(plans) {
        return String::new();
    }
    let mut sheet = Sheet { names: names(plans), facts: Vec::new() };
    planned(plans, &mut sheet, "role, version", |own| {
        let role = match own.spec.role {
            Role::Hub => "Hub Transport",
            Role::Edge => "Edge Transport",
        };
        let pack = match own.spec.version {
            Version::Rtm => "without a service pack",
            Version::Sp1 => "SP1",
        };
        format!("{role}, Exchange 2007 {pack}")
    });
    planned(plans, &mut sheet, "drive, memory", |own| {
        let machine = &own.spec.machine;
        format!("{}, {}", bytes(machine.queue_drive_bytes), bytes(machine.memory_bytes))
    });
    let mut listed: Vec<(&str, &str)> = Vec::new();
    for option in plans.iter().filter_map(|plan| plan.limits.transport.as_ref()).flat_map(|own| own.options()) {
        if !listed.contains(&(option.of, option.name)) {
            listed.push((option.of, option.name));
        }
    }
    let mut of = "";
    for (owner, name) in listed {
        if owner != of {
            sheet.add(owner, vec![String::new(); plans.len()]);
            of = owner;
        }
        let cell = |own: &TransportPlan| {
            let options = own.options();
            options.iter().find(|option| option.name == name).map_or("-".to_string(), |option| option.text())
        };
        planned(plans, &mut sheet, &format!("  {name}"), cell);
    }
    let note = format!(
        "default: as setup leaves it on a server of this role; set: the scenario gives another value. Options of throttling: \
         {THROTTLING_PAGE}; of back pressure: {BACK_PRESSURE_PAGE}."
    );
    format!("{}{}", sheet.render(width), faint(&note, width))
}

/// Where each resource is at Medium and High, for this machine.
pub(super) fn marks(plans: &[&Plan], width: usize) -> String {
    if has_none(plans) {
        return String::new();
    }
    let mut sheet = Sheet { names: names(plans), facts: Vec::new() };
    for resource in Resource::ALL {
        let of = |own: &TransportPlan| own.watched().into_iter().find(|watched| watched.resource == resource);
        if plans.iter().filter_map(|plan| plan.limits.transport.as_ref()).all(|own| of(own).is_none()) {
            continue;
        }
        planned(plans, &mut sheet, resource.name(), |own| {
            of(own).map_or("not watched".to_string(), |found| found.origin)
        });
        let rows: [(&str, fn(&Watched) -> u32); 3] = [
            ("  High from", |found| found.marks.high),
            ("  Medium from", |found| found.marks.medium),
            ("  Normal below", |found| found.marks.normal),
        ];
        for (label, mark) in rows {
            planned(plans, &mut sheet, label, |own| {
                of(own).map_or("-".to_string(), |found| marked(mark(&found), &found))
            });
        }
    }
    if sheet.facts.is_empty() {
        return wrap("", "Back pressure is off: no resource is watched.", width);
    }
    let mut out = sheet.render(width);
    out.push_str(&faint(&answers(plans), width));
    out.push_str(&faint(
        "The worst resource decides. At Medium, connections and messages of sources that are neither Hub servers nor \
         senders of authoritative domains are refused; at High, those of all, and neither files nor submissions are \
         taken. What is queued is delivered all the same.",
        width,
    ));
    out
}

/// `93 %, 9,523 MB`, or `120`.
fn marked(mark: u32, of: &Watched) -> String {
    match of.whole {
        None => count(mark.into()),
        Some(whole) => {
            let least = (u128::from(whole) * u128::from(mark)).div_ceil(100);
            format!("{mark} %, {}", bytes(u64::try_from(least).unwrap_or(u64::MAX)))
        }
    }
}

/// What a sender sees of it all.
fn answers(plans: &[&Plan]) -> String {
    let tarpits =
        plans.iter().filter_map(|plan| plan.limits.transport.as_ref()).map(|own| own.spec.receive.tarpit_interval);
    let mut intervals: Vec<Nanos> = tarpits.collect();
    intervals.sort_unstable();
    intervals.dedup();
    let intervals: Vec<String> = intervals.iter().map(ToString::to_string).collect();
    format!(
        "Who is refused under back pressure, or because the drive is full, is told 452 4.3.1 Insufficient system resources: \
         that is for now, so an honest sender keeps the message and comes again. A tarpit refuses nothing: the answer to an \
         anonymous session that asked for a recipient that does not exist leaves {} later, and the session holds its \
         connection meanwhile.",
        and(&intervals)
    )
}

/// Who sends what, at each level of the load.
pub(super) fn senders(plans: &[&Plan], width: usize) -> Vec<(String, String)> {
    let mut told: Vec<&Plan> = Vec::new();
    let mut out = Vec::new();
    // What a session is about depends on options too: the tarpit lengthens it.
    let load = |plan: &Plan| plan.limits.transport.as_ref().map(|own| own.as_services(plan).load);
    for plan in plans {
        let Some(own) = &plan.limits.transport else { continue };
        if !told.iter().any(|other| load(other) == load(plan)) {
            told.push(plan);
            out.push((plain(&plan.variant), senders_of(plan, own, width)));
        }
    }
    let several = out.len() > 1;
    let title = |name: String| {
        if several {
            format!("Who sends to the transport server of {name}")
        } else {
            "Who sends to the transport server".into()
        }
    };
    out.into_iter().map(|(name, text)| (title(name), text)).collect()
}

fn senders_of(plan: &Plan, own: &TransportPlan, width: usize) -> String {
    let services = own.as_services(plan);
    let levels = levels(&services);
    let mut out = String::new();
    for (at, level) in levels.iter().enumerate() {
        out.push_str(&wrap(&format!("  {}  ", letter(at)), &level_text(&services, level), width));
    }
    let of = |at: usize| {
        levels.iter().map(move |level| (level.offered[at], own.messages_of_item(at), &own.groups[at].entrance))
    };
    let cells = (0..own.groups.len()).map(|at| {
        let cell = |(offered, messages, entrance): (Offered, f64, &Entrance)| {
            let (items, held) = (offered.per_second * 60.0, offered.threads());
            let held = if matches!(entrance, Entrance::Pickup | Entrance::Replay) { "-".into() } else { amount(held) };
            vec![amount(items), amount(items * messages), held]
        };
        of(at).map(cell).collect()
    });
    let row = |group: &Group| {
        let kind = match (&group.entrance, group.honest) {
            (entrance, true) => format!("{}, honest", entrance.name()),
            (entrance, false) => entrance.name().to_string(),
        };
        format!("{} ({kind})", plain(&group.name))
    };
    let grid = Grid {
        corner: "group".into(),
        rows: own.groups.iter().map(row).collect(),
        grouping: "load".into(),
        groups: (0..levels.len()).map(letter).collect(),
        figures: ["a minute", "messages", "at once"].map(String::from).to_vec(),
        cells: cells.collect(),
    };
    out.push_str(&grid.render(width));
    let mut notes = vec![
        "A minute: sessions, submissions or files that come, and the messages with a recipient in them. At once: connections \
         (threads, of submissions) that they would hold if nothing were refused. First attempts only: what was refused and \
         comes again is not counted.",
    ];
    if own.load.sources.iter().any(|source| matches!(source.arrivals, Arrivals::Trace(_))) {
        notes.push("The rows of logs are not counted: their rates are in the files.");
    }
    notes.iter().for_each(|note| out.push_str(&faint(note, width)));
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::format::columns;
    use super::super::super::sample::{compared, with_senders};
    use super::super::explain;
    use super::*;
    use crate::models::transport::spec::TransportSpec;
    use crate::models::transport::spec::{Limit, RateCounts};

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn with_spec(how: impl FnOnce(&mut TransportSpec)) -> Plan {
        let mut plan = (*with_senders("changed", Some(5)).plan).clone();
        let mut own = (**plan.limits.transport.as_ref().unwrap()).clone();
        how(Arc::make_mut(&mut own.spec));
        plan.limits.transport = Some(Arc::new(own));
        plan
    }

    #[test]
    fn every_limit_is_told_with_what_it_means_for_the_load() {
        let plans = [("open", None), ("shared", Some(5))].map(|(name, most)| (*with_senders(name, most).plan).clone());
        for width in [48, 80, 100, 160] {
            let text = explain(&plans, width);
            assert!(text.lines().all(|line| columns(line) <= width), "{width}:\n{text}");
            assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
        }
        let text = explain(&plans, 160);
        let squeezed = squeezed(&text);
        for part in [
            "MaxInboundConnectionPerSource unlimited (set; default 100) 5 (set; default 100)",
            "MaxConnectionRatePerMinute 1,200 a minute (default)",
            "TarpitInterval 5.00 s (default)",
            // 10,240 MB of drive less 500 MB are 95.1 %; 3/4 of 4,096 MB of memory.
            "High from 95 %, 9,728 MB",
            "Medium from 93 %, 9,523 MB",
            "High from 75 %, 3,072 MB",
            "is told 452 4.3.1 Insufficient system resources",
            // 5 commands of a second and 2 s of text: 7 s each, six a minute.
            "partners (smtp, honest) 6.0 6.0 0.70 6.0 6.0 0.70",
            // 30 a minute, each for 65 s.
            "MaxInboundConnection is 20, and they would hold 34.1 at once: it is full, and who comes is refused, honest or not.",
            "MaxInboundConnection is 20: they would hold 34.1 at once, 6.5 with the limits of one source, so there is room.",
            "flood has 1 source and would hold 32.5 connections at once; one source may have 5",
            "take 8, 8, 9 and so on from Pickup, 100 a minute. 1,200 files a minute come: about 1,100 more a minute are left.",
            "MaxConcurrentMailboxSubmissions is 30: at 1.00 s each, 30 threads do 30 a second. 0.20 come: enough on average.",
            // 2 connections of 90 s each, against a quarter of the partners' mail.
            "MaxPerDomainOutboundConnections is 2: at 1 min 30 s a connection, slow takes 1.3 messages a minute. 1.5 come: more than it takes, so its queue grows.",
            // 2 of 3 recipients: 7 commands and 10 s.
            "of the 3 recipients of a session of harvest 2 do not exist, so it lasts 17.0 s and not 7.00 s",
            "From 5 min 00 s on others use 9,626 MB, 94 % (Queue database and disk space): by itself that is Medium.",
            "From 6 min 00 s on others use 9,933 MB, 97 % (Queue database and disk space): by itself that is High.",
            "transport.over_rate = refused",
        ] {
            assert!(squeezed.contains(part), "no `{part}` in:\n{text}");
        }
        for never in ["heavy queue", "SERVER AND POOL", "starved"] {
            assert!(!text.contains(never), "`{never}` in:\n{text}");
        }
        assert!(!explain(std::slice::from_ref(&*compared().variants[0].plan), 100).contains("TRANSPORT"));
    }

    #[test]
    fn the_share_of_the_remaining_and_the_rate_depend_on_their_options() {
        let both = with_spec(|spec| {
            spec.assumptions.per_source = crate::models::transport::spec::PerSource::Both;
            spec.receive.max_inbound_connection = Limit::At(100);
            spec.receive.max_inbound_connection_percentage_per_source = 4;
            spec.server.max_connection_rate_per_minute = 20;
            spec.assumptions.rate_counts = RateCounts::LetPast;
        });
        let text = squeezed(&explain(std::slice::from_ref(&both), 100));
        for part in [
            "is 4 % of the connections that remain: 4 for one source while nobody is connected, 1 while 20 of 100 are left.",
            "one source may have 4 (MaxInboundConnectionPercentagePerSource, while nobody is connected)",
            "MaxConnectionRatePerMinute is 20: 39 connections a minute come, so about 19 are refused, whoever sends them.",
        ] {
            assert!(text.contains(part), "no `{part}` in:\n{text}");
        }
        let off = with_spec(|spec| {
            spec.back_pressure.enabled = false;
            spec.receive.tarpit_interval = Nanos::ZERO;
            spec.server.max_connection_rate_per_minute = 20;
        });
        let text = squeezed(&explain(std::slice::from_ref(&off), 100));
        for part in [
            "Back pressure is off: no resource is watched.",
            "of which the limits of one source let 13.6 be opened, so they pass.",
            "back pressure off (set; default on)",
        ] {
            assert!(text.contains(part), "no `{part}` in:\n{text}");
        }
        assert!(!text.contains("TarpitInterval is"), "{text}");
    }

    /// Not a check but a look: `cargo test --lib report::explain::transport::tests::looks -- --nocapture`.
    #[test]
    fn looks() {
        let plans = [("open", None), ("shared", Some(5))].map(|(name, most)| (*with_senders(name, most).plan).clone());
        println!("{}", explain(&plans, 100));
    }
}
