//! `AtqPool` in floods of tiny closures, which its threads take without asking (`src/pool/core/licensed.rs`): nothing lost,
//! ceilings kept, and whoever asks is told what is.
//!
//! What a thread does is set up with closures that hold it until they are let go; then there is only one way on. The
//! floods are checked against what their closures counted themselves.

#![cfg(not(any(loom, shuttle)))]

#[path = "common/board.rs"]
mod board;
#[path = "common/both.rs"]
#[macro_use]
mod both;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use atqsim::ids::ClassId;
use atqsim::policy::dispatch::Ticket;
use atqsim::pool::{AtqPool, Builder, Calls, Ceiling, CeilingError, Handle, Reason, SpawnError, blocking};
use board::{in_time, until};

/// Class `ONE` may take one thread, class `MOST` nine of ten; the others as many as there are.
const ONE: ClassId = ClassId(0);
const MOST: ClassId = ClassId(1);
const FREE: ClassId = ClassId(2);
const OTHER: ClassId = ClassId(3);
const CLASSES: u16 = 7;
const THREADS: u32 = 10;

both!(
    a_flood_of_seven_classes_runs_once_and_below_its_ceilings,
    one_thread_keeps_the_order_of_each_class,
    what_a_thread_began_without_asking_is_known_to_whoever_looks,
    a_closure_behind_a_flood_can_be_withdrawn_and_one_that_was_begun_cannot,
    a_thread_that_is_stuck_keeps_no_grant_from_others,
    a_class_at_its_ceiling_waits_and_what_is_behind_it_does_not,
    a_thread_that_goes_on_to_another_class_leaves_its_grant_to_others,
    sums_agree_while_a_flood_runs,
    ceilings_and_sizes_change_under_a_flood,
    a_stop_gives_back_the_rest_of_a_flood_in_order,
    closures_that_get_stuck_in_a_flood_keep_nobody_waiting,
    panics_and_waits_in_a_flood_take_nothing_away,
    a_pool_may_have_more_classes_than_a_licence_can_name,
);

fn seven(calls: Calls, threads: u32) -> Builder {
    let builder = AtqPool::builder().calls(calls).threads(threads).name("flood");
    let builder = builder.class("one", Ceiling::Threads(1)).class("most", Ceiling::Percent(90));
    (2..CLASSES).fold(builder, |builder, class| builder.class(&format!("free-{class}"), Ceiling::None))
}

/// What the closures of a flood count themselves.
struct Flood {
    /// How often each closure ran.
    ran: Vec<AtomicU32>,
    begun: AtomicU64,
    /// How many of each class run, and the most that did.
    now: [AtomicU32; CLASSES as usize],
    most: [AtomicU32; CLASSES as usize],
}

impl Flood {
    fn of(closures: usize) -> Arc<Flood> {
        let ran = (0..closures).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Flood { ran, begun: AtomicU64::new(0), now: Default::default(), most: Default::default() })
    }

    /// Closure number `at`: its class, and itself. One in 16 gives its processor away while it runs.
    fn closure(self: &Arc<Flood>, at: usize) -> (ClassId, impl FnOnce() + Send + use<>) {
        let (flood, class) = (Arc::clone(self), at % CLASSES as usize);
        let closure = move || {
            flood.begun.fetch_add(1, Ordering::SeqCst);
            let now = flood.now[class].fetch_add(1, Ordering::SeqCst) + 1;
            flood.most[class].fetch_max(now, Ordering::SeqCst);
            flood.ran[at].fetch_add(1, Ordering::SeqCst);
            if at.is_multiple_of(16) {
                std::thread::yield_now();
            }
            flood.now[class].fetch_sub(1, Ordering::SeqCst);
        };
        (ClassId(class as u16), closure)
    }

    fn spawn(self: &Arc<Flood>, pool: &AtqPool, numbers: impl Iterator<Item = usize>) {
        for at in numbers {
            let (class, closure) = self.closure(at);
            pool.spawn(class, closure).unwrap();
        }
    }

    fn most(&self, class: ClassId) -> u32 {
        self.most[class.index()].load(Ordering::SeqCst)
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    fn ran_once(&self) -> bool {
        self.ran.iter().all(|ran| ran.load(Ordering::SeqCst) == 1)
    }
}

/// A closure that holds its thread.
struct Held {
    lets_go: mpsc::Sender<()>,
    begun: mpsc::Receiver<()>,
    handle: Handle<()>,
}

