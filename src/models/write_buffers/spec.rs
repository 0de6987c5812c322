//! What the writes of a front-end depend on: software, the registry value, the client's link, and assumptions.
//!
//! Plain data. Documented numbers have `// ATQ:`; every other one is in [`Assumptions`] (`// Guess:`), which an output
//! is to list. One of these describes one service: POP3 and IMAP4 have a `MaxBufferSize` each, with the same published
//! default and advice. Made by whoever describes a server, read by the model; not a reader of registry files.

use crate::time::Nanos;

/// `MaxBufferSize` where there is no such entry, in bytes.
/// ATQ: KB 823857; ExBPA aa998628 (POP3), 753c8517 (IMAP4).
pub const DEFAULT_MAX_BUFFER_SIZE: u32 = 1_024;
/// The value is to be a multiple of this, in bytes; ExBPA reports an error for a value above 0 and below this.
/// ATQ: KB 823857; ExBPA aa998628.
pub const UNIT: u32 = 1_024;
/// Values that the published texts tell administrators to test, in bytes.
/// ATQ: ExBPA aa998628, 753c8517.
pub const TO_TEST: [u32; 3] = [8_192, 16_384, 32_768];
/// The recommended most, in bytes.
/// ATQ: KB 823857.
pub const RECOMMENDED_MOST: u32 = 32_768;
/// The largest value that a published text speaks of, in bytes. There is no hard maximum.
/// ATQ: ExBPA aa998628. KB 823857 has 65,535, which is no multiple of 1,024.
pub const LARGEST_PUBLISHED: u32 = 65_536;

/// The version of Exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Exchange 2000 without a service pack.
    Exchange2000,
    /// Exchange 2000 with service pack 1.
    Exchange2000Sp1,
    /// Exchange 2000 with service pack 2.
    Exchange2000Sp2,
    /// Exchange 2000 with service pack 3.
    Exchange2000Sp3,
    /// Exchange Server 2003.
    Exchange2003,
}

/// What is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Software {
    /// The version of Exchange.
    pub version: Version,
    /// The server is a front-end.
    pub is_front_end: bool,
}

impl Software {
    /// Whether this software reads `MaxBufferSize` at all.
    /// ATQ: KB 823857: front-ends from Exchange 2000 service pack 2 on.
    #[must_use]
    pub fn knows_the_value(self) -> bool {
        self.is_front_end && self.version >= Version::Exchange2000Sp2
    }
}

/// The way between the front-end and a client. Each client has one of his own: nothing is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One way. A round trip takes twice as long.
    pub latency: Nanos,
    /// Bits per second in each direction, above 0; `None`: sending takes no time.
    pub bits_per_second: Option<u64>,
}

impl Link {
    /// How long so many bytes take to pass, rounded up to a nanosecond.
    #[must_use]
    pub fn time_of(&self, bytes: u64) -> Nanos {
        let Some(rate) = self.bits_per_second else { return Nanos::ZERO };
        let ns = (u128::from(bytes) * 8 * u128::from(Nanos::SECOND.0)).div_ceil(u128::from(rate));
        Nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

/// Something about a `MaxBufferSize` that its administrator should be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// The software does not read it: the default holds. Remedy: set it on a front-end of Exchange 2000 SP2 or later.
    NotRead,
    /// It is 0: ExBPA does not call that an error, and no text says what it does. Remedy: remove it.
    Zero,
    /// It is above 0 and below 1,024, which ExBPA reports as an error. Remedy: set a multiple of 1,024.
    TooSmall,
    /// It is no multiple of 1,024. Remedy: set one; the 65,535 of KB 823857 becomes 65,536.
    NotAMultiple,
    /// It is above the recommended 32,768: 65,535 (KB) or 65,536 (ExBPA) may gain still. Remedy: lower it if memory is
    /// short.
    AboveRecommended,
    /// It is above all that is published. Remedy: lower it.
    AbovePublished,
}

/// Everything that the model needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBuffersSpec {
    /// What is installed.
    pub software: Software,
    /// `MaxBufferSize` of the service, in bytes, where it was set.
    pub max_buffer_size: Option<u32>,
    /// The way to the client.
    pub link: Link,
    /// What nothing published settles.
    pub assumptions: Assumptions,
}

