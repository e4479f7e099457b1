//! Retention: of those who started in one period, how many were active k periods later.
//!
//! Without a contract a customer starts with the first order and is active in a bucket with an
//! order in it; with one, paid access is both. A job may let everybody start with their first
//! record instead, whether they bought or not. Revenue is orders less refunds of the bucket, in the
//! job's currency; recurring revenue is what was in force on the bucket's last day. Calendar buckets are periods; rolling buckets count whole spans of 1, 7, 30,
//! 91 or 365 times 24 hours from the customer's own start (whole days under a contract).

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::calendar::{Calendar, Periods};
use super::columns::{batch, counts, days, flags, money, money_share, share, shares, texts};
use super::membership::{Lived, Payment};
use super::{FoldError, Terms};
use crate::measure::kernel::interval::wilson;

const TABLE: &str = "retention_cohorts";
const DAY_US: i64 = 86_400_000_000;

/// By bucket, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Buckets {
    /// Customers active in the bucket.
    active: Vec<i64>,
    /// Customers whose last active bucket it is.
    last: Vec<i64>,
    revenue: Vec<i128>,
    mrr: Vec<i128>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cohort {
    size: i64,
    /// Customers with a contract.
    contracts: i64,
    calendar: Buckets,
    rolling: Buckets,
}

/// The triangles of any number of customers, by grain (its place in the calendar) and cohort.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohorts(BTreeMap<(usize, usize), Cohort>);

fn add_at<T: Copy + Default + std::ops::AddAssign>(values: &mut Vec<T>, at: usize, more: T) {
    if values.len() <= at {
        values.resize(at + 1, T::default());
    }
    if let Some(value) = values.get_mut(at) {
        *value += more;
    }
}

fn add_all<T: Copy + Default + std::ops::AddAssign>(mine: &mut Vec<T>, theirs: &[T]) {
    for (at, more) in theirs.iter().enumerate() {
        add_at(mine, at, *more);
    }
}

impl Buckets {
    /// Adds one customer's active buckets, which come in order and may repeat.
    fn add_active(&mut self, buckets: impl Iterator<Item = usize>) {
        let mut last = None;
        for bucket in buckets {
            if last != Some(bucket) {
                add_at(&mut self.active, bucket, 1);
            }
            last = Some(bucket);
        }
        if let Some(last) = last {
            add_at(&mut self.last, last, 1);
        }
    }

    fn merge(&mut self, other: &Self) {
        add_all(&mut self.active, &other.active);
        add_all(&mut self.last, &other.last);
        add_all(&mut self.revenue, &other.revenue);
        add_all(&mut self.mrr, &other.mrr);
    }

    /// Customers active in the bucket, or in it or any later one.
    fn count(&self, bucket: usize, is_bounded: bool) -> i64 {
        if is_bounded {
            self.active.get(bucket).copied().unwrap_or(0)
        } else {
            self.last.iter().skip(bucket).sum()
        }
    }
}

