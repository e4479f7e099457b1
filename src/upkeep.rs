//! Verbs on a warehouse that is there: what is read from or done to
//! releases without running a step.

pub mod diff;
pub mod export;
pub mod gc;
pub mod rejects;
pub mod scan;
pub mod verify;

use crate::engine::EngineError;
use crate::state::StateError;
use crate::storage::StorageError;

#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("`{url}` holds `{found}` already; an export needs an empty folder")]
    NotEmpty { url: String, found: String },
    #[error("the manifest of `{url}` cannot be written")]
    Manifest {
        url: String,
        #[source]
        source: serde_json::Error,
    },
}
