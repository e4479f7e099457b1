//! Objects to records, exactly as they were, plus rejects.
//!
//! An object is first brought to a local file and hashed ([`fetch`]), then decoded record by
//! record ([`records`]) in chunks of bounded size: the columns its spec names, as text. A record
//! that cannot be decoded becomes a [`Reject`] with its number; nothing is dropped in silence.

mod container;
mod csv;
mod document;
mod encoding;
mod feed;
mod json;
mod mask;
mod ndjson;
mod parquet;
mod record;
mod repeated;
mod rows;
mod sniff;
mod survey;
mod workbook;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::StringArray;
use encoding_rs::Encoding;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};

pub use self::container::AHEAD_FROM;
use self::container::{Entries, Entry, Expanded};
use self::csv::{Csv, Dialect};
use self::document::Document;
use self::encoding::Charset;
use self::feed::Feed;
pub use self::mask::without_phones;
use self::ndjson::Ndjson;
use self::parquet::Parquet;
use self::record::Lookup;
pub use self::repeated::Repeated;
use self::rows::Rows;
use self::survey::Survey;
pub use self::survey::{KINDS, Seen};
use self::workbook::Lines;
use crate::catalog::SourceSpec;
use crate::catalog::spec::{FormatKind, SpecColumn};
use crate::job::Limits;
use crate::storage::{StorageError, Store};
use crate::table::hash::Hash;

/// Names of columns that an error tells.
const NAMES_TOLD: usize = 12;

/// Smaller files are hashed at once: a thread for each would be more than there is to win.
const BESIDE_FROM: u64 = 16 << 20;
/// Read at once to be hashed.
const HASHED_BYTES: usize = 256 << 10;

/// Records of a chunk: bounds memory, and is large enough for columnar work.
pub const CHUNK_RECORDS: usize = 16_384;

#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("object `{object}` is larger than the limit of {limit} bytes")]
    TooLarge { object: String, limit: u64 },
    #[error("object `{object}` cannot be decoded: {message}")]
    Undecodable { object: String, message: String },
    #[error("object `{object}` is no export that can be read: {told}")]
    Foreign { object: String, told: &'static str },
    #[error(
        "object `{object}` cannot be decoded: its header has no column that the spec names ({names})"
    )]
    UnknownHeader { object: String, names: String },
    /// `names` are those that the spec looks for.
    #[error(
        "object `{object}` lacks the header or member `{column}` that its spec requires, by the name {names}"
    )]
    MissingColumn { object: String, column: String, names: String },
    #[error("object `{object}` passes the limit `{limit}` of {value}")]
    Limit { object: String, limit: &'static str, value: u64 },
    #[error("`{encoding}` is not an encoding that is known")]
    Encoding { encoding: String },
}

impl ExtractError {
    /// The object is whole, but it is not what its spec describes.
    pub fn is_of_header(&self) -> bool {
        matches!(
            self,
            Self::MissingColumn { .. } | Self::UnknownHeader { .. } | Self::Foreign { .. }
        )
    }
}

/// A record that could not be used, or a value that had to be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// From 1.
    pub record_number: u64,
    pub rule: &'static str,
    pub column: Option<String>,
    /// What stood there, cut short and with personal data masked.
    pub text: String,
    /// The record stays, only the value is gone.
    pub value_only: bool,
}

/// What the reader of an object should know though its records were used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub rule: &'static str,
    /// Of the spec or, where it knows none, of the object.
    pub column: String,
    /// Records it is true of; 0 where it is about the object.
    pub records: u64,
    /// A sample, cut short and with personal data masked.
    pub text: String,
}

/// Some records of one object, as columns of text in the order of the spec's columns.
#[derive(Debug, Clone, Default)]
pub struct RawChunk {
    /// One number a row; a record that holds a list may give several rows.
    pub numbers: Vec<u64>,
    pub columns: Vec<StringArray>,
    /// A row each: what no column reads, as the text of a JSON object; none if it is not wanted.
    pub attributes: Option<StringArray>,
    /// The rows of each of the spec's parts.
    pub parts: Vec<RawPart>,
    /// Headers or members that were met since the chunk before.
    pub seen: BTreeMap<String, Seen>,
    pub rejects: Vec<Reject>,
    pub warnings: Vec<Warning>,
    pub read: u64,
    pub duplicate: u64,
    pub skipped: u64,
}

/// The rows of a part: elements of a list inside the records.
#[derive(Debug, Clone, Default)]
pub struct RawPart {
    /// The record of each row.
    pub numbers: Vec<u64>,
    pub columns: Vec<StringArray>,
}

