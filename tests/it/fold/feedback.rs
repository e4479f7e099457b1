//! Churn after feedback: as of a day, and without what came later.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use cxmart::measure::fold::{Grain, Terms};

use super::{Row, calendar, day, fold, order, retention, row, terms};

fn feedback(terms: &Terms, rows: &[Row]) -> RecordBatch {
    let calendar = calendar(terms.horizon_day, &[Grain::Month]);
    let folded = fold(&retention(terms, &calendar), rows);
    folded.counted.feedback.batch(terms).expect("a batch")
}

fn answer(customer: &str, day: i32, score: i128) -> Row {
    let (score, scale_max) = (Some(score * 10_000), Some(100_000));
    Row { name: Some("nps"), score, scale_max, ..row(customer, "survey_answered", day, 3) }
}

/// n and churned of a bucket.
fn cell(batch: &RecordBatch, metric: &str, bucket: &str, window: i64) -> (i64, i64) {
    let count = |column: &str, i: usize| batch[column].as_primitive::<Int64Type>().value(i);
    let text = |column: &str, i: usize| batch[column].as_string::<i32>().value(i).to_owned();
    let found = (0..batch.num_rows()).find(|i| {
        text("metric", *i) == metric
            && text("bucket", *i) == bucket
            && count("window_days", *i) == window
    });
    found.map_or((-1, -1), |i| (count("n", i), count("churned", i)))
}

#[test]
fn the_newest_answer_before_the_window_counts_and_none_after_it() {
    let horizon = day("2024-12-31");
    let landmark = horizon - 90;
    let end = |customer: &str, day| row(customer, "subscription_ended", day, 9);
    let mut rows: Vec<Row> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|id| row(id, "subscription_started", landmark - 100, 1))
        .collect();
    rows.extend([
        answer("a", landmark - 50, 2),
        answer("a", landmark, 10),
        // On the day after: too late to be known.
        answer("b", landmark + 1, 1),
        answer("c", landmark - 1, 0),
        answer("d", landmark - 1, 7),
        end("c", landmark + 90),
        end("d", landmark),
        answer("e", landmark - 5, 6),
        end("e", landmark + 10),
    ]);
    let got = feedback(&terms(horizon), &rows);
    assert_eq!(cell(&got, "nps", "promoter", 90), (1, 0));
    assert_eq!(cell(&got, "nps", "no_answer", 90), (1, 0));
    assert_eq!(cell(&got, "nps", "detractor", 90), (2, 2), "c on the window's last day, and e");
    assert_eq!(cell(&got, "nps", "passive", 90), (0, 0), "d had gone by then");
    // For 30 days b's answer is old enough; c leaves on the last of them.
    assert_eq!(cell(&got, "nps", "detractor", 30), (2, 1));
    assert_eq!(cell(&got, "csat", "no_answer", 90), (4, 2));
    assert_eq!(cell(&got, "nps", "no_answer", 180), (5, 3), "nobody had answered");
}

/// Rates and risks as a textbook table gives them: 30 of 100 against 10 of 100 is a relative risk
/// of 3 with the interval 1.55 to 5.80 (Katz).
#[test]
fn risks_are_held_against_the_best_class() {
    let horizon = day("2024-12-31");
    let landmark = horizon - 90;
    let mut rows = Vec::new();
    for i in 0..200 {
        let id = format!("c{i:03}");
        let is_detractor = i < 100;
        rows.push(row(&id, "subscription_started", landmark - 100, 1));
        rows.push(answer(&id, landmark - 3, if is_detractor { 3 } else { 9 }));
        if i % 100 < if is_detractor { 30 } else { 10 } {
            rows.push(row(&id, "subscription_ended", landmark + 40, 9));
        }
    }
    let got = feedback(&terms(horizon), &rows);
    let at = (0..got.num_rows())
        .find(|i| {
            got["bucket"].as_string::<i32>().value(*i) == "detractor"
                && got["window_days"].as_primitive::<Int64Type>().value(*i) == 90
        })
        .expect("a row");
    let share = |column: &str| got[column].as_primitive::<Float64Type>().value(at);
    assert!((share("rate") - 0.3).abs() < 1e-12);
    assert!((share("relative_risk") - 3.0).abs() < 1e-12);
    assert!((share("relative_risk_low") - 1.551).abs() < 1e-3, "{}", share("relative_risk_low"));
    assert!((share("relative_risk_high") - 5.803).abs() < 2e-3, "{}", share("relative_risk_high"));
    // 30 churned in 30 × 40 + 70 × 90 days.
    assert!((share("hazard") - 30.0 / (7_500.0 / 365.25)).abs() < 1e-9);
    assert!(share("hazard_low") < share("hazard") && share("hazard") < share("hazard_high"));
}

#[test]
fn before_a_first_window_is_over_nothing_is_said() {
    let got = feedback(&terms(day("2024-01-20")), &[order("a", day("2024-01-10"), 1)]);
    assert_eq!(got.num_rows(), 0);
    let terms = Terms { min_cell: 2, ..terms(day("2024-02-20")) };
    let got = feedback(&terms, &[order("a", day("2024-01-10"), 1)]);
    assert!(got.num_rows() > 0);
    assert_eq!(got["churned"].null_count(), got.num_rows());
}

#[test]
fn the_jobs_favourable_set_goes_before_the_one_the_field_agrees_on() {
    let horizon = day("2024-12-31");
    let asked = horizon - 40;
    let told = |customer: &str, max: i128, score: i128, is_favourable: Option<bool>| Row {
        name: Some("csat"),
        score: Some(score * 10_000),
        scale_max: Some(max * 10_000),
        is_favourable,
        ..row(customer, "survey_answered", asked, 3)
    };
    let mut rows: Vec<Row> = ["a", "b", "c", "d"]
        .iter()
        .map(|id| row(id, "subscription_started", asked - 100, 1))
        .collect();
    // Eight of ten is none by itself; four of six has no agreed reading at all.
    rows.extend([
        told("a", 10, 8, None),
        told("b", 10, 8, Some(true)),
        told("c", 6, 4, Some(true)),
        told("d", 5, 5, Some(false)),
    ]);
    let got = feedback(&terms(horizon), &rows);
    assert_eq!(cell(&got, "csat", "favourable", 30), (2, 0));
    assert_eq!(cell(&got, "csat", "not_favourable", 30), (2, 0));
    assert_eq!(cell(&got, "csat", "no_answer", 30), (0, 0));
}
