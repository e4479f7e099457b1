//! Rows that staging SQL made get what every canonical row has: id, natural key, local dates, the
//! name of its identifiers, and its origin.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray,
    StringBuilder, new_null_array,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Days, NaiveDate};
use chrono_tz::Tz;
use rustc_hash::FxHashMap;

use super::{Context, RECORD_BITS, StageError};
use crate::catalog::{Canonical, Table};
use crate::table::day::day_number;
use crate::table::id;

/// About how long an id is.
const ID_LENGTH: usize = 36;

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

/// Completes the rows of a staging model to rows of the canonical `table`.
///
/// The model gives `record_id`, `source_id` (null where records have no key) and the table's own
/// columns; what it leaves out is null. `natural` is (source, account, entity).
///
/// # Errors
/// A column is missing, unknown or of the wrong type.
pub fn finish(
    table: &Table,
    canonical: &Canonical,
    context: &Context,
    natural: (&str, &str, &str),
    origins: &[Origin],
    rows: &RecordBatch,
) -> Result<RecordBatch, StageError> {
    let name = &table.contract.name;
    let missing = |column| StageError::MissingColumn { table: name.clone(), column };
    let record = rows.column_by_name("record_id").ok_or_else(|| missing("record_id"))?;
    let record = record.as_primitive_opt::<Int64Type>().ok_or_else(|| missing("record_id"))?;
    let mut columns: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
        if field.name() != "record_id" {
            columns.insert(field.name().clone(), Arc::clone(array));
        }
    }
    // Typed now, so that what follows may rely on the contract's types.
    let given = RecordBatch::try_from_iter(columns.clone())
        .map_err(|source| StageError::Frame { spec: name.clone(), source: source.into() })?;
    let given = table.contract.conform(&given, true)?;
    let text = |column: &str| given.column_by_name(column).and_then(|a| a.as_string_opt::<i32>());
    let source_id = text("source_id").ok_or_else(|| missing("source_id"))?;

    let count = rows.num_rows();
    let origin = |i: usize| origins.get((record.value(i) >> RECORD_BITS) as usize);
    let number = |i: usize| record.value(i) & ((1 << RECORD_BITS) - 1);
    let (source, account, entity) = natural;
    // Rows without a key of their own never are the same, however alike they look.
    let keys: Vec<Cow<'_, str>> = (0..count)
        .map(|i| match origin(i) {
            Some(origin) if source_id.is_null(i) => {
                Cow::Owned(id::from_key("r", &[&origin.sha256, &number(i).to_string()]))
            }
            _ if canonical.personal_keys && is_personal(source_id.value(i)) => {
                Cow::Owned(id::from_key("h", &[source_id.value(i)]))
            }
            _ => Cow::Borrowed(source_id.value(i)),
        })
        .collect();
    let mut maker = id::Maker::default();
    let mut ids = StringBuilder::with_capacity(count, count * ID_LENGTH);
    for key in &keys {
        ids.append_value(maker.make(&canonical.id_prefix, &[source, account, entity, key]));
    }
    columns.insert(canonical.id.clone(), Arc::new(ids.finish()));
    let is_given = source_id.null_count() == 0;
    let keys = if is_given && keys.iter().all(|key| matches!(key, Cow::Borrowed(_))) {
        source_id.clone()
    } else {
        StringArray::from_iter_values(&keys)
    };
    columns.insert("source_id".into(), Arc::new(keys));
    for (column, value) in [("source", source), ("source_account", account), ("entity", entity)] {
        columns.insert(column.into(), Arc::new(StringArray::new_repeated(value, count)));
    }
    columns.extend(of_objects(origins, record).map(|(name, column)| (name.to_owned(), column)));
    columns.insert(
        "record_number".into(),
        Arc::new(Int64Array::from_iter_values((0..count).map(number))),
    );
    for flag in ["is_deleted", "is_test"] {
        columns.insert(flag.into(), Arc::new(set(&given, flag)));
    }
    columns.insert("identity_key".into(), identity_keys(canonical, (source, account), &given));
    for time in &canonical.times {
        local_dates(time, context.zone, &given, &mut columns);
    }
    let all = RecordBatch::try_from_iter(columns)
        .map_err(|source| StageError::Frame { spec: name.clone(), source: source.into() })?;
    Ok(table.contract.conform(&all, true)?)
}

