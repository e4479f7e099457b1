//! One rule for all sources: an answer lies on its scale, or it is a reject and never a number.
//!
//! What a staging model says of a scale is overlaid by what the job says: a company knows that its
//! survey went from five to ten points in March, the export often does not. Scales come from the
//! vendor or the job, never from the answers.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;

use super::StageError;
use super::refuse::{COLUMN, RULE, TEXT};
use crate::table::day::date;

/// Table whose rows are answers.
pub const ANSWERS: &str = "survey_responses";
/// Rule of rejects.
pub const OFF_SCALE: &str = "off_scale";
/// Ten-thousandths of one point.
const POINT: i128 = 10_000;
const MONEY: DataType = DataType::Decimal128(18, 4);

/// What the job says of some answers; what is none fits, or stays as the model says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scale {
    pub account: Option<String>,
    pub survey: Option<String>,
    pub question: Option<String>,
    pub of: Option<String>,
    pub since: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
    pub metric: Option<String>,
    /// In whole points.
    pub min: i64,
    pub max: i64,
    pub is_effort: Option<bool>,
    /// Least and greatest favourable answer, as given.
    pub favourable: Option<(i64, i64)>,
}

/// Columns of a batch that a rule looks at; a model may leave any of them out.
struct Columns {
    texts: Vec<(&'static str, Option<StringArray>)>,
    score: Option<Decimal128Array>,
    min: Option<Decimal128Array>,
    max: Option<Decimal128Array>,
    effort: Option<BooleanArray>,
    favourable: Option<BooleanArray>,
    days: Vec<Option<NaiveDate>>,
}

const TEXTS: [&str; 8] =
    ["metric", "survey_id", "survey_name", "question_id", "question_text", RULE, COLUMN, TEXT];

impl Columns {
    fn new(rows: &RecordBatch, zone: Tz) -> Result<Self, arrow::error::ArrowError> {
        let typed = |name: &str, kind: &DataType| match rows.column_by_name(name) {
            Some(column) => cast(column, kind).map(Some),
            None => Ok(None),
        };
        let decimal = |name: &str| -> Result<Option<Decimal128Array>, arrow::error::ArrowError> {
            Ok(typed(name, &MONEY)?.map(|column| column.as_primitive::<Decimal128Type>().clone()))
        };
        let mut texts = Vec::new();
        for name in TEXTS {
            let column = typed(name, &DataType::Utf8)?;
            texts.push((name, column.map(|column| column.as_string::<i32>().clone())));
        }
        let truth = |name: &str| -> Result<Option<BooleanArray>, arrow::error::ArrowError> {
            Ok(typed(name, &DataType::Boolean)?.map(|column| column.as_boolean().clone()))
        };
        Ok(Self {
            texts,
            score: decimal("score")?,
            min: decimal("scale_min")?,
            max: decimal("scale_max")?,
            effort: truth("is_effort")?,
            favourable: truth("is_favourable")?,
            days: days(rows, zone)?,
        })
    }

