//! The two years of the demo: days, files, and times as each vendor writes them.

use std::fmt::Write;

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeZone};
use chrono_tz::Europe::Copenhagen;

/// 2024-01-01T00:00:00Z.
const START: u32 = 1_704_067_200;
pub const DAY: u32 = 86_400;
/// 2024-01-01 to 2025-12-31.
pub const DAYS: u32 = 731;
/// From this size on files are cut by week, below by month: files of a size worth opening.
pub const WEEKLY_FROM: u64 = 20_000;

/// Seconds since 1970 of a time in days since the start. Nobody is up at night, so that the local
/// date in every zone of the demo's people is the UTC date.
pub fn moment(days: f64) -> u32 {
    let day = days.max(0.0);
    let whole = libm::floor(day);
    START + whole as u32 * DAY + 6 * 3_600 + ((day - whole) * 54_000.0) as u32
}

/// Days since the start, the other way round.
pub fn day_of(at: u32) -> u32 {
    at.saturating_sub(START) / DAY
}

pub fn in_range(days: f64) -> bool {
    days < f64::from(DAYS)
}

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 1, 1)
        .and_then(|start| start.checked_add_days(Days::new(u64::from(day))))
        .unwrap_or_default()
}

/// The days after which an export is taken, and the export each day belongs to.
#[derive(Debug, Clone)]
pub struct Exports {
    /// Last day of each.
    pub dates: Vec<NaiveDate>,
    of_day: Vec<u16>,
}

impl Exports {
    pub fn new(customers: u64) -> Self {
        let weekly = customers >= WEEKLY_FROM;
        let (mut dates, mut of_day) = (Vec::new(), Vec::new());
        for day in 0..DAYS {
            of_day.push(dates.len() as u16);
            let (today, tomorrow) = (date(day), date(day + 1));
            let last = if weekly {
                today.weekday() == chrono::Weekday::Sun
            } else {
                today.month() != tomorrow.month()
            };
            if last || day + 1 == DAYS {
                dates.push(today);
            }
        }
        Self { dates, of_day }
    }

    /// The export that a moment belongs to.
    pub fn of(&self, at: u32) -> u16 {
        let last = self.of_day.len().saturating_sub(1);
        self.of_day.get((day_of(at) as usize).min(last)).copied().unwrap_or_default()
    }

    /// The export that holds a date.
    pub fn of_date(&self, date: NaiveDate) -> u16 {
        self.dates.iter().position(|end| *end >= date).unwrap_or_default() as u16
    }
}

fn parts(at: u32) -> (NaiveDate, u32, u32, u32) {
    let second = at % DAY;
    (date(day_of(at)), second / 3_600, second / 60 % 60, second % 60)
}

/// `2024-05-28T09:12:44` and what follows.
pub fn iso(at: u32, suffix: &str) -> String {
    let (date, h, m, s) = parts(at);
    let mut text = String::with_capacity(32);
    let (y, mo, d) = (date.year(), date.month(), date.day());
    let _ = write!(text, "{y:04}-{mo:02}-{d:02}T{h:02}:{m:02}:{s:02}{suffix}");
    text
}

/// Seconds that Copenhagen is ahead of UTC.
fn ahead(at: u32) -> u32 {
    let utc = DateTime::from_timestamp(i64::from(at), 0).unwrap_or_default().naive_utc();
    u32::try_from(Copenhagen.offset_from_utc_datetime(&utc).fix().local_minus_utc()).unwrap_or(0)
}

/// `2024-05-28T11:12:44+02:00`, as Shopify's REST interface writes it.
pub fn shop_iso(at: u32) -> String {
    let ahead = ahead(at);
    iso(at + ahead, if ahead == 7_200 { "+02:00" } else { "+01:00" })
}

/// `2024-05-28 11:12:44 +0200`, as Shopify's own export writes it.
pub fn shop_blank(at: u32) -> String {
    let ahead = ahead(at);
    iso(at + ahead, if ahead == 7_200 { " +0200" } else { " +0100" }).replace('T', " ")
}

/// `28-05-2024 11:12` on the shop's wall clock.
pub fn wall(at: u32) -> String {
    let (date, h, m, _) = parts(at + ahead(at));
    format!("{:02}-{:02}-{:04} {h:02}:{m:02}", date.day(), date.month(), date.year())
}
