//! What nothing published settles about the limits beside the pool, with the value that is in force.
//!
//! Not their meaning (the models' `spec`s say it). Called by `super::Limits`.

mod transport;

pub(super) use transport::of_transport;

use super::{Caller, DomainsPlan, StorePlan};
use crate::models::domain_table::spec::{Freed, Sweep, WhenGone, ZeroThreshold};
use crate::models::store::spec::Casualties;
use crate::policy::assumptions::Assumption;
use crate::time::Nanos;

/// A choice that nothing published settles.
struct Open {
    name: &'static str,
    choices: &'static str,
    why: &'static str,
    source: &'static str,
}

const TIME: &str = "a time";
const TIME_ABOVE: &str = "a time above 0";
const WHOLE: &str = "a whole number";
const Q169686: &str = "Q169686";
const KB910932: &str = "KB 910932";

fn span(time: Nanos) -> String {
    if time == Nanos::MAX { "never".to_string() } else { time.to_string() }
}

/// The choices with their values, which are in the same order.
fn listed(open: &'static [Open], values: Vec<String>) -> Vec<Assumption> {
    debug_assert_eq!(open.len(), values.len(), "each choice has a value");
    let one = |(open, value): (&'static Open, String)| {
        let Open { name, choices, why, source } = *open;
        Assumption { name, value, choices, why, source }
    };
    open.iter().zip(values).map(one).collect()
}

const STORE: [Open; 13] = [
    Open {
        name: "store.gateway_threads_count",
        choices: "true, false",
        why: "gateway threads are made when a gateway logs on, and a thread added anywhere asks for as much more Max \
             Threads; that they are held as long as the service is logged on is our reading of both",
        source: "Q234065, Q282115",
    },
    Open {
        name: "store.threads_per_call",
        choices: WHOLE,
        why: "how many threads a call of the service takes is not published; one, as a client's does",
        source: Q169686,
    },
    Open {
        name: "store.inbound_sessions",
        choices: WHOLE,
        why: "how many calls the service has out at once to deliver mail is not published for the store's side",
        source: Q169686,
    },
    Open {
        name: "store.outbound_sessions",
        choices: WHOLE,
        why: "how many calls the service has out at once to fetch mail is not published for the store's side",
        source: Q169686,
    },
    Open {
        name: "store.call_patience",
        choices: TIME_ABOVE,
        why: "after what time without a thread a call of the service has failed is not published",
        source: Q169686,
    },
    Open {
        name: "store.client_patience",
        choices: "a time above 0, or \"never\"",
        why: "after what time without a thread a client gives up is not published",
        source: Q169686,
    },
    Open {
        name: "store.refresh_after",
        choices: TIME,
        why: "that one refresh of the connection is tried is published (event 3039), when it is not",
        source: Q169686,
    },
    Open {
        name: "store.refresh_call",
        choices: "a distribution",
        why: "how long a refresh holds its thread is not published",
        source: Q169686,
    },
    Open {
        name: "store.casualties",
        choices: "one-message, by-direction",
        why: "published is that messages go to BAD (4116) and spool files to Imcdata\\In\\Archive (4117), not which message \
             goes where",
        source: Q169686,
    },
    Open {
        name: "store.shutdown_takes",
        choices: TIME,
        why: "the time from the failed refresh (4094) to the end of the service (4102) is not published",
        source: Q169686,
    },
    Open {
        name: "store.restarted_after",
        choices: "a time, or \"never\"",
        why: "that it happens again after a restart is published; who restarts the service, and when, is an \
             administrator's matter",
        source: Q169686,
    },
    Open {
        name: "store.start_takes",
        choices: TIME,
        why: "the time from the start of the service to its logon is not published",
        source: Q169686,
    },
    Open {
        name: "store.max_waiting",
        choices: WHOLE,
        why: "so that nothing grows without bound; a full disk is not modelled",
        source: "ours",
    },
];

