//! What a run remembers: outcomes, latencies, starvation, who held the threads, a time line.
//!
//! Not which engine ran, and no output format. One [`Metrics`] per run; the engine tells it what happened, in order of
//! time, and it answers with a [`Summary`] at the end. It checks itself: outcomes must sum to arrivals, and the
//! time-integral of the waiting items must equal the sum of their waits (Little 1961), to the nanosecond.
//! Called by `engine` and `run`; read by `report`.

pub mod agreement;
pub mod backlog;
pub mod batches;
pub mod derived;
pub mod failover;
pub mod host;
pub mod intervals;
pub mod latency;
pub mod limits;
pub mod replicated;
pub mod starvation;
pub mod trust;
pub mod warmup;

use crate::ids::{ClassId, SourceId};
use crate::item::Outcome;
use crate::time::Nanos;
use crate::workload::JourneyEnd;
use batches::{BatchMeans, Batches};
use intervals::{Interval, Intervals};
use latency::{Latency, LatencySummary, Recording};
use starvation::{Episode, Starvation};
use warmup::{Carried, Measured};

/// Points of the time line.
pub const TIMELINE_POINTS: usize = 240;

#[derive(Debug)]
struct Class {
    arrivals: u64,
    outcomes: Outcomes,
    waiting: u64,
    waiting_max: u64,
    /// Due time of the oldest waiting item; "never" where none waits.
    oldest: Nanos,
    busy: u32,
    busy_max: u32,
    started_wait: Recording,
    gave_up_wait: Recording,
    cut_wait: Recording,
    service: Recording,
    wait_batches: Batches,
    starvation: Starvation,
    /// Thread time held: the sum of the ends minus that of the starts, modulo 2^128; with `busy` times now it is the
    /// time-integral of the busy threads up to now.
    held: u128,
    /// The same for the waiting items, counted from their due times. Both begin anew with the measured time.
    waited: u128,
    /// How late arrivals were told, summed: waiting of items that nobody saw yet.
    late_ns: u128,
    /// Items that were due before the measured time.
    carried: Carried,
}

impl Class {
    fn held_at(&self, now: Nanos) -> u128 {
        self.held.wrapping_add(u128::from(self.busy) * u128::from(now.0))
    }

    fn waited_at(&self, now: Nanos) -> u128 {
        self.waited.wrapping_add(u128::from(self.waiting) * u128::from(now.0))
    }

    fn oldest(&self) -> Option<Nanos> {
        (self.waiting > 0).then_some(self.oldest)
    }
}

fn plus(sum: &mut u128, at: Nanos) {
    *sum = sum.wrapping_add(u128::from(at.0));
}

fn minus(sum: &mut u128, at: Nanos) {
    *sum = sum.wrapping_sub(u128::from(at.0));
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
    /// Cut off when the service went offline.
    pub cut: u64,
    /// Came while the service was offline.
    pub unreachable: u64,
    /// Waiting or in service at the end of the run.
    pub unfinished: u64,
}

impl Outcomes {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.served + self.gave_up + self.refused + self.lost + self.cut + self.unreachable + self.unfinished
    }

    #[inline(always)]
    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Served => &mut self.served,
            Outcome::GaveUp => &mut self.gave_up,
            Outcome::Refused => &mut self.refused,
            Outcome::Lost => &mut self.lost,
            Outcome::Cut => &mut self.cut,
            Outcome::Unreachable => &mut self.unreachable,
            Outcome::Unfinished => &mut self.unfinished,
        } += 1;
    }
}

#[derive(Debug, Default)]
struct Journeys {
    began_to_end: Recording,
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
    /// By class, the node whose threads it uses: in an episode only those are held from it.
    places: Vec<u16>,
    /// Only where they are wanted.
    intervals: Option<Box<Intervals>>,
}

