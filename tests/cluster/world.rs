//! Small clusters as text, an observer that writes everything down, and the laws of every run.

use std::any::Any;
use std::collections::BTreeMap;

use atqsim::engine::observer::Observer;
use atqsim::engine::{Options, RunOutput, virtual_time};
use atqsim::ids::SourceId;
use atqsim::item::Outcome;
use atqsim::plan::Plan;
use atqsim::policy::dispatch::Kind;
use atqsim::scenario::{Base, Overrides, read};
use atqsim::time::Nanos;
use atqsim::workload::{Item, JourneyEnd};

pub(crate) fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

/// Services and load that two processors can do with ease.
const SERVICES: &str = r#"
format = 1
title = "A small cluster"
speed = 40
starvation_after = "10s"
[node]
processors = 2
[smtp.in]
cpu = { mean = "2ms" }
wait = { mean = "20ms", on = "disk" }
[smtp.queues.pre-submission]
cpu = { mean = "2ms" }
[smtp.queues.pre-categorization]
cpu = { mean = "2ms" }
wait = { mean = "500ms", on = "directory" }
[smtp.queues.pre-routing]
cpu = { mean = "2ms" }
[smtp.queues.local-delivery]
cpu = { mean = "2ms" }
wait = { mean = "2s", on = "store" }
[smtp.queues.dsn]
cpu = { mean = "2ms" }
[smtp.flow]
local = 0.8
fails = 0.05
[pop3]
timeout = "1m"
[pop3.commands]
logon = { cpu = { mean = "2ms" }, wait = { mean = "40ms", on = "directory" } }
stat = { cpu = { mean = "2ms" }, wait = { mean = "300ms", on = "store" } }
quit = { cpu = { mean = "1ms" } }
[load.mail]
service = "smtp"
rate = "2/s"
[load.readers]
service = "pop3"
clients = 30
pause = { mean = "10s" }
script = ["logon", "stat", "quit"]
think = { mean = "3s" }
"#;

/// Two groups, each at home on a node of its own; `numbers` belong to `[cluster]`, `more` comes behind.
pub(crate) fn two_groups(duration: &str, numbers: &str, more: &str) -> String {
    format!(
        "seed = 7\nduration = \"{duration}\"\n{SERVICES}\n[cluster]\n{numbers}\n[cluster.node.n1]\n[cluster.node.n2]\n\
         [cluster.group.evs1]\nowners = [\"n1\", \"n2\"]\n[cluster.group.evs2]\nowners = [\"n2\", \"n1\"]\n{more}"
    )
}

/// `[[cluster.fault]]` for each of these.
pub(crate) fn faults(all: &[(u64, &str, &str)]) -> String {
    let fault = |(at, node, does): &(u64, &str, &str)| {
        format!("[[cluster.fault]]\nnode = \"{node}\"\nat = \"{at}s\"\ndoes = \"{does}\"\n")
    };
    all.iter().map(fault).collect()
}

