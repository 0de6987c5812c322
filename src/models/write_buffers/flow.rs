//! One response on its way, event by event: the sender, the link in both directions, the client.
//!
//! Not a calendar of events: everything is in order already. Segments keep theirs on the link and so do
//! acknowledgements, and the sender does something only when an acknowledgement arrives. So the walk goes from one of
//! those to the next, and what a segment does at the client is worked out when it is sent. Called by `Transfer`.
//!
//! Why no acknowledgement is missed that way: the client's timer is looked at when a later segment arrives, or when no
//! acknowledgement is under way. Those that are under way were made before the timer that runs now was started, so they
//! arrive no later than what it will send. Whether a segment that one of them lets go is there before the timer ends,
//! the segment's arrival says.
//!
//! The rules, each in one function; at equal times segments arrive before a timer ends, and acknowledgements arrive one
//! after the other:
//!
//! 1. A write begins when `WriteReturns` allows it (`WriteBuffersSpec::may_write`). What may be sent is sent before the
//!    next one begins.
//! 2. A segment has at most the MSS and never more than the window. Without Nagle's algorithm it ends where its write
//!    does.
//! 3. A segment is sent only when all of it fits into the window. Nagle's algorithm lets one below the MSS go only if
//!    nothing is unacknowledged.
//! 4. A direction of the link carries one packet after the other.

use std::collections::VecDeque;

use super::spec::{Acks, Assumptions, Held, Link, Nagle, Opening, WriteBuffersSpec, WriteReturns};
use super::{Step, Transfer};
use crate::time::Nanos;

/// See [`Transfer::told`].
pub(super) fn walk(spec: &WriteBuffersSpec, bytes: u64, tell: impl FnMut(Step)) -> Transfer {
    let own = &spec.assumptions;
    assert!(own.mss > 0, "a segment has at least one byte");
    assert!(own.window_bytes > 0, "the window has at least one byte");
    assert!(own.send_buffer_bytes > 0, "the send buffer has at least one byte");
    assert!(own.buffers_per_connection > 0, "a connection has at least one buffer");
    assert!(spec.link.bits_per_second != Some(0), "a link carries something");
    let mut flow = Flow::new(spec, bytes, tell);
    flow.send_and_write();
    while let Some((at, up_to)) = flow.next_ack() {
        flow.acknowledge(at, up_to);
        flow.send_and_write();
    }
    assert!(flow.acknowledged == bytes, "all is acknowledged in the end");
    flow.books()
}

/// One direction of the link.
#[derive(Clone, Copy)]
struct Line {
    link: Link,
    free_at: Nanos,
}

impl Line {
    /// A packet is handed over at a moment: when its first byte leaves and when its last one arrives.
    fn carry(&mut self, now: Nanos, bytes: u64) -> (Nanos, Nanos) {
        let leaves = now.max(self.free_at);
        self.free_at = leaves + self.link.time_of(bytes);
        (leaves, self.free_at + self.link.latency)
    }
}

/// What the client has and has not acknowledged.
#[derive(Default)]
struct Client {
    /// Bytes that have arrived.
    got: u64,
    /// Segments that are not acknowledged.
    segments: u32,
    /// Their bytes.
    bytes: u64,
    /// When the timer ends. It runs where there are such segments.
    due: Nanos,
}

impl Client {
    /// A segment arrives: whether it is acknowledged at once.
    fn takes(&mut self, at: Nanos, bytes: u64, own: &Assumptions) -> bool {
        let (timer, at_once) = match own.acks {
            Acks::EachSegment => return self.has(bytes, true),
            Acks::EverySecondSegment { timer } => (timer, self.segments == 1),
            Acks::EverySecondFullSegment { timer } => (timer, self.bytes + bytes >= 2 * u64::from(own.mss)),
        };
        if self.segments == 0 {
            self.due = at + timer;
        }
        self.has(bytes, at_once)
    }

    fn has(&mut self, bytes: u64, acknowledges: bool) -> bool {
        self.got += bytes;
        self.segments += 1;
        self.bytes += bytes;
        acknowledges
    }
}

struct Flow<'a, F> {
    spec: &'a WriteBuffersSpec,
    tell: F,
    bytes: u64,
    buffer: u64,
    /// Bytes of the longest segment.
    most: u64,
    /// Bytes that may be unacknowledged.
    window: u64,
    now: Nanos,
    written: u64,
    sent: u64,
    acknowledged: u64,
    down: Line,
    up: Line,
    client: Client,
    /// Acknowledgements that are under way, in order: when they arrive, and up to where.
    acks: VecDeque<(Nanos, u64)>,
    /// The last write began.
    last_write_at: Nanos,
    sums: Transfer,
}

