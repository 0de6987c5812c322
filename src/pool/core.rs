//! What the pool's one lock guards, and the steps of the hand-off protocol that are done under it.
//!
//! The steps have the names of `README.md` beside this file, where it is argued that no wake-up is lost. No policy: who
//! is served next is `Dispatch`'s decision. No thread either: `worker` does what the steps say, and whatever takes long
//! (waking a thread, creating one) is an errand for whoever held the lock, done after it was given up. Called by the
//! rest of the pool.

mod guard;
mod licensed;
mod lone;
mod seats;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub(super) use guard::Guard;

use super::belt::{Belt, Licence};
use super::inbox::Doorstep;
use super::reason::Reason;
use super::sync::{Deadline, JoinHandle, Moment, Plant, Thread, planted};
use super::task::Task;
use super::{Calls, Ceiling, Observer, Tally};
use crate::ids::{ClassId, ThreadId};
use crate::policy::decision_log::{DecisionLog, LogLine};
use crate::policy::dispatch::{ClassRule, Decision, Decisions, Dispatch, Event, Kind, Rules, Ticket};
use crate::policy::drain::Drain;
use crate::policy::order::Order;

/// What lies on a thread's seat while it sits.
pub(super) enum Note {
    /// It is called: work waits, for whoever comes first.
    Called,
    /// It is to run this.
    Run(ClassId, Task),
    /// It is to end.
    End,
}

/// A thread on the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sitter {
    pub(super) seat: u32,
    /// The processor on which it sat down.
    processor: u32,
}

/// One thread of the pool, as the others see it.
#[derive(Default)]
pub(super) struct Seat {
    /// Set by the thread itself, before anybody may call it.
    pub(super) thread: Option<Thread>,
    pub(super) handle: Option<JoinHandle>,
    pub(super) note: Option<Note>,
    /// The name under which the policy knows the thread: while it is awake, or (eager calls) as long as it lives.
    pub(super) badge: Option<ThreadId>,
    /// How many closures the pool had started when this thread was called, or was given its last.
    since: u64,
    /// The class of the closure that it runs.
    pub(super) runs: Option<ClassId>,
    /// How many calls of `blocking` it is in.
    blocks: u32,
    /// It may begin closures without asking.
    licence: Option<Licence>,
    /// The thread was told to end.
    ending: bool,
    /// The thread has ended.
    pub(super) gone: bool,
}

/// A class beside what the policy knows of it.
pub(super) struct ClassState {
    pub(super) name: Arc<str>,
    pub(super) ceiling: Ceiling,
    pub(super) queued_by: Reason,
    pub(super) running_by: Reason,
}

/// Whether new work is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// What waits is still run; nothing more is taken.
    Closing,
    /// Nothing more is run.
    Stopped,
}

/// Why the pool's own counts last changed.
pub(super) struct Reasons {
    pub(super) busy: Reason,
    pub(super) live: Reason,
    pub(super) goal: Reason,
}

/// When threads are called. See [`super::Builder`] for the meanings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) calls: Calls,
    pub(super) poll: Duration,
    pub(super) guard_tick: Duration,
    pub(super) brisk_starts: u64,
    /// Most threads that may be on their way at a time.
    pub(super) calls_at_once: u32,
    pub(super) processors: u32,
}

/// What is to be done once the lock is given up.
#[derive(Default)]
pub(super) struct Errands {
    /// A thread to be unparked, and those beyond the first: mostly there are none, and one needs no memory of the
    /// allocator's.
    pub(super) unpark: Option<Thread>,
    pub(super) unpark_too: Vec<Thread>,
    /// Seat and, with eager calls, badge of threads that are to be created.
    pub(super) create: Vec<(u32, Option<ThreadId>)>,
    /// Somebody may be waiting for room.
    pub(super) room: bool,
}

impl Errands {
    pub(super) fn is_empty(&self) -> bool {
        self.unpark.is_none() && self.create.is_empty() && !self.room
    }

    fn unpark(&mut self, thread: Thread) {
        if self.unpark.is_none() {
            self.unpark = Some(thread);
        } else {
            self.unpark_too.push(thread);
        }
    }
}

