//! From a machine and its registry to the shape of its pool: how many threads, how many each queue may ask for, and
//! what that leaves to POP3 and IMAP4.
//!
//! Not the rule that enforces the shape (`dispatch`) and not advice (`recommend`). Called by `recommend`, `plan` and
//! `cli`.

use super::assumptions::{AdditionalThreads, Assumptions};
use super::cap::heavy_queue_cap;
use super::registry::{Registry, ValueId};
use crate::problem::{Place, Problem, any_error};

/// The most that the computed `PoolThreadLimit` comes to.
// ATQ: 2 x MB of memory (Q301310), which ExBPA clamps to 256 (aa995835).
pub const COMPUTED_LIMIT_MOST: u32 = 256;

/// What of a server decides the size of its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Emulated processors; at least 1.
    pub processors: u32,
    /// Memory in MB; at least 1.
    pub memory_mb: u64,
    /// SMTP virtual servers that start on it. With none, SMTP is not started.
    pub smtp_virtual_servers: u32,
}

/// The shape of one node's pool. Totals that do not fit are held at `u32::MAX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// `MaxPoolThreads`: threads per processor before SMTP adds its own.
    pub base_per_processor: u32,
    /// `AdditionalPoolThreadsPerProc`: threads per processor that one counted start adds.
    pub additional_per_processor: u32,
    /// How many starts add them: in [0, virtual servers].
    pub starts_counted: u32,
    /// Threads that the values ask for, before the limit.
    pub wanted: u64,
    /// The most threads of the process; at least 1.
    pub limit: u32,
    /// Where the limit comes from: `PoolThreadLimit`, or `computed: min(2 x MB, 256)`.
    pub limit_source: String,
    /// The most threads of the pool: the lesser of `wanted` and `limit`; at least 1.
    pub size: u32,
    /// `MaxPercentPoolThreads`; in [1, 100].
    pub percent: u32,
    /// The most threads of one heavy queue; in [1, size].
    pub heavy_queue_cap: u32,
    /// The most threads of one other queue; in [1, size].
    pub light_queue_cap: u32,
    /// Heavy queues of all virtual servers.
    pub heavy_queues: u32,
    /// What all heavy queues together may ask for; may be above `size`.
    pub heavy_request_total: u32,
    /// What they leave of `size` when each holds its cap.
    pub left_for_others: u32,
    /// `MaxConcurrency`: runnable threads per processor, 0 where the system chooses.
    pub max_concurrency: u32,
    /// The most runnable threads of the node: one per processor where the system chooses.
    pub runnable_limit: u32,
    /// `ThreadTimeout`: seconds of idleness after which a thread ends.
    pub thread_timeout_s: u32,
    /// The most items of all classes together that may wait; `None`: only each class's own bound counts.
    pub waiting_room: Option<usize>,
    /// The computation, one readable line a step.
    pub steps: Vec<String>,
}

/// The limit that counts where `PoolThreadLimit` is absent; 0 only for a machine without memory.
// ATQ: 2 x MB of memory (Q301310), at most 256 (ExBPA aa995835).
#[must_use]
pub fn computed_limit(memory_mb: u64) -> u32 {
    memory_mb.saturating_mul(2).min(u64::from(COMPUTED_LIMIT_MOST)) as u32
}

