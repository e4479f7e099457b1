//! Pain points, worked out by hand.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use cxmart::catalog::{Catalog, Files};
use cxmart::measure::pain::{self, Answered, Pain, Terms, Touched, pains};
use cxmart::measure::scores::Scale;

const TERMS: Terms = Terms { confidence: 0.95, min_cell: 10 };

fn touched(stage: &str, touchpoint: &str, led_on: u64, dropped: u64) -> Touched {
    Touched { stage: stage.into(), touchpoint: touchpoint.into(), led_on, dropped }
}

fn answered(stage: &str, touchpoint: &str, score: i64, count: u64) -> Answered {
    Answered {
        stage: stage.into(),
        touchpoint: Some(touchpoint.into()),
        metric: "nps".into(),
        scale: Scale::points(0, 10),
        score: score * 10_000,
        count,
    }
}

fn of<'a>(pains: &'a [Pain], touchpoint: &str) -> &'a Pain {
    pains.iter().find(|pain| pain.touchpoint == touchpoint).expect("a row")
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

/// A quarter of forty touches break off where a tenth of the sixty others do: pooled 16 of 100, so
/// 0.15 / sqrt(0.16 x 0.84 (1/40 + 1/60)) = 2.004459 errors. Its ten answers mean 0.58 where all
/// twenty mean 0.74: 0.16 / sqrt(0.096 / 9 / 10) = 4.898979 errors. Together (2.004459 + 4.898979)
/// / sqrt(2) = 4.881468.
#[test]
fn drop_off_and_scores_are_held_against_the_rest_of_the_stage() {
    let touches = [touched("use", "chat", 30, 10), touched("use", "app", 54, 6)];
    let answers = [
        answered("use", "chat", 5, 6),
        answered("use", "chat", 7, 4),
        answered("use", "app", 9, 10),
    ];
    let found = pains(&touches, &answers, TERMS);
    let chat = of(&found, "chat");
    assert_eq!((chat.rank, of(&found, "app").rank), (Some(1), Some(2)));
    let drop_off = chat.drop_off.expect("shown");
    close(drop_off.rate, 0.25);
    close(drop_off.expected.expect("others"), 0.1);
    close(drop_off.difference.expect("others").difference, 0.15);
    let low = chat.low.expect("shown");
    close(low.mean, 0.58);
    close(low.expected, 0.74);
    close(chat.severity.expect("known"), 4.881468);
    // All answers about the app are alike: nothing is known of their error.
    close(of(&found, "app").severity.expect("known"), -2.004459);
    // Two tests of drop-off, equal as they are each other's mirror: Holm doubles the first.
    let p_value = drop_off.difference.expect("others").p_value.expect("a test");
    close(drop_off.p_value_holm.expect("a test"), 2.0 * p_value);
}

/// What is usual is told by metric and scale: a CES of 4 of 5 is not held against an NPS of 9.
#[test]
fn scores_are_held_against_their_own_metric_and_scale() {
    let ces = |touchpoint: &str, score, count| Answered {
        metric: "ces".into(),
        scale: Scale::points(1, 5),
        ..answered("use", touchpoint, score, count)
    };
    let answers = [
        answered("use", "app", 9, 10),
        answered("use", "app", 10, 10),
        ces("desk", 4, 10),
        ces("desk", 3, 10),
        // Answers about nothing count into what is usual, and those off the scale nowhere.
        Answered { touchpoint: None, ..ces("desk", 5, 20) },
        ces("desk", 6, 100),
    ];
    let found = pains(&[], &answers, TERMS);
    assert_eq!(found.len(), 2);
    let app = of(&found, "app").low.expect("shown");
    close(app.mean - app.expected, 0.0);
    let desk = of(&found, "desk").low.expect("shown");
    // (3.5 - 1) / 4 where (4.25 - 1) / 4 is usual.
    close(desk.mean, 0.625);
    close(desk.expected, 0.8125);
    assert_eq!(of(&found, "desk").n_answers, 20);
    assert_eq!(of(&found, "desk").n_touches, 0);
}

#[test]
fn few_touches_show_how_many_and_take_the_next_smallest_with_them() {
    let touches = [
        touched("use", "rare", 3, 2),
        touched("use", "small", 15, 5),
        touched("use", "large", 90, 10),
        touched("look", "alone", 4, 1),
    ];
    let found = pains(&touches, &[], TERMS);
    for (touchpoint, n) in [("rare", 5), ("small", 20), ("alone", 5)] {
        let pain = of(&found, touchpoint);
        assert_eq!((pain.n_touches, pain.drop_off, pain.rank), (n, None, None));
    }
    assert_eq!(of(&found, "large").rank, Some(1));
}

#[test]
fn rows_of_pain_points_follow_the_contract() {
    let (catalog, _) = Catalog::read(&Files::embedded());
    let contract = &catalog.tables["pain_points"].contract;
    // One touchpoint alone in its stage has nothing to be held against.
    let found = pains(&[touched("use", "only", 10, 10)], &[], TERMS);
    let rows = contract.conform(&pain::batch(&found).expect("rows"), false).expect("a contract");
    assert_eq!(rows.num_rows(), 1);
    let rate = rows["drop_off_rate"].as_primitive::<Float64Type>();
    assert!((rate.value(0) - 0.5).abs() < 1e-12);
    assert!(rows["drop_off_difference"].is_null(0) && rows["rank"].is_null(0));
    assert!(rows["top_themes"].is_null(0) && rows["is_score_suppressed"].as_boolean().value(0));
    assert_eq!(pain::batch(&[]).expect("no rows").num_rows(), 0);
}
