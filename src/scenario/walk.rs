//! The typed walk over a scenario's tree: each field is taken once, with its kind and its range, and whatever is not
//! taken is unknown.
//!
//! Not the language itself, which the other files of this room spell out field by field with these tools. A walk never
//! stops at a mistake: it notes it and goes on with nothing, so that all mistakes are told at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::base::Base;
use super::tree::{Entry, Node, Origin, Value, shortened, shown_number};
use crate::ids::DependencyId;
use crate::problem::{Place, Problem, SourceText, nearest};
use crate::time::Nanos;

/// The longest time that a scenario may name: ten years, as `10y` is read (365.25 days each).
pub(super) const TIME_MOST: Nanos = Nanos::from_secs(10 * 31_557_600);
/// The most problems that are told of one scenario.
pub(super) const PROBLEMS_MOST: usize = 100;
/// The most different things that services wait for.
const DEPENDENCIES_MOST: usize = 1_000;
/// The longest name, in characters.
const NAME_MOST: usize = 64;

/// The values of an empirical distribution, or nothing where they are wrong.
pub(super) type Samples = Option<Arc<[Nanos]>>;

/// What one reading of a scenario knows and collects.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) source: Arc<SourceText>,
    pub(super) base: &'a Base,
    problems: RefCell<Vec<Problem>>,
    more: Cell<bool>,
    dependencies: RefCell<Vec<String>>,
    /// Empirical distributions that were read before, by file and column.
    pub(super) samples: RefCell<BTreeMap<(String, String), Samples>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: Arc<SourceText>, base: &'a Base) -> Walk<'a> {
        Walk {
            source,
            base,
            problems: RefCell::default(),
            more: Cell::new(false),
            dependencies: RefCell::default(),
            samples: RefCell::default(),
        }
    }

    /// Notes a problem; the same one is noted once, however many variants have it.
    pub(super) fn note(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() >= PROBLEMS_MOST {
            self.more.set(true);
        } else if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    pub(super) fn error(&self, origin: &Origin, message: impl Into<String>, remedy: impl Into<String>) {
        self.note(Problem::error(origin.place(&self.source), message, remedy));
    }

    pub(super) fn warning(&self, origin: &Origin, message: impl Into<String>, remedy: impl Into<String>) {
        self.note(Problem::warning(origin.place(&self.source), message, remedy));
    }

    /// Every problem that was noted, in order.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        if self.more.get() {
            let place = Place::Named(self.source.name.clone());
            let message = format!("there are more problems than these {PROBLEMS_MOST}");
            problems.push(Problem::error(place, message, "correct these first"));
        }
        problems
    }

    /// The id of what services wait for by this name; new names are added.
    pub(super) fn dependency(&self, name: &str) -> DependencyId {
        let mut names = self.dependencies.borrow_mut();
        if let Some(at) = names.iter().position(|known| known == name) {
            return DependencyId(at as u16);
        }
        if names.len() >= DEPENDENCIES_MOST {
            let place = Place::Named(self.source.name.clone());
            let message = format!("services wait for more than {DEPENDENCIES_MOST} different things");
            self.note(Problem::error(place, message, "give some of them one name"));
            return DependencyId(0);
        }
        names.push(name.to_string());
        DependencyId((names.len() - 1) as u16)
    }

    /// The names of what services wait for, indexed by id.
    pub(super) fn dependencies(&self) -> Vec<String> {
        self.dependencies.borrow().clone()
    }

    /// Forgets the names of what services wait for: another variant begins.
    pub(super) fn start_variant(&self) {
        self.dependencies.borrow_mut().clear();
    }

    /// `node` should have been `wanted`.
    pub(super) fn wrong(&self, node: &Node, name: &str, wanted: &str, remedy: &str) {
        self.error(&node.origin, format!("{name} is {}, and {wanted} is needed", node.shown()), remedy);
    }

    /// A whole number in [least, most].
    pub(super) fn whole(&self, node: &Node, name: &str, (least, most): (u64, u64), remedy: &str) -> Option<u64> {
        match node.value {
            Value::Whole(n) if i128::from(least) <= n && n <= i128::from(most) => Some(n as u64),
            _ => {
                let wanted =
                    if least == most { least.to_string() } else { format!("a whole number from {least} to {most}") };
                self.wrong(node, name, &wanted, remedy);
                None
            }
        }
    }

    /// A number in [least, most], whole or not; a negative zero becomes zero.
    pub(super) fn number(&self, node: &Node, name: &str, (least, most): (f64, f64), remedy: &str) -> Option<f64> {
        let found = match node.value {
            Value::Whole(n) => n as f64,
            Value::Real(x) => x,
            _ => f64::NAN,
        };
        if least <= found && found <= most {
            return Some(found + 0.0);
        }
        let wanted = format!("a number from {} to {}", shown_number(least), shown_number(most));
        self.wrong(node, name, &wanted, remedy);
        None
    }

    /// A time in [least, [`TIME_MOST`]], as text with its unit.
    pub(super) fn time(&self, node: &Node, name: &str, least: Nanos, remedy: &str) -> Option<Nanos> {
        let wanted = || format!("a time like `250ms`, from {} to ten years,", exact(least));
        let found = match &node.value {
            Value::Text(text) => parse_time(text),
            _ => None,
        };
        match found {
            Some(time) if least <= time && time <= TIME_MOST => Some(time),
            _ => {
                self.wrong(node, name, &wanted(), remedy);
                None
            }
        }
    }

    pub(super) fn text<'n>(&self, node: &'n Node, name: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.wrong(node, name, "a text", "write it in quotes");
                None
            }
        }
    }

    /// A text that is shown in reports: not empty, without control characters, not too long.
    pub(super) fn name<'n>(&self, node: &'n Node, name: &str) -> Option<&'n str> {
        let text = self.text(node, name)?;
        self.check_name(text, &node.origin, name).then_some(text)
    }

    /// Whether `text` can be the name of something.
    pub(super) fn check_name(&self, text: &str, origin: &Origin, name: &str) -> bool {
        let fine = !text.trim().is_empty()
            && text.chars().count() <= NAME_MOST
            && !text.chars().any(|c| c.is_control() || "/\\\"".contains(c));
        if !fine {
            let message = format!("`{}` cannot be {name}", shortened(text));
            let remedy = format!("use 1 to {NAME_MOST} characters without control characters, quotes and slashes");
            self.error(origin, message, remedy);
        }
        fine
    }

    pub(super) fn truth(&self, node: &Node, name: &str) -> Option<bool> {
        match node.value {
            Value::Truth(truth) => Some(truth),
            _ => {
                self.wrong(node, name, "true or false", "write it without quotes");
                None
            }
        }
    }

    /// One of these words.
    pub(super) fn choice(&self, node: &Node, name: &str, words: &[&'static str]) -> Option<&'static str> {
        self.one_of(node, name, words)
    }

    /// One of these words, which the scenario itself may have made.
    pub(super) fn one_of<'w>(&self, node: &Node, name: &str, words: &[&'w str]) -> Option<&'w str> {
        let found = match &node.value {
            Value::Text(text) => text.as_str(),
            _ => "",
        };
        if let Some(word) = words.iter().find(|word| **word == found) {
            return Some(word);
        }
        let remedy = match nearest(found, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None if words.len() == 1 => "remove it: nothing else is modelled".to_string(),
            None => "write one of them".to_string(),
        };
        let wanted = if words.len() == 1 { words[0].to_string() } else { format!("one of {}", words.join(", ")) };
        self.wrong(node, name, &wanted, &remedy);
        None
    }

    /// A list of `least` to `most` elements.
    pub(super) fn list<'n>(&self, node: &'n Node, name: &str, (least, most): (usize, usize)) -> Option<&'n [Node]> {
        let Value::List(nodes) = &node.value else {
            let remedy = match node.value {
                Value::Table(_) => "write its section in double brackets, or a list in single ones",
                _ => "write it in square brackets",
            };
            self.wrong(node, name, "a list", remedy);
            return None;
        };
        if (least..=most).contains(&nodes.len()) {
            return Some(nodes);
        }
        let accepted = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let message = format!("{name} has {} elements, and {accepted} are accepted", nodes.len());
        self.error(&node.origin, message, "add or remove some");
        None
    }

    /// The fields of a table.
    pub(super) fn table<'n>(&'n self, node: &'n Node, name: &str) -> Option<Fields<'n, 'a>> {
        let entries = self.entries(node, name)?;
        Some(Fields { walk: self, name: name.to_string(), entries, origin: &node.origin, taken: Vec::new() })
    }

    /// The fields of a table whose names are free.
    pub(super) fn entries<'n>(&self, node: &'n Node, name: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Table(entries) => Some(entries),
            _ => {
                self.wrong(node, name, "a table", "write it as a [section] or in braces");
                None
            }
        }
    }
}

