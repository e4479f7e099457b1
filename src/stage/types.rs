//! Text to typed columns, one chunk at a time, as a spec says.
//!
//! A value that cannot be read or is not allowed is a [`Reject`] with its rule: the row leaves, or
//! only the value does where the column is `lenient`. Nothing is rounded, guessed or dropped in
//! silence.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Float64Type, Int64Type, Schema, SchemaRef,
};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use chrono_tz::Tz;

use super::findings::{Finding, Findings};
use super::frame::{Cast, Frame};
use super::sum::Path;
use super::time::{self, Clock, Placed};
use super::warnings::Notes;
use super::{Context, RECORD_BITS, StageError, number, text};
use crate::catalog::SourceSpec;
use crate::catalog::spec::{ATTRIBUTES, OPTION, SpecColumn, SpecKind};
use crate::extract::{RawChunk, Reject, Warning};
use crate::table::day::day_number;
use crate::table::{DECIMAL, Kind};

/// A zone that starts so stands in another column.
const COLUMN: &str = "column:";

/// The type a spec column has in the raw table.
pub fn kind(spec: SpecKind) -> Kind {
    match spec {
        SpecKind::Text | SpecKind::Json => Kind::Text,
        SpecKind::Int64 => Kind::Int64,
        SpecKind::Float64 => Kind::Float64,
        SpecKind::Decimal | SpecKind::Money => Kind::Decimal,
        SpecKind::Bool => Kind::Bool,
        SpecKind::Date => Kind::Date,
        SpecKind::Timestamp => Kind::Timestamp,
    }
}

/// Schema of `raw_<source>__<entity>`: `record_id`, then the spec's columns, then `attributes`.
pub fn raw_schema(spec: &SourceSpec) -> SchemaRef {
    let mut fields = fields_of(&spec.columns);
    if !spec.has_column(ATTRIBUTES) {
        fields.push(Field::new(ATTRIBUTES, DataType::Utf8, true));
    }
    Arc::new(Schema::new(fields))
}

/// Schemas of the spec's raw tables, in their order.
pub fn raw_schemas(spec: &SourceSpec) -> Vec<SchemaRef> {
    let parts = spec.parts.iter().map(|part| schema_of(&part.columns));
    std::iter::once(raw_schema(spec)).chain(parts).collect()
}

fn schema_of(columns: &[SpecColumn]) -> SchemaRef {
    Arc::new(Schema::new(fields_of(columns)))
}

fn fields_of(columns: &[SpecColumn]) -> Vec<Field> {
    let mut fields = vec![Field::new("record_id", DataType::Int64, false)];
    fields.extend(columns.iter().map(|c| Field::new(&c.name, kind(c.kind).arrow(), true)));
    fields
}

/// Types one chunk; a [`Typing`] made for the occasion.
///
/// # Errors
/// As [`Typing::new`] and [`Typing::chunk`].
pub fn type_chunk(
    spec: &SourceSpec,
    context: &Context,
    object: usize,
    chunk: &RawChunk,
) -> Result<(RecordBatch, Vec<Reject>), StageError> {
    Typing::new(spec, context)?.chunk(object, chunk)
}

/// A spec made ready to type chunks.
#[derive(Debug, Clone)]
pub struct Typing {
    spec: String,
    records: Columns,
    parts: Vec<Columns>,
    /// Of the records' table.
    schema: SchemaRef,
}

/// One raw table made ready.
#[derive(Debug, Clone)]
struct Columns {
    /// Stands before the names of its columns in rejects.
    prefix: String,
    schema: SchemaRef,
    columns: Vec<Reader>,
    frame: Frame,
    /// Columns that [`Frame`] reads, in its order.
    framed: Vec<usize>,
}

/// How one column is read.
#[derive(Debug, Clone)]
struct Reader {
    column: SpecColumn,
    /// The same text in every row.
    constant: Option<String>,
    is_key: bool,
    clock: Clock,
    mark: char,
    /// Position of the column with the currency, or with the zone.
    beside: Option<usize>,
    sum_of: Option<Path>,
    min: Option<Bound>,
    max: Option<Bound>,
}

/// A limit in the terms of the column's type.
#[derive(Debug, Clone, Copy)]
struct Bound {
    float: f64,
    /// Of a decimal column, unscaled.
    unscaled: i128,
}

