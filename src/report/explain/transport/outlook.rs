//! What each limit of a transport server means for the load, by arithmetic: one sentence a limit and level.
//!
//! Averages are `plan::limits::transport`'s; here they are held against the options. Called by `super`.

use super::super::super::format::{Tone, amount, count, counted, plain, toned, wrap};
use super::super::super::text::limits::bytes;
use super::super::judge::{Level, levels};
use super::super::{letter, round};
use crate::models::transport::pressure::percent_of;
use crate::models::transport::spec::{Limit, OverRate, RateCounts, Role};
use crate::models::transport::{Level as Pressure, Resource, Usage};
use crate::plan::Plan;
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::{Entrance, MeanSession, Whither};
use crate::time::Nanos;
use crate::workload::distribution::Distribution;

/// A session that asks for fewer recipients that do not exist, on average, is no matter for the tarpit.
const WORTH_A_WORD: f64 = 0.5;
/// Usages that are told one by one.
const USAGES_TOLD: usize = 8;

/// What each limit means for the load, by arithmetic: variants of which a limit says the same are told of it together.
pub(in crate::report::explain) fn outlook(plans: &[&Plan], width: usize) -> String {
    let own = |plan: &&Plan| Some((plain(&plan.variant), topics(plan, plan.limits.transport.as_ref()?)));
    let all: Vec<(String, Vec<Vec<Line>>)> = plans.iter().filter_map(own).collect();
    let mut told: Vec<(Vec<Together>, Vec<usize>)> = Vec::new();
    for topic in 0..all.first().map_or(0, |(_, topics)| topics.len()) {
        let together = together(&all, topic);
        match told.iter_mut().find(|(known, _)| *known == together) {
            Some((_, topics)) => topics.push(topic),
            None => told.push((together, vec![topic])),
        }
    }
    // Where all agree comes first.
    told.sort_by_key(|(together, _)| together.len() > 1);
    let mut out = String::new();
    for (together, topics) in &told {
        for variants in together {
            let lines: Vec<&Line> = topics.iter().flat_map(|topic| &all[variants[0]].1[*topic]).collect();
            let names: Vec<&str> = variants.iter().map(|at| all[*at].0.as_str()).collect();
            let names = if together.len() == 1 && names.len() > 1 { "every variant".into() } else { names.join(", ") };
            if !lines.is_empty() {
                out.push_str(&wrap("", &toned(Tone::Strong, &names), width));
                lines.iter().for_each(|(lead, text)| out.push_str(&wrap(lead, text, width)));
            }
        }
    }
    out
}

/// What stands before a sentence, and itself.
type Line = (String, String);

/// Variants, by place, of which the same is told.
type Together = Vec<usize>;

fn together(all: &[(String, Vec<Vec<Line>>)], topic: usize) -> Vec<Together> {
    let mut found: Vec<Together> = Vec::new();
    for (at, (_, topics)) in all.iter().enumerate() {
        match found.iter_mut().find(|variants| all[variants[0]].1[topic] == topics[topic]) {
            Some(variants) => variants.push(at),
            None => found.push(vec![at]),
        }
    }
    found
}

/// By limit.
fn topics(plan: &Plan, own: &TransportPlan) -> Vec<Vec<Line>> {
    let levels = levels(&own.as_services(plan));
    let of = |limit: &fn(&TransportPlan, &Level) -> Vec<String>| {
        let mut told: Vec<(String, Vec<String>)> = Vec::new();
        for (at, level) in levels.iter().enumerate() {
            for text in limit(own, level) {
                match told.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, letters)) => letters.push(letter(at)),
                    None => told.push((text, vec![letter(at)])),
                }
            }
        }
        told.into_iter().map(|(text, letters)| (format!("  {}  ", letters.join(", ")), text)).collect()
    };
    let always = [share(own).into_iter().collect(), sessions(own), usages(own)];
    let always = always
        .into_iter()
        .map(|texts: Vec<String>| texts.into_iter().map(|text| ("     ".to_string(), text)).collect::<Vec<Line>>());
    LIMITS.iter().map(of).chain(always).collect()
}

