//! What becomes of a closure and of what it captured. See `task.rs`.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts its drops.
struct Load(Arc<AtomicU32>);

impl Drop for Load {
    fn drop(&mut self) {
        // Ordering: Relaxed; there is one thread.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn count(drops: &AtomicU32) -> u32 {
    // Ordering: Relaxed; there is one thread.
    drops.load(Ordering::Relaxed)
}

/// Tasks with a load, one that lies in place and one that does not.
fn tasks(drops: &Arc<AtomicU32>, work: fn()) -> [Task; 2] {
    let (small, large) = (Load(Arc::clone(drops)), (Load(Arc::clone(drops)), [7_u64; 32]));
    let tasks = [
        Task::new(move || {
            let _load = &small;
            work();
        }),
        Task::new(move || {
            let whole = &large;
            assert_eq!(whole.1, [7; 32]);
            work();
        }),
    ];
    assert_eq!(tasks.each_ref().map(|task| task.0.is_heap()), [false, true]);
    tasks
}

#[test]
fn what_a_task_captured_is_dropped_once_whether_it_runs_panics_is_given_back_or_is_dropped() {
    let ends: [fn(Task); 5] = [
        Task::run,
        |task| task.into_job()(),
        |task| drop(task.into_job()),
        drop,
        |task| Task::new(task.into_job()).run(),
    ];
    for end in ends {
        let drops = Arc::new(AtomicU32::new(0));
        for (done, task) in (1..).zip(tasks(&drops, || ())) {
            end(task);
            assert_eq!(count(&drops), done);
        }
    }
    let drops = Arc::new(AtomicU32::new(0));
    for (done, task) in (1..).zip(tasks(&drops, || panic!("on purpose"))) {
        assert!(catch_unwind(AssertUnwindSafe(|| task.run())).is_err());
        assert_eq!(count(&drops), done);
    }
}

/// With its ticket it fills one line of a cache.
#[test]
fn a_task_is_six_words() {
    assert_eq!(size_of::<Task>(), 6 * size_of::<usize>());
}
