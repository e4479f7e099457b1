//! Memory that fails at the n-th call, in each way that stores were seen to fail.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use tokio::sync::Notify;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing happens but an error.
    Error,
    /// It is done, and the answer is an error.
    LostAnswer,
    /// A create is done, the answer was a 503, and the client's retry finds the name taken.
    CommitThen503,
    /// Many other calls come first.
    Slow,
    /// A read ends in the middle.
    Truncated,
    /// One bit of what is read is another one.
    Flipped,
    /// One bit of the object itself is another one, from now on.
    Rotten,
    /// A listing shows what was there before the run.
    StaleList,
    /// From now on there is no space left.
    Full,
    /// From now on nothing answers: the process is as good as dead.
    Dead,
    /// A receipt is written, and then the process is dead.
    DeadAtReceipt,
    /// One bit of a file that the run itself wrote is another one, from now on.
    RottenWork,
    /// All that steps have made so far is taken away, as by another run that ended.
    Cleared,
    /// The call waits until somebody lets it go on.
    Held,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::Error,
        Self::LostAnswer,
        Self::CommitThen503,
        Self::Slow,
        Self::Truncated,
        Self::Flipped,
        Self::Rotten,
        Self::StaleList,
        Self::Full,
        Self::Dead,
        Self::DeadAtReceipt,
        Self::RottenWork,
        Self::Cleared,
    ];

    /// Whether it can befall a call. Nobody vouches for the bytes of a raw object that is read for
    /// the first time, nor for what lies beside a release; parts of a file that SQL reads are
    /// vouched for by the whole file.
    fn can_befall(self, call: Call, path: &str) -> bool {
        let is_own = path.starts_with("warehouse/");
        match self {
            Self::Error | Self::Slow | Self::Dead => true,
            Self::LostAnswer => {
                matches!(call, Call::Create | Call::Put | Call::Copy | Call::Delete)
            }
            Self::CommitThen503 => call == Call::Create,
            Self::Full => matches!(call, Call::Create | Call::Put | Call::Copy),
            Self::Truncated => matches!(call, Call::Get | Call::Part),
            Self::Flipped => call == Call::Get && is_own,
            // Nothing is made from a ledger's inputs.
            Self::Rotten => {
                let is_kept = path.starts_with("warehouse/state/v1/");
                matches!(call, Call::Get | Call::Part) && is_kept && path.ends_with(".parquet")
            }
            Self::StaleList => call == Call::List,
            Self::DeadAtReceipt => path.ends_with("/receipt.json") && call == Call::Put,
            Self::RottenWork => {
                let is_made = path.starts_with("warehouse/work/") && path.ends_with(".parquet");
                matches!(call, Call::Get | Call::Part) && is_made
            }
            Self::Cleared | Self::Held => !matches!(call, Call::Delete | Call::List) && is_own,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Create,
    Put,
    Copy,
    Delete,
    Get,
    /// A range of an object.
    Part,
    Head,
    List,
}

#[derive(Debug, Default)]
struct Plan {
    /// The fault, and how many calls it can befall go well before it does.
    fault: Option<(Fault, usize)>,
    has_struck: bool,
    /// What was listed before the run.
    before: Vec<Path>,
    /// Calls that each fault could have befallen.
    calls: [usize; Fault::ALL.len()],
    /// The call that it befell.
    struck: String,
}

/// Memory with one fault.
pub struct Chaos {
    inner: Arc<InMemory>,
    plan: Mutex<Plan>,
    /// A call is held.
    pub holds: Notify,
    /// It may go on.
    pub goes_on: Notify,
}

impl Chaos {
    /// Over a copy of what is in `inner`.
    pub fn over(inner: &InMemory) -> Self {
        Self::on(Arc::new(inner.fork()))
    }

    fn on(inner: Arc<InMemory>) -> Self {
        Self { inner, plan: Mutex::default(), holds: Notify::new(), goes_on: Notify::new() }
    }

    /// The same memory, with faults of its own.
    pub fn beside(&self) -> Self {
        Self::on(Arc::clone(&self.inner))
    }

    /// Strikes at the `n`-th call, from 0, that the fault can befall.
    pub async fn arm(&self, fault: Fault, n: usize) {
        let listed: Vec<_> = self.inner.list(None).collect().await;
        let before = listed.into_iter().map(|meta| meta.expect("memory lists").location).collect();
        let mut plan = self.plan.lock().expect("a plan");
        *plan = Plan { fault: Some((fault, n)), before, ..Plan::default() };
    }

    /// Ends all faults; gives the call that was struck, if any was.
    pub fn disarm(&self) -> Option<String> {
        let mut plan = self.plan.lock().expect("a plan");
        plan.fault = None;
        plan.has_struck.then(|| std::mem::take(&mut plan.struck))
    }

    /// Calls so far that each fault could have befallen.
    pub fn calls(&self) -> Vec<(Fault, usize)> {
        let plan = self.plan.lock().expect("a plan");
        Fault::ALL.into_iter().zip(plan.calls).collect()
    }

    pub fn memory(&self) -> InMemory {
        self.inner.fork()
    }

    /// The fault of this call, if it has one.
    fn next(&self, call: Call, path: &str) -> Option<Fault> {
        let mut plan = self.plan.lock().expect("a plan");
        for (calls, fault) in plan.calls.iter_mut().zip(Fault::ALL) {
            *calls += usize::from(fault.can_befall(call, path));
        }
        let (fault, left) = plan.fault?;
        if plan.has_struck {
            let goes_on = match fault {
                Fault::Full => fault.can_befall(call, path),
                Fault::Dead | Fault::DeadAtReceipt => true,
                _ => false,
            };
            return goes_on.then_some(if fault == Fault::DeadAtReceipt {
                Fault::Dead
            } else {
                fault
            });
        }
        let is_young = || !plan.before.iter().any(|known| known.as_ref() == path);
        if !fault.can_befall(call, path) || fault == Fault::Rotten && is_young() {
            return None;
        }
        if left > 0 {
            plan.fault = Some((fault, left - 1));
            return None;
        }
        plan.has_struck = true;
        plan.struck = format!("{call:?} {path}");
        Some(fault)
    }

    /// What happens around a call.
    async fn befall(&self, fault: Option<Fault>, location: &Path) {
        match fault {
            Some(Fault::Slow) => {
                for _ in 0..2_000 {
                    tokio::task::yield_now().await;
                }
            }
            // An object that is not there cannot rot.
            Some(Fault::Rotten | Fault::RottenWork) => self.rot(location).await.unwrap_or_default(),
            Some(Fault::Cleared) => {
                let work = Path::from("warehouse/work");
                let made: Vec<_> = self.inner.list(Some(&work)).collect().await;
                for meta in made.into_iter().flatten() {
                    self.inner.delete(&meta.location).await.expect("memory deletes");
                }
            }
            Some(Fault::Held) => {
                self.holds.notify_one();
                self.goes_on.notified().await;
            }
            _ => {}
        }
    }

    /// Turns one bit of an object.
    async fn rot(&self, location: &Path) -> Result<()> {
        let bytes = self.inner.get_opts(location, GetOptions::default()).await?.bytes().await?;
        self.inner.put_opts(location, flipped(&bytes).into(), PutOptions::default()).await?;
        Ok(())
    }
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}

impl fmt::Debug for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chaos")
    }
}

impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("chaos")
    }
}

fn failed(why: &'static str) -> Error {
    Error::Generic { store: "chaos", source: why.into() }
}

fn full() -> Error {
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    Error::Generic { store: "chaos", source: source.into() }
}

#[async_trait]
impl ObjectStore for Chaos {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let call = if options.mode == PutMode::Create { Call::Create } else { Call::Put };
        let fault = self.next(call, location.as_ref());
        self.befall(fault, location).await;
        match fault {
            Some(Fault::Error | Fault::Dead) => return Err(failed("connection reset")),
            Some(Fault::Full) => return Err(full()),
            _ => {}
        }
        let done = self.inner.put_opts(location, payload, options).await;
        match fault {
            Some(Fault::LostAnswer) => done.and(Err(failed("closed before message completed"))),
            Some(Fault::CommitThen503) => done.and(Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "412".into(),
            })),
            _ => done,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fault = self.next(Call::Put, location.as_ref());
        match fault {
            Some(Fault::Error | Fault::Dead | Fault::LostAnswer) => Err(failed("connection reset")),
            Some(Fault::Full) => Err(full()),
            _ => self.inner.put_multipart_opts(location, options).await,
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let call = match (&options.range, options.head) {
            (_, true) => Call::Head,
            (Some(_), false) => Call::Part,
            (None, false) => Call::Get,
        };
        let fault = self.next(call, location.as_ref());
        self.befall(fault, location).await;
        if matches!(fault, Some(Fault::Error | Fault::Dead)) {
            return Err(failed("connection reset"));
        }
        let got = self.inner.get_opts(location, options).await?;
        if !matches!(fault, Some(Fault::Truncated | Fault::Flipped)) {
            return Ok(got);
        }
        let (meta, range, attributes) =
            (got.meta.clone(), got.range.clone(), got.attributes.clone());
        let bytes = got.bytes().await?;
        let bytes = match fault {
            Some(Fault::Truncated) => bytes.slice(..bytes.len() / 2),
            _ => flipped(&bytes),
        };
        let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let fault = self.next(Call::Part, location.as_ref());
        self.befall(fault, location).await;
        if matches!(fault, Some(Fault::Error | Fault::Dead)) {
            return Err(failed("connection reset"));
        }
        let mut parts = self.inner.get_ranges(location, ranges).await?;
        // A real client's ranges are answers of their own, and their lengths are compared.
        if fault == Some(Fault::Truncated) && parts.pop().is_some() {
            return Err(failed("the answer ended early"));
        }
        Ok(parts)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let fault = self.next(Call::Delete, "");
        match fault {
            Some(Fault::Error | Fault::Dead) => {
                stream::iter([Err(failed("connection reset"))]).boxed()
            }
            Some(Fault::LostAnswer) => {
                let deleted = self.inner.delete_stream(locations);
                deleted.map(|done| done.and(Err(failed("closed before message completed")))).boxed()
            }
            _ => self.inner.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let fault = self.next(Call::List, prefix.map_or("", |prefix| prefix.as_ref()));
        match fault {
            Some(Fault::Error | Fault::Dead) => {
                stream::iter([Err(failed("connection reset"))]).boxed()
            }
            Some(Fault::StaleList) => {
                let before = self.plan.lock().expect("a plan").before.clone();
                let is_old = move |meta: &Result<ObjectMeta>| {
                    meta.as_ref().map_or(true, |meta| before.contains(&meta.location))
                };
                let listed = self.inner.list(prefix);
                listed.filter(move |meta| futures::future::ready(is_old(meta))).boxed()
            }
            _ => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let fault = self.next(Call::List, prefix.map_or("", |prefix| prefix.as_ref()));
        self.befall(fault, &Path::default()).await;
        if matches!(fault, Some(Fault::Error | Fault::Dead)) {
            return Err(failed("connection reset"));
        }
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        if fault == Some(Fault::StaleList) {
            let before = self.plan.lock().expect("a plan").before.clone();
            listed.objects.retain(|meta| before.contains(&meta.location));
            let is_old = |folder: &Path| before.iter().any(|path| path.prefix_matches(folder));
            listed.common_prefixes.retain(is_old);
        }
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let fault = self.next(Call::Copy, to.as_ref());
        self.befall(fault, to).await;
        match fault {
            Some(Fault::Error | Fault::Dead) => return Err(failed("connection reset")),
            Some(Fault::Full) => return Err(full()),
            _ => {}
        }
        let done = self.inner.copy_opts(from, to, options).await;
        if fault == Some(Fault::LostAnswer) {
            return done.and(Err(failed("closed before message completed")));
        }
        done
    }
}
