//! `completions` and `man`: what shells and `man` want to know of the command line, made from its definition.
//!
//! Not the definition (`args`). Nothing here has to be kept up by hand.

use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::exit::{Exit, help};
use super::output::{print, write_file};

/// `atqsim completions SHELL`.
pub(super) fn completions(shell: Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "atqsim", &mut script);
    print(&String::from_utf8(script).context("the script is no UTF-8 text")?)?;
    Ok(Exit::Done)
}

/// `atqsim man [--write DIR]`.
pub(super) fn man(directory: Option<&Path>) -> anyhow::Result<Exit> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(directory) = directory else {
        print(&page(&command)?)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let parts = command.get_subcommands().map(|part| (format!("atqsim-{}.1", part.get_name()), part));
    let pages: Vec<_> = std::iter::once(("atqsim.1".to_string(), &command)).chain(parts).collect();
    for (name, command) in &pages {
        write_file(&directory.join(name), page(command)?.as_bytes())?;
    }
    print(&format!("{} pages written to {}\n", pages.len(), directory.display()))?;
    Ok(Exit::Done)
}

fn page(command: &Command) -> anyhow::Result<String> {
    let mut roff = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut roff).context("cannot write to memory")?;
    let text = String::from_utf8(roff).context("the page is no UTF-8 text")?;
    // The main page has the exit codes as its last words already.
    let codes = if text.contains("Exit codes:") {
        String::new()
    } else {
        format!(".SH \"EXIT STATUS\"\n.nf\n{}\n.fi\n", help().trim_start_matches("Exit codes:\n"))
    };
    Ok(text + &codes)
}
