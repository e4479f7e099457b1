//! Experience scores: SQL counts the answers of each dimension, the kernel makes scores of counts.

use super::Bench;
use crate::job::Period;
use crate::measure::fold::calendar::Grain;
use crate::measure::scores::{self, Terms};
use crate::run::RunError;
use crate::table::dataset::Dataset;

const SCORES: &str = "experience_scores";

/// Makes the scores of all periods and dimensions the job asks for.
///
/// # Errors
/// A dimension that answers do not have, or SQL that fails.
pub async fn scores(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let metrics = &bench.context.job.metrics;
    let terms = Terms {
        confidence: metrics.confidence,
        min_cell: u64::from(metrics.min_cell),
        periods: metrics.periods.iter().map(|period| grain(*period)).collect(),
    };
    // Longer periods are made of months; only days and weeks need the day itself.
    let needs_days = terms.periods.iter().any(|grain| matches!(grain, Grain::Day | Grain::Week));
    let day = if needs_days { "answered_date" } else { "answered_month" };
    let mut answers = Vec::new();
    for dimension in &metrics.dimensions {
        let columns = scores::columns(dimension)?;
        let counted = bench.collect(dimension, &counts(day, &columns)).await?;
        for batch in &counted {
            answers.extend(scores::answers(batch, dimension, columns.len())?);
        }
    }
    let scores = tokio::task::spawn_blocking(move || scores::scores(&answers, &terms)).await;
    let rows = scores::batch(&scores.map_err(RunError::Thread)?)?;
    let mut sink = bench.sink(SCORES)?;
    sink.push(&rows)?;
    Ok(vec![bench.keep(SCORES, sink).await?])
}

fn grain(period: Period) -> Grain {
    match period {
        Period::Day => Grain::Day,
        Period::Week => Grain::Week,
        Period::Month => Grain::Month,
        Period::Quarter => Grain::Quarter,
        Period::Year => Grain::Year,
    }
}

/// Counts of equal answers, by the columns of one dimension; names come from a fixed list.
fn counts(day: &str, columns: &[&str]) -> String {
    let mut values = String::new();
    let mut keys = String::new();
    for (i, column) in columns.iter().enumerate() {
        values = format!("{values}{column} as value_{i}, ");
        keys = format!("{keys}, {column}");
    }
    format!(
        "select metric, scale_min, scale_max, is_effort, score, {values}{day} as day, \
         count(*) as n from survey_answers \
         group by metric, scale_min, scale_max, is_effort, score, {day}{keys}"
    )
}
