//! The options of a transport server with what they are by default, in words.
//!
//! Not their meaning (`models::transport::spec` says it) and not their reading (`scenario`). Called by `report`.

use super::TransportPlan;
use crate::models::transport::spec::{BackPressure, Limit, ReceiveConnector, SendConnector, ServerOptions};
use crate::models::transport::{Marks, Resource, pressure};
use crate::time::Nanos;

/// Where the options of throttling and their defaults are published.
pub const THROTTLING_PAGE: &str = "the message throttling page of Exchange 2007";
/// Where back pressure and its marks are published.
pub const BACK_PRESSURE_PAGE: &str = "bb201658 (Exchange 2007)";

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    /// Its name, in Microsoft's spelling where it is Microsoft's.
    pub name: &'static str,
    /// What has it: `server`, `Receive connector`, `Send connector`, `resources`.
    pub of: &'static str,
    /// What is in force, without its unit.
    pub value: String,
    /// What it is after setup, on a server of this role.
    pub default: String,
    /// What it counts, after the value: ` a minute`; nothing where the value says it.
    pub unit: &'static str,
}

impl OptionValue {
    /// Whether it is as setup leaves it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.value == self.default
    }

    /// `1,200 a minute (default)`, `60 a minute (set; default 1,200)`.
    #[must_use]
    pub fn text(&self) -> String {
        let OptionValue { value, default, unit, .. } = self;
        if self.is_default() {
            format!("{value}{unit} (default)")
        } else {
            format!("{value}{unit} (set; default {default})")
        }
    }
}

/// Marks of a watched resource, and why they are where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub resource: Resource,
    /// Where its levels begin.
    pub marks: Marks,
    /// What its percentages are of, in bytes; `None`: it is counted.
    pub whole: Option<u64>,
    /// `set`, `default`, or the formula.
    pub origin: String,
}

impl TransportPlan {
    /// Every option with what is in force, in the order of the page.
    #[must_use]
    pub fn options(&self) -> Vec<OptionValue> {
        let spec = &self.spec;
        let mut all = of_server(&spec.server);
        all.extend(of_receive(&spec.receive, &ReceiveConnector::of(spec.role)));
        let send = SendConnector::default().connection_inactivity_time_out;
        let own = spec.send.connection_inactivity_time_out;
        all.push(time("ConnectionInactivityTimeOut", "Send connector", own, send));
        all.extend(of_back_pressure(&spec.back_pressure));
        all
    }

    /// The marks of every resource that is watched; none where back pressure is off.
    #[must_use]
    pub fn watched(&self) -> Vec<Watched> {
        if !self.spec.back_pressure.enabled {
            return Vec::new();
        }
        let of = |resource| {
            let marks = self.spec.marks(resource)?;
            Some(Watched { resource, marks, whole: self.whole(resource), origin: self.origin_of(resource) })
        };
        Resource::ALL.into_iter().filter_map(of).collect()
    }

    fn whole(&self, resource: Resource) -> Option<u64> {
        let machine = &self.spec.machine;
        match resource {
            Resource::QueueDrive => Some(machine.queue_drive_bytes),
            Resource::LogDrive => machine.log_drive_bytes,
            Resource::VersionBuckets => None,
            Resource::PrivateBytes => Some(machine.memory_bytes),
        }
    }

    fn origin_of(&self, resource: Resource) -> String {
        let own = &self.spec.back_pressure;
        let formula = |keeps_free: u64| format!("100 x (size - {} MB) / size, rounded down", keeps_free >> 20);
        let (is_set, by_default) = match resource {
            Resource::QueueDrive => {
                (own.queue_drive.is_some(), formula(pressure::queue_drive_keeps_free(self.spec.version)))
            }
            Resource::LogDrive => (own.log_drive.is_some(), formula(self.spec.assumptions.log_drive_keeps_free)),
            Resource::VersionBuckets => {
                (own.version_buckets != BackPressure::default().version_buckets, "default".to_string())
            }
            Resource::PrivateBytes => (own.private_bytes.is_some(), "75 % of memory, or 1 TB where less".to_string()),
        };
        if is_set { "set".to_string() } else { by_default }
    }
}