/// What each limit makes of a level of the load, in the order in which it is told.
const LIMITS: [fn(&TransportPlan, &Level) -> Vec<String>; 6] =
    [rate, connections, sources, directories, mailboxes, domains];

/// The groups that come over SMTP, with what they offer.
fn over_smtp<'p>(own: &'p TransportPlan, level: &'p Level) -> impl Iterator<Item = (usize, f64, f64)> + 'p {
    let has_sessions = |at: &usize| matches!(own.groups[*at].entrance, Entrance::Smtp(_));
    let of = |at: usize| (at, level.offered[at].per_second, level.offered[at].threads());
    (0..own.groups.len()).filter(has_sessions).map(of).filter(|(_, per_second, _)| *per_second > 0.0)
}

fn rate(own: &TransportPlan, level: &Level) -> Vec<String> {
    let come = over_smtp(own, level).map(|(_, per_second, _)| per_second * 60.0).sum::<f64>();
    if come <= 0.0 {
        return Vec::new();
    }
    let (first, later) = match own.spec.assumptions.rate_counts {
        RateCounts::Opened => {
            let opened = over_smtp(own, level).map(|group| opened(own, group));
            opened.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1))
        }
        RateCounts::LetPast => (come, come),
    };
    let of = if first == later && later == come {
        format!("{} connections a minute come", round(come))
    } else {
        format!(
            "{} connections a minute come, of which the limits of one source let {} be opened in the first minute and {} in each \
             later one",
            round(come),
            round(first),
            round(later)
        )
    };
    let most = f64::from(own.spec.server.max_connection_rate_per_minute);
    let over = |counted: f64, when: &str| match own.spec.assumptions.over_rate {
        OverRate::Refused => format!("so about {} are refused {when}, whoever sends them", round(counted - most)),
        OverRate::Waits => format!("so about {} more wait in line {when}, whoever sends them", round(counted - most)),
    };
    let verdict = match (first > most, later > most) {
        (_, true) => over(later, "each minute"),
        (true, false) => over(first, "in the first minute"),
        (false, false) => "so they pass".to_string(),
    };
    vec![format!("MaxConnectionRatePerMinute is {}: {of}, {verdict}.", round(most))]
}

/// Connections of a group that are opened in the first minute of a level, and in a later one, and so need room in the rate: not
/// those that the limits of one source refuse.
fn opened(own: &TransportPlan, (at, per_second, at_once): (usize, f64, f64)) -> (f64, f64) {
    let come = per_second * 60.0;
    let most = at_most(own, at, at_once);
    if most >= at_once {
        return (come, come);
    }
    let later = come * most / at_once;
    (come.min(most.max(later)), later)
}

/// Connections that a group holds at most, by the limits of one source on an empty server.
fn at_most(own: &TransportPlan, at: usize, asks: f64) -> f64 {
    let Entrance::Smtp(sessions) = &own.groups[at].entrance else { return 0.0 };
    match own.of_one_source(0) {
        Some((most, _)) => asks.min(f64::from(most) * f64::from(sessions.servers)),
        None => asks,
    }
}

fn connections(own: &TransportPlan, level: &Level) -> Vec<String> {
    let asks = over_smtp(own, level).map(|(.., at_once)| at_once).sum::<f64>();
    let held = over_smtp(own, level).map(|(at, _, at_once)| at_most(own, at, at_once)).sum::<f64>();
    if asks <= 0.0 {
        return Vec::new();
    }
    let held_text =
        if held < asks { format!(", {} with the limits of one source", round(held)) } else { String::new() };
    let asked = format!("they would hold {} at once{held_text}", round(asks));
    vec![match own.spec.receive.max_inbound_connection {
        Limit::Unlimited => format!("MaxInboundConnection is unlimited: {asked}."),
        Limit::At(most) if held > f64::from(most) => format!(
            "MaxInboundConnection is {}, and {asked}: it is full, and who comes is refused, honest or not.",
            count(most.into())
        ),
        Limit::At(most) => format!("MaxInboundConnection is {}: {asked}, so there is room.", count(most.into())),
    }]
}

