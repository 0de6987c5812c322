//! Each hand-off of the pool under loom: every order of a few threads, as far as the bound on preemptions lets it.
//!
//! Waiting for a closure goes through its handle, which does not touch the pool: no shutdown helps a wake-up that was
//! lost. A thread that waits for ever is a deadlock, which loom reports. Loom has five threads in all. `BOUND` (default 2)
//! is the number of preemptions, `MOST_SECONDS` ends a model that takes too long, and says so.

#![cfg(feature = "loom")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use atqsim::ids::ClassId;
use atqsim::pool::{AtqPool, Builder, Calls, Ceiling, Class, Ended, JoinError, Plant, SpawnError, plant};
use loom::thread;

const A: ClassId = ClassId(0);
const TIDE: Duration = Duration::from_micros(200);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// Runs a model through its orders for one way of calling threads, and prints how many there were.
fn model(what: &str, calls: Calls, run: fn(Calls)) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(setting("BOUND", 2) as usize);
    builder.max_branches = 20_000;
    let most = Duration::from_secs(setting("MOST_SECONDS", 600));
    builder.max_duration = Some(most);
    let (orders, begin) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let count = Arc::clone(&orders);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        run(calls);
    });
    let (orders, took) = (orders.load(Ordering::Relaxed), begin.elapsed());
    let end = if took >= most { "NOT ALL of them" } else { "all of them" };
    let bound = setting("BOUND", 2);
    println!("loom, {what}, {calls:?}: {orders} orders, {end} with {bound} preemptions, {:.1} s", took.as_secs_f64());
}

/// A model for each way of calling threads.
macro_rules! models {
    ($($name:ident: $($calls:ident)+;)*) => {$(
        mod $name {
            $(#[test]
            #[allow(non_snake_case)]
            fn $calls() {
                super::plant_what_is_asked_for();
                super::model(stringify!($name), super::Calls::$calls, super::$name);
            })+
        }
    )*};
}

models! {
    submit_while_the_only_thread_sits_down: Throttled Eager;
    submit_while_the_last_of_two_threads_sits_down: Throttled Eager;
    submit_while_the_poll_ends: Throttled;
    submit_while_the_poller_is_rung: Throttled;
    submit_while_the_guard_ticks: Throttled;
    submit_while_all_but_the_guard_are_stuck: Throttled;
    submit_while_a_thread_retires: Throttled Eager;
    submit_while_the_pool_stops: Throttled Eager;
    submit_while_the_pool_shuts_down: Throttled Eager;
    finish_while_the_ceiling_is_raised: Throttled Eager;
    start_while_the_ceiling_is_lowered: Throttled Eager;
    submit_while_the_size_is_lowered: Throttled Eager;
    withdraw_while_a_thread_starts: Throttled Eager;
    wait_for_room_while_a_closure_ends: Throttled Eager;
}

/// A pool with one class, or more.
fn pool(calls: Calls, threads: u32, ceiling: Ceiling, more: impl FnOnce(Builder) -> Builder) -> AtqPool {
    let builder = AtqPool::builder().calls(calls).threads(threads).poll(Duration::ZERO).processors(1);
    more(builder.class("a", ceiling)).build().unwrap()
}

/// Counts closures: how often each began, and how many run at once.
#[derive(Default)]
struct Gauge {
    began: AtomicU32,
    now: AtomicU32,
    most: AtomicU32,
}

impl Gauge {
    fn closure(self: &Arc<Gauge>) -> impl FnOnce() + Send + 'static {
        let gauge = Arc::clone(self);
        move || {
            gauge.began.fetch_add(1, Ordering::Relaxed);
            let now = gauge.now.fetch_add(1, Ordering::Relaxed) + 1;
            gauge.most.fetch_max(now, Ordering::Relaxed);
            thread::yield_now();
            gauge.now.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn began(&self) -> u32 {
        self.began.load(Ordering::Relaxed)
    }

    fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }
}

/// The pool ends, with nothing left over.
fn ends_clean(pool: &AtqPool) {
    assert!(pool.stop().is_clean());
    assert!(pool.laws().lines().is_empty());
    assert_eq!(pool.counts().live_threads * u32::from(!is_eager(pool)), 0);
}

fn is_eager(pool: &AtqPool) -> bool {
    pool.rules().starting_limit == u32::MAX
}

fn submit_while_the_only_thread_sits_down(calls: Calls) {
    let pool = pool(calls, 1, Ceiling::None, |b| b);
    let first = pool.submit(A, || 1).unwrap();
    let second = pool.submit(A, || 2).unwrap();
    assert_eq!(first.join().unwrap(), 1);
    assert_eq!(pool.submit(A, || 3).unwrap().join().unwrap(), 3);
    assert_eq!(second.join().unwrap(), 2);
    ends_clean(&pool);
}

