//! What a thread of the pool does: arrive, run, finish; and, without work, poll for a while and sit on the bench.
//!
//! The steps are those of `README.md`. Not a policy: the thread does what it is told. Called by the pool alone, except
//! [`blocking`], which running closures call.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Note, Phase};
use super::reason::Reason;
use super::sync::{self, Deadline, MutexGuard, Plant, one_each, planted};
use super::task::Task;
use super::{Calls, Panicked, Shared, survives};
use crate::ids::{ClassId, ThreadId};

one_each! {
    /// The pool and the seat of this thread, if it belongs to one.
    static SEAT: RefCell<Option<(Arc<Shared>, u32)>> = const { RefCell::new(None) };
}

/// Whether the calling thread is one of this pool's.
pub(super) fn is_own(shared: &Shared) -> bool {
    SEAT.with(|seat| seat.borrow().as_ref().is_some_and(|(own, _)| std::ptr::eq(&**own, shared)))
}

/// Closures run by [`super::AtqPool::submit`] hand their panic to the waiter and end with this one, which is only
/// counted.
pub(super) struct HandedOn;

type Locked<'a> = MutexGuard<'a, Core>;
type Work = (ClassId, Task);

/// The life of one thread.
pub(super) fn work(shared: &Arc<Shared>, seat: u32, badge: Option<ThreadId>) {
    SEAT.with(|own| *own.borrow_mut() = Some((Arc::clone(shared), seat)));
    sync::ask_for_slice(shared.slice);
    shared.hook(shared.on_thread_start.as_deref());
    let mut core = shared.core.lock();
    core.begins(seat, sync::current(), badge);
    shared.report_count(&mut core);
    let mut next = match core.habits.calls {
        _ if core.phase == Phase::Stopped => None,
        Calls::Eager => core.arrive(seat),
        Calls::Throttled => {
            core.on_the_way -= 1;
            come(&mut core, seat)
        }
    };
    loop {
        while let Some(work) = next.take() {
            (core, next) = run(shared, core, seat, work);
        }
        let reason;
        (core, next, reason) = match core.habits.calls {
            Calls::Throttled => sit(shared, core, seat),
            Calls::Eager => sit_with_badge(shared, core, seat),
        };
        if next.is_none() {
            core.reasons.live = reason;
            break;
        }
    }
    // Who ends sees off who has ended before: threads that come and go leave nothing behind.
    let ended = core.take_ended();
    core.gone(seat);
    shared.report_count(&mut core);
    let core = shared.leave(core);
    drop(core);
    for handle in ended {
        drop(handle.join());
    }
    shared.hook(shared.on_thread_stop.as_deref());
    shared.quiet.notify_all();
    SEAT.with(|own| *own.borrow_mut() = None);
}

/// Step `Run`: the lock is given up, errands are done, the closure runs, and those after it for which the thread need not
/// ask; then it asks for its next.
fn run<'a>(shared: &'a Arc<Shared>, mut core: Locked<'a>, seat: u32, work: Work) -> (Locked<'a>, Option<Work>) {
    let (mut class, mut job) = work;
    let licence = core.licence(seat);
    core.seats[seat as usize].runs = Some(class);
    core.watch();
    if core.errands.is_empty() {
        drop(core);
    } else {
        drop(shared.leave(core));
    }
    let panicked = loop {
        job = if planted(Plant::EndsEarly) { sync::elsewhere(job) } else { job };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| job.run())) {
            handle_panic(shared, class, payload);
            break true;
        }
        let Some(next) = licence.and_then(|licence| shared.belt.pass(seat, licence, &shared.doorstep)) else {
            break false;
        };
        (class, job) = next;
    };
    let mut core = shared.core.lock();
    core.seats[seat as usize].runs = None;
    core.tally.panics += u64::from(panicked);
    // After a stop the policy's work is over; what still runs is only waited for.
    let next = if core.phase == Phase::Stopped {
        core.note_end(class, panicked);
        None
    } else {
        core.finish(seat, class, panicked)
    };
    if core.phase != Phase::Open {
        shared.quiet.notify_all();
    }
    (core, next)
}

/// Hands a panic to the pool's handler. A handler, or a payload, that panics itself does no harm.
#[cold]
fn handle_panic(shared: &Shared, class: ClassId, payload: Box<dyn Any + Send>) {
    if payload.is::<HandedOn>() {
        return;
    }
    let _ = survives(|| match &shared.on_panic {
        Some(handler) => handler(Panicked { class, payload }),
        None => drop(payload),
    });
}

/// A thread that was called, or was just created, comes: to work, or to stand guard where it came too late.
pub(super) fn come(core: &mut Core, seat: u32) -> Option<Work> {
    if core.was_needless(seat) {
        core.stand_guard(seat);
        core.keep_brisk(true, 0);
        return None;
    }
    if core.guard.is_none() {
        core.keep_brisk(false, 0);
    }
    core.arrive(seat)
}

