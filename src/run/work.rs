//! `work/<fingerprint>/`: what steps made in this run or a killed one, with receipts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::RunError;
use super::sink::{Files, Written};
use super::slices::Known;
use crate::forget::rows::Found;
use crate::state::{ObjectEntry, Release};
use crate::storage::{StorageError, Store};
use crate::table::dataset::{Dataset, FileRef};
use crate::table::hash::Hash;
use crate::table::seal;

const WORK: &str = "work";
const RECEIPT: &str = "receipt.json";
/// What names of scratch folders begin with.
const SCRATCH: &str = "scratch-";
/// Files hashed at the same time.
const LOOKS: usize = 4;
/// Objects deleted at the same time.
const DELETES: usize = 16;

/// Content of a `receipt.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    made: Vec<Dataset>,
    objects: Vec<ObjectEntry>,
    /// Of forgotten people with records in the batch: hashes of these, and of links to them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    records: BTreeMap<String, BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<String, BTreeSet<String>>,
}

/// What a batch of objects gave.
#[derive(Debug, Clone)]
pub struct StagedBatch {
    pub datasets: Vec<Dataset>,
    pub objects: Vec<ObjectEntry>,
    /// Of forgotten people.
    pub found: Found,
}

/// Scratch space on local disk and the `work/` folder of the warehouse.
#[derive(Debug)]
pub struct Work {
    store: Store,
    /// Removed when the run ends.
    pub scratch: PathBuf,
    /// Folders of `work/` that were written to, and final names that files were to get.
    written: Mutex<BTreeSet<String>>,
    /// Files that this run wrote, or has compared with their hash.
    whole: Mutex<BTreeMap<String, Hash>>,
    /// Files of releases that are being made again.
    lost: Mutex<BTreeSet<String>>,
}

