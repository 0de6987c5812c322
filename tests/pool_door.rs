//! What `AtqPool` says and takes at its door: snapshots and their reasons, errors, room, hooks, handles; and that calls
//! that adapt to the load leave no closure without a thread.
//!
//! Not faults (`pool_faults.rs`) and not the model (`pool_model.rs`).

// Under a model checker (`tests/models`) the pool's threads are not real ones.
#![cfg(not(any(loom, shuttle)))]

#[path = "common/board.rs"]
mod board;
#[path = "common/both.rs"]
#[macro_use]
mod both;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::time::Duration;

use atqsim::ids::ClassId;
use atqsim::policy::dispatch::{ClassRule, Rules, Ticket};
use atqsim::policy::drain::Drain;
use atqsim::pool::{
    AtqPool, Builder, Calls, Ceiling, CeilingError, Class, Counted, Ended, Job, JoinError, Panicked, Reason, Snapshot,
    SpawnError, blocking,
};
use board::{Board, Order, in_time, until};

const A: ClassId = ClassId(0);
const B: ClassId = ClassId(1);

both!(
    every_reason_is_given_where_it_is_due,
    snapshots_taken_all_the_time_agree_with_themselves,
    ceilings_in_percent_follow_the_size,
    whoever_waits_for_room_gets_it_or_hears_of_the_stop,
    a_refused_closure_can_be_run_by_whoever_brought_it,
    a_handle_waits_for_a_while_or_takes_its_closure_back,
    hooks_are_called_once_a_thread_and_the_count_follows,
    threads_are_named_and_grow_with_the_work_only,
    waits_do_not_count_however_deep,
    the_runnable_limit_is_raised_while_closures_wait_for_it,
    a_snapshot_says_of_what_waits_that_it_was_submitted,
    the_policy_hears_at_once_of_closures_that_may_be_refused,
    a_thread_stays_with_a_class_as_long_as_its_turn_is,
    whoever_waits_for_room_hears_that_no_thread_can_be_had,
    whoever_waits_for_room_may_find_that_the_thread_has_come_and_gone,
    a_thread_that_ends_may_shut_its_pool_down,
    a_shutdown_waits_for_threads_until_they_have_said_that_they_stop,
    a_stop_waits_for_threads_that_were_told_to_end,
    a_flood_before_closures_that_all_block_takes_nothing_from_the_others,
    every_closure_runs_once_whatever_the_guard_and_the_poller_do,
    when_all_that_work_get_stuck_the_rest_still_find_threads,
);

fn pool(calls: Calls, threads: u32) -> Builder {
    AtqPool::builder()
        .calls(calls)
        .threads(threads)
        .name("door")
        .class("a", Ceiling::Percent(50))
        .class("b", Ceiling::None)
}

/// Why each count of one class, and those of the pool, last changed: queued, running, busy, live, goal.
fn reasons(snapshot: &Snapshot, class: ClassId) -> [Reason; 5] {
    let of = &snapshot.classes[class.index()];
    [of.queued.by, of.running.by, snapshot.busy.by, snapshot.live.by, snapshot.goal.by]
}

