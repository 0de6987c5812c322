//! The peers that only the long run has.
//!
//! Each is called in the way in which one would call it; what is capped is capped by what people put around it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Runtime;
use tower::limit::ConcurrencyLimit;
use tower::{ServiceExt, service_fn};

use crate::works::libraries::{runtime, semaphores};
use crate::works::{CAPPED, Kind, Pool, ceiling};

/// `threadpool::ThreadPool::execute`.
#[derive(Debug)]
pub(crate) struct ThreadPool(threadpool::ThreadPool);

impl Pool for ThreadPool {
    const NAME: &'static str = "threadpool";
    const KIND: Kind = Kind::Uncapped;

    fn new(threads: usize) -> ThreadPool {
        ThreadPool(threadpool::ThreadPool::new(threads))
    }

    fn run(&self, _: usize, job: impl FnOnce() + Send + 'static) {
        self.0.execute(job);
    }
}

/// `rusty_pool::ThreadPool::execute`, with as many core threads as threads.
pub(crate) struct RustyPool(Option<rusty_pool::ThreadPool>);

impl Pool for RustyPool {
    const NAME: &'static str = "rusty_pool";
    const KIND: Kind = Kind::Uncapped;

    fn new(threads: usize) -> RustyPool {
        RustyPool(Some(rusty_pool::ThreadPool::new(threads, threads, Duration::from_secs(3600))))
    }

    fn run(&self, _: usize, job: impl FnOnce() + Send + 'static) {
        self.0.as_ref().expect("open").execute(job);
    }
}

impl Drop for RustyPool {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            pool.shutdown_join();
        }
    }
}

/// tokio's `spawn_blocking` and nothing else.
#[derive(Debug)]
pub(crate) struct SpawnBlocking(Runtime);

impl Pool for SpawnBlocking {
    const NAME: &'static str = "tokio spawn_blocking";
    const KIND: Kind = Kind::Uncapped;

    fn new(threads: usize) -> SpawnBlocking {
        SpawnBlocking(runtime(threads))
    }

    fn run(&self, _: usize, job: impl FnOnce() + Send + 'static) {
        self.0.spawn_blocking(job);
    }
}

/// `threadpool` with a counting semaphore for each capped class, which the closure acquires when it is already on a
/// thread: the ceiling holds, and a thread that waits for a permit is lost to everybody. It is what people do.
#[derive(Debug)]
pub(crate) struct ThreadPoolSemaphore {
    pool: threadpool::ThreadPool,
    capped: Vec<Arc<Permits>>,
}

impl Pool for ThreadPoolSemaphore {
    const NAME: &'static str = "threadpool + semaphore";
    const KIND: Kind = Kind::Capped;

    fn new(threads: usize) -> ThreadPoolSemaphore {
        let permits = || Arc::new(Permits { free: Mutex::new(ceiling(threads)), call: Condvar::new() });
        let capped = (0..CAPPED).map(|_| permits()).collect();
        ThreadPoolSemaphore { pool: threadpool::ThreadPool::new(threads), capped }
    }

    fn run(&self, class: usize, job: impl FnOnce() + Send + 'static) {
        let Some(permits) = self.capped.get(class) else { return self.pool.execute(job) };
        let permits = Arc::clone(permits);
        self.pool.execute(move || {
            permits.acquire();
            job();
            permits.release();
        });
    }
}

/// A counting semaphore for which threads wait.
#[derive(Debug)]
struct Permits {
    free: Mutex<usize>,
    call: Condvar,
}

impl Permits {
    fn acquire(&self) {
        let mut free = self.free.lock();
        while *free == 0 {
            self.call.wait(&mut free);
        }
        *free -= 1;
    }

    fn release(&self) {
        *self.free.lock() += 1;
        self.call.notify_one();
    }
}

/// `tokio + Semaphore` again, kinder to it: classes without a ceiling go to `spawn_blocking` at once.
#[derive(Debug)]
pub(crate) struct TokioTwoSemaphores {
    runtime: Runtime,
    capped: Vec<Arc<tokio::sync::Semaphore>>,
}

impl Pool for TokioTwoSemaphores {
    const NAME: &'static str = "tokio + Semaphore, capped classes only";
    const KIND: Kind = Kind::Capped;
    const FEWER: u64 = 2;

    fn new(threads: usize) -> TokioTwoSemaphores {
        let mut capped = semaphores(threads);
        capped.truncate(CAPPED);
        TokioTwoSemaphores { runtime: runtime(threads), capped }
    }

    fn run(&self, class: usize, job: impl FnOnce() + Send + 'static) {
        let Some(permits) = self.capped.get(class) else {
            self.runtime.spawn_blocking(job);
            return;
        };
        let permits = Arc::clone(permits);
        self.runtime.spawn(async move {
            let permit = permits.acquire_owned().await.expect("never closed");
            tokio::task::spawn_blocking(move || {
                job();
                drop(permit);
            });
        });
    }
}

/// tower's `ConcurrencyLimit` around a service that does `spawn_blocking`, one for each class.
///
/// The service of a class is made for each call around the class's semaphore, which costs what a clone of it costs and
/// leaves the closure unboxed until `spawn_blocking` has it. The permit is held until the closure's task has been joined.
#[derive(Debug)]
pub(crate) struct Tower {
    runtime: Runtime,
    classes: Vec<Arc<tokio::sync::Semaphore>>,
}

impl Pool for Tower {
    const NAME: &'static str = "tower ConcurrencyLimit";
    const KIND: Kind = Kind::Capped;
    const FEWER: u64 = 4;

    fn new(threads: usize) -> Tower {
        Tower { runtime: runtime(threads), classes: semaphores(threads) }
    }

    fn run(&self, class: usize, job: impl FnOnce() + Send + 'static) {
        let service = service_fn(tokio::task::spawn_blocking);
        let service = ConcurrencyLimit::with_semaphore(service, Arc::clone(&self.classes[class]));
        self.runtime.spawn(async move { service.oneshot(job).await.expect("no closure of a bench panics") });
    }
}
