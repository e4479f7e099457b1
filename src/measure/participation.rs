//! Who takes part in surveys: invited, delivered, opened, answered; how often people are asked, and
//! whether a promised reward lifts the answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};

use super::fold::calendar::{Calendar, Grain};
use super::kernel::interval::{Interval, wilson};
use super::kernel::quantile::quantile;
use super::kernel::sample::Sample;
use super::kernel::special::{normal_p_value, two_sided_z};
use crate::table::day::{date, day_number};

/// Days that fatigue is told for.
const FATIGUE_DAYS: i64 = 90;
const DAY_US: i64 = 86_400_000_000;
const HOUR_US: f64 = 3_600e6;

/// What can be wrong with the rows that participation is computed from.
#[derive(Debug, thiserror::Error)]
pub enum ParticipationError {
    #[error("`{table}` has no usable column `{column}`")]
    Column { table: &'static str, column: &'static str },
    #[error("rows of `survey_participation` cannot be built")]
    Rows(#[source] arrow::error::ArrowError),
}

/// What participation reads of its job and run.
#[derive(Debug, Clone)]
pub struct Terms {
    pub confidence: f64,
    pub min_cell: u64,
    pub periods: Vec<Grain>,
    pub zone: chrono_tz::Tz,
    pub horizon_day: i32,
}

/// A person was asked, or answered unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub source: String,
    pub survey: String,
    pub customer_id: Option<String>,
    pub is_invited: bool,
    /// Microseconds UTC: when it was sent, else answered.
    pub at: i64,
    pub is_delivered: bool,
    pub is_opened: bool,
    pub answered_at: Option<i64>,
    pub is_answered: bool,
    pub is_complete: bool,
    pub is_incentivised: bool,
}

/// Equal answers of one survey and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub source: String,
    pub survey: String,
    /// Metric and scale: answers are compared within it.
    pub kind: (String, i64, i64),
    pub day: i32,
    pub is_incentivised: bool,
    /// In ten-thousandths, more is better.
    pub score: i64,
    pub count: u64,
}

/// Source, survey, period.
type Key = (String, String, Grain, i32);

/// One row of `survey_participation`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Participation {
    pub n_invitations: u64,
    pub n_delivered: u64,
    pub n_opened: u64,
    /// Of invited people.
    pub n_answered: u64,
    /// Invited or not.
    pub n_responses: u64,
    pub n_completed: u64,
    pub n_incentivised: u64,
    pub n_customers: u64,
    pub median_hours: Option<f64>,
    pub fatigue_mean: Option<f64>,
    pub fatigue_max: Option<u64>,
    pub bias: Option<Bias>,
}

/// How much higher rewarded answers are, on a scale of 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bias {
    pub difference: f64,
    pub interval: Interval,
    pub p_value: f64,
}

/// Counts of one row while contacts go by.
#[derive(Debug, Default)]
struct Tally {
    row: Participation,
    /// Microseconds from question to answer.
    waits: Vec<i64>,
    customer: Option<String>,
    fatigue: u64,
    known: u64,
}

/// Contacts counted as they come: customer by customer, each customer's in order of time.
#[derive(Debug)]
pub struct Participations {
    calendar: Calendar,
    tallies: BTreeMap<Key, Tally>,
    customer: Option<String>,
    /// When the customer at hand was asked during the last days.
    recent: VecDeque<i64>,
    /// Contacts of one customer and instant: each counts the others.
    waiting: Vec<Contact>,
}

impl Participations {
    pub fn new(terms: &Terms) -> Self {
        let calendar = Calendar::new(terms.zone, terms.horizon_day, &terms.periods);
        Self {
            calendar,
            tallies: BTreeMap::new(),
            customer: None,
            recent: VecDeque::new(),
            waiting: Vec::new(),
        }
    }

    pub fn push(&mut self, contact: Contact) {
        let same =
            |other: &Contact| (&other.customer_id, other.at) == (&contact.customer_id, contact.at);
        if !self.waiting.last().is_some_and(same) {
            self.flush();
        }
        self.waiting.push(contact);
    }

    fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for contact in &waiting {
            self.ask(contact);
        }
        for contact in &waiting {
            self.count(contact);
        }
    }

    fn count(&mut self, contact: &Contact) {
        let is_known = contact.customer_id.is_some() && contact.is_invited;
        let asked = is_known.then_some(self.recent.len() as u64);
        let day = self.calendar.day(contact.at);
        for periods in self.calendar.periods() {
            let start = periods.start(periods.of(day));
            let key = (contact.source.clone(), contact.survey.clone(), periods.grain, start);
            let tally = self.tallies.entry(key).or_default();
            tally.add(contact, asked);
        }
    }

    /// Keeps when the customer was asked in the days up to now, this time among them.
    fn ask(&mut self, contact: &Contact) {
        let Some(customer) = contact.customer_id.as_ref().filter(|_| contact.is_invited) else {
            return;
        };
        if self.customer.as_ref() != Some(customer) {
            self.customer = Some(customer.clone());
            self.recent.clear();
        }
        self.recent.push_back(contact.at);
        while self.recent.front().is_some_and(|at| *at <= contact.at - FATIGUE_DAYS * DAY_US) {
            self.recent.pop_front();
        }
    }

    /// All rows, in order of their grain.
    pub fn rows(mut self, answers: &[Answer], terms: &Terms) -> Vec<(Key, Participation)> {
        self.flush();
        let mut biases = biases(answers, terms);
        let row = |(key, mut tally): (Key, Tally)| {
            let bias = biases.remove(&key);
            tally.waits.sort_unstable();
            let median = quantile(&tally.waits, 0.5).map(|median| median / HOUR_US);
            let mean = (tally.known > 0).then(|| tally.fatigue as f64 / tally.known as f64);
            (key, Participation { median_hours: median, fatigue_mean: mean, bias, ..tally.row })
        };
        self.tallies.into_iter().map(row).collect()
    }
}

impl Tally {
    fn add(&mut self, contact: &Contact, asked: Option<u64>) {
        let row = &mut self.row;
        let one = u64::from;
        if contact.is_invited {
            row.n_invitations += 1;
            row.n_delivered += one(contact.is_delivered);
            row.n_opened += one(contact.is_opened);
            row.n_answered += one(contact.is_answered);
            if let Some(at) = contact.answered_at.filter(|at| *at >= contact.at) {
                self.waits.push(at - contact.at);
            }
        }
        row.n_responses += one(contact.is_answered);
        row.n_completed += one(contact.is_complete);
        row.n_incentivised += one(contact.is_answered && contact.is_incentivised);
        if let Some(asked) = asked {
            self.known += 1;
            self.fatigue += asked;
            row.fatigue_max = row.fatigue_max.max(Some(asked));
        }
        if contact.is_invited && self.customer != contact.customer_id {
            // Contacts come customer by customer.
            self.customer.clone_from(&contact.customer_id);
            row.n_customers += one(self.customer.is_some());
        }
    }
}

/// Answers of one period by survey, rewarded or not.
type Sides = BTreeMap<(String, bool), BTreeMap<i64, u64>>;

/// Bias of each survey with rewarded answers: against the answers that were not rewarded, of the
/// same source, period, metric and scale. Of several metrics the mean, by rewarded answers.
fn biases(answers: &[Answer], terms: &Terms) -> BTreeMap<Key, Bias> {
    let mut groups: BTreeMap<(String, Grain, i32), BTreeMap<(String, i64, i64), Sides>> =
        BTreeMap::new();
    for answer in answers {
        for grain in &terms.periods {
            let start = day_number(grain.start(date(answer.day)));
            let kinds = groups.entry((answer.source.clone(), *grain, start)).or_default();
            let sides = kinds.entry(answer.kind.clone()).or_default();
            let side = sides.entry((answer.survey.clone(), answer.is_incentivised)).or_default();
            *side.entry(answer.score).or_default() += answer.count;
        }
    }
    let mut found = BTreeMap::new();
    for ((source, grain, start), kinds) in groups {
        let surveys: BTreeSet<&String> = kinds
            .values()
            .flat_map(BTreeMap::keys)
            .filter_map(|(survey, rewarded)| rewarded.then_some(survey))
            .collect();
        for survey in surveys {
            if let Some(bias) = bias(&kinds, survey, terms) {
                found.insert((source.clone(), survey.clone(), grain, start), bias);
            }
        }
    }
    found
}

