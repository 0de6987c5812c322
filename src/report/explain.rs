//! A plan in words, before anything runs: the server, its pool, the load in threads, and where averages foretell
//! trouble. The text of `atqsim explain`.
//!
//! Not a prediction of waits: that is what a run is for. The judging is in `explain/judge.rs`. Called by `cli`.

mod judge;
mod limits;
mod transport;
mod write_buffers;

use super::format::{Tone, amount, counted, paint, plain, toned, wrap};
use super::table::{Grid, Sheet};
use super::text::{LEAST_WIDTH, assumptions, pool_facts, section};
use crate::ids::{ClassId, DependencyId};
use crate::models::cluster::spec::{NodeId, Watch};
use crate::plan::cluster::ClusterPlan;
use crate::plan::{Plan, Role, Warmup};
use crate::policy::dispatch::Kind;
use crate::time::Nanos;
use crate::workload::faults::{Effect, Fault, Target};
use crate::workload::journey::{Arrivals, Journey};
use judge::{Level, Limits, Trouble, levels, processors, sum, troubles};

/// Spans of a level that are told one by one; further ones are counted.
const SPANS_TOLD: usize = 3;

/// What the plans of a scenario say, in lines of at most `width`.
#[must_use]
pub fn explain(plans: &[Plan], width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let Some(first) = plans.first() else { return "There is no plan to explain.\n".into() };
    let all: Vec<&Plan> = plans.iter().collect();
    let mut out = wrap("", &toned(Tone::Strong, &plain(&first.title)), width);
    out.push_str(&wrap("file      ", &plain(&first.file), width));
    let uses_pool = plans.iter().any(|plan| !plan.classes.is_empty());
    let starved = format!("{}, {} after {}", first.duration, "a service is starved", first.starvation_after);
    let duration = if uses_pool { starved } else { first.duration.to_string() };
    out.push_str(&wrap("duration  ", &duration, width));
    match first.warmup {
        Warmup::None => {}
        Warmup::Given(time) => out.push_str(&wrap("warm-up   ", &format!("{time}, not measured"), width)),
        Warmup::Auto(_) => out.push_str(&wrap("warm-up   ", "chosen before the run, by pilot runs", width)),
    }
    if let Some(cluster) = &first.cluster {
        out.push_str(&wrap("cluster   ", &cluster_text(cluster), width));
    }
    // A node of a cluster is a server of its own, with the groups that start on it.
    let servers: Vec<Plan> = plans.iter().flat_map(Plan::servers_at_start).collect();
    let servers: Vec<&Plan> = servers.iter().collect();
    let (server, shape) =
        if uses_pool { ("Server and pool", pool(&servers, width)) } else { ("Server", machines(&all, width)) };
    let mut sections = vec![section(server, shape)];
    let mut told: Vec<&Plan> = Vec::new();
    for plan in servers.iter().filter(|_| uses_pool) {
        if told.iter().any(|t| t.load == plan.load && t.classes.len() == plan.classes.len()) {
            continue;
        }
        told.push(plan);
        let several = servers.iter().any(|p| p.load != plan.load || p.classes.len() != plan.classes.len());
        let of = if several { format!(" of {}", plain(&plan.variant)) } else { String::new() };
        sections.push(section(&format!("Offered load{of}"), load(plan, width)));
    }
    if uses_pool {
        sections.push(section("What averages foretell", expectations(&servers, width)));
    }
    sections.push(section("Store threads", limits::threads(&all, width)));
    sections.extend(limits::calls(&all, width).into_iter().map(|(title, text)| section(&title, text)));
    sections.push(section("What averages foretell of the store", limits::outlook_of_store(&all, width)));
    sections.push(section("Domain table", limits::table(&all, width)));
    sections.push(section("What averages foretell of the domain table", limits::outlook_of_domains(&all, width)));
    sections.push(section("Write buffers", write_buffers::settings(&all, width)));
    let costs = write_buffers::costs(&all, width).into_iter();
    sections.extend(costs.map(|(title, text)| section(&title, text)));
    sections.push(section("Transport server", transport::options(&all, width)));
    sections.push(section("Back pressure", transport::marks(&all, width)));
    sections.extend(transport::senders(&all, width).into_iter().map(|(title, text)| section(&title, text)));
    sections.push(section("What averages foretell of the transport server", transport::outlook(&all, width)));
    sections.push(section("Assumptions", assumptions(&all).text(width)));
    for text in sections.iter().filter(|text| !text.is_empty()) {
        out.push('\n');
        out.push_str(text);
    }
    paint(&out, false)
}