impl Held {
    fn submit(pool: &AtqPool, class: ClassId) -> Held {
        let ((lets_go, goes), (begins, begun)) = (mpsc::channel(), mpsc::channel());
        // A test that fails drops its end: then nobody is held.
        let closure = move || {
            let _ = begins.send(());
            let _ = goes.recv();
        };
        Held { lets_go, begun, handle: pool.submit(class, closure).unwrap() }
    }

    /// Waits until it has begun.
    #[track_caller]
    fn begins(self) -> Held {
        self.begun.recv_timeout(board::HANGS).expect("it begins");
        self
    }

    fn has_begun(&self) -> bool {
        self.begun.try_recv().is_ok()
    }

    #[track_caller]
    fn lets_go(self) {
        self.lets_go.send(()).unwrap();
        in_time("a closure that was let go", move || self.handle.join()).unwrap();
    }
}

/// Tiny closures.
fn tiny(pool: &AtqPool, class: ClassId, closures: usize) -> Vec<Ticket> {
    (0..closures).map(|_| pool.spawn(class, || ()).unwrap()).collect()
}

fn shuts_down_clean(pool: AtqPool) {
    let pool = Arc::new(pool);
    let own = Arc::clone(&pool);
    let ended = in_time("the pool shuts down", move || own.shutdown());
    assert!(ended.is_clean(), "{ended}");
    assert!(pool.laws().lines().is_empty(), "{:?}", pool.laws());
}

