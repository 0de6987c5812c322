//! Problems as a person reads them: the line, what of it is wrong underlined, and what to do.
//!
//! Not one-liners for logs (`Problem`'s own `Display`) and not a writer: the text is handed back. Called by the
//! subcommands.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

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
            .annotation(AnnotationKind::Primary.span(excerpt.span.clone()));
        group = match excerpt.column {
            None => group.element(snippet.path(source.name.as_str())),
            // The renderer would count the column in what is left of the line.
            Some(column) => {
                let origin = Origin::path(source.name.as_str()).line(excerpt.line).char_column(column);
                group.element(origin).element(snippet)
            }
        };
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
    /// Where the line's beginning is not shown, the column of what is wrong, from 1.
    column: Option<usize>,
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
        let (line, column) = line_and_column(text, at);
        Excerpt { text: shown, span: wrong, line, column: (from > start).then_some(column) }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at(text: &str, span: Range<usize>) -> Problem {
        let source = Arc::new(SourceText { name: "a.toml".into(), text: text.into() });
        Problem::error(Place::Span(source, span), "percent 140 is above 100", "lower it")
    }

    fn check(problem: &Problem, expect: &[&str]) {
        let text = render(std::slice::from_ref(problem), false);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, expect, "\n{text}");
    }

    #[test]
    fn the_text_that_is_wrong_is_underlined() {
        check(
            &at("x = 1\npercent = 140\nz = 2\n", 16..19),
            &[
                "error: percent 140 is above 100",
                " --> a.toml:2:11",
                "  |",
                "2 | percent = 140",
                "  |           ^^^",
                "  |",
                "  = help: lower it",
                "",
            ],
        );
    }

    #[test]
    fn a_place_without_text_is_named() {
        let note = |place| Problem::note(place, "it is so", "");
        check(&note(Place::Line("x.log".into(), 7)), &["note: x.log:7: it is so", ""]);
        check(&note(Place::Named("--set a=1".into())), &["note: --set a=1: it is so", ""]);
        let empty = Arc::new(SourceText { name: "e".into(), text: String::new() });
        check(&Problem::warning(Place::Span(empty, 0..0), "it is empty", ""), &["warning: e:1:1: it is empty", ""]);
    }

    #[test]
    fn long_lines_are_cut_around_what_is_wrong() {
        let text = format!("a\n{} = 140 # {}\n", "k".repeat(100_000), "c".repeat(100_000));
        let start = text.find("140").unwrap_or(0);
        let rendered = render(&[at(&text, start..start + 3)], false);
        assert!(rendered.contains("...") && rendered.contains("140") && rendered.contains("^^^"), "{rendered}");
        assert!(rendered.contains("a.toml:2:100004"), "{rendered}");
        assert!(rendered.len() < 1_000, "{}", rendered.len());
    }

    #[test]
    fn any_span_of_any_text_can_be_shown() {
        let texts = [
            "",
            "\n",
            "a\nb",
            "a\r\nb\r\n",
            "tab\there\n",
            "\u{fc}\u{fc}\n\u{1f600}x\u{1f600}",
            "\u{0}\u{1b}[31m\u{7f}\n",
        ];
        for text in texts {
            for start in 0..text.len() + 2 {
                for end in start..text.len() + 3 {
                    for colours in [false, true] {
                        assert!(render(&[at(text, start..end)], colours).contains("percent 140"));
                    }
                }
            }
        }
        assert!(!render(&[at("\u{1b}[31m", 0..1)], false).contains('\u{1b}'), "a text cannot colour the terminal");
        assert!(render(&[at("x", 0..1)], true).contains('\u{1b}'));
    }
}
