//! Requests counted together: by period of creation and one dimension at a time.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use super::case::{Case, Facts};
use super::cells::{Cells, Counted, Order, Values};
use super::measures::{self, CLOCKS, COUNT, Kind, MEASURES, Measure, Outcome, Said};
use super::{ServiceError, Terms};
use crate::measure::fold::calendar::{Calendar, Grain};
use crate::measure::kernel::interval::{self, Interval, wilson};
use crate::measure::kernel::kaplan_meier::{Quantile, median_of};
use crate::measure::kernel::quantile::quantile;
use crate::measure::kernel::sample::Sample;
use crate::measure::scores::{ALL, NONE, PAIR};
use crate::measure::suppression::{Cell, Rule, hidden};
use crate::table::day::{date, day_number};

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
pub(super) const COLUMNS: usize = DIMENSIONS.len() - 1;
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

/// What a tool says of a request in one measure, where ours says something too.
#[derive(Debug)]
struct Told {
    request: u32,
    value: Outcome,
    cause: Option<&'static str>,
}

/// Requests gathered for counting: by column, because a cell reads one measure of many requests.
#[derive(Debug, Default)]
pub struct Levels {
    days: Vec<i32>,
    values: [Vec<u32>; COLUMNS],
    outcomes: [Vec<Outcome>; COUNT],
    told: [Vec<Told>; COUNT],
    /// Request, from, to.
    waits: Vec<(u32, i64, Option<i64>)>,
    ids: HashMap<String, u32, FixedState>,
    names: Vec<String>,
}

/// What all parts of the table are made from.
#[derive(Debug)]
pub struct Sorted<'a> {
    levels: &'a Levels,
    terms: &'a Terms,
    calendar: Calendar,
    /// Of measures whose values have an order that matters.
    orders: Vec<Option<Order>>,
}

/// The table of one dimension and one length of period.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    dimension: &'a str,
    grain: Grain,
}

impl Levels {
    pub fn push(&mut self, case: &Case<'_>, facts: &Facts) {
        let request = u32::try_from(self.days.len()).unwrap_or(u32::MAX);
        self.waits.extend(facts.waits.iter().map(|(from, to)| (request, *from, *to)));
        self.days.push(case.created_date);
        let ids = case.dimensions.map(|value| self.id(value.unwrap_or(NONE)));
        for (column, id) in self.values.iter_mut().zip(ids) {
            column.push(id);
        }
        let outcomes = measures::outcomes(case, facts);
        for (column, outcome) in self.outcomes.iter_mut().zip(outcomes) {
            column.push(outcome);
        }
        let said = measures::vendor_outcomes(case).into_iter().zip(measures::causes(case, facts));
        for ((told, ours), (value, cause)) in self.told.iter_mut().zip(outcomes).zip(said) {
            let is_told = value != Outcome::NOTHING || cause.is_some();
            if is_told && ours != Outcome::NOTHING {
                told.push(Told { request, value, cause });
            }
        }
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

    /// The values of a dimension that a request has.
    fn values(&self, columns: &[usize], request: usize) -> Values {
        let mut values = Values::default();
        for (slot, at) in values.iter_mut().zip(columns) {
            let value = self.values.get(*at).and_then(|column| column.get(request));
            *slot = value.copied().unwrap_or_default();
        }
        values
    }

    fn value(&self, columns: &[usize], values: Values) -> String {
        let name = |id: &u32| self.names.get(*id as usize).map_or(NONE, String::as_str);
        match columns {
            [] => ALL.to_owned(),
            columns => {
                let names: Vec<&str> = values.iter().take(columns.len()).map(name).collect();
                names.join(&PAIR.to_string())
            }
        }
    }

    /// Puts the requests in the orders that are needed.
    pub fn sorted<'a>(&'a self, terms: &'a Terms) -> Sorted<'a> {
        let ordered = MEASURES.iter().map(|measure| measure.kind != Kind::Share);
        let order = |(is_ordered, outcomes): (bool, &Vec<Outcome>)| {
            is_ordered.then(|| Order::new(outcomes))
        };
        Sorted {
            levels: self,
            terms,
            calendar: Calendar::new(terms.zone, terms.horizon_day, &terms.periods),
            orders: ordered.zip(&self.outcomes).map(order).collect(),
        }
    }

    /// All rows of the table, in no order that matters.
    ///
    /// # Errors
    /// A dimension that requests do not have.
    pub fn levels(&self, terms: &Terms) -> Result<Vec<Level>, ServiceError> {
        let sorted = self.sorted(terms);
        let parts: Result<Vec<_>, _> = sorted.parts().map(|part| sorted.part(part)).collect();
        Ok(suppressed(parts?.concat(), terms))
    }
}

impl<'a> Sorted<'a> {
    /// What the table is made of; parts may be made beside each other.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let terms = self.terms;
        terms.dimensions.iter().flat_map(|dimension| {
            terms.periods.iter().map(|grain| Part { dimension, grain: *grain })
        })
    }

