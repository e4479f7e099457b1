//! Retention cohorts: published numbers, and sets of buckets as an oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use cxmart::measure::fold::{Calendar, Grain, Terms};
use proptest::prelude::*;

use super::{DAY, Row, calendar, day, fold, order, retention, row, terms};

const RETAIL: &str = include_str!("retail_2010_12.txt");

fn cohorts(terms: &Terms, grain: Grain, rows: &[Row]) -> RecordBatch {
    cohorts_by(terms, &calendar(terms.horizon_day, &[grain]), rows)
}

fn cohorts_by(terms: &Terms, calendar: &Arc<Calendar>, rows: &[Row]) -> RecordBatch {
    let folded = fold(&retention(terms, calendar), rows);
    folded.counted.cohorts.batch(calendar, terms).expect("a batch")
}

/// Cohort day, bucket, size, active and completeness of all cells of a kind, in order.
fn cells(batch: &RecordBatch, kind: &str) -> Vec<(i32, i64, i64, i64, bool)> {
    let count = |column: &str, i: usize| batch[column].as_primitive::<Int64Type>().value(i);
    (0..batch.num_rows())
        .filter(|i| batch["kind"].as_string::<i32>().value(*i) == kind)
        .map(|i| {
            let cohort = batch["cohort"].as_primitive::<Date32Type>().value(i);
            let is_complete = batch["is_complete"].as_boolean().value(i);
            let bucket = count("period_index", i);
            (cohort, bucket, count("cohort_size", i), count("active", i), is_complete)
        })
        .collect()
}

/// The published triangle of Online Retail; its last month ends after the data do.
#[test]
fn december_2010_of_online_retail() {
    let first = day("2010-12-01");
    let mut rows = Vec::new();
    for line in RETAIL.lines().filter(|line| !line.starts_with('#')) {
        let (customer, days) = line.split_once(": ").expect("customer and days");
        for offset in days.split(' ') {
            rows.push(order(customer, first + offset.parse::<i32>().expect("a day"), 1));
        }
    }
    let got = cohorts(&terms(day("2011-12-09")), Grain::Month, &rows);
    let got = cells(&got, "bounded_calendar");
    let active: Vec<i64> = got.iter().map(|cell| cell.3).collect();
    assert_eq!(active, [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445, 235]);
    assert!(got.iter().all(|cell| cell.0 == first && cell.2 == 885));
    let complete: Vec<bool> = got.iter().map(|cell| cell.4).collect();
    assert_eq!(complete, [[true; 12].as_slice(), &[false]].concat());
}

#[test]
fn revenue_falls_in_the_bucket_of_the_payment() {
    let refund = Row {
        amount: Some(-30_000),
        currency: Some("EUR"),
        ..row("a", "refund", day("2024-03-02"), 1)
    };
    let rows = [
        order("a", day("2024-01-10"), 10),
        order("b", day("2024-01-20"), 10),
        order("a", day("2024-03-01"), 8),
        refund,
    ];
    let got = cohorts(&terms(day("2024-03-31")), Grain::Month, &rows);
    let revenue = got["revenue"].as_primitive::<Decimal128Type>();
    let share = got["revenue_retention"].as_primitive::<Float64Type>();
    assert_eq!(revenue.values()[..3], [200_000, 0, 50_000]);
    assert_eq!(share.values()[..3], [1.0, 0.0, 0.25]);
}

#[test]
fn paid_access_is_activity_under_a_contract() {
    let rows = [
        row("a", "subscription_started", day("2024-01-10"), 1),
        row("a", "subscription_ended", day("2024-03-01"), 1),
        row("b", "subscription_started", day("2024-01-31"), 1),
    ];
    let got = cohorts(&terms(day("2024-04-30")), Grain::Month, &rows);
    let active = |kind| -> Vec<i64> { cells(&got, kind).iter().map(|cell| cell.3).collect() };
    assert_eq!(active("bounded_calendar"), [2, 2, 1, 1], "access ended when March began");
    assert_eq!(active("unbounded_calendar"), [2, 2, 1, 1]);
    // a has 51 days, two buckets of 30; b has 91, so its fourth has begun. Who starts on the first
    // of January could have begun a fifth by the end of April: nobody did.
    assert_eq!(active("bounded_rolling"), [2, 2, 1, 1, 0]);
}

#[test]
fn few_customers_are_counted_and_not_shown() {
    let terms = Terms { min_cell: 2, ..terms(day("2024-02-29")) };
    let got = cohorts(&terms, Grain::Month, &[order("a", day("2024-01-10"), 10)]);
    assert!(got["is_suppressed"].as_boolean().iter().all(|flag| flag == Some(true)));
    for column in ["active", "retention", "ci_low", "ci_high", "revenue", "revenue_retention"] {
        assert_eq!(got[column].null_count(), got.num_rows(), "{column}");
    }
}

