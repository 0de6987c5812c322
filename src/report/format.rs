//! Numbers, words and colour as a person reads them.
//!
//! Not layout (`table`) and not any section of a report. Called by `text`, `verdict` and `explain`.
//!
//! Colour is carried through the tables as invisible marks of no width, because a table measures what it is given;
//! [`paint`] turns the marks into colour, or takes them out, when the text is done.

use anstyle::{AnsiColor, Style};

use crate::time::Nanos;

/// What a piece of text says besides its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Starved, lost, not to be believed.
    Bad,
    /// Healthy.
    Good,
    /// A heading.
    Strong,
    /// Of second rank.
    Faint,
}

/// The mark that ends a tone, and those that begin one: invisible operators, which have no width.
pub(super) const END: char = '\u{2060}';
pub(super) const MARKS: [(char, Tone); 4] =
    [('\u{2061}', Tone::Bad), ('\u{2062}', Tone::Good), ('\u{2063}', Tone::Strong), ('\u{2064}', Tone::Faint)];

/// Units that stay on the line of their number.
const UNITS: [&str; 8] = ["%", "ns", "us", "ms", "s", "min", "h", "MB"];

fn is_mark(c: char) -> bool {
    ('\u{2060}'..='\u{2064}').contains(&c)
}

/// `text` in a tone.
pub(super) fn toned(tone: Tone, text: &str) -> String {
    let mark = MARKS.iter().find(|(_, t)| *t == tone).map_or(END, |(mark, _)| *mark);
    format!("{mark}{text}{END}")
}

/// The text with its marks turned into colour, or taken out.
pub(super) fn paint(text: &str, colour: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !is_mark(c) {
            out.push(c);
        } else if colour {
            let style = MARKS.iter().find(|(mark, _)| *mark == c).map(|(_, tone)| match tone {
                Tone::Bad => AnsiColor::Red.on_default().bold(),
                // Not green: beside red it is the pair that most of the colour-blind confuse.
                Tone::Good => AnsiColor::Cyan.on_default(),
                Tone::Strong => Style::new().bold(),
                Tone::Faint => Style::new().dimmed(),
            });
            match style {
                Some(style) => out.push_str(&style.render().to_string()),
                None => out.push_str(&anstyle::Reset.render().to_string()),
            }
        }
    }
    out
}

/// How many columns a line takes. Marks take none.
pub(super) fn columns(line: &str) -> usize {
    line.chars().filter(|c| !is_mark(*c)).count()
}

/// A text from a user's file, fit for a terminal: no control characters and no marks.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_mark(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A field of a CSV file: unrounded, so that what is read is what was computed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// A figure that does not exist.
    None,
    /// A name or a word.
    Text(String),
    /// How many.
    Count(u64),
    /// Anything else.
    Number(f64),
}

impl Cell {
    /// In microseconds.
    pub(super) fn micros(time: Nanos) -> Cell {
        Cell::Number(time.0 as f64 / 1e3)
    }

    /// As it stands in the file.
    pub(super) fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Count(count) => count.to_string(),
            Cell::Number(number) if number.is_finite() => number.to_string(),
            Cell::None | Cell::Number(_) => String::new(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_string())
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Cell {
        Cell::Count(count)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Cell {
        Cell::Number(number)
    }
}

/// In seconds.
impl From<Nanos> for Cell {
    fn from(time: Nanos) -> Cell {
        Cell::Number(time.as_secs_f64())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::None, Into::into)
    }
}

/// `1,204`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 request`, `1,204 requests`.
pub(super) fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `41 %`, `0.4 %`, `< 0.1 %`, `99.8 %`; never a round number that is not true of 0 and 100.
pub(super) fn percent(p: f64) -> String {
    if p <= 0.0 || p.is_nan() {
        "0 %".into()
    } else if p < 0.1 {
        "< 0.1 %".into()
    } else if p < 9.95 || (p > 99.0 && p < 99.95) {
        format!("{p:.1} %")
    } else if (99.95..100.0).contains(&p) {
        "> 99.9 %".into()
    } else {
        format!("{p:.0} %")
    }
}

/// `0`, `0.04`, `3.1`, `1,204`: a number of threads, items a second, thread-seconds.
pub(super) fn amount(x: f64) -> String {
    match x {
        x if x <= 0.0 || x.is_nan() => "0".into(),
        x if x < 0.01 => "< 0.01".into(),
        x if x < 0.995 => format!("{x:.2}"),
        x if x < 99.95 => format!("{x:.1}"),
        x => count(x.round() as u64),
    }
}

