//! Funnels over hand-made lives: who comes how far, when, and who is not told of.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use cxmart::measure::fold::drop_offs::DropOffs;
use cxmart::measure::fold::funnels::{Funnel, Funnels, Step};
use cxmart::measure::fold::paths::{Level, Paths, Shape};
use cxmart::measure::fold::{Attributes, Grain, Kind, Marks, Terms, pass};
use proptest::prelude::*;

use super::journey::{Fired, HORIZON, STAGES, at, journey, marks};
use super::{DAY, Row, order, row, terms, timeline};

const HOUR: i64 = DAY / 24;
const MONTHS: [Grain; 1] = [Grain::Month];

fn event(name: &str) -> Step {
    Step { name: name.into(), events: vec![name.into()], ..Step::default() }
}

fn stage(name: &str) -> Step {
    let place = STAGES.iter().position(|known| *known == name).expect("a stage");
    Step { name: name.into(), stages: vec![place as u8], ..Step::default() }
}

fn bought(name: &str) -> Step {
    Step { name: name.into(), kinds: vec![Kind::Order], ..Step::default() }
}

fn funnel(steps: Vec<Step>, days: i32, is_strict: bool) -> Funnel {
    Funnel { name: "way".into(), steps, days, is_strict }
}

/// A funnel, what is asked of it, and where its days end.
fn funnels(funnel: &Funnel, terms: &Terms, grains: &[Grain]) -> Funnels {
    const SHAPE: Shape = Shape { level: Level::Touchpoint, touches_max: 10, collapses: true };
    let paths = Paths::new(terms.clone(), SHAPE);
    let drop_offs = DropOffs { journey: journey(terms), paths, since: 0 };
    Funnels { drop_offs, funnels: vec![funnel.clone()], grains: grains.to_vec() }
}

fn made(terms: &Terms, funnel: &Funnel, rows: &[Row], fired: &[Fired]) -> RecordBatch {
    let fold = funnels(funnel, terms, &MONTHS);
    let of = |rows: &[Row], cut| {
        let walked = pass(&fold, &timeline(rows, cut), &marks(fired), &Attributes::default());
        walked.expect("a pass").counted
    };
    let whole = of(rows, 1_000).batch(&fold).expect("a batch");
    assert_eq!(of(rows, 3).batch(&fold).expect("a batch"), whole, "cuts change nothing");
    // What happens at one instant may be handed over in any order.
    let mut backwards = rows.to_vec();
    backwards.reverse();
    assert_eq!(of(&backwards, 7).batch(&fold).expect("a batch"), whole, "nor does order");
    // Two buckets are one.
    let (some, others): (Vec<Row>, Vec<Row>) =
        rows.iter().cloned().partition(|row| row.customer.as_str() < "c");
    let mut merged = of(&others, 5);
    merged.merge(of(&some, 5));
    assert_eq!(merged.batch(&fold).expect("a batch"), whole, "nor do buckets");
    whole
}

fn count(rows: &RecordBatch, column: &str, i: usize) -> Option<i64> {
    let counts = rows[column].as_primitive::<Int64Type>();
    counts.is_valid(i).then(|| counts.value(i))
}

fn share(rows: &RecordBatch, column: &str, i: usize) -> Option<f64> {
    let shares = rows[column].as_primitive::<Float64Type>();
    shares.is_valid(i).then(|| shares.value(i))
}

fn text<'a>(rows: &'a RecordBatch, column: &str, i: usize) -> &'a str {
    rows[column].as_string::<i32>().value(i)
}

/// Rows of everybody in one period, step by step.
fn all(rows: &RecordBatch) -> Vec<usize> {
    let mut found: Vec<usize> =
        (0..rows.num_rows()).filter(|i| text(rows, "dimension", *i) == "all").collect();
    let start = |i: usize| rows["period_start"].as_primitive::<Date32Type>().value(i);
    found.sort_by_key(|i| (start(*i), count(rows, "step_position", *i)));
    found
}

/// Entered, open, and how many reached each step, of each period in order.
fn reached(rows: &RecordBatch, steps: usize) -> Vec<(i64, i64, Vec<i64>)> {
    let told = |column: &str, i: usize| count(rows, column, i).expect("a count");
    let period = |own: &[usize]| {
        let steps = own.iter().map(|i| told("n_reached", *i)).collect();
        (told("n_entered", own[0]), told("n_open", own[0]), steps)
    };
    all(rows).chunks(steps).map(period).collect()
}