pub(super) struct Core {
    pub(super) dispatch: Dispatch<Task>,
    pub(super) habits: Habits,
    pub(super) classes: Vec<ClassState>,
    pub(super) seats: Vec<Seat>,
    free_seats: Vec<u32>,
    /// Eager calls: the seat of each badge.
    seat_of: Vec<u32>,
    /// Throttled calls: who sits, the most recent last.
    pub(super) bench: Vec<Sitter>,
    /// A thread polls the bell.
    pub(super) polled: bool,
    /// The bell has been rung, and the poller has not come yet.
    pub(super) rung: bool,
    pub(super) doorstep: Arc<Doorstep>,
    /// Closures taken out of the inbox of which the policy has not been told.
    pub(super) belt: Arc<Belt>,
    /// Seats whose threads have a licence.
    licensed: Vec<u32>,
    /// What was last published: nobody watches the inbox. Whatever has come since has a producer who took that mark away,
    /// and is on his way here.
    unwatched: bool,
    /// The policy has to know of everything before it decides: its order, or a drain rule, looks at all that waits.
    tells_all: bool,
    /// Events need not be told one by one.
    plainly_next: bool,
    /// Whose turn it is where closures wait in the policy and others lie on the belt.
    belt_is_next: bool,
    /// A closure of which the policy has not been told, because a thread was called for it and nothing else waits. No
    /// licence is valid meanwhile, and nothing comes to wait before it is told.
    lone: Option<(Ticket, Task)>,
    /// Threads that were called, or are being created, and have not come yet.
    pub(super) on_the_way: u32,
    /// Somebody has come, and is about to take what the policy is told of.
    comes: bool,
    /// The policy's wishes for one more thread that nobody has answered.
    credits: Vec<ThreadId>,
    pub(super) guard: Option<Guard>,
    /// A thread is about to stand guard, because it was in the way.
    steps_aside: bool,
    /// When it was last asked whether a thread is in the way, and how many closures had been started.
    pace: (Moment, u64),
    /// The runnable limit of the description, and the policy's at the moment.
    described_limit: u32,
    runnable_limit: u32,
    /// Closures that were started, and how many there were at the last call.
    pub(super) started: u64,
    pub(super) ended: u64,
    /// Threads that exist or are being created, but for those that were told to end.
    pub(super) live: u32,
    /// Threads that have begun and not ended: none that is being created, which the system may still refuse.
    present: u32,
    /// Threads that were told to end and have not ended yet.
    pub(super) ending: u32,
    /// The size asked for; the policy's goal is less where the system refused threads.
    pub(super) size: u32,
    pub(super) phase: Phase,
    /// A shutdown's time was up: threads that still ran were left alone.
    pub(super) left_alone: bool,
    /// Threads of the pool that shut it down: they wait for others, but not for each other.
    pub(super) own_shutdowns: u32,
    /// Callers of `spawn` that wait for room.
    pub(super) want_room: u32,
    /// For how long a thread polls before it sits; grows and shrinks with what that was good for.
    pub(super) poll_for: Duration,
    /// A poll has ended in vain; until then it would have paid to go on.
    poll_ended: Option<Deadline>,
    /// How often a thread has sat down without a poll because polls do not pay.
    unpolled: u32,
    pub(super) errands: Errands,
    pub(super) reasons: Reasons,
    pub(super) tally: Tally,
    pub(super) log: Option<DecisionLog>,
    on_decisions: Option<Observer>,
    answer: Answer,
    scratch: Vec<Decision<Task>>,
}

/// The policy's answer to the last event, taken apart. It lies in the core rather than on the stack: moving it about
/// took as long as the policy does.
#[derive(Default)]
struct Answer {
    teller: Option<ThreadId>,
    /// The ticket of what was submitted, where it was taken in.
    ticket: Option<Ticket>,
    given_back: Option<Task>,
    /// What the teller is to run.
    mine: Option<(ClassId, Task)>,
    /// The teller is to leave.
    leaves: bool,
    create: Vec<ThreadId>,
    for_others: Vec<(ThreadId, Note)>,
}

impl Decisions<Task> for Answer {
    #[inline(always)]
    fn put(&mut self, decision: Decision<Task>) {
        match decision {
            Decision::Queued { ticket } => self.ticket = Some(ticket),
            Decision::Refused { job } | Decision::Left { job } => self.given_back = Some(job),
            Decision::Start { thread, class, job, .. } if Some(thread) == self.teller => self.mine = Some((class, job)),
            Decision::Start { thread, class, job, .. } => self.for_others.push((thread, Note::Run(class, job))),
            Decision::Retire { thread } if Some(thread) == self.teller => self.leaves = true,
            Decision::Retire { thread } => self.for_others.push((thread, Note::End)),
            Decision::Create { thread } => self.create.push(thread),
            Decision::Idle { .. } => {}
        }
    }
}