impl Typing {
    /// # Errors
    /// A zone, format, option or column that the spec names does not exist.
    pub fn new(spec: &SourceSpec, context: &Context) -> Result<Self, StageError> {
        let parts = spec.parts.iter().map(|part| {
            let table = Table { spec: spec.key(), columns: &part.columns, key: &[] };
            Columns::new(&table, context, format!("{}.", part.name))
        });
        let parts = parts.collect::<Result<_, _>>()?;
        let table = Table { spec: spec.key(), columns: &spec.columns, key: &spec.key };
        let records = Columns::new(&table, context, String::new())?;
        Ok(Self { spec: spec.key(), records, parts, schema: raw_schema(spec) })
    }

    /// The records of [`Typing::tables`], without their parts.
    ///
    /// # Errors
    /// As [`Typing::tables`].
    pub fn chunk(
        &self,
        object: usize,
        chunk: &RawChunk,
    ) -> Result<(RecordBatch, Vec<Reject>), StageError> {
        let mut typed = self.tables(object, None, chunk)?;
        Ok((typed.tables.swap_remove(0), typed.rejects))
    }

    /// Types the columns of a chunk, in the order of the spec's raw tables; records with a reject
    /// that is not `value_only` are left out of all of them.
    ///
    /// `object` is the place of the chunk's object in its batch, `dt` the object's day.
    ///
    /// # Errors
    /// The engine that casts fails; no text makes it.
    pub fn tables(
        &self,
        object: usize,
        dt: Option<NaiveDate>,
        chunk: &RawChunk,
    ) -> Result<Typed, StageError> {
        let place = Place { object, epoch_end: time::epoch_end(dt) };
        self.typed(place, chunk)
            .map_err(|source| StageError::Frame { spec: self.spec.clone(), source: source.into() })
    }

    fn typed(&self, place: Place, chunk: &RawChunk) -> Result<Typed, ArrowError> {
        let mut notes = Notes::new(&chunk.warnings);
        let (records, found) =
            self.records.typed(place, &chunk.numbers, &chunk.columns, &mut notes)?;
        let records = (self.with_attributes(&records, chunk.attributes.as_ref())?, found);
        let mut tables = vec![(&chunk.numbers, records)];
        for (columns, part) in self.parts.iter().zip(&chunk.parts) {
            let typed = columns.typed(place, &part.numbers, &part.columns, &mut notes)?;
            tables.push((&part.numbers, typed));
        }
        // A record leaves with all its rows: sums over the ones that were left would be wrong.
        let left = tables.iter().flat_map(|(numbers, (_, found))| found.left(numbers)).collect();
        let mut rejects = chunk.rejects.clone();
        let mut batches = Vec::with_capacity(tables.len());
        for (numbers, (batch, found)) in tables {
            batches.push(found.apply(&left, batch, numbers, &mut rejects)?);
        }
        Ok(Typed { tables: batches, rejects, warnings: notes.into_warnings() })
    }

    fn with_attributes(
        &self,
        records: &RecordBatch,
        attributes: Option<&StringArray>,
    ) -> Result<RecordBatch, ArrowError> {
        let mut columns = records.columns().to_vec();
        if self.schema.fields().len() > columns.len() {
            columns.push(match attributes {
                Some(attributes) => Arc::new(attributes.clone()),
                None => new_null_array(&DataType::Utf8, records.num_rows()),
            });
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

/// A chunk with types.
#[derive(Debug, Clone)]
pub struct Typed {
    /// One a raw table, in their order.
    pub tables: Vec<RecordBatch>,
    pub rejects: Vec<Reject>,
    pub warnings: Vec<Warning>,
}

/// Where a chunk comes from.
#[derive(Debug, Clone, Copy)]
struct Place {
    object: usize,
    /// First instant that a number of seconds must not reach.
    epoch_end: i64,
}

/// The columns of one raw table of a spec.
struct Table<'a> {
    spec: String,
    columns: &'a [SpecColumn],
    key: &'a [String],
}

impl Columns {
    fn new(table: &Table<'_>, context: &Context, prefix: String) -> Result<Self, StageError> {
        let columns = table.columns.iter().map(|column| Reader::new(table, context, column));
        let columns: Vec<Reader> = columns.collect::<Result<_, _>>()?;
        let framed = columns.iter().enumerate().filter_map(|(i, c)| Some((i, c.cast()?)));
        let (framed, casts): (Vec<usize>, Vec<Cast>) = framed.unzip();
        let schema = schema_of(table.columns);
        Ok(Self { prefix, schema, columns, frame: Frame::new(&casts), framed })
    }

    fn typed(
        &self,
        place: Place,
        numbers: &[u64],
        given: &[StringArray],
        notes: &mut Notes,
    ) -> Result<(RecordBatch, Findings), ArrowError> {
        let rows = numbers.len();
        let given = |i: usize| given.get(i);
        let texts = self.columns.iter().enumerate().map(|(i, c)| c.text(given(i), rows));
        let texts: Vec<StringArray> = texts.collect();
        let of_frame: Vec<StringArray> =
            self.framed.iter().filter_map(|i| texts.get(*i).map(text::trimmed)).collect();
        let mut framed = self.frame.read(&of_frame)?.into_iter();

        let ids = numbers.iter().map(|n| ((place.object as i64) << RECORD_BITS) | *n as i64);
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(ids))];
        let mut findings = Findings::new(rows, self.prefix.clone());
        for (reader, text) in self.columns.iter().zip(&texts) {
            notes.column(&self.prefix, &reader.column.name);
            if reader.is_words() && reader.constant.is_none() {
                notes.mojibake(text);
            }
            let read = reader.cast().and_then(|_| framed.next());
            let (array, mut found) = if let Some(read) = read {
                (read.values, all(&read.unread, reader.unread_rule()))
            } else {
                let beside = reader.beside.and_then(|at| texts.get(at));
                reader.read(text, beside, place.epoch_end, notes)?
            };
            reader.check(text, &array, &mut found);
            arrays.push(findings.add(&reader.column, reader.is_key, text, array, found)?);
        }
        Ok((RecordBatch::try_new(Arc::clone(&self.schema), arrays)?, findings))
    }
}