impl<'a, F: FnMut(Step)> Flow<'a, F> {
    fn new(spec: &'a WriteBuffersSpec, bytes: u64, tell: F) -> Flow<'a, F> {
        let own = &spec.assumptions;
        let window = match own.opening {
            Opening::AtOnce => own.window_bytes,
            Opening::SlowStart { initial_segments } => {
                assert!(initial_segments > 0, "slow start begins with at least one segment");
                own.window_bytes.min(u64::from(initial_segments) * u64::from(own.mss))
            }
        };
        let line = Line { link: spec.link, free_at: Nanos::ZERO };
        Flow {
            spec,
            tell,
            bytes,
            buffer: u64::from(spec.buffer()),
            most: own.window_bytes.min(u64::from(own.mss)),
            window,
            now: Nanos::ZERO,
            written: 0,
            sent: 0,
            acknowledged: 0,
            down: line,
            up: line,
            client: Client::default(),
            acks: VecDeque::new(),
            last_write_at: Nanos::ZERO,
            sums: Transfer { bytes, ..Transfer::default() },
        }
    }

    /// All that can be done at this moment: rules 1 to 3.
    fn send_and_write(&mut self) {
        loop {
            while let Some(bytes) = self.next_segment() {
                self.send(bytes);
            }
            if self.written == self.bytes || !self.spec.may_write(self.written, self.acknowledged) {
                return;
            }
            let bytes = self.buffer.min(self.bytes - self.written);
            self.written += bytes;
            self.last_write_at = self.now;
            self.sums.writes += 1;
            (self.tell)(Step::Write { at: self.now, bytes });
        }
    }

    /// The bytes of the segment that may be sent now, if there is one: rules 2 and 3.
    fn next_segment(&self) -> Option<u64> {
        let (waits, out) = (self.written - self.sent, self.sent - self.acknowledged);
        let bytes = match self.spec.assumptions.nagle {
            Nagle::Off => waits.min(self.most).min(self.buffer - self.sent % self.buffer),
            Nagle::On => waits.min(self.most),
        };
        let is_held_back = self.spec.assumptions.nagle == Nagle::On && bytes < self.most && out > 0;
        (bytes > 0 && out + bytes <= self.window && !is_held_back).then_some(bytes)
    }

    /// A segment goes over the link, and the client does with it what he does.
    fn send(&mut self, bytes: u64) {
        let own = &self.spec.assumptions;
        let on_the_wire = bytes + u64::from(own.header_bytes);
        let (leaves, arrives) = self.down.carry(self.now, on_the_wire);
        (self.tell)(Step::Segment { at: self.now, leaves, arrives, bytes });
        self.sent += bytes;
        self.sums.segments += 1;
        self.sums.small_segments += u64::from(bytes < u64::from(own.mss));
        self.sums.wire_bytes += on_the_wire;
        self.sums.response = arrives;
        if self.client.segments > 0 && self.client.due < arrives {
            self.timer_ends();
        }
        if self.client.takes(arrives, bytes, own) {
            self.ack(arrives);
        }
    }

    fn timer_ends(&mut self) {
        self.sums.late_acks += 1;
        self.ack(self.client.due);
    }

    /// The client acknowledges all that he has.
    fn ack(&mut self, at: Nanos) {
        let header = u64::from(self.spec.assumptions.header_bytes);
        let (_, arrives) = self.up.carry(at, header);
        let up_to = self.client.got;
        self.client = Client { got: up_to, ..Client::default() };
        self.acks.push_back((arrives, up_to));
        self.sums.acks += 1;
        self.sums.wire_bytes += header;
        (self.tell)(Step::Ack { at, arrives, up_to });
    }

    /// The acknowledgement that arrives next; where none is under way, the one that the timer sends.
    fn next_ack(&mut self) -> Option<(Nanos, u64)> {
        if self.acks.is_empty() && self.client.segments > 0 {
            self.timer_ends();
        }
        self.acks.pop_front()
    }

    fn acknowledge(&mut self, at: Nanos, up_to: u64) {
        debug_assert!(at >= self.now, "acknowledgements arrive in order");
        let own = &self.spec.assumptions;
        if own.opening != Opening::AtOnce {
            let more = (up_to - self.acknowledged).min(u64::from(own.mss));
            self.window = own.window_bytes.min(self.window.saturating_add(more));
        }
        self.now = at;
        self.acknowledged = up_to;
    }

    fn books(self) -> Transfer {
        let own = &self.spec.assumptions;
        let acknowledged = self.now;
        let written = match own.write_returns {
            WriteReturns::Accepted => self.last_write_at,
            WriteReturns::Acknowledged => acknowledged,
        };
        let thread_held = match own.held {
            Held::UntilWritten => written,
            Held::UntilAcknowledged => acknowledged,
        };
        Transfer { written, acknowledged, thread_held, ..self.sums }
    }
}
