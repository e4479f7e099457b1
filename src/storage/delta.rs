//! Delta logs: read and checkpointed by `deltalake-core`, written by our own create.
//!
//! `deltalake-core` commits with retries that rebase, and cleans logs up. A projection must do
//! neither: a lost entry means that the release has to be read again, and a version that somebody
//! pinned has to stay. So entries are made by [`Store::create`], the same primitive that releases
//! rest on, and the crate replays the log, which is where the difficult part of the format lies.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use deltalake_core::logstore::{StorageConfig, default_logstore};
use deltalake_core::{DeltaTable, DeltaTableError};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use url::Url;

use super::refusal::{self, Refusal};
use super::{Created, StorageError, Store, local};

/// What readers of a log see at its newest version.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub version: u64,
    /// Newest transaction of the asked application.
    pub transaction: Option<i64>,
    pub meta: Meta,
    /// Files by path, relative to the table.
    pub active: BTreeMap<String, Active>,
}

/// The table's metadata, as far as it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub id: String,
    pub description: Option<String>,
    pub schema: String,
    pub partition: Vec<String>,
    pub created_ms: Option<i64>,
}

/// A file that readers see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    pub bytes: i64,
    pub partition: BTreeMap<String, Option<String>>,
}

/// The Delta log of the table in one folder of a store.
#[derive(Debug, Clone)]
pub struct DeltaLog {
    store: Store,
    folder: String,
}

impl DeltaLog {
    pub fn new(store: &Store, folder: &str) -> Self {
        Self { store: store.clone(), folder: folder.to_owned() }
    }

    fn entry(&self, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.json", self.folder)
    }

    fn fail(&self, error: DeltaTableError) -> StorageError {
        let path = format!("{}/_delta_log", self.folder);
        match error {
            DeltaTableError::ObjectStore { source } => {
                StorageError::of(&self.store.full(&path), source)
            }
            other => {
                match (refusal::refused(&other), StorageError::from_source(path, other.into())) {
                    (Some(Refusal::Permission), StorageError::Unavailable { path, source }) => {
                        StorageError::Permission { path, source }
                    }
                    (Some(Refusal::Unavailable), failed) => failed,
                    (_, StorageError::Unavailable { path, source }) => {
                        StorageError::Delta { path, source }
                    }
                    (_, known) => known,
                }
            }
        }
    }

    /// The table as `deltalake-core` knows it, nothing read yet.
    fn table(&self) -> Result<DeltaTable, StorageError> {
        let full = self.store.full(&self.folder);
        // The crate takes the path inside the store from this url, and from its scheme only
        // whether listings come sorted.
        let scheme = if self.store.folder().is_some() { "file" } else { "memory" };
        let mut url = Url::parse(&format!("{scheme}:///"))
            .map_err(|error| self.fail(DeltaTableError::generic(error.to_string())))?;
        url.path_segments_mut()
            .map_err(|()| self.fail(DeltaTableError::generic("a url without a path")))?
            .clear()
            .extend(full.parts())
            .push("");
        let root = self.store.raw();
        let prefixed: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&root), full));
        Ok(DeltaTable::new(default_logstore(prefixed, root, &url, &StorageConfig::default())))
    }

    /// State at the newest version; `None` where there is no log yet.
    ///
    /// # Errors
    /// The store failed, or the log is damaged.
    pub async fn newest(&self, application: &str) -> Result<Option<Snapshot>, StorageError> {
        match self.read(application).await {
            // Entries have no checksum: what was cut on its way is whole the second time.
            Err(StorageError::Delta { .. }) => self.read(application).await,
            read => read,
        }
    }

    async fn read(&self, application: &str) -> Result<Option<Snapshot>, StorageError> {
        let mut table = self.table()?;
        let there = table.log_store().is_delta_table_location().await;
        if !there.map_err(|error| self.fail(error))? {
            return Ok(None);
        }
        table.load().await.map_err(|error| self.fail(error))?;
        let log_store = table.log_store();
        let state = table.snapshot().map_err(|error| self.fail(error))?;
        let transaction = state.transaction_version(log_store.as_ref(), application).await;
        let metadata = state.metadata();
        let files = state.log_data();
        let active = files.iter().map(|file| {
            let partition = file.partition_values_map().into_iter().collect();
            (file.path().into_owned(), Active { bytes: file.size(), partition })
        });
        Ok(Some(Snapshot {
            version: state.version(),
            transaction: transaction.map_err(|error| self.fail(error))?,
            meta: Meta {
                id: metadata.id().to_owned(),
                description: metadata.description().map(str::to_owned),
                schema: metadata.schema_string().clone(),
                partition: metadata.partition_columns().to_vec(),
                created_ms: metadata.created_time(),
            },
            active: active.collect(),
        }))
    }

    /// Makes the log's entry `version`, once or not at all.
    ///
    /// # Errors
    /// The store failed; as with every create, the entry may be there all the same.
    pub async fn create(&self, version: u64, actions: Bytes) -> Result<Created, StorageError> {
        self.store.create(&self.entry(version), actions).await
    }

    /// Writes a checkpoint of the newest version, so that readers need not replay all entries.
    ///
    /// # Errors
    /// The store failed; the log is whole without the checkpoint.
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        let mut table = self.table()?;
        table.load().await.map_err(|error| self.fail(error))?;
        let written = deltalake_core::checkpoints::create_checkpoint(&table, None).await;
        written.map_err(|error| self.fail(error))?;
        // The crate's writer does not sync.
        if let (Some(folder), Some(version)) = (self.store.folder(), table.version()) {
            let name = format!("{version:020}.checkpoint.parquet");
            local::sync(&folder.join(&self.folder).join("_delta_log").join(name))?;
        }
        Ok(())
    }

    /// Writes a checkpoint of the newest version and deletes everything of the versions before it;
    /// readers cannot go back behind it. A folder without a log stays as it is.
    ///
    /// # Errors
    /// The store failed, or the log is damaged.
    pub async fn forget_the_past(&self) -> Result<(), StorageError> {
        let mut table = self.table()?;
        let there = table.log_store().is_delta_table_location().await;
        if !there.map_err(|error| self.fail(error))? {
            return Ok(());
        }
        table.load().await.map_err(|error| self.fail(error))?;
        let Some(newest) = table.version() else { return Ok(()) };
        self.checkpoint().await?;
        for object in self.store.list(&format!("{}/_delta_log", self.folder)).await? {
            let name = object.path.rsplit('/').next().unwrap_or_default();
            let version = name.split('.').next().and_then(|version| version.parse::<u64>().ok());
            if version.is_some_and(|version| version < newest) {
                self.store.delete(&object.path).await?;
            }
        }
        Ok(())
    }
}
