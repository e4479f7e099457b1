//! What one who is alive is expected to buy over the horizon.

use std::collections::BTreeMap;

use super::models::{Fits, Models};
use super::people::Bought;
use super::{Terms, YEAR_DAYS};
use crate::measure::kernel::buying::{Buying, Kind};

/// What one who is alive is expected to buy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub orders: f64,
    /// Orders, each discounted from the end of the month it falls in.
    pub discounted: f64,
    /// Slopes of the logarithm of that by the logarithms of the model's parameters.
    pub slopes: [f64; 4],
}

/// Expectations by group and distinct (frequency, age): they do not depend on when a customer last
/// bought.
#[derive(Debug)]
pub struct Ahead<'a>(BTreeMap<&'a str, Group>);

#[derive(Debug)]
struct Group {
    model: Buying,
    keys: Vec<(u32, u32)>,
    expected: Vec<Expected>,
}

/// The horizon in equal steps of about a month: 12 for a year.
struct Steps {
    n: u32,
    /// In time units.
    length: f64,
    /// Of a step's discount.
    keep: f64,
    unit: f64,
}

/// Of a step in a parameter's logarithm, for slopes: small enough for the curve, large enough for
/// rounding.
const NUDGE: f64 = 1e-4;

impl Steps {
    fn new(terms: &Terms) -> Self {
        let days = f64::from(terms.horizon_days);
        let unit = f64::from(terms.unit_days);
        let n = (days * 12.0 / YEAR_DAYS).round().max(1.0);
        let keep = (1.0 + terms.discount_rate).powf(-days / YEAR_DAYS / n);
        Self { n: n as u32, length: days / unit / n, keep, unit }
    }

    fn of(&self, model: &Buying, (frequency, age): (u32, u32)) -> (f64, f64) {
        let age = f64::from(age) / self.unit;
        let (mut orders, mut discounted, mut factor, mut end) = (0.0, 0.0, 1.0, 0.0);
        for _ in 0..self.n {
            end += self.length;
            factor *= self.keep;
            let by_then = model.expected_if_alive(frequency, age, end);
            discounted += (by_then - orders) * factor;
            orders = by_then;
        }
        (orders, discounted)
    }
}

impl Group {
    fn new(kind: Kind, parameters: [f64; 4], keys: Vec<(u32, u32)>, terms: &Terms) -> Self {
        let steps = Steps::new(terms);
        let model = kind.with(parameters);
        let nudged = |i: usize, by: f64| {
            let mut moved = parameters;
            moved[i] *= by.exp();
            kind.with(moved)
        };
        let sides: [(Buying, Buying); 4] =
            std::array::from_fn(|i| (nudged(i, NUDGE), nudged(i, -NUDGE)));
        let value = |key: &(u32, u32)| {
            let (orders, discounted) = steps.of(&model, *key);
            let slope = |(up, down): &(Buying, Buying)| {
                let rise = steps.of(up, *key).1 - steps.of(down, *key).1;
                if discounted > 0.0 { rise / (2.0 * NUDGE) / discounted } else { 0.0 }
            };
            let slopes = [0, 1, 2, 3].map(|i: usize| slope(&sides[i]));
            Expected { orders, discounted, slopes }
        };
        let expected = keys.iter().map(value).collect();
        Self { model, keys, expected }
    }
}

impl<'a> Ahead<'a> {
    pub fn new(customers: &[Bought], fits: &'a Fits, terms: &Terms) -> Self {
        let mut keys: BTreeMap<&'a str, (&'a Models, Vec<(u32, u32)>)> = BTreeMap::new();
        for customer in customers {
            let Some(history) = customer.history else { continue };
            let (name, models) = fits.group(customer, terms);
            let group = keys.entry(name).or_insert_with(|| (models, Vec::new()));
            group.1.push((history.frequency, history.age_days));
        }
        let group = |(name, (models, mut keys)): (&'a str, (&Models, Vec<(u32, u32)>))| {
            keys.sort_unstable();
            keys.dedup();
            Some((name, Group::new(models.kind, models.bought.parameters()?, keys, terms)))
        };
        Self(keys.into_iter().filter_map(group).collect())
    }

    /// The model of a group, and what it expects.
    pub fn of(&self, group: &str, frequency: u32, age_days: u32) -> Option<(Buying, Expected)> {
        let group = self.0.get(group)?;
        let place = group.keys.binary_search(&(frequency, age_days)).ok()?;
        Some((group.model, group.expected.get(place).copied()?))
    }
}
