//! Experience scores: SQL counts the answers of each dimension, the kernel makes scores of counts.

use arrow::datatypes::TimestampMicrosecondType;

use super::Bench;
use super::rows::{self, Filler};
use crate::job::Period;
use crate::measure::fold::calendar::Grain;
use crate::measure::scores::resubmitted::{self, Given};
use crate::measure::scores::{self, Score, Terms, cube};
use crate::run::RunError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

const SCORES: &str = "experience_scores";
const CUBE: &str = "experience_cube";
const SUPERSEDED: &str = "superseded_answers";

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
        shares: metrics.weights.as_ref().map(|weights| weights.shares.clone()),
        horizon_day: day_number(bench.plan.horizon),
    };
    let stratum = match &metrics.weights {
        Some(weights) => scores::columns(&weights.dimension)?.first().copied(),
        None => None,
    };
    // Longer periods are made of months; only days and weeks need the day itself.
    let needs_days = terms.periods.iter().any(|grain| matches!(grain, Grain::Day | Grain::Week));
    let day = if needs_days { "answered_date" } else { "answered_month" };
    let mut dimensions = Vec::new();
    for dimension in &metrics.dimensions {
        dimensions.push((dimension.clone(), scores::columns(dimension)?));
    }
    let cube = cube::dimensions(&metrics.dimensions);
    let more = cube.iter().filter(|dimension| !metrics.dimensions.contains(*dimension));
    dimensions.extend(more.map(|dimension| (dimension.clone(), cube::columns(dimension))));
    let mut answers = Vec::new();
    for (dimension, columns) in &dimensions {
        let counted = bench.collect(dimension, &counts(day, columns, stratum)).await?;
        for batch in &counted {
            answers.extend(scores::answers(batch, dimension, columns.len())?);
        }
    }
    let scores = tokio::task::spawn_blocking(move || scores::scores(&answers, &terms)).await;
    let scores = scores.map_err(RunError::Thread)?;
    let of = |wanted: &[String]| -> Vec<&Score> {
        scores.iter().filter(|score| wanted.contains(&score.dimension)).collect()
    };
    let rows = scores::batch(&of(&metrics.dimensions))?;
    let cells = cube::batch(&of(&cube))?;
    Ok(vec![bench.write(SCORES, &[rows]).await?, bench.write(CUBE, &[cells]).await?])
}

/// Finds the answers that a respondent gave again.
///
/// # Errors
/// SQL that fails.
pub async fn resubmissions(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    const ABOUT: [&str; 8] = [
        "respondent",
        "source",
        "source_account",
        "metric",
        "survey_key",
        "question_key",
        "touchpoint_key",
        "subject_key",
    ];
    let mut given = Vec::new();
    for batch in bench.collect(SUPERSEDED, "select * from repeated_answers").await? {
        let ids = rows::text(&batch, "feedback_id")?;
        let times = rows::primitive::<TimestampMicrosecondType>(&batch, "answered_at")?;
        let about: Vec<_> =
            ABOUT.into_iter().map(|name| rows::text(&batch, name)).collect::<Result<_, _>>()?;
        given.extend((0..batch.num_rows()).map(|i| Given {
            about: about.iter().map(|column| rows::value(column, i).to_owned()).collect(),
            at: times.value(i),
            id: ids.value(i).to_owned(),
        }));
    }
    let days = bench.context.job.metrics.resubmission_days;
    let mut filler = Filler::new(bench, SUPERSEDED, |found: &[(String, String)]| {
        vec![rows::texts(found, |pair| Some(&pair.0)), rows::texts(found, |pair| Some(&pair.1))]
    })?;
    for pair in resubmitted::superseded(given, days) {
        filler.push(pair)?;
    }
    Ok(vec![bench.keep(SUPERSEDED, filler.finish()?).await?])
}

pub(super) fn grain(period: Period) -> Grain {
    match period {
        Period::Day => Grain::Day,
        Period::Week => Grain::Week,
        Period::Month => Grain::Month,
        Period::Quarter => Grain::Quarter,
        Period::Year => Grain::Year,
    }
}

/// Counts of equal answers, by the columns of one dimension; names come from a fixed list.
fn counts(day: &str, columns: &[&str], stratum: Option<&str>) -> String {
    let mut values = String::new();
    let mut keys = String::new();
    for (i, column) in columns.iter().enumerate() {
        values = format!("{values}{column} as value_{i}, ");
        keys = format!("{keys}, {column}");
    }
    if let Some(column) = stratum {
        values = format!("{values}{column} as stratum, ");
        if !columns.contains(&column) {
            keys = format!("{keys}, {column}");
        }
    }
    format!(
        "select metric, scale_min, scale_max, is_effort, is_favourable, score, {values}{day} as day, \
         count(*) as n from survey_answers \
         group by metric, scale_min, scale_max, is_effort, is_favourable, score, {day}{keys}"
    )
}
