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
use atqsim::pool::{AtqPool, Builder, Calls, Ceiling, Class, Ended, JoinError, Plant, SpawnError, passes, plant};
use loom::sync::{Condvar, Mutex};
use loom::thread;

const A: ClassId = ClassId(0);
const B: ClassId = ClassId(1);
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
    let (orders, begin, passes_before) = (Arc::new(AtomicU64::new(0)), Instant::now(), passes());
    let count = Arc::clone(&orders);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        run(calls);
    });
    let (orders, took) = (orders.load(Ordering::Relaxed), begin.elapsed());
    let end = if took >= most { "NOT ALL of them" } else { "all of them" };
    let (bound, passes) = (setting("BOUND", 2), passes() - passes_before);
    let took = took.as_secs_f64();
    println!("loom, {what}, {calls:?}: {orders} orders, {end} with {bound} preemptions, {passes} passes, {took:.1} s");
    assert!(passes > 0 || !what.starts_with("pass_"), "nothing was ever begun under a licence");
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
    submit_while_another_submits: Throttled Eager;
    submit_beside_a_lone_closure: Throttled;
    submit_while_the_last_of_two_threads_sits_down: Throttled Eager;
    submit_while_the_last_thread_is_on_its_way: Throttled Eager;
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
    pass_while_the_ceiling_is_lowered: Throttled;
    pass_while_the_ceiling_is_raised: Throttled;
    pass_while_another_passes_with_one_room_left: Throttled;
    pass_while_the_guard_ticks: Throttled;
    pass_until_stuck_beside_the_guard: Throttled;
    pass_while_the_pool_stops: Throttled;
    pass_while_the_pool_shuts_down: Throttled;
    pass_while_a_closure_is_withdrawn: Throttled;
    pass_while_a_snapshot_is_taken: Throttled;
    pass_while_a_thread_steps_aside: Throttled;
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

/// Opened once, for whoever waits.
#[derive(Clone)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn new() -> Gate {
        Gate(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let mut is_open = self.0.0.lock().unwrap();
        while !*is_open {
            is_open = self.0.1.wait(is_open).unwrap();
        }
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

/// Both may find that nobody watches, or one of them that the other is about to see to it.
fn submit_while_another_submits(calls: Calls) {
    let pool = Arc::new(pool(calls, 1, Ceiling::None, |b| b));
    let other = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || pool.submit(A, || 2).unwrap().join().unwrap())
    };
    assert_eq!(pool.submit(A, || 1).unwrap().join().unwrap(), 1);
    assert_eq!(other.join().unwrap(), 2);
    ends_clean(&pool);
}

/// A thread sits and is called for the second closure; the third comes before that thread, or after.
fn submit_beside_a_lone_closure(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::Threads(2), |b| b);
    assert_eq!(pool.submit(A, || 1).unwrap().join().unwrap(), 1);
    let (second, third) = (pool.submit(A, || 2).unwrap(), pool.submit(A, || 3).unwrap());
    assert_eq!((second.join().unwrap(), third.join().unwrap()), (2, 3));
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

/// One thread is held and the other is called: what comes meanwhile lies in the inbox, for nobody but that one.
fn submit_while_the_last_thread_is_on_its_way(calls: Calls) {
    let pool = pool(calls, 2, Ceiling::None, |b| b.class("b", Ceiling::None));
    let held = hold(&pool);
    let (first, second) = (pool.submit(A, || 1).unwrap(), pool.submit(A, || 2).unwrap());
    assert_eq!((first.join().unwrap(), second.join().unwrap()), (1, 2));
    assert_eq!(pool.submit(A, || 3).unwrap().join().unwrap(), 3);
    held.open();
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
    let (came, first) = (Gate::new(), pool.submit(A, || 1).unwrap());
    let waits = came.clone();
    let second = pool.submit(A, move || waits.wait());
    let third = pool.submit(ClassId(1), move || came.open());
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

/// Closures that are waited for all together: a handle each would be a lock each, and so many more orders. While one of
/// class A runs, the others may get on.
struct Crew {
    left: AtomicU32,
    all_ended: Gate,
    a: Arc<Gauge>,
    others: AtomicU32,
}

impl Crew {
    fn of(closures: u32) -> Arc<Crew> {
        let (all_ended, a, others) = (Gate::new(), Arc::default(), AtomicU32::new(0));
        Arc::new(Crew { left: AtomicU32::new(closures), all_ended, a, others })
    }

    fn closure(self: &Arc<Crew>, class: ClassId) -> Box<dyn FnOnce() + Send> {
        let crew = Arc::clone(self);
        Box::new(move || {
            if class == A {
                crew.a.closure()();
            } else {
                crew.others.fetch_add(1, Ordering::Relaxed);
            }
            crew.one_less();
        })
    }

    fn one_less(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all_ended.open();
        }
    }

    /// Hands over closures of these classes.
    fn spawn(self: &Arc<Crew>, pool: &AtqPool, classes: &[ClassId]) {
        for class in classes {
            pool.spawn(*class, self.closure(*class)).unwrap();
        }
    }

    fn began(&self) -> u32 {
        self.a.began() + self.others.load(Ordering::Relaxed)
    }
}

