//! Requests counted together: by period of creation and one dimension at a time.

use std::collections::BTreeMap;

use super::case::{Case, Facts};
use super::measures::{self, COUNT, Kind, MEASURES, Outcome, Said};
use super::{ServiceError, Terms};
use crate::measure::fold::calendar::{Calendar, Grain};
use crate::measure::kernel::interval::{self, Interval, wilson};
use crate::measure::kernel::kaplan_meier::{Observed, Quantile, kaplan_meier};
use crate::measure::kernel::quantile::quantile;
use crate::measure::kernel::sample::Sample;
use crate::measure::scores::{ALL, NONE, PAIR};
use crate::measure::suppression::{Cell, Rule, hidden};
use crate::table::day::date;

/// What requests are grouped by; all but the first are columns of a request.
pub const DIMENSIONS: [&str; 10] = [
    "all",
    "assignee",
    "channel",
    "kind",
    "language",
    "priority",
    "product",
    "source",
    "team",
    "touchpoint",
];
const COLUMNS: usize = DIMENSIONS.len() - 1;
/// The one metric that is of a moment: longer periods of it are no sums of shorter ones.
const BACKLOG: &str = "backlog";

/// Where the columns of a dimension stand: none of `all`, one, or two of a pair.
///
/// # Errors
/// A name that is no column of requests.
pub fn columns(dimension: &str) -> Result<Vec<usize>, ServiceError> {
    if dimension == ALL {
        return Ok(Vec::new());
    }
    let at = |name: &str| DIMENSIONS.iter().position(|known| *known == name.trim())?.checked_sub(1);
    let found: Option<Vec<_>> = dimension.split('*').map(at).collect();
    match found {
        Some(columns) if columns.len() <= 2 => Ok(columns),
        _ => Err(ServiceError::Dimension(dimension.to_owned())),
    }
}

/// One row of `service_levels`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Level {
    pub metric: &'static str,
    pub clock: &'static str,
    pub grain: Option<Grain>,
    pub start: i32,
    pub year: i64,
    pub dimension: String,
    pub value: String,
    pub n: u64,
    pub is_suppressed: bool,
    pub answered: Option<u64>,
    pub open: Option<u64>,
    pub hits: Option<u64>,
    pub mean: Option<f64>,
    pub interval: Option<Interval>,
    pub median: Option<f64>,
    pub p90: Option<f64>,
    pub km: Option<Quantile>,
    pub n_with_target: Option<u64>,
    pub n_within_target: Option<u64>,
    pub n_vendor: Option<u64>,
    pub vendor_value: Option<f64>,
    pub cause: Option<&'static str>,
}

impl Level {
    /// The cell without its numbers.
    fn hide(&mut self) -> Self {
        Self {
            metric: self.metric,
            clock: self.clock,
            grain: self.grain,
            start: self.start,
            year: self.year,
            dimension: std::mem::take(&mut self.dimension),
            value: std::mem::take(&mut self.value),
            n: self.n,
            is_suppressed: true,
            ..Self::default()
        }
    }
}

/// One request, small: what it counts as, and where.
#[derive(Debug)]
struct Row {
    day: i32,
    values: [u32; COLUMNS],
    outcomes: [Outcome; COUNT],
    vendor: [Outcome; COUNT],
    causes: [Option<&'static str>; COUNT],
}

/// Requests gathered for counting.
#[derive(Debug, Default)]
pub struct Levels {
    rows: Vec<Row>,
    /// Row, from, to.
    waits: Vec<(u32, i64, Option<i64>)>,
    ids: BTreeMap<String, u32>,
    names: Vec<String>,
}

impl Levels {
    pub fn push(&mut self, case: &Case, facts: &Facts) {
        let row = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.waits.extend(facts.waits.iter().map(|(from, to)| (row, *from, *to)));
        let mut values = [0; COLUMNS];
        for (slot, value) in values.iter_mut().zip(&case.dimensions) {
            *slot = self.id(value.as_deref().unwrap_or(NONE));
        }
        self.rows.push(Row {
            day: case.created_date,
            values,
            outcomes: measures::outcomes(case, facts),
            vendor: measures::vendor_outcomes(case),
            causes: measures::causes(case, facts),
        });
    }

    fn id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.ids.insert(name.to_owned(), id);
        self.names.push(name.to_owned());
        id
    }

    fn value(&self, ids: &[u32]) -> String {
        let name = |id: &u32| self.names.get(*id as usize).map_or(NONE, String::as_str);
        match ids {
            [] => ALL.to_owned(),
            ids => ids.iter().map(name).collect::<Vec<_>>().join(&PAIR.to_string()),
        }
    }

