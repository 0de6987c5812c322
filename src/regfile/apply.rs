//! What a registry file leaves in a node's registry, once every line has taken effect in file order.
//!
//! Not the ranges of values (`policy::registry` checks them) and not syntax (`parse.rs`). Called by
//! `RegFile::registry`.

use super::parse::{PROBLEMS_MOST, shortened};
use super::{Data, Entry, RegFile, Section};
use crate::policy::assumptions::{Assumptions, QueuingKey};
use crate::policy::registry::{Registry, RegistryValue, ValueId, canonical_key, find, find_by_name};
use crate::problem::{Place, Problem, Severity};
use std::collections::BTreeMap;

/// The most notes about unknown values that are told of one file.
const UNKNOWN_NOTES_MOST: usize = 20;

/// The hives that a key may begin with, long and short.
const HIVES: [&str; 10] = [
    "hkey_local_machine",
    "hklm",
    "hkey_current_user",
    "hkcu",
    "hkey_classes_root",
    "hkcr",
    "hkey_users",
    "hku",
    "hkey_current_config",
    "hkcc",
];

/// The values that are present after the whole file, by (key, name) in the spelling in which they are compared.
type Present<'a> = BTreeMap<(String, String), (&'a Section, &'a Entry)>;

impl RegFile {
    /// The registry of a node on which only this file was imported, with what is odd about it, in file order.
    ///
    /// Later lines win over earlier ones, and deletions delete. The control sets `ControlSet001`, `ControlSet002`, ...
    /// count as the current one. Errors: data of the wrong type for a value of the pool, and a key without a hive.
    /// Ranges are left to [`Registry::check`].
    #[must_use]
    pub fn registry(&self, assumptions: &Assumptions) -> (Registry, Vec<Problem>) {
        let mut apply = Apply { file: self, problems: Vec::new() };
        let present = apply.present();
        let registry = apply.settle(&present, assumptions);
        let mut problems = apply.problems;
        problems.sort_by_key(|problem| match &problem.place {
            Place::Span(_, span) => span.start,
            Place::Line(..) | Place::Named(_) => usize::MAX,
        });
        (registry, bounded(problems))
    }
}

/// Every error, and of the rest no more than the most, with a note where some are left out.
fn bounded(mut problems: Vec<Problem>) -> Vec<Problem> {
    let mut others = 0;
    problems.retain(|problem| {
        others += usize::from(problem.severity != Severity::Error);
        problem.severity == Severity::Error || others <= PROBLEMS_MOST
    });
    if let Some(more) = others.checked_sub(PROBLEMS_MOST).filter(|&more| more > 0) {
        let message = format!("{more} more notes and warnings are not shown");
        problems.push(Problem::note(Place::Named("registry file".into()), message, ""));
    }
    problems
}

struct Apply<'a> {
    file: &'a RegFile,
    problems: Vec<Problem>,
}

