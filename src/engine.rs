//! Runs SQL models over Parquet files and batches; the only room that names a SQL engine.
//!
//! An [`Engine`] holds the memory limit, the spill folder and the worker threads of a run; a
//! [`Session`] is one step's view: the tables it may read, by name. What a table means is not
//! known here.

mod datafusion;
mod merged;
pub mod origins;
mod piecewise;

pub use self::datafusion::{Engine, Session};
pub use self::piecewise::Piecewise;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;

use crate::storage::Store;
use crate::table::dataset::FileRef;

/// Rows as they come from a query.
pub struct Answer {
    pub schema: SchemaRef,
    pub batches: BoxStream<'static, Result<RecordBatch, EngineError>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// A Parquet file of a store, as the engine needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInput {
    /// Full path inside the store.
    pub path: String,
    pub bytes: u64,
    /// Which side of a join is the small one is decided by this.
    pub rows: u64,
}

impl FileInput {
    /// A dataset's file as it lies in a store.
    pub fn of(store: &Store, file: &FileRef) -> Self {
        Self { path: store.full(&file.path).to_string(), bytes: file.bytes, rows: file.rows }
    }
}

/// Limits of an engine; the numbers come from `settings` and the job.
#[derive(Debug, Clone)]
pub struct Limits {
    pub memory_bytes: usize,
    /// Spill files go here.
    pub scratch: std::path::PathBuf,
    pub spill_bytes_max: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the engine could not start")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("sql of `{model}` is not valid")]
    Invalid {
        model: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{model}` needs more than the memory limit")]
    Memory {
        model: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{model}` failed while running")]
    Failed {
        model: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
