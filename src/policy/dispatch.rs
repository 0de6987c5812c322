//! Who gets the next thread: the completion port, the work queues' thread requests, growth and retirement of the pool.
//!
//! One [`Dispatch`] is the whole policy of one pool. It is told events and answers with decisions; it has no clock, no
//! thread and no lock, and it does not look into the jobs it hands over. Both engines and [`crate::pool::AtqPool`]
//! drive it through its one door, [`Dispatch::apply`], and make no policy choice of their own. It is *not* the load,
//! not the processors (`processors.rs`), and not the arithmetic of the pool's size (`sizing.rs`).
//!
//! The rules, by their names in `ARCHITECTURE.md`:
//!
//! * **Port order.** Packets leave the port first in, first out; idle threads are released last in, first out; a thread
//!   that asks while a packet waits takes it at once.
//!   `ATQ:` completion-port rules, Microsoft "I/O Completion Ports" (win32 docs, `i-o-completion-ports.md`).
//! * **Runnable limit.** A packet is handed out only while fewer threads than the limit are runnable; a thread that
//!   waits is not runnable; one that wakes may push the count above the limit. `ATQ:` same page.
//! * **Posting.** A work queue keeps `requested <= waiting` and `requested + granted <= cap` when it posts, and posts as
//!   many thread requests as that allows after every enqueue, grant and release.
//!   `Guess:` our reading of "maximum percentage of ATQ threads that each queue will request" (KB 281868).
//! * **Empty grant.** A granted thread that finds its queue empty consumes the packet in no time and takes the next.
//! * **End of a turn.** The thread releases its grant, the queue posts the replacement at the tail, then the thread
//!   takes the head of the port.
//! * **Other orders.** Where a scenario asks for one (`order.rs`), there are no packets: whenever a thread is free, the
//!   order picks the class. Caps, growth and the runnable limit are the same; the drain rule is not used.
//! * **Growth.** A thread is created when a packet waits, no thread is idle, and fewer than the pool's size exist.
//!   `Guess:` growth timing is published nowhere.

#[cfg(debug_assertions)]
mod check;
mod events;
mod exchange;
mod laws;
mod licence;
mod ordered;
mod queue;

use std::collections::VecDeque;

pub use events::{Decision, Decisions, Event, Ticket};
pub use laws::Laws;
use queue::{Packet, Queue};

use super::drain::Drain;
use super::order::{Order, may_start};
use crate::ids::{ClassId, ThreadId};

/// Everything a [`Dispatch`] needs to know before its first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Most threads that may exist; at least 1.
    pub pool_size: u32,
    /// Most threads that may be runnable when a packet is handed out; at least 1, `u32::MAX` for no limit.
    pub runnable_limit: u32,
    /// The classes, indexed by [`ClassId`].
    pub classes: Vec<ClassRule>,
    /// In which order waiting items get the free threads.
    pub order: Order,
    /// Most items of all classes together that may wait; one more that cannot start at once is refused. `None`: no
    /// bound but each class's own.
    pub waiting_room: Option<usize>,
    /// Most threads that may be in creation at once; at least 1, `u32::MAX` for no limit.
    pub starting_limit: u32,
}

impl Default for Rules {
    /// One thread, no class, no limit, the port's order.
    fn default() -> Rules {
        Rules {
            pool_size: 1,
            runnable_limit: u32::MAX,
            classes: Vec::new(),
            order: Order::Port,
            waiting_room: None,
            starting_limit: u32::MAX,
        }
    }
}

/// What one class may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassRule {
    /// How its items reach the port.
    pub kind: Kind,
    /// Most items that may wait; one more is refused.
    pub max_waiting: usize,
    /// Smaller is served first; counts under [`Order::Priority`] and [`Order::Reserve`].
    pub priority: u32,
    /// The class starts an item only while more threads than this are idle; counts under [`Order::Reserve`].
    pub keep_free: u32,
}

impl Default for ClassRule {
    /// Requests without a bound.
    fn default() -> ClassRule {
        ClassRule { kind: Kind::Requests, max_waiting: usize::MAX, priority: 0, keep_free: 0 }
    }
}