fn a_flood_of_seven_classes_runs_once_and_below_its_ceilings(calls: Calls) {
    let pool = Arc::new(seven(calls, THREADS).build().unwrap());
    let (flood, producers) = (Flood::of(30_000), 3);
    let threads: Vec<_> = (0..producers)
        .map(|producer| {
            let (pool, flood) = (Arc::clone(&pool), Arc::clone(&flood));
            std::thread::spawn(move || flood.spawn(&pool, (producer..30_000).step_by(producers)))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    shuts_down_clean(Arc::into_inner(pool).unwrap());
    assert!(flood.ran_once());
    assert!(flood.most(ONE) == 1 && flood.most(MOST) <= 9, "{:?}", flood.most);
}

fn one_thread_keeps_the_order_of_each_class(calls: Calls) {
    let pool = seven(calls, 1).build().unwrap();
    let first = Held::submit(&pool, FREE).begins();
    let order = Arc::new(Mutex::new(vec![Vec::new(); CLASSES as usize]));
    for at in 0..7_000 {
        let (order, class) = (Arc::clone(&order), at % CLASSES as usize);
        pool.spawn(ClassId(class as u16), move || order.lock().unwrap()[class].push(at)).unwrap();
    }
    first.lets_go();
    shuts_down_clean(pool);
    let order = order.lock().unwrap();
    assert!(order.iter().all(|class| class.len() == 1_000 && class.is_sorted()));
}

fn what_a_thread_began_without_asking_is_known_to_whoever_looks(calls: Calls) {
    let pool = seven(calls, 1).build().unwrap();
    let first = Held::submit(&pool, FREE).begins();
    tiny(&pool, FREE, 20);
    tiny(&pool, MOST, 1);
    tiny(&pool, FREE, 9);
    let second = Held::submit(&pool, ONE);
    tiny(&pool, OTHER, 3);
    tiny(&pool, ONE, 4);
    first.lets_go();
    let second = second.begins();
    let seen = pool.snapshot();
    assert_eq!((seen.started, seen.queued, seen.busy.now), (32, 7, 1), "{seen}");
    assert_eq!((seen.busy.by, seen.classes[ONE.index()].running.by), (Reason::Started, Reason::Started));
    let counts = |class: ClassId| (seen.classes[class.index()].queued.now, seen.classes[class.index()].running.now);
    assert_eq!([FREE, ONE, MOST, OTHER].map(counts), [(0, 0), (4, 1), (0, 0), (3, 0)], "{seen}");
    let by = |class: ClassId| (seen.classes[class.index()].queued.by, seen.classes[class.index()].running.by);
    assert_eq!([FREE, MOST].map(by), [(Reason::Started, Reason::Finished); 2], "{seen}");
    assert_eq!(by(ClassId(5)), (Reason::Built, Reason::Built), "nothing of it was ever there");
    let counts = [FREE, ONE, MOST].map(|class| pool.class_counts(class));
    assert_eq!(counts.map(|counts| counts.busy_threads), [0, 1, 0]);
    assert_eq!(counts.map(|counts| counts.granted), [0, 1, 0], "what nobody uses was given back");
    second.lets_go();
    shuts_down_clean(pool);
}

fn a_closure_behind_a_flood_can_be_withdrawn_and_one_that_was_begun_cannot(calls: Calls) {
    let pool = seven(calls, 1).build().unwrap();
    let first = Held::submit(&pool, FREE).begins();
    let begun = tiny(&pool, FREE, 30);
    let second = Held::submit(&pool, OTHER);
    let ran = Arc::new(Mutex::new(Vec::new()));
    let waiting: Vec<Ticket> = (0..30)
        .map(|at| {
            let ran = Arc::clone(&ran);
            pool.spawn(ClassId(at % 4), move || ran.lock().unwrap().push(at)).unwrap()
        })
        .collect();
    first.lets_go();
    let second = second.begins();
    assert!(begun.into_iter().all(|ticket| pool.withdraw(ticket).is_none()));
    for at in [3, 0, 29] {
        pool.withdraw(waiting[at]).expect("it waits")();
        assert!(pool.withdraw(waiting[at]).is_none(), "it was taken back already");
    }
    assert_eq!(std::mem::take(&mut *ran.lock().unwrap()), [3, 0, 29], "the closures that were taken back are those");
    second.lets_go();
    shuts_down_clean(pool);
    let mut ran = ran.lock().unwrap().clone();
    ran.sort_unstable();
    assert_eq!(ran, (0..30).filter(|at| ![3, 0, 29].contains(at)).collect::<Vec<_>>());
}

/// Two threads that are both held; the first then takes `before`, and is held again by a closure of `class`.
fn held_after(pool: &AtqPool, before: &[ClassId], class: ClassId) -> [Held; 2] {
    let [first, second] = [FREE; 2].map(|class| Held::submit(pool, class).begins());
    for class in before {
        tiny(pool, *class, 1);
    }
    let next = Held::submit(pool, class);
    first.lets_go();
    [next.begins(), second]
}

fn a_thread_that_is_stuck_keeps_no_grant_from_others(calls: Calls) {
    for before in [&[OTHER, FREE][..], &[OTHER, ONE, FREE], &[ONE, OTHER, MOST, ONE, FREE]] {
        let pool = seven(calls, 2).build().unwrap();
        let [stuck, second] = held_after(&pool, before, FREE);
        // While all are busy nobody is told of it; the second thread finds it.
        let one = pool.submit(ONE, || 1).unwrap();
        second.lets_go();
        assert_eq!(in_time("a class whose grant was held back", move || one.join()).unwrap(), 1);
        stuck.lets_go();
        shuts_down_clean(pool);
    }
}

fn a_class_at_its_ceiling_waits_and_what_is_behind_it_does_not(calls: Calls) {
    for ahead in [1, 5, 7, 8, 9, 20] {
        let pool = seven(calls, 2).build().unwrap();
        let [at_ceiling, second] = held_after(&pool, &[OTHER, FREE], ONE);
        tiny(&pool, OTHER, 1);
        let waits: Vec<Held> = (0..ahead).map(|_| Held::submit(&pool, ONE)).collect();
        let behind = pool.submit(FREE, || 2).unwrap();
        second.lets_go();
        assert_eq!(in_time("a closure behind a class at its ceiling", move || behind.join()).unwrap(), 2);
        assert!(waits.iter().all(|held| !held.has_begun()), "above the ceiling");
        assert_eq!(pool.class_counts(ONE).busy_threads, 1);
        at_ceiling.lets_go();
        for held in waits {
            held.begins().lets_go();
        }
        shuts_down_clean(pool);
    }
}

fn a_thread_that_goes_on_to_another_class_leaves_its_grant_to_others(calls: Calls) {
    let pool = seven(calls, 2).build().unwrap();
    // The first goes on from the class to another, so that the second may take it.
    let [other, second] = held_after(&pool, &[FREE, ONE], OTHER);
    let one = Held::submit(&pool, ONE);
    second.lets_go();
    let one = one.begins();
    // The second has it now: the first must not.
    let (more, free) = (Held::submit(&pool, ONE), pool.submit(FREE, || 3).unwrap());
    other.lets_go();
    assert_eq!(in_time("a closure of another class", move || free.join()).unwrap(), 3);
    assert!(!more.has_begun(), "above the ceiling");
    one.lets_go();
    more.begins().lets_go();
    shuts_down_clean(pool);
}

fn sums_agree_while_a_flood_runs(calls: Calls) {
    let pool = Arc::new(seven(calls, THREADS).build().unwrap());
    let (flood, closures) = (Flood::of(20_000), 20_000);
    let (brought, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let producer = {
        let (pool, flood, brought, ends) =
            (Arc::clone(&pool), Arc::clone(&flood), Arc::clone(&brought), Arc::clone(&ends));
        std::thread::spawn(move || {
            for at in 0..closures {
                flood.spawn(&pool, std::iter::once(at));
                brought.fetch_add(1, Ordering::SeqCst);
            }
            ends.store(true, Ordering::SeqCst);
        })
    };
    let mut before = 0;
    while !ends.load(Ordering::SeqCst) {
        let (begun, brought_before) = (flood.begun(), brought.load(Ordering::SeqCst));
        let seen = pool.snapshot();
        // The producer may be between the two.
        let brought_after = brought.load(Ordering::SeqCst) + 1;
        let running: usize = seen.classes.iter().map(|class| class.running.now).sum();
        let queued: usize = seen.classes.iter().map(|class| class.queued.now).sum();
        assert_eq!((running, queued), (seen.busy.now, seen.queued), "{seen}");
        assert!(seen.busy.now <= seen.live.now && seen.live.now <= THREADS as usize, "{seen}");
        assert!(seen.classes[0].running.now <= 1 && seen.classes[1].running.now <= 9, "{seen}");
        assert!(seen.started >= before.max(begun), "{begun} had begun, {before} were known: {} are", seen.started);
        let known = seen.started + seen.queued as u64;
        assert!((brought_before..=brought_after).contains(&known), "{brought_before} <= {known} <= {brought_after}");
        before = seen.started;
    }
    producer.join().unwrap();
    until("all have begun", || pool.snapshot().started == closures as u64);
    shuts_down_clean(Arc::into_inner(pool).unwrap());
    assert!(flood.ran_once());
}

fn ceilings_and_sizes_change_under_a_flood(calls: Calls) {
    let pool = Arc::new(seven(calls, 6).build().unwrap());
    let (flood, ends) = (Flood::of(20_000), Arc::new(AtomicBool::new(false)));
    let producer = {
        let (pool, flood, ends) = (Arc::clone(&pool), Arc::clone(&flood), Arc::clone(&ends));
        std::thread::spawn(move || {
            flood.spawn(&pool, 0..20_000);
            ends.store(true, Ordering::SeqCst);
        })
    };
    while !ends.load(Ordering::SeqCst) {
        for (size, ceiling) in [(1, 3), (8, 2), (3, 1)] {
            pool.set_ceiling(ONE, Ceiling::Threads(ceiling)).unwrap();
            pool.set_threads(size);
            std::thread::yield_now();
        }
        assert!(matches!(pool.set_ceiling(FREE, Ceiling::Threads(1)), Err(CeilingError::ClassHasNone(FREE))));
    }
    producer.join().unwrap();
    pool.set_threads(3);
    // Nothing asks anything of a thread that sat down although it is one too many.
    until("threads beyond the size end", || pool.snapshot().live.now <= 3);
    pool.set_ceiling(ONE, Ceiling::Threads(1)).unwrap();
    let after = Flood::of(7_000);
    after.spawn(&pool, 0..7_000);
    shuts_down_clean(Arc::into_inner(pool).unwrap());
    assert!(flood.ran_once() && after.ran_once());
    assert!(flood.most(ONE) <= 3 && flood.most(MOST) <= 7, "{:?}", flood.most);
    assert_eq!(after.most(ONE), 1, "handed over after the ceiling was lowered to this for good");
}

fn a_stop_gives_back_the_rest_of_a_flood_in_order(calls: Calls) {
    for threads in [1, 4, 10] {
        let pool = Arc::new(seven(calls, threads).build().unwrap());
        let flood = Flood::of(100_000);
        let back: Arc<Mutex<Vec<usize>>> = Arc::default();
        let producer = {
            let (pool, flood, back) = (Arc::clone(&pool), Arc::clone(&flood), Arc::clone(&back));
            std::thread::spawn(move || {
                for at in 0..100_000 {
                    let ((class, closure), back) = (flood.closure(at), Arc::clone(&back));
                    // What is dropped without having run notes its number.
                    let token = Dropped(back, Some(at));
                    let closure = move || {
                        let mut token = token;
                        token.1 = None;
                        closure();
                    };
                    match pool.spawn(class, closure) {
                        Ok(_) => {}
                        Err(SpawnError::Stopped(_)) => return at,
                        Err(other) => panic!("{other:?}"),
                    }
                }
                100_000
            })
        };
        until("the flood runs", || flood.begun() > 2_000);
        let own = Arc::clone(&pool);
        let ended = in_time("the pool stops", move || own.stop());
        let brought = producer.join().unwrap();
        let refused: Vec<usize> = std::mem::take(&mut *back.lock().unwrap());
        assert!(refused == if brought < 100_000 { vec![brought] } else { vec![] }, "only the last was refused");
        let given_back = ended.given_back.len();
        drop(ended.given_back);
        let back = back.lock().unwrap();
        assert!(back.len() == given_back && back.is_sorted(), "given back in the order of their submission");
        for at in 0..brought {
            let ran = flood.ran[at].load(Ordering::SeqCst);
            assert_eq!(ran + u32::from(back.binary_search(&at).is_ok()), 1, "closure {at}: run or given back, once");
        }
        assert_eq!(pool.snapshot().started, flood.begun());
    }
}

/// Notes its number when it is dropped, unless that was taken out.
struct Dropped(Arc<Mutex<Vec<usize>>>, Option<usize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.lock().unwrap().extend(self.1);
    }
}

fn closures_that_get_stuck_in_a_flood_keep_nobody_waiting(calls: Calls) {
    // The guard's closures and tick; and how many threads get stuck beside at least one that is free.
    for (closures, tick, stuck) in [(16, 100, 1), (1, 1, 1), (1, 1_000, 3), (2, 50, 3)] {
        let pool = seven(calls, 4).guard(closures, Duration::from_micros(tick)).processors(2).build().unwrap();
        for round in 0..10 {
            let flood = Flood::of(700);
            flood.spawn(&pool, 0..700);
            let held: Vec<Held> = (0..stuck).map(|_| Held::submit(&pool, FREE)).collect();
            let more = Flood::of(700);
            more.spawn(&pool, 0..700);
            let each = [ONE, MOST, OTHER].map(|class| pool.submit(class, move || round).unwrap());
            for other in each {
                assert_eq!(in_time("a closure beside those that are stuck", move || other.join()).unwrap(), round);
            }
            held.into_iter().for_each(|held| held.begins().lets_go());
            until("all have run", || flood.ran_once() && more.ran_once());
            assert!(flood.most(ONE) <= 1 && more.most(ONE) <= 1);
        }
        shuts_down_clean(pool);
    }
}

fn panics_and_waits_in_a_flood_take_nothing_away(calls: Calls) {
    let panicked = Arc::new(AtomicU64::new(0));
    let handler = Arc::clone(&panicked);
    let count = move |_| {
        handler.fetch_add(1, Ordering::SeqCst);
    };
    let pool = seven(calls, 3).on_panic(count).build().unwrap();
    let flood = Flood::of(14_000);
    for at in 0..14_000 {
        let (class, closure) = flood.closure(at);
        let job = move || {
            if at % 101 == 0 {
                blocking(closure);
            } else {
                closure();
            }
            if at % 97 == 0 {
                resume_unwind(Box::new("meant"));
            }
        };
        pool.spawn(class, job).unwrap();
    }
    until("all have run", || flood.ran_once());
    until("the panics are counted", || pool.tally().panics == 14_000_u64.div_ceil(97));
    assert_eq!(panicked.load(Ordering::SeqCst), 14_000_u64.div_ceil(97));
    assert!(flood.most(ONE) == 1 && flood.most(MOST) <= 2);
    // Threads and grants are all there.
    let held = [ONE, FREE, OTHER].map(|class| Held::submit(&pool, class).begins());
    held.into_iter().for_each(Held::lets_go);
    assert!(pool.tally().live_threads_max <= 3);
    shuts_down_clean(pool);
}

/// A licence has a bit for each of 64 classes.
fn a_pool_may_have_more_classes_than_a_licence_can_name(calls: Calls) {
    for classes in [63, 64, 65, 130] {
        let last = ClassId(classes - 1);
        let builder = AtqPool::builder().calls(calls).threads(2);
        let builder = (1..classes).fold(builder, |builder, class| builder.class(&class.to_string(), Ceiling::None));
        let pool = builder.class("last", Ceiling::Threads(1)).build().unwrap();
        let [first, second] = [FREE; 2].map(|class| Held::submit(&pool, class).begins());
        for class in 0..classes {
            tiny(&pool, ClassId(class), 1);
        }
        // The first is held by the last class; the second must not take another of it.
        let held = Held::submit(&pool, last);
        first.lets_go();
        let held = held.begins();
        let (waits, behind) = (Held::submit(&pool, last), pool.submit(FREE, || 4).unwrap());
        second.lets_go();
        assert_eq!(in_time("a closure behind a class at its ceiling", move || behind.join()).unwrap(), 4);
        assert!(!waits.has_begun(), "above the ceiling of one of {classes} classes");
        assert_eq!(pool.snapshot().started, 4 + u64::from(classes));
        held.lets_go();
        waits.begins().lets_go();
        shuts_down_clean(pool);
    }
}
