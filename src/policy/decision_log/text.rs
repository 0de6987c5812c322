//! The text form of a decision log: a header with everything that a fresh dispatch needs, then one line an event.
//!
//! ```text
//! atqsim-trace 1
//! engine virtual
//! variant tuned
//! pool-size 44
//! runnable-limit 2
//! order port
//! waiting-room none
//! classes 2
//! class 0 requests max-waiting 1000000 priority 0 keep-free 0 called pop3
//! class 1 work-queue cap 9 drain until-empty max-waiting 5000 priority 0 keep-free 0 called smtp1.dsn
//! begin
//! +0 submit 1 -> queued 0/0 create t0
//! +0 thread-started t0 -> start t0 1 #0
//! +1250000 finishes t0 -> idle t0
//! end 3
//! ```
//!
//! A cluster's run has a log for each node, and another for one that died and began anew: their headers say `node n1` and
//! `first-number 17`, and come where the node begins; `log 1` says that the lines from there on are of the second.
//!
//! `+N`: nanoseconds since the line before. `queued 17/12`: item 17 in place 12; `start t4 3 #17`: thread 4 begins item
//! 17 of class 3. Not a file and not a replay (`check.rs`). Called by `run`, which writes, and `check`, which reads.

use std::fmt::Write as _;

use super::LogLine;
use crate::ids::{ClassId, ThreadId};
use crate::policy::dispatch::{ClassRule, Decision, Event, Kind, Rules, Ticket};
use crate::policy::drain::Drain;
use crate::policy::order::Order;
use crate::time::Nanos;

/// The version of the form.
pub const VERSION: u32 = 1;
/// The first words of every log.
pub(super) const MAGIC: &str = "atqsim-trace";
/// The line between header and events.
pub(super) const BEGIN: &str = "begin";

/// What a log says before its first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The engine's name.
    pub engine: String,
    /// The variant's name.
    pub variant: String,
    /// The node of a cluster, and the number of its first item.
    pub node: Option<(String, u64)>,
    /// What the dispatch knew.
    pub rules: Rules,
    /// The names of the classes.
    pub names: Vec<String>,
}

impl Header {
    /// The header's lines, with the one that begins the events.
    #[must_use]
    pub fn text(&self) -> String {
        // Taken apart field by field: a rule that is added and not written here would replay as another policy.
        let Rules { pool_size, runnable_limit, classes, order, waiting_room, starting_limit } = &self.rules;
        let mut out = format!("{MAGIC} {VERSION}\nengine {}\nvariant {}\n", self.engine, self.variant);
        if let Some((node, first_number)) = &self.node {
            let _ = write!(out, "node {node}\nfirst-number {first_number}\n");
        }
        let _ = write!(out, "pool-size {pool_size}\nrunnable-limit {runnable_limit}\norder {}\n", order.name());
        let room = waiting_room.map_or_else(|| "none".to_string(), |most| most.to_string());
        if *starting_limit != u32::MAX {
            let _ = writeln!(out, "starting-limit {starting_limit}");
        }
        let _ = write!(out, "waiting-room {room}\nclasses {}\n", classes.len());
        for (at, (rule, name)) in classes.iter().zip(&self.names).enumerate() {
            let ClassRule { kind, max_waiting, priority, keep_free } = rule;
            let kind = match kind {
                Kind::Requests => "requests".to_string(),
                Kind::WorkQueue { cap, drain } => format!("work-queue cap {cap} drain {drain}"),
            };
            let rest = format!("priority {priority} keep-free {keep_free} called {name}");
            let _ = writeln!(out, "class {at} {kind} max-waiting {max_waiting} {rest}");
        }
        out + BEGIN + "\n"
    }
}

/// A header that is being read.
#[derive(Debug, Default)]
pub(super) struct Partial {
    engine: Option<String>,
    variant: Option<String>,
    node: Option<String>,
    first_number: Option<u64>,
    pool_size: Option<u32>,
    runnable_limit: Option<u32>,
    order: Option<Order>,
    waiting_room: Option<Option<usize>>,
    starting_limit: Option<u32>,
    classes: Option<usize>,
    rules: Vec<ClassRule>,
    names: Vec<String>,
}

