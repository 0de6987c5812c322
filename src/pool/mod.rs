//! `AtqPool`: real worker threads around one [`Dispatch`], usable on its own by any Rust program.
//!
//! Several named classes of work share one pool; each may have a ceiling on the threads that it takes, so that one class
//! cannot starve another. The pool makes no policy choice: who gets the next thread is [`crate::policy::dispatch`]'s
//! decision, and how a decision reaches a thread is argued in `README.md` beside this file. It is not an emulator: it
//! runs closures as they come, in real time, and knows no scenario. Called by `engine::threaded`, benches and users.
//!
//! ```
//! use atqsim::pool::{AtqPool, Ceiling};
//! use std::sync::mpsc;
//!
//! let mut builder = AtqPool::builder();
//! let mail = builder.class("mail", Ceiling::Threads(3));
//! let web = builder.class("web", Ceiling::None);
//! let pool = builder.threads(4).build();
//!
//! let (send, receive) = mpsc::channel();
//! for n in 0..10 {
//!     let send = send.clone();
//!     pool.spawn(if n % 2 == 0 { mail } else { web }, move || send.send(n).unwrap()).unwrap();
//! }
//! drop(send);
//! assert_eq!(receive.iter().sum::<i32>(), 45);
//! assert!(pool.stop().is_empty());
//! ```

mod builder;
mod worker;

pub use builder::{Builder, Ceiling};
pub use worker::blocking;

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::ids::{ClassId, ThreadId};
use crate::policy::decision_log::{DecisionLog, LogLine};
use crate::policy::dispatch::{ClassCounts, Counts, Decision, Dispatch, Event, Laws, Ticket};

/// A closure for the pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// Why a closure was not taken. It is given back.
pub enum SpawnError {
    /// The class has no room left for waiting items. Remedy: wait, or raise its `max_waiting`.
    Full(Job),
    /// The pool was stopped. Remedy: none; it takes no more work.
    Stopped(Job),
    /// The system refuses every thread, so nothing could ever run. Remedy: raise the limit on threads (`ulimit -u`).
    NoThreads(Job),
}

impl fmt::Debug for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::Full(_) => "Full",
            SpawnError::Stopped(_) => "Stopped",
            SpawnError::NoThreads(_) => "NoThreads",
        })
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnError::Full(_) => "the class has no room for another waiting item; wait, or raise its max_waiting",
            SpawnError::Stopped(_) => "the pool was stopped and takes no more work",
            SpawnError::NoThreads(_) => "the system refuses every thread; raise its limit on threads (ulimit -u)",
        })
    }
}

impl std::error::Error for SpawnError {}

/// What the pool has counted beside the policy's [`Counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Closures that panicked. Their threads and grants went on.
    pub panics: u64,
    /// Threads that the system refused to create.
    pub threads_refused: u32,
    /// The most threads that existed together.
    pub live_threads_max: u32,
}

/// A pool of threads. See the module's head. Dropping it stops it and waits for what runs.
#[derive(Debug)]
pub struct AtqPool {
    shared: Arc<Shared>,
}

/// What lies on a thread's seat.
enum Note {
    Run(Job),
    Retire,
}

#[derive(Default)]
struct Seat {
    note: Option<Note>,
    call: Arc<Condvar>,
    handle: Option<JoinHandle<()>>,
}

struct State {
    dispatch: Dispatch<Job>,
    decisions: Vec<Decision<Job>>,
    seats: Vec<Seat>,
    /// Threads that the policy wants and nobody has created yet.
    wanted: Vec<ThreadId>,
    /// Handles of threads that have ended or will without being asked again.
    ended: Vec<JoinHandle<()>>,
    log: Option<DecisionLog>,
    on_decisions: Option<Observer>,
    stopped: bool,
    tally: Tally,
}

