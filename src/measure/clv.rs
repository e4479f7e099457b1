//! What a customer is worth: fitted models of buying and spending, and readings from them.
//!
//! A pure function of `customer_purchases` and the job's terms: fixed starts, sums in the order of
//! sorted keys, so a day's rows never depend on which days ran before. A fit that fails is a
//! result, not an error: its readings are null, and a row says why.

mod models;
mod rows;

use arrow::array::RecordBatch;

pub use self::models::{Models, Status};
pub use self::rows::{Bought, read};
use super::kernel::bgnbd::BgNbd;

/// Named in every row; raised with the definitions of the readings.
pub const DEFINITION: (&str, i64) = ("clv", 1);
/// Days of a year, and of its twelfth.
const YEAR_DAYS: f64 = 365.25;

/// What can be wrong with the rows that values are computed from.
#[derive(Debug, thiserror::Error)]
pub enum ClvError {
    #[error("`customer_purchases` has no usable column `{0}`")]
    Column(&'static str),
    #[error("rows of `{table}` cannot be built")]
    Rows {
        table: &'static str,
        #[source]
        source: arrow::error::ArrowError,
    },
}

/// What the values of a day read of its job.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Days since 1970-01-01.
    pub as_of: i32,
    /// ISO 4217.
    pub currency: String,
    /// Gross profit per unit of revenue.
    pub margin: f64,
    /// Days of one model time unit.
    pub unit_days: u32,
    pub horizon_days: u32,
    /// Per year.
    pub discount_rate: f64,
    /// Per customer.
    pub acquisition_cost: f64,
    /// Silence after which a customer has churned.
    pub inactive_days: u32,
}

/// The readings of one customer; money in major units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Worth {
    pub p_alive: Option<f64>,
    pub expected_orders: Option<f64>,
    pub expected_spend: Option<f64>,
    pub simple: Option<f64>,
    pub margin: Option<f64>,
    pub probabilistic: Option<f64>,
    pub ltv_cac: Option<f64>,
    /// 1 to 10.
    pub decile: i64,
}

/// The two tables of a day.
#[derive(Debug, Clone)]
pub struct Tables {
    pub values: RecordBatch,
    pub parameters: RecordBatch,
}

/// Values all customers of a day.
///
/// # Errors
/// Rows that do not follow the contract of `customer_purchases`.
pub fn lifetime_value(purchases: &[RecordBatch], terms: &Terms) -> Result<Tables, ClvError> {
    let customers = read(purchases)?;
    let models = Models::fit(&customers, terms);
    let worth = worth(&customers, &models, terms);
    Ok(Tables {
        values: rows::values(&customers, &worth, terms)?,
        parameters: rows::parameters(&models, terms)?,
    })
}

/// Share of customers that goes silent in a year: events over time lived, a constant hazard
/// fitted to lives that end `inactive_days` after the last purchase or are still open
/// (the exponential maximum-likelihood estimate for censored lives). None when nobody was lost.
pub fn yearly_churn(customers: &[Bought], terms: &Terms) -> Option<f64> {
    let (mut lost, mut lived_days) = (0_i64, 0_i64);
    for customer in customers {
        let silent_on = i64::from(customer.last_day) + i64::from(terms.inactive_days);
        lost += i64::from(silent_on <= i64::from(terms.as_of));
        lived_days += silent_on.min(i64::from(terms.as_of)) - i64::from(customer.first_day);
    }
    let hazard = lost as f64 / (lived_days as f64 / YEAR_DAYS);
    (lost > 0 && lived_days > 0).then(|| -(-hazard).exp_m1())
}

/// The readings of all customers, in their order.
pub fn worth(customers: &[Bought], models: &Models, terms: &Terms) -> Vec<Worth> {
    let churn = yearly_churn(customers, terms);
    let ahead = models.buying().map(|model| Ahead::new(&model, customers, terms));
    let mut worth: Vec<Worth> = customers
        .iter()
        .map(|customer| {
            let mut of = Worth::default();
            if let (Some(model), Some(ahead)) = (models.buying(), &ahead) {
                buys(&mut of, customer, &model, ahead, terms);
            }
            spends(&mut of, customer, models, ahead.as_ref(), terms);
            relationship(&mut of, customer, churn, terms);
            of
        })
        .collect();
    rank(customers, &mut worth);
    worth
}