fn submit_while_the_last_of_two_threads_sits_down(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::None, |b| b);
    let (first, second) = (pool.submit(A, || 1).unwrap(), pool.submit(A, || 2).unwrap());
    assert_eq!(first.join().unwrap(), 1);
    assert_eq!(pool.submit(A, || 3).unwrap().join().unwrap(), 3);
    assert_eq!(second.join().unwrap(), 2);
    ends_clean(&pool);
}

fn submit_while_the_poll_ends(calls: Calls) {
    let pool = pool(calls, 1, Ceiling::None, |b| b.poll(TIDE));
    for n in [1, 2] {
        assert_eq!(pool.submit(A, move || n).unwrap().join().unwrap(), n);
    }
    ends_clean(&pool);
}

fn submit_while_the_poller_is_rung(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::None, |b| b.poll(TIDE));
    assert_eq!(pool.submit(A, || 1).unwrap().join().unwrap(), 1);
    let second = pool.submit(A, || 2).unwrap();
    // A withdrawal tells the policy of everything: then the poller is rung for.
    let _ = pool.withdraw(pool.spawn(A, || ()).unwrap());
    assert_eq!(second.join().unwrap(), 2);
    ends_clean(&pool);
}

fn submit_while_the_guard_ticks(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::None, |b| b.guard(1, TIDE));
    let handles = [1, 2, 3].map(|n| pool.submit(A, move || n).unwrap());
    for (n, handle) in (1..).zip(handles) {
        assert_eq!(handle.join().unwrap(), n);
    }
    ends_clean(&pool);
}

/// The second closure waits for the third, which the guard has to run. A class with a bound has the policy told at once,
/// so that nothing lies in the inbox for somebody to find.
fn submit_while_all_but_the_guard_are_stuck(calls: Calls) {
    let class = Class::new("bounded").max_waiting(9);
    let pool = pool(calls, 2, Ceiling::None, |b| b.guard(1, TIDE).class_with(class));
    let came = Arc::new((loom::sync::Mutex::new(false), loom::sync::Condvar::new()));
    let first = pool.submit(A, || 1).unwrap();
    let waits = Arc::clone(&came);
    let second = pool.submit(A, move || {
        let mut is_there = waits.0.lock().unwrap();
        while !*is_there {
            is_there = waits.1.wait(is_there).unwrap();
        }
    });
    let third = pool.submit(ClassId(1), move || {
        *came.0.lock().unwrap() = true;
        came.1.notify_all();
    });
    assert_eq!(first.join().unwrap(), 1);
    second.unwrap().join().unwrap();
    third.unwrap().join().unwrap();
    ends_clean(&pool);
}

fn submit_while_a_thread_retires(calls: Calls) {
    let pool = pool(calls, 1, Ceiling::None, |b| b.idle_timeout(Some(TIDE)));
    assert_eq!(pool.submit(A, || 1).unwrap().join().unwrap(), 1);
    assert_eq!(pool.submit(A, || 2).unwrap().join().unwrap(), 2);
    ends_clean(&pool);
}

fn while_it_ends(calls: Calls, end: fn(&AtqPool) -> Ended, all_run: bool) {
    let pool = Arc::new(pool(calls, 1, Ceiling::None, |b| b));
    let gauge = Arc::new(Gauge::default());
    let producer = {
        let (pool, gauge) = (Arc::clone(&pool), Arc::clone(&gauge));
        thread::spawn(move || {
            let mut refused = 0;
            for _ in 0..2 {
                match pool.spawn(A, gauge.closure()) {
                    Err(SpawnError::Stopped(_)) => refused += 1,
                    other => drop(other.unwrap()),
                }
            }
            refused
        })
    };
    let ended = end(&pool);
    let refused = producer.join().unwrap();
    assert!(ended.still_running.is_empty());
    assert!(!all_run || ended.given_back.is_empty());
    assert_eq!(gauge.began() + refused + ended.given_back.len() as u32, 2, "run or given back, once");
    ends_clean(&pool);
}

fn submit_while_the_pool_stops(calls: Calls) {
    while_it_ends(calls, AtqPool::stop, false);
}

fn submit_while_the_pool_shuts_down(calls: Calls) {
    while_it_ends(calls, AtqPool::shutdown, true);
}

