//! The dispatch rules as tables: events in, decisions out, one rule at a time.

use atqsim::ids::{ClassId, ThreadId};
use atqsim::policy::dispatch::{ClassRule, Decision, Dispatch, Event, Kind, Laws, Rules, Ticket};
use atqsim::policy::drain::Drain;
use atqsim::policy::order::Order;
use proptest::prelude::*;

const REQUESTS: ClassRule = ClassRule { kind: Kind::Requests, max_waiting: usize::MAX, priority: 0, keep_free: 0 };

fn queue(cap: u32, drain: Drain) -> ClassRule {
    ClassRule { kind: Kind::WorkQueue { cap, drain }, ..REQUESTS }
}

/// A dispatch whose decisions are written as words: `t0<-7` (thread 0 starts job 7), `t0 idle`, `new t1`, ...
struct Script {
    dispatch: Dispatch<u32>,
    tickets: Vec<Option<Ticket>>,
    next_job: u32,
}

impl Script {
    fn new(pool_size: u32, runnable_limit: u32, classes: &[ClassRule]) -> Script {
        Script::with(&Rules { pool_size, runnable_limit, classes: classes.to_vec(), ..Rules::default() })
    }

    fn with(rules: &Rules) -> Script {
        Script { dispatch: Dispatch::new(rules), tickets: Vec::new(), next_job: 0 }
    }

    fn tell(&mut self, event: Event<u32>) -> String {
        let mut out = Vec::new();
        self.dispatch.apply(event, &mut out);
        let mut words = Vec::new();
        for decision in out {
            match decision {
                Decision::Queued { ticket } => self.tickets.push(Some(ticket)),
                Decision::Refused { job } => {
                    self.tickets.push(None);
                    words.push(format!("refused {job}"));
                }
                Decision::Start { thread, job, .. } => words.push(format!("t{}<-{job}", thread.0)),
                Decision::Left { job } => words.push(format!("left {job}")),
                Decision::Create { thread } => words.push(format!("new t{}", thread.0)),
                Decision::Idle { thread } => words.push(format!("t{} idle", thread.0)),
                Decision::Retire { thread } => words.push(format!("t{} ends", thread.0)),
            }
        }
        words.join(", ")
    }

    fn submit(&mut self, class: u16) -> String {
        let job = self.next_job;
        self.next_job += 1;
        self.tell(Event::Submit { class: ClassId(class), job })
    }

    fn started(&mut self, thread: u32) -> String {
        self.tell(Event::ThreadStarted { thread: ThreadId(thread) })
    }

    fn finishes(&mut self, thread: u32) -> String {
        self.tell(Event::Finishes { thread: ThreadId(thread) })
    }

    fn blocks(&mut self, thread: u32) -> String {
        self.tell(Event::Blocks { thread: ThreadId(thread) })
    }

    fn wakes(&mut self, thread: u32) -> String {
        self.tell(Event::Wakes { thread: ThreadId(thread) })
    }

    fn gives_up(&mut self, job: usize) -> String {
        let ticket = self.tickets[job].expect("the job was taken in");
        self.tell(Event::GiveUp { ticket })
    }
}

/// Two threads that serve jobs 0 and 1 of class 0, under an order that is not the port's.
fn busy_pair(order: Order, classes: Vec<ClassRule>) -> Script {
    let mut s = Script::with(&Rules { pool_size: 2, order, classes, ..Rules::default() });
    for t in 0..2 {
        s.submit(0);
        s.started(t);
    }
    s
}

#[test]
fn priority_serves_the_smaller_number_first_and_takes_no_thread_away() {
    let rank = |priority| ClassRule { priority, ..REQUESTS };
    let mut s = busy_pair(Order::Priority, vec![rank(2), rank(1)]);
    for (class, job) in [(0, 2), (1, 3), (0, 4), (1, 5)] {
        assert_eq!(s.submit(class), "", "job {job} waits: nobody is interrupted");
    }
    assert_eq!(s.finishes(0), "t0<-3");
    assert_eq!(s.finishes(1), "t1<-5");
    assert_eq!(s.finishes(1), "t1<-2", "first in, first out within a class");
    assert_eq!(s.finishes(1), "t1<-4");
}

#[test]
fn oldest_eligible_skips_a_class_at_its_cap() {
    let mut s = busy_pair(Order::OldestEligible, vec![REQUESTS, queue(1, Drain::UntilEmpty)]);
    for class in [1, 1, 0, 1] {
        s.submit(class);
    }
    assert_eq!(s.finishes(0), "t0<-2");
    assert_eq!(s.finishes(1), "t1<-4", "jobs 3 and 5 are older or younger, but their class has its one thread");
    assert_eq!(s.finishes(1), "t1 idle");
    assert_eq!(s.finishes(0), "t0<-3", "a thread goes back after each item, whatever the drain rule");
    assert_eq!(s.gives_up(5), "left 5");
    assert_eq!(s.finishes(0), "t0 idle");
}

#[test]
fn reserve_starts_a_class_only_while_more_threads_are_idle_than_it_keeps_free() {
    let kept = ClassRule { keep_free: 1, priority: 1, ..REQUESTS };
    let rules = Rules { pool_size: 2, order: Order::Reserve, classes: vec![kept, REQUESTS], ..Rules::default() };
    let mut s = Script::with(&rules);
    assert_eq!(s.submit(0), "new t0");
    assert_eq!(s.started(0), "t0<-0");
    assert_eq!(s.submit(0), "", "the last thread is kept for others");
    assert_eq!(s.submit(1), "new t1");
    assert_eq!(s.started(1), "t1<-2");
    assert_eq!(s.finishes(0), "t0 idle", "one thread is idle, and class 0 keeps one free");
    assert_eq!(s.finishes(1), "t1<-1");
}

