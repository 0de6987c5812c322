//! A scenario as a tree of values, each of which knows where it was written: in the file, or on the command line.
//!
//! Not a check of any kind: what a field may hold is decided in `walk.rs` and its callers. Called by `super::read` and
//! `variant.rs`, which lay overrides over the tree before it is walked.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Place, Problem, SourceText};

/// Where a value was written.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// In the scenario's file.
    File(Range<usize>),
    /// On the command line: the flag as it was given.
    Flag(Arc<str>),
}

impl Origin {
    /// The place for a problem.
    pub(super) fn place(&self, source: &Arc<SourceText>) -> Place {
        match self {
            Origin::File(span) => Place::Span(Arc::clone(source), span.clone()),
            Origin::Flag(flag) => Place::Named(flag.to_string()),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value of TOML.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Whole(i128),
    Real(f64),
    Truth(bool),
    /// A date, a time, or a number too long for its type: nothing that a scenario uses, so only its text is kept.
    Other(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// One field of a table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key was written.
    pub(super) key_origin: Origin,
    pub(super) node: Node,
}

impl Node {
    /// The value as a message shows it.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("`{}`", shortened(text)),
            Value::Whole(n) => n.to_string(),
            Value::Real(x) => shown_number(*x),
            Value::Truth(b) => b.to_string(),
            Value::Other(text) => shortened(text),
            Value::List(_) => "a list".to_string(),
            Value::Table(_) => "a table".to_string(),
        }
    }

    /// The node at `path`, through tables only.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, part| match &node.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == *part).map(|entry| &entry.node),
            _ => None,
        })
    }
}

/// A number as a message shows it.
pub(super) fn shown_number(x: f64) -> String {
    if x.is_finite() && x != 0.0 && !(1e-6..1e15).contains(&x.abs()) { format!("{x:e}") } else { x.to_string() }
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

/// The tree of `source`, as far as it can be read, and every mistake of syntax.
pub(super) fn parse(source: &Arc<SourceText>) -> (Node, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let problems = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().trim_end().replace('\n', ", ");
            Problem::error(Place::Span(Arc::clone(source), span), message, "correct it: a scenario is a TOML file")
        })
        .collect();
    let value = convert_table(table.get_ref(), &|span| Origin::File(span));
    (Node { value, origin: Origin::File(0..0) }, problems)
}

/// The value of a `--set` flag: TOML where it is, else the bare text.
pub(super) fn parse_flag(text: &str, flag: &str) -> Node {
    let flag: Arc<str> = Arc::from(flag);
    let origin = |_: Range<usize>| Origin::Flag(Arc::clone(&flag));
    let value = match DeValue::parse(text) {
        Ok(value) => convert(value.get_ref(), &origin),
        Err(_) => Value::Text(text.to_string()),
    };
    Node { value, origin: origin(0..0) }
}

fn convert_node(value: &Spanned<DeValue<'_>>, origin: &dyn Fn(Range<usize>) -> Origin) -> Node {
    Node { value: convert(value.get_ref(), origin), origin: origin(value.span()) }
}

fn convert(value: &DeValue<'_>, origin: &dyn Fn(Range<usize>) -> Origin) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(n) => {
            i128::from_str_radix(n.as_str(), n.radix()).map_or_else(|_| Value::Other(n.to_string()), Value::Whole)
        }
        DeValue::Float(x) => x.as_str().parse().map_or_else(|_| Value::Other(x.to_string()), Value::Real),
        DeValue::Boolean(b) => Value::Truth(*b),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(nodes) => Value::List(nodes.iter().map(|node| convert_node(node, origin)).collect()),
        DeValue::Table(table) => convert_table(table, origin),
    }
}

/// The table's fields in the order of the file, which the parser does not keep.
fn convert_table(table: &DeTable<'_>, origin: &dyn Fn(Range<usize>) -> Origin) -> Value {
    let mut fields: Vec<_> = table.iter().collect();
    fields.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, node): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        Entry { key: name.to_string(), key_origin: origin(key.span()), node: convert_node(node, origin) }
    };
    Value::Table(fields.into_iter().map(entry).collect())
}

/// The parts of a path like `load.pop.rate` or `load."a.b".rate`; `None` where it is not one.
pub(super) fn parse_path(path: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = path.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (part, after) = quoted.split_once('"')?;
                (part, after.trim_start())
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].trim(), &rest[end..])
            }
        };
        if part.is_empty() || parts.len() == PATH_PARTS_MOST {
            return None;
        }
        parts.push(part.to_string());
        if after.is_empty() {
            return Some(parts);
        }
        rest = after.strip_prefix('.')?.trim_start();
    }
}

/// No field of a scenario lies deeper.
const PATH_PARTS_MOST: usize = 16;

/// Puts `node` at `path`, and makes the tables on the way that are missing. What was there is replaced.
///
/// # Errors
/// The number of leading parts of the path that name something which is no table.
pub(super) fn put(root: &mut Node, path: &[String], node: Node) -> Result<(), usize> {
    let Some((last, way)) = path.split_last() else { return Err(0) };
    let mut here = root;
    for (depth, part) in way.iter().enumerate() {
        let Value::Table(entries) = &mut here.value else { return Err(depth) };
        let at = entries.iter().position(|entry| entry.key == *part).unwrap_or_else(|| {
            let empty = Node { value: Value::Table(Vec::new()), origin: node.origin.clone() };
            entries.push(Entry { key: part.clone(), key_origin: node.origin.clone(), node: empty });
            entries.len() - 1
        });
        here = &mut entries[at].node;
    }
    let Value::Table(entries) = &mut here.value else { return Err(way.len()) };
    match entries.iter_mut().find(|entry| entry.key == *last) {
        Some(entry) => *entry = Entry { key: last.clone(), key_origin: node.origin.clone(), node },
        None => entries.push(Entry { key: last.clone(), key_origin: node.origin.clone(), node }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_with_and_without_quotes() {
        let parts = |path| parse_path(path).map(|parts| parts.join("|"));
        assert_eq!(parts("seed").as_deref(), Some("seed"));
        assert_eq!(parts("load.pop.rate").as_deref(), Some("load|pop|rate"));
        assert_eq!(parts("load.\"a.b\".rate").as_deref(), Some("load|a.b|rate"));
        assert_eq!(parts(" load . pop ").as_deref(), Some("load|pop"));
        for wrong in ["", ".", "a.", ".a", "a..b", "\"a", "\"a\"b", "a.\"\""] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn overrides_make_what_is_missing_and_stop_at_what_is_no_table() {
        let source = Arc::new(SourceText { name: "x".into(), text: "a = 1\n[b]\nc = 2\n".into() });
        let (mut root, problems) = parse(&source);
        assert_eq!(problems, []);
        let path = |text| parse_path(text).unwrap();
        assert_eq!(put(&mut root, &path("b.c"), parse_flag("3", "--set b.c=3")), Ok(()));
        assert_eq!(put(&mut root, &path("d.e.f"), parse_flag("20/s", "--set d.e.f=20/s")), Ok(()));
        assert_eq!(put(&mut root, &path("a.b"), parse_flag("3", "")), Err(1));
        assert_eq!(root.at(&["b", "c"]).map(Node::shown).as_deref(), Some("3"));
        assert_eq!(root.at(&["d", "e", "f"]).map(Node::shown).as_deref(), Some("`20/s`"));
        assert!(root.at(&["a", "b"]).is_none());
    }
}
