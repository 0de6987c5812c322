//! What became of a cluster: its counts, its time line, for how long each service was no use, its event log.
//!
//! Not the figures, which are `metrics::failover`'s. Called by `text`; empty where no variant has a cluster.

use super::super::blocks::Blocks;
use super::super::format::{Tone, clock, columns, count, plain, toned, wrap};
use super::super::table::{Grid, Sheet};
use super::super::{ClusterReport, Report, VariantReport};
use super::figures::ABSENT;
use super::names;
use super::replications::{interval, value};
use crate::metrics::failover::{ClusterFigures, column, in_columns, marked};
use crate::models::cluster::events::Kind;
use crate::models::cluster::spec::{GroupId, NodeId};
use crate::models::cluster::{GroupState, NodeState};
use crate::plan::cluster::ClusterPlan;
use crate::time::Nanos;

/// Entries of the event log that are told of each variant.
const EVENTS_TOLD: usize = 12;
/// Columns between two marks of the time axis, at least.
const MARK_LEAST: usize = 12;
/// Times between two marks of the axis, in seconds, of which the least is used that leaves room.
const STEPS: [u64; 16] = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

fn clusters(report: &Report) -> impl Iterator<Item = (&VariantReport, &ClusterPlan, &ClusterReport)> {
    report.variants.iter().filter_map(|v| v.on_cluster().map(|(plan, found)| (v, plan, found)))
}

/// What was counted, of each variant; over the runs where there were several.
pub(in crate::report) fn cluster(report: &Report) -> Blocks {
    if clusters(report).next().is_none() {
        return Blocks::new();
    }
    let mut sheet = Sheet { names: names(report), facts: Vec::new() };
    let mut add = |label: &str, cell: &dyn Fn(&ClusterFigures) -> String| {
        let cells = report.variants.iter().map(|v| match &v.cluster {
            Some(found) => cell(&found.figures),
            None => ABSENT.to_string(),
        });
        sheet.add(label, cells.collect());
    };
    add("failures of resources", &|f| bad(f.failures));
    add("restarts of resources", &|f| bad(f.restarts));
    add("failovers of groups", &|f| bad(f.failovers));
    add("  mean time between them", &|f| f.mean_time_between_failovers.map_or(ABSENT.into(), |time| time.to_string()));
    add("failbacks of groups", &|f| count(f.failbacks));
    add("sessions cut", &|f| bad(f.sessions_cut));
    add("messages delayed", &|f| count(f.messages_delayed));
    add("messages delivered anew", &|f| count(f.messages_resumed));
    let mut out = Blocks::new();
    out.sheet(sheet);
    for (variant, _, found) in clusters(report) {
        let f = &found.figures;
        let text = format!(
            "Probes{}: {} sent; {} times one was due and the last was still unanswered.",
            of(report, variant),
            count(f.probes_sent),
            count(f.probes_unanswered)
        );
        out.line("", &text);
    }
    let note = "Delayed: messages that waited on the shared disk, at each queue in which they did; delivered anew: those whose \
                thread was given up. Probes are requests in the pools; the tables of services leave them out.";
    out.note(note);
    out.append(over_runs(report));
    out
}

fn bad(n: u64) -> String {
    if n > 0 { toned(Tone::Bad, &count(n)) } else { toned(Tone::Good, "0") }
}

/// `, untuned` where there are several variants.
fn of(report: &Report, variant: &VariantReport) -> String {
    if report.variants.len() > 1 { format!(", {}", plain(&variant.plan.variant)) } else { String::new() }
}