#[test]
fn recurring_revenue_is_what_is_in_force_on_the_last_day() {
    let of_s = |customer, kind, day, mrr: i128| Row {
        amount: Some(mrr * 10_000),
        currency: Some("EUR"),
        reference: Some("s1"),
        ..row(customer, kind, day, 1)
    };
    let rows = [
        of_s("a", "subscription_started", day("2024-01-10"), 100),
        of_s("a", "subscription_changed", day("2024-02-28"), 150),
        of_s("b", "subscription_started", day("2024-01-31"), 50),
        of_s("b", "subscription_ended", day("2024-03-31"), 50),
    ];
    let got = cohorts(&terms(day("2024-04-15")), Grain::Month, &rows);
    let mrr = got["mrr"].as_primitive::<Decimal128Type>();
    assert_eq!(mrr.values()[..4], [1_500_000, 2_000_000, 1_500_000, 1_500_000]);
    let kept = got["mrr_retention"].as_primitive::<Float64Type>();
    assert_eq!(kept.values()[..4], [1.0, 200.0 / 150.0, 1.0, 1.0]);
    assert_eq!(got["kind"].as_string::<i32>().value(3), "bounded_calendar");
}

#[test]
fn a_job_may_start_cohorts_with_the_first_record() {
    let terms = Terms { cohorts_from_contact: true, ..terms(day("2024-03-31")) };
    let rows = [
        row("a", "contact_created", day("2024-01-10"), 1),
        order("a", day("2024-02-10"), 10),
        row("b", "contact_created", day("2024-01-20"), 1),
        order("c", day("2024-01-20"), 10),
    ];
    let got = cohorts(&terms, Grain::Month, &rows);
    let cells = cells(&got, "bounded_calendar");
    assert_eq!(cells.iter().map(|cell| cell.2).collect::<Vec<_>>(), [2, 2, 2]);
    assert_eq!(cells.iter().map(|cell| cell.3).collect::<Vec<_>>(), [0, 1, 0], "c has no record");
}

/// Two records of one person are one customer by the time of the fold: one life, which starts with
/// the older order, and which a refund larger than any order makes poorer but not fewer.
#[test]
fn a_merged_customer_is_one_of_a_cohort_and_a_large_refund_leaves_them_there() {
    let refund = Row { amount: Some(-500_000), ..row("a", "refund", day("2024-03-02"), 1) };
    let rows = [
        order("a", day("2024-01-10"), 10),
        order("a", day("2024-02-20"), 10),
        refund,
        order("b", day("2024-02-01"), 5),
    ];
    let got = cohorts(&terms(day("2024-03-31")), Grain::Month, &rows);
    let own = cells(&got, "bounded_calendar");
    assert_eq!(own[0], (day("2024-01-01"), 0, 1, 1, true), "a cohort of one");
    assert_eq!(own.iter().map(|cell| cell.3).collect::<Vec<_>>(), [1, 1, 0, 1, 0]);
    let revenue = got["revenue"].as_primitive::<Decimal128Type>();
    assert_eq!(revenue.values()[..3], [100_000, 100_000, -500_000]);
    let kept = got["revenue_retention"].as_primitive::<Float64Type>();
    assert_eq!(kept.values()[..3], [1.0, 1.0, -5.0]);
}

static WEEKS: LazyLock<Arc<Calendar>> =
    LazyLock::new(|| calendar(day("2024-01-01") + 99, &[Grain::Week]));

proptest! {
    /// The oracle keeps, for each customer, the set of buckets with an order.
    #[test]
    fn cells_equal_sets_of_buckets(orders in prop::collection::vec(
        (0..6_usize, 0..100_i32, 0..24_i64), 1..60,
    )) {
        let monday = day("2024-01-01");
        let names = ["a", "b", "c", "d", "e", "f"];
        let rows: Vec<Row> = orders.iter().map(|(customer, offset, hour)| Row {
            at: i64::from(monday + offset) * DAY + hour * DAY / 24,
            ..order(names[*customer], monday + offset, 1)
        }).collect();
        let got = cohorts_by(&terms(monday + 99), &WEEKS, &rows);
        let mut calendar: BTreeMap<i64, Vec<BTreeSet<i64>>> = BTreeMap::new();
        let mut rolling = calendar.clone();
        for name in names {
            let own = rows.iter().filter(|row| row.customer == name).map(|row| row.at);
            let Some(first) = own.clone().min() else { continue };
            let week = |at: i64| (at / DAY - i64::from(monday)) / 7;
            let calendar = calendar.entry(week(first)).or_default();
            calendar.push(own.clone().map(|at| week(at) - week(first)).collect());
            let rolling = rolling.entry(week(first)).or_default();
            rolling.push(own.map(|at| (at - first) / (7 * DAY)).collect());
        }
        for (name, sets) in [("calendar", &calendar), ("rolling", &rolling)] {
            for (kind, is_bounded) in [("bounded", true), ("unbounded", false)] {
                for (cohort, bucket, size, active, _) in cells(&got, &format!("{kind}_{name}")) {
                    let members = &sets[&(i64::from(cohort - monday) / 7)];
                    let is_active = |set: &&BTreeSet<i64>| {
                        if is_bounded {
                            set.contains(&bucket)
                        } else {
                            set.range(bucket..).next().is_some()
                        }
                    };
                    let expected = members.iter().filter(is_active).count();
                    prop_assert_eq!(size, members.len() as i64);
                    prop_assert_eq!(active, expected as i64, "{}_{} {}", kind, name, bucket);
                }
            }
        }
    }
}
