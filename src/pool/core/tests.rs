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
        let (ticket, unwatched) = self.core.doorstep.put(class, Box::new(|| ())).ok().expect("it is open");
        if unwatched {
            self.core.is_here();
            self.core.watch();
        }
        ticket
    }

    /// Seats of the threads that have been created or called since this was last asked.
    pub(super) fn called(&mut self) -> Vec<u32> {
        let errands = std::mem::take(&mut self.core.errands);
        let created = errands.create.into_iter().map(|(seat, _)| seat);
        let is_called = |seat: &u32| matches!(self.core.seats[*seat as usize].note, Some(Note::Called));
        let called: Vec<u32> = (0..self.core.seats.len() as u32).filter(is_called).collect();
        assert_eq!(errands.unpark.len(), called.len(), "who is called is woken");
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

    fn runs(&mut self, seat: u32, work: Option<(ClassId, Job)>) -> Option<ClassId> {
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

    /// So many closures were started since `before`, by these threads in turns.
    pub(super) fn started(&mut self, before: u64, closures: u64, seats: &[u32]) {
        self.core.started = before + closures;
        for seat in seats {
            self.core.seats[*seat as usize].since = self.core.started;
        }
    }
}
