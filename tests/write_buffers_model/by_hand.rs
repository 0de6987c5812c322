//! Transfers that are worked out by hand.

use atqsim::models::write_buffers::spec::{
    Acks, DELAYED_ACK, Held, Link, Nagle, Opening, WriteBuffersSpec, WriteReturns,
};
use atqsim::models::write_buffers::{Step, Transfer};
use atqsim::time::Nanos;

use super::{MESSAGE, front_end};

fn ms(ms: u64) -> Nanos {
    Nanos::from_millis(ms)
}

/// 100 ms one way.
fn far(value: u32) -> WriteBuffersSpec {
    front_end(value, ms(100))
}

/// Response, written, acknowledged, in milliseconds; more exact times are a mistake here.
fn times(transfer: &Transfer) -> (u64, u64, u64) {
    let whole = |time: Nanos| {
        assert_eq!(time.0 % 1_000_000, 0, "{time}");
        time.0 / 1_000_000
    };
    (whole(transfer.response), whole(transfer.written), whole(transfer.acknowledged))
}

#[test]
fn a_message_over_100_ms_when_writes_return_as_the_send_buffer_takes_them() {
    // A send buffer of 8,192 takes 8 writes of 1,024, and each acknowledgement lets in one more: 26 writes go in rounds
    // of 8, 8, 8 and 2, at 0, 200, 400 and 600 ms. Writes of 8,192: one a round, as the buffer is full with it. 16,384:
    // likewise. 26,624 at once are taken whole; the window lets 12 of 19 segments go (17,520 bytes), the others when
    // those are acknowledged. So do the first 12 segments of 16,384 (16,384 bytes are 12 of them).
    let table = [
        (1_024, (700, 600, 800)),
        (8_192, (700, 600, 800)),
        (16_384, (300, 200, 400)),
        (32_768, (300, 0, 400)),
        (65_536, (300, 0, 400)),
    ];
    for (value, expected) in table {
        assert_eq!(times(&Transfer::of(&far(value), MESSAGE)), expected, "{value}");
    }
    // What that is in time held.
    let mut spec = far(32_768);
    assert_eq!(Transfer::of(&spec, MESSAGE).thread_held, Nanos::ZERO);
    spec.assumptions.held = Held::UntilAcknowledged;
    assert_eq!(Transfer::of(&spec, MESSAGE).thread_held, ms(400));
}

#[test]
fn a_message_over_100_ms_when_writes_return_acknowledged() {
    // One write a round trip; the last one is at the client half a round trip after it began. 26,624 bytes at once need
    // two windows.
    let table = [(1_024, 26), (8_192, 4), (16_384, 2), (32_768, 2)];
    for (value, rounds) in table {
        let mut spec = far(value);
        spec.assumptions.write_returns = WriteReturns::Acknowledged;
        let transfer = Transfer::of(&spec, MESSAGE);
        assert_eq!(times(&transfer), (200 * rounds - 100, 200 * rounds, 200 * rounds), "{value}");
        assert_eq!(transfer.thread_held, transfer.acknowledged);
        spec.assumptions.held = Held::UntilAcknowledged;
        assert_eq!(Transfer::of(&spec, MESSAGE), transfer);
    }
    // With four buffers four writes of 1,024 are out at once: 7 rounds.
    let mut spec = far(1_024);
    spec.assumptions.write_returns = WriteReturns::Acknowledged;
    spec.assumptions.buffers_per_connection = 4;
    assert_eq!(times(&Transfer::of(&spec, MESSAGE)), (1_300, 1_400, 1_400));
    // A window of two segments of 1,024 holds the others back, though their buffers are free.
    spec.assumptions.window_bytes = 3_071;
    assert_eq!(times(&Transfer::of(&spec, MESSAGE)), (2_500, 2_600, 2_600));
}

