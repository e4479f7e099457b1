//! Plain Parquet of a release in a folder of its own, for readers that know neither Delta logs nor
//! views: files by table and partition, a manifest, and `_SUCCESS` when all of it is there.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::UpkeepError;
use crate::storage::Store;
use crate::table::dataset::{Dataset, FileRef};

/// Written last: a reader that sees it sees the whole export.
const DONE: &str = "_SUCCESS";
/// Files copied at the same time; each holds at most one part of its upload in memory.
const AT_ONCE: usize = 8;
const MANIFEST: &str = "manifest.json";

/// Content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    pub release: u64,
    pub as_of: NaiveDate,
    pub tables: BTreeMap<String, ManifestTable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManifestTable {
    pub rows: u64,
    pub bytes: u64,
    pub files: Vec<ManifestFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManifestFile {
    /// Relative to the export.
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub partition: BTreeMap<String, String>,
}

/// Whether an earlier call finished here.
///
/// # Errors
/// The store failed.
pub async fn is_done(to: &Store) -> Result<bool, UpkeepError> {
    Ok(to.head(DONE).await?.is_some())
}

/// Copies the tables of release `number` to an empty folder.
///
/// What a killed export of the same release left there is no obstacle: its files have the same
/// names and are written again. Every byte is checked against the release while it is copied.
///
/// # Errors
/// The folder holds anything else or a finished export, a file is damaged, or a store failed.
pub async fn export(
    from: &Store,
    to: &Store,
    number: u64,
    as_of: NaiveDate,
    tables: &BTreeMap<String, Dataset>,
) -> Result<Manifest, UpkeepError> {
    let manifest = Manifest {
        release: number,
        as_of,
        tables: tables.iter().map(|(name, dataset)| (name.clone(), table(dataset))).collect(),
    };
    refuse_others(to, &manifest).await?;
    let files: Vec<&FileRef> = tables.values().flat_map(|dataset| &dataset.files).collect();
    let copy = async |file: &FileRef| {
        to.receive(from, &file.path, below(&file.path), &file.file_hash).await
    };
    stream::iter(files).map(copy).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|source| UpkeepError::Manifest { url: to.url().to_string(), source })?;
    to.replace(MANIFEST, text.into()).await?;
    to.replace(DONE, bytes::Bytes::new()).await?;
    Ok(manifest)
}

fn table(dataset: &Dataset) -> ManifestTable {
    let file = |file: &FileRef| ManifestFile {
        path: below(&file.path).to_owned(),
        rows: file.rows,
        bytes: file.bytes,
        sha256: file.file_hash.to_string(),
        partition: file.partition.clone(),
    };
    let files = dataset.files.iter().map(file).collect();
    ManifestTable { rows: dataset.rows, bytes: dataset.bytes(), files }
}

/// Path of a published file inside an export.
fn below(path: &str) -> &str {
    path.strip_prefix("tables/").unwrap_or(path)
}

async fn refuse_others(to: &Store, manifest: &Manifest) -> Result<(), UpkeepError> {
    let ours = manifest.tables.values().flat_map(|table| &table.files);
    let mut ours: BTreeSet<&str> = ours.map(|file| file.path.as_str()).collect();
    ours.insert(MANIFEST);
    match to.list("").await?.into_iter().find(|found| !ours.contains(found.path.as_str())) {
        Some(found) => Err(UpkeepError::NotEmpty { url: to.url().to_string(), found: found.path }),
        None => Ok(()),
    }
}