    /// Rows of a part, in no order that matters.
    ///
    /// # Errors
    /// A dimension that requests do not have.
    pub fn part(&self, part: Part<'_>) -> Result<Vec<Level>, ServiceError> {
        let columns = columns(part.dimension)?;
        let mut levels = self.counted(part.grain, &columns);
        levels.extend(self.backlog(part.grain, &columns));
        for level in &mut levels {
            part.dimension.clone_into(&mut level.dimension);
            level.grain = Some(part.grain);
            level.year = i64::from(chrono::Datelike::year(&date(level.start)));
        }
        Ok(levels)
    }

    fn counted(&self, grain: Grain, columns: &[usize]) -> Vec<Level> {
        let mut starts: HashMap<i32, i32, FixedState> = HashMap::default();
        let days = self.levels.days.iter().enumerate();
        let cells = Cells::new(days.map(|(request, day)| {
            let start = *starts.entry(*day).or_insert_with(|| day_number(grain.start(date(*day))));
            (start, self.levels.values(columns, request))
        }));
        let shares: Vec<_> = MEASURES
            .iter()
            .zip(&self.levels.outcomes)
            .map(|(measure, outcomes)| {
                (measure.kind == Kind::Share).then(|| cells.counted(outcomes))
            })
            .collect();
        let mut levels = Vec::new();
        for (m, measure) in MEASURES.iter().enumerate() {
            let mut made = match shares.get(m).and_then(Option::as_ref) {
                Some(counted) => self.shares(counted),
                None => self.amounts(m, *measure, &cells),
            };
            promised(*measure, &shares, &mut made);
            self.compared(m, &cells, &mut made);
            for (mut level, (start, values)) in made.into_iter().zip(&cells.keys) {
                if level.n > 0 {
                    (level.metric, level.clock) = (measure.metric, measure.clock);
                    level.start = *start;
                    level.value = self.levels.value(columns, *values);
                    levels.push(level);
                }
            }
        }
        levels
    }

    fn shares(&self, counted: &[Counted]) -> Vec<Level> {
        let level = |counted: &Counted| {
            let hits = u64::try_from(counted.sum).unwrap_or(0);
            let told = counted.done > 0;
            Level {
                n: counted.done + counted.open,
                answered: Some(counted.done),
                open: Some(counted.open),
                mean: told.then(|| counted.sum as f64 / counted.done as f64),
                hits: Some(hits),
                interval: told.then(|| wilson(hits, counted.done, self.terms.confidence)),
                ..Level::default()
            }
        };
        counted.iter().map(level).collect()
    }

    fn amounts(&self, m: usize, measure: Measure, cells: &Cells) -> Vec<Level> {
        let Some(Some(order)) = self.orders.get(m) else { return Vec::new() };
        let ordered = cells.ordered(order);
        let confidence = self.terms.confidence;
        let level = |cell: usize| {
            let (done, open) = ordered.of(cell);
            let sum: i64 = done.iter().sum();
            let mean = (!done.is_empty()).then(|| sum as f64 / done.len() as f64);
            let sample = Sample::of(done.iter().map(|value| (*value as f64, 1)));
            let interval = sample.and_then(|sample| interval::mean(&sample, confidence));
            let is_time = measure.kind == Kind::Time;
            Level {
                n: (done.len() + open.len()) as u64,
                answered: Some(done.len() as u64),
                open: Some(open.len() as u64),
                mean,
                interval: interval.zip(mean).map(|(interval, mean)| interval.around(mean)),
                median: quantile(done, 0.5),
                p90: quantile(done, 0.9),
                km: is_time.then(|| median_of(done, open, confidence)),
                ..Level::default()
            }
        };
        (0..cells.keys.len()).map(level).collect()
    }