impl Metrics {
    /// Nothing has happened yet. `classes` and `sources` are counts; `duration` spans the time line.
    #[must_use]
    pub fn new(classes: usize, sources: usize, starvation_after: Nanos, duration: Nanos) -> Metrics {
        let class = || Class {
            arrivals: 0,
            outcomes: Outcomes::default(),
            waiting: 0,
            waiting_max: 0,
            oldest: Nanos::MAX,
            busy: 0,
            busy_max: 0,
            started_wait: Recording::default(),
            gave_up_wait: Recording::default(),
            cut_wait: Recording::default(),
            service: Recording::default(),
            wait_batches: Batches::default(),
            starvation: Starvation::new(classes),
            held: 0,
            waited: 0,
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
            places: vec![0; classes],
            intervals: None,
        }
    }

    /// From now on a class uses the threads of this node.
    pub fn is_on(&mut self, class: ClassId, node: u16) {
        self.places[class.index()] = node;
    }

    /// An item due at `due` begins to wait.
    #[inline(always)]
    pub fn arrived(&mut self, class: ClassId, due: Nanos, now: Nanos) {
        self.advance(now);
        let state = &mut self.classes[class.index()];
        let counted_from = due.max(self.measured.from);
        minus(&mut state.waited, counted_from);
        if now > due {
            state.late_ns += u128::from(now.since(counted_from).0);
        }
        if due < self.measured.from {
            state.carried.came();
        } else {
            state.arrivals += 1;
        }
        state.waiting += 1;
        state.waiting_max = state.waiting_max.max(state.waiting);
        state.starvation.joined();
        // Only the first item can make its class starve earlier than the others already will.
        if state.waiting == 1 {
            state.oldest = due;
            self.next_check = self.next_check.min(due + self.starvation_after);
        }
    }

    /// An arriving item that was due at `due` is turned away: it found no room to wait, or its service is offline, or its
    /// session has been cut meanwhile.
    pub fn turned_away(&mut self, class: ClassId, due: Nanos, outcome: Outcome, now: Nanos) {
        self.advance(now);
        if due < self.measured.from {
            return;
        }
        let state = &mut self.classes[class.index()];
        state.arrivals += 1;
        state.outcomes.count(outcome);
    }

    /// A thread begins to serve an item that was due at `due`; `oldest` is the due time of the item of its class that
    /// now has waited longest.
    #[inline(always)]
    pub fn started(&mut self, class: ClassId, due: Nanos, oldest: Option<Nanos>, now: Nanos) {
        self.advance(now);
        let state = &mut self.classes[class.index()];
        if due < self.measured.from {
            state.carried.waited(now.since(self.measured.from));
        } else {
            state.started_wait.record(now.since(due));
            state.wait_batches.record(now.since(due));
        }
        minus(&mut state.held, now);
        state.busy += 1;
        state.busy_max = state.busy_max.max(state.busy);
        if state.busy == 1 {
            state.starvation.got_thread(now);
        }
        self.leave(class, oldest, now);
    }

    /// A waiting item leaves without having been served: its client gives up, or it is cut off. See [`Metrics::started`].
    pub fn left(&mut self, class: ClassId, due: Nanos, oldest: Option<Nanos>, outcome: Outcome, now: Nanos) {
        self.advance(now);
        let state = &mut self.classes[class.index()];
        if due < self.measured.from {
            state.carried.waited(now.since(self.measured.from));
            state.carried.left();
        } else {
            let wait = if outcome == Outcome::GaveUp { &mut state.gave_up_wait } else { &mut state.cut_wait };
            wait.record(now.since(due));
            state.wait_batches.record(now.since(due));
            state.outcomes.count(outcome);
        }
        self.leave(class, oldest, now);
    }

    /// A thread is done with an item, due at `due`, that it began at `started`; `outcome` is served, lost or cut.
    #[inline(always)]
    pub fn finished(&mut self, class: ClassId, due: Nanos, started: Nanos, outcome: Outcome, now: Nanos) {
        self.advance(now);
        let state = &mut self.classes[class.index()];
        plus(&mut state.held, now);
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
    #[inline(always)]
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
        self.classes[class.index()].waiting
    }

