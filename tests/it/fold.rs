//! Folds over hand-made lives, against slow oracles that say the same in another way.

mod churn;
mod cohorts;
mod contracts;
mod drop_offs;
pub mod features;
mod feedback;
mod funnels;
mod journey;
mod paths;
mod purchases;
mod rules;
mod sessions;
mod survival;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use cxmart::measure::fold::retention::Retention;
use cxmart::measure::fold::{Attributes, Calendar, Fold, Grain, Marks, Terms, pass};
use cxmart::table::day::{date, day_number};

pub const DAY: i64 = 86_400_000_000;

/// A row of the timeline in UTC; money and scores in ten-thousandths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub customer: String,
    pub at: i64,
    pub kind: &'static str,
    pub name: Option<&'static str>,
    pub channel: Option<&'static str>,
    pub touchpoint: Option<&'static str>,
    pub amount: Option<i128>,
    pub currency: Option<&'static str>,
    /// In euros, for money in other currencies that has a rate.
    pub home: Option<i128>,
    pub reference: Option<&'static str>,
    pub score: Option<i128>,
    pub scale_max: Option<i128>,
    /// As the job says.
    pub is_favourable: Option<bool>,
    /// On a web site or in an app.
    pub visit: Option<Visit>,
    /// Local day, where it is not that of UTC.
    pub day_there: Option<i32>,
}

/// What visits have beside it; the session id is the row's reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visit {
    pub event: String,
    pub account: Option<&'static str>,
    pub device: Option<&'static str>,
    pub page: Option<&'static str>,
    pub campaign: Option<&'static str>,
    pub engagement: Option<i64>,
    pub is_engaged: bool,
}

impl Row {
    pub fn day(&self) -> i32 {
        let in_utc = || i32::try_from(self.at.div_euclid(DAY)).expect("a day");
        self.day_there.unwrap_or_else(in_utc)
    }

    /// What the timeline says the amount is worth.
    pub fn home_amount(&self) -> Option<i128> {
        match self.currency {
            None | Some("EUR") => self.amount,
            Some(_) => self.home,
        }
    }
}

/// An event of whole days; `hour` orders those of one day.
pub fn row(customer: &str, kind: &'static str, day: i32, hour: i64) -> Row {
    let at = i64::from(day) * DAY + hour * DAY / 24;
    Row { customer: customer.into(), at, kind, ..Row::default() }
}

/// An order of so many whole euros.
pub fn order(customer: &str, day: i32, value: i128) -> Row {
    Row { amount: Some(value * 10_000), currency: Some("EUR"), ..row(customer, "order", day, 12) }
}

/// The day number of a date.
pub fn day(text: &str) -> i32 {
    day_number(text.parse().expect("a date"))
}

pub fn terms(horizon: i32) -> Terms {
    Terms {
        horizon_day: horizon,
        fit_day: horizon,
        backtest_day: horizon,
        cohorts_from_contact: false,
        currency: "EUR".into(),
        inactive_days: 90,
        grace_days: 0,
        min_cell: 0,
        confidence: 0.95,
        conversion_days: 90,
    }
}

/// Days in UTC up to the horizon.
pub fn calendar(horizon: i32, grains: &[Grain]) -> Arc<Calendar> {
    Arc::new(Calendar::new(chrono_tz::Tz::UTC, horizon, grains))
}

/// Sorted rows as the timeline has them, in batches of at most `cut` rows.
pub fn timeline(rows: &[Row], cut: usize) -> Vec<RecordBatch> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| (&a.customer, a.at).cmp(&(&b.customer, b.at)));
    rows.chunks(cut.max(1)).map(batch).collect()
}

