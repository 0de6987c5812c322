//! One life of a node in a Perfetto trace: which thread is at what, who waits since when, which queue is at its cap.
//!
//! A `Dispatch` of its own is told the same events, so that the counts are the policy's. Not the writing (`report::perfetto`).
//! Called by [`super`].

use std::collections::VecDeque;

use super::{Pen, Place, Service};
use crate::ids::{ClassId, ThreadId};
use crate::policy::decision_log::LogLine;
use crate::policy::dispatch::{Decision, Dispatch, Event, Kind, Rules, Ticket};
use crate::report::perfetto::Value;
use crate::time::Nanos;

/// What a thread is at.
pub(super) struct Slice {
    pub(super) thread: ThreadId,
    pub(super) class: ClassId,
    /// The item's number on its node.
    pub(super) number: u64,
    /// When it began to wait.
    pub(super) queued: Option<Nanos>,
    pub(super) from: Nanos,
}

/// A node from its begin to its end, or to its next begin.
pub(super) struct Incarnation {
    pub(super) node: usize,
    dispatch: Dispatch<()>,
    /// By thread.
    open: Vec<Option<Slice>>,
    /// By class: the numbers of those that wait, in their order, and since when. Those that left stay until they are first.
    waiting: Vec<VecDeque<(u64, Nanos)>>,
    /// By class: its cap.
    caps: Vec<Option<u32>>,
    /// By class: since when it is at its cap with messages that have no thread request, and how many have come since.
    refusing: Vec<Option<(Nanos, u64)>>,
    scratch: Vec<Decision<()>>,
}

impl Place {
    /// From now on the thread has a track. Threads have numbers of their own in each process, and none is the process's first.
    fn has_thread(&mut self, thread: ThreadId, pen: &mut Pen) {
        while self.threads.len() <= thread.index() {
            let number = self.threads.len() as u64 + 1;
            let name = format!("ATQ thread {number:02}");
            self.threads.push(pen.packets.thread(self.pid, self.pid * 100_000 + number, &name));
        }
    }
}

impl Incarnation {
    pub(super) fn new(node: usize, first_number: u64, rules: &Rules) -> Incarnation {
        let mut dispatch = Dispatch::new(rules);
        dispatch.number_next(first_number);
        let cap = |kind| match kind {
            Kind::WorkQueue { cap, .. } => Some(cap),
            Kind::Requests => None,
        };
        Incarnation {
            node,
            dispatch,
            open: Vec::new(),
            waiting: vec![VecDeque::new(); rules.classes.len()],
            caps: rules.classes.iter().map(|rule| cap(rule.kind)).collect(),
            refusing: vec![None; rules.classes.len()],
            scratch: Vec::new(),
        }
    }

    /// What its threads are at; the node is gone.
    pub(super) fn into_slices(self) -> impl Iterator<Item = Slice> {
        self.open.into_iter().flatten()
    }

    /// This happened, and that was decided.
    pub(super) fn hear(&mut self, now: Nanos, line: &LogLine, place: &mut Place, services: &[Service], pen: &mut Pen) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.dispatch.apply(line.event, &mut scratch);
        debug_assert_eq!(scratch, line.decisions, "the same events, the same decisions");
        self.scratch = scratch;
        match line.event {
            Event::Finishes { thread } => {
                if let Some(slice) = self.open.get_mut(thread.index()).and_then(Option::take) {
                    let service = &services[slice.class.index()];
                    pen.item(&slice, &place.threads, service, now, false);
                }
            }
            Event::GiveUp { ticket } => self.left(ticket),
            Event::ThreadStarted { thread } => place.has_thread(thread, pen),
            Event::SetCap { class, cap } => self.caps[class.index()] = self.caps[class.index()].map(|_| cap.max(1)),
            _ => {}
        }
        for decision in &line.decisions {
            match *decision {
                Decision::Queued { ticket } => self.waiting[ticket.class().index()].push_back((ticket.seq(), now)),
                Decision::Start { thread, class, seq, .. } => self.starts(thread, class, seq, now, place, pen),
                _ => {}
            }
        }
        self.caps_at(now, line.event, place, services, pen);
        place.gauges.read(now, &self.dispatch, &mut pen.packets);
    }

    /// An item no longer waits, and no thread has it.
    fn left(&mut self, ticket: Ticket) {
        let queue = &mut self.waiting[ticket.class().index()];
        if let Ok(at) = queue.binary_search_by_key(&ticket.seq(), |(number, _)| *number) {
            queue.remove(at);
        }
    }

    fn starts(&mut self, thread: ThreadId, class: ClassId, number: u64, now: Nanos, place: &mut Place, pen: &mut Pen) {
        let queue = &mut self.waiting[class.index()];
        let at = queue.binary_search_by_key(&number, |(number, _)| *number).ok();
        let queued = at.and_then(|at| queue.remove(at)).map(|(_, since)| since);
        if self.open.len() <= thread.index() {
            self.open.resize_with(thread.index() + 1, || None);
        }
        place.has_thread(thread, pen);
        self.open[thread.index()] = Some(Slice { thread, class, number, queued, from: now });
    }

    /// A queue *refuses* while it may not ask for one more thread: `requested + granted` is at its cap. One instant for all
    /// messages that come in such a time, at the first of them.
    fn caps_at(&mut self, now: Nanos, event: Event<()>, place: &mut Place, services: &[Service], pen: &mut Pen) {
        for class in 0..self.caps.len() {
            if self.refusing[class].is_some() && !self.is_at_cap(class) {
                self.ends_to_refuse(class, now, place, services, pen);
            }
        }
        let Event::Submit { class, .. } = event else { return };
        let queued = matches!(self.scratch.first(), Some(Decision::Queued { .. }));
        let counts = self.dispatch.class_counts(class);
        if queued && self.is_at_cap(class.index()) && counts.waiting > counts.requested as usize {
            let (_, count) = self.refusing[class.index()].get_or_insert((now, 0));
            *count += 1;
        }
    }

    fn is_at_cap(&self, class: usize) -> bool {
        let counts = self.dispatch.class_counts(ClassId(class as u16));
        self.caps[class].is_some_and(|cap| counts.requested + counts.granted >= cap)
    }

    fn ends_to_refuse(&mut self, class: usize, now: Nanos, place: &mut Place, services: &[Service], pen: &mut Pen) {
        let Some((since, count)) = self.refusing[class].take() else { return };
        if !pen.shows(since, now) || !pen.room() {
            return;
        }
        let (service, process) = (&services[class], place.process);
        let (packets, words) = (&mut pen.packets, pen.words);
        let name = format!("cap refusals of {}", service.name);
        let track = *place.refusals[class].get_or_insert_with(|| packets.track(process, &name));
        let notes = [
            (words.refused, Value::Uint(count)),
            (words.cap, Value::Uint(u64::from(self.caps[class].unwrap_or(0)))),
            (words.lasted_us, Value::Uint(now.since(since).as_micros())),
        ];
        packets.instant(track, words.refusal, words.policy, since, &notes);
    }

    /// The run is over.
    pub(super) fn close(mut self, end: Nanos, place: &mut Place, services: &[Service], pen: &mut Pen) {
        for class in 0..self.refusing.len() {
            self.ends_to_refuse(class, end, place, services, pen);
        }
        place.gauges.close(end, &mut pen.packets);
        for slice in self.into_slices() {
            pen.item(&slice, &place.threads, &services[slice.class.index()], end, true);
        }
    }
}
