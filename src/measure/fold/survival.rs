//! Survival: how long customers stay until they churn for the first time, by cohort and segment.
//!
//! A life is counted in days from its first start to its first churn; who has not churned is
//! censored at the horizon. Curves are made for every cohort, and over all cohorts for every value
//! of every dimension; within each of these families a log-rank test says whether its groups
//! differ at all.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::calendar::Calendar;
use super::columns::{batch, counts, days, flags, shares, texts};
use super::dimensions::{Split, Who};
use super::membership::Lived;
use super::{FoldError, Terms};
use crate::measure::kernel::interval::Interval;
use crate::measure::kernel::kaplan_meier::{Curve, Observed, Quantile, Step, kaplan_meier};
use crate::measure::kernel::log_rank::{LogRank, log_rank};

/// Longest time that a restricted mean is taken over.
const RESTRICTED_DAYS: i64 = 365;
/// What stands for the day of a cohort where all cohorts are one.
const ALL_COHORTS_DAY: i32 = 0;

/// Lives by days and whether they ended.
pub(super) type Lives = BTreeMap<(i64, bool), u64>;

/// Adds the counts of another.
pub(super) fn add_counts<K: Ord + Copy>(mine: &mut BTreeMap<K, u64>, theirs: &BTreeMap<K, u64>) {
    for (key, count) in theirs {
        *mine.entry(*key).or_default() += count;
    }
}

/// Lives of any number of customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survival {
    split: Split<Lives>,
    /// By grain (its place in the calendar) and cohort.
    cohorts: BTreeMap<(usize, usize), Lives>,
}