fn bias(kinds: &BTreeMap<(String, i64, i64), Sides>, survey: &str, terms: &Terms) -> Option<Bias> {
    let (mut weight, mut sum, mut variance) = (0.0, 0.0, 0.0);
    for ((_, min, max), sides) in kinds {
        let norm = |counts: &BTreeMap<i64, u64>| {
            let points = counts.iter();
            Sample::of(points.map(|(score, n)| ((score - min) as f64 / (max - min) as f64, *n)))
        };
        let rewarded = sides.get(&(survey.to_owned(), true)).and_then(&norm);
        let mut others: BTreeMap<i64, u64> = BTreeMap::new();
        for (score, n) in sides.iter().filter(|((_, is), _)| !is).flat_map(|(_, counts)| counts) {
            *others.entry(*score).or_default() += n;
        }
        let enough = terms.min_cell.max(2);
        let pair = rewarded.zip(norm(&others));
        let Some((one, other)) = pair.filter(|(a, b)| a.n >= enough && b.n >= enough) else {
            continue;
        };
        let n = one.n as f64;
        weight += n;
        sum += n * (one.mean - other.mean);
        variance += n * n * (one.mean_variance() + other.mean_variance());
    }
    let (difference, error) = (sum / weight, variance.sqrt() / weight);
    if weight <= 0.0 || error <= 0.0 {
        return None;
    }
    let half = two_sided_z(terms.confidence) * error;
    let interval = Interval::new(difference - half, difference + half);
    Some(Bias { difference, interval, p_value: normal_p_value(difference / error) })
}

const CONTACTS: &str = "survey_contacts";
const ANSWERS: &str = "incentive_answers";

fn column<'a, T>(
    batch: &'a RecordBatch,
    table: &'static str,
    column: &'static str,
    of: impl Fn(&'a ArrayRef) -> Option<&'a T>,
) -> Result<&'a T, ParticipationError> {
    let found = batch.column_by_name(column).and_then(of);
    found.ok_or(ParticipationError::Column { table, column })
}

/// Contacts of a batch of `survey_contacts`.
///
/// # Errors
/// A column that is missing or of another type.
pub fn contacts(batch: &RecordBatch) -> Result<Vec<Contact>, ParticipationError> {
    let text = |name| column(batch, CONTACTS, name, |array| array.as_string_opt::<i32>());
    let flag = |name| column(batch, CONTACTS, name, |array| array.as_boolean_opt());
    let time =
        |name| column(batch, CONTACTS, name, |a| a.as_primitive_opt::<TimestampMicrosecondType>());
    let (source, survey, customer) = (text("source")?, text("survey")?, text("customer_id")?);
    let (at, answered_at) = (time("contacted_at")?, time("answered_at")?);
    let (invited, delivered) = (flag("is_invited")?, flag("is_delivered")?);
    let (opened, answered) = (flag("is_opened")?, flag("is_answered")?);
    let (complete, rewarded) = (flag("is_complete")?, flag("is_incentivised")?);
    let contact = |i: usize| {
        let is = |array: &arrow::array::BooleanArray| array.is_valid(i) && array.value(i);
        Contact {
            source: source.value(i).to_owned(),
            survey: survey.value(i).to_owned(),
            customer_id: customer.is_valid(i).then(|| customer.value(i).to_owned()),
            is_invited: is(invited),
            at: at.value(i),
            is_delivered: is(delivered),
            is_opened: is(opened),
            answered_at: answered_at.is_valid(i).then(|| answered_at.value(i)),
            is_answered: is(answered),
            is_complete: is(complete),
            is_incentivised: is(rewarded),
        }
    };
    Ok((0..batch.num_rows()).map(contact).collect())
}

/// Answers of a batch of `incentive_answers`.
///
/// # Errors
/// A column that is missing or of another type.
pub fn answers(batch: &RecordBatch) -> Result<Vec<Answer>, ParticipationError> {
    let text = |name| column(batch, ANSWERS, name, |array| array.as_string_opt::<i32>());
    let money =
        |name| column(batch, ANSWERS, name, |array| array.as_primitive_opt::<Decimal128Type>());
    let (source, survey, metric) = (text("source")?, text("survey")?, text("metric")?);
    let (min, max, score) = (money("scale_min")?, money("scale_max")?, money("score")?);
    let days = column(batch, ANSWERS, "answered_date", |a| a.as_primitive_opt::<Date32Type>())?;
    let rewarded = column(batch, ANSWERS, "is_incentivised", |array| array.as_boolean_opt())?;
    let counts = column(batch, ANSWERS, "n", |array| array.as_primitive_opt::<Int64Type>())?;
    let whole = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
    let answer = |i: usize| Answer {
        source: source.value(i).to_owned(),
        survey: survey.value(i).to_owned(),
        kind: (metric.value(i).to_owned(), whole(min.value(i)), whole(max.value(i))),
        day: days.value(i),
        is_incentivised: rewarded.is_valid(i) && rewarded.value(i),
        score: whole(score.value(i)),
        count: u64::try_from(counts.value(i)).unwrap_or(0),
    };
    let rows = (0..batch.num_rows()).map(answer);
    Ok(rows.filter(|answer| answer.kind.1 < answer.kind.2).collect())
}

