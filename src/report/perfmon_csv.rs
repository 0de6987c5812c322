//! The counters that an administrator knows, over time, as the CSV that Perfmon writes (PDH-CSV 4.0).
//!
//! Every variant is a machine, in a cluster every node of it. Real counters have their published names (`SMTP Server`: TechNet
//! cc736659; `Process`; `Memory`: KB 910932); what no counter of Windows or Exchange shows is in objects whose names begin with `atqsim synthetic`. Not the
//! time line (`metrics`). Called by `cli`. The counters are described in `docs/files.md`.

use std::collections::BTreeSet;

use super::format::Cell;
use super::{Report, VariantReport};
use crate::ids::ClassId;
use crate::metrics::derived::{AtOnce, at_once, in_interval, running_totals};
use crate::metrics::intervals::ClassInterval;
use crate::models::cluster::spec::NodeId;
use crate::models::domain_table::Counters;
use crate::models::samples::Samples;
use crate::models::store::Load;
use crate::models::transport::Load as OfTransport;
use crate::plan::Role;
use crate::policy::dispatch::{ClassRule, Kind};
use crate::time::Nanos;

/// A sample that there is none of. `Guess:` Perfmon's files are said to have a blank, so for the first sample of a rate.
const NONE: &str = " ";

/// The instance that is all instances together.
const TOTAL: &str = "_Total";

/// The object of the store's threads and of the Internet Mail Service, which had no counters that are published.
pub const STORE: &str = "atqsim synthetic store";
/// The object of the SMTP domain table.
pub const DOMAINS: &str = "atqsim synthetic domain table";
/// The object of a transport server of Exchange 2007. Guess: the real counters of its queues and connectors were not at hand.
pub const TRANSPORT: &str = "atqsim synthetic transport";
/// The object of what a service has. A pool's own is [`POOL`].
pub const SERVICE: &str = "atqsim synthetic service";
/// The object of a pool's counters.
pub const POOL: &str = "atqsim synthetic ATQ";

/// Counters of `SMTP Server`: the queue that each is about (`None`: inbound SMTP), its name, what it shows.
pub const SMTP: [(Option<&str>, &str, Shows); 8] = [
    (None, "Messages Received/sec", Shows::Rate(served)),
    (None, "Messages Received Total", Shows::Total(served)),
    // `Guess:` those in the categorizer's hands count no more. ATQ: ExBPA watches both lengths (eb297e25, 9cda2187).
    (Some("pre-categorization"), "Categorizer Queue Length", Shows::Waiting),
    (Some("pre-categorization"), "Cat: Categorizations completed", Shows::Total(served)),
    (Some("pre-routing"), "Messages Pending Routing", Shows::Waiting),
    (Some("local-delivery"), "Local Queue Length", Shows::Waiting),
    (Some("local-delivery"), "Messages Delivered/sec", Shows::Rate(served)),
    (Some("local-delivery"), "Messages Delivered Total", Shows::Total(served)),
];

/// Counters of a service.
pub const OF_SERVICE: [(&str, Shows); 8] = [
    ("Items Waiting", Shows::Waiting),
    ("Threads Held", Shows::Busy),
    ("Thread Cap", Shows::Cap),
    ("Oldest Wait Seconds", Shows::Oldest),
    ("Starved", Shows::Starved),
    ("Arrivals/sec", Shows::Rate(|class| class.arrivals)),
    ("Served/sec", Shows::Rate(served)),
    ("Gave Up/sec", Shows::Rate(|class| class.outcomes.gave_up)),
];

/// Counters of the store's threads: object, name, and the value of a moment.
pub const OF_STORE: [(&str, &str, At); 6] = [
    (STORE, "Max Threads", |variant, _| Some(u64::from(variant.plan.limits.store.as_ref()?.spec.threads.max))),
    (STORE, "Threads In Use", |variant, at| Some(u64::from(store_at(variant, at)?.in_use))),
    (STORE, "Calls Waiting", |variant, at| Some(store_at(variant, at)?.line)),
    (STORE, "Internet Mail Service Inbound Backlog", |variant, at| Some(store_at(variant, at)?.inbound)),
    (STORE, "Internet Mail Service Outbound Backlog", |variant, at| Some(store_at(variant, at)?.outbound)),
    (STORE, "Internet Mail Service Logged On", logged_on),
];

