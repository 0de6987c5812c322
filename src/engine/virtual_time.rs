//! The engine without a clock: events in a calendar, ordered by time and sequence.
//!
//! It makes no policy choice: it tells the same `Dispatch` as the real threads what happens, and does what it decides.
//! Same plan and seed, same figures, to the nanosecond. Not paced and not parallel. Called by `run` and tests.
//!
//! Order at equal times: ends of phases first, then clients that give up, then arrivals; within each in order of making.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::floor::{Due, Floor, ItemKey};
use super::observer::Observer;
use super::{EngineError, Options, RunOutput};
use crate::ids::{ClassId, ThreadId};
use crate::item::Outcome;
use crate::plan::Plan;
use crate::policy::decision_log::{DecisionLog, LogLine, Trace};
use crate::policy::dispatch::{Decision, Dispatch, Event};
use crate::policy::processors::Processors;
use crate::time::Nanos;
use crate::workload::Work;

/// More events than this at one and the same moment are taken for a load that never lets time go on.
const EVENTS_AT_ONE_MOMENT: u64 = 20_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ends {
    Cpu,
    Wait,
    Idleness,
}

/// What a thread of the emulation is at.
#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    item: Option<ItemKey>,
    phase: u32,
    /// Length of the `cpu` phase that waits for a processor.
    wants_cpu: Nanos,
    idle_since: Option<Nanos>,
    /// An end of idleness is in the calendar.
    idle_timer: bool,
}

struct Engine<'a> {
    plan: &'a Plan,
    floor: Floor,
    dispatch: Dispatch<ItemKey>,
    log: Option<DecisionLog>,
    trace: Option<Arc<dyn Trace>>,
    processors: Processors,
    threads: Vec<Thread>,
    calendar: BinaryHeap<Reverse<(Nanos, u64, Ends, ThreadId)>>,
    sequence: u64,
    /// Decisions that are still to be carried out, from `done` on.
    to_do: Vec<Decision<ItemKey>>,
    done: usize,
    /// The answer to a submission.
    answer: Vec<Decision<ItemKey>>,
    now: Nanos,
    idle_timeout: Nanos,
    panics: u64,
}

/// Runs a plan in virtual time.
///
/// # Errors
/// [`EngineError::TimeStandsStill`].
pub fn run(plan: &Plan, options: &Options<'_>) -> Result<RunOutput, EngineError> {
    observe(plan, options, None).map(|(output, _)| output)
}

/// Runs a plan in virtual time and tells `observer` of every item; the answer has the observer again.
///
/// # Errors
/// [`EngineError::TimeStandsStill`].
pub fn observe(
    plan: &Plan,
    options: &Options<'_>,
    observer: Option<Box<dyn Observer>>,
) -> Result<(RunOutput, Option<Box<dyn Observer>>), EngineError> {
    let mut engine = Engine {
        plan,
        floor: Floor::new(plan)?,
        dispatch: Dispatch::new(&plan.rules()),
        log: (options.log_decisions > 0).then(|| DecisionLog::new(options.log_decisions)),
        trace: options.trace.clone(),
        processors: Processors::new(plan.machine.processors),
        threads: Vec::new(),
        calendar: BinaryHeap::new(),
        sequence: 0,
        to_do: Vec::new(),
        done: 0,
        answer: Vec::new(),
        now: Nanos::ZERO,
        idle_timeout: Nanos::from_secs(u64::from(plan.pool.thread_timeout_s)),
        panics: 0,
    };
    engine.floor.observe(observer);
    let interrupted = engine.run(options)?;
    let observer = engine.floor.observe(None);
    let end = if interrupted { engine.now } else { plan.duration };
    let trace_lines = engine.floor.trace_lines();
    let output = RunOutput {
        summary: engine.floor.close(plan, end),
        counts: (0..plan.classes.len()).map(|at| engine.dispatch.class_counts(ClassId(at as u16))).collect(),
        host: None,
        interrupted,
        threads_refused: 0,
        panics: engine.panics,
        trace_lines,
        log: engine.log,
    };
    Ok((output, observer))
}