/// Something done so many hours after 1 January 2024; the horizon is 18 March.
fn done(customer: &str, name: &'static str, hours: i64) -> Row {
    let first = row(customer, "event", 19_723, 0);
    Row { name: Some(name), at: first.at + hours * HOUR, ..first }
}

fn way() -> Vec<Step> {
    vec![event("look"), event("cart"), event("pay")]
}

/// One who goes all the way, one who stops, one who begins in the middle, one who never begins.
fn four() -> Vec<Row> {
    vec![
        done("a", "look", 0),
        done("a", "look", 1),
        done("a", "cart", 2),
        done("a", "other", 3),
        done("a", "pay", 30),
        done("b", "look", 5),
        done("b", "cart", 9),
        done("c", "cart", 0),
        done("c", "pay", 1),
        done("c", "look", 2),
        done("d", "pay", 1),
    ]
}

#[test]
fn steps_count_in_order_each_the_first_time_it_comes() {
    let funnel = funnel(way(), 7, false);
    let rows = made(&terms(HORIZON), &funnel, &four(), &[]);
    assert_eq!(reached(&rows, 3), [(3, 0, vec![3, 2, 1])]);
    let [look, cart, pay] = all(&rows)[..] else { panic!("three steps") };
    assert_eq!(text(&rows, "step", cart), "cart");
    assert_eq!(count(&rows, "n_before", cart), Some(3));
    assert_eq!(count(&rows, "n_dropped", cart), Some(1));
    let near = |column: &str, i, wanted: Option<f64>| {
        let got = share(&rows, column, i);
        let is_near = got.zip(wanted).map(|(got, wanted)| (got - wanted).abs() < 1e-12);
        assert!(is_near.unwrap_or(got == wanted), "{column} {got:?} {wanted:?}");
    };
    near("step_rate", pay, Some(0.5));
    near("conversion_rate", pay, Some(1.0 / 3.0));
    near("drop_off_rate", pay, Some(0.5));
    near("step_rate", look, Some(1.0));
    near("median_minutes", look, None);
    // Two hours and four.
    near("median_minutes", cart, Some(180.0));
    near("p90_minutes", cart, Some(228.0));
    near("median_minutes", pay, Some(1_800.0));
    near("step_median_minutes", pay, Some(1_680.0));
    // Newcombe 1998: one of two.
    let limits = |column: &str| share(&rows, column, pay).expect("a limit");
    assert!((limits("step_low") - 0.094_53).abs() < 1e-5, "{}", limits("step_low"));
    assert!((limits("step_high") - 0.905_47).abs() < 1e-5);
}

#[test]
fn what_happens_at_one_microsecond_is_taken_in_the_order_that_leads_furthest() {
    let funnel = funnel(way(), 7, false);
    let at_once = [done("a", "pay", 0), done("a", "cart", 0), done("a", "look", 0)];
    let rows = made(&terms(HORIZON), &funnel, &at_once, &[]);
    assert_eq!(reached(&rows, 3), [(1, 0, vec![1, 1, 1])]);
    assert_eq!(share(&rows, "median_minutes", all(&rows)[2]), Some(0.0));
}

/// Of `again` only a second order will do; who fits two steps leaves one to the other.
#[test]
fn an_event_is_one_step_only() {
    let twice = funnel(vec![bought("first"), bought("again")], 7, false);
    let rows = [order("a", 19_723, 1), order("b", 19_723, 1), order("b", 19_723, 2)];
    let rows = made(&terms(HORIZON), &twice, &rows, &[]);
    assert_eq!(reached(&rows, 2), [(2, 0, vec![2, 1])]);
    let any = Step { kinds: vec![Kind::Behaviour], ..event("any") };
    let any = Step { events: Vec::new(), ..any };
    let both = funnel(vec![event("look"), any, event("pay")], 7, false);
    let rows = [done("a", "look", 0), done("a", "pay", 1), done("a", "cart", 1)];
    let rows = made(&terms(HORIZON), &both, &rows, &[]);
    assert_eq!(reached(&rows, 3), [(1, 0, vec![1, 1, 1])], "`cart` is any, so that `pay` is pay");
}

