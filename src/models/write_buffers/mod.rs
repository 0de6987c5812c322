//! Write buffers of a POP3 or IMAP4 front-end (KB 823857): what one response costs on the way to its client.
//!
//! [`Transfer::of`] is told how many bytes a response has and works out its writes of `MaxBufferSize` bytes, the
//! segments and acknowledgements that they become, when the client has the last byte, and how long the thread is held.
//! Exact, in integer nanoseconds, and in time proportional to writes and segments (`flow` walks them). [`Totals`] adds
//! transfers up; `spec` says what all depends on, and how many connections fit into memory.
//!
//! Not a network: one connection that is open already, on a link of its own on which nothing is lost, reordered or
//! shared. Not a load and not a service: how many responses there are, how long they take to make and who waits for a
//! thread is the engine's, in which [`Transfer::thread_held`] is the last of a command's phases.
//!
//! Opening and closing the connection and the client's own commands are not in it. A late acknowledgement is not
//! carried by the client's next command.

mod flow;
pub mod spec;
pub mod totals;

pub use totals::Totals;

use self::spec::WriteBuffersSpec;
use crate::time::Nanos;

/// What one response comes to. All times count from the begin of its first write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes of the response.
    pub bytes: u64,
    /// Writes: bytes divided by the buffer, rounded up.
    pub writes: u64,
    /// Segments with data.
    pub segments: u64,
    /// Those of them that have less than the MSS.
    pub small_segments: u64,
    /// Segments without data, from the client.
    pub acks: u64,
    /// Those of them that the timer of delayed acknowledgements sent.
    pub late_acks: u64,
    /// Bytes on the link in both directions, with all headers.
    pub wire_bytes: u64,
    /// The last write has returned.
    pub written: Nanos,
    /// The last byte is acknowledged.
    pub acknowledged: Nanos,
    /// The thread is free: one of the two above, as [`spec::Held`] says.
    pub thread_held: Nanos,
    /// The client has the last byte.
    pub response: Nanos,
}

impl Transfer {
    /// Works out one response. One without bytes is not written and takes no time.
    ///
    /// # Panics
    /// If the specification has a 0 where it asks for at least 1.
    #[must_use]
    pub fn of(spec: &WriteBuffersSpec, bytes: u64) -> Transfer {
        Transfer::told(spec, bytes, |_| ())
    }

    /// The same, and tells what happens. Writes and segments come in their order, and so do acknowledgements; an
    /// acknowledgement is told when it is sent, though it arrives later.
    ///
    /// # Panics
    /// As [`Transfer::of`] does.
    pub fn told(spec: &WriteBuffersSpec, bytes: u64, tell: impl FnMut(Step)) -> Transfer {
        flow::walk(spec, bytes, tell)
    }

    /// Packets on the link in both directions.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.segments + self.acks
    }

    /// Bits of the response per second until the client has it, rounded down; `None` where that takes no time.
    #[must_use]
    pub fn bits_per_second(&self) -> Option<u64> {
        let bits = u128::from(self.bytes) * 8 * u128::from(Nanos::SECOND.0);
        let rate = bits.checked_div(u128::from(self.response.0))?;
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

/// Something that happens to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A write begins.
    Write {
        /// When.
        at: Nanos,
        /// Its bytes.
        bytes: u64,
    },
    /// A segment is sent.
    Segment {
        /// TCP hands it to the link.
        at: Nanos,
        /// Its first byte is on the link: later than `at` where others are before it.
        leaves: Nanos,
        /// Its last byte is at the client.
        arrives: Nanos,
        /// Its bytes, without headers.
        bytes: u64,
    },
    /// The client acknowledges.
    Ack {
        /// It is made.
        at: Nanos,
        /// It is at the server.
        arrives: Nanos,
        /// So many bytes of the response are acknowledged.
        up_to: u64,
    },
}