impl Survival {
    pub fn add(&mut self, calendar: &Calendar, terms: &Terms, who: &Who<'_>, lived: &Lived) {
        let Some(span) = lived.spans.first() else { return };
        let length = i64::from(span.end.unwrap_or(terms.horizon_day) - span.start);
        let key = (length, span.end.is_some());
        let more = |lives: &mut Lives| *lives.entry(key).or_default() += 1;
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

    /// Rows of `survival_curves` and of `survival_summary`.
    ///
    /// # Errors
    /// Columns that do not fit each other.
    pub fn batches(
        &self,
        calendar: &Calendar,
        terms: &Terms,
    ) -> Result<(RecordBatch, RecordBatch), FoldError> {
        let groups = self.groups(calendar, terms);
        Ok((curves(&groups)?, summary(&groups, terms)?))
    }

    fn groups(&self, calendar: &Calendar, terms: &Terms) -> Vec<Group> {
        let mut groups = Vec::new();
        let mut family: Vec<Group> = Vec::new();
        for (dimension, value, lives) in self.split.iter() {
            if family.first().is_some_and(|first| first.dimension != dimension) {
                groups.append(&mut tested(std::mem::take(&mut family)));
            }
            let cohort = ("all", ALL_COHORTS_DAY);
            family.extend(Group::new(terms, cohort, (dimension, value), lives));
        }
        groups.append(&mut tested(family));
        for (grain, periods) in calendar.periods().iter().enumerate() {
            let cohorts = self.cohorts.range((grain, 0)..(grain + 1, 0));
            let of = |((_, first), lives): (&(usize, usize), &Lives)| {
                let cohort = (periods.grain.name(), periods.start(*first));
                Group::new(terms, cohort, ("all", "all"), lives)
            };
            groups.append(&mut tested(cohorts.filter_map(of).collect()));
        }
        groups
    }
}

/// Customers of one cohort or segment.
struct Group {
    cohort_grain: &'static str,
    cohort_day: i32,
    dimension: &'static str,
    value: String,
    lives: Vec<Observed>,
    curve: Curve,
    n: u64,
    is_suppressed: bool,
    test: Option<LogRank>,
}

impl Group {
    fn new(
        terms: &Terms,
        (cohort_grain, cohort_day): (&'static str, i32),
        (dimension, value): (&'static str, &str),
        lives: &Lives,
    ) -> Option<Self> {
        let observed = |((time, event), count): (&(i64, bool), &u64)| Observed {
            time: *time,
            event: *event,
            count: *count,
        };
        let lives: Vec<Observed> = lives.iter().map(observed).collect();
        let n: u64 = lives.iter().map(|life| life.count).sum();
        (n > 0).then(|| Self {
            cohort_grain,
            cohort_day,
            dimension,
            value: value.to_owned(),
            curve: kaplan_meier(&lives, terms.confidence),
            lives,
            n,
            is_suppressed: i64::try_from(n).is_ok_and(|n| n < terms.min_cell),
            test: None,
        })
    }

    fn segment(&self) -> String {
        match self.dimension {
            "all" => "all".to_owned(),
            dimension => format!("{dimension}={}", self.value),
        }
    }

    /// How far the curve is known, at most a year.
    fn restricted_until(&self) -> i64 {
        let known = self.curve.steps.last();
        let has_ended = known.is_some_and(|step| step.survival <= 0.0);
        let last = known.map_or(0, |step| step.time);
        if has_ended { RESTRICTED_DAYS } else { last.min(RESTRICTED_DAYS) }
    }
}

/// Groups of one family with the test between those large enough to be shown.
fn tested(mut family: Vec<Group>) -> Vec<Group> {
    let shown = family.iter().filter(|group| !group.is_suppressed);
    let lives: Vec<&[Observed]> = shown.map(|group| group.lives.as_slice()).collect();
    let test = log_rank(&lives);
    for group in family.iter_mut().filter(|group| !group.is_suppressed) {
        group.test = test;
    }
    family
}

fn curves(groups: &[Group]) -> Result<RecordBatch, FoldError> {
    let shown = groups.iter().filter(|group| !group.is_suppressed);
    let rows: Vec<(&Group, &Step)> =
        shown.flat_map(|group| group.curve.steps.iter().map(move |step| (group, step))).collect();
    let count =
        |of: fn(&Step) -> u64| counts(rows.iter().map(|(_, step)| i64::try_from(of(step)).ok()));
    let limit =
        |of: fn(Interval) -> f64| shares(rows.iter().map(|(_, step)| step.interval.map(of)));
    batch(
        "survival_curves",
        vec![
            ("cohort_grain", texts(rows.iter().map(|(group, _)| Some(group.cohort_grain)))),
            ("cohort", days(rows.iter().map(|(group, _)| group.cohort_day))),
            ("segment", texts(rows.iter().map(|(group, _)| Some(group.segment())))),
            ("t", counts(rows.iter().map(|(_, step)| Some(step.time)))),
            ("definition_id", texts(rows.iter().map(|_| Some("survival")))),
            ("definition_version", counts(rows.iter().map(|_| Some(1)))),
            ("dimension", texts(rows.iter().map(|(group, _)| Some(group.dimension)))),
            ("dimension_value", texts(rows.iter().map(|(group, _)| Some(&group.value)))),
            ("at_risk", count(|step| step.at_risk)),
            ("events", count(|step| step.events)),
            ("censored", count(|step| step.censored)),
            ("survival", shares(rows.iter().map(|(_, step)| Some(step.survival)))),
            ("ci_low", limit(|interval| interval.low)),
            ("ci_high", limit(|interval| interval.high)),
        ],
    )
}

fn summary(groups: &[Group], terms: &Terms) -> Result<RecordBatch, FoldError> {
    let shown = || groups.iter().map(|group| (!group.is_suppressed).then_some(group));
    let median =
        |of: fn(Quantile) -> Option<i64>| counts(shown().map(|group| of(group?.curve.median())));
    let events = |group: &Group| {
        let events: u64 = group.curve.steps.iter().map(|step| step.events).sum();
        i64::try_from(events).ok()
    };
    let mean = |group: &Group| group.curve.restricted_mean(group.restricted_until());
    let around = |group: &Group| {
        group.curve.restricted_mean_interval(group.restricted_until(), terms.confidence)
    };
    let test = |of: fn(LogRank) -> f64| shares(shown().map(|group| group?.test.map(of)));
    let freedom = |group: &Group| group.test.and_then(|test| i64::try_from(test.freedom).ok());
    batch(
        "survival_summary",
        vec![
            ("cohort_grain", texts(groups.iter().map(|group| Some(group.cohort_grain)))),
            ("cohort", days(groups.iter().map(|group| group.cohort_day))),
            ("segment", texts(groups.iter().map(|group| Some(group.segment())))),
            ("definition_id", texts(groups.iter().map(|_| Some("survival")))),
            ("definition_version", counts(groups.iter().map(|_| Some(1)))),
            ("dimension", texts(groups.iter().map(|group| Some(group.dimension)))),
            ("dimension_value", texts(groups.iter().map(|group| Some(&group.value)))),
            ("is_suppressed", flags(groups.iter().map(|group| group.is_suppressed))),
            ("n", counts(groups.iter().map(|group| i64::try_from(group.n).ok()))),
            ("events", counts(shown().map(|group| events(group?)))),
            ("median_days", median(|median| median.time)),
            ("median_low", median(|median| median.low)),
            ("median_high", median(|median| median.high)),
            ("rmst_until", counts(shown().map(|group| Some(group?.restricted_until())))),
            ("rmst_days", shares(shown().map(|group| Some(mean(group?))))),
            ("rmst_low", shares(shown().map(|group| Some(around(group?).low)))),
            ("rmst_high", shares(shown().map(|group| Some(around(group?).high)))),
            ("logrank_statistic", test(|test| test.statistic)),
            ("logrank_freedom", counts(shown().map(|group| freedom(group?)))),
            ("logrank_p_value", test(|test| test.p_value)),
        ],
    )
}