/// What one source may have, and which groups ask for more.
fn sources(own: &TransportPlan, level: &Level) -> Vec<String> {
    let Some((most, by)) = own.of_one_source(0) else { return Vec::new() };
    let mut texts = Vec::new();
    for (at, _, at_once) in over_smtp(own, level) {
        let Entrance::Smtp(sessions) = &own.groups[at].entrance else { continue };
        let each = at_once / f64::from(sessions.servers);
        let name = plain(&own.groups[at].name);
        let servers = counted(u64::from(sessions.servers), "source");
        let have = if sessions.servers == 1 { "has" } else { "have" };
        if each > f64::from(most) {
            texts.push(format!(
                "{name} {have} {servers} and would hold {} connections at once; one source may have {} ({by}, while nobody \
                 is connected), so it has {} at most.",
                round(at_once),
                count(most.into()),
                round(at_most(own, at, at_once))
            ));
        }
    }
    texts
}

fn directories(own: &TransportPlan, level: &Level) -> Vec<String> {
    let most = own.spec.server.pickup_directory_max_messages_per_minute;
    let mut texts = Vec::new();
    for entrance in [Entrance::Pickup, Entrance::Replay] {
        let of = (0..own.groups.len()).filter(|at| own.groups[*at].entrance == entrance);
        let come = of.map(|at| level.offered[at].per_second * 60.0).sum::<f64>();
        if come <= 0.0 {
            continue;
        }
        let scans = own.scans::<3>().map(|n| count(n.into())).join(", ");
        let each: u32 = own.scans::<12>().iter().sum();
        let verdict = if come > f64::from(each) {
            format!("about {} more a minute are left", round(come - f64::from(each)))
        } else {
            "more than come on average; a batch waits for its turn".to_string()
        };
        let directory = if entrance == Entrance::Pickup { "Pickup" } else { "Replay" };
        texts.push(format!(
            "PickupDirectoryMaxMessagesPerMinute is {}: scans, one each 5 s, take {scans} and so on from {directory}, {} a \
             minute. {} files a minute come: {verdict}.",
            count(most.into()),
            count(each.into()),
            round(come)
        ));
    }
    texts
}

/// The two bounds of the store driver's threads.
fn mailboxes(own: &TransportPlan, level: &Level) -> Vec<String> {
    if own.spec.role == Role::Edge {
        return Vec::new();
    }
    let server = &own.spec.server;
    let from_mailboxes = (0..own.groups.len()).filter(|at| own.groups[*at].entrance == Entrance::Mailbox);
    let submissions = from_mailboxes.map(|at| level.offered[at].per_second).sum::<f64>();
    let deliveries = own.messages_to(Whither::Mailboxes, &level.offered);
    let all = [
        (
            "MaxConcurrentMailboxSubmissions",
            server.max_concurrent_mailbox_submissions,
            &own.mailboxes.submission,
            submissions,
        ),
        (
            "MaxConcurrentMailboxDeliveries",
            server.max_concurrent_mailbox_deliveries,
            &own.mailboxes.delivery,
            deliveries,
        ),
    ];
    let asked = all.into_iter().filter(|(.., comes)| *comes > 0.0);
    let text = |(option, threads, takes, comes): (&str, u32, &Distribution, f64)| {
        let mean = takes.mean_ns() / 1e9;
        let can = f64::from(threads) / mean;
        let verdict = if comes > can { "too few, so they pile up" } else { "enough on average" };
        let (can, comes) = rates(can, comes, "");
        format!(
            "{option} is {}: at {} each, {} threads do {can}. {comes} come: {verdict}.",
            count(threads.into()),
            Nanos::from_f64(mean * 1e9),
            count(threads.into()),
        )
    };
    asked.map(text).collect()
}

/// What can be done, with its unit and what it is of, and what comes, in the same unit: a second, or a minute where less than
/// one a second can be done.
fn rates(can: f64, comes: f64, of: &str) -> (String, String) {
    if can < 1.0 {
        (format!("{}{of} a minute", round(can * 60.0)), round(comes * 60.0))
    } else {
        (format!("{}{of} a second", round(can)), round(comes))
    }
}

