//! Which key means what. Not what is done about it (`state`).

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop emulated time, or let it go on.
    Pause,
    /// Faster.
    Faster,
    /// Slower.
    Slower,
    /// `MaxPercentPoolThreads` up or down by one, in the registry.
    Percent(i32),
    /// `AdditionalPoolThreadsPerProc` up or down by one, in the registry.
    Additional(i32),
    /// Both values as the KB's formulas give them, in the registry.
    Recommended,
    /// What is in the registry counts at once.
    Apply,
    /// The IIS Admin service is restarted.
    Restart,
    /// More load.
    MoreLoad,
    /// Less load.
    LessLoad,
    /// Another node is the one whose registry is changed.
    NextNode,
    /// The next variant runs.
    NextVariant,
    /// The help is opened or closed.
    Help,
    /// The help is closed.
    Close,
    /// The end, with the report.
    Quit,
}

/// Every key with what it does, for the help.
pub const HELP: &[(&str, &str)] = &[
    ("space", "stop emulated time, or let it go on"),
    ("+ -", "faster, slower"),
    ("[ ]", "MaxPercentPoolThreads down, up, in the registry"),
    ("{ }", "AdditionalPoolThreadsPerProc down, up, in the registry"),
    ("k", "both as KB 281868's formulas give them, in the registry"),
    ("r", "restart IIS Admin, which reads the registry when it starts:"),
    ("", "who waits is cut off, messages stay, what is served is finished"),
    ("a", "apply at once: a liberty, the real service has to be restarted"),
    ("up down", "more, less load of the sources that come whatever happens"),
    ("tab", "the registry of the next node"),
    ("n", "end this variant, run the next"),
    ("q", "quit; the report follows"),
];

/// What a key means.
#[must_use]
pub fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    Some(match key.code {
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Action::Quit,
        KeyCode::Char(' ' | 'p') => Action::Pause,
        KeyCode::Char('+' | '=') => Action::Faster,
        KeyCode::Char('-' | '_') => Action::Slower,
        KeyCode::Char('[') => Action::Percent(-1),
        KeyCode::Char(']') => Action::Percent(1),
        KeyCode::Char('{') => Action::Additional(-1),
        KeyCode::Char('}') => Action::Additional(1),
        KeyCode::Char('k') => Action::Recommended,
        KeyCode::Char('a') => Action::Apply,
        KeyCode::Char('r') => Action::Restart,
        KeyCode::Up => Action::MoreLoad,
        KeyCode::Down => Action::LessLoad,
        KeyCode::Tab => Action::NextNode,
        KeyCode::Char('n') => Action::NextVariant,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Action::Help,
        KeyCode::Esc => Action::Close,
        KeyCode::Char('q') => Action::Quit,
        _ => return None,
    })
}
