//! `verify` over reference queues: which cases, and where the table goes.
//!
//! Not the proof itself (`verify`). Called by `cli::main`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::load::{self, read_file};
use super::output::{complain, print};
use super::verify_coverage::coverage;

use crate::problem::{Place, Problem, nearest};
use crate::verify::case::{self, Case};
use crate::verify::{self, Report, SEED, Settings, table};

/// Arguments of `verify` that are about reference queues.
#[derive(Clone, Debug, Args)]
pub struct CaseArgs {
    /// Only this case (repeatable)
    #[arg(long = "case", value_name = "NAME")]
    pub case: Vec<String>,
    /// Take the cases from this file instead (schema atqsim-reference-cases/1)
    #[arg(long, value_name = "FILE.json")]
    pub cases: Option<PathBuf>,
    /// How often do 95 % intervals contain the exact value? 1,000 experiments on each of several cases (minutes; with
    /// `--quick` 250 on few of them, in seconds)
    #[arg(long, conflicts_with_all = ["cases", "show"])]
    pub coverage: bool,
    /// Only the cases that need few items
    #[arg(long)]
    pub quick: bool,
    /// Name the cases, without running them
    #[arg(long)]
    pub list: bool,
    /// Print the scenarios of the cases, without running them
    #[arg(long)]
    pub show: bool,
    /// Draw new seeds instead of the fixed ones
    #[arg(long, conflicts_with = "case_seed")]
    pub fresh: bool,
    /// Take this seed instead of the fixed one
    #[arg(long = "seed", id = "case_seed", value_name = "N")]
    pub seed: Option<u64>,
}

/// `atqsim verify`.
pub(super) fn verify(args: &CaseArgs) -> anyhow::Result<Exit> {
    let settings = Settings { seed: seed(args), ..Settings::default() };
    if args.coverage {
        return coverage(&args.case, args.quick, args.list, &settings);
    }
    let cases = match chosen(args) {
        Ok(cases) => cases,
        Err(problem) => {
            load::show(&[*problem]);
            return Ok(Exit::BadInput);
        }
    };
    if args.list {
        let lines: Vec<String> = cases.iter().map(|case| format!("{:<30} {}\n", case.id, case.summary)).collect();
        print(&lines.concat())?;
        return Ok(Exit::Done);
    }
    if args.show {
        return show(&cases, &settings);
    }
    print(&format!("{} cases, seed {}\n\n", cases.len(), settings.seed))?;
    let mut reports: Vec<Report> = Vec::new();
    for case in &cases {
        let report = verify::check(case, &settings);
        print(&format!("{}\n", table::block(&report)))?;
        reports.push(report);
    }
    print(&table::closing(&reports))?;
    Ok(if reports.iter().any(Report::failed) { Exit::Failed } else { Exit::Done })
}

fn seed(args: &CaseArgs) -> u64 {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    match (args.seed, args.fresh) {
        (Some(seed), _) => seed,
        (None, true) => now().map_or(SEED, |since| since.as_nanos() as u64),
        (None, false) => SEED,
    }
}

fn show(cases: &[Case], settings: &Settings<'_>) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for case in cases {
        match verify::texts(case, settings) {
            Ok(texts) => print(&texts.join("\n"))?,
            Err(why) => {
                complain(&format!("atqsim: {} has no scenario: {why}", case.id));
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// The cases that were asked for.
fn chosen(args: &CaseArgs) -> Result<Vec<Case>, Box<Problem>> {
    let all = match &args.cases {
        None => case::built_in(),
        Some(path) => from_file(path)?,
    };
    let mut chosen = Vec::new();
    for name in &args.case {
        let Some(found) = all.iter().find(|case| case.id == *name) else {
            let remedy = match nearest(name, all.iter().map(|case| case.id.as_str())) {
                Some(near) => format!("did you mean {near}?"),
                None => "`atqsim verify --list` names them".to_string(),
            };
            let place = Place::Named(format!("--case {name}"));
            return Err(Box::new(Problem::error(place, "there is no such case", remedy)));
        };
        chosen.push(found.clone());
    }
    if args.case.is_empty() {
        chosen = all;
    }
    if args.quick {
        chosen.retain(verify::is_quick);
    }
    Ok(chosen)
}

fn from_file(path: &Path) -> Result<Vec<Case>, Box<Problem>> {
    let bytes = read_file(path)?;
    let refuse = |message: String| {
        let place = Place::Named(path.display().to_string());
        Box::new(Problem::error(place, message, format!("write it in the schema {}", case::SCHEMA)))
    };
    let text = String::from_utf8(bytes).map_err(|_| refuse("is no UTF-8 text".to_string()))?;
    case::read(&text).map_err(refuse)
}