#[test]
fn who_goes_backwards_has_to_come_back() {
    let back = [done("a", "look", 0), done("a", "pay", 1), done("a", "cart", 2)];
    let funnel = funnel(way(), 7, false);
    let told = |rows: &[Row]| reached(&made(&terms(HORIZON), &funnel, rows, &[]), 3);
    assert_eq!(told(&back), [(1, 0, vec![1, 1, 0])]);
    let again = [&back[..], &[done("a", "look", 3), done("a", "pay", 4)]].concat();
    assert_eq!(told(&again), [(1, 0, vec![1, 1, 1])]);
}

#[test]
fn strictly_no_other_step_lies_between() {
    let told = |names: &[&'static str], is_strict| {
        let rows = names.iter().zip(0..).map(|(name, hour)| done("a", name, hour));
        let funnel = funnel(way(), 7, is_strict);
        let rows = made(&terms(HORIZON), &funnel, &rows.collect::<Vec<_>>(), &[]);
        reached(&rows, 3)[0].2.iter().sum::<i64>()
    };
    for (names, loose, strict) in [
        (&["look", "cart", "pay"][..], 3, 3),
        (&["look", "look", "cart", "other", "cart", "pay"][..], 3, 3),
        (&["look", "pay", "cart", "pay"][..], 3, 1),
        (&["look", "cart", "look", "pay"][..], 3, 2),
    ] {
        assert_eq!((told(names, false), told(names, true)), (loose, strict), "{names:?}");
    }
}

#[test]
fn a_step_that_nothing_matches_ends_every_way() {
    let nothing = funnel(vec![event("look"), event("dance"), event("pay")], 7, false);
    let rows = made(&terms(HORIZON), &nothing, &four(), &[]);
    assert_eq!(reached(&rows, 3), [(3, 0, vec![3, 0, 0])]);
    let last = all(&rows)[2];
    assert_eq!(count(&rows, "n_before", last), Some(0));
    assert_eq!(share(&rows, "step_rate", last), None);
    assert_eq!(share(&rows, "step_low", last), None);
    assert_eq!(share(&rows, "conversion_rate", last), Some(0.0));
    let never = funnel(vec![event("dance"), event("pay")], 7, false);
    assert_eq!(made(&terms(HORIZON), &never, &four(), &[]).num_rows(), 0);
}

/// Steps count up to the last microsecond of the days, and nobody counts before they are over.
#[test]
fn those_whose_days_are_not_over_are_counted_apart() {
    let week = funnel(vec![event("look"), event("pay")], 7, false);
    let late = |after: i64| {
        let mut pay = done("b", "pay", 7 * 24);
        pay.at += after;
        let rows = [done("b", "look", 0), pay];
        reached(&made(&terms(HORIZON), &week, &rows, &[]), 2)[0].2[1]
    };
    assert_eq!((late(0), late(1)), (1, 0));
    let told = |horizon: i32| {
        let rows = [done("a", "look", 0), done("a", "pay", 1), done("b", "look", 24)];
        reached(&made(&terms(horizon), &week, &rows, &[]), 2)
    };
    // The last day ends seven days after the first look, then after the other.
    assert_eq!(told(19_729), [(2, 2, vec![0, 0])]);
    assert_eq!(told(19_730), [(2, 1, vec![1, 1])]);
    assert_eq!(told(19_731), [(2, 0, vec![2, 1])]);
}

#[test]
fn a_customer_counts_once_a_period_from_the_first_time_in_it() {
    let week = funnel(vec![event("look"), event("pay")], 7, false);
    let rows = [
        done("a", "look", 0),
        // More than a week after the first look of January.
        done("a", "look", 29 * 24),
        done("a", "look", 32 * 24),
        done("a", "pay", 33 * 24),
    ];
    let months = made(&terms(HORIZON), &week, &rows, &[]);
    assert_eq!(reached(&months, 2), [(1, 0, vec![1, 0]), (1, 0, vec![1, 1])]);
    let fold = funnels(&week, &terms(HORIZON), &[Grain::Month, Grain::Quarter]);
    let walked = pass(&fold, &timeline(&rows, 9), &Marks::default(), &Attributes::default());
    let batch = walked.expect("a pass").counted.batch(&fold).expect("a batch");
    let quarter = (0..batch.num_rows()).find(|i| {
        text(&batch, "period_grain", *i) == "quarter"
            && text(&batch, "dimension", *i) == "all"
            && text(&batch, "step", *i) == "pay"
    });
    let quarter = quarter.expect("a quarter");
    assert_eq!(count(&batch, "n_entered", quarter), Some(1));
    assert_eq!(count(&batch, "n_reached", quarter), Some(0), "a quarter is not its months");
}

