//! Paths of touchpoints: which follows which, which end in a purchase, and what each is worth.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use cxmart::measure::fold::path_tables::{self, Tables};
use cxmart::measure::fold::paths::{Level, Paths, Shape};
use cxmart::measure::fold::{Attributes, Marks, pass};
use cxmart::measure::kernel::markov::{Chain, Order, Passage, Place};
use proptest::prelude::*;

use super::{Row, day, fold, order, row, terms, timeline};

const SHAPE: Shape = Shape { level: Level::Touchpoint, touches_max: 3, collapses: true };

fn touch(customer: &str, touchpoint: &'static str, day: i32, hour: i64) -> Row {
    Row { touchpoint: Some(touchpoint), ..row(customer, "event", day, hour) }
}

fn made(paths: &Paths, rows: &[Row]) -> Tables {
    path_tables::tables(paths, fold(paths, rows)).expect("tables")
}

fn texts(rows: &RecordBatch, columns: &[&str], i: usize) -> String {
    let text = |column: &&str| rows[*column].as_string::<i32>().value(i).to_owned();
    columns.iter().map(text).collect::<Vec<_>>().join(" | ")
}

fn count(rows: &RecordBatch, column: &str, i: usize) -> i64 {
    rows[column].as_primitive::<Int64Type>().value(i)
}

fn float(rows: &RecordBatch, column: &str, i: usize) -> Option<f64> {
    let column = rows[column].as_primitive::<Float64Type>();
    column.is_valid(i).then(|| column.value(i))
}

/// `a` reads, looks and buys for 100; comes back and buys untouched for 50. `b` reads and is lost,
/// comes back after more than 90 days and still runs. `c` reads twice at once, looks, and buys.
fn lives() -> Vec<Row> {
    let start = day("2025-01-01");
    vec![
        touch("a", "blog", start, 8),
        touch("a", "shop", start, 9),
        order("a", start, 100),
        order("a", start + 5, 50),
        touch("b", "blog", start, 10),
        touch("b", "shop", start + 120, 10),
        touch("c", "blog", start, 1),
        touch("c", "blog", start, 2),
        touch("c", "shop", start, 3),
        touch("c", "mail", start, 4),
        touch("c", "shop", start, 5),
        order("c", start, 30),
        Row { amount: Some(-10_000), ..row("c", "refund", start + 1, 1) },
    ]
}

fn paths() -> Paths {
    Paths::new(terms(day("2025-05-10")), SHAPE)
}

#[test]
fn passages_are_counted_with_their_times() {
    let rows = made(&paths(), &lives()).transitions;
    let told: BTreeMap<String, (i64, Option<f64>, Option<f64>)> = (0..rows.num_rows())
        .map(|i| {
            let edge = texts(&rows, &["from_touchpoint", "to_touchpoint"], i);
            (
                edge,
                (
                    count(&rows, "n", i),
                    float(&rows, "probability", i),
                    float(&rows, "median_seconds", i),
                ),
            )
        })
        .collect();
    let hour = Some(3_600.0);
    let expected = [
        ("(start) | blog", (3, Some(0.75), None)),
        ("(start) | shop", (1, Some(0.25), None)),
        ("blog | (lost)", (1, Some(1.0 / 3.0), None)),
        // One hour, and two from the first of two touches at once.
        ("blog | shop", (2, Some(2.0 / 3.0), Some(5_400.0))),
        ("mail | shop", (1, Some(1.0), hour)),
        ("shop | (converted)", (2, Some(2.0 / 3.0), Some(5.0 * 3_600.0))),
        ("shop | mail", (1, Some(1.0 / 3.0), hour)),
    ];
    let expected: BTreeMap<String, _> =
        expected.into_iter().map(|(edge, told)| (edge.to_owned(), told)).collect();
    assert_eq!(told, expected);
}

#[test]
fn paths_that_are_the_same_are_told_once_and_long_ones_by_their_end() {
    let rows = made(&paths(), &lives()).paths;
    let told: Vec<_> = (0..rows.num_rows())
        .map(|i| {
            let ends = ["n_paths", "n_converted", "n_lost", "n_running"];
            let value = rows["value"].as_primitive::<Decimal128Type>().value(i) / 10_000;
            (texts(&rows, &["path"], i), ends.map(|column| count(&rows, column, i)), value)
        })
        .collect();
    let expected = [
        ("blog", [1, 0, 1, 0], 0),
        ("blog > shop", [1, 1, 0, 0], 100),
        ("… > shop > mail > shop", [1, 1, 0, 0], 30),
        ("shop", [1, 0, 0, 1], 0),
        ("(none)", [1, 1, 0, 0], 50),
    ];
    assert_eq!(told, expected.map(|(path, ends, value)| (path.to_owned(), ends, value)));
    let ranks = rows["rank"].as_primitive::<Int64Type>();
    assert_eq!(ranks.iter().collect::<Vec<_>>(), [Some(1), Some(2), Some(3), Some(4), None]);
    // A path that still runs has no rate, one that is lost has none converted.
    assert_eq!(float(&rows, "conversion_rate", 3), None);
    assert_eq!(float(&rows, "conversion_rate", 0), Some(0.0));
    assert_eq!(float(&rows, "mean_seconds", 1), Some(4.0 * 3_600.0));
}