/// The rows at which a mask is set.
fn all(mask: &BooleanArray, rule: &'static str) -> Vec<Finding> {
    mask.values().set_indices().filter(|row| mask.is_valid(*row)).map(|row| (row, rule)).collect()
}

impl Reader {
    fn new(table: &Table<'_>, context: &Context, column: &SpecColumn) -> Result<Self, StageError> {
        let fail = |message: String| StageError::Column {
            spec: table.spec.clone(),
            column: column.name.clone(),
            message,
        };
        if let Some(format) = column.formats.iter().find(|format| !time::is_format(format)) {
            return Err(fail(format!("`{format}` is not a time format")));
        }
        let (zone_column, zone_name) = zone_of(column.zone.as_deref());
        let beside = match column.minor_units_of.as_deref().or(zone_column) {
            Some(name) => {
                let at = table.columns.iter().position(|other| other.name == *name);
                Some(at.ok_or_else(|| fail(format!("there is no column `{name}`")))?)
            }
            None => None,
        };
        let mark = match column.decimal_mark.as_deref() {
            None | Some(".") => '.',
            Some(",") => ',',
            // As the job's source says.
            Some(other) if other.starts_with(OPTION) => {
                let name = other.strip_prefix(OPTION).unwrap_or_default();
                match context.options.get(name).map(String::as_str) {
                    None | Some(".") => '.',
                    Some(",") => ',',
                    Some(other) => return Err(fail(format!("`{other}` is not a decimal mark"))),
                }
            }
            Some(other) => return Err(fail(format!("`{other}` is not a decimal mark"))),
        };
        let sum_of = match &column.sum_of {
            Some(path) => {
                Some(Path::parse(path).ok_or_else(|| fail(format!("`{path}` is not a path")))?)
            }
            None => None,
        };
        let zone = zone(context, zone_name);
        let zone = zone.map_err(|name| fail(format!("`{name}` is not a time zone")))?;
        let constant = column.from.first().and_then(|from| from.strip_prefix(OPTION));
        let constant = constant.map(|option| {
            let (name, default) = option.split_once('=').unwrap_or((option, ""));
            context.options.get(name).cloned().unwrap_or_else(|| default.to_owned())
        });
        Ok(Self {
            constant,
            is_key: table.key.contains(&column.name),
            clock: Clock { unit: column.unit, formats: column.formats.clone(), zone },
            mark,
            beside,
            sum_of,
            min: column.min.map(Bound::new),
            max: column.max.map(Bound::new),
            column: column.clone(),
        })
    }

    /// What Polars reads; the rest is read here, where the reason stands.
    fn cast(&self) -> Option<Cast> {
        match self.column.kind {
            SpecKind::Int64 => Some(Cast::Int64),
            SpecKind::Float64 if self.mark == '.' && !self.column.percent => Some(Cast::Float64),
            SpecKind::Bool => Some(Cast::Bool),
            _ => None,
        }
    }

