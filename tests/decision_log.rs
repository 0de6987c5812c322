//! The decision log through the library's doors: a written log replays, and whatever is wrong in one is told.
//! Through the built program: `trace.rs`.

use atqsim::ids::{ClassId, ThreadId};
use atqsim::policy::decision_log::check::{Replayer, Tally, Trouble};
use atqsim::policy::decision_log::{DecisionLog, replay};
use atqsim::policy::dispatch::{ClassRule, Decision, Dispatch, Event, Rules};
use proptest::prelude::*;

/// Two threads, of which one may be runnable, for requests and for a queue that may have one.
const HEADER: &str = "atqsim-trace 1\nengine x\nvariant y\npool-size 2\nrunnable-limit 1\norder port\nwaiting-room none\n\
    classes 2\nclass 0 requests max-waiting 3 priority 0 keep-free 0 called a\n\
    class 1 work-queue cap 1 drain until-empty max-waiting 3 priority 0 keep-free 0 called b\nbegin";

/// Everything that can happen to a thread, told as the policy decides it.
const EVENTS: &str = "+0 submit 0 -> queued 0/0 create t0\n+1 submit 1 -> queued 1/1 create t1\n\
    +0 thread-started t0 -> start t0 0 #0\n+5 thread-refused t1 -> nothing\n+0 blocks t0 -> nothing\n\
    +9 wakes t0 -> nothing\n+1 submit 0 -> queued 2/0\n+1 give-up 2/0 -> left\n+1 finishes t0 -> start t0 1 #1\n\
    +1 set-cap 1 2 -> nothing\n+1 finishes t0 -> idle t0\n+7 idle-too-long t0 -> retire t0";

/// A replayer that has taken in these lines.
fn fed(lines: &str) -> Replayer {
    let mut replayer = Replayer::default();
    for line in lines.lines() {
        assert_eq!(replayer.line(line), Ok(()), "{line}");
    }
    replayer
}

/// What is wrong with `lines` and the remedy, or what is decided in the place of what the log says.
fn trouble(lines: &str) -> String {
    let mut replayer = Replayer::default();
    for line in lines.lines() {
        match replayer.line(line) {
            Ok(()) => {}
            Err(Trouble::Malformed { message, remedy }) => return format!("{message}: {remedy}"),
            Err(Trouble::Difference { variant, event, logged, decided }) => {
                return format!("{variant}: {event} -> {logged}, but {decided}");
            }
        }
    }
    match replayer.finish() {
        Err(Trouble::Malformed { message, .. }) => message,
        other => panic!("nothing is wrong with {lines}: {other:?}"),
    }
}

#[test]
fn a_log_is_counted_and_one_without_its_end_is_cut() {
    let whole = format!("{HEADER}\n{EVENTS}\nend 12");
    let tally = Tally { logs: 1, events: 12, decisions: 10, cut: 0 };
    assert_eq!(fed(&whole).finish(), Ok(tally));
    assert_eq!(fed(&format!("{HEADER}\n{EVENTS}")).finish(), Ok(Tally { cut: 1, ..tally }));
    let three = format!("{whole}\n{HEADER}\n{EVENTS}\n{HEADER}");
    assert_eq!(fed(&three).finish(), Ok(Tally { logs: 3, events: 24, decisions: 20, cut: 2 }));
}