/// What rows have from their objects.
fn of_objects(origins: &[Origin], records: &Int64Array) -> [(&'static str, ArrayRef); 3] {
    let count = records.len();
    let place = |i: usize| (records.value(i) >> RECORD_BITS) as usize;
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

/// One text per set of identifiers; null for a row that has none.
fn identity_keys(canonical: &Canonical, scope: (&str, &str), rows: &RecordBatch) -> ArrayRef {
    let columns: Vec<_> = canonical
        .identifiers
        .iter()
        .filter_map(|identifier| {
            let column = rows.column_by_name(&identifier.column)?.as_string_opt::<i32>()?;
            Some((identifier, column))
        })
        .collect();
    let mut keys = StringBuilder::with_capacity(rows.num_rows(), rows.num_rows() * ID_LENGTH);
    let mut maker = id::Maker::default();
    let mut parts: Vec<&str> = Vec::new();
    for i in 0..rows.num_rows() {
        parts.clear();
        let mut scoped = false;
        for (identifier, column) in &columns {
            let value = if column.is_valid(i) { column.value(i).trim() } else { "" };
            if !value.is_empty() {
                scoped |= identifier.scoped;
                parts.extend([identifier.kind.as_str(), value]);
            }
        }
        if parts.is_empty() {
            keys.append_null();
            continue;
        }
        if scoped {
            parts.extend([scope.0, scope.1]);
        }
        keys.append_value(maker.make("k", &parts));
    }
    Arc::new(keys.finish())
}

fn local_dates(time: &str, zone: Tz, rows: &RecordBatch, columns: &mut BTreeMap<String, ArrayRef>) {
    let event = time.strip_suffix("_at").unwrap_or(time);
    let times =
        rows.column_by_name(time).and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
    let Some(times) = times else {
        let empty = new_null_array(&arrow::datatypes::DataType::Date32, rows.num_rows());
        for part in PERIODS {
            columns.insert(format!("{event}_{part}"), Arc::clone(&empty));
        }
        return;
    };
    let mut calendar = Calendar::default();
    let mut days: [Vec<Option<i32>>; 5] = Default::default();
    for us in times {
        let local = us.and_then(DateTime::from_timestamp_micros).map(|at| at.with_timezone(&zone));
        let starts = local.map(|local| calendar.starts(local.date_naive()));
        for (at, days) in days.iter_mut().enumerate() {
            days.push(starts.map(|starts| starts[at]));
        }
    }
    for (part, days) in PERIODS.into_iter().zip(days) {
        columns.insert(format!("{event}_{part}"), Arc::new(Date32Array::from(days)));
    }
}

/// What a time has a local date of.
const PERIODS: [&str; 5] = ["date", "week", "month", "quarter", "year"];

/// The first days of the periods that days lie in; of many times few days differ.
#[derive(Debug, Default)]
struct Calendar {
    known: FxHashMap<NaiveDate, [i32; 5]>,
}

impl Calendar {
    fn starts(&mut self, day: NaiveDate) -> [i32; 5] {
        *self.known.entry(day).or_insert_with(|| {
            let since_monday = Days::new(u64::from(day.weekday().num_days_from_monday()));
            let periods = [
                Some(day),
                day.checked_sub_days(since_monday),
                day.with_day(1),
                NaiveDate::from_ymd_opt(day.year(), (day.month0() / 3) * 3 + 1, 1),
                NaiveDate::from_ymd_opt(day.year(), 1, 1),
            ];
            // Only the first week of the calendar has no Monday.
            periods.map(|start| day_number(start.unwrap_or(day)))
        })
    }
}
