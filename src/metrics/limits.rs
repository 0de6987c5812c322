//! The figures of the limits beside the pool: what their models remember, and how long their calls waited.
//!
//! Not the models and not a format. Made by `engine::limits`, told by `report`.

mod transport;

pub use transport::{SenderFigures, TransportFigures, Wanted};

use super::latency::{Latency, LatencySummary};
use crate::models::domain_table::spec::DomainTableSpec;
use crate::models::domain_table::{DomainTableSummary, What as OfTable};
use crate::models::store::{Ending, StoreSummary, What as OfService};
use crate::models::write_buffers::{Totals, Transfer};
use crate::time::Nanos;

/// What became of the limits of one run; each where the plan has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitFigures {
    /// The store's threads.
    pub store: Option<StoreFigures>,
    /// The domain table.
    pub domains: Option<DomainFigures>,
    /// The writes of the front-end, by protocol as in the plan.
    pub write_buffers: Option<Vec<WriteFigures>>,
    /// The transport server.
    pub transport: Option<TransportFigures>,
}

impl LimitFigures {
    /// The figures by the names that thresholds have for them, times in seconds with `_s` behind their names.
    #[must_use]
    pub fn listed(&self) -> Vec<(String, f64)> {
        let mut all: Vec<(&str, u64)> = Vec::new();
        if let Some(StoreFigures { summary, .. }) = &self.store {
            all.extend([
                ("store.shutdowns", summary.shutdowns),
                ("store.in_bad", summary.in_bad),
                ("store.in_archive", summary.in_archive),
                ("store.outbound_max", summary.most_outbound),
                ("store.clients_gave_up", summary.clients.gave_up),
            ]);
        }
        if let Some(DomainFigures { summary }) = &self.domains {
            all.extend([
                ("domains.times_gone", summary.times_gone),
                ("domains.entries_max", summary.most_entries),
                ("domains.dead_max", summary.most_dead),
                ("domains.refused", summary.refused()),
            ]);
        }
        let writes = self.write_buffers.iter().flatten();
        let sum = |of: fn(&Totals) -> u64| writes.clone().map(|own| of(&own.totals)).sum::<u64>();
        if self.write_buffers.is_some() {
            all.extend([
                ("write_buffers.responses", sum(|totals| totals.responses)),
                ("write_buffers.writes", sum(|totals| totals.writes)),
                ("write_buffers.packets", sum(Totals::packets)),
            ]);
        }
        let mut times = Vec::new();
        times.extend(self.store.iter().map(|store| ("store.away_s", store.summary.away.as_secs_f64())));
        if self.write_buffers.is_some() {
            let mut together = Totals::default();
            writes.for_each(|own| together.merge(&own.totals));
            let mean = |time: Nanos| time.as_secs_f64() / together.responses.max(1) as f64;
            times.push(("write_buffers.response_mean_s", mean(together.response)));
            times.push(("write_buffers.held_mean_s", mean(together.held)));
        }
        let counts = all.into_iter().map(|(name, count)| (name, count as f64));
        let transport = self.transport.iter().flat_map(|transport| transport.listed());
        counts.chain(times).chain(transport).map(|(name, value)| (name.to_string(), value)).collect()
    }

    /// Laws of counting that were broken, each an error of the program.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(StoreFigures { summary, .. }) = &self.store {
            let all = [("clients", summary.clients), ("inbound", summary.inbound), ("outbound", summary.outbound)];
            found.extend(
                all.iter()
                    .filter(|(_, ledger)| !ledger.is_balanced())
                    .map(|(who, ledger)| format!("store: what came of {who} is not what became of them: {ledger:?}")),
            );
        }
        if self.domains.as_ref().is_some_and(|domains| !domains.summary.is_balanced()) {
            found.push("domains: messages or entries of the domain table are not all accounted for".to_string());
        }
        found.extend(self.transport.iter().flat_map(TransportFigures::violations));
        found
    }
}

