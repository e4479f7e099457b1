//! `customer_features` as columns: what personas and churn risk are told by.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};

use super::fold::features::{FEATURES, Unit};

/// What can be wrong with the rows, or with those made of them.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    #[error("customer_features has no usable column `{0}`")]
    Column(&'static str),
    #[error("rows of `{table}` cannot be built")]
    Rows {
        table: &'static str,
        #[source]
        source: arrow::error::ArrowError,
    },
}

/// Customers on days, in the order of their ids and then of the days.
#[derive(Debug, Clone, Default)]
pub struct Described {
    pub ids: Vec<String>,
    /// Days since 1970-01-01.
    pub days: Vec<i32>,
    pub is_active: Vec<bool>,
    pub is_contractual: Vec<bool>,
    pub has_churned: Vec<Option<bool>>,
    /// By feature, in major units; not a number where there is nothing to measure.
    columns: Vec<Vec<f64>>,
}

impl Described {
    /// Rows in any order.
    ///
    /// # Errors
    /// A column that is missing or of another type.
    pub fn read(batches: &[RecordBatch]) -> Result<Self, FeatureError> {
        let mut all = Self { columns: vec![Vec::new(); FEATURES.len()], ..Self::default() };
        for batch in batches {
            all.take(batch)?;
        }
        let is_before =
            |a: usize, b: usize| (&all.ids[a], all.days[a]) < (&all.ids[b], all.days[b]);
        if (1..all.ids.len()).all(|i| is_before(i - 1, i)) {
            return Ok(all);
        }
        let mut order: Vec<usize> = (0..all.ids.len()).collect();
        order.sort_by(|a, b| (&all.ids[*a], all.days[*a]).cmp(&(&all.ids[*b], all.days[*b])));
        Ok(all.picked(&order))
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), FeatureError> {
        let fail = FeatureError::Column;
        let array = |name: &'static str| batch.column_by_name(name).ok_or(fail(name));
        let ids = array("customer_id")?.as_string_opt::<i32>().ok_or(fail("customer_id"))?;
        let days = array("feature_date")?.as_primitive_opt::<Date32Type>();
        let days = days.ok_or(fail("feature_date"))?;
        let flag = |name: &'static str| array(name)?.as_boolean_opt().ok_or(fail(name));
        let (active, contract) = (flag("is_active")?, flag("is_contractual")?);
        let churned = flag("has_churned")?;
        self.ids.extend(ids.iter().map(|id| id.unwrap_or_default().to_owned()));
        self.days.extend(days.values().iter());
        self.is_active.extend(active.iter().map(|is| is.unwrap_or_default()));
        self.is_contractual.extend(contract.iter().map(|is| is.unwrap_or_default()));
        self.has_churned.extend(churned.iter());
        for ((name, unit), column) in FEATURES.into_iter().zip(&mut self.columns) {
            let array = array(name)?;
            match unit {
                Unit::Count => {
                    let values = array.as_primitive_opt::<Int64Type>().ok_or(fail(name))?;
                    column.extend(values.iter().map(|v| v.map_or(f64::NAN, |v| v as f64)));
                }
                Unit::Decimal => {
                    let values = array.as_primitive_opt::<Decimal128Type>().ok_or(fail(name))?;
                    let major = |v: Option<i128>| v.map_or(f64::NAN, |v| v as f64 / 10_000.0);
                    column.extend(values.iter().map(major));
                }
            }
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The rows at these places.
    #[must_use]
    pub fn picked(&self, places: &[usize]) -> Self {
        fn of<T: Clone>(values: &[T], places: &[usize]) -> Vec<T> {
            places.iter().filter_map(|place| values.get(*place).cloned()).collect()
        }
        Self {
            ids: of(&self.ids, places),
            days: of(&self.days, places),
            is_active: of(&self.is_active, places),
            is_contractual: of(&self.is_contractual, places),
            has_churned: of(&self.has_churned, places),
            columns: self.columns.iter().map(|column| of(column, places)).collect(),
        }
    }

    /// The rows that `holds` is true of, by their place.
    #[must_use]
    pub fn filtered(&self, holds: impl Fn(usize) -> bool) -> Self {
        let places: Vec<usize> = (0..self.len()).filter(|i| holds(*i)).collect();
        self.picked(&places)
    }

    /// One row.
    pub fn row(&self, place: usize) -> Row<'_> {
        Row { all: self, place }
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|place| self.row(place))
    }
}

/// A customer on a day.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    all: &'a Described,
    place: usize,
}

impl Row<'_> {
    /// A feature by its name; none where there is nothing to measure.
    pub fn get(&self, name: &str) -> Option<f64> {
        let place = FEATURES.iter().position(|(known, _)| *known == name)?;
        let value = self.all.columns.get(place)?.get(self.place).copied()?;
        value.is_finite().then_some(value)
    }

    /// The same, 0 where there is nothing.
    pub fn or_zero(&self, name: &str) -> f64 {
        self.get(name).unwrap_or(0.0)
    }

    pub fn is_contractual(&self) -> bool {
        self.all.is_contractual.get(self.place).copied().unwrap_or_default()
    }
}
