//! Byte strings to small numbers: four million identifiers in one buffer instead of four million
//! allocations.

use std::hash::Hasher;

use rustc_hash::FxHasher;

const EMPTY: u32 = u32::MAX;
const SLOTS_MIN: usize = 1 << 10;

/// Each distinct byte string once, numbered in the order of first sight.
#[derive(Debug, Default, Clone)]
pub struct Interner {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Hash and number; open addressing, at most half full. The hash beside the number spares most
    /// looks at the strings, which lie all over memory.
    slots: Vec<(u32, u32)>,
}

fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    let mixed = hasher.finish();
    // The low bits of the hash are its weakest.
    u32::try_from((mixed ^ (mixed >> 32)) & u64::from(u32::MAX)).unwrap_or(0)
}

impl Interner {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends.get(id - 1).copied().unwrap_or(0) };
        let end = self.ends.get(id).copied().unwrap_or(start);
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The number of `bytes`, if they were taken in and nothing was frozen since.
    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = hash(bytes);
        let mut at = hash as usize & mask;
        while self.slots[at].1 != EMPTY {
            let (known, id) = self.slots[at];
            if known == hash && self.get(id) == bytes {
                return Some(id);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// The number of `bytes`, and whether it is new; `None` when all strings together would be
    /// longer than 4 GiB.
    pub fn intern(&mut self, bytes: &[u8]) -> Option<(u32, bool)> {
        if self.slots.len() < 2 * (self.ends.len() + 1) {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let hash = hash(bytes);
        let mut at = hash as usize & mask;
        while self.slots[at].1 != EMPTY {
            let (known, id) = self.slots[at];
            if known == hash && self.get(id) == bytes {
                return Some((id, false));
            }
            at = (at + 1) & mask;
        }
        let id = u32::try_from(self.ends.len()).ok().filter(|id| *id < EMPTY)?;
        let end = u32::try_from(self.bytes.len() + bytes.len()).ok()?;
        self.slots[at] = (hash, id);
        self.bytes.extend_from_slice(bytes);
        self.ends.push(end);
        Some((id, true))
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(SLOTS_MIN);
        let mut slots = vec![(0, EMPTY); size];
        for (hash, id) in self.slots.drain(..).filter(|(_, id)| *id != EMPTY) {
            let mut at = hash as usize & (size - 1);
            while slots[at].1 != EMPTY {
                at = (at + 1) & (size - 1);
            }
            slots[at] = (hash, id);
        }
        self.slots = slots;
    }

    /// Frees what only finding needs; no more strings are taken in after that.
    pub fn freeze(&mut self) {
        self.slots = Vec::new();
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}
