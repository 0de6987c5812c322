//! A run as a Perfetto trace, streamed while it goes on: every thread a track, every service a colour.
//!
//! A variant is a process, in a cluster each of its nodes; all begin at 0, so they lie over one another. It hears what the
//! decision log hears and lives it again in a `Dispatch` of its own, which knows the counts. Not the bytes
//! (`report::perfetto`) and not the text of the log (`trace`). Memory follows threads and waiting items, however long the
//! run: what is over is written. Described in `docs/files.md`. Called by [`super::run`].

mod gauge;
mod node;

use std::fmt;
use std::io::{self, Write};

use parking_lot::Mutex;

use super::EngineKind;
use crate::metrics::starvation::Episode;
use crate::metrics::{Summary, shares};
use crate::models::cluster::{ClusterSummary, NodeState};
use crate::plan::Plan;
use crate::policy::decision_log::{LogLine, Trace};
use crate::report::perfetto::{Name, Packets, Track, Value};
use crate::time::Nanos;
use node::{Incarnation, Slice};

/// The most slices and instants of one variant: some 60 MB.
pub const SLICES_MOST: u64 = 1_000_000;
/// The most values of one counter of a variant: they are as far apart as that takes.
const COUNTER_VALUES: u64 = 4_000;
/// Packets are written from so many bytes on.
const BUFFER: usize = 64 * 1024;

/// See the module's head.
pub struct PerfettoFile(Mutex<Inner>);

struct Inner {
    pen: Pen,
    processes: u64,
    run: Option<Run>,
    /// Variants of which there were too many slices.
    cut: Vec<String>,
}

/// What writes: where packets go, which part of the time is shown, and how many slices of the present run are.
struct Pen {
    packets: Packets,
    window: (Nanos, Nanos),
    words: Words,
    out: Box<dyn Write + Send>,
    failed: Option<io::Error>,
    slices: u64,
    left_out: u64,
}

/// Interned names that every variant uses.
#[derive(Clone, Copy)]
struct Words {
    item: Name,
    wait_us: Name,
    queued_us: Name,
    unfinished: Name,
    refused: Name,
    cap: Name,
    lasted_us: Name,
    waited: Name,
    shut_out_us: Name,
    held_by: Name,
    refusal: Name,
    starves: Name,
    starved: Name,
    policy: Name,
    cluster: Name,
}

/// The run of one variant.
struct Run {
    variant: String,
    services: Vec<Service>,
    /// The nodes; a single server is one.
    nodes: Vec<Place>,
    /// By log: its node, and what it is at. The earlier logs of a node that began anew are over.
    logs: Vec<Option<Incarnation>>,
    /// What threads of nodes that are gone were at; until when is known at the end.
    orphans: Vec<(usize, Slice)>,
    last: Nanos,
    /// What comes from then on is no part of the run: real threads are still there when it ends, and are let go then.
    until: Nanos,
}

/// A class as the trace shows it.
struct Service {
    name: String,
    slice: Name,
    category: Name,
}

/// A process of the trace.
struct Place {
    pid: u64,
    process: Track,
    rules: crate::policy::dispatch::Rules,
    threads: Vec<Track>,
    gauges: gauge::Gauges,
    /// By class: where its cap refusals are, once there are any.
    refusals: Vec<Option<Track>>,
}

impl fmt::Debug for PerfettoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerfettoFile")
    }
}