/// The shape of the pool, or none where a problem is an error. Every problem of the machine, the registry and the
/// assumptions is told at once, so there is no need to call their own `check` as well.
#[must_use]
pub fn pool_shape(
    machine: &Machine,
    registry: &Registry,
    assumptions: &Assumptions,
) -> (Option<PoolShape>, Vec<Problem>) {
    let mut problems = check_machine(machine);
    problems.extend(assumptions.check());
    problems.extend(registry.check(assumptions));
    if any_error(&problems) {
        return (None, problems);
    }
    let effective = |id| registry.effective(id, assumptions).unwrap_or(0);
    let base = effective(ValueId::MaxPoolThreads);
    let additional = effective(ValueId::AdditionalPoolThreadsPerProc);
    let starts = starts_counted(machine.smtp_virtual_servers, assumptions.additional_threads);
    let wanted = wanted_threads(machine.processors, base, additional, starts);
    if wanted == 0 {
        problems.push(Problem::error(
            Place::Named("MaxPoolThreads".into()),
            "MaxPoolThreads is 0 and no SMTP virtual server adds threads, which leaves a pool without threads",
            "set MaxPoolThreads to 4, its default, or remove it",
        ));
        return (None, problems);
    }
    let (limit, limit_source) = match registry.get(ValueId::PoolThreadLimit) {
        Some(limit) => (limit, "PoolThreadLimit".to_string()),
        None => (computed_limit(machine.memory_mb), format!("computed: min(2 x MB, {COMPUTED_LIMIT_MOST})")),
    };
    let size = saturate(wanted.min(u64::from(limit)));
    let percent = effective(ValueId::MaxPercentPoolThreads);
    let cap = heavy_queue_cap(size, percent);
    let heavy_queues = assumptions.heavy_kinds().saturating_mul(machine.smtp_virtual_servers);
    let heavy_request_total = heavy_queues.saturating_mul(cap);
    let max_concurrency = effective(ValueId::MaxConcurrency);
    let mut shape = PoolShape {
        base_per_processor: base,
        additional_per_processor: additional,
        starts_counted: starts,
        wanted,
        limit,
        limit_source,
        size,
        percent,
        heavy_queue_cap: cap,
        light_queue_cap: assumptions.light_queue_threads.min(size),
        heavy_queues,
        heavy_request_total,
        left_for_others: size.saturating_sub(heavy_request_total),
        max_concurrency,
        runnable_limit: runnable_limit(machine.processors, max_concurrency),
        // Guess: 0 counts as the shortest time there is. Taken literally, a thread that is kept from the port by the
        // limit of runnable threads would end and be created again without any time going by.
        thread_timeout_s: effective(ValueId::ThreadTimeout).max(1),
        waiting_room: None,
        steps: Vec::new(),
    };
    shape.steps = steps(machine, &shape);
    (Some(shape), problems)
}

/// How often the additional threads are added.
// ATQ: "when SMTP is started" (KB 281868), so not at all where it is not.
// Guess: whether each virtual server is such a start; `assumptions.additional_threads` chooses.
fn starts_counted(virtual_servers: u32, additional_threads: AdditionalThreads) -> u32 {
    match additional_threads {
        AdditionalThreads::Once => virtual_servers.min(1),
        AdditionalThreads::PerStart => virtual_servers,
    }
}

/// `processors x (base + starts x additional)`, held at `u64::MAX`.
// ATQ: both values count per processor (Q301310, KB 281868).
fn wanted_threads(processors: u32, base: u32, additional: u32, starts: u32) -> u64 {
    // starts x additional + base is at most (2^32 - 1)^2 + 2^32 - 1, which fits in 64 bits.
    let per_processor = u64::from(base) + u64::from(starts) * u64::from(additional);
    per_processor.saturating_mul(u64::from(processors))
}

/// The most runnable threads of a node.
// ATQ: MaxConcurrency counts per processor and 0 lets the system choose (Q301310); a completion port made with 0
// chooses the number of processors (CreateIoCompletionPort).
fn runnable_limit(processors: u32, max_concurrency: u32) -> u32 {
    processors.saturating_mul(max_concurrency.max(1))
}

fn check_machine(machine: &Machine) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut error = |name: &str, remedy: &str| {
        let message = format!("{name} is 0, and at least 1 is needed");
        problems.push(Problem::error(Place::Named(name.into()), message, remedy));
    };
    if machine.processors == 0 {
        error("processors", "set the number of emulated processors");
    }
    if machine.memory_mb == 0 {
        error("memory_mb", "set the memory in MB: the limit of the pool is computed from it");
    }
    problems
}

