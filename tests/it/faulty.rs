//! An object store whose calls can be made to fail in the ways real ones were seen to.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

/// What goes wrong with a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are there, the answer is lost: a generic error.
    CommittedThenError,
    /// The bytes are there, the answer is lost, and the client's own retry finds them.
    CommittedThenExists,
    /// Nothing happened but an error.
    Lost,
    Permission,
    Full,
}

type Rule = Box<dyn Fn(&Path, &PutMode) -> Option<Fault> + Send + Sync>;

/// Memory with faults.
pub struct Faulty {
    pub inner: Arc<InMemory>,
    rule: Arc<Mutex<Rule>>,
    /// The rule is asked of deletions too.
    deletions: bool,
}

impl Faulty {
    pub fn new(rule: impl Fn(&Path, &PutMode) -> Option<Fault> + Send + Sync + 'static) -> Self {
        let (inner, rule) =
            (Arc::new(InMemory::new()), Arc::new(Mutex::new(Box::new(rule) as Rule)));
        Self { inner, rule, deletions: false }
    }

    /// Deletions go wrong as puts do.
    pub fn with_deletions(self) -> Self {
        Self { deletions: true, ..self }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "faulty", source: source.into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let fault = self.rule.lock().expect("a rule")(location, &options.mode);
        let path = location.to_string();
        match fault {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::CommittedThenError) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(generic("connection closed before message completed"))
            }
            Some(Fault::CommittedThenExists) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(Error::AlreadyExists { path, source: "412".into() })
            }
            Some(Fault::Lost) => Err(generic("connection reset")),
            Some(Fault::Permission) => Err(Error::PermissionDenied { path, source: "403".into() }),
            Some(Fault::Full) => {
                Err(generic(std::io::Error::from(std::io::ErrorKind::StorageFull)))
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        if !self.deletions {
            return self.inner.delete_stream(locations);
        }
        let (inner, rule) = (Arc::clone(&self.inner), Arc::clone(&self.rule));
        let delete = move |location: Result<Path>| {
            let (inner, rule) = (Arc::clone(&inner), Arc::clone(&rule));
            async move {
                let location = location?;
                if rule.lock().expect("a rule")(&location, &PutMode::Overwrite).is_some() {
                    return Err(generic("connection reset"));
                }
                inner.delete(&location).await.map(|()| location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if self.rule.lock().expect("a rule")(to, &PutMode::Overwrite).is_some() {
            return Err(generic("connection reset"));
        }
        self.inner.copy_opts(from, to, options).await
    }
}
