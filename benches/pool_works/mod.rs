//! Pools side by side: the same work for each, in turns, and what came of it.
//!
//! Not a bench: `benches/pool.rs` (`AtqPool` and a few peers, short) and the package `benches/pool-peers` (all peers,
//! long) both take it in, so that there is one definition of the work. [`Pool`] is what a contender has to offer;
//! [`atq`] is the only file that names `AtqPool`.
//!
//! A contender gets a closure as it is, unboxed, and boxes or allocates it in its own way, once. No closure is of size
//! zero, because a box of such a closure allocates nothing: the smallest one captures one reference.

pub(crate) mod aims;
pub(crate) mod atq;
pub(crate) mod board;
pub(crate) mod latency;
pub(crate) mod libraries;
pub(crate) mod queues;
pub(crate) mod session;
pub(crate) mod sleeps;
pub(crate) mod starvation;
pub(crate) mod table;
pub(crate) mod throughput;
pub(crate) mod turns;

use std::time::Duration;

use hdrhistogram::Histogram;

/// Classes of closures.
pub(crate) const CLASSES: usize = 7;
/// The first so many classes have a ceiling, at [`ceiling`] threads; peers without caps know no classes.
pub(crate) const CAPPED: usize = 2;
/// A class without a ceiling.
pub(crate) const UNCAPPED: usize = CAPPED;
/// The ceiling in percent of the threads.
pub(crate) const CEILING_PERCENT: u32 = 90;

/// The ceiling in threads, for peers that want a number.
pub(crate) fn ceiling(threads: usize) -> usize {
    (threads * CEILING_PERCENT as usize / 100).max(1)
}

/// How a contender is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `AtqPool`: the two ceilings are enforced
    Ours,
    /// Runs everything as it comes, on all threads
    Uncapped,
    /// Enforces the two ceilings in its own way
    Capped,
    /// Wakes a thread on every submission, against which latency is held; of our making, so no peer of throughput
    Waker,
}

/// What a contender does. Dropping it ends its threads, at the latest soon after.
pub(crate) trait Pool: Sync + Sized {
    /// What tables call it.
    const NAME: &'static str;
    /// How it is compared.
    const KIND: Kind;
    /// Out of how many closures of the others it gets one in throughput: who is slow gets fewer.
    const FEWER: u64 = 1;

    /// A pool of at most so many threads. They may come with the work.
    fn new(threads: usize) -> Self;

    /// Hands over a closure of a class below [`CLASSES`], in the way in which this pool wants it.
    fn run(&self, class: usize, job: impl FnOnce() + Send + 'static);
}

/// A contender: every workload, compiled for one pool.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Closures per second.
    pub(crate) throughput: fn(&throughput::Work) -> f64,
    /// Nanoseconds from submission to start.
    pub(crate) latency: fn(&latency::Work) -> Histogram<u64>,
    /// How long all sleeps took.
    pub(crate) sleeps: fn(&sleeps::Work) -> Duration,
    /// Nanoseconds that the asking class waited.
    pub(crate) starvation: fn(&starvation::Work) -> Histogram<u64>,
}

impl Contender {
    pub(crate) const fn of<P: Pool>() -> Contender {
        Contender {
            name: P::NAME,
            kind: P::KIND,
            throughput: throughput::run::<P>,
            latency: latency::run::<P>,
            sleeps: sleeps::run::<P>,
            starvation: starvation::run::<P>,
        }
    }
}

/// `AtqPool`, the waker, and the four peers that every run has.
pub(crate) fn few() -> Vec<Contender> {
    vec![
        Contender::of::<atq::Atq>(),
        Contender::of::<queues::Waker>(),
        Contender::of::<queues::Crossbeam>(),
        Contender::of::<queues::Mpsc>(),
        Contender::of::<libraries::Rayon>(),
        Contender::of::<libraries::TokioSemaphore>(),
    ]
}
