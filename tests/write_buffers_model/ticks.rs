//! The same rules from nanosecond to nanosecond, in the plainest way, against the model that goes from event to event.

use atqsim::models::write_buffers::Transfer;
use atqsim::models::write_buffers::spec::{Acks, Held, Link, Nagle, Opening, TooSmall, WriteBuffersSpec, WriteReturns};
use atqsim::time::Nanos;
use proptest::prelude::*;

use super::front_end;

/// A packet: when it arrives, and its bytes (a segment) or the bytes that it acknowledges.
type Packet = (u64, u64);

/// A byte takes one tick. Writes lie in a list of what is left of each.
#[derive(Default)]
struct Ticks {
    /// Bytes of each write that are not sent yet.
    unsent: Vec<u64>,
    /// Ends of writes in the response that have begun.
    ends: Vec<u64>,
    sent: u64,
    acknowledged: u64,
    window: u64,
    /// Under way.
    segments: Vec<Packet>,
    acks: Vec<Packet>,
    down_free: u64,
    up_free: u64,
    /// At the client, not acknowledged: when each arrived, and its bytes.
    held_back: Vec<Packet>,
    got: u64,
    /// When the last write began, and what is counted.
    last_write: u64,
    response: u64,
    count: [u64; 5],
}

const SEGMENTS: usize = 0;
const SMALL: usize = 1;
const ACKS: usize = 2;
const LATE: usize = 3;
const WIRE: usize = 4;

impl Ticks {
    fn act(&mut self, now: u64, spec: &WriteBuffersSpec, bytes: u64) {
        while self.send_one(now, spec) || self.write_one(now, spec, bytes) {}
    }

    fn write_one(&mut self, now: u64, spec: &WriteBuffersSpec, bytes: u64) -> bool {
        let own = &spec.assumptions;
        let written = self.ends.last().copied().unwrap_or(0);
        let may = match own.write_returns {
            WriteReturns::Accepted => written - self.acknowledged < own.send_buffer_bytes,
            WriteReturns::Acknowledged => {
                let out = self.ends.iter().filter(|end| **end > self.acknowledged).count();
                out < own.buffers_per_connection as usize
            }
        };
        if written == bytes || !may {
            return false;
        }
        let end = bytes.min(written + u64::from(spec.buffer()));
        self.unsent.push(end - written);
        self.ends.push(end);
        self.last_write = now;
        true
    }

    fn send_one(&mut self, now: u64, spec: &WriteBuffersSpec) -> bool {
        let own = &spec.assumptions;
        let longest = u64::from(own.mss).min(own.window_bytes);
        let out = self.sent - self.acknowledged;
        let waits = if own.nagle == Nagle::Off {
            self.unsent.iter().copied().find(|rest| *rest > 0).unwrap_or(0)
        } else {
            self.unsent.iter().sum()
        };
        let segment = waits.min(longest);
        let is_small = segment < longest;
        if segment == 0 || out + segment > self.window || (own.nagle == Nagle::On && is_small && out > 0) {
            return false;
        }
        let mut rest = segment;
        for unsent in &mut self.unsent {
            let taken = rest.min(*unsent);
            *unsent -= taken;
            rest -= taken;
        }
        self.sent += segment;
        let wire = segment + u64::from(own.header_bytes);
        self.down_free = self.down_free.max(now) + wire;
        self.segments.push((self.down_free + spec.link.latency.0, segment));
        self.count[SEGMENTS] += 1;
        self.count[SMALL] += u64::from(segment < u64::from(own.mss));
        self.count[WIRE] += wire;
        true
    }

    fn ack(&mut self, now: u64, spec: &WriteBuffersSpec) {
        let header = u64::from(spec.assumptions.header_bytes);
        self.up_free = self.up_free.max(now) + header;
        self.acks.push((self.up_free + spec.link.latency.0, self.got));
        self.held_back.clear();
        self.count[ACKS] += 1;
        self.count[WIRE] += header;
    }

