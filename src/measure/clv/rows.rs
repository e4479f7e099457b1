//! Rows in and out: `customer_purchases` to [`Bought`], readings to the two published tables.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::datatypes::{ArrowPrimitiveType, Date32Type, Decimal128Type, Int64Type};

use super::models::{Fitted, Models};
use super::{ClvError, DEFINITION, Terms, Worth};
use crate::measure::kernel::bgnbd::History;
use crate::table::DECIMAL;

/// What one customer bought; money in ten-thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bought {
    pub id: String,
    /// Days since 1970-01-01.
    pub first_day: i32,
    pub last_day: i32,
    /// Up to the fit day; none when the first purchase lies after it.
    pub history: Option<History>,
    /// Of the purchase days after the first, up to the fit day.
    pub repeat_value: i64,
    pub revenue_year: i64,
    pub channel: Option<String>,
}

impl Bought {
    /// Mean value of a purchase day after the first, in major units.
    pub fn monetary(&self) -> Option<f64> {
        let frequency = self.history.map(|history| history.frequency).filter(|x| *x > 0)?;
        Some(self.repeat_value as f64 / 10_000.0 / f64::from(frequency))
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

fn column<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a arrow::array::PrimitiveArray<T>, ClvError> {
    let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<T>());
    array.ok_or(ClvError::Column(name))
}

fn text<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a StringArray, ClvError> {
    let array = batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
    array.ok_or(ClvError::Column(name))
}

fn read_batch(batch: &RecordBatch, customers: &mut Vec<Bought>) -> Result<(), ClvError> {
    let ids = text(batch, "customer_id")?;
    let channels = text(batch, "acquisition_channel")?;
    let first = column::<Date32Type>(batch, "first_purchase_date")?;
    let last = column::<Date32Type>(batch, "last_purchase_date")?;
    let frequency = column::<Int64Type>(batch, "frequency")?;
    let recency = column::<Int64Type>(batch, "recency_days")?;
    let age = column::<Int64Type>(batch, "age_days")?;
    let repeats = column::<Decimal128Type>(batch, "monetary_total")?;
    let revenue = column::<Decimal128Type>(batch, "revenue_365d")?;
    let count = |array: &Int64Array, i: usize| {
        array.is_valid(i).then(|| u32::try_from(array.value(i)).ok()).flatten()
    };
    // 18 digits fit an i64.
    let money = |array: &Decimal128Array, i: usize| {
        if array.is_valid(i) { i64::try_from(array.value(i)).unwrap_or(i64::MAX) } else { 0 }
    };
    for i in 0..batch.num_rows() {
        let history = match (count(frequency, i), count(recency, i), count(age, i)) {
            (Some(frequency), Some(recency_days), Some(age_days)) => {
                Some(History { frequency, recency_days, age_days })
            }
            _ => None,
        };
        customers.push(Bought {
            id: ids.value(i).to_owned(),
            first_day: first.value(i),
            last_day: last.value(i),
            history,
            repeat_value: money(repeats, i),
            revenue_year: money(revenue, i),
            channel: channels.is_valid(i).then(|| channels.value(i).to_owned()),
        });
    }
    Ok(())
}

fn batch(
    table: &'static str,
    columns: Vec<(&'static str, ArrayRef)>,
) -> Result<RecordBatch, ClvError> {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .map_err(|source| ClvError::Rows { table, source })
}

/// Money to four digits; what no decimal(18,4) holds is null.
fn money(
    table: &'static str,
    values: impl Iterator<Item = Option<f64>>,
) -> Result<ArrayRef, ClvError> {
    const LIMIT: f64 = 1e18;
    let scaled = |value: f64| {
        let scaled = (value * 10_000.0).round();
        (scaled.abs() < LIMIT).then_some(scaled as i128)
    };
    let array: Decimal128Array = values.map(|value| value.and_then(scaled)).collect();
    let array = array.with_precision_and_scale(DECIMAL.0, DECIMAL.1);
    Ok(Arc::new(array.map_err(|source| ClvError::Rows { table, source })?))
}

fn floats(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.map(|value| value.filter(|v| v.is_finite())).collect::<Float64Array>())
}

fn counts(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// `customer_lifetime_value`.
///
/// # Errors
/// The columns do not fit each other.
pub fn values(
    customers: &[Bought],
    worth: &[Worth],
    terms: &Terms,
) -> Result<RecordBatch, ClvError> {
    const TABLE: &str = "customer_lifetime_value";
    let n = customers.len();
    let history = |of: fn(&History) -> u32| {
        counts(customers.iter().map(move |c| c.history.as_ref().map(|h| i64::from(of(h)))))
    };
    let float = |of: fn(&Worth) -> Option<f64>| floats(worth.iter().map(of));
    let amount = |of: fn(&Worth) -> Option<f64>| money(TABLE, worth.iter().map(of));
    let same = |value: &'static str| texts(std::iter::repeat_n(Some(value), n));
    let none = || money(TABLE, std::iter::repeat_n(None, n));
    let tier = |of: &Worth| match of.decile {
        1 => "high",
        2..=4 => "medium",
        _ => "low",
    };
    let cac = std::iter::repeat_n(Some(terms.acquisition_cost), n);
    batch(
        TABLE,
        vec![
            ("customer_id", texts(customers.iter().map(|c| Some(c.id.as_str())))),
            ("as_of", Arc::new(Date32Array::from(vec![terms.as_of; n]))),
            ("definition_id", same(DEFINITION.0)),
            ("definition_version", Arc::new(Int64Array::from(vec![DEFINITION.1; n]))),
            ("currency", texts(std::iter::repeat_n(Some(terms.currency.as_str()), n))),
            ("acquisition_channel", texts(customers.iter().map(|c| c.channel.as_deref()))),
            ("frequency", history(|h| h.frequency)),
            ("recency", history(|h| h.recency_days)),
            ("age", history(|h| h.age_days)),
            ("monetary", floats(customers.iter().map(Bought::monetary))),
            ("p_alive", float(|of| of.p_alive)),
            ("expected_orders", float(|of| of.expected_orders)),
            ("expected_spend", float(|of| of.expected_spend)),
            ("clv_simple", amount(|of| of.simple)?),
            ("clv_margin", amount(|of| of.margin)?),
            ("clv_contractual", none()?),
            ("clv_probabilistic", amount(|of| of.probabilistic)?),
            ("clv_low", none()?),
            ("clv_high", none()?),
            ("cac", money(TABLE, cac)?),
            ("ltv_cac", float(|of| of.ltv_cac)),
            ("decile", counts(worth.iter().map(|of| Some(of.decile)))),
            ("tier", texts(worth.iter().map(|of| Some(tier(of))))),
        ],
    )
}

/// One row of `clv_model_parameters`.
#[derive(Debug, Clone, PartialEq)]
struct Parameter {
    model: &'static str,
    name: &'static str,
    currency: Option<String>,
    status: &'static str,
    estimate: Option<f64>,
    standard_error: Option<f64>,
    is_converged: bool,
    n_customers: i64,
    n_distinct: i64,
    log_likelihood: Option<f64>,
    gradient_norm: Option<f64>,
    condition_number: Option<f64>,
    iterations: Option<i64>,
    starts: i64,
    agreeing: i64,
}

fn of_model<const N: usize>(
    model: &'static str,
    names: [&'static str; N],
    currency: Option<&str>,
    fitted: &Fitted<N>,
) -> Vec<Parameter> {
    let fit = fitted.fit.as_ref();
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let parameter = |(i, name): (usize, &'static str)| Parameter {
        model,
        name,
        currency: currency.map(str::to_owned),
        status: fitted.status.name(),
        estimate: fitted.parameters().and_then(|values| values.get(i).copied()),
        standard_error: fit
            .filter(|fit| fit.is_converged)
            .and_then(|fit| fit.standard_errors?.get(i).copied()),
        is_converged: fit.is_some_and(|fit| fit.is_converged),
        n_customers: i64::try_from(fitted.n_customers).unwrap_or(i64::MAX),
        n_distinct: whole(fitted.n_distinct),
        log_likelihood: fit.map(|fit| fit.log_likelihood),
        gradient_norm: fit.map(|fit| fit.gradient_norm),
        condition_number: fit.map(|fit| fit.condition_number),
        iterations: fit.map(|fit| i64::from(fit.iterations)),
        starts: fit.map_or(0, |fit| whole(fit.starts)),
        agreeing: fit.map_or(0, |fit| whole(fit.agreeing)),
    };
    names.into_iter().enumerate().map(parameter).collect()
}

/// `clv_model_parameters`.
///
/// # Errors
/// The columns do not fit each other.
pub fn parameters(models: &Models, terms: &Terms) -> Result<RecordBatch, ClvError> {
    let mut rows = of_model("bg_nbd", ["r", "alpha", "a", "b"], None, &models.bg_nbd);
    let currency = Some(terms.currency.as_str());
    rows.extend(of_model("gamma_gamma", ["p", "q", "gamma"], currency, &models.gamma_gamma));
    let n = rows.len();
    let text = |of: fn(&Parameter) -> &str| texts(rows.iter().map(|row| Some(of(row))));
    let float = |of: fn(&Parameter) -> Option<f64>| floats(rows.iter().map(of));
    let count = |of: fn(&Parameter) -> i64| counts(rows.iter().map(|row| Some(of(row))));
    let converged: BooleanArray = rows.iter().map(|row| Some(row.is_converged)).collect();
    batch(
        "clv_model_parameters",
        vec![
            ("as_of", Arc::new(Date32Array::from(vec![terms.as_of; n]))),
            ("model", text(|row| row.model)),
            ("parameter", text(|row| row.name)),
            ("definition_id", texts(std::iter::repeat_n(Some("clv_probabilistic"), n))),
            ("definition_version", Arc::new(Int64Array::from(vec![DEFINITION.1; n]))),
            ("currency", texts(rows.iter().map(|row| row.currency.as_deref()))),
            ("estimate", float(|row| row.estimate)),
            ("standard_error", float(|row| row.standard_error)),
            ("status", text(|row| row.status)),
            ("is_converged", Arc::new(converged)),
            ("n_customers", count(|row| row.n_customers)),
            ("n_distinct", count(|row| row.n_distinct)),
            ("log_likelihood", float(|row| row.log_likelihood)),
            ("gradient_norm", float(|row| row.gradient_norm)),
            ("condition_number", float(|row| row.condition_number)),
            ("iterations", counts(rows.iter().map(|row| row.iterations))),
            ("n_starts", count(|row| row.starts)),
            ("n_starts_agreeing", count(|row| row.agreeing)),
            ("unit_days", counts(std::iter::repeat_n(Some(i64::from(terms.unit_days)), n))),
        ],
    )
}