fn buys(of: &mut Worth, customer: &Bought, model: &BgNbd, ahead: &Ahead, terms: &Terms) {
    let Some(history) = customer.history else { return };
    let unit = f64::from(terms.unit_days);
    let (recency, age) =
        (f64::from(history.recency_days) / unit, f64::from(history.age_days) / unit);
    let p_alive = model.p_alive(history.frequency, recency, age);
    of.p_alive = Some(p_alive);
    let expected = ahead.of(history.frequency, history.age_days);
    of.expected_orders = expected.map(|expected| p_alive * expected.orders);
}

fn spends(
    of: &mut Worth,
    customer: &Bought,
    models: &Models,
    ahead: Option<&Ahead>,
    terms: &Terms,
) {
    let (Some(history), Some(model)) = (customer.history, models.spending()) else { return };
    let mean = customer.monetary().unwrap_or(0.0).max(0.0);
    let spend = model.expected(history.frequency, mean);
    if !spend.is_finite() {
        return;
    }
    of.expected_spend = Some(spend);
    let expected = ahead.and_then(|ahead| ahead.of(history.frequency, history.age_days));
    if let (Some(p_alive), Some(expected)) = (of.p_alive, expected) {
        let value = p_alive * expected.discounted * spend * terms.margin;
        of.probabilistic = Some(value);
        of.ltv_cac = (terms.acquisition_cost > 0.0).then(|| value / terms.acquisition_cost);
    }
}

fn relationship(of: &mut Worth, customer: &Bought, churn: Option<f64>, terms: &Terms) {
    let Some(churn) = churn else { return };
    let years = f64::from(terms.as_of - customer.first_day) / YEAR_DAYS + 1.0 / churn;
    let revenue = customer.revenue_year as f64 / 10_000.0;
    of.simple = Some(revenue * years - terms.acquisition_cost);
    of.margin = Some(revenue * terms.margin * years - terms.acquisition_cost);
}

/// Deciles by probabilistic value, else simple value; equals in order of customer.
fn rank(customers: &[Bought], worth: &mut [Worth]) {
    let mut order: Vec<usize> = (0..worth.len()).collect();
    let key = |i: usize| {
        let value = worth.get(i).map_or((None, None), |of| (of.probabilistic, of.simple));
        value.0.map_or((0, value.1.unwrap_or(f64::NEG_INFINITY)), |probable| (1, probable))
    };
    let id = |i: usize| customers.get(i).map(|customer| customer.id.as_str());
    order.sort_by(|a, b| {
        let (a_key, b_key) = (key(*a), key(*b));
        b_key.0.cmp(&a_key.0).then(b_key.1.total_cmp(&a_key.1)).then(id(*a).cmp(&id(*b)))
    });
    let n = order.len();
    for (place, i) in order.into_iter().enumerate() {
        if let Some(of) = worth.get_mut(i) {
            of.decile = i64::try_from(place * 10 / n).unwrap_or(9) + 1;
        }
    }
}

/// What one who is alive is expected to buy over the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Expected {
    orders: f64,
    /// Orders, each discounted from the end of the month it falls in.
    discounted: f64,
}

/// Expectations by distinct (frequency, age): they do not depend on when a customer last bought.
struct Ahead {
    keys: Vec<(u32, u32)>,
    expected: Vec<Expected>,
}

impl Ahead {
    fn new(model: &BgNbd, customers: &[Bought], terms: &Terms) -> Self {
        let mut keys: Vec<(u32, u32)> = customers
            .iter()
            .filter_map(|customer| customer.history.map(|h| (h.frequency, h.age_days)))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let unit = f64::from(terms.unit_days);
        // The horizon in equal steps of about a month: 12 for a year.
        let steps = (f64::from(terms.horizon_days) * 12.0 / YEAR_DAYS).round().max(1.0);
        let step = f64::from(terms.horizon_days) / unit / steps;
        let years = f64::from(terms.horizon_days) / YEAR_DAYS / steps;
        let keep = (1.0 + terms.discount_rate).powf(-years);
        let value = |(frequency, age): &(u32, u32)| {
            let age = f64::from(*age) / unit;
            let (mut orders, mut discounted, mut factor, mut end) = (0.0, 0.0, 1.0, 0.0);
            for _ in 0..steps as u32 {
                end += step;
                factor *= keep;
                let by_then = model.expected_if_alive(*frequency, age, end);
                discounted += (by_then - orders) * factor;
                orders = by_then;
            }
            Expected { orders, discounted }
        };
        let expected = keys.iter().map(value).collect();
        Self { keys, expected }
    }

    fn of(&self, frequency: u32, age_days: u32) -> Option<Expected> {
        let place = self.keys.binary_search(&(frequency, age_days)).ok()?;
        self.expected.get(place).copied()
    }
}
