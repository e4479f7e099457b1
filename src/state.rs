//! What was done: releases, and the object ledger they were made from.
//!
//! A release is a numbered, immutable, complete state of all published tables and of the
//! intermediate files they were made from. Creating `releases/N.json` is the only commit there is:
//! before it nothing is visible, after it everything is.

pub mod registry;
pub mod reports;

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use self::registry::{Registry, Subject};
use crate::storage::{Created, StorageError, Store};
use crate::table::dataset::Dataset;
use crate::table::hash::Hash;
use crate::table::id::Keyed;
use crate::table::seal;

/// Version of everything under `releases/` and `state/`.
pub const LAYOUT: u32 = 2;
/// The layout before releases were sealed; still read.
const UNSEALED: u32 = 1;

/// Where a warehouse keeps its own identity salt.
const SALT_PATH: &str = "state/v1/salt";
const SALT_BYTES: usize = 32;

/// The bytes of a salt written as hex.
///
/// # Errors
/// It is no hex, or of another length.
pub fn salt_from_hex(text: &str) -> Result<Vec<u8>, StateError> {
    let salt = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes());
    salt.ok().filter(|salt| salt.len() == SALT_BYTES).ok_or(StateError::Salt)
}

/// What a release remembers of the salt it was made under.
pub fn salt_check(salt: &[u8]) -> String {
    Keyed::new(salt).text(&["check"])
}

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the warehouse has no release yet")]
    NoRelease,
    #[error("`{path}` cannot be understood")]
    Malformed {
        path: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the identity salt is not {SALT_BYTES} bytes in hex")]
    Salt,
    #[error("no random bytes from the operating system for the identity salt")]
    Random(#[source] getrandom::Error),
    #[error("`{path}` is damaged: it does not have the SHA-256 that it says")]
    Damaged { path: String },
    #[error("`{path}` has layout {found}, this binary knows {LAYOUT}")]
    Layout { path: String, found: u32 },
}

/// Content of `releases/<number>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub layout: u32,
    pub number: u64,
    pub parent: Option<u64>,
    /// Names the run that made it: tells our own commit from somebody else's after a lost answer.
    pub writer: String,
    pub job: String,
    pub as_of: NaiveDate,
    /// Last day that tables without `as_of` know of (DESIGN: H).
    pub horizon: NaiveDate,
    /// Published tables.
    pub tables: BTreeMap<String, Dataset>,
    /// Intermediate files, by `<kind>/<name>`.
    pub state: BTreeMap<String, Dataset>,
    /// The object ledger.
    pub objects: Option<Pointer>,
    /// Who is forgotten; none: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Pointer>,
    /// What is kept from readers of the published tables; the whole of such tables is in `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masking: Option<Masking>,
    /// Tells another identity salt apart from the one that the customers are named under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt_check: Option<String>,
    /// What each day of the daily tables was made from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub days: BTreeMap<NaiveDate, Hash>,
    /// Headline numbers and balances of the run, for people.
    #[serde(default)]
    pub summary: BTreeMap<String, serde_json::Value>,
}

impl Release {
    /// Where it lies.
    pub fn path(&self) -> String {
        release_path(self.number)
    }

    /// State that is no dataset.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.objects.iter().chain(&self.registry)
    }
}

/// What published tables keep from their readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masking {
    /// Of the job's options that decide it.
    pub options: Hash,
    /// Tells another key under the same name apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_check: Option<String>,
}

/// An immutable file named by a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    pub path: String,
    pub file_hash: Hash,
}

/// Records of one object version: `read = used + duplicate + rejected + skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    pub read: u64,
    pub used: u64,
    pub duplicate: u64,
    pub rejected: u64,
    pub skipped: u64,
    /// Rows of canonical tables that the mappings gave, also of people who are forgotten.
    pub rows: u64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.used += other.used;
        self.duplicate += other.duplicate;
        self.rejected += other.rejected;
        self.skipped += other.skipped;
        self.rows += other.rows;
    }

    pub fn balances(&self) -> bool {
        self.read == self.used + self.duplicate + self.rejected + self.skipped
    }
}

/// One version of one raw object, kept for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    pub url: String,
    /// Counts the distinct contents seen at the url, from 1.
    pub version: i64,
    /// `<source>/<entity>` of the spec, and the account.
    pub spec: String,
    pub account: String,
    pub dt: NaiveDate,
    pub etag: Option<String>,
    pub bytes: u64,
    pub modified_us: i64,
    pub sha256: Hash,
    /// The batch whose staged files hold its rows.
    pub batch: Hash,
    /// What its rows were made under: spec, staging SQL, time zone, options.
    pub staging: Hash,
    /// Its rows retired when a newer version came (`on_change = "replace"`).
    pub replaces: bool,
    pub counts: Counts,
    /// Forgotten people with records in it, and whether these were deleted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forgotten: BTreeMap<String, bool>,
}

/// Where a release lies.
pub fn release_path(number: u64) -> String {
    format!("releases/{number:08}.json")
}

/// Reads what is there; never writes.
#[derive(Debug, Clone)]
pub struct StateReader {
    store: Store,
}

