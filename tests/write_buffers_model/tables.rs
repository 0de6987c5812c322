//! The published numbers and conditions, memory, and sums.

use atqsim::models::write_buffers::spec::{
    Acks, Assumptions, DEFAULT_MAX_BUFFER_SIZE, Finding, LARGEST_PUBLISHED, Link, Nagle, Opening, RECOMMENDED_MOST,
    Software, TO_TEST, TooSmall, Version, WriteBuffersSpec,
};
use atqsim::models::write_buffers::{Totals, Transfer};
use atqsim::time::Nanos;

use super::{MESSAGE, front_end};

#[test]
fn who_reads_the_value() {
    use Version::{Exchange2000, Exchange2000Sp1, Exchange2000Sp2, Exchange2000Sp3, Exchange2003};
    // KB 823857: a front-end, Exchange 2000 SP2 or later, Exchange 2003.
    let table = [
        (Exchange2000, false),
        (Exchange2000Sp1, false),
        (Exchange2000Sp2, true),
        (Exchange2000Sp3, true),
        (Exchange2003, true),
    ];
    for (version, knows) in table {
        for is_front_end in [false, true] {
            let mut spec = front_end(32_768, Nanos::ZERO);
            spec.software = Software { version, is_front_end };
            let reads = knows && is_front_end;
            assert_eq!(spec.buffer(), if reads { 32_768 } else { 1_024 }, "{version:?} {is_front_end}");
            assert_eq!(spec.findings(), if reads { vec![] } else { vec![Finding::NotRead] });
        }
    }
}

#[test]
fn what_is_said_of_a_value() {
    use Finding::{AbovePublished, AboveRecommended, NotAMultiple, TooSmall as Below, Zero};
    let table: &[(u32, &[Finding])] = &[
        (0, &[Zero]),
        (1, &[Below]),
        (1_023, &[Below]),
        (1_024, &[]),
        (1_025, &[NotAMultiple]),
        (8_192, &[]),
        (16_384, &[]),
        (32_768, &[]),
        (32_769, &[NotAMultiple, AboveRecommended]),
        (33_792, &[AboveRecommended]),
        // The KB's own number and ExBPA's.
        (65_535, &[NotAMultiple, AboveRecommended]),
        (65_536, &[AboveRecommended]),
        (65_537, &[NotAMultiple, AbovePublished]),
        (66_560, &[AbovePublished]),
        (u32::MAX, &[NotAMultiple, AbovePublished]),
    ];
    for (value, findings) in table {
        assert_eq!(front_end(*value, Nanos::ZERO).findings(), *findings, "{value}");
    }
    let absent = WriteBuffersSpec { max_buffer_size: None, ..front_end(0, Nanos::ZERO) };
    assert_eq!((absent.buffer(), absent.findings()), (1_024, vec![]));
    assert_eq!((DEFAULT_MAX_BUFFER_SIZE, RECOMMENDED_MOST, LARGEST_PUBLISHED), (0x400, 0x8000, 0x1_0000));
    assert_eq!(TO_TEST, [8_192, 16_384, 32_768]);
}

#[test]
fn the_size_of_a_write() {
    // Value, read as it is, read as the default.
    let table = [
        (0, 1_024, 1_024),
        (1, 1, 1_024),
        (1_023, 1_023, 1_024),
        (1_024, 1_024, 1_024),
        (1_025, 1_025, 1_025),
        (u32::MAX, u32::MAX, u32::MAX),
    ];
    for (value, as_it_is, as_default) in table {
        let mut spec = front_end(value, Nanos::ZERO);
        assert_eq!(spec.buffer(), as_it_is);
        spec.assumptions.too_small = TooSmall::ReadAsDefault;
        assert_eq!(spec.buffer(), as_default);
    }
}

