//! Plays the engine: loads of equal gaps, calls that take a stated time.

use std::collections::BTreeMap;
use std::sync::Arc;

use atqsim::models::store::spec::{Assumptions, Registered, StoreSpec, ThreadCounts, Version};
use atqsim::models::store::{ClientId, Direction, Effect, MessageId, Stimulus, Store, StoreSummary, Work};
use atqsim::time::Nanos;

/// One kind of load: the first at once, then one each `every`, so many; each takes `takes` of its thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) what: What,
    pub(crate) every: Nanos,
    pub(crate) count: u64,
    pub(crate) takes: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Clients,
    Inbound,
    Outbound,
}

pub(crate) fn secs(s: u64) -> Nanos {
    Nanos::from_secs(s)
}

pub(crate) fn stream(what: What, every: u64, count: u64, takes: u64) -> Stream {
    Stream { what, every: secs(every), count, takes: secs(takes) }
}

/// A 5.0 server with so many threads and the given assumptions.
pub(crate) fn spec(max_threads: u32, assumptions: Assumptions) -> Arc<StoreSpec> {
    let registered = Registered { max_threads: Some(max_threads), ..Registered::default() };
    let threads = ThreadCounts::of(Version::V50, &registered);
    Arc::new(StoreSpec { version: Version::V50, threads, assumptions })
}

/// What takes no time unless a test says so.
pub(crate) fn prompt() -> Assumptions {
    Assumptions { start_takes: Nanos::ZERO, ..Assumptions::default() }
}

/// What happens in one moment, in the order in which it is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Ends,
    Time,
    Comes,
}

/// Runs until `end`; the effects with their times, and what was remembered.
pub(crate) fn run(spec: &Arc<StoreSpec>, streams: &[Stream], end: Nanos) -> (Vec<(Nanos, Effect)>, StoreSummary) {
    let mut store = Store::new(Arc::clone(spec));
    let mut calendar: BTreeMap<(Nanos, Rank, u64), Stimulus> = BTreeMap::new();
    let mut sequence = 0;
    for stream in streams {
        for n in 0..stream.count {
            let what = match stream.what {
                What::Clients => Stimulus::Client(ClientId(n)),
                What::Inbound => Stimulus::Message(Direction::Inbound, MessageId(n)),
                What::Outbound => Stimulus::Message(Direction::Outbound, MessageId(n)),
            };
            sequence += 1;
            calendar.insert((stream.every * n, Rank::Comes, sequence), what);
        }
    }
    let takes = |what: What| streams.iter().find(|s| s.what == what).map_or(Nanos::SECOND, |s| s.takes);
    let (mut effects, mut told) = (Vec::new(), Vec::new());
    store.begin(&mut effects);
    let mut now = Nanos::ZERO;
    loop {
        for effect in effects.drain(..) {
            if let Effect::Begins { call, work } = effect {
                let takes = match work {
                    Work::Client(_) => takes(What::Clients),
                    Work::Message(Direction::Inbound, _) => takes(What::Inbound),
                    Work::Message(Direction::Outbound, _) => takes(What::Outbound),
                    Work::Refresh => Nanos::SECOND,
                    Work::Gateway => panic!("the model ends these"),
                };
                sequence += 1;
                calendar.insert((now + takes, Rank::Ends, sequence), Stimulus::Ends(call));
            }
            told.push((now, effect));
        }
        assert!(store.load().in_use <= spec.threads.max, "more threads than there are");
        let deadline = store.next_deadline();
        let due = calendar.first_key_value().map(|((at, rank, _), _)| (*at, *rank));
        let stimulus = match due {
            Some(due) if due < (deadline, Rank::Time) => calendar.pop_first().map(|((at, ..), what)| (at, what)),
            _ => Some((deadline, Stimulus::Time)),
        };
        let (at, what) = stimulus.expect("a calendar that has a first");
        if at > end || at == Nanos::MAX {
            return (told, store.close_books(end));
        }
        now = at;
        store.tell(now, what, &mut effects);
        assert!(what != Stimulus::Time || store.next_deadline() > now, "the time does not go on");
    }
}

/// The published events of a run: seconds and id.
pub(crate) fn published(summary: &StoreSummary) -> Vec<(u64, u32)> {
    let entry = |entry: &atqsim::models::store::Entry| entry.id().map(|id| (entry.at.0 / 1_000_000_000, id));
    summary.events.iter().filter_map(entry).collect()
}
