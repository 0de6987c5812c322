//! Who is called, rung for or left alone, and for how long a thread polls. See `core/tests.rs`.

use super::super::Sitter;
use super::super::tests::{A, B, Stage};
use super::*;
use crate::pool::sync::Ordering;
use crate::pool::sync::tests::on_one_processor;

/// Long enough that it does not pass, and over already.
const FAR: Duration = Duration::from_secs(3_600);
const OVER: Duration = Duration::ZERO;

const ELSEWHERE: u32 = u32::MAX;

/// Closures lie in the inbox and the policy is told of all.
fn told(stage: &mut Stage, closures: usize) {
    for _ in 0..closures {
        let _ = stage.leave(A);
    }
    while stage.core.take_in(None) {}
}

#[test]
fn as_many_are_called_as_closures_can_start_but_two_at_a_time() {
    for (closures, called) in [(1, vec![0]), (2, vec![0, 1]), (5, vec![0, 1])] {
        let mut stage = Stage::of(8, &[None]);
        told(&mut stage, closures);
        assert_eq!(stage.called(), called, "{closures} closures");
        assert_eq!(stage.core.on_the_way as usize, called.len());
    }
    let mut stage = Stage::of(8, &[None]);
    stage.core.limit_runnable(0);
    told(&mut stage, 2);
    assert!(stage.called().is_empty());
    stage.core.limit_runnable(9);
    assert_eq!(stage.called(), [0, 1], "both in one step");
    // Where nobody can be created any more, the wish stands, and nobody counts as on his way.
    let mut stage = Stage::of(1, &[None]);
    stage.core.live = 1;
    told(&mut stage, 1);
    assert!(stage.called().is_empty());
    assert_eq!((stage.core.on_the_way, stage.core.credits.len()), (0, 1));
}

#[test]
fn the_poller_is_rung_for_one_closure_and_a_thread_called_for_the_next() {
    let mut stage = Stage::of(8, &[None]);
    stage.core.polled = true;
    stage.put(A);
    assert!(stage.core.take_in(None));
    assert!(stage.called().is_empty() && stage.core.rung && stage.core.doorstep.is_rung());
    // Ordering: Relaxed; there is one thread.
    assert!(stage.core.doorstep.bell().load(Ordering::Relaxed), "it is this bell that the poller watches");
    told(&mut stage, 1);
    assert_eq!(stage.called(), [0]);
    told(&mut stage, 1);
    assert!(stage.called().is_empty(), "two come");
}

#[test]
fn nobody_is_called_beside_a_guard_while_somebody_works() {
    let mut stage = Stage::two_and_a_guard(8);
    told(&mut stage, 1);
    assert!(stage.called().is_empty());
    assert_eq!(stage.ends(0), Some(A));
    assert_eq!((stage.ends(0), stage.ends(1)), (None, None));
    told(&mut stage, 1);
    assert_eq!(stage.called().len(), 1, "nobody works");
}

#[test]
fn whoever_comes_for_an_item_calls_nobody_for_it() {
    let mut stage = Stage::of(8, &[None]);
    stage.put(A);
    assert_eq!(stage.called(), [0]);
    stage.put(A);
    assert_eq!(stage.called(), [1]);
    // The first comes for the one, takes the other in too, and nobody else is called.
    assert_eq!(stage.comes(0), Some(A));
    assert!(stage.called().is_empty());
    assert_eq!(stage.comes(1), Some(A));
}

#[test]
fn who_has_sat_longest_of_eight_that_sat_down_here_is_called_and_otherwise_the_last_of_all() {
    on_one_processor(|here| {
        let nearest = |processors: &[u32], size: u32| {
            let mut stage = Stage::of(size, &[None]);
            for _ in processors {
                let seat = stage.core.new_seat();
                stage.core.seats[seat as usize].thread = Some(crate::pool::sync::current());
                stage.core.take_seat(seat);
            }
            for (sitter, processor) in stage.core.bench.iter_mut().zip(processors) {
                assert_eq!(sitter.processor, here, "where it sat down");
                sitter.processor = *processor;
            }
            assert!(stage.core.call());
            let called = stage.called();
            assert!(!stage.sitting().contains(&called[0]), "it has left the bench");
            called[0]
        };
        assert_eq!(nearest(&[ELSEWHERE; 3], 9), 2);
        assert_eq!(nearest(&[ELSEWHERE, here, here], 9), 1);
        assert_eq!(nearest(&[here, here, ELSEWHERE], 9), 0);
        assert_eq!(nearest(&[here, ELSEWHERE, ELSEWHERE], 3), 0);
        assert_eq!(nearest(&[], 9), 0, "one is created");
        let mut many = [ELSEWHERE; 20];
        many[3] = here;
        assert_eq!(nearest(&many, 30), 19, "16 from the end it is not looked any further");
        many[4] = here;
        assert_eq!(nearest(&many, 30), 4);
        assert_eq!(nearest(&[here; 8], 30), 0);
        assert_eq!(nearest(&[here; 12], 30), 4, "eight take turns, the others rest");
        let mut many = [here; 16];
        many[10..12].fill(ELSEWHERE);
        assert_eq!(nearest(&many, 30), 6, "eight of those that are near");
    });
}

