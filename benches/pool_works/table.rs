//! Plain text tables of the benches.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

/// Prints a table: the first column to the left, the others to the right.
pub(crate) fn show(head: Vec<String>, rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
    table.set_header(head).add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 0 } else { 2 }, 0));
        if at > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}\n");
}

/// Three digits or so; two of a small part.
pub(crate) fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{figure:.2}"),
        size if size < 1e-6 => format!("{figure:.0e}"),
        size => format!("{figure:.*}", 1 + (-size.log10()).ceil() as usize),
    }
}
