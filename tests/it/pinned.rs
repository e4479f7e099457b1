//! Answers of the engines that were wrong when this was built, each by the name of what it kept us
//! from. When an upgrade mends one, its test fails, and the decision that rests on it can be
//! looked at again: docs/decisions/0001-two-engines-and-folds.md, 0002-frames.md.

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use polars::prelude::*;

fn one(frame: DataFrame, expression: Expr) -> AnyValue<'static> {
    let answer = frame.lazy().select([expression.alias("answer")]).collect().expect("an answer");
    answer.column("answer").expect("the column").get(0).expect("a row").into_static()
}

fn scores() -> DataFrame {
    df!("score" => [3_i64, 5, 7]).expect("a frame")
}

/// The Net Promoter Score of two detractors and a passive is -66.67.
#[test]
fn polars_counts_are_unsigned_and_wrap_when_subtracted() {
    let promoters = col("score").filter(col("score").gt_eq(lit(9))).count();
    let detractors = col("score").filter(col("score").lt_eq(lit(6))).count();
    let nps = |promoters: Expr, detractors: Expr| {
        lit(100.0) * (promoters - detractors) / col("score").count()
    };
    let AnyValue::Float64(wrong) = one(scores(), nps(promoters.clone(), detractors.clone())) else {
        panic!("a float");
    };
    assert!((wrong - 143_165_576_466.67).abs() < 0.01, "{wrong}");
    let signed = |count: Expr| count.cast(DataType::Int64);
    let AnyValue::Float64(right) = one(scores(), nps(signed(promoters), signed(detractors))) else {
        panic!("a float");
    };
    assert!((right + 66.666_667).abs() < 0.001, "{right}");
}

/// February, times 100, is 200.
#[test]
fn polars_months_are_int8_and_wrap_when_multiplied() {
    let february = chrono::NaiveDate::from_ymd_opt(2024, 2, 1).expect("a day");
    let frame = df!("day" => [february]).expect("a frame");
    let month = col("day").dt().month();
    let hundred = || lit(100).cast(DataType::Int8);
    assert_eq!(one(frame.clone(), month.clone() * hundred()), AnyValue::Int8(-56));
    assert_eq!(one(frame, month.cast(DataType::Int64) * lit(100_i64)), AnyValue::Int64(200));
}

/// An amount with five decimals is refused by staging, not rounded without a word.
#[test]
fn polars_decimal_cast_rounds_without_a_word() {
    let frame = df!("amount" => ["0.00005", "1,000.00"]).expect("a frame");
    let cast = col("amount").cast(DataType::Decimal(18, 4));
    let amounts = frame.lazy().select([cast]).collect().expect("an answer");
    let amounts = amounts.column("amount").expect("the column");
    let first = amounts.get(0).expect("a row");
    assert!(matches!(first, AnyValue::Decimal(unscaled, 18, 4) if unscaled <= 1), "{first:?}");
    assert!(amounts.get(1).expect("a row").is_null(), "thousands are not known");
}

/// Half past two on the night when clocks go forward is half past three; Polars can only say that
/// there is no such time.
#[test]
fn polars_cannot_move_a_time_out_of_a_gap() {
    let time =
        chrono::NaiveDate::from_ymd_opt(2024, 3, 31).and_then(|day| day.and_hms_opt(2, 30, 0));
    let frame = df!("at" => [time.expect("a time")]).expect("a frame");
    let zone = TimeZone::opt_try_new(Some("Europe/Copenhagen")).expect("a zone");
    let local = col("at").dt().replace_time_zone(zone, lit("earliest"), NonExistent::Null);
    assert_eq!(one(frame, local), AnyValue::Null);
}

async fn rows(sql: &str) -> Vec<RecordBatch> {
    let context = SessionContext::new();
    context.sql(sql).await.expect("valid").collect().await.expect("an answer")
}

/// Models write `full join … on` with `coalesce`.
#[tokio::test]
async fn datafusion_right_and_full_join_using_lose_the_key() {
    for join in ["right", "full"] {
        let sides = "(values (1)) as a (k)";
        let using = format!("select k from {sides} {join} join (values (2)) as b (k) using (k)");
        let batches = rows(&format!("select k from ({using}) order by k nulls last")).await;
        let keys: Vec<Option<i64>> =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>()).collect();
        assert_eq!(keys.last(), Some(&None), "{join}: {keys:?}");
        let on = format!(
            "select coalesce(a.k, b.k) as k from {sides} {join} join (values (2)) as b (k) on a.k = b.k"
        );
        let batches = rows(&format!("select k from ({on}) order by k")).await;
        let keys: Vec<Option<i64>> =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>()).collect();
        assert_eq!(keys.last(), Some(&Some(2)), "{join}");
    }
}

/// Sums of money are decimals.
#[tokio::test]
async fn datafusion_whole_numbers_wrap_when_summed() {
    let sql = "select cast(9223372036854775807 as bigint) + cast(1 as bigint) as answer";
    let batches = rows(sql).await;
    let answer = batches[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(answer, &Int64Array::from(vec![i64::MIN]));
}
