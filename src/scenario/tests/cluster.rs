//! Clusters: what they become, and what is said of mistakes in them.

use super::*;
use crate::ids::{ClassId, SourceId};
use crate::models::cluster::spec::{
    Failback, GroupId, NodeEvent, NodeFault, NodeId, ResourceId, ResourceKind, RestartAction, Watch,
};
use crate::plan::cluster::ClusterPlan;
use crate::plan::cluster::policies::{FIXED, Policies, WatchKind};
use crate::plan::stability::Bottleneck;
use crate::plan::{Role, pattern_rate, threshold};
use crate::policy::dispatch::Kind;
use crate::policy::registry::ValueId;
use crate::scenario::TraceOverride;
use crate::scenario::walk::parse_time;
use crate::time::Nanos;
use crate::workload::Workload;
use crate::workload::distribution::Distribution;
use crate::workload::faults::Target;
use crate::workload::journey::{Arrivals, Journey, PhaseKind};

/// Cases as in `mistakes.txt`.
const CASES: &str = include_str!("cluster_mistakes.txt");

/// [`CLUSTER`] with the one place that reads `old` reading `new`.
fn edited(old: &str, new: &str) -> String {
    assert_eq!(CLUSTER.matches(old).count(), 1, "`{old}` is not there once");
    CLUSTER.replacen(old, new, 1)
}

fn cluster(plan: &Plan) -> &ClusterPlan {
    plan.cluster.as_deref().expect("it has one")
}

/// The place of a resource, as `evs1.pop3`.
fn resource(plan: &Plan, name: &str) -> ResourceId {
    let spec = &cluster(plan).spec;
    let full =
        |at: &usize| format!("{}.{}", spec.groups[spec.resources[*at].group.index()].name, spec.resources[*at].name);
    ResourceId((0..spec.resources.len()).find(|at| full(at) == name).expect("it is there") as u16)
}

fn seconds(s: u64) -> Nanos {
    Nanos::from_secs(s)
}

#[test]
fn every_mistake_in_a_cluster_has_its_place_its_finding_and_its_remedy() {
    let cases = every_case(CLUSTER, CASES);
    assert!(cases >= 90, "{cases}");
}