fn every_reason_is_given_where_it_is_due(calls: Calls) {
    use Reason::*;
    let board = Arc::new(Board::default());
    let refuses = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&refuses);
    let pool = pool(calls, 2).spawn_threads_with(move |name, stack, body| {
        if asked.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        std::thread::Builder::new().name(name).stack_size(stack).spawn(body)
    });
    let pool = pool.idle_timeout(Some(Duration::from_micros(1))).build().unwrap();
    let now = || pool.snapshot();
    assert_eq!(reasons(&now(), A), [Built; 5]);
    assert!(now().to_string().starts_with("busy 0 (as built), live 0 (as built), goal 2 (as built); a: queued 0"));

    pool.spawn(A, board.closure()).unwrap();
    until("it runs", || board.running().len() == 1);
    assert_eq!(reasons(&now(), A), [Started, Started, Started, GrewOnDemand, Built]);
    assert_eq!(reasons(&now(), B)[..2], [Built, Built]);
    let ticket = pool.spawn(A, board.closure()).unwrap();
    assert_eq!(now().classes[0].queued, Counted { now: 1, by: Submitted });
    assert!(pool.withdraw(ticket).is_some());
    assert_eq!(now().classes[0].queued, Counted { now: 0, by: Withdrawn });

    board.tell(0, Order::Finish);
    until("it has ended", || now().live.now == 0);
    assert_eq!(reasons(&now(), A), [Withdrawn, Finished, Finished, RetiredIdle, Built]);
    pool.spawn(A, board.closure()).unwrap();
    board.tell(2, Order::Panic);
    until("it has panicked", || now().tally.panics == 1);
    assert_eq!(reasons(&now(), A)[..3], [Started, Panicked, Panicked]);

    // Two threads, one of which is too many.
    for _ in 0..2 {
        pool.spawn(B, board.closure()).unwrap();
    }
    until("both run", || board.running().len() == 2);
    pool.set_threads(1);
    assert_eq!(now().goal, Counted { now: 1, by: Resized });
    board.tell(3, Order::Finish);
    until("one has ended", || now().live.now == 1);
    assert_eq!(now().live.by, RetiredSurplus);

    // The second is refused.
    refuses.store(true, Ordering::SeqCst);
    pool.set_threads(2);
    pool.spawn(B, board.closure()).unwrap();
    until("a thread is refused", || now().tally.threads_refused > 0);
    until("it is known", || now().live.now == 1);
    assert_eq!((now().live.by, now().goal), (Refused, Counted { now: 1, by: Refused }));

    drop(pool.stop_within(Duration::ZERO));
    assert_eq!(now().classes[1].queued, Counted { now: 0, by: GivenBack });
    board.let_all_go();
    until("all threads have ended", || now().live.now == 0);
    assert_eq!(now().live.by, Stopped);
    let words = [
        (Built, "as built"),
        (Submitted, "submitted"),
        (Started, "started"),
        (Finished, "finished"),
        (Panicked, "panicked"),
        (Withdrawn, "withdrawn"),
        (GivenBack, "given back"),
        (GrewOnDemand, "grew on demand"),
        (Refused, "refused by the system"),
        (RetiredIdle, "retired after the idle time-out"),
        (RetiredSurplus, "retired as surplus"),
        (Resized, "resized"),
        (Stopped, "stopped"),
    ];
    for (reason, words) in words {
        assert_eq!(reason.to_string(), words);
    }
}

fn snapshots_taken_all_the_time_agree_with_themselves(calls: Calls) {
    const MOST: usize = 6;
    let pool = Arc::new(pool(calls, MOST as u32).idle_timeout(Some(Duration::from_micros(50))).build().unwrap());
    let done = Arc::new(AtomicBool::new(false));
    let (watched, ends) = (Arc::clone(&pool), Arc::clone(&done));
    let watcher = std::thread::spawn(move || {
        let (mut taken, mut started) = (0_u64, 0);
        while !ends.load(Ordering::SeqCst) || taken == 0 {
            let seen = watched.snapshot();
            let running: usize = seen.classes.iter().map(|class| class.running.now).sum();
            let queued: usize = seen.classes.iter().map(|class| class.queued.now).sum();
            assert_eq!((running, queued), (seen.busy.now, seen.queued), "{seen}");
            assert!(seen.busy.now <= seen.live.now && seen.live.now <= MOST && seen.goal.now <= MOST, "{seen}");
            assert!(seen.classes[0].running.now <= MOST / 2, "{seen}");
            assert!(started <= seen.started, "{seen}");
            (taken, started) = (taken + 1, seen.started);
            // About a thousand in a second, and so often that every state has its chance.
            std::thread::park_timeout(Duration::from_micros(if taken % 8 == 0 { 1_000 } else { 0 }));
        }
        taken
    });
    let ran = Arc::new(AtomicU64::new(0));
    for n in 0..20_000_u32 {
        let counts = Arc::clone(&ran);
        pool.spawn(ClassId((n % 2) as u16), move || _ = counts.fetch_add(1, Ordering::SeqCst)).unwrap();
        if n % 500 == 0 {
            // Never above what the watcher allows: percent follows, so that half of six is the most.
            pool.set_threads(2 + n / 500 % 5);
        }
    }
    let other = Arc::clone(&pool);
    assert!(in_time("the pool shuts down", move || other.shutdown()).is_clean());
    done.store(true, Ordering::SeqCst);
    assert!(watcher.join().unwrap() > 0);
    assert_eq!((ran.load(Ordering::SeqCst), pool.snapshot().started), (20_000, 20_000));
}

fn ceilings_in_percent_follow_the_size(calls: Calls) {
    let pool = pool(calls, 10).class("c", Ceiling::Threads(4)).build().unwrap();
    let most = |of: u16| pool.snapshot().classes[usize::from(of)].most_threads;
    assert_eq!((most(0), most(1), most(2)), (Some(5), None, Some(4)));
    pool.set_threads(5);
    assert_eq!((most(0), most(1), most(2)), (Some(2), None, Some(4)), "rounded down");
    pool.set_threads(0);
    assert_eq!((most(0), pool.snapshot().goal.now), (Some(1), 1), "at least one");
    pool.set_threads(8);
    pool.set_ceiling(A, Ceiling::Percent(75)).unwrap();
    pool.set_ceiling(ClassId(2), Ceiling::None).unwrap();
    assert_eq!((most(0), most(2)), (Some(6), Some(u32::MAX)));
    let board = Arc::new(Board::default());
    for _ in 0..10 {
        pool.spawn(A, board.closure()).unwrap();
    }
    until("as many run as may", || pool.snapshot().classes[0].running.now == 6 && board.running().len() == 6);
    // Nothing is taken away; fewer begin.
    pool.set_threads(4);
    assert_eq!((pool.snapshot().classes[0].running.now, most(0)), (6, Some(3)));
    for at in 0..4 {
        board.tell(at, Order::Finish);
    }
    until("the next begins when three are left", || board.running().into_iter().eq(4..7));
    until("it is counted", || pool.snapshot().classes[0].running.now == 3);
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
}