#[test]
fn writes_and_segments_of_a_message() {
    // 26 KB are 26,624 bytes, the MSS 1,460: value, writes, segments, segments below the MSS. Each write ends a
    // segment: 8,192 are 5 full ones and 892 bytes, and the last 2,048 of the message 1 and 588; 16,384 are 11 and 324,
    // the last 10,240 are 7 and 20; 26,624 at once are 18 and 344.
    let table = [
        (1_024, 26, 26, 26),
        (8_192, 4, 3 * 6 + 2, 4),
        (16_384, 2, 12 + 8, 2),
        (32_768, 1, 19, 1),
        (65_535, 1, 19, 1),
        (65_536, 1, 19, 1),
    ];
    for (value, writes, segments, small) in table {
        let spec = front_end(value, Nanos::from_millis(20));
        let transfer = Transfer::of(&spec, MESSAGE);
        assert_eq!((transfer.writes, spec.writes_of(MESSAGE)), (writes, writes), "{value}");
        assert_eq!((transfer.segments, transfer.small_segments, transfer.acks), (segments, small, segments), "{value}");
        // 40 bytes of headers for each segment and each acknowledgement.
        assert_eq!(transfer.wire_bytes, MESSAGE + 2 * 40 * segments);
        assert_eq!((transfer.packets(), transfer.bytes, transfer.late_acks), (2 * segments, MESSAGE, 0));
    }
    // Bytes, writes, segments at 8,192.
    for (bytes, writes, segments) in [(0, 0, 0), (1, 1, 1), (1_460, 1, 1), (1_461, 1, 2), (8_192, 1, 6), (8_193, 2, 7)]
    {
        let transfer = Transfer::of(&front_end(8_192, Nanos::ZERO), bytes);
        assert_eq!((transfer.writes, transfer.segments), (writes, segments), "{bytes}");
    }
    assert_eq!(Transfer::of(&front_end(1_024, Nanos::SECOND), 0), Transfer::default());
}

#[test]
fn memory_and_who_fits_into_it() {
    const KIB: u64 = 1 << 10;
    const GIB: u64 = 1 << 30;
    // Value, bytes of a connection with 14 KiB besides, connections in 1 GiB without 288 MiB: 753,664 KiB.
    let table = [
        (1_024, 15 * KIB, 50_244),
        (8_192, 22 * KIB, 34_257),
        (16_384, 30 * KIB, 25_122),
        (32_768, 46 * KIB, 16_384),
        (65_536, 78 * KIB, 9_662),
    ];
    for (value, bytes, fit) in table {
        let spec = front_end(value, Nanos::ZERO);
        assert_eq!((spec.memory_per_connection(), spec.connections_that_fit(GIB)), (bytes, fit), "{value}");
        assert_eq!(spec.connections_that_fit(288 << 20), 0);
        assert_eq!(spec.connections_that_fit(0), 0);
        assert_eq!(spec.connections_that_fit((288 << 20) + bytes), 1);
    }
    // Two buffers each.
    let mut spec = front_end(32_768, Nanos::ZERO);
    spec.assumptions.buffers_per_connection = 2;
    assert_eq!(spec.memory_per_connection(), (64 + 14) * KIB);
    // Neither a huge value nor one that takes nothing is too much.
    let mut spec = front_end(u32::MAX, Nanos::ZERO);
    spec.assumptions.buffers_per_connection = u32::MAX;
    assert_eq!(spec.connections_that_fit(u64::MAX), 1);
    // The published connections of a front-end with 1 GB, at the default value: they fit (aa998453).
    assert!(front_end(1_024, Nanos::ZERO).connections_that_fit(GIB) > 30_000);
}

#[test]
fn time_on_the_link_is_rounded_up() {
    // Bits per second, bytes, nanoseconds.
    let table = [
        (8_000_000_000, 1, 1),
        (8_000_000_000, 1_500, 1_500),
        (1_000_000, 1_500, 12_000_000),
        (56_000, 1_500, 214_285_715),
        (3, 1, 2_666_666_667),
        (u64::MAX, 1, 1),
        (1, u64::MAX, u64::MAX),
    ];
    for (rate, bytes, ns) in table {
        let link = Link { latency: Nanos::ZERO, bits_per_second: Some(rate) };
        assert_eq!(link.time_of(bytes), Nanos(ns), "{bytes} bytes at {rate} bit/s");
        assert_eq!(link.time_of(0), Nanos::ZERO);
    }
    assert_eq!(Link { latency: Nanos::SECOND, bits_per_second: None }.time_of(u64::MAX), Nanos::ZERO);
}