/// `a` passes all stages, `b` skips one, `c` begins with a purchase, `d` comes back after silence.
#[test]
fn stages_entered_are_steps_and_who_skips_one_has_passed_it() {
    let start = 19_723;
    let names = ["awareness", "evaluation", "purchase"];
    let stages = funnel(names.map(stage).into(), 30, false);
    let rows = [
        done("a", "look", 0),
        done("a", "look", 24),
        order("a", start + 2, 1),
        done("b", "look", 0),
        order("b", start + 3, 1),
        order("c", start, 1),
        done("d", "look", 0),
    ];
    let fired: Vec<Fired> = vec![
        ("a", at(start, 0), "awareness", 0),
        ("a", at(start + 1, 0), "evaluation", 0),
        ("a", at(start + 2, 12), "purchase", 0),
        // Back to where they were: no new way.
        ("a", at(start + 4, 0), "evaluation", 1),
        ("b", at(start, 0), "awareness", 0),
        ("b", at(start + 3, 12), "purchase", 0),
        ("c", at(start, 12), "purchase", 0),
        ("d", at(start, 0), "awareness", 0),
    ];
    let short = Terms { inactive_days: 20, ..terms(HORIZON) };
    let rows = made(&short, &stages, &rows, &fired);
    assert_eq!(reached(&rows, 3), [(3, 0, vec![3, 2, 2])]);
    let [_, evaluation, purchase] = all(&rows)[..] else { panic!("three steps") };
    let hours = |column: &str, i| share(&rows, column, i).expect("a time") / 60.0;
    // A day, and three and a half; two and a half, and three and a half.
    assert_eq!(hours("median_minutes", evaluation), 54.0);
    assert_eq!(hours("median_minutes", purchase), 72.0);
    assert_eq!(hours("p90_minutes", purchase), 81.6);
    // Silence is no step on the way, also where somebody stands before.
    let back = funnel(vec![stage("lapsed"), stage("awareness")], 30, false);
    let again = [done("d", "look", 0), done("d", "look", 25 * 24)];
    let fired = [("d", at(start, 0), "awareness", 0), ("d", at(start + 25, 0), "awareness", 0)];
    let told = reached(&made(&short, &back, &again, &fired), 2);
    assert_eq!(told[0], (1, 0, vec![1, 1]), "back from silence");
}

#[test]
fn touchpoints_and_channels_tell_steps_apart() {
    let mail = Step { channels: vec!["mail".into()], ..event("click") };
    let shop = Step { name: "shop".into(), touchpoints: vec!["shop".into()], ..Step::default() };
    let funnel = funnel(vec![mail, shop], 7, false);
    let click = |who: &str, channel| Row { channel: Some(channel), ..done(who, "click", 0) };
    let talk =
        |who: &str| Row { touchpoint: Some("shop"), ..row(who, "conversation_opened", 19_724, 0) };
    let rows = [click("a", "mail"), talk("a"), click("b", "web"), talk("b")];
    assert_eq!(reached(&made(&terms(HORIZON), &funnel, &rows, &[]), 2), [(1, 0, vec![1, 1])]);
    // A plan or a status is no name of a behaviour.
    let sale = Row { name: Some("click"), channel: Some("mail"), ..order("a", 19_723, 1) };
    assert_eq!(made(&terms(HORIZON), &funnel, &[sale], &[]).num_rows(), 0);
}