#[test]
fn every_mistake_of_a_description_is_said_at_once() {
    let error = AtqPool::builder()
        .threads(70_000)
        .runnable_limit(0)
        .class("twice", Ceiling::Threads(0))
        .class("twice", Ceiling::Percent(101))
        .class("none", Ceiling::Percent(0))
        .build()
        .unwrap_err();
    let expected = [
        "70000 threads; it must be from 1 to 65535",
        "a runnable limit of 0 threads; it must be at least 1",
        "class `twice` has a ceiling of 0 threads; it must be at least 1",
        "two classes with the name `twice`; give each its own",
        "class `twice` has a ceiling of 101 %; it must be from 1 to 100",
        "class `none` has a ceiling of 0 %; it must be from 1 to 100",
    ];
    assert_eq!(error.mistakes, expected);
    assert!(error.to_string().starts_with("the pool cannot be built: 70000 threads"));
    assert!(AtqPool::builder().threads(65_535).class("a", Ceiling::None).build().is_ok());
    let too_many = AtqPool::builder().threads(65_536).class("a", Ceiling::None).build().unwrap_err();
    assert_eq!(too_many.mistakes, ["65536 threads; it must be from 1 to 65535"]);
    let classes = |most: u32| {
        (0..most).fold(AtqPool::builder(), |builder, at| builder.class(&at.to_string(), Ceiling::None)).build()
    };
    assert!(classes(65_535).is_ok());
    assert_eq!(classes(65_536).unwrap_err().mistakes, ["65536 classes; at most 65535 are possible"]);
    let empty = AtqPool::builder().threads(0).build().unwrap_err();
    assert_eq!(empty.mistakes, ["0 threads; it must be from 1 to 65535", "no class; add one with `class`"]);
}

#[test]
fn as_many_threads_may_be_on_their_way_as_was_said() {
    let on_their_way = |builder: Builder| builder.build().unwrap().rules().starting_limit;
    assert_eq!(on_their_way(pool(Calls::Throttled, 4)), 2);
    assert_eq!(on_their_way(pool(Calls::Throttled, 4).calls_at_once(5)), 5);
    assert_eq!(on_their_way(pool(Calls::Throttled, 4).calls_at_once(0)), 1);
    assert_eq!(on_their_way(pool(Calls::Eager, 4)), u32::MAX);
    let rules = Rules { classes: vec![ClassRule::default()], ..Rules::default() };
    assert_eq!(on_their_way(AtqPool::builder().rules(rules)), 2);
}

#[test]
fn threads_are_created_with_the_name_and_the_stack_that_were_asked_for() {
    for (stack, bytes) in [(None, 256 * 1024), (Some(99_999), 99_999)] {
        let (sends, asked) = std::sync::mpsc::channel();
        let builder = pool(Calls::Throttled, 1).spawn_threads_with(move |name, stack, body| {
            sends.send((name.clone(), stack)).unwrap();
            std::thread::Builder::new().name(name).stack_size(stack).spawn(body)
        });
        let pool = stack.into_iter().fold(builder, Builder::stack_size).build().unwrap();
        assert!(pool.submit(A, || ()).unwrap().join().is_ok());
        assert_eq!(asked.recv(), Ok(("door-0".to_string(), bytes)));
    }
}

#[test]
fn what_is_printed_says_what_it_is() {
    let described = AtqPool::builder().threads(7).class("a", Ceiling::None);
    assert!(format!("{described:?}").starts_with("Builder { threads: 7, classes: [Class { name: \"a\","));
    let pool = pool(Calls::Throttled, 1).build().unwrap();
    assert_eq!(format!("{pool:?}"), "AtqPool { shared: Shared(door) }");
    let handle = pool.submit(A, || ()).unwrap();
    until("it has run", || handle.is_done());
    assert_eq!(format!("{handle:?}"), "Handle { is_done: true, .. }");
    let panicked = Panicked { class: B, payload: Box::new("any") };
    assert_eq!(format!("{panicked:?}"), "Panicked { class: ClassId(1), .. }");
    let ended = |given_back: &[ClassId], still_running: &[ClassId]| Ended {
        given_back: given_back.iter().map(|class| (*class, Box::new(|| ()) as Job)).collect(),
        ran: 3,
        still_running: still_running.iter().map(|class| (*class, "door-0".to_string())).collect(),
    };
    let text = "Ended { given_back: [ClassId(0)], ran: 3, still_running: [(ClassId(1), \"door-0\")] }";
    assert_eq!(format!("{:?}", ended(&[A], &[B])), text);
    let clean = [ended(&[], &[]), ended(&[A], &[]), ended(&[], &[A]), ended(&[A], &[B])].map(|ended| ended.is_clean());
    assert_eq!(clean, [true, false, false, false]);
}

