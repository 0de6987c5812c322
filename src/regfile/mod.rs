//! `.reg` text to registry values and back, in both formats, with unknown keys and values kept.
//!
//! Not the meaning of a value (`policy::registry`) and not a file system: bytes in, bytes out. The parser is our own,
//! since the existing crate (`regashii`) drops lines that it cannot read and knows no positions. Called by `scenario`
//! and `cli`.
//!
//! Comments are not kept. What `regedit` would not import is reported, and its value is not set.

mod apply;
mod decode;
mod parse;
mod write;

use crate::policy::registry::Registry;
use crate::problem::{Place, Problem, SourceText};
use std::ops::Range;
use std::sync::Arc;

/// The two formats of `.reg` files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `REGEDIT4`: ANSI (Windows-1252 here), of Windows NT 4.0 and 98.
    // ATQ: KB 310516.
    Regedit4,
    /// `Windows Registry Editor Version 5.00`: UTF-16LE with a byte order mark, since Windows 2000.
    // ATQ: KB 310516.
    Version5,
}

impl Format {
    /// The first line of a file.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Format::Regedit4 => "REGEDIT4",
            Format::Version5 => "Windows Registry Editor Version 5.00",
        }
    }
}

/// A read registry file: its sections in file order.
#[derive(Clone, Debug, Default)]
pub struct RegFile {
    source: Option<Arc<SourceText>>,
    sections: Vec<Section>,
}

/// One `[key]` and the values below it.
#[derive(Clone, Debug)]
pub struct Section {
    /// The key as it is written, hive first; not empty, without line ends.
    pub key: String,
    /// Whether it is `[-key]`: the key and all below it are deleted.
    pub delete: bool,
    /// Its values in file order.
    pub values: Vec<Entry>,
    span: Range<usize>,
}

/// One value of a section.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value's name; empty for the key's default value (`@`).
    pub name: String,
    /// What it is set to.
    pub data: Data,
    span: Range<usize>,
}

/// The data of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// `REG_SZ`, without line ends and NUL.
    Text(String),
    /// `REG_DWORD`.
    Dword(u32),
    /// Any type as bytes: `hex:` is type 3. Strings (types 1, 2 and 7) are UTF-16LE in either format.
    Hex(u32, Vec<u8>),
    /// `-`: the value is deleted.
    Delete,
}

// Two files are equal where they say the same; where in a text they say it does not matter.
impl PartialEq for RegFile {
    fn eq(&self, other: &RegFile) -> bool {
        self.sections == other.sections
    }
}

impl PartialEq for Section {
    fn eq(&self, other: &Section) -> bool {
        self.key == other.key && self.delete == other.delete && self.values == other.values
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.name == other.name && self.data == other.data
    }
}

/// Reads a file's `bytes`; `name` is how problems call it. What can be read is read, whatever else is wrong.
///
/// A problem is an error where `regedit` would refuse the file, where a line cannot be told to be a value at all, and
/// where a value of the emulated pool is unreadable; it is a warning for the data of other values.
#[must_use]
pub fn read(bytes: &[u8], name: &str) -> (RegFile, Vec<Problem>) {
    let decoded = match decode::decode(bytes, name) {
        Ok(decoded) => decoded,
        Err(problem) => return (RegFile::default(), vec![*problem]),
    };
    let source = Arc::new(SourceText { name: name.to_string(), text: decoded.text });
    let (sections, found) = parse::parse(&source, decoded.ansi);
    let mut problems = decoded.problems;
    problems.extend(found);
    (RegFile { source: Some(source), sections }, problems)
}

impl RegFile {
    /// A file that sets what is present in `registry`, and nothing else.
    #[must_use]
    pub fn from_registry(registry: &Registry) -> RegFile {
        let mut file = RegFile::default();
        for (id, setting) in registry.iter() {
            let value = id.value();
            let key = format!(r"HKEY_LOCAL_MACHINE\{}", value.key);
            let entry = Entry { name: value.name.to_string(), data: Data::Dword(setting.data), span: 0..0 };
            match file.sections.iter_mut().find(|section| section.key == key) {
                Some(section) => section.values.push(entry),
                None => file.sections.push(Section { key, delete: false, values: vec![entry], span: 0..0 }),
            }
        }
        file
    }

    /// The sections, in file order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The file's bytes in `format`, as `regedit` takes them. In [`Format::Regedit4`], characters that Windows-1252
    /// lacks become `?`.
    #[must_use]
    pub fn write(&self, format: Format) -> Vec<u8> {
        write::write(self, format)
    }

    /// Where `span` is, for a problem.
    fn place(&self, span: &Range<usize>) -> Place {
        match &self.source {
            Some(source) => Place::Span(source.clone(), span.clone()),
            None => Place::Named("registry file".into()),
        }
    }
}

#[cfg(test)]
mod tests;
