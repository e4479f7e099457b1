//! Objects to records, exactly as they were, plus rejects.
//!
//! An object is first brought to a local file and hashed ([`fetch`]), then decoded record by
//! record ([`records`]) in chunks of bounded size: the columns its spec names, as text. A record
//! that cannot be decoded becomes a [`Reject`] with its number; nothing is dropped in silence.

pub mod json;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::array::StringArray;
use futures::StreamExt;
use sha2::{Digest, Sha256};

use crate::catalog::SourceSpec;
use crate::job::Limits;
use crate::storage::{StorageError, Store};
use crate::table::hash::Hash;

/// Records of a chunk: bounds memory, and is large enough for columnar work.
pub const CHUNK_RECORDS: usize = 32_768;

#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("object `{object}` is larger than the limit of {limit} bytes")]
    TooLarge { object: String, limit: u64 },
    #[error("object `{object}` cannot be decoded: {message}")]
    Undecodable { object: String, message: String },
    #[error("object `{object}` lacks the header or member `{column}` that its spec requires")]
    MissingColumn { object: String, column: String },
    #[error("object `{object}` passes the limit `{limit}` of {value}")]
    Limit { object: String, limit: &'static str, value: u64 },
}

/// A record that could not be used, or a value that had to be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// From 1.
    pub record_number: u64,
    pub rule: &'static str,
    pub column: Option<String>,
    /// What stood there, cut short and with personal data masked.
    pub text: String,
    /// The record stays, only the value is gone.
    pub value_only: bool,
}

/// Some records of one object, as columns of text in the order of the spec's columns.
#[derive(Debug, Clone, Default)]
pub struct RawChunk {
    /// One number a row; a record that holds a list may give several rows.
    pub numbers: Vec<u64>,
    pub columns: Vec<StringArray>,
    pub rejects: Vec<Reject>,
    pub read: u64,
    pub duplicate: u64,
    pub skipped: u64,
}

/// An object on local disk.
#[derive(Debug)]
pub struct Fetched {
    pub file: PathBuf,
    pub bytes: u64,
    pub sha256: Hash,
    /// The file is ours to delete.
    pub scratch: bool,
}

/// Brings an object to local disk, if it is not there already, and hashes it.
///
/// # Errors
/// The object is gone, too large, or the store failed.
pub async fn fetch(
    store: &Store,
    path: &str,
    scratch: &Path,
    limits: &Limits,
) -> Result<Fetched, ExtractError> {
    let too_large =
        || ExtractError::TooLarge { object: store.address(path), limit: limits.object_bytes_max };
    if let Some(folder) = store.folder() {
        let file = folder.join(path);
        let (bytes, sha256) = hash_file(&file).map_err(|e| StorageError::io(&file, e))?;
        if bytes > limits.object_bytes_max {
            return Err(too_large());
        }
        return Ok(Fetched { file, bytes, sha256, scratch: false });
    }
    let mut pieces = store.stream(path).await?;
    let mut digest = Sha256::new();
    let mut bytes = 0;
    let io = |e| StorageError::io(scratch, e);
    let mut file = File::create(scratch).map_err(io)?;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        bytes += piece.len() as u64;
        if bytes > limits.object_bytes_max {
            return Err(too_large());
        }
        digest.update(&piece);
        std::io::Write::write_all(&mut file, &piece).map_err(io)?;
    }
    let sha256 = Hash::from_digest(&digest.finalize());
    Ok(Fetched { file: scratch.to_owned(), bytes, sha256, scratch: true })
}

fn hash_file(path: &Path) -> std::io::Result<(u64, Hash)> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok((bytes, Hash::from_digest(&digest.finalize())));
        };
        digest.update(piece);
        bytes += read as u64;
    }
}

/// A run of records; chunks come until the object ends.
pub type Records = Box<dyn Iterator<Item = Result<RawChunk, ExtractError>> + Send>;

/// Opens a fetched object; `object` names it in errors.
///
/// # Errors
/// The bytes are of no known format, or lack a required column.
pub fn records(
    file: &Path,
    object: &str,
    spec: &SourceSpec,
    limits: &Limits,
) -> Result<Records, ExtractError> {
    let _ = limits;
    json::open(file, object, spec)
}
