//! Parquet files: written once, with the same bytes for the same rows, and read back whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::{StorageError, Store};
use crate::table::hash::{ContentHasher, Hash};

/// Rows of a row group: small enough to skip by statistics, large enough to compress.
const ROW_GROUP_ROWS: usize = 262_144;
const BATCH_ROWS: usize = 8_192;
/// Dictionaries that grow further are not worth their making where files are read as a whole.
const KEPT_DICTIONARY_BYTES: usize = 256 * 1024;

/// How much work a file is worth, by who reads it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Care {
    /// Anyone, any part of it, for as long as there are releases: small, with statistics.
    #[default]
    Published,
    /// Later runs, all rows of it: small, without statistics.
    Kept,
    /// The next steps, all rows of it: quick. A context of Zstandard for every column of every
    /// small file was a fifth of a small run.
    Draft,
}

/// How a file is written; all of it is a function of the table, never of the run.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Leading columns the rows are sorted by.
    pub sorted_by: Vec<usize>,
    /// No statistics for these: they would show personal values in the footer.
    pub no_statistics: Vec<String>,
    pub bloom: Vec<String>,
    /// Values of these are about as many as rows: no dictionary is tried.
    pub distinct: Vec<String>,
    /// Whole numbers of which neighbours are near each other: what lies between them is kept.
    pub near: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    /// Distinct values expected in a bloom filter column.
    pub rows: u64,
    pub care: Care,
    /// Rows stand in no order that their content decides: the bytes stand for the content.
    pub is_unordered: bool,
}

impl Layout {
    fn properties(&self) -> WriterProperties {
        let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default());
        let (compression, statistics) = match self.care {
            Care::Published => (zstd(3), EnabledStatistics::Page),
            Care::Kept => (zstd(1), EnabledStatistics::None),
            Care::Draft => (Compression::SNAPPY, EnabledStatistics::None),
        };
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|(k, v)| KeyValue::new(k.clone(), v.clone())).collect();
        let sorting = self.sorted_by.iter().map(|i| SortingColumn {
            column_idx: i32::try_from(*i).unwrap_or(i32::MAX),
            descending: false,
            nulls_first: true,
        });
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by("cxmart".to_owned())
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(statistics)
            .set_key_value_metadata(Some(metadata))
            .set_sorting_columns(Some(sorting.collect()));
        for column in &self.no_statistics {
            let path = ColumnPath::from(column.as_str());
            properties = properties
                .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                .set_column_dictionary_enabled(path, true);
        }
        if self.care == Care::Kept {
            properties = properties.set_dictionary_page_size_limit(KEPT_DICTIONARY_BYTES);
        }
        for column in &self.distinct {
            properties =
                properties.set_column_dictionary_enabled(ColumnPath::from(column.as_str()), false);
        }
        for column in &self.near {
            let path = ColumnPath::from(column.as_str());
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
        for column in &self.bloom {
            let path = ColumnPath::from(column.as_str());
            properties = properties
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, self.rows.clamp(1_024, 1_048_576));
        }
        properties.build()
    }
}

/// A finished file in scratch space.
#[derive(Debug)]
pub struct Finished {
    pub scratch: PathBuf,
    pub bytes: u64,
    pub rows: u64,
    pub file_hash: Hash,
    pub content_hash: Hash,
}

/// Writes batches, in the order they come, to one file in scratch space.
///
/// Where pages are cut depends on the batches: the same rows give the same bytes only when they
/// come in batches of the same sizes, which is why tables are written by one sink.
pub struct FileWriter {
    scratch: PathBuf,
    writer: ArrowWriter<HashingFile>,
    fault: Fault,
    content: Option<ContentHasher>,
    rows: u64,
}

impl std::fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWriter").field("scratch", &self.scratch).finish_non_exhaustive()
    }
}

