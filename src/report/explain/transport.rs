//! A transport server in words, before anything runs: every option with its default, who sends, what each limit means for
//! that load (`outlook`), where back pressure begins, and what a sender is told.
//!
//! Not a prediction of who gets through: averages know no bursts and no retries. What they say is as if nothing were refused,
//! each limit by itself. Called by `explain`; every part is empty where no plan has a transport server.

mod outlook;

pub(super) use outlook::outlook;

use super::super::format::{Tone, amount, count, plain, toned, wrap};
use super::super::table::{Grid, Sheet};
use super::super::text::limits::bytes;
use super::super::text::limits::transport::planned;
use super::judge::{Level, levels};
use super::{letter, level_text};
use crate::models::transport::Resource;
use crate::models::transport::spec::{Role, Version};
use crate::plan::Plan;
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::{BACK_PRESSURE_PAGE, Entrance, Group, THROTTLING_PAGE, Watched};
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

/// What a server is, by variant, in the order in which it is told: a label, and the text of each variant; a label without
/// texts is a heading.
type Rows = Vec<(String, Vec<String>)>;

fn rows(servers: &[&TransportPlan]) -> Rows {
    let each = |of: &dyn Fn(&TransportPlan) -> String| servers.iter().map(|own| of(own)).collect::<Vec<String>>();
    let mut rows = vec![
        ("role, version".to_string(), each(&|own| kind(own))),
        (
            "drive, memory".to_string(),
            each(&|own| {
                let machine = &own.spec.machine;
                format!("{}, {}", bytes(machine.queue_drive_bytes), bytes(machine.memory_bytes))
            }),
        ),
    ];
    let mut listed: Vec<(&str, &str)> = Vec::new();
    for option in servers.iter().flat_map(|own| own.options()) {
        if !listed.contains(&(option.of, option.name)) {
            listed.push((option.of, option.name));
        }
    }
    let mut of = "";
    for (owner, name) in listed {
        if owner != of {
            rows.push((owner.to_string(), Vec::new()));
            of = owner;
        }
        let option = |own: &TransportPlan| own.options().into_iter().find(|option| option.name == name);
        let cells = each(&|own| option(own).map_or("-".to_string(), |option| option.text()));
        rows.push((format!("  {name}"), cells));
    }
    rows
}

fn kind(own: &TransportPlan) -> String {
    let role = match own.spec.role {
        Role::Hub => "Hub Transport",
        Role::Edge => "Edge Transport",
    };
    let pack = match own.spec.version {
        Version::Rtm => "without a service pack",
        Version::Sp1 => "SP1",
    };
    format!("{role}, Exchange 2007 {pack}")
}

/// Every option with what is in force, and where it comes from; what variants differ in is told of each below.
pub(super) fn options(plans: &[&Plan], width: usize) -> String {
    let own = |plan: &&Plan| plan.limits.transport.clone().map(|own| (plain(&plan.variant), own));
    let servers: Vec<_> = plans.iter().filter_map(own).collect();
    let [(first, _), others @ ..] = servers.as_slice() else { return String::new() };
    let rows = rows(&servers.iter().map(|(_, own)| own.as_ref()).collect::<Vec<&TransportPlan>>());
    let differs = |cells: &[String]| cells.iter().any(|cell| *cell != cells[0]);
    let name = if others.is_empty() { first.clone() } else { "every variant".to_string() };
    let mut sheet = Sheet { names: vec![name], facts: Vec::new() };
    for (label, cells) in &rows {
        let cell = match cells.as_slice() {
            [] => String::new(),
            cells if differs(cells) => match cells.iter().find(|cell| cell.ends_with("(default)")) {
                Some(default) => format!("{default} but where set below"),
                None => "by variant, see below".to_string(),
            },
            [first, ..] => first.clone(),
        };
        sheet.add(label.clone(), vec![cell]);
    }
    let mut out = sheet.render(width);
    if rows.iter().any(|(_, cells)| differs(cells)) {
        out.push('\n');
        for (at, (name, _)) in servers.iter().enumerate() {
            let differing = rows.iter().filter(|(_, cells)| differs(cells));
            let is_set = |cell: &str| cell != "-" && !cell.ends_with("(default)");
            let set = differing.filter(|(_, cells)| is_set(&cells[at]));
            let told: Vec<String> = set.map(|(label, cells)| told(label.trim_start(), &cells[at])).collect();
            let told = if told.is_empty() { "all of these as setup leaves them".to_string() } else { told.join("; ") };
            out.push_str(&wrap("", &format!("{}: {told}", toned(Tone::Strong, name)), width));
        }
    }
    let note = format!(
        "default: as setup leaves it on a server of this role; set: the scenario gives another value. Options of throttling: \
         {THROTTLING_PAGE}; of back pressure: {BACK_PRESSURE_PAGE}."
    );
    out.push_str(&faint(&note, width));
    out
}

/// `MaxProtocolErrors 5 (default)`; what has no name of its own stands alone.
fn told(label: &str, cell: &str) -> String {
    if label.contains(", ") { cell.to_string() } else { format!("{label} {cell}") }
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
        let mut row = |label: &str, mark: fn(&Watched) -> u32| {
            planned(plans, &mut sheet, label, |own| {
                of(own).map_or("-".to_string(), |found| marked(mark(&found), &found))
            });
        };
        row("  High from", |found| found.marks.high);
        row("  Medium from", |found| found.marks.medium);
        row("  Normal below", |found| found.marks.normal);
    }
    if sheet.facts.is_empty() {
        return wrap("", "Back pressure is off: no resource is watched.", width);
    }
    if sheet.names.len() > 1 && sheet.facts.iter().all(|(_, cells)| cells.iter().all(|cell| *cell == cells[0])) {
        sheet.names = vec!["every variant".to_string()];
        sheet.facts.iter_mut().for_each(|(_, cells)| cells.truncate(1));
    }
    let mut out = sheet.render(width);
    out.push_str(&faint(ANSWERS, width));
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
const ANSWERS: &str = "Who is refused under back pressure, or because the drive is full, is told 452 4.3.1 Insufficient system resources: that is \
     for now, so an honest sender keeps the message and comes again. A tarpit refuses nothing: the answer to an anonymous session \
     that asked for a recipient that does not exist leaves TarpitInterval later, and the session holds its connection meanwhile.";

