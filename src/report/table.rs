//! Two kinds of table that fit a width: figures of rows and variants ([`Grid`]), and facts of variants ([`Sheet`]).
//!
//! Not the content of either. Called by `text` and `explain`. Nothing is ever cut off: what does not fit side by side
//! goes below, and what does not fit then is broken into lines.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};

use super::format::{Tone, columns, toned};

/// Figures: for each row and each group (variant) the same list of figures.
#[derive(Debug)]
pub(super) struct Grid {
    /// What the rows are.
    pub(super) corner: String,
    /// Names of the rows.
    pub(super) rows: Vec<String>,
    /// What the groups are, where they become rows.
    pub(super) grouping: String,
    /// Names of the groups.
    pub(super) groups: Vec<String>,
    /// Names of the figures.
    pub(super) figures: Vec<String>,
    /// Row, then group, then figure.
    pub(super) cells: Vec<Vec<Vec<String>>>,
}

impl Grid {
    /// Without the figures for which `needless` holds in every row and group, unless none would be left.
    pub(super) fn without(mut self, needless: impl Fn(usize, &str) -> bool) -> Grid {
        let kept: Vec<usize> = (0..self.figures.len())
            .filter(|at| !self.cells.iter().flatten().all(|figures| needless(*at, &figures[*at])))
            .collect();
        if kept.is_empty() {
            return self;
        }
        self.figures = kept.iter().map(|at| self.figures[*at].clone()).collect();
        for figures in self.cells.iter_mut().flatten() {
            *figures = kept.iter().map(|at| std::mem::take(&mut figures[*at])).collect();
        }
        self
    }

    /// Lines of at most `width`: groups side by side where they fit, else one below the other in each row.
    pub(super) fn render(&self, width: usize) -> String {
        if let Some(text) = self.beside().filter(|text| fits(text, width)) {
            return text;
        }
        for together in (1..=self.figures.len()).rev() {
            let starts = (0..self.figures.len()).step_by(together);
            let parts: Vec<String> =
                starts.map(|at| self.below(at..(at + together).min(self.figures.len()), None)).collect();
            if parts.iter().all(|part| fits(part, width)) {
                return parts.join("\n");
            }
        }
        let parts: Vec<String> = (0..self.figures.len()).map(|at| self.below(at..at + 1, Some(width))).collect();
        parts.join("\n")
    }

    /// Groups as column groups under their names; `None` where a name is wider than its columns.
    fn beside(&self) -> Option<String> {
        let mut table = new_table(None);
        let mut header = vec![self.corner.clone()];
        self.groups.iter().for_each(|_| header.extend(self.figures.iter().cloned()));
        let widths: Vec<usize> = (0..self.groups.len() * self.figures.len())
            .map(|at| {
                let (group, figure) = (at / self.figures.len(), at % self.figures.len());
                let cells = self.cells.iter().map(|row| columns(&row[group][figure]));
                cells.max().unwrap_or(0).max(columns(&self.figures[figure]))
            })
            .collect();
        table.set_header(header);
        for (name, groups) in self.rows.iter().zip(&self.cells) {
            table.add_row(std::iter::once(name.clone()).chain(groups.iter().flatten().cloned()));
        }
        let gap = |at: usize| if at.is_multiple_of(self.figures.len()) { 4 } else { 2 };
        style_columns(&mut table, 1, |at| gap(at - 1));
        let text = finish(&table);
        if self.groups.len() == 1 {
            return Some(text);
        }
        let first = self.rows.iter().map(|row| columns(row)).max().unwrap_or(0).max(columns(&self.corner));
        let mut names = " ".repeat(first);
        for (at, name) in self.groups.iter().enumerate() {
            let group = &widths[at * self.figures.len()..(at + 1) * self.figures.len()];
            let span = group.iter().sum::<usize>() + 2 * (group.len() - 1);
            let dashes = span.checked_sub(columns(name) + 2)?;
            let line = format!("{} {name} {}", "─".repeat(dashes / 2), "─".repeat(dashes - dashes / 2));
            names.push_str("    ");
            names.push_str(&toned(Tone::Strong, &line));
        }
        Some(format!("{names}\n{text}"))
    }

    /// Some of the figures, groups as rows.
    fn below(&self, figures: std::ops::Range<usize>, width: Option<usize>) -> String {
        let several = self.groups.len() > 1;
        let mut table = new_table(width);
        let mut header = vec![self.corner.clone()];
        if several {
            header.push(self.grouping.clone());
        }
        header.extend(self.figures[figures.clone()].iter().cloned());
        table.set_header(header);
        for (name, groups) in self.rows.iter().zip(&self.cells) {
            for (at, (group, cells)) in self.groups.iter().zip(groups).enumerate() {
                let mut line = vec![if at == 0 { name.clone() } else { String::new() }];
                if several {
                    line.push(group.clone());
                }
                line.extend(cells[figures.clone()].iter().cloned());
                table.add_row(line);
            }
        }
        style_columns(&mut table, if several { 2 } else { 1 }, |_| 2);
        finish(&table)
    }
}