/// Times of the calls of one kind that began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallTimes {
    /// From coming to the thread: of a message from when it was put on its queue.
    pub wait: Latency,
    /// With the thread, of calls that ended.
    pub service: Latency,
}

impl CallTimes {
    /// The figures of the waits.
    #[must_use]
    pub fn waits(&self) -> LatencySummary {
        self.wait.summary()
    }
}

/// The store's threads.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreFigures {
    /// What the model remembers.
    pub summary: StoreSummary,
    /// By [`crate::plan::limits::Caller`] that comes by a load: clients, inbound, outbound.
    pub calls: [CallTimes; 3],
}

/// What one protocol of a front-end has sent: responses to requests that were due after the warm-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriteFigures {
    /// Sums.
    pub totals: Totals,
    /// From the moment at which a request was due until its client had the last byte of the response.
    pub response: Latency,
    /// How much time was measured.
    pub measured: Nanos,
    /// One response over this computer's sockets, where that was asked for.
    pub loopback: Option<Loopback>,
}

/// The model beside the computer's own network: one response, over a link of which only the latency is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback {
    /// Its bytes.
    pub bytes: u64,
    /// What the model says of such a link.
    pub model: Transfer,
    /// How often it was sent.
    pub runs: u32,
    /// The most writes that it took.
    pub writes: u64,
    /// How long it took, the median.
    pub response: Nanos,
    /// The shortest time.
    pub response_least: Nanos,
    /// How long it held its thread, the median.
    pub thread_held: Nanos,
}

impl WriteFigures {
    /// One request was served at `now`.
    pub fn add(&mut self, due: Nanos, now: Nanos, transfer: &Transfer) {
        self.totals.add(transfer);
        // The last byte is on its way, or has come already.
        let has_it = (now + transfer.response).since(transfer.thread_held);
        self.response.record(has_it.since(due));
    }

    /// Bytes of responses in a second of the run.
    #[must_use]
    pub fn bytes_per_second(&self) -> f64 {
        if self.measured == Nanos::ZERO { 0.0 } else { self.totals.bytes as f64 / self.measured.as_secs_f64() }
    }

    /// Bits in a second that one connection gets while it waits for a response; `None` where there was none, or it
    /// took no time.
    #[must_use]
    pub fn bits_per_second_of_one(&self) -> Option<f64> {
        let time = self.totals.response.as_secs_f64();
        (time > 0.0).then(|| self.totals.bytes as f64 * 8.0 / time)
    }
}

/// The domain table.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainFigures {
    /// What the model remembers.
    pub summary: DomainTableSummary,
}

/// How long the service lasted from its starts to its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasted {
    /// Lives that ended, of those that are kept.
    pub lives: u64,
    /// On average.
    pub mean: Nanos,
    /// The shortest.
    pub least: Nanos,
    /// The longest.
    pub most: Nanos,
}

impl StoreFigures {
    /// When the service shut down for the first time.
    #[must_use]
    pub fn first_shutdown(&self) -> Option<Nanos> {
        self.summary.lives.iter().find_map(|life| life.stopped.map(|(at, _)| at))
    }

    /// Times from a start to the shutdown; `None` where there was none.
    #[must_use]
    pub fn lasted(&self) -> Option<Lasted> {
        let all: Vec<Nanos> = self.summary.lives.iter().filter_map(|life| life.lasted()).collect();
        let (least, most) = (all.iter().min()?, all.iter().max()?);
        let sum: u128 = all.iter().map(|time| u128::from(time.0)).sum();
        let mean = Nanos(u64::try_from(sum / all.len() as u128).unwrap_or(u64::MAX));
        Some(Lasted { lives: all.len() as u64, mean, least: *least, most: *most })
    }

    /// Shutdowns of a service that never got the threads that it starts with, of the lives that are kept.
    #[must_use]
    pub fn starts_without_threads(&self) -> u64 {
        let ended = self.summary.lives.iter().filter_map(|life| life.stopped);
        ended.filter(|(_, ending)| *ending == Ending::NoWorkThreads).count() as u64
    }

