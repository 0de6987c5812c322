//! When somebody stands guard, what the guard sees, and whom it calls. See `core/tests.rs`.

use super::super::tests::{A, Stage};
use super::*;
use crate::pool::core::Note;

const LONG: Duration = Duration::from_secs(10);

/// So many that, whatever the time they took, each took next to none.
const FLOOD: u64 = 1_000_000_000;

#[test]
fn a_call_came_too_late_when_each_thread_that_gets_on_has_started_many() {
    let mut stage = Stage::of(4, &[None]);
    stage.busy(&[A]);
    stage.put(A);
    assert_eq!(stage.called(), [1]);
    let since = stage.core.started;
    for (closures, needless) in [(0, false), (2, false), (3, true), (9, true)] {
        stage.started(since, closures, &[0]);
        assert_eq!(stage.core.was_needless(1), needless, "{closures} by one thread");
    }
    assert_eq!(stage.comes(1), None, "it stands guard");
    assert_eq!(stage.core.guard.map(|guard| guard.seat), Some(1));
    assert!(!stage.core.was_needless(2), "somebody stands there already");
}

#[test]
fn who_does_not_get_on_does_not_count() {
    let mut stage = Stage::of(5, &[None]);
    stage.busy(&[A; 3]);
    assert_eq!(stage.ends(2), None);
    stage.sits(2);
    stage.put(A);
    assert_eq!(stage.called(), [2]);
    let since = stage.core.started;
    for (closures, needless) in [(3, false), (5, false), (6, true)] {
        stage.started(since, closures, &[0, 1]);
        assert_eq!(stage.core.was_needless(2), needless, "{closures} by two threads");
    }
    stage.core.seats[0].since = since;
    for (closures, needless) in [(2, false), (3, true)] {
        stage.started(since, closures, &[1]);
        assert_eq!(stage.core.was_needless(2), needless, "{closures} by one, and another is stuck");
    }
    stage.core.seats[1].since = since;
    assert!(!stage.core.was_needless(2), "all are stuck");
    stage.core.polled = true;
    assert!(stage.core.was_needless(2), "one is about to start more");
}

#[test]
fn nobody_stands_guard_in_an_idle_pool_or_in_one_that_ends_or_has_one_thread_too_many() {
    let mut stage = Stage::of(2, &[None]);
    stage.busy(&[A]);
    stage.put(A);
    assert_eq!(stage.called(), [1]);
    let since = stage.core.started;
    stage.started(since, 3, &[0]);
    assert!(stage.core.was_needless(1));
    stage.core.phase = Phase::Closing;
    assert!(!stage.core.was_needless(1));
    stage.core.phase = Phase::Open;
    stage.core.change(Event::SetPoolSize { size: 1 });
    assert!(!stage.core.was_needless(1));
    let mut idle = Stage::of(2, &[None]);
    idle.busy(&[A]);
    assert_eq!(idle.ends(0), None);
    idle.core.started = 100;
    assert!(!idle.core.was_needless(0));
}

#[test]
fn while_the_pool_is_brisk_no_more_get_on_than_there_are_processors() {
    let mut stage = Stage::of(9, &[None]);
    stage.busy(&[A; 3]);
    for (brisk, stuck, room) in [(true, 0, false), (true, 1, true), (true, 0, false), (false, 0, true)] {
        stage.core.keep_brisk(brisk, stuck);
        assert_eq!(stage.core.dispatch.has_room_for_a_thread(), room, "{brisk}, {stuck} stuck, three processors");
    }
    stage.core.limit_runnable(3);
    assert!(!stage.core.dispatch.has_room_for_a_thread());
    stage.core.keep_brisk(true, 5);
    assert!(!stage.core.dispatch.has_room_for_a_thread(), "the description's own limit is less");
    stage.core.limit_runnable(4);
    assert!(stage.core.dispatch.has_room_for_a_thread());
}

#[test]
fn what_waits_is_counted_told_or_not() {
    let mut stage = Stage::two_and_a_guard(4);
    assert_eq!(stage.core.backlog(), 0);
    for _ in 0..3 {
        stage.put(A);
    }
    assert_eq!(stage.core.backlog(), 3);
    assert!(stage.core.take_in(None));
    assert_eq!((stage.core.backlog(), stage.core.dispatch.waiting_items()), (3, 1));
}

