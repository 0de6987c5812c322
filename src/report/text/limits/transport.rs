//! A transport server of Exchange 2007: its options, what each limit refused or delayed and to whom, whether senders got
//! through, how long each level of back pressure lasted, and its event log.
//!
//! Called by `text`; each part is empty where no variant has a transport server.

use super::super::super::blocks::Blocks;
use super::super::super::format::{Tone, clock, count, micros, percent, plain, toned};
use super::super::super::table::{Grid, Sheet};
use super::super::super::{Report, VariantReport};
use super::super::figures::ABSENT;
use super::super::names;
use super::{ENTRIES_TOLD, bad, bytes, fact, grid, headed, more, of_the_first_run};
use crate::metrics::latency::LatencySummary;
use crate::metrics::limits::{SenderFigures, TransportFigures};
use crate::models::transport::events::Kind;
use crate::models::transport::spec::TransportSpec;
use crate::models::transport::{Held, Level, Marks, Resource, Throttle};
use crate::plan::Plan;
use crate::plan::limits::TransportPlan;
use crate::time::Nanos;

/// A variant's transport server with its figures.
pub(in crate::report) fn found(variant: &VariantReport) -> Option<(&TransportPlan, &TransportFigures)> {
    Some((variant.plan.limits.transport.as_deref()?, variant.limits.transport.as_ref()?))
}

fn servers(report: &Report) -> impl Iterator<Item = (&VariantReport, &TransportPlan, &TransportFigures)> {
    report.variants.iter().filter_map(|v| found(v).map(|(plan, figures)| (v, plan, figures)))
}

fn figures(variant: &VariantReport) -> Option<&TransportFigures> {
    found(variant).map(|(_, figures)| figures)
}

/// What is set, and the most that there was.
pub(in crate::report) fn server(report: &Report) -> Blocks {
    if servers(report).next().is_none() {
        return Blocks::new();
    }
    let mut sheet = Sheet { names: names(report), facts: Vec::new() };
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    options(&plans, &mut sheet);
    let mut most = |label: &str, of: fn(&TransportFigures) -> u64| {
        fact(report, &mut sheet, label, figures, |f| count(of(f)));
    };
    most("most inbound connections", |f| f.summary.most.connections.into());
    most("  of one source", |f| f.summary.most.of_one_source.into());
    if servers(report).any(|(.., f)| f.summary.most.in_line > 0) {
        most("  in line for the rate", |f| f.summary.most.in_line.into());
    }
    most("most submissions at once", |f| f.summary.most.submitting.into());
    most("most deliveries to mailboxes", |f| f.summary.most.to_mailboxes.into());
    most("most outbound connections", |f| f.summary.most.outbound.into());
    most("  to one domain", |f| f.summary.most.to_one_domain.into());
    most("most messages on queues", |f| f.summary.most.queued);
    let mut out = Blocks::new();
    out.sheet(sheet);
    of_the_first_run(report, &mut out);
    out
}

/// The options in force, in Microsoft's spelling: facts of plans, which need not have been run.
pub(in crate::report) fn options(plans: &[&Plan], sheet: &mut Sheet) {
    planned(plans, sheet, "server", |own| {
        let role = if own.spec.role.name() == "hub" { "Hub Transport" } else { "Edge Transport" };
        format!("{role}, Exchange {}", own.spec.version.name())
    });
    for (name, value) in settings() {
        planned(plans, sheet, name, |own| value(&own.spec));
    }
}

/// The value of an option as text.
type Told = fn(&TransportSpec) -> String;

