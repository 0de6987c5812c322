//! Back pressure: which resources are watched, where their marks are, and which level a value is at.
//!
//! Rules as functions of their values. Not what a level forbids (that is `connections`, `submission` and `pickup`) and
//! not the account of what is used (that is the server's machine). CPU and network are not watched.
//! ATQ: bb201658 (Exchange 2007). What later versions watch and do is not here: no Submission queue, no batch points,
//! no delays of MAIL FROM.

use super::spec::{Assumptions, HighEnds, Over, TransportSpec, Version};

/// How much is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All mail is taken.
    #[default]
    Normal,
    /// Mail of authoritative domains and other Hub servers is taken.
    Medium,
    /// No mail is taken; what is queued is delivered.
    High,
}

impl Level {
    /// All, from below.
    pub const ALL: [Level; 3] = [Level::Normal, Level::Medium, Level::High];

    /// As event texts have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Normal => "Normal",
            Level::Medium => "Medium",
            Level::High => "High",
        }
    }
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The drive with the queue database, in percent used.
    QueueDrive,
    /// The drive with its logs, in percent used.
    LogDrive,
    /// Version buckets in use.
    VersionBuckets,
    /// Private bytes of `EdgeTransport.exe`, in percent of memory.
    PrivateBytes,
}

impl Resource {
    /// All, in the order in which events name them.
    pub const ALL: [Resource; 4] =
        [Resource::QueueDrive, Resource::LogDrive, Resource::VersionBuckets, Resource::PrivateBytes];

    /// As event texts have it.
    // ATQ: `Version buckets` (event 15004). Guess: the others.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Resource::QueueDrive => "Queue database and disk space",
            Resource::LogDrive => "Queue database logging disk space",
            Resource::VersionBuckets => "Version buckets",
            Resource::PrivateBytes => "Private bytes",
        }
    }

    /// What is written after a value.
    #[must_use]
    pub fn unit(self) -> &'static str {
        if self == Resource::VersionBuckets { "" } else { "%" }
    }
}

/// Where the levels of a resource begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Medium ends below it.
    pub normal: u32,
    /// Medium begins.
    pub medium: u32,
    /// High begins.
    pub high: u32,
}

impl Marks {
    /// The marks of a percentage whose highest is given.
    /// ATQ: bb201658: Medium is High - 2, Normal is High - 4.
    #[must_use]
    pub fn below(high: u32) -> Marks {
        Marks { normal: high.saturating_sub(4), medium: high.saturating_sub(2), high }
    }

    /// The level of a value that was at `was`: up at a mark, down only below the next lower one.
    #[must_use]
    pub fn level(self, value: u32, was: Level, own: &Assumptions) -> Level {
        let over = |mark: u32| match own.over {
            Over::AtOrAbove => value >= mark,
            Over::Above => value > mark,
        };
        let stays_high = was == Level::High && own.high_ends == HighEnds::BelowMedium && over(self.medium);
        if over(self.high) || stays_high {
            Level::High
        } else if over(self.medium) || (was >= Level::Medium && over(self.normal)) {
            Level::Medium
        } else {
            Level::Normal
        }
    }
}

/// One resource, as it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which.
    pub resource: Resource,
    /// Its value, in percent rounded down or in version buckets.
    pub value: u32,
    /// Its level.
    pub level: Level,
    /// Its marks.
    pub marks: Marks,
}

/// The readings of all watched resources.
pub type Readings = [Option<Reading>; Resource::ALL.len()];

/// Bytes that the queue database is to have free, by version. A GB has 2^30 bytes and an MB 2^20.
/// ATQ: bb201658: 4 GB; service pack 1: 500 MB.
#[must_use]
pub fn queue_drive_keeps_free(version: Version) -> u64 {
    match version {
        Version::Rtm => 4 << 30,
        Version::Sp1 => 500 << 20,
    }
}

/// The percentage of a drive at which High begins, rounded down.
/// ATQ: bb201658: 100 * (size - kept free) / size.
#[must_use]
pub fn high_of_drive(size: u64, keeps_free: u64) -> u32 {
    percent_of(size.saturating_sub(keeps_free), size)
}

/// The percentage of memory at which private bytes are High.
/// ATQ: bb201658: 75 %, or 1 TB where that is less.
#[must_use]
pub fn high_of_private_bytes(memory: u64) -> u32 {
    percent_of(1 << 40, memory).min(75)
}

/// So many of a hundred, rounded down: a mark is reached exactly when the rounded value reaches it.
#[must_use]
pub fn percent_of(part: u64, whole: u64) -> u32 {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    u32::try_from(percent).unwrap_or(u32::MAX)
}

impl TransportSpec {
    /// The marks of a resource; `None`: it is not watched.
    #[must_use]
    pub fn marks(&self, resource: Resource) -> Option<Marks> {
        let (pressure, machine) = (&self.back_pressure, &self.machine);
        let by_size = |size, keeps_free| Marks::below(high_of_drive(size, keeps_free));
        match resource {
            Resource::QueueDrive => {
                let formula = || by_size(machine.queue_drive_bytes, queue_drive_keeps_free(self.version));
                Some(pressure.queue_drive.unwrap_or_else(formula))
            }
            Resource::LogDrive => machine
                .log_drive_bytes
                .map(|size| pressure.log_drive.unwrap_or_else(|| by_size(size, self.assumptions.log_drive_keeps_free))),
            Resource::VersionBuckets => Some(pressure.version_buckets),
            Resource::PrivateBytes => {
                let formula = || Marks::below(high_of_private_bytes(machine.memory_bytes));
                Some(pressure.private_bytes.unwrap_or_else(formula))
            }
        }
    }
}
