//! Contracts by renewals: what the sBG model is fitted to, and what each customer has in force.
//!
//! A renewal is a month of paid access: a contract of k months has left at renewal k, whatever its
//! billing interval. Those who still pay have renewed as often as whole months have passed.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::calendar::Calendar;
use super::columns::{batch, counts, days, flags, maybe_days, money, shares, texts};
use super::dimensions::{Split, Who};
use super::membership::{Lived, Span};
use super::survival::add_counts;
use super::{FoldError, Terms};
use crate::measure::kernel::kaplan_meier::{Curve, Observed, kaplan_meier};
use crate::measure::kernel::optimise::Fit;
use crate::measure::kernel::sbg::{Renewed, Sbg};

/// Mean length of a month.
pub const MONTH_DAYS: f64 = 30.4375;
/// Contracts that left below which a group is told by the fit over all.
const LEAVERS_MIN: u64 = 30;
/// Renewals shown beyond those that anybody has lived to.
const AHEAD: u32 = 24;
const ALL_COHORTS_DAY: i32 = 0;

type Counts = BTreeMap<Renewed, u64>;

/// Renewals of a span of paid access, as far as the horizon knows.
pub fn renewed(span: &Span, horizon_day: i32) -> Renewed {
    let months = |day: i32| f64::from(day.saturating_sub(span.start).max(0)) / MONTH_DAYS;
    let left = span.silent_since.filter(|_| span.end.is_some());
    match left {
        Some(since) => Renewed { renewal: (months(since).round() as u32).max(1), has_left: true },
        None => Renewed { renewal: months(horizon_day) as u32, has_left: false },
    }
}

/// Renewals of any number of customers, counted over their first time as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewals {
    split: Split<Counts>,
    /// By grain (its place in the calendar) and cohort.
    cohorts: BTreeMap<(usize, usize), Counts>,
}

impl Renewals {
    pub fn add(&mut self, calendar: &Calendar, terms: &Terms, who: &Who<'_>, lived: &Lived) {
        let Some(span) = lived.spans.first().filter(|_| lived.is_contractual) else { return };
        let key = renewed(span, terms.horizon_day);
        let more = |counts: &mut Counts| *counts.entry(key).or_default() += 1;
        self.split.each(who, more);
        for (grain, periods) in calendar.periods().iter().enumerate() {
            more(self.cohorts.entry((grain, periods.of(span.start))).or_default());
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.split.merge(other.split, |mine, theirs| add_counts(mine, &theirs));
        for (key, theirs) in &other.cohorts {
            add_counts(self.cohorts.entry(*key).or_default(), theirs);
        }
    }

    /// Rows of `retention_projection`; `monthly_rate` discounts residual lifetimes.
    ///
    /// # Errors
    /// Columns that do not fit each other.
    pub fn batch(
        &self,
        calendar: &Calendar,
        terms: &Terms,
        monthly_rate: f64,
    ) -> Result<RecordBatch, FoldError> {
        let mut groups: Vec<Group> = Vec::new();
        for (dimension, value, counts) in self.split.iter() {
            let segment = match dimension {
                "all" => "all".to_owned(),
                _ => format!("{dimension}={value}"),
            };
            groups.extend(Group::new(terms, ("all", ALL_COHORTS_DAY), segment, counts));
        }
        for (grain, periods) in calendar.periods().iter().enumerate() {
            for ((_, first), counts) in self.cohorts.range((grain, 0)..(grain + 1, 0)) {
                let cohort = (periods.grain.name(), periods.start(*first));
                groups.extend(Group::new(terms, cohort, "all".to_owned(), counts));
            }
        }
        let all = groups.first().and_then(Group::own);
        let rows: Vec<Row<'_>> =
            groups.iter().flat_map(|group| group.rows(all, monthly_rate)).collect();
        columns(&rows, terms)
    }
}

/// Contracts of one cohort or segment.
struct Group {
    cohort_grain: &'static str,
    cohort_day: i32,
    segment: String,
    n: u64,
    leavers: u64,
    curve: Curve,
    longest: u32,
    fit: Option<Fit<2>>,
}

impl Group {
    fn new(
        terms: &Terms,
        (cohort_grain, cohort_day): (&'static str, i32),
        segment: String,
        counts: &Counts,
    ) -> Option<Self> {
        let n: u64 = counts.values().sum();
        if n == 0 {
            return None;
        }
        let left = |(key, count): (&Renewed, &u64)| key.has_left.then_some(*count);
        let leavers = counts.iter().filter_map(left).sum();
        let observed: Vec<Observed> = counts
            .iter()
            .map(|(key, count)| Observed {
                time: i64::from(key.renewal),
                event: key.has_left,
                count: *count,
            })
            .collect();
        Some(Self {
            cohort_grain,
            cohort_day,
            segment,
            n,
            leavers,
            curve: kaplan_meier(&observed, terms.confidence),
            longest: counts.keys().map(|key| key.renewal).max().unwrap_or(0),
            fit: if leavers < LEAVERS_MIN { None } else { Sbg::fit(counts) },
        })
    }

    /// The group's own model, of a fit that can be used.
    fn own(&self) -> Option<Sbg> {
        let fit = self.fit.as_ref().filter(|fit| fit.is_converged)?;
        Some(Sbg::from(fit.parameters))
    }

    fn status(&self, all: Option<Sbg>) -> &'static str {
        match (&self.fit, self.own(), all) {
            (_, Some(_), _) => "fitted",
            (_, None, Some(_)) => "pooled",
            (None, None, None) => "too_few",
            (Some(_), None, None) => "not_converged",
        }
    }

