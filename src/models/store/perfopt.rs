//! Performance Optimizer: what it does to the thread values, and its log.
//!
//! Not a writer of files: it is told what it finds and says what it leaves and which lines it adds to `perfopt.log`.
//! That `%windir%\system32\perfopt.log` is added to on every run is published; how its lines look is not, and the format here
//! is ours, which its first line says. Called by whoever describes a server.

use std::fmt::Write;

use super::spec::{OPTIMIZED_MAX_THREADS, Registered};
use crate::time::Nanos;

/// Where the log is. ATQ: Q169686.
pub const LOG_FILE: &str = r"%windir%\system32\perfopt.log";

/// What the administrator answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The questions are left as they are.
    pub are_defaults: bool,
    /// All types of server are ticked.
    pub all_server_types: bool,
    /// The smallest number of users is chosen.
    pub few_users: bool,
}

impl Answers {
    /// Everything is left as it is.
    pub const DEFAULTS: Answers = Answers { are_defaults: true, all_server_types: false, few_users: false };

    /// Whether these are the answers that leave too few threads.
    /// ATQ: Q169686: the defaults, all server types, or few users. Guess: any one of the three is enough.
    #[must_use]
    pub fn leave_too_few(self) -> bool {
        self.are_defaults || self.all_server_types || self.few_users
    }
}

/// One run of the Optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When.
    pub at: Nanos,
    /// What it was told.
    pub answers: Answers,
    /// What it found.
    pub found: Registered,
    /// What it left.
    pub left: Registered,
}

/// Runs the Optimizer. `otherwise` is the `Max Threads` that it sets for answers that no text speaks of.
// Guess: what it sets then is not published.
#[must_use]
pub fn optimize(at: Nanos, answers: Answers, found: Registered, otherwise: u32) -> Run {
    let max = if answers.leave_too_few() { OPTIMIZED_MAX_THREADS } else { otherwise };
    Run { at, answers, found, left: Registered { max_threads: Some(max), ..found } }
}

/// The log of all runs so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    text: String,
}

impl Log {
    /// Adds a run, behind all that is there.
    pub fn append(&mut self, run: &Run) {
        if self.text.is_empty() {
            self.text
                .push_str("; perfopt.log as atqsim writes it: how the Optimizer's own lines look is not published\r\n");
        }
        let Answers { are_defaults, all_server_types, few_users } = run.answers;
        let shown = |value: Option<u32>| value.map_or("(none)".to_string(), |value| format!("{value:#x}"));
        // Writing to a string does not fail.
        let _ = write!(
            self.text,
            "[{} s] defaults={are_defaults} all_server_types={all_server_types} few_users={few_users}\r\n\
             MSExchangeIS\\ParametersSystem\\Max Threads(Private+Public): {} -> {}\r\n",
            run.at.0 / Nanos::SECOND.0,
            shown(run.found.max_threads),
            shown(run.left.max_threads),
        );
    }

    /// The whole log.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}
