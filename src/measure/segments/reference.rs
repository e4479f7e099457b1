//! The first personas there were: what the labels of later days are matched to.
//!
//! They change no persona, only its number and name, so that a group of customers is called the
//! same every night. They stay until the job raises `segments.fit`, or tells customers apart by
//! other inputs or in another currency.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};

use super::Terms;
use super::personas::{INPUTS, Personas, Scale};
use crate::measure::features::FeatureError;

const TABLE: &str = "persona_reference";

/// A persona, kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub number: i64,
    pub name: String,
    /// Scaled inputs.
    pub centre: [f64; INPUTS.len()],
}

/// All of one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub fitted_on: i32,
    fit: i64,
    currency: String,
    pub scale: Scale,
    /// In the order of their numbers.
    pub all: Vec<Kept>,
}

/// What is kept; nothing before the first personas.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reference(Option<Known>);

impl Reference {
    /// Rows of `persona_reference`.
    ///
    /// # Errors
    /// A column that is missing or of another type.
    pub fn read(batches: &[RecordBatch]) -> Result<Self, FeatureError> {
        let mut known: Option<Known> = None;
        let mut all: BTreeMap<i64, (Kept, usize)> = BTreeMap::new();
        let fail = FeatureError::Column;
        for batch in batches {
            let array = |name: &'static str| batch.column_by_name(name).ok_or(fail(name));
            let text = |name| array(name)?.as_string_opt::<i32>().ok_or(fail(name));
            let count = |name| array(name)?.as_primitive_opt::<Int64Type>().ok_or(fail(name));
            let float = |name| array(name)?.as_primitive_opt::<Float64Type>().ok_or(fail(name));
            let days = array("fitted_on")?.as_primitive_opt::<Date32Type>();
            let days = days.ok_or(fail("fitted_on"))?;
            let (inputs, names, currencies) = (text("input")?, text("name")?, text("currency")?);
            let (numbers, fits) = (count("persona")?, count("fit")?);
            let (centres, means) = (float("centre")?, float("mean")?);
            let deviations = float("deviation")?;
            for i in 0..batch.num_rows() {
                let known = known.get_or_insert_with(|| Known {
                    fitted_on: days.value(i),
                    fit: fits.value(i),
                    currency: currencies.value(i).to_owned(),
                    scale: Scale { mean: [0.0; INPUTS.len()], deviation: [0.0; INPUTS.len()] },
                    all: Vec::new(),
                });
                let number = numbers.value(i);
                let (kept, found) = all.entry(number).or_insert_with(|| {
                    let name = names.value(i).to_owned();
                    (Kept { number, name, centre: [0.0; INPUTS.len()] }, 0)
                });
                let input = INPUTS.iter().position(|input| *input == inputs.value(i));
                if let Some(input) = input {
                    kept.centre[input] = centres.value(i);
                    known.scale.mean[input] = means.value(i);
                    known.scale.deviation[input] = deviations.value(i);
                    *found += 1;
                } else {
                    // An input that is told apart by no longer.
                    *found = usize::MAX / 2;
                }
            }
        }
        let is_whole = all.values().all(|(_, found)| *found == INPUTS.len());
        let known = known.filter(|_| is_whole).map(|mut known| {
            known.all = all.into_values().map(|(kept, _)| kept).collect();
            known
        });
        Ok(Self(known))
    }

    /// The personas that labels are matched to.
    pub fn known(&self, terms: &Terms) -> Option<&Known> {
        let is_asked =
            |known: &&Known| known.fit == i64::from(terms.fit) && known.currency == terms.currency;
        self.0.as_ref().filter(is_asked)
    }

    /// How many they are.
    pub fn personas(&self, terms: &Terms) -> usize {
        self.known(terms).map_or(0, |known| known.all.len())
    }

    /// With the personas of a day, where nothing is kept that is of use.
    #[must_use]
    pub fn with(self, personas: Option<&Personas>, terms: &Terms) -> Self {
        let Some(personas) = personas.filter(|_| self.known(terms).is_none()) else { return self };
        let kept = personas.all.iter().map(|one| Kept {
            number: one.number,
            name: one.name.clone(),
            centre: one.centre,
        });
        Self(Some(Known {
            fitted_on: terms.as_of,
            fit: i64::from(terms.fit),
            currency: terms.currency.clone(),
            scale: personas.scale,
            all: kept.collect(),
        }))
    }

    /// As rows of `persona_reference`.
    ///
    /// # Errors
    /// The columns do not fit each other.
    pub fn batch(&self) -> Result<RecordBatch, FeatureError> {
        let rows: Vec<(&Known, &Kept, usize)> = self
            .0
            .iter()
            .flat_map(|known| known.all.iter().map(move |kept| (known, kept)))
            .flat_map(|(known, kept)| (0..INPUTS.len()).map(move |input| (known, kept, input)))
            .collect();
        let text = |of: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new((0..rows.len()).map(|i| Some(of(i))).collect::<StringArray>())
        };
        let count = |of: &dyn Fn(usize) -> i64| -> ArrayRef {
            Arc::new((0..rows.len()).map(|i| Some(of(i))).collect::<Int64Array>())
        };
        let float = |of: &dyn Fn(usize) -> f64| -> ArrayRef {
            Arc::new((0..rows.len()).map(|i| Some(of(i))).collect::<Float64Array>())
        };
        let days: Date32Array = rows.iter().map(|(known, ..)| Some(known.fitted_on)).collect();
        RecordBatch::try_from_iter_with_nullable(vec![
            ("persona", count(&|i| rows[i].1.number), true),
            ("input", text(&|i| INPUTS[rows[i].2].to_owned()), true),
            ("name", text(&|i| rows[i].1.name.clone()), true),
            ("centre", float(&|i| rows[i].1.centre[rows[i].2]), true),
            ("mean", float(&|i| rows[i].0.scale.mean[rows[i].2]), true),
            ("deviation", float(&|i| rows[i].0.scale.deviation[rows[i].2]), true),
            ("currency", text(&|i| rows[i].0.currency.clone()), true),
            ("fitted_on", Arc::new(days) as ArrayRef, true),
            ("fit", count(&|i| rows[i].0.fit), true),
        ])
        .map_err(|source| FeatureError::Rows { table: TABLE, source })
    }
}