#[test]
fn a_shared_room_refuses_only_who_cannot_start_at_once() {
    let classes = vec![queue(1, Drain::Messages(1)), REQUESTS];
    for order in Order::ALL {
        let rules =
            Rules { pool_size: 2, order: *order, waiting_room: Some(1), classes: classes.clone(), ..Rules::default() };
        let mut s = Script::with(&rules);
        s.submit(0);
        s.started(0);
        assert_eq!(s.submit(0), "", "one waits: its class is at its cap");
        assert_eq!(s.submit(0), "refused 2");
        assert_eq!(s.submit(1), "new t1", "a thread is there, so no room is needed");
        assert_eq!(s.started(1), "t1<-3");
        assert_eq!(s.submit(1), "refused 4");
        assert_eq!([s.gives_up(1), s.submit(1), s.submit(1)], ["left 1", "", "refused 6"], "who leaves makes room");
    }
}

#[test]
fn growth_creates_threads_only_for_packets_that_no_thread_awaits() {
    let mut s = Script::new(2, 9, &[REQUESTS]);
    assert_eq!(s.submit(0), "new t0");
    assert_eq!(s.submit(0), "new t1");
    assert_eq!(s.submit(0), "", "the pool's size is reached");
    assert_eq!(s.started(0), "t0<-0");
    assert_eq!(s.started(1), "t1<-1");
    assert_eq!(s.finishes(1), "t1<-2");
    assert_eq!(s.finishes(0), "t0 idle");
    assert_eq!(s.submit(0), "t0<-3", "an idle thread is there, so none is created");
    // Threads that are being created count beside those that exist.
    let mut s = Script::new(6, 9, &[REQUESTS]);
    for t in 0..5 {
        assert_eq!(s.submit(0), format!("new t{t}"));
    }
    assert_eq!([s.started(0), s.started(1)], ["t0<-0", "t1<-1"]);
    assert_eq!([s.submit(0), s.submit(0)], ["new t5", ""], "six of six");
    // A larger pool gets what it may have at once, and no more.
    assert_eq!([s.submit(0), s.submit(0), s.submit(0)], ["", "", ""]);
    assert_eq!(s.tell(Event::SetPoolSize { size: 8 }), "new t6, new t7");
}

#[test]
fn idle_threads_are_released_last_in_first_out() {
    let mut s = Script::new(3, 9, &[REQUESTS]);
    for t in 0..3 {
        s.submit(0);
        s.started(t);
    }
    for t in [1, 0, 2] {
        assert_eq!(s.finishes(t), format!("t{t} idle"));
    }
    assert_eq!(s.submit(0), "t2<-3");
    assert_eq!(s.submit(0), "t0<-4");
    assert_eq!(s.submit(0), "t1<-5");
}

#[test]
fn packets_leave_the_port_first_in_first_out_across_classes() {
    let mut s = Script::new(1, 9, &[REQUESTS, REQUESTS]);
    s.submit(0);
    s.started(0);
    for class in [1, 0, 1] {
        s.submit(class);
    }
    assert_eq!(s.finishes(0), "t0<-1");
    assert_eq!(s.finishes(0), "t0<-2");
    assert_eq!(s.finishes(0), "t0<-3");
}

#[test]
fn at_most_the_runnable_limit_is_handed_out_and_a_waker_may_exceed_it() {
    let mut s = Script::new(3, 1, &[REQUESTS]);
    s.submit(0);
    assert_eq!(s.started(0), "t0<-0");
    assert_eq!(s.submit(0), "new t1");
    assert_eq!(s.started(1), "t1 idle", "one thread is runnable, and that is the limit");
    assert_eq!(s.blocks(0), "t1<-1", "a waiting thread is not runnable");
    assert_eq!(s.submit(0), "new t2");
    assert_eq!(s.started(2), "t2 idle");
    assert_eq!(s.wakes(0), "", "two are runnable now, one above the limit");
    assert_eq!(s.blocks(1), "", "still not below the limit");
    assert_eq!(s.finishes(0), "t0<-2", "the thread that asks takes the packet, not the idle one");
}

#[test]
fn a_work_queue_never_holds_more_than_its_cap() {
    let mut s = Script::new(4, 9, &[queue(2, Drain::UntilEmpty), REQUESTS]);
    s.submit(0);
    s.started(0);
    s.submit(0);
    s.started(1);
    assert_eq!(s.submit(0), "", "the cap is reached: no thread request, no new thread");
    assert_eq!(s.submit(1), "new t2", "the other class still gets threads");
    let counts = s.dispatch.class_counts(ClassId(0));
    assert_eq!((counts.busy_threads, counts.granted, counts.requested, counts.waiting), (2, 2, 0, 1));
}

#[test]
fn until_empty_keeps_the_thread_and_one_message_a_turn_gives_it_back() {
    for (drain, second, third) in [
        (Drain::UntilEmpty, "t0<-1", "t0<-2"),
        // The replacement request goes to the tail, so the POP3 request, which came meanwhile, is served first.
        (Drain::Messages(1), "t0<-2", "t0<-1"),
    ] {
        let mut s = Script::new(1, 9, &[queue(1, drain), REQUESTS]);
        s.submit(0);
        s.started(0);
        s.submit(0);
        s.submit(1);
        assert_eq!(s.finishes(0), second, "{drain:?}");
        assert_eq!(s.finishes(0), third, "{drain:?}");
    }
}

