//! One run: a pool, producers, somebody who changes its settings, and a shutdown; all drawn from the schedule's own dice.
//!
//! Panics are thrown outside `blocking` only: shuttle cannot switch threads while one unwinds. Called by `main`.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atqsim::ids::ClassId;
use atqsim::policy::decision_log::replay;
use atqsim::policy::drain::Drain;
use atqsim::pool::{AtqPool, Calls, Ceiling, Class, Ended, JoinError, SpawnError, blocking};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use crate::book::{Book, Fate, Pages};

/// A number from 1 to `most`, or from 0 with `upto`.
fn one_to(most: u32) -> u32 {
    thread_rng().gen_range(1..=most)
}

fn upto(most: u32) -> u32 {
    thread_rng().gen_range(0..=most)
}

/// Once in `n` times.
fn once_in(n: u32) -> bool {
    one_to(n) == 1
}

struct Run {
    pool: AtqPool,
    book: Arc<Book>,
    /// Closures of which it is not known yet what became of them.
    open: Mutex<usize>,
    resolved: Condvar,
    stops: AtomicBool,
    /// The system refuses some threads.
    refuses: bool,
    /// Closures are to be begun under licences.
    swift: bool,
    /// Producers that still hand over, and who waits for them.
    producers: Mutex<usize>,
    handed_over: Condvar,
}

#[derive(Clone, Copy, Debug)]
enum Body {
    Nothing,
    Yields,
    Blocks,
    Looks,
    Panics,
    /// Until everything was handed over: then closures lie there for the threads to take one after another.
    Held,
    /// Until this other closure has begun, or never will: the thread is stuck, and says so to nobody.
    WaitsFor(usize),
}

/// A closure to be; `then` is handed over by it.
struct Planned {
    id: usize,
    class: usize,
    body: Body,
    then: Option<Box<Planned>>,
}

/// Whose drop says that a closure was never run, unless it was.
struct Token {
    run: Arc<Run>,
    id: usize,
    began: bool,
}

impl Drop for Token {
    fn drop(&mut self) {
        if !self.began {
            self.run.resolve(|book| book.fates[self.id].dropped += 1);
        }
    }
}

impl Run {
    fn resolve(&self, note: impl FnOnce(&mut Pages)) {
        let mut open = self.open.lock().unwrap();
        note(&mut self.book.open());
        *open -= 1;
        drop(open);
        self.resolved.notify_all();
    }

    fn begin(&self, id: usize, class: usize) {
        // Who waits for this looks under the same lock.
        let open = self.open.lock().unwrap();
        self.book.open().begin(id, class);
        drop(open);
        self.resolved.notify_all();
    }

    fn wait_for(&self, id: usize) {
        let mut open = self.open.lock().unwrap();
        let came = |fate: Fate| fate.began + fate.dropped > 0;
        while !came(self.book.open().fates[id]) {
            open = self.resolved.wait(open).unwrap();
        }
        drop(open);
    }

    fn wait_for_producers(&self) {
        let mut producers = self.producers.lock().unwrap();
        while *producers > 0 {
            producers = self.handed_over.wait(producers).unwrap();
        }
    }