#[test]
fn who_is_called_stands_guard_no_more_and_others_do() {
    for (called, stands) in [(2, false), (3, true)] {
        let mut stage = Stage::two_and_a_guard(8);
        let other = if called == 2 { 3 } else { 2 };
        stage.core.bench = [other, called].map(|seat| Sitter { seat, processor: ELSEWHERE }).to_vec();
        assert!(stage.core.call());
        assert_eq!(stage.called(), [called]);
        assert_eq!(stage.core.guard.is_some(), stands);
    }
}

#[test]
fn somebody_watches_the_inbox_in_these_cases_and_no_other() {
    let watched = |tune: fn(&mut Stage)| {
        let mut stage = Stage::of(2, &[None]);
        stage.busy(&[A]);
        tune(&mut stage);
        stage.core.is_watched()
    };
    assert!(!watched(|_| ()));
    let stands: fn(&mut Stage) = |stage| {
        let seat = stage.core.new_seat();
        stage.core.stand_guard(seat);
    };
    assert!(watched(stands));
    assert!(!watched(|stage| {
        let seat = stage.core.new_seat();
        stage.core.stand_guard(seat);
        assert_eq!(stage.ends(0), None);
    }));
    assert!(!watched(|stage| stage.core.on_the_way = 1), "another could be created");
    assert!(watched(|stage| stage.core.on_the_way = 2));
    assert!(watched(|stage| stage.put_and_call(A)), "the last is on its way");
    assert!(!watched(|stage| {
        stage.put_and_call(A);
        stage.core.resize(3);
    }));
    assert!(watched(|stage| stage.core.rung = true));
    assert!(watched(|stage| stage.core.polled = true));
    assert!(watched(|stage| stage.busy(&[A])), "all that may exist are busy");
    assert!(watched(|stage| stage.core.limit_runnable(1)), "no more may be runnable");
    let mut stage = Stage::of(2, &[None]);
    assert!(!stage.core.is_watched());
    stage.put(A);
    assert_eq!(stage.called(), [0]);
    stage.core.refused(0, None);
    assert_eq!(stage.core.dispatch.counts().goal_threads, 0);
    assert!(!stage.core.is_watched(), "the system refused all: whoever comes has to try again");
    stage.core.watch();
    stage.put(A);
    assert_eq!(stage.called(), [0, 1], "it was tried again, for both that wait");
}

/// What the policy is told of waits there, and whoever takes it from there has no licence: a flood that comes while the
/// last thread is about to wake would all be told, and served one lock at a time.
#[test]
fn while_the_last_thread_is_on_its_way_closures_stay_in_the_inbox() {
    let mut stage = Stage::of(2, &[None]);
    stage.busy(&[A]);
    for _ in 0..5 {
        stage.put(A);
    }
    assert_eq!(stage.called(), [1]);
    assert_eq!(stage.core.dispatch.waiting_items(), 1, "the one for which it was called");
    assert_eq!(stage.comes(1), Some(A));
    assert_eq!(stage.core.dispatch.waiting_items(), 0);
    // Each has it from the inbox, in turns.
    for seat in [0, 1, 0, 1] {
        assert_eq!(stage.ends(seat), Some(A));
        assert_eq!(stage.core.dispatch.waiting_items(), 0);
    }
    assert_eq!((stage.ends(0), stage.ends(1)), (None, None));
}

#[test]
fn a_producer_is_told_to_look_after_its_closure_once_and_only_where_nobody_watches() {
    let mut stage = Stage::of(2, &[None]);
    let unwatched = |stage: &Stage| stage.leave(A);
    assert!(!stage.core.doorstep.is_rung(), "nothing lies there");
    assert!(unwatched(&stage), "as built");
    assert!(stage.core.doorstep.is_rung());
    assert!(!unwatched(&stage), "somebody was told");
    stage.core.is_here();
    stage.core.watch();
    assert_eq!((stage.core.backlog(), stage.core.dispatch.waiting_items()), (2, 2), "both were seen to");
    assert_eq!(stage.called(), [0, 1]);
    assert_eq!((stage.comes(0), stage.comes(1)), (Some(A), Some(A)));
    assert!(!unwatched(&stage), "the last was on its way, and then both are busy: one of them takes it");
    stage.core.watch();
    assert!(!stage.core.unwatched && stage.called().is_empty());
    assert_eq!((stage.ends(0), stage.ends(0), stage.core.unwatched), (Some(A), None, true));
    // Somebody polls from now on, or stands guard.
    stage.core.poll_for = LEAST_POLL;
    assert!(stage.core.begin_poll());
    assert!(!stage.core.unwatched && !unwatched(&stage));
}

#[test]
fn after_a_stop_nobody_is_told_of_anything() {
    let mut stage = Stage::of(2, &[None]);
    let untold = stage.leave(A);
    stage.core.phase = Phase::Stopped;
    stage.core.is_here();
    stage.core.watch();
    assert!(untold && stage.core.dispatch.waiting_items() == 0 && stage.called().is_empty());
}