/// Counters of the domain table; the first two are those of KB 910932.
pub const OF_DOMAINS: [(&str, &str, At); 5] = [
    ("Memory", "Available Bytes", |variant, at| Some(domains_at(variant, at)?.available_bytes)),
    ("Process(inetinfo)", "Working Set", |variant, at| Some(domains_at(variant, at)?.working_set_bytes)),
    (DOMAINS, "Entries Live", |variant, at| Some(domains_at(variant, at)?.live)),
    (DOMAINS, "Entries Dead", |variant, at| Some(domains_at(variant, at)?.dead)),
    (DOMAINS, "Messages Queued", |variant, at| Some(domains_at(variant, at)?.queued)),
];

/// Counters of a transport server.
pub const OF_TRANSPORT: [(&str, &str, At); 12] = [
    (TRANSPORT, "Back Pressure Level", |variant, at| Some(transport_at(variant, at)?.level as u64)),
    (TRANSPORT, "Queue Drive Percent Used", |variant, at| Some(transport_at(variant, at)?.queue_drive_percent.into())),
    (TRANSPORT, "Inbound Connections", |variant, at| Some(transport_at(variant, at)?.connections.into())),
    (TRANSPORT, "Inbound Connections Waiting", |variant, at| Some(transport_at(variant, at)?.in_line.into())),
    (TRANSPORT, "Inbound Connections Refused Total", |variant, at| {
        Some(transport_at(variant, at)?.connections_refused)
    }),
    (TRANSPORT, "Messages Refused Total", |variant, at| Some(transport_at(variant, at)?.messages_refused)),
    (TRANSPORT, "Mailbox Submission Threads", |variant, at| Some(transport_at(variant, at)?.submitting.into())),
    (TRANSPORT, "Mailbox Delivery Threads", |variant, at| Some(transport_at(variant, at)?.to_mailboxes.into())),
    (TRANSPORT, "Outbound Connections", |variant, at| Some(transport_at(variant, at)?.outbound.into())),
    (TRANSPORT, "Files And Submissions Waiting", |variant, at| Some(transport_at(variant, at)?.outside)),
    (TRANSPORT, "Messages Queued", |variant, at| Some(transport_at(variant, at)?.queued)),
    (TRANSPORT, "Messages Delivered Total", |variant, at| Some(transport_at(variant, at)?.delivered)),
];

/// The value of a limit's counter at a moment; `None` where there is none.
pub type At = fn(&VariantReport, Nanos) -> Option<u64>;

/// The curve's value at a moment or the last before it.
fn at_or_before<T: Copy>(samples: &Samples<T>, at: Nanos) -> Option<T> {
    let values = samples.values();
    let before = values.partition_point(|(time, _)| *time <= at);
    Some(values.get(before.checked_sub(1)?)?.1)
}

fn store_at(variant: &VariantReport, at: Nanos) -> Option<Load> {
    at_or_before(&variant.limits.store.as_ref()?.summary.samples, at)
}

fn domains_at(variant: &VariantReport, at: Nanos) -> Option<Counters> {
    let summary = &variant.limits.domains.as_ref()?.summary;
    if at >= summary.end { Some(summary.at_the_end) } else { at_or_before(&summary.samples, at) }
}

fn transport_at(variant: &VariantReport, at: Nanos) -> Option<OfTransport> {
    at_or_before(&variant.limits.transport.as_ref()?.summary.samples, at)
}

fn logged_on(variant: &VariantReport, at: Nanos) -> Option<u64> {
    let store = variant.limits.store.as_ref()?;
    // Beyond the entries that are kept nobody knows.
    let is_known = store.summary.events_dropped == 0 || store.summary.events.last().is_some_and(|last| at <= last.at);
    let away = store.times_away().iter().any(|(from, until)| *from <= at && at < *until);
    is_known.then_some(u64::from(!away))
}

fn served(class: &ClassInterval) -> u64 {
    class.outcomes.served
}

