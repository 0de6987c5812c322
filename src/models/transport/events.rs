//! The event log of the transport service as an administrator reads it.
//!
//! Published are the ids 15001 to 15005, that 15004 reports an increase of pressure, and the pattern of a resource's
//! line; the sentences are ours. Entries of the source `atqsim` are this emulator's own and have no id. Not a file
//! format. Made by the model, to be read by reports.

use std::fmt::Write;

use super::GroupId;
use super::pressure::{Level, Reading, Readings};
use super::spec::{Assumptions, Version};
use super::throttle::Throttle;
use crate::time::Nanos;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The level changed. The level is that of the worst resource.
    Pressure {
        /// From which.
        from: Level,
        /// To which.
        to: Level,
        /// What was read.
        readings: Readings,
    },
    /// For the first time, something of a group was refused, closed or cut by this.
    FirstHeld {
        /// Whose.
        group: GroupId,
        /// By what.
        by: Throttle,
    },
    /// Memory is short: messages are dehydrated from now on, or no longer.
    Dehydrates(bool),
}

/// How grave an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something failed.
    Error,
    /// Something may be wrong.
    Warning,
    /// Something went on.
    Information,
}

impl Kind {
    /// Its name in a log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Error => "Error",
            Kind::Warning => "Warning",
            Kind::Information => "Information",
        }
    }
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Nanos,
    /// The event id; `None` for entries of our own.
    pub id: Option<u32>,
    /// What.
    pub what: What,
}

impl Entry {
    pub(super) fn new(at: Nanos, what: What, version: Version, own: &Assumptions) -> Entry {
        let id = match what {
            // ATQ: 15004 (bb201658). Guess: that 15005 is the decrease, and what each of 15001 to 15003 says.
            What::Pressure { from, to, .. } => Some(match (version, to) {
                (Version::Sp1, _) if to > from => 15004,
                (Version::Sp1, _) => 15005,
                (Version::Rtm, Level::High) => own.rtm_events.high,
                (Version::Rtm, Level::Medium) => own.rtm_events.medium,
                (Version::Rtm, Level::Normal) => own.rtm_events.normal,
            }),
            What::FirstHeld { .. } | What::Dehydrates(_) => None,
        };
        Entry { at, id, what }
    }

    /// `MSExchangeTransport`, or `atqsim` for entries of our own.
    // Guess: the name is the service's; the source of these entries was not at hand.
    #[must_use]
    pub fn source(&self) -> &'static str {
        if self.id.is_some() { "MSExchangeTransport" } else { "atqsim" }
    }

    /// How grave it is.
    // Guess: the kinds of the published entries are not at hand.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.what {
            What::Pressure { from, to, .. } if to < from => Kind::Information,
            What::Pressure { to: Level::High, .. } => Kind::Error,
            What::Pressure { .. } => Kind::Warning,
            What::FirstHeld { .. } | What::Dehydrates(_) => Kind::Information,
        }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        match self.what {
            What::Pressure { from, to, readings } => pressure_text(from, to, &readings),
            What::FirstHeld { group, by } => {
                let option = by.option().map_or(String::new(), |option| format!(" ({option})"));
                format!(
                    "For the first time, something of group {} was refused or closed: {}{option}.",
                    group.0,
                    by.name()
                )
            }
            What::Dehydrates(true) => "Physical memory is short. Messages are dehydrated.".to_string(),
            What::Dehydrates(false) => "Physical memory is no longer short. Messages are not dehydrated.".to_string(),
        }
    }
}

fn pressure_text(from: Level, to: Level, readings: &Readings) -> String {
    let way = if to > from { "increased" } else { "decreased" };
    let mut text = format!("Resource pressure {way} from {} to {}.", from.name(), to.name());
    let mut list = |head: &str, belongs: fn(Level) -> bool| {
        let those = readings.iter().flatten().filter(|reading| belongs(reading.level));
        for (n, reading) in those.enumerate() {
            let head = if n == 0 { format!("\n{head}:") } else { String::new() };
            let _ = write!(text, "{head}\n{}", line(reading));
        }
    };
    list("Resources under pressure", |level| level > Level::Normal);
    list("Resources in normal state", |level| level == Level::Normal);
    text
}

/// ATQ: the pattern of `Version buckets = 213 [High] [Normal=80 Medium=120 High=200]` (event 15004).
// Guess: percent are written with their sign.
#[must_use]
pub fn line(reading: &Reading) -> String {
    let (unit, marks) = (reading.resource.unit(), reading.marks);
    format!(
        "{} = {}{unit} [{}] [Normal={}{unit} Medium={}{unit} High={}{unit}]",
        reading.resource.name(),
        reading.value,
        reading.level.name(),
        marks.normal,
        marks.medium,
        marks.high
    )
}