impl PerfettoFile {
    /// A trace that goes to `out` and shows what happened from `window.0` to `window.1`.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, window: (Nanos, Nanos)) -> PerfettoFile {
        let mut packets = Packets::default();
        let words = Words::of(&mut packets);
        let pen = Pen { packets, window, words, out, failed: None, slices: 0, left_out: 0 };
        PerfettoFile(Mutex::new(Inner { pen, processes: 0, run: None, cut: Vec::new() }))
    }

    /// Begins with a plan's run. A cluster's nodes begin by themselves.
    pub(super) fn begin(&self, engine: EngineKind, plan: &Plan) {
        let mut guard = self.0.lock();
        let inner = &mut *guard;
        (inner.pen.slices, inner.pen.left_out) = (0, 0);
        let step = Nanos(inner.pen.window.1.min(plan.duration).since(inner.pen.window.0).0 / COUNTER_VALUES);
        let packets = &mut inner.pen.packets;
        let services = plan.classes.iter().map(|class| Service {
            name: class.name.clone(),
            slice: packets.name(&class.name),
            category: packets.category(class.role.word()),
        });
        let services: Vec<Service> = services.collect();
        let named = match &plan.cluster {
            None => vec![(plan.variant.clone(), plan.rules())],
            Some(cluster) => {
                let of = |node: &crate::plan::cluster::NodePlan| {
                    (format!("{} on {}", plan.variant, node.name), node.rules.clone())
                };
                cluster.nodes.iter().map(of).collect()
            }
        };
        let mut nodes = Vec::new();
        for (name, rules) in named {
            inner.processes += 1;
            let pid = inner.processes;
            let process = packets.process(pid, &name);
            let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
            let gauges = gauge::Gauges::new(packets, process, &names, &rules, step, inner.pen.window);
            let refusals = vec![None; services.len()];
            nodes.push(Place { pid, process, rules, threads: Vec::new(), gauges, refusals });
        }
        let (logs, orphans) = (Vec::new(), Vec::new());
        let variant = plan.variant.clone();
        let until = if engine == EngineKind::Threads { plan.duration } else { Nanos::MAX };
        let mut run = Run { variant, services, nodes, logs, orphans, last: Nanos::ZERO, until };
        if plan.cluster.is_none() {
            run.begins(0, 0);
        }
        inner.run = Some(run);
    }

    /// The run is over; `None` where it could not be.
    pub(super) fn end(&self, plan: &Plan, came: Option<(&Summary, Option<&ClusterSummary>)>) {
        let mut guard = self.0.lock();
        let inner = &mut *guard;
        let Some(mut run) = inner.run.take() else { return };
        let end = came.map_or(run.last, |(summary, _)| summary.end);
        let cluster = came.and_then(|(_, cluster)| cluster);
        run.close_threads(end, cluster, &mut inner.pen);
        if let Some((summary, _)) = came {
            run.episodes(summary, &mut inner.pen);
        }
        if let (Some(cluster), Some(spec)) = (cluster, plan.cluster.as_ref().map(|cluster| &cluster.spec)) {
            inner.processes += 1;
            let name = format!("{}: event log of the cluster", plan.variant);
            let log = inner.pen.packets.process(inner.processes, &name);
            for event in &cluster.events {
                if !inner.pen.shows(event.at, event.at) {
                    continue;
                }
                let text = inner.pen.packets.name(&event.text(spec));
                inner.pen.packets.instant(log, text, inner.pen.words.cluster, event.at, &[]);
            }
        }
        if inner.pen.left_out > 0 {
            inner.cut.push(format!("{} slices and instants of {}", inner.pen.left_out, run.variant));
        }
        inner.pen.flush();
    }

    /// Writes what is left. The answer is what was left out because it was too much, variant by variant.
    ///
    /// # Errors
    /// The first thing that could not be written; the trace is not whole.
    pub fn close(&self) -> io::Result<Vec<String>> {
        let mut guard = self.0.lock();
        guard.pen.flush();
        match guard.pen.failed.take() {
            Some(error) => Err(error),
            None => guard.pen.out.flush().map(|()| std::mem::take(&mut guard.cut)),
        }
    }
}

impl Trace for PerfettoFile {
    fn note(&self, now: Nanos, line: &LogLine) {
        self.note_of(0, now, line);
    }

    fn begins(&self, node: usize, first_number: u64) -> u32 {
        let mut guard = self.0.lock();
        guard.run.as_mut().map_or(0, |run| run.begins(node, first_number))
    }

    fn note_of(&self, log: u32, now: Nanos, line: &LogLine) {
        let mut guard = self.0.lock();
        let inner = &mut *guard;
        let Some(run) = inner.run.as_mut().filter(|run| now < run.until) else { return };
        run.last = run.last.max(now);
        if let Some(Some(at)) = run.logs.get_mut(log as usize) {
            let place = &mut run.nodes[at.node];
            at.hear(now, line, place, &run.services, &mut inner.pen);
        }
        if inner.pen.packets.len() > BUFFER {
            inner.pen.flush();
        }
    }
}

impl Run {
    /// A node begins, or begins anew: what its threads were at is gone.
    fn begins(&mut self, node: usize, first_number: u64) -> u32 {
        for log in &mut self.logs {
            if log.as_ref().is_some_and(|at| at.node == node)
                && let Some(gone) = log.take()
            {
                self.orphans.extend(gone.into_slices().map(|slice| (node, slice)));
            }
        }
        self.logs.push(Some(Incarnation::new(node, first_number, &self.nodes[node].rules)));
        self.logs.len() as u32 - 1
    }

