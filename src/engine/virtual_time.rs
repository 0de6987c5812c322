//! The engine without a clock: events in a calendar, ordered by time and sequence.
//!
//! It makes no policy choice: it tells the same `Dispatch` as the real threads what happens, and does what it decides.
//! Same plan and seed, same figures, to the nanosecond. Not paced and not parallel. Called by `run` and tests.
//!
//! Where the time goes: 1,268 instructions a customer of work A (`benches/works`: M/M/20 at load 0.9; callgrind), where the
//! loop by hand beside it spends about 80 ns and this engine 95. No spot is hot: load, policy, memory with its three
//! histograms, calendar and this file have shares of the same order. What made the difference, from 3,264 for the same
//! queue as a POP3 service: items in one place instead of three; a tournament tree without a branch that depends on
//! random moments, instead of a heap; counting in buckets and making the histogram at the end; streams that are made by
//! one multiplication (draws lie on the longest chain of dependent steps, from one end of a phase to the next); decisions
//! that never see a vector; integrals as sums of moments instead of areas at every event; waits told to the policy only
//! where it minds them.
//!
//! Order at equal times: ends of phases first, then threads that have been idle for too long, then the cluster, then
//! clients that give up, then arrivals; within each in order of making, and of nodes the one first that comes first.

mod hand;
mod nodes;

use std::sync::Arc;

use self::hand::{Before, Hand, NoHand};
use self::nodes::Elsewhere;
use super::control::Control;
use super::floor::{Due, Floor};
use super::observer::Observer;
use super::{EngineError, Options, RunOutput};
use crate::calendar::Calendar;
use crate::ids::{ClassId, ThreadId};
use crate::item::Outcome;
use crate::metrics::Summary;
use crate::metrics::failover::FailoverSummary;
use crate::plan::Plan;
use crate::policy::decision_log::{DecisionLog, LogLine, Trace};
use crate::policy::dispatch::{ClassCounts, Decision, Decisions, Dispatch, Event, Ticket};
use crate::policy::processors::Processors;
use crate::time::Nanos;
use crate::workload::{PackedItem, Work};

/// More events than this at one and the same moment are taken for a load that never lets time go on.
const EVENTS_AT_ONE_MOMENT: u64 = 20_000_000;

/// After so many events the engine tells how far it is, and looks whether it is to stop.
const LOOK_AROUND: u64 = 65_536;

/// What a thread of the emulation is at.
#[derive(Clone, Copy, Debug)]
struct Thread {
    /// What it serves; `None`: it is idle.
    item: Option<PackedItem>,
    /// When it began the item, or became idle.
    since: Nanos,
    /// Length of the `cpu` phase that waits for a processor.
    wants_cpu: Nanos,
    /// The phase that comes next, and how many there are.
    phase: u32,
    phases: u32,
    class: ClassId,
    /// The phase that it is in holds a processor.
    on_cpu: bool,
}

/// Decisions that are still to be carried out. Nearly always that is at most one start, which never sees a vector.
#[derive(Debug, Default)]
struct ToDo {
    /// The answer to a submission, which is dealt with at once.
    answer: Option<Answer>,
    /// The first, where it is a start.
    start: Option<(ThreadId, ClassId, PackedItem)>,
    /// All others, from `done` on.
    others: Vec<Decision<PackedItem>>,
    done: usize,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Queued(Ticket),
    Refused,
}

impl ToDo {
    fn is_empty(&self) -> bool {
        self.answer.is_none() && self.start.is_none() && self.done == self.others.len()
    }
}

impl Decisions<PackedItem> for ToDo {
    #[inline(always)]
    fn put(&mut self, decision: Decision<PackedItem>) {
        match decision {
            Decision::Queued { ticket } => self.answer = Some(Answer::Queued(ticket)),
            Decision::Refused { .. } => self.answer = Some(Answer::Refused),
            Decision::Start { thread, class, job, .. } if self.start.is_none() && self.others.is_empty() => {
                self.start = Some((thread, class, job));
            }
            other => self.others.push(other),
        }
    }
}

const IDLE: Thread = Thread {
    item: None,
    since: Nanos::ZERO,
    wants_cpu: Nanos::ZERO,
    phase: 0,
    phases: 0,
    class: ClassId(0),
    on_cpu: false,
};

/// A server of the emulation: its pool's policy, its processors, its threads.
struct Node {
    dispatch: Dispatch<PackedItem>,
    processors: Processors,
    threads: Vec<Thread>,
    /// When the phase of each thread ends.
    ends: Calendar,
    /// The thread whose phase has just ended: its moment in the calendar is over, and perhaps replaced soon.
    ended: Option<ThreadId>,
    /// No thread has been idle for too long before this.
    idle_check: Nanos,
    live: u32,
    /// The name of its log, where decisions are traced.
    log: u32,
}

