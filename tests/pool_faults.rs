//! `AtqPool` when things go wrong: panics in every phase, closures that never return, refused threads, odd orders of drops.
//!
//! Through its public door and on both ways of calling threads. Nothing sleeps to make sure; what hangs is failed by a
//! watchdog.

// Under a model checker (`tests/models`) the pool's threads are not real ones.
#![cfg(not(any(loom, shuttle)))]

#[path = "common/board.rs"]
mod board;
#[path = "common/both.rs"]
#[macro_use]
mod both;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use atqsim::ids::ClassId;
use atqsim::policy::decision_log::replay;
use atqsim::pool::{AtqPool, Builder, Calls, Ceiling, Class, Job, JoinError, Reason, SpawnError, blocking};
use board::{Board, Order, in_time, until, until_closed};

const A: ClassId = ClassId(0);
const B: ClassId = ClassId(1);

both!(
    a_panic_in_any_phase_takes_neither_the_thread_nor_the_grant,
    r09_a_payload_whose_drop_panics_ended_the_process,
    r10_a_hook_that_panicked_badly_took_the_thread_away,
    r11_the_count_of_threads_or_a_reader_of_decisions_that_panicked_took_the_thread_away,
    a_handler_of_panics_may_panic,
    when_every_closure_panics_the_pool_goes_on,
    a_panic_is_handed_to_whoever_waits_with_its_text,
    the_drop_of_an_unread_result_is_the_droppers,
    a_closure_that_never_returns_is_reported_and_left_alone,
    r12_a_second_shutdown_cut_the_first_short,
    r13_two_closures_that_both_stop_their_pool_waited_for_each_other,
    r14_a_shutdown_from_the_only_thread_waited_for_that_thread,
    r15_a_stop_waited_for_a_thread_that_was_refused,
    r16_a_shutdown_waited_for_threads_that_the_system_refuses,
    r17_whoever_waited_for_a_class_that_may_not_wait_was_never_told,
    r18_a_stopped_pool_could_not_be_resized_and_seemed_busy_for_ever,
    r19_threads_that_came_and_went_left_their_seats_behind,
    r20_a_wish_for_a_thread_from_before_a_smaller_size_was_still_granted,
    r21_a_wish_that_nobody_needs_any_more_stood_for_a_thread,
    r23_a_thread_that_was_refused_was_counted_among_those_that_existed,
    a_thread_that_begins_after_the_stop_tells_the_policy_nothing,
    a_thread_that_is_woken_for_nothing_sits_on,
    a_pool_dropped_by_its_own_closure_ends,
    a_closure_that_was_given_back_may_own_the_pool,
    handles_and_tickets_outlive_their_pool,
    pools_nest,
    a_closure_may_wait_for_another_of_its_pool,
);

fn pool(calls: Calls, threads: u32) -> Builder {
    AtqPool::builder()
        .calls(calls)
        .threads(threads)
        .name("faulty")
        .class("a", Ceiling::Percent(100))
        .class("b", Ceiling::None)
}

/// Panics without the message that the standard library prints for one that nobody meant.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("meant"))
}

/// Its drop panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_quietly();
    }
}

/// The pool runs closures of both classes, one after the other, on one thread in all.
#[track_caller]
fn goes_on(pool: &AtqPool) {
    for class in [A, B] {
        let handle = pool.submit(class, || 7).unwrap();
        assert_eq!(in_time("a closure after panics", move || handle.join()).unwrap(), 7);
    }
    assert_eq!(pool.tally().live_threads_max, 1);
}

