//! Bytes in, bytes out, atomically: the only room that names `object_store` and Parquet writers.
//!
//! A [`Store`] is a place (bucket and prefix, folder, or memory). What it promises on all of them:
//! a name is created once or not at all ([`Store::create`]), bytes are on disk when a write
//! returns, and what was written can be verified by its SHA-256 when it is read. It retries what a
//! store calls temporary, and never trusts an `ETag` (stores were seen to accept flipped bytes).

pub mod delta;
pub mod local;
pub mod parquet;
mod receive;
mod refusal;
mod whole;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error as Cause, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload,
};
use url::Url;

pub use self::refusal::{Refusal, harmed, refusal};
use crate::table::hash::Hash;

/// Above this size a file is sent in parts.
const PUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const PART_BYTES: usize = 16 * 1024 * 1024;
/// The stores in memory of this process, by the host of their url: two that open one url meet.
static MEMORY: LazyLock<Mutex<BTreeMap<String, Arc<dyn ObjectStore>>>> =
    LazyLock::new(Mutex::default);

/// Listings larger than this are refused: they would be a mistaken url, not a warehouse.
const LIST_OBJECTS_MAX: usize = 5_000_000;

/// Conditions of a store that callers tell apart; the cause is the store's own.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("`{url}` is not a url of a store this binary knows (file, s3, gs, az, memory)")]
    Url {
        url: String,
        #[source]
        source: Option<Box<Cause>>,
    },
    #[error("the url of a store holds a secret, which logs and tables would tell")]
    Secret,
    #[error("`{path}` was not found")]
    NotFound { path: String },
    #[error("permission denied on `{path}`")]
    Permission {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("no space left while writing `{path}`")]
    Full {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("`{path}` is damaged: its SHA-256 is not the one recorded when it was written")]
    Damaged { path: String },
    #[error("listing `{path}` gave more than {limit} objects")]
    TooMany { path: String, limit: usize },
    #[error("the store failed on `{path}`")]
    Unavailable {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the delta log `{path}` cannot be understood")]
    Delta {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("parquet file `{path}` cannot be read or written")]
    Parquet {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StorageError {
    fn of(path: &Path, cause: Cause) -> Self {
        let path = path.to_string();
        match cause {
            Cause::NotFound { .. } => Self::NotFound { path },
            Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => {
                Self::Permission { path, source: cause.into() }
            }
            other => Self::from_source(path, other.into()),
        }
    }

    /// Tells disk-full and permission apart from other input and output errors.
    fn from_source(path: String, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                match io.kind() {
                    std::io::ErrorKind::StorageFull
                    | std::io::ErrorKind::QuotaExceeded
                    | std::io::ErrorKind::FileTooLarge => {
                        return Self::Full { path, source };
                    }
                    std::io::ErrorKind::PermissionDenied
                    | std::io::ErrorKind::ReadOnlyFilesystem => {
                        return Self::Permission { path, source };
                    }
                    _ => {}
                }
            }
            next = error.source();
        }
        Self::Unavailable { path, source }
    }

    /// An Arrow error from a spill file: the disk is at fault more often than the rows.
    pub(crate) fn arrow(path: &FilePath, source: arrow::error::ArrowError) -> Self {
        match source {
            arrow::error::ArrowError::IoError(_, source) => Self::io(path, source),
            other => Self::from_source(path.display().to_string(), other.into()),
        }
    }

    pub(crate) fn io(path: &FilePath, source: std::io::Error) -> Self {
        let path = path.display().to_string();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::from_source(path, source.into()),
        }
    }
}

/// What became of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The name did not exist; now it holds our bytes.
    New,
    /// The name existed, and holds what somebody (perhaps an earlier try of ours) put there.
    Exists,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Relative to the store's root.
    pub path: String,
    pub bytes: u64,
    pub etag: Option<String>,
    /// Microseconds since 1970, UTC.
    pub modified_us: i64,
}

/// A folder or prefix in some object store.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    prefix: Path,
    url: Url,
    /// The folder, when the store is the local disk.
    disk: Option<PathBuf>,
    /// Of which environment this is the view.
    environment: Option<String>,
}

/// Folders that each environment has of its own, under `envs/<name>/`; all others are shared.
const OF_ENVIRONMENTS: [&str; 5] = ["releases", "catalog", "lease", "runs", "work"];
const ENVIRONMENTS: &str = "envs";

