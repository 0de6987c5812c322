//! Who gets a licence, what is held back for it, and what is known of it. See `core/tests.rs`.

use super::super::tests::{A, B, Stage};
use super::*;
use crate::policy::dispatch::Event;

const C: ClassId = ClassId(2);

/// Whether the thread on seat 0, which is at work, gets a licence with the closure of class A that it goes on with.
fn licensed(threads: u32, caps: &[Option<u32>], tune: impl FnOnce(&mut Stage)) -> bool {
    let mut stage = Stage::of(threads, caps);
    stage.busy(&[A]);
    // Nobody is called for the next: two are on their way, it seems.
    stage.core.on_the_way += 2;
    stage.core.watch();
    stage.put(A);
    tune(&mut stage);
    assert_eq!(stage.ends(0), Some(A));
    assert_eq!(stage.core.licensed, if stage.core.licence(0).is_some() { vec![0] } else { vec![] });
    stage.core.licence(0).is_some()
}

#[test]
fn a_licence_is_given_where_nobody_is_kept_from_anything_by_it() {
    let stands = |stage: &mut Stage| {
        let seat = stage.core.new_seat();
        stage.core.stand_guard(seat);
    };
    assert!(licensed(1, &[None], |_| ()), "all that may exist are busy");
    assert!(!licensed(2, &[None], |_| ()), "one more might be called");
    assert!(licensed(2, &[None], stands), "one more might be called, but for the guard");
    assert!(!licensed(1, &[None], |stage| stage.core.phase = Phase::Closing), "the pool ends");
    assert!(!licensed(1, &[None], |stage| stage.core.want_room = 1), "somebody waits for room");
    assert!(licensed(1, &[None; 64], |_| ()));
    assert!(!licensed(1, &[None; 65], |_| ()), "a class has no bit");
}

#[test]
fn no_licence_is_given_beside_something_that_waits_for_its_class() {
    let mut stage = Stage::of(2, &[None, Some(1)]);
    stage.busy(&[A, B]);
    stage.put(B);
    // A snapshot does not tell the policy of what lies in the inbox; a withdrawal in vain does.
    let gone = stage.put(A);
    assert!(stage.core.withdraw(gone).is_some());
    assert_eq!(stage.core.dispatch.waiting_items(), 1);
    stage.put(A);
    assert_eq!(stage.ends(0), Some(A));
    assert!(stage.core.licence(0).is_none());
}

/// Seat 0 has a licence, and runs a closure of class A; seat 1 runs one of class `other`. Class A may have two threads, B
/// also, C one, and the fourth has no ceiling.
fn two_at_work(other: ClassId) -> Stage {
    let mut stage = Stage::of(2, &[Some(2), Some(2), Some(1), None]);
    stage.busy(&[A, other]);
    stage.put(A);
    assert_eq!(stage.ends(0), Some(A));
    assert!(stage.core.licence(0).is_some());
    stage
}

/// What the thread on seat 0 begins next under its licence.
fn passes(stage: &Stage) -> Option<ClassId> {
    let licence = stage.core.licence(0).expect("it has one");
    stage.core.belt.pass(0, licence, &stage.core.doorstep).map(|(class, _)| class)
}

#[test]
fn one_grant_of_each_other_class_is_held_back_where_its_ceiling_allows_it() {
    let granted = |stage: &Stage| [A, B, C].map(|class| stage.core.dispatch.class_counts(class).granted);
    let mut stage = two_at_work(ClassId(3));
    assert_eq!(granted(&stage), [1, 1, 1]);
    for class in [B, C, ClassId(3), A] {
        stage.put(class);
        assert_eq!(passes(&stage), Some(class));
    }
    stage.core.revoke();
    assert_eq!(granted(&stage), [1, 0, 0]);
    let mut stage = two_at_work(C);
    assert_eq!(granted(&stage), [1, 1, 1]);
    stage.put(C);
    assert_eq!(passes(&stage), None, "its only grant is the other thread's");
    stage.put(B);
    stage.core.belt.lock().add_all(&stage.core.doorstep);
    assert_eq!(passes(&stage), Some(B), "behind the one that waits");
    assert_eq!([A, B, C].map(|class| stage.core.belt.lock().of_class(class)), [0, 0, 1]);
}

#[test]
fn what_was_begun_under_a_licence_is_counted_once_and_its_classes_are_named() {
    let mut stage = two_at_work(ClassId(3));
    let (started, ended) = (stage.core.started, stage.core.ended);
    let since = stage.core.seats[0].since;
    stage.core.hear();
    assert_eq!((stage.core.started, stage.core.ended), (started, ended));
    for class in [B, B, C] {
        stage.put(class);
        assert_eq!(passes(&stage), Some(class));
    }
    assert_eq!(stage.core.seats[0].since, since, "nobody has looked");
    for class in &mut stage.core.classes {
        (class.queued_by, class.running_by) = (Reason::Resized, Reason::Resized);
    }
    stage.core.reasons.busy = Reason::Resized;
    stage.core.hear();
    assert_eq!((stage.core.started, stage.core.ended), (started + 3, ended + 3));
    assert_eq!((stage.core.seats[0].since, stage.core.reasons.busy), (started + 3, Reason::Started));
    let by =
        |class: ClassId| (stage.core.classes[class.index()].queued_by, stage.core.classes[class.index()].running_by);
    assert_eq!([A, B, C, ClassId(3)].map(by), {
        let (begun, untouched) = ((Reason::Started, Reason::Finished), (Reason::Resized, Reason::Resized));
        [untouched, begun, begun, untouched]
    });
    stage.started(started + 3, 4, &[]);
    stage.core.hear();
    assert_eq!((stage.core.started, stage.core.seats[0].since), (started + 7, started + 3), "nothing was begun since");
    assert!(stage.core.is_licensed_and_stuck(started + 3) && !stage.core.is_licensed_and_stuck(started + 2));
    // The seat says so itself once there is no licence.
    stage.core.change(Event::SetRunnableLimit { limit: 9 });
    assert_eq!((stage.core.seats[0].runs, stage.core.licence(0).is_none()), (Some(C), true));
    assert!(!stage.core.is_licensed_and_stuck(u64::MAX));
    assert_eq!(stage.core.dispatch.class_counts(C).busy_threads, 1);
}

#[test]
fn classes_with_a_ceiling_have_their_bits() {
    let kind = |cap: Option<u32>| {
        cap.map_or(Kind::Requests, |cap| Kind::WorkQueue { cap, drain: crate::policy::drain::Drain::Messages(1) })
    };
    let classes =
        |caps: &[Option<u32>]| caps.iter().map(|cap| ClassRule { kind: kind(*cap), ..ClassRule::default() }).collect();
    let of = |caps: &[Option<u32>]| capped(&Rules { classes: classes(caps), ..Rules::default() });
    assert_eq!(of(&[None, None]), 0);
    assert_eq!(of(&[Some(1), None, Some(3), Some(1)]), 0b1101);
    assert_eq!(of(&[Some(1); 65]), u64::MAX);
}