impl StateReader {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Numbers of all releases, oldest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn numbers(&self) -> Result<Vec<u64>, StateError> {
        let number = |path: &str| path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok();
        let listed = self.store.list("releases").await?;
        let mut numbers: Vec<u64> = listed.iter().filter_map(|o| number(&o.path)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The newest release, if there is any.
    ///
    /// # Errors
    /// The store failed, or the release cannot be read.
    pub async fn latest(&self) -> Result<Option<Release>, StateError> {
        match self.numbers().await?.last() {
            Some(number) => Ok(Some(self.release(*number).await?)),
            // An environment begins with what the warehouse shows.
            None if self.store.environment().is_some() => {
                Box::pin(Self::new(self.store.of_environment(None)).latest()).await
            }
            None => Ok(None),
        }
    }

    /// # Errors
    /// There is no such release, or it cannot be read.
    pub async fn release(&self, number: u64) -> Result<Release, StateError> {
        let path = release_path(number);
        let bytes = self.store.read(&path).await?;
        // The layout is read alone first: a newer one may have other fields.
        #[derive(Deserialize)]
        struct Probe {
            layout: u32,
        }
        let malformed = |source| StateError::Malformed { path: path.clone(), source };
        let probe: Probe = serde_json::from_slice(&bytes).map_err(malformed)?;
        if probe.layout != UNSEALED && !seal::is_sealed(&bytes) {
            return Err(StateError::Damaged { path });
        }
        if ![UNSEALED, LAYOUT].contains(&probe.layout) {
            return Err(StateError::Layout { path, found: probe.layout });
        }
        serde_json::from_slice(&bytes).map_err(malformed)
    }

    /// The object ledger of a release.
    ///
    /// # Errors
    /// It is missing, damaged or malformed.
    pub async fn objects(&self, release: &Release) -> Result<Vec<ObjectEntry>, StateError> {
        let Some(pointer) = &release.objects else {
            return Ok(Vec::new());
        };
        let bytes = self.store.read_verified(&pointer.path, &pointer.file_hash).await?;
        let malformed = |source| StateError::Malformed { path: pointer.path.clone(), source };
        serde_json::from_slice(&bytes).map_err(malformed)
    }

    /// Who is forgotten, as a release knows it.
    ///
    /// # Errors
    /// It is missing, damaged or malformed.
    pub async fn registry(&self, release: &Release) -> Result<Registry, StateError> {
        let Some(pointer) = &release.registry else {
            return Ok(Registry::default());
        };
        let bytes = self.store.read_verified(&pointer.path, &pointer.file_hash).await?;
        let malformed = |source| StateError::Malformed { path: pointer.path.clone(), source };
        serde_json::from_slice(&bytes).map_err(malformed)
    }
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    Won,
    /// Another run made this number first.
    Lost,
}

/// Writes state; every write is a create of a new name.
#[derive(Debug, Clone)]
pub struct StateWriter {
    store: Store,
}

impl StateWriter {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Stores the object ledger and says where.
    ///
    /// # Errors
    /// The store failed.
    pub async fn objects(&self, entries: &[ObjectEntry]) -> Result<Pointer, StateError> {
        self.keep("objects", entries).await
    }

    /// Stores who is forgotten and says where; nobody is nowhere.
    ///
    /// # Errors
    /// The store failed.
    pub async fn registry(&self, registry: &Registry) -> Result<Option<Pointer>, StateError> {
        if registry.is_empty() {
            return Ok(None);
        }
        self.keep("registry", registry).await.map(Some)
    }

    async fn keep<T: Serialize + ?Sized>(
        &self,
        kind: &str,
        value: &T,
    ) -> Result<Pointer, StateError> {
        let path = format!("state/v1/{kind}");
        let bytes = serde_json::to_vec(value)
            .map_err(|source| StateError::Malformed { path: path.clone(), source })?;
        let file_hash = Hash::of(&bytes);
        let path = format!("{path}/{file_hash}.json");
        self.store.replace(&path, bytes.into()).await?;
        Ok(Pointer { path, file_hash })
    }

    /// The warehouse's secret that customer ids are made under; made once, from the operating
    /// system's randomness, and the same ever after.
    ///
    /// # Errors
    /// The store failed, or what lies there is no salt.
    pub async fn salt(&self) -> Result<Vec<u8>, StateError> {
        if let Some(salt) = self.kept_salt().await? {
            return Ok(salt);
        }
        let mut salt = [0_u8; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(StateError::Random)?;
        self.keep_salt(data_encoding::HEXLOWER.encode(&salt)).await
    }

    /// Keeps a salt, as hex, in a warehouse that has none; the one that is there, in any case.
    ///
    /// # Errors
    /// The store failed, or what lies there is no salt.
    pub async fn keep_salt(&self, hex: String) -> Result<Vec<u8>, StateError> {
        // Whoever came first has made it: read back what is there, whatever the answer was.
        let created = self.store.create(SALT_PATH, Bytes::from(hex)).await;
        match (self.kept_salt().await?, created) {
            (Some(salt), _) => Ok(salt),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Err(StateError::Salt),
        }
    }

    /// The warehouse's own salt, where it has one.
    ///
    /// # Errors
    /// The store failed, or what lies there is no salt.
    pub async fn kept_salt(&self) -> Result<Option<Vec<u8>>, StateError> {
        match self.store.read(SALT_PATH).await {
            Ok(bytes) => salt_from_hex(&String::from_utf8_lossy(&bytes)).map(Some),
            Err(StorageError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// **The** commit: creates `releases/<number>.json`, and on any doubt reads it back.
    ///
    /// # Errors
    /// The store failed and the release is not there.
    pub async fn commit(&self, release: &Release) -> Result<Commit, StateError> {
        let path = release_path(release.number);
        let bytes = serde_json::to_vec_pretty(release)
            .map_err(|source| StateError::Malformed { path: path.clone(), source })?;
        let created = self.store.create(&path, Bytes::from(seal::seal(&bytes))).await;
        if let Ok(Created::New) = created {
            return Ok(Commit::Won);
        }
        let reader = StateReader::new(self.store.clone());
        match (reader.release(release.number).await, created) {
            (Ok(found), _) if found.writer == release.writer => Ok(Commit::Won),
            (Ok(_), _) => Ok(Commit::Lost),
            (Err(_), Err(error)) => Err(error.into()),
            (Err(error), Ok(_)) => Err(error),
        }
    }
}