fn finish_while_the_ceiling_is_raised(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::Threads(1), |b| b);
    let gauge = Arc::new(Gauge::default());
    let handles = [(); 3].map(|()| pool.submit(A, gauge.closure()).unwrap());
    pool.set_ceiling(A, Ceiling::Threads(2)).unwrap();
    for handle in handles {
        handle.join().unwrap();
    }
    assert_eq!(gauge.began(), 3);
    assert!(gauge.most() <= 2);
    ends_clean(&pool);
}

fn start_while_the_ceiling_is_lowered(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::Threads(2), |b| b);
    let first = pool.submit(A, || 1).unwrap();
    pool.set_ceiling(A, Ceiling::Threads(1)).unwrap();
    let gauge = Arc::new(Gauge::default());
    let handles = [(); 2].map(|()| pool.submit(A, gauge.closure()).unwrap());
    for handle in handles {
        handle.join().unwrap();
    }
    assert_eq!(first.join().unwrap(), 1);
    assert_eq!((gauge.began(), gauge.most()), (2, 1), "submitted after the ceiling was lowered");
    ends_clean(&pool);
}

fn submit_while_the_size_is_lowered(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::None, |b| b);
    let (first, second) = (pool.submit(A, || 1).unwrap(), pool.submit(A, || 2).unwrap());
    pool.set_threads(1);
    assert_eq!(pool.submit(A, || 3).unwrap().join().unwrap(), 3);
    assert_eq!((first.join().unwrap(), second.join().unwrap()), (1, 2));
    ends_clean(&pool);
}

fn withdraw_while_a_thread_starts(calls: Calls) {
    let pool = pool(calls, 1, Ceiling::None, |b| b);
    let first = pool.submit(A, || 1).unwrap();
    let second = pool.submit(A, || 2).unwrap();
    let withdrawn = second.withdraw_from(&pool);
    match second.join() {
        Err(JoinError::NotRun) => assert!(withdrawn),
        other => assert_eq!((other.unwrap(), withdrawn), (2, false)),
    }
    assert_eq!(first.join().unwrap(), 1);
    ends_clean(&pool);
}

fn wait_for_room_while_a_closure_ends(calls: Calls) {
    let only = Class::new("a").ceiling(Ceiling::Threads(1)).max_waiting(1);
    let pool = AtqPool::builder().calls(calls).threads(1).poll(Duration::ZERO).class_with(only).build().unwrap();
    let handles = [1, 2, 3].map(|n| pool.submit(A, move || n).unwrap());
    for (n, handle) in (1..).zip(handles) {
        assert_eq!(handle.join().unwrap(), n);
    }
    ends_clean(&pool);
}

/// Each mistake, and a model that must find it.
const PLANTS: [(Plant, &str); 10] = [
    (Plant::PublishesBlindly, "submit_while_the_only_thread_sits_down::Throttled"),
    (Plant::IsAlwaysOnItsWay, "submit_while_the_only_thread_sits_down::Throttled"),
    (Plant::EndsEarly, "start_while_the_ceiling_is_lowered::Throttled"),
    (Plant::CeilingOff, "start_while_the_ceiling_is_lowered::Throttled"),
    (Plant::PollsOn, "submit_while_the_poll_ends::Throttled"),
    (Plant::RetiresDeaf, "submit_while_a_thread_retires::Throttled"),
    (Plant::LeavesInboxOpen, "submit_while_the_pool_stops::Throttled"),
    (Plant::GuardGoesDeaf, "submit_while_all_but_the_guard_are_stuck::Throttled"),
    (Plant::ForgetsToUnpark, "submit_while_the_only_thread_sits_down::Eager"),
    (Plant::KeepsRoomQuiet, "wait_for_room_while_a_closure_ends::Throttled"),
];

fn plant_what_is_asked_for() {
    if let Ok(name) = std::env::var("PLANT") {
        let found = PLANTS.iter().find(|(plant, _)| format!("{plant:?}") == name);
        plant(found.unwrap_or_else(|| panic!("no plant {name}")).0);
    }
}

/// Each in a process of its own: a deadlock under loom may end it.
#[test]
fn every_planted_mistake_is_found() {
    let mut missed = Vec::new();
    for (plant, test) in PLANTS {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", test, "--nocapture"]).env("PLANT", format!("{plant:?}"));
        let output = child.env("MOST_SECONDS", "60").output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let ran = text.contains("running 1 test");
        let panicked = text.lines().find(|line| line.contains("panicked at")).unwrap_or("").trim();
        let found = ran && !output.status.success();
        println!("loom, {plant:?}: {} by {test} {panicked}", if found { "found" } else { "MISSED" });
        if !found {
            missed.push(plant);
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
