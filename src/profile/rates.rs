//! What money of other currencies is worth in the job's.

use std::collections::BTreeMap;

/// Of money's unit, and more of them than a column holds.
const UNITS: f64 = 1e4;
const MOST: f64 = 1e18;

/// What one unit of a currency is worth in the job's, by currency and day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    home: String,
    days: BTreeMap<String, BTreeMap<i32, f64>>,
}

impl Rates {
    /// No rates yet, beside the job's own currency.
    pub fn new(home: &str) -> Self {
        Self { home: home.to_owned(), days: BTreeMap::new() }
    }

    /// Of one day, as days since 1970-01-01.
    pub fn learn(&mut self, currency: &str, day: i32, rate: f64) {
        self.days.entry(currency.to_owned()).or_default().insert(day, rate);
    }

    /// Ten-thousandths of a major unit, in the job's currency; none where nobody knows the day's
    /// rate. An export without currencies is in the job's own.
    pub fn home(&self, amount: i128, currency: Option<&str>, day: Option<i32>) -> Option<i128> {
        let Some(currency) = currency.filter(|currency| *currency != self.home) else {
            return Some(amount);
        };
        let rate = self.days.get(currency)?.get(&day?)?;
        let value = (amount as f64 / UNITS * rate * UNITS).round();
        (value.abs() < MOST).then_some(value as i128)
    }
}
