//! Scenarios from where the user says they are, with the changes from the command line; problems to stderr.
//!
//! Not the language, which is `scenario`'s. Called by the subcommands that need plans.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::args::Changes;
use super::output::complain;
use super::problems;
use crate::plan::Plan;
use crate::problem::{Place, Problem, any_error, nearest};
use crate::scenario::{self, Base, Overrides, TraceOverride, builtin};

/// The longest scenario or registry file that is read, in bytes.
const FILE_BYTES_MOST: u64 = 16 * 1024 * 1024;

/// A file that must fit in memory.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Problem> {
    let name = path.display().to_string();
    let place = || Place::Named(name.clone());
    let refuse = |error: std::io::Error| {
        let remedy = "give the name of a file that can be read";
        Problem::error(place(), format!("cannot be read: {error}"), remedy)
    };
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MOST + 1).read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(refuse)?;
        if file.metadata().map_err(refuse)?.is_dir() {
            return Err(Problem::error(place(), "is a directory", "name a file in it"));
        }
        file.take(FILE_BYTES_MOST + 1).read_to_end(&mut bytes)
    };
    read.map_err(refuse)?;
    if bytes.len() as u64 > FILE_BYTES_MOST {
        return Err(Problem::error(place(), "is longer than 16 MiB", "name a smaller file"));
    }
    Ok(bytes)
}

/// The text of a scenario, its name, and what its own file names are relative to.
pub(super) fn scenario_text(file: &str) -> Result<(String, String, Base), Problem> {
    let path = Path::new(file);
    if file != "-" && !path.exists() {
        if let Some(builtin) = builtin::find(file) {
            return Ok((builtin.name.to_string(), builtin.text.to_string(), Base::Builtin));
        }
        let names = builtin::SCENARIOS.iter().map(|b| b.name);
        let remedy = match nearest(file, names) {
            Some(name) => format!("did you mean the shipped scenario {name}? `atqsim scenarios` lists them"),
            None => "give a file, or one of the names that `atqsim scenarios` lists".to_string(),
        };
        return Err(Problem::error(Place::Named(file.into()), "there is no such file or shipped scenario", remedy));
    }
    let bytes = read_file(path)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("is no UTF-8 text (byte {at}); a scenario is a TOML file");
        Problem::error(Place::Named(file.into()), message, "save it as UTF-8")
    })?;
    let directory = match path.parent() {
        Some(parent) if file != "-" && !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    Ok((file.to_string(), text, Base::Directory(directory)))
}

/// Shows problems on stderr. `true`: one of them is an error.
pub(super) fn show(found: &[Problem]) -> bool {
    if !found.is_empty() {
        let colour = std::io::stderr().is_terminal();
        // In the order of the text, whatever the order in which they were found; flags and whole files come first.
        let mut in_order = found.to_vec();
        in_order.sort_by_key(|problem| match &problem.place {
            Place::Span(_, span) => span.start as u64 + 1,
            Place::Line(_, line) => *line,
            Place::Named(_) => 0,
        });
        complain(&problems::render(&in_order, colour));
    }
    any_error(found)
}

/// The plans of a scenario with the changes applied, or `None` after every problem was shown.
pub(super) fn plans(file: &str, changes: &Changes, replay: Option<TraceOverride>) -> Option<Vec<Plan>> {
    plans_and_text(file, changes, replay).map(|(plans, _)| plans)
}

/// The same with the scenario's text, without the changes.
pub(super) fn plans_and_text(
    file: &str,
    changes: &Changes,
    replay: Option<TraceOverride>,
) -> Option<(Vec<Plan>, String)> {
    let mut text_read = String::new();
    let mut found = Vec::new();
    let overrides = overrides(changes, replay, &mut found);
    let read = scenario_text(file).map(|(name, text, base)| {
        let read = scenario::read(&name, &text, &base, &overrides);
        text_read = text;
        read
    });
    let plans = match read {
        Ok((plans, mut more)) => {
            found.append(&mut more);
            plans
        }
        Err(problem) => {
            found.push(problem);
            None
        }
    };
    let plans = plans.map(|plans| choose(plans, &changes.variant, &mut found));
    if show(&found) { None } else { plans.map(|plans| (plans, text_read)) }
}

fn choose(plans: Vec<Plan>, wanted: &[String], found: &mut Vec<Problem>) -> Vec<Plan> {
    if wanted.is_empty() {
        return plans;
    }
    let names: Vec<&str> = plans.iter().map(|plan| plan.variant.as_str()).collect();
    for name in wanted.iter().filter(|name| !names.contains(&name.as_str())) {
        let remedy = format!("the variants are: {}", names.join(", "));
        found.push(Problem::error(Place::Named(format!("--variant {name}")), "there is no such variant", remedy));
    }
    plans.iter().filter(|plan| wanted.contains(&plan.variant)).cloned().collect()
}

fn overrides(changes: &Changes, replay: Option<TraceOverride>, found: &mut Vec<Problem>) -> Overrides {
    let refuse = |flag: String, message: String, remedy: &str| Problem::error(Place::Named(flag), message, remedy);
    let mut result = Overrides { seed: changes.seed, speed: changes.speed, replay, ..Overrides::default() };
    for text in &changes.set {
        match text.split_once('=') {
            Some((path, value)) if !path.trim().is_empty() => {
                result.set.push((path.trim().to_string(), value.trim().to_string()));
            }
            _ => {
                let remedy = "write --set smtp.virtual_servers=3";
                found.push(refuse(format!("--set {text}"), "is not PATH=VALUE".into(), remedy));
            }
        }
    }
    if let Some(text) = &changes.duration {
        match humantime::parse_duration(text) {
            Ok(span) => result.duration = Some(crate::time::Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))),
            Err(error) => {
                let message = format!("is no duration: {error}");
                found.push(refuse(format!("--duration {text}"), message, "write 90s or 10m"));
            }
        }
    }
    for text in &changes.registry {
        let Some((name, file)) = text.split_once('=').filter(|(name, file)| !name.is_empty() && !file.is_empty())
        else {
            let remedy = "write --registry tuned=tuned.reg";
            found.push(refuse(format!("--registry {text}"), "is not NAME=FILE.reg".into(), remedy));
            continue;
        };
        match read_file(Path::new(file)) {
            Ok(bytes) => result.registries.push((name.to_string(), file.to_string(), bytes)),
            Err(problem) => found.push(problem),
        }
    }
    result
}
