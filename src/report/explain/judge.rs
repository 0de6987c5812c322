//! What averages already tell about a plan: how many threads the load asks for, and where that is more than there are.
//!
//! Not a simulation: no queue, no chance, no time. What it finds will happen; what it does not find may happen all the
//! same. Pure functions, called by `explain`.

use std::sync::Arc;

use crate::plan::{Offered, Plan, Role};
use crate::time::Nanos;
use crate::workload::arrivals::Pattern;
use crate::workload::distribution::Distribution;
use crate::workload::faults::{Effect, Target};
use crate::workload::journey::{Arrivals, PhaseKind};

/// A stretch of time in which the offered load stays what it is, or lies on one straight line.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct Level {
    /// When it holds: from, until. More than one where the load comes back to it.
    pub(in crate::report) spans: Vec<(Nanos, Nanos)>,
    /// The load of each class: at the worse end of the stretch, faults included.
    pub(in crate::report) offered: Vec<Offered>,
    /// The load changes within the stretch.
    pub(in crate::report) changing: bool,
    /// Faults that are active.
    pub(in crate::report) faults: usize,
}

/// The different loads of a plan, in order of their first appearance.
pub(in crate::report) fn levels(plan: &Plan) -> Vec<Level> {
    let moments = moments(plan);
    let mut levels: Vec<Level> = Vec::new();
    for (at, from) in moments.iter().enumerate() {
        let until = moments.get(at + 1).copied().unwrap_or(plan.duration);
        if until <= *from {
            continue;
        }
        let faulty = with_faults(plan, *from);
        let (first, last) = (faulty.offered(*from), faulty.offered(Nanos(until.0 - 1)));
        let changing = first.iter().zip(&last).any(|(a, b)| (a.threads() - b.threads()).abs() > 1e-6);
        let (total, total_last) = (sum(&first), sum(&last));
        let offered = if total_last > total { last } else { first };
        let faults = active_faults(plan, *from).count();
        let same =
            |level: &&mut Level| level.changing == changing && level.faults == faults && near(&level.offered, &offered);
        match levels.iter_mut().find(same) {
            Some(level) => match level.spans.last_mut() {
                Some(span) if span.1 == *from => span.1 = until,
                _ => level.spans.push((*from, until)),
            },
            None => levels.push(Level { spans: vec![(*from, until)], offered, changing, faults }),
        }
    }
    levels
}

/// Threads held by all of them.
pub(in crate::report) fn sum(offered: &[Offered]) -> f64 {
    offered.iter().map(Offered::threads).sum()
}

/// Threads that are on a processor, of all of them.
pub(in crate::report) fn processors(offered: &[Offered]) -> f64 {
    offered.iter().map(|o| o.cpu_threads).sum()
}

fn near(a: &[Offered], b: &[Offered]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a.threads() - b.threads()).abs() < 1e-6 && (a.per_second - b.per_second).abs() < 1e-6)
}

/// When the load or the faults may change, in order; the first is the begin.
fn moments(plan: &Plan) -> Vec<Nanos> {
    let mut moments = vec![Nanos::ZERO];
    for source in &plan.load.sources {
        if let Arrivals::Open { pattern: Pattern::Rate { rate, .. }, .. } = &source.arrivals {
            moments.extend(rate.breaks(plan.duration));
        }
    }
    moments.extend(plan.load.faults.iter().flat_map(|fault| [fault.from, fault.until]));
    moments.retain(|moment| *moment < plan.duration);
    moments.sort_unstable();
    moments.dedup();
    moments
}

fn active_faults(plan: &Plan, at: Nanos) -> impl Iterator<Item = &crate::workload::faults::Fault> {
    let lengthens = |effect: &Effect| matches!(effect, Effect::Slower(_) | Effect::Hangs { .. });
    plan.load.faults.iter().filter(move |f| f.from <= at && at < f.until && lengthens(&f.effect))
}

/// The plan with every wait at its mean length under the faults of a moment.
fn with_faults(plan: &Plan, at: Nanos) -> Plan {
    let mut plan_then = plan.clone();
    if active_faults(plan, at).next().is_none() {
        return plan_then;
    }
    let mut load = (*plan.load).clone();
    for stage in &mut load.stages {
        let class = stage.class;
        for phase in &mut stage.phases {
            let PhaseKind::Wait(on) = phase.kind else { continue };
            let mut mean = phase.time.mean_ns();
            for fault in active_faults(plan, at) {
                let hit = match fault.target {
                    Target::Dependency(dependency) => dependency == on,
                    Target::Class(target) => target == class,
                };
                match fault.effect {
                    Effect::Slower(factor) if hit => mean *= factor,
                    Effect::Hangs { lasts, share } if hit => mean = mean * (1.0 - share) + lasts.0 as f64 * share,
                    _ => {}
                }
            }
            phase.time = Distribution::Constant(Nanos::from_f64(mean));
        }
    }
    plan_then.load = Arc::new(load);
    plan_then
}

/// Trouble that averages foretell.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) enum Trouble {
    /// A heavy queue is offered more threads than it may hold: it grows.
    QueueOverCap {
        /// Which class.
        class: usize,
        /// Threads offered.
        offered: f64,
        /// Threads that it may hold.
        cap: u32,
    },
    /// All classes together are offered more threads than the pool has.
    PoolExceeded {
        /// Threads offered.
        offered: f64,
        /// Threads of the pool.
        size: u32,
    },
    /// What the work queues will hold leaves less than the requests need, so requests wait behind them.
    RequestsWait {
        /// Threads that the work queues will hold.
        queues_hold: f64,
        /// Threads that requests need.
        requests: f64,
        /// Threads of the pool.
        size: u32,
    },
    /// More work for processors than there are processors (or runnable threads).
    ProcessorsExceeded {
        /// Processors offered work for.
        offered: f64,
        /// Processors, or runnable threads where those are fewer.
        limit: u32,
    },
}

