//! Rows of a step to the files of a table: partitioned, put in canonical order, cut, written.
//!
//! The one place where tables become files, so that the same rows always give the same bytes.
//! Rows wait in memory up to a limit, then in one spill file a partition. Of a slice that is as the
//! last release has it nothing is done but that: its files are named again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::slices::{Known, Slices};
use super::{RunError, workers};
use crate::storage::StorageError;
use crate::storage::parquet::{Care, FileWriter, Finished, Layout};
use crate::table::dataset::FileRef;
use crate::table::hash::Hash;
use crate::table::order::{Pile, Place};
use crate::table::{
    BUCKETED_ROWS_MIN, BUCKETS, Column, Contract, FILE_ROWS_MAX, Kind, SLICED_ROWS_MIN, TableError,
    id,
};

/// Rows of all partitions together that wait in memory.
const MEMORY_BYTES: usize = 192 << 20;
/// Rows handed to the Parquet writer at once: fixed, because page cuts depend on it.
const WRITE_ROWS: usize = 65_536;

/// Partition column values (as in paths), then the slice.
pub type Key = (Vec<String>, u32);

/// One written file with its place in the table.
#[derive(Debug)]
pub struct Written {
    pub file: Finished,
    pub partition: BTreeMap<String, String>,
    pub ordinal: u32,
    /// Of the slice, where the sink was asked.
    pub slice: Option<Hash>,
}

/// Files of a table: new ones, and those of the last release whose slices have the same rows.
#[derive(Debug, Default)]
pub struct Files {
    pub written: Vec<Written>,
    pub kept: Vec<FileRef>,
}

/// How rows are spread over files.
#[derive(Debug, Clone)]
pub enum Spread {
    /// As the contract says.
    Contract,
    /// 64 buckets by hash of these columns joined: the natural key, or the customer. One bucket
    /// where there are no columns, or few rows.
    Buckets(Vec<usize>),
}

/// Collects rows of one table.
#[derive(Debug)]
pub struct Sink {
    contract: Contract,
    spread: Spread,
    schema: SchemaRef,
    scratch: PathBuf,
    waiting: BTreeMap<Key, Vec<RecordBatch>>,
    waiting_bytes: usize,
    spilled: BTreeMap<Key, Spill>,
    rows: u64,
    slices: Option<Slices>,
}

struct Spill {
    path: PathBuf,
    writer: StreamWriter<BufWriter<File>>,
}

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spill").field("path", &self.path).finish_non_exhaustive()
    }
}

fn io(path: &Path, error: std::io::Error) -> RunError {
    StorageError::io(path, error).into()
}

