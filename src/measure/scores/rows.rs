//! Rows in and out: counts of `survey_answers` to [`Answer`], [`Score`] to the published table.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};

use super::{ALL, Answer, NONE, PAIR, Scale, Score, ScoresError};

/// Counts of answers by one dimension: columns `metric`, `scale_min`, `scale_max`, `is_effort`,
/// `is_favourable`, `score`, `day`, `n`, `value_0` to `value_2` for as many columns of the dimension
/// as it has, and `stratum` where answers are weighted.
///
/// # Errors
/// A column that is missing or of another type.
pub fn answers(
    batch: &RecordBatch,
    dimension: &str,
    columns: usize,
) -> Result<Vec<Answer>, ScoresError> {
    const VALUES: [&str; 3] = ["value_0", "value_1", "value_2"];
    let metrics = text(batch, "metric")?;
    let decimal = |name: &'static str| {
        let array = batch.column_by_name(name).and_then(|a| a.as_primitive_opt::<Decimal128Type>());
        array.ok_or(ScoresError::Column(name))
    };
    let (min, max, score) = (decimal("scale_min")?, decimal("scale_max")?, decimal("score")?);
    let effort = batch.column_by_name("is_effort").and_then(|a| a.as_boolean_opt());
    let effort = effort.ok_or(ScoresError::Column("is_effort"))?;
    let days = batch.column_by_name("day").and_then(|a| a.as_primitive_opt::<Date32Type>());
    let days = days.ok_or(ScoresError::Column("day"))?;
    let counts = batch.column_by_name("n").and_then(|a| a.as_primitive_opt::<Int64Type>());
    let counts = counts.ok_or(ScoresError::Column("n"))?;
    let named = batch.column_by_name("is_favourable").and_then(|a| a.as_boolean_opt());
    let named = named.ok_or(ScoresError::Column("is_favourable"))?;
    let strata = batch.column_by_name("stratum").and_then(|a| a.as_string_opt::<i32>());
    let values: Vec<&StringArray> =
        VALUES.into_iter().take(columns).map(|name| text(batch, name)).collect::<Result<_, _>>()?;
    let whole = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
    let answer = |i: usize| {
        let value = |array: &&StringArray| {
            if array.is_valid(i) { array.value(i).to_owned() } else { NONE.to_owned() }
        };
        let values: Vec<String> = values.iter().map(value).collect();
        Answer {
            metric: metrics.value(i).to_owned(),
            scale: Scale { min: whole(min.value(i)), max: whole(max.value(i)) },
            is_effort: effort.is_valid(i) && effort.value(i),
            score: whole(score.value(i)),
            favourable: named.is_valid(i).then(|| named.value(i)),
            day: days.value(i),
            dimension: dimension.to_owned(),
            value: if values.is_empty() { ALL.to_owned() } else { values.join(&PAIR.to_string()) },
            stratum: strata.map(|array| value(&array)).unwrap_or_default(),
            count: u64::try_from(counts.value(i)).unwrap_or(0),
        }
    };
    Ok((0..batch.num_rows()).map(answer).collect())
}

fn text<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a StringArray, ScoresError> {
    let array = batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
    array.ok_or(ScoresError::Column(name))
}

/// What both tables of scores tell of a cell.
pub(super) fn cell_columns(scores: &[&Score]) -> Vec<(&'static str, ArrayRef)> {
    let text = |of: fn(&Score) -> &str| -> ArrayRef {
        Arc::new(scores.iter().map(|score| Some(of(score))).collect::<StringArray>())
    };
    let float = |of: fn(&Score) -> Option<f64>| float(scores, of);
    let count = |of: &dyn Fn(&Score) -> Option<u64>| -> ArrayRef {
        let whole = |score: &&Score| of(score).map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        Arc::new(scores.iter().map(whole).collect::<Int64Array>())
    };
    let whole = |of: fn(&Score) -> i64| -> ArrayRef {
        Arc::new(scores.iter().map(|score| Some(of(score))).collect::<Int64Array>())
    };
    let bucket =
        |i: usize| count(&move |score: &Score| score.nps.and_then(|of| of.get(i).copied()));
    let start: Date32Array = scores.iter().map(|score| Some(score.start)).collect();
    let hidden: BooleanArray = scores.iter().map(|score| Some(score.is_suppressed)).collect();
    vec![
        ("metric", text(|score| score.definition)),
        ("scale", text(|score| &score.scale)),
        ("definition_id", text(|score| score.definition)),
        ("definition_version", whole(|score| score.version)),
        ("period_grain", text(|score| score.grain)),
        ("period_start", Arc::new(start) as ArrayRef),
        ("year", whole(|score| score.year)),
        ("n", count(&|score| Some(score.n))),
        ("promoters", bucket(0)),
        ("passives", bucket(1)),
        ("detractors", bucket(2)),
        ("favourable", count(&|score| score.favourable)),
        ("score", float(|score| score.score)),
        ("ci_low", float(|score| score.interval.map(|interval| interval.low))),
        ("ci_high", float(|score| score.interval.map(|interval| interval.high))),
        ("is_suppressed", Arc::new(hidden) as ArrayRef),
    ]
}

fn float(scores: &[&Score], of: fn(&Score) -> Option<f64>) -> ArrayRef {
    let finite = |score: &&Score| of(score).filter(|value| value.is_finite());
    Arc::new(scores.iter().map(finite).collect::<Float64Array>())
}

/// Scores as rows of `experience_scores`.
///
/// # Errors
/// The columns do not fit each other.
pub fn batch(scores: &[&Score]) -> Result<RecordBatch, ScoresError> {
    let text = |of: fn(&Score) -> &str| -> ArrayRef {
        Arc::new(scores.iter().map(|score| Some(of(score))).collect::<StringArray>())
    };
    let float = |of: fn(&Score) -> Option<f64>| float(scores, of);
    let mut columns = cell_columns(scores);
    columns.extend([
        ("dimension", text(|score| &score.dimension)),
        ("dimension_value", text(|score| &score.value)),
        ("previous_score", float(|score| score.previous_score)),
        ("change", float(|score| Some(score.score? - score.previous_score?))),
        ("change_low", float(|score| score.change.map(|change| change.interval.low))),
        ("change_high", float(|score| score.change.map(|change| change.interval.high))),
        ("p_value", float(|score| score.change?.p_value)),
        ("p_value_holm", float(|score| score.p_value_holm)),
        ("rest_score", float(|score| score.rest_score)),
        ("rest_difference", float(|score| Some(score.score? - score.rest_score?))),
        ("rest_p_value", float(|score| score.rest?.p_value)),
        ("rest_low", float(|score| score.rest.map(|rest| rest.interval.low))),
        ("rest_high", float(|score| score.rest.map(|rest| rest.interval.high))),
        ("rest_p_value_holm", float(|score| score.rest_p_value_holm)),
        ("weighted_score", float(|score| Some(score.weighted?.score))),
        ("weighted_low", float(|score| Some(score.weighted?.interval?.low))),
        ("weighted_high", float(|score| Some(score.weighted?.interval?.high))),
        ("design_effect", float(|score| Some(score.weighted?.design_effect))),
    ]);
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(ScoresError::Rows)
}
