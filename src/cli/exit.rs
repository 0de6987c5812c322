//! The exit codes, once.
//!
//! Not the decision which one applies; that is each subcommand's. README's table is generated from [`TABLE`].

use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// Something failed at run time; what was measured is reported.
    Failed = 1,
    /// Bad input or usage; nothing was run.
    BadInput = 2,
    /// A report could not be written where it was to go.
    NotWritten = 3,
    /// A threshold failed.
    Threshold = 4,
    /// The host could not hold the speed of a run whose figures were to be proven.
    NotHeld = 5,
    /// Interrupted; the report is partial.
    Interrupted = 130,
}

/// Every code with its meaning.
pub const TABLE: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (Exit::Failed, "failed at run time (what was measured is reported)"),
    (Exit::BadInput, "bad input or usage; nothing was run"),
    (Exit::NotWritten, "a report, trace or registry file could not be written (a report is then printed on stdout)"),
    (Exit::Threshold, "a threshold failed"),
    (Exit::NotHeld, "not proven: the host could not hold the speed (`verify --parity`)"),
    (Exit::Interrupted, "interrupted; the report is partial"),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The table for `--help`.
#[must_use]
pub fn help() -> String {
    let lines: Vec<String> = TABLE.iter().map(|(exit, text)| format!("  {:>3}  {text}", *exit as u8)).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}
