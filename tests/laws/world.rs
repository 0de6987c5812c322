//! Random scenarios, as the text of the language: small and fast, with everything in them that the policy looks at.
//!
//! Not the laws. Times are whole milliseconds, so that much happens at equal times.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use atqsim::plan::Plan;
use atqsim::scenario::{Base, Overrides, read};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;

/// A distribution; times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Dist {
    Constant(u32),
    /// The built-in sample: see [`SAMPLE`].
    Sample,
    Exponential(u32),
    Uniform(u32, u32),
    Erlang(u32, u32),
    Hyper(u32, u32),
    Lognormal(u32),
}

/// What [`Dist::Sample`] draws from, in milliseconds.
const SAMPLE: [u64; 8] = [0, 1, 1, 2, 5, 10, 20, 45];

#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) name: String,
    /// Cap and drain rule: 0 for until-empty, else messages. `None`: requests.
    pub(crate) queue: Option<(u32, u32)>,
    pub(crate) priority: u32,
    pub(crate) keep_free: u32,
    pub(crate) max_waiting: Option<u32>,
    /// `true`: a processor is held.
    pub(crate) phases: Vec<(bool, Dist)>,
    pub(crate) patience: Option<Dist>,
    /// Where items go next: index of the class (taken modulo their number) and percent.
    pub(crate) routes: Vec<(usize, u32)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Arrivals {
    Poisson(u32),
    Even(u32),
    Gaps(Dist),
    Bursts(u32, u32),
    /// Nothing before this moment in ms, then Poisson.
    From(u64, u32),
    Closed(u32, Dist),
}

#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) name: String,
    /// Index of the class, modulo their number.
    pub(crate) class: usize,
    pub(crate) arrivals: Arrivals,
    pub(crate) batch: u32,
}

/// Something that goes wrong for a while.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Percent of the handlers of this class (its index, modulo their number) that crash; `None`: every wait takes
    /// three times as long.
    pub(crate) panics: Option<(usize, u32)>,
    pub(crate) from_ms: u64,
    pub(crate) lasts_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Port,
    Priority,
    OldestEligible,
    Reserve,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) duration_ms: u64,
    pub(crate) warmup_ms: Option<u64>,
    /// All times are multiplied by this.
    pub(crate) factor: u64,
    pub(crate) processors: u32,
    pub(crate) threads: u32,
    /// `ThreadTimeout` in seconds and `MaxConcurrency`; without them `threads` is written instead of a registry.
    pub(crate) registry: Option<(u32, u32)>,
    pub(crate) room: Option<u32>,
    pub(crate) order: Order,
    pub(crate) classes: Vec<Class>,
    pub(crate) loads: Vec<Load>,
    pub(crate) faults: Vec<Fault>,
}

/// The directory with the sample.
fn samples() -> PathBuf {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory for the sample");
        let rows: String = SAMPLE.iter().map(|ms| format!("{ms},{}\n", 2 * ms)).collect();
        std::fs::write(directory.path().join("sample.csv"), format!("x1_ms,x2_ms\n{rows}")).expect("it is written");
        directory
    });
    directory.path().to_path_buf()
}

/// So many milliseconds times `factor`, as a value of the language.
pub(crate) fn time(ms: u64, factor: u64) -> String {
    format!("\"{}ms\"", ms * factor)
}

impl Dist {
    /// As a value of the language, all times multiplied by `factor`.
    pub(crate) fn text(&self, factor: u64) -> String {
        let ms = |ms: u32| time(u64::from(ms), factor);
        match *self {
            Dist::Constant(value) => ms(value),
            Dist::Sample => {
                format!("{{ dist = \"empirical\", csv = \"sample.csv\", column = \"x{factor}_ms\" }}")
            }
            Dist::Exponential(mean) => format!("{{ mean = {} }}", ms(mean)),
            Dist::Uniform(low, high) => {
                format!("{{ dist = \"uniform\", low = {}, high = {} }}", ms(low.min(high)), ms(high.max(low)))
            }
            Dist::Erlang(stages, mean) => {
                format!("{{ dist = \"erlang\", stages = {stages}, mean = {} }}", ms(mean))
            }
            Dist::Hyper(short, long) => {
                format!("{{ dist = \"hyperexponential\", p1 = 0.8, mean1 = {}, mean2 = {} }}", ms(short), ms(long))
            }
            Dist::Lognormal(mean) => format!("{{ dist = \"lognormal\", mean = {}, cv = 1.5 }}", ms(mean.max(1))),
        }
    }
}

