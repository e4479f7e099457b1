//! Whether bytes are still those that were written.

use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::{StorageError, Store, local};
use crate::table::hash::Hash;

impl Store {
    /// Hash of an object's bytes, read piece by piece.
    ///
    /// # Errors
    /// It is missing, or the store failed.
    pub async fn hash(&self, path: &str) -> Result<Hash, StorageError> {
        if let Some(file) = self.file(path) {
            return local::aside(path, move || local::hash(&file)).await;
        }
        let mut pieces = self.stream(path).await?;
        let mut digest = Sha256::new();
        while let Some(piece) = pieces.next().await {
            digest.update(&piece?);
        }
        Ok(Hash::from_digest(&digest.finalize()))
    }

    /// Whether the object is there with the hash recorded when it was written; read in pieces.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_whole(&self, path: &str, hash: &Hash) -> Result<bool, StorageError> {
        match self.hash(path).await {
            Ok(found) => Ok(found == *hash),
            Err(StorageError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Compares an object with the hash recorded when it was written.
    ///
    /// # Errors
    /// It is missing or damaged, or the store failed.
    pub async fn vouch(&self, path: &str, hash: &Hash) -> Result<(), StorageError> {
        let is_whole = self.hash(path).await? == *hash;
        if is_whole { Ok(()) } else { Err(StorageError::Damaged { path: path.to_owned() }) }
    }

    /// Makes an object whose SHA-256 is `hash` count as written now; clean-ups go by age.
    ///
    /// # Errors
    /// It is not there or damaged, or the store failed.
    pub async fn renew(&self, path: &str, hash: &Hash) -> Result<(), StorageError> {
        if let Some(file) = self.file(path) {
            self.vouch(path, hash).await?;
            return local::touch(&file);
        }
        // A store refuses to copy an object onto itself.
        let bytes = self.read_verified(path, hash).await?;
        self.replace(path, bytes).await
    }
}
