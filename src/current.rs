//! The newest version of each natural key.
//!
//! `versions` keeps the versions of a key in order of (`source_updated_at`, `extracted_at`, dt, object
//! url, object version, record number), nulls first; a row that says again what the row before it
//! said, and differs only in where it was read, is dropped. `newest` is the last version of each
//! key, unless that is a tombstone. Any load order gives the same rows.

pub mod window;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::error::ArrowError;

use crate::table::Contract;
use crate::table::order::{self, Pile, Place};

/// The natural key.
pub const KEY: [&str; 4] = ["source", "source_account", "entity", "source_id"];
/// What orders the versions of a key, after the key.
const VERSION: [&str; 6] =
    ["source_updated_at", "extracted_at", "dt", "object_url", "object_version", "record_number"];
/// Where a row was read: says nothing of the record itself.
const ORIGIN: [&str; 4] = ["dt", "object_url", "object_version", "record_number"];

/// Rows compared as a whole at a time.
const COMPARED: usize = 65_536;

/// Versions and newest rows of some keys, as places in their pile.
#[derive(Debug)]
pub struct Current {
    pub versions: Vec<Place>,
    pub newest: Vec<Place>,
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
pub fn merge(contract: &Contract, rows: &Pile, earlier: usize) -> Result<Current, ArrowError> {
    let key = indices(contract, &KEY);
    let mut all = key.clone();
    all.extend(indices(contract, &VERSION));
    let mut sorted = rows.places()?;
    // Places of earlier rows come first, in a pile as in this list.
    let later = sorted.get(earlier).copied();
    order::sort(&mut sorted, &rows.encode(&all)?);
    let follows = follows(rows, &key, &sorted)?;

    let again = again(contract, rows, &key, &sorted, &follows)?;
    let deleted: Vec<_> = rows
        .batches()
        .iter()
        .map(|batch| batch.column_by_name("is_deleted").and_then(|a| a.as_boolean_opt()))
        .collect();
    let is_deleted = |(batch, row): Place| {
        let flags = deleted.get(batch as usize).copied().flatten();
        let row = row as usize;
        flags.is_some_and(|d: &BooleanArray| d.is_valid(row) && d.value(row))
    };
    let is_earlier = |place: Place| later.is_none_or(|later| place < later);
    let (mut versions, mut newest) = (Vec::with_capacity(sorted.len()), Vec::new());
    let mut out_of_order = false;
    for (i, place) in sorted.iter().copied().enumerate() {
        let before = i.checked_sub(1).and_then(|i| sorted.get(i)).copied();
        let follows_any = |i: usize| follows.get(i).copied().unwrap_or(false);
        out_of_order |=
            follows_any(i) && is_earlier(place) && before.is_some_and(|before| !is_earlier(before));
        if !again.get(i).copied().unwrap_or(false) {
            versions.push(place);
        }
        // The last version that was kept is this row, or says the same.
        if let Some(last) = versions.last().copied().filter(|_| !follows_any(i + 1))
            && !is_deleted(last)
        {
            newest.push(last);
        }
    }
    Ok(Current { versions, newest, out_of_order })
}

/// By place in the order: whether the row has the key of the row before it.
fn follows(rows: &Pile, key: &[usize], sorted: &[Place]) -> Result<Vec<bool>, ArrowError> {
    let keys = rows.encode(key)?;
    let first = sorted.first().map(|_| false);
    let same = |pair: &[Place]| matches!(pair, [a, b] if keys.row(*a) == keys.row(*b));
    Ok(first.into_iter().chain(sorted.windows(2).map(same)).collect())
}

/// By place in the order: whether the row says what the version before it said.
///
/// Most keys have one version, so only rows of the others are looked at as a whole.
fn again(
    contract: &Contract,
    rows: &Pile,
    key: &[usize],
    sorted: &[Place],
    follows: &[bool],
) -> Result<Vec<bool>, ArrowError> {
    let origin = indices(contract, &ORIGIN);
    let content: Vec<usize> =
        (0..contract.columns.len()).filter(|i| !origin.contains(i) && !key.contains(i)).collect();
    let contents = rows.project(&content)?;
    let all: Vec<usize> = (0..content.len()).collect();
    let follows_any = |i: usize| follows.get(i).copied().unwrap_or(false);
    let several: Vec<usize> =
        (0..sorted.len()).filter(|i| follows_any(*i) || follows_any(i + 1)).collect();
    let mut again = vec![false; sorted.len()];
    for start in (0..several.len()).step_by(COMPARED) {
        // Each piece ends with the row that the next begins with.
        let end = (start + COMPARED + 1).min(several.len());
        let some = several.get(start..end).unwrap_or_default();
        let places: Vec<Place> = some.iter().filter_map(|i| sorted.get(*i).copied()).collect();
        let piece = Pile::new(vec![contents.take(&places)?]);
        let piece = piece.encode(&all)?;
        for (at, pair) in (0..).zip(some.windows(2)) {
            if let [before, i] = *pair
                && before + 1 == i
                && follows_any(i)
                && piece.row((0, at)) == piece.row((0, at + 1))
                && let Some(again) = again.get_mut(i)
            {
                *again = true;
            }
        }
    }
    Ok(again)
}