fn a_panic_in_any_phase_takes_neither_the_thread_nor_the_grant(calls: Calls) {
    let pool = pool(calls, 1).build().unwrap();
    for class in [A, B] {
        // In the closure; in the drop of what it owns; with a payload whose drop panics; while it waits, twice deep.
        pool.spawn(class, || panic_quietly()).unwrap();
        let bomb = Bomb;
        pool.spawn(class, move || drop(bomb)).unwrap();
        let unused = Bomb;
        pool.spawn(class, move || {
            let _owned = &unused;
        })
        .unwrap();
        pool.spawn(class, || resume_unwind(Box::new(Bomb))).unwrap();
        pool.spawn(class, || blocking(|| blocking(|| panic_quietly()))).unwrap();
        // With somebody who waits; and with a result that nobody wants any more.
        let handle = pool.submit(class, || panic_quietly()).unwrap();
        assert!(matches!(handle.join(), Err(JoinError::Panicked(_))));
        let (open, gate) = mpsc::channel::<()>();
        let unread = pool
            .submit(class, move || {
                let _ = gate.recv();
                Bomb
            })
            .unwrap();
        drop(unread);
        drop(open);
    }
    goes_on(&pool);
    assert_eq!(pool.tally().panics, 14);
    assert!(pool.stop().is_clean());
}

fn r09_a_payload_whose_drop_panics_ended_the_process(calls: Calls) {
    let pool = pool(calls, 1).build().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let handle = pool
        .submit(A, move || {
            let _ = gate.recv();
            resume_unwind(Box::new(Bomb));
        })
        .unwrap();
    drop(handle);
    drop(open);
    goes_on(&pool);
    assert_eq!(pool.tally().panics, 1);
}

fn r10_a_hook_that_panicked_badly_took_the_thread_away(calls: Calls) {
    let pool = pool(calls, 1)
        .on_thread_start(|| resume_unwind(Box::new(Bomb)))
        .on_thread_stop(|| resume_unwind(Box::new(Bomb)))
        .build()
        .unwrap();
    goes_on(&pool);
    let pool = in_time("the pool stops", move || {
        assert!(pool.stop().is_clean());
        pool
    });
    assert_eq!(pool.tally().panics, 2);
}

fn r11_the_count_of_threads_or_a_reader_of_decisions_that_panicked_took_the_thread_away(calls: Calls) {
    let lines = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&lines);
    let pool = pool(calls, 1)
        .on_thread_count(|_| panic_quietly())
        .on_decisions(move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
            panic_quietly();
        })
        .build()
        .unwrap();
    goes_on(&pool);
    let pool = in_time("the pool stops", move || {
        assert!(pool.stop().is_clean());
        pool
    });
    // One line an event; the thread's begin and its end.
    assert_eq!(pool.tally().panics, lines.load(Ordering::SeqCst) + 2);
}

fn a_handler_of_panics_may_panic(calls: Calls) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let handler = Arc::clone(&told);
    let pool = pool(calls, 1)
        .on_panic(move |panicked| {
            let text = panicked.payload.downcast_ref::<&str>().copied().unwrap_or("?");
            handler.lock().unwrap().push((panicked.class, text));
            drop(panicked);
            resume_unwind(Box::new(Bomb));
        })
        .build()
        .unwrap();
    pool.spawn(A, || panic_quietly()).unwrap();
    pool.spawn(B, || resume_unwind(Box::new(Bomb))).unwrap();
    // Handed to whoever waits, not to the handler.
    assert!(pool.submit(A, || panic_quietly()).unwrap().join().is_err());
    goes_on(&pool);
    assert_eq!(*told.lock().unwrap(), [(A, "meant"), (B, "?")]);
    assert_eq!(pool.tally().panics, 3);
}

fn when_every_closure_panics_the_pool_goes_on(calls: Calls) {
    let pool = AtqPool::builder().calls(calls).threads(4).class("a", Ceiling::Threads(3)).class("b", Ceiling::None);
    let handled = Arc::new(AtomicU64::new(0));
    let handler = Arc::clone(&handled);
    let pool = pool.on_panic(move |_| _ = handler.fetch_add(1, Ordering::SeqCst)).build().unwrap();
    for n in 0..2_000 {
        pool.spawn(ClassId(n % 2), || panic_quietly()).unwrap();
    }
    let (pool, ended) = in_time("the pool shuts down", move || {
        let ended = pool.shutdown();
        (pool, ended)
    });
    assert!(ended.is_clean(), "{ended}");
    assert_eq!((pool.tally().panics, handled.load(Ordering::SeqCst)), (2_000, 2_000));
    assert_eq!(pool.snapshot().started, 2_000);
}

