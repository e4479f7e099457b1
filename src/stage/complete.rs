//! Staged rows get what follows from them: id, the name of their identifiers, local dates.
//!
//! None of it lies in staged files. It is most of what would not compress there, and quicker made
//! than read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Datelike, Days, NaiveDate};
use chrono_tz::Tz;
use rustc_hash::FxHashMap;

use super::StageError;
use crate::catalog::{Canonical, PERIODS, local_date};
use crate::table::day::day_number;
use crate::table::{Contract, id};

/// About how long an id is.
const ID_LENGTH: usize = 36;

/// Staged rows as rows of the canonical table that `contract` is of.
///
/// Dates are those of `zone`, the job's. An `identity_key` that a staged row has stays: it is the
/// name of somebody who is forgotten. Rows may have been staged by an older contract, and their raw
/// objects be gone.
///
/// # Errors
/// A value that its column cannot hold.
pub fn complete(
    contract: &Contract,
    canonical: &Canonical,
    zone: Tz,
    rows: &RecordBatch,
) -> Result<RecordBatch, StageError> {
    let mut columns: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
        columns.insert(field.name().clone(), Arc::clone(array));
    }
    columns.insert(canonical.id.clone(), ids(canonical, rows));
    columns.insert("identity_key".into(), identity_keys(canonical, rows));
    for time in &canonical.times {
        local_dates(time, zone, rows, &mut columns);
    }
    let all = RecordBatch::try_from_iter(columns).map_err(|source| StageError::Frame {
        spec: contract.name.clone(),
        source: source.into(),
    })?;
    Ok(contract.renewed(&all)?)
}

/// A text of a row; empty for null.
fn text(texts: Option<&StringArray>, i: usize) -> &str {
    texts.filter(|texts| texts.is_valid(i)).map_or("", |texts| texts.value(i))
}

fn texts<'a>(rows: &'a RecordBatch, column: &str) -> Option<&'a StringArray> {
    rows.column_by_name(column)?.as_string_opt::<i32>()
}

fn ids(canonical: &Canonical, rows: &RecordBatch) -> ArrayRef {
    let natural =
        ["source", "source_account", "entity", "source_id"].map(|column| texts(rows, column));
    let mut maker = id::Maker::default();
    let mut ids = StringBuilder::with_capacity(rows.num_rows(), rows.num_rows() * ID_LENGTH);
    for i in 0..rows.num_rows() {
        let key = natural.map(|texts| text(texts, i));
        ids.append_value(maker.make(&canonical.id_prefix, &key));
    }
    Arc::new(ids.finish())
}

/// One text per set of identifiers; null for a row that has none.
fn identity_keys(canonical: &Canonical, rows: &RecordBatch) -> ArrayRef {
    let known = texts(rows, "identity_key");
    let scope = ["source", "source_account"].map(|column| texts(rows, column));
    let columns = canonical.identifiers.iter();
    let columns = columns.filter_map(|of| Some((of, texts(rows, &of.column)?)));
    let columns: Vec<_> = columns.filter(|(_, texts)| texts.null_count() < texts.len()).collect();
    let mut keys = StringBuilder::with_capacity(rows.num_rows(), rows.num_rows() * ID_LENGTH);
    let mut maker = id::Maker::default();
    let mut parts: Vec<&str> = Vec::new();
    for i in 0..rows.num_rows() {
        let forgotten = text(known, i);
        if !forgotten.is_empty() {
            keys.append_value(forgotten);
            continue;
        }
        parts.clear();
        let mut scoped = false;
        for (identifier, column) in &columns {
            let value = text(Some(column), i).trim();
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
            parts.extend(scope.map(|texts| text(texts, i)));
        }
        keys.append_value(maker.make("k", &parts));
    }
    Arc::new(keys.finish())
}

fn local_dates(time: &str, zone: Tz, rows: &RecordBatch, columns: &mut BTreeMap<String, ArrayRef>) {
    let times =
        rows.column_by_name(time).and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
    // An older contract may not have had it: its dates are null then, as it is.
    let Some(times) = times else { return };
    let mut calendar = Calendar::default();
    let mut days: [Vec<Option<i32>>; 5] = Default::default();
    for us in times {
        let local = us.and_then(DateTime::from_timestamp_micros).map(|at| at.with_timezone(&zone));
        let starts = local.map(|local| calendar.starts(local.date_naive()));
        for (at, days) in days.iter_mut().enumerate() {
            days.push(starts.map(|starts| starts[at]));
        }
    }
    for ((period, _), days) in PERIODS.into_iter().zip(days) {
        columns.insert(local_date(time, period), Arc::new(Date32Array::from(days)));
    }
}

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