/// Who is where at the begin, and when a service counts as failed.
fn cluster_text(cluster: &ClusterPlan) -> String {
    let spec = &cluster.spec;
    let node = |id: &NodeId| plain(&spec.nodes[id.index()]);
    let groups = spec.groups.iter().map(|group| {
        let others = group.owners.iter().filter(|owner| **owner != group.starts_on).map(node);
        let others = others.collect::<Vec<_>>().join(", ");
        let moves = if others.is_empty() { "it has no other owner".into() } else { format!("else on {others}") };
        format!("{} starts on {} ({moves})", plain(&group.name), node(&group.starts_on))
    });
    let groups = groups.collect::<Vec<_>>().join("; ");
    let watch = spec.resources.iter().find_map(|resource| resource.watch);
    let watch = watch.map_or("no service is probed".to_string(), |watch| match watch {
        Watch::Monitor { every, is_alive_timeout } => {
            format!("every {every} a probe asks a service for a thread; unanswered for {is_alive_timeout}, it fails")
        }
        Watch::Generic { is_alive_every, answer_within, .. } => {
            format!(
                "every {is_alive_every} a probe asks a service for a thread; unanswered for {answer_within}, it fails"
            )
        }
    });
    format!("{}: {groups}. Of the first service: {watch}.", counted(spec.nodes.len() as u64, "node"))
}

/// The machine and its registry alone.
fn machines(plans: &[&Plan], width: usize) -> String {
    let mut sheet = Sheet { names: plans.iter().map(|plan| plain(&plan.variant)).collect(), facts: Vec::new() };
    let machine = |plan: &&Plan| {
        let processors = counted(u64::from(plan.machine.processors), "processor");
        format!("{processors}, {} MB", plan.machine.memory_mb)
    };
    sheet.add("server", plans.iter().map(machine).collect());
    sheet.add("registry", plans.iter().map(registry).collect());
    sheet.render(width)
}

fn registry(plan: &&Plan) -> String {
    let set = plan.registry.iter().map(|(id, s)| format!("{} = {} ({})", id.value().full_name(), s.data, s.origin()));
    let set = set.collect::<Vec<_>>().join(", ");
    if set.is_empty() { "empty".to_string() } else { plain(&set) }
}

/// Machine and pool, with the steps of the computation.
fn pool(plans: &[&Plan], width: usize) -> String {
    let mut sheet = pool_facts(plans);
    sheet.facts.retain(|(label, _)| !label.starts_with("  "));
    let machine = |plan: &&Plan| {
        let m = plan.machine;
        let (processors, servers) = (u64::from(m.processors), u64::from(m.smtp_virtual_servers));
        format!("{}, {} MB, {}", counted(processors, "processor"), m.memory_mb, counted(servers, "SMTP virtual server"))
    };
    sheet.facts.insert(0, ("server".into(), plans.iter().map(machine).collect()));
    sheet.facts.insert(1, ("registry".into(), plans.iter().map(registry).collect()));
    let steps = plans.iter().map(|plan| plan.pool.steps.len()).max().unwrap_or(0);
    for at in 0..steps {
        let label = if at == 0 { "computation" } else { "" };
        sheet.add(label, plans.iter().map(|p| p.pool.steps.get(at).cloned().unwrap_or_default()).collect());
    }
    sheet.render(width)
}

/// The load of each service at each level, in items per second and threads.
fn load(plan: &Plan, width: usize) -> String {
    load_with(plan, true, width)
}

/// The same of something that asks no processors.
fn load_of(plan: &Plan, width: usize) -> String {
    load_with(plan, false, width)
}

fn load_with(plan: &Plan, with_processors: bool, width: usize) -> String {
    let levels = levels(plan);
    let rows: Vec<usize> =
        (0..plan.classes.len()).filter(|at| levels.iter().any(|l| l.offered[*at].per_second > 0.0)).collect();
    let mut out = String::new();
    for (at, level) in levels.iter().enumerate() {
        out.push_str(&wrap(&format!("  {}  ", letter(at)), &level_text(plan, level), width));
    }
    if rows.is_empty() {
        out.push_str("No source has a rate of its own.\n");
    } else {
        let mut table = load_table(plan, &levels, &rows);
        if !with_processors {
            table.rows.pop();
            table.cells.pop();
        }
        out.push_str(&table.render(width));
    }
    let mut notes = vec![
        "Threads = items per second x seconds of service (Erlangs): what the load would hold on average if there \
         were threads without end."
            .to_string(),
    ];
    if plan.load.sources.iter().any(|s| matches!(s.arrivals, Arrivals::Closed { .. })) {
        notes.push("Clients of closed populations count as if nobody ever waited: an upper bound.".into());
    }
    if plan.load.sources.iter().any(|s| matches!(s.arrivals, Arrivals::Trace(_))) {
        notes.push("The rows of logs are not counted: their rates are in the files.".into());
    }
    if !plan.load.faults.is_empty() {
        notes
            .push("Faults count by the mean: a wait that begins in the window takes its mean times the factor.".into());
        plan.load.faults.iter().for_each(|fault| notes.push(fault_text(plan, fault)));
    }
    for note in notes {
        out.push_str(&wrap("", &toned(Tone::Faint, &note), width));
    }
    out
}

