//! The twin of a run: virtual time that takes from a recording how long everything took, instead of drawing it.
//!
//! The load and the policy are the run's own, so whatever still differs from the recorded run is the engine's doing.
//! Taken over are: late releases, phases of services and the thread's own work between them, and the hand-over between
//! the policy and threads, creation included. What the recording does not have is drawn. Fed with nothing, or with a
//! recording of virtual time, it gives the figures of virtual time to the nanosecond. [`deal`] gives the delays of a
//! recorded run to other items than those that suffered them: what then moves is what this host's noise can move. Not
//! the fast engine, which is `virtual_time`: here every step may take time. Called by `verify::parity`.
//!
//! Order at equal times: as in `virtual_time`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::crowd::{Crowd, Due, ItemKey};
use super::recording::{Address, Doing, Life, Recording};
use super::{EngineError, Options, RunOutput};
use crate::ids::{ClassId, StageId, ThreadId};
use crate::item::Outcome;
use crate::metrics::intervals::Keep;
use crate::plan::Plan;
use crate::policy::decision_log::{LogLine, Trace};
use crate::policy::dispatch::{Decision, Dispatch, Event, Ticket};
use crate::policy::processors::Processors;
use crate::rng::StreamKey;
use crate::time::Nanos;
use crate::workload::{Item, Work};

/// What one item suffered from the host: by how much each part of its life took longer than it should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// From its due time to the policy.
    pub late: Nanos,
    /// From the policy's decision to its thread's begin.
    pub called: Nanos,
    /// Of each phase: what came before it, and by how much it was too long (or too short: a thread that has overslept
    /// catches up), in nanoseconds.
    pub phases: Vec<(Nanos, i64)>,
    /// From its last phase to its end.
    pub ending: Nanos,
    /// From its end until the policy had the thread back.
    pub back: Nanos,
}

/// The delays of a run's items that were served, by their stage's index.
pub type Suffered = Vec<Vec<Delays>>;

/// What came of a twin.
#[derive(Debug)]
pub struct Twin {
    /// The run.
    pub output: RunOutput,
    /// What the items suffered, where they were fed from a recording.
    pub suffered: Suffered,
    /// Phases whose length was taken from the recording.
    pub phases_fed: u64,
    /// Phases that had to be drawn because the recording does not have them.
    pub phases_drawn: u64,
}

/// What comes next for a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// It exists.
    Exists,
    /// It begins its item.
    Begins,
    /// It wants a processor for so long.
    Asks(Nanos),
    /// It gives its processor back.
    Yields,
    /// It waits for so long.
    Blocks(Nanos),
    /// It goes on after a wait.
    Wakes,
    /// It is done with its item.
    Finishes,
    /// It is back at the port.
    Returns,
    /// It has been idle for long.
    Idleness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Thread(ThreadId, Next),
    /// An item reaches the policy, late.
    Submit(ItemKey, ClassId),
    /// The policy hears, late, that the client of a waiting item gives up: the key of `withdrawals`.
    Withdraw(u64),
    /// An item has left.
    Left(ItemKey),
}

/// How the delays of an item are known.
#[derive(Clone, Copy, Debug, Default)]
enum Script<'a> {
    /// Not at all: there are none.
    #[default]
    Silent,
    /// It never came, although everything that came was recorded: the run ended before it was released.
    Never,
    /// From its own life.
    Own(&'a Life),
    /// From what another item suffered.
    Dealt(&'a Delays),
}

/// Where an engine's delays come from.
#[derive(Clone, Copy, Debug)]
enum Origin<'a> {
    Recording(&'a Recording),
    Others(&'a Suffered, StreamKey),
}

#[derive(Clone, Debug, Default)]
struct Thread<'a> {
    item: Option<ItemKey>,
    phase: u32,
    /// How its item's delays are known.
    script: Script<'a>,
    /// Phases of the script that are over.
    lived: usize,
    /// The last moment of a recorded life that was lived again; `None` where the recording is silent.
    last: Option<Nanos>,
    wants_cpu: Nanos,
    idle_since: Option<Nanos>,
    idle_timer: bool,
    /// What its item suffers, noted as it goes.
    suffers: Delays,
}

struct Engine<'a> {
    plan: &'a Plan,
    from: Origin<'a>,
    floor: Crowd,
    dispatch: Dispatch<ItemKey>,
    trace: Option<Arc<dyn Trace>>,
    processors: Processors,
    threads: Vec<Thread<'a>>,
    calendar: BinaryHeap<Reverse<(Nanos, u64, What)>>,
    sequence: u64,
    withdrawals: BTreeMap<u64, Ticket>,
    to_do: Vec<Decision<ItemKey>>,
    done: usize,
    answer: Vec<Decision<ItemKey>>,
    now: Nanos,
    idle_timeout: Nanos,
    created: usize,
    panics: u64,
    phases: (u64, u64),
    suffered: Suffered,
}

