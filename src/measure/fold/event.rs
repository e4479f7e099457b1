//! Rows of the timeline as folds see them: enums and borrowed text, nothing allocated per event.

use arrow::array::{Array, AsArray, Decimal128Array, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use rustc_hash::FxHashMap;

use super::FoldError;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    ContactCreated,
    Order,
    Refund,
    SurveyAsked,
    SurveyAnswered,
    ConversationOpened,
    ConversationResolved,
    SubscriptionStarted,
    SubscriptionEnded,
    /// Anything a person did on a page, in an app or with an e-mail; its name says what.
    Behaviour,
}

impl Kind {
    /// The kind by its name in the timeline.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "event" => Self::Behaviour,
            "order" => Self::Order,
            "refund" => Self::Refund,
            "survey_asked" => Self::SurveyAsked,
            "survey_answered" => Self::SurveyAnswered,
            "contact_created" => Self::ContactCreated,
            "conversation_opened" => Self::ConversationOpened,
            "conversation_resolved" => Self::ConversationResolved,
            "subscription_started" => Self::SubscriptionStarted,
            "subscription_ended" => Self::SubscriptionEnded,
            _ => return None,
        })
    }
}

/// One row of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Microseconds since 1970, UTC.
    pub at: i64,
    /// Local day, as days since 1970-01-01.
    pub day: i32,
    pub kind: Kind,
    /// Metric of an answer, name of a behaviour, status of an order, plan of a subscription.
    pub name: Option<&'a str>,
    pub source: Option<&'a str>,
    pub channel: Option<&'a str>,
    /// Ten-thousandths of a major unit of `currency`.
    pub amount: Option<i128>,
    pub currency: Option<&'a str>,
    /// Ten-thousandths; higher is better.
    pub score: Option<i128>,
    /// Ten-thousandths.
    pub scale_max: Option<i128>,
}

/// The columns of the timeline that events are made of.
pub const COLUMNS: [&str; 11] = [
    "customer_id",
    "occurred_at",
    "kind",
    "name",
    "source",
    "channel",
    "amount",
    "currency",
    "score",
    "scale_max",
    "occurred_date",
];

/// Columns of one batch of the timeline.
pub(super) struct Columns<'a> {
    customer: &'a StringArray,
    at: &'a PrimitiveArray<TimestampMicrosecondType>,
    day: &'a PrimitiveArray<Date32Type>,
    kind: &'a StringArray,
    name: &'a StringArray,
    source: &'a StringArray,
    channel: &'a StringArray,
    currency: &'a StringArray,
    amount: &'a Decimal128Array,
    score: &'a Decimal128Array,
    scale_max: &'a Decimal128Array,
}

fn text<'a>(batch: &'a RecordBatch, column: &'static str) -> Result<&'a StringArray, FoldError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_string_opt::<i32>());
    found.ok_or(FoldError::Column { table: "the folds' input", column })
}

fn number<'a, T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &'static str,
) -> Result<&'a PrimitiveArray<T>, FoldError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<T>());
    found.ok_or(FoldError::Column { table: "the folds' input", column })
}

fn word(array: &StringArray, i: usize) -> Option<&str> {
    array.is_valid(i).then(|| array.value(i))
}

fn value(array: &Decimal128Array, i: usize) -> Option<i128> {
    array.is_valid(i).then(|| array.value(i))
}

impl<'a> Columns<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self, FoldError> {
        Ok(Self {
            customer: text(batch, "customer_id")?,
            at: number(batch, "occurred_at")?,
            day: number(batch, "occurred_date")?,
            kind: text(batch, "kind")?,
            name: text(batch, "name")?,
            source: text(batch, "source")?,
            channel: text(batch, "channel")?,
            currency: text(batch, "currency")?,
            amount: number::<Decimal128Type>(batch, "amount")?,
            score: number::<Decimal128Type>(batch, "score")?,
            scale_max: number::<Decimal128Type>(batch, "scale_max")?,
        })
    }

    /// The customer and the event of row `i`.
    pub(super) fn event(&self, i: usize) -> Result<(&'a str, Event<'a>), FoldError> {
        let kind = self.kind.value(i);
        let kind = Kind::of(kind).ok_or_else(|| FoldError::Kind { kind: kind.to_owned() })?;
        let event = Event {
            at: self.at.value(i),
            day: self.day.value(i),
            kind,
            name: word(self.name, i),
            source: word(self.source, i),
            channel: word(self.channel, i),
            amount: value(self.amount, i),
            currency: word(self.currency, i),
            score: value(self.score, i),
            scale_max: value(self.scale_max, i),
        };
        Ok((self.customer.value(i), event))
    }
}

