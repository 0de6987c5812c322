//! `registry`: the table of values, or what an export sets.

use std::path::Path;

use comfy_table::{Cell, Table, TableStyle};

use super::args::TableFormat;
use super::exit::Exit;
use super::load;
use super::output::print;
use crate::policy::assumptions::Assumptions;
use crate::policy::registry::{TABLE, markdown_table};
use crate::regfile;

/// `atqsim registry [FILE.reg]`.
pub(super) fn registry(file: Option<&Path>, format: TableFormat) -> anyhow::Result<Exit> {
    if let Some(file) = file {
        return read(file);
    }
    let text = match format {
        TableFormat::Markdown => markdown_table(),
        TableFormat::Text => {
            let mut text = String::new();
            let mut key = "";
            for value in TABLE {
                if value.key != key {
                    key = value.key;
                    text += &format!("\nHKLM\\{key}\n");
                }
                let used = match (value.modelled, value.limit) {
                    (true, _) => "used by the emulated pool".to_string(),
                    (false, Some(limit)) => format!("used where a scenario has {limit}"),
                    (false, None) => "known, not used".to_string(),
                };
                text += &format!("  {}  ({used})\n", value.name);
                if !value.aliases.is_empty() {
                    text += &format!("      also written {}\n", value.aliases.join(", "));
                }
                text += &format!(
                    "      default {}, range {}, {}\n      {}\n      source: {}\n",
                    value.default_text(),
                    value.range_text(),
                    value.unit,
                    value.meaning,
                    value.source
                );
            }
            text.trim_start_matches('\n').to_string()
        }
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn read(file: &Path) -> anyhow::Result<Exit> {
    let assumptions = Assumptions::default();
    let bytes = match load::read_file(file) {
        Ok(bytes) => bytes,
        Err(problem) => {
            load::show(&[problem]);
            return Ok(Exit::BadInput);
        }
    };
    let (parsed, mut found) = regfile::read(&bytes, &file.display().to_string());
    let (registry, more) = parsed.registry(&assumptions);
    found.extend(more);
    found.extend(registry.check(&assumptions));
    let bad = load::show(&found);
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    for (id, setting) in registry.iter() {
        let value = id.value();
        let used = match (value.modelled, value.limit) {
            (true, _) => "used".to_string(),
            (false, Some(limit)) => format!("used where a scenario has {limit}"),
            (false, None) => "not used by the emulated pool".to_string(),
        };
        table.add_row([
            Cell::new(value.name),
            Cell::new(format!("{} (0x{:X})", setting.data, setting.data)),
            Cell::new(used),
            Cell::new(setting.origin()),
        ]);
    }
    if registry.is_empty() {
        print("no known value is set\n")?;
    } else {
        print(&format!("{table}\n"))?;
    }
    Ok(if bad { Exit::BadInput } else { Exit::Done })
}
