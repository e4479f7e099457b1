//! Experience scores: counts of answers to NPS, CSAT, CES and stars, with intervals and changes.
//!
//! Answers come in as counts per distinct score, so the work is independent of how many answered.
//! Common readings that disagree are computed side by side; scales are never mixed, and a cell with
//! few answers shows nothing but how many they were.

mod reading;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

pub use self::reading::{DEFINITIONS, Definition, Reading, Scale};
pub use self::rows::{answers, batch};
use super::fold::calendar::Grain;
use super::kernel::change::{Difference, holm};
use super::kernel::interval::Interval;
use crate::table::day::{date, day_number};
use reading::Statistic;

/// What can be wrong with the rows that scores are computed from.
#[derive(Debug, thiserror::Error)]
pub enum ScoresError {
    #[error("`survey_answers` has no usable column `{0}`")]
    Column(&'static str),
    #[error("rows of `experience_scores` cannot be built")]
    Rows(#[source] arrow::error::ArrowError),
    #[error("`{0}` is no dimension of scores")]
    Dimension(String),
}

/// What scores read of their job.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    pub confidence: f64,
    /// Cells with fewer answers are suppressed.
    pub min_cell: u64,
    pub periods: Vec<Grain>,
}

/// Columns of `survey_answers` that answers are grouped by.
pub const DIMENSIONS: [&str; 9] = [
    "channel",
    "touchpoint",
    "journey_stage",
    "segment",
    "country",
    "language",
    "product",
    "source",
    "survey",
];
/// The dimension with one value, and that value.
pub const ALL: &str = "all";
/// The value of answers that have none.
pub const NONE: &str = "(none)";
/// Joins the values of a pair.
pub const PAIR: char = '\u{1f}';

/// The columns of a dimension: none of `all`, one, or the two of a pair as in `channel*country`.
///
/// # Errors
/// A name that is no column of `survey_answers`.
pub fn columns(dimension: &str) -> Result<Vec<&'static str>, ScoresError> {
    if dimension == ALL {
        return Ok(Vec::new());
    }
    let known = |name: &str| DIMENSIONS.into_iter().find(|known| *known == name.trim());
    let found: Option<Vec<_>> = dimension.split('*').map(known).collect();
    match found {
        Some(columns) if columns.len() <= 2 => Ok(columns),
        _ => Err(ScoresError::Dimension(dimension.to_owned())),
    }
}

/// Equal answers of one day (or of one period, counted on its first day).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub metric: String,
    pub scale: Scale,
    /// High answers mean high effort.
    pub is_effort: bool,
    /// In ten-thousandths.
    pub score: i64,
    /// Days since 1970-01-01, local.
    pub day: i32,
    pub dimension: String,
    pub value: String,
    pub count: u64,
}

/// One row of `experience_scores`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Score {
    pub definition: &'static str,
    pub version: i64,
    pub scale: String,
    pub grain: &'static str,
    pub start: i32,
    pub year: i64,
    pub dimension: String,
    pub value: String,
    pub n: u64,
    pub is_suppressed: bool,
    /// Promoters, passives, detractors.
    pub nps: Option<[u64; 3]>,
    pub favourable: Option<u64>,
    pub score: Option<f64>,
    pub interval: Option<Interval>,
    pub previous_score: Option<f64>,
    pub change: Option<Difference>,
    pub p_value_holm: Option<f64>,
    pub rest_score: Option<f64>,
    pub rest: Option<Difference>,
}

/// Answers that are compared with each other: one metric and scale, one period, one dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    metric: String,
    scale: Scale,
    grain: Grain,
    start: i32,
    dimension: String,
}

/// Counts per score, by dimension value.
type Cells = BTreeMap<String, Counts>;
type Counts = BTreeMap<i64, u64>;

/// Computes all scores of `answers`, in order of the table's grain.
pub fn scores(answers: &[Answer], terms: &Terms) -> Vec<Score> {
    let groups = grouped(answers, &terms.periods);
    let hidden: BTreeMap<&Group, BTreeSet<&str>> =
        groups.iter().map(|(group, cells)| (group, suppressed(cells, terms.min_cell))).collect();
    let mut scores = Vec::new();
    for definition in DEFINITIONS {
        for (group, cells) in groups.iter().filter(|(group, _)| group.metric == definition.asks) {
            let Some(reading) = definition.reading(group.scale) else { continue };
            let before = Group { start: previous(group.grain, group.start), ..group.clone() };
            let past = groups.get(&before).zip(hidden.get(&before));
            let now = Side::new(cells, hidden.get(group), reading);
            let past = past.map(|(cells, hidden)| Side::new(cells, Some(hidden), reading));
            for value in cells.keys() {
                let mut score = now.score(value, past.as_ref(), terms);
                score.definition = definition.id;
                score.version = definition.version;
                score.scale = group.scale.to_string();
                (score.grain, score.start) = (group.grain.name(), group.start);
                score.year = i64::from(chrono::Datelike::year(&date(group.start)));
                score.dimension.clone_from(&group.dimension);
                scores.push(score);
            }
        }
    }
    correct(&mut scores);
    scores
}

