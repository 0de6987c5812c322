//! Where closures are put that the policy has not been told of yet.
//!
//! A producer holds the inbox's lock for one push, and waits for the pool's only where nobody else would look after what he
//! brings: so producers do not wait for the policy, nor it for them. It is not a queue with an order of its own: whoever holds the pool's lock next tells the policy of the closures
//! in the order in which they came. Used with throttled calls only. Called by the pool.

use crossbeam::utils::CachePadded;

use super::belt::Line;
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering, Plant, planted};
use super::task::Task;
use crate::ids::ClassId;
use crate::policy::dispatch::Ticket;

/// The inbox and its bell.
pub(super) struct Doorstep {
    inbox: CachePadded<Mutex<Inbox>>,
    /// Set while something lies in the inbox, and when the poller is called. Only a hint: whoever sees it takes a lock
    /// and looks.
    bell: CachePadded<AtomicBool>,
    /// The inbox's mark, as it was when it last changed. A hint too: it is why a producer takes the core's lock first, and
    /// under that he looks.
    seems_unwatched: CachePadded<AtomicBool>,
}

struct Inbox {
    waiting: Line,
    /// Nobody is sure to look here on his own accord: whoever puts something in has to see to it.
    unwatched: bool,
    open: bool,
    next_seq: u64,
}

/// The right to number one closure, see [`Doorstep::lock_empty`].
pub(super) struct Numbers<'a>(MutexGuard<'a, Inbox>);

impl Numbers<'_> {
    /// The number that the closure has if it is taken in.
    pub(super) fn next(&self) -> u64 {
        self.0.next_seq
    }

    /// The policy took a closure in, or did not: tickets keep to its numbers.
    pub(super) fn advance(&mut self, taken: bool) {
        self.0.next_seq += u64::from(taken);
    }
}

impl Doorstep {
    pub(super) fn new() -> Doorstep {
        let inbox = Inbox { waiting: Line::new(), unwatched: true, open: true, next_seq: 0 };
        Doorstep {
            inbox: CachePadded::new(Mutex::new(inbox)),
            bell: CachePadded::new(AtomicBool::new(false)),
            seems_unwatched: CachePadded::new(AtomicBool::new(true)),
        }
    }

    /// Step `Put`: leaves a closure. `true` beside its ticket: nobody watches, so the caller has to look after it. Given
    /// back once the inbox is closed.
    #[inline]
    pub(super) fn put(&self, class: ClassId, job: Task) -> Result<(Ticket, bool), Task> {
        let mut inbox = self.inbox.lock();
        if !inbox.open {
            return Err(job);
        }
        let ticket = Ticket::new(inbox.next_seq, class);
        inbox.next_seq += 1;
        if inbox.waiting.is_empty() {
            self.ring();
        }
        inbox.waiting.push_back((ticket, job));
        let unwatched = inbox.unwatched;
        if unwatched {
            self.mark(&mut inbox, false);
        }
        Ok((ticket, unwatched))
    }

    /// Whether nobody watches, it seems.
    #[inline]
    pub(super) fn seems_unwatched(&self) -> bool {
        // Ordering: Relaxed; a hint, the mark itself is read under a lock.
        self.seems_unwatched.load(Ordering::Relaxed)
    }

    /// Step `Number`, of a producer who has the core's lock: where nobody watches, his closure need not lie here before the
    /// policy is told of it. Nothing else lies here then, nor on the belt.
    pub(super) fn number(&self, class: ClassId) -> Option<Ticket> {
        let mut inbox = self.inbox.lock();
        if !inbox.open || !inbox.unwatched {
            return None;
        }
        let ticket = Ticket::new(inbox.next_seq, class);
        inbox.next_seq += 1;
        Some(ticket)
    }

    fn mark(&self, inbox: &mut Inbox, unwatched: bool) {
        inbox.unwatched = unwatched;
        // Ordering: Relaxed; see `seems_unwatched`.
        self.seems_unwatched.store(unwatched, Ordering::Relaxed);
    }

    /// Whether the bell is set.
    #[inline]
    pub(super) fn is_rung(&self) -> bool {
        // Ordering: Relaxed; a hint, what it announces is read under a lock.
        self.bell.load(Ordering::Relaxed)
    }

    /// Sets the bell.
    pub(super) fn ring(&self) {
        // Ordering: Relaxed; see `is_rung`.
        self.bell.store(true, Ordering::Relaxed);
    }

    /// The bell itself, for the poller.
    pub(super) fn bell(&self) -> &AtomicBool {
        &self.bell
    }

    /// Takes everything out, into `empty`. The bell is silent then.
    pub(super) fn swap(&self, empty: &mut Line) {
        let mut inbox = self.inbox.lock();
        std::mem::swap(&mut inbox.waiting, empty);
        // Ordering: Relaxed; see `is_rung`.
        self.bell.store(false, Ordering::Relaxed);
    }

    /// Takes everything out, to the end of `line`. The bell stays as it is: who hears it looks in vain.
    pub(super) fn move_to(&self, line: &mut Line) {
        line.append(&mut self.inbox.lock().waiting);
    }

    /// Step `Publish`: from now on whoever puts something in has to look after it, or need not. Refused where something
    /// lies here already that nobody would look after.
    pub(super) fn publish(&self, unwatched: bool) -> bool {
        let mut inbox = self.inbox.lock();
        if unwatched && !inbox.waiting.is_empty() && !planted(Plant::PublishesBlindly) {
            return false;
        }
        self.mark(&mut inbox, unwatched);
        true
    }

    /// Keeps the inbox empty, if it is, as long as the answer lives: for a closure of which the policy is told directly.
    pub(super) fn lock_empty(&self) -> Option<Numbers<'_>> {
        let inbox = self.inbox.lock();
        inbox.waiting.is_empty().then_some(Numbers(inbox))
    }

    /// Nothing more is taken in.
    pub(super) fn close(&self) {
        self.inbox.lock().open = planted(Plant::LeavesInboxOpen);
    }
}
