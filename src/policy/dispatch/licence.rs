//! Grants that a busy thread holds beside its own, so that it may go on to items of several classes without asking.
//!
//! Not a rule of its own: a grant that is held back counts against its class's cap like one that is used, so that no cap
//! is passed; and it is there only while nothing waits, so that it takes nobody's turn. What the thread then begins is
//! told afterwards. Called by whoever has submissions that he has not told yet; as for `exchange`, without a log.

use super::{Dispatch, Kind, Thread};
use crate::ids::{ClassId, ThreadId};

impl<J> Dispatch<J> {
    /// Holds back a grant of `class` for a thread that is busy with another. `false`: the class is at its cap. A class of
    /// requests has no grants, and none is needed.
    ///
    /// # Panics
    /// If items wait, one of which might need it.
    #[must_use]
    pub fn reserve(&mut self, class: ClassId) -> bool {
        assert_eq!(self.waiting, 0, "an item that waits may need the grant");
        let state = &mut self.classes[class.index()];
        let Kind::WorkQueue { cap, .. } = state.kind else { return true };
        let free = state.counts.requested + state.counts.granted < cap;
        state.counts.granted += u32::from(free);
        free
    }

    /// Gives back what [`Dispatch::reserve`] has held.
    ///
    /// # Panics
    /// If items wait: they would have been kept from it.
    pub fn release(&mut self, class: ClassId) {
        assert_eq!(self.waiting, 0, "an item was kept from the grant");
        let state = &mut self.classes[class.index()];
        if matches!(state.kind, Kind::WorkQueue { .. }) {
            state.counts.granted -= 1;
        }
    }

    /// These threads have finished what they were given, and others, and each is now busy with an item of this class, whose
    /// grant was held back. The grants of the classes that they leave are now the ones held back.
    ///
    /// # Panics
    /// If one of them is not busy.
    pub fn turn(&mut self, threads: &[(ThreadId, ClassId)]) {
        // All leave before anybody comes: two may have changed places.
        for (thread, class) in threads {
            let Thread::Busy { class: old, .. } = &mut self.threads[thread.index()] else {
                panic!("{thread:?} turns to another class but is not busy");
            };
            self.classes[old.index()].counts.busy_threads -= 1;
            *old = *class;
        }
        for (_, class) in threads {
            let state = &mut self.classes[class.index()];
            state.counts.busy_threads += 1;
            self.laws.above_cap += u64::from(state.counts.busy_threads > state.highest_cap);
        }
    }

    /// The next item gets this number: those between were begun without this policy being told.
    ///
    /// # Panics
    /// If the number was given already.
    #[inline]
    pub fn number_next(&mut self, seq: u64) {
        assert!(seq >= self.next_seq, "a number is given once");
        self.next_seq = seq;
    }

    /// The number that the next item gets.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next_seq
    }
}
