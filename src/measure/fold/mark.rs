//! Stage rules that fired, by customer and time.
//!
//! Rules are SQL and the walk is not, so there are about as many marks as events between the two.
//! That is why customers travel as numbers, and what a rule says is kept once and not per mark.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, PrimitiveArray, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use rustc_hash::FxHashMap;

use super::FoldError;
use super::event::{number, text};

/// A rule, as the rows that it gave say; rules of less rank come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Of the rules of one instant the least whose need is met counts.
    pub rank: i64,
    pub name: String,
    pub version: i64,
    /// Place of the stage in the job's order.
    pub stage: u8,
    /// Orders and subscriptions started by then that the rule needs.
    pub min_purchases: i64,
    /// How many stages the rule may bring a customer back.
    pub steps_back: i64,
}

/// A rule that fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Microseconds since 1970, UTC.
    pub at: i64,
    /// Place of the rule in [`Marks::rules`].
    pub place: u16,
    pub rule: &'a Rule,
}

/// All marks of the customers of some buckets.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Sorted.
    pub rules: Vec<Rule>,
    /// Time and place of the rule; those of a customer together and in order.
    marks: Vec<(i64, u16)>,
    /// Where each customer's marks start and end; only ever asked, never walked.
    ranges: FxHashMap<String, (usize, usize)>,
}

impl Marks {
    /// Rows of the view `stage_events` in any order; `stages` is the job's order.
    ///
    /// # Errors
    /// A column is missing, or a stage is not one of the job's.
    pub fn new(batches: &[RecordBatch], stages: &[String]) -> Result<Self, FoldError> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut numbers: FxHashMap<&str, usize> = FxHashMap::default();
        let mut found: Vec<(usize, i64, u16)> = Vec::new();
        for batch in batches {
            let columns = Columns::new(batch)?;
            let customers = customers(batch, &mut numbers)?;
            for (i, customer) in customers.into_iter().enumerate() {
                let rule = columns.rule(i, stages, &mut rules)?;
                found.push((customer, columns.at.value(i), rule));
            }
        }
        let mut sorted = rules.clone();
        sorted.sort();
        let place = |rule| sorted.iter().position(|other| other == rule).unwrap_or_default();
        let places: Vec<u16> =
            rules.iter().map(|rule| u16::try_from(place(rule)).unwrap_or(u16::MAX)).collect();
        let mut ends = vec![0; numbers.len()];
        for (customer, _, _) in &found {
            add_one(&mut ends, *customer);
        }
        let mut start = 0;
        for end in &mut ends {
            (start, *end) = (start + *end, start);
        }
        let starts = ends.clone();
        let mut marks = vec![(0, 0); found.len()];
        for (customer, at, rule) in found {
            let free = add_one(&mut ends, customer);
            if let Some(mark) = marks.get_mut(free) {
                *mark = (at, places.get(usize::from(rule)).copied().unwrap_or_default());
            }
        }
        let mut ranges = FxHashMap::default();
        for (customer, number) in numbers {
            let range = (starts[number], ends[number]);
            marks[range.0..range.1].sort_unstable();
            ranges.insert(customer.to_owned(), range);
        }
        Ok(Self { rules: sorted, marks, ranges })
    }

    /// Marks of a customer, in the order in which they count.
    pub(super) fn of(&self, customer: &str) -> &[(i64, u16)] {
        let range = self.ranges.get(customer).map(|(start, end)| *start..*end);
        range.and_then(|range| self.marks.get(range)).unwrap_or_default()
    }

    pub(super) fn mark(&self, (at, place): (i64, u16)) -> Option<Mark<'_>> {
        Some(Mark { at, place, rule: self.rules.get(usize::from(place))? })
    }
}

/// Counts one more; gives what was counted before.
fn add_one(counts: &mut [usize], at: usize) -> usize {
    counts.get_mut(at).map_or(0, |count| {
        *count += 1;
        *count - 1
    })
}

