//! The demo's company, and what its job says.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc, Weekday};
use chrono_tz::Europe::Copenhagen;

use super::world::{Terms, World};

const CUSTOMERS: u64 = 300;

fn terms() -> Terms {
    Terms {
        currency: "EUR",
        min_cell: 3,
        periods: &["month", "quarter", "year"],
        pairs: &[],
        service_dimensions: &["all", "channel", "priority", "team", "source", "touchpoint"],
        resubmission_days: 1,
        weights: &[],
        inactive_days: 90,
        grace_days: 0,
        cohorts: &["month"],
        open_at,
        calendars: &["office"],
        second_hours: None,
        targets: &[],
    }
}

pub async fn run() -> World {
    World::demo(CUSTOMERS, terms()).await
}

fn open_at(_: &str, at: DateTime<Utc>, _: Option<DateTime<Utc>>) -> bool {
    let local = at.with_timezone(&Copenhagen);
    let day = |day: &str| day.parse::<NaiveDate>().expect("a day");
    let off = ["2024-12-25", "2024-12-26", "2025-01-01", "2025-12-25", "2025-12-26"];
    let last = match local.weekday() {
        Weekday::Sat | Weekday::Sun => 0,
        Weekday::Fri => 16,
        _ => 17,
    };
    (9..last).contains(&local.hour()) && !off.iter().any(|off| day(off) == local.date_naive())
}
