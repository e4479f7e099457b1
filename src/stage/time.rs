//! Dates and times as exports write them, to UTC.
//!
//! Plain Rust over the text, not a Polars cast: one column mixes forms (`Z`, `+0200`, ` UTC`, no
//! offset, fractions, epoch numbers), each of which Polars would need a pass of its own for, and
//! its time zones refuse a time in a gap instead of moving it.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use crate::catalog::spec::TimeUnit;

/// 2000-01-01: an epoch number before it has another unit or is a typing error.
const EPOCH_MIN_US: i128 = 946_684_800_000_000;
/// 2100-01-01: as far ahead as times may lie that are due one day.
pub const FAR_US: i64 = 4_102_444_800_000_000;
/// Days that a time may be ahead of the day its object belongs to: an export of a month may bear
/// its first day, and clocks are two days off at most.
const DAYS_AHEAD: u64 = 33;
/// What systems write for a day that is not known.
const NEVER: [&str; 3] = ["0001-01-01", "0000-00-00", "1004-"];
/// No zone is further from UTC.
const OFFSET_MAX_S: i32 = 18 * 3600;

/// How the times of a column are read.
#[derive(Debug, Clone)]
pub struct Clock {
    pub unit: Option<TimeUnit>,
    /// Tried in turn before ISO 8601.
    pub formats: Vec<String>,
    /// Of times without offset.
    pub zone: Tz,
}

/// Whether `chrono` knows every part of a format.
pub fn is_format(format: &str) -> bool {
    !StrftimeItems::new(format).any(|item| matches!(item, Item::Error))
}

/// How often a local time comes in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    Once,
    /// Clocks were set back: the earlier is taken.
    Twice,
    /// Clocks were set on: it is moved on as they were.
    Never,
}

/// The first instant, in microseconds, that an epoch number in an object of the day must not
/// reach.
pub fn epoch_end(dt: Option<NaiveDate>) -> i64 {
    let end = dt.and_then(|dt| dt.checked_add_days(Days::new(DAYS_AHEAD + 1)));
    end.map_or(FAR_US, |day| day.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}

fn is_never(text: &str) -> bool {
    text.starts_with(['0', '1']) && NEVER.iter().any(|never| text.starts_with(never))
}

/// Microseconds since 1970, UTC, and how often that local time came; none for what systems write
/// where they know no time (0, 0001-01-01).
///
/// # Errors
/// The rule that the text breaks.
pub fn timestamp(
    text: &str,
    clock: &Clock,
    epoch_end: i64,
) -> Result<Option<(i64, Placed)>, &'static str> {
    let text = text.trim();
    if let Some(unit) = clock.unit
        && let Some(us) = epoch(text, unit)
    {
        if us == 0 {
            return Ok(None);
        }
        let inside = (EPOCH_MIN_US..i128::from(epoch_end)).contains(&us);
        let us = i64::try_from(us).ok().filter(|_| inside).ok_or("time_out_of_range")?;
        return Ok(Some((us, Placed::Once)));
    }
    if is_never(text) {
        return Ok(None);
    }
    let listed = clock.formats.iter().find_map(|format| formatted(text, format));
    let (local, offset) = listed.or_else(|| iso(text)).ok_or("not_a_time")?;
    let utc = match offset {
        Some(0) => Some((local, Placed::Once)),
        Some(seconds) => {
            let utc = local.checked_sub_signed(Duration::seconds(i64::from(seconds)));
            utc.map(|utc| (utc, Placed::Once))
        }
        None => in_zone(local, clock.zone),
    };
    let (utc, placed) = utc.ok_or("time_out_of_range")?;
    Ok(Some((utc.and_utc().timestamp_micros(), placed)))
}

/// The day as it is written, whatever the offset beside it; none for what systems write where
/// they know no day.
///
/// # Errors
/// The rule that the text breaks.
pub fn date(text: &str, clock: &Clock) -> Result<Option<NaiveDate>, &'static str> {
    let text = text.trim();
    if is_never(text) {
        return Ok(None);
    }
    let listed = clock.formats.iter().find_map(|format| formatted(text, format));
    listed.or_else(|| iso(text)).map(|(local, _)| Some(local.date())).ok_or("not_a_date")
}

/// A number of `unit`s as microseconds, or none if it is no number.
fn epoch(text: &str, unit: TimeUnit) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !number(whole) || !number(fraction) {
        return None;
    }
    let unit_us: i128 = match unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1,
    };
    // More digits than this are out of range in any unit.
    let whole = if whole.len() > 24 { i128::from(i64::MAX) } else { whole.parse::<i128>().ok()? };
    let millionths = micros(fraction.as_bytes());
    let us = whole * unit_us + i128::from(millionths) * unit_us / 1_000_000;
    Some(if negative { -us } else { us })
}

/// The first six decimals of a fraction.
fn micros(digits: &[u8]) -> u32 {
    let six = (0..6).map(|i| digits.get(i).map_or(0, |b| u32::from(b.saturating_sub(b'0'))));
    six.fold(0, |sum, digit| sum * 10 + digit)
}

type Local = (NaiveDateTime, Option<i32>);

