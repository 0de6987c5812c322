//! From the text of a `.reg` file to sections and values, with every defect at its line.
//!
//! Not the encoding (`decode.rs`) and not what a value means to the pool (`apply.rs`). Called by `super::read`.
//!
//! Tolerated without a word, because published samples have it: indented lines, missing or extra blank lines, any
//! case of letters in `dword` and `hex`, comments after a value.

use super::decode::ansi_to_utf16;
use super::{Data, Entry, Format, Section};
use crate::policy::registry::find_by_name;
use crate::problem::{Place, Problem, Severity, SourceText};
use std::ops::Range;
use std::sync::Arc;

/// The longest line that is read, in bytes of UTF-8.
pub(super) const LINE_BYTES_MOST: usize = 65_536;
/// The most problems that are told of one file; the last one says that there are more.
pub(super) const PROBLEMS_MOST: usize = 100;

/// The sections of `source` and every problem. `ansi` says that string data in `hex(N)` are ANSI.
pub(super) fn parse(source: &Arc<SourceText>, ansi: bool) -> (Vec<Section>, Vec<Problem>) {
    let mut parser = Parser {
        source: source.clone(),
        lines: lines(&source.text),
        next: 0,
        ansi,
        sections: Vec::new(),
        problems: Vec::new(),
        dropped: (0, Severity::Note),
    };
    parser.header();
    while let Some(line) = parser.take_line() {
        parser.line(line);
    }
    parser.finish()
}

/// The trimmed lines of `text` as byte ranges; CR LF, LF and CR all end a line.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for end in (0..=text.len()).filter(|&i| i == text.len() || matches!(bytes[i], b'\r' | b'\n')) {
        let line = &text[start..end];
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            let from = start + (line.len() - line.trim_start().len());
            lines.push(from..from + trimmed.len());
        }
        start = end + 1;
    }
    lines
}

/// A defect of a value's data: what was found, and what to do.
struct Defect {
    message: String,
    remedy: String,
}

fn defect<T>(message: impl Into<String>, remedy: impl Into<String>) -> Result<T, Defect> {
    Err(Defect { message: message.into(), remedy: remedy.into() })
}

struct Parser {
    source: Arc<SourceText>,
    /// Lines that are not blank.
    lines: Vec<Range<usize>>,
    /// Index of the next line to read.
    next: usize,
    ansi: bool,
    sections: Vec<Section>,
    problems: Vec<Problem>,
    /// How many problems beyond the most there are, and the worst of them.
    dropped: (usize, Severity),
}

impl Parser {
    fn finish(mut self) -> (Vec<Section>, Vec<Problem>) {
        let (dropped, severity) = self.dropped;
        if dropped > 0 {
            let place = Place::Named(self.source.name.clone());
            let message = format!("{dropped} more problems are not shown");
            let problem = Problem::error(place, message, "correct those above first");
            self.problems.push(Problem { severity, ..problem });
        }
        self.sections.retain(|section| !section.key.is_empty());
        (self.sections, self.problems)
    }

    fn take_line(&mut self) -> Option<Range<usize>> {
        let line = self.lines.get(self.next).cloned();
        self.next += usize::from(line.is_some());
        line
    }

    fn report(&mut self, severity: Severity, span: &Range<usize>, message: impl Into<String>, remedy: &str) {
        if self.problems.len() >= PROBLEMS_MOST {
            self.dropped = (self.dropped.0 + 1, self.dropped.1.max(severity));
            return;
        }
        let place = Place::Span(self.source.clone(), span.clone());
        let problem = Problem::error(place, message, remedy);
        self.problems.push(Problem { severity, ..problem });
    }

    fn error(&mut self, span: &Range<usize>, message: impl Into<String>, remedy: &str) {
        self.report(Severity::Error, span, message, remedy);
    }