fn steps(machine: &Machine, shape: &PoolShape) -> Vec<String> {
    let processors = plural(machine.processors, "processor");
    let (base, additional) = (shape.base_per_processor, shape.additional_per_processor);
    let per_processor = match shape.starts_counted {
        0 => base.to_string(),
        1 => format!("({base} + {additional})"),
        starts => format!("({base} + {starts} x {additional})"),
    };
    let threads = plural(shape.wanted, "thread");
    let mut steps = vec![format!("{processors} x {per_processor} = {threads}")];
    let limit = if shape.limit_source == "PoolThreadLimit" {
        format!("PoolThreadLimit = {}", shape.limit)
    } else {
        format!("min(2 x {} MB, {COMPUTED_LIMIT_MOST}) = {}", machine.memory_mb, shape.limit)
    };
    let effect = if shape.wanted > u64::from(shape.limit) { "the pool is cut to" } else { "the pool has" };
    steps.push(format!("limit: {limit}; {effect} {}", plural(shape.size, "thread")));
    let exact = u64::from(shape.size) * u64::from(shape.percent) / 100;
    let least = if exact == 0 { ", raised to 1" } else { "" };
    steps.push(format!("heavy queue: floor({} x {} / 100) = {exact}{least}", shape.size, shape.percent));
    steps.push(format!(
        "{} x {} = {} may be asked for, {} of {} left for the others",
        plural(shape.heavy_queues, "heavy queue"),
        shape.heavy_queue_cap,
        plural(shape.heavy_request_total, "thread"),
        shape.left_for_others,
        shape.size,
    ));
    let concurrency = match shape.max_concurrency {
        0 => "1 (chosen by the system)".to_string(),
        value => value.to_string(),
    };
    steps.push(format!("{processors} x {concurrency} = {} at once", plural(shape.runnable_limit, "runnable thread")));
    steps
}

