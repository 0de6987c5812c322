//! The table of domains itself: one entry a domain, found by its name.
//!
//! Real entries in real memory, so that a benchmark of many domains measures something (`benches/domain_table.rs`). Not an
//! account of the emulated server's memory (the model keeps that) and not a judge of when an entry dies. Entries lie in a
//! list and are named by their place; the hash index is only ever asked for one name, never gone through, so no order
//! depends on hashing, and its seed is fixed.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Octets of the longest name.
/// ATQ: RFC 1035, section 2.3.4.
pub const LONGEST_NAME: usize = 255;

/// An entry, by its place. It holds as long as the entry has messages, and until the next sweep or restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EntryId(pub u32);

/// What enqueuing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The domain had no entry.
    Created,
    /// It had one that was dead.
    Revived,
    /// It had one that was live.
    Found,
}

/// The entry is not in the list of the dead.
const LIVE: u32 = u32::MAX;

#[derive(Debug)]
struct Entry {
    /// In lower case. Empty: the place is free.
    name: Box<str>,
    /// Messages on its queue.
    queued: u32,
    /// Its place among the dead, or [`LIVE`].
    grave: u32,
    /// How often messages were queued, modulo 2^32: an entry that has been used since is not the one that was to die.
    uses: u32,
}

/// What the index holds: where an entry is, and half of its name's hash, so that growth and most of the names that are not
/// there read no entry.
#[derive(Clone, Copy, Debug)]
struct Slot {
    half: u32,
    at: u32,
}

impl Slot {
    /// What the index goes by: it takes low bits for the place and the seven highest for a first look.
    fn hash(half: u32) -> u64 {
        u64::from(half) << 32 | u64::from(half)
    }
}

/// See the module's head.
#[derive(Debug)]
pub struct DomainTable {
    entries: Vec<Entry>,
    index: HashTable<Slot>,
    free: Vec<u32>,
    dead: Vec<u32>,
    queued: u64,
    hasher: FixedState,
}

impl Default for DomainTable {
    fn default() -> DomainTable {
        DomainTable {
            entries: Vec::new(),
            index: HashTable::new(),
            free: Vec::new(),
            dead: Vec::new(),
            queued: 0,
            hasher: FixedState::with_seed(0),
        }
    }
}

/// A name in lower case, on the stack; names of domains differ by more than case.
struct Folded([u8; LONGEST_NAME], usize);

impl Folded {
    fn new(name: &str) -> Option<Folded> {
        let mut octets = [0; LONGEST_NAME];
        let room = octets.get_mut(..name.len()).filter(|room| !room.is_empty())?;
        room.copy_from_slice(name.as_bytes());
        room.make_ascii_lowercase();
        Some(Folded(octets, name.len()))
    }

