//! The screen as rows of text: a pure function of what it shows and of the size of the terminal.
//!
//! Not the state (`state`) and not the terminal (`screen`). Rows that do not fit are left out, the least important first;
//! every size is drawn without a panic. Called by `screen` and tests.

use ratatui::Frame;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chart;
use super::keys::HELP;
use super::paint;
use super::plain::{event_words, group_word, resource_word};
use super::state::Screen;
use super::table;
use crate::engine::live::{Cell, NodePicture};
use crate::ids::ClassId;
use crate::models::cluster::NodeState;
use crate::models::cluster::spec::ResourceKind;
use crate::plan::tuning::Values;
use crate::time::Nanos;

/// Below this width rows are only what fits of them.
const COLUMNS_LEAST: usize = 40;

/// Rows of the table that go before the registry and the last message.
const TABLE_LEAST: usize = 4;

/// Draws everything.
pub fn draw(screen: &Screen, frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let rows = if screen.help { help(screen, width, height) } else { rows(screen, width, height) };
    frame.render_widget(Paragraph::new(rows), area);
}

/// The rows of a screen of this size.
fn rows(screen: &Screen, width: usize, height: usize) -> Vec<Line<'static>> {
    let mut above = vec![title(screen, width), clock(screen, width)];
    above.extend(nodes(screen, width, height));
    let mut below = registry(screen, width);
    below.push(Line::styled(message(screen), Modifier::BOLD));
    below.push(keys(screen, width));
    // Of a low terminal the first rows and the keys are what is left, then a few classes, then the rest.
    above.truncate(height.saturating_sub(1));
    let spare = height.saturating_sub(above.len() + 1 + TABLE_LEAST);
    below.drain(..below.len() - 1 - spare.min(below.len() - 1));
    let room = height.saturating_sub(above.len() + below.len());
    let cluster = cluster(screen, width, room / 3);
    above.extend(table::rows(screen, width, room - cluster.len()));
    let room = height.saturating_sub(above.len() + cluster.len() + below.len());
    above.extend(chart::rows(screen, width, room));
    let blank = height.saturating_sub(above.len() + cluster.len() + below.len());
    above.extend(cluster);
    above.extend(std::iter::repeat_n(Line::default(), blank));
    above.extend(below);
    above
}

fn title(screen: &Screen, width: usize) -> Line<'static> {
    let (variant, number, of) = &screen.variant;
    let which = if *of > 1 { format!("{variant} ({number} of {of}) ") } else { format!("{variant} ") };
    let left = format!(" atqsim watch: {}", screen.title);
    let room = width.saturating_sub(which.chars().count() + 1);
    let text = format!("{} {which}", table::fit(&left, room));
    Line::styled(text, Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD))
}

fn clock(screen: &Screen, width: usize) -> Line<'static> {
    const BAR: usize = 16;
    let picture = &screen.picture;
    let state = match (picture.ended, screen.status.paused) {
        (true, _) => "OVER",
        (false, true) => "PAUSED",
        (false, false) => "RUNNING",
    };
    let share = picture.now.as_secs_f64() / screen.duration.as_secs_f64().max(1e-9);
    let full = ((share * BAR as f64) as usize).min(BAR);
    let (done, left) = if screen.look.ascii { ("#", ".") } else { ("\u{2588}", "\u{2591}") };
    let speed = screen.status.speed.map_or_else(String::new, |speed| format!("x{speed} "));
    let mut spans = vec![
        Span::styled(format!(" {state:<7}"), Modifier::BOLD),
        Span::raw(format!(" {} of {} ", picture.now, screen.duration)),
    ];
    // A host that is late is more than a word on what runs.
    let engine = picture.late.map_or_else(|| screen.engine.to_string(), |late| format!("host late {late}"));
    let rest = format!(" {speed}{engine}  load x{}", screen.status.load);
    let used: usize = spans.iter().map(Span::width).sum();
    if width > used + BAR + rest.len() {
        spans.push(Span::raw(format!("{}{}", done.repeat(full), left.repeat(BAR - full))));
    }
    spans.push(Span::raw(rest));
    Line::from(spans)
}