impl<'a> Apply<'a> {
    /// Lets every line take effect in file order.
    fn present(&mut self) -> Present<'a> {
        let mut present = Present::new();
        for section in &self.file.sections {
            if !self.has_hive(section) {
                continue;
            }
            let key = canonical_key(&section.key);
            if section.delete {
                let below = format!("{key}\\");
                present.retain(|(other, _), _| *other != key && !other.starts_with(&below));
                continue;
            }
            for entry in &section.values {
                let identity = (key.clone(), entry.name.to_lowercase());
                if entry.data == Data::Delete {
                    present.remove(&identity);
                } else if let Some((_, before)) = present.insert(identity, (section, entry))
                    && before.data != entry.data
                {
                    let message = format!("{} is set again further down, and the last one counts", before.name);
                    self.problems.push(Problem::note(self.file.place(&before.span), message, "remove one of them"));
                }
            }
        }
        present
    }

    fn has_hive(&mut self, section: &Section) -> bool {
        let hive = section.key.split('\\').next().unwrap_or("").trim();
        if HIVES.iter().any(|known| known.eq_ignore_ascii_case(hive)) {
            return true;
        }
        let place = self.file.place(&section.span);
        let message = format!("the key begins with `{}`, which is no hive, so it is not used", shortened(hive));
        let problem = match section.values.iter().any(|entry| find_by_name(&entry.name).any(|value| value.modelled)) {
            true => Problem::error,
            false => Problem::warning,
        };
        self.problems.push(problem(place, message, r"begin the key with HKEY_LOCAL_MACHINE\".to_string()));
        false
    }

    /// Takes over the values that the table knows.
    fn settle(&mut self, present: &Present<'a>, assumptions: &Assumptions) -> Registry {
        let mut registry = Registry::empty();
        let mut elsewhere: BTreeMap<ValueId, (u32, &Entry)> = BTreeMap::new();
        let mut unknown = Vec::new();
        for ((key, _), (_, entry)) in present {
            let documented = |value: &&RegistryValue| value.other_keys.iter().any(|other| canonical_key(other) == *key);
            if let Some(value) = find(key, &entry.name) {
                if let Some(data) = self.dword(value, entry) {
                    registry.set(value.id, data, self.file.place(&entry.span));
                    self.note_if_unused(value, entry);
                }
            } else if let Some(value) = find_by_name(&entry.name).find(documented) {
                elsewhere.extend(self.dword(value, entry).map(|data| (value.id, (data, *entry))));
            } else {
                unknown.push(*entry);
            }
        }
        for (id, (data, entry)) in elsewhere {
            self.other_key(&mut registry, id.value(), data, entry, assumptions.queuing_key);
        }
        self.unknown(unknown);
        registry
    }

    fn note_if_unused(&mut self, value: &RegistryValue, entry: &Entry) {
        if !value.modelled {
            let limit = value.limit.map(|limit| format!("; a scenario with {limit} does")).unwrap_or_default();
            let message =
                format!("{} is known ({}), and the emulated pool does not use it{limit}", value.name, value.source);
            self.problems.push(Problem::note(self.file.place(&entry.span), message, ""));
        }
    }

    /// A value that another published text puts under another key.
    // Guess: the KB's key counts. The other documented queuing values live under Queuing too; ExBPA alone says
    // Parameters.
    fn other_key(
        &mut self,
        registry: &mut Registry,
        value: &RegistryValue,
        data: u32,
        entry: &Entry,
        queuing_key: QueuingKey,
    ) {
        let (name, place) = (value.name, self.file.place(&entry.span));
        let right = format!(r"HKEY_LOCAL_MACHINE\{}", value.key);
        if let Some(used) = registry.get(value.id) {
            if used != data {
                let message = format!("{name} is {data} here and {used} under SMTPSVC\\Queuing, which counts");
                let remedy = format!("keep the one under [{right}], as the KB says");
                self.problems.push(Problem::warning(place, message, remedy));
            }
            return;
        }
        if queuing_key == QueuingKey::Parameters {
            registry.set(value.id, data, place.clone());
            let message =
                format!("{name} counts under SMTPSvc\\Parameters, since assumptions.queuing_key is parameters");
            self.problems.push(Problem::note(place, message, format!("the KB's key is [{right}]")));
            return;
        }
        let message = format!("this key of {name} is documented by ExBPA; the KB says Queuing, so it is not used");
        let remedy = format!("move it to [{right}], or set assumptions.queuing_key to parameters");
        self.problems.push(Problem::warning(place, message, remedy));
    }

    fn unknown(&mut self, mut entries: Vec<&Entry>) {
        entries.sort_by_key(|entry| entry.span.start);
        for entry in entries.iter().take(UNKNOWN_NOTES_MOST) {
            let place = self.file.place(&entry.span);
            let name = if entry.name.is_empty() { "@".to_string() } else { shortened(&entry.name) };
            let problem = match find_by_name(&entry.name).next() {
                Some(value) => Problem::note(
                    place,
                    format!("{name} is not modelled under this key"),
                    format!(r"the key that counts is [HKEY_LOCAL_MACHINE\{}]", value.key),
                ),
                None => Problem::note(place, format!("{name} is not modelled"), ""),
            };
            self.problems.push(problem);
        }
        if let Some(next) = entries.get(UNKNOWN_NOTES_MOST) {
            let more = entries.len() - UNKNOWN_NOTES_MOST;
            let message = format!("{more} more values from here on are not modelled");
            self.problems.push(Problem::note(self.file.place(&next.span), message, ""));
        }
    }

    /// The number of a value that is a dword; anything else is reported.
    fn dword(&mut self, value: &RegistryValue, entry: &Entry) -> Option<u32> {
        let (found, number) = match &entry.data {
            Data::Dword(data) => return Some(*data),
            Data::Hex(4, bytes) => match bytes.as_slice() {
                [a, b, c, d] => return Some(u32::from_le_bytes([*a, *b, *c, *d])),
                _ => (format!("a dword of {} bytes", bytes.len()), None),
            },
            Data::Hex(5, bytes) => {
                let number = <[u8; 4]>::try_from(bytes.as_slice()).ok().map(u32::from_be_bytes);
                ("a big-endian dword".to_string(), number)
            }
            Data::Hex(11, bytes) => {
                let number = <[u8; 8]>::try_from(bytes.as_slice()).ok().map(u64::from_le_bytes);
                ("a qword".to_string(), number.and_then(|number| u32::try_from(number).ok()))
            }
            Data::Hex(kind, _) => (format!("data of type {kind:x}"), None),
            Data::Text(text) => (format!("the string \"{}\"", shortened(text)), number(text)),
            Data::Delete => return None,
        };
        let name = value.name;
        let message = format!("{name} is {found}, and a dword is wanted, so it is not set");
        let remedy = match number {
            Some(number) => format!("write \"{name}\"=dword:{number:08x}"),
            None => "write dword: and up to eight hexadecimal digits".to_string(),
        };
        let problem = if value.modelled { Problem::error } else { Problem::warning };
        self.problems.push(problem(self.file.place(&entry.span), message, remedy));
        None
    }
}

/// The number that a string holds, decimal or with `0x`.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
