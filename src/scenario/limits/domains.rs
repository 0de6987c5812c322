//! `[domains]`: the memory of the SMTP domain table (KB 910932).

use super::{distribution_or, time_or_never, truth};
use crate::models::domain_table::spec::{
    Assumptions, DomainTableSpec, Freed, PlannedRestarts, Software, Sweep, WhenGone, Windows, ZeroThreshold,
};
use crate::plan::limits::DomainsPlan;
use crate::policy::registry::{Registry, ValueId};
use crate::problem::Problem;
use crate::scenario::Basics;
use crate::scenario::tree::{Node, Origin, Value, shortened};
use crate::scenario::walk::Fields;
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::Source;
use crate::workload::logs::domains::{Found, domains as of_logs};
use crate::workload::popularity::{COUNT_MOST, EXPONENT_MOST, Listed, Popularity};

const MIB: u64 = 1 << 20;
/// The most entries that are kept for real: at 79 bytes each, 3 GB.
const ENTRIES_MOST: u64 = 40_000_000;
const MEMORY_MOST_MB: (u64, u64) = (0, 1 << 40);

/// The section as it was read.
#[derive(Debug)]
pub(in crate::scenario) struct Domains {
    origin: Origin,
    software: Software,
    memory_bytes: u64,
    planned_restarts: Option<PlannedRestarts>,
    assumptions: Assumptions,
    delivery: Distribution,
    names: Option<Popularity>,
}

pub(super) fn domains(mut fields: Fields<'_, '_>, basics: &Basics) -> Domains {
    let walk = fields.walk;
    let mut own = Assumptions { sample_every: Nanos((basics.duration.0 / 240).max(1)), ..Assumptions::default() };
    let windows = match fields.choice("windows", &["2000", "2003", "2003-sp1", "2003-sp2"]) {
        Some("2000") => Windows::Windows2000,
        Some("2003") => Windows::Server2003,
        Some("2003-sp2") => Windows::Server2003Sp2,
        _ => Windows::Server2003Sp1,
    };
    let is_x64 = truth(&mut fields, "x64", false);
    let has_hotfix = truth(&mut fields, "hotfix", false);
    let planned_restarts = restart(&mut fields);
    let megabytes = |bytes: u64| bytes / MIB;
    own.entry_bytes = fields.whole("entry_bytes", (1, 1 << 30), own.entry_bytes);
    own.others_bytes = fields.whole("others_mb", MEMORY_MOST_MB, megabytes(own.others_bytes)).saturating_mul(MIB);
    let base = megabytes(own.base_working_set_bytes);
    own.base_working_set_bytes = fields.whole("base_working_set_mb", MEMORY_MOST_MB, base).saturating_mul(MIB);
    let gone = megabytes(own.gone_below_bytes);
    own.gone_below_bytes = fields.whole("gone_below_mb", MEMORY_MOST_MB, gone).saturating_mul(MIB);
    own.dies_after = time_or_never(&mut fields, "dies_after", Nanos::ZERO, own.dies_after);
    let at_once = |node: &Node| matches!(&node.value, Value::Text(text) if text.trim() == "at-once");
    if fields.peek("sweep").is_some_and(at_once) {
        fields.take("sweep");
    } else if let Some(every) = fields.time("sweep", Nanos(1), "write \"at-once\", or a time like \"5m\"") {
        own.sweep = Sweep::Every(every);
    }
    if fields.choice("zero", &["never-sweeps", "sweeps-every-dead-entry"]) == Some("sweeps-every-dead-entry") {
        own.zero = ZeroThreshold::SweepsEveryDeadEntry;
    }
    if fields.choice("freed", &["to-the-system", "stays-in-the-process"]) == Some("stays-in-the-process") {
        own.freed = Freed::StaysInTheProcess;
    }
    if fields.choice("when_gone", &["refuses-new-domains", "restarts"]) == Some("restarts") {
        own.when_gone = WhenGone::Restarts;
    }
    let remedy = "write a time like \"1m\"";
    own.restart_takes = fields.time("restart_takes", Nanos::ZERO, remedy).unwrap_or(own.restart_takes);
    let delivery = distribution_or(&mut fields, "delivery", Nanos::from_secs(2));
    let names = names(&mut fields);
    let origin = fields.origin.clone();
    fields.finish();
    let software = Software { windows, is_x64, has_hotfix };
    let memory_bytes = basics.memory_mb.saturating_mul(MIB);
    let read = Domains { origin, software, memory_bytes, planned_restarts, assumptions: own, delivery, names };
    let fit = read.spec(None).entries_that_fit();
    if fit == 0 {
        let message = format!(
            "node.memory_mb is {}, and what domains takes before its first entry leaves no room for one",
            basics.memory_mb
        );
        let remedy = "raise memory_mb, or lower others_mb, base_working_set_mb or gone_below_mb";
        walk.error(&read.origin, message, remedy);
    }
    if fit > ENTRIES_MOST {
        let message =
            format!("{fit} entries of domains fit into node.memory_mb, and at most {ENTRIES_MOST} are kept here");
        walk.error(&read.origin, message, "lower memory_mb, or raise entry_bytes");
    }
    read
}

