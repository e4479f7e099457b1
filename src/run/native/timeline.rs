//! The timeline: every event of every customer, 64 buckets by customer, in time order.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, PrimitiveArray, RecordBatch,
    StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field, Float64Type, Schema, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use chrono::DateTime;
use chrono_tz::Tz;
use futures::StreamExt;

use super::{Bench, Spread};
use crate::profile::rates::Rates;
use crate::run::RunError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;
use crate::table::{DECIMAL, TableError};

/// Some rows come from one canonical row at several times, so the horizon cuts here once more.
const EVENTS: &str = "select timeline_events.* from timeline_events cross join run
where timeline_events.occurred_at < run.horizon_end";
const RATES: &str = "select currency, rate_date, rate from fx_daily";

/// Makes `timeline`.
///
/// # Errors
/// The view failed, or the disk is full.
pub async fn timeline(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let columns = bench.context.contract("timeline").map_or(&[][..], |table| &table.columns);
    let customer = columns.iter().position(|column| column.name == "customer_id");
    let spread = Spread::Buckets(customer.into_iter().collect());
    let rates = rates(bench).await?;
    let mut sink = bench.sink_spread("timeline", spread)?;
    let mut answer = bench.query("timeline", EVENTS).await?;
    while let Some(batch) = answer.batches.next().await {
        sink.push(&dated(&batch?, bench.context.job.zone(), &rates)?)?;
    }
    Ok(vec![bench.keep("timeline", sink).await?])
}

async fn rates(bench: &Bench<'_>) -> Result<Rates, RunError> {
    let mut rates = Rates::new(&bench.context.job.currency);
    for batch in bench.collect("timeline", RATES).await? {
        let currencies = text(&batch, "currency")?;
        let days = numbers::<Date32Type>(&batch, "rate_date")?;
        let values = numbers::<Float64Type>(&batch, "rate")?;
        for ((currency, day), value) in currencies.iter().zip(days).zip(values) {
            if let (Some(currency), Some(day), Some(value)) = (currency, day, value) {
                rates.learn(currency, day, value);
            }
        }
    }
    Ok(rates)
}

/// Times in microseconds (a batch date as a time may come finer), local days where staging made
/// none (versions are dated by when the system says they changed), and what money is worth in the
/// job's currency on that day.
fn dated(batch: &RecordBatch, zone: Tz, rates: &Rates) -> Result<RecordBatch, RunError> {
    let place = |column: &str| batch.schema().index_of(column).map_err(|_| missing(column));
    let (date, at) = (place("occurred_date")?, place("occurred_at")?);
    let days = numbers::<Date32Type>(batch, "occurred_date")?;
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let cast = cast(batch.column(at), &micros).map_err(unordered)?;
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
    let home = priced(batch, &filled, rates)?;
    let mut columns = batch.columns().to_vec();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    if let (Some(column), Some(field)) = (columns.get_mut(at), fields.get_mut(at)) {
        *column = Arc::clone(&cast);
        *field = Arc::new(Field::new("occurred_at", micros, true));
    }
    if let Some(column) = columns.get_mut(date) {
        *column = Arc::new(filled) as ArrayRef;
    }
    fields.push(Arc::new(Field::new("home_amount", home.data_type().clone(), true)));
    columns.push(Arc::new(home));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(unordered)?)
}

/// The batch's money in the job's currency.
fn priced(
    batch: &RecordBatch,
    days: &Date32Array,
    rates: &Rates,
) -> Result<Decimal128Array, TableError> {
    let amounts = numbers::<Decimal128Type>(batch, "amount")?;
    let currencies = text(batch, "currency")?;
    let rows = amounts.iter().zip(currencies).zip(days);
    let values = rows.map(|((amount, currency), day)| rates.home(amount?, currency, day));
    let values: Decimal128Array = values.collect();
    values.with_precision_and_scale(DECIMAL.0, DECIMAL.1).map_err(unordered)
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a StringArray, TableError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_string_opt::<i32>());
    found.ok_or_else(|| missing(column))
}

fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &str,
) -> Result<&'a PrimitiveArray<T>, TableError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<T>());
    found.ok_or_else(|| missing(column))
}

fn missing(column: &str) -> TableError {
    TableError::MissingColumn { table: "timeline".to_owned(), column: column.into() }
}

fn unordered(source: ArrowError) -> TableError {
    TableError::Order { table: "timeline".to_owned(), source }
}
