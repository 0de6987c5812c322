//! Describes a pool before it exists.
//!
//! Not the pool: building it creates no thread yet, threads come with the work. Called by users of [`AtqPool`].

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use super::core::{ClassState, Core, Habits};
use super::error::BuildError;
use super::reason::Reason;
use super::sync::{self, Condvar, JoinHandle, Mutex};
use super::{AtqPool, Gauge, Hook, Observer, Panicked, Shared};
use crate::policy::cap::heavy_queue_cap;
use crate::policy::decision_log::{DecisionLog, LogLine};
use crate::policy::dispatch::{ClassRule, Counts, Dispatch, Kind, Rules};
use crate::policy::drain::Drain;

/// How many threads a class may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// As many as there are. Each closure is a packet of its own in the common first-in, first-out port.
    None,
    /// At most so many; 1 or more.
    Threads(u32),
    /// At most this share of the pool's size, rounded down, but at least one thread; 1 to 100.
    Percent(u32),
}

impl Ceiling {
    /// The ceiling in threads in a pool of `size`; `None` where there is none.
    #[must_use]
    pub fn threads_of(self, size: u32) -> Option<u32> {
        match self {
            Ceiling::None => None,
            Ceiling::Threads(threads) => Some(threads.max(1)),
            Ceiling::Percent(percent) => Some(heavy_queue_cap(size, percent)),
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn mistake(self) -> Option<String> {
        match self {
            Ceiling::Threads(0) => Some("a ceiling of 0 threads; it must be at least 1".to_string()),
            Ceiling::Percent(percent) if percent == 0 || percent > 100 => {
                Some(format!("a ceiling of {percent} %; it must be from 1 to 100"))
            }
            _ => None,
        }
    }
}

/// When a sitting thread is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Calls {
    /// Only a few calls are on their way at a time; closures go to whoever asks first; and while closures are started so
    /// briskly that a call would come too late, nobody is called for a while. The rule for everybody who wants both
    /// throughput and a short wait.
    #[default]
    Throttled,
    /// Each closure that a thread may start is bound to that thread at once, and the thread is called: the most recently
    /// idle one, as a completion port does. The rule of the emulator; costs a wake-up a closure.
    Eager,
}

/// A class of closures to be. See [`Builder::class_with`].
#[derive(Clone, Debug)]
pub struct Class {
    name: String,
    ceiling: Ceiling,
    drain: Drain,
    max_waiting: usize,
}

impl Class {
    /// A class without a ceiling whose threads go back to the port after each closure, and whose queue has no bound.
    #[must_use]
    pub fn new(name: &str) -> Class {
        Class { name: name.to_string(), ceiling: Ceiling::None, drain: Drain::Messages(1), max_waiting: usize::MAX }
    }

    /// How many threads it may take.
    #[must_use]
    pub fn ceiling(mut self, ceiling: Ceiling) -> Class {
        self.ceiling = ceiling;
        self
    }

    /// When a thread that serves it goes back to the port. Only a class with a ceiling has turns.
    #[must_use]
    pub fn drain(mut self, drain: Drain) -> Class {
        self.drain = drain;
        self
    }

    /// Most closures that may wait; one more is refused unless a thread can start it at once.
    #[must_use]
    pub fn max_waiting(mut self, closures: usize) -> Class {
        self.max_waiting = closures;
        self
    }
}

/// Creates an operating-system thread: name, stack size, body. Replaced in tests that refuse threads.
pub(super) type Spawner = Box<dyn Fn(String, usize, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle> + Send + Sync>;

/// The turns that threads ask for, see [`Builder::slice`].
const SLICE: Duration = Duration::from_micros(500);

/// A pool to be. See [`AtqPool::builder`].
#[must_use]
pub struct Builder {
    threads: u32,
    runnable_limit: u32,
    classes: Vec<Class>,
    rules: Option<Rules>,
    name: String,
    stack_size: usize,
    slice: Duration,
    idle_timeout: Option<Duration>,
    habits: Habits,
    log_bound: usize,
    on_decisions: Option<Observer>,
    on_thread_start: Option<Hook>,
    on_thread_stop: Option<Hook>,
    on_thread_count: Option<Gauge>,
    on_panic: Option<Box<dyn Fn(Panicked) + Send + Sync>>,
    spawner: Spawner,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("threads", &self.threads).field("classes", &self.classes).finish()
    }
}

impl Default for Builder {
    fn default() -> Builder {
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        Builder {
            threads: 10,
            runnable_limit: u32::MAX,
            classes: Vec::new(),
            rules: None,
            name: "atq".to_string(),
            stack_size: 256 * 1024,
            slice: SLICE,
            idle_timeout: None,
            habits: Habits {
                calls: Calls::Throttled,
                // On one processor a poller only keeps others from ringing.
                poll: Duration::from_micros(if processors > 1 { 5 } else { 0 }),
                guard_tick: Duration::from_micros(100),
                brisk_starts: 16,
                calls_at_once: 2,
                processors,
            },
            log_bound: 0,
            on_decisions: None,
            on_thread_start: None,
            on_thread_stop: None,
            on_thread_count: None,
            on_panic: None,
            spawner: Box::new(sync::spawn),
        }
    }
}

impl Builder {
    /// Adds a class without bound on its queue, whose threads go back to the port after each closure. Ids are given in
    /// order, from 0; [`AtqPool::class`] finds them by name.
    pub fn class(self, name: &str, ceiling: Ceiling) -> Builder {
        self.class_with(Class::new(name).ceiling(ceiling))
    }

