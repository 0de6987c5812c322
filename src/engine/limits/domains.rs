//! The domain table with its mail: the load says when a message comes, the law for whom, and a draw how long it stays on its
//! queue. Messages hold no thread here, so no call ever begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Call, Limit};
use crate::engine::EngineError;
use crate::item::Outcome;
use crate::metrics::limits::DomainFigures;
use crate::models::domain_table::{DomainMemory, Effect, EntryId, Stimulus};
use crate::plan::limits::DomainsPlan;
use crate::time::Nanos;
use crate::workload::popularity::Names;
use crate::workload::{PackedItem, Work, Workload};

pub(super) struct DomainsRun {
    model: DomainMemory,
    load: Workload,
    names: Names,
    /// When messages leave, in the order of their coming. What is due while the service is away leaves when it is back.
    leaving: BTreeMap<(Nanos, u64), (EntryId, PackedItem)>,
    sequence: u64,
    is_away: bool,
    /// The last moment that was told.
    now: Nanos,
    effects: Vec<Effect>,
}

impl DomainsRun {
    pub(super) fn new(plan: &Arc<DomainsPlan>, seed: u64, until: Nanos) -> Result<DomainsRun, EngineError> {
        Ok(DomainsRun {
            model: DomainMemory::new(Arc::clone(&plan.spec)),
            load: Workload::new(Arc::clone(&plan.load), seed, until).map_err(EngineError::Load)?,
            names: Names::new(Arc::clone(&plan.names)),
            leaving: BTreeMap::new(),
            sequence: 0,
            is_away: false,
            now: Nanos::ZERO,
            effects: Vec::new(),
        })
    }

    pub(super) fn close(self, end: Nanos) -> DomainFigures {
        DomainFigures { summary: self.model.close_books(end) }
    }

    /// What the service does by itself.
    fn notes_service(&mut self) {
        for effect in self.effects.drain(..) {
            match effect {
                Effect::ServiceStops => self.is_away = true,
                Effect::ServiceStarts => self.is_away = false,
                Effect::Accepted { .. } | Effect::Refused { .. } => {}
            }
        }
    }

    fn comes(&mut self, now: Nanos, item: PackedItem) {
        let mut stream = self.load.names(&item);
        let domain = self.names.of(item.number(), &mut stream);
        self.model.tell(now, Stimulus::Queued { domain, messages: 1 }, &mut self.effects);
        let entry = self.effects.iter().find_map(|effect| match effect {
            Effect::Accepted { entry, .. } => Some(*entry),
            _ => None,
        });
        self.notes_service();
        let Some(entry) = entry else {
            self.load.after(&item, Outcome::Refused, now);
            return;
        };
        let takes = match self.load.work(&item, 0, now) {
            Some(Work::Wait(time) | Work::Cpu(time)) => time,
            None => Nanos::ZERO,
        };
        self.sequence += 1;
        self.leaving.insert((now + takes, self.sequence), (entry, item));
    }
}

impl Limit for DomainsRun {
    fn next_due(&self) -> Nanos {
        let leaves = self.leaving.first_key_value().map(|((at, _), _)| *at).filter(|_| !self.is_away);
        // What was due while the service was away is due when it is back.
        leaves.unwrap_or(Nanos::MAX).min(self.model.next_deadline()).min(self.load.next_due()).max(self.now)
    }

    fn due(&mut self, now: Nanos, _: &mut Vec<Call>) {
        self.now = now;
        while let Some(first) = self.leaving.first_entry().filter(|first| !self.is_away && first.key().0 <= now) {
            let (entry, item) = first.remove();
            self.model.tell(now, Stimulus::Sent { entry, messages: 1 }, &mut self.effects);
            self.notes_service();
            self.load.after(&item, Outcome::Served, now);
        }
        if self.model.next_deadline() <= now {
            self.model.tell(now, Stimulus::Time, &mut self.effects);
            self.notes_service();
        }
        while let Some(item) = self.load.pop_due(now) {
            self.comes(now, item);
        }
    }

    fn ended(&mut self, _: Nanos, _: u64, _: &mut Vec<Call>) {
        unreachable!("messages hold no thread here");
    }
}
