//! What is asked of the pool: items with due times and service demand, and what follows an outcome.
//!
//! Not who gets a thread, and not when a thread is done: an engine tells that. [`Workload`] is the run-time side;
//! [`journey`], [`arrivals`], [`distribution`] and [`faults`] are what a scenario says; [`logs`] reads traces.
//! Every draw is addressed by (seed, source, journey, step), so two variants of a scenario give the same item the same
//! demand whatever happened before it. Never knows policy or engines. Called by `plan` and `engine`.

pub mod arrivals;
pub mod distribution;
pub mod faults;
mod items;
pub mod journey;
pub mod logs;
pub mod popularity;

use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::calendar::Calendar;
use crate::ids::{ClassId, SourceId, StageId};
use crate::item::Outcome;
use crate::problem::Problem;
use crate::rng::{Stream, StreamKey, Streams};
use crate::time::Nanos;
use arrivals::{ArrivalTimes, purpose};
pub use items::{Item, PackedItem};
use journey::{Arrivals, Journey, LoadSpec, PhaseKind, Then, TraceInput, command};
use logs::{Trace, TraceOptions, TraceRow, TraceService};

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
    pub next: Option<PackedItem>,
    /// The journey is over.
    pub ended: Option<JourneyEnd>,
}

#[derive(Debug)]
enum Feed {
    Open(ArrivalTimes),
    Closed,
    OnCall,
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
    /// Those of the first phase of the first step, of which there are most.
    first_phases: Streams,
    /// Where its messages enter; `None` for sessions and rows.
    enters: Option<StageId>,
    /// Its clients, where it is closed.
    population: Option<u32>,
    feed: Feed,
    journeys: u64,
}

