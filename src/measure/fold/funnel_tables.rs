//! Funnels in numbers: who took each step, and after how long, by period and dimension.
//!
//! Times are kept in whole minutes, from the second day on in whole hours, and each is counted:
//! so they take room by how long a funnel is and not by how many go through it.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::calendar::Grain;
use super::columns::{batch, counts, days, flags, share, shares, texts};
use super::dimensions::{Split, Who};
use super::funnels::{Funnels, Gone};
use super::{FoldError, Terms};
use crate::measure::kernel::interval::{Interval, wilson};
use crate::measure::kernel::quantile::quantile_counted;
use crate::measure::suppression::{self, Rule, hidden};

const TABLE: &str = "funnels";
const MINUTE_US: i64 = 60_000_000;
const HOUR: i64 = 60;
/// From so many minutes on times are told by the hour.
const FINE_MINUTES: i64 = 24 * HOUR;

/// How many took how many minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Times(BTreeMap<i64, u64>);

impl Times {
    fn count(&mut self, from: i64, to: i64) {
        let minutes = (to - from).max(0) / MINUTE_US;
        let minutes = if minutes < FINE_MINUTES { minutes } else { minutes / HOUR * HOUR };
        *self.0.entry(minutes).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        for (minutes, n) in &other.0 {
            *self.0.entry(*minutes).or_default() += n;
        }
    }

    fn quantile(&self, share: f64) -> Option<f64> {
        quantile_counted(
            &self.0.iter().map(|(minutes, n)| (*minutes, *n)).collect::<Vec<_>>(),
            share,
        )
    }
}

/// Customers who took a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reached {
    n: i64,
    /// Since the first step, and since the one before.
    since_start: Times,
    since_before: Times,
}

/// A funnel in one period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cell {
    entered: i64,
    open: i64,
    /// Of those whose days are over; steps that nobody took are missing at the end.
    steps: Vec<Reached>,
}

impl Cell {
    fn count(&mut self, gone: &Gone) {
        self.entered += 1;
        if gone.is_open {
            self.open += 1;
            return;
        }
        let Some(start) = gone.reached.first().copied() else { return };
        let mut before = start;
        for (place, at) in gone.reached.iter().enumerate() {
            if let Some(step) = self.step(place) {
                step.n += 1;
                step.since_start.count(start, *at);
                step.since_before.count(before, *at);
            }
            before = *at;
        }
    }

    fn step(&mut self, place: usize) -> Option<&mut Reached> {
        if self.steps.len() <= place {
            self.steps.resize(place + 1, Reached::default());
        }
        self.steps.get_mut(place)
    }

    fn add(&mut self, other: &Self) {
        self.entered += other.entered;
        self.open += other.open;
        for (place, more) in other.steps.iter().enumerate() {
            if let Some(step) = self.step(place) {
                step.n += more.n;
                step.since_start.add(&more.since_start);
                step.since_before.add(&more.since_before);
            }
        }
    }
}

/// Place of a funnel, of a grain in the calendar, and of a period of it.
type Key = (usize, usize, usize);

/// The funnels of any number of customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted(Split<BTreeMap<Key, Cell>>);

impl Counted {
    pub(super) fn add(&mut self, who: &Who<'_>, ways: &[(Key, Gone)]) {
        self.0.each(who, |cells| {
            for (key, gone) in ways {
                cells.entry(*key).or_default().count(gone);
            }
        });
    }

    /// Adds what another bucket counted.
    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0, |mine, theirs| {
            for (key, cell) in theirs {
                mine.entry(key).or_default().add(&cell);
            }
        });
    }

    /// Rows of `funnels`.
    ///
    /// # Errors
    /// None in practice: the columns are of one length.
    pub fn batch(&self, funnels: &Funnels) -> Result<RecordBatch, FoldError> {
        let journey = &funnels.drop_offs.journey;
        let mut cells = Vec::new();
        for (dimension, value, own) in self.0.iter() {
            for ((funnel, grain, period), cell) in own {
                let Some(periods) = journey.calendar.periods().get(*grain) else { continue };
                cells.push(Told {
                    funnel: *funnel,
                    grain: periods.grain,
                    start_day: periods.start(*period),
                    is_complete: periods.end(*period) <= journey.terms.horizon_day + 1,
                    is_hidden: false,
                    dimension,
                    value,
                    cell,
                });
            }
        }
        hide(&mut cells, &journey.terms);
        let mut rows = Vec::new();
        for told in &cells {
            let steps = funnels.funnels.get(told.funnel).map_or(0, |funnel| funnel.steps.len());
            rows.extend((0..steps).map(|step| Row { told, step }));
        }
        columns(&rows, funnels)
    }
}

/// A funnel in one period and for one value of a dimension.
struct Told<'a> {
    funnel: usize,
    grain: Grain,
    start_day: i32,
    is_complete: bool,
    is_hidden: bool,
    dimension: &'static str,
    value: &'a str,
    cell: &'a Cell,
}

