//! Sums over the responses of a run.
//!
//! Not a distribution: what single responses took is `metrics`' to keep. Added to by whoever asks for transfers, read
//! by reports.

use super::Transfer;
use crate::time::Nanos;

/// Sums over transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Responses.
    pub responses: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their writes.
    pub writes: u64,
    /// Segments with data.
    pub segments: u64,
    /// Those of them below the MSS.
    pub small_segments: u64,
    /// Segments without data, from clients.
    pub acks: u64,
    /// Those of them that a timer sent.
    pub late_acks: u64,
    /// Bytes on all links in both directions, with all headers.
    pub wire_bytes: u64,
    /// How long threads were held, all together.
    pub held: Nanos,
    /// How long responses took, all together.
    pub response: Nanos,
    /// The longest response.
    pub longest_response: Nanos,
}

impl Totals {
    /// Adds one response.
    pub fn add(&mut self, transfer: &Transfer) {
        self.merge(&Totals {
            responses: 1,
            bytes: transfer.bytes,
            writes: transfer.writes,
            segments: transfer.segments,
            small_segments: transfer.small_segments,
            acks: transfer.acks,
            late_acks: transfer.late_acks,
            wire_bytes: transfer.wire_bytes,
            held: transfer.thread_held,
            response: transfer.response,
            longest_response: transfer.response,
        });
    }

    /// Adds the sums of others.
    pub fn merge(&mut self, other: &Totals) {
        self.responses += other.responses;
        self.bytes += other.bytes;
        self.writes += other.writes;
        self.segments += other.segments;
        self.small_segments += other.small_segments;
        self.acks += other.acks;
        self.late_acks += other.late_acks;
        self.wire_bytes += other.wire_bytes;
        self.held += other.held;
        self.response += other.response;
        self.longest_response = self.longest_response.max(other.longest_response);
    }

    /// Packets on all links in both directions.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.segments + self.acks
    }

    /// Packets of a response, on average; `None` where there was none.
    #[must_use]
    pub fn packets_per_response(&self) -> Option<f64> {
        (self.responses > 0).then(|| self.packets() as f64 / self.responses as f64)
    }

    /// How long a response takes on average, rounded down; `None` where there was none.
    #[must_use]
    pub fn mean_response(&self) -> Option<Nanos> {
        self.response.0.checked_div(self.responses).map(Nanos)
    }

    /// How long a response holds its thread on average, rounded down; `None` where there was none.
    #[must_use]
    pub fn mean_held(&self) -> Option<Nanos> {
        self.held.0.checked_div(self.responses).map(Nanos)
    }
}
