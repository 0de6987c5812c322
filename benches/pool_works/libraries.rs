//! The two libraries that also the short bench has beside `AtqPool`: rayon, and tokio with a semaphore per class.
//!
//! Not all peers: the others are dependencies of the package `benches/pool-peers` alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use super::{CAPPED, CLASSES, Kind, Pool, ceiling};

/// `rayon::ThreadPool::spawn`.
#[derive(Debug)]
pub(crate) struct Rayon(rayon::ThreadPool);

impl Pool for Rayon {
    const NAME: &'static str = "rayon spawn";
    const KIND: Kind = Kind::Uncapped;

    fn new(threads: usize) -> Rayon {
        Rayon(rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("the system gives threads"))
    }

    fn run(&self, _: usize, job: impl FnOnce() + Send + 'static) {
        self.0.spawn(job);
    }
}

/// A runtime whose blocking pool has so many threads and keeps them.
pub(crate) fn runtime(threads: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.max_blocking_threads(threads).thread_keep_alive(Duration::from_secs(3600)).enable_time();
    builder.build().expect("the system gives threads")
}

/// One semaphore for each class; those without a ceiling have as many permits as there are threads.
pub(crate) fn semaphores(threads: usize) -> Vec<Arc<Semaphore>> {
    let permits = |class| if class < CAPPED { ceiling(threads) } else { threads };
    (0..CLASSES).map(|class| Arc::new(Semaphore::new(permits(class)))).collect()
}

/// A task that awaits a permit of its class and gives the closure and the permit to `spawn_blocking`.
#[derive(Debug)]
pub(crate) struct TokioSemaphore {
    runtime: Runtime,
    classes: Vec<Arc<Semaphore>>,
}

impl Pool for TokioSemaphore {
    const NAME: &'static str = "tokio + Semaphore";
    const KIND: Kind = Kind::Capped;
    const FEWER: u64 = 4;

    fn new(threads: usize) -> TokioSemaphore {
        TokioSemaphore { runtime: runtime(threads), classes: semaphores(threads) }
    }

    fn run(&self, class: usize, job: impl FnOnce() + Send + 'static) {
        let class = Arc::clone(&self.classes[class]);
        self.runtime.spawn(async move {
            let permit = class.acquire_owned().await.expect("never closed");
            tokio::task::spawn_blocking(move || {
                job();
                drop(permit);
            });
        });
    }
}