/// Answers as counts of the periods they lie in; effort is turned so that more is better.
fn grouped(answers: &[Answer], periods: &[Grain]) -> BTreeMap<Group, Cells> {
    let mut groups: BTreeMap<Group, Cells> = BTreeMap::new();
    for answer in answers {
        if !answer.scale.holds(answer.score) {
            continue;
        }
        let score =
            if answer.is_effort { answer.scale.inverted(answer.score) } else { answer.score };
        for grain in periods {
            let group = Group {
                metric: answer.metric.clone(),
                scale: answer.scale,
                grain: *grain,
                start: day_number(grain.start(date(answer.day))),
                dimension: answer.dimension.clone(),
            };
            let cell = groups.entry(group).or_default().entry(answer.value.clone()).or_default();
            *cell.entry(score).or_default() += answer.count;
        }
    }
    groups
}

/// First day of the period just before the one that starts on `start`.
fn previous(grain: Grain, start: i32) -> i32 {
    day_number(grain.start(date(start - 1)))
}

fn total(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// Values with too few answers; a single one takes the next smallest with it, which would give it
/// away as the difference to the total.
fn suppressed(cells: &Cells, min_cell: u64) -> BTreeSet<&str> {
    let mut sizes: Vec<(u64, &str)> =
        cells.iter().map(|(value, counts)| (total(counts), value.as_str())).collect();
    sizes.sort_unstable();
    let small = sizes.partition_point(|(n, _)| *n < min_cell);
    let hidden = if small == 1 { 2 } else { small };
    sizes.into_iter().take(hidden).map(|(_, value)| value).collect()
}

/// The cells of a group under one reading.
struct Side<'a> {
    cells: &'a Cells,
    hidden: Option<&'a BTreeSet<&'a str>>,
    reading: Reading,
    /// Of all cells together.
    all: Counts,
}

impl<'a> Side<'a> {
    fn new(cells: &'a Cells, hidden: Option<&'a BTreeSet<&'a str>>, reading: Reading) -> Self {
        let mut all = Counts::new();
        for (score, count) in cells.values().flatten() {
            *all.entry(*score).or_default() += count;
        }
        Self { cells, hidden, reading, all }
    }

    /// The statistic of a value, unless it is suppressed.
    fn shown(&self, value: &str) -> Option<Statistic> {
        let is_hidden = self.hidden.is_some_and(|hidden| hidden.contains(value));
        let counts = self.cells.get(value).filter(|_| !is_hidden)?;
        self.reading.statistic(counts)
    }

    /// The statistic of all other values together, unless they are too few.
    fn rest(&self, value: &str, min_cell: u64) -> Option<Statistic> {
        let own = self.cells.get(value)?;
        let left = |(score, count): (&i64, &u64)| (*score, count - own.get(score).unwrap_or(&0));
        let counts: Counts = self.all.iter().map(left).collect();
        if total(&counts) < min_cell {
            return None;
        }
        self.reading.statistic(&counts)
    }

    fn score(&self, value: &str, past: Option<&Self>, terms: &Terms) -> Score {
        let mut score = Score {
            value: value.to_owned(),
            n: self.cells.get(value).map_or(0, total),
            is_suppressed: true,
            ..Score::default()
        };
        let Some(now) = self.shown(value) else { return score };
        score.is_suppressed = false;
        score.nps = now.nps();
        score.favourable = now.favourable();
        score.score = Some(now.score());
        score.interval = now.interval(terms.confidence);
        if let Some(past) = past.and_then(|past| past.shown(value)) {
            score.previous_score = Some(past.score());
            score.change = now.minus(&past, terms.confidence);
        }
        if let Some(rest) = self.rest(value, terms.min_cell) {
            score.rest_score = Some(rest.score());
            score.rest = now.minus(&rest, terms.confidence);
        }
        score
    }
}

/// Holm's correction of the changes inside each family: metric, period and dimension.
fn correct(scores: &mut [Score]) {
    let mut families: BTreeMap<(&str, i64, &str, i32, String), Vec<usize>> = BTreeMap::new();
    for (i, score) in scores.iter().enumerate() {
        let family =
            (score.definition, score.version, score.grain, score.start, score.dimension.clone());
        families.entry(family).or_default().push(i);
    }
    for members in families.into_values() {
        let p_value = |i: &usize| scores.get(*i)?.change.as_ref()?.p_value;
        let corrected = holm(&members.iter().map(p_value).collect::<Vec<_>>());
        for (i, p_value) in members.into_iter().zip(corrected) {
            if let Some(score) = scores.get_mut(i) {
                score.p_value_holm = p_value;
            }
        }
    }
}