/// Every option of the throttling page, in its order.
pub(in crate::report) fn settings() -> [(&'static str, Told); 14] {
    [
        ("MaxConcurrentMailboxDeliveries", |s| count(s.server.max_concurrent_mailbox_deliveries.into())),
        ("MaxConcurrentMailboxSubmissions", |s| count(s.server.max_concurrent_mailbox_submissions.into())),
        ("MaxConnectionRatePerMinute", |s| count(s.server.max_connection_rate_per_minute.into())),
        ("MaxOutboundConnections", |s| s.server.max_outbound_connections.text()),
        ("MaxPerDomainOutboundConnections", |s| s.server.max_per_domain_outbound_connections.text()),
        ("PickupDirectoryMaxMessagesPerMinute", |s| count(s.server.pickup_directory_max_messages_per_minute.into())),
        ("ConnectionInactivityTimeOut (Send)", |s| s.send.connection_inactivity_time_out.to_string()),
        ("ConnectionInactivityTimeout (Receive)", |s| s.receive.connection_inactivity_timeout.to_string()),
        ("ConnectionTimeout", |s| s.receive.connection_timeout.to_string()),
        ("MaxInboundConnection", |s| s.receive.max_inbound_connection.text()),
        ("MaxInboundConnectionPercentagePerSource", |s| {
            format!("{} %", s.receive.max_inbound_connection_percentage_per_source)
        }),
        ("MaxInboundConnectionPerSource", |s| s.receive.max_inbound_connection_per_source.text()),
        ("MaxProtocolErrors", |s| s.receive.max_protocol_errors.text()),
        ("TarpitInterval", |s| match s.receive.tarpit_interval {
            Nanos::ZERO => "none".to_string(),
            time => time.to_string(),
        }),
    ]
}

/// A fact of plans; `-` where one has no transport server.
pub(in crate::report) fn planned(
    plans: &[&Plan],
    sheet: &mut Sheet,
    label: &str,
    cell: impl Fn(&TransportPlan) -> String,
) {
    let of = |plan: &&Plan| plan.limits.transport.as_ref().map_or_else(|| ABSENT.to_string(), |own| cell(own));
    sheet.add(label, plans.iter().map(of).collect());
}

/// Every group that some variant has, in order.
fn groups(report: &Report) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for (_, plan, _) in servers(report) {
        for group in &plan.groups {
            if !all.contains(&group.name.as_str()) {
                all.push(&group.name);
            }
        }
    }
    all
}

/// The place of a group in a variant, with its figures.
fn group<'r>(variant: &'r VariantReport, name: &str) -> Option<(usize, &'r TransportFigures)> {
    let (plan, figures) = found(variant)?;
    plan.groups.iter().position(|group| group.name == name).map(|at| (at, figures))
}

/// A table of groups by variant.
fn by_group(
    report: &Report,
    corner: &str,
    rows: &[&str],
    figures: &[&str],
    cells: impl Fn(usize, &TransportFigures) -> Vec<String>,
) -> Grid {
    let cell = |v: &VariantReport, name: &str| match group(v, name) {
        Some((at, found)) => cells(at, found),
        None => vec![ABSENT.to_string(); figures.len()],
    };
    let all = rows.iter().map(|name| report.variants.iter().map(|v| cell(v, name)).collect()).collect();
    grid(report, corner, rows, figures, all)
}

/// Whether senders got through, and how long it took.
pub(in crate::report) fn senders(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    if servers(report).next().is_none() {
        return out;
    }
    let all = groups(report);
    let wants = |name: &&&str| {
        report.variants.iter().any(|v| group(v, name).is_some_and(|(at, f)| f.senders[at].messages.wanted > 0))
    };
    let wanting: Vec<&str> = all.iter().filter(wants).copied().collect();
    let figures = ["wanted", "handed over", "through", "given up", "still trying", "for nobody", "retries"];
    let table = by_group(report, "messages", &wanting, &figures, |at, f| messages(&f.senders[at]));
    out.grid(table.without(|at, cell| at >= 5 && (cell == "0" || cell == ABSENT)));
    out.gap();
    let taken = |name: &&&str| {
        report.variants.iter().any(|v| group(v, name).is_some_and(|(at, f)| f.senders[at].messages.handed_over > 0))
    };
    let taken: Vec<&str> = wanting.iter().filter(taken).copied().collect();
    let figures = ["mean", "p50", "p99", "max"];
    let table =
        by_group(report, "until the server had it", &taken, &figures, |at, f| times(&f.senders[at].to_queue.summary()));
    out.grid(table);
    out.gap();
    let table = by_group(report, "until it was delivered", &taken, &figures, |at, f| {
        times(&f.senders[at].to_delivery.summary())
    });
    out.grid(table);
    let in_vain = |own: &SenderFigures| own.recipients_asked > own.recipients_found;
    let asks =
        |name: &&&str| report.variants.iter().any(|v| group(v, name).is_some_and(|(at, f)| in_vain(&f.senders[at])));
    let asking: Vec<&str> = all.iter().filter(asks).copied().collect();
    if !asking.is_empty() {
        out.gap();
        let table = by_group(report, "recipients", &asking, &["asked for", "that exist"], |at, f| {
            vec![count(f.senders[at].recipients_asked), count(f.senders[at].recipients_found)]
        });
        out.grid(table);
    }
    out.note(
        "A message counts once here, however often it was offered; `through` leaves out those for nobody. Times count from \
         when a sender wanted to send.",
    );
    out
}

