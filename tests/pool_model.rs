//! Random scripts on the real pool beside a fresh `Dispatch` that is told the same: the same closures run and wait.
//!
//! Each closure waits for the script to say how it goes on, so which closures run is decided once things have settled.
//! Where the pool may tell its policy late (throttled calls and a class without a bound), who is next is not decided by
//! the script; there the laws are checked instead of the set: ceilings, size, and no thread idle beside a closure that it
//! may run. `PROPTEST_CASES` sets how many scripts.

#[path = "common/board.rs"]
mod board;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use atqsim::ids::{ClassId, ThreadId};
use atqsim::policy::dispatch::{ClassRule, Decision, Dispatch, Event, Kind, Rules, Ticket};
use atqsim::policy::drain::Drain;
use atqsim::pool::{AtqPool, Calls, Ceiling, Class, Ended, SpawnError};
use board::{Board, LetsGo, Order, in_time, until, until_closed};
use proptest::prelude::*;
use proptest::sample::Index;

/// One class of a script.
#[derive(Clone, Copy, Debug)]
struct Of {
    ceiling: Ceiling,
    drain: Drain,
    max_waiting: usize,
}

#[derive(Clone, Debug)]
enum Step {
    /// So many closures of a class, without waiting in between for what follows from each.
    Submit(u16, u8),
    Finish(Index),
    Panic(Index),
    /// A running closure waits, or goes on if it does.
    BlockOrWake(Index),
    Withdraw(Index),
    SetCeiling(u16, Ceiling),
    SetThreads(u32),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Shutdown,
    Stop,
    StopWithinNothing,
    Drop,
}

#[derive(Clone, Debug)]
struct Script {
    calls: Calls,
    /// How long a thread polls; and the guard's tick.
    micros: (u64, u64),
    threads: u32,
    runnable_limit: u32,
    classes: [Of; 3],
    steps: Vec<Step>,
    end: End,
}

fn ceiling() -> impl Strategy<Value = Ceiling> {
    prop_oneof![
        2 => (1..5_u32).prop_map(Ceiling::Threads),
        2 => (1..=100_u32).prop_map(Ceiling::Percent),
        1 => Just(Ceiling::None),
    ]
}

fn class() -> impl Strategy<Value = Of> {
    let drain = prop_oneof![3 => Just(1), 1 => Just(2), 1 => Just(u32::MAX)]
        .prop_map(|most| if most == u32::MAX { Drain::UntilEmpty } else { Drain::Messages(most) });
    let max_waiting = prop_oneof![1 => 0..6_usize, 2 => Just(1_000), 2 => Just(usize::MAX)];
    (ceiling(), drain, max_waiting).prop_map(|(ceiling, drain, max_waiting)| Of { ceiling, drain, max_waiting })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u16, 1..4_u8).prop_map(|(class, many)| Step::Submit(class, many)),
        6 => any::<Index>().prop_map(Step::Finish),
        2 => any::<Index>().prop_map(Step::Panic),
        3 => any::<Index>().prop_map(Step::BlockOrWake),
        2 => any::<Index>().prop_map(Step::Withdraw),
        1 => (0..3_u16, ceiling()).prop_map(|(class, ceiling)| Step::SetCeiling(class, ceiling)),
        1 => (1..7_u32).prop_map(Step::SetThreads),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let calls = prop_oneof![Just(Calls::Throttled), Just(Calls::Eager)];
    let micros = (prop_oneof![Just(0), Just(1), Just(200)], prop_oneof![Just(1_u64), Just(100)]);
    let limit = prop_oneof![2 => Just(u32::MAX), 1 => 1..4_u32];
    let end = prop_oneof![Just(End::Shutdown), Just(End::Stop), Just(End::StopWithinNothing), Just(End::Drop)];
    let classes = [class(), class(), class()];
    (calls, micros, 1..7_u32, limit, classes, proptest::collection::vec(step(), 0..40), end).prop_map(
        |(calls, micros, threads, runnable_limit, classes, steps, end)| Script {
            calls,
            micros,
            threads,
            runnable_limit,
            classes,
            steps,
            end,
        },
    )
}

/// The pure policy, and which closure each of its threads runs. A thread that it wants is there at once.
struct Model {
    dispatch: Dispatch<usize>,
    running: BTreeMap<usize, (ThreadId, ClassId)>,
    waiting: BTreeSet<usize>,
}