/// Whether a thread stays with a class for more than one closure.
fn has_long_turns(rule: &ClassRule) -> bool {
    matches!(rule.kind, Kind::WorkQueue { drain, .. } if drain != Drain::Messages(1))
}

impl Core {
    /// The lock's content for a pool that does not run yet.
    pub(super) fn new(dispatch: Dispatch<Task>, habits: Habits, classes: Vec<ClassState>, rules: &Rules) -> Core {
        let (size, runnable_limit) = (rules.pool_size.max(1), rules.runnable_limit.max(1));
        Core {
            dispatch,
            habits,
            classes,
            seats: Vec::new(),
            free_seats: Vec::new(),
            seat_of: Vec::new(),
            bench: Vec::new(),
            polled: false,
            rung: false,
            doorstep: Arc::new(Doorstep::new()),
            belt: Arc::new(Belt::new(rules.classes.len(), licensed::capped(rules))),
            licensed: Vec::new(),
            unwatched: true,
            plainly_next: false,
            belt_is_next: false,
            tells_all: rules.order != Order::Port || rules.classes.iter().any(has_long_turns),
            lone: None,
            on_the_way: 0,
            comes: false,
            credits: Vec::new(),
            guard: None,
            steps_aside: false,
            pace: (Moment::now(), 0),
            described_limit: runnable_limit,
            runnable_limit,
            started: 0,
            ended: 0,
            live: 0,
            present: 0,
            ending: 0,
            size,
            phase: Phase::Open,
            left_alone: false,
            own_shutdowns: 0,
            want_room: 0,
            poll_for: habits.poll,
            poll_ended: None,
            unpolled: 0,
            errands: Errands::default(),
            reasons: Reasons { busy: Reason::Built, live: Reason::Built, goal: Reason::Built },
            tally: Tally::default(),
            log: None,
            on_decisions: None,
            answer: Answer::default(),
            scratch: Vec::new(),
        }
    }

    /// Logs decisions, or tells them to an observer: then each event is told by itself.
    pub(super) fn listen(&mut self, log: Option<DecisionLog>, observer: Option<Observer>) {
        (self.log, self.on_decisions) = (log, observer);
        let silent = self.log.is_none() && self.on_decisions.is_none();
        self.plainly_next = silent && !self.tells_all && self.habits.calls == Calls::Throttled;
    }

    /// Step `Tell`: the policy hears of an event, and what it decides for others is put where they find it. What it
    /// decides for the teller is in `answer` until the next event.
    #[inline(always)]
    fn tell(&mut self, event: Event<Task>, teller: Option<ThreadId>) {
        self.answer.teller = teller;
        self.answer.leaves = false;
        if self.log.is_some() || self.on_decisions.is_some() {
            self.tell_aloud(event);
        } else {
            self.dispatch.apply(event, &mut self.answer);
        }
        if let Some((class, _)) = self.answer.mine {
            self.note_start(class);
        }
        if self.habits.calls == Calls::Throttled {
            self.credits.append(&mut self.answer.create);
        }
        if !self.answer.create.is_empty() || !self.answer.for_others.is_empty() {
            self.pass_on();
        }
        if !self.credits.is_empty() {
            self.see_to_it();
        }
    }

    #[cold]
    fn tell_aloud(&mut self, event: Event<Task>) {
        let erased = event.erased();
        let mut decisions = std::mem::take(&mut self.scratch);
        self.dispatch.apply(event, &mut decisions);
        if let Some(log) = &mut self.log {
            log.note(erased, &decisions);
        }
        if let Some(observer) = &mut self.on_decisions {
            let line = LogLine::of(erased, &decisions);
            self.tally.panics += u64::from(super::survives(|| observer(&line)).is_none());
        }
        for decision in decisions.drain(..) {
            self.answer.put(decision);
        }
        self.scratch = decisions;
    }

