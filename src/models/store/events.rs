//! The event log of the Internet Mail Service as an administrator reads it.
//!
//! Ids, codes, source and category of the entries of `MSExchangeIMC` are published, and so is what each says; the
//! sentences are ours, after what the texts are quoted with. Entries of the source `atqsim` are this emulator's own and
//! have no id. Not a file format. Made by the model, to be read by reports.

use crate::time::Nanos;

/// A message, by the number that it was told with. Numbers are used once within a direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(pub u64);

/// `MAPI_E_NETWORK_ERROR`, with event 3039. ATQ: Q169686.
pub const NETWORK_ERROR: u32 = 0x8004_0115;
/// `MAPI_E_FAILONEPROVIDER`, with event 4094. ATQ: Q169686; the name: Q281683.
pub const FAIL_ONE_PROVIDER: u32 = 0x8004_011d;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// 4116: a message went to BAD.
    MovedToBad(MessageId),
    /// 3039: the connection to the store was lost; it is refreshed once.
    ConnectionLost,
    /// 4117: a spool file went to `Imcdata\In\Archive`.
    MovedToArchive(MessageId),
    /// 4094: the refresh failed; the service shuts down.
    RefreshFailed,
    /// 4102: the service has stopped.
    Stopped,
    /// 4023: at its start the service did not get its threads.
    NoWorkThreads,
    /// The refresh was answered; the service goes on.
    Refreshed,
    /// The service was started.
    Started,
    /// The service is logged on.
    LoggedOn,
}

/// How grave an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something failed.
    Error,
    /// Something may be wrong.
    Warning,
    /// Something went on.
    Information,
}

impl Kind {
    /// Its name in a log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Error => "Error",
            Kind::Warning => "Warning",
            Kind::Information => "Information",
        }
    }
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Nanos,
    /// What.
    pub what: What,
}

impl Entry {
    /// The event id; `None` for entries of our own.
    /// ATQ: Q169686; 4023: Q322829.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match self.what {
            What::MovedToBad(_) => Some(4116),
            What::ConnectionLost => Some(3039),
            What::MovedToArchive(_) => Some(4117),
            What::RefreshFailed => Some(4094),
            What::Stopped => Some(4102),
            What::NoWorkThreads => Some(4023),
            What::Refreshed | What::Started | What::LoggedOn => None,
        }
    }

    /// The code that the entry names.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        match self.what {
            What::ConnectionLost => Some(NETWORK_ERROR),
            What::RefreshFailed => Some(FAIL_ONE_PROVIDER),
            _ => None,
        }
    }

    /// `MSExchangeIMC`, or `atqsim` for entries of our own.
    /// ATQ: Q293288.
    #[must_use]
    pub fn source(&self) -> &'static str {
        if self.id().is_some() { "MSExchangeIMC" } else { "atqsim" }
    }

    /// The category; `None` for entries of our own.
    /// ATQ: Q293288.
    #[must_use]
    pub fn category(&self) -> Option<&'static str> {
        self.id().map(|_| "Internal Processing")
    }

    /// How grave it is.
    // Guess: the kinds of the published entries are not at hand.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.what {
            What::ConnectionLost => Kind::Warning,
            What::Refreshed | What::Started | What::LoggedOn => Kind::Information,
            _ => Kind::Error,
        }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        let code = self.code().unwrap_or_default();
        match self.what {
            What::MovedToBad(MessageId(message)) => format!(
                "An error was returned by the messaging software that the Internet Mail Service uses. Message {message} \
                 was moved to BAD."
            ),
            What::ConnectionLost => format!(
                "The connection to the information store returned error 0x{code:08x}. One attempt to refresh it will be \
                 made."
            ),
            What::MovedToArchive(MessageId(message)) => format!(
                "An error occurred while an inbound message was delivered. The spool file of message {message} was \
                 moved to Imcdata\\In\\Archive."
            ),
            What::RefreshFailed => format!(
                "The connection to the information store could not be refreshed: error 0x{code:08x}. The Internet Mail \
                 Service is shutting down."
            ),
            What::Stopped => "The Internet Mail Service has stopped.".to_string(),
            What::NoWorkThreads => {
                "The work threads of the Internet Mail Service could not be initialized.".to_string()
            }
            What::Refreshed => "The connection to the information store is refreshed.".to_string(),
            What::Started => "The Internet Mail Service is started.".to_string(),
            What::LoggedOn => "The Internet Mail Service is logged on to the information store.".to_string(),
        }
    }
}
