//! Gathers the rows of a chunk and counts every record, whatever becomes of it.
//!
//! A record is begun, gives rows, and ends as one of four things: kept, refused, a duplicate, or
//! skipped. Rows of a record never part over two chunks.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use arrow::array::{NullBufferBuilder, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use foldhash::quality::FixedState;
use rustc_hash::FxHashSet;
use sonic_rs::LazyValue;

use super::json::{self, Malformed, Tree};
use super::mask::mask;
use super::survey::Survey;
use super::{RawChunk, RawPart, Reject};
use crate::catalog::SourceSpec;

/// Text of a chunk: bounds memory where records are large.
const CHUNK_BYTES: usize = 64 << 20;
/// Records remembered of an object at a time, twice, to find those that come again.
const REMEMBERED: usize = 1 << 21;

/// One column of text; unlike a builder of Arrow it can give up its last rows.
#[derive(Debug)]
struct TextColumn {
    text: String,
    offsets: Vec<i32>,
    valid: NullBufferBuilder,
}

impl TextColumn {
    fn new() -> Self {
        Self { text: String::new(), offsets: vec![0], valid: NullBufferBuilder::new(0) }
    }

    fn close(&mut self, valid: bool) {
        // A chunk is cut long before its text passes what an offset can say; see `Rows::is_full`.
        self.offsets.push(i32::try_from(self.text.len()).unwrap_or(i32::MAX));
        self.valid.append(valid);
    }

    fn cell(&self, row: usize) -> Option<&str> {
        let start = usize::try_from(*self.offsets.get(row)?).ok()?;
        let end = usize::try_from(*self.offsets.get(row + 1)?).ok()?;
        self.text.get(start..end)
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.valid.truncate(rows);
        let end = self.offsets.last().and_then(|end| usize::try_from(*end).ok());
        self.text.truncate(end.unwrap_or(0));
    }

    fn finish(&mut self) -> StringArray {
        // The next chunk is about as large; growing to it would copy it over and over.
        let text = String::with_capacity(self.text.len() + self.text.len() / 16);
        let mut offsets = Vec::with_capacity(self.offsets.len());
        offsets.push(0);
        let text = Buffer::from_vec(std::mem::replace(&mut self.text, text).into_bytes());
        let offsets = OffsetBuffer::new(std::mem::replace(&mut self.offsets, offsets).into());
        let valid: Option<NullBuffer> = self.valid.finish();
        StringArray::new(offsets, text, valid)
    }
}

/// Records seen of an object, by hash, in two generations: when the newer is full the older goes.
///
/// So an object of any size is held in bounded memory, and what is found does not depend on how
/// it is cut into chunks.
#[derive(Debug, Default)]
struct Seen {
    newer: FxHashSet<u128>,
    older: FxHashSet<u128>,
}

impl Seen {
    fn is_new(&mut self, hash: u128) -> bool {
        if self.older.contains(&hash) || !self.newer.insert(hash) {
            return false;
        }
        if self.newer.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        true
    }
}

/// The rows of the chunk at hand, and what goes on from chunk to chunk.
#[derive(Debug)]
pub(super) struct Rows {
    /// Of all tables, one after another.
    columns: Vec<TextColumn>,
    /// The records', then one a part.
    tables: Vec<Table>,
    chunk: RawChunk,
    chunk_records: usize,
    /// Of the record at hand, from 1.
    number: u64,
    rejects_before: usize,
    /// Bytes of text in all columns, and what they were when the record began.
    bytes: usize,
    bytes_before: usize,
    seen: Option<Seen>,
    hashed: Vec<u8>,
    /// By column: a header or member was there, be it empty.
    met: Vec<bool>,
    survey: Survey,
    /// What no column reads, a text a row of the records' table.
    attributes: TextColumn,
}

/// One of the tables that records give rows to.
#[derive(Debug)]
struct Table {
    columns: Range<usize>,
    /// The record of each row.
    numbers: Vec<u64>,
    rows_before: usize,
}

impl Rows {
    pub(super) fn new(spec: &SourceSpec, survey: Survey, chunk_records: usize) -> Self {
        let mut columns = 0;
        let widths = spec.parts.iter().map(|part| part.columns.len());
        let tables = std::iter::once(spec.columns.len()).chain(widths).map(|width| {
            columns += width;
            Table { columns: columns - width..columns, numbers: Vec::new(), rows_before: 0 }
        });
        Self {
            tables: tables.collect(),
            columns: (0..columns).map(|_| TextColumn::new()).collect(),
            chunk: RawChunk::default(),
            chunk_records,
            number: 0,
            rejects_before: 0,
            bytes: 0,
            bytes_before: 0,
            seen: (!spec.key.is_empty()).then(Seen::default),
            hashed: Vec::new(),
            met: vec![false; columns],
            survey,
            attributes: TextColumn::new(),
        }
    }

    /// Looks at what a record has beside the columns.
    pub(super) fn survey(
        &mut self,
        tree: &Tree,
        record: LazyValue<'_>,
        unread: bool,
    ) -> Result<(), Malformed> {
        self.survey.record(self.number, tree, record, unread)
    }

    pub(super) fn see(&mut self, name: &str, is_read: bool, kind: &str) {
        self.survey.see_kind(name, is_read, kind);
    }

    pub(super) fn keeps_attributes(&self) -> bool {
        self.survey.keeps()
    }