fn of_server(own: &ServerOptions) -> Vec<OptionValue> {
    let (of, default) = ("server", ServerOptions::default());
    vec![
        number(
            "MaxConcurrentMailboxDeliveries",
            of,
            own.max_concurrent_mailbox_deliveries,
            default.max_concurrent_mailbox_deliveries,
            " threads",
        ),
        number(
            "MaxConcurrentMailboxSubmissions",
            of,
            own.max_concurrent_mailbox_submissions,
            default.max_concurrent_mailbox_submissions,
            " threads",
        ),
        number(
            "MaxConnectionRatePerMinute",
            of,
            own.max_connection_rate_per_minute,
            default.max_connection_rate_per_minute,
            " a minute",
        ),
        limit("MaxOutboundConnections", of, own.max_outbound_connections, default.max_outbound_connections),
        limit(
            "MaxPerDomainOutboundConnections",
            of,
            own.max_per_domain_outbound_connections,
            default.max_per_domain_outbound_connections,
        ),
        number(
            "PickupDirectoryMaxMessagesPerMinute",
            of,
            own.pickup_directory_max_messages_per_minute,
            default.pickup_directory_max_messages_per_minute,
            " a minute",
        ),
    ]
}

fn of_receive(own: &ReceiveConnector, default: &ReceiveConnector) -> Vec<OptionValue> {
    let of = "Receive connector";
    vec![
        time(
            "ConnectionInactivityTimeout",
            of,
            own.connection_inactivity_timeout,
            default.connection_inactivity_timeout,
        ),
        time("ConnectionTimeout", of, own.connection_timeout, default.connection_timeout),
        limit("MaxInboundConnection", of, own.max_inbound_connection, default.max_inbound_connection),
        number(
            "MaxInboundConnectionPercentagePerSource",
            of,
            own.max_inbound_connection_percentage_per_source,
            default.max_inbound_connection_percentage_per_source,
            " % of the remaining",
        ),
        limit(
            "MaxInboundConnectionPerSource",
            of,
            own.max_inbound_connection_per_source,
            default.max_inbound_connection_per_source,
        ),
        limit("MaxProtocolErrors", of, own.max_protocol_errors, default.max_protocol_errors),
        time("TarpitInterval", of, own.tarpit_interval, default.tarpit_interval),
    ]
}

fn of_back_pressure(own: &BackPressure) -> Vec<OptionValue> {
    let (of, default) = ("resources", BackPressure::default());
    let on = |enabled: bool| if enabled { "on" } else { "off" }.to_string();
    let mut all =
        vec![OptionValue { name: "back pressure", of, value: on(own.enabled), default: on(default.enabled), unit: "" }];
    if own.enabled {
        let (every, usual) = (own.resource_monitoring_interval, default.resource_monitoring_interval);
        all.push(time("ResourceMonitoringInterval", of, every, usual));
        let (percent, usual) = (own.dehydration_percent, default.dehydration_percent);
        all.push(number("messages are dehydrated from", of, percent, usual, " % of memory"));
    }
    all
}

/// `1,200`.
fn digits(n: u32) -> String {
    match n {
        0..1_000 => n.to_string(),
        _ => format!("{},{:03}", digits(n / 1_000), n % 1_000),
    }
}

fn number(name: &'static str, of: &'static str, value: u32, default: u32, unit: &'static str) -> OptionValue {
    OptionValue { name, of, value: digits(value), default: digits(default), unit }
}

fn limit(name: &'static str, of: &'static str, value: Limit, default: Limit) -> OptionValue {
    let text = |limit: Limit| match limit {
        Limit::At(most) => digits(most),
        Limit::Unlimited => limit.text(),
    };
    OptionValue { name, of, value: text(value), default: text(default), unit: "" }
}

fn time(name: &'static str, of: &'static str, value: Nanos, default: Nanos) -> OptionValue {
    OptionValue { name, of, value: value.to_string(), default: default.to_string(), unit: "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!([0, 999, 1_200, 1_000_007].map(digits), ["0", "999", "1,200", "1,000,007"]);
        let set = number("MaxConnectionRatePerMinute", "server", 60, 1_200, " a minute");
        assert_eq!(set.text(), "60 a minute (set; default 1,200)");
        assert_eq!(limit("MaxInboundConnection", "", Limit::At(5_000), Limit::At(5_000)).text(), "5,000 (default)");
        let unlimited = limit("MaxInboundConnection", "", Limit::Unlimited, Limit::At(5_000));
        assert_eq!((unlimited.text().as_str(), unlimited.is_default()), ("unlimited (set; default 5,000)", false));
    }
}
