//! What is known of customers at the end of a day: what their risk is told by, and their persona.
//!
//! A life is described at the horizon and, of customers who are drawn for training, at the ends of
//! former windows, each time from the events up to that day alone: whoever was active then, and
//! whether the ledger of today says that they churned in the window after it. Nothing that happens
//! after a day moves what is said of it, but for the label.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};

use super::columns::{Column, batch, counts, days as dates, flags, money, texts};
use super::feedback::Windows;
use super::membership::{Lived, Membership, is_activity};
use super::{Customer, Event, Fold, FoldError, Kind, Terms};
use crate::measure::drawn::Drawn;

const TABLE: &str = "customer_features";
/// Days ahead that churn is told for.
pub const WINDOW_DAYS: i32 = 90;
/// Former windows that are described: the newest one tests, the others train.
const FORMER: usize = 4;
const YEAR_DAYS: i32 = 365;
const QUARTER_DAYS: i32 = 90;
/// One whole point, or major unit.
const UNIT: i128 = 10_000;

/// What a feature is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    /// Ten-thousandths of a major unit of the job's currency, or of a point.
    Decimal,
}

/// Columns of `customer_features` beside its key, in their order.
pub const FEATURES: [(&str, Unit); 24] = [
    ("days_silent", Unit::Count),
    ("mean_gap_days", Unit::Count),
    ("tenure_days", Unit::Count),
    ("n_active_days_90", Unit::Count),
    ("n_active_days_365", Unit::Count),
    ("n_returns", Unit::Count),
    ("n_orders_90", Unit::Count),
    ("n_orders_365", Unit::Count),
    ("n_orders", Unit::Count),
    ("days_since_order", Unit::Count),
    ("revenue_90", Unit::Decimal),
    ("revenue_365", Unit::Decimal),
    ("revenue_total", Unit::Decimal),
    ("n_refunds_365", Unit::Count),
    ("n_conversations_90", Unit::Count),
    ("n_conversations_365", Unit::Count),
    ("n_open_conversations", Unit::Count),
    ("last_score", Unit::Decimal),
    ("days_since_answer", Unit::Count),
    ("n_asked_90", Unit::Count),
    ("n_events_90", Unit::Count),
    ("n_messages_90", Unit::Count),
    ("contract_days", Unit::Count),
    ("mrr", Unit::Decimal),
];

/// The values of [`FEATURES`]; none where there is nothing to measure.
pub type Values = [Option<i128>; FEATURES.len()];

/// The days that lives are described at, the horizon first.
pub fn days(horizon_day: i32) -> [i32; FORMER + 1] {
    let mut day = horizon_day.saturating_add(WINDOW_DAYS);
    [(); FORMER + 1].map(|()| {
        day = day.saturating_sub(WINDOW_DAYS);
        day
    })
}

/// Makes `customer_features`.
#[derive(Debug, Clone)]
pub struct Features {
    pub terms: Terms,
    /// Whose former days are described.
    pub drawn: Drawn,
}

/// What a happening was, as far as features tell happenings apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Order,
    Refund,
    Asked,
    Answered,
    Opened,
    Resolved,
    /// On a page or in an app.
    Seen,
    /// An e-mail, which software opens as well as people.
    Message,
    Contract,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Happening {
    day: i32,
    what: What,
    is_activity: bool,
    /// Money, or a score in 0 to 1; ten-thousandths.
    value: Option<i128>,
}

impl Happening {
    fn of(event: &Event<'_>) -> Option<Self> {
        let is_activity = is_activity(event);
        let (what, value) = match event.kind {
            Kind::Order => (What::Order, event.home_amount),
            Kind::Refund => (What::Refund, event.home_amount),
            Kind::SurveyAsked => (What::Asked, None),
            Kind::SurveyAnswered => (What::Answered, normed(event)),
            Kind::ConversationOpened => (What::Opened, None),
            Kind::ConversationResolved => (What::Resolved, None),
            Kind::Behaviour if is_activity => (What::Seen, None),
            Kind::Behaviour => (What::Message, None),
            Kind::SubscriptionStarted
            | Kind::SubscriptionChanged
            | Kind::SubscriptionResumed
            | Kind::SubscriptionPaused
            | Kind::SubscriptionEnded => (What::Contract, None),
            Kind::ContactCreated => return None,
        };
        Some(Self { day: event.day, what, is_activity, value })
    }
}

