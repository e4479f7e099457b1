//! Churn risk of all active customers.

use super::Bench;
use super::segments::features;
use crate::measure::risk::{Terms, churn_risk};
use crate::run::RunError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

/// Makes `churn_risk` and what it rests on.
///
/// # Errors
/// Rows of the inputs that do not follow their contracts, or a failing store.
pub async fn risk(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let job = &bench.context.job;
    let terms = Terms {
        as_of: day_number(bench.plan.as_of),
        churners_min: u64::from(job.risk.churners_min),
        inactive_days: job.metrics.inactive_days,
        confidence: job.metrics.confidence,
        min_cell: u64::from(job.metrics.min_cell),
    };
    let features = features(bench, "is_active").await?;
    let work = move || churn_risk(&features, &terms);
    let tables = tokio::task::spawn_blocking(work).await.map_err(RunError::Thread)??;
    let mut made = Vec::new();
    // As plan::native names them.
    for (table, rows) in [("churn_risk", &tables.risks), ("churn_risk_model", &tables.model)] {
        made.push(bench.write(table, std::slice::from_ref(rows)).await?);
    }
    Ok(made)
}