/// Facts: one row a fact, one column a variant.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Names of the columns.
    pub(super) names: Vec<String>,
    /// Each fact's label and its text in each column.
    pub(super) facts: Vec<(String, Vec<String>)>,
}

impl Sheet {
    /// Least width of a column whose texts have to be broken into lines.
    const LEAST: usize = 26;

    /// One more fact.
    pub(super) fn add(&mut self, label: impl Into<String>, cells: Vec<String>) {
        self.facts.push((label.into(), cells));
    }

    /// Lines of at most `width`: as many columns side by side as fit, the others below.
    pub(super) fn render(&self, width: usize) -> String {
        let all = self.names.len();
        let label = self.facts.iter().map(|(label, _)| columns(label)).max().unwrap_or(0).min(width / 2);
        for together in (1..=all).rev() {
            let chunks = || (0..all).step_by(together).map(|at| at..(at + together).min(all));
            let natural: Vec<String> = chunks().map(|columns| self.part(columns, None)).collect();
            if natural.iter().all(|part| fits(part, width)) {
                return natural.join("\n");
            }
            if together == 1 || width.saturating_sub(label) / together >= Sheet::LEAST {
                let parts: Vec<String> = chunks().map(|columns| self.part(columns, Some(width))).collect();
                return parts.join("\n");
            }
        }
        String::new()
    }

    fn part(&self, range: std::ops::Range<usize>, width: Option<usize>) -> String {
        let mut table = new_table(width);
        let names = self.names[range.clone()].iter().map(|name| toned(Tone::Strong, name));
        table.set_header(std::iter::once(String::new()).chain(names));
        for (label, cells) in &self.facts {
            table.add_row(std::iter::once(label.clone()).chain(cells[range.clone()].iter().cloned()));
        }
        style_columns(&mut table, usize::MAX, |_| 2);
        finish(&table)
    }
}

fn new_table(width: Option<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

/// Columns from `figures` on are aligned right; `gap` is the space before a column.
fn style_columns(table: &mut Table, figures: usize, gap: impl Fn(usize) -> u16) {
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 0 } else { gap(at) }, 0));
        if at >= figures {
            column.set_cell_alignment(CellAlignment::Right);
            // Names are broken into lines before figures are.
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

fn finish(table: &Table) -> String {
    let mut out = String::new();
    for line in table.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn fits(text: &str, width: usize) -> bool {
    text.lines().all(|line| columns(line) <= width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(groups: &[&str]) -> Grid {
        let cell = |group: &str| vec![format!("{}1", group.len()), "2".to_string()];
        Grid {
            corner: "service".into(),
            rows: vec!["pop3".into(), "imap4".into()],
            grouping: "variant".into(),
            groups: groups.iter().map(|g| (*g).to_string()).collect(),
            figures: vec!["served".into(), "lost".into()],
            cells: vec![groups.iter().map(|g| cell(g)).collect(); 2],
        }
    }

    #[test]
    fn groups_stand_side_by_side_where_they_fit() {
        let wide = grid(&["untuned", "tuned"]).render(60);
        let lines: Vec<&str> = wide.lines().collect();
        assert!(lines[0].contains("untuned") && lines[0].contains(" tuned"), "{wide}");
        assert_eq!(lines.len(), 5, "{wide}");
        let narrow = grid(&["untuned", "tuned"]).render(32);
        assert!(narrow.contains("variant") && fits(&narrow, 32), "{narrow}");
        assert_eq!(narrow.lines().count(), 6, "{narrow}");
        let narrowest = grid(&["untuned", "tuned"]).render(25);
        assert!(narrowest.contains("served") && narrowest.contains("lost"), "{narrowest}");
    }

    #[test]
    fn needless_figures_go() {
        let kept = grid(&["a"]).without(|_, cell| cell == "2");
        assert_eq!(kept.figures, ["served"]);
        assert_eq!(grid(&["a"]).without(|_, _| true).figures.len(), 2);
    }

    #[test]
    fn sheets_break_texts_into_lines_and_put_columns_below() {
        let mut sheet = Sheet { names: vec!["untuned".into(), "tuned".into()], facts: Vec::new() };
        sheet.add("how", vec!["2 processors x (4 + 6) = 20 threads of the pool".into(); 2]);
        for width in [40, 60, 90, 200] {
            let text = sheet.render(width);
            assert!(fits(&text, width), "{width}:\n{text}");
            assert_eq!(text.matches("processors").count(), 2, "{width}:\n{text}");
        }
    }
}
