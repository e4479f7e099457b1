//! What became of the records of an object, by their numbers.

/// Which records gave at least one row, and what the decoder counted, by object.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) read: u64,
    pub(super) duplicate: u64,
    pub(super) skipped: u64,
    pub(super) rows: u64,
    pub(super) rejected: Bits,
    pub(super) used: Bits,
}

/// A set of record numbers.
#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    pub(super) fn insert(&mut self, number: u64) {
        let (word, bit) = ((number / 64) as usize, number % 64);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many are in this set and not in the other.
    pub(super) fn count_without(&self, other: &Self) -> u64 {
        let others = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words
            .iter()
            .zip(others)
            .map(|(word, other)| u64::from((word & !other).count_ones()))
            .sum()
    }
}