#[test]
fn every_step_of_three_writes_on_a_slow_link() {
    // A byte takes 1 us. Writes of 1,000 and a last one of 500, 40 bytes of headers; 5 ms one way; a send buffer that
    // is full with two writes.
    let us = Nanos::from_micros;
    let mut spec = front_end(1_000, ms(5));
    spec.link.bits_per_second = Some(8_000_000);
    spec.assumptions.send_buffer_bytes = 2_000;
    let mut steps = Vec::new();
    let transfer = Transfer::told(&spec, 2_500, |step| steps.push(step));
    let expected = [
        Step::Write { at: us(0), bytes: 1_000 },
        Step::Segment { at: us(0), leaves: us(0), arrives: us(6_040), bytes: 1_000 },
        Step::Ack { at: us(6_040), arrives: us(11_080), up_to: 1_000 },
        Step::Write { at: us(0), bytes: 1_000 },
        // The link is taken until 1,040.
        Step::Segment { at: us(0), leaves: us(1_040), arrives: us(7_080), bytes: 1_000 },
        Step::Ack { at: us(7_080), arrives: us(12_120), up_to: 2_000 },
        // The first acknowledgement makes room.
        Step::Write { at: us(11_080), bytes: 500 },
        Step::Segment { at: us(11_080), leaves: us(11_080), arrives: us(16_620), bytes: 500 },
        Step::Ack { at: us(16_620), arrives: us(21_660), up_to: 2_500 },
    ];
    assert_eq!(steps, expected);
    let times = (transfer.response, transfer.written, transfer.acknowledged, transfer.thread_held);
    assert_eq!(times, (us(16_620), us(11_080), us(21_660), us(11_080)));
    assert_eq!(transfer.wire_bytes, 2_500 + 6 * 40);
}

#[test]
fn a_modem_is_slow_whatever_the_buffer() {
    // 56 kbit/s, 50 ms: a byte takes 1/7 ms. 26,624 bytes and 26 or 19 headers of 40 bytes: 27,664 are 3.952 s, and
    // 27,384 are 3.912 s; then 50 ms. The link never waits, as 8 KB under way last for longer than a round trip.
    for (value, expected) in [(1_024, 4_002), (32_768, 3_962)] {
        let mut spec = front_end(value, ms(50));
        spec.link.bits_per_second = Some(56_000);
        let response = Transfer::of(&spec, MESSAGE).response;
        // Each segment's time is rounded up to a nanosecond.
        assert!(response >= ms(expected) && response.0 - ms(expected).0 < 26, "{value}: {response}");
    }
}

#[test]
fn nagles_algorithm_gathers_small_writes() {
    // Nothing is out, so the first 1,024 bytes go at once. The seven writes behind them are 7,168 bytes in the send
    // buffer: four full segments go, and 1,328 bytes wait. The first acknowledgement, at 200 ms, lets a write in, which
    // fills one.
    let mut spec = far(1_024);
    spec.assumptions.nagle = Nagle::On;
    let mut segments = Vec::new();
    let transfer = Transfer::told(&spec, MESSAGE, |step| {
        if let Step::Segment { at, bytes, .. } = step {
            segments.push((at.0 / 1_000_000, bytes));
        }
    });
    assert_eq!(segments[..6], [(0, 1_024), (0, 1_460), (0, 1_460), (0, 1_460), (0, 1_460), (200, 1_460)]);
    // 26,624 - 1,024 are 17 full ones and 780: only the first and the last are small, where each write was before.
    assert_eq!((transfer.writes, transfer.segments, transfer.small_segments), (26, 19, 2));
    // Two writes of 100 bytes: the second waits for the acknowledgement of the first. Without the algorithm it does
    // not.
    let mut spec = far(100);
    assert_eq!(times(&Transfer::of(&spec, 200)), (100, 0, 200));
    spec.assumptions.nagle = Nagle::On;
    assert_eq!(times(&Transfer::of(&spec, 200)), (300, 0, 400));
    // Two more join it meanwhile.
    let transfer = Transfer::of(&spec, 400);
    assert_eq!((times(&transfer), transfer.writes, transfer.segments), ((300, 0, 400), 4, 2));
}

#[test]
fn nagles_algorithm_and_delayed_acknowledgements_wait_for_each_other() {
    // Two writes of 100 bytes, 10 ms one way. The first is there at 10; nothing follows it, so the timer ends at 210
    // and the acknowledgement is back at 220. Then the second goes: it is there at 230, and acknowledged at 430 + 10.
    let mut spec = front_end(100, ms(10));
    spec.assumptions.nagle = Nagle::On;
    for acks in [Acks::EverySecondSegment { timer: DELAYED_ACK }, Acks::EverySecondFullSegment { timer: DELAYED_ACK }] {
        spec.assumptions.acks = acks;
        let transfer = Transfer::of(&spec, 200);
        assert_eq!(times(&transfer), (230, 0, 440), "{acks:?}");
        assert_eq!((transfer.segments, transfer.acks, transfer.late_acks), (2, 2, 2));
    }
    // Without Nagle's algorithm the two are there together: acknowledged as every second segment, or late as they are
    // small.
    spec.assumptions.nagle = Nagle::Off;
    let transfer = Transfer::of(&spec, 200);
    assert_eq!((times(&transfer), transfer.acks, transfer.late_acks), ((10, 0, 220), 1, 1));
    spec.assumptions.acks = Acks::EverySecondSegment { timer: DELAYED_ACK };
    let transfer = Transfer::of(&spec, 200);
    assert_eq!((times(&transfer), transfer.acks, transfer.late_acks), ((10, 0, 20), 1, 0));
}

