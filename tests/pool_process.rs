//! What an `AtqPool` takes from its process and its system: memory for closures that wait, threads, real limits.
//!
//! A test program of its own, because it measures the process that it runs in; its tests take turns. Linux only: they
//! read `/proc`, and the limits are made with `setpriv` and `ulimit`; where those cannot be had a test says so and
//! passes.
#![cfg(target_os = "linux")]

#[path = "common/board.rs"]
mod board;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use atqsim::ids::ClassId;
use atqsim::pool::{AtqPool, Calls, Ceiling, Reason, SpawnError};
use board::{Board, LetsGo, until};

const A: ClassId = ClassId(0);
const BOTH: [Calls; 2] = [Calls::Throttled, Calls::Eager];

/// One test at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Bytes of memory that the process has now.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A pool whose only thread is stuck, with `many` closures behind it; and how many bytes each of them takes.
fn stuck_before<J: FnOnce() + Send + 'static>(
    calls: Calls,
    many: u64,
    job: impl Fn(u64) -> J,
) -> (AtqPool, Arc<Board>, f64) {
    let pool = AtqPool::builder().calls(calls).threads(1).class("a", Ceiling::None).class("b", Ceiling::Threads(1));
    let pool = pool.build().unwrap();
    let board = Arc::new(Board::default());
    pool.spawn(A, board.closure()).unwrap();
    until("the thread is stuck", || board.running().len() == 1);
    let before = resident();
    for n in 0..many {
        pool.spawn(ClassId((n % 2) as u16), job(n)).unwrap();
    }
    assert_eq!(pool.snapshot().queued as u64, many);
    let each = resident().saturating_sub(before) as f64 / many as f64;
    (pool, board, each)
}

/// One test, in this order: memory that was used before and is used again would not be seen.
#[test]
fn ten_million_closures_wait_in_little_memory_and_come_back_in_order() {
    let _turn = turn();
    // A place for a closure has 64 bytes, and up to twice as many places are kept as are in use.
    for (calls, many, most) in [(Calls::Eager, 1_000_000, 130.0), (Calls::Throttled, 10_000_000, 130.0)] {
        let (pool, board, each) = stuck_before(calls, many, |_| || ());
        let _lets_go = LetsGo(board);
        println!("{calls:?} calls: {each:.1} bytes for each waiting closure");
        assert!((16.0..most).contains(&each), "{each} bytes for each of {many} waiting closures");
        let ended = pool.stop_within(Duration::ZERO);
        assert_eq!(ended.given_back.len() as u64, many);
        assert!(ended.given_back.iter().zip(0_u32..).all(|((class, _), n)| u32::from(class.0) == n % 2));
    }
    for calls in BOTH {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (pool, board, _) = stuck_before(calls, 1_000_000, |n| {
            let seen = Arc::clone(&seen);
            move || seen.lock().unwrap().push(n)
        });
        let ended = pool.stop_within(Duration::ZERO);
        board.let_all_go();
        drop(pool);
        assert!(seen.lock().unwrap().is_empty(), "none ran");
        for (_, job) in ended.given_back {
            job();
        }
        assert!(seen.lock().unwrap().iter().copied().eq(0..1_000_000), "in order of submission, untouched");
    }
}

/// The names of this process's threads that begin with `prefix`; there are no processes below them.
fn threads(prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        // A thread may end meanwhile.
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        let children = fs::read_to_string(task.join("children")).unwrap_or_default();
        assert!(!name.starts_with(prefix) || children.is_empty(), "{name} has started {children}");
        names.extend(name.starts_with(prefix).then(|| name.trim().to_string()));
    }
    names.sort_unstable();
    names
}

#[test]
fn the_threads_of_a_pool_have_its_name_and_are_gone_after_it() {
    let _turn = turn();
    for calls in BOTH {
        let pool = AtqPool::builder().calls(calls).threads(12).name("mine").class("a", Ceiling::None).build().unwrap();
        assert!(threads("mine").is_empty(), "built without threads");
        let board = Arc::new(Board::default());
        for _ in 0..12 {
            pool.spawn(A, board.closure()).unwrap();
        }
        until("all run", || board.running().len() == 12);
        let mut expected: Vec<String> = (0..12).map(|n| format!("mine-{n}")).collect();
        expected.sort_unstable();
        assert_eq!(threads("mine"), expected);
        board.let_all_go();
        assert!(pool.stop().is_clean());
        // The system takes a thread off its list a moment after it can be joined.
        until("its threads are gone", || threads("mine").is_empty());
        assert!(matches!(pool.spawn(A, || ()), Err(SpawnError::Stopped(_))));
        assert!(threads("mine").is_empty());
    }
}

/// Set in the process that runs under a real limit: how many threads its pool wants.
const LIMITED: &str = "POOL_UNDER_A_LIMIT";

#[test]
fn under_a_real_limit_the_pool_goes_on_with_the_threads_that_it_gets() {
    if std::env::var_os(LIMITED).is_some() {
        BOTH.into_iter().for_each(under_a_limit);
        return;
    }
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(folder.path());
    open(&program);
    for limit in [3_u32, 9, 20] {
        // An id that nobody else uses, so that only this process counts.
        let id = 70_000 + std::process::id() % 400 * 100 + limit;
        let test = "under_a_real_limit_the_pool_goes_on_with_the_threads_that_it_gets";
        let script =
            format!("ulimit -u {limit} && exec {} --exact {test} --nocapture --test-threads 1", program.display());
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={id}"), "--clear-groups", "bash", "-c", &script]).env(LIMITED, "40");
        let Ok(output) = command.output() else {
            println!("skipped: there is no setpriv here");
            return;
        };
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if said.contains("setresuid failed") || said.contains("setpriv:") {
            println!("skipped: this user may not become another");
            return;
        }
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}

/// Forty closures that want a thread each, fewer threads, and all of them run.
fn under_a_limit(calls: Calls) {
    let wanted = 40;
    let pool = AtqPool::builder().calls(calls).threads(wanted).class("a", Ceiling::None).build().unwrap();
    let board = Arc::new(Board::default());
    for _ in 0..wanted {
        pool.spawn(A, board.closure()).unwrap();
    }
    until("a thread is refused", || pool.tally().threads_refused > 0);
    until("all that there are run", || {
        let seen = pool.snapshot();
        seen.live.now == board.running().len() && seen.goal.now == seen.live.now
    });
    let seen = pool.snapshot();
    assert!((1..20).contains(&seen.live.now), "{seen}");
    assert_eq!((seen.goal.by, seen.live.by), (Reason::Refused, Reason::Refused), "{seen}");
    board.let_all_go();
    assert!(pool.shutdown().is_clean());
    assert!(board.fates().iter().all(|fate| *fate == (1, 0)));
}