fn a_panic_is_handed_to_whoever_waits_with_its_text(calls: Calls) {
    let pool = pool(calls, 2).build().unwrap();
    let payloads: [(Job, &str); 3] = [
        (Box::new(|| resume_unwind(Box::new("a text"))), "the closure panicked: a text"),
        (Box::new(|| resume_unwind(Box::new("owned".to_string()))), "the closure panicked: owned"),
        (Box::new(|| resume_unwind(Box::new(7_u32))), "the closure panicked: with something that is no text"),
    ];
    for (work, text) in payloads {
        let error = pool.submit(A, work).unwrap().join().unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(format!("{error:?}"), "Panicked");
    }
    until("they are counted", || pool.tally().panics == 3);
}

fn the_drop_of_an_unread_result_is_the_droppers(calls: Calls) {
    let pool = pool(calls, 1).build().unwrap();
    let handle = pool.submit(A, || Bomb).unwrap();
    // While the closure is on its way out it has a share in the result, too.
    until("the result is there", || handle.is_done() && pool.snapshot().busy.now == 0);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(handle))).is_err(), "the panic is not lost");
    goes_on(&pool);
    assert_eq!(pool.tally().panics, 0);
}

fn a_closure_that_never_returns_is_reported_and_left_alone(calls: Calls) {
    for (graceful, class) in [(true, A), (false, B)] {
        let board = Arc::new(Board::default());
        let pool = pool(calls, 1).build().unwrap();
        pool.spawn(class, board.closure()).unwrap();
        until("it runs", || board.running().len() == 1);
        for waiting in [B, A] {
            pool.spawn(waiting, board.closure()).unwrap();
        }
        let ended = if graceful { pool.shutdown_within(Duration::ZERO) } else { pool.stop_within(Duration::ZERO) };
        assert!(!ended.is_clean());
        assert_eq!(ended.still_running, [(class, "faulty-0".to_string())]);
        assert_eq!(ended.given_back.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [B, A]);
        assert_eq!(ended.to_string(), "0 closures ran to their end, 2 were given back, 1 still run");
        assert_eq!((pool.snapshot().busy.now, pool.snapshot().live.now), (1, 1));
        in_time("the pool is dropped beside the closure that does not return", move || drop((pool, ended)));
        assert_eq!(board.running().len(), 1);
        board.tell(0, Order::Finish);
        until("it returns after all", || board.running().is_empty());
        assert_eq!(board.fates(), [(1, 0), (0, 1), (0, 1)]);
    }
}

fn r12_a_second_shutdown_cut_the_first_short(calls: Calls) {
    // Nobody can know whether the second has begun before the first goes on; so there are many of them.
    (0..20).for_each(|_| shut_down_twice(calls));
}

fn shut_down_twice(calls: Calls) {
    let board = Arc::new(Board::default());
    let pool = Arc::new(pool(calls, 1).build().unwrap());
    for _ in 0..4 {
        pool.spawn(A, board.closure()).unwrap();
    }
    until("the first runs", || board.running().len() == 1);
    let shut_down = || {
        let pool = Arc::clone(&pool);
        std::thread::spawn(move || pool.shutdown())
    };
    let first = shut_down();
    until_closed(&pool);
    // This one must not give back what the first waits for.
    let second = shut_down();
    board.tell(0, Order::Finish);
    until("the second runs", || board.running().contains(&1));
    board.let_all_go();
    for thread in [first, second] {
        assert!(in_time("a shutdown ends", move || thread.join().unwrap()).is_clean());
    }
    assert_eq!(board.fates(), [(1, 0); 4]);
}