/// By touchpoint what a model gives.
fn given(rows: &RecordBatch, model: &str) -> BTreeMap<String, (f64, i128)> {
    let of_model = (0..rows.num_rows()).filter(|i| texts(rows, &["model"], *i) == model);
    let told = of_model.map(|i| {
        let value = rows["value"].as_primitive::<Decimal128Type>().value(i);
        (texts(rows, &["touchpoint"], i), (float(rows, "conversions", i).expect("given"), value))
    });
    told.collect()
}

#[test]
fn purchases_are_given_to_touchpoints_by_their_places() {
    let rows = made(&paths(), &lives()).attribution;
    let none = ("(none)", (1.0, 500_000));
    let cases = [
        ("first", vec![none, ("blog", (2.0, 1_300_000)), ("mail", (0.0, 0)), ("shop", (0.0, 0))]),
        ("last", vec![none, ("blog", (0.0, 0)), ("mail", (0.0, 0)), ("shop", (2.0, 1_300_000))]),
        // 100 of two touches, 30 of four.
        (
            "linear",
            vec![
                none,
                ("blog", (0.75, 575_000)),
                ("mail", (0.25, 75_000)),
                ("shop", (1.0, 650_000)),
            ],
        ),
        (
            "position",
            vec![none, ("blog", (0.9, 620_000)), ("mail", (0.1, 30_000)), ("shop", (1.0, 650_000))],
        ),
    ];
    for (model, expected) in cases {
        let found = given(&rows, model);
        assert_eq!(found.len(), expected.len(), "{model}");
        for (touchpoint, (conversions, value)) in expected {
            let (found, worth) = found[touchpoint];
            assert!((found - conversions).abs() < 1e-12, "{model} {touchpoint}: {found}");
            assert_eq!(worth, value, "{model} {touchpoint}");
        }
    }
    for model in ["markov_1", "markov_2"] {
        let all: f64 = given(&rows, model).values().map(|(conversions, _)| conversions).sum();
        assert!((all - 3.0).abs() < 1e-12, "{model}: {all}");
    }
}

/// Passages of paths of touchpoints that convert so often and are lost so often.
fn passages(paths: &[(&[u32], u64, u64)]) -> BTreeMap<Passage, u64> {
    let mut passages = BTreeMap::new();
    for (touches, converted, lost) in paths {
        for (end, count) in [(Place::Converted, *converted), (Place::Lost, *lost)] {
            let mut behind = [Place::Start, Place::Start];
            for place in touches.iter().copied().map(Place::At).chain([end]) {
                if count > 0 {
                    *passages.entry([behind[0], behind[1], place]).or_default() += count;
                }
                behind = [behind[1], place];
            }
        }
    }
    passages
}

/// The worked example that is told everywhere: C1 > C2 > C3 converts, C1 and C2 > C3 do not. A
/// third of all paths convert; without C1 half of that is left, without C2 or C3 nothing.
#[test]
fn the_textbook_chain_has_its_removal_effects() {
    let chain =
        Chain::new(Order::One, &passages(&[(&[1, 2, 3], 1, 0), (&[1], 0, 1), (&[2, 3], 0, 1)]));
    let close =
        |found: Option<f64>, expected: f64| (found.expect("solved") - expected).abs() < 1e-14;
    assert!(close(chain.converts(None), 1.0 / 3.0));
    let effects = chain.removal_effects().expect("solved");
    for (touchpoint, effect) in [(1, 0.5), (2, 1.0), (3, 1.0)] {
        assert!((effects[&touchpoint] - effect).abs() < 1e-13, "{effects:?}");
    }
}

#[test]
fn a_touchpoint_only_lost_paths_have_is_worth_nothing_and_no_purchase_has_no_effects() {
    let chain = Chain::new(Order::One, &passages(&[(&[1], 1, 1), (&[2], 0, 3)]));
    let effects = chain.removal_effects().expect("solved");
    assert!(effects[&2].abs() < 1e-15, "{effects:?}");
    let none = Chain::new(Order::Two, &passages(&[(&[1, 2], 0, 3)]));
    assert_eq!(none.removal_effects(), None);
}

