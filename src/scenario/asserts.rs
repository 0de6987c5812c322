//! The sections `[[assert]]`: what must hold of a run's figures, as `SERVICE.FIGURE OP VALUE`.
//!
//! Not the comparison with a run (`report::threshold`). Called by `super::plan_of`, when the classes are known.

use std::ops::Range;

use super::limits::Limits;
use super::tree::{Node, Origin, Value, shortened, shown_number};
use super::walk::{Fields, TIME_MOST, Walk, parse_time};
use crate::ids::ClassId;
use crate::plan::threshold::{self, Assert, Figure, Relation, Unit};
use crate::plan::{ClassPlan, Role};
use crate::problem::nearest;

/// The most thresholds of one scenario.
const ASSERTS_MOST: usize = 1_000;
/// The longest reason, in characters.
const WHY_MOST: usize = 500;

/// The thresholds of the variant called `variant`, which is one of `variants`.
pub(super) fn asserts(
    root: &mut Fields<'_, '_>,
    classes: &[ClassPlan],
    (on_cluster, limits): (bool, &Limits),
    variant: &str,
    variants: &[&str],
) -> Vec<Assert> {
    let walk = root.walk;
    let nodes = root.take("assert").and_then(|node| walk.list(node, "assert", (0, ASSERTS_MOST))).unwrap_or_default();
    let mut asserts: Vec<Assert> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let Some(mut fields) = walk.table(node, &format!("assert[{at}]")) else { continue };
        let that = fields.need("that", "write what must hold, like that = \"pop3.starved_percent < 1\"");
        let applies = fields.take("variant").map(|node| named(walk, node, &fields.path("variant"), variants));
        let applies = applies.is_none_or(|name| name.is_some_and(|name| name == variant));
        let why = fields.take("why").and_then(|node| why(walk, node, &fields.path("why"))).unwrap_or_default();
        let name = fields.path("that");
        fields.finish();
        let Some((that, text)) = that.and_then(|node| walk.text(node, &name).map(|text| (node, text))) else {
            continue;
        };
        let reader = Reader { walk, node: that, text, classes, on_cluster, limits, applies };
        let Some(assert) = reader.assert(why) else { continue };
        if let Some(other) = asserts.iter().find(|other| contradict(other, &assert)) {
            let message = format!("`{}` contradicts `{}`", shortened(text), shortened(&other.text));
            walk.error(&that.origin, message, "no run can fulfil both; correct one, or give each a `variant`");
        }
        asserts.push(assert);
    }
    asserts
}

/// The name of a variant that there is.
fn named<'n>(walk: &Walk<'_>, node: &'n Node, name: &str, variants: &[&str]) -> Option<&'n str> {
    let found = walk.text(node, name)?;
    if variants.contains(&found) {
        return Some(found);
    }
    let message = format!("{name} is `{}`, and there is no such variant", shortened(found));
    let remedy = match nearest(found, variants.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the variants are {}; leave it out for all of them", variants.join(", ")),
    };
    walk.error(&node.origin, message, remedy);
    None
}

fn why(walk: &Walk<'_>, node: &Node, name: &str) -> Option<String> {
    let text = walk.text(node, name)?;
    if text.chars().count() > WHY_MOST || text.chars().any(char::is_control) {
        let message = format!("{name} is longer than {WHY_MOST} characters, or has control characters");
        walk.error(&node.origin, message, "say it in one short line");
        return None;
    }
    Some(text.to_string())
}

/// What one threshold is read against.
struct Reader<'n, 'a> {
    walk: &'n Walk<'a>,
    node: &'n Node,
    text: &'n str,
    classes: &'n [ClassPlan],
    /// Whether the variant has a cluster.
    on_cluster: bool,
    limits: &'n Limits,
    /// Whether it is for the variant that is being read.
    applies: bool,
}

impl Reader<'_, '_> {
    fn assert(&self, why: String) -> Option<Assert> {
        const GRAMMAR: &str = "write SERVICE.FIGURE OP VALUE, like `pop3.starved_percent < 1`";
        let sign = |c: char| "<>=!".contains(c);
        let Some(end) = self.text.rfind(sign).map(|at| at + 1) else {
            let message = format!("`{}` has no comparison", shortened(self.text));
            self.error(0..self.text.len(), message, GRAMMAR);
            return None;
        };
        let start = self.text[..end].trim_end_matches(sign).len();
        let found = &self.text[start..end];
        let relation = Relation::ALL.iter().find(|(sign, _)| *sign == found).map(|(_, relation)| *relation);
        if relation.is_none() {
            let message = format!("`{}` is no comparison", shortened(found));
            self.error(start..end, message, "write one of < <= > >= == !=");
        }
        let left = trimmed(self.text, 0..start);
        let right = trimmed(self.text, end..self.text.len());
        if left.is_empty() || right.is_empty() {
            let side = if left.is_empty() { "before" } else { "behind" };
            self.error(start..end, format!("there is nothing {side} the comparison"), GRAMMAR);
            return None;
        }
        let target = self.target(left.clone()).and_then(|target| self.of_a_cluster(target, left));
        let value = target.as_ref().and_then(|(_, figure)| self.value(*figure, right));
        let (classes, figure) = target?;
        let (relation, value) = (relation?, value?);
        self.sensible(figure, relation, value)?;
        let text = self.text.trim().to_string();
        (self.applies && (figure.of_the_run() || !classes.is_empty())).then_some(Assert {
            text,
            why,
            classes,
            figure,
            relation,
            value,
        })
    }

