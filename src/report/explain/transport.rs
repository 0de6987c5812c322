//! A transport server in words, before anything runs: every option with its default, who sends, what each limit means for
//! that load, where back pressure begins, and what a sender is told.
//!
//! Not a prediction of who gets through: averages know no bursts and no retries. What they say is as if nothing were refused,
//! each limit by itself. Called by `explain`; every part is empty where no plan has a transport server.

use super::super::format::{Tone, amount, and, count, counted, plain, toned, wrap};
use super::super::table::{Grid, Sheet};
use super::super::text::limits::bytes;
use super::super::text::limits::transport::planned;
use super::judge::{Level, levels};
use super::{letter, level_text, round};
use crate::models::transport::spec::{Limit, OverRate, RateCounts, Role, Version};
use crate::models::transport::{Level as Pressure, Resource, Usage};
use crate::plan::Plan;
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::{BACK_PRESSURE_PAGE, Entrance, MeanSession, THROTTLING_PAGE, Watched, Whither};
use crate::time::Nanos;
use crate::workload::journey::Arrivals;

/// A session that asks for fewer recipients that do not exist, on average, is no matter for the tarpit.
const WORTH_A_WORD: f64 = 0.5;
/// Usages that are told one by one.
const USAGES_TOLD: usize = 8;

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
        let cell = |(offered, messages, entrance): (crate::plan::Offered, f64, &Entrance)| {
            let (items, held) = (offered.per_second * 60.0, offered.threads());
            let held = if matches!(entrance, Entrance::Pickup | Entrance::Replay) { "-".into() } else { amount(held) };
            vec![amount(items), amount(items * messages), held]
        };
        of(at).map(cell).collect()
    });
    let row = |group: &crate::plan::limits::transport::Group| {
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

/// What each limit means for the load, by arithmetic.
pub(super) fn outlook(plans: &[&Plan], width: usize) -> String {
    let mut out = String::new();
    for plan in plans {
        let Some(own) = &plan.limits.transport else { continue };
        out.push_str(&wrap("", &toned(Tone::Strong, &plain(&plan.variant)), width));
        let levels = levels(&own.as_services(plan));
        for limit in LIMITS {
            let mut told: Vec<(String, Vec<String>)> = Vec::new();
            for (at, level) in levels.iter().enumerate() {
                for text in limit(own, level) {
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
        for text in always(own) {
            out.push_str(&wrap("     ", &text, width));
        }
    }
    out
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
    // Those that the limits of one source refuse need no room in the rate, unless they count as well.
    let opened = |(at, per_second, at_once): (usize, f64, f64)| {
        let part = if at_once > 0.0 { at_most(own, at, at_once) / at_once } else { 1.0 };
        per_second * 60.0 * part
    };
    let counted = match own.spec.assumptions.rate_counts {
        RateCounts::Opened => over_smtp(own, level).map(opened).sum::<f64>(),
        RateCounts::LetPast => come,
    };
    let of = if counted < come {
        format!(
            "{} connections a minute come, of which the limits of one source let {} be opened",
            round(come),
            round(counted)
        )
    } else {
        format!("{} connections a minute come", round(come))
    };
    let most = own.spec.server.max_connection_rate_per_minute;
    let verdict = match own.spec.assumptions.over_rate {
        _ if counted <= f64::from(most) => "so they pass".to_string(),
        OverRate::Refused => {
            format!("so about {} are refused, whoever sends them", round(counted - f64::from(most)))
        }
        OverRate::Waits => {
            format!("so about {} more wait in line each minute, whoever sends them", round(counted - f64::from(most)))
        }
    };
    vec![format!("MaxConnectionRatePerMinute is {}: {of}, {verdict}.", count(most.into()))]
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
        let scans = own.scans::<3>().map(|n| n.to_string()).join(", ");
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
    let text = |(option, threads, takes, comes): (&str, u32, &crate::workload::distribution::Distribution, f64)| {
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
    for (at, domain) in own.domains.iter().enumerate() {
        let each = own.messages_to(Whither::Domain(at), &level.offered) / f64::from(domain.count);
        if each <= 0.0 {
            continue;
        }
        let (takes, attempts) = (own.attempt_s(at), own.attempts(at));
        let name = plain(&domain.name);
        let asks = each * attempts * takes;
        let most = match own.spec.server.max_per_domain_outbound_connections {
            Limit::At(most) => Some(most),
            Limit::Unlimited => None,
        };
        at_once += f64::from(domain.count) * most.map_or(asks, |most| asks.min(f64::from(most)));
        let Some(most) = most else { continue };
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

/// What does not depend on how much comes.
fn always(own: &TransportPlan) -> Vec<String> {
    let mut texts = Vec::new();
    texts.extend(share(own));
    for (at, group) in own.groups.iter().enumerate() {
        let (Entrance::Smtp(_), Some(session)) = (&group.entrance, own.session(at)) else { continue };
        texts.extend(of_sessions(own, at, &session));
    }
    texts.extend(usages(own));
    texts
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
        let level = found.marks.level(value, was[resource as usize], &spec.assumptions);
        was[resource as usize] = level;
        let at = if *at == Nanos::ZERO { "the begin".to_string() } else { at.to_string() };
        texts.push(format!(
            "From {at} on others use {told} ({}): by itself that is {}.",
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
    use crate::models::transport::pressure::percent_of;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::format::columns;
    use super::super::super::sample::{compared, with_transport};
    use super::super::explain;
    use super::*;
    use crate::models::transport::spec::TransportSpec;

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn with_spec(how: impl FnOnce(&mut TransportSpec)) -> Plan {
        let mut plan = (*with_transport("changed", Some(5)).plan).clone();
        let mut own = (**plan.limits.transport.as_ref().unwrap()).clone();
        how(Arc::make_mut(&mut own.spec));
        plan.limits.transport = Some(Arc::new(own));
        plan
    }

    #[test]
    fn every_limit_is_told_with_what_it_means_for_the_load() {
        let plans =
            [("open", None), ("shared", Some(5))].map(|(name, most)| (*with_transport(name, most).plan).clone());
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
        let plans =
            [("open", None), ("shared", Some(5))].map(|(name, most)| (*with_transport(name, most).plan).clone());
        println!("{}", explain(&plans, 100));
    }
}
