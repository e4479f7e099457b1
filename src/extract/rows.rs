//! Gathers the rows of a chunk and counts every record, whatever becomes of it.
//!
//! A record is begun, gives rows, and is kept unless it is refused or skipped. Rows of a record never
//! part over two chunks.

use std::borrow::Cow;
use std::ops::Range;

use arrow::array::{Array, NullBufferBuilder, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};

use super::json::{self, Json, Malformed, Tree};
use super::mask::mask;
use super::survey::Survey;
use super::{RawChunk, RawPart, Reject};
use crate::catalog::SourceSpec;

/// Text of a chunk: bounds memory where records are large.
const CHUNK_BYTES: usize = 64 << 20;

/// One column of text; unlike a builder of Arrow it can give up its last rows, and rows without a
/// value cost nothing until one with a value follows.
#[derive(Debug)]
struct TextColumn {
    text: String,
    offsets: Vec<i32>,
    valid: NullBufferBuilder,
    /// All that there is, in the place of the others: most columns that come whole stay so.
    whole: Option<StringArray>,
}

/// What an offset can say; a chunk is cut long before, see `Rows::is_full`.
fn offset(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

impl TextColumn {
    fn new() -> Self {
        let (text, offsets, valid) = (String::new(), vec![0], NullBufferBuilder::new(0));
        Self { text, offsets, valid, whole: None }
    }

    /// Up to `row` there is nothing more.
    fn pad(&mut self, row: usize) {
        if let Some(whole) = self.whole.take() {
            self.extend(0, &whole);
        }
        let missing = (row + 1).saturating_sub(self.offsets.len());
        if missing > 0 {
            self.offsets.resize(row + 1, offset(self.text.len()));
            self.valid.append_n_nulls(missing);
        }
    }

    /// The row has the text that was added.
    fn close(&mut self) {
        self.offsets.push(offset(self.text.len()));
        self.valid.append_non_null();
    }

    /// From `row` on as another column has it.
    fn take(&mut self, row: usize, texts: &StringArray) {
        if row == 0 && self.whole.is_none() && self.offsets.len() == 1 {
            self.whole = Some(texts.clone());
        } else {
            self.extend(row, texts);
        }
    }

    fn extend(&mut self, row: usize, texts: &StringArray) {
        self.pad(row);
        let (Some(first), Some(last)) = (texts.offsets().first(), texts.offsets().last()) else {
            return;
        };
        let bytes = usize::try_from(*first).unwrap_or(0)..usize::try_from(*last).unwrap_or(0);
        let before = offset(self.text.len());
        let text = texts.value_data().get(bytes).and_then(|bytes| str::from_utf8(bytes).ok());
        self.text.push_str(text.unwrap_or_default());
        self.offsets.extend(texts.offsets().iter().skip(1).map(|end| before + (end - first)));
        match texts.nulls() {
            Some(nulls) => self.valid.append_buffer(nulls),
            None => self.valid.append_n_non_nulls(texts.len()),
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.whole = self.whole.take().map(|whole| whole.slice(0, rows.min(whole.len())));
        if self.offsets.len() > rows + 1 {
            self.offsets.truncate(rows + 1);
            self.valid.truncate(rows);
            let end = self.offsets.last().and_then(|end| usize::try_from(*end).ok());
            self.text.truncate(end.unwrap_or(0));
        }
    }

    fn finish(&mut self, rows: usize) -> StringArray {
        if let Some(whole) = self.whole.take_if(|whole| whole.len() == rows) {
            return whole;
        }
        self.pad(rows);
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
    /// Of the row at hand in its table.
    row: usize,
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
            row: 0,
            met: vec![false; columns],
            survey,
            attributes: TextColumn::new(),
        }
    }

    /// Looks at what a record has beside the columns.
    pub(super) fn survey(&mut self, tree: &Tree, record: Json<'_>, unread: bool) {
        self.survey.record(self.number, tree, record, unread);
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

    /// Begins a row of a table; what is not pushed has no value.
    pub(super) fn begin_row(&mut self, table: usize) {
        self.row = self.tables.get(table).map_or(0, |table| table.numbers.len());
    }

    pub(super) fn push(&mut self, column: usize, text: &str) {
        if let Some(column) = self.columns.get_mut(column) {
            column.pad(self.row);
            column.text.push_str(text);
            column.close();
            self.bytes += text.len();
        }
    }

    /// A JSON value: the text of a string, or the value as it is written.
    pub(super) fn push_json(&mut self, column: usize, raw: &str) -> Result<bool, Malformed> {
        let Some(column) = self.columns.get_mut(column) else { return Ok(false) };
        column.pad(self.row);
        self.bytes += raw.len();
        let replaced =
            if let Some(quoted) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                json::unescape(quoted, &mut column.text)
            } else {
                column.text.push_str(raw);
                Ok(false)
            };
        column.close();
        replaced
    }

    /// All that there is of a row of the table was pushed.
    pub(super) fn end_row(&mut self, table: usize) {
        let text = self.survey.text();
        if table == 0 && !text.is_empty() {
            self.attributes.pad(self.row);
            self.attributes.text.push_str(text);
            self.attributes.close();
            self.bytes += text.len();
        }
        if let Some(table) = self.tables.get_mut(table) {
            table.numbers.push(self.number);
        }
    }

    /// Whole columns at once: each row is a record, and has nothing but these.
    ///
    /// Ill for texts that fill a chunk by themselves.
    pub(super) fn extend<'a>(
        &mut self,
        rows: usize,
        columns: impl Iterator<Item = (usize, &'a StringArray)>,
    ) {
        let before = self.tables.first().map_or(0, |table| table.numbers.len());
        for (column, texts) in columns {
            if let Some(column) = self.columns.get_mut(column) {
                self.bytes += texts.value_data().len();
                column.take(before, texts);
            }
        }
        let numbers = self.number + 1..=self.number + rows as u64;
        self.number += rows as u64;
        self.chunk.read += rows as u64;
        if let Some(table) = self.tables.first_mut() {
            table.numbers.extend(numbers);
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

    /// Enough for a chunk.
    pub(super) fn is_full(&self) -> bool {
        self.chunk.read >= self.chunk_records as u64
            || self.tables.iter().any(|table| table.numbers.len() >= self.chunk_records)
            || self.bytes >= CHUNK_BYTES
    }

    /// The chunk so far; the next one begins.
    pub(super) fn take(&mut self) -> RawChunk {
        let count = self.tables.first().map_or(0, |table| table.numbers.len());
        let mut columns = self.columns.iter_mut();
        let mut tables = self.tables.iter_mut().map(|table| {
            table.rows_before = 0;
            let columns = columns.by_ref().take(table.columns.len());
            let columns = columns.map(|column| column.finish(table.numbers.len())).collect();
            RawPart { numbers: std::mem::take(&mut table.numbers), columns }
        });
        let RawPart { numbers, columns } = tables.next().unwrap_or_default();
        let parts = tables.collect();
        self.rejects_before = 0;
        (self.bytes, self.bytes_before) = (0, 0);
        let attributes = self.survey.keeps().then(|| self.attributes.finish(count));
        let seen = self.survey.take();
        let chunk = std::mem::take(&mut self.chunk);
        RawChunk { numbers, columns, attributes, parts, seen, ..chunk }
    }
}