    fn closure(self: &Arc<Run>, planned: Planned) -> impl FnOnce() + Send + 'static {
        let Planned { id, class, body, then } = planned;
        let mut token = Token { run: Arc::clone(self), id, began: false };
        let then = then.map(|then| (then.id, then.class, self.closure_of(*then)));
        move || {
            token.began = true;
            let run = &token.run;
            run.begin(id, class);
            match body {
                Body::Nothing | Body::Panics => {}
                Body::Yields => thread::yield_now(),
                Body::Blocks => blocking(thread::yield_now),
                Body::Looks => run.look(),
                Body::Held => run.wait_for_producers(),
                Body::WaitsFor(other) => run.wait_for(other),
            }
            if let Some((id, class, then)) = then {
                let _ = run.hand_over(id, class, then, false);
            }
            run.resolve(|book| book.end(id, class));
            if matches!(body, Body::Panics) {
                run.book.open().panicked += 1;
                resume_unwind(Box::new("meant"));
            }
        }
    }

    fn closure_of(self: &Arc<Run>, planned: Planned) -> Box<dyn FnOnce() + Send> {
        Box::new(self.closure(planned))
    }

    fn hand_over(
        &self,
        id: usize,
        class: usize,
        job: impl FnOnce() + Send + 'static,
        waits: bool,
    ) -> Option<atqsim::policy::dispatch::Ticket> {
        self.book.open().fates[id].submitted = true;
        let class = ClassId(class as u16);
        let outcome = if waits { self.pool.spawn(class, job) } else { self.pool.try_spawn(class, job) };
        outcome.map_err(|refused| self.refused(refused)).ok()
    }

    fn refused(&self, refused: SpawnError) {
        let mut book = self.book.open();
        book.given_back += 1;
        let stops = self.stops.load(Ordering::Relaxed);
        book.check(self.refuses || !matches!(refused, SpawnError::NoThreads(_)), || "no thread was refused".into());
        book.check(stops || !matches!(refused, SpawnError::Stopped(_)), || "stopped before it was".into());
        drop(book);
        drop(refused);
    }

    /// All counts of one snapshot agree with each other.
    fn look(&self) {
        let began = self.book.open().began();
        let seen = self.pool.snapshot();
        let laws = self.pool.laws();
        let stops = self.stops.load(Ordering::Relaxed);
        let mut book = self.book.open();
        let running: usize = seen.classes.iter().map(|class| class.running.now).sum();
        let queued: usize = seen.classes.iter().map(|class| class.queued.now).sum();
        book.check(began <= seen.started, || format!("{began} had begun: {} started", seen.started));
        book.check(running == seen.busy.now, || format!("running {running}: {seen}"));
        book.check(queued == seen.queued, || format!("queued {queued}, of them all {}: {seen}", seen.queued));
        book.check(stops || seen.busy.now <= seen.live.now, || format!("more busy than live: {seen}"));
        book.check(laws.lines().is_empty(), || laws.lines().join(", "));
    }

    fn ended(&self, ended: Ended, in_full: bool) {
        let mut book = self.book.open();
        book.given_back += ended.given_back.len() as u64;
        book.check(!in_full || ended.still_running.is_empty(), || format!("{ended}"));
        drop(book);
        drop(ended);
    }
}

/// The pool, and the highest ceilings and size that it will ever have. A swift one is told events only where that is needed,
/// so that its threads get licences.
fn pool(book: &Arc<Book>, refuses: bool, swift: bool) -> (AtqPool, Vec<Ceiling>) {
    let threads = if once_in(8) { one_to(8) } else { one_to(3) };
    let mut ceilings = Vec::new();
    let mut builder = AtqPool::builder()
        .calls(if !swift && once_in(2) { Calls::Eager } else { Calls::Throttled })
        .threads(threads)
        .poll(Duration::from_micros(if once_in(2) { 0 } else { 200 }))
        .guard(one_to(3), Duration::from_micros(100))
        .processors(one_to(2))
        .runnable_limit(if once_in(4) { one_to(2) } else { u32::MAX })
        .idle_timeout(once_in(3).then_some(Duration::from_millis(1)));
    let no_ceilings = once_in(4);
    for class in 0..one_to(3) {
        let ceiling = match upto(2) {
            _ if no_ceilings => Ceiling::None,
            0 => Ceiling::None,
            1 => Ceiling::Threads(one_to(threads)),
            _ => Ceiling::Percent(one_to(100)),
        };
        let drains = [Drain::Messages(1), Drain::Messages(2), Drain::UntilEmpty];
        let drain = drains[if swift { 0 } else { upto(2) as usize }];
        let room = if once_in(if swift { 24 } else { 4 }) { one_to(2) as usize } else { usize::MAX };
        let class = Class::new(&class.to_string()).ceiling(ceiling).drain(drain).max_waiting(room);
        builder = builder.class_with(class);
        ceilings.push(ceiling);
    }
    if !swift && once_in(2) {
        let book = Arc::clone(book);
        builder = builder.log_decisions(10_000).on_decisions(move |line| book.open().note(line));
    }
    if refuses {
        builder = builder.spawn_threads_with(|_, _, body| {
            if once_in(2) { Err(std::io::ErrorKind::WouldBlock.into()) } else { Ok(thread::spawn(body)) }
        });
    }
    let pool = builder.build().unwrap();
    let mut pages = book.open();
    pages.knows(pool.rules());
    pages.running = vec![0; ceilings.len()];
    pages.highest = ceilings.iter().map(|c| c.threads_of(threads).unwrap_or(u32::MAX)).collect();
    pages.highest_size = threads;
    (pool, ceilings)
}