fn r13_two_closures_that_both_stop_their_pool_waited_for_each_other(calls: Calls) {
    for graceful in [true, false] {
        let pool = Arc::new(pool(calls, 2).build().unwrap());
        let both = Arc::new(std::sync::Barrier::new(2));
        let handles: Vec<_> = (0..2)
            .map(|_| {
                let (pool_of_it, both) = (Arc::clone(&pool), Arc::clone(&both));
                let work = move || {
                    both.wait();
                    let ended = if graceful { pool_of_it.shutdown() } else { pool_of_it.stop() };
                    ended.given_back.len()
                };
                pool.submit(B, work).unwrap()
            })
            .collect();
        for handle in handles {
            assert_eq!(in_time("a closure stops its pool", move || handle.join()).unwrap(), 0);
        }
        in_time("the pool is dropped", move || drop(pool));
    }
}

fn r14_a_shutdown_from_the_only_thread_waited_for_that_thread(calls: Calls) {
    let board = Arc::new(Board::default());
    let pool = Arc::new(pool(calls, 1).build().unwrap());
    let own = Arc::clone(&pool);
    let (open, gate) = mpsc::channel::<()>();
    let handle = pool
        .submit(B, move || {
            let _ = gate.recv();
            own.shutdown()
        })
        .unwrap();
    for class in [A, B] {
        pool.spawn(class, board.closure()).unwrap();
    }
    drop(open);
    let ended = in_time("a closure shuts its pool down", move || handle.join()).unwrap();
    assert_eq!(ended.given_back.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [A, B]);
    // Who asks still runs.
    assert_eq!(ended.still_running, [(B, "faulty-0".to_string())]);
    drop(ended);
    assert_eq!(board.fates(), [(0, 1), (0, 1)]);
}

/// A pool whose system takes its time over the first thread, and refuses every one. The receiver hears when the first is
/// asked for; it is refused when the sender is dropped.
fn hesitating(calls: Calls) -> (Arc<AtqPool>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (asks, asked) = mpsc::channel();
    let (answers, answer) = mpsc::channel::<()>();
    let first = Mutex::new(Some((asks, answer)));
    let pool = pool(calls, 1).spawn_threads_with(move |_, _, _| {
        if let Some((asks, answer)) = first.lock().unwrap().take() {
            asks.send(()).unwrap();
            let _ = answer.recv();
        }
        Err(io::Error::from(io::ErrorKind::WouldBlock))
    });
    (Arc::new(pool.build().unwrap()), asked, answers)
}

fn r15_a_stop_waited_for_a_thread_that_was_refused(calls: Calls) {
    let board = Arc::new(Board::default());
    let (pool, asked, answers) = hesitating(calls);
    let (other, closure) = (Arc::clone(&pool), board.closure());
    let producer = std::thread::spawn(move || other.spawn(A, closure).map(drop));
    asked.recv().unwrap();
    let other = Arc::clone(&pool);
    let stops = std::thread::spawn(move || other.stop());
    until_closed(&pool);
    drop(answers);
    let ended = in_time("the pool stops", move || stops.join().unwrap());
    assert!(producer.join().unwrap().is_ok(), "the stop gives the closure back, not the one who brought it");
    assert!(!ended.given_back.is_empty() && board.fates() == [(0, 0)]);
    drop(ended);
    assert_eq!(board.fates(), [(0, 1)]);
}

fn r16_a_shutdown_waited_for_threads_that_the_system_refuses(calls: Calls) {
    let (pool, asked, answers) = hesitating(calls);
    let other = Arc::clone(&pool);
    let producer = std::thread::spawn(move || other.spawn(A, || ()).map(drop));
    asked.recv().unwrap();
    // This one waits for the thread that is being created.
    pool.spawn(B, || ()).unwrap();
    drop(answers);
    let error = producer.join().unwrap().unwrap_err();
    assert!(matches!(error, SpawnError::NoThreads(_)));
    assert_eq!(error.to_string(), "the system refuses every thread; raise its limit on threads (ulimit -u)");
    let ended = in_time("the pool shuts down", move || pool.shutdown());
    assert_eq!(ended.given_back.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [B]);
}