/// The fields of one table, and which of them were asked for.
#[derive(Debug)]
pub(super) struct Fields<'n, 'a> {
    pub(super) walk: &'n Walk<'a>,
    name: String,
    entries: &'n [Entry],
    pub(super) origin: &'n Origin,
    taken: Vec<&'static str>,
}

impl<'n, 'a> Fields<'n, 'a> {
    /// The path of this table, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The path of a field of this table, for messages.
    pub(super) fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_string() } else { format!("{}.{key}", self.name) }
    }

    /// The field `key`, which is thereby known.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.taken.push(key);
        self.peek(key)
    }

    /// The field `key`, which this does not make known.
    pub(super) fn peek(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The field `key`, the first time that it is asked for.
    pub(super) fn take_once(&mut self, key: &'static str) -> Option<&'n Node> {
        if self.taken.contains(&key) { None } else { self.take(key) }
    }

    /// The field `key`, which has to be there.
    pub(super) fn need(&mut self, key: &'static str, remedy: &str) -> Option<&'n Node> {
        let node = self.take(key);
        if node.is_none() {
            self.walk.error(self.origin, format!("{} is missing", self.path(key)), remedy);
        }
        node
    }

    /// A whole number in [least, most], or `default`.
    pub(super) fn whole(&mut self, key: &'static str, range: (u64, u64), default: u64) -> u64 {
        let remedy = format!("correct it, or remove it for the default of {default}");
        let name = self.path(key);
        self.take(key).and_then(|node| self.walk.whole(node, &name, range, &remedy)).unwrap_or(default)
    }

    /// A number in [least, most], or `default`.
    pub(super) fn number(&mut self, key: &'static str, range: (f64, f64), default: f64) -> f64 {
        let remedy = format!("correct it, or remove it for the default of {default}");
        let name = self.path(key);
        self.take(key).and_then(|node| self.walk.number(node, &name, range, &remedy)).unwrap_or(default)
    }

    /// A time of at least `least`, where there is one.
    pub(super) fn time(&mut self, key: &'static str, least: Nanos, remedy: &str) -> Option<Nanos> {
        let name = self.path(key);
        self.take(key).and_then(|node| self.walk.time(node, &name, least, remedy))
    }

    /// A time of at least `least` that has to be there.
    pub(super) fn need_time(&mut self, key: &'static str, least: Nanos, remedy: &str) -> Option<Nanos> {
        let name = self.path(key);
        self.need(key, remedy).and_then(|node| self.walk.time(node, &name, least, remedy))
    }

    /// A whole number in [least, most] that has to be there.
    pub(super) fn need_whole(&mut self, key: &'static str, range: (u64, u64), remedy: &str) -> Option<u64> {
        let name = self.path(key);
        self.need(key, remedy).and_then(|node| self.walk.whole(node, &name, range, remedy))
    }

    /// A number in [least, most] that has to be there.
    pub(super) fn need_number(&mut self, key: &'static str, range: (f64, f64), remedy: &str) -> Option<f64> {
        let name = self.path(key);
        self.need(key, remedy).and_then(|node| self.walk.number(node, &name, range, remedy))
    }

    /// One of `words`, where there is one.
    pub(super) fn choice(&mut self, key: &'static str, words: &[&'static str]) -> Option<&'static str> {
        let name = self.path(key);
        self.take(key).and_then(|node| self.walk.choice(node, &name, words))
    }

    /// The table `key`, where there is one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Fields<'n, 'a>> {
        let name = self.path(key);
        self.take(key).and_then(|node| self.walk.table(node, &name))
    }

    /// Tells of every field that nobody asked for.
    pub(super) fn finish(self) {
        for entry in self.entries.iter().filter(|entry| !self.taken.contains(&entry.key.as_str())) {
            let message = match self.name.as_str() {
                "" => format!("`{}` is no field of a scenario", shortened(&entry.key)),
                name => format!("`{}` is no field of {name}", shortened(&entry.key)),
            };
            let remedy = match nearest(&entry.key, self.taken.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known are {}", self.taken.join(", ")),
            };
            self.walk.error(&entry.key_origin, message, remedy);
        }
    }
}

/// A time as text with its unit, `None` where it is not one.
pub(super) fn parse_time(text: &str) -> Option<Nanos> {
    let time = humantime::parse_duration(text.trim()).ok()?;
    u64::try_from(time.as_nanos()).ok().map(Nanos)
}

/// A time as it can be written in a scenario.
fn exact(time: Nanos) -> String {
    humantime::format_duration(std::time::Duration::from_nanos(time.0)).to_string()
}
