//! A checked scenario, ready to run: one machine with one registry, or a cluster of them, its classes, its load.
//!
//! Not a file format (`scenario` makes plans from TOML) and not a run. A comparison is a vector of plans that differ
//! in their variant. Read by `engine`, `report`, `run` and `cli`.

pub mod cluster;
pub mod limits;
pub mod stability;
pub mod threshold;
pub mod tuning;

use std::sync::Arc;

use crate::ids::{ClassId, SourceId};
use crate::policy::assumptions::{Assumption, Assumptions};
use crate::policy::dispatch::{ClassRule, Rules};
use crate::policy::registry::Registry;
use crate::policy::sizing::{Machine, PoolShape};
use crate::rng::StreamKey;
use crate::time::Nanos;
use crate::workload::arrivals::Pattern;
use crate::workload::journey::{Arrivals, Journey, LoadSpec, Times, script_visits, visits};

/// Everything that one run needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The scenario's title.
    pub title: String,
    /// The scenario's file, as the user named it, or the name of a built-in one.
    pub file: String,
    /// The variant's name.
    pub variant: String,
    /// Seed of all random streams.
    pub seed: u64,
    /// Length of the run.
    pub duration: Nanos,
    /// The part of it at its begin that no figure counts.
    pub warmup: Warmup,
    /// Emulated seconds per wall second on real threads; above 0.
    pub speed: f64,
    /// A class is starved while its oldest waiting item has waited at least this long.
    pub starvation_after: Nanos,
    /// The server.
    pub machine: Machine,
    /// Its registry: what is set and where it was read.
    pub registry: Registry,
    /// The choices that nothing published settles.
    pub assumptions: Assumptions,
    /// The pool that follows from the three above.
    pub pool: PoolShape,
    /// The classes, indexed by `ClassId`.
    pub classes: Vec<ClassPlan>,
    /// The load.
    pub load: Arc<LoadSpec>,
    /// What must hold of the figures.
    pub asserts: Vec<threshold::Assert>,
    /// The cluster, where there is one. `machine`, `registry`, `pool` and the caps in `classes` are then those of its first
    /// node.
    pub cluster: Option<Arc<cluster::ClusterPlan>>,
    /// The limits that the server has beside its pool, each with its load.
    pub limits: limits::Limits,
}

/// The time at the begin of a run that is emulated and not measured; always shorter than the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Warmup {
    /// None: a run is measured from its empty start on, as a mail day is.
    #[default]
    None,
    /// As long as the scenario says.
    Given(Nanos),
    /// To be chosen from pilot runs; `None` until that is done.
    Auto(Option<Nanos>),
}

impl Warmup {
    /// How long it is; zero while it is not chosen.
    #[must_use]
    pub fn length(self) -> Nanos {
        match self {
            Warmup::None => Nanos::ZERO,
            Warmup::Given(length) => length,
            Warmup::Auto(chosen) => chosen.unwrap_or_default(),
        }
    }
}

/// One class of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassPlan {
    /// Its name in every output: `pop3`, `smtp1.local-delivery`.
    pub name: String,
    /// What it is for people.
    pub role: Role,
    /// What the policy lets it do.
    pub rule: ClassRule,
}

/// What a class is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A protocol that users wait for: POP3, IMAP4.
    Protocol,
    /// Inbound SMTP requests.
    SmtpIn,
    /// An SMTP work queue that may ask for `MaxPercentPoolThreads` of the pool.
    HeavyQueue,
    /// Another SMTP work queue.
    LightQueue,
    /// The probes of a cluster's health monitor: requests that no user waits for.
    Probe,
}

impl Role {
    /// The word for it in programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Role::Protocol => "protocol",
            Role::SmtpIn => "smtp-in",
            Role::HeavyQueue => "heavy-queue",
            Role::LightQueue => "light-queue",
            Role::Probe => "probe",
        }
    }

    /// Whether it is SMTP: inbound requests and work queues.
    #[must_use]
    pub fn is_mail(self) -> bool {
        matches!(self, Role::SmtpIn | Role::HeavyQueue | Role::LightQueue)
    }
}

/// Offered load of one class over a stretch of time, in threads (Erlangs): arrivals per second times seconds of service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Offered {
    /// Items per second.
    pub per_second: f64,
    /// Threads busy on a processor, on average, if there were threads without end.
    pub cpu_threads: f64,
    /// Threads waiting, on average, if there were threads without end.
    pub wait_threads: f64,
}

impl Offered {
    /// Threads held in all.
    #[must_use]
    pub fn threads(&self) -> f64 {
        self.cpu_threads + self.wait_threads
    }
}