    #[inline]
    fn note_start(&mut self, class: ClassId) {
        self.started += 1;
        self.reasons.busy = Reason::Started;
        let class = &mut self.classes[class.index()];
        class.queued_by = Reason::Started;
        class.running_by = Reason::Started;
        self.errands.room |= self.want_room > 0;
    }

    /// What the policy decided about threads other than the teller, with eager calls: wishes for more, and notes.
    #[inline(never)]
    fn pass_on(&mut self) {
        let mut create = std::mem::take(&mut self.answer.create);
        for thread in create.drain(..) {
            self.want(thread);
        }
        self.answer.create = create;
        for (thread, note) in std::mem::take(&mut self.answer.for_others) {
            if let Note::Run(class, _) = &note {
                self.note_start(*class);
            }
            self.put(self.seat_of[thread.index()], note);
        }
    }

    /// Step `Note`: something for a thread that sits.
    fn put(&mut self, seat: u32, note: Note) {
        if matches!(note, Note::End) {
            self.tell_to_end(seat);
        }
        let seat = &mut self.seats[seat as usize];
        assert!(seat.note.is_none(), "a note would be lost");
        seat.note = Some(note);
        if !planted(Plant::ForgetsToUnpark) {
            self.errands.unpark(seat.thread.clone().expect("a thread that sits has said who it is"));
        }
    }

    /// From now on the thread on `seat` does not count: it looks at nothing any more but its end.
    fn tell_to_end(&mut self, seat: u32) {
        self.live -= 1;
        self.ending += 1;
        self.seats[seat as usize].ending = true;
    }

    /// Eager calls: the policy wishes for one more thread.
    fn want(&mut self, thread: ThreadId) {
        let seat = self.new_seat();
        if self.seat_of.len() <= thread.index() {
            self.seat_of.resize(thread.index() + 1, u32::MAX);
        }
        self.seat_of[thread.index()] = seat;
        self.errands.create.push((seat, Some(thread)));
    }

    /// A seat for a thread that is to be created.
    fn new_seat(&mut self) -> u32 {
        self.live += 1;
        self.reasons.live = Reason::GrewOnDemand;
        self.free_seats.pop().unwrap_or_else(|| {
            self.seats.push(Seat::default());
            self.seats.len() as u32 - 1
        })
    }

    /// Step `Submit`: the policy is told of a closure at once. It is given back where its class has no room.
    pub(super) fn submit(&mut self, class: ClassId, job: Task) -> Result<Ticket, Task> {
        match self.habits.calls {
            Calls::Eager => self.submit_now(class, job),
            Calls::Throttled => {
                let doorstep = Arc::clone(&self.doorstep);
                // What came before is told before; nothing may come between that and this.
                let mut numbers = loop {
                    while self.take_in(None) {}
                    match doorstep.lock_empty() {
                        Some(numbers) => break numbers,
                        None => self.belt.lock().refill(&doorstep),
                    }
                };
                // The belt's lock comes before the inbox's, so nothing may be revoked under this one; `take_in` has done it.
                debug_assert!(self.licensed.is_empty());
                self.dispatch.number_next(numbers.next());
                let result = self.submit_now(class, job);
                numbers.advance(result.is_ok());
                result
            }
        }
    }

    fn submit_now(&mut self, class: ClassId, job: Task) -> Result<Ticket, Task> {
        self.revoke();
        self.revive();
        let before = std::mem::replace(&mut self.classes[class.index()].queued_by, Reason::Submitted);
        self.tell(Event::Submit { class, job }, None);
        if let Some(job) = self.answer.given_back.take() {
            self.classes[class.index()].queued_by = before;
            return Err(job);
        }
        Ok(self.answer.ticket.expect("an item is queued or given back"))
    }

    /// Takes a closure back that still waits. After a stop nothing does, and the policy's log has ended.
    pub(super) fn withdraw(&mut self, ticket: Ticket) -> Option<Task> {
        if self.phase == Phase::Stopped {
            return None;
        }
        self.revoke();
        while self.take_in(None) {}
        self.tell(Event::GiveUp { ticket }, None);
        let job = self.answer.given_back.take()?;
        self.classes[ticket.class().index()].queued_by = Reason::Withdrawn;
        self.errands.room |= self.want_room > 0;
        Some(job)
    }

    /// An event that answers with nothing for the teller. After a stop the policy's work is over.
    #[inline(never)]
    pub(super) fn change(&mut self, event: Event<Task>) {
        if self.phase != Phase::Stopped {
            self.revoke();
            self.tell(event, None);
            self.errands.room |= self.want_room > 0;
        }
    }