/// What a counter shows of some classes.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    /// Items waiting at the moment of the sample.
    Waiting,
    /// Threads held at it.
    Busy,
    /// Age of the oldest waiting item at it, in seconds.
    Oldest,
    /// 1 while that is starvation, else 0.
    Starved,
    /// Threads that a queue may hold.
    Cap,
    /// So many a second since the sample before.
    Rate(fn(&ClassInterval) -> u64),
    /// So many since the begin of the run.
    Total(fn(&ClassInterval) -> u64),
    /// Threads that exist.
    Live,
    /// Threads that may exist.
    PoolSize,
    /// What a limit beside the pool has.
    Limit(At),
}

/// A column.
struct Counter {
    variant: usize,
    path: String,
    classes: Vec<ClassId>,
    shows: Shows,
    /// The node that it is read on, where there are several.
    node: Option<NodeId>,
    /// What [`Shows::Total`] says at the end of each interval.
    totals: Vec<u64>,
}

/// The file: lines end as in Windows, every field is quoted.
///
/// # Panics
/// Never: memory takes what is written.
#[must_use]
pub fn perfmon_csv(report: &Report) -> Vec<u8> {
    let mut rows = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let counters: Vec<Counter> = (0..report.variants.len()).flat_map(|at| counters(report, at)).collect();
    let head = "(PDH-CSV 4.0) (Coordinated Universal Time)(0)";
    let names = std::iter::once(head).chain(counters.iter().map(|counter| counter.path.as_str()));
    rows.write_record(names).expect("memory takes what is written");
    let samples: Vec<Vec<Nanos>> = report.variants.iter().map(samples).collect();
    let times: BTreeSet<Nanos> = samples.iter().flatten().copied().collect();
    for time in times {
        let values = counters.iter().map(|counter| {
            let sample = samples[counter.variant].binary_search(&time).ok();
            sample.and_then(|at| counter.value(&report.variants[counter.variant], at, time)).unwrap_or(NONE.to_string())
        });
        let stamp = stamp(report.began() + time);
        rows.write_record(std::iter::once(stamp).chain(values)).expect("all rows are as long");
    }
    rows.into_inner().expect("memory takes what is written")
}

/// When a variant is sampled: at the moments of its time line (where no service uses the pool, at those of the limits'
/// curves), and at its end.
fn samples(variant: &VariantReport) -> Vec<Nanos> {
    let mut times: Vec<Nanos> = variant.summary.timeline.iter().map(|moment| moment.at).collect();
    if variant.plan.classes.is_empty() {
        let store = variant.limits.store.iter().flat_map(|store| store.summary.samples.values()).map(|(at, _)| *at);
        let domains = variant.limits.domains.iter().flat_map(|own| own.summary.samples.values()).map(|(at, _)| *at);
        let transport = variant.limits.transport.iter().flat_map(|own| own.summary.samples.values()).map(|(at, _)| *at);
        let all: BTreeSet<Nanos> =
            store.chain(domains).chain(transport).filter(|at| *at < variant.summary.end).collect();
        times = all.into_iter().collect();
    }
    if times.last().is_none_or(|last| *last < variant.summary.end) {
        times.push(variant.summary.end);
    }
    times
}

/// `04/28/2005 00:00:02.500`; the last moment that a calendar has where it has none.
fn stamp(at: Nanos) -> String {
    let moment = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%m/%d/%Y %H:%M:%S.%3f").to_string()
}

fn counters(report: &Report, at: usize) -> Vec<Counter> {
    let mut found = if report.variants[at].plan.classes.is_empty() { Vec::new() } else { of_the_pool(report, at) };
    let variant = &report.variants[at];
    let of_store = if variant.limits.store.is_some() { &OF_STORE[..] } else { &[] };
    let of_domains = if variant.limits.domains.is_some() { &OF_DOMAINS[..] } else { &[] };
    let of_transport = if variant.limits.transport.is_some() { &OF_TRANSPORT[..] } else { &[] };
    found.extend(of_store.iter().chain(of_domains).chain(of_transport).map(|(object, name, value)| Counter {
        variant: at,
        path: format!("\\\\{}\\{object}\\{name}", machine(report, at)),
        classes: Vec::new(),
        shows: Shows::Limit(*value),
        node: None,
        totals: Vec::new(),
    }));
    found
}