/// An object on local disk.
#[derive(Debug)]
pub struct Fetched {
    pub file: PathBuf,
    pub bytes: u64,
    /// The file is ours to delete.
    pub scratch: bool,
    hashing: Hashing,
}

/// SHA-256 of the bytes of an object; of a large file it is made beside what else is done with it.
#[derive(Debug)]
enum Hashing {
    Done(Hash),
    Working(JoinHandle<std::io::Result<(u64, Hash)>>),
}

impl Fetched {
    /// SHA-256 of its bytes.
    ///
    /// # Errors
    /// The file cannot be read, or is longer or shorter than it was.
    pub async fn sha256(&mut self) -> Result<Hash, ExtractError> {
        let working = match &mut self.hashing {
            Hashing::Done(hash) => return Ok(hash.clone()),
            Hashing::Working(working) => working,
        };
        let io = |error| StorageError::io(&self.file, error);
        let hashed = working.await.map_err(|error| io(std::io::Error::other(error)))?;
        let (bytes, hash) = hashed.map_err(io)?;
        if bytes != self.bytes {
            return Err(io(std::io::Error::other("it changed while it was read")).into());
        }
        self.hashing = Hashing::Done(hash.clone());
        Ok(hash)
    }
}

/// Brings an object to local disk, if it is not there already.
///
/// # Errors
/// The object is gone, too large, or the store failed.
pub async fn fetch(
    store: &Store,
    path: &str,
    scratch: &Path,
    limits: &Limits,
) -> Result<Fetched, ExtractError> {
    let too_large =
        || ExtractError::TooLarge { object: store.address(path), limit: limits.object_bytes_max };
    if let Some(folder) = store.folder() {
        let file = folder.join(path);
        let size = std::fs::metadata(&file).map_err(|e| StorageError::io(&file, e))?.len();
        if size > limits.object_bytes_max {
            return Err(too_large());
        }
        if size >= BESIDE_FROM {
            let path = file.clone();
            let hashing = Hashing::Working(spawn_blocking(move || hash_file(&path)));
            return Ok(Fetched { file, bytes: size, scratch: false, hashing });
        }
        let (bytes, hash) = hash_file(&file).map_err(|e| StorageError::io(&file, e))?;
        if bytes > limits.object_bytes_max {
            return Err(too_large());
        }
        return Ok(Fetched { file, bytes, scratch: false, hashing: Hashing::Done(hash) });
    }
    let mut pieces = store.stream(path).await?;
    let mut digest = Sha256::new();
    let mut bytes = 0;
    let io = |e| StorageError::io(scratch, e);
    let mut file = File::create(scratch).map_err(io)?;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        bytes += piece.len() as u64;
        if bytes > limits.object_bytes_max {
            return Err(too_large());
        }
        digest.update(&piece);
        std::io::Write::write_all(&mut file, &piece).map_err(io)?;
    }
    let hashing = Hashing::Done(Hash::from_digest(&digest.finalize()));
    Ok(Fetched { file: scratch.to_owned(), bytes, scratch: true, hashing })
}

fn hash_file(path: &Path) -> std::io::Result<(u64, Hash)> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; HASHED_BYTES];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok((bytes, Hash::from_digest(&digest.finalize())));
        };
        digest.update(piece);
        bytes += read as u64;
    }
}

/// A run of records; chunks come until the object ends.
pub type Records = Box<dyn Iterator<Item = Result<RawChunk, ExtractError>> + Send>;

/// The records of a fetched object, those that it holds twice once; `object` names it in errors.
///
/// # Errors
/// The bytes are of no known format, or lack a required column.
pub fn records(
    file: &Path,
    object: &str,
    spec: &SourceSpec,
    limits: &Limits,
) -> Result<Records, ExtractError> {
    records_by(file, object, spec, limits, CHUNK_RECORDS)
}

/// [`records`] in chunks of another size.
///
/// # Errors
/// As [`records`].
pub fn records_by(
    file: &Path,
    object: &str,
    spec: &SourceSpec,
    limits: &Limits,
    chunk_records: usize,
) -> Result<Records, ExtractError> {
    let chunks = all_records(file, object, spec, limits, chunk_records)?;
    let mut repeated = Repeated::new(spec);
    Ok(Box::new(chunks.map(move |chunk| chunk.map(|chunk| repeated.without(chunk)))))
}

