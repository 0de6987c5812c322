//! `verify --coverage`: how often the 95 % intervals contain the exact value, as a table.
//!
//! Not the experiments themselves (`verify::coverage`). Called by `verify_cases`.

use std::fmt::Write;

use super::exit::Exit;
use super::load;
use super::output::{complain, print};
use super::progress::counter;
use crate::problem::{Place, Problem, nearest};
use crate::verify::Settings;
use crate::verify::coverage::{EXPERIMENTS, EXPERIMENTS_QUICK, Method, Row, SYSTEMS, System, Verdict, allowed, check};

/// `atqsim verify --coverage`, of all systems, of the quick ones, or of the `named` ones.
pub(super) fn coverage(named: &[String], quick: bool, list: bool, settings: &Settings<'_>) -> anyhow::Result<Exit> {
    if let Some(unknown) = named.iter().find(|name| SYSTEMS.iter().all(|system| system.case != **name)) {
        let remedy = match nearest(unknown, SYSTEMS.iter().map(|system| system.case)) {
            Some(near) => format!("did you mean {near}?"),
            None => "`atqsim verify --coverage --list` names them".to_string(),
        };
        let place = Place::Named(format!("--case {unknown}"));
        load::show(&[Problem::error(place, "the coverage of no such case is looked at", remedy)]);
        return Ok(Exit::BadInput);
    }
    let is_chosen = |system: &&System| {
        (named.is_empty() || named.iter().any(|name| name == system.case)) && (!quick || system.quick)
    };
    let chosen: Vec<&System> = SYSTEMS.iter().filter(is_chosen).collect();
    if list {
        let line = |system: &&System| {
            format!("{:<20} {:<12} {:.0} items a run\n", system.case, system.method.name(), system.items)
        };
        print(&chosen.iter().map(line).collect::<String>())?;
        return Ok(Exit::Done);
    }
    let experiments = if quick { EXPERIMENTS_QUICK } else { EXPERIMENTS };
    print(&head(experiments, settings))?;
    let bar = counter("coverage", (chosen.len() * experiments) as u64);
    let (mut rows, mut failed) = (0, 0);
    for system in chosen {
        match check(system, experiments, settings, &|| bar.inc(1)) {
            Ok(found) => {
                rows += found.len();
                failed += found.iter().filter(|row| row.verdict() != Verdict::Ok).count();
                bar.suspend(|| print(&found.iter().map(line).collect::<String>()))?;
            }
            Err(why) => {
                failed += 1;
                complain(&format!("atqsim: {}: {why}", system.case));
            }
        }
    }
    bar.finish_and_clear();
    print(&format!("{rows} figures, {failed} failed\n"))?;
    Ok(if failed > 0 { Exit::Failed } else { Exit::Done })
}

fn head(experiments: usize, settings: &Settings<'_>) -> String {
    let (low, high) = allowed(experiments);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "coverage: {experiments} experiments each, seed {}; a 95 % interval has to contain the exact value in {:.0} to {:.0} %\n\
         of them. \"10 runs\": Student's interval of --replications 10; \"1 run\": batch means of one run; the first tenth of\n\
         each run is deleted. \"1 short run\": no interval may be trusted, and the coverage shows why.\n",
        settings.seed,
        low * 100.0,
        high * 100.0,
    );
    let _ = writeln!(
        text,
        "{:<16} {:<12} {:<18} {:>8} {:>8} {:>8} {:>8} {:>16}",
        "case", "interval", "figure", "items", "+- in %", "trusted", "covers", "95 % range"
    );
    text
}

fn line(row: &Row) -> String {
    let (low, high) = row.range();
    let range = format!("{:.1} to {:.1} %", low * 100.0, high * 100.0);
    let verdict = match (row.system.method, row.verdict()) {
        (Method::TooShort, Verdict::Ok) => "ok: not trustworthy, and says so",
        (_, verdict) => verdict.word(),
    };
    format!(
        "{:<16} {:<12} {:<18} {:>8.0} {:>8.2} {:>8} {:>6.1} % {range:>16}  {verdict}\n",
        row.system.case,
        row.system.method.name(),
        row.figure,
        row.system.items,
        row.half_width * 100.0,
        row.trusted,
        row.coverage() * 100.0,
    )
}