    /// Reads the first line, past comments. A missing one is reported, and the line is read as any other.
    fn header(&mut self) {
        while let Some(span) = self.take_line() {
            let line = &self.source.text[span.clone()];
            if line.starts_with(';') {
                continue;
            }
            let known = [Format::Version5.header(), Format::Regedit4.header()];
            if known.contains(&line) {
                return;
            }
            if known.iter().any(|header| header.eq_ignore_ascii_case(line)) {
                let message = "the first line is not in the case of letters that regedit writes";
                self.report(
                    Severity::Warning,
                    &span,
                    message,
                    "write `Windows Registry Editor Version 5.00` or `REGEDIT4`",
                );
                return;
            }
            let remedy = "begin the file with `Windows Registry Editor Version 5.00` and a blank line";
            self.error(&span, "the first line is neither of the two headers, so regedit refuses the file", remedy);
            // A line that is no header and nothing else either was meant as one.
            if line_kind(&self.source.text[span]) != LineKind::Other {
                self.next -= 1;
            }
            return;
        }
    }

    fn line(&mut self, span: Range<usize>) {
        if span.len() > LINE_BYTES_MOST {
            let message = format!("the line has {} bytes, and at most {LINE_BYTES_MOST} are read", span.len());
            let shown = span.start..floor_boundary(&self.source.text, span.start + 80);
            self.error(&shown, message, "break hex data into lines that end in a comma and a backslash");
            return;
        }
        let source = self.source.clone();
        let line = &source.text[span.clone()];
        if line.contains('\0') {
            let remedy = "remove it; the file may have been saved in a wrong encoding";
            self.error(&span, "the line has a NUL character, and is not read", remedy);
            return;
        }
        match line_kind(line) {
            LineKind::Comment => {}
            LineKind::Key => self.key(line, span),
            LineKind::Value => self.value(line, span),
            LineKind::Other => {
                let message = format!("`{}` is neither a [key], a value nor a comment", shortened(line));
                let remedy = "a value is \"name\"=data or @=data; begin a comment with a semicolon";
                self.error(&span, message, remedy);
            }
        }
    }

    fn key(&mut self, line: &str, span: Range<usize>) {
        // A key's name may itself hold a bracket, so the last one closes, unless a comment follows the first.
        let first = line.find(']').filter(|&end| line[end + 1..].trim_start().starts_with(';'));
        let Some(end) = first.or_else(|| line.rfind(']')) else {
            self.error(&span, "the key has no closing bracket", "add `]`; the values below it are not read");
            self.no_section();
            return;
        };
        let rest = line[end + 1..].trim_start();
        if !rest.is_empty() && !rest.starts_with(';') {
            let after = span.start + end + 1..span.end;
            self.report(Severity::Warning, &after, "text after the key is not read", "remove it");
        }
        let inside = &line[1..end];
        let (delete, key) = match inside.strip_prefix('-') {
            Some(key) => (true, key),
            None => (false, inside),
        };
        if key.trim().is_empty() {
            self.error(&span, "the key is empty", r"name it from the hive on: [HKEY_LOCAL_MACHINE\SYSTEM\...]");
            self.no_section();
            return;
        }
        self.sections.push(Section { key: key.to_string(), delete, values: Vec::new(), span });
    }

    /// Opens a section for values whose key is unreadable; `keep` never lets one in.
    fn no_section(&mut self) {
        self.sections.push(Section { key: String::new(), delete: true, values: Vec::new(), span: 0..0 });
    }

    fn value(&mut self, line: &str, span: Range<usize>) {
        let Some((name, rest)) = value_name(line) else {
            let remedy = "a value is \"name\"=data or @=data";
            self.error(&span, format!("`{}` has no closing quote or no `=`", shortened(line)), remedy);
            return;
        };
        let data_start = span.end - rest.len();
        let hex = rest.get(..3).is_some_and(|prefix| prefix.eq_ignore_ascii_case("hex"));
        let (data, end) = if hex {
            let (joined, end) = self.joined(rest, &span);
            (joined.and_then(|text| hex_data(&text, self.ansi)), end)
        } else {
            (plain_data(&name, rest), span.end)
        };
        match data {
            Ok(data) => self.keep(Entry { name, data, span: span.start..end }),
            Err(Defect { message, remedy }) => {
                let pool = find_by_name(&name).any(|value| value.modelled);
                let severity = if pool { Severity::Error } else { Severity::Warning };
                let called = if name.is_empty() { "@" } else { &name };
                let message = format!("{called}: {message}, so it is not set");
                self.report(severity, &(data_start..end), message, &remedy);
            }
        }
    }

