//! The next moment of each of many owners, at most one each, and who comes first: a tournament tree.
//!
//! Not a queue of events: an owner that gets a new moment has lost the old one. Equal moments come in the order of
//! their numbers, which the caller gives. A change costs one comparison a level, whatever the order of the moments, and
//! no branch that depends on them. Called by `workload` (the sources of load) and `engine` (the threads in virtual time).

use std::hint::select_unpredictable;

use crate::time::Nanos;

/// See the module's head. Owners are small numbers; memory follows the greatest that was ever given.
#[derive(Debug)]
pub struct Calendar {
    /// A full binary tree: the children of node `n` are `pairs[n]`, the root is node 1, and from `leaves` on the nodes
    /// are leaves, one for each owner. An entry is the first below it.
    pairs: Vec<Pair>,
    leaves: usize,
    /// The number that each owner's moment was given.
    numbers: Vec<u64>,
    first: u32,
    first_at: Nanos,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    at: [Nanos; 2],
    owner: [u32; 2],
}

/// An owner whose moment is this one has none.
const NEVER: Nanos = Nanos::MAX;

impl Default for Calendar {
    fn default() -> Calendar {
        Calendar::new()
    }
}

impl Calendar {
    /// No owner has a moment.
    #[must_use]
    pub fn new() -> Calendar {
        Calendar { pairs: Vec::new(), leaves: 0, numbers: Vec::new(), first: 0, first_at: NEVER }
    }

    /// Who comes first, and when.
    #[must_use]
    #[inline(always)]
    pub fn first(&self) -> Option<(Nanos, usize)> {
        (self.first_at != NEVER).then_some((self.first_at, self.first as usize))
    }

    /// When the first comes; [`Nanos::MAX`] where nobody does.
    #[must_use]
    #[inline(always)]
    pub fn first_at(&self) -> Nanos {
        self.first_at
    }

    /// The first one's number among equal moments.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.numbers[self.first as usize]
    }

    /// `owner` comes at `when`, where [`Nanos::MAX`] is never; `number` orders equal moments.
    #[inline(always)]
    pub fn set(&mut self, owner: usize, when: Nanos, number: u64) {
        if owner >= self.leaves {
            self.grow(owner);
        }
        self.numbers[owner] = number;
        self.put(owner, when);
    }

    /// `owner` comes no more.
    pub fn clear(&mut self, owner: usize) {
        if owner < self.leaves {
            self.put(owner, NEVER);
        }
    }

    #[inline(always)]
    fn put(&mut self, owner: usize, when: Nanos) {
        let (mut at, mut owner, mut node) = (when, owner as u32, self.leaves + owner);
        while node > 1 {
            let side = node & 1;
            node /= 2;
            let pair = &mut self.pairs[node];
            pair.at[side] = at;
            pair.owner[side] = owner;
            let (other_at, other) = (pair.at[side ^ 1], pair.owner[side ^ 1]);
            let mut comes_first = other_at < at;
            if other_at == at {
                comes_first = self.was_first(other, owner);
            }
            // Which of two random moments is the earlier, no processor can guess.
            at = select_unpredictable(comes_first, other_at, at);
            owner = select_unpredictable(comes_first, other, owner);
        }
        (self.first_at, self.first) = (at, owner);
    }

    /// Out of line, so that the common case stays without a branch.
    #[cold]
    #[inline(never)]
    fn was_first(&self, one: u32, other: u32) -> bool {
        self.numbers[one as usize] < self.numbers[other as usize]
    }

    #[cold]
    fn grow(&mut self, owner: usize) {
        let mut old: Vec<Nanos> = self.pairs[self.leaves / 2..].iter().flat_map(|pair| pair.at).collect();
        if self.leaves == 1 {
            old = vec![self.first_at];
        }
        self.leaves = (owner + 1).next_power_of_two();
        self.numbers.resize(self.leaves, 0);
        self.pairs = vec![Pair { at: [NEVER; 2], owner: [0; 2] }; self.leaves];
        for owner in 0..self.leaves {
            self.put(owner, old.get(owner).copied().unwrap_or(NEVER));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_says_what_a_sorted_map_says(steps in prop::collection::vec((0_usize..70, prop::option::of(0_u64..20)), 1..300)) {
            let mut calendar = Calendar::new();
            let mut model: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
            for (number, (owner, when)) in (1_u64..).zip(steps) {
                match when {
                    Some(when) => {
                        calendar.set(owner, Nanos(when), number);
                        model.insert(owner, (when, number));
                    }
                    None => {
                        calendar.clear(owner);
                        model.remove(&owner);
                    }
                }
                let least = model.iter().min_by_key(|(_, entry)| **entry);
                prop_assert_eq!(calendar.first(), least.map(|(owner, (when, _))| (Nanos(*when), *owner)));
                prop_assert_eq!(calendar.first_at(), least.map_or(Nanos::MAX, |(_, (when, _))| Nanos(*when)));
                if let Some((_, (_, number))) = least {
                    prop_assert_eq!(calendar.first_number(), *number);
                }
            }
        }
    }
}