/// Every node with its threads.
fn nodes(screen: &Screen, width: usize, height: usize) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for (at, node) in screen.picture.nodes.iter().enumerate() {
        let size = screen.status.in_effect[at].size as usize;
        let shown = node.threads.iter().rposition(|cell| *cell != Cell::Absent).map_or(0, |last| last + 1).max(size);
        let cells = |each: usize, per_row: usize| cell_rows(screen, node, shown, each, per_row);
        let head = head(screen, at, node);
        if screen.nodes.len() > 1 && height < 30 {
            // A cluster on a low screen: a row for each node, and as many threads as fit into two.
            let indent = 21;
            let per_row = (width.saturating_sub(indent) / 2).max(1);
            let mark = if at == screen.node { ">" } else { " " };
            let name = format!("{mark}{} {}/{} busy {}", screen.nodes[at], node.live, size, node.busy);
            let heads = [name, String::new()];
            for (row, head) in cells(2, per_row).into_iter().take(2).zip(heads) {
                let mut spans = vec![Span::raw(format!("{:<indent$}", table::fit(&head, indent - 1)))];
                spans.extend(row);
                rows.push(Line::from(spans));
            }
            continue;
        }
        rows.push(head);
        // The widest cells with which the pool takes one row, or two; else as many rows as it takes.
        let room = width.saturating_sub(1);
        let fits = |rows: usize| move |each: &usize| shown.div_ceil(rows) * each <= room;
        let in_one = [5, 4, 3].into_iter().find(fits(1));
        let each = in_one.or_else(|| [4, 3, 2].into_iter().find(fits(2))).unwrap_or(1);
        let most = (height / 4).max(1);
        // Rows of the same length.
        let count = shown.div_ceil((room / each).max(1)).max(1);
        let per_row = shown.div_ceil(count).max(1);
        rows.extend(cells(each, per_row).into_iter().take(most).map(|row| {
            let mut spans = vec![Span::raw(" ")];
            spans.extend(row);
            Line::from(spans)
        }));
    }
    rows
}

fn head(screen: &Screen, at: usize, node: &NodePicture) -> Line<'static> {
    let pool = screen.status.in_effect[at];
    let mark = if screen.nodes.len() > 1 && at == screen.node { ">" } else { " " };
    let idle = node.live - node.busy;
    let counts =
        format!("{} of {} threads, {} busy, {} on a CPU, {idle} idle", node.live, pool.size, node.busy, node.runnable);
    let cap = pool.values.map_or_else(String::new, |_| format!("; at most {} a heavy queue", pool.cap));
    let state = match &screen.picture.cluster {
        Some(cluster) if screen.nodes.len() > 1 => match cluster.nodes[at] {
            NodeState::Up => "",
            NodeState::Hung => "  HANGS",
            NodeState::Down => "  DOWN",
        },
        _ => "",
    };
    Line::from(vec![
        Span::styled(format!("{mark}{}", screen.nodes[at]), Modifier::BOLD),
        Span::raw(format!(": {counts}{cap}")),
        Span::styled(state, Modifier::BOLD | Modifier::REVERSED),
    ])
}

/// A pool's threads as cells of `each` columns.
fn cell_rows(
    screen: &Screen,
    node: &NodePicture,
    shown: usize,
    each: usize,
    per_row: usize,
) -> Vec<Vec<Span<'static>>> {
    let cell = |at: usize| {
        let (idle, none) = if screen.look.ascii { ('.', '_') } else { ('\u{b7}', '_') };
        let (sign, style) = match node.threads.get(at).copied().unwrap_or_default() {
            Cell::Absent => (none, paint::faint(screen.look)),
            Cell::Starting => ('+', paint::faint(screen.look)),
            Cell::Idle => (idle, paint::faint(screen.look)),
            Cell::Busy { class, .. } => {
                let sign = &screen.signs[class.index()];
                (sign.letter, paint::cell(sign.tint, screen.look))
            }
        };
        // The gap between two cells belongs to neither.
        let text = match each {
            1 | 2 => sign.to_string(),
            3 => format!("{sign} "),
            _ => format!(" {sign} "),
        };
        [Span::styled(text, style), Span::raw(if each > 1 { " " } else { "" })]
    };
    let all: Vec<usize> = (0..shown).collect();
    all.chunks(per_row).map(|row| row.iter().flat_map(|at| cell(*at)).collect()).collect()
}

/// What the cluster is at: a row for each group, then what its event log said last.
fn cluster(screen: &Screen, width: usize, most: usize) -> Vec<Line<'static>> {
    let (Some(spec), Some(picture)) = (&screen.cluster, &screen.picture.cluster) else { return Vec::new() };
    let mut rows = Vec::new();
    for (at, (group, (state, node))) in spec.groups.iter().zip(&picture.groups).enumerate() {
        let on = node.map_or("no node", |node| spec.nodes[node.index()].as_str());
        let mut text = format!(" {} on {on}: {}", group.name, group_word(*state));
        let mut probe: Option<(Nanos, &str)> = None;
        for (at, resource) in spec.resources.iter().enumerate().filter(|(_, resource)| resource.group.index() == at) {
            let class = screen.probes[at].map(|class| &screen.picture.classes[class]);
            if let Some(class) = class.filter(|class| class.waiting > 0) {
                probe = probe.max(Some((class.oldest, &resource.name)));
            }
            let word = resource_word(picture.resources[at]);
            if word != "online" && resource.kind != ResourceKind::Other {
                text.push_str(&format!("; {} {word}", resource.name));
            }
        }
        if let Some((time, name)) = probe {
            text.push_str(&format!("; a probe of {name} has waited for {time}"));
        }
        rows.push(Line::raw(table::fit(&text, width)));
    }
    let left = most.saturating_sub(rows.len()).max(1);
    for entry in screen.picture.events.iter().rev().take(left).rev() {
        let text = format!(" {:>12} {}", entry.at.to_string(), event_words(entry, spec));
        rows.push(Line::styled(table::fit(&text, width), paint::faint(screen.look)));
    }
    rows.truncate(most);
    rows
}