    /// Hex data with its continuation lines, and where it ends.
    fn joined(&mut self, first: &str, span: &Range<usize>) -> (Result<String, Defect>, usize) {
        let mut text = without_comment(first).to_string();
        let mut end = span.end;
        let source = self.source.clone();
        while let Some(continued) = text.strip_suffix('\\') {
            text.truncate(continued.len());
            let next = self.lines.get(self.next).cloned();
            let Some(next) = next.filter(|next| is_continuation(&source.text[next.clone()])) else {
                let message = "the line ends in a backslash, and no line of bytes follows";
                return (defect(message, "remove the backslash, or add the missing bytes"), end);
            };
            self.next += 1;
            end = next.end;
            let length = next.len();
            if length > LINE_BYTES_MOST {
                let message = format!("a continuation line has {length} bytes, and at most {LINE_BYTES_MOST} are read");
                return (defect(message, "break it into shorter lines"), end);
            }
            text.push_str(without_comment(&source.text[next]));
        }
        (Ok(text), end)
    }

    fn keep(&mut self, entry: Entry) {
        let remedy = r"put it below a line such as [HKEY_LOCAL_MACHINE\SYSTEM\...]";
        match self.sections.last_mut() {
            None => self.error(&entry.span, "the value stands before the first [key], and is not set", remedy),
            // Its key was reported already.
            Some(section) if section.key.is_empty() => {}
            Some(section) if section.delete => {
                let span = entry.span;
                self.error(&span, "the value stands below a key that is deleted, and is not set", remedy);
            }
            Some(section) => section.values.push(entry),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineKind {
    Comment,
    Key,
    Value,
    Other,
}

fn line_kind(line: &str) -> LineKind {
    match line.as_bytes().first() {
        Some(b';') => LineKind::Comment,
        Some(b'[') => LineKind::Key,
        Some(b'"' | b'@') => LineKind::Value,
        _ => LineKind::Other,
    }
}

/// The name of a value line and what follows the equals sign, trimmed; the name is empty for `@`.
fn value_name(line: &str) -> Option<(String, &str)> {
    let (name, rest) = match line.strip_prefix('@') {
        Some(rest) => (String::new(), rest),
        None => quoted(line)?,
    };
    Some((name, rest.trim_start().strip_prefix('=')?.trim_start()))
}

/// The string in quotes that `text` begins with, and what follows it. A backslash stands for itself before anything
/// but a backslash and a quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut string = String::new();
    let mut chars = inside.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some((string, &inside[index + 1..])),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '\\' | '"')) {
                Some((_, next)) => string.push(next),
                None => string.push('\\'),
            },
            _ => string.push(c),
        }
    }
    None
}

/// Data that are not hex: a string, a dword or a deletion.
fn plain_data(name: &str, rest: &str) -> Result<Data, Defect> {
    if rest.starts_with('"') {
        let remedy = "close the string with a quote on the same line; write a quote in it as \\\"";
        let Some((string, after)) = quoted(rest) else {
            return defect("the string has no closing quote", remedy);
        };
        if !without_comment(after).is_empty() {
            return defect(format!("`{}` follows the closing quote", shortened(after.trim())), remedy);
        }
        return Ok(Data::Text(string));
    }
    let rest = without_comment(rest);
    if rest == "-" {
        return Ok(Data::Delete);
    }
    match rest.get(..6) {
        Some(prefix) if prefix.eq_ignore_ascii_case("dword:") => dword(rest[6..].trim()),
        _ => no_data(name, rest),
    }
}

