//! Experience scores: counts of answers to NPS, CSAT, CES and stars, with intervals and changes.
//!
//! Answers come in as counts per distinct score, so the work is independent of how many answered.
//! Common readings that disagree are computed side by side; scales are never mixed, and a cell with
//! few answers shows nothing but how many they were.

pub mod cube;
mod reading;
pub mod resubmitted;
mod rows;
mod weighted;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

pub use self::reading::{DEFINITIONS, Definition, Reading, Scale, Statistic};
pub use self::rows::{answers, batch};
pub use self::weighted::Weighted;
use super::fold::calendar::Grain;
use super::kernel::change::{Difference, holm};
use super::kernel::interval::Interval;
use super::suppression::{self, Rule};
use crate::table::day::{date, day_number};

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
    /// Shares of the strata among all customers, when answers are weighted.
    pub shares: Option<BTreeMap<String, f64>>,
    /// Last day that counts.
    pub horizon_day: i32,
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
    /// In the favourable set that the job names; none: the set the field agrees on.
    pub favourable: Option<bool>,
    /// Days since 1970-01-01, local.
    pub day: i32,
    pub dimension: String,
    pub value: String,
    /// Group that weights are by; empty without weights.
    pub stratum: String,
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
    pub rest_p_value_holm: Option<f64>,
    pub weighted: Option<Weighted>,
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

/// Cells by dimension value.
type Cells = BTreeMap<String, Cell>;
/// How often each answer was given: its score, and whether the job counts it as favourable.
pub type Counts = BTreeMap<(i64, Option<bool>), u64>;

/// The answers of one dimension value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Cell {
    counts: Counts,
    /// The same by stratum; empty without weights.
    strata: BTreeMap<String, Counts>,
}

impl Cell {
    fn total(&self) -> u64 {
        total(&self.counts)
    }

    /// Without the answers that a reading cannot count.
    fn read_by(&self, reading: Reading) -> Self {
        let kept = |counts: &Counts| -> Counts {
            let counted = counts.iter().filter(|(answer, _)| reading.counts(**answer));
            counted.map(|(answer, count)| (*answer, *count)).collect()
        };
        let strata = self.strata.iter().map(|(name, counts)| (name.clone(), kept(counts)));
        Self { counts: kept(&self.counts), strata: strata.collect() }
    }
}

