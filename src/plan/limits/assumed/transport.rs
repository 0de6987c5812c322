//! What nothing published settles about a transport server and about who sends to it.
//!
//! Not their meaning (`models::transport::spec` and `plan::limits::transport` say it). Called by `super::super::Limits`.

use super::{Open, TIME, TIME_ABOVE, WHOLE, listed, span};
use crate::models::transport::Level;
use crate::models::transport::spec::{
    Assumptions, ErrorLimit, Fraction, Freed, HighEnds, Over, OverRate, PerSource, RateCounts, RateWindow, Rounding,
};
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::Entrance;
use crate::policy::assumptions::Assumption;

const PAGE: &str = "message throttling page";
const PRESSURE: &str = "bb201658";
const OURS: &str = "ours";
const DISTRIBUTION: &str = "a distribution";

const fn open(name: &'static str, choices: &'static str, why: &'static str, source: &'static str) -> Open {
    Open { name, choices, why, source }
}

const THROTTLING: [Open; 10] = [
    open(
        "transport.rate_window",
        "sliding, minutes",
        "how the minute of MaxConnectionRatePerMinute is measured is not published",
        PAGE,
    ),
    open(
        "transport.rate_counts",
        "opened, let-past",
        "the page speaks of connections that are opened; whether those count that another limit refuses is not said",
        PAGE,
    ),
    open(
        "transport.over_rate",
        "refused, waits",
        "that the rate is limited is published, not what becomes of a connection that comes too soon",
        PAGE,
    ),
    open(
        "transport.per_source",
        "both, count-only, percentage-only",
        "how the two limits of one source combine is not published; of 5,000 free connections both are 100",
        PAGE,
    ),
    open(
        "transport.share_rounding",
        "up, down",
        "how a share of the remaining connections becomes a whole number is not published; rounded down, nobody could \
         have the last 49 of 5,000",
        PAGE,
    ),
    open(
        "transport.error_limit",
        "next-closes, reached-closes",
        "whether the error that reaches MaxProtocolErrors closes the connection, or the next one, is not published",
        PAGE,
    ),
    open(
        "transport.unknown_recipient_is_error",
        "true, false",
        "whether a recipient that does not exist is a protocol error is not published",
        PAGE,
    ),
    open(
        "transport.tarpits_protocol_errors",
        "true, false",
        "the page names directory harvest attacks or other unwelcome messages; that other errors are answered at once \
         is our reading",
        PAGE,
    ),
    open(
        "transport.pickup_fraction",
        "carried, lost, whole",
        "a twelfth of 100 is just over eight; what becomes of the fraction is not published",
        PAGE,
    ),
    open("transport.first_scan", TIME, "when Pickup and Replay are scanned first is not published", PAGE),
];

fn throttling(own: &Assumptions) -> Vec<String> {
    let words = [
        match own.rate_window {
            RateWindow::Sliding => "sliding",
            RateWindow::Minutes => "minutes",
        },
        match own.rate_counts {
            RateCounts::Opened => "opened",
            RateCounts::LetPast => "let-past",
        },
        match own.over_rate {
            OverRate::Refused => "refused",
            OverRate::Waits => "waits",
        },
        match own.per_source {
            PerSource::Both => "both",
            PerSource::CountOnly => "count-only",
            PerSource::PercentageOnly => "percentage-only",
        },
        match own.share_rounding {
            Rounding::Up => "up",
            Rounding::Down => "down",
        },
        match own.error_limit {
            ErrorLimit::NextCloses => "next-closes",
            ErrorLimit::ReachedCloses => "reached-closes",
        },
        if own.unknown_recipient_is_error { "true" } else { "false" },
        if own.tarpits_protocol_errors { "true" } else { "false" },
        match own.pickup_fraction {
            Fraction::Carried => "carried",
            Fraction::Lost => "lost",
            Fraction::Whole => "whole",
        },
    ];
    words.into_iter().map(ToString::to_string).chain([span(own.first_scan)]).collect()
}

const RESOURCES: [Open; 11] = [
    open(
        "transport.begun_messages_finish",
        "true, false",
        "whether a message is taken that was begun before the level rose is not published",
        PRESSURE,
    ),
    open(
        "transport.pickup_stops_at",
        "high, medium",
        "that Pickup and Replay stop is published of High only",
        PRESSURE,
    ),
    open("transport.over", "at-or-above, above", "whether a value at a mark is over it is not published", PRESSURE),
    open(
        "transport.high_ends",
        "below-medium, below-high",
        "that there are three marks is published, not which of them ends High",
        PRESSURE,
    ),
    open(
        "transport.log_drive_keeps_free_mb",
        "a whole number, MB",
        "the formula of the log drive is published of a later version only; without transport.machine.log_drive_gb that \
         drive is not watched",
        PRESSURE,
    ),
    open(
        "transport.rtm_events",
        "three whole numbers",
        "events 15001 to 15003 are published for the version without service pack, not which level each reports",
        PRESSURE,
    ),
    open(
        "transport.database_bytes_per_message",
        "a whole number, bytes",
        "what a message takes in the queue database beside its own bytes is not published",
        PRESSURE,
    ),
    open(
        "transport.freed",
        "to-the-drive, stays-in-the-file",
        "whether the queue database shrinks when messages have left is not published",
        PRESSURE,
    ),
    open(
        "transport.base_private_mb",
        "a whole number, MB",
        "what EdgeTransport.exe takes without connections and messages is not published",
        PRESSURE,
    ),
    open(
        "transport.private_bytes_per_connection",
        "a whole number, bytes",
        "what a connection takes of EdgeTransport.exe is not published",
        PRESSURE,
    ),
    open(
        "transport.private_bytes_per_message",
        "a whole number, bytes",
        "what a queued message takes of EdgeTransport.exe is not published",
        PRESSURE,
    ),
];