/// Has a closure of class B begun, which ends when the gate is opened. What comes before the steps that a model is about
/// need not be gone through in every order.
fn hold(pool: &AtqPool) -> Gate {
    let (began, goes) = (Gate::new(), Gate::new());
    let (begins, waits) = (began.clone(), goes.clone());
    let closure = move || {
        begins.open();
        waits.wait();
    };
    pool.spawn(B, closure).unwrap();
    began.wait();
    goes
}

/// A pool whose two threads are both held: whoever is let go gets a licence with its next closure. Class A has this
/// ceiling, class B none.
fn two_held(calls: Calls, ceiling: Ceiling, more: impl FnOnce(Builder) -> Builder) -> (AtqPool, [Gate; 2]) {
    let pool = pool(calls, 2, ceiling, |b| more(b.class("b", Ceiling::None).processors(2)));
    let held = [(); 2].map(|()| hold(&pool));
    (pool, held)
}

/// A pool whose only thread is held.
fn one_held(calls: Calls) -> (AtqPool, Gate) {
    let pool = pool(calls, 1, Ceiling::Threads(1), |b| b.class("b", Ceiling::None));
    let held = hold(&pool);
    (pool, held)
}

fn pass_while_the_ceiling_is_lowered(calls: Calls) {
    let (pool, [one, two]) = two_held(calls, Ceiling::Threads(2), |b| b);
    let (before, after) = (Crew::of(2), Crew::of(2));
    before.spawn(&pool, &[B, A]);
    one.open();
    pool.set_ceiling(A, Ceiling::Threads(1)).unwrap();
    after.spawn(&pool, &[A, A]);
    two.open();
    after.all_ended.wait();
    before.all_ended.wait();
    assert_eq!((after.began(), after.a.most()), (2, 1), "submitted after the ceiling was lowered");
    ends_clean(&pool);
}

fn pass_while_the_ceiling_is_raised(calls: Calls) {
    let (pool, [one, two]) = two_held(calls, Ceiling::Threads(1), |b| b);
    let crew = Crew::of(3);
    crew.spawn(&pool, &[B, A, A]);
    one.open();
    pool.set_ceiling(A, Ceiling::Threads(2)).unwrap();
    two.open();
    crew.all_ended.wait();
    assert!(crew.began() == 3 && crew.a.most() <= 2);
    ends_clean(&pool);
}

/// One grant of the class is held back, for either of two threads.
fn pass_while_another_passes_with_one_room_left(calls: Calls) {
    let (pool, [one, two]) = two_held(calls, Ceiling::Threads(1), |b| b);
    let crew = Crew::of(4);
    crew.spawn(&pool, &[B, B, A, A]);
    one.open();
    two.open();
    crew.all_ended.wait();
    assert_eq!((crew.began(), crew.a.most()), (4, 1));
    ends_clean(&pool);
}

/// As no time passes, the first thread is in the way when it asks after enough closures, and stands guard. The second is
/// still at its first. The limit is that of brisk times anyhow, so that no change of it ends a licence.
fn guard_beside_one_held(calls: Calls) -> (AtqPool, Gate) {
    let (pool, [one, two]) = two_held(calls, Ceiling::Threads(1), |b| b.guard(1, TIDE).runnable_limit(2));
    let crew = Crew::of(2);
    crew.spawn(&pool, &[B, B]);
    one.open();
    crew.all_ended.wait();
    (pool, two)
}

/// The second thread passes on until it is stuck, holding the only grant of the class for whose closure it waits: the
/// guard has to end that.
fn pass_until_stuck_beside_the_guard(calls: Calls) {
    let (pool, two) = guard_beside_one_held(calls);
    let (crew, came) = (Crew::of(3), Gate::new());
    let (stuck, waits, comes) = (Arc::clone(&crew), came.clone(), Arc::clone(&crew));
    crew.spawn(&pool, &[B]);
    pool.spawn(B, move || (waits.wait(), stuck.one_less()).1).unwrap();
    pool.spawn(A, move || (came.open(), comes.one_less()).1).unwrap();
    two.open();
    crew.all_ended.wait();
    ends_clean(&pool);
}

