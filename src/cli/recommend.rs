//! `recommend`: the formulas of KB 281868 with their steps, and a registry file.

use super::args::{RecommendArgs, RegFormat};
use super::exit::Exit;
use super::load;
use super::output::{complain, print, write_file};
use crate::policy::assumptions::Assumptions;
use crate::policy::recommend::{RESTART, Recommendation, recommend as compute};
use crate::policy::registry::Registry;
use crate::problem::{Place, Problem, any_error};
use crate::regfile::{self, Format, RegFile};

/// `atqsim recommend --virtual-servers N ...`.
pub(super) fn recommend(args: &RecommendArgs) -> anyhow::Result<Exit> {
    let mut found = Vec::new();
    let assumptions = assumptions(&args.assume, &mut found);
    let present = present(args, &assumptions, &mut found);
    let (recommendation, more) = compute(args.virtual_servers, args.processors, args.memory, &assumptions);
    found.extend(more);
    let bad = any_error(&found);
    load::show(&found);
    let Some(recommendation) = recommendation.filter(|_| !bad) else { return Ok(Exit::BadInput) };
    print(&told(&recommendation, &assumptions, present.as_ref()))?;
    let Some(out) = &args.out else { return Ok(Exit::Done) };
    let format = match args.reg_format {
        RegFormat::Version5 => Format::Version5,
        RegFormat::Regedit4 => Format::Regedit4,
    };
    let bytes = RegFile::from_registry(&recommendation.registry()).write(format);
    if let Err(error) = write_file(out, &bytes) {
        complain(&format!("atqsim: {error:#}"));
        return Ok(Exit::NotWritten);
    }
    print(&format!("\nwritten to {}\n", out.display()))?;
    Ok(Exit::Done)
}

fn assumptions(given: &[String], found: &mut Vec<Problem>) -> Assumptions {
    let mut assumptions = Assumptions::default();
    for text in given {
        let place = || Place::Named(format!("--assume {text}"));
        match text.split_once('=') {
            None => found.push(Problem::error(place(), "is not NAME=VALUE", "write --assume additional_rounding=ceil")),
            Some((name, value)) => {
                if let Err((message, remedy)) = assumptions.set(name.trim(), value.trim()) {
                    found.push(Problem::error(place(), message, remedy));
                }
            }
        }
    }
    assumptions
}

fn present(args: &RecommendArgs, assumptions: &Assumptions, found: &mut Vec<Problem>) -> Option<Registry> {
    let file = args.registry.as_ref()?;
    match load::read_file(file) {
        Err(problem) => {
            found.push(problem);
            None
        }
        Ok(bytes) => {
            let (parsed, problems) = regfile::read(&bytes, &file.display().to_string());
            found.extend(problems);
            let (registry, problems) = parsed.registry(assumptions);
            found.extend(problems);
            found.extend(registry.check(assumptions));
            Some(registry)
        }
    }
}

fn told(r: &Recommendation, assumptions: &Assumptions, present: Option<&Registry>) -> String {
    let mut text = format!("KB 281868 for {} SMTP virtual server(s)\n\n", r.virtual_servers);
    for step in &r.steps {
        text += &format!("  {step}\n");
    }
    text += "\nThe pool that this machine then has\n";
    for step in &r.shape.steps {
        text += &format!("  {step}\n");
    }
    text += "\nSet\n";
    let mut key = "";
    for (id, setting) in r.registry().iter() {
        let value = id.value();
        if value.key != key {
            key = value.key;
            text += &format!("  HKLM\\{key}\n");
        }
        text += &format!("    {} = {} (0x{:X})", value.name, setting.data, setting.data);
        text += &match present.and_then(|p| p.get(id)) {
            Some(now) if now == setting.data => ", as it is now\n".to_string(),
            Some(now) => format!(", now {now} (0x{now:X})\n"),
            None if present.is_some() => format!(", not set now (behaves as {})\n", value.default_text()),
            None => "\n".to_string(),
        };
    }
    text += "by hand, or with --out FILE.reg here and `regedit FILE.reg` there;\n";
    text += &format!("then {RESTART}.\n\nAssumptions (change one with --assume NAME=VALUE)\n");
    for assumption in assumptions.list() {
        let name = assumption.name.trim_start_matches("assumptions.");
        text += &format!("  {name} = {} [{}; {}]\n", assumption.value, assumption.choices, assumption.source);
    }
    text
}
