//! The sections `[[variant]]`, and the registry that each variant runs with.
//!
//! Not what registry values mean (`policy::registry`) and not how a registry file is read (`regfile`). Called by
//! `super::read`, once for the list, and by `super::plan_of`, once for each variant.

use super::Overrides;
use super::tree::{Entry, Node, Origin, Value, parse_path, shortened};
use super::walk::Walk;
use crate::policy::assumptions::Assumptions;
use crate::policy::recommend::recommend;
use crate::policy::registry::{Registry, TABLE, ValueId, find_by_name};
use crate::policy::sizing::Machine;
use crate::problem::{Place, Problem, nearest};
use crate::regfile;

/// The most variants of one scenario: each is a run of its own.
const VARIANTS_MOST: usize = 64;

/// One variant.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    registry: Choice,
    /// What it overrides, before the scenario is walked.
    pub(super) set: Vec<(Vec<String>, Node)>,
}

/// The registry of a variant, over `[registry]`.
#[derive(Debug)]
enum Choice {
    /// Nothing more.
    Empty,
    /// What KB 281868 recommends.
    Recommended(Origin),
    /// `{ file = ..., NAME = ... }`.
    Table(Node),
    /// A registry file of the command line.
    File { name: String, bytes: Vec<u8> },
}

/// Every variant; one called `default` where the scenario has none.
pub(super) fn variants(walk: &Walk<'_>, root: &Node, overrides: &Overrides) -> Vec<Variant> {
    let nodes = root.at(&["variant"]).and_then(|node| walk.list(node, "variant", (0, VARIANTS_MOST)));
    let nodes = nodes.unwrap_or_default();
    let mut variants: Vec<Variant> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let Some((variant, origin)) = variant(walk, node, at) else { continue };
        if variants.iter().any(|other| other.name == variant.name) {
            let message = format!("two variants are called `{}`", variant.name);
            walk.error(&origin, message, "give each a name of its own");
        }
        variants.push(variant);
    }
    if nodes.is_empty() {
        variants.push(Variant { name: "default".to_string(), registry: Choice::Empty, set: Vec::new() });
    }
    for (name, file, bytes) in &overrides.registries {
        let origin = Origin::Flag(format!("--registry {name}={file}").into());
        walk.check_name(name, &origin, "the name of a variant");
        if variants.iter().any(|other| other.name == *name) {
            walk.error(&origin, format!("two variants are called `{}`", shortened(name)), "give it another name");
        }
        let registry = Choice::File { name: file.clone(), bytes: bytes.clone() };
        variants.push(Variant { name: name.clone(), registry, set: Vec::new() });
    }
    variants
}

fn variant(walk: &Walk<'_>, node: &Node, at: usize) -> Option<(Variant, Origin)> {
    let mut fields = walk.table(node, &format!("variant[{at}]"))?;
    let named = fields.need("name", "give it a name, like \"tuned\"");
    let name = named.and_then(|node| walk.name(node, "the name of a variant"));
    let registry = fields.take("registry").map_or(Choice::Empty, |node| choice(walk, node, &fields.path("registry")));
    let set_name = fields.path("set");
    let entries = fields.take("set").and_then(|node| walk.entries(node, &set_name)).unwrap_or_default();
    let set = entries.iter().filter_map(|entry| set_path(walk, entry)).collect();
    fields.finish();
    let origin = named.unwrap_or(node).origin.clone();
    Some((Variant { name: name?.to_string(), registry, set }, origin))
}

fn choice(walk: &Walk<'_>, node: &Node, name: &str) -> Choice {
    match &node.value {
        Value::Table(_) => Choice::Table(node.clone()),
        _ => match walk.choice(node, name, &["empty", "recommended"]) {
            Some("recommended") => Choice::Recommended(node.origin.clone()),
            _ => Choice::Empty,
        },
    }
}

/// One field of `set`: a path, and what it is set to.
fn set_path(walk: &Walk<'_>, entry: &Entry) -> Option<(Vec<String>, Node)> {
    let remedy = "write the whole path in quotes, like \"assumptions.drain\" = 8";
    let Some(path) = parse_path(&entry.key) else {
        let message = format!("`{}` is no path to a field", shortened(&entry.key));
        walk.error(&entry.key_origin, message, remedy);
        return None;
    };
    if path.len() == 1 && matches!(entry.node.value, Value::Table(_)) {
        // Most likely the quotes were forgotten, and the whole section would be lost.
        let message = format!("`{}` would replace the whole section", shortened(&entry.key));
        walk.error(&entry.key_origin, message, remedy);
        return None;
    }
    if matches!(path[0].as_str(), "variant" | "format") {
        let message = format!("a variant cannot set `{}`", shortened(&entry.key));
        walk.error(&entry.key_origin, message, "remove it");
        return None;
    }
    Some((path, entry.node.clone()))
}