    /// Adds a class.
    pub fn class_with(mut self, class: Class) -> Builder {
        self.classes.push(class);
        self
    }

    /// Most threads, 1 to 65,535. Default 10.
    pub fn threads(mut self, threads: u32) -> Builder {
        self.threads = threads;
        self
    }

    /// Most threads that may be runnable when a closure is handed out: closures that wait do so inside
    /// [`super::blocking`]. Default: no limit.
    pub fn runnable_limit(mut self, threads: u32) -> Builder {
        self.runnable_limit = threads;
        self
    }

    /// Takes the policy's rules as they are, in place of classes, threads and runnable limit.
    pub fn rules(mut self, rules: Rules) -> Builder {
        self.rules = Some(rules);
        self
    }

    /// When sitting threads are called. Default: throttled.
    pub fn calls(mut self, calls: Calls) -> Builder {
        self.habits.calls = calls;
        self
    }

    /// For how long a thread without work polls before it sits, at most, while calls are throttled: one thread of the
    /// pool at a time, less where polling does not pay, and giving way to whoever wants its processor. Zero: never.
    /// Default 5 us; zero on a computer with one processor. A longer poll lets closures that come further apart start
    /// sooner, but holds a processor, for which other threads then wait.
    pub fn poll(mut self, limit: Duration) -> Builder {
        self.habits.poll = limit;
        self
    }

    /// While calls are throttled: closures are started briskly when others have started `closures` while a called thread
    /// was on its way, or in one tick of the guard. Then the guard looks every `tick` whether another thread is needed,
    /// and a closure may wait as long for a free thread if all that work get stuck at once. Default 16 and 100 us.
    pub fn guard(mut self, closures: u32, tick: Duration) -> Builder {
        self.habits.brisk_starts = u64::from(closures.max(1));
        self.habits.guard_tick = tick;
        self
    }

    /// While calls are throttled: most threads that may be on their way at a time, at least 1. Default 2.
    pub fn calls_at_once(mut self, threads: u32) -> Builder {
        self.habits.calls_at_once = threads.max(1);
        self
    }

    /// How many threads can get on at once: while closures are started briskly, no more than these are given work, beside
    /// those that are stuck. 0 counts as 1. Default: the computer's processors.
    pub fn processors(mut self, processors: u32) -> Builder {
        self.habits.processors = processors.max(1);
        self
    }

    /// Prefix of the threads' names. Default `atq`.
    pub fn name(mut self, name: &str) -> Builder {
        self.name = name.to_string();
        self
    }

    /// Stack size of a thread in bytes. Default 256 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = bytes;
        self
    }

    /// The length of turns that each thread asks of the scheduler, on Linux since 6.12: with turns shorter than its caller's,
    /// a thread that is called may begin before the caller sleeps, and closures start sooner. The price is more
    /// changes between threads that compute on one processor for long. Linux takes 100 us to 100 ms; threads that a closure
    /// creates get the same. A thread that has shorter turns already, or a real-time policy, keeps them. Default 500 us,
    /// a third to a sixth of what ordinary threads have; zero: as the system has it.
    pub fn slice(mut self, slice: Duration) -> Builder {
        self.slice = slice;
        self
    }

    /// A thread that was idle for this long ends. Default: never. Where calls are throttled up to eight threads are called
    /// in turns, so none of these is idle for long while closures come.
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Builder {
        self.idle_timeout = timeout;
        self
    }

    /// Keeps the first `lines` of the (event, decision) log. Default: none.
    pub fn log_decisions(mut self, lines: usize) -> Builder {
        self.log_bound = lines;
        self
    }

    /// Called with every line of the (event, decision) log, in the order of the events. Must not call the pool, which
    /// waits for it. A panic of the observer is counted as one.
    pub fn on_decisions(mut self, observer: impl FnMut(&LogLine) + Send + 'static) -> Builder {
        self.on_decisions = Some(Box::new(observer));
        self
    }