    /// All rows of the table, in no order that matters.
    ///
    /// # Errors
    /// A dimension that requests do not have.
    pub fn levels(&self, terms: &Terms) -> Result<Vec<Level>, ServiceError> {
        let calendar = Calendar::new(terms.zone, terms.horizon_day, &terms.periods);
        let mut levels = Vec::new();
        for dimension in &terms.dimensions {
            let columns = columns(dimension)?;
            for grain in &terms.periods {
                let first = levels.len();
                self.counted(*grain, &columns, terms, &mut levels);
                self.backlog(*grain, &columns, &calendar, terms, &mut levels);
                for level in levels.iter_mut().skip(first) {
                    level.dimension.clone_from(dimension);
                    level.grain = Some(*grain);
                    level.year = i64::from(chrono::Datelike::year(&date(level.start)));
                }
            }
        }
        suppress(&mut levels, terms);
        Ok(levels)
    }

    fn counted(&self, grain: Grain, columns: &[usize], terms: &Terms, levels: &mut Vec<Level>) {
        let mut starts: BTreeMap<i32, i32> = BTreeMap::new();
        let mut groups: BTreeMap<i32, BTreeMap<Vec<u32>, Vec<u32>>> = BTreeMap::new();
        for (i, row) in self.rows.iter().enumerate() {
            let start = *starts
                .entry(row.day)
                .or_insert_with(|| crate::table::day::day_number(grain.start(date(row.day))));
            let ids = columns.iter().filter_map(|at| row.values.get(*at).copied()).collect();
            let cells = groups.entry(start).or_default();
            cells.entry(ids).or_default().push(u32::try_from(i).unwrap_or(u32::MAX));
        }
        for (start, cells) in groups {
            let cells: Vec<_> =
                cells.into_iter().map(|(ids, rows)| (self.value(&ids), rows)).collect();
            for (m, measure) in MEASURES.iter().enumerate() {
                let stats = cells.iter().map(|(value, rows)| (value, self.cell(m, rows, terms)));
                for (value, mut level) in stats.filter(|(_, level)| level.n > 0) {
                    (level.metric, level.clock) = (measure.metric, measure.clock);
                    level.start = start;
                    level.value.clone_from(value);
                    levels.push(level);
                }
            }
        }
    }

    fn rows<'a>(&'a self, rows: &'a [u32]) -> impl Iterator<Item = &'a Row> + Clone {
        rows.iter().filter_map(|i| self.rows.get(*i as usize))
    }

    /// What a measure is of some requests.
    fn cell(&self, m: usize, rows: &[u32], terms: &Terms) -> Level {
        let Some(measure) = MEASURES.get(m) else { return Level::default() };
        let (mut done, mut open) = (Vec::new(), Vec::new());
        for row in self.rows(rows) {
            match row.outcomes.get(m).map(|outcome| outcome.said()) {
                Some(Said::Done(value)) => done.push(i64::from(value)),
                Some(Said::Open(value)) => open.push(i64::from(value)),
                _ => {}
            }
        }
        let (answered, waiting) = (done.len() as u64, open.len() as u64);
        let mut level = Level {
            n: answered + waiting,
            answered: Some(answered),
            open: Some(waiting),
            ..Level::default()
        };
        done.sort_unstable();
        let sum: i64 = done.iter().sum();
        level.mean = (answered > 0).then(|| sum as f64 / answered as f64);
        match measure.kind {
            Kind::Share => {
                let hits = u64::try_from(sum).unwrap_or(0);
                level.hits = Some(hits);
                level.interval = (answered > 0).then(|| wilson(hits, answered, terms.confidence));
            }
            Kind::Time | Kind::Count => {
                let sample = Sample::of(done.iter().map(|value| (*value as f64, 1)));
                let interval = sample.and_then(|s| interval::mean(&s, terms.confidence));
                level.interval = interval.zip(level.mean).map(|(i, mean)| i.around(mean));
                level.median = quantile(&done, 0.5);
                level.p90 = quantile(&done, 0.9);
            }
        }
        if measure.kind == Kind::Time {
            let observed = |(values, event): (&Vec<i64>, bool)| -> Vec<Observed> {
                values.iter().map(|time| Observed { time: *time, event, count: 1 }).collect()
            };
            let all = [(&done, true), (&open, false)].into_iter().flat_map(observed);
            let curve = kaplan_meier(&all.collect::<Vec<_>>(), terms.confidence);
            level.km = Some(curve.median());
        }
        self.promised(m, rows, &mut level);
        self.compared(m, rows, &mut level);
        level
    }

    /// Targets stand beside the wall clock of what they are about.
    fn promised(&self, m: usize, rows: &[u32], level: &mut Level) {
        let about = |metric: &str| match metric {
            "first_response" => Some("sla_first_response_breached"),
            "full_resolution" => Some("sla_resolution_breached"),
            _ => None,
        };
        let Some(measure) = MEASURES.get(m).filter(|measure| measure.clock == "calendar") else {
            return;
        };
        let target = about(measure.metric);
        let at = MEASURES.iter().position(|other| target == Some(other.metric));
        let Some(at) = at else { return };
        let told = self.rows(rows).filter_map(|row| match row.outcomes.get(at)?.said() {
            Said::Done(breached) => Some(breached == 0),
            _ => None,
        });
        level.n_with_target = Some(told.clone().count() as u64);
        level.n_within_target = Some(told.filter(|is_within| *is_within).count() as u64);
    }

