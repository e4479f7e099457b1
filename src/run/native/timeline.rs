//! The timeline: every event of every customer, 64 buckets by customer, in time order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;
use chrono_tz::Tz;
use futures::StreamExt;

use super::{Bench, Spread};
use crate::run::RunError;
use crate::table::TableError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

/// Some rows come from one canonical row at several times, so the horizon cuts here once more.
const EVENTS: &str = "select timeline_events.* from timeline_events cross join run
where timeline_events.occurred_at < run.horizon_end";

/// Makes `timeline`.
///
/// # Errors
/// The view failed, or the disk is full.
pub async fn timeline(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let columns = bench.context.contract("timeline").map_or(&[][..], |table| &table.columns);
    let customer = columns.iter().position(|column| column.name == "customer_id");
    let spread = Spread::Buckets(customer.into_iter().collect());
    let mut sink = bench.sink_spread("timeline", spread)?;
    let mut answer = bench.query("timeline", EVENTS).await?;
    while let Some(batch) = answer.batches.next().await {
        sink.push(&dated(&batch?, bench.context.job.zone())?)?;
    }
    Ok(vec![bench.keep("timeline", sink).await?])
}

/// Times in microseconds (a batch date as a time may come finer), and local days where staging made
/// none: versions are dated by when the system says they changed.
fn dated(batch: &RecordBatch, zone: Tz) -> Result<RecordBatch, RunError> {
    let table = || "timeline".to_owned();
    let missing =
        |column: &str| TableError::MissingColumn { table: table(), column: column.into() };
    let place = batch.schema().index_of("occurred_date").map_err(|_| missing("occurred_date"))?;
    let days = batch.column(place).as_primitive_opt::<Date32Type>();
    let days = days.ok_or_else(|| missing("occurred_date"))?;
    let at = batch.schema().index_of("occurred_at").map_err(|_| missing("occurred_at"))?;
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
    if let (Some(column), Some(field)) = (columns.get_mut(at), fields.get_mut(at)) {
        *column = Arc::clone(&cast);
        *field = Arc::new(Field::new("occurred_at", micros, true));
    }
    if let Some(column) = columns.get_mut(place) {
        *column = Arc::new(filled) as ArrayRef;
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(fail)?)
}