#[test]
fn a_ceiling_that_cannot_be_is_refused_with_the_reason() {
    let pool = pool(Calls::Throttled, 4).build().unwrap();
    let none = pool.set_ceiling(B, Ceiling::Threads(1)).unwrap_err();
    assert_eq!(none, CeilingError::ClassHasNone(B));
    assert_eq!(none.to_string(), "class 1 was built without a ceiling; build it with Ceiling::Percent(100)");
    for (ceiling, text) in [
        (Ceiling::Threads(0), "a ceiling of 0 threads; it must be at least 1"),
        (Ceiling::Percent(0), "a ceiling of 0 %; it must be from 1 to 100"),
        (Ceiling::Percent(101), "a ceiling of 101 %; it must be from 1 to 100"),
    ] {
        assert_eq!(pool.set_ceiling(A, ceiling), Err(CeilingError::NotACeiling(text.to_string())));
    }
    assert_eq!(pool.snapshot().classes[0].ceiling, Ceiling::Percent(50));
    assert_eq!((pool.class("a"), pool.class("b"), pool.class("c")), (Some(A), Some(B), None));
}

/// One thread, and a class in which one closure may wait; one runs and one waits.
fn full(calls: Calls) -> (Arc<AtqPool>, Arc<Board>, Ticket) {
    let class = Class::new("a").ceiling(Ceiling::Threads(1)).max_waiting(1);
    let pool = Arc::new(AtqPool::builder().calls(calls).threads(1).class_with(class).build().unwrap());
    let board = Arc::new(Board::default());
    pool.spawn(A, board.closure()).unwrap();
    until("the first runs", || board.running().len() == 1);
    let ticket = pool.spawn(A, board.closure()).unwrap();
    assert!(matches!(pool.try_spawn(A, || ()), Err(SpawnError::Full(_))));
    (pool, board, ticket)
}

fn whoever_waits_for_room_gets_it_or_hears_of_the_stop(calls: Calls) {
    type Way = fn(&AtqPool, &Board, Ticket) -> bool;
    let ways: [(&str, Way); 5] = [
        ("one ends", |_, board, _| {
            board.tell(0, Order::Finish);
            true
        }),
        ("one is withdrawn", |pool, _, ticket| pool.withdraw(ticket).is_some()),
        ("size and ceiling rise", |pool, _, _| {
            pool.set_threads(2);
            pool.set_ceiling(A, Ceiling::Threads(2)).unwrap();
            true
        }),
        ("the pool stops", |pool, _, _| {
            drop(pool.stop_within(Duration::ZERO));
            false
        }),
        ("the pool shuts down", |pool, _, _| {
            drop(pool.shutdown_within(Duration::ZERO));
            false
        }),
    ];
    for (what, way) in ways {
        let (pool, board, ticket) = full(calls);
        let returned = Arc::new(AtomicBool::new(false));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (pool, third, returned) = (Arc::clone(&pool), board.closure(), Arc::clone(&returned));
                std::thread::spawn(move || {
                    let result = pool.spawn(A, third).map(drop);
                    returned.store(true, Ordering::SeqCst);
                    result
                })
            })
            .collect();
        assert!(!returned.load(Ordering::SeqCst), "there was no room");
        let gets_room = way(&pool, &board, ticket);
        if gets_room {
            until("one gets the room", || returned.load(Ordering::SeqCst));
        }
        board.let_all_go();
        for waiter in waiters {
            match in_time(what, move || waiter.join().unwrap()) {
                Ok(()) => assert!(gets_room, "{what}"),
                Err(error) => assert!(!gets_room && matches!(error, SpawnError::Stopped(_)), "{what}: {error:?}"),
            }
        }
        in_time("the pool shuts down", move || drop(pool.shutdown()));
        assert!(board.fates().iter().all(|fate| matches!(fate, (1, 0) | (0, 1))), "{what}");
    }
    // A thread of the pool itself never waits for room, which may depend on it.
    let class = Class::new("a").ceiling(Ceiling::Threads(1)).max_waiting(1);
    let own = Arc::new(AtqPool::builder().calls(calls).threads(1).class_with(class).build().unwrap());
    let inside = Arc::clone(&own);
    let closure = move || {
        inside.spawn(A, || ()).unwrap();
        let full = inside.spawn(A, || ()).unwrap_err();
        assert_eq!(
            full.to_string(),
            "the class has no room for another waiting closure; wait, or raise its max_waiting"
        );
        matches!(full, SpawnError::Full(_))
    };
    let handle = own.submit(A, closure).unwrap();
    assert!(in_time("a closure that brings others", move || handle.join()).unwrap());
    assert!(own.shutdown().is_clean());
}