fn messages(own: &SenderFigures) -> Vec<String> {
    let found = own.messages;
    let through = if found.wanted == 0 { ABSENT.to_string() } else { percent(found.through_percent()) };
    let through = match found.wanted {
        0 => through,
        _ if found.given_up == 0 && found.trying == 0 => toned(Tone::Good, &through),
        _ if own.honest && found.given_up > 0 => toned(Tone::Bad, &through),
        _ => through,
    };
    let given_up = if own.honest { bad(found.given_up) } else { count(found.given_up) };
    vec![
        count(found.wanted),
        count(found.handed_over),
        through,
        given_up,
        count(found.trying),
        count(found.for_nobody),
        count(own.retries),
    ]
}

fn times(summary: &LatencySummary) -> Vec<String> {
    match summary.count {
        0 => vec![ABSENT.to_string(); 4],
        _ => {
            vec![micros(summary.mean_us), summary.p50.to_string(), summary.p99.to_string(), summary.max.to_string()]
        }
    }
}

/// What became of connections.
pub(in crate::report) fn connections(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    let came = |name: &&&str| {
        report.variants.iter().any(|v| group(v, name).is_some_and(|(at, f)| f.of_group(at).connections.came > 0))
    };
    let all = groups(report);
    let rows: Vec<&str> = all.iter().filter(came).copied().collect();
    if rows.is_empty() {
        return out;
    }
    let figures = ["came", "refused", "quit", "closed", "gave up", "in line", "open"];
    let table = by_group(report, "connections", &rows, &figures, |at, f| {
        let found = f.of_group(at).connections;
        let some = |n: u64| if f.senders[at].honest { bad(n) } else { count(n) };
        vec![
            count(found.came),
            some(found.refused),
            count(found.quit),
            some(found.closed),
            count(found.gave_up),
            count(found.waiting),
            count(found.open),
        ]
    });
    out.grid(table.without(|at, cell| at >= 4 && (cell == "0" || cell == ABSENT)));
    out
}

/// What each limit refused, closed or delayed, and whose it was.
pub(in crate::report) fn held(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    if servers(report).next().is_none() {
        return out;
    }
    let names = groups(report);
    let of = |v: &VariantReport, name: &str, by: Throttle| group(v, name).map(|(at, f)| *f.of_group(at).held(by));
    let mut rows: Vec<(Throttle, &str)> = Vec::new();
    for by in Throttle::ALL {
        let held = |name: &&str| report.variants.iter().any(|v| of(v, name, by).is_some_and(|h| h != Held::default()));
        rows.extend(names.iter().copied().filter(|name| held(name)).map(|name| (by, name)));
    }
    if rows.is_empty() {
        out.line("", "No limit refused, closed or delayed anything.");
        return out;
    }
    let labels: Vec<String> = rows.iter().map(|(by, name)| format!("{}: {}", by.name(), plain(name))).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let figures = ["refused connections", "refused messages", "closed", "cut", "delayed", "mean delay"];
    let cell = |v: &VariantReport, (by, name): (Throttle, &str)| match of(v, name, by) {
        Some(held) => held_cells(&held),
        None => vec![ABSENT.to_string(); figures.len()],
    };
    let cells = rows.iter().map(|row| report.variants.iter().map(|v| cell(v, *row)).collect()).collect();
    let table = grid(report, "by what: whose", &labels, &figures, cells);
    out.grid(table.without(|_, cell| cell == "0" || cell == ABSENT));
    out.note(
        "What waits for several limits counts with the first. A limit that refuses at the door keeps others from being \
         reached, so that a row tells what was left of what came before it.",
    );
    out
}