/// Hides funnels of few customers, and those that would give them away, funnel by funnel.
fn hide(cells: &mut [Told<'_>], terms: &Terms) {
    let min_cell = u64::try_from(terms.min_cell).unwrap_or(0);
    let rule = Rule { min_cell, horizon_day: terms.horizon_day };
    let mut funnels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, told) in cells.iter().enumerate() {
        funnels.entry(told.funnel).or_default().push(i);
    }
    for members in funnels.into_values() {
        let own = members.iter().filter_map(|i| cells.get(*i)).map(|told| suppression::Cell {
            grain: told.grain,
            start: told.start_day,
            dimension: told.dimension,
            value: told.value,
            n: u64::try_from(told.cell.entered).unwrap_or(0),
        });
        let flags = hidden(&own.collect::<Vec<_>>(), rule);
        for (i, is_hidden) in members.into_iter().zip(flags) {
            if let Some(told) = cells.get_mut(i) {
                told.is_hidden = is_hidden;
            }
        }
    }
}

/// A step of it.
struct Row<'a> {
    told: &'a Told<'a>,
    step: usize,
}

impl Row<'_> {
    /// Customers whose days are over.
    fn base(&self) -> i64 {
        self.told.cell.entered - self.told.cell.open
    }

    fn reached(&self) -> Option<&Reached> {
        self.told.cell.steps.get(self.step)
    }

    fn n_reached(&self) -> i64 {
        self.reached().map_or(0, |reached| reached.n)
    }

    /// Those who took the step before; all of them stand before the first.
    fn n_before(&self) -> i64 {
        let before = self.step.checked_sub(1);
        before.map_or(self.base(), |step| {
            self.told.cell.steps.get(step).map_or(0, |reached| reached.n)
        })
    }

    /// Times of fewer than `min_cell` would tell of single people.
    fn times(&self, min_cell: i64) -> Option<&Reached> {
        self.reached().filter(|reached| self.step > 0 && reached.n >= min_cell)
    }
}

fn interval(part: i64, whole: i64, confidence: f64) -> Option<Interval> {
    let whole = u64::try_from(whole).ok().filter(|n| *n > 0)?;
    Some(wilson(u64::try_from(part).ok()?, whole, confidence))
}

fn columns(rows: &[Row<'_>], funnels: &Funnels) -> Result<RecordBatch, FoldError> {
    let Terms { min_cell, confidence, .. } = funnels.drop_offs.journey.terms;
    let shown = |row: &&Row<'_>| !row.told.is_hidden;
    let count = |of: &dyn Fn(&Row<'_>) -> i64| {
        counts(rows.iter().map(|row| Some(row).filter(shown).map(of)))
    };
    let rate = |of: &dyn Fn(&Row<'_>) -> Option<f64>| {
        shares(rows.iter().map(|row| Some(row).filter(shown).and_then(of)))
    };
    let of_before = |row: &Row<'_>| interval(row.n_reached(), row.n_before(), confidence);
    let of_start = |row: &Row<'_>| interval(row.n_reached(), row.base(), confidence);
    let time =
        |of: fn(&Reached) -> &Times, at: f64| rate(&|row| of(row.times(min_cell)?).quantile(at));
    let funnel = |row: &Row<'_>| funnels.funnels.get(row.told.funnel);
    let name = |row: &Row<'_>| funnel(row).map(|funnel| funnel.name.clone());
    let step = |row: &Row<'_>| Some(funnel(row)?.steps.get(row.step)?.name.clone());
    let place = |row: &Row<'_>| i64::try_from(row.step).ok().map(|place| place + 1);
    let told = || rows.iter().map(|row| row.told);
    batch(
        TABLE,
        vec![
            ("period_grain", texts(told().map(|told| Some(told.grain.name())))),
            ("period_start", days(told().map(|told| told.start_day))),
            ("funnel", texts(rows.iter().map(name))),
            ("step_position", counts(rows.iter().map(place))),
            ("dimension", texts(told().map(|told| Some(told.dimension)))),
            ("dimension_value", texts(told().map(|told| Some(told.value)))),
            ("definition_id", texts(rows.iter().map(|_| Some("funnel")))),
            ("definition_version", counts(rows.iter().map(|_| Some(1)))),
            ("step", texts(rows.iter().map(step))),
            ("is_complete", flags(told().map(|told| told.is_complete))),
            ("is_suppressed", flags(told().map(|told| told.is_hidden))),
            ("n_entered", counts(told().map(|told| Some(told.cell.entered)))),
            ("n_open", count(&|row| row.told.cell.open)),
            ("n_before", count(&|row| row.n_before())),
            ("n_reached", count(&|row| row.n_reached())),
            ("n_dropped", count(&|row| row.n_before() - row.n_reached())),
            ("step_rate", rate(&|row| share(row.n_reached(), row.n_before()))),
            ("step_low", rate(&|row| Some(of_before(row)?.low))),
            ("step_high", rate(&|row| Some(of_before(row)?.high))),
            ("drop_off_rate", rate(&|row| share(row.n_before() - row.n_reached(), row.n_before()))),
            ("conversion_rate", rate(&|row| share(row.n_reached(), row.base()))),
            ("conversion_low", rate(&|row| Some(of_start(row)?.low))),
            ("conversion_high", rate(&|row| Some(of_start(row)?.high))),
            ("median_minutes", time(|reached| &reached.since_start, 0.5)),
            ("p90_minutes", time(|reached| &reached.since_start, 0.9)),
            ("step_median_minutes", time(|reached| &reached.since_before, 0.5)),
            ("step_p90_minutes", time(|reached| &reached.since_before, 0.9)),
        ],
    )
}