/// What of a pool and its classes decides.
#[derive(Clone, Debug)]
pub(in crate::report) struct Limits {
    /// Threads of the pool.
    pub(in crate::report) size: u32,
    /// Emulated processors, or runnable threads where those are fewer.
    pub(in crate::report) processors: u32,
    /// Each class: its role and the most threads that it may hold.
    pub(in crate::report) classes: Vec<(Role, u32)>,
}

/// The troubles of a load, the most telling first.
pub(in crate::report) fn troubles(limits: &Limits, offered: &[Offered]) -> Vec<Trouble> {
    let mut found = Vec::new();
    let of = |role: Role| matches!(role, Role::HeavyQueue | Role::LightQueue);
    let (mut queues_hold, mut requests) = (0.0, 0.0);
    for ((role, cap), offered) in limits.classes.iter().zip(offered) {
        if of(*role) {
            queues_hold += offered.threads().min(f64::from(*cap));
        } else {
            requests += offered.threads();
        }
    }
    let size = limits.size;
    let queues_hold = queues_hold.min(f64::from(size));
    if requests > 0.0 && queues_hold > 0.0 && queues_hold + requests > f64::from(size) {
        found.push(Trouble::RequestsWait { queues_hold, requests, size });
    }
    for (class, ((role, cap), offered)) in limits.classes.iter().zip(offered).enumerate() {
        if of(*role) && offered.threads() > f64::from(*cap) {
            found.push(Trouble::QueueOverCap { class, offered: offered.threads(), cap: *cap });
        }
    }
    if sum(offered) > f64::from(size) {
        found.push(Trouble::PoolExceeded { offered: sum(offered), size });
    }
    if processors(offered) > f64::from(limits.processors) {
        found.push(Trouble::ProcessorsExceeded { offered: processors(offered), limit: limits.processors });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::plan;
    use super::*;

    /// One protocol and two heavy queues on two processors.
    fn limits(size: u32, cap: u32) -> Limits {
        Limits {
            size,
            processors: 2,
            classes: vec![(Role::Protocol, size), (Role::HeavyQueue, cap), (Role::HeavyQueue, cap)],
        }
    }

    fn words(limits: &Limits, threads: [f64; 3], cpu: f64) -> String {
        let mut offered =
            threads.map(|wait_threads| Offered { per_second: 1.0, cpu_threads: 0.0, wait_threads }).to_vec();
        offered[0].cpu_threads = cpu;
        let word = |trouble: &Trouble| match trouble {
            Trouble::QueueOverCap { class, .. } => format!("queue{class}"),
            Trouble::PoolExceeded { .. } => "pool".to_string(),
            Trouble::RequestsWait { .. } => "requests".to_string(),
            Trouble::ProcessorsExceeded { .. } => "processors".to_string(),
        };
        troubles(limits, &offered).iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn averages_foretell() {
        let (untuned, tuned) = (limits(20, 18), limits(44, 9));
        let table: &[(&Limits, [f64; 3], f64, &str)] = &[
            (&untuned, [1.0, 6.0, 8.0], 0.5, ""),
            (&untuned, [1.0, 12.0, 9.0], 0.5, "requests pool"),
            (&untuned, [1.0, 30.0, 9.0], 0.5, "requests queue1 pool"),
            // One queue alone may not take all, so a little POP3 gets through.
            (&untuned, [1.0, 30.0, 0.5], 0.4, "queue1 pool"),
            (&untuned, [3.0, 30.0, 0.0], 0.0, "requests queue1 pool"),
            (&tuned, [1.0, 30.0, 9.0], 0.5, "queue1"),
            (&tuned, [1.0, 30.0, 30.0], 0.5, "queue1 queue2 pool"),
            (&tuned, [1.0, 3.0, 3.0], 2.5, "processors"),
            (&untuned, [25.0, 0.0, 0.0], 0.0, "pool"),
            (&untuned, [0.0, 30.0, 30.0], 0.0, "queue1 queue2 pool"),
        ];
        for (limits, threads, cpu, wanted) in table {
            assert_eq!(words(limits, *threads, *cpu), *wanted, "{threads:?} of {}", limits.size);
        }
    }

    #[test]
    fn levels_follow_rates_and_faults() {
        let levels = levels(&plan("untuned", &[]));
        let spans = |at: usize| levels[at].spans.iter().map(|s| (s.0.0 / 1_000_000_000, s.1.0 / 1_000_000_000));
        let all: Vec<Vec<(u64, u64)>> = (0..levels.len()).map(|at| spans(at).collect()).collect();
        assert_eq!(all, [vec![(0, 120), (420, 600)], vec![(120, 240)], vec![(240, 300)], vec![(300, 420)]]);
        assert!(levels[1].changing && !levels[0].changing && levels[3].faults == 1);
        // 60 messages/s x (4 ms + 10 x 120 ms) in the categorizer while the directory is slow.
        assert!((levels[3].offered[4].threads() - 60.0 * 1.204).abs() < 1e-6);
        assert!((levels[2].offered[4].threads() - 60.0 * 0.124).abs() < 1e-6);
        assert!((levels[0].offered[4].threads() - 10.0 * 0.124).abs() < 1e-6);
    }
}