struct Engine<'a> {
    plan: &'a Plan,
    control: Option<&'a Control>,
    floor: Floor<Ticket>,
    /// The node at which things happen; the others wait in `elsewhere`.
    here: Node,
    elsewhere: Elsewhere,
    log: Option<DecisionLog>,
    trace: Option<Arc<dyn Trace>>,
    /// Somebody wants to read events and decisions.
    logs: bool,
    /// The policy is told which threads wait; only where that can matter to it or to a reader.
    tells_waits: bool,
    sequence: u64,
    to_do: ToDo,
    /// What becomes of waiting items that the policy lets go.
    leaving: Leaving,
    now: Nanos,
    idle_timeout: Nanos,
    panics: u64,
    out_of_events: bool,
    /// The policies of nodes that have died, for what they counted.
    gone: Vec<Dispatch<PackedItem>>,
}

/// Why waiting items leave the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// Their clients give up.
    GiveUp,
    /// Their service goes offline.
    CloseOut,
}

/// Runs a plan in virtual time.
///
/// # Errors
/// [`EngineError::TimeStandsStill`].
pub fn run(plan: &Plan, options: &Options<'_>) -> Result<RunOutput, EngineError> {
    observe(plan, options, options.watcher()).map(|(output, _)| output)
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
    let log = (options.log_decisions > 0 && plan.cluster.is_none()).then(|| DecisionLog::new(options.log_decisions));
    let trace = options.listener();
    let logs = log.is_some() || trace.is_some();
    let (here, elsewhere) = nodes::of(plan, trace.as_deref());
    let mut engine = Engine {
        plan,
        control: options.control.as_deref(),
        floor: Floor::new(plan, options.intervals)?,
        logs,
        tells_waits: logs || here.dispatch.minds_waits() || elsewhere.minds_waits(),
        here,
        elsewhere,
        log,
        trace,
        sequence: 0,
        to_do: ToDo::default(),
        leaving: Leaving::GiveUp,
        now: Nanos::ZERO,
        idle_timeout: Nanos::from_secs(u64::from(plan.pool.thread_timeout_s)),
        panics: 0,
        out_of_events: false,
        gone: Vec::new(),
    };
    engine.floor.observe(observer);
    let interrupted = match &options.control {
        None => engine.run(options, &mut NoHand)?,
        Some(control) => engine.run_by_hand(options, control)?,
    };
    let observer = engine.floor.observe(None);
    let end = if interrupted { engine.now } else { plan.duration };
    let trace_lines = engine.floor.trace_lines();
    let counts = engine.counts();
    let write_buffers = engine.floor.take_writes(end);
    let (summary, failover) = engine.close(end);
    let output = RunOutput {
        summary,
        counts,
        failover,
        host: None,
        interrupted,
        out_of_events: engine.out_of_events,
        threads_refused: 0,
        panics: engine.panics,
        trace_lines,
        write_buffers,
        log: engine.log,
    };
    Ok((output, observer))
}

