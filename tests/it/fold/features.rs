//! Features of a day: by hand, as the night of that day saw them, and labels as the ledger has it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cxmart::measure::drawn::Drawn;
use cxmart::measure::fold::features::{FEATURES, Features, WINDOW_DAYS, days};
use cxmart::measure::fold::{Grain, Terms};

use super::{Row, calendar, day, fold, order, retention, row, terms};

pub fn everybody() -> Drawn {
    Drawn::new("test", 1, 1)
}

fn features(terms: &Terms, rows: &[Row]) -> RecordBatch {
    let folds = Features { terms: terms.clone(), drawn: everybody() };
    fold(&folds, rows).batch().expect("a batch")
}

/// Values by customer, day and column, as text.
fn cells(batch: &RecordBatch) -> BTreeMap<(String, i32), BTreeMap<String, String>> {
    let ids = batch["customer_id"].as_string::<i32>();
    let on = batch["feature_date"].as_primitive::<Date32Type>();
    let options = FormatOptions::default().with_null("none");
    let mut cells: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let shown = ArrayFormatter::try_new(array, &options).expect("a format");
        for i in 0..batch.num_rows() {
            let key = (ids.value(i).to_owned(), on.value(i));
            cells.entry(key).or_default().insert(field.name().clone(), shown.value(i).to_string());
        }
    }
    cells
}

#[test]
fn a_life_is_described_by_hand() {
    let now = day("2025-06-30");
    let answer = Row {
        name: Some("nps"),
        score: Some(80_000),
        scale_max: Some(100_000),
        ..row("a", "survey_answered", now - 20, 10)
    };
    let seen = |name| Row { name: Some(name), ..row("a", "event", now - 5, 4) };
    let rows = [
        order("a", now - 400, 10),
        order("a", now - 200, 20),
        order("a", now - 30, 30),
        Row { amount: Some(-50_000), ..Row { kind: "refund", ..order("a", now - 25, 0) } },
        row("a", "survey_asked", now - 21, 1),
        answer,
        row("a", "conversation_opened", now - 100, 1),
        row("a", "conversation_opened", now - 10, 1),
        row("a", "conversation_resolved", now - 99, 1),
        seen("page_viewed"),
        seen("email_opened"),
        row("b", "contact_created", now - 3, 1),
    ];
    let got = cells(&features(&terms(now), &rows));
    let today = &got[&("a".to_owned(), now)];
    for (name, wanted) in [
        ("is_active", "true"),
        ("is_contractual", "false"),
        ("has_churned", "none"),
        ("days_silent", "5"),
        // 7 days with a sign of life over 395 days.
        ("mean_gap_days", "65"),
        ("tenure_days", "400"),
        ("n_active_days_90", "4"),
        ("n_active_days_365", "6"),
        ("n_returns", "2"),
        ("n_orders_90", "1"),
        ("n_orders_365", "2"),
        ("n_orders", "3"),
        ("days_since_order", "30"),
        ("revenue_90", "25.0000"),
        ("revenue_total", "55.0000"),
        ("n_refunds_365", "1"),
        ("n_conversations_90", "1"),
        ("n_conversations_365", "2"),
        ("n_open_conversations", "1"),
        ("last_score", "0.8000"),
        ("days_since_answer", "20"),
        ("n_asked_90", "1"),
        ("n_events_90", "1"),
        ("n_messages_90", "1"),
        ("contract_days", "none"),
        ("mrr", "none"),
    ] {
        assert_eq!(today[name], wanted, "{name}");
    }
    assert!(got.keys().all(|key| key.0 == "a"), "who never bought is no customer");
    assert!(!got.contains_key(&("a".to_owned(), now - 270)), "silent then, and gone");
}

