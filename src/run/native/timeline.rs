//! The timeline: every event of every customer, 64 buckets by customer, in time order.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Schema, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use chrono::DateTime;
use chrono_tz::Tz;
use futures::StreamExt;

use super::{Bench, Spread};
use crate::run::RunError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;
use crate::table::{DECIMAL, TableError};

/// Some rows come from one canonical row at several times, so the horizon cuts here once more.
const EVENTS: &str = "select timeline_events.* from timeline_events cross join run
where timeline_events.occurred_at < run.horizon_end";
/// Of money's unit, and more of them than a column holds.
const UNITS: f64 = 1e4;
const MOST: f64 = 1e18;
const RATES: &str = "select currency, rate_date, rate from fx_daily";

/// Makes `timeline`.
///
/// # Errors
/// The view failed, or the disk is full.
pub async fn timeline(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let columns = bench.context.contract("timeline").map_or(&[][..], |table| &table.columns);
    let customer = columns.iter().position(|column| column.name == "customer_id");
    let spread = Spread::Buckets(customer.into_iter().collect());
    let rates = Rates::read(bench).await?;
    let mut sink = bench.sink_spread("timeline", spread)?;
    let mut answer = bench.query("timeline", EVENTS).await?;
    while let Some(batch) = answer.batches.next().await {
        sink.push(&dated(&batch?, bench.context.job.zone(), &rates)?)?;
    }
    Ok(vec![bench.keep("timeline", sink).await?])
}

/// Times in microseconds (a batch date as a time may come finer), and local days where staging made
/// none: versions are dated by when the system says they changed. Their money is worth what it is
/// on that day.
fn dated(batch: &RecordBatch, zone: Tz, rates: &Rates) -> Result<RecordBatch, RunError> {
    let table = || "timeline".to_owned();
    let missing =
        |column: &str| TableError::MissingColumn { table: table(), column: column.into() };
    let place = |column: &str| batch.schema().index_of(column).map_err(|_| missing(column));
    let (date, at, home) = (place("occurred_date")?, place("occurred_at")?, place("home_amount")?);
    let days = batch.column(date).as_primitive_opt::<Date32Type>();
    let days = days.ok_or_else(|| missing("occurred_date"))?;
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fail = |source| TableError::Order { table: table(), source };
    let cast = cast(batch.column(at), &micros).map_err(fail)?;
    let times = cast.as_primitive::<TimestampMicrosecondType>();
    let local = |at: i64| {
        let instant = DateTime::from_timestamp_micros(at)?;
        Some(day_number(instant.with_timezone(&zone).date_naive()))
    };
    let day = |i: usize| {
        let known = days.is_valid(i).then(|| days.value(i));
        known.or_else(|| times.is_valid(i).then(|| local(times.value(i))).flatten())
    };
    let filled: Date32Array = (0..batch.num_rows()).map(day).collect();
    let mut columns = batch.columns().to_vec();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    if days.null_count() > 0
        && let Some(column) = columns.get_mut(home)
    {
        *column = rates.priced(batch, days, &filled).map_err(fail)?;
    }
    if let (Some(column), Some(field)) = (columns.get_mut(at), fields.get_mut(at)) {
        *column = Arc::clone(&cast);
        *field = Arc::new(Field::new("occurred_at", micros, true));
    }
    if let Some(column) = columns.get_mut(date) {
        *column = Arc::new(filled) as ArrayRef;
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(fail)?)
}

/// What one unit of a currency is worth in the job's, by currency and day.
struct Rates(BTreeMap<String, BTreeMap<i32, f64>>);

impl Rates {
    async fn read(bench: &Bench<'_>) -> Result<Self, RunError> {
        let mut rates: BTreeMap<String, BTreeMap<i32, f64>> = BTreeMap::new();
        for batch in bench.collect("timeline", RATES).await? {
            let column = |name: &str| batch.column_by_name(name);
            let names = column("currency").and_then(|column| column.as_string_opt::<i32>());
            let days =
                column("rate_date").and_then(|column| column.as_primitive_opt::<Date32Type>());
            let values = column("rate").and_then(|column| column.as_primitive_opt::<Float64Type>());
            let (Some(names), Some(days), Some(values)) = (names, days, values) else { continue };
            for ((name, day), value) in names.iter().zip(days).zip(values) {
                if let (Some(name), Some(day), Some(value)) = (name, day, value) {
                    rates.entry(name.to_owned()).or_default().insert(day, value);
                }
            }
        }
        Ok(Self(rates))
    }

    /// The batch's money at home, with that of rows which had no day until now.
    fn priced(
        &self,
        batch: &RecordBatch,
        told: &Date32Array,
        days: &Date32Array,
    ) -> Result<ArrayRef, ArrowError> {
        let money = |name: &str| {
            let column = batch.column_by_name(name);
            column.and_then(|column| column.as_primitive_opt::<Decimal128Type>())
        };
        let names = batch.column_by_name("currency").and_then(|c| c.as_string_opt::<i32>());
        let (Some(amounts), Some(home), Some(names)) =
            (money("amount"), money("home_amount"), names)
        else {
            return Err(ArrowError::SchemaError("no money to price".to_owned()));
        };
        let value = |i: usize| -> Option<i128> {
            if home.is_valid(i) || told.is_valid(i) || !amounts.is_valid(i) {
                return home.is_valid(i).then(|| home.value(i));
            }
            let name = names.is_valid(i).then(|| names.value(i))?;
            let rate = days.is_valid(i).then(|| self.0.get(name)?.get(&days.value(i)))??;
            let value = (amounts.value(i) as f64 / UNITS * rate * UNITS).round();
            (value.abs() < MOST).then_some(value as i128)
        };
        let values: Decimal128Array = (0..batch.num_rows()).map(value).collect();
        Ok(Arc::new(values.with_precision_and_scale(DECIMAL.0, DECIMAL.1)?))
    }
}
