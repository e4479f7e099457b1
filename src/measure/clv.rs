//! What a customer is worth: fitted models of buying, spending and renewing, and readings from them.
//!
//! A pure function of `customer_purchases`, `customer_contracts`, what advertising cost and the
//! job's terms: fixed starts, sums in the order of sorted keys, so a day's rows never depend on
//! which days ran before. A fit that fails is a result, not an error: the reference stands in for
//! it, or its readings are null, and a row says so.

mod acquisition;
mod ahead;
mod backtest;
mod models;
mod people;
pub mod reference;
mod rows;
mod touches;

use arrow::array::RecordBatch;

pub use self::acquisition::Acquisition;
use self::ahead::Ahead;
pub use self::models::{Fits, Models, Status};
pub use self::people::{Bought, Contract, Held, Person, people, read, read_contracts};
use self::reference::Reference;
use super::fold::contracts::MONTH_DAYS;
use super::kernel::bgnbd::History;
use super::kernel::buying::Kind;
use super::kernel::sbg::Sbg;
use super::kernel::special::two_sided_z;

/// Named in every row; raised with the definitions of the readings.
pub const DEFINITION: (&str, i64) = ("clv", 2);
/// Days of a year, and of its twelfth.
const YEAR_DAYS: f64 = 365.25;

/// What can be wrong with the rows that values are computed from.
#[derive(Debug, thiserror::Error)]
pub enum ClvError {
    #[error("the rows to value customers by have no usable column `{0}`")]
    Column(&'static str),
    #[error("rows of `{table}` cannot be built")]
    Rows {
        table: &'static str,
        #[source]
        source: arrow::error::ArrowError,
    },
}

/// Groups with parameters of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    None,
    AcquisitionChannel,
    Country,
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
    /// Per customer, where nothing is known of what their channel cost.
    pub acquisition_cost: f64,
    /// Silence after which a customer has churned.
    pub inactive_days: u32,
    pub model: Kind,
    pub segments: Segments,
    /// Customers with a second purchase below which a group has no fit of its own.
    pub segment_min: u64,
    /// Of intervals.
    pub confidence: f64,
    /// Cells of fewer customers show no values.
    pub min_cell: u64,
    /// Log-likelihood per customer that the reference may lose before a fit has drifted from it.
    pub drift_max: f64,
    /// Number of the reference: another one than the kept one's asks for it anew.
    pub fit: u32,
}

impl Terms {
    /// Discount of a month.
    fn monthly_rate(&self) -> f64 {
        (1.0 + self.discount_rate).powf(1.0 / 12.0) - 1.0
    }
}

/// Rows that values are computed from.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// `customer_purchases`.
    pub purchases: Vec<RecordBatch>,
    /// `customer_contracts`.
    pub contracts: Vec<RecordBatch>,
    /// Cost by `cost_date` and `channel`, in the job's currency.
    pub spending: Vec<RecordBatch>,
    /// First touches: `customer_id`, `channel`, `touched_on`.
    pub touches: Vec<RecordBatch>,
    /// `clv_reference` as it was; none: it is made of this day's fits.
    pub reference: Vec<RecordBatch>,
}

/// The readings of one customer; money in major units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Worth {
    pub p_alive: Option<f64>,
    pub expected_orders: Option<f64>,
    pub expected_spend: Option<f64>,
    /// Purchases expected over the horizon, discounted.
    pub dert: Option<f64>,
    /// Payments expected under the contract, discounted.
    pub derl: Option<f64>,
    pub simple: Option<f64>,
    pub margin: Option<f64>,
    pub contractual: Option<f64>,
    pub probabilistic: Option<f64>,
    /// Of `probabilistic`, from the uncertainty of the parameters.
    pub interval: Option<(f64, f64)>,
    pub cac: f64,
    pub ltv_cac: Option<f64>,
    pub payback_months: Option<f64>,
    /// 1 to 10.
    pub decile: i64,
}

/// The tables of a day.
#[derive(Debug, Clone)]
pub struct Tables {
    pub values: RecordBatch,
    pub parameters: RecordBatch,
    pub backtest: RecordBatch,
    pub cohorts: RecordBatch,
    pub acquisition: RecordBatch,
    pub reference: RecordBatch,
}