#[test]
fn a_turn_of_n_messages_ends_after_n() {
    let mut s = Script::new(1, 9, &[queue(1, Drain::Messages(3)), REQUESTS]);
    s.submit(0);
    s.started(0);
    for _ in 0..4 {
        s.submit(0);
    }
    s.submit(1);
    assert_eq!([s.finishes(0), s.finishes(0)], ["t0<-1", "t0<-2"]);
    assert_eq!(s.finishes(0), "t0<-5", "three messages are served: the request at the head of the port is next");
    assert_eq!(s.finishes(0), "t0<-3");
}

#[test]
fn requests_posted_ahead_go_stale_and_cost_nothing() {
    let mut s = Script::new(2, 9, &[queue(2, Drain::UntilEmpty), REQUESTS]);
    s.submit(1);
    s.started(0);
    s.submit(1);
    s.started(1);
    // Two messages, two thread requests; then a POP3 request behind them.
    s.submit(0);
    s.submit(0);
    s.submit(1);
    assert_eq!(s.dispatch.class_counts(ClassId(0)).requested, 2);
    assert_eq!(s.finishes(0), "t0<-2");
    assert_eq!(s.finishes(0), "t0<-3", "until empty: the second message without its own request");
    assert_eq!(s.finishes(1), "t1<-4", "the second request finds the queue empty and is passed over");
    assert_eq!(s.dispatch.class_counts(ClassId(0)).stale_grants, 1);
}

#[test]
fn a_client_that_gives_up_leaves_the_port() {
    let mut s = Script::new(1, 9, &[REQUESTS]);
    s.submit(0);
    s.started(0);
    s.submit(0);
    s.submit(0);
    assert_eq!(s.gives_up(1), "left 1");
    assert_eq!(s.gives_up(1), "", "only once");
    assert_eq!(s.gives_up(0), "", "not one in service");
    assert_eq!(s.finishes(0), "t0<-2");
    // The thread that is made for a client who has left serves the next one.
    let mut s = Script::new(2, 9, &[REQUESTS]);
    assert_eq!([s.submit(0), s.gives_up(0), s.submit(0), s.started(0)], ["new t0", "left 0", "", "t0<-1"]);
}

#[test]
fn a_full_class_refuses_and_a_room_of_nothing_serves_what_can_start_at_once() {
    let full = ClassRule { max_waiting: 1, ..REQUESTS };
    let mut s = Script::new(1, 9, &[full]);
    s.submit(0);
    s.started(0);
    assert_eq!(s.submit(0), "");
    assert_eq!(s.submit(0), "refused 2");
    let none = ClassRule { max_waiting: 0, ..REQUESTS };
    let mut s = Script::new(1, 9, &[none]);
    assert_eq!(s.submit(0), "new t0");
    s.started(0);
    assert_eq!(s.submit(0), "refused 1");
    s.finishes(0);
    assert_eq!(s.submit(0), "t0<-2");
    let mut s = Script::new(2, 9, &[ClassRule { max_waiting: 0, ..queue(1, Drain::UntilEmpty) }]);
    assert_eq!([s.submit(0), s.started(0)], ["new t0", "t0<-0"]);
    assert_eq!([s.submit(0), s.finishes(0), s.submit(0)], ["refused 1", "t0 idle", "t0<-2"], "a queue at its cap");
    // A thread that the limit of runnable ones keeps at the port is none that can start an item at once.
    let mut s = Script::new(2, 1, &[none]);
    s.submit(0);
    s.started(0);
    s.blocks(0);
    s.submit(0);
    assert_eq!([s.started(1), s.wakes(0), s.finishes(1)], ["t1<-1", "", "t1 idle"]);
    assert_eq!(s.submit(0), "refused 2");
    assert_eq!([s.blocks(0), s.submit(0)], ["", "t1<-3"]);
    // Nor is one that the class has to leave to others.
    let kept = ClassRule { keep_free: 1, ..none };
    let rules = Rules { pool_size: 2, order: Order::Reserve, classes: vec![kept, none], ..Rules::default() };
    let mut s = Script::with(&rules);
    assert_eq!([s.submit(0), s.started(0)], ["new t0", "t0<-0"]);
    assert_eq!([s.submit(0), s.submit(1)], ["refused 1", "new t1"]);
}

#[test]
fn a_lowered_cap_takes_no_thread_away_and_a_raised_one_posts() {
    let mut s = Script::new(3, 9, &[queue(3, Drain::UntilEmpty)]);
    for t in 0..3 {
        s.submit(0);
        s.started(t);
    }
    for _ in 0..3 {
        s.submit(0);
    }
    let set = |cap| Event::SetCap { class: ClassId(0), cap };
    assert_eq!(s.tell(set(1)), "");
    assert_eq!(s.finishes(0), "t0 idle", "above the cap: the thread goes back although messages wait");
    assert_eq!(s.finishes(1), "t1 idle");
    assert_eq!(s.finishes(2), "t2<-3", "at the cap: the last thread stays");
    assert_eq!(s.tell(set(2)), "t1<-4");
}

#[test]
fn threads_that_cannot_be_created_lower_the_goal_not_the_cap() {
    let mut s = Script::new(4, 9, &[queue(3, Drain::UntilEmpty)]);
    s.submit(0);
    s.started(0);
    assert_eq!(s.submit(0), "new t1");
    assert_eq!(s.tell(Event::ThreadRefused { thread: ThreadId(1) }), "");
    assert_eq!(s.dispatch.counts().goal_threads, 1);
    assert_eq!(s.submit(0), "", "no further attempt");
    assert_eq!(s.finishes(0), "t0<-1");
}