#[test]
fn every_mistake_in_a_header_is_told() {
    for line in HEADER.lines() {
        let without: String = HEADER.lines().filter(|l| *l != line).map(|l| format!("{l}\n")).collect();
        assert!(!trouble(&format!("{without}{EVENTS}")).is_empty(), "without {line}");
    }
    let table = [
        ("atqsim-trace 1", "atqsim-trace 2", "the log is of version 2, and 1 is read: replay it with the program"),
        ("atqsim-trace 1", "atqsim-trace1", "a log begins with `atqsim-trace 1` and its header"),
        ("pool-size 2", "pool-size +2", "`+2` is no whole number that fits"),
        ("pool-size 2", "pool-size 4294967296", "`4294967296` is no whole number"),
        ("pool-size 2", "poolsize 2", "`poolsize 2` is no line of a header"),
        ("order port", "order Port", "`Port` is no order"),
        ("waiting-room none", "waiting-room some", "`some` is no whole number"),
        ("classes 2", "classes 3", "the header has 2 of its 3 classes"),
        ("class 1", "class 2", "class 2 stands where class 1 is due"),
        (" called b", "", "a class has no name"),
        ("work-queue", "workqueue", "`workqueue` is no kind of class"),
        ("cap 1", "cup 1", "`cup` stands where `cap` is due"),
        ("until-empty", "messages-0", "`messages-0` is no drain rule"),
        ("keep-free 0 called b", "keep-free 0 0 called b", "`0` is too much"),
        ("keep-free 0 called b", "keep-free  0 called b", "two blanks in a row"),
        ("begin", "atqsim-trace 1", "another log begins within a header"),
    ];
    for (right, wrong, says) in table {
        let said = trouble(&format!("{}\n{EVENTS}", HEADER.replacen(right, wrong, 1)));
        assert!(said.contains(says), "{wrong}: {said}");
    }
    assert_eq!(trouble(""), "there is no log in it");
    assert_eq!(trouble("atqsim-trace 1"), "the log ends within its header");
    // What a message repeats is short, and fit to be shown.
    let long = trouble(&format!("atqsim-trace 1\n\u{7}{}", "x".repeat(60)));
    assert!(long.starts_with(&format!("`?{}...` is no line", "x".repeat(39))), "{long}");
    let just = trouble(&format!("atqsim-trace 1\n{}", "x".repeat(40)));
    assert!(just.starts_with(&format!("`{}` is no line", "x".repeat(40))), "{just}");
}

#[test]
fn every_mistake_in_an_event_is_told_and_none_reaches_the_policy() {
    let after = |events: usize, line: &str| {
        let before: String = EVENTS.lines().take(events).map(|l| format!("{l}\n")).collect();
        trouble(&format!("{HEADER}\n{before}{line}\nend 99"))
    };
    let table = [
        // (after so many events, the next line, what is said)
        (0, "+0 submit 0", "there is no ` -> ` between event and decisions"),
        (0, "0 submit 0 -> nothing", "the line does not begin with the time"),
        (0, "+-1 submit 0 -> nothing", "`-1` is no whole number"),
        (0, "+0 submit -> nothing", "the line ends too early"),
        (0, "+0 submit 0 0 -> nothing", "`0` is too much"),
        (0, "+0 sumbit 0 -> nothing", "`sumbit` is no event"),
        (0, "+0 blocks 0 -> nothing", "`0` is no thread, like `t4`"),
        (0, "+0 give-up 0 -> nothing", "`0` is no ticket, like `17/2`"),
        (0, "+0 give-up 281474976710656/0 -> nothing", "`281474976710656` is too large a number for an item"),
        (0, "+0 give-up 281474976710655/0 -> left", "give-up 281474976710655/0 -> left, but nothing"),
        (0, "+0 submit 0 -> queued 0/0 grow t0", "`grow` is no decision"),
        (0, "+0 submit 0 -> start t0 0 0", "`0` is no item, like `#17`"),
        (0, "+0 submit 0 -> ", "the line ends too early"),
        (12, "end 11", "the log ends after 11 events, and 12 are there"),
        (12, "end 12\n+0 submit 0 -> nothing", "a log begins with `atqsim-trace 1`"),
        // A difference.
        (0, "+0 submit 0 -> queued 0/0", "y: submit 0 -> queued 0/0, but queued 0/0 create t0"),
        (9, "+1 set-cap 1 2 -> idle t0", "y: set-cap 1 2 -> idle t0, but nothing"),
        (12, "+1 set-pool-size 1 -> left", "y: set-pool-size 1 -> left, but nothing"),
        // What cannot happen to this thread or class now.
        (0, "+0 submit 2 -> nothing", "submit 2 -> nothing, but nothing: there are 2 classes"),
        (0, "+0 set-cap 2 1 -> nothing", "there are 2 classes"),
        (0, "+0 thread-started t0 -> nothing", "t0 is not being created"),
        (1, "+0 finishes t0 -> nothing", "t0 is not busy"),
        (3, "+0 thread-started t0 -> nothing", "t0 is not being created"),
        (4, "+0 thread-refused t1 -> nothing", "t1 is not being created"),
        (3, "+0 wakes t0 -> nothing", "t0 is not waiting"),
        (5, "+0 blocks t0 -> nothing", "t0 is not busy"),
        (5, "+0 finishes t0 -> nothing", "t0 is not busy"),
        (6, "+0 wakes t0 -> nothing", "t0 is not waiting"),
        (11, "+0 finishes t0 -> nothing", "t0 is not busy"),
        (12, "+0 finishes t0 -> nothing", "t0 is not busy"),
    ];
    for (events, line, says) in table {
        let said = after(events, line);
        assert!(said.contains(says), "after {events} events, {line}: {said}");
    }
}

