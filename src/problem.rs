//! One mistake in something a person wrote: where it is, what was found, what is allowed, what to do.
//!
//! Not an error enum and not a renderer: a room that reads text collects `Problem`s, all of them, and `cli` shows
//! them. Called by `scenario`, `regfile`, the log readers and `cli`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that was read, kept so that a problem can show the line.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The file's name as the user gave it, or `--set path=value`.
    pub name: String,
    /// The whole text. Empty where it is not shown (binary files, logs).
    pub text: String,
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceText({}, {} bytes)", self.name, self.text.len())
    }
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A byte range of a text that is at hand.
    Span(Arc<SourceText>, Range<usize>),
    /// A line (counted from 1) of a file that is not kept in memory.
    Line(String, u64),
    /// A whole file, a flag, or anything else with a name.
    Named(String),
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the run goes on.
    Note,
    /// Probably not what was meant; the run goes on.
    Warning,
    /// Nothing is run.
    Error,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What was found and what is allowed, in one sentence without a full stop: `percent 140 is above 100`.
    pub message: String,
    /// What to do, in one sentence: `lower it, or remove the line for the default of 90`.
    pub remedy: String,
}

impl Problem {
    /// An error at `place`.
    pub fn error(place: Place, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { severity: Severity::Error, place, message: message.into(), remedy: remedy.into() }
    }

    /// A warning at `place`.
    pub fn warning(place: Place, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(place, message, remedy) }
    }

    /// A note at `place`.
    pub fn note(place: Place, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { severity: Severity::Note, ..Problem::error(place, message, remedy) }
    }
}

/// Whether any of `problems` forbids a run.
#[must_use]
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|p| p.severity == Severity::Error)
}

/// The known name that is nearest to `found`, where one is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let distance = strsim::damerau_levenshtein(&found, &name.to_lowercase());
        if best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, name));
        }
    }
    best.filter(|(d, name)| *d <= (name.len().max(found.len()) / 3).max(1)).map(|(_, name)| name)
}

/// One line for logs and tests: `error: FILE:LINE:COLUMN: message; remedy`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(f, "{word}: ")?;
        match &self.place {
            Place::Span(source, span) => {
                let (line, column) = line_and_column(&source.text, span.start);
                write!(f, "{}:{line}:{column}: ", source.name)?;
            }
            Place::Line(file, line) => write!(f, "{file}:{line}: ")?,
            Place::Named(name) => write!(f, "{name}: ")?,
        }
        write!(f, "{}", self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Line and column of a byte offset, both counted from 1; the column counts characters.
#[must_use]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_only_what_is_near() {
        let known = ["duration", "virtual_servers", "starvation_after"];
        assert_eq!(nearest("virtual_server", known), Some("virtual_servers"));
        assert_eq!(nearest("duraton", known), Some("duration"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_problem_says_place_finding_and_remedy() {
        let source = Arc::new(SourceText { name: "a.toml".into(), text: "x = 1\ny = 140\n".into() });
        let problem = Problem::error(Place::Span(source, 10..13), "percent 140 is above 100", "lower it");
        assert_eq!(problem.to_string(), "error: a.toml:2:5: percent 140 is above 100; lower it");
    }
}
