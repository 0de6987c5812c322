//! Everything that can refuse, delay or close something on a transport server, by name.
//!
//! Not the rules themselves. Named by effects, by the figures of each group and by reports.

/// What refused, delayed or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Throttle {
    /// `MaxConnectionRatePerMinute`: connections are refused or wait.
    ConnectionRate,
    /// `MaxInboundConnection`: connections are refused.
    InboundConnections,
    /// `MaxInboundConnectionPerSource`: connections are refused.
    InboundPerSource,
    /// `MaxInboundConnectionPercentagePerSource`: connections are refused.
    InboundPercentagePerSource,
    /// `ConnectionInactivityTimeout` of the Receive connector: connections are closed.
    ReceiveInactivity,
    /// `ConnectionTimeout`: connections are closed.
    ConnectionTimeout,
    /// `MaxProtocolErrors`: connections are closed.
    ProtocolErrors,
    /// `TarpitInterval`: answers are delayed.
    Tarpit,
    /// `MaxConcurrentMailboxSubmissions`: submissions wait.
    MailboxSubmissions,
    /// `PickupDirectoryMaxMessagesPerMinute` in the Pickup directory: files wait.
    Pickup,
    /// The same in the Replay directory.
    Replay,
    /// `MaxConcurrentMailboxDeliveries`: messages wait.
    MailboxDeliveries,
    /// `MaxOutboundConnections`: messages wait.
    OutboundConnections,
    /// `MaxPerDomainOutboundConnections`: messages wait.
    PerDomainOutbound,
    /// `ConnectionInactivityTimeOut` of the Send connector: deliveries are cut.
    SendInactivity,
    /// Back pressure at Medium: connections and messages are refused.
    MediumPressure,
    /// Back pressure at High: connections and messages are refused, files and submissions wait.
    HighPressure,
    /// The drive has no room for the message, whatever the level: it is refused, a file waits.
    DriveFull,
    /// The model's own bound: connections and messages are refused.
    ModelBound,
}

impl Throttle {
    /// How many there are.
    pub const COUNT: usize = 19;

    /// All, each at its index.
    pub const ALL: [Throttle; Throttle::COUNT] = [
        Throttle::ConnectionRate,
        Throttle::InboundConnections,
        Throttle::InboundPerSource,
        Throttle::InboundPercentagePerSource,
        Throttle::ReceiveInactivity,
        Throttle::ConnectionTimeout,
        Throttle::ProtocolErrors,
        Throttle::Tarpit,
        Throttle::MailboxSubmissions,
        Throttle::Pickup,
        Throttle::Replay,
        Throttle::MailboxDeliveries,
        Throttle::OutboundConnections,
        Throttle::PerDomainOutbound,
        Throttle::SendInactivity,
        Throttle::MediumPressure,
        Throttle::HighPressure,
        Throttle::DriveFull,
        Throttle::ModelBound,
    ];

    /// Its place among all.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The option, in Microsoft's spelling; `None` where it is none.
    #[must_use]
    pub fn option(self) -> Option<&'static str> {
        Some(match self {
            Throttle::ConnectionRate => "MaxConnectionRatePerMinute",
            Throttle::InboundConnections => "MaxInboundConnection",
            Throttle::InboundPerSource => "MaxInboundConnectionPerSource",
            Throttle::InboundPercentagePerSource => "MaxInboundConnectionPercentagePerSource",
            Throttle::ReceiveInactivity => "ConnectionInactivityTimeout",
            Throttle::ConnectionTimeout => "ConnectionTimeout",
            Throttle::ProtocolErrors => "MaxProtocolErrors",
            Throttle::Tarpit => "TarpitInterval",
            Throttle::MailboxSubmissions => "MaxConcurrentMailboxSubmissions",
            Throttle::Pickup | Throttle::Replay => "PickupDirectoryMaxMessagesPerMinute",
            Throttle::MailboxDeliveries => "MaxConcurrentMailboxDeliveries",
            Throttle::OutboundConnections => "MaxOutboundConnections",
            Throttle::PerDomainOutbound => "MaxPerDomainOutboundConnections",
            Throttle::SendInactivity => "ConnectionInactivityTimeOut",
            Throttle::MediumPressure | Throttle::HighPressure | Throttle::DriveFull | Throttle::ModelBound => {
                return None;
            }
        })
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Throttle::ConnectionRate => "connection rate",
            Throttle::InboundConnections => "inbound connections",
            Throttle::InboundPerSource => "inbound connections of one source",
            Throttle::InboundPercentagePerSource => "one source's share of the remaining connections",
            Throttle::ReceiveInactivity => "inactive inbound connection",
            Throttle::ConnectionTimeout => "inbound connection open too long",
            Throttle::ProtocolErrors => "protocol errors",
            Throttle::Tarpit => "tarpit",
            Throttle::MailboxSubmissions => "mailbox submissions",
            Throttle::Pickup => "pickup rate",
            Throttle::Replay => "replay rate",
            Throttle::MailboxDeliveries => "mailbox deliveries",
            Throttle::OutboundConnections => "outbound connections",
            Throttle::PerDomainOutbound => "outbound connections to one domain",
            Throttle::SendInactivity => "inactive outbound connection",
            Throttle::MediumPressure => "back pressure, Medium",
            Throttle::HighPressure => "back pressure, High",
            Throttle::DriveFull => "drive full",
            Throttle::ModelBound => "bound of the emulator",
        }
    }
}