    fn tick(&mut self, now: u64, spec: &WriteBuffersSpec, bytes: u64) {
        let own = &spec.assumptions;
        while self.segments.first().is_some_and(|(arrives, _)| *arrives == now) {
            let segment = self.segments.remove(0);
            self.got += segment.1;
            self.response = now;
            self.held_back.push(segment);
            let enough = match own.acks {
                Acks::EachSegment => true,
                Acks::EverySecondSegment { .. } => self.held_back.len() == 2,
                Acks::EverySecondFullSegment { .. } => {
                    self.held_back.iter().map(|(_, bytes)| bytes).sum::<u64>() >= 2 * u64::from(own.mss)
                }
            };
            if enough {
                self.ack(now, spec);
            }
        }
        if let Acks::EverySecondSegment { timer } | Acks::EverySecondFullSegment { timer } = own.acks
            && self.held_back.first().is_some_and(|(arrived, _)| arrived + timer.0 == now)
        {
            self.count[LATE] += 1;
            self.ack(now, spec);
        }
        while self.acks.first().is_some_and(|(arrives, _)| *arrives == now) {
            let (_, up_to) = self.acks.remove(0);
            if let Opening::SlowStart { .. } = own.opening {
                self.window = own.window_bytes.min(self.window + (up_to - self.acknowledged).min(u64::from(own.mss)));
            }
            self.acknowledged = up_to;
            self.act(now, spec, bytes);
        }
    }
}

fn by_ticks(spec: &WriteBuffersSpec, bytes: u64) -> Transfer {
    let own = &spec.assumptions;
    let window = match own.opening {
        Opening::AtOnce => own.window_bytes,
        Opening::SlowStart { initial_segments } => {
            own.window_bytes.min(u64::from(initial_segments) * u64::from(own.mss))
        }
    };
    let mut ticks = Ticks { window, ..Ticks::default() };
    ticks.act(0, spec, bytes);
    let mut now = 0;
    while ticks.acknowledged < bytes {
        now += 1;
        ticks.tick(now, spec, bytes);
        assert!(now < 1_000_000, "it stands still");
    }
    let written = if own.write_returns == WriteReturns::Accepted { ticks.last_write } else { now };
    let held = if own.held == Held::UntilWritten { written } else { now };
    Transfer {
        bytes,
        writes: ticks.ends.len() as u64,
        segments: ticks.count[SEGMENTS],
        small_segments: ticks.count[SMALL],
        acks: ticks.count[ACKS],
        late_acks: ticks.count[LATE],
        wire_bytes: ticks.count[WIRE],
        written: Nanos(written),
        acknowledged: Nanos(now),
        thread_held: Nanos(held),
        response: Nanos(ticks.response),
    }
}

/// Any specification whose link takes a nanosecond for a byte; all numbers are small, so that everything meets
/// everything.
pub(super) fn any_spec() -> impl Strategy<Value = WriteBuffersSpec> {
    let numbers = (1..40u32, 1..60u64, 1..80u64, 1..20u32, 0..6u32, 1..5u32);
    let choices = (0..3u8, 1..60u64, any::<bool>(), any::<bool>(), any::<bool>(), 0..4u32);
    (numbers, choices, 1..50u64).prop_map(|(numbers, choices, latency)| {
        let (buffer, send_buffer, window, mss, header, buffers) = numbers;
        let (acks, timer, nagle, accepted, until_written, slow) = choices;
        let mut spec = front_end(buffer, Nanos(latency));
        spec.link = Link { latency: Nanos(latency), bits_per_second: Some(8_000_000_000) };
        let own = &mut spec.assumptions;
        own.too_small = TooSmall::TakenAsItIs;
        own.send_buffer_bytes = send_buffer;
        own.window_bytes = window;
        own.mss = mss;
        own.header_bytes = header;
        own.buffers_per_connection = buffers;
        let timer = Nanos(timer);
        own.acks = match acks {
            0 => Acks::EachSegment,
            1 => Acks::EverySecondSegment { timer },
            _ => Acks::EverySecondFullSegment { timer },
        };
        own.nagle = if nagle { Nagle::On } else { Nagle::Off };
        own.write_returns = if accepted { WriteReturns::Accepted } else { WriteReturns::Acknowledged };
        own.held = if until_written { Held::UntilWritten } else { Held::UntilAcknowledged };
        own.opening = if slow == 0 { Opening::AtOnce } else { Opening::SlowStart { initial_segments: slow } };
        spec
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn events_and_ticks_agree(spec in any_spec(), bytes in 0..200u64) {
        prop_assert_eq!(Transfer::of(&spec, bytes), by_ticks(&spec, bytes));
    }
}
