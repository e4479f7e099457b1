//! The newest version of each natural key.
//!
//! `versions` keeps every version of a key in order of (source_updated_at, extracted_at, dt, object
//! url, object version, record number), nulls first; `newest` is the last of each key, unless it is
//! a tombstone. Any load order gives the same rows.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;

use crate::table::{Contract, order};

const KEY: [&str; 4] = ["source", "source_account", "entity", "source_id"];
const VERSION: [&str; 6] =
    ["source_updated_at", "extracted_at", "dt", "object_url", "object_version", "record_number"];

/// Versions and newest rows of some keys.
#[derive(Debug)]
pub struct Current {
    pub versions: RecordBatch,
    pub newest: RecordBatch,
}

fn indices(contract: &Contract, names: &[&str]) -> Vec<usize> {
    let at = |name: &&str| contract.columns.iter().position(|column| column.name == **name);
    names.iter().filter_map(at).collect()
}

/// Orders all rows of some keys; `rows` may come in any order.
///
/// # Errors
/// A column type without an order.
pub fn merge(contract: &Contract, rows: &RecordBatch) -> Result<Current, ArrowError> {
    let key = indices(contract, &KEY);
    let mut all = key.clone();
    all.extend(indices(contract, &VERSION));
    let sorted = take_record_batch(rows, &order::permutation(rows, &all)?)?;
    let keys = order::encode(&sorted, &key)?;
    let content: Vec<usize> =
        (0..sorted.num_columns()).filter(|i| !all.contains(i) || key.contains(i)).collect();
    let contents = order::encode(&sorted, &content)?;
    let deleted = sorted.column_by_name("is_deleted").and_then(|a| a.as_boolean_opt());
    let is_deleted = |i: usize| deleted.is_some_and(|d: &BooleanArray| d.is_valid(i) && d.value(i));
    let count = sorted.num_rows();
    let (mut kept, mut newest) = (Vec::new(), Vec::new());
    let mut last: Option<usize> = None;
    for i in 0..count {
        let same_key = last.is_some_and(|l| keys.row(l) == keys.row(i));
        if !(same_key && last.is_some_and(|l| contents.row(l) == contents.row(i))) {
            kept.push(i);
            last = Some(i);
        }
        let ends = i + 1 == count || keys.row(i + 1) != keys.row(i);
        if let (true, Some(last)) = (ends, last)
            && !is_deleted(last)
        {
            newest.push(last);
        }
    }
    let rows_at = |rows: Vec<usize>| -> UInt32Array {
        rows.into_iter().map(|i| u32::try_from(i).ok()).collect()
    };
    Ok(Current {
        versions: take_record_batch(&sorted, &rows_at(kept))?,
        newest: take_record_batch(&sorted, &rows_at(newest))?,
    })
}