type Observer = Box<dyn FnMut(&LogLine) + Send>;
type Hook = Box<dyn Fn() + Send + Sync>;
type Gauge = Box<dyn Fn(Counts) + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    name: String,
    stack_size: usize,
    idle_timeout: Option<Duration>,
    on_thread_start: Option<Hook>,
    on_thread_count: Option<Gauge>,
    spawner: builder::Spawner,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({})", self.name)
    }
}

/// The policy's answer to one event, as far as the teller needs it.
#[derive(Default)]
struct Answer {
    ticket: Option<Ticket>,
    given_back: Option<Job>,
}

impl State {
    /// Steps `Tell` and `Note` of the protocol. `teller` is the pool's thread that tells, if it is one.
    fn tell(&mut self, event: Event<Job>, teller: Option<ThreadId>) -> Answer {
        let erased = (self.log.is_some() || self.on_decisions.is_some()).then(|| event.erased());
        let mut decisions = std::mem::take(&mut self.decisions);
        self.dispatch.apply(event, &mut decisions);
        if let (Some(log), Some(event)) = (&mut self.log, erased) {
            log.note(event, &decisions);
        }
        if let (Some(observer), Some(event)) = (&mut self.on_decisions, erased) {
            observer(&LogLine::of(event, &decisions));
        }
        let mut answer = Answer::default();
        for decision in decisions.drain(..) {
            match decision {
                Decision::Queued { ticket } => answer.ticket = Some(ticket),
                Decision::Refused { job } | Decision::Left { job } => answer.given_back = Some(job),
                Decision::Start { thread, job, .. } => self.note(thread, Note::Run(job), teller),
                Decision::Retire { thread } => self.note(thread, Note::Retire, teller),
                Decision::Create { thread } => self.wanted.push(thread),
                Decision::Idle { .. } => {}
            }
        }
        self.decisions = decisions;
        answer
    }

    fn note(&mut self, thread: ThreadId, note: Note, teller: Option<ThreadId>) {
        let seat = &mut self.seats[thread.index()];
        assert!(seat.note.is_none(), "a note would be lost");
        seat.note = Some(note);
        if teller != Some(thread) {
            seat.call.notify_one();
        }
    }
}

impl AtqPool {
    /// A pool to be described.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Hands a closure to the pool. The ticket withdraws it while it waits.
    ///
    /// # Errors
    /// [`SpawnError`], with the closure.
    pub fn spawn(&self, class: ClassId, job: impl FnOnce() + Send + 'static) -> Result<Ticket, SpawnError> {
        self.spawn_job(class, Box::new(job))
    }

    /// [`AtqPool::spawn`] for a closure that is in a box already.
    ///
    /// # Errors
    /// [`SpawnError`], with the closure.
    pub fn spawn_job(&self, class: ClassId, job: Job) -> Result<Ticket, SpawnError> {
        self.shared.spawn_job(class, job)
    }

    /// Takes a closure back that still waits. `None`: a thread has it already, or has had it.
    #[must_use]
    pub fn withdraw(&self, ticket: Ticket) -> Option<Job> {
        self.shared.state.lock().tell(Event::GiveUp { ticket }, None).given_back
    }

    /// Changes a class's ceiling. Lowering it takes no thread away from what runs.
    pub fn set_ceiling(&self, class: ClassId, threads: u32) {
        let mut state = self.shared.state.lock();
        state.tell(Event::SetCap { class, cap: threads }, None);
        self.shared.create_wanted(&mut state);
    }

    /// Changes the pool's size. Surplus threads end when they are idle.
    pub fn set_threads(&self, threads: u32) {
        let mut state = self.shared.state.lock();
        state.tell(Event::SetPoolSize { size: threads }, None);
        self.shared.create_wanted(&mut state);
    }

