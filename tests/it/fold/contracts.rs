//! Renewals and their projection.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use cxmart::measure::fold::contracts::renewed;
use cxmart::measure::fold::membership::Span;
use cxmart::measure::fold::{Grain, Terms};
use cxmart::measure::kernel::sbg::Renewed;

use super::{Row, calendar, day, fold, retention, row, terms};

#[test]
fn a_contract_of_k_months_has_left_at_renewal_k() {
    let start = day("2024-01-15");
    let left = |until: &str| {
        let since = day(until);
        let span = Span { start, end: Some(since + 5), silent_since: Some(since) };
        renewed(&span, day("2025-12-31"))
    };
    for (until, renewal) in [
        ("2024-01-16", 1),
        ("2024-02-14", 1),
        ("2024-02-15", 1),
        ("2024-03-15", 2),
        ("2024-07-15", 6),
        ("2025-01-15", 12),
    ] {
        assert_eq!(left(until), Renewed { renewal, has_left: true }, "{until}");
    }
    let open = Span { start, end: None, silent_since: None };
    for (horizon, renewal) in [("2024-01-15", 0), ("2024-02-10", 0), ("2024-05-16", 4)] {
        assert_eq!(renewed(&open, day(horizon)), Renewed { renewal, has_left: false });
    }
}

fn projection(terms: &Terms, rows: &[Row]) -> (RecordBatch, RecordBatch) {
    let calendar = calendar(terms.horizon_day, &[Grain::Month]);
    let folded = fold(&retention(terms, &calendar), rows);
    let projected = folded.counted.renewals.batch(&calendar, terms, 0.01).expect("a batch");
    (projected, folded.contracts.batch().expect("a batch"))
}

fn numbers(batch: &RecordBatch, column: &str) -> Vec<Option<f64>> {
    batch[column].as_primitive::<Float64Type>().iter().collect()
}

/// Two cohorts of which the later is too small for a fit of its own.
#[test]
fn small_cohorts_are_told_by_the_fit_over_all() {
    let (first, later) = (day("2023-01-10"), day("2023-06-10"));
    let mut rows = Vec::new();
    for i in 0..240_i32 {
        let id = format!("c{i:03}");
        let start = if i < 200 { first } else { later };
        rows.push(row(&id, "subscription_started", start, 1));
        let months = 1 + (i * i) % 17;
        if i % 4 != 0 && (i < 200 || i % 8 == 1) {
            let end = start + (f64::from(months) * 30.4375).round() as i32;
            rows.push(row(&id, "subscription_ended", end, 1));
        }
    }
    let (got, contracts) = projection(&terms(day("2024-12-31")), &rows);
    let text = |column: &str, i: usize| got[column].as_string::<i32>().value(i).to_owned();
    let status: Vec<(String, String)> =
        (0..got.num_rows()).map(|i| (text("cohort_grain", i), text("status", i))).collect();
    assert!(status.contains(&("all".into(), "fitted".into())));
    assert!(status.contains(&("month".into(), "fitted".into())));
    assert!(status.contains(&("month".into(), "pooled".into())));
    let (observed, model) = (numbers(&got, "observed_survival"), numbers(&got, "survival"));
    assert_eq!((observed[0], model[0]), (Some(1.0), Some(1.0)));
    let periods = got["period_index"].as_primitive::<Int64Type>();
    // Far beyond what anybody has lived to there is a projection and no observation.
    let last = (0..got.num_rows()).find(|i| periods.value(*i) == 45).expect("a row");
    assert!(observed[last].is_none() && model[last].is_some_and(|share| share > 0.0));
    assert_eq!(contracts.num_rows(), 240);
    let active = contracts["is_active"].as_boolean();
    assert_eq!(
        active.iter().filter(|flag| *flag == Some(true)).count(),
        contracts["ended_on"].null_count()
    );
}

#[test]
fn without_contracts_nothing_is_projected() {
    let (got, contracts) = projection(&terms(100), &[super::order("a", 10, 1)]);
    assert_eq!((got.num_rows(), contracts.num_rows()), (0, 0));
    let (got, _) = projection(&terms(100), &[row("a", "subscription_started", 10, 1)]);
    assert!(got.num_rows() > 0);
    assert_eq!(got["survival"].null_count(), got.num_rows(), "one contract fits nothing");
}