/// A stage rule that fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Microseconds since 1970, UTC.
    pub at: i64,
    /// Of the rules of one instant the least whose need is met counts.
    pub rank: i64,
    /// Orders and subscriptions started by then that the rule needs.
    pub min_purchases: i64,
    /// Place of the stage in the job's order.
    pub stage: u8,
    /// Place of the rule in [`Marks::rules`].
    pub rule: u16,
    /// How many stages the rule may bring a customer back.
    pub steps_back: i64,
}

/// A rule by name, with the version of the set it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    pub name: String,
    pub version: i64,
}

/// All marks of the customers of one bucket.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Sorted by name and version.
    pub rules: Vec<Rule>,
    marks: Vec<Mark>,
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
        let mut customers: FxHashMap<&str, u32> = FxHashMap::default();
        let mut found: Vec<(u32, Mark)> = Vec::new();
        for batch in batches {
            let columns = MarkColumns::new(batch)?;
            for i in 0..batch.num_rows() {
                let next = u32::try_from(customers.len()).unwrap_or(u32::MAX);
                let customer = *customers.entry(columns.customer.value(i)).or_insert(next);
                found.push((customer, columns.mark(i, stages, &mut rules)?));
            }
        }
        let mut sorted = rules.clone();
        sorted.sort();
        let place = |rule| sorted.iter().position(|other| other == rule).unwrap_or_default();
        let places: Vec<u16> =
            rules.iter().map(|rule| u16::try_from(place(rule)).unwrap_or(u16::MAX)).collect();
        for (_, mark) in &mut found {
            mark.rule = places.get(usize::from(mark.rule)).copied().unwrap_or_default();
        }
        found.sort_unstable();
        let mut spans = vec![(usize::MAX, 0); customers.len()];
        for (i, (customer, _)) in found.iter().enumerate() {
            if let Some(span) = spans.get_mut(*customer as usize) {
                *span = (span.0.min(i), i + 1);
            }
        }
        let span = |i: u32| spans.get(i as usize).copied().unwrap_or_default();
        let ranges = customers.into_iter().map(|(id, i)| (id.to_owned(), span(i))).collect();
        Ok(Self { rules: sorted, marks: found.into_iter().map(|(_, mark)| mark).collect(), ranges })
    }

    pub(super) fn of(&self, customer: &str) -> &[Mark] {
        let range = self.ranges.get(customer).map(|(start, end)| *start..*end);
        range.and_then(|range| self.marks.get(range)).unwrap_or_default()
    }
}

/// Columns of one batch of stage events.
struct MarkColumns<'a> {
    customer: &'a StringArray,
    at: &'a PrimitiveArray<TimestampMicrosecondType>,
    stage: &'a StringArray,
    rule: &'a StringArray,
    version: &'a PrimitiveArray<Int64Type>,
    rank: &'a PrimitiveArray<Int64Type>,
    min_purchases: &'a PrimitiveArray<Int64Type>,
    steps_back: &'a PrimitiveArray<Int64Type>,
}

impl<'a> MarkColumns<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, FoldError> {
        Ok(Self {
            customer: text(batch, "customer_id")?,
            at: number(batch, "occurred_at")?,
            stage: text(batch, "stage")?,
            rule: text(batch, "stage_rule")?,
            version: number(batch, "rule_version")?,
            rank: number(batch, "rule_rank")?,
            min_purchases: number(batch, "min_purchases")?,
            steps_back: number(batch, "steps_back")?,
        })
    }

    fn mark(&self, i: usize, stages: &[String], rules: &mut Vec<Rule>) -> Result<Mark, FoldError> {
        let (stage, name) = (self.stage.value(i), self.rule.value(i));
        let unknown = || FoldError::Stage { rule: name.to_owned(), stage: stage.to_owned() };
        let known = stages.iter().position(|other| other == stage);
        let version = self.version.value(i);
        let same = |rule: &Rule| rule.version == version && rule.name == name;
        let rule = rules.iter().position(same).unwrap_or_else(|| {
            rules.push(Rule { name: name.to_owned(), version });
            rules.len() - 1
        });
        Ok(Mark {
            at: self.at.value(i),
            rank: self.rank.value(i),
            min_purchases: self.min_purchases.value(i),
            stage: known.and_then(|at| u8::try_from(at).ok()).ok_or_else(unknown)?,
            rule: u16::try_from(rule).unwrap_or(u16::MAX),
            steps_back: self.steps_back.value(i),
        })
    }
}