    /// What only a cluster has is refused without one, and only services that users and senders ask are unavailable.
    fn of_a_cluster(&self, target: (Vec<ClassId>, Figure), place: Range<usize>) -> Option<(Vec<ClassId>, Figure)> {
        let (mut classes, figure) = target;
        let text = shortened(&self.text[place.clone()]);
        if figure.needs_a_cluster() && self.applies && !self.on_cluster {
            self.error(place, format!("`{text}` is a figure of a cluster"), "add [cluster], or name another figure");
            return None;
        }
        if let Figure::Limit(of) = figure
            && self.applies
            && !self.limits.has_section(of.section())
        {
            let section = of.section();
            self.error(place, format!("`{text}` is a figure of [{section}]"), "add it, or name another figure");
            return None;
        }
        if figure == Figure::Unavailable && self.applies {
            let asked = |class: &ClassId| matches!(self.classes[class.index()].role, Role::Protocol | Role::SmtpIn);
            classes.retain(asked);
            if classes.is_empty() {
                let message = format!("`{text}` is of no service that users or senders ask");
                self.error(place, message, "write pop3, imap4 or smtp-in, or that of one group, like evs1.pop3");
                return None;
            }
        }
        Some((classes, figure))
    }

    /// The classes and the figure that are compared.
    fn target(&self, place: Range<usize>) -> Option<(Vec<ClassId>, Figure)> {
        let text = &self.text[place.clone()];
        let all = Figure::all();
        if let Some((_, figure)) = all.iter().find(|(name, figure)| figure.of_the_run() && name == text) {
            return Some((Vec::new(), *figure));
        }
        if let Some((service, figure)) = Figure::at_the_end_of(text) {
            return Some((self.classes_called(place.start..place.start + service.len())?, figure));
        }
        let known = self
            .classes
            .iter()
            .map(|class| class.name.as_str())
            .filter(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
        let split = known.map(str::len).max().unwrap_or_else(|| guessed_split(text));
        if split > 0 && !["pool", "cluster", "store", "domains"].contains(&&text[..split]) {
            // What the service is wrong in is told as well.
            let _ = self.classes_called(place.start..place.start + split);
        }
        let figure = &text[(split + usize::from(split > 0)).min(text.len())..];
        let names = all.iter().map(|(name, _)| name.as_str());
        let message = match (split, figure) {
            (0, _) => format!("`{}` names no service and no figure of the run", shortened(text)),
            (_, "") => "there is no figure behind the service".to_string(),
            _ => format!("`{}` is no figure", shortened(figure)),
        };
        let is_whole = |near: &str| all.iter().any(|(name, figure)| name == near && figure.of_the_run());
        let near = nearest(text, names.clone()).or_else(|| nearest(figure, names.clone()));
        let remedy = match near {
            Some(near) if split == 0 && !is_whole(near) => {
                format!("write SERVICE.{near}, like pop3.{near}")
            }
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the figures are {}", known_figures(&all)),
        };
        self.error(place.end - figure.len()..place.end, message, &remedy);
        None
    }

    /// The classes of this name; a queue's name is that queue of every virtual server, `smtp` is all of SMTP. Nothing
    /// is known to be wrong where the threshold is for another variant.
    fn classes_called(&self, place: Range<usize>) -> Option<Vec<ClassId>> {
        let found = self.text[place.clone()].trim();
        let classes = threshold::classes_called(self.classes, found);
        if !classes.is_empty() || !self.applies {
            return Some(classes);
        }
        let names = || self.classes.iter().map(|class| class.name.as_str());
        let queues = names().filter_map(|name| name.split_once('.').map(|(_, queue)| queue));
        let message = format!("`{}` is no service of this scenario", shortened(found));
        let remedy = match nearest(found, names().chain(queues).chain(["smtp"])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write pop3, smtp-in, a queue like local-delivery, or smtp for all of SMTP".to_string(),
        };
        self.error(place, message, &remedy);
        None
    }

    /// The value in the figure's unit.
    fn value(&self, figure: Figure, place: Range<usize>) -> Option<f64> {
        let text = &self.text[place.clone()];
        let (number, wanted) = match figure.unit() {
            Unit::Percent => {
                (number(text.strip_suffix('%').unwrap_or(text).trim_end()), "a percentage like `1` or `1%`")
            }
            Unit::Time => {
                (parse_time(text).filter(|time| *time <= TIME_MOST).map(|time| time.0 as f64), "a time like `500ms`")
            }
            Unit::Count => (number(text), "a number like `20`"),
            Unit::ThreadSeconds => (number(text), "a number of thread-seconds like `600`"),
        };
        if number.is_none() {
            let message = format!("the value is `{}`, and {wanted} is needed", shortened(text));
            self.error(place, message, "write it in the unit of the figure");
        }
        number
    }

    /// Tells of a comparison that always or never holds; nothing where it never does.
    fn sensible(&self, figure: Figure, relation: Relation, value: f64) -> Option<()> {
        let most = figure.unit().most();
        let whole = figure.unit() != Unit::Count || value.fract() == 0.0;
        let never = match relation {
            Relation::Below => value <= 0.0,
            Relation::Above => value >= most,
            Relation::AtLeast => value > most,
            Relation::Equal => value > most || !whole,
            Relation::AtMost | Relation::Unequal => false,
        };
        let always = match relation {
            Relation::Below => value > most,
            Relation::AtMost => value >= most,
            Relation::AtLeast => value == 0.0,
            Relation::Unequal => value > most || !whole,
            Relation::Above | Relation::Equal => false,
        };
        let place = 0..self.text.len();
        if never {
            let message = format!("`{}` can never hold", shortened(self.text));
            let range =
                if most.is_finite() { format!("from 0 to {}", shown_number(most)) } else { "at least 0".into() };
            self.error(place, message, &format!("the figure is {range}; correct the comparison or the value"));
            return None;
        }
        if always {
            let message = format!("`{}` holds for every run", shortened(self.text));
            self.walk.warning(&self.origin(place), message, "correct it: a check that cannot fail is none");
        }
        Some(())
    }

    fn error(&self, place: Range<usize>, message: String, remedy: &str) {
        self.walk.error(&self.origin(place), message, remedy);
    }

    /// Where a part of the text was written: in the file, if the file has it letter by letter.
    fn origin(&self, part: Range<usize>) -> Origin {
        if let (Origin::File(whole), Value::Text(text)) = (&self.node.origin, &self.node.value) {
            let written = self.walk.source.text.get(whole.start + 1..whole.end.saturating_sub(1));
            if written == Some(text.as_str()) {
                return Origin::File(whole.start + 1 + part.start..whole.start + 1 + part.end);
            }
        }
        self.node.origin.clone()
    }
}

/// Every figure of a service, for a message.
fn known_figures(all: &[(String, Figure)]) -> String {
    let anywhere = all.iter().filter(|(_, figure)| !figure.needs_a_cluster());
    let single = anywhere.map(|(name, _)| name.as_str()).filter(|name| !name.contains('.'));
    let single = single.collect::<Vec<_>>().join(", ");
    format!("{single}, and wait.X and service.X with X one of mean, p50, p90, p99, p999, max")
}

/// `range` of `text` without the blanks at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// Where the service's name ends in a text that names no known figure: before the last part, or the last two where the
/// one before is `wait` or `service`. 0: there is no point.
fn guessed_split(text: &str) -> usize {
    let Some(last) = text.rfind('.') else { return 0 };
    let before = text[..last].rfind('.');
    match before {
        Some(before) if matches!(&text[before + 1..last], "wait" | "service") => before,
        _ => last,
    }
}

/// A plain decimal number of at least 0.
fn number(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| "0123456789.eE+-".contains(c));
    text.parse::<f64>().ok().filter(|number| plain && number.is_finite())
}

/// Whether no run can fulfil both.
fn contradict(a: &Assert, b: &Assert) -> bool {
    let same =
        a.figure == b.figure && (a.figure.of_the_run() || a.classes.iter().any(|class| b.classes.contains(class)));
    let whole = a.figure.unit() == Unit::Count;
    let inside = |value: f64| {
        let possible = (0.0..=a.figure.unit().most()).contains(&value) && (!whole || value.fract() == 0.0);
        possible && a.relation.holds(value, a.value) && b.relation.holds(value, b.value)
    };
    // Some value that fulfils both lies at, beside or between the two bounds, if there is any.
    let beside = |value: f64| match whole {
        true => [value.floor() - 1.0, value.floor(), value.floor() + 1.0, value.floor() + 2.0],
        false => [value.next_down(), value, value.next_up(), value],
    };
    let middle = beside(a.value + (b.value - a.value) / 2.0);
    same && !beside(a.value).into_iter().chain(beside(b.value)).chain(middle).any(inside)
}