fn held_cells(held: &Held) -> Vec<String> {
    let mean = match held.delayed {
        0 => ABSENT.to_string(),
        delayed => micros(held.delay.0 as f64 / 1e3 / delayed as f64),
    };
    vec![
        count(held.connections_refused),
        count(held.messages_refused),
        count(held.connections_closed),
        count(held.deliveries_cut),
        count(held.delayed),
        mean,
    ]
}

/// The marks of each resource and the time at each level.
pub(in crate::report) fn pressure(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    if servers(report).next().is_none() {
        return out;
    }
    let mut sheet = Sheet { names: names(report), facts: Vec::new() };
    let plans: Vec<&Plan> = report.variants.iter().map(|v| v.plan.as_ref()).collect();
    marks(&plans, &mut sheet);
    for (level, label) in Level::ALL.into_iter().zip(["time at Normal", "time at Medium", "time at High"]) {
        fact(report, &mut sheet, label, figures, |f| {
            let (time, end) = (f.time_at(level), f.summary.end);
            let share = if end == Nanos::ZERO { 0.0 } else { time.as_secs_f64() / end.as_secs_f64() * 100.0 };
            match (time, level) {
                (Nanos::ZERO, _) => "0".to_string(),
                (_, Level::Normal) => format!("{time} ({})", percent(share)),
                _ => toned(Tone::Bad, &format!("{time} ({})", percent(share))),
            }
        });
    }
    fact(report, &mut sheet, "times Medium, High was reached", figures, |f| {
        let reached = |level: Level| count(f.summary.times_reached[level as usize]);
        format!("{}, {}", reached(Level::Medium), reached(Level::High))
    });
    fact(report, &mut sheet, "queue drive at most used", figures, |f| {
        format!("{} %", f.summary.most.queue_drive_percent)
    });
    if servers(report).any(|(.., f)| f.summary.dehydrated > Nanos::ZERO) {
        fact(report, &mut sheet, "messages were dehydrated for", figures, |f| f.summary.dehydrated.to_string());
    }
    out.sheet(sheet);
    out
}

/// Where the levels begin: facts of plans, which need not have been run.
pub(in crate::report) fn marks(plans: &[&Plan], sheet: &mut Sheet) {
    planned(plans, sheet, "back pressure", |own| match own.spec.back_pressure.enabled {
        true => format!("on, every {}", own.spec.back_pressure.resource_monitoring_interval),
        false => toned(Tone::Bad, "off"),
    });
    planned(plans, sheet, "drive of the queue database", |own| bytes(own.spec.machine.queue_drive_bytes));
    for resource in Resource::ALL {
        let of = |own: &TransportPlan| own.spec.marks(resource).filter(|_| own.spec.back_pressure.enabled);
        if plans.iter().filter_map(|plan| plan.limits.transport.as_ref()).all(|own| of(own).is_none()) {
            continue;
        }
        planned(plans, sheet, &format!("  {}", resource.name()), |own| match of(own) {
            Some(Marks { normal, medium, high }) => {
                let unit = resource.unit();
                format!("Normal={normal}{unit} Medium={medium}{unit} High={high}{unit}")
            }
            None => "not watched".to_string(),
        });
    }
}

/// The first entries of each variant's event log.
pub(in crate::report) fn events(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    for (variant, plan, figures) in servers(report) {
        headed(report, variant, &mut out);
        for entry in figures.summary.events.iter().take(ENTRIES_TOLD) {
            let kind = match entry.kind() {
                Kind::Error => toned(Tone::Bad, Kind::Error.name()),
                other => other.name().to_string(),
            };
            let id = entry.id.map(|id| format!(" {id}")).unwrap_or_default();
            let text = plan.event_text(entry);
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default();
            out.line(&format!("{}  ", clock(entry.at)), &format!("{kind} {}{id}: {}", entry.source(), plain(first)));
            lines.for_each(|line| out.line("            ", line));
        }
        more(figures.summary.events.len(), figures.summary.events_dropped, "; --events FILE.csv has them", &mut out);
    }
    if !out.0.is_empty() {
        out.note(
            "Ids 15001 to 15005 and the form of a resource's line are published (bb201658); the sentences are ours, and so \
             are the entries of the source atqsim. Who is refused under pressure is told 452 4.3.1 Insufficient system \
             resources.",
        );
    }
    out
}