#[test]
fn groups_and_resources_are_what_the_text_says() {
    let plan = &plans(CLUSTER)[0];
    let spec = &cluster(plan).spec;
    assert_eq!(spec.nodes, ["n1", "n2", "n3"]);
    let [evs1, evs2] = &spec.groups[..] else { panic!("two groups") };
    assert_eq!((evs1.name.as_str(), evs1.display_name.as_str()), ("evs1", "VIRTUAL SERVER 1"));
    assert_eq!((evs2.name.as_str(), evs2.display_name.as_str()), ("evs2", "Mail two"));
    assert_eq!((&evs1.owners[..], evs1.starts_on), (&[NodeId(0), NodeId(2)][..], NodeId(0)));
    assert_eq!((&evs2.owners[..], evs2.starts_on), (&[NodeId(1), NodeId(2), NodeId(0)][..], NodeId(2)));
    assert_eq!(
        (evs1.failover_threshold, evs1.failover_period, evs1.failback),
        (10, seconds(21_600), Failback::Prevent)
    );
    assert_eq!(evs2.failback, Failback::Window { from_hour: 22, until_hour: 4 });
    let names: Vec<(&str, GroupId, ResourceKind)> =
        spec.resources.iter().map(|own| (own.name.as_str(), own.group, own.kind)).collect();
    use ResourceKind::{Imap4, Other, Pop3, Smtp};
    let of = |group, kinds: [(&'static str, ResourceKind); 3]| kinds.map(|(name, kind)| (name, GroupId(group), kind));
    assert_eq!(names[..3], of(0, [("smtp", Smtp), ("pop3", Pop3), ("imap4", Imap4)]), "those of the scenario");
    assert_eq!(names[3..], of(1, [("store", Other), ("imap4", Imap4), ("smtp", Smtp)]));
    let depends: Vec<&[ResourceId]> = spec.resources.iter().map(|own| &own.depends_on[..]).collect();
    let store = [ResourceId(3)];
    assert_eq!(depends, [&[][..], &[], &[], &[], &store, &store]);
    let usual = &spec.resources[1];
    assert_eq!(usual.display_name, "Exchange POP3 Virtual Server Instance");
    let monitor = Watch::Monitor { every: seconds(10), is_alive_timeout: seconds(240) };
    assert_eq!((usual.watch, spec.resources[3].watch), (Some(monitor), None));
    assert_eq!(
        (usual.pending_timeout, usual.online_takes, usual.offline_takes),
        (seconds(180), seconds(30), seconds(5))
    );
    assert_eq!((usual.restart_threshold, usual.restart_period), (3, seconds(900)));
    assert_eq!((usual.restart_action, usual.retry_after), (RestartAction::RestartNotify, None));
    let thresholds: Vec<u32> = spec.resources.iter().map(|own| own.restart_threshold).collect();
    assert_eq!(thresholds, [3, 3, 3, 3, 0, 3]);
    let fault = |at, node, what| NodeFault { at: seconds(at), node: NodeId(node), what };
    let expect = [fault(300, 1, NodeEvent::Hangs), fault(600, 0, NodeEvent::Dies), fault(1_200, 0, NodeEvent::Returns)];
    assert_eq!(spec.faults, expect, "in order of time");
}

#[test]
fn numbers_may_be_those_of_all_of_a_group_and_of_a_resource() {
    let text = edited(
        "is_alive_timeout = \"4m\"",
        "watch = \"generic\"\nlooks_alive_every = \"6s\"\nrestart_action = \"dont-restart\"\nretry_after = \"30m\"\n\
         failover_threshold = 2\nfailback = \"immediate\"\nprobe = { wait = { mean = \"2ms\", on = \"directory\" } }",
    );
    let text = text.replace("set = { \"cluster.is_alive_timeout\" = \"10m\", ", "set = { ");
    let text = text.replace(
        "restart_threshold = 0\n",
        "watch = \"exchange\"\nis_alive_timeout = \"1m\"\nprobe = { cpu = \"3ms\" }\nrestart_action = \"restart-no-notify\"\n\
         retry_after = \"never\"\ndisplay_name = \"The one\"\n",
    );
    let text = text.replace("starts_on = \"n3\"", "failover_threshold = 0\nfailover_period = \"1193h\"");
    let plan = plans(&text).remove(0);
    let spec = &cluster(&plan).spec;
    let minute = seconds(60);
    let generic = Watch::Generic { looks_alive_every: seconds(6), is_alive_every: minute, answer_within: seconds(180) };
    let [usual, own] = ["evs1.pop3", "evs2.imap4"].map(|name| &spec.resources[resource(&plan, name).index()]);
    assert_eq!((usual.watch, usual.restart_action), (Some(generic), RestartAction::DontRestart));
    assert_eq!(own.watch, Some(Watch::Monitor { every: seconds(10), is_alive_timeout: minute }));
    assert_eq!((own.restart_action, own.display_name.as_str()), (RestartAction::RestartNoNotify, "The one"));
    assert_eq!((usual.retry_after, own.retry_after), (Some(seconds(1_800)), None));
    assert_eq!((spec.groups[0].failover_threshold, spec.groups[1].failover_threshold), (2, 0));
    assert_eq!(
        (spec.groups[0].failback, spec.groups[1].failover_period),
        (Failback::Immediate, seconds(1_193 * 3_600))
    );
    assert_eq!(spec.groups[1].starts_on, NodeId(1), "the first of its owners");
    let phases = |name: &str| {
        let stage = plan.load.stages.iter().find(|stage| stage.name == name).expect("it is there");
        let phase = &stage.phases[0];
        let on = match phase.kind {
            PhaseKind::Cpu => "cpu",
            PhaseKind::Wait(on) => plan.load.dependencies[on.index()].as_str(),
        };
        (on, phase.time.mean_ns(), stage.patience.is_none())
    };
    assert_eq!(phases("evs1.pop3-probe"), ("directory", 2e6, true));
    assert_eq!(phases("evs2.imap4-probe"), ("cpu", 3e6, true));
}

#[test]
fn classes_are_those_of_each_group_and_of_its_probes() {
    let plan = &plans(CLUSTER)[0];
    let names: Vec<&str> = plan.classes.iter().map(|class| class.name.as_str()).collect();
    let queues = ["pre-submission", "pre-categorization", "pre-routing", "local-delivery", "dsn"];
    let named = |group: &str, users: &[&str], probes: &[&str]| {
        let all = users.iter().chain(&["smtp-in"]).chain(&queues).chain(probes);
        all.map(|name| format!("{group}.{name}")).collect::<Vec<_>>()
    };
    let mut expect = named("evs1", &["pop3", "imap4"], &["smtp-probe", "pop3-probe", "imap4-probe"]);
    expect.extend(named("evs2", &["imap4"], &["imap4-probe", "smtp-probe"]));
    assert_eq!(names, expect);
    let role = |name: &str| plan.classes[plan.class(name).expect("it is there").index()].role;
    assert_eq!((role("evs1.pop3"), role("evs2.smtp-in")), (Role::Protocol, Role::SmtpIn));
    assert_eq!((role("evs2.local-delivery"), role("evs2.dsn")), (Role::HeavyQueue, Role::LightQueue));
    assert_eq!((role("evs1.smtp-probe"), role("evs2.imap4-probe")), (Role::Probe, Role::Probe));
    let whose = |name: &str| {
        let resource = cluster(plan).resource_of[plan.class(name).expect("it is there").index()].expect("each has one");
        let resource = &cluster(plan).spec.resources[resource.index()];
        (resource.group.0, resource.name.as_str())
    };
    assert_eq!(cluster(plan).resource_of.len(), plan.classes.len());
    assert_eq!((whose("evs1.pop3"), whose("evs1.pop3-probe")), ((0, "pop3"), (0, "pop3")));
    assert_eq!((whose("evs2.smtp-in"), whose("evs2.dsn")), ((1, "smtp"), (1, "smtp")));
    assert_eq!((whose("evs2.smtp-probe"), whose("evs1.pre-routing")), ((1, "smtp"), (0, "smtp")));
    let dsn = plan.class("evs2.dsn").expect("it is there");
    assert_eq!(cluster(plan).group_of_class(dsn), Some(GroupId(1)));
    assert!(plan.load.stages.iter().all(|stage| stage.class.index() < plan.classes.len()));
}

#[test]
fn each_load_is_a_source_of_each_group_that_it_is_for() {
    let plan = &plans(CLUSTER)[0];
    let loads: Vec<(&str, u16)> = plan
        .load
        .sources
        .iter()
        .zip(&cluster(plan).group_of_source)
        .filter(|(source, _)| source.arrivals != Arrivals::OnCall)
        .map(|(source, group)| (source.name.as_str(), group.0))
        .collect();
    let expect =
        [("evs1.mail", 0), ("evs2.mail", 1), ("evs1.pop", 0), ("evs1.imap", 0), ("evs2.imap", 1), ("evs2.list", 1)];
    assert_eq!(loads, expect, "POP3 is of one group only, and the list is for one");
    let source = |name: &str| plan.load.sources.iter().find(|source| source.name == name).expect("it is there");
    let rate = |name: &str| match &source(name).arrivals {
        Arrivals::Open { pattern, .. } => pattern_rate(pattern, Nanos::ZERO),
        other => panic!("{other:?}"),
    };
    assert_eq!((rate("evs1.mail"), rate("evs2.mail")), (1.5, 0.75));
    assert!((rate("evs2.list") - 0.5 * 10.0 * 2.0 / 52.0).abs() < 1e-12, "{}", rate("evs2.list"));
    let clients = |name: &str| match &source(name).arrivals {
        Arrivals::Closed { population, .. } => *population,
        other => panic!("{other:?}"),
    };
    assert_eq!((clients("evs1.imap"), clients("evs2.imap")), (21, 11));
    let enters = |name: &str| {
        let stage = match &source(name).journey {
            Journey::Message(stage) => *stage,
            Journey::Session { script, .. } => script[0].stage,
            Journey::Row => panic!("no log"),
        };
        plan.load.stages[stage.index()].name.as_str()
    };
    assert_eq!((enters("evs2.mail"), enters("evs2.imap")), ("evs2.smtp-in message", "evs2.imap4 FETCH"));
    let none = plans(&edited("load = 0.5", "load = 0")).remove(0);
    let mut load = Workload::new(none.load.clone(), 1, seconds(60)).expect("there is no log");
    while let Some(item) = load.pop_due(seconds(59)) {
        assert_eq!(cluster(&none).group_of_source[item.source().index()], GroupId(0), "the other has no users");
        load.after(&item, crate::item::Outcome::Refused, seconds(59));
    }
}

#[test]
fn the_probes_of_a_resource_come_when_they_are_called() {
    let plan = &plans(CLUSTER)[0];
    let mut load = Workload::new(plan.load.clone(), plan.seed, plan.duration).expect("there is no log");
    for name in ["evs1.smtp", "evs1.pop3", "evs1.imap4", "evs2.imap4", "evs2.smtp"] {
        let resource = resource(plan, name);
        let source = cluster(plan).probe_source[resource.index()].expect("it is watched");
        assert_eq!(plan.source_name(source), format!("{name}-probe"));
        let item = load.call(source, seconds(3));
        assert_eq!(Some(load.class(&item)), cluster(plan).probe_class[resource.index()], "{name}");
        assert_eq!(cluster(plan).resource_of[load.class(&item).index()], Some(resource));
        assert_eq!((item.due, load.gives_up_at(&item)), (seconds(3), None));
        assert!(load.work(&item, 0, item.due).is_some() && load.work(&item, 1, item.due).is_none());
    }
    let store = resource(plan, "evs2.store").index();
    assert_eq!((cluster(plan).probe_source[store], cluster(plan).probe_class[store]), (None, None));
}

#[test]
fn every_node_has_its_own_machine_registry_pool_and_caps() {
    let plans = plans(CLUSTER);
    for (plan, sizes, caps) in [(&plans[0], [20, 64, 20], [18, 57, 18]), (&plans[1], [44, 112, 44], [9, 24, 9])] {
        let nodes = &cluster(plan).nodes;
        assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["n1", "n2", "n3"]);
        let shapes: Vec<(u32, u32)> = nodes.iter().map(|node| (node.pool.size, node.pool.heavy_queue_cap)).collect();
        assert_eq!(shapes, sizes.into_iter().zip(caps).collect::<Vec<_>>(), "{}", plan.variant);
        let of_a_queue = |node: usize, name: &str| {
            let class = plan.class(name).expect("it is there").index();
            match nodes[node].rules.classes[class].kind {
                Kind::WorkQueue { cap, .. } => cap,
                Kind::Requests => panic!("{name}"),
            }
        };
        for (node, cap) in caps.into_iter().enumerate() {
            assert_eq!(of_a_queue(node, "evs1.local-delivery"), cap);
            assert_eq!(of_a_queue(node, "evs2.pre-categorization"), cap, "wherever the group starts");
            assert_eq!(of_a_queue(node, "evs2.dsn"), 1);
            assert_eq!((nodes[node].rules.pool_size, nodes[node].machine.memory_mb), (sizes[node], 512));
        }
        assert_eq!(nodes.iter().map(|node| node.machine.processors).collect::<Vec<_>>(), [2, 4, 2]);
        assert_eq!(plan.rules(), nodes[0].rules, "a plan's own are those of its first node");
        assert_eq!((plan.machine, &plan.pool, &plan.registry), (nodes[0].machine, &nodes[0].pool, &nodes[0].registry));
    }
    let origin = |node: usize, id| {
        let setting = cluster(&plans[1]).nodes[node].registry.setting(id);
        setting.map(|setting| setting.origin())
    };
    assert_eq!(origin(1, ValueId::MaxPoolThreads).as_deref(), Some("t.toml:34"));
    assert_eq!((origin(0, ValueId::MaxPoolThreads), origin(0, ValueId::MaxConcurrency).is_some()), (None, true));
}

#[test]
fn the_kb_counts_the_virtual_servers_of_the_cluster_and_a_pool_those_that_start_there() {
    let recommended = |text: &str| {
        let plan = plans(text).remove(1);
        let get = |id| plan.registry.get(id).expect("it is recommended");
        (get(ValueId::MaxPercentPoolThreads), get(ValueId::AdditionalPoolThreadsPerProc))
    };
    assert_eq!(recommended(CLUSTER), (22, 18), "the KB's own example: a cluster with two virtual servers");
    let one = edited("[\"store\", \"imap4\", \"smtp\"]", "[\"store\", \"imap4\"]")
        .replace("depends_on = { imap4 = [\"store\"], smtp = [\"store\"] }\n", "")
        .replace("groups = [\"evs2\"]\n", "");
    assert_eq!(recommended(&one), (45, 8));
    let starts = |text: &str| {
        let plan = plans(text).remove(0);
        let of = |node: &crate::plan::cluster::NodePlan| (node.machine.smtp_virtual_servers, node.pool.starts_counted);
        cluster(&plan).nodes.iter().map(of).collect::<Vec<_>>()
    };
    let per_start = edited("[registry]", "[assumptions]\nadditional_threads = \"per-start\"\n[registry]");
    assert_eq!(starts(&per_start), [(1, 1), (1, 1), (1, 1)], "one where none starts: the service does");
    let together = per_start.replace("starts_on = \"n3\"", "starts_on = \"n1\"");
    assert_eq!(starts(&together), [(2, 2), (1, 1), (1, 1)]);
    assert_eq!(starts(&together.replace("per-start", "once")), [(2, 1), (1, 1), (1, 1)]);
    let without = CLUSTER.replace("[\"store\", \"imap4\", \"smtp\"]", "[\"store\", \"imap4\"]");
    let without = without.replace("depends_on = { imap4 = [\"store\"], smtp = [\"store\"] }\n", "");
    let without =
        without.replace("owners = [\"n1\", \"n3\"]", "owners = [\"n1\", \"n3\"]\nresources = [\"pop3\", \"imap4\"]");
    let (from, to) =
        (without.find("[load.list]").expect("it is there"), without.find("[[fault]]").expect("it is there"));
    let without = without.replace(&without[from..to], "");
    let without = without.replace("[load.mail]\nservice = \"smtp\"\nrate = \"90/min\"\n", "");
    let without = without.replace("registry = \"recommended\"\n", "");
    assert_eq!(starts(&without), [(0, 0), (0, 0), (0, 0)], "SMTP is not started");
}

#[test]
fn a_variant_and_a_flag_may_set_everything() {
    let plans = plans(CLUSTER);
    let timeout = |plan: &Plan, name| match cluster(plan).spec.resources[resource(plan, name).index()].watch {
        Some(Watch::Monitor { is_alive_timeout, .. }) => is_alive_timeout,
        other => panic!("{other:?}"),
    };
    assert_eq!((timeout(&plans[0], "evs1.pop3"), timeout(&plans[2], "evs1.pop3")), (seconds(240), seconds(600)));
    let threshold = |plan: &Plan| cluster(plan).spec.resources[resource(plan, "evs2.imap4").index()].restart_threshold;
    assert_eq!((threshold(&plans[0]), threshold(&plans[2])), (0, 5));
    let settings = |plan: &Plan| cluster(plan).policies.settings();
    let differ: Vec<_> = settings(&plans[0]).into_iter().zip(settings(&plans[2])).filter(|(a, b)| a != b).collect();
    let told = |value: &str| ("cluster.is_alive_timeout", value.to_string());
    assert_eq!(differ, [(told("4m"), told("10m"))]);
    let set = [
        ("cluster.node.n1.processors", "8"),
        ("cluster.node.n1.registry.MaxPercentPoolThreads", "50"),
        ("cluster.group.evs1.load", "2"),
        ("cluster.group.evs1.owners", "[\"n1\"]"),
        ("cluster.fault", "[]"),
    ];
    let set = set.map(|(path, value)| (path.to_string(), value.to_string())).to_vec();
    let (flagged, problems) = read_with(CLUSTER, &Overrides { set, ..Overrides::default() });
    assert_eq!(problems, []);
    for plan in flagged.unwrap_or_default() {
        let node = &cluster(&plan).nodes[0];
        assert_eq!((node.machine.processors, node.pool.percent), (8, 50), "a flag counts over `recommended` too");
        assert_eq!((cluster(&plan).spec.groups[0].owners.len(), cluster(&plan).spec.faults.len()), (1, 0));
    }
}

#[test]
fn faults_and_thresholds_name_services_with_and_without_their_group() {
    let hit = |service: &str| {
        let text = edited("on = \"directory\"", &format!("service = \"{service}\""));
        let plan = plans(&text).remove(0);
        let name = |target: Target| match target {
            Target::Class(class) => plan.class_name(class).to_string(),
            Target::Dependency(_) => panic!("a class was named"),
        };
        plan.load.faults.iter().map(|fault| name(fault.target)).collect::<Vec<_>>()
    };
    assert_eq!(hit("pop3"), ["evs1.pop3"]);
    assert_eq!(hit("imap4"), ["evs1.imap4", "evs2.imap4"]);
    assert_eq!(hit("evs2.imap4"), ["evs2.imap4"]);
    assert_eq!(hit("local-delivery"), ["evs1.local-delivery", "evs2.local-delivery"]);
    assert_eq!(hit("evs2.imap4-probe"), ["evs2.imap4-probe"]);
    assert_eq!(hit("smtp").len(), 12, "without the probes of SMTP");
    let that = "[[assert]]\nthat = \"imap4.starved_percent < 1\"\n[[assert]]\nthat = \"evs1.pop3.wait.p99 < 2s\"\n\
                [[assert]]\nthat = \"smtp.lost == 0\"\n[[assert]]\nthat = \"pop3-probe.wait.max < 3m\"\n";
    let plan = plans(&format!("{CLUSTER}{that}")).remove(0);
    let meant: Vec<usize> = plan.asserts.iter().map(|assert| assert.classes.len()).collect();
    assert_eq!(meant, [2, 1, 12, 1]);
    let names = |name: &str| -> Vec<&str> {
        threshold::classes_called(&plan.classes, name).into_iter().map(|class| plan.class_name(class)).collect()
    };
    assert_eq!(names("imap4"), ["evs1.imap4", "evs2.imap4"]);
    assert_eq!(names("evs1.pop3"), ["evs1.pop3"]);
    let told = lines(&format!("{CLUSTER}[[assert]]\nthat = \"evs2.pop3.lost == 0\"\n"), &Overrides::default());
    assert_eq!(told, ["t.toml:90:9: `evs2.pop3` is no service of this scenario; did you mean `evs1.pop3`?"]);
}

#[test]
fn the_choices_of_a_cluster_are_listed_and_may_be_written() {
    let plan = &plans(CLUSTER)[0];
    let list = plan.assumption_list();
    assert!(plan.assumptions.list().iter().all(|assumption| list.contains(assumption)));
    let of_the_cluster: Vec<_> = list.iter().filter(|a| a.name.starts_with("cluster.")).collect();
    assert!(of_the_cluster.len() >= 11, "{of_the_cluster:?}");
    assert_eq!(plans(GOOD)[0].assumption_list(), plans(GOOD)[0].assumptions.list(), "a single server has none of them");
    for assumption in of_the_cluster {
        let value = match assumption.name {
            "cluster.probe" => "{ cpu = '1ms' }".to_string(),
            _ => assumption.value.clone(),
        };
        let set = vec![(assumption.name.to_string(), value)];
        let (plans, problems) = read_with(CLUSTER, &Overrides { set, ..Overrides::default() });
        assert_eq!(problems, [], "{}", assumption.name);
        assert!(plans.is_some_and(|plans| plans[0].assumption_list().contains(assumption)), "{}", assumption.name);
    }
    assert!(FIXED.iter().all(|(name, _)| list.iter().any(|a| a.name == format!("cluster.{name}"))));
}

#[test]
fn logs_are_replayed_against_one_group() {
    let text = edited("rate = \"90/min\"", "replay = [\"times.csv\"]\ntimes = 3\ngroups = [\"evs2\"]");
    let plan = plans(&text).remove(0);
    let source = &plan.load.sources[0];
    let Arrivals::Trace(spec) = &source.arrivals else { panic!("no trace") };
    let name = |id: crate::ids::StageId| plan.load.stages[id.index()].name.as_str();
    assert_eq!((source.name.as_str(), spec.times, name(spec.smtp_message)), ("evs2.mail", 1.5, "evs2.smtp-in message"));
    assert_eq!((spec.pop3, spec.imap4.map(name)), (None, Some("evs2.imap4 FETCH")));
    let replay = TraceOverride { paths: vec!["a.log".into()], times: 2.0, repeat: false, spread: true };
    let overrides = Overrides { replay: Some(replay), ..Overrides::default() };
    assert_eq!(
        lines(CLUSTER, &overrides),
        ["--replay: logs are of one virtual server, and this cluster has evs1, evs2; give the scenario a load with \
          `replay` and groups = [\"...\"]"]
    );
    let one = edited("[\"store\", \"imap4\", \"smtp\"]", "[\"store\", \"imap4\"]")
        .replace("depends_on = { imap4 = [\"store\"], smtp = [\"store\"] }\n", "")
        .replace("groups = [\"evs2\"]\n", "");
    let (plans, problems) = read_with(&one, &overrides);
    assert_eq!(problems, []);
    let plan = plans.unwrap_or_default().remove(0);
    let names: Vec<&str> = plan.load.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names[..4], ["evs1.pop", "evs1.imap", "evs2.imap", "evs1.replay"]);
    assert_eq!(cluster(&plan).group_of_source.len(), names.len());
}

