//! Packets of a Perfetto trace (TrackEvent protobuf): processes, threads, slices, counters, instants, one after the other.
//!
//! An encoder of the few message shapes that are needed, with the field numbers of Perfetto's published
//! `protos/perfetto/trace`. Not what is told (`run::perfetto`), and not the Chrome JSON form, which Perfetto calls legacy. A
//! trace is a row of packets, so it is written as it grows; packets need not be in order of time. Called by `run`.

use crate::time::Nanos;

/// An interned name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(u64);

/// A track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track(u64);

/// What a debug annotation says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Uint(u64),
    /// Yes or no.
    Bool(bool),
    /// Words.
    Text(String),
}

/// Packets in the making.
#[derive(Debug)]
pub struct Packets {
    out: Vec<u8>,
    tracks: u64,
    /// By kind of name (event, category, annotation): those that are interned, the first with number 1.
    names: [Vec<String>; 3],
}

/// All packets are one sequence, whose interned names hold to its end.
const SEQUENCE: u64 = 1;

mod packet {
    pub(super) const PACKET: u32 = 1;
    pub(super) const TIMESTAMP: u32 = 8;
    pub(super) const SEQUENCE_ID: u32 = 10;
    pub(super) const TRACK_EVENT: u32 = 11;
    pub(super) const INTERNED_DATA: u32 = 12;
    pub(super) const SEQUENCE_FLAGS: u32 = 13;
    pub(super) const TRACK_DESCRIPTOR: u32 = 60;
    pub(super) const INCREMENTAL_STATE_CLEARED: u64 = 1;
    pub(super) const NEEDS_INCREMENTAL_STATE: u64 = 2;
}

mod event {
    pub(super) const CATEGORY_IIDS: u32 = 3;
    pub(super) const DEBUG_ANNOTATIONS: u32 = 4;
    pub(super) const TYPE: u32 = 9;
    pub(super) const NAME_IID: u32 = 10;
    pub(super) const TRACK_UUID: u32 = 11;
    pub(super) const COUNTER_VALUE: u32 = 30;
    pub(super) const SLICE_BEGIN: u64 = 1;
    pub(super) const SLICE_END: u64 = 2;
    pub(super) const INSTANT: u64 = 3;
    pub(super) const COUNTER: u64 = 4;
}

mod annotation {
    pub(super) const NAME_IID: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const UINT: u32 = 3;
    pub(super) const STRING: u32 = 6;
}

mod descriptor {
    pub(super) const UUID: u32 = 1;
    pub(super) const NAME: u32 = 2;
    pub(super) const PROCESS: u32 = 3;
    pub(super) const THREAD: u32 = 4;
    pub(super) const PARENT: u32 = 5;
    pub(super) const COUNTER: u32 = 8;
    pub(super) const PROCESS_PID: u32 = 1;
    pub(super) const PROCESS_NAME: u32 = 6;
    pub(super) const THREAD_PID: u32 = 1;
    pub(super) const THREAD_TID: u32 = 2;
    pub(super) const THREAD_NAME: u32 = 5;
    pub(super) const COUNTER_UNIT_NAME: u32 = 6;
}

/// Which list a name is interned in; also the field's number in `InternedData`.
const EVENT: usize = 1;
const CATEGORY: usize = 0;
const ANNOTATION: usize = 2;
const INTERNED_FIELDS: [u32; 3] = [1, 2, 3];

impl Default for Packets {
    fn default() -> Packets {
        let mut packets = Packets { out: Vec::new(), tracks: 0, names: Default::default() };
        packets.packet(None, |out| varint_field(out, packet::SEQUENCE_FLAGS, packet::INCREMENTAL_STATE_CLEARED));
        packets
    }
}

impl Packets {
    /// What was written since this was last asked.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// How many bytes there are to take.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is nothing to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The name of events. Perfetto colours slices by it.
    pub fn name(&mut self, name: &str) -> Name {
        self.intern(EVENT, name)
    }

    /// A category of events, to filter by.
    pub fn category(&mut self, name: &str) -> Name {
        self.intern(CATEGORY, name)
    }

    /// The name of a debug annotation.
    pub fn annotation(&mut self, name: &str) -> Name {
        self.intern(ANNOTATION, name)
    }

    fn intern(&mut self, kind: usize, name: &str) -> Name {
        if let Some(at) = self.names[kind].iter().position(|known| known == name) {
            return Name(at as u64 + 1);
        }
        self.names[kind].push(name.to_string());
        let number = self.names[kind].len() as u64;
        self.packet(None, |out| {
            varint_field(out, packet::SEQUENCE_FLAGS, packet::NEEDS_INCREMENTAL_STATE);
            message(out, packet::INTERNED_DATA, |out| {
                message(out, INTERNED_FIELDS[kind], |out| {
                    varint_field(out, 1, number);
                    bytes(out, 2, name.as_bytes());
                });
            });
        });
        Name(number)
    }

    /// The track of a process.
    pub fn process(&mut self, pid: u64, name: &str) -> Track {
        self.describe(|out| {
            message(out, descriptor::PROCESS, |out| {
                varint_field(out, descriptor::PROCESS_PID, pid);
                bytes(out, descriptor::PROCESS_NAME, name.as_bytes());
            });
        })
    }

    /// The track of a thread of a process.
    pub fn thread(&mut self, pid: u64, tid: u64, name: &str) -> Track {
        self.describe(|out| {
            message(out, descriptor::THREAD, |out| {
                varint_field(out, descriptor::THREAD_PID, pid);
                varint_field(out, descriptor::THREAD_TID, tid);
                bytes(out, descriptor::THREAD_NAME, name.as_bytes());
            });
        })
    }