/// Lives that nothing but their number decides.
fn lives(horizon: i32) -> Vec<Row> {
    let mut rows = Vec::new();
    for number in 0..60_u64 {
        let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number | 1);
            (seed >> 33) % n
        };
        let id = format!("c_{number:03}");
        let mut at = horizon - 700 + i32::try_from(next(400)).expect("small");
        while at <= horizon {
            let kind = next(12);
            rows.push(match kind {
                0..=4 => order(&id, at, i128::from(next(90)) + 1),
                5 => Row { kind: "refund", ..order(&id, at, -3) },
                6 => row(&id, "conversation_opened", at, 2),
                7 => row(&id, "conversation_resolved", at, 3),
                8 => row(&id, "survey_asked", at, 4),
                9 => Row {
                    name: Some("csat"),
                    score: Some(i128::from(next(5) + 1) * 10_000),
                    scale_max: Some(50_000),
                    ..row(&id, "survey_answered", at, 5)
                },
                10 if number % 3 == 0 => Row {
                    kind: if next(3) == 0 { "subscription_ended" } else { "subscription_started" },
                    reference: Some("s"),
                    ..order(&id, at, 9)
                },
                _ => Row { name: Some("page_viewed"), ..row(&id, "event", at, 6) },
            });
            at += i32::try_from(next(if number % 2 == 0 { 30 } else { 110 })).expect("small");
        }
    }
    rows
}

/// Goal: no feature of a former day knows what came after it. Method: the day told in hindsight,
/// against the same day told by a timeline that ends with it.
#[test]
fn what_comes_after_a_day_moves_nothing_that_is_said_of_it() {
    let now = day("2025-12-31");
    let rows = lives(now);
    let hindsight = cells(&features(&terms(now), &rows));
    let mut compared = 0;
    for former in days(now).into_iter().skip(1) {
        let known: Vec<Row> = rows.iter().filter(|row| row.day() <= former).cloned().collect();
        let then = cells(&features(&terms(former), &known));
        let active = |cells: &BTreeMap<(String, i32), BTreeMap<String, String>>| {
            let of_day =
                cells.iter().filter(|(key, row)| key.1 == former && row["is_active"] == "true");
            of_day
                .map(|(key, row)| {
                    let mut row = row.clone();
                    row.remove("has_churned");
                    (key.clone(), row)
                })
                .collect::<BTreeMap<_, _>>()
        };
        let (one, other) = (active(&hindsight), active(&then));
        assert!(one == other, "{former}");
        compared += one.len();
    }
    assert!(compared > 60, "{compared}");
}

/// Goal: a label is what the ledger says. Method: churn days of the ledger's own customers.
#[test]
fn labels_are_the_ledgers() {
    let now = day("2025-12-31");
    let (rows, terms) = (lives(now), terms(now));
    let batch = features(&terms, &rows);
    let months = calendar(now, &[Grain::Month]);
    let ledger = fold(&retention(&terms, &months), &rows).months.batch(&terms).expect("a batch");
    let ids = ledger["customer_id"].as_string::<i32>();
    let left = ledger["churned_on"].as_primitive::<Date32Type>();
    let left: BTreeSet<(&str, i32)> = (0..ledger.num_rows())
        .filter(|i| left.is_valid(*i))
        .map(|i| (ids.value(i), left.value(i)))
        .collect();
    let ids = batch["customer_id"].as_string::<i32>();
    let on = batch["feature_date"].as_primitive::<Date32Type>();
    let labels = batch["has_churned"].as_boolean();
    let (mut churned, mut stayed) = (0, 0);
    for i in 0..batch.num_rows() {
        if on.value(i) == now {
            assert!(labels.is_null(i), "its window still runs");
            continue;
        }
        let day = on.value(i);
        let within = left
            .iter()
            .any(|(id, end)| *id == ids.value(i) && *end > day && *end <= day + WINDOW_DAYS);
        assert_eq!(labels.value(i), within, "{} on {day}", ids.value(i));
        *(if within { &mut churned } else { &mut stayed }) += 1;
    }
    assert!(churned > 20 && stayed > 20, "{churned} {stayed}");
}

#[test]
fn only_those_drawn_have_former_days() {
    let now = day("2025-12-31");
    let rows = lives(now);
    let nobody = Features { terms: terms(now), drawn: Drawn::new("test", 0, 1) };
    let batch = fold(&nobody, &rows).batch().expect("a batch");
    let on = batch["feature_date"].as_primitive::<Date32Type>();
    assert!(on.values().iter().all(|day| *day == now) && batch.num_rows() > 50);
    let orders = batch["n_orders"].as_primitive::<Int64Type>();
    let revenue = batch["revenue_total"].as_primitive::<Decimal128Type>();
    assert!(orders.null_count() + revenue.null_count() == 0);
    assert_eq!(batch.num_columns(), FEATURES.len() + 5);
}