/// Computes all scores of `answers`, in order of the table's grain.
pub fn scores(answers: &[Answer], terms: &Terms) -> Vec<Score> {
    let groups = grouped(answers, terms);
    let mut scores = Vec::new();
    for definition in DEFINITIONS {
        let asked = groups.keys().filter(|group| group.metric == definition.asks);
        let scales: BTreeSet<Scale> = asked.map(|group| group.scale).collect();
        for scale in scales {
            let Some(reading) = definition.reading(scale) else { continue };
            let sides = sides(&groups, (definition.asks, scale), reading, terms);
            for (group, now) in &sides {
                let before =
                    Group { start: previous(group.grain, group.start), ..Group::clone(group) };
                let past = sides.get(&&before);
                for value in now.cells.keys() {
                    let mut score = now.score(value, past, terms);
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
    }
    correct(&mut scores, |score| score.change, |score, p| score.p_value_holm = p);
    correct(&mut scores, |score| score.rest, |score, p| score.rest_p_value_holm = p);
    scores
}

/// All groups of one question on one scale, under one reading.
fn sides<'a>(
    groups: &'a BTreeMap<Group, Cells>,
    (asks, scale): (&str, Scale),
    reading: Reading,
    terms: &Terms,
) -> BTreeMap<&'a Group, Side<'a>> {
    let own = groups.iter().filter(|(group, _)| group.metric == asks && group.scale == scale);
    let mut sides: BTreeMap<&Group, Side<'a>> =
        own.map(|(group, cells)| (group, Side::new(cells, reading))).collect();
    let sizes = sides.iter().flat_map(|(group, side)| {
        side.cells.iter().map(|(value, cell)| suppression::Cell {
            grain: group.grain,
            start: group.start,
            dimension: &group.dimension,
            value,
            n: cell.total(),
        })
    });
    let sizes: Vec<_> = sizes.collect();
    let rule = Rule { min_cell: terms.min_cell, horizon_day: terms.horizon_day };
    let mut hidden = suppression::hidden(&sizes, rule).into_iter();
    let hidden: Vec<BTreeSet<String>> = sides
        .values()
        .map(|side| {
            let flags = side.cells.keys().zip(hidden.by_ref());
            flags.filter(|(_, is_hidden)| *is_hidden).map(|(value, _)| value.clone()).collect()
        })
        .collect();
    for (side, hidden) in sides.values_mut().zip(hidden) {
        side.hidden = hidden;
    }
    sides
}

/// Answers as counts of the periods they lie in; effort is turned so that more is better.
fn grouped(answers: &[Answer], terms: &Terms) -> BTreeMap<Group, Cells> {
    let mut groups: BTreeMap<Group, Cells> = BTreeMap::new();
    for answer in answers {
        if !answer.scale.holds(answer.score) {
            continue;
        }
        let score =
            if answer.is_effort { answer.scale.inverted(answer.score) } else { answer.score };
        for grain in &terms.periods {
            let group = Group {
                metric: answer.metric.clone(),
                scale: answer.scale,
                grain: *grain,
                start: day_number(grain.start(date(answer.day))),
                dimension: answer.dimension.clone(),
            };
            let cell = groups.entry(group).or_default().entry(answer.value.clone()).or_default();
            let given = (score, answer.favourable);
            *cell.counts.entry(given).or_default() += answer.count;
            if terms.shares.is_some() {
                let stratum = cell.strata.entry(answer.stratum.clone()).or_default();
                *stratum.entry(given).or_default() += answer.count;
            }
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

/// The cells of a group under one reading.
struct Side<'a> {
    cells: Cow<'a, Cells>,
    hidden: BTreeSet<String>,
    reading: Reading,
    /// Of all cells together.
    all: Counts,
}

impl<'a> Side<'a> {
    fn new(cells: &'a Cells, reading: Reading) -> Self {
        let cells = if reading.counts_all() {
            Cow::Borrowed(cells)
        } else {
            let read = cells.iter().map(|(value, cell)| (value.clone(), cell.read_by(reading)));
            Cow::Owned(read.filter(|(_, cell)| cell.total() > 0).collect::<Cells>())
        };
        let mut all = Counts::new();
        for (answer, count) in cells.values().flat_map(|cell| &cell.counts) {
            *all.entry(*answer).or_default() += count;
        }
        Self { cells, hidden: BTreeSet::new(), reading, all }
    }

    /// The statistic of a value, unless it is suppressed.
    fn shown(&self, value: &str) -> Option<Statistic> {
        let cell = self.cells.get(value).filter(|_| !self.hidden.contains(value))?;
        self.reading.statistic(&cell.counts)
    }

    /// The statistic of all other values together, unless they are too few.
    fn rest(&self, value: &str, min_cell: u64) -> Option<Statistic> {
        let own = &self.cells.get(value)?.counts;
        let left = |(answer, count): (&(i64, Option<bool>), &u64)| {
            (*answer, count - own.get(answer).unwrap_or(&0))
        };
        let counts: Counts = self.all.iter().map(left).collect();
        if total(&counts) < min_cell {
            return None;
        }
        self.reading.statistic(&counts)
    }

    fn score(&self, value: &str, past: Option<&Self>, terms: &Terms) -> Score {
        let mut score = Score {
            value: value.to_owned(),
            n: self.cells.get(value).map_or(0, Cell::total),
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
        if let (Some(shares), Some(cell)) = (&terms.shares, self.cells.get(value)) {
            let strata = cell.strata.iter();
            let strata = strata.filter_map(|(name, counts)| Some((*shares.get(name)?, counts)));
            score.weighted = weighted::weighted(self.reading, strata, terms.confidence);
        }
        score
    }
}

/// Holm's correction of the tests inside each family: metric, period and dimension.
fn correct(
    scores: &mut [Score],
    test: fn(&Score) -> Option<Difference>,
    put: fn(&mut Score, Option<f64>),
) {
    let mut families: BTreeMap<(&str, i64, &str, i32, String), Vec<usize>> = BTreeMap::new();
    for (i, score) in scores.iter().enumerate() {
        let family =
            (score.definition, score.version, score.grain, score.start, score.dimension.clone());
        families.entry(family).or_default().push(i);
    }
    for members in families.into_values() {
        let p_value = |i: &usize| test(scores.get(*i)?)?.p_value;
        let corrected = holm(&members.iter().map(p_value).collect::<Vec<_>>());
        for (i, p_value) in members.into_iter().zip(corrected) {
            if let Some(score) = scores.get_mut(i) {
                put(score, p_value);
            }
        }
    }
}