/// The guard stands beside a thread that gets on under its licence, and looks at what was begun.
fn pass_while_the_guard_ticks(calls: Calls) {
    let (pool, two) = guard_beside_one_held(calls);
    let crew = Crew::of(3);
    crew.spawn(&pool, &[B, A, A]);
    two.open();
    crew.all_ended.wait();
    assert_eq!((crew.began(), crew.a.most()), (3, 1));
    ends_clean(&pool);
}

/// Both threads are let go: one of them is in the way, and stands guard, while the other passes.
fn pass_while_a_thread_steps_aside(calls: Calls) {
    let (pool, [one, two]) = two_held(calls, Ceiling::Threads(1), |b| b.guard(1, TIDE));
    let crew = Crew::of(4);
    crew.spawn(&pool, &[B, B, A, A]);
    one.open();
    two.open();
    crew.all_ended.wait();
    assert_eq!((crew.began(), crew.a.most()), (4, 1));
    ends_clean(&pool);
}

fn pass_while_it_ends(calls: Calls, end: fn(&AtqPool) -> Ended, all_run: bool) {
    let (pool, held) = one_held(calls);
    let crew = Crew::of(4);
    crew.spawn(&pool, &[B, A, B, A]);
    held.open();
    thread::yield_now();
    let began = crew.began();
    let ended = end(&pool);
    let back = ended.given_back.len() as u32;
    assert!(ended.still_running.is_empty() && (!all_run || back == 0));
    assert_eq!(crew.began() + back, 4, "run or given back, once");
    assert_eq!(pool.snapshot().started, 1 + u64::from(crew.began()));
    // On the only thread all before the last that had begun had ended too.
    let most = crew.began() + 1 - began;
    assert!(ended.ran <= u64::from(most), "{ended} after the end was asked for, but {most} at most did");
    ends_clean(&pool);
}

fn pass_while_the_pool_stops(calls: Calls) {
    pass_while_it_ends(calls, AtqPool::stop, false);
}

fn pass_while_the_pool_shuts_down(calls: Calls) {
    pass_while_it_ends(calls, AtqPool::shutdown, true);
}

/// The closure that may be withdrawn lies between others.
fn pass_while_a_closure_is_withdrawn(calls: Calls) {
    let (pool, held) = one_held(calls);
    let crew = Crew::of(5);
    crew.spawn(&pool, &[B, A]);
    let ticket = pool.spawn(A, crew.closure(A)).unwrap();
    crew.spawn(&pool, &[B, B]);
    held.open();
    thread::yield_now();
    let withdrawn = pool.withdraw(ticket).is_some();
    if withdrawn {
        crew.one_less();
    }
    crew.all_ended.wait();
    assert_eq!(crew.began(), 5 - u32::from(withdrawn));
    ends_clean(&pool);
}

fn pass_while_a_snapshot_is_taken(calls: Calls) {
    let (pool, held) = one_held(calls);
    let crew = Crew::of(4);
    crew.spawn(&pool, &[B, A, B, A]);
    held.open();
    thread::yield_now();
    let began = 1 + u64::from(crew.began());
    let seen = pool.snapshot();
    let running: usize = seen.classes.iter().map(|class| class.running.now).sum();
    let queued: usize = seen.classes.iter().map(|class| class.queued.now).sum();
    assert_eq!((running, queued), (seen.busy.now, seen.queued), "{seen}");
    assert!(seen.started >= began, "{began} had begun, {} are said to have started", seen.started);
    assert!(seen.started as usize + seen.queued == 5 && running <= 1, "{seen}");
    crew.all_ended.wait();
    assert_eq!((pool.snapshot().started, crew.a.most()), (5, 1));
    ends_clean(&pool);
}

/// Each mistake, and a model that must find it.
const PLANTS: [(Plant, &str); 17] = [
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
    (Plant::RevokesInSilence, "pass_while_a_snapshot_is_taken::Throttled"),
    (Plant::GivesRoomFreely, "pass_while_another_passes_with_one_room_left::Throttled"),
    (Plant::KeepsHeldBack, "pass_until_stuck_beside_the_guard::Throttled"),
    (Plant::ArrivesBesideLicences, "pass_until_stuck_beside_the_guard::Throttled"),
    (Plant::ComesBackAlone, "pass_while_a_snapshot_is_taken::Throttled"),
    (Plant::OvertakesTheLone, "submit_beside_a_lone_closure::Throttled"),
    (Plant::ComesUnheard, "submit_while_another_submits::Throttled"),
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