fn batch(rows: &[Row]) -> RecordBatch {
    let text = |of: fn(&Row) -> Option<&str>| {
        Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let decimal = |of: fn(&Row) -> Option<i128>| {
        let values = rows.iter().map(of).collect::<Decimal128Array>();
        Arc::new(values.with_precision_and_scale(18, 4).expect("a decimal")) as ArrayRef
    };
    let at = rows.iter().map(|row| Some(row.at)).collect::<TimestampMicrosecondArray>();
    let days = rows.iter().map(|row| Some(row.day())).collect::<Date32Array>();
    let visit = |of: fn(&Visit) -> Option<&str>| {
        let values = rows.iter().map(|row| row.visit.as_ref().and_then(of));
        Arc::new(values.collect::<StringArray>()) as ArrayRef
    };
    let flag = |of: fn(&Visit) -> bool| {
        let values = rows.iter().map(|row| row.visit.as_ref().map(of));
        Arc::new(values.collect::<BooleanArray>()) as ArrayRef
    };
    let favourable: BooleanArray = rows.iter().map(|row| row.is_favourable).collect();
    let engagement: Int64Array =
        rows.iter().map(|row| row.visit.as_ref().and_then(|visit| visit.engagement)).collect();
    RecordBatch::try_from_iter(vec![
        ("customer_id", text(|row| Some(&row.customer))),
        ("occurred_at", Arc::new(at.with_timezone("UTC")) as ArrayRef),
        ("kind", text(|row| Some(row.kind))),
        ("name", text(|row| row.name)),
        ("source", text(|_| Some("shop"))),
        ("channel", text(|row| row.channel)),
        ("touchpoint", text(|row| row.touchpoint)),
        ("amount", decimal(|row| row.amount)),
        ("currency", text(|row| row.currency)),
        ("score", decimal(|row| row.score)),
        ("scale_max", decimal(|row| row.scale_max)),
        ("is_favourable", Arc::new(favourable) as ArrayRef),
        ("occurred_date", Arc::new(days) as ArrayRef),
        ("reference", text(|row| row.reference)),
        ("home_amount", decimal(Row::home_amount)),
        ("event_id", visit(|visit| Some(visit.event.as_str()))),
        ("is_visit", flag(|_| true)),
        ("source_account", visit(|visit| visit.account)),
        ("device", visit(|visit| visit.device)),
        ("page_path", visit(|visit| visit.page)),
        ("utm_source", visit(|visit| visit.campaign.map(|_| "mail"))),
        ("utm_medium", visit(|_| None)),
        ("utm_campaign", visit(|visit| visit.campaign)),
        ("engagement_ms", Arc::new(engagement) as ArrayRef),
        ("is_session_engaged", flag(|visit| visit.is_engaged)),
    ])
    .expect("columns of one length")
}

/// Retention over periods of these grains.
pub fn retention(terms: &Terms, calendar: &Arc<Calendar>) -> Retention {
    Retention {
        terms: terms.clone(),
        ledger: Arc::clone(calendar),
        cohorts: Arc::clone(calendar),
        months: self::calendar(terms.horizon_day, &[Grain::Month]),
    }
}

/// Folds rows in batches of 7, and checks that other cuts would give the same.
pub fn fold<F: Fold>(fold: &F, rows: &[Row]) -> F::Rows
where
    F::Rows: std::fmt::Debug,
{
    let of = |cut| {
        pass(fold, &timeline(rows, cut), &Marks::default(), &Attributes::default()).expect("a pass")
    };
    let folded = of(7);
    assert_eq!(format!("{folded:?}"), format!("{:?}", of(1_000)));
    folded
}

#[test]
fn rows_out_of_order_and_unknown_kinds_are_refused() {
    let fold = cxmart::measure::fold::purchases::Purchases { terms: terms(100) };
    let check = |rows: Vec<RecordBatch>| {
        let passed = pass(&fold, &rows, &Marks::default(), &Attributes::default());
        passed.expect_err("refused").to_string()
    };
    let backwards =
        [order("a", 2, 1), order("a", 1, 1)].map(|row| timeline(&[row], 1).remove(0)).to_vec();
    assert!(check(backwards).contains("customer `a`"));
    let again = ["a", "b", "a"].map(|id| timeline(&[order(id, 1, 1)], 1).remove(0)).to_vec();
    assert!(check(again).contains("not sorted"));
    let unknown = timeline(&[Row { kind: "nonsense", ..order("a", 1, 1) }], 1);
    assert!(check(unknown).contains("`nonsense`"));
}

#[test]
fn days_and_dates_are_each_others_inverse() {
    assert_eq!(day("1970-01-01"), 0);
    assert_eq!(date(day("2024-02-29")).to_string(), "2024-02-29");
}