/// What each domain can take, and all outbound connections together.
fn domains(own: &TransportPlan, level: &Level) -> Vec<String> {
    let mut texts = Vec::new();
    let mut at_once = 0.0;
    // Nothing is held for longer than the run is old.
    let until = level.spans.last().map_or(Nanos::MAX, |(_, until)| *until);
    for (at, domain) in own.domains.iter().enumerate() {
        let each = own.messages_to(Whither::Domain(at), &level.offered) / f64::from(domain.count);
        if each <= 0.0 {
            continue;
        }
        let (takes, attempts) = (own.attempt_s(at, until), own.attempts(at));
        let name = plain(&domain.name);
        let asks = each * attempts * takes;
        let most = match own.spec.server.max_per_domain_outbound_connections {
            Limit::At(most) => Some(most),
            Limit::Unlimited => None,
        };
        at_once += f64::from(domain.count) * most.map_or(asks, |most| asks.min(f64::from(most)));
        let Some(most) = most else {
            texts.push(format!(
                "MaxPerDomainOutboundConnections is unlimited: {} would have {} connections at once.",
                if domain.count > 1 { format!("each of the {} of {name}", count(domain.count.into())) } else { name },
                amount(asks)
            ));
            continue;
        };
        let can = f64::from(most) / (takes * attempts);
        let tries = if attempts >= 1.05 { format!(", {} attempts a message", amount(attempts)) } else { String::new() };
        let of = if domain.count > 1 { format!("each of the {} of {name}", count(domain.count.into())) } else { name };
        let verdict = if each > can { "more than it takes, so its queue grows" } else { "enough on average" };
        let (can, each) = rates(can, each, " messages");
        texts.push(format!(
            "MaxPerDomainOutboundConnections is {}: at {} a connection{tries}, {of} takes {can}. {each} come: {verdict}.",
            count(most.into()),
            Nanos::from_f64(takes * 1e9),
        ));
    }
    if at_once > 0.0
        && let Limit::At(most) = own.spec.server.max_outbound_connections
    {
        let verdict = if at_once > f64::from(most) { "too few, so all domains wait" } else { "so there is room" };
        texts.push(format!(
            "MaxOutboundConnections is {}: all domains together would hold {} at once, {verdict}.",
            count(most.into()),
            round(at_once)
        ));
    }
    texts
}

/// What does not depend on how much comes: of the sessions of each group.
fn sessions(own: &TransportPlan) -> Vec<String> {
    let has = |at: usize| own.session(at).map(|session| of_sessions(own, at, &session));
    (0..own.groups.len()).filter_map(has).flatten().collect()
}

/// How the share of one source shrinks.
fn share(own: &TransportPlan) -> Option<String> {
    let receive = &own.spec.receive;
    let Limit::At(most) = receive.max_inbound_connection else { return None };
    let share = |open| receive.share_of_remaining(open, own.spec.assumptions.share_rounding);
    let (empty, crowded) = (share(0)?, share(most - most / 5)?);
    // Where the other limit of one source is always smaller, the share says nothing.
    let decides = |open| own.of_one_source(open).is_some_and(|(_, by)| by == "MaxInboundConnectionPercentagePerSource");
    if !decides(0) && !decides(most - most / 5) {
        return None;
    }
    Some(format!(
        "MaxInboundConnectionPercentagePerSource is {} % of the connections that remain: {} for one source while nobody is \
         connected, {} while {} of {} are left.",
        receive.max_inbound_connection_percentage_per_source,
        count(empty.into()),
        count(crowded.into()),
        count((most / 5).into()),
        count(most.into())
    ))
}

