//! The model of write buffers beside the machine's own network: the same responses over TCP sockets of the loopback
//! device.
//!
//! A server writes each response in writes of `MaxBufferSize` bytes, a client reads it, and a relay between them keeps
//! every byte back for the latency of the link, in both directions. Writes are counted and everything is timed; whoever
//! calls can have segments counted by the system too ([`Witness`]). Not a judge: it returns model and measurement side
//! by side. Nothing here decides a figure of the emulator. Called by tests and by whoever shows the rows.
//!
//! What is compared: how often the link's latency is waited for. The relay ends TCP's own acknowledgements, so the
//! client acknowledges in bytes of its own, the count of those that it has after each read, and the server begins a
//! write when the model's `may_write` says so. What is not compared, and left out of the model's side ([`comparable`]):
//! bandwidth, the client's window, slow start, Nagle's algorithm and late acknowledgements.
//!
//! Every measured time is at least the model's, on any computer: the relay counts the latency from the moment at which
//! it has read a byte, and no step is taken before the one that the model has before it. How much longer it is, is the
//! computer's.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use crate::models::write_buffers::Transfer;
use crate::models::write_buffers::spec::{Acks, Held, Link, Nagle, Opening, WriteBuffersSpec, WriteReturns};
use crate::time::Nanos;

/// Bytes that are read at once at most.
const CHUNK: usize = 1 << 16;
/// A socket that is silent for so long, beyond the latency, is an error and not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A response that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// How it is written, and the latency of the link.
    pub spec: WriteBuffersSpec,
    /// Its bytes, at least 1. They are in memory at once, as is what the relay keeps back.
    pub bytes: u64,
}

/// One response over real sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes that the client has read, each with the value that was written.
    pub bytes: u64,
    /// Calls of `write` that the server needed.
    pub writes: u64,
    /// Segments with data that the system says it sent for the server, if the witness knows.
    pub segments: Option<u64>,
    /// The longest segment that the system says it makes, if the witness knows.
    pub mss: Option<u32>,
    /// How long the server's thread was held, as the specification's `held` says.
    pub thread_held: Nanos,
    /// From the begin of the first write until the client had the last byte.
    pub response: Nanos,
}

/// Model and measurement side by side.
#[derive(Clone, Debug)]
pub struct Row {
    /// Bytes of one write.
    pub buffer: u32,
    /// Of the link, one way.
    pub latency: Nanos,
    /// Bytes of the response.
    pub bytes: u64,
    /// What the model says of the link that the relay makes.
    pub model: Transfer,
    /// What was measured, a run each; at least one.
    pub runs: Vec<Measured>,
}

impl Row {
    /// The median of the responses; of an even number, the lower one of the two in the middle.
    #[must_use]
    pub fn response_median(&self) -> Nanos {
        middle(self.runs.iter().map(|run| run.response).collect())
    }

    /// The median of the times that the thread was held, likewise.
    #[must_use]
    pub fn held_median(&self) -> Nanos {
        middle(self.runs.iter().map(|run| run.thread_held).collect())
    }

    /// The shortest response: the one that the computer disturbed least.
    #[must_use]
    pub fn response_least(&self) -> Nanos {
        self.runs.iter().map(|run| run.response).min().unwrap_or_default()
    }
}

fn middle(mut times: Vec<Nanos>) -> Nanos {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Somebody who knows more about the server's sockets than the standard library tells.
pub trait Witness {
    /// The server listens, and nobody has connected yet.
    fn listens(&mut self, _server: &TcpListener) {}

    /// Segments with data that were sent on this socket so far, each once; `None`: he does not know.
    fn segments_sent(&mut self, _server: &TcpStream) -> Option<u64> {
        None
    }

    /// Bytes of the longest segment of this socket; `None`: he does not know.
    fn mss(&mut self, _server: &TcpStream) -> Option<u32> {
        None
    }
}

/// Knows nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoWitness;

impl Witness for NoWitness {}

/// A specification without what the relay does not do: the model's side of a comparison. `mss` where it is known.
#[must_use]
pub fn comparable(spec: &WriteBuffersSpec, mss: Option<u32>) -> WriteBuffersSpec {
    let mut spec = spec.clone();
    spec.link = Link { bits_per_second: None, ..spec.link };
    spec.assumptions.window_bytes = u64::MAX;
    spec.assumptions.opening = Opening::AtOnce;
    spec.assumptions.nagle = Nagle::Off;
    spec.assumptions.acks = Acks::EachSegment;
    spec.assumptions.mss = mss.unwrap_or(spec.assumptions.mss);
    spec
}

/// Sends every response so many times, at least once, in turns: what disturbs the computer for a while disturbs all of
/// them.
///
/// # Errors
/// If a socket cannot be had or fails, or a byte arrives that was not sent.
pub fn measure(questions: &[Question], runs: u32, witness: &mut dyn Witness) -> io::Result<Vec<Row>> {
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); questions.len()];
    for _ in 0..runs.max(1) {
        for (question, measured) in questions.iter().zip(&mut measured) {
            measured.push(once(question, witness)?);
        }
    }
    let row = |(question, runs): (&Question, Vec<Measured>)| Row {
        buffer: question.spec.buffer(),
        latency: question.spec.link.latency,
        bytes: question.bytes,
        model: Transfer::of(&comparable(&question.spec, runs[0].mss), question.bytes),
        runs,
    };
    Ok(questions.iter().zip(measured).map(row).collect())
}

