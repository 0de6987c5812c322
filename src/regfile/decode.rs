//! From the bytes of a `.reg` file to text, and single characters to ANSI.
//!
//! Not the parser: what a line means is in `parse.rs`. Called by `super::read` and `write.rs`.

use super::Format;
use crate::problem::{Place, Problem};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The longest file that is read, in bytes. A whole exported hive is longer, and is not what this is for.
pub(super) const FILE_BYTES_MOST: usize = 16 * 1024 * 1024;

/// A decoded file.
pub(super) struct Decoded {
    /// The text without a byte order mark.
    pub(super) text: String,
    /// Whether it is a `REGEDIT4` file, whose `hex(2)` data are ANSI.
    pub(super) ansi: bool,
    /// What was odd about the encoding.
    pub(super) problems: Vec<Problem>,
}

/// The text of `bytes`, or the one problem that forbids reading on.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Decoded, Box<Problem>> {
    let place = || Place::Named(name.to_string());
    let refuse = |message: String, remedy: &str| Err(Box::new(Problem::error(place(), message, remedy)));
    if bytes.len() > FILE_BYTES_MOST {
        let message = format!("the file has {} bytes, and at most {FILE_BYTES_MOST} are read", bytes.len());
        return refuse(message, "export only the keys in question");
    }
    let (encoding, guessed) = encoding(bytes);
    let (text, _, replaced) = encoding.decode(bytes);
    let text = text.into_owned();
    if text.trim().is_empty() {
        let remedy = "export it again with regedit, or write a file that begins with \
                      `Windows Registry Editor Version 5.00`";
        return refuse("the file is empty".into(), remedy);
    }
    if is_binary(&text) {
        let remedy = "give a .reg file as regedit exports it; a registry hive has to be exported first";
        return refuse("this is no text, and so no .reg file".into(), remedy);
    }
    let ansi = first_line(&text).eq_ignore_ascii_case(Format::Regedit4.header());
    let mut problems = Vec::new();
    if replaced {
        let message = format!("some bytes are not {}, and were read as U+FFFD", encoding.name());
        problems.push(Problem::warning(place(), message, "save it again as Unicode (UTF-16LE)"));
    }
    if guessed == Guess::Utf16WithoutMark {
        let message = "the file is UTF-16 without a byte order mark";
        problems.push(Problem::warning(place(), message, "save it as Unicode with a byte order mark"));
    }
    if guessed == Guess::AnsiThoughUtf8 {
        let message = "the file is marked REGEDIT4, which is ANSI, and looks like UTF-8";
        let remedy = "save it as ANSI, or begin it with `Windows Registry Editor Version 5.00`";
        problems.push(Problem::warning(place(), message, remedy));
    }
    Ok(Decoded { text, ansi, problems })
}

/// The byte of `c` in Windows-1252, or `?` where it has none, which is what Windows writes.
pub(super) fn ansi_byte(c: char) -> u8 {
    let mut buffer = [0; 4];
    match WINDOWS_1252.encode(c.encode_utf8(&mut buffer)) {
        (bytes, _, false) => bytes.first().copied().unwrap_or(b'?'),
        _ => b'?',
    }
}

/// Windows-1252 bytes as UTF-16LE bytes. Every byte has a character, so nothing is lost.
pub(super) fn ansi_to_utf16(bytes: &[u8]) -> Vec<u8> {
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    utf16(&text)
}

/// `text` as UTF-16LE bytes.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-16LE bytes as Windows-1252 bytes, with `?` for what it lacks.
pub(super) fn utf16_to_ansi(bytes: &[u8]) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.map_or(b'?', ansi_byte)).collect()
}

/// What was odd when the encoding was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    Nothing,
    Utf16WithoutMark,
    AnsiThoughUtf8,
}

/// The encoding of `bytes`: by its mark; without one, ANSI for `REGEDIT4`, else UTF-8 where that is valid.
fn encoding(bytes: &[u8]) -> (&'static Encoding, Guess) {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return (encoding, Guess::Nothing);
    }
    // Every known first line is ASCII, so a NUL as the first or second byte is half of a UTF-16 unit.
    match bytes {
        [first, 0, ..] if *first != 0 => return (UTF_16LE, Guess::Utf16WithoutMark),
        [0, second, ..] if *second != 0 => return (UTF_16BE, Guess::Utf16WithoutMark),
        _ => {}
    }
    let utf8 = std::str::from_utf8(bytes).is_ok();
    let head = &bytes[..bytes.len().min(1024)];
    if first_line(&String::from_utf8_lossy(head)).eq_ignore_ascii_case(Format::Regedit4.header()) {
        let guess = if utf8 && !bytes.is_ascii() { Guess::AnsiThoughUtf8 } else { Guess::Nothing };
        return (WINDOWS_1252, guess);
    }
    (if utf8 { UTF_8 } else { WINDOWS_1252 }, Guess::Nothing)
}

/// The first line that is neither blank nor a comment, trimmed.
fn first_line(text: &str) -> &str {
    text.split(['\r', '\n']).map(str::trim).find(|line| !line.is_empty() && !line.starts_with(';')).unwrap_or("")
}

/// Whether more than one of sixteen characters is a control character or a replacement.
fn is_binary(text: &str) -> bool {
    let odd = |c: &char| (c.is_control() && !matches!(c, '\r' | '\n' | '\t')) || *c == '\u{FFFD}';
    let (mut count, mut odd_count) = (0_usize, 0_usize);
    for c in text.chars().take(65_536) {
        count += 1;
        odd_count += usize::from(odd(&c));
    }
    odd_count * 16 > count
}