/// The number of each row's customer.
fn customers<'a>(
    batch: &'a RecordBatch,
    numbers: &mut FxHashMap<&'a str, usize>,
) -> Result<Vec<usize>, FoldError> {
    let mut number = |id: &'a str| {
        let next = numbers.len();
        *numbers.entry(id).or_insert(next)
    };
    let column = batch.column_by_name("customer_id");
    let Some(ids) = column.and_then(|array| array.as_dictionary_opt::<Int32Type>()) else {
        let ids = text(batch, "customer_id")?;
        return Ok((0..ids.len()).map(|i| number(ids.value(i))).collect());
    };
    let values = ids.values().as_string_opt::<i32>();
    let values =
        values.ok_or(FoldError::Column { table: "the folds' input", column: "customer_id" })?;
    let mut known: Vec<Option<usize>> = vec![None; values.len()];
    let of = |key: &i32| {
        let key = usize::try_from(*key).unwrap_or_default();
        let Some(place) = known.get_mut(key) else { return 0 };
        *place.get_or_insert_with(|| number(values.value(key)))
    };
    Ok(ids.keys().values().iter().map(of).collect())
}

/// Sorted rows with customers as numbers into one list, so that rules copy numbers and not ids.
///
/// # Errors
/// A column is missing.
pub fn numbered(rows: &[RecordBatch]) -> Result<Vec<RecordBatch>, FoldError> {
    let fail = |source| FoldError::Rows { table: "timeline", source };
    let mut ids = StringBuilder::new();
    let mut keys: Vec<Int32Array> = Vec::with_capacity(rows.len());
    let (mut last, mut key) = (None, -1);
    for batch in rows {
        let column = text(batch, "customer_id")?;
        let numbers = column.iter().map(|id| {
            if last != id || key < 0 {
                ids.append_option(id);
                (last, key) = (id, key + 1);
            }
            key
        });
        keys.push(numbers.collect());
    }
    let ids = Arc::new(ids.finish()) as ArrayRef;
    let replace = |(batch, keys): (&RecordBatch, Int32Array)| {
        let numbers = DictionaryArray::try_new(keys, Arc::clone(&ids)).map_err(fail)?;
        let numbers = Arc::new(numbers) as ArrayRef;
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let is_id = field.name() == "customer_id";
            let column = Arc::clone(if is_id { &numbers } else { column });
            let kind = DataType::clone(column.data_type());
            fields.push(Field::new(field.name(), kind, true));
            columns.push(column);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(fail)
    };
    rows.iter().zip(keys).map(replace).collect()
}

/// Columns of one batch of stage events.
struct Columns<'a> {
    at: &'a PrimitiveArray<TimestampMicrosecondType>,
    stage: &'a StringArray,
    name: &'a StringArray,
    version: &'a PrimitiveArray<Int64Type>,
    rank: &'a PrimitiveArray<Int64Type>,
    min_purchases: &'a PrimitiveArray<Int64Type>,
    steps_back: &'a PrimitiveArray<Int64Type>,
}

impl<'a> Columns<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, FoldError> {
        Ok(Self {
            at: number(batch, "occurred_at")?,
            stage: text(batch, "stage")?,
            name: text(batch, "stage_rule")?,
            version: number(batch, "rule_version")?,
            rank: number(batch, "rule_rank")?,
            min_purchases: number(batch, "min_purchases")?,
            steps_back: number(batch, "steps_back")?,
        })
    }

    /// Place of a row's rule in `rules`, where it is put if it is new.
    fn rule(&self, i: usize, stages: &[String], rules: &mut Vec<Rule>) -> Result<u16, FoldError> {
        let (stage, name) = (self.stage.value(i), self.name.value(i));
        let (rank, version) = (self.rank.value(i), self.version.value(i));
        let (min_purchases, steps_back) = (self.min_purchases.value(i), self.steps_back.value(i));
        let same = |rule: &Rule| {
            (rule.rank, rule.version) == (rank, version)
                && (rule.min_purchases, rule.steps_back) == (min_purchases, steps_back)
                && rule.name == name
                && stages.get(usize::from(rule.stage)).is_some_and(|known| known == stage)
        };
        let place = if let Some(place) = rules.iter().position(same) {
            place
        } else {
            let known = stages.iter().position(|other| other == stage);
            let known = known.and_then(|place| u8::try_from(place).ok());
            let unknown = || FoldError::Stage { rule: name.to_owned(), stage: stage.to_owned() };
            let (name, stage) = (name.to_owned(), known.ok_or_else(unknown)?);
            rules.push(Rule { rank, name, version, stage, min_purchases, steps_back });
            rules.len() - 1
        };
        Ok(u16::try_from(place).unwrap_or(u16::MAX))
    }
}
