//! The next moment of each of many owners, at most one each, and who comes first: a tournament tree.
//!
//! Not a queue of events: an owner that gets a new moment has lost the old one. Equal moments come in the order of
//! their numbers, which the caller gives. A change costs one comparison a level, whatever the order of the moments, and
//! no branch that depends on them. Called by `workload` (the sources of load) and `engine` (the threads in virtual time).

use crate::time::Nanos;

/// See the module's head. Owners are small numbers; memory follows the greatest that was ever given.
#[derive(Debug)]
pub struct Calendar {
    /// A full binary tree, the root at 1, the leaves from `leaves` on. A node is the least of its two children: the
    /// moment in the upper half, number and owner in the lower.
    nodes: Vec<u128>,
    leaves: usize,
    owner_bits: u32,
}

/// No moment.
const NEVER: u128 = u128::MAX;

impl Default for Calendar {
    fn default() -> Calendar {
        Calendar { nodes: vec![NEVER; 2], leaves: 1, owner_bits: 0 }
    }
}

impl Calendar {
    /// Who comes first, and when.
    #[must_use]
    #[inline]
    pub fn first(&self) -> Option<(Nanos, usize)> {
        let root = self.nodes[1];
        (root != NEVER).then(|| (at(root), (root as u64 & self.owner_mask()) as usize))
    }

    /// When the first comes; [`Nanos::MAX`] where nobody does.
    #[must_use]
    #[inline]
    pub fn first_at(&self) -> Nanos {
        at(self.nodes[1])
    }

    /// The first one's number among equal moments.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.nodes[1] as u64 >> self.owner_bits
    }

    /// `owner` comes at `when`; `number` orders equal moments: below 2^44 with up to a million owners.
    #[inline]
    pub fn set(&mut self, owner: usize, when: Nanos, number: u64) {
        if owner >= self.leaves {
            self.grow(owner);
        }
        self.put(owner, u128::from(when.0) << 64 | u128::from(number << self.owner_bits | owner as u64));
    }

    /// `owner` comes no more.
    #[inline]
    pub fn clear(&mut self, owner: usize) {
        if owner < self.leaves {
            self.put(owner, NEVER);
        }
    }

    #[inline]
    fn put(&mut self, owner: usize, entry: u128) {
        let mut node = self.leaves + owner;
        self.nodes[node] = entry;
        let mut least = entry;
        while node > 1 {
            least = least.min(self.nodes[node ^ 1]);
            node /= 2;
            self.nodes[node] = least;
        }
    }

    fn owner_mask(&self) -> u64 {
        (1 << self.owner_bits) - 1
    }

    #[cold]
    fn grow(&mut self, owner: usize) {
        let (old, old_bits) = (self.nodes.split_off(self.leaves), self.owner_bits);
        self.leaves = (owner + 1).next_power_of_two();
        self.owner_bits = self.leaves.trailing_zeros();
        self.nodes = vec![NEVER; 2 * self.leaves];
        for (owner, entry) in old.into_iter().enumerate().filter(|(_, entry)| *entry != NEVER) {
            let number = entry as u64 >> old_bits;
            self.nodes[self.leaves + owner] =
                entry & !u128::from(u64::MAX) | u128::from(number << self.owner_bits | owner as u64);
        }
        for node in (1..self.leaves).rev() {
            self.nodes[node] = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
        }
    }
}

fn at(entry: u128) -> Nanos {
    Nanos((entry >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_says_what_a_sorted_map_says(steps in prop::collection::vec((0_usize..70, prop::option::of(0_u64..20)), 1..300)) {
            let mut calendar = Calendar::default();
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