/// The two values, in the registry and in effect.
fn registry(screen: &Screen, width: usize) -> Vec<Line<'static>> {
    let Some(Values { percent, additional }) = screen.registry[screen.node] else {
        return vec![Line::raw(" this pool does not follow from MaxPercentPoolThreads")];
    };
    let now = screen.in_effect().values.unwrap_or(Values { percent, additional });
    let value = |name: &str, now: u32, then: u32| {
        if now == then { format!(" {name} {now} ") } else { format!(" {name} {now} -> {then} ") }
    };
    let pending = screen.is_pending();
    let style = |changed: bool| if changed { Modifier::BOLD | Modifier::REVERSED } else { Modifier::empty() };
    let mut values = vec![
        Span::styled(value("MaxPercentPoolThreads", now.percent, percent), style(now.percent != percent)),
        Span::styled(
            value("AdditionalPoolThreadsPerProc", now.additional, additional),
            style(now.additional != additional),
        ),
    ];
    if screen.nodes.len() > 1 {
        values.push(Span::raw(format!(" {} (tab)", screen.nodes[screen.node])));
    }
    let about = match (pending, width >= 100) {
        (false, false) => " IIS reads both when IIS Admin starts. k: the KB's values, then r or a",
        (false, true) => {
            " Real IIS reads both when the IIS Admin service starts. k writes the KB's values, r restarts, a applies at once"
        }
        (true, false) => " Not in effect until IIS Admin starts anew: r restarts it; a: at once, a liberty",
        (true, true) => {
            " Not in effect: real IIS reads both when the IIS Admin service starts. r restarts it; a applies at once, a liberty"
        }
    };
    vec![Line::from(values), Line::styled(about, if pending { Modifier::BOLD } else { Modifier::empty() })]
}

fn message(screen: &Screen) -> String {
    match &screen.status.refused {
        Some(why) => format!(" refused: {why}"),
        None if screen.is_restarting() => {
            " IIS Admin restarts: its services are offline, messages wait in their queues".into()
        }
        None => format!(" {}", screen.message),
    }
}

fn keys(screen: &Screen, width: usize) -> Line<'static> {
    let text = match () {
        () if screen.picture.ended => " q quit with the report  ? help",
        () if width >= 110 => {
            " space pause  +/- speed  [ ] percent  { } additional  k KB values  r restart  a apply  up/down load  ? help  q quit"
        }
        () if width >= 76 => " space pause +- speed [ ] { } values k KB r restart a apply up/down load ? q",
        () if width >= COLUMNS_LEAST => " space +- [ ] { } k r a up/down ? q",
        () => " ? q",
    };
    Line::styled(format!("{text:<width$}"), Modifier::REVERSED)
}

fn help(screen: &Screen, width: usize, height: usize) -> Vec<Line<'static>> {
    let mut rows = vec![title(screen, width)];
    let key = |(key, what): &(&str, &str)| {
        Line::from(vec![Span::styled(format!(" {key:>8}  "), Modifier::BOLD), Span::raw((*what).to_string())])
    };
    rows.extend(HELP.iter().map(key));
    rows.push(Line::default());
    let after = screen.starvation_after;
    for text in [
        " A cell is a thread; its letter is the class that it serves.".to_string(),
        format!(" ! starved: somebody of the class waits for {after} or longer."),
        " host late: waits of about that are this computer's; go slower.".to_string(),
        " wait: the longest lately. Its bars: 1, 4, 20, 90, 400 ms, 1.7, 7.4, 32 s.".to_string(),
    ] {
        rows.push(Line::raw(text));
    }
    let letters: Vec<String> =
        screen.order.iter().map(|at| format!("{} {}", screen.signs[*at].letter, screen.signs[*at].name)).collect();
    let mut row = String::new();
    for sign in letters {
        if row.len() + sign.len() + 3 > width && !row.is_empty() {
            rows.push(Line::raw(std::mem::take(&mut row)));
        }
        row.push_str(&format!(" {sign} "));
    }
    rows.push(Line::raw(row));
    rows.truncate(height.saturating_sub(1));
    rows.extend(std::iter::repeat_n(Line::default(), height.saturating_sub(rows.len() + 1)));
    rows.push(Line::styled(format!("{:<width$}", " ? or Esc closes the help"), Modifier::REVERSED));
    rows
}

/// The id of a class by its place.
pub(super) fn class_id(at: usize) -> ClassId {
    ClassId(at as u16)
}
