//! Hashes that say whether rows or bytes are the same.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::order;

/// A SHA-256, written as lower-case hex.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(String);

impl Hash {
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::from_digest(&Sha256::digest(bytes.as_ref()))
    }

    /// A finished SHA-256.
    pub fn from_digest(digest: &[u8]) -> Self {
        Self(data_encoding::HEXLOWER.encode(digest))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 hex digits: what file names carry.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes parts one after another; each is length-prefixed, so `("ab", "c")` is not `("a", "bc")`.
#[derive(Clone, Default, Debug)]
pub struct Hasher(Sha256);

impl Hasher {
    /// A hasher for one kind of thing; different kinds never collide.
    pub fn new(kind: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.part(kind);
        hasher
    }

    pub fn part(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Bytes without a length: for content that comes in pieces of any size.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    pub fn finish(&self) -> Hash {
        Hash::from_digest(&self.0.clone().finalize())
    }
}

/// Content hash of rows that already stand in canonical order.
///
/// It covers names, types and values, and not how the rows are cut into batches or compressed.
#[derive(Debug)]
pub struct ContentHasher {
    hasher: Hasher,
    rows: u64,
}

impl ContentHasher {
    pub fn new(schema: &arrow::datatypes::Schema) -> Self {
        let mut hasher = Hasher::new("content");
        for field in schema.fields() {
            hasher.part(field.name()).part(field.data_type().to_string());
        }
        Self { hasher, rows: 0 }
    }

    /// # Errors
    /// A column type that has no row encoding.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let all: Vec<usize> = (0..batch.num_columns()).collect();
        for row in &order::encode(batch, &all)? {
            self.hasher.part(row.as_ref());
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    pub fn finish(&self) -> Hash {
        self.hasher.clone().part(self.rows.to_le_bytes()).finish()
    }
}
