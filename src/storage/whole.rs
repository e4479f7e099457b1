//! Whether bytes are still those that were written; and what an error, however deep in its causes,
//! says of an object that is gone or damaged, so that whoever knows how it is made can make it
//! again.

use std::error::Error;

use futures::StreamExt;
use object_store::Error as Cause;
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

/// The object that an error, or a cause of it, says is missing or damaged. Engines that read on
/// their own tell it in the words of the store.
pub fn harmed(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(StorageError::NotFound { path } | StorageError::Damaged { path }) =
            error.downcast_ref::<StorageError>()
        {
            return Some(path.clone());
        }
        if let Some(Cause::NotFound { path, .. }) = error.downcast_ref::<Cause>() {
            return Some(path.clone());
        }
        next = error.source();
    }
    None
}

/// What a store said no with, where an engine that reads on its own passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Missing,
    Permission,
    Unavailable,
}

/// The kind of a store's own error; `None` for errors of others.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let Some(cause) = error.downcast_ref::<Cause>() else { return quoted(&error.to_string()) };
    Some(match cause {
        Cause::NotFound { .. } => Refusal::Missing,
        Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => Refusal::Permission,
        _ => Refusal::Unavailable,
    })
}

/// The first word of a store in an error or its causes.
pub(super) fn refused(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = refusal(error) {
            return Some(refusal);
        }
        next = error.source();
    }
    None
}

/// Readers of Parquet and of Delta logs keep of a store's error nothing but its words. Whether a
/// file is whole was asked before they read it.
fn quoted(words: &str) -> Option<Refusal> {
    const QUOTES: [&str; 4] = [
        "Error interacting with object store: ",
        "Failed to fetch metadata for file",
        "External: Generic ",
        "External: The operation lacked",
    ];
    let is_quoted = QUOTES.iter().any(|quote| words.contains(quote));
    let is_denied = words.contains("The operation lacked the necessary privileges");
    is_quoted.then_some(if is_denied { Refusal::Permission } else { Refusal::Unavailable })
}