impl WriteBuffersSpec {
    /// Bytes of one write, at least 1: what a response is cut into.
    #[must_use]
    pub fn buffer(&self) -> u32 {
        match self.max_buffer_size.filter(|_| self.software.knows_the_value()) {
            None | Some(0) => DEFAULT_MAX_BUFFER_SIZE,
            Some(value) if value < UNIT && self.assumptions.too_small == TooSmall::ReadAsDefault => {
                DEFAULT_MAX_BUFFER_SIZE
            }
            Some(value) => value,
        }
    }

    /// What is to be said about the value, in the order of [`Finding`].
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let Some(value) = self.max_buffer_size else { return Vec::new() };
        let about = [
            (Finding::NotRead, !self.software.knows_the_value()),
            (Finding::Zero, value == 0),
            (Finding::TooSmall, (1..UNIT).contains(&value)),
            (Finding::NotAMultiple, value > UNIT && !value.is_multiple_of(UNIT)),
            (Finding::AboveRecommended, (RECOMMENDED_MOST + 1..=LARGEST_PUBLISHED).contains(&value)),
            (Finding::AbovePublished, value > LARGEST_PUBLISHED),
        ];
        about.into_iter().filter_map(|(finding, holds)| holds.then_some(finding)).collect()
    }

    /// Writes that a response becomes: bytes divided by the buffer, rounded up.
    #[must_use]
    pub fn writes_of(&self, bytes: u64) -> u64 {
        bytes.div_ceil(u64::from(self.buffer()))
    }

    /// Whether the next write may begin when so many bytes of a response have been written and so many of them
    /// acknowledged. See [`WriteReturns`].
    #[must_use]
    pub fn may_write(&self, written: u64, acknowledged: u64) -> bool {
        let buffer = u64::from(self.buffer());
        match self.assumptions.write_returns {
            WriteReturns::Accepted => written - acknowledged < self.assumptions.send_buffer_bytes,
            WriteReturns::Acknowledged => {
                let out = written.div_ceil(buffer) - acknowledged / buffer;
                out < u64::from(self.assumptions.buffers_per_connection)
            }
        }
    }

    /// Bytes that one connection takes.
    /// ATQ: KB 823857: a larger buffer costs memory for each connection, so fewer users fit.
    #[must_use]
    pub fn memory_per_connection(&self) -> u64 {
        let own = &self.assumptions;
        let buffers = u64::from(own.buffers_per_connection) * u64::from(self.buffer());
        buffers.saturating_add(own.other_bytes_per_connection)
    }

    /// Connections that fit into a front-end with so many bytes of memory, if all are of this service.
    #[must_use]
    pub fn connections_that_fit(&self, memory_bytes: u64) -> u64 {
        memory_bytes.saturating_sub(self.assumptions.base_bytes) / self.memory_per_connection().max(1)
    }
}