/// An answer as a share of the greatest one.
fn normed(event: &Event<'_>) -> Option<i128> {
    let (score, max) = (event.score?, event.scale_max.filter(|max| *max > 0)?);
    Some((score * UNIT / max).clamp(0, UNIT))
}

/// What is remembered of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    membership: Membership,
    log: Vec<Happening>,
    /// Days of the first order or subscription, and of the first subscription.
    started: Option<i32>,
    subscribed: Option<i32>,
}

/// A customer at the end of a day, by what was known then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Described {
    is_active: bool,
    is_contractual: bool,
    values: Values,
}

/// Days with a sign of life, up to a day.
#[derive(Debug, Clone, Copy, Default)]
struct Active {
    days: i128,
    last: i32,
    quarter: i128,
    year: i128,
    returns: i128,
}

impl Active {
    fn of(known: &[Happening], start: i32, day: i32, patience: i32) -> Self {
        let mut active = Self { last: start, ..Self::default() };
        let signs = known.iter().filter(|one| one.is_activity && one.day >= start);
        for one in signs {
            if active.days > 0 && one.day == active.last {
                continue;
            }
            active.returns += i128::from(one.day > active.last.saturating_add(patience));
            active.days += 1;
            active.last = one.day;
            active.quarter += i128::from(one.day > day - QUARTER_DAYS);
            active.year += i128::from(one.day > day - YEAR_DAYS);
        }
        active
    }
}

impl Watched {
    /// The customer at the end of a day; none before they were one.
    fn at(&self, terms: &Terms, day: i32) -> Option<Described> {
        let start = self.started.filter(|start| *start <= day)?;
        let known = upto(&self.log, day);
        let patience = terms.inactive_days.max(1);
        let active = Active::of(known, start, day, patience);
        let contract = self.subscribed.filter(|first| *first <= day).map(|_| {
            let then = Terms { horizon_day: day, ..terms.clone() };
            let (spans, mrr) = self.membership.contract(&then);
            (spans.last().copied(), mrr.last().map_or(0, |step| step.1))
        });
        let is_active = match &contract {
            Some((span, _)) => span.is_some_and(|span| span.holds(day)),
            None => day < active.last.saturating_add(patience),
        };
        let values = values(
            known,
            (start, day),
            &active,
            contract.as_ref().map(|known| {
                let days = known.0.filter(|span| span.holds(day)).map(|span| day - span.start);
                (days, known.1)
            }),
        );
        Some(Described { is_active, is_contractual: contract.is_some(), values })
    }
}

/// Happenings up to the end of a day.
fn upto(log: &[Happening], day: i32) -> &[Happening] {
    log.split_at(log.partition_point(|one| one.day <= day)).0
}

/// Happenings of the last days up to a day.
fn last(known: &[Happening], day: i32, length: i32) -> &[Happening] {
    known.split_at(known.partition_point(|one| one.day <= day - length)).1
}

fn count(known: &[Happening], what: What) -> i128 {
    known.iter().filter(|one| one.what == what).count() as i128
}

/// Orders less refunds; refunds are negative.
fn revenue(known: &[Happening]) -> i128 {
    let is_money = |one: &&Happening| matches!(one.what, What::Order | What::Refund);
    known.iter().filter(is_money).filter_map(|one| one.value).sum()
}

