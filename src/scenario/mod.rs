//! Scenarios: TOML text to plans, one for each variant, with every problem at once.
//!
//! The language is written down in `docs/scenario-format.md`. A text becomes a tree whose values know where they were
//! written (`tree.rs`), overrides are laid over it, and a walk takes each field with its kind and range (`walk.rs`).
//!
//! Not a run, and not the meaning of anything: registry values and assumptions are checked where they are at home, and
//! only get their places here. Called by `run` and `cli`.

mod arrivals;
mod asserts;
mod assumed;
mod base;
pub mod builtin;
mod cluster;
mod fault;
mod general;
mod limits;
mod load;
mod samples;
mod servers;
mod service_time;
mod services;
mod stages;
mod tree;
mod variant;
mod walk;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use self::assumed::assumptions;
use self::cluster::classes::Owners;
use self::servers::Given;
use self::stages::{Caps, stages};
use self::tree::{Node, Origin, Value, parse_flag, parse_path, put};
use self::variant::{Variant, variants};
use self::walk::{Fields, Walk};
use crate::plan::{Plan, Warmup};
use crate::problem::{Place, Problem, SourceText, any_error};
use crate::time::Nanos;
use crate::workload::journey::LoadSpec;

pub use base::{Base, FILE_BYTES_MOST};

/// The version of the language.
pub const FORMAT: u64 = 1;