/// One response on connections of its own: client, relay, server.
fn once(question: &Question, witness: &mut dyn Witness) -> io::Result<Measured> {
    let payload: Vec<u8> = (0..question.bytes).map(value_of).collect();
    let latency = Duration::from_nanos(question.spec.link.latency.0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    witness.listens(&listener);
    let (to_server, mut server) = connected(&listener, latency)?;
    let (client, to_client) = connected(&TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, latency)?;
    let (down, up) = ((to_server.try_clone()?, to_client.try_clone()?), (to_client, to_server));
    let mss = witness.mss(&server);
    let before = witness.segments_sent(&server);
    std::thread::scope(|scope| {
        relay(scope, down, latency);
        relay(scope, up, latency);
        let reader = scope.spawn(move || read(client, question.bytes));
        let sent = write(&mut server, &question.spec, &payload);
        // The end goes over the relay too; a server that failed ends it for all.
        let after = witness.segments_sent(&server);
        let ended = server.shutdown(Shutdown::Write);
        drop(server);
        let read = reader.join().map_err(|_| io::Error::other("the client's thread panicked"))?;
        let (sent, (bytes, last_byte)) = (sent?, read?);
        ended?;
        let spec = &question.spec.assumptions;
        let at_the_last_write = spec.held == Held::UntilWritten && spec.write_returns == WriteReturns::Accepted;
        Ok(Measured {
            bytes,
            writes: sent.writes,
            segments: after.zip(before).map(|(after, before)| after - before),
            mss,
            thread_held: span(sent.begun, if at_the_last_write { sent.written } else { sent.acknowledged }),
            response: span(sent.begun, last_byte),
        })
    })
}

/// A byte of every response, by its place.
fn value_of(place: u64) -> u8 {
    (place % 251) as u8
}

fn span(from: Instant, to: Instant) -> Nanos {
    Nanos(u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX))
}

/// Both ends of a connection: who connects, and who accepts. The listener's queue takes it, so one thread has both.
fn connected(listener: &TcpListener, latency: Duration) -> io::Result<(TcpStream, TcpStream)> {
    let connects = TcpStream::connect(listener.local_addr()?)?;
    let (accepts, _) = listener.accept()?;
    for stream in [&connects, &accepts] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE.saturating_add(latency * 2)))?;
    }
    Ok((connects, accepts))
}

/// What the server did.
struct Sent {
    writes: u64,
    begun: Instant,
    /// The last write has returned, and what the client has acknowledged was not waited for.
    written: Instant,
    acknowledged: Instant,
}

/// The server: every write when the model allows it.
fn write(server: &mut TcpStream, spec: &WriteBuffersSpec, payload: &[u8]) -> io::Result<Sent> {
    let (mut writes, mut written, mut acknowledged) = (0, 0, 0);
    let begun = Instant::now();
    for piece in payload.chunks(spec.buffer() as usize) {
        while !spec.may_write(written, acknowledged) {
            acknowledged = acknowledgement(server)?;
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = server.write(rest)?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            writes += 1;
            rest = &rest[taken..];
        }
        written += piece.len() as u64;
    }
    let at_the_last_write = Instant::now();
    while acknowledged < written {
        acknowledged = acknowledgement(server)?;
    }
    Ok(Sent { writes, begun, written: at_the_last_write, acknowledged: Instant::now() })
}

/// The next count of bytes that the client has.
fn acknowledgement(server: &mut TcpStream) -> io::Result<u64> {
    let mut count = [0; 8];
    server.read_exact(&mut count)?;
    Ok(u64::from_le_bytes(count))
}

/// The client: reads to the end and says after each read how much it has. Bytes, and when it had the last.
fn read(mut client: TcpStream, expected: u64) -> io::Result<(u64, Instant)> {
    let mut chunk = vec![0; CHUNK];
    let (mut has, mut last) = (0, Instant::now());
    loop {
        let taken = client.read(&mut chunk)?;
        let now = Instant::now();
        if taken == 0 {
            return Ok((has, last));
        }
        if (has..).zip(&chunk[..taken]).any(|(place, byte)| place >= expected || *byte != value_of(place)) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a byte came that was not sent"));
        }
        has += taken as u64;
        last = now;
        client.write_all(&has.to_le_bytes())?;
    }
}

/// One direction of the relay: what comes goes on when it has been there for the latency. It ends with its source, or
/// when nobody takes what it brings.
fn relay<'scope>(scope: &'scope Scope<'scope, '_>, (from, to): (TcpStream, TcpStream), latency: Duration) {
    let (sender, receiver) = channel();
    scope.spawn(move || take(from, &sender, latency));
    scope.spawn(move || give(to, &receiver));
}

fn take(mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>, latency: Duration) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(taken) = from.read(&mut chunk) {
        let due = Instant::now() + latency;
        if taken == 0 || sender.send((due, chunk[..taken].to_vec())).is_err() {
            return;
        }
    }
}

fn give(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in receiver {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // Whoever has gone already needs no end.
    let _ = to.shutdown(Shutdown::Write);
}