/// Microseconds as a span of time.
pub(super) fn micros(us: f64) -> String {
    Nanos::from_f64(us * 1e3).to_string()
}

/// A moment of the run as a clock shows it: `03:12:07`.
pub(super) fn clock(at: Nanos) -> String {
    let s = at.0 / 1_000_000_000;
    format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// A bucket's edge: `500 us`, `2 ms`, `50 s`, without needless digits.
pub(super) fn edge(us: u64) -> String {
    match us {
        0 => "0".into(),
        us if us < 1_000 => format!("{us} us"),
        us if us < 1_000_000 => format!("{} ms", us / 1_000),
        us => format!("{} s", count(us / 1_000_000)),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The name of a protocol's class as people write it: `POP3`, `IMAP4`; in a cluster `POP3 of evs1`.
pub(super) fn protocol_name(class: &str) -> String {
    match class.split_once('.') {
        Some((group, protocol)) => format!("{} of {}", plain(protocol).to_uppercase(), plain(group)),
        None => plain(class).to_uppercase(),
    }
}

/// Text broken at spaces into lines of at most `width`; the first after `lead`, the others after as many spaces. A
/// word that is longer than a line is broken.
pub(super) fn wrap(lead: &str, text: &str, width: usize) -> String {
    let indent = columns(lead).min(width / 2);
    let room = width.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    if columns(lead) > indent {
        lines.push(lead.to_string());
    }
    for mut word in words(text) {
        if !line.is_empty() && columns(&line) + 1 + columns(&word) > room {
            lines.push(std::mem::take(&mut line));
        }
        while columns(&word) > room {
            let head: String = word.chars().take(room).collect();
            word = word.chars().skip(room).collect();
            lines.push(head);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    let pad = " ".repeat(indent);
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let before = match at {
            0 if columns(lead) > indent => "",
            0 => lead,
            _ => &pad,
        };
        out.push_str(&format!("{before}{line}\n"));
    }
    out
}

/// The words of a text; a number and its unit are one word, so that no line begins with `%`, and so is `KB 281868`.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let unit = word.trim_end_matches(|c: char| !c.is_alphabetic() && c != '%');
        match words.last_mut() {
            Some(last)
                if (UNITS.contains(&unit) && last.ends_with(|c: char| c.is_ascii_digit()))
                    || (last.ends_with("KB") && word.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_a_person_writes_them() {
        assert_eq!([0, 999, 1_204, 1_234_567].map(count), ["0", "999", "1,204", "1,234,567"]);
        let percents = [0.0, 0.03, 0.4, 9.94, 41.2, 99.4, 99.97, 100.0, f64::NAN].map(percent);
        assert_eq!(percents, ["0 %", "< 0.1 %", "0.4 %", "9.9 %", "41 %", "99.4 %", "> 99.9 %", "100 %", "0 %"]);
        assert_eq!([0.0, 0.001, 0.04, 3.52, 1204.4].map(amount), ["0", "< 0.01", "0.04", "3.5", "1,204"]);
        assert_eq!([0, 500, 2_000, 50_000_000].map(edge), ["0", "500 us", "2 ms", "50 s"]);
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(and(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }

    #[test]
    fn colour_is_taken_out_or_painted_and_never_measured() {
        let text = toned(Tone::Bad, "41 %");
        assert_eq!((columns(&text), paint(&text, false).as_str()), (4, "41 %"));
        assert_eq!(paint(&text, true), "\u{1b}[1m\u{1b}[31m41 %\u{1b}[0m");
        assert_eq!(plain("a\u{1b}[2J\u{2061}b\n"), "a [2Jb ");
    }

    #[test]
    fn wrapped_text_keeps_every_word_and_its_width() {
        let text = "the oldest request has waited for a_very_long_word_without_any_space at least";
        for width in [8, 12, 30, 200] {
            let wrapped = wrap("note: ", text, width);
            assert!(wrapped.lines().all(|line| columns(line) <= width.max(12)), "{width}: {wrapped}");
            let squeezed = |t: &str| t.replace([' ', '\n'], "");
            assert_eq!(squeezed(&wrapped), squeezed(&format!("note: {text}")));
        }
        assert_eq!(wrap("", "it held 46 %, then 4 min 12 s", 9), "it held\n46 %,\nthen\n4 min\n12 s\n");
    }
}