fn a_refused_closure_can_be_run_by_whoever_brought_it(calls: Calls) {
    let (pool, board, _) = full(calls);
    let third = pool.try_spawn(A, board.closure()).unwrap_err();
    assert_eq!(format!("{third:?}"), "Full");
    board.tell(2, Order::Finish);
    third.into_job()();
    assert_eq!(board.fates()[2], (1, 0));
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
    let fourth = pool.try_spawn(A, board.closure()).unwrap_err();
    assert_eq!(fourth.to_string(), "the pool was stopped and takes no more work");
    fourth.into_job()();
    assert!(board.fates().iter().all(|fate| *fate == (1, 0)));
    assert!(matches!(pool.submit(A, || ()), Err(SpawnError::Stopped(_))));
}

fn a_handle_waits_for_a_while_or_takes_its_closure_back(calls: Calls) {
    let board = Arc::new(Board::default());
    let pool = pool(calls, 1).build().unwrap();
    let closure = board.closure();
    let handle = pool.submit(A, move || (closure(), 5).1).unwrap();
    until("it runs", || board.running().len() == 1);
    let handle = handle.join_within(Duration::ZERO).unwrap_err();
    assert!(!handle.is_done() && !handle.withdraw_from(&pool), "it runs");
    let waits = pool.submit(B, || 6).unwrap();
    assert!(waits.withdraw_from(&pool) && !waits.withdraw_from(&pool));
    assert!(waits.is_done());
    assert!(matches!(waits.join(), Err(JoinError::NotRun)));
    let job = {
        let waits = pool.submit(B, || 7).unwrap();
        drop(waits);
        pool.spawn(B, || ()).unwrap()
    };
    drop(pool.withdraw(job).unwrap());
    board.tell(0, Order::Finish);
    assert_eq!(handle.join_within(board::HANGS).unwrap().unwrap(), 5);
    assert_eq!(JoinError::NotRun.to_string(), "the closure was never run: it was taken or given back");
    let ended: Ended = pool.shutdown();
    assert!(ended.is_clean());
}

fn hooks_are_called_once_a_thread_and_the_count_follows(calls: Calls) {
    let started = Arc::new(Mutex::new(Vec::new()));
    let stopped = Arc::new(Mutex::new(Vec::new()));
    let counts = Arc::new(Mutex::new(Vec::new()));
    let note = |to: &Arc<Mutex<Vec<String>>>| {
        let to = Arc::clone(to);
        move || to.lock().unwrap().push(std::thread::current().name().unwrap().to_string())
    };
    let gauge = Arc::clone(&counts);
    let pool = pool(calls, 4)
        .on_thread_start(note(&started))
        .on_thread_stop(note(&stopped))
        .on_thread_count(move |counts| gauge.lock().unwrap().push(counts.live_threads))
        .build()
        .unwrap();
    let board = Arc::new(Board::default());
    for _ in 0..4 {
        pool.spawn(B, board.closure()).unwrap();
    }
    until("all run", || board.running().len() == 4);
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
    for names in [&started, &stopped] {
        let mut names = names.lock().unwrap().clone();
        names.sort_unstable();
        assert_eq!(names, ["door-0", "door-1", "door-2", "door-3"]);
    }
    let counts = counts.lock().unwrap();
    assert_eq!((counts.len(), counts.iter().max()), (8, Some(&4)), "{counts:?}");
}

fn threads_are_named_and_grow_with_the_work_only(calls: Calls) {
    let pool = AtqPool::builder().calls(calls).threads(60).class("a", Ceiling::None).build().unwrap();
    let name = |pool: &AtqPool| pool.submit(A, || std::thread::current().name().map(str::to_string)).unwrap();
    for _ in 0..100 {
        assert_eq!(name(&pool).join().unwrap().unwrap(), "atq-0");
        until("the thread is free", || pool.counts().idle_threads == 1);
    }
    assert_eq!(pool.tally().live_threads_max, 1);
    // What waits for each other needs a thread each.
    let all = Arc::new(Barrier::new(5));
    let handles: Vec<_> = (0..5)
        .map(|_| {
            let all = Arc::clone(&all);
            pool.submit(A, move || all.wait()).unwrap()
        })
        .collect();
    for handle in handles {
        in_time("five at once", move || handle.join()).unwrap();
    }
    assert_eq!(pool.tally().live_threads_max, 5);
    assert!(pool.stop().is_clean());
}