/// The registry of a variant: `[registry]`, then what a cluster's node has of its own (with the name of that table), then
/// the variant's own values, then what the command line sets.
pub(super) fn registry(
    walk: &Walk<'_>,
    root: &Node,
    own: Option<(&Node, &str)>,
    variant: &Variant,
    machine: &Machine,
    assumptions: &Assumptions,
) -> Registry {
    let split = |node: Option<&'_ Node>, name: &str| {
        let entries = node.and_then(|node| walk.entries(node, name)).unwrap_or_default();
        let is_flag = |entry: &Entry| matches!(entry.node.origin, Origin::Flag(_));
        let (flags, file): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(is_flag);
        (flags, file)
    };
    let (flags, file) = split(root.at(&["registry"]), "registry");
    let mut registry = values(walk, &file, "registry");
    let own = own.map(|(node, name)| (split(Some(node), name), name));
    if let Some(((_, file), name)) = &own {
        registry.overlay(&table(walk, file, name, assumptions));
    }
    match &variant.registry {
        Choice::Empty => {}
        Choice::Recommended(origin) => registry.overlay(&recommended(walk, origin, machine, assumptions)),
        Choice::Table(node) => {
            let entries = walk.entries(node, "registry").unwrap_or_default();
            registry.overlay(&table(walk, entries, "registry", assumptions));
        }
        Choice::File { name, bytes } => registry.overlay(&registry_file(walk, name, bytes, assumptions)),
    }
    registry.overlay(&values(walk, &flags, "registry"));
    if let Some(((flags, _), name)) = &own {
        registry.overlay(&values(walk, flags, name));
    }
    registry
}

fn recommended(walk: &Walk<'_>, origin: &Origin, machine: &Machine, assumptions: &Assumptions) -> Registry {
    if machine.processors == 0 || machine.memory_mb == 0 {
        // Told where the number is.
        return Registry::empty();
    }
    let servers = machine.smtp_virtual_servers;
    let (found, problems) = recommend(servers, machine.processors, machine.memory_mb, assumptions);
    for problem in problems {
        // What is wrong with assumptions is told of the pool as a whole.
        if !matches!(&problem.place, Place::Named(name) if name.starts_with("assumptions.")) {
            walk.note(Problem { place: origin.place(&walk.source), ..problem });
        }
    }
    found.map_or_else(Registry::empty, |found| found.registry())
}

/// `{ file = "x.reg", NAME = 22, ... }`: the file's values, and the named ones over them.
fn table(walk: &Walk<'_>, entries: &[Entry], path: &str, assumptions: &Assumptions) -> Registry {
    let mut registry = Registry::empty();
    if let Some(entry) = entries.iter().find(|entry| entry.key == "file")
        && let Some(name) = walk.text(&entry.node, &format!("{path}.file"))
    {
        match walk.base.read(name) {
            Ok(bytes) => registry = registry_file(walk, name, &bytes, assumptions),
            Err(why) => {
                let remedy = "file names are relative to the scenario's directory";
                walk.error(&entry.node.origin, format!("`{}` {why}", shortened(name)), remedy);
            }
        }
    }
    let named: Vec<Entry> = entries.iter().filter(|entry| entry.key != "file").cloned().collect();
    registry.overlay(&values(walk, &named, path));
    registry
}

fn registry_file(walk: &Walk<'_>, name: &str, bytes: &[u8], assumptions: &Assumptions) -> Registry {
    let (file, problems) = regfile::read(bytes, name);
    let (registry, more) = file.registry(assumptions);
    problems.into_iter().chain(more).for_each(|problem| walk.note(problem));
    registry
}

/// Registry values by Microsoft's names.
fn values(walk: &Walk<'_>, entries: &[Entry], name: &str) -> Registry {
    let mut registry = Registry::empty();
    for entry in entries {
        let Some(id) = value_id(walk, entry) else { continue };
        let name = format!("{name}.{}", entry.key);
        let range = (0, u64::from(u32::MAX));
        if let Some(data) = walk.whole(&entry.node, &name, range, "write the number, like 22 or 0x16") {
            registry.set(id, data as u32, entry.node.origin.place(&walk.source));
        }
    }
    registry
}

fn value_id(walk: &Walk<'_>, entry: &Entry) -> Option<ValueId> {
    let found: Vec<_> = find_by_name(&entry.key).collect();
    let inetinfo = || found.iter().find(|value| value.key.to_lowercase().contains("\\inetinfo\\"));
    match found.as_slice() {
        [] => {
            let message = format!("`{}` is no registry value that is known here", shortened(&entry.key));
            let remedy = match nearest(&entry.key, TABLE.iter().map(|value| value.name)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "remove it; values that the pool does not use have no effect".to_string(),
            };
            walk.error(&entry.key_origin, message, remedy);
            None
        }
        [value] => Some(value.id),
        _ => inetinfo().map(|value| value.id).or_else(|| {
            let keys: Vec<&str> = found.iter().map(|value| value.key).collect();
            let message = format!("`{}` is a value of several keys: {}", entry.key, keys.join(", "));
            let named: Vec<String> = found.iter().map(|value| format!("'{}'", value.full_name())).collect();
            let remedy = format!("write it with its key, {}; or set it in a registry file", named.join(" or "));
            walk.error(&entry.key_origin, message, remedy);
            None
        }),
    }
}