#[test]
fn the_pool_shrinks_as_threads_finish_and_idle_ones_go_at_once() {
    let mut s = Script::new(3, 9, &[REQUESTS]);
    for t in 0..3 {
        s.submit(0);
        s.started(t);
    }
    s.finishes(2);
    assert_eq!(s.tell(Event::SetPoolSize { size: 1 }), "t2 ends");
    s.submit(0);
    assert_eq!(s.finishes(0), "t0 ends");
    assert_eq!(s.finishes(1), "t1<-3");
    assert_eq!(s.tell(Event::SetPoolSize { size: 2 }), "");
    assert_eq!(s.submit(0), "new t0");
    s.started(0);
    s.finishes(0);
    assert_eq!(s.tell(Event::SetPoolSize { size: 2 }), "", "two threads, of which one is idle, are not too many");
    assert_eq!(s.tell(Event::IdleTooLong { thread: ThreadId(0) }), "t0 ends");
    assert_eq!(s.tell(Event::IdleTooLong { thread: ThreadId(1) }), "", "not while it is busy");
    // A thread too many does not stay with its queue.
    let mut s = Script::new(2, 9, &[queue(2, Drain::UntilEmpty)]);
    for t in 0..2 {
        s.submit(0);
        s.started(t);
    }
    s.submit(0);
    s.submit(0);
    assert_eq!(s.tell(Event::SetPoolSize { size: 1 }), "");
    assert_eq!([s.finishes(0), s.finishes(1), s.finishes(1)], ["t0 ends", "t1<-2", "t1<-3"]);
}

#[test]
fn which_threads_wait_matters_only_where_not_all_may_be_runnable() {
    for (pool_size, limit, minds) in [(4, 3, true), (4, 4, false), (4, 5, false), (1, 1, false), (2, 1, true)] {
        let mut s = Script::new(pool_size, limit, &[REQUESTS]);
        assert_eq!(s.dispatch.minds_waits(), minds, "{limit} of {pool_size} threads may be runnable");
        // The pool's size at the moment counts.
        s.tell(Event::SetPoolSize { size: limit });
        assert!(!s.dispatch.minds_waits());
    }
}

#[test]
fn an_order_knows_every_class_however_many_there_are() {
    for classes in [1, 63, 64, 65, 127, 128, 129, 200_u16] {
        let rule = |at: u16| ClassRule { priority: u32::from(classes - at), ..REQUESTS };
        let mut s = Script::with(&Rules {
            order: Order::Priority,
            classes: (0..classes).map(rule).collect(),
            ..Rules::default()
        });
        assert_eq!(s.dispatch.classes(), usize::from(classes));
        s.submit(0);
        s.started(0);
        // Job n + 1 is class n's, and the last class has the smallest number.
        for class in 0..classes {
            assert_eq!(s.submit(class), "");
        }
        for class in (0..classes).rev() {
            assert_eq!(s.finishes(0), format!("t0<-{}", class + 1), "of {classes} classes");
        }
        assert_eq!(s.finishes(0), "t0 idle");
    }
}

/// What a random run does next.
#[derive(Clone, Debug)]
enum Step {
    Submit(u16),
    Start,
    Refuse,
    Finish(usize),
    Block(usize),
    Wake(usize),
    GiveUp(usize),
    SetCap(u16, u32),
    SetSize(u32),
    SetLimit(u32),
    Idle(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_u16).prop_map(Step::Submit),
        4 => Just(Step::Start),
        1 => Just(Step::Refuse),
        6 => (0..8_usize).prop_map(Step::Finish),
        2 => (0..8_usize).prop_map(Step::Block),
        2 => (0..8_usize).prop_map(Step::Wake),
        1 => (0..64_usize).prop_map(Step::GiveUp),
        1 => (0..3_u16, 1..5_u32).prop_map(|(class, cap)| Step::SetCap(class, cap)),
        1 => (1..6_u32).prop_map(Step::SetSize),
        1 => (1..6_u32).prop_map(Step::SetLimit),
        1 => (0..8_usize).prop_map(Step::Idle),
    ]
}

#[test]
fn a_thread_that_is_being_created_makes_room_as_one_that_is_there() {
    let no_room = ClassRule { max_waiting: 0, ..REQUESTS };
    let rules = Rules { pool_size: 2, classes: vec![no_room], ..Rules::default() };
    let mut dispatch: Dispatch<u32> = Dispatch::new(&rules);
    let mut submit = |job| {
        let mut out = Vec::new();
        dispatch.apply(Event::Submit { class: ClassId(0), job }, &mut out);
        out.into_iter().map(|decision| decision.erased()).collect::<Vec<Decision<()>>>()
    };
    for thread in 0..2 {
        let taken = submit(thread);
        assert!(
            matches!(taken[..], [Decision::Queued { .. }, Decision::Create { thread: t }] if t == ThreadId(thread))
        );
    }
    assert_eq!(submit(2), [Decision::Refused { job: () }], "both threads have somebody to serve when they come");
    let mut out = Vec::new();
    for thread in 0..2 {
        dispatch.apply(Event::ThreadStarted { thread: ThreadId(thread) }, &mut out);
    }
    dispatch.apply(Event::Finishes { thread: ThreadId(0) }, &mut out);
    out.clear();
    dispatch.apply(Event::Submit { class: ClassId(0), job: 3 }, &mut out);
    assert!(matches!(out[..], [Decision::Queued { .. }, Decision::Start { job: 3, .. }]), "an idle thread takes it");
}

