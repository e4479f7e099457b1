//! Lifetime value of all customers who bought.

use futures::TryStreamExt;

use super::Bench;
use crate::measure::clv::{Terms, lifetime_value};
use crate::run::RunError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

const VALUES: &str = "customer_lifetime_value";
const PARAMETERS: &str = "clv_model_parameters";

/// Makes the values and the parameters they rest on.
///
/// # Errors
/// Rows of `customer_purchases` that do not follow its contract, or a failing store.
pub async fn clv(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let terms = terms(bench);
    let purchases = bench.query("clv", "select * from customer_purchases").await?;
    let purchases: Vec<_> = purchases.batches.try_collect().await?;
    let tables = tokio::task::spawn_blocking(move || lifetime_value(&purchases, &terms)).await;
    let tables = tables.map_err(RunError::Thread)??;
    let (mut values, mut parameters) = (bench.sink(VALUES)?, bench.sink(PARAMETERS)?);
    values.push(&tables.values)?;
    parameters.push(&tables.parameters)?;
    Ok(vec![bench.keep(VALUES, values).await?, bench.keep(PARAMETERS, parameters).await?])
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
    }
}
