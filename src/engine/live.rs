//! What a run looks like while it goes on: which thread serves which class, who waits and for how long, what was served.
//!
//! It hears the decision log (threads) and the floor (items) and keeps a small picture, which whoever watches copies when he
//! likes. Not the memory of the run (`metrics`), which makes the report, and not a screen. It changes nothing; a run that
//! nobody watches has none. Bounded but for the items that wait. Made by [`control`](super::control).

use std::any::Any;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::observer::Observer;
use crate::ids::{ClassId, ThreadId};
use crate::item::Outcome;
use crate::models::cluster::spec::NodeId;
use crate::models::cluster::{Entry, GroupState, NodeState, ResourceState};
use crate::plan::Plan;
use crate::policy::decision_log::{LogLine, Trace};
use crate::policy::dispatch::{Decision, Event};
use crate::time::Nanos;
use crate::workload::{Item, JourneyEnd};

/// The most steps of a class's history.
pub const STEPS_MOST: usize = 240;

/// Steps that `served_per_second` and `wait` look back on.
const RECENT: usize = 3;

/// Entries of the cluster's event log that are kept.
const EVENTS_MOST: usize = 16;

/// What a thread is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// There is none.
    #[default]
    Absent,
    /// It is being created.
    Starting,
    /// It waits at the port.
    Idle,
    /// It serves an item of this class.
    Busy {
        /// Which class.
        class: ClassId,
        /// It waits for something outside, and is not runnable.
        waits: bool,
    },
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePicture {
    /// Its threads, by id.
    pub threads: Vec<Cell>,
    /// Threads that exist.
    pub live: u32,
    /// Of these, threads that serve an item.
    pub busy: u32,
    /// Of these, threads that do not wait for something outside.
    pub runnable: u32,
}

/// One class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassPicture {
    /// Items that wait.
    pub waiting: u64,
    /// For how long the oldest of them has waited; zero where none waits.
    pub oldest: Nanos,
    /// It has waited so long that the class is starved.
    pub starved: bool,
    /// Threads that serve the class.
    pub threads: u32,
    /// The longest wait lately: of items that were begun, that left, or that still wait.
    pub wait: Nanos,
    /// The longest wait of the whole run.
    pub longest: Nanos,
    /// Items served, in all.
    pub served: u64,
    /// Items served a second, lately.
    pub served_per_second: f64,
    /// Items that came and were not served: they gave up, were refused, cut off or lost.
    pub not_served: u64,
    /// The longest wait in each step of time, the oldest step first; the present one is the last.
    pub history: Vec<Nanos>,
}

/// What of a cluster can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterPicture {
    /// By node.
    pub nodes: Vec<NodeState>,
    /// By group: what it is at, and where.
    pub groups: Vec<(GroupState, Option<NodeId>)>,
    /// By resource.
    pub resources: Vec<ResourceState>,
}

/// The whole run at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The emulated moment.
    pub now: Nanos,
    /// Length of a step of the histories.
    pub step: Nanos,
    /// By node; a single server is one.
    pub nodes: Vec<NodePicture>,
    /// By class.
    pub classes: Vec<ClassPicture>,
    /// Of a run by hand, also on a single server: there it says whether its services are online.
    pub cluster: Option<ClusterPicture>,
    /// The last entries of the cluster's event log.
    pub events: Vec<Entry>,
    /// By how much real threads are released late lately, where that is enough to be taken for the scenario's: a tenth of
    /// what counts as starvation.
    pub late: Option<Nanos>,
    /// The run is over.
    pub ended: bool,
}

