//! The steps of the protocol one at a time, on a core without threads: the test does what each thread would do.
//!
//! Whom the pool calls, when it gives a licence and who stands guard changes no result and only how soon it is there; so
//! none of it shows at the public door. Here it does. Not a test of what may happen at once: that is for the models.

use super::*;
use crate::pool::sync;
use crate::pool::worker;

pub(super) const A: ClassId = ClassId(0);
pub(super) const B: ClassId = ClassId(1);

/// A core, and what its threads do.
pub(super) struct Stage {
    pub(super) core: Core,
}

impl Stage {
    /// A pool of so many threads, with classes that have these ceilings. Three closures a thread are brisk.
    pub(super) fn of(threads: u32, caps: &[Option<u32>]) -> Stage {
        let kind =
            |cap: &Option<u32>| cap.map_or(Kind::Requests, |cap| Kind::WorkQueue { cap, drain: Drain::Messages(1) });
        let classes = caps.iter().map(|cap| ClassRule { kind: kind(cap), ..ClassRule::default() }).collect();
        let rules = Rules { pool_size: threads, starting_limit: 2, classes, ..Rules::default() };
        let state = |cap: &Option<u32>| ClassState {
            name: "class".into(),
            ceiling: cap.map_or(Ceiling::None, Ceiling::Threads),
            queued_by: Reason::Built,
            running_by: Reason::Built,
        };
        let habits = Habits {
            calls: Calls::Throttled,
            poll: Duration::ZERO,
            guard_tick: Duration::from_micros(100),
            brisk_starts: 3,
            calls_at_once: 2,
            processors: 3,
        };
        let mut core = Core::new(Dispatch::new(&rules), habits, caps.iter().map(state).collect(), &rules);
        core.listen(None, None);
        Stage { core }
    }

    /// Hands a closure over, as `AtqPool::spawn` does.
    pub(super) fn put(&mut self, class: ClassId) -> Ticket {
        if self.core.doorstep.seems_unwatched()
            && self.core.may_be_told_at_once()
            && let Some(ticket) = self.core.doorstep.number(class)
        {
            self.core.told_at_once(ticket, Task::new(|| ()));
            return ticket;
        }
        let (ticket, unwatched) = self.core.doorstep.put(class, Task::new(|| ())).ok().expect("it is open");
        if unwatched {
            self.core.is_here();
            self.core.watch();
        }
        ticket
    }

    /// Leaves a closure in the inbox, as a producer does who came while somebody watched. Whether he has to look after it.
    pub(super) fn leave(&self, class: ClassId) -> bool {
        self.core.doorstep.put(class, Task::new(|| ())).ok().expect("it is open").1
    }

    /// Hands a closure over for which one thread is called.
    pub(super) fn put_and_call(&mut self, class: ClassId) {
        self.put(class);
        assert_eq!(self.called().len(), 1);
    }

    /// Seats of the threads that have been created or called since this was last asked.
    pub(super) fn called(&mut self) -> Vec<u32> {
        let errands = std::mem::take(&mut self.core.errands);
        assert!(!errands.room, "nobody waits for room");
        let created = errands.create.into_iter().map(|(seat, _)| seat);
        let is_called = |seat: &u32| matches!(self.core.seats[*seat as usize].note, Some(Note::Called));
        let called: Vec<u32> = (0..self.core.seats.len() as u32).filter(is_called).collect();
        assert_eq!(
            errands.unpark.into_iter().chain(errands.unpark_too).count(),
            called.len(),
            "who is called is woken"
        );
        for seat in &called {
            self.core.seats[*seat as usize].note = None;
        }
        created.chain(called).collect()
    }

    /// A thread that was created or called comes. The class of what it runs then.
    pub(super) fn comes(&mut self, seat: u32) -> Option<ClassId> {
        if self.core.seats[seat as usize].thread.is_none() {
            self.core.begins(seat, sync::current(), None);
        }
        self.core.on_the_way -= 1;
        let work = worker::come(&mut self.core, seat);
        self.runs(seat, work)
    }

    /// What a thread runs has ended. The class of what it runs next.
    pub(super) fn ends(&mut self, seat: u32) -> Option<ClassId> {
        let class = self.core.seats[seat as usize].runs.take().expect("it runs something");
        let work = self.core.finish(seat, class, false);
        self.runs(seat, work)
    }

    fn runs(&mut self, seat: u32, work: Option<(ClassId, Task)>) -> Option<ClassId> {
        self.core.seats[seat as usize].runs = work.map(|(class, _)| class);
        self.core.watch();
        self.core.seats[seat as usize].runs
    }

    /// A thread that has nothing to do sits down.
    pub(super) fn sits(&mut self, seat: u32) {
        self.core.take_seat(seat);
        self.core.watch();
    }

    /// A thread for each of these closures, which it runs.
    pub(super) fn busy(&mut self, classes: &[ClassId]) {
        for class in classes {
            self.put(*class);
            let called = self.called();
            assert_eq!(called.len(), 1, "one for one");
            assert_eq!(self.comes(called[0]), Some(*class));
        }
    }

