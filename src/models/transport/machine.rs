//! What the server's machine has left, and the look at it every two seconds.
//!
//! Part of the server's machine: the account of drives, memory and version buckets, which of it others use, and the
//! monitor that makes levels of it. Where the marks are is `pressure`. What fills version buckets is published nowhere,
//! so how many are in use is told.
//! ATQ: bb201658 (Exchange 2007): the resources are looked at every 2 seconds.

use super::events::{Entry, What};
use super::pressure::{Level, Reading, Readings, Resource, percent_of};
use super::spec::{Freed, TransportSpec};
use super::throttle::Throttle;
use super::{Effect, Mail, Transport, next_after};
use crate::time::Nanos;

/// What others use of a resource, or what the model cannot work out itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Bytes of the drive with the queue database that are not the queue database's.
    QueueDrive(u64),
    /// Bytes in use on the drive with its logs.
    LogDrive(u64),
    /// Version buckets in use.
    VersionBuckets(u32),
    /// Bytes of `EdgeTransport.exe` beside those that the model counts.
    PrivateBytes(u64),
    /// Bytes of memory of all other processes.
    OtherProcesses(u64),
}

/// The queue database.
#[derive(Debug)]
pub(super) struct Database {
    freed: Freed,
    /// Bytes of the messages in it.
    content: u64,
    /// Its size.
    file: u64,
}

impl Database {
    pub(super) fn new(freed: Freed) -> Database {
        Database { freed, content: 0, file: 0 }
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.content = self.content.saturating_add(bytes);
        self.file = self.file.max(self.content);
    }

    pub(super) fn remove(&mut self, bytes: u64) {
        self.content -= bytes;
        if self.freed == Freed::ToTheDrive {
            self.file = self.content;
        }
    }
}

/// See [`Usage`].
#[derive(Debug, Default)]
pub(super) struct Others {
    queue_drive: u64,
    log_drive: u64,
    version_buckets: u32,
    private_bytes: u64,
    other_processes: u64,
}

#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) next_poll: Nanos,
    pub(super) level: Level,
    /// Since when.
    since: Nanos,
    levels: [Level; Resource::ALL.len()],
    /// Since when messages are dehydrated.
    dehydrates_since: Option<Nanos>,
}

impl Monitor {
    pub(super) fn new(spec: &TransportSpec) -> Monitor {
        let pressure = &spec.back_pressure;
        Monitor {
            next_poll: if pressure.enabled { pressure.resource_monitoring_interval } else { Nanos::MAX },
            level: Level::Normal,
            since: Nanos::ZERO,
            levels: [Level::Normal; Resource::ALL.len()],
            dehydrates_since: None,
        }
    }
}

impl TransportSpec {
    /// Bytes of the queue database that a message takes.
    #[must_use]
    pub fn database_bytes(&self, mail: Mail) -> u64 {
        mail.bytes.saturating_add(self.assumptions.database_bytes_per_message)
    }
}

impl Transport {
    pub(super) fn uses(&mut self, usage: Usage) {
        match usage {
            Usage::QueueDrive(bytes) => self.others.queue_drive = bytes,
            Usage::LogDrive(bytes) => self.others.log_drive = bytes,
            Usage::VersionBuckets(count) => self.others.version_buckets = count,
            Usage::PrivateBytes(bytes) => self.others.private_bytes = bytes,
            Usage::OtherProcesses(bytes) => self.others.other_processes = bytes,
        }
    }

    /// Whether a message of so many bytes fits, and if not, why.
    pub(super) fn has_room(&self, bytes: u64) -> Result<(), Throttle> {
        if self.queued.len() >= self.spec.assumptions.most_held {
            return Err(Throttle::ModelBound);
        }
        // Room that messages left behind in the file is used again.
        let taken = self.others.queue_drive.saturating_add(self.database.content);
        let wanted = taken.saturating_add(bytes).saturating_add(self.spec.assumptions.database_bytes_per_message);
        if wanted > self.spec.machine.queue_drive_bytes { Err(Throttle::DriveFull) } else { Ok(()) }
    }