/// How items of a class reach the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each item is a packet of its own and takes one thread for its service.
    Requests,
    /// Items wait in a queue of their own, which asks the port for threads.
    WorkQueue {
        /// Most threads that the queue may have granted and requested together; at least 1.
        cap: u32,
        /// When a granted thread goes back to the port.
        drain: Drain,
    },
}

/// Counts of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// Items that wait for a thread.
    pub waiting: usize,
    /// Threads that serve an item of the class.
    pub busy_threads: u32,
    /// Thread requests in the port (0 for a class of requests).
    pub requested: u32,
    /// Threads granted by the port and not yet released (0 for a class of requests).
    pub granted: u32,
    /// Grants that found the queue empty.
    pub stale_grants: u64,
}

/// Counts of the pool. Three that are easily confused: `busy` serve an item, `live` exist, `goal` is how many may exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Threads that serve an item.
    pub busy_threads: u32,
    /// Threads that exist.
    pub live_threads: u32,
    /// Threads that may exist: the size, or what creation refused left of it.
    pub goal_threads: u32,
    /// Threads that are being created.
    pub starting_threads: u32,
    /// Threads that wait at the port.
    pub idle_threads: u32,
    /// Busy threads that are not waiting for something outside.
    pub runnable_threads: u32,
    /// Packets in the port.
    pub packets: usize,
}

impl ClassCounts {
    /// Adds the counts of the same class in another pool.
    pub fn add(&mut self, other: &ClassCounts) {
        self.waiting += other.waiting;
        self.busy_threads += other.busy_threads;
        self.requested += other.requested;
        self.granted += other.granted;
        self.stale_grants += other.stale_grants;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    Absent,
    Starting,
    Idle,
    Busy { class: ClassId, served_in_turn: u32, waits: bool },
}

#[derive(Debug)]
struct Class<J> {
    kind: Kind,
    max_waiting: usize,
    priority: u32,
    keep_free: u32,
    queue: Queue<J>,
    counts: ClassCounts,
    /// The largest cap that the class has had, and the last item that it has started: for `laws`.
    highest_cap: u32,
    last_started: Option<u64>,
}

/// The policy of one pool. See the module's head.
#[derive(Debug)]
pub struct Dispatch<J> {
    port: VecDeque<Packet>,
    /// Packets of items that have left.
    gone_in_port: usize,
    classes: Vec<Class<J>>,
    /// Classes whose head may start as far as its cap goes, one bit each; kept where the order is not the port's.
    ready: Vec<u64>,
    threads: Vec<Thread>,
    free_threads: Vec<ThreadId>,
    /// Most recently idle last.
    idle: Vec<ThreadId>,
    /// Items of all classes that wait.
    waiting: usize,
    busy: u32,
    live: u32,
    starting: u32,
    runnable: u32,
    goal: u32,
    runnable_limit: u32,
    order: Order,
    waiting_room: Option<usize>,
    starting_limit: u32,
    next_seq: u64,
    laws: Laws,
}

impl<J> Dispatch<J> {
    /// A pool without threads and without work.
    #[must_use]
    pub fn new(rules: &Rules) -> Dispatch<J> {
        let class = |rule: &ClassRule| Class {
            kind: match rule.kind {
                Kind::WorkQueue { cap, drain } => Kind::WorkQueue { cap: cap.max(1), drain },
                Kind::Requests => Kind::Requests,
            },
            max_waiting: rule.max_waiting,
            priority: rule.priority,
            keep_free: rule.keep_free,
            queue: Queue::default(),
            counts: ClassCounts::default(),
            highest_cap: match rule.kind {
                Kind::WorkQueue { cap, .. } => cap.max(1),
                Kind::Requests => u32::MAX,
            },
            last_started: None,
        };
        Dispatch {
            port: VecDeque::new(),
            gone_in_port: 0,
            classes: rules.classes.iter().map(class).collect(),
            ready: vec![0; rules.classes.len().div_ceil(64)],
            threads: Vec::new(),
            free_threads: Vec::new(),
            idle: Vec::new(),
            waiting: 0,
            busy: 0,
            live: 0,
            starting: 0,
            runnable: 0,
            goal: rules.pool_size.max(1),
            runnable_limit: rules.runnable_limit.max(1),
            order: rules.order,
            waiting_room: rules.waiting_room,
            starting_limit: rules.starting_limit.max(1),
            next_seq: 0,
            laws: Laws::default(),
        }
    }