impl Engine<'_> {
    /// The main loop. `true`: interrupted.
    fn run(&mut self, options: &Options<'_>) -> Result<bool, EngineError> {
        let (mut events, mut at_this_moment) = (0_u64, 0_u64);
        loop {
            let ends = self.calendar.peek().map_or(Nanos::MAX, |Reverse((at, ..))| *at);
            let due = self.floor.next_due().unwrap_or(Nanos::MAX);
            let next = ends.min(due);
            if next >= self.plan.duration {
                return Ok(false);
            }
            at_this_moment = if next > self.now { 0 } else { at_this_moment + 1 };
            if at_this_moment > EVENTS_AT_ONE_MOMENT {
                return Err(EngineError::TimeStandsStill { at: self.now });
            }
            self.now = next;
            if ends <= due {
                let Some(Reverse((_, _, what, thread))) = self.calendar.pop() else { return Ok(false) };
                self.phase_ends(thread, what);
            } else {
                self.due();
            }
            events += 1;
            if events % 65_536 == 0 {
                if let Some(progress) = options.progress {
                    progress(self.now);
                }
                if options.interrupt.is_set() {
                    return Ok(true);
                }
            }
        }
    }

    fn due(&mut self) {
        match self.floor.pop_due(self.now) {
            Some(Due::Submit(key, class, _)) => self.submit(key, class),
            Some(Due::GiveUp(_, ticket)) => self.apply(Event::GiveUp { ticket }),
            None => {}
        }
        self.settle();
    }

    /// Does what the policy has decided, and what follows from that, until nothing is left to do.
    fn settle(&mut self) {
        while let Some(&decision) = self.to_do.get(self.done) {
            self.done += 1;
            match decision {
                Decision::Queued { .. } | Decision::Refused { .. } => unreachable!("`submit` takes its own answers"),
                Decision::Left { job } => self.floor.gave_up(job, self.now),
                Decision::Start { thread, job, .. } => {
                    self.floor.started(job, self.now);
                    self.threads[thread.index()] =
                        Thread { item: Some(job), phase: 0, idle_since: None, ..self.threads[thread.index()] };
                    self.next_phase(thread);
                }
                Decision::Create { thread } => {
                    if self.threads.len() <= thread.index() {
                        self.threads.resize(thread.index() + 1, Thread::default());
                    }
                    self.apply(Event::ThreadStarted { thread });
                    self.count_threads();
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

    /// Tells the policy; what it decides joins what is to do.
    fn apply(&mut self, event: Event<ItemKey>) {
        let before = self.to_do.len();
        let erased = (self.log.is_some() || self.trace.is_some()).then(|| event.erased());
        self.dispatch.apply(event, &mut self.to_do);
        if let (Some(log), Some(event)) = (&mut self.log, erased) {
            log.note(event, &self.to_do[before..]);
        }
        if let (Some(trace), Some(event)) = (&self.trace, erased) {
            trace.note(self.now, &LogLine::of(event, &self.to_do[before..]));
        }
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
            self.push(now + self.idle_timeout, Ends::Idleness, thread);
        }
    }

    fn push(&mut self, at: Nanos, what: Ends, thread: ThreadId) {
        self.sequence += 1;
        self.calendar.push(Reverse((at, self.sequence, what, thread)));
    }

    /// Begins the next phase of a thread's item; a service without any ends in the same moment.
    fn next_phase(&mut self, thread: ThreadId) {
        let Thread { item: Some(key), phase, .. } = self.threads[thread.index()] else { return };
        self.threads[thread.index()].phase += 1;
        match self.floor.work(key, phase, self.now) {
            Some(Work::Cpu(time)) => {
                if self.processors.acquire(thread) {
                    self.push(self.now + time, Ends::Cpu, thread);
                } else {
                    self.threads[thread.index()].wants_cpu = time;
                }
            }
            Some(Work::Wait(time)) => {
                self.apply(Event::Blocks { thread });
                self.push(self.now + time, Ends::Wait, thread);
            }
            None => self.finish(thread, key),
        }
    }

    fn finish(&mut self, thread: ThreadId, key: ItemKey) {
        let outcome = if self.floor.panics(key) {
            self.panics += 1;
            Outcome::Lost
        } else {
            Outcome::Served
        };
        self.threads[thread.index()].item = None;
        // A message is on its next queue before its thread goes back to the port.
        if let Some(next) = self.floor.finished(key, outcome, self.now) {
            let class = self.floor.class(next);
            self.submit(next, class);
        }
        self.apply(Event::Finishes { thread });
    }

    /// Submits an item. The answer is dealt with at once, the other decisions join what is to do.
    fn submit(&mut self, key: ItemKey, class: ClassId) {
        self.answer.clear();
        self.dispatch.apply(Event::Submit { class, job: key }, &mut self.answer);
        if let Some(log) = &mut self.log {
            log.note(Event::Submit { class, job: () }, &self.answer);
        }
        if let Some(trace) = &self.trace {
            trace.note(self.now, &LogLine::of(Event::Submit { class, job: () }, &self.answer));
        }
        match self.answer.first() {
            Some(Decision::Queued { ticket }) => self.floor.queued(key, *ticket, self.now),
            Some(Decision::Refused { .. }) => self.floor.refused(key, self.now),
            other => unreachable!("a submission is answered first, not by {other:?}"),
        }
        self.to_do.extend_from_slice(&self.answer[1..]);
    }

    fn phase_ends(&mut self, thread: ThreadId, what: Ends) {
        match what {
            Ends::Cpu => {
                if let Some(next) = self.processors.release() {
                    let time = self.threads[next.index()].wants_cpu;
                    self.push(self.now + time, Ends::Cpu, next);
                }
            }
            Ends::Wait => self.apply(Event::Wakes { thread }),
            Ends::Idleness => return self.idleness_ends(thread),
        }
        self.next_phase(thread);
        self.settle();
    }

    fn idleness_ends(&mut self, thread: ThreadId) {
        let state = &mut self.threads[thread.index()];
        state.idle_timer = false;
        let Some(since) = state.idle_since else { return };
        let ends = since + self.idle_timeout;
        if ends <= self.now {
            self.apply(Event::IdleTooLong { thread });
            self.settle();
        } else {
            state.idle_timer = true;
            self.push(ends, Ends::Idleness, thread);
        }
    }
}
