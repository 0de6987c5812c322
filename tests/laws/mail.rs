//! Random mail servers: SMTP's queues and flow on one or two virtual servers, sessions of POP3, registry values.
//!
//! Beside `world`, which has classes of its own. Small and fast.

use std::fmt::Write;

use atqsim::plan::Plan;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use crate::world::{Dist, dist, plan, time};

const QUEUES: [&str; 5] = ["pre-submission", "pre-categorization", "pre-routing", "local-delivery", "dsn"];

#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) seed: u64,
    pub(crate) duration_ms: u64,
    pub(crate) factor: u64,
    pub(crate) processors: u32,
    pub(crate) virtual_servers: u32,
    /// `MaxPoolThreads`, `AdditionalPoolThreadsPerProc`, `MaxPercentPoolThreads`.
    pub(crate) pool: (u32, u32, u32),
    /// Of each queue: processor time, wait, and messages of a turn.
    pub(crate) queues: Vec<(Dist, Dist, Option<u32>)>,
    pub(crate) local_percent: u32,
    pub(crate) fails_percent: u32,
    pub(crate) max_waiting: u32,
    /// What a client waits for a thread, of SMTP and of POP3.
    pub(crate) timeouts: (Option<u32>, Option<u32>),
    /// Gaps between messages, and how many come at once.
    pub(crate) mail: (Dist, u32),
    /// Clients, pause, think time, and most messages of a mailbox.
    pub(crate) pop: (u32, Dist, Option<Dist>, u32),
}

impl Mail {
    /// The scenario.
    pub(crate) fn text(&self) -> String {
        let ms = |ms: u64| time(ms, self.factor);
        let dist = |dist: &Dist| dist.text(self.factor);
        let mut text = format!("format = 1\ntitle = \"mail\"\nseed = {}\n", self.seed);
        let (base, additional, percent) = self.pool;
        let _ = writeln!(
            text,
            "duration = {}\nstarvation_after = {}\n[node]\nprocessors = {}\n\n[registry]\nMaxPoolThreads = {base}\n\
             AdditionalPoolThreadsPerProc = {additional}\nMaxPercentPoolThreads = {percent}\nThreadTimeout = {}\n",
            ms(self.duration_ms),
            ms(50),
            self.processors,
            self.factor
        );
        let (servers, room) = (self.virtual_servers, self.max_waiting);
        let _ =
            writeln!(text, "[smtp]\nvirtual_servers = {servers}\nmax_waiting = {room}\n\n[smtp.in]\ncpu = {}", ms(1));
        if let Some(timeout) = self.timeouts.0 {
            let _ = writeln!(text, "timeout = {}", ms(timeout.into()));
        }
        for (name, (cpu, wait, turn)) in QUEUES.iter().zip(&self.queues) {
            let _ = writeln!(text, "\n[smtp.queues.{name}]\ncpu = {}\nwait = {}", dist(cpu), dist(wait));
            if let Some(messages) = turn {
                let _ = writeln!(text, "drain = {messages}");
            }
        }
        let (local, fails) = (self.local_percent, self.fails_percent);
        let _ = writeln!(text, "\n[smtp.flow]\nlocal = 0.{local:02}\nfails = 0.{fails:02}\n\n[pop3]");
        if let Some(timeout) = self.timeouts.1 {
            let _ = writeln!(text, "timeout = {}", ms(timeout.into()));
        }
        let (gap, batch) = &self.mail;
        let (clients, pause, think, messages) = &self.pop;
        let _ = writeln!(text, "commands.stat = {{ cpu = {} }}\ncommands.retr = {{ wait = {} }}", ms(2), ms(10));
        let _ = writeln!(text, "\n[load.mail]\nservice = \"smtp\"\ngaps = {}\nbatch = {batch}", dist(gap));
        let _ = writeln!(
            text,
            "\n[load.pop]\nservice = \"pop3\"\nclients = {clients}\npause = {}\nscript = [\"stat\", \"retr*\"]\n\
             messages = [0, {messages}]",
            dist(pause)
        );
        if let Some(think) = think {
            let _ = writeln!(text, "think = {}", dist(think));
        }
        text
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.text())
    }
}

/// A mail server. `given`: all its times can be doubled exactly.
pub(crate) fn mail(given: bool) -> impl Strategy<Value = Mail> {
    let queue = (dist(given, 0, 10), dist(given, 0, 80), weighted(0.5, 1..5_u32));
    let timeout = || weighted(0.3, 1..200_u32);
    (
        (any::<u64>(), 300..3_000_u64, 1..=3_u32, 1..=2_u32),
        (1..=4_u32, 0..=4_u32, 1..=100_u32),
        vec(queue, 5),
        (0..70_u32, 0..30_u32, prop_oneof![1..10_u32, Just(1_000)], (timeout(), timeout())),
        (dist(given, 5, 150), 1..=3_u32),
        (0..=20_u32, dist(given, 5, 300), weighted(0.5, dist(given, 0, 50)), 0..=5_u32),
    )
        .prop_map(|(first, pool, queues, (local_percent, fails_percent, max_waiting, timeouts), mail, pop)| {
            let (seed, duration_ms, processors, virtual_servers) = first;
            Mail {
                seed,
                duration_ms,
                factor: 1,
                processors,
                virtual_servers,
                pool,
                queues,
                local_percent,
                fails_percent,
                max_waiting,
                timeouts,
                mail,
                pop,
            }
        })
}
