//! The mistakes that a description of a transport server can have, all at once.
//!
//! Not a reader of files: whoever reads one knows the place of a setting and puts the mistake there. Called by
//! [`TransportSpec::check`].

use std::fmt;

use super::pickup;
use super::pressure::{Level, Marks, Resource};
use super::spec::{Fraction, Limit, TransportSpec};
use crate::time::Nanos;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The option or assumption, in Microsoft's spelling where it is Microsoft's.
    pub setting: &'static str,
    /// What was found and what is allowed, without a full stop.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.setting, self.message, self.remedy)
    }
}

struct Found(Vec<Mistake>);

impl Found {
    fn add(&mut self, setting: &'static str, message: String, remedy: impl Into<String>) {
        self.0.push(Mistake { setting, message, remedy: remedy.into() });
    }

    fn at_least_one(&mut self, setting: &'static str, value: u32, remedy: &str) {
        if value == 0 {
            self.add(setting, "is 0 and must be at least 1".into(), remedy);
        }
    }

    fn above_zero(&mut self, setting: &'static str, value: Nanos) {
        if value == Nanos::ZERO {
            self.add(setting, "is 0 and must be longer".into(), "raise it");
        }
    }
}

pub(super) fn mistakes(spec: &TransportSpec) -> Vec<Mistake> {
    let mut found = Found(Vec::new());
    options_of_the_server(spec, &mut found);
    options_of_the_connectors(spec, &mut found);
    back_pressure(spec, &mut found);
    let own = &spec.assumptions;
    found.above_zero("retry_after", own.retry_after);
    if own.pickup_stops_at == Level::Normal {
        found.add("pickup_stops_at", "is Normal, so that no file is ever taken".into(), "say Medium or High");
    }
    if !(1..=u32::MAX as usize).contains(&own.most_held) {
        found.add("most_held", format!("is {} and must be 1 to 2^32 - 1", own.most_held), "the default is a million");
    }
    found.0
}

fn options_of_the_server(spec: &TransportSpec, found: &mut Found) {
    let server = &spec.server;
    for (setting, value) in [
        ("MaxConcurrentMailboxDeliveries", server.max_concurrent_mailbox_deliveries),
        ("MaxConcurrentMailboxSubmissions", server.max_concurrent_mailbox_submissions),
        ("MaxConnectionRatePerMinute", server.max_connection_rate_per_minute),
        ("PickupDirectoryMaxMessagesPerMinute", server.pickup_directory_max_messages_per_minute),
    ] {
        found.at_least_one(setting, value, "raise it");
    }
    for (setting, limit) in [
        ("MaxOutboundConnections", server.max_outbound_connections),
        ("MaxPerDomainOutboundConnections", server.max_per_domain_outbound_connections),
        ("MaxInboundConnection", spec.receive.max_inbound_connection),
        ("MaxInboundConnectionPerSource", spec.receive.max_inbound_connection_per_source),
    ] {
        if let Limit::At(value) = limit {
            found.at_least_one(setting, value, "raise it or set it to unlimited");
        }
    }
    let rate = server.pickup_directory_max_messages_per_minute;
    if spec.assumptions.pickup_fraction == Fraction::Lost && (1..pickup::SCANS_PER_MINUTE).contains(&rate) {
        found.add(
            "PickupDirectoryMaxMessagesPerMinute",
            format!("is {rate}: a scan's twelfth of it is rounded down to none, and no file is ever taken"),
            "raise it to 12 or more, or let the fraction be carried",
        );
    }
}

fn options_of_the_connectors(spec: &TransportSpec, found: &mut Found) {
    let receive = &spec.receive;
    let percent = receive.max_inbound_connection_percentage_per_source;
    if !(1..=100).contains(&percent) {
        let message = format!("is {percent} and must be 1 to 100");
        found.add("MaxInboundConnectionPercentagePerSource", message, "100 lets one source have all that remain");
    }
    found.above_zero("ConnectionInactivityTimeOut", spec.send.connection_inactivity_time_out);
    found.above_zero("ConnectionInactivityTimeout", receive.connection_inactivity_timeout);
    // ATQ: the message throttling page.
    let (idle, whole) = (receive.connection_inactivity_timeout, receive.connection_timeout);
    if whole <= idle {
        found.add(
            "ConnectionTimeout",
            format!("is {whole} and must be larger than ConnectionInactivityTimeout, which is {idle}"),
            "raise the one or lower the other",
        );
    }
}

fn back_pressure(spec: &TransportSpec, found: &mut Found) {
    let pressure = &spec.back_pressure;
    found.above_zero("ResourceMonitoringInterval", pressure.resource_monitoring_interval);
    let percent = pressure.dehydration_percent;
    if !(1..=101).contains(&percent) {
        found.add("dehydration_percent", format!("is {percent} and must be 1 to 101"), "101 never dehydrates");
    }
    for (setting, bytes) in [
        ("queue_drive_bytes", Some(spec.machine.queue_drive_bytes)),
        ("log_drive_bytes", spec.machine.log_drive_bytes),
        ("memory_bytes", Some(spec.machine.memory_bytes)),
    ] {
        if bytes == Some(0) {
            found.add(setting, "is 0".into(), "say how large it is");
        }
    }
    if !pressure.enabled {
        return;
    }
    for resource in Resource::ALL {
        let Some(marks) = spec.marks(resource) else { continue };
        let Marks { normal, medium, high } = marks;
        let shown = format!("Normal={normal} Medium={medium} High={high}");
        if !(1 <= normal && normal < medium && medium < high) {
            // The formulas give such marks only where a drive or memory is too small for them.
            let message = format!("has the marks {shown}, which must rise from 1 on");
            found.add(resource.name(), message, "state them, or give it more room than the formula keeps free");
        } else if resource != Resource::VersionBuckets && high > 100 {
            found.add(resource.name(), format!("has the marks {shown}, which are percent"), "lower them to 100");
        }
    }
}