impl Partial {
    /// Takes one line in.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub(super) fn read(&mut self, line: &str) -> Result<(), String> {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "engine" => self.engine = Some(rest.to_string()),
            "variant" => self.variant = Some(rest.to_string()),
            "node" => self.node = Some(rest.to_string()),
            "first-number" => self.first_number = Some(whole(rest).and_then(small_enough)?),
            "pool-size" => self.pool_size = Some(whole(rest)?),
            "runnable-limit" => self.runnable_limit = Some(whole(rest)?),
            "order" => {
                let order = Order::from_name(rest).ok_or_else(|| format!("`{}` is no order", clipped(rest)))?;
                self.order = Some(order);
            }
            "starting-limit" => self.starting_limit = Some(whole(rest)?),
            "waiting-room" if rest == "none" => self.waiting_room = Some(None),
            "waiting-room" => self.waiting_room = Some(Some(whole(rest)?)),
            "classes" => self.classes = Some(whole(rest)?),
            "class" => {
                let (rule, name) = rest.split_once(" called ").ok_or("a class has no name")?;
                let mut words = Words(rule);
                let number: u16 = words.whole()?;
                if usize::from(number) != self.names.len() {
                    return Err(format!("class {number} stands where class {} is due", self.names.len()));
                }
                self.rules.push(class_rule(&mut words)?);
                words.end()?;
                self.names.push(name.to_string());
            }
            _ => return Err(format!("`{}` is no line of a header", clipped(line))),
        }
        Ok(())
    }

    /// The header, if nothing is missing.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn complete(&mut self) -> Result<Header, String> {
        fn need<T>(field: Option<T>, name: &str) -> Result<T, String> {
            field.ok_or_else(|| format!("the header has no `{name}`"))
        }
        let classes = need(self.classes, "classes")?;
        if classes != self.names.len() {
            return Err(format!("the header has {} of its {classes} classes", self.names.len()));
        }
        Ok(Header {
            engine: need(self.engine.take(), "engine")?,
            variant: need(self.variant.take(), "variant")?,
            node: match self.node.take() {
                Some(node) => Some((node, need(self.first_number, "first-number")?)),
                None => None,
            },
            rules: Rules {
                pool_size: need(self.pool_size, "pool-size")?,
                runnable_limit: need(self.runnable_limit, "runnable-limit")?,
                classes: std::mem::take(&mut self.rules),
                order: need(self.order, "order")?,
                waiting_room: need(self.waiting_room, "waiting-room")?,
                // Written only where there is one.
                starting_limit: self.starting_limit.take().unwrap_or(u32::MAX),
            },
            names: std::mem::take(&mut self.names),
        })
    }
}

/// Items are numbered in 48 bits, and a log needs some of them.
fn small_enough(first_number: u64) -> Result<u64, String> {
    const MOST: u64 = (1 << 48) - (1 << 44);
    if first_number <= MOST { Ok(first_number) } else { Err(format!("`{first_number}` is too large a first number")) }
}

fn class_rule(words: &mut Words<'_>) -> Result<ClassRule, String> {
    let kind = match words.next()? {
        "requests" => Kind::Requests,
        "work-queue" => {
            words.expect("cap")?;
            let cap = words.whole()?;
            words.expect("drain")?;
            let name = words.next()?;
            let drain = Drain::from_name(name).ok_or_else(|| format!("`{}` is no drain rule", clipped(name)))?;
            Kind::WorkQueue { cap, drain }
        }
        other => return Err(format!("`{}` is no kind of class", clipped(other))),
    };
    words.expect("max-waiting")?;
    let max_waiting = words.whole()?;
    words.expect("priority")?;
    let priority = words.whole()?;
    words.expect("keep-free")?;
    Ok(ClassRule { kind, max_waiting, priority, keep_free: words.whole()? })
}

/// Appends the line of an event that came `gap` after the one before, with its line's end.
pub fn write_line(out: &mut String, gap: Nanos, line: &LogLine) {
    let _ = write!(out, "+{} {} -> ", gap.0, event_text(&line.event));
    write_decisions(out, &line.decisions);
    out.push('\n');
}

/// An event as the log writes it.
#[must_use]
pub fn event_text(event: &Event<()>) -> String {
    match event {
        Event::Submit { class, job: () } => format!("submit {}", class.0),
        Event::GiveUp { ticket } => format!("give-up {}/{}", ticket.seq(), ticket.class().0),
        Event::ThreadStarted { thread } => format!("thread-started t{}", thread.0),
        Event::ThreadRefused { thread } => format!("thread-refused t{}", thread.0),
        Event::Blocks { thread } => format!("blocks t{}", thread.0),
        Event::Wakes { thread } => format!("wakes t{}", thread.0),
        Event::Finishes { thread } => format!("finishes t{}", thread.0),
        Event::IdleTooLong { thread } => format!("idle-too-long t{}", thread.0),
        Event::SetCap { class, cap } => format!("set-cap {} {cap}", class.0),
        Event::SetPoolSize { size } => format!("set-pool-size {size}"),
        Event::SetRunnableLimit { limit } => format!("set-runnable-limit {limit}"),
    }
}

/// Decisions as the log writes them.
#[must_use]
pub fn decisions_text(decisions: &[Decision<()>]) -> String {
    let mut out = String::new();
    write_decisions(&mut out, decisions);
    out
}