    /// Called by each thread before its first closure. A panic of the hook is counted as one.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.on_thread_start = Some(Box::new(hook));
        self
    }

    /// Called by each thread after its last closure. A panic of the hook is counted as one.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.on_thread_stop = Some(Box::new(hook));
        self
    }

    /// Called with the pool's counts whenever a thread has begun or is about to end. Must not call the pool. A panic of
    /// it is counted as one.
    pub fn on_thread_count(mut self, gauge: impl Fn(Counts) + Send + Sync + 'static) -> Builder {
        self.on_thread_count = Some(Box::new(gauge));
        self
    }

    /// Called with the panic of each closure that nobody waits for, on the thread that ran it, which goes on. Default:
    /// panics are only counted. (The standard library has printed its message by then.)
    pub fn on_panic(mut self, handler: impl Fn(Panicked) + Send + Sync + 'static) -> Builder {
        self.on_panic = Some(Box::new(handler));
        self
    }

    /// Replaces the creation of operating-system threads: name, stack size, body. For tests of systems that refuse.
    pub fn spawn_threads_with(
        mut self,
        spawner: impl Fn(String, usize, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle> + Send + Sync + 'static,
    ) -> Builder {
        self.spawner = Box::new(spawner);
        self
    }

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.rules.is_some() {
            return found;
        }
        if self.threads == 0 || self.threads > MOST_THREADS {
            found.push(format!("{} threads; it must be from 1 to {MOST_THREADS}", self.threads));
        }
        if self.classes.is_empty() {
            found.push("no class; add one with `class`".to_string());
        }
        if self.classes.len() > usize::from(u16::MAX) {
            found.push(format!("{} classes; at most {} are possible", self.classes.len(), u16::MAX));
        }
        if self.runnable_limit == 0 {
            found.push("a runnable limit of 0 threads; it must be at least 1".to_string());
        }
        let mut names = BTreeSet::new();
        for class in &self.classes {
            if !names.insert(&class.name) {
                found.push(format!("two classes with the name `{}`; give each its own", class.name));
            }
            if let Some(mistake) = class.ceiling.mistake() {
                found.push(format!("class `{}` has {mistake}", class.name));
            }
        }
        found
    }

    /// The pool. It has no threads yet.
    ///
    /// # Errors
    /// [`BuildError`] with every mistake of the description.
    pub fn build(self) -> Result<AtqPool, BuildError> {
        let mistakes = self.mistakes();
        if !mistakes.is_empty() {
            return Err(BuildError { mistakes });
        }
        let (rules, classes) = self.rules_and_classes();
        let mut core = Core::new(Dispatch::new(&rules), self.habits, classes, &rules);
        core.listen((self.log_bound > 0).then(|| DecisionLog::new(self.log_bound)), self.on_decisions);
        Ok(AtqPool::with(Shared {
            doorstep: core.doorstep.clone(),
            belt: core.belt.clone(),
            core: Mutex::new(core),
            quiet: Condvar::default(),
            room: Condvar::default(),
            is_bounded: rules
                .classes
                .iter()
                .map(|class| rules.waiting_room.is_some() || class.max_waiting < usize::MAX)
                .collect(),
            calls: self.habits.calls,
            rules,
            name: self.name,
            stack_size: self.stack_size,
            slice: self.slice,
            idle_timeout: self.idle_timeout,
            on_thread_start: self.on_thread_start,
            on_thread_stop: self.on_thread_stop,
            on_thread_count: self.on_thread_count,
            on_panic: self.on_panic,
            spawner: self.spawner,
        }))
    }

    fn rules_and_classes(&self) -> (Rules, Vec<ClassState>) {
        let state = |name: &str, ceiling: Ceiling| ClassState {
            name: name.into(),
            ceiling,
            queued_by: Reason::Built,
            running_by: Reason::Built,
        };
        // With throttled calls the policy wishes for as many threads as may be on their way.
        let starting_limit = if self.habits.calls == Calls::Throttled { self.habits.calls_at_once } else { u32::MAX };
        if let Some(rules) = &self.rules {
            let ceiling = |rule: &ClassRule| match rule.kind {
                Kind::Requests => Ceiling::None,
                Kind::WorkQueue { cap, .. } => Ceiling::Threads(cap),
            };
            let classes = rules.classes.iter().enumerate().map(|(at, rule)| state(&at.to_string(), ceiling(rule)));
            return (Rules { starting_limit, ..rules.clone() }, classes.collect());
        }
        let rule = |class: &Class| ClassRule {
            kind: match class.ceiling.threads_of(self.threads) {
                None => Kind::Requests,
                Some(cap) => Kind::WorkQueue { cap, drain: class.drain },
            },
            max_waiting: class.max_waiting,
            ..ClassRule::default()
        };
        let rules = Rules {
            pool_size: self.threads,
            runnable_limit: self.runnable_limit,
            classes: self.classes.iter().map(rule).collect(),
            starting_limit,
            ..Rules::default()
        };
        (rules, self.classes.iter().map(|class| state(&class.name, class.ceiling)).collect())
    }
}

/// The most threads of a pool.
const MOST_THREADS: u32 = u16::MAX as u32;