impl Store {
    /// Opens `location`: a url, or a path on the local disk (made absolute against `base`).
    ///
    /// `options` are the store's own settings by the names `object_store` knows
    /// (`aws_access_key_id`, …), read from the environment by `settings`.
    ///
    /// # Errors
    /// A url that names no known kind of store, or settings it refuses.
    pub fn open(
        location: &str,
        base: &FilePath,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, StorageError> {
        let url = locate(location, base)?;
        if url.scheme() == "file" {
            let wrong = || StorageError::Url { url: url.to_string(), source: None };
            return Ok(Self::on_disk(&url.to_file_path().map_err(|()| wrong())?));
        }
        if url.scheme() == "memory" {
            let host = url.host_str().unwrap_or_default().to_owned();
            let mut stores = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = || Arc::new(InMemory::new()) as Arc<dyn ObjectStore>;
            let inner = Arc::clone(stores.entry(host).or_insert_with(fresh));
            let prefix = Path::from_url_path(url.path()).unwrap_or_default();
            return Ok(Self { inner, prefix, url, disk: None, environment: None });
        }
        let (inner, prefix) = object_store::parse_url_opts(&url, options).map_err(|source| {
            StorageError::Url { url: url.to_string(), source: Some(Box::new(source)) }
        })?;
        Ok(Self { inner: Arc::from(inner), prefix, url, disk: None, environment: None })
    }

    /// A folder of the local disk; made at the first write.
    pub fn on_disk(folder: &FilePath) -> Self {
        let url = Url::from_directory_path(folder)
            .unwrap_or_else(|()| unreachable!("`locate` made the path absolute"));
        let prefix = Path::from_absolute_path(folder).unwrap_or_default();
        let inner = Arc::new(object_store::local::LocalFileSystem::new());
        Self { inner, prefix, url, disk: Some(folder.to_owned()), environment: None }
    }

    /// The same store as an environment sees it: releases, views, lease, reports and work in
    /// progress lie under `envs/<name>/`, the files of tables and state are shared with all others.
    #[must_use]
    pub fn of_environment(&self, name: Option<&str>) -> Self {
        Self { environment: name.map(str::to_owned), ..self.clone() }
    }

    /// The environment that this is the view of; none is the warehouse itself.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Names of all environments beside the warehouse itself.
    ///
    /// # Errors
    /// The store failed.
    pub async fn environments(&self) -> Result<Vec<String>, StorageError> {
        self.of_environment(None).folders(ENVIRONMENTS).await
    }

    /// Where a path really lies.
    fn placed<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let folder = path.split('/').next().unwrap_or_default();
        match &self.environment {
            Some(name) if OF_ENVIRONMENTS.contains(&folder) => {
                Cow::Owned(format!("{ENVIRONMENTS}/{name}/{path}"))
            }
            _ => Cow::Borrowed(path),
        }
    }

    /// The file of a path, if the store is on the local disk; never one outside of its folder.
    pub fn file(&self, path: &str) -> Option<PathBuf> {
        let mut path = self.placed(path);
        if path.split('/').any(|part| ["", ".", ".."].contains(&part)) {
            path = Cow::Owned(Path::from(path.as_ref()).to_string());
        }
        self.disk.as_ref().map(|folder| folder.join(path.as_ref()))
    }

    /// Puts `inner` behind all urls `memory://<host>/…` of this process that are opened from now
    /// on: how a test puts a faulty store under a whole job.
    pub fn mount(host: &str, inner: Arc<dyn ObjectStore>) {
        let mut stores = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        stores.insert(host.to_owned(), inner);
    }

    /// Any `object_store` under a prefix; tests hand in faulty ones.
    pub fn over(inner: Arc<dyn ObjectStore>, url: &Url) -> Self {
        Self { inner, prefix: Path::default(), url: url.clone(), disk: None, environment: None }
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The folder behind this store, if it is on the local disk.
    pub fn folder(&self) -> Option<&FilePath> {
        self.disk.as_deref()
    }

    /// The `object_store` and, for a path of this store, its full path there: for engines.
    pub fn raw(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.inner)
    }

    /// The path of `path` inside [`Store::raw`].
    pub fn full(&self, path: &str) -> Path {
        // Names that were listed come back as they are; only what no store could hold is escaped.
        let path = self.placed(path);
        let below = Path::parse(&path).unwrap_or_else(|_| Path::from(path.as_ref()));
        Path::from_iter(self.prefix.parts().chain(below.parts()))
    }

    /// The url a reader outside gives to its own client; a plain path for the local disk.
    pub fn address(&self, path: &str) -> String {
        match self.file(path) {
            Some(file) => file.display().to_string(),
            None => {
                format!("{}/{}", self.url.as_str().trim_end_matches('/'), self.placed(path))
            }
        }
    }

