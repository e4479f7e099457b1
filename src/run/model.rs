//! Runs a SQL model over the tables it reads and writes its table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray};
use futures::StreamExt;

use super::sink::{Sink, Spread};
use super::{Context, RunError, Tables};
use crate::engine::{FileInput, Session};
use crate::plan::graph::{is_view, with_views};
use crate::plan::{Node, Plan, RUN_TABLE};
use crate::stage::finish::day_number;
use crate::table::dataset::Dataset;
use crate::table::hash::Hash;

/// The one row of the `run` table.
fn run_row(context: &Context, plan: &Plan) -> Result<RecordBatch, RunError> {
    let day = |date| Arc::new(Date32Array::from(vec![day_number(date)])) as ArrayRef;
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let columns = vec![
        ("as_of", day(plan.as_of)),
        ("time_zone", text(&context.job.time_zone)),
        ("currency", text(&context.job.currency)),
    ];
    RecordBatch::try_from_iter(columns).map_err(|source| {
        crate::table::TableError::Order { table: RUN_TABLE.into(), source }.into()
    })
}

/// Makes tables readable by SQL under their names.
///
/// # Errors
/// A table that no step made.
pub fn register<'a>(
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
        let file = |file: &crate::table::dataset::FileRef| FileInput {
            path: context.store.full(&file.path).to_string(),
            bytes: file.bytes,
        };
        session.files(name, contract.schema(), dataset.files.iter().map(file).collect())?;
    }
    Ok(())
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
) -> Result<Vec<Dataset>, RunError> {
    let catalog = &context.catalog;
    let none = || RunError::NoTable(node.name.clone());
    let model = catalog.models.get(&node.name).ok_or_else(none)?;
    let contract = &catalog.tables.get(&node.name).ok_or_else(none)?.contract;
    let session = context.engine.session();
    register(context, plan, &session, node.inputs.iter(), tables)?;
    for view in with_views(catalog, model) {
        if is_view(catalog, &view.name) {
            session.view(&view.name, &view.sql).await?;
        }
    }
    let mut answer = session.query(&model.name, &model.sql).await?;
    let mut sink = Sink::new(contract, Spread::Contract, &context.work.folder(fingerprint));
    while let Some(batch) = answer.batches.next().await {
        sink.push(&batch?)?;
    }
    let written =
        tokio::task::spawn_blocking(move || sink.finish()).await.map_err(RunError::Thread)??;
    Ok(vec![context.work.keep(fingerprint, &node.name, written).await?])
}