impl Cohorts {
    /// Adds one life to the triangle of each of the calendar's grains.
    pub fn add(&mut self, calendar: &Calendar, terms: &Terms, lived: &Lived) {
        let Some(start) = Start::of(terms, lived) else { return };
        for (grain, periods) in calendar.periods().iter().enumerate() {
            let first = periods.of(start.day);
            let cohort = self.0.entry((grain, first)).or_default();
            cohort.size += 1;
            cohort.contracts += i64::from(lived.is_contractual);
            let calendar = |day: i32| periods.of(day).saturating_sub(first);
            let rolling = |at: i64| start.rolling(at, periods.grain.rolling_days());
            let paid = lived.payments.iter().filter(|paid| paid.at >= start.at);
            for payment in paid {
                add_at(&mut cohort.calendar.revenue, calendar(payment.day), payment.value);
                add_at(&mut cohort.rolling.revenue, rolling(payment.at), payment.value);
            }
            if lived.is_contractual {
                let last = |end: Option<i32>| end.map_or(terms.horizon_day, |end| end - 1);
                let spans = || lived.spans.iter().map(|span| (span.start, last(span.end)));
                let within = |(from, to)| calendar(from)..=calendar(to);
                cohort.calendar.add_active(spans().flat_map(within));
                let at = |day: i32| rolling(start.day_start(day));
                cohort.rolling.add_active(spans().flat_map(|(from, to)| at(from)..=at(to)));
                let now = terms.horizon_day;
                for bucket in 0..=calendar(now) {
                    let day = (periods.end(first + bucket) - 1).min(now);
                    add_at(&mut cohort.calendar.mrr, bucket, lived.mrr_at(day));
                }
                let length = periods.grain.rolling_days();
                for bucket in 0..=at(now) {
                    let ends = i64::from(start.day) + (bucket as i64 + 1) * length - 1;
                    let day = i32::try_from(ends).unwrap_or(now).min(now);
                    add_at(&mut cohort.rolling.mrr, bucket, lived.mrr_at(day));
                }
            } else {
                let orders = || lived.payments.iter().filter(|paid| paid.is_order);
                cohort.calendar.add_active(orders().map(|paid| calendar(paid.day)));
                cohort.rolling.add_active(orders().map(|paid| rolling(paid.at)));
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (key, theirs) in &other.0 {
            let mine = self.0.entry(*key).or_default();
            mine.size += theirs.size;
            mine.contracts += theirs.contracts;
            mine.calendar.merge(&theirs.calendar);
            mine.rolling.merge(&theirs.rolling);
        }
    }

    /// Rows of `retention_cohorts`: every bucket that the horizon lets somebody reach.
    ///
    /// # Errors
    /// A sum too large for money.
    pub fn batch(&self, calendar: &Calendar, terms: &Terms) -> Result<RecordBatch, FoldError> {
        let mut cells = Vec::new();
        for (grain, periods) in calendar.periods().iter().enumerate() {
            for ((_, first), cohort) in self.0.range((grain, 0)..(grain + 1, 0)) {
                calendar_cells(terms, periods, *first, cohort, &mut cells);
                rolling_cells(terms, periods, *first, cohort, &mut cells);
            }
        }
        columns(&cells, terms)
    }
}

/// Where a customer's buckets are counted from.
struct Start {
    day: i32,
    at: i64,
    /// Instant that rolling buckets start at.
    origin: i64,
}

impl Start {
    fn of(terms: &Terms, lived: &Lived) -> Option<Self> {
        if terms.cohorts_from_contact {
            let (at, day) = lived.first_contact?;
            // An order may be older than the record of who placed it: it is in bucket 0.
            return Some(Self { day, at: i64::MIN, origin: at });
        }
        if lived.is_contractual {
            let day = lived.spans.first()?.start;
            let origin = i64::from(day) * DAY_US;
            // A purchase on the day access starts may be earlier than it by some hours.
            return Some(Self { day, at: origin - DAY_US, origin });
        }
        let Payment { at, day, .. } = *lived.payments.iter().find(|paid| paid.is_order)?;
        Some(Self { day, at, origin: at })
    }

    /// An instant that lies as many whole days after the origin as `day` after the first day.
    fn day_start(&self, day: i32) -> i64 {
        self.origin + i64::from(day - self.day) * DAY_US
    }

    fn rolling(&self, at: i64, days: i64) -> usize {
        usize::try_from((at - self.origin).div_euclid(days * DAY_US)).unwrap_or(0)
    }
}

/// One cell of a triangle.
struct Cell {
    grain: &'static str,
    cohort_day: i32,
    kind: &'static str,
    bucket: usize,
    size: i64,
    active: i64,
    /// In the bucket, and in bucket 0; only where a bucket stands for itself.
    revenue: Option<(i128, i128)>,
    /// The same of recurring revenue, where there are contracts.
    mrr: Option<(i128, i128)>,
    is_complete: bool,
}

fn calendar_cells(
    terms: &Terms,
    periods: &Periods,
    first: usize,
    cohort: &Cohort,
    cells: &mut Vec<Cell>,
) {
    let last = periods.of(terms.horizon_day).saturating_sub(first);
    let complete = |bucket: usize| periods.end(first + bucket) <= terms.horizon_day + 1;
    let kinds = ["bounded_calendar", "unbounded_calendar"];
    let at = (periods, periods.start(first));
    triangle(at, kinds, cohort, &cohort.calendar, (last, &complete), cells);
}

fn rolling_cells(
    terms: &Terms,
    periods: &Periods,
    first: usize,
    cohort: &Cohort,
    cells: &mut Vec<Cell>,
) {
    let length = periods.grain.rolling_days();
    let known_days = i64::from(terms.horizon_day + 1 - periods.start(first));
    let last = usize::try_from((known_days - 1) / length).unwrap_or(0);
    // Even who started in the cohort's last hour has lived through the bucket.
    let whole_days = i64::from(terms.horizon_day + 1 - periods.end(first));
    let complete = |bucket: usize| {
        i64::try_from(bucket + 1).is_ok_and(|buckets| buckets * length <= whole_days)
    };
    let kinds = ["bounded_rolling", "unbounded_rolling"];
    let at = (periods, periods.start(first));
    triangle(at, kinds, cohort, &cohort.rolling, (last, &complete), cells);
}

fn triangle(
    (periods, cohort_day): (&Periods, i32),
    kinds: [&'static str; 2],
    cohort: &Cohort,
    buckets: &Buckets,
    (last, complete): (usize, &dyn Fn(usize) -> bool),
    cells: &mut Vec<Cell>,
) {
    let at = |values: &[i128], bucket: usize| values.get(bucket).copied().unwrap_or(0);
    let revenue = |bucket: usize| (at(&buckets.revenue, bucket), at(&buckets.revenue, 0));
    let mrr = |bucket: usize| (at(&buckets.mrr, bucket), at(&buckets.mrr, 0));
    for (kind, is_bounded) in kinds.into_iter().zip([true, false]) {
        cells.extend((0..=last).map(|bucket| Cell {
            grain: periods.grain.name(),
            cohort_day,
            kind,
            bucket,
            size: cohort.size,
            active: buckets.count(bucket, is_bounded),
            revenue: is_bounded.then(|| revenue(bucket)),
            mrr: (is_bounded && cohort.contracts > 0).then(|| mrr(bucket)),
            is_complete: complete(bucket),
        }));
    }
}

fn columns(cells: &[Cell], terms: &Terms) -> Result<RecordBatch, FoldError> {
    let few = |cell: &Cell| cell.size < terms.min_cell;
    let shown = || cells.iter().map(|cell| (!few(cell)).then_some(cell));
    let interval = |cell: &Cell| {
        let part = u64::try_from(cell.active).unwrap_or(0);
        wilson(part, u64::try_from(cell.size).unwrap_or(0), terms.confidence)
    };
    let bucket = |cell: &Cell| i64::try_from(cell.bucket).ok();
    let kept = |of: Option<(i128, i128)>| money_share(of?.0, of?.1);
    batch(
        TABLE,
        vec![
            ("cohort_grain", texts(cells.iter().map(|cell| Some(cell.grain)))),
            ("cohort", days(cells.iter().map(|cell| cell.cohort_day))),
            ("kind", texts(cells.iter().map(|cell| Some(cell.kind)))),
            ("period_index", counts(cells.iter().map(bucket))),
            ("definition_id", texts(cells.iter().map(|_| Some("retention")))),
            ("definition_version", counts(cells.iter().map(|_| Some(1)))),
            ("is_complete", flags(cells.iter().map(|cell| cell.is_complete))),
            ("is_suppressed", flags(cells.iter().map(few))),
            ("cohort_size", counts(cells.iter().map(|cell| Some(cell.size)))),
            ("active", counts(shown().map(|cell| Some(cell?.active)))),
            ("retention", shares(shown().map(|cell| share(cell?.active, cell?.size)))),
            ("ci_low", shares(shown().map(|cell| Some(interval(cell?).low)))),
            ("ci_high", shares(shown().map(|cell| Some(interval(cell?).high)))),
            ("currency", texts(cells.iter().map(|_| Some(&terms.currency)))),
            ("revenue", money(TABLE, shown().map(|cell| Some(cell?.revenue?.0)))?),
            ("revenue_retention", shares(shown().map(|cell| kept(cell?.revenue)))),
            ("mrr", money(TABLE, shown().map(|cell| Some(cell?.mrr?.0)))?),
            ("mrr_retention", shares(shown().map(|cell| kept(cell?.mrr)))),
        ],
    )
}