    /// Seats 0 and 1 run closures, seat 2 stands guard, seat 3 sits.
    pub(super) fn two_and_a_guard(threads: u32) -> Stage {
        let mut stage = Stage::of(threads, &[None]);
        stage.busy(&[A; 4]);
        for seat in [2, 3] {
            assert_eq!(stage.ends(seat), None);
        }
        stage.sits(3);
        stage.core.stand_guard(2);
        stage
    }

    /// Seats of the threads on the bench, the most recent last.
    pub(super) fn sitting(&self) -> Vec<u32> {
        self.core.bench.iter().map(|sitter| sitter.seat).collect()
    }

    /// So many closures were started since `before`, by these threads in turns.
    pub(super) fn started(&mut self, before: u64, closures: u64, seats: &[u32]) {
        self.core.started = before + closures;
        for seat in seats {
            self.core.seats[*seat as usize].since = self.core.started;
        }
    }
}

#[test]
fn whoever_waits_for_room_is_told_where_there_may_be_some() {
    type Step = fn(&mut Stage);
    let steps: [(&str, Step); 5] = [
        ("a closure is begun", |stage| assert_eq!(stage.ends(0), Some(A))),
        ("a thread has nothing to do", |stage| {
            assert_eq!(stage.ends(0), Some(A));
            stage.core.errands.room = false;
            assert_eq!(stage.ends(0), None);
        }),
        ("one is withdrawn", |stage| {
            let ticket = stage.put(A);
            assert!(stage.core.withdraw(ticket).is_some());
        }),
        ("a setting changes", |stage| stage.core.limit_runnable(9)),
        ("one is stopped", |stage| assert_eq!(stage.core.stop().len(), 1)),
    ];
    for (what, step) in steps {
        for wait in [0, 1] {
            let mut stage = Stage::of(1, &[None]);
            stage.busy(&[A]);
            stage.put(A);
            stage.core.want_room = wait;
            step(&mut stage);
            assert_eq!(stage.core.errands.room, wait == 1 || stage.core.phase == Phase::Stopped, "{what}");
        }
    }
}

#[test]
fn events_are_told_in_one_step_where_nobody_listens_and_no_turn_is_long() {
    let plain = |calls: Calls, tells_all: bool, log: bool, observer: bool| {
        let mut stage = Stage::of(1, &[None]);
        (stage.core.habits.calls, stage.core.tells_all) = (calls, tells_all);
        let observer = observer.then(|| Box::new(|_: &LogLine| ()) as Observer);
        stage.core.listen(log.then(|| DecisionLog::new(9)), observer);
        stage.core.plainly_next
    };
    assert!(plain(Calls::Throttled, false, false, false));
    assert!(!plain(Calls::Throttled, false, true, false));
    assert!(!plain(Calls::Throttled, false, false, true));
    assert!(!plain(Calls::Throttled, true, false, false));
    assert!(!plain(Calls::Eager, false, false, false));
}

#[test]
fn what_no_thread_has_room_for_stays_where_it_is() {
    let mut stage = Stage::of(4, &[None]);
    stage.busy(&[A; 2]);
    stage.core.limit_runnable(1);
    stage.put(A);
    assert_eq!(stage.ends(0), None);
    assert_eq!((stage.core.dispatch.waiting_items(), stage.core.backlog()), (0, 1));
    assert_eq!(stage.ends(1), Some(A));
}

/// The policy is told at once of what has a bound; what has none may come later and lie in the inbox.
#[test]
fn what_waits_in_the_policy_and_what_lies_in_the_inbox_take_turns() {
    let mut stage = Stage::of(1, &[Some(1), None]);
    stage.busy(&[A]);
    for _ in 0..4 {
        assert!(stage.core.submit(A, Task::new(|| ())).is_ok());
    }
    stage.put(B);
    stage.put(B);
    assert_eq!((stage.core.dispatch.waiting_items(), stage.core.backlog()), (4, 6));
    let order: Vec<_> = std::iter::from_fn(|| stage.ends(0)).collect();
    assert_eq!(order, [B, A, B, A, A, A]);
}

#[test]
fn a_closure_that_was_handed_to_a_thread_runs_also_after_the_stop() {
    let mut stage = Stage::of(2, &[None, Some(1)]);
    stage.core.habits.calls = Calls::Eager;
    let (with_note, at_work) = (stage.core.new_seat() as usize, stage.core.new_seat() as usize);
    stage.core.phase = Phase::Stopped;
    stage.core.seats[with_note].note = Some(Note::Run(A, Task::new(|| ())));
    assert_eq!([A, B].map(|class| stage.core.running(class)), [1, 0]);
    stage.core.seats[at_work].runs = Some(B);
    assert_eq!([A, B].map(|class| stage.core.running(class)), [1, 1]);
    stage.core.seats[with_note].note = Some(Note::End);
    assert_eq!([A, B].map(|class| stage.core.running(class)), [0, 1]);
}
