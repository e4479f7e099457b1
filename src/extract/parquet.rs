//! Parquet: only the columns that are named, each value as the text that says exactly the same.

use std::borrow::Cow;
use std::fs::File;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampNanosecondType, TimestampSecondType};
use arrow::datatypes::{TimestampMicrosecondType, TimestampMillisecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, SecondsFormat, Utc};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::record::Cells;
use super::rows::Rows;
use super::{Break, CHUNK_RECORDS, Decode, Step, Task};

/// Rows read at once are a chunk, so that their columns stay as they are.
const BATCH_ROWS: usize = CHUNK_RECORDS;
/// Fewer where they hold more than this.
const BATCH_BYTES: i64 = 64 << 20;
/// Batches with more text go row by row, so that a chunk can end inside.
const WHOLE_BYTES: usize = 16 << 20;

/// Reads the rows of one Parquet file.
pub(super) struct Parquet {
    task: Task,
    reader: ParquetRecordBatchReader,
    cells: Cells,
    /// Places of the columns that are read, as the file counts them.
    places: Vec<usize>,
    /// The columns that are there, each with the one place among those that it reads, if that is all
    /// there is to do.
    plain: Option<Vec<(usize, usize)>>,
    columns: Vec<StringArray>,
    rows: usize,
    next: usize,
}

impl Parquet {
    /// # Errors
    /// It is no Parquet file, it has too many columns, or none that is known.
    pub(super) fn open(task: Task, file: File, rows: &mut Rows) -> Result<Self, Break> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|error| Break::Undecodable(error.to_string()))?;
        let header: Vec<String> =
            builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let limit = task.limits.columns;
        if header.len() > limit {
            return Err(Break::Machine(task.limit("columns_max", limit as u64)));
        }
        let count = builder.metadata().file_metadata().num_rows();
        let cells = Cells::new(&task.lookup, &header);
        if count > 0 && cells.is_empty() {
            return Err(Break::Machine(task.unknown_header()));
        }
        for column in 0..task.spec.all_columns().count() {
            if cells.has(column) {
                rows.meet(column);
            }
        }
        if let Some(column) = task.missing(rows.met()).filter(|_| count > 0 && !task.may_hide()) {
            return Err(Break::Machine(task.missing_column(column)));
        }
        let kinds: Vec<_> =
            builder.schema().fields().iter().map(|field| kind(field.data_type())).collect();
        cells.tell(&header, |place| kinds.get(place).copied().unwrap_or("other"), rows);
        let mut places = cells.places();
        if rows.keeps_attributes() {
            places.extend(cells.unread());
            places.sort_unstable();
        }
        let bytes: i64 = builder.metadata().row_groups().iter().map(|g| g.total_byte_size()).sum();
        let fit = BATCH_BYTES / (bytes / count.max(1)).max(1);
        let batch = usize::try_from(fit).unwrap_or(1).clamp(1, BATCH_ROWS);
        let mask = ProjectionMask::roots(builder.parquet_schema(), places.iter().copied());
        let reader = builder
            .with_projection(mask)
            .with_batch_size(batch)
            .build()
            .map_err(|error| Break::Undecodable(error.to_string()))?;
        let plain = cells.plain(&task.lookup).map(|plain| {
            let at = |(column, place)| Some((column, places.binary_search(&place).ok()?));
            plain.into_iter().filter_map(at).collect()
        });
        Ok(Self { task, reader, cells, places, plain, columns: Vec::new(), rows: 0, next: 0 })
    }

    /// The text at a place of the file's columns.
    fn cell(&self, place: usize, row: usize) -> Option<&str> {
        text_of(&self.columns, self.places.binary_search(&place).ok()?, row)
    }

    fn load(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.columns = batch.columns().iter().map(texts).collect::<Result<_, _>>()?;
        (self.rows, self.next) = (batch.num_rows(), 0);
        Ok(())
    }
}

impl Parquet {
    /// Takes the batch at hand by columns, where nothing must be done to its rows and it is no chunk
    /// by itself.
    fn take_whole(&mut self, rows: &mut Rows) {
        let Some(plain) = &self.plain else { return };
        let bytes: usize = self.columns.iter().map(|column| column.value_data().len()).sum();
        if bytes > WHOLE_BYTES || rows.keeps_attributes() && self.cells.unread().next().is_some() {
            return;
        }
        let columns =
            plain.iter().filter_map(|(column, at)| Some((*column, self.columns.get(*at)?)));
        rows.extend(self.rows, columns);
        self.next = self.rows;
    }
}

fn text_of(columns: &[StringArray], at: usize, row: usize) -> Option<&str> {
    let column = columns.get(at)?;
    column.is_valid(row).then(|| column.value(row))
}

impl Decode for Parquet {
    fn decode(&mut self, rows: &mut Rows) -> Result<Step, Break> {
        let broken = |error: ArrowError| Break::Undecodable(error.to_string());
        if self.next >= self.rows {
            let Some(batch) = self.reader.next() else { return Ok(Step::End) };
            self.load(&batch.map_err(broken)?).map_err(broken)?;
            self.take_whole(rows);
            return Ok(Step::More);
        }
        let row = self.next;
        self.next += 1;
        rows.begin();
        if let Some(plain) = &self.plain {
            self.cells.keep(|place| self.cell(place, row).map(Cow::Borrowed), rows);
            rows.begin_row(0);
            for (column, at) in plain {
                if let Some(text) = text_of(&self.columns, *at, row) {
                    rows.push(*column, text);
                }
            }
            rows.end_row(0);
            return Ok(Step::More);
        }
        let cell = |place: usize| self.cell(place, row).map(Cow::Borrowed);
        if let Err(rule) = self.task.lookup.cells(&self.cells, cell, rows) {
            rows.refuse(rule, "");
        }
        Ok(Step::More)
    }
}