/// Throttled calls: the thread has nothing to do. It polls for a while, then sits, until there is work for it (and
/// then has it) or it is to end.
fn sit<'a>(shared: &'a Arc<Shared>, mut core: Locked<'a>, seat: u32) -> (Locked<'a>, Option<Work>, Reason) {
    let guards = |core: &Core| core.guard.filter(|guard| guard.seat == seat);
    core.step_aside(seat);
    // A new thread may stand guard already, or have been called from there.
    if guards(&core).is_none() && core.seats[seat as usize].note.is_none() {
        let next;
        (core, next) = poll(shared, core, seat);
        if next.is_some() {
            return (core, next, Reason::Built);
        }
        if core.phase == Phase::Stopped {
            return (core, None, Reason::Stopped);
        }
        if core.is_surplus() {
            return (core, None, Reason::RetiredSurplus);
        }
        core.take_seat(seat);
    }
    let idle_until = shared.idle_timeout.map_or(Deadline::NEVER, Deadline::after);
    loop {
        let guard = guards(&core);
        let tick = core.habits.guard_tick;
        core = park(shared, core, guard.map(|_| tick).or(shared.idle_timeout));
        match core.seats[seat as usize].note.take() {
            Some(Note::Called) if planted(Plant::RetiresDeaf) && idle_until.has_passed() => {
                return (core, None, Reason::RetiredIdle);
            }
            Some(Note::Called) => {
                core.on_the_way -= u32::from(!planted(Plant::IsAlwaysOnItsWay));
                if core.phase == Phase::Stopped {
                    return (core, None, Reason::Stopped);
                }
                if let Some(work) = come(&mut core, seat) {
                    return (core, Some(work), Reason::Built);
                }
                // It may have been called again already, from its guard.
                if guards(&core).is_none() && core.seats[seat as usize].note.is_none() {
                    if core.is_surplus() {
                        // While it was on its way the size was lowered, and nobody on the bench was one too many.
                        return (core, None, Reason::RetiredSurplus);
                    }
                    core.take_seat(seat);
                }
            }
            Some(Note::End) => return (core, None, Reason::RetiredSurplus),
            Some(Note::Run(..)) => unreachable!("throttled calls bind no closure to a thread"),
            None if core.phase == Phase::Stopped => {
                core.leave_bench(seat);
                return (core, None, Reason::Stopped);
            }
            None => {
                if let Some(guard) = guard {
                    core.leave_bench(seat);
                    if planted(Plant::GuardGoesDeaf) {
                        core.take_seat(seat);
                    } else if !core.tick(guard) {
                        core.stand_guard(seat);
                    } else if let Some(work) = core.arrive(seat) {
                        return (core, Some(work), Reason::Built);
                    } else {
                        core.take_seat(seat);
                    }
                } else if idle_until.has_passed() {
                    core.leave_bench(seat);
                    return (core, None, Reason::RetiredIdle);
                }
            }
        }
    }
}

/// Step `Poll`: one thread at a time watches the bell without giving up its processor.
fn poll<'a>(shared: &'a Arc<Shared>, mut core: Locked<'a>, seat: u32) -> (Locked<'a>, Option<Work>) {
    if !core.begin_poll() {
        return (core, None);
    }
    let limit = core.poll_for;
    core = shared.leave(core);
    drop(core);
    let _ = sync::poll(shared.doorstep.bell(), limit);
    core = shared.core.lock();
    let next = core.end_poll(seat);
    (core, next)
}

/// Gives the lock up, does errands, and parks: until somebody unparks this thread, or `limit` has passed, or for no
/// reason at all.
fn park<'a>(shared: &'a Arc<Shared>, core: Locked<'a>, limit: Option<Duration>) -> Locked<'a> {
    let core = shared.leave(core);
    drop(core);
    match limit {
        None => sync::park(),
        Some(limit) => sync::park_timeout(limit),
    }
    shared.core.lock()
}

/// Eager calls: the thread waits at the policy's port for a closure of its own.
fn sit_with_badge<'a>(shared: &'a Arc<Shared>, mut core: Locked<'a>, seat: u32) -> (Locked<'a>, Option<Work>, Reason) {
    let idle_until = shared.idle_timeout.map_or(Deadline::NEVER, Deadline::after);
    loop {
        // A note is taken before the stop is looked at: a closure that was handed out is run.
        match core.seats[seat as usize].note.take() {
            Some(Note::Run(class, job)) => return (core, Some((class, job)), Reason::Built),
            Some(Note::End) => {
                let idle = core.reasons.live == Reason::RetiredIdle;
                return (core, None, if idle { Reason::RetiredIdle } else { Reason::RetiredSurplus });
            }
            Some(Note::Called) => unreachable!("eager calls are closures"),
            None if core.phase == Phase::Stopped => return (core, None, Reason::Stopped),
            None => {}
        }
        core = park(shared, core, shared.idle_timeout);
        if core.seats[seat as usize].note.is_none() && idle_until.has_passed() {
            core.sat_too_long(seat);
        }
    }
}

/// Runs `wait`, which waits for something outside the process, and tells the pool so: meanwhile the thread is not
/// runnable and another may run in its place. On a thread that belongs to no pool it only runs `wait`.
pub fn blocking<R>(wait: impl FnOnce() -> R) -> R {
    let own = SEAT.with(|seat| seat.borrow().clone());
    let Some((shared, seat)) = own else { return wait() };
    tell(&shared, seat, true);
    let _wakes = Wakes(&shared, seat);
    wait()
}

/// Tells the pool that the thread goes on, also when the wait panics.
struct Wakes<'a>(&'a Arc<Shared>, u32);

impl Drop for Wakes<'_> {
    fn drop(&mut self) {
        tell(self.0, self.1, false);
    }
}

fn tell(shared: &Arc<Shared>, seat: u32, blocks: bool) {
    let mut core = shared.core.lock();
    core.blocks(seat, blocks);
    drop(shared.leave(core));
}