    fn compared(&self, m: usize, cells: &Cells, levels: &mut [Level]) {
        let Some(told) = self.levels.told.get(m).filter(|told| !told.is_empty()) else { return };
        let mut sums = vec![(0_u64, 0_i64); levels.len()];
        let mut causes: BTreeMap<(usize, &'static str), u64> = BTreeMap::new();
        for Told { request, value, cause } in told {
            let cell = cells.of(*request);
            if let (Said::Done(value), Some((n, sum))) = (value.said(), sums.get_mut(cell)) {
                (*n, *sum) = (*n + 1, *sum + i64::from(value));
            }
            if let Some(cause) = cause.filter(|cause| !matches!(*cause, "equal" | "rounding")) {
                *causes.entry((cell, cause)).or_default() += 1;
            }
        }
        for (level, (n, sum)) in levels.iter_mut().zip(sums).filter(|(_, (n, _))| *n > 0) {
            level.n_vendor = Some(n);
            level.vendor_value = Some(sum as f64 / n as f64);
        }
        // The most frequent one; of equals the first by name.
        let mut most: BTreeMap<usize, (u64, &'static str)> = BTreeMap::new();
        for ((cell, cause), n) in causes {
            let known = most.entry(cell).or_insert((n, cause));
            if n > known.0 {
                *known = (n, cause);
            }
        }
        for (cell, (_, cause)) in most {
            if let Some(level) = levels.get_mut(cell).filter(|level| level.n_vendor.is_some()) {
                level.cause = Some(cause);
            }
        }
    }

    /// Requests that were open when each period ended, and how long they had been.
    fn backlog(&self, grain: Grain, columns: &[usize]) -> Vec<Level> {
        let (terms, calendar) = (self.terms, &self.calendar);
        let Some(periods) = calendar.periods().iter().find(|periods| periods.grain == grain) else {
            return Vec::new();
        };
        let Some(first) = self.levels.days.iter().min() else { return Vec::new() };
        let all: Vec<usize> = (periods.of(*first)..=periods.of(terms.horizon_day)).collect();
        let end = |period: &usize| calendar.midnight(periods.end(*period)).min(terms.horizon);
        let ends: Vec<i64> = all.iter().map(end).collect();
        let waits = &self.levels.waits;
        let values = |request: u32| self.levels.values(columns, request as usize);
        let cells = Cells::new(waits.iter().map(|(request, _, _)| (0, values(*request))));
        // What begins to wait and stops waiting before each end: number, and sum of beginnings.
        let mut steps = vec![(0_i64, 0_i128); cells.keys.len() * (ends.len() + 1)];
        for (wait, (_, from, to)) in (0_u32..).zip(waits) {
            let row = cells.of(wait) * (ends.len() + 1);
            let begins = ends.partition_point(|end| *end <= *from);
            let stops = to.map_or(ends.len(), |to| ends.partition_point(|end| *end < to));
            for (at, sign) in [(begins, 1_i64), (stops.max(begins), -1)] {
                if let Some((n, sum)) = steps.get_mut(row + at) {
                    *n += sign;
                    *sum += i128::from(sign) * i128::from(*from);
                }
            }
        }
        let mut levels = Vec::new();
        for ((_, values), steps) in cells.keys.iter().zip(steps.chunks(ends.len() + 1)) {
            let (mut n, mut sum) = (0, 0);
            for ((period, end), (more, more_sum)) in all.iter().zip(&ends).zip(steps) {
                (n, sum) = (n + more, sum + more_sum);
                let Some(n_open) = u64::try_from(n).ok().filter(|n| *n > 0) else { continue };
                let age = i128::from(n) * i128::from(*end) - sum;
                levels.push(Level {
                    metric: BACKLOG,
                    clock: "calendar",
                    start: periods.start(*period),
                    value: self.levels.value(columns, *values),
                    n: n_open,
                    open: Some(n_open),
                    mean: Some(age as f64 / 1e6 / n as f64),
                    ..Level::default()
                });
            }
        }
        levels
    }
}

/// Targets stand beside the wall clock of what they are about: requests that kept theirs are those
/// that did not break it.
fn promised(measure: Measure, shares: &[Option<Vec<Counted>>], levels: &mut [Level]) {
    let target = match measure.metric {
        "first_response" => "sla_first_response_breached",
        "full_resolution" => "sla_resolution_breached",
        _ => return,
    };
    let at = MEASURES.iter().position(|other| target == other.metric);
    let counted = at.and_then(|at| shares.get(at)?.as_ref());
    let Some(counted) = counted.filter(|_| measure.clock == CLOCKS[0]) else { return };
    for (level, counted) in levels.iter_mut().zip(counted) {
        level.n_with_target = Some(counted.done);
        level.n_within_target = Some(counted.done - u64::try_from(counted.sum).unwrap_or(0));
    }
}

/// Takes the numbers out of cells that are hidden, and leaves how many requests they are of; all
/// parts together, because one could betray another.
pub fn suppressed(mut levels: Vec<Level>, terms: &Terms) -> Vec<Level> {
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
    levels
}