    /// Step `Arrive`: a thread that was called, or has seen the bell, or was just created, asks for work. It takes the
    /// policy's open wish as its badge; where another has taken that before, there is nothing left to do.
    pub(super) fn arrive(&mut self, seat: u32) -> Option<(ClassId, Task)> {
        let badge = match self.habits.calls {
            Calls::Eager => self.seats[seat as usize].badge?,
            Calls::Throttled => {
                // Nobody else is called for what the caller has come for.
                self.comes = true;
                if let Some((ticket, job)) = self.lone.take()
                    && let Some(work) = self.enter(seat, ticket, job)
                {
                    self.comes = false;
                    return Some(work);
                }
                while (self.credits.is_empty() || self.tells_all) && self.take_in(None) {}
                self.comes = false;
                self.credits.pop()?
            }
        };
        self.seats[seat as usize].badge = Some(badge);
        self.tell(Event::ThreadStarted { thread: badge }, Some(badge));
        self.settle(seat, badge)
    }

    /// Step `Finish`: a closure has ended; the thread asks for its next.
    #[inline]
    pub(super) fn finish(&mut self, seat: u32, class: ClassId, panicked: bool) -> Option<(ClassId, Task)> {
        self.come_back(seat);
        self.note_end(class, panicked);
        let badge = self.seats[seat as usize].badge.expect("a thread that works has a badge");
        if self.plainly_next {
            if self.is_in_the_way() {
                self.tell(Event::Finishes { thread: badge }, Some(badge));
                self.steps_aside = true;
                self.give_badge_back(seat, badge);
                return None;
            }
            // A lone closure waits for nobody else: it is told of below.
            if self.lone.is_none()
                && let Some(work) = self.exchange(badge)
            {
                self.seats[seat as usize].since = self.started;
                self.license(seat, work.0);
                return Some(work);
            }
        }
        if self.tells_all {
            self.comes = true;
            while self.take_in(None) {}
            self.comes = false;
        } else if self.habits.calls == Calls::Throttled && self.dispatch.waiting_items() > 0 {
            // What waits in the policy and what lies on the belt take turns: a class at its ceiling keeps nobody out.
            self.belt_is_next = !self.belt_is_next;
            if self.belt_is_next {
                self.comes = true;
                self.take_in(None);
                self.comes = false;
            }
        }
        self.tell(Event::Finishes { thread: badge }, Some(badge));
        self.settle(seat, badge)
    }

    /// Where the policy has nothing that waits, and the oldest closure of the inbox may be this thread's next, it is told
    /// of the end and the submission in one step.
    #[inline]
    fn exchange(&mut self, badge: ThreadId) -> Option<(ClassId, Task)> {
        let (ticket, job) = self.take_from_belt()?;
        let class = ticket.class();
        match self.dispatch.exchange(badge, class, job) {
            Ok(job) => {
                self.note_start(class);
                Some((class, job))
            }
            Err(job) => {
                self.belt.lock().put_back(ticket, job);
                None
            }
        }
    }

    /// What the policy has for a thread that asked: a closure; or its leave, to sit or to end.
    #[inline]
    fn settle(&mut self, seat: u32, badge: ThreadId) -> Option<(ClassId, Task)> {
        let throttled = self.habits.calls == Calls::Throttled;
        loop {
            if let Some(work) = self.answer.mine.take() {
                self.seats[seat as usize].since = self.started;
                return Some(work);
            }
            // What the policy does not know yet comes next. Where the thread is to leave there is no room for one.
            let stays = throttled && self.dispatch.has_room_for_a_thread();
            if !stays || !self.take_in(Some(badge)) {
                break;
            }
        }
        // A class whose closures must not wait has room now.
        self.errands.room |= self.want_room > 0;
        if throttled {
            self.give_badge_back(seat, badge);
        } else if self.answer.leaves {
            self.tell_to_end(seat);
            self.seats[seat as usize].note = Some(Note::End);
        }
        None
    }

    /// A thread without work is none of the policy's.
    fn give_badge_back(&mut self, seat: u32, badge: ThreadId) {
        if !self.answer.leaves {
            self.tell_idle(badge);
        }
        self.seats[seat as usize].badge = None;
    }

