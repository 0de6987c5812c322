//! The pool's counts at one moment, and how a pool ended.
//!
//! Not a history (`policy::decision_log` is one). Called by users of the pool.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use super::reason::Reason;
use super::{Ceiling, Job, Tally};
use crate::ids::ClassId;

/// A count, and why it last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub now: usize,
    /// Why it last changed.
    pub by: Reason,
}

/// One class at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassSnapshot {
    /// Its name.
    pub name: Arc<str>,
    /// Its ceiling.
    pub ceiling: Ceiling,
    /// The ceiling in threads; `None` where there is none.
    pub most_threads: Option<u32>,
    /// Closures that wait.
    pub queued: Counted,
    /// Closures that run; each holds one thread.
    pub running: Counted,
}

/// A pool at one moment: all counts are of the same instant. Taking one costs about a microsecond, most of it for the
/// list of classes, under the pool's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Threads that run a closure.
    pub busy: Counted,
    /// Threads that exist or are being created, but for those that were told to end.
    pub live: Counted,
    /// Threads that may exist: the size, or what the system left of it.
    pub goal: Counted,
    /// Closures that wait, of all classes.
    pub queued: usize,
    /// Closures that were started since the pool was built.
    pub started: u64,
    /// What went wrong so far.
    pub tally: Tally,
    /// The classes, indexed by [`ClassId`].
    pub classes: Vec<ClassSnapshot>,
}

impl Snapshot {
    pub(super) fn of(core: &Core) -> Snapshot {
        let counts = core.dispatch.counts();
        let mut lying = core.belt.lock();
        lying.add_all(&core.doorstep);
        let class = |(at, class): (usize, &super::core::ClassState)| {
            let id = ClassId(at as u16);
            let counts = core.dispatch.class_counts(id);
            let untold = lying.of_class(id) + usize::from(core.lone() == Some(id));
            let queued_by = if untold > 0 { Reason::Submitted } else { class.queued_by };
            ClassSnapshot {
                name: Arc::clone(&class.name),
                ceiling: class.ceiling,
                most_threads: class.ceiling.threads_of(core.size),
                queued: Counted { now: counts.waiting + untold, by: queued_by },
                running: Counted { now: core.running(id), by: class.running_by },
            }
        };
        let classes: Vec<ClassSnapshot> = core.classes.iter().enumerate().map(class).collect();
        Snapshot {
            busy: Counted { now: classes.iter().map(|class| class.running.now).sum(), by: core.reasons.busy },
            live: Counted { now: core.live as usize, by: core.reasons.live },
            goal: Counted { now: counts.goal_threads as usize, by: core.reasons.goal },
            queued: core.dispatch.waiting_items() + usize::from(core.lone().is_some()) + lying.len(),
            started: core.started,
            tally: core.tally,
            classes,
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted { now, by } = self.busy;
        write!(f, "busy {now} ({by}), live {} ({}), ", self.live.now, self.live.by)?;
        write!(f, "goal {} ({})", self.goal.now, self.goal.by)?;
        for class in &self.classes {
            let (queued, running) = (class.queued, class.running);
            write!(f, "; {}: queued {} ({}), ", class.name, queued.now, queued.by)?;
            write!(f, "running {} ({})", running.now, running.by)?;
        }
        Ok(())
    }
}

/// How a pool ended: what became of every closure that it had not finished.
#[must_use]
pub struct Ended {
    /// Closures that were waiting and will not run, in order of submission.
    pub given_back: Vec<(ClassId, Job)>,
    /// Closures that ran to their end, or panicked, after the shutdown was asked for.
    pub ran: u64,
    /// Closures that still ran when the time was up: their class, and the name of their thread, which is left alone.
    pub still_running: Vec<(ClassId, String)>,
}

impl Ended {
    /// Whether nothing waits or runs any more.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.given_back.is_empty() && self.still_running.is_empty()
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes: Vec<ClassId> = self.given_back.iter().map(|(class, _)| *class).collect();
        f.debug_struct("Ended")
            .field("given_back", &classes)
            .field("ran", &self.ran)
            .field("still_running", &self.still_running)
            .finish()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (back, still) = (self.given_back.len(), self.still_running.len());
        write!(f, "{} closures ran to their end, {back} were given back, {still} still run", self.ran)
    }
}