impl Model {
    /// Tells the policy of an event. The ticket of a submitted item; `None`: it was refused, or nothing was submitted.
    fn apply(&mut self, event: Event<usize>) -> Option<Ticket> {
        let mut events = vec![event];
        let mut given = None;
        while let Some(event) = events.pop() {
            if let Event::Submit { job, .. } = event {
                self.waiting.insert(job);
            }
            let mut decisions = Vec::new();
            self.dispatch.apply(event, &mut decisions);
            for decision in decisions {
                match decision {
                    Decision::Queued { ticket } => given = Some(ticket),
                    Decision::Start { thread, class, job, .. } => {
                        self.waiting.remove(&job);
                        self.running.insert(job, (thread, class));
                    }
                    Decision::Refused { job } | Decision::Left { job } => {
                        self.waiting.remove(&job);
                    }
                    Decision::Create { thread } => events.insert(0, Event::ThreadStarted { thread }),
                    Decision::Idle { .. } | Decision::Retire { .. } => {}
                }
            }
        }
        given
    }
}

/// A script's pool, its closures, and the model beside it.
struct Play {
    /// Before the pool, so that it is dropped first.
    _lets_go: LetsGo,
    pool: AtqPool,
    board: Arc<Board>,
    model: Model,
    /// The pool tells its policy of everything at once, so that the model knows who is next.
    is_exact: bool,
    classes: [Of; 3],
    threads: u32,
    runnable_limit: u32,
    /// Class and ticket of each closure; none where it was refused.
    submitted: Vec<(ClassId, Option<Ticket>)>,
    blocked: BTreeSet<usize>,
    panics: u64,
}

impl Play {
    fn new(script: &Script) -> Play {
        let mut builder = AtqPool::builder()
            .threads(script.threads)
            .runnable_limit(script.runnable_limit)
            .calls(script.calls)
            .poll(Duration::from_micros(script.micros.0))
            .guard(16, Duration::from_micros(script.micros.1));
        for (name, of) in ["a", "b", "c"].iter().zip(&script.classes) {
            let class = Class::new(name).ceiling(of.ceiling).drain(of.drain).max_waiting(of.max_waiting);
            builder = builder.class_with(class);
        }
        let rule = |of: &Of| ClassRule {
            kind: match of.ceiling.threads_of(script.threads) {
                None => Kind::Requests,
                Some(cap) => Kind::WorkQueue { cap, drain: of.drain },
            },
            max_waiting: of.max_waiting,
            ..ClassRule::default()
        };
        let rules = Rules {
            pool_size: script.threads,
            runnable_limit: script.runnable_limit,
            classes: script.classes.iter().map(rule).collect(),
            ..Rules::default()
        };
        let model = Model { dispatch: Dispatch::new(&rules), running: BTreeMap::new(), waiting: BTreeSet::new() };
        let board = Arc::<Board>::default();
        Play {
            _lets_go: LetsGo(Arc::clone(&board)),
            pool: builder.build().unwrap(),
            board,
            model,
            is_exact: script.calls == Calls::Eager || script.classes.iter().all(|of| of.max_waiting < usize::MAX),
            classes: script.classes,
            threads: script.threads,
            runnable_limit: script.runnable_limit,
            submitted: Vec::new(),
            blocked: BTreeSet::new(),
            panics: 0,
        }
    }

    fn cap(&self, class: usize) -> Option<u32> {
        self.classes[class].ceiling.threads_of(self.threads)
    }

    fn class_of(&self, at: usize) -> usize {
        self.submitted[at].0.index()
    }

    /// Which of the running closures an index means.
    fn chosen(&self, index: &Index) -> Option<usize> {
        let running: Vec<usize> = self.board.running().into_iter().collect();
        (!running.is_empty()).then(|| running[index.index(running.len())])
    }

    fn submit(&mut self, class: ClassId) {
        let at = self.submitted.len();
        let real = self.pool.try_spawn(class, self.board.closure());
        self.submitted.push((class, real.as_ref().ok().copied()));
        assert!(matches!(real, Ok(_) | Err(SpawnError::Full(_))), "{real:?}");
        if self.is_exact {
            let modelled = self.model.apply(Event::Submit { class, job: at });
            let (counts, of) = (self.pool.counts(), self.pool.class_counts(class));
            assert_eq!(real.is_ok(), modelled.is_some(), "closure {at}: not both took it; {counts:?}, {of:?}");
        }
    }

