//! `AtqPool` through its public door: nothing lost, ceilings kept, panics and refusals survived, decisions replayed.

// Under a model checker (`tests/models`) the pool's threads are not real ones.
#![cfg(not(any(loom, shuttle)))]

#[path = "common/both.rs"]
#[macro_use]
mod both;

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak, mpsc};
use std::time::Duration;

use atqsim::ids::ClassId;
use atqsim::policy::decision_log::replay;
use atqsim::policy::dispatch::{ClassRule, Kind, Rules};
use atqsim::policy::drain::Drain;
use atqsim::pool::{AtqPool, Calls, Ceiling, Class, SpawnError, blocking};

const A: ClassId = ClassId(0);
const B: ClassId = ClassId(1);

fn rules(pool_size: u32, runnable_limit: u32, caps: &[Option<u32>]) -> Rules {
    let rule = |cap: &Option<u32>| ClassRule {
        kind: cap.map_or(Kind::Requests, |cap| Kind::WorkQueue { cap, drain: Drain::UntilEmpty }),
        ..ClassRule::default()
    };
    Rules { pool_size, runnable_limit, classes: caps.iter().map(rule).collect(), ..Rules::default() }
}

both!(
    a_class_at_its_ceiling_keeps_nobody_out_however_many_wait,
    every_closure_runs_once_ceilings_hold_and_the_log_replays,
    the_work_is_conserved_one_class_cannot_take_what_is_kept_from_it,
    blocked_threads_let_others_run_and_runnable_ones_do_not,
    a_panic_takes_neither_the_thread_nor_the_grant,
    refused_threads_are_counted_and_the_pool_goes_on_with_what_it_has,
    a_pool_without_any_thread_says_so_and_gives_the_closure_back,
    stopping_gives_back_what_waits_in_order_and_takes_nothing_more,
    a_withdrawn_closure_does_not_run_and_a_full_class_gives_back,
    threads_come_on_demand_and_idle_ones_go,
    size_and_ceiling_change_while_it_runs,
    r10_changes_after_a_stop_were_told_to_a_policy_that_was_emptied,
    r11_a_graceful_shutdown_waited_for_ever_where_every_thread_was_refused,
    r22_closures_that_had_ended_before_a_shutdown_were_counted_as_run_by_it,
);

/// Counts how many run at once, and the most there ever were.
#[derive(Default)]
struct Gauge {
    now: AtomicU32,
    most: AtomicU32,
}

impl Gauge {
    fn with<R>(&self, work: impl FnOnce() -> R) -> R {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let result = work();
        self.now.fetch_sub(1, Ordering::SeqCst);
        result
    }

    fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }
}

