//! Who is valued: rows of `customer_purchases` and `customer_contracts`, and of what advertising
//! cost.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};

use super::{ClvError, Terms};
use crate::measure::kernel::bgnbd::History;
use crate::measure::kernel::sbg::Renewed;

/// What one customer bought; money in ten-thousandths.
#[derive(Debug, Clone, PartialEq)]
pub struct Bought {
    pub id: String,
    /// Days since 1970-01-01.
    pub first_day: i32,
    pub last_day: i32,
    /// Up to the fit day; none when the first purchase lies after it.
    pub history: Option<History>,
    /// Of the purchase days after the first, up to the fit day.
    pub repeat_value: i64,
    pub revenue: i64,
    pub revenue_year: i64,
    /// Gross profit of the same in major units, where products have margins of their own.
    pub profit_year: Option<f64>,
    pub channel: Option<String>,
    pub country: Option<String>,
    /// Day that the backtest fits up to.
    pub backtest_day: i32,
    pub held: Option<Held>,
}

impl Bought {
    /// Mean value of a purchase day after the first, in major units.
    pub fn monetary(&self) -> Option<f64> {
        let frequency = self.history.map(|history| history.frequency).filter(|x| *x > 0)?;
        Some(self.repeat_value as f64 / 10_000.0 / f64::from(frequency))
    }

    /// Gross profit per unit of revenue: what the last year's products earned, else the job's.
    pub fn margin(&self, terms: &Terms) -> f64 {
        let revenue = self.revenue_year as f64 / 10_000.0;
        let own = self.profit_year.filter(|_| revenue > 0.0).map(|profit| profit / revenue);
        own.map_or(terms.margin, |margin| margin.clamp(0.0, 1.0))
    }
}

/// What was known on the day of the backtest, and what came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub history: History,
    pub repeat_value: i64,
    pub days_after: u32,
    pub value_after: i64,
}

impl Held {
    /// Mean value of a purchase day after the first, in major units.
    pub fn mean(&self) -> f64 {
        let frequency = f64::from(self.history.frequency.max(1));
        (self.repeat_value as f64 / 10_000.0 / frequency).max(0.0)
    }
}

/// What one customer has, or had, under contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    pub id: String,
    pub started: i32,
    pub ended: Option<i32>,
    pub renewed: Renewed,
    /// Ten-thousandths.
    pub mrr: i64,
    pub channel: Option<String>,
    pub country: Option<String>,
}

/// What was spent on a channel on a day, in ten-thousandths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spending {
    pub day: i32,
    pub channel: String,
    pub cost: i128,
}

fn column<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a PrimitiveArray<T>, ClvError> {
    let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<T>());
    array.ok_or(ClvError::Column(name))
}

fn texts<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a StringArray, ClvError> {
    let array = batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
    array.ok_or(ClvError::Column(name))
}

fn text(array: &StringArray, i: usize) -> Option<String> {
    array.is_valid(i).then(|| array.value(i).to_owned())
}

type Counts = PrimitiveArray<Int64Type>;
type Money = PrimitiveArray<Decimal128Type>;

fn count(array: &Counts, i: usize) -> Option<u32> {
    array.is_valid(i).then(|| u32::try_from(array.value(i)).ok()).flatten()
}

/// 18 digits fit an i64.
fn money(array: &Money, i: usize) -> i64 {
    if array.is_valid(i) { i64::try_from(array.value(i)).unwrap_or(i64::MAX) } else { 0 }
}

/// Frequency, recency and age of one cut.
struct Histories<'a>(&'a Counts, &'a Counts, &'a Counts);

impl Histories<'_> {
    fn of(&self, i: usize) -> Option<History> {
        Some(History {
            frequency: count(self.0, i)?,
            recency_days: count(self.1, i)?,
            age_days: count(self.2, i)?,
        })
    }
}

/// Rows of `customer_purchases`, in order of customer.
///
/// # Errors
/// A column that is missing or of another type.
pub fn read(batches: &[RecordBatch]) -> Result<Vec<Bought>, ClvError> {
    let mut customers = Vec::new();
    for batch in batches {
        read_batch(batch, &mut customers)?;
    }
    customers.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(customers)
}

fn read_batch(batch: &RecordBatch, customers: &mut Vec<Bought>) -> Result<(), ClvError> {
    let ids = texts(batch, "customer_id")?;
    let (channels, countries) = (texts(batch, "acquisition_channel")?, texts(batch, "country")?);
    let first = column::<Date32Type>(batch, "first_purchase_date")?;
    let last = column::<Date32Type>(batch, "last_purchase_date")?;
    let known = Histories(
        column(batch, "frequency")?,
        column(batch, "recency_days")?,
        column(batch, "age_days")?,
    );
    let held = Histories(
        column(batch, "backtest_frequency")?,
        column(batch, "backtest_recency_days")?,
        column(batch, "backtest_age_days")?,
    );
    let repeats = column::<Decimal128Type>(batch, "monetary_total")?;
    let held_repeats = column::<Decimal128Type>(batch, "backtest_monetary_total")?;
    let backtest = column::<Date32Type>(batch, "backtest_date")?;
    let days_after = column::<Int64Type>(batch, "backtest_purchase_days_after")?;
    let value_after = column::<Decimal128Type>(batch, "backtest_revenue_after")?;
    let revenue = column::<Decimal128Type>(batch, "revenue_total")?;
    let revenue_year = column::<Decimal128Type>(batch, "revenue_365d")?;
    for i in 0..batch.num_rows() {
        customers.push(Bought {
            id: ids.value(i).to_owned(),
            first_day: first.value(i),
            last_day: last.value(i),
            history: known.of(i),
            repeat_value: money(repeats, i),
            revenue: money(revenue, i),
            revenue_year: money(revenue_year, i),
            profit_year: None,
            channel: text(channels, i),
            country: text(countries, i),
            backtest_day: backtest.value(i),
            held: held.of(i).map(|history| Held {
                history,
                repeat_value: money(held_repeats, i),
                days_after: count(days_after, i).unwrap_or(0),
                value_after: money(value_after, i),
            }),
        });
    }
    Ok(())
}