impl Engine<'_> {
    /// The main loop. `true`: interrupted.
    #[inline(always)]
    fn run<H: Hand>(&mut self, options: &Options<'_>, hand: &mut H) -> Result<bool, EngineError> {
        let most = options.max_events.unwrap_or(u64::MAX);
        let mut look_around = LOOK_AROUND.min(most);
        let (mut events, mut looked_at, mut stands_still) = (0_u64, Nanos::ZERO, 0);
        self.carry_out();
        loop {
            if self.elsewhere.comes_first(&self.here) {
                self.go_where_it_is_first();
            }
            let ends = self.here.ends.first_at();
            let due = self.floor.next_due().min(self.here.idle_check);
            let next = ends.min(due);
            if H::IS_THERE {
                match hand.before(self, next.min(self.plan.duration), options) {
                    Before::Event => {}
                    Before::Anew => continue,
                    Before::End => return Ok(true),
                }
            }
            if next >= self.plan.duration {
                return Ok(false);
            }
            self.now = next;
            if ends <= due {
                self.phase_ends();
            } else if self.here.idle_check <= due {
                self.look_for_idle_threads();
            } else {
                self.due();
            }
            if self.floor.has_effects() {
                self.carry_out();
            }
            events += 1;
            if events >= look_around {
                if events >= most {
                    self.out_of_events = true;
                    return Ok(true);
                }
                look_around = (events + LOOK_AROUND).min(most);
                stands_still = if self.now > looked_at { 0 } else { stands_still + 1 };
                looked_at = self.now;
                if stands_still * LOOK_AROUND > EVENTS_AT_ONE_MOMENT {
                    return Err(EngineError::TimeStandsStill { at: self.now });
                }
                if let Some(progress) = options.progress {
                    progress(self.now);
                }
                if options.interrupt.is_set() {
                    return Ok(true);
                }
            }
        }
    }

    /// Ends the run: tells the memory what still waits and what is in service.
    fn close(&mut self, end: Nanos) -> (Summary, Option<FailoverSummary>) {
        let (here, elsewhere) = (&self.here, &self.elsewhere);
        let nodes = || elsewhere.nodes().chain([here]);
        // Not gathered first: there may be millions that wait.
        let waiting = nodes().flat_map(|node| node.dispatch.waiting().map(|(class, item)| (class, item.due)));
        let in_service = |thread: &Thread| thread.item.map(|item| (thread.class, item.due, thread.since));
        let in_service = nodes().flat_map(|node| node.threads.iter().filter_map(in_service));
        let (mut summary, failover) = self.floor.close(self.plan, end, waiting, in_service);
        for dispatch in self.policies() {
            summary.violations.extend(dispatch.laws().lines());
        }
        (summary, failover)
    }

    /// Those of all nodes, of the ones that have died too.
    fn policies(&self) -> impl Iterator<Item = &Dispatch<PackedItem>> {
        let present = self.elsewhere.nodes().chain([&self.here]);
        self.gone.iter().chain(present.map(|node| &node.dispatch))
    }

    /// What the policies counted, by class.
    fn counts(&self) -> Vec<ClassCounts> {
        let mut counts = vec![ClassCounts::default(); self.plan.classes.len()];
        for dispatch in self.policies() {
            for (at, sum) in counts.iter_mut().enumerate() {
                sum.add(&dispatch.class_counts(ClassId(at as u16)));
            }
        }
        counts
    }

    #[inline(always)]
    fn due(&mut self) {
        let (here, elsewhere) = (&self.here, &self.elsewhere);
        // A ticket of one node is none of another.
        match self.floor.pop_due(self.now, |ticket| here.dispatch.waits(ticket) || elsewhere.waits(ticket)) {
            Some(Due::Submit(item)) => self.submit(item),
            Some(Due::GiveUp(ticket)) => self.gives_up(ticket),
            None => {}
        }
        self.settle();
    }

    /// Does what the policy has decided, and what follows from that, until nothing is left to do.
    #[inline(always)]
    fn settle(&mut self) {
        while let Some((thread, class, item)) = self.to_do.start.take() {
            self.start(thread, class, &item);
        }
        if !self.to_do.others.is_empty() {
            self.settle_others();
        }
    }

    #[inline(never)]
    fn settle_others(&mut self) {
        while let Some(&decision) = self.to_do.others.get(self.to_do.done) {
            self.to_do.done += 1;
            match decision {
                Decision::Queued { .. } | Decision::Refused { .. } => unreachable!("an answer is no order"),
                Decision::Start { thread, class, job, .. } => self.start(thread, class, &job),
                Decision::Left { job } => {
                    let oldest = self.oldest(self.floor.class(&job));
                    match self.leaving {
                        Leaving::GiveUp => self.floor.gave_up(&job, oldest, self.now),
                        Leaving::CloseOut => self.floor.closes_out(&job, oldest, self.now),
                    }
                }
                Decision::Create { thread } => {
                    if self.here.threads.len() <= thread.index() {
                        self.here.threads.resize(thread.index() + 1, IDLE);
                    }
                    self.apply(Event::ThreadStarted { thread });
                    self.count_threads();
                }
                Decision::Idle { thread } => {
                    self.here.threads[thread.index()].since = self.now;
                    self.here.idle_check = self.here.idle_check.min(self.now + self.idle_timeout);
                }
                Decision::Retire { .. } => self.count_threads(),
            }
        }
        self.to_do.others.clear();
        self.to_do.done = 0;
    }

    #[inline(always)]
    fn start(&mut self, thread: ThreadId, class: ClassId, item: &PackedItem) {
        let oldest = self.oldest(class);
        self.floor.started(class, item, oldest, self.now);
        let phases = self.floor.phases(item);
        self.here.threads[thread.index()] = Thread { item: Some(*item), since: self.now, phases, class, ..IDLE };
        if phases == 0 {
            self.finish_at_once(thread);
        } else {
            self.next_phase(thread, item);
        }
    }

    /// A service without any phase ends in the moment in which it begins.
    #[cold]
    #[inline(never)]
    fn finish_at_once(&mut self, thread: ThreadId) {
        if let Some(item) = self.here.threads[thread.index()].item {
            self.finish(thread, &item);
        }
    }

    /// Due time of the item of a class that has waited longest. One that is about to start in this same moment counts
    /// as started.
    #[inline(always)]
    fn oldest(&self, class: ClassId) -> Option<Nanos> {
        self.here.dispatch.oldest(class).map(|item| item.due)
    }

    /// Tells the policy; what it decides joins what is to do.
    #[inline(always)]
    fn apply(&mut self, event: Event<PackedItem>) {
        if self.logs {
            return self.apply_and_log(event);
        }
        self.here.dispatch.apply(event, &mut self.to_do);
    }

    #[cold]
    #[inline(never)]
    fn apply_and_log(&mut self, event: Event<PackedItem>) {
        let (mut decisions, erased) = (Vec::new(), event.erased());
        self.here.dispatch.apply(event, &mut decisions);
        if let Some(log) = &mut self.log {
            log.note(erased, &decisions);
        }
        if let Some(trace) = &self.trace {
            trace.note_of(self.here.log, self.now, &LogLine::of(erased, &decisions));
        }
        for decision in decisions {
            self.to_do.put(decision);
        }
    }

    fn count_threads(&mut self) {
        self.here.live = self.here.dispatch.counts().live_threads;
        self.floor.live_threads(self.here.live + self.elsewhere.live_threads(), self.now);
    }

    /// The phase of `thread` lasts for `time` from now on.
    #[inline(always)]
    fn lasts(&mut self, thread: ThreadId, time: Nanos) {
        if self.here.ended == Some(thread) {
            self.here.ended = None;
        }
        let time = self.floor.stretched(self.elsewhere.here(), self.now, time);
        self.sequence += 1;
        self.here.ends.set(thread.index(), self.now + time, self.sequence);
    }

    /// Begins the next phase of a thread's item.
    #[inline(always)]
    fn next_phase(&mut self, thread: ThreadId, item: &PackedItem) {
        let state = &mut self.here.threads[thread.index()];
        let phase = state.phase;
        state.phase = phase + 1;
        match self.floor.work(item, phase, self.now) {
            Some(Work::Cpu(time)) => {
                state.on_cpu = true;
                if self.here.processors.acquire(thread) {
                    self.lasts(thread, time);
                } else {
                    state.wants_cpu = time;
                }
            }
            Some(Work::Wait(time)) => {
                state.on_cpu = false;
                if self.tells_waits {
                    self.apply(Event::Blocks { thread });
                }
                self.lasts(thread, time);
            }
            None => unreachable!("the service has another phase"),
        }
    }

    #[inline(always)]
    fn finish(&mut self, thread: ThreadId, item: &PackedItem) {
        let state = &mut self.here.threads[thread.index()];
        state.item = None;
        let (started, class) = (state.since, state.class);
        let outcome = if self.floor.panics(item, started) {
            self.panics += 1;
            Outcome::Lost
        } else {
            Outcome::Served
        };
        // A message is on its next queue before its thread goes back to the port.
        if let Some(next) = self.floor.finished(class, item, started, outcome, self.now) {
            self.submit(next);
        }
        self.apply(Event::Finishes { thread });
    }

    /// Submits an item. The answer is dealt with at once, the other decisions join what is to do.
    #[inline(always)]
    fn submit(&mut self, item: PackedItem) {
        let class = self.floor.class(&item);
        if self.floor.is_cluster() {
            let Some(node) = self.floor.place(class, &item, self.now) else { return };
            self.go_to(node);
        }
        self.apply(Event::Submit { class, job: item });
        match self.to_do.answer.take() {
            Some(Answer::Queued(ticket)) => self.floor.queued(class, &item, ticket, self.now),
            Some(Answer::Refused) => self.floor.refused(&item, self.now),
            None => unreachable!("a submission is answered"),
        }
    }

    /// The earliest of the phases ends.
    #[inline(always)]
    fn phase_ends(&mut self) {
        let Some((_, owner)) = self.here.ends.first() else { return };
        let thread = ThreadId(owner as u32);
        self.here.ended = Some(thread);
        if self.here.threads[owner].on_cpu {
            if let Some(next) = self.here.processors.release() {
                let time = self.here.threads[next.index()].wants_cpu;
                self.lasts(next, time);
            }
        } else if self.tells_waits {
            self.apply(Event::Wakes { thread });
        }
        let state = &self.here.threads[owner];
        let Some(item) = state.item else { return };
        if state.phase == state.phases {
            self.finish(thread, &item);
        } else {
            self.next_phase(thread, &item);
        }
        self.settle();
        if let Some(thread) = self.here.ended.take() {
            self.here.ends.clear(thread.index());
        }
    }

    /// Tells the policy of threads that have been idle for too long. Threads become idle in the order in which the
    /// policy keeps them, so the one that has been idle longest says for all when to look again.
    fn look_for_idle_threads(&mut self) {
        self.here.idle_check = Nanos::MAX;
        if let Some(thread) = self.here.dispatch.longest_idle() {
            let ends = self.here.threads[thread.index()].since + self.idle_timeout;
            self.here.idle_check = ends;
            if ends <= self.now {
                self.here.idle_check = self.now;
                self.apply(Event::IdleTooLong { thread });
                self.settle();
            }
        }
    }
}
