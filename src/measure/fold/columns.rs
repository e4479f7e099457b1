//! Arrow columns of what folds give.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, RecordBatch, TimestampMicrosecondArray,
};

use super::FoldError;
pub(super) use crate::measure::columns::{Column, counts, days, flags, texts};
use crate::table::DECIMAL;

pub(super) fn shares(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

pub(super) fn maybe_days(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Date32Array>())
}

pub(super) fn times(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    let array = values.into_iter().collect::<TimestampMicrosecondArray>();
    Arc::new(array.with_timezone("UTC"))
}

/// Ten-thousandths of a major unit.
///
/// # Errors
/// A sum too large for money.
pub(super) fn money(
    table: &'static str,
    values: impl IntoIterator<Item = Option<i128>>,
) -> Result<ArrayRef, FoldError> {
    let fail = |source| FoldError::Rows { table, source };
    let array = values.into_iter().collect::<Decimal128Array>();
    array.validate_decimal_precision(DECIMAL.0).map_err(fail)?;
    Ok(Arc::new(array.with_precision_and_scale(DECIMAL.0, DECIMAL.1).map_err(fail)?))
}

pub(super) fn batch(table: &'static str, columns: Vec<Column>) -> Result<RecordBatch, FoldError> {
    RecordBatch::try_from_iter(columns).map_err(|source| FoldError::Rows { table, source })
}

/// `part / whole` for shares of counts.
#[expect(clippy::cast_precision_loss, reason = "counts of customers are far below 2^53")]
pub(super) fn share(part: i64, whole: i64) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}

/// `part / whole` for shares of money.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more digits than a double has")]
pub(super) fn money_share(part: i128, whole: i128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
