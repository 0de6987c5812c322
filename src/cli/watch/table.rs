//! The table of classes: one row each, with a sparkline of its waits; what has no room is told together in the last row.
//!
//! Called by `draw`.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::draw::class_id;
use super::paint;
use super::state::Screen;
use crate::time::Nanos;

/// The bars of a sparkline, from no wait to a very long one.
const BARS: [char; 9] =
    [' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];

/// The same without Unicode.
const ASCII_BARS: [char; 9] = [' ', '.', ':', '-', '=', '+', '*', '%', '#'];

/// Which columns a width has room for.
struct Columns {
    name: usize,
    more: bool,
    counts: bool,
    bars: usize,
}

impl Columns {
    fn of(screen: &Screen, width: usize) -> Columns {
        let longest = screen.signs.iter().map(|sign| sign.name.chars().count()).max().unwrap_or(0);
        let counts = width >= 60;
        let more = width >= 110;
        // Letter 4, wait 13; waiting 8, threads 8, served 7; oldest 12, longest 12.
        let fixed = 4 + 13 + if counts { 23 } else { 0 } + if more { 24 } else { 0 };
        let name = longest.clamp(8, 28).min(width.saturating_sub(fixed).max(8));
        let bars = width.saturating_sub(fixed + name + 2);
        Columns { name, more, counts, bars }
    }
}

/// A head and at most `most` - 1 rows.
pub(super) fn rows(screen: &Screen, width: usize, most: usize) -> Vec<Line<'static>> {
    if most == 0 {
        return Vec::new();
    }
    let columns = Columns::of(screen, width);
    let mut rows = vec![head(screen, &columns)];
    let room = most - 1;
    let (own, together) = if screen.order.len() <= room {
        (screen.order.as_slice(), &[][..])
    } else {
        screen.order.split_at(room.saturating_sub(1))
    };
    rows.extend(own.iter().map(|at| row(screen, *at, &columns)));
    if !together.is_empty() && room > 0 {
        let classes: Vec<_> = together.iter().map(|at| class_id(*at)).collect();
        let (waiting, threads, wait) = screen.picture.together(&classes);
        let text = format!("    {} more: {waiting} waiting, {threads} threads, wait {wait}", together.len());
        rows.push(Line::styled(fit(&text, width), paint::faint(screen.look)));
    }
    rows.truncate(most);
    rows
}

fn head(screen: &Screen, columns: &Columns) -> Line<'static> {
    let mut text = format!("    {:<name$}{:>13}", "", "wait", name = columns.name);
    if columns.counts {
        text.push_str(&format!("{:>8}{:>8}{:>7}", "waiting", "threads", "per s"));
    }
    if columns.more {
        text.push_str(&format!("{:>12}{:>12}", "oldest", "longest"));
    }
    if columns.bars >= 8 {
        let span = screen.picture.step * columns.bars as u64;
        let span = match span.as_micros() / 1_000_000 {
            seconds @ 1..120 => format!("last {seconds} s"),
            _ => format!("last {}", span.to_string().replace(" 00 s", "")),
        };
        text.push_str(&format!("  {}", fit(&span, columns.bars)));
    }
    Line::styled(text, Style::new().add_modifier(Modifier::UNDERLINED))
}

fn row(screen: &Screen, at: usize, columns: &Columns) -> Line<'static> {
    let (sign, class) = (&screen.signs[at], &screen.picture.classes[at]);
    let wait = if class.starved { format!("! {}", class.wait) } else { class.wait.to_string() };
    let style = if class.starved { paint::starved(screen.look) } else { Style::new() };
    let mut spans = vec![
        Span::styled(format!(" {} ", sign.letter), paint::cell(sign.tint, screen.look)),
        Span::raw(format!(" {:<name$}", fit(&sign.name, columns.name), name = columns.name)),
        Span::raw(" ".repeat(13_usize.saturating_sub(wait.chars().count()))),
        Span::styled(wait, style),
    ];
    if columns.counts {
        let served = format!("{:.1}", class.served_per_second);
        spans.push(Span::raw(format!("{:>8}{:>8}{served:>7}", class.waiting, class.threads)));
    }
    if columns.more {
        spans.push(Span::raw(format!("{:>12}{:>12}", class.oldest.to_string(), class.longest.to_string())));
    }
    if columns.bars > 0 {
        let first = class.history.len().saturating_sub(columns.bars);
        let bars: String = class.history[first..].iter().map(|wait| bar(*wait, screen.look.ascii)).collect();
        spans.push(Span::raw(format!("  {:>width$}", bars, width = columns.bars)));
    }
    Line::from(spans)
}

/// The bar of a wait: none below 1 ms, then one more for each step of about 4.4 times, the highest from 32 s on.
fn bar(wait: Nanos, ascii: bool) -> char {
    const FROM_MS: [u64; 8] = [1, 4, 20, 90, 400, 1_700, 7_400, 32_000];
    let level = FROM_MS.iter().filter(|ms| wait >= Nanos::from_millis(**ms)).count();
    if ascii { ASCII_BARS[level] } else { BARS[level] }
}

/// What fits of a text into so many columns, and blanks behind it.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let long = text.chars().count() > columns;
    let shown: String = text.chars().take(if long { columns.saturating_sub(1) } else { columns }).collect();
    if long && columns > 0 { format!("{shown}~") } else { format!("{shown:<columns$}") }
}