#[test]
fn one_thread_polls_at_a_time_and_none_where_it_does_not_pay() {
    let polls = |tune: fn(&mut Stage)| {
        let mut stage = Stage::of(2, &[None]);
        stage.busy(&[A; 2]);
        assert_eq!(stage.ends(0), None);
        stage.core.poll_for = LEAST_POLL;
        tune(&mut stage);
        let polls = stage.core.begin_poll();
        (polls, stage.core.poll_ended.is_some())
    };
    assert_eq!(polls(|_| ()), (true, false));
    assert_eq!(polls(|stage| stage.core.poll_for += LEAST_POLL), (true, false));
    let short = |stage: &mut Stage| stage.core.poll_for = Duration::from_nanos(999);
    assert_eq!(polls(short), (false, false), "not worth its clock");
    for before in 0..=8 {
        let mut stage = Stage::of(1, &[None]);
        short(&mut stage);
        for _ in 0..before {
            let _ = stage.core.begin_poll();
            stage.core.poll_ended = None;
        }
        assert!(!stage.core.begin_poll());
        assert_eq!(
            stage.core.poll_ended.is_some(),
            before == 7,
            "only the eighth time it is asked what it would be worth"
        );
    }
    assert_eq!(polls(|stage| stage.core.polled = true), (false, false));
    assert_eq!(polls(|stage| stage.core.phase = Phase::Stopped), (false, false));
    assert_eq!(polls(|stage| stage.core.change(Event::SetPoolSize { size: 1 })), (false, false), "one too many");
}

#[test]
fn the_poller_takes_what_came_and_else_notes_that_it_was_in_vain() {
    let polled = |came: bool, phase: Phase| {
        let mut stage = Stage::of(1, &[None]);
        stage.busy(&[A]);
        assert_eq!(stage.ends(0), None);
        stage.core.poll_for = LEAST_POLL;
        assert!(stage.core.begin_poll());
        if came {
            stage.put(A);
        }
        stage.core.phase = phase;
        stage.core.rung = true;
        let next = stage.core.end_poll(0);
        assert!(!stage.core.polled && !stage.core.rung);
        assert_eq!(next.is_none(), stage.core.poll_ended.is_some());
        next.map(|(class, _)| class)
    };
    assert_eq!(polled(true, Phase::Open), Some(A));
    assert_eq!(polled(true, Phase::Closing), Some(A));
    assert_eq!(polled(true, Phase::Stopped), None);
    assert_eq!(polled(false, Phase::Open), None);
}

#[test]
fn polls_grow_where_a_longer_one_would_have_paid_and_shrink_where_not() {
    let next = |poll_for: u64, limit: u64, ended: Option<Duration>| {
        let mut stage = Stage::of(1, &[None]);
        stage.core.habits.poll = Duration::from_nanos(limit);
        stage.core.poll_for = Duration::from_nanos(poll_for);
        stage.core.poll_ended = ended.map(Deadline::after);
        stage.core.judge_poll();
        assert!(stage.core.poll_ended.is_none(), "each is judged once");
        stage.core.poll_for.as_nanos() as u64
    };
    assert_eq!(next(3_000, 8_000, None), 3_000);
    assert_eq!(next(3_000, 8_000, Some(OVER)), 1_500);
    assert_eq!(next(3_000, 8_000, Some(FAR)), 6_000);
    assert_eq!(next(5_000, 8_000, Some(FAR)), 8_000, "not above the limit");
    assert_eq!(next(7, 8_000, Some(FAR)), 1_000, "an eighth of the limit at least");
    let mut stage = Stage::of(1, &[None]);
    stage.core.habits.poll = FAR;
    stage.core.poll_for = Duration::from_nanos(500);
    for _ in 0..JUDGES_EVERY {
        assert!(!stage.core.begin_poll());
    }
    stage.put(A);
    assert_eq!(stage.called(), [0]);
    assert_eq!(stage.core.poll_for, FAR / 8, "a call judges the poll before");
}

#[test]
fn who_comes_ends_the_licences_of_others() {
    let mut stage = Stage::two_and_a_guard(8);
    stage.put(A);
    assert_eq!(stage.ends(0), Some(A));
    assert!(stage.core.licence(0).is_some());
    stage.put(A);
    stage.core.leave_bench(2);
    assert!(stage.core.arrive(2).is_some());
    assert!(stage.core.licence(0).is_none());
}

#[test]
fn nothing_is_tried_again_where_nothing_was_refused() {
    let mut stage = Stage::of(2, &[None, Some(1)]);
    stage.core.listen(Some(crate::policy::decision_log::DecisionLog::new(9)), None);
    stage.put(A);
    stage.put(B);
    let events: Vec<_> = stage.core.log.take().expect("it was there").lines().iter().map(|line| line.event).collect();
    assert_eq!(events, [Event::Submit { class: A, job: () }, Event::Submit { class: B, job: () }]);
}