pub(super) fn of_store(plan: &StorePlan) -> Vec<Assumption> {
    let own = &plan.spec.assumptions;
    let values = vec![
        own.gateway_threads_count.to_string(),
        own.threads_per_call.to_string(),
        own.inbound_sessions.to_string(),
        own.outbound_sessions.to_string(),
        span(own.call_patience),
        span(own.client_patience),
        span(own.refresh_after),
        format!("{} s on average", plan.mean_call_s(Caller::Refresh)),
        match own.casualties {
            Casualties::OneMessage => "one-message",
            Casualties::ByDirection => "by-direction",
        }
        .to_string(),
        span(own.shutdown_takes),
        own.restarted_after.map_or_else(|| "never".to_string(), span),
        span(own.start_takes),
        own.most_waiting.to_string(),
    ];
    listed(&STORE, values)
}

const DOMAINS: [Open; 11] = [
    Open {
        name: "domains.entry_bytes",
        choices: "a whole number, bytes",
        why: "what an entry takes is not published; 1 KiB holds a name of up to 255 octets in two-octet characters and \
             the links of two queues",
        source: KB910932,
    },
    Open {
        name: "domains.others_mb",
        choices: "a whole number, MB",
        why: "what everything but inetinfo takes is an administrator's matter",
        source: "ours",
    },
    Open {
        name: "domains.base_working_set_mb",
        choices: "a whole number, MB",
        why: "the working set of inetinfo with an empty table is not published",
        source: KB910932,
    },
    Open {
        name: "domains.gone_below_mb",
        choices: "a whole number, MB",
        why: "at how many available bytes memory counts as gone is not published; 4 MB is the usual low mark",
        source: KB910932,
    },
    Open {
        name: "domains.dies_after",
        choices: "a time, or \"never\"",
        why: "the life of an entry whose queue is empty is not published",
        source: KB910932,
    },
    Open {
        name: "domains.sweep",
        choices: "at-once, or a time above 0",
        why: "that dead entries are swept once ZombieDomainEntryThreshold of them are dead is read from the value's name; \
             when they are counted is not published",
        source: KB910932,
    },
    Open {
        name: "domains.zero",
        choices: "never-sweeps, sweeps-every-dead-entry",
        why: "what a ZombieDomainEntryThreshold of 0 means is not published",
        source: KB910932,
    },
    Open {
        name: "domains.freed",
        choices: "to-the-system, stays-in-the-process",
        why: "whether the working set falls when entries are swept is not published",
        source: KB910932,
    },
    Open {
        name: "domains.when_gone",
        choices: "refuses-new-domains, restarts",
        why: "that memory runs out is published, what follows is not",
        source: KB910932,
    },
    Open {
        name: "domains.restart_takes",
        choices: TIME,
        why: "how long the service is away when it restarts is not published",
        source: KB910932,
    },
    Open {
        name: "domains.delivery",
        choices: "a distribution",
        why: "how long a message stays on its queue depends on the other servers",
        source: "ours",
    },
];

pub(super) fn of_domains(plan: &DomainsPlan) -> Vec<Assumption> {
    let own = &plan.spec.assumptions;
    let values = vec![
        own.entry_bytes.to_string(),
        (own.others_bytes >> 20).to_string(),
        (own.base_working_set_bytes >> 20).to_string(),
        (own.gone_below_bytes >> 20).to_string(),
        span(own.dies_after),
        match own.sweep {
            Sweep::AtOnce => "at-once".to_string(),
            Sweep::Every(every) => span(every),
        },
        match own.zero {
            ZeroThreshold::NeverSweeps => "never-sweeps",
            ZeroThreshold::SweepsEveryDeadEntry => "sweeps-every-dead-entry",
        }
        .to_string(),
        match own.freed {
            Freed::ToTheSystem => "to-the-system",
            Freed::StaysInTheProcess => "stays-in-the-process",
        }
        .to_string(),
        match own.when_gone {
            WhenGone::RefusesNewDomains => "refuses-new-domains",
            WhenGone::Restarts => "restarts",
        }
        .to_string(),
        span(own.restart_takes),
        format!("{} s on average", plan.load.stages[0].mean_ns().1 / 1e9),
    ];
    listed(&DOMAINS, values)
}