fn failed(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StorageError {
    let path = path.display().to_string();
    match StorageError::from_source(path, source.into()) {
        StorageError::Unavailable { path, source } => StorageError::Parquet { path, source },
        known => known,
    }
}

impl FileWriter {
    /// # Errors
    /// The scratch file cannot be made.
    pub fn create(
        scratch: &Path,
        schema: &SchemaRef,
        layout: &Layout,
    ) -> Result<Self, StorageError> {
        if let Some(folder) = scratch.parent() {
            std::fs::create_dir_all(folder).map_err(|source| StorageError::io(folder, source))?;
        }
        let file = File::create(scratch).map_err(|source| StorageError::io(scratch, source))?;
        let (file, fault) = (io::BufWriter::new(file), Fault::default());
        let file = HashingFile { file, digest: Sha256::new(), bytes: 0, fault: Arc::clone(&fault) };
        let writer = ArrowWriter::try_new(file, Arc::clone(schema), Some(layout.properties()))
            .map_err(|source| failed(scratch, source))?;
        let content = (!layout.is_unordered).then(|| ContentHasher::new(schema));
        Ok(Self { scratch: scratch.to_owned(), writer, fault, content, rows: 0 })
    }

    /// # Errors
    /// The disk is full, or the rows do not follow the schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), StorageError> {
        if let Some(content) = &mut self.content {
            content.update(batch).map_err(|source| failed(&self.scratch, source))?;
        }
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|source| failed(&self.scratch, source))
    }

    /// # Errors
    /// The disk is full.
    pub fn finish(self) -> Result<Finished, StorageError> {
        let Self { scratch, writer, fault, content, rows } = self;
        let mut file = writer.into_inner().map_err(|source| {
            let kind = fault.lock().ok().and_then(|kind| *kind);
            match kind {
                Some(kind) => StorageError::io(&scratch, kind.into()),
                None => failed(&scratch, source),
            }
        })?;
        file.flush().map_err(|source| StorageError::io(&scratch, source))?;
        let file_hash = Hash::from_digest(&file.digest.finalize());
        let bytes = file.bytes;
        let content_hash = content.map_or_else(|| file_hash.clone(), |content| content.finish());
        Ok(Finished { scratch, bytes, rows, file_hash, content_hash })
    }
}

/// Why the disk refused a file: at its end the Parquet writer tells only that it did.
type Fault = Arc<Mutex<Option<io::ErrorKind>>>;

struct HashingFile {
    file: io::BufWriter<File>,
    digest: Sha256,
    bytes: u64,
    fault: Fault,
}

impl HashingFile {
    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| {
            if let Ok(mut fault) = self.fault.lock() {
                *fault = Some(error.kind());
            }
        })
    }
}

impl Write for HashingFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer);
        let written = self.note(written)?;
        self.digest.update(buffer.get(..written).unwrap_or(buffer));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.note(flushed)
    }
}

/// All rows of a file whose SHA-256 is `hash`, optionally only some columns.
///
/// # Errors
/// The file is missing, damaged or not Parquet.
pub async fn read(
    store: &Store,
    path: &str,
    hash: &Hash,
    columns: Option<&[&str]>,
) -> Result<Vec<RecordBatch>, StorageError> {
    decode(path, store.read_verified(path, hash).await?, columns)
}

/// Rows of a file whose SHA-256 is `hash`, decoded one batch at a time.
///
/// # Errors
/// The file is missing or damaged; later batches fail when it is not Parquet.
pub async fn open(
    store: &Store,
    path: &str,
    hash: &Hash,
) -> Result<impl Iterator<Item = Result<RecordBatch, StorageError>> + Send + use<>, StorageError> {
    let bytes = store.read_verified(path, hash).await?;
    let path = path.to_owned();
    let fail = move |source: Box<dyn std::error::Error + Send + Sync>| StorageError::Parquet {
        path: path.clone(),
        source,
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
        .map_err(|source| fail(source.into()))?;
    Ok(reader.map(move |batch| batch.map_err(|source| fail(source.into()))))
}

/// Rows of Parquet bytes.
///
/// # Errors
/// The bytes are not Parquet.
pub fn decode(
    path: &str,
    bytes: Bytes,
    columns: Option<&[&str]>,
) -> Result<Vec<RecordBatch>, StorageError> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| StorageError::Parquet {
        path: path.to_owned(),
        source,
    };
    let mut builder =
        ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|source| fail(source.into()))?;
    if let Some(columns) = columns {
        let mask = parquet::arrow::ProjectionMask::columns(
            builder.parquet_schema(),
            columns.iter().copied(),
        );
        builder = builder.with_projection(mask);
    }
    let reader = builder.with_batch_size(BATCH_ROWS).build();
    let reader = reader.map_err(|source| fail(source.into()))?;
    reader.collect::<Result<Vec<_>, _>>().map_err(|source| fail(source.into()))
}