/// Each busy thread turns to other classes as far as grants are held back for that, of which `one` is told afterwards and
/// `two` at once.
fn turn_all(
    one: &mut Dispatch<u32>,
    two: &mut Dispatch<u32>,
    busy: &mut [(ThreadId, ClassId)],
    turns: &[(usize, u16)],
) -> Result<(), TestCaseError> {
    let mut room = [0_u32; 3];
    for (_, own) in busy.iter() {
        for class in (0..3).filter(|class| *class != own.0) {
            room[usize::from(class)] += u32::from(one.reserve(ClassId(class)));
        }
    }
    let (mut out, mut next) = (Vec::new(), None);
    for (at, class) in turns {
        let at = at % busy.len();
        let (thread, old) = &mut busy[at];
        let class = ClassId(*class);
        if class != *old {
            if room[class.index()] == 0 && class != ClassId(0) {
                continue;
            }
            room[old.index()] += 1;
            room[class.index()] = room[class.index()].saturating_sub(1);
        }
        out.clear();
        two.apply(Event::Finishes { thread: *thread }, &mut out);
        two.apply(Event::Submit { class, job: 7 }, &mut out);
        let starts = out.iter().find_map(|decision| match decision {
            Decision::Start { thread: t, seq, .. } if t == thread => Some(*seq),
            _ => None,
        });
        prop_assert!(starts.is_some(), "the cap allows what was held back: {:?}", out);
        next = starts.map(|seq| seq + 1);
        *old = class;
    }
    one.turn(busy);
    for class in 0..3 {
        for _ in 0..room[usize::from(class)] {
            one.release(ClassId(class));
        }
    }
    if let Some(seq) = next {
        one.number_next(seq);
    }
    Ok(())
}

/// A thread at class 0, and one at class 1, whose cap is 2.
fn two_busy() -> Dispatch<u32> {
    let classes = vec![REQUESTS, queue(2, Drain::Messages(1))];
    let mut dispatch = Dispatch::new(&Rules { pool_size: 4, classes, ..Rules::default() });
    let mut out = Vec::new();
    for thread in 0..2 {
        dispatch.apply(Event::Submit { class: ClassId(thread as u16), job: thread }, &mut out);
        dispatch.apply(Event::ThreadStarted { thread: ThreadId(thread) }, &mut out);
    }
    dispatch
}

#[test]
fn a_grant_that_is_held_back_counts_against_the_cap() {
    let mut dispatch = two_busy();
    assert_eq!([0, 0, 1, 1].map(|class| dispatch.reserve(ClassId(class))), [true, true, true, false]);
    assert_eq!([0, 1].map(|class| dispatch.class_counts(ClassId(class)).granted), [0, 2]);
    // The two change places: the grant that was held back is now the one in use, and the other is held back.
    dispatch.turn(&[(ThreadId(0), ClassId(1)), (ThreadId(1), ClassId(0))]);
    assert_eq!([0, 1].map(|class| dispatch.class_counts(ClassId(class)).busy_threads), [1, 1]);
    dispatch.release(ClassId(0));
    dispatch.release(ClassId(1));
    assert_eq!([0, 1].map(|class| dispatch.class_counts(ClassId(class)).granted), [0, 1]);
    assert_eq!(dispatch.laws(), Laws::default());
    // Both at once is above no cap; three were.
    dispatch.turn(&[(ThreadId(0), ClassId(1)), (ThreadId(1), ClassId(1))]);
    assert_eq!(dispatch.laws(), Laws::default());
}

#[test]
fn a_turn_above_the_cap_breaks_a_law() {
    let mut dispatch = two_busy();
    let mut out = Vec::new();
    dispatch.apply(Event::Submit { class: ClassId(0), job: 2 }, &mut out);
    dispatch.apply(Event::ThreadStarted { thread: ThreadId(2) }, &mut out);
    dispatch.turn(&[(ThreadId(0), ClassId(1)), (ThreadId(2), ClassId(1))]);
    assert_eq!(dispatch.laws().above_cap, 1);
}

#[test]
fn numbers_go_on_from_where_they_are_set() {
    let mut dispatch = two_busy();
    dispatch.number_next(2);
    dispatch.number_next(40);
    let mut out = Vec::new();
    dispatch.apply(Event::Submit { class: ClassId(0), job: 2 }, &mut out);
    dispatch.apply(Event::ThreadStarted { thread: ThreadId(2) }, &mut out);
    assert!(out.contains(&Decision::Start { thread: ThreadId(2), class: ClassId(0), seq: 40, job: 2 }), "{out:?}");
}

#[test]
#[should_panic(expected = "a number is given once")]
fn a_number_is_not_given_twice() {
    two_busy().number_next(1);
}

#[test]
#[should_panic(expected = "may need the grant")]
fn no_grant_is_held_back_from_an_item_that_waits() {
    let mut dispatch = two_busy();
    dispatch.apply(Event::Submit { class: ClassId(1), job: 2 }, &mut Vec::new());
    let _ = dispatch.reserve(ClassId(1));
}

#[test]
#[should_panic(expected = "was kept from the grant")]
fn no_item_is_kept_from_a_grant() {
    let mut dispatch = two_busy();
    assert!(dispatch.reserve(ClassId(1)));
    dispatch.apply(Event::Submit { class: ClassId(1), job: 2 }, &mut Vec::new());
    dispatch.release(ClassId(1));
}