fn of_the_pool(report: &Report, at: usize) -> Vec<Counter> {
    let variant = &report.variants[at];
    let machines: Vec<(String, Option<NodeId>)> = match variant.on_cluster() {
        None => vec![(machine(report, at), None)],
        Some((plan, _)) => {
            let of = |(node, name): (usize, &String)| {
                (format!("{}-{}", machine(report, at), word(name)), Some(NodeId(node as u16)))
            };
            plan.spec.nodes.iter().enumerate().map(of).collect()
        }
    };
    let mut found = Vec::new();
    for (machine, node) in machines {
        let mut add = |object: String, classes: Vec<ClassId>, shows: Shows| {
            let totals = match shows {
                Shows::Total(of) => running_totals(&variant.summary, &classes, of),
                _ => Vec::new(),
            };
            let path = format!("\\\\{machine}\\{object}");
            found.push(Counter { variant: at, path, classes, shows, node, totals });
        };
        let servers = virtual_servers(variant);
        for (queue, name, shows) in SMTP {
            for (instance, classes) in &servers {
                let own = about(variant, classes, queue);
                // What several groups did since the begin of the run is not what one node did, as they move.
                let moves = node.is_some() && instance == TOTAL && matches!(shows, Shows::Total(_));
                if !own.is_empty() && !moves {
                    add(format!("SMTP Server({instance})\\{name}"), own, shows);
                }
            }
        }
        // A cluster has no count of the threads of each node.
        if node.is_none() {
            add("Process(inetinfo)\\Thread Count".to_string(), Vec::new(), Shows::Live);
            add(format!("{POOL}\\Live Threads"), Vec::new(), Shows::Live);
        }
        add(format!("{POOL}\\Pool Size"), Vec::new(), Shows::PoolSize);
        add(format!("{POOL}\\Threads Held"), all(variant), Shows::Busy);
        for (class, plan) in all(variant).into_iter().zip(&variant.plan.classes) {
            for (name, shows) in OF_SERVICE {
                if !matches!((shows, plan.rule.kind), (Shows::Cap, Kind::Requests)) {
                    add(format!("{SERVICE}({})\\{name}", word(&plan.name)), vec![class], shows);
                }
            }
        }
    }
    found
}

/// The machine of a variant. Variants have machines of their own, whatever their names lose.
fn machine(report: &Report, at: usize) -> String {
    let name = word(&report.variants[at].plan.variant);
    let same = report.variants[..at].iter().filter(|variant| word(&variant.plan.variant) == name).count();
    if same == 0 { name } else { format!("{name}-{at}") }
}

