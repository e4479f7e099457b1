//! The newest version of each natural key.
//!
//! `versions` keeps the versions of a key in order of (`source_updated_at`, `extracted_at`, dt, object
//! url, object version, record number), nulls first; a row that says again what the row before it
//! said, and differs only in where it was read, is dropped. `newest` is the last version of each
//! key, unless that is a tombstone. Any load order gives the same rows.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;

use crate::table::{Contract, order};

/// The natural key.
pub const KEY: [&str; 4] = ["source", "source_account", "entity", "source_id"];
/// What orders the versions of a key, after the key.
const VERSION: [&str; 6] =
    ["source_updated_at", "extracted_at", "dt", "object_url", "object_version", "record_number"];
/// Where a row was read: says nothing of the record itself.
const ORIGIN: [&str; 4] = ["dt", "object_url", "object_version", "record_number"];

/// Versions and newest rows of some keys.
#[derive(Debug)]
pub struct Current {
    pub versions: RecordBatch,
    pub newest: RecordBatch,
    /// A later row belongs before an earlier one: what was dropped then may matter now, and only
    /// a merge of all staged rows gives what any other load order gives.
    pub out_of_order: bool,
}

/// Positions of `names` among the columns of a contract.
pub fn indices(contract: &Contract, names: &[&str]) -> Vec<usize> {
    let at = |name: &&str| contract.columns.iter().position(|column| column.name == **name);
    names.iter().filter_map(at).collect()
}

/// Puts the rows of some keys in order and finds the newest of each.
///
/// The first `earlier` rows are versions of an earlier merge; all others may come in any order.
///
/// # Errors
/// A column type without an order.
pub fn merge(
    contract: &Contract,
    rows: &RecordBatch,
    earlier: usize,
) -> Result<Current, ArrowError> {
    let key = indices(contract, &KEY);
    let mut all = key.clone();
    all.extend(indices(contract, &VERSION));
    let permutation = order::permutation(rows, &all)?;
    let sorted = take_record_batch(rows, &permutation)?;
    let keys = order::encode(&sorted, &key)?;
    let origin = indices(contract, &ORIGIN);
    let content: Vec<usize> =
        (0..sorted.num_columns()).filter(|i| !origin.contains(i) && !key.contains(i)).collect();
    let contents = order::encode(&sorted, &content)?;
    let deleted = sorted.column_by_name("is_deleted").and_then(|a| a.as_boolean_opt());
    let is_deleted = |i: usize| deleted.is_some_and(|d: &BooleanArray| d.is_valid(i) && d.value(i));
    let is_earlier = |i: usize| (permutation.value(i) as usize) < earlier;
    let count = sorted.num_rows();
    let (mut kept, mut newest) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut out_of_order = false;
    let mut last: Option<usize> = None;
    for i in 0..count {
        let follows = i > 0 && keys.row(i - 1) == keys.row(i);
        out_of_order |= follows && is_earlier(i) && !is_earlier(i - 1);
        let again = follows && last.is_some_and(|last| contents.row(last) == contents.row(i));
        if !again {
            kept.push(i);
            last = Some(i);
        }
        let ends = i + 1 == count || keys.row(i + 1) != keys.row(i);
        if let Some(last) = last.filter(|last| ends && !is_deleted(*last)) {
            newest.push(last);
        }
    }
    let take = |rows: Vec<usize>| {
        let rows: UInt32Array = rows.into_iter().map(|i| u32::try_from(i).ok()).collect();
        take_record_batch(&sorted, &rows)
    };
    Ok(Current { versions: take(kept)?, newest: take(newest)?, out_of_order })
}
