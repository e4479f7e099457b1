//! What a customer bought: the numbers that lifetime value is fitted to.
//!
//! Conventions of the field (Fader, Hardie and Lee 2005): purchases of one customer on one local
//! day are one, their values summed; the first day is neither in `frequency` nor in `monetary`. A
//! refund is an event of its own: it lowers revenue on its day and undoes no purchase.

use arrow::array::RecordBatch;

use super::columns::{self, batch, counts, days, money, texts};
use super::{Customer, Event, Fold, FoldError, Kind, Terms};

const TABLE: &str = "customer_purchases";
/// Days of `revenue_365d`.
const YEAR_DAYS: i32 = 365;

/// Makes `customer_purchases`.
#[derive(Debug, Clone)]
pub struct Purchases {
    pub terms: Terms,
}

/// Of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bought {
    first_day: Option<i32>,
    last_day: i32,
    /// Last purchase day up to the fit day.
    fit_last_day: i32,
    days: i64,
    days_after: i64,
    orders: i64,
    orders_other_currency: i64,
    repeat_value: i128,
    value_after: i128,
    revenue: i128,
    revenue_year: i128,
    channel: Option<Box<str>>,
}

/// Columns of `customer_purchases`.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    customer: Vec<String>,
    first: Vec<i32>,
    last: Vec<i32>,
    days: Vec<i64>,
    frequency: Vec<Option<i64>>,
    recency: Vec<Option<i64>>,
    age: Vec<Option<i64>>,
    monetary: Vec<Option<i128>>,
    revenue: Vec<i128>,
    revenue_year: Vec<i128>,
    orders: Vec<i64>,
    orders_other: Vec<i64>,
    channel: Vec<Option<Box<str>>>,
    days_after: Vec<i64>,
    value_after: Vec<i128>,
}

impl Purchases {
    fn bought(&self, state: &mut Bought, event: &Event<'_>) {
        let (day, value) = (event.day, event.amount.unwrap_or(0));
        let fits = day <= self.terms.fit_day;
        let is_new_day = state.first_day.is_none() || state.last_day != day;
        let first_day = *state.first_day.get_or_insert(day);
        state.last_day = day;
        state.orders += 1;
        if fits {
            state.days += i64::from(is_new_day);
            state.fit_last_day = day;
            if day != first_day {
                state.repeat_value += value;
            }
        } else {
            state.days_after += i64::from(is_new_day);
            state.value_after += value;
        }
    }
}

impl Fold for Purchases {
    type State = Bought;
    type Rows = Rows;

    fn init(&self) -> Bought {
        Bought::default()
    }

    fn step(&self, state: &mut Bought, event: &Event<'_>) {
        match event.kind {
            Kind::ContactCreated if state.channel.is_none() => {
                state.channel = event.channel.map(Box::from);
            }
            Kind::Order if !self.terms.is_own(event.currency) => state.orders_other_currency += 1,
            Kind::Order => self.bought(state, event),
            _ => {}
        }
        if matches!(event.kind, Kind::Order | Kind::Refund) && self.terms.is_own(event.currency) {
            let value = event.amount.unwrap_or(0);
            state.revenue += value;
            if event.day > self.terms.horizon_day - YEAR_DAYS {
                state.revenue_year += value;
            }
        }
    }

    fn emit(&self, state: Bought, customer: Customer<'_>, rows: &mut Rows) {
        let Some(first) = state.first_day else { return };
        let fits = state.days > 0;
        rows.customer.push(customer.id.to_owned());
        rows.first.push(first);
        rows.last.push(state.last_day);
        rows.days.push(state.days);
        rows.frequency.push(fits.then(|| state.days - 1));
        rows.recency.push(fits.then(|| i64::from(state.fit_last_day - first)));
        rows.age.push(fits.then(|| i64::from(self.terms.fit_day - first)));
        rows.monetary.push(fits.then_some(state.repeat_value));
        rows.revenue.push(state.revenue);
        rows.revenue_year.push(state.revenue_year);
        rows.orders.push(state.orders);
        rows.orders_other.push(state.orders_other_currency);
        rows.channel.push(state.channel);
        rows.days_after.push(state.days_after);
        rows.value_after.push(state.value_after);
    }
}

impl Rows {
    /// The rows as a batch of `customer_purchases`.
    ///
    /// # Errors
    /// A sum too large for money.
    pub fn batch(self, terms: &Terms) -> Result<RecordBatch, FoldError> {
        let money = |values: Vec<i128>| money(TABLE, values.into_iter().map(Some));
        let count = |values: Vec<i64>| counts(values.into_iter().map(Some));
        let currency = texts(self.customer.iter().map(|_| Some(&terms.currency)));
        let columns = vec![
            ("customer_id", texts(self.customer.into_iter().map(Some))),
            ("first_purchase_date", days(self.first)),
            ("last_purchase_date", days(self.last)),
            ("n_purchase_days", count(self.days)),
            ("frequency", counts(self.frequency)),
            ("recency_days", counts(self.recency)),
            ("age_days", counts(self.age)),
            ("monetary_total", columns::money(TABLE, self.monetary)?),
            ("revenue_total", money(self.revenue)?),
            ("revenue_365d", money(self.revenue_year)?),
            ("n_orders", count(self.orders)),
            ("n_orders_other_currency", count(self.orders_other)),
            ("currency", currency),
            ("acquisition_channel", texts(self.channel)),
            ("n_purchase_days_after", count(self.days_after)),
            ("revenue_after", money(self.value_after)?),
        ];
        batch(TABLE, columns)
    }
}
