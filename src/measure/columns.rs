//! Arrow columns of what this room gives, each of a row's value or null.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::error::ArrowError;

/// A named column.
pub(super) type Column = (&'static str, ArrayRef);

pub(super) fn texts<S: AsRef<str>>(values: impl IntoIterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub(super) fn counts(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

/// Null where a number is not finite.
pub(super) fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    Arc::new(values.into_iter().map(finite).collect::<Float64Array>())
}

pub(super) fn flags(values: impl IntoIterator<Item = bool>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<BooleanArray>())
}

/// Days since 1970-01-01.
pub(super) fn days(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<Date32Array>())
}

/// The definition of a table of `n` rows.
pub(super) fn definition((id, version): (&'static str, i64), n: usize) -> [Column; 2] {
    [
        ("definition_id", texts(std::iter::repeat_n(Some(id), n))),
        ("definition_version", counts(std::iter::repeat_n(Some(version), n))),
    ]
}

/// Columns that may hold nulls as rows.
///
/// # Errors
/// The columns are not of one length.
pub(super) fn rows(columns: Vec<Column>) -> Result<RecordBatch, ArrowError> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns)
}