    /// The thread has been idle for too long. The answer says whether it is to leave.
    #[inline(never)]
    fn tell_idle(&mut self, thread: ThreadId) {
        self.tell(Event::IdleTooLong { thread }, Some(thread));
    }

    /// Eager calls: the thread has sat for longer than the time-out. It ends if nobody has called it meanwhile.
    pub(super) fn sat_too_long(&mut self, seat: u32) {
        let Some(badge) = self.seats[seat as usize].badge else { return };
        if self.phase != Phase::Stopped {
            self.tell_idle(badge);
            if self.answer.leaves {
                self.tell_to_end(seat);
                self.seats[seat as usize].note = Some(Note::End);
                self.reasons.live = Reason::RetiredIdle;
            }
        }
    }

    /// The closure on `seat` begins or ends to wait for something outside. Only the outermost wait counts.
    pub(super) fn blocks(&mut self, seat: u32, begins: bool) {
        let state = &mut self.seats[seat as usize];
        let outermost = state.blocks == u32::from(!begins);
        state.blocks = if begins { state.blocks + 1 } else { state.blocks - 1 };
        let (Some(thread), true) = (state.badge, outermost && self.phase != Phase::Stopped) else { return };
        self.change(if begins { Event::Blocks { thread } } else { Event::Wakes { thread } });
    }

    /// A closure has ended. The policy is told of it by `finish`, unless its work was over before.
    #[inline]
    pub(super) fn note_end(&mut self, class: ClassId, panicked: bool) {
        self.ended += 1;
        let reason = if panicked { Reason::Panicked } else { Reason::Finished };
        self.reasons.busy = reason;
        self.classes[class.index()].running_by = reason;
    }

    /// Closures of a class that run or were handed to a thread. After a stop the policy is told of no end any more.
    pub(super) fn running(&self, class: ClassId) -> usize {
        if self.phase != Phase::Stopped {
            return self.dispatch.class_counts(class).busy_threads as usize;
        }
        let runs = |seat: &&Seat| match &seat.note {
            Some(Note::Run(of, _)) => *of == class,
            _ => seat.runs == Some(class),
        };
        self.seats.iter().filter(runs).count()
    }

    /// Changes the size. Surplus threads that sit are told to end; others end when they sit down.
    pub(super) fn resize(&mut self, size: u32) {
        self.size = size;
        if self.phase == Phase::Stopped {
            // There is nobody left whom the policy could name.
            return;
        }
        self.reasons.goal = Reason::Resized;
        self.change(Event::SetPoolSize { size });
        for (at, ceiling) in self.classes.iter().map(|class| class.ceiling).enumerate().collect::<Vec<_>>() {
            if let (Ceiling::Percent(_), Some(cap)) = (ceiling, ceiling.threads_of(size)) {
                self.change(Event::SetCap { class: ClassId(at as u16), cap });
            }
        }
        let surplus = self.live.saturating_sub(size).min(self.bench.len() as u32);
        if self.habits.calls == Calls::Throttled {
            for Sitter { seat, .. } in self.bench.drain(..surplus as usize).collect::<Vec<_>>() {
                if self.guard.take_if(|guard| guard.seat == seat).is_some() {
                    self.keep_brisk(false, 0);
                }
                self.put(seat, Note::End);
            }
        }
    }

    /// From now on nothing more is run: what waits is taken out, and everybody who sits is woken to end.
    pub(super) fn stop(&mut self) -> Vec<(ClassId, Task)> {
        self.revoke();
        self.phase = Phase::Stopped;
        self.credits.clear();
        self.doorstep.close();
        self.doorstep.ring();
        for thread in self.seats.iter().filter_map(|seat| seat.thread.clone()) {
            self.errands.unpark(thread);
        }
        self.errands.room = true;
        let mut given_back = self.dispatch.withdraw_all();
        given_back.extend(self.lone.take().map(|(ticket, job)| (ticket.class(), job)));
        let mut lying = self.belt.lock();
        lying.add_all(&self.doorstep);
        let untold = std::iter::from_fn(|| lying.pop());
        given_back.extend(untold.map(|(ticket, job)| (ticket.class(), job)));
        drop(lying);
        for (class, _) in &given_back {
            self.classes[class.index()].queued_by = Reason::GivenBack;
        }
        given_back
    }
}