    pub(super) fn queue_drive_percent(&self) -> u32 {
        let used = self.others.queue_drive.saturating_add(self.database.file);
        percent_of(used, self.spec.machine.queue_drive_bytes).min(100)
    }

    fn private_bytes(&self, is_dehydrated: bool) -> u64 {
        let own = &self.spec.assumptions;
        let messages = if is_dehydrated { 0 } else { self.queued.len() as u64 };
        own.base_private_bytes
            .saturating_add(own.private_bytes_per_connection.saturating_mul(u64::from(self.connections.open())))
            .saturating_add(own.private_bytes_per_message.saturating_mul(messages))
            .saturating_add(self.others.private_bytes)
    }

    /// The value of a watched resource.
    fn value(&self, resource: Resource) -> u32 {
        let machine = &self.spec.machine;
        match resource {
            Resource::QueueDrive => self.queue_drive_percent(),
            Resource::LogDrive => percent_of(self.others.log_drive, machine.log_drive_bytes.unwrap_or(0)).min(100),
            Resource::VersionBuckets => self.others.version_buckets,
            Resource::PrivateBytes => {
                let bytes = self.private_bytes(self.monitor.dehydrates_since.is_some());
                percent_of(bytes, machine.memory_bytes).min(100)
            }
        }
    }

    /// Looks at all resources.
    pub(super) fn poll(&mut self, effects: &mut Vec<Effect>) {
        let every = self.spec.back_pressure.resource_monitoring_interval;
        self.monitor.next_poll = next_after(self.now, self.monitor.next_poll, every);
        self.dehydrate(effects);
        let mut readings: Readings = [None; Resource::ALL.len()];
        for (at, resource) in Resource::ALL.into_iter().enumerate() {
            let Some(marks) = self.spec.marks(resource) else { continue };
            let value = self.value(resource);
            let level = marks.level(value, self.monitor.levels[at], &self.spec.assumptions);
            self.monitor.levels[at] = level;
            readings[at] = Some(Reading { resource, value, level, marks });
        }
        let from = self.monitor.level;
        let to = self.monitor.levels.into_iter().max().unwrap_or_default();
        if from != to {
            self.memory.time_at[from as usize] += self.now.since(self.monitor.since);
            self.memory.times_reached[to as usize] += 1;
            (self.monitor.level, self.monitor.since) = (to, self.now);
            self.writes(What::Pressure { from, to, readings });
            effects.push(Effect::LevelChanged { from, to });
        }
    }

    /// ATQ: bb201658: from 94 % of memory on, messages are dehydrated.
    // Guess: that this frees what their content takes, and that it ends when they would fit again.
    fn dehydrate(&mut self, effects: &mut Vec<Effect>) {
        let all = self.private_bytes(false).saturating_add(self.others.other_processes);
        let percent = percent_of(all, self.spec.machine.memory_bytes).min(100);
        let is_short = percent >= self.spec.back_pressure.dehydration_percent;
        if is_short == self.monitor.dehydrates_since.is_some() {
            return;
        }
        if let Some(since) = self.monitor.dehydrates_since.take() {
            self.memory.dehydrated += self.now.since(since);
        }
        self.monitor.dehydrates_since = is_short.then_some(self.now);
        self.writes(What::Dehydrates(is_short));
        effects.push(Effect::Dehydrates(is_short));
    }

    fn writes(&mut self, what: What) {
        let entry = Entry::new(self.now, what, self.spec.version, &self.spec.assumptions);
        self.memory.write(entry);
    }

    /// The time of the last level and of the last dehydration is counted.
    pub(super) fn close_monitor(&mut self) {
        self.memory.time_at[self.monitor.level as usize] += self.now.since(self.monitor.since);
        if let Some(since) = self.monitor.dehydrates_since {
            self.memory.dehydrated += self.now.since(since);
        }
    }
}
