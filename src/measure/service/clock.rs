//! Business time: how much of a stretch of time lies within working hours.
//!
//! Hours are local, so each opening is turned into an instant of its own; a day that clocks make
//! shorter or longer has just the hours it had on the wall.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use crate::table::day::{date, day_number};

/// Minutes looked through for the end of a clock change; none is longer.
const GAP_MINUTES_MAX: i64 = 24 * 60;

/// Working hours of a week, and closed days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    pub zone: Tz,
    /// By days after Monday: minutes after midnight, from and to.
    pub open: [Vec<(u32, u32)>; 7],
    /// Days since 1970-01-01.
    pub holidays: BTreeSet<i32>,
}

/// Open time as instants, so that any stretch is measured by two searches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clock {
    /// From and to, microseconds UTC, in order and apart.
    shifts: Vec<(i64, i64)>,
    /// Open time before each shift.
    before: Vec<i64>,
}

impl Clock {
    /// Open time of some hours on days `from` to `to`, both within.
    pub fn new(hours: &Hours, from: i32, to: i32) -> Self {
        Self::of(shifts(hours, from, to))
    }

    fn of(mut shifts: Vec<(i64, i64)>) -> Self {
        shifts.sort_unstable();
        let mut apart: Vec<(i64, i64)> = Vec::with_capacity(shifts.len());
        for (open, close) in shifts {
            match apart.last_mut() {
                Some((_, until)) if *until >= open => *until = (*until).max(close),
                _ => apart.push((open, close)),
            }
        }
        let mut total = 0;
        let before = apart.iter().map(|(open, close)| {
            let so_far = total;
            total += close - open;
            so_far
        });
        Self { before: before.collect(), shifts: apart }
    }

    /// Open time before an instant.
    fn until(&self, at: i64) -> i64 {
        let after = self.shifts.partition_point(|(open, _)| *open <= at);
        let Some(i) = after.checked_sub(1) else { return 0 };
        match (self.shifts.get(i), self.before.get(i)) {
            (Some((open, close)), Some(before)) => before + (at.min(*close) - open),
            _ => 0,
        }
    }

    /// Open time between two instants, in microseconds.
    pub fn between(&self, from: i64, to: i64) -> i64 {
        (self.until(to) - self.until(from)).max(0)
    }
}

fn shifts(hours: &Hours, from: i32, to: i32) -> Vec<(i64, i64)> {
    let mut shifts = Vec::new();
    for day in (from..=to).filter(|day| !hours.holidays.contains(day)) {
        let weekday = date(day).weekday().num_days_from_monday() as usize;
        for (open, close) in hours.open.get(weekday).into_iter().flatten() {
            let opens = instant(hours.zone, day, *open, false);
            let closes = instant(hours.zone, day, *close, true);
            if opens < closes {
                shifts.push((opens, closes));
            }
        }
    }
    shifts
}

/// The instant of a wall clock time. One that comes twice is its first for opening and its second
/// for closing; one that a clock change leaves out is the end of the change.
fn instant(zone: Tz, day: i32, minute: u32, closing: bool) -> i64 {
    let local = date(day).and_time(NaiveTime::MIN) + Duration::minutes(i64::from(minute));
    let of = |local: NaiveDateTime| -> Option<DateTime<Tz>> {
        match zone.from_local_datetime(&local) {
            LocalResult::Single(at) => Some(at),
            LocalResult::Ambiguous(first, second) => Some(if closing { second } else { first }),
            LocalResult::None => None,
        }
    };
    let found = (0..GAP_MINUTES_MAX).find_map(|later| of(local + Duration::minutes(later)));
    found.map_or(0, |at| at.timestamp_micros())
}

/// A calendar: versions of hours, each in force from its day on, and whom it is for.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    /// Empty lists fit all.
    pub sources: Vec<String>,
    pub channels: Vec<String>,
    pub teams: Vec<String>,
    /// First local day, its zone, and the version as if it always had been in force.
    versions: Vec<(i32, Tz, Clock)>,
    /// Each day by the version in force on it.
    in_force: Clock,
}

/// All calendars of a job, in its order.
#[derive(Debug, Clone, Default)]
pub struct Calendars {
    all: Vec<Calendar>,
}

/// Where a request lies when a calendar is looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    pub source: &'a str,
    pub channel: Option<&'a str>,
    pub team: Option<&'a str>,
}

impl Calendar {
    /// `versions` with their first days, in any order; `from` and `to` are the days ever asked for.
    pub fn new(mut versions: Vec<(i32, Hours)>, from: i32, to: i32) -> Self {
        versions.sort_by_key(|(since, _)| *since);
        let mut in_force = Vec::new();
        for (i, (since, hours)) in versions.iter().enumerate() {
            // The first version holds before its day as well: there is no other.
            let first = if i == 0 { from } else { (*since).max(from) };
            let next = versions.get(i + 1).map_or(to, |(since, _)| (since - 1).min(to));
            in_force.extend(shifts(hours, first, next));
        }
        let clocks = versions.iter();
        let clocks = clocks.map(|(since, hours)| (*since, hours.zone, Clock::new(hours, from, to)));
        Self { versions: clocks.collect(), in_force: Clock::of(in_force), ..Self::default() }
    }

    fn fits(&self, place: Place<'_>) -> bool {
        let has = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|known| known == value))
        };
        has(&self.sources, Some(place.source))
            && has(&self.channels, place.channel)
            && has(&self.teams, place.team)
    }

    /// The version in force at an instant, as if it always had been.
    fn version(&self, at: i64) -> Option<&Clock> {
        let day = |zone: &Tz| {
            let at = DateTime::from_timestamp_micros(at).unwrap_or_default();
            day_number(at.with_timezone(zone).date_naive())
        };
        let later = self.versions.iter().rev();
        let found = later.clone().find(|(since, zone, _)| *since <= day(zone));
        found.or_else(|| self.versions.first()).map(|(_, _, clock)| clock)
    }
}

impl Calendars {
    pub fn new(all: Vec<Calendar>) -> Self {
        Self { all }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a team decides which calendar fits.
    pub fn names_team(&self, team: &str) -> bool {
        self.all.iter().any(|calendar| calendar.teams.iter().any(|known| known == team))
    }

    fn find(&self, place: Place<'_>) -> Option<&Calendar> {
        self.all.iter().find(|calendar| calendar.fits(place))
    }

    /// One schedule: the one that holds at the end, for the whole stretch (microseconds).
    pub fn single(&self, stays: &[(i64, Place<'_>)], from: i64, to: i64) -> Option<i64> {
        let (_, place) = stays.iter().rev().find(|(since, _)| *since <= to).or(stays.first())?;
        Some(self.find(*place)?.version(to)?.between(from, to))
    }

    /// All schedules: every part of the stretch by the one in force then (microseconds). None when
    /// for some part there is none.
    pub fn all(&self, stays: &[(i64, Place<'_>)], from: i64, to: i64) -> Option<i64> {
        let mut total = 0;
        for (i, (since, place)) in stays.iter().enumerate() {
            let begins = if i == 0 { from } else { (*since).clamp(from, to) };
            let ends = stays.get(i + 1).map_or(to, |(next, _)| (*next).clamp(from, to));
            if begins < ends || stays.len() == 1 {
                total += self.find(*place)?.in_force.between(begins, ends);
            }
        }
        Some(total)
    }
}
