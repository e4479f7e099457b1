//! Lifetime value of all customers who bought or subscribed.

use arrow::array::RecordBatch;
use futures::TryStreamExt;

use super::Bench;
use crate::job::{BuyingModel, ClvSegments};
use crate::measure::clv::{Inputs, Segments, Terms, lifetime_value};
use crate::measure::kernel::buying::Kind;
use crate::run::RunError;
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
        products: products(bench).await?,
        reference: bench.before(REFERENCE).await?,
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
        made.push(bench.write(table, std::slice::from_ref(rows)).await?);
    }
    Ok(made)
}

/// Revenue of the last 365 days by customer and product, where the job gives products margins.
async fn products(bench: &Bench<'_>) -> Result<Vec<RecordBatch>, RunError> {
    const SQL: &str = "select customer_id, touchpoint as product, sum(home_amount) as revenue
        from timeline cross join run
        where kind in ('order', 'refund') and occurred_date > run.as_of - interval '365' day
        group by customer_id, touchpoint";
    if bench.context.job.clv.margins.is_empty() {
        return Ok(Vec::new());
    }
    bench.collect("products", SQL).await
}

fn terms(bench: &Bench<'_>) -> Terms {
    let job = &bench.context.job;
    Terms {
        as_of: day_number(bench.plan.as_of),
        currency: job.currency.clone(),
        margin: job.clv.margin,
        margins: job.clv.margins.clone(),
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
