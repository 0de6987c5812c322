//! What becomes of a closure that comes while nobody watches. See `core/tests.rs`.

use super::super::tests::{A, B, Stage};
use super::*;
use crate::ids::ThreadId;
use crate::pool::snapshot::Snapshot;

#[test]
fn the_policy_is_told_at_once_where_nobody_watches_and_nobody_has_a_licence() {
    let mut stage = Stage::of(4, &[None]);
    for (closures, called, watched) in [(1, vec![0], false), (2, vec![1], true)] {
        assert!(stage.core.may_be_told_at_once());
        let ticket = stage.put(A);
        assert_eq!(ticket.seq() + 1, closures as u64);
        assert_eq!(stage.called(), called);
        assert_eq!((stage.core.dispatch.waiting_items(), stage.core.doorstep.is_rung()), (closures, false));
        assert_eq!(stage.core.unwatched, !watched, "two are on their way");
    }
    assert!(!stage.core.may_be_told_at_once());
    assert!(!stage.leave(A), "that somebody watches is known there");
    assert_eq!((stage.core.dispatch.waiting_items(), stage.core.backlog()), (2, 3), "it stays for them");
    assert_eq!((stage.comes(0), stage.comes(1)), (Some(A), Some(A)));
    assert_eq!(stage.called(), [2]);
    // It is believed that nobody watches, and somebody does: then it stays in the inbox too.
    stage.core.limit_runnable(2);
    assert!(stage.core.unwatched && !stage.core.may_be_told_at_once());
    stage.put(A);
    assert!(!stage.core.unwatched);
    assert_eq!((stage.core.dispatch.waiting_items(), stage.core.backlog()), (1, 2));
}

/// Two threads sit, and there is nothing to do.
fn two_sit(threads: u32, caps: &[Option<u32>]) -> Stage {
    let mut stage = Stage::of(threads, caps);
    stage.busy(&[ClassId(caps.len() as u16 - 1); 2]);
    for seat in [0, 1] {
        assert_eq!(stage.ends(seat), None);
        stage.sits(seat);
    }
    stage
}

#[test]
fn a_closure_that_comes_alone_is_kept_for_the_thread_that_is_called_for_it() {
    let mut stage = two_sit(4, &[Some(2), None]);
    stage.put(B);
    assert_eq!((stage.core.lone(), stage.core.dispatch.waiting_items(), stage.core.backlog()), (Some(B), 0, 1));
    assert!(stage.core.unwatched, "another could be called");
    let seen = Snapshot::of(&stage.core);
    assert_eq!((seen.queued, seen.classes[0].queued.now, seen.classes[1].queued.now), (1, 0, 1));
    assert_eq!(seen.classes[1].queued.by, Reason::Submitted);
    let called = stage.called();
    assert_eq!((called.len(), stage.core.on_the_way), (1, 1));
    assert_eq!(stage.comes(called[0]), Some(B));
    let counts = stage.core.dispatch.counts();
    assert_eq!((stage.core.lone(), stage.core.started, counts.busy_threads, counts.starting_threads), (None, 3, 1, 0));
    assert_eq!(stage.core.seats[called[0] as usize].since, 3);
    assert_eq!(stage.ends(called[0]), None);
    assert_eq!(stage.core.dispatch.counts().live_threads, 0, "a thread without work is none of the policy's");
    // Where the last thread is called that there may be, the next closure stays in the inbox.
    let mut stage = two_sit(2, &[None]);
    stage.busy(&[A]);
    stage.put(A);
    assert_eq!((stage.core.lone(), stage.core.unwatched), (Some(A), false));
}

#[test]
fn a_closure_is_kept_only_where_it_is_alone_and_its_thread_could_begin_it() {
    let kept = |tune: fn(&mut Stage)| {
        let mut stage = two_sit(4, &[Some(1), None]);
        tune(&mut stage);
        let before = stage.core.lone.is_some();
        stage.put(A);
        stage.core.lone.is_some() && !before
    };
    assert!(kept(|_| ()));
    assert!(kept(|stage| stage.busy(&[B])), "somebody works");
    assert!(!kept(|stage| stage.core.plainly_next = false), "somebody listens");
    assert!(!kept(|stage| stage.core.on_the_way = 1), "somebody comes");
    assert!(!kept(|stage| stage.core.credits.push(ThreadId(9))), "a wish is left over");
    let stands: fn(&mut Stage) = |stage| {
        let seat = stage.core.new_seat();
        stage.core.stand_guard(seat);
    };
    assert!(!kept(stands));
    assert!(!kept(|stage| stage.core.bench.clear()), "nobody sits");
    assert!(!kept(|stage| stage.busy(&[A])), "the ceiling is reached");
    assert!(!kept(|stage| _ = stage.put(B)), "another is kept");
    // Who waits at his ceiling has no packet in the port. A thread that finishes would always find him, and never look
    // for what is kept.
    let mut stage = two_sit(4, &[Some(1), None]);
    stage.busy(&[A]);
    stage.put(A);
    assert_eq!((stage.core.dispatch.waiting_items(), stage.core.dispatch.counts().packets), (1, 0));
    stage.put(B);
    assert_eq!((stage.core.lone(), stage.called().len()), (None, 1));
}

#[test]
fn a_closure_that_was_kept_is_told_of_before_the_next_and_given_back_before_what_was_not_told() {
    let mut stage = two_sit(4, &[None; 2]);
    stage.put(A);
    stage.put(B);
    assert_eq!((stage.core.lone(), stage.core.dispatch.waiting_items()), (None, 2));
    let called = stage.called();
    assert_eq!(called.len(), 2);
    let begun: Vec<_> = called.iter().map(|seat| stage.comes(*seat)).collect();
    assert_eq!(begun, [Some(A), Some(B)], "in the order in which they came");
    // A thread that finishes takes it before what lies in the inbox, and who was called for it finds nothing.
    let mut stage = two_sit(3, &[None; 2]);
    stage.busy(&[A]);
    stage.put(B);
    let called = stage.called();
    stage.leave(A);
    let busy = 1 - called[0];
    assert_eq!((stage.core.lone(), stage.ends(busy), stage.core.lone()), (Some(B), Some(B), None));
    assert_eq!((stage.comes(called[0]), stage.ends(busy)), (Some(A), None));
    // Its thread comes when no more may be runnable: the policy is told of it.
    let mut stage = two_sit(3, &[None]);
    stage.put(A);
    stage.core.limit_runnable(0);
    let called = stage.called();
    assert_eq!((stage.comes(called[0]), stage.core.lone(), stage.core.dispatch.waiting_items()), (None, None, 1));
    // A stop.
    let mut stage = two_sit(4, &[None; 2]);
    stage.put(B);
    stage.leave(A);
    let given_back: Vec<_> = stage.core.stop().into_iter().map(|(class, _)| class).collect();
    assert_eq!((given_back, stage.core.lone()), (vec![B, A], None));
}

#[test]
fn beside_a_licence_nothing_is_told_at_once() {
    let mut stage = Stage::two_and_a_guard(8);
    stage.put(A);
    assert_eq!(stage.ends(0), Some(A));
    assert!(stage.core.licence(0).is_some());
    stage.core.guard = None;
    assert!(!stage.core.is_watched() && !stage.core.may_be_told_at_once());
    stage.core.revoke();
    assert!(stage.core.may_be_told_at_once());
}
