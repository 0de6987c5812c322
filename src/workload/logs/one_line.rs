//! Lines of bounded length out of any byte stream.
//!
//! Not a decoder: lines are bytes, and whoever shows them converts them. A line longer than [`MAX_LINE`] is passed
//! over without ever being held. Called by `one_file` only.

use std::io::{self, BufRead, Read};

/// Longest line that is read, without its line end. `// in bytes`
pub const MAX_LINE: usize = 64 * 1024;

/// What the next line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// At [`Lines::text`].
    Text,
    /// Longer than [`MAX_LINE`].
    TooLong,
    /// Has NUL bytes.
    NotText,
    /// There is none.
    End,
}

/// A byte stream, line by line.
pub(super) struct Lines<R> {
    input: R,
    text: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Lines<R> {
        Lines { input, text: Vec::with_capacity(1024), number: 0 }
    }

    /// The number of the line that was read last, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The line that was read last, without line end, byte-order mark and surrounding blanks.
    pub(super) fn text(&self) -> &[u8] {
        let text = match self.number {
            1 => self.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.text),
            _ => &self.text,
        };
        text.trim_ascii()
    }

    /// Reads the next line.
    pub(super) fn advance(&mut self) -> io::Result<Line> {
        self.text.clear();
        // Two more than the bound: the longest line may end in CR LF.
        let most = MAX_LINE as u64 + 2;
        if self.input.by_ref().take(most).read_until(b'\n', &mut self.text)? == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        let ended = self.text.last() == Some(&b'\n');
        if !ended && self.text.len() as u64 == most {
            self.input.skip_until(b'\n')?;
        }
        let length = self.text.len() - usize::from(ended) - usize::from(self.text.ends_with(b"\r\n"));
        Ok(if length > MAX_LINE {
            Line::TooLong
        } else if self.text.contains(&0) {
            Line::NotText
        } else {
            Line::Text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(bytes: &[u8]) -> Vec<(Line, usize)> {
        let mut lines = Lines::new(bytes);
        let mut seen = Vec::new();
        loop {
            let line = lines.advance().unwrap();
            if line == Line::End {
                return seen;
            }
            seen.push((line, lines.text().len()));
        }
    }

    #[test]
    fn lines_end_in_lf_or_crlf_or_the_end_of_the_file() {
        assert_eq!(kinds(b""), []);
        assert_eq!(kinds(b"a\r\nbc \n\nd"), [(Line::Text, 1), (Line::Text, 2), (Line::Text, 0), (Line::Text, 1)]);
        assert_eq!(kinds(b"\xef\xbb\xbfab\ncd"), [(Line::Text, 2), (Line::Text, 2)]);
        assert_eq!(kinds(b"a\0b\nc"), [(Line::NotText, 3), (Line::Text, 1)]);
    }

    #[test]
    fn a_line_may_be_64_kib_long_and_no_longer() {
        for end in ["", "\n", "\r\n"] {
            for (length, kind) in [(MAX_LINE, Line::Text), (MAX_LINE + 1, Line::TooLong), (MAX_LINE * 3, Line::TooLong)]
            {
                let bytes = format!("{}{end}", "x".repeat(length));
                let seen = kinds(bytes.as_bytes());
                assert_eq!((seen.len(), seen[0].0), (1, kind), "{length} {end:?}");
            }
        }
        let bytes = format!("{}\nafter\n", "x".repeat(MAX_LINE * 5));
        assert_eq!(kinds(bytes.as_bytes())[1], (Line::Text, 5));
    }

    #[test]
    fn the_longest_line_is_never_held() {
        let bytes = vec![b'x'; 40 * MAX_LINE];
        let mut lines = Lines::new(&bytes[..]);
        assert_eq!(lines.advance().unwrap(), Line::TooLong);
        assert!(lines.text.capacity() <= 4 * MAX_LINE, "{}", lines.text.capacity());
    }
}
