//! What a run remembers: outcomes, latencies, starvation, who held the threads, a time line.
//!
//! Not which engine ran, and no output format. One [`Metrics`] per run; the engine tells it what happened, in order of
//! time, and it answers with a [`Summary`] at the end. It checks itself: outcomes must sum to arrivals, and the
//! time-integral of the waiting items must equal the sum of their waits (Little 1961), to the nanosecond.
//! Called by `engine` and `run`; read by `report`.

pub mod agreement;
pub mod batches;
pub mod derived;
pub mod host;
pub mod latency;
pub mod replicated;
pub mod starvation;
pub mod trust;
pub mod warmup;

use crate::ids::{ClassId, SourceId};
use crate::item::Outcome;
use crate::time::Nanos;
use crate::workload::JourneyEnd;
use batches::{BatchMeans, Batches};
use latency::{Latency, LatencySummary};
use starvation::{Backlog, Episode, Starvation};
use warmup::{Carried, Measured};

/// Points of the time line.
pub const TIMELINE_POINTS: usize = 240;

/// An item that waits, as [`Metrics`] names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    position: u64,
    due: Nanos,
}

#[derive(Debug)]
struct Class {
    arrivals: u64,
    outcomes: Outcomes,
    started_wait: Latency,
    gave_up_wait: Latency,
    service: Latency,
    wait_batches: Batches,
    backlog: Backlog,
    starvation: Starvation,
    busy: u32,
    busy_max: u32,
    waiting_max: u64,
    /// Thread time held and waiting time added up, until `settled`.
    held_ns: u128,
    waiting_ns: u128,
    settled: Nanos,
    /// How late arrivals were told, summed: the waiting that `waiting_ns` could not see.
    late_ns: u128,
    /// Items that were due before the measured time.
    carried: Carried,
}

impl Class {
    fn settle(&mut self, now: Nanos) {
        let span = u128::from(now.since(self.settled).0);
        self.held_ns += u128::from(self.busy) * span;
        self.waiting_ns += u128::from(self.backlog.waiting()) * span;
        self.settled = now;
    }

    fn held_at(&self, now: Nanos) -> u128 {
        self.held_ns + u128::from(self.busy) * u128::from(now.since(self.settled).0)
    }
}

/// How the items of a class ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Served to the end.
    pub served: u64,
    /// The client's time-out passed before a thread was there.
    pub gave_up: u64,
    /// No room to wait.
    pub refused: u64,
    /// Lost with the thread that served it.
    pub lost: u64,
    /// Waiting or in service at the end of the run.
    pub unfinished: u64,
}

impl Outcomes {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.served + self.gave_up + self.refused + self.lost + self.unfinished
    }

    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Served => &mut self.served,
            Outcome::GaveUp => &mut self.gave_up,
            Outcome::Refused => &mut self.refused,
            Outcome::Lost => &mut self.lost,
            Outcome::Unfinished => &mut self.unfinished,
        } += 1;
    }
}

#[derive(Debug, Default)]
struct Journeys {
    began_to_end: Latency,
    completed: u64,
    cut: u64,
}

/// A moment of the time line.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub at: Nanos,
    /// Threads that exist.
    pub live_threads: u32,
    /// Of each class: (items waiting, threads held, age of the oldest waiting item).
    pub classes: Vec<(u64, u32, Nanos)>,
}

/// The memory of one run.
#[derive(Debug)]
pub struct Metrics {
    starvation_after: Nanos,
    classes: Vec<Class>,
    journeys: Vec<Journeys>,
    now: Nanos,
    /// No class begins to starve and no moment of the time line comes before this.
    next_check: Nanos,
    timeline: Vec<Moment>,
    timeline_step: Nanos,
    live_threads: u32,
    live_threads_max: u32,
    measured: Measured,
}

