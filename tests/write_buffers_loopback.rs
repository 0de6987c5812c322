//! The model of write buffers beside the machine's own TCP. Counts are exact; times have a lower bound that holds on
//! any computer, and no upper one. `cargo test --test write_buffers_loopback -- --nocapture` shows both side by side.

#[cfg(target_os = "linux")]
#[path = "write_buffers_loopback/kernel.rs"]
mod kernel;

use atqsim::models::write_buffers::Transfer;
use atqsim::models::write_buffers::spec::{
    Acks, Assumptions, Held, Link, Nagle, Opening, Software, Version, WriteBuffersSpec, WriteReturns,
};
use atqsim::time::Nanos;
use atqsim::verify::loopback::{Measured, NoWitness, Question, Row, Witness, comparable, measure};

/// The mean message of the published loads, in bytes.
const MESSAGE: u64 = 26 << 10;
const BUFFERS: [u32; 5] = [1_024, 8_192, 16_384, 32_768, 65_536];

fn question(max_buffer_size: u32, latency_ms: u64, assumptions: Assumptions) -> Question {
    let spec = WriteBuffersSpec {
        software: Software { version: Version::Exchange2003, is_front_end: true },
        max_buffer_size: Some(max_buffer_size),
        link: Link { latency: Nanos::from_millis(latency_ms), bits_per_second: None },
        assumptions,
    };
    Question { spec, bytes: MESSAGE }
}

/// Writes that return acknowledged, with so many buffers.
fn acknowledged(buffers_per_connection: u32) -> Assumptions {
    let write_returns = WriteReturns::Acknowledged;
    Assumptions { write_returns, buffers_per_connection, ..Assumptions::default() }
}

#[cfg(target_os = "linux")]
fn witness() -> Box<dyn Witness> {
    Box::new(kernel::Kernel)
}

#[cfg(not(target_os = "linux"))]
fn witness() -> Box<dyn Witness> {
    Box::new(NoWitness)
}

fn show(name: &str, rows: &[Row]) {
    println!("{name}: model / measured, medians of {}", rows[0].runs.len());
    for row in rows {
        let first = &row.runs[0];
        println!(
            "{:>6} bytes, {:>7}: {:>2} / {:>2} writes, {:>2} / {} segments, response {:>8} / {:>8}, held {:>8} / {:>8}",
            row.buffer,
            row.latency,
            row.model.writes,
            first.writes,
            row.model.segments,
            first.segments.map_or("?".to_string(), |segments| segments.to_string()),
            row.model.response,
            row.response_median(),
            row.model.thread_held,
            row.held_median(),
        );
    }
}

/// What must hold of every row on every computer.
fn check(rows: &[Row]) {
    for row in rows {
        for run in &row.runs {
            assert_eq!((run.bytes, run.writes), (row.bytes, row.model.writes), "{row:?}");
            // 26 KB are well within the first window, so the system cuts each write into full segments and a rest.
            assert_eq!(run.segments.unwrap_or(row.model.segments), row.model.segments, "{row:?}");
            assert!(run.response >= row.model.response, "faster than light: {row:?}");
            assert!(run.thread_held >= row.model.thread_held, "faster than light: {row:?}");
        }
    }
}

