//! Rows of the timeline as folds see them: enums and borrowed text, nothing allocated per event.

use arrow::array::{
    Array, AsArray, BooleanArray, Decimal128Array, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};

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
    /// Moved to another price; the amount is the new one.
    SubscriptionChanged,
    SubscriptionPaused,
    SubscriptionResumed,
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
            "subscription_changed" => Self::SubscriptionChanged,
            "subscription_paused" => Self::SubscriptionPaused,
            "subscription_resumed" => Self::SubscriptionResumed,
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
    pub touchpoint: Option<&'a str>,
    /// Ten-thousandths of a major unit of `currency`.
    pub amount: Option<i128>,
    pub currency: Option<&'a str>,
    /// The amount in the job's currency; none where nobody knows the day's rate.
    pub home_amount: Option<i128>,
    /// Id of the subscription, order or conversation it belongs to.
    pub reference: Option<&'a str>,
    /// Ten-thousandths; higher is better.
    pub score: Option<i128>,
    /// Ten-thousandths.
    pub scale_max: Option<i128>,
    /// Of an answer, where the job or the source says it; else the set the field agrees on counts.
    pub is_favourable: Option<bool>,
    /// Of behaviour on a web site or in an app.
    pub visit: Option<Visit<'a>>,
}

/// What sessions are made of, beside what all events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit<'a> {
    pub event_id: &'a str,
    pub account: Option<&'a str>,
    /// Cookie or device.
    pub device: Option<&'a str>,
    pub page_path: Option<&'a str>,
    pub led_by: LedBy<'a>,
    /// Milliseconds.
    pub engagement: Option<i64>,
    /// The source says that the session is engaged.
    pub is_engaged: bool,
}

/// Where a visit came from, as the address says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LedBy<'a> {
    pub source: Option<&'a str>,
    pub medium: Option<&'a str>,
    pub campaign: Option<&'a str>,
}

/// The columns of the timeline that events are made of.
pub const COLUMNS: [&str; 14] = [
    "customer_id",
    "occurred_at",
    "kind",
    "name",
    "source",
    "channel",
    "touchpoint",
    "amount",
    "currency",
    "score",
    "scale_max",
    "reference",
    "occurred_date",
    "home_amount",
];

/// What answers may have beside them; without it all scales are read as the field agrees to.
pub const FAVOURABLE: &str = "is_favourable";

/// Those that visits have beside them; a timeline without them is one without visits.
pub const VISIT_COLUMNS: [&str; 10] = [
    "event_id",
    "is_visit",
    "source_account",
    "device",
    "page_path",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "engagement_ms",
    "is_session_engaged",
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
    touchpoint: &'a StringArray,
    currency: &'a StringArray,
    reference: &'a StringArray,
    amount: &'a Decimal128Array,
    home_amount: &'a Decimal128Array,
    score: &'a Decimal128Array,
    scale_max: &'a Decimal128Array,
    is_favourable: Option<&'a BooleanArray>,
    visits: Option<Visits<'a>>,
}

/// Those of visits.
struct Visits<'a> {
    is_visit: &'a BooleanArray,
    event_id: &'a StringArray,
    account: &'a StringArray,
    device: &'a StringArray,
    page_path: &'a StringArray,
    utm_source: &'a StringArray,
    utm_medium: &'a StringArray,
    utm_campaign: &'a StringArray,
    engagement: &'a PrimitiveArray<Int64Type>,
    is_engaged: &'a BooleanArray,
}

pub(super) fn text<'a>(
    batch: &'a RecordBatch,
    column: &'static str,
) -> Result<&'a StringArray, FoldError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_string_opt::<i32>());
    found.ok_or(FoldError::Column { table: "the folds' input", column })
}

pub(super) fn number<'a, T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &'static str,
) -> Result<&'a PrimitiveArray<T>, FoldError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<T>());
    found.ok_or(FoldError::Column { table: "the folds' input", column })
}

fn flag<'a>(batch: &'a RecordBatch, column: &'static str) -> Result<&'a BooleanArray, FoldError> {
    let found = batch.column_by_name(column).and_then(|array| array.as_boolean_opt());
    found.ok_or(FoldError::Column { table: "the folds' input", column })
}

fn is_set(array: &BooleanArray, i: usize) -> bool {
    array.is_valid(i) && array.value(i)
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
            touchpoint: text(batch, "touchpoint")?,
            currency: text(batch, "currency")?,
            reference: text(batch, "reference")?,
            amount: number::<Decimal128Type>(batch, "amount")?,
            home_amount: number::<Decimal128Type>(batch, "home_amount")?,
            score: number::<Decimal128Type>(batch, "score")?,
            scale_max: number::<Decimal128Type>(batch, "scale_max")?,
            is_favourable: batch
                .column_by_name(FAVOURABLE)
                .and_then(|array| array.as_boolean_opt()),
            visits: batch.column_by_name("is_visit").map(|_| Visits::new(batch)).transpose()?,
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
            touchpoint: word(self.touchpoint, i),
            amount: value(self.amount, i),
            currency: word(self.currency, i),
            home_amount: value(self.home_amount, i),
            reference: word(self.reference, i),
            score: value(self.score, i),
            scale_max: value(self.scale_max, i),
            is_favourable: self.is_favourable.filter(|a| a.is_valid(i)).map(|a| a.value(i)),
            visit: self.visits.as_ref().and_then(|visits| visits.at(i)),
        };
        Ok((self.customer.value(i), event))
    }
}

impl<'a> Visits<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, FoldError> {
        Ok(Self {
            is_visit: flag(batch, "is_visit")?,
            event_id: text(batch, "event_id")?,
            account: text(batch, "source_account")?,
            device: text(batch, "device")?,
            page_path: text(batch, "page_path")?,
            utm_source: text(batch, "utm_source")?,
            utm_medium: text(batch, "utm_medium")?,
            utm_campaign: text(batch, "utm_campaign")?,
            engagement: number(batch, "engagement_ms")?,
            is_engaged: flag(batch, "is_session_engaged")?,
        })
    }

    fn at(&self, i: usize) -> Option<Visit<'a>> {
        is_set(self.is_visit, i).then(|| Visit {
            event_id: self.event_id.value(i),
            account: word(self.account, i),
            device: word(self.device, i),
            page_path: word(self.page_path, i),
            led_by: LedBy {
                source: word(self.utm_source, i),
                medium: word(self.utm_medium, i),
                campaign: word(self.utm_campaign, i),
            },
            engagement: self.engagement.is_valid(i).then(|| self.engagement.value(i)),
            is_engaged: is_set(self.is_engaged, i),
        })
    }
}
