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
    files.chain(ledger).collect::<Vec<_>>().into_iter()
}

/// Paths of a release itself: each environment has its own under the same names.
fn itself(release: &Release) -> [String; 2] {
    [release.path(), format!("catalog/views-{}.sql", release.number)]
}

/// Whether a path is of a kind that can become garbage.
pub fn is_kind(path: &str) -> bool {
    let is_view = path.starts_with("catalog/views-");
    let is_file = ["tables/", "state/v1/", "work/", "releases/", "quarantine/"];
    let is_kept = path.contains("/_delta_log/") || path == "state/v1/salt";
    (is_view || is_file.iter().any(|kind| path.starts_with(kind))) && !is_kept
}

/// What time it is by the store's own clock, which the times of a listing are of: a clock of this
/// machine that jumped ahead must not make everything old.
///
/// # Errors
/// The store failed.
pub async fn store_now_us(store: &Store, run_id: &str) -> Result<i64, UpkeepError> {
    let path = format!("work/clock-{run_id}");
    store.replace(&path, bytes::Bytes::new()).await?;
    let found = store.head(&path).await?;
    store.delete(&path).await?;
    let gone = || crate::storage::StorageError::NotFound { path: path.clone() };
    Ok(found.ok_or_else(gone)?.modified_us)
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
    let mut named = BTreeSet::new();
    for other in with_environments(store).await? {
        let is_own = other.environment() == store.environment();
        let reader = StateReader::new(other);
        let numbers = reader.numbers().await?;
        for number in numbers.iter().rev().take(retain.max(1)) {
            let release = reader.release(*number).await?;
            named.extend(needed(&release));
            named.extend(is_own.then(|| itself(&release)).into_iter().flatten());
        }
    }
    let numbers = StateReader::new(store.clone()).numbers().await?;
    let old = numbers.get(..numbers.len().saturating_sub(retain.max(1))).unwrap_or_default();
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

/// The warehouse and all its environments: they share the files of tables and state.
///
/// # Errors
/// The store failed.
pub async fn with_environments(store: &Store) -> Result<Vec<Store>, UpkeepError> {
    let mut all = vec![store.of_environment(None)];
    for name in store.environments().await? {
        all.push(store.of_environment(Some(&name)));
    }
    Ok(all)
}

/// Deletes it; gives the number of objects that went.
///
/// # Errors
/// The store failed; what is left goes next time.
pub async fn sweep(store: &Store, garbage: Garbage) -> Result<u64, UpkeepError> {
    let mut known: BTreeSet<(Option<String>, u64)> = BTreeSet::new();
    for other in with_environments(store).await? {
        let of = other.environment().map(str::to_owned);
        let numbers = StateReader::new(other).numbers().await?;
        known.extend(numbers.into_iter().map(|number| (of.clone(), number)));
    }
    let mut spared = BTreeSet::new();
    // The releases go first: one whose files are gone must not be there to be read.
    let (first, rest): (Vec<Listed>, Vec<Listed>) =
        garbage.objects.into_iter().partition(|object| object.path.starts_with("releases/"));
    let mut deleted = 0;
    for batch in first.chunks(BATCH).chain(rest.chunks(BATCH)) {
        for other in with_environments(store).await? {
            let of = other.environment().map(str::to_owned);
            let reader = StateReader::new(other);
            for number in reader.numbers().await? {
                if known.insert((of.clone(), number)) {
                    spared.extend(needed(&reader.release(number).await?));
                }
            }
        }
        for object in batch.iter().filter(|object| !spared.contains(&object.path)) {
            store.delete(&object.path).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
