//! What a customer bought: the numbers that lifetime value is fitted to.
//!
//! Conventions of the field (Fader, Hardie and Lee 2005): purchases of one customer on one local
//! day are one, their values summed; the first day is neither in `frequency` nor in `monetary`. A
//! refund is an event of its own: it lowers revenue on its day and undoes no purchase. The same is
//! counted up to two days: the one that models are fitted to, and the one their backtest is.

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

/// Purchases up to a day, and after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cut {
    days: i64,
    last_day: i32,
    repeat_value: i128,
    days_after: i64,
    value_after: i128,
}

impl Cut {
    fn take(&mut self, until: i32, first_day: i32, day: i32, is_new_day: bool, value: i128) {
        if day > until {
            self.days_after += i64::from(is_new_day);
            self.value_after += value;
            return;
        }
        self.days += i64::from(is_new_day);
        self.last_day = day;
        if day != first_day {
            self.repeat_value += value;
        }
    }
}

/// Of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bought {
    first_day: Option<i32>,
    last_day: i32,
    fit: Cut,
    backtest: Cut,
    orders: i64,
    orders_other_currency: i64,
    revenue: i128,
    revenue_year: i128,
    channel: Option<Box<str>>,
}

/// Columns of one cut.
#[derive(Debug, Clone, Default)]
struct Cuts {
    days: Vec<i64>,
    frequency: Vec<Option<i64>>,
    recency: Vec<Option<i64>>,
    age: Vec<Option<i64>>,
    monetary: Vec<Option<i128>>,
    days_after: Vec<i64>,
    value_after: Vec<i128>,
}

impl Cuts {
    fn push(&mut self, cut: &Cut, first_day: i32, until: i32) {
        let fits = cut.days > 0;
        self.days.push(cut.days);
        self.frequency.push(fits.then(|| cut.days - 1));
        self.recency.push(fits.then(|| i64::from(cut.last_day - first_day)));
        self.age.push(fits.then(|| i64::from(until - first_day)));
        self.monetary.push(fits.then_some(cut.repeat_value));
        self.days_after.push(cut.days_after);
        self.value_after.push(cut.value_after);
    }
}

/// Columns of `customer_purchases`.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    customer: Vec<String>,
    first: Vec<i32>,
    last: Vec<i32>,
    fit: Cuts,
    backtest: Cuts,
    revenue: Vec<i128>,
    revenue_year: Vec<i128>,
    orders: Vec<i64>,
    orders_other: Vec<i64>,
    channel: Vec<Option<Box<str>>>,
    country: Vec<Option<Box<str>>>,
}

impl Purchases {
    fn bought(&self, state: &mut Bought, event: &Event<'_>) {
        let (day, value) = (event.day, event.home_amount.unwrap_or(0));
        let is_new_day = state.first_day.is_none() || state.last_day != day;
        let first_day = *state.first_day.get_or_insert(day);
        state.last_day = day;
        state.orders += 1;
        state.fit.take(self.terms.fit_day, first_day, day, is_new_day, value);
        state.backtest.take(self.terms.backtest_day, first_day, day, is_new_day, value);
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
            Kind::Order if has_no_rate(event) => state.orders_other_currency += 1,
            Kind::Order => self.bought(state, event),
            _ => {}
        }
        if matches!(event.kind, Kind::Order | Kind::Refund) {
            let value = event.home_amount.unwrap_or(0);
            state.revenue += value;
            if event.day > self.terms.horizon_day - YEAR_DAYS {
                state.revenue_year += value;
            }
        }
    }

    fn emit(&self, state: Bought, customer: Customer<'_>, rows: &mut Rows) {
        let Some(first) = state.first_day else { return };
        rows.customer.push(customer.id.to_owned());
        rows.first.push(first);
        rows.last.push(state.last_day);
        rows.fit.push(&state.fit, first, self.terms.fit_day);
        rows.backtest.push(&state.backtest, first, self.terms.backtest_day);
        rows.revenue.push(state.revenue);
        rows.revenue_year.push(state.revenue_year);
        rows.orders.push(state.orders);
        rows.orders_other.push(state.orders_other_currency);
        rows.channel.push(state.channel);
        rows.country.push(customer.country.map(Box::from));
    }
}

/// Money that nobody knows the worth of in the job's currency.
fn has_no_rate(event: &Event<'_>) -> bool {
    event.amount.is_some() && event.home_amount.is_none()
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
        let backtest_day = self.customer.iter().map(|_| terms.backtest_day);
        let backtest_day = days(backtest_day.collect::<Vec<_>>());
        let columns = vec![
            ("customer_id", texts(self.customer.into_iter().map(Some))),
            ("first_purchase_date", days(self.first)),
            ("last_purchase_date", days(self.last)),
            ("n_purchase_days", count(self.fit.days)),
            ("frequency", counts(self.fit.frequency)),
            ("recency_days", counts(self.fit.recency)),
            ("age_days", counts(self.fit.age)),
            ("monetary_total", columns::money(TABLE, self.fit.monetary)?),
            ("revenue_total", money(self.revenue)?),
            ("revenue_365d", money(self.revenue_year)?),
            ("n_orders", count(self.orders)),
            ("n_orders_other_currency", count(self.orders_other)),
            ("currency", currency),
            ("acquisition_channel", texts(self.channel)),
            ("n_purchase_days_after", count(self.fit.days_after)),
            ("revenue_after", money(self.fit.value_after)?),
            ("country", texts(self.country)),
            ("backtest_date", backtest_day),
            ("backtest_frequency", counts(self.backtest.frequency)),
            ("backtest_recency_days", counts(self.backtest.recency)),
            ("backtest_age_days", counts(self.backtest.age)),
            ("backtest_monetary_total", columns::money(TABLE, self.backtest.monetary)?),
            ("backtest_purchase_days_after", count(self.backtest.days_after)),
            ("backtest_revenue_after", money(self.backtest.value_after)?),
        ];
        batch(TABLE, columns)
    }
}
