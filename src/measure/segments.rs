//! Who customers are like: segments by recency, frequency and money, and personas.
//!
//! A pure function of `customer_features`, the kept reference and the job's terms. Customers are
//! those who ever ordered or subscribed; segments are for those who ordered.

pub mod personas;
pub mod reference;
pub mod rfm;
mod rows;
mod words;

use arrow::array::RecordBatch;

use self::reference::Reference;
use self::rfm::Rfm;
use super::features::{Described, FeatureError};

/// Named in every row; raised with the definitions.
pub const RFM: (&str, i64) = ("rfm", 1);
pub const PERSONAS: (&str, i64) = ("personas", 1);

/// What segments read of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Days since 1970-01-01.
    pub as_of: i32,
    /// ISO 4217.
    pub currency: String,
    /// Personas at least and at most.
    pub personas_min: u32,
    pub personas_max: u32,
    /// Cells of fewer customers show no values.
    pub min_cell: u64,
    /// Number of the reference: another one than the kept one's asks for it anew.
    pub fit: u32,
}

/// The tables of a day.
#[derive(Debug, Clone)]
pub struct Tables {
    pub segments: RecordBatch,
    pub personas: RecordBatch,
    pub profiles: RecordBatch,
    pub reference: RecordBatch,
}

/// Segments all customers of a day.
///
/// # Errors
/// Rows that do not follow their contracts.
pub fn segments(
    features: &[RecordBatch],
    reference: &[RecordBatch],
    terms: &Terms,
) -> Result<Tables, FeatureError> {
    let all = Described::read(features)?;
    let customers = all.filtered(|i| all.days[i] == terms.as_of);
    drop(all);
    let reference = Reference::read(reference)?;
    let personas = personas::personas(&customers, &reference, terms);
    let rfm = quintiles(&customers);
    Ok(Tables {
        segments: rows::segments(&customers, &rfm, personas.as_ref(), terms)?,
        personas: rows::personas(personas.as_ref(), &reference, terms)?,
        profiles: rows::profiles(personas.as_ref(), terms)?,
        reference: reference.with(personas.as_ref(), terms).batch()?,
    })
}

/// Of those who ordered; none of the others.
fn quintiles(customers: &Described) -> Vec<Option<Rfm>> {
    let numbers = customers.rows().map(|row| {
        Some((row.get("days_since_order")?, row.or_zero("n_orders"), row.or_zero("revenue_total")))
    });
    let numbers: Vec<Option<(f64, f64, f64)>> = numbers.collect();
    let bought: Vec<(f64, f64, f64)> = numbers.iter().flatten().copied().collect();
    let mut fifths = rfm::quintiles(&bought).into_iter();
    numbers.iter().map(|known| known.and_then(|_| fifths.next())).collect()
}
