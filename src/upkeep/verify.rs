//! Whether every file that releases name is there and holds what they say.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::UpkeepError;
use crate::state::Release;
use crate::storage::Store;
use crate::table::hash::Hash;

/// Files looked at beside each other.
const AT_ONCE: usize = 16;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Missing,
    /// It has another size than its release says.
    Size,
    /// Its bytes have another hash than its release says.
    Damaged,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Size => "of another size",
            Self::Damaged => "damaged",
        })
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    pub files: u64,
    pub bytes: u64,
    /// Path, what is wrong, and the newest release that names it.
    pub faults: Vec<(String, Fault, u64)>,
}

/// A file as a release describes it.
struct Named {
    /// `None`: not told, only its hash is.
    bytes: Option<u64>,
    hash: Hash,
    release: u64,
}

fn named(releases: &[Release]) -> BTreeMap<&str, Named> {
    let mut all = BTreeMap::new();
    for release in releases {
        for file in release.tables.values().chain(release.state.values()).flat_map(|d| &d.files) {
            let (bytes, hash) = (Some(file.bytes), file.file_hash.clone());
            all.insert(file.path.as_str(), Named { bytes, hash, release: release.number });
        }
        for pointer in release.pointers() {
            let hash = pointer.file_hash.clone();
            all.insert(&pointer.path, Named { bytes: None, hash, release: release.number });
        }
    }
    all
}

/// Looks at every file of the releases, given oldest first: its size, and with `deep` its bytes.
///
/// # Errors
/// The store failed. What is wrong with files is told, and is no error here.
pub async fn verify(
    store: &Store,
    releases: &[Release],
    deep: bool,
) -> Result<Verified, UpkeepError> {
    let look = |(path, file): (&str, Named)| {
        let path = path.to_owned();
        async move {
            let fault = match store.head(&path).await? {
                None => Some(Fault::Missing),
                Some(found) if file.bytes.is_some_and(|bytes| bytes != found.bytes) => {
                    Some(Fault::Size)
                }
                Some(_) if deep && store.hash(&path).await? != file.hash => Some(Fault::Damaged),
                Some(_) => None,
            };
            Ok::<_, UpkeepError>((path, file, fault))
        }
    };
    let looked: Vec<_> = named(releases).into_iter().map(look).collect();
    let looked: Vec<_> = stream::iter(looked).buffered(AT_ONCE).try_collect().await?;
    let mut verified = Verified::default();
    for (path, file, fault) in looked {
        verified.files += 1;
        verified.bytes += file.bytes.unwrap_or_default();
        verified.faults.extend(fault.map(|fault| (path, fault, file.release)));
    }
    Ok(verified)
}
