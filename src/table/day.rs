//! Days as tables hold them.

use chrono::{Datelike, NaiveDate};

/// 1970-01-01, counted from the first day of year 1.
const EPOCH: i32 = 719_163;

/// Days since 1970-01-01, as Arrow's `Date32` counts.
pub fn day_number(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH
}

/// The date of a day number.
pub fn date(day: i32) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(day.saturating_add(EPOCH)).unwrap_or_default()
}