/// `{ first, every }`.
fn restart(fields: &mut Fields<'_, '_>) -> Option<PlannedRestarts> {
    let mut table = fields.table("restart")?;
    let first = table.need_time("first", Nanos::ZERO, "write when the first one is, like \"3h\"");
    let every = table.time("every", Nanos(1), "write the time from one to the next, like \"24h\"");
    table.finish();
    Some(PlannedRestarts { first: first?, every: every.unwrap_or(Nanos::from_secs(86_400)) })
}

/// `{ law, count, exponent }` or `{ logs }`.
fn names(fields: &mut Fields<'_, '_>) -> Option<Popularity> {
    let walk = fields.walk;
    let remedy = "write names = { count = 1000000 }, or { logs = [\"smtp.log\"] }";
    let name = fields.path("names");
    let node = fields.need("names", remedy)?;
    let mut table = walk.table(node, &name)?;
    if let Some(list) = table.take("logs") {
        let found = logs(&table, list);
        table.finish();
        return found.map(|listed| Popularity::Listed(listed.into()));
    }
    let law = table.choice("law", &["zipf", "uniform"]).unwrap_or("zipf");
    let count = table.need_whole("count", (1, COUNT_MOST), "give how many domains there are, like 1000000");
    let exponent = match law {
        "zipf" => Some(table.number("exponent", (0.01, EXPONENT_MOST), 1.0)),
        _ => None,
    };
    table.finish();
    Some(match exponent {
        Some(exponent) => Popularity::Zipf { count: count?, exponent },
        None => Popularity::Uniform { count: count? },
    })
}

/// The domains of the recipients that logs name.
fn logs(table: &Fields<'_, '_>, list: &Node) -> Option<Listed> {
    let walk = table.walk;
    let name = table.path("logs");
    let mut found = Found::default();
    let mut whole = true;
    for (at, node) in walk.list(list, &name, (1, 100))?.iter().enumerate() {
        let Some(file) = walk.text(node, &format!("{name}[{at}]")) else {
            whole = false;
            continue;
        };
        match walk.base.read(file) {
            Ok(bytes) => of_logs(&bytes, &mut found),
            Err(why) => {
                let remedy = "file names are relative to the scenario's directory";
                walk.error(&node.origin, format!("`{}` {why}", shortened(file)), remedy);
                whole = false;
            }
        }
    }
    if found.listed.rows.is_empty() && whole {
        let remedy = "give logs with RCPT commands, or CSV files with a column `domain`";
        walk.error(&list.origin, format!("{name} name no recipient's domain"), remedy);
        whole = false;
    }
    if found.left_out > 0 {
        let message = format!("{name} have {} recipients more than are read", found.left_out);
        walk.warning(&list.origin, message, "shorten them, or let it be: the first ones come again and again");
    }
    whole.then_some(found.listed)
}

impl Domains {
    fn spec(&self, threshold: Option<u32>) -> DomainTableSpec {
        DomainTableSpec {
            software: self.software,
            zombie_domain_entry_threshold: threshold,
            memory_bytes: self.memory_bytes,
            planned_restarts: self.planned_restarts,
            assumptions: self.assumptions.clone(),
        }
    }

    /// `None` where a problem was told.
    pub(super) fn plan(self, root: &Fields<'_, '_>, registry: &Registry, sources: Vec<Source>) -> Option<DomainsPlan> {
        let setting = registry.setting(ValueId::ZombieDomainEntryThreshold);
        if let Some(setting) = setting.filter(|_| !self.software.knows_the_threshold()) {
            // ATQ: KB 910932: only the hotfix and service pack 2 know the value.
            let message = "ZombieDomainEntryThreshold is set, and this software does not know it: it has no effect";
            let remedy = "set domains.hotfix = true, or domains.windows = \"2003-sp2\"";
            root.walk.note(Problem::warning(setting.place.clone(), message, remedy));
        }
        let spec = self.spec(setting.map(|setting| setting.data));
        Some(DomainsPlan::new(spec, self.delivery, sources, self.names?))
    }
}
