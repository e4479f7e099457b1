//! Which day a record tells of, where exports tell whole days again.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;

use super::place;
use crate::catalog::spec::Replace;

/// Between the day and what an export holds apart; texts do not hold it.
const APART: &str = "\u{1f}";

/// Records of an object, one after the other, that tell of the same window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The day, and the values that an export holds apart.
    pub window: String,
    /// Record numbers, both included; those between that are no rows are rejects.
    pub first: u64,
    pub last: u64,
}

/// The windows of one object, as its chunks come.
#[derive(Debug, Clone, Default)]
pub struct Windows {
    stretches: Vec<Stretch>,
    /// The record before tells of no day, or there is none: nothing goes on.
    is_cut: bool,
}

impl Windows {
    pub fn into_stretches(self) -> Vec<Stretch> {
        self.stretches
    }

    /// Takes the records of a typed chunk.
    ///
    /// # Errors
    /// A column of the window cannot be told as text; the types that specs know all can.
    pub fn add(&mut self, replace: &Replace, records: &RecordBatch) -> Result<(), ArrowError> {
        let ids = records.column_by_name("record_id");
        let Some(ids) = ids.and_then(|ids| ids.as_primitive_opt::<Int64Type>()) else {
            return Ok(());
        };
        let names = std::iter::once(&replace.day).chain(&replace.by);
        let texts = names.filter_map(|name| records.column_by_name(name)).map(as_text);
        let texts: Vec<StringArray> = texts.collect::<Result<_, _>>()?;
        let told = |row: usize| texts.iter().map(move |column| value(column, row));
        for (row, id) in ids.values().iter().enumerate() {
            if told(row).next().is_none_or(str::is_empty) {
                self.is_cut = true;
                continue;
            }
            let (_, number) = place(*id);
            let goes_on = !self.is_cut
                && self.stretches.last().is_some_and(|s| s.window.split(APART).eq(told(row)));
            match self.stretches.last_mut() {
                Some(last) if goes_on => last.last = number,
                _ => {
                    let window = told(row).collect::<Vec<_>>().join(APART);
                    self.stretches.push(Stretch { window, first: number, last: number });
                }
            }
            self.is_cut = false;
        }
        Ok(())
    }
}

fn value(column: &StringArray, row: usize) -> &str {
    if column.is_valid(row) { column.value(row).trim() } else { "" }
}

fn as_text(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}