    fn unread_rule(&self) -> &'static str {
        if self.column.kind == SpecKind::Bool { "not_a_truth" } else { "not_a_number" }
    }

    /// The column's text, with what means nothing as null.
    fn text(&self, given: Option<&StringArray>, rows: usize) -> StringArray {
        let given = match (&self.constant, given) {
            (Some(value), _) => {
                StringArray::from_iter_values(std::iter::repeat_n(value.as_str(), rows))
            }
            (None, Some(given)) => given.clone(),
            (None, None) => StringArray::new_null(rows),
        };
        if self.constant.is_some() {
            return text::cleaned(&given, &self.column.null_values);
        }
        let given = if self.column.strip_tags {
            text::stripped(&given)
        } else if self.column.html_unescape {
            text::unescaped(&given)
        } else {
            given
        };
        let given = if self.column.kind == SpecKind::Json { given } else { text::unguarded(given) };
        let given = if self.is_words() { text::composed(given) } else { given };
        text::cleaned(&given, &self.column.null_values)
    }

    fn is_words(&self) -> bool {
        self.column.kind == SpecKind::Text
    }

    /// A spreadsheet that took ids for numbers has made different ones the same.
    fn is_id(&self) -> bool {
        let name = self.column.name.as_str();
        self.is_key || name == "id" || name.ends_with("_id")
    }

    /// How the times of a row are read, whose zone may stand beside them.
    fn clock_of(
        &self,
        beside: Option<&StringArray>,
        row: usize,
    ) -> Result<Cow<'_, Clock>, &'static str> {
        let Some(name) = beside.filter(|of| of.is_valid(row)).map(|of| of.value(row)) else {
            return Ok(Cow::Borrowed(&self.clock));
        };
        let name = if name == "Z" { "UTC" } else { name };
        let zone = name.parse().map_err(|_| "unknown_zone")?;
        Ok(Cow::Owned(Clock { zone, ..self.clock.clone() }))
    }

    fn read(
        &self,
        text: &StringArray,
        beside: Option<&StringArray>,
        epoch_end: i64,
        notes: &mut Notes,
    ) -> Result<(ArrayRef, Vec<Finding>), ArrowError> {
        let mut found = Vec::new();
        let clock = &self.clock;
        let (twice, never) = (Cell::new(0), Cell::new(0));
        let array: ArrayRef = match self.column.kind {
            SpecKind::Date => {
                let day = |_, text: &str| Ok(time::date(text, clock)?.map(day_number));
                Arc::new(maybe(text, &mut found, day).collect::<Date32Array>())
            }
            SpecKind::Timestamp => {
                // An old day may be exported late.
                let ahead = self.column.future || self.column.name == "extracted_at";
                let end = if ahead { time::FAR_US } else { epoch_end };
                let time = |row, text: &str| {
                    let own = self.clock_of(beside, row)?;
                    let Some((us, placed)) = time::timestamp(text, &own, end)? else {
                        return Ok(None);
                    };
                    match placed {
                        Placed::Once => {}
                        Placed::Twice => twice.set(twice.get() + 1),
                        Placed::Never => never.set(never.get() + 1),
                    }
                    Ok(Some(us))
                };
                let times = maybe(text, &mut found, time).collect::<TimestampMicrosecondArray>();
                notes.add("hour_comes_twice", twice.get(), "");
                notes.add("hour_never_comes", never.get(), "");
                Arc::new(times.with_timezone("UTC"))
            }
            SpecKind::Float64 => {
                let float = |_, text: &str| {
                    Ok(number::money(self.bare(text), self.mark)? as f64 / 10_000.0)
                };
                Arc::new(each(text, &mut found, float).collect::<Float64Array>())
            }
            SpecKind::Decimal | SpecKind::Money => {
                let one = |row: usize, text: &str| match (beside, self.column.kind) {
                    (Some(of), _) => {
                        number::minor(text, if of.is_valid(row) { of.value(row) } else { "" })
                    }
                    (None, SpecKind::Money) => number::money(text, self.mark),
                    (None, _) => number::decimal(self.bare(text), self.mark),
                };
                let amount = |row: usize, text: &str| match &self.sum_of {
                    Some(path) => number::stored(path.sum(text, |text| one(row, text))?),
                    None => one(row, text),
                };
                let amounts = each(text, &mut found, amount).collect::<Decimal128Array>();
                Arc::new(amounts.with_precision_and_scale(DECIMAL.0, DECIMAL.1)?)
            }
            SpecKind::Text | SpecKind::Json | SpecKind::Int64 | SpecKind::Bool => {
                Arc::new(text.clone())
            }
        };
        Ok((array, found))
    }

    /// A number without its percent sign, where the column has them.
    fn bare<'a>(&self, text: &'a str) -> &'a str {
        let text = text.trim();
        if self.column.percent { text.strip_suffix('%').unwrap_or(text).trim_end() } else { text }
    }

    /// Adds the rows whose value was read but is not allowed.
    fn check(&self, text: &StringArray, array: &ArrayRef, found: &mut Vec<Finding>) {
        let values = &self.column.values;
        let present = || text.iter().enumerate().filter_map(|(row, text)| Some((row, text?)));
        if !values.is_empty() {
            let other = present().filter(|(_, text)| !values.iter().any(|v| v == text.trim()));
            found.extend(other.map(|(row, _)| (row, "not_allowed")));
        }
        let has_plus = || memchr::memchr(b'+', text.value_data()).is_some();
        if self.is_id() && self.column.kind == SpecKind::Text && has_plus() {
            let lost = present().filter(|(_, text)| text::is_scientific(text));
            found.extend(lost.map(|(row, _)| (row, "scientific_id")));
        }
        for (bound, rule, wrong) in [
            (self.min, "below_min", std::cmp::Ordering::Less),
            (self.max, "above_max", std::cmp::Ordering::Greater),
        ] {
            let Some(bound) = bound else { continue };
            let outside = |row: &usize| bound.compare(array, *row) == Some(wrong);
            found.extend((0..array.len()).filter(outside).map(|row| (row, rule)));
        }
    }
}