    /// Keeps cells that no column reads, in the order of their names.
    pub(super) fn keep_cells<'a>(&mut self, cells: impl Iterator<Item = (&'a str, Cow<'a, str>)>) {
        for (name, text) in cells {
            self.survey.cell(name, &text);
        }
        self.survey.close();
    }

    pub(super) fn meet(&mut self, column: usize) {
        if let Some(met) = self.met.get_mut(column) {
            *met = true;
        }
    }

    pub(super) fn met(&self) -> &[bool] {
        &self.met
    }

    /// Counts a record that begins.
    pub(super) fn begin(&mut self) {
        self.number += 1;
        self.chunk.read += 1;
        self.survey.begin();
        for table in &mut self.tables {
            table.rows_before = table.numbers.len();
        }
        self.rejects_before = self.chunk.rejects.len();
        self.bytes_before = self.bytes;
    }

    pub(super) fn push(&mut self, column: usize, text: Option<&str>) {
        if let Some(column) = self.columns.get_mut(column) {
            let (valid, text) = (text.is_some(), text.unwrap_or_default());
            column.text.push_str(text);
            column.close(valid);
            self.bytes += text.len();
        }
    }

    /// A JSON value: the text of a string, or the value as it is written.
    pub(super) fn push_json(&mut self, column: usize, raw: &str) -> Result<bool, Malformed> {
        let Some(column) = self.columns.get_mut(column) else { return Ok(false) };
        self.bytes += raw.len();
        let replaced =
            if let Some(quoted) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                json::unescape(quoted, &mut column.text)
            } else {
                column.text.push_str(raw);
                Ok(false)
            };
        column.close(true);
        replaced
    }

    /// All columns of a row of the table were pushed.
    pub(super) fn end_row(&mut self, table: usize) {
        if table == 0 && self.survey.keeps() {
            let text = self.survey.text();
            self.attributes.text.push_str(text);
            self.attributes.close(!text.is_empty());
            self.bytes += text.len();
        }
        if let Some(table) = self.tables.get_mut(table) {
            table.numbers.push(self.number);
        }
    }

    /// The record is whole: its rows stay, unless they are those of an earlier record.
    pub(super) fn keep(&mut self) {
        if self.seen.is_none() {
            return;
        }
        let hash = self.hash();
        if self.seen.as_mut().is_some_and(|seen| !seen.is_new(hash)) {
            self.drop_record();
            self.chunk.duplicate += 1;
        }
    }

    /// The record is a reject; `text` is what stood there.
    pub(super) fn refuse(&mut self, rule: &'static str, text: &str) {
        self.drop_record();
        self.tell(rule, None, mask(text), false);
    }

    /// The record stays, with a remark.
    pub(super) fn remark(&mut self, rule: &'static str, column: Option<&str>, text: &str) {
        self.tell(rule, column, mask(text), true);
    }

    /// The record is none: a footer, or a message of the envelope.
    pub(super) fn skip(&mut self) {
        self.drop_record();
        self.chunk.skipped += 1;
    }

    fn tell(&mut self, rule: &'static str, column: Option<&str>, text: String, value_only: bool) {
        let column = column.map(ToOwned::to_owned);
        let record_number = self.number;
        self.chunk.rejects.push(Reject { record_number, rule, column, text, value_only });
    }

    fn drop_record(&mut self) {
        if self.survey.keeps() {
            self.attributes.truncate(self.tables.first().map_or(0, |table| table.rows_before));
        }
        for table in &mut self.tables {
            table.numbers.truncate(table.rows_before);
            for column in self.columns.get_mut(table.columns.clone()).unwrap_or_default() {
                column.truncate(table.rows_before);
            }
        }
        self.chunk.rejects.truncate(self.rejects_before);
        self.bytes = self.bytes_before;
    }

    /// Two hashes of 64 bits: of a billion records no two different ones are taken for the same.
    fn hash(&mut self) -> u128 {
        self.hashed.clear();
        for (i, table) in self.tables.iter().enumerate() {
            for row in table.rows_before..table.numbers.len() {
                self.hashed.push(i as u8);
                for column in self.columns.get(table.columns.clone()).unwrap_or_default() {
                    let text = column.cell(row).unwrap_or_default();
                    let valid = column.valid.is_valid(row);
                    let length = text.len() as u64 * 2 + u64::from(valid);
                    self.hashed.extend_from_slice(&length.to_le_bytes());
                    self.hashed.extend_from_slice(text.as_bytes());
                }
            }
        }
        let half = |seed: u64| {
            let mut hasher = FixedState::with_seed(seed).build_hasher();
            hasher.write(&self.hashed);
            u128::from(hasher.finish())
        };
        (half(1) << 64) | half(2)
    }

    /// Enough for a chunk.
    pub(super) fn is_full(&self) -> bool {
        self.chunk.read >= self.chunk_records as u64
            || self.tables.iter().any(|table| table.numbers.len() >= self.chunk_records)
            || self.bytes >= CHUNK_BYTES
    }

    /// The chunk so far; the next one begins.
    pub(super) fn take(&mut self) -> RawChunk {
        let mut columns = self.columns.iter_mut().map(TextColumn::finish);
        let mut tables = self.tables.iter_mut().map(|table| {
            table.rows_before = 0;
            let columns = columns.by_ref().take(table.columns.len()).collect();
            RawPart { numbers: std::mem::take(&mut table.numbers), columns }
        });
        let records = tables.next().unwrap_or_default();
        let parts = tables.collect();
        self.rejects_before = 0;
        (self.bytes, self.bytes_before) = (0, 0);
        let RawPart { numbers, columns } = records;
        let attributes = self.survey.keeps().then(|| self.attributes.finish());
        let seen = self.survey.take();
        RawChunk { numbers, columns, attributes, parts, seen, ..std::mem::take(&mut self.chunk) }
    }
}
