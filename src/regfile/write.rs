//! A [`RegFile`] as the bytes of a `.reg` file.
//!
//! Not the choice of what to write: that is the file's. Called by `RegFile::write`.

use super::decode::{ansi_byte, utf16, utf16_to_ansi};
use super::{Data, Entry, Format, RegFile};
use std::fmt::Write as _;

/// Where a line of hex data is broken, in characters, as regedit does it.
const LINE_WIDTH: usize = 77;

/// The file's bytes in `format`: the header, a blank line, and each section followed by a blank line; lines end in
/// CR LF.
pub(super) fn write(file: &RegFile, format: Format) -> Vec<u8> {
    let mut text = format!("{}\r\n\r\n", format.header());
    for section in &file.sections {
        let minus = if section.delete { "-" } else { "" };
        let _ = write!(text, "[{minus}{}]\r\n", section.key);
        for entry in &section.values {
            write_entry(&mut text, entry, format);
        }
        text.push_str("\r\n");
    }
    match format {
        Format::Regedit4 => text.chars().map(ansi_byte).collect(),
        Format::Version5 => [0xFF, 0xFE].into_iter().chain(utf16(&text)).collect(),
    }
}

fn write_entry(text: &mut String, entry: &Entry, format: Format) {
    let start = text.len();
    if entry.name.is_empty() {
        text.push('@');
    } else {
        let _ = write!(text, "\"{}\"", escaped(&entry.name));
    }
    text.push('=');
    match &entry.data {
        Data::Text(string) => {
            let _ = write!(text, "\"{}\"", escaped(string));
        }
        Data::Dword(data) => {
            let _ = write!(text, "dword:{data:08x}");
        }
        Data::Hex(3, bytes) => write_hex(text, start, "hex:", bytes),
        Data::Hex(kind @ (1 | 2 | 7), bytes) if format == Format::Regedit4 => {
            write_hex(text, start, &format!("hex({kind:x}):"), &utf16_to_ansi(bytes));
        }
        Data::Hex(kind, bytes) => write_hex(text, start, &format!("hex({kind:x}):"), bytes),
        Data::Delete => text.push('-'),
    }
    text.push_str("\r\n");
}

/// Appends `bytes`, broken into lines. `start` is where the entry begins in `text`.
fn write_hex(text: &mut String, start: usize, prefix: &str, bytes: &[u8]) {
    text.push_str(prefix);
    let mut column = text.len() - start;
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(',');
            column += 1;
            if column >= LINE_WIDTH {
                text.push_str("\\\r\n  ");
                column = 2;
            }
        }
        let _ = write!(text, "{byte:02x}");
        column += 2;
    }
}

fn escaped(string: &str) -> String {
    string.replace('\\', r"\\").replace('"', "\\\"")
}
