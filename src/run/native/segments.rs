//! Segments and personas of all customers.

use arrow::array::RecordBatch;
use futures::TryStreamExt;

use super::Bench;
use crate::measure::segments::{Terms, segments as segmented};
use crate::run::RunError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

const REFERENCE: &str = "persona_reference";

/// Makes `customer_segments`, the personas, and what their labels are matched to.
///
/// # Errors
/// Rows of the inputs that do not follow their contracts, or a failing store.
pub async fn segments(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let job = &bench.context.job;
    let terms = Terms {
        as_of: day_number(bench.plan.as_of),
        currency: job.currency.clone(),
        personas_min: job.segments.personas_min,
        personas_max: job.segments.personas_max,
        min_cell: u64::from(job.metrics.min_cell),
        fit: job.segments.fit,
    };
    let features = features(bench, "feature_date = run.as_of").await?;
    let reference = bench.before(REFERENCE).await?;
    let work = move || segmented(&features, &reference, &terms);
    let tables = tokio::task::spawn_blocking(work).await.map_err(RunError::Thread)??;
    let mut made = Vec::new();
    // As plan::native names them.
    for (table, rows) in [
        ("customer_segments", &tables.segments),
        ("personas", &tables.personas),
        ("persona_profiles", &tables.profiles),
        (REFERENCE, &tables.reference),
    ] {
        made.push(bench.write(table, std::slice::from_ref(rows)).await?);
    }
    Ok(made)
}

/// Rows of `customer_features`.
///
/// # Errors
/// A file of it is missing or damaged.
pub async fn features(bench: &Bench<'_>, which: &str) -> Result<Vec<RecordBatch>, RunError> {
    let sql =
        format!("select customer_features.* from customer_features cross join run where {which}");
    let answer = bench.query("customer_features", &sql).await?;
    Ok(answer.batches.try_collect().await?)
}