#[test]
fn real_sockets_make_the_writes_and_segments_of_the_model_and_wait_as_often() {
    let each = |latency, own: &Assumptions| BUFFERS.map(|buffer| question(buffer, latency, own.clone()));
    let mut rows = Vec::new();
    let accepted = Assumptions { held: Held::UntilAcknowledged, ..Assumptions::default() };
    for (name, own) in [
        ("writes return as the send buffer takes them", Assumptions::default()),
        ("the same, and the thread is held until all is acknowledged", accepted),
        ("writes return acknowledged", acknowledged(1)),
        ("writes return acknowledged, four buffers", acknowledged(4)),
    ] {
        let questions = [each(1, &own), each(4, &own)].concat();
        let measured = measure(&questions, 3, witness().as_mut()).unwrap();
        show(name, &measured);
        check(&measured);
        rows.extend(measured);
    }
    // By hand: writes, and latencies until the client has all, where writes return acknowledged (see the model's
    // tables).
    let hand = [(26, 51), (4, 7), (2, 3), (1, 1), (1, 1)];
    for ((near, far), (writes, latencies)) in rows[20..25].iter().zip(&rows[25..30]).zip(hand) {
        assert_eq!((near.runs[0].writes, far.runs[0].writes), (writes, writes));
        assert!(near.response_least() >= Nanos::from_millis(latencies));
        assert!(far.response_least() >= Nanos::from_millis(4 * latencies));
    }
    // Writes of 1,024 take 204 ms at the least over 4 ms. That the best of three others takes longer, which wait for 4
    // ms and for 51 ms, would need a computer that stands still in each of them.
    let slowest = rows[25].response_least();
    assert!(rows[28].response_least() < slowest, "one write: {:?}", rows[28]);
    assert!(rows[20].response_least() < slowest, "a nearer client: {:?}", rows[20]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_witness_counts_what_the_system_sends() {
    // Where it knows at all, it knows both, and the MSS is Ethernet's without options.
    let row = &measure(&[question(1_024, 0, acknowledged(1))], 1, witness().as_mut()).unwrap()[0];
    let run = &row.runs[0];
    assert_eq!(run.segments.is_some(), run.mss.is_some());
    if let Some(mss) = run.mss {
        assert!(mss <= kernel::ASKED_MSS && mss > 1_024, "{mss}");
        assert_eq!(run.segments, Some(26));
    }
}

#[test]
fn without_a_witness_nothing_is_said_of_segments() {
    let row = &measure(&[question(8_192, 0, Assumptions::default())], 0, &mut NoWitness).unwrap()[0];
    // At least one run.
    assert_eq!((row.runs.len(), row.runs[0].segments, row.runs[0].mss), (1, None, None));
    assert_eq!((row.runs[0].bytes, row.runs[0].writes), (MESSAGE, 4));
    assert_eq!((row.buffer, row.latency, row.bytes), (8_192, Nanos::ZERO, MESSAGE));
}

#[test]
fn the_models_side_leaves_out_what_the_relay_does_not_do() {
    let timer = Nanos::from_millis(200);
    let own = Assumptions {
        nagle: Nagle::On,
        acks: Acks::EverySecondSegment { timer },
        opening: Opening::SlowStart { initial_segments: 1 },
        window_bytes: 1,
        ..acknowledged(2)
    };
    let mut spec = question(1_024, 3, own).spec;
    spec.link.bits_per_second = Some(1);
    let plain = comparable(&spec, Some(1_448));
    assert_eq!(plain.link, Link { latency: Nanos::from_millis(3), bits_per_second: None });
    // 13 rounds of two writes.
    let transfer = Transfer::of(&plain, MESSAGE);
    assert_eq!((transfer.response, transfer.segments, transfer.acks), (Nanos::from_millis(75), 26, 26));
    assert_eq!((plain.assumptions.mss, comparable(&spec, None).assumptions.mss), (1_448, 1_460));
    assert_eq!((plain.buffer(), plain.assumptions.buffers_per_connection), (1_024, 2));
}

#[test]
fn the_figure_of_several_runs_is_the_middle_one() {
    let run = |response, thread_held| Measured {
        bytes: 1,
        writes: 1,
        segments: None,
        mss: None,
        thread_held: Nanos(thread_held),
        response: Nanos(response),
    };
    let mut row = Row {
        buffer: 1_024,
        latency: Nanos::ZERO,
        bytes: 1,
        model: Transfer::default(),
        runs: vec![run(30, 1), run(10, 3), run(20, 2)],
    };
    assert_eq!((row.response_median(), row.held_median(), row.response_least()), (Nanos(20), Nanos(2), Nanos(10)));
    row.runs.push(run(25, 9));
    assert_eq!((row.response_median(), row.held_median()), (Nanos(20), Nanos(2)));
}
