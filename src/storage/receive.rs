//! Objects that come from another store: in pieces, verified on the way, there only when whole.

use std::path::Path as FilePath;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};

use super::{PART_BYTES, StorageError, Store, local};
use crate::table::hash::Hash;

impl Store {
    /// Takes over an object of another store if its SHA-256 is `hash`, without holding it whole.
    ///
    /// # Errors
    /// The source is missing or damaged (then nothing appears here), or a store failed.
    pub async fn receive(
        &self,
        from: &Self,
        source: &str,
        path: &str,
        hash: &Hash,
    ) -> Result<(), StorageError> {
        let mut pieces = from.stream(source).await?;
        let mut intake = if let Some(file) = self.file(path) {
            Intake::disk(&file)?
        } else {
            let full = self.full(path);
            let upload = self.inner.put_multipart(&full).await;
            let upload = upload.map_err(|cause| StorageError::of(&full, cause))?;
            Intake::Upload { full, upload, part: Vec::new() }
        };
        let mut digest = Sha256::new();
        while let Some(piece) = pieces.next().await {
            let written = match piece {
                Ok(piece) => {
                    digest.update(&piece);
                    intake.write(&piece).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                intake.abort().await;
                return Err(error);
            }
        }
        if Hash::from_digest(&digest.finalize()) != *hash {
            intake.abort().await;
            return Err(StorageError::Damaged { path: source.to_owned() });
        }
        intake.finish().await
    }
}

/// An object that arrives in pieces and appears only when it is complete.
enum Intake {
    Disk(local::Arrival),
    Upload { full: Path, upload: Box<dyn MultipartUpload>, part: Vec<u8> },
}

impl Intake {
    fn disk(path: &FilePath) -> Result<Self, StorageError> {
        Ok(Self::Disk(local::Arrival::new(path)?))
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), StorageError> {
        match self {
            Self::Disk(arrival) => arrival.write(piece),
            Self::Upload { full, upload, part } => {
                part.extend_from_slice(piece);
                if part.len() < PART_BYTES {
                    return Ok(());
                }
                let ready = PutPayload::from(std::mem::take(part));
                upload.put_part(ready).await.map_err(|cause| StorageError::of(full, cause))
            }
        }
    }

    async fn finish(self) -> Result<(), StorageError> {
        match self {
            Self::Disk(arrival) => arrival.finish(),
            Self::Upload { full, mut upload, part } => {
                let fail = |cause| StorageError::of(&full, cause);
                upload.put_part(PutPayload::from(part)).await.map_err(fail)?;
                upload.complete().await.map(|_| ()).map_err(fail)
            }
        }
    }

    async fn abort(self) {
        // The error that led here is the one to tell.
        match self {
            Self::Disk(arrival) => drop(arrival),
            Self::Upload { mut upload, .. } => drop(upload.abort().await),
        }
    }
}
