//! Logs that are replayed: the `replay` of a load, and that of the command line.
//!
//! Not the reading of logs (`workload::logs`). Called by `super`.

use super::super::TraceOverride;
use super::super::cluster::Cluster;
use super::super::stages::{Entries, Stages};
use super::super::tree::{Node, Origin, shortened, shown_number};
use super::super::walk::{Fields, Walk};
use super::{Loads, Reader};
use crate::ids::StageId;
use crate::workload::journey::{Arrivals, Journey, Source, TraceInput, TraceSpec};

/// The most logs of one load.
const LOGS_MOST: usize = 1_000;
/// The range of a replay's rate multiplier.
const TIMES: (f64, f64) = (1e-6, 1e6);

/// Adds the trace of the command line, as a source beside the others.
pub(super) fn replayed(
    walk: &Walk<'_>,
    stages: &Stages,
    cluster: Option<&Cluster<'_>>,
    replay: &TraceOverride,
    loads: &mut Loads,
) {
    let origin = Origin::Flag("--replay".into());
    let share = match cluster {
        None => None,
        Some(cluster) => match cluster.share_of_replay(walk, stages, &origin) {
            Some(share) => Some(share),
            None => return,
        },
    };
    let mut name = share.map_or_else(|| "replay".to_string(), |share| format!("{}.replay", share.name));
    while loads.sources.iter().any(|other| other.name == name) {
        name.push('+');
    }
    if replay.paths.is_empty() {
        walk.error(&origin, "there is no log to replay", "name at least one");
    }
    if !(TIMES.0 <= replay.times && replay.times <= TIMES.1) {
        let message = format!("logs cannot be replayed {} times as fast", shown_number(replay.times));
        walk.error(&origin, message, "give a number from 0.000001 to 1000000");
    }
    let input = TraceInput::Paths(replay.paths.clone());
    let nowhere = Entries::default();
    let entries = stages.entries.get(share.map_or(0, |share| share.group.index())).unwrap_or(&nowhere);
    let times = replay.times * share.map_or(1.0, |share| share.load);
    if let Some(spec) = trace(walk, entries, &origin, input, (times, replay.repeat, replay.spread)) {
        loads.sources.push(Source { name, arrivals: Arrivals::Trace(spec), journey: Journey::Row });
        loads.groups.extend(share.map(|share| share.group));
    }
}

/// A trace whose rows enter at the stages of this scenario.
fn trace(
    walk: &Walk<'_>,
    entries: &Entries,
    origin: &Origin,
    input: TraceInput,
    (times, repeat, spread): (f64, bool, bool),
) -> Option<TraceSpec> {
    let Some(smtp) = entries.smtp else {
        walk.error(origin, "logs are replayed against SMTP, which this scenario does not start", "give [smtp]");
        return None;
    };
    // Guess: a row that says POP3 or IMAP4 is the command that does most of the work, for its own command is not kept.
    let row = |commands: &Option<Vec<(String, StageId)>>, usual: &str| {
        let commands = commands.as_ref()?;
        let named = commands.iter().find(|(name, _)| name.eq_ignore_ascii_case(usual));
        named.or(commands.first()).map(|(_, stage)| *stage)
    };
    Some(TraceSpec {
        input,
        times,
        repeat,
        spread,
        smtp_request: smtp.request,
        smtp_message: smtp.message,
        pop3: row(&entries.pop3, "retr"),
        imap4: row(&entries.imap4, "fetch"),
    })
}

impl Reader<'_, '_> {
    /// `replay`, `times`, `loop`, `spread`.
    pub(super) fn replay(
        &self,
        fields: &Fields<'_, '_>,
        node: &Node,
        service: Option<&str>,
        [times, repeat, spread]: [Option<&Node>; 3],
    ) -> Option<Arrivals> {
        let walk = self.walk;
        let name = fields.path("replay");
        let remedy = "give a number like 2.0, or remove it for 1.0";
        let times = times.map_or(Some(1.0), |node| walk.number(node, &fields.path("times"), TIMES, remedy));
        let truth = |key: &str, node: Option<&Node>, default| {
            node.map_or(Some(default), |node| walk.truth(node, &fields.path(key)))
        };
        let (repeat, spread) = (truth("loop", repeat, true), truth("spread", spread, true));
        if service.is_some_and(|service| service != "smtp") {
            let message = format!("{name} belongs to service = \"smtp\"");
            walk.error(&node.origin, message, "correct the service; each row of a log says whom it asks");
            return None;
        }
        let nodes = walk.list(node, &name, (1, LOGS_MOST))?;
        let names: Vec<Option<&str>> = nodes.iter().map(|node| walk.text(node, &name)).collect();
        let names: Vec<&str> = names.into_iter().collect::<Option<_>>()?;
        let input = match walk.base.logs(&names) {
            Ok(input) => input,
            Err(wrong) => {
                for (at, why) in wrong {
                    let message = format!("`{}` {why}", shortened(names[at]));
                    let remedy = "file names are relative to the scenario's directory";
                    walk.error(&nodes[at].origin, message, remedy);
                }
                return None;
            }
        };
        if !self.has("smtp") {
            // Told at `service` already.
            return None;
        }
        let share = self.share.map_or(1.0, |share| share.load);
        if self.share.is_some_and(|share| !share.alone) {
            let message = format!("{name}: the rows of a log are those of one virtual server");
            walk.error(&node.origin, message, "name it: groups = [\"...\"]");
            return None;
        }
        let times = times? * share;
        if times < TIMES.0 || TIMES.1 < times {
            let message = format!("{name} comes {} times as fast with the load of its group", shown_number(times));
            walk.error(&node.origin, message, "it can be from 0.000001 to 1000000; change `times`, or the load");
            return None;
        }
        let how = (times, repeat?, spread?);
        trace(walk, self.entries, &node.origin, input, how).map(Arrivals::Trace)
    }
}
