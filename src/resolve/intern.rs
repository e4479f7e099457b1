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
    /// Open addressing, at most half full.
    slots: Vec<u32>,
}

fn hash(bytes: &[u8]) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    let mixed = hasher.finish();
    // The low bits of the hash are its weakest.
    usize::try_from((mixed ^ (mixed >> 32)) & u64::from(u32::MAX)).unwrap_or(0)
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

    /// The number of `bytes`, and whether it is new; `None` when all strings together would be
    /// longer than 4 GiB.
    pub fn intern(&mut self, bytes: &[u8]) -> Option<(u32, bool)> {
        if self.slots.len() < 2 * (self.ends.len() + 1) {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(bytes) & mask;
        while self.slots[at] != EMPTY {
            if self.get(self.slots[at]) == bytes {
                return Some((self.slots[at], false));
            }
            at = (at + 1) & mask;
        }
        let id = u32::try_from(self.ends.len()).ok().filter(|id| *id < EMPTY)?;
        let end = u32::try_from(self.bytes.len() + bytes.len()).ok()?;
        self.slots[at] = id;
        self.bytes.extend_from_slice(bytes);
        self.ends.push(end);
        Some((id, true))
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(SLOTS_MIN);
        let mut slots = vec![EMPTY; size];
        for id in 0..u32::try_from(self.ends.len()).unwrap_or(EMPTY) {
            let mut at = hash(self.get(id)) & (size - 1);
            while slots[at] != EMPTY {
                at = (at + 1) & (size - 1);
            }
            slots[at] = id;
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
