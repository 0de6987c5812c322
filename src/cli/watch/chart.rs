//! The waits of the first users' services as charts, where a high terminal has rows to spare: the sparklines, larger.
//!
//! Called by `draw`.

use ratatui::text::{Line, Span};

use super::paint;
use super::state::Screen;
use crate::plan::Role;
use crate::time::Nanos;

/// Fewer rows are no chart.
const ROWS_LEAST: usize = 5;

/// More rows say no more.
const ROWS_MOST: usize = 12;

/// Columns of the labels at the left of a chart.
const LABELS: usize = 8;

/// The waits at the lower and at the upper end of a chart.
const ENDS_MS: (f64, f64) = (1.0, 100_000.0);

/// A title and at most `room` - 2 rows of charts, side by side; nothing where there is no room for them.
pub(super) fn rows(screen: &Screen, width: usize, room: usize) -> Vec<Line<'static>> {
    let users: Vec<usize> =
        screen.order.iter().copied().filter(|at| screen.signs[*at].role == Role::Protocol).take(2).collect();
    if room < ROWS_LEAST + 2 || users.is_empty() || width < 60 {
        return Vec::new();
    }
    let height = (room - 2).min(ROWS_MOST);
    let each = width / users.len();
    let columns = each.saturating_sub(LABELS + 2);
    let title = |at: &usize| {
        let text = format!("{:LABELS$} {}: longest wait in each {}", "", screen.signs[*at].name, screen.picture.step);
        Span::raw(super::table::fit(&text, each))
    };
    let mut rows = vec![Line::default(), Line::from_iter(users.iter().map(title))];
    for row in (0..height).rev() {
        let mut spans = Vec::new();
        for at in &users {
            let history = &screen.picture.classes[*at].history;
            let shown = &history[history.len().saturating_sub(columns)..];
            let bars: String = shown.iter().map(|wait| block(*wait, row, height, screen.look.ascii)).collect();
            spans.push(Span::styled(format!("{:>LABELS$} ", label(row, height)), paint::faint(screen.look)));
            spans.push(Span::styled(format!("{bars:<columns$} "), paint::bars(screen.signs[*at].tint, screen.look)));
        }
        rows.push(Line::from(spans));
    }
    rows
}

/// How high the bar of a wait is, in rows; the scale is logarithmic.
fn height_of(wait: Nanos, height: usize) -> f64 {
    let ms = wait.as_secs_f64() * 1e3;
    let share = (ms.max(ENDS_MS.0) / ENDS_MS.0).ln() / (ENDS_MS.1 / ENDS_MS.0).ln();
    share.min(1.0) * height as f64
}

/// What of a bar is in this row, counted from below.
fn block(wait: Nanos, row: usize, height: usize, ascii: bool) -> char {
    const EIGHTHS: [char; 9] =
        [' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
    let inside = (height_of(wait, height) - row as f64).clamp(0.0, 1.0);
    match (ascii, inside) {
        (true, inside) if inside >= 0.5 => '#',
        (true, _) => ' ',
        (false, inside) => EIGHTHS[(inside * 8.0).round() as usize],
    }
}

/// The power of ten that ends with this row, if one does.
fn label(row: usize, height: usize) -> &'static str {
    const TENS: [(u64, &str); 5] =
        [(10, "10 ms"), (100, "100 ms"), (1_000, "1 s"), (10_000, "10 s"), (100_000, "100 s")];
    let ends_here = |ms: u64| (height_of(Nanos::from_millis(ms), height) - 1e-9) as usize == row;
    TENS.iter().find(|(ms, _)| ends_here(*ms)).map_or("", |(_, text)| text)
}