impl Metrics {
    /// Nothing has happened yet. `classes` and `sources` are counts; `duration` spans the time line.
    #[must_use]
    pub fn new(classes: usize, sources: usize, starvation_after: Nanos, duration: Nanos) -> Metrics {
        let class = || Class {
            arrivals: 0,
            outcomes: Outcomes::default(),
            started_wait: Latency::default(),
            gave_up_wait: Latency::default(),
            service: Latency::default(),
            wait_batches: Batches::default(),
            backlog: Backlog::default(),
            starvation: Starvation::new(classes),
            busy: 0,
            busy_max: 0,
            waiting_max: 0,
            held_ns: 0,
            waiting_ns: 0,
            settled: Nanos::ZERO,
            late_ns: 0,
            carried: Carried::default(),
        };
        Metrics {
            starvation_after,
            classes: (0..classes).map(|_| class()).collect(),
            journeys: (0..sources).map(|_| Journeys::default()).collect(),
            now: Nanos::ZERO,
            next_check: Nanos::ZERO,
            timeline: Vec::with_capacity(TIMELINE_POINTS),
            timeline_step: Nanos((duration.0 / TIMELINE_POINTS as u64).max(1)),
            live_threads: 0,
            live_threads_max: 0,
            measured: Measured::default(),
        }
    }

    /// An item due at `due` begins to wait.
    pub fn arrived(&mut self, class: ClassId, due: Nanos, now: Nanos) -> Waiting {
        let now = self.advance(now);
        let state = &mut self.classes[class.index()];
        state.settle(now);
        state.late_ns += u128::from(now.since(due.max(self.measured.from)).0);
        if due < self.measured.from {
            state.carried.came();
        } else {
            state.arrivals += 1;
        }
        let position = state.backlog.join(due);
        state.waiting_max = state.waiting_max.max(state.backlog.waiting());
        state.starvation.joined();
        // Only the first item can make its class starve earlier than the others already will.
        if state.backlog.waiting() == 1 {
            self.next_check = self.next_check.min(due + self.starvation_after);
        }
        Waiting { position, due }
    }

    /// An arriving item that was due at `due` found no room to wait.
    pub fn refused(&mut self, class: ClassId, due: Nanos, now: Nanos) {
        self.advance(now);
        if due < self.measured.from {
            return;
        }
        let state = &mut self.classes[class.index()];
        state.arrivals += 1;
        state.outcomes.count(Outcome::Refused);
    }

    /// A thread begins to serve a waiting item.
    pub fn started(&mut self, class: ClassId, item: Waiting, now: Nanos) {
        let now = self.advance(now);
        let state = &mut self.classes[class.index()];
        state.settle(now);
        if item.due < self.measured.from {
            state.carried.waited(now.since(self.measured.from));
        } else {
            state.started_wait.record(now.since(item.due));
            state.wait_batches.record(now.since(item.due));
        }
        state.busy += 1;
        state.busy_max = state.busy_max.max(state.busy);
        if state.busy == 1 {
            state.starvation.got_thread(now);
        }
        self.leave(class, item, now);
    }

    /// A waiting item's client gives up.
    pub fn gave_up(&mut self, class: ClassId, item: Waiting, now: Nanos) {
        let now = self.advance(now);
        let state = &mut self.classes[class.index()];
        state.settle(now);
        if item.due < self.measured.from {
            state.carried.waited(now.since(self.measured.from));
            state.carried.left();
        } else {
            state.gave_up_wait.record(now.since(item.due));
            state.wait_batches.record(now.since(item.due));
            state.outcomes.count(Outcome::GaveUp);
        }
        self.leave(class, item, now);
    }

    /// A thread is done with an item, due at `due`, that it began at `started`; `outcome` is served or lost.
    pub fn finished(&mut self, class: ClassId, due: Nanos, started: Nanos, outcome: Outcome, now: Nanos) {
        let now = self.advance(now);
        let state = &mut self.classes[class.index()];
        state.settle(now);
        if due < self.measured.from {
            state.carried.served(now.since(started.max(self.measured.from)));
            state.carried.left();
        } else {
            state.service.record(now.since(started));
            state.outcomes.count(outcome);
        }
        state.busy -= 1;
        if state.busy == 0 {
            state.starvation.lost_last_thread(now);
        }
    }

