//! Survival of cohorts and segments, against a walk that counts who is left.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use cxmart::measure::fold::{Grain, Terms};
use proptest::prelude::*;

use super::{Row, calendar, day, fold, order, retention, terms};

fn survival(terms: &Terms, rows: &[Row]) -> (RecordBatch, RecordBatch) {
    let calendar = calendar(terms.horizon_day, &[Grain::Month]);
    let folded = fold(&retention(terms, &calendar), rows);
    folded.counted.survival.batches(&calendar, terms).expect("batches")
}

/// `t`, at risk, events, censored and survival of one group.
fn steps(curves: &RecordBatch, grain: &str, segment: &str) -> Vec<(i64, i64, i64, i64, f64)> {
    let count = |column: &str, i: usize| curves[column].as_primitive::<Int64Type>().value(i);
    (0..curves.num_rows())
        .filter(|i| curves["cohort_grain"].as_string::<i32>().value(*i) == grain)
        .filter(|i| curves["segment"].as_string::<i32>().value(*i) == segment)
        .map(|i| {
            let survival = curves["survival"].as_primitive::<Float64Type>().value(i);
            let (risk, events) = (count("at_risk", i), count("events", i));
            (count("t", i), risk, events, count("censored", i), survival)
        })
        .collect()
}

#[test]
fn lives_end_with_their_silence_and_are_cut_at_the_horizon() {
    let horizon = day("2024-12-31");
    let start = day("2024-01-10");
    let rows = [
        // Silent from the first day on: a life of 90 days.
        order("a", start, 1),
        // Bought again after 30 days: 120.
        order("b", start, 1),
        order("b", start + 30, 1),
        // Churned and came back: the first churn counts.
        order("c", start, 1),
        order("c", horizon, 1),
        // Still there.
        order("d", horizon - 40, 1),
    ];
    let (curves, summary) = survival(&terms(horizon), &rows);
    let all = steps(&curves, "all", "all");
    assert_eq!(all, [(40, 4, 0, 1, 1.0), (90, 3, 2, 0, 1.0 / 3.0), (120, 1, 1, 0, 0.0)]);
    let first = |column: &str| summary[column].as_primitive::<Int64Type>().value(0);
    assert_eq!((first("n"), first("events"), first("median_days")), (4, 3, 90));
    let mean = summary["rmst_days"].as_primitive::<Float64Type>().value(0);
    assert!((mean - (90.0 + 30.0 / 3.0)).abs() < 1e-12);
    // Three of January and one of November.
    let cohorts = summary["cohort"].as_primitive::<Date32Type>();
    let grains = summary["cohort_grain"].as_string::<i32>();
    let months: Vec<_> = (0..summary.num_rows()).filter(|i| grains.value(*i) == "month").collect();
    let months: Vec<_> = months.iter().map(|i| cohorts.value(*i)).collect();
    assert_eq!(months, [day("2024-01-01"), day("2024-11-01")]);
    assert_eq!(cohorts.value(0), 0, "all cohorts together have no day");
}

#[test]
fn small_groups_are_counted_and_not_drawn() {
    let terms = Terms { min_cell: 2, ..terms(day("2024-12-31")) };
    let (curves, summary) = survival(&terms, &[order("a", day("2024-01-10"), 1)]);
    assert_eq!(curves.num_rows(), 0);
    assert_eq!(summary["n"].as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(summary["events"].null_count(), summary.num_rows());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The oracle asks on each day of life who is still there.
    #[test]
    fn curves_equal_a_walk_over_the_days_of_lives(orders in prop::collection::vec(
        (0..12_u8, 0..400_i32), 1..60,
    ), inactive_days in 1..100_i32) {
        let terms = Terms { inactive_days, ..terms(18_000 + 420) };
        let names: Vec<String> = (0..12).map(|i| format!("c{i:02}")).collect();
        let rows: Vec<Row> = orders.iter()
            .map(|(customer, day)| order(&names[usize::from(*customer)], 18_000 + day, 1))
            .collect();
        let (curves, _) = survival(&terms, &rows);
        let mut days: BTreeMap<u8, Vec<i32>> = BTreeMap::new();
        for (customer, day) in &orders {
            days.entry(*customer).or_default().push(18_000 + day);
        }
        // How long each was there, and whether the silence completed.
        let lives: Vec<(i32, bool)> = days.values().map(|days| {
            let first = *days.iter().min().expect("a day");
            let silent = |day: i32| !days.iter().any(|d| (day - inactive_days + 1..=day).contains(d));
            let churn = (first..=terms.horizon_day).find(|day| silent(*day));
            (churn.unwrap_or(terms.horizon_day) - first, churn.is_some())
        }).collect();
        let mut left = 1.0;
        let mut expected = Vec::new();
        for t in 0..=500 {
            let risk = lives.iter().filter(|life| life.0 >= t).count();
            let events = lives.iter().filter(|life| **life == (t, true)).count();
            let censored = lives.iter().filter(|life| **life == (t, false)).count();
            if events + censored > 0 {
                left *= 1.0 - events as f64 / risk as f64;
                expected.push((i64::from(t), risk as i64, events as i64, censored as i64, left));
            }
        }
        let got = steps(&curves, "all", "all");
        prop_assert_eq!(got.len(), expected.len());
        for (got, wanted) in got.iter().zip(&expected) {
            prop_assert_eq!((got.0, got.1, got.2, got.3), (wanted.0, wanted.1, wanted.2, wanted.3));
            prop_assert!((got.4 - wanted.4).abs() < 1e-9);
        }
    }
}