fn plural(count: impl Into<u64>, noun: &str) -> String {
    let count = count.into();
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn saturate(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::assumptions::SmtpQueue;
    use super::*;

    const BOX: Machine = Machine { processors: 2, memory_mb: 1024, smtp_virtual_servers: 1 };

    fn shape(machine: &Machine, settings: &[(ValueId, u32)], assumptions: &Assumptions) -> PoolShape {
        let mut registry = Registry::empty();
        for &(id, data) in settings {
            registry.set(id, data, Place::Named("test".into()));
        }
        let (shape, problems) = pool_shape(machine, &registry, assumptions);
        shape.unwrap_or_else(|| panic!("{problems:?}"))
    }

    /// (size, cap, asked for by all heavy queues, left).
    fn numbers(shape: &PoolShape) -> (u32, u32, u32, u32) {
        (shape.size, shape.heavy_queue_cap, shape.heavy_request_total, shape.left_for_others)
    }

    #[test]
    fn the_defaults_let_two_queues_ask_for_more_than_the_pool() {
        let shape = shape(&BOX, &[], &Assumptions::default());
        assert_eq!(numbers(&shape), (20, 18, 36, 0));
        assert_eq!(
            shape.steps,
            [
                "2 processors x (4 + 6) = 20 threads",
                "limit: min(2 x 1024 MB, 256) = 256; the pool has 20 threads",
                "heavy queue: floor(20 x 90 / 100) = 18",
                "2 heavy queues x 18 = 36 threads may be asked for, 0 of 20 left for the others",
                "2 processors x 1 (chosen by the system) = 2 runnable threads at once",
            ]
        );
        assert_eq!((shape.runnable_limit, shape.thread_timeout_s, shape.light_queue_cap), (2, 86_400, 1));
    }

    #[test]
    fn the_tuned_pair_leaves_threads_under_both_readings_of_a_start() {
        let machine = Machine { smtp_virtual_servers: 2, ..BOX };
        let tuned = [(ValueId::MaxPercentPoolThreads, 22), (ValueId::AdditionalPoolThreadsPerProc, 18)];
        let once = shape(&machine, &tuned, &Assumptions::default());
        assert_eq!(numbers(&once), (44, 9, 36, 8));
        let assumptions = Assumptions { additional_threads: AdditionalThreads::PerStart, ..Assumptions::default() };
        let per_start = shape(&machine, &tuned, &assumptions);
        assert_eq!(numbers(&per_start), (80, 17, 68, 12));
        assert_eq!(per_start.steps[0], "2 processors x (4 + 2 x 18) = 80 threads");
    }

    #[test]
    fn the_limit_is_registered_or_computed_from_memory() {
        use ValueId::*;
        let default = Assumptions::default();
        let sixteen = Machine { smtp_virtual_servers: 16, ..BOX };
        let followed = [(MaxPercentPoolThreads, 2), (AdditionalPoolThreadsPerProc, 223), (PoolThreadLimit, 223)];
        let limited = shape(&sixteen, &followed, &default);
        assert_eq!((limited.wanted, limited.size, limited.limit_source.as_str()), (454, 223, "PoolThreadLimit"));
        assert_eq!(limited.steps[1], "limit: PoolThreadLimit = 223; the pool is cut to 223 threads");
        let computed = shape(&sixteen, &followed[..2], &default);
        assert_eq!((computed.wanted, computed.size), (454, 256));
        assert_eq!(computed.limit_source, "computed: min(2 x MB, 256)");
        for (memory_mb, limit) in [(0, 0), (1, 2), (5, 10), (127, 254), (128, 256), (4096, 256), (u64::MAX, 256)] {
            assert_eq!(computed_limit(memory_mb), limit, "{memory_mb} MB");
        }
        let just = shape(&BOX, &[(PoolThreadLimit, 20)], &default);
        assert_eq!(just.steps[1], "limit: PoolThreadLimit = 20; the pool has 20 threads");
        let small = shape(&Machine { memory_mb: 5, ..BOX }, &[], &default);
        assert_eq!(numbers(&small), (10, 9, 18, 0));
    }

    #[test]
    fn concurrency_counts_per_processor() {
        let eight = Machine { processors: 8, ..BOX };
        for (value, limit) in [(0, 8), (1, 8), (3, 24), (u32::MAX, u32::MAX)] {
            let shape = shape(&eight, &[(ValueId::MaxConcurrency, value)], &Assumptions::default());
            assert_eq!((shape.max_concurrency, shape.runnable_limit), (value, limit));
        }
    }

    #[test]
    fn assumptions_change_the_shape() {
        let ten = Assumptions { max_pool_threads_default: 10, ..Assumptions::default() };
        assert_eq!(numbers(&shape(&BOX, &[], &ten)), (32, 28, 56, 0));
        let none = Assumptions { heavy_queues: vec![], light_queue_threads: 50, ..Assumptions::default() };
        let light = shape(&BOX, &[], &none);
        assert_eq!((light.heavy_queues, light.left_for_others, light.light_queue_cap), (0, 20, 20));
        let twice = Assumptions { heavy_queues: vec![SmtpQueue::Dsn; 3], ..Assumptions::default() };
        assert_eq!(shape(&BOX, &[], &twice).heavy_queues, 1);
    }

    #[test]
    fn without_smtp_nothing_is_added() {
        let passive = shape(&Machine { smtp_virtual_servers: 0, ..BOX }, &[], &Assumptions::default());
        assert_eq!(numbers(&passive), (8, 7, 0, 8));
        assert_eq!(passive.steps[0], "2 processors x 4 = 8 threads");
    }

    #[test]
    fn the_largest_inputs_do_not_overflow() {
        use ValueId::*;
        let most = u32::MAX;
        let machine = Machine { processors: most, memory_mb: u64::MAX, smtp_virtual_servers: most };
        let all = [
            (MaxPercentPoolThreads, 100),
            (AdditionalPoolThreadsPerProc, most),
            (MaxPoolThreads, most),
            (PoolThreadLimit, most),
            (ThreadTimeout, most),
            (MaxConcurrency, most),
        ];
        let assumptions = Assumptions { additional_threads: AdditionalThreads::PerStart, ..Assumptions::default() };
        let shape = shape(&machine, &all, &assumptions);
        assert_eq!((shape.wanted, shape.size), (u64::MAX, most));
        assert_eq!(numbers(&shape), (most, most, most, 0));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let machine = Machine { processors: 0, memory_mb: 0, smtp_virtual_servers: 1 };
        let mut registry = Registry::empty();
        registry.set(ValueId::MaxPercentPoolThreads, 0, Place::Named("test".into()));
        let assumptions = Assumptions { light_queue_threads: 0, ..Assumptions::default() };
        let (shape, problems) = pool_shape(&machine, &registry, &assumptions);
        assert_eq!((shape, problems.len()), (None, 4));
        let mut empty = Registry::empty();
        empty.set(ValueId::MaxPoolThreads, 0, Place::Named("test".into()));
        let (shape, problems) =
            pool_shape(&Machine { smtp_virtual_servers: 0, ..BOX }, &empty, &Assumptions::default());
        assert_eq!((shape, problems.len()), (None, 1));
    }
}