/// In the order of [`FEATURES`]; `contract` is days under contract and recurring revenue.
fn values(
    known: &[Happening],
    (start, day): (i32, i32),
    active: &Active,
    contract: Option<(Option<i32>, i128)>,
) -> Values {
    let (quarter, year) = (last(known, day, QUARTER_DAYS), last(known, day, YEAR_DAYS));
    let days = |from: i32| i128::from(day.saturating_sub(from).max(0));
    let newest = |what: What| known.iter().rev().find(|one| one.what == what);
    let answer = known.iter().rev().find(|one| one.what == What::Answered && one.value.is_some());
    let gap = (active.days > 1).then(|| i128::from(active.last - start) / (active.days - 1));
    let open = count(known, What::Opened) - count(known, What::Resolved);
    [
        Some(days(active.last)),
        gap,
        Some(days(start)),
        Some(active.quarter),
        Some(active.year),
        Some(active.returns),
        Some(count(quarter, What::Order)),
        Some(count(year, What::Order)),
        Some(count(known, What::Order)),
        newest(What::Order).map(|one| days(one.day)),
        Some(revenue(quarter)),
        Some(revenue(year)),
        Some(revenue(known)),
        Some(count(year, What::Refund)),
        Some(count(quarter, What::Opened)),
        Some(count(year, What::Opened)),
        Some(open.max(0)),
        answer.and_then(|one| one.value),
        answer.map(|one| days(one.day)),
        Some(count(quarter, What::Asked)),
        Some(count(quarter, What::Seen)),
        Some(count(quarter, What::Message)),
        contract.and_then(|known| known.0).map(i128::from),
        contract.map(|known| known.1),
    ]
}

/// Whether the ledger has the customer leave in the window after a day; none while it still runs.
fn churned(lived: &Lived, terms: &Terms, day: i32) -> Option<bool> {
    let end = day.saturating_add(WINDOW_DAYS);
    let leaves = |end_day: i32| end_day > day && end_day <= end;
    let is_over = end <= terms.horizon_day;
    is_over.then(|| lived.spans.iter().any(|span| span.end.is_some_and(leaves)))
}

impl Fold for Features {
    type State = Watched;
    type Rows = Rows;

    fn init(&self) -> Watched {
        Watched::default()
    }

    fn step(&self, state: &mut Watched, event: &Event<'_>) {
        if event.day > self.terms.horizon_day {
            return;
        }
        state.membership.step(&self.terms, &Windows::new(&self.terms), event);
        if matches!(event.kind, Kind::Order | Kind::SubscriptionStarted) {
            state.started.get_or_insert(event.day);
        }
        if event.kind == Kind::SubscriptionStarted {
            state.subscribed.get_or_insert(event.day);
        }
        state.log.extend(Happening::of(event));
    }

    fn emit(&self, mut state: Watched, customer: Customer<'_>, rows: &mut Rows) {
        let today = self.terms.horizon_day;
        let former = if self.drawn.holds(customer.id) { FORMER } else { 0 };
        let described: Vec<(i32, Described)> = days(today)
            .into_iter()
            .take(former + 1)
            .filter_map(|day| Some((day, state.at(&self.terms, day)?)))
            .filter(|(day, at)| at.is_active || *day == today)
            .collect();
        if described.is_empty() {
            return;
        }
        let lived = state.membership.lived(&self.terms);
        rows.0.extend(described.into_iter().map(|(day, at)| Row {
            customer: customer.id.to_owned(),
            day,
            at,
            churned: churned(&lived, &self.terms, day),
        }));
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    customer: String,
    day: i32,
    at: Described,
    churned: Option<bool>,
}

/// Rows of `customer_features`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(Vec<Row>);

impl Rows {
    /// # Errors
    /// A sum too large for money.
    pub fn batch(self) -> Result<RecordBatch, FoldError> {
        let rows = &self.0;
        let labels: BooleanArray = rows.iter().map(|row| row.churned).collect();
        let mut columns: Vec<Column> = vec![
            ("customer_id", texts(rows.iter().map(|row| Some(&row.customer)))),
            ("feature_date", dates(rows.iter().map(|row| row.day))),
            ("is_active", flags(rows.iter().map(|row| row.at.is_active))),
            ("is_contractual", flags(rows.iter().map(|row| row.at.is_contractual))),
            ("has_churned", Arc::new(labels)),
        ];
        for (place, (name, unit)) in FEATURES.into_iter().enumerate() {
            let values = rows.iter().map(|row| row.at.values.get(place).copied().flatten());
            let array = match unit {
                Unit::Count => {
                    counts(values.map(|value| value.and_then(|v| i64::try_from(v).ok())))
                }
                Unit::Decimal => money(TABLE, values)?,
            };
            columns.push((name, array));
        }
        batch(TABLE, columns)
    }
}