    /// Tells what happened; the decisions are put into `out` (a vector, mostly) in the order in which they are to be carried out.
    ///
    /// # Panics
    /// On an event that cannot be (a thread that is not busy finishes): that is a bug of the caller.
    #[inline(always)]
    pub fn apply(&mut self, event: Event<J>, out: &mut impl Decisions<J>) {
        match event {
            Event::Submit { class, job } => self.submit(class, job, out),
            Event::GiveUp { ticket } => self.give_up(ticket, out),
            Event::ThreadStarted { thread } => {
                assert_eq!(self.threads[thread.index()], Thread::Starting, "{thread:?} was not being created");
                self.starting -= 1;
                self.live += 1;
                self.ask(thread, out);
            }
            Event::ThreadRefused { thread } => {
                assert_eq!(self.threads[thread.index()], Thread::Starting, "{thread:?} was not being created");
                self.starting -= 1;
                self.forget(thread);
                // What the system refuses once it refuses again: the pool goes on with what it has.
                self.goal = self.live + self.starting;
            }
            Event::Blocks { thread } => {
                self.set_waits(thread, true);
                self.runnable -= 1;
            }
            Event::Wakes { thread } => {
                self.set_waits(thread, false);
                self.runnable += 1;
            }
            Event::Finishes { thread } => self.finish(thread, out),
            Event::IdleTooLong { thread } => {
                if let Some(at) = self.idle.iter().position(|t| *t == thread) {
                    self.idle.remove(at);
                    self.retire(thread, out);
                }
            }
            Event::SetCap { class, cap } => {
                let state = &mut self.classes[class.index()];
                if let Kind::WorkQueue { cap: old, .. } = &mut state.kind {
                    *old = cap.max(1);
                    state.highest_cap = state.highest_cap.max(*old);
                    self.post(class);
                    self.mark(class);
                }
            }
            Event::SetRunnableLimit { limit } => self.runnable_limit = limit,
            Event::SetPoolSize { size } => {
                self.goal = size.max(1);
                while self.live + self.starting > self.goal && !self.idle.is_empty() {
                    let thread = self.idle.remove(0);
                    self.retire(thread, out);
                }
            }
        }
        if self.anything_waits() {
            if !self.idle.is_empty() {
                self.release_idle(out);
            } else if self.live + self.starting < self.goal {
                self.grow(out);
            }
        }
        if self.waiting > 0 && !self.idle.is_empty() && self.runnable < self.runnable_limit {
            self.laws.idle_beside_work += u64::from(self.leaves_work());
        }
        #[cfg(debug_assertions)]
        self.check();
    }