/// A name as a part of a counter's path.
fn word(name: &str) -> String {
    let fits = |c: char| !(c.is_whitespace() || c.is_control() || "\\/()*#\"".contains(c));
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

fn all(variant: &VariantReport) -> Vec<ClassId> {
    (0..variant.plan.classes.len()).map(|at| ClassId(at as u16)).collect()
}

/// The SMTP virtual servers by the names of their instances, with their classes, and all of them together.
fn virtual_servers(variant: &VariantReport) -> Vec<(String, Vec<ClassId>)> {
    let mut servers: Vec<(String, Vec<ClassId>)> = Vec::new();
    let mail = all(variant).into_iter().zip(&variant.plan.classes).filter(|(_, class)| class.role.is_mail());
    for (id, class) in mail {
        let name = instance(&class.name);
        match servers.iter_mut().find(|(other, _)| *other == name) {
            Some((_, classes)) => classes.push(id),
            None => servers.push((name, vec![id])),
        }
    }
    // Inbound SMTP that is shared by all virtual servers belongs to none of them.
    let together: Vec<ClassId> = servers.iter().flat_map(|(_, classes)| classes.clone()).collect();
    servers.retain(|(name, _)| !name.is_empty());
    if !together.is_empty() {
        servers.push((TOTAL.to_string(), together));
    }
    servers
}

/// `SMTP 1` of `smtp1.local-delivery`; in a cluster the group, `evs1` of `evs1.local-delivery`.
fn instance(class: &str) -> String {
    let server = class.split_once('.').map_or("", |(server, _)| server);
    let number = server.strip_prefix("smtp").filter(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    match number {
        Some("") => "SMTP 1".to_string(),
        Some(number) => format!("SMTP {number}"),
        None => word(server),
    }
}

/// Those of `classes` that a counter is about.
fn about(variant: &VariantReport, classes: &[ClassId], queue: Option<&str>) -> Vec<ClassId> {
    let is = |id: &&ClassId| {
        let class = &variant.plan.classes[id.index()];
        match queue {
            None => class.role == Role::SmtpIn,
            Some(queue) => class.role != Role::SmtpIn && class.name.rsplit('.').next() == Some(queue),
        }
    };
    classes.iter().filter(is).copied().collect()
}

impl Counter {
    /// The sample, as it stands in the file; `None` where there is none.
    fn value(&self, variant: &VariantReport, sample: usize, at: Nanos) -> Option<String> {
        if let Shows::Limit(value) = self.shows {
            return Some(Cell::from(value(variant, at)?).text());
        }
        let summary = &variant.summary;
        let moment = summary.timeline.get(sample);
        let time = moment.map_or(summary.end, |moment| moment.at);
        let here = self.here(variant, time)?;
        let now = || moment.map(|moment| at_once(moment, &here));
        let cell: Cell = match self.shows {
            Shows::Waiting => now()?.waiting.into(),
            Shows::Busy => u64::from(now()?.busy).into(),
            Shows::Oldest => now()?.oldest.into(),
            Shows::Starved => u64::from(is_starved(variant, now()?)).into(),
            Shows::Live => u64::from(moment?.live_threads).into(),
            Shows::Cap => u64::from(self.cap(variant)?).into(),
            Shows::PoolSize => u64::from(self.pool_size(variant)).into(),
            Shows::Rate(of) => {
                let interval = summary.intervals.get(sample.checked_sub(1)?)?;
                interval.per_second(in_interval(interval, &here, of)).into()
            }
            Shows::Limit(_) => return None,
            Shows::Total(_) => match sample.checked_sub(1) {
                None => 0.into(),
                Some(ended) => (*self.totals.get(ended)?).into(),
            },
        };
        Some(cell.text())
    }

    /// Which of the counter's classes are on its node; `None` where it is about some that are all elsewhere.
    fn here(&self, variant: &VariantReport, time: Nanos) -> Option<Vec<ClassId>> {
        let (Some(node), Some((plan, found))) = (self.node, variant.on_cluster()) else {
            return Some(self.classes.clone());
        };
        let on_it = |class: &&ClassId| {
            let group = plan.group_of_class(**class);
            group.is_some_and(|group| found.happened.cluster.groups[group.index()].node_at(time) == Some(node))
        };
        let here: Vec<ClassId> = self.classes.iter().filter(on_it).copied().collect();
        let pools_own = self.classes.is_empty() || self.path.contains(POOL);
        (pools_own || !here.is_empty()).then_some(here)
    }

    fn cap(&self, variant: &VariantReport) -> Option<u32> {
        let class = self.classes.first()?;
        let rule: &ClassRule = match (self.node, &variant.plan.cluster) {
            (Some(node), Some(cluster)) => &cluster.nodes[node.index()].rules.classes[class.index()],
            _ => &variant.plan.classes[class.index()].rule,
        };
        match rule.kind {
            Kind::WorkQueue { cap, .. } => Some(cap),
            Kind::Requests => None,
        }
    }

    fn pool_size(&self, variant: &VariantReport) -> u32 {
        match (self.node, &variant.plan.cluster) {
            (Some(node), Some(cluster)) => cluster.nodes[node.index()].pool.size,
            _ => variant.plan.pool.size,
        }
    }
}

fn is_starved(variant: &VariantReport, now: AtOnce) -> bool {
    now.waiting > 0 && now.oldest >= variant.plan.starvation_after
}
