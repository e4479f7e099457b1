//! Rows in and out: requests and their changes from SQL, the two published tables to Arrow.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{ArrowPrimitiveType, Date32Type, Int64Type, TimestampMicrosecondType};

use super::ServiceError;
use super::case::{Aim, Case, Change, Facts, Happening, Promise, Times, Vendor, over};
use super::levels::{COLUMNS, DIMENSIONS, Level};
use crate::measure::fold::calendar::Grain;

const CASES: &str = "service_cases";
const CHANGES: &str = "service_changes";

/// Columns of a batch by name.
struct Table<'a> {
    name: &'static str,
    batch: &'a RecordBatch,
}

impl<'a> Table<'a> {
    fn wrong(&self, column: &'static str) -> ServiceError {
        ServiceError::Column { table: self.name, column }
    }

    fn text(
        &self,
        column: &'static str,
    ) -> Result<impl Fn(usize) -> Option<&'a str> + use<'a>, ServiceError> {
        let array = self.batch.column_by_name(column).and_then(|a| a.as_string_opt::<i32>());
        let array = array.ok_or_else(|| self.wrong(column))?;
        Ok(move |i: usize| array.is_valid(i).then(|| array.value(i)))
    }

    fn value<P: ArrowPrimitiveType>(
        &self,
        column: &'static str,
    ) -> Result<impl Fn(usize) -> Option<P::Native> + use<'a, P>, ServiceError> {
        let array = self.batch.column_by_name(column).and_then(|a| a.as_primitive_opt::<P>());
        let array = array.ok_or_else(|| self.wrong(column))?;
        Ok(move |i: usize| array.is_valid(i).then(|| array.value(i)))
    }

    fn flag(
        &self,
        column: &'static str,
    ) -> Result<impl Fn(usize) -> Option<bool> + use<'a>, ServiceError> {
        let array = self.batch.column_by_name(column).and_then(|a| a.as_boolean_opt());
        let array = array.ok_or_else(|| self.wrong(column))?;
        Ok(move |i: usize| array.is_valid(i).then(|| array.value(i)))
    }
}

/// Requests of a batch of `service_cases`.
///
/// # Errors
/// A column that is missing or of another type.
pub fn cases(batch: &RecordBatch) -> Result<Vec<Case<'_>>, ServiceError> {
    let table = Table { name: CASES, batch };
    let time = |column| table.value::<TimestampMicrosecondType>(column);
    let day = |column| table.value::<Date32Type>(column);
    let count = |column| table.value::<Int64Type>(column);
    let (id, customer) = (table.text("conversation_id")?, table.text("customer_id")?);
    let (source, account) = (table.text("source")?, table.text("source_account")?);
    let source_id = table.text("source_id")?;
    let columns = DIMENSIONS.into_iter().skip(1).map(|name| table.text(name));
    let dimensions: Vec<_> = columns.collect::<Result<_, _>>()?;
    let values = |i: usize| {
        let mut values = [None; COLUMNS];
        for (value, of) in values.iter_mut().zip(&dimensions) {
            *value = of(i);
        }
        values
    };
    let (created, date, month) = (time("created_at")?, day("created_date")?, day("created_month")?);
    let (started, outbound) = (time("started_at")?, table.flag("is_outbound")?);
    let (human, bot, agent) =
        (time("first_human_at")?, time("first_bot_at")?, time("first_agent_at")?);
    let (messages, replies) = (count("n_messages")?, count("n_replies")?);
    let (bots, customers) = (count("n_bot_messages")?, count("n_customer_messages")?);
    let (with_bot, resolved) = (table.flag("is_with_bot")?, time("resolved_at")?);
    let response = count("vendor_first_response_seconds")?;
    let bot_response = count("vendor_first_bot_response_seconds")?;
    let resolution = count("vendor_resolution_seconds")?;
    let (vendor_reopens, vendor_replies) = (count("vendor_reopens")?, count("vendor_replies")?);
    let breached = table.flag("vendor_sla_breached")?;
    let case = |i: usize| Case {
        id: id(i).unwrap_or_default(),
        customer_id: customer(i),
        source: source(i).unwrap_or_default(),
        source_account: account(i).unwrap_or_default(),
        source_id: source_id(i).unwrap_or_default(),
        dimensions: values(i),
        created_at: created(i).unwrap_or_default(),
        created_date: date(i).unwrap_or_default(),
        created_month: month(i).unwrap_or_default(),
        started_at: started(i),
        is_outbound: outbound(i).unwrap_or(false),
        n_messages: messages(i).unwrap_or(0),
        first_human_at: human(i),
        first_bot_at: bot(i),
        first_agent_at: agent(i),
        n_replies: replies(i).unwrap_or(0),
        n_bot_messages: bots(i).unwrap_or(0),
        n_customer_messages: customers(i).unwrap_or(0),
        is_with_bot: with_bot(i).unwrap_or(false),
        resolved_at: resolved(i),
        vendor: Vendor {
            first_response: response(i),
            first_bot_response: bot_response(i),
            resolution: resolution(i),
            reopens: vendor_reopens(i),
            replies: vendor_replies(i),
            is_sla_breached: breached(i),
        },
    };
    Ok((0..batch.num_rows()).map(case).collect())
}

