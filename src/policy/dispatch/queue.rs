//! The waiting items of one class in order of arrival, and the packets of the port.
//!
//! Not an order between classes (`dispatch`, `order`). An item that leaves from the middle leaves a gap behind, which is
//! dropped when it comes to the front or when gaps outnumber items; so an entry is 8 bytes more than its job, and a
//! packet is 8 bytes. Called by `dispatch`.

use std::collections::VecDeque;

use crate::ids::ClassId;

#[derive(Debug)]
struct Entry<J> {
    seq: u64,
    /// `None`: the item has left.
    job: Option<J>,
}

/// See the module's head. The front is never a gap.
#[derive(Debug)]
pub(super) struct Queue<J> {
    entries: VecDeque<Entry<J>>,
    gaps: usize,
}

impl<J> Default for Queue<J> {
    fn default() -> Queue<J> {
        Queue { entries: VecDeque::new(), gaps: 0 }
    }
}

impl<J> Queue<J> {
    /// Adds an item; `seq` is greater than all before.
    #[inline(always)]
    pub(super) fn push(&mut self, seq: u64, job: J) {
        self.entries.push_back(Entry { seq, job: Some(job) });
    }

    /// The oldest item.
    #[inline(always)]
    pub(super) fn front(&self) -> Option<&J> {
        self.entries.front()?.job.as_ref()
    }

    /// The number of the oldest item.
    #[inline(always)]
    pub(super) fn front_seq(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.seq)
    }

    /// Takes the oldest item.
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<(u64, J)> {
        let entry = self.entries.pop_front()?;
        if self.gaps > 0 {
            self.drop_gaps();
        }
        entry.job.map(|job| (entry.seq, job))
    }

    /// Whether the item `seq` waits here.
    pub(super) fn has(&self, seq: u64) -> bool {
        self.find(seq).is_some_and(|at| self.entries[at].job.is_some())
    }

    /// Takes the item `seq` from wherever it is.
    pub(super) fn take(&mut self, seq: u64) -> Option<J> {
        let at = self.find(seq)?;
        let job = self.entries[at].job.take()?;
        self.gaps += 1;
        self.drop_gaps();
        if self.gaps > 64 && self.gaps * 2 > self.entries.len() {
            self.entries.retain(|entry| entry.job.is_some());
            self.gaps = 0;
        }
        Some(job)
    }

    /// Every item, the oldest first.
    pub(super) fn items(&self) -> impl Iterator<Item = &J> {
        self.entries.iter().filter_map(|entry| entry.job.as_ref())
    }

    /// The number of every item, the oldest first.
    pub(super) fn seqs(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().filter(|entry| entry.job.is_some()).map(|entry| entry.seq)
    }

    /// Takes everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u64, J)> + '_ {
        self.gaps = 0;
        self.entries.drain(..).filter_map(|entry| entry.job.map(|job| (entry.seq, job)))
    }

    fn find(&self, seq: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok()
    }

    /// Restores what the front promises.
    fn drop_gaps(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.job.is_none()) {
            self.entries.pop_front();
            self.gaps -= 1;
        }
    }
}

/// A packet of the port: an item's number, or the sign of a thread request, above a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet(u64);

const THREAD_REQUEST: u64 = (1 << 48) - 1;

impl Packet {
    /// The packet of one request. Items are numbered up to 2^48 - 2: at ten million a second, for ten months.
    #[inline]
    pub(super) fn request(seq: u64, class: ClassId) -> Packet {
        debug_assert!(seq < THREAD_REQUEST);
        Packet(seq << 16 | u64::from(class.0))
    }

    /// A thread request of a work queue.
    #[inline]
    pub(super) fn thread_request(class: ClassId) -> Packet {
        Packet(THREAD_REQUEST << 16 | u64::from(class.0))
    }

    /// Its class.
    #[inline]
    pub(super) fn class(self) -> ClassId {
        ClassId(self.0 as u16)
    }

    /// The request's item; `None` for a thread request.
    #[inline]
    pub(super) fn item(self) -> Option<(u64, ClassId)> {
        let seq = self.0 >> 16;
        (seq != THREAD_REQUEST).then_some((seq, self.class()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClassRule, Decision, Dispatch, Event, Rules, Ticket};
    use super::*;

    #[test]
    fn items_leave_from_anywhere_and_the_front_is_never_a_gap() {
        // One in so many stays.
        for one_in in [10, 500] {
            let mut queue = Queue::default();
            for seq in 0..1_000 {
                queue.push(seq * 3, seq);
            }
            for seq in (0..1_000).filter(|seq| seq % one_in != 7) {
                assert_eq!(queue.take(seq * 3), Some(seq));
                assert_eq!(queue.take(seq * 3), None);
                assert!(!queue.has(seq * 3));
                assert!(queue.front().is_some(), "the front is an item");
            }
            assert_eq!(queue.take(1), None, "no such item");
            let stay = 1_000 / one_in as usize;
            assert!(queue.entries.len() <= stay + stay.max(64), "{} entries for {stay} items", queue.entries.len());
            let left: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|(_, job)| job).collect();
            assert_eq!(left, (0..1_000 / one_in).map(|at| at * one_in + 7).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn packets_of_clients_that_have_left_do_not_pile_up_in_the_port() {
        // One after another behind some that stay, and many that come first and leave later.
        for (stay, leave, at_a_time) in [(100, 10_000, 1), (10, 991, 991), (0, 500, 500), (0, 1_000, 3)] {
            let mut dispatch = Dispatch::new(&Rules { classes: vec![ClassRule::default()], ..Rules::default() });
            let mut out = Vec::new();
            let mut submit = |dispatch: &mut Dispatch<()>| {
                out.clear();
                dispatch.apply(Event::Submit { class: ClassId(0), job: () }, &mut out);
                let Decision::Queued { ticket } = out[0] else { panic!("{out:?}") };
                ticket
            };
            for _ in 0..stay {
                submit(&mut dispatch);
            }
            for _ in 0..leave / at_a_time {
                let tickets: Vec<Ticket> = (0..at_a_time).map(|_| submit(&mut dispatch)).collect();
                for ticket in tickets {
                    dispatch.apply(Event::GiveUp { ticket }, &mut Vec::new());
                }
            }
            assert_eq!((dispatch.waiting().count(), dispatch.counts().packets), (stay, stay));
            assert!(dispatch.port.len() <= stay + stay.max(64), "{} packets for {stay} items", dispatch.port.len());
        }
    }

    #[test]
    fn a_waiting_request_takes_little_memory() {
        assert_eq!(size_of::<Packet>(), 8);
        assert_eq!(size_of::<Entry<std::num::NonZeroU64>>(), 16);
    }
}