/// Lives a recorded run again. A plan of which `virtual_time` says that time stands still must not come here.
///
/// # Errors
/// [`EngineError::Load`].
pub fn run(plan: &Plan, recording: &Recording, options: &Options<'_>) -> Result<Twin, EngineError> {
    live(plan, Origin::Recording(recording), options)
}

/// Runs the plan with delays that other items of the same stage have suffered, dealt by `seed`. Threads are created in
/// no time.
///
/// # Errors
/// [`EngineError::Load`].
pub fn deal(plan: &Plan, suffered: &Suffered, seed: u64, options: &Options<'_>) -> Result<Twin, EngineError> {
    live(plan, Origin::Others(suffered, StreamKey::new(seed, "delays of the host")), options)
}

fn live(plan: &Plan, from: Origin<'_>, options: &Options<'_>) -> Result<Twin, EngineError> {
    let mut engine = Engine {
        plan,
        from,
        floor: Crowd::new(plan, Keep::Nothing)?,
        dispatch: Dispatch::new(&plan.rules()),
        trace: options.trace.clone(),
        processors: Processors::new(plan.machine.processors),
        threads: Vec::new(),
        calendar: BinaryHeap::new(),
        sequence: 0,
        withdrawals: BTreeMap::new(),
        to_do: Vec::new(),
        done: 0,
        answer: Vec::new(),
        now: Nanos::ZERO,
        idle_timeout: Nanos::from_secs(u64::from(plan.pool.thread_timeout_s)),
        created: 0,
        panics: 0,
        phases: (0, 0),
        suffered: vec![Vec::new(); plan.load.stages.len()],
    };
    engine.floor.observe(options.recorder.as_ref().map(|recorder| recorder.observer()));
    let interrupted = engine.run(options);
    if !interrupted {
        engine.count_unreleased();
    }
    let end = if interrupted { engine.now } else { plan.duration };
    let trace_lines = engine.floor.trace_lines();
    let write_buffers = engine.floor.take_writes(end);
    let (mut summary, failover) = engine.floor.close(plan, end);
    summary.violations.extend(engine.dispatch.laws().lines());
    let output = RunOutput {
        summary,
        failover,
        counts: (0..plan.classes.len()).map(|at| engine.dispatch.class_counts(ClassId(at as u16))).collect(),
        host: None,
        interrupted,
        out_of_events: false,
        threads_refused: 0,
        panics: engine.panics,
        trace_lines,
        write_buffers,
        log: None,
    };
    Ok(Twin { output, suffered: engine.suffered, phases_fed: engine.phases.0, phases_drawn: engine.phases.1 })
}

/// The delays of some other item of the same stage: always the same one under the same seed.
fn dealt<'a>(suffered: &'a Suffered, key: StreamKey, item: &Item) -> Script<'a> {
    let Some(others) = suffered.get(item.stage.index()).filter(|others| !others.is_empty()) else {
        return Script::Silent;
    };
    let purpose = (u64::from(item.source.0) << 32) | u64::from(item.step);
    let at = (key.stream(item.number, purpose).unit() * others.len() as f64) as usize;
    Script::Dealt(&others[at.min(others.len() - 1)])
}

impl Script<'_> {
    fn late(self) -> Nanos {
        match self {
            Script::Silent => Nanos::ZERO,
            Script::Never => Nanos::MAX,
            Script::Own(life) => life.submitted.since(life.due),
            Script::Dealt(delays) => delays.late,
        }
    }

    fn called(self) -> Nanos {
        match self {
            Script::Silent | Script::Never => Nanos::ZERO,
            Script::Own(life) => between(life.decided, life.started),
            Script::Dealt(delays) => delays.called,
        }
    }

    fn back(self) -> Nanos {
        match self {
            Script::Silent | Script::Never => Nanos::ZERO,
            Script::Own(life) => between(life.finished, life.returned),
            Script::Dealt(delays) => delays.back,
        }
    }
}

