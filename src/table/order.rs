//! Canonical order: grain, then all other columns, nulls first.
//!
//! Put on once, by the writer of a file, so that the same rows give the same bytes whatever
//! order, batch size or number of threads they came from.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use super::{Contract, TableError};

/// Rows of `batch` encoded so that comparing bytes compares rows by the columns at `indices`.
///
/// # Errors
/// A column type that has no order.
pub fn encode(batch: &RecordBatch, indices: &[usize]) -> Result<Rows, ArrowError> {
    let schema = batch.schema();
    let field = |i: &usize| SortField::new(DataType::clone(schema.field(*i).data_type()));
    let converter = RowConverter::new(indices.iter().map(field).collect())?;
    let columns: Vec<_> = indices.iter().map(|i| batch.column(*i).clone()).collect();
    converter.convert_columns(&columns)
}

/// The permutation that sorts `batch` by the columns at `indices`; equal rows keep their order.
///
/// # Errors
/// A column type that has no order.
pub fn permutation(batch: &RecordBatch, indices: &[usize]) -> Result<UInt32Array, ArrowError> {
    sort(&encode(batch, indices)?)
}

fn sort(rows: &Rows) -> Result<UInt32Array, ArrowError> {
    let count = u32::try_from(rows.num_rows())
        .map_err(|_| ArrowError::ComputeError("more than 4 billion rows to sort at once".into()))?;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
    Ok(UInt32Array::from(order))
}

/// All rows of `batches` as one batch in the canonical order of `contract`.
///
/// # Errors
/// Rows that do not follow the contract.
pub fn canonical(contract: &Contract, batches: &[RecordBatch]) -> Result<RecordBatch, TableError> {
    let fail = |source| TableError::Order { table: contract.name.clone(), source };
    let all = concat_batches(&contract.schema(), batches).map_err(fail)?;
    let columns = contract.order();
    let grain = columns.get(..contract.grain.len()).unwrap_or(&columns);
    // The grain alone decides, unless rows share it: then the table is wrong, and still ordered.
    let order = match unique_order(&all, grain).map_err(fail)? {
        Some(order) => order,
        None => permutation(&all, &columns).map_err(fail)?,
    };
    take_record_batch(&all, &order).map_err(fail)
}

/// The permutation by `indices`, if no two rows are equal there.
fn unique_order(batch: &RecordBatch, indices: &[usize]) -> Result<Option<UInt32Array>, ArrowError> {
    let rows = encode(batch, indices)?;
    let order = sort(&rows)?;
    let mut pairs = order.values().windows(2);
    let equal = |pair: &[u32]| match pair {
        [a, b] => rows.row(*a as usize) == rows.row(*b as usize),
        _ => false,
    };
    Ok((!pairs.any(equal)).then_some(order))
}
