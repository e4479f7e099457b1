//! Records that an object holds twice count once.

use std::hash::{BuildHasher, Hasher};

use arrow::array::{Array, AsArray, BooleanArray, StringArray};
use arrow::compute::filter;
use foldhash::quality::FixedState;
use rustc_hash::FxHashSet;

use super::RawChunk;
use crate::catalog::SourceSpec;

/// Records remembered of an object at a time, twice, to find those that come again: as many as a
/// set of two million buckets takes before it doubles.
const REMEMBERED: usize = (1 << 21) / 8 * 7;

/// An object of so many records may have many more.
const LARGE: usize = 1 << 17;

/// Finds the records of an object that came before in it; of exports without a key none, as there
/// records never are the same, however alike they look.
///
/// Records are known by hash, in two generations: when the newer is full the older goes. So an object
/// of any size is held in bounded memory, and what is found does not depend on how it is cut into
/// chunks.
#[derive(Debug)]
pub struct Repeated {
    is_keyed: bool,
    newer: FxHashSet<u128>,
    older: FxHashSet<u128>,
    told: Told,
    seeds: [FixedState; 2],
}

impl Repeated {
    pub fn new(spec: &SourceSpec) -> Self {
        Self {
            is_keyed: !spec.key.is_empty(),
            newer: FxHashSet::default(),
            older: FxHashSet::default(),
            told: Told::default(),
            seeds: [1, 2].map(FixedState::with_seed),
        }
    }

    /// The next chunk without the records that came before, which it counts.
    pub fn without(&mut self, chunk: RawChunk) -> RawChunk {
        if !self.is_keyed {
            return chunk;
        }
        // They are looked for all at once: each is a wait for memory, and one after the other these
        // waits overlap.
        let records = self.hashes(&chunk);
        let repeated = records.iter().filter(|(_, hash)| !self.is_new(*hash));
        let repeated: Vec<u64> = repeated.map(|(number, _)| *number).collect();
        if repeated.is_empty() { chunk } else { without(chunk, &repeated) }
    }

    /// Number and hash of each record that has rows, in ascending order.
    fn hashes(&mut self, chunk: &RawChunk) -> Vec<(u64, u128)> {
        let parts = chunk.parts.iter().map(|part| (&part.numbers, &part.columns));
        let mut before = 0;
        let tables = std::iter::once((&chunk.numbers, &chunk.columns)).chain(parts);
        let mut tables: Vec<_> = tables
            .map(|(numbers, columns)| {
                let filled = (before..).zip(columns).filter(|(_, cells)| !is_empty(cells));
                before += columns.len();
                (numbers.as_slice(), filled.collect::<Vec<_>>(), 0)
            })
            .collect();
        let mut hashes = Vec::with_capacity(chunk.numbers.len());
        let next = |tables: &[(&[u64], Vec<_>, usize)]| {
            tables.iter().filter_map(|(numbers, _, at)| numbers.get(*at).copied()).min()
        };
        while let Some(number) = next(&tables) {
            self.told.0.clear();
            for (numbers, columns, at) in &mut tables {
                while numbers.get(*at) == Some(&number) {
                    self.told.row(columns, *at);
                    *at += 1;
                }
            }
            hashes.push((number, self.told.hash(&self.seeds)));
        }
        hashes
    }

    fn is_new(&mut self, hash: u128) -> bool {
        if self.older.contains(&hash) || !self.newer.insert(hash) {
            return false;
        }
        match self.newer.len() {
            // A large object: room for all at once, which growing would move again and again.
            LARGE => self.newer.reserve(REMEMBERED - LARGE),
            REMEMBERED.. => {
                std::mem::swap(&mut self.newer, &mut self.older);
                self.newer.clear();
            }
            _ => {}
        }
        true
    }
}

fn is_empty(cells: &StringArray) -> bool {
    cells.null_count() == cells.len()
}

/// What a record says, as one text to be hashed: its rows, and of each the cells with a value.
#[derive(Debug, Default)]
struct Told(Vec<u8>);

impl Told {
    /// A row of a table, by its columns' places among those of all tables.
    fn row(&mut self, columns: &[(usize, &StringArray)], row: usize) {
        self.0.extend_from_slice(&u64::MAX.to_le_bytes());
        for (place, cells) in columns.iter().filter(|(_, cells)| cells.is_valid(row)) {
            let text = cells.value(row);
            let head = (*place as u64) << 32 | text.len() as u64;
            self.0.extend_from_slice(&head.to_le_bytes());
            self.0.extend_from_slice(text.as_bytes());
        }
    }

    /// Two hashes of 64 bits: of a billion records no two different ones are taken for the same.
    fn hash(&self, seeds: &[FixedState; 2]) -> u128 {
        let [left, right] = seeds.each_ref().map(|seed| {
            let mut hasher = seed.build_hasher();
            hasher.write(&self.0);
            u128::from(hasher.finish())
        });
        left << 64 | right
    }
}

/// The chunk without the records that came before, which it counts.
fn without(chunk: RawChunk, repeated: &[u64]) -> RawChunk {
    let is_new = |number: &u64| repeated.binary_search(number).is_err();
    let narrow = |numbers: &mut Vec<u64>, columns: &mut dyn Iterator<Item = &mut StringArray>| {
        let kept: BooleanArray = numbers.iter().map(|number| Some(is_new(number))).collect();
        for column in columns {
            // It fails only for a mask of another length.
            if let Ok(narrowed) = filter(column, &kept) {
                *column = narrowed.as_string().clone();
            }
        }
        numbers.retain(is_new);
    };
    let mut chunk = chunk;
    narrow(&mut chunk.numbers, &mut chunk.columns.iter_mut().chain(&mut chunk.attributes));
    for part in &mut chunk.parts {
        narrow(&mut part.numbers, &mut part.columns.iter_mut());
    }
    chunk.rejects.retain(|reject| is_new(&reject.record_number));
    chunk.duplicate += repeated.len() as u64;
    chunk
}