/// All records, also those that an object holds twice: for who finds these on another thread, by
/// [`Repeated`].
///
/// # Errors
/// As [`records`].
pub fn all_records(
    file: &Path,
    object: &str,
    spec: &SourceSpec,
    limits: &Limits,
    chunk_records: usize,
) -> Result<Records, ExtractError> {
    let encoding = match &spec.format.encoding {
        None => None,
        Some(label) => match Encoding::for_label(label.as_bytes()) {
            Some(encoding) => Some(encoding),
            None => return Err(ExtractError::Encoding { encoding: label.clone() }),
        },
    };
    let task = Task {
        object: object.into(),
        spec: Arc::new(spec.clone()),
        lookup: Arc::new(Lookup::new(spec)),
        limits: Bounds {
            record_bytes: usize::try_from(limits.record_bytes_max).unwrap_or(usize::MAX),
            columns: usize::try_from(limits.columns_max).unwrap_or(usize::MAX),
        },
        encoding,
    };
    let keeps = usize::try_from(limits.attributes_bytes_max).unwrap_or(usize::MAX);
    let keeps = (spec.keeps_attributes() && keeps > 0).then_some(keeps);
    let survey = Survey::new(task.limits.columns, keeps);
    let mut chunks = Chunks {
        rows: Rows::new(spec, survey, chunk_records),
        task,
        file: file.to_owned(),
        ratio: limits.expansion_ratio_max,
        entries: None,
        decoder: None,
        is_first: true,
        ended: false,
    };
    chunks.open()?;
    Ok(Box::new(chunks))
}

/// What the decoders of an object share.
#[derive(Debug, Clone)]
struct Task {
    object: String,
    spec: Arc<SourceSpec>,
    lookup: Arc<Lookup>,
    limits: Bounds,
    encoding: Option<&'static Encoding>,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    record_bytes: usize,
    columns: usize,
}

impl Task {
    fn limit(&self, limit: &'static str, value: u64) -> ExtractError {
        ExtractError::Limit { object: self.object.clone(), limit, value }
    }

    fn missing_column(&self, column: &str) -> ExtractError {
        let named = self.spec.all_columns().filter(|other| other.name == column);
        let names = quoted(named.flat_map(|column| &column.from), " or ");
        ExtractError::MissingColumn {
            object: self.object.clone(),
            column: column.to_owned(),
            names,
        }
    }

    fn unknown_header(&self) -> ExtractError {
        let names = quoted(self.exported().filter_map(|column| column.from.first()), ", ");
        ExtractError::UnknownHeader { object: self.object.clone(), names }
    }

    /// A column that must be there and was not met. Elements are no part of this: there may be
    /// none for a long time.
    fn missing(&self, met: &[bool]) -> Option<&str> {
        let each = self.spec.format.each.is_some() || !self.spec.parts.is_empty();
        let of_element =
            |column: &SpecColumn| each && column.from.iter().any(|f| f.starts_with('@'));
        let columns = self.spec.all_columns().zip(met);
        let missing = columns.filter(|(column, met)| column.required_header && !**met);
        let mut missing = missing.map(|(column, _)| column).filter(|column| column.is_exported());
        missing.find(|column| !of_element(column)).map(|column| column.name.as_str())
    }

    fn exported(&self) -> impl Iterator<Item = &SpecColumn> {
        exported(&self.spec)
    }

    /// Columns may lie inside of a cell, where no header tells of them.
    fn may_hide(&self) -> bool {
        self.spec.format.envelope.is_some() || self.spec.format.each.is_some()
    }
}

/// The first few names.
fn quoted<'a>(names: impl Iterator<Item = &'a String>, between: &str) -> String {
    let mut told: Vec<String> =
        names.take(NAMES_TOLD + 1).map(|name| format!("`{name}`")).collect();
    if let Some(last) = told.get_mut(NAMES_TOLD) {
        "…".clone_into(last);
    }
    told.join(between)
}

/// Columns that the export has; the rest are options of the job.
fn exported(spec: &SourceSpec) -> impl Iterator<Item = &SpecColumn> {
    spec.columns.iter().filter(|column| column.is_exported())
}

/// Why decoding stops before the end.
enum Break {
    /// The run must stop.
    Machine(ExtractError),
    /// The bytes end too early, cannot be unpacked, or the disk failed.
    Input(std::io::Error),
    Undecodable(String),
}