#[test]
fn delayed_acknowledgements_halve_the_packets_and_can_hold_a_write() {
    // 26 segments of 1,024: 13 acknowledgements, as no segment is left over in rounds of 8, 8, 8 and 2.
    let mut spec = front_end(1_024, ms(100));
    spec.assumptions.acks = Acks::EverySecondSegment { timer: DELAYED_ACK };
    let transfer = Transfer::of(&spec, MESSAGE);
    assert_eq!((transfer.segments, transfer.acks, transfer.late_acks), (26, 13, 0));
    assert_eq!(times(&transfer), (700, 600, 800));
    // A write that returns when it is acknowledged waits for the timer 26 times: 100 + 200 + 100 ms each.
    spec.assumptions.write_returns = WriteReturns::Acknowledged;
    let transfer = Transfer::of(&spec, MESSAGE);
    assert_eq!((transfer.acks, transfer.late_acks), (26, 26));
    assert_eq!(times(&transfer), (25 * 400 + 100, 26 * 400, 26 * 400));
    // Bytes of two full segments are three of 1,024: 8 are two times three and two that wait for the timer, at 100 +
    // 200.
    let mut spec = front_end(1_024, ms(100));
    spec.assumptions.acks = Acks::EverySecondFullSegment { timer: DELAYED_ACK };
    let mut acks = Vec::new();
    let transfer = Transfer::told(&spec, 8 << 10, |step| {
        if let Step::Ack { at, up_to, .. } = step {
            acks.push((at.0 / 1_000_000, up_to));
        }
    });
    assert_eq!(acks, [(100, 3 << 10), (100, 6 << 10), (300, 8 << 10)]);
    assert_eq!((transfer.acks, transfer.late_acks, times(&transfer)), (3, 1, (100, 0, 400)));
}

#[test]
fn a_timer_that_ends_as_a_segment_arrives_ends_after_it() {
    // A byte takes 1 ms, no headers: the second segment of 10 bytes arrives 10 ms after the first.
    let mut spec = front_end(10, ms(50));
    spec.link = Link { latency: ms(50), bits_per_second: Some(8_000) };
    spec.assumptions.header_bytes = 0;
    for (timer, acks) in [(9, 2), (10, 1), (11, 1)] {
        spec.assumptions.acks = Acks::EverySecondSegment { timer: ms(timer) };
        let transfer = Transfer::of(&spec, 20);
        assert_eq!((transfer.acks, transfer.response), (acks, ms(70)), "{timer}");
    }
}

#[test]
fn slow_start_opens_the_window_with_each_acknowledgement() {
    // Everything in one write, a window that holds all of it, two segments at first: 2, 4, 8, and the last 5 of 19.
    let mut spec = far(32_768);
    spec.assumptions.window_bytes = 1 << 20;
    assert_eq!(times(&Transfer::of(&spec, MESSAGE)).0, 100);
    spec.assumptions.opening = Opening::SlowStart { initial_segments: 2 };
    assert_eq!(times(&Transfer::of(&spec, MESSAGE)).0, 700);
    // Three at first: 3, 6, and the last 10 of 12.
    spec.assumptions.opening = Opening::SlowStart { initial_segments: 3 };
    assert_eq!(times(&Transfer::of(&spec, MESSAGE)).0, 500);
    // Half the acknowledgements open it half as fast: 2, 3 (of which 2 are acknowledged at once, the third with the
    // next)...
    spec.assumptions.opening = Opening::SlowStart { initial_segments: 2 };
    spec.assumptions.acks = Acks::EverySecondSegment { timer: DELAYED_ACK };
    let mut sent = Vec::new();
    let _ = Transfer::told(&spec, 5 * 1_460, |step| {
        if let Step::Segment { at, .. } = step {
            sent.push(at.0 / 1_000_000);
        }
    });
    assert_eq!(sent, [0, 0, 200, 200, 200]);
    // The window is never larger than the client's.
    spec.assumptions.acks = Acks::EachSegment;
    spec.assumptions.window_bytes = 3 * 1_460;
    // 2, 3, 3, 3, 3, 3 and 2 of 19.
    assert_eq!(times(&Transfer::of(&spec, MESSAGE)).0, 1_300);
}

#[test]
fn a_window_below_the_mss_is_the_longest_segment() {
    let mut spec = far(1_024);
    spec.assumptions.window_bytes = 600;
    // 600, then 424: a round trip each.
    let transfer = Transfer::of(&spec, 1_024);
    assert_eq!((transfer.segments, times(&transfer)), (2, (300, 0, 400)));
}