/// The plan that the reader makes of a text.
pub(crate) fn plan(text: &str) -> Plan {
    let (plans, problems) = read("laws", text, &Base::Directory(samples()), &Overrides::default());
    plans.unwrap_or_else(|| panic!("{problems:?}\n{text}")).remove(0)
}

impl World {
    fn ms(&self, ms: u64) -> String {
        time(ms, self.factor)
    }

    fn dist(&self, dist: &Dist) -> String {
        dist.text(self.factor)
    }

    /// The scenario.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("format = 1\ntitle = \"laws\"\nseed = {}\n", self.seed);
        let _ = writeln!(text, "duration = {}\nstarvation_after = {}", self.ms(self.duration_ms), self.ms(50));
        if let Some(warmup) = self.warmup_ms {
            let _ = writeln!(text, "warmup = {}", self.ms(warmup));
        }
        let _ = writeln!(text, "\n[node]\nprocessors = {}", self.processors);
        if self.registry.is_none() {
            let _ = writeln!(text, "threads = {}", self.threads);
        }
        if let Some(room) = self.room {
            let _ = writeln!(text, "waiting_room = {room}");
        }
        if let Some((timeout, concurrency)) = self.registry {
            let timeout = u64::from(timeout) * self.factor;
            let _ = writeln!(
                text,
                "\n[registry]\nMaxPoolThreads = {0}\nPoolThreadLimit = {0}\nThreadTimeout = {timeout}\n\
                 MaxConcurrency = {concurrency}",
                self.threads
            );
        }
        let order = ["port", "priority", "oldest-eligible", "reserve"][self.order as usize];
        let _ = writeln!(text, "\n[assumptions]\norder = \"{order}\"");
        self.classes.iter().for_each(|class| self.class(&mut text, class));
        self.loads.iter().for_each(|load| self.load(&mut text, load));
        let waits = self.classes.iter().any(|class| class.phases.iter().any(|(cpu, _)| !cpu));
        for fault in self.faults.iter().filter(|fault| waits || fault.panics.is_some()) {
            let (from, until) = (self.ms(fault.from_ms), self.ms(fault.from_ms + fault.lasts_ms));
            let what = match fault.panics {
                Some((class, percent)) => {
                    let class = &self.classes[class % self.classes.len()].name;
                    format!("service = \"{class}\"\npanics = 0.{percent:02}")
                }
                None => "on = \"store\"\nslower = 3".to_string(),
            };
            let _ = writeln!(text, "\n[[fault]]\n{what}\nfrom = {from}\nuntil = {until}");
        }
        text
    }

    fn class(&self, text: &mut String, class: &Class) {
        let _ = writeln!(text, "\n[class.{}]", class.name);
        if let Some((cap, drain)) = class.queue {
            let drain = if drain == 0 { "\"until-empty\"".to_string() } else { drain.to_string() };
            let _ = writeln!(text, "kind = \"queue\"\ncap = {cap}\ndrain = {drain}");
        }
        if matches!(self.order, Order::Priority | Order::Reserve) {
            let _ = writeln!(text, "priority = {}", class.priority);
        }
        if self.order == Order::Reserve {
            let _ = writeln!(text, "keep_free = {}", class.keep_free.min(self.threads - 1));
        }
        if let Some(most) = class.max_waiting {
            let _ = writeln!(text, "max_waiting = {most}");
        }
        let phase =
            |(cpu, dist): &(bool, Dist)| format!("{{ {} = {} }}", if *cpu { "cpu" } else { "wait" }, self.dist(dist));
        let phases: Vec<String> = class.phases.iter().map(phase).collect();
        let _ = writeln!(text, "phases = [{}]", phases.join(", "));
        if let Some(patience) = &class.patience {
            let _ = writeln!(text, "patience = {}", self.dist(patience));
        }
        // A class is named once at most.
        let mut routes: Vec<(usize, u32)> =
            class.routes.iter().map(|(to, percent)| (to % self.classes.len(), *percent)).collect();
        routes.sort_unstable();
        routes.dedup_by_key(|(to, _)| *to);
        // By name, so that the table is the same wherever the classes stand.
        let mut names: Vec<(&str, u32)> =
            routes.iter().map(|(to, percent)| (self.classes[*to].name.as_str(), *percent)).collect();
        names.sort_unstable();
        if !names.is_empty() {
            let branch = |(name, percent): &(&str, u32)| format!("{name} = 0.{percent:02}");
            let _ = writeln!(text, "routes = {{ {} }}", names.iter().map(branch).collect::<Vec<_>>().join(", "));
        }
    }

    fn load(&self, text: &mut String, load: &Load) {
        let class = &self.classes[load.class % self.classes.len()].name;
        let _ = writeln!(text, "\n[load.{}]\nservice = \"{class}\"", load.name);
        let _ = match &load.arrivals {
            Arrivals::Poisson(rate) => writeln!(text, "rate = {rate}"),
            Arrivals::Even(rate) => writeln!(text, "rate = {rate}\narrivals = \"even\""),
            Arrivals::Gaps(gap) => writeln!(text, "gaps = {}", self.dist(gap)),
            Arrivals::Bursts(low, high) => writeln!(
                text,
                "bursts = [{{ rate = {low}, holds = {} }}, {{ rate = {high}, holds = {} }}]",
                self.dist(&Dist::Exponential(300)),
                self.dist(&Dist::Constant(100))
            ),
            Arrivals::From(ms, rate) => {
                writeln!(text, "steps = [{{ at = \"0s\", rate = 0 }}, {{ at = {}, rate = {rate} }}]", self.ms(*ms))
            }
            Arrivals::Closed(clients, pause) => writeln!(text, "clients = {clients}\npause = {}", self.dist(pause)),
        };
        if load.batch > 1 && !matches!(load.arrivals, Arrivals::Closed(..)) {
            let _ = writeln!(text, "batch = {}", load.batch);
        }
    }

    /// The plan that the reader makes of the text.
    pub(crate) fn plan(&self) -> Plan {
        plan(&self.text())
    }

    /// Nothing holds a processor.
    pub(crate) fn only_wait(&mut self) {
        self.classes.iter_mut().flat_map(|class| &mut class.phases).for_each(|(cpu, _)| *cpu = false);
    }
}

