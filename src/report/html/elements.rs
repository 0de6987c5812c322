//! Blocks as elements of the page.
//!
//! Everything that comes from a user is escaped here. Not the page itself (`html`). Called by it.

use minijinja::HtmlEscape;

use super::super::Report;
use super::super::blocks::{Block, Blocks};
use super::super::format::{END, MARKS, Tone, plain, words};
use super::super::table::{Grid, Sheet};

/// The variants' names, by which a column knows whose it is.
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn of(report: &Report) -> Names {
        Names(report.variants.iter().map(|variant| plain(&variant.plan.variant)).collect())
    }

    /// The attribute by which a column is hidden with its variant; nothing for a column of none, or of the only one.
    fn attribute(&self, name: &str) -> String {
        let bare = bare(name);
        let found = self.0.iter().position(|variant| *variant == bare).filter(|_| self.0.len() > 1);
        found.map_or(String::new(), |at| format!(" data-variant=\"{at}\""))
    }
}

/// A text in which a number and its unit stay on one line.
pub(super) fn unbroken(text: &str) -> String {
    let words: Vec<String> = words(text).iter().map(|word| word.replace(' ', "\u{a0}")).collect();
    words.join(" ")
}

/// A text without its tones.
pub(super) fn bare(text: &str) -> String {
    plain(text).trim().to_string()
}

/// A text with its tones as spans, escaped.
fn marked(text: &str) -> String {
    let mut out = String::new();
    let mut piece = String::new();
    let flush = |out: &mut String, piece: &mut String| {
        out.push_str(&HtmlEscape(piece).to_string());
        piece.clear();
    };
    for c in unbroken(text).chars() {
        if let Some((_, tone)) = MARKS.iter().find(|(mark, _)| *mark == c) {
            flush(&mut out, &mut piece);
            let class = match tone {
                Tone::Bad => "bad",
                Tone::Good => "good",
                Tone::Strong => "strong",
                Tone::Faint => "faint",
            };
            out.push_str(&format!("<span class=\"{class}\">"));
        } else if c == END {
            flush(&mut out, &mut piece);
            out.push_str("</span>");
        } else {
            piece.push(c);
        }
    }
    flush(&mut out, &mut piece);
    out
}

/// All blocks of a section called `title`; nothing for none.
pub(super) fn elements(blocks: &Blocks, title: &str, names: &Names) -> String {
    let mut out = String::new();
    let mut in_list = false;
    for block in &blocks.0 {
        let item = matches!(block, Block::Text(lead, _) if lead == "- ");
        if item != in_list {
            out.push_str(if item { "<ul>\n" } else { "</ul>\n" });
            in_list = item;
        }
        match block {
            Block::Text(_, text) if item => out.push_str(&format!("<li>{}</li>\n", marked(text))),
            Block::Text(lead, text) if lead.trim().is_empty() => out.push_str(&format!("<p>{}</p>\n", marked(text))),
            Block::Text(lead, text) => out.push_str(&format!("<p><b>{}</b> {}</p>\n", marked(lead), marked(text))),
            Block::Grid(grid) => out.push_str(&table_of(title, "figures-table", &grid_rows(grid, names))),
            Block::Sheet(sheet) => out.push_str(&table_of(title, "facts-table", &sheet_rows(sheet, names))),
            Block::Gap => {}
        }
    }
    if in_list {
        out.push_str("</ul>\n");
    }
    out
}

/// A table that can be scrolled by keyboard where it is wider than the window.
fn table_of(title: &str, class: &str, rows: &str) -> String {
    let label = HtmlEscape(title);
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}, table\"><table class=\"{class}\">\n{rows}</table></div>\n"
    )
}

fn grid_rows(grid: &Grid, names: &Names) -> String {
    let several = grid.groups.len() > 1;
    let mut out = String::from("<thead><tr>");
    let corner = marked(&grid.corner);
    // A group's columns go with its variant; where there is one group, a figure may be a variant.
    let attribute = |group: usize, figure: usize| match several {
        true => names.attribute(&grid.groups[group]),
        false => names.attribute(&grid.figures[figure]),
    };
    if several {
        out.push_str(&format!("<th scope=\"col\" rowspan=\"2\">{corner}</th>"));
        for group in &grid.groups {
            let (span, attribute) = (grid.figures.len(), names.attribute(group));
            out.push_str(&format!("<th scope=\"colgroup\" colspan=\"{span}\"{attribute}>{}</th>", marked(group)));
        }
        out.push_str("</tr>\n<tr>");
    } else {
        out.push_str(&format!("<th scope=\"col\">{corner}</th>"));
    }
    for group in 0..grid.groups.len() {
        for (at, figure) in grid.figures.iter().enumerate() {
            out.push_str(&format!("<th scope=\"col\"{}>{}</th>", attribute(group, at), marked(figure)));
        }
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (name, groups) in grid.rows.iter().zip(&grid.cells) {
        let class = if name.starts_with(' ') { " class=\"under\"" } else { "" };
        out.push_str(&format!("<tr><th scope=\"row\"{class}>{}</th>", marked(name)));
        for (group, cells) in groups.iter().enumerate() {
            for (at, cell) in cells.iter().enumerate() {
                out.push_str(&format!("<td{}>{}</td>", attribute(group, at), marked(cell)));
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n");
    out
}

fn sheet_rows(sheet: &Sheet, names: &Names) -> String {
    let mut out = String::from("<thead><tr><td></td>");
    for name in &sheet.names {
        out.push_str(&format!("<th scope=\"col\"{}>{}</th>", names.attribute(name), marked(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (label, cells) in &sheet.facts {
        let class = if label.starts_with(' ') { " class=\"under\"" } else { "" };
        out.push_str(&format!("<tr><th scope=\"row\"{class}>{}</th>", marked(label)));
        for (name, cell) in sheet.names.iter().zip(cells) {
            out.push_str(&format!("<td class=\"fact\"{}>{}</td>", names.attribute(name), marked(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n");
    out
}