    fn rows(&self, all: Option<Sbg>, rate: f64) -> impl Iterator<Item = Row<'_>> {
        let model = self.own().or(all);
        let status = self.status(all);
        (0..=self.longest.saturating_add(AHEAD)).map(move |period| Row {
            group: self,
            period,
            status,
            model,
            rate,
        })
    }
}

struct Row<'a> {
    group: &'a Group,
    period: u32,
    status: &'static str,
    model: Option<Sbg>,
    rate: f64,
}

impl Row<'_> {
    fn observed(&self) -> Option<f64> {
        let is_known = self.period <= self.group.longest;
        is_known.then(|| self.group.curve.at(i64::from(self.period)))
    }

    /// Of the period before, those who renewed.
    fn retention(&self) -> Option<f64> {
        self.model.filter(|_| self.period > 0).map(|model| model.retention(self.period))
    }
}

fn columns(rows: &[Row<'_>], terms: &Terms) -> Result<RecordBatch, FoldError> {
    let few = |row: &Row<'_>| i64::try_from(row.group.n).is_ok_and(|n| n < terms.min_cell);
    let shown = || rows.iter().map(|row| (!few(row)).then_some(row));
    let number = |of: &dyn Fn(&Row<'_>) -> Option<f64>| {
        shares(shown().map(|row| of(row?).filter(|value| value.is_finite())))
    };
    let fit = |of: fn(&Fit<2>) -> f64| {
        number(&|row| row.group.fit.as_ref().filter(|_| row.status == "fitted").map(of))
    };
    let whole = |n: u64| i64::try_from(n).ok();
    batch(
        "retention_projection",
        vec![
            ("cohort_grain", texts(rows.iter().map(|row| Some(row.group.cohort_grain)))),
            ("cohort", days(rows.iter().map(|row| row.group.cohort_day))),
            ("segment", texts(rows.iter().map(|row| Some(&row.group.segment)))),
            ("period_index", counts(rows.iter().map(|row| Some(i64::from(row.period))))),
            ("definition_id", texts(rows.iter().map(|_| Some("sbg")))),
            ("definition_version", counts(rows.iter().map(|_| Some(1)))),
            ("is_suppressed", flags(rows.iter().map(few))),
            ("n", counts(rows.iter().map(|row| whole(row.group.n)))),
            ("churned", counts(shown().map(|row| whole(row?.group.leavers)))),
            ("status", texts(rows.iter().map(|row| Some(row.status)))),
            ("observed_survival", number(&|row| row.observed())),
            ("survival", number(&|row| Some(row.model?.survival(row.period)))),
            ("retention", number(&|row| row.retention())),
            ("derl", number(&|row| Some(row.model?.residual_lifetime(row.period, row.rate)))),
            ("alpha", number(&|row| Some(row.model?.alpha))),
            ("beta", number(&|row| Some(row.model?.beta))),
            ("log_likelihood", fit(|fit| fit.log_likelihood)),
            ("gradient_norm", fit(|fit| fit.gradient_norm)),
            ("condition_number", fit(|fit| fit.condition_number)),
        ],
    )
}

/// What one customer has, or had, under contract.
#[derive(Debug)]
struct Contract {
    customer: String,
    channel: Option<Box<str>>,
    country: Option<Box<str>>,
    started: i32,
    ended: Option<i32>,
    /// Of the access in force, or of the last one.
    renewed: Renewed,
    mrr: i128,
}

/// Rows of `customer_contracts`.
#[derive(Debug, Default)]
pub struct Contracts(Vec<Contract>);

impl Contracts {
    pub fn add(&mut self, terms: &Terms, (id, who): (&str, &Who<'_>), lived: &Lived) {
        let (Some(first), Some(last)) = (lived.spans.first(), lived.spans.last()) else { return };
        if !lived.is_contractual {
            return;
        }
        self.0.push(Contract {
            customer: id.to_owned(),
            channel: who.acquisition_channel.map(Box::from),
            country: who.country.map(Box::from),
            started: first.start,
            ended: last.end,
            renewed: renewed(last, terms.horizon_day),
            mrr: lived.mrr_at(terms.horizon_day),
        });
    }

    /// # Errors
    /// A sum too large for money.
    pub fn batch(&self) -> Result<RecordBatch, FoldError> {
        const TABLE: &str = "customer_contracts";
        let rows = &self.0;
        let first = |row: &Contract| (row.renewed.renewal, row.renewed.has_left);
        batch(
            TABLE,
            vec![
                ("customer_id", texts(rows.iter().map(|row| Some(&row.customer)))),
                ("started_on", days(rows.iter().map(|row| row.started))),
                ("ended_on", maybe_days(rows.iter().map(|row| row.ended))),
                ("n_renewals", counts(rows.iter().map(|row| Some(i64::from(first(row).0))))),
                ("is_active", flags(rows.iter().map(|row| !first(row).1))),
                ("mrr", money(TABLE, rows.iter().map(|row| Some(row.mrr)))?),
                ("acquisition_channel", texts(rows.iter().map(|row| row.channel.as_deref()))),
                ("country", texts(rows.iter().map(|row| row.country.as_deref()))),
            ],
        )
    }
}
