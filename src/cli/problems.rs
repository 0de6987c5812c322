//! Problems as a person reads them: the line, what of it is wrong underlined, and what to do.
//!
//! Not one-liners for logs (`Problem`'s own `Display`) and not a writer: the text is handed back. Called by the
//! subcommands.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::problem::{Place, Problem, Severity, SourceText, line_and_column};

/// The most that is shown of one line, in bytes; the rest becomes `...`.
const LINE_MOST: usize = 240;
/// How much of a long line is shown before what is wrong, in bytes.
const BEFORE: usize = 60;

/// All `problems`, one paragraph each, with colours or without.
#[must_use]
pub fn render(problems: &[Problem], colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for problem in problems {
        text.push_str(&render_one(problem, &renderer));
        text.push_str("\n\n");
    }
    text
}

fn render_one(problem: &Problem, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let shown = match &problem.place {
        Place::Span(source, span) if !source.text.is_empty() => Some((source, Excerpt::of(source, span))),
        _ => None,
    };
    let title = match (&problem.place, &shown) {
        (_, Some(_)) => problem.message.clone(),
        (Place::Span(source, span), None) => {
            let (line, column) = line_and_column(&source.text, span.start);
            format!("{}:{line}:{column}: {}", source.name, problem.message)
        }
        (Place::Line(file, line), _) => format!("{file}:{line}: {}", problem.message),
        (Place::Named(name), _) => format!("{name}: {}", problem.message),
    };
    let mut group = Group::with_title(level.primary_title(title));
    if let Some((source, excerpt)) = &shown {
        let snippet = Snippet::source(excerpt.text.as_str())
            .line_start(excerpt.line)
            .path(source.name.as_str())
            .annotation(AnnotationKind::Primary.span(excerpt.span.clone()));
        group = group.element(snippet);
    }
    if !problem.remedy.is_empty() {
        group = group.element(Level::HELP.message(problem.remedy.as_str()));
    }
    renderer.render(&[group])
}

/// The line of a problem, cut to what can be read.
struct Excerpt {
    text: String,
    /// What is wrong in it.
    span: Range<usize>,
    /// The line's number in the source, from 1.
    line: usize,
}

impl Excerpt {
    /// The first line of `span`. A span over several lines is shown to the end of its first one.
    fn of(source: &SourceText, span: &Range<usize>) -> Excerpt {
        let text = &source.text;
        let at = floor(text, span.start);
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let wrong_end = floor(text, span.end.clamp(at, end.max(at)));
        let from = if end - start > LINE_MOST { floor(text, at.saturating_sub(BEFORE).max(start)) } else { start };
        let to = floor(text, end.min(from + LINE_MOST)).max(at);
        let wrong_end = wrong_end.min(to);
        let mut shown = String::new();
        if from > start {
            shown.push_str("...");
        }
        let offset = shown.len();
        // Control characters would disturb the terminal, and the position of everything behind them.
        shown.extend(text[from..to].chars().map(|c| if c.is_control() && c.len_utf8() == 1 { ' ' } else { c }));
        if to < end {
            shown.push_str("...");
        }
        let wrong = (at - from + offset)..(wrong_end - from + offset);
        Excerpt { text: shown, span: wrong, line: line_and_column(text, at).0 }
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