    /// A track under another.
    pub fn track(&mut self, under: Track, name: &str) -> Track {
        self.describe(|out| {
            bytes(out, descriptor::NAME, name.as_bytes());
            varint_field(out, descriptor::PARENT, under.0);
        })
    }

    /// The track of a counter under another track.
    pub fn counter(&mut self, under: Track, name: &str, unit: &str) -> Track {
        self.describe(|out| {
            bytes(out, descriptor::NAME, name.as_bytes());
            varint_field(out, descriptor::PARENT, under.0);
            message(out, descriptor::COUNTER, |out| bytes(out, descriptor::COUNTER_UNIT_NAME, unit.as_bytes()));
        })
    }

    fn describe(&mut self, what: impl FnOnce(&mut Vec<u8>)) -> Track {
        self.tracks += 1;
        let number = self.tracks;
        self.packet(None, |out| {
            message(out, packet::TRACK_DESCRIPTOR, |out| {
                varint_field(out, descriptor::UUID, number);
                what(out);
            });
        });
        Track(number)
    }

    /// A slice from `from` to `to`.
    pub fn slice(&mut self, on: Track, name: Name, category: Name, span: (Nanos, Nanos), notes: &[(Name, Value)]) {
        self.event(span.0, event::SLICE_BEGIN, on, Some((name, category)), notes);
        self.event(span.1, event::SLICE_END, on, None, &[]);
    }

    /// A moment.
    pub fn instant(&mut self, on: Track, name: Name, category: Name, at: Nanos, notes: &[(Name, Value)]) {
        self.event(at, event::INSTANT, on, Some((name, category)), notes);
    }

    /// From `at` on, a counter is at `value`.
    pub fn count(&mut self, on: Track, at: Nanos, value: u64) {
        self.packet(Some(at), |out| {
            message(out, packet::TRACK_EVENT, |out| {
                varint_field(out, event::TYPE, event::COUNTER);
                varint_field(out, event::TRACK_UUID, on.0);
                varint_field(out, event::COUNTER_VALUE, value);
            });
        });
    }

    fn event(&mut self, at: Nanos, kind: u64, on: Track, named: Option<(Name, Name)>, notes: &[(Name, Value)]) {
        self.packet(Some(at), |out| {
            if named.is_some() {
                varint_field(out, packet::SEQUENCE_FLAGS, packet::NEEDS_INCREMENTAL_STATE);
            }
            message(out, packet::TRACK_EVENT, |out| {
                varint_field(out, event::TYPE, kind);
                varint_field(out, event::TRACK_UUID, on.0);
                if let Some((name, category)) = named {
                    varint_field(out, event::NAME_IID, name.0);
                    varint_field(out, event::CATEGORY_IIDS, category.0);
                }
                for (name, value) in notes {
                    message(out, event::DEBUG_ANNOTATIONS, |out| note(out, *name, value));
                }
            });
        });
    }

    fn packet(&mut self, at: Option<Nanos>, body: impl FnOnce(&mut Vec<u8>)) {
        message(&mut self.out, packet::PACKET, |out| {
            if let Some(at) = at {
                varint_field(out, packet::TIMESTAMP, at.0);
            }
            varint_field(out, packet::SEQUENCE_ID, SEQUENCE);
            body(out);
        });
    }
}

fn note(out: &mut Vec<u8>, name: Name, value: &Value) {
    varint_field(out, annotation::NAME_IID, name.0);
    match value {
        Value::Uint(number) => varint_field(out, annotation::UINT, *number),
        Value::Bool(yes) => varint_field(out, annotation::BOOL, u64::from(*yes)),
        Value::Text(text) => bytes(out, annotation::STRING, text.as_bytes()),
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_field(out: &mut Vec<u8>, field: u32, value: u64) {
    varint(out, u64::from(field) << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u32, body: &[u8]) {
    varint(out, u64::from(field) << 3 | 2);
    varint(out, body.len() as u64);
    out.extend_from_slice(body);
}

/// A message within a message: its length comes first, and is known last.
fn message(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    varint(out, u64::from(field) << 3 | 2);
    let at = out.len();
    out.push(0);
    body(out);
    let length = out.len() - at - 1;
    if length < 0x80 {
        out[at] = length as u8;
    } else {
        let mut prefix = Vec::new();
        varint(&mut prefix, length as u64);
        out.splice(at..=at, prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_are_as_protobuf_has_them() {
        let of = |value| {
            let mut out = Vec::new();
            varint(&mut out, value);
            out
        };
        assert_eq!((of(0), of(127), of(128), of(300)), (vec![0], vec![127], vec![128, 1], vec![172, 2]));
        assert_eq!(of(u64::MAX).len(), 10);
        let mut out = Vec::new();
        message(&mut out, 60, |out| bytes(out, 2, &[7; 200]));
        assert_eq!(out[..7], [0xe2, 0x03, 0xcb, 0x01, 0x12, 0xc8, 0x01]);
        assert_eq!(out.len(), 2 + 2 + 3 + 200);
    }

    #[test]
    fn a_name_is_interned_once() {
        let mut packets = Packets::default();
        let (pop3, imap4) = (packets.name("pop3"), packets.name("imap4"));
        let written = packets.take().len();
        assert_ne!(pop3, imap4);
        assert_eq!(packets.name("pop3"), pop3);
        assert!(packets.is_empty() && written > 0);
        assert_eq!(packets.category("pop3"), Name(1), "kinds of names are numbered apart");
    }
}
