//! Question: what does one decision of the policy cost, with the caps enforced?
//!
//! Workload: a pool of 20 threads kept busy; one iteration is one submission and one finish (two events), over one
//! class, and over seven classes of which two are capped at 18. No threads, no clock, no randomness in the loop.

use std::hint::black_box;

use atqsim::ids::{ClassId, ThreadId};
use atqsim::policy::dispatch::{ClassRule, Decision, Dispatch, Event, Kind, Rules};
use atqsim::policy::drain::Drain;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const THREADS: u32 = 20;

/// A dispatch whose threads are all busy and whose backlog is `backlog` items, and the busy threads in turn.
struct Busy {
    dispatch: Dispatch<u32>,
    out: Vec<Decision<u32>>,
    threads: Vec<ThreadId>,
    next: usize,
    classes: u16,
    submitted: u32,
}

impl Busy {
    fn new(classes: Vec<ClassRule>, backlog: u32) -> Busy {
        let count = classes.len() as u16;
        let rules = Rules { pool_size: THREADS, classes, ..Rules::default() };
        let dispatch = Dispatch::new(&rules);
        let mut busy = Busy { dispatch, out: Vec::new(), threads: Vec::new(), next: 0, classes: count, submitted: 0 };
        for _ in 0..THREADS + backlog {
            busy.submit();
        }
        busy
    }

    fn submit(&mut self) {
        let class = ClassId((self.submitted % u32::from(self.classes)) as u16);
        self.tell(Event::Submit { class, job: self.submitted });
        self.submitted += 1;
    }

    fn finish(&mut self) {
        let thread = self.threads[self.next % self.threads.len()];
        self.next += 1;
        self.tell(Event::Finishes { thread });
    }

    fn tell(&mut self, event: Event<u32>) {
        self.out.clear();
        self.dispatch.apply(event, &mut self.out);
        let created = self.out.iter().find_map(|d| match d {
            Decision::Create { thread } => Some(*thread),
            _ => None,
        });
        if let Some(thread) = created {
            self.threads.push(thread);
            self.out.clear();
            self.dispatch.apply(Event::ThreadStarted { thread }, &mut self.out);
        }
        black_box(&self.out);
    }
}

fn bench(c: &mut Criterion) {
    let requests = ClassRule::default();
    let queue = |cap| ClassRule { kind: Kind::WorkQueue { cap, drain: Drain::Messages(1) }, ..ClassRule::default() };
    let mut seven = vec![queue(18), queue(18)];
    seven.extend([requests; 5]);
    let mut group = c.benchmark_group("dispatch");
    group.throughput(Throughput::Elements(1));
    for (name, classes) in [("one class", vec![requests]), ("seven classes, two capped", seven)] {
        let mut busy = Busy::new(classes, 100);
        group.bench_function(name, |b| {
            b.iter(|| {
                busy.submit();
                busy.finish();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
