//! What nothing published settles about the limits beside the pool, with the value that is in force.
//!
//! Not their meaning (the models' `spec`s say it). Called by `super::Limits`.

use super::{Caller, DomainsPlan, StorePlan};
use crate::models::domain_table::spec::{Freed, Sweep, WhenGone, ZeroThreshold};
use crate::models::store::spec::Casualties;
use crate::policy::assumptions::Assumption;
use crate::time::Nanos;

const TIME: &str = "a time";
const TIME_ABOVE: &str = "a time above 0";
const WHOLE: &str = "a whole number";
const Q169686: &str = "Q169686";
const KB910932: &str = "KB 910932";

fn span(time: Nanos) -> String {
    if time == Nanos::MAX { "never".to_string() } else { time.to_string() }
}

pub(super) fn of_store(plan: &StorePlan) -> Vec<Assumption> {
    let own = &plan.spec.assumptions;
    let entry = |name, value, choices, why, source| Assumption { name, value, choices, why, source };
    vec![
        entry(
            "store.gateway_threads_count",
            own.gateway_threads_count.to_string(),
            "true, false",
            "gateway threads are made when a gateway logs on, and a thread added anywhere asks for as much more Max \
             Threads; that they are held as long as the service is logged on is our reading of both",
            "Q234065, Q282115",
        ),
        entry(
            "store.threads_per_call",
            own.threads_per_call.to_string(),
            WHOLE,
            "how many threads a call of the service takes is not published; one, as a client's does",
            Q169686,
        ),
        entry(
            "store.inbound_sessions",
            own.inbound_sessions.to_string(),
            WHOLE,
            "how many calls the service has out at once to deliver mail is not published for the store's side",
            Q169686,
        ),
        entry(
            "store.outbound_sessions",
            own.outbound_sessions.to_string(),
            WHOLE,
            "how many calls the service has out at once to fetch mail is not published for the store's side",
            Q169686,
        ),
        entry(
            "store.call_patience",
            span(own.call_patience),
            TIME_ABOVE,
            "after what time without a thread a call of the service has failed is not published",
            Q169686,
        ),
        entry(
            "store.client_patience",
            span(own.client_patience),
            "a time above 0, or \"never\"",
            "after what time without a thread a client gives up is not published",
            Q169686,
        ),
        entry(
            "store.refresh_after",
            span(own.refresh_after),
            TIME,
            "that one refresh of the connection is tried is published (event 3039), when it is not",
            Q169686,
        ),
        entry(
            "store.refresh_call",
            format!("{} s on average", plan.mean_call_s(Caller::Refresh)),
            "a distribution",
            "how long a refresh holds its thread is not published",
            Q169686,
        ),
        entry(
            "store.casualties",
            match own.casualties {
                Casualties::OneMessage => "one-message",
                Casualties::ByDirection => "by-direction",
            }
            .to_string(),
            "one-message, by-direction",
            "published is that messages go to BAD (4116) and spool files to Imcdata\\In\\Archive (4117), not which message \
             goes where",
            Q169686,
        ),
        entry(
            "store.shutdown_takes",
            span(own.shutdown_takes),
            TIME,
            "the time from the failed refresh (4094) to the end of the service (4102) is not published",
            Q169686,
        ),
        entry(
            "store.restarted_after",
            own.restarted_after.map_or_else(|| "never".to_string(), span),
            "a time, or \"never\"",
            "that it happens again after a restart is published; who restarts the service, and when, is an \
             administrator's matter",
            Q169686,
        ),
        entry(
            "store.start_takes",
            span(own.start_takes),
            TIME,
            "the time from the start of the service to its logon is not published",
            Q169686,
        ),
        entry(
            "store.max_waiting",
            own.most_waiting.to_string(),
            WHOLE,
            "so that nothing grows without bound; a full disk is not modelled",
            "ours",
        ),
    ]
}

pub(super) fn of_domains(plan: &DomainsPlan) -> Vec<Assumption> {
    let own = &plan.spec.assumptions;
    let entry = |name, value, choices, why, source| Assumption { name, value, choices, why, source };
    vec![
        entry(
            "domains.entry_bytes",
            own.entry_bytes.to_string(),
            "a whole number, bytes",
            "what an entry takes is not published; 1 KiB holds a name of up to 255 octets in two-octet characters and \
             the links of two queues",
            KB910932,
        ),
        entry(
            "domains.others_mb",
            (own.others_bytes >> 20).to_string(),
            "a whole number, MB",
            "what everything but inetinfo takes is an administrator's matter",
            "ours",
        ),
        entry(
            "domains.base_working_set_mb",
            (own.base_working_set_bytes >> 20).to_string(),
            "a whole number, MB",
            "the working set of inetinfo with an empty table is not published",
            KB910932,
        ),
        entry(
            "domains.gone_below_mb",
            (own.gone_below_bytes >> 20).to_string(),
            "a whole number, MB",
            "at how many available bytes memory counts as gone is not published; 4 MB is the usual low mark",
            KB910932,
        ),
        entry(
            "domains.dies_after",
            span(own.dies_after),
            "a time, or \"never\"",
            "the life of an entry whose queue is empty is not published",
            KB910932,
        ),
        entry(
            "domains.sweep",
            match own.sweep {
                Sweep::AtOnce => "at-once".to_string(),
                Sweep::Every(every) => span(every),
            },
            "at-once, or a time above 0",
            "that dead entries are swept once ZombieDomainEntryThreshold of them are dead is read from the value's name; \
             when they are counted is not published",
            KB910932,
        ),
        entry(
            "domains.zero",
            match own.zero {
                ZeroThreshold::NeverSweeps => "never-sweeps",
                ZeroThreshold::SweepsEveryDeadEntry => "sweeps-every-dead-entry",
            }
            .to_string(),
            "never-sweeps, sweeps-every-dead-entry",
            "what a ZombieDomainEntryThreshold of 0 means is not published",
            KB910932,
        ),
        entry(
            "domains.freed",
            match own.freed {
                Freed::ToTheSystem => "to-the-system",
                Freed::StaysInTheProcess => "stays-in-the-process",
            }
            .to_string(),
            "to-the-system, stays-in-the-process",
            "whether the working set falls when entries are swept is not published",
            KB910932,
        ),
        entry(
            "domains.when_gone",
            match own.when_gone {
                WhenGone::RefusesNewDomains => "refuses-new-domains",
                WhenGone::Restarts => "restarts",
            }
            .to_string(),
            "refuses-new-domains, restarts",
            "that memory runs out is published, what follows is not",
            KB910932,
        ),
        entry(
            "domains.restart_takes",
            span(own.restart_takes),
            TIME,
            "how long the service is away when it restarts is not published",
            KB910932,
        ),
        entry(
            "domains.delivery",
            format!("{} s on average", plan.load.stages[0].mean_ns().1 / 1e9),
            "a distribution",
            "how long a message stays on its queue depends on the other servers",
            "ours",
        ),
    ]
}