/// What the command line says about a scenario. Its word counts over the file's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--set PATH=VALUE`, in order.
    pub set: Vec<(String, String)>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--speed`.
    pub speed: Option<f64>,
    /// `--duration`.
    pub duration: Option<Nanos>,
    /// `--registry NAME=FILE.reg`: a variant more, as (its name, the file's name, the file's bytes).
    pub registries: Vec<(String, String, Vec<u8>)>,
    /// `--replay`: these logs instead of all loads of SMTP.
    pub replay: Option<TraceOverride>,
}

/// Logs that replace the loads of SMTP.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceOverride {
    /// Files and directories; at least one. Relative ones are relative to the working directory.
    pub paths: Vec<PathBuf>,
    /// Rate multiplier; in [1e-6, 1e6].
    pub times: f64,
    /// Start again at the first row until the run ends.
    pub repeat: bool,
    /// Spread rows of the same second over it.
    pub spread: bool,
}

/// The plans of a scenario, one for each variant in the order of the file; none where a problem is an error.
///
/// `name` is the file's name for messages, `text` what is in it.
#[must_use]
pub fn read(name: &str, text: &str, base: &Base, overrides: &Overrides) -> (Option<Vec<Plan>>, Vec<Problem>) {
    if text.len() > FILE_BYTES_MOST {
        let message = format!("the file has {} bytes, and at most {FILE_BYTES_MOST} are read", text.len());
        let problem = Problem::error(Place::Named(name.to_string()), message, "scenarios are much shorter");
        return (None, vec![problem]);
    }
    let source = Arc::new(SourceText { name: name.to_string(), text: text.to_string() });
    let (root, syntax) = tree::parse(&source);
    let walk = Walk::new(source, base);
    let broken = !syntax.is_empty();
    syntax.into_iter().for_each(|problem| walk.note(problem));
    if broken {
        // What could not be read would be missing, and the real mistakes would drown in that.
        return (None, walk.into_problems());
    }
    let mut changed = root.clone();
    override_all(&walk, &mut changed, overrides);
    let variants = variants(&walk, &changed, overrides);
    let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
    let mut plans = Vec::new();
    for variant in &variants {
        let mut own = root.clone();
        for (path, node) in &variant.set {
            override_one(&walk, &mut own, path, node.clone());
        }
        override_all(&walk, &mut own, overrides);
        walk.start_variant();
        plans.push(plan_of(&walk, &own, variant, &names, overrides));
    }
    let problems = walk.into_problems();
    let plans: Option<Vec<Plan>> = plans.into_iter().collect();
    (plans.filter(|_| !any_error(&problems)), problems)
}

/// Lays everything that the command line says over a scenario.
fn override_all(walk: &Walk<'_>, root: &mut Node, overrides: &Overrides) {
    for (path, value) in &overrides.set {
        let flag = format!("--set {path}={value}");
        let node = parse_flag(value, &flag);
        match parse_path(path) {
            Some(path) => override_one(walk, root, &path, node),
            None => {
                let message = format!("`{}` is no path to a field", tree::shortened(path));
                walk.error(&node.origin, message, "write the names of sections and field with points between them");
            }
        }
    }
    let mut set = |name: &str, flag: String, value: Value| {
        let node = Node { value, origin: Origin::Flag(flag.into()) };
        override_one(walk, root, &[name.to_string()], node);
    };
    if let Some(seed) = overrides.seed {
        set("seed", format!("--seed {seed}"), Value::Whole(seed.into()));
    }
    if let Some(speed) = overrides.speed {
        set("speed", format!("--speed {speed}"), Value::Real(speed));
    }
    if let Some(duration) = overrides.duration {
        set("duration", format!("--duration {duration}"), Value::Text(format!("{}ns", duration.0)));
    }
}

fn override_one(walk: &Walk<'_>, root: &mut Node, path: &[String], node: Node) {
    let origin = node.origin.clone();
    if let Err(depth) = put(root, path, node) {
        let way = tree::shortened(&path[..depth].join("."));
        let message = format!("`{way}` is no table, so that nothing in it can be set");
        walk.error(&origin, message, "shorten the path, or correct it");
    }
}

/// What stands at the top of a scenario.
struct Basics {
    title: String,
    seed: u64,
    /// Zero where it is not known because of a problem.
    duration: Nanos,
    warmup: Warmup,
    speed: f64,
    starvation_after: Nanos,
    processors: u32,
    memory_mb: u64,
    /// `node.threads`, and where it was written.
    threads: Option<(u32, Origin)>,
    waiting_room: Option<usize>,
}

fn basics(root: &mut Fields<'_, '_>) -> Basics {
    let walk = root.walk;
    let remedy = "write format = 1 into the first line";
    root.need("format", remedy).and_then(|node| walk.whole(node, "format", (FORMAT, FORMAT), remedy));
    let title = root.need("title", "give one line that says what the scenario shows");
    let title = title.and_then(|node| walk.text(node, "title")).unwrap_or_default();
    root.take("description").and_then(|node| walk.text(node, "description"));
    let seed = root.whole("seed", (0, u64::MAX), 1);
    let duration = root.need_time("duration", Nanos(1), "write how long to emulate, like \"10m\"");
    let warmup = warmup(root, duration);
    let speed = root.number("speed", (1e-6, 1e6), 1.0);
    let remedy = "correct it, or remove it for the default of 1s";
    let starvation_after = root.time("starvation_after", Nanos(1), remedy).unwrap_or(Nanos::SECOND);
    let (mut processors, mut memory_mb, mut threads, mut waiting_room) = (1, 1024, None, None);
    if let Some(node) = root.need("node", "give a section [node] with `processors` and `memory_mb`")
        && let Some(mut fields) = walk.table(node, "node")
    {
        let remedy = "give the number of emulated processors, like 2";
        processors = fields.need_whole("processors", (1, 1024), remedy).unwrap_or(1) as u32;
        memory_mb = fields.whole("memory_mb", (1, 1 << 40), 1024);
        threads = general::threads(&mut fields);
        waiting_room = general::waiting_room(&mut fields);
        fields.finish();
    }
    Basics {
        title: title.to_string(),
        seed,
        duration: duration.unwrap_or(Nanos::ZERO),
        warmup,
        speed,
        starvation_after,
        processors,
        memory_mb,
        threads,
        waiting_room,
    }
}

/// The time that is not measured: a time, or `"auto"`.
fn warmup(root: &mut Fields<'_, '_>, duration: Option<Nanos>) -> Warmup {
    let walk = root.walk;
    let Some(node) = root.take("warmup") else { return Warmup::None };
    let given = match &node.value {
        Value::Text(text) if text.trim() == "auto" => return Warmup::Auto(None),
        Value::Text(text) => walk::parse_time(text).filter(|time| *time <= walk::TIME_MOST),
        _ => None,
    };
    let Some(given) = given else {
        walk.wrong(
            node,
            "warmup",
            "a time like `5min`, or `auto`,",
            "correct it, or remove it to measure from the start",
        );
        return Warmup::None;
    };
    if let Some(duration) = duration.filter(|duration| given >= *duration) {
        let message = format!("warmup is {given}, and the run of {duration} would have nothing left to measure");
        walk.error(&node.origin, message, "make it shorter than the duration, or raise the duration");
    }
    Warmup::Given(given)
}

/// The plan of one variant; something of the kind where there are errors, and `None` where there is no pool.
fn plan_of(walk: &Walk<'_>, root: &Node, variant: &Variant, names: &[&str], overrides: &Overrides) -> Option<Plan> {
    let mut fields = walk.table(root, "")?;
    let basics = basics(&mut fields);
    let assumptions = assumptions(&mut fields);
    let services = services::services(&mut fields);
    let general = general::classes(&mut fields, &assumptions);
    let cluster = cluster::cluster(&mut fields, &services, &basics, &general);
    let limits = limits::limits(&mut fields, &basics);
    if services.is_empty() && general.is_empty() && limits.is_empty() {
        let remedy = "give [smtp], [pop3], [imap4], [class.NAME], [store], [domains] or [transport]";
        walk.error(&root.origin, "there is no service", remedy);
    }
    fields.take("registry");
    fields.take("variant");
    let given = Given { root, variant, basics: &basics, assumptions: &assumptions, services: &services };
    let servers = servers::servers(walk, &given, cluster.as_ref());
    let first = servers.first()?.clone();
    let caps = Caps::of(first.pool.as_ref());
    let (mut stages, mut owners) = match &cluster {
        None => (stages(&services, &assumptions, caps), Owners::default()),
        Some(cluster) => cluster.stages(&services, &assumptions, caps),
    };
    if cluster.is_none() {
        stages.general = general::add(walk, &general, &mut stages, first.pool.as_ref(), &assumptions);
    }
    let replay = overrides.replay.as_ref();
    let mut loads = load::loads(&mut fields, &stages, cluster.as_ref(), &limits, basics.duration, replay);
    if let Some(cluster) = &cluster {
        cluster.add_probes(&mut loads.sources, &mut loads.groups, &mut owners);
    }
    let faults = fault::faults(&mut fields, &stages, basics.duration);
    let asserts = asserts::asserts(&mut fields, &stages.classes, (cluster.is_some(), &limits), &variant.name, names);
    let limits = limits.plans(&fields, &first.registry, loads.limits);
    fields.finish();
    let cluster = match cluster {
        None => None,
        Some(cluster) => Some(cluster.plan(servers, &stages.classes, owners, loads.groups, assumptions.order)?.into()),
    };
    Some(Plan {
        title: basics.title,
        file: walk.source.name.clone(),
        variant: variant.name.clone(),
        seed: basics.seed,
        duration: basics.duration,
        warmup: basics.warmup,
        speed: basics.speed,
        starvation_after: basics.starvation_after,
        machine: first.machine,
        registry: first.registry,
        assumptions,
        pool: first.pool?,
        classes: stages.classes,
        load: Arc::new(LoadSpec {
            stages: stages.stages,
            sources: loads.sources,
            dependencies: walk.dependencies(),
            faults,
        }),
        asserts,
        cluster,
        limits,
    })
}