#[test]
fn what_can_be_said_before_a_run_is_said_of_each_node_as_it_starts() {
    // 90 messages a minute hold 0.3 threads in categorization; 100 a second would hold 20.
    let text = edited("rate = \"90/min\"", "rate = 100").replace("max_waiting = 5000", "max_waiting = 50000");
    let plan = plans(&text).remove(0);
    let servers = plan.servers_at_start();
    let class = |name: &str| plan.class(name).expect("it is there").index();
    let threads = |node: usize, name: &str| servers[node].offered(Nanos::ZERO)[class(name)].threads();
    assert!((threads(0, "evs1.pre-categorization") - 20.0).abs() < 1e-9);
    assert!((threads(2, "evs2.imap4") - 11.0 * 0.03 / 10.03).abs() < 1e-9, "the group starts there");
    assert_eq!((threads(0, "evs2.imap4"), threads(1, "evs1.pop3"), threads(1, "evs2.imap4")), (0.0, 0.0, 0.0));
    let whole: f64 = plan.offered(Nanos::ZERO).iter().map(|offered| offered.threads()).sum();
    let parts: f64 = servers.iter().flat_map(|server| server.offered(Nanos::ZERO)).map(|o| o.threads()).sum();
    assert!((whole - parts).abs() < 1e-9, "every group starts somewhere");
    let overloads = plan.overloads();
    let cap = Bottleneck::Cap(ClassId(class("evs1.pre-categorization") as u16));
    assert!(overloads.iter().any(|o| (o.of, o.capacity, o.node) == (cap, 18, Some(NodeId(0)))), "{overloads:?}");
    assert!(overloads.iter().all(|overload| overload.node == Some(NodeId(0))), "{overloads:?}");
    assert_eq!(plans(CLUSTER)[0].overloads(), []);
    let steady = CLUSTER[..CLUSTER.find("[[fault]]").expect("it is there")].to_string();
    assert!(!plans(&steady)[0].load_is_steady(), "a node that dies moves groups");
    let (from, to) = (steady.find("[[cluster.fault]]").expect("there"), steady.find("[load.mail]").expect("there"));
    assert!(plans(&steady.replace(&steady[from..to], ""))[0].load_is_steady());
}