fn r17_whoever_waited_for_a_class_that_may_not_wait_was_never_told(calls: Calls) {
    let class = Class::new("a").ceiling(Ceiling::Threads(1)).max_waiting(0);
    let pool = Arc::new(AtqPool::builder().calls(calls).threads(2).class_with(class).build().unwrap());
    for what in ["a closure ends", "the ceiling rises"] {
        let board = Arc::new(Board::default());
        pool.set_ceiling(A, Ceiling::Threads(1)).unwrap();
        pool.spawn(A, board.closure()).unwrap();
        until("it runs", || board.running().len() == 1);
        assert!(matches!(pool.try_spawn(A, || ()), Err(SpawnError::Full(_))));
        let (other, second) = (Arc::clone(&pool), board.closure());
        let waits = std::thread::spawn(move || other.spawn(A, second).map(drop));
        if what == "a closure ends" {
            board.tell(0, Order::Finish);
        } else {
            pool.set_ceiling(A, Ceiling::Threads(2)).unwrap();
        }
        in_time(what, move || waits.join().unwrap()).unwrap();
        until("the second runs", || board.running().contains(&1));
        board.let_all_go();
        until("all is quiet", || pool.snapshot().busy.now == 0);
    }
}

fn r18_a_stopped_pool_could_not_be_resized_and_seemed_busy_for_ever(calls: Calls) {
    let board = Arc::new(Board::default());
    let pool = pool(calls, 4).build().unwrap();
    for _ in 0..4 {
        pool.spawn(A, board.closure()).unwrap();
    }
    until("all run", || board.running().len() == 4);
    // One thread sits, three are stopped at their work.
    board.tell(0, Order::Finish);
    until("one sits", || pool.snapshot().busy.now == 3);
    let _ = pool.stop_within(Duration::ZERO);
    board.tell(1, Order::Panic);
    until("one is done", || pool.snapshot().busy.now == 2);
    assert_eq!(pool.snapshot().classes[0].running.by, Reason::Panicked);
    board.let_all_go();
    until("the threads end", || pool.snapshot().live.now == 0);
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.busy.now, snapshot.classes[0].running.now), (0, 0), "{snapshot}");
    assert_eq!(snapshot.busy.by, Reason::Finished);
    pool.set_threads(1);
    pool.set_ceiling(A, Ceiling::Threads(1)).unwrap();
    assert!(pool.stop().is_clean());
}

fn r19_threads_that_came_and_went_left_their_seats_behind(calls: Calls) {
    let pool = pool(calls, 1).idle_timeout(Some(Duration::from_micros(1))).build().unwrap();
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let name = pool.submit(A, || std::thread::current().name().unwrap().to_string()).unwrap();
        names.insert(name.join().unwrap());
        until("the thread ends", || pool.snapshot().live.now == 0);
    }
    // The next thread may begin before the last has been seen off.
    assert!(names.len() <= 3, "{names:?}");
}

fn r20_a_wish_for_a_thread_from_before_a_smaller_size_was_still_granted(calls: Calls) {
    let board = Arc::new(Board::default());
    let created = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&created);
    // A class with a bound, so that the policy hears of each closure at once.
    let builder =
        AtqPool::builder().calls(calls).threads(2).runnable_limit(1).class_with(Class::new("a").max_waiting(9));
    let pool = builder.spawn_threads_with(move |name, stack, body| {
        counts.fetch_add(1, Ordering::SeqCst);
        std::thread::Builder::new().name(name).stack_size(stack).spawn(body)
    });
    let pool = pool.build().unwrap();
    pool.spawn(A, board.closure()).unwrap();
    until("it runs", || board.running().len() == 1);
    // With throttled calls nobody comes for this one, because of the runnable limit; with eager calls a thread comes and
    // sits.
    pool.spawn(A, board.closure()).unwrap();
    let before = created.load(Ordering::SeqCst);
    pool.set_threads(1);
    board.tell(0, Order::Block);
    until("it waits", || pool.counts().runnable_threads == 0);
    board.tell(0, Order::Wake);
    until("it goes on", || pool.counts().runnable_threads == 1);
    assert_eq!((board.running().into_iter().collect::<Vec<_>>(), created.load(Ordering::SeqCst)), (vec![0], before));
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
    assert_eq!(board.fates(), [(1, 0); 2]);
}

