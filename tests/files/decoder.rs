//! Just enough protobuf to read a Perfetto trace back: an independent reader, field by field.

use std::collections::BTreeMap;

/// A field: its number, and a number or bytes.
pub(crate) enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message in their order.
pub(crate) fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (body, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(body)
            }
            wire => panic!("wire type {wire} of field {}", key >> 3),
        };
        found.push((key >> 3, field));
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (first, rest) = bytes.split_first().expect("a number is whole");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            return value;
        }
    }
}

pub(crate) fn number(message: &[u8], wanted: u64) -> Option<u64> {
    fields(message).into_iter().find_map(|(at, field)| match field {
        Field::Number(value) if at == wanted => Some(value),
        _ => None,
    })
}

pub(crate) fn inside(message: &[u8], wanted: u64) -> Option<&[u8]> {
    fields(message).into_iter().find_map(|(at, field)| match field {
        Field::Bytes(body) if at == wanted => Some(body),
        _ => None,
    })
}

fn text(message: &[u8], wanted: u64) -> Option<String> {
    inside(message, wanted).map(|body| String::from_utf8(body.to_vec()).expect("text is UTF-8"))
}

/// A track.
#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) name: String,
    pub(crate) parent: Option<u64>,
    /// Of a process or a thread.
    pub(crate) pid: Option<u64>,
    pub(crate) is_thread: bool,
}

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) at: u64,
    /// 1 begin, 2 end, 3 instant, 4 counter.
    pub(crate) kind: u64,
    pub(crate) track: u64,
    pub(crate) name: String,
    pub(crate) notes: BTreeMap<String, u64>,
    pub(crate) value: u64,
}

/// A whole trace.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) tracks: BTreeMap<u64, Track>,
    pub(crate) events: Vec<Event>,
}

/// Reads a trace.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    let mut names: BTreeMap<(u64, u64), String> = BTreeMap::new();
    for (at, (number_of, packet)) in fields(bytes).into_iter().enumerate() {
        let (1, Field::Bytes(packet)) = (number_of, packet) else { panic!("a trace is a row of packets") };
        assert_eq!(number(packet, 10), Some(1), "one sequence");
        assert_eq!(number(packet, 13) == Some(1), at == 0, "the first packet clears the names");
        for (kind, interned) in inside(packet, 12).map(fields).unwrap_or_default() {
            let Field::Bytes(body) = interned else { panic!("a name is a message") };
            let known = names.insert((kind, number(body, 1).unwrap()), text(body, 2).unwrap());
            assert_eq!(known, None, "a name is interned once");
        }
        if let Some(body) = inside(packet, 60) {
            let (process, thread) = (inside(body, 3), inside(body, 4));
            let name = text(body, 2).or(process.and_then(|p| text(p, 6))).or(thread.and_then(|t| text(t, 5)));
            let pid = process.or(thread).and_then(|message| number(message, 1));
            let track = Track { name: name.unwrap(), parent: number(body, 5), pid, is_thread: thread.is_some() };
            assert!(decoded.tracks.insert(number(body, 1).unwrap(), track).is_none(), "a track is described once");
        }
        if let Some(body) = inside(packet, 11) {
            let name = number(body, 10).map(|iid| names[&(2, iid)].clone()).unwrap_or_default();
            let mut notes = BTreeMap::new();
            for (field, note) in fields(body) {
                if let (4, Field::Bytes(note)) = (field, note) {
                    let value = number(note, 3).or(number(note, 2)).unwrap_or_default();
                    notes.insert(names[&(3, number(note, 1).unwrap())].clone(), value);
                }
            }
            let event = Event {
                at: number(packet, 8).unwrap(),
                kind: number(body, 9).unwrap(),
                track: number(body, 11).unwrap(),
                name,
                notes,
                value: number(body, 30).unwrap_or_default(),
            };
            assert!(decoded.tracks.contains_key(&event.track), "a track is described before its events");
            decoded.events.push(event);
        }
    }
    decoded
}

/// A slice: (begin, end, name, notes).
pub(crate) type Slice = (u64, u64, String, BTreeMap<String, u64>);

impl Decoded {
    /// The slices of each track in order of time. Panics where two of a track overlap.
    pub(crate) fn slices(&self) -> BTreeMap<u64, Vec<Slice>> {
        let mut found: BTreeMap<u64, Vec<Slice>> = BTreeMap::new();
        let mut by_track: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.kind <= 2) {
            by_track.entry(event.track).or_default().push(event);
        }
        for (track, mut events) in by_track {
            events.sort_by_key(|event| event.at);
            for pair in events.chunks(2) {
                let [begin, end] = pair else { panic!("a slice of track {track} never ends") };
                assert_eq!((begin.kind, end.kind), (1, 2), "slices of track {track} overlap at {}", begin.at);
                found.entry(track).or_default().push((begin.at, end.at, begin.name.clone(), begin.notes.clone()));
            }
        }
        found
    }

    /// The tracks of a process that is called so.
    pub(crate) fn of_process(&self, name: &str) -> Vec<u64> {
        let called = |track: &&Track| track.name == name && track.pid.is_some() && !track.is_thread;
        let pid = self.tracks.values().find(called).and_then(|track| track.pid).unwrap_or_else(|| panic!("no {name}"));
        let process: Vec<u64> =
            self.tracks.iter().filter(|(_, t)| t.pid == Some(pid) && !t.is_thread).map(|(uuid, _)| *uuid).collect();
        let own = |track: &Track| {
            track.is_thread && track.pid == Some(pid) || track.parent.is_some_and(|parent| process.contains(&parent))
        };
        self.tracks.iter().filter(|(_, track)| own(track)).map(|(uuid, _)| *uuid).collect()
    }
}