/// Probability to convert by walking the chain a very long way, state by state as pairs.
fn walked(passages: &BTreeMap<Passage, u64>, depth: usize, without: Option<u32>) -> f64 {
    let key = |passage: &Passage, at: usize| -> Vec<Place> { passage[at..at + depth].to_vec() };
    let from = 2 - depth;
    let is_gone = |state: &[Place]| without.is_some_and(|gone| state.contains(&Place::At(gone)));
    let mut mass: BTreeMap<Vec<Place>, f64> = BTreeMap::new();
    mass.insert(vec![Place::Start; depth], 1.0);
    let mut converted = 0.0;
    for _ in 0..4_000 {
        let mut next: BTreeMap<Vec<Place>, f64> = BTreeMap::new();
        for (state, mass) in &mass {
            let leaving = || passages.iter().filter(|(p, _)| key(p, from) == *state);
            let all: u64 = leaving().map(|(_, count)| count).sum();
            for (passage, count) in leaving() {
                let share = mass * *count as f64 / all as f64;
                let to = key(passage, from + 1);
                match passage[2] {
                    Place::Converted => converted += share,
                    Place::Lost | Place::Start => {}
                    Place::At(_) if is_gone(&to) => {}
                    Place::At(_) => *next.entry(to).or_default() += share,
                }
            }
        }
        mass = next;
        if mass.values().sum::<f64>() < 1e-16 {
            break;
        }
    }
    converted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Solved and walked, both orders, with and without each touchpoint.
    #[test]
    fn a_chain_solved_is_the_chain_walked(
        paths in prop::collection::vec((prop::collection::vec(0_u32..4, 1..6), 0_u64..3, 1_u64..3), 1..8)
    ) {
        let paths: Vec<(&[u32], u64, u64)> =
            paths.iter().map(|(touches, converted, lost)| (touches.as_slice(), *converted, *lost)).collect();
        let passages = passages(&paths);
        for (order, depth) in [(Order::One, 1), (Order::Two, 2)] {
            let chain = Chain::new(order, &passages);
            for without in [None, Some(0), Some(1), Some(2), Some(3)] {
                let solved = chain.converts(without).expect("solved");
                let walked = walked(&passages, depth, without);
                prop_assert!((solved - walked).abs() < 1e-9, "{solved} {walked}");
            }
        }
    }
}

/// Probability to convert by elimination over all pairs of places, for chains of two places behind.
fn eliminated(passages: &BTreeMap<Passage, u64>, without: Option<u32>) -> f64 {
    let mut leads: BTreeMap<[Place; 2], Vec<(Place, f64)>> = BTreeMap::new();
    for ([before, from, to], count) in passages {
        leads.entry([*before, *from]).or_default().push((*to, *count as f64));
    }
    let is_gone = |place: &Place| without.is_some_and(|gone| *place == Place::At(gone));
    let places: BTreeMap<[Place; 2], usize> = leads.keys().copied().zip(0..).collect();
    let n = places.len();
    let mut rows = vec![vec![0.0; n + 1]; n];
    for (from, to) in &leads {
        let row = &mut rows[places[from]];
        row[places[from]] += 1.0;
        if from.iter().any(is_gone) {
            continue;
        }
        let all: f64 = to.iter().map(|(_, count)| count).sum();
        for (to, count) in to {
            match to {
                Place::Converted => row[n] += count / all,
                Place::Lost => {}
                to => row[places[&[from[1], *to]]] -= count / all,
            }
        }
    }
    for k in 0..n {
        let pivot = rows[k].clone();
        for row in rows.iter_mut().skip(k + 1).filter(|row| row[k] != 0.0) {
            let by = row[k] / pivot[k];
            for (value, above) in row.iter_mut().zip(&pivot).skip(k) {
                *value -= by * above;
            }
        }
    }
    let mut chances = vec![0.0; n];
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| rows[k][j] * chances[j]).sum();
        chances[k] = (rows[k][n] - known) / rows[k][k];
    }
    chances[0]
}