impl Sink {
    /// `scratch` is a folder of this sink's own.
    pub fn new(contract: &Contract, spread: Spread, scratch: &Path) -> Self {
        Self {
            contract: contract.clone(),
            schema: contract.schema(),
            spread,
            scratch: scratch.to_owned(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            spilled: BTreeMap::new(),
            rows: 0,
            slices: None,
        }
    }

    /// Takes note of what rows its slices get, for the next run and to keep what is known of them.
    ///
    /// # Errors
    /// A column type that has no order.
    pub fn keeping(self, known: Known) -> Result<Self, RunError> {
        let slices = Slices::new(&self.contract, known).map_err(|e| self.order_error(e))?;
        Ok(Self { slices: Some(slices), ..self })
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes rows in any order; columns may stand in any order too.
    ///
    /// # Errors
    /// Rows that do not follow the contract, or a full disk.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), RunError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = self.contract.conform(batch, false)?;
        self.rows += batch.num_rows() as u64;
        let groups = self.groups(&batch)?;
        if let Some(slices) = &mut self.slices {
            let noted = slices.add(&batch, &groups);
            noted.map_err(|e| self.order_error(e))?;
        }
        for (key, part) in self.split(&batch, groups)? {
            self.waiting_bytes += part.get_array_memory_size();
            self.waiting.entry(key).or_default().push(part);
        }
        if self.waiting_bytes > MEMORY_BYTES {
            self.spill()?;
        }
        Ok(())
    }

    fn split(
        &self,
        batch: &RecordBatch,
        groups: BTreeMap<Key, Vec<u32>>,
    ) -> Result<Vec<(Key, RecordBatch)>, RunError> {
        let is_one = groups.len() == 1;
        let part = |(key, rows): (Key, Vec<u32>)| {
            if is_one {
                return Ok((key, batch.clone()));
            }
            let taken = take_record_batch(batch, &UInt32Array::from(rows));
            Ok((key, taken.map_err(|e| self.order_error(e))?))
        };
        groups.into_iter().map(part).collect()
    }

    fn order_error(&self, source: arrow::error::ArrowError) -> RunError {
        TableError::Order { table: self.contract.name.clone(), source }.into()
    }

    /// The rows of each slice, in ascending order.
    fn groups(&self, batch: &RecordBatch) -> Result<BTreeMap<Key, Vec<u32>>, RunError> {
        let mut groups: BTreeMap<Key, Vec<u32>> = BTreeMap::new();
        let number = |bucket: usize| u32::try_from(bucket).unwrap_or(0);
        match &self.spread {
            Spread::Buckets(columns) => {
                for row in places(batch) {
                    let bucket = id::bucket(&key_text(batch, columns, row as usize));
                    groups.entry((Vec::new(), number(bucket))).or_default().push(row);
                }
            }
            Spread::Contract => {
                let customers = batch
                    .column_by_name("customer_id")
                    .filter(|_| self.contract.sliced)
                    .and_then(|a| a.as_string_opt::<i32>());
                for (values, rows) in self.parts(batch)? {
                    let Some(ids) = customers else {
                        groups.insert((values, 0), rows);
                        continue;
                    };
                    for row in rows {
                        let id = ids.is_valid(row as usize).then(|| ids.value(row as usize));
                        let key = (values.clone(), id.map_or(0, |id| number(id::bucket(id))));
                        groups.entry(key).or_default().push(row);
                    }
                }
            }
        }
        Ok(groups)
    }

    /// The rows of each partition, in ascending order.
    fn parts(&self, batch: &RecordBatch) -> Result<BTreeMap<Vec<String>, Vec<u32>>, RunError> {
        if self.contract.partition.is_empty() {
            return Ok(BTreeMap::from([(Vec::new(), places(batch).collect())]));
        }
        let column = |name: &String| {
            let (table, column) = (self.contract.name.clone(), name.clone());
            let missing = TableError::MissingColumn { table, column };
            batch.schema().index_of(name).map_err(|_| RunError::from(missing))
        };
        let columns: Vec<usize> =
            self.contract.partition.iter().map(column).collect::<Result<_, _>>()?;
        let pile = Pile::new(vec![batch.clone()]);
        let encoded = pile.encode(&columns).map_err(|e| self.order_error(e))?;
        // Values are many rows', and made text of once.
        let mut rows: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for row in places(batch) {
            rows.entry(encoded.row((0, row))).or_default().push(row);
        }
        let options = FormatOptions::default().with_null("__HIVE_DEFAULT_PARTITION__");
        let format = |column: &usize| ArrayFormatter::try_new(batch.column(*column), &options);
        let formats: Vec<_> = columns
            .iter()
            .map(format)
            .collect::<Result<_, _>>()
            .map_err(|e| self.order_error(e))?;
        let mut parts: BTreeMap<Vec<String>, Vec<u32>> = BTreeMap::new();
        for rows in rows.into_values() {
            let first = rows.first().map_or(0, |row| *row as usize);
            let values = formats.iter().map(|format| format.value(first).to_string()).collect();
            let part = parts.entry(values).or_default();
            part.extend(rows);
            // Other values may read alike.
            part.sort_unstable();
        }
        Ok(parts)
    }

    fn spill(&mut self) -> Result<(), RunError> {
        std::fs::create_dir_all(&self.scratch).map_err(|e| io(&self.scratch, e))?;
        for (key, batches) in std::mem::take(&mut self.waiting) {
            if !self.spilled.contains_key(&key) {
                let path = self.scratch.join(format!("spill-{}.arrow", self.spilled.len()));
                let file = File::create(&path).map_err(|e| io(&path, e))?;
                let writer = StreamWriter::try_new(BufWriter::new(file), &self.schema)
                    .map_err(|e| self.order_error(e))?;
                self.spilled.insert(key.clone(), Spill { path, writer });
            }
            // One batch: what a batch costs is paid once a spill, not once for some hundred rows.
            let all = concat_batches(&self.schema, &batches).map_err(|e| self.order_error(e))?;
            drop(batches);
            let Some(spill) = self.spilled.get_mut(&key) else { continue };
            if let Err(source) = spill.writer.write(&all) {
                return Err(StorageError::arrow(&spill.path, source).into());
            }
        }
        self.waiting_bytes = 0;
        Ok(())
    }

    fn take(&mut self, key: &Key) -> Result<Vec<RecordBatch>, RunError> {
        let mut batches = Vec::new();
        if let Some(mut spill) = self.spilled.remove(key) {
            spill.writer.finish().map_err(|e| StorageError::arrow(&spill.path, e))?;
            let file = File::open(&spill.path).map_err(|e| io(&spill.path, e))?;
            let reader = StreamReader::try_new(BufReader::new(file), None)
                .map_err(|e| StorageError::arrow(&spill.path, e))?;
            for batch in reader {
                batches.push(batch.map_err(|e| StorageError::arrow(&spill.path, e))?);
            }
            std::fs::remove_file(&spill.path).map_err(|e| io(&spill.path, e))?;
        }
        batches.extend(self.waiting.remove(key).unwrap_or_default());
        Ok(batches)
    }

    /// Forgets rows that need not be written.
    fn discard(&mut self, key: &Key) -> Result<(), RunError> {
        self.waiting.remove(key);
        if let Some(Spill { path, writer }) = self.spilled.remove(key) {
            drop(writer);
            std::fs::remove_file(&path).map_err(|e| io(&path, e))?;
        }
        Ok(())
    }

    /// The partitions that got rows, each to be taken once by [`Sink::partition`].
    fn partitions(&self) -> Vec<Key> {
        let mut keys: Vec<_> = self.waiting.keys().chain(self.spilled.keys()).cloned().collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Rows by bucket, unsorted, for steps that merge before they write.
    ///
    /// # Errors
    /// A spill file cannot be read back.
    pub fn into_buckets(
        mut self,
        mut each: impl FnMut(u32, Vec<RecordBatch>) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        for key in self.partitions() {
            let rows = self.take(&key)?;
            each(key.1, rows)?;
        }
        Ok(())
    }

    /// Sorts and writes everything, partitions beside each other on `threads` threads; for sinks
    /// that keep nothing.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(self, threads: usize) -> Result<Vec<Written>, RunError> {
        Ok(self.files(threads)?.written)
    }

    /// As [`Sink::finish`], with the files of slices that are known and need not be written.
    ///
    /// # Errors
    /// A full disk.
    pub fn files(mut self, threads: usize) -> Result<Files, RunError> {
        let buckets = matches!(self.spread, Spread::Buckets(_));
        let apart_from = if buckets { BUCKETED_ROWS_MIN } else { SLICED_ROWS_MIN };
        let whole = (self.contract.sliced || buckets) && self.rows < apart_from;
        let mut groups: Vec<(Key, Vec<Key>)> = Vec::new();
        for key in self.partitions() {
            match groups.last_mut() {
                Some((first, group)) if whole && first.0 == key.0 => group.push(key),
                _ => groups.push((if whole { (key.0.clone(), 0) } else { key.clone() }, vec![key])),
            }
        }
        let many = self.contract.sliced || buckets;
        let writer = Writer {
            contract: self.contract.clone(),
            scratch: self.scratch.clone(),
            cuts_apart: if many { BUCKETS } else { 1 },
            // Buckets are how intermediates are spread.
            care: if buckets { Care::Draft } else { Care::Published },
        };
        let (due, kept) = self.due(&writer, groups)?;
        let count = threads.clamp(1, due.len().max(1));
        let work = |(due, rows): (Due, Vec<RecordBatch>)| writer.write(&due, rows);
        let files = workers::share("sink", count, work, |hand_out| {
            for mut due in due {
                let members = std::mem::take(&mut due.members);
                let rows: Result<Vec<_>, _> = members.iter().map(|key| self.take(key)).collect();
                hand_out((due, rows?.concat()))?;
            }
            Ok(())
        })?;
        let mut written: Vec<Written> = files.into_iter().flatten().collect();
        written.sort_by(|a, b| (&a.partition, a.ordinal).cmp(&(&b.partition, b.ordinal)));
        Ok(Files { written, kept })
    }

    /// Parts the groups into those to write and those whose files are known, whose rows go.
    fn due(
        &mut self,
        writer: &Writer,
        groups: Vec<(Key, Vec<Key>)>,
    ) -> Result<(Vec<Due>, Vec<FileRef>), RunError> {
        let (mut due, mut kept) = (Vec::new(), Vec::new());
        let (slices, layout) = (self.slices.take(), writer.version());
        for (key, members) in groups {
            let slice = slices.as_ref().map(|slices| slices.slice(&layout, &key, &members));
            let (slice, known) = slice.map_or((None, None), |s| (Some(s.fingerprint), s.known));
            let Some(files) = known else {
                due.push(Due { key, members, slice });
                continue;
            };
            kept.extend(files);
            for key in &members {
                self.discard(key)?;
            }
        }
        Ok((due, kept))
    }
}

/// A slice to write.
struct Due {
    key: Key,
    /// Those that its rows wait under.
    members: Vec<Key>,
    slice: Option<Hash>,
}

/// Writes the files of one partition.
struct Writer {
    contract: Contract,
    scratch: PathBuf,
    /// Between the ordinals of two cuts: a bucket is known by its files' ordinals, modulo 64.
    cuts_apart: usize,
    care: Care,
}

impl Writer {
    /// All that decides the bytes of a slice beside its rows and its place.
    fn version(&self) -> String {
        let Self { contract, cuts_apart, care, .. } = self;
        format!("{contract:?} {care:?} {cuts_apart} {FILE_ROWS_MAX} {WRITE_ROWS}")
    }

