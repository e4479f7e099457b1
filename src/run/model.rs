//! Runs a SQL model over the tables it reads and writes its table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Days, NaiveDate};
use futures::StreamExt;

use super::sink::{Sink, Spread};
use super::{Context, RunError, Tables};
use crate::engine::{FileInput, Session};
use crate::plan::graph::{is_view, with_views};
use crate::plan::{Node, Plan, RUN_TABLE};
use crate::state::Release;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;
use crate::table::hash::Hash;

/// The one row of the `run` table.
fn run_row(context: &Context, plan: &Plan) -> Result<RecordBatch, RunError> {
    let day = |date| Arc::new(Date32Array::from(vec![day_number(date)])) as ArrayRef;
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let count = |value: u32| Arc::new(Int64Array::from(vec![i64::from(value)])) as ArrayRef;
    let end = TimestampMicrosecondArray::from(vec![plan.horizon_end_us]);
    let metrics = &context.job.metrics;
    let columns = vec![
        day(plan.as_of),
        day(before(plan.as_of, 90)),
        day(before(plan.as_of, 365)),
        Arc::new(end.with_timezone("UTC")) as ArrayRef,
        text(&context.job.time_zone),
        text(&context.job.currency),
        count(metrics.inactive_days),
        count(metrics.grace_days),
        count(metrics.min_cell),
        count(context.job.stages.conversion_days),
        count(context.job.stages.loyal_orders),
    ];
    RecordBatch::try_new(run_schema(), columns).map_err(|source| {
        crate::table::TableError::Order { table: RUN_TABLE.into(), source }.into()
    })
}

fn before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

/// Columns of the `run` table.
pub(super) fn run_schema() -> SchemaRef {
    let end = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        ("as_of", DataType::Date32),
        // Numbers of the last quarter and year begin after these days.
        ("quarter_before", DataType::Date32),
        ("year_before", DataType::Date32),
        // First instant that tables without `as_of` do not know of.
        ("horizon_end", end),
        ("time_zone", DataType::Utf8),
        ("currency", DataType::Utf8),
        ("inactive_days", DataType::Int64),
        ("grace_days", DataType::Int64),
        ("min_cell", DataType::Int64),
        ("conversion_days", DataType::Int64),
        ("loyal_orders", DataType::Int64),
    ];
    let field = |(name, kind): (&str, DataType)| Field::new(name, kind, false);
    Arc::new(Schema::new(columns.map(field).to_vec()))
}

/// Makes tables readable by SQL under their names.
///
/// # Errors
/// A table that no step made, or a file of it that is damaged.
pub async fn register<'a>(
    context: &Context,
    plan: &Plan,
    session: &Session,
    names: impl Iterator<Item = &'a String>,
    tables: &Tables,
) -> Result<(), RunError> {
    for name in names {
        if name == RUN_TABLE {
            let row = run_row(context, plan)?;
            session.batches(RUN_TABLE, row.schema(), vec![row])?;
            continue;
        }
        let dataset = tables.get(name).ok_or_else(|| RunError::NoTable(name.clone()))?;
        let contract = context.contract(name).ok_or_else(|| RunError::NoTable(name.clone()))?;
        context.work.verify(&dataset.files).await?;
        let file = |file| FileInput::of(&context.store, file);
        let files = dataset.files.iter().map(file).collect();
        let Some(time) = cut_time(context, plan, name, dataset) else {
            session.files(name, contract.schema(), files)?;
            continue;
        };
        // Rows after the horizon are not known yet, whatever the step.
        let whole = format!("{name}__whole");
        session.files(&whole, contract.schema(), files)?;
        let end = DateTime::from_timestamp_micros(plan.horizon_end_us).unwrap_or_default();
        let end = end.format("%Y-%m-%dT%H:%M:%SZ");
        let cut =
            format!("select * from {whole} where {time} is null or {time} < timestamp '{end}'");
        session.view(name, &cut).await?;
    }
    Ok(())
}

/// The time by which a table's rows must be cut off, if any of them lies after the horizon.
fn cut_time<'a>(
    context: &'a Context,
    plan: &Plan,
    name: &str,
    dataset: &Dataset,
) -> Option<&'a String> {
    dataset.latest_us.filter(|latest| *latest >= plan.horizon_end_us)?;
    let (_, table) = name.split_once('_')?;
    context.catalog.canonical_tables.get(table)?.canonical.as_ref()?.times.first()
}

/// Runs the model of a node.
///
/// # Errors
/// The SQL is wrong, memory ran out, or the store failed.
pub async fn run(
    context: &Context,
    plan: &Plan,
    node: &Node,
    fingerprint: &Hash,
    tables: &Tables,
    parent: Option<&Release>,
) -> Result<Vec<Dataset>, RunError> {
    let catalog = &context.catalog;
    let none = || RunError::NoTable(node.name.clone());
    let model = catalog.models.get(&node.name).ok_or_else(none)?;
    let contract = &catalog.tables.get(&node.name).ok_or_else(none)?.contract;
    let session = context.engine.session();
    register(context, plan, &session, node.inputs.iter(), tables).await?;
    for view in with_views(catalog, model) {
        if is_view(catalog, &view.name) {
            session.view(&view.name, &view.sql).await?;
        }
    }
    let mut answer = session.query(&model.name, &model.sql).await?;
    let sink = Sink::new(contract, Spread::Contract, &context.work.folder(fingerprint));
    let mut sink = sink.keeping(context.work.known(parent, &node.name))?;
    while let Some(batch) = answer.batches.next().await {
        sink.push(&batch?)?;
    }
    let threads = context.settings.threads;
    let files = tokio::task::spawn_blocking(move || sink.files(threads))
        .await
        .map_err(RunError::Thread)??;
    Ok(vec![context.work.keep_files(fingerprint, &node.name, files).await?])
}