/// Goal: effects of chains that seldom end are as exact as elimination makes them. Method: 14
/// touchpoints that follow each other unevenly, nine hundred touches a path.
#[test]
fn long_paths_of_pairs_are_solved_to_the_last_digits() {
    let mut passages: BTreeMap<Passage, u64> = BTreeMap::new();
    let count = 14_u32;
    let mut dice = 1_u64;
    let mut roll = || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        dice >> 33
    };
    let at = Place::At;
    for a in 0..count {
        passages.insert([Place::Start, Place::Start, at(a)], roll() % 50 + 1);
        for b in 0..count {
            passages.insert([Place::Start, at(a), at(b)], roll() % 20 + 1);
            for c in 0..count {
                // The one touchpoint follows itself nearly always.
                let again = if (a, b, c) == (3, 3, 3) { 50_000 } else { 0 };
                passages.insert([at(a), at(b), at(c)], roll() % 300 + 1 + again);
            }
            passages.insert([at(a), at(b), Place::Converted], roll() % 2 + u64::from(b == 5));
            passages.insert([at(a), at(b), Place::Lost], roll() % 3 + u64::from(b == 7));
        }
    }
    passages.retain(|_, count| *count > 0);
    let chain = Chain::new(Order::Two, &passages);
    let effects = chain.removal_effects().expect("solved");
    let all = eliminated(&passages, None);
    assert!((chain.converts(None).expect("solved") - all).abs() < 1e-12, "{all}");
    assert_eq!(effects.len(), count as usize);
    for (touchpoint, effect) in effects {
        let expected = 1.0 - eliminated(&passages, Some(touchpoint)) / all;
        assert!((effect - expected).abs() < 1e-11, "{touchpoint}: {effect} {expected}");
    }
}

/// Numbers of touchpoints are given as they come, by any thread; tables do not show them.
#[test]
fn tables_do_not_depend_on_who_came_first() {
    let first = paths();
    let second = paths();
    let others = [touch("z", "shop", 1, 1), touch("z", "mail", 1, 2), touch("z", "blog", 1, 3)];
    pass(&second, &timeline(&others, 3), &Marks::default(), &Attributes::default())
        .expect("a pass");
    let (one, two) = (made(&first, &lives()), made(&second, &lives()));
    assert_eq!(one.transitions, two.transitions);
    assert_eq!(one.paths, two.paths);
    assert_eq!(one.attribution, two.attribution);
}

/// Goal: a path is one row, whatever touchpoints are called and however many there are. Method: names
/// that systems give and that mean something here, 250 rare touchpoints, and 1,100 paths of two.
#[test]
fn a_path_is_one_row_whatever_touchpoints_are_called() {
    let start = day("2025-01-01");
    let leaked = |name: String| -> &'static str { name.leak() };
    let mut rows = vec![
        touch("odd", "(none)", start, 1),
        order("odd", start, 10),
        order("odd", start + 1, 20),
        touch("one", "a > b", start, 1),
        touch("two", "a", start, 1),
        touch("two", "b", start, 2),
    ];
    for i in 0..250 {
        let customer = format!("rare {i:04}");
        rows.push(touch(&customer, leaked(format!("rare {i}")), start, 1));
    }
    for i in 0..1_100 {
        let customer = format!("pair {i:04}");
        rows.push(touch(&customer, leaked(format!("from {}", i % 40)), start, 1));
        rows.push(touch(&customer, leaked(format!("to {}", i / 40)), start, 2));
    }
    let tables = made(&paths(), &rows);
    let told = |rows: &RecordBatch, columns: &[&str]| -> Vec<String> {
        let mut told: Vec<_> = (0..rows.num_rows()).map(|i| texts(rows, columns, i)).collect();
        told.sort();
        told
    };
    for (rows, grain) in [
        (&tables.paths, &["path"][..]),
        (&tables.transitions, &["from_touchpoint", "to_touchpoint"]),
        (&tables.attribution, &["model", "touchpoint"]),
    ] {
        let all = told(rows, grain);
        let mut once = all.clone();
        once.dedup();
        assert_eq!(all, once);
    }
    let all = told(&tables.paths, &["path"]);
    let has = |path: &str| all.iter().any(|other| other == path);
    assert!(["\"(none)\"", "(none)", "(other)", "(other paths)"].into_iter().all(has), "{all:?}");
    let n: i64 = tables.paths["n_paths"].as_primitive::<Int64Type>().iter().flatten().sum();
    assert_eq!(n, 2 + 2 + 250 + 1_100);
}