/// Times in milliseconds, up to `most`. `given`: nothing is drawn that cannot be doubled exactly.
pub(crate) fn dist(given: bool, least: u32, most: u32) -> BoxedStrategy<Dist> {
    let constant = (least.div_ceil(5)..=most / 5).prop_map(|fives| Dist::Constant(5 * fives));
    if given {
        return prop_oneof![3 => constant, 1 => Just(Dist::Sample)].boxed();
    }
    let mean = least.max(1)..=most;
    prop_oneof![
        3 => constant,
        3 => mean.clone().prop_map(Dist::Exponential),
        1 => Just(Dist::Sample),
        1 => (mean.clone(), mean.clone()).prop_map(|(a, b)| Dist::Uniform(a, b)),
        1 => (1..4_u32, mean.clone()).prop_map(|(stages, mean)| Dist::Erlang(stages, mean)),
        1 => (mean.clone(), mean.clone()).prop_map(|(a, b)| Dist::Hyper(a, b)),
        1 => mean.prop_map(Dist::Lognormal),
    ]
    .boxed()
}

fn class(given: bool) -> impl Strategy<Value = Class> {
    (
        weighted(0.7, (1..=8_u32, 0..=3_u32)),
        0..3_u32,
        0..3_u32,
        weighted(0.3, 0..6_u32),
        vec((weighted(0.4, Just(())), dist(given, 0, 60)), 1..=3),
        weighted(0.3, dist(given, 0, 100)),
        weighted(0.3, vec((0..6_usize, 1..30_u32), 1..=2)),
    )
        .prop_map(|(queue, priority, keep_free, max_waiting, phases, patience, routes)| Class {
            name: String::new(),
            queue,
            priority,
            keep_free,
            max_waiting,
            phases: phases.into_iter().map(|(cpu, dist)| (cpu.is_some(), dist)).collect(),
            patience,
            routes: routes.unwrap_or_default(),
        })
}