/// What a tick of the guard on seat 2 answers, and whom it calls. Seats 0 and 1 have started six closures since the last,
/// ten seconds ago; `waiting` closures wait.
fn tick(threads: u32, waiting: usize, tune: impl FnOnce(&mut Core, &mut Guard)) -> (bool, Vec<u32>) {
    let mut stage = Stage::two_and_a_guard(threads);
    let mut guard = stage.core.guard.expect("it stands");
    guard.looked = Moment::ago(LONG);
    stage.started(guard.started, 6, &[0, 1]);
    for _ in 0..waiting {
        stage.put(A);
    }
    assert!(stage.called().is_empty(), "the guard sees to it");
    stage.core.leave_bench(2);
    tune(&mut stage.core, &mut guard);
    let on_the_way = stage.core.on_the_way;
    let goes = stage.core.tick(guard);
    assert!(stage.core.guard.is_none(), "it stands again afterwards, if it does");
    let called = stage.called();
    assert_eq!(stage.core.on_the_way, on_the_way + called.len() as u32);
    (goes, called)
}

#[test]
fn the_guard_calls_one_more_where_closures_come_faster_than_they_go() {
    let stays = (false, vec![]);
    assert_eq!(tick(8, 0, |_, _| ()), stays, "nothing waits");
    assert_eq!(tick(8, 6, |_, _| ()), stays, "no more than were started since");
    assert_eq!(tick(8, 7, |_, _| ()), (false, vec![3]), "more than were started since");
    assert_eq!(tick(8, 7, |_, guard| guard.waiting = 7), stays, "no more than before");
    assert_eq!(tick(8, 8, |_, guard| guard.waiting = 7), (false, vec![3]), "more than before");
    assert_eq!(tick(8, 7, |core, _| core.on_the_way = 1), stays, "one is on its way");
    assert_eq!(tick(8, 7, |core, _| core.rung = true), stays, "the poller comes");
    assert_eq!(tick(8, 7, |core, _| core.polled = true), stays, "somebody polls");
    assert_eq!(tick(8, 7, |core, _| core.habits.processors = 2), stays, "each processor has a thread");
    let one_waits = |core: &mut Core, _: &mut Guard| {
        core.habits.processors = 2;
        core.blocks(0, true);
    };
    assert_eq!(tick(8, 7, one_waits), stays, "each has a thread, one of which waits for something outside");
    assert_eq!(tick(4, 7, |_, _| ()), (false, vec![3]), "no more may exist, but one sits");
    assert_eq!(tick(8, 7, |core, _| core.leave_bench(3)), (false, vec![4]), "nobody sits, but one more may exist");
    assert_eq!(tick(4, 7, |core, _| core.leave_bench(3)), (true, vec![]), "there is only the guard");
}

#[test]
fn the_guard_calls_nobody_for_closures_that_take_no_time() {
    let flood = |core: &mut Core, guard: &mut Guard| {
        guard.looked = Moment::now();
        core.started += FLOOD;
        // More than were started since wait: the policy is made to believe so.
        guard.started = core.started - 6;
        core.seats[0].since = core.started;
        core.seats[1].since = core.started;
    };
    assert_eq!(tick(8, 7, |core, guard| (flood(core, guard), guard.looked = Moment::ago(LONG)).1), (false, vec![3]));
    for (took, closures, threads, too_short) in [
        (399, 1, 1, true),
        (400, 1, 1, false),
        (401, 1, 1, false),
        (1_999, 5, 1, true),
        (2_000, 5, 1, false),
        (1_599, 8, 2, true),
        (1_601, 8, 2, false),
        (399, 1, 0, true),
    ] {
        let took = Duration::from_nanos(took);
        assert_eq!(is_too_short(took, closures, threads), too_short, "{closures} in {took:?} by {threads}");
    }
    assert!(is_too_short(LONG, FLOOD, 2));
}

#[test]
fn the_guard_goes_to_work_where_closures_are_not_started_briskly() {
    let goes = |tune: fn(&mut Core, &mut Guard)| tick(8, 1, tune).0;
    assert!(!goes(|_, _| ()));
    assert!(goes(|core, guard| core.started = guard.started + 5), "not three each");
    assert!(goes(|core, _| core.phase = Phase::Closing), "the pool ends");
    assert!(goes(|core, guard| (core.seats[0].since, core.seats[1].since) = (guard.started, guard.started)), "stuck");
    let one_is_stuck = |core: &mut Core, guard: &mut Guard| {
        core.seats[0].since = guard.started;
        core.started = guard.started + 3;
        core.habits.processors = 2;
    };
    assert_eq!(tick(8, 4, one_is_stuck), (false, vec![3]), "the other has started three, and has no second beside it");
}