/// Values all customers of a day.
///
/// # Errors
/// Rows that do not follow their contracts.
pub fn lifetime_value(inputs: &Inputs, terms: &Terms) -> Result<Tables, ClvError> {
    let mut bought = read(&inputs.purchases)?;
    let mut contracts = read_contracts(&inputs.contracts)?;
    touches::read(&inputs.touches)?.name_channels(&mut bought, &mut contracts);
    let reference = Reference::read(&inputs.reference)?;
    let spending = people::read_spending(&inputs.spending)?;
    let people = people(&bought, &contracts);
    let fits = Fits::new(&bought, &contracts, &reference, terms);
    let acquisition = Acquisition::new(&people, &spending);
    let worth = worth(&people, &fits, &acquisition, terms);
    let backtest = backtest::backtest(&bought, terms);
    let cohorts =
        acquisition::grouped(&people, &worth, terms, |one| acquisition::month(one.first_day()));
    let channels = acquisition::by_channel(&people, &worth, terms);
    Ok(Tables {
        values: rows::values(&people, &worth, &fits, terms)?,
        parameters: rows::parameters(&fits, terms)?,
        backtest: rows::backtest(backtest.as_ref(), terms)?,
        cohorts: rows::cohorts(&cohorts, &fits, terms)?,
        acquisition: rows::acquisition(&acquisition, &channels, &fits, terms)?,
        reference: reference.with(&fits, terms).batch()?,
    })
}