/// An item that was put off: a command after its think time, a client's next session.
#[derive(Debug)]
struct Coming {
    due: Nanos,
    order: u64,
    item: PackedItem,
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

/// What every step asks of its stage, in few bytes.
#[derive(Clone, Copy, Debug)]
struct StageFacts {
    class: ClassId,
    phases: u32,
    has_patience: bool,
    /// Nothing follows it.
    ends: bool,
}

/// The load of one run. See the module's head.
#[derive(Debug)]
pub struct Workload {
    spec: Arc<LoadSpec>,
    stages: Vec<StageFacts>,
    has_faults: bool,
    sources: Vec<SourceState>,
    /// When the next journey of each open source begins.
    begins: Calendar,
    put_off: BinaryHeap<Coming>,
    order: u64,
    until: Nanos,
}

impl Workload {
    /// The load that `spec` says under `seed`, up to (not including) `until`.
    ///
    /// # Errors
    /// Every problem of a log that cannot be read.
    pub fn new(spec: Arc<LoadSpec>, seed: u64, until: Nanos) -> Result<Workload, Vec<Problem>> {
        let facts = |stage: &journey::Stage| StageFacts {
            class: stage.class,
            phases: stage.phases.len() as u32,
            has_patience: stage.patience.is_some(),
            ends: stage.then == Then::End,
        };
        let mut load = Workload {
            spec: spec.clone(),
            stages: spec.stages.iter().map(facts).collect(),
            has_faults: !spec.faults.is_empty(),
            sources: Vec::new(),
            begins: Calendar::new(),
            put_off: BinaryHeap::new(),
            order: 0,
            until,
        };
        for (at, source) in spec.sources.iter().enumerate() {
            let id = SourceId(at as u16);
            let key = StreamKey::new(seed, &source.name);
            let feed = match &source.arrivals {
                Arrivals::Open { pattern, batch } => Feed::Open(ArrivalTimes::new(key, pattern.clone(), *batch, until)),
                Arrivals::Closed { .. } => Feed::Closed,
                Arrivals::OnCall => Feed::OnCall,
                Arrivals::Trace(trace) => {
                    Feed::Trace(Box::new(TraceFeed { rows: open(trace, until)?, next: None, homeless: 0 }))
                }
            };
            let first_phases = key.streams(phase_purpose(0, 0));
            let enters = match source.journey {
                Journey::Message(stage) => Some(stage),
                Journey::Session { .. } | Journey::Row => None,
            };
            let population = match source.arrivals {
                Arrivals::Closed { population, .. } => Some(population),
                Arrivals::Open { .. } | Arrivals::Trace(_) | Arrivals::OnCall => None,
            };
            load.sources.push(SourceState { key, first_phases, enters, population, feed, journeys: 0 });
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

    /// When the next item is due; [`Nanos::MAX`] where none will be.
    #[must_use]
    #[inline(always)]
    pub fn next_due(&self) -> Nanos {
        match self.put_off.peek() {
            None => self.begins.first_at(),
            Some(coming) => self.begins.first_at().min(coming.due),
        }
    }

    /// The next item that is due at `now` or before.
    #[inline(always)]
    pub fn pop_due(&mut self, now: Nanos) -> Option<PackedItem> {
        loop {
            let begins = self.begins.first().filter(|(at, _)| *at <= now);
            let put_off = self.put_off.peek().filter(|coming| coming.due <= now);
            match (begins, put_off) {
                (Some((at, source)), other)
                    if other.is_none_or(|coming| (at, self.begins.first_number()) < (coming.due, coming.order)) =>
                {
                    if let Some(item) = self.begin_journey(SourceId(source as u16), at) {
                        return Some(item);
                    }
                }
                (_, Some(_)) => return self.put_off.pop().map(|coming| coming.item),
                _ => return None,
            }
        }
    }

    /// The first item of the next journey of an open source; `None` for a row of a service that the scenario lacks.
    #[inline(always)]
    fn begin_journey(&mut self, source: SourceId, due: Nanos) -> Option<PackedItem> {
        let state = &mut self.sources[source.index()];
        let number = state.journeys;
        state.journeys += 1;
        let row = match &mut state.feed {
            Feed::Trace(feed) => feed.next.take(),
            _ => {
                self.plan_next(source);
                return Some(self.first_item(source, number, due));
            }
        };
        self.plan_next(source);
        let row = row?;
        let item = self.row_item(source, number, &row);
        if let (None, Feed::Trace(feed)) = (item, &mut self.sources[source.index()].feed) {
            feed.homeless += 1;
        }
        item
    }

    /// The first item of the next journey of a source that never comes by itself ([`Arrivals::OnCall`]), due `now`. Its
    /// draws depend on how often the source was called before, and on nothing else.
    #[must_use]
    pub fn call(&mut self, source: SourceId, now: Nanos) -> PackedItem {
        let state = &mut self.sources[source.index()];
        debug_assert!(matches!(state.feed, Feed::OnCall), "only a source that waits for calls is called");
        let number = state.journeys;
        state.journeys += 1;
        self.first_item(source, number, now)
    }

    /// The class of an item.
    #[must_use]
    #[inline(always)]
    pub fn class(&self, item: &PackedItem) -> ClassId {
        self.stages[item.stage.index()].class
    }

    /// How many phases an item's service has.
    #[must_use]
    #[inline(always)]
    pub fn phases(&self, item: &PackedItem) -> u32 {
        if item.given().is_some() { 1 } else { self.stages[item.stage.index()].phases }
    }

    /// Phase `phase` (from 0) of an item's service, if it begins `now`. `None`: the service is over.
    #[must_use]
    #[inline(always)]
    pub fn work(&self, item: &PackedItem, phase: u32, now: Nanos) -> Option<Work> {
        let stage = &self.spec.stages[item.stage.index()];
        let source = &self.sources[item.source().index()];
        let stream = || match phase_purpose(item.step, phase) {
            0 => source.first_phases.of(item.number()),
            purpose => source.key.stream(item.number(), purpose),
        };
        if let Some(given) = item.given() {
            // Guess: the time that a log gives is spent waiting, for whatever the stage's first wait is for.
            let on = stage.phases.iter().find_map(|p| match p.kind {
                PhaseKind::Wait(on) => Some(on),
                PhaseKind::Cpu => None,
            });
            let stretched = on
                .map_or(given, |on| faults::stretched(&self.spec.faults, stage.class, on, given, now, stream().unit()));
            return (phase == 0).then_some(Work::Wait(stretched));
        }
        let phase = stage.phases.get(phase as usize)?;
        let mut stream = stream();
        let time = phase.time.draw(&mut stream);
        Some(match phase.kind {
            PhaseKind::Cpu => Work::Cpu(time),
            PhaseKind::Wait(_) if !self.has_faults => Work::Wait(time),
            PhaseKind::Wait(on) => {
                Work::Wait(faults::stretched(&self.spec.faults, stage.class, on, time, now, stream.unit()))
            }
        })
    }

    /// Whether the handler of an item that began its service at `started` panics at the end.
    #[must_use]
    #[inline(always)]
    pub fn panics(&self, item: &PackedItem, started: Nanos) -> bool {
        self.has_faults && {
            let key = self.sources[item.source().index()].key;
            let chance = key.stream(item.number(), phase_purpose(item.step, PANIC_PHASE)).unit();
            faults::panics(&self.spec.faults, self.class(item), started, chance)
        }
    }

    /// The moment at which the item's client gives up, if it does.
    #[must_use]
    #[inline(always)]
    pub fn gives_up_at(&self, item: &PackedItem) -> Option<Nanos> {
        if !self.stages[item.stage.index()].has_patience {
            return None;
        }
        let patience = self.spec.stages[item.stage.index()].patience.as_ref()?;
        let mut stream = self.stream(item, purpose::PATIENCE);
        Some(item.due + patience.draw(&mut stream))
    }

    /// The draws of whom the message of `item` is for.
    #[must_use]
    pub fn names(&self, item: &PackedItem) -> Stream {
        self.stream(item, purpose::NAME)
    }

    /// The draws of `item` for a purpose that its limit beside the pool numbers; `purpose` is below 2^40.
    #[must_use]
    pub fn draws(&self, item: &PackedItem, purpose: u64) -> Stream {
        debug_assert!(purpose >> 40 == 0, "it would be another's");
        self.sources[item.source().index()].key.stream(item.number(), purpose::LIMIT + purpose)
    }

    /// What follows when `item` ends with `outcome` at `now`. A later follower goes into the load's own calendar.
    #[inline(always)]
    pub fn after(&mut self, item: &PackedItem, outcome: Outcome, now: Nanos) -> After {
        if let Some((stage, wait)) = self.next_step(item, outcome) {
            let follower = item.follower(stage, now + wait);
            if wait == Nanos::ZERO {
                return After { next: Some(follower), ended: None };
            }
            self.put_off(follower);
            return After::default();
        }
        if let Some(population) = self.sources[item.source().index()].population {
            // Session k of client c is journey k * population + c.
            self.begin_session(item.source(), item.number() + u64::from(population), now);
        }
        let completed = outcome == Outcome::Served;
        After { next: None, ended: Some(JourneyEnd { source: item.source(), began: item.began(), completed }) }
    }

    /// The step that follows an outcome, and how long after it.
    #[inline(always)]
    fn next_step(&self, item: &PackedItem, outcome: Outcome) -> Option<(StageId, Nanos)> {
        if outcome != Outcome::Served || self.stages[item.stage.index()].ends {
            return None;
        }
        match &self.spec.stages[item.stage.index()].then {
            Then::End => None,
            Then::Route(branches) => self.route(item, branches).map(|stage| (stage, Nanos::ZERO)),
            Then::Script => {
                let Journey::Session { script, think, .. } = &self.spec.sources[item.source().index()].journey else {
                    return None;
                };
                let stage = command(script, u32::from(item.messages()), item.step + 1)?;
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

    fn route(&self, item: &PackedItem, branches: &[journey::Branch]) -> Option<StageId> {
        let mut chance = self.stream(item, purpose::ROUTE).unit();
        for branch in branches {
            if chance < branch.share {
                return branch.to;
            }
            chance -= branch.share;
        }
        branches.last().and_then(|branch| branch.to)
    }

    fn stream(&self, item: &PackedItem, purpose: u64) -> Stream {
        self.sources[item.source().index()].key.stream(item.number(), purpose + u64::from(item.step))
    }

    #[inline(always)]
    fn plan_next(&mut self, source: SourceId) {
        let until = self.until;
        let due = match &mut self.sources[source.index()].feed {
            Feed::Open(times) => times.next(),
            Feed::Closed | Feed::OnCall => None,
            Feed::Trace(feed) => {
                feed.next = feed.rows.next();
                feed.next.map(|row| row.at)
            }
        };
        if let Some(due) = due.filter(|due| *due < until) {
            self.order += 1;
            self.begins.set(source.index(), due, self.order);
        } else {
            self.begins.clear(source.index());
        }
    }

    /// From `now` on, open sources come `factor` times as often as the scenario says; `factor` is at least 0. Closed
    /// populations, logs and probes are as they were. What an item asks for does not change with it.
    pub fn set_load(&mut self, factor: f64, now: Nanos) {
        for (at, source) in self.sources.iter_mut().enumerate() {
            let Feed::Open(times) = &mut source.feed else { continue };
            match times.rescale(factor, now) {
                Some(due) => {
                    self.order += 1;
                    self.begins.set(at, due, self.order);
                }
                None => self.begins.clear(at),
            }
        }
    }

    /// Puts a closed client's next session into the calendar, some time after `now`.
    fn begin_session(&mut self, source: SourceId, number: u64, now: Nanos) {
        let Arrivals::Closed { pause, .. } = &self.spec.sources[source.index()].arrivals else { return };
        let mut stream = self.sources[source.index()].key.stream(number, purpose::GAP);
        let due = now + pause.draw(&mut stream);
        let item = self.first_item(source, number, due);
        self.put_off(item);
    }

    fn put_off(&mut self, item: PackedItem) {
        if item.due < self.until {
            self.order += 1;
            self.put_off.push(Coming { due: item.due, order: self.order, item });
        }
    }

    /// The item of a log's row; `None` where the scenario has no such service.
    fn row_item(&self, source: SourceId, number: u64, row: &TraceRow) -> Option<PackedItem> {
        let Arrivals::Trace(spec) = &self.spec.sources[source.index()].arrivals else { return None };
        let stage = match row.service {
            TraceService::SmtpIn if row.message => spec.smtp_message,
            TraceService::SmtpIn => spec.smtp_request,
            TraceService::Pop3 => spec.pop3?,
            TraceService::Imap4 => spec.imap4?,
        };
        Some(match row.service_time {
            Some(given) => PackedItem::with_given_time(source, number, stage, row.at, given),
            None => PackedItem::first(source, number, stage, row.at, 0),
        })
    }

    #[inline(always)]
    fn first_item(&self, source: SourceId, number: u64, due: Nanos) -> PackedItem {
        match self.sources[source.index()].enters {
            Some(stage) => PackedItem::first(source, number, stage, due, 0),
            None => self.first_command(source, number, due),
        }
    }

    fn first_command(&self, source: SourceId, number: u64, due: Nanos) -> PackedItem {
        let Journey::Session { script, messages: (least, most), .. } = &self.spec.sources[source.index()].journey
        else {
            unreachable!("a message enters somewhere, and a trace's rows bring their own stages");
        };
        let mut stream = self.sources[source.index()].key.stream(number, purpose::SESSION);
        let span = f64::from(most - least) + 1.0;
        let messages = least + (stream.unit() * span) as u32;
        let stage = command(script, messages, 0).unwrap_or(script[0].stage);
        // A mailbox of a scenario holds 10,000 messages at most.
        PackedItem::first(source, number, stage, due, messages as u16)
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

#[cfg(test)]
mod tests {
    use super::*;
    use distribution::Distribution;
    use journey::{Phase, Source, Stage};

    #[test]
    fn a_source_on_call_comes_when_it_is_called_and_never_else() {
        let phases = vec![Phase { kind: PhaseKind::Cpu, time: Distribution::Exponential { mean: Nanos::SECOND } }];
        let stage = Stage { name: "probe".into(), class: ClassId(3), phases, patience: None, then: Then::End };
        let source = |name: &str| Source {
            name: name.into(),
            arrivals: Arrivals::OnCall,
            journey: Journey::Message(StageId(0)),
        };
        let sources = vec![source("a"), source("b")];
        let spec = LoadSpec { stages: vec![stage], sources, ..LoadSpec::default() };
        let mut load = Workload::new(Arc::new(spec), 1, Nanos::from_secs(100)).expect("there is no log");
        assert_eq!((load.next_due(), load.pop_due(Nanos::from_secs(99))), (Nanos::MAX, None));
        let calls = [(1, 5), (1, 7), (0, 7)].map(|(source, at)| load.call(SourceId(source), Nanos(at)));
        let seen = calls.map(|item| (item.source().0, item.number(), item.due, item.began(), load.class(&item)));
        assert_eq!(seen[0], (1, 0, Nanos(5), Nanos(5), ClassId(3)));
        assert_eq!(seen[1], (1, 1, Nanos(7), Nanos(7), ClassId(3)));
        assert_eq!(seen[2], (0, 0, Nanos(7), Nanos(7), ClassId(3)));
        let work = calls.map(|item| load.work(&item, 0, item.due));
        assert!(work[0] != work[1] && work[1] != work[2], "each has draws of its own: {work:?}");
        assert_eq!((load.phases(&calls[0]), load.gives_up_at(&calls[0])), (1, None));
        let after = load.after(&calls[0], Outcome::Served, Nanos(9));
        assert!(after.next.is_none() && after.ended.is_some_and(|end| end.completed && end.began == Nanos(5)));
        assert_eq!(load.next_due(), Nanos::MAX, "nothing follows a probe");
    }
}
