//! What a section of a report is made of: lines of text and tables, in their order, before anybody lays them out.
//!
//! Not a format: `text` breaks blocks into lines of a width, `html` writes them as elements. So that both tell the same,
//! each section is made once.

use super::format::{Tone, toned, wrap};
use super::table::{Grid, Sheet};

/// One part of a section.
#[derive(Debug)]
pub(super) enum Block {
    /// A line or a paragraph; what stands before it, and itself.
    Text(String, String),
    /// Figures.
    Grid(Grid),
    /// Facts.
    Sheet(Sheet),
    /// An empty line.
    Gap,
}

/// A section's parts; none where there is nothing to tell.
#[derive(Debug, Default)]
pub(super) struct Blocks(pub(super) Vec<Block>);

impl Blocks {
    /// Nothing yet.
    pub(super) fn new() -> Blocks {
        Blocks::default()
    }

    /// A line after `lead`.
    pub(super) fn line(&mut self, lead: &str, text: &str) {
        self.0.push(Block::Text(lead.to_string(), text.to_string()));
    }

    /// A remark of second rank.
    pub(super) fn note(&mut self, text: &str) {
        self.line("", &toned(Tone::Faint, text));
    }

    /// `label: a, b, c` as a remark; nothing for no names.
    pub(super) fn listed(&mut self, label: &str, names: &[String]) {
        if !names.is_empty() {
            self.note(&format!("{label}: {}", names.join(", ")));
        }
    }

    /// A table of figures.
    pub(super) fn grid(&mut self, grid: Grid) {
        self.0.push(Block::Grid(grid));
    }

    /// A table of facts.
    pub(super) fn sheet(&mut self, sheet: Sheet) {
        self.0.push(Block::Sheet(sheet));
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.0.push(Block::Gap);
    }

    /// Everything of another.
    pub(super) fn append(&mut self, mut other: Blocks) {
        self.0.append(&mut other.0);
    }

    /// As lines of at most `width`.
    pub(super) fn text(&self, width: usize) -> String {
        let parts = self.0.iter().map(|block| match block {
            Block::Text(lead, text) => wrap(lead, text, width),
            Block::Grid(grid) => grid.render(width),
            Block::Sheet(sheet) => sheet.render(width),
            Block::Gap => "\n".to_string(),
        });
        parts.collect()
    }
}