/// From one recorded moment to the next; for ever, where the run ended between them.
fn between(from: Option<Nanos>, to: Option<Nanos>) -> Nanos {
    match (from, to) {
        (None, _) => Nanos::ZERO,
        (Some(from), Some(to)) => to.since(from),
        (Some(_), None) => Nanos::MAX,
    }
}

/// A drawn span with a delay, which may be negative.
fn delayed(drawn: Nanos, by: i64) -> Nanos {
    Nanos(drawn.0.saturating_add_signed(by))
}

fn excess(length: Nanos, drawn: Nanos) -> i64 {
    i64::try_from(i128::from(length.0) - i128::from(drawn.0)).unwrap_or(0)
}

impl<'a> Engine<'a> {
    /// The main loop. `true`: interrupted.
    fn run(&mut self, options: &Options<'_>) -> bool {
        let mut events = 0_u64;
        loop {
            let ends = self.calendar.peek().map_or(Nanos::MAX, |Reverse((at, ..))| *at);
            let due = self.floor.next_due();
            let next = ends.min(due);
            if next >= self.plan.duration {
                return false;
            }
            self.now = next;
            if ends <= due {
                match self.calendar.pop() {
                    Some(Reverse((_, _, What::Thread(thread, next)))) => self.happens(thread, next),
                    Some(Reverse((_, _, What::Submit(key, class)))) => self.submit(key, class),
                    Some(Reverse((_, _, What::Withdraw(at)))) => {
                        if let Some(ticket) = self.withdrawals.remove(&at) {
                            self.apply(Event::GiveUp { ticket });
                        }
                    }
                    Some(Reverse((_, _, What::Left(key)))) => self.floor.gave_up(key, self.now),
                    None => return false,
                }
            } else {
                self.due();
            }
            self.settle();
            events += 1;
            if events.is_multiple_of(65_536) && options.interrupt.is_set() {
                return true;
            }
        }
    }

    /// What was due and did not reach the policy before the end came all the same, and waited.
    fn count_unreleased(&mut self) {
        self.now = self.plan.duration;
        while let Some(Reverse((_, _, what))) = self.calendar.pop() {
            if let What::Submit(key, class) = what {
                self.submit(key, class);
            }
        }
        self.to_do.clear();
    }

    fn due(&mut self) {
        match self.floor.pop_due(self.now) {
            Some(Due::Submit(key, class, _)) => {
                let late = self.script(key).late();
                self.submit_after(late, key, class);
            }
            Some(Due::GiveUp(key, ticket, _)) => match self.script(key) {
                Script::Own(Life { withdrawn: Some(at), .. }) if *at > self.now => {
                    self.withdrawals.insert(self.sequence + 1, ticket);
                    self.push(*at, What::Withdraw(self.sequence + 1));
                }
                _ => self.apply(Event::GiveUp { ticket }),
            },
            None => {}
        }
    }