fn the_runnable_limit_is_raised_while_closures_wait_for_it(calls: Calls) {
    let pool = pool(calls, 2).runnable_limit(1).build().unwrap();
    let board = Arc::new(Board::default());
    for _ in 0..2 {
        pool.spawn(B, board.closure()).unwrap();
    }
    until("the first runs", || board.running().len() == 1);
    pool.set_runnable_limit(2);
    until("the second runs too", || board.running().len() == 2);
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
}

fn a_snapshot_says_of_what_waits_that_it_was_submitted(calls: Calls) {
    let pool = pool(calls, 1).build().unwrap();
    let board = Arc::new(Board::default());
    pool.spawn(B, board.closure()).unwrap();
    until("it runs", || board.running().len() == 1);
    assert_eq!(pool.snapshot().classes[B.index()].queued, Counted { now: 0, by: Reason::Started });
    pool.spawn(B, board.closure()).unwrap();
    assert_eq!(pool.snapshot().classes[B.index()].queued, Counted { now: 1, by: Reason::Submitted });
    assert_eq!(pool.snapshot().classes[A.index()].queued, Counted { now: 0, by: Reason::Built });
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
}

fn the_policy_hears_at_once_of_closures_that_may_be_refused(calls: Calls) {
    let pool = pool(calls, 1).class_with(Class::new("bounded").max_waiting(9)).build().unwrap();
    let board = Arc::new(Board::default());
    pool.spawn(B, board.closure()).unwrap();
    until("it runs", || board.running().len() == 1);
    pool.spawn(B, board.closure()).unwrap();
    let told = |class| (pool.class_counts(class).waiting, pool.snapshot().classes[class.index()].queued.now);
    assert_eq!(told(B), (usize::from(calls == Calls::Eager), 1), "and of others when somebody comes for them");
    pool.spawn(ClassId(2), board.closure()).unwrap();
    assert_eq!(told(ClassId(2)), (1, 1));
    assert!(pool.take_log().is_none(), "none was asked for");
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
}

fn a_thread_stays_with_a_class_as_long_as_its_turn_is(calls: Calls) {
    for (drain, order) in [(Drain::UntilEmpty, "aaab"), (Drain::Messages(2), "aaba")] {
        let turns = Class::new("a").ceiling(Ceiling::Threads(1)).drain(drain);
        let pool =
            AtqPool::builder().calls(calls).threads(1).class_with(turns).class("b", Ceiling::None).build().unwrap();
        let (board, ran) = (Arc::new(Board::default()), Arc::new(Mutex::new(String::new())));
        pool.spawn(A, board.closure()).unwrap();
        until("the thread is held", || board.running().len() == 1);
        ran.lock().unwrap().push('a');
        for (class, letter) in [(A, 'a'), (B, 'b'), (A, 'a')] {
            let ran = Arc::clone(&ran);
            pool.spawn(class, move || ran.lock().unwrap().push(letter)).unwrap();
        }
        board.let_all_go();
        assert!(pool.shutdown().is_clean());
        assert_eq!(*ran.lock().unwrap(), order, "{drain:?}");
    }
}

/// Two closures wait where the system refuses every thread. Then somebody comes whose class may not wait, while the
/// system creates none, or one and no second.
fn whoever_waits_for_room_hears_that_no_thread_can_be_had(calls: Calls) {
    for has in [0, 1] {
        let own: Arc<OnceLock<Weak<AtqPool>>> = Arc::default();
        let (pool, asked, board) = (Arc::clone(&own), AtomicU32::new(0), Arc::new(Board::default()));
        let waiting = Mutex::new(vec![board.closure(), board.closure()]);
        let may_have = Arc::new(AtomicU32::new(0));
        let left = Arc::clone(&may_have);
        let spawner = move |name, stack, body: Box<dyn FnOnce() + Send>| {
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                // While the first thread is asked for, two more closures come.
                let pool = pool.get().and_then(Weak::upgrade).expect("the test has it");
                for closure in std::mem::take(&mut *waiting.lock().unwrap()) {
                    pool.spawn(B, closure).unwrap();
                }
            }
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return std::thread::Builder::new().name(name).stack_size(stack).spawn(body);
            }
            Err(io::Error::from(io::ErrorKind::WouldBlock))
        };
        let builder = AtqPool::builder().calls(calls).threads(2).class_with(Class::new("a").max_waiting(0));
        let pool = builder.class("b", Ceiling::None).spawn_threads_with(spawner).build().unwrap();
        let pool = Arc::new(pool);
        own.set(Arc::downgrade(&pool)).unwrap();
        board.let_all_go();
        assert!(matches!(pool.spawn(B, board.closure()), Err(SpawnError::NoThreads(_))));
        may_have.store(has, Ordering::SeqCst);
        let (other, last) = (Arc::clone(&pool), board.closure());
        let outcome = in_time("somebody who waits for room", move || other.spawn(A, last));
        match has {
            0 => assert!(matches!(outcome, Err(SpawnError::NoThreads(_))), "{outcome:?}"),
            _ => assert!(outcome.is_ok(), "one thread is enough: {outcome:?}"),
        }
        drop(outcome);
        let ended = pool.shutdown();
        assert_eq!((ended.given_back.len(), ended.still_running.len()), (2 - 2 * has as usize, 0));
    }
}

