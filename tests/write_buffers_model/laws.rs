//! Laws that hold for every transfer, and formulas where everything but the latency is out of the way.

use atqsim::models::write_buffers::spec::{Acks, Link, Nagle, WriteBuffersSpec, WriteReturns};
use atqsim::models::write_buffers::{Step, Totals, Transfer};
use atqsim::time::Nanos;
use proptest::prelude::*;

use super::front_end;
use super::ticks::any_spec;

fn steps(spec: &WriteBuffersSpec, bytes: u64) -> (Transfer, Vec<Step>) {
    let mut steps = Vec::new();
    let transfer = Transfer::told(spec, bytes, |step| steps.push(step));
    (transfer, steps)
}

/// Any specification on any link.
fn any_link() -> impl Strategy<Value = WriteBuffersSpec> {
    let rate = prop_oneof![Just(None), (1_000_000..100_000_000_000u64).prop_map(Some)];
    (any_spec(), 0..2_000u64, rate).prop_map(|(spec, latency, bits_per_second)| WriteBuffersSpec {
        link: Link { latency: Nanos(latency), bits_per_second },
        ..spec
    })
}

/// The same, where nothing waits for a timer and no segment's length depends on the time.
fn plain() -> impl Strategy<Value = WriteBuffersSpec> {
    any_link().prop_map(|mut spec| {
        spec.assumptions.nagle = Nagle::Off;
        spec.assumptions.acks = Acks::EachSegment;
        spec
    })
}

/// What is known of a transfer at a moment of the sender.
#[derive(Default)]
struct Seen {
    written: u64,
    sent: u64,
    arrived: u64,
    last_arrival: Nanos,
    last_ack: (Nanos, u64),
    acks: Vec<(Nanos, u64)>,
}