#[test]
fn a_thread_is_in_the_way_where_two_start_closures_that_take_no_time() {
    let asks = |tune: &dyn Fn(&mut Stage)| {
        let mut stage = Stage::of(4, &[None]);
        stage.busy(&[A; 2]);
        stage.core.started = FLOOD;
        stage.core.pace = (Moment::now(), 0);
        tune(&mut stage);
        let (pace, is) = (stage.core.pace.1, stage.core.is_in_the_way());
        assert!(!is || stage.core.pace.1 == stage.core.started, "the next time is counted from here");
        (is, stage.core.pace.1 != pace)
    };
    assert_eq!(asks(&|_| ()), (true, true));
    assert_eq!(asks(&|stage| stage.core.pace.0 = Moment::ago(LONG * 40)), (false, true), "they took their time");
    let stands = |stage: &mut Stage| {
        stage.put(A);
        assert_eq!(stage.called(), [2]);
        stage.core.on_the_way -= 1;
        stage.core.stand_guard(2);
        stage.core.leave_bench(2);
        let _ = stage.core.dispatch.withdraw_all();
        stage.core.guard = Some(Guard { seat: 2, started: 0, waiting: 0, looked: Moment::now() });
    };
    assert_eq!(asks(&stands), (false, false), "somebody stands guard");
    assert_eq!(asks(&|stage| stage.core.phase = Phase::Closing), (false, false), "the pool ends");
    let told = |stage: &mut Stage| {
        stage.put(A);
        assert_eq!(stage.core.dispatch.waiting_items(), 1);
    };
    let is_alone = |stage: &mut Stage| {
        stage.core.started = 2;
        assert_eq!(stage.ends(0), None);
        (stage.core.started, stage.core.pace) = (FLOOD, (Moment::now(), 0));
    };
    assert_eq!(asks(&is_alone), (false, false), "it is alone");
    assert_eq!(asks(&told), (false, false), "something waits in the policy");
    for (closures, due) in [(11, false), (12, true), (13, true)] {
        // How long these took is not for the test to say; that it was asked is.
        let tune = |stage: &mut Stage| (stage.core.pace, stage.core.started) = ((Moment::now(), 5), 5 + closures);
        assert_eq!(asks(&tune).1, due, "{closures} closures");
    }
}

#[test]
fn who_is_in_the_way_stands_guard_unless_it_is_one_too_many() {
    for (size, stands) in [(2, true), (1, false)] {
        let mut stage = Stage::of(2, &[None]);
        stage.busy(&[A; 2]);
        stage.core.started = FLOOD;
        stage.core.pace = (Moment::now(), 0);
        assert_eq!(stage.ends(1), None);
        assert!(stage.core.steps_aside && stage.core.seats[1].badge.is_none());
        stage.core.change(Event::SetPoolSize { size });
        stage.core.step_aside(1);
        assert_eq!((stage.core.guard.is_some(), stage.core.steps_aside), (stands, false));
    }
    let mut stage = Stage::of(2, &[None]);
    stage.busy(&[A; 2]);
    assert_eq!(stage.ends(1), None);
    stage.core.step_aside(1);
    assert!(stage.core.guard.is_none(), "it was not in the way");
}

#[test]
fn the_guard_calls_nobody_for_a_wish_that_nobody_needs_any_more() {
    let mut stage = Stage::two_and_a_guard(8);
    let ticket = stage.put(A);
    assert!(stage.core.take_in(None));
    assert!(stage.core.withdraw(ticket).is_some());
    assert_eq!((stage.core.credits.len(), stage.core.dispatch.waiting_items()), (1, 0));
    stage.core.call_one_more();
    assert!(stage.called().is_empty());
}

#[test]
fn a_licence_of_a_thread_that_is_stuck_ends_at_the_tick_and_that_of_one_that_gets_on_does_not() {
    for is_stuck in [true, false] {
        let mut stage = Stage::two_and_a_guard(4);
        stage.put(A);
        assert_eq!(stage.ends(0), Some(A));
        let guard = stage.core.guard.expect("it stands");
        assert!(stage.core.licence(0).is_some());
        stage.core.seats[0].since = guard.started + u64::from(!is_stuck);
        stage.core.leave_bench(2);
        let _ = stage.core.tick(guard);
        assert_eq!(stage.core.licence(0).is_none(), is_stuck);
    }
}

#[test]
fn who_is_called_from_its_guard_has_a_note_and_stands_guard_no_more() {
    let mut stage = Stage::two_and_a_guard(4);
    stage.core.leave_bench(3);
    let guard = stage.core.guard.take();
    assert!(stage.core.call());
    assert!(matches!(stage.core.seats[2].note, Some(Note::Called)));
    stage.core.guard = guard;
    assert_eq!(stage.called(), [2]);
}
