//! Stages the plan's batches: fetch, decode, type, map by SQL, finish, write; with counts that balance.
//!
//! A batch streams: chunks of a large object are read on one thread and typed on another, every
//! staging model of the spec gets each chunk and runs beside the others, and its rows are written
//! beside it; few chunks wait, so memory does not grow with the size of an object.

mod again;
mod mapping;
mod objects;
mod tally;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use chrono::NaiveDate;
use tokio::sync::mpsc;

pub use self::again::again;
use self::mapping::Mapping;
use self::objects::Ready;
use self::tally::Tally;
use self::told::Told;
pub use self::told::{PlacedReject, SeenColumns, Warnings};
use super::forget::{Forgotten, scrub};
use super::retired::{self, Retired};
use super::sink::Written;
use super::work::StagedBatch;
use super::{Context, RunError, Tables, ledger};
use crate::catalog::SourceSpec;
use crate::catalog::spec::ATTRIBUTES;
use crate::engine::EngineError;
use crate::extract::{self, CHUNK_RECORDS, ExtractError, RawChunk, Repeated};
use crate::forget::Eraser;
use crate::forget::rows::Found as Theirs;
use crate::plan::graph::staged;
use crate::plan::{self, Batch, Plan};
use crate::stage::{self, Origin, Typing};
use crate::state::{Counts, ObjectEntry, Release};
use crate::table::TableError;
use crate::table::dataset::Dataset;
use crate::table::hash::{Hash, Hasher};

/// Chunks that wait between the reader, the typing and each model.
const CHUNKS_WAITING: usize = 2;

/// Rows that are worth a question to the models; larger chunks go as they are.
const SENT_ROWS: usize = 16_384;

/// Object versions by url and version.
type Ledger = BTreeMap<String, BTreeMap<i64, ObjectEntry>>;

/// Staged rows of all objects so far, and the ledger that says which objects those are.
#[derive(Debug)]
pub struct Staged {
    pub tables: Tables,
    pub objects: Vec<ObjectEntry>,
    /// The ledger of the parent release.
    pub before: Vec<ObjectEntry>,
    /// By staged table: which of its rows no longer count.
    pub retired: BTreeMap<String, Retired>,
    pub new_objects: usize,
    pub counts: Counts,
}

/// Stages what the plan says and adds it to what the parent release has.
///
/// # Errors
/// Too many rejects, a lost key column, a damaged store: the run stops.
pub async fn stage(
    context: &Arc<Context>,
    plan: &Plan,
    parent: Option<&Release>,
    before: Vec<ObjectEntry>,
    forgotten: &mut Forgotten,
) -> Result<Staged, RunError> {
    let mut files: BTreeMap<String, Vec<Dataset>> = BTreeMap::new();
    let mut counts = Counts::default();
    let mut new_objects = 0;
    let mut found = Theirs::default();
    let mut ledger = Ledger::new();
    for entry in &before {
        ledger.entry(entry.url.clone()).or_default().insert(entry.version, entry.clone());
    }
    for batch in &plan.batches {
        context.stop.check()?;
        let done = stage_batch(context, batch, &mut ledger, forgotten).await?;
        context.record.batch(batch);
        let Some(done) = done else { continue };
        for dataset in done.datasets {
            files.entry(dataset.name.clone()).or_default().push(dataset);
        }
        found.extend(done.found);
        new_objects += done.objects.len();
        for entry in done.objects {
            counts.add(entry.counts);
            ledger.entry(entry.url.clone()).or_default().insert(entry.version, entry);
        }
    }
    let mut objects: Vec<_> = ledger.into_values().flat_map(BTreeMap::into_values).collect();
    let parts = |name: &str| {
        let before = parent.and_then(|release| release.state.get(name)).cloned();
        before.into_iter().chain(files.remove(name).unwrap_or_default()).collect()
    };
    let (mut tables, retired) = together(context, &objects, parts).await?;
    // What refers to new records of forgotten people may have come in other objects.
    if forgotten.grow(context, &found) {
        scrub::staged_tables(context, &mut tables, &mut objects, forgotten).await?;
        let ledger = ledger::write(context, &objects).await?;
        tables.insert(ledger.name.clone(), ledger);
    }
    Ok(Staged { tables, objects, before, retired, new_objects, counts })
}

