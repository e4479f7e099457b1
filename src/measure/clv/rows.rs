//! Rows out: readings and fits to the published tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, RecordBatch};

use super::acquisition::{Acquisition, Group};
use super::backtest::{Backtest, Row};
use super::models::{Fits, Fitted};
use super::people::{Bought, Person};
use super::reference::{ALL, RENEWING, SPENDING};
use super::{ClvError, DEFINITION, Terms, Worth, new_contract};
use crate::measure::columns::{self, Column, counts, days, definition, flags, floats, texts};
use crate::measure::kernel::bgnbd::History;
use crate::table::DECIMAL;

fn batch(table: &'static str, columns: Vec<Column>) -> Result<RecordBatch, ClvError> {
    columns::rows(columns).map_err(|source| ClvError::Rows { table, source })
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

/// `customer_lifetime_value`.
///
/// # Errors
/// The columns do not fit each other.
pub fn values(
    people: &[Person<'_>],
    worth: &[Worth],
    fits: &Fits,
    terms: &Terms,
) -> Result<RecordBatch, ClvError> {
    const TABLE: &str = "customer_lifetime_value";
    let n = people.len();
    let history = |of: fn(&History) -> u32| {
        let known = |one: &Person<'_>| one.bought?.history.as_ref().map(|h| i64::from(of(h)));
        counts(people.iter().map(known))
    };
    let float = |of: fn(&Worth) -> Option<f64>| floats(worth.iter().map(of));
    let amount = |of: fn(&Worth) -> Option<f64>| money(TABLE, worth.iter().map(of));
    let tier = |of: &Worth| match of.decile {
        1 => "high",
        2..=4 => "medium",
        _ => "low",
    };
    let mrr = |one: &Person<'_>| Some(one.contract?.mrr as f64 / 10_000.0);
    let segment = |one: &Person<'_>| one.bought.map(|bought| fits.group(bought, terms).0);
    let monetary = |one: &Person<'_>| one.bought.and_then(Bought::monetary);
    let mut columns = vec![
        ("customer_id", texts(people.iter().map(|one| Some(one.id())))),
        ("as_of", days(std::iter::repeat_n(terms.as_of, n))),
    ];
    columns.extend(definition(DEFINITION, n));
    columns.extend([
        ("currency", texts(std::iter::repeat_n(Some(terms.currency.as_str()), n))),
        ("acquisition_channel", texts(people.iter().map(Person::channel))),
        ("frequency", history(|h| h.frequency)),
        ("recency", history(|h| h.recency_days)),
        ("age", history(|h| h.age_days)),
        ("monetary", floats(people.iter().map(monetary))),
        ("p_alive", float(|of| of.p_alive)),
        ("expected_orders", float(|of| of.expected_orders)),
        ("expected_spend", float(|of| of.expected_spend)),
        ("clv_simple", amount(|of| of.simple)?),
        ("clv_margin", amount(|of| of.margin)?),
        ("clv_contractual", amount(|of| of.contractual)?),
        ("clv_probabilistic", amount(|of| of.probabilistic)?),
        ("clv_low", amount(|of| of.interval.map(|limits| limits.0))?),
        ("clv_high", amount(|of| of.interval.map(|limits| limits.1))?),
        ("cac", amount(|of| Some(of.cac))?),
        ("ltv_cac", float(|of| of.ltv_cac)),
        ("decile", counts(worth.iter().map(|of| Some(of.decile)))),
        ("tier", texts(worth.iter().map(|of| Some(tier(of))))),
        ("dert", float(|of| of.dert)),
        ("derl", float(|of| of.derl)),
        ("mrr", money(TABLE, people.iter().map(mrr))?),
        ("payback_months", float(|of| of.payback_months)),
        ("segment", texts(people.iter().map(segment))),
    ]);
    batch(TABLE, columns)
}

/// One row of `clv_model_parameters`.
#[derive(Debug, Clone, PartialEq)]
struct Parameter {
    segment: String,
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
    reference: Option<f64>,
    reference_loss: Option<f64>,
    has_drifted: Option<bool>,
}

fn of_model<const N: usize>(
    segment: &str,
    model: &'static str,
    names: [&'static str; N],
    (currency, drift_max): (Option<&str>, f64),
    fitted: &Fitted<N>,
) -> Vec<Parameter> {
    let fit = fitted.fit.as_ref();
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let parameter = |(i, name): (usize, &'static str)| Parameter {
        segment: segment.to_owned(),
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
        reference: fitted.reference.and_then(|values| values.get(i).copied()),
        reference_loss: fitted.reference_loss,
        has_drifted: fitted.has_drifted(drift_max),
    };
    names.into_iter().enumerate().map(parameter).collect()
}

/// `clv_model_parameters`.
///
/// # Errors
/// The columns do not fit each other.
pub fn parameters(fits: &Fits, terms: &Terms) -> Result<RecordBatch, ClvError> {
    let mut rows = Vec::new();
    let currency = (Some(terms.currency.as_str()), terms.drift_max);
    let none = (None, terms.drift_max);
    let segments = fits.segments.iter().map(|(name, models)| (name.as_str(), models));
    for (segment, models) in std::iter::once((ALL, &fits.all)).chain(segments) {
        let kind = models.kind;
        rows.extend(of_model(segment, kind.name(), kind.parameters(), none, &models.bought));
        let (model, names) = SPENDING;
        rows.extend(of_model(segment, model, names, currency, &models.spent));
    }
    let (model, names) = RENEWING;
    rows.extend(of_model(ALL, model, names, none, &fits.renewing));
    let n = rows.len();
    let text = |of: fn(&Parameter) -> &str| texts(rows.iter().map(|row| Some(of(row))));
    let float = |of: fn(&Parameter) -> Option<f64>| floats(rows.iter().map(of));
    let count = |of: fn(&Parameter) -> i64| counts(rows.iter().map(|row| Some(of(row))));
    let drifted: BooleanArray = rows.iter().map(|row| row.has_drifted).collect();
    let mut columns = vec![
        ("as_of", days(std::iter::repeat_n(terms.as_of, n))),
        ("model", text(|row| row.model)),
        ("parameter", text(|row| row.name)),
    ];
    columns.extend(definition(("clv_probabilistic", DEFINITION.1), n));
    columns.extend([
        ("currency", texts(rows.iter().map(|row| row.currency.as_deref()))),
        ("estimate", float(|row| row.estimate)),
        ("standard_error", float(|row| row.standard_error)),
        ("status", text(|row| row.status)),
        ("is_converged", flags(rows.iter().map(|row| row.is_converged))),
        ("n_customers", count(|row| row.n_customers)),
        ("n_distinct", count(|row| row.n_distinct)),
        ("log_likelihood", float(|row| row.log_likelihood)),
        ("gradient_norm", float(|row| row.gradient_norm)),
        ("condition_number", float(|row| row.condition_number)),
        ("iterations", counts(rows.iter().map(|row| row.iterations))),
        ("n_starts", count(|row| row.starts)),
        ("n_starts_agreeing", count(|row| row.agreeing)),
        ("unit_days", counts(std::iter::repeat_n(Some(i64::from(terms.unit_days)), n))),
        ("segment", text(|row| &row.segment)),
        ("reference_estimate", float(|row| row.reference)),
        ("reference_loss", float(|row| row.reference_loss)),
        ("has_drifted", Arc::new(drifted) as ArrayRef),
    ]);
    batch("clv_model_parameters", columns)
}

/// `clv_backtest`.
///
/// # Errors
/// The columns do not fit each other.
pub fn backtest(backtest: Option<&Backtest>, terms: &Terms) -> Result<RecordBatch, ClvError> {
    let rows: &[Row] = backtest.map_or(&[], |backtest| &backtest.rows);
    let n = rows.len();
    let kind = terms.model.name();
    let status = backtest.map(|backtest| backtest.models.bought.status.name());
    let until = backtest.map_or(terms.as_of, |backtest| backtest.fit_until);
    let length = backtest.map_or(0, |backtest| i64::from(backtest.days));
    let float = |of: fn(&Row) -> Option<f64>| floats(rows.iter().map(of));
    let error = |row: &Row| {
        let predicted = row.predicted.filter(|_| row.actual > 0.0)?;
        Some(predicted / row.actual - 1.0)
    };
    let mut columns = vec![
        ("as_of", days(std::iter::repeat_n(terms.as_of, n))),
        ("model", texts(std::iter::repeat_n(Some(kind), n))),
        ("measure", texts(rows.iter().map(|row| Some(row.measure)))),
        ("bucket", texts(rows.iter().map(|row| Some(row.bucket.as_str())))),
    ];
    columns.extend(definition(("clv_backtest", DEFINITION.1), n));
    columns.extend([
        ("fit_until", days(std::iter::repeat_n(until, n))),
        ("holdout_days", counts(std::iter::repeat_n(Some(length), n))),
        ("status", texts(std::iter::repeat_n(status, n))),
        ("n", counts(rows.iter().map(|row| i64::try_from(row.n).ok()))),
        ("actual", float(|row| Some(row.actual))),
        ("predicted", float(|row| row.predicted)),
        ("relative_error", floats(rows.iter().map(error))),
        ("correlation", float(|row| row.correlation)),
        ("mean_absolute_error", float(|row| row.absolute_error)),
        ("root_mean_square_error", float(|row| row.squared_error.map(f64::sqrt))),
    ]);
    batch("clv_backtest", columns)
}

/// What groups are worth, in the columns that cohorts and channels share.
fn groups(
    table: &'static str,
    groups: &[Group],
    fits: &Fits,
    terms: &Terms,
) -> Result<Vec<Column>, ClvError> {
    let n = groups.len();
    let shown = || groups.iter().map(|group| (group.n >= terms.min_cell).then_some(group));
    let mean =
        |of: fn(&Group) -> Option<f64>| money(table, shown().map(|group| group.and_then(of)));
    let float = |of: fn(&Group) -> Option<f64>| floats(shown().map(|group| group.and_then(of)));
    let revenue = |group: &Group| Some(group.revenue as f64 / 10_000.0);
    let new = shown().map(|group| {
        let (group, cost) = (group?, group?.cac.get()?);
        new_contract(fits, group.mrr.get()?, cost, terms)
    });
    Ok(vec![
        ("currency", texts(std::iter::repeat_n(Some(terms.currency.as_str()), n))),
        ("n_customers", counts(groups.iter().map(|group| i64::try_from(group.n).ok()))),
        ("is_suppressed", flags(groups.iter().map(|group| group.n < terms.min_cell))),
        ("revenue", money(table, shown().map(|group| group.and_then(revenue)))?),
        ("p_alive", float(|group| group.p_alive.get())),
        ("clv_simple", mean(|group| group.simple.get())?),
        ("clv_margin", mean(|group| group.margin.get())?),
        ("clv_contractual", mean(|group| group.contractual.get())?),
        ("clv_probabilistic", mean(|group| group.probabilistic.get())?),
        ("clv_mean", mean(Group::value)?),
        ("mean_cac", mean(|group| group.cac.get())?),
        ("ltv_cac", float(Group::ltv_cac)),
        ("payback_months", float(Group::payback_months)),
        ("clv_new_contract", money(table, new)?),
    ])
}

/// `clv_by_cohort`.
///
/// # Errors
/// The columns do not fit each other.
pub fn cohorts(
    cohorts: &BTreeMap<i32, Group>,
    fits: &Fits,
    terms: &Terms,
) -> Result<RecordBatch, ClvError> {
    const TABLE: &str = "clv_by_cohort";
    let n = cohorts.len();
    let worth: Vec<Group> = cohorts.values().copied().collect();
    let mut columns = vec![
        ("cohort_grain", texts(std::iter::repeat_n(Some("month"), n))),
        ("cohort", days(cohorts.keys().copied())),
    ];
    columns.extend(definition(DEFINITION, n));
    columns.extend(groups(TABLE, &worth, fits, terms)?);
    batch(TABLE, columns)
}

/// `customer_acquisition_cost`.
///
/// # Errors
/// The columns do not fit each other.
pub fn acquisition(
    acquisition: &Acquisition,
    channels: &BTreeMap<(i32, String), Group>,
    fits: &Fits,
    terms: &Terms,
) -> Result<RecordBatch, ClvError> {
    const TABLE: &str = "customer_acquisition_cost";
    let cells = &acquisition.0;
    let n = cells.len();
    let worth: Vec<Group> =
        cells.keys().map(|key| channels.get(key).copied().unwrap_or_default()).collect();
    let cost = cells.values().map(|cell| cell.cost.map(|cost| cost as f64 / 10_000.0));
    let mut columns = vec![
        ("month", days(cells.keys().map(|key| key.0))),
        ("acquisition_channel", texts(cells.keys().map(|key| Some(key.1.as_str())))),
    ];
    columns.extend(definition(("cac", DEFINITION.1), n));
    columns.extend([
        ("cost", money(TABLE, cost)?),
        ("cac", money(TABLE, cells.values().map(|cell| cell.per_customer()))?),
    ]);
    columns.extend(groups(TABLE, &worth, fits, terms)?);
    batch(TABLE, columns)
}