/// What is wrong with data of no known form, and how a number in them would be written.
fn no_data(name: &str, rest: &str) -> Result<Data, Defect> {
    let number = match rest.get(..2) {
        Some("0x" | "0X") => u32::from_str_radix(&rest[2..], 16).ok(),
        _ => rest.parse().ok(),
    };
    let found = if rest.is_empty() { "no data".to_string() } else { format!("`{}`", shortened(rest)) };
    let message = format!("{found} where dword:, hex:, a quoted string or - is wanted");
    let shown = if name.is_empty() { "@".to_string() } else { format!("\"{name}\"") };
    match number {
        Some(number) => defect(message, format!("write {shown}=dword:{number:08x}")),
        None => defect(message, "a number is dword: and eight hexadecimal digits, a string is in quotes"),
    }
}

/// A dword of 1 to 8 hexadecimal digits.
// Guess: the number of digits is the usual rule; KB 910932 prints one of nine, which no dword can hold in general.
fn dword(digits: &str) -> Result<Data, Defect> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        let message = format!("`dword:{}` is not hexadecimal", shortened(digits));
        return defect(message, "write dword: and up to eight of the digits 0-9 and a-f");
    }
    if digits.len() > 8 {
        let message = format!("`dword:{}` has {} digits, and a dword has at most 8", shortened(digits), digits.len());
        return match u32::from_str_radix(digits, 16) {
            Ok(number) => defect(message, format!("write dword:{number:08x}, which is {number}")),
            Err(_) => defect(message, "the number does not fit in 32 bits; the most is dword:ffffffff"),
        };
    }
    match u32::from_str_radix(digits, 16) {
        Ok(number) => Ok(Data::Dword(number)),
        Err(error) => defect(error.to_string(), "write dword: and up to eight hexadecimal digits"),
    }
}

/// `hex:` or `hex(N):` and bytes with commas between them.
fn hex_data(text: &str, ansi: bool) -> Result<Data, Defect> {
    let remedy = "write hex: or hex(N): and bytes of two hexadecimal digits with commas between them";
    let Some((head, bytes)) = text.split_once(':') else {
        return defect(format!("`{}` has no colon", shortened(text)), remedy);
    };
    let head = head.trim().to_ascii_lowercase();
    let kind = match head.strip_prefix("hex") {
        Some("") => Some(3),
        Some(kind) => kind
            .strip_prefix('(')
            .and_then(|kind| kind.strip_suffix(')'))
            .filter(|kind| kind.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|kind| u32::from_str_radix(kind, 16).ok()),
        None => None,
    };
    let Some(kind) = kind else {
        return defect(format!("`{}` is no type of data", shortened(&head)), remedy);
    };
    let bytes = hex_bytes(bytes)?;
    Ok(match kind {
        1 | 2 | 7 if ansi => Data::Hex(kind, ansi_to_utf16(&bytes)),
        _ => Data::Hex(kind, bytes),
    })
}

fn hex_bytes(text: &str) -> Result<Vec<u8>, Defect> {
    let text = text.trim();
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let byte = |part: &str| {
        let digits = part.trim();
        let good = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        good.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
    };
    let mut bytes = Vec::with_capacity(text.len() / 3 + 1);
    for part in text.split(',') {
        match byte(part) {
            Some(byte) => bytes.push(byte),
            None => {
                let message = format!("`{}` is not a byte", shortened(part.trim()));
                return defect(message, "a byte is two hexadecimal digits; put commas between bytes");
            }
        }
    }
    Ok(bytes)
}

/// Whether a line can continue hex data: it begins with a hexadecimal digit or a comma.
fn is_continuation(line: &str) -> bool {
    line.bytes().next().is_some_and(|b| b.is_ascii_hexdigit() || matches!(b, b',' | b'\\'))
}

/// `text` up to a semicolon, trimmed. Only for text outside quotes.
fn without_comment(text: &str) -> &str {
    text.split_once(';').map_or(text, |(before, _)| before).trim()
}

/// `text`, or its beginning where it is long, for a message.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    let mut short: String = text.chars().take(MOST).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        short.push_str("...");
    }
    short
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
