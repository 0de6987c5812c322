//! Who sits, who leaves and who is gone. See `core/tests.rs`.

use super::super::tests::{A, Stage};
use super::*;

#[test]
fn who_leaves_the_bench_leaves_the_others_there_and_the_guard_too() {
    let mut stage = Stage::two_and_a_guard(4);
    stage.core.leave_bench(3);
    assert_eq!((&stage.sitting()[..], stage.core.guard.is_some()), (&[2][..], true));
    stage.core.leave_bench(3);
    assert_eq!((&stage.sitting()[..], stage.core.guard.is_some()), (&[2][..], true), "it was gone already");
    stage.core.leave_bench(2);
    assert_eq!((&stage.sitting()[..], stage.core.guard.is_some()), (&[][..], false));
}

#[test]
fn one_too_many_is_one_above_the_goal_and_the_last_never_is() {
    let mut stage = Stage::of(3, &[None]);
    for (live, surplus) in [(0, false), (1, false), (3, false), (4, true), (5, true)] {
        stage.core.live = live;
        assert_eq!(stage.core.is_surplus(), surplus, "{live} of 3");
    }
    stage.core.live = 0;
    stage.put(A);
    assert_eq!(stage.called(), [0]);
    stage.core.refused(0, None);
    stage.core.live = 1;
    assert!(!stage.core.is_surplus(), "the goal is 0");
}

#[test]
fn a_refused_thread_leaves_nothing_behind_and_the_goal_is_what_there_is() {
    let mut stage = Stage::of(9, &[None]);
    stage.busy(&[A; 2]);
    stage.put(A);
    stage.put(A);
    assert_eq!(stage.called(), [2, 3]);
    stage.core.refused(2, None);
    assert_eq!((stage.core.live, stage.core.on_the_way, stage.core.tally.threads_refused), (3, 1, 1));
    assert_eq!((stage.core.dispatch.counts().goal_threads, &stage.core.free_seats[..]), (3, &[2][..]));
    stage.core.refused(3, None);
    assert_eq!((stage.core.live, stage.core.on_the_way, stage.core.tally.threads_refused), (2, 0, 2));
    assert_eq!((stage.core.dispatch.counts().goal_threads, &stage.core.free_seats[..]), (2, &[2, 3][..]));
    assert_eq!((stage.core.reasons.live, stage.core.reasons.goal), (Reason::Refused, Reason::Refused));
}

#[test]
fn who_sits_is_part_of_the_goal_although_the_policy_does_not_know_it() {
    let mut stage = Stage::of(9, &[None]);
    stage.busy(&[A; 2]);
    stage.put(A);
    assert_eq!(stage.called(), [2]);
    assert_eq!((stage.ends(1), stage.ends(1)), (Some(A), None));
    stage.sits(1);
    stage.core.refused(2, None);
    assert_eq!((stage.core.live, stage.core.dispatch.counts().goal_threads), (2, 2));
}

#[test]
fn those_who_have_sat_longest_are_told_to_end_and_a_guard_among_them_stands_no_more() {
    for (order, told, stands) in [([3, 2], 3, true), ([2, 3], 2, false)] {
        let mut stage = Stage::two_and_a_guard(4);
        stage.core.bench = order.iter().map(|seat| Sitter { seat: *seat, processor: 0 }).collect();
        stage.core.keep_brisk(true, 0);
        stage.core.resize(3);
        let ends = |seat: u32| matches!(stage.core.seats[seat as usize].note, Some(super::super::Note::End));
        assert_eq!((ends(2), ends(3)), (told == 2, told == 3));
        assert_eq!((stage.core.guard.is_some(), stage.core.runnable_limit == 3), (stands, stands));
        assert_eq!(&stage.sitting()[..], &order[1..]);
    }
}

#[test]
fn who_was_told_to_end_is_not_counted_out_twice() {
    let mut stage = Stage::two_and_a_guard(4);
    assert_eq!(stage.core.live, 4);
    stage.core.resize(2);
    assert_eq!((stage.core.live, stage.core.ending), (2, 2));
    assert!([2, 3].iter().all(|seat| matches!(stage.core.seats[*seat].note, Some(super::super::Note::End))));
    stage.core.gone(2);
    assert_eq!((stage.core.live, stage.core.ending, stage.core.present), (2, 1, 3));
    stage.core.gone(3);
    assert_eq!((stage.core.live, stage.core.ending), (2, 0));
    stage.core.gone(0);
    assert_eq!((stage.core.live, stage.core.ending), (1, 0));
    assert!(stage.core.take_ended().is_empty(), "nobody has put their handles down yet");
    assert!(stage.core.free_seats.is_empty());
}
