//! The default stage rules: which event brings a customer into which stage.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use cxmart::catalog::Files;
use cxmart::engine::{Engine, Limits};
use cxmart::measure::fold::{Attributes, Marks, mark, pass};
use cxmart::storage::Store;

use super::journey::{STAGES, journey};
use super::{Row, order, row, terms, timeline};

/// What the rules say of these events.
async fn fired(rows: &[Row]) -> Vec<RecordBatch> {
    let scratch = tempfile::tempdir().expect("a folder");
    let limits = Limits {
        memory_bytes: 1 << 28,
        scratch: scratch.path().join("spill"),
        spill_bytes_max: 1 << 30,
    };
    let engine = Engine::new(&Store::on_disk(scratch.path()), &limits).expect("an engine");
    let session = engine.session();
    let events = mark::numbered(&timeline(rows, 4)).expect("rows");
    session.batches("timeline", events[0].schema(), events).expect("a table");
    let loyal = Arc::new(Int64Array::from(vec![3])) as ArrayRef;
    let run = RecordBatch::try_from_iter([("loyal_orders", loyal)]).expect("a row");
    session.batches("run", run.schema(), vec![run]).expect("a table");
    let files = Files::embedded();
    let rules = files.get("sql/measure/stages/stage_events.sql").expect("rules");
    session.collect("stage_events", rules).await.expect("rows")
}

/// Stages and rules of each customer's history, as the fold walks through them.
async fn walked(rows: &[Row]) -> Vec<(String, String, String)> {
    let marks = Marks::new(&fired(rows).await, &STAGES.map(String::from)).expect("marks");
    let journey = journey(&terms(19_020));
    let pass = pass(&journey, &timeline(rows, 9), &marks, &Attributes::default());
    let batch = pass.expect("a pass").history(&journey, &marks.rules).expect("a batch");
    let text = |column: &str, i: usize| batch[column].as_string::<i32>().value(i).to_owned();
    (0..batch.num_rows())
        .map(|i| (text("customer_id", i), text("stage", i), text("entered_by", i)))
        .collect()
}

#[tokio::test]
async fn the_first_rule_that_fits_an_event_counts() {
    let named = |customer: &str, kind, name, day| Row {
        name: Some(name),
        ..row(customer, kind, 19_000 + day, 0)
    };
    let answer = |customer: &str, metric, score: i128, max: i128, day| Row {
        score: Some(score * 10_000),
        scale_max: Some(max * 10_000),
        ..named(customer, "survey_answered", metric, day)
    };
    let rows = [
        named("a", "contact_created", "lead", 0),
        named("a", "event", "page_view", 1),
        named("a", "event", "product_view", 2),
        named("a", "conversation_opened", "chat", 3),
        // Nothing is said about a stage by an answer before the first purchase.
        answer("a", "nps", 10, 10, 4),
        order("a", 19_005, 1),
        named("a", "conversation_opened", "ticket", 6),
        named("a", "event", "feature_used", 7),
        answer("a", "nps", 8, 10, 8),
        answer("a", "nps", 9, 10, 9),
        // Nine of a hundred is no promoter.
        answer("a", "nps", 9, 100, 10),
        order("a", 19_011, 1),
        named("a", "refund", "refunded", 13),
        order("c", 19_001, 1),
        named("c", "event", "feature_used", 2),
        order("c", 19_003, 1),
        order("c", 19_004, 1),
        order("c", 19_005, 1),
        named("b", "contact_created", "opportunity", 0),
        row("b", "subscription_started", 19_001, 0),
        named("b", "event", "referral_sent", 2),
        named("b", "event", "something_else", 3),
    ];
    let got = walked(&rows).await;
    let of = |customer: &str| -> Vec<(&str, &str)> {
        let own = got.iter().filter(|found| found.0 == customer);
        own.map(|(_, stage, rule)| (stage.as_str(), rule.as_str())).collect()
    };
    assert_eq!(
        of("a"),
        [
            ("awareness", "contact"),
            ("evaluation", "shopping"),
            ("purchase", "order"),
            ("post_purchase", "service"),
            ("loyalty", "promoter"),
        ]
    );
    // The third order, and not the fourth again.
    assert_eq!(
        of("c"),
        [
            ("purchase", "order"),
            ("post_purchase", "usage"),
            ("purchase", "order"),
            ("loyalty", "loyal_orders"),
        ]
    );
    assert_eq!(
        of("b"),
        [("evaluation", "qualified_lead"), ("purchase", "subscription"), ("loyalty", "advocacy")]
    );
}