/// Rows of `customer_contracts`, in order of customer.
///
/// # Errors
/// A column that is missing or of another type.
pub fn read_contracts(batches: &[RecordBatch]) -> Result<Vec<Contract>, ClvError> {
    let mut contracts = Vec::new();
    for batch in batches {
        let ids = texts(batch, "customer_id")?;
        let channels = texts(batch, "acquisition_channel")?;
        let countries = texts(batch, "country")?;
        let started = column::<Date32Type>(batch, "started_on")?;
        let ended = column::<Date32Type>(batch, "ended_on")?;
        let renewals = column::<Int64Type>(batch, "n_renewals")?;
        let mrr = column::<Decimal128Type>(batch, "mrr")?;
        for i in 0..batch.num_rows() {
            let ended = ended.is_valid(i).then(|| ended.value(i));
            let renewal = count(renewals, i).unwrap_or(0);
            contracts.push(Contract {
                id: ids.value(i).to_owned(),
                started: started.value(i),
                ended,
                renewed: Renewed { renewal, has_left: ended.is_some() },
                mrr: money(mrr, i),
                channel: text(channels, i),
                country: text(countries, i),
            });
        }
    }
    contracts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(contracts)
}

/// Rows (`cost_date`, `channel`, `cost`) of what advertising cost, in the job's currency.
///
/// # Errors
/// A column that is missing or of another type.
pub fn read_spending(batches: &[RecordBatch]) -> Result<Vec<Spending>, ClvError> {
    let mut spent = Vec::new();
    for batch in batches {
        let channels = texts(batch, "channel")?;
        let (days, costs) = (column::<Date32Type>(batch, "cost_date")?, batch);
        let costs = column::<Decimal128Type>(costs, "cost")?;
        for i in (0..batch.num_rows()).filter(|i| costs.is_valid(*i)) {
            let (channel, cost) = (channels.value(i).to_owned(), costs.value(i));
            spent.push(Spending { day: days.value(i), channel, cost });
        }
    }
    spent.sort();
    Ok(spent)
}

/// Gives customers the profit of the last year by product: rows (`customer_id`, `product`,
/// `revenue`).
///
/// # Errors
/// A column that is missing or of another type.
pub fn read_profits(
    batches: &[RecordBatch],
    customers: &mut [Bought],
    terms: &Terms,
) -> Result<(), ClvError> {
    let mut known: BTreeMap<String, BTreeMap<String, i128>> = BTreeMap::new();
    for batch in batches {
        let (ids, products) = (texts(batch, "customer_id")?, texts(batch, "product")?);
        let revenues = column::<Decimal128Type>(batch, "revenue")?;
        for i in (0..batch.num_rows()).filter(|i| revenues.is_valid(*i)) {
            let of = known.entry(ids.value(i).to_owned()).or_default();
            *of.entry(text(products, i).unwrap_or_default()).or_default() += revenues.value(i);
        }
    }
    for customer in customers {
        let profit = |(product, revenue): (&String, &i128)| {
            let margin = terms.margins.get(product).copied().unwrap_or(terms.margin);
            *revenue as f64 / 10_000.0 * margin
        };
        customer.profit_year = known.get(&customer.id).map(|of| of.iter().map(profit).sum());
    }
    Ok(())
}

/// One customer who bought, has a contract, or both.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    pub bought: Option<&'a Bought>,
    pub contract: Option<&'a Contract>,
}

impl<'a> Person<'a> {
    pub fn id(&self) -> &'a str {
        let contract = self.contract.map(|contract| contract.id.as_str());
        self.bought.map(|bought| bought.id.as_str()).or(contract).unwrap_or_default()
    }

    pub fn channel(&self) -> Option<&'a str> {
        let contract = self.contract.and_then(|contract| contract.channel.as_deref());
        self.bought.and_then(|bought| bought.channel.as_deref()).or(contract)
    }

    /// Day of the first purchase or of the first paid access.
    pub fn first_day(&self) -> i32 {
        let bought = self.bought.map(|bought| bought.first_day);
        let contract = self.contract.map(|contract| contract.started);
        bought.into_iter().chain(contract).min().unwrap_or_default()
    }

    /// Orders of the last 365 days; of who never ordered, twelve months of what is in force.
    pub fn revenue_year(&self) -> f64 {
        let mrr = self.contract.map_or(0, |contract| contract.mrr);
        let revenue = self.bought.map_or(mrr * 12, |bought| bought.revenue_year);
        revenue as f64 / 10_000.0
    }
}

impl Person<'_> {
    /// Gross profit of the same.
    pub fn profit_year(&self, terms: &Terms) -> f64 {
        let by_product = self.bought.and_then(|bought| bought.profit_year);
        by_product.unwrap_or_else(|| self.revenue_year() * terms.margin)
    }
}

/// All customers, in order; both lists are sorted.
pub fn people<'a>(bought: &'a [Bought], contracts: &'a [Contract]) -> Vec<Person<'a>> {
    let (mut left, mut right) = (bought.iter().peekable(), contracts.iter().peekable());
    let mut people = Vec::with_capacity(bought.len() + contracts.len());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return people,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(bought), Some(contract)) => bought.id.cmp(&contract.id),
        };
        people.push(Person {
            bought: if order.is_le() { left.next() } else { None },
            contract: if order.is_ge() { right.next() } else { None },
        });
    }
}
