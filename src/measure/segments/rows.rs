//! Rows out: segments and personas to the published tables.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch};

use super::personas::{INPUTS, Persona, Personas};
use super::reference::Reference;
use super::rfm::Rfm;
use super::words::{ranked, summary};
use super::{PERSONAS, RFM, Terms};
use crate::measure::columns::{self, Column, counts, days, definition, flags, floats, texts};
use crate::measure::features::{Described, FeatureError};
use crate::table::DECIMAL;

fn batch(table: &'static str, columns: Vec<Column>) -> Result<RecordBatch, FeatureError> {
    columns::rows(columns).map_err(|source| FeatureError::Rows { table, source })
}

fn day(day: i32, n: usize) -> ArrayRef {
    days(std::iter::repeat_n(day, n))
}

fn whole(n: u64) -> Option<i64> {
    i64::try_from(n).ok()
}

/// `customer_segments`.
///
/// # Errors
/// The columns do not fit each other.
pub fn segments(
    customers: &Described,
    rfm: &[Option<Rfm>],
    personas: Option<&Personas>,
    terms: &Terms,
) -> Result<RecordBatch, FeatureError> {
    const TABLE: &str = "customer_segments";
    let n = customers.len();
    let number = |name: &'static str| {
        counts(customers.rows().map(move |row| row.get(name).map(|value| value as i64)))
    };
    let fifth = |of: fn(&Rfm) -> u8| counts(rfm.iter().map(|r| Some(i64::from(of(r.as_ref()?)))));
    let revenue =
        customers.rows().map(|row| Some((row.get("revenue_total")? * 10_000.0).round() as i128));
    let revenue = revenue.collect::<Decimal128Array>();
    let revenue = revenue.with_precision_and_scale(DECIMAL.0, DECIMAL.1);
    let revenue = revenue.map_err(|source| FeatureError::Rows { table: TABLE, source })?;
    let of = |i: usize| -> Option<(&Persona, f64)> {
        let (place, far) = personas?.of.get(i)?;
        Some((personas?.all.get(*place)?, *far))
    };
    let mut columns = vec![
        ("customer_id", texts(customers.ids.iter().map(Some))),
        ("as_of", day(terms.as_of, n)),
    ];
    columns.extend(definition(RFM, n));
    columns.extend([
        ("recency_days", number("days_since_order")),
        ("n_orders", number("n_orders")),
        ("revenue", Arc::new(revenue) as ArrayRef),
        ("currency", texts(std::iter::repeat_n(Some(&terms.currency), n))),
        ("rfm_recency", fifth(|rfm| rfm.recency)),
        ("rfm_frequency", fifth(|rfm| rfm.frequency)),
        ("rfm_monetary", fifth(|rfm| rfm.monetary)),
        ("rfm_score", texts(rfm.iter().map(|rfm| rfm.map(Rfm::score)))),
        ("rfm_segment", texts(rfm.iter().map(|rfm| rfm.map(Rfm::segment)))),
        ("persona", counts((0..n).map(|i| Some(of(i)?.0.number)))),
        ("persona_name", texts((0..n).map(|i| Some(of(i)?.0.name.as_str())))),
        ("persona_distance", floats((0..n).map(|i| Some(of(i)?.1)))),
    ]);
    batch(TABLE, columns)
}

/// `personas`.
///
/// # Errors
/// The columns do not fit each other.
pub fn personas(
    personas: Option<&Personas>,
    reference: &Reference,
    terms: &Terms,
) -> Result<RecordBatch, FeatureError> {
    let all: &[Persona] = personas.map_or(&[], |personas| &personas.all);
    let n = all.len();
    let customers: u64 = all.iter().map(|one| one.n).sum();
    let share = |one: &Persona| one.n as f64 / customers.max(1) as f64;
    let told = |one: &Persona| {
        personas.filter(|_| one.n >= terms.min_cell).map(|personas| summary(one, personas))
    };
    let fitted_on = reference.known(terms).map_or(terms.as_of, |known| known.fitted_on);
    let of_all = |value: Option<f64>| floats(std::iter::repeat_n(value, n));
    let mut columns = vec![
        ("as_of", day(terms.as_of, n)),
        ("persona", counts(all.iter().map(|one| Some(one.number)))),
    ];
    columns.extend(definition(PERSONAS, n));
    columns.extend([
        ("name", texts(all.iter().map(|one| Some(&one.name)))),
        ("n", counts(all.iter().map(|one| whole(one.n)))),
        ("share", floats(all.iter().map(|one| Some(share(one))))),
        ("is_suppressed", flags(all.iter().map(|one| one.n < terms.min_cell))),
        ("summary", texts(all.iter().map(told))),
        ("silhouette", floats(all.iter().map(|one| one.silhouette))),
        ("silhouette_of_all", of_all(personas.map(|personas| personas.silhouette))),
        ("n_fitted", counts(all.iter().map(|_| whole(personas?.fitted)))),
        ("reference_date", day(fitted_on, n)),
        ("shift", floats(all.iter().map(|one| one.shift))),
    ]);
    batch("personas", columns)
}

/// `persona_profiles`.
///
/// # Errors
/// The columns do not fit each other.
pub fn profiles(personas: Option<&Personas>, terms: &Terms) -> Result<RecordBatch, FeatureError> {
    let all: &[Persona] = personas.map_or(&[], |personas| &personas.all);
    let rows: Vec<(&Persona, i64, usize)> = all
        .iter()
        .flat_map(|one| (1..).zip(ranked(one)).map(move |(rank, place)| (one, rank, place)))
        .collect();
    let n = rows.len();
    let shown = |one: &Persona| one.n >= terms.min_cell;
    let mean = |(one, _, place): &(&Persona, i64, usize)| one.means[*place].filter(|_| shown(one));
    let mean_all = |(_, _, place): &(&Persona, i64, usize)| personas?.means[*place];
    let differs =
        |(one, _, place): &(&Persona, i64, usize)| shown(one).then_some(one.differs[*place]);
    let mut columns = vec![
        ("as_of", day(terms.as_of, n)),
        ("persona", counts(rows.iter().map(|row| Some(row.0.number)))),
        ("feature", texts(rows.iter().map(|row| INPUTS.get(row.2)))),
    ];
    columns.extend(definition(PERSONAS, n));
    columns.extend([
        ("n", counts(rows.iter().map(|row| whole(row.0.n)))),
        ("is_suppressed", flags(rows.iter().map(|row| !shown(row.0)))),
        ("mean", floats(rows.iter().map(mean))),
        ("mean_of_all", floats(rows.iter().map(mean_all))),
        ("difference_sd", floats(rows.iter().map(differs))),
        ("feature_rank", counts(rows.iter().map(|row| Some(row.1)))),
    ]);
    batch("persona_profiles", columns)
}
