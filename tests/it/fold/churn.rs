//! The churn ledger, against a walk over every day of every life.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use cxmart::measure::fold::retention::Retention;
use cxmart::measure::fold::{Calendar, Grain, Terms};
use proptest::prelude::*;

use super::{Row, calendar, day, fold, order, row, terms};

fn ledger(terms: &Terms, grains: &[Grain], rows: &[Row]) -> RecordBatch {
    ledger_by(terms, &calendar(terms.horizon_day, grains), rows)
}

fn ledger_by(terms: &Terms, calendar: &Arc<Calendar>, rows: &[Row]) -> RecordBatch {
    let cohorts = Arc::clone(calendar);
    let retention = Retention { terms: terms.clone(), ledger: Arc::clone(calendar), cohorts };
    fold(&retention, rows).churn.batch(calendar, terms).expect("a batch")
}

fn counts(batch: &RecordBatch, column: &str) -> Vec<i64> {
    batch[column].as_primitive::<Int64Type>().values().to_vec()
}

fn shares(batch: &RecordBatch, column: &str) -> Vec<Option<f64>> {
    batch[column].as_primitive::<Float64Type>().iter().collect()
}

fn money(batch: &RecordBatch, column: &str) -> Vec<Option<i128>> {
    batch[column].as_primitive::<Decimal128Type>().iter().collect()
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let texts = batch[column].as_string::<i32>();
    (0..texts.len()).map(|i| texts.value(i).to_owned()).collect()
}

/// Rows of one dimension.
fn of(batch: &RecordBatch, dimension: &str) -> RecordBatch {
    let wanted = texts(batch, "dimension").iter().map(|name| Some(name == dimension)).collect();
    arrow::compute::filter_record_batch(batch, &wanted).expect("a filter")
}

/// 1,000 customers at the start of the quarter, 800 at its end: 20 %.
#[test]
fn a_thousand_customers_of_whom_two_hundred_leave_is_a_churn_of_a_fifth() {
    let (start, leave) = (day("2024-01-01"), day("2024-04-15"));
    let mut rows = Vec::new();
    for i in 0..1_000 {
        let id = format!("c{i:04}");
        rows.push(row(&id, "subscription_started", start, 0));
        if i < 200 {
            rows.push(row(&id, "subscription_ended", leave, 0));
        }
    }
    let got = of(&ledger(&terms(day("2024-06-30")), &[Grain::Quarter], &rows), "all");
    assert_eq!(counts(&got, "n_start"), [0, 1_000]);
    assert_eq!(counts(&got, "n_new"), [1_000, 0]);
    assert_eq!(counts(&got, "n_churned"), [0, 200]);
    assert_eq!(counts(&got, "n_end"), [1_000, 800]);
    assert_eq!(shares(&got, "churn_net"), [None, Some(0.2)]);
    assert_eq!(shares(&got, "churn_gross"), [None, Some(0.2)]);
    // METRICS: 200 of 1,000 has the Wilson interval 17.6 to 22.6.
    let limit = |column| shares(&got, column)[1].map(|share| (share * 1_000.0).round() / 10.0);
    assert_eq!((limit("churn_gross_low"), limit("churn_gross_high")), (Some(17.6), Some(22.6)));
}

/// 200 leave and 300 come: the simple form hides the churn, the gross one does not.
#[test]
fn new_customers_hide_churn_in_the_simple_form_only() {
    let mut rows = Vec::new();
    for i in 0..1_300 {
        let id = format!("c{i:04}");
        let begin = if i < 1_000 { "2024-01-01" } else { "2024-05-01" };
        rows.push(row(&id, "subscription_started", day(begin), 0));
        if i < 200 {
            rows.push(row(&id, "subscription_ended", day("2024-04-15"), 0));
        }
    }
    let got = of(&ledger(&terms(day("2024-06-30")), &[Grain::Quarter], &rows), "all");
    assert_eq!(shares(&got, "churn_gross")[1], Some(0.2));
    assert_eq!(shares(&got, "churn_net")[1], Some(-0.1));
}

#[test]
fn silence_churns_on_the_day_it_completes_and_never_before() {
    let last = day("2024-01-31");
    let rows = [order("a", last, 1), row("b", "event", last, 1)];
    let n_churned = |horizon: i32| {
        counts(&of(&ledger(&terms(horizon), &[Grain::Month], &rows), "all"), "n_churned")
    };
    assert_eq!(n_churned(last + 89), [0, 0, 0, 0]);
    assert_eq!(n_churned(last + 90), [0, 0, 0, 1], "April 30");
    let back = [order("a", last, 1), order("a", last + 90, 1)];
    let got = of(&ledger(&terms(last + 100), &[Grain::Year], &back), "all");
    assert_eq!(counts(&got, "n_churned"), [0], "bought again on the day it would have completed");
    let late = [order("a", last, 1), order("a", last + 91, 1)];
    let got = of(&ledger(&terms(last + 100), &[Grain::Year], &late), "all");
    assert_eq!(counts(&got, "n_churned"), [1]);
    assert_eq!(counts(&got, "n_resurrected"), [1]);
    assert_eq!(counts(&got, "n_churned_of_start"), [0], "came and left inside the year");
}

