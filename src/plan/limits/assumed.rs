//! What nothing published settles about the limits beside the pool, with the value that is in force.
//!
//! Not their meaning (the models' `spec`s say it). Called by `super::Limits`.

mod transport;

pub(super) use transport::of_transport;

use super::write_buffers::WriteBuffersPlan;
use super::{Caller, DomainsPlan, StorePlan};
use crate::models::domain_table::spec::{Freed, Sweep, WhenGone, ZeroThreshold};
use crate::models::store::spec::Casualties;
use crate::models::write_buffers::spec::{Acks, Held, Nagle, Opening, TooSmall, WriteReturns};
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

const KB823857: &str = "KB 823857";

const WRITE_BUFFERS: [Open; 13] = [
    Open {
        name: "write_buffers.too_small",
        choices: "as-it-is, default",
        why: "ExBPA calls a MaxBufferSize from 1 to 1,023 an error and does not say what the service makes of it",
        source: "ExBPA aa998628",
    },
    Open {
        name: "write_buffers.write_returns",
        choices: "accepted, acknowledged",
        why: "whether a write of the service returns once TCP has its bytes or once the client has acknowledged them is not \
             published; it decides what a small buffer costs",
        source: KB823857,
    },
    Open {
        name: "write_buffers.held",
        choices: "until-written, until-acknowledged",
        why: "how long a response holds its thread is not published; with asynchronous writes it might hold none",
        source: KB823857,
    },
    Open {
        name: "write_buffers.send_buffer_bytes",
        choices: "a whole number, bytes",
        why: "the send buffer of the service's connections is not published",
        source: "ours",
    },
    Open {
        name: "write_buffers.window_bytes",
        choices: "a whole number, bytes",
        why: "the receive window is the client's; this is 12 segments of 1,460 bytes",
        source: "ours",
    },
    Open {
        name: "write_buffers.slow_start_segments",
        choices: "none, or a whole number of segments",
        why: "the text says nothing of congestion control",
        source: "RFC 2581",
    },
    Open {
        name: "write_buffers.mss",
        choices: "a whole number, bytes",
        why: "Ethernet's 1,500 bytes without 40 of headers; a client's link may have less",
        source: "RFC 879",
    },
    Open {
        name: "write_buffers.header_bytes",
        choices: "a whole number, bytes",
        why: "IP and TCP without options, and nothing for the link below them",
        source: "RFC 791, RFC 793",
    },
    Open {
        name: "write_buffers.nagle",
        choices: "true, false",
        why: "Nagle's algorithm is not in the KB",
        source: "RFC 896",
    },
    Open {
        name: "write_buffers.acks",
        choices: "each-segment, every-second-segment, every-second-full-segment",
        why: "when clients acknowledge is not in the KB; with delayed_ack as the timer",
        source: "RFC 1122",
    },
    Open {
        name: "write_buffers.buffers_per_connection",
        choices: "a whole number",
        why: "how many buffers of MaxBufferSize a connection has is not published",
        source: KB823857,
    },
    Open {
        name: "write_buffers.connection_bytes",
        choices: "a whole number, bytes",
        why: "inetinfo's working set was 221 MB with 15,000 IMAP4 connections, which leaves 15 KiB for all of one",
        source: "TechNet aa998453",
    },
    Open {
        name: "write_buffers.base_mb",
        choices: "a whole number, MB",
        why: "what the front-end takes without connections is not published",
        source: "ours",
    },
];

pub(super) fn of_write_buffers(plan: &WriteBuffersPlan) -> Vec<Assumption> {
    let Some(own) = plan.services.first().map(|service| &service.spec.assumptions) else { return Vec::new() };
    let (acks, timer) = match own.acks {
        Acks::EachSegment => ("each-segment", None),
        Acks::EverySecondSegment { timer } => ("every-second-segment", Some(timer)),
        Acks::EverySecondFullSegment { timer } => ("every-second-full-segment", Some(timer)),
    };
    let values = vec![
        match own.too_small {
            TooSmall::TakenAsItIs => "as-it-is",
            TooSmall::ReadAsDefault => "default",
        }
        .to_string(),
        match own.write_returns {
            WriteReturns::Accepted => "accepted",
            WriteReturns::Acknowledged => "acknowledged",
        }
        .to_string(),
        match own.held {
            Held::UntilWritten => "until-written",
            Held::UntilAcknowledged => "until-acknowledged",
        }
        .to_string(),
        own.send_buffer_bytes.to_string(),
        own.window_bytes.to_string(),
        match own.opening {
            Opening::AtOnce => "none".to_string(),
            Opening::SlowStart { initial_segments } => initial_segments.to_string(),
        },
        own.mss.to_string(),
        own.header_bytes.to_string(),
        (own.nagle == Nagle::On).to_string(),
        timer.map_or_else(|| acks.to_string(), |timer| format!("{acks}, {timer}")),
        own.buffers_per_connection.to_string(),
        own.other_bytes_per_connection.to_string(),
        (own.base_bytes >> 20).to_string(),
    ];
    listed(&WRITE_BUFFERS, values)
}