/// Eleven buyers and nine others: the nine are few, and the eleven would tell of them.
#[test]
fn few_customers_are_hidden_and_so_is_what_would_give_them_away() {
    let week = funnel(vec![event("look"), bought("order")], 7, false);
    let mut rows = Vec::new();
    for i in 0..20 {
        let who = format!("c{i:02}");
        rows.push(done(&who, "look", 0));
        if i < 11 {
            rows.push(order(&who, 19_725, 1));
        }
    }
    let told = made(&Terms { min_cell: 10, ..terms(HORIZON) }, &week, &rows, &[]);
    let mut hidden: BTreeMap<(String, String), bool> = BTreeMap::new();
    for i in 0..told.num_rows() {
        let key =
            (text(&told, "dimension", i).to_owned(), text(&told, "dimension_value", i).into());
        let is_hidden = told["is_suppressed"].as_boolean().value(i);
        assert_eq!(hidden.insert(key, is_hidden).unwrap_or(is_hidden), is_hidden, "all its steps");
        assert!(count(&told, "n_entered", i).is_some());
        for column in ["n_open", "n_before", "n_reached", "n_dropped"] {
            assert_eq!(count(&told, column, i).is_none(), is_hidden, "{column}");
        }
        assert_eq!(share(&told, "conversion_rate", i).is_none(), is_hidden);
        let is_timed = !is_hidden && text(&told, "step", i) == "order";
        assert_eq!(share(&told, "median_minutes", i).is_some(), is_timed);
    }
    let is = |dimension: &str, value: &str| hidden[&(dimension.to_owned(), value.to_owned())];
    assert!(!is("all", "all") && !is("country", "(none)"));
    assert!(is("relationship", "prospect") && is("relationship", "non_contractual"));
}

prop_compose! {
    fn goings()(told in prop::collection::vec((0..12_i64, 0..5_usize), 0..9)) -> Vec<Row> {
        let names = ["look", "cart", "pay", "other", "look"];
        told.into_iter().map(|(hour, name)| done("a", names[name], hour * 13)).collect()
    }
}

/// Earliest time of each step over all ways to pick events, one a step, none before the other.
fn every_way(rows: &[Row], steps: &[&[&str]], start: i64, until: i64) -> Vec<i64> {
    fn go(rows: &[Row], used: &mut Vec<usize>, steps: &[&[&str]], until: i64, best: &mut Vec<i64>) {
        let place = used.len();
        let now = used.last().map_or(i64::MIN, |last| rows[*last].at);
        let Some(names) = steps.get(place) else { return };
        for (i, row) in rows.iter().enumerate() {
            let fits = names.contains(&row.name.expect("a name")) && row.at >= now;
            if !fits || row.at > until || used.contains(&i) {
                continue;
            }
            match best.get_mut(place) {
                Some(known) => *known = row.at.min(*known),
                None => best.push(row.at),
            }
            used.push(i);
            go(rows, used, steps, until, best);
            used.pop();
        }
    }
    let mut best = Vec::new();
    let rows: Vec<Row> = rows.iter().filter(|row| row.at >= start).cloned().collect();
    for (i, _) in rows.iter().enumerate().filter(|(_, row)| row.at == start) {
        if steps[0].contains(&rows[i].name.expect("a name")) {
            if best.is_empty() {
                best.push(start);
            }
            go(&rows, &mut vec![i], steps, until, &mut best);
        }
    }
    best
}

proptest! {
    /// The walk finds what trying every way finds: how far, and after how long.
    #[test]
    fn no_way_leads_further_or_is_faster(rows in goings(), days in 1..6_i32) {
        let steps: [&[&str]; 4] = [&["look"], &["cart", "pay"], &["look", "cart"], &["pay"]];
        let step = |(place, names): (usize, &&[&str])| Step {
            name: format!("step{place}"),
            events: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Step::default()
        };
        let steps_of: Vec<Step> = steps.iter().enumerate().map(step).collect();
        let batch = made(&terms(HORIZON), &funnel(steps_of, days, false), &rows, &[]);
        let start = rows.iter().filter(|row| row.name == Some("look")).map(|row| row.at).min();
        let Some(start) = start else {
            prop_assert_eq!(batch.num_rows(), 0);
            return Ok(());
        };
        let wanted = every_way(&rows, &steps, start, start + i64::from(days) * DAY);
        let own = all(&batch);
        let far: Vec<i64> = own.iter().filter_map(|i| count(&batch, "n_reached", *i)).collect();
        let expected: Vec<i64> = (0..4).map(|step| i64::from(step < wanted.len())).collect();
        prop_assert_eq!(far, expected);
        for (place, at) in wanted.iter().enumerate().skip(1) {
            let took = (at - start) as f64 / (HOUR as f64 / 60.0);
            prop_assert_eq!(share(&batch, "median_minutes", own[place]), Some(took));
        }
    }
}