    /// # Errors
    /// The object is not there, or the store failed.
    pub async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        let full = self.full(path);
        let fail = |cause| StorageError::of(&full, cause);
        let got = self.inner.get(&full).await.map_err(fail)?;
        let size = got.range.end - got.range.start;
        let bytes = got.bytes().await.map_err(fail)?;
        if bytes.len() as u64 == size { Ok(bytes) } else { Err(cut_short(path, size)) }
    }

    /// Reads and compares with the hash recorded when the object was written.
    ///
    /// # Errors
    /// As [`Store::read`], and [`StorageError::Damaged`].
    pub async fn read_verified(&self, path: &str, hash: &Hash) -> Result<Bytes, StorageError> {
        let bytes = self.read(path).await?;
        if Hash::of(&bytes) == *hash {
            return Ok(bytes);
        }
        Err(StorageError::Damaged { path: path.to_owned() })
    }

    /// The object in pieces as they arrive; fewer bytes than the store promised are an error.
    ///
    /// # Errors
    /// The object is not there, or the store failed; later pieces may fail too.
    pub async fn stream(
        &self,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        let full = self.full(path);
        let got = self.inner.get_opts(&full, GetOptions::default()).await;
        let got = got.map_err(|cause| StorageError::of(&full, cause))?;
        let size = got.range.end - got.range.start;
        let path = path.to_owned();
        let pieces = got.into_stream().map_err(move |cause| StorageError::of(&full, cause));
        let counted = pieces.map(Some).chain(stream::iter([None])).scan(0, move |read, piece| {
            let piece = match piece {
                Some(Ok(piece)) => {
                    *read += piece.len() as u64;
                    Some(Ok(piece))
                }
                Some(Err(error)) => Some(Err(error)),
                None => (*read != size).then(|| Err(cut_short(&path, size))),
            };
            futures::future::ready(piece)
        });
        Ok(counted.boxed())
    }

    /// # Errors
    /// The store failed; a missing object is `None`.
    pub async fn head(&self, path: &str) -> Result<Option<Listed>, StorageError> {
        let full = self.full(path);
        match self.inner.head(&full).await {
            Ok(meta) => Ok(Some(self.listed(&meta))),
            Err(Cause::NotFound { .. }) => Ok(None),
            Err(cause) => Err(StorageError::of(&full, cause)),
        }
    }

    /// All objects under `prefix`, sorted by path; an absent folder lists nothing.
    ///
    /// # Errors
    /// The store failed, or there are more objects than any warehouse has.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StorageError> {
        let full = self.full(prefix);
        let mut stream = self.inner.list(Some(&full));
        let mut found = Vec::new();
        while let Some(meta) = stream.next().await {
            let meta = match meta {
                Ok(meta) => meta,
                Err(Cause::NotFound { .. }) => break,
                Err(cause) => return Err(StorageError::of(&full, cause)),
            };
            if self.disk.is_some() && meta.location.filename().is_some_and(local::is_temporary) {
                continue;
            }
            found.push(self.listed(&meta));
            if found.len() > LIST_OBJECTS_MAX {
                let (path, limit) = (full.to_string(), LIST_OBJECTS_MAX);
                return Err(StorageError::TooMany { path, limit });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Names of the folders right under `prefix`, sorted.
    ///
    /// # Errors
    /// The store failed; an absent folder has none.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let full = self.full(prefix);
        let found = match self.inner.list_with_delimiter(Some(&full)).await {
            Ok(found) => found.common_prefixes,
            Err(Cause::NotFound { .. }) => Vec::new(),
            Err(cause) => return Err(StorageError::of(&full, cause)),
        };
        let mut names: Vec<String> =
            found.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    fn listed(&self, meta: &ObjectMeta) -> Listed {
        let inside = meta.location.prefix_match(&self.prefix);
        let path = inside.map(Path::from_iter).unwrap_or_default().to_string();
        let of_own = self.environment.as_ref().and_then(|name| {
            path.strip_prefix(ENVIRONMENTS)?
                .strip_prefix('/')?
                .strip_prefix(name)?
                .strip_prefix('/')
        });
        let path = of_own.map(str::to_owned).unwrap_or(path);
        Listed {
            path,
            bytes: meta.size,
            etag: meta.e_tag.as_deref().map(|etag| etag.trim_matches('"').to_owned()),
            modified_us: meta.last_modified.timestamp_micros(),
        }
    }

    /// Puts `bytes` under a name that must not exist yet; the one primitive commits rest on.
    ///
    /// A lost acknowledgement can make our own success look like [`Created::Exists`] or an error:
    /// callers read back and compare.
    ///
    /// # Errors
    /// The store failed; the object may or may not be there.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, StorageError> {
        if let Some(file) = self.file(path) {
            return local::create(&file, &bytes);
        }
        let full = self.full(path);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.inner.put_opts(&full, PutPayload::from_bytes(bytes), options).await {
            Ok(_) => Ok(Created::New),
            Err(Cause::AlreadyExists { .. } | Cause::Precondition { .. }) => Ok(Created::Exists),
            Err(cause) => Err(StorageError::of(&full, cause)),
        }
    }

    /// Puts `bytes` under a name whatever was there: for content-named objects and `views.sql`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StorageError> {
        if let Some(file) = self.file(path) {
            return local::replace(&file, &bytes);
        }
        let full = self.full(path);
        let put = self.inner.put(&full, PutPayload::from_bytes(bytes)).await;
        put.map(|_| ()).map_err(|cause| StorageError::of(&full, cause))
    }

    /// As [`Store::replace`], for a note in `work/`: on the local disk a power cut may tear it or
    /// take it away.
    ///
    /// # Errors
    /// The store failed.
    pub async fn note(&self, path: &str, bytes: Bytes) -> Result<(), StorageError> {
        match self.file(path) {
            Some(file) => local::note(&file, &bytes),
            None => self.replace(path, bytes).await,
        }
    }

    /// Moves a finished scratch file under a content-addressed name in `work/`, in parts when it is
    /// large. On the local disk a power cut may tear it; [`Store::copy`] makes it last.
    ///
    /// # Errors
    /// The scratch file cannot be read, or the store failed.
    pub async fn put_file(&self, scratch: &FilePath, path: &str) -> Result<(), StorageError> {
        if let Some(file) = self.file(path) {
            return local::adopt(scratch, &file);
        }
        let io = |source| StorageError::io(scratch, source);
        let size = std::fs::metadata(scratch).map_err(io)?.len();
        if size <= PUT_BYTES_MAX {
            let bytes = Bytes::from(std::fs::read(scratch).map_err(io)?);
            return self.replace(path, bytes).await;
        }
        let full = self.full(path);
        let fail = |cause| StorageError::of(&full, cause);
        let mut file = std::fs::File::open(scratch).map_err(io)?;
        let mut upload = self.inner.put_multipart(&full).await.map_err(fail)?;
        loop {
            let part = local::read_part(&mut file, PART_BYTES).map_err(io)?;
            if part.is_empty() {
                break;
            }
            if let Err(cause) = upload.put_part(part.into()).await {
                // An upload left open costs money on S3; the error that matters is the first.
                let _ = upload.abort().await;
                return Err(fail(cause));
            }
        }
        upload.complete().await.map(|_| ()).map_err(fail)
    }

    /// Gives an object whose SHA-256 is `hash` a second, content-addressed name: a link on disk, a
    /// copy elsewhere. The name lasts once [`Store::settle`] returned.
    ///
    /// # Errors
    /// The source is not there or damaged (then it gets no other name), or the store failed.
    pub async fn copy(&self, from: &str, to: &str, hash: &Hash) -> Result<(), StorageError> {
        self.vouch(from, hash).await?;
        if let (Some(old), Some(new)) = (self.file(from), self.file(to)) {
            // A disk syncs many files at once in little more time than one.
            return local::aside(from, move || local::link(&old, &new)).await;
        }
        let (from, to) = (self.full(from), self.full(to));
        self.inner.copy(&from, &to).await.map_err(|cause| StorageError::of(&from, cause))
    }

    /// Makes the names of objects last, which copies gave them.
    ///
    /// # Errors
    /// One is not there, or the store failed.
    pub fn settle<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<(), StorageError> {
        let Some(root) = &self.disk else { return Ok(()) };
        let files: Vec<PathBuf> = paths.filter_map(|path| self.file(path)).collect();
        local::sync_folders(root, files.iter().map(PathBuf::as_path))
    }

    /// Removes an object; one that is not there is as good as removed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete(&self, path: &str) -> Result<(), StorageError> {
        let full = self.full(path);
        match self.inner.delete(&full).await {
            Ok(()) | Err(Cause::NotFound { .. }) => Ok(()),
            Err(cause) => Err(StorageError::of(&full, cause)),
        }
    }
}

/// A store that ends an object early does not always say so.
fn cut_short(path: &str, size: u64) -> StorageError {
    let source = format!("it ended before its {size} bytes").into();
    StorageError::Unavailable { path: path.to_owned(), source }
}

fn locate(location: &str, base: &FilePath) -> Result<Url, StorageError> {
    let wrong = || StorageError::Url { url: location.to_owned(), source: None };
    if location.contains("://") {
        let url = Url::parse(location).map_err(|_| wrong())?;
        let is_signed = url.query().is_some_and(|query| query.contains('='));
        return if url.password().is_some() || is_signed {
            Err(StorageError::Secret)
        } else {
            Ok(url)
        };
    }
    let folder = base.join(location);
    let folder = std::path::absolute(&folder).map_err(|_| wrong())?;
    Url::from_directory_path(folder).map_err(|()| wrong())
}