impl Work {
    /// Scratch lies inside a local warehouse, so that finished files are renamed, not copied.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(store: &Store, scratch: Option<&Path>, run_id: &str) -> Result<Self, StorageError> {
        let base = match (scratch, store.file("work")) {
            (Some(scratch), _) => scratch.to_owned(),
            (None, Some(folder)) => folder,
            (None, None) => std::env::temp_dir(),
        };
        let scratch = base.join(format!("{SCRATCH}{run_id}"));
        std::fs::create_dir_all(&scratch).map_err(|e| StorageError::io(&scratch, e))?;
        Ok(Self {
            store: store.clone(),
            scratch,
            written: Mutex::default(),
            whole: Mutex::default(),
            lost: Mutex::default(),
        })
    }

    /// Notes that something will lie under a name, or in a folder of `work/`.
    pub fn note(&self, name: String) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    }

    /// What was noted so far.
    pub fn written(&self) -> BTreeSet<String> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A folder of its own for one step.
    pub fn folder(&self, fingerprint: &Hash) -> PathBuf {
        self.scratch.join(fingerprint.short())
    }

    /// Moves the files a sink wrote to `work/<fingerprint>/`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn keep(
        &self,
        fingerprint: &Hash,
        name: &str,
        written: Vec<Written>,
    ) -> Result<Dataset, RunError> {
        let mut files = Vec::with_capacity(written.len());
        self.note(format!("work/{fingerprint}"));
        for Written { file, partition, ordinal, slice } in written {
            let path = format!("work/{fingerprint}/{name}-{}.parquet", file.file_hash);
            self.store.put_file(&file.scratch, &path).await?;
            self.is_whole(&path, &file.file_hash);
            files.push(FileRef {
                path,
                bytes: file.bytes,
                rows: file.rows,
                file_hash: file.file_hash,
                content_hash: file.content_hash,
                partition,
                ordinal,
                slice,
            });
        }
        Ok(Dataset::new(name, fingerprint.clone(), files))
    }

    /// As [`Work::keep`], with the files that a sink named of the last release. These are looked
    /// at: a table is not said to be made while a part of it is damaged.
    ///
    /// # Errors
    /// A file that was to stay is missing or damaged, or the store failed.
    pub async fn keep_files(
        &self,
        fingerprint: &Hash,
        name: &str,
        Files { written, kept }: Files,
    ) -> Result<Dataset, RunError> {
        self.verify(&kept).await?;
        let made = self.keep(fingerprint, name, written).await?;
        Ok(Dataset::new(name, fingerprint.clone(), [made.files, kept].concat()))
    }

    /// What is known of the slices of a table.
    pub fn known(&self, parent: Option<&Release>, table: &str) -> Known {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lost = |file: &FileRef| lost.contains(&file.path);
        parent.map(|release| Known::of(release, table, is_lost)).unwrap_or_default()
    }

    /// Counts files as lost: whoever makes them again has to write them.
    pub fn give_up(&self, paths: &BTreeSet<String>) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.extend(paths.iter().cloned());
    }

    fn is_whole(&self, path: &str, hash: &Hash) {
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        whole.insert(path.to_owned(), hash.clone());
    }

    /// Compares files with their hashes before SQL reads parts of them; each once a run.
    ///
    /// # Errors
    /// A file is missing or damaged, or the store failed.
    pub async fn verify(&self, files: &[FileRef]) -> Result<(), StorageError> {
        let fresh: Vec<&FileRef> = {
            let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
            files.iter().filter(|file| !whole.contains_key(&file.path)).collect()
        };
        let looks = fresh.into_iter().map(async |file: &FileRef| {
            self.store.vouch(&file.path, &file.file_hash).await?;
            self.is_whole(&file.path, &file.file_hash);
            Ok(())
        });
        stream::iter(looks).buffer_unordered(LOOKS).try_collect().await
    }

    /// Says that the step with this fingerprint is done.
    ///
    /// # Errors
    /// The store failed.
    pub async fn finish(&self, fingerprint: &Hash, made: &[Dataset]) -> Result<(), RunError> {
        let (datasets, objects) = (made.to_vec(), Vec::new());
        let made = StagedBatch { datasets, objects, found: Found::default() };
        self.finish_staged(fingerprint, &made).await
    }

    /// Says that a batch of objects is staged, with the ledger entries that it gave.
    ///
    /// # Errors
    /// The store failed.
    pub async fn finish_staged(
        &self,
        fingerprint: &Hash,
        made: &StagedBatch,
    ) -> Result<(), RunError> {
        let StagedBatch { datasets, objects, found } = made.clone();
        let Found { records, links, .. } = found;
        let receipt = Receipt { made: datasets, objects, records, links };
        let Ok(bytes) = serde_json::to_vec(&receipt) else { return Ok(()) };
        let bytes = Bytes::from(seal::seal(&bytes));
        self.store.note(&receipt_path(fingerprint), bytes).await?;
        Ok(())
    }

    /// What an earlier run made under this fingerprint, if all of it is still there.
    ///
    /// A receipt that cannot be read, or names a file that is gone or torn, costs time and nothing
    /// else.
    ///
    /// # Errors
    /// The store failed.
    pub async fn receipt(&self, fingerprint: &Hash) -> Result<Option<Vec<Dataset>>, RunError> {
        Ok(self.staged_receipt(fingerprint).await?.map(|batch| batch.datasets))
    }

    /// As [`Work::receipt`], with the ledger entries of the batch.
    ///
    /// # Errors
    /// The store failed.
    pub async fn staged_receipt(
        &self,
        fingerprint: &Hash,
    ) -> Result<Option<StagedBatch>, RunError> {
        let bytes = match self.store.read(&receipt_path(fingerprint)).await {
            Ok(bytes) => bytes,
            Err(StorageError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let read = || serde_json::from_slice::<Receipt>(&bytes).ok();
        let Some(receipt) = seal::is_sealed(&bytes).then(read).flatten() else {
            return Ok(None);
        };
        for file in receipt.made.iter().flat_map(|dataset| &dataset.files) {
            let found = self.store.head(&file.path).await?;
            if found.is_none_or(|found| found.bytes != file.bytes) {
                return Ok(None);
            }
        }
        // Nothing in `work/` was synced: a receipt may have outlived what it names.
        for file in receipt.made.iter().flat_map(|dataset| &dataset.files) {
            if !self.store.is_whole(&file.path, &file.file_hash).await? {
                return Ok(None);
            }
            self.is_whole(&file.path, &file.file_hash);
        }
        let found = Found { records: receipt.records, links: receipt.links, ..Found::default() };
        Ok(Some(StagedBatch { datasets: receipt.made, objects: receipt.objects, found }))
    }
}

impl Work {
    /// Whether a path, as errors tell it, lies in `work/`. What is there is a cache: it costs time
    /// to lose it, and no more.
    pub fn holds(&self, path: &str) -> bool {
        let is_below = |folder: &str| {
            path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(['/', '\\']))
        };
        let on_disk = self.store.file(WORK).is_some_and(|f| is_below(&f.display().to_string()));
        // The store's own words are of the whole path there, ours of that below its root.
        on_disk || is_below(WORK) || is_below(self.store.full(WORK).as_ref())
    }

    /// A file in `work/` that this run trusted, and that is not what was written any more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn harmed(&self) -> Result<Option<String>, StorageError> {
        let trusted = self.whole.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let looks = trusted.into_iter().filter(|(path, _)| self.holds(path));
        let looks = looks.map(async |(path, hash)| {
            let is_whole = self.store.is_whole(&path, &hash).await?;
            Ok::<_, StorageError>((!is_whole).then_some(path))
        });
        let found = stream::iter(looks).buffered(LOOKS).try_collect::<Vec<_>>().await?;
        Ok(found.into_iter().flatten().next())
    }

    /// Trusts nothing in `work/` any more: what was made of a damaged file has a receipt as good as
    /// any, so all receipts go that this run wrote or took.
    ///
    /// # Errors
    /// The store failed.
    pub async fn distrust(&self) -> Result<(), StorageError> {
        let trusted =
            std::mem::take(&mut *self.whole.lock().unwrap_or_else(PoisonError::into_inner));
        let folder = |path: &String| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let own = trusted.keys().filter(|path| self.holds(path));
        for folder in own.filter_map(folder).collect::<BTreeSet<_>>() {
            self.store.delete(&format!("{folder}/{RECEIPT}")).await?;
        }
        Ok(())
    }

    /// Deletes what steps left: a release has all of it by now. Only for the holder of the lease: a
    /// run without one may be at work here, and has to begin again.
    ///
    /// # Errors
    /// The store failed; what is left goes next time.
    pub async fn clear(&self) -> Result<(), StorageError> {
        if let Some(folder) = self.store.file("work") {
            let entries = std::fs::read_dir(&folder).map_err(|e| StorageError::io(&folder, e))?;
            let is_scratch = |path: &Path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SCRATCH))
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                if !is_scratch(&path) {
                    std::fs::remove_dir_all(&path).map_err(|e| StorageError::io(&path, e))?;
                }
            }
            return Ok(());
        }
        let listed = self.store.list("work").await?;
        let deleting = listed.iter().map(|object| self.store.delete(&object.path));
        stream::iter(deleting.collect::<Vec<_>>())
            .buffer_unordered(DELETES)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

fn receipt_path(fingerprint: &Hash) -> String {
    format!("{WORK}/{fingerprint}/{RECEIPT}")
}