/// What nothing published settles; each is a choice of ours. KB 823857 says that many small packets hurt on links with
/// a high latency, and not how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// What a value from 1 to 1,023 does. A value of 0 is read as the default: a buffer without bytes writes nothing.
    // Guess: ExBPA calls such a value an error and does not say what the service makes of it; neither for 0.
    pub too_small: TooSmall,
    /// When a write returns, so that the next one may begin.
    // Guess: not published.
    pub write_returns: WriteReturns,
    /// How long a response holds its thread.
    // Guess: not published. A service with asynchronous writes might not hold one at all.
    pub held: Held,
    /// Bytes of the connection's send buffer, at least 1: a write is taken whole while fewer bytes than this wait for
    /// their acknowledgement. It does not matter where writes return when they are acknowledged.
    // Guess: not published for the service. What Winsock documents of SO_SNDBUF would settle the rule and the number.
    pub send_buffer_bytes: u64,
    /// Bytes that may be under way without an acknowledgement, at least 1: the client's receive window.
    // Guess: the client's. 12 segments of 1,460 bytes.
    pub window_bytes: u64,
    /// How the window opens.
    // Guess: the text says nothing of congestion control.
    pub opening: Opening,
    /// Bytes of data in one segment at most, at least 1.
    // Guess: Ethernet's 1,500 bytes without 40 of headers; the client's link may have less.
    pub mss: u32,
    /// Bytes of headers of one segment and of one acknowledgement.
    // Guess: IP and TCP without options (RFC 791, RFC 793), and nothing for the link below them.
    pub header_bytes: u32,
    /// Whether small segments wait.
    // Guess: Nagle's algorithm is not in KB 823857.
    pub nagle: Nagle,
    /// When the client acknowledges.
    // Guess: delayed acknowledgements are not in KB 823857.
    pub acks: Acks,
    /// Buffers that a connection has, each of `MaxBufferSize` bytes, whether it is in use or not; at least 1. So many
    /// writes may be out at once where writes return when they are acknowledged.
    // Guess: not published.
    pub buffers_per_connection: u32,
    /// Bytes that a connection takes besides its buffers.
    // Guess: inetinfo's working set in aa998453 was 221 MB with 15,000 IMAP4 connections, which leaves 15 KiB for all
    // of a connection, and the default buffer is 1 KiB of it.
    pub other_bytes_per_connection: u64,
    /// Bytes that the front-end takes without connections.
    // Guess: not published.
    pub base_bytes: u64,
}

/// See [`Assumptions::too_small`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooSmall {
    /// Writes are as small as it says.
    TakenAsItIs,
    /// As if the value were absent.
    ReadAsDefault,
}

/// See [`Assumptions::write_returns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteReturns {
    /// When its bytes are in the send buffer, which takes them as [`Assumptions::send_buffer_bytes`] says.
    Accepted,
    /// When its last byte is acknowledged. [`Assumptions::buffers_per_connection`] writes may be out.
    Acknowledged,
}

/// See [`Assumptions::held`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Until the last write has returned.
    UntilWritten,
    /// Until the last byte is acknowledged.
    UntilAcknowledged,
}

/// See [`Assumptions::opening`]. Nothing is lost on the link, so the window never closes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// All of [`Assumptions::window_bytes`] at once.
    AtOnce,
    /// As in RFC 2581, section 3.1, for every response anew: so many segments of the MSS at first (at least 1), and the
    /// bytes that it acknowledges more for each acknowledgement, but no more than one MSS.
    SlowStart {
        /// Segments that may be under way at first.
        initial_segments: u32,
    },
}

/// See [`Assumptions::nagle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nagle {
    /// Every write becomes segments of its own at once; no segment has bytes of two writes.
    Off,
    /// A segment below the MSS waits until all is acknowledged that was sent; meanwhile the bytes of further writes
    /// join it. (RFC 896; RFC 1122, section 4.2.3.4.)
    On,
}

/// See [`Assumptions::acks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Every segment at once.
    EachSegment,
    /// Every second segment at once, whatever its length, and otherwise so long after the first that is not yet
    /// acknowledged; above 0.
    EverySecondSegment {
        /// The timer; see [`DELAYED_ACK`].
        timer: Nanos,
    },
    /// As soon as there are bytes of two full segments, and otherwise as above. (RFC 1122, section 4.2.3.2: at least
    /// every second full-sized segment, and within 500 ms.)
    EverySecondFullSegment {
        /// The timer; see [`DELAYED_ACK`].
        timer: Nanos,
    },
}

/// The timer of delayed acknowledgements that is usually named.
// Guess: not in KB 823857.
pub const DELAYED_ACK: Nanos = Nanos::from_millis(200);

impl Default for Assumptions {
    fn default() -> Assumptions {
        Assumptions {
            too_small: TooSmall::TakenAsItIs,
            write_returns: WriteReturns::Accepted,
            held: Held::UntilWritten,
            send_buffer_bytes: 8_192,
            window_bytes: 17_520,
            opening: Opening::AtOnce,
            mss: 1_460,
            header_bytes: 40,
            nagle: Nagle::Off,
            acks: Acks::EachSegment,
            buffers_per_connection: 1,
            other_bytes_per_connection: 14 << 10,
            base_bytes: 288 << 20,
        }
    }
}