#[test]
fn sources_keep_their_draws_whatever_else_the_cluster_has() {
    let first = |plan: &Plan, name: &str| {
        let at = plan.load.sources.iter().position(|source| source.name == name).expect("it is there");
        let mut load = Workload::new(plan.load.clone(), plan.seed, plan.duration).expect("there is no log");
        loop {
            let due = load.next_due();
            let item = load.pop_due(due).expect("it is due");
            if item.source() == SourceId(at as u16) {
                return (item.due, load.work(&item, 0, item.due));
            }
        }
    };
    let text = edited("wait = \"15ms\"", "wait = { mean = \"15ms\" }");
    let alone = text.replace("[load.mail]\nservice = \"smtp\"\nrate = \"90/min\"\n", "");
    let (plan, other) = (plans(&text).remove(0), plans(&alone).remove(0));
    assert_eq!(first(&plan, "evs1.pop"), first(&other, "evs1.pop"));
    assert!(matches!(plan.load.stages[0].phases[0].time, Distribution::Exponential { .. }));
}

#[test]
fn the_description_has_the_numbers_of_a_cluster_as_they_are() {
    let text = include_str!("../../../docs/scenario-format.md");
    let section =
        text.split("## Clusters: `[cluster]`").nth(1).and_then(|rest| rest.split("### ").next()).expect("there");
    let rows = section.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        (cells.len() == 4).then(|| (cells[0].trim_matches('`'), cells[2].trim_matches(['`', '"'])))
    });
    let rows: Vec<(&str, &str)> = rows.collect();
    let kinds = [WatchKind::Exchange, WatchKind::Generic];
    let settings = kinds.iter().flat_map(|watch| Policies { watch: *watch, ..Policies::default() }.settings());
    let mut told = 0;
    for (name, value) in settings.filter(|(_, value)| value != "generic") {
        let field = name.trim_start_matches("cluster.");
        let (_, found) =
            rows.iter().find(|(known, _)| *known == field).unwrap_or_else(|| panic!("{field} is not told"));
        let same = match (parse_time(found), parse_time(&value)) {
            (Some(told), Some(real)) => told == real,
            _ if field == "probe" => *found == "{ cpu = \"1ms\" }" && value == "cpu 1ms",
            _ => *found == value,
        };
        assert!(same, "{field}: `{found}` is told, and it is `{value}`");
        told += 1;
    }
    assert!(told > 20, "{told}");
}

#[test]
fn the_shipped_clusters_have_no_problem() {
    let expect = [
        ("kb281868-cluster", &["untuned", "tuned", "longer-timeout"][..], 2),
        ("cluster-lost-node", &["untuned", "tuned"], 2),
        ("cluster-healthy", &["goes-home", "goes-home-at-night", "stays"], 1),
    ];
    for (name, variants, groups) in expect {
        let path = format!("{}/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let plans = plans(&std::fs::read_to_string(path).expect("it is there"));
        assert_eq!(plans.iter().map(|plan| plan.variant.as_str()).collect::<Vec<_>>(), variants, "{name}");
        assert!(plans.iter().all(|plan| cluster(plan).spec.groups.len() == groups), "{name}");
    }
}