/// Changes of a batch of `service_changes`, each with the request it belongs to.
///
/// # Errors
/// A column that is missing or of another type.
pub fn changes(batch: &RecordBatch) -> Result<Vec<(String, Change)>, ServiceError> {
    let table = Table { name: CHANGES, batch };
    let (request, kind) = (table.text("request_id")?, table.text("kind")?);
    let (metric, value) = (table.text("metric")?, table.text("value_text")?);
    let (author, seconds) =
        (table.text("author_kind")?, table.value::<Int64Type>("target_seconds")?);
    let business = table.flag("is_business_time")?;
    let at = table.value::<TimestampMicrosecondType>("changed_at")?;
    let change = |i: usize| {
        let aim = match metric(i) {
            Some("first_response") => Some(Aim::FirstResponse),
            Some("resolution") => Some(Aim::Resolution),
            _ => None,
        };
        let what = match kind(i).unwrap_or_default() {
            "opened" | "pending" | "reopened" => Happening::Open,
            "resolved" | "closed" => Happening::Resolved { by_bot: author(i) == Some("bot") },
            "assigned" => Happening::Assigned(value(i).unwrap_or_default().to_owned()),
            "target_applied" => match (aim, seconds(i)) {
                (Some(aim), Some(seconds)) => Happening::Target {
                    aim,
                    seconds,
                    is_business_time: business(i).unwrap_or(false),
                },
                _ => Happening::Other,
            },
            _ => Happening::Other,
        };
        let change = Change { at: at(i).unwrap_or_default(), what };
        (request(i).unwrap_or_default().to_owned(), change)
    };
    Ok((0..batch.num_rows()).map(change).collect())
}

fn texts<'a, T>(rows: &'a [T], of: impl Fn(&'a T) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<StringArray>())
}

fn whole<T>(rows: &[T], of: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Int64Array>())
}

fn days<T>(rows: &[T], of: impl Fn(&T) -> Option<i32>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Date32Array>())
}

fn flags<T>(rows: &[T], of: impl Fn(&T) -> Option<bool>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<BooleanArray>())
}

fn instants<T>(rows: &[T], of: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    let times: TimestampMicrosecondArray = rows.iter().map(of).collect();
    Arc::new(times.with_timezone("UTC"))
}

type Row<'a> = (Case<'a>, Facts);
type Of<T> = fn(&Facts) -> Option<T>;

fn spans(rows: &[Row<'_>]) -> Vec<(String, ArrayRef)> {
    const SPANS: [(&str, Of<Times>); 4] = [
        ("first_response", |facts| facts.first_response),
        ("first_bot_response", |facts| facts.first_bot_response),
        ("first_resolution", |facts| facts.first_resolution),
        ("full_resolution", |facts| facts.full_resolution),
    ];
    const UNITS: [&str; 3] = ["seconds", "business_seconds", "business_all_seconds"];
    let mut columns = Vec::new();
    for (name, of) in SPANS {
        for (clock, unit) in UNITS.into_iter().enumerate() {
            let value = |(_, facts): &Row<'_>| {
                let times = of(facts).filter(|times| times.is_over)?;
                times.seconds.get(clock).copied().flatten()
            };
            columns.push((format!("{name}_{unit}"), whole(rows, value)));
        }
    }
    columns
}