    /// Ends a closure; where it waits inside `blocking`, a panic comes from there.
    fn end(&mut self, at: usize, order: Order) {
        let waits = self.blocked.remove(&at);
        if waits && order == Order::Finish {
            self.board.tell(at, Order::Wake);
            until("a closure wakes", || self.board.is_heard());
        }
        self.panics += u64::from(order == Order::Panic);
        self.board.tell(at, order);
        until("a closure ends", || self.board.is_heard() && !self.board.running().contains(&at));
        if self.is_exact {
            let (thread, _) = self.model.running.remove(&at).unwrap();
            if waits {
                self.model.apply(Event::Wakes { thread });
            }
            self.model.apply(Event::Finishes { thread });
        }
    }

    fn block_or_wake(&mut self, at: usize) {
        let wakes = self.blocked.remove(&at);
        if !wakes {
            self.blocked.insert(at);
        }
        self.board.tell(at, if wakes { Order::Wake } else { Order::Block });
        until("a closure hears", || self.board.is_heard());
        if self.is_exact {
            let (thread, _) = self.model.running[&at];
            self.model.apply(if wakes { Event::Wakes { thread } } else { Event::Blocks { thread } });
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Submit(class, many) => {
                for _ in 0..*many {
                    self.submit(ClassId(*class));
                    if self.is_exact {
                        self.settle();
                    }
                }
            }
            Step::Finish(index) => self.chosen(index).map_or((), |at| self.end(at, Order::Finish)),
            Step::Panic(index) => self.chosen(index).map_or((), |at| self.end(at, Order::Panic)),
            Step::BlockOrWake(index) => self.chosen(index).map_or((), |at| self.block_or_wake(at)),
            Step::Withdraw(index) if !self.submitted.is_empty() => {
                let at = index.index(self.submitted.len());
                let Some(ticket) = self.submitted[at].1 else { return };
                let job = self.pool.withdraw(ticket);
                if self.is_exact {
                    assert_eq!(job.is_some(), self.model.waiting.contains(&at), "closure {at}");
                    self.model.apply(Event::GiveUp { ticket });
                }
            }
            Step::Withdraw(_) => {}
            Step::SetCeiling(class, ceiling) => self.set_ceiling(usize::from(*class), *ceiling),
            Step::SetThreads(threads) => {
                self.threads = *threads;
                self.pool.set_threads(*threads);
                self.model.apply(Event::SetPoolSize { size: *threads });
                for class in 0..3 {
                    if let (Ceiling::Percent(_), Some(cap)) = (self.classes[class].ceiling, self.cap(class)) {
                        self.model.apply(Event::SetCap { class: ClassId(class as u16), cap });
                    }
                }
            }
        }
    }

    fn set_ceiling(&mut self, class: usize, ceiling: Ceiling) {
        let result = self.pool.set_ceiling(ClassId(class as u16), ceiling);
        assert_eq!(result.is_ok(), self.classes[class].ceiling != Ceiling::None);
        if result.is_ok() {
            let ceiling = if ceiling == Ceiling::None { Ceiling::Threads(u32::MAX) } else { ceiling };
            self.classes[class].ceiling = ceiling;
            let cap = self.cap(class).unwrap();
            self.model.apply(Event::SetCap { class: ClassId(class as u16), cap });
        }
    }

    /// Whether what runs and what waits, as the pool counts it and as it really is, is what it should come to.
    fn is_settled(&self) -> bool {
        let running = self.board.running();
        let snapshot = self.pool.snapshot();
        let really = |class: usize| running.iter().filter(|at| self.class_of(**at) == class).count();
        let agrees = (0..3).all(|class| snapshot.classes[class].running.now == really(class));
        let runnable = (running.len() - self.blocked.len()) as u32;
        let counts = self.pool.counts();
        let is_awake = counts.runnable_threads == runnable && counts.starting_threads == 0;
        if !agrees || snapshot.busy.now != running.len() || !is_awake {
            return false;
        }
        if self.is_exact {
            let waits = |class: usize| self.model.waiting.iter().filter(|at| self.class_of(**at) == class).count();
            return running == self.model.running.keys().copied().collect()
                && (0..3).all(|class| snapshot.classes[class].queued.now == waits(class));
        }
        let full = running.len() as u32 >= self.threads || runnable >= self.runnable_limit;
        let idle_beside = |class: usize| {
            snapshot.classes[class].queued.now > 0 && self.cap(class).is_none_or(|cap| (really(class) as u32) < cap)
        };
        full || !(0..3).any(idle_beside)
    }

