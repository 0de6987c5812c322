//! Contenders of a few lines each: threads around one queue.
//!
//! Not pools to use: no panic is caught. What one writes when no library is at hand.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::{Kind, Pool};

type Job = Box<dyn FnOnce() + Send>;

/// Starts so many threads that all do the same.
fn start(threads: usize, work: impl Fn() + Send + Clone + 'static) -> Vec<JoinHandle<()>> {
    (0..threads).map(|_| std::thread::spawn(work.clone())).collect()
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        thread.join().expect("no closure of a bench panics");
    }
}

/// Threads that receive from one unbounded channel of `crossbeam-channel`.
#[derive(Debug)]
pub(crate) struct Crossbeam {
    queue: Option<crossbeam::channel::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for Crossbeam {
    const NAME: &'static str = "crossbeam-channel workers";
    const KIND: Kind = Kind::Uncapped;

    fn new(threads: usize) -> Crossbeam {
        let (queue, jobs) = crossbeam::channel::unbounded::<Job>();
        let work = move || {
            while let Ok(job) = jobs.recv() {
                job();
            }
        };
        Crossbeam { queue: Some(queue), threads: start(threads, work) }
    }

    fn run(&self, _: usize, job: impl FnOnce() + Send + 'static) {
        self.queue.as_ref().expect("open").send(Box::new(job)).expect("threads receive");
    }
}

impl Drop for Crossbeam {
    fn drop(&mut self) {
        self.queue = None;
        join(&mut self.threads);
    }
}

/// Threads that receive from one channel of the standard library, in turns under a mutex.
#[derive(Debug)]
pub(crate) struct Mpsc {
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for Mpsc {
    const NAME: &'static str = "std mpsc + mutex";
    const KIND: Kind = Kind::Uncapped;

    fn new(threads: usize) -> Mpsc {
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(std::sync::Mutex::new(jobs));
        let work = move || {
            loop {
                // The lock is held while the thread waits for a closure, and not while it runs it.
                let job = jobs.lock().expect("nobody panics here").recv();
                let Ok(job) = job else { return };
                job();
            }
        };
        Mpsc { queue: Some(queue), threads: start(threads, work) }
    }

    fn run(&self, _: usize, job: impl FnOnce() + Send + 'static) {
        self.queue.as_ref().expect("open").send(Box::new(job)).expect("threads receive");
    }
}

impl Drop for Mpsc {
    fn drop(&mut self) {
        self.queue = None;
        join(&mut self.threads);
    }
}

/// One mutex, one queue, one condition variable that is notified on every submission.
#[derive(Debug)]
pub(crate) struct Waker {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    call: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    fn take(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            self.call.wait(&mut queue);
        }
    }
}

impl Pool for Waker {
    const NAME: &'static str = "notify on every submit";
    const KIND: Kind = Kind::Waker;

    fn new(threads: usize) -> Waker {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let work = move || {
            while let Some(job) = own.take() {
                job();
            }
        };
        Waker { shared, threads: start(threads, work) }
    }

    fn run(&self, _: usize, job: impl FnOnce() + Send + 'static) {
        let job = Box::new(job);
        self.shared.queue.lock().jobs.push_back(job);
        self.shared.call.notify_one();
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.call.notify_all();
        join(&mut self.threads);
    }
}