pub(crate) fn plan(text: &str) -> Plan {
    let (plans, problems) = read("cluster.toml", text, &Base::Builtin, &Overrides::default());
    plans.unwrap_or_else(|| panic!("{problems:#?}")).remove(0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Arrived,
    TurnedAway,
    Left,
    Started,
    Finished(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) what: What,
    pub(crate) item: Item,
    pub(crate) now: Nanos,
}

#[derive(Debug, Default)]
struct Diary(Vec<Told>, Vec<(Nanos, JourneyEnd)>);

impl Diary {
    fn tell(&mut self, what: What, item: &Item, now: Nanos) {
        self.0.push(Told { what, item: *item, now });
    }
}

impl Observer for Diary {
    fn arrived(&mut self, item: &Item, now: Nanos) {
        self.tell(What::Arrived, item, now);
    }
    fn refused(&mut self, item: &Item, now: Nanos) {
        self.tell(What::TurnedAway, item, now);
    }
    fn gave_up(&mut self, item: &Item, now: Nanos) {
        self.tell(What::Left, item, now);
    }
    fn started(&mut self, item: &Item, now: Nanos) {
        self.tell(What::Started, item, now);
    }
    fn finished(&mut self, item: &Item, outcome: Outcome, now: Nanos) {
        self.tell(What::Finished(outcome), item, now);
    }
    fn journey_ended(&mut self, end: &JourneyEnd, now: Nanos) {
        self.1.push((now, *end));
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A run in virtual time, and everything that was seen of it.
pub(crate) struct Seen {
    pub(crate) plan: Plan,
    pub(crate) output: RunOutput,
    pub(crate) told: Vec<Told>,
    pub(crate) ended: Vec<(Nanos, JourneyEnd)>,
}

pub(crate) fn seen(text: &str) -> Seen {
    let plan = plan(text);
    let run = virtual_time::observe(&plan, &Options::default(), Some(Box::<Diary>::default()));
    let (output, observer) = run.expect("time goes on");
    let Ok(diary) = observer.expect("it comes back").into_any().downcast::<Diary>() else {
        panic!("a diary was given")
    };
    let Diary(told, ended) = *diary;
    check(&plan, &output);
    Seen { plan, output, told, ended }
}

impl Seen {
    /// What was told of the classes whose names begin like this.
    pub(crate) fn of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Told> + 'a {
        self.told.iter().filter(move |told| self.plan.classes[told.item.class.index()].name.starts_with(prefix))
    }

    pub(crate) fn is_queue(&self, item: &Item) -> bool {
        matches!(self.plan.classes[item.class.index()].rule.kind, Kind::WorkQueue { .. })
    }

    /// Every message that was accepted is delivered once, or there is exactly one item of it that is not done at the end.
    pub(crate) fn check_messages(&self) {
        let mut steps: BTreeMap<(SourceId, u64), BTreeMap<u32, Vec<Told>>> = BTreeMap::new();
        for told in self.told.iter() {
            let name = &self.plan.load.sources[told.item.source.index()].name;
            if name.contains("mail") {
                steps
                    .entry((told.item.source, told.item.number))
                    .or_default()
                    .entry(told.item.step)
                    .or_default()
                    .push(*told);
            }
        }
        let mut completed = BTreeMap::new();
        for ((source, number), steps) in &steps {
            let accepted = steps[&0].iter().any(|told| told.what == What::Finished(Outcome::Served));
            if !accepted {
                assert_eq!(steps.len(), 1, "{source:?} {number} was not accepted, and goes on");
                continue;
            }
            let mut served = Vec::new();
            for (at, (step, told)) in steps.iter().enumerate() {
                assert_eq!(*step as usize, at, "a step of {source:?} {number} is missing");
                assert!(*step == 0 || told[0].what == What::Arrived, "{told:?}");
                assert!(told.iter().filter(|told| told.what == What::Started).count() <= 1, "{told:?}");
                assert!(!told.iter().any(|told| matches!(told.what, What::Left | What::TurnedAway)), "{told:?}");
                served.extend(
                    told.iter().filter(|told| told.what == What::Finished(Outcome::Served)).map(|t| t.item.stage),
                );
            }
            let unique: std::collections::BTreeSet<_> = served.iter().collect();
            assert_eq!(unique.len(), served.len(), "{source:?} {number} was served twice by one queue");
            let last = steps.values().last().expect("a message has a step");
            let end = last.iter().rev().find(|told| !matches!(told.what, What::Arrived | What::Started));
            if let Some(end) = end {
                assert_eq!(end.what, What::Finished(Outcome::Served), "{source:?} {number} is lost: {last:?}");
                *completed.entry(*source).or_insert(0) += 1;
            }
        }
        for journeys in &self.output.summary.journeys {
            if let Some(completed) = completed.get(&journeys.source) {
                assert_eq!(journeys.completed, *completed, "{:?}", journeys.source);
            }
        }
    }
}

/// What holds of every run of a cluster on any engine.
pub(crate) fn check(plan: &Plan, output: &RunOutput) {
    let summary = &output.summary;
    assert_eq!(summary.violations, [] as [&str; 0]);
    assert_eq!(summary.end, plan.duration);
    for (class, found) in plan.classes.iter().zip(&summary.classes) {
        assert_eq!(found.outcomes.total(), found.arrivals, "{}: {:?}", class.name, found.outcomes);
        assert!(found.still_waiting <= found.outcomes.unfinished, "{}", class.name);
    }
    let failover = output.failover.as_ref().expect("there is a cluster");
    assert_eq!(failover.cluster.end, plan.duration);
}
