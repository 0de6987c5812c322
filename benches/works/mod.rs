//! The two pieces of work on which speed is compared: M/M/20, and seven classes of which two are capped.
//!
//! Not a bench: `benches/virtual_time.rs` and the crate `benches/peers` both take it in, so that there is one
//! definition of the work. [`engine`] does it with this program's engine, [`heap_loop`] by hand; [`station`] is what
//! every Rust contender but the engine shares: the queues, the generator and the two histograms of a class.

pub(crate) mod engine;
pub(crate) mod heap_loop;
pub(crate) mod station;

/// Threads of the pool.
pub(crate) const THREADS: u32 = 20;
/// Customers of all classes together, per second; as many as occupy 90 % of the threads.
pub(crate) const ARRIVALS_PER_S: f64 = 180.0;
/// Mean service time of every class, in seconds. Services and gaps between arrivals are exponential.
pub(crate) const SERVICE_MEAN_S: f64 = 0.1;

/// One class of customers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// Part of the customers, in percent.
    pub(crate) percent: u32,
    /// Most threads that it holds.
    pub(crate) cap: u32,
}

/// One piece of work.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) classes: &'static [Class],
}

/// M/M/20 at load 0.9.
pub(crate) static A: Work =
    Work { name: "A", what: "M/M/20, load 0.9", classes: &[Class { name: "calls", percent: 100, cap: THREADS }] };

/// Seven classes, first in first out with skip of a capped class.
pub(crate) static B: Work = Work {
    name: "B",
    what: "7 classes on 20 threads, load 0.9, two capped at 18",
    classes: &[
        Class { name: "bulk", percent: 70, cap: 18 },
        Class { name: "lists", percent: 10, cap: 18 },
        Class { name: "mail", percent: 4, cap: THREADS },
        Class { name: "web", percent: 4, cap: THREADS },
        Class { name: "chat", percent: 4, cap: THREADS },
        Class { name: "sync", percent: 4, cap: THREADS },
        Class { name: "admin", percent: 4, cap: THREADS },
    ],
};

/// What came of one class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) customers: u64,
    pub(crate) mean_wait_us: f64,
    /// The most threads that it held at one moment.
    pub(crate) busy_most: u32,
}

/// What came of a run: one entry for each class.
pub(crate) type Outcome = Vec<Served>;

/// Customers of all classes together.
pub(crate) fn customers(outcome: &[Served]) -> u64 {
    outcome.iter().map(|class| class.customers).sum()
}