impl Picture {
    /// Classes together, for those that have no room of their own: items that wait, threads, and the longest wait lately.
    #[must_use]
    pub fn together(&self, classes: &[ClassId]) -> (u64, u32, Nanos) {
        let all = classes.iter().map(|class| &self.classes[class.index()]);
        all.fold((0, 0, Nanos::ZERO), |(waiting, threads, wait), class| {
            (waiting + class.waiting, threads + class.threads, wait.max(class.wait))
        })
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Step {
    served: u64,
    wait: Nanos,
}

#[derive(Debug, Default)]
struct Class {
    waiting: BTreeSet<(Nanos, u16, u64, u32)>,
    served: u64,
    not_served: u64,
    longest: Nanos,
    steps: VecDeque<Step>,
    present: Step,
}

impl Class {
    fn oldest(&self, now: Nanos) -> Nanos {
        self.waiting.first().map_or(Nanos::ZERO, |(due, ..)| now.since(*due))
    }

    fn waited(&mut self, wait: Nanos) {
        self.present.wait = self.present.wait.max(wait);
        self.longest = self.longest.max(wait);
    }
}

#[derive(Debug)]
struct Inner {
    now: Nanos,
    step: Nanos,
    step_began: Nanos,
    starvation_after: Nanos,
    nodes: Vec<Vec<Cell>>,
    /// The node of each log; `None` once it has begun anew with another.
    logs: Vec<Option<usize>>,
    classes: Vec<Class>,
    cluster: Option<ClusterPicture>,
    events: VecDeque<Entry>,
    events_seen: usize,
    /// How late the host was in the last step, and in the present one.
    late: (Nanos, Nanos),
    ended: bool,
}

/// See the module's head. It is shared: one handle hears the decision log, another one the floor.
#[derive(Debug)]
pub struct Live(Mutex<Inner>);

impl Live {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(plan: &Plan) -> Live {
        let nodes = plan.node_names().len();
        Live(Mutex::new(Inner {
            now: Nanos::ZERO,
            step: step(plan.duration),
            step_began: Nanos::ZERO,
            starvation_after: plan.starvation_after,
            nodes: vec![Vec::new(); nodes],
            // The log of a single server is number 0 and never begins anew.
            logs: if plan.cluster.is_none() { vec![Some(0)] } else { Vec::new() },
            classes: plan.classes.iter().map(|_| Class::default()).collect(),
            cluster: None,
            events: VecDeque::new(),
            events_seen: 0,
            late: (Nanos::ZERO, Nanos::ZERO),
            ended: false,
        }))
    }

    /// What the run looks like now.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let inner = self.0.lock();
        let nodes: Vec<NodePicture> = inner.nodes.iter().map(|threads| node(threads)).collect();
        let class = |at: usize| inner.class(at, &nodes);
        Picture {
            now: inner.now,
            step: inner.step,
            classes: (0..inner.classes.len()).map(class).collect(),
            nodes,
            cluster: inner.cluster.clone(),
            events: inner.events.iter().copied().collect(),
            late: Some(inner.late.0.max(inner.late.1)).filter(|late| *late * 10 >= inner.starvation_after),
            ended: inner.ended,
        }
    }

    /// Emulated time has come this far.
    pub(super) fn reached(&self, now: Nanos) {
        self.0.lock().advance(now);
    }

    /// The host was late by so much, in emulated time.
    pub(super) fn was_late(&self, by: Nanos) {
        let late = &mut self.0.lock().late.1;
        *late = by.max(*late);
    }

    /// The run is over.
    pub(super) fn ends(&self) {
        self.0.lock().ended = true;
    }

    /// How many entries of the cluster's event log have been shown.
    pub(super) fn events_seen(&self) -> usize {
        self.0.lock().events_seen
    }

    /// What the cluster is at, and what its event log has since.
    pub(super) fn show_cluster(&self, cluster: ClusterPicture, events: &[Entry]) {
        let inner = &mut *self.0.lock();
        inner.cluster = Some(cluster);
        inner.events_seen += events.len();
        inner.events.extend(events);
        let surplus = inner.events.len().saturating_sub(EVENTS_MOST);
        inner.events.drain(..surplus);
    }

    /// A handle that hears of every item.
    pub(super) fn observer(self: &Arc<Live>) -> Box<dyn Observer> {
        Box::new(Ear(Arc::clone(self)))
    }
}

/// Steps of which a run has about a hundred, as long as a person would make them.
fn step(duration: Nanos) -> Nanos {
    const NICE_S: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];
    let wanted = Nanos(duration.0 / 120);
    if wanted < Nanos::SECOND {
        return wanted.max(Nanos::from_millis(10));
    }
    NICE_S.iter().map(|s| Nanos::from_secs(*s)).find(|step| *step >= wanted).unwrap_or(wanted)
}

fn node(threads: &[Cell]) -> NodePicture {
    let mut picture = NodePicture { threads: threads.to_vec(), ..NodePicture::default() };
    for cell in threads {
        match cell {
            Cell::Absent | Cell::Starting => {}
            Cell::Idle => picture.live += 1,
            Cell::Busy { waits, .. } => {
                picture.live += 1;
                picture.busy += 1;
                picture.runnable += u32::from(!waits);
            }
        }
    }
    picture
}

impl Inner {
    fn advance(&mut self, now: Nanos) {
        self.now = self.now.max(now);
        // Of a long silence, only the steps are looked at that are kept.
        let silent = self.now.since(self.step_began).0 / self.step.0;
        if silent > STEPS_MOST as u64 {
            self.step_began = Nanos(self.step_began.0 + (silent - STEPS_MOST as u64) * self.step.0);
        }
        while self.now.since(self.step_began) >= self.step {
            self.step_began += self.step;
            self.late = (self.late.1, Nanos::ZERO);
            for class in &mut self.classes {
                class.waited(class.oldest(self.step_began));
                if class.steps.len() == STEPS_MOST {
                    class.steps.pop_front();
                }
                class.steps.push_back(std::mem::take(&mut class.present));
            }
        }
    }

