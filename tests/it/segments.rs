//! Segments and personas: the grid by hand, groups that are known, labels that stay.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Float64Type, Int64Type};
use cxmart::measure::fold::features::{FEATURES, Unit};
use cxmart::measure::segments::rfm::{Rfm, quintiles};
use cxmart::measure::segments::{Tables, Terms, segments};

pub const AS_OF: i32 = 20_000;

/// A customer of a day with some features, whole numbers in natural units; scores in hundredths.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    pub id: String,
    pub day: i32,
    pub is_active: bool,
    pub has_churned: Option<bool>,
    pub features: Vec<(&'static str, i64)>,
}

/// Rows of `customer_features`; counts that are not told are 0, all else is null.
pub fn described(customers: &[Customer]) -> RecordBatch {
    let flags = |of: fn(&Customer) -> Option<bool>| -> ArrayRef {
        Arc::new(customers.iter().map(of).collect::<BooleanArray>())
    };
    let ids: StringArray = customers.iter().map(|one| Some(one.id.as_str())).collect();
    let days: Date32Array = customers.iter().map(|one| Some(one.day)).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(ids)),
        ("feature_date", Arc::new(days)),
        ("is_active", flags(|one| Some(one.is_active))),
        ("is_contractual", flags(|_| Some(false))),
        ("has_churned", flags(|one| one.has_churned)),
    ];
    for (name, unit) in FEATURES {
        let told = |one: &Customer| {
            one.features.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        };
        let array: ArrayRef = match unit {
            Unit::Count => {
                let usual = (name != "days_since_order").then_some(0);
                Arc::new(customers.iter().map(|one| told(one).or(usual)).collect::<Int64Array>())
            }
            Unit::Decimal => {
                let factor = if name == "last_score" { 100 } else { 10_000 };
                let usual = name.starts_with("revenue").then_some(0);
                let value = |one: &Customer| told(one).or(usual).map(|v| i128::from(v * factor));
                let array: Decimal128Array = customers.iter().map(value).collect();
                Arc::new(array.with_precision_and_scale(18, 4).expect("a decimal"))
            }
        };
        columns.push((name, array));
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .expect("columns of one length")
}

fn terms() -> Terms {
    Terms {
        as_of: AS_OF,
        currency: "EUR".into(),
        personas_min: 2,
        personas_max: 6,
        min_cell: 10,
        fit: 1,
    }
}

/// Three ways to live, told apart by a long way, with a little noise.
fn company(people: i64) -> Vec<Customer> {
    let customer = |i: i64| {
        let noise = (i * 37) % 11;
        let features = match i % 3 {
            0 => vec![
                ("days_silent", 1 + noise % 3),
                ("days_since_order", 3 + noise),
                ("tenure_days", 600 + noise),
                ("n_active_days_365", 80 + noise),
                ("n_orders_365", 30 + noise % 5),
                ("n_orders", 60 + noise),
                ("revenue_total", 6_000 + 10 * noise),
                ("n_events_90", 50 + noise),
                ("last_score", 90 + noise % 10),
            ],
            1 => vec![
                ("days_silent", 400 + noise),
                ("days_since_order", 400 + noise),
                ("tenure_days", 700 + noise),
                ("n_orders", 1),
                ("revenue_total", 20 + noise),
            ],
            _ => vec![
                ("days_silent", 10 + noise),
                ("days_since_order", 20 + noise),
                ("tenure_days", 40 + noise),
                ("n_active_days_365", 6 + noise % 4),
                ("n_orders_365", 2),
                ("n_orders", 2),
                ("revenue_total", 100 + noise),
                ("n_conversations_365", 4 + noise % 3),
                ("last_score", 20 + noise),
            ],
        };
        let id = format!("c_{:04}", (i * 7_919) % people);
        Customer { id, day: AS_OF, is_active: i % 3 != 1, features, ..Customer::default() }
    };
    (0..people).map(customer).collect()
}