fn promises(rows: &[Row<'_>]) -> Vec<(String, ArrayRef)> {
    const PROMISES: [(&str, Of<Promise>); 2] = [
        ("first_response", |facts| facts.response_target),
        ("resolution", |facts| facts.resolution_target),
    ];
    let mut columns = Vec::new();
    for (name, of) in PROMISES {
        let seconds = whole(rows, |(_, facts)| Some(of(facts)?.seconds));
        let business = flags(rows, |(_, facts)| Some(of(facts)?.is_business_time));
        let breached = flags(rows, |(_, facts)| of(facts)?.is_breached);
        columns.push((format!("{name}_target_seconds"), seconds));
        columns.push((format!("is_{name}_target_business"), business));
        columns.push((format!("is_{name}_target_breached"), breached));
    }
    columns
}

fn vendor(rows: &[Row<'_>]) -> Vec<(String, ArrayRef)> {
    type Pair = fn(&Row<'_>) -> (Option<i64>, Option<i64>);
    type Cause = fn(&Row<'_>) -> Option<&'static str>;
    const COMPARED: [(&str, Pair, Cause); 5] = [
        (
            "first_response",
            |(case, facts)| (over(facts.first_response), case.vendor.first_response),
            |(case, facts)| facts.response_cause(case),
        ),
        (
            "first_bot_response",
            |(case, facts)| (over(facts.first_bot_response), case.vendor.first_bot_response),
            |(case, facts)| facts.bot_cause(case),
        ),
        (
            "resolution",
            |(case, facts)| (over(facts.full_resolution), case.vendor.resolution),
            |(case, facts)| facts.resolution_cause(case),
        ),
        (
            "replies",
            |(case, _)| (Some(case.n_replies), case.vendor.replies),
            |(case, _)| {
                Facts::count_cause(case.n_replies, case.vendor.replies, case.n_messages > 0)
            },
        ),
        (
            "reopens",
            |(case, facts)| (Some(facts.n_reopens), case.vendor.reopens),
            |(case, facts)| {
                Facts::count_cause(facts.n_reopens, case.vendor.reopens, facts.is_followed)
            },
        ),
    ];
    let mut columns = Vec::new();
    for (name, pair, cause) in COMPARED {
        let value = whole(rows, |row| pair(row).1);
        let difference = whole(rows, |row| {
            let (ours, vendor) = pair(row);
            Some(ours? - vendor?)
        });
        columns.push((format!("vendor_{name}"), value));
        columns.push((format!("vendor_{name}_difference"), difference));
        columns.push((format!("vendor_{name}_cause"), texts(rows, cause)));
    }
    columns
}

/// Requests as rows of `conversation_service`.
///
/// # Errors
/// The columns do not fit each other.
pub fn case_batch(rows: &[Row<'_>]) -> Result<RecordBatch, ServiceError> {
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("conversation_id".into(), texts(rows, |(case, _)| Some(case.id))),
        ("definition_id".into(), texts(rows, |_| Some("service_levels"))),
        ("definition_version".into(), whole(rows, |_| Some(1))),
        ("customer_id".into(), texts(rows, |(case, _)| case.customer_id)),
        ("source".into(), texts(rows, |(case, _)| Some(case.source))),
        ("source_account".into(), texts(rows, |(case, _)| Some(case.source_account))),
        ("source_id".into(), texts(rows, |(case, _)| Some(case.source_id))),
        ("created_at".into(), instants(rows, |(case, _)| Some(case.created_at))),
        ("created_date".into(), days(rows, |(case, _)| Some(case.created_date))),
        ("is_outbound".into(), flags(rows, |(case, _)| Some(case.is_outbound))),
        ("is_resolved".into(), flags(rows, |(_, facts)| Some(facts.is_resolved))),
    ];
    columns.extend(spans(rows));
    columns.extend([
        ("n_replies".into(), whole(rows, |(case, _)| Some(case.n_replies))),
        ("n_bot_messages".into(), whole(rows, |(case, _)| Some(case.n_bot_messages))),
        ("n_customer_messages".into(), whole(rows, |(case, _)| Some(case.n_customer_messages))),
        ("n_reopens".into(), whole(rows, |(_, facts)| Some(facts.n_reopens))),
        ("is_first_contact".into(), flags(rows, |(_, facts)| facts.is_first_contact)),
        ("is_one_touch".into(), flags(rows, |(_, facts)| facts.is_one_touch)),
        ("is_reopened".into(), flags(rows, |(_, facts)| facts.is_reopened)),
        ("is_contained".into(), flags(rows, |(_, facts)| facts.is_contained)),
    ]);
    columns.extend(promises(rows));
    columns.extend(vendor(rows));
    columns.push(("month".into(), days(rows, |(case, _)| Some(case.created_month))));
    build(columns)
}

/// Levels as rows of `service_levels`.
///
/// # Errors
/// The columns do not fit each other.
pub fn level_batch(rows: &[Level]) -> Result<RecordBatch, ServiceError> {
    let float = |of: fn(&Level) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Float64Array>())
    };
    let count = |of: fn(&Level) -> Option<u64>| -> ArrayRef {
        whole(rows, |level| Some(i64::try_from(of(level)?).unwrap_or(i64::MAX)))
    };
    let seconds = |time: Option<i64>| time.map(|time| time as f64);
    let km_median = rows.iter().map(|level| seconds(level.km?.time)).collect::<Float64Array>();
    let km_low = rows.iter().map(|level| seconds(level.km?.low)).collect::<Float64Array>();
    let km_high = rows.iter().map(|level| seconds(level.km?.high)).collect::<Float64Array>();
    let within = |level: &Level| {
        let n = level.n_with_target.filter(|n| *n > 0)?;
        Some(level.n_within_target? as f64 / n as f64)
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("metric", texts(rows, |level| Some(level.metric))),
        ("clock", texts(rows, |level| Some(level.clock))),
        ("definition_id", texts(rows, |level| Some(level.metric))),
        ("definition_version", whole(rows, |_| Some(1))),
        ("period_grain", texts(rows, |level| level.grain.map(Grain::name))),
        ("period_start", days(rows, |level| Some(level.start))),
        ("dimension", texts(rows, |level| Some(&level.dimension))),
        ("dimension_value", texts(rows, |level| Some(&level.value))),
        ("year", whole(rows, |level| Some(level.year))),
        ("n", count(|level| Some(level.n))),
        ("answered", count(|level| level.answered)),
        ("open", count(|level| level.open)),
        ("hits", count(|level| level.hits)),
        ("mean", float(|level| level.mean)),
        ("ci_low", float(|level| level.interval.map(|interval| interval.low))),
        ("ci_high", float(|level| level.interval.map(|interval| interval.high))),
        ("median", float(|level| level.median)),
        ("p90", float(|level| level.p90)),
        ("km_median", Arc::new(km_median)),
        ("km_median_low", Arc::new(km_low)),
        ("km_median_high", Arc::new(km_high)),
        ("n_with_target", count(|level| level.n_with_target)),
        ("n_within_target", count(|level| level.n_within_target)),
        ("share_within_target", float(within)),
        ("n_vendor", count(|level| level.n_vendor)),
        ("vendor_value", float(|level| level.vendor_value)),
        ("difference", float(|level| Some(level.mean? - level.vendor_value?))),
        ("cause", texts(rows, |level| level.cause)),
        ("is_suppressed", flags(rows, |level| Some(level.is_suppressed))),
    ];
    build(columns.into_iter().map(|(name, array)| (name.to_owned(), array)).collect())
}

fn build(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, ServiceError> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(ServiceError::Rows)
}