    /// A journey is over.
    pub fn journey_ended(&mut self, end: JourneyEnd, now: Nanos) {
        if end.began < self.measured.from {
            return;
        }
        let journeys = &mut self.journeys[end.source.index()];
        if end.completed {
            journeys.completed += 1;
            journeys.began_to_end.record(now.since(end.began));
        } else {
            journeys.cut += 1;
        }
    }

    /// How many items of a class wait.
    #[must_use]
    pub fn waiting(&self, class: ClassId) -> u64 {
        self.classes[class.index()].backlog.waiting()
    }

    /// How many threads exist from now on.
    pub fn live_threads(&mut self, live: u32, now: Nanos) {
        self.advance(now);
        self.live_threads = live;
        self.live_threads_max = self.live_threads_max.max(live);
    }

    fn leave(&mut self, class: ClassId, item: Waiting, now: Nanos) {
        let after = self.starvation_after;
        let state = &mut self.classes[class.index()];
        state.backlog.leave(item.position);
        let oldest = state.backlog.oldest();
        if state.starvation.is_open() && oldest.is_none_or(|due| due + after > now) {
            let held = self.held_at(now);
            self.classes[class.index()].starvation.end(now, &held);
        }
        if let Some(due) = oldest {
            self.next_check = self.next_check.min(due + after);
        }
    }

    fn held_at(&self, now: Nanos) -> Vec<u128> {
        self.classes.iter().map(|class| class.held_at(now)).collect()
    }

    /// Moves time on, opening the episodes and taking the time-line moments that lie on the way. The answer is the
    /// time that counts: it never goes back.
    fn advance(&mut self, now: Nanos) -> Nanos {
        if now >= self.next_check {
            self.check_until(now);
        }
        self.now = self.now.max(now);
        self.now
    }

    fn check_until(&mut self, now: Nanos) {
        if self.measured.begins_by(now) {
            self.begin_to_measure(self.measured.from);
        }
        while self.timeline.len() < TIMELINE_POINTS {
            let at = self.timeline_step * self.timeline.len() as u64;
            if at > now {
                break;
            }
            let moment =
                |c: &Class| (c.backlog.waiting(), c.busy, c.backlog.oldest().map_or(Nanos::ZERO, |due| at.since(due)));
            let classes = self.classes.iter().map(moment).collect();
            self.timeline.push(Moment { at, live_threads: self.live_threads, classes });
        }
        let mut next = match self.timeline.len() {
            TIMELINE_POINTS => Nanos::MAX,
            taken => self.timeline_step * taken as u64,
        };
        next = next.min(self.measured.begins_at());
        for at in 0..self.classes.len() {
            let class = &self.classes[at];
            let Some(due) = class.backlog.oldest() else { continue };
            if class.starvation.is_open() {
                continue;
            }
            let start = (due + self.starvation_after).max(self.measured.from);
            if start > now {
                next = next.min(start);
                continue;
            }
            // Told late, an item may have starved its class before the last event; the threads are counted from there.
            let held = self.held_at(start.max(self.now));
            let waiting = self.classes[at].backlog.waiting();
            self.classes[at].starvation.begin(start, waiting, held);
        }
        self.next_check = next;
    }

