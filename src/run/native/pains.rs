//! Pain points: where paths break off, by the folds, and what was said there, by SQL.

use arrow::datatypes::{Decimal128Type, Int64Type};

use super::Bench;
use super::rows;
use crate::measure::fold::path_tables::shown_name;
use crate::measure::pain::{self, Answered, Terms, Touched};
use crate::measure::scores::{NONE, Scale};
use crate::run::RunError;
use crate::table::TableError;
use crate::table::dataset::Dataset;
use crate::table::day::{date, day_number};

const PAINS: &str = "pain_points";
const DROP_OFFS: &str = "select stage, touchpoint, n_led_on, n_dropped from path_drop_offs";

/// Makes `pain_points`.
///
/// # Errors
/// SQL that fails, or a full disk.
pub async fn pains(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let metrics = &bench.context.job.metrics;
    let terms = Terms { confidence: metrics.confidence, min_cell: u64::from(metrics.min_cell) };
    let touched = touched(bench).await?;
    let answered = answered(bench).await?;
    let rows = pain::batch(&pain::pains(&touched, &answered, terms));
    let rows = rows.map_err(|source| TableError::Order { table: PAINS.into(), source })?;
    Ok(vec![bench.write(PAINS, &[rows]).await?])
}

async fn touched(bench: &Bench<'_>) -> Result<Vec<Touched>, RunError> {
    let mut touched = Vec::new();
    for batch in bench.collect("path_drop_offs", DROP_OFFS).await? {
        let (stages, touchpoints) =
            (rows::text(&batch, "stage")?, rows::text(&batch, "touchpoint")?);
        let count = |name: &str| rows::primitive::<Int64Type>(&batch, name);
        let (led_on, dropped) = (count("n_led_on")?, count("n_dropped")?);
        touched.extend((0..batch.num_rows()).map(|i| Touched {
            stage: rows::value(stages, i).to_owned(),
            touchpoint: rows::value(touchpoints, i).to_owned(),
            led_on: u64::try_from(led_on.value(i)).unwrap_or(0),
            dropped: u64::try_from(dropped.value(i)).unwrap_or(0),
        }));
    }
    Ok(touched)
}

async fn answered(bench: &Bench<'_>) -> Result<Vec<Answered>, RunError> {
    let days = super::folds::pain_days(bench.context);
    let last = day_number(bench.plan.horizon);
    let first = date(last.saturating_sub(days).saturating_add(1).max(0));
    // Employees' answers are of no customer's journey.
    let sql = format!(
        "select touchpoint, journey_stage, metric, scale_min, scale_max, is_effort, score, \
         count(*) as n from survey_answers where metric <> 'enps' \
         and answered_date between date '{first}' and date '{}' \
         group by touchpoint, journey_stage, metric, scale_min, scale_max, is_effort, score",
        bench.plan.horizon
    );
    let mut answered = Vec::new();
    for batch in bench.collect("survey_answers", &sql).await? {
        let text = |name: &str| rows::text(&batch, name);
        let (stages, metrics) = (text("journey_stage")?, text("metric")?);
        let touchpoints = text("touchpoint")?;
        let decimal = |name: &str| rows::primitive::<Decimal128Type>(&batch, name);
        let (min, max) = (decimal("scale_min")?, decimal("scale_max")?);
        let score = decimal("score")?;
        let is_effort = rows::flag(&batch, "is_effort")?;
        let n = rows::primitive::<Int64Type>(&batch, "n")?;
        let points = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
        let or_none = |text: &str| if text.is_empty() { NONE.to_owned() } else { text.to_owned() };
        answered.extend((0..batch.num_rows()).map(|i| {
            let scale = Scale { min: points(min.value(i)), max: points(max.value(i)) };
            let given = points(score.value(i));
            let touchpoint = Some(rows::value(touchpoints, i)).filter(|name| !name.is_empty());
            Answered {
                stage: or_none(rows::value(stages, i)),
                touchpoint: touchpoint.map(shown_name),
                metric: rows::value(metrics, i).to_owned(),
                scale,
                score: if is_effort.value(i) { scale.inverted(given) } else { given },
                count: u64::try_from(n.value(i)).unwrap_or(0),
            }
        }));
    }
    Ok(answered)
}