    fn class(&self, at: usize, nodes: &[NodePicture]) -> ClassPicture {
        let class = &self.classes[at];
        let oldest = class.oldest(self.now);
        let serves = |cell: &&Cell| matches!(cell, Cell::Busy { class, .. } if class.index() == at);
        let recent = class.steps.len().saturating_sub(RECENT);
        let recent = || class.steps.range(recent..).chain([&class.present]);
        let past = self.step * class.steps.len().min(RECENT) as u64 + self.now.since(self.step_began);
        let served: u64 = recent().map(|step| step.served).sum();
        let present = class.present.wait.max(oldest);
        ClassPicture {
            waiting: class.waiting.len() as u64,
            oldest,
            starved: !class.waiting.is_empty() && oldest >= self.starvation_after,
            threads: nodes.iter().map(|node| node.threads.iter().filter(serves).count() as u32).sum(),
            wait: recent().map(|step| step.wait).max().unwrap_or_default().max(oldest),
            longest: class.longest.max(oldest),
            served: class.served,
            served_per_second: if past == Nanos::ZERO { 0.0 } else { served as f64 / past.as_secs_f64() },
            not_served: class.not_served,
            history: class.steps.iter().map(|step| step.wait).chain([present]).collect(),
        }
    }

    fn note(&mut self, log: u32, line: &LogLine) {
        let Some(Some(node)) = self.logs.get(log as usize) else { return };
        let threads = &mut self.nodes[*node];
        let mut set = |thread: ThreadId, cell: Cell| {
            if threads.len() <= thread.index() {
                threads.resize(thread.index() + 1, Cell::Absent);
            }
            threads[thread.index()] = cell;
        };
        match line.event {
            Event::Finishes { thread } | Event::ThreadStarted { thread } => set(thread, Cell::Idle),
            Event::ThreadRefused { thread } => set(thread, Cell::Absent),
            Event::Blocks { thread } | Event::Wakes { thread } => {
                let now_waits = matches!(line.event, Event::Blocks { .. });
                if let Some(Cell::Busy { waits, .. }) = threads.get_mut(thread.index()) {
                    *waits = now_waits;
                }
                return;
            }
            _ => {}
        }
        for decision in &line.decisions {
            match *decision {
                Decision::Start { thread, class, .. } => set(thread, Cell::Busy { class, waits: false }),
                Decision::Create { thread } => set(thread, Cell::Starting),
                Decision::Idle { thread } => set(thread, Cell::Idle),
                Decision::Retire { thread } => set(thread, Cell::Absent),
                Decision::Queued { .. } | Decision::Refused { .. } | Decision::Left { .. } => {}
            }
        }
    }

    /// The item waits no more, having waited until now.
    fn leaves(&mut self, item: &Item, now: Nanos) -> &mut Class {
        self.advance(now);
        let class = &mut self.classes[item.class.index()];
        class.waiting.remove(&key(item));
        class.waited(now.since(item.due));
        class
    }
}

fn key(item: &Item) -> (Nanos, u16, u64, u32) {
    (item.due, item.source.0, item.number, item.step)
}

impl Trace for Live {
    fn note(&self, now: Nanos, line: &LogLine) {
        self.note_of(0, now, line);
    }

    fn begins(&self, node: usize, _: u64) -> u32 {
        let inner = &mut *self.0.lock();
        for log in inner.logs.iter_mut().filter(|log| **log == Some(node)) {
            *log = None;
        }
        inner.nodes[node].clear();
        inner.logs.push(Some(node));
        (inner.logs.len() - 1) as u32
    }

    fn note_of(&self, log: u32, now: Nanos, line: &LogLine) {
        let mut inner = self.0.lock();
        inner.advance(now);
        inner.note(log, line);
    }
}

/// Hears of every item.
#[derive(Debug)]
struct Ear(Arc<Live>);

impl Observer for Ear {
    fn arrived(&mut self, item: &Item, now: Nanos) {
        let mut inner = self.0.0.lock();
        inner.advance(now);
        inner.classes[item.class.index()].waiting.insert(key(item));
    }

    fn refused(&mut self, item: &Item, now: Nanos) {
        let mut inner = self.0.0.lock();
        inner.advance(now);
        inner.classes[item.class.index()].not_served += 1;
    }

    fn gave_up(&mut self, item: &Item, now: Nanos) {
        self.0.0.lock().leaves(item, now).not_served += 1;
    }

    fn started(&mut self, item: &Item, now: Nanos) {
        self.0.0.lock().leaves(item, now);
    }

    fn finished(&mut self, item: &Item, outcome: Outcome, now: Nanos) {
        let mut inner = self.0.0.lock();
        inner.advance(now);
        let class = &mut inner.classes[item.class.index()];
        if outcome == Outcome::Served {
            class.served += 1;
            class.present.served += 1;
        } else {
            class.not_served += 1;
        }
    }

    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