/// The zone of a column's times without offset.
/// The column with the zone of each row, and what holds where it says nothing.
fn zone_of(zone: Option<&str>) -> (Option<&str>, Option<&str>) {
    match zone.and_then(|zone| zone.strip_prefix(COLUMN)) {
        None => (None, zone),
        Some(rest) => match rest.split_once(" or ") {
            Some((column, other)) => (Some(column), Some(other)),
            None => (Some(rest), None),
        },
    }
}

fn zone(context: &Context, name: Option<&str>) -> Result<Tz, String> {
    let name = match name {
        Some(name) => match name.strip_prefix(OPTION) {
            Some(option) => context.options.get(option).map(String::as_str),
            None => Some(name),
        },
        None => None,
    };
    match name {
        None | Some("job") => Ok(context.zone),
        Some(name) => name.parse().map_err(|_| name.to_owned()),
    }
}

/// As [`each`], of texts that may mean nothing.
fn maybe<'a, T: 'a>(
    text: &'a StringArray,
    found: &'a mut Vec<Finding>,
    read: impl Fn(usize, &str) -> Result<Option<T>, &'static str> + 'a,
) -> impl Iterator<Item = Option<T>> + 'a {
    each(text, found, read).map(Option::flatten)
}

/// Reads each text; one that breaks a rule becomes null and a finding.
fn each<'a, T>(
    text: &'a StringArray,
    found: &'a mut Vec<Finding>,
    read: impl Fn(usize, &str) -> Result<T, &'static str> + 'a,
) -> impl Iterator<Item = Option<T>> + 'a {
    text.iter().enumerate().map(move |(row, text)| match read(row, text?) {
        Ok(value) => Some(value),
        Err(rule) => {
            found.push((row, rule));
            None
        }
    })
}

impl Bound {
    fn new(float: f64) -> Self {
        // Limits are written by people, far from what a decimal holds.
        Self { float, unscaled: (float * 10_000.0).round() as i128 }
    }

    /// The value of a row against the limit; none where there is no number.
    fn compare(self, array: &ArrayRef, row: usize) -> Option<std::cmp::Ordering> {
        if array.is_null(row) {
            return None;
        }
        match array.data_type() {
            DataType::Int64 => {
                let value = i128::from(array.as_primitive::<Int64Type>().value(row));
                Some((value * 10_000).cmp(&self.unscaled))
            }
            DataType::Float64 => {
                array.as_primitive::<Float64Type>().value(row).partial_cmp(&self.float)
            }
            DataType::Decimal128(..) => {
                Some(array.as_primitive::<Decimal128Type>().value(row).cmp(&self.unscaled))
            }
            _ => None,
        }
    }
}