fn subscription(customer: &str, kind: &'static str, day: i32, mrr: i128) -> Row {
    Row { amount: Some(mrr * 10_000), currency: Some("EUR"), ..row(customer, kind, day, 1) }
}

#[test]
fn recurring_revenue_moves_in_one_class_per_customer_and_period() {
    let (jan, feb, mar, apr) =
        (day("2024-01-10"), day("2024-02-10"), day("2024-03-10"), day("2024-04-10"));
    let (start, end) = ("subscription_started", "subscription_ended");
    let rows = [
        subscription("a", start, jan, 100),
        subscription("a", start, feb, 40),
        subscription("a", end, mar, 100),
        subscription("b", start, jan, 60),
        subscription("b", end, feb, 60),
        subscription("b", start, apr, 70),
        // Changes plan on one day: neither churn nor resurrection.
        subscription("c", start, jan, 10),
        subscription("c", end, mar, 10),
        subscription("c", start, mar, 30),
        Row { currency: Some("USD"), ..subscription("d", start, jan, 999) },
    ];
    let got = of(&ledger(&terms(day("2024-04-30")), &[Grain::Month], &rows), "all");
    let euros = |column: &str| -> Vec<i128> {
        money(&got, column).iter().map(|value| value.expect("money") / 10_000).collect()
    };
    assert_eq!(euros("mrr_new"), [170, 0, 0, 0]);
    assert_eq!(euros("mrr_expansion"), [0, 40, 20, 0]);
    assert_eq!(euros("mrr_contraction"), [0, 0, 100, 0]);
    assert_eq!(euros("mrr_churned"), [0, 60, 0, 0]);
    assert_eq!(euros("mrr_reactivated"), [0, 0, 0, 70]);
    assert_eq!(euros("mrr_end"), [170, 150, 70, 140]);
    assert_eq!(counts(&got, "n_end"), [4, 3, 3, 4]);
    assert_eq!(shares(&got, "grr")[1], Some(110.0 / 170.0));
    assert_eq!(shares(&got, "nrr")[1], Some(150.0 / 170.0));
    assert_eq!(shares(&got, "quick_ratio")[1], Some(40.0 / 60.0));
}

#[test]
fn grace_bridges_a_late_renewal() {
    let rows = [
        subscription("a", "subscription_started", 10, 5),
        subscription("a", "subscription_ended", 50, 5),
        subscription("a", "subscription_started", 53, 5),
    ];
    let churned = |grace_days| {
        let terms = Terms { grace_days, ..terms(100) };
        counts(&of(&ledger(&terms, &[Grain::Year], &rows), "all"), "n_churned")
    };
    assert_eq!(churned(2), [1]);
    assert_eq!(churned(3), [0]);
}

#[test]
fn rates_of_few_customers_are_not_shown_and_the_balance_stays() {
    let terms = Terms { min_cell: 3, ..terms(day("2024-12-31")) };
    let rows = [order("a", day("2024-01-05"), 1), order("b", day("2024-01-05"), 1)];
    let got = of(&ledger(&terms, &[Grain::Quarter], &rows), "all");
    assert_eq!(counts(&got, "n_churned"), [0, 2, 0, 0]);
    assert!(shares(&got, "churn_gross").iter().all(Option::is_none));
    assert!(got["is_suppressed"].as_boolean().iter().all(|flag| flag == Some(true)));
}

const KINDS: [&str; 6] =
    ["order", "event", "survey_asked", "refund", "subscription_started", "subscription_ended"];

prop_compose! {
    /// `a` and `b` never have a contract.
    fn lives()(events in prop::collection::vec(
        (0..4_usize, 0..6_usize, 0..400_i32, 0..24_i64, 1..5_i128), 0..80,
    )) -> Vec<Row> {
        events.into_iter().map(|(customer, kind, day, hour, value)| {
            let kind = KINDS[if customer < 2 { kind % 4 } else { kind }];
            let row = row(["a", "b", "c", "d"][customer], kind, 18_000 + day, hour);
            Row { amount: Some(value * 10_000), currency: Some("EUR"), ..row }
        }).collect()
    }
}

