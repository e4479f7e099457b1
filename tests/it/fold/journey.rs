//! Stages of the journey, from marks of rules and from silence.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use cxmart::job::journey::LAPSED;
use cxmart::measure::fold::stages::{Journey, Rows, Stages};
use cxmart::measure::fold::{Attributes, Calendar, Grain, Marks, Terms, pass};
use proptest::prelude::*;

use super::{DAY, Row, calendar, day, order, row, terms, timeline};

pub const STAGES: [&str; 6] =
    ["awareness", "evaluation", "purchase", "post_purchase", "loyalty", "lapsed"];
pub const HORIZON: i32 = 19_800;

static CALENDAR: LazyLock<Arc<Calendar>> =
    LazyLock::new(|| calendar(HORIZON, &[Grain::Month, Grain::Quarter]));

/// A rule that fired: customer, time, stage, how many stages it may bring back.
pub type Fired = (&'static str, i64, &'static str, i64);

/// Rules of later stages come first.
fn ranks(fired: &[Fired]) -> ArrayRef {
    let place = |name: &str| STAGES.iter().rev().position(|stage| *stage == name);
    let rank = |mark: &Fired| i64::try_from(place(mark.2).expect("a stage")).ok();
    Arc::new(fired.iter().map(rank).collect::<Int64Array>())
}

pub fn marks(fired: &[Fired]) -> Marks {
    let text = |of: fn(&Fired) -> &str| {
        Arc::new(fired.iter().map(|mark| Some(of(mark))).collect::<StringArray>()) as ArrayRef
    };
    let at = fired.iter().map(|mark| Some(mark.1)).collect::<TimestampMicrosecondArray>();
    let batch = RecordBatch::try_from_iter(vec![
        ("customer_id", text(|mark| mark.0)),
        ("occurred_at", Arc::new(at.with_timezone("UTC")) as ArrayRef),
        ("stage", text(|mark| mark.2)),
        ("stage_rule", text(|mark| mark.2)),
        ("rule_version", Arc::new(Int64Array::from(vec![1; fired.len()])) as ArrayRef),
        ("rule_rank", ranks(fired)),
        ("min_purchases", Arc::new(Int64Array::from(vec![0; fired.len()])) as ArrayRef),
        ("steps_back", Arc::new(Int64Array::from_iter_values(fired.iter().map(|mark| mark.3)))),
    ]);
    let names = STAGES.map(String::from);
    Marks::new(&[batch.expect("columns of one length")], &names).expect("known stages")
}

pub fn journey(terms: &Terms) -> Journey {
    let stages = Stages::new(&STAGES.map(String::from), LAPSED);
    Journey { terms: terms.clone(), stages, calendar: Arc::clone(&CALENDAR) }
}

fn walk(terms: &Terms, rows: &[Row], fired: &[Fired]) -> Rows {
    let marks = marks(fired);
    pass(&journey(terms), &timeline(rows, 5), &marks, &Attributes::default()).expect("a pass")
}

/// Stage, time entered, time left, reversal, skipped; in the order of the history.
type Stay = (String, i64, Option<i64>, bool, i64);

fn history(terms: &Terms, rows: &[Row], fired: &[Fired]) -> Vec<(String, Stay)> {
    let batch = walk(terms, rows, fired).history(&journey(terms), &marks(fired).rules);
    let batch = batch.expect("a batch");
    let text = |column: &str, i: usize| batch[column].as_string::<i32>().value(i).to_owned();
    let entered = batch["entered_at"].as_primitive::<TimestampMicrosecondType>();
    let left = batch["left_at"].as_primitive::<TimestampMicrosecondType>();
    let skipped = batch["n_skipped"].as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|i| {
            let left = left.is_valid(i).then(|| left.value(i));
            assert_eq!(batch["is_current"].as_boolean().value(i), left.is_none());
            let is_reversal = batch["is_reversal"].as_boolean().value(i);
            let stay = (text("stage", i), entered.value(i), left, is_reversal, skipped.value(i));
            (text("customer_id", i), stay)
        })
        .collect()
}

pub fn at(day: i32, hour: i64) -> i64 {
    i64::from(day) * DAY + hour * DAY / 24
}

