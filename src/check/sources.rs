//! Whether sources still come, and bring about as much as they used to.
//!
//! A source is compared with itself, by the batch dates of its objects: no clock is asked.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::{Finding, SAMPLE_ROWS, Severity};

/// Name of the check for sources that stopped coming.
pub const FRESHNESS: &str = "source_freshness";
/// Name of the check for days that brought unusually much or little.
pub const VOLUME: &str = "source_volume";

/// A day is compared with the days of so many before it.
pub const TRAILING_DAYS: u64 = 56;
/// Fewer days say nothing about what is usual.
pub(super) const DAYS_MIN: usize = 7;
/// How many robust standard deviations (1.4826 median absolute deviations) are still usual.
const DEVIATIONS_MAX: f64 = 5.0;
const DEVIATION_OF_MAD: f64 = 1.4826;
/// However regular a source is, up to this share of the median more or less is usual.
const SHARE_MIN: f64 = 0.5;

/// What was read of one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// As people know it: `hubspot/contacts`, and the account where there are several.
    pub name: String,
    /// Days without an object before it counts as late; `None`: it may stay away.
    pub fresh_days: Option<u32>,
    /// Records by batch date.
    pub records: BTreeMap<NaiveDate, u64>,
}

impl Source {
    /// Days since its newest object, if that is more than it may take.
    pub fn late_by(&self, as_of: NaiveDate) -> Option<i64> {
        let limit = i64::from(self.fresh_days?);
        let (newest, _) = self.records.range(..=as_of).next_back()?;
        let days = (as_of - *newest).num_days();
        (days > limit).then_some(days)
    }

    /// The newest day, what it brought, and between what it should lie, if it does not.
    pub fn unusual(&self, as_of: NaiveDate) -> Option<(NaiveDate, u64, (f64, f64))> {
        let (day, records) = self.records.range(..=as_of).next_back()?;
        let first = day.checked_sub_days(Days::new(TRAILING_DAYS))?;
        let before: Vec<f64> = self.records.range(first..*day).map(|(_, n)| *n as f64).collect();
        if before.len() < DAYS_MIN {
            return None;
        }
        let (usual, band) = usual(&before);
        let band = band.max(SHARE_MIN * usual);
        let (low, high) = ((usual - band).max(0.0), usual + band);
        let is_usual = (low..=high).contains(&(*records as f64));
        (!is_usual).then_some((*day, *records, (low, high)))
    }
}

/// What is usual by some numbers, and how far from it is usual too.
pub(super) fn usual(numbers: &[f64]) -> (f64, f64) {
    let usual = median(numbers.to_vec());
    let away = median(numbers.iter().map(|n| (n - usual).abs()).collect());
    (usual, DEVIATIONS_MAX * DEVIATION_OF_MAD * away)
}

/// Of numbers that are there.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let at = |i: usize| numbers.get(i).copied().unwrap_or_default();
    if numbers.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle - 1), at(middle)) }
}

/// Whether any of them has days enough to tell what is usual.
pub fn have_past(sources: &[Source], as_of: NaiveDate) -> bool {
    sources.iter().any(|source| source.records.range(..=as_of).count() > DAYS_MIN)
}

/// What the two checks find; each has a row in the results, found or not.
pub fn check(sources: &[Source], as_of: NaiveDate) -> [Finding; 2] {
    let late = sources.iter().filter_map(|source| {
        let days = source.late_by(as_of)?;
        Some(format!("{} has brought nothing for {days} days", source.name))
    });
    let unusual = sources.iter().filter_map(|source| {
        let (day, records, (low, high)) = source.unusual(as_of)?;
        let name = &source.name;
        Some(format!("{name} brought {records} records on {day}, usual are {low:.0} to {high:.0}"))
    });
    [
        finding(
            FRESHNESS,
            "A source that has brought no object for longer than `freshness_days`.",
            late.collect(),
        ),
        finding(
            VOLUME,
            "A source whose newest day brought unusually many or few records, measured by its \
             days of the eight weeks before.",
            unusual.collect(),
        ),
    ]
}

pub(super) fn finding(name: &str, description: &str, rows: Vec<String>) -> Finding {
    let shown = rows.iter().take(SAMPLE_ROWS).cloned().collect::<Vec<_>>();
    Finding {
        name: name.to_owned(),
        description: description.to_owned(),
        severity: Severity::Warn,
        n_failed: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        sample: (!shown.is_empty()).then(|| shown.join("; ")),
    }
}
