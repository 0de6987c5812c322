//! What is asked of the pool: items with due times and service demand, and what follows an outcome.
//!
//! Not who gets a thread, and not when a thread is done: an engine tells that. [`Workload`] is the run-time side;
//! [`journey`], [`arrivals`], [`distribution`] and [`faults`] are what a scenario says; [`logs`] reads traces.
//! Every draw is addressed by (seed, source, journey, step), so two variants of a scenario give the same item the same
//! demand whatever happened before it. Never knows policy or engines. Called by `plan` and `engine`.

pub mod arrivals;
pub mod distribution;
pub mod faults;
pub mod journey;
pub mod logs;

use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::ids::{ClassId, SourceId, StageId};
use crate::item::Outcome;
use crate::problem::Problem;
use crate::rng::StreamKey;
use crate::time::Nanos;
use arrivals::{ArrivalTimes, purpose};
use journey::{Arrivals, Journey, LoadSpec, PhaseKind, Then, TraceInput, command};
use logs::{Trace, TraceOptions, TraceRow, TraceService};

/// One item of work: a step of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its class.
    pub class: ClassId,
    /// What is asked.
    pub stage: StageId,
    /// The source of its journey.
    pub source: SourceId,
    /// When it should start: its wait counts from here.
    pub due: Nanos,
    /// When its journey began.
    pub began: Nanos,
    /// The journey's number within its source.
    pub number: u64,
    /// How many steps the journey has had before this one.
    pub step: u32,
    /// How many messages the session's mailbox holds.
    messages: u32,
    /// Service time that a log has given: the stage's phases are stretched to it.
    given: Option<Nanos>,
}

/// What a thread does next for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Hold a processor for this long.
    Cpu(Nanos),
    /// Wait for this long; the thread is not runnable.
    Wait(Nanos),
}

/// How a journey ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JourneyEnd {
    /// Its source.
    pub source: SourceId,
    /// When it began.
    pub began: Nanos,
    /// Whether its last step was served; otherwise it was cut short.
    pub completed: bool,
}

/// What follows an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct After {
    /// An item that is due now.
    pub next: Option<Item>,
    /// The journey is over.
    pub ended: Option<JourneyEnd>,
}

#[derive(Debug)]
enum Feed {
    Open(ArrivalTimes),
    Closed,
    Trace(Box<TraceFeed>),
}

/// The rows of a log, and the one that comes next.
#[derive(Debug)]
struct TraceFeed {
    rows: Trace,
    next: Option<TraceRow>,
    /// Rows of a service that the scenario does not have.
    homeless: u64,
}

#[derive(Debug)]
struct SourceState {
    key: StreamKey,
    feed: Feed,
    journeys: u64,
}

/// Something that will be due.
#[derive(Debug)]
struct Coming {
    due: Nanos,
    order: u64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The next journey of an open source.
    Journey(SourceId),
    /// An item that was put off: a command after its think time, a client's next session.
    Item(Item),
}

impl PartialEq for Coming {
    fn eq(&self, other: &Coming) -> bool {
        (self.due, self.order) == (other.due, other.order)
    }
}

impl Eq for Coming {}

impl PartialOrd for Coming {
    fn partial_cmp(&self, other: &Coming) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Reversed, so that a max-heap gives the earliest first; equal times in order of their making.
impl Ord for Coming {
    fn cmp(&self, other: &Coming) -> std::cmp::Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

/// The load of one run. See the module's head.
#[derive(Debug)]
pub struct Workload {
    spec: Arc<LoadSpec>,
    sources: Vec<SourceState>,
    calendar: BinaryHeap<Coming>,
    order: u64,
    until: Nanos,
}

impl Workload {
    /// The load that `spec` says under `seed`, up to (not including) `until`.
    ///
    /// # Errors
    /// Every problem of a log that cannot be read.
    pub fn new(spec: Arc<LoadSpec>, seed: u64, until: Nanos) -> Result<Workload, Vec<Problem>> {
        let mut load =
            Workload { spec: spec.clone(), sources: Vec::new(), calendar: BinaryHeap::new(), order: 0, until };
        for (at, source) in spec.sources.iter().enumerate() {
            let id = SourceId(at as u16);
            let key = StreamKey::new(seed, &source.name);
            let feed = match &source.arrivals {
                Arrivals::Open { pattern, batch } => Feed::Open(ArrivalTimes::new(key, pattern.clone(), *batch, until)),
                Arrivals::Closed { .. } => Feed::Closed,
                Arrivals::Trace(trace) => {
                    Feed::Trace(Box::new(TraceFeed { rows: open(trace, until)?, next: None, homeless: 0 }))
                }
            };
            load.sources.push(SourceState { key, feed, journeys: 0 });
            match &source.arrivals {
                Arrivals::Closed { population, .. } => {
                    for client in 0..u64::from(*population) {
                        load.begin_session(id, client, Nanos::ZERO);
                    }
                }
                _ => load.plan_next(id),
            }
        }
        Ok(load)
    }