    /// Ends the run at `end`: what waits or is in service is unfinished. `in_service` are the classes, due times and
    /// starts of the items that threads still hold.
    #[must_use]
    pub fn close(mut self, end: Nanos, in_service: &[(ClassId, Nanos, Nanos)]) -> Summary {
        let end = self.advance(end);
        if self.measured.begins_by(Nanos::MAX) {
            // The run ended before anything was to be measured.
            self.begin_to_measure(end);
        }
        let from = self.measured.from;
        let mut open_service_ns = vec![0_u128; self.classes.len()];
        for (class, due, started) in in_service {
            let state = &mut self.classes[class.index()];
            if *due < from {
                state.carried.left();
            } else {
                state.outcomes.count(Outcome::Unfinished);
            }
            open_service_ns[class.index()] += u128::from(end.since((*started).max(from)).0);
        }
        let held = self.held_at(end);
        let trends = derived::waiting_trends(&self.timeline, from, self.classes.len());
        let mut violations = Vec::new();
        let classes: Vec<ClassSummary> = self
            .classes
            .into_iter()
            .enumerate()
            .map(|(at, mut class)| {
                class.settle(end);
                let waiting: Vec<Nanos> = class.backlog.all().collect();
                // The waits of all are those that ended with a thread or with patience, and those that never ended.
                let mut wait = class.started_wait.clone();
                wait.merge(&class.gave_up_wait);
                for due in &waiting {
                    if *due < from {
                        class.carried.waited(end.since(from));
                        class.carried.left();
                    } else {
                        class.outcomes.count(Outcome::Unfinished);
                        wait.record(end.since(*due));
                    }
                }
                if class.starvation.is_open() {
                    class.starvation.end(end, &held);
                }
                violations.extend(class.violations(at, &wait, open_service_ns[at]));
                class.summary((from, end), wait, trends[at], &waiting)
            })
            .collect();
        let journeys = self.journeys.into_iter().enumerate().map(|(at, journeys)| JourneySummary {
            source: SourceId(at as u16),
            completed: journeys.completed,
            cut: journeys.cut,
            total: journeys.began_to_end.summary(),
        });
        Summary {
            end,
            measured_from: from.min(end),
            classes,
            journeys: journeys.collect(),
            live_threads_max: self.live_threads_max,
            timeline: self.timeline,
            violations,
        }
    }
}

impl Class {
    /// Laws that hold whatever the load was; a violation is a bug of the engine, not of the scenario.
    fn violations(&self, class: usize, wait: &Latency, open_service_ns: u128) -> Vec<String> {
        let mut found = Vec::new();
        if self.outcomes.total() != self.arrivals {
            let total = self.outcomes.total();
            found.push(format!("class {class}: {} arrivals but {total} outcomes", self.arrivals));
        }
        let waits = wait.sum_ns() + self.carried.wait_ns();
        if self.waiting_ns + self.late_ns != waits {
            let (integral, sum) = (self.waiting_ns + self.late_ns, waits);
            found.push(format!("class {class}: integral of waiting items {integral} ns, sum of waits {sum} ns"));
        }
        let service = self.service.sum_ns() + self.carried.service_ns() + open_service_ns;
        if self.held_ns != service {
            let held = self.held_ns;
            found.push(format!("class {class}: threads held for {held} ns, service of {service} ns"));
        }
        if self.carried.in_system() != 0 {
            let left = self.carried.in_system();
            found.push(format!("class {class}: {left} items from before the measured time never ended"));
        }
        found
    }

    /// The figures over the measured time.
    fn summary(self, (from, end): (Nanos, Nanos), wait: Latency, trend: f64, waiting: &[Nanos]) -> ClassSummary {
        let measured = end.since(from);
        let share = |part: f64| if measured == Nanos::ZERO { 0.0 } else { part / measured.0 as f64 };
        let percent = |part: Nanos| share(part.0 as f64) * 100.0;
        let starvation = self.starvation;
        ClassSummary {
            arrivals: self.arrivals,
            outcomes: self.outcomes,
            wait: wait.summary(),
            wait_batches: self.wait_batches.means(),
            wait_recorded: wait,
            started_wait: self.started_wait.summary(),
            gave_up_wait: self.gave_up_wait.summary(),
            service: self.service.summary(),
            thread_seconds: self.held_ns as f64 / 1e9,
            busy_max: self.busy_max,
            waiting_max: self.waiting_max,
            mean_waiting: share(self.waiting_ns as f64),
            waiting_trend_per_hour: trend,
            still_waiting: waiting.len() as u64,
            oldest_waiting: waiting.first().map(|due| end.since(*due)),
            starved: starvation.starved,
            starved_percent: percent(starvation.starved),
            shut_out: starvation.shut_out,
            shut_out_percent: percent(starvation.shut_out),
            longest_episode: starvation.longest,
            episode_count: starvation.count,
            holders: shares(&starvation.held_ns),
            episodes: starvation.episodes,
        }
    }
}