fn whoever_waits_for_room_may_find_that_the_thread_has_come_and_gone(calls: Calls) {
    let own: Arc<OnceLock<Weak<AtqPool>>> = Arc::default();
    let (pool, asked, board) = (Arc::clone(&own), AtomicU32::new(0), Arc::new(Board::default()));
    let ((ends, ended), waiting) = (std::sync::mpsc::channel(), Mutex::new(Some(board.closure())));
    let ended = Mutex::new(ended);
    let spawner = move |name, stack, body: Box<dyn FnOnce() + Send>| {
        let before = asked.fetch_add(1, Ordering::SeqCst);
        if before == 0 {
            let pool = pool.get().and_then(Weak::upgrade).expect("the test has it");
            pool.spawn(B, waiting.lock().unwrap().take().unwrap()).unwrap();
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let thread = std::thread::Builder::new().name(name).stack_size(stack).spawn(body)?;
        if before == 1 {
            // Before whoever asked for it hears of it, it has run what waited, and has ended.
            ended.lock().unwrap().recv_timeout(board::HANGS).expect("it ends");
        }
        Ok(thread)
    };
    let builder = AtqPool::builder().calls(calls).threads(1).class_with(Class::new("a").max_waiting(0));
    // With a bound, so that the policy is told at once and nothing lies in the inbox for whoever is told of the refusal.
    let builder = builder.class_with(Class::new("b").max_waiting(9)).idle_timeout(Some(Duration::from_micros(1)));
    let says = move || ends.send(()).unwrap_or(());
    let builder = builder.on_thread_stop(says).spawn_threads_with(spawner);
    let pool = Arc::new(builder.build().unwrap());
    own.set(Arc::downgrade(&pool)).unwrap();
    board.let_all_go();
    assert!(matches!(pool.spawn(B, board.closure()), Err(SpawnError::NoThreads(_))));
    let (other, last) = (Arc::clone(&pool), board.closure());
    in_time("somebody who waits for room", move || other.spawn(A, last)).unwrap();
    assert!(pool.shutdown().is_clean());
}

fn a_thread_that_ends_may_shut_its_pool_down(calls: Calls) {
    let own: Arc<OnceLock<Weak<AtqPool>>> = Arc::default();
    let ((send, receive), pool) = (std::sync::mpsc::channel(), Arc::clone(&own));
    let hook = move || {
        let pool = pool.get().and_then(Weak::upgrade).expect("the test has it");
        let _ = send.send(pool.shutdown().is_clean());
    };
    let builder = self::pool(calls, 1).idle_timeout(Some(Duration::from_micros(1)));
    let pool = Arc::new(builder.on_thread_stop(hook).build().unwrap());
    own.set(Arc::downgrade(&pool)).unwrap();
    pool.submit(A, || ()).unwrap().join().unwrap();
    assert_eq!(receive.recv_timeout(board::HANGS), Ok(true), "it does not wait for itself");
    assert!(matches!(pool.spawn(A, || ()), Err(SpawnError::Stopped(_))));
}

fn a_shutdown_waits_for_threads_until_they_have_said_that_they_stop(calls: Calls) {
    let stopped = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&stopped);
    let hook = move || {
        (0..1_000).for_each(|_| std::thread::yield_now());
        count.fetch_add(1, Ordering::SeqCst);
    };
    let pool = pool(calls, 4).on_thread_stop(hook).build().unwrap();
    let board = Arc::new(Board::default());
    for _ in 0..4 {
        pool.spawn(B, board.closure()).unwrap();
    }
    until("all run", || board.running().len() == 4);
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
    assert_eq!(stopped.load(Ordering::SeqCst), 4);
}

fn a_stop_waits_for_threads_that_were_told_to_end(calls: Calls) {
    for _ in 0..20 {
        let pool = pool(calls, 8).build().unwrap();
        let board = Arc::new(Board::default());
        for _ in 0..8 {
            pool.spawn(B, board.closure()).unwrap();
        }
        until("all run", || board.running().len() == 8);
        board.let_all_go();
        until("all sit", || pool.snapshot().busy.now == 0);
        // Most of them have not heard of it when the stop comes.
        pool.set_threads(1);
        assert!(pool.stop().is_clean());
        assert_eq!(pool.snapshot().live.now, 0);
    }
}