fn kind(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "truth",
        DataType::Struct(_) | DataType::Map(_, _) => "object",
        kind if kind.is_nested() => "list",
        kind if kind.is_numeric() => "number",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        _ => "other",
    }
}

/// A column as text; lists, structs and maps as JSON.
fn texts(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let column = match column.data_type() {
        DataType::Dictionary(_, value) => &cast(column, value)?,
        _ => column,
    };
    let own = match column.data_type() {
        DataType::Timestamp(_, _) => true,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::FixedSizeBinary(_) => true,
        kind => kind.is_nested(),
    };
    if !own {
        return Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone());
    }
    let mut out = StringBuilder::new();
    let mut text = String::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            out.append_null();
            continue;
        }
        text.clear();
        if column.data_type().is_nested() {
            write_json(column, row, &mut text)?;
        } else {
            write_text(column, row, &mut text)?;
        }
        out.append_value(&text);
    }
    Ok(out.finish())
}

fn write_text(column: &ArrayRef, row: usize, out: &mut String) -> Result<(), ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let time = instant(column, *unit, row);
            match (time, zone) {
                (Some(time), Some(_)) => {
                    out.push_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
                }
                // A time that the file itself calls local: no zone is made up.
                (Some(time), None) => {
                    out.push_str(&time.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string());
                }
                (None, _) => out.push_str("out of range"),
            }
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            let bytes = cast(column, &DataType::Binary)?;
            let bytes: &BinaryArray = bytes.as_binary();
            match std::str::from_utf8(bytes.value(row)) {
                Ok(text) => out.push_str(text),
                Err(_) => out.push_str(&data_encoding::HEXLOWER.encode(bytes.value(row))),
            }
        }
        _ => {
            let format = FormatOptions::new();
            out.push_str(&ArrayFormatter::try_new(column, &format)?.value(row).to_string());
        }
    }
    Ok(())
}

fn instant(column: &ArrayRef, unit: TimeUnit, row: usize) -> Option<DateTime<Utc>> {
    match unit {
        TimeUnit::Second => {
            DateTime::from_timestamp(column.as_primitive::<TimestampSecondType>().value(row), 0)
        }
        TimeUnit::Millisecond => DateTime::from_timestamp_millis(
            column.as_primitive::<TimestampMillisecondType>().value(row),
        ),
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(
            column.as_primitive::<TimestampMicrosecondType>().value(row),
        ),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(
            column.as_primitive::<TimestampNanosecondType>().value(row),
        )),
    }
}

fn write_json(column: &ArrayRef, row: usize, out: &mut String) -> Result<(), ArrowError> {
    if column.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match column.data_type() {
        DataType::Struct(fields) => {
            let members = column.as_struct();
            out.push('{');
            for (i, (field, member)) in fields.iter().zip(members.columns()).enumerate() {
                push_comma(i, out);
                write_string(field.name(), out);
                out.push(':');
                write_json(member, row, out)?;
            }
            out.push('}');
        }
        DataType::List(_) => write_list(&column.as_list::<i32>().value(row), out)?,
        DataType::LargeList(_) => write_list(&column.as_list::<i64>().value(row), out)?,
        DataType::FixedSizeList(_, _) => {
            write_list(&column.as_fixed_size_list().value(row), out)?;
        }
        DataType::Map(_, _) => write_map(&column.as_map().value(row), out)?,
        kind if kind.is_integer() || matches!(kind, DataType::Boolean) => {
            write_text(column, row, out)?;
        }
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => write_text(column, row, out)?,
        DataType::Float32 | DataType::Float64 => {
            let mut number = String::new();
            write_text(column, row, &mut number)?;
            let is_number = number.parse::<f64>().is_ok_and(f64::is_finite);
            out.push_str(if is_number { &number } else { "null" });
        }
        _ => {
            let mut text = String::new();
            write_text(column, row, &mut text)?;
            write_string(&text, out);
        }
    }
    Ok(())
}

fn write_list(elements: &ArrayRef, out: &mut String) -> Result<(), ArrowError> {
    out.push('[');
    for i in 0..elements.len() {
        push_comma(i, out);
        write_json(elements, i, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(entries: &arrow::array::StructArray, out: &mut String) -> Result<(), ArrowError> {
    let [keys, values] = entries.columns() else { return Ok(()) };
    out.push('{');
    for i in 0..entries.len() {
        push_comma(i, out);
        let mut key = String::new();
        write_text(keys, i, &mut key)?;
        write_string(&key, out);
        out.push(':');
        write_json(values, i, out)?;
    }
    out.push('}');
    Ok(())
}

fn push_comma(i: usize, out: &mut String) {
    if i > 0 {
        out.push(',');
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&sonic_rs::to_string(text).unwrap_or_default());
}