/// The six cases of the running example, by the letters of its activities as van der Aalst (2016),
/// "Process mining", table 2.2, prints them: six variants, and sixteen pairs that follow directly.
#[test]
fn the_running_example_has_six_variants_and_sixteen_edges() {
    const CASES: [&str; 6] = ["abdeh", "adceg", "acdefbdeg", "adbeh", "acdefdcefcdeh", "acdeg"];
    let start = day("2025-01-01");
    let mut rows = Vec::new();
    for (case, letters) in CASES.iter().enumerate() {
        for (hour, at) in (0..).zip(0..letters.len()) {
            rows.push(touch(&format!("case {case}"), &letters[at..=at], start, hour));
        }
    }
    let shape = Shape { touches_max: 20, collapses: false, ..SHAPE };
    let tables = made(&Paths::new(terms(day("2025-12-31")), shape), &rows);
    assert_eq!(tables.paths.num_rows(), 6);
    let paths: Vec<_> = (0..6).map(|i| texts(&tables.paths, &["path"], i)).collect();
    assert!(paths.contains(&"a > c > d > e > f > d > c > e > f > c > d > e > h".to_owned()));
    let edges: BTreeMap<String, i64> = (0..tables.transitions.num_rows())
        .map(|i| {
            let edge = texts(&tables.transitions, &["from_touchpoint", "to_touchpoint"], i);
            (edge, count(&tables.transitions, "n", i))
        })
        .filter(|(edge, _)| !edge.contains('('))
        .collect();
    let expected = [
        ("a | b", 1),
        ("a | c", 3),
        ("a | d", 2),
        ("b | d", 2),
        ("b | e", 1),
        ("c | d", 4),
        ("c | e", 2),
        ("d | b", 1),
        ("d | c", 2),
        ("d | e", 6),
        ("e | f", 3),
        ("e | g", 3),
        ("e | h", 3),
        ("f | b", 1),
        ("f | c", 1),
        ("f | d", 1),
    ];
    let expected: BTreeMap<String, i64> =
        expected.into_iter().map(|(edge, n)| (edge.to_owned(), n)).collect();
    assert_eq!(edges, expected);
}

/// Touches of one microsecond keep the order of the timeline, and take no time.
#[test]
fn touches_of_one_microsecond_are_two_touches() {
    let start = day("2025-01-01");
    let rows = [touch("a", "blog", start, 1), touch("a", "shop", start, 1), order("a", start, 10)];
    let tables = made(&paths(), &rows);
    assert_eq!(texts(&tables.paths, &["path"], 0), "blog > shop");
    let edges: Vec<_> = (0..tables.transitions.num_rows())
        .map(|i| {
            let edge = texts(&tables.transitions, &["from_touchpoint", "to_touchpoint"], i);
            (edge, float(&tables.transitions, "median_seconds", i))
        })
        .collect();
    assert!(edges.contains(&("blog | shop".to_owned(), Some(0.0))), "{edges:?}");
}

/// A touchpoint that only lost paths meet stands in every table, and is given nothing.
#[test]
fn a_touchpoint_of_lost_paths_alone_is_given_nothing() {
    let start = day("2025-01-01");
    let rows = [
        touch("a", "blog", start, 1),
        order("a", start, 10),
        touch("b", "banner", start, 1),
        touch("c", "blog", start, 1),
        touch("c", "banner", start, 2),
    ];
    let tables = made(&Paths::new(terms(day("2025-12-31")), SHAPE), &rows);
    for model in ["markov_1", "markov_2"] {
        let given = given(&tables.attribution, model);
        assert!(given["banner"].0 == 0.0, "{model}: {given:?}");
        assert!((given["blog"].0 - 1.0).abs() < 1e-12, "{model}: {given:?}");
    }
    // The models that go by place tell of converted paths only.
    assert!(!given(&tables.attribution, "first").contains_key("banner"));
    assert!((0..tables.transitions.num_rows()).any(|i| texts(
        &tables.transitions,
        &["from_touchpoint"],
        i
    ) == "banner"));
}

/// Goal: paths that are shown alike are one row, whatever they began with. Method: two paths of four
/// touches, of which three are shown, that differ in the first, and one in what is shown.
#[test]
fn paths_that_end_alike_are_one_row() {
    let start = day("2025-01-01");
    let life = |customer: &'static str, names: [&'static str; 4]| {
        let touches = names.into_iter().zip(1..);
        touches.map(move |(name, hour)| touch(customer, name, start, hour)).collect::<Vec<_>>()
    };
    let rows = [
        life("a", ["blog", "shop", "mail", "shop"]),
        life("b", ["chat", "shop", "mail", "shop"]),
        life("c", ["blog", "shop", "mail", "chat"]),
    ];
    let tables = made(&Paths::new(terms(day("2025-12-31")), SHAPE), &rows.concat());
    let told = |i| (texts(&tables.paths, &["path"], i), count(&tables.paths, "n_paths", i));
    assert_eq!(tables.paths.num_rows(), 2);
    assert_eq!(told(0), ("… > shop > mail > shop".to_owned(), 2));
    assert_eq!(told(1), ("… > shop > mail > chat".to_owned(), 1));
}