    #[track_caller]
    fn settle(&self) {
        let begun = std::time::Instant::now();
        while !self.is_settled() {
            assert!(
                begun.elapsed() < board::HANGS,
                "not settled: the pool has {}; really running {:?}, blocked {:?}, modelled {:?}, waiting {:?}",
                self.pool.snapshot(),
                self.board.running(),
                self.blocked,
                self.model.running,
                self.model.waiting,
            );
            std::thread::yield_now();
        }
    }

    /// What holds once things have settled. Threads that are too many are gone as soon as they have nothing to do.
    fn laws(&self) {
        until("surplus threads end", || {
            let seen = self.pool.snapshot();
            seen.live.now <= seen.busy.now.max(self.threads as usize)
        });
        let snapshot = self.pool.snapshot();
        assert!(snapshot.busy.now <= snapshot.live.now && snapshot.goal.now == self.threads as usize, "{snapshot}");
        assert_eq!(snapshot.queued, snapshot.classes.iter().map(|class| class.queued.now).sum::<usize>());
        for (class, seen) in snapshot.classes.iter().enumerate() {
            assert_eq!(seen.most_threads, self.cap(class));
        }
        assert_eq!(self.pool.laws(), Default::default());
        assert_eq!(snapshot.tally.panics, self.panics);
        assert_eq!(snapshot.started, self.board.fates().iter().map(|(ran, _)| u64::from(*ran)).sum::<u64>());
    }

    /// Ends the pool in its way; everything was run or given back by then.
    fn finale(self, end: End) {
        let Play { pool, board, submitted, .. } = self;
        let running = board.running();
        let waiting: Vec<usize> =
            (0..submitted.len()).filter(|at| submitted[*at].1.is_some() && board.fates()[*at] == (0, 0)).collect();
        let classes = |all: &mut dyn Iterator<Item = usize>| all.map(|at| submitted[at].0).collect::<Vec<_>>();
        let pool = Arc::new(pool);
        let before = board.back().len();
        let while_it_ends = |call: fn(&AtqPool) -> Ended| {
            let other = Arc::clone(&pool);
            let thread = std::thread::spawn(move || call(&other));
            let taken = until_closed(&pool);
            board.let_all_go();
            (in_time("the pool ends", move || thread.join().unwrap()), taken)
        };
        match end {
            End::Shutdown => {
                let (ended, taken) = while_it_ends(AtqPool::shutdown);
                assert!(ended.is_clean(), "{ended}");
                let all = (running.len() + waiting.len()) as u64;
                assert!((all..=all + taken).contains(&ended.ran), "{ended}, of {all}");
            }
            End::Stop => {
                let (ended, taken) = while_it_ends(AtqPool::stop);
                assert!(ended.still_running.is_empty());
                let all = running.len() as u64;
                assert!((all..=all + taken).contains(&ended.ran), "{ended}, of {all}");
                drop(ended);
                assert_eq!(board.back()[before..], waiting, "given back in order of submission");
            }
            End::StopWithinNothing => {
                let ended = pool.stop_within(Duration::ZERO);
                let mut still: Vec<ClassId> = ended.still_running.iter().map(|(class, _)| *class).collect();
                let mut expected = classes(&mut running.iter().copied());
                still.sort_unstable();
                expected.sort_unstable();
                assert_eq!(still, expected);
                drop(ended);
                assert_eq!(board.back()[before..], waiting, "given back in order of submission");
                board.let_all_go();
            }
            End::Drop => {
                board.let_all_go();
            }
        }
        in_time("the pool is dropped", move || drop(pool));
        until("nothing runs", || board.running().is_empty());
        for (at, fate) in board.fates().iter().enumerate() {
            assert!(matches!(fate, (1, 0) | (0, 1)), "closure {at} ran and went away so often: {fate:?}");
        }
    }
}

fn play(script: &Script) {
    let mut play = Play::new(script);
    for step in &script.steps {
        play.step(step);
        play.settle();
        play.laws();
    }
    play.finale(script.end);
}

const CASES: u32 = 256;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_script_runs_what_the_policy_says_and_loses_nothing(script in script()) {
        play(&script);
    }
}
