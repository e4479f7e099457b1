//! What it cost to win customers: advertising by month and channel over those it brought.
//!
//! A customer is brought by the channel of the first touch, in the month they became one. Where
//! nothing is known of what the channel cost that month, the job's own cost per customer counts.

use std::collections::BTreeMap;

use super::people::{Person, Spending};
use super::{Terms, Worth};
use crate::measure::fold::Grain;
use crate::table::day::{date, day_number};

/// A channel nobody knows.
pub const NONE: &str = "(none)";

/// First day of the month.
pub fn month(day: i32) -> i32 {
    day_number(Grain::Month.start(date(day)))
}

/// One month of one channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// Ten-thousandths; none where no cost is known.
    pub cost: Option<i128>,
    pub n_customers: u64,
}

impl Cell {
    /// Money spent per customer, in major units.
    pub fn per_customer(&self) -> Option<f64> {
        let cost = self.cost.filter(|_| self.n_customers > 0)?;
        Some(cost as f64 / 10_000.0 / self.n_customers as f64)
    }
}

/// All months and channels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acquisition(pub BTreeMap<(i32, String), Cell>);

fn key(person: &Person<'_>) -> (i32, String) {
    (month(person.first_day()), person.channel().unwrap_or(NONE).to_owned())
}

impl Acquisition {
    pub fn new(people: &[Person<'_>], spent: &[Spending]) -> Self {
        let mut cells: BTreeMap<(i32, String), Cell> = BTreeMap::new();
        for spending in spent {
            let cell = cells.entry((month(spending.day), spending.channel.clone())).or_default();
            *cell.cost.get_or_insert(0) += spending.cost;
        }
        for person in people {
            cells.entry(key(person)).or_default().n_customers += 1;
        }
        Self(cells)
    }

    /// What one customer cost, in major units.
    pub fn cost(&self, person: &Person<'_>, terms: &Terms) -> f64 {
        let known = self.0.get(&key(person)).and_then(Cell::per_customer);
        known.unwrap_or(terms.acquisition_cost)
    }
}

/// Sums over customers, and how many had a number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    pub sum: f64,
    pub n: u64,
}

impl Mean {
    pub fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.n += 1;
        }
    }

    pub fn get(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// What a group of customers is worth against what it cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Group {
    pub n: u64,
    pub revenue: i128,
    pub p_alive: Mean,
    pub simple: Mean,
    pub margin: Mean,
    pub contractual: Mean,
    pub probabilistic: Mean,
    pub cac: Mean,
    /// Gross profit of a month, by the last 365 days.
    pub monthly_margin: Mean,
    /// Monthly recurring revenue of contracts in force.
    pub mrr: Mean,
}

impl Group {
    pub fn add(&mut self, person: &Person<'_>, worth: &Worth, terms: &Terms) {
        self.n += 1;
        self.revenue += person.bought.map_or(0, |bought| i128::from(bought.revenue));
        self.p_alive.add(worth.p_alive);
        self.simple.add(worth.simple);
        self.margin.add(worth.margin);
        self.contractual.add(worth.contractual);
        self.probabilistic.add(worth.probabilistic);
        self.cac.add(Some(worth.cac));
        self.monthly_margin.add(Some(person.profit_year(terms) / 12.0));
        let in_force = person.contract.filter(|contract| !contract.renewed.has_left);
        self.mrr.add(in_force.map(|contract| contract.mrr as f64 / 10_000.0));
    }

    /// Expected value per customer: of purchases and of contracts.
    pub fn value(&self) -> Option<f64> {
        let known = self.probabilistic.n + self.contractual.n > 0 && self.n > 0;
        known.then(|| (self.probabilistic.sum + self.contractual.sum) / self.n as f64)
    }

    pub fn ltv_cac(&self) -> Option<f64> {
        let cost = self.cac.get().filter(|cost| *cost > 0.0)?;
        Some(self.value()? / cost)
    }

    pub fn payback_months(&self) -> Option<f64> {
        payback(self.cac.get()?, self.monthly_margin.get()?)
    }
}

/// Months of gross profit that a cost is; none where there is no profit.
pub fn payback(cost: f64, monthly_margin: f64) -> Option<f64> {
    (monthly_margin > 0.0).then(|| cost / monthly_margin)
}

/// Groups by a key of each customer.
pub fn grouped<K: Ord>(
    people: &[Person<'_>],
    worth: &[Worth],
    terms: &Terms,
    key: impl Fn(&Person<'_>) -> K,
) -> BTreeMap<K, Group> {
    let mut groups: BTreeMap<K, Group> = BTreeMap::new();
    for (person, worth) in people.iter().zip(worth) {
        groups.entry(key(person)).or_default().add(person, worth, terms);
    }
    groups
}

/// Worth by month and channel, as [`Acquisition`] has them.
pub fn by_channel(
    people: &[Person<'_>],
    worth: &[Worth],
    terms: &Terms,
) -> BTreeMap<(i32, String), Group> {
    grouped(people, worth, terms, key)
}
