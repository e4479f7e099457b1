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

use super::{Context, RECORD_BITS, StageError};
use crate::catalog::{Canonical, Table};
use crate::table::day::day_number;
use crate::table::id;

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
    let ids =
        keys.iter().map(|key| id::from_key(&canonical.id_prefix, &[source, account, entity, key]));
    columns.insert(canonical.id.clone(), Arc::new(StringArray::from_iter_values(ids)));
    columns.insert("source_id".into(), Arc::new(StringArray::from_iter_values(&keys)));
    for (column, value) in [("source", source), ("source_account", account), ("entity", entity)] {
        let array = StringArray::from_iter_values(std::iter::repeat_n(value, count));
        columns.insert(column.into(), Arc::new(array));
    }
    let urls: StringArray = (0..count).map(|i| origin(i).map(|o| o.url.as_str())).collect();
    let versions: Int64Array = (0..count).map(|i| origin(i).map(|o| o.version)).collect();
    let dts: Date32Array = (0..count).map(|i| origin(i).map(|o| day_number(o.dt))).collect();
    columns.insert("object_url".into(), Arc::new(urls));
    columns.insert("object_version".into(), Arc::new(versions));
    columns.insert(
        "record_number".into(),
        Arc::new(Int64Array::from_iter_values((0..count).map(number))),
    );
    columns.insert("dt".into(), Arc::new(dts));
    for flag in ["is_deleted", "is_test"] {
        let flags = given.column_by_name(flag).and_then(|a| a.as_boolean_opt());
        let set = |i| flags.is_some_and(|f| f.is_valid(i) && f.value(i));
        columns.insert(
            flag.into(),
            Arc::new(BooleanArray::from_iter((0..count).map(|i| Some(set(i))))),
        );
    }
    columns.insert("identity_key".into(), identity_keys(canonical, (source, account), &given));
    for time in &canonical.times {
        local_dates(time, context.zone, &given, &mut columns);
    }
    let all = RecordBatch::try_from_iter(columns)
        .map_err(|source| StageError::Frame { spec: name.clone(), source: source.into() })?;
    Ok(table.contract.conform(&all, true)?)
}

/// An e-mail address or an international phone number is in the key, alone or as a part of it.
fn is_personal(key: &str) -> bool {
    let is_phone = |part: &str| {
        let digits = part.strip_prefix('+').map(|rest| rest.matches(|c: char| c.is_ascii_digit()));
        digits.is_some_and(|digits| digits.count() >= PHONE_DIGITS_MIN)
    };
    key.contains('@') || key.split(':').any(is_phone)
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
    let mut keys = StringBuilder::new();
    for i in 0..rows.num_rows() {
        let mut parts: Vec<&str> = Vec::new();
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
        keys.append_value(id::from_key("k", &parts));
    }
    Arc::new(keys.finish())
}

fn local_dates(time: &str, zone: Tz, rows: &RecordBatch, columns: &mut BTreeMap<String, ArrayRef>) {
    let event = time.strip_suffix("_at").unwrap_or(time);
    let times =
        rows.column_by_name(time).and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
    let Some(times) = times else {
        let empty = new_null_array(&arrow::datatypes::DataType::Date32, rows.num_rows());
        for part in ["date", "week", "month", "quarter", "year"] {
            columns.insert(format!("{event}_{part}"), Arc::clone(&empty));
        }
        return;
    };
    let days: Vec<Option<NaiveDate>> = times
        .iter()
        .map(|us| Some(DateTime::from_timestamp_micros(us?)?.with_timezone(&zone).date_naive()))
        .collect();
    let parts: [(&str, fn(NaiveDate) -> Option<NaiveDate>); 5] = [
        ("date", Some),
        ("week", |d| d.checked_sub_days(Days::new(u64::from(d.weekday().num_days_from_monday())))),
        ("month", |d| d.with_day(1)),
        ("quarter", |d| NaiveDate::from_ymd_opt(d.year(), (d.month0() / 3) * 3 + 1, 1)),
        ("year", |d| NaiveDate::from_ymd_opt(d.year(), 1, 1)),
    ];
    for (part, of) in parts {
        let dates = days.iter().map(|day| day.and_then(of).map(day_number));
        columns.insert(format!("{event}_{part}"), Arc::new(dates.collect::<Date32Array>()));
    }
}