    /// When the next item is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        self.calendar.peek().map(|coming| coming.due)
    }

    /// The next item that is due at `now` or before.
    pub fn pop_due(&mut self, now: Nanos) -> Option<Item> {
        while self.next_due()? <= now {
            let coming = self.calendar.pop()?;
            if let Some(item) = self.come(&coming) {
                return Some(item);
            }
        }
        None
    }

    fn come(&mut self, coming: &Coming) -> Option<Item> {
        match coming.what {
            What::Item(item) => Some(item),
            What::Journey(source) => {
                let state = &mut self.sources[source.index()];
                let number = state.journeys;
                state.journeys += 1;
                let row = match &mut state.feed {
                    Feed::Trace(feed) => feed.next.take(),
                    _ => None,
                };
                self.plan_next(source);
                match row {
                    Some(row) => {
                        let item = self.row_item(source, number, &row);
                        if let (None, Feed::Trace(feed)) = (item, &mut self.sources[source.index()].feed) {
                            feed.homeless += 1;
                        }
                        item
                    }
                    None => Some(self.first_item(source, number, coming.due)),
                }
            }
        }
    }

    /// Phase `phase` (from 0) of an item's service, if it begins `now`. `None`: the service is over.
    #[must_use]
    pub fn work(&self, item: &Item, phase: u32, now: Nanos) -> Option<Work> {
        let stage = &self.spec.stages[item.stage.index()];
        let key = self.sources[item.source.index()].key;
        let stream = || key.stream(item.number, phase_purpose(item.step, phase));
        if let Some(given) = item.given {
            // Guess: the time that a log gives is spent waiting, for whatever the stage's first wait is for.
            let on = stage.phases.iter().find_map(|p| match p.kind {
                PhaseKind::Wait(on) => Some(on),
                PhaseKind::Cpu => None,
            });
            let stretched = on
                .map_or(given, |on| faults::stretched(&self.spec.faults, item.class, on, given, now, stream().unit()));
            return (phase == 0).then_some(Work::Wait(stretched));
        }
        let phase = stage.phases.get(phase as usize)?;
        let mut stream = stream();
        let time = phase.time.draw(&mut stream);
        Some(match phase.kind {
            PhaseKind::Cpu => Work::Cpu(time),
            PhaseKind::Wait(_) if self.spec.faults.is_empty() => Work::Wait(time),
            PhaseKind::Wait(on) => {
                Work::Wait(faults::stretched(&self.spec.faults, item.class, on, time, now, stream.unit()))
            }
        })
    }

    /// Whether the handler of an item that began its service at `started` panics at the end.
    #[must_use]
    pub fn panics(&self, item: &Item, started: Nanos) -> bool {
        !self.spec.faults.is_empty() && {
            let key = self.sources[item.source.index()].key;
            let chance = key.stream(item.number, phase_purpose(item.step, PANIC_PHASE)).unit();
            faults::panics(&self.spec.faults, item.class, started, chance)
        }
    }

    /// The moment at which the item's client gives up, if it does.
    #[must_use]
    pub fn gives_up_at(&self, item: &Item) -> Option<Nanos> {
        let patience = self.spec.stages[item.stage.index()].patience.as_ref()?;
        let mut stream = self.stream(item, purpose::PATIENCE);
        Some(item.due + patience.draw(&mut stream))
    }

    /// What follows when `item` ends with `outcome` at `now`. A later follower goes into the load's own calendar.
    pub fn after(&mut self, item: &Item, outcome: Outcome, now: Nanos) -> After {
        if let Some((stage, wait)) = self.next_step(item, outcome) {
            let class = self.spec.stages[stage.index()].class;
            let follower = Item { class, stage, due: now + wait, step: item.step + 1, given: None, ..*item };
            if wait == Nanos::ZERO {
                return After { next: Some(follower), ended: None };
            }
            self.put_off(What::Item(follower), follower.due);
            return After::default();
        }
        if let Arrivals::Closed { population, .. } = self.spec.sources[item.source.index()].arrivals {
            // Session k of client c is journey k * population + c.
            self.begin_session(item.source, item.number + u64::from(population), now);
        }
        let completed = outcome == Outcome::Served;
        After { next: None, ended: Some(JourneyEnd { source: item.source, began: item.began, completed }) }
    }

    /// The step that follows an outcome, and how long after it.
    fn next_step(&self, item: &Item, outcome: Outcome) -> Option<(StageId, Nanos)> {
        if outcome != Outcome::Served {
            return None;
        }
        match &self.spec.stages[item.stage.index()].then {
            Then::End => None,
            Then::Route(branches) => self.route(item, branches).map(|stage| (stage, Nanos::ZERO)),
            Then::Script => {
                let Journey::Session { script, think, .. } = &self.spec.sources[item.source.index()].journey else {
                    return None;
                };
                let stage = command(script, item.messages, item.step + 1)?;
                let wait = think.as_ref().map(|t| t.draw(&mut self.stream(item, purpose::THINK)));
                Some((stage, wait.unwrap_or(Nanos::ZERO)))
            }
        }
    }