#[test]
fn sums_are_those_of_the_transfers() {
    let (small, large) = (front_end(1_024, Nanos::from_millis(10)), front_end(32_768, Nanos::from_millis(10)));
    let (first, second) = (Transfer::of(&small, MESSAGE), Transfer::of(&large, MESSAGE));
    let mut totals = Totals::default();
    assert_eq!((totals.packets_per_response(), totals.mean_response(), totals.mean_held()), (None, None, None));
    totals.add(&first);
    totals.add(&second);
    assert_eq!((totals.responses, totals.bytes, totals.writes), (2, 2 * MESSAGE, 27));
    assert_eq!((totals.segments, totals.small_segments, totals.acks), (45, 27, 45));
    assert_eq!((totals.packets(), totals.packets_per_response()), (90, Some(45.0)));
    assert_eq!(totals.wire_bytes, 2 * MESSAGE + 90 * 40);
    // 70 and 30 ms, and 60 and 0 ms held: see `by_hand`.
    assert_eq!((totals.response, totals.mean_response()), (Nanos::from_millis(100), Some(Nanos::from_millis(50))));
    assert_eq!((totals.held, totals.mean_held()), (Nanos::from_millis(60), Some(Nanos::from_millis(30))));
    assert_eq!(totals.longest_response, Nanos::from_millis(70));
    let mut others = Totals::default();
    others.add(&second);
    let mut both = Totals::default();
    both.add(&first);
    both.merge(&others);
    assert_eq!(both, totals);
    // 26,624 bytes in 70 ms.
    assert_eq!((first.bits_per_second(), Transfer::default().bits_per_second()), (Some(3_042_742), None));
}

#[test]
#[should_panic(expected = "a segment has at least one byte")]
fn an_mss_of_nothing_is_a_mistake() {
    with(|own| own.mss = 0);
}

#[test]
#[should_panic(expected = "the window has at least one byte")]
fn a_window_of_nothing_is_a_mistake() {
    with(|own| own.window_bytes = 0);
}

#[test]
#[should_panic(expected = "the send buffer has at least one byte")]
fn a_send_buffer_of_nothing_is_a_mistake() {
    with(|own| own.send_buffer_bytes = 0);
}

#[test]
#[should_panic(expected = "a connection has at least one buffer")]
fn no_buffer_at_all_is_a_mistake() {
    with(|own| own.buffers_per_connection = 0);
}

#[test]
#[should_panic(expected = "slow start begins with at least one segment")]
fn a_slow_start_with_nothing_is_a_mistake() {
    with(|own| own.opening = Opening::SlowStart { initial_segments: 0 });
}

#[test]
#[should_panic(expected = "a link carries something")]
fn a_link_that_carries_nothing_is_a_mistake() {
    let link = Link { latency: Nanos::ZERO, bits_per_second: Some(0) };
    let _ = Transfer::of(&WriteBuffersSpec { link, ..front_end(1_024, Nanos::ZERO) }, 1);
}

fn with(change: impl FnOnce(&mut Assumptions)) {
    let mut spec = front_end(1_024, Nanos::SECOND);
    change(&mut spec.assumptions);
    let _ = Transfer::of(&spec, 1);
}

#[test]
fn what_is_assumed_unless_somebody_says_otherwise() {
    let own = Assumptions::default();
    assert_eq!((own.mss, own.header_bytes, own.window_bytes), (1_460, 40, 12 * 1_460));
    assert_eq!((own.nagle, own.acks, own.opening), (Nagle::Off, Acks::EachSegment, Opening::AtOnce));
}