/// What was staged of the objects that were known by the end of a day; nothing is staged for it.
///
/// # Errors
/// A full disk.
pub async fn known_by(
    context: &Arc<Context>,
    day: NaiveDate,
    parent: &Release,
    mut objects: Vec<ObjectEntry>,
) -> Result<Staged, RunError> {
    objects.retain(|entry| entry.dt <= day);
    let parts = |name: &str| parent.state.get(name).into_iter().cloned().collect();
    let (tables, retired) = together(context, &objects, parts).await?;
    let (before, counts) = (objects.clone(), Counts::default());
    Ok(Staged { tables, objects, before, retired, new_objects: 0, counts })
}

/// The tables that rest on `objects`, out of what each batch made, and which of their rows no
/// longer count.
async fn together(
    context: &Arc<Context>,
    objects: &[ObjectEntry],
    mut parts: impl FnMut(&str) -> Vec<Dataset>,
) -> Result<(Tables, BTreeMap<String, Retired>), RunError> {
    let mut tables = Tables::new();
    for name in ledger::OF_BATCHES {
        tables.insert(name.to_owned(), union(name, parts(name), objects));
    }
    let windows = retired::windows(context, tables.get(ledger::WINDOWS)).await?;
    let retired = retired::by_table(&context.catalog, objects, &windows);
    for (table, _) in context.catalog.canonical() {
        let name = staged(&table.contract.name);
        let mut dataset = union(&name, parts(&name), objects);
        dataset.retired = retired.get(&name).map(Retired::hash);
        tables.insert(name, dataset);
    }
    let ledger = ledger::write(context, objects).await?;
    tables.insert(ledger.name.clone(), ledger);
    Ok((tables, retired))
}

/// Files of several batches as one dataset; files of batches that no object rests on any more
/// (their objects were staged again) are left out.
fn union(name: &str, parts: Vec<Dataset>, objects: &[ObjectEntry]) -> Dataset {
    let batches: BTreeSet<&str> = objects.iter().map(|entry| entry.batch.as_str()).collect();
    let live = |batch: &str| batches.contains(batch);
    let mut files: Vec<_> = parts.into_iter().flat_map(|dataset| dataset.files).collect();
    files.retain(|file| file.partition.get(BATCH).is_some_and(|batch| live(batch)));
    files.sort_by(|a, b| (&a.partition, a.ordinal).cmp(&(&b.partition, b.ordinal)));
    files.dedup_by(|a, b| a.partition == b.partition && a.file_hash == b.file_hash);
    Dataset::new(name, Hasher::new("staged").part(name).finish(), files)
}

/// Staged files say which batch they belong to as if it were a partition.
pub const BATCH: &str = "batch";

/// A batch, how many of its objects were left out, and which rules its records broke.
struct Done {
    batch: StagedBatch,
    left_out: u64,
    broken: String,
}

async fn stage_batch(
    context: &Arc<Context>,
    batch: &Batch,
    objects: &mut Ledger,
    forgotten: &Forgotten,
) -> Result<Option<StagedBatch>, RunError> {
    let spec = context.catalog.specs.get(&batch.spec);
    let spec = spec.ok_or_else(|| RunError::NoTable(batch.spec.clone()))?;
    let staging = plan::staging_hash(&context.job, &context.catalog, spec, batch.source);
    let ready = objects::fetch(context, batch, &staging, objects).await?;
    if ready.is_empty() {
        return Ok(None);
    }
    let asked = objects::asked(&ready, &staging, forgotten.hash());
    if let Some(done) = context.work.staged_receipt(&asked).await? {
        return Ok(Some(done));
    }
    let eraser = forgotten.eraser.clone();
    let mut decoded = decode_and_map(context, batch, spec, ready, &asked, eraser).await?;
    let fingerprint = objects::fingerprint(&mut decoded.ready, &staging, forgotten.hash()).await?;
    let done = keep(context, batch, decoded, &asked, (&fingerprint, &staging)).await?;
    check_rejects(context, &done, &batch.spec)?;
    context.work.finish_staged(&asked, &done.batch).await?;
    Ok(Some(done.batch))
}

/// What the objects of a batch gave, in scratch space.
struct Decoded {
    ready: Vec<Ready>,
    tallies: Vec<Tally>,
    datasets: Vec<(String, Vec<Written>)>,
    /// Of forgotten people.
    found: Theirs,
    left_out: u64,
    broken: String,
}

