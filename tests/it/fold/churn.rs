//! The churn ledger, against a walk over every day of every life.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use cxmart::measure::fold::{Calendar, Grain, Terms};
use proptest::prelude::*;

use super::{Row, calendar, day, fold, order, retention, row, terms};

fn ledger(terms: &Terms, grains: &[Grain], rows: &[Row]) -> RecordBatch {
    ledger_by(terms, &calendar(terms.horizon_day, grains), rows)
}

fn ledger_by(terms: &Terms, calendar: &Arc<Calendar>, rows: &[Row]) -> RecordBatch {
    let folded = fold(&retention(terms, calendar), rows);
    folded.counted.churn.batch(calendar, terms).expect("a batch")
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
    // Wilson's limits of 200 in 1,000 and Garwood's of 300, as far apart as both together.
    let limits = ["churn_net_low", "churn_net_high"].map(|column| shares(&got, column)[1]);
    let [low, high] = limits.map(|limit| limit.expect("a limit"));
    assert!(
        (low + 0.143_009_375).abs() < 1e-6 && (high + 0.058_045_493).abs() < 1e-6,
        "{low} {high}"
    );
    assert_eq!(shares(&got, "churn_net_low")[0], None);
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

fn subscription(
    customer: &str,
    reference: &'static str,
    kind: &'static str,
    day: i32,
    mrr: i128,
) -> Row {
    let row = row(customer, kind, day, 1);
    Row { amount: Some(mrr * 10_000), currency: Some("EUR"), reference: Some(reference), ..row }
}

#[test]
fn recurring_revenue_moves_in_one_class_per_customer_and_period() {
    let (jan, feb, mar, apr) =
        (day("2024-01-10"), day("2024-02-10"), day("2024-03-10"), day("2024-04-10"));
    let (start, end) = ("subscription_started", "subscription_ended");
    let rows = [
        subscription("a", "a1", start, jan, 100),
        subscription("a", "a2", start, feb, 40),
        subscription("a", "a1", end, mar, 100),
        subscription("b", "b1", start, jan, 60),
        subscription("b", "b1", end, feb, 60),
        subscription("b", "b2", start, apr, 70),
        // Changes plan on one day: neither churn nor resurrection.
        subscription("c", "c1", start, jan, 10),
        subscription("c", "c1", end, mar, 10),
        subscription("c", "c2", start, mar, 30),
        // Nobody knows what a dollar is worth.
        Row { currency: Some("USD"), ..subscription("d", "d1", start, jan, 999) },
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
        subscription("a", "a1", "subscription_started", 10, 5),
        subscription("a", "a1", "subscription_ended", 50, 5),
        subscription("a", "a2", "subscription_started", 53, 7),
    ];
    let churned = |grace_days| {
        let terms = Terms { grace_days, ..terms(100) };
        counts(&of(&ledger(&terms, &[Grain::Year], &rows), "all"), "n_churned")
    };
    assert_eq!(churned(2), [1]);
    assert_eq!(churned(3), [0]);
    // What was lost came back before it was gone: it grew, and was never there twice.
    let terms = Terms { grace_days: 3, ..terms(100) };
    let got = of(&ledger(&terms, &[Grain::Day], &rows), "all");
    let most = money(&got, "mrr_end").into_iter().flatten().max();
    assert_eq!(most, Some(70_000));
    assert!(money(&got, "mrr_churned").iter().flatten().all(|lost| *lost == 0));
    assert_eq!(money(&got, "mrr_expansion").into_iter().flatten().sum::<i128>(), 20_000);
}

/// Paused, resumed and moved to another plan on one day: an expansion and nothing else. Paused for
/// longer is an end of paid access, and comes back as reactivated.
#[test]
fn pauses_and_plan_changes_move_recurring_revenue() {
    let of_s = |kind, day, hour, mrr| Row {
        at: i64::from(day) * super::DAY + hour * super::DAY / 24,
        ..subscription("a", "s1", kind, day, mrr)
    };
    let (jan, feb) = (day("2024-01-10"), day("2024-02-10"));
    let (apr, may) = (day("2024-04-10"), day("2024-05-10"));
    let rows = [
        of_s("subscription_started", jan, 1, 50),
        of_s("subscription_paused", feb, 2, 50),
        of_s("subscription_resumed", feb, 3, 50),
        of_s("subscription_changed", feb, 4, 80),
        of_s("subscription_paused", apr, 1, 80),
        of_s("subscription_resumed", may, 1, 60),
    ];
    let got = of(&ledger(&terms(day("2024-05-31")), &[Grain::Month], &rows), "all");
    let euros = |column: &str| -> Vec<i128> {
        money(&got, column).iter().map(|value| value.expect("money") / 10_000).collect()
    };
    assert_eq!(counts(&got, "n_churned"), [0, 0, 0, 1, 0]);
    assert_eq!(counts(&got, "n_resurrected"), [0, 0, 0, 0, 1]);
    assert_eq!(euros("mrr_new"), [50, 0, 0, 0, 0]);
    assert_eq!(euros("mrr_expansion"), [0, 30, 0, 0, 0]);
    assert_eq!(euros("mrr_churned"), [0, 0, 0, 80, 0]);
    assert_eq!(euros("mrr_reactivated"), [0, 0, 0, 0, 60]);
    assert_eq!(euros("mrr_end"), [50, 80, 80, 0, 60]);
}

/// Dollars count at the rate of their day, and without one not at all; they are customers either way.
#[test]
fn money_of_other_currencies_counts_at_its_rate() {
    let dollars = |customer, home| Row {
        currency: Some("USD"),
        home,
        ..subscription(customer, "s1", "subscription_started", day("2024-01-10"), 100)
    };
    let rows = [
        subscription("a", "s1", "subscription_started", day("2024-01-10"), 10),
        dollars("b", Some(920_000)),
        dollars("c", None),
    ];
    let got = of(&ledger(&terms(day("2024-01-31")), &[Grain::Month], &rows), "all");
    assert_eq!(counts(&got, "n_end"), [3]);
    assert_eq!(money(&got, "mrr_end"), [Some(1_020_000)]);
}

#[test]
fn before_the_first_event_there_is_no_ledger() {
    let rows = [order("a", day("2024-03-05"), 1)];
    // The timeline ends at the horizon; one whose rows all lie after it is empty.
    let got = ledger(&terms(day("2024-01-31")), &[Grain::Month], &rows[..0]);
    assert_eq!(got.num_rows(), 0);
}

#[test]
fn a_month_without_moves_is_a_row() {
    let rows = [
        subscription("a", "s1", "subscription_started", day("2024-01-10"), 10),
        subscription("b", "s1", "subscription_started", day("2024-03-10"), 10),
    ];
    let got = of(&ledger(&terms(day("2024-03-31")), &[Grain::Month], &rows), "all");
    assert_eq!(counts(&got, "n_start"), [0, 1, 1]);
    assert_eq!(counts(&got, "n_new"), [1, 0, 1]);
    assert_eq!(shares(&got, "churn_gross"), [None, Some(0.0), Some(0.0)]);
}

#[test]
fn who_is_silent_for_half_the_time_is_at_risk_today() {
    let horizon = day("2024-06-30");
    let rows = [
        order("a", horizon - 46, 1),
        order("b", horizon - 45, 1),
        order("c", horizon - 91, 1),
        subscription("d", "s1", "subscription_started", horizon - 60, 1),
        subscription("e", "s1", "subscription_started", horizon - 60, 1),
        subscription("e", "s1", "subscription_ended", horizon - 2, 1),
    ];
    let terms = Terms { grace_days: 5, ..terms(horizon) };
    let got = ledger(&terms, &[Grain::Quarter], &rows);
    let all = of(&got, "all");
    let column = all["n_at_risk"].as_primitive::<Int64Type>();
    assert_eq!(column.iter().collect::<Vec<_>>(), [None, Some(2)], "a, and e in its grace");
}

/// Goal: every cell of the months can be opened. Method: random lives; the flags of the rows by
/// customer add up to the ledger, for everybody and for each dimension.
fn opens(terms: &Terms, rows: &[Row]) {
    let calendar = calendar(terms.horizon_day, &[Grain::Month]);
    let folded = fold(&retention(terms, &calendar), rows);
    let ledger = folded.counted.churn.batch(&calendar, terms).expect("a batch");
    let customers = folded.months.batch(terms).expect("a batch");
    let day_of =
        |batch: &RecordBatch, i: usize| batch["period_start"].as_primitive::<Date32Type>().value(i);
    let flag = |column: &str, i: usize| i64::from(customers[column].as_boolean().value(i));
    let number = |column: &str, i: usize| counts(&customers, column)[i];
    for i in 0..ledger.num_rows() {
        let (dimension, value) =
            (&texts(&ledger, "dimension")[i], &texts(&ledger, "dimension_value")[i]);
        let own: Vec<usize> = (0..customers.num_rows())
            .filter(|j| day_of(&customers, *j) == day_of(&ledger, i))
            .filter(|j| dimension == "all" || texts(&customers, dimension)[*j] == *value)
            .collect();
        let sum = |of: &dyn Fn(usize) -> i64| own.iter().map(|j| of(*j)).sum::<i64>();
        let cell = |column: &str| counts(&ledger, column)[i];
        assert_eq!(sum(&|j| flag("is_start", j)), cell("n_start"));
        assert_eq!(sum(&|j| flag("is_new", j)), cell("n_new"));
        assert_eq!(sum(&|j| flag("is_end", j)), cell("n_end"));
        assert_eq!(sum(&|j| flag("is_churned_of_start", j)), cell("n_churned_of_start"));
        assert_eq!(sum(&|j| number("n_churned", j)), cell("n_churned"));
        assert_eq!(sum(&|j| number("n_resurrected", j)), cell("n_resurrected"));
        for column in ["mrr_start", "mrr_new", "mrr_expansion", "mrr_churned", "mrr_end"] {
            let known = money(&customers, column);
            let total: i128 = own.iter().filter_map(|j| known[*j]).sum();
            assert_eq!(total, money(&ledger, column)[i].unwrap_or(0), "{column}");
        }
        for j in own {
            let has_churned = number("n_churned", j) > 0;
            assert_eq!(customers["churned_on"].is_valid(j), has_churned);
        }
    }
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
            let reference = Some(if value % 2 == 0 { "s1" } else { "s2" });
            Row { amount: Some(value * 10_000), currency: Some("EUR"), reference, ..row }
        }).collect()
    }
}

/// Whether a customer is active at the end of each day up to the horizon.
fn active_days(terms: &Terms, rows: &[Row], customer: &str) -> BTreeMap<i32, bool> {
    let mut own: Vec<&Row> = rows.iter().filter(|row| row.customer == customer).collect();
    own.sort_by_key(|row| row.at);
    let is_contractual = own.iter().any(|row| row.kind == "subscription_started");
    let first = own.iter().find(|row| row.kind == "order").map(|row| row.at);
    // Whether some subscription is paid at the end of a day.
    let paid = |today: i32| {
        ["s1", "s2"].iter().any(|id| {
            let mut is_paid = false;
            for row in own.iter().filter(|row| row.reference == Some(id) && row.day() <= today) {
                match row.kind {
                    "subscription_started" => is_paid = true,
                    "subscription_ended" => is_paid = false,
                    _ => {}
                }
            }
            is_paid
        })
    };
    (17_990..=terms.horizon_day)
        .map(|today| {
            let active = if is_contractual {
                // Paid now, or some day of the grace before.
                (today - terms.grace_days..=today).any(paid)
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
        opens(&terms, &rows);
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