    fn script(&self, key: ItemKey) -> Script<'a> {
        let Some(item) = self.floor.item(key) else { return Script::Silent };
        match self.from {
            Origin::Recording(recording) => match recording.lives.get(&Address::of(&item)) {
                Some(life) => Script::Own(life),
                None if recording.lives.is_empty() || recording.dropped > 0 => Script::Silent,
                None => Script::Never,
            },
            Origin::Others(suffered, key) => dealt(suffered, key, &item),
        }
    }

    fn submit_after(&mut self, late: Nanos, key: ItemKey, class: ClassId) {
        if late == Nanos::ZERO {
            self.submit(key, class);
        } else {
            self.push(self.now + late, What::Submit(key, class));
        }
    }

    /// `next` happens to a thread after `span`; at once where there is none.
    fn after(&mut self, span: Nanos, thread: ThreadId, next: Next) {
        if span == Nanos::ZERO {
            self.happens(thread, next);
        } else {
            self.push(self.now + span, What::Thread(thread, next));
        }
    }

    fn push(&mut self, at: Nanos, what: What) {
        self.sequence += 1;
        self.calendar.push(Reverse((at, self.sequence, what)));
    }

    fn happens(&mut self, thread: ThreadId, next: Next) {
        match next {
            Next::Exists => {
                self.apply(Event::ThreadStarted { thread });
                self.count_threads();
            }
            Next::Begins => {
                let state = &mut self.threads[thread.index()];
                let Some(key) = state.item else { return };
                if let Script::Own(life) = state.script {
                    state.last = life.started;
                }
                self.floor.started(key, self.now);
                self.next_phase(thread);
            }
            Next::Asks(time) => {
                if self.processors.acquire(thread) {
                    self.push(self.now + time, What::Thread(thread, Next::Yields));
                } else {
                    self.threads[thread.index()].wants_cpu = time;
                }
            }
            Next::Yields => {
                if let Some(next) = self.processors.release() {
                    let time = self.threads[next.index()].wants_cpu;
                    self.push(self.now + time, What::Thread(next, Next::Yields));
                }
                self.next_phase(thread);
            }
            Next::Blocks(time) => {
                self.apply(Event::Blocks { thread });
                self.push(self.now + time, What::Thread(thread, Next::Wakes));
            }
            Next::Wakes => {
                self.apply(Event::Wakes { thread });
                self.next_phase(thread);
            }
            Next::Finishes => self.finish(thread),
            Next::Returns => self.returns(thread),
            Next::Idleness => self.idleness_ends(thread),
        }
    }

    /// Does what the policy has decided, and what follows from that, until nothing is left to do.
    fn settle(&mut self) {
        while let Some(&decision) = self.to_do.get(self.done) {
            self.done += 1;
            match decision {
                Decision::Queued { .. } | Decision::Refused { .. } => unreachable!("`submit` takes its own answers"),
                Decision::Left { job } => match self.script(job) {
                    Script::Own(life) if life.gave_up > Some(self.now) => {
                        self.push(life.gave_up.unwrap_or_default(), What::Left(job));
                    }
                    _ => self.floor.gave_up(job, self.now),
                },
                Decision::Start { thread, job, .. } => self.start(thread, job),
                Decision::Create { thread } => {
                    if self.threads.len() <= thread.index() {
                        self.threads.resize(thread.index() + 1, Thread::default());
                    }
                    let took = self.creation();
                    self.after(took, thread, Next::Exists);
                }
                Decision::Idle { thread } => self.idle(thread),
                Decision::Retire { thread } => {
                    self.threads[thread.index()].idle_since = None;
                    self.count_threads();
                }
            }
        }
        self.to_do.clear();
        self.done = 0;
    }

    /// How long the next thread takes to be created.
    fn creation(&mut self) -> Nanos {
        let at = self.created;
        self.created += 1;
        match self.from {
            Origin::Recording(recording) => recording.creations.get(at).copied().unwrap_or_default(),
            Origin::Others(..) => Nanos::ZERO,
        }
    }

    fn start(&mut self, thread: ThreadId, job: ItemKey) {
        let script = self.script(job);
        let called = script.called();
        let state = &mut self.threads[thread.index()];
        let suffers = Delays { late: script.late(), called, ..Delays::default() };
        *state = Thread { item: Some(job), script, suffers, idle_timer: state.idle_timer, ..Thread::default() };
        self.after(called, thread, Next::Begins);
    }

    /// Begins the next phase of a thread's item.
    fn next_phase(&mut self, thread: ThreadId) {
        let Thread { item: Some(key), phase, .. } = self.threads[thread.index()] else { return };
        self.threads[thread.index()].phase += 1;
        match self.floor.work(key, phase, self.now) {
            Some(Work::Cpu(drawn)) => {
                let (gap, length) = self.lengthened(thread, Doing::Cpu, drawn);
                self.after(gap, thread, Next::Asks(length));
            }
            Some(Work::Wait(drawn)) => {
                let (gap, length) = self.lengthened(thread, Doing::Wait, drawn);
                self.after(gap, thread, Next::Blocks(length));
            }
            None => {
                let state = &mut self.threads[thread.index()];
                let ending = match state.script {
                    Script::Silent | Script::Never => Nanos::ZERO,
                    Script::Own(life) => between(state.last, life.finished),
                    Script::Dealt(delays) => delays.ending,
                };
                state.suffers.ending = ending;
                self.after(ending, thread, Next::Finishes);
            }
        }
    }

    /// What the thread needs before its next phase, and how long that takes, if `drawn` is what it should take.
    fn lengthened(&mut self, thread: ThreadId, doing: Doing, drawn: Nanos) -> (Nanos, Nanos) {
        let state = &mut self.threads[thread.index()];
        let fed = match state.script {
            Script::Silent | Script::Never => None,
            Script::Own(life) => {
                let recorded = life.phases.get(state.lived).filter(|phase| phase.doing == doing);
                let last = state.last.take();
                recorded.map(|phase| {
                    state.lived += 1;
                    state.last = phase.ended;
                    let gap = last.map_or(Nanos::ZERO, |last| phase.asked.since(last));
                    (gap, between(Some(phase.began), phase.ended))
                })
            }
            Script::Dealt(delays) => {
                let delay = delays.phases.get(state.lived);
                state.lived += 1;
                delay.map(|(gap, by)| (*gap, delayed(drawn, *by)))
            }
        };
        *if fed.is_some() { &mut self.phases.0 } else { &mut self.phases.1 } += 1;
        let (gap, length) = fed.unwrap_or((Nanos::ZERO, drawn));
        state.suffers.phases.push((gap, excess(length, drawn)));
        (gap, length)
    }

    fn finish(&mut self, thread: ThreadId) {
        let Thread { item: Some(key), script, .. } = self.threads[thread.index()] else { return };
        let stage = self.floor.item(key).map(|item| item.stage);
        let outcome = if self.floor.panics(key) {
            self.panics += 1;
            Outcome::Lost
        } else {
            Outcome::Served
        };
        // A message is on its next queue before its thread goes back to the port.
        if let Some(next) = self.floor.finished(key, outcome, self.now) {
            let class = self.floor.class(next);
            let late = self.script(next).late();
            self.submit_after(late, next, class);
        }
        let back = script.back();
        let suffers = std::mem::take(&mut self.threads[thread.index()].suffers);
        self.remember(stage, Delays { back, ..suffers });
        self.after(back, thread, Next::Returns);
    }

    /// Keeps what an item has suffered, where all of it is known: the end of the run may have cut off its return.
    fn remember(&mut self, stage: Option<StageId>, suffered: Delays) {
        let whole = suffered.back < Nanos::MAX;
        if let (Origin::Recording(_), Some(stage), true) = (self.from, stage, whole) {
            self.suffered[stage.index()].push(suffered);
        }
    }

    fn returns(&mut self, thread: ThreadId) {
        self.threads[thread.index()].item = None;
        self.apply(Event::Finishes { thread });
    }

    /// Tells the policy; what it decides joins what is to do.
    fn apply(&mut self, event: Event<ItemKey>) {
        let before = self.to_do.len();
        let erased = self.trace.is_some().then(|| event.erased());
        self.dispatch.apply(event, &mut self.to_do);
        if let (Some(trace), Some(event)) = (&self.trace, erased) {
            trace.note(self.now, &LogLine::of(event, &self.to_do[before..]));
        }
    }

    /// Submits an item. The answer is dealt with at once, the other decisions join what is to do.
    fn submit(&mut self, key: ItemKey, class: ClassId) {
        self.answer.clear();
        self.dispatch.apply(Event::Submit { class, job: key }, &mut self.answer);
        if let Some(trace) = &self.trace {
            trace.note(self.now, &LogLine::of(Event::Submit { class, job: () }, &self.answer));
        }
        match self.answer.first() {
            Some(Decision::Queued { ticket }) => self.floor.queued(key, *ticket, 0, self.now),
            Some(Decision::Refused { .. }) => self.floor.refused(key, self.now),
            other => unreachable!("a submission is answered first, not by {other:?}"),
        }
        self.to_do.extend_from_slice(&self.answer[1..]);
    }

    fn count_threads(&mut self) {
        let live = self.dispatch.counts().live_threads;
        self.floor.live_threads(live, self.now);
    }

    fn idle(&mut self, thread: ThreadId) {
        let now = self.now;
        let state = &mut self.threads[thread.index()];
        state.idle_since = Some(now);
        if !state.idle_timer {
            state.idle_timer = true;
            self.push(now + self.idle_timeout, What::Thread(thread, Next::Idleness));
        }
    }

    fn idleness_ends(&mut self, thread: ThreadId) {
        let state = &mut self.threads[thread.index()];
        state.idle_timer = false;
        let Some(since) = state.idle_since else { return };
        let ends = since + self.idle_timeout;
        if ends <= self.now {
            self.apply(Event::IdleTooLong { thread });
        } else {
            state.idle_timer = true;
            self.push(ends, What::Thread(thread, Next::Idleness));
        }
    }
}
