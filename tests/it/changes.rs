//! Effects of changes, worked out by hand, and what a job may say of changes.

use std::collections::BTreeMap;

use arrow::array::Array;
use cxmart::catalog::{Catalog, Files};
use cxmart::job::measure::{Change, Family, Moved};
use cxmart::measure::changes::{self, Effect, Fact, Phase, Share, Terms, When, effects};
use cxmart::measure::scores::{Answer, DEFINITIONS, Scale};
use cxmart::measure::service::MEASURES;

const TERMS: Terms = Terms { confidence: 0.95, min_cell: 10, horizon_day: 1_000 };
const WHEN: When = When { from: 500, until: Some(509), days: 90 };

fn nps(day: i32, value: &str, [promoters, passives, detractors]: [u64; 3]) -> Vec<Fact> {
    let answer = |(score, count): (i64, u64)| {
        Fact::Answer(Answer {
            metric: "nps".into(),
            scale: Scale::points(0, 10),
            is_effort: false,
            score: score * 10_000,
            favourable: None,
            day,
            dimension: "channel".into(),
            value: value.into(),
            stratum: String::new(),
            count,
        })
    };
    [(10, promoters), (8, passives), (3, detractors)].into_iter().map(answer).collect()
}

fn of(found: &[Effect], metric: &str, phase: Phase) -> Effect {
    let fits = |effect: &&Effect| effect.metric.name == metric && effect.phase == phase;
    found.iter().find(fits).cloned().expect("a row")
}

fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("a number");
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
}

/// The chat goes from 30 to 40 while all else goes from 0 to 5: what is left is 5.
#[test]
fn a_change_is_held_against_what_was_before_and_what_it_did_not_concern() {
    let facts = [
        nps(499, "chat", [50, 30, 20]),
        nps(410, "web", [20, 60, 20]),
        nps(510, "chat", [60, 20, 20]),
        nps(599, "web", [25, 55, 20]),
        // Three in the days between, and some too early or too late.
        nps(505, "chat", [3, 0, 0]),
        nps(409, "chat", [0, 0, 50]),
        nps(600, "chat", [0, 0, 50]),
    ]
    .concat();
    let found = effects("new bot", WHEN, ("chat", "channel=chat"), &facts, &["nps"], TERMS);
    assert_eq!(found.len(), 3);
    let before = of(&found, "nps", Phase::Before);
    assert_eq!((before.n, before.n_rest, before.first_day, before.last_day), (100, 100, 410, 499));
    close(before.value, 30.0);
    let limits = before.interval.expect("limits");
    assert!((limits.low - 14.1).abs() < 0.05 && (limits.high - 44.2).abs() < 0.05, "{limits:?}");
    assert_eq!(before.difference, None);
    let during = of(&found, "nps", Phase::During);
    assert_eq!((during.n, during.is_suppressed, during.value), (3, true, None));
    assert_eq!((during.first_day, during.last_day), (500, 509));
    let after = of(&found, "nps", Phase::After);
    assert_eq!((after.first_day, after.last_day, after.is_complete), (510, 599, true));
    close(after.value, 40.0);
    let difference = after.difference.expect("a difference");
    close(Some(difference.difference), 10.0);
    // Welch on answers of 1, 0, -1: variances 0.61 and 0.64, of a hundred each, and one freedom less.
    let error = 100.0 * ((0.61 + 0.64) / 99.0_f64).sqrt();
    let half = (difference.interval.high - difference.interval.low) / 2.0;
    assert!((half / error - 1.972).abs() < 0.002, "{half} {error}");
    close(after.rest_difference, 5.0);
    let (net, limits) = after.net.expect("both sides");
    close(Some(net), 5.0);
    assert!(limits.low < 5.0 - half && limits.high > 5.0 + half, "{limits:?}");
    // The only test of the change.
    assert_eq!(after.p_value_holm, difference.p_value);
}

#[test]
fn shares_of_months_count_where_the_month_lies_in_the_phase() {
    let month = |first: i32, k: u64| Fact::Hits {
        metric: "churn_gross".into(),
        days: (first, first + 29),
        is_inside: true,
        share: Share { k, n: 100 },
    };
    // The one across the change is of neither side.
    let facts = [month(411, 10), month(441, 20), month(480, 90), month(520, 5)];
    let at_once = When { until: None, ..WHEN };
    let found = effects("prices", at_once, ("all", "all"), &facts, &["churn_gross"], TERMS);
    assert_eq!(found.len(), 2, "it came at once");
    let (before, after) =
        (of(&found, "churn_gross", Phase::Before), of(&found, "churn_gross", Phase::After));
    assert_eq!((before.n, after.n, after.n_rest), (200, 100, 0));
    close(before.value, 0.15);
    close(after.difference.map(|difference| difference.difference), -0.1);
    assert_eq!((after.rest_difference, after.net), (None, None));
}

#[test]
fn a_change_still_to_come_has_no_row_after_it() {
    let facts = [nps(499, "all", [5, 5, 5]), nps(503, "all", [5, 5, 5])].concat();
    let check = |horizon_day: i32| -> Vec<(Phase, bool)> {
        let terms = Terms { horizon_day, ..TERMS };
        let found = effects("a", WHEN, ("all", "all"), &facts, &["nps"], terms);
        found.iter().map(|effect| (effect.phase, effect.is_complete)).collect()
    };
    assert_eq!(check(499), [(Phase::Before, true)]);
    assert_eq!(check(505), [(Phase::Before, true), (Phase::During, false)]);
    let numbers = |metric: &str| Fact::Number {
        metric: metric.into(),
        day: 499,
        is_inside: true,
        value: 60,
        count: 12,
    };
    let found = effects("a", WHEN, ("all", "all"), &[numbers("replies")], &[], TERMS);
    let before = of(&found, "replies", Phase::Before);
    close(before.value, 60.0);
    assert!(of(&found, "replies", Phase::After).is_suppressed);
}

#[test]
fn rows_of_change_effects_follow_the_contract() {
    let (catalog, _) = Catalog::read(&Files::embedded());
    let contract = &catalog.tables["change_effects"].contract;
    let facts = nps(499, "all", [5, 5, 5]);
    let found = effects("a", WHEN, ("all", "all"), &facts, &["nps", "ltr_mean"], TERMS);
    let rows = contract.conform(&changes::batch(&found).expect("rows"), false).expect("rows");
    assert_eq!((rows.num_rows(), rows["value"].null_count()), (6, 4));
    assert_eq!(changes::batch(&[]).expect("no rows").num_rows(), 0);
}

#[test]
fn metrics_a_change_may_move_are_those_of_the_tables() {
    let scores: Vec<&str> = DEFINITIONS.iter().map(|definition| definition.id).collect();
    for metric in Moved::ALL {
        let name = metric.name();
        let is_known = match metric.family() {
            Family::Scores => scores.contains(&name),
            Family::Service => MEASURES.iter().any(|measure| measure.metric == name),
            Family::Churn => name == "churn_gross",
        };
        assert!(is_known, "{name}");
    }
    let change = |names: &[&str]| Change {
        name: "a".into(),
        from: "2025-01-01".into(),
        until: None,
        days: 90,
        scope: names
            .iter()
            .map(|name| ((*name).to_owned(), "x".to_owned()))
            .collect::<BTreeMap<_, _>>(),
        metrics: Vec::new(),
    };
    assert!(change(&["channel"]).concerns(Family::Scores));
    assert!(change(&["channel", "team"]).concerns(Family::Service));
    assert!(!change(&["channel", "team"]).concerns(Family::Scores));
    assert!(change(&[]).concerns(Family::Churn));
}
