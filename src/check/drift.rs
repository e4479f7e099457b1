//! Whether what sources bring still looks like what they used to bring: columns that stay empty,
//! scores that fall otherwise than they did.
//!
//! As in [`super::sources`] a source is compared with itself, by the batch dates of its rows. Only
//! rows that are new or changed count: what an export merely repeats is no news.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::Finding;
use super::sources::{DAYS_MIN, TRAILING_DAYS, finding, usual};

/// Name of the check for columns that are unusually empty or full.
pub const NULLS: &str = "source_nulls";
/// Name of the check for scores that are unlike those before.
pub const SCORES: &str = "source_scores";

/// The shares of a day with fewer rows are chance.
const ROWS_MIN: u64 = 20;
/// However regular a source is, a share that moves by less is usual.
const SHARE_MIN: f64 = 0.2;

/// A column of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// As people know it: source, export and column.
    pub name: String,
    /// Rows, and those with a value, by batch date.
    pub days: BTreeMap<NaiveDate, (u64, u64)>,
}

impl Filled {
    /// The newest day, its share of empty values, and between what it should lie, if it does not.
    pub fn unusual(&self, as_of: NaiveDate) -> Option<(NaiveDate, f64, (f64, f64))> {
        let empty = |(rows, filled): &(u64, u64)| 1.0 - *filled as f64 / *rows as f64;
        let told = self.days.iter().filter(|(_, (rows, _))| *rows >= ROWS_MIN);
        let shares: BTreeMap<NaiveDate, f64> = told.map(|(day, of)| (*day, empty(of))).collect();
        let (day, share, before) = newest(&shares, as_of)?;
        let (middle, band) = usual(&before);
        let band = band.max(SHARE_MIN);
        let (low, high) = ((middle - band).max(0.0), (middle + band).min(1.0));
        (!(low..=high).contains(&share)).then_some((day, share, (low, high)))
    }
}

/// Scores of one kind of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scored {
    /// As people know it: source, export and metric.
    pub name: String,
    /// How often each score was given, by batch date.
    pub days: BTreeMap<NaiveDate, Scores>,
}

/// How often each score was given.
pub type Scores = BTreeMap<String, u64>;

impl Scored {
    /// The newest day, the share of its scores that would have to be others, and how large that may
    /// be, if it is larger. Each day before tells how far a day is from all others.
    pub fn unusual(&self, as_of: NaiveDate) -> Option<(NaiveDate, f64, f64)> {
        let is_told = |scores: &Scores| scores.values().sum::<u64>() >= ROWS_MIN;
        let days = self.days.range(..=as_of).filter(|(_, scores)| is_told(scores));
        let days: BTreeMap<NaiveDate, &Scores> = days.map(|(day, scores)| (*day, scores)).collect();
        let (newest_day, _) = days.iter().next_back()?;
        let first = newest_day.checked_sub_days(Days::new(TRAILING_DAYS))?;
        let mut all = Scores::new();
        for (_, scores) in days.range(first..*newest_day) {
            scores.iter().for_each(|(score, n)| *all.entry(score.clone()).or_default() += n);
        }
        let far = |(day, scores): (&NaiveDate, &&Scores)| {
            let mut others = all.clone();
            if day < newest_day {
                for (score, n) in *scores {
                    others.entry(score.clone()).and_modify(|all| *all -= n);
                }
            }
            (*day, distance(scores, &others))
        };
        let distances: BTreeMap<NaiveDate, f64> = days.range(first..).map(far).collect();
        let (day, distance, before) = newest(&distances, as_of)?;
        let (middle, band) = usual(&before);
        let high = middle + band.max(SHARE_MIN);
        (distance > high).then_some((day, distance, high))
    }
}

/// The newest day up to `as_of`, its number, and those of the days before it; `None` where these are
/// too few.
fn newest(
    numbers: &BTreeMap<NaiveDate, f64>,
    as_of: NaiveDate,
) -> Option<(NaiveDate, f64, Vec<f64>)> {
    let (day, number) = numbers.range(..=as_of).next_back()?;
    let first = day.checked_sub_days(Days::new(TRAILING_DAYS))?;
    let before: Vec<f64> = numbers.range(first..*day).map(|(_, number)| *number).collect();
    (before.len() >= DAYS_MIN).then_some((*day, *number, before))
}

/// The share of scores that would have to be others for two distributions to be one (their total
/// variation).
fn distance(one: &Scores, other: &Scores) -> f64 {
    let total = |scores: &Scores| scores.values().sum::<u64>() as f64;
    let (all_one, all_other) = (total(one), total(other));
    let share = |scores: &Scores, score: &String, all: f64| {
        scores.get(score).copied().unwrap_or_default() as f64 / all.max(1.0)
    };
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let apart = names
        .into_iter()
        .map(|score| (share(one, score, all_one) - share(other, score, all_other)).abs());
    apart.sum::<f64>() / 2.0
}

/// What the two checks find; each has a row in the results, found or not.
pub fn check(filled: &[Filled], scored: &[Scored], as_of: NaiveDate) -> [Finding; 2] {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let empty = filled.iter().filter_map(|column| {
        let (day, share, (low, high)) = column.unusual(as_of)?;
        let (name, share) = (&column.name, percent(share));
        let (low, high) = (percent(low), percent(high));
        Some(format!("{name} is empty in {share} of the rows of {day}, usual are {low} to {high}"))
    });
    let other = scored.iter().filter_map(|metric| {
        let (day, share, high) = metric.unusual(as_of)?;
        let (name, share, high) = (&metric.name, percent(share), percent(high));
        Some(format!(
            "{share} of the scores of {name} on {day} fall otherwise, usual are up to {high}"
        ))
    });
    [
        finding(
            NULLS,
            "A column whose share of empty values on its source's newest day is unlike that of its \
             days of the eight weeks before.",
            empty.collect(),
        ),
        finding(
            SCORES,
            "Scores of a source's newest day that are spread otherwise than on its days of the \
             eight weeks before.",
            other.collect(),
        ),
    ]
}