#[test]
fn stages_move_forward_skip_come_back_and_lapse() {
    let first = HORIZON - 400;
    let visit = row("a", "event", first, 0);
    let rows = [visit, order("a", first + 10, 1), row("a", "conversation_opened", first + 20, 3)];
    let again = order("a", first + 30, 1);
    let rows = [rows.as_slice(), &[again]].concat();
    let fired = [
        ("a", at(first, 0), "awareness", 0),
        ("a", at(first + 10, 12), "purchase", 1),
        // A look at a page does not undo a purchase.
        ("a", at(first + 15, 1), "awareness", 0),
        ("a", at(first + 20, 3), "post_purchase", 0),
        ("a", at(first + 30, 12), "purchase", 1),
    ];
    let got: Vec<Stay> =
        history(&terms(HORIZON), &rows, &fired).into_iter().map(|(_, stay)| stay).collect();
    let stay = |stage: &str, from, to, is_reversal, skipped| {
        (stage.to_owned(), from, to, is_reversal, skipped)
    };
    let silent = at(first + 30 + 90, 0);
    assert_eq!(
        got,
        [
            stay("awareness", at(first, 0), Some(at(first + 10, 12)), false, 0),
            stay("purchase", at(first + 10, 12), Some(at(first + 20, 3)), false, 1),
            stay("post_purchase", at(first + 20, 3), Some(at(first + 30, 12)), false, 0),
            stay("purchase", at(first + 30, 12), Some(silent), true, 0),
            stay("lapsed", silent, None, false, 0),
        ]
    );
}

#[test]
fn nobody_lapses_before_the_silence_is_complete_or_while_access_is_paid() {
    let start = HORIZON - 200;
    let fired = [("a", at(start, 0), "purchase", 1)];
    let stages = |horizon: i32, kind: &'static str, more: &[Row]| -> Vec<String> {
        let rows = [&[row("a", kind, start, 0)], more].concat();
        let found = history(&terms(horizon), &rows, &fired);
        found.into_iter().map(|(_, stay)| stay.0).collect()
    };
    assert_eq!(stages(start + 89, "order", &[]), ["purchase"]);
    assert_eq!(stages(start + 90, "order", &[]), ["purchase", "lapsed"]);
    assert_eq!(stages(start + 200, "subscription_started", &[]), ["purchase"]);
    let ended = [row("a", "subscription_ended", start + 100, 0)];
    assert_eq!(stages(start + 189, "subscription_started", &ended), ["purchase"]);
    assert_eq!(stages(start + 190, "subscription_started", &ended), ["purchase", "lapsed"]);
}

