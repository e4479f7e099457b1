//! Deletes what no release names any more: old releases, their files, and the work of dead runs.
//!
//! Everything is listed before releases are read, and releases are read again before each batch is
//! deleted; whatever was written within a day is left alone. So a run beside it, which names its
//! files only at its commit, loses nothing.

use std::collections::BTreeSet;

use super::UpkeepError;
use crate::state::{Release, StateReader};
use crate::storage::{Listed, Store};

/// Younger files may belong to a run that has not committed yet.
const AGE_US: i64 = 24 * 60 * 60 * 1_000_000;
/// Objects deleted between two looks at the releases.
const BATCH: usize = 500;

/// What can go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Garbage {
    /// Releases older than the retained ones.
    pub releases: Vec<u64>,
    pub objects: Vec<Listed>,
}

impl Garbage {
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.bytes).sum()
    }
}

/// Paths that a release needs.
pub fn needed(release: &Release) -> impl Iterator<Item = String> {
    let datasets = release.tables.values().chain(release.state.values());
    let files = datasets.flat_map(|dataset| &dataset.files).map(|file| file.path.clone());
    let ledger = release.pointers().map(|pointer| pointer.path.clone());
    let own = [release.path(), format!("catalog/views-{}.sql", release.number)];
    files.chain(ledger).chain(own).collect::<Vec<_>>().into_iter()
}

/// Whether a path is of a kind that can become garbage.
pub fn is_kind(path: &str) -> bool {
    let is_view = path.starts_with("catalog/views-");
    let is_file = ["tables/", "state/v1/", "work/", "releases/", "quarantine/"];
    let is_kept = path.contains("/_delta_log/") || path == "state/v1/salt";
    (is_view || is_file.iter().any(|kind| path.starts_with(kind))) && !is_kept
}

/// Finds what no release of the newest `retain` names and what is older than a day at `now_us`.
///
/// # Errors
/// The store failed, or a release cannot be read.
pub async fn find(store: &Store, retain: usize, now_us: i64) -> Result<Garbage, UpkeepError> {
    let mut listed = Vec::new();
    for kind in ["tables", "state", "work", "catalog", "releases"] {
        listed.extend(store.list(kind).await?);
    }
    let reader = StateReader::new(store.clone());
    let numbers = reader.numbers().await?;
    let (old, kept) = numbers.split_at(numbers.len().saturating_sub(retain.max(1)));
    let mut named = BTreeSet::new();
    for number in kept {
        named.extend(needed(&reader.release(*number).await?));
    }
    let is_old = |object: &Listed| object.modified_us < now_us - AGE_US;
    let objects: Vec<_> = listed
        .into_iter()
        .filter(|object| is_kind(&object.path) && is_old(object) && !named.contains(&object.path))
        .collect();
    let gone: BTreeSet<&str> = objects.iter().map(|object| object.path.as_str()).collect();
    let is_gone = |number: &&u64| gone.contains(crate::state::release_path(**number).as_str());
    let releases = old.iter().filter(is_gone).copied().collect();
    Ok(Garbage { releases, objects })
}

/// Deletes it; gives the number of objects that went.
///
/// # Errors
/// The store failed; what is left goes next time.
pub async fn sweep(store: &Store, garbage: Garbage) -> Result<u64, UpkeepError> {
    let reader = StateReader::new(store.clone());
    let mut known: BTreeSet<u64> = reader.numbers().await?.into_iter().collect();
    let mut spared = BTreeSet::new();
    // The releases go first: one whose files are gone must not be there to be read.
    let (first, rest): (Vec<Listed>, Vec<Listed>) =
        garbage.objects.into_iter().partition(|object| object.path.starts_with("releases/"));
    let mut deleted = 0;
    for batch in first.chunks(BATCH).chain(rest.chunks(BATCH)) {
        for number in reader.numbers().await? {
            if known.insert(number) {
                spared.extend(needed(&reader.release(number).await?));
            }
        }
        for object in batch.iter().filter(|object| !spared.contains(&object.path)) {
            store.delete(&object.path).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
