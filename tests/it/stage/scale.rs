//! Answers and their scales: what the job says wins over the mapping, and what lies off is refused.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Decimal128Type;
use chrono::{DateTime, Utc};
use chrono_tz::Europe::Copenhagen;
use cxmart::stage::scale::{Scale, on_scale};

fn points(values: &[Option<i128>]) -> ArrayRef {
    let array: Decimal128Array = values.iter().map(|v| v.map(|v| v * 10_000)).collect();
    Arc::new(array.with_precision_and_scale(18, 4).expect("money"))
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

/// Metric, survey, least, greatest, score, time.
type Given = (&'static str, &'static str, Option<i128>, Option<i128>, Option<i128>, &'static str);

fn rows(given: &[Given]) -> RecordBatch {
    let times: Vec<i64> = given
        .iter()
        .map(|row| row.5.parse::<DateTime<Utc>>().expect("a time").timestamp_micros())
        .collect();
    let column = |of: fn(&Given) -> Option<i128>| points(&given.iter().map(of).collect::<Vec<_>>());
    RecordBatch::try_from_iter_with_nullable(vec![
        ("metric", texts(&given.iter().map(|row| Some(row.0)).collect::<Vec<_>>()), true),
        ("survey_name", texts(&given.iter().map(|row| Some(row.1)).collect::<Vec<_>>()), true),
        ("scale_min", column(|row| row.2), true),
        ("scale_max", column(|row| row.3), true),
        ("score", column(|row| row.4), true),
        (
            "answered_at",
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
            true,
        ),
    ])
    .expect("columns of one length")
}

fn rules(batch: &RecordBatch) -> Vec<Option<&str>> {
    let rules = batch.column_by_name("reject_rule").expect("a rule").as_string::<i32>();
    (0..rules.len()).map(|i| rules.is_valid(i).then(|| rules.value(i))).collect()
}

const NOON: &str = "2024-02-10T12:00:00Z";

/// No mapping needs a rule of its own: the answers of every source pass here.
#[test]
fn an_answer_off_its_scale_is_refused_whatever_the_mapping_says() {
    let batch = rows(&[
        ("csat", "", Some(1), Some(5), Some(6), NOON),
        ("csat", "", Some(1), Some(5), Some(0), NOON),
        ("csat", "", Some(1), Some(5), Some(5), NOON),
        // Net promoter questions have one scale.
        ("nps", "", None, None, Some(0), NOON),
        ("nps", "", None, None, Some(11), NOON),
        ("csat", "", Some(1), Some(5), None, NOON),
        // Nobody says the scale: no number, and no reject.
        ("csat", "", None, None, Some(9), NOON),
    ]);
    let staged = on_scale(&[], "main", Copenhagen, &batch).expect("rows");
    let off = Some("off_scale");
    assert_eq!(rules(&staged), [off, off, None, None, off, None, None]);
    let most =
        staged.column_by_name("scale_max").expect("a scale").as_primitive::<Decimal128Type>();
    assert_eq!(most.value(3), 100_000);
    assert!(most.is_null(6));
}

#[test]
fn a_survey_that_went_to_ten_points_in_march_has_two_scales() {
    let scale = Scale {
        survey: Some("delivery".into()),
        of: Some("csat".into()),
        since: Some("2024-03-01".parse().expect("a day")),
        min: 1,
        max: 10,
        favourable: Some((8, 10)),
        ..Scale::default()
    };
    let five = |survey, score, at| ("csat", survey, Some(1), Some(5), Some(score), at);
    let batch = rows(&[
        five("delivery", 8, "2024-02-29T22:59:59Z"),
        // Midnight in Copenhagen.
        five("delivery", 8, "2024-02-29T23:00:00Z"),
        five("delivery", 11, "2024-03-02T12:00:00Z"),
        five("delivery", 7, "2024-03-02T12:00:00Z"),
        five("other", 8, "2024-03-02T12:00:00Z"),
    ]);
    let off = Some("off_scale");
    let refused = vec![off, off, off, off, off];
    // The mapping judged by five points, and said so.
    let mut columns: Vec<(String, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| (field.name().clone(), Arc::clone(column)))
        .collect();
    columns.push(("reject_rule".into(), texts(&refused)));
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let judged = RecordBatch::try_from_iter_with_nullable(columns).expect("rows");
    let staged = on_scale(&[scale], "main", Copenhagen, &judged).expect("rows");
    assert_eq!(rules(&staged), [off, None, off, None, off]);
    let named = staged.column_by_name("is_favourable").expect("a set").as_boolean();
    let named: Vec<_> = (0..5).map(|i| named.is_valid(i).then(|| named.value(i))).collect();
    assert_eq!(named, [None, Some(true), Some(false), Some(false), None]);
}

#[test]
fn a_scale_of_the_job_says_metric_and_direction_too() {
    let scale = Scale {
        account: Some("dk".into()),
        metric: Some("ces".into()),
        min: 1,
        max: 7,
        is_effort: Some(true),
        ..Scale::default()
    };
    let batch = rows(&[("other", "", None, None, Some(7), NOON)]);
    let scales = [scale];
    let staged = on_scale(&scales, "dk", Copenhagen, &batch).expect("rows");
    assert_eq!(staged.column_by_name("metric").expect("text").as_string::<i32>().value(0), "ces");
    assert!(staged.column_by_name("is_effort").expect("a flag").as_boolean().value(0));
    let other = on_scale(&scales, "no", Copenhagen, &batch).expect("rows");
    assert_eq!(other.column_by_name("metric").expect("text").as_string::<i32>().value(0), "other");
}