fn write_decisions(out: &mut String, decisions: &[Decision<()>]) {
    if decisions.is_empty() {
        out.push_str("nothing");
    }
    for (at, decision) in decisions.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        // Writing to a string does not fail.
        let _ = match decision {
            Decision::Queued { ticket } => write!(out, "queued {}/{}", ticket.seq(), ticket.class().0),
            Decision::Refused { job: () } => write!(out, "refused"),
            Decision::Start { thread, class, seq, job: () } => write!(out, "start t{} {} #{seq}", thread.0, class.0),
            Decision::Left { job: () } => write!(out, "left"),
            Decision::Create { thread } => write!(out, "create t{}", thread.0),
            Decision::Idle { thread } => write!(out, "idle t{}", thread.0),
            Decision::Retire { thread } => write!(out, "retire t{}", thread.0),
        };
    }
}

/// The event and the decisions of a line, and the time since the line before.
///
/// # Errors
/// What is wrong with the line.
pub fn parse_line(line: &str) -> Result<(Nanos, LogLine), String> {
    let (left, right) = line.split_once(" -> ").ok_or("there is no ` -> ` between event and decisions")?;
    let mut words = Words(left);
    let gap = words.next()?.strip_prefix('+').ok_or("the line does not begin with the time, like `+1250000`")?;
    let gap = Nanos(whole(gap)?);
    let event = parse_event(&mut words)?;
    words.end()?;
    let mut words = Words(right);
    let mut decisions = Vec::new();
    if right == "nothing" {
        return Ok((gap, LogLine { event, decisions }));
    }
    loop {
        decisions.push(parse_decision(&mut words)?);
        if words.0.is_empty() {
            return Ok((gap, LogLine { event, decisions }));
        }
    }
}

fn parse_event(words: &mut Words<'_>) -> Result<Event<()>, String> {
    Ok(match words.next()? {
        "submit" => Event::Submit { class: ClassId(words.whole()?), job: () },
        "give-up" => Event::GiveUp { ticket: words.ticket()? },
        "thread-started" => Event::ThreadStarted { thread: words.thread()? },
        "thread-refused" => Event::ThreadRefused { thread: words.thread()? },
        "blocks" => Event::Blocks { thread: words.thread()? },
        "wakes" => Event::Wakes { thread: words.thread()? },
        "finishes" => Event::Finishes { thread: words.thread()? },
        "idle-too-long" => Event::IdleTooLong { thread: words.thread()? },
        "set-cap" => Event::SetCap { class: ClassId(words.whole()?), cap: words.whole()? },
        "set-pool-size" => Event::SetPoolSize { size: words.whole()? },
        "set-runnable-limit" => Event::SetRunnableLimit { limit: words.whole()? },
        other => return Err(format!("`{}` is no event", clipped(other))),
    })
}

fn parse_decision(words: &mut Words<'_>) -> Result<Decision<()>, String> {
    Ok(match words.next()? {
        "queued" => Decision::Queued { ticket: words.ticket()? },
        "refused" => Decision::Refused { job: () },
        "start" => {
            let (thread, class) = (words.thread()?, ClassId(words.whole()?));
            let seq = words.next()?;
            let seq = seq.strip_prefix('#').ok_or_else(|| format!("`{}` is no item, like `#17`", clipped(seq)))?;
            Decision::Start { thread, class, seq: whole(seq)?, job: () }
        }
        "left" => Decision::Left { job: () },
        "create" => Decision::Create { thread: words.thread()? },
        "idle" => Decision::Idle { thread: words.thread()? },
        "retire" => Decision::Retire { thread: words.thread()? },
        other => return Err(format!("`{}` is no decision", clipped(other))),
    })
}

/// The words of a line, which single blanks divide.
pub(super) struct Words<'a>(pub(super) &'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Result<&'a str, String> {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        if word.is_empty() { Err("the line ends too early, or has two blanks in a row".to_string()) } else { Ok(word) }
    }

    fn whole<T: std::str::FromStr>(&mut self) -> Result<T, String> {
        self.next().and_then(whole)
    }

    fn thread(&mut self) -> Result<ThreadId, String> {
        let word = self.next()?;
        let number = word.strip_prefix('t').ok_or_else(|| format!("`{}` is no thread, like `t4`", clipped(word)))?;
        whole(number).map(ThreadId)
    }

    fn ticket(&mut self) -> Result<Ticket, String> {
        let word = self.next()?;
        let parts = word.split_once('/').ok_or_else(|| format!("`{}` is no ticket, like `17/2`", clipped(word)))?;
        let seq = whole::<u64>(parts.0)?;
        if seq >= 1 << 48 {
            return Err(format!("`{}` is too large a number for an item", clipped(parts.0)));
        }
        Ok(Ticket::new(seq, ClassId(whole(parts.1)?)))
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        let word = self.next()?;
        if word == wanted { Ok(()) } else { Err(format!("`{}` stands where `{wanted}` is due", clipped(word))) }
    }

    pub(super) fn end(&self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("`{}` is too much", clipped(self.0))) }
    }
}

