//! Between Arrow columns and the rows that rooms work on.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Date32Array, Float64Array,
    Int64Array, PrimitiveArray, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;

use super::Bench;
use crate::run::RunError;
use crate::run::sink::Sink;
use crate::table::TableError;

/// Rows handed to a sink at once.
const ROWS: usize = 65_536;

/// Collects rows and hands them to the sink of a table.
pub struct Filler<T> {
    table: String,
    schema: SchemaRef,
    sink: Sink,
    waiting: Vec<T>,
    columns: fn(&[T]) -> Vec<ArrayRef>,
}

impl<T> std::fmt::Debug for Filler<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filler").field("table", &self.table).finish_non_exhaustive()
    }
}

impl<T> Filler<T> {
    /// `columns` gives the table's columns in the order of its contract.
    ///
    /// # Errors
    /// The catalogue has no contract for the table.
    pub fn new(
        bench: &Bench<'_>,
        table: &str,
        columns: fn(&[T]) -> Vec<ArrayRef>,
    ) -> Result<Self, RunError> {
        let contract = bench.context.contract(table);
        let schema = contract.ok_or_else(|| RunError::NoTable(table.to_owned()))?.schema();
        let (table, sink) = (table.to_owned(), bench.sink(table)?);
        Ok(Self { table, schema, sink, waiting: Vec::new(), columns })
    }

    /// # Errors
    /// A full disk.
    pub fn push(&mut self, row: T) -> Result<(), RunError> {
        self.waiting.push(row);
        if self.waiting.len() >= ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), RunError> {
        let columns = (self.columns)(&self.waiting);
        self.waiting.clear();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|source| TableError::Order { table: self.table.clone(), source })?;
        self.sink.push(&batch)
    }

    /// The sink with all rows.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(mut self) -> Result<Sink, RunError> {
        self.flush()?;
        Ok(self.sink)
    }
}

pub fn texts<'a, T: 'a, S: AsRef<str>>(rows: &'a [T], of: impl Fn(&'a T) -> Option<S>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    for row in rows {
        builder.append_option(of(row));
    }
    Arc::new(builder.finish())
}

/// Days since 1970.
pub fn days<T>(rows: &[T], of: impl Fn(&T) -> Option<i32>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Date32Array>())
}

/// Microseconds since 1970.
pub fn times<T>(rows: &[T], of: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    let times: TimestampMicrosecondArray = rows.iter().map(of).collect();
    Arc::new(times.with_timezone("UTC"))
}

pub fn numbers<T>(rows: &[T], of: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Int64Array>())
}

pub fn floats<T>(rows: &[T], of: impl Fn(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Float64Array>())
}

pub fn flags<T>(rows: &[T], of: impl Fn(&T) -> Option<bool>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<BooleanArray>())
}

fn missing(column: &str) -> RunError {
    TableError::MissingColumn { table: "query".into(), column: column.into() }.into()
}

/// A text column of a query's rows.
///
/// # Errors
/// It is not there, or no text.
pub fn text<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a StringArray, RunError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_string_opt::<i32>());
    found.ok_or_else(|| missing(column))
}

/// A column of numbers, days or times.
///
/// # Errors
/// It is not there, or of another type.
pub fn primitive<'a, P: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &str,
) -> Result<&'a PrimitiveArray<P>, RunError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<P>());
    found.ok_or_else(|| missing(column))
}

/// A column of flags.
///
/// # Errors
/// It is not there, or of another type.
pub fn flag<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a BooleanArray, RunError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_boolean_opt());
    found.ok_or_else(|| missing(column))
}

/// The text of a row; empty for null.
pub fn value(array: &StringArray, i: usize) -> &str {
    if array.is_valid(i) { array.value(i) } else { "" }
}

/// The number of a row.
pub fn number<P: ArrowPrimitiveType>(array: &PrimitiveArray<P>, i: usize) -> Option<P::Native> {
    array.is_valid(i).then(|| array.value(i))
}
