//! Rows that staging SQL made get what every staged row has: natural key and origin.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, NaiveDate};

use super::{StageError, place};
use crate::catalog::Canonical;
use crate::table::day::day_number;
use crate::table::{Contract, id};

/// Digits that a phone number with its country has at least.
const PHONE_DIGITS_MIN: usize = 7;

/// The object a batch's records come from, by its place in the batch.
#[derive(Debug, Clone)]
pub struct Origin {
    pub url: String,
    /// SHA-256 of its bytes: with the record number it is the key of rows that have none.
    pub sha256: String,
    pub version: i64,
    pub dt: NaiveDate,
    pub extracted_at: Option<DateTime<chrono::Utc>>,
}

/// The rows of a staging model as staged rows of the canonical table that `staged` is the contract
/// of.
///
/// The model gives `record_id`, `source_id` (null where records have no key) and the table's own
/// columns; what it leaves out is null. `natural` is (source, account, entity).
///
/// # Errors
/// A column is missing, unknown or of the wrong type.
pub fn finish(
    staged: &Contract,
    canonical: &Canonical,
    natural: (&str, &str, &str),
    origins: &[Origin],
    rows: &RecordBatch,
) -> Result<RecordBatch, StageError> {
    let name = &staged.name;
    let fail = |source: arrow::error::ArrowError| StageError::Frame {
        spec: name.clone(),
        source: source.into(),
    };
    let missing = |column| StageError::MissingColumn { table: name.clone(), column };
    let record = rows.column_by_name("record_id").ok_or_else(|| missing("record_id"))?;
    let record = record.as_primitive_opt::<Int64Type>().ok_or_else(|| missing("record_id"))?;
    let schema = rows.schema();
    let given = schema.fields().iter().map(|field| field.name()).zip(rows.columns());
    let given = given.filter(|(column, _)| *column != "record_id");
    let given = RecordBatch::try_from_iter(given.map(|(name, array)| (name, Arc::clone(array))));
    // Typed now, so that what follows may rely on the contract's types.
    let given = staged.conform(&given.map_err(fail)?, true)?;
    let source_id = given.column_by_name("source_id").and_then(|a| a.as_string_opt::<i32>());
    let source_id = source_id.ok_or_else(|| missing("source_id"))?;

    let count = rows.num_rows();
    let (source, account, entity) = natural;
    let mut made: BTreeMap<&str, ArrayRef> = BTreeMap::new();
    made.insert("source_id", keys(canonical, origins, record, source_id));
    for (column, value) in [("source", source), ("source_account", account), ("entity", entity)] {
        made.insert(column, Arc::new(StringArray::new_repeated(value, count)));
    }
    made.extend(of_objects(origins, record));
    let numbers = record.values().iter().map(|id| place(*id).1 as i64);
    let numbers = Int64Array::from_iter_values(numbers);
    made.insert("record_number", Arc::new(numbers));
    for flag in ["is_deleted", "is_test"] {
        made.insert(flag, Arc::new(set(&given, flag)));
    }
    let columns = staged.columns.iter().zip(given.columns());
    let columns =
        columns.map(|(column, array)| made.remove(&*column.name).unwrap_or_else(|| array.clone()));
    RecordBatch::try_new(given.schema(), columns.collect()).map_err(fail)
}

/// The key of each row in its source. Rows without a key of their own never are the same, however
/// alike they look.
fn keys(
    canonical: &Canonical,
    origins: &[Origin],
    records: &Int64Array,
    given: &StringArray,
) -> ArrayRef {
    let is_personal = |i: usize| canonical.personal_keys && is_personal(given.value(i));
    if given.null_count() == 0 && !(0..given.len()).any(is_personal) {
        return Arc::new(given.clone());
    }
    let place = |i: usize| place(records.value(i));
    let keys = (0..given.len()).map(|i| match origins.get(place(i).0) {
        Some(origin) if given.is_null(i) => {
            Cow::Owned(id::from_key("r", &[&origin.sha256, &place(i).1.to_string()]))
        }
        _ if is_personal(i) => Cow::Owned(id::from_key("h", &[given.value(i)])),
        _ => Cow::Borrowed(given.value(i)),
    });
    Arc::new(StringArray::from_iter_values(keys))
}

/// What rows have from their objects.
fn of_objects(origins: &[Origin], records: &Int64Array) -> [(&'static str, ArrayRef); 3] {
    let count = records.len();
    let place = |i: usize| place(records.value(i)).0;
    let origin = |i: usize| origins.get(place(i));
    // Most batches are of one object.
    let is_one = count > 0 && (1..count).all(|i| place(i) == place(0));
    let one = if is_one { origin(0) } else { None };
    let (urls, versions, dts) = match one {
        Some(one) => (
            StringArray::new_repeated(&one.url, count),
            Int64Array::from_value(one.version, count),
            Date32Array::from_value(day_number(one.dt), count),
        ),
        None => (
            (0..count).map(|i| origin(i).map(|o| o.url.as_str())).collect(),
            (0..count).map(|i| origin(i).map(|o| o.version)).collect(),
            (0..count).map(|i| origin(i).map(|o| day_number(o.dt))).collect(),
        ),
    };
    [("object_url", Arc::new(urls)), ("object_version", Arc::new(versions)), ("dt", Arc::new(dts))]
}

/// An e-mail address or an international phone number is in the key, alone or as a part of it.
fn is_personal(key: &str) -> bool {
    let is_phone = |part: &str| {
        let digits = part.strip_prefix('+').map(|rest| rest.matches(|c: char| c.is_ascii_digit()));
        digits.is_some_and(|digits| digits.count() >= PHONE_DIGITS_MIN)
    };
    key.contains('@') || key.split(':').any(is_phone)
}

/// A truth that is false where nobody said it.
fn set(rows: &RecordBatch, flag: &str) -> BooleanArray {
    let flags = rows.column_by_name(flag).and_then(|column| column.as_boolean_opt());
    let is_set = |i| flags.is_some_and(|flags| flags.is_valid(i) && flags.value(i));
    BooleanArray::from_iter((0..rows.num_rows()).map(|i| Some(is_set(i))))
}
