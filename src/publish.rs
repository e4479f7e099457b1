//! Audited files, then one create; then what readers of other kinds see.
//!
//! Every name is immutable, so a reader can never meet half of anything. The room puts files under
//! their final names ([`place`]); `state` makes the commit; the Delta logs ([`delta`]) and the
//! DuckDB views ([`views`]) are projections of the newest release that any later run can redo.

pub mod delta;
pub mod views;

use crate::storage::{StorageError, Store};
use crate::table::Contract;
use crate::table::dataset::{Dataset, FileRef};

/// A published table: what readers were promised and the files that hold it.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    pub contract: &'a Contract,
    pub dataset: &'a Dataset,
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A bug: names are made from content.
    #[error("`{path}` exists with {found} bytes, but should have {wanted}")]
    Clash { path: String, found: u64, wanted: u64 },
    #[error("the delta log of `{table}` cannot be read or written")]
    Delta {
        table: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Final path of a file of a published table.
pub fn table_path(table: &str, contract: &Contract, file: &FileRef) -> String {
    let mut path = format!("tables/{table}/");
    for column in &contract.partition {
        let value = file.partition.get(column).map_or("", String::as_str);
        path.push_str(&format!("{column}={value}/"));
    }
    format!("{path}part-{}-{}.zstd.parquet", file.file_hash.short(), file.ordinal)
}

/// Final path of a file of an intermediate; `kind` is one of the state kinds.
pub fn state_path(kind: &str, file: &FileRef) -> String {
    format!("state/v1/{kind}/{}.parquet", file.file_hash)
}

/// Puts the files of `dataset` under their final names, as `path` makes them.
///
/// A name that exists holds the same bytes, or this is a bug; it is written again all the same
/// unless the parent release names it, which renews its age, so that a clean-up running beside
/// this run does not take it for a leftover.
///
/// # Errors
/// The store failed, or a name holds something else.
pub async fn place(
    store: &Store,
    dataset: &Dataset,
    parent: Option<&Dataset>,
    path: impl Fn(&FileRef) -> String,
) -> Result<Dataset, PublishError> {
    let mut placed = dataset.clone();
    for file in &mut placed.files {
        let wanted = path(file);
        let known = parent.is_some_and(|p| p.files.iter().any(|f| f.path == wanted));
        if !known {
            if let Some(found) = store.head(&wanted).await?
                && found.bytes != file.bytes
            {
                let (found, wanted_bytes) = (found.bytes, file.bytes);
                return Err(PublishError::Clash { path: wanted, found, wanted: wanted_bytes });
            }
            if file.path != wanted {
                store.copy(&file.path, &wanted).await?;
            }
        }
        file.path = wanted;
    }
    Ok(placed)
}