fn resources(own: &Assumptions) -> Vec<String> {
    vec![
        own.begun_messages_finish.to_string(),
        own.pickup_stops_at.name().to_lowercase(),
        match own.over {
            Over::AtOrAbove => "at-or-above",
            Over::Above => "above",
        }
        .to_string(),
        match own.high_ends {
            HighEnds::BelowMedium => "below-medium",
            HighEnds::BelowHigh => "below-high",
        }
        .to_string(),
        (own.log_drive_keeps_free >> 20).to_string(),
        format!("high {}, medium {}, normal {}", own.rtm_events.high, own.rtm_events.medium, own.rtm_events.normal),
        own.database_bytes_per_message.to_string(),
        match own.freed {
            Freed::ToTheDrive => "to-the-drive",
            Freed::StaysInTheFile => "stays-in-the-file",
        }
        .to_string(),
        (own.base_private_bytes >> 20).to_string(),
        own.private_bytes_per_connection.to_string(),
        own.private_bytes_per_message.to_string(),
    ]
}

const AROUND: [Open; 8] = [
    open(
        "transport.retry_after",
        TIME_ABOVE,
        "after what time the server tries a message again is not on the page",
        PAGE,
    ),
    open("transport.max_held", WHOLE, "so that nothing grows without bound", OURS),
    open(
        "transport.mailbox_delivery",
        DISTRIBUTION,
        "how long a delivery to a mailbox holds its thread is not published",
        PAGE,
    ),
    open(
        "transport.mailbox_submission",
        DISTRIBUTION,
        "how long a submission from a mailbox holds its thread is not published",
        PAGE,
    ),
    open(
        "transport.domains.NAME.delivery",
        DISTRIBUTION,
        "how long a message stays on its connection depends on the other server",
        OURS,
    ),
    open(
        "transport.groups.NAME.command",
        DISTRIBUTION,
        "from an answer to the next command it takes the way there and back, and what the sender has to do",
        OURS,
    ),
    open("transport.groups.NAME.transfer", DISTRIBUTION, "how long the text of a message takes to come", OURS),
    open(
        "transport.groups.NAME.retry",
        "a distribution, or never",
        "RFC 5321 (4.5.4.1) has a sender wait for at least 30 minutes; that honest senders do, that others do not come \
         again, and that one who is told 452 ends its session is our reading",
        "RFC 5321",
    ),
];

fn around(plan: &TransportPlan) -> Vec<String> {
    let own = &plan.spec.assumptions;
    let mean = |ns: f64| format!("{} s", ns / 1e9);
    let each = |values: Vec<(&str, String)>| match values.split_first() {
        None => "none".to_string(),
        Some(((_, first), rest)) if rest.iter().all(|(_, other)| other == first) => first.clone(),
        Some(_) => values.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "),
    };
    let mut of_sessions = [Vec::new(), Vec::new()];
    for group in &plan.groups {
        if let Entrance::Smtp(sessions) = &group.entrance {
            of_sessions[0].push((group.name.as_str(), mean(sessions.command.mean_ns())));
            of_sessions[1].push((group.name.as_str(), mean(sessions.transfer.mean_ns())));
        }
    }
    let [commands, transfers] = of_sessions.map(each);
    let again = plan.groups.iter().map(|group| {
        let value =
            group.retry.as_ref().map(|retry| format!("{}, {} attempts", mean(retry.after.mean_ns()), retry.attempts));
        (group.name.as_str(), value.unwrap_or_else(|| "never".to_string()))
    });
    let domains = plan.domains.iter().map(|domain| (domain.name.as_str(), mean(domain.delivery.mean_ns())));
    let (again, domains) = (each(again.collect()), each(domains.collect()));
    vec![
        span(own.retry_after),
        own.most_held.to_string(),
        mean(plan.mailboxes.delivery.mean_ns()),
        mean(plan.mailboxes.submission.mean_ns()),
        domains,
        commands,
        transfers,
        again,
    ]
}

pub(in crate::plan::limits) fn of_transport(plan: &TransportPlan) -> Vec<Assumption> {
    let own = &plan.spec.assumptions;
    debug_assert!(own.pickup_stops_at != Level::Normal, "the model takes no such description");
    let mut all = listed(&THROTTLING, throttling(own));
    all.extend(listed(&RESOURCES, resources(own)));
    all.extend(listed(&AROUND, around(plan)));
    all
}
