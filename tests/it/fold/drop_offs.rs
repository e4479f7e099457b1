//! Where paths break off, by the stage their customers were in.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use cxmart::measure::fold::drop_offs::{DropOffs, Rows};
use cxmart::measure::fold::path_tables;
use cxmart::measure::fold::paths::{Level, Paths, Shape};
use cxmart::measure::fold::{Attributes, pass};

use super::journey::{Fired, HORIZON, at, journey, marks};
use super::{DAY, Row, order, row, terms, timeline};

const SHAPE: Shape = Shape { level: Level::Touchpoint, touches_max: 10, collapses: true };

fn drop_offs() -> DropOffs {
    let terms = terms(HORIZON);
    let since = i64::from(HORIZON - 320) * DAY;
    DropOffs { journey: journey(&terms), paths: Paths::new(terms, SHAPE), since }
}

fn touch(customer: &str, touchpoint: &'static str, day: i32) -> Row {
    Row { touchpoint: Some(touchpoint), ..row(customer, "event", day, 1) }
}

fn told(rows: &RecordBatch) -> Vec<(String, String, i64, i64)> {
    let text = |name: &str, i: usize| rows[name].as_string::<i32>().value(i).to_owned();
    let count = |name: &str, i: usize| rows[name].as_primitive::<Int64Type>().value(i);
    let row =
        |i| (text("stage", i), text("touchpoint", i), count("n_led_on", i), count("n_dropped", i));
    (0..rows.num_rows()).map(row).collect()
}

/// `a` reads, looks and buys; `b` reads and is lost; `c`, whom no rule knows, still looks round; `d`
/// was lost too long ago.
#[test]
fn touches_lead_on_or_are_the_end_of_a_path_in_the_stage_of_their_time() {
    let start = HORIZON - 300;
    let rows = [
        touch("a", "blog", start),
        touch("a", "shop", start + 1),
        order("a", start + 2, 10),
        touch("b", "blog", start),
        touch("c", "blog", HORIZON - 2),
        touch("c", "mail", HORIZON - 1),
        touch("d", "blog", start - 50),
    ];
    let fired: [Fired; 4] = [
        // The touch that brings somebody into a stage is one of that stage.
        ("a", at(start, 1), "awareness", 0),
        ("a", at(start + 1, 1), "evaluation", 0),
        ("b", at(start, 1), "awareness", 0),
        ("d", at(start - 50, 1), "awareness", 0),
    ];
    let fold = drop_offs();
    let walked: Rows =
        pass(&fold, &timeline(&rows, 2), &marks(&fired), &Attributes::default()).expect("a pass");
    let plain = Paths::new(terms(HORIZON), SHAPE);
    let alone = super::fold(&plain, &rows);
    let (mine, theirs) = (
        path_tables::tables(&fold.paths, walked.paths).expect("tables"),
        path_tables::tables(&plain, alone).expect("tables"),
    );
    assert_eq!(mine.paths, theirs.paths, "the paths are those of the fold of paths");
    assert_eq!(mine.transitions, theirs.transitions);
    let broken = walked.broken.batch(&mine.touchpoints, &fold.journey.stages).expect("rows");
    let row = |stage: &str, touchpoint: &str, on, dropped| {
        (stage.to_owned(), touchpoint.to_owned(), on, dropped)
    };
    let expected = [
        row("(none)", "blog", 1, 0),
        row("awareness", "blog", 1, 1),
        row("evaluation", "shop", 1, 0),
    ];
    assert_eq!(told(&broken), expected);
}

/// Rules that match nothing leave everybody without a stage, and every table without a row of one.
#[test]
fn where_no_rule_matches_nobody_is_in_a_stage() {
    let rows = [touch("a", "blog", HORIZON - 200), order("b", HORIZON - 20, 10)];
    let fold = drop_offs();
    let rules = marks(&[]);
    let walked: Rows =
        pass(&fold, &timeline(&rows, 5), &rules, &Attributes::default()).expect("a pass");
    let history = walked.stages.history(&fold.journey, &rules.rules).expect("a batch");
    assert_eq!(history.num_rows(), 0);
    let metrics = walked.stages.metrics.batch(&fold.journey, &[]).expect("a batch");
    assert_eq!(metrics.num_rows(), 0);
    let tables = path_tables::tables(&fold.paths, walked.paths).expect("tables");
    let broken = walked.broken.batch(&tables.touchpoints, &fold.journey.stages).expect("rows");
    assert_eq!(told(&broken), [("(none)".to_owned(), "blog".to_owned(), 0, 1)]);
}