impl Seen {
    /// Bytes that the sender may know to be acknowledged by now, at most.
    fn acknowledged(&self, now: Nanos) -> u64 {
        self.acks.iter().filter(|(arrives, _)| *arrives <= now).map(|(_, up_to)| *up_to).max().unwrap_or(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_is_written_sent_and_acknowledged_once_and_no_limit_is_exceeded(
        spec in any_link(),
        bytes in 0..300u64,
    ) {
        let (transfer, steps) = steps(&spec, bytes);
        let own = &spec.assumptions;
        let mut seen = Seen::default();
        let (mut writes, mut segments) = (0, 0);
        for step in steps {
            match step {
                Step::Write { at, bytes: piece } => {
                    let is_last = seen.written + piece == bytes;
                    prop_assert!(piece == u64::from(spec.buffer()) || is_last && piece > 0);
                    prop_assert!(spec.may_write(seen.written, seen.acknowledged(at)));
                    seen.written += piece;
                    writes += 1;
                }
                Step::Segment { at, leaves, arrives, bytes: piece } => {
                    prop_assert!(piece > 0 && piece <= u64::from(own.mss));
                    prop_assert!(leaves >= at && arrives >= leaves + spec.link.latency);
                    prop_assert!(arrives >= seen.last_arrival, "segments overtake each other");
                    let out = seen.sent - seen.acknowledged(at);
                    prop_assert!(out + piece <= own.window_bytes);
                    if own.nagle == Nagle::On && u64::from(own.mss) <= own.window_bytes && out > 0 {
                        prop_assert_eq!(piece, u64::from(own.mss));
                    }
                    seen.sent += piece;
                    seen.arrived += piece;
                    seen.last_arrival = arrives;
                    segments += 1;
                    prop_assert!(seen.sent <= seen.written);
                }
                Step::Ack { at, arrives, up_to } => {
                    prop_assert!(up_to > seen.last_ack.1 && up_to <= seen.arrived && arrives >= seen.last_ack.0);
                    prop_assert!(arrives >= at + spec.link.latency);
                    seen.last_ack = (arrives, up_to);
                    seen.acks.push((arrives, up_to));
                }
            }
        }
        prop_assert_eq!((seen.written, seen.sent, seen.last_ack.1), (bytes, bytes, bytes));
        prop_assert_eq!((transfer.writes, transfer.segments), (writes, segments));
        prop_assert_eq!(transfer.writes, spec.writes_of(bytes));
        prop_assert_eq!(transfer.acks, seen.acks.len() as u64);
        prop_assert_eq!((transfer.response, transfer.acknowledged), (seen.last_arrival, seen.last_ack.0));
        let headers = u64::from(own.header_bytes) * transfer.packets();
        prop_assert_eq!(transfer.wire_bytes, bytes + headers);
        prop_assert!(transfer.acks <= transfer.segments && transfer.late_acks <= transfer.acks);
        prop_assert!(transfer.written <= transfer.acknowledged && transfer.response <= transfer.acknowledged);
        prop_assert!(transfer.segments >= bytes.div_ceil(u64::from(own.mss)));
        // The link is no faster than it is.
        prop_assert!(bytes == 0 || transfer.response >= spec.link.latency + spec.link.time_of(bytes));
    }

    #[test]
    fn without_nagles_algorithm_every_write_ends_a_segment(spec in any_link(), bytes in 0..300u64) {
        let mut spec = spec;
        spec.assumptions.nagle = Nagle::Off;
        let longest = spec.assumptions.window_bytes.min(u64::from(spec.assumptions.mss));
        let buffer = u64::from(spec.buffer());
        let segments = bytes / buffer * buffer.div_ceil(longest) + (bytes % buffer).div_ceil(longest);
        prop_assert_eq!(Transfer::of(&spec, bytes).segments, segments);
    }

    #[test]
    fn a_worse_link_is_never_faster(
        spec in plain(),
        bytes in 0..300u64,
        latency in 0..1_000u64,
        slower in 2..10u64,
        header in 0..10u32,
    ) {
        let base = Transfer::of(&spec, bytes);
        let mut later = spec.clone();
        later.link.latency += Nanos(latency);
        let mut narrower = spec.clone();
        narrower.link.bits_per_second = Some(spec.link.bits_per_second.unwrap_or(1_000_000_000_000) / slower);
        let mut heavier = spec.clone();
        heavier.assumptions.header_bytes += header;
        for worse in [later, narrower, heavier] {
            let worse = Transfer::of(&worse, bytes);
            prop_assert!(worse.response >= base.response);
            prop_assert!(worse.written >= base.written);
            prop_assert!(worse.acknowledged >= base.acknowledged);
            prop_assert!(worse.thread_held >= base.thread_held);
            prop_assert_eq!((worse.writes, worse.segments, worse.acks), (base.writes, base.segments, base.acks));
        }
    }

    #[test]
    fn more_room_is_never_slower(spec in plain(), bytes in 0..300u64, more in 1..100u64) {
        let base = Transfer::of(&spec, bytes);
        let longest_is_the_mss = spec.assumptions.window_bytes >= u64::from(spec.assumptions.mss);
        let mut wider = spec.clone();
        // A window below the MSS makes the segments.
        wider.assumptions.window_bytes += if longest_is_the_mss { more } else { 0 };
        let mut deeper = spec.clone();
        deeper.assumptions.send_buffer_bytes += more;
        let mut richer = spec.clone();
        richer.assumptions.buffers_per_connection += more as u32;
        for better in [wider, deeper, richer] {
            let better = Transfer::of(&better, bytes);
            prop_assert!(better.response <= base.response);
            prop_assert!(better.written <= base.written);
            prop_assert!(better.acknowledged <= base.acknowledged);
        }
    }

    /// Bandwidth and window out of the way: writes go in rounds, and a round is two latencies.
    #[test]
    fn only_the_latency_is_left(
        buffer in 1..3_000u32,
        bytes in 1..100_000u64,
        latency in 0..1_000_000_000u64,
        send_buffer in 1..20_000u64,
        buffers in 1..9u32,
        mss in 100..2_000u32,
    ) {
        let mut spec = front_end(buffer, Nanos(latency));
        spec.assumptions.window_bytes = u64::MAX;
        spec.assumptions.send_buffer_bytes = send_buffer;
        spec.assumptions.buffers_per_connection = buffers;
        spec.assumptions.mss = mss;
        let writes = bytes.div_ceil(u64::from(buffer));
        // Acknowledged: so many writes a round as there are buffers.
        spec.assumptions.write_returns = WriteReturns::Acknowledged;
        let rounds = writes.div_ceil(u64::from(buffers));
        let transfer = Transfer::of(&spec, bytes);
        prop_assert_eq!(transfer.response, Nanos(latency) * (2 * rounds - 1));
        prop_assert_eq!(transfer.written, Nanos(latency) * (2 * rounds));
        prop_assert_eq!(transfer.acknowledged, transfer.written);
        // Accepted: so many as begin before the send buffer is full.
        spec.assumptions.write_returns = WriteReturns::Accepted;
        let rounds = writes.div_ceil(send_buffer.div_ceil(u64::from(buffer)));
        let transfer = Transfer::of(&spec, bytes);
        prop_assert_eq!(transfer.response, Nanos(latency) * (2 * rounds - 1));
        prop_assert_eq!(transfer.written, Nanos(latency) * (2 * rounds - 2));
        prop_assert_eq!(transfer.acknowledged, Nanos(latency) * (2 * rounds));
    }

    /// One write that fits the window, on a link with a bandwidth: its bytes one after the other, then the latency.
    #[test]
    fn one_write_takes_its_bytes_and_a_latency(bytes in 1..60_000u32, latency in 0..1_000_000u64, mss in 1..2_000u32) {
        let mut spec = front_end(65_536, Nanos(latency));
        // A byte takes 10 ns.
        spec.link.bits_per_second = Some(800_000_000);
        spec.assumptions.window_bytes = 65_536;
        spec.assumptions.mss = mss;
        let transfer = Transfer::of(&spec, u64::from(bytes));
        let segments = u64::from(bytes.div_ceil(mss));
        prop_assert_eq!((transfer.writes, transfer.segments), (1, segments));
        let down = (u64::from(bytes) + 40 * segments) * 10;
        prop_assert_eq!(transfer.response, Nanos(latency + down));
        prop_assert_eq!(transfer.written, Nanos::ZERO);
        prop_assert_eq!(transfer.acknowledged, Nanos(2 * latency + down + 400));
    }

    #[test]
    fn sums_do_not_depend_on_the_order(responses in proptest::collection::vec((any_link(), 0..300u64), 0..20)) {
        let transfers: Vec<Transfer> = responses.iter().map(|(spec, bytes)| Transfer::of(spec, *bytes)).collect();
        let (mut forward, mut backward) = (Totals::default(), Totals::default());
        transfers.iter().for_each(|transfer| forward.add(transfer));
        transfers.iter().rev().for_each(|transfer| backward.add(transfer));
        prop_assert_eq!(forward, backward);
        prop_assert_eq!(forward.responses, transfers.len() as u64);
        prop_assert_eq!(forward.packets(), transfers.iter().map(Transfer::packets).sum::<u64>());
        prop_assert_eq!(forward.held.0, transfers.iter().map(|transfer| transfer.thread_held.0).sum::<u64>());
    }
}

#[test]
fn a_large_response_takes_time_in_proportion_to_its_segments() {
    // 64 MiB: as many steps as there are writes, segments and acknowledgements, and no more.
    let spec = front_end(1_024, Nanos::from_millis(200));
    let (mut steps, bytes) = (0, 64 << 20);
    let transfer = Transfer::told(&spec, bytes, |_| steps += 1);
    assert_eq!(steps, transfer.writes + transfer.segments + transfer.acks);
    // 8 writes a round of 400 ms.
    assert_eq!((transfer.writes, transfer.response), (65_536, Nanos::from_millis(200) * (2 * 8_192 - 1)));
}