/// A `chrono` format with or without time of day and offset.
fn formatted(text: &str, format: &str) -> Option<Local> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
    // chrono's last years cannot be moved by an offset.
    let date = parsed.to_naive_date().ok().filter(|date| (0..=9999).contains(&date.year()))?;
    let time = parsed.to_naive_time().unwrap_or(NaiveTime::MIN);
    Some((date.and_time(time), parsed.offset()))
}

/// ISO 8601 and what exports make of it: a blank for `T`, one-digit hours, `+0200`, ` UTC`.
fn iso(text: &str) -> Option<Local> {
    let mut at = Cursor { bytes: text.as_bytes() };
    if let Some(local) = at.usual() {
        return Some((local, at.offset()?));
    }
    let year = at.number(4, 4)?;
    let separator = at.one_of(b"-/")?;
    let month = at.number(1, 2)?;
    at.one_of(&[separator])?;
    let day = at.number(1, 2)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    if at.bytes.is_empty() {
        return Some((date.and_time(NaiveTime::MIN), None));
    }
    if at.one_of(b"Tt").is_none() && at.blanks() == 0 {
        return None;
    }
    let hour = at.number(1, 2)?;
    at.one_of(b":")?;
    let minute = at.number(2, 2)?;
    let (mut second, mut fraction) = (0, 0);
    if at.one_of(b":").is_some() {
        second = at.number(2, 2)?;
        if at.one_of(b".,").is_some() {
            let digits = at.digits();
            if digits.is_empty() {
                return None;
            }
            fraction = micros(digits);
        }
    }
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, fraction)?;
    at.blanks();
    Some((date.and_time(time), at.offset()?))
}

/// Bytes still to be read.
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// `2024-05-28T09:12:44` before its offset, as nearly all systems write a time: read without
    /// looking for where its parts end. Nothing is taken of any other text.
    fn usual(&mut self) -> Option<NaiveDateTime> {
        let (head, rest) = self.bytes.split_first_chunk::<19>()?;
        let separators = [4, 7, 10, 13, 16].map(|at| head[at]);
        let is_usual = separators == *b"--T::" || separators == *b"-- ::";
        let digits = head.map(|byte| u32::from(byte.wrapping_sub(b'0')));
        let are_digits = |places: [usize; 14]| places.iter().all(|at| digits[*at] < 10);
        if !is_usual || !are_digits([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]) {
            return None;
        }
        // A fraction is read part by part.
        if rest.first().is_some_and(|next| matches!(next, b'.' | b',' | b' ' | b'0'..=b'9')) {
            return None;
        }
        let two = |at: usize| digits[at] * 10 + digits[at + 1];
        let year = i32::try_from(two(0) * 100 + two(2)).ok()?;
        let date = NaiveDate::from_ymd_opt(year, two(5), two(8))?;
        let time = NaiveTime::from_hms_opt(two(11), two(14), two(17))?;
        self.bytes = rest;
        Some(date.and_time(time))
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        wanted.contains(first).then(|| {
            self.bytes = rest;
            *first
        })
    }

    fn blanks(&mut self) -> usize {
        let before = self.bytes.len();
        self.bytes = self.bytes.trim_ascii_start();
        before - self.bytes.len()
    }

    fn digits(&mut self) -> &'a [u8] {
        let count = self.bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        digits
    }

    /// A number of so many digits, not followed by another digit.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.digits();
        let fits = (least..=most).contains(&digits.len());
        fits.then(|| digits.iter().fold(0, |sum, b| sum * 10 + u32::from(b - b'0')))
    }

    /// What is left is an offset, in seconds, or nothing.
    fn offset(&mut self) -> Option<Option<i32>> {
        if self.bytes.is_empty() {
            return Some(None);
        }
        if [&b"Z"[..], b"z", b"UTC", b"GMT"].contains(&self.bytes) {
            return Some(Some(0));
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let digits = self.digits();
        let (hours, minutes) = match digits.len() {
            4 => digits.split_at(2),
            2 if self.one_of(b":").is_some() => (digits, self.digits()),
            2 => (digits, &b"00"[..]),
            _ => return None,
        };
        let value = |digits: &[u8]| digits.iter().fold(0, |sum, b| sum * 10 + i32::from(b - b'0'));
        // Some write `+00:00 UTC`.
        let rest = self.bytes.trim_ascii_start();
        let done = rest.is_empty() || rest == b"UTC";
        let seconds = value(hours) * 3600 + value(minutes) * 60;
        let fits = done && minutes.len() == 2 && value(minutes) < 60 && seconds <= OFFSET_MAX_S;
        fits.then_some(Some(sign * seconds))
    }
}

/// A local time in UTC: the earlier of two, and one in a gap is moved on by the gap's length.
fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<(NaiveDateTime, Placed)> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) => Some((time.naive_utc(), Placed::Once)),
        LocalResult::Ambiguous(a, b) => Some((a.min(b).naive_utc(), Placed::Twice)),
        LocalResult::None => {
            // Before the gap: no zone is 15 hours ahead, so this instant lies before the change.
            let before = zone.from_utc_datetime(&local.checked_sub_signed(Duration::hours(15))?);
            Some((local.checked_sub_signed(offset_of(&before))?, Placed::Never))
        }
    }
}

fn offset_of(time: &DateTime<Tz>) -> Duration {
    time.naive_local() - time.naive_utc()
}