impl Plan {
    /// What the dispatch needs to know.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            pool_size: self.pool.size,
            runnable_limit: self.pool.runnable_limit,
            classes: self.classes.iter().map(|class| class.rule).collect(),
            order: self.assumptions.order,
            waiting_room: self.pool.waiting_room,
            ..Rules::default()
        }
    }

    /// The seed of run `number` (from 0) of several: the plan's own for the first, one of a family of its own for each
    /// other.
    #[must_use]
    pub fn seed_of_run(&self, number: usize) -> u64 {
        if number == 0 {
            return self.seed;
        }
        StreamKey::new(self.seed, "replication").stream(number as u64, 0).bits()
    }

    /// Threads that all pools together may have.
    #[must_use]
    pub fn threads(&self) -> u32 {
        let of = |cluster: &Arc<cluster::ClusterPlan>| {
            cluster.nodes.iter().fold(0_u32, |sum, node| sum.saturating_add(node.pool.size))
        };
        self.cluster.as_ref().map_or(self.pool.size, of)
    }

    /// Every choice that nothing published settles, in a fixed order: those of the pool (where anything uses it), of the
    /// cluster, of the limits beside the pool.
    #[must_use]
    pub fn assumption_list(&self) -> Vec<Assumption> {
        let of_the_cluster = self.cluster.iter().flat_map(|cluster| cluster.policies.assumptions());
        let of_the_pool = if self.classes.is_empty() { Vec::new() } else { self.assumptions.list() };
        of_the_pool.into_iter().chain(of_the_cluster).chain(self.limits.assumptions()).collect()
    }

    /// The class called `name`.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<ClassId> {
        self.classes.iter().position(|class| class.name == name).map(|at| ClassId(at as u16))
    }

    /// The name of a class.
    #[must_use]
    pub fn class_name(&self, class: ClassId) -> &str {
        &self.classes[class.index()].name
    }

    /// The name of a source.
    #[must_use]
    pub fn source_name(&self, source: SourceId) -> &str {
        &self.load.sources[source.index()].name
    }

    /// Offered load of each class at a moment, without faults. Closed populations count as if nobody ever waited, so
    /// they are an upper bound; traces, whose rates are in their files, and probes, which come when they are asked for, count
    /// as nothing.
    #[must_use]
    pub fn offered(&self, at: Nanos) -> Vec<Offered> {
        let mut offered = vec![Offered::default(); self.classes.len()];
        for source in &self.load.sources {
            let visits = match &source.journey {
                Journey::Message(stage) => visits(&self.load.stages, *stage),
                Journey::Session { script, messages, .. } => script_visits(&self.load.stages, script, *messages),
                Journey::Row => continue,
            };
            let journeys_per_second = match &source.arrivals {
                Arrivals::Open { pattern, batch } => pattern_rate(pattern, at) * f64::from(*batch),
                Arrivals::Closed { population, pause } => {
                    f64::from(*population) / self.session_seconds(&source.journey, pause.mean_ns() / 1e9)
                }
                Arrivals::Trace(_) | Arrivals::OnCall => continue,
            };
            for (stage, visits) in self.load.stages.iter().zip(visits) {
                let (cpu_ns, wait_ns) = stage.mean_ns();
                let class = &mut offered[stage.class.index()];
                let per_second = journeys_per_second * visits;
                class.per_second += per_second;
                class.cpu_threads += per_second * cpu_ns / 1e9;
                class.wait_threads += per_second * wait_ns / 1e9;
            }
        }
        offered
    }

    /// Mean length of a session and the pause around it if nobody ever waits.
    fn session_seconds(&self, journey: &Journey, pause_s: f64) -> f64 {
        let Journey::Session { script, messages, think } = journey else { return pause_s.max(1e-9) };
        let mean_messages = (f64::from(messages.0) + f64::from(messages.1)) / 2.0;
        let commands: f64 = script
            .iter()
            .map(|step| match step.times {
                Times::Fixed(n) => f64::from(n),
                Times::EachMessage => mean_messages,
            })
            .sum();
        let service_ns: f64 = script_visits(&self.load.stages, script, *messages)
            .iter()
            .zip(&self.load.stages)
            .map(|(visits, stage)| visits * (stage.mean_ns().0 + stage.mean_ns().1))
            .sum();
        let think_s = think.as_ref().map_or(0.0, |t| t.mean_ns() / 1e9) * (commands - 1.0).max(0.0);
        (pause_s + think_s + service_ns / 1e9).max(1e-9)
    }
}

/// Mean arrivals per second of a pattern at a moment.
#[must_use]
pub fn pattern_rate(pattern: &Pattern, at: Nanos) -> f64 {
    match pattern {
        Pattern::Rate { rate, .. } => rate.at(at),
        Pattern::Gaps(gap) => 1e9 / gap.mean_ns().max(1.0),
        Pattern::Switching(states) => {
            let time: f64 = states.iter().map(|s| s.holds.mean_ns()).sum();
            states.iter().map(|s| s.per_second * s.holds.mean_ns()).sum::<f64>() / time.max(1.0)
        }
    }
}