/// The same figures over several runs, with the least and the largest.
fn over_runs(report: &Report) -> Blocks {
    let mut rows: Vec<&str> = Vec::new();
    for figure in clusters(report).flat_map(|(.., found)| &found.over_runs) {
        if !rows.contains(&figure.name.as_str()) {
            rows.push(&figure.name);
        }
    }
    if rows.is_empty() {
        return Blocks::new();
    }
    let cell = |v: &VariantReport, name: &str| {
        let found = v.cluster.iter().flat_map(|cluster| &cluster.over_runs).find(|figure| figure.name == name);
        match found {
            Some(f) => vec![interval(name, &f.estimate), value(name, f.least), value(name, f.most)],
            None => vec![ABSENT.to_string(); 3],
        }
    };
    let grid = Grid {
        corner: "over all runs".into(),
        rows: rows.iter().map(|name| plain(name)).collect(),
        grouping: "variant".into(),
        groups: names(report),
        figures: ["mean", "least", "most"].map(String::from).to_vec(),
        cells: rows.iter().map(|name| report.variants.iter().map(|v| cell(v, name)).collect()).collect(),
    };
    let mut out = Blocks::new();
    out.gap();
    out.grid(grid);
    out
}

/// For how long each service was no use to its users.
pub(in crate::report) fn unavailable(report: &Report) -> Blocks {
    let mut rows: Vec<&str> = Vec::new();
    for service in clusters(report).flat_map(|(.., found)| &found.figures.services) {
        if !rows.contains(&service.name.as_str()) {
            rows.push(&service.name);
        }
    }
    if rows.is_empty() {
        return Blocks::new();
    }
    let time = |time: Nanos| match time {
        Nanos::ZERO => "0".to_string(),
        time => toned(Tone::Bad, &time.to_string()),
    };
    let cell = |v: &VariantReport, name: &str| {
        let services = v.cluster.iter().flat_map(|cluster| &cluster.figures.services);
        match services.into_iter().find(|service| service.name == name) {
            Some(s) => [s.unavailable(), s.starved, s.offline, s.by_moves].map(time).to_vec(),
            None => vec![ABSENT.to_string(); 4],
        }
    };
    let grid = Grid {
        corner: "service".into(),
        rows: rows.iter().map(|name| plain(name)).collect(),
        grouping: "variant".into(),
        groups: names(report),
        figures: ["unavailable", "starved", "offline", "by moves"].map(String::from).to_vec(),
        cells: rows.iter().map(|name| report.variants.iter().map(|v| cell(v, name)).collect()).collect(),
    };
    let note = "Unavailable = starved + offline. Starved: online, and its users' requests starved for threads. Offline: its \
                resource was not online, for whatever cause. By moves: the part of offline in which its group moved, that \
                is, what failovers, failbacks and nodes that were gone took by themselves. pop3, imap4 and smtp are sums \
                over the groups, so they may be longer than the run.";
    let mut out = Blocks::new();
    out.grid(grid);
    out.note(note);
    out
}

/// A lane for each node and each group of each variant, time across.
pub(super) fn time_lines(report: &Report, width: usize) -> String {
    let mut out = String::new();
    for (variant, plan, found) in clusters(report) {
        if !out.is_empty() {
            out.push('\n');
        }
        if report.variants.len() > 1 {
            out.push_str(&wrap("", &toned(Tone::Strong, &plain(&variant.plan.variant)), width));
        }
        out.push_str(&time_line(plan, found, width));
    }
    if let Some((_, plan, _)) = clusters(report).max_by_key(|(_, plan, _)| plan.spec.nodes.len()) {
        out.push_str(&wrap("", &toned(Tone::Faint, &legend(plan)), width));
    }
    out
}