fn made(customers: &[Customer], reference: &[RecordBatch], terms: &Terms) -> Tables {
    segments(&[described(customers)], reference, terms).expect("good rows")
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    batch[column].as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn numbers(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch[column].as_primitive::<Int64Type>().iter().collect()
}

/// By hand: ten customers, two a fifth; then ties.
#[test]
fn fifths_are_the_ones_by_hand_and_equals_stay_together() {
    let ten: Vec<(f64, f64, f64)> =
        (0..10).map(|i| (f64::from(i), f64::from(i + 1), f64::from(10 - i))).collect();
    let got = quintiles(&ten);
    assert_eq!(got[0], Rfm { recency: 5, frequency: 1, monetary: 5 });
    assert_eq!(got[9], Rfm { recency: 1, frequency: 5, monetary: 1 });
    let counts = (1..=5).map(|fifth| got.iter().filter(|one| one.frequency == fifth).count());
    assert!(counts.eq([2; 5]));

    let once: Vec<(f64, f64, f64)> = (0..10).map(|i| (f64::from(i), 1.0, 5.0)).collect();
    assert!(quintiles(&once).iter().all(|one| (one.frequency, one.monetary) == (1, 1)));
    let mut mixed = once.clone();
    mixed[9].1 = 4.0;
    let frequencies: BTreeSet<u8> = quintiles(&mixed).iter().map(|one| one.frequency).collect();
    assert_eq!(frequencies, BTreeSet::from([1, 5]), "nine tenths have less");
    assert!(quintiles(&[]).is_empty());
}

/// Every cell of the grid has one name.
#[test]
fn the_grid_names_every_cell() {
    let name = |recency, frequency| Rfm { recency, frequency, monetary: 3 }.segment();
    for (cells, wanted) in [
        (vec![(5, 5), (5, 4)], "champions"),
        (vec![(4, 5), (4, 4), (3, 5), (3, 4)], "loyal_customers"),
        (vec![(5, 3), (5, 2), (4, 3), (4, 2)], "potential_loyalists"),
        (vec![(5, 1)], "new_customers"),
        (vec![(4, 1)], "promising"),
        (vec![(3, 3)], "needs_attention"),
        (vec![(3, 2), (3, 1)], "about_to_sleep"),
        (vec![(2, 5), (1, 5)], "cannot_lose_them"),
        (vec![(2, 4), (2, 3), (1, 4), (1, 3)], "at_risk"),
        (vec![(2, 2), (2, 1), (1, 2), (1, 1)], "hibernating"),
    ] {
        assert!(cells.into_iter().all(|(r, f)| name(r, f) == wanted), "{wanted}");
    }
    assert_eq!(Rfm { recency: 5, frequency: 1, monetary: 3 }.score(), "513");
}

/// Goal: groups that are there are found, told in words with numbers, and everybody is in one.
#[test]
fn ways_to_live_become_personas_with_a_written_profile() {
    let tables = made(&company(300), &[], &terms());
    let personas = &tables.personas;
    assert_eq!(numbers(personas, "persona"), [Some(1), Some(2), Some(3)]);
    assert_eq!(numbers(personas, "n"), [Some(100); 3]);
    let silhouettes = personas["silhouette"].as_primitive::<Float64Type>();
    assert!(silhouettes.values().iter().all(|one| *one > 0.5), "{silhouettes:?}");
    let summaries = texts(personas, "summary");
    let begins = |summary: &String| summary.starts_with("100 customers, 33.3 %: ");
    assert!(summaries.iter().flatten().all(begins), "{summaries:?}");
    assert!(summaries.iter().flatten().all(|summary| summary.matches(" sd)").count() == 4));
    let names: BTreeSet<_> = texts(personas, "name").into_iter().flatten().collect();
    assert_eq!(names.len(), 3, "{names:?}");

    let segments = &tables.segments;
    assert_eq!(segments.num_rows(), 300);
    let of: BTreeSet<_> = numbers(segments, "persona")
        .into_iter()
        .zip(numbers(segments, "n_orders"))
        .map(|(persona, orders)| (persona, orders.map(|n| n.min(3))))
        .collect();
    assert_eq!(of.len(), 3, "each way is one persona: {of:?}");
    assert_eq!(tables.profiles.num_rows(), 3 * 11);
    // The mean of those who order most, added up here.
    let all: Vec<(&str, i64)> = company(300).into_iter().flat_map(|one| one.features).collect();
    let most: Vec<i64> =
        all.iter().filter(|one| one.0 == "n_orders" && one.1 >= 60).map(|one| one.1).collect();
    let wanted = most.iter().sum::<i64>() as f64 / most.len() as f64;
    let means = tables.profiles["mean"].as_primitive::<Float64Type>();
    assert!(means.iter().flatten().any(|mean| (mean - wanted).abs() < 1e-9), "{wanted}");
    let ranks = numbers(&tables.profiles, "feature_rank");
    assert_eq!(ranks[..11], (1..=11).map(Some).collect::<Vec<_>>());
}

/// Goal: the same rows in another order and in other batches give the same tables.
#[test]
fn the_order_of_rows_decides_nothing() {
    let customers = company(300);
    let mut shuffled = customers.clone();
    shuffled.sort_by_key(|one| one.id.bytes().rev().collect::<Vec<u8>>());
    let one = made(&customers, &[], &terms());
    let parts: Vec<RecordBatch> = shuffled.chunks(77).map(described).collect();
    let other = segments(&parts, &[], &terms()).expect("good rows");
    assert_eq!(one.segments, other.segments);
    assert_eq!(one.personas, other.personas);
    assert_eq!(one.profiles, other.profiles);
    assert_eq!(one.reference, other.reference);
}

/// Goal: a persona keeps number and name while its share changes, and gets others only when asked.
#[test]
fn labels_are_those_of_the_reference() {
    let first = made(&company(300), &[], &terms());
    let named = |tables: &Tables| -> BTreeSet<(Option<i64>, Option<String>, Option<i64>)> {
        let segments = &tables.segments;
        let orders = numbers(segments, "n_orders").into_iter().map(|n| n.map(|n| n.min(3)));
        let persona = numbers(segments, "persona").into_iter().zip(texts(segments, "persona_name"));
        persona.zip(orders).map(|((number, name), orders)| (number, name, orders)).collect()
    };
    // Two thirds of those who order most have gone: sizes, and with them the order, are others.
    let mut later = company(420);
    let mut best = 0;
    later.retain(|one| {
        let is_best = one.features.iter().any(|(name, n)| *name == "n_orders" && *n >= 60);
        best += i32::from(is_best);
        !is_best || best % 3 == 0
    });
    let alone = made(&later, &[], &terms());
    let reference = [first.reference.clone()];
    let with = made(&later, &reference, &terms());
    assert_ne!(named(&alone), named(&first), "or this shows nothing");
    assert_eq!(named(&with), named(&first));
    assert_eq!(with.reference, first.reference, "it stays");
    let shift = with.personas["shift"].as_primitive::<Float64Type>();
    assert!(shift.null_count() == 0 && shift.values().iter().all(|far| *far < 1.0), "{shift:?}");
    let asked = made(&later, &reference, &Terms { fit: 2, ..terms() });
    assert_eq!(named(&asked), named(&alone));
    assert!(numbers(&asked.reference, "fit").iter().all(|fit| *fit == Some(2)));
}

/// Edge cases: too few for groups, nobody, everybody alike, subscribers who never ordered.
#[test]
fn too_few_or_all_alike_have_segments_and_no_personas() {
    let few = made(&company(150), &[], &terms());
    assert_eq!(few.segments.num_rows(), 150);
    assert_eq!(few.segments["persona"].null_count(), 150);
    assert_eq!(few.segments["rfm_segment"].null_count(), 0);
    assert_eq!((few.personas.num_rows(), few.reference.num_rows()), (0, 0));

    let none = segments(&[], &[], &terms()).expect("no rows");
    assert_eq!((none.segments.num_rows(), none.personas.num_rows()), (0, 0));

    let one_order = vec![("n_orders", 1), ("revenue_total", 10), ("days_since_order", 5)];
    let alike = (0..250).map(|i| Customer {
        id: format!("c_{i}"),
        day: AS_OF,
        features: one_order.clone(),
        ..Customer::default()
    });
    let alike = made(&alike.collect::<Vec<_>>(), &[], &terms());
    assert_eq!(alike.personas.num_rows(), 0);
    assert!(texts(&alike.segments, "rfm_score").iter().all(|s| s.as_deref() == Some("111")));

    let subscriber = Customer { id: "c".into(), day: AS_OF, ..Customer::default() };
    let subscriber = made(&[subscriber], &[], &terms());
    assert_eq!(subscriber.segments["rfm_segment"].null_count(), 1);
}
