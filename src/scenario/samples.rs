//! Empirical distributions: a column of times, or of bytes, in a CSV file that a scenario names.
//!
//! Not a trace (those are logs with moments, see `workload`). Called by `service_time.rs`.

use std::sync::Arc;

use super::walk::{Fields, TIME_MOST, Walk, parse_time};
use crate::problem::{Place, Problem, nearest};
use crate::time::Nanos;

/// The most values of one distribution.
const VALUES_MOST: usize = 1_000_000;
/// The most wrong cells that are told of one file.
const WRONG_MOST: usize = 10;
/// What the end of a column's name says about plain numbers in it.
const UNITS: [(&str, f64); 4] = [("_ns", 1.0), ("_us", 1e3), ("_ms", 1e6), ("_s", 1e9)];

/// The values that the fields `csv` and `column` name: times, or bytes as nanoseconds.
pub(super) fn empirical(fields: &mut Fields<'_, '_>, are_bytes: bool) -> Option<Arc<[Nanos]>> {
    let walk = fields.walk;
    let csv = fields.need("csv", "name the CSV file with the values");
    let column = fields.take("column");
    let column_name = fields.path("column");
    let column = match column {
        Some(node) => Some(walk.text(node, &column_name)?.to_string()),
        None => None,
    };
    let csv = csv?;
    let file = walk.text(csv, &fields.path("csv"))?;
    let key =
        (file.to_string(), format!("{}{}", if are_bytes { "bytes:" } else { "" }, column.clone().unwrap_or_default()));
    let known = walk.samples.borrow().get(&key).cloned();
    if let Some(values) = known {
        return values;
    }
    let values = match walk.base.read(file) {
        Ok(bytes) => read(walk, file, &bytes, column.as_deref(), are_bytes),
        Err(why) => {
            walk.error(&csv.origin, format!("`{file}` {why}"), "file names are relative to the scenario's directory");
            None
        }
    };
    walk.samples.borrow_mut().insert(key, values.clone());
    values
}

/// The values of a column (the first one where none is named).
fn read(walk: &Walk<'_>, file: &str, bytes: &[u8], column: Option<&str>, are_bytes: bool) -> Option<Arc<[Nanos]>> {
    let refuse = |line: u64, message: String, remedy: &str| {
        walk.note(Problem::error(Place::Line(file.to_string(), line), message, remedy));
    };
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(bytes);
    let (at, name) = match reader.headers() {
        Ok(headers) => match column {
            None => (0, headers.get(0).unwrap_or("").to_string()),
            Some(column) => match headers.iter().position(|name| name == column) {
                Some(at) => (at, column.to_string()),
                None => {
                    let known: Vec<&str> = headers.iter().collect();
                    let remedy = match nearest(column, known.iter().copied()) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => format!("its columns are {}", known.join(", ")),
                    };
                    refuse(1, format!("there is no column `{column}`"), &remedy);
                    return None;
                }
            },
        },
        Err(error) => {
            refuse(1, format!("this is no CSV ({error})"), "write a line of column names, then one row a value");
            return None;
        }
    };
    let unit = UNITS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, ns)| *ns);
    let mut values = Vec::new();
    let mut wrong = 0;
    for row in reader.records() {
        let line = |position: Option<&csv::Position>| position.map_or(0, csv::Position::line);
        let (line, cell) = match &row {
            Ok(row) => (line(row.position()), row.get(at).unwrap_or("")),
            Err(error) => (line(error.position()), ""),
        };
        let value = if are_bytes { size(cell) } else { time(cell, unit) };
        match value {
            Some(value) if values.len() < VALUES_MOST => values.push(value),
            Some(_) => {
                refuse(line, format!("there are more than {VALUES_MOST} values"), "remove some");
                return None;
            }
            None if wrong < WRONG_MOST => {
                wrong += 1;
                let found = super::tree::shortened(cell);
                let (what, remedy) = if are_bytes {
                    ("number of bytes", "write a whole number like 26624")
                } else {
                    ("time", "write a time like `12ms`, or end the column's name in _ns, _us, _ms or _s")
                };
                refuse(line, format!("`{found}` in column `{name}` is no {what}"), remedy);
            }
            None => return None,
        }
    }
    if values.is_empty() && wrong == 0 {
        refuse(1, "there are no values".to_string(), "give at least one row below the column names");
    }
    (!values.is_empty() && wrong == 0).then(|| Arc::from(values))
}

/// A byte is a nanosecond.
fn size(cell: &str) -> Option<Nanos> {
    cell.parse::<u64>().ok().filter(|bytes| *bytes <= super::service_time::BYTES_MOST).map(Nanos)
}

fn time(cell: &str, unit: Option<f64>) -> Option<Nanos> {
    let number = unit.and_then(|unit| cell.parse::<f64>().ok().map(|x| x * unit));
    match number {
        Some(ns) => (0.0..=TIME_MOST.0 as f64).contains(&ns).then(|| Nanos::from_f64(ns)),
        None => parse_time(cell).filter(|time| *time <= TIME_MOST),
    }
}
