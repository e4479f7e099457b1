//! Lifetime value of all customers who bought or subscribed.

use arrow::array::RecordBatch;
use futures::TryStreamExt;

use super::Bench;
use crate::job::{BuyingModel, ClvSegments};
use crate::measure::clv::{Inputs, Segments, Terms, lifetime_value};
use crate::measure::kernel::buying::Kind;
use crate::plan;
use crate::run::RunError;
use crate::storage::parquet;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

const REFERENCE: &str = "clv_reference";

/// Makes the values, what they rest on, and whether they would have been right.
///
/// # Errors
/// Rows of the inputs that do not follow their contracts, or a failing store.
pub async fn clv(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let terms = terms(bench);
    let rows = async |table: &str| -> Result<Vec<RecordBatch>, RunError> {
        let answer = bench.query(table, &format!("select * from {table}")).await?;
        Ok(answer.batches.try_collect().await?)
    };
    let inputs = Inputs {
        purchases: rows("customer_purchases").await?,
        contracts: rows("customer_contracts").await?,
        spending: rows("acquisition_spending").await?,
        touches: rows("acquisition_touches").await?,
        reference: reference(bench).await?,
    };
    let tables = tokio::task::spawn_blocking(move || lifetime_value(&inputs, &terms)).await;
    let tables = tables.map_err(RunError::Thread)??;
    let mut made = Vec::new();
    // As plan::native names them.
    for (table, rows) in [
        ("customer_lifetime_value", &tables.values),
        ("clv_model_parameters", &tables.parameters),
        ("clv_backtest", &tables.backtest),
        ("clv_by_cohort", &tables.cohorts),
        ("customer_acquisition_cost", &tables.acquisition),
        (REFERENCE, &tables.reference),
    ] {
        let mut sink = bench.sink(table)?;
        sink.push(rows)?;
        made.push(bench.keep(table, sink).await?);
    }
    Ok(made)
}

/// The fits that the parent release keeps.
async fn reference(bench: &Bench<'_>) -> Result<Vec<RecordBatch>, RunError> {
    let known = bench.parent.and_then(|release| plan::dataset(release, REFERENCE));
    let mut rows = Vec::new();
    for file in known.iter().flat_map(|known| &known.files) {
        let store = &bench.context.store;
        rows.extend(parquet::read(store, &file.path, &file.file_hash, None).await?);
    }
    Ok(rows)
}

fn terms(bench: &Bench<'_>) -> Terms {
    let job = &bench.context.job;
    Terms {
        as_of: day_number(bench.plan.as_of),
        currency: job.currency.clone(),
        margin: job.clv.margin,
        unit_days: job.clv.unit_days.max(1),
        horizon_days: job.clv.horizon_days,
        discount_rate: job.clv.discount_rate,
        acquisition_cost: job.clv.acquisition_cost,
        inactive_days: job.metrics.inactive_days,
        model: match job.clv.model {
            BuyingModel::BgNbd => Kind::BgNbd,
            BuyingModel::MbgNbd => Kind::MbgNbd,
            BuyingModel::ParetoNbd => Kind::ParetoNbd,
        },
        segments: match job.clv.segments {
            ClvSegments::None => Segments::None,
            ClvSegments::AcquisitionChannel => Segments::AcquisitionChannel,
            ClvSegments::Country => Segments::Country,
        },
        segment_min: u64::from(job.clv.segment_min),
        confidence: job.metrics.confidence,
        min_cell: u64::from(job.metrics.min_cell),
        drift_max: job.clv.drift_max,
        fit: job.clv.fit,
    }
}