    fn compared(&self, m: usize, rows: &[u32], level: &mut Level) {
        let asked = |row: &&Row| row.outcomes.get(m).is_some_and(|o| *o != Outcome::NOTHING);
        let told =
            self.rows(rows).filter(asked).filter_map(|row| match row.vendor.get(m)?.said() {
                Said::Done(value) => Some(i64::from(value)),
                _ => None,
            });
        let (mut n, mut sum) = (0_u64, 0_i64);
        for value in told {
            (n, sum) = (n + 1, sum + value);
        }
        if n == 0 {
            return;
        }
        level.n_vendor = Some(n);
        level.vendor_value = Some(sum as f64 / n as f64);
        let mut causes: BTreeMap<&'static str, u64> = BTreeMap::new();
        let told =
            self.rows(rows).filter(asked).filter_map(|row| row.causes.get(m).copied().flatten());
        for cause in told.filter(|cause| !matches!(*cause, "equal" | "rounding")) {
            *causes.entry(cause).or_default() += 1;
        }
        let most = causes.iter().max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a)));
        level.cause = most.map(|(cause, _)| *cause);
    }

    /// Requests that were open when each period ended, and how long they had been.
    fn backlog(
        &self,
        grain: Grain,
        columns: &[usize],
        calendar: &Calendar,
        terms: &Terms,
        levels: &mut Vec<Level>,
    ) {
        let Some(periods) = calendar.periods().iter().find(|periods| periods.grain == grain) else {
            return;
        };
        let Some(first) = self.rows.iter().map(|row| row.day).min() else { return };
        let all = periods.of(first)..=periods.of(terms.horizon_day);
        let all: Vec<usize> = all.collect();
        let end = |period: &usize| calendar.midnight(periods.end(*period)).min(terms.horizon);
        let ends: Vec<i64> = all.iter().map(end).collect();
        // What begins to wait and stops waiting before each end: number, and sum of beginnings.
        let mut cells: BTreeMap<Vec<u32>, Vec<(i64, i128)>> = BTreeMap::new();
        for (i, from, to) in &self.waits {
            let Some(row) = self.rows.get(*i as usize) else { continue };
            let ids = columns.iter().filter_map(|at| row.values.get(*at).copied()).collect();
            let steps = cells.entry(ids).or_insert_with(|| vec![(0, 0); ends.len() + 1]);
            let begins = ends.partition_point(|end| *end <= *from);
            let stops = to.map_or(ends.len(), |to| ends.partition_point(|end| *end < to));
            for (at, sign) in [(begins, 1_i64), (stops.max(begins), -1)] {
                if let Some((n, sum)) = steps.get_mut(at) {
                    *n += sign;
                    *sum += i128::from(sign) * i128::from(*from);
                }
            }
        }
        let mut by_period: BTreeMap<usize, Vec<(String, i64, i128)>> = BTreeMap::new();
        for (ids, steps) in cells {
            let (value, mut n, mut sum) = (self.value(&ids), 0, 0);
            for (k, (more, more_sum)) in steps.iter().take(ends.len()).enumerate() {
                (n, sum) = (n + more, sum + more_sum);
                if n > 0 {
                    by_period.entry(k).or_default().push((value.clone(), n, sum));
                }
            }
        }
        for (k, cells) in by_period {
            let (Some(period), Some(end)) = (all.get(k), ends.get(k)) else { continue };
            for (value, n, sum) in &cells {
                let age = i128::from(*n) * i128::from(*end) - sum;
                let n_open = u64::try_from(*n).unwrap_or(0);
                levels.push(Level {
                    metric: BACKLOG,
                    clock: "calendar",
                    start: periods.start(*period),
                    value: value.clone(),
                    n: n_open,
                    open: Some(n_open),
                    mean: Some(age as f64 / 1e6 / *n as f64),
                    ..Level::default()
                });
            }
        }
    }
}

/// Takes the numbers out of cells that are hidden, and leaves how many requests they are of.
fn suppress(levels: &mut [Level], terms: &Terms) {
    type Of = (&'static str, &'static str, Option<Grain>);
    let mut metrics: BTreeMap<Of, Vec<usize>> = BTreeMap::new();
    for (i, level) in levels.iter().enumerate() {
        let alone = level.grain.filter(|_| level.metric == BACKLOG);
        metrics.entry((level.metric, level.clock, alone)).or_default().push(i);
    }
    let rule = Rule { min_cell: terms.min_cell, horizon_day: terms.horizon_day };
    for members in metrics.into_values() {
        let cells = members.iter().filter_map(|i| {
            let level = levels.get(*i)?;
            let (dimension, value) = (level.dimension.as_str(), level.value.as_str());
            Some(Cell { grain: level.grain?, start: level.start, dimension, value, n: level.n })
        });
        let flags = hidden(&cells.collect::<Vec<_>>(), rule);
        for (i, _) in members.into_iter().zip(flags).filter(|(_, is_hidden)| *is_hidden) {
            if let Some(level) = levels.get_mut(i) {
                *level = level.hide();
            }
        }
    }
}