    /// What threads are at when the run ends, and what those of nodes that are gone were at.
    fn close_threads(&mut self, end: Nanos, cluster: Option<&ClusterSummary>, pen: &mut Pen) {
        for (node, slice) in std::mem::take(&mut self.orphans) {
            let lane = cluster.and_then(|cluster| cluster.nodes.get(node)).map_or(&[][..], |node| &node.lane);
            let down = lane.iter().find(|(at, state)| *state == NodeState::Down && *at >= slice.from);
            let to = down.map_or(end, |(at, _)| *at);
            let service = &self.services[slice.class.index()];
            pen.item(&slice, &self.nodes[node].threads, service, to, true);
        }
        for at in std::mem::take(&mut self.logs).into_iter().flatten() {
            let place = &mut self.nodes[at.node];
            at.close(end, place, &self.services, pen);
        }
    }

    /// The starvation that the summary knows, on a track for each service that starved.
    fn episodes(&mut self, summary: &Summary, pen: &mut Pen) {
        let words = pen.words;
        let Some(process) = self.nodes.first().map(|place| place.process) else { return };
        for (service, class) in self.services.iter().zip(&summary.classes) {
            let mut track = None;
            for episode in &class.episodes {
                if !pen.shows(episode.start, episode.start + episode.length) {
                    continue;
                }
                let packets = &mut pen.packets;
                let track =
                    *track.get_or_insert_with(|| packets.track(process, &format!("starvation of {}", service.name)));
                let notes = [
                    (words.waited, Value::Uint(episode.waited)),
                    (words.lasted_us, Value::Uint(episode.length.as_micros())),
                    (words.shut_out_us, Value::Uint(episode.shut_out.as_micros())),
                    (words.held_by, Value::Text(self.holders(episode))),
                ];
                packets.instant(track, words.starves, service.category, episode.start, &notes);
                let span = (episode.start, episode.start + episode.length);
                packets.slice(track, words.starved, service.category, span, &notes);
            }
        }
    }

    /// `smtp1.local-delivery 41 %, ...`: who held the threads, the five largest.
    fn holders(&self, episode: &Episode) -> String {
        let told = shares(&episode.held_ns);
        let each = told.iter().take(5).map(|h| format!("{} {:.0} %", self.services[h.class.index()].name, h.percent));
        each.collect::<Vec<_>>().join(", ")
    }
}

impl Pen {
    /// Whether a span has anything in the part that is shown.
    fn shows(&self, from: Nanos, to: Nanos) -> bool {
        from <= self.window.1 && to >= self.window.0
    }

    fn flush(&mut self) {
        let bytes = self.packets.take();
        if self.failed.is_none() {
            self.failed = self.out.write_all(&bytes).err();
        }
    }

    /// Whether there is room for one more slice or instant; if not, it is counted.
    fn room(&mut self) -> bool {
        if self.slices >= SLICES_MOST {
            self.left_out += 1;
            return false;
        }
        self.slices += 1;
        true
    }

    /// What a thread did from `slice.from` to `to`.
    fn item(&mut self, slice: &Slice, threads: &[Track], service: &Service, to: Nanos, unfinished: bool) {
        if !self.shows(slice.from, to) || !self.room() {
            return;
        }
        let words = self.words;
        let queued = slice.queued.unwrap_or(slice.from);
        let notes = [
            (words.item, Value::Uint(slice.number)),
            (words.wait_us, Value::Uint(slice.from.since(queued).as_micros())),
            (words.queued_us, Value::Uint(queued.as_micros())),
            (words.unfinished, Value::Bool(true)),
        ];
        let notes = if unfinished { &notes[..] } else { &notes[..3] };
        let track = threads[slice.thread.index()];
        self.packets.slice(track, service.slice, service.category, (slice.from, to), notes);
    }
}

impl Words {
    fn of(packets: &mut Packets) -> Words {
        Words {
            item: packets.annotation("item"),
            wait_us: packets.annotation("wait_us"),
            queued_us: packets.annotation("queued_us"),
            unfinished: packets.annotation("unfinished"),
            refused: packets.annotation("refused"),
            cap: packets.annotation("cap"),
            lasted_us: packets.annotation("lasted_us"),
            waited: packets.annotation("waited"),
            shut_out_us: packets.annotation("shut_out_us"),
            held_by: packets.annotation("held_by"),
            refusal: packets.name("cap refusal"),
            starves: packets.name("starves"),
            starved: packets.name("starved"),
            policy: packets.category("policy"),
            cluster: packets.category("cluster"),
        }
    }
}