/// Whether a customer is active at the end of each day up to the horizon.
fn active_days(terms: &Terms, rows: &[Row], customer: &str) -> BTreeMap<i32, bool> {
    let mut own: Vec<&Row> = rows.iter().filter(|row| row.customer == customer).collect();
    own.sort_by_key(|row| row.at);
    let is_contractual = own.iter().any(|row| row.kind == "subscription_started");
    let first = own.iter().find(|row| row.kind == "order").map(|row| row.at);
    (17_990..=terms.horizon_day)
        .map(|today| {
            let active = if is_contractual {
                let count = |kind, shift| {
                    let due = |row: &&&Row| row.kind == kind && row.day() + shift <= today;
                    own.iter().filter(due).count()
                };
                count("subscription_started", 0) > count("subscription_ended", terms.grace_days)
            } else {
                own.iter().any(|row| {
                    matches!(row.kind, "order" | "event")
                        && first.is_some_and(|first| row.at >= first)
                        && (row.day()..row.day() + terms.inactive_days).contains(&today)
                })
            };
            (today, active)
        })
        .collect()
}

/// New, resurrected, churned, churned of start, start and end of a period.
fn walk(active: &BTreeMap<i32, bool>, from: i32, to: i32) -> [i64; 6] {
    let at = |day: i32| active.get(&day).copied().unwrap_or(false);
    let mut moves = [0; 6];
    let first = active.iter().find(|(_, active)| **active).map(|(day, _)| *day);
    for today in from..to {
        let was_ever = first.is_some_and(|first| first < today);
        match (at(today - 1), at(today)) {
            (false, true) => moves[usize::from(was_ever)] += 1,
            (true, false) => {
                moves[2] += 1;
                moves[3] += i64::from(at(from - 1) && (from..today).all(at));
            }
            _ => {}
        }
    }
    moves[4] = i64::from(at(from - 1));
    moves[5] = i64::from(at(to - 1));
    moves
}

static PERIODS: LazyLock<Arc<Calendar>> =
    LazyLock::new(|| calendar(18_420, &[Grain::Week, Grain::Month, Grain::Year]));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_ledger_balances_and_equals_a_walk_over_the_days(
        rows in lives(), inactive_days in 1..120_i32, grace_days in 0..40_i32,
    ) {
        // All is counted by the horizon; what ends after it has not ended.
        let terms = Terms { inactive_days, grace_days, ..terms(18_000 + 420) };
        let got = ledger_by(&terms, &PERIODS, &rows);
        let column = |name: &str| counts(&got, name);
        let (start, end) = (column("n_start"), column("n_end"));
        let (new, back) = (column("n_new"), column("n_resurrected"));
        let (gone, of_start) = (column("n_churned"), column("n_churned_of_start"));
        for i in 0..got.num_rows() {
            prop_assert_eq!(start[i] + new[i] + back[i] - gone[i], end[i]);
            prop_assert!(of_start[i] <= start[i].min(gone[i]));
            let mrr = |name: &str| money(&got, name)[i].unwrap_or(0);
            let moved = mrr("mrr_new") + mrr("mrr_expansion") + mrr("mrr_reactivated");
            let lost = mrr("mrr_contraction") + mrr("mrr_churned");
            prop_assert_eq!(mrr("mrr_start") + moved - lost, mrr("mrr_end"));
        }
        let lives: Vec<_> =
            ["a", "b", "c", "d"].iter().map(|id| active_days(&terms, &rows, id)).collect();
        let dimensions = texts(&got, "dimension");
        let grains = texts(&got, "period_grain");
        let starts = got["period_start"].as_primitive::<Date32Type>();
        for i in (0..got.num_rows()).filter(|i| dimensions[*i] == "all") {
            let next = (i + 1..got.num_rows())
                .find(|j| grains[*j] == grains[i] && dimensions[*j] == "all");
            let to = next.map_or(terms.horizon_day + 1, |next| starts.value(next));
            let mut expected = [0; 6];
            for life in &lives {
                for (sum, more) in expected.iter_mut().zip(walk(life, starts.value(i), to)) {
                    *sum += more;
                }
            }
            let counted = [new[i], back[i], gone[i], of_start[i], start[i], end[i]];
            prop_assert_eq!(counted, expected, "{} from day {}", grains[i], starts.value(i));
        }
        // Every dimension is a partition of the customers.
        for dimension in ["relationship", "source", "acquisition_channel", "country"] {
            let sum = |wanted: &str, values: &[i64]| -> i64 {
                let own = dimensions.iter().zip(values).filter(|(name, _)| *name == wanted);
                own.map(|(_, value)| value).sum()
            };
            prop_assert_eq!(sum(dimension, &gone), sum("all", &gone));
        }
    }
}