/// Scratch files lie in the folder of `step`.
async fn decode_and_map(
    context: &Arc<Context>,
    batch: &Batch,
    spec: &SourceSpec,
    mut ready: Vec<Ready>,
    step: &Hash,
    eraser: Option<Arc<Eraser>>,
) -> Result<Decoded, RunError> {
    let staging_context = staging_context(context, batch.source);
    let spec = &spec.with_options(&staging_context.options);
    let typing = Typing::new(spec, &staging_context)?;
    let models = context.catalog.staging_models(spec);
    let models_keep_attributes = models.iter().any(|model| model.names(ATTRIBUTES));
    let (mut senders, mut tasks) = (Vec::new(), Vec::new());
    let tallies: Arc<Mutex<Vec<Tally>>> =
        Arc::new(Mutex::new(ready.iter().map(|_| Tally::default()).collect()));
    let origins = Arc::new(objects::origins(&mut ready, spec).await?);
    for model in models {
        let mapping = Mapping::new(context, batch, spec, model, &origins, &tallies);
        let Some(mapping) = mapping.map(|mapping| mapping.without(eraser.as_ref())) else {
            continue;
        };
        let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
        senders.push((mapping.table_read(), sender));
        tasks.push(tokio::spawn(mapping.run(receiver, step.clone())));
    }
    let mut spec = spec.clone();
    if !models_keep_attributes {
        spec.format.attributes = Some(false);
    }
    let decoder = Decoder {
        context: Arc::clone(context),
        spec,
        optional: context.job.sources.get(batch.source).is_some_and(|source| source.optional),
        typing,
        tallies: Arc::clone(&tallies),
        senders,
    };
    let decoding = tokio::task::spawn_blocking(move || decoder.run(ready));
    let (mut datasets, mut refused) = (Vec::new(), Vec::new());
    let mut found = Theirs::default();
    let mut failed = None;
    for task in tasks {
        match task.await.map_err(RunError::Thread)? {
            Ok(mapped) => {
                datasets.push((mapped.name, mapped.written));
                refused.extend(mapped.rejects);
                found.extend(mapped.found);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    // The decoder's own error comes first: a model fails of it when its rows stop short.
    let (ready, mut told) = decoding.await.map_err(RunError::Thread)??;
    if let Some(error) = failed {
        return Err(error);
    }
    let left_out = told.left_out;
    told.hush(&mut refused, &origins, &found);
    let broken = told::broken(&told.rejects.iter().chain(&refused).collect::<Vec<_>>(), &origins);
    datasets.extend(write_told(context, batch, &origins, told, refused, step)?);
    let tallies = tallies.lock().map(|mut t| std::mem::take(&mut *t)).unwrap_or_default();
    Ok(Decoded { ready, tallies, datasets, found, left_out, broken })
}

/// Moves the files of a batch to where the next steps find them, in the folder of `step`; they say
/// of which batch they are.
async fn keep(
    context: &Context,
    batch: &Batch,
    decoded: Decoded,
    step: &Hash,
    (fingerprint, staging): (&Hash, &Hash),
) -> Result<Done, RunError> {
    let Decoded { ready, tallies, datasets, found, left_out, broken } = decoded;
    let mut kept = Vec::new();
    for (name, mut written) in datasets {
        for file in &mut written {
            file.partition.insert(BATCH.to_owned(), fingerprint.to_string());
        }
        kept.push(context.work.keep(step, &name, written).await?);
    }
    let objects = entries(context, batch, (ready, tallies), &found, fingerprint, staging).await?;
    Ok(Done { batch: StagedBatch { datasets: kept, objects, found }, left_out, broken })
}

/// Writes what is told of the objects of a batch.
fn write_told(
    context: &Context,
    batch: &Batch,
    origins: &[Origin],
    told: Told,
    refused: Vec<PlacedReject>,
    fingerprint: &Hash,
) -> Result<[(String, Vec<Written>); 4], RunError> {
    let Told { mut rejects, warnings, seen, windows, .. } = told;
    rejects.extend(refused);
    rejects.sort();
    rejects.dedup_by(|a, b| a.subject() == b.subject());
    let rejects = ledger::write_rejects(context, batch, origins, &rejects, fingerprint)?;
    let warnings = ledger::write_warnings(context, batch, origins, &warnings, fingerprint)?;
    let seen = ledger::write_seen(context, batch, origins, &seen, fingerprint)?;
    let windows = retired::write_windows(context, batch, origins, windows, fingerprint)?;
    let named = |name: &str, written| (name.to_owned(), written);
    Ok([
        named(ledger::REJECTS, rejects),
        named(ledger::WARNINGS, warnings),
        named(ledger::SEEN, seen),
        named(ledger::WINDOWS, windows),
    ])
}

/// What staging must know of the job and of one of its sources.
fn staging_context(context: &Context, source: usize) -> stage::Context {
    let zone = context.job.zone();
    let source = context.job.sources.get(source);
    let mut options = source.map(|source| source.options.clone()).unwrap_or_default();
    if let Some(source) = source {
        options.insert("account".to_owned(), source.account.clone());
    }
    stage::Context { zone, options }
}

async fn entries(
    context: &Context,
    batch: &Batch,
    (ready, tallies): (Vec<Ready>, Vec<Tally>),
    found: &Theirs,
    fingerprint: &Hash,
    staging: &Hash,
) -> Result<Vec<ObjectEntry>, RunError> {
    let source = context.job.sources.get(batch.source);
    let spec = context.catalog.specs.get(&batch.spec);
    let keyless = spec.is_some_and(|spec| spec.key.is_empty());
    let replaces = source.is_some_and(|s| s.on_change == crate::job::OnChange::Replace) || keyless;
    let mut entries = Vec::new();
    for (mut object, tally) in ready.into_iter().zip(tallies) {
        let sha256 = object.fetched.sha256().await?;
        if object.fetched.scratch {
            let _ = std::fs::remove_file(&object.fetched.file);
        }
        let used = tally.used.count();
        // A record of which one row was refused and another used was used.
        let rejected = tally.rejected.count_without(&tally.used);
        let told = tally.duplicate + rejected + tally.skipped + used;
        // What the decoder gave and no model used was filtered by SQL.
        let filtered = tally.read.checked_sub(told);
        let counts = Counts {
            read: tally.read,
            used,
            duplicate: tally.duplicate,
            rejected,
            skipped: tally.skipped + filtered.unwrap_or(0),
            rows: tally.rows,
        };
        if !counts.balances() {
            return Err(RunError::Balance { object: object.found.url, counts });
        }
        entries.push(ObjectEntry {
            forgotten: found.of_object(&object.found.url, object.version),
            url: object.found.url,
            version: object.version,
            spec: batch.spec.clone(),
            account: source.map(|source| source.account.clone()).unwrap_or_default(),
            dt: object.dt,
            etag: object.found.etag,
            bytes: object.fetched.bytes,
            modified_us: object.found.modified_us,
            sha256,
            batch: fingerprint.clone(),
            staging: staging.clone(),
            replaces,
            counts,
        });
    }
    Ok(entries)
}

fn check_rejects(context: &Context, done: &Done, spec: &str) -> Result<(), RunError> {
    let objects = &done.batch.objects;
    let read: u64 = objects.iter().map(|entry| entry.counts.read).sum();
    let rejected: u64 = objects.iter().map(|entry| entry.counts.rejected).sum();
    let rejected = rejected - done.left_out;
    let limit = context.job.limits.rejects_max;
    if rejected as f64 > limit * read as f64 && rejected > 0 {
        let (export, broken) = (spec.to_owned(), done.broken.clone());
        return Err(RunError::Rejects { export, rejected, read, limit, broken });
    }
    Ok(())
}

/// Decodes and types on a thread of its own.
struct Decoder {
    context: Arc<Context>,
    spec: SourceSpec,
    optional: bool,
    typing: Typing,
    tallies: Arc<Mutex<Vec<Tally>>>,
    /// With the place of the raw table that they take.
    senders: Vec<(usize, mpsc::Sender<Result<RecordBatch, EngineError>>)>,
}

impl Decoder {
    fn run(self, ready: Vec<Ready>) -> Result<(Vec<Ready>, Told), RunError> {
        let (mut told, mut waiting) = (Told::default(), Waiting::default());
        for (i, object) in ready.iter().enumerate() {
            match self.object(i, object, &mut waiting, &mut told) {
                Err(RunError::Extract(error)) if self.optional && error.is_of_header() => {
                    self.leave_out(i, &error, &mut told);
                }
                Ok(false) => break,
                done => drop(done?),
            }
        }
        self.send(waiting)?;
        Ok((ready, told))
    }

    fn leave_out(&self, i: usize, error: &ExtractError, told: &mut Told) {
        let Ok(mut tallies) = self.tallies.lock() else { return };
        let Some(tally) = tallies.get_mut(i) else { return };
        tally.read += 1;
        tally.rejected.insert(tally.read);
        told.leave_out(i, tally.read, error);
        tracing::warn!("{error}; its source is optional and is left out");
    }

    /// False when a model failed: its own error is the one to tell.
    fn object(
        &self,
        i: usize,
        object: &Ready,
        waiting: &mut Waiting,
        told: &mut Told,
    ) -> Result<bool, RunError> {
        let limits = &self.context.job.limits;
        let (file, url) = (&object.fetched.file, &object.found.url);
        let records = extract::all_records(file, url, &self.spec, limits, CHUNK_RECORDS)?;
        let mut repeated = Repeated::new(&self.spec);
        let mut take = |chunk: Result<RawChunk, ExtractError>| {
            self.context.stop.check()?;
            self.chunk((i, object), repeated.without(chunk?), waiting, told)
        };
        if object.fetched.bytes < extract::AHEAD_FROM {
            for chunk in records {
                if !take(chunk)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        std::thread::scope(|scope| {
            let (sender, chunks) = sync_channel(CHUNKS_WAITING);
            let reader = scope.spawn(move || {
                let mut records = records;
                records.all(|chunk| sender.send(chunk).is_ok())
            });
            for chunk in chunks {
                if !take(chunk)? {
                    return Ok(false);
                }
            }
            // A reader that died has not come to the end.
            reader.join().map_err(|_| RunError::Panicked("extract"))
        })
    }

    /// Types a chunk and hands it on; false when a model failed.
    fn chunk(
        &self,
        (i, object): (usize, &Ready),
        chunk: RawChunk,
        waiting: &mut Waiting,
        told: &mut Told,
    ) -> Result<bool, RunError> {
        told.see(i, &chunk.seen);
        let stage::Typed { tables, rejects: refused, warnings } =
            self.typing.tables(i, Some(object.dt), &chunk)?;
        told.warn(i, warnings);
        if let (Some(replace), Some(records)) = (&self.spec.replace, tables.first()) {
            let added = told.windows.entry(i).or_default().add(replace, records);
            added.map_err(|source| TableError::Order { table: self.spec.raw_table(), source })?;
        }
        if let Ok(mut tallies) = self.tallies.lock()
            && let Some(tally) = tallies.get_mut(i)
        {
            tally.read += chunk.read;
            tally.duplicate += chunk.duplicate;
            tally.skipped += chunk.skipped;
            for reject in refused.iter().filter(|reject| !reject.value_only) {
                tally.rejected.insert(reject.record_number);
            }
        }
        told.reject(i, refused);
        waiting.push(tables);
        Ok(waiting.rows < SENT_ROWS || self.send(std::mem::take(waiting))?)
    }

    /// Hands rows to the models; false when one of them is gone.
    fn send(&self, waiting: Waiting) -> Result<bool, RunError> {
        let tables = waiting.together(&self.spec)?;
        let sent = |(table, sender): &(usize, mpsc::Sender<_>)| {
            let rows: Option<&RecordBatch> = tables.get(*table);
            rows.is_none_or(|rows| sender.blocking_send(Ok(rows.clone())).is_ok())
        };
        Ok(self.senders.iter().all(sent))
    }
}

/// Typed rows of small objects, before there are enough to ask the models.
#[derive(Default)]
struct Waiting {
    /// By raw table.
    chunks: Vec<Vec<RecordBatch>>,
    rows: usize,
}

impl Waiting {
    fn push(&mut self, tables: Vec<RecordBatch>) {
        self.chunks.resize_with(tables.len(), Vec::new);
        for (chunks, rows) in self.chunks.iter_mut().zip(tables) {
            self.rows += rows.num_rows();
            chunks.push(rows);
        }
    }

    /// Each raw table's rows as one batch.
    fn together(self, spec: &SourceSpec) -> Result<Vec<RecordBatch>, RunError> {
        let together = |chunks: Vec<RecordBatch>| {
            let schema =
                chunks.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
            concat_batches(&schema, &chunks)
                .map_err(|source| TableError::Order { table: spec.raw_table(), source }.into())
        };
        self.chunks.into_iter().map(together).collect()
    }
}
