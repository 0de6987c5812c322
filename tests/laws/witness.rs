//! What was seen of a run: every item as an observer is told of it, and every event as the policy's log has it.
//!
//! Not a judgement. What is seen can be changed afterwards, to see whether a law notices.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use atqsim::engine::observer::Observer;
use atqsim::engine::{Options, RunOutput, virtual_time};
use atqsim::item::Outcome;
use atqsim::plan::Plan;
use atqsim::policy::decision_log::{LogLine, Trace};
use atqsim::time::Nanos;
use atqsim::workload::{Item, JourneyEnd};
use parking_lot::Mutex;

/// What an observer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Arrived,
    Refused,
    GaveUp,
    Started,
    Finished(Outcome),
}

/// What an observer was told, of which item, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) what: What,
    pub(crate) item: Item,
    pub(crate) now: Nanos,
}

#[derive(Debug, Default)]
struct Diary(Vec<Told>);

impl Diary {
    fn tell(&mut self, what: What, item: &Item, now: Nanos) {
        self.0.push(Told { what, item: *item, now });
    }
}

impl Observer for Diary {
    fn arrived(&mut self, item: &Item, now: Nanos) {
        self.tell(What::Arrived, item, now);
    }
    fn refused(&mut self, item: &Item, now: Nanos) {
        self.tell(What::Refused, item, now);
    }
    fn gave_up(&mut self, item: &Item, now: Nanos) {
        self.tell(What::GaveUp, item, now);
    }
    fn started(&mut self, item: &Item, now: Nanos) {
        self.tell(What::Started, item, now);
    }
    fn finished(&mut self, item: &Item, outcome: Outcome, now: Nanos) {
        self.tell(What::Finished(outcome), item, now);
    }
    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[derive(Debug, Default)]
struct Lines(Mutex<Vec<(Nanos, LogLine)>>);

impl Trace for Lines {
    fn note(&self, now: Nanos, line: &LogLine) {
        self.0.lock().push((now, line.clone()));
    }
}

/// One run as it was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) plan: Plan,
    pub(crate) told: Vec<Told>,
    /// Empty unless it was asked for.
    pub(crate) lines: Vec<(Nanos, LogLine)>,
    pub(crate) output: RunOutput,
}

/// An item by its load's name, its journey's number and its step.
pub(crate) type Key = (String, u64, u32);

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) class: String,
    pub(crate) due: Nanos,
    pub(crate) started: Option<Nanos>,
    pub(crate) ended: Option<(Nanos, What)>,
}

/// Runs a plan and looks on; `logged`: the policy's log is kept too.
pub(crate) fn see(plan: &Plan, logged: bool) -> Seen {
    let lines = Arc::new(Lines::default());
    let trace = logged.then(|| Arc::clone(&lines) as Arc<dyn Trace>);
    let options = Options { trace, ..Options::default() };
    let (output, diary) =
        virtual_time::observe(plan, &options, Some(Box::new(Diary::default()))).expect("time goes on");
    let diary = diary.expect("it comes back").into_any().downcast::<Diary>().expect("it is the same");
    let lines = std::mem::take(&mut *lines.0.lock());
    Seen { plan: plan.clone(), told: diary.0, lines, output }
}

impl Seen {
    pub(crate) fn key(&self, item: &Item) -> Key {
        (self.plan.source_name(item.source).to_string(), item.number, item.step)
    }

    /// Every item that came, those that were refused too.
    pub(crate) fn lives(&self) -> BTreeMap<Key, Life> {
        let mut lives: BTreeMap<Key, Life> = BTreeMap::new();
        for told in &self.told {
            let class = self.plan.class_name(told.item.class).to_string();
            let new = Life { class, due: told.item.due, started: None, ended: None };
            let life = lives.entry(self.key(&told.item)).or_insert(new);
            match told.what {
                What::Arrived => {}
                What::Started => life.started = Some(told.now),
                what => life.ended = Some((told.now, what)),
            }
        }
        lives
    }
}

/// The first difference between two sets of lives.
pub(crate) fn same(left: &BTreeMap<Key, Life>, right: &BTreeMap<Key, Life>) -> Result<(), String> {
    for (key, life) in left {
        if right.get(key) != Some(life) {
            return Err(format!("{key:?}: {life:?} and {:?}", right.get(key)));
        }
    }
    match right.keys().find(|key| !left.contains_key(*key)) {
        Some(key) => Err(format!("{key:?}: only on the right")),
        None => Ok(()),
    }
}