/// Tarpit, errors and time-outs of a group's sessions.
fn of_sessions(own: &TransportPlan, at: usize, session: &MeanSession) -> Vec<String> {
    let Entrance::Smtp(sessions) = &own.groups[at].entrance else { return Vec::new() };
    let (name, receive) = (plain(&own.groups[at].name), &own.spec.receive);
    let mut texts = Vec::new();
    let seconds = |s: f64| Nanos::from_f64(s * 1e9);
    if session.unknown >= WORTH_A_WORD && sessions.authenticated {
        texts.push(format!("{name} is not tarpitted: it authenticates."));
    } else if session.unknown >= WORTH_A_WORD && receive.tarpit_interval > Nanos::ZERO {
        let a_minute = |s: f64| round(session.recipients / s * 60.0);
        texts.push(format!(
            "TarpitInterval is {}: of the {} recipients of a session of {name} {} do not exist, so it lasts {} and not {}, and \
             asks for {} a minute on a connection and not {}.",
            receive.tarpit_interval,
            round(session.recipients),
            round(session.unknown),
            seconds(session.seconds),
            seconds(session.seconds_without_tarpit),
            a_minute(session.seconds),
            a_minute(session.seconds_without_tarpit)
        ));
    }
    if session.seconds >= receive.connection_timeout.as_secs_f64() {
        texts.push(format!(
            "ConnectionTimeout is {}: a session of {name} would take longer, and is closed then.",
            receive.connection_timeout
        ));
    }
    if sessions.stalls > 0.0 {
        texts.push(format!(
            "ConnectionInactivityTimeout is {}: for so long {} % of the sessions of {name} hold a connection without a word.",
            receive.connection_inactivity_timeout,
            amount(sessions.stalls * 100.0).trim_end_matches(".0")
        ));
    }
    if let (true, Limit::At(most)) = (session.errors > 0.0, receive.max_protocol_errors) {
        let verdict = if session.errors > f64::from(most) { "so most are closed" } else { "so few are closed" };
        texts.push(format!(
            "MaxProtocolErrors is {most}: a session of {name} makes {} errors on average, {verdict}.",
            round(session.errors)
        ));
    }
    texts
}

/// What others use, and the level that each usage alone brings.
fn usages(own: &TransportPlan) -> Vec<String> {
    let spec = &own.spec;
    let mut texts = Vec::new();
    let mut was = [Pressure::Normal; Resource::ALL.len()];
    for (at, usage) in &own.usages {
        let Some((resource, value, told)) = reading(own, *usage) else { continue };
        let Some(found) = own.watched().into_iter().find(|watched| watched.resource == resource) else { continue };
        let before = std::mem::take(&mut was[resource as usize]);
        let level = found.marks.level(value, before, &spec.assumptions);
        was[resource as usize] = level;
        let still = if level == before && level > Pressure::Normal { "still " } else { "" };
        let at = if *at == Nanos::ZERO { "the begin".to_string() } else { at.to_string() };
        texts.push(format!(
            "From {at} on others use {told} ({}): by itself that is {still}{}.",
            resource.name(),
            level.name()
        ));
    }
    let more = texts.len().saturating_sub(USAGES_TOLD);
    texts.truncate(USAGES_TOLD);
    if more > 0 {
        texts.push(format!("And {} more.", count(more as u64)));
    }
    texts
}

/// Which resource a usage is of, what is read then, and in words; `None` where it makes no level.
fn reading(own: &TransportPlan, usage: Usage) -> Option<(Resource, u32, String)> {
    let machine = &own.spec.machine;
    let of = |used: u64, whole: u64| {
        let percent = percent_of(used, whole);
        (percent, format!("{}, {percent} %", bytes(used)))
    };
    match usage {
        Usage::QueueDrive(used) => {
            let (percent, told) = of(used, machine.queue_drive_bytes);
            Some((Resource::QueueDrive, percent, told))
        }
        Usage::LogDrive(used) => {
            let (percent, told) = of(used, machine.log_drive_bytes?);
            Some((Resource::LogDrive, percent, told))
        }
        Usage::VersionBuckets(buckets) => Some((Resource::VersionBuckets, buckets, counted(buckets.into(), "bucket"))),
        Usage::PrivateBytes(used) => {
            let (percent, told) =
                of(used.saturating_add(own.spec.assumptions.base_private_bytes), machine.memory_bytes);
            Some((Resource::PrivateBytes, percent, format!("{told} with what the service takes by itself")))
        }
        Usage::OtherProcesses(_) => None,
    }
}