    /// Share of the run in which the service was not logged on, in percent.
    #[must_use]
    pub fn away_percent(&self) -> f64 {
        share(self.summary.away, self.summary.end)
    }

    /// From when to when the service was not logged on, as far as the entries that are kept tell.
    #[must_use]
    pub fn times_away(&self) -> Vec<(Nanos, Nanos)> {
        let events = self.summary.events.iter().filter_map(|entry| match entry.what {
            OfService::RefreshFailed => Some((entry.at, true)),
            OfService::LoggedOn => Some((entry.at, false)),
            _ => None,
        });
        // It is not logged on before its first entry.
        let known_until = if self.summary.events_dropped > 0 { self.summary.events.last().map(|e| e.at) } else { None };
        spans(std::iter::once((Nanos::ZERO, true)).chain(events), known_until.unwrap_or(self.summary.end))
    }
}

impl DomainFigures {
    /// The largest `Process(inetinfo)\Working Set` of the run, in bytes.
    #[must_use]
    pub fn largest_working_set_bytes(&self, spec: &DomainTableSpec) -> u64 {
        // Whatever others take is constant, so it was the largest when the fewest bytes were available; none at all are where
        // the service does not fit from its begin, which the curve tells.
        let others = spec.assumptions.others_bytes;
        let then = spec.memory_bytes.saturating_sub(others).saturating_sub(self.summary.least_available_bytes);
        let seen = self.summary.samples.values().iter().map(|(_, now)| now.working_set_bytes);
        seen.max().unwrap_or(0).max(self.summary.at_the_end.working_set_bytes).max(then)
    }

    /// Share of the run in which the service was away, in percent.
    #[must_use]
    pub fn away_percent(&self) -> f64 {
        share(self.summary.away, self.summary.end)
    }

    /// From when to when the service was away, as far as the entries that are kept tell.
    #[must_use]
    pub fn times_away(&self) -> Vec<(Nanos, Nanos)> {
        let log = self.summary.log.iter().filter_map(|(at, what)| match what {
            OfTable::Stops { .. } => Some((*at, true)),
            OfTable::Starts => Some((*at, false)),
            OfTable::Swept(_) | OfTable::MemoryGone => None,
        });
        let known_until = if self.summary.log_dropped > 0 { self.summary.log.last().map(|(at, _)| *at) } else { None };
        spans(log, known_until.unwrap_or(self.summary.end))
    }
}

fn share(part: Nanos, of: Nanos) -> f64 {
    if of == Nanos::ZERO { 0.0 } else { part.as_secs_f64() / of.as_secs_f64() * 100.0 }
}

/// From each change that begins something to the next that ends it; what has not ended lasts until `end`.
fn spans(changes: impl Iterator<Item = (Nanos, bool)>, end: Nanos) -> Vec<(Nanos, Nanos)> {
    let mut found = Vec::new();
    let mut since = None;
    for (at, begins) in changes {
        match (begins, since) {
            (true, None) => since = Some(at),
            (false, Some(from)) => {
                found.push((from, at));
                since = None;
            }
            _ => {}
        }
    }
    found.extend(since.filter(|from| *from < end).map(|from| (from, end)));
    found.retain(|(from, until)| from < until);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_from_the_first_begin_to_the_next_end() {
        let s = Nanos::from_secs;
        let changes = [(s(0), true), (s(3), false), (s(5), true), (s(6), true), (s(9), false), (s(20), true)];
        assert_eq!(spans(changes.into_iter(), s(30)), [(s(0), s(3)), (s(5), s(9)), (s(20), s(30))]);
        assert_eq!(spans([(s(0), true), (s(0), false)].into_iter(), s(30)), []);
        assert_eq!(spans(std::iter::empty(), s(30)), []);
    }
}