fn load_table(plan: &Plan, levels: &[Level], rows: &[usize]) -> Grid {
    let line = |of: &dyn Fn(&Level) -> (String, f64)| -> Vec<Vec<String>> {
        levels
            .iter()
            .map(|level| {
                let (rate, threads) = of(level);
                vec![rate, amount(threads)]
            })
            .collect()
    };
    let mut cells: Vec<Vec<Vec<String>>> = rows
        .iter()
        .map(|at| line(&|level| (amount(level.offered[*at].per_second), level.offered[*at].threads())))
        .collect();
    cells.push(line(&|level| (String::new(), sum(&level.offered))));
    cells.push(line(&|level| (String::new(), processors(&level.offered))));
    let mut names: Vec<String> = rows.iter().map(|at| plain(&plan.classes[*at].name)).collect();
    names.extend(["all together".to_string(), "of these, on processors".to_string()]);
    Grid {
        corner: "service".into(),
        rows: names,
        grouping: "load".into(),
        groups: (0..levels.len()).map(letter).collect(),
        figures: ["per s", "threads"].map(String::from).to_vec(),
        cells,
    }
}

/// `A`, `B`, ..., `Z`, `27`, ...
fn letter(at: usize) -> String {
    match u8::try_from(at) {
        Ok(at) if at < 26 => char::from(b'A' + at).to_string(),
        _ => (at + 1).to_string(),
    }
}

fn level_text(plan: &Plan, level: &Level) -> String {
    let span = |(from, until): &(Nanos, Nanos)| format!("{from} to {until}");
    let told: Vec<String> = level.spans.iter().take(SPANS_TOLD).map(span).collect();
    let mut text = told.join(", ");
    if level.spans.len() > SPANS_TOLD {
        text.push_str(&format!(" and {} more times", level.spans.len() - SPANS_TOLD));
    }
    if level.changing {
        text.push_str("; the rate changes meanwhile, figures are those of the heavier end");
    }
    let start = level.spans.first().map_or(Nanos::ZERO, |span| span.0);
    let active = plan.load.faults.iter().filter(|f| f.from <= start && start < f.until);
    let faults: Vec<String> = active.map(|f| format!("{} {}", target(plan, f), effect(f))).collect();
    if !faults.is_empty() {
        text.push_str(&format!("; fault: {}", faults.join(", ")));
    }
    text
}

fn fault_text(plan: &Plan, fault: &Fault) -> String {
    let until = if fault.until >= plan.duration { "the end".to_string() } else { fault.until.to_string() };
    format!("Fault from {} to {until}: {} {}.", fault.from, target(plan, fault), effect(fault))
}

fn target(plan: &Plan, fault: &Fault) -> String {
    match fault.target {
        Target::Dependency(DependencyId(at)) => {
            format!("waits for {}", plan.load.dependencies.get(usize::from(at)).map_or("?".into(), |name| plain(name)))
        }
        Target::Class(class) => plain(plan.class_name(class)),
    }
}

fn effect(fault: &Fault) -> String {
    match fault.effect {
        Effect::Slower(factor) => format!("x {factor}"),
        Effect::Hangs { lasts, share } => format!("hang for {lasts} in {} % of cases", share * 100.0),
        Effect::Panics { share } => format!("panics in {} % of cases (not in these figures)", share * 100.0),
    }
}