    /// How many threads exist from now on.
    pub fn live_threads(&mut self, live: u32, now: Nanos) {
        self.advance(now);
        self.live_threads = live;
        self.live_threads_max = self.live_threads_max.max(live);
    }

    #[inline(always)]
    fn leave(&mut self, class: ClassId, oldest: Option<Nanos>, now: Nanos) {
        let after = self.starvation_after;
        let state = &mut self.classes[class.index()];
        plus(&mut state.waited, now);
        state.waiting -= 1;
        state.oldest = oldest.unwrap_or(Nanos::MAX);
        let starves_at = state.oldest + after;
        self.next_check = self.next_check.min(starves_at);
        if state.starvation.is_open() && starves_at > now {
            let held = self.held_at(now);
            self.classes[class.index()].starvation.end(now, &held, beside(&self.places, class.index()));
        }
    }

    fn held_at(&self, now: Nanos) -> Vec<u128> {
        self.classes.iter().map(|class| class.held_at(now)).collect()
    }

    /// Moves time on, opening the episodes and taking the time-line moments that lie on the way.
    #[inline(always)]
    fn advance(&mut self, now: Nanos) {
        debug_assert!(now >= self.now, "time goes back");
        if now >= self.next_check {
            self.check_until(now);
        }
        self.now = now;
    }

    #[cold]
    fn check_until(&mut self, now: Nanos) {
        if self.measured.begins_by(now) {
            self.begin_to_measure(self.measured.from);
        }
        while self.timeline.len() < TIMELINE_POINTS {
            let at = self.timeline_step * self.timeline.len() as u64;
            if at > now {
                break;
            }
            let moment = |c: &Class| (c.waiting, c.busy, c.oldest().map_or(Nanos::ZERO, |due| at.since(due)));
            let classes = self.classes.iter().map(moment).collect();
            self.timeline.push(Moment { at, live_threads: self.live_threads, classes });
            self.end_interval(at);
        }
        let mut next = match self.timeline.len() {
            TIMELINE_POINTS => Nanos::MAX,
            taken => self.timeline_step * taken as u64,
        };
        next = next.min(self.measured.begins_at());
        for at in 0..self.classes.len() {
            let class = &self.classes[at];
            let Some(due) = class.oldest() else { continue };
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
            let waiting = self.classes[at].waiting;
            self.classes[at].starvation.begin(start, waiting, held);
        }
        self.next_check = next;
    }

    /// Ends the run at `end`: what waits or is in service is unfinished. `waiting` are the classes and due times of
    /// the items that wait, `in_service` the classes, due times and starts of those that threads still hold.
    #[must_use]
    pub fn close(
        mut self,
        end: Nanos,
        waiting: impl IntoIterator<Item = (ClassId, Nanos)>,
        in_service: impl IntoIterator<Item = (ClassId, Nanos, Nanos)>,
    ) -> Summary {
        let end = end.max(self.now);
        self.advance(end);
        if self.measured.begins_by(Nanos::MAX) {
            // The run ended before anything was to be measured.
            self.begin_to_measure(end);
        }
        let intervals = self.intervals_until(end);
        let from = self.measured.from;
        let mut open_service_ns = vec![0_u128; self.classes.len()];
        for (class, due, started) in in_service {
            let state = &mut self.classes[class.index()];
            if due < from {
                state.carried.left();
            } else {
                state.outcomes.count(Outcome::Unfinished);
            }
            open_service_ns[class.index()] += u128::from(end.since(started.max(from)).0);
        }
        let held = self.held_at(end);
        let trends = derived::waiting_trends(&self.timeline, from, self.classes.len());
        // The waits of all are those that ended with a thread or with patience, and those that never ended.
        let mut waits: Vec<Recording> = self.classes.iter().map(|class| class.started_wait.clone()).collect();
        let mut still_waiting = vec![0_u64; self.classes.len()];
        for (class, due) in waiting {
            let state = &mut self.classes[class.index()];
            still_waiting[class.index()] += 1;
            if due < from {
                state.carried.waited(end.since(from));
                state.carried.left();
            } else {
                state.outcomes.count(Outcome::Unfinished);
                waits[class.index()].record(end.since(due));
            }
        }
        let mut violations = Vec::new();
        let classes: Vec<ClassSummary> = self
            .classes
            .into_iter()
            .zip(waits)
            .enumerate()
            .map(|(at, (mut class, wait))| {
                let mut wait = wait.finish();
                wait.merge(class.gave_up_wait.settled());
                wait.merge(class.cut_wait.settled());
                if class.starvation.is_open() {
                    class.starvation.end(end, &held, beside(&self.places, at));
                }
                violations.extend(class.violations(at, end, &wait, open_service_ns[at]));
                class.summary((from, end), wait, trends[at], still_waiting[at])
            })
            .collect();
        let journeys = self.journeys.into_iter().enumerate().map(|(at, journeys)| JourneySummary {
            source: SourceId(at as u16),
            completed: journeys.completed,
            cut: journeys.cut,
            total: journeys.began_to_end.finish().summary(),
        });
        Summary {
            end,
            measured_from: from.min(end),
            classes,
            journeys: journeys.collect(),
            live_threads_max: self.live_threads_max,
            timeline: self.timeline,
            intervals,
            violations,
        }
    }
}