    fn text(&self, name: &str, row: usize) -> Option<&str> {
        let (_, column) = self.texts.iter().find(|(known, _)| *known == name)?;
        let column = column.as_ref()?;
        column.is_valid(row).then(|| column.value(row))
    }
}

/// Local day of each answer, else of the question.
fn days(rows: &RecordBatch, zone: Tz) -> Result<Vec<Option<NaiveDate>>, arrow::error::ArrowError> {
    let mut days = vec![None; rows.num_rows()];
    for name in ["asked_at", "answered_at"] {
        let Some(column) = rows.column_by_name(name) else { continue };
        if column.data_type() == &DataType::Date32 {
            let dates = column.as_primitive::<Date32Type>().iter();
            for (day, found) in days.iter_mut().zip(dates) {
                *day = found.map(date).or(*day);
            }
            continue;
        }
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let times = cast(column, &utc)?;
        for (day, at) in days.iter_mut().zip(times.as_primitive::<TimestampMicrosecondType>()) {
            let local = at.and_then(DateTime::from_timestamp_micros);
            *day = local.map(|at| at.with_timezone(&zone).date_naive()).or(*day);
        }
    }
    Ok(days)
}

/// What an answer is held against, and what becomes of it.
#[derive(Debug, Clone, Default)]
struct Verdict {
    metric: Option<String>,
    min: Option<i128>,
    max: Option<i128>,
    is_effort: Option<bool>,
    is_favourable: Option<bool>,
    rule: Option<String>,
    column: Option<String>,
    text: Option<String>,
}

fn judge(columns: &Columns, scales: &[Scale], account: &str, row: usize) -> Verdict {
    let number = |column: &Option<Decimal128Array>| {
        let column = column.as_ref().filter(|column| column.is_valid(row))?;
        Some(column.value(row))
    };
    let text = |name: &str| columns.text(name, row).map(str::to_owned);
    let score = number(&columns.score);
    let truth = |column: &Option<BooleanArray>| {
        let column = column.as_ref().filter(|column| column.is_valid(row))?;
        Some(column.value(row))
    };
    let mut verdict = Verdict {
        metric: text("metric"),
        min: number(&columns.min),
        max: number(&columns.max),
        is_effort: truth(&columns.effort),
        is_favourable: truth(&columns.favourable),
        rule: text(RULE),
        column: text(COLUMN),
        text: text(TEXT),
    };
    if let Some(scale) = scales.iter().find(|scale| fits(scale, columns, account, row)) {
        verdict.metric = scale.metric.clone().or(verdict.metric);
        verdict.min = Some(i128::from(scale.min) * POINT);
        verdict.max = Some(i128::from(scale.max) * POINT);
        verdict.is_effort = scale.is_effort.or(verdict.is_effort);
        verdict.is_favourable = scale.favourable.zip(score).map(|((least, greatest), score)| {
            (i128::from(least) * POINT..=i128::from(greatest) * POINT).contains(&score)
        });
        // The model judged by a scale that does not hold here.
        if verdict.rule.as_deref() == Some(OFF_SCALE) && score.is_some() {
            (verdict.rule, verdict.column, verdict.text) = (None, None, None);
        }
    } else if matches!(verdict.metric.as_deref(), Some("nps" | "enps")) {
        // Net promoter questions have one scale, by definition.
        verdict.min = verdict.min.or(Some(0));
        verdict.max = verdict.max.or(Some(10 * POINT));
    }
    if let (Some(min), Some(max), Some(score)) = (verdict.min, verdict.max, score)
        && verdict.rule.is_none()
        && !(min..=max).contains(&score)
    {
        verdict.rule = Some(OFF_SCALE.to_owned());
        verdict.column = verdict.column.or_else(|| Some("score".to_owned()));
        verdict.text = verdict.text.or_else(|| Some(points(score)));
    }
    verdict
}

fn fits(scale: &Scale, columns: &Columns, account: &str, row: usize) -> bool {
    let one_of = |wanted: &Option<String>, names: [&str; 2]| match wanted {
        None => true,
        Some(wanted) => names.iter().any(|name| columns.text(name, row) == Some(wanted.as_str())),
    };
    let day = columns.days.get(row).copied().flatten();
    scale.account.as_deref().is_none_or(|wanted| wanted == account)
        && scale.of.as_deref().is_none_or(|of| columns.text("metric", row) == Some(of))
        && one_of(&scale.survey, ["survey_id", "survey_name"])
        && one_of(&scale.question, ["question_id", "question_text"])
        && scale.since.is_none_or(|since| day.is_some_and(|day| day >= since))
        && scale.until.is_none_or(|until| day.is_some_and(|day| day <= until))
}

/// Ten-thousandths as people write them.
fn points(score: i128) -> String {
    let text = format!("{:.4}", score as f64 / POINT as f64);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Puts the scales of the job over the rows of a staging model of answers, and marks every answer
/// off its scale as a reject.
///
/// # Errors
/// A column cannot be what its name says.
pub fn on_scale(
    scales: &[Scale],
    account: &str,
    zone: Tz,
    rows: &RecordBatch,
) -> Result<RecordBatch, StageError> {
    let fail = |source: arrow::error::ArrowError| StageError::Frame {
        spec: ANSWERS.to_owned(),
        source: source.into(),
    };
    let columns = Columns::new(rows, zone).map_err(fail)?;
    let verdicts: Vec<Verdict> =
        (0..rows.num_rows()).map(|row| judge(&columns, scales, account, row)).collect();
    let text = |of: fn(&Verdict) -> Option<&String>| -> ArrayRef {
        Arc::new(verdicts.iter().map(of).collect::<StringArray>())
    };
    let flag = |of: fn(&Verdict) -> Option<bool>| -> ArrayRef {
        Arc::new(verdicts.iter().map(of).collect::<BooleanArray>())
    };
    let decimal = |of: fn(&Verdict) -> Option<i128>| -> Result<ArrayRef, StageError> {
        let array = verdicts.iter().map(of).collect::<Decimal128Array>();
        Ok(Arc::new(array.with_precision_and_scale(18, 4).map_err(fail)?))
    };
    let made: [(&str, ArrayRef); 8] = [
        ("metric", text(|verdict| verdict.metric.as_ref())),
        ("scale_min", decimal(|verdict| verdict.min)?),
        ("scale_max", decimal(|verdict| verdict.max)?),
        ("is_effort", flag(|verdict| verdict.is_effort)),
        ("is_favourable", flag(|verdict| verdict.is_favourable)),
        (RULE, text(|verdict| verdict.rule.as_ref())),
        (COLUMN, text(|verdict| verdict.column.as_ref())),
        (TEXT, text(|verdict| verdict.text.as_ref())),
    ];
    let schema = rows.schema();
    let kept = schema.fields().iter().zip(rows.columns());
    let kept = kept.filter(|(field, _)| !made.iter().any(|(name, _)| name == field.name()));
    let kept = kept.map(|(field, column)| (field.name().clone(), Arc::clone(column)));
    let kept: Vec<(String, ArrayRef)> = kept.collect();
    let made = made.iter().map(|(name, column)| ((*name).to_owned(), Arc::clone(column)));
    let all = kept.into_iter().chain(made).map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(all).map_err(fail)
}
