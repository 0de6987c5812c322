//! What the memory of the domain table depends on: software, the registry value, memory, restarts, and assumptions.
//!
//! Plain data. Documented numbers have `// ATQ:`; every other one is in [`Assumptions`] (`// Guess:`), which an output is to
//! list. Made by whoever describes a server, read by the model; not a reader of registry files.

use crate::time::Nanos;

/// The data of `ZombieDomainEntryThreshold` that is published.
/// ATQ: KB 910932 prints 0000003E8.
pub const PUBLISHED_THRESHOLD: u32 = 0x3E8;

/// The server's Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Windows {
    /// Windows 2000: no text that names the value is known for it.
    Windows2000,
    /// Windows Server 2003 without a service pack.
    Server2003,
    /// Windows Server 2003 with service pack 1.
    Server2003Sp1,
    /// Windows Server 2003 with service pack 2.
    Server2003Sp2,
}

/// What is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Software {
    /// The system.
    pub windows: Windows,
    /// It is an x64 edition.
    pub is_x64: bool,
    /// The hotfix of KB 910932 (`Aqueue.dll` 6.0.3790.2619) was asked for.
    pub has_hotfix: bool,
}

impl Software {
    /// Whether this software reads `ZombieDomainEntryThreshold` at all.
    /// ATQ: KB 910932: the hotfix is for service pack 1, which x64 editions do not need; service pack 2 has it.
    #[must_use]
    pub fn knows_the_threshold(self) -> bool {
        match self.windows {
            Windows::Windows2000 => false,
            Windows::Server2003 => self.has_hotfix && self.is_x64,
            Windows::Server2003Sp1 => self.has_hotfix,
            Windows::Server2003Sp2 => true,
        }
    }
}

/// Everything that the model needs to know before its first stimulus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainTableSpec {
    /// What is installed.
    pub software: Software,
    /// `ZombieDomainEntryThreshold`, where it was added.
    /// ATQ: KB 910932: without it the hotfix does nothing.
    pub zombie_domain_entry_threshold: Option<u32>,
    /// Bytes of memory that the server has.
    pub memory_bytes: u64,
    /// When the service is restarted on a plan; `None`: never.
    pub planned_restarts: Option<PlannedRestarts>,
    /// What nothing published settles.
    pub assumptions: Assumptions,
}

impl DomainTableSpec {
    /// The number of dead entries at which they are swept; `None`: they stay until the service restarts.
    #[must_use]
    pub fn threshold(&self) -> Option<u32> {
        let value = self.zombie_domain_entry_threshold.filter(|_| self.software.knows_the_threshold())?;
        match (value, self.assumptions.zero) {
            (0, ZeroThreshold::NeverSweeps) => None,
            (0, ZeroThreshold::SweepsEveryDeadEntry) => Some(1),
            (threshold, _) => Some(threshold),
        }
    }

    /// Entries that fit into memory before it counts as gone, counted from an empty table.
    #[must_use]
    pub fn entries_that_fit(&self) -> u64 {
        let own = &self.assumptions;
        let taken = own.others_bytes.saturating_add(own.base_working_set_bytes).saturating_add(own.gone_below_bytes);
        self.memory_bytes.saturating_sub(taken) / own.entry_bytes.max(1)
    }
}

/// A restart at the same time each night, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRestarts {
    /// The first.
    pub first: Nanos,
    /// Time from one to the next; above 0.
    pub every: Nanos,
}

/// What nothing published settles; each is a choice of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// Bytes of the emulated service that one entry takes; above 0.
    // Guess: not published. 1 KiB holds a name of up to 255 octets in two-octet characters and the links of two queues.
    pub entry_bytes: u64,
    /// Bytes that everything but `inetinfo` takes.
    // Guess: not published.
    pub others_bytes: u64,
    /// Bytes of `inetinfo` with an empty table.
    // Guess: not published.
    pub base_working_set_bytes: u64,
    /// Memory is gone when one entry more would leave fewer bytes available than this.
    // Guess: not published. 4 MiB is the low mark that the counter's explanation is usually read with.
    pub gone_below_bytes: u64,
    /// How long an entry without messages still counts as live.
    // Guess: the life of an entry is not published.
    pub dies_after: Nanos,
    /// When the number of dead entries is looked at.
    // Guess: the timing of the sweep is not published.
    pub sweep: Sweep,
    /// What the data 0 means.
    // Guess: not published.
    pub zero: ZeroThreshold,
    /// Where the memory of swept entries goes.
    // Guess: not published.
    pub freed: Freed,
    /// What happens once memory is gone.
    // Guess: KB 910932 says that memory runs out, not what follows.
    pub when_gone: WhenGone,
    /// How long the service is away when it restarts.
    // Guess: not published.
    pub restart_takes: Nanos,
    /// Time between two readings of the counters; 0: none are taken.
    // Guess: ours, as a performance log would have it.
    pub sample_every: Nanos,
}

/// See [`Assumptions::sweep`]. A sweep takes all entries that are dead; the name of the value says no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Whenever an entry dies.
    AtOnce,
    /// At so regular moments; above 0.
    Every(Nanos),
}

/// See [`Assumptions::zero`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroThreshold {
    /// As if the value were absent.
    NeverSweeps,
    /// No dead entry stays.
    SweepsEveryDeadEntry,
}

/// See [`Assumptions::freed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freed {
    /// Back to the system: the working set falls.
    ToTheSystem,
    /// The process keeps it for entries to come: the working set stays at its peak until the service restarts.
    StaysInTheProcess,
}

/// See [`Assumptions::when_gone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenGone {
    /// Messages to domains without an entry are refused, each counted.
    RefusesNewDomains,
    /// The service fails and is restarted; the message that found no memory is refused.
    Restarts,
}

impl Default for Assumptions {
    fn default() -> Assumptions {
        const MIB: u64 = 1 << 20;
        Assumptions {
            entry_bytes: 1024,
            others_bytes: 256 * MIB,
            base_working_set_bytes: 32 * MIB,
            gone_below_bytes: 4 * MIB,
            dies_after: Nanos::ZERO,
            sweep: Sweep::AtOnce,
            zero: ZeroThreshold::NeverSweeps,
            freed: Freed::ToTheSystem,
            when_gone: WhenGone::RefusesNewDomains,
            restart_takes: Nanos::from_secs(60),
            sample_every: Nanos::from_secs(60),
        }
    }
}