/// Whether a class uses the threads that class `own` uses.
fn beside(places: &[u16], own: usize) -> impl Fn(usize) -> bool + '_ {
    move |other| places[other] == places[own]
}

impl Class {
    /// Laws that hold whatever the load was; a violation is a bug of the engine, not of the scenario.
    fn violations(&mut self, class: usize, end: Nanos, wait: &Latency, open_service_ns: u128) -> Vec<String> {
        let mut found = Vec::new();
        if self.outcomes.total() != self.arrivals {
            let total = self.outcomes.total();
            found.push(format!("class {class}: {} arrivals but {total} outcomes", self.arrivals));
        }
        let waits = wait.sum_ns() + self.carried.wait_ns();
        if self.waited_at(end) != waits {
            let (integral, sum) = (self.waited_at(end), waits);
            found.push(format!("class {class}: integral of waiting items {integral} ns, sum of waits {sum} ns"));
        }
        let service = self.service.settled().sum_ns() + self.carried.service_ns() + open_service_ns;
        let held = self.held_at(end);
        if held != service {
            found.push(format!("class {class}: threads held for {held} ns, service of {service} ns"));
        }
        if self.carried.in_system() != 0 {
            let left = self.carried.in_system();
            found.push(format!("class {class}: {left} items from before the measured time never ended"));
        }
        found
    }

    /// The figures over the measured time.
    fn summary(self, (from, end): (Nanos, Nanos), wait: Latency, trend: f64, still_waiting: u64) -> ClassSummary {
        let measured = end.since(from);
        let share = |part: f64| if measured == Nanos::ZERO { 0.0 } else { part / measured.0 as f64 };
        let percent = |part: Nanos| share(part.0 as f64) * 100.0;
        let thread_seconds = self.held_at(end) as f64 / 1e9;
        let mean_waiting = share(self.waited_at(end).wrapping_sub(self.late_ns) as f64);
        let oldest_waiting = self.oldest().map(|due| end.since(due));
        let starvation = self.starvation;
        ClassSummary {
            arrivals: self.arrivals,
            outcomes: self.outcomes,
            wait: wait.summary(),
            wait_batches: self.wait_batches.means(),
            wait_recorded: wait,
            started_wait: self.started_wait.finish().summary(),
            gave_up_wait: self.gave_up_wait.finish().summary(),
            service: self.service.finish().summary(),
            thread_seconds,
            busy_max: self.busy_max,
            waiting_max: self.waiting_max,
            mean_waiting,
            waiting_trend_per_hour: trend,
            still_waiting,
            oldest_waiting,
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
    /// What happened between its moments; empty unless the run was asked for it.
    pub intervals: Vec<Interval>,
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