#[test]
fn a_log_in_memory_keeps_the_first_lines_and_replays() {
    let rules = Rules { classes: vec![ClassRule::default()], ..Rules::default() };
    let mut dispatch: Dispatch<u8> = Dispatch::new(&rules);
    let mut log = DecisionLog::new(3);
    let (class, thread) = (ClassId(0), ThreadId(0));
    for (event, kept, dropped) in [
        (Event::Submit { class, job: 7 }, 1, 0),
        (Event::ThreadStarted { thread }, 2, 0),
        (Event::Finishes { thread }, 3, 0),
        (Event::Submit { class, job: 8 }, 3, 1),
        (Event::Finishes { thread }, 3, 2),
    ] {
        let mut out = Vec::new();
        dispatch.apply(event, &mut out);
        log.note(event.erased(), &out);
        assert_eq!((log.lines().len(), log.dropped()), (kept, dropped));
    }
    assert_eq!(log.lines()[2].event, Event::Finishes { thread });
    assert_eq!(log.lines()[2].decisions, [Decision::Idle { thread }]);
    assert_eq!(replay(&rules, log.lines()), Ok(()));
    let mut changed = log.lines().to_vec();
    changed[1].decisions = vec![Decision::Idle { thread }];
    let difference = replay(&rules, &changed).expect_err("a decision was changed");
    assert_eq!((difference.line, difference.event), (1, Event::ThreadStarted { thread }));
    assert_eq!(difference.logged, [Decision::Idle { thread }]);
    assert_eq!(difference.replayed, [Decision::Start { thread, class, seq: 0, job: () }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever stands in a log, the replay ends with an answer and never with a panic.
    #[test]
    fn any_log_is_replayed_or_refused(
        events in prop::collection::vec(
            "\\+1 (submit [0-3]|(blocks|wakes|finishes|thread-started|thread-refused|idle-too-long) t[0-3]|give-up [0-9]/[0-3]|set-cap [01] [0-3]|set-pool-size [0-3])",
            0..40,
        ),
    ) {
        let mut replayer = Replayer::default();
        for line in HEADER.lines() {
            prop_assert_eq!(replayer.line(line), Ok(()));
        }
        // Each event is logged with what a first replay says is decided.
        let mut agreed: Vec<String> = Vec::new();
        for event in events {
            let mut again = Replayer::default();
            HEADER.lines().chain(agreed.iter().map(String::as_str)).for_each(|line| again.line(line).unwrap());
            let line = match again.line(&format!("{event} -> retire t9")) {
                Err(Trouble::Difference { decided, .. }) => format!("{event} -> {decided}"),
                other => panic!("{other:?}"),
            };
            if !line.contains("nothing: ") {
                prop_assert_eq!(replayer.line(&line), Ok(()), "{}", line);
                agreed.push(line);
            }
        }
        prop_assert_eq!(replayer.finish().map(|tally| tally.events), Ok(agreed.len() as u64));
    }
}
