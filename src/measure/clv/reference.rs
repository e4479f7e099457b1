//! Parameters of the first fit there was: what drift is measured against, and what a day falls back
//! on whose own fit does not converge.
//!
//! A fit is kept once for each group and model, and stays until somebody asks for it anew, so that
//! a day's numbers do not depend on yesterday's. Parameters for another time unit or currency are
//! of no use to a job, and are replaced; so are all when the job raises `clv.fit`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};

use super::models::{Fits, Fitted, Models};
use super::{ClvError, Terms};

const TABLE: &str = "clv_reference";
/// Names of the parameters of models that are the same for every job.
pub const SPENDING: (&str, [&str; 3]) = ("gamma_gamma", ["p", "q", "gamma"]);
pub const RENEWING: (&str, [&str; 2]) = ("sbg", ["alpha", "beta"]);
/// The group of all customers.
pub const ALL: &str = "all";

/// One fit, kept.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    fitted_on: i32,
    unit_days: i64,
    currency: String,
    /// Number that the job asked for it under.
    fit: i64,
    n_customers: i64,
    estimates: BTreeMap<String, f64>,
}

/// All kept fits, by group and model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reference(BTreeMap<(String, String), Kept>);

impl Reference {
    /// Rows of `clv_reference`.
    ///
    /// # Errors
    /// A column that is missing or of another type.
    pub fn read(batches: &[RecordBatch]) -> Result<Self, ClvError> {
        let mut known = BTreeMap::new();
        for batch in batches {
            let text = |name: &'static str| {
                let array = batch.column_by_name(name).and_then(|a| a.as_string_opt::<i32>());
                array.ok_or(ClvError::Column(name))
            };
            let count = |name: &'static str| {
                let array = batch.column_by_name(name);
                let array = array.and_then(|a| a.as_primitive_opt::<Int64Type>());
                array.ok_or(ClvError::Column(name))
            };
            let (segments, models) = (text("segment")?, text("model")?);
            let (parameters, currencies) = (text("parameter")?, text("currency")?);
            let (units, customers) = (count("unit_days")?, count("n_customers")?);
            let fits = count("fit")?;
            let estimates = batch.column_by_name("estimate");
            let estimates = estimates.and_then(|a| a.as_primitive_opt::<Float64Type>());
            let estimates = estimates.ok_or(ClvError::Column("estimate"))?;
            let days = batch.column_by_name("fitted_on");
            let days = days.and_then(|a| a.as_primitive_opt::<Date32Type>());
            let days = days.ok_or(ClvError::Column("fitted_on"))?;
            for i in (0..batch.num_rows()).filter(|i| estimates.is_valid(*i)) {
                let key = (segments.value(i).to_owned(), models.value(i).to_owned());
                let kept = known.entry(key).or_insert_with(|| Kept {
                    fitted_on: days.value(i),
                    unit_days: units.value(i),
                    currency: currencies.value(i).to_owned(),
                    fit: fits.value(i),
                    n_customers: customers.value(i),
                    estimates: BTreeMap::new(),
                });
                kept.estimates.insert(parameters.value(i).to_owned(), estimates.value(i));
            }
        }
        Ok(Self(known))
    }

    /// The kept parameters of a group's model, in the order of their names.
    pub fn parameters<const N: usize>(
        &self,
        segment: &str,
        (model, names): (&str, [&str; N]),
        terms: &Terms,
    ) -> Option<[f64; N]> {
        let kept = self.0.get(&(segment.to_owned(), model.to_owned()))?;
        let is_asked = kept.fit == i64::from(terms.fit);
        let fits = kept.unit_days == i64::from(terms.unit_days) && kept.currency == terms.currency;
        let values: Vec<f64> =
            names.into_iter().map_while(|name| kept.estimates.get(name).copied()).collect();
        values.try_into().ok().filter(|_| fits && is_asked)
    }

    /// With the fits of a day for which nothing is kept.
    #[must_use]
    pub fn with(mut self, fits: &Fits, terms: &Terms) -> Self {
        self.keep_models(ALL, &fits.all, terms);
        for (segment, models) in &fits.segments {
            self.keep_models(segment, models, terms);
        }
        self.keep(ALL, RENEWING, &fits.renewing, terms);
        self
    }

    fn keep_models(&mut self, segment: &str, models: &Models, terms: &Terms) {
        let kind = models.kind;
        self.keep(segment, (kind.name(), kind.parameters()), &models.bought, terms);
        self.keep(segment, SPENDING, &models.spent, terms);
    }

    fn keep<const N: usize>(
        &mut self,
        segment: &str,
        (model, names): (&str, [&str; N]),
        fitted: &Fitted<N>,
        terms: &Terms,
    ) {
        let Some(fit) = fitted.usable() else { return };
        if self.parameters(segment, (model, names), terms).is_some() {
            return;
        }
        let estimates = names.into_iter().map(String::from).zip(fit.parameters);
        let kept = Kept {
            fitted_on: terms.as_of,
            unit_days: i64::from(terms.unit_days),
            currency: terms.currency.clone(),
            fit: i64::from(terms.fit),
            n_customers: i64::try_from(fitted.n_customers).unwrap_or(i64::MAX),
            estimates: estimates.collect(),
        };
        self.0.insert((segment.to_owned(), model.to_owned()), kept);
    }

    /// As rows of `clv_reference`.
    ///
    /// # Errors
    /// The columns do not fit each other.
    pub fn batch(&self) -> Result<RecordBatch, ClvError> {
        let rows: Vec<_> = self
            .0
            .iter()
            .flat_map(|(key, kept)| kept.estimates.iter().map(move |one| (key, kept, one)))
            .collect();
        let text = |of: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new((0..rows.len()).map(|i| Some(of(i))).collect::<StringArray>())
        };
        let days: Date32Array = rows.iter().map(|(_, kept, _)| Some(kept.fitted_on)).collect();
        let units: Int64Array = rows.iter().map(|(_, kept, _)| Some(kept.unit_days)).collect();
        let fits: Int64Array = rows.iter().map(|(_, kept, _)| Some(kept.fit)).collect();
        let customers: Int64Array =
            rows.iter().map(|(_, kept, _)| Some(kept.n_customers)).collect();
        let estimates: Float64Array = rows.iter().map(|(.., (_, value))| Some(**value)).collect();
        RecordBatch::try_from_iter_with_nullable(vec![
            ("segment", text(&|i| rows[i].0.0.clone()), true),
            ("model", text(&|i| rows[i].0.1.clone()), true),
            ("parameter", text(&|i| rows[i].2.0.clone()), true),
            ("estimate", Arc::new(estimates) as ArrayRef, true),
            ("fitted_on", Arc::new(days), true),
            ("unit_days", Arc::new(units), true),
            ("currency", text(&|i| rows[i].1.currency.clone()), true),
            ("n_customers", Arc::new(customers), true),
            ("fit", Arc::new(fits), true),
        ])
        .map_err(|source| ClvError::Rows { table: TABLE, source })
    }
}