/// Share of customers that goes in a year: events over time lived, a constant hazard fitted to
/// lives that end `inactive_days` after the last purchase, or with the contract, or are still open
/// (the exponential maximum-likelihood estimate for censored lives). None when nobody was lost.
pub fn yearly_churn(people: &[Person<'_>], terms: &Terms) -> Option<f64> {
    let (mut lost, mut lived_days) = (0_i64, 0_i64);
    let now = i64::from(terms.as_of);
    for person in people {
        let end = match (person.contract, person.bought) {
            (Some(contract), _) => contract.ended.map(i64::from),
            (None, Some(bought)) => {
                Some(i64::from(bought.last_day) + i64::from(terms.inactive_days))
            }
            (None, None) => None,
        };
        let end = end.filter(|end| *end <= now);
        lost += i64::from(end.is_some());
        lived_days += end.unwrap_or(now) - i64::from(person.first_day());
    }
    let hazard = lost as f64 / (lived_days as f64 / YEAR_DAYS);
    (lost > 0 && lived_days > 0).then(|| -(-hazard).exp_m1())
}

/// The readings of all customers, in their order.
pub fn worth(
    people: &[Person<'_>],
    fits: &Fits,
    acquisition: &Acquisition,
    terms: &Terms,
) -> Vec<Worth> {
    let churn = yearly_churn(people, terms);
    let bought: Vec<Bought> = people.iter().filter_map(|one| one.bought).cloned().collect();
    let ahead = Ahead::new(&bought, fits, terms);
    let renewing = fits.renewing.parameters().map(Sbg::from);
    let of = |person: &Person<'_>| {
        let mut of = Worth { cac: acquisition.cost(person, terms), ..Worth::default() };
        if let Some(bought) = person.bought
            && let Some(history) = bought.history
        {
            buys(&mut of, bought, history, fits, &ahead, terms);
        }
        if let (Some(contract), Some(model)) = (person.contract, &renewing) {
            renews(&mut of, contract, model, terms);
        }
        relationship(&mut of, person, churn, terms);
        of
    };
    let mut worth: Vec<Worth> = people.iter().map(of).collect();
    rank(people, &mut worth);
    worth
}

fn buys(
    of: &mut Worth,
    customer: &Bought,
    history: History,
    fits: &Fits,
    ahead: &Ahead<'_>,
    terms: &Terms,
) {
    let (name, models) = fits.group(customer, terms);
    let spending = models.spending().map(|spending| (spending, &models.spent));
    let pooled = || fits.all.spending().map(|spending| (spending, &fits.all.spent));
    let spending = spending.or_else(pooled);
    let mean = customer.monetary().unwrap_or(0.0).max(0.0);
    let spend = spending.map(|(model, _)| model.expected(history.frequency, mean));
    of.expected_spend = spend.filter(|spend| spend.is_finite());
    let Some((model, expected)) = ahead.of(name, history.frequency, history.age_days) else {
        return;
    };
    let time = |days: u32| f64::from(days) / f64::from(terms.unit_days);
    let (p_alive, slopes) =
        model.alive(history.frequency, time(history.recency_days), time(history.age_days));
    of.p_alive = Some(p_alive);
    of.expected_orders = Some(p_alive * expected.orders);
    of.dert = Some(p_alive * expected.discounted);
    let (Some(spend), Some((spending, spent))) = (of.expected_spend, spending) else { return };
    let value = p_alive * expected.discounted * spend * terms.margin;
    of.probabilistic = Some(value);
    // The delta method on the logarithm of the value: its slopes by those of the parameters.
    let slopes: [f64; 4] = std::array::from_fn(|i| slopes[i] + expected.slopes[i]);
    let covariance = models.bought.usable().and_then(|fit| fit.covariance);
    let variance = covariance.zip(spent.usable().and_then(|fit| fit.covariance)).map(|known| {
        form(&known.0, &slopes) + form(&known.1, &spending.expected_slopes(history.frequency, mean))
    });
    of.interval = variance.filter(|variance| variance.is_finite()).map(|variance| {
        let factor = (two_sided_z(terms.confidence) * variance.max(0.0).sqrt()).exp();
        (value / factor, value * factor)
    });
}

/// `vᵀ M v`.
fn form<const N: usize>(matrix: &[[f64; N]; N], vector: &[f64; N]) -> f64 {
    let row = |(row, v): (&[f64; N], &f64)| {
        v * row.iter().zip(vector).map(|(cell, other)| cell * other).sum::<f64>()
    };
    matrix.iter().zip(vector).map(row).sum()
}

/// A contract in force is worth its payments to come; one that ended is worth nothing.
fn renews(of: &mut Worth, contract: &Contract, model: &Sbg, terms: &Terms) {
    let derl = if contract.renewed.has_left {
        0.0
    } else {
        model.residual_lifetime(contract.renewed.renewal, terms.monthly_rate())
    };
    of.derl = Some(derl);
    of.contractual = Some(derl * contract.mrr as f64 / 10_000.0 * terms.margin);
}

/// What a new contract is worth on the day it is made: Σ margin · S(t) / (1 + d)^t over the months
/// of the horizon, the first payment at once, less what it cost to win. None where nothing could be
/// fitted.
pub fn new_contract(fits: &Fits, monthly_revenue: f64, cost: f64, terms: &Terms) -> Option<f64> {
    let model = fits.renewing.parameters().map(Sbg::from)?;
    let months = (f64::from(terms.horizon_days) / MONTH_DAYS).round() as u32;
    let payments = model.lifetime(months + 1, terms.monthly_rate());
    Some(payments * monthly_revenue * terms.margin - cost)
}

fn relationship(of: &mut Worth, person: &Person<'_>, churn: Option<f64>, terms: &Terms) {
    let revenue = person.revenue_year();
    if let Some(churn) = churn {
        let years = f64::from(terms.as_of - person.first_day()) / YEAR_DAYS + 1.0 / churn;
        of.simple = Some(revenue * years - of.cac);
        of.margin = Some(revenue * terms.margin * years - of.cac);
    }
    let value = greatest(of.probabilistic, of.contractual);
    of.ltv_cac = value.filter(|_| of.cac > 0.0).map(|value| value / of.cac);
    of.payback_months = acquisition::payback(of.cac, revenue * terms.margin / 12.0);
}

fn greatest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

/// Deciles by probabilistic or contractual value, the greater, else simple value; equals in order
/// of customer.
fn rank(people: &[Person<'_>], worth: &mut [Worth]) {
    let mut order: Vec<usize> = (0..worth.len()).collect();
    let key = |i: usize| {
        let of = worth.get(i);
        let value = of.and_then(|of| greatest(of.probabilistic, of.contractual));
        let simple = of.and_then(|of| of.simple).unwrap_or(f64::NEG_INFINITY);
        value.map_or((0, simple), |value| (1, value))
    };
    let id = |i: usize| people.get(i).map(Person::id);
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
