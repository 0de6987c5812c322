//! `[store]`: the information store's threads and the Internet Mail Service (KB 169686).

use super::{distribution_or, need_distribution, time_or_never, truth};
use crate::models::store::perfopt::{Answers, Run, optimize};
use crate::models::store::spec::{Assumptions, Casualties, Registered, StoreSpec, ThreadCounts, Version};
use crate::plan::limits::{Caller, StorePlan};
use crate::policy::registry::{Registry, ValueId};
use crate::scenario::Basics;
use crate::scenario::tree::Origin;
use crate::scenario::walk::Fields;
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::Source;

/// The most threads of a store: more than any published value by far.
const THREADS_MOST: u32 = 1_000_000;
const SESSIONS: (u64, u64) = (0, 10_000);
const WAITING: (u64, u64) = (1, 10_000_000);

/// The section as it was read.
#[derive(Debug)]
pub(in crate::scenario) struct Store {
    origin: Origin,
    version: Version,
    /// Setup's own value is there.
    has_setups_entry: bool,
    optimizer: Option<Answers>,
    assumptions: Assumptions,
    /// By [`Caller`]; of those who come by a load, those that have a section.
    calls: [Option<Distribution>; 4],
    given: [bool; 4],
}

pub(super) fn store(mut fields: Fields<'_, '_>, basics: &Basics) -> Store {
    let mut own = Assumptions { sample_every: Nanos((basics.duration.0 / 240).max(1)), ..Assumptions::default() };
    let version = match fields.choice("version", &["4.0", "5.0", "5.5"]) {
        Some("4.0") => Version::V40,
        Some("5.5") => Version::V55,
        _ => Version::V50,
    };
    let has_setups_entry = truth(&mut fields, "setup_entry", true);
    let none = Answers { are_defaults: false, all_server_types: false, few_users: false };
    let optimizer = match fields.choice("optimizer", &["defaults", "all-server-types", "few-users"]) {
        Some("defaults") => Some(Answers::DEFAULTS),
        Some("all-server-types") => Some(Answers { all_server_types: true, ..none }),
        Some("few-users") => Some(Answers { few_users: true, ..none }),
        _ => None,
    };
    own.gateway_threads_count = truth(&mut fields, "gateway_threads_count", own.gateway_threads_count);
    own.threads_per_call = fields.whole("threads_per_call", (1, 1_000), own.threads_per_call.into()) as u32;
    own.inbound_sessions = fields.whole("inbound_sessions", SESSIONS, own.inbound_sessions.into()) as u32;
    own.outbound_sessions = fields.whole("outbound_sessions", SESSIONS, own.outbound_sessions.into()) as u32;
    let remedy = "write a time like \"30s\"";
    own.call_patience = fields.time("call_patience", Nanos(1), remedy).unwrap_or(own.call_patience);
    own.client_patience = time_or_never(&mut fields, "client_patience", Nanos(1), own.client_patience);
    own.refresh_after = fields.time("refresh_after", Nanos::ZERO, remedy).unwrap_or(own.refresh_after);
    own.casualties = match fields.choice("casualties", &["one-message", "by-direction"]) {
        Some("by-direction") => Casualties::ByDirection,
        _ => Casualties::OneMessage,
    };
    own.shutdown_takes = fields.time("shutdown_takes", Nanos::ZERO, remedy).unwrap_or(own.shutdown_takes);
    let restarted = own.restarted_after.unwrap_or(Nanos::MAX);
    let restarted = time_or_never(&mut fields, "restarted_after", Nanos::ZERO, restarted);
    own.restarted_after = (restarted < Nanos::MAX).then_some(restarted);
    own.start_takes = fields.time("start_takes", Nanos::ZERO, remedy).unwrap_or(own.start_takes);
    own.most_waiting = fields.whole("max_waiting", WAITING, own.most_waiting as u64) as usize;
    // Guess: a refresh is a short call.
    let refresh = distribution_or(&mut fields, "refresh_call", Nanos::from_millis(100));
    let mut calls = [None, None, None, Some(refresh)];
    let mut given = [false, false, false, true];
    for (caller, key) in Caller::LOADED.into_iter().zip(["clients", "inbound", "outbound"]) {
        if let Some(mut part) = fields.table(key) {
            given[caller as usize] = true;
            let remedy = "give how long one call holds its thread, like { mean = \"2s\" }";
            calls[caller as usize] = need_distribution(&mut part, "call", remedy);
            part.finish();
        }
    }
    let origin = fields.origin.clone();
    if own.restarted_after == Some(Nanos::ZERO) && own.shutdown_takes == Nanos::ZERO && own.start_takes == Nanos::ZERO {
        let message = "a service of [store] that stops, starts and starts again in no time would stop the clock";
        fields.walk.error(&origin, message, "give restarted_after, shutdown_takes or start_takes a length");
    }
    fields.finish();
    Store { origin, version, has_setups_entry, optimizer, assumptions: own, calls, given }
}

impl Store {
    /// Whether it says how long a call of this caller takes, so that there may be a load of it.
    pub(super) fn has(&self, caller: Caller) -> bool {
        self.given[caller as usize]
    }

    /// `None` where a problem was told.
    pub(super) fn plan(self, root: &Fields<'_, '_>, registry: &Registry, sources: Vec<Source>) -> Option<StorePlan> {
        let before = if self.has_setups_entry { Registered::after_setup(self.version) } else { Registered::default() };
        // What the Optimizer sets for other answers is never asked: the three that are read are the published ones.
        let optimizer: Option<Run> = self.optimizer.map(|answers| optimize(Nanos::ZERO, answers, before, 0));
        let found = optimizer.map_or(before, |run| run.left);
        let set = |id: ValueId, otherwise: Option<u32>| registry.get(id).or(otherwise);
        let registered = Registered {
            max_threads: set(ValueId::StoreMaxThreads, found.max_threads),
            background_threads: set(ValueId::StoreBackgroundThreads, found.background_threads),
            gateway_in_threads: set(ValueId::GatewayInThreads, found.gateway_in_threads),
            gateway_out_threads: set(ValueId::GatewayOutThreads, found.gateway_out_threads),
        };
        let threads = ThreadCounts::of(self.version, &registered);
        let all = [
            (ValueId::StoreMaxThreads, threads.max),
            (ValueId::GatewayInThreads, threads.gateway_in),
            (ValueId::GatewayOutThreads, threads.gateway_out),
        ];
        let walk = root.walk;
        for (id, count) in all {
            let name = id.value().name;
            if count > THREADS_MOST || (count == 0 && id == ValueId::StoreMaxThreads) {
                let message = format!("{name} is {count}, and a store has 1 to {THREADS_MOST} threads");
                let place = registry.setting(id).map(|setting| setting.place.clone());
                let place = place.unwrap_or_else(|| self.origin.place(&walk.source));
                walk.note(crate::problem::Problem::error(place, message, "set a published value, like 0x14"));
                return None;
            }
        }
        if self.assumptions.threads_per_call > threads.max {
            let message = format!(
                "store.threads_per_call is {}, and Max Threads(Private+Public) is {}: no call would ever begin",
                self.assumptions.threads_per_call, threads.max
            );
            walk.error(&self.origin, message, "lower threads_per_call");
            return None;
        }
        let spec = StoreSpec { version: self.version, threads, assumptions: self.assumptions };
        let calls = self.calls.map(|call| call.unwrap_or(Distribution::Constant(Nanos::ZERO)));
        Some(StorePlan::new(spec, calls, sources, optimizer))
    }
}