fn every_closure_runs_once_ceilings_hold_and_the_log_replays(calls: Calls) {
    let rules = rules(8, u32::MAX, &[Some(5), None, Some(1)]);
    let pool = Arc::new(AtqPool::builder().calls(calls).rules(rules.clone()).log_decisions(1_000_000).build().unwrap());
    let gauges: Arc<[Gauge; 3]> = Arc::default();
    let all = Arc::new(Gauge::default());
    let ran = Arc::new(AtomicU64::new(0));
    let (producers, each) = (4, 5_000_u64);
    let threads: Vec<_> = (0..producers)
        .map(|producer| {
            let (pool, gauges, all, ran) = (pool.clone(), gauges.clone(), all.clone(), ran.clone());
            std::thread::spawn(move || {
                for n in 0..each {
                    let class = (n + producer) as usize % 3;
                    let (gauges, all, ran) = (gauges.clone(), all.clone(), ran.clone());
                    let job = move || {
                        all.with(|| gauges[class].with(std::thread::yield_now));
                        ran.fetch_add(1, Ordering::SeqCst);
                    };
                    pool.spawn(ClassId(class as u16), job).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let (send, receive) = mpsc::channel();
    while pool.snapshot().busy.now > 0 || pool.snapshot().queued > 0 {
        std::thread::yield_now();
    }
    pool.spawn(B, move || send.send(()).unwrap()).unwrap();
    receive.recv().unwrap();
    assert!(pool.stop().is_clean());
    assert_eq!(ran.load(Ordering::SeqCst), producers * each);
    assert!(gauges[0].most() <= 5 && gauges[2].most() <= 1 && all.most() <= 8);
    let log = pool.take_log().unwrap();
    assert_eq!(log.dropped(), 0);
    assert!(log.lines().len() as u64 >= 2 * producers * each);
    replay(pool.rules(), log.lines()).unwrap();
}

fn the_work_is_conserved_one_class_cannot_take_what_is_kept_from_it(calls: Calls) {
    // Nine blocked threads of a class with ceiling 9 leave the tenth to the other class, whatever waits.
    let pool = AtqPool::builder().calls(calls).rules(rules(10, u32::MAX, &[Some(9), None])).build().unwrap();
    let gate = Arc::new(Barrier::new(10));
    for _ in 0..50 {
        let gate = Arc::clone(&gate);
        pool.spawn(A, move || {
            gate.wait();
        })
        .unwrap();
    }
    let (send, receive) = mpsc::channel();
    for n in 0..100 {
        let send = send.clone();
        pool.spawn(B, move || send.send(n).unwrap()).unwrap();
    }
    let got: Vec<i32> = (0..100).map(|_| receive.recv().unwrap()).collect();
    assert_eq!(got, (0..100).collect::<Vec<_>>(), "first in, first out on the one thread that is left");
    assert_eq!(pool.class_counts(A).busy_threads, 9);
    // One more thread than the ceiling is needed to open the gate: this thread. Five rounds of nine, then five left.
    for _ in 0..5 {
        gate.wait();
    }
    let given_back = pool.stop_within(Duration::ZERO).given_back;
    assert!(given_back.len() <= 5);
    let left = 50 - 45 - given_back.len();
    for _ in 0..(10 - left) {
        let gate = Arc::clone(&gate);
        std::thread::spawn(move || gate.wait());
    }
    drop(pool);
}

fn blocked_threads_let_others_run_and_runnable_ones_do_not(calls: Calls) {
    let pool = AtqPool::builder().calls(calls).rules(rules(4, 1, &[None])).build().unwrap();
    let (send, receive) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let told = send.clone();
    pool.spawn(A, move || {
        told.send("first begins").unwrap();
        blocking(|| gate.recv().unwrap());
        told.send("first ends").unwrap();
    })
    .unwrap();
    assert_eq!(receive.recv().unwrap(), "first begins");
    // The first thread waits, so it does not count against the limit of one runnable thread.
    pool.spawn(A, move || send.send("second").unwrap()).unwrap();
    assert_eq!(receive.recv().unwrap(), "second");
    open.send(()).unwrap();
    assert_eq!(receive.recv().unwrap(), "first ends");
    assert!(pool.stop().is_clean());
}

fn a_panic_takes_neither_the_thread_nor_the_grant(calls: Calls) {
    let pool = AtqPool::builder().calls(calls).rules(rules(2, u32::MAX, &[Some(1), None])).build().unwrap();
    for n in 0..100 {
        pool.spawn(A, move || {
            if n % 2 == 0 {
                std::panic::resume_unwind(Box::new("meant"));
            }
            blocking(|| std::panic::resume_unwind(Box::new("meant, while blocked")));
        })
        .unwrap();
    }
    let (send, receive) = mpsc::channel();
    pool.spawn(A, move || send.send(()).unwrap()).unwrap();
    receive.recv().unwrap();
    assert!(pool.stop().is_clean());
    assert_eq!(pool.tally().panics, 100);
    assert!(pool.tally().live_threads_max <= 2);
}

/// A builder whose system refuses thread creation number `refused` and all after it, counted from 0.
fn refusing(calls: Calls, refused: u32) -> atqsim::pool::Builder {
    let created = AtomicU32::new(0);
    AtqPool::builder().calls(calls).spawn_threads_with(move |name, stack, body| {
        if created.fetch_add(1, Ordering::SeqCst) >= refused {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        std::thread::Builder::new().name(name).stack_size(stack).spawn(body)
    })
}

fn refused_threads_are_counted_and_the_pool_goes_on_with_what_it_has(calls: Calls) {
    for had in [1, 3, 7] {
        let pool = refusing(calls, had).rules(rules(8, u32::MAX, &[None])).build().unwrap();
        let (send, receive) = mpsc::channel();
        for n in 0..200 {
            let send = send.clone();
            pool.spawn(A, move || {
                std::thread::yield_now();
                send.send(n).unwrap();
            })
            .unwrap();
        }
        drop(send);
        assert_eq!(receive.iter().count(), 200);
        assert!(pool.stop().is_clean());
        let tally = pool.tally();
        assert!(tally.live_threads_max <= had);
        assert_eq!(tally.threads_refused > 0, pool.counts().goal_threads == had);
    }
}

fn a_pool_without_any_thread_says_so_and_gives_the_closure_back(calls: Calls) {
    let pool = refusing(calls, 0).rules(rules(8, u32::MAX, &[None])).build().unwrap();
    let ran = Arc::new(AtomicU32::new(0));
    let job = Arc::clone(&ran);
    let error = pool.spawn(A, move || job.store(1, Ordering::SeqCst)).unwrap_err();
    let SpawnError::NoThreads(job) = error else { panic!("{error:?}") };
    job();
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    assert!(pool.stop().is_clean());
}

fn stopping_gives_back_what_waits_in_order_and_takes_nothing_more(calls: Calls) {
    let pool = AtqPool::builder().calls(calls).rules(rules(1, u32::MAX, &[Some(1), None])).build().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    let begun = send.clone();
    pool.spawn(A, move || {
        begun.send(-1).unwrap();
        gate.recv().unwrap();
    })
    .unwrap();
    assert_eq!(receive.recv().unwrap(), -1);
    for n in 0..6 {
        let send = send.clone();
        pool.spawn(ClassId(n % 2), move || send.send(i32::from(n)).unwrap()).unwrap();
    }
    let given_back = pool.stop_within(Duration::ZERO).given_back;
    assert_eq!(given_back.iter().map(|(class, _)| class.0).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1]);
    assert!(matches!(pool.spawn(A, || {}), Err(SpawnError::Stopped(_))));
    for (_, job) in given_back {
        job();
    }
    open.send(()).unwrap();
    drop((pool, send));
    assert_eq!(receive.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

fn a_withdrawn_closure_does_not_run_and_a_full_class_gives_back(calls: Calls) {
    let only = Class::new("a").ceiling(Ceiling::Percent(100)).drain(Drain::Messages(1)).max_waiting(1);
    let pool = AtqPool::builder().calls(calls).threads(1).class_with(only).build().unwrap();
    let a = pool.class("a").unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    let begun = send.clone();
    pool.spawn(a, move || {
        begun.send(0).unwrap();
        gate.recv().unwrap();
    })
    .unwrap();
    receive.recv().unwrap();
    let second = send.clone();
    let ticket = pool.spawn(a, move || second.send(1).unwrap()).unwrap();
    assert!(matches!(pool.try_spawn(a, || {}), Err(SpawnError::Full(_))));
    assert!(pool.withdraw(ticket).is_some());
    assert!(pool.withdraw(ticket).is_none());
    pool.spawn(a, move || send.send(2).unwrap()).unwrap();
    open.send(()).unwrap();
    assert_eq!(receive.iter().collect::<Vec<_>>(), [2]);
}

fn threads_come_on_demand_and_idle_ones_go(calls: Calls) {
    let pool = AtqPool::builder()
        .calls(calls)
        .rules(rules(6, u32::MAX, &[None]))
        .idle_timeout(Some(Duration::from_millis(1)))
        .build()
        .unwrap();
    assert_eq!(pool.counts().live_threads, 0);
    let gate = Arc::new(Barrier::new(4));
    for _ in 0..3 {
        let gate = Arc::clone(&gate);
        pool.spawn(A, move || {
            gate.wait();
        })
        .unwrap();
    }
    gate.wait();
    assert!(pool.tally().live_threads_max <= 3, "three closures need no more than three threads");
    while pool.counts().live_threads > 0 {
        std::thread::yield_now();
    }
    let (send, receive) = mpsc::channel();
    pool.spawn(A, move || send.send(7).unwrap()).unwrap();
    assert_eq!(receive.recv().unwrap(), 7);
}

fn size_and_ceiling_change_while_it_runs(calls: Calls) {
    let pool = AtqPool::builder().calls(calls).rules(rules(2, u32::MAX, &[Some(1)])).build().unwrap();
    let (send, receive) = mpsc::channel();
    let gate = Arc::new(Barrier::new(5));
    for n in 0..4 {
        let (send, gate) = (send.clone(), Arc::clone(&gate));
        pool.spawn(A, move || {
            send.send(n).unwrap();
            gate.wait();
        })
        .unwrap();
    }
    assert_eq!(receive.recv().unwrap(), 0);
    assert_eq!(pool.class_counts(A).busy_threads, 1);
    pool.set_ceiling(A, Ceiling::Threads(4)).unwrap();
    assert_eq!(receive.recv().unwrap(), 1);
    pool.set_threads(4);
    let mut rest = [receive.recv().unwrap(), receive.recv().unwrap()];
    rest.sort_unstable();
    assert_eq!(rest, [2, 3]);
    gate.wait();
    assert!(pool.stop().is_clean());
}

fn r10_changes_after_a_stop_were_told_to_a_policy_that_was_emptied(calls: Calls) {
    let rules = rules(1, u32::MAX, &[Some(1)]);
    let pool = AtqPool::builder().calls(calls).rules(rules).log_decisions(100).build().unwrap();
    let (open, gate) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    pool.spawn(A, move || {
        send.send(()).unwrap();
        gate.recv().unwrap();
    })
    .unwrap();
    receive.recv().unwrap();
    let ticket = pool.spawn(A, || ()).unwrap();
    assert_eq!(pool.stop_within(Duration::ZERO).given_back.len(), 1);
    assert!(pool.withdraw(ticket).is_none(), "it was given back by the stop");
    pool.set_ceiling(A, Ceiling::Threads(2)).unwrap();
    pool.set_threads(2);
    open.send(()).unwrap();
    replay(pool.rules(), pool.take_log().unwrap().lines()).unwrap();
}

fn r11_a_graceful_shutdown_waited_for_ever_where_every_thread_was_refused(calls: Calls) {
    // The system has threads again after so many refusals; at the shutdown the pool tries once more.
    for (refusals, runs) in [(u32::MAX, 0), (2, 1)] {
        let own: Arc<OnceLock<Weak<AtqPool>>> = Arc::default();
        let (pool, asked) = (Arc::clone(&own), AtomicU32::new(0));
        let spawner = move |name, stack, body: Box<dyn FnOnce() + Send>| {
            let before = asked.fetch_add(1, Ordering::SeqCst);
            if before == 0 {
                // While the thread is asked for, a second closure comes, which asks for none or is refused too.
                pool.get().and_then(Weak::upgrade).unwrap().spawn(A, || ()).unwrap();
            }
            if before < refusals {
                return Err(io::Error::from(io::ErrorKind::WouldBlock));
            }
            std::thread::Builder::new().name(name).stack_size(stack).spawn(body)
        };
        let rules = rules(2, u32::MAX, &[None]);
        let pool = Arc::new(AtqPool::builder().calls(calls).rules(rules).spawn_threads_with(spawner).build().unwrap());
        own.set(Arc::downgrade(&pool)).unwrap();
        assert!(matches!(pool.spawn(A, || ()), Err(SpawnError::NoThreads(_))));
        let ended = pool.shutdown();
        assert_eq!((ended.ran, ended.given_back.len()), (runs, 1 - runs as usize));
    }
}

fn r22_closures_that_had_ended_before_a_shutdown_were_counted_as_run_by_it(calls: Calls) {
    // On the only thread, so that those of the flood are begun one after the other without the pool being told.
    let pool = AtqPool::builder().calls(calls).threads(1).class("a", Ceiling::None).build().unwrap();
    let ((open, gate), (send, receive)) = (mpsc::channel::<()>(), mpsc::channel());
    let ((goes_on, waits), first) = (mpsc::channel::<()>(), send.clone());
    pool.spawn(A, move || (first.send(()).unwrap(), gate.recv().unwrap()).1).unwrap();
    receive.recv().unwrap();
    for _ in 0..100 {
        pool.spawn(A, || ()).unwrap();
    }
    pool.spawn(A, move || (send.send(()).unwrap(), waits.recv().unwrap()).1).unwrap();
    open.send(()).unwrap();
    receive.recv().unwrap();
    let ended = pool.stop_within(Duration::ZERO);
    assert_eq!((ended.ran, ended.still_running.len()), (0, 1));
    goes_on.send(()).unwrap();
}

/// The length of turns of the calling thread in nanoseconds, as the system tells it; 0 where it does not.
#[cfg(target_os = "linux")]
fn own_turns() -> u64 {
    uapi::sched_getattr(0, 0).map_or(0, |own| own.sched_runtime)
}

#[cfg(target_os = "linux")]
#[test]
fn threads_ask_for_short_turns_and_keep_what_they_have_that_is_shorter() {
    let ordinary = own_turns();
    if ordinary == 0 {
        eprintln!("this system has one length of turns for all");
        return;
    }
    assert!(ordinary > 600_000, "no shorter than what is asked for here: {ordinary}");
    let millisecond = Duration::from_millis(1);
    let turns_of = |builder: atqsim::pool::Builder| {
        let (says, said) = mpsc::channel();
        let pool = builder.class("a", Ceiling::None).build().unwrap();
        pool.spawn(A, move || says.send(own_turns()).unwrap()).unwrap();
        said.recv().unwrap()
    };
    for calls in [Calls::Throttled, Calls::Eager] {
        let pool = || AtqPool::builder().calls(calls).threads(1);
        assert_eq!(turns_of(pool()), 500_000, "the default");
        assert_eq!(turns_of(pool().slice(millisecond * 3 / 5)), 600_000);
        assert_eq!(turns_of(pool().slice(Duration::ZERO)), ordinary);
        assert_eq!(turns_of(pool().slice(Duration::MAX)), ordinary, "never longer than they are");
        assert_eq!(turns_of(pool().slice(Duration::from_nanos(1))), 100_000, "the system's least");
        // A hook comes after, and may ask for something else.
        let hook = || {
            let mut own = uapi::sched_getattr(0, 0).unwrap();
            own.sched_runtime = 300_000;
            uapi::sched_setattr(0, &own, 0).unwrap();
        };
        assert_eq!(turns_of(pool().on_thread_start(hook)), 300_000);
    }
    assert_eq!(own_turns(), ordinary, "the caller's own are as they were");
    // Threads get theirs from who creates them; a pool that a pool's closure makes asks for no longer ones.
    let inner = AtqPool::builder().threads(1).slice(millisecond / 5).class("a", Ceiling::None).build().unwrap();
    let inherited = inner.submit(A, move || turns_of(AtqPool::builder().threads(1))).unwrap().join().unwrap();
    assert_eq!(inherited, 200_000);
}

/// Closures of a class with a bound are told to the policy at once, others may lie in the inbox; also where every event is
/// told by itself, for a log.
fn a_class_at_its_ceiling_keeps_nobody_out_however_many_wait(calls: Calls) {
    for is_logged in [false, true] {
        let capped = Class::new("capped").ceiling(Ceiling::Threads(1)).max_waiting(1_000);
        let builder = AtqPool::builder().calls(calls).threads(1).class_with(capped).class("free", Ceiling::None);
        let builder = if is_logged { builder.log_decisions(1_000) } else { builder };
        let pool = builder.build().unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let begun = Arc::new(Mutex::new(Vec::new()));
        let closure = |class: ClassId| {
            let begun = Arc::clone(&begun);
            move || begun.lock().unwrap().push(class)
        };
        pool.spawn(A, move || gate.recv().unwrap()).unwrap();
        for class in [A; 100].into_iter().chain([B; 2]) {
            pool.spawn(class, closure(class)).unwrap();
        }
        open.send(()).unwrap();
        assert!(pool.shutdown().is_clean());
        let begun = begun.lock().unwrap();
        let last = begun.iter().rposition(|class| *class == B);
        assert!(begun.len() == 102 && last < Some(4), "logged: {is_logged}: {begun:?}");
    }
}