impl From<std::io::Error> for Break {
    fn from(error: std::io::Error) -> Self {
        Self::Input(error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    End,
}

/// Reads at most one record at a time into the rows.
trait Decode: Send {
    fn decode(&mut self, rows: &mut Rows) -> Result<Step, Break>;
}

/// The chunks of one object.
struct Chunks {
    task: Task,
    file: PathBuf,
    ratio: u64,
    rows: Rows,
    entries: Option<Entries>,
    decoder: Option<Box<dyn Decode>>,
    is_first: bool,
    ended: bool,
}

impl Chunks {
    fn open(&mut self) -> Result<(), ExtractError> {
        match container::open(&self.file, self.ratio) {
            Ok(entries) => self.entries = Some(entries),
            Err(error) => self.stop(error)?,
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), ExtractError> {
        while !self.rows.is_full() {
            let done = match &mut self.decoder {
                Some(decoder) => match decoder.decode(&mut self.rows) {
                    Ok(Step::More) => continue,
                    done => done.map(|_| None),
                },
                None => match self.entries.as_mut().and_then(Iterator::next) {
                    None => {
                        self.ended = true;
                        return Ok(());
                    }
                    Some(entry) => entry.and_then(|entry| open(&self.task, entry, &mut self.rows)),
                },
            };
            self.decoder = match done {
                Ok(decoder) => decoder,
                Err(error) => {
                    self.stop(error)?;
                    None
                }
            };
        }
        Ok(())
    }

    /// An object that breaks off keeps what was read, and what is lost is one reject.
    fn stop(&mut self, error: Break) -> Result<(), ExtractError> {
        let (rule, text) = match error {
            Break::Machine(error) => return Err(error),
            Break::Undecodable(text) => ("undecodable_object", text),
            Break::Input(error)
                if error.get_ref().is_some_and(|source| source.is::<Expanded>()) =>
            {
                return Err(self.task.limit("expansion_ratio_max", self.ratio));
            }
            Break::Input(error) if error.raw_os_error().is_some() => {
                return Err(StorageError::io(&self.file, error).into());
            }
            Break::Input(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                ("truncated_object", error.to_string())
            }
            Break::Input(error) => ("undecodable_object", error.to_string()),
        };
        self.rows.begin();
        self.rows.refuse(rule, &text);
        Ok(())
    }
}

/// Opens one file of an object; none if it is empty.
fn open(task: &Task, entry: Entry, rows: &mut Rows) -> Result<Option<Box<dyn Decode>>, Break> {
    let task = task.clone();
    let stream = match entry {
        Entry::Workbook(file) => return sheet(task, file),
        Entry::Parquet(file) => return Ok(Some(Box::new(Parquet::open(task, file, rows)?))),
        Entry::Stream(stream) => stream,
    };
    let (charset, mut feed) = Charset::open(Feed::new(stream), task.encoding);
    let head = feed.peek(sniff::PEEK);
    if head.starts_with(container::PARQUET) {
        return Err(Break::Undecodable("parquet inside a compressed file".into()));
    }
    let kind = sniff::kind(&task.spec, head);
    if let Some(told) = sniff::foreign(head).filter(|_| kind == FormatKind::Csv) {
        return Err(Break::Machine(ExtractError::Foreign { object: task.object, told }));
    }
    let (dialect, preamble) = sniff::dialect(&task.spec, head);
    if feed.is_empty() {
        return Ok(None);
    }
    Ok(Some(match kind {
        FormatKind::Csv => Box::new(Csv::open(task, feed, charset, dialect, preamble)?),
        FormatKind::Ndjson => Box::new(Ndjson { task, feed, charset }),
        FormatKind::Json => Box::new(Document::new(task, feed, charset)),
        FormatKind::Parquet => return Err(Break::Undecodable("it is not Parquet".into())),
        FormatKind::Xlsx => return Err(Break::Undecodable("it is no workbook".into())),
    }))
}

/// Opens a sheet of a workbook; none if it is empty.
fn sheet(task: Task, file: File) -> Result<Option<Box<dyn Decode>>, Break> {
    let format = &task.spec.format;
    let lines = Lines::open(
        file,
        workbook::Part {
            sheet: format.sheet.clone(),
            skipped: format.preamble_rows,
            header_rows: u32::from(format.header_rows.unwrap_or(1)),
        },
    )?;
    let (charset, mut feed) = Charset::open(Feed::new(Box::new(lines)), None);
    if feed.is_empty() {
        return Ok(None);
    }
    Ok(Some(Box::new(Csv::open(task, feed, charset, Dialect::new(b',', b'\n'), 0)?)))
}

impl Iterator for Chunks {
    type Item = Result<RawChunk, ExtractError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if let Err(error) = self.fill() {
            self.ended = true;
            return Some(Err(error));
        }
        let missing = self.task.missing(self.rows.met());
        let missing = missing.map(|column| self.task.missing_column(column));
        let chunk = self.rows.take();
        if let Some(error) = missing.filter(|_| self.is_first && !chunk.numbers.is_empty()) {
            self.ended = true;
            return Some(Err(error));
        }
        self.is_first = false;
        (chunk.read > 0 || !chunk.seen.is_empty()).then_some(Ok(chunk))
    }
}