/// A number of digits alone.
pub(super) fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| format!("`{}` is no whole number that fits", clipped(text)))
}

/// The beginning of a text, fit for a message.
pub(super) fn clipped(text: &str) -> String {
    const MOST: usize = 40;
    let mut short: String = text.chars().take(MOST).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events() -> impl Strategy<Value = Event<()>> {
        let thread = || any::<u32>().prop_map(ThreadId);
        prop_oneof![
            any::<u16>().prop_map(|class| Event::Submit { class: ClassId(class), job: () }),
            tickets().prop_map(|ticket| Event::GiveUp { ticket }),
            thread().prop_map(|thread| Event::ThreadStarted { thread }),
            thread().prop_map(|thread| Event::ThreadRefused { thread }),
            thread().prop_map(|thread| Event::Blocks { thread }),
            thread().prop_map(|thread| Event::Wakes { thread }),
            thread().prop_map(|thread| Event::Finishes { thread }),
            thread().prop_map(|thread| Event::IdleTooLong { thread }),
            any::<(u16, u32)>().prop_map(|(class, cap)| Event::SetCap { class: ClassId(class), cap }),
            any::<u32>().prop_map(|size| Event::SetPoolSize { size }),
            any::<u32>().prop_map(|limit| Event::SetRunnableLimit { limit }),
        ]
    }

    fn tickets() -> impl Strategy<Value = Ticket> {
        (0..1_u64 << 48, any::<u16>()).prop_map(|(seq, class)| Ticket::new(seq, ClassId(class)))
    }

    fn decisions() -> impl Strategy<Value = Decision<()>> {
        let thread = || any::<u32>().prop_map(ThreadId);
        prop_oneof![
            tickets().prop_map(|ticket| Decision::Queued { ticket }),
            Just(Decision::Refused { job: () }),
            (thread(), any::<(u16, u64)>())
                .prop_map(|(thread, (class, seq))| { Decision::Start { thread, class: ClassId(class), seq, job: () } }),
            Just(Decision::Left { job: () }),
            thread().prop_map(|thread| Decision::Create { thread }),
            thread().prop_map(|thread| Decision::Idle { thread }),
            thread().prop_map(|thread| Decision::Retire { thread }),
        ]
    }

    fn rules() -> impl Strategy<Value = ClassRule> {
        let drain = prop_oneof![Just(Drain::UntilEmpty), (1..=u32::MAX).prop_map(Drain::Messages)];
        let kind = prop_oneof![
            Just(Kind::Requests),
            (any::<u32>(), drain).prop_map(|(cap, drain)| Kind::WorkQueue { cap, drain })
        ];
        (kind, any::<(usize, u32, u32)>()).prop_map(|(kind, (max_waiting, priority, keep_free))| ClassRule {
            kind,
            max_waiting,
            priority,
            keep_free,
        })
    }

    proptest! {
        #[test]
        fn a_line_reads_back(
            gap in any::<u64>(),
            event in events(),
            decisions in prop::collection::vec(decisions(), 0..5),
        ) {
            let line = LogLine { event, decisions };
            let mut text = String::new();
            write_line(&mut text, Nanos(gap), &line);
            prop_assert_eq!(parse_line(text.trim_end_matches('\n')), Ok((Nanos(gap), line)));
        }

        #[test]
        fn a_header_reads_back(
            sizes in (1..=u32::MAX, 1..=u32::MAX),
            classes in prop::collection::vec(rules(), 1..5),
            name in "[^\\p{C}]{1,20}",
            order in 0..Order::ALL.len(),
            waiting_room in any::<Option<usize>>(),
            starting_limit in any::<u32>(),
        ) {
            let names = vec![name.clone(); classes.len()];
            let order = Order::ALL[order];
            let rules = Rules { pool_size: sizes.0, runnable_limit: sizes.1, classes, order, waiting_room, starting_limit };
            let header = Header { engine: "threads".into(), variant: name, node: None, rules, names };
            let mut read = Partial::default();
            for line in header.text().lines().skip(1).take_while(|line| *line != BEGIN) {
                prop_assert_eq!(read.read(line), Ok(()));
            }
            prop_assert_eq!(read.complete(), Ok(header));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(\\+1 |submit |finishes |t|[0-9]|/| -> |start |#|nothing|\\PC){0,12}") {
            if let Ok((gap, line)) = parse_line(&text) {
                let mut again = String::new();
                write_line(&mut again, gap, &line);
                prop_assert_eq!(parse_line(again.trim_end()), Ok((gap, line)));
            }
        }
    }
}