fn arrivals(given: bool) -> BoxedStrategy<Arrivals> {
    let gaps = dist(given, 5, 200).prop_map(Arrivals::Gaps);
    let closed = (1..=20_u32, dist(given, 5, 400)).prop_map(|(clients, pause)| Arrivals::Closed(clients, pause));
    // So rarely that threads are idle for long enough to end.
    let rare = dist(given, 600, 1_500).prop_map(Arrivals::Gaps);
    if given {
        return prop_oneof![2 => gaps, 1 => rare, 1 => closed].boxed();
    }
    prop_oneof![
        4 => (1..120_u32).prop_map(Arrivals::Poisson),
        1 => (1..120_u32).prop_map(Arrivals::Even),
        2 => gaps,
        2 => rare,
        1 => (0..30_u32, 30..200_u32).prop_map(|(low, high)| Arrivals::Bursts(low, high)),
        2 => closed,
    ]
    .boxed()
}

fn fault() -> impl Strategy<Value = Fault> {
    (of((0..6_usize, 1..60_u32)), 0..1_500_u64, 1..1_500_u64).prop_map(|(panics, from_ms, lasts_ms)| Fault {
        panics,
        from_ms,
        lasts_ms,
    })
}

/// A scenario. `given`: all its times can be doubled exactly.
pub(crate) fn world(given: bool) -> impl Strategy<Value = World> {
    let load = (0..6_usize, arrivals(given), prop_oneof![4 => Just(1_u32), 1 => 2..6_u32]);
    let order = prop_oneof![
        3 => Just(Order::Port),
        1 => Just(Order::Priority),
        1 => Just(Order::OldestEligible),
        1 => Just(Order::Reserve),
    ];
    (
        (any::<u64>(), 301..4_500_u64, 1..=4_u32, 1..=12_u32),
        (weighted(0.4, (Just(1_u32), 0..=3_u32)), weighted(0.2, 0..12_u32), order),
        vec(class(given), 1..=6),
        vec(load, 1..=4),
        (of(Just(())), weighted(0.2, vec(fault(), 1..=2)), weighted(0.3, 1..300_u64)),
    )
        .prop_map(
            |(
                (seed, duration_ms, processors, threads),
                (registry, room, order),
                classes,
                loads,
                (wide, faults, warmup_ms),
            )| {
                let named = |(at, class): (usize, Class)| Class { name: format!("c{at}"), ..class };
                let load = |(at, (class, arrivals, batch)): (usize, (usize, Arrivals, u32))| Load {
                    name: format!("l{at}"),
                    class,
                    arrivals,
                    batch,
                };
                World {
                    seed,
                    duration_ms,
                    warmup_ms,
                    factor: 1,
                    // Half of them have a processor for every thread.
                    processors: if wide.is_some() { processors.max(threads) } else { processors },
                    threads,
                    registry,
                    room,
                    order,
                    classes: classes.into_iter().enumerate().map(named).collect(),
                    loads: loads.into_iter().enumerate().map(load).collect(),
                    faults: faults.unwrap_or_default(),
                }
            },
        )
}
