//! `scenarios`: what is built in.

use std::path::Path;

use anyhow::Context;

use super::exit::Exit;
use super::load;
use super::output::{complain, print};
use crate::scenario::builtin;

/// `atqsim scenarios [--show NAME | --write DIR]`.
pub(super) fn scenarios(show: Option<&str>, write: Option<&Path>) -> anyhow::Result<Exit> {
    if let Some(name) = show {
        let Some(found) = builtin::find(name) else {
            if let Err(problem) = load::scenario_text(name) {
                load::show(&[problem]);
            } else {
                complain(&format!("atqsim: {name} is a file, not a shipped scenario"));
            }
            return Ok(Exit::BadInput);
        };
        print(found.text)?;
        return Ok(Exit::Done);
    }
    if let Some(directory) = write {
        return write_all(directory);
    }
    let widest = builtin::SCENARIOS.iter().map(|b| b.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for builtin in builtin::SCENARIOS {
        text += &format!("{:widest$}  {}\n", builtin.name, builtin.summary());
    }
    text += "\nRun one with `atqsim compare NAME`; `atqsim scenarios --write DIR` gives you files to change.\n";
    print(&text)?;
    Ok(Exit::Done)
}

fn write_all(directory: &Path) -> anyhow::Result<Exit> {
    let (mut written, mut kept) = (0, 0);
    for (name, bytes) in builtin::files() {
        let path = directory.join(&name);
        if path.exists() {
            kept += 1;
            complain(&format!("kept {} (it exists)", path.display()));
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        super::output::write_file(&path, bytes)?;
        written += 1;
    }
    print(&format!("{written} file(s) written to {}, {kept} kept\n", directory.display()))?;
    Ok(Exit::Done)
}
