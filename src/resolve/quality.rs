//! How right a resolution is, when somebody knows the truth.
//!
//! Pairwise: of the pairs put together, how many belong together (precision), and of those that
//! belong together, how many were (recall). Cluster: people found exactly, over people found and
//! over people there are. B³ (Bagga and Baldwin 1998): the same per record, averaged over records.

use std::collections::BTreeMap;

/// Shares from 0 to 1; `None` where there is nothing to divide by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    pub precision: Option<f64>,
    pub recall: Option<f64>,
}

impl Quality {
    fn of(hit: f64, found: f64, there: f64) -> Self {
        let share = |of: f64| (of > 0.0).then(|| hit / of);
        Self { precision: share(found), recall: share(there) }
    }

    /// Harmonic mean of both.
    pub fn f1(self) -> Option<f64> {
        let (precision, recall) = (self.precision?, self.recall?);
        let sum = precision + recall;
        Some(if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 })
    }
}

/// The three ways to look at clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clustering {
    pub pairwise: Quality,
    pub cluster: Quality,
    pub b_cubed: Quality,
}

/// Judges records, each with the person found and the person that is true.
pub fn of_clusters(records: &[(u32, u32)]) -> Clustering {
    let mut found: BTreeMap<u32, u64> = BTreeMap::new();
    let mut there: BTreeMap<u32, u64> = BTreeMap::new();
    let mut both: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for (person, truth) in records {
        *found.entry(*person).or_default() += 1;
        *there.entry(*truth).or_default() += 1;
        *both.entry((*person, *truth)).or_default() += 1;
    }
    let pairs = |n: u64| (n * (n - 1) / 2) as f64;
    let all = |sizes: &BTreeMap<u32, u64>| sizes.values().copied().map(pairs).sum::<f64>();
    let hit = both.values().copied().map(pairs).sum();
    let exact = both
        .iter()
        .filter(|((person, truth), n)| found[person] == **n && there[truth] == **n)
        .count() as f64;
    let (mut precision, mut recall) = (0.0, 0.0);
    for ((person, truth), n) in &both {
        let n = *n as f64;
        precision += n * n / found[person] as f64;
        recall += n * n / there[truth] as f64;
    }
    let share = |sum: f64| (!records.is_empty()).then(|| sum / records.len() as f64);
    Clustering {
        pairwise: Quality::of(hit, all(&found), all(&there)),
        cluster: Quality::of(exact, found.len() as f64, there.len() as f64),
        b_cubed: Quality { precision: share(precision), recall: share(recall) },
    }
}

/// Judges labelled pairs: whether each was put together, and whether it belongs together.
pub fn of_pairs(pairs: &[(bool, bool)]) -> Quality {
    let count = |of: fn(&(bool, bool)) -> bool| pairs.iter().filter(|pair| of(pair)).count() as f64;
    Quality::of(count(|p| p.0 && p.1), count(|p| p.0), count(|p| p.1))
}