/// A variant's server, and its senders as services.
struct Senders<'p> {
    name: String,
    own: &'p TransportPlan,
    services: Plan,
}

impl Senders<'_> {
    /// Whether as much comes; options may make sessions last longer.
    fn send_alike(&self, other: &Senders<'_>) -> bool {
        let messages = |one: &Senders<'_>| {
            (0..one.own.groups.len()).map(|at| one.own.messages_of_item(at).to_bits()).collect::<Vec<u64>>()
        };
        self.own.load == other.own.load && self.own.groups == other.own.groups && messages(self) == messages(other)
    }
}

/// Who sends what, at each level of the load: once for all variants to which the same is sent.
pub(super) fn senders(plans: &[&Plan], width: usize) -> Vec<(String, String)> {
    let mut alike: Vec<Vec<Senders<'_>>> = Vec::new();
    for plan in plans {
        let Some(own) = plan.limits.transport.as_deref() else { continue };
        let one = Senders { name: plain(&plan.variant), own, services: own.as_services(plan) };
        match alike.iter_mut().find(|all| all[0].send_alike(&one)) {
            Some(all) => all.push(one),
            None => alike.push(vec![one]),
        }
    }
    let several = alike.len() > 1;
    let title = |all: &[Senders<'_>]| {
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let of = if several { format!(" of {}", names.join(", ")) } else { String::new() };
        format!("Who sends to the transport server{of}")
    };
    alike.iter().map(|all| (title(all), senders_of(all, width))).collect()
}

fn senders_of(all: &[Senders<'_>], width: usize) -> String {
    let (own, services) = (all[0].own, &all[0].services);
    let per_level = levels(services);
    let mut out = String::new();
    for (at, level) in per_level.iter().enumerate() {
        out.push_str(&wrap(&format!("  {}  ", letter(at)), &level_text(services, level), width));
    }
    // Variants whose sessions last as long hold as much at once.
    let mut held: Vec<(Vec<&str>, &Plan)> = Vec::new();
    for one in all {
        match held.iter_mut().find(|(_, known)| known.load == one.services.load) {
            Some((names, _)) => names.push(&one.name),
            None => held.push((vec![&one.name], &one.services)),
        }
    }
    let mut figures = vec!["a minute".to_string(), "messages".to_string()];
    let at_once = held.iter().map(|(names, _)| match held.len() {
        1 => "at once".to_string(),
        _ => format!("at once ({})", names.join(", ")),
    });
    figures.extend(at_once);
    let levels_held: Vec<Vec<Level>> = held.iter().map(|(_, services)| levels(services)).collect();
    let cell = |group: usize, level: usize| {
        let items = per_level[level].offered[group].per_second * 60.0;
        let has_none = matches!(own.groups[group].entrance, Entrance::Pickup | Entrance::Replay);
        let held = levels_held.iter().map(|levels| match levels.get(level) {
            Some(level) if !has_none => amount(level.offered[group].threads()),
            _ => "-".to_string(),
        });
        [amount(items), amount(items * own.messages_of_item(group))].into_iter().chain(held).collect()
    };
    let row = |group: &Group| {
        let honest = if group.honest { ", honest" } else { "" };
        format!("{} ({}{honest})", plain(&group.name), group.entrance.name())
    };
    let grid = Grid {
        corner: "group".into(),
        rows: own.groups.iter().map(row).collect(),
        grouping: "load".into(),
        groups: (0..per_level.len()).map(letter).collect(),
        figures,
        cells: (0..own.groups.len()).map(|at| (0..per_level.len()).map(|level| cell(at, level)).collect()).collect(),
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
    use crate::time::Nanos;

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
            "every variant",
            "MaxInboundConnectionPerSource by variant, see below",
            "open: MaxInboundConnectionPerSource unlimited (set; default 100) shared: MaxInboundConnectionPerSource 5 (set; \
             default 100)",
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
            "MaxConnectionRatePerMinute is 20: 39 connections a minute come, so about 19 are refused each minute, whoever sends them.",
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
            "of which the limits of one source let 14 be opened in the first minute and 13.6 in each later one, so they pass.",
            "back pressure off (set; default on)",
        ] {
            assert!(text.contains(part), "no `{part}` in:\n{text}");
        }
        assert!(!text.contains("TarpitInterval is"), "{text}");
        // 16 at once need room in the rate when they come, and 14.8 a minute from then on.
        let burst = with_spec(|spec| {
            spec.receive.max_inbound_connection_per_source = Limit::At(16);
            spec.server.max_connection_rate_per_minute = 24;
        });
        let text = squeezed(&explain(std::slice::from_ref(&burst), 100));
        let told = "let 25 be opened in the first minute and 23.8 in each later one, so about 1 are refused in the first minute";
        assert!(text.contains(told), "no `{told}` in:\n{text}");
    }

    /// Not a check but a look: `cargo test --lib report::explain::transport::tests::looks -- --nocapture`.
    #[test]
    fn looks() {
        let plans = [("open", None), ("shared", Some(5))].map(|(name, most)| (*with_senders(name, most).plan).clone());
        println!("{}", explain(&plans, 100));
    }
}
