//! The decision log of a cluster has a log for each node, and another for one that began anew; each replays.

use std::io::Write;
use std::sync::Arc;

use atqsim::policy::decision_log::check::{Replayer, Tally, Trouble};
use atqsim::run::{EngineKind, RunOptions, Silent, TraceFile, run};
use parking_lot::Mutex;

use super::world::{faults, plan, two_groups};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log of a cluster that loses a node, which returns, while the other hangs for a while.
fn written(engine: EngineKind) -> String {
    let policies = "probe_every = \"2s\"\nis_alive_timeout = \"10s\"\npending_timeout = \"10s\"\n";
    let events = [(30, "n1", "dies"), (50, "n1", "returns"), (60, "n2", "hangs"), (90, "n2", "returns")];
    let plan = plan(&two_groups("2m", policies, &faults(&events)));
    let paper = Paper::default();
    let trace = Arc::new(TraceFile::new(Box::new(paper.clone())));
    let options = RunOptions { engine, trace: Some(Arc::clone(&trace)), ..RunOptions::default() };
    assert!(run(&[plan.clone(), plan], &options, &Silent).error.is_none());
    trace.close().unwrap();
    let text = paper.0.lock().clone();
    String::from_utf8(text).unwrap()
}

fn replayed(text: &str) -> Result<Tally, Trouble> {
    let mut replayer = Replayer::default();
    text.lines().try_for_each(|line| replayer.line(line))?;
    replayer.finish()
}

#[test]
fn each_node_has_a_log_that_replays() {
    for engine in [EngineKind::Virtual, EngineKind::Threads] {
        let text = written(engine);
        let tally = replayed(&text).unwrap_or_else(|trouble| panic!("{engine:?}: {trouble:?}"));
        // Two runs; in each, n1 has a second log from its death on.
        assert_eq!((tally.logs, tally.cut), (2, 0), "{engine:?}");
        assert_eq!(text.lines().filter(|line| *line == "node n1").count(), 4, "{engine:?}");
        assert_eq!(text.lines().filter(|line| *line == "node n2").count(), 2, "{engine:?}");
        assert!(tally.events > 1_000 && tally.decisions > 1_000, "{engine:?}: {tally:?}");
    }
}

#[test]
fn a_log_that_was_changed_does_not_replay() {
    let text = written(EngineKind::Virtual);
    let changes: [(&str, &str, &str); 6] = [
        ("\nlog 1\n", "\nlog 9\n", "there is no log 9 yet"),
        ("\nfirst-number 17592186044416\n", "\nfirst-number 5\n", "queued"),
        ("\nfirst-number 17592186044416\n", "\n", "the header has no `first-number`"),
        ("\nfirst-number 17592186044416\n", "\nfirst-number 281474976710655\n", "is too large a first number"),
        ("\nend ", "\nend 1", "the log ends after"),
        ("set-runnable-limit 0", "set-runnable-limit 1", ""),
    ];
    for (right, wrong, says) in changes {
        let changed = text.replacen(right, wrong, 1);
        assert_ne!(changed, text, "{right}");
        let trouble = replayed(&changed).expect_err(wrong);
        assert!(format!("{trouble:?}").contains(says), "{wrong}: {trouble:?}");
    }
    // Lines of one node told as the other's.
    let without: String =
        text.lines().filter(|line| !line.starts_with("log ")).map(|line| format!("{line}\n")).collect();
    assert!(replayed(&without).is_err());
    // Cut off in the midst of the first run: three logs have no end.
    let half: String =
        text.lines().take_while(|line| !line.starts_with("end ")).map(|line| format!("{line}\n")).collect();
    let tally = replayed(&half).unwrap();
    assert_eq!((tally.logs, tally.cut), (1, 3));
}