fn time_line(plan: &ClusterPlan, found: &ClusterReport, width: usize) -> String {
    let (spec, cluster) = (&plan.spec, &found.happened.cluster);
    // A name that would leave the lanes no room is cut: the letters of the legend name nodes as well.
    let label = |name: &str| plain(name).chars().take(width / 4).collect::<String>();
    let names = spec.nodes.iter().map(String::as_str).chain(spec.groups.iter().map(|group| group.name.as_str()));
    let first = names.map(|name| columns(&label(name))).max().unwrap_or(0).max("probes".len()) + 2;
    let room = width - first;
    let mut out = format!("{:first$}{}\n", "", axis(cluster.end, room));
    for (name, history) in spec.nodes.iter().zip(&cluster.nodes) {
        let cells = in_columns(&history.lane, cluster.end, room, node_rank);
        let cells: String = cells.into_iter().map(|state| state.map_or(' ', node_letter)).collect();
        out.push_str(&format!("{}\n", format!("{:first$}{cells}", label(name)).trim_end()));
    }
    for (at, (group, history)) in spec.groups.iter().zip(&cluster.groups).enumerate() {
        let cells = in_columns(&history.lane, cluster.end, room, |(state, _)| group_rank(state));
        let cells: String = cells.into_iter().map(|at| at.map_or(' ', |(state, on)| group_letter(state, on))).collect();
        out.push_str(&format!("{}\n", format!("{:first$}{cells}", label(&group.name)).trim_end()));
        let own = spec.resources.iter().zip(&cluster.resources);
        let own = own.filter(|(resource, _)| resource.group == GroupId(at as u16));
        let unanswered: Vec<Nanos> = own.flat_map(|(_, history)| history.unanswered.iter().copied()).collect();
        if !unanswered.is_empty() {
            let marks = marked(&unanswered, cluster.end, room).into_iter();
            let marks: String = marks.map(|marked| if marked { '!' } else { ' ' }).collect();
            out.push_str(&format!("{}\n", format!("{:first$}{marks}", "probes").trim_end()));
        }
    }
    out
}

/// Times above the lanes; each begins over the column in which it lies.
fn axis(end: Nanos, room: usize) -> String {
    let step = STEPS.into_iter().map(Nanos::from_secs).find(|step| column(*step, end, room) >= MARK_LEAST);
    let mut line = clock(Nanos::ZERO);
    let Some(step) = step else { return line };
    for at in (1..).map(|number| Nanos(step.0 * number)).take_while(|at| *at < end) {
        let place = column(at, end, room);
        if place + MARK_LEAST <= room {
            line.push_str(&" ".repeat(place.saturating_sub(columns(&line))));
            line.push_str(&clock(at));
        }
    }
    line
}

fn legend(plan: &ClusterPlan) -> String {
    let nodes = plan.spec.nodes.iter().enumerate();
    let nodes: Vec<String> =
        nodes.map(|(at, name)| format!("{} {}", home_letter(NodeId(at as u16)), plain(name))).collect();
    format!(
        "Nodes: . up, H hung (its pool stands still), X down. Groups: the node on which all of it is online ({}), the small \
         letter while some of it goes online or offline there, / only a part online, X left failed, - offline. A column \
         shows the worst that was in it; ! under a group: a probe was due and the last was unanswered.",
        nodes.join(", ")
    )
}

fn node_rank(state: NodeState) -> u8 {
    match state {
        NodeState::Up => 0,
        NodeState::Hung => 1,
        NodeState::Down => 2,
    }
}

fn node_letter(state: NodeState) -> char {
    match state {
        NodeState::Up => '.',
        NodeState::Hung => 'H',
        NodeState::Down => 'X',
    }
}

fn group_rank(state: GroupState) -> u8 {
    match state {
        GroupState::Online => 0,
        GroupState::Pending => 1,
        GroupState::PartialOnline => 2,
        GroupState::Offline => 3,
        GroupState::Failed => 4,
    }
}

fn group_letter(state: GroupState, on: Option<NodeId>) -> char {
    let home = on.map_or('-', home_letter);
    match state {
        GroupState::Online => home,
        GroupState::Pending => home.to_ascii_lowercase(),
        GroupState::PartialOnline => '/',
        GroupState::Offline => '-',
        GroupState::Failed => 'X',
    }
}

/// `A` for the first node; there are at most eight.
fn home_letter(node: NodeId) -> char {
    char::from(b'A' + node.0.min(22) as u8)
}