    fn octets(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

impl DomainTable {
    /// Entries, live and dead.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Entries that have messages or had some a short while ago.
    #[must_use]
    pub fn live(&self) -> usize {
        self.len() - self.dead.len()
    }

    /// Entries with no more use.
    #[must_use]
    pub fn dead(&self) -> usize {
        self.dead.len()
    }

    /// Messages on the queues of all entries.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// Messages on the queue of one entry.
    #[must_use]
    pub fn queued_of(&self, id: EntryId) -> u32 {
        self.entries[id.0 as usize].queued
    }

    /// The name of an entry, in lower case.
    #[must_use]
    pub fn name_of(&self, id: EntryId) -> &str {
        &self.entries[id.0 as usize].name
    }

    /// Whether a name is one: neither empty nor too long.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        (1..=LONGEST_NAME).contains(&name.len())
    }

    /// The entry of a domain. Case does not matter.
    #[must_use]
    #[inline]
    pub fn find(&self, name: &str) -> Option<EntryId> {
        let folded = Folded::new(name)?;
        self.find_folded(folded.octets(), self.half_hash(folded.octets()))
    }

    fn half_hash(&self, octets: &[u8]) -> u32 {
        (self.hasher.hash_one(octets) >> 32) as u32
    }

    fn find_folded(&self, octets: &[u8], half: u32) -> Option<EntryId> {
        let is_it = |slot: &Slot| slot.half == half && self.entries[slot.at as usize].name.as_bytes() == octets;
        self.index.find(Slot::hash(half), is_it).map(|slot| EntryId(slot.at))
    }

    /// Puts messages on the queue of a domain, which gets an entry if it has none. `None` if the name is none.
    #[inline]
    pub fn enqueue(&mut self, name: &str, messages: u32) -> Option<(EntryId, Put)> {
        let folded = Folded::new(name)?;
        let half = self.half_hash(folded.octets());
        let (id, put) = match self.find_folded(folded.octets(), half) {
            Some(id) if self.unbury(id) => (id, Put::Revived),
            Some(id) => (id, Put::Found),
            None => (self.create(name.to_ascii_lowercase().into_boxed_str(), half), Put::Created),
        };
        let entry = &mut self.entries[id.0 as usize];
        entry.queued = entry.queued.checked_add(messages).expect("fewer than 2^32 messages to one domain");
        entry.uses = entry.uses.wrapping_add(1);
        self.queued += u64::from(messages);
        Some((id, put))
    }

    fn create(&mut self, name: Box<str>, half: u32) -> EntryId {
        let entry = Entry { name, queued: 0, grave: LIVE, uses: 0 };
        let at = if let Some(at) = self.free.pop() {
            // What was to happen to the last entry of this place is not to happen to this one.
            let uses = self.entries[at as usize].uses;
            self.entries[at as usize] = Entry { uses, ..entry };
            at
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 domains")
        };
        self.index.insert_unique(Slot::hash(half), Slot { half, at }, |slot| Slot::hash(slot.half));
        EntryId(at)
    }

    /// Takes messages off the queue of an entry; how many are left. There must be as many.
    pub fn dequeue(&mut self, id: EntryId, messages: u32) -> u32 {
        let entry = &mut self.entries[id.0 as usize];
        entry.queued = entry.queued.checked_sub(messages).expect("no more messages leave than were queued");
        self.queued -= u64::from(messages);
        entry.queued
    }

    /// How often messages were queued in an entry's place: the same as before if nothing came meanwhile.
    #[must_use]
    pub fn uses_of(&self, id: EntryId) -> u32 {
        self.entries[id.0 as usize].uses
    }

    /// A live entry without messages is dead from now on.
    pub fn bury(&mut self, id: EntryId) {
        let entry = &mut self.entries[id.0 as usize];
        assert!(entry.queued == 0 && entry.grave == LIVE && !entry.name.is_empty(), "only what is empty and live dies");
        entry.grave = self.dead.len() as u32;
        self.dead.push(id.0);
    }

    fn unbury(&mut self, id: EntryId) -> bool {
        let grave = std::mem::replace(&mut self.entries[id.0 as usize].grave, LIVE);
        if grave == LIVE {
            return false;
        }
        self.dead.swap_remove(grave as usize);
        if let Some(moved) = self.dead.get(grave as usize) {
            self.entries[*moved as usize].grave = grave;
        }
        true
    }

    /// Removes all dead entries; how many there were.
    pub fn sweep(&mut self) -> usize {
        let dead = std::mem::take(&mut self.dead);
        for at in &dead {
            self.remove(*at);
        }
        dead.len()
    }

    fn remove(&mut self, at: u32) {
        let name = std::mem::take(&mut self.entries[at as usize].name);
        self.entries[at as usize].grave = LIVE;
        let found = self.index.find_entry(Slot::hash(self.half_hash(name.as_bytes())), |slot| slot.at == at);
        found.expect("every entry is in the index").remove();
        self.free.push(at);
    }

    /// Removes all entries without messages, as a restart does: the others are made again from the messages on the disk,
    /// and keep their places here. How many were removed.
    pub fn keep_only_queued(&mut self) -> usize {
        let before = self.len();
        self.sweep();
        for at in 0..self.entries.len() as u32 {
            let entry = &self.entries[at as usize];
            if entry.queued == 0 && !entry.name.is_empty() {
                self.remove(at);
            }
        }
        before - self.len()
    }

    /// Bytes of this program that the table takes without the names: room that is reserved counts.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        let places = (self.free.capacity() + self.dead.capacity()) * size_of::<u32>();
        self.entries.capacity() * size_of::<Entry>() + self.index.allocation_size() + places
    }
}