fn r21_a_wish_that_nobody_needs_any_more_stood_for_a_thread(calls: Calls) {
    let board = Arc::new(Board::default());
    let class = |name, waiting| Class::new(name).max_waiting(waiting);
    let builder = AtqPool::builder().calls(calls).threads(2).runnable_limit(1);
    let pool = builder.class_with(class("waits", 9)).class_with(class("does not", 0)).build().unwrap();
    pool.spawn(A, board.closure()).unwrap();
    until("it runs", || board.running().len() == 1);
    // Because of the runnable limit nobody comes for this one, until the first has ended and its thread takes it.
    pool.spawn(A, board.closure()).unwrap();
    board.tell(0, Order::Finish);
    until("the second runs", || board.running().into_iter().eq([1]));
    board.tell(1, Order::Block);
    until("it waits, and nobody is on the way", || {
        let counts = pool.counts();
        (counts.runnable_threads, counts.starting_threads) == (0, 0)
    });
    pool.try_spawn(B, board.closure()).expect("there may be a second thread");
    until("the third runs", || board.running().len() == 2);
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
}

fn r23_a_thread_that_was_refused_was_counted_among_those_that_existed(calls: Calls) {
    let ((begins, waits), (has_begun, begun)) = (mpsc::channel::<()>(), mpsc::channel());
    let (waits, begun, asked) = (Mutex::new(Some(waits)), Mutex::new(begun), AtomicU32::new(0));
    let pool = pool(calls, 2).spawn_threads_with(move |name, stack, body| {
        if asked.fetch_add(1, Ordering::SeqCst) > 0 {
            // The first begins while the second is asked for.
            let _ = begins.send(());
            let _ = begun.lock().unwrap().recv_timeout(board::HANGS);
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let waits = waits.lock().unwrap().take().unwrap();
        std::thread::Builder::new().name(name).stack_size(stack).spawn(move || {
            let _ = waits.recv();
            body();
        })
    });
    let pool = pool.build().unwrap();
    pool.spawn(B, move || has_begun.send(()).unwrap()).unwrap();
    pool.spawn(B, || ()).unwrap();
    assert!(pool.shutdown().is_clean());
    assert_eq!((pool.tally().threads_refused, pool.tally().live_threads_max), (1, 1));
}

fn a_thread_that_begins_after_the_stop_tells_the_policy_nothing(calls: Calls) {
    let (begins, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(Some(waits));
    let pool = pool(calls, 1).log_decisions(100).spawn_threads_with(move |name, stack, body| {
        let waits = waits.lock().unwrap().take().unwrap();
        std::thread::Builder::new().name(name).stack_size(stack).spawn(move || {
            let _ = waits.recv();
            body();
        })
    });
    let pool = pool.build().unwrap();
    pool.spawn(A, || ()).unwrap();
    assert_eq!(pool.stop_within(Duration::ZERO).given_back.len(), 1);
    begins.send(()).unwrap();
    until("the thread has ended", || pool.snapshot().live.now == 0);
    let log = pool.take_log().unwrap();
    assert_eq!(log.lines().len(), 1, "the submission alone");
    replay(pool.rules(), log.lines()).unwrap();
}

fn a_thread_that_is_woken_for_nothing_sits_on(calls: Calls) {
    let begun = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&begun);
    let hook = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let pool = pool(calls, 1).on_thread_start(hook).build().unwrap();
    for _ in 0..100 {
        let thread = pool.submit(A, std::thread::current).unwrap().join().unwrap();
        until("it sits", || pool.counts().idle_threads == 1);
        for _ in 0..10 {
            thread.unpark();
            std::thread::yield_now();
        }
    }
    assert!(pool.shutdown().is_clean());
    assert_eq!(begun.load(Ordering::SeqCst), 1, "another was needed");
}

fn a_pool_dropped_by_its_own_closure_ends(calls: Calls) {
    let stopped = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&stopped);
    let pool = pool(calls, 2).on_thread_stop(move || _ = counts.fetch_add(1, Ordering::SeqCst)).build().unwrap();
    let pool = Arc::new(pool);
    let (open, gate) = mpsc::channel::<()>();
    let own = Arc::clone(&pool);
    let handle = pool
        .submit(A, move || {
            let _ = gate.recv();
            assert_eq!(Arc::strong_count(&own), 1);
            drop(own);
            "after its pool"
        })
        .unwrap();
    drop(pool);
    drop(open);
    assert_eq!(in_time("the closure ends", move || handle.join()).unwrap(), "after its pool");
    until("its thread ends", || stopped.load(Ordering::SeqCst) == 1);
    until("nothing of the pool is left", || Arc::strong_count(&stopped) == 1);
}