/// Who held how much of `held_ns`, the largest first, those with nothing left out.
#[must_use]
pub fn shares(held_ns: &[u128]) -> Vec<Holder> {
    let total: u128 = held_ns.iter().sum();
    let mut holders: Vec<Holder> = held_ns
        .iter()
        .enumerate()
        .filter(|(_, ns)| **ns > 0)
        .map(|(at, ns)| Holder {
            class: ClassId(at as u16),
            thread_seconds: *ns as f64 / 1e9,
            percent: *ns as f64 / total as f64 * 100.0,
        })
        .collect();
    holders.sort_by(|a, b| b.thread_seconds.total_cmp(&a.thread_seconds).then(a.class.cmp(&b.class)));
    holders
}

/// A class that held threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holder {
    /// Which.
    pub class: ClassId,
    /// How much, in thread-seconds.
    pub thread_seconds: f64,
    /// Its share of all threads held, in percent.
    pub percent: f64,
}

/// All figures of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How long the run was.
    pub end: Nanos,
    /// Where the measured time begins: zero, or the end of the warm-up. Times, shares and averages are those of the
    /// time from here to `end`; items count if they were due in it.
    pub measured_from: Nanos,
    /// One entry for each class.
    pub classes: Vec<ClassSummary>,
    /// One entry for each source.
    pub journeys: Vec<JourneySummary>,
    /// The most threads that ever existed together.
    pub live_threads_max: u32,
    /// At most [`TIMELINE_POINTS`] moments, evenly spaced.
    pub timeline: Vec<Moment>,
    /// Broken laws; empty unless the program has a bug.
    pub violations: Vec<String>,
}

impl Summary {
    /// Length of the measured time.
    #[must_use]
    pub fn measured(&self) -> Nanos {
        self.end.since(self.measured_from)
    }
}

/// All figures of one class. Waits count from the due time.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSummary {
    /// Items that came; always the sum of the outcomes.
    pub arrivals: u64,
    /// How they ended.
    pub outcomes: Outcomes,
    /// Waits of **all** items but those refused: until a thread began, the client gave up, or the run ended. Whoever
    /// was never served still counts, with the time it waited.
    pub wait: LatencySummary,
    /// How exactly this run alone knows its mean wait.
    pub wait_batches: BatchMeans,
    /// Waits of the items that a thread began.
    pub started_wait: LatencySummary,
    /// Waits of the items whose client gave up.
    pub gave_up_wait: LatencySummary,
    /// Service times of the finished items.
    pub service: LatencySummary,
    /// The recorder behind `wait`, so that several runs can be merged.
    pub wait_recorded: Latency,
    /// Thread time held, in thread-seconds.
    pub thread_seconds: f64,
    /// Most threads held at one moment.
    pub busy_max: u32,
    /// Most items waiting at one moment.
    pub waiting_max: u64,
    /// Time average of the items waiting.
    pub mean_waiting: f64,
    /// By how many items an hour the waiting items grew (fell, where negative): the slope of the straight line through
    /// the measured moments of the time line.
    pub waiting_trend_per_hour: f64,
    /// Items that waited at the end.
    pub still_waiting: u64,
    /// How long the oldest of them had waited.
    pub oldest_waiting: Option<Nanos>,
    /// Total starved time.
    pub starved: Nanos,
    /// The same in percent of the run.
    pub starved_percent: f64,
    /// Starved time in which the class held no thread.
    pub shut_out: Nanos,
    /// The same in percent of the run.
    pub shut_out_percent: f64,
    /// The longest episode.
    pub longest_episode: Nanos,
    /// How many episodes there were.
    pub episode_count: u64,
    /// Who held the threads during all episodes.
    pub holders: Vec<Holder>,
    /// The first [`starvation::EPISODES_KEPT`] episodes.
    pub episodes: Vec<Episode>,
}

/// The journeys of one source.
#[derive(Clone, Debug, PartialEq)]
pub struct JourneySummary {
    /// Which source.
    pub source: SourceId,
    /// Journeys whose last step was served.
    pub completed: u64,
    /// Journeys cut short: a step gave up, was refused or lost.
    pub cut: u64,
    /// From begin to end, completed journeys only.
    pub total: LatencySummary,
}
