//! What the information store and the Internet Mail Service are made of: versions, thread values, and assumptions.
//!
//! Plain data. Documented numbers have `// ATQ:`; every other one is in [`Assumptions`] (`// Guess:`), which an output is to
//! list. Made by whoever describes a server, read by the model; not a reader of registry files. Value names keep
//! Microsoft's spelling in documents: `Max Threads(Private+Public)`, which 5.5 writes `Max Threads (Public+Private)`.

use crate::time::Nanos;

/// What Performance Optimizer writes for few users.
/// ATQ: Q169686.
pub const OPTIMIZED_MAX_THREADS: u32 = 0x5;
/// What the workaround writes.
/// ATQ: Q169686.
pub const WORKAROUND_MAX_THREADS: u32 = 0x14;

/// The version of Exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 4.0, where the service is called Internet Mail Connector.
    V40,
    /// 5.0.
    V50,
    /// 5.5.
    V55,
}

/// What the registry of a server sets; `None`: there is no such entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// `Max Threads(Private+Public)`.
    pub max_threads: Option<u32>,
    /// `Background Threads`.
    pub background_threads: Option<u32>,
    /// `Gateway In Threads`.
    pub gateway_in_threads: Option<u32>,
    /// `Gateway Out Threads`.
    pub gateway_out_threads: Option<u32>,
}

impl Registered {
    /// What setup leaves. 5.5 has 50 and 37 whether an entry is there or not.
    /// ATQ: 32: Q169686 (4.0, 5.0); 50 and 37: Q257252 (5.5).
    #[must_use]
    pub fn after_setup(version: Version) -> Registered {
        let max_threads = if version == Version::V55 { None } else { Some(0x20) };
        Registered { max_threads, ..Registered::default() }
    }
}

/// The numbers of threads that a store starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadCounts {
    /// For all calls.
    pub max: u32,
    /// For the store's own work.
    pub background: u32,
    /// From the MTA to `MTS-OUT`.
    pub gateway_in: u32,
    /// From `MTS-IN` to the MTA.
    pub gateway_out: u32,
}

impl ThreadCounts {
    /// The values of a registry, and the defaults where it has none.
    #[must_use]
    pub fn of(version: Version, registered: &Registered) -> ThreadCounts {
        let (max, background) = match version {
            // Guess: 4.0 has the defaults of 5.0 where there is no entry.
            // ATQ: 5.0: 20 and 25 where there is no entry (Q156063).
            Version::V40 | Version::V50 => (20, 25),
            // ATQ: 5.5: 0x32 and 0x25 (Q257252).
            Version::V55 => (0x32, 0x25),
        };
        ThreadCounts {
            max: registered.max_threads.unwrap_or(max),
            background: registered.background_threads.unwrap_or(background),
            // ATQ: 2 and 2 (Q257252, Q282115, Q234065).
            gateway_in: registered.gateway_in_threads.unwrap_or(0x2),
            gateway_out: registered.gateway_out_threads.unwrap_or(0x2),
        }
    }

    /// Sessions that the store has for these threads: `(((Max Threads * 3) / 4 + Background) * 3) / 5 + 1`.
    /// ATQ: Q156063. Guess: each division drops its rest. It limits nothing in the model: no text says what is refused.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        let (max, background) = (u64::from(self.max), u64::from(self.background));
        ((max * 3 / 4 + background) * 3) / 5 + 1
    }
}

/// Everything that the model needs to know before its first stimulus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// The version of Exchange.
    pub version: Version,
    /// The threads.
    pub threads: ThreadCounts,
    /// What nothing published settles.
    pub assumptions: Assumptions,
}

/// What nothing published settles; each is a choice of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// Whether the gateway threads are among `Max Threads`, held as long as the service is logged on.
    // Guess: that they are made when a gateway logs on is published (Q234065), and that a thread added anywhere asks for
    // as much more `Max Threads` (Q282115); that they are held is our reading of both.
    pub gateway_threads_count: bool,
    /// Threads that one call of the service takes, all at once; at least 1.
    // Guess: not published.
    pub threads_per_call: u32,
    /// Sessions of the service that deliver inbound mail: calls that it has out at once.
    // Guess: not published for the store's side.
    pub inbound_sessions: u32,
    /// Sessions of the service that fetch outbound mail.
    // Guess: as above.
    pub outbound_sessions: u32,
    /// A call of the service that has waited for its thread so long has failed; above 0.
    // Guess: not published.
    pub call_patience: Nanos,
    /// A client that has waited so long gives up; [`Nanos::MAX`]: it waits. Above 0.
    // Guess: not published.
    pub client_patience: Nanos,
    /// From the failed call to the one attempt to refresh the connection.
    // Guess: that there is one attempt is published (event 3039), its time is not.
    pub refresh_after: Nanos,
    /// Which messages a failed call costs.
    // Guess: see there.
    pub casualties: Casualties,
    /// From the failed refresh to the end of the service.
    // Guess: not published.
    pub shutdown_takes: Nanos,
    /// From the end of the service to its restart; `None`: nobody starts it again.
    // Guess: who restarts it, and when, is an administrator's matter.
    pub restarted_after: Option<Nanos>,
    /// From the restart to the logon.
    // Guess: not published.
    pub start_takes: Nanos,
    /// Messages that wait in either direction, and clients that wait, at most; one more is refused.
    // Guess: ours, so that nothing grows without bound.
    pub most_waiting: usize,
    /// Time between two values of the curves; 0: none are taken.
    // Guess: ours.
    pub sample_every: Nanos,
}

/// Which messages a failed call costs. Published is the order of the events (4116, 3039, 4117, 4094, 4102) and where
/// messages go (BAD, `Imcdata\In\Archive`), not which message goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Casualties {
    /// The one inbound message whose call failed: what was made of it goes to BAD (4116), its spool file to the archive
    /// (4117). An outbound message stays in `MTS-OUT`. Other calls that wait are withdrawn and made again later.
    OneMessage,
    /// All calls of the service that wait fail together: outbound messages go to BAD (4116), inbound spool files to the
    /// archive (4117).
    ByDirection,
}

impl Default for Assumptions {
    fn default() -> Assumptions {
        Assumptions {
            gateway_threads_count: true,
            threads_per_call: 1,
            inbound_sessions: 2,
            outbound_sessions: 2,
            call_patience: Nanos::from_secs(30),
            client_patience: Nanos::MAX,
            refresh_after: Nanos::SECOND,
            casualties: Casualties::OneMessage,
            shutdown_takes: Nanos::from_secs(5),
            restarted_after: Some(Nanos::from_secs(300)),
            start_takes: Nanos::from_secs(10),
            most_waiting: 1_000_000,
            sample_every: Nanos::from_secs(60),
        }
    }
}