    fn write(
        &self,
        Due { key, slice, .. }: &Due,
        batches: Vec<RecordBatch>,
    ) -> Result<Vec<Written>, RunError> {
        let fail = |source| TableError::Order { table: self.contract.name.clone(), source };
        let pile = Pile::new(batches);
        let order = pile.canonical(&self.contract).map_err(fail)?;
        let names = self.contract.partition.iter().cloned();
        let partition: BTreeMap<_, _> = names.zip(key.0.iter().cloned()).collect();
        // One name a partition: its values may hold what a file name cannot.
        let stem = Hash::of(format!("{key:?}"));
        let mut written = Vec::new();
        for (cut, order) in order.chunks(FILE_ROWS_MAX).enumerate() {
            let path = self.scratch.join(format!("out-{}-{cut}.parquet", stem.short()));
            let layout = Layout { care: self.care, ..layout(&self.contract, order.len()) };
            let pieces = pieces(&self.contract, &pile, order);
            let file = write_pieces(&self.contract, &layout, &path, pieces)?;
            let ordinal = key.1 + u32::try_from(cut * self.cuts_apart).unwrap_or(u32::MAX);
            let (partition, slice) = (partition.clone(), slice.clone());
            written.push(Written { file, partition, ordinal, slice });
        }
        Ok(written)
    }
}

/// The rows of a batch.
fn places(batch: &RecordBatch) -> std::ops::Range<u32> {
    0..u32::try_from(batch.num_rows()).unwrap_or(u32::MAX)
}

/// The text columns of a row joined: what buckets are hashed from.
pub fn key_text(batch: &RecordBatch, columns: &[usize], row: usize) -> String {
    let mut key = String::new();
    for (i, column) in columns.iter().enumerate() {
        if i > 0 {
            key.push('\u{1f}');
        }
        let texts = batch.column(*column).as_string_opt::<i32>();
        if let Some(texts) = texts.filter(|texts| texts.is_valid(row)) {
            key.push_str(texts.value(row));
        }
    }
    key
}

/// How files of a table are written; `rows` is about how many.
fn layout(contract: &Contract, rows: usize) -> Layout {
    let order = contract.order();
    let pii = contract.columns.iter().filter(|column| column.pii);
    let mut layout = Layout {
        sorted_by: order.into_iter().take(contract.grain.len()).collect(),
        no_statistics: pii.map(|column| column.name.clone()).collect(),
        bloom: contract.bloom.clone(),
        rows: rows as u64,
        ..Layout::default()
    };
    layout.metadata.insert("table".into(), contract.name.clone());
    layout.metadata.insert("description".into(), contract.description.clone());
    layout.metadata.insert("grain".into(), contract.grain.join(", "));
    for column in &contract.columns {
        layout.metadata.insert(format!("column.{}", column.name), column.description.clone());
    }
    layout
}

/// Opens a file whose rows come as they come; their order says nothing.
///
/// # Errors
/// The scratch folder cannot be written.
pub fn open_unordered(contract: &Contract, path: &Path) -> Result<FileWriter, RunError> {
    let named = |is_it: &dyn Fn(&Column) -> bool| {
        let columns = contract.columns.iter().filter(|column| is_it(column));
        columns.map(|column| column.name.clone()).collect()
    };
    let layout = Layout {
        sorted_by: Vec::new(),
        bloom: Vec::new(),
        distinct: named(&|column| column.name == "source_id"),
        near: named(&|column| {
            matches!(column.kind, Kind::Timestamp | Kind::Date)
                || ["object_version", "record_number"].contains(&column.name.as_str())
        }),
        care: Care::Kept,
        is_unordered: true,
        ..layout(contract, 0)
    };
    Ok(FileWriter::create(path, &contract.schema(), &layout)?)
}

/// Writes rows that stand in canonical order, one piece after the other; all but the last are of
/// the size that page cuts depend on.
fn write_pieces(
    contract: &Contract,
    layout: &Layout,
    path: &Path,
    pieces: impl Iterator<Item = Result<RecordBatch, RunError>>,
) -> Result<Finished, RunError> {
    let mut writer = FileWriter::create(path, &contract.schema(), layout)?;
    for piece in pieces {
        writer.write(&piece?)?;
    }
    Ok(writer.finish()?)
}

/// Writes a bucket of an intermediate, in the order given.
///
/// # Errors
/// A full disk.
pub fn write_bucket(
    contract: &Contract,
    pile: &Pile,
    order: &[Place],
    path: &Path,
) -> Result<Finished, RunError> {
    let layout = Layout { care: Care::Draft, bloom: Vec::new(), ..layout(contract, order.len()) };
    write_pieces(contract, &layout, path, pieces(contract, pile, order))
}

/// Rows of a pile in the order given, in pieces for the writer.
fn pieces<'a>(
    contract: &'a Contract,
    pile: &'a Pile,
    order: &'a [Place],
) -> impl Iterator<Item = Result<RecordBatch, RunError>> + 'a {
    let fail = |source| TableError::Order { table: contract.name.clone(), source }.into();
    order.chunks(WRITE_ROWS).map(move |places| pile.take(places).map_err(fail))
}
