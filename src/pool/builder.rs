//! Describes a pool before it exists.
//!
//! Not the pool: building it creates no thread yet, threads come with the work. Called by users of [`AtqPool`].

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::{AtqPool, Gauge, Hook, Observer, Shared, State, Tally};
use crate::ids::ClassId;
use crate::policy::decision_log::{DecisionLog, LogLine};
use crate::policy::dispatch::{ClassRule, Counts, Dispatch, Kind, Rules};
use crate::policy::drain::Drain;

/// How many threads a class may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// As many as there are. Each closure is a packet of its own in the common first-in, first-out port.
    None,
    /// At most so many; 0 counts as 1.
    Threads(u32),
    /// At most this share of the pool's size, rounded down, at least 1; above 100 counts as 100.
    Percent(u32),
}

/// Creates an operating-system thread: name, stack size, body. Replaced in tests that refuse threads.
pub(super) type Spawner =
    Box<dyn Fn(String, usize, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> + Send + Sync>;

/// A pool to be. See [`AtqPool::builder`].
pub struct Builder {
    threads: u32,
    runnable_limit: u32,
    classes: Vec<(String, Ceiling, Drain, usize)>,
    rules: Option<Rules>,
    name: String,
    stack_size: usize,
    idle_timeout: Option<Duration>,
    log_bound: usize,
    on_decisions: Option<Observer>,
    on_thread_start: Option<Hook>,
    on_thread_count: Option<Gauge>,
    spawner: Spawner,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("threads", &self.threads).field("classes", &self.classes).finish()
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            threads: 10,
            runnable_limit: u32::MAX,
            classes: Vec::new(),
            rules: None,
            name: "atq".to_string(),
            stack_size: 256 * 1024,
            idle_timeout: None,
            log_bound: 0,
            on_decisions: None,
            on_thread_start: None,
            on_thread_count: None,
            spawner: Box::new(|name, stack, body| std::thread::Builder::new().name(name).stack_size(stack).spawn(body)),
        }
    }
}

impl Builder {
    /// Adds a class and answers with its id. Its threads go back to the port after each closure.
    pub fn class(&mut self, name: &str, ceiling: Ceiling) -> ClassId {
        self.class_with(name, ceiling, Drain::Messages(1), usize::MAX)
    }

    /// Adds a class with its own drain rule (only a class with a ceiling has turns) and a bound on waiting closures.
    pub fn class_with(&mut self, name: &str, ceiling: Ceiling, drain: Drain, max_waiting: usize) -> ClassId {
        self.classes.push((name.to_string(), ceiling, drain, max_waiting));
        ClassId(u16::try_from(self.classes.len() - 1).expect("fewer than 65,536 classes"))
    }

    /// Most threads; 0 counts as 1. Default 10.
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Builder {
        self.threads = threads;
        self
    }

    /// Most threads that may be runnable when a closure is handed out: closures that wait do so inside
    /// [`super::blocking`]. Default: no limit.
    #[must_use]
    pub fn runnable_limit(mut self, threads: u32) -> Builder {
        self.runnable_limit = threads;
        self
    }

    /// Takes the policy's rules as they are, in place of classes, threads and runnable limit.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Builder {
        self.rules = Some(rules);
        self
    }

    /// Prefix of the threads' names. Default `atq`.
    #[must_use]
    pub fn name(mut self, name: &str) -> Builder {
        self.name = name.to_string();
        self
    }

    /// Stack size of a thread in bytes. Default 256 KiB.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = bytes;
        self
    }

    /// A thread that was idle for this long ends. Default: never.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Builder {
        self.idle_timeout = timeout;
        self
    }

    /// Keeps the first `lines` of the (event, decision) log. Default: none.
    #[must_use]
    pub fn log_decisions(mut self, lines: usize) -> Builder {
        self.log_bound = lines;
        self
    }

    /// Called with every line of the (event, decision) log, in the order of the events. Must not call the pool, which
    /// waits for it.
    #[must_use]
    pub fn on_decisions(mut self, observer: impl FnMut(&LogLine) + Send + 'static) -> Builder {
        self.on_decisions = Some(Box::new(observer));
        self
    }

    /// Called by each thread before its first closure.
    #[must_use]
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.on_thread_start = Some(Box::new(hook));
        self
    }

    /// Called with the pool's counts whenever a thread has begun or is about to end. Must not call the pool.
    #[must_use]
    pub fn on_thread_count(mut self, gauge: impl Fn(Counts) + Send + Sync + 'static) -> Builder {
        self.on_thread_count = Some(Box::new(gauge));
        self
    }

    /// Replaces the creation of operating-system threads: name, stack size, body. For tests of systems that refuse.
    #[must_use]
    pub fn spawn_threads_with(
        mut self,
        spawner: impl Fn(String, usize, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> + Send + Sync + 'static,
    ) -> Builder {
        self.spawner = Box::new(spawner);
        self
    }

    /// The pool. It has no threads yet.
    #[must_use]
    pub fn build(self) -> AtqPool {
        let size = self.threads.max(1);
        let rule = |(_, ceiling, drain, max_waiting): &(String, Ceiling, Drain, usize)| ClassRule {
            kind: match *ceiling {
                Ceiling::None => Kind::Requests,
                Ceiling::Threads(n) => Kind::WorkQueue { cap: n.max(1), drain: *drain },
                Ceiling::Percent(p) => {
                    let cap = u64::from(size) * u64::from(p.min(100)) / 100;
                    Kind::WorkQueue { cap: (cap as u32).max(1), drain: *drain }
                }
            },
            max_waiting: *max_waiting,
            ..ClassRule::default()
        };
        let rules = self.rules.unwrap_or_else(|| Rules {
            pool_size: size,
            runnable_limit: self.runnable_limit,
            classes: self.classes.iter().map(rule).collect(),
            ..Rules::default()
        });
        AtqPool::with(Shared {
            state: Mutex::new(State {
                dispatch: Dispatch::new(&rules),
                decisions: Vec::new(),
                seats: Vec::new(),
                wanted: Vec::new(),
                ended: Vec::new(),
                log: (self.log_bound > 0).then(|| DecisionLog::new(self.log_bound)),
                on_decisions: self.on_decisions,
                stopped: false,
                tally: Tally::default(),
            }),
            name: self.name,
            stack_size: self.stack_size,
            idle_timeout: self.idle_timeout,
            on_thread_start: self.on_thread_start,
            on_thread_count: self.on_thread_count,
            spawner: self.spawner,
        })
    }
}