/// What somebody will do to the pool's settings while it runs.
enum Change {
    Ceiling(usize, Ceiling),
    Size(u32),
    Look,
}

fn changes(book: &Book, ceilings: &[Ceiling]) -> Vec<Change> {
    let mut pages = book.open();
    let one = |_| match upto(2) {
        0 => {
            let class = upto(ceilings.len() as u32 - 1) as usize;
            if ceilings[class] == Ceiling::None {
                return Change::Look;
            }
            // Of a share it is said below what it comes to.
            let ceiling = if once_in(2) { Ceiling::Threads(one_to(3)) } else { Ceiling::Percent(one_to(100)) };
            Change::Ceiling(class, ceiling)
        }
        1 => Change::Size(one_to(4)),
        _ => Change::Look,
    };
    let changes: Vec<Change> = (0..upto(3)).map(one).collect();
    for change in &changes {
        if let Change::Size(size) = change {
            pages.highest_size = pages.highest_size.max(*size);
        }
    }
    let size = pages.highest_size;
    let mut raise = |class: usize, ceiling: Ceiling| {
        let most = ceiling.threads_of(size).unwrap_or(u32::MAX);
        pages.highest[class] = pages.highest[class].max(most);
    };
    for (class, ceiling) in ceilings.iter().enumerate() {
        raise(class, *ceiling);
    }
    for change in &changes {
        if let Change::Ceiling(class, ceiling) = change {
            raise(*class, *ceiling);
        }
    }
    changes
}

/// What the producers will hand over, each in order. With `stuck` the first closure waits for the last, with `holds` the
/// first of each for all to be handed over.
fn loads(classes: usize, stuck: bool, swift: bool, holds: bool) -> (Vec<Vec<Planned>>, usize) {
    let mut closures = 0;
    let mut planned = |then: Option<Box<Planned>>| {
        closures += 1;
        let bodies = [Body::Nothing, Body::Yields, Body::Blocks, Body::Looks, Body::Panics];
        // What looks or waits, and what panics, ends licences.
        let body = bodies[if swift && !once_in(8) { upto(1) } else { upto(4) } as usize];
        Planned { id: closures - 1, class: upto(classes as u32 - 1) as usize, body, then }
    };
    let most = if holds {
        12
    } else if once_in(8) {
        6
    } else {
        3
    };
    let mut one = || {
        let then = once_in(5).then(|| Box::new(planned(None)));
        planned(then)
    };
    let mut loads: Vec<Vec<Planned>> = (0..one_to(3)).map(|_| (0..one_to(most)).map(|_| one()).collect()).collect();
    if holds {
        let firsts = loads.iter_mut().flat_map(|load| load.iter_mut().take(3));
        firsts.for_each(|first| first.body = Body::Held);
    }
    if stuck {
        let last = loads.last().and_then(|load| load.last()).map_or(0, |last| last.id);
        let first = &mut loads[0][0];
        if first.id != last {
            first.body = Body::WaitsFor(last);
        }
    }
    (loads, closures)
}

fn produce(run: &Arc<Run>, load: Vec<Planned>) {
    let (mut handles, mut tickets) = (Vec::new(), Vec::new());
    for planned in load {
        let (id, class) = (planned.id, planned.class);
        let job = run.closure(planned);
        match upto(3) {
            0 => {
                run.book.open().fates[id].submitted = true;
                match run.pool.submit(ClassId(class as u16), job) {
                    Ok(handle) => handles.push((id, handle)),
                    Err(refused) => run.refused(refused),
                }
            }
            how => tickets.extend(run.hand_over(id, class, job, how < 3)),
        }
        // A withdrawal has the policy told of everything, and so nothing is left to be begun without it.
        if once_in(if run.swift { 40 } else { 4 })
            && let Some(job) = tickets.pop().and_then(|ticket| run.pool.withdraw(ticket))
        {
            run.book.open().given_back += 1;
            drop(job);
        }
    }
    *run.producers.lock().unwrap() -= 1;
    run.handed_over.notify_all();
    for (id, handle) in handles {
        let outcome = handle.join();
        let mut book = run.book.open();
        let ran = book.fates[id].ended == 1;
        let told = !matches!(outcome, Err(JoinError::NotRun));
        book.check(ran == told, || format!("closure {id} ran: {ran}, its handle says {told}"));
    }
}