#[test]
#[should_panic(expected = "is not busy")]
fn only_a_busy_thread_turns() {
    let mut dispatch = two_busy();
    dispatch.apply(Event::Finishes { thread: ThreadId(0) }, &mut Vec::new());
    dispatch.turn(&[(ThreadId(0), ClassId(1))]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// An exchange is a finish and a submission told in one step, an entry is a submission and a thread that comes for it;
    /// or they are nothing.
    #[test]
    fn an_exchange_is_a_finish_and_a_submission_and_an_entry_is_one_with_its_thread(
        steps in prop::collection::vec((0..3_u16, 0..5_usize, 0..12_u32), 1..200),
        size in 1..5_u32,
        cap in 1..4_u32,
        limit in 1..5_u32,
    ) {
        let queue = queue(cap, Drain::Messages(1));
        let classes = vec![REQUESTS, queue, queue];
        let rules = Rules { pool_size: size, runnable_limit: limit, classes, ..Rules::default() };
        let (mut one, mut two): (Dispatch<u32>, Dispatch<u32>) = (Dispatch::new(&rules), Dispatch::new(&rules));
        let (mut busy, mut out, mut exchanged) = (Vec::new(), Vec::new(), 0);
        for (number, (class, pick, kind)) in (0_u32..).zip(steps) {
            let class = ClassId(class);
            out.clear();
            let told = match kind {
                0 => vec![Event::SetCap { class: ClassId(1), cap: 1 + number % 4 }],
                1 => vec![Event::SetPoolSize { size: 1 + number % 5 }],
                2 if !busy.is_empty() => vec![Event::Finishes { thread: busy.remove(pick % busy.len()) }],
                3..=7 if !busy.is_empty() => {
                    let thread: ThreadId = busy.remove(pick % busy.len());
                    if let Ok(job) = one.exchange(thread, class, number) {
                        prop_assert_eq!(job, number);
                        exchanged += 1;
                        two.apply(Event::Finishes { thread }, &mut out);
                        prop_assert_eq!(&out[..], &[Decision::Idle { thread }]);
                        two.apply(Event::Submit { class, job }, &mut out);
                        let queued = matches!(out[1], Decision::Queued { .. });
                        prop_assert!(queued);
                        let starts = matches!(out[2], Decision::Start { thread: t, job: j, .. } if t == thread && j == job);
                        prop_assert!(starts && out.len() == 3, "{:?}", out);
                        busy.push(thread);
                        vec![]
                    } else {
                        vec![Event::Finishes { thread }]
                    }
                }
                8..=10 => {
                    let may = one.may_enter(class);
                    if let Ok((thread, job)) = one.enter(class, number) {
                        prop_assert!(may && job == number);
                        two.apply(Event::Submit { class, job }, &mut out);
                        let wished = matches!(out[1], Decision::Create { thread: t } if t == thread);
                        prop_assert!(wished && out.len() == 2, "{:?}", out);
                        two.apply(Event::ThreadStarted { thread }, &mut out);
                        let starts = matches!(out[2], Decision::Start { thread: t, job: j, .. } if t == thread && j == job);
                        prop_assert!(starts && out.len() == 3, "{:?}", out);
                        busy.push(thread);
                        vec![]
                    } else {
                        prop_assert!(!may);
                        vec![Event::Submit { class, job: number }]
                    }
                }
                _ => vec![Event::Submit { class, job: number }],
            };
            let mut todo: std::collections::VecDeque<Event<u32>> = told.into();
            while let Some(event) = todo.pop_front() {
                let (mut of_one, mut of_two) = (Vec::new(), Vec::new());
                one.apply(event, &mut of_one);
                two.apply(event, &mut of_two);
                prop_assert_eq!(&of_one, &of_two, "the two go apart after an exchange");
                for decision in of_one {
                    match decision {
                        Decision::Start { thread, .. } => busy.push(thread),
                        Decision::Create { thread } => todo.push_back(Event::ThreadStarted { thread }),
                        _ => {}
                    }
                }
            }
            prop_assert_eq!(one.counts(), two.counts());
            for class in 0..3 {
                prop_assert_eq!(one.class_counts(ClassId(class)), two.class_counts(ClassId(class)));
            }
        }
        prop_assert_eq!(one.laws(), two.laws());
        // With room for all and nothing that waits, it is the plain case.
        let mut plain: Dispatch<u32> = Dispatch::new(&Rules { classes: vec![REQUESTS], ..Rules::default() });
        plain.apply(Event::Submit { class: ClassId(0), job: exchanged }, &mut out);
        plain.apply(Event::ThreadStarted { thread: ThreadId(0) }, &mut out);
        prop_assert_eq!(plain.exchange(ThreadId(0), ClassId(0), 7), Ok(7));
        let mut plain: Dispatch<u32> = Dispatch::new(&Rules { classes: vec![REQUESTS], ..Rules::default() });
        prop_assert_eq!(plain.enter(ClassId(0), 7), Ok((ThreadId(0), 7)));
        prop_assert_eq!(plain.enter(ClassId(0), 8), Err(8), "there is one thread");
    }

    /// Each condition of the plain case keeps an entry out, which would change nothing then but be wrong.
    #[test]
    fn nobody_enters_where_somebody_else_is_or_a_limit_is_reached(other in 1..3_u16) {
        let class = ClassId(0);
        let entered = |tune: &dyn Fn(&mut Rules), before: &[Event<u32>]| {
            let mut rules = Rules { pool_size: 4, classes: vec![queue(1, Drain::Messages(1)), REQUESTS, REQUESTS], ..Rules::default() };
            tune(&mut rules);
            let mut dispatch: Dispatch<u32> = Dispatch::new(&rules);
            for event in before {
                dispatch.apply(*event, &mut Vec::new());
            }
            let (counts, of_class) = (dispatch.counts(), dispatch.class_counts(class));
            let entered = dispatch.enter(class, 9).is_ok();
            prop_assert_eq!(dispatch.counts() == counts && dispatch.class_counts(class) == of_class, !entered);
            Ok(entered)
        };
        let as_is = |_: &mut Rules| ();
        let submit = |class| Event::Submit { class: ClassId(class), job: 1 };
        let started = |thread| Event::ThreadStarted { thread: ThreadId(thread) };
        prop_assert!(entered(&as_is, &[])?);
        prop_assert!(entered(&as_is, &[submit(other), started(0)])?, "another class is served");
        prop_assert!(!entered(&as_is, &[submit(other)])?, "a thread is being created");
        prop_assert!(!entered(&as_is, &[submit(0), started(0)])?, "the cap is reached");
        prop_assert!(!entered(&as_is, &[submit(other), started(0), Event::Finishes { thread: ThreadId(0) }])?, "one is idle");
        prop_assert!(!entered(&|rules| rules.pool_size = 1, &[submit(other), started(0)])?, "all exist that may");
        prop_assert!(!entered(&|rules| rules.runnable_limit = 1, &[submit(other), started(0)])?, "no more may be runnable");
        let none = |rules: &mut Rules| rules.order = Order::Priority;
        prop_assert!(!entered(&none, &[])?, "another order");
    }

    /// Grants that are held back, and turns to them that are told afterwards, come to the same as the plain events told
    /// one by one; and meanwhile no class is above its cap.
    #[test]
    fn turns_told_afterwards_are_finishes_and_submissions(
        steps in prop::collection::vec(
            (0..3_u16, 0..5_usize, 0..8_u32, prop::collection::vec((0..5_usize, 0..3_u16), 0..12)),
            1..60,
        ),
        size in 1..5_u32,
        cap in 1..4_u32,
    ) {
        let queue = queue(cap, Drain::Messages(1));
        let rules = Rules { pool_size: size, classes: vec![REQUESTS, queue, queue], ..Rules::default() };
        let (mut one, mut two): (Dispatch<u32>, Dispatch<u32>) = (Dispatch::new(&rules), Dispatch::new(&rules));
        let (mut busy, mut cap): (Vec<(ThreadId, ClassId)>, u32) = (Vec::new(), cap);
        for (number, (class, pick, kind, turns)) in (0_u32..).zip(steps) {
            let class = ClassId(class);
            let told = match kind {
                0 => {
                    cap = 1 + number % 4;
                    Event::SetCap { class: ClassId(1), cap }
                }
                1 => Event::SetPoolSize { size: 1 + number % 5 },
                2..=4 if !busy.is_empty() => Event::Finishes { thread: busy.remove(pick % busy.len()).0 },
                _ => Event::Submit { class, job: number },
            };
            let mut todo: std::collections::VecDeque<Event<u32>> = [told].into();
            while let Some(event) = todo.pop_front() {
                let (mut of_one, mut of_two) = (Vec::new(), Vec::new());
                one.apply(event, &mut of_one);
                two.apply(event, &mut of_two);
                prop_assert_eq!(&of_one, &of_two, "the two go apart after a turn");
                for decision in of_one {
                    match decision {
                        Decision::Start { thread, class, .. } => busy.push((thread, class)),
                        Decision::Create { thread } => todo.push_back(Event::ThreadStarted { thread }),
                        _ => {}
                    }
                }
            }
            // After a limit was lowered a thread may have to leave its class, or end.
            let (counts, granted) = (two.counts(), two.class_counts(ClassId(1)).granted);
            let limits = counts.live_threads <= counts.goal_threads && granted <= cap;
            if one.waiting_items() == 0 && limits && !busy.is_empty() {
                turn_all(&mut one, &mut two, &mut busy, &turns)?;
            }
            prop_assert_eq!(one.counts(), two.counts());
            for class in 0..3 {
                prop_assert_eq!(one.class_counts(ClassId(class)), two.class_counts(ClassId(class)));
            }
        }
        prop_assert_eq!(one.laws(), two.laws());
    }

    /// Whatever happens, every item is started, given back or still waiting, exactly once; first in, first out inside
    /// a class; refused only where there is no room, and waiting only where there is; every public count is that of a
    /// plain list; no law is broken; and (inside `apply`, in debug builds) no idle thread beside a packet that it may
    /// take.
    #[test]
    fn nothing_is_lost_and_classes_stay_in_order(
        steps in prop::collection::vec(step(), 1..300),
        limit in 1..5_u32,
        turn in 0..4_u32,
        order in 0..Order::ALL.len(),
        starting_limit in 1..4_u32,
        rooms in (prop_oneof![Just(usize::MAX), 0..4_usize], prop_oneof![Just(None), (0..6_usize).prop_map(Some)]),
    ) {
        let drain = if turn == 0 { Drain::UntilEmpty } else { Drain::Messages(turn) };
        let rules = Rules {
            pool_size: 4,
            runnable_limit: limit,
            classes: [REQUESTS, queue(2, drain), queue(3, Drain::UntilEmpty)]
                .map(|rule| ClassRule { max_waiting: rooms.0, ..rule })
                .to_vec(),
            order: Order::ALL[order],
            starting_limit,
            waiting_room: rooms.1,
        };
        let mut dispatch: Dispatch<u32> = Dispatch::new(&rules);
        let (mut starting, mut busy, mut idle) = (Vec::new(), Vec::<(ThreadId, bool)>::new(), Vec::new());
        let (mut tickets, mut begun, mut left) = (Vec::new(), Vec::new(), 0_u32);
        let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); 3];
        let mut out = Vec::new();
        for step in steps {
            let pick = |n: usize, of: usize| (of > 0).then(|| n % of);
            let event = match step {
                Step::Submit(class) => Event::Submit { class: ClassId(class), job: tickets.len() as u32 },
                Step::Start | Step::Refuse => match (starting.pop(), step) {
                    (Some(thread), Step::Start) => Event::ThreadStarted { thread },
                    (Some(thread), _) => Event::ThreadRefused { thread },
                    (None, _) => continue,
                },
                Step::Finish(n) => {
                    let runnable: Vec<usize> = (0..busy.len()).filter(|at| !busy[*at].1).collect();
                    let Some(n) = pick(n, runnable.len()) else { continue };
                    Event::Finishes { thread: busy.remove(runnable[n]).0 }
                }
                Step::Block(n) | Step::Wake(n) => {
                    let blocks = matches!(step, Step::Block(_));
                    let of: Vec<usize> = (0..busy.len()).filter(|at| busy[*at].1 != blocks).collect();
                    let Some(n) = pick(n, of.len()) else { continue };
                    busy[of[n]].1 = blocks;
                    let thread = busy[of[n]].0;
                    if blocks { Event::Blocks { thread } } else { Event::Wakes { thread } }
                }
                Step::GiveUp(n) => {
                    let Some(n) = pick(n, tickets.len()) else { continue };
                    Event::GiveUp { ticket: tickets[n] }
                }
                Step::SetCap(class, cap) => Event::SetCap { class: ClassId(class), cap },
                Step::SetSize(size) => Event::SetPoolSize { size },
                Step::SetLimit(limit) => Event::SetRunnableLimit { limit },
                Step::Idle(n) => {
                    let Some(n) = pick(n, idle.len()) else { continue };
                    Event::IdleTooLong { thread: idle[n] }
                }
            };
            let all: usize = waiting.iter().map(Vec::len).sum();
            let full = |class: usize, waiting: &[Vec<u32>]| {
                waiting[class].len() >= rooms.0 || rooms.1.is_some_and(|room| all >= room)
            };
            let full: Vec<bool> = (0..3).map(|class| full(class, &waiting)).collect();
            let mut taken = None;
            out.clear();
            dispatch.apply(event, &mut out);
            let goal = dispatch.counts().goal_threads as usize;
            for decision in out.drain(..) {
                match decision {
                    Decision::Queued { ticket } => {
                        taken = Some(ticket);
                        waiting[ticket.class().index()].push(tickets.len() as u32);
                        tickets.push(ticket);
                    }
                    Decision::Refused { .. } => {
                        let Event::Submit { class, .. } = event else { panic!("{event:?} is refused") };
                        prop_assert!(full[class.index()], "refused although there is room");
                    }
                    Decision::Start { thread, class, job, .. } => {
                        idle.retain(|t| *t != thread);
                        busy.push((thread, false));
                        prop_assert_eq!(waiting[class.index()].remove(0), job, "first in, first out inside a class");
                        begun.push((class, job));
                    }
                    Decision::Left { job } => {
                        waiting.iter_mut().for_each(|class| class.retain(|other| *other != job));
                        left += 1;
                    }
                    Decision::Create { thread } => {
                        starting.push(thread);
                        prop_assert!(busy.len() + idle.len() + starting.len() <= goal, "{} threads may exist", goal);
                    }
                    Decision::Idle { thread } => idle.push(thread),
                    Decision::Retire { thread } => idle.retain(|t| *t != thread),
                }
            }
            prop_assert!(starting.len() <= starting_limit as usize, "too many threads in creation");
            if let Some(ticket) = taken.filter(|ticket| starting.is_empty() && dispatch.waits(*ticket)) {
                prop_assert!(!full[ticket.class().index()], "waits although there is no room");
            }
            let counts = dispatch.counts();
            prop_assert_eq!(counts.busy_threads as usize, busy.len());
            prop_assert_eq!(counts.runnable_threads as usize, busy.iter().filter(|(_, waits)| !waits).count());
            prop_assert_eq!(counts.idle_threads as usize, idle.len());
            prop_assert_eq!(counts.live_threads as usize, busy.len() + idle.len());
            prop_assert_eq!(counts.starting_threads as usize, starting.len());
            let packets = |class: usize| match rules.classes[class].kind {
                Kind::Requests => waiting[class].len(),
                Kind::WorkQueue { .. } => dispatch.class_counts(ClassId(class as u16)).requested as usize,
            };
            let packets = if rules.order == Order::Port { (0..3).map(packets).sum() } else { 0 };
            prop_assert_eq!(counts.packets, packets, "one for each request that waits and each thread request");
            prop_assert_eq!(dispatch.longest_idle(), idle.first().copied());
            prop_assert_eq!(dispatch.laws(), Laws::default());
        }
        let mut seen: Vec<u32> = begun.iter().map(|(_, job)| *job).collect();
        for class in 0..3 {
            let of_class: Vec<u32> =
                begun.iter().filter(|(c, _)| *c == ClassId(class)).map(|(_, job)| *job).collect();
            prop_assert!(of_class.is_sorted(), "class {} out of order: {:?}", class, of_class);
        }
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), begun.len(), "an item was started twice");
        prop_assert_eq!(begun.len() + left as usize + waiting.concat().len(), tickets.len());
        for (at, class) in waiting.iter().enumerate() {
            let id = ClassId(at as u16);
            prop_assert_eq!(dispatch.class_counts(id).waiting, class.len());
            prop_assert_eq!(dispatch.oldest(id), class.first());
        }
        let listed: Vec<(ClassId, u32)> = dispatch.waiting().map(|(class, job)| (class, *job)).collect();
        let of_class = |at: usize| waiting[at].iter().map(move |job| (ClassId(at as u16), *job));
        let mut model: Vec<(ClassId, u32)> = (0..3).flat_map(of_class).collect();
        prop_assert_eq!(&listed, &model, "class by class, the oldest first");
        for (job, ticket) in (0..).zip(&tickets) {
            prop_assert_eq!(dispatch.waits(*ticket), waiting.concat().contains(&job), "job {}", job);
        }
        model.sort_unstable_by_key(|(_, job)| *job);
        prop_assert_eq!(dispatch.withdraw_all(), model, "in the order of submission");
        prop_assert_eq!(dispatch.waiting().count(), 0);
    }
}