#[test]
fn a_stage_the_job_does_not_have_is_an_error() {
    let batch = marks(&[("a", 0, "purchase", 1)]);
    assert_eq!(batch.rules.len(), 1);
    let fired = RecordBatch::try_from_iter(vec![
        ("customer_id", Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
        (
            "occurred_at",
            Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC")) as ArrayRef,
        ),
        ("stage", Arc::new(StringArray::from(vec!["delight"])) as ArrayRef),
        ("stage_rule", Arc::new(StringArray::from(vec!["smile"])) as ArrayRef),
        ("rule_version", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("rule_rank", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("min_purchases", Arc::new(Int64Array::from(vec![0])) as ArrayRef),
        ("steps_back", Arc::new(Int64Array::from(vec![0])) as ArrayRef),
    ]);
    let error = Marks::new(&[fired.expect("a batch")], &STAGES.map(String::from));
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("`smile`") && error.contains("`delight`"), "{error}");
}

/// Ten people look in January; four buy within the window, one after it, five never.
#[test]
fn metrics_of_a_stage_by_the_month_it_was_entered_in() {
    let start = day("2024-01-01");
    let (mut rows, mut fired) = (Vec::new(), Vec::new());
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for (i, name) in names.into_iter().enumerate() {
        rows.push(row(name, "event", start, 1));
        fired.push((name, at(start, 1), "awareness", 0));
        let bought = [10, 10, 20, 30, 60][..].get(i);
        if let Some(after) = bought {
            rows.push(row(name, "order", start + after, 1));
            fired.push((name, at(start + after, 1), "purchase", 1));
        }
    }
    let answer = |hour: i64, score: i128| Row {
        name: Some("nps"),
        score: Some(score * 10_000),
        scale_max: Some(100_000),
        ..row("a", "survey_answered", start + 5, hour)
    };
    rows.extend([answer(1, 9), answer(2, 10), answer(3, 6), answer(4, 7)]);
    let terms = Terms { conversion_days: 30, inactive_days: 1_000, ..terms(day("2024-03-15")) };
    let walked = walk(&terms, &rows, &fired);
    let batch = walked.metrics.batch(&journey(&terms), &[Grain::Month, Grain::Quarter]);
    let batch = batch.expect("a batch");
    let found = (0..batch.num_rows()).filter(|i| {
        let text = |column: &str| batch[column].as_string::<i32>().value(*i);
        text("stage") == "awareness" && text("dimension") == "all"
    });
    let found: Vec<usize> = found.collect();
    assert_eq!(found.len(), 2, "one month and its quarter");
    for i in found {
        let count = |column: &str| batch[column].as_primitive::<Int64Type>().value(i);
        let share = |column: &str| batch[column].as_primitive::<Float64Type>().value(i);
        assert_eq!(count("n_entered"), 10);
        assert_eq!(count("n_left"), 5);
        assert_eq!(count("n_current"), 5);
        assert_eq!(count("n_window_complete"), 10);
        assert_eq!(count("n_converted"), 4);
        assert!((share("conversion_rate") - 0.4).abs() < 1e-12);
        assert!((share("drop_off_rate") - 0.6).abs() < 1e-12);
        // Five of ten had left after 60 days; nine of ten have not left yet.
        assert_eq!(count("median_days"), 60);
        assert!(batch["p90_days"].is_null(i));
        assert_eq!((count("n_nps"), count("n_promoters"), count("n_detractors")), (4, 2, 1));
        assert!((share("nps") - 25.0).abs() < 1e-12);
    }
}

prop_compose! {
    fn journeys()(events in prop::collection::vec(
        (0..3_usize, 0..400_i32, 0..24_i64, 0..7_usize, 0..3_i64), 0..40,
    )) -> (Vec<Row>, Vec<Fired>) {
        let names = ["a", "b", "c"];
        let rows = events.iter().map(|(customer, offset, hour, _, _)| {
            row(names[*customer], "event", HORIZON - 400 + offset, *hour)
        });
        let fired = events.iter().filter(|event| event.3 < 5).map(|event| {
            let (customer, offset, hour, stage, steps_back) = *event;
            (names[customer], at(HORIZON - 400 + offset, hour), STAGES[stage], steps_back)
        });
        (rows.clone().collect(), fired.collect())
    }
}

proptest! {
    /// Stays follow one another without a gap, change the stage each time, and end at most once;
    /// the order in which rules are handed over does not matter.
    #[test]
    fn stages_of_a_customer_are_one_chain((rows, fired) in journeys(), inactive in 1..60_i32) {
        let terms = Terms { inactive_days: inactive, ..terms(HORIZON) };
        let got = history(&terms, &rows, &fired);
        let mut backwards = fired.clone();
        backwards.reverse();
        prop_assert_eq!(&history(&terms, &rows, &backwards), &got);
        for life in got.chunk_by(|a, b| a.0 == b.0) {
            for pair in life.windows(2) {
                let ((_, before), (_, after)) = (&pair[0], &pair[1]);
                prop_assert_eq!(before.2, Some(after.1));
                prop_assert!(before.1 <= after.1);
                prop_assert_ne!(&before.0, &after.0);
            }
            let last = &life[life.len() - 1].1;
            prop_assert_eq!(last.2, None);
            // Silent at the end for long enough means lapsed; so does activity without a rule after it.
            let alive = rows.iter().filter(|row| row.customer == life[0].0).map(Row::day).max();
            let is_silent = alive.expect("an event") + inactive <= HORIZON;
            prop_assert!(last.0 == "lapsed" || !is_silent);
        }
    }
}

/// Of two rules of one microsecond the one of the least rank counts, however they come.
#[test]
fn of_rules_at_the_same_microsecond_one_counts() {
    let start = HORIZON - 30;
    let rows = [order("a", start, 10), row("a", "survey_answered", start, 12)];
    let at_once = [("a", at(start, 12), "purchase", 0), ("a", at(start, 12), "loyalty", 0)];
    for fired in [at_once, [at_once[1], at_once[0]]] {
        let found = history(&terms(HORIZON), &rows, &fired);
        let stages: Vec<_> = found.iter().map(|(_, stay)| stay.0.as_str()).collect();
        assert_eq!(stages, ["loyalty"]);
    }
}