fn change(run: &Run, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Ceiling(class, ceiling) => run.pool.set_ceiling(ClassId(class as u16), ceiling).unwrap(),
            Change::Size(size) => run.pool.set_threads(size),
            Change::Look => run.look(),
        }
    }
}

/// One schedule's run.
pub fn one_run() {
    let book = Arc::new(Book::default());
    let (refuses, swift) = (once_in(8), once_in(2));
    let (pool, ceilings) = pool(&book, refuses, swift);
    // One thread may be stuck where another is sure to be had.
    let rules = pool.rules();
    let is_roomy =
        rules.pool_size > 1 && rules.runnable_limit == u32::MAX && ceilings.iter().all(|c| *c == Ceiling::None);
    let stuck = is_roomy && !refuses && once_in(2);
    // A producer that waits for room may wait for a closure that is held.
    let holds = swift && rules.classes.iter().all(|class| class.max_waiting == usize::MAX) && !once_in(8);
    let (loads, closures) = loads(ceilings.len(), stuck, swift, holds);
    let changes = if !stuck && once_in(2) { changes(&book, &ceilings) } else { Vec::new() };
    book.open().fates = vec![Fate::default(); closures];
    let (open, resolved, stops) = (Mutex::new(closures), Condvar::new(), AtomicBool::new(false));
    let (producers, handed_over) = (Mutex::new(loads.len()), Condvar::new());
    let run = Arc::new(Run { pool, book, open, resolved, stops, refuses, swift, producers, handed_over });
    let mut others: Vec<_> = loads
        .into_iter()
        .map(|load| {
            let run = Arc::clone(&run);
            thread::spawn(move || produce(&run, load))
        })
        .collect();
    if !changes.is_empty() {
        let run = Arc::clone(&run);
        others.push(thread::spawn(move || change(&run, changes)));
    }
    // Half of the runs are patient: every closure must get its thread without any help by the shutdown. A stop waits for
    // what runs, so nothing that runs may wait for what a stop gives back. Where threads are refused, what waits does so
    // until somebody submits again.
    if stuck || !refuses && once_in(2) {
        let mut open = run.open.lock().unwrap();
        while *open > 0 {
            open = run.resolved.wait(open).unwrap();
        }
    } else if swift {
        run.wait_for_producers();
    }
    run.stops.store(true, Ordering::Relaxed);
    let ended_before = run.book.open().ended();
    let how = upto(3);
    let ended = match how {
        0 => run.pool.shutdown(),
        1 => run.pool.stop(),
        2 => run.pool.shutdown_within(Duration::from_millis(1)),
        _ => run.pool.stop_within(Duration::from_millis(1)),
    };
    let mut book = run.book.open();
    // Of the last of each thread it may not have been known yet that they had ended.
    let most = book.ended() - ended_before + u64::from(book.highest_size);
    book.check(ended.ran <= most, || format!("{most} at most ended after the end was asked for: {ended}"));
    drop(book);
    run.ended(ended, how < 2);
    for other in others {
        other.join().unwrap();
    }
    run.ended(run.pool.stop(), true);
    at_the_end(&run);
}

fn at_the_end(run: &Run) {
    let seen = run.pool.snapshot();
    let log = run.pool.take_log();
    let mut book = run.book.open();
    let fates = book.fates.clone();
    for (id, fate) in fates.iter().enumerate() {
        let once = fate.began + fate.dropped == 1 && fate.ended == fate.began;
        book.check(once, || format!("closure {id}: {fate:?}"));
    }
    let began = book.began();
    let back = fates.iter().filter(|fate| fate.submitted && fate.dropped > 0).count() as u64;
    let (given_back, panicked) = (book.given_back, book.panicked);
    book.check(given_back == back, || format!("{given_back} given back, {back} dropped"));
    book.check(seen.started == began, || format!("{began} began: {} started", seen.started));
    book.check(seen.queued == 0 && seen.live.now == 0, || format!("after the end: {seen}"));
    book.check(seen.tally.panics == panicked, || format!("{panicked} panicked, {} counted", seen.tally.panics));
    if let Some(log) = log {
        let same = replay(run.pool.rules(), log.lines());
        book.check(same.is_ok() && log.dropped() == 0, || format!("replayed: {same:?}"));
    }
    let wrong = std::mem::take(&mut book.wrong);
    drop(book);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