fn a_closure_that_was_given_back_may_own_the_pool(calls: Calls) {
    let board = Arc::new(Board::default());
    let pool = Arc::new(pool(calls, 1).build().unwrap());
    pool.spawn(A, board.closure()).unwrap();
    until("it runs", || board.running().len() == 1);
    let own = Arc::clone(&pool);
    pool.spawn(A, move || drop(own)).unwrap();
    let ended = pool.stop_within(Duration::ZERO);
    drop(pool);
    assert_eq!(ended.given_back.len(), 1);
    board.let_all_go();
    in_time("the last owner goes", move || drop(ended));
    until("nothing runs", || board.running().is_empty());
}

fn handles_and_tickets_outlive_their_pool(calls: Calls) {
    let board = Arc::new(Board::default());
    let first = pool(calls, 1).build().unwrap();
    let done = first.submit(A, || 1).unwrap();
    until("it is done", || done.is_done());
    first.spawn(A, board.closure()).unwrap();
    until("it runs", || board.running().len() == 1);
    let ticket = first.spawn(A, board.closure()).unwrap();
    let waits = first.submit(A, || 2).unwrap();
    drop(first.stop_within(Duration::ZERO));
    assert!(first.withdraw(ticket).is_none() && !waits.withdraw_from(&first));
    board.let_all_go();
    drop(first);
    assert_eq!(done.join().unwrap(), 1);
    assert!(matches!(waits.join(), Err(JoinError::NotRun)));
    // A ticket of a pool that is no more means nothing to another that has not come so far.
    let second = AtqPool::builder().calls(calls).class("only", Ceiling::None).build().unwrap();
    assert!(second.withdraw(ticket).is_none());
    assert_eq!(second.submit(A, || 3).unwrap().join().unwrap(), 3);
}

fn pools_nest(calls: Calls) {
    let outer = pool(calls, 1).build().unwrap();
    let inner_ran = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&inner_ran);
    let handle = outer
        .submit(A, move || {
            let inner = pool(calls, 2).name("inner").build().unwrap();
            for class in [A, B] {
                let counts = Arc::clone(&counts);
                inner.spawn(class, move || _ = counts.fetch_add(1, Ordering::SeqCst)).unwrap();
            }
            assert_eq!(inner.submit(B, || 1).unwrap().join().unwrap(), 1);
            inner.shutdown().ran
        })
        .unwrap();
    assert!(in_time("the outer closure ends", move || handle.join()).unwrap() <= 3);
    assert_eq!(inner_ran.load(Ordering::SeqCst), 2);
    assert!(outer.shutdown().is_clean());
}

fn a_closure_may_wait_for_another_of_its_pool(calls: Calls) {
    // One runnable thread of two: whoever waits for another lets it run.
    let pool = Arc::new(pool(calls, 2).runnable_limit(1).build().unwrap());
    let own = Arc::clone(&pool);
    let handle = pool.submit(A, move || own.submit(B, || 21).unwrap().join().unwrap() * 2).unwrap();
    assert_eq!(in_time("both end", move || handle.join()).unwrap(), 42);
    in_time("the pool is dropped", move || drop(pool));
}
