//! The Pickup and Replay directories: files lie there until a scan takes them.
//!
//! Part of the server's machine. Each directory is scanned every 5 seconds and gives a twelfth of its minute's
//! messages. A file is *delayed* if a scan found it and left it; the time to the first scan is no delay.
//! ATQ: `PickupDirectoryMaxMessagesPerMinute` (message throttling page); that both stop at High: bb201658.

use std::collections::VecDeque;

use super::pressure::Level;
use super::spec::Fraction;
use super::submission::Outside;
use super::throttle::Throttle;
use super::{Effect, GroupId, Mail, MessageId, Transport};
use crate::time::Nanos;

/// Time between two scans. ATQ: the message throttling page.
pub const SCAN_EVERY: Nanos = Nanos::from_secs(5);
/// Scans a minute.
pub const SCANS_PER_MINUTE: u32 = 12;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Directory {
    /// For messages that programs write.
    Pickup,
    /// For messages that were exported from a queue, or come from gateways.
    Replay,
}

impl Directory {
    /// Both, in the order in which they are scanned.
    // Guess: the order.
    pub const ALL: [Directory; 2] = [Directory::Pickup, Directory::Replay];

    fn throttle(self) -> Throttle {
        match self {
            Directory::Pickup => Throttle::Pickup,
            Directory::Replay => Throttle::Replay,
        }
    }
}

/// How many files one scan may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    per_minute: u32,
    fraction: Fraction,
    /// Twelfths that were left over; below 12.
    rest: u32,
}

impl Allowance {
    /// Of so many messages a minute.
    #[must_use]
    pub fn new(per_minute: u32, fraction: Fraction) -> Allowance {
        Allowance { per_minute, fraction, rest: 0 }
    }

    /// The next scan's. What a scan does not use is lost; only the fraction is carried.
    pub fn next_scan(&mut self) -> u32 {
        let twelfths = self.per_minute.saturating_add(self.rest);
        match self.fraction {
            Fraction::Carried => {
                self.rest = twelfths % SCANS_PER_MINUTE;
                twelfths / SCANS_PER_MINUTE
            }
            Fraction::Lost => self.per_minute / SCANS_PER_MINUTE,
            Fraction::Whole => self.per_minute.div_ceil(SCANS_PER_MINUTE),
        }
    }
}

#[derive(Debug)]
pub(super) struct Files {
    pub(super) waiting: VecDeque<Outside>,
    /// So many of them, the last ones, no scan has found yet.
    unseen: usize,
    allowance: Allowance,
}

impl Files {
    pub(super) fn new(allowance: Allowance) -> Files {
        Files { waiting: VecDeque::new(), unseen: 0, allowance }
    }
}

impl Transport {
    pub(super) fn file_comes(
        &mut self,
        directory: Directory,
        message: MessageId,
        group: GroupId,
        mail: Mail,
        effects: &mut Vec<Effect>,
    ) {
        self.memory.group(group).messages.came += 1;
        let files = &mut self.directories[directory as usize];
        if files.waiting.len() >= self.spec.assumptions.most_held {
            self.refuses_message(group, message, Throttle::ModelBound, effects);
            return;
        }
        files.waiting.push_back(Outside { message, group, mail, came: self.now, delayed: None });
        files.unseen += 1;
    }

    /// Both directories are scanned.
    pub(super) fn scan(&mut self, effects: &mut Vec<Effect>) {
        for directory in Directory::ALL {
            let by = self.scan_one(directory, effects).unwrap_or(directory.throttle());
            let files = &mut self.directories[directory as usize];
            let found_first = files.unseen.min(files.waiting.len());
            let from = files.waiting.len() - found_first;
            for file in files.waiting.range_mut(from..) {
                file.delayed = Some((self.now, by));
            }
            files.unseen = 0;
        }
    }

    /// Takes what may be taken; what other than the rate stopped it.
    fn scan_one(&mut self, directory: Directory, effects: &mut Vec<Effect>) -> Option<Throttle> {
        let level = self.level();
        let allowed = self.directories[directory as usize].allowance.next_scan();
        if level >= self.spec.assumptions.pickup_stops_at {
            return Some(if level == Level::High { Throttle::HighPressure } else { Throttle::MediumPressure });
        }
        for _ in 0..allowed {
            let first = self.directories[directory as usize].waiting.front()?;
            if let Err(by) = self.has_room(first.mail.bytes) {
                return Some(by);
            }
            let first = self.directories[directory as usize].waiting.pop_front()?;
            self.memory.delay_ends(self.now, first.group, first.delayed);
            self.queues(first.message, first.group, first.mail, first.came, effects);
        }
        None
    }
}
