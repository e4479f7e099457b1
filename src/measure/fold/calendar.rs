//! Local days and the periods they lie in, looked up and never computed per event.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use crate::table::day::{date, day_number};

/// Length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    Day,
    /// ISO 8601, Monday to Sunday.
    Week,
    Month,
    Quarter,
    Year,
}

impl Grain {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Length of a bucket that rolls from a customer's own start, in days.
    pub fn rolling_days(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 91,
            Self::Year => 365,
        }
    }

    /// First day of the period that `day` lies in.
    pub fn start(self, day: NaiveDate) -> NaiveDate {
        let first = |month| NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
        match self {
            Self::Day => day,
            Self::Week => {
                let monday = Days::new(u64::from(day.weekday().num_days_from_monday()));
                day.checked_sub_days(monday).unwrap_or(day)
            }
            Self::Month => first(day.month()),
            Self::Quarter => first(day.month0() / 3 * 3 + 1),
            Self::Year => first(1),
        }
    }
}

/// 1900-01-01; earlier days count as this one.
const FIRST_DAY: i32 = -25_567;

/// Periods of one grain, numbered from the one of 1900-01-01.
#[derive(Debug, Clone)]
pub struct Periods {
    pub grain: Grain,
    /// By day from 1900-01-01.
    by_day: Vec<u32>,
    /// First day of each period, and the day after the last one's end.
    starts: Vec<i32>,
}

impl Periods {
    fn new(grain: Grain, last_day: i32) -> Self {
        let (mut by_day, mut starts) = (Vec::new(), Vec::new());
        let mut current = None;
        let mut day = date(FIRST_DAY);
        loop {
            let start = grain.start(day);
            if current != Some(start) {
                if day_number(day) > last_day {
                    break;
                }
                current = Some(start);
                starts.push(day_number(start));
            }
            by_day.push(u32::try_from(starts.len() - 1).unwrap_or(u32::MAX));
            day = day.succ_opt().unwrap_or(day);
        }
        starts.push(day_number(day));
        Self { grain, by_day, starts }
    }

    /// Number of the period that `day` lies in; the last one for later days.
    pub fn of(&self, day: i32) -> usize {
        let at = usize::try_from(day.saturating_sub(FIRST_DAY)).unwrap_or(0);
        let last = self.by_day.len().saturating_sub(1);
        self.by_day.get(at.min(last)).map_or(0, |period| *period as usize)
    }

    /// First day of a period.
    pub fn start(&self, period: usize) -> i32 {
        let last = self.starts.len().saturating_sub(1);
        self.starts.get(period.min(last)).copied().unwrap_or(FIRST_DAY)
    }

    /// First day after a period.
    pub fn end(&self, period: usize) -> i32 {
        self.start(period + 1)
    }
}

/// Days of a zone from 1900 up to a last one.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// First instant of each day from 1900-01-01 to the day after the last, microseconds UTC.
    midnights: Vec<i64>,
    periods: Vec<Periods>,
}

impl Calendar {
    /// Days up to `last_day` with periods of these grains.
    pub fn new(zone: Tz, last_day: i32, grains: &[Grain]) -> Self {
        let midnights = (FIRST_DAY..=last_day + 1).map(|day| midnight(zone, date(day))).collect();
        let mut grains = grains.to_vec();
        grains.sort();
        grains.dedup();
        let periods = grains.iter().map(|grain| Periods::new(*grain, last_day)).collect();
        Self { midnights, periods }
    }

    /// First instant of a local day.
    pub fn midnight(&self, day: i32) -> i64 {
        let at = usize::try_from(day.saturating_sub(FIRST_DAY)).unwrap_or(0);
        let last = self.midnights.len().saturating_sub(1);
        self.midnights.get(at.min(last)).copied().unwrap_or(0)
    }

    /// The local day of an instant.
    pub fn day(&self, at: i64) -> i32 {
        let after = self.midnights.partition_point(|midnight| *midnight <= at);
        FIRST_DAY + i32::try_from(after.saturating_sub(1)).unwrap_or(i32::MAX)
    }

    /// Of each grain asked for, shortest first.
    pub fn periods(&self) -> &[Periods] {
        &self.periods
    }
}

/// First instant of `day`; where midnight does not exist (a clock change), the day begins later.
fn midnight(zone: Tz, day: NaiveDate) -> i64 {
    let naive = day.and_time(NaiveTime::MIN);
    let local = |naive: chrono::NaiveDateTime| naive.and_local_timezone(zone).earliest();
    let later = || local(naive + chrono::Duration::hours(1));
    local(naive).or_else(later).map_or(0, |instant: DateTime<Tz>| instant.timestamp_micros())
}
