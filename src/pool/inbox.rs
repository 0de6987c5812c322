//! Where closures are put that the policy has not been told of yet.
//!
//! A producer holds the inbox's lock for one push, never the pool's: so producers do not wait for the policy, nor it for
//! them. It is not a queue with an order of its own: whoever holds the pool's lock next tells the policy of the closures
//! in the order in which they came. Used with throttled calls only. Called by the pool.

use std::collections::VecDeque;

use crossbeam::utils::CachePadded;

use super::Job;
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering, Plant, planted};
use crate::ids::ClassId;
use crate::policy::dispatch::Ticket;

/// The inbox and its bell.
pub(super) struct Doorstep {
    inbox: CachePadded<Mutex<Inbox>>,
    /// Set while something lies in the inbox, and when the poller is called. Only a hint: whoever sees it takes a lock
    /// and looks.
    bell: CachePadded<AtomicBool>,
}

struct Inbox {
    waiting: Untold,
    /// Nobody is sure to look here on his own accord: whoever puts something in has to see to it.
    unwatched: bool,
    open: bool,
    next_seq: u64,
}

/// Closures that the policy does not know, in order of submission.
pub(super) struct Untold {
    pub(super) closures: VecDeque<(ClassId, Job)>,
    /// How many there are of each class.
    pub(super) of_class: Vec<usize>,
}

impl Untold {
    pub(super) fn none(classes: usize) -> Untold {
        Untold { closures: VecDeque::new(), of_class: vec![0; classes] }
    }

    #[inline]
    fn push(&mut self, class: ClassId, job: Job) {
        self.of_class[class.index()] += 1;
        self.closures.push_back((class, job));
    }

    /// What was popped last was not told after all.
    pub(super) fn put_back(&mut self, class: ClassId, job: Job) {
        self.of_class[class.index()] += 1;
        self.closures.push_front((class, job));
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<(ClassId, Job)> {
        let (class, job) = self.closures.pop_front()?;
        self.of_class[class.index()] -= 1;
        Some((class, job))
    }
}

/// The right to number one closure, see [`Doorstep::lock_empty`].
pub(super) struct Numbers<'a>(MutexGuard<'a, Inbox>);

impl Numbers<'_> {
    /// The policy took a closure in, or did not: tickets keep to its numbers.
    pub(super) fn advance(&mut self, taken: bool) {
        self.0.next_seq += u64::from(taken);
    }
}

impl Doorstep {
    pub(super) fn new(classes: usize) -> Doorstep {
        let inbox = Inbox { waiting: Untold::none(classes), unwatched: true, open: true, next_seq: 0 };
        Doorstep { inbox: CachePadded::new(Mutex::new(inbox)), bell: CachePadded::new(AtomicBool::new(false)) }
    }

    /// Step `Put`: leaves a closure. `true` beside its ticket: nobody watches, so the caller has to look after it. Given
    /// back once the inbox is closed.
    #[inline]
    pub(super) fn put(&self, class: ClassId, job: Job) -> Result<(Ticket, bool), Job> {
        let mut inbox = self.inbox.lock();
        if !inbox.open {
            return Err(job);
        }
        let ticket = Ticket::new(inbox.next_seq, class);
        inbox.next_seq += 1;
        if inbox.waiting.closures.is_empty() {
            self.ring();
        }
        inbox.waiting.push(class, job);
        Ok((ticket, std::mem::take(&mut inbox.unwatched)))
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
    pub(super) fn take(&self, empty: &mut Untold) {
        let mut inbox = self.inbox.lock();
        std::mem::swap(&mut inbox.waiting, empty);
        // Ordering: Relaxed; see `is_rung`.
        self.bell.store(false, Ordering::Relaxed);
    }

    /// Step `Publish`: from now on whoever puts something in has to look after it, or need not. Refused where something
    /// lies here already that nobody would look after.
    pub(super) fn publish(&self, unwatched: bool) -> bool {
        let mut inbox = self.inbox.lock();
        if unwatched && !inbox.waiting.closures.is_empty() && !planted(Plant::PublishesBlindly) {
            return false;
        }
        inbox.unwatched = unwatched;
        true
    }

    /// Keeps the inbox empty, if it is, as long as the answer lives: for a closure of which the policy is told directly.
    pub(super) fn lock_empty(&self) -> Option<Numbers<'_>> {
        let inbox = self.inbox.lock();
        inbox.waiting.closures.is_empty().then_some(Numbers(inbox))
    }

    /// Nothing more is taken in.
    pub(super) fn close(&self) {
        self.inbox.lock().open = planted(Plant::LeavesInboxOpen);
    }

    /// How many of each class lie here.
    pub(super) fn of_class(&self) -> Vec<usize> {
        self.inbox.lock().waiting.of_class.clone()
    }
}
