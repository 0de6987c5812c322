//! What every Rust contender but the engine shares: queues, threads, draws and two histograms for each class.
//!
//! Not a calendar: who calls it keeps the events, says when something comes or ends, and is told which customer starts.
//! So the contenders differ in their calendars only. Called by the heap loops and by the peers.

use std::collections::VecDeque;

use hdrhistogram::Histogram;
use rand_distr::{Distribution as _, Exp1, StandardUniform};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::{ARRIVALS_PER_S, Outcome, SERVICE_MEAN_S, Served, THREADS, Work};

/// Random draws: xoshiro256++, and a ziggurat for the exponential ones.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    generator: Xoshiro256PlusPlus,
    /// For each class but the last, the part of the customers up to and with it.
    below: Vec<f64>,
}

/// A customer that came, waiting or in service. Times are in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Customer {
    pub(crate) class: u32,
    pub(crate) came: u64,
}

#[derive(Debug)]
struct ClassState {
    cap: u32,
    busy: u32,
    busy_most: u32,
    /// When each came, and which one it was of all.
    queue: VecDeque<(u64, u64)>,
    wait: Histogram<u64>,
    total: Histogram<u64>,
    wait_ns: u64,
}

/// Threads, queues and figures.
#[derive(Debug)]
pub(crate) struct Station {
    classes: Vec<ClassState>,
    idle: u32,
    came: u64,
}

impl Draws {
    pub(crate) fn new(work: &Work, seed: u64) -> Draws {
        let mut sum = 0.0;
        let mut below: Vec<f64> = Vec::new();
        for class in &work.classes[..work.classes.len() - 1] {
            sum += f64::from(class.percent) / 100.0;
            below.push(sum);
        }
        Draws { generator: Xoshiro256PlusPlus::seed_from_u64(seed), below }
    }

    fn exponential(&mut self, mean_s: f64) -> u64 {
        let unit: f64 = Exp1.sample(&mut self.generator);
        // A length of 0 is more than some calendars take.
        ((unit * (mean_s * 1e9)) as u64).max(1)
    }

    /// Time until the next customer, in nanoseconds; at least 1.
    #[inline]
    pub(crate) fn gap(&mut self) -> u64 {
        self.exponential(1.0 / ARRIVALS_PER_S)
    }

    /// Length of a service, in nanoseconds; at least 1.
    #[inline]
    pub(crate) fn service(&mut self) -> u64 {
        self.exponential(SERVICE_MEAN_S)
    }

    /// The class of the next customer.
    #[inline]
    pub(crate) fn class(&mut self) -> u32 {
        if self.below.is_empty() {
            return 0;
        }
        let unit: f64 = StandardUniform.sample(&mut self.generator);
        self.below.iter().take_while(|below| unit >= **below).count() as u32
    }
}

impl Station {
    pub(crate) fn new(work: &Work) -> Station {
        let histogram = || Histogram::new(3).expect("3 digits are allowed");
        let state = |class: &super::Class| ClassState {
            cap: class.cap,
            busy: 0,
            busy_most: 0,
            queue: VecDeque::new(),
            wait: histogram(),
            total: histogram(),
            wait_ns: 0,
        };
        Station { classes: work.classes.iter().map(state).collect(), idle: THREADS, came: 0 }
    }

    /// How many have come.
    #[inline]
    pub(crate) fn came(&self) -> u64 {
        self.came
    }

    /// One comes. `true`: a thread begins with it at once; else it waits.
    #[inline]
    pub(crate) fn comes(&mut self, customer: Customer) -> bool {
        let number = self.came;
        self.came += 1;
        let class = &mut self.classes[customer.class as usize];
        // Who could start has started: so nobody whom it could overtake waits.
        let starts = self.idle > 0 && class.busy < class.cap;
        if starts {
            self.idle -= 1;
            class.starts(customer.came, customer.came);
        } else {
            class.queue.push_back((customer.came, number));
        }
        starts
    }

    /// A service ends. The answer is who starts on the thread: the oldest of all whose class is below its cap.
    #[inline]
    pub(crate) fn ends(&mut self, customer: Customer, now: u64) -> Option<Customer> {
        let class = &mut self.classes[customer.class as usize];
        class.busy -= 1;
        class.total.record((now - customer.came) / 1_000).expect("the histogram grows as needed");
        let mut oldest: Option<(u64, usize)> = None;
        for (at, class) in self.classes.iter().enumerate() {
            if class.busy < class.cap
                && let Some(&(_, number)) = class.queue.front()
                && oldest.is_none_or(|(least, _)| number < least)
            {
                oldest = Some((number, at));
            }
        }
        let Some((_, at)) = oldest else {
            self.idle += 1;
            return None;
        };
        let class = &mut self.classes[at];
        let (came, _) = class.queue.pop_front()?;
        class.starts(came, now);
        Some(Customer { class: at as u32, came })
    }

    /// The figures, with the quantiles that a report would have.
    pub(crate) fn close(&self) -> Outcome {
        let close = |class: &ClassState| {
            for quantile in [0.5, 0.9, 0.99, 0.999] {
                std::hint::black_box(class.wait.value_at_quantile(quantile));
                std::hint::black_box(class.total.value_at_quantile(quantile));
            }
            let mean_wait_us = class.wait_ns as f64 / class.wait.len().max(1) as f64 / 1e3;
            Served { customers: class.total.len(), mean_wait_us, busy_most: class.busy_most }
        };
        self.classes.iter().map(close).collect()
    }
}

impl ClassState {
    #[inline]
    fn starts(&mut self, came: u64, now: u64) {
        self.busy += 1;
        self.busy_most = self.busy_most.max(self.busy);
        self.wait.record((now - came) / 1_000).expect("the histogram grows as needed");
        self.wait_ns += now - came;
    }
}