    /// Counts of the pool at this moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state.lock().dispatch.counts()
    }

    /// Counts of one class at this moment.
    #[must_use]
    pub fn class_counts(&self, class: ClassId) -> ClassCounts {
        self.shared.state.lock().dispatch.class_counts(class)
    }

    /// How often the policy broke a law of its own; anything but zeros is a bug of this crate.
    #[must_use]
    pub fn laws(&self) -> Laws {
        self.shared.state.lock().dispatch.laws()
    }

    /// What went wrong so far, and the most threads there were.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.shared.state.lock().tally
    }

    /// Takes the decision log out, if the pool was built with one.
    #[must_use]
    pub fn take_log(&self) -> Option<DecisionLog> {
        self.shared.state.lock().log.take()
    }

    /// Stops the pool: waiting closures are given back in order of submission, running ones are waited for.
    pub fn stop(&self) -> Vec<(ClassId, Job)> {
        let given_back = self.shared.begin_stop();
        self.shared.join_all();
        given_back
    }

    /// Stops the pool without waiting for what runs: [`AtqPool::stop`], or dropping the pool, waits for it.
    pub fn begin_stop(&self) -> Vec<(ClassId, Job)> {
        self.shared.begin_stop()
    }

    fn with(shared: Shared) -> AtqPool {
        AtqPool { shared: Arc::new(shared) }
    }
}

impl Drop for AtqPool {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

impl Shared {
    fn spawn_job(self: &Arc<Shared>, class: ClassId, job: Job) -> Result<Ticket, SpawnError> {
        let mut state = self.state.lock();
        if state.stopped {
            return Err(SpawnError::Stopped(job));
        }
        let answer = state.tell(Event::Submit { class, job }, worker::current(self));
        if let Some(job) = answer.given_back {
            return Err(SpawnError::Full(job));
        }
        let ticket = answer.ticket.expect("an item is queued or given back");
        self.create_wanted(&mut state);
        let counts = state.dispatch.counts();
        if counts.live_threads + counts.starting_threads == 0 {
            // Every thread was refused. Nobody will ever come for the item.
            if let Some(job) = state.tell(Event::GiveUp { ticket }, None).given_back {
                return Err(SpawnError::NoThreads(job));
            }
        }
        Ok(ticket)
    }

    /// Creates the threads that the policy wants, each outside the mutex.
    fn create_wanted(self: &Arc<Shared>, state: &mut MutexGuard<'_, State>) {
        while let Some(thread) = state.wanted.pop() {
            if state.stopped {
                return;
            }
            if state.seats.len() <= thread.index() {
                state.seats.resize_with(thread.index() + 1, Seat::default);
            }
            // The seat's last thread has retired; somebody still has to wait for its end.
            let old = state.seats[thread.index()].handle.take();
            state.ended.extend(old);
            let shared = Arc::clone(self);
            let body = Box::new(move || worker::work(&shared, thread));
            let name = format!("{}-{}", self.name, thread.0);
            let created = MutexGuard::unlocked(state, || (self.spawner)(name, self.stack_size, body));
            match created {
                Ok(handle) => state.seats[thread.index()].handle = Some(handle),
                Err(_) => {
                    state.tally.threads_refused += 1;
                    state.tell(Event::ThreadRefused { thread }, None);
                }
            }
        }
    }

    fn report_count(&self, state: &State) {
        if let Some(gauge) = &self.on_thread_count {
            gauge(state.dispatch.counts());
        }
    }

    fn begin_stop(&self) -> Vec<(ClassId, Job)> {
        let mut state = self.state.lock();
        state.stopped = true;
        state.wanted.clear();
        for seat in &state.seats {
            seat.call.notify_one();
        }
        state.dispatch.withdraw_all()
    }

    fn join_all(&self) {
        loop {
            let mut state = self.state.lock();
            let mut handles = std::mem::take(&mut state.ended);
            handles.extend(state.seats.iter_mut().filter_map(|seat| seat.handle.take()));
            drop(state);
            if handles.is_empty() {
                return;
            }
            for handle in handles {
                // A pool dropped by one of its own threads cannot wait for that thread.
                if handle.thread().id() != std::thread::current().id() {
                    drop(handle.join());
                }
            }
        }
    }
}
