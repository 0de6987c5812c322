//! `[transport]`: a transport server of Exchange 2007, who sends to it and who receives.
//!
//! Not what its options do (`models::transport`, which also finds the mistakes that its options can have). The options are
//! `options`, senders and receivers `groups` and `domains`.

mod domains;
mod groups;
mod options;

use super::distribution_or;
use crate::models::transport::spec::TransportSpec;
use crate::models::transport::{Mistake, Usage};
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::{Domain, Group, Mailboxes};
use crate::scenario::Basics;
use crate::scenario::tree::{Entry, Node, Origin, Value};
use crate::scenario::walk::Fields;
use crate::time::Nanos;
use crate::workload::journey::Source;

pub(super) const GIB: f64 = (1_u64 << 30) as f64;
/// The most of a drive or memory, in GB.
pub(super) const GB_MOST: f64 = 1e9;
/// The most entries of `[[transport.usage]]`.
const USAGES_MOST: usize = 1_000;

/// The section as it was read.
#[derive(Debug)]
pub(in crate::scenario) struct Transport {
    /// `None`: a mistake was told.
    spec: Option<TransportSpec>,
    /// Every group by name, also where it is not sound.
    names: Vec<(String, Origin)>,
    groups: Option<Vec<Group>>,
    domains: Option<Vec<Domain>>,
    mailboxes: Mailboxes,
    usages: Vec<(Nanos, Usage)>,
}

/// `node`: the section, for the places of mistakes that the model finds.
pub(super) fn transport(mut fields: Fields<'_, '_>, node: &Node, basics: &Basics) -> Transport {
    let walk = fields.walk;
    let (role, spec) = options::spec(&mut fields, basics);
    let spec = spec.filter(|spec| {
        let mistakes = spec.check();
        mistakes.iter().for_each(|mistake| tell(&fields, node, mistake));
        mistakes.is_empty()
    });
    // Guess: how long a message holds a thread of the store driver is not published.
    let mailboxes = Mailboxes {
        delivery: distribution_or(&mut fields, "mailbox_delivery", Nanos::from_millis(200)),
        submission: distribution_or(&mut fields, "mailbox_submission", Nanos::from_millis(200)),
    };
    let domains = domains::domains(&mut fields);
    let entries = fields.take("groups").and_then(|node| walk.entries(node, "transport.groups")).unwrap_or_default();
    if entries.is_empty() {
        let remedy = "give at least one section [transport.groups.NAME]";
        walk.error(fields.origin, "transport has no groups: nobody sends", remedy);
    }
    let names = entries.iter().map(|entry| (entry.key.clone(), entry.key_origin.clone())).collect();
    let groups = groups::groups(walk, entries, role, &domains.names);
    let usages = usages(&mut fields, basics.duration);
    fields.finish();
    Transport { spec, names, groups, domains: domains.sound, mailboxes, usages }
}

/// A mistake of the options at the line of the option, or of the section where it is a default.
fn tell(fields: &Fields<'_, '_>, node: &Node, mistake: &Mistake) {
    let path = options::path_of(mistake.setting);
    let parts: Vec<&str> = path.split('.').collect();
    let origin = node.at(&parts).map_or(fields.origin, |found| &found.origin);
    let known = if mistake.setting == path { String::new() } else { format!(" ({})", mistake.setting) };
    fields.walk.error(origin, format!("transport.{path}{known} {}", mistake.message), mistake.remedy.clone());
}

/// `[[transport.usage]]`: what others use from a moment on.
fn usages(fields: &mut Fields<'_, '_>, run: Nanos) -> Vec<(Nanos, Usage)> {
    let walk = fields.walk;
    let name = fields.path("usage");
    let nodes = fields.take("usage").and_then(|node| walk.list(node, &name, (0, USAGES_MOST))).unwrap_or_default();
    let mut usages = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let Some(mut table) = walk.table(node, &format!("{name}[{at}]")) else { continue };
        let when = table.need_time("at", Nanos::ZERO, "write the time since the start of the run, like \"10m\"");
        if let Some(when) = when.filter(|when| *when >= run && run > Nanos::ZERO) {
            let message = format!("{name}[{at}] is at {when}, when the run of {run} is over");
            walk.warning(table.origin, message, "let it be earlier, or lengthen the run");
        }
        let mut found: Vec<Usage> = Vec::new();
        found.extend(gigabytes(&mut table, "queue_drive_gb").map(Usage::QueueDrive));
        found.extend(gigabytes(&mut table, "log_drive_gb").map(Usage::LogDrive));
        found.extend(gigabytes(&mut table, "private_gb").map(Usage::PrivateBytes));
        found.extend(gigabytes(&mut table, "other_processes_gb").map(Usage::OtherProcesses));
        let buckets = table.path("version_buckets");
        let remedy = "write how many are in use, like 150";
        let range = (0, u32::MAX.into());
        let buckets = table.take("version_buckets").and_then(|node| walk.whole(node, &buckets, range, remedy));
        found.extend(buckets.map(|count| Usage::VersionBuckets(count as u32)));
        let keys = ["queue_drive_gb", "log_drive_gb", "private_gb", "other_processes_gb", "version_buckets"];
        if keys.iter().all(|key| table.peek(key).is_none()) {
            walk.error(table.origin, format!("{name}[{at}] uses nothing"), format!("give one of {}", keys.join(", ")));
        }
        table.finish();
        usages.extend(found.into_iter().filter_map(|usage| Some((when?, usage))));
    }
    usages.sort_by_key(|(at, _)| *at);
    usages
}

/// Bytes in the field `key`, which has them in GB of 2^30 bytes.
pub(super) fn gigabytes(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<u64> {
    let walk = fields.walk;
    let name = fields.path(key);
    let remedy = "write a number of GB, like 40 or 37.5";
    let found = fields.take(key).and_then(|node| walk.number(node, &name, (0.0, GB_MOST), remedy));
    found.map(|gb| (gb * GIB).round() as u64)
}

impl Transport {
    /// The place of the group called `name`.
    pub(super) fn group(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|(known, _)| known == name)
    }

    /// The names of all groups.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// `None` where a problem was told.
    pub(super) fn plan(self, root: &Fields<'_, '_>, sources: Vec<Source>) -> Option<TransportPlan> {
        let (spec, groups, domains) = (self.spec?, self.groups?, self.domains?);
        let plan = TransportPlan::new(spec, groups, domains, self.mailboxes, self.usages, sources);
        let loads = root.peek("load").and_then(|node| root.walk.entries(node, "load")).unwrap_or_default();
        let asks = |entry: &Entry, name: &str| match entry.node.at(&["service"]).map(|node| &node.value) {
            Some(Value::Text(service)) => *service == TransportPlan::load_name(name),
            _ => false,
        };
        for (name, origin) in self.names.iter().filter(|(name, _)| !loads.iter().any(|entry| asks(entry, name))) {
            let message = format!("transport.groups.{name} has no load, so that it sends nothing");
            let remedy = format!("give [load.NAME] with service = \"transport.{name}\", or remove it");
            root.walk.warning(origin, message, remedy);
        }
        Some(plan)
    }
}
