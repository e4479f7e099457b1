//! The timeline: every event of every customer, 64 buckets by customer, in time order.

use futures::StreamExt;

use super::{Bench, Spread};
use crate::run::RunError;
use crate::table::dataset::Dataset;

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
        sink.push(&batch?)?;
    }
    Ok(vec![bench.keep("timeline", sink).await?])
}