/// What each variant has to expect at each level.
fn expectations(plans: &[&Plan], width: usize) -> String {
    let mut out = String::new();
    for plan in plans {
        out.push_str(&wrap("", &toned(Tone::Strong, &plain(&plan.variant)), width));
        let limits = limits(plan);
        // Each trouble once, with the loads that bring it.
        let mut told: Vec<(String, Vec<String>)> = Vec::new();
        for (at, level) in levels(plan).iter().enumerate() {
            for trouble in troubles(&limits, &level.offered) {
                let text = trouble_text(plan, &trouble);
                match told.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, letters)) => letters.push(letter(at)),
                    None => told.push((text, vec![letter(at)])),
                }
            }
        }
        for (text, letters) in &told {
            out.push_str(&wrap(&format!("  {}  ", letters.join(", ")), text, width));
        }
        if told.is_empty() {
            let text =
                "Nothing: on average there are threads and processors enough. Bursts can still make requests wait.";
            out.push_str(&wrap("     ", text, width));
        }
    }
    out
}

fn limits(plan: &Plan) -> Limits {
    let cap = |kind| match kind {
        Kind::Requests => plan.pool.size,
        Kind::WorkQueue { cap, .. } => cap,
    };
    Limits {
        size: plan.pool.size,
        processors: plan.machine.processors.min(plan.pool.runnable_limit),
        classes: plan.classes.iter().map(|class| (class.role, cap(class.rule.kind))).collect(),
    }
}

/// A number of threads without a needless `.0`.
fn round(threads: f64) -> String {
    amount(threads).trim_end_matches(".0").to_string()
}

/// Whether the sessions of some source ask a class.
fn is_asked(plan: &Plan, class: ClassId) -> bool {
    plan.load.sources.iter().any(|source| match &source.journey {
        Journey::Session { script, .. } => script.iter().any(|s| plan.load.stages[s.stage.index()].class == class),
        Journey::Message(_) | Journey::Row => false,
    })
}

fn trouble_text(plan: &Plan, trouble: &Trouble) -> String {
    match trouble {
        Trouble::RequestsWait { queues_hold, requests, size } => {
            let is_user = |at: &usize| {
                let class = &plan.classes[*at];
                // Of a cluster's services, those that are asked on this node.
                class.role == Role::Protocol && (!class.name.contains('.') || is_asked(plan, ClassId(*at as u16)))
            };
            let users = (0..plan.classes.len()).filter(is_user);
            let users: Vec<String> = users.map(|at| super::format::protocol_name(&plan.classes[at].name)).collect();
            let who = if users.is_empty() { "requests".to_string() } else { super::format::and(&users) };
            let reach = if plan.pool.heavy_request_total >= *size {
                format!("the heavy queues may ask for {} and", plan.pool.heavy_request_total)
            } else {
                "the SMTP queues".to_string()
            };
            format!(
                "{who} wait: of {size} threads {reach} will hold {}, and requests need {}.",
                round(*queues_hold),
                round(*requests)
            )
        }
        Trouble::QueueOverCap { class, offered, cap } => format!(
            "{} grows: it is offered {} threads and may hold {cap}.",
            plain(plan.class_name(ClassId(*class as u16))),
            round(*offered)
        ),
        Trouble::PoolExceeded { offered, size } => {
            format!("The pool is too small for all of it: {} threads are offered, {size} exist.", round(*offered))
        }
        Trouble::ProcessorsExceeded { offered, limit } => format!(
            "Processors are the bottleneck: there is work for {} of {limit}, and no thread setting changes that.",
            round(*offered)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::columns;
    use super::super::sample::{TUNED, plan};
    use super::*;

    #[test]
    fn the_plan_is_told_in_words_that_fit() {
        let plans = [plan("untuned", &[]), plan("tuned", TUNED)];
        for width in [48, 80, 100, 160] {
            let text = explain(&plans, width);
            assert!(text.lines().all(|line| columns(line) <= width), "{width}:\n{text}");
            assert!(!text.contains("NaN"), "{text}");
        }
        let text = explain(&plans, 100);
        let wanted = [
            "processors x 1 (chosen by the system)",
            "0 to 2 min 00 s, 7 min 00 s to 10 min 00 s",
            "fault: waits for directory x 10",
            "POP3 and IMAP4 wait: of 20 threads the heavy queues may ask for 72 and will hold",
            "smtp1.pre-categorization grows: it is offered 72.2 threads and may hold 9.",
            "closed populations",
            "drain = until-empty",
        ];
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        wanted.iter().for_each(|w| assert!(text.contains(w), "no `{w}` in:\n{text}"));
        assert!(explain(&[], 80).contains("no plan"));
    }

    /// Not a check but a look: `cargo test --lib report::explain::tests::looks -- --nocapture`.
    #[test]
    fn looks() {
        println!("{}", explain(&[plan("untuned", &[]), plan("tuned", TUNED)], 100));
    }
}
