//! Folds: state machines over one customer's life, many of them in one pass over a bucket.
//!
//! The timeline lies in 64 buckets by customer, sorted by (customer, time, event). A pass walks the
//! rows of one bucket once and feeds every fold; buckets may be walked in any order and on any
//! thread, because what a fold gives for one bucket is either rows of single customers or counts
//! and decimals that add up the same in any order. No fold holds a float.
//!
//! Every run folds from birth. Checkpoints of states at month ends are not written yet: states
//! hold only integers, decimals, text and times, so that they can be.

pub mod calendar;
pub mod churn;
pub mod churn_customers;
pub mod cohorts;
mod columns;
pub mod contracts;
pub mod dimensions;
pub mod drop_offs;
pub mod event;
pub mod features;
pub mod feedback;
pub mod funnel_tables;
pub mod funnels;
pub mod mark;
pub mod membership;
pub mod path_tables;
pub mod paths;
pub mod purchases;
pub mod retention;
pub mod sessions;
pub mod stage_metrics;
pub mod stages;
pub mod survival;

use std::cmp::Ordering;

pub use self::calendar::{Calendar, Grain};
use self::event::Columns;
pub use self::event::{Event, Kind};
pub use self::mark::{Mark, Marks};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::concat;

/// What can be wrong with the rows that are folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error("{table} has no usable column `{column}`")]
    Column { table: &'static str, column: &'static str },
    #[error("event `{kind}` of the timeline is of no known kind")]
    Kind { kind: String },
    #[error("the timeline is not sorted by customer and time at customer `{customer}`")]
    Unsorted { customer: String },
    #[error("rule `{rule}` names the stage `{stage}`, which is not in the job's `stages.order`")]
    Stage { rule: String, stage: String },
    #[error("rows of `{table}` cannot be built")]
    Rows {
        table: &'static str,
        #[source]
        source: arrow::error::ArrowError,
    },
}

/// What the folds of a run read of its job and its day.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Last day that counts, as days since 1970-01-01 in the job's zone.
    pub horizon_day: i32,
    /// Last day that purchase models are fitted to; at most `horizon_day`.
    pub fit_day: i32,
    /// Last day that the backtest fits to; what follows is held out. At most `fit_day`.
    pub backtest_day: i32,
    /// ISO 4217 of the job; money in other currencies counts at the rate of its day.
    pub currency: String,
    /// Silence after which a customer without a subscription has churned.
    pub inactive_days: i32,
    /// Days after the end of paid access before a subscription has churned.
    pub grace_days: i32,
    /// Cohorts are of the first record of a person, not of their first purchase.
    pub cohorts_from_contact: bool,
    /// Cells of fewer customers show no rates.
    pub min_cell: i64,
    /// Of intervals.
    pub confidence: f64,
    /// A stage entered counts as a conversion of the one before when it follows within these days.
    pub conversion_days: i32,
}

/// Who a life belongs to, with what is known of them from outside the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Customer<'a> {
    pub id: &'a str,
    pub country: Option<&'a str>,
}

/// One family of numbers.
pub trait Fold {
    /// Of one customer, while their life is walked.
    type State;
    /// What comes out for all customers of a bucket.
    type Rows: Default + Send;

    fn init(&self) -> Self::State;

