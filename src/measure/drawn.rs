//! A sample of people that only their ids decide: the same whoever else is there, in any order, on
//! any machine.

use sha2::{Digest, Sha256};

/// People whose number lies below a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    purpose: &'static str,
    below: u64,
}

impl Drawn {
    /// About `wanted` of `people`; all of them when they are no more than that. Samples for other
    /// purposes are independent of it.
    pub fn new(purpose: &'static str, wanted: u64, people: u64) -> Self {
        let share = u128::from(wanted) * u128::from(u64::MAX) / u128::from(people.max(1));
        Self { purpose, below: u64::try_from(share).unwrap_or(u64::MAX) }
    }

    pub fn holds(&self, id: &str) -> bool {
        self.below == u64::MAX || number(self.purpose, id) < self.below
    }
}

/// A number that looks random, and is the person's own.
fn number(purpose: &str, id: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(purpose.as_bytes());
    hasher.update([0]);
    hasher.update(id.as_bytes());
    let digest = hasher.finalize();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