/// Rows of `survey_participation`; a row with few invitations and answers shows nothing but how
/// many they were.
///
/// # Errors
/// The columns do not fit each other.
pub fn batch(
    rows: &[(Key, Participation)],
    terms: &Terms,
) -> Result<RecordBatch, ParticipationError> {
    let size = |row: &Participation| row.n_invitations.max(row.n_responses);
    let is_small = |row: &Participation| size(row) < terms.min_cell;
    let text = |of: &dyn Fn(&Key) -> &str| -> ArrayRef {
        Arc::new(rows.iter().map(|(key, _)| Some(of(key))).collect::<StringArray>())
    };
    let shown = |of: &dyn Fn(&Participation) -> Option<u64>| -> ArrayRef {
        let value = |(_, row): &(Key, Participation)| {
            let value = of(row).filter(|_| !is_small(row))?;
            Some(i64::try_from(value).unwrap_or(i64::MAX))
        };
        Arc::new(rows.iter().map(value).collect::<Int64Array>())
    };
    let float = |of: &dyn Fn(&Participation) -> Option<f64>| -> ArrayRef {
        let value = |(_, row): &(Key, Participation)| of(row).filter(|_| !is_small(row));
        Arc::new(rows.iter().map(value).collect::<Float64Array>())
    };
    let invited = |row: &Participation, n: u64| (row.n_invitations > 0).then_some(n);
    let share = |k: u64, n: u64| (n > 0).then(|| k as f64 / n as f64);
    let limits = |k: u64, n: u64| (n > 0).then(|| wilson(k, n, terms.confidence));
    let starts: Date32Array = rows.iter().map(|((.., start), _)| Some(*start)).collect();
    let n: Int64Array = rows.iter().map(|(_, row)| i64::try_from(size(row)).ok()).collect();
    let one: Int64Array = rows.iter().map(|_| Some(1)).collect();
    let hidden: arrow::array::BooleanArray =
        rows.iter().map(|(_, row)| Some(is_small(row))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("source", text(&|(source, ..)| source)),
        ("survey", text(&|(_, survey, ..)| survey)),
        ("definition_id", text(&|_| "survey_participation")),
        ("definition_version", Arc::new(one)),
        ("period_grain", text(&|(_, _, grain, _)| grain.name())),
        ("period_start", Arc::new(starts)),
        ("n", Arc::new(n)),
        ("n_invitations", shown(&|row| invited(row, row.n_invitations))),
        ("n_delivered", shown(&|row| invited(row, row.n_delivered))),
        ("n_opened", shown(&|row| invited(row, row.n_opened))),
        ("n_answered", shown(&|row| invited(row, row.n_answered))),
        ("n_responses", shown(&|row| Some(row.n_responses))),
        ("n_completed", shown(&|row| Some(row.n_completed))),
        ("delivery_rate", float(&|row| share(row.n_delivered, row.n_invitations))),
        ("open_rate", float(&|row| share(row.n_opened, row.n_delivered))),
        ("response_rate", float(&|row| share(row.n_answered, row.n_invitations))),
        ("response_low", float(&|row| Some(limits(row.n_answered, row.n_invitations)?.low))),
        ("response_high", float(&|row| Some(limits(row.n_answered, row.n_invitations)?.high))),
        ("completion_rate", float(&|row| share(row.n_completed, row.n_responses))),
        ("median_hours_to_answer", float(&|row| row.median_hours)),
        ("n_customers", shown(&|row| invited(row, row.n_customers))),
        ("contacts_90_days", float(&|row| row.fatigue_mean)),
        ("contacts_90_days_most", shown(&|row| row.fatigue_max)),
        ("n_incentivised", shown(&|row| Some(row.n_incentivised))),
        ("incentivised_share", float(&|row| share(row.n_incentivised, row.n_responses))),
        ("incentive_bias", float(&|row| Some(row.bias?.difference))),
        ("incentive_bias_low", float(&|row| Some(row.bias?.interval.low))),
        ("incentive_bias_high", float(&|row| Some(row.bias?.interval.high))),
        ("incentive_p_value", float(&|row| Some(row.bias?.p_value))),
        ("is_suppressed", Arc::new(hidden)),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(ParticipationError::Rows)
}