    /// Counts of the pool.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            busy_threads: self.busy,
            live_threads: self.live,
            goal_threads: self.goal,
            starting_threads: self.starting,
            idle_threads: self.idle.len() as u32,
            runnable_threads: self.runnable,
            packets: self.port.len() - self.gone_in_port,
        }
    }

    /// Counts of one class.
    #[must_use]
    pub fn class_counts(&self, class: ClassId) -> ClassCounts {
        self.classes[class.index()].counts
    }

    /// How many classes there are.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// How many items of all classes wait.
    #[must_use]
    pub fn waiting_items(&self) -> usize {
        self.waiting
    }

    /// The item of a class that has waited longest.
    #[must_use]
    #[inline]
    pub fn oldest(&self, class: ClassId) -> Option<&J> {
        self.classes[class.index()].queue.front()
    }

    /// Every waiting item, class by class, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = (ClassId, &J)> {
        self.classes
            .iter()
            .enumerate()
            .flat_map(|(at, class)| class.queue.items().map(move |job| (ClassId(at as u16), job)))
    }

    /// The tickets of the waiting items of one class, the oldest first.
    #[must_use]
    pub fn tickets(&self, class: ClassId) -> Vec<Ticket> {
        self.classes[class.index()].queue.seqs().map(|seq| Ticket::new(seq, class)).collect()
    }

    /// Whether an item still waits.
    #[must_use]
    pub fn waits(&self, ticket: Ticket) -> bool {
        self.classes.get(ticket.class().index()).is_some_and(|class| class.queue.has(ticket.seq()))
    }

    /// Whether it can matter which threads wait: not where every thread may be runnable at once. Whoever drives such a
    /// policy need not tell [`Event::Blocks`] and [`Event::Wakes`]; it counts all busy threads as runnable then.
    #[must_use]
    pub fn minds_waits(&self) -> bool {
        self.runnable_limit < self.goal
    }

    /// The thread that has been idle longest.
    #[must_use]
    #[inline]
    pub fn longest_idle(&self) -> Option<ThreadId> {
        self.idle.first().copied()
    }

    /// How often a law was broken that holds for every load. Anything but zeros is a bug of this program.
    #[must_use]
    pub fn laws(&self) -> Laws {
        self.laws
    }

    /// Takes every waiting item out, in order of submission: the pool is being closed.
    pub fn withdraw_all(&mut self) -> Vec<(ClassId, J)> {
        self.port.clear();
        self.gone_in_port = 0;
        self.ready.fill(0);
        let mut all: Vec<(u64, ClassId, J)> = Vec::new();
        for (at, class) in self.classes.iter_mut().enumerate() {
            all.extend(class.queue.drain().map(|(seq, job)| (seq, ClassId(at as u16), job)));
            class.counts.waiting = 0;
            class.counts.requested = 0;
        }
        self.waiting = 0;
        all.sort_unstable_by_key(|(seq, ..)| *seq);
        all.into_iter().map(|(_, class, job)| (class, job)).collect()
    }

    #[inline(always)]
    fn submit(&mut self, class: ClassId, job: J, out: &mut impl Decisions<J>) {
        // An item that a thread can take at once needs no room to wait in.
        let state = &self.classes[class.index()];
        let is_full = state.counts.waiting >= state.max_waiting || !self.room_for_all();
        let at_once = (is_full || !self.idle.is_empty()) && self.would_start_at_once(class);
        if is_full && !at_once {
            out.put(Decision::Refused { job });
            return;
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        if at_once && let Some(thread) = self.idle.pop() {
            // What follows below would come to the same: queue and port are empty.
            out.put(Decision::Queued { ticket: Ticket::new(seq, class) });
            let state = &mut self.classes[class.index()];
            if matches!(state.kind, Kind::WorkQueue { .. }) {
                state.counts.granted += 1;
            }
            self.begin(thread, class, 1, seq, job, out);
            return;
        }
        let state = &mut self.classes[class.index()];
        state.counts.waiting += 1;
        self.waiting += 1;
        state.queue.push(seq, job);
        match (self.order, state.kind) {
            (Order::Port, Kind::Requests) => self.port.push_back(Packet::request(seq, class)),
            (Order::Port, Kind::WorkQueue { .. }) => self.post(class),
            _ => self.mark(class),
        }
        out.put(Decision::Queued { ticket: Ticket::new(seq, class) });
    }

    /// Whether an item of `class` that arrives now is served without waiting.
    fn would_start_at_once(&self, class: ClassId) -> bool {
        let state = &self.classes[class.index()];
        let below_cap = match state.kind {
            Kind::Requests => true,
            Kind::WorkQueue { cap, .. } => state.counts.requested + state.counts.granted < cap,
        };
        // Threads that are there or may come, and what waits for them already.
        let threads = self.idle.len() + self.goal.saturating_sub(self.live) as usize;
        let ahead = if self.anything_waits() { self.startable() } else { 0 };
        let kept = self.order == Order::Reserve && !may_start(self.free_threads(), state.keep_free);
        let runnable = ahead.saturating_add(self.runnable as usize) < self.runnable_limit as usize;
        below_cap && ahead < threads && !kept && runnable
    }

    /// Whether the waiting room that all classes share has a place.
    fn room_for_all(&self) -> bool {
        self.waiting_room.is_none_or(|room| self.waiting < room)
    }

    fn give_up(&mut self, ticket: Ticket, out: &mut impl Decisions<J>) {
        let Some(class) = self.classes.get_mut(ticket.class().index()) else { return };
        let Some(job) = class.queue.take(ticket.seq()) else { return };
        class.counts.waiting -= 1;
        self.waiting -= 1;
        out.put(Decision::Left { job });
        if self.order != Order::Port {
            self.mark(ticket.class());
        } else if class.kind == Kind::Requests {
            self.gone_in_port += 1;
            if self.gone_in_port > 64 && self.gone_in_port * 2 > self.port.len() {
                // Memory follows the items that wait, not those that ever did.
                let classes = &self.classes;
                self.port
                    .retain(|packet| packet.item().is_none_or(|(seq, class)| classes[class.index()].queue.has(seq)));
                self.gone_in_port = 0;
            }
        }
    }

    #[inline(always)]
    fn finish(&mut self, thread: ThreadId, out: &mut impl Decisions<J>) {
        let Thread::Busy { class, served_in_turn, waits } = self.threads[thread.index()] else {
            panic!("{thread:?} finishes but is not busy");
        };
        assert!(!waits, "{thread:?} finishes while it waits");
        let state = &mut self.classes[class.index()];
        state.counts.busy_threads -= 1;
        self.busy -= 1;
        self.runnable -= 1;
        if let Kind::WorkQueue { cap, drain } = state.kind {
            let keeps = self.order == Order::Port
                && drain.keeps_going(served_in_turn, state.counts.waiting)
                && state.counts.granted <= cap
                && self.live <= self.goal;
            if keeps {
                self.start(thread, class, served_in_turn + 1, out);
                return;
            }
            state.counts.granted -= 1;
            self.post(class);
            self.mark(class);
        }
        self.ask(thread, out);
    }

    /// A thread comes to the port: it takes the head, or waits there, or ends if it is one too many.
    #[inline(always)]
    fn ask(&mut self, thread: ThreadId, out: &mut impl Decisions<J>) {
        if self.live > self.goal {
            self.retire(thread, out);
        } else if self.runnable < self.runnable_limit
            && let Some(class) = self.next_class()
        {
            self.start(thread, class, 1, out);
        } else {
            self.threads[thread.index()] = Thread::Idle;
            self.idle.push(thread);
            out.put(Decision::Idle { thread });
        }
    }

    /// Hands packets to idle threads, the most recent first, as long as the runnable limit allows.
    fn release_idle(&mut self, out: &mut impl Decisions<J>) {
        while !self.idle.is_empty() && self.runnable < self.runnable_limit {
            let Some(class) = self.next_class() else { break };
            let thread = self.idle.pop().expect("an idle thread");
            self.start(thread, class, 1, out);
        }
        if self.idle.is_empty() {
            self.grow(out);
        }
    }

    fn grow(&mut self, out: &mut impl Decisions<J>) {
        while self.idle.is_empty()
            && self.live + self.starting < self.goal
            && self.starting < self.starting_limit
            && self.startable() > self.starting as usize
        {
            let thread = self.free_id();
            self.threads[thread.index()] = Thread::Starting;
            self.starting += 1;
            out.put(Decision::Create { thread });
        }
    }

    /// The id of a thread that is to come.
    #[inline]
    fn free_id(&mut self) -> ThreadId {
        self.free_threads.pop().unwrap_or_else(|| {
            self.threads.push(Thread::Absent);
            ThreadId(self.threads.len() as u32 - 1)
        })
    }

    /// `thread` serves the item at the head of `class`.
    #[inline(always)]
    fn start(&mut self, thread: ThreadId, class: ClassId, served_in_turn: u32, out: &mut impl Decisions<J>) {
        let state = &mut self.classes[class.index()];
        let (seq, job) = state.queue.pop().expect("an item waits");
        state.counts.waiting -= 1;
        self.waiting -= 1;
        self.begin(thread, class, served_in_turn, seq, job, out);
    }

    #[inline(always)]
    fn begin(
        &mut self,
        thread: ThreadId,
        class: ClassId,
        served_in_turn: u32,
        seq: u64,
        job: J,
        out: &mut impl Decisions<J>,
    ) {
        let state = &mut self.classes[class.index()];
        let counts = &mut state.counts;
        counts.busy_threads += 1;
        self.laws.overtaken += u64::from(state.last_started.is_some_and(|last| last >= seq));
        self.laws.above_cap += u64::from(counts.busy_threads > state.highest_cap);
        state.last_started = Some(seq);
        self.threads[thread.index()] = Thread::Busy { class, served_in_turn, waits: false };
        self.busy += 1;
        self.runnable += 1;
        if self.order != Order::Port {
            self.mark(class);
        }
        out.put(Decision::Start { thread, class, seq, job });
    }

    /// Posts as many thread requests as the rule allows. The one place where a work queue's cap is enforced.
    fn post(&mut self, class: ClassId) {
        let state = &mut self.classes[class.index()];
        let Kind::WorkQueue { cap, .. } = state.kind else { return };
        if self.order != Order::Port {
            return;
        }
        let counts = &mut state.counts;
        while (counts.requested as usize) < counts.waiting && counts.requested + counts.granted < cap {
            counts.requested += 1;
            self.port.push_back(Packet::thread_request(class));
        }
    }

    /// The class whose head a free thread gets; its packet is consumed.
    #[inline(always)]
    fn next_class(&mut self) -> Option<ClassId> {
        if self.order == Order::Port { self.pop_port() } else { self.pop_ordered() }
    }

    /// Whether some item could use a thread, were one there: below its ceiling, and with room under the runnable limit.
    #[must_use]
    pub fn wants_a_thread(&self) -> bool {
        self.waiting > 0 && self.runnable < self.runnable_limit && self.startable() > 0
    }

    /// How many waiting items could use a thread of their own, were they there.
    #[must_use]
    pub fn startable_items(&self) -> usize {
        self.startable()
    }

    /// Whether one more thread, were one there, might be given an item.
    #[must_use]
    #[inline]
    pub fn has_room_for_a_thread(&self) -> bool {
        self.busy < self.goal && self.runnable < self.runnable_limit
    }

    /// Whether some item might use a thread.
    #[inline(always)]
    fn anything_waits(&self) -> bool {
        if self.order == Order::Port { !self.port.is_empty() } else { self.ready.iter().any(|bits| *bits != 0) }
    }

    /// How many waiting items could use a thread of their own.
    fn startable(&self) -> usize {
        if self.order == Order::Port { self.port.len() - self.gone_in_port } else { self.startable_ordered() }
    }

    /// The class of the packet at the head of the port.
    #[inline(always)]
    fn pop_port(&mut self) -> Option<ClassId> {
        loop {
            let packet = self.port.pop_front()?;
            let Some((seq, class)) = packet.item() else {
                let class = packet.class();
                let state = &mut self.classes[class.index()];
                state.counts.requested -= 1;
                if state.queue.front_seq().is_none() {
                    state.counts.stale_grants += 1;
                    continue;
                }
                state.counts.granted += 1;
                self.post_after_grant(class);
                return Some(class);
            };
            if self.classes[class.index()].queue.front_seq() == Some(seq) {
                return Some(class);
            }
            self.gone_in_port -= 1;
        }
    }

    /// `start` will count the item out of `waiting`; posting must not see it as waiting any more.
    fn post_after_grant(&mut self, class: ClassId) {
        self.classes[class.index()].counts.waiting -= 1;
        self.post(class);
        self.classes[class.index()].counts.waiting += 1;
    }

    fn retire(&mut self, thread: ThreadId, out: &mut impl Decisions<J>) {
        self.live -= 1;
        self.forget(thread);
        out.put(Decision::Retire { thread });
    }

    fn forget(&mut self, thread: ThreadId) {
        self.threads[thread.index()] = Thread::Absent;
        self.free_threads.push(thread);
    }

    fn set_waits(&mut self, thread: ThreadId, now: bool) {
        let Thread::Busy { waits, .. } = &mut self.threads[thread.index()] else {
            panic!("{thread:?} waits or wakes but is not busy");
        };
        assert_ne!(*waits, now, "{thread:?} waits or wakes twice");
        *waits = now;
    }
}