fn waits_do_not_count_however_deep(calls: Calls) {
    let pool = pool(calls, 3).runnable_limit(1).build().unwrap();
    let board = Arc::new(Board::default());
    let deep = board.closure();
    pool.spawn(B, move || blocking(|| blocking(deep))).unwrap();
    let shallow = board.closure();
    pool.spawn(B, move || blocking(shallow)).unwrap();
    pool.spawn(B, board.closure()).unwrap();
    pool.spawn(B, board.closure()).unwrap();
    until("those that wait and one more run", || board.running().len() == 3);
    assert_eq!(pool.counts().runnable_threads, 1);
    // The one that is runnable ends: the next may begin. Those that wait come back beside it.
    board.tell(2, Order::Finish);
    until("the next runs", || board.running().contains(&3));
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
    assert_eq!(pool.tally().panics, 0);
}

fn a_flood_before_closures_that_all_block_takes_nothing_from_the_others(calls: Calls) {
    for (closures, tick) in [(16, 100), (1, 1), (1, 1_000)] {
        let board = Arc::new(Board::default());
        let pool = pool(calls, 4).guard(closures, Duration::from_micros(tick)).build().unwrap();
        for _ in 0..5_000 {
            pool.spawn(A, || ()).unwrap();
        }
        for _ in 0..10 {
            pool.spawn(A, board.closure()).unwrap();
        }
        let others: Vec<_> = (0..10).map(|n| pool.submit(B, move || n).unwrap()).collect();
        for (n, other) in others.into_iter().enumerate() {
            assert_eq!(in_time("another class's closure", move || other.join()).unwrap(), n);
        }
        until("both that may run do", || board.running().len() == 2);
        board.let_all_go();
        assert!(in_time("the pool shuts down", move || pool.shutdown()).is_clean());
        assert!(board.fates().iter().all(|fate| *fate == (1, 0)));
    }
}

/// Polls, and the guard's closures and ticks, in microseconds: never, always, by default, and for too long.
const HABITS: [(u64, u32, u64); 6] =
    [(0, 1, 1), (0, 16, 100), (200, 16, 100), (200, 1, 1), (20_000, 1, 1), (1, 1, 20_000)];

fn every_closure_runs_once_whatever_the_guard_and_the_poller_do(calls: Calls) {
    for (poll, closures, tick) in HABITS {
        let pool = pool(calls, 8).poll(Duration::from_micros(poll)).guard(closures, Duration::from_micros(tick));
        let pool = Arc::new(pool.idle_timeout(Some(Duration::from_micros(300))).build().unwrap());
        let ran: Arc<Vec<AtomicU32>> = Arc::new((0..6_000).map(|_| AtomicU32::new(0)).collect());
        let producers: Vec<_> = (0..3)
            .map(|producer| {
                let (pool, ran) = (Arc::clone(&pool), Arc::clone(&ran));
                std::thread::spawn(move || {
                    for at in (producer..ran.len()).step_by(3) {
                        let ran = Arc::clone(&ran);
                        let job = move || {
                            ran[at].fetch_add(1, Ordering::SeqCst);
                            if at % 64 == 0 {
                                blocking(std::thread::yield_now);
                            }
                        };
                        pool.spawn(ClassId((at % 2) as u16), job).unwrap();
                        if at % 100 == 0 {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        let ended = in_time("the pool shuts down", move || pool.shutdown());
        assert!(ended.is_clean(), "{ended}");
        assert!(ran.iter().all(|ran| ran.load(Ordering::SeqCst) == 1));
    }
}

fn when_all_that_work_get_stuck_the_rest_still_find_threads(calls: Calls) {
    for (poll, closures, tick) in HABITS {
        // Far more threads than processors: the limit of brisk times must give way.
        let pool = pool(calls, 12).poll(Duration::from_micros(poll)).guard(closures, Duration::from_micros(tick));
        let pool = pool.build().unwrap();
        for _ in 0..3 {
            for _ in 0..1_000 {
                pool.spawn(B, || ()).unwrap();
            }
            // All twelve have to be there before any of them goes on, and what comes between them too.
            let all = Arc::new(Barrier::new(12));
            let handles: Vec<_> = (0..12)
                .map(|_| {
                    pool.spawn(B, || ()).unwrap();
                    let all = Arc::clone(&all);
                    pool.submit(B, move || all.wait()).unwrap()
                })
                .collect();
            for handle in handles {
                in_time("twelve that wait for each other", move || handle.join()).unwrap();
            }
        }
        assert_eq!(pool.tally().live_threads_max, 12);
        assert!(in_time("the pool shuts down", move || pool.shutdown()).is_clean());
    }
}