    /// Rows of logs used and skipped so far, one line each.
    #[must_use]
    pub fn trace_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (source, state) in self.spec.sources.iter().zip(&self.sources) {
            if let Feed::Trace(feed) = &state.feed {
                lines.push(format!("load {}:", source.name));
                lines.extend(feed.rows.skipped().to_string().lines().map(|line| format!("  {line}")));
                let came = state.journeys - feed.homeless;
                let left = if feed.next.is_some() { "; the run ended before the logs did" } else { "" };
                lines.push(format!("  {came} of their rows (repeated ones included) came within the run{left}"));
                if feed.homeless > 0 {
                    lines.push(format!("  {} rows of a service that the scenario does not have", feed.homeless));
                }
                lines.extend(feed.rows.skipped().problems().iter().map(|problem| format!("  {problem}")));
            }
        }
        lines
    }

    fn route(&self, item: &Item, branches: &[journey::Branch]) -> Option<StageId> {
        let mut chance = self.stream(item, purpose::ROUTE).unit();
        for branch in branches {
            if chance < branch.share {
                return branch.to;
            }
            chance -= branch.share;
        }
        branches.last().and_then(|branch| branch.to)
    }

    fn stream(&self, item: &Item, purpose: u64) -> crate::rng::Stream {
        self.sources[item.source.index()].key.stream(item.number, purpose + u64::from(item.step))
    }

    fn plan_next(&mut self, source: SourceId) {
        let due = match &mut self.sources[source.index()].feed {
            Feed::Open(times) => times.next(),
            Feed::Closed => None,
            Feed::Trace(feed) => {
                feed.next = feed.rows.next();
                feed.next.map(|row| row.at)
            }
        };
        if let Some(due) = due {
            self.put_off(What::Journey(source), due);
        }
    }

    /// Puts a closed client's next session into the calendar, some time after `now`.
    fn begin_session(&mut self, source: SourceId, number: u64, now: Nanos) {
        let Arrivals::Closed { pause, .. } = &self.spec.sources[source.index()].arrivals else { return };
        let mut stream = self.sources[source.index()].key.stream(number, purpose::GAP);
        let due = now + pause.draw(&mut stream);
        let item = self.first_item(source, number, due);
        self.put_off(What::Item(item), due);
    }

    fn put_off(&mut self, what: What, due: Nanos) {
        if due < self.until {
            self.order += 1;
            self.calendar.push(Coming { due, order: self.order, what });
        }
    }

    /// The item of a log's row; `None` where the scenario has no such service.
    fn row_item(&self, source: SourceId, number: u64, row: &TraceRow) -> Option<Item> {
        let Arrivals::Trace(spec) = &self.spec.sources[source.index()].arrivals else { return None };
        let stage = match row.service {
            TraceService::SmtpIn if row.message => spec.smtp_message,
            TraceService::SmtpIn => spec.smtp_request,
            TraceService::Pop3 => spec.pop3?,
            TraceService::Imap4 => spec.imap4?,
        };
        let class = self.spec.stages[stage.index()].class;
        let (due, given) = (row.at, row.service_time);
        Some(Item { class, stage, source, due, began: due, number, step: 0, messages: 0, given })
    }

    fn first_item(&self, source: SourceId, number: u64, due: Nanos) -> Item {
        let (stage, messages) = match &self.spec.sources[source.index()].journey {
            Journey::Message(stage) => (*stage, 0),
            Journey::Session { script, messages: (least, most), .. } => {
                let mut stream = self.sources[source.index()].key.stream(number, purpose::SESSION);
                let span = f64::from(most - least) + 1.0;
                let messages = least + (stream.unit() * span) as u32;
                (command(script, messages, 0).unwrap_or(script[0].stage), messages)
            }
            Journey::Row => unreachable!("a trace's rows bring their own stages"),
        };
        let class = self.spec.stages[stage.index()].class;
        Item { class, stage, source, due, began: due, number, step: 0, messages, given: None }
    }
}

fn open(spec: &journey::TraceSpec, until: Nanos) -> Result<Trace, Vec<Problem>> {
    let loop_until = spec.repeat.then_some(until);
    let options = TraceOptions { times: spec.times, loop_until, spread: spec.spread };
    match &spec.input {
        TraceInput::Paths(paths) => Trace::open(paths, options),
        TraceInput::Texts(texts) => {
            Trace::from_texts(texts.iter().map(|(name, text)| (name.clone(), text.to_vec())).collect(), options)
        }
    }
}

const PANIC_PHASE: u32 = 0xff;

/// Phases of a step have purposes of their own, below all others.
fn phase_purpose(step: u32, phase: u32) -> u64 {
    (u64::from(step) << 8) | u64::from(phase & 0xff)
}