/// The first entries of each variant's event log.
pub(in crate::report) fn events(report: &Report) -> Blocks {
    let mut out = Blocks::new();
    for (variant, plan, found) in clusters(report) {
        let (spec, cluster) = (&plan.spec, &found.happened.cluster);
        if report.variants.len() > 1 {
            out.line("", &toned(Tone::Strong, &plain(&variant.plan.variant)));
        }
        for entry in cluster.events.iter().take(EVENTS_TOLD) {
            let node = entry.node.map_or(ABSENT, |node| spec.nodes[node.index()].as_str());
            let id = entry.id().map(|id| format!(" {id}")).unwrap_or_default();
            let kind = match entry.kind() {
                Kind::Error => toned(Tone::Bad, Kind::Error.name()),
                kind => kind.name().to_string(),
            };
            let text = format!("{} {kind} {}{id}: {}", plain(node), entry.source(), plain(&entry.text(spec)));
            out.line(&format!("{}  ", clock(entry.at)), &text);
        }
        let more = cluster.events.len().saturating_sub(EVENTS_TOLD) as u64 + cluster.events_dropped;
        match (cluster.events.is_empty(), more) {
            (true, _) => out.line("", "no entries"),
            (_, 0) => {}
            (_, more) => out.line("", &format!("and {} more; --events FILE.csv has them", count(more))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::format::{columns, paint};
    use super::super::super::sample::{compared, on_cluster, report};
    use super::*;

    fn both() -> Report {
        report(vec![on_cluster("untuned", Nanos::from_secs(40), false), on_cluster("tuned", Nanos::ZERO, true)])
    }

    #[test]
    fn the_time_line_shows_a_restart_a_dead_node_and_the_way_home() {
        let text = paint(&time_lines(&report(vec![on_cluster("untuned", Nanos::ZERO, false)]), 68), false);
        let lanes: Vec<&str> = text.lines().take(5).collect();
        // One column is 10 s. POP3 fails 180 s after the answer at 50 s.
        let expected = [
            "        00:00:00    00:02:00    00:04:00    00:06:00    00:08:00",
            "n1      ........................................XXXXXXXXXX..........",
            "n2      ............................................................",
            "evs1    AAAAAAAAAAAAAAAAAAAAAAAaaaAAAAAAAAAAAAAAbbBBBBBBBBbaaAAAAAAA",
            "probes         !!!!!!!!!!!!!!!!",
        ];
        assert_eq!(lanes, expected, "{text}");
        assert!(text.contains("A n1, B n2"), "{text}");
    }

    #[test]
    fn every_part_is_there_fits_and_leaves_a_report_without_a_cluster_alone() {
        let parts = [cluster, unavailable, events].map(|part| move |report: &Report, width| part(report).text(width));
        let others = [time_lines];
        for width in [48, 60, 80, 132] {
            let all = parts.iter().map(|part| part as &dyn Fn(&Report, usize) -> String);
            for part in all.chain(others.iter().map(|part| part as _)) {
                let text = part(&both(), width);
                assert!(!text.is_empty());
                assert!(text.lines().all(|line| columns(line) <= width), "{width}:\n{text}");
                assert_eq!(part(&compared(), width), "");
            }
        }
        let text = paint(&[cluster, unavailable, events].map(|part| part(&both()).text(100)).concat(), false);
        for part in [
            "failovers of groups       1        0",
            "evs1.pop3",
            "n1 Error MSExchangeCluster 2074: Exchange POP3",
            "no entries",
        ] {
            assert!(text.contains(part), "no `{part}`:\n{text}");
        }
    }

    #[test]
    fn a_long_log_is_told_by_its_first_entries() {
        let mut report = both();
        let found = report.variants[0].cluster.as_mut().expect("it is on a cluster");
        let one = found.happened.cluster.events[0];
        found.happened.cluster.events = vec![one; 1_500];
        found.happened.cluster.events_dropped = 7;
        let text = paint(&events(&report).text(200), false);
        assert_eq!(text.matches("2074").count(), EVENTS_TOLD);
        assert!(text.contains("and 1,495 more; --events FILE.csv"), "{text}");
    }
}
