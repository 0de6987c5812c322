//! An item of work: a step of a journey, packed for those who keep millions of them, and in the clear.
//!
//! Not what is asked in a step (`journey`) and not what becomes of it (`Workload`). Called by `workload`; engines carry
//! [`PackedItem`]s about and show [`Item`]s to observers.

use std::num::NonZeroU64;

use crate::ids::{ClassId, SourceId, StageId};
use crate::time::Nanos;

/// One item in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its class.
    pub class: ClassId,
    /// What is asked.
    pub stage: StageId,
    /// The source of its journey.
    pub source: SourceId,
    /// When it should start: its wait counts from here.
    pub due: Nanos,
    /// When its journey began.
    pub began: Nanos,
    /// The journey's number within its source.
    pub number: u64,
    /// How many steps the journey has had before this one.
    pub step: u32,
}

/// One item in 32 bytes, also inside an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedItem {
    /// When it should start: its wait counts from here.
    pub due: Nanos,
    /// When its journey began; or, for the row of a log, the service time that the log gives.
    began_or_given: Nanos,
    /// The source, plus 1, above the journey's number within it.
    origin: NonZeroU64,
    /// How many steps the journey has had before this one.
    pub step: u32,
    /// What is asked.
    pub stage: StageId,
    /// How many messages the session's mailbox holds; or the sign of a given service time.
    messages: u16,
}

const NUMBER_BITS: u32 = 48;
const GIVEN: u16 = u16::MAX;

impl PackedItem {
    /// The first step of a journey. `number` is below 2^48: at ten million a second, ten months of them.
    #[must_use]
    #[inline]
    pub fn first(source: SourceId, number: u64, stage: StageId, due: Nanos, messages: u16) -> PackedItem {
        debug_assert!(number >> NUMBER_BITS == 0 && messages != GIVEN && source.0 != u16::MAX);
        let origin = (u64::from(source.0) + 1) << NUMBER_BITS | number;
        let origin = NonZeroU64::new(origin).expect("1 was added");
        PackedItem { due, began_or_given: due, origin, step: 0, stage, messages }
    }

    /// The only step of a journey, whose service time is given.
    #[must_use]
    pub fn with_given_time(source: SourceId, number: u64, stage: StageId, due: Nanos, given: Nanos) -> PackedItem {
        PackedItem { began_or_given: given, messages: GIVEN, ..PackedItem::first(source, number, stage, due, 0) }
    }

    /// The next step of the journey.
    #[must_use]
    #[inline]
    pub fn follower(&self, stage: StageId, due: Nanos) -> PackedItem {
        let messages = if self.messages == GIVEN { 0 } else { self.messages };
        PackedItem { due, began_or_given: self.began(), step: self.step + 1, stage, messages, ..*self }
    }

    /// The source of its journey.
    #[must_use]
    #[inline]
    pub fn source(&self) -> SourceId {
        SourceId(((self.origin.get() >> NUMBER_BITS) - 1) as u16)
    }

    /// The journey's number within its source.
    #[must_use]
    #[inline]
    pub fn number(&self) -> u64 {
        self.origin.get() & ((1 << NUMBER_BITS) - 1)
    }

    /// When its journey began.
    #[must_use]
    #[inline]
    pub fn began(&self) -> Nanos {
        if self.messages == GIVEN { self.due } else { self.began_or_given }
    }

    /// Service time that a log has given: the stage's phases are stretched to it.
    #[must_use]
    #[inline]
    pub fn given(&self) -> Option<Nanos> {
        (self.messages == GIVEN).then_some(self.began_or_given)
    }

    /// How many messages the session's mailbox holds.
    #[must_use]
    #[inline]
    pub fn messages(&self) -> u16 {
        if self.messages == GIVEN { 0 } else { self.messages }
    }

    /// The item in the clear; `class` is its stage's.
    #[must_use]
    pub fn item(&self, class: ClassId) -> Item {
        Item {
            class,
            stage: self.stage,
            source: self.source(),
            due: self.due,
            began: self.began(),
            number: self.number(),
            step: self.step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        assert_eq!(size_of::<PackedItem>(), 32);
        assert_eq!(size_of::<Option<PackedItem>>(), 32);
        let most = (1 << NUMBER_BITS) - 1;
        for (source, number) in [(0, 0), (0, most), (65_534, 0), (65_534, most), (7, 123_456_789)] {
            let first = PackedItem::first(SourceId(source), number, StageId(3), Nanos(50), 9_999);
            let next = first.follower(StageId(4), Nanos(70));
            assert_eq!((next.source(), next.number(), next.step), (SourceId(source), number, 1));
            assert_eq!((next.began(), next.due, next.messages(), next.given()), (Nanos(50), Nanos(70), 9_999, None));
            let row = PackedItem::with_given_time(SourceId(source), number, StageId(3), Nanos(50), Nanos(8));
            assert_eq!(
                (row.source(), row.number(), row.began(), row.given()),
                (SourceId(source), number, Nanos(50), Some(Nanos(8)))
            );
            let after = row.follower(StageId(1), Nanos(90));
            assert_eq!((after.began(), after.given(), after.messages()), (Nanos(50), None, 0));
        }
    }
}