    /// Takes the next event; they come in time order.
    fn step(&self, state: &mut Self::State, event: &Event<'_>);

    /// Takes a stage rule that fired, after all events of the same time.
    fn mark(&self, _state: &mut Self::State, _mark: &Mark<'_>) {}

    /// The life is over, as far as the horizon knows.
    fn emit(&self, state: Self::State, customer: Customer<'_>, rows: &mut Self::Rows);
}

/// Two folds are a fold, so any number of them share a pass.
impl<A: Fold, B: Fold> Fold for (A, B) {
    type State = (A::State, B::State);
    type Rows = (A::Rows, B::Rows);

    fn init(&self) -> Self::State {
        (self.0.init(), self.1.init())
    }

    fn step(&self, state: &mut Self::State, event: &Event<'_>) {
        self.0.step(&mut state.0, event);
        self.1.step(&mut state.1, event);
    }

    fn mark(&self, state: &mut Self::State, mark: &Mark<'_>) {
        self.0.mark(&mut state.0, mark);
        self.1.mark(&mut state.1, mark);
    }

    fn emit(&self, state: Self::State, customer: Customer<'_>, rows: &mut Self::Rows) {
        self.0.emit(state.0, customer, &mut rows.0);
        self.1.emit(state.1, customer, &mut rows.1);
    }
}

/// Countries of customers, by id.
#[derive(Debug, Clone, Default)]
pub struct Attributes(Option<(StringArray, StringArray)>);

impl Attributes {
    /// Customers that are known.
    pub fn people(&self) -> usize {
        self.0.as_ref().map_or(0, |(ids, _)| ids.len())
    }

    /// Rows (`customer_id`, `country`) sorted by `customer_id`.
    ///
    /// # Errors
    /// A column is missing.
    pub fn new(batches: &[RecordBatch]) -> Result<Self, FoldError> {
        let column = |name: &'static str| {
            let table = "the customers' attributes";
            let missing = || FoldError::Column { table, column: name };
            let parts: Option<Vec<_>> =
                batches.iter().map(|batch| Some(batch.column_by_name(name)?.as_ref())).collect();
            let parts = parts.ok_or_else(missing)?;
            if parts.is_empty() {
                return Ok(None);
            }
            let all = concat(&parts).map_err(|source| FoldError::Rows { table, source })?;
            Ok(Some(all.as_string_opt::<i32>().ok_or_else(missing)?.clone()))
        };
        Ok(Self(column("customer_id")?.zip(column("country")?)))
    }

    fn of<'a>(&'a self, id: &'a str) -> Customer<'a> {
        let found = self.0.as_ref().and_then(|(ids, countries)| {
            let (mut low, mut high) = (0, ids.len());
            while low < high {
                let middle = low.midpoint(high);
                match ids.value(middle).cmp(id) {
                    Ordering::Equal => {
                        return countries.is_valid(middle).then(|| countries.value(middle));
                    }
                    Ordering::Less => low = middle + 1,
                    Ordering::Greater => high = middle,
                }
            }
            None
        });
        Customer { id, country: found }
    }
}

/// Walks the sorted rows of one bucket through a fold.
///
/// # Errors
/// Rows that are not a timeline's, or not sorted.
pub fn pass<F: Fold>(
    fold: &F,
    batches: &[RecordBatch],
    marks: &Marks,
    attributes: &Attributes,
) -> Result<F::Rows, FoldError> {
    let mut rows = F::Rows::default();
    let mut life: Option<Life<'_, F>> = None;
    for batch in batches {
        let columns = Columns::new(batch)?;
        for i in 0..batch.num_rows() {
            let (id, event) = columns.event(i)?;
            match &mut life {
                Some(life) if life.id == id && life.at <= event.at => life.step(fold, &event),
                Some(before) if before.id >= id => {
                    return Err(FoldError::Unsorted { customer: id.to_owned() });
                }
                _ => {
                    if let Some(over) = life.take() {
                        over.end(fold, attributes, &mut rows);
                    }
                    life.insert(Life::new(fold, id, marks)).step(fold, &event);
                }
            }
        }
    }
    if let Some(over) = life {
        over.end(fold, attributes, &mut rows);
    }
    Ok(rows)
}

/// The customer whose rows are being walked.
struct Life<'a, F: Fold> {
    id: &'a str,
    at: i64,
    state: F::State,
    all: &'a Marks,
    /// Of this customer, those still to come.
    marks: &'a [(i64, u16)],
}

impl<'a, F: Fold> Life<'a, F> {
    fn new(fold: &F, id: &'a str, marks: &'a Marks) -> Self {
        Self { id, at: i64::MIN, state: fold.init(), all: marks, marks: marks.of(id) }
    }

    fn step(&mut self, fold: &F, event: &Event<'_>) {
        self.mark_before(fold, event.at);
        self.at = event.at;
        fold.step(&mut self.state, event);
    }

    fn mark_before(&mut self, fold: &F, at: i64) {
        while let Some((mark, later)) = self.marks.split_first().filter(|(mark, _)| mark.0 < at) {
            if let Some(mark) = self.all.mark(*mark) {
                fold.mark(&mut self.state, &mark);
            }
            self.marks = later;
        }
    }

    fn end(mut self, fold: &F, attributes: &Attributes, rows: &mut F::Rows) {
        self.mark_before(fold, i64::MAX);
        fold.emit(self.state, attributes.of(self.id), rows);
    }
}
