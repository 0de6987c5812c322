//! The real locks and clocks do what they are taken for.

use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(3_600);

/// Runs `test` on a thread that is kept on one processor, on each that there is for it; with its number.
#[cfg(target_os = "linux")]
pub(in crate::pool) fn on_one_processor(test: impl Fn(u32) + Sync) {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    let own = nix::unistd::Pid::from_raw(0);
    let allowed = sched_getaffinity(own).unwrap();
    let mut tested = 0;
    for number in (0..CpuSet::count()).filter(|number| allowed.is_set(*number).unwrap()) {
        let keeps_there = || {
            let mut only = CpuSet::new();
            only.set(number).unwrap();
            sched_setaffinity(own, &only).unwrap();
            test(number as u32);
        };
        std::thread::scope(|scope| scope.spawn(keeps_there).join().unwrap());
        tested += 1;
    }
    assert!(tested > 0);
}

/// Elsewhere one processor stands for all.
#[cfg(not(target_os = "linux"))]
pub(in crate::pool) fn on_one_processor(test: impl Fn(u32) + Sync) {
    test(0);
}

#[test]
fn a_deadline_passes_once_and_never_does_not() {
    assert!(Deadline::after(Duration::ZERO).has_passed());
    assert!(!Deadline::after(LONG).has_passed());
    assert!(!Deadline::NEVER.has_passed());
    assert!(!Deadline::after(Duration::MAX).has_passed(), "too far away to say");
}

#[test]
fn a_poll_sees_a_flag_that_is_set_and_gives_up_at_its_limit() {
    assert!(poll(&AtomicBool::new(true), LONG));
    assert!(!poll(&AtomicBool::new(false), Duration::ZERO));
}

#[test]
fn a_moment_knows_how_long_ago_it_was() {
    assert!(Moment::ago(Duration::from_secs(9)).elapsed() >= Duration::from_secs(9));
    assert!(Moment::now().elapsed() < LONG);
}

#[test]
fn the_processor_is_the_one_on_which_the_thread_is_kept() {
    on_one_processor(|first| assert_eq!(processor(), first));
}

#[cfg(target_os = "linux")]
#[test]
fn short_turns_are_asked_for_where_they_are_shorter() {
    let own = || uapi::sched_getattr(0, 0).map_or(0, |own| own.sched_runtime);
    let ordinary = own();
    let turns = |asks: &[u64]| {
        let asks = || {
            asks.iter().for_each(|nanoseconds| ask_for_slice(Duration::from_nanos(*nanoseconds)));
            own()
        };
        std::thread::scope(|scope| scope.spawn(asks).join().unwrap())
    };
    // A system with one length of turns for all tells none.
    let expected = |turns: u64| if ordinary == 0 { 0 } else { turns };
    assert_eq!(turns(&[300_000]), expected(300_000));
    assert_eq!(turns(&[300_000, 300_001, u64::MAX, 0]), expected(300_000));
    assert_eq!(turns(&[300_000, 299_999]), expected(299_999));
    assert_eq!((turns(&[0]), turns(&[u64::MAX])), (ordinary, ordinary));
}

/// Who gives way to all others has no turns of his own.
#[cfg(target_os = "linux")]
#[test]
fn a_thread_of_another_policy_keeps_what_it_has() {
    let asks = || {
        let mut idle = uapi::sched_getattr(0, 0).unwrap();
        idle.sched_policy = uapi::c::SCHED_IDLE as u32;
        uapi::sched_setattr(0, &idle, 0).unwrap();
        let before = uapi::sched_getattr(0, 0).unwrap();
        ask_for_slice(Duration::from_micros(300));
        let after = uapi::sched_getattr(0, 0).unwrap();
        assert_eq!((before.sched_policy, before.sched_runtime), (after.sched_policy, after.sched_runtime));
        assert_eq!(after.sched_policy, uapi::c::SCHED_IDLE as u32);
    };
    std::thread::scope(|scope| scope.spawn(asks).join().unwrap());
}

#[test]
fn a_thread_knows_its_own_handle() {
    let (send, receive) = std::sync::mpsc::channel::<JoinHandle>();
    let (says, said) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || says.send(is_own(&receive.recv().unwrap())).unwrap());
    assert!(!is_own(&thread));
    send.send(thread).unwrap();
    assert!(said.recv().unwrap());
}
