//! SimPy and Ciw, in a process of Python of their own that times itself (`peers.py`).
//!
//! Not an interpreter within this one: its start and its imports are outside what is timed.

use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::works::{ARRIVALS_PER_S, Outcome, SERVICE_MEAN_S, Served, THREADS, Work};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");
const NOT_INSTALLED: i32 = 3;

/// What a run of Python says.
pub(crate) struct Said {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) outcome: Outcome,
}

/// The version of a peer, or why there is none.
pub(crate) fn version(python: &Path, peer: &str) -> Result<String, String> {
    let output = Command::new(python).args([SCRIPT, peer]).output();
    let output = output.map_err(|error| format!("{} does not start: {error}", python.display()))?;
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).trim().to_string()),
        Some(NOT_INSTALLED) => Err(format!(
            "{peer} is not installed for {0}; make an environment that has it (`python3 -m venv target/peers-venv && \
             target/peers-venv/bin/pip install simpy ciw`) and name its Python with --python",
            python.display()
        )),
        _ => Err(format!("{peer} does not start: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Does the work.
///
/// # Errors
/// Python failed, or said what is not expected.
pub(crate) fn run(python: &Path, peer: &str, work: &Work, customers: u64, seed: u64) -> anyhow::Result<Said> {
    let mut command = Command::new(python);
    command.args([SCRIPT, peer]);
    command.args([customers, seed, u64::from(THREADS)].map(|number| number.to_string()));
    command.args([ARRIVALS_PER_S, SERVICE_MEAN_S].map(|number| number.to_string()));
    command.args(work.classes.iter().map(|class| format!("{}:{}", class.percent, class.cap)));
    let output = command.output().with_context(|| format!("{} does not start", python.display()))?;
    ensure!(output.status.success(), "{peer} failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines().skip(1);
    let [wall, cpu] = words::<f64, 2>(lines.next())?;
    let outcome: anyhow::Result<Outcome> = lines.map(|line| served(Some(line))).collect();
    let outcome = outcome?;
    ensure!(outcome.len() == work.classes.len(), "{peer} tells of {} classes", outcome.len());
    Ok(Said { wall: Duration::from_secs_f64(wall), cpu: Duration::from_secs_f64(cpu), outcome })
}

fn served(line: Option<&str>) -> anyhow::Result<Served> {
    let [customers, mean_wait_us, busy_most] = words::<f64, 3>(line)?;
    Ok(Served { customers: customers as u64, mean_wait_us, busy_most: busy_most as u32 })
}

fn words<T: FromStr, const N: usize>(line: Option<&str>) -> anyhow::Result<[T; N]> {
    let line = line.context("a line is missing")?;
    let words: Option<Vec<T>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
    match words.map(<[T; N]>::try_from) {
        Some(Ok(words)) => Ok(words),
        _ => bail!("not {N} numbers: `{line}`"),
    }
}
