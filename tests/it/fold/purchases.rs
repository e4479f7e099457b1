//! What customers bought.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};
use cxmart::measure::fold::Terms;
use cxmart::measure::fold::purchases::Purchases;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

use super::{Row, fold, order, row, terms};

fn purchases(terms: &Terms, rows: &[Row]) -> RecordBatch {
    fold(&Purchases { terms: terms.clone() }, rows).batch(terms).expect("a batch")
}

fn count(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch[column].as_primitive::<Int64Type>().iter().collect()
}

fn money(batch: &RecordBatch, column: &str) -> Vec<Option<i128>> {
    batch[column].as_primitive::<Decimal128Type>().iter().collect()
}

#[test]
fn orders_of_a_day_are_one_purchase_and_the_first_day_is_no_repeat() {
    let contact = Row { channel: Some("ads"), ..row("a", "contact_created", 5, 0) };
    let refund = Row { amount: Some(-40_000), currency: Some("EUR"), ..row("a", "refund", 40, 0) };
    let foreign = Row { currency: Some("USD"), ..order("a", 60, 99) };
    let rows = [
        contact,
        order("a", 10, 5),
        order("a", 10, 7),
        order("a", 30, 2),
        order("a", 30, 3),
        refund,
        order("a", 50, 6),
        foreign,
        row("b", "contact_created", 1, 0),
    ];
    let terms = Terms { fit_day: 45, ..terms(400) };
    let got = purchases(&terms, &rows);
    assert_eq!(got.num_rows(), 1, "b bought nothing");
    assert_eq!(count(&got, "n_purchase_days"), [Some(2)]);
    assert_eq!(count(&got, "frequency"), [Some(1)]);
    assert_eq!(count(&got, "recency_days"), [Some(20)]);
    assert_eq!(count(&got, "age_days"), [Some(35)]);
    assert_eq!(money(&got, "monetary_total"), [Some(50_000)]);
    assert_eq!(money(&got, "revenue_total"), [Some(190_000)]);
    assert_eq!(money(&got, "revenue_365d"), [Some(20_000)], "only what lies in days 36 to 400");
    assert_eq!(count(&got, "n_orders"), [Some(5)]);
    assert_eq!(count(&got, "n_orders_other_currency"), [Some(1)]);
    assert_eq!(count(&got, "n_purchase_days_after"), [Some(1)]);
    assert_eq!(money(&got, "revenue_after"), [Some(60_000)]);
    assert_eq!(got["acquisition_channel"].as_string::<i32>().value(0), "ads");
}

prop_compose! {
    fn life()(events in prop::collection::vec(
        (0..3_usize, 0..60_i32, 0..24_i64, 0..50_i128, any::<bool>()), 0..60,
    )) -> Vec<Row> {
        events.into_iter().map(|(customer, day, hour, value, is_refund)| Row {
            amount: Some(if is_refund { -value } else { value } * 10_000),
            currency: Some("EUR"),
            ..row(["a", "b", "c"][customer], if is_refund { "refund" } else { "order" }, day, hour)
        }).collect()
    }
}

proptest! {
    /// The oracle groups by day first and counts sets of days.
    #[test]
    fn purchases_equal_sets_of_days(rows in life(), fit_day in 0..60_i32) {
        let cut = fit_day / 2;
        let terms = Terms { fit_day, backtest_day: cut, ..terms(60) };
        let got = purchases(&terms, &rows);
        let mut buyers: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
        for order in rows.iter().filter(|row| row.kind == "order") {
            buyers.entry(&order.customer).or_default().insert(order.day());
        }
        prop_assert_eq!(got.num_rows(), buyers.len());
        for (i, (customer, days)) in buyers.iter().enumerate() {
            let first = *days.first().expect("a day");
            let fitted: Vec<i32> = days.iter().copied().filter(|day| *day <= fit_day).collect();
            let value = |chosen: &dyn Fn(&Row) -> bool| -> i128 {
                let own = rows.iter().filter(|row| row.customer == *customer && chosen(row));
                own.filter_map(|row| row.amount).sum()
            };
            let x = i64::try_from(fitted.len()).expect("few") - 1;
            prop_assert_eq!(got["first_purchase_date"].as_primitive::<Date32Type>().value(i), first);
            prop_assert_eq!(count(&got, "frequency")[i], (x >= 0).then_some(x));
            let recency = fitted.last().map(|last| i64::from(last - first));
            prop_assert_eq!(count(&got, "recency_days")[i], recency);
            prop_assert_eq!(money(&got, "revenue_total")[i], Some(value(&|_| true)));
            let repeat = value(&|row| {
                row.kind == "order" && row.day() > first && row.day() <= fit_day
            });
            prop_assert_eq!(money(&got, "monetary_total")[i], (x >= 0).then_some(repeat));
            let after = value(&|row| row.kind == "order" && row.day() > fit_day);
            prop_assert_eq!(money(&got, "revenue_after")[i], Some(after));
            let before: Vec<i32> = days.iter().copied().filter(|day| *day <= cut).collect();
            let x = i64::try_from(before.len()).expect("few") - 1;
            prop_assert_eq!(count(&got, "backtest_frequency")[i], (x >= 0).then_some(x));
            let held_out = i64::try_from(days.len() - before.len()).expect("few");
            prop_assert_eq!(count(&got, "backtest_purchase_days_after")[i], Some(held_out));
        }
    }
}
